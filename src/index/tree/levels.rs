//! The tree as a search for all points within a radius meets it: four of its levels at a time.
//!
//! A node here has up to [`WIDE`] children, whose boxes are looked at side by side: a search goes down a quarter of the steps, and each of them
//! waits once for memory and once for a jump that nobody can foresee. The nodes of the last level are runs of 8 to 16 blocks (or of all, where there are
//! fewer). Those above it are full: child `k` of node `i` is node `i << fan | k` of the next level, and no place of one need be kept.

use std::ops::Range;

use super::Tree;
use crate::float::Float;
use crate::kernel::{Aligned, WIDE};

/// Levels of the tree that one of these holds.
const FAN: u32 = WIDE.ilog2();

/// The boxes of a tree's nodes, every fourth level.
#[derive(Debug)]
pub(crate) struct Levels {
    /// From the root on. The children in the last are blocks.
    levels: Vec<Level>,
    /// The first block of each node of the last level, and the number of blocks.
    starts: Vec<u32>,
}

#[derive(Debug)]
pub(super) struct Level {
    /// The boxes of the children, as [`boxes_in`](crate::kernel::boxes_in) takes them, node after node.
    boxes: Aligned<f64>,
    /// A node has `1 << fan` children; in the last level, up to that.
    fan: u32,
    /// The last level has `1 << below` nodes beneath a child.
    below: u32,
}

impl Levels {
    pub(crate) fn new<F: Float>(tree: &Tree<F>) -> Self {
        let depth = tree.n_blocks().div_ceil(WIDE).next_power_of_two().ilog2();
        let (mut levels, mut here, mut below) = (Vec::new(), vec![0], depth);
        while below > 0 {
            let fan = (below - 1) % FAN + 1;
            below -= fan;
            let children = (0..fan).fold(here.clone(), |nodes, _| {
                nodes.into_iter().flat_map(|i| [i + 1, tree.nodes()[i].right as usize]).collect()
            });
            levels.push(Level::new(tree, children.chunks(1 << fan), fan, below));
            here = children;
        }
        let leaves: Vec<usize> = tree.leaves().into_iter().map(|leaf| leaf as usize).collect();
        let runs = here.iter().map(|&i| &leaves[tree.nodes()[i].blocks()]);
        levels.push(Level::new(tree, runs, FAN, 0));
        let mut starts: Vec<u32> = here.iter().map(|&i| tree.nodes()[i].first).collect();
        starts.push(tree.nodes()[0].n_blocks);
        Self { levels, starts }
    }

    pub(super) fn level(&self, level: usize) -> &Level {
        &self.levels[level]
    }

    #[inline(always)]
    pub(super) fn is_last(&self, level: usize) -> bool {
        level + 1 == self.levels.len()
    }

    /// The first block of a node of the last level.
    #[inline(always)]
    pub(super) fn first_block(&self, node: usize) -> usize {
        self.starts[node] as usize
    }

    /// The blocks of a child.
    #[inline(always)]
    pub(super) fn blocks(&self, level: usize, node: usize, child: usize) -> Range<usize> {
        if self.is_last(level) {
            let block = self.first_block(node) + child;
            return block..block + 1;
        }
        let Level { below, .. } = self.levels[level];
        let child = self.levels[level].child(node, child);
        self.first_block(child << below)..self.first_block((child + 1) << below)
    }
}

impl Level {
    /// `children` are the nodes of the tree beneath each node of this level.
    fn new<'a, F: Float>(
        tree: &Tree<F>,
        children: impl ExactSizeIterator<Item = &'a [usize]>,
        fan: u32,
        below: u32,
    ) -> Self {
        let size = 2 * tree.n_features() * WIDE;
        let mut boxes = Aligned::default();
        boxes.resize(children.len() * size);
        boxes.fill(f64::NAN);
        for (boxes, children) in boxes.chunks_exact_mut(size).zip(children) {
            for (k, &child) in children.iter().enumerate() {
                let columns = boxes.chunks_exact_mut(WIDE).zip(tree.bounds(child));
                columns.for_each(|(column, &bound)| column[k] = bound);
            }
        }
        Self { boxes, fan, below }
    }

    /// The boxes of the children of a node, in `d` dimensions.
    #[inline(always)]
    pub(super) fn boxes(&self, node: usize, d: usize) -> &[f64] {
        &self.boxes[node * 2 * d * WIDE..][..2 * d * WIDE]
    }

    /// The node of the next level that is child `k` of a node.
    #[inline(always)]
    pub(super) fn child(&self, node: usize, k: usize) -> usize {
        node << self.fan | k
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    /// The blocks beneath a node, after a look at every box on the way.
    fn blocks_beneath(tree: &Tree<f64>, levels: &Levels, level: usize, node: usize) -> Vec<usize> {
        let boxes = levels.level(level).boxes(node, tree.n_features());
        let mut found = Vec::new();
        for k in (0..WIDE).filter(|k| !boxes[*k].is_nan()) {
            let blocks = levels.blocks(level, node, k);
            let points = blocks.clone().flat_map(|b| tree.block(b)).filter(|x| !x.is_nan());
            let (lo, hi) =
                points.fold((f64::INFINITY, f64::NEG_INFINITY), |(lo, hi), &x| (lo.min(x), hi.max(x)));
            assert_eq!((boxes[k], boxes[WIDE + k]), (lo, hi));
            if levels.is_last(level) {
                found.push(blocks.start);
            } else {
                let beneath = blocks_beneath(tree, levels, level + 1, levels.level(level).child(node, k));
                assert!(beneath.iter().copied().eq(blocks));
                found.extend(beneath);
            }
        }
        found
    }

    #[test]
    fn every_block_stands_once_beneath_tight_boxes() {
        for n in [1, 32, 33, 500, 512, 513, 5000, 8192, 8193, 50_000] {
            let x = Array2::from_shape_fn((n, 1), |(i, _)| (i * 7919 % n) as f64);
            let tree = Tree::new(x.view()).unwrap();
            let levels = Levels::new(&tree);
            assert!(blocks_beneath(&tree, &levels, 0, 0).into_iter().eq(0..tree.n_blocks()), "{n}");
        }
    }
}
