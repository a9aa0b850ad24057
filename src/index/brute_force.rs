//! Brute force over any metric: what serves in high dimensions, where no tree does.

use std::borrow::Cow;
use std::ops::{ControlFlow, Range};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use ndarray::{ArrayBase, ArrayView1, Axis, Data, Ix2};

use super::{Neighbour, checked_query};
use crate::data::{check_finite, check_not_empty};
use crate::distance::{Ball, Columns, Metric, Rows, TILE, columns_above, each_column};
use crate::error::Result;
use crate::float::Float;
use crate::kernel::{self, Aligned};
use crate::par;
use crate::params::require;

/// Finds neighbours under any [`Metric`](crate::distance::Metric), by comparing with every row.
///
/// Two points are neighbours when [`Metric::distance`](crate::distance::Metric::distance) is at most the radius (for a similarity: at least),
/// to the bit. One query runs over the rows as they are; [`counts_within`](Self::counts_within) and [`visit_pairs`](Self::visit_pairs), which take
/// every row as a query, run on matrix products where the metric has one, on all threads, and look closer only where rounding could decide.
/// For the nearest rows of many queries see [`top_k`](crate::distance::top_k); for Euclidean distances in few dimensions [`Index`](super::Index).
///
/// # Example
/// ```
/// use sapwood::{distance::Cosine, index::BruteForce, ndarray::{array, aview1}};
///
/// let words = array![[2.0, 0.1], [0.0, 1.0], [5.0, 0.2], [-1.0, 0.0]];
/// let index = BruteForce::new(&words, Cosine)?;
/// assert_eq!(index.counts_within(0.01, usize::MAX)?, [2, 1, 2, 1]);
/// assert_eq!(index.nearest(aview1(&[0.1, 3.0]), 1)?[0].row, 1);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct BruteForce<'a, F: Clone, M> {
    rows: Rows<'a, F>,
    metric: M,
}

impl<'a, F: Float, M: Metric<F>> BruteForce<'a, F, M> {
    /// Takes the rows of `records`, `(n_points, n_features)`, in any memory layout: borrowed where they lie one after another, and one copy
    /// for the kernels of the metric.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) without a row or a column, [`Error::NonFinite`](crate::Error::NonFinite), and what the metric itself refuses.
    pub fn new<S: Data<Elem = F>>(records: &'a ArrayBase<S, Ix2>, metric: M) -> Result<Self> {
        check_not_empty("records", records)?;
        check_finite("records", records)?;
        metric.check("records", &records.view())?;
        Ok(Self { rows: metric.rows(records.view()), metric })
    }

    /// Number of rows.
    #[must_use]
    pub fn n_points(&self) -> usize {
        self.rows.n()
    }

    /// Number of columns, which every query must have.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.rows.dim()
    }

    /// Calls `visit` for each row within `radius` of `query`, in their order, until it breaks off.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for a query of another width; [`Error::Parameter`](crate::Error::Parameter) for a radius that is NaN or a query that is not finite; and what the
    /// metric refuses.
    pub fn visit_within(
        &self,
        query: ArrayView1<'_, F>,
        radius: F,
        mut visit: impl FnMut(Neighbour) -> ControlFlow<()>,
    ) -> Result<()> {
        require(!radius.is_nan(), "radius", "a number", radius)?;
        let query = self.checked(&query)?;
        for row in 0..self.n_points() {
            let distance = self.metric.distance(&query, self.rows.point(row));
            if self.is_within(distance, radius)
                && visit(Neighbour { row, distance: distance.as_f64() }).is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// Number of rows within `radius` of `query`, or `limit` where there are more: the search stops there.
    ///
    /// # Errors
    /// Those of [`visit_within`](Self::visit_within).
    pub fn count_within(&self, query: ArrayView1<'_, F>, radius: F, limit: usize) -> Result<usize> {
        let mut count = 0;
        self.visit_within(query, radius, |_| {
            count += 1;
            if count < limit { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        Ok(count.min(limit))
    }

    /// All rows within `radius` of `query`, the nearest first and equal distances by row.
    ///
    /// # Errors
    /// Those of [`visit_within`](Self::visit_within).
    pub fn within(&self, query: ArrayView1<'_, F>, radius: F) -> Result<Vec<Neighbour>> {
        let mut neighbours = Vec::new();
        self.visit_within(query, radius, |neighbour| {
            neighbours.push(neighbour);
            ControlFlow::Continue(())
        })?;
        self.sort(&mut neighbours);
        Ok(neighbours)
    }

    /// The `k` rows nearest to `query`, or all where there are fewer, the nearest first and equal distances by row.
    ///
    /// # Errors
    /// Those of [`visit_within`](Self::visit_within), and [`Error::Parameter`](crate::Error::Parameter) for `k` = 0.
    pub fn nearest(&self, query: ArrayView1<'_, F>, k: usize) -> Result<Vec<Neighbour>> {
        require(k > 0, "k", "at least 1", k)?;
        let query = self.checked(&query)?;
        let distance = |row| self.metric.distance(&query, self.rows.point(row)).as_f64();
        let mut all: Vec<Neighbour> =
            (0..self.n_points()).map(|row| Neighbour { row, distance: distance(row) }).collect();
        if k < all.len() {
            all.select_nth_unstable_by(k, self.order());
            all.truncate(k);
        }
        self.sort(&mut all);
        Ok(all)
    }

    /// For every row, the number of rows within `radius` of it, itself included, or `limit` where there are more.
    ///
    /// A pair is looked at once for both its rows, and not at all when both have reached the limit.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for a radius that is NaN.
    ///
    /// # Complexity
    /// O(n^2 d) time at most, O(n) memory.
    ///
    /// # Example
    /// ```
    /// use sapwood::{distance::Manhattan, index::BruteForce, ndarray::array};
    ///
    /// let x = array![[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [9.0, 9.0]];
    /// let index = BruteForce::new(&x, Manhattan)?;
    /// assert_eq!(index.counts_within(2.0, usize::MAX)?, [2, 3, 2, 1]);
    /// assert_eq!(index.counts_within(2.0, 2)?, [2, 2, 2, 1]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn counts_within(&self, radius: F, limit: usize) -> Result<Vec<usize>> {
        let ball = Ball::new(&self.metric, &self.rows, &self.rows, radius)?;
        let itself = |row| {
            let point = self.rows.point(row);
            let distance = if M::SIMILARITY { self.metric.distance(point, point) } else { F::zero() };
            usize::from(self.is_within(distance, radius))
        };
        let counts: Vec<AtomicUsize> =
            (0..self.n_points()).map(|row| AtomicUsize::new(itself(row))).collect();
        // A count only grows, so what is found to be full stays full, whoever is counting beside.
        let is_open = |row: usize| counts[row].load(Relaxed) < limit;
        self.for_each_tile(|i, j, square| {
            let mut open = Columns::default();
            for (c, j) in j.clone().enumerate() {
                open[c / 64] |= u64::from(M::SYMMETRIC && is_open(j)) << (c % 64);
            }
            if open == Columns::default() && !i.clone().any(is_open) {
                return;
            }
            let mut of_columns = [0_usize; TILE];
            ball.tile(&i, &j, square, |r, hits| {
                let hits = self.pairs_of(r, &i, &j, hits);
                let count: u32 = hits.iter().map(|word| word.count_ones()).sum();
                counts[i.start + r].fetch_add(count as usize, Relaxed);
                each_column(both(hits, open)).for_each(|c| of_columns[c] += 1);
            });
            for (j, &count) in j.zip(&of_columns).filter(|(_, count)| **count > 0) {
                counts[j].fetch_add(count, Relaxed);
            }
        });
        Ok(counts.into_iter().map(|count| count.into_inner().min(limit)).collect())
    }

    /// Calls `visit(i, j)` for every pair of different rows within `radius`, from all threads and in no order.
    ///
    /// Each pair comes once, with `i < j`; where the metric is not symmetric, `(i, j)` and `(j, i)` are two. A block of rows against
    /// another is passed over unless `wanted` says that something may be in it for the caller; it may come to know better from visit to visit.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for a radius that is NaN.
    ///
    /// # Complexity
    /// O(n^2 d) time at most; memory for one tile of distances a thread.
    ///
    /// # Example
    /// ```
    /// use sapwood::{distance::Jaccard, index::BruteForce, ndarray::array};
    /// use std::sync::Mutex;
    ///
    /// let baskets = array![[1.0, 1.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 1.0]];
    /// let pairs = Mutex::new(Vec::new());
    /// let index = BruteForce::new(&baskets, Jaccard)?;
    /// index.visit_pairs(0.5, |_, _| true, |i, j| pairs.lock().unwrap().push((i, j)))?;
    /// assert_eq!(pairs.into_inner().unwrap(), [(0, 2)]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn visit_pairs(
        &self,
        radius: F,
        wanted: impl Fn(Range<usize>, Range<usize>) -> bool + Send + Sync,
        visit: impl Fn(usize, usize) + Send + Sync,
    ) -> Result<()> {
        let ball = Ball::new(&self.metric, &self.rows, &self.rows, radius)?;
        self.for_each_tile(|i, j, square| {
            if wanted(i.clone(), j.clone()) {
                ball.tile(&i, &j, square, |r, hits| {
                    for c in each_column(self.pairs_of(r, &i, &j, hits)) {
                        visit(i.start + r, j.start + c);
                    }
                });
            }
        });
        Ok(())
    }

    /// The hits of row `i.start + r` that are pairs of their own: not with itself, and not again what the other row has.
    fn pairs_of(&self, r: usize, i: &Range<usize>, j: &Range<usize>, mut hits: Columns) -> Columns {
        if i.start != j.start {
            return hits;
        }
        hits[r / 64] &= !(1 << (r % 64));
        if M::SYMMETRIC { both(hits, columns_above(r)) } else { hits }
    }

    /// Calls `work(i, j, room)` for every tile, those below the diagonal only where the metric is not symmetric.
    fn for_each_tile(&self, work: impl Fn(Range<usize>, Range<usize>, &mut Aligned<F>) + Send + Sync) {
        let n = self.n_points();
        let bands = n.div_ceil(TILE);
        let tiles = if M::SYMMETRIC { bands * (bands + 1) / 2 } else { bands * bands };
        let run = (tiles / RUNS).clamp(1, LONGEST_RUN);
        par::map(tiles.div_ceil(run), |k| {
            let mut square = kernel::square();
            for tile in k * run..tiles.min((k + 1) * run) {
                let (i, j) = if M::SYMMETRIC { in_triangle(tile) } else { (tile / bands, tile % bands) };
                let rows = |band: usize| band * TILE..n.min((band + 1) * TILE);
                work(rows(i), rows(j), &mut square);
            }
        });
    }

    fn is_within(&self, distance: F, radius: F) -> bool {
        if M::SIMILARITY { distance >= radius } else { distance <= radius }
    }

    /// The nearest first, equal distances by row.
    fn order(&self) -> impl FnMut(&Neighbour, &Neighbour) -> std::cmp::Ordering + use<F, M> {
        |a, b| {
            let by_distance = a.distance.total_cmp(&b.distance);
            let by_distance = if M::SIMILARITY { by_distance.reverse() } else { by_distance };
            by_distance.then(a.row.cmp(&b.row))
        }
    }

    fn sort(&self, neighbours: &mut [Neighbour]) {
        neighbours.sort_unstable_by(self.order());
    }

    /// The query in one piece of memory.
    fn checked<'q>(&self, query: &'q ArrayView1<'_, F>) -> Result<Cow<'q, [F]>> {
        let query = checked_query(query, self.n_features())?;
        self.metric.check("query", &ArrayView1::from(&*query).insert_axis(Axis(0)))?;
        Ok(query)
    }
}

/// Pieces of work, where there are tiles enough, and tiles in one at most: its room is made once.
const RUNS: usize = 64;
const LONGEST_RUN: usize = 16;

/// Tile `k` of the triangle `i <= j`, column after column.
fn in_triangle(k: usize) -> (usize, usize) {
    let j = ((8 * k + 1).isqrt() - 1) / 2;
    (k - j * (j + 1) / 2, j)
}

fn both(a: Columns, b: Columns) -> Columns {
    std::array::from_fn(|word| a[word] & b[word])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_triangle_has_each_tile_once() {
        let expected = (0..60).flat_map(|j| (0..=j).map(move |i| (i, j)));
        assert!((0..60 * 61 / 2).map(in_triangle).eq(expected));
    }
}
