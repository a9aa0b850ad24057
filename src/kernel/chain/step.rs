//! One step of a recursion: a row of `k` numbers times a matrix.

use super::Real;
use crate::kernel::Aligned;
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, fma};

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
    /// As the four above, for a register.
    fn zeros<S: Simd>() -> Lanes<F, S>
    where
        F: Element;
    fn push_all<S: Simd>(acc: Lanes<F, S>, x: Lanes<F, S>, m: Lanes<F, S>) -> Lanes<F, S>
    where
        F: Element;
    fn join_all<S: Simd>(a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S>
    where
        F: Element;
    fn weigh_all<S: Simd>(acc: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S>
    where
        F: Element;
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
    #[inline(always)]
    fn zeros<S: Simd>() -> Lanes<F, S> {
        Lanes::zero()
    }
    #[inline(always)]
    fn push_all<S: Simd>(acc: Lanes<F, S>, x: Lanes<F, S>, m: Lanes<F, S>) -> Lanes<F, S> {
        x.mul_add(m, acc)
    }
    #[inline(always)]
    fn join_all<S: Simd>(a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        a + b
    }
    #[inline(always)]
    fn weigh_all<S: Simd>(acc: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
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
    #[inline(always)]
    fn zeros<S: Simd>() -> Lanes<F, S> {
        Lanes::splat(F::neg_infinity())
    }
    #[inline(always)]
    fn push_all<S: Simd>(acc: Lanes<F, S>, x: Lanes<F, S>, m: Lanes<F, S>) -> Lanes<F, S> {
        (x + m).max(acc)
    }
    #[inline(always)]
    fn join_all<S: Simd>(a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        a.max(b)
    }
    #[inline(always)]
    fn weigh_all<S: Simd>(acc: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        acc + b
    }
}

/// `x M` for a panel of `W` columns, with `U` accumulators so that the chain of dependent steps is `k / U` long.
#[inline(always)]
fn panel<F: Real, G: Algebra<F>, S: Simd, const W: usize, const U: usize>(
    panel: &[F],
    x: &[F],
    j: usize,
    finish: &mut impl Finish<F>,
) {
    let (k, n) = (x.len(), Lanes::<F, S>::N);
    let (rows, _) = panel.as_chunks::<W>();
    if !W.is_multiple_of(n) {
        // Columns that fill no register.
        let mut acc = [G::zero(); W];
        for (&x, row) in x.iter().zip(rows) {
            for l in 0..W {
                acc[l] = G::push::<S>(acc[l], x, row[l]);
            }
        }
        for (l, &sum) in acc.iter().enumerate().take(k - j) {
            finish.one::<G>(j + l, sum);
        }
        return;
    }
    // As many of them as a row of the panel has registers: at most 64 columns in fours.
    let mut acc = [[G::zeros::<S>(); 16]; U];
    let ((xs, last_xs), (groups, last_rows)) = (x.as_chunks::<U>(), rows.as_chunks::<U>());
    for (x, rows) in xs.iter().zip(groups) {
        for u in 0..U {
            let x = Lanes::<F, S>::splat(x[u]);
            for c in 0..W / n {
                acc[u][c] = G::push_all(acc[u][c], x, Lanes::load(&rows[u][c * n..]));
            }
        }
    }
    for (&x, row) in last_xs.iter().zip(last_rows) {
        let x = Lanes::<F, S>::splat(x);
        for c in 0..W / n {
            acc[0][c] = G::push_all(acc[0][c], x, Lanes::load(&row[c * n..]));
        }
    }
    for c in 0..W / n {
        let mut sum = acc[0][c];
        for part in &acc[1..] {
            sum = G::join_all(sum, part[c]);
        }
        let j = j + c * n;
        if W > 8 || j + n <= k {
            finish.some::<G, S>(j, sum);
            continue;
        }
        let mut lanes = [F::zero(); 16];
        sum.store(&mut lanes);
        for (l, &sum) in lanes.iter().enumerate().take(k.saturating_sub(j)) {
            finish.one::<G>(j + l, sum);
        }
    }
}

/// What becomes of the columns of a product.
pub(super) trait Finish<F: Element> {
    /// Takes column `j`.
    fn one<G: Algebra<F>>(&mut self, j: usize, column: F);

    /// Takes the columns from `j` on.
    fn some<G: Algebra<F>, S: Simd>(&mut self, j: usize, columns: Lanes<F, S>);
}

/// `out = (x M) o b`.
struct Weighed<'a, F> {
    b: &'a [F],
    out: &'a mut [F],
}

impl<F: Real> Finish<F> for Weighed<'_, F> {
    #[inline(always)]
    fn one<G: Algebra<F>>(&mut self, j: usize, column: F) {
        self.out[j] = G::weigh(column, self.b[j]);
    }

    #[inline(always)]
    fn some<G: Algebra<F>, S: Simd>(&mut self, j: usize, columns: Lanes<F, S>) {
        G::weigh_all(columns, Lanes::load(&self.b[j..])).store(&mut self.out[j..]);
    }
}

/// Widths of the panels that `k` columns are cut into, from the left; the last is filled up with columns that are left out of the product.
#[inline(always)]
pub(super) fn width(columns: usize) -> usize {
    match columns {
        64.. => 64,
        32.. => 32,
        16.. => 16,
        _ => 8,
    }
}

/// Most states with a kernel of their own, with the matrix as it is.
const SMALL: usize = 7;

/// A recursion with two bodies: for a number of states that the compiler knows, where all stays in registers, and for any number.
pub(crate) trait Recursion: Sized {
    /// What it returns.
    type Output;

    fn n_states(&self) -> usize;

    fn small<S: Simd, const K: usize>(self) -> Self::Output;

    fn any<S: Simd>(self) -> Self::Output;
}

impl<R: Recursion> Task for R {
    type Output = R::Output;

    #[inline(always)]
    fn run<S: Simd>(self) -> R::Output {
        match self.n_states() {
            1 => self.small::<S, 1>(),
            2 => self.small::<S, 2>(),
            3 => self.small::<S, 3>(),
            4 => self.small::<S, 4>(),
            5 => self.small::<S, 5>(),
            6 => self.small::<S, 6>(),
            SMALL => self.small::<S, SMALL>(),
            _ => self.any::<S>(),
        }
    }
}

/// Writes the matrix in the order in which the kernels read it: by panels of neighbouring columns, row after row in each.
pub(crate) fn pack<F: Real>(k: usize, m: &[F], packed: &mut Aligned<F>) {
    if k <= SMALL {
        packed.resize(m.len());
        packed.copy_from_slice(m);
        return;
    }
    packed.resize(k * k.next_multiple_of(8));
    let (mut j, mut at) = (0, 0);
    while j < k {
        let w = width(k - j);
        let there = w.min(k - j);
        for row in m.chunks_exact(k) {
            packed[at..at + there].copy_from_slice(&row[j..j + there]);
            packed[at + there..at + w].fill(F::zero());
            at += w;
        }
        j += w;
    }
}

/// A packed matrix, as a step reads it.
pub(super) trait Matrix<F: Real, S: Simd> {
    /// `x M`.
    fn times<G: Algebra<F>>(&self, x: &[F], finish: &mut impl Finish<F>);
}

/// A panel of columns at a time.
pub(super) struct Panels<'a, F>(pub(super) &'a [F]);

impl<F: Real, S: Simd> Matrix<F, S> for Panels<'_, F> {
    #[inline(always)]
    fn times<G: Algebra<F>>(&self, x: &[F], finish: &mut impl Finish<F>) {
        let k = x.len();
        let mut j = 0;
        while j < k {
            let w = width(k - j);
            let m = &self.0[j * k..(j + w) * k];
            match w {
                64 => panel::<F, G, S, 64, 1>(m, x, j, finish),
                32 => panel::<F, G, S, 32, 2>(m, x, j, finish),
                16 => panel::<F, G, S, 16, 4>(m, x, j, finish),
                _ => panel::<F, G, S, 8, 4>(m, x, j, finish),
            }
            j += w;
        }
    }
}

/// A matrix of 32 columns in four registers each, of which the first rows stay in theirs from step to step.
///
/// A multiply-add that reads 64 bytes takes 1.4 times as long as one that has all in registers: with these four rows a step takes 32 ns for 37.
pub(super) struct Held<'a, F: Element, S: Simd> {
    rows: [[Lanes<F, S>; 4]; 4],
    rest: &'a [[F; 32]],
}

impl<'a, F: Real, S: Simd> Held<'a, F, S> {
    /// `None` for another size, and where there are no registers for it.
    #[inline(always)]
    pub(super) fn new(k: usize, m: &'a [F]) -> Option<Self> {
        let n = Lanes::<F, S>::N;
        let (held, rest) = m.as_chunks::<32>().0.split_at_checked(4)?;
        if k != 32 || n != 8 || Lanes::<F, S>::COUNT < 32 {
            return None;
        }
        let mut rows = [[Lanes::zero(); 4]; 4];
        for (to, from) in rows.iter_mut().zip(held) {
            for c in 0..4 {
                to[c] = Lanes::load(&from[c * n..]);
            }
        }
        Some(Self { rows, rest })
    }
}

impl<F: Real, S: Simd> Matrix<F, S> for Held<'_, F, S> {
    #[inline(always)]
    fn times<G: Algebra<F>>(&self, x: &[F], finish: &mut impl Finish<F>) {
        let n = Lanes::<F, S>::N;
        let (first, x) = x.split_at(4);
        let mut acc = [[G::zeros::<S>(); 4]; 2];
        for (x, rows) in x.as_chunks::<2>().0.iter().zip(self.rest.as_chunks::<2>().0) {
            for u in 0..2 {
                let x = Lanes::<F, S>::splat(x[u]);
                for c in 0..4 {
                    acc[u][c] = G::push_all(acc[u][c], x, Lanes::load(&rows[u][c * n..]));
                }
            }
        }
        for (i, row) in self.rows.iter().enumerate() {
            let x = Lanes::<F, S>::splat(first[i]);
            for (sum, &m) in acc[i % 2].iter_mut().zip(row) {
                *sum = G::push_all(*sum, x, m);
            }
        }
        for (c, &even) in acc[0].iter().enumerate() {
            finish.some::<G, S>(c * n, G::join_all(even, acc[1][c]));
        }
    }
}

/// `out = (x M) o b`.
#[inline(always)]
pub(super) fn step<F: Real, G: Algebra<F>, S: Simd>(m: &impl Matrix<F, S>, x: &[F], b: &[F], out: &mut [F]) {
    m.times::<G>(x, &mut Weighed { b, out });
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
    join(acc) + rest.iter().copied().fold(F::zero(), |sum, x| sum + x)
}

/// The sum of eight chains, in three steps.
#[inline(always)]
pub(super) fn join<F: Real>([a, b, c, d, e, f, g, h]: [F; 8]) -> F {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
