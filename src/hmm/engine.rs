//! One pass over one sequence: forwards, backwards, best path.
//!
//! The numbers of the recursions are probabilities, rescaled by powers of two, over blocks of rows: the emission fills a block with likelihoods
//! (each row divided by its largest, whose log is kept), a kernel runs the recursion through it. Only the filtered rows `alpha` are
//! kept for all of time; smoothing computes the likelihoods again, which is cheaper than the memory. Where a step would
//! lose its digits, as with an outlier that no reachable state explains, the sequence is done again in logs.
//!
//! A state whose probability falls below the smallest float is lost for good, where no other state leads back to it. If all do
//! ([`mixes`]), what they bring is always more than what was lost. If not, smoothing sees it on the way back: there the lost share of a
//! row is known. A recursion that goes forwards only has a second one beside it, in which nothing is lost; see [`Engine::forward_watched`].
//!
//! # References
//! L. R. Rabiner, A tutorial on hidden Markov models (1989), section V.A (scaling).

use std::ops::Range;

use ndarray::Array2;

use super::emission::Emission;
use crate::float::Float;
use crate::kernel::{self, Aligned};
use crate::math::log_sum_exp;

/// Rows that are worked on at once, so that likelihoods of a block stay in the nearest cache.
fn block(k: usize) -> usize {
    if k < 16 { 128 } else { 64 }
}

/// States up to which a chain of steps is shorter than its parts: two at a time are faster than one after the other. Measured: twice at 2 states,
/// 1.1 times at 16; from 32 on the arithmetic is the limit, or the cache.
const MOST_FROM_ENDS: usize = 16;

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
#[derive(Debug)]
pub(super) struct Engine<'a, E: Emission> {
    pub(super) k: usize,
    pub(super) initial: &'a [E::Float],
    pub(super) a: &'a [E::Float],
    pub(super) matrices: Matrices<E::Float>,
    pub(super) emission: &'a E,
}

/// What is derived from `A`; its memory goes from model to model.
#[derive(Debug, Default)]
pub(super) struct Matrices<F> {
    log_a: Aligned<F>,
    /// The transpose of that.
    log_at: Aligned<F>,
    /// `A`, its transpose and its logs as the kernels read them.
    packed: [Aligned<F>; 3],
    /// Whether every state follows every state, see [`mixes`].
    mixes: bool,
    /// Whether that holds of every transition that is not 0.
    no_faint: bool,
    /// `A` for [`Engine::forward_watched`].
    lifted: Aligned<F>,
}

/// Whether every state leads to every state with a probability that makes up for what is too small to be a number.
///
/// With `alpha_t(i) >= 1 / k` for the largest, what reaches any `j` is `A_ij b_(t+1)(j) / k` at least, and what was lost in row `t` is less than
/// the smallest normal number times `b_(t+1)(j)`: for all `j` a share without a digit.
pub(super) fn mixes<'a, F: Float>(a: impl IntoIterator<Item = &'a F>) -> bool {
    a.into_iter().all(|&p| p >= <F as kernel::chain::Real>::LOW)
}

impl<F: Float> Matrices<F> {
    fn fill(&mut self, k: usize, a: &[F]) {
        let Self { log_a, log_at, packed: [packed, packed_at, packed_log], mixes, no_faint, lifted } = self;
        log_a.resize(k * k);
        log_at.resize(k * k);
        for (at, &p) in a.iter().enumerate() {
            log_at[at % k * k + at / k] = p;
            log_a[at] = p.ln();
        }
        kernel::chain::pack(k, a, packed);
        kernel::chain::pack(k, log_at, packed_at);
        kernel::chain::pack(k, log_a, packed_log);
        log_at.iter_mut().for_each(|p| *p = p.ln());
        *mixes = self::mixes(a);
        *no_faint = self::mixes(a.iter().filter(|&&p| p > F::zero()));
        // Also where it is not needed yet: a later round of a fit must find its memory.
        kernel::chain::pack(k, a, lifted);
        let positive = lifted.iter_mut().filter(|p| **p > F::zero());
        positive.for_each(|p| *p = p.max(<F as kernel::chain::Real>::LOW));
    }
}

/// Memory of the recursions, kept from sequence to sequence.
#[derive(Debug, Clone, Default)]
pub(super) struct Workspace<F> {
    /// Filtered rows or best-path rows, of all of time where they are kept.
    pub(super) alpha: Aligned<F>,
    b: Aligned<F>,
    gamma: Aligned<F>,
    u: Aligned<F>,
    v: Aligned<F>,
    beta: Aligned<F>,
    acc: Aligned<F>,
    arrows: Aligned<u64>,
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

    fn blocks(&self, n: usize) -> impl DoubleEndedIterator<Item = Range<usize>> + use<F, E> {
        let size = block(self.k);
        (0..n.div_ceil(size)).map(move |i| i * size..((i + 1) * size).min(n))
    }

    /// Log-likelihood of a sequence; the kept rows of `work.alpha` are those of a block.
    pub(super) fn score(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> f64 {
        let scaled = if self.matrices.mixes {
            self.score_from_both_ends(x, work).or_else(|| self.forward(x, work, false, false))
        } else {
            self.forward(x, work, false, true).or_else(|| self.forward_watched(x, work, None))
        };
        scaled.unwrap_or_else(|| self.forward_in_logs(x, work))
    }

    /// Log-likelihood `log sum_ij alpha_t(i) A_ij b_(t+1)(j) beta_(t+1)(j)` for a row `t` in the middle: the recursion from the front and that from
    /// the back run side by side. `None` where that gains nothing, or where digits were lost.
    fn score_from_both_ends(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> Option<f64> {
        let (k, n) = (self.k, self.n_rows(x));
        if k > MOST_FROM_ENDS || n < 3 {
            return None;
        }
        let steps = (n - 2) / 2;
        for buffer in [&mut work.b, &mut work.gamma] {
            buffer.resize(block(k).min(n) * k);
        }
        work.v.resize(2 * k);
        work.beta.resize(2 * k);
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
                &self.matrices.packed[0],
                &self.matrices.packed[1],
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

    /// Log-likelihood, with the filtered rows in `work.alpha` where they are kept; `None` where digits were lost, and if `whole`, also where a state
    /// may have been.
    fn forward(
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
                kernel::chain::forward(k, first, &self.matrices.packed[0], b, &mut work.alpha[from..end])?;
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
    fn loses(&self, x: Observations<'_, E::Elem>, rows: Range<usize>, work: &mut Workspace<F>) -> bool {
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

    /// Log-likelihood, with the filtered rows in `out`, up to a factor for each, where it is given; `None` where digits were, or may have been, lost.
    ///
    /// Two recursions side by side: a lower bound, which loses what is too small, and an upper bound, in which every state that is possible
    /// keeps [`LOST`](kernel::chain::Real::LOST) of the row and every transition that is possible [`LOW`](kernel::chain::Real::LOW). As long as
    /// the two have the same mass, both are the truth.
    fn forward_watched(
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
                    let a = if i == 0 { &self.matrices.packed[0] } else { &self.matrices.lifted };
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

    /// Filters into `out`, `(n, k)`, each row with a sum of 1; returns the log-likelihood.
    pub(super) fn filter(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>, out: &mut [F]) -> f64 {
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

    /// Smooths: `each` sees blocks of rows with their posteriors, the last block first.
    ///
    /// Where `steps` is given, the expected transitions are added to it: `A`, entry by entry times the sum over time of `alpha_t^T u_t`.
    /// Nothing is added or seen when the sequence is impossible, which is told by a log-likelihood of `-inf`.
    pub(super) fn smooth(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        mut steps: Option<&mut Array2<f64>>,
        mut each: impl FnMut(Range<usize>, &[F], &mut Vec<F>),
    ) -> f64 {
        let n = self.n_rows(x);
        let Some(log_likelihood) = self.forward(x, work, true, false) else {
            return self.smooth_in_logs(x, n, work, steps, each);
        };
        match self.backward(x, n, work, steps.as_deref_mut(), &mut each) {
            0 => log_likelihood,
            undone => self.smooth_in_logs(x, undone, work, steps, each),
        }
    }

    /// Returns how many rows at the front are undone because digits were lost.
    fn backward(
        &self,
        x: Observations<'_, E::Elem>,
        n: usize,
        work: &mut Workspace<F>,
        mut steps: Option<&mut Array2<f64>>,
        each: &mut impl FnMut(Range<usize>, &[F], &mut Vec<F>),
    ) -> usize {
        let k = self.k;
        let size = block(k).min(n) * k;
        for buffer in [&mut work.b, &mut work.gamma, &mut work.u] {
            buffer.resize(size);
        }
        work.v.resize(k);
        work.beta.resize(3 * k);
        work.acc.resize(k * k);
        for rows in self.blocks(n).rev() {
            let len = rows.len() * k;
            let (b, gamma, u) = (&mut work.b[..len], &mut work.gamma[..len], &mut work.u[..len]);
            self.likelihoods(x, rows.clone(), b, &mut work.scratch);
            let alpha = &work.alpha[rows.start * k..rows.end * k];
            let mut rest = len;
            if rows.end == n {
                // The last row has no step after it: beta = 1.
                rest -= k;
                let mass: F = alpha[rest..].iter().copied().sum();
                for l in rest..len {
                    gamma[l] = alpha[l] / mass;
                    u[l] = F::zero();
                    work.v[l - rest] = b[l];
                }
            }
            let (alpha_rest, b) = (&alpha[..rest], &b[..rest]);
            let (gamma_rest, u_rest) = (&mut gamma[..rest], &mut u[..rest]);
            let (v, beta) = (&mut work.v, &mut work.beta);
            if !kernel::chain::backward(
                k,
                0,
                !self.matrices.mixes,
                &self.matrices.packed[1],
                alpha_rest,
                b,
                v,
                beta,
                gamma_rest,
                u_rest,
            ) {
                return rows.end;
            }
            if let Some(steps) = steps.as_deref_mut() {
                work.acc.fill(F::zero());
                kernel::chain::outer(k, k, alpha, u, &mut work.acc);
                // Where a nearly impossible step is the only one, `u` carries the inverse of its probability.
                if work.acc.iter().any(|sum| !sum.is_finite()) {
                    return rows.end;
                }
                for ((step, &sum), &p) in steps.iter_mut().zip(work.acc.iter()).zip(self.a) {
                    *step += sum.as_f64() * p.as_f64();
                }
            }
            each(rows, gamma, &mut work.scratch);
        }
        0
    }

    /// Likelihoods of what comes after each row into `out`, `(n, k)`, each row with a sum of 1; returns the log-likelihood.
    ///
    /// `beta_t = A (b_(t+1) o beta_(t+1))`, and `beta_n = 1`. Nothing is written when the sequence is impossible.
    pub(super) fn look_ahead(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> f64 {
        let (k, n) = (self.k, self.n_rows(x));
        let log_likelihood = self.score(x, work);
        if log_likelihood == f64::NEG_INFINITY {
            return log_likelihood;
        }
        if !self.matrices.mixes || self.look_ahead_scaled(x, work, out).is_none() {
            // u = log b_(t+1) + log beta_(t+1), of the row after.
            for buffer in [&mut work.u, &mut work.v, &mut work.b] {
                buffer.resize(k);
            }
            for t in (0..n).rev() {
                let beta = &mut out[t * k..][..k];
                self.log_beta(t + 1 == n, &work.u, &mut work.v, beta);
                lowered(beta);
                self.log_likelihoods(x, t..t + 1, &mut work.b, &mut work.scratch);
                (0..k).for_each(|j| work.u[j] = work.b[j] + beta[j]);
                crate::math::softmax(beta);
            }
        }
        log_likelihood
    }

    /// As [`look_ahead`](Self::look_ahead); `None` where digits were lost.
    fn look_ahead_scaled(
        &self,
        x: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
        out: &mut [F],
    ) -> Option<()> {
        let (k, n) = (self.k, self.n_rows(x));
        work.b.resize(block(k).min(n) * k);
        // Two rows: `b o beta` of the row after, and `beta`. A step of the kernel with likelihoods of 1 is a product alone, under its scale.
        work.beta.resize(2 * k);
        work.v.resize(k);
        work.v.fill(F::one());
        work.beta[k..].fill(F::one());
        for rows in self.blocks(n).rev() {
            let b = &mut work.b[..rows.len() * k];
            self.likelihoods(x, rows.clone(), b, &mut work.scratch);
            for (t, b) in rows.clone().zip(b.chunks_exact(k)).rev() {
                if t + 1 < n {
                    kernel::chain::forward(k, 0, &self.matrices.packed[1], &work.v, &mut work.beta)?;
                }
                let (v, beta) = work.beta.split_at_mut(k);
                let sum: F = beta.iter().copied().sum();
                for (l, out) in out[t * k..][..k].iter_mut().enumerate() {
                    *out = beta[l] / sum;
                    v[l] = b[l] * beta[l];
                }
            }
        }
        Some(())
    }

    /// `log beta_t(i) = log sum_j exp(log A_ij + u_j)`, or 0 for the last row.
    fn log_beta(&self, is_last: bool, u: &[F], v: &mut [F], beta: &mut [F]) {
        let k = self.k;
        for (beta, log_a) in beta.iter_mut().zip(self.matrices.log_a.chunks_exact(k)) {
            *beta = if is_last { F::zero() } else { log_product(log_a, u, v) };
        }
    }

    /// The most probable path into `path`, and the log of its joint probability with the observations; of several, the one with the lowest
    /// last state, then the lowest state before it, and so on.
    pub(super) fn best(
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
        work.b.resize(block(k).min(n) * k);
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
            kernel::chain::arrows(k, &self.matrices.packed[2], b, delta, arrows);
        }
        path[n - 1] = argmax(work.v.iter().copied());
        kernel::chain::follow_arrows(&work.arrows, &mut path[..n]);
        offset + work.v[path[n - 1]].as_f64()
    }

    /// As [`best`](Self::best), with the rows of [`best_rows`](Self::best_rows) in `work.alpha`.
    pub(super) fn best_by_rows(
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

    /// `log pi + log b_0`.
    fn first_row(&self, b: &[F], delta: &mut [F]) {
        for ((delta, &p), &b) in delta.iter_mut().zip(self.initial).zip(b) {
            *delta = p.ln() + b;
        }
    }

    /// Fills all but the last state of `path` with the most probable way to the last.
    pub(super) fn follow(&self, delta: &[F], path: &mut [usize]) {
        kernel::chain::follow(self.k, &self.matrices.log_at, delta, path);
    }

    /// `delta_t(i) + log A_ij` for every state `i` and the state `j` after it.
    pub(super) fn ways<'w>(&'w self, delta: &'w [F], t: usize, j: usize) -> impl Iterator<Item = F> + 'w {
        let (k, into) = (self.k, &self.matrices.log_at);
        delta[t * k..(t + 1) * k].iter().zip(&into[j * k..(j + 1) * k]).map(|(&delta, &log_a)| delta + log_a)
    }

    /// Logs of the most probable way to each state of each row in `work.alpha`, up to an offset for each row; returns that of the last.
    pub(super) fn best_rows(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> f64 {
        let k = self.k;
        let n = self.n_rows(x);
        work.alpha.resize(n * k);
        work.b.resize(block(k).min(n) * k);
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
            kernel::chain::best(k, &self.matrices.packed[2], b, &mut work.alpha[from..end]);
        }
        offset
    }

    /// `log alpha_t(j) = log b_t(j) + log sum_i exp(log alpha_(t-1)(i) + log A_ij)`, all rows kept, the largest of each brought to 0: so that
    /// long sequences keep their digits.
    pub(super) fn forward_in_logs(&self, x: Observations<'_, E::Elem>, work: &mut Workspace<F>) -> f64 {
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
                        log_product(&self.matrices.log_at[j * k..][..k], &before[(t - 1) * k..], &mut work.v)
                    };
            }
            offset += lowered(row);
        }
        offset + log_sum_exp(&work.alpha[(n - 1) * k..]).as_f64()
    }

    /// As [`smooth`](Self::smooth), in logs, for the first `undone` rows and the steps from them.
    pub(super) fn smooth_in_logs(
        &self,
        x: Observations<'_, E::Elem>,
        undone: usize,
        work: &mut Workspace<F>,
        mut steps: Option<&mut Array2<f64>>,
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
                for (at, (step, &log_a)) in steps.iter_mut().zip(self.matrices.log_a.iter()).enumerate() {
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
}

/// `log sum_i exp(x_i + y_i)` over the `i` for which `x` is not the log of 0; `v` is room for as many.
pub(super) fn log_product<F: Float>(x: &[F], y: &[F], v: &mut [F]) -> F {
    let mut n = 0;
    for (&x, &y) in x.iter().zip(y).filter(|(x, _)| **x > F::neg_infinity()) {
        v[n] = x + y;
        n += 1;
    }
    log_sum_exp(&v[..n])
}

/// Brings the largest log of a row to 0, and returns what it was; a row may have any offset, as the best way is sought in one row at a time.
pub(super) fn lowered<F: Float>(row: &mut [F]) -> f64 {
    let top = row.iter().copied().fold(F::neg_infinity(), |top, v| if v > top { v } else { top });
    if top == F::neg_infinity() {
        return 0.0;
    }
    row.iter_mut().for_each(|delta| *delta -= top);
    top.as_f64()
}

/// The first index of the largest value.
pub(super) fn argmax<F: Float>(values: impl Iterator<Item = F>) -> usize {
    let start = (0, F::neg_infinity());
    values.enumerate().fold(start, |best, (i, v)| if v > best.1 { (i, v) } else { best }).0
}

fn lost<F: Float>() -> F {
    <F as kernel::chain::Real>::LOST
}
