//! Symbols `0..n_symbols`.

use ndarray::{Array2, ArrayView2};
use rand::RngCore;

use super::emission::{Emission, Start};
use super::{MISSING, check_rows, random_row};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::chain::{gather, scatter};
use crate::params::{Check, Params, require, require_added_count};

/// One of `n_symbols` symbols, with a probability of its own in each state.
///
/// A symbol is a `usize`; [`MISSING`] is a missing observation.
///
/// # Example
/// ```
/// use sapwood::{hmm::Categorical, ndarray::array};
///
/// // A fair die and one that likes the six.
/// let dice = Categorical::<f64>::new(array![[1.0 / 6.0; 6], [0.1, 0.1, 0.1, 0.1, 0.1, 0.5]].view())?;
/// assert_eq!(dice.n_symbols(), 6);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Categorical<F>", bound(deserialize = "F: Float + serde::Deserialize<'de>"))
)]
pub struct Categorical<F = f64> {
    n_states: usize,
    /// `b[symbol * n_states + state]`: one row is what a step needs.
    b: Vec<F>,
    /// Their logs.
    #[cfg_attr(feature = "serde", serde(skip))]
    log_b: Vec<F>,
}

/// By hand, so that `clone_from` keeps its memory.
impl<F: Clone> Clone for Categorical<F> {
    fn clone(&self) -> Self {
        Self { n_states: self.n_states, b: self.b.clone(), log_b: self.log_b.clone() }
    }

    fn clone_from(&mut self, from: &Self) {
        self.n_states = from.n_states;
        self.b.clone_from(&from.b);
        self.log_b.clone_from(&from.log_b);
    }
}

/// How symbol probabilities are estimated.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, data::Sequences, linfa::DatasetBase, linfa::traits::Fit, ndarray::array};
///
/// // A symbol more than was seen, and none that is impossible.
/// let data = DatasetBase::new(Sequences::single(array![[0], [1], [1], [0]])?, ());
/// let model = CategoricalHmm::params(1).n_symbols(3).symbol_pseudo_count(1.0).fit(&data)?;
/// assert!((model.emission().probabilities()[[0, 2]] - 1.0 / 7.0).abs() < 1e-12);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CategoricalParams {
    n_symbols: Option<usize>,
    pseudo_count: f64,
}

impl Check for CategoricalParams {
    fn check(&self) -> Result<()> {
        require(self.n_symbols != Some(0), "n_symbols", "at least 1", 0)?;
        let a = self.pseudo_count;
        require_added_count("symbol_pseudo_count", a)
    }
}

impl<F: Float> Params<super::HmmParams<Categorical<F>>> {
    /// Size of the alphabet; default: one more than the largest symbol of the data.
    #[must_use]
    pub fn n_symbols(mut self, n_symbols: usize) -> Self {
        self.0.emission.n_symbols = Some(n_symbols);
        self
    }

    /// Added to the expected count of every symbol in every state, at least 0; default 0.
    ///
    /// A Dirichlet prior of parameter `1 + pseudo_count`, under which EM finds the maximum of the posterior.
    #[must_use]
    pub fn symbol_pseudo_count(mut self, pseudo_count: f64) -> Self {
        self.0.emission.pseudo_count = pseudo_count;
        self
    }
}

impl<F: Float> Categorical<F> {
    /// The emission with `probabilities[[state, symbol]]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is no state or no symbol; [`Error::Parameter`] when a probability is negative or NaN, or a row does not sum to 1.
    pub fn new(probabilities: ArrayView2<'_, F>) -> Result<Self> {
        crate::data::check_not_empty("probabilities", &probabilities)?;
        check_rows("probabilities", probabilities)?;
        Ok(Self::with_logs(probabilities.nrows(), probabilities.t().iter().copied().collect()))
    }

    fn with_logs(n_states: usize, b: Vec<F>) -> Self {
        Self { n_states, log_b: b.iter().map(|p| p.ln()).collect(), b }
    }

    /// The probabilities, `(n_states, n_symbols)`.
    #[must_use]
    pub fn probabilities(&self) -> Array2<F> {
        Array2::from_shape_fn((self.n_states, self.n_symbols()), |(i, s)| self.b[s * self.n_states + i])
    }

    /// Size of the alphabet.
    #[must_use]
    pub fn n_symbols(&self) -> usize {
        self.b.len() / self.n_states
    }
}

impl<F: Float> Emission for Categorical<F> {
    type Float = F;
    type Elem = usize;
    type Params = CategoricalParams;
    /// Expected counts, by symbol, then state.
    type Sums = Vec<f64>;

    fn n_states(&self) -> usize {
        self.n_states
    }

    fn n_features(&self) -> usize {
        1
    }

    fn n_parameters(&self) -> usize {
        self.n_states * (self.n_symbols() - 1)
    }

    fn check(&self, x: &[usize]) -> Result<()> {
        let n = self.n_symbols();
        match x.iter().find(|&&symbol| symbol >= n && symbol != MISSING) {
            None => Ok(()),
            Some(symbol) => Err(Error::parameter("records", format!("symbols below {n}"), symbol)),
        }
    }

    fn log_likelihoods(&self, x: &[usize], log_b: &mut [F], _: &mut Vec<F>) {
        gather(self.n_states, &self.log_b, x, F::zero(), log_b);
    }

    fn likelihoods(&self, x: &[usize], b: &mut [F], _: &mut Vec<F>) -> f64 {
        // Probabilities are at most 1 as they are.
        gather(self.n_states, &self.b, x, F::one(), b);
        0.0
    }

    fn sums(&self) -> Vec<f64> {
        vec![0.0; self.b.len()]
    }

    fn clear(&self, sums: &mut Vec<f64>) {
        sums.fill(0.0);
    }

    fn accumulate(&self, x: &[usize], gamma: &[F], sums: &mut Vec<f64>, _: &mut Vec<F>) {
        scatter(self.n_states, gamma, x, sums);
    }

    fn merge(sums: &mut Vec<f64>, other: &Vec<f64>, weight: f64) {
        sums.iter_mut().zip(other).for_each(|(a, b)| *a += weight * b);
    }

    fn maximize(&mut self, sums: &Vec<f64>, params: &CategoricalParams) -> Vec<usize> {
        let k = self.n_states;
        for state in 0..k {
            let count = |symbol: usize| sums[symbol * k + state] + params.pseudo_count;
            let all: f64 = (0..self.n_symbols()).map(count).sum();
            if all > 0.0 {
                for symbol in 0..self.n_symbols() {
                    self.b[symbol * k + state] = F::cast(count(symbol) / all);
                }
            }
        }
        self.log_b.iter_mut().zip(&self.b).for_each(|(log, p)| *log = p.ln());
        Vec::new()
    }

    fn log_prior(&self, params: &CategoricalParams) -> f64 {
        match params.pseudo_count {
            0.0 => 0.0,
            a => a * self.b.iter().map(|b| b.as_f64().ln()).sum::<f64>(),
        }
    }

    fn draw(&self, state: usize, out: &mut [usize], rng: &mut dyn RngCore) {
        let symbols = (0..self.n_symbols()).map(|symbol| self.b[symbol * self.n_states + state].as_f64());
        out[0] = super::draw(symbols, rng);
    }

    fn fits(&self, sums: &Vec<f64>) -> bool {
        sums.len() == self.b.len()
    }

    fn start(
        x: &[usize],
        _: usize,
        n_states: usize,
        params: &CategoricalParams,
        _: Start,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, Option<Vec<usize>>)> {
        let seen = x.iter().filter(|&&symbol| symbol != MISSING);
        let largest = seen.clone().max().copied().unwrap_or(0);
        let n_symbols = params.n_symbols.unwrap_or(largest.saturating_add(1));
        require(largest < n_symbols, "records", "symbols below n_symbols", largest)?;
        // An alphabet that is not given is no larger than the data allow: a stray 2^60 is an error, not an allocation.
        let most = x.len().saturating_mul(1000).max(1 << 16);
        let rule = "below n_symbols, which must be given where it exceeds 1000 times the observations";
        require(params.n_symbols.is_some() || n_symbols <= most, "records", rule, largest)?;
        let Some(size) = n_symbols.checked_mul(n_states).filter(|&size| size <= 1 << 40) else {
            return Err(Error::parameter("n_symbols", "small enough for its table", n_symbols));
        };
        let mut counts = vec![params.pseudo_count; n_symbols];
        seen.for_each(|&symbol| counts[symbol] += 1.0);
        // Each state: the frequencies of the data, bent at random.
        let mut b = vec![F::zero(); size];
        for state in 0..n_states {
            let row: Vec<f64> = counts
                .iter()
                .zip(random_row(n_symbols, rng))
                .map(|(n, r)| n * (0.5 + r * n_symbols as f64))
                .collect();
            let sum: f64 = row.iter().sum();
            for (symbol, v) in row.iter().enumerate() {
                let p = if sum > 0.0 { v / sum } else { 1.0 / n_symbols as f64 };
                b[symbol * n_states + state] = F::cast(p);
            }
        }
        Ok((Self::with_logs(n_states, b), None))
    }

    fn sort_key(&self, state: usize) -> f64 {
        (0..self.n_symbols())
            .map(|symbol| symbol as f64 * self.b[symbol * self.n_states + state].as_f64())
            .sum()
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        let b = self.b.chunks_exact(self.n_states).flat_map(|row| order.iter().map(|&i| row[i])).collect();
        Some(Self::with_logs(self.n_states, b))
    }
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use crate::error::{Error, Result};
    use crate::float::Float;
    use ndarray::ArrayView2;

    #[derive(serde::Deserialize)]
    pub(super) struct Categorical<F> {
        n_states: usize,
        b: Vec<F>,
    }

    impl<F: Float> TryFrom<Categorical<F>> for super::Categorical<F> {
        type Error = Error;

        fn try_from(Categorical { n_states, b }: Categorical<F>) -> Result<Self> {
            let n_symbols = b.len().checked_div(n_states).unwrap_or(0);
            match ArrayView2::from_shape((n_symbols, n_states), &b) {
                Ok(table) if b.len() == n_symbols * n_states => Self::new(table.t()),
                _ => Err(Error::shape("b", format!("rows of {n_states} states"), b.len())),
            }
        }
    }
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for Categorical<F> {
    fn kind() -> String {
        format!("Categorical<{}>", crate::stored::type_word::<F>())
    }
}
