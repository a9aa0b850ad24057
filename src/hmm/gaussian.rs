//! Measurements with a normal distribution in each state.

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3, Axis};
use rand::{Rng, RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

use super::draw_normal;
use super::emission::{Emission, Start};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::chain::gauss::{TILE, add_moments, sq_whitened};
use crate::math::Cholesky;
use crate::params::{Check, Params, require};

/// The shape of a state's covariance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Covariance {
    /// One variance for all features of a state.
    Spherical,
    /// A variance for each feature of a state.
    #[default]
    Diagonal,
    /// A full matrix for each state.
    Full,
    /// One full matrix for all states.
    Tied,
}

impl Covariance {
    pub(super) fn is_diagonal(self) -> bool {
        matches!(self, Self::Spherical | Self::Diagonal)
    }
}

/// A normal distribution with a mean and a covariance of its own in each state.
///
/// A row that is NaN in every feature is a missing observation; one that is NaN in some is an error.
///
/// # Formula
/// `log p(x | state j) = -1/2 (d ln 2 pi + ln det S_j + (x - m_j)^T S_j^-1 (x - m_j))`
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Gaussian<F> {
    covariance: Covariance,
    /// `(n_states, n_features)`.
    means: Array2<F>,
    /// For each state its `d` variances, or the `d x d` entries of its matrix.
    spreads: Array2<F>,
    /// For each state the lower triangle `W` with `W S W^T = I`, laid out as its spread: 1 / deviation on a diagonal.
    whiteners: Array2<F>,
    /// For each state the log-density at its mean.
    log_peaks: Array1<F>,
}

/// How means and covariances are estimated.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GaussianParams {
    pub(super) covariance: Covariance,
    pub(super) floor: f64,
    pub(super) prior_scale: f64,
    pub(super) prior_weight: f64,
}

impl Default for GaussianParams {
    fn default() -> Self {
        Self { covariance: Covariance::Diagonal, floor: 1e-6, prior_scale: 0.0, prior_weight: 0.0 }
    }
}

impl Check for GaussianParams {
    fn check(&self) -> Result<()> {
        let floor = self.floor;
        require(floor > 0.0 && floor.is_finite(), "covariance_floor", "greater than 0 and finite", floor)?;
        let scale = self.prior_scale;
        require(
            scale >= 0.0 && scale.is_finite(),
            "covariance_prior",
            "a scale of at least 0, finite",
            scale,
        )?;
        let weight = self.prior_weight;
        require(
            weight >= 0.0 && weight.is_finite(),
            "covariance_prior",
            "a weight of at least 0, finite",
            weight,
        )
    }
}

impl<F: Float> Params<super::HmmParams<Gaussian<F>>> {
    /// Shape of the covariances; default [`Covariance::Diagonal`].
    #[must_use]
    #[doc(alias = "covariance_type")]
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.0.emission.covariance = covariance;
        self
    }

    /// Smallest variance, above 0; default 1e-6, in squared units of the data.
    ///
    /// A variance below it becomes it; a matrix with a pivot below it gets it added to its diagonal. Those states are reported.
    #[must_use]
    #[doc(alias = "min_covar")]
    pub fn covariance_floor(mut self, floor: f64) -> Self {
        self.0.emission.floor = floor;
        self
    }

    /// An inverse Wishart prior: `S = (scale I + sum of squares) / (weight + rows)`; default (0, 0), which is none.
    #[must_use]
    #[doc(alias = "covars_prior")]
    pub fn covariance_prior(mut self, scale: f64, weight: f64) -> Self {
        (self.0.emission.prior_scale, self.0.emission.prior_weight) = (scale, weight);
        self
    }
}

impl<F: Float> Gaussian<F> {
    /// The emission with one variance for each state.
    ///
    /// # Errors
    /// [`Error::Shape`] when sizes differ or are 0; [`Error::NonFinite`] in the means; [`Error::Parameter`] unless every variance is above 0 and finite.
    pub fn spherical(means: ArrayView2<'_, F>, variances: ArrayView1<'_, F>) -> Result<Self> {
        crate::data::check_same_rows("variances", variances.len(), means.nrows())?;
        let spreads = Array2::from_shape_fn(means.dim(), |(state, _)| variances[state]);
        Self::new(Covariance::Spherical, means, spreads)
    }

    /// The emission with `variances[[state, feature]]`.
    ///
    /// # Errors
    /// Those of [`spherical`](Self::spherical).
    pub fn diagonal(means: ArrayView2<'_, F>, variances: ArrayView2<'_, F>) -> Result<Self> {
        if variances.dim() != means.dim() {
            let rule = format!("the shape of the means, {:?}", means.dim());
            return Err(Error::shape("variances", rule, format_args!("{:?}", variances.dim())));
        }
        Self::new(Covariance::Diagonal, means, variances.to_owned())
    }

    /// The emission with `covariances[[state, .., ..]]`, of which the lower triangles are read.
    ///
    /// # Errors
    /// Those of [`spherical`](Self::spherical); [`Error::Parameter`] unless every matrix is positive definite.
    pub fn full(means: ArrayView2<'_, F>, covariances: ArrayView3<'_, F>) -> Result<Self> {
        let (k, d) = means.dim();
        if covariances.dim() != (k, d, d) {
            let rule = format!("the shape {:?}", (k, d, d));
            return Err(Error::shape("covariances", rule, format_args!("{:?}", covariances.dim())));
        }
        let flat = covariances.iter().copied().collect();
        Self::new(Covariance::Full, means, Array2::from_shape_vec((k, d * d), flat).unwrap_or_default())
    }

    /// The emission with one covariance for all states.
    ///
    /// # Errors
    /// Those of [`full`](Self::full).
    pub fn tied(means: ArrayView2<'_, F>, covariance: ArrayView2<'_, F>) -> Result<Self> {
        let (k, d) = means.dim();
        if covariance.dim() != (d, d) {
            let rule = format!("the shape {:?}", (d, d));
            return Err(Error::shape("covariance", rule, format_args!("{:?}", covariance.dim())));
        }
        let flat: Vec<F> = covariance.iter().copied().collect();
        Self::new(Covariance::Tied, means, Array2::from_shape_fn((k, d * d), |(_, at)| flat[at]))
    }

    fn new(covariance: Covariance, means: ArrayView2<'_, F>, spreads: Array2<F>) -> Result<Self> {
        crate::data::check_not_empty("means", &means)?;
        crate::data::check_finite("means", &means)?;
        let mut gaussian = Self::unwhitened(covariance, means.as_standard_layout().into_owned(), spreads);
        match (0..means.nrows()).find(|&state| !gaussian.whiten(state)) {
            None => Ok(gaussian),
            Some(state) => {
                let value = format_args!("{:?} for state {state}", gaussian.spreads.row(state).to_vec());
                Err(Error::parameter("covariance", "positive definite and finite", value))
            }
        }
    }

    fn unwhitened(covariance: Covariance, means: Array2<F>, spreads: Array2<F>) -> Self {
        let whiteners = Array2::zeros(spreads.dim());
        let log_peaks = Array1::zeros(means.nrows());
        Self { covariance, means, spreads, whiteners, log_peaks }
    }

    /// Brings whitener and peak of a state up to date; false where its spread is not positive definite.
    fn whiten(&mut self, state: usize) -> bool {
        let d = self.means.ncols();
        let (spread, mut whitener) = (self.spreads.row(state), self.whiteners.row_mut(state));
        let log_det = if self.covariance.is_diagonal() {
            if !spread.iter().all(|&v| v > F::zero() && v.is_finite()) {
                return false;
            }
            whitener.zip_mut_with(&spread, |w, v| *w = F::one() / v.sqrt());
            spread.iter().map(|v| v.ln()).sum::<F>()
        } else {
            let Some(cholesky) = self.cholesky(state, F::zero()) else { return false };
            let mut unit = vec![F::zero(); d];
            for j in 0..d {
                unit.fill(F::zero());
                unit[j] = F::one();
                cholesky.solve_lower(&mut unit);
                let whitener = self.whiteners.row_mut(state).into_slice();
                let Some(whitener) = whitener else { return false };
                (0..d).for_each(|i| whitener[i * d + j] = unit[i]);
            }
            cholesky.log_det()
        };
        self.log_peaks[state] =
            F::cast(-0.5) * (F::cast(d) * F::cast(2.0 * std::f64::consts::PI).ln() + log_det);
        self.log_peaks[state].is_finite()
    }

    /// The factor of a state's matrix with `raised` added to the diagonal.
    fn cholesky(&self, state: usize, raised: F) -> Option<Cholesky<F>> {
        let d = self.means.ncols();
        let mut matrix = Array2::from_shape_vec((d, d), self.spreads.row(state).to_vec()).ok()?;
        matrix.diag_mut().mapv_inplace(|v| v + raised);
        Cholesky::new(matrix.view())
    }

    /// Lifts the spread of a state to the floor and whitens it; true where that was needed.
    fn lift(&mut self, state: usize, floor: F) -> bool {
        let d = self.means.ncols();
        if self.covariance.is_diagonal() {
            let low = self.spreads.row(state).iter().any(|&v| v.is_nan() || v < floor);
            self.spreads.row_mut(state).mapv_inplace(|v| v.max(floor));
            self.whiten(state);
            return low;
        }
        let pivots_hold = |cholesky: Cholesky<F>| cholesky.factor().diag().iter().all(|&l| l * l >= floor);
        // Rounding can leave a matrix a hair outside of positive; doubling what is added ends that.
        let mut raise = floor;
        let mut low = false;
        while raise.is_finite() && !self.cholesky(state, F::zero()).is_some_and(pivots_hold) {
            (0..d).for_each(|i| self.spreads[[state, i * d + i]] += raise);
            raise += raise;
            low = true;
        }
        self.whiten(state);
        low
    }

    /// The means, `(n_states, n_features)`.
    #[must_use]
    pub fn means(&self) -> &Array2<F> {
        &self.means
    }

    /// The shape of the covariances.
    #[must_use]
    pub fn covariance(&self) -> Covariance {
        self.covariance
    }

    /// The covariances as full matrices, `(n_states, n_features, n_features)`.
    #[must_use]
    pub fn covariances(&self) -> Array3<F> {
        let (k, d) = self.means.dim();
        Array3::from_shape_fn((k, d, d), |(state, i, j)| match self.covariance.is_diagonal() {
            true if i == j => self.spreads[[state, i]],
            true => F::zero(),
            // The upper triangle is a mirror: only the lower one is computed.
            false => self.spreads[[state, i.max(j) * d + i.min(j)]],
        })
    }
}

/// Sums of a Gaussian emission, around an origin for each state so that no digits cancel.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GaussianSums<F> {
    pub(super) weights: Vec<f64>,
    pub(super) origins: Array2<F>,
    /// `sum gamma (x - origin)`.
    pub(super) first: Array2<f64>,
    /// `sum gamma (x - origin)(x - origin)^T`, its diagonal or its lower triangle.
    pub(super) second: Array2<f64>,
}

impl<F: Float> GaussianSums<F> {
    /// Moves the origins: `second` by the parallel axis theorem.
    fn move_to(&mut self, origins: &Array2<F>) {
        let d = origins.ncols();
        for state in 0..self.weights.len() {
            let shift: Vec<f64> =
                (0..d).map(|i| self.origins[[state, i]].as_f64() - origins[[state, i]].as_f64()).collect();
            let (w, first) = (self.weights[state], self.first.row(state).to_vec());
            let moved =
                |i: usize, j: usize| first[i] * shift[j] + shift[i] * first[j] + w * shift[i] * shift[j];
            if self.second.ncols() == d {
                (0..d).for_each(|i| self.second[[state, i]] += moved(i, i));
            } else {
                for (i, j) in (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                    self.second[[state, i * d + j]] += moved(i, j);
                }
            }
            (0..d).for_each(|i| self.first[[state, i]] += w * shift[i]);
        }
        self.origins.assign(origins);
    }
}

fn is_missing<F: Float>(row: &[F]) -> bool {
    row.iter().all(|v| v.is_nan())
}

impl<F: Float> Emission for Gaussian<F> {
    type Float = F;
    type Elem = F;
    type Params = GaussianParams;
    type Sums = GaussianSums<F>;

    fn n_states(&self) -> usize {
        self.means.nrows()
    }

    fn n_features(&self) -> usize {
        self.means.ncols()
    }

    fn n_parameters(&self) -> usize {
        let (k, d) = self.means.dim();
        k * d
            + match self.covariance {
                Covariance::Spherical => k,
                Covariance::Diagonal => k * d,
                Covariance::Full => k * d * (d + 1) / 2,
                Covariance::Tied => d * (d + 1) / 2,
            }
    }

    fn check(&self, x: &[F]) -> Result<()> {
        check_measurements(x, self.n_features())
    }

    fn log_likelihoods(&self, x: &[F], log_b: &mut [F], scratch: &mut Vec<F>) {
        let (k, d) = self.means.dim();
        let n = x.len() / d;
        scratch.resize(n * d + TILE * d + n, F::zero());
        let (by_feature, rest) = scratch.split_at_mut(n * d);
        let (centred, sq) = rest.split_at_mut(TILE * d);
        let sq = &mut sq[..n];
        transpose(x, d, by_feature);
        for state in 0..k {
            let mean = self.means.row(state).to_slice().unwrap_or_default();
            let whitener = self.whiteners.row(state).to_slice().unwrap_or_default();
            sq_whitened(n, by_feature, mean, whitener, centred, sq);
            let peak = self.log_peaks[state];
            for (t, &sq) in sq.iter().enumerate() {
                let log = peak - sq * F::cast(0.5);
                // Infinite where x^2 overflows, NaN where the row is missing or overflow met overflow.
                log_b[t * k + state] = if log.is_nan() { F::neg_infinity() } else { log };
            }
        }
        for (row, out) in x.chunks_exact(d).zip(log_b.chunks_exact_mut(k)) {
            if row[0].is_nan() {
                out.fill(F::zero());
            }
        }
    }

    fn sums(&self) -> GaussianSums<F> {
        GaussianSums {
            weights: vec![0.0; self.n_states()],
            origins: self.means.clone(),
            first: Array2::zeros(self.means.dim()),
            second: Array2::zeros(self.spreads.dim()),
        }
    }

    fn accumulate(&self, x: &[F], gamma: &[F], sums: &mut GaussianSums<F>, scratch: &mut Vec<F>) {
        let (k, d) = self.means.dim();
        let n = x.len() / d;
        let s = self.spreads.ncols();
        scratch.resize(2 * n * d + 2 * n + d + s, F::zero());
        let (by_feature, rest) = scratch.split_at_mut(n * d);
        let (centred, rest) = rest.split_at_mut(n * d);
        let (weights, rest) = rest.split_at_mut(n);
        let (weighted, rest) = rest.split_at_mut(n);
        let (first, second) = rest.split_at_mut(d);
        transpose(x, d, by_feature);
        // A missing row counts for nothing.
        by_feature.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = F::zero());
        for state in 0..k {
            for (t, weight) in weights.iter_mut().enumerate() {
                *weight = if x[t * d].is_nan() { F::zero() } else { gamma[t * k + state] };
            }
            let weight: F = weights.iter().copied().sum();
            if weight == F::zero() {
                continue;
            }
            centre(by_feature, n, sums.origins.row(state), centred);
            first.fill(F::zero());
            second.fill(F::zero());
            add_moments(n, centred, weights, weighted, first, second);
            sums.weights[state] += weight.as_f64();
            sums.first.row_mut(state).iter_mut().zip(&*first).for_each(|(sum, v)| *sum += v.as_f64());
            sums.second.row_mut(state).iter_mut().zip(&*second).for_each(|(sum, v)| *sum += v.as_f64());
        }
    }

    fn merge(sums: &mut GaussianSums<F>, other: &GaussianSums<F>, weight: f64) {
        let mut moved;
        let other = if other.origins == sums.origins {
            other
        } else {
            moved = other.clone();
            moved.move_to(&sums.origins);
            &moved
        };
        sums.weights.iter_mut().zip(&other.weights).for_each(|(a, b)| *a += weight * b);
        sums.first.scaled_add(weight, &other.first);
        sums.second.scaled_add(weight, &other.second);
    }

    fn maximize(&mut self, sums: &GaussianSums<F>, params: &GaussianParams) -> Vec<usize> {
        let (k, d) = self.means.dim();
        let diagonal = self.covariance.is_diagonal();
        let mut pooled = vec![0.0; d * d];
        let seen: Vec<usize> = (0..k).filter(|&state| sums.weights[state] > 0.0).collect();
        let total: f64 = sums.weights.iter().sum();
        for &state in &seen {
            let n = sums.weights[state];
            let delta: Vec<f64> = sums.first.row(state).iter().map(|v| v / n).collect();
            for (i, delta) in delta.iter().enumerate() {
                self.means[[state, i]] = F::cast(sums.origins[[state, i]].as_f64() + delta);
            }
            let squares = |i: usize, j: usize| {
                let at = if diagonal { i } else { i * d + j };
                let prior = if i == j { params.prior_scale } else { 0.0 };
                sums.second[[state, at]] - n * delta[i] * delta[j] + prior
            };
            let n = n + params.prior_weight;
            match self.covariance {
                Covariance::Spherical => {
                    let mean = (0..d).map(|i| squares(i, i)).sum::<f64>() / (n * d as f64);
                    self.spreads.row_mut(state).fill(F::cast(mean));
                }
                Covariance::Diagonal => {
                    (0..d).for_each(|i| self.spreads[[state, i]] = F::cast(squares(i, i) / n));
                }
                Covariance::Full | Covariance::Tied => {
                    for (i, j) in (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                        if self.covariance == Covariance::Full {
                            self.spreads[[state, i * d + j]] = F::cast(squares(i, j) / n);
                            self.spreads[[state, j * d + i]] = self.spreads[[state, i * d + j]];
                        } else {
                            // One prior for the one matrix.
                            let prior = if i == j { params.prior_scale } else { 0.0 };
                            pooled[i * d + j] += squares(i, j) - prior;
                        }
                    }
                }
            }
        }
        if self.covariance == Covariance::Tied && total > 0.0 {
            for (state, i, j) in (0..k).flat_map(|k| (0..d * d).map(move |at| (k, at / d, at % d))) {
                let prior = if i == j { params.prior_scale } else { 0.0 };
                let square = pooled[i.max(j) * d + i.min(j)] + prior;
                self.spreads[[state, i * d + j]] = F::cast(square / (total + params.prior_weight));
            }
            return (0..k).filter(|&state| self.lift(state, F::cast(params.floor))).collect();
        }
        seen.into_iter().filter(|&state| self.lift(state, F::cast(params.floor))).collect()
    }

    fn log_prior(&self, params: &GaussianParams) -> f64 {
        if params.prior_scale == 0.0 && params.prior_weight == 0.0 {
            return 0.0;
        }
        let (k, d) = self.means.dim();
        let n_matrices = if self.covariance == Covariance::Tied { 1 } else { k };
        let of = |state: usize| {
            // -1/2 (weight ln det S + scale tr S^-1), whose maximum with the likelihood is the formula of `maximize`.
            let log_det =
                -2.0 * self.log_peaks[state].as_f64() - d as f64 * (2.0 * std::f64::consts::PI).ln();
            let trace: f64 = self.whiteners.row(state).iter().map(|w| w.as_f64().powi(2)).sum();
            -0.5 * (params.prior_weight * log_det + params.prior_scale * trace)
        };
        (0..n_matrices).map(of).sum()
    }

    fn draw(&self, state: usize, out: &mut [F], rng: &mut dyn RngCore) {
        let d = out.len();
        if self.covariance.is_diagonal() {
            for (i, out) in out.iter_mut().enumerate() {
                let deviation = self.spreads[[state, i]].sqrt();
                *out = self.means[[state, i]] + deviation * F::cast(draw_normal(rng));
            }
            return;
        }
        // x = m + W^-1 z, from the first feature on: W is lower triangular.
        let whitener = self.whiteners.row(state);
        for i in 0..d {
            let before: F = (0..i).map(|j| whitener[i * d + j] * (out[j] - self.means[[state, j]])).sum();
            let z = F::cast(draw_normal(rng));
            out[i] = self.means[[state, i]] + (z - before) / whitener[i * d + i];
        }
    }

    fn start(
        x: &[F],
        d: usize,
        n_states: usize,
        params: &GaussianParams,
        start: Start,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, Option<Vec<usize>>)> {
        let (means, labels) = start_means(x, d, n_states, start, rng)?;
        let variances = overall_variances(x, d)?;
        let diagonal = params.covariance.is_diagonal();
        let spread: Vec<F> = match params.covariance {
            Covariance::Spherical => vec![variances.mean().unwrap_or(F::one()); d],
            Covariance::Diagonal => variances.to_vec(),
            Covariance::Full | Covariance::Tied => Array2::from_diag(&variances).into_iter().collect(),
        };
        let width = if diagonal { d } else { d * d };
        let spreads = Array2::from_shape_fn((n_states, width), |(_, at)| spread[at]);
        let mut gaussian = Self::unwhitened(params.covariance, means, spreads);
        (0..n_states).for_each(|state| {
            gaussian.lift(state, F::cast(params.floor));
        });
        Ok((gaussian, labels))
    }

    fn sort_key(&self, state: usize) -> f64 {
        self.means[[state, 0]].as_f64()
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        Some(Self {
            covariance: self.covariance,
            means: self.means.select(Axis(0), order),
            spreads: self.spreads.select(Axis(0), order),
            whiteners: self.whiteners.select(Axis(0), order),
            log_peaks: self.log_peaks.select(Axis(0), order),
        })
    }
}

/// `out[i * n + t] = x[t * d + i]`.
fn transpose<F: Float>(x: &[F], d: usize, out: &mut [F]) {
    let n = x.len() / d;
    for (t, row) in x.chunks_exact(d).enumerate() {
        for (i, &v) in row.iter().enumerate() {
            out[i * n + t] = v;
        }
    }
}

/// `out = x - origin`, held by features.
fn centre<F: Float>(x: &[F], n: usize, origin: ArrayView1<'_, F>, out: &mut [F]) {
    for ((x, out), &origin) in x.chunks_exact(n).zip(out.chunks_exact_mut(n)).zip(origin) {
        x.iter().zip(out).for_each(|(&x, out)| *out = x - origin);
    }
}

/// Measurements are finite, or NaN in the whole row.
pub(super) fn check_measurements<F: Float>(x: &[F], d: usize) -> Result<()> {
    for (row, values) in x.chunks_exact(d).enumerate() {
        if let Some(column) = values.iter().position(|v| !v.is_finite()).filter(|_| !is_missing(values)) {
            let value = values[column].as_f64();
            return Err(Error::NonFinite { name: "records", row, column, value });
        }
    }
    Ok(())
}

/// Centres of clusters, with the cluster of each row, or rows at random.
pub(super) fn start_means<F: Float>(
    x: &[F],
    d: usize,
    n: usize,
    start: Start,
    rng: &mut dyn RngCore,
) -> Result<(Array2<F>, Option<Vec<usize>>)> {
    check_measurements(x, d)?;
    let seen: Vec<&[F]> = x.chunks_exact(d).filter(|row| !is_missing(row)).collect();
    require(seen.len() >= n, "n_states", "at most the number of observations", n)?;
    let rows = Array2::from_shape_fn((seen.len(), d), |(t, i)| seen[t][i]);
    if start == Start::Random {
        let chosen: Vec<usize> = (0..n).map(|_| rng.gen_range(0..seen.len())).collect();
        return Ok((rows.select(Axis(0), &chosen), None));
    }
    let k_means = KMeans::params_with_rng(n, Xoshiro256Plus::seed_from_u64(rng.next_u64()))
        .n_runs(1)
        .max_n_iterations(50)
        .tolerance(F::cast(1e-4));
    let rows = DatasetBase::from(rows);
    let clusters = k_means
        .fit(&rows)
        .map_err(|error| Error::shape("records", "clusters that k-means can find", error))?;
    let found: Array1<usize> = clusters.predict(&rows.records);
    let mut found = found.into_iter();
    // A missing row keeps the cluster of the row before it.
    let mut last = 0;
    let labels = x
        .chunks_exact(d)
        .map(|row| {
            if !is_missing(row) {
                last = found.next().unwrap_or(last);
            }
            last
        })
        .collect();
    Ok((clusters.centroids().to_owned(), Some(labels)))
}

/// The variance of each feature over all rows that are not missing.
pub(super) fn overall_variances<F: Float>(x: &[F], d: usize) -> Result<Array1<F>> {
    let rows = || x.chunks_exact(d).filter(|row| !is_missing(row));
    let n = rows().count() as f64;
    let mut variances = Array1::zeros(d);
    for i in 0..d {
        let mean = rows().map(|row| row[i].as_f64()).sum::<f64>() / n;
        let squares = rows().map(|row| (row[i].as_f64() - mean).powi(2)).sum::<f64>() / n;
        variances[i] = F::cast(squares);
        if !variances[i].is_finite() {
            let rule = "values whose squares can be summed";
            return Err(Error::shape("records", rule, format_args!("a variance of {squares} in column {i}")));
        }
    }
    Ok(variances)
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for Gaussian<F> {
    fn kind() -> String {
        format!("Gaussian<{}>", crate::stored::type_word::<F>())
    }

    fn validate(&self) -> Result<()> {
        let (k, d) = self.means.dim();
        let width = if self.covariance.is_diagonal() { Some(d) } else { d.checked_mul(d) };
        let fits = width == Some(self.spreads.ncols()) && self.spreads.nrows() == k;
        require(fits, "covariance", "of the shape of the means", format_args!("{:?}", self.spreads.dim()))?;
        let again = Self::new(self.covariance, self.means.view(), self.spreads.clone())?;
        let near = |a: &F, b: &F| (a.as_f64() - b.as_f64()).abs() <= 1e-4 * (1.0 + a.as_f64().abs());
        let same = again.whiteners.dim() == self.whiteners.dim()
            && again.log_peaks.len() == self.log_peaks.len()
            && again.whiteners.iter().zip(&self.whiteners).all(|(a, b)| near(a, b))
            && again.log_peaks.iter().zip(&self.log_peaks).all(|(a, b)| near(a, b));
        require(same, "whiteners", "those of the covariances", "others")
    }
}
