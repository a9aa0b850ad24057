//! Counts.

use ndarray::{Array2, ArrayView2};
use rand::{Rng, RngCore};

use super::MISSING;
use super::emission::{Emission, Start};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::ln_gamma;
use crate::params::{Check, Params, require};

/// Counts, independent of each other, with a mean of their own in each state.
///
/// A count is a `usize`; a row in which every count is [`MISSING`] is a missing observation.
///
/// # Formula
/// `p(x | state j) = prod_d rate_jd^x_d exp(-rate_jd) / x_d!`
///
/// # Example
/// ```
/// use sapwood::{hmm::Poisson, ndarray::array};
///
/// let quakes = Poisson::new(array![[13.0], [28.0]].view())?;
/// assert_eq!(quakes.rates(), &array![[13.0], [28.0]]);
/// assert!(Poisson::new(array![[-1.0]].view()).is_err());
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Poisson<F>", bound(deserialize = "F: Float + serde::Deserialize<'de>"))
)]
pub struct Poisson<F = f64> {
    /// `(n_states, n_features)`.
    rates: Array2<F>,
}

/// How Poisson means are estimated.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, linfa::ParamGuard};
///
/// assert!(PoissonHmm::params(2).rate_floor(1e-3).check().is_ok());
/// assert!(PoissonHmm::params(2).rate_floor(-1.0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PoissonParams {
    rate_floor: f64,
    prior_shape: f64,
    prior_rate: f64,
}

impl Default for PoissonParams {
    fn default() -> Self {
        Self { rate_floor: 1e-6, prior_shape: 1.0, prior_rate: 0.0 }
    }
}

impl Check for PoissonParams {
    fn check(&self) -> Result<()> {
        let positive = |v: f64| v > 0.0 && v.is_finite();
        require(positive(self.rate_floor), "rate_floor", "greater than 0 and finite", self.rate_floor)?;
        let shape = self.prior_shape;
        require(shape >= 1.0 && shape.is_finite(), "rate_prior", "a shape of at least 1, finite", shape)?;
        let rate = self.prior_rate;
        require(rate >= 0.0 && rate.is_finite(), "rate_prior", "a rate of at least 0, finite", rate)
    }
}

impl<F: Float> Params<super::HmmParams<Poisson<F>>> {
    /// The smallest mean of a state, above 0; default 1e-6. A mean of 0 would make every count but 0 impossible for good.
    #[must_use]
    pub fn rate_floor(mut self, rate_floor: f64) -> Self {
        self.0.emission.rate_floor = rate_floor;
        self
    }

    /// A gamma prior of the means: `shape >= 1` and `rate >= 0`; default (1, 0), which is none.
    #[must_use]
    pub fn rate_prior(mut self, shape: f64, rate: f64) -> Self {
        (self.0.emission.prior_shape, self.0.emission.prior_rate) = (shape, rate);
        self
    }
}

impl<F: Float> Poisson<F> {
    /// The emission with means `rates[[state, feature]]`.
    ///
    /// # Errors
    /// [`Error::Shape`] when there is no state or feature; [`Error::Parameter`] unless every mean is above 0 and finite.
    pub fn new(rates: ArrayView2<'_, F>) -> Result<Self> {
        crate::data::check_not_empty("rates", &rates)?;
        let bad = rates.iter().find(|&&rate| !(rate > F::zero() && rate.is_finite()));
        require(bad.is_none(), "rates", "greater than 0 and finite", format_args!("{bad:?}"))?;
        Ok(Self { rates: rates.as_standard_layout().into_owned() })
    }

    /// The means, `(n_states, n_features)`.
    #[must_use]
    pub fn rates(&self) -> &Array2<F> {
        &self.rates
    }
}

fn is_missing(row: &[usize]) -> bool {
    row.iter().all(|&count| count == MISSING)
}

impl<F: Float> Emission for Poisson<F> {
    type Float = F;
    type Elem = usize;
    type Params = PoissonParams;
    /// For each state its expected rows, then its expected counts: `(n_states, 1 + n_features)`.
    type Sums = Vec<f64>;

    fn n_states(&self) -> usize {
        self.rates.nrows()
    }

    fn n_features(&self) -> usize {
        self.rates.ncols()
    }

    fn n_parameters(&self) -> usize {
        self.rates.len()
    }

    fn check(&self, x: &[usize]) -> Result<()> {
        check_counts(x, self.n_features())
    }

    fn log_likelihoods(&self, x: &[usize], log_b: &mut [F], scratch: &mut Vec<F>) {
        let (k, d) = self.rates.dim();
        scratch.resize(2 * k * d, F::zero());
        let (logs, sums) = scratch.split_at_mut(k * d);
        logs.iter_mut().zip(&self.rates).for_each(|(log, rate)| *log = rate.ln());
        sums[..k].iter_mut().zip(self.rates.rows()).for_each(|(sum, row)| *sum = row.sum());
        for (row, out) in x.chunks_exact(d).zip(log_b.chunks_exact_mut(k)) {
            if is_missing(row) {
                out.fill(F::zero());
                continue;
            }
            let factorials: f64 = row.iter().map(|&x| ln_gamma(x as f64 + 1.0)).sum();
            for (j, out) in out.iter_mut().enumerate() {
                let logs = &logs[j * d..][..d];
                let dot: F = row.iter().zip(logs).map(|(&x, &log)| F::cast(x) * log).sum();
                *out = dot - sums[j] - F::cast(factorials);
            }
        }
    }

    fn sums(&self) -> Vec<f64> {
        vec![0.0; self.n_states() * (1 + self.n_features())]
    }

    fn accumulate(&self, x: &[usize], gamma: &[F], sums: &mut Vec<f64>, _: &mut Vec<F>) {
        let (k, d) = self.rates.dim();
        for (row, gamma) in x.chunks_exact(d).zip(gamma.chunks_exact(k)) {
            if is_missing(row) {
                continue;
            }
            for (sums, gamma) in sums.chunks_exact_mut(1 + d).zip(gamma) {
                let gamma = gamma.as_f64();
                sums[0] += gamma;
                sums[1..].iter_mut().zip(row).for_each(|(sum, &x)| *sum += gamma * x as f64);
            }
        }
    }

    fn merge(sums: &mut Vec<f64>, other: &Vec<f64>, weight: f64) {
        sums.iter_mut().zip(other).for_each(|(a, b)| *a += weight * b);
    }

    fn maximize(&mut self, sums: &Vec<f64>, params: &PoissonParams) -> Vec<usize> {
        let d = self.n_features();
        let mut floored = Vec::new();
        for (state, sums) in sums.chunks_exact(1 + d).enumerate() {
            let weight = sums[0] + params.prior_rate;
            if weight <= 0.0 {
                continue;
            }
            for (rate, sum) in self.rates.row_mut(state).iter_mut().zip(&sums[1..]) {
                let best = (sum + params.prior_shape - 1.0) / weight;
                if best < params.rate_floor && floored.last() != Some(&state) {
                    floored.push(state);
                }
                *rate = F::cast(best.max(params.rate_floor));
            }
        }
        floored
    }

    fn log_prior(&self, params: &PoissonParams) -> f64 {
        let log =
            |rate: &F| (params.prior_shape - 1.0) * rate.as_f64().ln() - params.prior_rate * rate.as_f64();
        self.rates.iter().map(log).sum()
    }

    fn draw(&self, state: usize, out: &mut [usize], rng: &mut dyn RngCore) {
        for (out, rate) in out.iter_mut().zip(self.rates.row(state)) {
            *out = draw_count(rate.as_f64(), rng);
        }
    }

    fn means(&self) -> Option<Array2<F>> {
        Some(self.rates.clone())
    }

    fn fits(&self, sums: &Vec<f64>) -> bool {
        sums.len() == self.n_states() * (1 + self.n_features())
    }

    fn start(
        x: &[usize],
        d: usize,
        n_states: usize,
        params: &PoissonParams,
        start: Start,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, Option<Vec<usize>>)> {
        check_counts(x, d)?;
        let mut rows: Vec<&[usize]> = x.chunks_exact(d).filter(|row| !is_missing(row)).collect();
        require(rows.len() >= n_states, "n_states", "at most the number of observations", n_states)?;
        rows.sort_unstable();
        let rates = Array2::from_shape_fn((n_states, d), |(state, feature)| {
            // The middle of each of n_states equal shares of the sorted rows, or rows at random; half a count keeps the means apart from 0.
            let at = match start {
                Start::Clusters => (2 * state + 1) * rows.len() / (2 * n_states),
                Start::Random => rng.gen_range(0..rows.len()),
            };
            let spread = 0.5 + state as f64 / n_states as f64 / 10.0;
            F::cast((rows[at][feature] as f64 + spread).max(params.rate_floor))
        });
        Ok((Self { rates }, None))
    }

    fn sort_key(&self, state: usize) -> f64 {
        self.rates[[state, 0]].as_f64()
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        Some(Self { rates: self.rates.select(ndarray::Axis(0), order) })
    }
}

/// Counts are at most 2^53, which a float holds exactly, or missing in the whole row.
fn check_counts(x: &[usize], d: usize) -> Result<()> {
    for row in x.chunks_exact(d).filter(|row| !is_missing(row)) {
        if let Some(count) = row.iter().find(|&&count| count as u64 > 1 << 53) {
            return Err(Error::parameter("records", "counts up to 2^53, or missing in the whole row", count));
        }
    }
    Ok(())
}

/// A Poisson count: products of uniforms for small means, a sum of halves for large ones, a rounded normal from a million on.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, and not below 0")]
fn draw_count(rate: f64, rng: &mut dyn RngCore) -> usize {
    if rate > 1e6 {
        return (rate + rate.sqrt() * super::draw_normal(rng)).round().max(0.0) as usize;
    }
    if rate > 500.0 {
        return draw_count(rate / 2.0, rng) + draw_count(rate / 2.0, rng);
    }
    let (mut count, mut product) = (0, rng.r#gen::<f64>());
    let end = (-rate).exp();
    while product > end {
        product *= rng.r#gen::<f64>();
        count += 1;
    }
    count
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use crate::error::{Error, Result};
    use crate::float::Float;
    use ndarray::Array2;

    #[derive(serde::Deserialize)]
    pub(super) struct Poisson<F> {
        rates: Array2<F>,
    }

    impl<F: Float> TryFrom<Poisson<F>> for super::Poisson<F> {
        type Error = Error;

        fn try_from(stored: Poisson<F>) -> Result<Self> {
            Self::new(stored.rates.view())
        }
    }
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for Poisson<F> {
    fn kind() -> String {
        format!("Poisson<{}>", crate::stored::type_word::<F>())
    }
}
