//! What a metric is, and the rows that it works on.

use std::borrow::Cow;
use std::ops::Range;

use ndarray::ArrayView2;

use crate::data;
use crate::error::Result;
use crate::float::Float;
use crate::kernel::{self, Block, LargestDifference, Panels};

/// Rows on each side of the block that [`Metric::tile`] fills, at most.
///
/// # Example
/// See [`Metric`].
pub const TILE: usize = kernel::TILE;

/// A distance, or a similarity, between two points.
///
/// A metric of your own is one method: [`distance`](Self::distance). Everything in this module then works with it. The other methods
/// have answers already; the metrics of this crate replace them to be faster.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Metric}, ndarray::array};
///
/// /// Steps of a king on a chessboard, and one more for leaving the square.
/// struct King;
///
/// impl Metric<f64> for King {
///     fn distance(&self, a: &[f64], b: &[f64]) -> f64 {
///         let steps = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
///         if steps > 0.0 { steps + 1.0 } else { 0.0 }
///     }
/// }
///
/// let squares = array![[1.0, 1.0], [2.0, 3.0], [1.0, 8.0]];
/// let distances = distance::pairwise(&squares, King)?;
/// assert_eq!(distances, array![[0.0, 3.0, 8.0], [3.0, 0.0, 6.0], [8.0, 6.0, 0.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub trait Metric<F: Float>: Sync {
    /// Whether `distance(a, b)` is always `distance(b, a)`, to the bit.
    const SYMMETRIC: bool = true;

    /// Whether larger values mean nearer points: true for similarities.
    const SIMILARITY: bool = false;

    /// Whether the distance to a point with a NaN or an infinity is always NaN or infinite; [`one_to_many`](super::one_to_many) then has no need to
    /// look for them itself.
    const SHOWS_NON_FINITE: bool = false;

    /// Whether [`rows`](Self::rows) takes rows with a NaN or an infinity, and what it makes of them knows that they have some.
    #[doc(hidden)]
    const ROWS_SHOW_NON_FINITE: bool = false;

    /// The distance between two points of the same number of finite components.
    ///
    /// Nothing is checked here but the lengths: the functions of this module check all rows once, before the first call.
    ///
    /// # Panics
    /// May panic when the slices differ in length.
    fn distance(&self, a: &[F], b: &[F]) -> F;

    /// [`distance`](Self::distance) of `query` to each of the rows that lie one after another in `rows`, as many as `out` has places.
    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len())) {
            kernel::expect_more(row);
            *out = self.distance(query, row);
        }
    }

    /// Errors unless the metric is defined on the rows of `x`, which are finite; `name` is what `x` is called in the message.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) where a parameter of the metric is out of its range,
    /// [`Error::Shape`](crate::Error::Shape) where it does not fit the rows.
    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        let _ = (name, x);
        Ok(())
    }

    /// Rows made ready for [`tile`](Self::tile).
    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        Rows::new(x)
    }

    /// Distances of rows `i` of `x` to rows `j` of `y`, both made by [`rows`](Self::rows): that of row `i.start + r` to row `j.start + c`
    /// goes into place `c` of row `r` of `out`.
    ///
    /// Both ranges start at a multiple of [`TILE`] and are not longer than it. A value may differ from that of
    /// [`distance`](Self::distance) by the error that [`tile_error`](Self::tile_error) states.
    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        tile_by_pairs(self, x, i, y, j, out);
    }

    /// As [`tile`](Self::tile), for searches that decide by [`tile_error`](Self::tile_error) and ask [`distance`](Self::distance) where that
    /// leaves a doubt: small values need not keep their digits.
    fn estimate(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        self.tile(x, i, y, j, out);
    }

    /// How far a value of [`tile`](Self::tile) or [`estimate`](Self::estimate) may be from that of [`distance`](Self::distance).
    fn tile_error(&self, x: &Rows<'_, F>, y: &Rows<'_, F>) -> TileError<F> {
        let _ = (x, y);
        TileError { absolute: F::zero(), relative: F::zero() }
    }
}

/// A borrowed metric, for one that is not to be copied.
impl<F: Float, M: Metric<F>> Metric<F> for &M {
    const SYMMETRIC: bool = M::SYMMETRIC;
    const SIMILARITY: bool = M::SIMILARITY;
    const SHOWS_NON_FINITE: bool = M::SHOWS_NON_FINITE;
    const ROWS_SHOW_NON_FINITE: bool = M::ROWS_SHOW_NON_FINITE;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        (**self).distance(a, b)
    }

    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        (**self).distances(query, rows, out);
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        (**self).check(name, x)
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        (**self).rows(x)
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        (**self).tile(x, i, y, j, out);
    }

    fn estimate(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        (**self).estimate(x, i, y, j, out);
    }

    fn tile_error(&self, x: &Rows<'_, F>, y: &Rows<'_, F>) -> TileError<F> {
        (**self).tile_error(x, y)
    }
}

/// A bound on the error of [`Metric::tile`]: `|tile - distance| <= absolute + relative * |tile|`.
///
/// # Example
/// See [`Metric`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TileError<F> {
    /// Share of the bound that does not depend on the value.
    pub absolute: F,
    /// Share of the value.
    pub relative: F,
}

impl<F: Float> TileError<F> {
    /// Whether tiles hold the distances themselves.
    pub(crate) fn is_zero(self) -> bool {
        self.absolute == F::zero() && self.relative == F::zero()
    }
}

/// Rows that a [`Metric`] made ready: the points themselves, and what it computed of each of them once.
///
/// # Example
/// See [`Metric`].
#[derive(Debug, Clone)]
pub struct Rows<'a, F: Clone> {
    values: Cow<'a, [F]>,
    n: usize,
    dim: usize,
    panels: Option<Panels<F>>,
    largest: F,
    /// Whether the numbers beside are finite: where [`Metric::ROWS_SHOW_NON_FINITE`] says so, they are if and only if the rows are.
    is_finite: bool,
}

impl<'a, F: Float> Rows<'a, F> {
    /// The rows of `x`, and nothing more.
    #[must_use]
    pub fn new(x: ArrayView2<'a, F>) -> Self {
        let (n, dim) = x.dim();
        Self { values: data::rows(&x), n, dim, panels: None, largest: F::zero(), is_finite: true }
    }

    /// The rows of `x`, a transformed copy of `width` components for the kernels, and a number beside each: `write(row, copy)` fills the
    /// copy, every component, and returns the number.
    pub(crate) fn with_panels(
        x: ArrayView2<'a, F>,
        width: usize,
        write: impl Fn(&[F], &mut [F]) -> F + Send + Sync,
    ) -> Self {
        let mut rows = Self::new(x);
        let (panels, beside) = Panels::new(rows.n, width, |i, copy| write(rows.point(i), copy));
        rows.keep(panels, beside);
        rows
    }

    fn keep(&mut self, mut panels: Panels<F>, beside: Vec<F>) {
        self.is_finite = beside.iter().all(|number| number.is_finite());
        panels.keep_beside(beside);
        self.panels = Some(panels);
    }

    /// Whether the numbers beside the rows are finite.
    pub(crate) fn is_finite(&self) -> bool {
        self.is_finite
    }

    /// The rows of `x`, and copies for the kernels.
    pub(crate) fn copied(x: ArrayView2<'a, F>) -> Self {
        Self::with_panels(x, x.ncols(), |row, copy| {
            copy.iter_mut().zip(row).for_each(|(to, &v)| *to = v);
            F::zero()
        })
    }

    /// The rows of `x`, copies for the kernels, the largest absolute value of all, and what `beside` makes of each row.
    pub(crate) fn with_largest(x: ArrayView2<'a, F>, beside: impl Fn(&[F]) -> F + Send + Sync) -> Self {
        let dim = x.ncols();
        let zeros = vec![F::zero(); dim];
        let largest = |point: &[F]| match dim {
            // A handful takes less time than the way to a kernel.
            ..=SHORT => point.iter().fold(F::zero(), |largest, v| largest.max(v.abs())),
            _ => kernel::fold(LargestDifference, point, &zeros),
        };
        let mut rows = Self::new(x);
        let (panels, beside) = Panels::new(rows.n, dim, |i, copy| {
            let point = rows.point(i);
            kernel::expect_more(point);
            copy.iter_mut().zip(point).for_each(|(to, &v)| *to = v);
            (beside(point), largest(point))
        });
        rows.largest = beside.iter().fold(F::zero(), |largest, &(_, v)| largest.max(v));
        rows.keep(panels, beside.into_iter().map(|(number, _)| number).collect());
        rows
    }

    /// Number of rows.
    #[must_use]
    pub fn n(&self) -> usize {
        self.n
    }

    /// Number of components of each.
    #[must_use]
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Row `i`.
    ///
    /// # Panics
    /// When there is no such row.
    #[must_use]
    pub fn point(&self, i: usize) -> &[F] {
        &self.values[i * self.dim..][..self.dim]
    }

    /// What `map` makes of the totals of `step` over the transformed copies, and the least of the numbers that it watches; see [`Block::fill`].
    pub(crate) fn fill<S: kernel::Step<F>, M: kernel::Finish<F>>(
        &self,
        how: (S, M),
        i: usize,
        y: &Self,
        j: usize,
        out: &mut Block<'_, F>,
    ) -> F {
        match (&self.panels, &y.panels) {
            (Some(x), Some(y)) => out.fill(how, (x, i), (y, j)),
            _ => unreachable!("rows for a kernel are made with panels"),
        }
    }

    /// The largest absolute value, of rows [`with_largest`](Self::with_largest).
    pub(crate) fn largest(&self) -> F {
        self.largest
    }

    /// The number beside each row.
    pub(crate) fn beside(&self) -> &[F] {
        self.panels.as_ref().map_or(&[], Panels::beside)
    }
}

/// Components of a point that is short.
pub(crate) const SHORT: usize = 16;

/// A tile through [`Metric::distance`] alone.
pub(crate) fn tile_by_pairs<F: Float>(
    metric: &(impl Metric<F> + ?Sized),
    x: &Rows<'_, F>,
    i: Range<usize>,
    y: &Rows<'_, F>,
    j: Range<usize>,
    out: &mut Block<'_, F>,
) {
    out.fill_rows(|r, row| {
        for (value, j) in row.iter_mut().zip(j.clone()) {
            *value = metric.distance(x.point(i.start + r), y.point(j));
        }
    });
}

/// Bound on the relative error of a sum of `dim` products or positive terms, whatever its order: each term passes through at most
/// `min(dim, 128 + dim / 128) + 8` roundings in a tile, and through fewer in a sum by registers.
pub(crate) fn sum_error<F: Float>(dim: usize) -> F {
    F::cast(2 * (dim.min(128 + dim / 128) + 8)) * F::epsilon()
}
