//! A recurrent layer over time: the packed product with the gates of a cell applied in registers.
//!
//! Rows are time-major: the rows of step 0, one for each sequence, then those of step 1, and so on. Sequences are ordered by
//! length, the longest first, so a step's rows are the first rows of the step before, and no row is padding.
//!
//! Units are cut into blocks of [`Real::BLOCK`]. The slots of a cell (its gates, and whatever else its backward pass needs) lie in
//! `slots[block][row][slot][lane]`: first the part that comes from the inputs, after the forward pass the gates, after the backward
//! pass the gradient of their arguments.

use std::marker::PhantomData;
use std::ops::Range;

use super::activation::Real;
use super::product::{Finish, Left, panels, rows, side_by_side};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// The arithmetic of one unit of a cell.
pub trait Gates: Copy + Send + Sync + 'static {
    /// Numbers kept for each unit and step: at most 4.
    const SLOTS: usize;
    /// The first so many slots receive the inputs.
    const FROM_INPUT: usize;
    /// The last so many slots receive the hidden state.
    const FROM_HIDDEN: usize;
    /// Whether there is a memory beside the hidden state; without, the memory is the hidden state.
    const HAS_MEMORY: bool;
    /// For each weight with which a unit looks at its own memory, the slot that it adds to and whether it sees the memory after the step
    /// or the one before it; at most 3.
    const PEEPHOLES: &'static [(usize, bool)] = &[];

    /// One step: from the slots' arguments `a`, the memory before it and the peephole weights, the slots to keep, the memory and the hidden state.
    fn forward<F: Real, S: Simd>(
        self,
        a: [Lanes<F, S>; 4],
        memory: Lanes<F, S>,
        peepholes: [Lanes<F, S>; 3],
    ) -> Kept<F, S>;

    /// The same step backwards: from what was kept, `d_hidden` and `carry` (a gradient that the next step passed on without
    /// a matrix), the gradient of the arguments and the carry for the step before.
    fn backward<F: Real, S: Simd>(self, step: Step<F, S>) -> ([Lanes<F, S>; 4], Lanes<F, S>);
}

/// What [`Gates::forward`] leaves.
#[derive(Debug, Clone, Copy)]
pub struct Kept<F: Real, S: Simd> {
    pub slots: [Lanes<F, S>; 4],
    pub memory: Lanes<F, S>,
    pub hidden: Lanes<F, S>,
}

/// What [`Gates::backward`] sees.
#[derive(Debug, Clone, Copy)]
pub struct Step<F: Real, S: Simd> {
    pub peepholes: [Lanes<F, S>; 3],
    pub slots: [Lanes<F, S>; 4],
    pub memory_before: Lanes<F, S>,
    pub memory: Lanes<F, S>,
    pub d_hidden: Lanes<F, S>,
    pub carry: Lanes<F, S>,
}

/// Sizes of a layer and of the rows that pass through it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows<'a> {
    /// Rows of each step; never increasing.
    pub(crate) steps: &'a [usize],
    /// Their sum.
    pub(crate) n_rows: usize,
    pub(crate) n_inputs: usize,
    pub(crate) n_hidden: usize,
}

impl Rows<'_> {
    pub(crate) fn n_blocks<F: Real>(&self) -> usize {
        self.n_hidden.div_ceil(F::BLOCK)
    }

    fn check<F: Real, C: Gates>(&self) {
        assert!(self.steps.iter().sum::<usize>() == self.n_rows && self.steps.is_sorted_by(|a, b| a >= b));
        assert!(C::SLOTS <= 4 && C::FROM_INPUT <= C::SLOTS && C::FROM_HIDDEN <= C::SLOTS);
        assert!(C::PEEPHOLES.len() <= 3);
    }

    fn n_sequences(&self) -> usize {
        self.steps.first().copied().unwrap_or(0)
    }
}

/// Numbers that several threads write at once, each those of its own rows.
#[derive(Debug)]
pub(crate) struct Shared<'a, F> {
    start: *mut F,
    len: usize,
    numbers: PhantomData<&'a mut [F]>,
}

impl<'a, F> Shared<'a, F> {
    pub(crate) fn new(numbers: &'a mut [F]) -> Self {
        Self { start: numbers.as_mut_ptr(), len: numbers.len(), numbers: PhantomData }
    }
}

// SAFETY: it is `&mut [F]`; this file alone reads and writes through it, and gives each row to one thread.
unsafe impl<F: Send + Sync> Sync for Shared<'_, F> {}
// SAFETY: as above.
unsafe impl<F: Send + Sync> Send for Shared<'_, F> {}

/// A task on some of its rows, or of its sequences, and no others.
struct Part<'a, T> {
    of: &'a T,
    rows: Range<usize>,
}

/// `slots = bias + x w_x`: the part of every slot's argument that does not depend on the hidden state.
///
/// Shapes: `x (n_rows, n_inputs)` at distance `x_row`; `w_x[block][input][slot < FROM_INPUT][lane]`; `bias[block][slot][lane]`;
/// `slots[block][row][slot][lane]`.
#[derive(Debug)]
pub(crate) struct Project<'a, F, C> {
    pub(crate) cell: PhantomData<C>,
    pub(crate) rows: Rows<'a>,
    pub(crate) x: &'a [F],
    pub(crate) x_row: usize,
    pub(crate) w_x: &'a [F],
    pub(crate) bias: &'a [F],
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
        let Project { rows: Rows { n_rows, n_inputs, .. }, x, x_row, w_x, bias, ref slots, .. } = *self.of;
        let n_blocks = self.of.rows.n_blocks::<F>();
        let row_len = C::SLOTS * F::BLOCK;
        if n_rows == 0 {
            return;
        }
        assert!(n_inputs == 0 || x.len() >= (n_rows - 1) * x_row + n_inputs);
        assert!(w_x.len() >= n_blocks * n_inputs * G * F::BLOCK);
        assert!(bias.len() >= n_blocks * row_len && slots.len >= n_blocks * n_rows * row_len);
        assert!(self.rows.end <= n_rows);
        for first in self.rows.clone().step_by(192) {
            let here = (self.rows.end - first).min(192);
            for block in 0..n_blocks {
                for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
                    // SAFETY: by the assertions every block, row and slot below exists.
                    unsafe {
                        let start = x.as_ptr().wrapping_add(first * x_row);
                        let left =
                            Left { start, row: x_row, jump: 0, n_outer: 1, step: 1, n_inner: n_inputs };
                        let right = w_x.as_ptr().add(block * n_inputs * G * F::BLOCK + lane);
                        let mut finish = Biased {
                            bias: bias.as_ptr().add(block * row_len + lane),
                            slots: slots.start.add((block * n_rows + first) * row_len + lane),
                            n_slots: C::SLOTS,
                        };
                        rows::<F, S, G>(here, &left, right, G * F::BLOCK, &mut finish);
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

/// The weights of one register of units; 0 where the cell has none.
///
/// # Safety
/// `from` holds them, a block apart.
#[inline(always)]
unsafe fn peepholes<F: Real, S: Simd, C: Gates>(from: *const F) -> [Lanes<F, S>; 3] {
    let mut weights = [Lanes::zero(); 3];
    for (p, weight) in weights.iter_mut().enumerate().take(C::PEEPHOLES.len()) {
        // SAFETY: the caller's promise.
        *weight = unsafe { Lanes::read(from.add(p * F::BLOCK)) };
    }
    weights
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
                        both::<F, S, C>(w, next_here, &left, right, &mut finish);
                        // Sequences that end with this step get nothing from a later one.
                        left.n_outer = 0;
                        finish.skip(next_here);
                        both::<F, S, C>(w, here - next_here, &left, right, &mut finish);
                    }
                }
            }
            (next, next_here) = (first, here);
        }
    }
}

/// [`rows`] for a panel of `width` blocks.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
unsafe fn both<F: Real, S: Simd, C: Gates>(
    width: usize,
    n_rows: usize,
    left: &Left<F>,
    right: *const F,
    finish: &mut UndoGates<F, C>,
) {
    let block = F::BLOCK;
    // SAFETY: the caller's promise.
    unsafe {
        match width {
            1 => rows::<F, S, 1>(n_rows, left, right, block, finish),
            2 => rows::<F, S, 2>(n_rows, left, right, 2 * block, finish),
            _ => rows::<F, S, 4>(n_rows, left, right, 4 * block, finish),
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
    /// Moves on by `n` rows.
    ///
    /// # Safety
    /// There are as many.
    #[inline(always)]
    unsafe fn skip(&mut self, n: usize) {
        // SAFETY: the caller's promise.
        unsafe {
            self.slots = self.slots.add(n * C::SLOTS * F::BLOCK);
            self.memory_before = self.memory_before.add(n * self.width);
            self.memory = self.memory.add(n * self.width);
            self.d_hidden = self.d_hidden.add(n * self.width);
            self.carry = self.carry.add(n * self.width);
        }
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

/// Packs the transpose of gate weights `w[block][k][gate][lane]`: `to` has `n_blocks * n_gates * BLOCK` rows and `n_k` columns.
pub(crate) fn transpose<F: Real>(w: &[F], n_k: usize, n_gates: usize, to: &mut [F]) {
    let row = n_gates * F::BLOCK;
    let n_rows = w.len() / n_k.max(1);
    for (first, width) in panels(n_k.div_ceil(F::BLOCK)) {
        let (columns, from) = (width * F::BLOCK, first * F::BLOCK);
        let to = &mut to[from * n_rows..][..columns * n_rows];
        for (w, to) in w.chunks_exact(n_k * row).zip(to.chunks_exact_mut(columns * row)) {
            for (k, w) in w[from * row..].chunks_exact(row).take(columns).enumerate() {
                for (j, &w) in w.iter().enumerate() {
                    to[j * columns + k] = w;
                }
            }
        }
    }
}

/// Packs the transpose of a packed matrix with `n_k` rows and `n_columns` columns.
pub(crate) fn transpose_packed<F: Real>(w: &[F], n_k: usize, n_columns: usize, to: &mut [F]) {
    for (to_first, to_width) in panels(n_k.div_ceil(F::BLOCK)) {
        let (k_from, k_to) = (to_first * F::BLOCK, n_k.min((to_first + to_width) * F::BLOCK));
        let to = &mut to[k_from * n_columns..];
        for (first, width) in panels(n_columns.div_ceil(F::BLOCK)) {
            let (from, until) = (first * F::BLOCK, n_columns.min((first + width) * F::BLOCK));
            let w = &w[from * n_k..];
            for column in from..until {
                for k in k_from..k_to {
                    to[column * to_width * F::BLOCK + k - k_from] = w[k * width * F::BLOCK + column - from];
                }
            }
        }
    }
}
