//! Estimation: Baum and Welch's EM, with starts, priors and known states.

use linfa::dataset::Label;
use linfa::traits::Fit;
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};
use rand::{RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

use super::emission::{Emission, Start};
use super::engine::UNKNOWN;
use super::stepwise::MiniBatches;
use super::sums::{HmmSums, Rooms};
use super::{Hmm, Observed, random_row};
use crate::data::{ClassIndex, Sequences, check_columns, check_same_rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::observe::{FitObserved, Observer, Progress};
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
    n_states: usize,
    pub(super) emission: E::Params,
    start: Start,
    start_from: Option<Hmm<E>>,
    topology: Topology,
    n_init: usize,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) seed: u64,
    initial_pseudo_count: f64,
    transition_pseudo_count: f64,
    mini_batches: Option<MiniBatches>,
}

impl<E: Emission> HmmParams<E> {
    pub(super) fn new(n_states: usize) -> Self {
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

    /// The M-step alone: the model that is most likely for these sums, under the priors and floors of the parameters.
    ///
    /// `model` gives what sums cannot: its zeros, and the parameters of states without weight. With [`Hmm::expected_sums`] and
    /// [`HmmSums::merge`] it is EM over data that is never in one place.
    ///
    /// # Example
    /// ```
    /// use sapwood::{PoissonHmm, data::Sequences, hmm::Poisson, ndarray::array};
    ///
    /// let model = PoissonHmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.1, 0.9]], Poisson::new(array![[2.0], [9.0]].view())?)?;
    /// let (here, there) = (Sequences::single(array![[1], [2]])?, Sequences::single(array![[8], [11]])?);
    /// let mut sums = model.expected_sums(&here)?;
    /// sums.merge(&model.expected_sums(&there)?, 1.0);
    /// let better = PoissonHmm::params(2).maximized(&model, &sums)?;
    /// assert!(better.score(&here)? + better.score(&there)? > sums.log_likelihood);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] for invalid parameters or another number of states; [`Error::Shape`] for sums of another model's sizes.
    pub fn maximized<L: Clone>(&self, model: &Hmm<E, L>, sums: &HmmSums<E>) -> Result<Hmm<E, L>> {
        let params = self.check_ref()?;
        let k = model.n_states();
        require(params.n_states == k, "n_states", "that of the model", params.n_states)?;
        sums.check_fits(k, &model.emission)?;
        Ok(params.maximize(model, sums).0)
    }

    /// Fits with the state of every row known: counts, where the emission needs no EM of its own.
    ///
    /// The states are the labels of the targets, sorted, and `n_states` must be their number.
    ///
    /// # Errors
    /// Those of the fit; [`Error::Shape`] unless there is a target for each row; [`Error::Parameter`] for another number of labels.
    ///
    /// # Example
    /// ```
    /// use sapwood::{CategoricalHmm, data::Sequences, linfa::{DatasetBase, traits::Predict}, ndarray::array};
    ///
    /// let x = Sequences::new(array![[0], [1], [2], [0], [2]], vec![3, 2])?;
    /// let tags = array!["article", "noun", "verb", "article", "noun"];
    /// let dataset = DatasetBase::new(x, tags);
    /// let model = CategoricalHmm::params(3).fit_supervised(&dataset)?;
    /// assert_eq!(model.labels(), ["article", "noun", "verb"]);
    /// assert_eq!(model.transition()[[1, 2]], 1.0);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn fit_supervised<S: Data<Elem = E::Elem>, L: Label>(
        &self,
        dataset: &DatasetBase<Sequences<S>, Array1<L>>,
    ) -> Result<Hmm<E, L>> {
        let targets = dataset.targets.mapv(Some);
        self.fit_known(&dataset.records, &targets)
    }

    /// Fits with the states of some rows known; `None` is a hidden one.
    ///
    /// The states are the labels that occur, sorted, and `n_states` must be their number. EM begins at the counts of what is known.
    ///
    /// # Errors
    /// Those of [`fit_supervised`](Self::fit_supervised).
    pub fn fit_semi_supervised<S: Data<Elem = E::Elem>, L: Label>(
        &self,
        dataset: &DatasetBase<Sequences<S>, Array1<Option<L>>>,
    ) -> Result<Hmm<E, L>> {
        self.fit_known(&dataset.records, &dataset.targets)
    }

    fn fit_known<S: Data<Elem = E::Elem>, L: Label>(
        &self,
        x: &Sequences<S>,
        targets: &Array1<Option<L>>,
    ) -> Result<Hmm<E, L>> {
        let params = self.check_ref()?;
        check_same_rows("targets", targets.len(), x.records().nrows())?;
        let index = ClassIndex::new(targets.iter().flatten().cloned().collect::<Array1<L>>().view())?;
        let k = params.n_states;
        if index.n_classes() != k {
            let rule = format!("{} states, one for each label", index.n_classes());
            return Err(Error::parameter("n_states", rule, k));
        }
        let state =
            |label: &Option<L>| label.as_ref().and_then(|label| index.column(label)).unwrap_or(UNKNOWN);
        let known = targets.iter().map(state).collect();
        let hmm = params.fit_from_starts(x, known, &mut ())?;
        let Hmm { initial, transition, emission, report, .. } = hmm;
        Ok(Hmm { initial, transition, emission, labels: index.classes().to_vec(), report })
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

/// Why EM ended.
///
/// # Example
/// See [`FitReport`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Stop {
    /// A round gained no more than `tol`.
    Converged,
    /// `max_iter` rounds were done.
    RanOut,
    /// A round lost more than rounding explains, as a floor on a variance can make it; the model is that before it.
    WentDown,
    /// The observer asked for it, in this start or in one after it; where that round lost, the model is that before it.
    Observer,
}

/// How a fit went.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, data::Sequences, hmm::Stop, linfa::DatasetBase, linfa::traits::Fit, ndarray::array};
///
/// let counts = Sequences::single(array![[1], [0], [2], [9], [11], [10], [1], [1]])?;
/// let model = PoissonHmm::params(2).max_iter(2).tol(0.0).fit(&DatasetBase::new(counts, ()))?;
/// let report = model.report().ok_or("no fit")?;
/// assert_eq!((report.stop, report.n_iter()), (Stop::RanOut, 2));
/// assert!(report.objectives[2] >= report.objectives[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FitReport {
    /// Why the chosen start ended.
    pub stop: Stop,
    /// Log-likelihood, plus the log of the priors up to a constant, after 0, 1, 2 .. rounds.
    pub objectives: Vec<f64>,
    /// Which of the `n_init` starts was chosen, from 0 on.
    pub start: usize,
    /// States without an expected observation in the last round; they kept their parameters.
    pub unvisited: Vec<usize>,
    /// States that the last round had to lift to a floor: a variance, or a rate.
    pub floored: Vec<usize>,
}

impl FitReport {
    /// Whether the chosen start converged.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.stop == Stop::Converged
    }

    /// Rounds of EM.
    #[must_use]
    pub fn n_iter(&self) -> usize {
        self.objectives.len().saturating_sub(1)
    }

    /// The objective of the model that was returned.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.objectives.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    pub(super) fn reordered(&self, order: &[usize]) -> Self {
        let places = |states: &[usize]| {
            (0..order.len()).filter(|&place| states.contains(&order[place])).collect::<Vec<usize>>()
        };
        Self { unvisited: places(&self.unvisited), floored: places(&self.floored), ..self.clone() }
    }
}

impl<E: Emission, S: Data<Elem = E::Elem>, T> Fit<Sequences<S>, T, Error> for HmmParams<E> {
    type Object = Hmm<E>;

    /// Fits to the observations; the targets are ignored ([`fit_supervised`](Params::fit_supervised) takes them as states).
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

impl<F: Float, E: Emission<Float = F>> HmmParams<E> {
    fn fit_from_starts<S: Data<Elem = E::Elem>>(
        &self,
        x: &Sequences<S>,
        known: Vec<usize>,
        observer: &mut dyn Observer,
    ) -> Result<Hmm<E>> {
        let rows = x.records().nrows();
        require(self.n_states <= rows, "n_states", "at most the number of observations", self.n_states)?;
        let longest = x.lengths().iter().max().copied().unwrap_or(0);
        let size = longest.checked_mul(self.n_states).filter(|&n| n <= isize::MAX as usize / size_of::<F>());
        require(size.is_some(), "n_states", "small enough for a row at each observation", self.n_states)?;
        if let Some(model) = &self.start_from {
            check_columns("records", x.records(), model.emission.n_features())?;
        }
        let observed = Observed { known: known.into(), ..Observed::unchecked(x) };
        let mut best: Option<Hmm<E>> = None;
        for start in 0..self.n_init {
            let mut rng = Xoshiro256Plus::seed_from_u64(self.seed.wrapping_add(start as u64));
            let first = self.first_model(&observed, &mut rng)?;
            first.emission.check(&observed.rows)?;
            let (model, stopped) = match self.mini_batches {
                None => self.climb(first, &observed, start, observer)?,
                Some(batches) => self.climb_by_batches(batches, first, &observed, start, observer)?,
            };
            let objective =
                |model: &Hmm<E>| model.report.as_ref().map_or(f64::NEG_INFINITY, FitReport::objective);
            if best.as_ref().is_none_or(|best| objective(&model) > objective(best)) {
                best = Some(model);
            }
            // Also where a start before it is the better one.
            if let (true, Some(Hmm { report: Some(report), .. })) = (stopped, &mut best) {
                report.stop = Stop::Observer;
            }
            // The same model each time needs no second start.
            if stopped || self.start_from.is_some() {
                break;
            }
        }
        best.ok_or_else(|| Error::parameter("n_init", "at least 1", self.n_init))
    }

    /// EM from `model` on; true where the observer stopped it.
    fn climb(
        &self,
        mut model: Hmm<E>,
        observed: &Observed<'_, E::Elem>,
        start: usize,
        observer: &mut dyn Observer,
    ) -> Result<(Hmm<E>, bool)> {
        let mut objectives: Vec<f64> = Vec::new();
        let (mut unvisited, mut floored) = (Vec::new(), Vec::new());
        let mut before = None;
        let mut rooms = Rooms::default();
        let stop = loop {
            let sums = rooms.expect(&model, observed)?;
            let objective = sums.log_likelihood + self.log_prior(&model);
            let gain = objectives.last().map_or(f64::INFINITY, |last| objective - last);
            objectives.push(objective);
            let round = objectives.len() - 1;
            let mut progress = Progress::new("em", round as u64, self.max_iter as u64);
            progress.objective = Some(objective);
            let stopped = observer.observe(&progress).is_break();
            // What rounding can make of a sum of this size.
            let rounding = 4096.0 * F::epsilon().as_f64() * objective.abs();
            if gain < -rounding {
                if let Some(before) = before {
                    model = before;
                }
                break if stopped { Stop::Observer } else { Stop::WentDown };
            }
            if stopped {
                break Stop::Observer;
            }
            if gain <= self.tol {
                break Stop::Converged;
            }
            if round == self.max_iter {
                break Stop::RanOut;
            }
            let next = self.maximize(&model, &sums);
            (unvisited, floored) = (next.1, next.2);
            before = Some(std::mem::replace(&mut model, next.0));
        };
        model.report = Some(FitReport { stop, objectives, start, unvisited, floored });
        Ok((model, stop == Stop::Observer))
    }

    /// The M-step: the model that is most likely for these sums, states without weight, and states at a floor.
    pub(super) fn maximize<L: Clone>(
        &self,
        model: &Hmm<E, L>,
        sums: &HmmSums<E>,
    ) -> (Hmm<E, L>, Vec<usize>, Vec<usize>) {
        let mut next = model.clone();
        next.report = None;
        raise(next.initial.iter_mut(), sums.initial.iter(), self.initial_pseudo_count);
        for (row, sums) in next.transition.rows_mut().into_iter().zip(sums.transitions.rows()) {
            raise(row.into_iter(), sums.iter(), self.transition_pseudo_count);
        }
        let floored = next.emission.maximize(&sums.emission, &self.emission);
        let into = |state: usize| sums.initial[state] + sums.transitions.column(state).sum();
        let unvisited = (0..model.n_states()).filter(|&state| into(state) <= 0.0).collect();
        (next, unvisited, floored)
    }

    pub(super) fn log_prior(&self, model: &Hmm<E>) -> f64 {
        let log = |p: &F| if *p > F::zero() { p.as_f64().ln() } else { 0.0 };
        let mut sum = self.emission_log_prior(model);
        if self.initial_pseudo_count > 0.0 {
            sum += self.initial_pseudo_count * model.initial.iter().map(log).sum::<f64>();
        }
        if self.transition_pseudo_count > 0.0 {
            sum += self.transition_pseudo_count * model.transition.iter().map(log).sum::<f64>();
        }
        sum
    }

    fn emission_log_prior(&self, model: &Hmm<E>) -> f64 {
        model.emission.log_prior(&self.emission)
    }

    /// Where EM begins: the given model, or the emission's start with transitions to match.
    fn first_model(&self, observed: &Observed<'_, E::Elem>, rng: &mut dyn RngCore) -> Result<Hmm<E>> {
        let model = match &self.start_from {
            Some(model) => model.clone(),
            None => self.started_model(observed, rng)?,
        };
        if observed.known.is_empty() || self.start_from.is_some() {
            return Ok(model);
        }
        // Known states say where to begin; what they never do must stay possible for the hidden rows.
        let mut sums = HmmSums::of_known(&model, observed);
        if observed.known.contains(&UNKNOWN) {
            sums.initial += 0.1;
            sums.transitions += 0.1;
        }
        Ok(self.maximize(&model, &sums).0)
    }

    fn started_model(&self, observed: &Observed<'_, E::Elem>, rng: &mut dyn RngCore) -> Result<Hmm<E>> {
        let (k, d) = (self.n_states, observed.width);
        let (emission, clusters) = E::start(&observed.rows, d, k, &self.emission, self.start, rng)?;
        let (mut initial, mut transition) = (vec![0.0; k], Array2::from_elem((k, k), 0.0));
        for (i, mut row) in transition.rows_mut().into_iter().enumerate() {
            // Half of each row on staying: hidden states are mostly of a kind that lasts.
            row.assign(&(Array1::from(random_row(k, rng)) * 0.5));
            row[i] += 0.5;
            if let Topology::LeftRight { max_jump } = self.topology {
                let allowed = |j: usize| (i..=i.saturating_add(max_jump)).contains(&j);
                row.indexed_iter_mut().filter(|(j, _)| !allowed(*j)).for_each(|(_, p)| *p = 0.0);
            }
        }
        match self.topology {
            Topology::Ergodic => initial = random_row(k, rng),
            Topology::LeftRight { .. } => initial[0] = 1.0,
        }
        if let Some(clusters) = clusters {
            // Steps between the clusters count on top of one for each step that is possible.
            transition.mapv_inplace(|p| if p > 0.0 { 1.0 } else { 0.0 });
            for range in &observed.ranges {
                for pair in clusters[range.clone()].windows(2) {
                    let sum = &mut transition[[pair[0], pair[1]]];
                    *sum += if *sum > 0.0 { 1.0 } else { 0.0 };
                }
            }
        }
        let normal = |row: ndarray::ArrayView1<'_, f64>| {
            let sum = row.sum();
            row.mapv(|p| F::cast(p / sum))
        };
        let mut a = Array2::zeros((k, k));
        for (mut to, row) in a.rows_mut().into_iter().zip(transition.rows()) {
            to.assign(&normal(row));
        }
        Hmm::new(normal(Array1::from(initial).view()), a, emission)
    }
}

/// Replaces probabilities by their share of the counts; zeros stay, and so does everything where there is no count.
fn raise<'a, F: Float>(
    p: impl ExactSizeIterator<Item = &'a mut F>,
    counts: impl Iterator<Item = &'a f64>,
    pseudo_count: f64,
) {
    let mut pairs: Vec<(&mut F, f64)> = p.zip(counts).map(|(p, n)| (p, n + pseudo_count)).collect();
    pairs.retain(|pair| *pair.0 > F::zero());
    let sum: f64 = pairs.iter().map(|pair| pair.1).sum();
    if sum > 0.0 && sum.is_finite() {
        pairs.into_iter().for_each(|(p, n)| *p = F::cast(n / sum));
    }
}

#[cfg(feature = "serde")]
impl<F, E> crate::stored::Stored for HmmParams<E>
where
    F: Float + serde::Serialize + serde::de::DeserializeOwned,
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
