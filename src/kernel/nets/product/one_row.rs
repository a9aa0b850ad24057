//! The product of one row: what a net that answers step by step needs.

use super::panels;
use crate::kernel::lanes::Lanes;
use crate::kernel::nets::activation::Real;
use crate::kernel::simd::{Simd, Task};

/// `c = a b + bias` for one row `a`, as [`Multiply`](super::Multiply) computes it of one row.
///
/// Shapes: `a (n_k)`; `b` packed with as many rows and `n_blocks` blocks; `bias` and `c (n_blocks * BLOCK)`.
#[derive(Debug)]
pub(crate) struct MultiplyRow<'a, F> {
    pub(crate) n_blocks: usize,
    pub(crate) a: &'a [F],
    pub(crate) b: &'a [F],
    pub(crate) bias: &'a [F],
    pub(crate) c: &'a mut [F],
}

impl<F: Real> Task for MultiplyRow<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        for (first, width) in panels(self.n_blocks) {
            match width {
                1 => self.panel::<S, 1, 8>(first),
                2 => self.panel::<S, 2, 4>(first),
                _ => self.panel::<S, 4, 2>(first),
            }
        }
    }
}

impl<F: Real> MultiplyRow<'_, F> {
    #[inline(always)]
    fn panel<S: Simd, const G: usize, const P: usize>(&mut self, first: usize) {
        let (from, columns) = (first * F::BLOCK, G * F::BLOCK);
        let b = &self.b[from * self.a.len()..][..columns * self.a.len()];
        let (bias, c) = (&self.bias[from..][..columns], &mut self.c[from..][..columns]);
        for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
            let start = std::array::from_fn(|g| Lanes::load(&bias[g * F::BLOCK + lane..]));
            // SAFETY: `b` has a row of `G` blocks for each of `a`, and `lane` is inside a block.
            let sums = unsafe { add_products::<F, S, G, P>(start, self.a, b.as_ptr().wrapping_add(lane)) };
            for (g, sum) in sums.into_iter().enumerate() {
                sum.store(&mut c[g * F::BLOCK + lane..]);
            }
        }
    }
}

/// `start + sum_k left[k] right[k]` for a register of each of `G` slots, in `P` partial sums, a power of two.
///
/// # Safety
/// `right` is valid for a row of `G` registers at distance `BLOCK` for each of `left`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "sums are addressed by part and register")]
pub(crate) unsafe fn add_products<F: Real, S: Simd, const G: usize, const P: usize>(
    start: [Lanes<F, S>; G],
    left: &[F],
    mut right: *const F,
) -> [Lanes<F, S>; G] {
    let mut sums = [[Lanes::zero(); G]; P];
    sums[0] = start;
    let mut parts = left.chunks_exact(P);
    // SAFETY: the caller's promise, a row for each `a`.
    unsafe {
        for part in &mut parts {
            for (&a, sums) in part.iter().zip(&mut sums) {
                add_row(a, right, sums);
                right = right.wrapping_add(G * F::BLOCK);
            }
        }
        for &a in parts.remainder() {
            add_row(a, right, &mut sums[0]);
            right = right.wrapping_add(G * F::BLOCK);
        }
    }
    let mut half = P / 2;
    while half > 0 {
        for part in 0..half {
            for g in 0..G {
                sums[part][g] = sums[part][g] + sums[part + half][g];
            }
        }
        half /= 2;
    }
    sums[0]
}

/// `sums += a right`.
///
/// # Safety
/// `right` is valid for a row of `G` registers at distance `BLOCK`.
#[inline(always)]
unsafe fn add_row<F: Real, S: Simd, const G: usize>(a: F, right: *const F, sums: &mut [Lanes<F, S>; G]) {
    let a = Lanes::splat(a);
    for (g, sum) in sums.iter_mut().enumerate() {
        // SAFETY: the caller's promise.
        *sum = a.mul_add(unsafe { Lanes::read(right.add(g * F::BLOCK)) }, *sum);
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Multiply, padded};
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    fn is_that_of_many_rows<F: Real + PartialEq>() {
        for isa in available() {
            for n_k in tested(0..=70) {
                for n_columns in [1, 9, 17, 40, 70, 130] {
                    let width = padded::<F>(n_columns);
                    let values = |n: usize| {
                        (0..n).map(|i| F::of(((i * 37 + 11) % 19) as f64 / 7.0)).collect::<Vec<_>>()
                    };
                    let (a, b, bias) = (values(n_k), values(n_k * width), values(width));
                    let (mut c, mut expected) = (vec![F::of(-1.0); width], vec![F::of(-1.0); width]);
                    let n_blocks = width / F::BLOCK;
                    dispatch_on(isa, MultiplyRow { n_blocks, a: &a, b: &b, bias: &bias, c: &mut c });
                    let many = Multiply {
                        n_rows: 1,
                        n_outer: 1,
                        n_inner: n_k,
                        n_blocks,
                        a: &a,
                        a_row: n_k,
                        a_jump: 0,
                        b: &b,
                        bias: Some(&bias),
                        c: &mut expected,
                    };
                    dispatch_on(isa, many);
                    assert!(c == expected, "{isa:?} {n_k} {n_columns}");
                }
            }
        }
    }

    #[test]
    fn one_row_is_that_of_many() {
        is_that_of_many_rows::<f32>();
        is_that_of_many_rows::<f64>();
    }
}
