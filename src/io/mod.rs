//! Point clouds in and out: NPY, CSV, PLY, PCD and LAS; with the feature `serde`, models.
//!
//! | format | reads | writes |
//! |---|---|---|
//! | [`.npy`](read_npy) | versions 1 to 3, floats, integers, both byte orders, C and Fortran order | yes |
//! | [`.csv`](read_csv), `.txt`, `.tsv`, `.xyz` | comma, semicolon, tab or spaces; with or without header | comma |
//! | [`.ply`](read_ply) | ASCII, binary of both byte orders; the rest of the file is skipped | [with labels](write_ply) |
//! | [`.pcd`](read_pcd) | ASCII, binary, compressed; fields in any order | no |
//! | [`.las`](read_las), with the feature `laz` also `.laz` | versions 1.0 to 1.4, point formats 0 to 10 | no |
//!
//! `read_*` takes the path of a regular file, `parse_*` takes the bytes, from wherever they come (standard
//! input, an archive), `write_*` takes a path and `write_*_to` any [`Write`]. Values are converted to the
//! type asked for as `as` does: an `f64` read as `f32` is rounded.
//!
//! With the feature `serde`, `save` and `load` keep every parameter set and model in files that name their kind and version.
//!
//! A header is believed only as far as there are bytes to back it: a file that claims to be larger than it is
//! gives an [`Error::Format`], not an allocation.
//!
//! # Example
//! ```
//! use sapwood::{io, ndarray::array};
//!
//! let path = std::env::temp_dir().join("sapwood_io_example.npy");
//! io::write_npy(&path, &array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]])?;
//! let points = io::read_points::<f32>(&path)?;
//! assert_eq!(points, array![[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]);
//! # std::fs::remove_file(path).ok();
//! # Ok::<(), sapwood::Error>(())
//! ```

mod csv;
mod las;
#[cfg(feature = "laz")]
mod laz;
#[cfg(feature = "serde")]
mod model;
mod npy;
mod pcd;
mod ply;
mod scalar;
mod text;

pub use self::csv::{CsvOptions, parse_csv, read_csv, write_csv, write_csv_to};
pub use las::{parse_las, read_las};
#[cfg(feature = "serde")]
pub use model::{from_bytes, kind_of, load, save, to_bytes};
pub use npy::{NpyElement, parse_npy, parse_npy_i64, read_npy, read_npy_i64, write_npy, write_npy_to};
pub use pcd::{parse_pcd, read_pcd, read_pcd_fields};
pub use ply::{parse_ply, read_ply, read_ply_fields, write_ply, write_ply_to};

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use ndarray::{Array2, ArrayBase, Data, Ix2};

use crate::error::{Error, Position, Result};
use crate::float::Float;

/// The fields that make a point of a PLY or PCD file.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let bytes = b"ply\nformat ascii 1.0\nelement vertex 1\nproperty float x\nproperty float y\nproperty float z\nend_header\n1 2 3\n";
/// assert_eq!(io::parse_ply::<f64>(bytes, &io::XYZ)?, array![[1.0, 2.0, 3.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub const XYZ: [&str; 3] = ["x", "y", "z"];

/// The points of a file, `(n_points, n_columns)`, its format told by the extension.
///
/// `.npy`, `.csv`, `.txt`, `.tsv` and `.xyz` give all their columns, `.ply`, `.pcd` and `.las` give x, y and z.
/// Delimiter and header of a text file are found out, see [`CsvOptions`]. Missing points stay in as NaN, see
/// [`drop_missing`].
///
/// # Errors
/// [`Error::Format`] for another extension or a content that is not the format's, [`Error::Io`] where the
/// file cannot be read.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_read_points.xyz");
/// std::fs::write(&path, "0 0 1.5\n2 0 1.5\n").unwrap();
/// assert_eq!(io::read_points::<f64>(&path)?, array![[0.0, 0.0, 1.5], [2.0, 0.0, 1.5]]);
///
/// let error = io::read_points::<f64>("scan.e57").unwrap_err();
/// assert!(error.to_string().ends_with("expected .npy, .csv, .txt, .tsv, .xyz, .ply, .pcd or .las, found `.e57`"));
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn read_points<F: Float>(path: impl AsRef<Path>) -> Result<Array2<F>> {
    let path = path.as_ref();
    let extension = path.extension().unwrap_or_default().to_string_lossy().to_ascii_lowercase();
    match extension.as_str() {
        "npy" => read_npy(path),
        "csv" | "txt" | "tsv" | "xyz" => read_csv(path, &CsvOptions::default()),
        "ply" => read_ply(path),
        "pcd" => read_pcd(path),
        "las" | "laz" => read_las(path),
        _ => {
            let found = if extension.is_empty() { "no extension".into() } else { format!("`.{extension}`") };
            let expected = ".npy, .csv, .txt, .tsv, .xyz, .ply, .pcd or .las";
            Err(in_file(path)(format_error(Position::Byte(0), expected, found)))
        }
    }
}

/// The rows without NaN, and the number that each had before.
///
/// A scanner's image marks with NaN the pixels without a return (organised PCD files do), and a model takes
/// no NaN. The numbers carry labels back to the whole cloud.
///
/// # Example
/// ```
/// use sapwood::{io, ndarray::array};
///
/// let nan = f32::NAN;
/// let (points, kept) = io::drop_missing(&array![[0.0, 1.0], [nan, nan], [2.0, 3.0]]);
/// assert_eq!(points, array![[0.0, 1.0], [2.0, 3.0]]);
/// assert_eq!(kept, [0, 2]);
/// ```
#[must_use]
pub fn drop_missing<F: Float, S: Data<Elem = F>>(points: &ArrayBase<S, Ix2>) -> (Array2<F>, Vec<usize>) {
    let d = points.ncols();
    let (mut values, mut kept) = (Vec::with_capacity(points.len()), Vec::with_capacity(points.nrows()));
    for (i, row) in points.outer_iter().enumerate() {
        if !row.iter().any(|x| x.is_nan()) {
            values.extend(row);
            kept.push(i);
        }
    }
    let points = Array2::from_shape_vec((kept.len(), d), values).expect("each row kept gave d values");
    (points, kept)
}

/// What `parse` makes of the bytes of a regular file.
fn read<T>(path: &Path, parse: impl FnOnce(&[u8]) -> Result<T>) -> Result<T> {
    let bytes = read_regular(path).map_err(|source| Error::Io { path: path.into(), source })?;
    parse(&bytes).map_err(in_file(path))
}

/// Opening a FIFO would wait for its writer and reading a device may never end, so the kind is asked first.
fn read_regular(path: &Path) -> io::Result<Vec<u8>> {
    let kind = fs::metadata(path)?.file_type();
    if kind.is_dir() {
        return Err(io::Error::new(io::ErrorKind::IsADirectory, "expected a file, found a directory"));
    }
    if !kind.is_file() {
        return Err(io::Error::new(
            io::ErrorKind::InvalidInput,
            "expected a regular file, found a pipe, socket or device",
        ));
    }
    fs::read(path)
}

/// Creates or replaces the file with what `write` puts out.
fn create(path: &Path, write: impl FnOnce(&mut BufWriter<File>) -> Result<()>) -> Result<()> {
    let io = |source| Error::Io { path: path.into(), source };
    let mut out = BufWriter::with_capacity(1 << 16, File::create(path).map_err(io)?);
    write(&mut out).map_err(in_file(path))?;
    out.flush().map_err(io)
}

const MEMORY: &str = "<memory>";

fn format_error(at: Position, expected: impl Into<Cow<'static, str>>, found: impl Into<String>) -> Error {
    Error::Format { path: MEMORY.into(), at, expected: expected.into(), found: found.into() }
}

fn write_error(source: io::Error) -> Error {
    Error::Io { path: MEMORY.into(), source }
}

/// The same error with the name of the file in it.
fn in_file(path: &Path) -> impl Fn(Error) -> Error {
    move |error| match error {
        Error::Format { at, expected, found, .. } => Error::Format { path: path.into(), at, expected, found },
        Error::Io { source, .. } => Error::Io { path: path.into(), source },
        other => other,
    }
}
