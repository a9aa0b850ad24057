//! Best paths of few states, whose arrows are bits.

use super::Real;
use super::step::Recursion;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, dispatch};

/// Most states whose arrows fit a word: a bit for each pair.
pub(crate) const MOST_ARROWS: usize = 8;

pub(super) struct Arrows<'a, F> {
    pub(super) k: usize,
    pub(super) log_a: &'a [F],
    pub(super) log_b: &'a [F],
    pub(super) delta: &'a mut [F],
    pub(super) arrows: &'a mut [[u8; 8]],
}

/// A row from the beginning of a cache line on: what is written to two lines at once is slow to be read again, twice as slow in all.
#[repr(align(64))]
struct Line<F>([F; 16]);

/// The first `K` of `x` in registers, filled up.
#[inline(always)]
fn filled<F: Real, S: Simd, const K: usize, const R: usize>(x: &[F], rest: F) -> [Lanes<F, S>; R] {
    let mut row = [rest; 16];
    row[..K].copy_from_slice(&x[..K]);
    let mut registers = [Lanes::zero(); R];
    for (r, register) in registers.iter_mut().enumerate() {
        *register = Lanes::load(&row[r * Lanes::<F, S>::N..]);
    }
    registers
}

impl<F: Real> Arrows<'_, F> {
    /// A row in `R` registers, filled up with states that nothing leads to.
    #[inline(always)]
    fn rows<S: Simd, const K: usize, const R: usize>(self) {
        let n = Lanes::<F, S>::N;
        let mut log_a = [[Lanes::<F, S>::zero(); R]; K];
        for (i, row) in log_a.iter_mut().enumerate() {
            *row = filled::<F, S, K, R>(&self.log_a[i * K..], F::neg_infinity());
        }
        let mut line = Line([F::neg_infinity(); 16]);
        let now = &mut line.0;
        now[..K].copy_from_slice(&self.delta[..K]);
        for (b, arrows) in self.log_b.chunks_exact(K).zip(self.arrows) {
            let b = filled::<F, S, K, R>(b, F::zero());
            let mut ways = log_a;
            for i in 0..K {
                for r in 0..R {
                    ways[i][r] = Lanes::splat(now[i]) + log_a[i][r];
                }
            }
            let mut best = ways;
            let mut count = K;
            // Pairs, pairs of pairs: three steps for eight states.
            while count > 1 {
                let half = count.div_ceil(2);
                let (left, right) = best.split_at_mut(half);
                for (left, right) in left.iter_mut().zip(&right[..count / 2]) {
                    for (left, &right) in left.iter_mut().zip(right) {
                        *left = left.max(right);
                    }
                }
                count = half;
            }
            for r in 0..R {
                (best[0][r] + b[r]).store(&mut now[r * n..]);
            }
            if K > 5 {
                // Read again number by number: more of them are cheaper to load than to spread out of the register.
                std::hint::black_box(&mut *now);
            }
            // Bytes, not a word put together: masks that are stored leave the units alone that the sums and maxima need.
            for i in 0..K {
                let mut mask = 0;
                for r in 0..R {
                    mask |= best[0][r].at_most(ways[i][r]) << (r * n);
                }
                arrows[i] = mask as u8;
            }
        }
        self.delta[..K].copy_from_slice(&now[..K]);
    }
}

impl<F: Real> Recursion for Arrows<'_, F> {
    type Output = ();

    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) {
        if K <= Lanes::<F, S>::N { self.rows::<S, K, 1>() } else { self.rows::<S, K, 2>() }
    }

    /// Above the small numbers there is one.
    #[inline(always)]
    fn any<S: Simd>(self) {
        self.small::<S, MOST_ARROWS>();
    }
}

/// Best paths of at most [`MOST_ARROWS`] states through a block: `delta_j` becomes `max_i (delta_i + log A_ij) + log b_t(j)`, row after row.
///
/// Bit `j` of a row's byte `i` is set where the way to `j` by `i` is the best, or as good. Nothing else of the rows is kept.
pub(crate) fn arrows<F: Real>(k: usize, log_a: &[F], log_b: &[F], delta: &mut [F], arrows: &mut [[u8; 8]]) {
    dispatch(Arrows { k, log_a, log_b, delta, arrows });
}
