//! DBSCAN over a grid, for up to three dimensions.

mod grid;

use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use super::Found;
use super::union_find::UnionFind;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::{PAD, bits, each_near};
use crate::observe::{Observer, Progress, report};
use crate::par;
use grid::{Grid, Scale};

/// The home of a point that is no core point, the row of a sub-cell without one, the label of noise.
const NONE: u32 = u32::MAX;

/// Rows of cells around a cell, at most.
const ROWS: usize = 9;

/// Points around a cell up to which they are copied into one run.
const GATHERED: usize = 1024;

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
    let cores = search.core_samples(|done| report(observer, Progress::new("core samples", done as u64, steps)))?;
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
        let (mut homes, mut n_cores) = (vec![0; self.points.len()], vec![0; grid.subs.len() - 1]);
        let parts = &grid.parts;
        let homes_of = split(&mut homes, parts.iter().map(|cells| grid.points(cells.clone()).len()));
        let n_cores_of = split(&mut n_cores, parts.iter().map(|cells| grid.subs(cells.clone()).len()));
        let mut work = parts.iter().zip(homes_of).zip(n_cores_of);
        loop {
            let wave: Vec<_> = work.by_ref().take(WAVE).collect();
            let Some(((cells, _), _)) = wave.last() else { break };
            let end = grid.points(0..cells.end).end;
            par::for_each(wave, |_, ((cells, homes), n_cores)| self.core_samples_of(cells, homes, n_cores));
            done(end)?;
        }
        Ok(Cores { homes, n_cores })
    }

    /// The core points of some cells.
    fn core_samples_of(&self, cells: &Range<usize>, homes: &mut [u32], n_cores: &mut [u32]) {
        let Self { grid, need, .. } = *self;
        let (first_point, first_sub) = (grid.points(cells.clone()).start, grid.subs(cells.clone()).start);
        let mut around = Around::new(self, cells.start, &grid.offsets);
        for cell in cells.clone() {
            let mut n_thin = 0;
            for sub in grid.subs(cell..cell + 1) {
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
            let few = around.enter(cell, n_thin) < need;
            for sub in grid.subs(cell..cell + 1) {
                let points = grid.sub(sub);
                if points.len() < need {
                    for i in points {
                        let core = !few && around.count(i) >= need;
                        homes[i - first_point] = if core { sub as u32 } else { NONE };
                        n_cores[sub - first_sub] += u32::from(core);
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
        for cell in cells.clone() {
            let subs = grid.subs(cell..cell + 1);
            let n: usize = cores.n_cores[subs.clone()].iter().map(|&n| n as usize).sum();
            if n == 0 {
                continue;
            }
            let n_around = around.enter_before(cell, n);
            let n_subs: usize = around.cells.iter().map(|cells| grid.subs(cells.clone()).len()).sum();
            for sub in subs.clone().filter(|&sub| cores.n_cores[sub] > 0) {
                // Every core point against every point before, or every sub-cell before?
                let n_cores = cores.n_cores[sub] as usize;
                if n_cores * n_around <= 32 * n_subs {
                    let mut root = sets.find(sub as u32);
                    let mut last = sub as u32;
                    for i in grid.sub(sub).filter(|&i| cores.homes[i] != NONE) {
                        around.each_hit(i, |j| {
                            let home = cores.homes[j];
                            if home != NONE && home != last && home < sub as u32 {
                                last = home;
                                if sets.find(home) != root {
                                    sets.union(home, root);
                                    root = sets.find(root);
                                }
                            }
                            true
                        });
                    }
                } else {
                    for cells in &around.cells {
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
        }
    }

    /// Whether two sub-cells hold core points within the radius of one another.
    fn touch(&self, a: usize, b: usize, cores: &Cores) -> bool {
        let grid = self.grid;
        let (mut few, mut many) = (grid.sub(a), grid.sub(b));
        if few.len() > many.len() {
            (few, many) = (many, few);
        }
        let mut found = false;
        for i in few.filter(|&i| cores.homes[i] != NONE) {
            each_near(grid.point(i), grid.columns(), many.clone(), grid.band, |first, inside, between| {
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
        let mut first_rows: Vec<(u32, u32)> = (0..)
            .zip(&smallest)
            .map(|(root, row)| (row.load(Relaxed), root))
            .filter(|&(row, _)| row != NONE)
            .collect();
        first_rows.sort_unstable();
        let n_clusters = first_rows.len();
        for (label, &(_, root)) in (0..).zip(&first_rows) {
            smallest[root as usize].store(label, Relaxed);
        }
        let labels = par::tabulate(n_subs, |sub| match cores.n_cores[sub] {
            0 => NONE,
            _ => smallest[sets.find(sub as u32) as usize].load(Relaxed),
        });
        drop(smallest);

        let found = Found::new(self.points.len(), n_clusters);
        par::for_each(grid.parts.iter().collect(), |_, cells| {
            let mut around = Around::new(self, cells.start, &grid.offsets);
            for cell in cells.clone() {
                let subs = grid.subs(cell..cell + 1);
                let points = grid.points(cell..cell + 1);
                let n_cores: usize = cores.n_cores[subs.clone()].iter().map(|&n| n as usize).sum();
                let n_others = points.len() - n_cores;
                if n_others > 0 {
                    around.enter(cell, n_others);
                }
                for i in points {
                    let home = cores.homes[i];
                    if home != NONE {
                        found.set(grid.rows[i], Some(labels[home as usize]), true);
                    } else {
                        let mut best = NONE;
                        around.each_hit(i, |j| {
                            let home = cores.homes[j];
                            if home != NONE {
                                best = best.min(labels[home as usize]);
                            }
                            best != 0
                        });
                        found.set(grid.rows[i], (best != NONE).then_some(best), false);
                    }
                }
            }
        });
        found
    }
}

/// The points around one cell after another, in the order of the cells.
struct Around<'a, F, const D: usize, const W: usize> {
    search: &'a Search<'a, F, D, W>,
    offsets: &'a [u64],
    /// For each row of cells, where the cells around the last one began and ended.
    at: [(usize, usize); ROWS],
    /// Cells around the present one: its own row, then the others.
    cells: Vec<Range<usize>>,
    /// Their points.
    runs: Vec<Range<usize>>,
    /// Copies of those points, and which they are.
    gathered: usize,
    columns: [Vec<u32>; W],
    which: Vec<u32>,
}

impl<'a, F: Float, const D: usize, const W: usize> Around<'a, F, D, W> {
    fn new(search: &'a Search<'a, F, D, W>, cell: usize, offsets: &'a [u64]) -> Self {
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
        }
    }

    /// Goes to a cell; `n_queries` points will ask. Returns the number of points around.
    fn enter(&mut self, cell: usize, n_queries: usize) -> usize {
        self.find_cells(cell);
        self.find_runs(n_queries)
    }

    /// The same with the cell and the cells before it only; the last offset is that of its own row.
    fn enter_before(&mut self, cell: usize, n_queries: usize) -> usize {
        self.find_cells(cell);
        let own = self.cells.len() - 1;
        self.cells[own].end = cell + 1;
        self.cells.reverse();
        self.find_runs(n_queries)
    }

    fn find_cells(&mut self, cell: usize) {
        let keys = &self.search.grid.keys;
        self.cells.clear();
        for ((first, end), offset) in self.at.iter_mut().zip(self.offsets) {
            let key = keys[cell].wrapping_add(*offset);
            while keys[*first] < key - 1 {
                *first += 1;
            }
            *end = (*end).max(*first);
            while keys[*end] <= key + 1 {
                *end += 1;
            }
            self.cells.push(*first..*end);
        }
    }

    fn find_runs(&mut self, n_queries: usize) -> usize {
        let grid = self.search.grid;
        self.runs.clear();
        self.runs.extend(self.cells.iter().map(|cells| grid.points(cells.clone())).filter(|run| !run.is_empty()));
        let n = self.runs.iter().map(Range::len).sum();
        self.gathered = 0;
        if n_queries > 1 && self.runs.len() > 1 && n <= GATHERED {
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
        n
    }

    /// Number of points within the radius of point `i`, or at least as many as are needed.
    fn count(&self, i: usize) -> usize {
        let Search { grid, need, .. } = *self.search;
        let point = grid.point(i);
        let mut n = 0;
        if self.gathered > 0 {
            let columns = std::array::from_fn(|w| self.columns[w].as_slice());
            each_near(point, columns, 0..self.gathered, grid.band, |first, inside, between| {
                n += inside.count_ones() as usize;
                for k in bits(between) {
                    n += usize::from(self.search.is_within(i, self.which[first + k] as usize));
                }
                n < need
            });
            return n;
        }
        for run in &self.runs {
            each_near(point, grid.columns(), run.clone(), grid.band, |first, inside, between| {
                n += inside.count_ones() as usize;
                for k in bits(between) {
                    n += usize::from(self.search.is_within(i, first + k));
                }
                n < need
            });
            if n >= need {
                break;
            }
        }
        n
    }

    /// Visits the points within the radius of point `i` until `visit` returns false.
    fn each_hit(&self, i: usize, mut visit: impl FnMut(usize) -> bool) {
        let grid = self.search.grid;
        let point = grid.point(i);
        let mut go_on = true;
        if self.gathered > 0 {
            let columns = std::array::from_fn(|w| self.columns[w].as_slice());
            each_near(point, columns, 0..self.gathered, grid.band, |first, inside, between| {
                for k in bits(inside | between) {
                    let j = self.which[first + k] as usize;
                    if inside >> k & 1 == 1 || self.search.is_within(i, j) {
                        go_on = visit(j);
                        if !go_on {
                            return false;
                        }
                    }
                }
                true
            });
            return;
        }
        for run in &self.runs {
            each_near(point, grid.columns(), run.clone(), grid.band, |first, inside, between| {
                for k in bits(inside | between) {
                    let j = first + k;
                    if inside >> k & 1 == 1 || self.search.is_within(i, j) {
                        go_on = visit(j);
                        if !go_on {
                            return false;
                        }
                    }
                }
                true
            });
            if !go_on {
                return;
            }
        }
    }
}
