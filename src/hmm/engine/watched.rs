//! The forward recursion where states may be lost: between two bounds.
//!
//! The rows themselves are a lower bound, as they lose what is too small. Beside them goes an upper bound, in which every state that is possible
//! keeps [`LOST`](kernel::chain::Real::LOST) of the row, and every transition that is possible [`LOW`](kernel::chain::Real::LOW). As long as the
//! two have the same sum, both are the truth.

use std::ops::Range;

use super::{Emission, Engine, Observations, Workspace, lost};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Filters these rows, whose likelihoods are `b` of `work.b`, into `alpha` of `work.alpha`; returns the exponent of their scale. `None` where
    /// the bounds differ. If `begins`, the bound of the row before these is that row itself.
    pub(super) fn watched(
        &self,
        x: Observations<'_, E::Elem>,
        rows: Range<usize>,
        b: Range<usize>,
        alpha: Range<usize>,
        begins: bool,
        work: &mut Workspace<F>,
    ) -> Option<i64> {
        let (k, len) = (self.k, rows.len() * self.k);
        for buffer in [&mut work.gamma, &mut work.u] {
            buffer.resize(len);
        }
        let (log_b, lifted) = (&mut work.gamma[..len], &mut work.u[..len]);
        self.log_likelihoods(x, rows, log_b, &mut work.scratch);
        for ((lifted, &b), &log_b) in lifted.iter_mut().zip(&*work.b).zip(&*log_b) {
            *lifted = if log_b > F::neg_infinity() { b.max(lost()) } else { F::zero() };
        }
        if begins {
            work.upper.resize(2 * k);
            work.upper[..k].copy_from_slice(&work.alpha[alpha.start..][..k]);
            if b.start > 0 {
                // The first row of all: of its products, those that are lost are below the smallest normal number over `LOST`.
                let products = work.upper.iter_mut().zip(self.initial).zip(&*lifted);
                let possible = products.filter(|((_, p), b)| **p > F::zero() && **b > F::zero());
                possible.for_each(|((upper, _), _)| *upper = upper.max(lost()));
            }
        }
        kernel::chain::watch(
            k,
            [&self.matrices.packed_a, self.lifted()],
            [&work.b[b.clone()], &lifted[b]],
            &mut work.alpha[alpha],
            &mut work.upper,
        )
    }
}
