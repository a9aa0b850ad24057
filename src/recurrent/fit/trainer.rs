//! One batch after the other: forward, backward, update.

use rand_xoshiro::Xoshiro256PlusPlus;

use super::super::cell::Cell;
use super::super::model::group_end;
use super::super::net::{Dropout, Inputs, Net, Pass, Workspace};
use super::super::params::RecurrentParams;
use super::super::state::State;
use super::loss::{Targets, loss_and_gradient};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::optim;

/// Everything that a fit looks at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Examples<'a, F> {
    pub(super) inputs: Inputs<'a, F>,
    pub(super) targets: Targets<'a, F>,
    pub(super) lengths: &'a [usize],
    pub(super) starts: &'a [usize],
}

/// The room for all steps of a fit.
pub(super) struct Trainer<'a, F, C> {
    pub(super) settings: &'a RecurrentParams<F, C>,
    pub(super) w: Workspace<F>,
    pub(super) grads: Aligned<F>,
    pub(super) memory: optim::State<F>,
    pub(super) state: State<F>,
    pub(super) rng: Xoshiro256PlusPlus,
}

impl<F: Float, C: Cell> Trainer<'_, F, C> {
    /// One batch: an update, or, truncated, one for each window. Returns the targets seen, or what was not finite.
    pub(super) fn step(
        &mut self,
        net: &Net<C>,
        params: &mut [F],
        examples: Examples<'_, F>,
        batch: &[usize],
        rate: f64,
        on_loss: &mut dyn FnMut(f64, usize),
    ) -> Result<usize, &'static str> {
        let Examples { lengths, starts, .. } = examples;
        let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
        let window = self.settings.truncate.unwrap_or(longest);
        let mut n_seen = 0;
        for from in (0..longest).step_by(window) {
            // Parts that have ended stay away; the number of a part among those left finds its sequence again.
            let left = || batch.iter().copied().enumerate().filter(|&(_, i)| lengths[i] > from);
            self.w.batch.fill(left().map(|(_, i)| (starts[i] + from, window.min(lengths[i] - from))));
            net.prepare(params, &mut self.w);
            if from > 0 {
                let state = &self.state;
                state.enter(net, &mut self.w, |part| left().nth(part).map_or(0, |(place, _)| place));
            }
            let sequence = |part: usize| left().nth(part).map_or(0, |(_, i)| i);
            let dropout = (self.settings.dropout != Dropout::default()).then_some(self.settings.dropout);
            let dropping = dropout.map(|dropout| (dropout, &mut self.rng));
            net.forward(params, examples.inputs, &mut self.w, Pass::Trace(dropping));
            let loss = loss_and_gradient(net, examples.targets, &mut self.w, sequence);
            let n_rows = net.n_out_rows(&self.w.batch);
            on_loss(loss, n_rows);
            n_seen += n_rows;
            self.grads.fill(F::zero());
            net.backward(params, examples.inputs, &mut self.w, dropout, false, &mut self.grads);
            if window < longest {
                self.state.leave(net, &self.w, |part| left().nth(part).map_or(0, |(place, _)| place));
            }
            if !loss.is_finite() {
                return Err("loss");
            }
            let finite = |clip: optim::Clip| clip.apply(&mut self.grads).is_ok_and(f64::is_finite);
            if !self.settings.clip.is_none_or(finite) {
                return Err("gradient");
            }
            let updated = self.settings.rule.update(rate, params, &self.grads, &mut self.memory);
            updated.map_err(|_| "learning rate")?;
        }
        Ok(n_seen)
    }

    /// Mean loss of some sequences, without dropout and without an update.
    pub(super) fn loss_of(
        &mut self,
        net: &Net<C>,
        params: &[F],
        examples: Examples<'_, F>,
        which: std::ops::Range<usize>,
    ) -> f64 {
        let Examples { lengths, starts, .. } = examples;
        let (mut first, mut sum, mut n_rows) = (which.start, 0.0, 0);
        while first < which.end {
            let end = group_end(&lengths[..which.end], first);
            self.w.batch.fill((first..end).map(|i| (starts[i], lengths[i])));
            net.prepare(params, &mut self.w);
            net.forward(params, examples.inputs, &mut self.w, Pass::Answer);
            let loss = loss_and_gradient(net, examples.targets, &mut self.w, |part| first + part);
            let n = net.n_out_rows(&self.w.batch);
            sum += loss * n as f64;
            n_rows += n;
            first = end;
        }
        sum / n_rows as f64
    }
}
