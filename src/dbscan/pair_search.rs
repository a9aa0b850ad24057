//! DBSCAN over pairs of neighbours that someone else finds: graphs, and distances that no tree serves.
//!
//! Every pair is met once, in any order, and none is stored for long. A point is known to be a core point as soon as it has met enough neighbours; two
//! such points are connected when they meet. Until a point is known to be one, it keeps the neighbours that it meets, which are fewer than
//! `min_samples`: in the end they are what it still has to be connected with, or, for a border point, all the neighbours that it has.

use super::clusters::Found;
use super::union_find::UnionFind;
use super::weights::Weights;
use crate::error::Result;

/// `min_samples` up to which neighbours are kept; above, and with weights, the pairs are met three times.
const KEPT: usize = 64;

/// No entry follows.
const END: u32 = u32::MAX;

/// Clusters `n` rows; `each_pair(visit)` calls `visit(i, j)` once for every pair `i != j` of neighbours, on every call the same pairs.
pub(super) fn cluster(
    n: usize,
    min_samples: usize,
    weights: Option<&Weights>,
    mut each_pair: impl FnMut(&mut dyn FnMut(usize, usize)) -> Result<()>,
) -> Result<Found> {
    let sets = UnionFind::new(n as u32);
    if weights.is_none() && min_samples <= KEPT && n < END as usize / KEPT {
        let mut kept = Kept::new(n);
        let mut counts = vec![1; n];
        each_pair(&mut |i, j| {
            let (of_i, of_j) = (counts[i], counts[j]);
            counts[i] = of_i + 1;
            counts[j] = of_j + 1;
            if of_i >= min_samples && of_j >= min_samples {
                sets.union(i as u32, j as u32);
                return;
            }
            if of_i < min_samples {
                kept.push(i, j as u32);
            }
            if of_j < min_samples {
                kept.push(j, i as u32);
            }
        })?;
        let is_core = |row: usize| counts[row] >= min_samples;
        for row in (0..n).filter(|&row| is_core(row)) {
            kept.of(row)
                .filter(|&other| is_core(other))
                .for_each(|other| sets.union(row as u32, other as u32));
        }
        let (labels, n_clusters) = core_labels(&sets, n, is_core);
        let found = Found::new(n, n_clusters);
        for row in 0..n {
            let label = match is_core(row) {
                true => labels[row],
                false => kept.of(row).filter_map(|other| labels[other]).min(),
            };
            found.set(row as u32, label, is_core(row));
        }
        return Ok(found);
    }

    let mut sums: Vec<i64> = weights.map_or_else(|| vec![1; n], |weights| weights.of.clone());
    let need = weights.map_or(i64::try_from(min_samples).unwrap_or(i64::MAX), |weights| weights.need);
    each_pair(&mut |i, j| {
        sums[i] += weights.map_or(1, |weights| weights.of[j]);
        sums[j] += weights.map_or(1, |weights| weights.of[i]);
    })?;
    let is_core = |row: usize| sums[row] >= need;
    each_pair(&mut |i, j| {
        if is_core(i) && is_core(j) {
            sets.union(i as u32, j as u32);
        }
    })?;
    let (mut labels, n_clusters) = core_labels(&sets, n, is_core);
    each_pair(&mut |i, j| {
        let (i, j) = if is_core(i) { (i, j) } else { (j, i) };
        if is_core(i) && !is_core(j) {
            labels[j] = labels[j].min(labels[i]).or(labels[i]);
        }
    })?;
    let found = Found::new(n, n_clusters);
    labels.iter().enumerate().for_each(|(row, &label)| found.set(row as u32, label, is_core(row)));
    Ok(found)
}

/// The cluster of each core point, and their number: a root is the smallest row of its set.
fn core_labels(sets: &UnionFind, n: usize, is_core: impl Fn(usize) -> bool) -> (Vec<Option<u32>>, usize) {
    let mut labels = vec![None; n];
    let mut n_clusters = 0;
    for row in (0..n).filter(|&row| is_core(row)) {
        let root = sets.find(row as u32) as usize;
        labels[row] = if root == row {
            n_clusters += 1;
            Some(n_clusters - 1)
        } else {
            labels[root]
        };
    }
    (labels, n_clusters as usize)
}

/// A list of neighbours for each row: chains through one table.
struct Kept {
    /// The last entry of each row.
    last: Vec<u32>,
    /// A neighbour, and the entry before.
    entries: Vec<(u32, u32)>,
}

impl Kept {
    fn new(n: usize) -> Self {
        Self { last: vec![END; n], entries: Vec::new() }
    }

    fn push(&mut self, row: usize, other: u32) {
        self.entries.push((other, self.last[row]));
        self.last[row] = self.entries.len() as u32 - 1;
    }

    fn of(&self, row: usize) -> impl Iterator<Item = usize> {
        let mut entry = self.last[row];
        std::iter::from_fn(move || {
            let &(other, before) = self.entries.get(entry as usize)?;
            entry = before;
            Some(other as usize)
        })
    }
}
