//! The labels of one part of the grid.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::around::{Around, GATHERED};
use super::{Cores, NONE, Search};
use crate::dbscan::clusters::Found;
use crate::float::Float;
use crate::kernel::simd::{Simd, Task};

/// Points after which a row is written that the memory is told of: rows lie far from one another.
const AHEAD: usize = 32;

/// Gives each point of some cells its label.
pub(super) struct Label<'a, F, const D: usize, const W: usize> {
    pub(super) search: &'a Search<'a, F, D, W>,
    pub(super) cells: &'a Range<usize>,
    /// From [`Cores`], those of this part.
    pub(super) neighbours: &'a [u32],
    pub(super) cores: &'a Cores,
    /// The label of each sub-cell with core points; a last entry, [`NONE`], stands for no sub-cell.
    pub(super) labels: &'a [AtomicU32],
    pub(super) found: &'a Found,
}

impl<F: Float, const D: usize, const W: usize> Task for Label<'_, F, D, W> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { search, cells, neighbours, cores, labels, found } = self;
        let grid = search.grid;
        let none = labels.len() - 1;
        let mut around = None;
        let mut neighbours = neighbours;
        for cell in cells.clone() {
            let mut cores_around = None;
            for i in grid.points(cell..cell + 1) {
                found.expect(grid.rows[(i + AHEAD).min(grid.rows.len() - 1)]);
                let home = cores.home(i);
                if home != NONE {
                    found.set(grid.rows[i], Some(labels[home as usize].load(Relaxed)), true);
                    continue;
                }
                // Without a branch: most borders are near core points and others.
                let label = |j: usize| labels[(cores.home(j) as usize).min(none)].load(Relaxed);
                let mut best = NONE;
                let n = neighbours[0];
                neighbours = &neighbours[1..];
                if n == NONE {
                    let around = around.get_or_insert_with(|| Around::new(search, cell, false));
                    if *cores_around.get_or_insert_with(|| search.enter_for_cores::<S>(around, cell, cores)) {
                        around.each_hit::<S>(i, |j| {
                            best = best.min(label(j));
                            best != 0
                        });
                    }
                } else {
                    let (near, rest) = neighbours.split_at(n as usize);
                    for &j in near {
                        best = best.min(label(j as usize));
                        if best == 0 {
                            break;
                        }
                    }
                    neighbours = rest;
                }
                found.set(grid.rows[i], (best != NONE).then_some(best), false);
            }
        }
    }
}

impl<F: Float, const D: usize, const W: usize> Search<'_, F, D, W> {
    /// Goes to a cell; tells whether there are core points around.
    #[inline(always)]
    fn enter_for_cores<S: Simd>(&self, around: &mut Around<'_, F, D, W>, cell: usize, cores: &Cores) -> bool {
        let n = around.enter::<S>(cell..cell + 1);
        let mut subs = around.cells.iter().flat_map(|cells| self.grid.subs(cells.clone()));
        let some = subs.any(|sub| cores.has_cores[sub]);
        if some && n <= GATHERED {
            around.gather::<S>();
        }
        some
    }
}
