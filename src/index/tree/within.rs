//! The search for all points within a radius of a query.

use std::hint::select_unpredictable;
use std::ops::{ControlFlow, Range};

use super::{Neighbour, Tree};
use crate::float::Float;
use crate::kernel::simd::{Simd, Task};
use crate::kernel::{BLOCK, BOX_PAD, Norm, Radius, bits, boxes_in, expect_reads, hits_in, totals_in};

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
pub(super) trait Purpose {
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
pub(super) struct Count {
    pub(super) count: usize,
    pub(super) limit: usize,
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
pub(super) struct Visit<'a, V>(pub(super) &'a mut V);

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
pub(super) struct Within<'a, F, N, P> {
    pub(super) tree: &'a Tree<F>,
    pub(super) query: &'a [F],
    pub(super) radius: &'a Radius<F, N>,
    pub(super) purpose: &'a mut P,
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
