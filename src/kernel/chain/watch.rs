//! The forward recursion between two bounds.

use super::Real;
use super::step::{
    Algebra, Finish, Matrix, Panels, Recursion, SumProduct, matrix, product, small_step, step, sum, vector,
};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, dispatch};

pub(super) struct Watch<'a, F> {
    pub(super) k: usize,
    pub(super) a: [&'a [F]; 2],
    pub(super) b: [&'a [F]; 2],
    pub(super) alpha: &'a mut [F],
    pub(super) upper: &'a mut [F],
}

impl<F: Real> Recursion for Watch<'_, F> {
    type Output = Option<i64>;

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> Option<i64> {
        let [a, lifted_a] = self.a.map(matrix::<F, K>);
        let [b, lifted_b] = self.b.map(|b| b.as_chunks::<K>().0);
        let (start, rows) = self.alpha.as_chunks_mut::<K>().0.split_first_mut()?;
        let (mut now, mut upper) = (*start, vector::<F, K>(self.upper));
        let mut exponent = 0;
        for ((b, lifted_b), row) in b.iter().zip(lifted_b).zip(rows) {
            now = product(&small_step::<F, SumProduct, S, K>(&a, now), b);
            upper = product(&small_step::<F, SumProduct, S, K>(&lifted_a, upper), lifted_b).map(lifted);
            exponent += agree(&mut now, &mut upper)?;
            *row = now;
        }
        self.upper[..K].copy_from_slice(&upper);
        Some(exponent)
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> Option<i64> {
        let (k, n) = (self.k, self.b[0].len() / self.k);
        let [a, lifted_a] = self.a.map(Panels);
        let (now, next) = self.upper.split_at_mut(k);
        let (mut upper, mut next) = (now, &mut next[..k]);
        let mut exponent = 0;
        for t in 0..n {
            let (before, after) = self.alpha.split_at_mut((t + 1) * k);
            let [b, lifted_b] = self.b.map(|b| &b[t * k..]);
            step::<F, SumProduct, S>(&a, &before[t * k..], b, &mut after[..k]);
            Matrix::<F, S>::times::<SumProduct>(&lifted_a, upper, &mut Lifted { b: lifted_b, out: next });
            exponent += agree(&mut after[..k], next)?;
            (upper, next) = (next, upper);
        }
        if n % 2 == 1 {
            next.copy_from_slice(upper);
        }
        Some(exponent)
    }
}

/// At least [`LOST`](Real::LOST), unless it is 0.
#[inline(always)]
fn lifted<F: Real>(x: F) -> F {
    if x > F::zero() && x < F::LOST { F::LOST } else { x }
}

/// `out = (x M) o b`, [`lifted`].
struct Lifted<'a, F> {
    b: &'a [F],
    out: &'a mut [F],
}

impl<F: Real> Finish<F> for Lifted<'_, F> {
    #[inline(always)]
    fn one<G: Algebra<F>>(&mut self, j: usize, column: F) {
        self.out[j] = lifted(column * self.b[j]);
    }

    #[inline(always)]
    fn some<G: Algebra<F>, S: Simd>(&mut self, j: usize, column: Lanes<F, S>) {
        let row = column * Lanes::load(&self.b[j..]);
        let least = row.one_where_above(Lanes::zero()) * Lanes::splat(F::LOST);
        row.max(least).store(&mut self.out[j..]);
    }
}

/// Scales both rows where their sum is small, and returns the exponent; `None` where the upper one has more, or where there are no digits.
#[inline(always)]
fn agree<F: Real>(row: &mut [F], upper: &mut [F]) -> Option<i64> {
    let (mass, most) = (sum(row), sum(upper));
    let same = most <= mass * (F::one() + F::epsilon() * F::cast(4096));
    if !same || mass < F::LOST {
        return None;
    }
    if mass >= F::LOW {
        return Some(0);
    }
    let (factor, exponent) = mass.rescale();
    for row in [row, upper] {
        row.iter_mut().for_each(|v| *v *= factor);
    }
    Some(i64::from(exponent))
}

/// Filters a block as [`forward`](super::forward) does, each row under its own scale, and beside it an upper bound; `None` where the two differ.
///
/// Of `a` and `b` the second is lifted: what is possible is at least [`LOW`](Real::LOW) in the one and [`LOST`](Real::LOST) in the other. So is `upper`,
/// the bound of the row before, with room for another. It loses nothing, as no product of three such numbers is below the normal ones. The rows lose
/// what is too small; as long as both have the same sum, both are the truth.
pub(crate) fn watch<F: Real>(
    k: usize,
    a: [&[F]; 2],
    b: [&[F]; 2],
    alpha: &mut [F],
    upper: &mut [F],
) -> Option<i64> {
    dispatch(Watch { k, a, b, alpha, upper })
}
