//! Core points: how much lies around the points of a block, counted from the block upwards.

use super::{Search, bounds_of};
use crate::dbscan::weights::Weights;
use crate::float::Float;
use crate::index::tree::{NO_ROW, Tree, box_bounds};
use crate::kernel::{BLOCK, Norm, bits};

/// What points count for.
pub(super) trait Weigh: Sync {
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
pub(super) struct Ones {
    pub(super) need: i64,
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
pub(super) struct Weighted<'a> {
    weights: &'a Weights,
    of_places: Vec<i64>,
    of_nodes: Vec<i64>,
}

impl<'a> Weighted<'a> {
    pub(super) fn new<F: Float>(tree: &Tree<F>, weights: &'a Weights) -> Self {
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
pub(super) struct Count<'a, F, N, W> {
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
    pub(super) fn new(search: &'a Search<'a, F, N>, weigh: &'a W) -> Self {
        let block = search.tree.block(0);
        let bounds = search.tree.bounds(0).to_vec();
        let enough = if weigh.only_grows() { weigh.need() } else { i64::MAX };
        Self { search, weigh, block, counts: [0; BLOCK], enough, open: 0, bounds, boxed: 0 }
    }

    pub(super) fn core_samples_of(&mut self, block: usize, leaf: usize) -> u32 {
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
