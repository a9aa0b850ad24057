//! Rows of a table.

use super::Real;
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
            *out = table.get(number).copied().unwrap_or([self.beyond; K]);
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
                for (&number, out) in self.numbers.iter().zip(self.out.chunks_exact_mut(k)) {
                    match self.table.chunks_exact(k).nth(number) {
                        Some(row) => out.copy_from_slice(row),
                        None => out.fill(self.beyond),
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
