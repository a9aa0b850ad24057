//! Numbers in text, row by row: CSV and its relatives.

use std::io::Write;
use std::path::Path;

use ::csv::{ByteRecord, ReaderBuilder};
use ndarray::{Array2, ArrayBase, Data, Ix2};

use super::text::{number, quote};
use super::{create, format_error, read, write_error};
use crate::error::{Position, Result};
use crate::float::Float;
use crate::params::require;

/// How a text file of numbers is laid out; what is not said is found out.
///
/// # Example
/// ```
/// use sapwood::{io::{self, CsvOptions}, ndarray::array};
///
/// let text = b"city;lon;lat\nRiga;24.1;56.9\nLima;-77.0;-12.0\n";
/// let points = io::parse_csv::<f64>(text, &CsvOptions::default().header(true).columns(&[1, 2]))?;
/// assert_eq!(points, array![[24.1, 56.9], [-77.0, -12.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct CsvOptions {
    delimiter: Option<u8>,
    header: Option<bool>,
    columns: Option<Vec<usize>>,
}

impl CsvOptions {
    /// What stands between two fields; by default the first of `;` tab `,` space that the first line has.
    ///
    /// A run of spaces counts as one, and those at the ends of a line count for nothing.
    #[must_use]
    pub fn delimiter(mut self, delimiter: u8) -> Self {
        self.delimiter = Some(delimiter);
        self
    }

    /// Whether the first line names the columns; by default it does if none of its fields is a number.
    #[must_use]
    pub fn header(mut self, header: bool) -> Self {
        self.header = Some(header);
        self
    }

    /// The columns to read, counted from 0, in this order; by default all. The others may hold any text.
    #[must_use]
    pub fn columns(mut self, columns: &[usize]) -> Self {
        self.columns = Some(columns.to_vec());
        self
    }
}

/// The numbers of a text file, one row a line, `(n_rows, n_columns)`.
///
/// Blank lines and lines that begin with `#` are skipped; fields may be in double quotes; a byte order mark,
/// CRLF and spaces around a field do no harm. `nan` and `inf` are read as what they say, so a fit names their
/// row and column; an empty field, and a number beyond the range of `F` as `1e999`, is an error.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) with the line of the first field that is no number, of the first
/// line that is longer or shorter than those before, or if there is no row at all;
/// [`Error::Io`](crate::Error::Io) where the file cannot be read;
/// [`Error::Parameter`](crate::Error::Parameter) for no column, or for a delimiter that can be part of a
/// number or a quote.
///
/// # Example
/// ```
/// use sapwood::{io::{self, CsvOptions}, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_csv.csv");
/// std::fs::write(&path, "lon,lat\n24.1,56.9\n-77.0,-12.0\n").unwrap();
/// let points = io::read_csv::<f64>(&path, &CsvOptions::default())?;
/// assert_eq!(points, array![[24.1, 56.9], [-77.0, -12.0]]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn read_csv<F: Float>(path: impl AsRef<Path>, options: &CsvOptions) -> Result<Array2<F>> {
    read(path.as_ref(), |bytes| parse_csv(bytes, options))
}

/// The numbers in the bytes of a text file, see [`read_csv`].
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) and [`Error::Parameter`](crate::Error::Parameter), as
/// [`read_csv`].
///
/// # Example
/// ```
/// use sapwood::io::{CsvOptions, parse_csv};
///
/// let error = parse_csv::<f64>(b"x y\n1 2\n3 four\n", &CsvOptions::default()).unwrap_err();
/// assert_eq!(
///     error.to_string(),
///     "<memory>: line 3: expected a number in column 1 (counted from 0), found `four`",
/// );
/// ```
pub fn parse_csv<F: Float>(bytes: &[u8], options: &CsvOptions) -> Result<Array2<F>> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let delimiter = options.delimiter.unwrap_or_else(|| find_delimiter(bytes));
    require(
        !delimiter.is_ascii_alphanumeric() && !b"+-.\"#\r\n".contains(&delimiter),
        "delimiter",
        "a byte that is no part of a number, a quote or a comment",
        format_args!("`{}`", delimiter.escape_ascii()),
    )?;
    let no_columns = options.columns.as_ref().is_some_and(Vec::is_empty);
    require(!no_columns, "columns", "at least one column", "none")?;
    let mut reader = ReaderBuilder::new()
        .delimiter(delimiter)
        .comment(Some(b'#'))
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);

    let mut values = Vec::new();
    let mut record = ByteRecord::new();
    // A run of spaces is one delimiter, but empty fields to the reader: these are the others.
    let mut filled = Vec::new();
    let mut n_fields = None;
    loop {
        let start = reader.position().byte() as usize;
        let line = || Position::Line(line_of_record(bytes, start));
        let more = reader.read_byte_record(&mut record);
        if !more.map_err(|error| format_error(line(), "fields", error.to_string()))? {
            break;
        }
        let spaces = delimiter == b' ';
        if spaces {
            filled.clear();
            filled.extend((0..record.len()).filter(|&i| !record[i].trim_ascii().is_empty()));
        }
        let n = if spaces { filled.len() } else { record.len() };
        let field = |column: usize| record[if spaces { filled[column] } else { column }].trim_ascii();
        if n == 0 || (n == 1 && field(0).is_empty()) {
            continue;
        }
        let column = |k: usize| options.columns.as_ref().map_or(k, |columns| columns[k]);
        let d = options.columns.as_ref().map_or(n, Vec::len);

        if let Some(n_fields) = n_fields {
            if n != n_fields {
                let expected = format!("{n_fields} fields, as in the lines before");
                return Err(format_error(line(), expected, n.to_string()));
            }
        } else {
            n_fields = Some(n);
            if let Some(column) = (0..d).map(column).find(|&column| column >= n) {
                let expected = format!("more than {column} fields, to read column {column}");
                return Err(format_error(line(), expected, n.to_string()));
            }
            let names = || (0..d).all(|k| number::<F>(field(column(k))).is_err());
            if options.header.unwrap_or_else(names) {
                continue;
            }
        }
        for column in (0..d).map(column) {
            values.push(number(field(column)).map_err(|expected| {
                let expected = format!("{expected} in column {column} (counted from 0)");
                let found = field(column);
                let found = if found.is_empty() { "an empty field".into() } else { quote(found) };
                format_error(line(), expected, found)
            })?);
        }
    }
    let d = options.columns.as_ref().map(Vec::len).or(n_fields).unwrap_or(0);
    if values.is_empty() {
        let end = Position::Line(line_of_record(bytes, bytes.len()));
        return Err(format_error(end, "a row of numbers", "the end of the file"));
    }
    values.shrink_to_fit();
    let shape = (values.len() / d, d);
    Ok(Array2::from_shape_vec(shape, values).expect("every row pushed d values"))
}

/// The first of `;` tab `,` space in the first line outside quotes, a comma if there is none.
///
/// In that order, as `1,5;2,5` holds two numbers, and `1, 2` has a space beside its comma.
fn find_delimiter(bytes: &[u8]) -> u8 {
    let mut quoted = false;
    let mut found = [false; 256];
    for &byte in &bytes[start_of_record(bytes, 0)..] {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' | b'\r' if !quoted => break,
            _ => found[usize::from(byte)] |= !quoted,
        }
    }
    *b";\t, ".iter().find(|&&delimiter| found[usize::from(delimiter)]).unwrap_or(&b',')
}

/// `at`, or behind the blank and comment lines that begin there.
fn start_of_record(bytes: &[u8], mut at: usize) -> usize {
    loop {
        at += bytes[at..].iter().take_while(|&&byte| byte == b'\n' || byte == b'\r').count();
        if bytes.get(at) != Some(&b'#') {
            return at;
        }
        at += bytes[at..].iter().take_while(|&&byte| byte != b'\n').count();
    }
}

/// The line, counted from 1, of the record that the reader finds from `at` on.
///
/// The reader's own count does not see what it skips before a record, and costs nothing here: only an error
/// asks.
fn line_of_record(bytes: &[u8], at: usize) -> u64 {
    let before = &bytes[..start_of_record(bytes, at.min(bytes.len()))];
    1 + before.iter().filter(|&&byte| byte == b'\n').count() as u64
}

/// Writes an array as text: a row a line, comma between columns, no header.
///
/// Each number has the fewest digits that read back as the same bits. An array without rows or columns gives
/// a file that [`read_csv`] refuses.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) where the file cannot be written.
///
/// # Example
/// ```
/// use sapwood::{io::{self, CsvOptions}, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_write_csv.csv");
/// io::write_csv(&path, &array![[0.1, -2.0], [1e300, 4.0]])?;
/// assert_eq!(std::fs::read_to_string(&path).unwrap(), "0.1,-2.0\n1e300,4.0\n");
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn write_csv<F: Float, S: Data<Elem = F>>(
    path: impl AsRef<Path>,
    array: &ArrayBase<S, Ix2>,
) -> Result<()> {
    create(path.as_ref(), |out| write_csv_to(out, array))
}

/// Writes an array as [`write_csv`] does, to any writer.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) from the writer.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let mut text = Vec::new();
/// io::write_csv_to(&mut text, &array![[1.0, f64::NAN]])?;
/// assert_eq!(text, b"1.0,NaN\n");
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn write_csv_to<F: Float, S: Data<Elem = F>>(
    mut out: impl Write,
    array: &ArrayBase<S, Ix2>,
) -> Result<()> {
    for row in array.outer_iter() {
        for (column, value) in row.iter().enumerate() {
            let comma = if column == 0 { "" } else { "," };
            // The `Debug` form: unlike `Display` it writes 1e300 as that, not as three hundred digits.
            write!(out, "{comma}{value:?}").map_err(write_error)?;
        }
        writeln!(out).map_err(write_error)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;
    use ndarray::array;

    fn parse(text: &str) -> Result<Array2<f64>> {
        parse_csv(text.as_bytes(), &CsvOptions::default())
    }

    #[test]
    fn delimiter_and_header_are_found_out() {
        let expected = array![[1.5, -2.0], [3.0, 4e2]];
        for text in [
            "1.5,-2\n3,4e2\n",
            "1.5, -2\n3, 4e2",
            "1.5;-2\r\n3;4e2\r\n",
            "1.5\t-2\n3\t4e2\n",
            "  1.5   -2 \n 3 4e2\n",
            "x,y\n1.5,-2\n3,4e2\n",
            "//x y\n1.5 -2\n3 4e2\n",
            "# made by hand\n\n# x y\n1.5 -2\n\n   \n3 4e2\n\n",
            "\u{feff}\"x;1\";\"y\"\n1.5;-2\n\"3\";\"4e2\"\n",
            "\"a\nlong name\",y\n1.5,-2\n3,4e2\n",
            "1.5,-2\r3,4e2\r",
        ] {
            assert_eq!(parse(text).unwrap(), expected, "{text:?}");
        }
        assert_eq!(parse("x\n1\n2\n").unwrap(), array![[1.0], [2.0]]);
    }

    #[test]
    fn a_first_line_of_words_and_numbers_is_an_error() {
        let error = parse("1.0,oops\n2,3\n").unwrap_err().to_string();
        assert_eq!(error, "<memory>: line 1: expected a number in column 1 (counted from 0), found `oops`");
    }

    #[test]
    fn columns_are_chosen_in_any_order() {
        let options = CsvOptions::default().columns(&[2, 0]);
        let text = b"a,b,c\n1,one,2\n3,three,4\n";
        assert_eq!(parse_csv::<f32>(text, &options).unwrap(), array![[2.0, 1.0], [4.0, 3.0]]);
        let error = parse_csv::<f32>(text, &options.clone().columns(&[])).unwrap_err().to_string();
        assert_eq!(error, "`columns` must be at least one column, got none");
        let error = parse_csv::<f32>(b"1,2\n", &options).unwrap_err().to_string();
        assert_eq!(error, "<memory>: line 1: expected more than 2 fields, to read column 2, found 2");
    }

    #[test]
    fn the_line_of_an_error_counts_what_was_skipped() {
        for (text, line) in [
            ("1,2\n3,x\n", 2),
            ("1,2\r\n3,x\r\n", 2),
            ("# a\n\nx,y\n\n# b\n1,2\n#c\n3,x\n", 8),
            ("\"a\nb\",y\n1,x\n", 3),
        ] {
            let Err(Error::Format { at, .. }) = parse(text) else { panic!() };
            assert_eq!(at, Position::Line(line), "{text:?}");
        }
    }

    #[test]
    fn a_delimiter_within_numbers_is_refused() {
        for delimiter in *b".5e-\"\n#" {
            let error = parse_csv::<f64>(b"1,2\n", &CsvOptions::default().delimiter(delimiter)).unwrap_err();
            assert!(matches!(error, Error::Parameter { name: "delimiter", .. }));
        }
    }

    #[test]
    fn numbers_come_back_with_the_same_bits() {
        let x = array![[0.1 + 0.2, -0.0], [f64::MIN_POSITIVE / 3.0, f64::MAX], [f64::INFINITY, 1e16 + 2.0]];
        let mut text = Vec::new();
        write_csv_to(&mut text, &x).unwrap();
        let back = parse_csv::<f64>(&text, &CsvOptions::default()).unwrap();
        assert_eq!(back.mapv(f64::to_bits), x.mapv(f64::to_bits));
    }
}
