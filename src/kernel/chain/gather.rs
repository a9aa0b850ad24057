//! Rows of a table.

use super::Real;
use super::outer::double;
use super::step::Recursion;
use crate::kernel::simd::{Simd, dispatch};

pub(super) struct Gather<'a, F> {
    pub(super) k: usize,
    pub(super) table: &'a [F],
    pub(super) numbers: &'a [usize],
    pub(super) beyond: F,
    pub(super) out: &'a mut [F],
}

impl<F: Real> Gather<'_, F> {
    #[inline(always)]
    fn rows<const K: usize>(self) {
        let ((table, _), (out, _)) = (self.table.as_chunks::<K>(), self.out.as_chunks_mut::<K>());
        for (&number, out) in self.numbers.iter().zip(out) {
            match table.get(number) {
                Some(row) => *out = *row,
                None => out.fill(self.beyond),
            }
        }
    }
}

impl<F: Real> Recursion for Gather<'_, F> {
    type Output = ();

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) {
        self.rows::<K>();
    }

    #[inline(always)]
    fn any<S: Simd>(self) {
        // Rows of a length that the compiler knows are moved in registers.
        match self.k {
            8 => self.rows::<8>(),
            16 => self.rows::<16>(),
            32 => self.rows::<32>(),
            k => {
                let n = self.table.len() / k;
                for (&number, out) in self.numbers.iter().zip(self.out.chunks_exact_mut(k)) {
                    if number < n {
                        out.copy_from_slice(&self.table[number * k..][..k]);
                    } else {
                        out.fill(self.beyond);
                    }
                }
            }
        }
    }
}

/// Row `number` of a table of rows of `k` for each number; `beyond` in every place for a number that has none.
pub(crate) fn gather<F: Real>(k: usize, table: &[F], numbers: &[usize], beyond: F, out: &mut [F]) {
    dispatch(Gather { k, table, numbers, beyond, out });
}

pub(super) struct Scatter<'a, F> {
    pub(super) k: usize,
    pub(super) rows: &'a [F],
    pub(super) numbers: &'a [usize],
    pub(super) table: &'a mut [f64],
}

impl<F: Real> Scatter<'_, F> {
    #[inline(always)]
    fn rows<const K: usize>(self) {
        let ((rows, _), (table, _)) = (self.rows.as_chunks::<K>(), self.table.as_chunks_mut::<K>());
        for (&number, row) in self.numbers.iter().zip(rows) {
            if let Some(sums) = table.get_mut(number) {
                let row = *row;
                for l in 0..K {
                    sums[l] += double(row[l]);
                }
            }
        }
    }
}

impl<F: Real> Recursion for Scatter<'_, F> {
    type Output = ();

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) {
        self.rows::<K>();
    }

    #[inline(always)]
    fn any<S: Simd>(self) {
        match self.k {
            8 => self.rows::<8>(),
            16 => self.rows::<16>(),
            32 => self.rows::<32>(),
            k => {
                let n = self.table.len() / k;
                for (&number, row) in self.numbers.iter().zip(self.rows.chunks_exact(k)) {
                    if number < n {
                        let sums = &mut self.table[number * k..][..k];
                        sums.iter_mut().zip(row).for_each(|(sum, &x)| *sum += double(x));
                    }
                }
            }
        }
    }
}

/// Adds each row to row `number` of a table, the way back of [`gather`]; one whose number has none is left out.
pub(crate) fn scatter<F: Real>(k: usize, rows: &[F], numbers: &[usize], table: &mut [f64]) {
    dispatch(Scatter { k, rows, numbers, table });
}
