//! linfa's [`ParamGuard`], written once for every model.

use linfa::{DatasetBase, ParamGuard, dataset::Records};

use crate::error::{Error, Result};
use crate::observe::{FitObserved, Observer};

/// Hyper-parameters that were not checked yet: setters go in, a fit or [`check`](ParamGuard::check) comes out.
///
/// Each model names its own, `DbscanParams` for instance, and writes its setters on it. Fitting checks first, so an invalid value
/// is an error that names the parameter, its rule and the value.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, linfa::ParamGuard};
///
/// assert!(Dbscan::params(5).eps(0.3).check().is_ok());
/// assert!(Dbscan::params(0).eps(0.3).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(transparent))]
pub struct Params<P>(pub(crate) P);

/// The rules of a set of hyper-parameters.
///
/// Written so that NaN breaks every rule: `if !(eps > 0.0)`, never `if eps <= 0.0`.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, linfa::ParamGuard};
///
/// let error = Dbscan::params(5).eps(f64::NAN).check().unwrap_err();
/// assert_eq!(error.to_string(), "`eps` must be greater than 0, got NaN");
/// ```
pub trait Check {
    /// The first broken rule.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the name of the parameter, its rule and the value.
    fn check(&self) -> Result<()>;
}

impl<P: Check> ParamGuard for Params<P> {
    type Checked = P;
    type Error = Error;

    fn check_ref(&self) -> Result<&P> {
        self.0.check()?;
        Ok(&self.0)
    }

    fn check(self) -> Result<P> {
        self.0.check()?;
        Ok(self.0)
    }
}

impl<P: Check> Params<P> {
    /// Fits like [`fit`](linfa::traits::Fit::fit) and tells `observer` how far it is; the observer can stop it.
    ///
    /// # Errors
    /// Those of the fit, and [`Error::Stopped`] where the observer broke off.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Dbscan, linfa::DatasetBase, ndarray::array, observe::Progress};
    /// use std::ops::ControlFlow;
    ///
    /// let data = DatasetBase::from(array![[0.0], [0.1], [5.0]]);
    /// let mut stages = Vec::new();
    /// let model = Dbscan::params(2).eps(0.5).fit_observed(&data, &mut |progress: &Progress| {
    ///     stages.push(progress.stage);
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(model.n_clusters(), 1);
    /// assert!(stages.contains(&"core samples"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn fit_observed<R, T>(
        &self,
        dataset: &DatasetBase<R, T>,
        observer: &mut dyn Observer,
    ) -> Result<P::Object>
    where
        R: Records,
        P: FitObserved<R, T>,
    {
        self.check_ref()?.fit_observed(dataset, observer)
    }
}

/// The most that may be added to a count: sums of as many as there can be stay within the range of `f64`, and so do their shares.
pub(crate) const MOST_ADDED: f64 = 1e100;

/// Errors unless `value` can be added to counts.
pub(crate) fn require_added_count(name: &'static str, value: f64) -> Result<()> {
    require((0.0..=MOST_ADDED).contains(&value), name, "at least 0, at most 1e100", value)
}

/// `value` if `holds`, else an error that says that `name` must be `rule`.
pub(crate) fn require(
    holds: bool,
    name: &'static str,
    rule: &'static str,
    value: impl std::fmt::Display,
) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::parameter(name, rule, value)) }
}
