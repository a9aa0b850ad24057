//! Neighbours of a point: all within a radius, how many, or the nearest few.
//!
//! An [`Index`] is built once over the rows of an array and asked many times, from many threads. In up to 16 dimensions it is a k-d tree, above that it compares with
//! every row, which is faster there; [`Search`] overrides the choice. Both give the same answers, exactly: the squared distance is
//! `sum_j (x_j - y_j)^2` in `f64`, also for `f32` rows, summed in the order of `j` (the manhattan distance `sum_j |x_j - y_j|`, the chebyshev
//! distance `max_j |x_j - y_j|`); a point at exactly the radius is inside. [`BruteForce`] searches under any other metric.
//!
//! The nearest few by the Euclidean distance come from [kiddo](https://docs.rs/kiddo)'s k-d tree, in up to 16 dimensions. Everything else has a tree of
//! its own, because DBSCAN needs what kiddo does not offer: whole subtrees that are counted at once, a count that stops early, a dimension known only at run
//! time, other distances, and a boundary that is exact on ties.

mod brute;
mod brute_force;
mod nearest;
pub(crate) mod tree;

use std::borrow::Cow;
use std::ops::ControlFlow;
use std::sync::OnceLock;

use ndarray::{ArrayBase, ArrayView1, Data, Ix2};

pub use self::brute_force::BruteForce;

use self::brute::Brute;
use self::nearest::Nearest;
use self::tree::{Levels, Tree};
use crate::data::{check_finite, check_not_empty};
use crate::distance::{Chebyshev, Euclidean, Manhattan};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::Radius;
use crate::params::require;

/// Dimensions up to which the k-d tree is chosen. Above, nearly every box is near every query, and a scan of all rows is faster.
pub(crate) const TREE_DIMENSIONS: usize = 16;

/// A distance that grows with the difference in each single component, so that boxes bound it and a tree can search it.
///
/// Implemented for [`Euclidean`], [`Manhattan`] and [`Chebyshev`]; for all others there is [`BruteForce`].
#[allow(private_bounds, reason = "the kernels are no part of the public interface")]
pub trait ByComponents: Copy + std::fmt::Debug + Send + Sync + by_components::Kernel {}

impl ByComponents for Euclidean {}
impl ByComponents for Manhattan {}
impl ByComponents for Chebyshev {}

mod by_components {
    use crate::distance::{Chebyshev, Euclidean, Manhattan};
    use crate::kernel::{Absolutes, Largest, Norm, Squares};

    pub trait Kernel {
        type Norm: Norm;
        /// Whether kiddo has its nearest neighbours.
        const EUCLIDEAN: bool = false;
    }

    impl Kernel for Euclidean {
        type Norm = Squares;
        const EUCLIDEAN: bool = true;
    }

    impl Kernel for Manhattan {
        type Norm = Absolutes;
    }

    impl Kernel for Chebyshev {
        type Norm = Largest;
    }
}

/// How an [`Index`] looks for neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Search {
    /// A k-d tree in up to 16 dimensions, every row above.
    #[default]
    Auto,
    /// A k-d tree; `O(log n)` per query in low dimensions.
    KdTree,
    /// Every row; `O(n d)` per query, whatever the data.
    Brute,
}

/// A row near a query.
///
/// # Example
/// ```
/// use sapwood::{Index, ndarray::array};
///
/// let index = Index::new(&array![[0.0], [5.0], [6.0]])?;
/// let nearest = index.nearest(array![4.5].view(), 1)?;
/// assert_eq!((nearest[0].row, nearest[0].distance), (1, 0.5));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Neighbour {
    /// The row of the indexed array.
    pub row: usize,
    /// Its distance from the query.
    pub distance: f64,
}

/// Finds neighbours among the rows of an array.
///
/// # Example
/// ```
/// use sapwood::{Index, ndarray::array};
///
/// let x = array![[0.0, 0.0], [3.0, 4.0], [6.0, 8.0]];
/// let index = Index::new(&x)?;
/// let near = index.within(x.row(0), 5.0)?;
/// assert_eq!(near.iter().map(|n| (n.row, n.distance)).collect::<Vec<_>>(), [(0, 0.0), (1, 5.0)]);
/// assert_eq!(index.nearest(x.row(2), 2)?[1].row, 1);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug)]
pub struct Index<F, M = Euclidean> {
    d: usize,
    backend: Backend<F>,
    metric: M,
}

#[derive(Debug)]
enum Backend<F> {
    /// The second tree is built when it is first asked.
    KdTree {
        tree: Tree<F>,
        levels: Levels,
        nearest: OnceLock<Box<Nearest>>,
    },
    Brute(Brute<F>),
}

impl<F: Float> Index<F> {
    /// Indexes the rows of `records`, `(n_points, n_features)`, in any memory layout, by the fitting [`Search`].
    ///
    /// `O(d n log n)` time and one copy of the data for the tree, `O(d n)` for brute force.
    ///
    /// # Errors
    /// [`Error::Shape`] without a row or a column, or with 2^31 rows or more; [`Error::NonFinite`] with NaN or an infinity.
    pub fn new<S: Data<Elem = F>>(records: &ArrayBase<S, Ix2>) -> Result<Self> {
        Self::with_search(records, Search::Auto)
    }

    /// Indexes the rows of `records` for the given kind of search.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    ///
    /// # Example
    /// ```
    /// use sapwood::{Index, index::Search, ndarray::array};
    ///
    /// let x = array![[0.0_f32], [1.0], [2.0]];
    /// let index = Index::with_search(&x, Search::Brute)?;
    /// assert_eq!(index.count_within(x.row(1), 1.0, usize::MAX)?, 3);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn with_search<S: Data<Elem = F>>(records: &ArrayBase<S, Ix2>, search: Search) -> Result<Self> {
        Self::with_metric(records, search, Euclidean)
    }
}

impl<F: Float, M: ByComponents> Index<F, M> {
    /// Indexes the rows of `records` for the given kind of search and distance.
    ///
    /// # Errors
    /// Those of [`new`](Self::new).
    ///
    /// # Example
    /// ```
    /// use sapwood::{Index, distance::Manhattan, index::Search, ndarray::array};
    ///
    /// let x = array![[0.0, 0.0], [1.0, 1.0], [3.0, 0.0]];
    /// let index = Index::with_metric(&x, Search::Auto, Manhattan)?;
    /// assert_eq!(index.count_within(x.row(0), 2.0, usize::MAX)?, 2);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn with_metric<S: Data<Elem = F>>(
        records: &ArrayBase<S, Ix2>,
        search: Search,
        metric: M,
    ) -> Result<Self> {
        check_not_empty("records", records)?;
        Tree::<F>::check_size(records.nrows())?;
        check_finite("records", records)?;
        let d = records.ncols();
        let brute = search == Search::Brute || (search == Search::Auto && d > TREE_DIMENSIONS);
        let backend = if brute {
            Backend::Brute(Brute::new(records.view()))
        } else {
            let tree = Tree::new(records.view())?;
            Backend::KdTree { levels: Levels::new(&tree), tree, nearest: OnceLock::new() }
        };
        Ok(Self { d, backend, metric })
    }

    /// The distance.
    #[must_use]
    pub fn metric(&self) -> M {
        self.metric
    }

    /// Number of indexed rows.
    #[must_use]
    pub fn n_points(&self) -> usize {
        match &self.backend {
            Backend::KdTree { tree, .. } => tree.n_points(),
            Backend::Brute(brute) => brute.n_points(),
        }
    }

    /// Number of columns, which every query must have.
    #[must_use]
    pub fn n_features(&self) -> usize {
        self.d
    }

    /// Calls `visit` for each row within `radius` of `query`, in no particular order, until it breaks off.
    ///
    /// Allocates nothing where the query lies in one piece of memory, as the row of an array does.
    ///
    /// # Errors
    /// [`Error::Shape`] for a query of another width; [`Error::Parameter`] for a negative or NaN radius or a query that is not finite.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Index, ndarray::array};
    /// use std::ops::ControlFlow;
    ///
    /// let x = array![[0.0], [1.0], [5.0]];
    /// let mut sum = 0.0;
    /// Index::new(&x)?.visit_within(x.row(0), 2.0, |neighbour| {
    ///     sum += neighbour.distance;
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(sum, 1.0);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn visit_within(
        &self,
        query: ArrayView1<'_, F>,
        radius: f64,
        mut visit: impl FnMut(Neighbour) -> ControlFlow<()>,
    ) -> Result<()> {
        let query = self.checked(&query)?;
        let radius = self.radius(radius)?;
        // A query that was broken off is answered as far as its caller wanted it to be.
        let (ControlFlow::Continue(()) | ControlFlow::Break(())) = match &self.backend {
            Backend::KdTree { tree, levels, .. } => tree.visit_within(levels, &query, &radius, &mut visit),
            Backend::Brute(brute) => brute.visit_within(&query, &radius, &mut visit),
        };
        Ok(())
    }

    /// Number of rows within `radius` of `query`, or `limit` where there are more: the search stops there.
    ///
    /// # Errors
    /// Those of [`visit_within`](Self::visit_within).
    ///
    /// # Example
    /// ```
    /// use sapwood::{Index, ndarray::array};
    ///
    /// let x = array![[0.0], [1.0], [2.0], [9.0]];
    /// let index = Index::new(&x)?;
    /// assert_eq!(index.count_within(x.row(0), 2.0, usize::MAX)?, 3);
    /// assert_eq!(index.count_within(x.row(0), 2.0, 2)?, 2);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn count_within(&self, query: ArrayView1<'_, F>, radius: f64, limit: usize) -> Result<usize> {
        let query = self.checked(&query)?;
        let radius = self.radius(radius)?;
        let count = match &self.backend {
            Backend::KdTree { tree, levels, .. } => tree.count_within(levels, &query, &radius, limit),
            Backend::Brute(brute) => brute.count_within(&query, &radius, limit),
        };
        Ok(count.min(limit))
    }

    /// All rows within `radius` of `query`, the nearest first and equal distances by row.
    ///
    /// # Errors
    /// Those of [`visit_within`](Self::visit_within).
    ///
    /// # Example
    /// ```
    /// use sapwood::{Index, ndarray::{array, aview1}};
    ///
    /// let x = array![[0.0], [1.0], [3.0]];
    /// let near = Index::new(&x)?.within(aview1(&[2.0]), 1.0)?;
    /// assert_eq!(near.iter().map(|n| n.row).collect::<Vec<_>>(), [1, 2]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn within(&self, query: ArrayView1<'_, F>, radius: f64) -> Result<Vec<Neighbour>> {
        let mut neighbours = Vec::new();
        self.within_into(query, radius, &mut neighbours)?;
        Ok(neighbours)
    }

    /// [`within`](Self::within) into a vector of the caller, which is cleared first.
    ///
    /// # Errors
    /// Those of [`visit_within`](Self::visit_within).
    pub fn within_into(
        &self,
        query: ArrayView1<'_, F>,
        radius: f64,
        neighbours: &mut Vec<Neighbour>,
    ) -> Result<()> {
        neighbours.clear();
        self.visit_within(query, radius, |neighbour| {
            neighbours.push(neighbour);
            ControlFlow::Continue(())
        })?;
        sort(neighbours);
        Ok(())
    }

    /// The `k` rows nearest to `query`, or all where there are fewer, the nearest first and equal distances by row.
    ///
    /// Which of several rows at the distance of the last place are among them is not specified, but the same on every run.
    ///
    /// # Errors
    /// [`Error::Parameter`] for `k` = 0 or a query that is not finite; [`Error::Shape`] for a query of another width.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Index, ndarray::{array, aview1}};
    ///
    /// let x = array![[0.0, 0.0], [1.0, 0.0], [0.0, 3.0]];
    /// let near = Index::new(&x)?.nearest(aview1(&[0.0, 2.0]), 2)?;
    /// assert_eq!(near.iter().map(|n| (n.row, n.distance)).collect::<Vec<_>>(), [(2, 1.0), (0, 2.0)]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn nearest(&self, query: ArrayView1<'_, F>, k: usize) -> Result<Vec<Neighbour>> {
        let mut neighbours = Vec::new();
        self.nearest_into(query, k, &mut neighbours)?;
        Ok(neighbours)
    }

    /// [`nearest`](Self::nearest) into a vector of the caller, which is cleared first.
    ///
    /// # Errors
    /// Those of [`nearest`](Self::nearest).
    pub fn nearest_into(
        &self,
        query: ArrayView1<'_, F>,
        k: usize,
        neighbours: &mut Vec<Neighbour>,
    ) -> Result<()> {
        require(k > 0, "k", "at least 1", k)?;
        let query = self.checked(&query)?;
        let k = k.min(self.n_points());
        neighbours.clear();
        match &self.backend {
            Backend::KdTree { tree, nearest, .. } if M::EUCLIDEAN && self.d <= TREE_DIMENSIONS => {
                nearest.get_or_init(|| Box::new(Nearest::new(tree))).nearest(&query, k, neighbours);
            }
            Backend::KdTree { tree, .. } => tree.nearest::<M::Norm>(&query, k, neighbours),
            Backend::Brute(brute) => brute.nearest::<M::Norm>(&query, k, neighbours),
        }
        sort(neighbours);
        Ok(())
    }

    /// The query in one piece of memory.
    fn checked<'a>(&self, query: &'a ArrayView1<'_, F>) -> Result<Cow<'a, [F]>> {
        checked_query(query, self.d)
    }

    fn radius(&self, radius: f64) -> Result<Radius<F, M::Norm>> {
        require(radius >= 0.0, "radius", "at least 0", radius)?;
        Ok(F::radius(radius, self.d))
    }
}

/// The query in one piece of memory, if it is finite and has `d` entries.
fn checked_query<'a, F: Float>(query: &'a ArrayView1<'_, F>, d: usize) -> Result<Cow<'a, [F]>> {
    if query.len() != d {
        return Err(Error::shape("query", format!("{d} entries, as the indexed rows"), query.len()));
    }
    if let Some(x) = query.iter().find(|x| !x.is_finite()) {
        return Err(Error::parameter("query", "finite", x));
    }
    Ok(query.to_slice().map_or_else(|| Cow::Owned(query.to_vec()), Cow::Borrowed))
}

fn sort(neighbours: &mut [Neighbour]) {
    neighbours.sort_unstable_by(|a, b| a.distance.total_cmp(&b.distance).then(a.row.cmp(&b.row)));
}
