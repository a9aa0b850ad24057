//! The search for all points within a radius of a query.

use std::ops::ControlFlow;

use super::{Levels, Neighbour, Tree};
use crate::float::Float;
use crate::kernel::simd::{Simd, Task};
use crate::kernel::{BLOCK, Norm, Radius, WIDE, bits, boxes_in, expect_reads, hits_in, totals_in};

/// Nodes that wait while others are searched: at most 15 in each level, of which there are at most 7 with fewer than 2^31 rows.
const WAITING: usize = 112;

/// Blocks that were found and asked for, before the first of them is looked at.
const FOUND: usize = 2 * WIDE;

/// Bytes of blocks that are asked for before they are looked at: half of a first-level cache, so that none is gone again when its turn comes.
const LEAD: usize = 24 << 10;

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
    pub(super) levels: &'a Levels,
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
        let Self { tree, levels, query, .. } = self;
        let (mut waiting, mut n_waiting) = ([(0_u32, 0_u32); WAITING], 0);
        let (mut found, mut n_found) = ([0_u32; FOUND], 0);
        let lead = self.lead();
        let (mut level, mut node) = (0, 0);
        loop {
            let boxes = levels.level(level).boxes(node, query.len());
            let [mut near, whole] = boxes_in::<F, N, S>(query, boxes, self.radius.limit);
            for k in bits(whole) {
                if self.purpose.whole(tree.n_points_in(levels.blocks(level, node, k)))? {
                    near &= !(1 << k);
                }
            }
            if levels.is_last(level) {
                if n_found + WIDE > FOUND {
                    self.look::<S>(&found[..n_found])?;
                    n_found = 0;
                }
                let first = levels.first_block(node);
                for k in bits(near) {
                    if n_found < lead {
                        let block = tree.block(first + k);
                        expect_reads(block.as_ptr(), block.len());
                    }
                    found[n_found] = (first + k) as u32;
                    n_found += 1;
                }
            } else {
                for k in bits(near) {
                    waiting[n_waiting] = (level as u32 + 1, levels.level(level).child(node, k) as u32);
                    n_waiting += 1;
                }
            }
            if n_waiting == 0 {
                return self.look::<S>(&found[..n_found]);
            }
            n_waiting -= 1;
            (level, node) = (waiting[n_waiting].0 as usize, waiting[n_waiting].1 as usize);
        }
    }

    /// The same in blocks.
    #[inline(always)]
    fn lead(&self) -> usize {
        (LEAD / (BLOCK * size_of::<F>() * self.query.len())).max(1)
    }

    /// At the points of some blocks.
    #[inline(always)]
    fn look<S: Simd>(&mut self, blocks: &[u32]) -> ControlFlow<()> {
        let Self { tree, query, .. } = *self;
        let lead = self.lead();
        for (k, &block) in blocks.iter().enumerate() {
            if let Some(&later) = blocks.get(k + lead) {
                let later = tree.block(later as usize);
                expect_reads(later.as_ptr(), later.len());
            }
            let block = block as usize;
            let (points, rows) = (tree.block(block), &tree.rows[block * BLOCK..][..BLOCK]);
            let hits = hits_in::<F, N, S>(query, points, self.radius);
            self.purpose.some::<F, N, S>(hits, query, points, rows)?;
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{Absolutes, Largest, Squares};
    use ndarray::Array2;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn agrees<F: Float, N: Norm>(x: &Array2<F>) {
        let tree = Tree::new(x.view()).unwrap();
        let levels = Levels::new(&tree);
        for (row, radius) in [0.0, 0.1, 0.3, 1.0, 3.0, 1e300].into_iter().enumerate() {
            let (query, radius) = (x.row(row * 7), F::radius::<N>(radius, x.ncols()));
            let query = query.as_slice().unwrap();
            let total = |y: &[F]| {
                let differences = query.iter().zip(y).map(|(x, y)| x.as_f64() - y.as_f64());
                differences.fold(0.0, |total, d| N::add_one(total, d))
            };
            let rows = x.outer_iter().enumerate();
            let expected: Vec<(usize, f64)> = rows
                .map(|(row, y)| (row, total(y.as_slice().unwrap())))
                .filter(|(_, total)| *total <= radius.limit)
                .map(|(row, total)| (row, N::distance_of(total)))
                .collect();
            let mut found = Vec::new();
            let all = tree.visit_within(&levels, query, &radius, &mut |near| {
                found.push((near.row, near.distance));
                ControlFlow::Continue(())
            });
            found.sort_by_key(|near| near.0);
            assert!(all.is_continue() && found == expected, "{} of {}", found.len(), expected.len());
            assert_eq!(tree.count_within(&levels, query, &radius, usize::MAX), expected.len());
            let half = expected.len().div_ceil(2);
            assert!((half..=expected.len()).contains(&tree.count_within(&levels, query, &radius, half)));
        }
    }

    #[test]
    fn a_search_over_several_levels_finds_what_a_plain_loop_finds() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
        for (n, d) in [(513, 1), (8193, 2), (20_000, 3), (9000, 5)] {
            let lattice = Array2::from_shape_fn((n, d), |_| f64::from(rng.gen_range(0..20)) * 0.1);
            agrees::<f64, Squares>(&lattice);
            agrees::<f64, Absolutes>(&lattice);
            agrees::<f64, Largest>(&lattice);
            agrees::<f32, Squares>(&lattice.mapv(<f32 as crate::kernel::Element>::of));
        }
    }
}
