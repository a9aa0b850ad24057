//! What is asked of an estimate.

use super::stepwise::MiniBatches;
use crate::error::Result;
use crate::hmm::Hmm;
use crate::hmm::emission::{Emission, Start};
use crate::params::{Check, Params, require, require_added_count};

/// The most hidden states: a transition matrix of half a gigabyte.
const MAX_STATES: usize = 8192;

/// Which transitions a start has; those of probability 0 keep it.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, data::Sequences, hmm::Topology, linfa::DatasetBase, linfa::traits::Fit, ndarray::array};
///
/// // A machine that wears: states come one after the other and never again.
/// let faults = Sequences::single(array![[0], [1], [0], [4], [5], [4], [19], [22], [20]])?;
/// let params = PoissonHmm::params(3).topology(Topology::LeftRight { max_jump: 1 });
/// let model = params.fit(&DatasetBase::new(faults, ()))?;
/// assert_eq!((model.transition()[[1, 0]], model.transition()[[0, 2]]), (0.0, 0.0));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Topology {
    /// From every state to every state.
    #[default]
    Ergodic,
    /// From state 0 on, to the same state or up to `max_jump` states further.
    LeftRight {
        /// At least 1.
        max_jump: usize,
    },
}

/// How a hidden Markov model is estimated.
///
/// EM: the expected counts under the present model, then the model that is most likely for them. Each round raises the likelihood,
/// to a local maximum; `n_init` starts look for a good one.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, data::Sequences, linfa::DatasetBase, linfa::traits::Fit, ndarray::array};
///
/// let counts = Sequences::single(array![[1], [0], [2], [9], [11], [10], [1], [1]])?;
/// let model = PoissonHmm::params(2).n_init(3).tol(1e-6).seed(1).fit(&DatasetBase::new(counts, ()))?;
/// assert!(model.report().is_some_and(|report| report.converged()));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "E: serde::Serialize, E::Params: serde::Serialize, E::Float: serde::Serialize",
        deserialize = "E: serde::Deserialize<'de>, E::Params: serde::Deserialize<'de>, E::Float: serde::Deserialize<'de>"
    ))
)]
pub struct HmmParams<E: Emission> {
    pub(super) n_states: usize,
    pub(in crate::hmm) emission: E::Params,
    pub(super) start: Start,
    pub(super) start_from: Option<Hmm<E>>,
    pub(super) topology: Topology,
    pub(super) n_init: usize,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) seed: u64,
    pub(super) initial_pseudo_count: f64,
    pub(super) transition_pseudo_count: f64,
    pub(super) mini_batches: Option<MiniBatches>,
}

impl<E: Emission> HmmParams<E> {
    pub(in crate::hmm) fn new(n_states: usize) -> Self {
        Self {
            n_states,
            emission: E::Params::default(),
            start: Start::default(),
            start_from: None,
            topology: Topology::default(),
            n_init: 1,
            max_iter: 100,
            tol: 1e-2,
            seed: 0,
            initial_pseudo_count: 0.0,
            transition_pseudo_count: 0.0,
            mini_batches: None,
        }
    }
}

impl<E: Emission> Params<HmmParams<E>> {
    /// The emission's own parameters, for an emission without setters here.
    #[must_use]
    pub fn emission(mut self, emission: E::Params) -> Self {
        self.0.emission = emission;
        self
    }

    /// Where EM begins; default [`Start::Clusters`].
    #[must_use]
    pub fn start(mut self, start: Start) -> Self {
        self.0.start = start;
        self
    }

    /// Begins at this model instead; its zeros stay zeros.
    #[must_use]
    pub fn start_from(mut self, model: Hmm<E>) -> Self {
        self.0.start_from = Some(model);
        self
    }

    /// Which transitions are possible; default [`Topology::Ergodic`].
    #[must_use]
    pub fn topology(mut self, topology: Topology) -> Self {
        self.0.topology = topology;
        self
    }

    /// Number of starts, of which the most likely end is taken; at least 1, default 1.
    #[must_use]
    pub fn n_init(mut self, n_init: usize) -> Self {
        self.0.n_init = n_init;
        self
    }

    /// Most rounds of EM, at least 1; default 100.
    #[must_use]
    #[doc(alias = "n_iter")]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// EM has converged when a round gains at most this much log-likelihood; at least 0, default 0.01.
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Seed of the starts; default 0.
    #[must_use]
    #[doc(alias = "random_state")]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }

    /// Added to the expected count of each possible first state, at least 0; default 0. A Dirichlet prior of parameter `1 + pseudo_count`.
    #[must_use]
    #[doc(alias = "startprob_prior")]
    pub fn initial_pseudo_count(mut self, pseudo_count: f64) -> Self {
        self.0.initial_pseudo_count = pseudo_count;
        self
    }

    /// Added to the expected count of each possible transition, at least 0; default 0. A Dirichlet prior of parameter `1 + pseudo_count`.
    #[must_use]
    #[doc(alias = "transmat_prior")]
    pub fn transition_pseudo_count(mut self, pseudo_count: f64) -> Self {
        self.0.transition_pseudo_count = pseudo_count;
        self
    }

    /// Stepwise EM: an M-step after every `size` sequences, at least 1; default none, which is after all of them.
    ///
    /// Far fewer passes over many sequences. Batch `m` weighs `(m + 2)^-decay` against all before it, with `decay` above 0.5 and at most 1; 0.7
    /// is a good start, and less forgets faster. A round is one pass; the objective is that of all sequences after it, and the best round's model is returned.
    ///
    /// # Example
    /// ```
    /// use sapwood::{PoissonHmm, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array2};
    ///
    /// let counts = Array2::from_shape_fn((400, 1), |(t, _)| if t % 20 < 10 { t % 3 } else { 15 + t % 4 });
    /// let dataset = DatasetBase::new(Sequences::new(counts, vec![40; 10])?, ());
    /// let model = PoissonHmm::params(2).mini_batches(2, 0.7).max_iter(5).fit(&dataset)?.canonical()?;
    /// assert!((model.emission().rates()[[1, 0]] - 16.7).abs() < 0.1);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # References
    /// O. Cappé and E. Moulines, On-line EM algorithm for latent data models (2009); P. Liang and D. Klein, Online EM for unsupervised models (2009).
    #[must_use]
    pub fn mini_batches(mut self, size: usize, decay: f64) -> Self {
        self.0.mini_batches = Some(MiniBatches { size, decay });
        self
    }
}

impl<E: Emission> Check for HmmParams<E> {
    fn check(&self) -> Result<()> {
        let k = self.n_states;
        require(k >= 1, "n_states", "at least 1", k)?;
        require(k <= MAX_STATES, "n_states", "at most 8192", k)?;
        require(self.n_init >= 1, "n_init", "at least 1", self.n_init)?;
        require(self.max_iter >= 1, "max_iter", "at least 1", self.max_iter)?;
        require(self.tol >= 0.0 && self.tol.is_finite(), "tol", "at least 0 and finite", self.tol)?;
        let counts = [
            ("initial_pseudo_count", self.initial_pseudo_count),
            ("transition_pseudo_count", self.transition_pseudo_count),
        ];
        for (name, a) in counts {
            require_added_count(name, a)?;
        }
        if let Topology::LeftRight { max_jump } = self.topology {
            require(max_jump >= 1, "max_jump", "at least 1", max_jump)?;
        }
        if let Some(model) = &self.start_from {
            let rule = "that of the model in `start_from`";
            require(model.n_states() == k, "n_states", rule, k)?;
        }
        if let Some(batches) = self.mini_batches {
            batches.check()?;
        }
        self.emission.check()
    }
}

#[cfg(feature = "serde")]
impl<F, E> crate::stored::Stored for HmmParams<E>
where
    F: crate::float::Float + serde::Serialize + serde::de::DeserializeOwned,
    E: Emission<Float = F> + crate::stored::Stored,
    E::Params: serde::Serialize + serde::de::DeserializeOwned,
{
    const VERSION: u16 = E::VERSION;

    fn kind() -> String {
        format!("HmmParams<{}>", E::kind())
    }

    fn validate(&self) -> Result<()> {
        self.start_from.as_ref().map_or(Ok(()), crate::stored::Stored::validate)?;
        self.check()
    }
}
