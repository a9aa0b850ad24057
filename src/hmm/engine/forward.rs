//! The forward recursion.

use std::ops::Range;

use super::{Emission, Engine, Observations, Workspace, lost};
use crate::float::Float;
use crate::kernel::{self, Aligned};

/// What a filter finds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filtered {
    pub(super) log_likelihood: f64,
    /// Rows at the front in which no state was lost, which is proved.
    pub(super) whole: usize,
}

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Log-likelihood of a sequence; the kept rows of `work.alpha` are those of a block.
    pub(in crate::hmm) fn score(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> f64 {
        let from_ends = if self.matrices.mixes { self.score_from_both_ends(x, work) } else { None };
        from_ends
            .or_else(|| Some(self.forward(x, work, false, true)?.log_likelihood))
            .unwrap_or_else(|| self.forward_in_logs(x, work))
    }

    /// Filters into `out`, `(n, k)`, each row with a sum of 1; returns the log-likelihood.
    pub(in crate::hmm) fn filter(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> f64 {
        let log_likelihood = match self.forward(x, work, true, true) {
            Some(filtered) => {
                out.copy_from_slice(&work.alpha);
                filtered.log_likelihood
            }
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

    /// Filters a sequence; the rows are in `work.alpha`, where they are kept. `None` where digits were lost.
    ///
    /// Where it is not proved any more that no state was lost, it goes on with a bound beside it if `bounded`: then all rows that come back are right.
    /// Without, the way back has to look at the rows that are not whole.
    pub(super) fn forward(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        keep: bool,
        bounded: bool,
    ) -> Option<Filtered> {
        let (k, n) = (self.k, self.n_rows(x));
        let (mut exponent, mut log_scale) = (0, 0.0);
        if keep {
            work.alpha.reserve(n * k);
        } else {
            // Row 0 is the last row of the block before.
            work.alpha.resize(k + self.block_len(n));
        }
        work.b.resize(self.block_len(n));
        let mut whole = if self.matrices.no_faint { n } else { 0 };
        let mut last = 0..k;
        for rows in self.blocks(n) {
            let len = rows.len() * k;
            if keep {
                work.alpha.grow(rows.end * k);
            }
            log_scale += self.likelihoods(x, rows.clone(), &mut work.b[..len], &mut work.scratch);
            // The first row of all is not computed by a step.
            let skipped = usize::from(rows.start == 0);
            let from = if skipped == 1 {
                let (e, is_whole) = self.first_filtered(work)?;
                exponent += e;
                whole = if is_whole { whole } else { 0 };
                0
            } else if keep {
                (rows.start - 1) * k
            } else {
                work.alpha.copy_within(last, 0);
                0
            };
            let (b, alpha) = (skipped * k..len, from..from + len + (1 - skipped) * k);
            last = alpha.end - k..alpha.end;
            if whole == n || !bounded {
                let step = kernel::chain::forward(
                    k,
                    skipped,
                    &self.matrices.packed_a,
                    &work.b[b.clone()],
                    &mut work.alpha[alpha.clone()],
                )?;
                if whole == n && self.may_lose(x, rows.clone(), alpha.clone(), work) {
                    whole = rows.start;
                }
                if whole == n || !bounded {
                    exponent += step;
                    continue;
                }
            }
            let begins = whole == rows.start;
            exponent += self.watched(x, rows, b, alpha, begins, work)?;
        }
        let mass: f64 = work.alpha[last].iter().map(|alpha| alpha.as_f64()).sum();
        let log_likelihood = mass.ln() + exponent as f64 * std::f64::consts::LN_2 + log_scale;
        Some(Filtered { log_likelihood, whole })
    }

    /// Row 0 of `work.alpha`; returns the exponent of its scale, and whether no state was lost.
    fn first_filtered(&self, work: &mut Workspace<F>) -> Option<(i64, bool)> {
        let mut is_whole = true;
        let first = &mut work.alpha[..self.k];
        for ((alpha, &p), &b) in first.iter_mut().zip(self.initial).zip(&*work.b) {
            *alpha = p * b;
            is_whole &= *alpha > F::zero() || p == F::zero() || b == F::zero();
        }
        let mass: F = first.iter().copied().sum();
        if mass.is_nan() || mass < lost() {
            return None;
        }
        let (factor, exponent) = kernel::chain::Real::rescale(mass);
        first.iter_mut().for_each(|alpha| *alpha *= factor);
        Some((i64::from(exponent), is_whole))
    }

    /// Whether a state may have been lost in these rows, of which `alpha` are filtered and the likelihoods are in `work.b`.
    ///
    /// Where neither a filtered row nor a likelihood has a number above 0 and below [`LOST`](kernel::chain::Real::LOST), nor `A` one below
    /// [`LOW`](kernel::chain::Real::LOW), no product of the three is too small to be a number: the states at 0 are those that are impossible. If every
    /// state follows every state, it does not matter.
    fn may_lose(
        &self,
        x: Observations<'_, E::Elem>,
        rows: Range<usize>,
        alpha: Range<usize>,
        work: &mut Workspace<F>,
    ) -> bool {
        let Workspace { alpha: filtered, b, gamma, scratch, .. } = work;
        let b = &b[..rows.len() * self.k];
        !self.matrices.mixes
            && (kernel::chain::any_faint(&filtered[alpha])
                || self.loses_likelihoods(x, rows, b, gamma, scratch))
    }

    /// Whether likelihoods `b` of these rows are too small to be numbers, or nearly, and a state could be lost for it; `room` may become anything.
    pub(in crate::hmm) fn loses_likelihoods(
        &self,
        x: Observations<'_, E::Elem>,
        rows: Range<usize>,
        b: &[F],
        room: &mut Aligned<F>,
        scratch: &mut Vec<F>,
    ) -> bool {
        if self.matrices.mixes {
            return false;
        }
        if !b.contains(&F::zero()) {
            return kernel::chain::any_faint(b);
        }
        room.resize(b.len());
        self.log_likelihoods(x, rows, room, scratch);
        let lost = b.iter().zip(&**room).any(|(&b, &log_b)| b == F::zero() && log_b > F::neg_infinity());
        lost || kernel::chain::any_faint(b)
    }
}
