//! The nearest points without a matrix of distances.
//!
//! Tiles of distances show what may belong to the answer, as far as their error allows. Those few pairs are then computed one by one with
//! [`Metric::distance`]. So the answer is, to the bit, that of a plain loop over all pairs.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use ndarray::{Array2, ArrayBase, Axis, Data, Ix2, Slice};

use super::metric::{Metric, TILE};
use super::pairs::check_both;
use super::radius::{gap, reach, smaller_is_nearer};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{self, Block};
use crate::par;

/// The `k` nearest rows of each query, nearest first.
///
/// # Example
/// ```
/// use sapwood::{distance, ndarray::array};
///
/// let nearest = distance::top_k(&array![[0.0]], &array![[3.0], [1.0], [-2.0]], 2, distance::Euclidean)?;
/// assert_eq!((nearest.indices, nearest.distances), (array![[1, 2]], array![[1.0, 2.0]]));
/// # Ok::<(), sapwood::Error>(())
/// ```
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
            let mut square = kernel::square();
            for j in (0..block.n()).step_by(TILE) {
                let j = j..block.n().min(j + TILE);
                let mut tile = Block::of_square(&mut square, i.len(), j.len());
                metric.estimate(&all_queries, i.clone(), &block, j.clone(), &mut tile);
                tile.for_each_row(|r, row| {
                    let best = &mut best[r];
                    smaller_is_nearer::<F, M>(row);
                    let query = all_queries.point(i.start + r);
                    let mut from = 0;
                    while let Some(step) = kernel::find_at_most(&row[from..], reach(best.limit(), error)) {
                        from += step + 1;
                        let column = j.start + from - 1;
                        best.offer(gap(&metric, query, block.point(column)), start + column);
                    }
                });
            }
        });
    }
    Ok(Nearest::of_best::<M>(best.into_iter().flatten(), n_queries, k))
}

impl<F: Float> Nearest<F> {
    /// The `k` best of each query.
    pub(super) fn of_best<M: Metric<F>>(
        best: impl Iterator<Item = Best<F>>,
        n_queries: usize,
        k: usize,
    ) -> Self {
        let (mut indices, mut distances) =
            (Vec::with_capacity(n_queries * k), Vec::with_capacity(n_queries * k));
        for (Gap(d), j) in best.flat_map(|best| best.rows.into_sorted_vec()) {
            indices.push(j);
            distances.push(if M::SIMILARITY { -d } else { d });
        }
        let fit = "k rows for each query";
        Self {
            indices: Array2::from_shape_vec((n_queries, k), indices).expect(fit),
            distances: Array2::from_shape_vec((n_queries, k), distances).expect(fit),
        }
    }
}

/// Rows that are made ready at a time: some MiB, used by every query before the next.
const BLOCK: usize = 16 * TILE;

/// A distance with the order of numbers, which metrics of finite points keep to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Gap<F>(F);

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
pub(super) struct Best<F> {
    k: usize,
    rows: BinaryHeap<(Gap<F>, usize)>,
}

impl<F: Float> Best<F> {
    pub(super) fn new(k: usize) -> Self {
        Self { k, rows: BinaryHeap::new() }
    }

    /// No row farther than this is among the nearest.
    fn limit(&self) -> F {
        if self.rows.len() < self.k {
            return F::infinity();
        }
        self.rows.peek().map_or(F::infinity(), |&(Gap(d), _)| d)
    }

    pub(super) fn offer(&mut self, distance: F, row: usize) {
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
