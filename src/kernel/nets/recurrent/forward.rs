//! The steps of a layer in order.

use super::super::activation::Real;
use super::super::product::{Finish, Left, Pause, rows_in_parts, side_by_side};
use super::{Entry, Gates, Kept, MANY, Part, Rows, Shared, peepholes};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// The steps in order: `slots`, `memory` and `hidden` of each from the hidden state before it.
///
/// With an `entry`, the slots begin with it step by step, while they are near; without, they hold it already. Where the slots are not `kept`,
/// every step uses those of the first.
///
/// Shapes: `w_h[block][hidden][last FROM_HIDDEN slots][lane]`; `peepholes[block][peephole][lane]`; `hidden` and `memory (n_sequences + n_rows, n_blocks * BLOCK)`, which
/// begin with the state before the first step; `memory` is empty where the cell has none.
#[derive(Debug)]
pub(crate) struct Forward<'a, F, C> {
    pub(crate) cell: C,
    pub(crate) rows: Rows<'a>,
    pub(crate) entry: Option<Entry<'a, F>>,
    pub(crate) kept: bool,
    pub(crate) w_h: &'a [F],
    pub(crate) peepholes: &'a [F],
    pub(crate) slots: Shared<'a, F>,
    pub(crate) hidden: Shared<'a, F>,
    pub(crate) memory: Shared<'a, F>,
}

impl<F: Real, C: Gates> Forward<'_, F, C> {
    /// Computes it, some sequences on each thread where that is worth its while.
    pub(crate) fn compute(self) {
        let Rows { n_rows, n_hidden, .. } = self.rows;
        let n_products = n_rows * n_hidden * n_hidden * C::FROM_HIDDEN;
        side_by_side(n_products, self.rows.n_sequences(), &|rows| dispatch(Part { of: &self, rows }));
    }
}

impl<F: Real, C: Gates> Task for Part<'_, Forward<'_, F, C>> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        const {
            assert!(C::FROM_HIDDEN == 1 || C::FROM_HIDDEN == 3 || C::FROM_HIDDEN == 4);
            assert!(C::FROM_INPUT == C::FROM_HIDDEN);
        }
        match C::FROM_HIDDEN {
            4 => self.with::<S, 4>(),
            3 => self.with::<S, 3>(),
            _ => self.with::<S, 1>(),
        }
    }
}

impl<F: Real, C: Gates> Part<'_, Forward<'_, F, C>> {
    #[inline(always)]
    fn with<S: Simd, const G: usize>(self) {
        let Forward { cell, rows: shape, entry, kept, w_h, peepholes, .. } = *self.of;
        let Forward { slots, hidden, memory, .. } = self.of;
        shape.check::<F, C>();
        let Rows { steps, n_rows, n_hidden, .. } = shape;
        let (n_blocks, n_sequences) = (shape.n_blocks::<F>(), shape.n_sequences());
        let (width, row_len) = (n_blocks * F::BLOCK, C::SLOTS * F::BLOCK);
        // Rows that have slots.
        let n_slots = if kept { n_rows } else { n_sequences };
        assert!(w_h.len() >= width * n_hidden * G && slots.len >= n_slots * n_blocks * row_len);
        assert!(kept || entry.is_some());
        if let Some(entry) = entry {
            entry.check::<C>(shape);
        }
        assert!(hidden.len >= (n_sequences + n_rows) * width);
        assert!(!C::HAS_MEMORY || memory.len >= (n_sequences + n_rows) * width);
        assert!(peepholes.len() >= C::PEEPHOLES.len() * width);
        let memory = if C::HAS_MEMORY { memory.start } else { hidden.start };
        // The states before this part's rows of a step, those after it, and the rows.
        let from = self.rows.start;
        let (mut before, mut now, mut first) = (from, n_sequences + from, from);
        for (t, &n) in steps.iter().enumerate() {
            if n <= from {
                break;
            }
            let here = n.min(self.rows.end) - from;
            let at = if kept { first } else { from };
            let up = t % 2 == 0;
            for i in 0..n_blocks {
                // To and fro: what this step read last of the weights is what the next reads first, still in the cache.
                let block = if up { i } else { n_blocks - 1 - i };
                for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
                    let unit = block * F::BLOCK + lane;
                    // SAFETY: by the assertions every row and unit below exists. The rows `before..before + here` of the state are
                    // read and the rows `now..now + here` written; they do not overlap, as no step has more rows than the one before.
                    unsafe {
                        let mut finish = ApplyGates {
                            cell,
                            peepholes: peepholes.as_ptr().add(block * C::PEEPHOLES.len() * F::BLOCK + lane),
                            slots: slots.start.add((block * n_slots + at) * row_len + lane),
                            width,
                            memory_before: memory.add(before * width + unit),
                            memory: memory.add(now * width + unit),
                            hidden: hidden.start.add(now * width + unit),
                        };
                        if let Some(entry) = entry {
                            entry.project::<S, C, G>(
                                shape.n_inputs,
                                (block, lane),
                                first,
                                here,
                                finish.slots,
                            );
                        }
                        let start = hidden.start.add(before * width).cast_const();
                        let left =
                            Left { start, row: width, jump: 0, n_outer: 1, step: 1, n_inner: n_hidden };
                        let panel = n_hidden * G * F::BLOCK;
                        let right = w_h.as_ptr().add(block * panel + lane);
                        let next = if up { right.wrapping_add(panel) } else { right.wrapping_sub(panel) };
                        rows_in_parts::<F, S, G>(
                            here,
                            n > MANY,
                            left,
                            right,
                            G * F::BLOCK,
                            next,
                            &mut finish,
                        );
                    }
                }
            }
            (before, now, first) = (now, now + n, first + n);
        }
    }
}

struct ApplyGates<F, C> {
    cell: C,
    peepholes: *const F,
    slots: *mut F,
    width: usize,
    memory_before: *const F,
    memory: *mut F,
    hidden: *mut F,
}

impl<F: Real, S: Simd, C: Gates, const G: usize> Finish<F, S, G> for ApplyGates<F, C> {
    #[inline(always)]
    unsafe fn start(&self, m: usize) -> [Lanes<F, S>; G] {
        let block = F::BLOCK;
        // SAFETY: row `m` holds `SLOTS >= G` slots.
        unsafe {
            let row = self.slots.add((m * C::SLOTS + C::SLOTS - G) * block);
            std::array::from_fn(|g| Lanes::read(row.add(g * block)))
        }
    }

    #[inline(always)]
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        let block = F::BLOCK;
        // SAFETY: row `m` exists in the slots and in the state.
        unsafe {
            let row = self.slots.add(m * C::SLOTS * block);
            let mut a = [Lanes::of(0.0); 4];
            for (s, a) in a.iter_mut().enumerate().take(C::SLOTS) {
                *a = if s < C::SLOTS - G { Lanes::read(row.add(s * block)) } else { sums[s + G - C::SLOTS] };
            }
            let before = if C::HAS_MEMORY || C::SLOTS > 1 {
                Lanes::read(self.memory_before.add(m * self.width))
            } else {
                Lanes::of(0.0)
            };
            let Kept { slots, memory, hidden } =
                self.cell.forward(a, before, peepholes::<F, S, C>(self.peepholes));
            for (s, slot) in slots.into_iter().enumerate().take(C::SLOTS) {
                slot.write(row.add(s * block));
            }
            if C::HAS_MEMORY {
                memory.write(self.memory.add(m * self.width));
            }
            hidden.write(self.hidden.add(m * self.width));
        }
    }
}

impl<F: Real, S: Simd, C: Gates, const G: usize> Pause<F, S, G> for ApplyGates<F, C> {
    #[inline(always)]
    unsafe fn pause(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        let block = F::BLOCK;
        // SAFETY: as for `start`.
        unsafe {
            let row = self.slots.add((m * C::SLOTS + C::SLOTS - G) * block);
            for (g, sum) in sums.into_iter().enumerate() {
                sum.write(row.add(g * block));
            }
        }
    }
}
