//! Which pairs of points are within a radius, without a matrix of distances.
//!
//! A tile of distances decides nearly every pair at once. Those few that its error leaves in doubt are computed again, one by one, with
//! [`Metric::distance`]. So the answer is, to the bit, that of a plain loop over all pairs.

use std::ops::Range;

use ndarray::{ArrayBase, Data, Ix2};

use super::metric::{Metric, Rows, TILE, TileError};
use super::pairs::{check, check_both};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{self, Aligned, Block, Times};
use crate::par;

/// Columns of a tile, as a bit set: column `c` is bit `c % 64` of word `c / 64`.
pub(crate) type Columns = [u64; TILE / 64];

/// Every pair within a radius, of the rows of `x` and those of `y`.
pub(crate) struct Ball<'a, F: Clone, M> {
    metric: &'a M,
    x: &'a Rows<'a, F>,
    y: &'a Rows<'a, F>,
    /// What a gap must not exceed.
    limit: F,
    /// A value of a tile up to here belongs to a gap within the limit, whatever the error of the tile.
    sure: F,
    /// A value above this does not.
    reach: F,
}

impl<'a, F: Float, M: Metric<F>> Ball<'a, F, M> {
    /// # Errors
    /// [`Error::Parameter`] when `radius` is NaN.
    pub(crate) fn new(metric: &'a M, x: &'a Rows<'a, F>, y: &'a Rows<'a, F>, radius: F) -> Result<Self> {
        if radius.is_nan() {
            return Err(Error::parameter("radius", "a number", radius));
        }
        let limit = if M::SIMILARITY { -radius } else { radius };
        let error = metric.tile_error(x, y);
        Ok(Self { metric, x, y, limit, sure: sure(limit, error), reach: reach(limit, error) })
    }

    /// Calls `visit(r, columns)` for each row `i.start + r` that has pairs in the tile of rows `i` and `j`; `square` is room for the tile.
    pub(crate) fn tile(
        &self,
        i: &Range<usize>,
        j: &Range<usize>,
        square: &mut Aligned<F>,
        mut visit: impl FnMut(usize, Columns),
    ) {
        let mut block = Block::of_square(square, i.len(), j.len());
        self.metric.estimate(self.x, i.clone(), self.y, j.clone(), &mut block);
        block.for_each_row(|r, row| {
            smaller_is_nearer::<F, M>(row);
            let maybe = columns_at_most(row, self.reach);
            if maybe == Columns::default() {
                return;
            }
            let mut inside = columns_at_most(row, self.sure);
            for (word, (inside, maybe)) in inside.iter_mut().zip(maybe).enumerate() {
                for bit in bits(maybe & !*inside) {
                    let (a, b) = (self.x.point(i.start + r), self.y.point(j.start + word * 64 + bit));
                    *inside |= u64::from(gap(self.metric, a, b) <= self.limit) << bit;
                }
            }
            if inside != Columns::default() {
                visit(r, inside);
            }
        });
    }
}

/// The columns of a row whose value is at most `limit`.
pub(super) fn columns_at_most<F: Float>(row: &[F], limit: F) -> Columns {
    let mut columns = Columns::default();
    F::at_most(row, limit, &mut columns);
    columns
}

/// The columns of a set, in order.
pub(crate) fn each_column(columns: Columns) -> impl Iterator<Item = usize> {
    columns.into_iter().enumerate().flat_map(|(word, set)| bits(set).map(move |bit| word * 64 + bit))
}

/// The columns above `c`.
pub(crate) fn columns_above(c: usize) -> Columns {
    std::array::from_fn(|word| match (c + 1).saturating_sub(word * 64) {
        0 => u64::MAX,
        n if n < 64 => u64::MAX << n,
        _ => 0,
    })
}

fn bits(mut set: u64) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let bit = set.trailing_zeros() as usize;
        set &= set.wrapping_sub(1);
        (bit < 64).then_some(bit)
    })
}

/// The largest value of a tile that may belong to a gap of at most `limit`.
pub(super) fn reach<F: Float>(limit: F, error: TileError<F>) -> F {
    if error.is_zero() || limit.is_infinite() {
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

/// A value of a tile up to which the gap is at most `limit` for certain.
fn sure<F: Float>(limit: F, error: TileError<F>) -> F {
    if error.is_zero() || limit.is_infinite() {
        return limit;
    }
    // v + absolute + relative |v| <= limit
    let limit = limit - error.absolute;
    if error.relative < F::cast(0.25) {
        limit - F::cast(2) * (error.relative + F::epsilon()) * limit.abs()
    } else {
        F::neg_infinity()
    }
}

/// Turns similarities around.
pub(super) fn smaller_is_nearer<F: Float, M: Metric<F>>(row: &mut [F]) {
    if M::SIMILARITY {
        kernel::finish(Times(-F::one()), row, (F::zero(), &[]));
    }
}

/// The distance, or what is the smaller the more similar the points are.
pub(super) fn gap<F: Float, M: Metric<F>>(metric: &M, a: &[F], b: &[F]) -> F {
    let d = metric.distance(a, b);
    if M::SIMILARITY { -d } else { d }
}

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
    mut visit: impl FnMut(usize, usize, F),
) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    check("x", &x.view(), &metric)?;
    let rows = metric.rows(x.view());
    let ball = Ball::new(&metric, &rows, &rows, radius)?;
    ball.visit_above_diagonal(|i, j| ball.with_distance(i, j), |(i, j, d)| visit(i, j, d), |_| Ok(()))
}

/// [`within`] without the distances: those of the pairs that a tile decides need not be computed again.
///
/// `done(rows)` is called now and then: all pairs of that many first rows were visited. Its error ends the search.
pub(crate) fn pairs_within<F, S, M>(
    x: &ArrayBase<S, Ix2>,
    radius: F,
    metric: M,
    mut visit: impl FnMut(usize, usize),
    done: impl FnMut(usize) -> Result<()>,
) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    check("x", &x.view(), &metric)?;
    let rows = metric.rows(x.view());
    let ball = Ball::new(&metric, &rows, &rows, radius)?;
    ball.visit_above_diagonal(|i, j| (i, j), |(i, j)| visit(i, j), done)
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
    mut visit: impl FnMut(usize, usize, F),
) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    M: Metric<F>,
{
    check_both(&x.view(), &y.view(), &metric)?;
    let (x, y) = (metric.rows(x.view()), metric.rows(y.view()));
    let ball = Ball::new(&metric, &x, &y, radius)?;
    let tiles = (0..x.n()).step_by(TILE).flat_map(|i| (0..y.n()).step_by(TILE).map(move |j| (i, j)));
    ball.visit(false, tiles, |i, j| ball.with_distance(i, j), |(i, j, d)| visit(i, j, d), |_| Ok(()))
}

/// Tiles that are searched before their pairs are visited; it bounds the memory.
const TILES_AT_ONCE: usize = 16;

impl<F: Float, M: Metric<F>> Ball<'_, F, M> {
    fn with_distance(&self, i: usize, j: usize) -> (usize, usize, F) {
        (i, j, self.metric.distance(self.x.point(i), self.y.point(j)))
    }

    /// [`visit`](Self::visit) for the pairs `i < j` of one set of rows.
    fn visit_above_diagonal<P: Send>(
        &self,
        pair: impl Fn(usize, usize) -> P + Send + Sync,
        visit: impl FnMut(P),
        done: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let n = self.x.n();
        let tiles = (0..n).step_by(TILE).flat_map(|i| (i..n).step_by(TILE).map(move |j| (i, j)));
        self.visit(true, tiles, pair, visit, done)
    }

    /// Finds pairs on all threads, makes of each what `pair` says there, and visits them on this thread, tile by tile.
    ///
    /// `done` gets the number of rows before the last tile, after every few.
    fn visit<P: Send>(
        &self,
        only_above_diagonal: bool,
        mut tiles: impl Iterator<Item = (usize, usize)>,
        pair: impl Fn(usize, usize) -> P + Send + Sync,
        mut visit: impl FnMut(P),
        mut done: impl FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        loop {
            let some: Vec<_> = tiles.by_ref().take(TILES_AT_ONCE).collect();
            let Some(&(last, _)) = some.last() else { return Ok(()) };
            let found = par::map(some.len(), |tile| {
                let (i, j) = some[tile];
                let (i, j) = (i..self.x.n().min(i + TILE), j..self.y.n().min(j + TILE));
                let mut square = kernel::square();
                let mut pairs = Vec::new();
                self.tile(&i, &j, &mut square, |r, columns| {
                    let above = if only_above_diagonal && i == j { columns_above(r) } else { [u64::MAX; _] };
                    let columns = std::array::from_fn(|word| columns[word] & above[word]);
                    pairs.extend(each_column(columns).map(|c| pair(i.start + r, j.start + c)));
                });
                pairs
            });
            found.into_iter().flatten().for_each(&mut visit);
            done(last)?;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_come_in_order_and_those_above_begin_behind() {
        assert_eq!(each_column([1 << 63, 0b101, 1]).collect::<Vec<_>>(), [63, 64, 66, 128]);
        for c in 0..TILE {
            assert!(each_column(columns_above(c)).eq(c + 1..TILE));
        }
    }

    #[test]
    fn what_is_sure_is_within_reach() {
        for limit in [0.0, 1.0, -2.0, 1e100, f64::INFINITY] {
            for (absolute, relative) in
                [(0.0, 0.0), (1e-3, 0.0), (0.0, 1e-3), (0.1, 0.9), (f64::INFINITY, 0.0)]
            {
                let error = TileError { absolute, relative };
                let (sure, reach) = (sure(limit, error), reach(limit, error));
                for v in [sure, sure.next_down(), limit].into_iter().filter(|v| v.is_finite()) {
                    assert!(v > sure || v + absolute + relative * v.abs() <= limit, "{limit} {error:?} {v}");
                }
                for v in [reach.next_up(), 1e200].into_iter().filter(|v| v.abs() < 1e250) {
                    assert!(v <= reach || v - absolute - relative * v.abs() > limit, "{limit} {error:?} {v}");
                }
            }
        }
    }
}
