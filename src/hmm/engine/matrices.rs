//! What the recursions read of the transitions.

use std::sync::OnceLock;

use super::{Emission, Engine};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::kernel::chain::{Real, pack};

/// What is derived from `A`; its memory goes from model to model.
#[derive(Debug, Clone, Default)]
pub(in crate::hmm) struct Matrices<F> {
    /// The transpose of `A`.
    at: Aligned<F>,
    /// Both as the kernels read them.
    pub(in crate::hmm) packed_a: Aligned<F>,
    pub(in crate::hmm) packed_at: Aligned<F>,
    /// Whether every state follows every state, see [`mixes`].
    pub(in crate::hmm) mixes: bool,
    /// Whether that holds of every transition that is not 0.
    pub(in crate::hmm) no_faint: bool,
    logs: OnceLock<Logs<F>>,
    lifted: OnceLock<Aligned<F>>,
}

/// Logs of `A`, made when they are first asked for.
#[derive(Debug, Clone, Default)]
pub(in crate::hmm) struct Logs<F> {
    pub(in crate::hmm) log_a: Aligned<F>,
    /// The transpose of that.
    pub(in crate::hmm) log_at: Aligned<F>,
    /// `log_a` as the kernels read it.
    pub(in crate::hmm) packed: Aligned<F>,
}

/// Whether every state leads to every state with a probability that makes up for what is too small to be a number.
///
/// With `alpha_t(i) >= 1 / k` for the largest, what reaches any `j` is `A_ij b_(t+1)(j) / k` at least, and what was lost in row `t` is less than
/// the smallest normal number times `b_(t+1)(j)`: for all `j` a share without a digit.
fn mixes<'a, F: Float>(a: impl IntoIterator<Item = &'a F>) -> bool {
    a.into_iter().all(|&p| p >= <F as Real>::LOW)
}

fn transpose<F: Float>(k: usize, a: &[F], at: &mut Aligned<F>) {
    at.resize(k * k);
    for (i, row) in a.chunks_exact(k).enumerate() {
        row.iter().enumerate().for_each(|(j, &p)| at[j * k + i] = p);
    }
}

impl<F: Float> Matrices<F> {
    pub(super) fn fill(&mut self, k: usize, a: &[F]) {
        let Self { at, packed_a, packed_at, mixes, no_faint, logs, lifted } = self;
        transpose(k, a, at);
        pack(k, a, packed_a);
        pack(k, at, packed_at);
        *mixes = self::mixes(a);
        *no_faint = self::mixes(a.iter().filter(|&&p| p > F::zero()));
        // What the model before needed, in the same memory.
        if let Some(logs) = logs.get_mut() {
            logs.fill(k, a);
        }
        if let Some(lifted) = lifted.get_mut() {
            lift(k, a, lifted);
        }
    }
}

impl<F: Float> Logs<F> {
    fn fill(&mut self, k: usize, a: &[F]) {
        self.log_a.resize(k * k);
        self.log_a.iter_mut().zip(a).for_each(|(log, p)| *log = p.ln());
        transpose(k, &self.log_a, &mut self.log_at);
        pack(k, &self.log_a, &mut self.packed);
    }
}

/// `A` packed, what is above 0 at least [`LOW`](Real::LOW).
fn lift<F: Float>(k: usize, a: &[F], lifted: &mut Aligned<F>) {
    pack(k, a, lifted);
    let positive = lifted.iter_mut().filter(|p| **p > F::zero());
    positive.for_each(|p| *p = p.max(<F as Real>::LOW));
}

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    pub(in crate::hmm) fn logs(&self) -> &Logs<F> {
        self.matrices.logs.get_or_init(|| {
            let mut logs = Logs::default();
            logs.fill(self.k, self.a);
            logs
        })
    }

    /// `A` for the upper bound of [`watch`](crate::kernel::chain::watch).
    pub(super) fn lifted(&self) -> &[F] {
        self.matrices.lifted.get_or_init(|| {
            let mut lifted = Aligned::default();
            lift(self.k, self.a, &mut lifted);
            lifted
        })
    }
}
