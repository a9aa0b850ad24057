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

mod grid_search;
mod k_distance;
mod tree_search;
mod union_find;

pub use k_distance::{KDistance, suggest_eps};

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::traits::{Fit, PredictInplace, Transformer};
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};

use crate::data::{check_columns, check_finite, check_not_empty, rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::index::Index;
use crate::index::tree::Tree;
use crate::observe::{FitObserved, Observer};
use crate::par;
use crate::params::{Check, Params, require};

/// Rows that a thread labels at a time.
const CHUNK: usize = 1 << 14;

/// `min_samples` up to which the grid is used: above, counting point by point could take time quadratic in the points of a crowd.
const GRID_MIN_SAMPLES: usize = 256;

/// Clusters found by DBSCAN.
///
/// Made by [`Dbscan::params`] and [`fit`](Fit::fit); see the [module](self) for what the labels mean.
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dbscan<F> {
    eps: f64,
    n_clusters: usize,
    labels: Array1<Option<usize>>,
    core_samples: Vec<usize>,
    components: Array2<F>,
    /// Over `components`, from the first prediction on.
    #[cfg_attr(feature = "serde", serde(skip))]
    index: OnceLock<std::sync::Arc<Index<F>>>,
}

/// Parameters of DBSCAN that were not checked yet.
pub type DbscanParams = Params<DbscanValidParams>;

/// Parameters of DBSCAN.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct DbscanValidParams {
    eps: f64,
    min_samples: usize,
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
        Params(DbscanValidParams { eps: 0.5, min_samples })
    }
}

impl DbscanParams {
    /// Sets the radius of a neighbourhood, in the unit of the data: a positive number, 0.5 unless set. Points at exactly this distance are inside.
    ///
    /// [`suggest_eps`] reads it off the data.
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
}

impl Check for DbscanValidParams {
    fn check(&self) -> Result<()> {
        let Self { eps, min_samples } = *self;
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

impl<F: Float> Dbscan<F> {
    /// The cluster of each row, from 0, or `None` for noise; `(n_samples,)`.
    #[must_use]
    pub fn labels(&self) -> &Array1<Option<usize>> {
        &self.labels
    }

    /// The rows that are core points, in order.
    #[must_use]
    pub fn core_samples(&self) -> &[usize] {
        &self.core_samples
    }

    /// The core points themselves, `(core_samples().len(), n_features)`.
    #[must_use]
    pub fn components(&self) -> &Array2<F> {
        &self.components
    }

    /// Number of clusters, noise not counted.
    #[must_use]
    pub fn n_clusters(&self) -> usize {
        self.n_clusters
    }

    /// Number of rows that are noise.
    #[must_use]
    pub fn n_noise(&self) -> usize {
        self.labels.iter().filter(|label| label.is_none()).count()
    }

    /// Assigns new points: the cluster of the nearest core point within `eps`, else `None`.
    ///
    /// A core point gets its own label. A border point gets the cluster that it is nearest to, which is not always the one in [`labels`](Self::labels). Of core points at
    /// the same distance, one is chosen, on every run the same. `O(log n)` per point in low dimensions; the first call builds an index.
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
        let mut labels = Array1::from_elem(x.nrows(), None);
        if self.core_samples.is_empty() || x.nrows() == 0 {
            return Ok(labels);
        }
        let index = match self.index.get() {
            Some(index) => index,
            None => {
                let index = std::sync::Arc::new(Index::new(&self.components)?);
                self.index.get_or_init(|| index)
            }
        };
        let x = x.view();
        let chunks = par::map(x.nrows().div_ceil(CHUNK), |chunk| {
            let rows = x.axis_chunks_iter(Axis(0), CHUNK).nth(chunk).expect("there are so many chunks");
            let mut nearest = Vec::new();
            let label = |x| {
                index.nearest_into(x, 1, &mut nearest)?;
                let core = nearest[0].row;
                let sq = x.iter().zip(self.components.row(core)).fold(0.0, |sq, (x, y)| {
                    let d = x.as_f64() - y.as_f64();
                    sq + d * d
                });
                Ok((sq <= self.eps * self.eps).then(|| self.labels[self.core_samples[core]]).flatten())
            };
            rows.rows().into_iter().map(label).collect::<Result<Vec<_>>>()
        });
        let chunks = chunks.into_iter().collect::<Result<Vec<_>>>()?;
        labels.iter_mut().zip(chunks.into_iter().flatten()).for_each(|(to, label)| *to = label);
        Ok(labels)
    }
}

impl<F: Float, D: Data<Elem = F>, T> FitObserved<ArrayBase<D, Ix2>, T> for DbscanValidParams {
    type Object = Dbscan<F>;

    /// Stages: `"index"` (1 step), then `"core samples"`, `"connections"` and `"labels"`, in points for up to three columns and in blocks of 32 points
    /// for more.
    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Dbscan<F>> {
        let records = dataset.records.view();
        check_not_empty("records", &records)?;
        Tree::<F>::check_size(records.nrows())?;
        let Self { eps, min_samples } = *self;
        let points = rows(&records);
        // The grid counts point by point up to `min_samples`, the tree whole boxes at once.
        let in_grid = match min_samples {
            ..=GRID_MIN_SAMPLES => {
                grid_search::cluster(&points, records.ncols(), eps, min_samples, observer)?
            }
            _ => None,
        };
        let found = match in_grid {
            Some(found) => found,
            None => {
                check_finite("records", &records)?;
                tree_search::cluster(records, eps, min_samples, observer)?
            }
        };
        Ok(self.model(&points, records.ncols(), &found))
    }
}

/// What a search finds: for each row, its cluster and whether it is a core point.
///
/// Rows are independent of one another and each is written by one thread, so relaxed ordering is enough.
struct Found {
    /// The cluster in the low 31 bits, all set for noise, and [`CORE`](Self::CORE).
    rows: Vec<AtomicU32>,
    n_clusters: usize,
}

impl Found {
    const CORE: u32 = 1 << 31;
    const NOISE: u32 = Self::CORE - 1;

    fn new(n: usize, n_clusters: usize) -> Self {
        Self { rows: par::tabulate(n, |_| AtomicU32::new(0)), n_clusters }
    }

    #[inline]
    fn set(&self, row: u32, label: Option<u32>, core: bool) {
        let core = u32::from(core) * Self::CORE;
        self.rows[row as usize].store(label.unwrap_or(Self::NOISE) | core, Relaxed);
    }

    fn label(&self, row: usize) -> Option<usize> {
        let label = self.rows[row].load(Relaxed) & Self::NOISE;
        (label != Self::NOISE).then_some(label as usize)
    }

    fn is_core(&self, row: usize) -> bool {
        self.rows[row].load(Relaxed) & Self::CORE != 0
    }
}

impl DbscanValidParams {
    /// From what was found to what is returned.
    fn model<F: Float>(&self, points: &[F], d: usize, found: &Found) -> Dbscan<F> {
        let n = found.rows.len();
        let chunk_rows = |chunk: usize| chunk * CHUNK..((chunk + 1) * CHUNK).min(n);
        let n_chunks = n.div_ceil(CHUNK);
        let n_cores = par::map(n_chunks, |chunk| chunk_rows(chunk).filter(|&row| found.is_core(row)).count());
        let n_core: usize = n_cores.iter().sum();
        let mut core_samples = par::filled(n_core, 0);
        let mut components = par::filled(n_core * d, F::zero());
        let (mut rest, mut rest_points) = (core_samples.as_mut_slice(), components.as_mut_slice());
        let parts = n_cores.iter().map(|&n| {
            let whole = "the chunks hold every core point";
            (rest.split_off_mut(..n).expect(whole), rest_points.split_off_mut(..n * d).expect(whole))
        });
        par::for_each(parts.collect(), |chunk, (cores, components)| {
            let rows = chunk_rows(chunk);
            if cores.len() == rows.len() {
                components.copy_from_slice(&points[rows.start * d..rows.end * d]);
                cores.iter_mut().zip(rows).for_each(|(core, row)| *core = row);
                return;
            }
            let rows = rows.filter(|&row| found.is_core(row));
            for ((row, core), point) in rows.zip(cores).zip(components.chunks_exact_mut(d)) {
                *core = row;
                point.iter_mut().zip(&points[row * d..]).for_each(|(to, &x)| *to = x);
            }
        });
        let components = Array2::from_shape_vec((n_core, d), components);
        Dbscan {
            eps: self.eps,
            n_clusters: found.n_clusters,
            labels: Array1::from(par::tabulate(n, |row| found.label(row))),
            core_samples,
            components: components.expect("`d` entries were made for each core point"),
            index: OnceLock::new(),
        }
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
        Ok(self.check_ref()?.fit(&dataset)?.labels)
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
impl crate::stored::Stored for DbscanValidParams {
    fn kind() -> String {
        "DbscanParams".into()
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for Dbscan<F> {
    fn kind() -> String {
        format!("Dbscan<{}>", crate::stored::type_word::<F>())
    }

    fn validate(&self) -> Result<()> {
        let Self { eps, n_clusters, labels, core_samples, components, .. } = self;
        DbscanValidParams { eps: *eps, min_samples: 1 }.check()?;
        crate::data::check_same_rows("components", components.nrows(), core_samples.len())?;
        check_finite("components", components)?;
        require(components.ncols() > 0, "components", "of at least one column", 0)?;
        let stray = labels.iter().flatten().find(|label| *label >= n_clusters);
        require(stray.is_none(), "labels", "below the number of clusters", format_args!("{stray:?}"))?;
        let ascending = core_samples.windows(2).all(|pair| pair[0] < pair[1]);
        require(ascending, "core_samples", "ascending rows", "others")?;
        let clustered = |row: &usize| labels.get(*row).is_some_and(Option::is_some);
        let stray = core_samples.iter().find(|row| !clustered(row));
        require(stray.is_none(), "core_samples", "rows with a label", format_args!("{stray:?}"))
    }
}
