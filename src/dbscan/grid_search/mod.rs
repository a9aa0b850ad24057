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
//! 2. *Connections.* The sets are of sub-cells. Each is compared with the cells before it and with its own cell. In thin cells, each core point looks
//!    for one of another set, which it then joins as a whole; in crowded ones, sub-cells that are of two sets look for one pair of points.
//! 3. *Labels.* Sets are numbered by their smallest row. A border point takes the smallest number among the neighbours that it kept.
//!
//! The answers are those of the definition, in `f64`: positions are whole numbers (see [`grid`]), and where they are too coarse to tell whether two points
//! are within `eps`, which is rare but for lattices, the distance is computed from the input. The sets do not depend on the order in which pairs were
//! met, so neither do the labels.

mod around;
mod grid;
mod touch;

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::clusters::{Found, number_by_smallest_row};
use super::union_find::UnionFind;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::{Run, bits, each_near, each_near_other};
use crate::observe::{Observer, Progress, report};
use crate::par;
use around::Around;
use grid::{Grid, Scale};
use touch::{Place, touch};

#[cfg(test)]
mod tests;

/// The home of a point that is no core point, the row of a sub-cell without one, the label of noise.
const NONE: u32 = u32::MAX;

/// Points around a cell up to which they are copied into one run.
const GATHERED: usize = 1024;

/// Neighbours of a point that is no core point up to which they are kept.
const KEPT: usize = 16;

/// Pairs of points of two sub-cells up to which all are looked at.
const MANY_PAIRS: usize = 8192;

/// Parts of the grid between two reports.
const WAVE: usize = 16;

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
    let cores =
        search.core_samples(|done| report(observer, Progress::new("core samples", done as u64, steps)))?;
    let sets = search.connect(&cores);
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
    homes: Vec<u32>,
    /// Core points of each sub-cell.
    n_cores: Vec<u32>,
    /// For each part of the grid and each point in it that is no core point, the number of its neighbours and they themselves, or [`NONE`]
    /// where they are more than [`KEPT`].
    neighbours: Vec<Vec<u32>>,
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

    fn core_samples(&self, mut done: impl FnMut(usize) -> Result<()>) -> Result<Cores> {
        let grid = self.grid;
        let (mut homes, mut n_cores) = (par::filled(self.points.len(), 0), par::filled(grid.n_subs(), 0));
        let parts = &grid.parts;
        let homes_of = split(&mut homes, parts.iter().map(|cells| grid.points(cells.clone()).len()));
        let n_cores_of = split(&mut n_cores, parts.iter().map(|cells| grid.subs(cells.clone()).len()));
        let mut neighbours: Vec<Vec<u32>> = parts.iter().map(|_| Vec::new()).collect();
        let mut work = parts.iter().zip(homes_of).zip(n_cores_of).zip(&mut neighbours);
        loop {
            let wave: Vec<_> = work.by_ref().take(WAVE).collect();
            let Some((((cells, _), _), _)) = wave.last() else { break };
            let end = grid.points(0..cells.end).end;
            par::for_each(wave, |_, (((cells, homes), n_cores), neighbours)| {
                self.core_samples_of(cells, homes, n_cores, neighbours);
            });
            done(end)?;
        }
        Ok(Cores { homes, n_cores, neighbours })
    }

    /// The core points of some cells.
    fn core_samples_of(
        &self,
        cells: &Range<usize>,
        homes: &mut [u32],
        n_cores: &mut [u32],
        neighbours: &mut Vec<u32>,
    ) {
        let Self { grid, need, .. } = *self;
        let (first_point, first_sub) = (grid.points(cells.clone()).start, grid.subs(cells.clone()).start);
        let mut around = Around::new(self, cells.start, &grid.offsets);
        for here in grid.together(cells.clone()) {
            let mut n_thin = 0;
            for sub in grid.subs(here.clone()) {
                let points = grid.sub(sub);
                if points.len() >= need {
                    n_cores[sub - first_sub] = points.len() as u32;
                    homes[points.start - first_point..points.end - first_point].fill(sub as u32);
                } else {
                    n_thin += points.len();
                }
            }
            if n_thin == 0 {
                continue;
            }
            let n = around.enter(here.clone());
            // The more points ask, the more a copy is worth.
            if n <= GATHERED && n <= 64 * n_thin {
                around.gather();
            }
            for sub in grid.subs(here.clone()).filter(|&sub| grid.sub(sub).len() < need) {
                for i in grid.sub(sub) {
                    let core = n >= need && around.has_enough(i);
                    n_cores[sub - first_sub] += u32::from(core);
                    homes[i - first_point] = if core { sub as u32 } else { NONE };
                    if !core {
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
            }
        }
    }

    /// Sets of sub-cells whose core points are connected.
    fn connect(&self, cores: &Cores) -> UnionFind {
        let sets = UnionFind::new(cores.n_cores.len() as u32);
        par::for_each(self.grid.parts.iter().collect(), |_, cells| self.connect_cells(cells, cores, &sets));
        sets
    }

    /// Connects the core points of some cells with those before them.
    fn connect_cells(&self, cells: &Range<usize>, cores: &Cores, sets: &UnionFind) {
        let grid = self.grid;
        let middle = grid.offsets.len() / 2;
        let mut around = Around::new(self, cells.start, &grid.offsets[..=middle]);
        for here in grid.together(cells.clone()) {
            let subs = grid.subs(here.clone());
            let n: usize = cores.n_cores[subs.clone()].iter().map(|&n| n as usize).sum();
            if n == 0 {
                continue;
            }
            let n_around = around.enter_before(here.clone());
            let n_subs: usize = around.cells.iter().map(|cells| grid.subs(cells.clone()).len()).sum();
            // Every core point against every point, or every sub-cell against every other?
            if n_around <= GATHERED && n * n_around <= 32 * n_subs * subs.len() {
                around.gather();
                self.connect_points(subs, &mut around, cores, sets);
                continue;
            }
            for cell in here {
                around.enter_before(cell..cell + 1);
                self.connect_subs(grid.subs(cell..cell + 1), &around.cells, cores, sets);
            }
        }
    }

    /// Connects the core points of one or two cells with those around, point by point.
    fn connect_points(
        &self,
        subs: Range<usize>,
        around: &mut Around<'_, F, D, W>,
        cores: &Cores,
        sets: &UnionFind,
    ) {
        let grid = self.grid;
        // A mark is a name of a set. Sets that are found to be one get one name.
        for (mark, &j) in around.marks.iter_mut().zip(&around.which[..around.gathered]) {
            *mark = sets.ancestor(cores.homes[j as usize]);
        }
        let own = around.runs[0].start;
        for i in grid.sub(subs.start).start..grid.sub(subs.end - 1).end {
            let mark = around.marks[i - own];
            let mut start = if mark == NONE { around.gathered } else { 0 };
            while start < around.gathered {
                let mut met = None;
                let run = Run { start, ..around.run() };
                each_near_other(
                    grid.point(i),
                    run,
                    grid.band,
                    &around.marks,
                    mark,
                    |first, inside, between| {
                        met = bits(inside | between)
                            .find(|k| {
                                inside >> k & 1 == 1 || self.is_within(i, around.which[first + k] as usize)
                            })
                            .map(|k| (first, around.marks[first + k]));
                        met.is_none()
                    },
                );
                let Some((first, other)) = met else { break };
                sets.union(mark, other);
                for name in &mut around.marks[..around.gathered] {
                    *name = if *name == other { mark } else { *name };
                }
                start = first;
            }
        }
    }

    /// Connects the core points of one cell with those around, sub-cell by sub-cell.
    fn connect_subs(&self, subs: Range<usize>, around: &[Range<usize>], cores: &Cores, sets: &UnionFind) {
        let grid = self.grid;
        for sub in subs.filter(|&sub| cores.n_cores[sub] > 0) {
            for cells in around {
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
            let origin = grid.point(few.start);
            let places = |points: Range<usize>| -> Vec<Place<D>> {
                let cores = points.filter(|&i| cores.homes[i] != NONE);
                cores.map(|i| Place { at: grid.difference(i, origin), which: i as u32 }).collect()
            };
            let tell = |i: u32, j: u32| self.is_within(i as usize, j as usize);
            return touch(&mut places(few), &mut places(many), grid.band, &tell);
        }
        let mut found = false;
        for i in few.filter(|&i| cores.homes[i] != NONE) {
            each_near(grid.point(i), grid.run(many.clone()), grid.band, |first, inside, between| {
                found = bits(inside | between).any(|k| {
                    cores.homes[first + k] != NONE && (inside >> k & 1 == 1 || self.is_within(i, first + k))
                });
                !found
            });
            if found {
                break;
            }
        }
        found
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
                for i in grid.sub(sub).filter(|&i| cores.homes[i] != NONE) {
                    row = row.min(grid.rows[i]);
                }
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
                    let home = cores.homes[i];
                    if home != NONE {
                        found.set(grid.rows[i], Some(labels[home as usize]), true);
                        continue;
                    }
                    let mut best = NONE;
                    let mut add = |j: usize| {
                        let home = cores.homes[j];
                        if home != NONE {
                            best = best.min(labels[home as usize]);
                        }
                        best != 0
                    };
                    let n = neighbours.next().copied().unwrap_or(NONE);
                    if n == NONE {
                        let around = around.get_or_insert_with(|| Around::new(self, cell, &grid.offsets));
                        if *cores_around.get_or_insert_with(|| around.enter_for_cores(cell, cores)) {
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
