//! Densities, sums and the maximum.

use ndarray::{Array2, ArrayView1, Axis};
use rand::RngCore;

use super::{Covariance, Gaussian, GaussianParams, GaussianSums, check_measurements};
use crate::error::Result;
use crate::float::Float;
use crate::hmm::draw_normal;
use crate::hmm::emission::{Emission, Start};
use crate::kernel::chain::gauss::{TILE, add_moments, add_spreads, sq_whitened};

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
        let (by_feature, rest) = scratch.split_at_mut(n * d);
        let (centred, rest) = rest.split_at_mut(n * d);
        let (weights, rest) = rest.split_at_mut(n);
        let (weighted, rest) = rest.split_at_mut(n);
        let (first, second) = rest.split_at_mut(d);
        transpose(x, d, by_feature);
        let missing = x.iter().step_by(d).any(|v| v.is_nan());
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
