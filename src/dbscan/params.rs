//! Parameters of DBSCAN.

use linfa::ParamGuard;

use super::{Clusters, Metric};
use crate::error::Result;
use crate::params::{Check, Params, require};

/// Parameters of DBSCAN that were not checked yet.
///
/// # Example
/// See [`Dbscan`](super::Dbscan).
pub type DbscanParams = Params<DbscanValidParams>;

/// Parameters of DBSCAN.
///
/// # Example
/// See [`Dbscan`](super::Dbscan).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DbscanValidParams {
    pub(super) eps: f64,
    pub(super) min_samples: usize,
    pub(super) metric: Metric,
}

impl DbscanParams {
    /// Sets the radius of a neighbourhood, in the unit of the data: a positive number, 0.5 unless set. Points at exactly this distance are inside.
    ///
    /// [`suggest_eps`](super::suggest_eps) reads it off the data.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Dbscan, linfa::ParamGuard};
    ///
    /// assert_eq!(Dbscan::params(5).eps(0.3).check()?.eps(), 0.3);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    #[doc(alias = "tolerance")]
    #[must_use]
    pub fn eps(mut self, eps: f64) -> Self {
        self.0.eps = eps;
        self
    }

    /// Sets the distance; Euclidean unless set. `eps` is in its unit.
    ///
    /// A grid or a tree finds the neighbours. By the cosine distance in more than 16 columns all pairs of rows are compared instead, `O(n^2 d)`, in blocks that are
    /// never kept; distances are of the type of the rows there, else `f64`.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Dbscan, dbscan::Metric, linfa::{DatasetBase, traits::Fit}, ndarray::array};
    ///
    /// // Two bakeries in Paris and one in Berlin; 1 km on the earth.
    /// let x = array![[48.8566, 2.3522], [48.8570, 2.3540], [52.52, 13.405]].mapv(f64::to_radians);
    /// let params = Dbscan::params(2).eps(1.0 / 6371.0088).metric(Metric::Haversine);
    /// assert_eq!(params.fit(&DatasetBase::from(x))?.labels().to_vec(), [Some(0), Some(0), None]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    #[must_use]
    pub fn metric(mut self, metric: Metric) -> Self {
        self.0.metric = metric;
        self
    }

    /// Clusters `n` rows of which the neighbours are known: `neighbours(row)` names all rows within `eps` of a row, as a graph does; `eps` itself is not looked at.
    ///
    /// Where one row is a neighbour of another, this must be one of it too. Whether a row names itself does not matter; no row may be named twice.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) as for a fit; [`Error::Shape`](crate::Error::Shape) for a neighbour from `n` on, or 2^31 rows or more.
    ///
    /// # Complexity
    /// Time proportional to the number of neighbours, memory to at most `n min_samples`.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Dbscan, ndarray::array};
    ///
    /// // From a matrix of distances.
    /// let d = array![[0.0, 0.2, 3.0], [0.2, 0.0, 4.0], [3.0, 4.0, 0.0]];
    /// let near = |i| (0..3).filter(|&j| d[[i, j]] <= 0.5).collect::<Vec<_>>();
    /// let clusters = Dbscan::params(2).fit_neighbours(3, near)?;
    /// assert_eq!(clusters.labels().to_vec(), [Some(0), Some(0), None]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    #[doc(alias = "precomputed")]
    pub fn fit_neighbours<I: IntoIterator<Item = usize>>(
        &self,
        n: usize,
        neighbours: impl Fn(usize) -> I,
    ) -> Result<Clusters> {
        self.check_ref()?.fit_neighbours(n, neighbours)
    }
}

impl DbscanValidParams {
    /// The radius of a neighbourhood.
    #[must_use]
    pub fn eps(&self) -> f64 {
        self.eps
    }

    /// Points that make a core point.
    #[doc(alias = "min_points")]
    #[must_use]
    pub fn min_samples(&self) -> usize {
        self.min_samples
    }

    /// The distance.
    #[must_use]
    pub fn metric(&self) -> Metric {
        self.metric
    }
}

impl Check for DbscanValidParams {
    fn check(&self) -> Result<()> {
        let Self { eps, min_samples, .. } = *self;
        require(eps > 0.0, "eps", "greater than 0", eps)?;
        require(
            (eps * eps).is_normal(),
            "eps",
            "between 1.5e-154 and 1.3e154, where its square is a number",
            eps,
        )?;
        require(min_samples > 0, "min_samples", "at least 1", min_samples)
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for DbscanValidParams {
    fn kind() -> String {
        "DbscanParams".into()
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}
