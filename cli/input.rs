//! What comes in: bytes, points, tables, sequences of tokens.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::Error;
use sapwood::data::Sequences;
use sapwood::io::{self, CsvOptions};
use sapwood::ndarray::{Array2, Axis, OwnedRepr};

use crate::{Failure, Outcome};

/// Whether a path means standard input or output.
pub(crate) fn is_standard(path: &Path) -> bool {
    path.as_os_str() == "-"
}

/// All bytes of a file or of standard input.
pub(crate) fn bytes(path: &Path) -> Outcome<Vec<u8>> {
    let mut bytes = Vec::new();
    if is_standard(path) {
        std::io::stdin().lock().read_to_end(&mut bytes)?;
        return Ok(bytes);
    }
    std::fs::read(path).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// The first line of a file.
fn first_line(path: &Path) -> Outcome<Vec<u8>> {
    let mut line = Vec::new();
    let file = std::fs::File::open(path);
    let read = file.and_then(|file| BufReader::new(file).read_until(b'\n', &mut line));
    read.map(|_| line).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// All text of a file or of standard input.
pub(crate) fn text(path: &Path) -> Outcome<String> {
    String::from_utf8(bytes(path)?).map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))
}

/// Which columns of a file are taken.
#[derive(Debug, clap::Args)]
pub(crate) struct Columns {
    /// Columns to use, by name or, counted from 0, number: `x,y` or `0,1`; default all
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<String>,
}

impl Columns {
    /// Their numbers; a name is looked up in the first line of a text, which `text` gives.
    fn places(&self, text: impl FnOnce() -> Outcome<Vec<u8>>) -> Outcome<Vec<usize>> {
        let numbers: Option<Vec<usize>> = self.columns.iter().map(|column| column.parse().ok()).collect();
        match numbers {
            Some(places) => Ok(places),
            None => {
                let header = Table { names: header(&text()?), rows: Vec::new() };
                self.columns.iter().map(|name| header.column(name)).collect()
            }
        }
    }
}

/// The numbers of a file, told by its extension, or of standard input, told by its first bytes.
pub(crate) fn points(path: &Path, columns: &Columns) -> Outcome<Array2<f64>> {
    let unnamed = || Err(Failure::Usage("only the columns of a text file have names".to_owned()));
    let of_text = |places: &[usize]| match places {
        [] => CsvOptions::default(),
        places => CsvOptions::default().columns(places),
    };
    let (all, places) = if is_standard(path) {
        let bytes = bytes(path)?;
        let all = match bytes.as_slice() {
            [0x93, b'N', b'U', b'M', b'P', b'Y', ..] => io::parse_npy(&bytes)?,
            [b'p', b'l', b'y', b'\n' | b'\r', ..] => io::parse_ply(&bytes, &io::XYZ)?,
            bytes if bytes.starts_with(b"# .PCD") || bytes.starts_with(b"VERSION") => {
                io::parse_pcd(bytes, &io::XYZ)?
            }
            bytes if bytes.starts_with(b"LASF") => io::parse_las(bytes)?,
            bytes => {
                let places = columns.places(|| Ok(bytes.to_vec()))?;
                return io::parse_csv(bytes, &of_text(&places)).map_err(of_columns);
            }
        };
        (all, columns.places(unnamed)?)
    } else {
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        // Of a text file, only the columns that were asked for need be numbers.
        if ["csv", "txt", "tsv", "xyz"].iter().any(|text| extension == *text) {
            let places = columns.places(|| first_line(path))?;
            return io::read_csv(path, &of_text(&places)).map_err(of_columns);
        }
        (io::read_points(path)?, columns.places(unnamed)?)
    };
    match places.iter().find(|&&column| column >= all.ncols()) {
        Some(column) => Err(Failure::Failed(format!(
            "{}: no column {column}, the file has {} (counted from 0)",
            path.display(),
            all.ncols()
        ))),
        None if places.is_empty() => Ok(all),
        None => Ok(all.select(Axis(1), &places)),
    }
}

/// The error of a text file, with a way out where a column is no number.
fn of_columns(error: Error) -> Failure {
    match &error {
        Error::Format { expected, .. } if expected.starts_with("a number in column") => {
            Failure::Failed(format!("{error}; --columns takes some columns only, by name or number"))
        }
        _ => error.into(),
    }
}

/// What stands between the fields of a text: the first of these that its first line has.
fn delimiter(text: &[u8]) -> u8 {
    let first = text.split(|&byte| byte == b'\n').next().unwrap_or_default();
    *b";\t,".iter().find(|delimiter| first.contains(delimiter)).unwrap_or(&b',')
}

/// The fields of the first line of a text, without the mark that some programs begin it with.
fn header(text: &[u8]) -> Vec<String> {
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut reader =
        csv::ReaderBuilder::new().delimiter(delimiter(text)).trim(csv::Trim::All).from_reader(text);
    reader.headers().map(|names| names.iter().map(str::to_owned).collect()).unwrap_or_default()
}

/// How a text is cut into sequences of tokens.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Tokens {
    /// Every character is a token; default: words between spaces
    #[arg(long)]
    chars: bool,

    /// What stands between two tokens, instead of spaces
    #[arg(long, value_name = "TEXT", conflicts_with = "chars")]
    delimiter: Option<String>,
}

impl Tokens {
    /// One sequence for each line that is not blank.
    pub(crate) fn read(&self, path: &Path) -> Outcome<Sequences<OwnedRepr<String>>> {
        let text = text(path)?;
        let (mut tokens, mut lengths) = (Vec::new(), Vec::new());
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let before = tokens.len();
            match &self.delimiter {
                _ if self.chars => tokens.extend(line.chars().map(String::from)),
                Some(delimiter) => {
                    tokens.extend(line.split(delimiter.as_str()).map(|token| token.trim().to_owned()));
                }
                None => tokens.extend(line.split_whitespace().map(str::to_owned)),
            }
            lengths.push(tokens.len() - before);
        }
        let column = Array2::from_shape_vec((tokens.len(), 1), tokens)
            .map_err(|error| Failure::Failed(error.to_string()))?;
        Ok(Sequences::new(column, lengths)?)
    }
}

/// What is drawn from which model.
#[derive(Debug, clap::Args)]
pub(crate) struct Draw {
    /// A model that `fit` wrote
    pub(crate) model: PathBuf,

    /// How many to draw
    #[arg(short, default_value_t = 20, value_name = "N")]
    pub(crate) n: usize,

    /// The same seed draws the same
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
}

impl Draw {
    pub(crate) fn rng(&self) -> Xoshiro256PlusPlus {
        Xoshiro256PlusPlus::seed_from_u64(self.seed)
    }
}

/// A table with names: a CSV file whose first line is a header.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) names: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Table {
    pub(crate) fn read(path: &Path) -> Outcome<Self> {
        let bytes = bytes(path)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let fail = |error: csv::Error| Failure::Failed(format!("{}: {error}", path.display()));
        let mut reader =
            csv::ReaderBuilder::new().delimiter(delimiter(bytes)).trim(csv::Trim::All).from_reader(bytes);
        let names = reader.headers().map_err(fail)?.iter().map(str::to_owned).collect();
        let rows = reader.records().map(|row| Ok(row.map_err(fail)?.iter().map(str::to_owned).collect()));
        Ok(Self { names, rows: rows.collect::<Outcome<_>>()? })
    }

    /// The place of a column, by its name or, counted from 0, its number.
    pub(crate) fn column(&self, name: &str) -> Outcome<usize> {
        let by_name = self.names.iter().position(|other| other == name);
        let by_number = || name.parse().ok().filter(|&place| place < self.names.len());
        by_name
            .or_else(by_number)
            .ok_or_else(|| Failure::Usage(format!("no column `{name}`; there are {}", self.names.join(", "))))
    }

    /// The numbers of some columns, `(n_rows, columns.len())`.
    pub(crate) fn numbers(&self, columns: &[usize]) -> Outcome<Array2<f64>> {
        let mut numbers = Array2::zeros((self.rows.len(), columns.len()));
        for (i, row) in self.rows.iter().enumerate() {
            for (j, &column) in columns.iter().enumerate() {
                numbers[[i, j]] = row[column].parse().map_err(|_| {
                    let (name, field) = (&self.names[column], &row[column]);
                    Failure::Failed(format!("line {}: `{name}` must be a number, got `{field}`", i + 2))
                })?;
            }
        }
        Ok(numbers)
    }
}
