//! Gaussian log-densities and weighted moments of a block of rows.
//!
//! A block is held by features, `(d, n)`: the vectors run along time, so they are long for every number of features and states.

use super::Real;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch, fma};

/// Rows that are worked on at once: four vectors of the widest registers.
pub(crate) const TILE: usize = 32;

struct Whitened<'a, F> {
    n: usize,
    x: &'a [F],
    mean: &'a [F],
    w: &'a [F],
    centred: &'a mut [F],
    out: &'a mut [F],
}

impl<F: Real> Whitened<'_, F> {
    /// Rows `t..t + T` with a diagonal `W`.
    #[inline(always)]
    fn diagonal<S: Simd, const T: usize>(&mut self, t: usize) {
        let mut sq = [F::zero(); T];
        for (i, (&mean, &w)) in self.mean.iter().zip(self.w).enumerate() {
            let x = &self.x[i * self.n + t..][..T];
            for l in 0..T {
                let y = (x[l] - mean) * w;
                sq[l] = fma::<F, S>(y, y, sq[l]);
            }
        }
        self.out[t..][..T].copy_from_slice(&sq);
    }

    /// Rows `t..t + T` with a triangle `W`.
    #[inline(always)]
    fn triangle<S: Simd, const T: usize>(&mut self, t: usize) {
        let d = self.mean.len();
        let (centred, _) = self.centred.as_chunks_mut::<T>();
        for (i, (centred, &mean)) in centred.iter_mut().zip(self.mean).enumerate() {
            let x = &self.x[i * self.n + t..][..T];
            for l in 0..T {
                centred[l] = x[l] - mean;
            }
        }
        let mut sq = [F::zero(); T];
        for (i, row) in self.w.chunks_exact(d).enumerate() {
            let mut y = [F::zero(); T];
            for (&w, x) in row[..=i].iter().zip(&*centred) {
                for l in 0..T {
                    y[l] = fma::<F, S>(w, x[l], y[l]);
                }
            }
            for l in 0..T {
                sq[l] = fma::<F, S>(y[l], y[l], sq[l]);
            }
        }
        self.out[t..][..T].copy_from_slice(&sq);
    }
}

impl<F: Real> Task for Whitened<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let diagonal = self.w.len() == self.mean.len();
        let mut t = 0;
        while t < self.n {
            match (self.n - t >= TILE, diagonal) {
                (true, true) => self.diagonal::<S, TILE>(t),
                (true, false) => self.triangle::<S, TILE>(t),
                (false, true) => self.diagonal::<S, 1>(t),
                (false, false) => self.triangle::<S, 1>(t),
            }
            t += if self.n - t >= TILE { TILE } else { 1 };
        }
    }
}

/// `out_t = |W (x_t - mean)|^2` for `n` rows `x` held by features; `W` is the lower triangle of a `(d, d)` matrix, or its diagonal of `d`.
///
/// `centred` is scratch of `32 d`.
pub(crate) fn sq_whitened<F: Real>(n: usize, x: &[F], mean: &[F], w: &[F], centred: &mut [F], out: &mut [F]) {
    dispatch(Whitened { n, x, mean, w, centred, out });
}

struct Moments<'a, F> {
    n: usize,
    x: &'a [F],
    weights: &'a [F],
    weighted: &'a mut [F],
    first: &'a mut [F],
    second: &'a mut [F],
}

/// Dot products of `g` with `R` rows of `n` numbers.
#[inline(always)]
fn dots<F: Real, S: Simd, const R: usize>(g: &[F], x: &[F], n: usize) -> [F; R] {
    let mut acc = [[F::zero(); 8]; R];
    let whole = n - n % 8;
    for t in (0..whole).step_by(8) {
        let g = &g[t..][..8];
        for r in 0..R {
            let x = &x[r * n + t..][..8];
            for l in 0..8 {
                acc[r][l] = fma::<F, S>(g[l], x[l], acc[r][l]);
            }
        }
    }
    std::array::from_fn(|r| {
        let rest = (whole..n).fold(F::zero(), |s, t| fma::<F, S>(g[t], x[r * n + t], s));
        acc[r].iter().fold(rest, |s, &v| s + v)
    })
}

/// `g = w x`, and the sum of `g`.
#[inline(always)]
fn weigh<F: Real>(w: &[F], x: &[F], g: &mut [F]) -> F {
    let mut first = [F::zero(); 8];
    let ((ws, w), (xs, x), (gs, g)) = (w.as_chunks::<8>(), x.as_chunks::<8>(), g.as_chunks_mut::<8>());
    for ((w, x), g) in ws.iter().zip(xs).zip(gs) {
        for l in 0..8 {
            g[l] = w[l] * x[l];
            first[l] += g[l];
        }
    }
    let mut sum = F::zero();
    for ((&w, &x), g) in w.iter().zip(x).zip(g) {
        *g = w * x;
        sum += *g;
    }
    first.into_iter().fold(sum, |s, v| s + v)
}

impl<F: Real> Task for Moments<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let n = self.n;
        let d = self.first.len();
        for i in 0..d {
            let xi = &self.x[i * n..][..n];
            self.first[i] += weigh::<F>(self.weights, xi, self.weighted);
            let row = &mut self.second[i * d..=i * d + i];
            let mut j = 0;
            while j + 4 <= i + 1 {
                let four = dots::<F, S, 4>(self.weighted, &self.x[j * n..], n);
                for r in 0..4 {
                    row[j + r] += four[r];
                }
                j += 4;
            }
            while j <= i {
                let [one] = dots::<F, S, 1>(self.weighted, &self.x[j * n..], n);
                row[j] += one;
                j += 1;
            }
        }
    }
}

/// `first_i += sum_t w_t x_ti` and `second_ij += sum_t w_t x_ti x_tj` for `j <= i`.
///
/// `x` is held by features; `weighted` is scratch of `n`.
pub(crate) fn add_moments<F: Real>(
    n: usize,
    x: &[F],
    weights: &[F],
    weighted: &mut [F],
    first: &mut [F],
    second: &mut [F],
) {
    dispatch(Moments { n, x, weights, weighted, first, second });
}

struct Spreads<'a, F> {
    n: usize,
    x: &'a [F],
    weights: &'a [F],
    origin: &'a [F],
    first: &'a mut [F],
    second: &'a mut [F],
}

impl<F: Real> Task for Spreads<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let n = Lanes::<F, S>::N;
        let whole = self.n - self.n % (2 * n);
        let mut lanes = [F::zero(); 16];
        for (i, x) in self.x.chunks_exact(self.n).enumerate() {
            let origin = Lanes::<F, S>::splat(self.origin[i]);
            let (mut first, mut second) = ([Lanes::<F, S>::zero(); 2], [Lanes::<F, S>::zero(); 2]);
            for t in (0..whole).step_by(2 * n) {
                for u in 0..2 {
                    let w = Lanes::<F, S>::load(&self.weights[t + u * n..]);
                    let centred = Lanes::<F, S>::load(&x[t + u * n..]) - origin;
                    let g = w * centred;
                    first[u] = first[u] + g;
                    second[u] = g.mul_add(centred, second[u]);
                }
            }
            let mut total = |pair: [Lanes<F, S>; 2]| {
                (pair[0] + pair[1]).store(&mut lanes);
                lanes[..n].iter().fold(F::zero(), |sum, &v| sum + v)
            };
            let (mut sum, mut square) = (total(first), total(second));
            for (&x, &w) in x[whole..self.n].iter().zip(&self.weights[whole..]) {
                let centred = x - self.origin[i];
                let g = w * centred;
                sum += g;
                square = fma::<F, S>(g, centred, square);
            }
            self.first[i] += sum;
            self.second[i] += square;
        }
    }
}

/// `first_i += sum_t w_t (x_ti - origin_i)` and `second_i += sum_t w_t (x_ti - origin_i)^2`, for `n` rows `x` held by features.
pub(crate) fn add_spreads<F: Real>(
    n: usize,
    x: &[F],
    weights: &[F],
    origin: &[F],
    first: &mut [F],
    second: &mut [F],
) {
    dispatch(Spreads { n, x, weights, origin, first, second });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i * 7919 + seed * 104_729) % 1009) as f64) / 500.0 - 1.0).collect()
    }

    #[test]
    fn whitened_lengths_equal_the_plain_sums() {
        for isa in available() {
            for n in tested(1..=70) {
                for d in [1, 2, 3, 5, 9] {
                    let (x, w, mean) = (numbers(n * d, 1), numbers(d * d, 2), numbers(d, 5));
                    let (mut full, mut diagonal) = (vec![0.0; n], vec![0.0; n]);
                    let mut scratch = vec![0.0; TILE * d];
                    for (w, out) in [(&w[..], &mut full[..]), (&w[..d], &mut diagonal[..])] {
                        let centred = &mut scratch[..];
                        dispatch_on(isa, Whitened { n, x: &x, mean: &mean, w, centred, out });
                    }
                    for t in 0..n {
                        let at = |i: usize| x[i * n + t] - mean[i];
                        let expected: f64 = (0..d).map(|i| (w[i] * at(i)).powi(2)).sum();
                        assert!((diagonal[t] - expected).abs() < 1e-12, "{isa:?} {n} {d}");
                        if d > 1 {
                            let y = |i: usize| (0..=i).map(|j| w[i * d + j] * at(j)).sum::<f64>();
                            let expected: f64 = (0..d).map(|i| y(i).powi(2)).sum();
                            assert!((full[t] - expected).abs() < 1e-12, "{isa:?} {n} {d}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn moments_equal_the_plain_sums() {
        for isa in available() {
            for n in tested(1..=70) {
                for d in [1, 2, 3, 5, 9] {
                    let (x, weights) = (numbers(n * d, 3), numbers(n, 4));
                    let (mut scratch, mut first) = (vec![0.0; n], vec![1.0; d]);
                    let mut second = vec![0.0; d * d];
                    let weighted = &mut scratch[..];
                    let job = Moments {
                        n,
                        x: &x,
                        weights: &weights,
                        weighted,
                        first: &mut first,
                        second: &mut second,
                    };
                    dispatch_on(isa, job);
                    let origin = numbers(d, 6);
                    let (mut sums, mut squares) = (vec![1.0; d], vec![0.0; d]);
                    let (weights, to) = (&weights[..], (&mut sums[..], &mut squares[..]));
                    dispatch_on(
                        isa,
                        Spreads { n, x: &x, weights, origin: &origin, first: to.0, second: to.1 },
                    );
                    for i in 0..d {
                        let sum = |j: usize| -> f64 {
                            (0..n).map(|t| weights[t] * x[i * n + t] * x[j * n + t]).sum()
                        };
                        let plain: f64 = (0..n).map(|t| weights[t] * x[i * n + t]).sum();
                        assert!((first[i] - 1.0 - plain).abs() < 1e-12);
                        (0..=i).for_each(|j| assert!((second[i * d + j] - sum(j)).abs() < 1e-12));
                        let centred = |t: usize| x[i * n + t] - origin[i];
                        let plain: f64 = (0..n).map(|t| weights[t] * centred(t)).sum();
                        let square: f64 = (0..n).map(|t| weights[t] * centred(t).powi(2)).sum();
                        assert!((sums[i] - 1.0 - plain).abs() < 1e-12 && (squares[i] - square).abs() < 1e-12);
                    }
                }
            }
        }
    }
}
