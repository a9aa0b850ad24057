//! The most probable path.

use super::{Emission, Engine, Observations, Workspace, lowered};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// The most probable path into `path`, and the log of its joint probability with the observations; of several, the one with the lowest
    /// last state, then the lowest state before it, and so on.
    pub(in crate::hmm) fn best(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        path: &mut [usize],
    ) -> f64 {
        let (k, n) = (self.k, self.n_rows(x));
        if k > kernel::chain::MOST_ARROWS {
            return self.best_by_rows(x, work, path);
        }
        work.arrows.resize(n);
        work.b.resize(self.block_len(n));
        work.v.resize(k);
        let mut offset = 0.0;
        for rows in self.blocks(n) {
            let b = &mut work.b[..rows.len() * k];
            self.log_likelihoods(x, rows.clone(), b, &mut work.scratch);
            let (delta, mut first) = (&mut work.v, rows.start);
            if first == 0 {
                self.first_row(b, delta);
                first = 1;
            } else {
                offset += lowered(delta);
            }
            let (b, arrows) = (&b[(first - rows.start) * k..], &mut work.arrows[first..rows.end]);
            kernel::chain::arrows(k, &self.logs().packed, b, delta, arrows);
        }
        path[n - 1] = argmax(work.v.iter().copied());
        kernel::chain::follow_arrows(&work.arrows, &mut path[..n]);
        offset + work.v[path[n - 1]].as_f64()
    }

    /// As [`best`](Self::best), with the rows of [`best_rows`](Self::best_rows) in `work.alpha`.
    pub(in crate::hmm) fn best_by_rows(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        path: &mut [usize],
    ) -> f64 {
        let (k, n) = (self.k, self.n_rows(x));
        let offset = self.best_rows(x, work);
        let last = &work.alpha[(n - 1) * k..n * k];
        path[n - 1] = argmax(last.iter().copied());
        self.follow(&work.alpha, &mut path[..n]);
        offset + last[path[n - 1]].as_f64()
    }

    /// Logs of the most probable way to each state of each row in `work.alpha`, up to an offset for each row; returns that of the last.
    pub(in crate::hmm) fn best_rows(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> f64 {
        let k = self.k;
        let n = self.n_rows(x);
        work.alpha.resize(n * k);
        work.b.resize(self.block_len(n));
        let mut offset = 0.0;
        for rows in self.blocks(n) {
            let b = &mut work.b[..rows.len() * k];
            self.log_likelihoods(x, rows.clone(), b, &mut work.scratch);
            let (from, b) = if rows.start == 0 {
                self.first_row(b, &mut work.alpha);
                (0, &b[k..])
            } else {
                offset += lowered(&mut work.alpha[(rows.start - 1) * k..rows.start * k]);
                ((rows.start - 1) * k, &*b)
            };
            let end = from + k + b.len();
            kernel::chain::best(k, &self.logs().packed, b, &mut work.alpha[from..end]);
        }
        offset
    }

    /// `log pi + log b_0`.
    pub(super) fn first_row(&self, b: &[F], delta: &mut [F]) {
        for ((delta, &p), &b) in delta.iter_mut().zip(self.initial).zip(b) {
            *delta = p.ln() + b;
        }
    }

    /// Fills all but the last state of `path` with the most probable way to the last.
    pub(in crate::hmm) fn follow(&self, delta: &[F], path: &mut [usize]) {
        kernel::chain::follow(self.k, &self.logs().log_at, delta, path);
    }

    /// `delta_t(i) + log A_ij` for every state `i` and the state `j` after it.
    pub(in crate::hmm) fn ways<'w>(
        &'w self,
        delta: &'w [F],
        t: usize,
        j: usize,
    ) -> impl Iterator<Item = F> + 'w {
        let (k, into) = (self.k, &self.logs().log_at);
        delta[t * k..(t + 1) * k].iter().zip(&into[j * k..(j + 1) * k]).map(|(&delta, &log_a)| delta + log_a)
    }
}

/// The first index of the largest value.
fn argmax<F: Float>(values: impl Iterator<Item = F>) -> usize {
    let start = (0, F::neg_infinity());
    values.enumerate().fold(start, |best, (i, v)| if v > best.1 { (i, v) } else { best }).0
}
