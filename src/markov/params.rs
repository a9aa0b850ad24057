//! Estimation from counts of transitions.

use std::marker::PhantomData;

use linfa::DatasetBase;
use linfa::dataset::Label;
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};

use super::{MarkovChain, TransitionCounts};
use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::observe::{FitObserved, Observer};
use crate::params::{Check, Params, require_added_count};

/// How a [`MarkovChain`] is estimated.
///
/// # Formula
/// With `n_ij` transitions from `i` to `j` among `k` states and the pseudo-count `a`: `P_ij = (n_ij + a) / sum_j (n_ij + a)`, and the same for the
/// first states. That is the maximum of the likelihood for `a = 0`, the mean of the posterior under a Dirichlet prior of parameter `a`,
/// and the posterior's maximum under one of parameter `a + 1`.
///
/// # Example
/// See [`MarkovChain`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct MarkovChainParams<L = usize> {
    pub(super) states: Option<Vec<L>>,
    pub(super) pseudo_count: f64,
    pub(super) label: PhantomData<L>,
}

impl<L: Label> Params<MarkovChainParams<L>> {
    /// The states and their order, where some may be missing from the data; default: the labels of the data, sorted.
    #[must_use]
    pub fn states(mut self, states: Vec<L>) -> Self {
        self.0.states = Some(states);
        self
    }

    /// Added to every count, at least 0; default 0. Above 0 no transition is impossible, and the matrix is dense.
    #[must_use]
    #[doc(alias = "alpha")]
    pub fn pseudo_count(mut self, pseudo_count: f64) -> Self {
        self.0.pseudo_count = pseudo_count;
        self
    }
}

impl<L> Check for MarkovChainParams<L> {
    fn check(&self) -> Result<()> {
        let a = self.pseudo_count;
        require_added_count("pseudo_count", a)
    }
}

impl<L: Label, S: Data<Elem = L>, T> Fit<Sequences<S>, T, Error> for MarkovChainParams<L> {
    type Object = MarkovChain<L>;

    /// Counts the transitions; the targets are ignored. Time `O(n log n)` for `n` observations.
    fn fit(&self, dataset: &DatasetBase<Sequences<S>, T>) -> Result<MarkovChain<L>> {
        self.fit_observed(dataset, &mut ())
    }
}

impl<L: Label, S: Data<Elem = L>, T> FitObserved<Sequences<S>, T> for MarkovChainParams<L> {
    type Object = MarkovChain<L>;

    /// The stage is `"sequence"`, a step is one of them.
    fn fit_observed(
        &self,
        dataset: &DatasetBase<Sequences<S>, T>,
        observer: &mut dyn Observer,
    ) -> Result<MarkovChain<L>> {
        let counts = TransitionCounts::observed(self.states.clone(), &dataset.records, observer)?;
        MarkovChain::from_counts(&counts, self.pseudo_count)
    }
}

/// An array is one sequence.
impl<L: Label, S: Data<Elem = L>, T> Fit<ArrayBase<S, Ix2>, T, Error> for MarkovChainParams<L> {
    type Object = MarkovChain<L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<S, Ix2>, T>) -> Result<MarkovChain<L>> {
        self.fit_observed(dataset, &mut ())
    }
}

impl<L: Label, S: Data<Elem = L>, T> FitObserved<ArrayBase<S, Ix2>, T> for MarkovChainParams<L> {
    type Object = MarkovChain<L>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<S, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<MarkovChain<L>> {
        let sequence = Sequences::single(dataset.records.view())?;
        self.fit_observed(&DatasetBase::new(sequence, ()), observer)
    }
}

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored
    for MarkovChainParams<L>
{
    fn kind() -> String {
        format!("MarkovChainParams<{}>", crate::stored::type_word::<L>())
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}
