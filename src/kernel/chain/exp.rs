//! Exponentials of rows, each under its own scale.

use super::Real;
use super::step::Recursion;
use crate::kernel::exp::exp_all;
use crate::kernel::simd::{Simd, dispatch};

pub(super) struct ExpRows<'a, F> {
    pub(super) k: usize,
    pub(super) x: &'a mut [F],
}

impl<F: Real> Recursion for ExpRows<'_, F> {
    type Output = f64;

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> f64 {
        let mut log_scale = 0.0;
        for row in self.x.as_chunks_mut::<K>().0 {
            let top = top_of(row);
            log_scale += subtract(row, top);
        }
        exp_all::<F, S>(self.x);
        log_scale
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> f64 {
        if self.k == 8 {
            return self.small::<S, 8>();
        }
        let mut log_scale = 0.0;
        for row in self.x.chunks_exact_mut(self.k) {
            let top = row.iter().fold(F::neg_infinity(), |top, &v| if v > top { v } else { top });
            log_scale += subtract(row, top);
        }
        exp_all::<F, S>(self.x);
        log_scale
    }
}

/// The largest of a row: of pairs, of pairs of pairs, so that few steps wait for one another.
#[inline(always)]
fn top_of<F: Real, const K: usize>(row: &[F; K]) -> F {
    let mut tops = *row;
    let mut count = K;
    while count > 1 {
        let half = count.div_ceil(2);
        for l in 0..count / 2 {
            tops[l] = if tops[l + half] > tops[l] { tops[l + half] } else { tops[l] };
        }
        count = half;
    }
    tops[0]
}

/// Subtracts the largest number, `top`, from all, and returns it.
#[inline(always)]
fn subtract<F: Real>(row: &mut [F], top: F) -> f64 {
    // A row of -inf has no difference to its maximum.
    let shift = if top == F::neg_infinity() { F::zero() } else { top };
    row.iter_mut().for_each(|v| *v -= shift);
    top.to_f64().unwrap_or(f64::NAN)
}

/// Replaces each row of `k` logs by `exp(x - max)` and returns the sum of the maxima.
pub(crate) fn exp_rows<F: Real>(k: usize, x: &mut [F]) -> f64 {
    dispatch(ExpRows { k, x })
}
