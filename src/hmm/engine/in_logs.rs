//! The recursions in logs.

use std::ops::Range;

use super::{Emission, Engine, Observations, Workspace};
use crate::float::Float;
use crate::math::log_sum_exp;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// `log alpha_t(j) = log b_t(j) + log sum_i exp(log alpha_(t-1)(i) + log A_ij)`, all rows kept, the largest of each brought to 0: so that
    /// long sequences keep their digits.
    pub(in crate::hmm) fn forward_in_logs(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
    ) -> f64 {
        let k = self.k;
        let n = self.n_rows(x);
        work.alpha.resize(n * k);
        work.b.resize(k);
        work.v.resize(k);
        let mut offset = 0.0;
        for t in 0..n {
            self.log_likelihoods(x, t..t + 1, &mut work.b[..k], &mut work.scratch);
            let (before, row) = work.alpha.split_at_mut(t * k);
            let row = &mut row[..k];
            for (j, log_alpha) in row.iter_mut().enumerate() {
                *log_alpha = work.b[j]
                    + if t == 0 {
                        self.initial[j].ln()
                    } else {
                        log_product(&self.logs().log_at[j * k..][..k], &before[(t - 1) * k..], &mut work.v)
                    };
            }
            offset += lowered(row);
        }
        offset + log_sum_exp(&work.alpha[(n - 1) * k..]).as_f64()
    }

    /// As [`smooth`](Self::smooth), in logs, for the first `undone` rows and the steps from them.
    pub(in crate::hmm) fn smooth_in_logs(
        &self,
        x: Observations<'_, E::Elem>,
        undone: usize,
        work: &mut Workspace<F>,
        mut steps: Option<&mut [f64]>,
        mut each: impl FnMut(Range<usize>, &[F], &mut Vec<F>),
    ) -> f64 {
        let k = self.k;
        let n = self.n_rows(x);
        let log_likelihood = self.forward_in_logs(x, work);
        if log_likelihood == f64::NEG_INFINITY {
            return log_likelihood;
        }
        for (buffer, len) in [(&mut work.gamma, k), (&mut work.u, k), (&mut work.beta, 2 * k)] {
            buffer.resize(len);
        }
        // u = log b_(t+1) + log beta_(t+1), of the row after.
        for t in (0..n).rev() {
            self.log_beta(t + 1 == n, &work.u, &mut work.v, &mut work.beta[..k]);
            // What all paths together have here, under the offsets of these rows.
            let alpha = &work.alpha[t * k..(t + 1) * k];
            (0..k).for_each(|j| work.gamma[j] = alpha[j] + work.beta[j]);
            let total = crate::math::softmax(&mut work.gamma[..k]);
            if let Some(steps) = steps.as_deref_mut().filter(|_| t < undone && t + 1 < n) {
                for (at, (step, &log_a)) in steps.iter_mut().zip(self.logs().log_a.iter()).enumerate() {
                    *step += (alpha[at / k] + log_a + work.u[at % k] - total).exp().as_f64();
                }
            }
            lowered(&mut work.beta[..k]);
            self.log_likelihoods(x, t..t + 1, &mut work.b[..k], &mut work.scratch);
            (0..k).for_each(|j| work.u[j] = work.b[j] + work.beta[j]);
            if t < undone {
                each(t..t + 1, &work.gamma[..k], &mut work.scratch);
            }
        }
        log_likelihood
    }

    /// `log beta_t(i) = log sum_j exp(log A_ij + u_j)`, or 0 for the last row.
    pub(super) fn log_beta(&self, is_last: bool, u: &[F], v: &mut [F], beta: &mut [F]) {
        let k = self.k;
        for (beta, log_a) in beta.iter_mut().zip(self.logs().log_a.chunks_exact(k)) {
            *beta = if is_last { F::zero() } else { log_product(log_a, u, v) };
        }
    }
}

/// `log sum_i exp(x_i + y_i)` over the `i` for which `x` is not the log of 0; `v` is room for as many.
pub(in crate::hmm) fn log_product<F: Float>(x: &[F], y: &[F], v: &mut [F]) -> F {
    let mut n = 0;
    for (&x, &y) in x.iter().zip(y).filter(|(x, _)| **x > F::neg_infinity()) {
        v[n] = x + y;
        n += 1;
    }
    log_sum_exp(&v[..n])
}

/// Brings the largest log of a row to 0, and returns what it was; a row may have any offset, as the best way is sought in one row at a time.
pub(in crate::hmm) fn lowered<F: Float>(row: &mut [F]) -> f64 {
    let top = row.iter().copied().fold(F::neg_infinity(), |top, v| if v > top { v } else { top });
    if top == F::neg_infinity() {
        return 0.0;
    }
    row.iter_mut().for_each(|delta| *delta -= top);
    top.as_f64()
}
