//! The nearest points, and those within a radius, without a matrix of distances.
//!
//! Both look at tiles of distances and keep what may belong to the answer: every pair that the error of a tile leaves in doubt. Those few
//! are then computed one by one with [`Metric::distance`]. So the answer is, to the bit, that of a plain loop over all pairs.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ndarray::{Array2, ArrayBase, Axis, Data, Ix2, Slice};

use super::metric::{Metric, Rows, TILE, TileError};
use super::pairs::{check, check_both};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{self, Times};
use crate::par;

/// The `k` nearest rows of each query, nearest first.
#[derive(Debug, Clone, PartialEq)]
pub struct Nearest<F> {
    /// Row numbers, `(n_queries, k)`.
    pub indices: Array2<usize>,
    /// Their distances (similarities, from the largest down, for a similarity), `(n_queries, k)`.
    pub distances: Array2<F>,
}

/// The `k` rows of `x` nearest to each row of `queries`; of equally near ones, those with the lower number.
///
/// # Errors
/// As [`between`](super::between), and [`Error::Parameter`] unless `1 <= k <= n`.
///
/// # Complexity
/// O(q n d) time and O(q (k + d)) memory for q queries.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Cosine}, ndarray::array};
///
/// let words = array![[1.0, 0.1], [0.0, 1.0], [1.0, 0.0], [-1.0, 0.0]];
/// let nearest = distance::top_k(&array![[2.0, 0.0]], &words, 2, Cosine)?;
/// assert_eq!(nearest.indices, array![[2, 0]]);
/// assert_eq!(nearest.distances[[0, 0]], 0.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[doc(alias = "k_nearest")]
pub fn top_k<F, S, T, M>(
    queries: &ArrayBase<S, Ix2>,
    x: &ArrayBase<T, Ix2>,
    k: usize,
    metric: M,
) -> Result<Nearest<F>>
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    M: Metric<F>,
{
    check_both(&queries.view(), &x.view(), &metric)?;
    let (n_queries, n) = (queries.nrows(), x.nrows());
    if k == 0 || k > n {
        return Err(Error::parameter("k", format!("from 1 to {n}, the number of rows"), k));
    }
    let all_queries = metric.rows(queries.view());
    let mut best: Vec<Vec<Best<F>>> =
        (0..n_queries).step_by(TILE).map(|start| vec![Best::new(k); TILE.min(n_queries - start)]).collect();
    // All queries pass over a block of rows before the next is made ready.
    for start in (0..n).step_by(BLOCK) {
        let block = metric.rows(x.slice_axis(Axis(0), Slice::from(start..n.min(start + BLOCK))));
        let error = metric.tile_error(&all_queries, &block);
        par::for_each(best.iter_mut().collect(), |band, best| {
            let i = band * TILE..n_queries.min((band + 1) * TILE);
            let mut square = vec![F::zero(); TILE * TILE];
            for j in (0..block.n()).step_by(TILE) {
                let j = j..block.n().min(j + TILE);
                metric.tile(&all_queries, i.clone(), &block, j.clone(), &mut square);
                for (r, best) in best.iter_mut().enumerate() {
                    let row = &mut square[r * TILE..][..j.len()];
                    smaller_is_nearer::<F, M>(row);
                    let query = all_queries.point(i.start + r);
                    let mut from = 0;
                    while let Some(step) = kernel::find_at_most(&row[from..], reach(best.limit(), error)) {
                        from += step + 1;
                        let column = j.start + from - 1;
                        best.offer(gap(&metric, query, block.point(column)), start + column);
                    }
                }
            }
        });
    }
    let (mut indices, mut distances) = (Vec::with_capacity(n_queries * k), Vec::with_capacity(n_queries * k));
    for (Gap(d), j) in best.into_iter().flatten().flat_map(|best| best.rows.into_sorted_vec()) {
        indices.push(j);
        distances.push(if M::SIMILARITY { -d } else { d });
    }
    let fit = "k rows for each query";
    Ok(Nearest {
        indices: Array2::from_shape_vec((n_queries, k), indices).expect(fit),
        distances: Array2::from_shape_vec((n_queries, k), distances).expect(fit),
    })
}

/// Rows that are made ready at a time: some MiB, used by every query before the next.
const BLOCK: usize = 16 * TILE;

/// Calls `visit(i, j, distance)` for every pair `i < j` of rows of `x` with a distance of at most `radius`.
///
/// For a similarity: of at least `radius`. The order of the pairs is fixed by the number of rows, for any number of threads; `visit` itself
/// is called on this thread.
///
/// # Errors
/// As [`pairwise`](super::pairwise), and [`Error::Parameter`] when `radius` is NaN.
///
/// # Complexity
/// O(n^2 d) time; memory O(n d), and no more than some thousand pairs at a time.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Cosine}, ndarray::array};
///
/// let documents = array![[1.0, 2.0, 0.0], [0.0, 0.0, 1.0], [2.0, 4.0, 0.01]];
/// let mut duplicates = Vec::new();
/// distance::within(&documents, 1e-3, Cosine, |i, j, _| duplicates.push((i, j)))?;
/// assert_eq!(duplicates, [(0, 2)]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[doc(alias = "radius_neighbors")]
pub fn within<F, S, M>(
    x: &ArrayBase<S, Ix2>,
    radius: F,
    metric: M,
    visit: impl FnMut(usize, usize, F),
) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    check("x", &x.view(), &metric)?;
    let rows = metric.rows(x.view());
    let tiles = (0..x.nrows()).step_by(TILE).flat_map(|i| (i..x.nrows()).step_by(TILE).map(move |j| (i, j)));
    visit_tiles(&rows, &rows, radius, &metric, true, tiles, visit)
}

/// Calls `visit(i, j, distance)` for every row `i` of `x` and row `j` of `y` with a distance of at most `radius`.
///
/// For a similarity: of at least `radius`. Otherwise as [`within`].
///
/// # Errors
/// As [`between`](super::between), and [`Error::Parameter`] when `radius` is NaN.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Euclidean}, ndarray::array};
///
/// let mut count = 0;
/// distance::within_between(&array![[0.0]], &array![[1.0], [2.0], [-1.0]], 1.0, Euclidean, |_, _, _| count += 1)?;
/// assert_eq!(count, 2);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn within_between<F, S, T, M>(
    x: &ArrayBase<S, Ix2>,
    y: &ArrayBase<T, Ix2>,
    radius: F,
    metric: M,
    visit: impl FnMut(usize, usize, F),
) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    M: Metric<F>,
{
    check_both(&x.view(), &y.view(), &metric)?;
    let (x, y) = (metric.rows(x.view()), metric.rows(y.view()));
    let tiles = (0..x.n()).step_by(TILE).flat_map(|i| (0..y.n()).step_by(TILE).map(move |j| (i, j)));
    visit_tiles(&x, &y, radius, &metric, false, tiles, visit)
}

/// Tiles that are searched before their pairs are visited; it bounds the memory.
const TILES_AT_ONCE: usize = 16;

fn visit_tiles<F: Float, M: Metric<F>>(
    x: &Rows<'_, F>,
    y: &Rows<'_, F>,
    radius: F,
    metric: &M,
    only_above_diagonal: bool,
    mut tiles: impl Iterator<Item = (usize, usize)>,
    mut visit: impl FnMut(usize, usize, F),
) -> Result<()> {
    if radius.is_nan() {
        return Err(Error::parameter("radius", "a number", radius));
    }
    let limit = if M::SIMILARITY { -radius } else { radius };
    let reach = reach(limit, metric.tile_error(x, y));
    loop {
        let some: Vec<_> = tiles.by_ref().take(TILES_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        let found = par::map(some.len(), |tile| {
            let (i, j) = some[tile];
            let (i, j) = (i..x.n().min(i + TILE), j..y.n().min(j + TILE));
            let mut square = vec![F::zero(); TILE * TILE];
            metric.tile(x, i.clone(), y, j.clone(), &mut square);
            let mut pairs: Vec<(usize, usize, F)> = Vec::new();
            for (i, row) in i.zip(square.chunks_exact_mut(TILE)) {
                let row = &mut row[..j.len()];
                smaller_is_nearer::<F, M>(row);
                let mut from =
                    if only_above_diagonal { (i + 1).saturating_sub(j.start).min(row.len()) } else { 0 };
                while let Some(step) = kernel::find_at_most(&row[from..], reach) {
                    from += step + 1;
                    let j = j.start + from - 1;
                    let d = gap(metric, x.point(i), y.point(j));
                    if d <= limit {
                        pairs.push((i, j, if M::SIMILARITY { -d } else { d }));
                    }
                }
            }
            pairs
        });
        found.into_iter().flatten().for_each(|(i, j, d)| visit(i, j, d));
    }
}

/// The largest value of a tile that may belong to a distance not above `limit`.
fn reach<F: Float>(limit: F, error: TileError<F>) -> F {
    if error.relative == F::zero() && error.absolute == F::zero() {
        return limit;
    }
    // v - absolute - relative |v| <= limit
    let limit = limit + error.absolute;
    if error.relative < F::cast(0.25) {
        limit + F::cast(2) * (error.relative + F::epsilon()) * limit.abs()
    } else {
        F::infinity()
    }
}

/// Turns similarities around.
fn smaller_is_nearer<F: Float, M: Metric<F>>(row: &mut [F]) {
    if M::SIMILARITY {
        kernel::finish(Times(-F::one()), row, &[]);
    }
}

/// The distance, or what is the smaller the more similar the points are.
fn gap<F: Float, M: Metric<F>>(metric: &M, a: &[F], b: &[F]) -> F {
    let d = metric.distance(a, b);
    if M::SIMILARITY { -d } else { d }
}

/// A distance with the order of numbers, which metrics of finite points keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Gap<F>(F);

impl<F: Float> Eq for Gap<F> {}

impl<F: Float> PartialOrd for Gap<F> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<F: Float> Ord for Gap<F> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.partial_cmp(&other.0).unwrap_or(Ordering::Equal)
    }
}

/// The `k` nearest rows so far; the farthest of them is at the top.
#[derive(Debug, Clone)]
struct Best<F> {
    k: usize,
    rows: BinaryHeap<(Gap<F>, usize)>,
}

impl<F: Float> Best<F> {
    fn new(k: usize) -> Self {
        Self { k, rows: BinaryHeap::new() }
    }

    /// No row farther than this is among the nearest.
    fn limit(&self) -> F {
        if self.rows.len() < self.k {
            return F::infinity();
        }
        self.rows.peek().map_or(F::infinity(), |&(Gap(d), _)| d)
    }

    fn offer(&mut self, distance: F, row: usize) {
        let candidate = (Gap(distance), row);
        if self.rows.len() < self.k {
            self.rows.push(candidate);
        } else if let Some(mut farthest) = self.rows.peek_mut()
            && candidate < *farthest
        {
            *farthest = candidate;
        }
    }
}
