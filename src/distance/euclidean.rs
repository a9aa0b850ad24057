//! Straight-line distances: euclidean, its square, and Mahalanobis.

use std::ops::Range;

use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};

use super::metric::{Metric, Rows, SHORT, TileError, sum_error, tile_by_pairs};
use super::radius::{columns_at_most, each_column};
use crate::data::{check_finite, check_not_empty};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{
    self, AsItIs, Block, LargestDifference, Product, Root, SquaredDifference, SquaredDistance, finish,
};
use crate::math::{self, Cholesky};

/// Euclidean distance `sqrt(sum_k (a_k - b_k)^2)`.
///
/// Always from differences where it counts: the shortcut `|a|^2 + |b|^2 - 2 a.b`, which is what a matrix product computes, is used for
/// points of many components and taken back wherever it would cancel. Squares that overflow or underflow are scaled first.
///
/// # Example
/// ```
/// use sapwood::distance::{Euclidean, Metric};
///
/// assert_eq!(Euclidean.distance(&[0.0, 0.0], &[3.0, 4.0]), 5.0);
/// let far: f64 = Euclidean.distance(&[0.0, 0.0], &[3e200, 4e200]);
/// assert!((far / 5e200 - 1.0).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Euclidean;

/// Squared euclidean distance `sum_k (a_k - b_k)^2`.
///
/// Infinite where the square is out of range. The triangle inequality does not hold.
///
/// # Example
/// ```
/// use sapwood::distance::{Metric, SquaredEuclidean};
///
/// assert_eq!(SquaredEuclidean.distance(&[0.0, 0.0], &[3.0, 4.0]), 25.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct SquaredEuclidean;

/// Mahalanobis distance `sqrt((a - b)^T S^-1 (a - b))` for a covariance matrix `S`.
///
/// With the Cholesky factor `S = L L^T` it is the euclidean distance of `L^-1 a` and `L^-1 b`. SciPy takes the inverse of `S`.
///
/// # Example
/// ```
/// use sapwood::{distance::{Mahalanobis, Metric}, ndarray::array};
///
/// let metric = Mahalanobis::new(&array![[4.0, 0.0], [0.0, 1.0]])?;
/// assert_eq!(metric.distance(&[0.0, 0.0], &[6.0, 4.0]), 5.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Mahalanobis<F> {
    cholesky: Cholesky<F>,
    /// `|L| |L^-1|` (Frobenius): how much the rounding of a whitened point may grow.
    condition: F,
}

impl<F: Float> Mahalanobis<F> {
    /// With the given covariance matrix.
    ///
    /// # Errors
    /// [`Error::Shape`] when it is not square, [`Error::NonFinite`], and [`Error::Parameter`] when it is not symmetric and positive definite.
    pub fn new<S: Data<Elem = F>>(covariance: &ArrayBase<S, Ix2>) -> Result<Self> {
        check_not_empty("covariance", covariance)?;
        check_finite("covariance", covariance)?;
        let (rows, columns) = covariance.dim();
        if rows != columns {
            return Err(Error::shape(
                "covariance",
                "as many rows as columns",
                format_args!("{rows} x {columns}"),
            ));
        }
        let symmetric = covariance.indexed_iter().all(|((i, j), &v)| {
            let w = covariance[[j, i]];
            (v - w).abs() <= F::cast(8) * F::epsilon() * (v.abs() + w.abs())
        });
        if !symmetric {
            return Err(not_a_covariance("one that is not symmetric"));
        }
        let cholesky = Cholesky::new(covariance.view())
            .ok_or_else(|| not_a_covariance("one that is not positive definite"))?;
        let length = |values: &[F]| kernel::fold(Product, values, values).sqrt();
        let mut inverse = Array2::eye(rows);
        for mut row in inverse.outer_iter_mut() {
            cholesky.solve_lower(row.as_slice_mut().expect("a row of a new array"));
        }
        let factor = cholesky.factor().iter().copied().collect::<Vec<F>>();
        let inverse = inverse.into_raw_vec_and_offset().0;
        Ok(Self { condition: length(&factor) * length(&inverse), cholesky })
    }

    /// With the covariance matrix of the rows of `x` (divided by `n - 1`, as SciPy's `pdist` does).
    ///
    /// # Errors
    /// As [`new`](Self::new): where a column is constant or depends on others, the matrix is singular.
    pub fn of_rows<S: Data<Elem = F>>(x: &ArrayBase<S, Ix2>) -> Result<Self> {
        check_not_empty("x", x)?;
        check_finite("x", x)?;
        if x.nrows() < 2 {
            return Err(Error::shape("x", "at least two rows", x.nrows()));
        }
        let mut centred = x.to_owned();
        math::centre(&mut centred, Array1::ones(x.nrows()).view());
        let covariance = centred.t().dot(&centred) / F::cast(x.nrows() - 1);
        let metric = Self::new(&covariance)?;
        if !metric.cholesky.has_full_rank(covariance.diag()) {
            return Err(not_a_covariance("one that is not positive definite"));
        }
        Ok(metric)
    }
}

fn not_a_covariance(found: &str) -> Error {
    Error::parameter("covariance", "symmetric and positive definite", found)
}

/// The share of `|a|^2 + |b|^2` below which a squared distance is not taken from the shortcut: it has lost a quarter of its digits there.
fn near<F: Float>() -> F {
    F::epsilon().sqrt().sqrt()
}

/// Whether no square and no sum of squares can overflow.
fn squares_fit<F: Float>(x: &Rows<'_, F>, y: &Rows<'_, F>) -> bool {
    let largest = x.largest().max(y.largest()).as_f64();
    largest * largest * 4.0 * (x.dim() as f64) < F::max_value().as_f64()
}

/// Fills a tile with squared distances. Of short points, a difference costs less than the shortcut and its checks.
fn squares<F: Float>([x, y]: [&Rows<'_, F>; 2], [i, j]: [&Range<usize>; 2], out: &mut Block<'_, F>) {
    let from_differences =
        |out: &mut Block<'_, F>| x.fill((SquaredDifference, AsItIs), i.start, y, j.start, out);
    if x.dim() <= SHORT {
        from_differences(out);
        return;
    }
    x.fill((Product, AsItIs), i.start, y, j.start, out);
    let lengths = &y.beside()[j.clone()];
    let mut n_near = 0;
    out.for_each_row(|r, row| {
        let own = x.beside()[i.start + r];
        if n_near <= MANY
            && finish(SquaredDistance(near()), row, (own, lengths)).is_some_and(|least| least <= F::zero())
        {
            for (value, (j, &length)) in row.iter_mut().zip(j.clone().zip(lengths)) {
                if *value <= near::<F>() * (own + length) {
                    n_near += 1;
                    *value = SquaredEuclidean.distance(x.point(i.start + r), y.point(j));
                    if n_near > MANY {
                        return;
                    }
                }
            }
        }
    });
    if n_near > MANY {
        from_differences(out);
    }
}

/// With more near pairs than this in a tile, the whole of it is computed from differences: about where the two cost the same.
const MANY: usize = 1000;

/// The error of a tile of squared distances, as a share of each.
fn squares_error<F: Float>(dim: usize) -> F {
    let sum = sum_error::<F>(dim);
    if dim <= SHORT { sum } else { F::cast(2) * sum / near::<F>() }
}

impl<F: Float> Metric<F> for Euclidean {
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        root(kernel::fold(SquaredDifference, a, b), a, b)
    }

    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        kernel::fold_rows(SquaredDifference, query, rows, out);
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len())) {
            *out = root(*out, query, row);
        }
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let is_long = x.ncols() > SHORT;
        Rows::with_largest(x, move |row| if is_long { kernel::fold(Product, row, row) } else { F::zero() })
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        if !squares_fit(x, y) {
            return tile_by_pairs(self, x, i, y, j, out);
        }
        let [low, _] = safe_squares::<F>();
        let mut least = F::infinity();
        if x.dim() <= SHORT {
            least = x.fill((SquaredDifference, Root(low)), i.start, y, j.start, out);
        } else {
            squares([x, y], [&i, &j], out);
            out.for_each_row(|_, row| {
                least = finish(Root(low), row, (F::zero(), &[])).map_or(least, |l| least.min(l));
            });
        }
        if least > low {
            return;
        }
        // The least that a root can be stands where the square is too small.
        out.for_each_row(|r, row| {
            for c in each_column(columns_at_most(row, low.sqrt())) {
                row[c] = self.distance(x.point(i.start + r), y.point(j.start + c));
            }
        });
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::zero(), relative: squares_error(x.dim()) }
    }
}

/// The distance of two points from its square as summed in `F`.
fn root<F: Float>(squared: F, a: &[F], b: &[F]) -> F {
    let [low, high] = safe_squares();
    if squared > low && squared < high || squared.is_nan() {
        return squared.sqrt();
    }
    // Equal points, or squares out of range: the largest difference becomes 1.
    let largest = kernel::fold(LargestDifference, a, b);
    if largest == F::zero() || !largest.is_finite() {
        return largest;
    }
    let scaled = a.iter().zip(b).map(|(&a, &b)| (a - b) / largest);
    largest * scaled.map(|d| d * d).sum::<F>().sqrt()
}

/// Sums of squares between these bounds lost nothing to underflow or overflow.
fn safe_squares<F: Float>() -> [F; 2] {
    [F::min_positive_value() / (F::epsilon() * F::epsilon()), F::max_value()]
}

impl<F: Float> Metric<F> for SquaredEuclidean {
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        kernel::fold(SquaredDifference, a, b)
    }

    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        kernel::fold_rows(SquaredDifference, query, rows, out);
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let is_long = x.ncols() > SHORT;
        Rows::with_largest(x, move |row| if is_long { kernel::fold(Product, row, row) } else { F::zero() })
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        if squares_fit(x, y) {
            squares([x, y], [&i, &j], out);
        } else {
            tile_by_pairs(self, x, i, y, j, out);
        }
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::min_positive_value(), relative: squares_error(x.dim()) }
    }
}

impl<F: Float> Metric<F> for Mahalanobis<F> {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        let zeros = vec![F::zero(); a.len()];
        let whitened = |unit: F| {
            let mut difference: Vec<F> = a.iter().zip(b).map(|(&a, &b)| a / unit - b / unit).collect();
            self.cholesky.solve_lower(&mut difference);
            Euclidean.distance(&difference, &zeros)
        };
        let distance = whitened(F::one());
        if distance.is_finite() {
            return distance;
        }
        // Out of range, or infinities that met on the way: the largest component becomes 1.
        let largest = a.iter().chain(b).fold(F::zero(), |largest, v| largest.max(v.abs()));
        let distance = largest * whitened(largest);
        if distance.is_nan() { F::infinity() } else { distance }
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        let dim = self.cholesky.factor().nrows();
        if x.ncols() == dim {
            return Ok(());
        }
        Err(Error::shape(name, format!("{dim} columns, as the covariance matrix"), x.ncols()))
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let dim = x.ncols();
        Rows::with_panels(x, dim, |row, white| {
            white.copy_from_slice(row);
            self.cholesky.solve_lower(white);
            kernel::fold(Product, white, white)
        })
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        x.fill((SquaredDifference, AsItIs), i.start, y, j.start, out);
        out.for_each_row(|r, row| {
            let i = i.start + r;
            for (value, j) in row.iter_mut().zip(j.clone()) {
                // Whitened points that nearly agree are rounded more than their difference would be.
                let lengths = x.beside()[i] + y.beside()[j];
                *value = if *value > near::<F>() * lengths && lengths.is_finite() {
                    value.sqrt()
                } else {
                    self.distance(x.point(i), y.point(j))
                };
            }
        });
    }

    fn tile_error(&self, x: &Rows<'_, F>, y: &Rows<'_, F>) -> TileError<F> {
        let whitening = sum_error::<F>(x.dim()) * self.condition;
        let longest = |rows: &Rows<'_, F>| rows.beside().iter().fold(F::zero(), |m, &v| m.max(v)).sqrt();
        let absolute = whitening * (longest(x) + longest(y));
        TileError {
            // An infinite condition of points at 0 says nothing.
            absolute: if absolute.is_nan() { F::infinity() } else { absolute },
            relative: whitening + sum_error::<F>(x.dim()),
        }
    }
}
