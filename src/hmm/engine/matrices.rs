//! What the recursions read of the transitions.

use crate::float::Float;
use crate::kernel::Aligned;
use crate::kernel::chain::{Real, pack};

/// What is derived from `A`; its memory goes from model to model.
#[derive(Debug, Default)]
pub(in crate::hmm) struct Matrices<F> {
    pub(super) log_a: Aligned<F>,
    /// The transpose of that.
    pub(super) log_at: Aligned<F>,
    /// `A`, its transpose and its logs as the kernels read them.
    pub(super) packed_a: Aligned<F>,
    pub(super) packed_at: Aligned<F>,
    pub(super) packed_log_a: Aligned<F>,
    /// Whether every state follows every state, see [`mixes`].
    pub(super) mixes: bool,
    /// Whether that holds of every transition that is not 0.
    pub(super) no_faint: bool,
    /// `A` for [`Engine::forward_watched`](super::Engine::forward_watched).
    pub(super) lifted: Aligned<F>,
}

/// Whether every state leads to every state with a probability that makes up for what is too small to be a number.
///
/// With `alpha_t(i) >= 1 / k` for the largest, what reaches any `j` is `A_ij b_(t+1)(j) / k` at least, and what was lost in row `t` is less than
/// the smallest normal number times `b_(t+1)(j)`: for all `j` a share without a digit.
pub(in crate::hmm) fn mixes<'a, F: Float>(a: impl IntoIterator<Item = &'a F>) -> bool {
    a.into_iter().all(|&p| p >= <F as Real>::LOW)
}

impl<F: Float> Matrices<F> {
    pub(super) fn fill(&mut self, k: usize, a: &[F]) {
        let Self { log_a, log_at, packed_a, packed_at, packed_log_a, mixes, no_faint, lifted } = self;
        log_a.resize(k * k);
        log_at.resize(k * k);
        for (at, &p) in a.iter().enumerate() {
            log_at[at % k * k + at / k] = p;
            log_a[at] = p.ln();
        }
        pack(k, a, packed_a);
        pack(k, log_at, packed_at);
        pack(k, log_a, packed_log_a);
        log_at.iter_mut().for_each(|p| *p = p.ln());
        *mixes = self::mixes(a);
        *no_faint = self::mixes(a.iter().filter(|&&p| p > F::zero()));
        // Also where it is not needed yet: a later round of a fit must find its memory.
        pack(k, a, lifted);
        let positive = lifted.iter_mut().filter(|p| **p > F::zero());
        positive.for_each(|p| *p = p.max(<F as Real>::LOW));
    }
}
