//! What an emission must know: its likelihoods, its sums and its maximum.

use std::fmt::Debug;

use ndarray::Array2;
use rand::RngCore;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::chain::exp_rows;
use crate::params::Check;

/// The distribution of an observation in each hidden state.
///
/// Implement it to give a model observations of another kind; the filters, smoothers, decoders and EM work with any. Rows come as a slice, one
/// row of [`n_features`](Self::n_features) elements after another; numbers for each row and state as a slice too, `(n_rows, n_states)`.
///
/// # Example
/// Waiting times: exponential with one rate for each state.
/// ```
/// use sapwood::{Error, Hmm, Params, Result, data::Sequences, hmm::Emission, linfa::{DatasetBase, traits::Fit}, ndarray::array};
/// use rand::Rng;
///
/// #[derive(Debug, Clone)]
/// struct Exponential {
///     rates: Vec<f64>,
/// }
///
/// impl Emission for Exponential {
///     type Float = f64;
///     type Elem = f64;
///     type Params = ();
///     /// Expected rows in each state, and the sum of their times.
///     type Sums = Vec<(f64, f64)>;
///
///     fn n_states(&self) -> usize {
///         self.rates.len()
///     }
///     fn n_features(&self) -> usize {
///         1
///     }
///     fn n_parameters(&self) -> usize {
///         self.rates.len()
///     }
///     fn log_likelihoods(&self, x: &[f64], log_b: &mut [f64], _: &mut Vec<f64>) {
///         for (x, row) in x.iter().zip(log_b.chunks_exact_mut(self.rates.len())) {
///             row.iter_mut().zip(&self.rates).for_each(|(b, rate)| *b = rate.ln() - rate * x);
///         }
///     }
///     fn sums(&self) -> Self::Sums {
///         vec![(0.0, 0.0); self.rates.len()]
///     }
///     fn accumulate(&self, x: &[f64], gamma: &[f64], sums: &mut Self::Sums, _: &mut Vec<f64>) {
///         for (x, row) in x.iter().zip(gamma.chunks_exact(self.rates.len())) {
///             sums.iter_mut().zip(row).for_each(|(sum, g)| *sum = (sum.0 + g, sum.1 + g * x));
///         }
///     }
///     fn merge(sums: &mut Self::Sums, other: &Self::Sums, weight: f64) {
///         sums.iter_mut().zip(other).for_each(|(a, b)| *a = (a.0 + weight * b.0, a.1 + weight * b.1));
///     }
///     fn maximize(&mut self, sums: &Self::Sums, _: &()) -> Vec<usize> {
///         self.rates.iter_mut().zip(sums).for_each(|(rate, sum)| *rate = sum.0 / sum.1);
///         Vec::new()
///     }
///     fn draw(&self, state: usize, out: &mut [f64], rng: &mut dyn rand::RngCore) {
///         out[0] = -(1.0 - rng.r#gen::<f64>()).ln() / self.rates[state];
///     }
/// }
///
/// let waits = Sequences::single(array![[0.1], [0.2], [0.1], [9.0], [7.0], [0.1], [0.3], [8.0]])?;
/// let even = array![[0.5, 0.5], [0.5, 0.5]];
/// let start = Hmm::new(array![0.5, 0.5], even, Exponential { rates: vec![1.0, 0.5] })?;
/// let dataset = DatasetBase::new(waits, ());
/// let model = Hmm::<Exponential>::params(2).start_from(start).fit(&dataset)?;
/// assert_eq!(model.viterbi(&dataset.records)?.states, array![0, 0, 0, 1, 1, 0, 0, 1]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub trait Emission: Clone + Debug + Send + Sync {
    /// `f32` or `f64`: what probabilities are computed in.
    type Float: Float;
    /// One number, count or symbol of an observation.
    type Elem: Copy + Debug + Send + Sync + Default;
    /// Hyper-parameters of the estimate; `()` for none.
    type Params: Clone + Debug + Default + Check + Send + Sync;
    /// Sums over observations, weighted by the posterior of each state, of which [`maximize`](Self::maximize) takes the maximum.
    type Sums: Clone + Debug + Send + Sync;

    /// Number of hidden states.
    fn n_states(&self) -> usize;

    /// Elements of an observation.
    fn n_features(&self) -> usize;

    /// Free parameters, for AIC and BIC.
    fn n_parameters(&self) -> usize;

    /// Errors unless every row can be an observation of this emission.
    ///
    /// # Errors
    /// Whatever breaks the rule; the width was checked before.
    fn check(&self, x: &[Self::Elem]) -> Result<()> {
        let _ = x;
        Ok(())
    }

    /// Writes `log p(x_t | state j)` to `log_b[t * n_states + j]`; `-inf` for impossible, never NaN or `inf`. A missing row is 0 in every state.
    ///
    /// `scratch` may be used for anything; it keeps its memory from call to call.
    fn log_likelihoods(&self, x: &[Self::Elem], log_b: &mut [Self::Float], scratch: &mut Vec<Self::Float>);

    /// Writes likelihoods of at most 1, each row under its own scale, and returns the sum of the logs of those scales.
    fn likelihoods(&self, x: &[Self::Elem], b: &mut [Self::Float], scratch: &mut Vec<Self::Float>) -> f64 {
        self.log_likelihoods(x, b, scratch);
        exp_rows(self.n_states(), b)
    }

    /// Sums over no observation.
    fn sums(&self) -> Self::Sums;

    /// Adds rows to the sums, row `t` with weight `gamma[t * n_states + j]` for state `j`.
    fn accumulate(
        &self,
        x: &[Self::Elem],
        gamma: &[Self::Float],
        sums: &mut Self::Sums,
        scratch: &mut Vec<Self::Float>,
    );

    /// Adds `weight` times the sums over other observations.
    fn merge(sums: &mut Self::Sums, other: &Self::Sums, weight: f64);

    /// Moves the parameters to the maximum for these sums; a state without weight stays. Returns the states that needed a floor.
    fn maximize(&mut self, sums: &Self::Sums, params: &Self::Params) -> Vec<usize>;

    /// Log of the prior density that `params` ask for, up to a constant.
    fn log_prior(&self, params: &Self::Params) -> f64 {
        let _ = params;
        0.0
    }

    /// Writes a random observation of `state`.
    fn draw(&self, state: usize, out: &mut [Self::Elem], rng: &mut dyn RngCore);

    /// The mean of an observation in each state, `(n_states, n_features)`; `None` where observations have none, as symbols.
    fn means(&self) -> Option<Array2<Self::Float>> {
        None
    }

    /// Whether sums have the sizes of this emission's: asked of sums that come from elsewhere.
    fn fits(&self, sums: &Self::Sums) -> bool {
        let _ = sums;
        true
    }

    /// Parameters to start EM from, and, where the start gives one, the state of each row.
    ///
    /// `x` holds rows of `n_features` elements.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the emission has such a start; those without take one through `start_from`.
    fn start(
        x: &[Self::Elem],
        n_features: usize,
        n_states: usize,
        params: &Self::Params,
        start: Start,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, Option<Vec<usize>>)> {
        let _ = (x, n_features, n_states, params, rng);
        Err(Error::parameter("start", "given with `start_from` for this emission", format_args!("{start:?}")))
    }

    /// A number to sort states by: the canonical order is ascending. Default: all equal, which keeps their order.
    fn sort_key(&self, state: usize) -> f64 {
        let _ = state;
        0.0
    }

    /// The same distributions with state `order[j]` in place `j`; `None` where that is not supported.
    #[must_use]
    fn reordered(&self, order: &[usize]) -> Option<Self> {
        let _ = order;
        None
    }
}

/// Where EM begins.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, hmm::Start, linfa::ParamGuard};
///
/// assert!(CategoricalHmm::params(2).start(Start::Random).n_init(5).check().is_ok());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Start {
    /// Clusters of the observations without regard to time: k-means for measurements, quantiles for counts; random for symbols.
    #[default]
    Clusters,
    /// Random observations and random probabilities.
    Random,
}

impl Check for () {
    fn check(&self) -> Result<()> {
        Ok(())
    }
}
