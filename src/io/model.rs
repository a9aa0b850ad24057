//! Parameter sets and models in files.
//!
//! | bytes | what |
//! |---|---|
//! | 8 | [`MAGIC`] |
//! | 2 | version of this layout: 1 |
//! | 2 | version of the encoding of the kind |
//! | 2, n | length of the name of the kind, at most [`MAX_KIND`], and the name in UTF-8 |
//! | 8, m | length of the body, and the body as postcard writes it |
//!
//! Numbers are little-endian. Nothing follows the body.

use std::path::Path;

use super::{create, format_error, read, write_error};
use crate::error::{Position, Result};
use crate::stored::Stored;

/// The first eight bytes; the first of all is no text, so that nothing takes the file for text.
const MAGIC: [u8; 8] = *b"\x89sapwood";
/// The layout that this module writes and reads.
const LAYOUT: u16 = 1;
/// Bytes in the longest name of a kind.
const MAX_KIND: usize = 1024;

/// Writes a parameter set or model to a file, which it creates or replaces.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) where the file cannot be written.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, io, linfa::{DatasetBase, traits::Fit}, ndarray::array};
///
/// let path = std::env::temp_dir().join("sapwood_save_example.model");
/// let model = Dbscan::params(2).eps(1.0).fit(&DatasetBase::from(array![[0.0], [0.5], [7.0], [7.5]]))?;
/// io::save(&path, &model)?;
///
/// let model: Dbscan<f64> = io::load(&path)?;
/// assert_eq!(model.try_predict(&array![[8.5], [3.0]])?.to_vec(), [Some(1), None]);
///
/// let error = io::load::<Dbscan<f32>>(&path).unwrap_err();
/// assert!(error.to_string().ends_with("expected a Dbscan<f32>, found a Dbscan<f64>"));
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn save<M: Stored>(path: impl AsRef<Path>, model: &M) -> Result<()> {
    let bytes = to_bytes(model)?;
    create(path.as_ref(), |out| std::io::Write::write_all(out, &bytes).map_err(write_error))
}

/// Reads what [`save`] wrote, and checks that it is whole.
///
/// # Example
/// See [`save`].
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) where the file cannot be read; those of [`from_bytes`].
pub fn load<M: Stored>(path: impl AsRef<Path>) -> Result<M> {
    read(path.as_ref(), from_bytes)
}

/// The name of what a model file holds: `Dbscan<f32>`, `Hmm<Poisson<f64>, usize>`; for a program that takes several.
///
/// # Errors
/// [`Error::Io`](crate::Error::Io) where the file cannot be read; [`Error::Format`](crate::Error::Format) where it is no model file.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, io};
///
/// let path = std::env::temp_dir().join("sapwood_kind_example.model");
/// io::save(&path, &Dbscan::params(2))?;
/// assert_eq!(io::kind_of(&path)?, "DbscanParams");
/// # std::fs::remove_file(path).ok();
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn kind_of(path: impl AsRef<Path>) -> Result<String> {
    read(path.as_ref(), |bytes| Ok(Reader { bytes, at: 0 }.header()?.1))
}

/// A parameter set or model as the bytes of a file.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, dbscan::DbscanParams, io};
///
/// let bytes = io::to_bytes(&Dbscan::params(7).eps(0.25))?;
/// assert_eq!(io::from_bytes::<DbscanParams>(&bytes)?, Dbscan::params(7).eps(0.25));
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) for a type whose own serialisation fails; none of this crate's does.
pub fn to_bytes<M: Stored>(model: &M) -> Result<Vec<u8>> {
    let kind = M::kind();
    let mut bytes = MAGIC.to_vec();
    bytes.extend(LAYOUT.to_le_bytes());
    bytes.extend(M::VERSION.to_le_bytes());
    let length = u16::try_from(kind.len()).ok().filter(|&length| usize::from(length) <= MAX_KIND);
    let Some(length) = length else {
        let expected = format!("a kind with a name of at most {MAX_KIND} bytes");
        return Err(format_error(Position::Byte(12), expected, format!("{} bytes", kind.len())));
    };
    bytes.extend(length.to_le_bytes());
    bytes.extend(kind.as_bytes());
    let at = bytes.len();
    bytes.extend([0; 8]);
    let serialised = postcard::to_extend(model, bytes);
    let mut bytes = serialised.map_err(|error| {
        format_error(Position::Byte(at as u64), "a type that can be serialised", error.to_string())
    })?;
    let body = (bytes.len() - at - 8) as u64;
    bytes[at..at + 8].copy_from_slice(&body.to_le_bytes());
    Ok(bytes)
}

/// What [`to_bytes`] wrote, checked.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, dbscan::DbscanParams, io};
///
/// let mut bytes = io::to_bytes(&Dbscan::params(7))?;
/// bytes.pop();
/// let error = io::from_bytes::<DbscanParams>(&bytes).unwrap_err();
/// assert!(error.to_string().contains("expected a body of "));
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Format`](crate::Error::Format) for bytes that are no model file, hold another kind, come from another version, end early or go on too long, and for
/// content that breaks a rule of its kind.
pub fn from_bytes<M: Stored>(bytes: &[u8]) -> Result<M> {
    let mut file = Reader { bytes, at: 0 };
    let (version, found) = file.header()?;
    // The kind before its version: of another kind, the version means nothing.
    let kind = M::kind();
    if found != kind {
        return Err(format_error(Position::Byte(14), format!("a {kind}"), format!("a {found}")));
    }
    if version != M::VERSION {
        let age = if version > M::VERSION { "newer" } else { "older" };
        let expected = format!("a {kind} of version {}", M::VERSION);
        return Err(format_error(
            Position::Byte(10),
            expected,
            format!("version {version}, of a sapwood that is {age}"),
        ));
    }
    let body = file.take(8, "the length of the body")?.first_chunk().map_or(0, |&n| u64::from_le_bytes(n));
    let (at, rest) = (Position::Byte(file.at as u64), &bytes[file.at..]);
    if body != rest.len() as u64 {
        return Err(format_error(at, format!("a body of {body} bytes"), format!("{} bytes", rest.len())));
    }
    let decoded = postcard::take_from_bytes::<M>(rest);
    let (model, left) = decoded.map_err(|error| match error {
        // A part that checked itself while it was read; postcard does not keep what it said.
        postcard::Error::SerdeDeCustom => {
            format_error(at, format!("a valid {kind}"), "one whose parts do not fit together".to_owned())
        }
        _ => format_error(at, format!("a {kind}"), error.to_string()),
    })?;
    if !left.is_empty() {
        let end = Position::Byte((bytes.len() - left.len()) as u64);
        return Err(format_error(
            end,
            format!("the end of the {kind}"),
            format!("{} bytes more", left.len()),
        ));
    }
    model
        .validate()
        .map_err(|error| format_error(at, format!("a valid {kind}"), format!("one whose {error}")))?;
    Ok(model)
}

/// Takes bytes from the front.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, n: usize, expected: &'static str) -> Result<&'a [u8]> {
        let rest = &self.bytes[self.at..];
        let Some(taken) = rest.get(..n) else {
            let found = format!("an end after {} of {n} bytes", rest.len());
            return Err(format_error(Position::Byte(self.at as u64), expected, found));
        };
        self.at += n;
        Ok(taken)
    }

    /// The version of the kind, and its name.
    fn header(&mut self) -> Result<(u16, String)> {
        let magic = self.take(8, "a model file of sapwood")?;
        if magic != MAGIC {
            return Err(format_error(Position::Byte(0), "a model file of sapwood", "another beginning"));
        }
        let layout = self.u16()?;
        if layout != LAYOUT {
            let found = if layout > LAYOUT { "that of a newer sapwood" } else { "none" };
            let expected = format!("a layout of version {LAYOUT}");
            return Err(format_error(Position::Byte(8), expected, format!("{layout}, {found}")));
        }
        let version = self.u16()?;
        let length = usize::from(self.u16()?);
        if length > MAX_KIND {
            let expected = format!("the name of a kind of at most {MAX_KIND} bytes");
            return Err(format_error(Position::Byte(12), expected, format!("{length} bytes")));
        }
        let kind = String::from_utf8_lossy(self.take(length, "the name of a kind")?).into_owned();
        Ok((version, kind))
    }

    fn u16(&mut self) -> Result<u16> {
        let bytes = self.take(2, "the header of a model file")?;
        Ok(u16::from_le_bytes([bytes[0], bytes[1]]))
    }
}
