//! DBSCAN over a grid of cells, for one to three dimensions: core points, their connections, and the labels, cell by cell.
//!
//! ```text
//!   +---+---+---+    Cells are as long as `eps`, so all neighbours of a point of cell `c` lie in `c` and the cells around it. Points are sorted
//!   | 6 | 7 | 8 |    by cell, row of cells after row of cells: what lies around `c` is one run of points for each row (012, 345, 678), and
//!   +---+---+---+    the runs only move forward while `c` does.
//!   | 3 |c:c| 5 |
//!   |   |c:c|   |    Each cell has `2^d` sub-cells, half as long. All points of a sub-cell are within `eps` of one another: where they are
//!   +---+---+---+    `min_samples` or more, all are core points, and the core points of a sub-cell are always of one cluster.
//!   | 0 | 1 | 2 |
//!   +---+---+---+
//! ```
//!
//! 1. *Core points.* Full sub-cells are settled without a distance. The other points count their neighbours in the runs, 16 at a time; those that are no
//!    core points keep the few that they found.
//! 2. *Connections.* The sets are of sub-cells. Each is compared with the cells before it and with its own cell. In thin cells that is done at once, with
//!    the neighbours just found: a core point joins the sets of those before it that are core points. Crowded cells wait until all core points are
//!    known: sub-cells that are of two sets look for one pair of points.
//! 3. *Labels.* Sets are numbered by their smallest row. A border point takes the smallest number among the neighbours that it kept.
//!
//! The answers are those of the definition, in `f64`: positions are whole numbers (see [`grid`]), and where they are too coarse to tell whether two points
//! are within `eps`, which is rare but for lattices, the distance is computed from the input. The sets do not depend on the order in which pairs were
//! met, so neither do the labels.

mod around;
mod grid;
mod touch;

use std::ops::Range;
use std::sync::atomic::{
    AtomicBool, AtomicU32,
    Ordering::{Acquire, Relaxed, Release},
};

use super::clusters::{Found, number_by_smallest_row};
use super::union_find::UnionFind;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::{bits, each_near};
use crate::observe::{Observer, Progress, report};
use crate::par;
use around::{Around, GATHERED};
use grid::{Grid, Scale};
use touch::touch;

#[cfg(test)]
mod tests;

/// The home of a point that is no core point, the row of a sub-cell without one, the label of noise.
const NONE: u32 = u32::MAX;

/// Neighbours of a point that is no core point up to which they are kept.
const KEPT: usize = 16;

/// Pairs of points of two sub-cells up to which all are looked at.
const MANY_PAIRS: usize = 8192;

/// Pairs of points for each pair of sub-cells, up to which all pairs of points are looked at.
const PAIRS_OF_SUBS: usize = 32;

/// Parts of the grid between two reports.
const WAVE: usize = 128;

/// Clusters the rows of `records`, `d` numbers each, or tells that a grid does not fit them.
pub(super) fn cluster<F: Float>(
    records: &[F],
    d: usize,
    eps: f64,
    min_samples: usize,
    observer: &mut dyn Observer,
) -> Result<Option<Found>> {
    match d {
        1 => cluster_in::<F, 1, 1>(records, eps, min_samples, observer),
        2 => cluster_in::<F, 2, 1>(records, eps, min_samples, observer),
        3 => cluster_in::<F, 3, 2>(records, eps, min_samples, observer),
        _ => Ok(None),
    }
}

fn cluster_in<F: Float, const D: usize, const W: usize>(
    records: &[F],
    eps: f64,
    min_samples: usize,
    observer: &mut dyn Observer,
) -> Result<Option<Found>> {
    let Some(scale) = Scale::<D>::new(records, eps) else { return Ok(None) };
    let grid = grid::build::<F, D, W>(records, &scale);
    report(observer, Progress::new("index", 1, 1))?;
    let (points, _) = records.as_chunks::<D>();
    // No point has more neighbours than there are points, and those are fewer than 2^32.
    let need = u32::try_from(min_samples).unwrap_or(u32::MAX) as usize;
    let search = Search { grid: &grid, points, need, sq_eps: eps * eps };
    let steps = points.len() as u64;
    let sets = UnionFind::new(grid.n_subs() as u32);
    let (cores, later) = search
        .core_samples(&sets, |done| report(observer, Progress::new("core samples", done as u64, steps)))?;
    search.connect(&cores, &later, &sets);
    report(observer, Progress::new("connections", steps, steps))?;
    let found = search.label(&cores, &sets);
    report(observer, Progress::new("labels", steps, steps))?;
    Ok(Some(found))
}

struct Search<'a, F, const D: usize, const W: usize> {
    grid: &'a Grid<W>,
    /// The input.
    points: &'a [[F; D]],
    need: usize,
    sq_eps: f64,
}

/// The core points.
struct Cores {
    /// For each point, its sub-cell if it is a core point, else [`NONE`].
    ///
    /// A part of the grid is written by one thread, and read by others when it is finished; each home is a number of its own, so relaxed ordering is
    /// enough for it.
    homes: Vec<AtomicU32>,
    /// Core points of each sub-cell.
    n_cores: Vec<u32>,
    /// For each part of the grid and each point in it that is no core point, the number of its neighbours and they themselves, or [`NONE`]
    /// where they are more than [`KEPT`].
    neighbours: Vec<Vec<u32>>,
}

impl Cores {
    /// The sub-cell of point `i` if it is a core point, else [`NONE`].
    #[inline]
    fn home(&self, i: usize) -> u32 {
        self.homes[i].load(Relaxed)
    }
}

/// Cells of a part of the grid whose connections are left for later.
#[derive(Default)]
struct Later {
    /// Cells to be searched point by point: they have neighbours in a part that was not finished.
    by_points: Vec<Range<usize>>,
    /// Cells to be searched sub-cell by sub-cell: they are crowded.
    by_subs: Vec<Range<usize>>,
}

/// What is found in one part of the grid.
struct Part<'a> {
    /// From [`Cores`].
    n_cores: &'a mut [u32],
    neighbours: &'a mut Vec<u32>,
    later: &'a mut Later,
}

/// `data` cut into parts of the given lengths.
fn split<T>(mut data: &mut [T], lens: impl Iterator<Item = usize>) -> Vec<&mut [T]> {
    lens.map(|len| data.split_off_mut(..len).expect("the lengths add up")).collect()
}

impl<F: Float, const D: usize, const W: usize> Search<'_, F, D, W> {
    /// Whether two points of the grid are within the radius, as the definition computes it.
    #[cold]
    fn is_within(&self, i: usize, j: usize) -> bool {
        let (x, y) = (&self.points[self.grid.rows[i] as usize], &self.points[self.grid.rows[j] as usize]);
        let sq = x.iter().zip(y).fold(0.0, |sq, (x, y)| {
            let d = x.as_f64() - y.as_f64();
            sq + d * d
        });
        sq <= self.sq_eps
    }

    /// The core points, and their connections but for those of some cells.
    fn core_samples(
        &self,
        sets: &UnionFind,
        mut done: impl FnMut(usize) -> Result<()>,
    ) -> Result<(Cores, Vec<Later>)> {
        let grid = self.grid;
        let parts = &grid.parts;
        let homes = par::tabulate(self.points.len(), |_| AtomicU32::new(NONE));
        let mut n_cores = par::filled(grid.n_subs(), 0);
        let mut neighbours: Vec<Vec<u32>> = parts.iter().map(|_| Vec::new()).collect();
        let mut later: Vec<Later> = parts.iter().map(|_| Later::default()).collect();
        let finished: Vec<AtomicBool> = parts.iter().map(|_| AtomicBool::new(false)).collect();
        let n_cores_of = split(&mut n_cores, parts.iter().map(|cells| grid.subs(cells.clone()).len()));
        let found = n_cores_of.into_iter().zip(&mut neighbours).zip(&mut later);
        let mut work =
            found.map(|((n_cores, neighbours), later)| Part { n_cores, neighbours, later }).enumerate();
        loop {
            let wave: Vec<_> = work.by_ref().take(WAVE).collect();
            let Some(&(last, _)) = wave.last() else { break };
            par::for_each(wave, |_, (part, found)| {
                // The parts before this one that are finished.
                let before = (0..part).rev().take_while(|&part| finished[part].load(Acquire)).last();
                let known = parts[before.unwrap_or(part)].start;
                self.core_samples_of(&parts[part], known, found, &homes, sets);
                finished[part].store(true, Release);
            });
            done(grid.points(0..parts[last].end).end)?;
        }
        Ok((Cores { homes, n_cores, neighbours }, later))
    }

    /// The core points of some cells, and their connections with those of the cells from `known` on and before them.
    fn core_samples_of(
        &self,
        cells: &Range<usize>,
        known: usize,
        part: Part<'_>,
        homes: &[AtomicU32],
        sets: &UnionFind,
    ) {
        let Self { grid, need, .. } = *self;
        let Part { n_cores, neighbours, later } = part;
        let first_sub = grid.subs(cells.clone()).start;
        let mut around = Around::new(self, cells.start, false);
        for here in grid.together(cells.clone()) {
            let subs = grid.subs(here.clone());
            let is_thin = |sub: &usize| grid.sub(*sub).len() < need;
            let n_thin: usize = subs.clone().filter(is_thin).map(|sub| grid.sub(sub).len()).sum();
            let n = around.enter(here.clone());
            let by_points = self.is_searched_by_points(&here, &around.cells, n);
            // The more points ask, the more a copy is worth.
            let gathered = by_points || n <= GATHERED && n <= 64 * n_thin;
            if gathered {
                around.gather();
            }
            if by_points {
                around.find_hits(grid.points(here.clone()));
            }
            for sub in subs.clone() {
                let points = grid.sub(sub);
                if points.len() >= need {
                    n_cores[sub - first_sub] = points.len() as u32;
                    points.for_each(|i| homes[i].store(sub as u32, Relaxed));
                    continue;
                }
                if gathered && !by_points {
                    around.find_hits(points.clone());
                }
                for i in points {
                    if n >= need && around.has_enough(i) {
                        n_cores[sub - first_sub] += 1;
                        homes[i].store(sub as u32, Relaxed);
                        continue;
                    }
                    let count = neighbours.len();
                    neighbours.push(NONE);
                    if need <= KEPT + 1 {
                        around.each_hit(i, |j| {
                            neighbours.push(j as u32);
                            true
                        });
                        neighbours[count] = (neighbours.len() - count - 1) as u32;
                    }
                }
            }
            let some_core = subs.clone().any(|sub| n_cores[sub - first_sub] > 0);
            match by_points {
                _ if !some_core => {}
                false => later.by_subs.push(here),
                true if around.cells[0].start < known => later.by_points.push(here),
                true => around.join(homes, sets),
            }
        }
    }

    /// Whether to search the neighbours of every point, of one or two cells with `n` points around, or to compare their sub-cells with those around.
    fn is_searched_by_points(&self, here: &Range<usize>, around: &[Range<usize>], n: usize) -> bool {
        let grid = self.grid;
        let n_subs: usize = around.iter().map(|cells| grid.subs(cells.clone()).len()).sum();
        n <= GATHERED
            && grid.points(here.clone()).len() * n <= PAIRS_OF_SUBS * n_subs * grid.subs(here.clone()).len()
    }

    /// Connects the core points of the cells that were left for later with those before them.
    fn connect(&self, cores: &Cores, later: &[Later], sets: &UnionFind) {
        let grid = self.grid;
        par::for_each(later.iter().collect(), |_, later| {
            if let Some(first) = later.by_points.first() {
                let mut around = Around::new(self, first.start, true);
                for here in &later.by_points {
                    around.enter(here.clone());
                    around.gather();
                    around.find_hits(grid.points(here.clone()));
                    around.join(&cores.homes, sets);
                }
            }
            if let Some(first) = later.by_subs.first() {
                let mut around = Around::new(self, first.start, true);
                for cell in later.by_subs.iter().cloned().flatten() {
                    let subs = grid.subs(cell..cell + 1);
                    if cores.n_cores[subs.clone()].iter().any(|&n| n > 0) {
                        around.enter(cell..cell + 1);
                        self.connect_subs(subs, &around.cells, cores, sets);
                    }
                }
            }
        });
    }

    /// Connects the core points of one cell with those around, sub-cell by sub-cell.
    fn connect_subs(&self, subs: Range<usize>, around: &[Range<usize>], cores: &Cores, sets: &UnionFind) {
        let grid = self.grid;
        for sub in subs.filter(|&sub| cores.n_cores[sub] > 0) {
            for cells in around.iter().rev() {
                for other in grid.subs(cells.clone()).rev() {
                    if other < sub
                        && cores.n_cores[other] > 0
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

    /// Goes to a cell; tells whether there are core points around.
    fn enter_for_cores(&self, around: &mut Around<'_, F, D, W>, cell: usize, cores: &Cores) -> bool {
        let n = around.enter(cell..cell + 1);
        let mut subs = around.cells.iter().flat_map(|cells| self.grid.subs(cells.clone()));
        let some = subs.any(|sub| cores.n_cores[sub] > 0);
        if some && n <= GATHERED {
            around.gather();
        }
        some
    }

    fn label(&self, cores: &Cores, sets: &UnionFind) -> Found {
        let grid = self.grid;
        let n_subs = cores.n_cores.len();
        // The smallest row of each set, at its root.
        let smallest = par::tabulate(n_subs, |_| AtomicU32::new(NONE));
        par::for_each(grid.parts.iter().collect(), |_, cells| {
            let (mut set, mut row) = (NONE, NONE);
            for sub in grid.subs(cells.clone()).filter(|&sub| cores.n_cores[sub] > 0) {
                let root = sets.find(sub as u32);
                if root != set {
                    if set != NONE {
                        smallest[set as usize].fetch_min(row, Relaxed);
                    }
                    (set, row) = (root, NONE);
                }
                // The points of a sub-cell are in the order of rows.
                let first = grid.sub(sub).find(|&i| cores.home(i) != NONE);
                row = first.map_or(row, |i| row.min(grid.rows[i]));
            }
            if set != NONE {
                smallest[set as usize].fetch_min(row, Relaxed);
            }
        });
        let n_clusters = number_by_smallest_row(&smallest);
        let labels = par::tabulate(n_subs, |sub| match cores.n_cores[sub] {
            0 => NONE,
            _ => smallest[sets.find(sub as u32) as usize].load(Relaxed),
        });
        drop(smallest);

        let found = Found::new(self.points.len(), n_clusters);
        par::for_each(grid.parts.iter().zip(&cores.neighbours).collect(), |_, (cells, neighbours)| {
            let mut around = None;
            let mut neighbours = neighbours.iter();
            for cell in cells.clone() {
                let mut cores_around = None;
                for i in grid.points(cell..cell + 1) {
                    let home = cores.home(i);
                    if home != NONE {
                        found.set(grid.rows[i], Some(labels[home as usize]), true);
                        continue;
                    }
                    let mut best = NONE;
                    let mut add = |j: usize| {
                        let home = cores.home(j);
                        if home != NONE {
                            best = best.min(labels[home as usize]);
                        }
                        best != 0
                    };
                    let n = neighbours.next().copied().unwrap_or(NONE);
                    if n == NONE {
                        let around = around.get_or_insert_with(|| Around::new(self, cell, false));
                        if *cores_around.get_or_insert_with(|| self.enter_for_cores(around, cell, cores)) {
                            around.each_hit(i, add);
                        }
                    } else {
                        neighbours.by_ref().take(n as usize).for_each(|&j| {
                            add(j as usize);
                        });
                    }
                    found.set(grid.rows[i], (best != NONE).then_some(best), false);
                }
            }
        });
        found
    }
}
