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

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use ndarray::ArrayView2;

use super::clusters::Found;
use super::union_find::UnionFind;
use super::weights::Weights;
use crate::error::Result;
use crate::float::Float;
use crate::index::tree::{NO_ROW, Tree, box_bounds};
use crate::kernel::{BLOCK, Norm, Radius, bits};
use crate::observe::{Observer, Progress, report};
use crate::par;

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
        let mut first_rows: Vec<(u32, u32)> = (0..)
            .zip(&smallest)
            .map(|(root, row)| (row.load(Relaxed), root))
            .filter(|&(row, _)| row != NO_ROW)
            .collect();
        first_rows.sort_unstable();
        let n_clusters = first_rows.len();
        for (label, &(_, root)) in (0..).zip(&first_rows) {
            smallest[root as usize].store(label, Relaxed);
        }
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

/// What points count for.
trait Weigh: Sync {
    /// Some points of a block.
    fn points(&self, block: usize, points: u32) -> i64;

    /// All points below a node.
    fn node<F: Float>(&self, tree: &Tree<F>, node: usize) -> i64;

    /// A core point has this much around it.
    fn need(&self) -> i64;

    /// Whether a sum only grows.
    fn only_grows(&self) -> bool;
}

/// Each point counts once.
struct Ones {
    need: i64,
}

impl Weigh for Ones {
    #[inline(always)]
    fn points(&self, _: usize, points: u32) -> i64 {
        points.count_ones().into()
    }

    fn node<F: Float>(&self, tree: &Tree<F>, node: usize) -> i64 {
        tree.len(tree.nodes()[node]) as i64
    }

    fn need(&self) -> i64 {
        self.need
    }

    fn only_grows(&self) -> bool {
        true
    }
}

/// Each point counts as much as it weighs.
struct Weighted<'a> {
    weights: &'a Weights,
    of_places: Vec<i64>,
    of_nodes: Vec<i64>,
}

impl<'a> Weighted<'a> {
    fn new<F: Float>(tree: &Tree<F>, weights: &'a Weights) -> Self {
        let of = |&row: &u32| if row == NO_ROW { 0 } else { weights.of[row as usize] };
        let of_places: Vec<i64> = tree.rows().iter().map(of).collect();
        let mut of_nodes = vec![0; tree.nodes().len()];
        for (i, node) in tree.nodes().iter().enumerate().rev() {
            of_nodes[i] = if node.is_leaf() {
                of_places[node.first as usize * BLOCK..][..BLOCK].iter().sum()
            } else {
                of_nodes[i + 1] + of_nodes[node.right as usize]
            };
        }
        Self { weights, of_places, of_nodes }
    }
}

impl Weigh for Weighted<'_> {
    fn points(&self, block: usize, points: u32) -> i64 {
        bits(points).map(|i| self.of_places[block * BLOCK + i]).sum()
    }

    fn node<F: Float>(&self, _: &Tree<F>, node: usize) -> i64 {
        self.of_nodes[node]
    }

    fn need(&self) -> i64 {
        self.weights.need
    }

    fn only_grows(&self) -> bool {
        self.weights.only_grow
    }
}

/// Counts the neighbours of the points of one block.
struct Count<'a, F, N, W> {
    search: &'a Search<'a, F, N>,
    weigh: &'a W,
    block: &'a [F],
    counts: [i64; BLOCK],
    /// A sum that ends the search for a point: `need`, or none.
    enough: i64,
    /// Points that still have too few neighbours.
    open: u32,
    /// Their box, or a larger one.
    bounds: Vec<f64>,
    /// Number of points in that box.
    boxed: u32,
}

impl<'a, F: Float, N: Norm, W: Weigh> Count<'a, F, N, W> {
    fn new(search: &'a Search<'a, F, N>, weigh: &'a W) -> Self {
        let block = search.tree.block(0);
        let bounds = search.tree.bounds(0).to_vec();
        let enough = if weigh.only_grows() { weigh.need() } else { i64::MAX };
        Self { search, weigh, block, counts: [0; BLOCK], enough, open: 0, bounds, boxed: 0 }
    }

    fn core_samples_of(&mut self, block: usize, leaf: usize) -> u32 {
        let tree = self.search.tree;
        let filled = tree.filled(block);
        self.block = tree.block(block);
        self.counts = [0; BLOCK];
        self.open = filled;
        self.boxed = filled.count_ones();
        self.bounds.copy_from_slice(tree.bounds(leaf));
        self.visit(leaf);
        let mut node = leaf;
        while self.open != 0 && node != 0 {
            let parent = tree.nodes()[node].parent as usize;
            let left = parent + 1;
            self.visit(if node == left { tree.nodes()[parent].right as usize } else { left });
            node = parent;
        }
        bits(filled & self.open)
            .filter(|&i| self.counts[i] >= self.weigh.need())
            .fold(filled & !self.open, |cores, i| cores | 1 << i)
    }

    fn visit(&mut self, node: usize) {
        self.visit_at(node, box_bounds::<N>(&self.bounds, self.search.tree.bounds(node)));
    }

    fn visit_at(&mut self, node: usize, (min_sq, max_sq): (f64, f64)) {
        let tree = self.search.tree;
        let sq = self.search.radius.limit;
        if self.open == 0 || min_sq > sq {
            return;
        }
        let here = tree.nodes()[node];
        if max_sq <= sq {
            let n = self.weigh.node(tree, node);
            for i in bits(self.open) {
                self.counts[i] += n;
                self.open &= !(u32::from(self.counts[i] >= self.enough) << i);
            }
        } else if here.is_leaf() {
            let (counts, open, weigh, enough) = (&mut self.counts, &mut self.open, self.weigh, self.enough);
            let block = here.first as usize;
            F::each_hits(self.block, *open, tree.block(block), &self.search.radius, |i, hits| {
                counts[i] += weigh.points(block, hits);
                *open &= !(u32::from(counts[i] >= enough) << i);
                true
            });
        } else {
            let (left, right) = (node + 1, here.right as usize);
            let to_left = box_bounds::<N>(&self.bounds, tree.bounds(left));
            let to_right = box_bounds::<N>(&self.bounds, tree.bounds(right));
            if to_left.0 <= to_right.0 {
                self.visit_at(left, to_left);
                self.visit_at(right, to_right);
            } else {
                self.visit_at(right, to_right);
                self.visit_at(left, to_left);
            }
            return;
        }
        if 2 * self.open.count_ones() <= self.boxed && self.open != 0 {
            self.shrink();
        }
    }

    /// Fits the box to the points that are still open.
    fn shrink(&mut self) {
        self.boxed = self.open.count_ones();
        bounds_of(self.block, self.open, &mut self.bounds);
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

/// Sets of connected core points.
struct Connect<'a, F, N> {
    search: &'a Search<'a, F, N>,
    cores: &'a [u32],
    sets: UnionFind,
    /// The box of the core points of each node.
    boxes: Vec<f64>,
    /// One core point of each node, or `NO_ROW`.
    some_core: Vec<u32>,
    /// Nodes whose core points are one set.
    unified: Vec<AtomicBool>,
}

impl<'a, F: Float, N: Norm> Connect<'a, F, N> {
    fn new(search: &'a Search<'a, F, N>, cores: &'a [u32]) -> Self {
        let tree = search.tree;
        let nodes = tree.nodes();
        let width = tree.bounds(0).len();
        let leaves = tree.leaves();
        let mut boxes = vec![0.0; nodes.len() * width];
        let mut some_core = vec![NO_ROW; nodes.len()];
        let of_leaves = par::map(leaves.len().div_ceil(CHUNK), |chunk| {
            let blocks = chunk * CHUNK..((chunk + 1) * CHUNK).min(leaves.len());
            let mut bounds = vec![0.0; blocks.len() * width];
            for (block, bounds) in blocks.zip(bounds.chunks_mut(width)) {
                if cores[block] == tree.filled(block) {
                    bounds.copy_from_slice(tree.bounds(leaves[block] as usize));
                } else {
                    bounds_of(tree.block(block), cores[block], bounds);
                }
            }
            bounds
        });
        for (block, bounds) in of_leaves.iter().flat_map(|bounds| bounds.chunks(width)).enumerate() {
            let leaf = leaves[block] as usize;
            boxes[leaf * width..(leaf + 1) * width].copy_from_slice(bounds);
            if cores[block] != 0 {
                some_core[leaf] = (block * BLOCK) as u32 + cores[block].trailing_zeros();
            }
        }
        for i in (0..nodes.len()).rev().filter(|&i| !nodes[i].is_leaf()) {
            let (left, right) = (i + 1, nodes[i].right as usize);
            for j in 0..width {
                let (a, b) = (boxes[left * width + j], boxes[right * width + j]);
                boxes[i * width + j] = if j < width / 2 { a.min(b) } else { a.max(b) };
            }
            some_core[i] = some_core[left].min(some_core[right]);
        }
        let sets = UnionFind::new(tree.rows().len() as u32);
        let unified = (0..nodes.len()).map(|_| AtomicBool::new(false)).collect();
        Self { search, cores, sets, boxes, some_core, unified }
    }

    fn bounds(&self, node: usize) -> &[f64] {
        let width = self.search.tree.bounds(0).len();
        &self.boxes[node * width..(node + 1) * width]
    }

    fn box_bounds(&self, a: usize, b: usize) -> (f64, f64) {
        box_bounds::<N>(self.bounds(a), self.bounds(b))
    }

    /// Connects the core points below a node with one another.
    fn within(&self, node: usize) {
        let tree = self.search.tree;
        let here = tree.nodes()[node];
        if self.some_core[node] == NO_ROW {
            self.unified[node].store(true, Relaxed);
        } else if self.box_bounds(node, node).1 <= self.search.radius.limit {
            self.unify(node, self.some_core[node]);
        } else if here.is_leaf() {
            let block = here.first as usize;
            let (points, cores, first) = (tree.block(block), self.cores[block], (block * BLOCK) as u32);
            F::each_hits(points, cores, points, &self.search.radius, |i, hits| {
                // Each pair once: the later point of the two.
                for k in bits(hits & cores & !(u32::MAX >> (31 - i))) {
                    self.sets.union(first + i as u32, first + k as u32);
                }
                true
            });
            self.is_unified_leaf(node);
        } else {
            let (left, right) = (node + 1, here.right as usize);
            self.within(left);
            self.within(right);
            self.between(left, right);
            self.is_unified(node);
        }
    }

    /// Connects the core points of one node with those of another.
    fn between(&self, a: usize, b: usize) {
        self.between_at(a, b, self.box_bounds(a, b));
    }

    fn between_at(&self, a: usize, b: usize, (min_sq, max_sq): (f64, f64)) {
        let sq = self.search.radius.limit;
        // A node without core points has a box at infinity.
        if min_sq > sq {
            return;
        }
        let unified = (self.is_unified(a), self.is_unified(b));
        if unified == (true, true) && self.sets.find(self.some_core[a]) == self.sets.find(self.some_core[b]) {
            return;
        }
        if max_sq <= sq {
            self.unify(a, self.some_core[a]);
            self.unify(b, self.some_core[a]);
            return;
        }
        let nodes = self.search.tree.nodes();
        let (split, other) = if nodes[a].n_blocks >= nodes[b].n_blocks { (a, b) } else { (b, a) };
        if nodes[split].is_leaf() {
            self.between_leaves(a, b, unified);
            return;
        }
        let (left, right) = (split + 1, nodes[split].right as usize);
        let (to_left, to_right) = (self.box_bounds(left, other), self.box_bounds(right, other));
        if to_left.0 <= to_right.0 {
            self.between_at(left, other, to_left);
            self.between_at(right, other, to_right);
        } else {
            self.between_at(right, other, to_right);
            self.between_at(left, other, to_left);
        }
    }

    fn between_leaves(&self, mut a: usize, mut b: usize, mut unified: (bool, bool)) {
        // Where one of the two is unified, let it be `b`: each point of `a` then needs a single hit.
        if unified == (true, false) {
            (a, b, unified) = (b, a, (false, true));
        }
        let tree = self.search.tree;
        let (block_a, block_b) = (tree.nodes()[a].first as usize, tree.nodes()[b].first as usize);
        let (first_a, first_b) = ((block_a * BLOCK) as u32, (block_b * BLOCK) as u32);
        let mut rows =
            self.cores[block_a] & F::near_box(tree.block(block_a), self.bounds(b), &self.search.radius);
        if unified == (false, true) {
            let root = self.sets.find(self.some_core[b]);
            for i in bits(rows) {
                if self.sets.find(first_a + i as u32) == root {
                    rows &= !(1 << i);
                }
            }
        }
        let mut met = false;
        F::each_hits(tree.block(block_a), rows, tree.block(block_b), &self.search.radius, |i, hits| {
            let hits = hits & self.cores[block_b];
            for k in bits(hits) {
                self.sets.union(first_a + i as u32, first_b + k as u32);
                met = true;
                if unified.1 {
                    break;
                }
            }
            !(met && unified == (true, true))
        });
        if met {
            self.is_unified_leaf(a);
            self.is_unified_leaf(b);
        }
    }

    /// Makes all core points below a node one set with `core`.
    fn unify(&self, node: usize, core: u32) {
        self.sets.union(self.some_core[node], core);
        if self.unified[node].load(Relaxed) {
            return;
        }
        for block in self.search.tree.nodes()[node].blocks() {
            for i in bits(self.cores[block]) {
                self.sets.union((block * BLOCK + i) as u32, core);
            }
        }
        self.unified[node].store(true, Relaxed);
    }

    /// Whether the core points of a node are known to be one set; remembers it where both children say so.
    fn is_unified(&self, node: usize) -> bool {
        if self.unified[node].load(Relaxed) {
            return true;
        }
        let here = self.search.tree.nodes()[node];
        if here.is_leaf() {
            return false;
        }
        let (left, right) = (node + 1, here.right as usize);
        let (in_left, in_right) = (self.some_core[left], self.some_core[right]);
        let unified = self.unified[left].load(Relaxed)
            && self.unified[right].load(Relaxed)
            && (in_left == NO_ROW
                || in_right == NO_ROW
                || self.sets.find(in_left) == self.sets.find(in_right));
        if unified {
            self.unified[node].store(true, Relaxed);
        }
        unified
    }

    /// Looks whether the core points of a leaf became one set.
    fn is_unified_leaf(&self, leaf: usize) {
        if !self.unified[leaf].load(Relaxed) {
            let block = self.search.tree.nodes()[leaf].first as usize;
            let root = self.sets.find(self.some_core[leaf]);
            let one = bits(self.cores[block]).all(|i| self.sets.find((block * BLOCK + i) as u32) == root);
            self.unified[leaf].store(one, Relaxed);
        }
    }
}

/// Labels of the core points, place by place and node by node.
struct Borders<'a, F, N> {
    connected: &'a Connect<'a, F, N>,
    labels: &'a [u32],
    /// The smallest label below each node.
    smallest: Vec<u32>,
}

impl<'a, F: Float, N: Norm> Borders<'a, F, N> {
    fn new(connected: &'a Connect<'a, F, N>, labels: &'a [u32]) -> Self {
        let nodes = connected.search.tree.nodes();
        let mut smallest = vec![NOISE; nodes.len()];
        for (i, node) in nodes.iter().enumerate().rev() {
            smallest[i] = if node.is_leaf() {
                let first = node.first as usize * BLOCK;
                labels[first..first + BLOCK].iter().copied().min().unwrap_or(NOISE)
            } else {
                smallest[i + 1].min(smallest[node.right as usize])
            };
        }
        Self { connected, labels, smallest }
    }
}

/// Finds the clusters of the border points of one block.
struct BorderSearch<'a, F, N> {
    borders: &'a Borders<'a, F, N>,
    block: &'a [F],
    /// Points that are no core points.
    points: u32,
    /// The smallest label found for each.
    best: [u32; BLOCK],
    bounds: Vec<f64>,
}

impl<'a, F: Float, N: Norm> BorderSearch<'a, F, N> {
    fn new(borders: &'a Borders<'a, F, N>) -> Self {
        let tree = borders.connected.search.tree;
        Self {
            borders,
            block: tree.block(0),
            points: 0,
            best: [NOISE; BLOCK],
            bounds: tree.bounds(0).to_vec(),
        }
    }

    fn label_block(&mut self, block: usize, leaf: usize, labels: &mut [u32]) {
        let Borders { connected, .. } = self.borders;
        let tree = connected.search.tree;
        self.points = tree.filled(block) & !connected.cores[block];
        if self.points == 0 {
            return;
        }
        self.block = tree.block(block);
        self.best = [NOISE; BLOCK];
        bounds_of(self.block, self.points, &mut self.bounds);
        self.visit(leaf);
        let mut node = leaf;
        while node != 0 {
            let parent = tree.nodes()[node].parent as usize;
            let left = parent + 1;
            self.visit(if node == left { tree.nodes()[parent].right as usize } else { left });
            node = parent;
        }
        for i in bits(self.points) {
            labels[i] = self.best[i];
        }
    }

    fn visit(&mut self, node: usize) {
        let Borders { connected, labels, ref smallest } = *self.borders;
        let Search { tree, ref radius } = *connected.search;
        let (min_sq, max_sq) = box_bounds::<N>(&self.bounds, connected.bounds(node));
        // A node without core points has a box at infinity.
        if min_sq > radius.limit || bits(self.points).all(|i| self.best[i] <= smallest[node]) {
            return;
        }
        let here = tree.nodes()[node];
        if max_sq <= radius.limit {
            for i in bits(self.points) {
                self.best[i] = self.best[i].min(smallest[node]);
            }
        } else if here.is_leaf() {
            let block = here.first as usize;
            let best = &mut self.best;
            let near = self.points & F::near_box(self.block, connected.bounds(node), radius);
            F::each_hits(self.block, near, tree.block(block), radius, |i, hits| {
                for k in bits(hits & connected.cores[block]) {
                    best[i] = best[i].min(labels[block * BLOCK + k]);
                }
                true
            });
        } else {
            self.visit(node + 1);
            self.visit(here.right as usize);
        }
    }
}
