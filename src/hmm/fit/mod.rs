//! Estimation: Baum and Welch's EM, with starts, priors and known states.

mod climb;
mod known;
mod params;
mod report;
mod start;
mod stepwise;

pub use params::{HmmParams, Topology};
pub use report::{FitReport, Stop};

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};

use super::{Emission, Hmm};
use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::observe::{FitObserved, Observer};

impl<E: Emission, S: Data<Elem = E::Elem>, T> Fit<Sequences<S>, T, Error> for HmmParams<E> {
    type Object = Hmm<E>;

    /// Fits to the observations; the targets are ignored ([`fit_supervised`](crate::Params::fit_supervised) takes them as states).
    fn fit(&self, dataset: &DatasetBase<Sequences<S>, T>) -> Result<Hmm<E>> {
        self.fit_observed(dataset, &mut ())
    }
}

impl<E: Emission, S: Data<Elem = E::Elem>, T> FitObserved<Sequences<S>, T> for HmmParams<E> {
    type Object = Hmm<E>;

    /// The stage is `"em"`, a step is a round, the objective is [`FitReport::objectives`]; a start that is stopped gives what it has.
    fn fit_observed(
        &self,
        dataset: &DatasetBase<Sequences<S>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Hmm<E>> {
        self.fit_from_starts(&dataset.records, Vec::new(), observer)
    }
}

/// An array is one sequence.
impl<E: Emission, S: Data<Elem = E::Elem>, T> Fit<ArrayBase<S, Ix2>, T, Error> for HmmParams<E> {
    type Object = Hmm<E>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<S, Ix2>, T>) -> Result<Hmm<E>> {
        self.fit_observed(dataset, &mut ())
    }
}

impl<E: Emission, S: Data<Elem = E::Elem>, T> FitObserved<ArrayBase<S, Ix2>, T> for HmmParams<E> {
    type Object = Hmm<E>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<S, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Hmm<E>> {
        let sequence = Sequences::single(dataset.records.view())?;
        self.fit_from_starts(&sequence, Vec::new(), observer)
    }
}
