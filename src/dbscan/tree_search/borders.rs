//! Border points: the smallest label among the core points within reach.

use super::connect::Connect;
use super::{NOISE, Search, bounds_of};
use crate::float::Float;
use crate::index::tree::box_bounds;
use crate::kernel::{BLOCK, Norm, bits};

/// Labels of the core points, place by place and node by node.
pub(super) struct Borders<'a, F, N> {
    connected: &'a Connect<'a, F, N>,
    labels: &'a [u32],
    /// The smallest label below each node.
    smallest: Vec<u32>,
}

impl<'a, F: Float, N: Norm> Borders<'a, F, N> {
    pub(super) fn new(connected: &'a Connect<'a, F, N>, labels: &'a [u32]) -> Self {
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
pub(super) struct BorderSearch<'a, F, N> {
    borders: &'a Borders<'a, F, N>,
    block: &'a [F],
    /// Points that are no core points.
    points: u32,
    /// The smallest label found for each.
    best: [u32; BLOCK],
    bounds: Vec<f64>,
}

impl<'a, F: Float, N: Norm> BorderSearch<'a, F, N> {
    pub(super) fn new(borders: &'a Borders<'a, F, N>) -> Self {
        let tree = borders.connected.search.tree;
        Self {
            borders,
            block: tree.block(0),
            points: 0,
            best: [NOISE; BLOCK],
            bounds: tree.bounds(0).to_vec(),
        }
    }

    pub(super) fn label_block(&mut self, block: usize, leaf: usize, labels: &mut [u32]) {
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
