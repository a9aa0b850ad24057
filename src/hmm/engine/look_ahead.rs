//! The backward recursion on its own.

use super::{Emission, Engine, Observations, Workspace, block, lowered};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Likelihoods of what comes after each row into `out`, `(n, k)`, each row with a sum of 1; returns the log-likelihood.
    ///
    /// `beta_t = A (b_(t+1) o beta_(t+1))`, and `beta_n = 1`. Nothing is written when the sequence is impossible.
    pub(in crate::hmm) fn look_ahead(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> f64 {
        let (k, n) = (self.k, self.n_rows(x));
        let log_likelihood = self.score(x, work);
        if log_likelihood == f64::NEG_INFINITY {
            return log_likelihood;
        }
        if !self.matrices.mixes || self.look_ahead_scaled(x, work, out).is_none() {
            // u = log b_(t+1) + log beta_(t+1), of the row after.
            for buffer in [&mut work.u, &mut work.v, &mut work.b] {
                buffer.resize(k);
            }
            for t in (0..n).rev() {
                let beta = &mut out[t * k..][..k];
                self.log_beta(t + 1 == n, &work.u, &mut work.v, beta);
                lowered(beta);
                self.log_likelihoods(x, t..t + 1, &mut work.b, &mut work.scratch);
                (0..k).for_each(|j| work.u[j] = work.b[j] + beta[j]);
                crate::math::softmax(beta);
            }
        }
        log_likelihood
    }

    /// As [`look_ahead`](Self::look_ahead); `None` where digits were lost.
    pub(super) fn look_ahead_scaled(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> Option<()> {
        let (k, n) = (self.k, self.n_rows(x));
        work.b.resize(block(k).min(n) * k);
        // Two rows: `b o beta` of the row after, and `beta`. A step of the kernel with likelihoods of 1 is a product alone, under its scale.
        work.beta.resize(2 * k);
        work.v.resize(k);
        work.v.fill(F::one());
        work.beta[k..].fill(F::one());
        for rows in self.blocks(n).rev() {
            let b = &mut work.b[..rows.len() * k];
            self.likelihoods(x, rows.clone(), b, &mut work.scratch);
            for (t, b) in rows.clone().zip(b.chunks_exact(k)).rev() {
                if t + 1 < n {
                    kernel::chain::forward(k, 0, &self.matrices.packed_at, &work.v, &mut work.beta)?;
                }
                let (v, beta) = work.beta.split_at_mut(k);
                let sum: F = beta.iter().copied().sum();
                for (l, out) in out[t * k..][..k].iter_mut().enumerate() {
                    *out = beta[l] / sum;
                    v[l] = b[l] * beta[l];
                }
            }
        }
        Some(())
    }
}
