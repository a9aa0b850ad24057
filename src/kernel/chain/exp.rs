//! Exponentials of rows, each under its own scale.

use super::Real;
use crate::kernel::exp::exp_all;
use crate::kernel::simd::{Simd, Task, dispatch};

pub(super) struct ExpRows<'a, F> {
    pub(super) k: usize,
    pub(super) x: &'a mut [F],
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
        exp_all::<F, S>(self.x);
        log_scale
    }
}

/// Replaces each row of `k` logs by `exp(x - max)` and returns the sum of the maxima.
pub(crate) fn exp_rows<F: Real>(k: usize, x: &mut [F]) -> f64 {
    dispatch(ExpRows { k, x })
}
