//! The backward recursion on its own.

use super::Real;
use super::filter::is_faint;
use super::step::{
    Algebra, Finish, Held, Matrix, Panels, Recursion, SumProduct, matrix, product, small_step, sum, vector,
};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, dispatch};

pub(super) struct Ahead<'a, F> {
    pub(super) k: usize,
    pub(super) at: &'a [F],
    pub(super) b: &'a [F],
    pub(super) v: &'a mut [F],
    pub(super) out: &'a mut [F],
}

impl<F: Real> Recursion for Ahead<'_, F> {
    type Output = Option<bool>;

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> Option<bool> {
        let at = matrix::<F, K>(self.at);
        let ((b, _), (out, _)) = (self.b.as_chunks::<K>(), self.out.as_chunks_mut::<K>());
        let mut v = vector::<F, K>(self.v);
        let mut faint = false;
        for (b, out) in b.iter().zip(out).rev() {
            *out = small_step::<F, SumProduct, S, K>(&at, v);
            v = product(out, b);
            faint |= finish_row(out, &mut v)?;
        }
        self.v[..K].copy_from_slice(&v);
        Some(faint)
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> Option<bool> {
        match Held::<F, S>::new(self.k, self.at) {
            Some(at) => self.rows::<S>(&at),
            None => {
                let at = Panels(self.at);
                self.rows::<S>(&at)
            }
        }
    }
}

impl<F: Real> Ahead<'_, F> {
    /// All rows, whatever their number of states.
    #[inline(always)]
    fn rows<S: Simd>(self, at: &impl Matrix<F, S>) -> Option<bool> {
        let k = self.k;
        let (now, next) = self.v.split_at_mut(k);
        let (mut v, mut next) = (now, &mut next[..k]);
        let mut faint = false;
        for (b, out) in self.b.chunks_exact(k).zip(self.out.chunks_exact_mut(k)).rev() {
            at.times::<SumProduct>(v, &mut Both { b, out, v: next });
            faint |= finish_row(out, next)?;
            (v, next) = (next, v);
        }
        if (self.b.len() / k) % 2 == 1 {
            next.copy_from_slice(v);
        }
        Some(faint)
    }
}

/// `out = beta` and `v = b o beta`.
struct Both<'a, F> {
    b: &'a [F],
    out: &'a mut [F],
    v: &'a mut [F],
}

impl<F: Real> Finish<F> for Both<'_, F> {
    #[inline(always)]
    fn one<G: Algebra<F>>(&mut self, j: usize, beta: F) {
        self.out[j] = beta;
        self.v[j] = self.b[j] * beta;
    }

    #[inline(always)]
    fn some<G: Algebra<F>, S: Simd>(&mut self, j: usize, beta: Lanes<F, S>) {
        beta.store(&mut self.out[j..]);
        (Lanes::load(&self.b[j..]) * beta).store(&mut self.v[j..]);
    }
}

/// Scales `beta` to a sum of 1, and `v` where that sum is small; tells whether a number of `v` is faint, or `None` where all digits are lost.
#[inline(always)]
fn finish_row<F: Real>(beta: &mut [F], v: &mut [F]) -> Option<bool> {
    let mass = sum(beta);
    if mass.is_nan() || mass < F::LOST {
        return None;
    }
    if mass < F::LOW {
        let (factor, _) = mass.rescale();
        v.iter_mut().for_each(|v| *v *= factor);
    }
    let inverse = F::one() / mass;
    beta.iter_mut().for_each(|beta| *beta *= inverse);
    Some(is_faint(v))
}

/// What comes after each row of a block, last row first, under the packed transpose of `A`: with `v = b_(t+1) o beta_(t+1)` of the row after,
/// `beta_t = A v`, written under a sum of 1.
///
/// `v` holds `k` numbers and room for as many; on return it is that of the block's first row. Tells whether a number of a `v` was above 0 and
/// below [`LOST`](Real::LOST); `None` where a single step lost all digits.
pub(crate) fn ahead<F: Real>(k: usize, at: &[F], b: &[F], v: &mut [F], out: &mut [F]) -> Option<bool> {
    dispatch(Ahead { k, at, b, v, out })
}
