//! Connections of core points, over pairs of nodes.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::{CHUNK, Search, bounds_of};
use crate::dbscan::union_find::UnionFind;
use crate::float::Float;
use crate::index::tree::{NO_ROW, box_bounds};
use crate::kernel::{BLOCK, Norm, bits};
use crate::par;

/// Sets of connected core points.
pub(super) struct Connect<'a, F, N> {
    pub(super) search: &'a Search<'a, F, N>,
    pub(super) cores: &'a [u32],
    pub(super) sets: UnionFind,
    /// The box of the core points of each node.
    boxes: Vec<f64>,
    /// One core point of each node, or `NO_ROW`.
    some_core: Vec<u32>,
    /// Nodes whose core points are one set.
    unified: Vec<AtomicBool>,
}

impl<'a, F: Float, N: Norm> Connect<'a, F, N> {
    pub(super) fn new(search: &'a Search<'a, F, N>, cores: &'a [u32]) -> Self {
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

    pub(super) fn bounds(&self, node: usize) -> &[f64] {
        let width = self.search.tree.bounds(0).len();
        &self.boxes[node * width..(node + 1) * width]
    }

    pub(super) fn box_bounds(&self, a: usize, b: usize) -> (f64, f64) {
        box_bounds::<N>(self.bounds(a), self.bounds(b))
    }

    /// Connects the core points below a node with one another.
    pub(super) fn within(&self, node: usize) {
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
    pub(super) fn between(&self, a: usize, b: usize) {
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
