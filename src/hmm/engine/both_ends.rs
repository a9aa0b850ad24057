//! The log-likelihood from both ends.

use super::{Emission, Engine, Observations, Workspace, lost};
use crate::float::Float;
use crate::kernel;

impl<F: Float, E: Emission<Float = F>> Engine<'_, E> {
    /// Log-likelihood `log sum_ij alpha_t(i) A_ij b_(t+1)(j) beta_(t+1)(j)` for a row `t` in the middle: the recursion from the front and that from
    /// the back run side by side. `None` where that gains nothing, or where digits were lost.
    pub(super) fn score_from_both_ends(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
    ) -> Option<f64> {
        let (k, n) = (self.k, self.n_rows(x));
        if n < 3 || !kernel::chain::ends_gain::<F>(k) {
            return None;
        }
        let steps = (n - 2) / 2;
        for buffer in [&mut work.b, &mut work.gamma] {
            buffer.resize(self.block_len(n));
        }
        for row in [&mut work.v, &mut work.beta] {
            row.resize(2 * k.next_multiple_of(8));
            row.fill(F::zero());
        }
        let (front, back) = (&mut work.v, &mut work.beta);
        let mut log_scale = self.likelihoods(x, 0..1, &mut front[..k], &mut work.scratch);
        front.iter_mut().zip(self.initial).for_each(|(alpha, &p)| *alpha *= p);
        log_scale += self.likelihoods(x, n - 1..n, &mut back[..k], &mut work.scratch);
        let mut exponent = 0;
        for rows in self.blocks(steps) {
            let len = rows.len() * k;
            let (b, b_back) = (&mut work.b[..len], &mut work.gamma[..len]);
            log_scale += self.likelihoods(x, 1 + rows.start..1 + rows.end, b, &mut work.scratch);
            log_scale += self.likelihoods(x, n - 1 - rows.end..n - 1 - rows.start, b_back, &mut work.scratch);
            exponent += kernel::chain::ends(
                k,
                &self.matrices.packed_a,
                &self.matrices.packed_at,
                b,
                b_back,
                front,
                back,
            )?;
        }
        // Of an odd number of rows, one is left in the middle.
        let mut middle = &mut work.b[..k];
        if n % 2 == 1 {
            log_scale += self.likelihoods(x, 1 + steps..2 + steps, middle, &mut work.scratch);
            let (before, after) = work.gamma[..2 * k].split_at_mut(k);
            before.copy_from_slice(&front[..k]);
            self.product(before, after);
            after.iter_mut().zip(&*middle).for_each(|(alpha, &b)| *alpha *= b);
            front[..k].copy_from_slice(after);
        }
        middle = &mut work.b[..k];
        self.product(&front[..k], middle);
        let mass: f64 = middle.iter().zip(&**back).map(|(&alpha, &v)| alpha.as_f64() * v.as_f64()).sum();
        if mass.is_nan() || mass < lost::<F>().as_f64() {
            return None;
        }
        Some(mass.ln() + exponent as f64 * std::f64::consts::LN_2 + log_scale)
    }

    /// `out = x A`.
    fn product(&self, x: &[F], out: &mut [F]) {
        out.fill(F::zero());
        for (&x, row) in x.iter().zip(self.a.chunks_exact(self.k)) {
            out.iter_mut().zip(row).for_each(|(out, &p)| *out += x * p);
        }
    }
}
