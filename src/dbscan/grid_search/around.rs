//! What lies around a cell: a cursor over the grid.

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::grid::Grid;
use super::{KEPT, NONE, Search};
use crate::dbscan::union_find::UnionFind;
use crate::float::Float;
use crate::kernel::simd::Simd;
use crate::kernel::{
    Between, LOOK, PAD, Run, append_named, bits, copy_runs, count_near, each_near, hits_among, join_hits,
    n_below, n_words,
};

/// Points around a cell up to which they are copied into one run.
pub(super) const GATHERED: usize = 1024;

/// Points that are counted before the count is looked at.
const COUNTED: usize = 128;

/// The points around one cell after another, or two by two, in the order of the cells.
pub(super) struct Around<'a, F, const D: usize, const W: usize> {
    search: &'a Search<'a, F, D, W>,
    /// Whether to leave out what is behind the present cells.
    only_before: bool,
    /// Which of the rows of cells around a cell is its own.
    own_row: usize,
    /// For each row of cells, where the cells around the present ones begin.
    at: Vec<usize>,
    /// Cells around the present ones, row by row.
    pub(super) cells: Vec<Range<usize>>,
    /// Their points.
    runs: Vec<Range<usize>>,
    /// The points of the present cells.
    here: Range<usize>,
    /// Copies of the points around, how many, and which they are.
    columns: [Vec<u32>; W],
    gathered: usize,
    which: Vec<u32>,
    /// The copy of the first point of the present cells.
    own: usize,
    /// For each of the `asked` points, a bit for every copy: whether it is within the radius.
    hits: Vec<u64>,
    asked: Range<usize>,
    /// Those that the grid is too coarse to tell.
    between: Vec<Between>,
    marks: Vec<u32>,
}

impl<'a, F: Float, const D: usize, const W: usize> Around<'a, F, D, W> {
    /// A cursor at `cell`, over all that is around, or over the cells up to the present ones.
    pub(super) fn new(search: &'a Search<'a, F, D, W>, cell: usize, only_before: bool) -> Self {
        let Grid { keys, offsets, .. } = search.grid;
        let own_row = offsets.len() / 2;
        let n_rows = if only_before { own_row + 1 } else { offsets.len() };
        let first = |offset: &u64| {
            let first = keys[cell].wrapping_add(*offset) - 1;
            keys.partition_point(|&key| key < first)
        };
        Self {
            search,
            only_before,
            own_row,
            at: offsets[..n_rows].iter().map(first).collect(),
            cells: vec![0..0; n_rows],
            runs: vec![0..0; n_rows],
            here: 0..0,
            columns: std::array::from_fn(|_| vec![0; GATHERED + 2 * PAD]),
            gathered: 0,
            which: vec![0; GATHERED + 2 * PAD],
            own: 0,
            hits: Vec::new(),
            asked: 0..0,
            between: Vec::new(),
            marks: vec![NONE; GATHERED],
        }
    }

    /// Goes to one or two cells; returns the number of points around.
    #[inline(always)]
    pub(super) fn enter<S: Simd>(&mut self, here: Range<usize>) -> usize {
        let grid = self.search.grid;
        let (first, end) = (grid.keys[here.start] - 1, grid.keys[here.end - 1] + 2);
        for ((at, cells), offset) in self.at.iter_mut().zip(&mut self.cells).zip(&grid.offsets) {
            loop {
                let near = grid.keys[*at..].first_chunk().expect("as many keys follow the last cell");
                let n_before = n_below::<S>(near, first.wrapping_add(*offset));
                let n_up_to = n_below::<S>(near, end.wrapping_add(*offset));
                *cells = *at + n_before..*at + n_up_to;
                *at += n_before;
                if n_up_to < LOOK {
                    break;
                }
            }
        }
        if self.only_before {
            self.cells[self.own_row].end = here.end;
        }
        let mut n = 0;
        for (run, cells) in self.runs.iter_mut().zip(&self.cells) {
            *run = grid.points(cells.clone());
            n += run.len();
        }
        self.here = grid.points(here);
        (self.gathered, self.asked) = (0, 0..0);
        n
    }

    /// Copies the points around, of which there are at most [`GATHERED`], into one run.
    #[inline(always)]
    pub(super) fn gather<S: Simd>(&mut self) {
        let columns = self.search.grid.columns.each_ref().map(Vec::as_slice);
        let before: usize = self.runs[..self.own_row].iter().map(Range::len).sum();
        self.own = before + (self.here.start - self.runs[self.own_row].start);
        self.gathered = copy_runs::<S, W>(columns, &self.runs, &mut self.columns, &mut self.which);
    }

    /// Finds the neighbours of some points of the present cells among the copies.
    #[inline(always)]
    pub(super) fn find_hits<S: Simd>(&mut self, asked: Range<usize>) {
        let Search { grid, .. } = *self.search;
        let copy = |i: usize| self.own + (i - self.here.start);
        let run = Run { columns: self.columns.each_ref().map(Vec::as_slice), start: 0, end: self.gathered };
        let n_words = n_words(self.gathered);
        let all = asked.len() * n_words;
        if self.hits.len() < all {
            self.hits.resize(all, 0);
        }
        self.between.clear();
        let copies = copy(asked.start)..copy(asked.end);
        hits_among::<S, W>(copies, run, grid.band, &mut self.hits[..all], &mut self.between);
        for &Between { point, word, bits } in &self.between {
            let hits = &mut self.hits[(point - copy(asked.start)) * n_words + word];
            for k in ones(&[bits]) {
                if !self.search.is_within(self.which[point] as usize, self.which[64 * word + k] as usize) {
                    *hits &= !(1 << k);
                }
            }
        }
        self.asked = asked;
    }

    /// What was found for point `i`.
    #[inline(always)]
    fn hits(&self, i: usize) -> &[u64] {
        let n_words = n_words(self.gathered);
        &self.hits[(i - self.asked.start) * n_words..][..n_words]
    }

    /// Joins the sets of the core points of the present cells, whose hits were found, with those of the core points before them and among them.
    #[inline(always)]
    pub(super) fn join<S: Simd>(&mut self, homes: &[AtomicU32], sets: &UnionFind) {
        let own = self.own..self.own + self.here.len();
        // A mark is a name of a set. Sets that are found to be one get one name.
        let marks = &mut self.marks[..64 * n_words(own.end)];
        for (mark, &i) in marks.iter_mut().zip(&self.which[..own.end]) {
            *mark = sets.ancestor(homes[i as usize].load(Relaxed));
        }
        marks[own.end..].fill(NONE);
        let hits = (&self.hits[..], n_words(self.gathered));
        join_hits::<S>(own.clone(), own.start, hits, marks, |own, other| sets.union(own, other));
    }

    /// Whether as many points as are needed lie within the radius of point `i`, whose hits were found if there are copies.
    #[inline(always)]
    pub(super) fn has_enough(&self, i: usize) -> bool {
        let Search { grid, need, .. } = *self.search;
        if self.gathered > 0 {
            return self.hits(i).iter().map(|hits| hits.count_ones() as usize).sum::<usize>() >= need;
        }
        let point = grid.point(i);
        let mut n = 0;
        // The own row first.
        let (before, rest) = self.runs.split_at(self.own_row);
        for run in rest.iter().chain(before) {
            for start in run.clone().step_by(COUNTED) {
                let end = run.end.min(start + COUNTED);
                n += self.count(i, point, grid.run(start..end));
                if n >= need {
                    return true;
                }
            }
        }
        false
    }

    /// Number of points of a run within the radius of point `i`.
    #[inline(always)]
    fn count(&self, i: usize, point: [u32; W], run: Run<'_, W>) -> usize {
        let band = self.search.grid.band;
        if let Some(n) = count_near(point, run, band) {
            return n as usize;
        }
        let mut n = 0;
        each_near(point, run, band, |first, inside, between| {
            n += inside.count_ones() as usize;
            n += bits(between).filter(|k| self.search.is_within(i, first + k)).count();
            true
        });
        n
    }

    /// Appends the number of points within the radius of point `i`, but for itself, and they themselves to `neighbours`; or [`NONE`] where they may be too
    /// many.
    #[inline(always)]
    pub(super) fn keep_hits<S: Simd>(&mut self, i: usize, neighbours: &mut Vec<u32>) {
        let count = neighbours.len();
        neighbours.push(NONE);
        if self.search.need > KEPT + 1 {
            return;
        }
        if self.gathered > 0 {
            let n_words = n_words(self.gathered);
            let own = self.own + (i - self.here.start);
            let hits = &mut self.hits[(i - self.asked.start) * n_words..][..n_words];
            hits[own / 64] &= !(1 << (own % 64));
            append_named::<S>(hits, &self.which, neighbours);
        } else {
            self.each_hit::<S>(i, |j| {
                if j != i {
                    neighbours.push(j as u32);
                }
                true
            });
        }
        neighbours[count] = (neighbours.len() - count - 1) as u32;
    }

    /// Visits the points within the radius of point `i` until `visit` returns false.
    #[inline(always)]
    pub(super) fn each_hit<S: Simd>(&mut self, i: usize, mut visit: impl FnMut(usize) -> bool) {
        let Search { grid, .. } = *self.search;
        if self.gathered > 0 {
            if !self.asked.contains(&i) {
                self.find_hits::<S>(i..i + 1);
            }
            ones(self.hits(i)).all(|k| visit(self.which[k] as usize));
            return;
        }
        for run in &self.runs {
            let mut go_on = true;
            each_near(grid.point(i), grid.run(run.clone()), grid.band, |first, inside, between| {
                for j in bits(inside | between) {
                    if inside >> j & 1 == 1 || self.search.is_within(i, first + j) {
                        go_on = go_on && visit(first + j);
                    }
                }
                go_on
            });
            if !go_on {
                return;
            }
        }
    }
}

/// The bits that are set.
#[inline(always)]
fn ones(words: &[u64]) -> impl Iterator<Item = usize> {
    words.iter().enumerate().flat_map(|(i, &word)| {
        let mut word = word;
        std::iter::from_fn(move || {
            let bit = word.trailing_zeros() as usize;
            word &= word.wrapping_sub(1);
            (bit < 64).then_some(64 * i + bit)
        })
    })
}
