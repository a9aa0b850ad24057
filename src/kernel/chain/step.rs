//! One step of a recursion: a row of `k` numbers times a matrix.

use super::Real;
use crate::kernel::Aligned;
use crate::kernel::simd::{Simd, fma};

/// The two ways in which a path's steps are put together.
pub(super) trait Algebra<F> {
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
pub(super) struct SumProduct;
/// Maxima of sums: logs of the best path.
pub(super) struct MaxPlus;

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
    let mut acc = [[G::zero(); W]; U];
    let (rows, _) = panel.as_chunks::<W>();
    let (x, rest) = x.as_chunks::<U>();
    let (rows, rest_rows) = rows.split_at(x.len() * U);
    let (rows, _) = rows.as_chunks::<U>();
    for (x, rows) in x.iter().zip(rows) {
        for u in 0..U {
            for l in 0..W {
                acc[u][l] = G::push::<S>(acc[u][l], x[u], rows[u][l]);
            }
        }
    }
    for (&x, row) in rest.iter().zip(rest_rows) {
        for l in 0..W {
            acc[0][l] = G::push::<S>(acc[0][l], x, row[l]);
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
        64.. => 64,
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
pub(crate) fn pack<F: Real>(k: usize, m: &[F]) -> Aligned<F> {
    let mut packed = Aligned::of(m);
    if is_small(k) {
        return packed;
    }
    let (mut j, mut at) = (0, 0);
    while j < k {
        let w = width(k - j);
        for row in m.chunks_exact(k) {
            packed[at..at + w].copy_from_slice(&row[j..j + w]);
            at += w;
        }
        j += w;
    }
    packed
}

/// `out = (x M) o b` for a packed `M`.
#[inline(always)]
pub(super) fn step<F: Real, G: Algebra<F>, S: Simd>(m: &[F], x: &[F], b: &[F], out: &mut [F]) {
    let k = x.len();
    let mut j = 0;
    while j < k {
        let w = width(k - j);
        let (m, b, out) = (&m[j * k..(j + w) * k], &b[j..], &mut out[j..]);
        match w {
            64 => panel::<F, G, S, 64, 1>(m, x, b, out),
            32 => panel::<F, G, S, 32, 2>(m, x, b, out),
            16 => panel::<F, G, S, 16, 4>(m, x, b, out),
            8 => panel::<F, G, S, 8, 4>(m, x, b, out),
            4 => panel::<F, G, S, 4, 4>(m, x, b, out),
            _ => panel::<F, G, S, 1, 4>(m, x, b, out),
        }
        j += w;
    }
}

/// As [`step`], without the factor, for a size that the compiler knows: all of it stays in registers.
#[inline(always)]
pub(super) fn small_step<F: Real, G: Algebra<F>, S: Simd, const K: usize>(
    m: &[[F; K]; K],
    x: [F; K],
) -> [F; K] {
    let mut even = [G::zero(); K];
    let mut odd = [G::zero(); K];
    for i in 0..K {
        let acc = if i % 2 == 0 { &mut even } else { &mut odd };
        for l in 0..K {
            acc[l] = G::push::<S>(acc[l], x[i], m[i][l]);
        }
    }
    std::array::from_fn(|l| G::join(even[l], odd[l]))
}

#[inline(always)]
pub(super) fn matrix<F: Real, const K: usize>(m: &[F]) -> [[F; K]; K] {
    std::array::from_fn(|i| std::array::from_fn(|j| m[i * K + j]))
}

#[inline(always)]
pub(super) fn vector<F: Real, const K: usize>(x: &[F]) -> [F; K] {
    std::array::from_fn(|i| x[i])
}

/// `x o y`.
#[inline(always)]
pub(super) fn product<F: Real, const K: usize>(x: &[F; K], y: &[F]) -> [F; K] {
    std::array::from_fn(|l| x[l] * y[l])
}

/// A sum with eight chains instead of one.
#[inline(always)]
pub(super) fn sum<F: Real>(x: &[F]) -> F {
    let mut acc = [F::zero(); 8];
    let (chunks, rest) = x.as_chunks::<8>();
    for chunk in chunks {
        for l in 0..8 {
            acc[l] += chunk[l];
        }
    }
    rest.iter().chain(&acc).fold(F::zero(), |a, &b| a + b)
}
