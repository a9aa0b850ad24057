//! LAS, the format of airborne laser scans: a header, then records of fixed length that begin with x, y and z.

use std::path::Path;

use ndarray::Array2;

use super::{format_error, read};
use crate::error::{Position, Result};
use crate::float::Float;

/// Bytes of a record of each point format, at least.
const RECORD: [usize; 11] = [20, 28, 26, 34, 57, 63, 30, 36, 38, 59, 67];

/// The points of a `.las` or, with the feature `laz`, `.laz` file: x, y and z.
///
/// The array is `(n_points, 3)`, scaled and moved as the header says. Versions 1.0 to 1.4, point formats 0 to 10. Without the feature a compressed file is
/// refused by name. A `.laz` with more than 1024 points a byte, or with chunks of varying size in the point formats 0 to 5, is refused too.
///
/// Sizes in a `.laz` are checked before they are believed, and damage is an error; but a file that somebody made with intent can keep the decoder, which is the
/// crate `laz`, busy or exhaust its stack. Take such files from sources you trust.
///
/// # Formula
/// `x = X * scale_x + offset_x` for the stored whole number `X`, in `f64`; only then rounded to `F`. Coordinates of a national grid need `f64`.
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) for bytes that are no such file, a scale that is 0 or not finite, or fewer points than the header says; [`Error::Io`](crate::Error::Io) where the file cannot be read.
///
/// # Example
/// ```no_run
/// let points = sapwood::io::read_las::<f64>("scan.las")?;
/// assert_eq!(points.ncols(), 3);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # References
/// ASPRS, LAS specification 1.4 R15 (2019).
pub fn read_las<F: Float>(path: impl AsRef<Path>) -> Result<Array2<F>> {
    read(path.as_ref(), parse_las)
}

/// The points in the bytes of a `.las` file, see [`read_las`].
///
/// # Errors
/// [`Error::Format`](crate::Error::Format), as [`read_las`].
///
/// # Example
/// ```
/// let error = sapwood::io::parse_las::<f64>(b"LASF").unwrap_err();
/// assert_eq!(error.to_string(), "<memory>: byte 4: expected a header of 227 bytes, found the end of the file");
/// ```
pub fn parse_las<F: Float>(bytes: &[u8]) -> Result<Array2<F>> {
    let header = Header::read(bytes)?;
    if header.compressed {
        #[cfg(feature = "laz")]
        return super::laz::points(bytes, &header);
        #[cfg(not(feature = "laz"))]
        return Err(format_error(
            Position::Byte(104),
            "points that are not compressed, without the feature `laz`",
            "those of a `.laz` file",
        ));
    }
    let Header { length, n_points, data_at, .. } = header;
    // A count is believed as far as there are bytes to back it.
    let data = &bytes[data_at..];
    let wanted = n_points.checked_mul(length as u64);
    if wanted.is_none_or(|wanted| wanted > data.len() as u64) {
        let expected = format!("{n_points} points of {length} bytes");
        let found = format!("{} bytes", data.len());
        return Err(format_error(Position::Byte(data_at as u64), expected, found));
    }
    // Not more than there are bytes, so it is a `usize`.
    let n = n_points as usize;
    let mut values = Vec::with_capacity(3 * n);
    for record in data.chunks_exact(length).take(n) {
        values.extend(header.point::<F>(record));
    }
    Ok(Array2::from_shape_vec((n, 3), values).expect("three values for each point"))
}

/// What the header of a file says, as far as points need it.
#[derive(Debug)]
pub(super) struct Header {
    /// The points are those of a `.laz` file.
    pub(super) compressed: bool,
    /// Bytes of a record, at least 12.
    pub(super) length: usize,
    pub(super) n_points: u64,
    /// Where the header ends, and where the points begin: both within the file.
    #[cfg_attr(
        not(feature = "laz"),
        allow(dead_code, reason = "what lies between says how points are compressed")
    )]
    pub(super) size: usize,
    pub(super) data_at: usize,
    scales: [f64; 3],
    offsets: [f64; 3],
}

impl Header {
    fn read(bytes: &[u8]) -> Result<Self> {
        if !bytes.starts_with(b"LASF") {
            return Err(format_error(Position::Byte(0), "`LASF`", "another beginning"));
        }
        let Some(header) = bytes.get(..227) else {
            let at = Position::Byte(bytes.len() as u64);
            return Err(format_error(at, "a header of 227 bytes", "the end of the file"));
        };
        let u16_at = |at: usize| usize::from(u16::from_le_bytes([header[at], header[at + 1]]));
        let u32_at = |at: usize| u64::from(u32::from_le_bytes([0, 1, 2, 3].map(|i| header[at + i])));
        let f64_at = |at: usize| f64::from_le_bytes([0, 1, 2, 3, 4, 5, 6, 7].map(|i| header[at + i]));

        let (major, minor) = (header[24], header[25]);
        if major != 1 || minor > 4 {
            return Err(format_error(Position::Byte(24), "version 1.0 to 1.4", format!("{major}.{minor}")));
        }
        let (size, data_at) = (u16_at(94), u32_at(96));
        let (format, length) = (usize::from(header[104]), u16_at(105));
        // A compressor sets the highest bit.
        let compressed = format >= 128;
        let Some(&least) = RECORD.get(format & 127) else {
            return Err(format_error(Position::Byte(104), "a point format of 0 to 10", format.to_string()));
        };
        if length < least {
            let expected = format!("records of at least {least} bytes for point format {}", format & 127);
            return Err(format_error(Position::Byte(105), expected, length.to_string()));
        }
        // Version 1.4 counts in 64 bits, behind the old header.
        let long_count = bytes.get(247..255).filter(|_| minor == 4 && size >= 375);
        let n_points = match long_count.and_then(|count| count.first_chunk()) {
            Some(&count) => u64::from_le_bytes(count),
            None => u32_at(107),
        };
        let scales = [131, 139, 147].map(f64_at);
        let offsets = [155, 163, 171].map(f64_at);
        for (at, scale) in [131, 139, 147].into_iter().zip(scales) {
            if !scale.is_finite() || scale == 0.0 {
                let expected = "a scale that is finite and not 0";
                return Err(format_error(Position::Byte(at), expected, scale.to_string()));
            }
        }
        for (at, offset) in [155, 163, 171].into_iter().zip(offsets) {
            if !offset.is_finite() {
                return Err(format_error(Position::Byte(at), "a finite offset", offset.to_string()));
            }
        }
        if data_at < size as u64 || size < 227 || data_at > bytes.len() as u64 {
            let found = format!("a header of {size} bytes and points from byte {data_at} of {}", bytes.len());
            return Err(format_error(Position::Byte(94), "a header before the points", found));
        }
        let data_at = data_at as usize;
        Ok(Self { compressed, length, n_points, size, data_at, scales, offsets })
    }

    /// x, y and z of a record.
    pub(super) fn point<F: Float>(&self, record: &[u8]) -> [F; 3] {
        [0, 1, 2].map(|k| {
            let x = i32::from_le_bytes([0, 1, 2, 3].map(|i| record[4 * k + i]));
            F::cast(f64::from(x) * self.scales[k] + self.offsets[k])
        })
    }
}
