//! The row passes of logistic regression: margins, losses with residuals, and gradients, over a block of rows that stays in the cache.
//!
//! Letters: `n` rows of the block, `d` features, `m` logits (1 for two classes), `lanes` = `m` rounded up to whole vectors of four.
//! Records `x` are `(n, d)`, weights `w` and gradients `g` are `(d, lanes)`, margins `z` are `(m, n)`, residuals `r` are `(n, lanes)`; all row after row.
//! Records may be `f32`: they are widened as they are loaded, and everything else is `f64`.

#![allow(
    clippy::needless_range_loop,
    reason = "several arrays share each index, in the order of the formulas"
)]

mod losses;

use crate::kernel::simd::{Simd, Task, dispatch, fma};
pub(crate) use losses::{Losses, binary, softmax};

/// Vectors of four that one sweep over the features holds in registers; more logits take more sweeps.
const GROUP: usize = 4;

/// Number of entries that `m` logits take in `w`, `g` and `r`.
pub(crate) fn lanes(m: usize) -> usize {
    if m == 1 { 1 } else { m.next_multiple_of(4) }
}

/// `N` numbers that stay together in vector registers: accumulators in plain nested arrays end up as scalars.
#[derive(Clone, Copy)]
#[repr(align(32))]
struct Vector<const N: usize>([f64; N]);

impl<const N: usize> Vector<N> {
    const ZERO: Self = Self([0.0; N]);

    /// The first `N` values, widened.
    #[inline(always)]
    fn load<F: Copy + Into<f64>>(values: &[F]) -> Self {
        let values = &values[..N];
        Self(std::array::from_fn(|l| values[l].into()))
    }

    /// `self + a b`.
    #[inline(always)]
    fn add<S: Simd>(mut self, a: Self, b: Self) -> Self {
        for l in 0..N {
            self.0[l] = fma::<_, S>(a.0[l], b.0[l], self.0[l]);
        }
        self
    }
}

/// Dot products of `R` rows with `w`, so that each load of `w` serves `R` rows.
#[inline(always)]
fn dots<F: Copy + Into<f64>, S: Simd, const R: usize>(x: &[F], d: usize, w: &[f64]) -> [f64; R] {
    let rows: [&[F]; R] = std::array::from_fn(|i| &x[i * d..(i + 1) * d]);
    let w = &w[..d];
    let mut sums = [Vector::<8>::ZERO; R];
    let whole = d - d % 8;
    for j in (0..whole).step_by(8) {
        let w = Vector::load(&w[j..j + 8]);
        for r in 0..R {
            sums[r] = sums[r].add::<S>(Vector::load(&rows[r][j..j + 8]), w);
        }
    }
    std::array::from_fn(|r| {
        let s = sums[r].0;
        let mut sum = ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
        for j in whole..d {
            sum = fma::<_, S>(rows[r][j].into(), w[j], sum);
        }
        sum
    })
}

/// Adds the products of `R` rows with `4 V` columns of `w`, beginning at column `c`, to the margins of rows `i..i + R`.
#[inline(always)]
fn margin_tile<F: Copy + Into<f64>, S: Simd, const R: usize, const V: usize>(
    x: &[F],
    (n, d, m, lanes): (usize, usize, usize, usize),
    w: &[f64],
    z: &mut [f64],
    (i, c): (usize, usize),
) {
    let rows: [&[F]; R] = std::array::from_fn(|r| &x[(i + r) * d..(i + r + 1) * d]);
    let mut sums = [[Vector::<4>::ZERO; V]; R];
    for j in 0..d {
        let w = &w[j * lanes + c..j * lanes + c + 4 * V];
        for v in 0..V {
            let w = Vector::load(&w[4 * v..4 * v + 4]);
            for r in 0..R {
                sums[r][v] = sums[r][v].add::<S>(Vector([rows[r][j].into(); 4]), w);
            }
        }
    }
    for (r, sums) in sums.iter().enumerate() {
        for (v, sum) in sums.iter().enumerate() {
            for (l, value) in sum.0.iter().enumerate().take(m.saturating_sub(c + 4 * v)) {
                z[(c + 4 * v + l) * n + i + r] += value;
            }
        }
    }
}

/// Adds `x w` to the margins `z`.
struct Margins<'a, F> {
    x: &'a [F],
    n: usize,
    d: usize,
    m: usize,
    w: &'a [f64],
    z: &'a mut [f64],
}

impl<F: Copy + Into<f64>> Task for Margins<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { x, n, d, m, w, z } = self;
        if m == 1 {
            let mut i = 0;
            while i + 4 <= n {
                let sums: [f64; 4] = dots::<F, S, 4>(&x[i * d..], d, w);
                for (z, sum) in z[i..i + 4].iter_mut().zip(sums) {
                    *z += sum;
                }
                i += 4;
            }
            for i in i..n {
                z[i] += dots::<F, S, 1>(&x[i * d..], d, w)[0];
            }
            return;
        }
        let lanes = lanes(m);
        let dims = (n, d, m, lanes);
        let whole = n - n % 4;
        let mut c = 0;
        while c < lanes {
            let vectors = ((lanes - c) / 4).min(GROUP);
            for i in (0..whole).step_by(4) {
                match vectors {
                    1 => margin_tile::<F, S, 4, 1>(x, dims, w, z, (i, c)),
                    2 => margin_tile::<F, S, 4, 2>(x, dims, w, z, (i, c)),
                    3 => margin_tile::<F, S, 4, 3>(x, dims, w, z, (i, c)),
                    _ => margin_tile::<F, S, 4, 4>(x, dims, w, z, (i, c)),
                }
            }
            for i in whole..n {
                match vectors {
                    1 => margin_tile::<F, S, 1, 1>(x, dims, w, z, (i, c)),
                    2 => margin_tile::<F, S, 1, 2>(x, dims, w, z, (i, c)),
                    3 => margin_tile::<F, S, 1, 3>(x, dims, w, z, (i, c)),
                    _ => margin_tile::<F, S, 1, 4>(x, dims, w, z, (i, c)),
                }
            }
            c += 4 * vectors;
        }
    }
}

/// Adds the outer products of `R` rows with `4 V` of their residuals, beginning at column `c`, to the gradient.
#[inline(always)]
fn gradient_tile<F: Copy + Into<f64>, S: Simd, const R: usize, const V: usize>(
    x: &[F],
    (d, lanes): (usize, usize),
    r: &[f64],
    g: &mut [f64],
    (i, c): (usize, usize),
) {
    let rows: [&[F]; R] = std::array::from_fn(|k| &x[(i + k) * d..(i + k + 1) * d]);
    let residuals: [[[f64; 4]; V]; R] = std::array::from_fn(|k| {
        std::array::from_fn(|v| std::array::from_fn(|l| r[(i + k) * lanes + c + 4 * v + l]))
    });
    for j in 0..d {
        let g = &mut g[j * lanes + c..j * lanes + c + 4 * V];
        let mut sum: [[f64; 4]; V] = std::array::from_fn(|v| std::array::from_fn(|l| g[4 * v + l]));
        for (row, residual) in rows.iter().zip(&residuals) {
            let value: f64 = row[j].into();
            for v in 0..V {
                for l in 0..4 {
                    sum[v][l] = fma::<_, S>(value, residual[v][l], sum[v][l]);
                }
            }
        }
        for v in 0..V {
            for l in 0..4 {
                g[4 * v + l] = sum[v][l];
            }
        }
    }
}

/// Adds `x^T r` to the gradient `g`.
struct Gradient<'a, F> {
    x: &'a [F],
    n: usize,
    d: usize,
    m: usize,
    r: &'a [f64],
    g: &'a mut [f64],
}

impl<F: Copy + Into<f64>> Task for Gradient<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { x, n, d, m, r, g } = self;
        let whole = n - n % 4;
        if m == 1 {
            let g = &mut g[..d];
            for i in (0..whole).step_by(4) {
                let rows: [&[F]; 4] = std::array::from_fn(|k| &x[(i + k) * d..(i + k + 1) * d]);
                let [r0, r1, r2, r3] = [r[i], r[i + 1], r[i + 2], r[i + 3]];
                for j in 0..d {
                    let sum = fma::<_, S>(rows[0][j].into(), r0, g[j]);
                    let sum = fma::<_, S>(rows[1][j].into(), r1, sum);
                    let sum = fma::<_, S>(rows[2][j].into(), r2, sum);
                    g[j] = fma::<_, S>(rows[3][j].into(), r3, sum);
                }
            }
            for i in whole..n {
                let row = &x[i * d..(i + 1) * d];
                for j in 0..d {
                    g[j] = fma::<_, S>(row[j].into(), r[i], g[j]);
                }
            }
            return;
        }
        let lanes = lanes(m);
        let dims = (d, lanes);
        let mut c = 0;
        while c < lanes {
            let vectors = ((lanes - c) / 4).min(GROUP);
            for i in (0..whole).step_by(4) {
                match vectors {
                    1 => gradient_tile::<F, S, 4, 1>(x, dims, r, g, (i, c)),
                    2 => gradient_tile::<F, S, 4, 2>(x, dims, r, g, (i, c)),
                    3 => gradient_tile::<F, S, 4, 3>(x, dims, r, g, (i, c)),
                    _ => gradient_tile::<F, S, 4, 4>(x, dims, r, g, (i, c)),
                }
            }
            for i in whole..n {
                match vectors {
                    1 => gradient_tile::<F, S, 1, 1>(x, dims, r, g, (i, c)),
                    2 => gradient_tile::<F, S, 1, 2>(x, dims, r, g, (i, c)),
                    3 => gradient_tile::<F, S, 1, 3>(x, dims, r, g, (i, c)),
                    _ => gradient_tile::<F, S, 1, 4>(x, dims, r, g, (i, c)),
                }
            }
            c += 4 * vectors;
        }
    }
}

struct Largest<'a, F> {
    x: &'a [F],
}

impl<F: Copy + Into<f64>> Task for Largest<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let x = self.x;
        let (mut largest, mut bad) = ([0.0_f64; 16], [0.0_f64; 16]);
        let chunks = x.chunks_exact(16);
        let rest = chunks.remainder();
        let mut one = |l: usize, v: f64| {
            let size = v.abs();
            largest[l] = if size > largest[l] { size } else { largest[l] };
            // 0 for a finite value, else NaN.
            bad[l] += v * 0.0;
        };
        for chunk in chunks {
            for l in 0..16 {
                one(l, chunk[l].into());
            }
        }
        for (l, &v) in rest.iter().enumerate() {
            one(l, v.into());
        }
        largest.into_iter().fold(0.0, f64::max) + bad.into_iter().sum::<f64>()
    }
}

/// Largest absolute value, or NaN where one of them is not finite; 0 for none.
pub(crate) fn largest<F: Copy + Into<f64> + Send + Sync>(x: &[F]) -> f64 {
    dispatch(Largest { x })
}

/// Adds `x w` to the margins.
pub(crate) fn margins<F: Copy + Into<f64>>(x: &[F], n: usize, d: usize, m: usize, w: &[f64], z: &mut [f64]) {
    dispatch(Margins { x, n, d, m, w, z });
}

/// Adds `x^T r` to the gradient.
pub(crate) fn gradient<F: Copy + Into<f64>>(x: &[F], n: usize, d: usize, m: usize, r: &[f64], g: &mut [f64]) {
    dispatch(Gradient { x, n, d, m, r, g });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    /// Reproducible values in -1..1.
    pub(super) fn values(n: usize, seed: u64) -> Vec<f64> {
        let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
        };
        (0..n).map(|_| next()).collect()
    }

    pub(super) fn close(a: &[f64], b: &[f64]) -> bool {
        a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-13 * (1.0 + b.abs()))
    }

    #[test]
    fn margins_and_gradients_equal_their_sums_for_all_shapes() {
        for (n, m) in [(1, 1), (3, 1), (9, 1), (4, 2), (7, 3), (6, 4), (5, 10), (9, 17)] {
            for d in tested(0..=70) {
                let lanes = lanes(m);
                let x = values(n * d, 1);
                let w: Vec<f64> = values(d * lanes, 2)
                    .into_iter()
                    .enumerate()
                    .map(|(i, v)| if i % lanes < m { v } else { 0.0 })
                    .collect();
                let r = values(n * lanes, 3);
                let mut naive_z = vec![0.5; m * n];
                let mut naive_g = vec![0.25; d * lanes];
                for i in 0..n {
                    for j in 0..d {
                        for c in 0..m {
                            naive_z[c * n + i] += x[i * d + j] * w[j * lanes + c];
                        }
                        for c in 0..lanes {
                            naive_g[j * lanes + c] += x[i * d + j] * r[i * lanes + c];
                        }
                    }
                }
                for isa in available() {
                    let mut z = vec![0.5; m * n];
                    dispatch_on(isa, Margins { x: &x, n, d, m, w: &w, z: &mut z });
                    assert!(close(&z, &naive_z), "{isa:?} n {n} d {d} m {m}");
                    let mut g = vec![0.25; d * lanes];
                    dispatch_on(isa, Gradient { x: &x, n, d, m, r: &r, g: &mut g });
                    assert!(close(&g, &naive_g), "{isa:?} n {n} d {d} m {m}");
                }
            }
        }
    }

    #[test]
    fn the_largest_value_is_found_at_every_place_and_nan_wins() {
        for isa in available() {
            for n in tested(0..=70) {
                let mut x = vec![0.5; n];
                for i in 0..n {
                    x[i] = -2.0;
                    assert_eq!(dispatch_on(isa, Largest { x: &x }), 2.0);
                    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                        x[i] = bad;
                        assert!(dispatch_on(isa, Largest { x: &x }).is_nan(), "{isa:?} {n} {i} {bad}");
                    }
                    x[i] = 0.5;
                }
                assert_eq!(dispatch_on(isa, Largest { x: &x }), if n == 0 { 0.0 } else { 0.5 });
            }
        }
    }

    #[test]
    fn f32_records_give_the_margins_of_their_f64_values() {
        let narrow: Vec<f32> = values(5 * 13, 4).into_iter().map(|v| v as f32).collect();
        let wide: Vec<f64> = narrow.iter().map(|&v| f64::from(v)).collect();
        let w = values(13, 5);
        for isa in available() {
            let (mut a, mut b) = ([0.0; 5], [0.0; 5]);
            dispatch_on(isa, Margins { x: &narrow, n: 5, d: 13, m: 1, w: &w, z: &mut a });
            dispatch_on(isa, Margins { x: &wide, n: 5, d: 13, m: 1, w: &w, z: &mut b });
            assert_eq!(a, b);
        }
    }
}
