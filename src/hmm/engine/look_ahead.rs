//! The backward recursion on its own.

use super::{Emission, Engine, Observations, Workspace, lowered};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Likelihoods of what comes after each row into `out`, `(n, k)`, each row with a sum of 1; returns the log-likelihood.
    ///
    /// With `v_t = b_t o beta_t` and `beta_n = 1`, `beta_t = A v_(t+1)`. Nothing is written when the sequence is impossible.
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
        let undone = if self.matrices.no_faint { self.look_ahead_scaled(x, work, out) } else { n };
        if undone == 0 {
            return log_likelihood;
        }
        // log v of the row after.
        for buffer in [&mut work.u, &mut work.b] {
            buffer.resize(k);
        }
        work.v.resize(2 * k);
        (0..k).for_each(|j| work.u[j] = work.v[j].ln());
        for t in (0..undone).rev() {
            let beta = &mut out[t * k..][..k];
            self.log_beta(t + 1 == n, &work.u, &mut work.v, beta);
            lowered(beta);
            self.log_likelihoods(x, t..t + 1, &mut work.b, &mut work.scratch);
            (0..k).for_each(|j| work.u[j] = work.b[j] + beta[j]);
            crate::math::softmax(beta);
        }
        log_likelihood
    }

    /// As [`look_ahead`](Self::look_ahead), from the last row on; returns how many rows at the front are undone, as a state may have been lost. `v` of the
    /// row after them is in `work.v`.
    ///
    /// That none was lost is proved as for a [filter](Self::may_lose), with `v` in the place of `alpha`.
    fn look_ahead_scaled(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> usize {
        let (k, n) = (self.k, self.n_rows(x));
        work.b.resize(self.block_len(n));
        work.v.resize(2 * k);
        work.u.resize(k);
        for rows in self.blocks(n).rev() {
            let len = rows.len() * k;
            self.likelihoods(x, rows.clone(), &mut work.b[..len], &mut work.scratch);
            let Workspace { b, gamma, scratch, .. } = &mut *work;
            if self.loses_likelihoods(x, rows.clone(), &b[..len], gamma, scratch) {
                return rows.end;
            }
            let mut rest = len;
            let out = &mut out[rows.start * k..][..len];
            if rows.end == n {
                rest -= k;
                out[rest..].fill(F::one() / F::cast(k));
                work.v[..k].copy_from_slice(&work.b[rest..len]);
            }
            work.u.copy_from_slice(&work.v[..k]);
            let at = &self.matrices.packed_at;
            match kernel::chain::ahead(k, at, &work.b[..rest], &mut work.v, &mut out[..rest]) {
                Some(is_faint) if self.matrices.mixes || !is_faint => {}
                _ => {
                    work.v[..k].copy_from_slice(&work.u);
                    return rows.end;
                }
            }
        }
        0
    }
}
