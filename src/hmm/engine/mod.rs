//! One pass over one sequence: forwards, backwards, best path.
//!
//! The numbers of the recursions are probabilities, rescaled by powers of two, over blocks of rows: the emission fills a block with likelihoods
//! (each row divided by its largest, whose log is kept), a kernel runs the recursion through it.
//!
//! | file | pass |
//! |---|---|
//! | `forward` | filtered rows, log-likelihood; the proof that no state was lost |
//! | `both_ends` | log-likelihood, from the first row and from the last at once |
//! | `watched` | filtered rows where that proof fails |
//! | `smooth` | posteriors and expected transitions |
//! | `look_ahead` | likelihoods of what comes after each row |
//! | `best` | the most probable path |
//! | `in_logs` | filtered rows, posteriors and transitions, where no scale of a row keeps its digits |
//!
//! Only the filtered rows `alpha` are kept for all of time; smoothing computes the likelihoods again, which is cheaper than the memory. Where a step would
//! lose its digits, as with an outlier that no reachable state explains, the sequence is done again in logs.
//!
//! A state whose probability falls below the smallest float is lost for good, where no other state leads back to it. If all do (`mixes`), what
//! they bring is always more than what was lost. If not, most sequences of most models have a proof that none was: no number of a row above 0
//! is near that smallest one. Where that fails, smoothing looks at every row of the way back, as there the lost share is known, before any of these rows
//! is used; a filter goes on between two bounds, see `watched`; what comes after each row goes on in logs.
//!
//! # References
//! L. R. Rabiner, A tutorial on hidden Markov models (1989), section V.A (scaling).

mod best;
mod both_ends;
mod forward;
mod in_logs;
mod look_ahead;
mod matrices;
mod smooth;
mod watched;

use std::ops::Range;

use super::emission::Emission;
use crate::float::Float;
use crate::kernel::{self, Aligned};

pub(super) use in_logs::{log_product, lowered};
pub(super) use matrices::Matrices;

/// Rows that are worked on at once: as many as the nearest cache holds of what a step reads and writes, and where the matrix alone fills it, so many
/// that the `k^2` numbers that are added up once a block do not count. Whole groups of rows that share a scale.
fn block(k: usize) -> usize {
    match k {
        0..8 => 256,
        8..16 => 96,
        16..48 => 48,
        _ => 128,
    }
}

/// One sequence.
#[derive(Debug, Clone, Copy)]
pub(super) struct Observations<'x, T> {
    /// One row after another.
    pub(super) x: &'x [T],
    /// The state of each row, [`UNKNOWN`] where it is hidden; empty where all are.
    pub(super) known: &'x [usize],
}

/// A state that is not known.
pub(super) const UNKNOWN: usize = usize::MAX;

/// A model as the recursions want it.
#[derive(Debug, Clone)]
pub(super) struct Engine<'a, E: Emission> {
    pub(super) k: usize,
    pub(super) initial: &'a [E::Float],
    pub(super) a: &'a [E::Float],
    pub(super) matrices: Matrices<E::Float>,
    pub(super) emission: &'a E,
}

/// Memory of the recursions, kept from sequence to sequence.
#[derive(Debug, Clone, Default)]
pub(super) struct Workspace<F> {
    /// Filtered rows or best-path rows, of all of time where they are kept.
    pub(super) alpha: Aligned<F>,
    b: Aligned<F>,
    gamma: Aligned<F>,
    u: Aligned<F>,
    upper: Aligned<F>,
    v: Aligned<F>,
    beta: Aligned<F>,
    acc: Aligned<F>,
    /// Expected transitions as they were before a sequence that may have to be done again.
    steps: Vec<f64>,
    arrows: Aligned<[u8; 8]>,
    pub(super) scratch: Vec<F>,
}

impl<'a, F: Float, E: Emission<Float = F>> Engine<'a, E> {
    /// The engine of a model, in the memory of another's matrices.
    pub(super) fn new(initial: &'a [F], a: &'a [F], emission: &'a E, mut matrices: Matrices<F>) -> Self {
        let k = initial.len();
        matrices.fill(k, a);
        Self { k, initial, a, matrices, emission }
    }

    pub(super) fn n_rows(&self, sequence: Observations<'_, E::Elem>) -> usize {
        sequence.x.len() / self.emission.n_features()
    }

    /// Logs of likelihoods of some rows; a known state is the only possible one.
    fn log_likelihoods(
        &self,
        sequence: Observations<'_, E::Elem>,
        rows: Range<usize>,
        log_b: &mut [F],
        scratch: &mut Vec<F>,
    ) {
        let d = self.emission.n_features();
        self.emission.log_likelihoods(&sequence.x[rows.start * d..rows.end * d], log_b, scratch);
        if !sequence.known.is_empty() {
            let known = sequence.known[rows].iter().zip(log_b.chunks_exact_mut(self.k));
            for (&state, row) in known.filter(|row| *row.0 != UNKNOWN) {
                let others = row.iter_mut().enumerate().filter(|(j, _)| *j != state);
                others.for_each(|(_, log)| *log = F::neg_infinity());
            }
        }
    }

    /// Scaled likelihoods of some rows, and the sum of the logs of their scales.
    fn likelihoods(
        &self,
        sequence: Observations<'_, E::Elem>,
        rows: Range<usize>,
        b: &mut [F],
        scratch: &mut Vec<F>,
    ) -> f64 {
        if sequence.known.is_empty() {
            let d = self.emission.n_features();
            return self.emission.likelihoods(&sequence.x[rows.start * d..rows.end * d], b, scratch);
        }
        self.log_likelihoods(sequence, rows, b, scratch);
        kernel::chain::exp_rows(self.k, b)
    }

    /// How many numbers the rows of a block have, of a sequence of `n` rows.
    fn block_len(&self, n: usize) -> usize {
        block(self.k).min(n) * self.k
    }

    fn blocks(&self, n: usize) -> impl DoubleEndedIterator<Item = Range<usize>> + use<F, E> {
        let size = block(self.k);
        (0..n.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(n))
    }
}

/// A mass below which a row has lost digits.
fn lost<F: Float>() -> F {
    <F as kernel::chain::Real>::LOST
}
