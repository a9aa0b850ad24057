//! Distances between all points of one set or two, as matrices.

use std::sync::atomic::{AtomicBool, Ordering};

use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, ArrayViewMut2, Axis, Data, Ix2, Slice};

use super::cosine::{Cosine, CosineSimilarity};
use super::euclidean::Euclidean;
use super::metric::{Metric, Rows, TILE};
use crate::data::{check_finite, check_not_empty, rows, standard_layout, table_len};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{self, Block};
use crate::par;

/// Distance between two points.
///
/// # Errors
/// [`Error::Shape`] for points of different lengths or without a component, [`Error::NonFinite`], and what the metric itself refuses.
///
/// # Example
/// ```
/// use sapwood::distance::{self, Canberra};
///
/// assert_eq!(distance::points(&[1.0, 2.0], &[3.0, 2.0], Canberra)?, 0.5);
/// assert!(distance::points(&[1.0, 2.0], &[3.0], Canberra).is_err());
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn points<'a, F: Float, M: Metric<F>>(
    a: impl Into<ArrayView1<'a, F>>,
    b: impl Into<ArrayView1<'a, F>>,
    metric: M,
) -> Result<F> {
    let (a, b) = (a.into().insert_axis(Axis(0)), b.into().insert_axis(Axis(0)));
    if a.ncols() != b.ncols() {
        return Err(Error::shape("b", format!("{} components, as `a`", a.ncols()), b.ncols()));
    }
    check("a", &a, &metric)?;
    check("b", &b, &metric)?;
    Ok(metric.distance(&rows(&a), &rows(&b)))
}

/// Cosine similarity `a.b / (|a| |b|)` of two points, in [-1, 1]; see [`CosineSimilarity`].
///
/// # Errors
/// Those of [`points`].
///
/// # Example
/// ```
/// use sapwood::{distance::cosine_similarity, ndarray::array};
///
/// assert_eq!(cosine_similarity(&[1.0, 0.0], &[2.0, 0.0])?, 1.0);
/// assert_eq!(cosine_similarity(&array![3.0, 4.0], &array![4.0, 3.0])?, 0.96);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn cosine_similarity<'a, F: Float>(
    a: impl Into<ArrayView1<'a, F>>,
    b: impl Into<ArrayView1<'a, F>>,
) -> Result<F> {
    points(a, b, CosineSimilarity)
}

/// Cosine distance `1 - a.b / (|a| |b|)` of two points, in [0, 2]; see [`Cosine`].
///
/// # Errors
/// Those of [`points`].
///
/// # Example
/// ```
/// use sapwood::distance::cosine_distance;
///
/// assert_eq!(cosine_distance(&[1.0, 0.0], &[0.0, 5.0])?, 1.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn cosine_distance<'a, F: Float>(
    a: impl Into<ArrayView1<'a, F>>,
    b: impl Into<ArrayView1<'a, F>>,
) -> Result<F> {
    points(a, b, Cosine)
}

/// Euclidean distance of two points; see [`Euclidean`].
///
/// # Errors
/// Those of [`points`].
///
/// # Example
/// ```
/// use sapwood::distance::euclidean_distance;
///
/// assert_eq!(euclidean_distance(&[0.0, 0.0], &[3.0, 4.0])?, 5.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn euclidean_distance<'a, F: Float>(
    a: impl Into<ArrayView1<'a, F>>,
    b: impl Into<ArrayView1<'a, F>>,
) -> Result<F> {
    points(a, b, Euclidean)
}

/// Distances between all rows of one set, `(n, n)`.
///
/// Each pair is computed once and mirrored; a point's distance to itself is exactly 0 (its cosine similarity exactly 1, that of a zero vector 0). Threads: all of the
/// current pool, with the same bits for any number of them.
///
/// # Errors
/// [`Error::Shape`] without a row or a column, [`Error::NonFinite`], and what the metric itself refuses.
///
/// # Complexity
/// O(n^2 d) time, O(n^2) memory for the result and O(n d) beside it.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Cosine}, ndarray::array};
///
/// let x = array![[1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]];
/// let distances = distance::pairwise(&x, Cosine)?;
/// assert_eq!(distances, array![[0.0, 1.0, 2.0], [1.0, 0.0, 1.0], [2.0, 1.0, 0.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn pairwise<F, S, M>(x: &ArrayBase<S, Ix2>, metric: M) -> Result<Array2<F>>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    let n = x.nrows();
    entries::<F>(n, n)?;
    let rows = checked_rows("x", x.view(), &metric)?;
    let mut out = if M::SYMMETRIC {
        matrix(kernel::symmetric(n, tiles(&rows, &metric)), n, n)
    } else {
        rectangle(x.view(), &rows, &metric)
    };
    if !M::SIMILARITY {
        out.diag_mut().fill(F::zero());
    }
    Ok(out)
}

/// As [`pairwise`], into an array of the caller: row after row, `(n, n)`.
///
/// # Errors
/// Those of [`pairwise`], and [`Error::Shape`] when `out` has another shape or layout.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Euclidean}, ndarray::{Array2, array}};
///
/// let mut out = Array2::zeros((2, 2));
/// distance::pairwise_into(&array![[0.0], [3.0]], Euclidean, out.view_mut())?;
/// assert_eq!(out, array![[0.0, 3.0], [3.0, 0.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn pairwise_into<F, S, M>(x: &ArrayBase<S, Ix2>, metric: M, mut out: ArrayViewMut2<'_, F>) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    let rows = checked_rows("x", x.view(), &metric)?;
    let n = x.nrows();
    let values = slice_of(&mut out, n, n)?;
    if M::SYMMETRIC {
        kernel::symmetric_into(values, n, tiles(&rows, &metric));
    } else {
        rectangle_into(values, x.view(), &rows, &metric);
    }
    if !M::SIMILARITY {
        out.diag_mut().fill(F::zero());
    }
    Ok(())
}

/// Distances between all pairs `i < j` of rows: (0, 1), (0, 2), .. (1, 2), .. as SciPy's `pdist` orders them.
///
/// # Errors
/// Those of [`pairwise`].
///
/// # Complexity
/// O(n^2 d) time, n (n - 1) / 2 numbers of memory for the result and O(n d) beside it.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Manhattan}, ndarray::array};
///
/// let distances = distance::condensed(&array![[0.0], [1.0], [3.0]], Manhattan)?;
/// assert_eq!(distances, array![1.0, 3.0, 2.0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[doc(alias = "pdist")]
pub fn condensed<F, S, M>(x: &ArrayBase<S, Ix2>, metric: M) -> Result<Array1<F>>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    let n = x.nrows();
    // n (n - 1) / 2, one factor of which is even.
    let (even, odd) = if n.is_multiple_of(2) { (n, n.saturating_sub(1)) } else { (n - 1, n) };
    let n_pairs = entries::<F>(even / 2, odd)?;
    check("x", &x.view(), &metric)?;
    let mut out = vec![F::zero(); n_pairs];
    let rows = metric.rows(x.view());
    // The pairs of rows `i .. i + TILE` lie one after another.
    let mut bands = Vec::new();
    let mut rest = out.as_mut_slice();
    for i in (0..n).step_by(TILE) {
        let pairs: usize = (i..n.min(i + TILE)).map(|i| n - 1 - i).sum();
        let (band, others) = rest.split_at_mut(pairs);
        bands.push(band);
        rest = others;
    }
    par::for_each(bands, |band, out| {
        let i = band * TILE..n.min((band + 1) * TILE);
        let mut square = kernel::square();
        for j in (i.start..n).step_by(TILE) {
            let j = j..n.min(j + TILE);
            metric.tile(&rows, i.clone(), &rows, j.clone(), &mut square);
            let mut start = 0;
            for (r, row) in i.clone().enumerate() {
                // Entry (row, column) is at `start + column - row - 1`.
                let from = j.start.max(row + 1);
                if from < j.end {
                    let values = &square[r * TILE + from - j.start..r * TILE + j.end - j.start];
                    out[start + from - row - 1..][..values.len()].copy_from_slice(values);
                }
                start += n - 1 - row;
            }
        }
    });
    Ok(Array1::from(out))
}

/// Distances between all rows of `x` and all rows of `y`, `(n_x, n_y)`.
///
/// # Errors
/// As [`pairwise`] for each of the two, and [`Error::Shape`] when they have different numbers of columns.
///
/// # Complexity
/// O(n m d) time, O(n m) memory for the result and O(m d) beside it, for n rows of `x` and m of `y`.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Euclidean}, ndarray::array};
///
/// let x = array![[0.0, 0.0], [1.0, 1.0]];
/// let y = array![[3.0, 4.0]];
/// assert_eq!(distance::between(&x, &y, Euclidean)?, array![[5.0], [13_f64.sqrt()]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[doc(alias = "cdist")]
pub fn between<F, S, T, M>(x: &ArrayBase<S, Ix2>, y: &ArrayBase<T, Ix2>, metric: M) -> Result<Array2<F>>
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    M: Metric<F>,
{
    entries::<F>(x.nrows(), y.nrows())?;
    let (x, y) = (x.view(), y.view());
    check_columns(&y, &x)?;
    if !M::ROWS_SHOW_NON_FINITE {
        check("x", &x, &metric)?;
        return Ok(rectangle(x, &checked_rows("y", y, &metric)?, &metric));
    }
    // What is in the bands of `x` is known when they are made; the first error is that of `x` all the same.
    check_not_empty("x", &x).and_then(|()| metric.check("x", &x))?;
    let y_rows =
        checked_rows("y", y, &metric).map_err(|error| check("x", &x, &metric).err().unwrap_or(error))?;
    let is_finite = AtomicBool::new(true);
    let band = bands(x, &metric);
    let band = |i| {
        let rows = band(i);
        is_finite.fetch_and(rows.is_finite(), Ordering::Relaxed);
        rows
    };
    let (n, m) = (x.nrows(), y.nrows());
    let values = kernel::rectangle(n, m, band, band_tiles(&y_rows, &metric));
    if !is_finite.into_inner() {
        check_finite("x", &x)?;
    }
    Ok(matrix(values, n, m))
}

/// As [`between`], into an array of the caller: row after row, `(n_x, n_y)`.
///
/// # Errors
/// Those of [`between`], and [`Error::Shape`] when `out` has another shape or layout.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Dot}, ndarray::{Array2, array}};
///
/// let mut out = Array2::zeros((1, 2));
/// distance::between_into(&array![[1.0, 2.0]], &array![[3.0, 4.0], [0.0, 1.0]], Dot, out.view_mut())?;
/// assert_eq!(out, array![[11.0, 2.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn between_into<F, S, T, M>(
    x: &ArrayBase<S, Ix2>,
    y: &ArrayBase<T, Ix2>,
    metric: M,
    mut out: ArrayViewMut2<'_, F>,
) -> Result<()>
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    M: Metric<F>,
{
    check_both(&x.view(), &y.view(), &metric)?;
    let out = slice_of(&mut out, x.nrows(), y.nrows())?;
    rectangle_into(out, x.view(), &metric.rows(y.view()), &metric);
    Ok(())
}

/// Distances from one point to every row of `x`, `(n,)`.
///
/// Reads the rows once, where they lie (a copy is made of rows that do not lie one after another).
///
/// # Errors
/// As [`between`].
///
/// # Example
/// ```
/// use sapwood::{distance::{self, CosineSimilarity}, ndarray::array};
///
/// let x = array![[1.0, 0.0], [0.0, 2.0]];
/// let similarity = distance::one_to_many(&array![3.0, 0.0], &x, CosineSimilarity)?;
/// assert_eq!(similarity, array![1.0, 0.0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn one_to_many<'a, F, S, M>(
    query: impl Into<ArrayView1<'a, F>>,
    x: &ArrayBase<S, Ix2>,
    metric: M,
) -> Result<Array1<F>>
where
    F: Float,
    S: Data<Elem = F>,
    M: Metric<F>,
{
    let query = query.into().insert_axis(Axis(0));
    check_columns(&query, &x.view())?;
    check("query", &query, &metric)?;
    let query = rows(&query);
    let view = x.view();
    if x.nrows() == 0 {
        check_not_empty("x", x)?;
    }
    let mut out = vec![F::zero(); x.nrows()];
    let refused = AtomicBool::new(false);
    par::for_each_chunk_mut(&mut out, ONE_PIECE, |piece, out| {
        let start = piece * ONE_PIECE;
        let part = view.slice_axis(Axis(0), Slice::from(start..start + out.len()));
        let refuse = || refused.store(true, Ordering::Relaxed);
        if metric.check("x", &part).is_err() || !M::SHOWS_NON_FINITE && check_finite("x", &part).is_err() {
            return refuse();
        }
        let part = standard_layout(part);
        let values = part.as_slice().unwrap_or(&[]);
        metric.distances(&query, values, out);
        // A distance may also be out of range, of points that are not.
        if M::SHOWS_NON_FINITE && !kernel::all_finite(out) && !kernel::all_finite(values) {
            refuse();
        }
    });
    if refused.into_inner() {
        check("x", &view, &metric)?;
    }
    Ok(Array1::from(out))
}

/// Rows of one piece of work.
const ONE_PIECE: usize = 2048;

/// Distances between the rows of `x` and those of `y`, `n_rows` rows of `x` at a time: for results that do not fit into memory.
///
/// Yields the number of the first row and the block, `(n_rows, n_y)`; the last block may be shorter.
///
/// # Errors
/// Those of [`between`], and [`Error::Parameter`] when `n_rows` is 0.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, Euclidean}, ndarray::array};
///
/// let x = array![[0.0], [1.0], [5.0]];
/// let mut nearest = Vec::new();
/// for (_, block) in distance::blocks(&x, &x, Euclidean, 2)? {
///     for row in block.outer_iter() {
///         nearest.push(row.iter().copied().filter(|&d| d > 0.0).fold(f64::INFINITY, f64::min));
///     }
/// }
/// assert_eq!(nearest, [1.0, 1.0, 4.0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn blocks<'a, F, S, T, M>(
    x: &'a ArrayBase<S, Ix2>,
    y: &'a ArrayBase<T, Ix2>,
    metric: M,
    n_rows: usize,
) -> Result<impl Iterator<Item = (usize, Array2<F>)> + use<'a, F, S, T, M>>
where
    F: Float,
    S: Data<Elem = F>,
    T: Data<Elem = F>,
    M: Metric<F> + 'a,
{
    if n_rows == 0 {
        return Err(Error::parameter("n_rows", "at least 1", n_rows));
    }
    entries::<F>(n_rows.min(x.nrows()), y.nrows())?;
    check_both(&x.view(), &y.view(), &metric)?;
    let y = metric.rows(y.view());
    Ok((0..x.nrows()).step_by(n_rows).map(move |start| {
        let part = x.slice_axis(Axis(0), Slice::from(start..x.nrows().min(start.saturating_add(n_rows))));
        (start, rectangle(part, &y, &metric))
    }))
}

/// Errors unless the rows are what the metric works on.
pub(super) fn check<F: Float>(
    name: &'static str,
    x: &ArrayView2<'_, F>,
    metric: &impl Metric<F>,
) -> Result<()> {
    check_not_empty(name, x)?;
    check_finite(name, x)?;
    metric.check(name, x)
}

/// The rows made ready for the metric, if they are what it works on.
fn checked_rows<'a, F: Float, M: Metric<F>>(
    name: &'static str,
    x: ArrayView2<'a, F>,
    metric: &M,
) -> Result<Rows<'a, F>> {
    if !M::ROWS_SHOW_NON_FINITE {
        check(name, &x, metric)?;
        return Ok(metric.rows(x));
    }
    check_not_empty(name, &x)?;
    metric.check(name, &x)?;
    let rows = metric.rows(x);
    if !rows.is_finite() {
        check_finite(name, &x)?;
    }
    Ok(rows)
}

/// The same for two sets, which also have to have the same number of columns.
pub(super) fn check_both<F: Float>(
    x: &ArrayView2<'_, F>,
    y: &ArrayView2<'_, F>,
    metric: &impl Metric<F>,
) -> Result<()> {
    check_columns(y, x)?;
    check("x", x, metric)?;
    check("y", y, metric)
}

fn check_columns<F: Float>(y: &ArrayView2<'_, F>, x: &ArrayView2<'_, F>) -> Result<()> {
    if x.ncols() == y.ncols() {
        return Ok(());
    }
    Err(Error::shape("y", format!("{} columns, as `x`", x.ncols()), y.ncols()))
}

/// Number of entries of a result, if there is memory for it.
pub(super) fn entries<F>(rows: usize, columns: usize) -> Result<usize> {
    table_len::<F>(rows, columns).ok_or_else(|| {
        let found = format_args!("{rows} x {columns}");
        Error::shape("x", "few enough rows for a matrix of distances in memory", found)
    })
}

fn matrix<F>(values: Vec<F>, rows: usize, columns: usize) -> Array2<F> {
    Array2::from_shape_vec((rows, columns), values).expect("one value for each entry")
}

/// The entries of `out`, row after row.
fn slice_of<'a, F: Float>(
    out: &'a mut ArrayViewMut2<'_, F>,
    rows: usize,
    columns: usize,
) -> Result<&'a mut [F]> {
    let found = out.dim();
    let rule = || format!("{rows} x {columns} entries, row after row in memory");
    if found != (rows, columns) {
        return Err(Error::shape("out", rule(), format_args!("{} x {}", found.0, found.1)));
    }
    out.as_slice_mut().ok_or_else(|| Error::shape("out", rule(), "another layout"))
}

/// What fills the tiles of the matrix of one set.
fn tiles<F: Float>(x: &Rows<'_, F>, metric: &impl Metric<F>) -> impl Fn(usize, usize, &mut [F]) {
    move |i, j, square| metric.tile(x, i..x.n().min(i + TILE), x, j..x.n().min(j + TILE), square)
}

/// What makes a band of rows ready: so that of `x` no more is held than what is at work.
fn bands<'a, F: Float>(x: ArrayView2<'a, F>, metric: &impl Metric<F>) -> impl Fn(usize) -> Rows<'a, F> {
    move |i| metric.rows(x.slice_axis_move(Axis(0), Slice::from(i..x.nrows().min(i + TILE))))
}

/// What fills the tiles of a band.
fn band_tiles<F: Float>(
    y: &Rows<'_, F>,
    metric: &impl Metric<F>,
) -> impl Fn(&Rows<'_, F>, usize, &mut Block<'_, F>) {
    move |band, j, block| metric.block(band, 0..band.n(), y, j..y.n().min(j + TILE), block)
}

fn rectangle<F: Float>(x: ArrayView2<'_, F>, y: &Rows<'_, F>, metric: &impl Metric<F>) -> Array2<F> {
    let (n, m) = (x.nrows(), y.n());
    matrix(kernel::rectangle(n, m, bands(x, metric), band_tiles(y, metric)), n, m)
}

fn rectangle_into<F: Float>(out: &mut [F], x: ArrayView2<'_, F>, y: &Rows<'_, F>, metric: &impl Metric<F>) {
    kernel::rectangle_into(out, x.nrows(), y.n(), bands(x, metric), band_tiles(y, metric));
}
