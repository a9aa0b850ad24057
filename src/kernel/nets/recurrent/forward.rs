//! The steps of a layer in order.

use super::super::activation::Real;
use super::super::product::{Finish, Left, rows, side_by_side};
use super::{Gates, Kept, Part, Rows, Shared, peepholes};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// The steps in order: `slots`, `memory` and `hidden` of each from the hidden state before it.
///
/// Shapes: `w_h[block][hidden][last FROM_HIDDEN slots][lane]`; `peepholes[block][peephole][lane]`; `hidden` and `memory (n_sequences + n_rows, n_blocks * BLOCK)`, which
/// begin with the state before the first step; `memory` is empty where the cell has none.
#[derive(Debug)]
pub(crate) struct Forward<'a, F, C> {
    pub(crate) cell: C,
    pub(crate) rows: Rows<'a>,
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
        let Forward { cell, rows: shape, w_h, peepholes, ref slots, ref hidden, ref memory } = *self.of;
        shape.check::<F, C>();
        let Rows { steps, n_rows, n_hidden, .. } = shape;
        let (n_blocks, n_sequences) = (shape.n_blocks::<F>(), shape.n_sequences());
        let (width, row_len) = (n_blocks * F::BLOCK, C::SLOTS * F::BLOCK);
        assert!(w_h.len() >= width * n_hidden * G && slots.len >= n_rows * n_blocks * row_len);
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
            for i in 0..n_blocks {
                // To and fro: what this step read last of the weights is what the next reads first, still in the cache.
                let block = if t % 2 == 0 { i } else { n_blocks - 1 - i };
                for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
                    let unit = block * F::BLOCK + lane;
                    // SAFETY: by the assertions every row and unit below exists. The rows `before..before + here` of the state are
                    // read and the rows `now..now + here` written; they do not overlap, as no step has more rows than the one before.
                    unsafe {
                        let mut finish = ApplyGates {
                            cell,
                            peepholes: peepholes.as_ptr().add(block * C::PEEPHOLES.len() * F::BLOCK + lane),
                            slots: slots.start.add((block * n_rows + first) * row_len + lane),
                            width,
                            memory_before: memory.add(before * width + unit),
                            memory: memory.add(now * width + unit),
                            hidden: hidden.start.add(now * width + unit),
                        };
                        let start = hidden.start.add(before * width).cast_const();
                        let mut left =
                            Left { start, row: width, jump: 0, n_outer: 1, step: 1, n_inner: n_hidden };
                        let mut right = w_h.as_ptr().add(block * n_hidden * G * F::BLOCK + lane);
                        // Many rows pass the weights in parts that stay in the nearest cache; all but the last only add up.
                        while n > 8 && left.n_inner > INNER_AT_ONCE + INNER_AT_ONCE / 2 {
                            let rest = left.n_inner - INNER_AT_ONCE;
                            left.n_inner = INNER_AT_ONCE;
                            let mut add = AddUp { slots: finish.slots, n_slots: C::SLOTS };
                            rows::<F, S, G>(here, &left, right, G * F::BLOCK, &mut add);
                            left.start = left.start.add(INNER_AT_ONCE);
                            left.n_inner = rest;
                            right = right.add(INNER_AT_ONCE * G * F::BLOCK);
                        }
                        rows::<F, S, G>(here, &left, right, G * F::BLOCK, &mut finish);
                    }
                }
            }
            (before, now, first) = (now, now + n, first + n);
        }
    }
}

/// Rows of a panel that are read together by many rows: 32 KB of four gates in `f32`.
const INNER_AT_ONCE: usize = 128;

/// Leaves the sums in the slots, for the next part to begin with.
struct AddUp<F> {
    slots: *mut F,
    n_slots: usize,
}

impl<F: Real, S: Simd, const G: usize> Finish<F, S, G> for AddUp<F> {
    #[inline(always)]
    unsafe fn start(&self, m: usize) -> [Lanes<F, S>; G] {
        let block = F::BLOCK;
        // SAFETY: row `m` holds `n_slots >= G` slots.
        unsafe {
            let row = self.slots.add((m * self.n_slots + self.n_slots - G) * block);
            std::array::from_fn(|g| Lanes::read(row.add(g * block)))
        }
    }

    #[inline(always)]
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        let block = F::BLOCK;
        // SAFETY: as for `start`.
        unsafe {
            let row = self.slots.add((m * self.n_slots + self.n_slots - G) * block);
            for (g, sum) in sums.into_iter().enumerate() {
                sum.write(row.add(g * block));
            }
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
