//! The core points of one part of the grid, and their connections.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::around::{Around, GATHERED};
use super::{KEPT, Part, Search};
use crate::dbscan::union_find::UnionFind;
use crate::float::Float;
use crate::kernel::simd::{Simd, Task};

/// Pairs of points for each pair of sub-cells, up to which all pairs of points are looked at.
const PAIRS_OF_SUBS: usize = 32;

/// Finds the core points of some cells, and connects them with those of the cells from `known` on and before them.
///
/// Compiled as a whole for each instruction set: what one cell of few points costs is too little for calls.
pub(super) struct Sweep<'a, F, const D: usize, const W: usize> {
    pub(super) search: &'a Search<'a, F, D, W>,
    pub(super) cells: &'a Range<usize>,
    pub(super) known: usize,
    pub(super) part: Part<'a>,
    pub(super) homes: &'a [AtomicU32],
    pub(super) sets: &'a UnionFind,
}

impl<F: Float, const D: usize, const W: usize> Task for Sweep<'_, F, D, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { search, cells, known, part, homes, sets } = self;
        let Search { grid, need, .. } = *search;
        let Part { has_cores, neighbours, later } = part;
        let first_sub = grid.subs(cells.clone()).start;
        let mut around = Around::new(search, cells.start, false);
        for here in grid.together(cells.clone()) {
            let subs = grid.subs(here.clone());
            let n_thin = || subs.clone().map(|sub| grid.sub(sub).len()).filter(|&n| n < need).sum::<usize>();
            let n = around.enter::<S>(here.clone());
            if n < need {
                // No core point is here.
                let points = grid.points(here);
                if need <= KEPT + 1 {
                    around.gather::<S>();
                    around.find_hits::<S>(points.clone());
                }
                points.for_each(|i| around.keep_hits::<S>(i, neighbours));
                continue;
            }
            let by_points = search.is_searched_by_points(&here, &around.cells, n);
            // The more points ask, the more a copy is worth.
            let gathered = by_points || n <= GATHERED && n <= 64 * n_thin();
            if gathered {
                around.gather::<S>();
            }
            if by_points {
                around.find_hits::<S>(grid.points(here.clone()));
            }
            for sub in subs.clone() {
                let points = grid.sub(sub);
                if points.len() >= need {
                    has_cores[sub - first_sub] = true;
                    points.for_each(|i| homes[i].store(sub as u32, Relaxed));
                    continue;
                }
                if gathered && !by_points {
                    around.find_hits::<S>(points.clone());
                }
                for i in points {
                    if around.has_enough(i) {
                        has_cores[sub - first_sub] = true;
                        homes[i].store(sub as u32, Relaxed);
                    } else {
                        around.keep_hits::<S>(i, neighbours);
                    }
                }
            }
            let some_core = has_cores[subs.start - first_sub..subs.end - first_sub].contains(&true);
            match by_points {
                _ if !some_core => {}
                false => later.by_subs.push(here),
                true if around.cells[0].start < known => later.by_points.push(here),
                true => around.join::<S>(homes, sets),
            }
        }
    }
}

impl<F: Float, const D: usize, const W: usize> Search<'_, F, D, W> {
    /// Whether to search the neighbours of every point, of one or two cells with `n` points around, or to compare their sub-cells with those around.
    #[inline(always)]
    fn is_searched_by_points(&self, here: &Range<usize>, around: &[Range<usize>], n: usize) -> bool {
        let grid = self.grid;
        let n_pairs = grid.points(here.clone()).len() * n;
        let n_cells: usize = around.iter().map(Range::len).sum();
        let n_subs = || around.iter().map(|cells| grid.subs(cells.clone()).len()).sum::<usize>();
        // There are at least as many sub-cells as cells.
        n <= GATHERED
            && (n_pairs <= PAIRS_OF_SUBS * n_cells
                || n_pairs <= PAIRS_OF_SUBS * n_subs() * grid.subs(here.clone()).len())
    }
}
