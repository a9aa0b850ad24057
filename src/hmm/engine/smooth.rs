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
        let n = self.n_rows(x);
        let Some(Filtered { log_likelihood, whole }) = self.forward(x, work, true, false) else {
            return self.smooth_in_logs(x, n, work, steps, each);
        };
        match self.backward(x, whole, work, steps.as_deref_mut(), &mut each) {
            0 => log_likelihood,
            undone => self.smooth_in_logs(x, undone, work, steps, each),
        }
    }

    /// Returns how many rows at the front are undone because digits were lost. Of the first `whole` filtered rows no state was lost.
    fn backward(
        &self,
        x: Observations<'_, E::Elem>,
        mut whole: usize,
        work: &mut Workspace<F>,
        mut steps: Option<&mut [f64]>,
        each: &mut impl FnMut(Range<usize>, &[F], &mut Vec<F>),
    ) -> usize {
        let (k, n) = (self.k, self.n_rows(x));
        for buffer in [&mut work.b, &mut work.gamma, &mut work.u] {
            buffer.resize(self.block_len(n));
        }
        work.v.resize(2 * k);
        work.beta.resize(3 * k);
        work.acc.resize(k * k);
        for rows in self.blocks(n).rev() {
            let len = rows.len() * k;
            let (b, gamma, u) = (&mut work.b[..len], &mut work.gamma[..len], &mut work.u[..len]);
            self.likelihoods(x, rows.clone(), b, &mut work.scratch);
            let alpha = &work.alpha[rows.start * k..rows.end * k];
            let (v, before) = work.v.split_at_mut(k);
            let mut rest = len;
            if rows.end == n {
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
            // Rows that are whole on the way there may lose a state on the way back; then they are done again and looked at.
            for watched in [rows.end > whole, true] {
                v.copy_from_slice(before);
                let (alpha, b, at) = (&alpha[..rest], &b[..rest], &self.matrices.packed_at);
                let (gamma, u) = (&mut gamma[..rest], &mut u[..rest]);
                if !kernel::chain::backward(k, 0, watched, at, alpha, b, v, &mut work.beta, gamma, u) {
                    return rows.end;
                }
                if watched || self.matrices.mixes || !kernel::chain::any_faint(u) {
                    break;
                }
                whole = 0;
            }
            if let Some(steps) = steps.as_deref_mut() {
                kernel::chain::outer(k, alpha, u, &mut work.acc);
                // Where a nearly impossible step is the only one, `u` carries the inverse of its probability.
                if !kernel::chain::add_weighed(&work.acc, self.a, steps) {
                    return rows.end;
                }
            }
            each(rows, gamma, &mut work.scratch);
        }
        0
    }
}
