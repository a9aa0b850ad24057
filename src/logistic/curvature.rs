//! Second derivatives of the objective: its Hessian, or the diagonal of it.

use std::ops::Range;

use super::objective::Objective;
use crate::float::Float;
use crate::kernel::linear::gram::{gram, padded};
use crate::kernel::linear::logistic as kernel;
use crate::par;

/// Rows that a Hessian takes at a time.
const GRAM_ROWS: usize = 256;
/// Blocks of a Hessian that one pass over the rows sums: enough that the probabilities cost little beside them.
const GROUP_PAIRS: usize = 8;

/// Which blocks of the Hessian are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blocks {
    /// Every pair of logits: one matrix of order `m (d + 1)`.
    All,
    /// Each logit with itself: `m` matrices of order `d + 1`, one below the other.
    Diagonal,
}

impl<F: Float> Objective<'_, F> {
    /// The Hessian at `v`, upper triangles of its blocks at least; parameter `(c, j)` of logit `c` stands at `c (d + 1) + j`.
    pub(super) fn hessian(&self, v: &[f64], blocks: Blocks) -> Vec<f64> {
        self.hessian_in(None, v, blocks, 0.0)
    }

    /// The same with probabilities below `least` taken for 0.
    pub(super) fn hessian_without(&self, v: &[f64], blocks: Blocks, least: f64) -> Vec<f64> {
        self.hessian_in(None, v, blocks, least)
    }

    /// The rows and columns of the Hessian that belong to some features, sorted, and to the intercepts; `d` is the number of these features then.
    pub(super) fn hessian_of(&self, features: &[usize], v: &[f64], blocks: Blocks) -> Vec<f64> {
        self.hessian_in(Some(features), v, blocks, 0.0)
    }

    fn hessian_in(&self, features: Option<&[usize]>, v: &[f64], blocks: Blocks, least: f64) -> Vec<f64> {
        let (order, m) = (features.map_or(self.rows.d(), <[usize]>::len) + 1, self.m);
        let k = padded(order);
        // Blocks on and above the diagonal, each `(k, k)`.
        let pairs: Vec<(usize, usize)> = match blocks {
            Blocks::All => (0..m).flat_map(|a| (a..m).map(move |b| (a, b))).collect(),
            Blocks::Diagonal => (0..m).map(|a| (a, a)).collect(),
        };
        // Where all probabilities are the same `p`, a block is the first one, with `-p p` for `p (1 - p)` beside the diagonal.
        let alike = self.offset.is_empty() && v.iter().all(|&v| v == 0.0);
        let beside = -1.0 / (m + usize::from(self.reference) - 1) as f64;
        let summed = if alike { &pairs[..1] } else { &pairs[..] };
        // Large blocks leave room for few chunks of rows; then threads share the blocks.
        let n_chunks = self.n_chunks(summed.len() * k * k);
        let groups: Vec<&[(usize, usize)]> = summed.chunks(GROUP_PAIRS).collect();
        let parts = par::map(n_chunks * groups.len(), |i| {
            let pairs = groups[i % groups.len()];
            self.curvatures(self.chunk(i / groups.len(), n_chunks), features, v, pairs, least)
        });
        let mut sums = vec![0.0; summed.len() * k * k];
        for chunk in parts.chunks_exact(groups.len()) {
            sums.iter_mut().zip(chunk.iter().flatten()).for_each(|(sum, p)| *sum += p);
        }
        let width = if blocks == Blocks::All { m * order } else { order };
        let mut hessian = vec![0.0; m * order * width];
        for (&(a, b), sums) in pairs.iter().zip(sums.chunks_exact(k * k).cycle()) {
            let factor = if alike && a != b { beside } else { 1.0 };
            let column = if blocks == Blocks::All { b * order } else { 0 };
            for i in 0..order {
                for j in i..order {
                    let sum = factor * sums[i * k + j];
                    hessian[(a * order + i) * width + column + j] = sum;
                    // A block beside the diagonal is symmetric too.
                    hessian[(a * order + j) * width + column + i] = sum;
                }
            }
        }
        self.penalise(&mut hessian, order, blocks);
        hessian
    }

    /// Adds the penalty to a Hessian with `k` parameters of each logit; without intercepts their rows and columns become 0.
    pub(super) fn penalise(&self, hessian: &mut [f64], k: usize, blocks: Blocks) {
        let m = self.m;
        let width = if blocks == Blocks::All { m * k } else { k };
        for c in 0..m {
            for j in 0..k {
                let row = &mut hessian[(c * k + j) * width..(c * k + j + 1) * width];
                let diagonal = if blocks == Blocks::All { c * k + j } else { j };
                if j < k - 1 {
                    row[diagonal] += self.l2;
                } else if !self.intercept {
                    row.fill(0.0);
                }
            }
        }
        if !self.intercept {
            for row in hessian.chunks_exact_mut(width) {
                row.iter_mut().skip(k - 1).step_by(k).for_each(|h| *h = 0.0);
            }
        }
    }

    /// `sum_i h_i x_i x_i^T` over the rows `range` for each pair of logits, upper triangles of `(k, k)`; `x` has all features or those given.
    fn curvatures(
        &self,
        range: Range<usize>,
        features: Option<&[usize]>,
        v: &[f64],
        pairs: &[(usize, usize)],
        least: f64,
    ) -> Vec<f64> {
        let k = padded(features.map_or(self.rows.d(), <[usize]>::len) + 1);
        let mut out = vec![0.0; pairs.len() * k * k];
        let mut x = vec![0.0; GRAM_ROWS * k];
        let mut h = vec![0.0; GRAM_ROWS];
        let mut p = vec![0.0; GRAM_ROWS * self.m];
        let (mut top, mut sum) = (vec![0.0; GRAM_ROWS], vec![0.0; GRAM_ROWS]);
        for start in range.clone().step_by(GRAM_ROWS) {
            let rows = start..(start + GRAM_ROWS).min(range.end);
            let n = rows.len();
            let (x, h, p) = (&mut x[..n * k], &mut h[..n], &mut p[..n * self.m]);
            self.rows.widen(rows.clone(), features, x);
            self.margins(rows, v, p);
            kernel::softmax(p, n, self.reference, &mut top[..n], &mut sum[..n]);
            if least > 0.0 {
                self.rule_out(p, n, least);
            }
            for (&(a, b), out) in pairs.iter().zip(out.chunks_exact_mut(k * k)) {
                for i in 0..n {
                    let p_a = p[a * n + i];
                    let q = if a != b {
                        -p[b * n + i]
                    } else if p_a > 0.5 && least == 0.0 {
                        // The blocks of a row sum to 0 to the last digit, where a class is nearly certain too.
                        self.others(Some(a), p, n, i, (top[i], sum[i]))
                    } else {
                        1.0 - p_a
                    };
                    h[i] = self.weight[start + i] * p_a * q;
                }
                gram(x, h, k, out);
            }
        }
        out
    }

    /// Sets the probabilities of `n` rows, `(m, n)`, that are below `least` to 0 and lets the others sum to 1.
    fn rule_out(&self, p: &mut [f64], n: usize, least: f64) {
        for i in 0..n {
            let row = || (i..self.m * n).step_by(n);
            let reference = if self.reference { 1.0 - row().map(|at| p[at]).sum::<f64>() } else { 0.0 };
            let kept = |p: f64| if p < least { 0.0 } else { p };
            let sum = kept(reference) + row().map(|at| kept(p[at])).sum::<f64>();
            row().for_each(|at| p[at] = kept(p[at]) / sum);
        }
    }

    /// Whether some row has a class whose probability is below `least`.
    pub(super) fn has_small_probabilities(&self, v: &[f64], least: f64) -> bool {
        let n_chunks = self.n_chunks(1);
        let found = par::map(n_chunks, |i| {
            let (chunk, block) = (self.chunk(i, n_chunks), self.rows.block());
            let mut p = vec![0.0; block * self.m];
            chunk.clone().step_by(block).any(|start| {
                let rows = start..(start + block).min(chunk.end);
                let n = rows.len();
                let p = &mut p[..n * self.m];
                self.probabilities(rows, v, p);
                let reference = |i: usize| 1.0 - (i..p.len()).step_by(n).map(|at| p[at]).sum::<f64>();
                p.iter().any(|&p| p < least) || (self.reference && (0..n).any(|i| reference(i) < least))
            })
        });
        found.contains(&true)
    }

    /// [`diagonal`](Self::diagonal) of the losses about the means, where there is an intercept that takes these up.
    pub(super) fn centred_diagonal(&self, v: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (d, lanes) = (self.rows.d(), self.lanes());
        let (mut diagonal, mut mean) = self.diagonal(v);
        if !self.intercept {
            mean.fill(0.0);
            return (diagonal, mean);
        }
        // sum h (x - mean)^2 = sum h x^2 - (sum h) mean^2; at least a thousandth of the former, against cancellation.
        for i in 0..d * lanes {
            let spread = diagonal[i] - diagonal[d * lanes + i % lanes] * mean[i] * mean[i];
            diagonal[i] = spread.max(1e-3 * diagonal[i]);
        }
        (diagonal, mean)
    }

    /// Diagonal of the losses' Hessian and, for each logit, the weighted mean of each feature: both in the layout of `v`.
    ///
    /// Of many dense rows every eighth block is taken for all: a preconditioner asks for no more.
    fn diagonal(&self, v: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let (d, m, lanes) = (self.rows.d(), self.m, self.lanes());
        let n_chunks = self.n_chunks(2 * self.len());
        let step = if self.rows.is_dense() && self.rows.n() >= 4096 { 8 } else { 1 };
        let mut parts = par::map(n_chunks, |i| {
            let (mut squares, mut sums) = (vec![0.0; self.len()], vec![0.0; self.len()]);
            let block = self.rows.block();
            let mut p = vec![0.0; block * m];
            let mut h = vec![0.0; block * lanes];
            let chunk = self.chunk(i, n_chunks);
            for start in chunk.clone().step_by(step * block) {
                let rows = start..(start + block).min(chunk.end);
                let n = rows.len();
                let p = &mut p[..n * m];
                self.probabilities(rows.clone(), v, p);
                for (c, p) in p.chunks_exact(n).enumerate() {
                    for (k, (p, i)) in p.iter().zip(rows.clone()).enumerate() {
                        h[k * lanes + c] = self.weight[i] * p * (1.0 - p);
                        squares[d * lanes + c] += h[k * lanes + c];
                    }
                }
                let h = &h[..n * lanes];
                self.rows.gradient(rows.clone(), m, h, &mut sums[..d * lanes]);
                self.rows.add_squares(rows, m, h, &mut squares[..d * lanes]);
            }
            (squares, sums)
        })
        .into_iter();
        let (mut squares, mut sums) = parts.next().expect("at least one chunk");
        for (a, b) in parts {
            squares.iter_mut().zip(a).for_each(|(s, a)| *s += a);
            sums.iter_mut().zip(b).for_each(|(s, b)| *s += b);
        }
        let total = squares[d * lanes..].to_vec();
        squares[d * lanes..].iter_mut().for_each(|total| *total *= step as f64);
        for (i, (square, sum)) in squares[..d * lanes].iter_mut().zip(&mut sums).enumerate() {
            *sum = if total[i % lanes] > 0.0 { *sum / total[i % lanes] } else { 0.0 };
            *square *= step as f64;
        }
        (squares, sums)
    }
}
