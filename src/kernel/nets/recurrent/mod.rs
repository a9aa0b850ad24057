//! A recurrent layer over time: the packed product with the gates of a cell applied in registers.
//!
//! Rows are time-major: the rows of step 0, one for each sequence, then those of step 1, and so on. Sequences are ordered by
//! length, the longest first, so a step's rows are the first rows of the step before, and no row is padding.
//!
//! Units are cut into blocks of [`Real::BLOCK`]. The slots of a cell (its gates, and whatever else its backward pass needs) lie in
//! `slots[block][row][slot][lane]`: first the part that comes from the inputs, after the forward pass the gates, after the backward
//! pass the gradient of their arguments.

mod backward;
mod forward;
mod one_step;
mod project;

use std::marker::PhantomData;
use std::ops::Range;

use super::activation::Real;
use super::product::panels;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::Simd;
pub(crate) use backward::Backward;
pub(crate) use forward::Forward;
pub(crate) use one_step::OneStep;
pub(crate) use project::{Entry, Project};

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

/// More rows of a step than this read the weights in parts.
const MANY: usize = 8;

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

// SAFETY: it is `&mut [F]`; this folder alone reads and writes through it, and gives each row to one thread.
unsafe impl<F: Send + Sync> Sync for Shared<'_, F> {}
// SAFETY: as above.
unsafe impl<F: Send + Sync> Send for Shared<'_, F> {}

/// A task on some of its rows, or of its sequences, and no others.
struct Part<'a, T> {
    of: &'a T,
    rows: Range<usize>,
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
