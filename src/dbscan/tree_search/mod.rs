//! DBSCAN over the tree: core points, their connections, and the labels, each in one walk over pairs of nodes.
//!
//! 1. *Core points.* For each block, count neighbours from the block itself upwards: its sibling, the sibling of its parent, and so on. A subtree
//!    that is too far is skipped, one that is near as a whole is counted as a whole, and a point leaves the search once it has `min_samples`.
//! 2. *Connections.* Core points within `eps` of one another belong together. `within(n)` connects the core points below node `n`, `between(a, b)` those
//!    of two nodes. A node whose core points are known to be one set is *unified*: two unified nodes need a single pair, and none if they are one set
//!    already. That is what makes dense data cheap.
//! 3. *Labels.* Sets are numbered by their smallest row. A border point takes the smallest number among the core points within `eps`; a subtree that
//!    holds no smaller number than the best so far is skipped.
//!
//! Every phase runs over the blocks or over pairs of subtrees on all threads. The sets do not depend on the order in which pairs were met, so neither do the labels.

mod borders;
mod connect;
mod count;

use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use ndarray::ArrayView2;

use super::clusters::{Found, number_by_smallest_row};
use super::weights::Weights;
use crate::error::Result;
use crate::float::Float;
use crate::index::tree::{NO_ROW, Tree};
use crate::kernel::{BLOCK, Norm, Radius, bits};
use crate::observe::{Observer, Progress, report};
use crate::par;
use borders::{BorderSearch, Borders};
use connect::Connect;
use count::{Count, Ones, Weigh, Weighted};

/// Blocks that a thread takes at a time.
const CHUNK: usize = 64;

/// Subtrees between which connections are made in parallel.
const SUBTREES: usize = 256;

/// The label of noise and of unused places.
const NOISE: u32 = u32::MAX;

/// Clusters the rows of `records`.
pub(super) fn cluster<N: Norm, F: Float>(
    records: ArrayView2<'_, F>,
    eps: f64,
    min_samples: usize,
    weights: Option<&Weights>,
    observer: &mut dyn Observer,
) -> Result<Found> {
    let tree = &Tree::new(records)?;
    report(observer, Progress::new("index", 1, 1))?;
    let search = Search { tree, radius: F::radius::<N>(eps, records.ncols()) };
    let cores = match weights {
        None => {
            search.core_samples(&Ones { need: i64::try_from(min_samples).unwrap_or(i64::MAX) }, observer)?
        }
        Some(weights) => search.core_samples(&Weighted::new(tree, weights), observer)?,
    };
    let connected = search.connect(&cores);
    let blocks = tree.n_blocks() as u64;
    report(observer, Progress::new("connections", blocks, blocks))?;
    let (labels, n_clusters) = search.label(&connected);
    report(observer, Progress::new("labels", blocks, blocks))?;
    let found = Found::new(tree.n_points(), n_clusters);
    par::map(tree.n_blocks().div_ceil(CHUNK), |chunk| {
        let places = chunk * CHUNK * BLOCK..((chunk + 1) * CHUNK * BLOCK).min(tree.n_points());
        for place in places {
            let label = labels[place];
            let core = cores[place / BLOCK] >> (place % BLOCK) & 1 == 1;
            found.set(tree.rows()[place], (label != NOISE).then_some(label), core);
        }
    });
    Ok(found)
}

struct Search<'a, F, N> {
    tree: &'a Tree<F>,
    radius: Radius<F, N>,
}

impl<F: Float, N: Norm> Search<'_, F, N> {
    /// The core points of each block.
    fn core_samples<W: Weigh>(&self, weigh: &W, observer: &mut dyn Observer) -> Result<Vec<u32>> {
        let n_blocks = self.tree.n_blocks();
        let leaves = self.tree.leaves();
        let mut cores = vec![0; n_blocks];
        let wave = n_blocks.div_ceil(16).next_multiple_of(CHUNK);
        for (i, wave_cores) in cores.chunks_mut(wave).enumerate() {
            par::for_each_chunk_mut(wave_cores, CHUNK, |j, chunk| {
                let first = i * wave + j * CHUNK;
                let mut count = Count::new(self, weigh);
                for (block, cores) in (first..).zip(chunk) {
                    *cores = count.core_samples_of(block, leaves[block] as usize);
                }
            });
            let done = ((i + 1) * wave).min(n_blocks);
            report(observer, Progress::new("core samples", done as u64, n_blocks as u64))?;
        }
        Ok(cores)
    }

    /// Connects core points within the radius.
    fn connect<'a>(&'a self, cores: &'a [u32]) -> Connect<'a, F, N> {
        let connect = Connect::new(self, cores);
        let subtrees = self.subtrees();
        par::for_each(subtrees.clone(), |_, node| connect.within(node));
        let near = par::map(subtrees.len(), |i| {
            let near = |&&b: &&usize| connect.box_bounds(subtrees[i], b).0 <= self.radius.limit;
            subtrees[i + 1..].iter().filter(near).copied().collect::<Vec<_>>()
        });
        let pairs =
            subtrees.iter().zip(near).flat_map(|(&a, near)| near.into_iter().map(move |b| (a, b))).collect();
        par::for_each(pairs, |_, (a, b)| connect.between(a, b));
        connect
    }

    /// Subtrees that make up the whole tree.
    fn subtrees(&self) -> Vec<usize> {
        let blocks = u32::try_from(self.tree.n_blocks().div_ceil(SUBTREES)).unwrap_or(u32::MAX);
        let mut subtrees = Vec::new();
        let mut stack = vec![0];
        while let Some(i) = stack.pop() {
            let node = self.tree.nodes()[i];
            if node.n_blocks <= blocks {
                subtrees.push(i);
            } else {
                stack.extend([node.right as usize, i + 1]);
            }
        }
        subtrees
    }

    /// The cluster of each place, and the number of clusters.
    fn label(&self, connected: &Connect<'_, F, N>) -> (Vec<u32>, usize) {
        let Connect { cores, sets, .. } = connected;
        let rows = self.tree.rows();
        let n_places = rows.len();

        // The smallest row of each set, at the place of its root.
        let smallest: Vec<AtomicU32> = (0..n_places).map(|_| AtomicU32::new(NO_ROW)).collect();
        let mut labels = vec![NOISE; n_places];
        par::for_each_chunk_mut(&mut labels, CHUNK * BLOCK, |chunk, roots| {
            let (mut set, mut row) = (NOISE, NO_ROW);
            for place in chunk * CHUNK * BLOCK..chunk * CHUNK * BLOCK + roots.len() {
                if cores[place / BLOCK] >> (place % BLOCK) & 1 == 1 {
                    let root = sets.find(place as u32);
                    roots[place % (CHUNK * BLOCK)] = root;
                    if root != set {
                        if set != NOISE {
                            smallest[set as usize].fetch_min(row, Relaxed);
                        }
                        (set, row) = (root, NO_ROW);
                    }
                    row = row.min(rows[place]);
                }
            }
            if set != NOISE {
                smallest[set as usize].fetch_min(row, Relaxed);
            }
        });
        let n_clusters = number_by_smallest_row(&smallest);
        par::for_each_chunk_mut(&mut labels, CHUNK * BLOCK, |_, labels| {
            for label in labels.iter_mut().filter(|label| **label != NOISE) {
                *label = smallest[*label as usize].load(Relaxed);
            }
        });
        drop(smallest);

        let core_labels = labels.clone();
        let borders = Borders::new(connected, &core_labels);
        let leaves = self.tree.leaves();
        par::for_each_chunk_mut(&mut labels, CHUNK * BLOCK, |chunk, labels| {
            let mut search = BorderSearch::new(&borders);
            for (block, labels) in (chunk * CHUNK..).zip(labels.chunks_mut(BLOCK)) {
                search.label_block(block, leaves[block] as usize, labels);
            }
        });
        (labels, n_clusters)
    }
}

/// The tight box of some points of a block; of none, a box that is infinitely far from everything.
fn bounds_of<F: Float>(block: &[F], points: u32, bounds: &mut [f64]) {
    let d = bounds.len() / 2;
    for (j, column) in block.chunks_exact(BLOCK).enumerate() {
        let (mut lo, mut hi) = (f64::INFINITY, f64::NEG_INFINITY);
        for i in bits(points) {
            let x = column[i].as_f64();
            (lo, hi) = (lo.min(x), hi.max(x));
        }
        (bounds[j], bounds[d + j]) = (lo, hi);
    }
}
