//! The steps of a layer from the last to the first.

use std::ops::Range;

use super::super::activation::Real;
use super::super::product::{Finish, Left, Pause, panels, rows_in_parts, side_by_side};
use super::{Gates, MANY, Part, Rows, Shared, Step, peepholes};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// The steps from the last to the first: `slots` become the gradient of their arguments, `d_hidden` receives what comes back from later steps.
///
/// Shapes: `w_h_transposed` packed, `n_blocks * FROM_HIDDEN * BLOCK` rows and `n_hidden` columns, as [`transpose`] makes it; `d_hidden (n_rows,
/// n_blocks * BLOCK)`, the loss's own gradient before, the whole gradient after; `carry (n_sequences, n_blocks * BLOCK)`, the gradient of the last
/// memories before, of the first state's direct part after.
#[derive(Debug)]
pub(crate) struct Backward<'a, F, C> {
    pub(crate) cell: C,
    pub(crate) rows: Rows<'a>,
    pub(crate) w_h_transposed: &'a [F],
    pub(crate) peepholes: &'a [F],
    pub(crate) slots: Shared<'a, F>,
    pub(crate) hidden: &'a [F],
    pub(crate) memory: &'a [F],
    pub(crate) d_hidden: Shared<'a, F>,
    pub(crate) carry: Shared<'a, F>,
}

impl<F: Real, C: Gates> Backward<'_, F, C> {
    /// Computes it, some sequences on each thread where that is worth its while.
    pub(crate) fn compute(self) {
        let Rows { n_rows, n_hidden, .. } = self.rows;
        let n_products = n_rows * n_hidden * n_hidden * C::FROM_HIDDEN;
        side_by_side(n_products, self.rows.n_sequences(), &|rows| dispatch(Part { of: &self, rows }));
    }
}

impl<F: Real, C: Gates> Task for Part<'_, Backward<'_, F, C>> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Backward { cell, rows: shape, w_h_transposed, peepholes, .. } = *self.of;
        let Backward { slots, hidden, memory, d_hidden, carry, .. } = self.of;
        shape.check::<F, C>();
        let Rows { steps, n_rows, .. } = shape;
        let (n_blocks, n_sequences) = (shape.n_blocks::<F>(), shape.n_sequences());
        let (width, row_len) = (n_blocks * F::BLOCK, C::SLOTS * F::BLOCK);
        let n_inner = C::FROM_HIDDEN * F::BLOCK;
        assert!(w_h_transposed.len() >= n_blocks * n_inner * width);
        assert!(slots.len >= n_rows * n_blocks * row_len && d_hidden.len >= n_rows * width);
        assert!(carry.len >= n_sequences * width && hidden.len() >= (n_sequences + n_rows) * width);
        assert!(!C::HAS_MEMORY || memory.len() >= (n_sequences + n_rows) * width);
        assert!(peepholes.len() >= C::PEEPHOLES.len() * width);
        let memory = if C::HAS_MEMORY { memory.as_ptr() } else { hidden.as_ptr() };
        let Range { start: from, end } = self.rows;
        // First row of the next step, and this part's rows in it.
        let (mut next, mut next_here) = (n_rows, 0);
        for (t, &n) in steps.iter().enumerate().rev() {
            let first = next - n;
            let here = n.min(end).saturating_sub(from);
            let many = steps.get(t + 1).is_some_and(|&n| n > MANY);
            // The state after a step lies `n_sequences` rows behind it, and the state before it at the step before.
            let now = n_sequences + first + from;
            let before = if t == 0 { from } else { now - steps[t - 1] };
            for (block, w) in panels(if here > 0 { n_blocks } else { 0 }) {
                for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
                    let unit = block * F::BLOCK + lane;
                    // SAFETY: by the assertions every row and unit below exists; of this part's sequences, slots of the rows from `next` on are read,
                    // those of the rows from `first` to `next` are written.
                    unsafe {
                        let mut finish = UndoGates {
                            cell,
                            peepholes: peepholes.as_ptr().add(block * C::PEEPHOLES.len() * F::BLOCK + lane),
                            width,
                            slots: slots.start.add((block * n_rows + first + from) * row_len + lane),
                            slots_jump: n_rows * row_len,
                            memory_before: memory.add(before * width + unit),
                            memory: memory.add(now * width + unit),
                            d_hidden: d_hidden.start.add((first + from) * width + unit),
                            carry: carry.start.add(from * width + unit),
                        };
                        let skip = (next + from) * row_len + (C::SLOTS - C::FROM_HIDDEN) * F::BLOCK;
                        let mut left = Left {
                            start: slots.start.wrapping_add(skip).cast_const(),
                            row: row_len,
                            jump: n_rows * row_len,
                            n_outer: n_blocks,
                            step: 1,
                            n_inner,
                        };
                        let right = w_h_transposed.as_ptr().add(block * F::BLOCK * n_blocks * n_inner + lane);
                        both::<F, S, C>(w, next_here, many, left, right, &mut finish);
                        // Sequences that end with this step get nothing from a later one.
                        left.n_outer = 0;
                        finish.skip(next_here);
                        both::<F, S, C>(w, here - next_here, false, left, right, &mut finish);
                    }
                }
            }
            (next, next_here) = (first, here);
        }
    }
}

/// [`rows_in_parts`] for a panel of `width` blocks.
///
/// # Safety
/// As for it.
#[inline(always)]
unsafe fn both<F: Real, S: Simd, C: Gates>(
    width: usize,
    n_rows: usize,
    many: bool,
    left: Left<F>,
    right: *const F,
    finish: &mut UndoGates<F, C>,
) {
    let block = F::BLOCK;
    let next = right.wrapping_add(left.n_outer * left.n_inner * width * block);
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            1 => rows_in_parts::<F, S, 1>(n_rows, many, left, right, block, next, finish),
            2 => rows_in_parts::<F, S, 2>(n_rows, many, left, right, 2 * block, next, finish),
            _ => rows_in_parts::<F, S, 4>(n_rows, many, left, right, 4 * block, next, finish),
        }
    }
}

struct UndoGates<F, C> {
    cell: C,
    peepholes: *const F,
    width: usize,
    slots: *mut F,
    slots_jump: usize,
    memory_before: *const F,
    memory: *const F,
    d_hidden: *mut F,
    carry: *mut F,
}

impl<F: Real, C: Gates> UndoGates<F, C> {
    /// Moves on by `n` rows; there may be none behind them.
    #[inline(always)]
    fn skip(&mut self, n: usize) {
        self.slots = self.slots.wrapping_add(n * C::SLOTS * F::BLOCK);
        self.memory_before = self.memory_before.wrapping_add(n * self.width);
        self.memory = self.memory.wrapping_add(n * self.width);
        self.d_hidden = self.d_hidden.wrapping_add(n * self.width);
        self.carry = self.carry.wrapping_add(n * self.width);
    }
}

impl<F: Real, S: Simd, C: Gates, const G: usize> Finish<F, S, G> for UndoGates<F, C> {
    #[inline(always)]
    unsafe fn start(&self, m: usize) -> [Lanes<F, S>; G] {
        // SAFETY: row `m` exists.
        std::array::from_fn(|g| unsafe { Lanes::read(self.d_hidden.add(m * self.width + g * F::BLOCK)) })
    }

    #[inline(always)]
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        let block = F::BLOCK;
        for (g, d_hidden) in sums.into_iter().enumerate() {
            let at = m * self.width + g * block;
            // SAFETY: row `m` and its `G` blocks exist.
            unsafe {
                let row = self.slots.add(g * self.slots_jump + m * C::SLOTS * block);
                let mut slots = [Lanes::of(0.0); 4];
                for (s, slot) in slots.iter_mut().enumerate().take(C::SLOTS) {
                    *slot = Lanes::read(row.add(s * block));
                }
                let (d_slots, carry) = self.cell.backward(Step {
                    peepholes: peepholes::<F, S, C>(self.peepholes.add(g * C::PEEPHOLES.len() * F::BLOCK)),
                    slots,
                    memory_before: Lanes::read(self.memory_before.add(at)),
                    memory: Lanes::read(self.memory.add(at)),
                    d_hidden,
                    carry: Lanes::read(self.carry.add(at)),
                });
                for (s, d) in d_slots.into_iter().enumerate().take(C::SLOTS) {
                    d.write(row.add(s * block));
                }
                d_hidden.write(self.d_hidden.add(at));
                carry.write(self.carry.add(at));
            }
        }
    }
}

impl<F: Real, S: Simd, C: Gates, const G: usize> Pause<F, S, G> for UndoGates<F, C> {
    #[inline(always)]
    unsafe fn pause(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        for (g, sum) in sums.into_iter().enumerate() {
            // SAFETY: as for `start`.
            unsafe { sum.write(self.d_hidden.add(m * self.width + g * F::BLOCK)) };
        }
    }
}
