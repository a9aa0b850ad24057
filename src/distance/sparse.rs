//! Distances between sparse rows: cosine, angle, inner product, euclidean, jaccard.
//!
//! All of them follow from the inner product of two rows and from their lengths. The products of one row with all others come from the
//! columns of the others: for each nonzero of the row, the entries of its column are added up. So the time is that of the pairs of
//! nonzeros that share a column, whatever the number of columns. Sums run in `f64`, in the order of the columns. Where a distance
//! cancels, or a length is out of range, it is computed from the two rows themselves, with zeros where only one has an entry: a value
//! is, to rounding, that of the dense rows, and depends on the two rows alone.
//!
//! # Example
//! ```
//! use sapwood::{data::Csr, distance::{Cosine, sparse}, sprs::CsMat};
//!
//! // Three texts of four words: (row starts, columns, counts).
//! let counts = CsMat::new((3, 4), vec![0, 2, 3, 5], vec![0, 1, 2, 0, 1], vec![1.0, 2.0, 1.0, 3.0, 6.0]);
//! let texts = Csr::new(counts.view())?;
//! let nearest = sparse::top_k(&texts, &texts, 2, Cosine)?;
//! assert_eq!(nearest.indices.row(2).to_vec(), [2, 0], "beside itself the first, of which it is three times");
//! # Ok::<(), sapwood::Error>(())
//! ```

use std::borrow::Cow;
use std::ops::Range;

use ndarray::{Array1, Array2};
use sprs::CsVecView;

use super::cosine::{Angular, Cosine, CosineSimilarity, Direction, Dot};
use super::counts::Jaccard;
use super::euclidean::{Euclidean, SquaredEuclidean};
use super::metric::Metric;
use super::nearest::{Best, Nearest};
use super::pairs::entries;
use crate::data::Csr;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::par;

/// A metric that follows from the inner product of two rows and from their squared lengths.
///
/// # Example
/// ```
/// use sapwood::{data::Csr, distance::sparse::{self, SparseMetric}, distance::Euclidean, sprs::CsMat};
///
/// fn widest<M: SparseMetric<f64>>(x: &Csr<'_, f64>, metric: M) -> sapwood::Result<f64> {
///     Ok(sparse::pairwise(x, metric)?.iter().copied().fold(0.0, f64::max))
/// }
/// let x = CsMat::new((2, 4), vec![0, 1, 2], vec![3, 0], vec![3.0, 4.0]);
/// assert_eq!(widest(&Csr::new(x.view())?, Euclidean)?, 5.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub trait SparseMetric<F: Float>: Metric<F> {
    /// What an entry counts for in products and lengths; 0 must stay 0.
    fn weight(&self, entry: F) -> F {
        entry
    }

    /// The distance of rows `a` and `b` from the inner products `a.a`, `a.b`, `b.b` of their weights; `None` where rounding has cost digits or
    /// a product is out of range, and the rows themselves have to be looked at.
    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F>;
}

impl<F: Float> SparseMetric<F> for Cosine {
    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        Direction::of_products::<f64>(aa, ab, bb).map(|direction| F::cast(direction.distance()))
    }
}

impl<F: Float> SparseMetric<F> for CosineSimilarity {
    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        Direction::of_products::<f64>(aa, ab, bb).map(|direction| F::cast(direction.similarity()))
    }
}

impl<F: Float> SparseMetric<F> for Angular {
    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        Direction::of_products::<f64>(aa, ab, bb).map(|direction| F::cast(direction.angle()))
    }
}

impl<F: Float> SparseMetric<F> for Dot {
    fn of_products(&self, _: f64, ab: f64, _: f64) -> Option<F> {
        ab.is_finite().then(|| F::cast(ab))
    }
}

/// `|a - b|^2`, unless it is lost in `|a|^2 + |b|^2`: more than six bits, or squares out of range.
fn squared_distance(aa: f64, ab: f64, bb: f64) -> Option<f64> {
    let squared = aa + bb - 2.0 * ab;
    let low = f64::MIN_POSITIVE / f64::EPSILON.powi(2);
    (squared > (aa + bb) / 64.0 && squared > low && squared.is_finite()).then_some(squared)
}

impl<F: Float> SparseMetric<F> for Euclidean {
    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        squared_distance(aa, ab, bb).map(|squared| F::cast(squared.sqrt()))
    }
}

impl<F: Float> SparseMetric<F> for SquaredEuclidean {
    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        squared_distance(aa, ab, bb).map(F::cast)
    }
}

impl<F: Float> SparseMetric<F> for Jaccard {
    /// 1 for a member: the products are counts then.
    fn weight(&self, entry: F) -> F {
        if entry == F::zero() { entry } else { F::one() }
    }

    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        let either = aa + bb - ab;
        Some(if either == 0.0 { F::zero() } else { F::cast((either - ab) / either) })
    }
}

impl<F: Float, M: SparseMetric<F>> SparseMetric<F> for &M {
    fn weight(&self, entry: F) -> F {
        (**self).weight(entry)
    }

    fn of_products(&self, aa: f64, ab: f64, bb: f64) -> Option<F> {
        (**self).of_products(aa, ab, bb)
    }
}

/// Distances between all rows of one set, `(n, n)`; a row's distance to itself is exactly 0.
///
/// # Errors
/// [`Error::Shape`] without a row or a column, [`Error::NonFinite`].
///
/// # Example
/// ```
/// use sapwood::{data::Csr, distance::{Jaccard, sparse}, ndarray::array, sprs::CsMat};
///
/// let sets = CsMat::new((2, 9), vec![0, 2, 4], vec![3, 8, 0, 8], vec![1.0; 4]);
/// let third = 2.0 / 3.0;
/// assert_eq!(sparse::pairwise(&Csr::new(sets.view())?, Jaccard)?, array![[0.0, third], [third, 0.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn pairwise<F: Float, M: SparseMetric<F>>(x: &Csr<'_, F>, metric: M) -> Result<Array2<F>> {
    let mut out = between(x, x, metric)?;
    if !M::SIMILARITY {
        out.diag_mut().fill(F::zero());
    }
    Ok(out)
}

/// Distances between all rows of `x` and all rows of `y`, `(n_x, n_y)`.
///
/// # Example
/// ```
/// use sapwood::{data::Csr, distance::{Dot, sparse}, ndarray::array, sprs::CsMat};
///
/// let x = CsMat::new((2, 4), vec![0, 1, 3], vec![3, 0, 1], vec![5.0, 1.0, 2.0]);
/// let x = Csr::new(x.view())?;
/// assert_eq!(sparse::between(&x, &x, Dot)?, array![[25.0, 0.0], [0.0, 5.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// As [`pairwise`] for each of the two, and [`Error::Shape`] when they have different numbers of columns.
///
/// # Complexity
/// For each row of `x` the number of entries of `y` in its columns, and one step for each row of `y`.
pub fn between<F: Float, M: SparseMetric<F>>(x: &Csr<'_, F>, y: &Csr<'_, F>, metric: M) -> Result<Array2<F>> {
    let (n, m) = (x.nrows(), y.nrows());
    let n_pairs = entries::<F>(n, m)?;
    let search = Search::new(("x", x), ("y", y), metric)?;
    let mut out = vec![F::zero(); n_pairs];
    par::for_each_chunk_mut(&mut out, m * search.band(), |band, out| {
        let rows = band * search.band()..;
        let mut products = vec![0.0; m];
        for (i, out) in rows.zip(out.chunks_exact_mut(m)) {
            search.distances(i, &mut products, |j, d| out[j] = d);
        }
    });
    Ok(Array2::from_shape_vec((n, m), out).expect("one value for each pair"))
}

/// Distances from one sparse point to every row of `x`, `(n,)`.
///
/// # Errors
/// As [`between`].
///
/// # Example
/// ```
/// use sapwood::{data::Csr, distance::{Dot, sparse}, ndarray::array, sprs::{CsMat, CsVec}};
///
/// let x = CsMat::new((2, 4), vec![0, 1, 3], vec![3, 0, 1], vec![5.0, 1.0, 2.0]);
/// let query = CsVec::new(4, vec![1, 3], vec![10.0, 1.0]);
/// assert_eq!(sparse::one_to_many(query.view(), &Csr::new(x.view())?, Dot)?, array![5.0, 20.0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn one_to_many<F: Float, M: SparseMetric<F>>(
    query: CsVecView<'_, F>,
    x: &Csr<'_, F>,
    metric: M,
) -> Result<Array1<F>> {
    let starts = [0, query.nnz()];
    let query = Csr::of_parts(&starts, query.indices(), query.data(), query.dim());
    let search = Search::new(("x", x), ("query", &query), metric)?;
    let mut out = vec![F::zero(); x.nrows()];
    par::for_each_chunk_mut(&mut out, search.band(), |band, out| {
        for (i, out) in (band * search.band()..).zip(out) {
            search.distances(i, &mut [0.0], |_, d| *out = d);
        }
    });
    Ok(Array1::from(out))
}

/// The `k` rows of `x` nearest to each row of `queries`; of equally near ones, those with the lower number.
///
/// # Example
/// ```
/// use sapwood::{data::Csr, distance::{Cosine, sparse}, ndarray::array, sprs::CsMat};
///
/// let x = CsMat::new((3, 4), vec![0, 1, 3, 4], vec![3, 0, 1, 0], vec![5.0, 1.0, 2.0, 7.0]);
/// let x = Csr::new(x.view())?;
/// assert_eq!(sparse::top_k(&x, &x, 1, Cosine)?.indices, array![[0], [1], [2]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// As [`between`], and [`Error::Parameter`] unless `1 <= k <= n`.
pub fn top_k<F: Float, M: SparseMetric<F>>(
    queries: &Csr<'_, F>,
    x: &Csr<'_, F>,
    k: usize,
    metric: M,
) -> Result<Nearest<F>> {
    let search = Search::new(("queries", queries), ("x", x), metric)?;
    let n = x.nrows();
    if k == 0 || k > n {
        return Err(Error::parameter("k", format!("from 1 to {n}, the number of rows"), k));
    }
    let best = search.bands(|rows| {
        let mut products = vec![0.0; n];
        let of_row = |i| {
            let mut best = Best::new(k);
            search.distances(i, &mut products, |j, d| best.offer(gap::<F, M>(d), j));
            best
        };
        rows.map(of_row).collect::<Vec<_>>()
    });
    Ok(Nearest::of_best::<M>(best.into_iter().flatten(), queries.nrows(), k))
}

/// Calls `visit(i, j, distance)` for every pair `i < j` of rows of `x` with a distance of at most `radius` (a similarity of at least).
///
/// The pairs come in order, on this thread.
///
/// # Errors
/// As [`pairwise`], and [`Error::Parameter`] when `radius` is NaN.
///
/// # Example
/// ```
/// use sapwood::{data::Csr, distance::{Cosine, sparse}, sprs::CsMat};
///
/// let counts = CsMat::new((3, 4), vec![0, 2, 3, 5], vec![0, 1, 2, 0, 1], vec![1.0, 2.0, 1.0, 3.0, 6.1]);
/// let mut duplicates = Vec::new();
/// sparse::within(&Csr::new(counts.view())?, 1e-3, Cosine, |i, j, _| duplicates.push((i, j)))?;
/// assert_eq!(duplicates, [(0, 2)]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn within<F: Float, M: SparseMetric<F>>(
    x: &Csr<'_, F>,
    radius: F,
    metric: M,
    mut visit: impl FnMut(usize, usize, F),
) -> Result<()> {
    if radius.is_nan() {
        return Err(Error::parameter("radius", "a number", radius));
    }
    let search = Search::new(("x", x), ("x", x), metric)?;
    let limit = gap::<F, M>(radius);
    // Some rows at a time: it bounds the pairs that wait for their visit.
    for first in (0..x.nrows()).step_by(16 * search.band()) {
        let rows = first..x.nrows().min(first + 16 * search.band());
        let found = par::map(rows.len().div_ceil(search.band()), |band| {
            let start = first + band * search.band();
            let mut products = vec![0.0; x.nrows()];
            let mut pairs = Vec::new();
            for i in start..rows.end.min(start + search.band()) {
                search.distances(i, &mut products, |j, d| {
                    if j > i && gap::<F, M>(d) <= limit {
                        pairs.push((i, j, d));
                    }
                });
            }
            pairs
        });
        found.into_iter().flatten().for_each(|(i, j, d)| visit(i, j, d));
    }
    Ok(())
}

/// The smaller, the nearer.
fn gap<F: Float, M: Metric<F>>(distance: F) -> F {
    if M::SIMILARITY { -distance } else { distance }
}

/// Rows of `x` against all rows of `y`.
struct Search<'a, F, M> {
    metric: M,
    x: Side<'a, F>,
    y: Side<'a, F>,
    columns: Columns<F>,
}

/// Rows with the squared length of each.
struct Side<'a, F> {
    csr: &'a Csr<'a, F>,
    squared: Vec<f64>,
}

/// Entries of `y` by column: those of column `k` are `starts[k]..starts[k + 1]`, from the first row on.
struct Columns<F> {
    numbers: Numbers,
    starts: Vec<usize>,
    rows: Vec<u32>,
    weights: Vec<F>,
}

/// How columns are numbered: as they are, or, where nearly all of them are empty, by their place among those that are not.
enum Numbers {
    All,
    Used(Vec<usize>),
}

/// Columns for each entry up to which there is a place for every column.
const SPARSEST: usize = 8;

/// With fewer columns than this nobody minds.
const FEW_COLUMNS: usize = 1 << 16;

/// Nonzeros of a piece of work, about.
const PIECE: usize = 1 << 12;

impl<'a, F: Float, M: SparseMetric<F>> Search<'a, F, M> {
    fn new(
        (x_name, x): (&'static str, &'a Csr<'a, F>),
        (y_name, y): (&'static str, &'a Csr<'a, F>),
        metric: M,
    ) -> Result<Self> {
        check(x_name, x)?;
        check(y_name, y)?;
        if x.ncols() != y.ncols() {
            return Err(Error::shape(y_name, format!("{} columns, as `{x_name}`", x.ncols()), y.ncols()));
        }
        let side = |csr: &'a Csr<'a, F>| {
            let square = |v: &F| metric.weight(*v).as_f64().powi(2);
            let squared = par::tabulate(csr.nrows(), |i| row(csr, i).1.iter().map(square).sum());
            Side { csr, squared }
        };
        Ok(Self { x: side(x), y: side(y), columns: Columns::new(y, |v| metric.weight(v)), metric })
    }

    /// Rows of `x` in a piece of work; fixed by the data.
    fn band(&self) -> usize {
        let nnz = self.x.csr.parts().1.len();
        (PIECE * self.x.csr.nrows() / nnz.max(1)).clamp(1, 256)
    }

    /// `work` of each band of rows of `x`.
    fn bands<R: Send>(&self, work: impl Fn(Range<usize>) -> R + Send + Sync) -> Vec<R> {
        let (n, band) = (self.x.csr.nrows(), self.band());
        par::map(n.div_ceil(band), |k| work(k * band..n.min((k + 1) * band)))
    }

    /// Calls `visit(j, distance)` for every row `j` of `y`, with the distance from row `i` of `x`; `products` has room for each.
    fn distances(&self, i: usize, products: &mut [f64], mut visit: impl FnMut(usize, F)) {
        products.fill(0.0);
        let (indices, values) = row(self.x.csr, i);
        for (&column, &value) in indices.iter().zip(values) {
            let a = self.metric.weight(value).as_f64();
            let (rows, weights) = self.columns.column(column);
            for (&j, b) in rows.iter().zip(weights) {
                products[j as usize] += a * b.as_f64();
            }
        }
        let aa = self.x.squared[i];
        for (j, (&ab, &bb)) in products.iter().zip(&self.y.squared).enumerate() {
            let exact = || self.of_rows(i, j);
            visit(j, self.metric.of_products(aa, ab, bb).unwrap_or_else(exact));
        }
    }

    /// The distance of two rows in the columns where at least one has an entry.
    #[cold]
    fn of_rows(&self, i: usize, j: usize) -> F {
        let ((mut a_at, mut a_values), (mut b_at, mut b_values)) = (row(self.x.csr, i), row(self.y.csr, j));
        let (mut a, mut b) = (Vec::new(), Vec::new());
        // The first value, if it stands in column `at`.
        fn take<F: Float>(at: usize, columns: &mut &[usize], values: &mut &[F]) -> F {
            match (*columns, *values) {
                ([column, columns_left @ ..], [value, values_left @ ..]) if *column == at => {
                    (*columns, *values) = (columns_left, values_left);
                    *value
                }
                _ => F::zero(),
            }
        }
        while let Some(&at) = match (a_at.first(), b_at.first()) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        } {
            a.push(take(at, &mut a_at, &mut a_values));
            b.push(take(at, &mut b_at, &mut b_values));
        }
        self.metric.distance(&a, &b)
    }
}

impl<F: Float> Columns<F> {
    fn new(y: &Csr<'_, F>, weight: impl Fn(F) -> F) -> Self {
        let (row_starts, indices, values) = y.parts();
        let numbers = if y.ncols() <= FEW_COLUMNS.max(SPARSEST * indices.len()) {
            Numbers::All
        } else {
            let mut used = indices.to_vec();
            used.sort_unstable();
            used.dedup();
            Numbers::Used(used)
        };
        let (n, places): (usize, Cow<'_, [usize]>) = match &numbers {
            Numbers::All => (y.ncols(), Cow::Borrowed(indices)),
            Numbers::Used(used) => {
                (used.len(), indices.iter().map(|k| used.partition_point(|used| used < k)).collect())
            }
        };
        // Counting sort by column: counts, their sums, and every entry to its place.
        let mut starts = vec![0; n + 1];
        places.iter().for_each(|&k| starts[k + 1] += 1);
        (0..n).for_each(|k| starts[k + 1] += starts[k]);
        let mut next = starts.clone();
        let (mut rows, mut weights) = (vec![0; indices.len()], vec![F::zero(); indices.len()]);
        for (i, run) in (0..).zip(row_starts.windows(2)) {
            for (&k, &value) in places[run[0]..run[1]].iter().zip(&values[run[0]..run[1]]) {
                (rows[next[k]], weights[next[k]]) = (i, weight(value));
                next[k] += 1;
            }
        }
        Self { numbers, starts, rows, weights }
    }

    /// Rows and weights of the entries of a column.
    fn column(&self, column: usize) -> (&[u32], &[F]) {
        let run = match &self.numbers {
            Numbers::All => self.starts[column]..self.starts[column + 1],
            Numbers::Used(used) => {
                used.binary_search(&column).map_or(0..0, |k| self.starts[k]..self.starts[k + 1])
            }
        };
        (&self.rows[run.clone()], &self.weights[run])
    }
}

/// Columns and values of the entries of row `i`.
fn row<'a, F: Float>(csr: &Csr<'a, F>, i: usize) -> (&'a [usize], &'a [F]) {
    let (starts, indices, values) = csr.parts();
    let run = starts[i]..starts[i + 1];
    (&indices[run.clone()], &values[run])
}

fn check<F: Float>(name: &'static str, x: &Csr<'_, F>) -> Result<()> {
    if x.nrows() == 0 || x.ncols() == 0 {
        let found = format_args!("{} x {}", x.nrows(), x.ncols());
        return Err(Error::shape(name, "at least one row and one column", found));
    }
    if u32::try_from(x.nrows()).is_err() {
        return Err(Error::shape(name, "fewer than 2^32 rows", x.nrows()));
    }
    let (starts, indices, values) = x.parts();
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(k) => Err(Error::NonFinite {
            name,
            row: starts.partition_point(|&start| start <= k) - 1,
            column: indices[k],
            value: values[k].as_f64(),
        }),
    }
}
