//! Hidden Markov models: filtered, smoothed, decoded, estimated.
//!
//! A hidden chain of states `z_t` with transition probabilities `A_ij` emits an observation at each step, whose distribution depends on the state
//! alone. [`Hmm`] is the model over any [`Emission`]; the usual ones have names of their own:
//!
//! | model | observations |
//! |---|---|
//! | [`CategoricalHmm`] | symbols `0..n`, as `usize` |
//! | [`PoissonHmm`] | counts, as `usize` |
//! | [`GaussianHmm`] | measurements; spherical, diagonal, full or tied covariance |
//! | [`GaussianMixtureHmm`] | measurements with several modes in a state |
//! | `Hmm<E>` | your own: implement [`Emission`] |
//!
//! Observations come as [`Sequences`]: many sequences of unequal length in one array. A missing observation is [`MISSING`] or a row of NaN.
//!
//! | question | answer |
//! |---|---|
//! | how likely is it, which model is better | [`score`](Hmm::score), [`aic`](Hmm::aic), [`bic`](Hmm::bic) |
//! | where is the chain now, where was it | [`filter`](Hmm::filter), [`backward`](Hmm::backward), [`posteriors`](Hmm::posteriors), [`online`](Hmm::online), [`fixed_lag`](Hmm::fixed_lag) |
//! | which path did it take | [`viterbi`](Hmm::viterbi), [`ranked_paths`](Hmm::ranked_paths) |
//! | what comes next | [`next_states`](Hmm::next_states), [`next_means`](Hmm::next_means), [`next_log_likelihoods`](Hmm::next_log_likelihoods) |
//! | the same without allocation | [`recursions`](Hmm::recursions) |
//! | EM over data in several places | [`expected_sums`](Hmm::expected_sums), [`HmmSums::merge`], `maximized` of the parameters |
//!
//! # Numbers
//! Probabilities are computed as such, each row of likelihoods divided by its largest and each filtered row rescaled by a power of two, so that ten
//! million steps lose no digit to underflow; a sequence in which one step would, or in which a state that may matter later would be lost for good, is
//! done again in logs. An impossible sequence has the log-likelihood `-inf`; what has no meaning then, a path or a posterior, is an error. No result
//! is NaN.

mod categorical;
mod decode;
mod emission;
mod engine;
mod fit;
mod gaussian;
mod mixture;
mod online;
mod poisson;
mod predict;
mod ranked;
mod recursions;
mod sums;

pub use categorical::{Categorical, CategoricalParams};
pub use decode::Path;
pub use emission::{Emission, Start};
pub use fit::{FitReport, HmmParams, Stop, Topology};
pub use gaussian::{Covariance, Gaussian, GaussianParams, GaussianSums};
pub use mixture::{GaussianMixture, GaussianMixtureParams};
pub use online::{FixedLag, OnlineFilter};
pub use poisson::{Poisson, PoissonParams};
pub use ranked::RankedPath;
pub use recursions::Recursions;
pub use sums::HmmSums;

use std::borrow::Cow;
use std::ops::Range;

use linfa::dataset::Label;
use ndarray::{Array1, Array2, ArrayView1, ArrayView2, Data};
use rand::{Rng, RngCore};

use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::params::require;
use engine::Observations;

/// A symbol or count that was not observed.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, data::Sequences, hmm::{MISSING, Poisson}, ndarray::array};
///
/// let model = PoissonHmm::new(array![1.0], array![[1.0]], Poisson::new(array![[2.0]].view())?)?;
/// let with_gap = Sequences::single(array![[3], [MISSING], [1]])?;
/// assert_eq!(model.score(&with_gap)?, model.score(&Sequences::single(array![[3], [1]])?)?);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub const MISSING: usize = usize::MAX;

/// A hidden Markov model of symbols.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::array};
///
/// let emission = Categorical::new(array![[0.5, 0.5], [0.1, 0.9]].view())?;
/// let model = CategoricalHmm::new(array![0.9, 0.1], array![[0.9, 0.1], [0.1, 0.9]], emission)?;
/// assert_eq!(model.viterbi(&Sequences::single(array![[0], [1], [1]])?)?.states, array![0, 0, 0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type CategoricalHmm<L = usize> = Hmm<Categorical<f64>, L>;
/// A hidden Markov model of counts.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, data::Sequences, hmm::Poisson, ndarray::array};
///
/// let emission = Poisson::new(array![[1.0], [20.0]].view())?;
/// let model = PoissonHmm::new(array![0.9, 0.1], array![[0.9, 0.1], [0.1, 0.9]], emission)?;
/// assert_eq!(model.viterbi(&Sequences::single(array![[0], [2], [19]])?)?.states, array![0, 0, 1]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type PoissonHmm<L = usize> = Hmm<Poisson<f64>, L>;
/// A hidden Markov model of measurements.
///
/// # Example
/// ```
/// use sapwood::{GaussianHmm, data::Sequences, hmm::Gaussian, ndarray::array};
///
/// let emission = Gaussian::diagonal(array![[0.0], [9.0]].view(), array![[1.0], [1.0]].view())?;
/// let model = GaussianHmm::new(array![0.9, 0.1], array![[0.9, 0.1], [0.1, 0.9]], emission)?;
/// assert_eq!(model.viterbi(&Sequences::single(array![[0.3], [-0.2], [8.8]])?)?.states, array![0, 0, 1]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type GaussianHmm<F = f64, L = usize> = Hmm<Gaussian<F>, L>;
/// A hidden Markov model of measurements with several modes in a state.
///
/// # Example
/// ```
/// use sapwood::{GaussianMixtureHmm, data::Sequences, linfa::DatasetBase, linfa::traits::Fit, ndarray::Array2};
///
/// // A state that is at 0 or 2, and one that is at 20 or 30.
/// let x = Array2::from_shape_fn((120, 1), |(i, _)| [0.0, 2.0, 20.0, 30.0][i / 30 % 2 * 2 + i * 7 % 2] + (i * 5 % 9) as f64 * 0.02);
/// let model = GaussianMixtureHmm::params(2).n_components(2).fit(&DatasetBase::new(Sequences::single(x)?, ()))?;
/// assert_eq!((model.n_states(), model.emission().weights().dim()), (2, (2, 2)));
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type GaussianMixtureHmm<F = f64, L = usize> = Hmm<GaussianMixture<F>, L>;

/// A hidden Markov model with emission `E`, whose states are called by labels `L`.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::array};
///
/// // A patient is healthy or has a fever, and feels normal (0), cold (1) or dizzy (2).
/// let emission = Categorical::new(array![[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]].view())?;
/// let model = CategoricalHmm::new(array![0.6, 0.4], array![[0.7, 0.3], [0.4, 0.6]], emission)?;
/// let visits = Sequences::single(array![[0], [1], [2]])?;
/// assert_eq!(model.viterbi(&visits)?.states, array![0, 0, 1]);
/// assert!((model.score(&visits)?.exp() - 907.0 / 25000.0).abs() < 1e-15);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(
        serialize = "E: serde::Serialize, E::Float: serde::Serialize, L: serde::Serialize",
        deserialize = "E: serde::Deserialize<'de>, E::Float: serde::Deserialize<'de>, L: serde::Deserialize<'de>"
    )),
    serde(try_from = "stored::Model<E, L>")
)]
pub struct Hmm<E: Emission, L = usize> {
    initial: Array1<E::Float>,
    /// In standard layout.
    transition: Array2<E::Float>,
    emission: E,
    labels: Vec<L>,
    report: Option<FitReport>,
}

/// By hand, because a derived `clone_from` would give up the memory that there is: EM copies a model each round.
impl<E: Emission, L: Clone> Clone for Hmm<E, L> {
    fn clone(&self) -> Self {
        let Self { initial, transition, emission, labels, report } = self;
        Self {
            initial: initial.clone(),
            transition: transition.clone(),
            emission: emission.clone(),
            labels: labels.clone(),
            report: report.clone(),
        }
    }

    fn clone_from(&mut self, other: &Self) {
        self.initial.clone_from(&other.initial);
        self.transition.clone_from(&other.transition);
        self.emission.clone_from(&other.emission);
        self.labels.clone_from(&other.labels);
        self.report.clone_from(&other.report);
    }
}

impl<E: Emission> Hmm<E, usize> {
    /// The model with these parameters; `transition[[i, j]]` is the probability of going from state `i` to state `j`.
    ///
    /// # Errors
    /// [`Error::Shape`] when sizes differ; [`Error::Parameter`] when a probability is negative or NaN, or a sum is not 1 within 1e-8 (1e-4 in `f32`).
    pub fn new(initial: Array1<E::Float>, transition: Array2<E::Float>, emission: E) -> Result<Self> {
        let k = emission.n_states();
        Self::labelled(initial, transition, emission, (0..k).collect())
    }

    /// The parameters of a fit with `n_states` states; [`HmmParams`] has them all.
    #[must_use]
    pub fn params(n_states: usize) -> crate::params::Params<HmmParams<E>> {
        crate::params::Params(HmmParams::new(n_states))
    }
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// As [`new`](Hmm::new), with a label for each state.
    ///
    /// # Errors
    /// Those of [`new`](Hmm::new), and [`Error::Shape`] unless there is one label for each state.
    pub fn labelled(initial: Array1<F>, transition: Array2<F>, emission: E, labels: Vec<L>) -> Result<Self> {
        let k = emission.n_states();
        let each = || format!("one entry for each of the {k} states");
        if initial.len() != k {
            return Err(Error::shape("initial", each(), initial.len()));
        }
        if labels.len() != k {
            return Err(Error::shape("labels", each(), labels.len()));
        }
        if transition.dim() != (k, k) {
            let (rows, columns) = transition.dim();
            let rule = format!("{k} rows and columns, one for each state");
            return Err(Error::shape("transition", rule, format_args!("{rows} x {columns}")));
        }
        require(k > 0, "n_states", "at least 1", k)?;
        check_rows("initial", initial.view().insert_axis(ndarray::Axis(0)))?;
        check_rows("transition", transition.view())?;
        // Both one number after another, whatever layout they came in.
        let initial = Array1::from_vec(initial.into_iter().collect());
        let transition = Array2::from_shape_vec((k, k), transition.into_iter().collect()).unwrap_or_default();
        Ok(Self { initial, transition, emission, labels, report: None })
    }

    /// Probability of each state to come first.
    #[must_use]
    pub fn initial(&self) -> ArrayView1<'_, F> {
        self.initial.view()
    }

    /// The transition probabilities, `(n_states, n_states)`.
    #[must_use]
    pub fn transition(&self) -> ArrayView2<'_, F> {
        self.transition.view()
    }

    /// The distributions of the observations.
    #[must_use]
    pub fn emission(&self) -> &E {
        &self.emission
    }

    /// The label of each state.
    #[must_use]
    pub fn labels(&self) -> &[L] {
        &self.labels
    }

    /// Number of hidden states.
    #[must_use]
    pub fn n_states(&self) -> usize {
        self.initial.len()
    }

    /// How the fit went; `None` for a model that was not fitted.
    #[must_use]
    pub fn report(&self) -> Option<&FitReport> {
        self.report.as_ref()
    }

    /// Number of free parameters; transitions and starts of probability 0 are none.
    #[must_use]
    pub fn n_parameters(&self) -> usize {
        let free = |row: ArrayView1<'_, F>| row.iter().filter(|&&p| p > F::zero()).count().saturating_sub(1);
        let transitions: usize = self.transition.rows().into_iter().map(free).sum();
        transitions + free(self.initial.view()) + self.emission.n_parameters()
    }
}

impl<E: Emission, L: Label> Hmm<E, L> {
    /// The same model with state `order[j]` in place `j`; each state keeps its label.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless `order` holds each state once, or where the emission cannot be reordered.
    pub fn reordered(&self, order: &[usize]) -> Result<Self> {
        let mut sorted = order.to_vec();
        sorted.sort_unstable();
        let whole = sorted.iter().copied().eq(0..self.n_states());
        require(whole, "order", "each state once", format_args!("{order:?}"))?;
        let emission = self.emission.reordered(order);
        let emission = emission
            .ok_or_else(|| Error::parameter("order", "that of the emission, which has no other", "one"))?;
        Ok(Self {
            initial: order.iter().map(|&i| self.initial[i]).collect(),
            transition: Array2::from_shape_fn(self.transition.dim(), |(i, j)| {
                self.transition[[order[i], order[j]]]
            }),
            emission,
            labels: order.iter().map(|&i| self.labels[i].clone()).collect(),
            report: self.report.as_ref().map(|report| report.reordered(order)),
        })
    }
}

impl<E: Emission> Hmm<E, usize> {
    /// The model with its states by ascending first mean, rate or expected symbol, called `0..n_states` again: so two fits can be compared.
    ///
    /// # Errors
    /// [`Error::Parameter`] where the emission cannot be reordered.
    pub fn canonical(&self) -> Result<Self> {
        let mut order: Vec<usize> = (0..self.n_states()).collect();
        order.sort_by(|&a, &b| self.emission.sort_key(a).total_cmp(&self.emission.sort_key(b)));
        Ok(Self { labels: (0..order.len()).collect(), ..self.reordered(&order)? })
    }
}

/// Errors unless each row is a distribution: none negative or NaN, sum 1 within what rounding of the type explains.
fn check_rows<F: Float>(name: &'static str, rows: ArrayView2<'_, F>) -> Result<()> {
    let tolerance = f64::max(1e-8, 1e3 * F::epsilon().as_f64());
    for row in rows.rows() {
        for &p in row {
            require(p >= F::zero(), name, "probabilities, at least 0", p)?;
        }
        let sum: f64 = row.iter().map(|p| p.as_f64()).sum();
        let holds = (sum - 1.0).abs() <= tolerance;
        require(holds, name, "probabilities with a sum of 1", format_args!("a sum of {sum}"))?;
    }
    Ok(())
}

/// Sequences whose rows were checked, one row after another.
struct Observed<'a, T: Clone> {
    rows: Cow<'a, [T]>,
    /// The rows of each sequence.
    ranges: Vec<Range<usize>>,
    width: usize,
    /// The state of each row where some are known, else empty.
    known: Cow<'a, [usize]>,
}

impl<'a, T: Copy> Observed<'a, T> {
    /// What every method checks first.
    fn new<E: Emission<Elem = T>, S: Data<Elem = T>>(emission: &E, x: &'a Sequences<S>) -> Result<Self> {
        crate::data::check_columns("records", x.records(), emission.n_features())?;
        let observed = Self::unchecked(x);
        emission.check(&observed.rows)?;
        Ok(observed)
    }

    fn unchecked<S: Data<Elem = T>>(x: &'a Sequences<S>) -> Self {
        let rows = match x.records().as_slice() {
            Some(rows) => Cow::Borrowed(rows),
            None => Cow::Owned(x.records().iter().copied().collect()),
        };
        let ranges = (0..x.n_sequences()).filter_map(|i| x.range(i)).collect();
        Self { rows, ranges, width: x.records().ncols(), known: Cow::Borrowed(&[]) }
    }

    /// Some of the sequences.
    fn select(&self, sequences: &[usize]) -> Observed<'_, T> {
        Observed {
            rows: Cow::Borrowed(&self.rows),
            ranges: sequences.iter().map(|&i| self.ranges[i].clone()).collect(),
            width: self.width,
            known: Cow::Borrowed(&self.known),
        }
    }

    fn n_rows(&self) -> usize {
        self.ranges.iter().map(ExactSizeIterator::len).sum()
    }

    fn n_sequences(&self) -> usize {
        self.ranges.len()
    }

    fn sequence(&self, i: usize) -> Observations<'_, T> {
        let Range { start, end } = self.ranges[i].clone();
        Observations {
            x: &self.rows[start * self.width..end * self.width],
            known: self.known.get(start..end).unwrap_or_default(),
        }
    }

    /// Sequences that are worked on together, so that a thread has enough to do: at most about `most` groups, fixed by the data.
    fn groups(&self, most: usize) -> Vec<Range<usize>> {
        let mut groups = Vec::new();
        self.groups_into(most, &mut groups);
        groups
    }

    fn groups_into(&self, most: usize, groups: &mut Vec<Range<usize>>) {
        let target = self.n_rows().div_ceil(most).max(1 << 12);
        groups.clear();
        let (mut first, mut rows) = (0, 0);
        for (i, range) in self.ranges.iter().enumerate() {
            rows += range.len();
            if rows >= target || i + 1 == self.ranges.len() {
                groups.push(first..i + 1);
                (first, rows) = (i + 1, 0);
            }
        }
    }
}

/// An index with the given probability; the last possible one takes what rounding leaves.
fn draw(p: impl Iterator<Item = f64>, rng: &mut dyn RngCore) -> usize {
    let mut left: f64 = rng.r#gen();
    let mut last = 0;
    for (i, p) in p.enumerate().filter(|&(_, p)| p > 0.0) {
        last = i;
        if left < p {
            break;
        }
        left -= p;
    }
    last
}

/// A standard normal number: Box and Muller (1958).
fn draw_normal(rng: &mut dyn RngCore) -> f64 {
    let (radius, angle): (f64, f64) = (1.0 - rng.r#gen::<f64>(), rng.r#gen());
    (-2.0 * radius.ln()).sqrt() * (2.0 * std::f64::consts::PI * angle).cos()
}

/// `n` probabilities, uniform over all such.
fn random_row(n: usize, rng: &mut dyn RngCore) -> Vec<f64> {
    let mut row: Vec<f64> = (0..n).map(|_| -(1.0 - rng.r#gen::<f64>()).ln()).collect();
    let sum: f64 = row.iter().sum();
    row.iter_mut().for_each(|v| *v /= sum);
    row
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use super::{Array1, Array2, Emission, Error, FitReport, Hmm, HmmSums, Result};

    #[derive(serde::Deserialize)]
    #[serde(bound(
        deserialize = "E: serde::Deserialize<'de>, E::Float: serde::Deserialize<'de>, L: serde::Deserialize<'de>"
    ))]
    pub(super) struct Model<E: Emission, L> {
        initial: Array1<E::Float>,
        transition: Array2<E::Float>,
        emission: E,
        labels: Vec<L>,
        report: Option<FitReport>,
    }

    impl<E: Emission, L> TryFrom<Model<E, L>> for Hmm<E, L> {
        type Error = Error;

        fn try_from(stored: Model<E, L>) -> Result<Self> {
            let Model { initial, transition, emission, labels, report } = stored;
            Ok(Self { report, ..Self::labelled(initial, transition, emission, labels)? })
        }
    }

    #[derive(serde::Deserialize)]
    #[serde(bound(deserialize = "E::Sums: serde::Deserialize<'de>"))]
    pub(super) struct Sums<E: Emission> {
        initial: Array1<f64>,
        transitions: Array2<f64>,
        emission: E::Sums,
        log_likelihood: f64,
        n_rows: f64,
    }

    impl<E: Emission> TryFrom<Sums<E>> for HmmSums<E> {
        type Error = Error;

        fn try_from(stored: Sums<E>) -> Result<Self> {
            let Sums { initial, transitions, emission, log_likelihood, n_rows } = stored;
            let k = initial.len();
            if transitions.dim() != (k, k) {
                let value = format!("{:?}", transitions.dim());
                return Err(Error::shape("transitions", format!("{k} rows and columns"), value));
            }
            let transitions = transitions.as_standard_layout().into_owned();
            Ok(Self { initial, transitions, emission, log_likelihood, n_rows })
        }
    }
}

#[cfg(feature = "serde")]
impl<F, E, L> crate::stored::Stored for Hmm<E, L>
where
    F: Float + serde::Serialize + serde::de::DeserializeOwned,
    E: Emission<Float = F> + crate::stored::Stored,
    L: Label + serde::Serialize + serde::de::DeserializeOwned,
{
    const VERSION: u16 = E::VERSION;

    fn kind() -> String {
        format!("Hmm<{}, {}>", E::kind(), crate::stored::type_word::<L>())
    }
}

#[cfg(test)]
mod tests;
