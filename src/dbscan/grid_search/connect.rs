//! The connections of cells that were left for later.

use std::ops::Range;

use super::around::Around;
use super::touch::touch;
use super::{Cores, Later, NONE, Search};
use crate::dbscan::union_find::UnionFind;
use crate::float::Float;
use crate::kernel::simd::{Simd, Task};
use crate::kernel::{bits, each_near};

/// Pairs of points of two sub-cells up to which all are looked at.
const MANY_PAIRS: usize = 8192;

/// Connects the core points of some cells with those before them.
pub(super) struct Connect<'a, F, const D: usize, const W: usize> {
    pub(super) search: &'a Search<'a, F, D, W>,
    pub(super) later: &'a Later,
    pub(super) cores: &'a Cores,
    pub(super) sets: &'a UnionFind,
}

impl<F: Float, const D: usize, const W: usize> Task for Connect<'_, F, D, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { search, later, cores, sets } = self;
        if let Some(first) = later.by_points.first() {
            let mut around = Around::new(search, first.start, true);
            for here in &later.by_points {
                around.enter::<S>(here.clone());
                around.gather::<S>();
                around.find_hits::<S>(search.grid.points(here.clone()));
                around.join::<S>(&cores.homes, sets);
            }
        }
        if let Some(first) = later.by_subs.first() {
            let mut around = Around::new(search, first.start, true);
            for cell in later.by_subs.iter().cloned().flatten() {
                let subs = search.grid.subs(cell..cell + 1);
                if cores.has_cores[subs.clone()].contains(&true) {
                    around.enter::<S>(cell..cell + 1);
                    search.connect_subs(subs, &around.cells, cores, sets);
                }
            }
        }
    }
}

impl<F: Float, const D: usize, const W: usize> Search<'_, F, D, W> {
    /// Connects the core points of one cell with those around, sub-cell by sub-cell.
    #[inline(always)]
    fn connect_subs(&self, subs: Range<usize>, around: &[Range<usize>], cores: &Cores, sets: &UnionFind) {
        let grid = self.grid;
        for sub in subs.filter(|&sub| cores.has_cores[sub]) {
            for cells in around.iter().rev() {
                for other in grid.subs(cells.clone()).rev() {
                    if other < sub
                        && cores.has_cores[other]
                        && sets.find(sub as u32) != sets.find(other as u32)
                        && self.touch(sub, other, cores)
                    {
                        sets.union(sub as u32, other as u32);
                    }
                }
            }
        }
    }

    /// Whether two sub-cells hold core points within the radius of one another.
    #[inline(always)]
    fn touch(&self, a: usize, b: usize, cores: &Cores) -> bool {
        let grid = self.grid;
        let (mut few, mut many) = (grid.sub(a), grid.sub(b));
        if few.len() > many.len() {
            (few, many) = (many, few);
        }
        if few.len() * many.len() > MANY_PAIRS {
            let points = |points: Range<usize>| -> Vec<[F; D]> {
                let cores = points.filter(|&i| cores.home(i) != NONE);
                cores.map(|i| self.points[grid.rows[i] as usize]).collect()
            };
            return touch(&mut points(few), &mut points(many), self.sq_eps);
        }
        let mut found = false;
        for i in few.filter(|&i| cores.home(i) != NONE) {
            each_near(grid.point(i), grid.run(many.clone()), grid.band, |first, inside, between| {
                found = bits(inside | between).any(|k| {
                    cores.home(first + k) != NONE && (inside >> k & 1 == 1 || self.is_within(i, first + k))
                });
                !found
            });
            if found {
                break;
            }
        }
        found
    }
}
