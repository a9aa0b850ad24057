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
//! The answers are those of the definition, in `f64`: positions are whole numbers (see [`scale`]), and where they are too coarse to tell whether two points
//! are within `eps`, which is rare but for lattices, the distance is computed from the input. The sets do not depend on the order in which pairs were
//! met, so neither do the labels.

mod around;
mod connect;
mod grid;
mod label;
mod scale;
mod sweep;
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
use crate::kernel::Room;
use crate::kernel::simd::dispatch;
use crate::observe::{Observer, Progress, report};
use crate::par;
use connect::Connect;
use grid::Grid;
use label::Label;
use scale::Scale;
use sweep::Sweep;

#[cfg(test)]
mod tests;

/// The home of a point that is no core point, the row of a sub-cell without one, the label of noise.
const NONE: u32 = u32::MAX;

/// Neighbours of a point that is no core point up to which they are kept.
const KEPT: usize = 16;

/// Bytes above which each array has pages of its own, cleared by the system: so it is with the allocator of most Linux systems. Smaller ones have memory
/// that was in use before.
const KEPT_BY_ALLOCATOR: usize = 32 << 20;

/// Points of a chunk of rows: with their keys they stay in the cache.
const CHUNK: usize = 1 << 15;

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
    // Sorting the points takes memory for a moment, in which the labels will be.
    let n = records.len() / D;
    let mut room = (size_of::<Option<usize>>() * n > KEPT_BY_ALLOCATOR).then(|| Room::new(n));
    let grid = grid::build::<F, D, W>(records, &scale, room.as_mut());
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
    let found = search.label(&cores, &sets, room);
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
    /// Whether a sub-cell has core points.
    has_cores: Vec<bool>,
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
    has_cores: &'a mut [bool],
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
        let mut has_cores = par::filled(grid.n_subs(), false);
        let mut neighbours: Vec<Vec<u32>> = parts.iter().map(|_| Vec::new()).collect();
        let mut later: Vec<Later> = parts.iter().map(|_| Later::default()).collect();
        let finished: Vec<AtomicBool> = parts.iter().map(|_| AtomicBool::new(false)).collect();
        let has_cores_of = split(&mut has_cores, parts.iter().map(|cells| grid.subs(cells.clone()).len()));
        let found = has_cores_of.into_iter().zip(&mut neighbours).zip(&mut later);
        let mut work =
            found.map(|((has_cores, neighbours), later)| Part { has_cores, neighbours, later }).enumerate();
        loop {
            let wave: Vec<_> = work.by_ref().take(WAVE).collect();
            let Some(&(last, _)) = wave.last() else { break };
            par::for_each(wave, |_, (part, found)| {
                // The parts before this one that are finished.
                let before = (0..part).rev().take_while(|&part| finished[part].load(Acquire)).last();
                let known = parts[before.unwrap_or(part)].start;
                dispatch(Sweep {
                    search: self,
                    cells: &parts[part],
                    known,
                    part: found,
                    homes: &homes,
                    sets,
                });
                finished[part].store(true, Release);
            });
            done(grid.points(0..parts[last].end).end)?;
        }
        Ok((Cores { homes, has_cores, neighbours }, later))
    }

    /// Connects the core points of the cells that were left for later with those before them.
    fn connect(&self, cores: &Cores, later: &[Later], sets: &UnionFind) {
        let later = later.iter().filter(|later| !later.by_points.is_empty() || !later.by_subs.is_empty());
        par::for_each(later.collect(), |_, later| dispatch(Connect { search: self, later, cores, sets }));
    }

    fn label(&self, cores: &Cores, sets: &UnionFind, room: Option<Room<Option<usize>>>) -> Found {
        let grid = self.grid;
        let n_subs = cores.has_cores.len();
        // The smallest row of each set, at its root.
        let smallest = par::tabulate(n_subs + 1, |_| AtomicU32::new(NONE));
        par::for_each(grid.parts.iter().collect(), |_, cells| {
            let (mut set, mut row) = (NONE, NONE);
            for sub in grid.subs(cells.clone()).filter(|&sub| cores.has_cores[sub]) {
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
        // The roots have their labels, and give them to the others.
        let labels = smallest;
        par::for_each(grid.parts.iter().collect(), |_, cells| {
            for sub in grid.subs(cells.clone()).filter(|&sub| cores.has_cores[sub]) {
                let root = sets.find(sub as u32) as usize;
                if root != sub {
                    labels[sub].store(labels[root].load(Relaxed), Relaxed);
                }
            }
        });

        let found = Found::in_room(self.points.len(), n_clusters, room);
        par::for_each(grid.parts.iter().zip(&cores.neighbours).collect(), |_, (cells, neighbours)| {
            dispatch(Label { search: self, cells, neighbours, cores, labels: &labels, found: &found });
        });
        found
    }
}
