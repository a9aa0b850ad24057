//! One step of one sequence, as it comes.

use super::super::activation::Real;
use super::super::product::add_products;
use super::{Gates, Kept, peepholes};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task};

/// `hidden` and `memory` after one step from `hidden_before` and the memory before it, which it takes the place of.
///
/// Nothing is kept of the slots: the sums of a register of units stay in registers, from the biases over the inputs, which do not wait for the step before,
/// and the hidden state to the gates.
///
/// Shapes: `x (n_inputs)`; `w_x`, `bias`, `w_h` and `peepholes` as in [`Entry`](super::Entry) and [`Forward`](super::Forward); `hidden_before`, `hidden` and
/// `memory (n_blocks * BLOCK)`, the last empty where the cell has none.
#[derive(Debug)]
pub(crate) struct OneStep<'a, F, C> {
    pub(crate) cell: C,
    pub(crate) n_inputs: usize,
    pub(crate) n_hidden: usize,
    /// Whether it begins with the last units: those that the step before ended with, whose weights are still near.
    pub(crate) from_end: bool,
    pub(crate) x: &'a [F],
    pub(crate) w_x: &'a [F],
    pub(crate) bias: &'a [F],
    pub(crate) w_h: &'a [F],
    pub(crate) peepholes: &'a [F],
    pub(crate) hidden_before: &'a [F],
    pub(crate) hidden: &'a mut [F],
    pub(crate) memory: &'a mut [F],
}

impl<F: Real, C: Gates> Task for OneStep<'_, F, C> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        const {
            assert!(C::FROM_HIDDEN == 1 || C::FROM_HIDDEN == 3 || C::FROM_HIDDEN == 4);
            assert!(C::FROM_INPUT == C::FROM_HIDDEN && C::SLOTS <= 4);
        }
        // As many sums side by side as hide the latency of an addition.
        match C::FROM_HIDDEN {
            4 => self.with::<S, 4, 2>(),
            3 => self.with::<S, 3, 2>(),
            _ => self.with::<S, 1, 8>(),
        }
    }
}

impl<F: Real, C: Gates> OneStep<'_, F, C> {
    #[inline(always)]
    fn with<S: Simd, const G: usize, const P: usize>(self) {
        let Self { cell, n_inputs, n_hidden, from_end, x, w_x, bias, w_h, .. } = self;
        let Self { peepholes: p, hidden_before, hidden, memory, .. } = self;
        let n_blocks = n_hidden.div_ceil(F::BLOCK);
        let width = n_blocks * F::BLOCK;
        assert!(x.len() >= n_inputs && hidden_before.len() >= width && hidden.len() >= width);
        assert!(w_x.len() >= width * n_inputs * G && w_h.len() >= width * n_hidden * G);
        assert!(bias.len() >= width * C::SLOTS && p.len() >= width * C::PEEPHOLES.len());
        assert!(!C::HAS_MEMORY || memory.len() >= width);
        for i in 0..n_blocks {
            let block = if from_end { n_blocks - 1 - i } else { i };
            for lane in (0..F::BLOCK).step_by(Lanes::<F, S>::N) {
                let unit = block * F::BLOCK + lane;
                // SAFETY: by the assertions every block of the weights, the biases and the state exists.
                unsafe {
                    let bias = bias.as_ptr().add(block * C::SLOTS * F::BLOCK + lane);
                    let bias = |slot: usize| Lanes::<F, S>::read(bias.add(slot * F::BLOCK));
                    let w_x = w_x.as_ptr().add(block * n_inputs * G * F::BLOCK + lane);
                    let of_x = add_products::<F, S, G, P>(std::array::from_fn(bias), &x[..n_inputs], w_x);
                    let w_h = w_h.as_ptr().add(block * n_hidden * G * F::BLOCK + lane);
                    // Slot `s` of the hidden state's sums is slot `s + SLOTS - G` of the cell.
                    let start = std::array::from_fn(|s| {
                        let slot = s + C::SLOTS - G;
                        if slot < G { of_x[slot] } else { bias(slot) }
                    });
                    let of_h = add_products::<F, S, G, P>(start, &hidden_before[..n_hidden], w_h);
                    let mut a = [Lanes::zero(); 4];
                    for (s, a) in a.iter_mut().enumerate().take(C::SLOTS) {
                        *a = if s < C::SLOTS - G { of_x[s] } else { of_h[s + G - C::SLOTS] };
                    }
                    let before = if C::HAS_MEMORY { memory.as_ptr() } else { hidden_before.as_ptr() };
                    let p =
                        peepholes::<F, S, C>(p.as_ptr().add(block * C::PEEPHOLES.len() * F::BLOCK + lane));
                    let kept: Kept<F, S> = cell.forward(a, Lanes::read(before.add(unit)), p);
                    if C::HAS_MEMORY {
                        kept.memory.write(memory.as_mut_ptr().add(unit));
                    }
                    kept.hidden.write(hidden.as_mut_ptr().add(unit));
                }
            }
        }
    }
}
