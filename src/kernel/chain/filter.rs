//! The forward recursion.

use super::Real;
use super::step::{Held, Matrix, Panels, Recursion, SumProduct, matrix, product, small_step, step, sum};
use crate::kernel::simd::{Simd, Task, dispatch};

/// Rows that share one scale, from one multiple of this number on: so that most steps are a product and nothing else. Under 8 in place of 16 a
/// pass of EM takes 3 to 5 % longer.
///
/// A group is also what [`backward`](super::backward) scales at once.
pub(super) const GROUP: usize = 16;

pub(super) struct Forward<'a, F> {
    pub(super) k: usize,
    /// Number of the first row that is computed, counted from the beginning of a group.
    pub(super) first: usize,
    pub(super) a: &'a [F],
    pub(super) b: &'a [F],
    pub(super) alpha: &'a mut [F],
}

/// Where the group of row `t` ends, at most at `n`.
#[inline(always)]
fn group_end(first: usize, t: usize, n: usize) -> usize {
    n.min(t + GROUP - (first + t) % GROUP)
}

impl<F: Real> Recursion for Forward<'_, F> {
    type Output = Option<i64>;

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> Option<i64> {
        let a = matrix::<F, K>(self.a);
        let (b, _) = self.b.as_chunks::<K>();
        let (rows, _) = self.alpha.as_chunks_mut::<K>();
        let (start, rows) = rows.split_first_mut()?;
        let mut now = *start;
        let (mut t, mut exponent) = (0, 0);
        while t < b.len() {
            let end = group_end(self.first, t, b.len());
            if (self.first + t).is_multiple_of(GROUP) {
                now = product(&small_step::<F, SumProduct, S, K>(&a, now), &b[t]);
                exponent += scale(&mut now)?;
                rows[t] = now;
                t += 1;
            }
            let before = now;
            for (b, row) in b[t..end].iter().zip(&mut rows[t..end]) {
                now = product(&small_step::<F, SumProduct, S, K>(&a, now), b);
                *row = now;
            }
            if has_faded(&now) {
                now = before;
                for (b, row) in b[t..end].iter().zip(&mut rows[t..end]) {
                    now = product(&small_step::<F, SumProduct, S, K>(&a, now), b);
                    exponent += scale(&mut now)?;
                    *row = now;
                }
            }
            t = end;
        }
        Some(exponent)
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> Option<i64> {
        match Held::<F, S>::new(self.k, self.a) {
            Some(a) => self.rows::<S>(&a),
            None => {
                let a = Panels(self.a);
                self.rows::<S>(&a)
            }
        }
    }
}

impl<F: Real> Forward<'_, F> {
    /// All rows, whatever their number of states.
    #[inline(always)]
    fn rows<S: Simd>(self, a: &impl Matrix<F, S>) -> Option<i64> {
        let (k, n) = (self.k, self.b.len() / self.k);
        let (b, alpha) = (self.b, self.alpha);
        let (mut t, mut exponent) = (0, 0);
        while t < n {
            let end = group_end(self.first, t, n);
            if (self.first + t).is_multiple_of(GROUP) {
                row(k, t, a, b, alpha);
                exponent += scale(&mut alpha[(t + 1) * k..][..k])?;
                t += 1;
            }
            for t in t..end {
                row(k, t, a, b, alpha);
            }
            if has_faded(&alpha[end * k..][..k]) {
                for t in t..end {
                    row(k, t, a, b, alpha);
                    exponent += scale(&mut alpha[(t + 1) * k..][..k])?;
                }
            }
            t = end;
        }
        Some(exponent)
    }
}

/// Row `t + 1` from row `t`.
#[inline(always)]
fn row<F: Real, S: Simd>(k: usize, t: usize, a: &impl Matrix<F, S>, b: &[F], alpha: &mut [F]) {
    let (before, after) = alpha.split_at_mut((t + 1) * k);
    step::<F, SumProduct, S>(a, &before[t * k..], &b[t * k..][..k], &mut after[..k]);
}

/// Whether the rows of a group must be scaled one by one.
#[inline(always)]
fn has_faded<F: Real>(row: &[F]) -> bool {
    let mass = sum(row);
    mass.is_nan() || mass < F::FADED
}

/// Scales a row by a power of two where its sum is small, and returns the exponent; `None` where one step took too much.
#[inline(always)]
pub(super) fn scale<F: Real>(row: &mut [F]) -> Option<i64> {
    let mass = sum(row);
    if mass >= F::LOW {
        return Some(0);
    }
    if mass.is_nan() || mass < F::LOST {
        return None;
    }
    let (factor, exponent) = mass.rescale();
    row.iter_mut().for_each(|v| *v *= factor);
    Some(i64::from(exponent))
}

/// Filters a block under a packed `A`: row `t + 1` of `alpha` becomes `(alpha_t A) o b_t`, row 0 being where the block before ended.
///
/// Rows are scaled by powers of two, all of a group alike where no row loses too much; the sum of those exponents is returned. `None` says that
/// a single step lost all digits. `first` is the number of the first row that is computed, counted from the beginning of any group.
pub(crate) fn forward<F: Real>(k: usize, first: usize, a: &[F], b: &[F], alpha: &mut [F]) -> Option<i64> {
    dispatch(Forward { k, first, a, b, alpha })
}

/// Whether a number is above 0 and below [`LOST`](Real::LOST).
pub(crate) fn any_faint<F: Real>(values: &[F]) -> bool {
    dispatch(AnyFaint(values))
}

pub(super) struct AnyFaint<'a, F>(pub(super) &'a [F]);

impl<F: Real> Task for AnyFaint<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        is_faint(self.0)
    }
}

#[inline(always)]
pub(super) fn is_faint<F: Real>(values: &[F]) -> bool {
    let mut any = false;
    for &value in values {
        any |= (value > F::zero()) & (value < F::LOST);
    }
    any
}
