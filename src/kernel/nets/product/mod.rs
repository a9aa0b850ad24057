//! The packed matrix product: a tile of rows and registers that stays in registers from its start to its end.
//!
//! The right matrix is packed in panels. A panel holds 1 to 4 blocks of [`Real::BLOCK`] columns side by side, row after row:
//! `panel[k][g][lane]`. So the inner loop reads it from front to end, whatever the registers. What happens before and after the
//! sum over `k` is the business of a [`Finish`]: load a bias, apply the gates of a cell, store.

mod one_row;
mod tile;

use std::ops::Range;

use super::activation::Real;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};
use crate::par;

pub(crate) use one_row::{MultiplyRow, add_products};
pub(crate) use tile::{Finish, Left, Pause, rows, rows_in_parts};

/// Columns in full blocks.
pub(crate) fn padded<F: Real>(n: usize) -> usize {
    n.div_ceil(F::BLOCK) * F::BLOCK
}

/// The panels of a matrix with so many blocks of columns: `(first block, width)`, widths 4, then 2, then 1.
pub(crate) fn panels(n_blocks: usize) -> impl Iterator<Item = (usize, usize)> {
    let mut first = 0;
    std::iter::from_fn(move || {
        let width = match n_blocks - first {
            0 => return None,
            1 => 1,
            2 | 3 => 2,
            _ => 4,
        };
        first += width;
        Some((first - width, width))
    })
}

/// Where element `(k, column)` of a packed matrix with `n_k` rows lies.
pub(crate) fn packed_index<F: Real>(n_k: usize, n_columns: usize, k: usize, column: usize) -> usize {
    let block = column / F::BLOCK;
    let (first, width) = panels(n_columns.div_ceil(F::BLOCK))
        .find(|&(first, width)| block < first + width)
        .expect("a column of the matrix");
    (first * n_k + k * width) * F::BLOCK + column - first * F::BLOCK
}

/// Rows that pass through all panels together, so that they are still near when the next panel comes.
const ROWS_AT_ONCE: usize = 192;

/// `c = a b + bias`, or without a bias `c += a b`; `b` is packed.
///
/// Shapes: `a (n_rows, n_outer * n_inner)`, rows at distance `a_row`, outer parts at distance `a_jump`; `b` packed with as many rows
/// and `n_blocks` blocks; `c (n_rows, n_blocks * BLOCK)`.
#[derive(Debug)]
pub(crate) struct Multiply<'a, F> {
    pub(crate) n_rows: usize,
    pub(crate) n_outer: usize,
    pub(crate) n_inner: usize,
    pub(crate) n_blocks: usize,
    pub(crate) a: &'a [F],
    pub(crate) a_row: usize,
    pub(crate) a_jump: usize,
    pub(crate) b: &'a [F],
    pub(crate) bias: Option<&'a [F]>,
    pub(crate) c: &'a mut [F],
}

impl<F: Real> Task for Multiply<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { n_rows, n_outer, n_inner, n_blocks, a, a_row, a_jump, b, bias, c } = self;
        let n_k = n_outer * n_inner;
        if n_rows == 0 {
            return;
        }
        assert!(n_k == 0 || a.len() >= (n_rows - 1) * a_row + (n_outer - 1) * a_jump + n_inner);
        let columns = n_blocks * F::BLOCK;
        assert!(b.len() >= n_k * columns && c.len() >= n_rows * columns);
        assert!(bias.is_none_or(|bias| bias.len() >= columns));
        for row in (0..n_rows).step_by(ROWS_AT_ONCE) {
            let here = ROWS_AT_ONCE.min(n_rows - row);
            for (first, width) in panels(n_blocks) {
                // SAFETY: by the assertions `a` holds the rows `row..row + here`, `b` all panels and `c` and `bias` all blocks.
                unsafe {
                    let start = a.as_ptr().wrapping_add(row * a_row);
                    let left = Left { start, row: a_row, jump: a_jump, n_outer, step: 1, n_inner };
                    let right = b.as_ptr().add(first * F::BLOCK * n_k);
                    let bias = bias.map(|bias| bias.as_ptr().add(first * F::BLOCK));
                    let c = c.as_mut_ptr().add(row * columns + first * F::BLOCK);
                    match width {
                        1 => panel::<F, S, 1>(here, &left, right, F::BLOCK, bias, c, columns),
                        2 => panel::<F, S, 2>(here, &left, right, 2 * F::BLOCK, bias, c, columns),
                        _ => panel::<F, S, 4>(here, &left, right, 4 * F::BLOCK, bias, c, columns),
                    }
                }
            }
        }
    }
}

impl<F: Real> Multiply<'_, F> {
    /// Computes it, some rows on each thread where that is worth its while.
    pub(crate) fn compute(self) {
        let n_products = self.n_rows * self.n_outer * self.n_inner * self.n_blocks * F::BLOCK;
        match pieces(n_products) {
            1 => dispatch(self),
            pieces => self.in_pieces(pieces),
        }
    }

    fn in_pieces(self, pieces: usize) {
        let Some(middle) = middle(pieces, 0..self.n_rows) else {
            return dispatch(self);
        };
        let Self { n_rows, n_outer, n_inner, n_blocks, a, a_row, a_jump, b, bias, c } = self;
        let (c, c_rest) = c.split_at_mut(middle * n_blocks * F::BLOCK);
        let first = Multiply { n_rows: middle, n_outer, n_inner, n_blocks, a, a_row, a_jump, b, bias, c };
        let (a, c, n_rows) = (&a[middle * a_row..], c_rest, n_rows - middle);
        let rest = Multiply { n_rows, n_outer, n_inner, n_blocks, a, a_row, a_jump, b, bias, c };
        par::join(true, || first.in_pieces(pieces / 2), || rest.in_pieces(pieces - pieces / 2));
    }
}

/// Into how many pieces so many multiplications are cut: as many as there are threads, where each is worth waking one up.
pub(crate) fn pieces(n_products: usize) -> usize {
    const WORTH: usize = 1 << 22;
    if n_products < WORTH { 1 } else { par::n_threads() }
}

/// Where some rows are cut in two for so many pieces, if they are.
///
/// At an even number: a row is added up in the same order as in one piece, two rows at a time and the last alone where it is left over.
pub(crate) fn middle(pieces: usize, rows: Range<usize>) -> Option<usize> {
    let half = (rows.len() / 2).next_multiple_of(2);
    (pieces > 1 && rows.len() >= 16).then_some(rows.start + half)
}

/// Runs `work` on parts of `0..n`, which make `n_products` multiplications.
pub(crate) fn side_by_side(n_products: usize, n: usize, work: &(impl Fn(Range<usize>) + Sync)) {
    fn cut(pieces: usize, rows: Range<usize>, work: &(impl Fn(Range<usize>) + Sync)) {
        match middle(pieces, rows.clone()) {
            None => work(rows),
            Some(middle) => {
                let (first, rest) = (rows.start..middle, middle..rows.end);
                par::join(true, || cut(pieces / 2, first, work), || cut(pieces - pieces / 2, rest, work));
            }
        }
    }
    match pieces(n_products) {
        1 => work(0..n),
        pieces => cut(pieces, 0..n, work),
    }
}

/// Rows that are summed over before the next columns of `a`: 24 KB of `b` stay in the nearest cache.
const ROWS_OF_SUM: usize = 96;

/// `c += a^T b` for one panel `c` of a packed matrix: the gradient of that panel.
///
/// Shapes: `a (n_rows, n_k)`, `b (n_rows, width * BLOCK)`, rows at distances `a_row` and `b_row`; `c (n_k, width * BLOCK)`.
#[derive(Debug)]
pub(crate) struct AddTransposed<'a, F> {
    pub(crate) n_rows: usize,
    pub(crate) n_k: usize,
    pub(crate) width: usize,
    pub(crate) a: &'a [F],
    pub(crate) a_row: usize,
    pub(crate) b: &'a [F],
    pub(crate) b_row: usize,
    pub(crate) c: &'a mut [F],
}

impl<F: Real> Task for AddTransposed<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { n_rows, n_k, width, a, a_row, b, b_row, c } = self;
        if n_rows == 0 || n_k == 0 {
            return;
        }
        let columns = width * F::BLOCK;
        assert!(a.len() >= (n_rows - 1) * a_row + n_k && b.len() >= (n_rows - 1) * b_row + columns);
        assert!(c.len() >= n_k * columns && width <= 4);
        for row in (0..n_rows).step_by(ROWS_OF_SUM) {
            let here = ROWS_OF_SUM.min(n_rows - row);
            // SAFETY: by the assertions `a` and `b` hold the rows `row..row + here`, and `c` holds `n_k` rows.
            unsafe {
                let start = a.as_ptr().add(row * a_row);
                let left = Left { start, row: 1, jump: 0, n_outer: 1, step: a_row, n_inner: here };
                let right = b.as_ptr().add(row * b_row);
                let c = c.as_mut_ptr();
                match width {
                    1 => panel::<F, S, 1>(n_k, &left, right, b_row, None, c, columns),
                    2 => panel::<F, S, 2>(n_k, &left, right, b_row, None, c, columns),
                    3 => panel::<F, S, 3>(n_k, &left, right, b_row, None, c, columns),
                    _ => panel::<F, S, 4>(n_k, &left, right, b_row, None, c, columns),
                }
            }
        }
    }
}

/// `c = left right + bias`, or `c += left right`, for one panel.
///
/// # Safety
/// As for [`rows`]; `c` is valid for `n_rows` rows at distance `c_row`, and `bias` for one.
#[inline(always)]
unsafe fn panel<F: Real, S: Simd, const G: usize>(
    n_rows: usize,
    left: &Left<F>,
    right: *const F,
    stride: usize,
    bias: Option<*const F>,
    c: *mut F,
    c_row: usize,
) {
    for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
        // SAFETY: `lane` is inside a block, and the blocks are the caller's promise.
        unsafe {
            let mut store = Store { c: c.add(lane), c_row, bias: bias.map(|bias| bias.add(lane)) };
            let next = right.wrapping_add(left.n_outer * left.n_inner * stride);
            // Without inner indices there is no right matrix: the pointer is moved, but not read.
            rows::<F, S, G>(n_rows, left, right.wrapping_add(lane), stride, next, &mut store);
        }
    }
}

struct Store<F> {
    c: *mut F,
    c_row: usize,
    bias: Option<*const F>,
}

impl<F: Real, S: Simd, const G: usize> Finish<F, S, G> for Store<F> {
    #[inline(always)]
    unsafe fn start(&self, m: usize) -> [Lanes<F, S>; G] {
        let from = match self.bias {
            Some(bias) => bias,
            // SAFETY: `m` is a row of `c`.
            None => unsafe { self.c.add(m * self.c_row) },
        };
        // SAFETY: `c` and `bias` hold `G` blocks.
        std::array::from_fn(|g| unsafe { Lanes::read(from.add(g * F::BLOCK)) })
    }

    #[inline(always)]
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        for (g, sum) in sums.into_iter().enumerate() {
            // SAFETY: `m` is a row of `c`, which holds `G` blocks.
            unsafe { sum.write(self.c.add(m * self.c_row + g * F::BLOCK)) };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    fn values<F: Real>(n: usize) -> Vec<F> {
        (0..n).map(|i| F::of(((i * 37 + 11) % 19) as f64 - 9.0)).collect()
    }

    /// Whole numbers, so every order of summation gives the same sum.
    fn check<F: Real + PartialEq + std::fmt::Debug>(n_rows: usize, n_k: usize, n_columns: usize) {
        let (a, b) = (values::<f64>(n_rows * n_k), values::<f64>(n_k * n_columns));
        let width = padded::<F>(n_columns);
        let to_f = |x: &[f64]| x.iter().map(|&x| F::of(x)).collect::<Vec<F>>();
        let mut packed = vec![F::of(0.0); n_k * width];
        for k in 0..n_k {
            for j in 0..n_columns {
                packed[packed_index::<F>(n_k, n_columns, k, j)] = F::of(b[k * n_columns + j]);
            }
        }
        let naive = |i: usize, j: usize| (0..n_k).map(|k| a[i * n_k + k] * b[k * n_columns + j]).sum::<f64>();
        for isa in available() {
            let (a, n_blocks) = (to_f(&a), width / F::BLOCK);
            let (bias, mut c) = (vec![F::of(3.0); width], vec![F::of(f64::NAN); n_rows * width]);
            let (n_outer, n_inner) = if n_k.is_multiple_of(2) { (2, n_k / 2) } else { (1, n_k) };
            for (bias, base) in [(Some(&bias[..]), 3.0), (None, 0.0)] {
                if bias.is_none() {
                    c.fill(F::of(0.0));
                }
                let (a, a_row, a_jump, b, c) = (&a[..], n_k, n_inner, &packed[..], &mut c[..]);
                dispatch_on(
                    isa,
                    Multiply { n_rows, n_outer, n_inner, n_blocks, a, a_row, a_jump, b, bias, c },
                );
                for i in 0..n_rows {
                    for j in 0..n_columns {
                        assert_eq!(
                            c[i * width + j],
                            F::of(naive(i, j) + base),
                            "{isa:?} {n_rows} {n_k} {n_columns}"
                        );
                    }
                }
            }
            // The transposed product takes a^T from a stored as (rows of the sum, k).
            let mut d = vec![F::of(0.0); n_rows * width];
            let mut transposed = vec![F::of(0.0); n_k * n_rows];
            for i in 0..n_rows {
                for k in 0..n_k {
                    transposed[k * n_rows + i] = a[i * n_k + k];
                }
            }
            let mut right = vec![F::of(0.0); n_k * width];
            for k in 0..n_k {
                for j in 0..n_columns {
                    right[k * width + j] = F::of(b[k * n_columns + j]);
                }
            }
            for (first, w) in panels(n_blocks) {
                let (first, columns) = (first * F::BLOCK, w * F::BLOCK);
                let c = &mut d[first * n_rows..][..columns * n_rows];
                let b = right.get(first..).unwrap_or(&[]);
                let a = &transposed;
                dispatch_on(
                    isa,
                    AddTransposed {
                        n_rows: n_k,
                        n_k: n_rows,
                        width: w,
                        a,
                        a_row: n_rows,
                        b,
                        b_row: width,
                        c,
                    },
                );
            }
            for i in 0..n_rows {
                for j in 0..n_columns {
                    let at = packed_index::<F>(n_rows, n_columns, i, j);
                    assert_eq!(d[at], F::of(naive(i, j)), "{isa:?} {n_rows} {n_k} {n_columns} transposed");
                }
            }
        }
    }

    #[test]
    fn every_path_is_the_naive_product_for_all_sizes() {
        for n in tested(0..=70) {
            check::<f32>(3, n, 5);
            check::<f32>(n, 5, 3);
            check::<f32>(7, 2, n);
            check::<f64>(1, n, 5);
            check::<f64>(n, 4, 3);
            check::<f64>(5, 3, n);
        }
        let long = if cfg!(miri) { 40 } else { 400 };
        check::<f32>(long, 3, 70);
        check::<f64>(3, long, 20);
    }

    #[test]
    fn panels_cover_all_blocks_in_order() {
        for n in tested(0..20) {
            let mut next = 0;
            for (first, width) in panels(n) {
                assert_eq!(first, next);
                next += width;
            }
            assert_eq!(next, n);
        }
    }
}
