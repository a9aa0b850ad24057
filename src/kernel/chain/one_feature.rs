//! Log-densities and weighted sums of observations that are one number: along the states, in the order in which the rows lie.

use super::Real;
use crate::kernel::simd::{Simd, Task, dispatch, fma};

/// What is done for each state, that is, for each column of the rows.
trait Columns {
    /// Columns `j..j + W`.
    fn columns<S: Simd, const W: usize>(&mut self, j: usize);
}

/// All of `k` columns, eight at a time and then the rest.
#[inline(always)]
fn by_columns<S: Simd>(k: usize, job: &mut impl Columns) {
    for j in (0..k).step_by(8) {
        match k - j {
            1 => job.columns::<S, 1>(j),
            2 => job.columns::<S, 2>(j),
            3 => job.columns::<S, 3>(j),
            4 => job.columns::<S, 4>(j),
            5 => job.columns::<S, 5>(j),
            6 => job.columns::<S, 6>(j),
            7 => job.columns::<S, 7>(j),
            _ => job.columns::<S, 8>(j),
        }
    }
}

struct Curves<'a, F> {
    x: &'a [F],
    mean: &'a [F],
    w: &'a [F],
    log_peak: &'a [F],
    out: &'a mut [F],
}

impl<F: Real> Columns for Curves<'_, F> {
    #[inline(always)]
    fn columns<S: Simd, const W: usize>(&mut self, j: usize) {
        let k = self.mean.len();
        let of = |from: &[F]| -> [F; W] { std::array::from_fn(|l| from[j + l]) };
        let (mean, w, log_peak) = (of(self.mean), of(self.w), of(self.log_peak));
        for (&x, out) in self.x.iter().zip(self.out.chunks_exact_mut(k)) {
            let out = &mut out[j..][..W];
            // A missing row is certain in every state.
            let least = if x.is_nan() { F::zero() } else { F::neg_infinity() };
            for l in 0..W {
                let y = (x - mean[l]) * w[l];
                let log = fma::<F, S>(y * F::of(-0.5), y, log_peak[l]);
                out[l] = if log > F::neg_infinity() { log } else { least };
            }
        }
    }
}

impl<F: Real> Task for Curves<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        by_columns::<S>(self.mean.len(), &mut self);
    }
}

/// `out[t k + j] = log_peak_j - (w_j (x_t - mean_j))^2 / 2`; 0 where `x_t` is NaN.
pub(crate) fn log_curves<F: Real>(x: &[F], mean: &[F], w: &[F], log_peak: &[F], out: &mut [F]) {
    dispatch(Curves { x, mean, w, log_peak, out });
}

struct Spread<'a, F> {
    x: &'a [F],
    gamma: &'a [F],
    origin: &'a [F],
    sums: [&'a mut [f64]; 3],
}

impl<F: Real> Columns for Spread<'_, F> {
    #[inline(always)]
    fn columns<S: Simd, const W: usize>(&mut self, j: usize) {
        let k = self.origin.len();
        let origin: [F; W] = std::array::from_fn(|l| self.origin[j + l]);
        // Even and odd rows, so that none waits for the one before it.
        let mut sums = [[[F::zero(); W]; 3]; 2];
        let (xs, rest) = self.x.as_chunks::<2>();
        let mut pairs = self.gamma.chunks_exact(2 * k);
        for (x, gamma) in xs.iter().zip(&mut pairs) {
            for u in 0..2 {
                add::<F, S, W>(&mut sums[u], x[u], &gamma[u * k + j..][..W], &origin);
            }
        }
        if let [x] = *rest {
            add::<F, S, W>(&mut sums[0], x, &pairs.remainder()[j..][..W], &origin);
        }
        for (moment, sum) in self.sums.iter_mut().enumerate() {
            for l in 0..W {
                sum[j + l] += (sums[0][moment][l] + sums[1][moment][l]).to_f64().unwrap_or(f64::NAN);
            }
        }
    }
}

/// A row: its weights, weights times distance from the origin, weights times squared distance.
#[inline(always)]
fn add<F: Real, S: Simd, const W: usize>(sums: &mut [[F; W]; 3], x: F, gamma: &[F], origin: &[F; W]) {
    for l in 0..W {
        let centred = x - origin[l];
        let g = gamma[l] * centred;
        sums[0][l] += gamma[l];
        sums[1][l] += g;
        sums[2][l] = fma::<F, S>(g, centred, sums[2][l]);
    }
}

impl<F: Real> Task for Spread<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        by_columns::<S>(self.origin.len(), &mut self);
    }
}

/// Adds `sum_t g_tj`, `sum_t g_tj (x_t - origin_j)` and `sum_t g_tj (x_t - origin_j)^2` to three sums, for `gamma` of `(n, k)`.
pub(crate) fn add_spread<F: Real>(x: &[F], gamma: &[F], origin: &[F], sums: [&mut [f64]; 3]) {
    dispatch(Spread { x, gamma, origin, sums });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i * 7919 + seed * 104_729) % 1009) as f64) / 500.0 - 1.0).collect()
    }

    #[test]
    fn curves_and_sums_equal_the_plain_ones() {
        for isa in available() {
            for n in tested(0..=70) {
                for k in [1, 2, 3, 4, 5, 6, 7, 8, 9, 16, 21] {
                    let mut x = numbers(n, 1);
                    if let Some(last) = x.last_mut() {
                        *last = f64::NAN;
                    }
                    let (mean, w, log_peak) = (numbers(k, 2), numbers(k, 3), numbers(k, 4));
                    let mut out = vec![0.0; n * k];
                    dispatch_on(
                        isa,
                        Curves { x: &x, mean: &mean, w: &w, log_peak: &log_peak, out: &mut out },
                    );
                    for (at, &out) in out.iter().enumerate() {
                        let (t, j) = (at / k, at % k);
                        let log = log_peak[j] - ((x[t] - mean[j]) * w[j]).powi(2) / 2.0;
                        let expected = if log.is_nan() { 0.0 } else { log };
                        assert!(out == expected || (out - expected).abs() < 1e-14, "{isa:?} {n} {k}");
                    }

                    let x = numbers(n, 5);
                    let gamma = numbers(n * k, 6);
                    let mut sums = vec![1.0; 3 * k];
                    let (weights, rest) = sums.split_at_mut(k);
                    let (first, second) = rest.split_at_mut(k);
                    let to = [weights, first, second];
                    dispatch_on(isa, Spread { x: &x, gamma: &gamma, origin: &mean, sums: to });
                    for (at, sum) in sums.iter().enumerate() {
                        let j = at % k;
                        let term = |t: usize| gamma[t * k + j] * (x[t] - mean[j]).powi((at / k) as i32);
                        let plain: f64 = (0..n).map(term).sum();
                        assert!((sum - 1.0 - plain).abs() < 1e-12, "{isa:?} {n} {k}");
                    }
                }
            }
        }
    }
}
