//! What of the slots does not depend on the hidden state.

use std::marker::PhantomData;

use super::super::activation::Real;
use super::super::product::{Finish, Left, rows, side_by_side};
use super::{Gates, Part, Rows, Shared};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// What enters a layer, and how: `bias + x w_x` is the part of every slot's argument that does not depend on the hidden state.
///
/// Shapes: `x (n_rows, n_inputs)` at distance `x_row`; `w_x[block][input][slot < FROM_INPUT][lane]`; `bias[block][slot][lane]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'a, F> {
    pub(crate) x: &'a [F],
    pub(crate) x_row: usize,
    pub(crate) w_x: &'a [F],
    pub(crate) bias: &'a [F],
}

impl<F: Real> Entry<'_, F> {
    pub(super) fn check<C: Gates>(&self, rows: Rows<'_>) {
        let (n_blocks, Rows { n_rows, n_inputs, .. }) = (rows.n_blocks::<F>(), rows);
        assert!(n_inputs == 0 || n_rows == 0 || self.x.len() >= (n_rows - 1) * self.x_row + n_inputs);
        assert!(self.w_x.len() >= n_blocks * n_inputs * C::FROM_INPUT * F::BLOCK);
        assert!(self.bias.len() >= n_blocks * C::SLOTS * F::BLOCK);
    }

    /// Fills the slots of `n` rows from row `first` on, for the units of the register at `lane` of a block.
    ///
    /// # Safety
    /// The entry was checked; it has the rows and the block; `slots` is that register of the first row's first slot, and its row is followed by the
    /// others'. `G` is `FROM_INPUT`.
    #[inline(always)]
    pub(super) unsafe fn project<S: Simd, C: Gates, const G: usize>(
        &self,
        n_inputs: usize,
        (block, lane): (usize, usize),
        first: usize,
        n: usize,
        slots: *mut F,
    ) {
        // SAFETY: the caller's promise.
        unsafe {
            let start = self.x.as_ptr().wrapping_add(first * self.x_row);
            let left = Left { start, row: self.x_row, jump: 0, n_outer: 1, step: 1, n_inner: n_inputs };
            let right = self.w_x.as_ptr().add(block * n_inputs * G * F::BLOCK + lane);
            let bias = self.bias.as_ptr().add(block * C::SLOTS * F::BLOCK + lane);
            let next = right.wrapping_add(n_inputs * G * F::BLOCK);
            let mut finish = Biased { bias, slots, n_slots: C::SLOTS };
            rows::<F, S, G>(n, &left, right, G * F::BLOCK, next, &mut finish);
        }
    }
}

/// [`Entry`] into the slots of all rows, before the first step.
///
/// Shapes: `slots[block][row][slot][lane]`.
#[derive(Debug)]
pub(crate) struct Project<'a, F, C> {
    pub(crate) cell: PhantomData<C>,
    pub(crate) rows: Rows<'a>,
    pub(crate) entry: Entry<'a, F>,
    pub(crate) slots: Shared<'a, F>,
}

impl<F: Real, C: Gates> Project<'_, F, C> {
    /// Computes it, some rows on each thread where that is worth its while.
    pub(crate) fn compute(self) {
        let Rows { n_rows, n_inputs, n_hidden, .. } = self.rows;
        side_by_side(n_rows * n_inputs * n_hidden * C::FROM_INPUT, n_rows, &|rows| {
            dispatch(Part { of: &self, rows });
        });
    }
}

impl<F: Real, C: Gates> Task for Part<'_, Project<'_, F, C>> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        const {
            assert!(C::FROM_INPUT == 1 || C::FROM_INPUT == 3 || C::FROM_INPUT == 4);
        }
        match C::FROM_INPUT {
            4 => self.with::<S, 4>(),
            3 => self.with::<S, 3>(),
            _ => self.with::<S, 1>(),
        }
    }
}

impl<F: Real, C: Gates> Part<'_, Project<'_, F, C>> {
    #[inline(always)]
    fn with<S: Simd, const G: usize>(self) {
        let Project { rows: shape, entry, ref slots, .. } = *self.of;
        let (n_blocks, row_len) = (shape.n_blocks::<F>(), C::SLOTS * F::BLOCK);
        entry.check::<C>(shape);
        assert!(slots.len >= n_blocks * shape.n_rows * row_len && self.rows.end <= shape.n_rows);
        for first in self.rows.clone().step_by(192) {
            let here = (self.rows.end - first).min(192);
            for block in 0..n_blocks {
                for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
                    // SAFETY: by the assertions every block, row and slot below exists.
                    unsafe {
                        let slots = slots.start.add((block * shape.n_rows + first) * row_len + lane);
                        entry.project::<S, C, G>(shape.n_inputs, (block, lane), first, here, slots);
                    }
                }
            }
        }
    }
}

struct Biased<F> {
    bias: *const F,
    slots: *mut F,
    n_slots: usize,
}

impl<F: Real, S: Simd, const G: usize> Finish<F, S, G> for Biased<F> {
    #[inline(always)]
    unsafe fn start(&self, _: usize) -> [Lanes<F, S>; G] {
        // SAFETY: the bias holds at least `G` slots.
        std::array::from_fn(|g| unsafe { Lanes::read(self.bias.add(g * F::BLOCK)) })
    }

    #[inline(always)]
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        let block = F::BLOCK;
        // SAFETY: row `m` and its slots exist.
        unsafe {
            let row = self.slots.add(m * self.n_slots * block);
            for (g, sum) in sums.into_iter().enumerate() {
                sum.write(row.add(g * block));
            }
            for g in G..self.n_slots {
                Lanes::<F, S>::read(self.bias.add(g * block)).write(row.add(g * block));
            }
        }
    }
}
