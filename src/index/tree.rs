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

use std::hint::select_unpredictable;
use std::ops::{ControlFlow, Range};

use ndarray::ArrayView2;

use super::Neighbour;
use super::brute::Best;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::simd::{Simd, Task, dispatch};
use crate::kernel::{
    BLOCK, BOX_PAD, Norm, Radius, bits, boxes_in, expect_reads, hits_in, partition, totals_in, totals_of,
};
use crate::par;

/// The row number in unused places of the last block.
pub(crate) const NO_ROW: u32 = u32::MAX;

/// More rows would need more than 31 bits, and one is for marks.
const MAX_ROWS: usize = 1 << 31;

/// Nodes with at least so many blocks are built side by side.
const PARALLEL_BLOCKS: usize = 128;

/// Points up to which the split value is selected from all of them, not from a sample first.
const SMALL: usize = 2048;

/// Entries of that sample, and the ranks in it on both sides of the wanted one: over three standard deviations of a random sample at the median.
const SAMPLE: usize = 512;
const SLACK: usize = 40;

#[derive(Debug)]
pub(crate) struct Tree<F> {
    d: usize,
    n: usize,
    /// `32 d` floats for each block.
    blocks: Vec<F>,
    /// The input row of each place.
    rows: Vec<u32>,
    nodes: Vec<Node>,
    /// `lo_0 .. lo_(d-1), hi_0 .. hi_(d-1)` of each node.
    boxes: Vec<f64>,
    /// The same of each block, column after column, each of them [`BOX_PAD`] longer.
    block_boxes: Vec<f64>,
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
    /// [`Error::Shape`] with more rows than 32-bit numbers can name.
    pub(crate) fn new(records: ArrayView2<'_, F>) -> Result<Self> {
        let (n, d) = records.dim();
        Self::check_size(n)?;
        let n_blocks = n.div_ceil(BLOCK);
        let n_nodes = 2 * n_blocks - 1;
        let mut blocks = vec![F::zero(); n_blocks * BLOCK * d];
        for (j, column) in records.columns().into_iter().enumerate() {
            blocks[j * n..(j + 1) * n].iter_mut().zip(column).for_each(|(to, &x)| *to = x);
        }
        let mut rows = vec![NO_ROW; n_blocks * BLOCK];
        (0..).zip(&mut rows[..n]).for_each(|(row, to)| *to = row);
        let mut nodes = vec![Node::default(); n_nodes];
        let mut boxes = vec![0.0; n_nodes * 2 * d];
        {
            let (mut spare_blocks, mut spare_rows) =
                (vec![F::zero(); blocks.len()], vec![NO_ROW; rows.len()]);
            let here = Part { columns: &mut blocks, rows: &mut rows };
            let spare = Part { columns: &mut spare_blocks, rows: &mut spare_rows };
            let place = Place { n, d, first: 0, node: 0, parent: 0, stays: true };
            build(here, spare, &mut nodes, &mut boxes, place);
        }
        let stride = n_blocks + BOX_PAD;
        let mut block_boxes = vec![0.0; 2 * d * stride];
        for (node, bounds) in nodes.iter().zip(boxes.chunks_exact(2 * d)).filter(|(node, _)| node.is_leaf()) {
            for (column, &bound) in block_boxes.chunks_exact_mut(stride).zip(bounds) {
                column[node.first as usize] = bound;
            }
        }
        Ok(Self { d, n, blocks, rows, nodes, boxes, block_boxes })
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

/// Queries of one point.
impl<F: Float> Tree<F> {
    pub(crate) fn visit_within<N: Norm>(
        &self,
        query: &[F],
        radius: &Radius<F, N>,
        visit: &mut impl FnMut(Neighbour) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        dispatch(Within { tree: self, query, radius, purpose: &mut Visit(visit) })
    }

    /// The count, or a number that is at least `limit`.
    pub(crate) fn count_within<N: Norm>(&self, query: &[F], radius: &Radius<F, N>, limit: usize) -> usize {
        let mut purpose = Count { count: 0, limit };
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) =
            dispatch(Within { tree: self, query, radius, purpose: &mut purpose });
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
        let to_left = self.bounds_of::<N>(query, left).0;
        let to_right = self.bounds_of::<N>(query, right).0;
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

    /// Smallest and largest total of a point and the points of a node.
    #[inline(always)]
    fn bounds_of<N: Norm>(&self, query: &[F], node: usize) -> (f64, f64) {
        let bounds = self.bounds(node);
        let at = |j: usize| query[j].as_f64();
        // The small dimensions as constants, so that their loops are unrolled.
        match query.len() {
            2 => bounds_between::<N>(2, at, at, bounds),
            3 => bounds_between::<N>(3, at, at, bounds),
            d => bounds_between::<N>(d, at, at, bounds),
        }
    }
}

/// Blocks whose boxes are all looked at side by side, rather than one pair of nodes after another.
const FEW_BLOCKS: u32 = 16;

/// Nodes that wait while another is searched: at most one a level, of fewer than 32.
type Waiting = [Run; 32];

/// A node as a search meets it: its number, and its blocks. Preorder gives those of its children without a look at the node itself.
#[derive(Clone, Copy, Default)]
struct Run {
    node: u32,
    first: u32,
    n_blocks: u32,
}

impl Run {
    fn root<F>(tree: &Tree<F>) -> Self {
        Self { node: 0, first: 0, n_blocks: tree.nodes[0].n_blocks }
    }

    #[inline(always)]
    fn blocks(self) -> Range<usize> {
        self.first as usize..(self.first + self.n_blocks) as usize
    }

    /// The left child or the right one, chosen without a jump: which of the two it is nobody can foresee.
    #[inline(always)]
    fn child(self, right: bool) -> Self {
        let half = self.n_blocks / 2;
        Self {
            node: self.node + select_unpredictable(right, 2 * half, 1),
            first: self.first + select_unpredictable(right, half, 0),
            n_blocks: select_unpredictable(right, self.n_blocks - half, half),
        }
    }
}

/// What is done with the points within a radius.
trait Purpose {
    /// `n` points that are within it as a whole; whether that was enough about them.
    fn whole(&mut self, n: usize) -> ControlFlow<(), bool>;

    /// Those of a block: a bit for each.
    fn some<F: Float, N: Norm, S: Simd>(
        &mut self,
        hits: u32,
        query: &[F],
        block: &[F],
        rows: &[u32],
    ) -> ControlFlow<()>;
}

/// How many there are, up to about a limit.
struct Count {
    count: usize,
    limit: usize,
}

impl Count {
    #[inline(always)]
    fn add<R>(&mut self, n: usize, go_on: R) -> ControlFlow<(), R> {
        self.count += n;
        if self.count < self.limit { ControlFlow::Continue(go_on) } else { ControlFlow::Break(()) }
    }
}

impl Purpose for Count {
    #[inline(always)]
    fn whole(&mut self, n: usize) -> ControlFlow<(), bool> {
        self.add(n, true)
    }

    #[inline(always)]
    fn some<F: Float, N: Norm, S: Simd>(
        &mut self,
        hits: u32,
        _: &[F],
        _: &[F],
        _: &[u32],
    ) -> ControlFlow<()> {
        self.add(hits.count_ones() as usize, ())
    }
}

/// Each of them.
struct Visit<'a, V>(&'a mut V);

impl<V: FnMut(Neighbour) -> ControlFlow<()>> Purpose for Visit<'_, V> {
    #[inline(always)]
    fn whole(&mut self, _: usize) -> ControlFlow<(), bool> {
        ControlFlow::Continue(false)
    }

    #[inline(always)]
    fn some<F: Float, N: Norm, S: Simd>(
        &mut self,
        hits: u32,
        query: &[F],
        block: &[F],
        rows: &[u32],
    ) -> ControlFlow<()> {
        if hits != 0 {
            let totals = totals_in::<N, F, S>(query, block);
            for i in bits(hits) {
                (self.0)(Neighbour { row: rows[i] as usize, distance: N::distance_of(totals[i]) })?;
            }
        }
        ControlFlow::Continue(())
    }
}

/// A search from the root down, compiled as a whole for each instruction set: what one node costs is too little for a call.
struct Within<'a, F, N, P> {
    tree: &'a Tree<F>,
    query: &'a [F],
    radius: &'a Radius<F, N>,
    purpose: &'a mut P,
}

impl<F: Float, N: Norm, P: Purpose> Task for Within<'_, F, N, P> {
    type Output = ControlFlow<()>;

    #[inline(always)]
    fn run<S: Simd>(self) -> ControlFlow<()> {
        // The small dimensions as constants, so that their loops are unrolled.
        match self.query.len() {
            2 => Within { query: &self.query[..2], ..self }.search::<S>(),
            3 => Within { query: &self.query[..3], ..self }.search::<S>(),
            _ => self.search::<S>(),
        }
    }
}

impl<F: Float, N: Norm, P: Purpose> Within<'_, F, N, P> {
    #[inline(always)]
    fn search<S: Simd>(mut self) -> ControlFlow<()> {
        let (mut waiting, mut n_waiting): (Waiting, usize) = ([Run::default(); 32], 0);
        let mut here = Run::root(self.tree);
        if !self.enters(here)? {
            return ControlFlow::Continue(());
        }
        loop {
            if here.n_blocks > FEW_BLOCKS {
                let (left, right) = (here.child(false), here.child(true));
                let (to_left, to_right) = (self.enters(left)?, self.enters(right)?);
                if to_left & to_right {
                    waiting[n_waiting] = right;
                    n_waiting += 1;
                }
                if to_left | to_right {
                    here = here.child(!to_left);
                    continue;
                }
            } else {
                self.blocks::<S>(here)?;
            }
            if n_waiting == 0 {
                return ControlFlow::Continue(());
            }
            n_waiting -= 1;
            here = waiting[n_waiting];
        }
    }

    /// Whether points of a node are to be looked at: its box is near, and not so near that they are known to be inside.
    #[inline(always)]
    fn enters(&mut self, run: Run) -> ControlFlow<(), bool> {
        let (min, max) = self.tree.bounds_of::<N>(self.query, run.node as usize);
        if max <= self.radius.limit && self.purpose.whole(self.tree.n_points_in(run.blocks()))? {
            return ControlFlow::Continue(false);
        }
        ControlFlow::Continue(min <= self.radius.limit)
    }

    #[inline(always)]
    fn blocks<S: Simd>(&mut self, run: Run) -> ControlFlow<()> {
        let (tree, query) = (self.tree, self.query);
        let stride = tree.n_blocks() + BOX_PAD;
        let (first, n) = (run.first as usize, run.n_blocks as usize);
        let [mut near, whole] =
            boxes_in::<F, N, S>(query, (&tree.block_boxes, stride), (first, n), self.radius.limit);
        for k in bits(near & !whole) {
            let block = tree.block(first + k);
            expect_reads(block.as_ptr(), block.len());
        }
        for k in bits(whole) {
            if self.purpose.whole(tree.n_points_in(first + k..first + k + 1))? {
                near &= !(1 << k);
            }
        }
        for k in bits(near) {
            let number = first + k;
            let (block, rows) = (tree.block(number), &tree.rows[number * BLOCK..][..BLOCK]);
            let hits = hits_in::<F, N, S>(query, block, self.radius);
            self.purpose.some::<F, N, S>(hits, query, block, rows)?;
        }
        ControlFlow::Continue(())
    }
}

/// Smallest and largest total between points of two boxes, as computed between points.
#[inline(always)]
pub(crate) fn box_bounds<N: Norm>(a: &[f64], b: &[f64]) -> (f64, f64) {
    // As above.
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

/// Points of a node: column `j` at `columns[j m..(j + 1) m]` for `m` points.
struct Part<'a, F> {
    columns: &'a mut [F],
    rows: &'a mut [u32],
}

/// Where in the tree a part belongs.
#[derive(Clone, Copy)]
struct Place {
    n: usize,
    d: usize,
    first: usize,
    node: usize,
    parent: usize,
    /// Whether the points stand in the array in which they are to end.
    stays: bool,
}

/// Builds the subtree over the points in `here`; `spare` is room of the same size, `nodes` and `boxes` are those of the subtree.
fn build<F: Float>(
    here: Part<'_, F>,
    spare: Part<'_, F>,
    nodes: &mut [Node],
    boxes: &mut [f64],
    place: Place,
) {
    let Place { n, d, first, node, parent, stays } = place;
    let n_blocks = n.div_ceil(BLOCK);
    let (bounds, boxes) = boxes.split_at_mut(2 * d);
    let mut widest = (0, f64::NEG_INFINITY);
    for j in 0..d {
        let (lo, hi) = F::min_max(&here.columns[j * n..(j + 1) * n]);
        (bounds[j], bounds[d + j]) = (lo.as_f64(), hi.as_f64());
        if bounds[d + j] - bounds[j] > widest.1 {
            widest = (j, bounds[d + j] - bounds[j]);
        }
    }
    let number = |i: usize| u32::try_from(i).expect("there are fewer nodes than rows");
    nodes[0] = Node { first: number(first), n_blocks: number(n_blocks), right: 0, parent: number(parent) };

    if n_blocks == 1 {
        let (from, to) = if stays { (spare, here) } else { (here, spare) };
        if !stays {
            to.rows.copy_from_slice(from.rows);
            to.columns.copy_from_slice(from.columns);
        }
        // The last block: spread its columns out to 32 places each, the last column first.
        for j in (0..d).rev().take_while(|_| n < BLOCK) {
            to.columns.copy_within(j * n..(j + 1) * n, j * BLOCK);
            to.columns[j * BLOCK + n..(j + 1) * BLOCK].fill(F::NAN);
        }
        return;
    }

    let left_blocks = n_blocks / 2;
    let n_left = left_blocks * BLOCK;
    let mask = split_mask(&here.columns[widest.0 * n..(widest.0 + 1) * n], n_left);
    let (left_columns, right_columns) = spare.columns.split_at_mut(n_left * d);
    let (left_rows, right_rows) = spare.rows.split_at_mut(n_left);
    let n_right = n - n_left;
    for j in 0..d {
        let left = &mut left_columns[j * n_left..(j + 1) * n_left];
        let right = &mut right_columns[j * n_right..(j + 1) * n_right];
        partition(&here.columns[j * n..(j + 1) * n], &mask, left, right);
    }
    partition(&here.rows[..n], &mask, left_rows, &mut right_rows[..n_right]);
    right_rows[n_right..].fill(NO_ROW);
    drop(mask);

    let right = 2 * left_blocks;
    nodes[0].right = number(node + right);
    let (left_nodes, right_nodes) = nodes[1..].split_at_mut(right - 1);
    let (left_boxes, right_boxes) = boxes.split_at_mut((right - 1) * 2 * d);
    let (spare_left, spare_right) = here.columns.split_at_mut(n_left * d);
    let (spare_left_rows, spare_right_rows) = here.rows.split_at_mut(n_left);
    let below = Place { parent: node, stays: !stays, ..place };
    let build_left = || {
        let here = Part { columns: left_columns, rows: left_rows };
        let spare = Part { columns: spare_left, rows: spare_left_rows };
        build(here, spare, left_nodes, left_boxes, Place { n: n_left, node: node + 1, ..below });
    };
    let build_right = || {
        let here = Part { columns: right_columns, rows: right_rows };
        let spare = Part { columns: spare_right, rows: spare_right_rows };
        let place = Place { n: n_right, first: first + left_blocks, node: node + right, ..below };
        build(here, spare, right_nodes, right_boxes, place);
    };
    par::join(n_blocks >= PARALLEL_BLOCKS, build_left, build_right);
}

/// The `n_left` smallest entries as a bit mask; among equal ones, the first.
fn split_mask<F: Float>(column: &[F], n_left: usize) -> Vec<u64> {
    let (value, mut ties) = select(column, n_left);
    let mut mask = vec![0; column.len().div_ceil(64)];
    F::at_most(column, value.below(), &mut mask);
    if ties > 0 {
        let mut up_to = vec![0; mask.len()];
        F::at_most(column, value, &mut up_to);
        for (word, up_to) in mask.iter_mut().zip(up_to) {
            let mut equal = up_to & !*word;
            while equal != 0 && ties > 0 {
                *word |= equal & equal.wrapping_neg();
                equal &= equal - 1;
                ties -= 1;
            }
        }
    }
    mask
}

/// The value with `rank` entries before it in sorted order, and how many of those are equal to it.
///
/// A sorted sample gives two values that hold it between them nearly always, so that only a few entries have to be looked at twice
/// (Floyd and Rivest, 1975).
fn select<F: Float>(column: &[F], rank: usize) -> (F, usize) {
    let n = column.len();
    let mut some = Vec::new();
    let mut below = 0;
    if n > SMALL {
        // A fixed stride could meet a period of the data; these places have none.
        let mut sample: Vec<F> = (0..SAMPLE).map(|i| column[(i * n + i * 7919 % n) / SAMPLE]).collect();
        sample.sort_unstable_by(F::total_order);
        let near = rank * SAMPLE / n;
        let lo = near.checked_sub(SLACK).map_or(F::neg_infinity(), |i| sample[i]);
        let hi = sample.get(near + SLACK).copied().unwrap_or(F::infinity());
        let (mut before, mut up_to) = (vec![0; n.div_ceil(64)], vec![0; n.div_ceil(64)]);
        F::at_most(column, lo.below(), &mut before);
        F::at_most(column, hi, &mut up_to);
        let count = |mask: &[u64]| mask.iter().map(|word| word.count_ones() as usize).sum::<usize>();
        below = count(&before);
        let n_between = count(&up_to) - below;
        // One of many equal values: nothing is left to sort.
        if lo == hi && below <= rank && rank < below + n_between {
            return (lo, rank - below);
        }
        some.reserve_exact(n_between);
        for ((entries, before), up_to) in column.chunks(64).zip(before).zip(up_to) {
            let mut between = up_to & !before;
            while between != 0 {
                some.push(entries[between.trailing_zeros() as usize]);
                between &= between - 1;
            }
        }
    }
    if !(below <= rank && rank < below + some.len()) {
        some.clear();
        some.extend_from_slice(column);
        below = 0;
    }
    let (before, &mut value, _) = some.select_nth_unstable_by(rank - below, F::total_order);
    let equal = before.iter().filter(|&&x| x == value).count();
    (value, equal)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn holds_every_row_once_in_tight_boxes(x: &Array2<f64>) {
        let tree = Tree::new(x.view()).unwrap();
        let d = x.ncols();
        let mut rows: Vec<u32> = tree.rows().iter().copied().filter(|&row| row != NO_ROW).collect();
        assert_eq!(rows.len(), x.nrows());
        for (i, node) in tree.nodes().iter().enumerate() {
            let places = (node.first as usize * BLOCK..).take(tree.len(*node));
            let points: Vec<usize> = places.map(|place| rows[place] as usize).collect();
            for j in 0..d {
                let (lo, hi) = points
                    .iter()
                    .map(|&row| x[[row, j]])
                    .fold((f64::MAX, f64::MIN), |(lo, hi), x| (lo.min(x), hi.max(x)));
                assert_eq!((tree.bounds(i)[j], tree.bounds(i)[d + j]), (lo, hi));
            }
            if !node.is_leaf() {
                assert_eq!(tree.nodes()[i + 1].parent as usize, i);
                assert_eq!(tree.nodes()[node.right as usize].parent as usize, i);
            }
        }
        for block in 0..tree.n_blocks() {
            for i in 0..BLOCK {
                let row = tree.rows()[block * BLOCK + i];
                assert_eq!(row != NO_ROW, tree.filled(block) >> i & 1 == 1);
                for j in 0..d {
                    let value = tree.block(block)[j * BLOCK + i];
                    assert!(if row == NO_ROW { value.is_nan() } else { value == x[[row as usize, j]] });
                }
            }
        }
        rows.sort_unstable();
        assert!(rows.iter().copied().eq(0..u32::try_from(x.nrows()).unwrap()));
    }

    #[test]
    fn a_tree_holds_every_row_once_in_tight_boxes() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
        for n in [1, 2, 31, 32, 33, 64, 65, 100, 1000, 5000, 20_000] {
            for d in [1, 2, 3, 7] {
                holds_every_row_once_in_tight_boxes(&Array2::from_shape_fn((n, d), |_| {
                    rng.gen_range(-1.0..1.0)
                }));
                holds_every_row_once_in_tight_boxes(&Array2::from_shape_fn((n, d), |_| {
                    f64::from(rng.gen_range(0..3))
                }));
            }
        }
        holds_every_row_once_in_tight_boxes(&Array2::zeros((5000, 2)));
    }

    #[test]
    fn the_mask_takes_the_smallest_and_the_first_of_equal_ones() {
        assert_eq!(split_mask(&[3.0, 1.0, 2.0, 2.0, 2.0], 2), [0b00110]);
        let equal = vec![0.5_f32; 10_000];
        let mask = split_mask(&equal, 4992);
        assert!((0..10_000).all(|i| (mask[i / 64] >> (i % 64) & 1 == 1) == (i < 4992)));
    }
}
