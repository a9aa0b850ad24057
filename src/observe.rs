//! Watching and stopping a long fit.

use std::ops::ControlFlow;

use linfa::{DatasetBase, dataset::Records};

use crate::error::{Error, Result};

/// How far a fit is.
///
/// # Example
/// See [`Observer`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done, in a word or two: `"core samples"`, `"epoch"`.
    pub stage: &'static str,
    /// Steps of this stage that are done: rows, iterations or epochs, as the model's docs say.
    pub done: u64,
    /// Steps of this stage in all, where that is known.
    pub total: Option<u64>,
    /// The objective after those steps, where the model has one: a loss or a log-likelihood.
    pub objective: Option<f64>,
}

/// Sees every step of a fit and can stop it.
///
/// Every closure that takes a [`Progress`] is one; `()` is the observer that does nothing. It is called on the thread that called the fit.
/// If it panics, the panic goes through the fit to its caller, and the parameters and data stay as they were.
///
/// # Example
/// ```
/// use sapwood::observe::{Observer, Progress};
/// use std::ops::ControlFlow;
///
/// // Stops at the first loss under 0.1.
/// let mut enough = |progress: &Progress| match progress.objective {
///     Some(loss) if loss < 0.1 => ControlFlow::Break(()),
///     _ => ControlFlow::Continue(()),
/// };
/// let _: &mut dyn Observer = &mut enough;
/// ```
pub trait Observer {
    /// Called after each step; [`ControlFlow::Break`] ends the fit: hidden Markov models and recurrent nets give what they have by then, all others
    /// [`Error::Stopped`].
    fn observe(&mut self, progress: &Progress) -> ControlFlow<()>;
}

impl Observer for () {
    fn observe(&mut self, _: &Progress) -> ControlFlow<()> {
        ControlFlow::Continue(())
    }
}

impl<C: FnMut(&Progress) -> ControlFlow<()>> Observer for C {
    fn observe(&mut self, progress: &Progress) -> ControlFlow<()> {
        self(progress)
    }
}

/// A fit that can be watched; [`Params::fit_observed`](crate::Params::fit_observed) is how it is called.
///
/// # Example
/// See [`Params::fit_observed`](crate::Params::fit_observed).
pub trait FitObserved<R: Records, T> {
    /// The fitted model.
    type Object;

    /// Fits and tells `observer` of each step.
    ///
    /// # Errors
    /// Those of the fit, and [`Error::Stopped`] where the observer broke off.
    fn fit_observed(&self, dataset: &DatasetBase<R, T>, observer: &mut dyn Observer) -> Result<Self::Object>;
}

/// Tells the observer of a step; its wish to stop becomes [`Error::Stopped`].
pub(crate) fn report(observer: &mut dyn Observer, progress: Progress) -> Result<()> {
    match observer.observe(&progress) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(Error::Stopped { stage: progress.stage, done: progress.done }),
    }
}

impl Progress {
    /// `done` of `total` steps of `stage`.
    pub(crate) fn new(stage: &'static str, done: u64, total: u64) -> Self {
        Self { stage, done, total: Some(total), objective: None }
    }
}
