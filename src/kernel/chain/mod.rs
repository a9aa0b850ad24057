//! The inner loops of hidden Markov models.
//!
//! Every kernel is a [`Task`] over plain arrays, which the compiler puts into registers. Matrices are
//! row-major, `k` is the number of states, and a block is `n` rows of `k` numbers.

pub(crate) mod gauss;

use linfa::Float;

use super::lanes::Element;
use super::simd::{Simd, Task, dispatch, fma};

/// What a kernel of hidden Markov models asks of a float.
pub trait Real: Float + Element {
    /// A vector whose sum is at least this can take one more step without losing digits.
    const LOW: Self;
    /// A step that ends below this has lost digits.
    const LOST: Self;
    /// Below this, [`exp`](Self::exp_flushed) is 0.
    const EXP_ZERO: Self;

    /// `exp(x)` for `x <= 0` to an ulp or so, 0 where the result is subnormal; one that the compiler can vectorise.
    fn exp_flushed<S: Simd>(self) -> Self;

    /// The power of two that brings `self > 0` into `[0.5, 1)`, and its exponent.
    fn rescale(self) -> (Self, i32);
}

impl Real for f64 {
    const LOW: Self = f64::from_bits((1023 - 64) << 52);
    const LOST: Self = f64::from_bits((1023 - 900) << 52);
    const EXP_ZERO: Self = -708.0;

    #[inline(always)]
    fn exp_flushed<S: Simd>(self) -> Self {
        // x = n ln 2 + r with |r| <= ln 2 / 2; n is read from the low bits of x / ln 2 + 1.5 2^52.
        const SHIFT: f64 = 6_755_399_441_055_744.0;
        let x = if self > Self::EXP_ZERO { self } else { Self::EXP_ZERO };
        let shifted = fma::<f64, S>(x, std::f64::consts::LOG2_E, SHIFT);
        let n = shifted - SHIFT;
        let r = fma::<f64, S>(n, -6.931_471_803_691_238e-1, x);
        let r = fma::<f64, S>(n, -1.908_214_929_270_587_7e-10, r);
        // Taylor's series to r^13: the rest is below 1e-17.
        let mut p = 1.0 / 6_227_020_800.0;
        for c in [
            1.0 / 479_001_600.0,
            1.0 / 39_916_800.0,
            1.0 / 3_628_800.0,
            1.0 / 362_880.0,
            1.0 / 40_320.0,
            1.0 / 5_040.0,
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5,
            1.0,
            1.0,
        ] {
            p = fma::<f64, S>(p, r, c);
        }
        let scaled = f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52));
        if self > Self::EXP_ZERO { scaled } else { 0.0 }
    }

    fn rescale(self) -> (Self, i32) {
        #[allow(clippy::cast_possible_truncation, reason = "11 bits")]
        let exponent = ((self.to_bits() >> 52) & 0x7ff) as i32 - 1022;
        (f64::powi(2.0, -exponent), exponent)
    }
}

impl Real for f32 {
    const LOW: Self = f32::from_bits((127 - 24) << 23);
    const LOST: Self = f32::from_bits((127 - 96) << 23);
    const EXP_ZERO: Self = -87.0;

    #[inline(always)]
    fn exp_flushed<S: Simd>(self) -> Self {
        const SHIFT: f32 = 12_582_912.0;
        let x = if self > Self::EXP_ZERO { self } else { Self::EXP_ZERO };
        let shifted = fma::<f32, S>(x, std::f32::consts::LOG2_E, SHIFT);
        let n = shifted - SHIFT;
        let r = fma::<f32, S>(n, -0.693_359_4, x);
        let r = fma::<f32, S>(n, 2.121_944_4e-4, r);
        let mut p = 1.0 / 5_040.0;
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = fma::<f32, S>(p, r, c);
        }
        let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
        if self > Self::EXP_ZERO { scaled } else { 0.0 }
    }

    fn rescale(self) -> (Self, i32) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "8 bits")]
        let exponent = ((self.to_bits() >> 23) & 0xff) as i32 - 126;
        (f32::powi(2.0, -exponent), exponent)
    }
}

/// The two ways in which a path's steps are put together.
trait Algebra<F> {
    /// What an accumulator starts from.
    fn zero() -> F;
    /// `acc + x m`, or the larger of `acc` and `x + m`.
    fn push<S: Simd>(acc: F, x: F, m: F) -> F;
    /// Two accumulators in one.
    fn join(a: F, b: F) -> F;
    /// A finished accumulator and the step's own factor.
    fn weigh(acc: F, b: F) -> F;
}

/// Sums of products: probabilities.
struct SumProduct;
/// Maxima of sums: logs of the best path.
struct MaxPlus;

impl<F: Real> Algebra<F> for SumProduct {
    #[inline(always)]
    fn zero() -> F {
        F::zero()
    }
    #[inline(always)]
    fn push<S: Simd>(acc: F, x: F, m: F) -> F {
        fma::<F, S>(x, m, acc)
    }
    #[inline(always)]
    fn join(a: F, b: F) -> F {
        a + b
    }
    #[inline(always)]
    fn weigh(acc: F, b: F) -> F {
        acc * b
    }
}

impl<F: Real> Algebra<F> for MaxPlus {
    #[inline(always)]
    fn zero() -> F {
        F::neg_infinity()
    }
    #[inline(always)]
    fn push<S: Simd>(acc: F, x: F, m: F) -> F {
        let sum = x + m;
        if sum > acc { sum } else { acc }
    }
    #[inline(always)]
    fn join(a: F, b: F) -> F {
        if a > b { a } else { b }
    }
    #[inline(always)]
    fn weigh(acc: F, b: F) -> F {
        acc + b
    }
}

/// `(x M) o b` for a panel of `W` columns, with `U` accumulators so that the chain of dependent steps is `k / U` long.
#[inline(always)]
fn panel<F: Real, G: Algebra<F>, S: Simd, const W: usize, const U: usize>(
    panel: &[F],
    x: &[F],
    b: &[F],
    out: &mut [F],
) {
    let k = x.len();
    let mut acc = [[G::zero(); W]; U];
    let whole = k - k % U;
    for i in (0..whole).step_by(U) {
        for u in 0..U {
            let row = &panel[(i + u) * W..][..W];
            for l in 0..W {
                acc[u][l] = G::push::<S>(acc[u][l], x[i + u], row[l]);
            }
        }
    }
    for i in whole..k {
        let row = &panel[i * W..][..W];
        for l in 0..W {
            acc[0][l] = G::push::<S>(acc[0][l], x[i], row[l]);
        }
    }
    let (b, out) = (&b[..W], &mut out[..W]);
    for l in 0..W {
        let mut sum = acc[0][l];
        for part in &acc[1..] {
            sum = G::join(sum, part[l]);
        }
        out[l] = G::weigh(sum, b[l]);
    }
}

/// Widths of the panels that `k` columns are cut into, from the left.
#[inline(always)]
fn width(columns: usize) -> usize {
    match columns {
        32.. => 32,
        16.. => 16,
        8.. => 8,
        4.. => 4,
        _ => 1,
    }
}

/// Sizes that have a kernel of their own, with the matrix as it is.
fn is_small(k: usize) -> bool {
    matches!(k, 1..=6 | 8)
}

/// The matrix in the order in which the kernels read it: by panels of neighbouring columns, row after row in each.
pub(crate) fn pack<F: Real>(k: usize, m: &[F]) -> Vec<F> {
    if is_small(k) {
        return m.to_vec();
    }
    let mut packed = Vec::with_capacity(k * k);
    let mut j = 0;
    while j < k {
        let w = width(k - j);
        m.chunks_exact(k).for_each(|row| packed.extend_from_slice(&row[j..j + w]));
        j += w;
    }
    packed
}

/// `out = (x M) o b` for a packed `M`.
#[inline(always)]
fn step<F: Real, G: Algebra<F>, S: Simd>(k: usize, m: &[F], x: &[F], b: &[F], out: &mut [F]) {
    let mut j = 0;
    while j < k {
        let w = width(k - j);
        let (m, b, out) = (&m[j * k..(j + w) * k], &b[j..], &mut out[j..]);
        match w {
            32 => panel::<F, G, S, 32, 2>(m, x, b, out),
            16 => panel::<F, G, S, 16, 4>(m, x, b, out),
            8 => panel::<F, G, S, 8, 4>(m, x, b, out),
            4 => panel::<F, G, S, 4, 4>(m, x, b, out),
            _ => panel::<F, G, S, 1, 4>(m, x, b, out),
        }
        j += w;
    }
}

/// As [`step`], for a size that the compiler knows: all of it stays in registers.
#[inline(always)]
fn small_step<F: Real, G: Algebra<F>, S: Simd, const K: usize>(
    m: &[[F; K]; K],
    x: [F; K],
    b: &[F],
) -> [F; K] {
    let mut even = [G::zero(); K];
    let mut odd = [G::zero(); K];
    for i in 0..K {
        let acc = if i % 2 == 0 { &mut even } else { &mut odd };
        for l in 0..K {
            acc[l] = G::push::<S>(acc[l], x[i], m[i][l]);
        }
    }
    std::array::from_fn(|l| G::weigh(G::join(even[l], odd[l]), b[l]))
}

#[inline(always)]
fn matrix<F: Real, const K: usize>(m: &[F]) -> [[F; K]; K] {
    std::array::from_fn(|i| std::array::from_fn(|j| m[i * K + j]))
}

#[inline(always)]
fn vector<F: Real, const K: usize>(x: &[F]) -> [F; K] {
    std::array::from_fn(|i| x[i])
}

/// A sum with eight chains instead of one.
#[inline(always)]
fn sum<F: Real>(x: &[F]) -> F {
    let mut acc = [F::zero(); 8];
    let chunks = x.chunks_exact(8);
    let rest: F = chunks.remainder().iter().copied().fold(F::zero(), |a, b| a + b);
    for chunk in chunks {
        for l in 0..8 {
            acc[l] += chunk[l];
        }
    }
    acc.into_iter().fold(rest, |a, b| a + b)
}

#[inline(always)]
fn dot<F: Real, S: Simd>(x: &[F], y: &[F]) -> F {
    let mut acc = [F::zero(); 8];
    let (xs, ys) = (x.chunks_exact(8), y.chunks_exact(8));
    let mut rest = F::zero();
    for (a, b) in xs.remainder().iter().zip(ys.remainder()) {
        rest = fma::<F, S>(*a, *b, rest);
    }
    for (a, b) in xs.zip(ys) {
        for l in 0..8 {
            acc[l] = fma::<F, S>(a[l], b[l], acc[l]);
        }
    }
    acc.into_iter().fold(rest, |a, b| a + b)
}

struct Forward<'a, F> {
    k: usize,
    a: &'a [F],
    b: &'a [F],
    alpha: &'a mut [F],
}

impl<F: Real> Forward<'_, F> {
    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> Option<i64> {
        let a = matrix::<F, K>(self.a);
        let mut exponent = 0;
        let mut now = vector::<F, K>(self.alpha);
        for (b, out) in self.b.chunks_exact(K).zip(self.alpha[K..].chunks_exact_mut(K)) {
            now = small_step::<F, SumProduct, S, K>(&a, now, b);
            let mass = now.iter().copied().fold(F::zero(), |s, v| s + v);
            if mass < F::LOW {
                if mass < F::LOST {
                    return None;
                }
                let (factor, e) = mass.rescale();
                now = now.map(|v| v * factor);
                exponent += i64::from(e);
            }
            out.copy_from_slice(&now);
        }
        Some(exponent)
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> Option<i64> {
        let k = self.k;
        let mut exponent = 0;
        for (t, b) in self.b.chunks_exact(k).enumerate() {
            let (before, after) = self.alpha.split_at_mut((t + 1) * k);
            let out = &mut after[..k];
            step::<F, SumProduct, S>(k, self.a, &before[t * k..][..k], b, out);
            let mass = sum(out);
            if mass < F::LOW {
                if mass < F::LOST {
                    return None;
                }
                let (factor, e) = mass.rescale();
                out.iter_mut().for_each(|v| *v *= factor);
                exponent += i64::from(e);
            }
        }
        Some(exponent)
    }
}

impl<F: Real> Task for Forward<'_, F> {
    type Output = Option<i64>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Option<i64> {
        match self.k {
            1 => self.small::<S, 1>(),
            2 => self.small::<S, 2>(),
            3 => self.small::<S, 3>(),
            4 => self.small::<S, 4>(),
            5 => self.small::<S, 5>(),
            6 => self.small::<S, 6>(),
            8 => self.small::<S, 8>(),
            _ => self.any::<S>(),
        }
    }
}

/// Filters a block under a packed `A`: row `t + 1` of `alpha` becomes `(alpha_t A) o b_t`, row 0 being where the block before ended.
///
/// Rows are scaled by powers of two whenever their sum falls under `F::LOW`; the sum of those exponents is returned. `None` says that a
/// single step lost all digits.
pub(crate) fn forward<F: Real>(k: usize, a: &[F], b: &[F], alpha: &mut [F]) -> Option<i64> {
    dispatch(Forward { k, a, b, alpha })
}

struct Backward<'a, F> {
    k: usize,
    at: &'a [F],
    alpha: &'a [F],
    b: &'a [F],
    v: &'a mut [F],
    beta: &'a mut [F],
    gamma: &'a mut [F],
    u: &'a mut [F],
}

impl<F: Real> Backward<'_, F> {
    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> bool {
        let at = matrix::<F, K>(self.at);
        let mut v = vector::<F, K>(self.v);
        let ones = [F::one(); K];
        let rows = self.alpha.chunks_exact(K).zip(self.b.chunks_exact(K));
        let outs = self.gamma.chunks_exact_mut(K).zip(self.u.chunks_exact_mut(K));
        for ((alpha, b), (gamma, u)) in rows.zip(outs).rev() {
            let beta = small_step::<F, SumProduct, S, K>(&at, v, &ones);
            let mut joint = [F::zero(); K];
            let (mut n, mut mass) = (F::zero(), F::zero());
            for l in 0..K {
                joint[l] = alpha[l] * beta[l];
                n += joint[l];
                mass += beta[l];
            }
            if n.is_nan() || n < F::LOST {
                return false;
            }
            let w = F::one() / n;
            for l in 0..K {
                gamma[l] = joint[l] * w;
                u[l] = v[l] * w;
                v[l] = b[l] * beta[l];
            }
            if mass < F::LOW {
                let (factor, _) = mass.rescale();
                v = v.map(|v| v * factor);
            }
        }
        self.v.copy_from_slice(&v);
        true
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> bool {
        let k = self.k;
        let (v, beta) = (self.v, self.beta);
        let (ones, beta) = beta.split_at_mut(k);
        ones.fill(F::one());
        let rows = self.alpha.chunks_exact(k).zip(self.b.chunks_exact(k));
        let outs = self.gamma.chunks_exact_mut(k).zip(self.u.chunks_exact_mut(k));
        for ((alpha, b), (gamma, u)) in rows.zip(outs).rev() {
            step::<F, SumProduct, S>(k, self.at, v, ones, beta);
            let n = dot::<F, S>(alpha, beta);
            if n.is_nan() || n < F::LOST {
                return false;
            }
            let w = F::one() / n;
            let mass = sum(beta);
            // One length for all of them, so that no bound is checked in the loop.
            let (alpha, beta, b) = (&alpha[..k], &beta[..k], &b[..k]);
            let (gamma, u, v) = (&mut gamma[..k], &mut u[..k], &mut v[..k]);
            let factor = if mass < F::LOW { mass.rescale().0 } else { F::one() };
            for l in 0..k {
                gamma[l] = alpha[l] * beta[l] * w;
                u[l] = v[l] * w;
                v[l] = b[l] * beta[l] * factor;
            }
        }
        true
    }
}

impl<F: Real> Task for Backward<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        match self.k {
            1 => self.small::<S, 1>(),
            2 => self.small::<S, 2>(),
            3 => self.small::<S, 3>(),
            4 => self.small::<S, 4>(),
            5 => self.small::<S, 5>(),
            6 => self.small::<S, 6>(),
            8 => self.small::<S, 8>(),
            _ => self.any::<S>(),
        }
    }
}

/// Smooths a block, last row first, under the packed transpose of `A`.
///
/// With `v = b_(t+1) o beta_(t+1)` of the row after and `beta_t = A v`: `gamma_t` is `alpha_t o beta_t` scaled to a sum of 1, and `u_t` is `v`
/// under the same scale, so that the posterior of the step `t -> t + 1` is `A o (alpha_t^T u_t)`. The scale of `alpha` and of `v` cancels in both.
/// On return `v` is that of the block's first row. `beta` is scratch of `2 k`. False says that the digits were lost.
#[allow(clippy::too_many_arguments, reason = "one for each symbol of the recursion")]
pub(crate) fn backward<F: Real>(
    k: usize,
    at: &[F],
    alpha: &[F],
    b: &[F],
    v: &mut [F],
    beta: &mut [F],
    gamma: &mut [F],
    u: &mut [F],
) -> bool {
    dispatch(Backward { k, at, alpha, b, v, beta, gamma, u })
}

struct Outer<'a, F> {
    k: usize,
    m: usize,
    x: &'a [F],
    y: &'a [F],
    acc: &'a mut [F],
}

impl<F: Real> Outer<'_, F> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize>(&mut self, i: usize, j: usize) {
        let mut acc = [[F::zero(); C]; R];
        for (x, y) in self.x.chunks_exact(self.k).zip(self.y.chunks_exact(self.m)) {
            let (x, y) = (&x[i..][..R], &y[j..][..C]);
            for r in 0..R {
                for c in 0..C {
                    acc[r][c] = fma::<F, S>(x[r], y[c], acc[r][c]);
                }
            }
        }
        for (r, row) in acc.iter().enumerate() {
            let out = &mut self.acc[(i + r) * self.m + j..][..C];
            for c in 0..C {
                out[c] += row[c];
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, i: usize) {
        let mut j = 0;
        while j + 16 <= self.m {
            self.tile::<S, R, 16>(i, j);
            j += 16;
        }
        if j + 8 <= self.m {
            self.tile::<S, R, 8>(i, j);
            j += 8;
        }
        if j + 4 <= self.m {
            self.tile::<S, R, 4>(i, j);
            j += 4;
        }
        while j < self.m {
            self.tile::<S, R, 1>(i, j);
            j += 1;
        }
    }
}

impl<F: Real> Task for Outer<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let mut i = 0;
        while i + 4 <= self.k {
            self.rows::<S, 4>(i);
            i += 4;
        }
        while i < self.k {
            self.rows::<S, 1>(i);
            i += 1;
        }
    }
}

/// `acc += X^T Y` for blocks `X` of rows of `k` and `Y` of rows of `m` numbers; `acc` is `(k, m)`.
pub(crate) fn outer<F: Real>(k: usize, m: usize, x: &[F], y: &[F], acc: &mut [F]) {
    dispatch(Outer { k, m, x, y, acc });
}

struct Best<'a, F> {
    k: usize,
    log_a: &'a [F],
    log_b: &'a [F],
    delta: &'a mut [F],
}

impl<F: Real> Best<'_, F> {
    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) {
        let log_a = matrix::<F, K>(self.log_a);
        let mut now = vector::<F, K>(self.delta);
        for (b, out) in self.log_b.chunks_exact(K).zip(self.delta[K..].chunks_exact_mut(K)) {
            now = small_step::<F, MaxPlus, S, K>(&log_a, now, b);
            out.copy_from_slice(&now);
        }
    }
}

impl<F: Real> Task for Best<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.k {
            1 => return self.small::<S, 1>(),
            2 => return self.small::<S, 2>(),
            3 => return self.small::<S, 3>(),
            4 => return self.small::<S, 4>(),
            5 => return self.small::<S, 5>(),
            6 => return self.small::<S, 6>(),
            8 => return self.small::<S, 8>(),
            _ => {}
        }
        let k = self.k;
        for (t, b) in self.log_b.chunks_exact(k).enumerate() {
            let (before, after) = self.delta.split_at_mut((t + 1) * k);
            step::<F, MaxPlus, S>(k, self.log_a, &before[t * k..][..k], b, &mut after[..k]);
        }
    }
}

/// Best paths through a block under a packed `log A`: row `t + 1` of `delta` becomes `max_i (delta_t(i) + log A_ij) + log b_t(j)`.
pub(crate) fn best<F: Real>(k: usize, log_a: &[F], log_b: &[F], delta: &mut [F]) {
    dispatch(Best { k, log_a, log_b, delta });
}

struct ExpRows<'a, F> {
    k: usize,
    x: &'a mut [F],
}

impl<F: Real> ExpRows<'_, F> {
    #[inline(always)]
    fn subtract_maxima<const K: usize>(&mut self) -> f64 {
        self.x.as_chunks_mut::<K>().0.iter_mut().map(|row| subtract_max(row)).sum()
    }
}

/// Subtracts the largest number from all, and returns it.
#[inline(always)]
fn subtract_max<F: Real>(row: &mut [F]) -> f64 {
    let max = row.iter().copied().fold(F::neg_infinity(), |m, v| if v > m { v } else { m });
    // A row of -inf has no difference to its maximum.
    let shift = if max == F::neg_infinity() { F::zero() } else { max };
    row.iter_mut().for_each(|v| *v -= shift);
    max.to_f64().unwrap_or(f64::NAN)
}

impl<F: Real> Task for ExpRows<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(mut self) -> f64 {
        let log_scale = match self.k {
            2 => self.subtract_maxima::<2>(),
            3 => self.subtract_maxima::<3>(),
            4 => self.subtract_maxima::<4>(),
            8 => self.subtract_maxima::<8>(),
            _ => self.x.chunks_exact_mut(self.k).map(|row| subtract_max(row)).sum(),
        };
        for v in self.x.iter_mut() {
            *v = v.exp_flushed::<S>();
        }
        log_scale
    }
}

/// Replaces each row of `k` logs by `exp(x - max)` and returns the sum of the maxima.
pub(crate) fn exp_rows<F: Real>(k: usize, x: &mut [F]) -> f64 {
    dispatch(ExpRows { k, x })
}

#[cfg(test)]
mod tests {
    use super::super::simd::{available, dispatch_on};
    use super::*;

    fn numbers(n: usize, seed: usize) -> Vec<f64> {
        (0..n).map(|i| (((i * 7919 + seed * 104_729) % 1009) as f64 + 1.0) / 1010.0).collect()
    }

    fn stochastic(k: usize) -> Vec<f64> {
        let mut a = numbers(k * k, k);
        a.chunks_exact_mut(k).for_each(|row| {
            let sum: f64 = row.iter().sum();
            row.iter_mut().for_each(|p| *p /= sum);
        });
        a
    }

    /// Scaled to a sum of 1, where the kernel's own scale is not of interest.
    fn unit(row: &[f64]) -> Vec<f64> {
        let sum: f64 = row.iter().sum();
        row.iter().map(|v| v / sum).collect()
    }

    fn assert_close(a: &[f64], b: &[f64], what: &str) {
        a.iter().zip(b).for_each(|(a, b)| assert!((a - b).abs() < 1e-12, "{what}: {a} {b}"));
    }

    #[test]
    fn filters_smoothers_and_best_paths_equal_the_plain_recursions() {
        const N: usize = 5;
        for isa in available() {
            for k in 1..=70 {
                let what = format!("{isa:?} {k}");
                let (a, b) = (stochastic(k), numbers(N * k, 3));
                let at: Vec<f64> = (0..k * k).map(|i| a[i % k * k + i / k]).collect();
                let mut alpha = numbers(k, 4);
                alpha.resize((N + 1) * k, 0.0);
                let exponent = dispatch_on(isa, Forward { k, a: &pack(k, &a), b: &b, alpha: &mut alpha });
                assert_eq!(exponent, Some(0), "nothing so small that it needs a scale");
                for t in 0..N {
                    let plain = |j: usize| -> f64 {
                        (0..k).map(|i| alpha[t * k + i] * a[i * k + j]).sum::<f64>() * b[t * k + j]
                    };
                    let row: Vec<f64> = (0..k).map(plain).collect();
                    assert_close(&alpha[(t + 1) * k..][..k], &row, &what);
                }

                let after = numbers(k, 5);
                let (mut v, mut beta) = (after.clone(), vec![0.0; 2 * k]);
                let (mut gamma, mut u) = (vec![0.0; N * k], vec![0.0; N * k]);
                let job = Backward {
                    k,
                    at: &pack(k, &at),
                    alpha: &alpha[k..],
                    b: &b,
                    v: &mut v,
                    beta: &mut beta,
                    gamma: &mut gamma,
                    u: &mut u,
                };
                assert!(dispatch_on(isa, job));
                let mut plain_v = after;
                for t in (0..N).rev() {
                    let beta: Vec<f64> =
                        (0..k).map(|i| (0..k).map(|j| a[i * k + j] * plain_v[j]).sum()).collect();
                    let joint: Vec<f64> = (0..k).map(|i| alpha[(t + 1) * k + i] * beta[i]).collect();
                    let n: f64 = joint.iter().sum();
                    assert_close(&gamma[t * k..][..k], &unit(&joint), &what);
                    let scaled: Vec<f64> = plain_v.iter().map(|v| v / n).collect();
                    let relative: Vec<f64> =
                        u[t * k..][..k].iter().zip(&scaled).map(|(a, b)| a / b).collect();
                    assert_close(&unit(&relative), &vec![1.0 / k as f64; k], &what);
                    plain_v = (0..k).map(|j| b[t * k + j] * beta[j]).collect();
                }
                assert_close(&unit(&v), &unit(&plain_v), &what);

                let mut delta = numbers(k, 6);
                delta.resize((N + 1) * k, 0.0);
                dispatch_on(isa, Best { k, log_a: &pack(k, &a), log_b: &b, delta: &mut delta });
                for t in 0..N {
                    for j in 0..k {
                        let ways = (0..k).map(|i| delta[t * k + i] + a[i * k + j]);
                        let best = ways.fold(f64::NEG_INFINITY, f64::max) + b[t * k + j];
                        assert_eq!(delta[(t + 1) * k + j].to_bits(), best.to_bits(), "{what}");
                    }
                }

                let m = (k * 7) % 23 + 1;
                let (x, y, mut acc) = (numbers(N * k, 7), numbers(N * m, 8), vec![1.0; k * m]);
                dispatch_on(isa, Outer { k, m, x: &x, y: &y, acc: &mut acc });
                for (at, &sum) in acc.iter().enumerate() {
                    let plain: f64 = (0..N).map(|t| x[t * k + at / m] * y[t * m + at % m]).sum();
                    assert!((sum - 1.0 - plain).abs() < 1e-12, "{what}");
                }
            }
        }
    }

    #[test]
    fn lost_digits_are_told_and_small_sums_are_rescaled() {
        for isa in available() {
            for k in [1, 2, 7, 16, 33] {
                let a = pack(k, &stochastic(k));
                let mut alpha = vec![1.0 / k as f64; 3 * k];
                let b = [vec![1e-150; k], vec![1e-150; k]].concat();
                let exponent = dispatch_on(isa, Forward { k, a: &a, b: &b, alpha: &mut alpha });
                let sum: f64 = alpha[2 * k..].iter().sum();
                let log = sum.ln() + exponent.expect("no digit is lost") as f64 * std::f64::consts::LN_2;
                assert!((log - 300.0 * 0.1_f64.ln()).abs() < 1e-9);
                let b = vec![1e-300; 2 * k];
                assert_eq!(dispatch_on(isa, Forward { k, a: &a, b: &b, alpha: &mut alpha }), None);
            }
        }
    }

    #[test]
    fn exponentials_are_right_to_two_units_in_the_last_place() {
        for isa in available() {
            for k in 1..=70 {
                let mut x: Vec<f64> = numbers(2 * k, 9).iter().map(|v| -v * v * 600.0).collect();
                let plain = x.clone();
                let log_scale = dispatch_on(isa, ExpRows { k, x: &mut x });
                let maxima: Vec<f64> = plain
                    .chunks(k)
                    .map(|row| row.iter().copied().fold(f64::NEG_INFINITY, f64::max))
                    .collect();
                assert!((log_scale - maxima.iter().sum::<f64>()).abs() < 1e-12);
                for (at, (found, x)) in x.iter().zip(&plain).enumerate() {
                    let expected = (x - maxima[at / k]).exp();
                    assert!((found - expected).abs() <= 5e-16 * expected, "{found} {expected}");
                }
            }
            let mut x = [f64::NEG_INFINITY, f64::NEG_INFINITY, -800.0, 0.0];
            assert_eq!(dispatch_on(isa, ExpRows { k: 2, x: &mut x }), f64::NEG_INFINITY);
            assert_eq!(x, [0.0, 0.0, 0.0, 1.0]);
            let mut x = [0.0_f32, -1.0, -10.0, -86.0, -100.0];
            dispatch_on(isa, ExpRows { k: 5, x: &mut x });
            for (found, x) in x.iter().zip([0.0_f32, -1.0, -10.0, -86.0]) {
                assert!((found - x.exp()).abs() <= 3e-7 * x.exp());
            }
            assert_eq!(x[4], 0.0);
        }
    }
}
