//! Densities, sums and the maximum.

use ndarray::{Array2, ArrayView1, Axis};
use rand::RngCore;

use super::{Covariance, Gaussian, GaussianParams, GaussianSums, check_measurements};
use crate::error::Result;
use crate::float::Float;
use crate::hmm::draw_normal;
use crate::hmm::emission::{Emission, Start};
use crate::kernel::chain::gauss::{TILE, add_moments, add_spreads, sq_whitened};
use crate::kernel::chain::one_feature::{add_spread, log_curves};

impl<F: Float> Gaussian<F> {
    /// Scratch numbers for the densities of rows with `len` elements.
    pub(in crate::hmm) fn density_room(&self, len: usize) -> usize {
        let d = self.means.ncols();
        len + TILE * d + len / d
    }

    /// Scratch numbers for the sums of rows with `len` elements.
    pub(in crate::hmm) fn sums_room(&self, len: usize) -> usize {
        let d = self.means.ncols();
        2 * len + 2 * (len / d) + d + self.spreads.ncols()
    }

    /// Log-densities of rows, in scratch memory of [`density_room`](Self::density_room).
    pub(in crate::hmm) fn log_densities(&self, x: &[F], log_b: &mut [F], scratch: &mut [F]) {
        let (k, d) = self.means.dim();
        if d == 1 {
            let [mean, w] = [&self.means, &self.whiteners].map(|table| table.as_slice().unwrap_or_default());
            return log_curves(x, mean, w, self.log_peaks.as_slice().unwrap_or_default(), log_b);
        }
        let n = x.len() / d;
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

    /// Adds weighted rows to sums, in scratch memory of [`sums_room`](Self::sums_room).
    pub(in crate::hmm) fn add_weighted(
        &self,
        x: &[F],
        gamma: &[F],
        sums: &mut GaussianSums<F>,
        scratch: &mut [F],
    ) {
        let (k, d) = self.means.dim();
        let n = x.len() / d;
        // All are looked at, so that the compiler can take several at once.
        let missing = x.iter().step_by(d).fold(false, |missing, v| missing | v.is_nan());
        if d == 1 && !missing {
            let [first, second] =
                [&mut sums.first, &mut sums.second].map(|table| table.as_slice_mut().unwrap_or_default());
            let origin = sums.origins.as_slice().unwrap_or_default();
            return add_spread(x, gamma, origin, [&mut sums.weights, first, second]);
        }
        let (by_feature, rest) = scratch.split_at_mut(n * d);
        let (centred, rest) = rest.split_at_mut(n * d);
        let (weights, rest) = rest.split_at_mut(n);
        let (weighted, rest) = rest.split_at_mut(n);
        let (first, rest) = rest.split_at_mut(d);
        let second = &mut rest[..self.spreads.ncols()];
        transpose(x, d, by_feature);
        if missing {
            // A missing row counts for nothing.
            by_feature.iter_mut().filter(|v| v.is_nan()).for_each(|v| *v = F::zero());
        }
        for state in 0..k {
            let of_state = gamma[state..].iter().step_by(k);
            weights.iter_mut().zip(of_state).for_each(|(weight, &gamma)| *weight = gamma);
            if missing {
                let gone = weights.iter_mut().zip(x.iter().step_by(d)).filter(|(_, x)| x.is_nan());
                gone.for_each(|(weight, _)| *weight = F::zero());
            }
            let weight = sum(weights);
            if weight == F::zero() {
                continue;
            }
            first.fill(F::zero());
            second.fill(F::zero());
            if self.covariance.is_diagonal() || d == 1 {
                let origin = sums.origins.row(state);
                add_spreads(n, by_feature, weights, origin.to_slice().unwrap_or_default(), first, second);
            } else {
                centre(by_feature, n, sums.origins.row(state), centred);
                add_moments(n, centred, weights, weighted, first, second);
            }
            sums.weights[state] += weight.as_f64();
            sums.first.row_mut(state).iter_mut().zip(&*first).for_each(|(sum, v)| *sum += v.as_f64());
            sums.second.row_mut(state).iter_mut().zip(&*second).for_each(|(sum, v)| *sum += v.as_f64());
        }
    }
}

/// A sum with eight chains instead of one.
fn sum<F: Float>(x: &[F]) -> F {
    let mut acc = [F::zero(); 8];
    let (chunks, rest) = x.as_chunks::<8>();
    for chunk in chunks {
        acc.iter_mut().zip(chunk).for_each(|(sum, &v)| *sum += v);
    }
    rest.iter().chain(&acc).copied().sum()
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
        scratch.resize(self.density_room(x.len()), F::zero());
        self.log_densities(x, log_b, scratch);
    }

    fn sums(&self) -> GaussianSums<F> {
        GaussianSums {
            weights: vec![0.0; self.n_states()],
            origins: self.means.clone(),
            first: Array2::zeros(self.means.dim()),
            second: Array2::zeros(self.spreads.dim()),
        }
    }

    fn clear(&self, sums: &mut GaussianSums<F>) {
        sums.weights.fill(0.0);
        sums.origins.assign(&self.means);
        sums.first.fill(0.0);
        sums.second.fill(0.0);
    }

    fn accumulate(&self, x: &[F], gamma: &[F], sums: &mut GaussianSums<F>, scratch: &mut Vec<F>) {
        scratch.resize(self.sums_room(x.len()), F::zero());
        self.add_weighted(x, gamma, sums, scratch);
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
        let seen = |state: usize| sums.weights[state] > 0.0;
        let delta = |state: usize, i: usize| sums.first[[state, i]] / sums.weights[state];
        // Sums of squares around the new mean.
        let squares = |state: usize, i: usize, j: usize| {
            let at = if diagonal { i } else { i * d + j };
            sums.second[[state, at]] - sums.weights[state] * delta(state, i) * delta(state, j)
        };
        let prior = |i: usize, j: usize| if i == j { params.prior_scale } else { 0.0 };
        for state in (0..k).filter(|&state| seen(state)) {
            let n = sums.weights[state] + params.prior_weight;
            for i in 0..d {
                self.means[[state, i]] = F::cast(sums.origins[[state, i]].as_f64() + delta(state, i));
            }
            match self.covariance {
                Covariance::Spherical => {
                    let sum: f64 = (0..d).map(|i| squares(state, i, i) + prior(i, i)).sum();
                    self.spreads.row_mut(state).fill(F::cast(sum / (n * d as f64)));
                }
                Covariance::Diagonal => {
                    for i in 0..d {
                        self.spreads[[state, i]] = F::cast((squares(state, i, i) + prior(i, i)) / n);
                    }
                }
                Covariance::Full => {
                    for (i, j) in (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                        let square = F::cast((squares(state, i, j) + prior(i, j)) / n);
                        self.spreads[[state, i * d + j]] = square;
                        self.spreads[[state, j * d + i]] = square;
                    }
                }
                Covariance::Tied => {}
            }
        }
        let total: f64 = sums.weights.iter().sum();
        let pooled = self.covariance == Covariance::Tied && total > 0.0;
        if pooled {
            // One matrix, and one prior for it.
            for (i, j) in (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                let sum: f64 = (0..k).filter(|&state| seen(state)).map(|state| squares(state, i, j)).sum();
                let square = F::cast((sum + prior(i, j)) / (total + params.prior_weight));
                self.spreads.column_mut(i * d + j).fill(square);
                self.spreads.column_mut(j * d + i).fill(square);
            }
        }
        let floor = F::cast(params.floor);
        (0..k).filter(|&state| (pooled || seen(state)) && self.lift(state, floor)).collect()
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

    fn means(&self) -> Option<Array2<F>> {
        Some(self.means.clone())
    }

    fn fits(&self, sums: &GaussianSums<F>) -> bool {
        sums.first.dim() == self.means.dim() && sums.second.dim() == self.spreads.dim()
    }

    fn start(
        x: &[F],
        d: usize,
        n_states: usize,
        params: &GaussianParams,
        start: Start,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, Option<Vec<usize>>)> {
        super::start::start(x, d, n_states, params, start, rng)
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
