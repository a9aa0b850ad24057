//! The objective of logistic regression, its gradient and its Hessian, over chunks of rows.
//!
//! ```text
//! F(W, b) = sum_i s_i (log sum_c exp(z_ic) - z_{i y_i}) + l2 / 2 ||W||^2,     z_ic = x_i w_c + b_c + offset_ic
//! gradient: X^T R + l2 W,  R_ic = s_i (p_ic - [y_i = c]);     Hessian block (a, b): X^T diag(s_i p_ia ([a = b] - p_ib)) X + [a = b] l2 I
//! ```
//! Two classes have one logit, that of the last class, beside a fixed 0. Parameters `v` are `(d + 1, lanes)`: row `j` holds the weights of
//! feature `j` in every logit, the last row the intercepts; entries beyond the logits are 0 and stay 0.

use std::ops::Range;

use super::curvature::Blocks;
use super::rows::Rows;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::linear::gram::{gram, padded};
use crate::kernel::linear::logistic::{self as kernel, Losses};
use crate::par;

/// Everything that is given: rows, classes, weights, offsets and the L2 penalty.
#[derive(Debug, Clone, Copy)]
pub(super) struct Objective<'a, F> {
    pub(super) rows: Rows<'a, F>,
    /// Class of each row, as a column.
    pub(super) target: &'a [u32],
    pub(super) weight: &'a [f64],
    /// `(n, m)`, or empty for none.
    pub(super) offset: &'a [f64],
    /// Whether the first class has no logit of its own: it is 0 then.
    pub(super) reference: bool,
    /// Logits.
    pub(super) m: usize,
    pub(super) l2: f64,
    pub(super) intercept: bool,
}

/// Buffers of the passes, one set for each chunk.
#[derive(Debug)]
pub(super) struct Workspace {
    parts: Vec<Part>,
    /// Whether the next pass looks at the size of every value: the first one does.
    look: bool,
}

#[derive(Debug)]
struct Part {
    gradient: Vec<f64>,
    /// `(m, block)`: margins, then probabilities.
    z: Vec<f64>,
    /// `(block, lanes)`: derivatives by the margins.
    r: Vec<f64>,
    /// A number for each row of the block, twice: see [`Objective::residuals`].
    top: Vec<f64>,
    sum: Vec<f64>,
    losses: Losses,
    /// Largest absolute value of the records, or NaN, where that was asked for.
    largest: f64,
    /// `(k, k)` with `k = padded(d + 1)`, and rows of a block with a 1 behind each; empty until a pass wants the Hessian.
    hessian: Vec<f64>,
    packed: Vec<f64>,
}

/// Most chunks that rows are cut into, and the fewest stored entries, each once for every logit, that make a chunk worth its overhead.
const MAX_CHUNKS: usize = 32;
const CHUNK_ENTRIES: usize = 1 << 15;
/// Loss below which a row's true class is nearly certain, and `1 - p` has lost digits.
const SURE: f64 = 1e-4;
/// A logit that is lower by so much than the row's greatest has a probability, `e^-100`, that no value of a record makes count.
const RULED_OUT: f64 = 100.0;
/// Largest order of a Hessian that is summed in the same pass as the gradient: all of it stays in the nearer caches.
const FUSED_ORDER: usize = 128;

impl<'a, F: Float> Objective<'a, F> {
    pub(super) fn lanes(&self) -> usize {
        kernel::lanes(self.m)
    }

    /// Length of the parameter vector, padding included.
    pub(super) fn len(&self) -> usize {
        (self.rows.d() + 1) * self.lanes()
    }

    /// Number of parameters.
    pub(super) fn order(&self) -> usize {
        (self.rows.d() + 1) * self.m
    }

    /// Number of chunks whose results, `size` numbers each, together stay small beside the records.
    pub(super) fn n_chunks(&self, size: usize) -> usize {
        let stored = self.rows.stored();
        let worthwhile = stored.saturating_mul(self.m) / CHUNK_ENTRIES;
        worthwhile.min(stored / (4 * size)).clamp(1, MAX_CHUNKS).min(self.rows.n().max(1))
    }

    pub(super) fn chunk(&self, i: usize, n_chunks: usize) -> Range<usize> {
        let n = self.rows.n();
        i * n / n_chunks..(i + 1) * n / n_chunks
    }

    pub(super) fn workspace(&self) -> Workspace {
        let (block, m, lanes) = (self.rows.block(), self.m, self.lanes());
        let part = || Part {
            gradient: vec![0.0; self.len()],
            z: vec![0.0; m * block],
            r: vec![0.0; lanes * block],
            top: vec![0.0; block],
            sum: vec![0.0; block],
            losses: Losses::default(),
            largest: 0.0,
            hessian: vec![],
            packed: vec![],
        };
        // The gradients are added up after every pass: chunks that are thrice as large as they need be leave little of that.
        let n_chunks = self.n_chunks(3 * self.len());
        Workspace { parts: (0..n_chunks).map(|_| part()).collect(), look: true }
    }

    /// Whether the Hessian comes out of the same pass as the gradient.
    fn fuses(&self) -> bool {
        self.m == 1 && self.order() <= FUSED_ORDER
    }

    /// [`evaluate`](Self::evaluate) together with the [`hessian`](Self::hessian) of all logits.
    pub(super) fn evaluate_curved(
        &self,
        v: &[f64],
        gradient: &mut [f64],
        hessian: &mut Vec<f64>,
        workspace: &mut Workspace,
    ) -> Losses {
        if !self.fuses() {
            let losses = self.evaluate(v, gradient, workspace);
            *hessian = self.hessian(v, Blocks::All);
            return losses;
        }
        let (order, k) = (self.order(), padded(self.order()));
        for part in &mut workspace.parts {
            part.hessian.resize(k * k, 0.0);
            part.packed.resize(self.rows.block() * k, 0.0);
        }
        let losses = self.evaluate_parts(v, gradient, workspace, true);
        hessian.clear();
        hessian.resize(order * order, 0.0);
        for part in &workspace.parts {
            for (h, p) in hessian.chunks_exact_mut(order).zip(part.hessian.chunks_exact(k)) {
                h.iter_mut().zip(p).for_each(|(h, p)| *h += p);
            }
        }
        self.penalise(hessian, order, Blocks::All);
        losses
    }

    /// Value at `v` and largest loss of a row; the gradient goes to `gradient`.
    pub(super) fn evaluate(&self, v: &[f64], gradient: &mut [f64], workspace: &mut Workspace) -> Losses {
        self.evaluate_parts(v, gradient, workspace, false)
    }

    /// Errors where the first pass met a value of the records that is not finite or too large.
    pub(super) fn check_records(&self, workspace: &Workspace) -> Result<()> {
        workspace.parts.iter().try_for_each(|part| self.rows.check(part.largest))
    }

    /// Gradient of the losses of rows `range` alone, without the penalty.
    pub(super) fn gradient_of<'w>(
        &self,
        range: Range<usize>,
        v: &[f64],
        workspace: &'w mut Workspace,
    ) -> &'w [f64] {
        let part = &mut workspace.parts[0];
        self.pass(range, v, part, false, false);
        if !self.intercept {
            let weights = part.gradient.len() - self.lanes();
            part.gradient[weights..].fill(0.0);
        }
        &part.gradient
    }

    fn evaluate_parts(
        &self,
        v: &[f64],
        gradient: &mut [f64],
        workspace: &mut Workspace,
        curved: bool,
    ) -> Losses {
        let n_chunks = workspace.parts.len();
        let look = std::mem::take(&mut workspace.look);
        par::for_each(workspace.parts.iter_mut().collect(), |i, part| {
            self.pass(self.chunk(i, n_chunks), v, part, look, curved);
        });
        gradient.fill(0.0);
        let mut total = Losses::default();
        for part in &workspace.parts {
            total.merge(part.losses);
            for (g, p) in gradient.iter_mut().zip(&part.gradient) {
                *g += p;
            }
        }
        let weights = self.len() - self.lanes();
        if self.l2 > 0.0 {
            let mut square = 0.0;
            for (g, w) in gradient[..weights].iter_mut().zip(&v[..weights]) {
                *g += self.l2 * w;
                square += w * w;
            }
            total.sum += 0.5 * self.l2 * square;
        }
        if !self.intercept {
            gradient[weights..].fill(0.0);
        }
        total
    }

    /// Margins of rows `range`, `(m, rows)`.
    pub(super) fn margins(&self, range: Range<usize>, v: &[f64], z: &mut [f64]) {
        let n = range.len();
        let intercepts = &v[v.len() - self.lanes()..];
        for (c, z) in z.chunks_exact_mut(n).enumerate().take(self.m) {
            z.fill(intercepts[c]);
            if !self.offset.is_empty() {
                for (z, i) in z.iter_mut().zip(range.clone()) {
                    *z += self.offset[i * self.m + c];
                }
            }
        }
        self.rows.margins(range, self.m, v, z);
    }

    /// Losses and gradient of the rows `range`, block after block: each block's rows are still in the cache for their second use.
    ///
    /// Where it is to `look`, the largest value too, and where the objective is wanted `curved`, the Hessian.
    fn pass(&self, range: Range<usize>, v: &[f64], part: &mut Part, look: bool, curved: bool) {
        let (block, m, lanes) = (self.rows.block(), self.m, self.lanes());
        let Part { gradient, z, r, top, sum, losses, largest, hessian, packed } = part;
        gradient.fill(0.0);
        hessian.fill(0.0);
        *losses = Losses::default();
        let k = padded(self.rows.d() + 1);
        let weights = gradient.len() - lanes;
        let mut start = range.start;
        while start < range.end {
            let rows = start..(start + block).min(range.end);
            let n = rows.len();
            let (z, r) = (&mut z[..m * n], &mut r[..lanes * n]);
            self.margins(rows.clone(), v, z);
            losses.merge(self.residuals(rows.clone(), z, r, top, sum));
            self.rows.gradient(rows.clone(), m, r, &mut gradient[..weights]);
            if look {
                // Every block counts, and NaN wins.
                let size = self.rows.largest(rows.clone());
                *largest = if size > *largest || size.is_nan() { size } else { *largest };
            }
            if curved {
                let packed = &mut packed[..n * k];
                self.rows.widen(rows.clone(), None, packed);
                gram(packed, &sum[..n], k, hessian);
            }
            add_rows(r, &mut gradient[weights..]);
            start = rows.end;
        }
    }

    /// Losses of the rows, and their derivatives `r` by the margins `z`.
    ///
    /// One margin's second derivatives go to `sum`; several margins become probabilities, `top` and `sum` what [`kernel::softmax`] says.
    pub(super) fn residuals(
        &self,
        rows: Range<usize>,
        z: &mut [f64],
        r: &mut [f64],
        top: &mut [f64],
        sum: &mut [f64],
    ) -> Losses {
        let (target, weight) = (&self.target[rows.clone()], &self.weight[rows]);
        if self.m == 1 {
            return kernel::binary(z, target, weight, r, top, sum);
        }
        self.softmax_residuals(z, target, weight, r, top, sum)
    }

    /// Gradient of the losses whose derivatives by the margins are `r`, `(n, lanes)`.
    pub(super) fn gradient_of_residuals(&self, r: &[f64], gradient: &mut [f64], workspace: &mut Workspace) {
        let (m, lanes, n_chunks) = (self.m, self.lanes(), workspace.parts.len());
        let weights = self.len() - lanes;
        par::for_each(workspace.parts.iter_mut().collect(), |i, part| {
            let rows = self.chunk(i, n_chunks);
            let r = &r[rows.start * lanes..rows.end * lanes];
            part.gradient.fill(0.0);
            self.rows.gradient(rows, m, r, &mut part.gradient[..weights]);
            add_rows(r, &mut part.gradient[weights..]);
        });
        gradient.fill(0.0);
        for part in &workspace.parts {
            gradient.iter_mut().zip(&part.gradient).for_each(|(g, p)| *g += p);
        }
        if !self.intercept {
            gradient[weights..].fill(0.0);
        }
    }

    /// Probability of all classes but that of logit `column`, or but the reference class, in row `i` of `n`: a sum of small numbers. `top` and `sum` are
    /// the row's, of [`kernel::softmax`].
    pub(super) fn others(
        &self,
        column: Option<usize>,
        p: &[f64],
        n: usize,
        i: usize,
        (top, sum): (f64, f64),
    ) -> f64 {
        let reference = if self.reference && column.is_some() { (-top).exp() / sum } else { 0.0 };
        (0..self.m).filter(|&c| Some(c) != column).map(|c| p[c * n + i]).sum::<f64>() + reference
    }

    /// Loss `log sum exp - z_y` and residual `p - [y = c]` of several logits; the margins become probabilities.
    fn softmax_residuals(
        &self,
        z: &mut [f64],
        target: &[u32],
        weight: &[f64],
        r: &mut [f64],
        top: &mut [f64],
        sum: &mut [f64],
    ) -> Losses {
        let n = target.len();
        let lanes = self.lanes();
        let mut losses = Losses::default();
        // The column of the true class; a reference class has none.
        let column = |y: u32| (y as usize).checked_sub(usize::from(self.reference));
        // `r` is filled after this: until then it holds the true class's margins.
        for (i, &y) in target.iter().enumerate() {
            r[i] = column(y).map_or(0.0, |c| z[c * n + i]);
        }
        kernel::softmax(z, n, self.reference, top, sum);
        let others = |i: usize, column, p: &[f64]| self.others(column, p, n, i, (top[i], sum[i]));
        for i in 0..n {
            let mut loss = (top[i] - r[i]) + sum[i].ln();
            if loss < SURE {
                // The other classes' probabilities have the digits that the sum of all has lost.
                loss = -(-others(i, column(target[i]), z)).ln_1p();
            }
            losses.sum += weight[i] * loss;
            losses.worst = losses.worst.max(loss);
        }
        r.fill(0.0);
        for (c, p) in z.chunks_exact(n).enumerate() {
            for i in 0..n {
                r[i * lanes + c] = weight[i] * p[i];
                losses.curvature += weight[i] * p[i] * (1.0 - p[i]);
            }
        }
        for (i, &y) in target.iter().enumerate() {
            if let Some(c) = column(y) {
                let p = z[c * n + i];
                let all_but_this = p > 1.0 - SURE;
                r[i * lanes + c] = -weight[i] * if all_but_this { others(i, Some(c), z) } else { 1.0 - p };
            }
        }
        losses
    }

    /// Probabilities of the logits for rows `range`, `(m, rows)`.
    pub(super) fn probabilities(&self, range: Range<usize>, v: &[f64], z: &mut [f64]) {
        let n = range.len();
        self.margins(range, v, z);
        self.softmax(n, z);
    }

    /// Replaces the margins of `n` rows by probabilities.
    fn softmax(&self, n: usize, z: &mut [f64]) {
        let (mut top, mut sum) = (vec![0.0; n], vec![0.0; n]);
        kernel::softmax(z, n, self.reference, &mut top, &mut sum);
    }

    /// Whether the step `d` from `v` moves two logits of some row against one another by more than `most`, and neither is one that is ruled out.
    ///
    /// The curvature along a longer step is another than at `v`. The largest value of the records, known from the first pass, bounds what a short step
    /// can do without a look at the rows.
    pub(super) fn is_moved(&self, v: &[f64], d: &[f64], most: f64, workspace: &Workspace) -> bool {
        let largest = workspace.parts.iter().fold(0.0_f64, |a, part| a.max(part.largest));
        let (weights, intercepts) = d.split_at(d.len() - self.lanes());
        let size = |d: &[f64]| d.iter().map(|d| d.abs()).sum::<f64>();
        if size(weights) * largest + size(intercepts) <= most {
            return false;
        }
        let (m, block, n_chunks) = (self.m, self.rows.block(), self.n_chunks(1));
        let fixed = (self.reference || m == 1).then_some((0.0, 0.0));
        let parts = par::map(n_chunks, |i| {
            let (mut z, mut dz) = (vec![0.0; m * block], vec![0.0; m * block]);
            let chunk = self.chunk(i, n_chunks);
            chunk.clone().step_by(block).any(|start| {
                let rows = start..(start + block).min(chunk.end);
                let n = rows.len();
                let (z, dz) = (&mut z[..m * n], &mut dz[..m * n]);
                for (dz, intercept) in dz.chunks_exact_mut(n).zip(intercepts) {
                    dz.fill(*intercept);
                }
                self.rows.margins(rows.clone(), m, d, dz);
                if dz.iter().all(|dz| 2.0 * dz.abs() <= most) {
                    return false;
                }
                self.margins(rows, v, z);
                (0..n).any(|row| {
                    let logits = || (row..m * n).step_by(n).map(|i| (z[i], dz[i])).chain(fixed);
                    let top = logits().fold(f64::NEG_INFINITY, |top, (z, _)| top.max(z));
                    let moves = logits().filter(|(z, _)| top - z <= RULED_OUT).map(|(_, dz)| dz);
                    let (low, high) = moves.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), dz| {
                        (low.min(dz), high.max(dz))
                    });
                    high - low > most
                })
            })
        });
        parts.contains(&true)
    }

    /// `sum_i s_i KL(q_i || p_i)` with `q = (1 - c) e_y + c p`: what shrinking the residuals by `c` costs the dual objective.
    ///
    /// `margins` writes those of some rows, `(m, rows)`.
    pub(super) fn divergence(&self, margins: impl Fn(Range<usize>, &mut [f64]) + Sync + Send, c: f64) -> f64 {
        let n_chunks = self.n_chunks(1);
        let parts = par::map(n_chunks, |i| {
            let block = self.rows.block();
            let mut p = vec![0.0; self.m * block];
            let mut sum = 0.0;
            let chunk = self.chunk(i, n_chunks);
            for start in chunk.clone().step_by(block) {
                let rows = start..(start + block).min(chunk.end);
                let n = rows.len();
                let p = &mut p[..self.m * n];
                margins(rows.clone(), p);
                self.softmax(n, p);
                for (i, row) in rows.enumerate() {
                    let column = (self.target[row] as usize).checked_sub(usize::from(self.reference));
                    let others: f64 = match column {
                        // 1 - p_y as the sum of the others, which keeps its digits where p_y is near 1.
                        Some(y) if !self.reference => {
                            (0..self.m).filter(|&c| c != y).map(|c| p[c * n + i]).sum()
                        }
                        Some(y) => 1.0 - p[y * n + i],
                        None => (0..self.m).map(|c| p[c * n + i]).sum(),
                    };
                    let p_y = (1.0 - others).max(f64::MIN_POSITIVE);
                    let q_y = 1.0 - c * others;
                    sum += self.weight[row] * (c * others * c.ln() + q_y * (q_y / p_y).ln());
                }
            }
            sum
        });
        parts.into_iter().sum()
    }
}

/// Adds the rows of `r` to `sums`; a single column by eight sums, so that no addition waits for the last one.
fn add_rows(r: &[f64], sums: &mut [f64]) {
    if let [sum] = sums {
        let mut parts = [0.0; 8];
        let (eights, rest) = r.as_chunks::<8>();
        for eight in eights {
            parts.iter_mut().zip(eight).for_each(|(part, r)| *part += r);
        }
        *sum += parts.iter().sum::<f64>() + rest.iter().sum::<f64>();
        return;
    }
    for r in r.chunks_exact(sums.len()) {
        sums.iter_mut().zip(r).for_each(|(sum, r)| *sum += r);
    }
}
