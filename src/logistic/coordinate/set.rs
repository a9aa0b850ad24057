//! The columns of a working set, copied from sparse rows.
//!
//! Features join in batches, each with memory of its own, so that nothing is moved when more of them come. The rows are cut into pieces: a batch keeps
//! for each column where its pieces begin, and threads fill and read the pieces side by side.

use std::ops::Range;

use super::super::objective::Objective;
use super::super::rows::Rows;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::linear::logistic as kernel;
use crate::kernel::{expect_more, large_pages};
use crate::par;

/// Most pieces that the rows are cut into, and the fewest stored entries that make a piece worth a thread's while.
const MAX_PIECES: usize = 4;
const PIECE_ENTRIES: usize = 1 << 18;
/// Values in a line of the cache.
const LINE_ENTRIES: usize = 8;

/// Features in the order in which they joined, and their columns.
#[derive(Debug)]
pub(super) struct Set {
    features: Vec<usize>,
    member: Vec<bool>,
    n_rows: usize,
    pieces: usize,
    /// Stored entries of each feature of the records, for each piece.
    counts: Vec<Vec<u32>>,
    batches: Vec<Batch>,
    /// Batch of each column, and its number therein.
    places: Vec<(usize, usize)>,
}

/// Piece `p` of the batch's column `k` has `values[e]` in row `rows[e]` for `e` in `starts[i]..starts[i + 1]`, `i = k pieces + p`.
#[derive(Debug)]
struct Batch {
    starts: Vec<usize>,
    rows: Vec<u32>,
    values: Vec<f64>,
}

impl Set {
    /// Of no features yet.
    ///
    /// # Errors
    /// Where a value of the records is not finite or too large.
    pub(super) fn new<F: Float>(objective: &Objective<'_, F>) -> Result<Self> {
        let (n, d, stored) = (objective.rows.n(), objective.rows.d(), objective.rows.stored());
        let pieces = (stored / PIECE_ENTRIES).clamp(1, MAX_PIECES).min(n);
        let counts = par::map(pieces, |piece| {
            let (mut counts, mut checked) = (vec![0_u32; d], Ok(()));
            if let Rows::Sparse { starts, indices, values, .. } = objective.rows {
                for row in objective.chunk(piece, pieces) {
                    let entries = starts[row]..starts[row + 1];
                    let (indices, values) = (&indices[entries.clone()], &values[entries]);
                    expect_more(indices);
                    expect_more(values);
                    indices.iter().for_each(|&j| counts[j] += 1);
                    checked = checked.and_then(|()| objective.rows.check(kernel::largest(values)));
                }
            }
            checked.map(|()| counts)
        });
        Ok(Self {
            features: vec![],
            member: vec![false; d],
            n_rows: n,
            pieces,
            counts: counts.into_iter().collect::<Result<_>>()?,
            batches: vec![],
            places: vec![],
        })
    }

    pub(super) fn len(&self) -> usize {
        self.features.len()
    }

    /// The features in the order of their columns.
    pub(super) fn features(&self) -> &[usize] {
        &self.features
    }

    pub(super) fn has(&self, j: usize) -> bool {
        self.member[j]
    }

    /// Copies the columns of features that are not in the set yet.
    pub(super) fn add<F: Float>(&mut self, objective: &Objective<'_, F>, features: &[usize]) {
        let Rows::Sparse { starts, indices, values, .. } = objective.rows else { return };
        if features.is_empty() {
            return;
        }
        let pieces = self.pieces;
        // Which features join, and as which columns of the batch.
        let (mut wanted, mut place) = (vec![false; self.member.len()], vec![0_u32; self.member.len()]);
        let mut ends = vec![0];
        let mut end = 0;
        for (i, &j) in features.iter().enumerate() {
            (wanted[j], place[j]) = (true, i as u32);
            for counts in &self.counts {
                end += counts[j] as usize;
                ends.push(end);
            }
            self.features.push(j);
            self.places.push((self.batches.len(), i));
            self.member[j] = true;
        }
        let mut batch = Batch { starts: ends, rows: vec![0; end], values: vec![0.0; end] };
        large_pages(&mut batch.rows);
        large_pages(&mut batch.values);
        // What is still to be filled of each column, piece after piece.
        let mut parts: Vec<Vec<_>> = (0..pieces).map(|_| Vec::with_capacity(features.len())).collect();
        let (mut rows_left, mut values_left) = (&mut batch.rows[..], &mut batch.values[..]);
        for &j in features {
            for (part, counts) in parts.iter_mut().zip(&self.counts) {
                let (rows, values);
                (rows, rows_left) = rows_left.split_at_mut(counts[j] as usize);
                (values, values_left) = values_left.split_at_mut(counts[j] as usize);
                part.push(rows.iter_mut().zip(values));
            }
        }
        // Where few entries are wanted, a line of the values is seldom among them.
        let many = end > values.len() / LINE_ENTRIES;
        par::for_each(parts, |piece, mut columns| {
            for row in objective.chunk(piece, pieces) {
                let entries = starts[row]..starts[row + 1];
                expect_more(&indices[entries.clone()]);
                if many {
                    expect_more(&values[entries.clone()]);
                }
                for start in entries.clone().step_by(64) {
                    let indices = &indices[start..(start + 64).min(entries.end)];
                    // First which entries are wanted, without a branch for each, then these.
                    let bit = |(l, &j): (usize, &usize)| u64::from(wanted[j]) << l;
                    let mut found = indices.iter().enumerate().map(bit).fold(0, |found, bit| found | bit);
                    while found != 0 {
                        let l = found.trailing_zeros() as usize;
                        found &= found - 1;
                        let next = columns[place[indices[l]] as usize].next();
                        let (to_row, to_value) = next.expect("room for every entry that was counted");
                        (*to_row, *to_value) = (row as u32, values[start + l].as_f64());
                    }
                }
            }
        });
        self.batches.push(batch);
    }

    /// Rows and values of column `k`.
    pub(super) fn column(&self, k: usize) -> (&[u32], &[f64]) {
        self.entries(k, 0..self.pieces)
    }

    /// Rows and values of some pieces of column `k`.
    fn entries(&self, k: usize, pieces: Range<usize>) -> (&[u32], &[f64]) {
        let (batch, k) = self.places[k];
        let Batch { starts, rows, values } = &self.batches[batch];
        let entries = starts[k * self.pieces + pieces.start]..starts[k * self.pieces + pieces.end];
        (&rows[entries.clone()], &values[entries])
    }

    /// Adds `X w` and the intercepts to `z`, `(n, lanes)`; `w` has those of one logit after the other, its intercept last.
    pub(super) fn add_margins(&self, w: &[f64], lanes: usize, z: &mut [f64]) {
        let k = self.len() + 1;
        let first = |piece: usize| piece * self.n_rows / self.pieces;
        let mut parts = Vec::with_capacity(self.pieces);
        let mut left = z;
        for piece in 0..self.pieces {
            let part;
            (part, left) = left.split_at_mut((first(piece + 1) - first(piece)) * lanes);
            parts.push(part);
        }
        par::for_each(parts, |piece, z| {
            let first = first(piece);
            for (c, w) in w.chunks_exact(k).enumerate() {
                if w[k - 1] != 0.0 {
                    z.iter_mut().skip(c).step_by(lanes).for_each(|z| *z += w[k - 1]);
                }
                for (j, &w) in w[..k - 1].iter().enumerate().filter(|entry| *entry.1 != 0.0) {
                    let (rows, values) = self.entries(j, piece..piece + 1);
                    for (&i, x) in rows.iter().zip(values) {
                        z[(i as usize - first) * lanes + c] += w * x;
                    }
                }
            }
        });
    }
}
