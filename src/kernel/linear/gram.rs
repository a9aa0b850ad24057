//! `sum_i h_i x_i x_i^T` over a block of rows: the curvature of linear models.

use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// Rows are as long as a multiple of this: of the widest register, and so of all.
const WIDTH: usize = 8;

/// Length of a row of `k` numbers with its padding.
pub(crate) fn padded(k: usize) -> usize {
    let k = k.next_multiple_of(WIDTH);
    // Rows a whole page apart would meet in few sets of the cache.
    if k.is_multiple_of(512) { k + WIDTH } else { k }
}

/// The upper triangle of `g += X^T diag(h) X`, in tiles of `R` rows and `V` registers that stay in registers over all rows of `X`.
struct Gram<'a> {
    x: &'a [f64],
    h: &'a [f64],
    k: usize,
    g: &'a mut [f64],
}

impl Gram<'_> {
    /// The tile of rows `a..a + R` of `g` and `V` registers from column `b` on.
    #[inline(always)]
    fn tile<S: Simd, const R: usize, const V: usize>(&mut self, a: usize, b: usize) {
        let lanes = Lanes::<f64, S>::N;
        let mut sums = [[Lanes::<f64, S>::zero(); V]; R];
        for (x, &h) in self.x.chunks_exact(self.k).zip(self.h) {
            let (left, right) = (&x[a..a + R], &x[b..b + V * lanes]);
            let h = Lanes::splat(h);
            let mut scaled = [Lanes::<f64, S>::zero(); V];
            for (scaled, right) in scaled.iter_mut().zip(right.chunks_exact(lanes)) {
                *scaled = h * Lanes::load(right);
            }
            for (sums, &left) in sums.iter_mut().zip(left) {
                for (sum, scaled) in sums.iter_mut().zip(scaled) {
                    *sum = Lanes::splat(left).mul_add(scaled, *sum);
                }
            }
        }
        for (r, sums) in sums.iter().enumerate() {
            let g = &mut self.g[(a + r) * self.k + b..][..V * lanes];
            for (g, sum) in g.chunks_exact_mut(lanes).zip(sums) {
                (Lanes::load(g) + *sum).store(g);
            }
        }
    }

    /// The tiles of rows `a..a + R` from the diagonal on.
    #[inline(always)]
    fn rows<S: Simd, const R: usize>(&mut self, a: usize) {
        let lanes = Lanes::<f64, S>::N;
        let mut b = a / lanes * lanes;
        while b < self.k {
            let left = (self.k - b) / lanes;
            // As many sums as fill the registers, beside the right side and one for the left.
            let v = left.min(if Lanes::<f64, S>::COUNT >= 32 { 3 } else { 2 });
            match v {
                3 => self.tile::<S, R, 3>(a, b),
                2 => self.tile::<S, R, 2>(a, b),
                _ => self.tile::<S, R, 1>(a, b),
            }
            b += v * lanes;
        }
    }
}

impl Task for Gram<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        // Loops, not closures: a large closure is compiled for the target of the build.
        if Lanes::<f64, S>::COUNT >= 32 {
            for a in (0..self.k).step_by(8) {
                self.rows::<S, 8>(a);
            }
        } else {
            for a in (0..self.k).step_by(4) {
                self.rows::<S, 4>(a);
            }
        }
    }
}

/// Adds `sum_i h_i x_i x_i^T` to the upper triangle of `g`, `(k, k)`; `x` is `(n, k)` with `k` from [`padded`], `h` is `n` long.
///
/// Entries below the diagonal change too, without meaning.
pub(crate) fn gram(x: &[f64], h: &[f64], k: usize, g: &mut [f64]) {
    assert!(k.is_multiple_of(WIDTH) && x.len() == h.len() * k && g.len() == k * k);
    dispatch(Gram { x, h, k, g });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn upper_triangles_equal_their_sums_for_all_widths() {
        for width in tested(1..=70) {
            let k = padded(width);
            for n in [0, 1, 2, 5, 33] {
                let x: Vec<f64> = (0..n * k).map(|i| ((i * 37 + i * i % 11) % 23) as f64 - 11.0).collect();
                let h: Vec<f64> = (0..n).map(|i| (i % 7) as f64 * 0.25).collect();
                for isa in available() {
                    let mut g = vec![0.5; k * k];
                    dispatch_on(isa, Gram { x: &x, h: &h, k, g: &mut g });
                    for a in 0..k {
                        for b in a..k {
                            let naive: f64 = (0..n).map(|i| h[i] * x[i * k + a] * x[i * k + b]).sum();
                            // Small whole numbers and quarters: every sum is exact.
                            assert_eq!(g[a * k + b], naive + 0.5, "{isa:?} k {k} n {n}: {a} {b}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn rows_are_padded_to_vectors_and_kept_off_whole_pages() {
        assert_eq!([1, 8, 9, 51, 511, 512, 1001].map(padded), [8, 8, 16, 56, 520, 520, 1008]);
    }
}
