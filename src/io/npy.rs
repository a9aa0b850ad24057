//! NPY, the format of `numpy.save`: a magic, a version, a Python dictionary, then the numbers.

use std::io::Write;
use std::path::Path;

use ndarray::{Array1, Array2, ArrayBase, Data, Dimension, ShapeBuilder};

use super::scalar::Scalar;
use super::text::quote;
use super::{create, format_error, read, write_error};
use crate::error::{Position, Result};
use crate::float::Float;

const MAGIC: &[u8] = b"\x93NUMPY";

/// The array of an `.npy` file; a one-dimensional one becomes a column.
///
/// Versions 1 to 3, both byte orders, C and Fortran order, of `f4`, `f8`, integers or booleans, which are
/// converted.
///
/// # Shapes
/// `(n, d)` of the file gives `(n, d)`, `(n,)` gives `(n, 1)`; always row after row in memory.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) for any other content (text, objects, records, other dimensions,
/// fewer or more bytes than the shape says), [`Error::Io`](crate::Error::Io) where the file cannot be read.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_npy.npy");
/// io::write_npy(&path, &array![[1.0, 2.0], [3.0, 4.0]])?;
/// assert_eq!(io::read_npy::<f64>(&path)?, array![[1.0, 2.0], [3.0, 4.0]]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # References
/// Kern (2007), NEP 1, "A simple file format for numpy arrays".
pub fn read_npy<F: Float>(path: impl AsRef<Path>) -> Result<Array2<F>> {
    read(path.as_ref(), parse_npy)
}

/// The integers of an `.npy` file of one dimension, or of one column: labels.
///
/// # Errors
/// Those of [`read_npy`], and [`Error::Format`](crate::Error::Format) for floats, several columns or a number
/// beyond `i64`.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_npy_i64.npy");
/// io::write_npy(&path, &array![0, 0, 1, -1])?;
/// assert_eq!(io::read_npy_i64(&path)?, array![0, 0, 1, -1]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn read_npy_i64(path: impl AsRef<Path>) -> Result<Array1<i64>> {
    read(path.as_ref(), parse_npy_i64)
}

/// The array in the bytes of an `.npy` file, see [`read_npy`].
///
/// # Errors
/// [`Error::Format`](crate::Error::Format), as [`read_npy`].
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let mut bytes = Vec::new();
/// io::write_npy_to(&mut bytes, &array![1.0, 2.0])?;
/// assert_eq!(io::parse_npy::<f32>(&bytes)?, array![[1.0], [2.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn parse_npy<F: Float>(bytes: &[u8]) -> Result<Array2<F>> {
    let Npy { scalar, big_endian, fortran_order, shape: (n, d), body, .. } = Npy::parse(bytes)?;
    let mut values = vec![F::zero(); body.len() / scalar.size()];
    scalar.column(big_endian, body, scalar.size(), &mut values, 1);
    // Where one side is 0, the other may still be more than an array can count.
    let array = Array2::from_shape_vec((n, d).set_f(fortran_order), values).map_err(|error| {
        format_error(Position::Byte(0), "a shape that an array can have", format!("{n} x {d}: {error}"))
    })?;
    Ok(if array.is_standard_layout() { array } else { array.as_standard_layout().into_owned() })
}

/// The integers in the bytes of an `.npy` file, see [`read_npy_i64`].
///
/// # Errors
/// [`Error::Format`](crate::Error::Format), as [`read_npy_i64`].
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let mut bytes = Vec::new();
/// io::write_npy_to(&mut bytes, &array![7, -1])?;
/// assert_eq!(io::parse_npy_i64(&bytes)?, array![7, -1]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn parse_npy_i64(bytes: &[u8]) -> Result<Array1<i64>> {
    let Npy { scalar, big_endian, shape: (n, d), body_at, body, .. } = Npy::parse(bytes)?;
    if scalar.is_float() || d != 1 {
        let found = format!("{scalar:?} in {n} x {d}").to_lowercase();
        return Err(format_error(Position::Byte(0), "integers in one column", found));
    }
    let cells = body.chunks_exact(scalar.size()).enumerate();
    let values = cells.map(|(i, cell)| {
        scalar.integer(big_endian, cell).ok_or_else(|| {
            let at = Position::Byte((body_at + i * scalar.size()) as u64);
            format_error(at, "an integer that i64 can hold", format!("{cell:02x?}"))
        })
    });
    values.collect()
}

/// Writes an array of any dimension as an `.npy` file, version 1.0, in C order.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) where the file cannot be written.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let labels = array![Some(0), Some(1), None];
/// let path = std::env::temp_dir().join("sapwood_write_npy.npy");
/// io::write_npy(&path, &labels.mapv(|label| label.unwrap_or(-1)))?;
/// assert_eq!(io::read_npy_i64(&path)?, array![0, 1, -1]);
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn write_npy<A, S, D>(path: impl AsRef<Path>, array: &ArrayBase<S, D>) -> Result<()>
where
    A: NpyElement,
    S: Data<Elem = A>,
    D: Dimension,
{
    create(path.as_ref(), |out| write_npy_to(out, array))
}

/// Writes an array as [`write_npy`] does, to any writer.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) from the writer.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let mut bytes = Vec::new();
/// io::write_npy_to(&mut bytes, &array![[1.0_f32, 2.0]])?;
/// assert_eq!(bytes.len(), 128 + 8);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn write_npy_to<A, S, D>(mut out: impl Write, array: &ArrayBase<S, D>) -> Result<()>
where
    A: NpyElement,
    S: Data<Elem = A>,
    D: Dimension,
{
    let mut shape: String = array.shape().iter().map(|side| format!("{side}, ")).collect();
    if array.ndim() > 1 {
        shape.truncate(shape.len() - 2);
    }
    let shape = shape.trim_end();
    let mut header = format!("{{'descr': '{}', 'fortran_order': False, 'shape': ({shape}), }}", A::DESCR);
    // With the ten bytes before it and the line feed at its end, the header fills whole blocks of 64 bytes.
    let padded = (MAGIC.len() + 4 + header.len() + 1).next_multiple_of(64) - (MAGIC.len() + 4);
    header.extend(std::iter::repeat_n(' ', padded - header.len() - 1));
    header.push('\n');

    let mut bytes = MAGIC.to_vec();
    bytes.extend([1, 0]);
    bytes.extend((padded as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    for &value in array {
        if bytes.len() > (1 << 16) {
            out.write_all(&bytes).map_err(write_error)?;
            bytes.clear();
        }
        value.put(&mut bytes);
    }
    out.write_all(&bytes).map_err(write_error)
}

/// A number that [`write_npy`] writes: `f32`, `f64` or `i64`.
///
/// # Example
/// See [`write_npy`].
pub trait NpyElement: Copy + sealed::Sealed {
    /// The type as numpy writes it.
    const DESCR: &'static str;

    /// Appends the little-endian bytes.
    fn put(self, bytes: &mut Vec<u8>);
}

impl NpyElement for f32 {
    const DESCR: &'static str = "<f4";

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}

impl NpyElement for f64 {
    const DESCR: &'static str = "<f8";

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}

impl NpyElement for i64 {
    const DESCR: &'static str = "<i8";

    fn put(self, bytes: &mut Vec<u8>) {
        bytes.extend_from_slice(&self.to_le_bytes());
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for i64 {}
}

/// A file whose header was checked: `body` holds exactly the numbers of `shape`.
struct Npy<'a> {
    scalar: Scalar,
    big_endian: bool,
    fortran_order: bool,
    shape: (usize, usize),
    body_at: usize,
    body: &'a [u8],
}

impl<'a> Npy<'a> {
    fn parse(bytes: &'a [u8]) -> Result<Self> {
        let error = |at: usize, expected: &'static str, found: String| {
            Err(format_error(Position::Byte(at as u64), expected, found))
        };
        if !bytes.starts_with(MAGIC) {
            return error(0, "the magic \\x93NUMPY", quote(&bytes[..bytes.len().min(MAGIC.len())]));
        }
        let (start, header_len) = match *bytes {
            [_, _, _, _, _, _, 1, _, a, b, ..] => (10, usize::from(u16::from_le_bytes([a, b]))),
            [_, _, _, _, _, _, 2 | 3, _, a, b, c, d, ..] => (12, u32::from_le_bytes([a, b, c, d]) as usize),
            [_, _, _, _, _, _, 1..=3, ..] | [_, _, _, _, _, _] => {
                return error(bytes.len(), "the length of the header", "the end of the file".into());
            }
            [_, _, _, _, _, _, version, ..] => {
                return error(6, "version 1, 2 or 3", format!("version {version}"));
            }
            _ => return error(0, "the magic \\x93NUMPY", quote(bytes)),
        };
        let Some((header, body)) = bytes[start..].split_at_checked(header_len) else {
            let found = format!("{} bytes", bytes.len() - start);
            return Err(format_error(
                Position::Byte(start as u64),
                format!("a header of {header_len} bytes"),
                found,
            ));
        };
        let Header { descr, fortran_order, shape } = Header::parse(header, start)?;

        let (order, kind, size) = match *descr {
            [order @ (b'<' | b'>' | b'|' | b'='), kind, size] => (order, kind, size),
            _ => (0, 0, 0),
        };
        // A boolean is a byte, 0 or 1.
        let kind = if (kind, size) == (b'b', b'1') { b'u' } else { kind };
        let Some(scalar) = Scalar::new(kind, usize::from(size.wrapping_sub(b'0'))) else {
            return error(start, "dtype f4, f8, i1 to i8, u1 to u8 or b1", quote(descr));
        };
        let big_endian = order == b'>' || (order == b'=' && cfg!(target_endian = "big"));

        let body_at = start + header_len;
        let (n, d) = shape;
        match n.checked_mul(d).and_then(|len| len.checked_mul(scalar.size())) {
            Some(len) if len == body.len() => {
                Ok(Self { scalar, big_endian, fortran_order, shape, body_at, body })
            }
            len => {
                let len = len.map_or("more bytes than can be counted".into(), |len| format!("{len} bytes"));
                let expected = format!("{len} for {n} x {d} numbers of {} bytes", scalar.size());
                let found = format!("{} bytes", body.len());
                Err(format_error(Position::Byte(body_at as u64), expected, found))
            }
        }
    }
}

/// The dictionary `{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`, its keys in any order.
struct Header<'a> {
    descr: &'a [u8],
    fortran_order: bool,
    shape: (usize, usize),
}

impl<'a> Header<'a> {
    fn parse(header: &'a [u8], start: usize) -> Result<Self> {
        let mut python = Python { text: header, start, rest: header };
        let (mut descr, mut fortran_order, mut shape) = (None, None, None);
        python.expect("{")?;
        while !python.skip("}") {
            let key = python.string("a key: 'descr', 'fortran_order' or 'shape'")?;
            python.expect(":")?;
            match key {
                b"descr" => descr = Some(python.string("a plain dtype, as '<f8'")?),
                b"fortran_order" if python.skip("True") => fortran_order = Some(true),
                b"fortran_order" if python.skip("False") => fortran_order = Some(false),
                b"fortran_order" => return python.error("True or False"),
                b"shape" => shape = Some(python.shape()?),
                _ => return python.error("the value of 'descr', 'fortran_order' or 'shape'"),
            }
            if !python.skip(",") {
                python.expect("}")?;
                break;
            }
        }
        match (descr, fortran_order, shape) {
            (Some(descr), Some(fortran_order), Some(shape)) => Ok(Self { descr, fortran_order, shape }),
            _ => python.error("the keys 'descr', 'fortran_order' and 'shape' before the end"),
        }
    }
}

/// Just enough of Python's literals for the header; nothing in it nests.
struct Python<'a> {
    text: &'a [u8],
    /// Where `text` begins in the file.
    start: usize,
    rest: &'a [u8],
}

impl<'a> Python<'a> {
    fn error<T>(&self, expected: &'static str) -> Result<T> {
        let at = self.start + self.text.len() - self.rest.len();
        Err(format_error(Position::Byte(at as u64), expected, quote(self.rest.trim_ascii())))
    }

    /// Whether `token` came next; then it is behind us.
    fn skip(&mut self, token: &str) -> bool {
        self.rest = self.rest.trim_ascii_start();
        let after = self.rest.strip_prefix(token.as_bytes());
        self.rest = after.unwrap_or(self.rest);
        after.is_some()
    }

    fn expect(&mut self, token: &'static str) -> Result<()> {
        if self.skip(token) { Ok(()) } else { self.error(token) }
    }

    /// A string without escapes, in either kind of quotes.
    fn string(&mut self, expected: &'static str) -> Result<&'a [u8]> {
        self.rest = self.rest.trim_ascii_start();
        let [quote @ (b'\'' | b'"'), inner @ ..] = self.rest else { return self.error(expected) };
        let Some(end) = inner.iter().position(|byte| byte == quote) else { return self.error(expected) };
        self.rest = &inner[end + 1..];
        Ok(&inner[..end])
    }

    /// `(n,)` or `(n, d)`.
    fn shape(&mut self) -> Result<(usize, usize)> {
        let before = self.rest;
        self.expect("(")?;
        let n = self.side()?;
        self.expect(",")?;
        if self.skip(")") {
            return Ok((n, 1));
        }
        let d = self.side()?;
        self.skip(",");
        if self.skip(")") {
            return Ok((n, d));
        }
        self.rest = before;
        self.error("a shape of one or two dimensions")
    }

    fn side(&mut self) -> Result<usize> {
        self.rest = self.rest.trim_ascii_start();
        let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, after) = self.rest.split_at(digits);
        let Some(side) = str::from_utf8(number).ok().and_then(|number| number.parse().ok()) else {
            return self.error("one or two whole numbers that an array can count");
        };
        // Python 2 wrote a long as `3L`.
        self.rest = after.strip_prefix(b"L").unwrap_or(after);
        Ok(side)
    }
}
