//! Markov chains over labels of any type: estimated, tested, analysed, sampled.
//!
//! A chain is in one of finitely many states; `P_ij` is the probability of going from state `i` to state `j` in one step, whatever came
//! before. The matrix is kept by rows without its zeros, so a chain of 1e5 states and 1e6 transitions is small; what needs a
//! dense matrix says so.
//!
//! | question | answer |
//! |---|---|
//! | which probabilities fit the data | [`MarkovChain::params`] and `fit`, or [`TransitionCounts`] and [`MarkovChain::from_counts`] |
//! | is order 1 needed, is it enough | [`TransitionCounts::test_independence`], [`OrderTest`] |
//! | how likely is a sequence | [`log_likelihood`](MarkovChain::log_likelihood), [`perplexity`](MarkovChain::perplexity) |
//! | where does it go | [`predict_next`](MarkovChain::predict_next), [`after`](MarkovChain::after), [`sample`](MarkovChain::sample) |
//! | what is its structure | [`classes`](MarkovChain::classes), [`is_ergodic`](MarkovChain::is_ergodic), [`lumped`](MarkovChain::lumped) |
//! | where does it stay in the long run | [`stationary`](MarkovChain::stationary), [`stationary_distributions`](MarkovChain::stationary_distributions) |
//! | when, and whether, does it arrive | [`hitting_times`](MarkovChain::hitting_times), [`absorption`](MarkovChain::absorption), [`first_passage_times`](MarkovChain::first_passage_times) |
//! | how fast does it forget | [`mixing_time`](MarkovChain::mixing_time), [`spectral_gap`](MarkovChain::spectral_gap), [`entropy_rate`](MarkovChain::entropy_rate) |

mod alphabet;
mod classes;
mod counts;
mod graph;
mod mixing;
mod order;
mod passage;
mod reduce;
mod sparse;
mod stationary;

pub use classes::CommunicatingClass;
pub use counts::TransitionCounts;
pub use order::OrderTest;
pub use passage::Absorption;
pub use stationary::Stationary;

use std::marker::PhantomData;

use linfa::DatasetBase;
use linfa::dataset::Label;
use linfa::traits::{Fit, Predict, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix2};
use rand::Rng;

use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::params::{Check, Params, require, require_added_count};
use alphabet::Alphabet;
use counts::check_one_column;
use sparse::Sparse;

/// The most states of an analysis that needs dense matrices: 8192, half a gigabyte each.
///
/// # Example
/// ```
/// assert_eq!(sapwood::markov::MAX_DENSE_STATES.pow(2) * size_of::<f64>(), 512 << 20);
/// ```
pub const MAX_DENSE_STATES: usize = 8192;

/// A Markov chain of order 1 over labels of type `L`.
///
/// # Example
/// ```
/// use sapwood::{MarkovChain, data::Sequences, linfa::{DatasetBase, traits::{Fit, Predict}}, ndarray::array};
///
/// let days = array![["sun"], ["sun"], ["rain"], ["sun"], ["sun"], ["sun"], ["rain"], ["rain"]];
/// let dataset = DatasetBase::new(Sequences::new(days, vec![4, 4])?, ());
/// let chain = MarkovChain::params().fit(&dataset)?;
/// assert_eq!(chain.states(), ["rain", "sun"]);
/// assert_eq!(chain.probability(&"sun", &"rain")?, 0.5);
/// assert_eq!(chain.predict(&dataset)[2], "rain");
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Chain<L>", bound(deserialize = "L: Label + serde::Deserialize<'de>"))
)]
pub struct MarkovChain<L = usize> {
    states: Alphabet<L>,
    initial: Vec<f64>,
    transitions: Sparse<f64>,
}

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
    states: Option<Vec<L>>,
    pseudo_count: f64,
    label: PhantomData<L>,
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
        let counts = match &self.states {
            Some(states) => TransitionCounts::over(states.clone(), &dataset.records)?,
            None => TransitionCounts::new(&dataset.records)?,
        };
        MarkovChain::from_counts(&counts, self.pseudo_count)
    }
}

/// An array is one sequence.
impl<L: Label, S: Data<Elem = L>, T> Fit<ArrayBase<S, Ix2>, T, Error> for MarkovChainParams<L> {
    type Object = MarkovChain<L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<S, Ix2>, T>) -> Result<MarkovChain<L>> {
        self.fit(&DatasetBase::new(Sequences::single(dataset.records.view())?, ()))
    }
}

impl<L: Label> MarkovChain<L> {
    /// The parameters of an estimate by maximum likelihood; [`MarkovChainParams`] has the formula.
    #[must_use]
    pub fn params() -> Params<MarkovChainParams<L>> {
        Params(MarkovChainParams { states: None, pseudo_count: 0.0, label: PhantomData })
    }

    /// The chain of counted transitions, each count raised by `pseudo_count`.
    ///
    /// The likelihood says nothing of a state that was never left: without pseudo-counts it stays where it is, as an absorbing state, and
    /// [`never_left`](Self::never_left) finds it.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `pseudo_count` is not between 0 and 1e100, or is above 0 with more than [`MAX_DENSE_STATES`] states.
    pub fn from_counts(counts: &TransitionCounts<L>, pseudo_count: f64) -> Result<Self> {
        MarkovChainParams::<L> { states: None, pseudo_count, label: PhantomData }.check()?;
        let n = counts.states.len();
        let all = counts.first.iter().sum::<u64>() as f64 + pseudo_count * n as f64;
        let initial = match all {
            0.0 => vec![1.0 / n as f64; n],
            _ => counts.first.iter().map(|&first| (first as f64 + pseudo_count) / all).collect(),
        };
        if pseudo_count > 0.0 {
            check_dense(n)?;
            let table = counts.table().mapv(|count| count as f64 + pseudo_count);
            let sums = table.sum_axis(ndarray::Axis(1));
            let entries = table.indexed_iter().map(|((i, j), &count)| (i, j, count / sums[i]));
            return Ok(Self {
                states: counts.states.clone(),
                initial,
                transitions: Sparse::from_rows(n, entries),
            });
        }
        let entries = (0..n).flat_map(|i| {
            let left = counts.left(i);
            let stays = (left == 0).then_some((i, i, 1.0));
            let goes = counts.transitions.row(i).map(move |(j, count)| (i, j, count as f64 / left as f64));
            goes.chain(stays)
        });
        Ok(Self { states: counts.states.clone(), initial, transitions: Sparse::from_rows(n, entries) })
    }

    /// The chain with these probabilities; `matrix[[i, j]]` is that of going from `states[i]` to `states[j]`.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `states` is empty or repeats a label, a probability is negative or NaN, or a sum is not 1 within 1e-8;
    /// [`Error::Shape`] when a size is wrong.
    ///
    /// # Example
    /// ```
    /// use sapwood::{MarkovChain, ndarray::array};
    ///
    /// let matrix = array![[0.4, 0.3, 0.3], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]];
    /// let weather = MarkovChain::from_matrix(vec!["rain", "cloud", "sun"], &[0.0, 0.0, 1.0], matrix.view())?;
    /// let pi = weather.stationary()?;
    /// assert!((pi[2] - 6.0 / 11.0).abs() < 1e-15);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn from_matrix(states: Vec<L>, initial: &[f64], matrix: ArrayView2<'_, f64>) -> Result<Self> {
        let n = states.len();
        if matrix.dim() != (n, n) {
            let (rows, columns) = matrix.dim();
            let rule = format!("{n} rows and columns, one for each state");
            return Err(Error::shape("matrix", rule, format_args!("{rows} x {columns}")));
        }
        let entries = matrix.indexed_iter().filter(|&(_, &p)| p != 0.0).map(|((i, j), &p)| (i, j, p));
        Self::from_transitions(states, initial, entries.collect())
    }

    /// The chain with the transitions `(from, to, probability)`, by place in `states`; all others are impossible.
    ///
    /// # Errors
    /// Those of [`from_matrix`](Self::from_matrix), and [`Error::Parameter`] for a transition that comes twice or names no state.
    pub fn from_transitions(
        states: Vec<L>,
        initial: &[f64],
        transitions: Vec<(usize, usize, f64)>,
    ) -> Result<Self> {
        let states = Alphabet::new(states)?;
        let n = states.len();
        if initial.len() != n {
            let rule = format!("one entry for each of the {n} states");
            return Err(Error::shape("initial", rule, initial.len()));
        }
        check_distribution("initial", initial.iter().copied())?;
        if let Some(stray) = transitions.iter().find(|entry| entry.0 >= n || entry.1 >= n) {
            return Err(Error::parameter(
                "transitions",
                format!("among {n} states"),
                format_args!("{stray:?}"),
            ));
        }
        let transitions = Sparse::new(n, transitions);
        for i in 0..n {
            if let Some(twins) = transitions.columns(i).windows(2).find(|pair| pair[0] == pair[1]) {
                let value = format_args!("{i} -> {} twice", twins[0]);
                return Err(Error::parameter("transitions", "distinct", value));
            }
            check_distribution("matrix", transitions.row(i).map(|(_, p)| p))?;
        }
        Ok(Self { states, initial: initial.to_vec(), transitions })
    }

    /// The states; every vector and matrix of this chain has their order.
    #[must_use]
    pub fn states(&self) -> &[L] {
        self.states.labels()
    }

    /// Number of states.
    #[must_use]
    pub fn n_states(&self) -> usize {
        self.states.len()
    }

    /// Number of possible transitions.
    #[must_use]
    pub fn n_transitions(&self) -> usize {
        self.transitions.len()
    }

    /// The place of a label among the states.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown label.
    pub fn index(&self, label: &L) -> Result<usize> {
        self.states.index_of(label)
    }

    /// Probability of each state to come first.
    #[must_use]
    pub fn initial(&self) -> ArrayView1<'_, f64> {
        ArrayView1::from(&self.initial)
    }

    /// Probability of going from `from` to `to` in one step.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown label.
    pub fn probability(&self, from: &L, to: &L) -> Result<f64> {
        let (i, j) = (self.index(from)?, self.index(to)?);
        Ok(self.transitions.get(i, j).unwrap_or(0.0))
    }

    /// The possible steps from state `i`: `(to, probability)`, by ascending state.
    ///
    /// # Panics
    /// When there is no state `i`.
    pub fn steps(&self, i: usize) -> impl ExactSizeIterator<Item = (usize, f64)> + '_ {
        self.transitions.row(i)
    }

    /// The transition matrix, `(n_states, n_states)`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for more than [`MAX_DENSE_STATES`] states.
    pub fn matrix(&self) -> Result<Array2<f64>> {
        check_dense(self.n_states())?;
        let mut matrix = Array2::zeros((self.n_states(), self.n_states()));
        for (i, j, p) in self.transitions.entries() {
            matrix[[i, j]] = p;
        }
        Ok(matrix)
    }

    /// States whose only step is to stay: absorbing ones, and those that an estimate never saw left.
    #[must_use]
    pub fn never_left(&self) -> Vec<usize> {
        (0..self.n_states()).filter(|&i| self.transitions.columns(i) == [i]).collect()
    }

    /// Log of the probability of the sequences; `-inf` where one is impossible.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a label that is no state; [`Error::Shape`] when the records have more than one column.
    pub fn log_likelihood<S: Data<Elem = L>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        check_one_column(sequences)?;
        let mut sum = 0.0;
        for sequence in sequences.iter() {
            let mut from = None;
            for label in sequence.column(0) {
                let to = self.index(label)?;
                let p = match from {
                    None => self.initial[to],
                    Some(from) => self.transitions.get(from, to).unwrap_or(0.0),
                };
                sum += p.ln();
                from = Some(to);
            }
        }
        Ok(sum)
    }

    /// `exp(-log_likelihood / n)` for `n` observations: how many equally likely labels one is uncertain between at each step.
    ///
    /// # Errors
    /// Those of [`log_likelihood`](Self::log_likelihood).
    pub fn perplexity<S: Data<Elem = L>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        Ok((-self.log_likelihood(sequences)? / sequences.records().nrows() as f64).exp())
    }

    /// The distribution over the states `n_steps` after `distribution`.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Parameter`] unless `distribution` has one probability for each state, with a sum of 1 within 1e-8.
    ///
    /// # Complexity
    /// `O(n_steps * n_transitions)` time.
    pub fn after(&self, distribution: &[f64], n_steps: usize) -> Result<Array1<f64>> {
        let n = self.n_states();
        if distribution.len() != n {
            let rule = format!("one entry for each of the {n} states");
            return Err(Error::shape("distribution", rule, distribution.len()));
        }
        check_distribution("distribution", distribution.iter().copied())?;
        let mut now = distribution.to_vec();
        let mut next = vec![0.0; n];
        for _ in 0..n_steps {
            self.step(&now, &mut next);
            std::mem::swap(&mut now, &mut next);
        }
        Ok(now.into())
    }

    /// `next = now P`.
    fn step(&self, now: &[f64], next: &mut [f64]) {
        next.fill(0.0);
        for (i, &mass) in now.iter().enumerate() {
            if mass != 0.0 {
                for (j, p) in self.transitions.row(i) {
                    next[j] += mass * p;
                }
            }
        }
    }

    /// The most probable state after `label`; the first of several.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown label.
    pub fn predict_next(&self, label: &L) -> Result<&L> {
        let i = self.index(label)?;
        let best =
            self.transitions.row(i).fold((i, -1.0), |best, step| if step.1 > best.1 { step } else { best });
        Ok(&self.states.labels()[best.0])
    }

    /// Draws a sequence of `len` labels from its start.
    pub fn sample<R: Rng + ?Sized>(&self, len: usize, rng: &mut R) -> Array1<L> {
        let mut state = None;
        Array1::from_shape_simple_fn(len, || {
            let to = match state {
                None => draw(self.initial.iter().copied().enumerate(), rng),
                Some(from) => draw(self.transitions.row(from), rng),
            };
            state = Some(to);
            self.states.labels()[to].clone()
        })
    }
}

/// The most probable next label after each observation.
///
/// # Panics
/// When a label is no state of the chain, or the records have more than one column; linfa's signature has no room for an error.
impl<L: Label, S: Data<Elem = L>> PredictInplace<Sequences<S>, Array1<L>> for MarkovChain<L> {
    fn predict_inplace<'a>(&'a self, x: &'a Sequences<S>, y: &mut Array1<L>) {
        let rows = x.records().nrows();
        assert_eq!(rows, y.len(), "`y` must have one entry for each of the {rows} rows, got {}", y.len());
        if let Err(error) = check_one_column(x) {
            panic!("{error}");
        }
        for (next, label) in y.iter_mut().zip(x.records().column(0)) {
            match self.predict_next(label) {
                Ok(best) => next.clone_from(best),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn default_target(&self, x: &Sequences<S>) -> Array1<L> {
        Array1::default(x.records().nrows())
    }
}

impl<L: Label, S: Data<Elem = L>> Predict<&Sequences<S>, Array1<L>> for MarkovChain<L> {
    fn predict(&self, x: &Sequences<S>) -> Array1<L> {
        let mut y = self.default_target(x);
        self.predict_inplace(x, &mut y);
        y
    }
}

/// An array is one sequence, or none where it has no row.
///
/// # Panics
/// As for sequences.
impl<L: Label, S: Data<Elem = L>> PredictInplace<ArrayBase<S, Ix2>, Array1<L>> for MarkovChain<L> {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<S, Ix2>, y: &mut Array1<L>) {
        if x.nrows() == 0 {
            assert!(y.is_empty(), "`y` must have one entry for each of the 0 rows, got {}", y.len());
            return;
        }
        match Sequences::single(x.view()) {
            Ok(sequences) => self.predict_inplace(&sequences, y),
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &ArrayBase<S, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

/// An item, with its probability; the last possible one takes what rounding leaves.
fn draw<R: Rng + ?Sized>(items: impl Iterator<Item = (usize, f64)>, rng: &mut R) -> usize {
    let mut left: f64 = rng.r#gen();
    let mut last = 0;
    for (item, p) in items.filter(|item| item.1 > 0.0) {
        last = item;
        if left < p {
            break;
        }
        left -= p;
    }
    last
}

/// Probabilities: none negative or NaN, sum 1 within 1e-8.
fn check_distribution(name: &'static str, p: impl Iterator<Item = f64>) -> Result<()> {
    let mut sum = 0.0;
    for p in p {
        require(p >= 0.0, name, "probabilities, at least 0", p)?;
        sum += p;
    }
    require((sum - 1.0).abs() <= 1e-8, name, "probabilities with a sum of 1", format_args!("a sum of {sum}"))
}

fn check_dense(n: usize) -> Result<()> {
    require(n <= MAX_DENSE_STATES, "n_states", "at most 8192 where a dense matrix is needed", n)
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use linfa::dataset::Label;

    use super::{Alphabet, MarkovChain, Sparse, check_distribution};
    use crate::error::{Error, Result};

    #[derive(serde::Deserialize)]
    #[serde(bound(deserialize = "L: Label + serde::Deserialize<'de>"))]
    pub(super) struct Chain<L> {
        states: Alphabet<L>,
        initial: Vec<f64>,
        transitions: Sparse<f64>,
    }

    impl<L: Label> TryFrom<Chain<L>> for MarkovChain<L> {
        type Error = Error;

        fn try_from(Chain { states, initial, transitions }: Chain<L>) -> Result<Self> {
            let n = states.len();
            if initial.len() != n || transitions.n_rows() != n {
                let value = format_args!("{} and {} of them", initial.len(), transitions.n_rows());
                return Err(Error::shape("chain", format!("{n} first probabilities and rows"), value));
            }
            check_distribution("initial", initial.iter().copied())?;
            (0..n).try_for_each(|i| check_distribution("matrix", transitions.row(i).map(|(_, p)| p)))?;
            Ok(Self { states, initial, transitions })
        }
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

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for MarkovChain<L> {
    fn kind() -> String {
        format!("MarkovChain<{}>", crate::stored::type_word::<L>())
    }
}

#[cfg(test)]
mod tests;
