//! DBSCAN: clusters are regions with many points, of any shape; what lies in none of them is noise.
//!
//! A *core point* has at least `min_samples` points within `eps`, itself included. Core points within `eps` of one another are in one cluster. A *border
//! point* is no core point but within `eps` of one. Every other point is *noise*.
//!
//! ```
//! use sapwood::{Dbscan, linfa::{DatasetBase, traits::Fit}, ndarray::array};
//!
//! let x = array![[1.0, 2.0], [2.0, 2.0], [2.0, 3.0], [8.0, 7.0], [8.0, 8.0], [25.0, 80.0]];
//! let model = Dbscan::params(2).eps(3.0).fit(&DatasetBase::from(x))?;
//! assert_eq!(model.labels().to_vec(), [Some(0), Some(0), Some(0), Some(1), Some(1), None]);
//! # Ok::<(), sapwood::Error>(())
//! ```
//!
//! # The labels are a function of the data
//! Clusters are numbered by their first core point in row order, and a border point that could belong to several takes the lowest number. So the labels are the same
//! for every number of threads and on every run, and equal scikit-learn's element for element. Distances are computed as there: `sum_j (x_j - y_j)^2` in `f64`, in the
//! order of `j`, at most `eps * eps`. (scikit-learn's tree takes in whole boxes by the root of that sum, so a point within one bit of `eps` may be counted there and not here.)
//!
//! # Other distances, weights, and data in parts
//! [`metric`](DbscanParams::metric) chooses the distance: cosine for embeddings, haversine for places on a globe. Weights of the data set
//! ([`with_weights`](linfa::DatasetBase::with_weights)) count each point so many times towards `min_samples`. Neighbours that are known already, a graph for instance, are clustered by
//! [`fit_neighbours`](DbscanParams::fit_neighbours). [`partition`], [`cluster_part`](DbscanParams::cluster_part) and [`merge`] cluster data part by part, on other machines or where
//! they do not fit into memory; the labels are those of one run.
//!
//! # Choosing the parameters
//! `min_samples`: twice the number of columns is a common start; more smooths over noise. `eps`: the distance at which the curve of [`suggest_eps`] bends. Columns in
//! different units have to be scaled first, since `eps` is one length for all of them.
//!
//! # Cost
//! Up to three columns are searched over a grid of cells, if they fit one, others over a k-d tree; the labels are the same.
//! Time `O(n log n)` where clusters are of low dimension, whatever `eps`: the denser the data, the more is settled cell by cell or box by box. Memory `O(n)`: neighbours are visited,
//! never listed.
//!
//! # References
//! Ester, Kriegel, Sander, Xu: A density-based algorithm for discovering clusters (1996), definitions 1 to 6. Schubert, Sander, Ester, Kriegel, Xu: DBSCAN revisited, revisited
//! (2017), on the choice of parameters.

mod clusters;
mod grid_search;
mod k_distance;
mod metric;
mod pair_search;
mod params;
mod parts;
mod predict;
mod tree_search;
mod union_find;
mod weights;

pub use clusters::Clusters;
pub use k_distance::{KDistance, suggest_eps};
pub use metric::Metric;
pub use params::{DbscanParams, DbscanValidParams};
pub use parts::{Part, PartClusters, Partition, merge, partition};

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::{Fit, PredictInplace, Transformer};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};

use clusters::Found;
use metric::Embedded;
use weights::Weights;

use crate::data::{check_columns, check_finite, check_not_empty, rows};
use crate::distance::{self, Cosine};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::index::TREE_DIMENSIONS;
use crate::index::tree::Tree;
use crate::kernel::{Absolutes, Largest, Squares};
use crate::observe::{FitObserved, Observer, Progress, report};
use crate::params::Params;

/// Rows that a thread labels at a time.
const CHUNK: usize = 1 << 14;

/// `min_samples` up to which the grid is used: above, counting point by point could take time quadratic in the points of a crowd.
const GRID_MIN_SAMPLES: usize = 256;

/// Clusters found by DBSCAN.
///
/// Made by [`Dbscan::params`] and [`fit`](Fit::fit); see the [module](self) for what the labels mean.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, linfa::{DatasetBase, traits::Fit}, ndarray::array};
///
/// let points = array![[0.0, 0.0], [0.1, 0.0], [0.0, 0.1], [9.0, 9.0]];
/// let model = Dbscan::params(3).eps(0.2).fit(&DatasetBase::from(points))?;
/// assert_eq!(model.labels().to_vec(), [Some(0), Some(0), Some(0), None]);
/// assert_eq!(model.try_predict(&array![[0.1, 0.1]])?.to_vec(), [Some(0)]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dbscan<F> {
    eps: f64,
    metric: Metric,
    clusters: Clusters,
    components: Array2<F>,
    #[cfg_attr(feature = "serde", serde(skip))]
    core: predict::Core<F>,
}

impl Dbscan<f64> {
    /// Starts with `min_samples`, the number of points within `eps`, itself included, that makes a core point; at least 1.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Dbscan, linfa::{DatasetBase, traits::Fit}, ndarray::array};
    ///
    /// let data = DatasetBase::from(array![[0.0_f32], [0.1], [0.2], [9.0]]);
    /// let model = Dbscan::params(3).eps(0.15).fit(&data)?;
    /// assert_eq!(model.core_samples(), [1]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    #[must_use]
    pub fn params(min_samples: usize) -> DbscanParams {
        Params(DbscanValidParams { eps: 0.5, min_samples, metric: Metric::Euclidean })
    }
}

impl<F: Float> Dbscan<F> {
    /// The cluster of each row, from 0, or `None` for noise; `(n_samples,)`.
    #[must_use]
    pub fn labels(&self) -> &Array1<Option<usize>> {
        self.clusters.labels()
    }

    /// The rows that are core points, in order.
    #[must_use]
    pub fn core_samples(&self) -> &[usize] {
        self.clusters.core_samples()
    }

    /// The core points themselves, `(core_samples().len(), n_features)`.
    #[must_use]
    pub fn components(&self) -> &Array2<F> {
        &self.components
    }

    /// Number of clusters, noise not counted.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.clusters.n_clusters()
    }

    /// Number of rows that are noise.
    #[must_use]
    pub fn n_noise(&self) -> usize {
        self.clusters.n_noise()
    }

    /// Assigns new points: the cluster of the nearest core point within `eps`, else `None`.
    ///
    /// A core point gets its own label. A border point gets the cluster that it is nearest to, which is not always the one in [`labels`](Self::labels). Of core points at
    /// the same distance, one is chosen, on every run the same. `O(log n)` per point in low dimensions, where the first call
    /// builds an index; by cosine distance every core point is looked at.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns; [`Error::NonFinite`].
    ///
    /// # Example
    /// ```
    /// use sapwood::{Dbscan, linfa::{DatasetBase, traits::Fit}, ndarray::array};
    ///
    /// let model = Dbscan::params(2).eps(1.0).fit(&DatasetBase::from(array![[0.0], [0.5], [7.0], [7.5]]))?;
    /// assert_eq!(model.try_predict(&array![[8.5], [3.0], [-1.0]])?.to_vec(), [Some(1), None, Some(0)]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn try_predict<D: Data<Elem = F>>(&self, x: &ArrayBase<D, Ix2>) -> Result<Array1<Option<usize>>> {
        check_columns("x", x, self.components.ncols())?;
        check_finite("x", x)?;
        if self.clusters.core_samples.is_empty() || x.nrows() == 0 {
            return Ok(Array1::from_elem(x.nrows(), None));
        }
        self.labels_of(x.view())
    }
}

impl<F: Float, D: Data<Elem = F>, T> FitObserved<ArrayBase<D, Ix2>, T> for DbscanValidParams {
    type Object = Dbscan<F>;

    /// Stages: `"index"` (1 step), `"core samples"`, `"connections"` and `"labels"`, counted in points or in blocks of points.
    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Dbscan<F>> {
        let records = dataset.records.view();
        check_not_empty("records", &records)?;
        Tree::<F>::check_size(records.nrows())?;
        let weights = dataset.weights();
        let weights = weights.map(|w| Weights::new(w, records.nrows(), self.min_samples)).transpose()?;
        let weights = weights.as_ref();
        let points = rows(&records);
        if self.metric != Metric::Euclidean {
            check_finite("records", &records)?;
        }
        let found = match self.metric {
            // The grid looks for NaN on its way.
            Metric::Euclidean => self.search(&points, &records, self.eps, weights, observer)?,
            Metric::Haversine => {
                self.search_embedded(metric::on_sphere("records", records, self.eps)?, weights, observer)?
            }
            Metric::Cosine => {
                let few_columns = records.ncols() <= TREE_DIMENSIONS;
                match few_columns.then(|| metric::unit_vectors(records, self.eps)).flatten() {
                    Some(embedded) => self.search_embedded(embedded, weights, observer)?,
                    None => self.search_pairs(records, weights, observer)?,
                }
            }
            Metric::Manhattan => {
                tree_search::cluster::<Absolutes, F>(records, self.eps, self.min_samples, weights, observer)?
            }
            Metric::Chebyshev => {
                tree_search::cluster::<Largest, F>(records, self.eps, self.min_samples, weights, observer)?
            }
        };
        let (clusters, components) = found.clusters_with(&points, records.ncols());
        Ok(Dbscan {
            eps: self.eps,
            metric: self.metric,
            clusters,
            components,
            core: predict::Core::default(),
        })
    }
}

impl DbscanValidParams {
    /// Clusters by the Euclidean distance.
    fn search<F: Float>(
        &self,
        points: &[F],
        records: &ArrayView2<'_, F>,
        eps: f64,
        weights: Option<&Weights>,
        observer: &mut dyn Observer,
    ) -> Result<Found> {
        // The grid counts point by point up to `min_samples`, the tree whole boxes at once.
        if weights.is_none() && self.min_samples <= GRID_MIN_SAMPLES {
            let found = grid_search::cluster(points, records.ncols(), eps, self.min_samples, observer)?;
            if let Some(found) = found {
                return Ok(found);
            }
        }
        check_finite("records", records)?;
        tree_search::cluster::<Squares, _>(*records, eps, self.min_samples, weights, observer)
    }

    fn search_embedded(
        &self,
        Embedded { points, eps }: Embedded,
        weights: Option<&Weights>,
        observer: &mut dyn Observer,
    ) -> Result<Found> {
        self.search(&rows(&points.view()), &points.view(), eps, weights, observer)
    }

    /// Clusters by the cosine distance, comparing all pairs.
    fn search_pairs<F: Float>(
        &self,
        records: ArrayView2<'_, F>,
        weights: Option<&Weights>,
        observer: &mut dyn Observer,
    ) -> Result<Found> {
        let (n, eps) = (records.nrows(), F::cast(self.eps));
        report(observer, Progress::new("index", 1, 1))?;
        let found = pair_search::cluster(n, self.min_samples, weights, |visit| {
            let done = |rows| report(observer, Progress::new("core samples", rows as u64, n as u64));
            distance::pairs_within(&records, eps, Cosine, visit, done)
        })?;
        report(observer, Progress::new("labels", n as u64, n as u64))?;
        Ok(found)
    }

    /// [`DbscanParams::fit_neighbours`] for parameters that were checked.
    ///
    /// # Errors
    /// See there.
    pub fn fit_neighbours<I: IntoIterator<Item = usize>>(
        &self,
        n: usize,
        neighbours: impl Fn(usize) -> I,
    ) -> Result<Clusters> {
        Tree::<f64>::check_size(n)?;
        let found = pair_search::cluster(n, self.min_samples, None, |visit| {
            for row in 0..n {
                for other in neighbours(row) {
                    if other >= n {
                        return Err(Error::shape("neighbours", format!("rows below {n}"), other));
                    }
                    if other < row {
                        visit(other, row);
                    }
                }
            }
            Ok(())
        })?;
        Ok(found.clusters())
    }
}

impl<F: Float, D: Data<Elem = F>, T> Fit<ArrayBase<D, Ix2>, T, Error> for DbscanValidParams {
    type Object = Dbscan<F>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Dbscan<F>> {
        self.fit_observed(dataset, &mut ())
    }
}

/// The labels alone, as linfa's clusterers give them.
impl<F: Float, D: Data<Elem = F>> Transformer<&ArrayBase<D, Ix2>, Result<Array1<Option<usize>>>>
    for DbscanParams
{
    fn transform(&self, records: &ArrayBase<D, Ix2>) -> Result<Array1<Option<usize>>> {
        let dataset = DatasetBase::from(records.view());
        Ok(self.check_ref()?.fit(&dataset)?.clusters.labels)
    }
}

/// The data set with the labels as its targets.
impl<F: Float, D: Data<Elem = F>, T>
    Transformer<
        DatasetBase<ArrayBase<D, Ix2>, T>,
        Result<DatasetBase<ArrayBase<D, Ix2>, Array1<Option<usize>>>>,
    > for DbscanParams
{
    fn transform(
        &self,
        dataset: DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<DatasetBase<ArrayBase<D, Ix2>, Array1<Option<usize>>>> {
        let labels = self.transform(&dataset.records)?;
        Ok(dataset.with_targets(labels))
    }
}

/// [`try_predict`](Dbscan::try_predict) as linfa's trait has it.
impl<F: Float, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<Option<usize>>> for Dbscan<F> {
    /// # Panics
    /// Where [`try_predict`](Dbscan::try_predict) has an error, with its message, and when `y` has another length than `x` has rows.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<Option<usize>>) {
        match self.try_predict(x) {
            Ok(labels) => y.assign(&labels),
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<Option<usize>> {
        Array1::from_elem(x.nrows(), None)
    }
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for Dbscan<F> {
    fn kind() -> String {
        format!("Dbscan<{}>", crate::stored::type_word::<F>())
    }

    fn validate(&self) -> Result<()> {
        use crate::params::{Check, require};
        let Self { eps, metric, clusters, components, .. } = self;
        DbscanValidParams { eps: *eps, min_samples: 1, metric: *metric }.check()?;
        clusters.validate()?;
        crate::data::check_same_rows("components", components.nrows(), clusters.core_samples.len())?;
        check_finite("components", components)?;
        require(components.ncols() > 0, "components", "of at least one column", 0)?;
        let places = *metric != Metric::Haversine || components.ncols() == 2;
        require(places, "components", "of two columns for the haversine distance", components.ncols())
    }
}
