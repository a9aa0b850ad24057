//! PCD, the format of the Point Cloud Library: a header in text, then the fields in text, binary or
//! compressed.

use std::path::Path;

use ndarray::Array2;

use super::scalar::Scalar;
use super::text::{Lines, list, number, quote, words};
use super::{XYZ, format_error, read};
use crate::error::{Position, Result};
use crate::float::Float;
use crate::params::require;

/// The x, y and z of a `.pcd` file, `(n_points, 3)`.
///
/// ASCII, binary and compressed; the fields may have any type and order, others are skipped. Points that an
/// organised cloud marks as missing stay in as NaN: see [`drop_missing`](super::drop_missing).
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) for any other content, [`Error::Io`](crate::Error::Io) where the
/// file cannot be read.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_pcd.pcd");
/// let header = "FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 2\nHEIGHT 1\nPOINTS 2\nDATA ascii\n";
/// std::fs::write(&path, format!("{header}0 1 2\nnan nan nan\n")).unwrap();
/// let (points, kept) = io::drop_missing(&io::read_pcd::<f32>(&path)?);
/// assert_eq!(points, array![[0.0, 1.0, 2.0]]);
/// assert_eq!(kept, [0]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # References
/// Point Cloud Library, "The PCD (Point Cloud Data) file format", version 0.7; Lehmann, `liblzf`, for the
/// compression.
pub fn read_pcd<F: Float>(path: impl AsRef<Path>) -> Result<Array2<F>> {
    read_pcd_fields(path, &XYZ)
}

/// Fields of a `.pcd` file, by name, one column each.
///
/// # Errors
/// Those of [`read_pcd`], and [`Error::Parameter`](crate::Error::Parameter) without any field.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_pcd_fields.pcd");
/// let text = "FIELDS x y ring\nSIZE 4 4 2\nTYPE F F U\nWIDTH 1\nHEIGHT 1\nPOINTS 1\nDATA ascii\n0.5 1 31\n";
/// std::fs::write(&path, text).unwrap();
/// assert_eq!(io::read_pcd_fields::<f64>(&path, &["ring", "x"])?, array![[31.0, 0.5]]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn read_pcd_fields<F: Float>(path: impl AsRef<Path>, fields: &[&str]) -> Result<Array2<F>> {
    read(path.as_ref(), |bytes| parse_pcd(bytes, fields))
}

/// Fields in the bytes of a `.pcd` file, see [`read_pcd`] and [`XYZ`](super::XYZ).
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) and [`Error::Parameter`](crate::Error::Parameter), as
/// [`read_pcd_fields`].
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let text = b"FIELDS x y z\nSIZE 4 4 4\nTYPE F F F\nWIDTH 1\nHEIGHT 1\nPOINTS 1\nDATA ascii\n1 2 3\n";
/// assert_eq!(io::parse_pcd::<f64>(text, &io::XYZ)?, array![[1.0, 2.0, 3.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn parse_pcd<F: Float>(bytes: &[u8], fields: &[&str]) -> Result<Array2<F>> {
    require(!fields.is_empty(), "fields", "at least one name", "none")?;
    let mut lines = Lines::new(bytes);
    let Header { fields: all, points, encoding } = Header::parse(&mut lines)?;
    let end = Position::Line(lines.number);
    let find = |&name: &&str| {
        all.iter().find(|field| field.name == name && field.count == 1).ok_or_else(|| {
            let found = list(all.iter().map(|field| field.name));
            format_error(end, format!("a field `{name}` of one number"), found)
        })
    };
    let columns = fields.iter().map(find).collect::<Result<Vec<_>>>()?;

    let values = match encoding {
        Encoding::Ascii => read_lines(&mut lines, &all, &columns, points)?,
        Encoding::Binary => read_bytes(&lines, &all, &columns, points)?,
        Encoding::Compressed => read_compressed(bytes.len(), &lines, &all, &columns, points)?,
    };
    Ok(Array2::from_shape_vec((points, columns.len()), values).expect("one value a point and column"))
}

#[derive(Clone, Copy)]
enum Encoding {
    Ascii,
    Binary,
    Compressed,
}

struct Field<'a> {
    name: &'a str,
    scalar: Scalar,
    count: usize,
    /// Numbers and bytes of a point before this field.
    word: usize,
    byte: usize,
}

struct Header<'a> {
    fields: Vec<Field<'a>>,
    points: usize,
    encoding: Encoding,
}

impl<'a> Header<'a> {
    /// The header, up to and with the line `DATA`.
    fn parse(lines: &mut Lines<'a>) -> Result<Self> {
        let (mut names, mut sizes, mut types, mut counts) = (Vec::new(), Vec::new(), Vec::new(), None);
        let (mut width, mut height, mut points) = (None, None, None);
        let encoding = loop {
            let Some(line) = lines.next_filled() else {
                return Err(format_error(Position::Line(lines.number), "`DATA`", "the end of the file"));
            };
            // A comment may be in any encoding, everything else is ASCII.
            if line.starts_with(b"#") {
                continue;
            }
            let number = lines.number;
            let error = |expected: &'static str| format_error(Position::Line(number), expected, quote(line));
            let line = str::from_utf8(line).map_err(|_| error("a header in ASCII"))?;
            let mut words = line.split_ascii_whitespace();
            let key = words.next().unwrap_or_default();
            let mut count = || words.next().and_then(|word| word.parse::<usize>().ok());
            match key {
                "VERSION" | "VIEWPOINT" => {}
                "FIELDS" => names = words.collect(),
                "TYPE" => types = words.collect(),
                "SIZE" => sizes = whole_numbers(words).ok_or_else(|| error("sizes of 1, 2, 4 or 8"))?,
                "COUNT" => counts = Some(whole_numbers(words).ok_or_else(|| error("counts of 1 or more"))?),
                "WIDTH" => width = Some(count().ok_or_else(|| error("`WIDTH` and a whole number"))?),
                "HEIGHT" => height = Some(count().ok_or_else(|| error("`HEIGHT` and a whole number"))?),
                "POINTS" => points = Some(count().ok_or_else(|| error("`POINTS` and a whole number"))?),
                "DATA" => match words.next() {
                    Some("ascii") => break Encoding::Ascii,
                    Some("binary") => break Encoding::Binary,
                    Some("binary_compressed") => break Encoding::Compressed,
                    _ => return Err(error("`DATA` ascii, binary or binary_compressed")),
                },
                _ => {
                    return Err(error("FIELDS, SIZE, TYPE, COUNT, WIDTH, HEIGHT, VIEWPOINT, POINTS or DATA"));
                }
            }
        };
        let error =
            |expected: String, found: String| format_error(Position::Line(lines.number), expected, found);

        let (Some(width), Some(height)) = (width, height) else {
            return Err(error("WIDTH and HEIGHT before DATA".into(), "none".into()));
        };
        let product = width.checked_mul(height);
        let points = points.or(product);
        let Some(points) = points.filter(|_| points == product) else {
            let found = points.map_or("none".into(), |points| points.to_string());
            return Err(error(format!("as many POINTS as WIDTH {width} x HEIGHT {height}"), found));
        };

        let counts = counts.unwrap_or_else(|| vec![1; names.len()]);
        for (key, len) in [("SIZE", sizes.len()), ("TYPE", types.len()), ("COUNT", counts.len())] {
            if len != names.len() {
                return Err(error(
                    format!("a {key} for each of the {} FIELDS", names.len()),
                    len.to_string(),
                ));
            }
        }
        let mut fields = Vec::with_capacity(names.len());
        let (mut word, mut byte) = (0_usize, 0_usize);
        for (i, &name) in names.iter().enumerate() {
            let (kind, size, count): (&str, usize, usize) = (types[i], sizes[i], counts[i]);
            let scalar = match *kind.as_bytes() {
                [kind @ (b'I' | b'U' | b'F')] => Scalar::new(kind.to_ascii_lowercase(), size),
                _ => None,
            };
            let Some(scalar) = scalar else {
                let expected = format!("I or U of 1, 2, 4 or 8 bytes or F of 4 or 8 for the field `{name}`");
                return Err(error(expected, format!("{} of {size} bytes", quote(kind.as_bytes()))));
            };
            let end = count.checked_mul(size).and_then(|len| byte.checked_add(len));
            let Some(end) = end.filter(|_| count > 0) else {
                return Err(error(format!("a COUNT of the field `{name}` from 1 up"), count.to_string()));
            };
            fields.push(Field { name, scalar, count, word, byte });
            // No field has more numbers than bytes, so this sum stays below that one.
            word += count;
            byte = end;
        }
        Ok(Self { fields, points, encoding })
    }
}

fn whole_numbers<'a>(words: impl Iterator<Item = &'a str>) -> Option<Vec<usize>> {
    words.map(|word| word.parse().ok()).collect()
}

/// Numbers and bytes of one point.
fn point_size(fields: &[Field<'_>]) -> (usize, usize) {
    fields.last().map_or((0, 0), |last| (last.word + last.count, last.byte + last.count * last.scalar.size()))
}

/// Errors unless `available` bytes can hold the points, of at least `size` bytes each.
fn check_points(at: Position, points: usize, size: usize, available: usize) -> Result<()> {
    if points.checked_mul(size).is_some_and(|needed| needed <= available) {
        return Ok(());
    }
    let expected = format!("at least {size} bytes for each of {points} points");
    Err(format_error(at, expected, format!("{available} bytes after the header")))
}

fn read_lines<F: Float>(
    lines: &mut Lines<'_>,
    fields: &[Field<'_>],
    columns: &[&Field<'_>],
    points: usize,
) -> Result<Vec<F>> {
    let (n_words, _) = point_size(fields);
    // A digit and what ends it; the last of the file needs no end.
    let size = n_words.saturating_mul(2);
    check_points(Position::Line(lines.number), points, size, lines.rest().len() + 1)?;
    let mut values = vec![F::zero(); points * columns.len()];
    for (point, out) in values.chunks_exact_mut(columns.len()).enumerate() {
        let Some(line) = lines.next_filled() else {
            let expected = format!("point {point} of {points}");
            return Err(format_error(Position::Line(lines.number), expected, "the end of the file"));
        };
        let error = |expected: String, found| format_error(Position::Line(lines.number), expected, found);
        let mut seen = 0;
        for word in words(line) {
            for (out, field) in out.iter_mut().zip(columns).filter(|(_, field)| field.word == seen) {
                *out = number(word)
                    .map_err(|what| error(format!("{what} for the field `{}`", field.name), quote(word)))?;
            }
            seen += 1;
        }
        if seen != n_words {
            return Err(error(format!("{n_words} numbers"), seen.to_string()));
        }
    }
    match lines.next_filled() {
        None => Ok(values),
        Some(line) => {
            let expected = format!("the end of the file after {points} points");
            Err(format_error(Position::Line(lines.number), expected, quote(line)))
        }
    }
}

fn read_bytes<F: Float>(
    lines: &Lines<'_>,
    fields: &[Field<'_>],
    columns: &[&Field<'_>],
    points: usize,
) -> Result<Vec<F>> {
    let (_, stride) = point_size(fields);
    check_points(Position::Line(lines.number), points, stride, lines.rest().len())?;
    let rows = &lines.rest()[..points * stride];
    let mut values = vec![F::zero(); points * columns.len()];
    for (k, field) in columns.iter().enumerate() {
        if let (Some(cells), Some(out)) = (rows.get(field.byte..), values.get_mut(k..)) {
            field.scalar.column(false, cells, stride, out, columns.len());
        }
    }
    Ok(values)
}

/// Two lengths, compressed and not, then the LZF of all points' first field, all points' second field and so
/// on.
fn read_compressed<F: Float>(
    file_len: usize,
    lines: &Lines<'_>,
    fields: &[Field<'_>],
    columns: &[&Field<'_>],
    points: usize,
) -> Result<Vec<F>> {
    let at = file_len - lines.rest().len();
    let error = |at: usize, expected: String, found: String| {
        Err(format_error(Position::Byte(at as u64), expected, found))
    };
    let Some((&[a, b, c, d, e, f, g, h], body)) = lines.rest().split_first_chunk() else {
        return error(at, "two lengths of 4 bytes".into(), format!("{} bytes", lines.rest().len()));
    };
    let compressed_len = u32::from_le_bytes([a, b, c, d]) as usize;
    let len = u32::from_le_bytes([e, f, g, h]) as usize;
    let Some(compressed) = body.get(..compressed_len) else {
        return error(at, format!("{compressed_len} compressed bytes"), format!("{} bytes", body.len()));
    };
    let (_, stride) = point_size(fields);
    if points.checked_mul(stride) != Some(len) {
        return error(at + 4, format!("the length of {points} points of {stride} bytes"), len.to_string());
    }
    let cells = decompress(compressed, len, at + 8)?;

    let mut values = vec![F::zero(); points * columns.len()];
    for (k, field) in columns.iter().enumerate() {
        if let (Some(cells), Some(out)) = (cells.get(field.byte * points..), values.get_mut(k..)) {
            field.scalar.column(false, cells, field.scalar.size(), out, columns.len());
        }
    }
    Ok(values)
}

/// LZF: literal runs, and copies of what was put out before.
///
/// A control byte below 32 begins a run of one more byte than it says. Any other holds a length in its upper
/// three bits (7: the next byte is added) and the upper bits of a distance, whose lower bits are the byte
/// that follows; two more bytes than the length are copied from one more than the distance back. `at` is
/// where the bytes begin in the file. The room for the `len` bytes grows with what the input gives, not with
/// what its header says.
fn decompress(input: &[u8], len: usize, at: usize) -> Result<Vec<u8>> {
    let error = |rest: &[u8], expected: &'static str| {
        let at = Position::Byte((at + input.len() - rest.len()) as u64);
        format_error(at, expected, format!("{} more bytes", rest.len()))
    };
    let mut out: Vec<u8> = Vec::with_capacity(len.min(4 * input.len()));
    let mut rest = input;
    while let [control, after @ ..] = rest {
        let control = usize::from(*control);
        if control < 32 {
            let Some((run, after)) = after.split_at_checked(control + 1) else {
                return Err(error(rest, "a run of LZF literals"));
            };
            out.extend_from_slice(run);
            rest = after;
        } else {
            let (copied, low, after) = match (control >> 5, after) {
                (7, [more, low, after @ ..]) => (7 + usize::from(*more) + 2, *low, after),
                (short @ 1..7, [low, after @ ..]) => (short + 2, *low, after),
                _ => return Err(error(rest, "a whole LZF reference")),
            };
            let distance = ((control & 31) << 8) + usize::from(low) + 1;
            let Some(from) = out.len().checked_sub(distance) else {
                return Err(error(rest, "an LZF reference to what came before"));
            };
            if distance >= copied {
                out.extend_from_within(from..from + copied);
            } else {
                // The copy runs into itself: a short pattern, repeated.
                for i in from..from + copied {
                    out.push(out[i]);
                }
            }
            rest = after;
        }
        if out.len() > len {
            break;
        }
    }
    if out.len() == len {
        return Ok(out);
    }
    let found = if out.len() > len { "more".into() } else { out.len().to_string() };
    Err(format_error(Position::Byte(at as u64), format!("{len} bytes after decompression"), found))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_short_and_long_and_overlapping_copies_decompress() {
        // "abcd", 3 from 4 back, "x", then 300 times the last byte.
        let input = [3, b'a', b'b', b'c', b'd', 1 << 5, 3, 0, b'x', 7 << 5, 255, 0, 2 << 5, 0];
        let mut expected = b"abcdabcx".to_vec();
        expected.extend([b'x'; 264 + 4]);
        assert_eq!(decompress(&input, expected.len(), 0).unwrap(), expected);
        for wrong in [0, 1, 8, expected.len() - 1, expected.len() + 1, u32::MAX as usize] {
            assert!(decompress(&input, wrong, 0).is_err());
        }
        for cut in 0..input.len() {
            assert!(decompress(&input[..cut], expected.len(), 0).is_err());
        }
        assert!(decompress(&[1 << 5, 0], 3, 0).is_err(), "a reference before the first byte");
        assert!(decompress(&[], 0, 0).unwrap().is_empty());
    }
}
