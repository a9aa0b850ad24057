//! PLY, the Stanford polygon format: a header in text, then its elements in text or binary.

use std::io::Write;
use std::path::Path;

use ndarray::{Array2, ArrayBase, Data, Ix2};

use super::scalar::Scalar;
use super::text::{Lines, list, number, quote, words};
use super::{XYZ, create, format_error, read, write_error};
use crate::error::{Error, Position, Result};
use crate::float::Float;
use crate::params::require;

/// The x, y and z of the vertices of a `.ply` file, `(n_vertices, 3)`.
///
/// ASCII and binary of both byte orders; the properties may have any type and order, others among them and
/// other elements before them are skipped, lists included. What follows the vertices is not looked at.
///
/// # Errors
/// [`Error::Format`] for any other content, [`Error::Io`] where the file cannot be read.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_ply.ply");
/// io::write_ply(&path, &array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], &[Some(0), None])?;
/// assert_eq!(io::read_ply::<f64>(&path)?, array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # References
/// Turk (1994), "The PLY Polygon File Format".
pub fn read_ply<F: Float>(path: impl AsRef<Path>) -> Result<Array2<F>> {
    read_ply_fields(path, &XYZ)
}

/// Properties of the vertices of a `.ply` file, by name, one column each.
///
/// # Errors
/// Those of [`read_ply`], and [`Error::Parameter`] without any field.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_ply_fields.ply");
/// io::write_ply(&path, &array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]], &[Some(0), None])?;
/// assert_eq!(io::read_ply_fields::<f32>(&path, &["z", "label"])?, array![[2.0, 0.0], [5.0, -1.0]]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn read_ply_fields<F: Float>(path: impl AsRef<Path>, fields: &[&str]) -> Result<Array2<F>> {
    read(path.as_ref(), |bytes| parse_ply(bytes, fields))
}

/// Properties of the vertices in the bytes of a `.ply` file, see [`read_ply`] and [`XYZ`](super::XYZ).
///
/// # Errors
/// [`Error::Format`] and [`Error::Parameter`], as [`read_ply_fields`].
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let text = b"ply\nformat ascii 1.0\nelement vertex 1\n\
///     property float x\nproperty float y\nproperty uchar red\nproperty float z\nend_header\n1 2 255 3\n";
/// assert_eq!(io::parse_ply::<f64>(text, &io::XYZ)?, array![[1.0, 2.0, 3.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn parse_ply<F: Float>(bytes: &[u8], fields: &[&str]) -> Result<Array2<F>> {
    require(!fields.is_empty(), "fields", "at least one name", "none")?;
    let mut lines = Lines::new(bytes);
    let (format, elements) = header(&mut lines)?;
    let header_end = Position::Line(lines.number);
    let Some((vertex, before)) =
        elements.iter().position(|element| element.name == "vertex").map(|i| (&elements[i], &elements[..i]))
    else {
        let found = list(elements.iter().map(|element| element.name));
        return Err(format_error(header_end, "an element `vertex`", found));
    };
    let columns = fields.iter().map(|&field| vertex.scalar_property(field)).collect::<Result<Vec<_>>>()?;

    let values = match format {
        Format::Ascii => {
            before.iter().try_for_each(|element| element.skip_lines(&mut lines))?;
            vertex.read_lines(&mut lines, &columns)?
        }
        Format::Binary { big_endian } => {
            let mut body = Body { rest: lines.rest(), end: bytes.len(), big_endian };
            before.iter().try_for_each(|element| element.skip_bytes(&mut body))?;
            vertex.read_bytes(&body, &columns)?
        }
    };
    let shape = (values.len() / columns.len(), columns.len());
    Ok(Array2::from_shape_vec(shape, values).expect("each vertex gave one value a column"))
}

#[derive(Clone, Copy)]
enum Format {
    Ascii,
    Binary { big_endian: bool },
}

struct Element<'a> {
    name: &'a str,
    count: usize,
    properties: Vec<Property<'a>>,
    /// Line of the header that names it.
    line: u64,
}

struct Property<'a> {
    name: &'a str,
    scalar: Scalar,
    /// In a list, the type of the number of entries, which stands before them.
    list_len: Option<Scalar>,
}

/// The header, up to and with the line `end_header`.
fn header<'a>(lines: &mut Lines<'a>) -> Result<(Format, Vec<Element<'a>>)> {
    let mut format = None;
    let mut elements: Vec<Element<'a>> = Vec::new();
    match lines.next() {
        Some(b"ply") => {}
        line => return Err(format_error(Position::Line(1), "`ply`", quote(line.unwrap_or_default()))),
    }
    loop {
        let Some(line) = lines.next() else {
            return Err(format_error(Position::Line(lines.number), "`end_header`", "the end of the file"));
        };
        let number = lines.number;
        let error = |expected: &'static str| Err(format_error(Position::Line(number), expected, quote(line)));
        let mut words = words(line);
        // A comment may be in any encoding, everything else is ASCII.
        let mut word = || words.next().map_or(Ok(""), str::from_utf8).unwrap_or("\u{fffd}");
        match word() {
            "comment" | "obj_info" => {}
            "end_header" => break,
            "format" => {
                format = Some(match (word(), word()) {
                    ("ascii", "1.0") => Format::Ascii,
                    ("binary_little_endian", "1.0") => Format::Binary { big_endian: false },
                    ("binary_big_endian", "1.0") => Format::Binary { big_endian: true },
                    _ => return error("`format` ascii, binary_little_endian or binary_big_endian, and 1.0"),
                });
            }
            "element" => match (word(), word().parse()) {
                (name, Ok(count)) => {
                    elements.push(Element { name, count, properties: Vec::new(), line: number });
                }
                _ => return error("`element`, its name and its count"),
            },
            "property" => {
                let Some(element) = elements.last_mut() else { return error("`element` before `property`") };
                let mut first = word();
                let is_list = first == "list";
                let list_len = if is_list { scalar(word()).filter(|len| !len.is_float()) } else { None };
                if is_list {
                    first = word();
                }
                match (scalar(first), word()) {
                    (Some(scalar), name) if !name.is_empty() && is_list == list_len.is_some() => {
                        element.properties.push(Property { name, scalar, list_len });
                    }
                    _ => return error("`property` of a type from char to double, or a list, and its name"),
                }
            }
            _ => return error("`element`, `property`, `comment` or `end_header`"),
        }
    }
    match format {
        Some(format) => Ok((format, elements)),
        None => Err(format_error(Position::Line(lines.number), "a line `format` in the header", "none")),
    }
}

fn scalar(name: &str) -> Option<Scalar> {
    Some(match name {
        "char" | "int8" => Scalar::I8,
        "uchar" | "uint8" => Scalar::U8,
        "short" | "int16" => Scalar::I16,
        "ushort" | "uint16" => Scalar::U16,
        "int" | "int32" => Scalar::I32,
        "uint" | "uint32" => Scalar::U32,
        "float" | "float32" => Scalar::F32,
        "double" | "float64" => Scalar::F64,
        _ => return None,
    })
}

impl Element<'_> {
    fn scalar_property(&self, name: &str) -> Result<usize> {
        let is_it = |property: &Property<'_>| property.name == name && property.list_len.is_none();
        self.properties.iter().position(is_it).ok_or_else(|| {
            let expected = format!("a property `{name}` of `{}`, not a list", self.name);
            let found = list(self.properties.iter().map(|property| property.name));
            format_error(Position::Line(self.line), expected, found)
        })
    }

    /// Errors unless `available` bytes can hold all entries, of which each property takes at least `bytes`.
    fn check_count(&self, available: usize, bytes: impl Fn(&Property<'_>) -> usize) -> Result<()> {
        let entry: usize = self.properties.iter().map(bytes).sum();
        if self.count.checked_mul(entry).is_some_and(|needed| needed <= available) {
            return Ok(());
        }
        let expected = format!("at least {entry} bytes for each of {} `{}`", self.count, self.name);
        Err(format_error(Position::Line(self.line), expected, format!("{available} bytes after the header")))
    }

    fn next_line<'a>(&self, lines: &mut Lines<'a>, entry: usize) -> Result<&'a [u8]> {
        lines.next_filled().ok_or_else(|| {
            let expected = format!("`{}` {entry} of {}", self.name, self.count);
            format_error(Position::Line(lines.number), expected, "the end of the file")
        })
    }

    fn skip_lines(&self, lines: &mut Lines<'_>) -> Result<()> {
        if self.properties.is_empty() {
            return Ok(());
        }
        (0..self.count).try_for_each(|entry| self.next_line(lines, entry).map(|_| ()))
    }

    fn read_lines<F: Float>(&self, lines: &mut Lines<'_>, columns: &[usize]) -> Result<Vec<F>> {
        // A digit and what ends it; the last of the file needs no end.
        self.check_count(lines.rest().len() + 1, |_| 2)?;
        let mut values = vec![F::zero(); self.count * columns.len()];
        for (entry, out) in values.chunks_exact_mut(columns.len()).enumerate() {
            let line = self.next_line(lines, entry)?;
            let error = |expected: String, found: Option<&[u8]>| {
                let found = found.map_or("the end of the line".into(), quote);
                format_error(Position::Line(lines.number), expected, found)
            };
            let mut words = words(line);
            for (i, property) in self.properties.iter().enumerate() {
                let word = words.next();
                if property.list_len.is_some() {
                    let len = word.and_then(|word| str::from_utf8(word).ok()?.parse::<usize>().ok());
                    let Some(len) = len else {
                        return Err(error(format!("the length of the list `{}`", property.name), word));
                    };
                    if len > 0 && words.nth(len - 1).is_none() {
                        return Err(error(format!("{len} entries of the list `{}`", property.name), None));
                    }
                    continue;
                }
                let Some(word) = word else {
                    return Err(error(format!("the property `{}`", property.name), None));
                };
                for (out, _) in out.iter_mut().zip(columns).filter(|&(_, &column)| column == i) {
                    *out = number(word).map_err(|what| {
                        error(format!("{what} for the property `{}`", property.name), Some(word))
                    })?;
                }
            }
            if let Some(word) = words.next() {
                return Err(error(
                    format!("the end of the line after {} properties", self.properties.len()),
                    Some(word),
                ));
            }
        }
        Ok(values)
    }

    /// Bytes of one entry, if it is the same for all.
    fn stride(&self) -> Option<usize> {
        let sizes = self.properties.iter().map(|property| match property.list_len {
            None => Some(property.scalar.size()),
            Some(_) => None,
        });
        sizes.sum()
    }

    fn skip_bytes(&self, body: &mut Body<'_>) -> Result<()> {
        match self.stride() {
            Some(stride) => {
                self.check_count(body.rest.len(), |property| property.scalar.size())?;
                body.rest = &body.rest[self.count * stride..];
            }
            None => {
                for _ in 0..self.count {
                    self.properties.iter().try_for_each(|property| body.take(property).map(|_| ()))?;
                }
            }
        }
        Ok(())
    }

    fn read_bytes<F: Float>(&self, body: &Body<'_>, columns: &[usize]) -> Result<Vec<F>> {
        self.check_count(body.rest.len(), |property| property.list_len.unwrap_or(property.scalar).size())?;
        let mut values = vec![F::zero(); self.count * columns.len()];
        let step = columns.len();
        let Some(stride) = self.stride() else {
            let mut body = *body;
            for out in values.chunks_exact_mut(step) {
                for (i, property) in self.properties.iter().enumerate() {
                    let cell = body.take(property)?;
                    for (out, _) in out.iter_mut().zip(columns).filter(|&(_, &column)| column == i) {
                        property.scalar.column(
                            body.big_endian,
                            cell,
                            cell.len(),
                            std::slice::from_mut(out),
                            1,
                        );
                    }
                }
            }
            return Ok(values);
        };
        let rows = &body.rest[..self.count * stride];
        for (k, &column) in columns.iter().enumerate() {
            let offset: usize = self.properties[..column].iter().map(|property| property.scalar.size()).sum();
            if let (Some(cells), Some(out)) = (rows.get(offset..), values.get_mut(k..)) {
                self.properties[column].scalar.column(body.big_endian, cells, stride, out, step);
            }
        }
        Ok(values)
    }
}

/// What is left of a binary body.
#[derive(Clone, Copy)]
struct Body<'a> {
    rest: &'a [u8],
    /// Where it ends in the file.
    end: usize,
    big_endian: bool,
}

impl<'a> Body<'a> {
    /// The bytes of a property of one entry, of a list without its length.
    fn take(&mut self, property: &Property<'_>) -> Result<&'a [u8]> {
        let len = match property.list_len {
            None => 1,
            Some(list_len) => {
                let len = list_len.integer(self.big_endian, self.bytes(list_len.size(), property)?);
                len.and_then(|len| usize::try_from(len).ok()).ok_or_else(|| {
                    let expected = format!("a length of the list `{}`", property.name);
                    format_error(self.position(), expected, "a negative number")
                })?
            }
        };
        self.bytes(len.saturating_mul(property.scalar.size()), property)
    }

    fn bytes(&mut self, len: usize, property: &Property<'_>) -> Result<&'a [u8]> {
        let Some((bytes, rest)) = self.rest.split_at_checked(len) else {
            let expected = format!("{len} bytes of the property `{}`", property.name);
            return Err(format_error(self.position(), expected, format!("{} bytes", self.rest.len())));
        };
        self.rest = rest;
        Ok(bytes)
    }

    fn position(&self) -> Position {
        Position::Byte((self.end - self.rest.len()) as u64)
    }
}

/// Writes points with a colour and a number for each cluster, as binary little-endian `.ply`.
///
/// Points of fewer than three columns get zeros for the rest. Properties: x, y, z (`float` or `double`, as
/// `F`), red, green, blue and `label` (`int`, -1 for noise). Seven colours that remain apart for colour-blind
/// eyes, then the same lighter and darker, then again from the first; noise is grey.
///
/// # Errors
/// [`Error::Shape`] for more than three columns or none, or unless there is a label for each point;
/// [`Error::Io`] where the file cannot be written.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_write_ply.ply");
/// io::write_ply(&path, &array![[0.0, 1.0], [5.0, 6.0]], &[Some(0), None])?;
/// let fields = io::read_ply_fields::<f64>(&path, &["x", "z", "label"])?;
/// assert_eq!(fields, array![[0.0, 0.0, 0.0], [5.0, 0.0, -1.0]]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # References
/// Okabe and Ito (2008), "Color Universal Design".
pub fn write_ply<'a, F: Float, S: Data<Elem = F>>(
    path: impl AsRef<Path>,
    points: &ArrayBase<S, Ix2>,
    labels: impl IntoIterator<Item = &'a Option<usize>>,
) -> Result<()> {
    let labels = label_numbers(points, labels)?;
    create(path.as_ref(), |out| put_ply(out, points, &labels))
}

/// Writes points and labels as [`write_ply`] does, to any writer.
///
/// # Errors
/// Those of [`write_ply`].
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let mut bytes = Vec::new();
/// io::write_ply_to(&mut bytes, &array![[0.0, 1.0, 2.0]], &[Some(7)])?;
/// assert_eq!(io::parse_ply::<f64>(&bytes, &["label"])?, array![[7.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn write_ply_to<'a, F: Float, S: Data<Elem = F>>(
    mut out: impl Write,
    points: &ArrayBase<S, Ix2>,
    labels: impl IntoIterator<Item = &'a Option<usize>>,
) -> Result<()> {
    let labels = label_numbers(points, labels)?;
    put_ply(&mut out, points, &labels)
}

/// The labels as the file holds them, -1 for noise.
fn label_numbers<'a, F: Float, S: Data<Elem = F>>(
    points: &ArrayBase<S, Ix2>,
    labels: impl IntoIterator<Item = &'a Option<usize>>,
) -> Result<Vec<i32>> {
    let (n, d) = points.dim();
    if !(1..=3).contains(&d) {
        return Err(Error::shape("points", "1 to 3 columns: x, y and z", d));
    }
    let number = |label: &Option<usize>| match label {
        None => Ok(-1),
        Some(label) => {
            i32::try_from(*label).map_err(|_| Error::shape("labels", "numbers that an i32 can hold", label))
        }
    };
    let labels = labels.into_iter().map(number).collect::<Result<Vec<_>>>()?;
    crate::data::check_same_rows("labels", labels.len(), n)?;
    Ok(labels)
}

fn put_ply<F: Float, S: Data<Elem = F>>(
    out: &mut impl Write,
    points: &ArrayBase<S, Ix2>,
    labels: &[i32],
) -> Result<()> {
    let is_double = size_of::<F>() == size_of::<f64>();
    let float = if is_double { "double" } else { "float" };
    write!(
        out,
        "ply\nformat binary_little_endian 1.0\nelement vertex {}\n\
         property {float} x\nproperty {float} y\nproperty {float} z\n\
         property uchar red\nproperty uchar green\nproperty uchar blue\nproperty int label\nend_header\n",
        labels.len()
    )
    .map_err(write_error)?;
    let mut row = Vec::with_capacity(3 * size_of::<f64>() + 3 + 4);
    for (point, &label) in points.outer_iter().zip(labels) {
        row.clear();
        for k in 0..3 {
            let x = point.get(k).map_or(0.0, |x| x.as_f64());
            if is_double {
                row.extend(x.to_le_bytes());
            } else {
                row.extend((x as f32).to_le_bytes());
            }
        }
        row.extend(colour(label));
        row.extend(label.to_le_bytes());
        out.write_all(&row).map_err(write_error)?;
    }
    Ok(())
}

/// Red, green and blue of a cluster, grey for noise.
fn colour(label: i32) -> [u8; 3] {
    /// Okabe and Ito's eight without black, dark beside light.
    const PALETTE: [[u8; 3]; 7] = [
        [0, 114, 178],
        [230, 159, 0],
        [0, 158, 115],
        [204, 121, 167],
        [86, 180, 233],
        [213, 94, 0],
        [240, 228, 66],
    ];
    const NOISE: [u8; 3] = [150, 150, 150];
    let Ok(label) = usize::try_from(label) else { return NOISE };
    let colour = PALETTE[label % PALETTE.len()];
    match label / PALETTE.len() % 3 {
        0 => colour,
        // Half way to white, then two thirds of the way from black.
        1 => colour.map(|part| part / 2 + 127),
        _ => colour.map(|part| (u16::from(part) * 2 / 3) as u8),
    }
}
