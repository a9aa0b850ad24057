//! The k-d tree of this crate: boxes over blocks of 32 points.
//!
//! Every split puts a multiple of 32 points to the left, at the median of the widest side, so all blocks but the last are full and every
//! position is known before the build begins: subtrees are built side by side, each in its own part of the same arrays. Block `b` holds the
//! points of the *places* `32 b .. 32 b + 32`; `rows[place]` is the row of the input. Nodes stand in preorder: the left child of node `i` is `i + 1`.
//!
//! Boxes are tight, and in `f64` for both float types. The tree is the same for every [`Norm`]. The bounds between boxes are computed like the
//! distances between points, dimension after dimension: for the euclidean distance subtract, multiply, add. Rounding is monotone, so
//! `min > r^2` implies `|x - y|^2 > r^2` for all points inside *as computed*, and `max <= r^2` the opposite: pruning never disagrees with the test
//! of a pair. The manhattan and the chebyshev distance are summed and compared in the same way, without squares.
//!
//! DBSCAN and the search for the nearest few go from node to node; the search for all points within a radius goes over [`Levels`].

mod build;
mod levels;
mod within;

use std::ops::{ControlFlow, Range};

use ndarray::ArrayView2;

use super::Neighbour;
use super::brute::Best;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::simd::dispatch;
use crate::kernel::{Aligned, BLOCK, Norm, Radius, large_pages, totals_of};
use build::{Part, Place, build};
pub(super) use levels::Levels;
use within::{Count, Visit, Within};

/// The row number in unused places of the last block.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// More rows would need more than 31 bits, and one is for marks.
const MAX_ROWS: usize = 1 << 31;

#[derive(Debug)]
pub(crate) struct Tree<F> {
    d: usize,
    n: usize,
    /// `32 d` floats for each block.
    blocks: Aligned<F>,
    /// The input row of each place.
    rows: Vec<u32>,
    nodes: Vec<Node>,
    /// `lo_0 .. lo_(d-1), hi_0 .. hi_(d-1)` of each node.
    boxes: Vec<f64>,
}

/// A run of blocks.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Node {
    /// The first block.
    pub(crate) first: u32,
    /// Number of blocks; a leaf has one.
    pub(crate) n_blocks: u32,
    /// The right child; 0 in a leaf.
    pub(crate) right: u32,
    /// The node above; the root is its own.
    pub(crate) parent: u32,
}

impl Node {
    pub(crate) fn is_leaf(self) -> bool {
        self.right == 0
    }

    pub(crate) fn blocks(self) -> Range<usize> {
        self.first as usize..(self.first + self.n_blocks) as usize
    }
}

impl<F: Float> Tree<F> {
    /// A tree over finite rows, in `O(d n log n)` time; `rows` has at least one row and one column.
    ///
    /// # Errors
    /// [`Error::Shape`] with 2^31 rows or more.
    pub(crate) fn new(records: ArrayView2<'_, F>) -> Result<Self> {
        let (n, d) = records.dim();
        Self::check_size(n)?;
        let n_blocks = n.div_ceil(BLOCK);
        let n_nodes = 2 * n_blocks - 1;
        let mut blocks = Aligned::default();
        blocks.resize(n_blocks * BLOCK * d);
        for (j, column) in records.columns().into_iter().enumerate() {
            blocks[j * n..(j + 1) * n].iter_mut().zip(column).for_each(|(to, &x)| *to = x);
        }
        let mut rows = vec![NO_ROW; n_blocks * BLOCK];
        (0..).zip(&mut rows[..n]).for_each(|(row, to)| *to = row);
        let mut nodes = vec![Node::default(); n_nodes];
        let mut boxes = in_large_pages(vec![0.0; n_nodes * 2 * d]);
        {
            let (mut spare_blocks, mut spare_rows) =
                (in_large_pages(vec![F::zero(); blocks.len()]), vec![NO_ROW; rows.len()]);
            let here = Part { columns: &mut blocks, rows: &mut rows };
            let spare = Part { columns: &mut spare_blocks, rows: &mut spare_rows };
            let place = Place { n, d, first: 0, node: 0, parent: 0, stays: true };
            build(here, spare, &mut nodes, &mut boxes, place);
        }
        Ok(Self { d, n, blocks, rows, nodes, boxes })
    }

    /// Errors where a number of rows is too large for 32-bit row numbers.
    pub(crate) fn check_size(n: usize) -> Result<()> {
        if n < MAX_ROWS {
            Ok(())
        } else {
            Err(Error::shape("records", format!("fewer than {MAX_ROWS} rows"), n))
        }
    }

    pub(crate) fn n_points(&self) -> usize {
        self.n
    }

    pub(crate) fn n_features(&self) -> usize {
        self.d
    }

    pub(crate) fn n_blocks(&self) -> usize {
        self.rows.len() / BLOCK
    }

    /// The points of a block, dimension after dimension.
    pub(crate) fn block(&self, block: usize) -> &[F] {
        &self.blocks[block * BLOCK * self.d..(block + 1) * BLOCK * self.d]
    }

    /// The input rows of all places.
    pub(crate) fn rows(&self) -> &[u32] {
        &self.rows
    }

    /// The places of a block that hold points, as a bit set.
    pub(crate) fn filled(&self, block: usize) -> u32 {
        match (self.n - block * BLOCK).min(BLOCK) {
            BLOCK => u32::MAX,
            n => (1 << n) - 1,
        }
    }

    pub(crate) fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The tight box of a node: all lower corners, then all upper ones.
    pub(crate) fn bounds(&self, node: usize) -> &[f64] {
        &self.boxes[node * 2 * self.d..(node + 1) * 2 * self.d]
    }

    /// Number of points of a node.
    pub(crate) fn len(&self, node: Node) -> usize {
        self.n_points_in(node.blocks())
    }

    #[inline(always)]
    fn n_points_in(&self, blocks: Range<usize>) -> usize {
        (blocks.end * BLOCK).min(self.n) - blocks.start * BLOCK
    }

    /// The leaf of each block.
    pub(crate) fn leaves(&self) -> Vec<u32> {
        let leaf = |(i, node): (u32, &Node)| node.is_leaf().then_some(i);
        (0..).zip(&self.nodes).filter_map(leaf).collect()
    }
}

/// Zeros that nobody has touched yet, in large pages: a search jumps from block to block, and the processor knows the places of few small pages.
fn in_large_pages<T>(mut zeros: Vec<T>) -> Vec<T> {
    large_pages(&mut zeros);
    zeros
}

/// Queries of one point.
impl<F: Float> Tree<F> {
    pub(crate) fn visit_within<N: Norm>(
        &self,
        levels: &Levels,
        query: &[F],
        radius: &Radius<F, N>,
        visit: &mut impl FnMut(Neighbour) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        dispatch(Within { tree: self, levels, query, radius, purpose: &mut Visit(visit) })
    }

    /// The count, or a number that is at least `limit`.
    pub(crate) fn count_within<N: Norm>(
        &self,
        levels: &Levels,
        query: &[F],
        radius: &Radius<F, N>,
        limit: usize,
    ) -> usize {
        let mut purpose = Count { count: 0, limit };
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
            dispatch(Within { tree: self, levels, query, radius, purpose: &mut purpose });
        purpose.count
    }

    /// The `k` nearest rows, `1 <= k <= n`.
    pub(crate) fn nearest<N: Norm>(&self, query: &[F], k: usize, neighbours: &mut Vec<Neighbour>) {
        let mut best = Best::new(k, neighbours);
        self.nearest_below::<N>(0, query, &mut best);
        best.finish::<N>();
    }

    fn nearest_below<N: Norm>(&self, node: usize, query: &[F], best: &mut Best<'_>) {
        let here = self.nodes[node];
        if here.is_leaf() {
            let first = here.first as usize * BLOCK;
            best.offer(&totals_of::<N, F>(query, self.block(here.first as usize)), |i| {
                self.rows[first + i] as usize
            });
            return;
        }
        let (left, right) = (node + 1, here.right as usize);
        let [to_left, to_right] = [left, right].map(|child| self.least_total::<N>(query, child));
        let nearer_first = if to_left <= to_right {
            [(left, to_left), (right, to_right)]
        } else {
            [(right, to_right), (left, to_left)]
        };
        for (child, min) in nearer_first {
            if min < best.bound() || best.is_open() {
                self.nearest_below::<N>(child, query, best);
            }
        }
    }

    /// A bound below the totals of a point and the points of a node.
    fn least_total<N: Norm>(&self, query: &[F], node: usize) -> f64 {
        let at = |j: usize| query[j].as_f64();
        bounds_between::<N>(query.len(), at, at, self.bounds(node)).0
    }
}

/// Smallest and largest total between points of two boxes, as computed between points.
#[inline(always)]
pub(crate) fn box_bounds<N: Norm>(a: &[f64], b: &[f64]) -> (f64, f64) {
    // The small dimensions as constants, so that their loops are unrolled.
    match a.len() {
        4 => bounds_between::<N>(2, |j| a[j], |j| a[2 + j], b),
        6 => bounds_between::<N>(3, |j| a[j], |j| a[3 + j], b),
        width => bounds_between::<N>(width / 2, |j| a[j], |j| a[width / 2 + j], b),
    }
}

/// The bounds between the box from `lo` to `hi` and the box `b`.
#[inline(always)]
fn bounds_between<N: Norm>(
    d: usize,
    lo: impl Fn(usize) -> f64,
    hi: impl Fn(usize) -> f64,
    b: &[f64],
) -> (f64, f64) {
    assert!(b.len() == 2 * d, "two boxes of the same dimension");
    let (mut min, mut max) = (0.0, 0.0);
    for j in 0..d {
        let (right, left) = (b[j] - hi(j), lo(j) - b[d + j]);
        let near = larger(larger(right, left), 0.0);
        let far = larger(b[d + j] - lo(j), hi(j) - b[j]);
        min = N::add_one(min, near);
        max = N::add_one(max, far);
    }
    (min, max)
}

/// The larger number, in one instruction; `f64::max` takes three to treat NaN, of which boxes have none.
#[inline(always)]
fn larger(a: f64, b: f64) -> f64 {
    if a > b { a } else { b }
}
