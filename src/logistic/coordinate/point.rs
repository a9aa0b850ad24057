//! Where coordinate descent over columns stands.

use super::super::objective::Objective;
use crate::float::Float;
use crate::par;

/// Rows that one thread evaluates at a time, and rows of a block within.
const PIECE: usize = 4096;
const BLOCK: usize = 256;

/// Margins, and what the losses are there: each `(n, lanes)`.
#[derive(Debug, Default)]
pub(super) struct Point {
    pub(super) margins: Vec<f64>,
    /// First derivatives by the margins.
    pub(super) r: Vec<f64>,
    /// Second derivatives by each margin.
    pub(super) h: Vec<f64>,
    /// Probabilities; empty with one logit, where `h` says everything.
    pub(super) p: Vec<f64>,
    pub(super) losses: f64,
}

impl Point {
    pub(super) fn new(n: usize, m: usize, lanes: usize) -> Self {
        let size = n * lanes;
        let p = vec![0.0; if m == 1 { 0 } else { size }];
        Self { margins: vec![0.0; size], r: vec![0.0; size], h: vec![0.0; size], p, losses: 0.0 }
    }

    /// Losses and derivatives at the margins.
    pub(super) fn evaluate<F: Float>(&mut self, objective: &Objective<'_, F>) {
        let (n, m, lanes) = (objective.rows.n(), objective.m, objective.lanes());
        let size = PIECE * lanes;
        let mut sums = vec![0.0; n.div_ceil(PIECE)];
        // An empty chunk for each piece where there are no probabilities.
        let mut p = self.p.chunks_mut(size);
        let pieces: Vec<_> = (self.margins.chunks(size))
            .zip(self.r.chunks_mut(size))
            .zip(self.h.chunks_mut(size))
            .zip(&mut sums)
            .map(|(((margins, r), h), sum)| (margins, r, h, p.next().unwrap_or_default(), sum))
            .collect();
        par::for_each(pieces, |piece, (margins, r, h, p, sum)| {
            let (mut z, mut top, mut total) = (vec![0.0; m * BLOCK], [0.0; BLOCK], [0.0; BLOCK]);
            for start in (0..margins.len() / lanes).step_by(BLOCK) {
                let end = (start + BLOCK).min(margins.len() / lanes);
                let (size, entries) = (end - start, start * lanes..end * lanes);
                let z = &mut z[..m * size];
                for (i, margins) in margins[entries.clone()].chunks_exact(lanes).enumerate() {
                    (0..m).for_each(|c| z[c * size + i] = margins[c]);
                }
                let rows = piece * PIECE + start..piece * PIECE + end;
                let (r, h) = (&mut r[entries.clone()], &mut h[entries.clone()]);
                let (top, total) = (&mut top[..size], &mut total[..size]);
                *sum += objective.residuals(rows.clone(), z, r, top, total).sum;
                if m == 1 {
                    h.copy_from_slice(total);
                    continue;
                }
                let weight = &objective.weight[rows];
                let p = &mut p[entries];
                for (i, s) in weight.iter().enumerate() {
                    for c in 0..m {
                        p[i * lanes + c] = z[c * size + i];
                        h[i * lanes + c] = s * z[c * size + i] * (1.0 - z[c * size + i]);
                    }
                }
            }
        });
        self.losses = sums.iter().sum();
    }
}
