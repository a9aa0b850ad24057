//! One error type for the whole crate: every message names the argument, the rule and the value.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;

/// The result of every fallible function of this crate.
///
/// # Example
/// ```
/// fn half(x: f64) -> sapwood::Result<f64> {
///     if x.is_finite() { Ok(x / 2.0) } else { Err(sapwood::Error::Parameter { name: "x", rule: "finite".into(), value: x.to_string() }) }
/// }
/// assert_eq!(half(3.0)?, 1.5);
/// assert_eq!(half(f64::NAN).unwrap_err().to_string(), "`x` must be finite, got NaN");
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Why a call could not be answered.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, linfa::ParamGuard};
///
/// let error = Dbscan::params(5).eps(-1.0).check().unwrap_err();
/// assert_eq!(error.to_string(), "`eps` must be greater than 0, got -1");
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A parameter breaks its rule.
    #[error("`{name}` must be {rule}, got {value}")]
    Parameter {
        /// The parameter, as its setter is called.
        name: &'static str,
        /// What it must be.
        rule: Cow<'static, str>,
        /// What it was.
        value: String,
    },

    /// An array holds NaN or an infinity.
    #[error("`{name}` must be finite, got {value} in row {row}, column {column}")]
    NonFinite {
        /// The array.
        name: &'static str,
        /// Row of the first such value, counted from 0.
        row: usize,
        /// Its column, counted from 0.
        column: usize,
        /// The value: NaN, inf or -inf.
        value: f64,
    },

    /// An array, or a list beside it, has the wrong shape or the wrong content.
    #[error("`{name}` must have {rule}, got {value}")]
    Shape {
        /// The argument.
        name: &'static str,
        /// What it must have.
        rule: Cow<'static, str>,
        /// What it has.
        value: String,
    },

    /// The content of a file is not what its format asks for.
    #[error("{}: {at}: expected {expected}, found {found}", path.display())]
    Format {
        /// The file, or `<memory>` where the bytes came from a reader.
        path: PathBuf,
        /// Where in the file.
        at: Position,
        /// What the format asks for there.
        expected: Cow<'static, str>,
        /// What stands there.
        found: String,
    },

    /// The operating system could not open, read or write a file.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },

    /// The observer of a fit asked it to stop.
    #[error("stopped by the observer during {stage}, after {done} steps")]
    Stopped {
        /// The stage of the fit, as the observer saw it.
        stage: &'static str,
        /// Steps of that stage that were done.
        done: u64,
    },

    /// A fit did not reach its optimum to the tolerance asked for.
    #[error("no convergence after {iterations} iterations: {reason}")]
    NotConverged {
        /// Iterations that were done.
        iterations: usize,
        /// What stood in the way.
        reason: String,
    },

    /// An error of linfa's own, from one of its algorithms.
    #[error(transparent)]
    Linfa(#[from] linfa::Error),
}

/// Where in a file something was found.
///
/// # Example
/// See [`Error`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Position {
    /// Line of a text file, counted from 1.
    Line(u64),
    /// Offset in a binary file, counted from 0.
    Byte(u64),
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Line(line) => write!(f, "line {line}"),
            Self::Byte(byte) => write!(f, "byte {byte}"),
        }
    }
}

impl Error {
    pub(crate) fn parameter(
        name: &'static str,
        rule: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
    ) -> Self {
        Self::Parameter { name, rule: rule.into(), value: value.to_string() }
    }

    pub(crate) fn shape(
        name: &'static str,
        rule: impl Into<Cow<'static, str>>,
        value: impl fmt::Display,
    ) -> Self {
        Self::Shape { name, rule: rule.into(), value: value.to_string() }
    }
}
