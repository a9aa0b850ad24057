//! Best paths.

use super::Real;
use super::step::{MaxPlus, matrix, small_step, step, vector};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

pub(super) struct Best<'a, F> {
    pub(super) k: usize,
    pub(super) log_a: &'a [F],
    pub(super) log_b: &'a [F],
    pub(super) delta: &'a mut [F],
}

impl<F: Real> Best<'_, F> {
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
            7 => return self.small::<S, 7>(),
            _ => {}
        }
        let k = self.k;
        for (t, b) in self.log_b.chunks_exact(k).enumerate() {
            let (before, after) = self.delta.split_at_mut((t + 1) * k);
            step::<F, MaxPlus, S>(self.log_a, &before[t * k..], b, &mut after[..k]);
        }
    }
}

/// Best paths through a block under a packed `log A`: row `t + 1` of `delta` becomes `max_i (delta_t(i) + log A_ij) + log b_t(j)`.
pub(crate) fn best<F: Real>(k: usize, log_a: &[F], log_b: &[F], delta: &mut [F]) {
    dispatch(Best { k, log_a, log_b, delta });
}

pub(super) struct Follow<'a, F> {
    pub(super) k: usize,
    pub(super) log_at: &'a [F],
    pub(super) delta: &'a [F],
    pub(super) path: &'a mut [usize],
}

impl<F: Real> Follow<'_, F> {
    #[inline(always)]
    fn small<const K: usize>(self) {
        let ((rows, _), (into, _)) = (self.delta.as_chunks::<K>(), self.log_at.as_chunks::<K>());
        let Some(&last) = self.path.last() else { return };
        let mut to = last;
        for t in (0..self.path.len() - 1).rev() {
            let (row, into) = (&rows[t], &into[to]);
            let mut best = (row[0] + into[0], 0);
            for (i, (&delta, &log_a)) in row.iter().zip(into).enumerate().skip(1) {
                let way = delta + log_a;
                best = if way > best.0 { (way, i) } else { best };
            }
            to = if best.0 > F::neg_infinity() { best.1 } else { 0 };
            self.path[t] = to;
        }
    }

    #[inline(always)]
    fn any<S: Simd>(self) {
        let (k, n) = (self.k, Lanes::<F, S>::N);
        let whole = k - k % n;
        let mut lanes = [F::neg_infinity(); 16];
        for t in (0..self.path.len().saturating_sub(1)).rev() {
            let (row, into) = (&self.delta[t * k..][..k], &self.log_at[self.path[t + 1] * k..][..k]);
            let way = |i: usize| Lanes::<F, S>::load(&row[i..]) + Lanes::load(&into[i..]);
            let mut best = Lanes::<F, S>::splat(F::neg_infinity());
            for i in (0..whole).step_by(n) {
                best = way(i).max(best);
            }
            best.store(&mut lanes);
            for (&delta, &log_a) in row[whole..].iter().zip(&into[whole..]) {
                let way = delta + log_a;
                lanes[0] = if way > lanes[0] { way } else { lanes[0] };
            }
            let mut width = n / 2;
            while width > 0 {
                for l in 0..width {
                    lanes[l] = if lanes[l + width] > lanes[l] { lanes[l + width] } else { lanes[l] };
                }
                width /= 2;
            }
            // The first state whose way is worth that much.
            let top = Lanes::<F, S>::splat(lanes[0]);
            let mut from = None;
            for i in (0..whole).step_by(n) {
                let equal = top.at_most(way(i));
                if equal != 0 {
                    from = Some(i + equal.trailing_zeros() as usize);
                    break;
                }
            }
            self.path[t] = match from {
                Some(from) => from,
                None => (whole..k).find(|&i| row[i] + into[i] >= lanes[0]).unwrap_or(0),
            };
        }
    }
}

impl<F: Real> Task for Follow<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        match self.k {
            1 => self.small::<1>(),
            2 => self.small::<2>(),
            3 => self.small::<3>(),
            4 => self.small::<4>(),
            5 => self.small::<5>(),
            6 => self.small::<6>(),
            7 => self.small::<7>(),
            8 => self.small::<8>(),
            16 => self.small::<16>(),
            _ => self.any::<S>(),
        }
    }
}

/// Fills all but the last state of `path`: `path_t` is the first `i` with the largest `delta_t(i) + log A_ij` for `j = path_(t+1)`.
///
/// `log_at` is the transpose of `log A`. That sum is what the maximum was taken of, so the arrows need no memory.
pub(crate) fn follow<F: Real>(k: usize, log_at: &[F], delta: &[F], path: &mut [usize]) {
    dispatch(Follow { k, log_at, delta, path });
}
