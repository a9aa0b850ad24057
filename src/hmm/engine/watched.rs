//! The forward recursion of states that may be lost.

use super::{Emission, Engine, Observations, Workspace, block, lost};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Log-likelihood, with the filtered rows in `out`, up to a factor for each, where it is given; `None` where digits were, or may have been, lost.
    ///
    /// Two recursions side by side: a lower bound, which loses what is too small, and an upper bound, in which every state that is possible
    /// keeps [`LOST`](kernel::chain::Real::LOST) of the row and every transition that is possible [`LOW`](kernel::chain::Real::LOW). As long as
    /// the two have the same mass, both are the truth.
    pub(super) fn forward_watched(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        mut out: Option<&mut [F]>,
    ) -> Option<f64> {
        let (k, n) = (self.k, self.n_rows(x));
        for buffer in [&mut work.b, &mut work.gamma] {
            buffer.resize(block(k).min(n) * k);
        }
        work.v.resize(k);
        work.v.fill(F::one());
        // Of each recursion the row before and the row, and its exponent.
        for rows in [&mut work.u, &mut work.beta] {
            rows.resize(2 * k);
            rows[..k].copy_from_slice(self.initial);
        }
        let (mut exponents, mut log_scale) = ([0; 2], 0.0);
        for rows in self.blocks(n) {
            let (log_b, b) = (&mut work.gamma[..rows.len() * k], &mut work.b[..rows.len() * k]);
            self.log_likelihoods(x, rows.clone(), log_b, &mut work.scratch);
            b.copy_from_slice(log_b);
            log_scale += kernel::chain::exp_rows(k, b);
            for ((t, log_b), b) in rows.zip(log_b.chunks_exact(k)).zip(b.chunks_exact(k)) {
                let mut masses = [F::zero(); 2];
                for (i, row) in [&mut work.u, &mut work.beta].into_iter().enumerate() {
                    let a = if i == 0 { &self.matrices.packed_a } else { &self.matrices.lifted };
                    if t > 0 {
                        // With likelihoods of 1, a step of the kernel is a product alone, under its scale.
                        exponents[i] += kernel::chain::forward(k, 0, a, &work.v, row)?;
                        row.copy_within(k.., 0);
                    }
                    let row = &mut row[..k];
                    let product: F = row.iter().zip(b).map(|(&p, &b)| p * b).sum();
                    if product.is_nan() || product < lost() {
                        return None;
                    }
                    let (factor, exponent) = kernel::chain::Real::rescale(product);
                    exponents[i] += i64::from(exponent);
                    for ((p, &b), &log_b) in row.iter_mut().zip(b).zip(log_b) {
                        let possible = i == 1 && *p > F::zero() && log_b > F::neg_infinity();
                        *p = (*p * b * factor).max(if possible { lost() } else { F::zero() });
                    }
                    masses[i] = row.iter().copied().sum();
                }
                let more =
                    F::cast(2.0_f64.powi((exponents[1] - exponents[0]).clamp(-9, 9) as i32)) * masses[1];
                if more > masses[0] * (F::one() + F::epsilon() * F::cast(4096)) {
                    return None;
                }
                if let Some(out) = &mut out {
                    out[t * k..][..k].copy_from_slice(&work.u[..k]);
                }
            }
        }
        let mass: f64 = work.u[..k].iter().map(|alpha| alpha.as_f64()).sum();
        Some(mass.ln() + exponents[0] as f64 * std::f64::consts::LN_2 + log_scale)
    }
}
