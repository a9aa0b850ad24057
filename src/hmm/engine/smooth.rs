//! Posteriors and expected transitions.

use std::ops::Range;

use super::forward::Filtered;
use super::{Emission, Engine, Observations, Workspace};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Smooths: `each` sees blocks of rows with their posteriors, the last block first.
    ///
    /// Where `steps` is given, the expected transitions are added to it: `A`, entry by entry times the sum over time of `alpha_t^T u_t`.
    /// Nothing is added or seen when the sequence is impossible, which is told by a log-likelihood of `-inf`.
    pub(in crate::hmm) fn smooth(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        mut steps: Option<&mut [f64]>,
        mut each: impl FnMut(Range<usize>, &[F], &mut Vec<F>),
    ) -> f64 {
        let (k, n) = (self.k, self.n_rows(x));
        let Some(Filtered { log_likelihood, whole }) = self.forward(x, work, true, false) else {
            return self.smooth_in_logs(x, n, work, steps, each);
        };
        self.make_room(n, work);
        // Whether a state that was lost on the way there matters is known when the way back is at the row where it was lost, and then it matters in all
        // rows from there on: so until the rows that are not whole have all been looked at, their posteriors wait in the place of the filtered rows.
        let waits = |rows: &Range<usize>| rows.end > whole;
        if let Some(steps) = steps.as_deref().filter(|_| whole < n) {
            work.steps.extend_from_slice(steps);
        }
        let mut lost_on_the_way_back = false;
        for rows in self.blocks(n).rev() {
            let watched = waits(&rows) || lost_on_the_way_back;
            let Some(watched) = self.smooth_block(x, rows.clone(), watched, work, steps.as_deref_mut())
            else {
                if !waits(&rows) {
                    return self.smooth_in_logs(x, rows.end, work, steps, each);
                }
                if let Some(steps) = steps.as_deref_mut() {
                    steps.copy_from_slice(&work.steps);
                }
                return self.smooth_in_logs(x, n, work, steps, each);
            };
            let numbers = rows.start * k..rows.end * k;
            if !waits(&rows) {
                lost_on_the_way_back = watched;
                each(rows, &work.gamma[..numbers.len()], &mut work.scratch);
                continue;
            }
            work.alpha[numbers.clone()].copy_from_slice(&work.gamma[..numbers.len()]);
            if rows.start <= whole {
                for rows in self.blocks(n).rev().filter(waits) {
                    let gamma = &work.alpha[rows.start * k..rows.end * k];
                    each(rows, gamma, &mut work.scratch);
                }
            }
        }
        log_likelihood
    }

    fn make_room(&self, n: usize, work: &mut Workspace<F>) {
        let k = self.k;
        for buffer in [&mut work.b, &mut work.gamma, &mut work.u] {
            buffer.resize(self.block_len(n));
        }
        work.v.resize(2 * k);
        work.beta.resize(3 * k);
        work.acc.resize(k * k);
        // With room from the first sequence on: a later one may be the first to need it.
        work.steps.clear();
        work.steps.reserve(k * k);
    }

    /// Posteriors of some rows, in `work.gamma`, and the expected transitions from them, from the way back through the rows after them in `work.v`.
    ///
    /// A row that is `watched` is known to have lost no digits. The others are those of which no state was lost on the way there: where one may be on
    /// the way back, they are done again and looked at. Tells whether they were, or `None` where digits were lost.
    fn smooth_block(
        &self,
        x: Observations<'_, E::Elem>,
        rows: Range<usize>,
        watched: bool,
        work: &mut Workspace<F>,
        steps: Option<&mut [f64]>,
    ) -> Option<bool> {
        let (k, len) = (self.k, rows.len() * self.k);
        let (b, gamma, u) = (&mut work.b[..len], &mut work.gamma[..len], &mut work.u[..len]);
        self.likelihoods(x, rows.clone(), b, &mut work.scratch);
        let alpha = &work.alpha[rows.start * k..rows.end * k];
        let (v, before) = work.v.split_at_mut(k);
        let mut rest = len;
        if rows.end == self.n_rows(x) {
            // The last row has no step after it: beta = 1.
            rest -= k;
            let mass: F = alpha[rest..].iter().copied().sum();
            for l in rest..len {
                gamma[l] = alpha[l] / mass;
                u[l] = F::zero();
                v[l - rest] = b[l];
            }
        }
        before.copy_from_slice(v);
        let mut watched = watched;
        loop {
            let (alpha, b, at) = (&alpha[..rest], &b[..rest], &self.matrices.packed_at);
            let (gamma, u) = (&mut gamma[..rest], &mut u[..rest]);
            if !kernel::chain::backward(k, 0, watched, at, alpha, b, v, &mut work.beta, gamma, u) {
                return None;
            }
            if watched || self.matrices.mixes || !kernel::chain::any_faint(u) {
                break;
            }
            watched = true;
            v.copy_from_slice(before);
        }
        if let Some(steps) = steps {
            kernel::chain::outer(k, alpha, u, &mut work.acc);
            // Where a nearly impossible step is the only one, `u` carries the inverse of its probability.
            if !kernel::chain::add_weighed(&work.acc, self.a, steps) {
                return None;
            }
        }
        Some(watched)
    }
}
