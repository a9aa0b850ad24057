//! Sums of outer products.

use super::Real;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch, fma};

pub(super) struct Outer<'a, F> {
    pub(super) k: usize,
    pub(super) x: &'a [F],
    pub(super) y: &'a [F],
    pub(super) acc: &'a mut [F],
}

/// `acc += x^T y`.
#[inline(always)]
fn add<F: Real, S: Simd, const K: usize>(acc: &mut [[F; K]; K], x: &[F; K], y: &[F; K]) {
    for (row, &x) in acc.iter_mut().zip(x) {
        for (sum, &y) in row.iter_mut().zip(y) {
            *sum = fma::<F, S>(x, y, *sum);
        }
    }
}

impl<F: Real> Outer<'_, F> {
    /// Rows `i..i + R` and the columns of `C` registers from `j` on; not `WHOLE` where there are fewer columns.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const C: usize, const WHOLE: bool>(&mut self, i: usize, j: usize) {
        let n = Lanes::<F, S>::N;
        let mut acc = [[Lanes::<F, S>::zero(); C]; R];
        let mut room = [F::zero(); 32];
        for (t, x) in self.x.chunks_exact(self.k).enumerate() {
            let (x, mut y) = (&x[i..][..R], &self.y[t * self.k + j..]);
            if !WHOLE && y.len() < C * n {
                // What lies behind a row counts for nothing; behind the last there is nothing.
                room[..y.len()].copy_from_slice(y);
                y = &room;
            }
            let y = &y[..C * n];
            for r in 0..R {
                for c in 0..C {
                    acc[r][c] = Lanes::splat(x[r]).mul_add(Lanes::load(&y[c * n..]), acc[r][c]);
                }
            }
        }
        for (r, row) in acc.iter().enumerate() {
            for (c, &sum) in row.iter().enumerate() {
                let out = &mut self.acc[(i + r) * self.k + j + c * n..];
                if WHOLE {
                    sum.store(out);
                    continue;
                }
                sum.store(&mut room);
                let columns = n.min(self.k - j - c * n);
                out[..columns].copy_from_slice(&room[..columns]);
            }
        }
    }

    /// All of the sum in registers, four times, so that no row waits for the one before it.
    #[inline(always)]
    fn small<S: Simd, const K: usize>(&mut self) {
        let ((x, _), (y, _)) = (self.x.as_chunks::<K>(), self.y.as_chunks::<K>());
        let mut acc = [[[F::zero(); K]; K]; 4];
        let ((x4, x), (y4, y)) = (x.as_chunks::<4>(), y.as_chunks::<4>());
        for (x, y) in x4.iter().zip(y4) {
            for u in 0..4 {
                add::<F, S, K>(&mut acc[u], &x[u], &y[u]);
            }
        }
        for (x, y) in x.iter().zip(y) {
            add::<F, S, K>(&mut acc[0], x, y);
        }
        let [even, odd, even_pairs, odd_pairs] = acc.map(|acc| acc.into_iter().flatten());
        let sums = even.zip(even_pairs).zip(odd.zip(odd_pairs));
        for (out, ((a, b), (c, d))) in self.acc.iter_mut().zip(sums) {
            *out = (a + b) + (c + d);
        }
    }

    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, i: usize) {
        let n = Lanes::<F, S>::N;
        let mut j = 0;
        while R == 4 && Lanes::<F, S>::COUNT >= 32 && j + 4 * n <= self.k {
            self.tile::<S, R, 4, true>(i, j);
            j += 4 * n;
        }
        while j + 2 * n <= self.k {
            self.tile::<S, R, 2, true>(i, j);
            j += 2 * n;
        }
        if j + n <= self.k {
            self.tile::<S, R, 1, true>(i, j);
            j += n;
        }
        if j < self.k {
            self.tile::<S, R, 1, false>(i, j);
        }
    }
}

impl<F: Real> Task for Outer<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        match self.k {
            2 => return self.small::<S, 2>(),
            3 => return self.small::<S, 3>(),
            _ => {}
        }
        let mut i = 0;
        // Where there are registers for sixteen sums, each number that is read counts for two of them or four.
        while Lanes::<F, S>::COUNT >= 32 && self.k < 4 * Lanes::<F, S>::N && i + 8 <= self.k {
            self.rows::<S, 8>(i);
            i += 8;
        }
        while i + 4 <= self.k {
            self.rows::<S, 4>(i);
            i += 4;
        }
        while i + 2 <= self.k {
            self.rows::<S, 2>(i);
            i += 2;
        }
        if i < self.k {
            self.rows::<S, 1>(i);
        }
    }
}

/// `acc = X^T Y` for blocks `X` and `Y` of rows of `k` numbers; `acc` is `(k, k)`.
pub(crate) fn outer<F: Real>(k: usize, x: &[F], y: &[F], acc: &mut [F]) {
    dispatch(Outer { k, x, y, acc });
}

#[inline(always)]
pub(super) fn double<F: Real>(x: F) -> f64 {
    x.to_f64().unwrap_or(f64::NAN)
}

pub(super) struct AddWeighed<'a, F> {
    pub(super) sums: &'a [F],
    pub(super) weights: &'a [F],
    pub(super) total: &'a mut [f64],
}

impl<F: Real> Task for AddWeighed<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        let mut all_finite = true;
        for sum in self.sums {
            all_finite &= sum.abs() < F::infinity();
        }
        if all_finite {
            for ((total, &sum), &weight) in self.total.iter_mut().zip(self.sums).zip(self.weights) {
                *total += double(sum) * double(weight);
            }
        }
        all_finite
    }
}

/// `total += sums o weights`, unless a sum is not finite: then nothing is added, and the answer is false.
pub(crate) fn add_weighed<F: Real>(sums: &[F], weights: &[F], total: &mut [f64]) -> bool {
    dispatch(AddWeighed { sums, weights, total })
}
