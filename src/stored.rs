//! What a parameter set or model is in a file.

use serde::{Serialize, de::DeserializeOwned};

use crate::error::Result;
use crate::params::{Check, Params};

/// What can be saved and loaded: it names its kind and, once read, says whether it is whole.
///
/// [`io::save`](crate::io::save) writes it, [`io::load`](crate::io::load) reads it. Decoding alone builds whatever the bytes say; `validate` is what
/// stands between a damaged file and a wrong answer, so it checks all that the methods rely on: sizes that agree, finite numbers, rows that sum to 1.
///
/// # Example
/// An emission of one's own becomes part of a model that can be saved.
/// ```
/// use sapwood::{Result, io, stored::{Stored, hold}};
///
/// #[derive(Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// struct Dice {
///     sides: u8,
/// }
///
/// impl Stored for Dice {
///     fn kind() -> String {
///         "Dice".into()
///     }
///     fn validate(&self) -> Result<()> {
///         hold(self.sides > 0, "sides", "at least 1", self.sides)
///     }
/// }
///
/// let bytes = io::to_bytes(&Dice { sides: 6 })?;
/// assert_eq!(io::from_bytes::<Dice>(&bytes)?, Dice { sides: 6 });
/// let error = io::from_bytes::<Dice>(&io::to_bytes(&Dice { sides: 0 })?).unwrap_err();
/// assert!(error.to_string().ends_with("expected a valid Dice, found one whose `sides` must be at least 1, got 0"));
/// # Ok::<(), sapwood::Error>(())
/// ```
pub trait Stored: Serialize + DeserializeOwned {
    /// Raised whenever the encoding changes, also that of a part.
    const VERSION: u16 = 1;

    /// Its name in the file, types of numbers and labels included: `Dbscan<f32>`. Never changed once released.
    fn kind() -> String;

    /// Errors unless everything holds that the methods rely on. Must not panic, whatever the content. A type that checks itself while it is read
    /// (`#[serde(try_from = ..)]`) has nothing left to do here.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter), [`Error::Shape`](crate::Error::Shape) or [`Error::NonFinite`](crate::Error::NonFinite), naming the part.
    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

/// A set of hyper-parameters is valid when a fit would take it.
impl<P: Stored + Check> Stored for Params<P> {
    const VERSION: u16 = P::VERSION;

    fn kind() -> String {
        P::kind()
    }

    fn validate(&self) -> Result<()> {
        self.0.validate()
    }
}

/// The name of a type without the modules it lies in: `usize`, `String`, `Option<String>`.
///
/// # Example
/// ```
/// assert_eq!(sapwood::stored::type_word::<Option<String>>(), "Option<String>");
/// ```
#[must_use]
pub fn type_word<T>() -> String {
    let mut word = String::new();
    for c in std::any::type_name::<T>().chars() {
        if c == ':' {
            let name = word.trim_end_matches(|c: char| c.is_alphanumeric() || c == '_').len();
            word.truncate(name);
        } else {
            word.push(c);
        }
    }
    word
}

/// Errors unless `holds`: `name` must be `rule`, and is `value`.
///
/// # Example
/// See [`Stored`].
///
/// # Errors
/// [`Error::Parameter`](crate::Error::Parameter).
pub fn hold(
    holds: bool,
    name: &'static str,
    rule: &'static str,
    value: impl std::fmt::Display,
) -> Result<()> {
    crate::params::require(holds, name, rule, value)
}

/// Errors unless `name` has `len` entries, and is given `got`.
pub(crate) fn hold_len(name: &'static str, got: usize, len: usize) -> Result<()> {
    if got == len { Ok(()) } else { Err(crate::Error::shape(name, format!("{len} entries"), got)) }
}

/// Errors unless every number is finite; an error counts its place from the first.
pub(crate) fn hold_finite<'a, F: crate::Float>(
    name: &'static str,
    values: impl IntoIterator<Item = &'a F>,
) -> Result<()> {
    match values.into_iter().enumerate().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some((row, value)) => Err(crate::Error::NonFinite { name, row, column: 0, value: value.as_f64() }),
    }
}
