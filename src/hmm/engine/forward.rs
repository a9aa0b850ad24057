//! The forward recursion.

use std::ops::Range;

use super::{Emission, Engine, Observations, Workspace, block, lost};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Log-likelihood of a sequence; the kept rows of `work.alpha` are those of a block.
    pub(in crate::hmm) fn score(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> f64 {
        let scaled = if self.matrices.mixes {
            self.score_from_both_ends(x, work).or_else(|| self.forward(x, work, false, false))
        } else {
            self.forward(x, work, false, true).or_else(|| self.forward_watched(x, work, None))
        };
        scaled.unwrap_or_else(|| self.forward_in_logs(x, work))
    }

    /// Filters into `out`, `(n, k)`, each row with a sum of 1; returns the log-likelihood.
    pub(in crate::hmm) fn filter(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> f64 {
        let mut scaled = self.forward(x, work, true, !self.matrices.mixes);
        if scaled.is_some() {
            out.copy_from_slice(&work.alpha);
        } else if !self.matrices.mixes {
            scaled = self.forward_watched(x, work, Some(&mut *out));
        }
        let log_likelihood = match scaled {
            Some(log_likelihood) => log_likelihood,
            None => {
                let log_likelihood = self.forward_in_logs(x, work);
                for (out, row) in out.chunks_exact_mut(self.k).zip(work.alpha.chunks_exact(self.k)) {
                    let max = row.iter().copied().fold(F::neg_infinity(), F::max);
                    out.iter_mut().zip(row).for_each(|(p, &log_alpha)| *p = (log_alpha - max).exp());
                }
                log_likelihood
            }
        };
        for row in out.chunks_exact_mut(self.k) {
            let sum: F = row.iter().copied().sum();
            row.iter_mut().for_each(|p| *p /= sum);
        }
        log_likelihood
    }

    /// Log-likelihood, with the filtered rows in `work.alpha` where they are kept; `None` where digits were lost, and if `whole`, also where a state
    /// may have been.
    pub(super) fn forward(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        keep: bool,
        whole: bool,
    ) -> Option<f64> {
        let k = self.k;
        if whole && !self.matrices.no_faint {
            return None;
        }
        let n = self.n_rows(x);
        let (mut exponent, mut log_scale) = (0, 0.0);
        // Row 0 of an unkept buffer is the last row of the block before.
        let rows = if keep { n } else { block(k).min(n) + 1 };
        work.alpha.resize(rows * k);
        work.b.resize(block(k).min(n) * k);
        let mut last = 0..k;
        for rows in self.blocks(n) {
            let b = &mut work.b[..rows.len() * k];
            log_scale += self.likelihoods(x, rows.clone(), b, &mut work.scratch);
            let (from, b) = if rows.start == 0 {
                for ((alpha, &p), &b) in work.alpha.iter_mut().zip(self.initial).zip(&*b) {
                    *alpha = p * b;
                    if whole && *alpha == F::zero() && p > F::zero() && b > F::zero() {
                        return None;
                    }
                }
                let first = &mut work.alpha[..k];
                let mass: F = first.iter().copied().sum();
                if mass.is_nan() || mass < lost() {
                    return None;
                }
                let (factor, e) = kernel::chain::Real::rescale(mass);
                first.iter_mut().for_each(|alpha| *alpha *= factor);
                exponent += i64::from(e);
                (0, &b[k..])
            } else if keep {
                ((rows.start - 1) * k, &*b)
            } else {
                work.alpha.copy_within(last, 0);
                (0, &*b)
            };
            let end = from + k + b.len();
            // Blocks begin with a group; the first row of all is not computed by a step.
            let first = usize::from(rows.start == 0);
            exponent +=
                kernel::chain::forward(k, first, &self.matrices.packed_a, b, &mut work.alpha[from..end])?;
            last = end - k..end;
            if whole && (kernel::chain::any_faint(&work.alpha[from..end]) || self.loses(x, rows, work)) {
                return None;
            }
        }
        let mass: f64 = work.alpha[last].iter().map(|alpha| alpha.as_f64()).sum();
        Some(mass.ln() + exponent as f64 * std::f64::consts::LN_2 + log_scale)
    }

    /// Whether likelihoods of these rows, in `work.b`, are too small to be numbers, or nearly.
    ///
    /// If none are, the steps in `A` are 0 or at least [`LOW`](kernel::chain::Real::LOW), and neither is the row before, no product of the three is: the
    /// states at 0 are those that are impossible.
    pub(super) fn loses(
        &self,
        x: Observations<'_, E::Elem>,
        rows: Range<usize>,
        work: &mut Workspace<F>,
    ) -> bool {
        let n = rows.len() * self.k;
        if kernel::chain::any_faint(&work.b[..n]) {
            return true;
        }
        if !work.b[..n].contains(&F::zero()) {
            return false;
        }
        work.gamma.resize(n);
        self.log_likelihoods(x, rows, &mut work.gamma[..n], &mut work.scratch);
        work.b[..n]
            .iter()
            .zip(&work.gamma[..n])
            .any(|(&b, &log_b)| b == F::zero() && log_b > F::neg_infinity())
    }
}
