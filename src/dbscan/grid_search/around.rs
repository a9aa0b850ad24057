//! What lies around a cell: a cursor over the grid.

use std::ops::Range;

use super::{Cores, GATHERED, Search};
use crate::float::Float;
use crate::kernel::{PAD, Run, bits, count_near, each_near};

/// Rows of cells around a cell, at most.
const ROWS: usize = 9;

/// Points that are counted before the count is looked at.
const COUNTED: usize = 128;

/// The points around one cell after another, in the order of the cells.
pub(super) struct Around<'a, F, const D: usize, const W: usize> {
    search: &'a Search<'a, F, D, W>,
    offsets: &'a [u64],
    /// For each row of cells, where the cells around the last one began and ended.
    at: [(usize, usize); ROWS],
    /// Cells around the present one: its own row, then the others.
    pub(super) cells: Vec<Range<usize>>,
    /// Their points.
    pub(super) runs: Vec<Range<usize>>,
    /// Copies of those points, and which they are.
    pub(super) gathered: usize,
    columns: [Vec<u32>; W],
    pub(super) which: Vec<u32>,
    pub(super) marks: Vec<u32>,
}

impl<'a, F: Float, const D: usize, const W: usize> Around<'a, F, D, W> {
    pub(super) fn new(search: &'a Search<'a, F, D, W>, cell: usize, offsets: &'a [u64]) -> Self {
        let keys = &search.grid.keys;
        let mut at = [(0, 0); ROWS];
        for (at, offset) in at.iter_mut().zip(offsets) {
            let first = keys[cell].wrapping_add(*offset) - 1;
            let first = keys.partition_point(|&key| key < first);
            *at = (first, first);
        }
        Self {
            search,
            offsets,
            at,
            cells: Vec::with_capacity(ROWS),
            runs: Vec::with_capacity(ROWS),
            gathered: 0,
            columns: std::array::from_fn(|_| vec![0; GATHERED + 2 * PAD]),
            which: vec![0; GATHERED + 2 * PAD],
            marks: vec![0; GATHERED + 2 * PAD],
        }
    }

    /// Goes to one or two cells, their own row first; returns the number of points around.
    pub(super) fn enter(&mut self, here: Range<usize>) -> usize {
        self.find_cells(here);
        let own = self.cells.len() / 2;
        self.cells.swap(0, own);
        self.find_runs()
    }

    /// Goes to a cell; tells whether there are core points around.
    pub(super) fn enter_for_cores(&mut self, cell: usize, cores: &Cores) -> bool {
        let grid = self.search.grid;
        let n = self.enter(cell..cell + 1);
        let mut subs = self.cells.iter().flat_map(|cells| grid.subs(cells.clone()));
        if !subs.any(|sub| cores.n_cores[sub] > 0) {
            return false;
        }
        if n <= GATHERED {
            self.gather();
        }
        true
    }

    /// Goes to one or two cells, with the cells before them only; the last offset is that of their own row.
    pub(super) fn enter_before(&mut self, here: Range<usize>) -> usize {
        self.find_cells(here.clone());
        let own = self.cells.len() - 1;
        self.cells[own].end = here.end;
        self.cells.reverse();
        self.find_runs()
    }

    fn find_cells(&mut self, here: Range<usize>) {
        let keys = &self.search.grid.keys;
        self.cells.clear();
        for ((first, end), offset) in self.at.iter_mut().zip(self.offsets) {
            let before = keys[here.start].wrapping_add(*offset) - 1;
            let behind = keys[here.end - 1].wrapping_add(*offset) + 1;
            // A few steps without a branch are nearly always enough.
            for _ in 0..2 {
                *first += usize::from(keys[*first] < before);
            }
            while keys[*first] < before {
                *first += 1;
            }
            *end = (*end).max(*first);
            for _ in 0..2 {
                *end += usize::from(keys[*end] <= behind);
            }
            while keys[*end] <= behind {
                *end += 1;
            }
            // Two cells were entered before the second of them.
            while *end > *first && keys[*end - 1] > behind {
                *end -= 1;
            }
            self.cells.push(*first..*end);
        }
    }

    fn find_runs(&mut self) -> usize {
        let grid = self.search.grid;
        self.runs.clear();
        self.runs
            .extend(self.cells.iter().map(|cells| grid.points(cells.clone())).filter(|run| !run.is_empty()));
        self.gathered = 0;
        self.runs.iter().map(Range::len).sum()
    }

    /// Copies the points around, of which there are at most [`GATHERED`], into one run.
    pub(super) fn gather(&mut self) {
        let grid = self.search.grid;
        for run in &self.runs {
            let mut to = self.gathered;
            for from in run.clone().step_by(PAD) {
                for (to_column, column) in self.columns.iter_mut().zip(&grid.columns) {
                    to_column[to..to + PAD].copy_from_slice(&column[from..from + PAD]);
                }
                let which = self.which[to..to + PAD].iter_mut();
                which.zip(from as u32..).for_each(|(which, i)| *which = i);
                to += PAD;
            }
            self.gathered += run.len();
        }
    }

    /// The copied points.
    pub(super) fn run(&self) -> Run<'_, W> {
        Run { columns: self.columns.each_ref().map(Vec::as_slice), start: 0, end: self.gathered }
    }

    /// Whether as many points as are needed lie within the radius of point `i`.
    pub(super) fn has_enough(&self, i: usize) -> bool {
        let Search { grid, need, .. } = *self.search;
        let point = grid.point(i);
        let mut n = 0;
        if self.gathered > 0 {
            n = self.count(i, point, self.run(), |j| self.which[j] as usize);
        } else {
            for run in &self.runs {
                for start in run.clone().step_by(COUNTED) {
                    let end = run.end.min(start + COUNTED);
                    n += self.count(i, point, grid.run(start..end), |j| j);
                    if n >= need {
                        return true;
                    }
                }
            }
        }
        n >= need
    }

    /// Number of points of a run within the radius of point `i`.
    #[inline(always)]
    fn count(&self, i: usize, point: [u32; W], run: Run<'_, W>, which: impl Fn(usize) -> usize) -> usize {
        let band = self.search.grid.band;
        if let Some(n) = count_near(point, run, band) {
            return n as usize;
        }
        let mut n = 0;
        each_near(point, run, band, |first, inside, between| {
            n += inside.count_ones() as usize;
            for k in bits(between) {
                n += usize::from(self.search.is_within(i, which(first + k)));
            }
            true
        });
        n
    }

    /// Visits the points within the radius of point `i` until `visit` returns false.
    pub(super) fn each_hit(&self, i: usize, mut visit: impl FnMut(usize) -> bool) {
        let grid = self.search.grid;
        if self.gathered > 0 {
            self.each_hit_of(i, self.run(), |j| self.which[j] as usize, &mut visit);
            return;
        }
        for run in &self.runs {
            if !self.each_hit_of(i, grid.run(run.clone()), |j| j, &mut visit) {
                return;
            }
        }
    }

    #[inline(always)]
    fn each_hit_of(
        &self,
        i: usize,
        run: Run<'_, W>,
        which: impl Fn(usize) -> usize,
        visit: &mut impl FnMut(usize) -> bool,
    ) -> bool {
        let grid = self.search.grid;
        let mut go_on = true;
        each_near(grid.point(i), run, grid.band, |first, inside, between| {
            for k in bits(inside | between) {
                let j = which(first + k);
                if inside >> k & 1 == 1 || self.search.is_within(i, j) {
                    go_on = visit(j);
                    if !go_on {
                        break;
                    }
                }
            }
            go_on
        });
        go_on
    }
}
