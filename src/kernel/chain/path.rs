//! Best paths: their values, all rows of them.

use super::Real;
use super::step::{MaxPlus, Panels, Recursion, matrix, small_step, step, vector};
use crate::kernel::simd::{Simd, dispatch};

pub(super) struct Best<'a, F> {
    pub(super) k: usize,
    pub(super) log_a: &'a [F],
    pub(super) log_b: &'a [F],
    pub(super) delta: &'a mut [F],
}

impl<F: Real> Recursion for Best<'_, F> {
    type Output = ();

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) {
        let log_a = matrix::<F, K>(self.log_a);
        let mut now = vector::<F, K>(self.delta);
        for (b, out) in self.log_b.chunks_exact(K).zip(self.delta[K..].chunks_exact_mut(K)) {
            now = small_step::<F, MaxPlus, S, K>(&log_a, now);
            (0..K).for_each(|l| now[l] += b[l]);
            out.copy_from_slice(&now);
        }
    }

    #[inline(always)]
    fn any<S: Simd>(self) {
        let k = self.k;
        for (t, b) in self.log_b.chunks_exact(k).enumerate() {
            let (before, after) = self.delta.split_at_mut((t + 1) * k);
            step::<F, MaxPlus, S>(&Panels(self.log_a), &before[t * k..], b, &mut after[..k]);
        }
    }
}

/// Best paths through a block under a packed `log A`: row `t + 1` of `delta` becomes `max_i (delta_t(i) + log A_ij) + log b_t(j)`.
pub(crate) fn best<F: Real>(k: usize, log_a: &[F], log_b: &[F], delta: &mut [F]) {
    dispatch(Best { k, log_a, log_b, delta });
}
