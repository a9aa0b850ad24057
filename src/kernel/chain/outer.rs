//! Sums of outer products.

use super::Real;
use crate::kernel::simd::{Simd, Task, dispatch, fma};

pub(super) struct Outer<'a, F> {
    pub(super) k: usize,
    pub(super) m: usize,
    pub(super) x: &'a [F],
    pub(super) y: &'a [F],
    pub(super) acc: &'a mut [F],
}

impl<F: Real> Outer<'_, F> {
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize>(&mut self, i: usize, j: usize) {
        let mut acc = [[F::zero(); C]; R];
        for (x, y) in self.x.chunks_exact(self.k).zip(self.y.chunks_exact(self.m)) {
            let (x, y) = (&x[i..][..R], &y[j..][..C]);
            for r in 0..R {
                for c in 0..C {
                    acc[r][c] = fma::<F, S>(x[r], y[c], acc[r][c]);
                }
            }
        }
        for (r, row) in acc.iter().enumerate() {
            let out = &mut self.acc[(i + r) * self.m + j..][..C];
            for c in 0..C {
                out[c] += row[c];
            }
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, i: usize) {
        let mut j = 0;
        while j + 16 <= self.m {
            self.tile::<S, R, 16>(i, j);
            j += 16;
        }
        if j + 8 <= self.m {
            self.tile::<S, R, 8>(i, j);
            j += 8;
        }
        if j + 4 <= self.m {
            self.tile::<S, R, 4>(i, j);
            j += 4;
        }
        while j < self.m {
            self.tile::<S, R, 1>(i, j);
            j += 1;
        }
    }
}

impl<F: Real> Task for Outer<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let mut i = 0;
        while i + 4 <= self.k {
            self.rows::<S, 4>(i);
            i += 4;
        }
        while i < self.k {
            self.rows::<S, 1>(i);
            i += 1;
        }
    }
}

/// `acc += X^T Y` for blocks `X` of rows of `k` and `Y` of rows of `m` numbers; `acc` is `(k, m)`.
pub(crate) fn outer<F: Real>(k: usize, m: usize, x: &[F], y: &[F], acc: &mut [F]) {
    dispatch(Outer { k, m, x, y, acc });
}
