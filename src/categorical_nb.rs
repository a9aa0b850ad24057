//! Naive Bayes for features that are categories: counts, one table for each feature.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Data, Ix2};

use crate::data::{self, ClassIndex};
use crate::error::{Error, Result};
use crate::math;
use crate::observe::{self, FitObserved, Observer, Progress};
use crate::params::{Check, MOST_ADDED, Params, require};

/// Classes whose features are independent categories: categorical naive Bayes.
///
/// # Formula
/// `log p(x, c) = log(n_c / n) + sum_j log((n_{c, j, x_j} + alpha) / (n_c + alpha n_j))`, where `n_c` counts the rows of class `c`, `n_{c, j, v}` those with
/// category `v` in feature `j`, and `n_j` the categories of feature `j`. As scikit-learn's `CategoricalNB`.
///
/// # Shapes
/// Records `(n_samples, n_features)` of `usize`; the categories of each feature are numbered from 0.
///
/// # Example
/// ```
/// use sapwood::{CategoricalNb, linfa::{Dataset, traits::{Fit, Predict}}, ndarray::array};
///
/// // Outlook (sunny, overcast, rain) and wind (weak, strong).
/// let days = array![[0, 0], [0, 1], [1, 0], [2, 0], [2, 1], [1, 1]];
/// let play = array![true, false, true, true, false, true];
/// let model = CategoricalNb::params().fit(&Dataset::new(days, play))?;
/// assert_eq!(model.predict(&array![[1, 0], [2, 1]]), array![true, false]);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Complexity
/// `O(n d)` time for the fit, `O(k d)` for a prediction; memory `O(k)` for each category of each feature.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Stored<L>", bound(deserialize = "L: Label + serde::Deserialize<'de>"))
)]
pub struct CategoricalNb<L> {
    classes: ClassIndex<L>,
    log_priors: Array1<f64>,
    /// For each feature `(n_categories, n_classes)`.
    log_likelihoods: Vec<Array2<f64>>,
}

/// Hyper-parameters of [`CategoricalNb`], with their setters.
///
/// # Example
/// See [`CategoricalNb`].
pub type CategoricalNbParams = Params<CategoricalNbValidParams>;

/// Checked hyper-parameters of [`CategoricalNb`].
///
/// # Example
/// See [`CategoricalNb`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CategoricalNbValidParams {
    alpha: f64,
    min_categories: usize,
}

/// Most entries of all tables together, unless the records themselves have more.
const MAX_ENTRIES: usize = 1 << 24;

impl CategoricalNb<()> {
    /// Hyper-parameters, all at their defaults: one count added to every category.
    #[must_use]
    pub fn params() -> CategoricalNbParams {
        Params(CategoricalNbValidParams { alpha: 1.0, min_categories: 0 })
    }
}

impl CategoricalNbParams {
    /// Count that is added to every category (Laplace smoothing): greater than 0, by default 1.
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// Categories that each feature has at least, seen or not; by default one more than the largest that is seen.
    #[must_use]
    pub fn min_categories(mut self, min_categories: usize) -> Self {
        self.0.min_categories = min_categories;
        self
    }
}

impl Check for CategoricalNbValidParams {
    fn check(&self) -> Result<()> {
        let alpha = self.alpha;
        require(alpha > 0.0 && alpha <= MOST_ADDED, "alpha", "greater than 0, at most 1e100", alpha)
    }
}

impl<D, T, L> FitObserved<ArrayBase<D, Ix2>, T> for CategoricalNbValidParams
where
    D: Data<Elem = usize>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = CategoricalNb<L>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        let x = dataset.records();
        data::check_not_empty("records", x)?;
        let targets = dataset.as_single_targets();
        data::check_same_rows("targets", targets.len(), x.nrows())?;
        let classes = ClassIndex::new(targets)?;
        let k = classes.n_classes();
        if !dataset.weights.is_empty() {
            data::check_same_rows("weights", dataset.weights.len(), x.nrows())?;
        }
        if let Some(bad) = dataset.weights.iter().find(|w| !(**w >= 0.0 && w.is_finite())) {
            return Err(Error::parameter("weights", "at least 0 and finite", bad));
        }
        let columns = classes.columns(targets)?;
        let weight = |i: usize| dataset.weights.get(i).map_or(1.0, |&w| f64::from(w));
        let mut totals = vec![0.0; k];
        for (i, &c) in columns.iter().enumerate() {
            totals[c] += weight(i);
        }
        if let Some(c) = totals.iter().position(|&total| total <= 0.0) {
            let got = format!("{:?} without any", classes.label(c));
            return Err(Error::parameter("weights", "greater than 0 for a row of each class", got));
        }
        let limit = MAX_ENTRIES.max(x.len());
        let mut entries = 0_usize;
        let mut log_likelihoods = Vec::with_capacity(x.ncols());
        for column in x.columns() {
            let largest = column.iter().copied().max().unwrap_or(0);
            let n_categories = largest.saturating_add(1).max(self.min_categories);
            entries = entries.saturating_add(n_categories.saturating_mul(k));
            if entries > limit {
                let rule = format!("small enough for tables of {limit} entries in all");
                return Err(Error::parameter("records", rule, n_categories - 1));
            }
            let mut table = Array2::<f64>::from_elem((n_categories, k), self.alpha);
            for (i, (&category, &c)) in column.iter().zip(&columns).enumerate() {
                table[[category, c]] += weight(i);
            }
            for (mut column, total) in table.columns_mut().into_iter().zip(&totals) {
                let sum = total + self.alpha * n_categories as f64;
                // Two logs: a quotient can underflow.
                column.mapv_inplace(|count| count.ln() - sum.ln());
            }
            log_likelihoods.push(table);
            observe::report(
                observer,
                Progress::new("feature", log_likelihoods.len() as u64, x.ncols() as u64),
            )?;
        }
        let sum: f64 = totals.iter().sum();
        let log_priors = totals.iter().map(|total| (total / sum).ln()).collect();
        Ok(CategoricalNb { classes, log_priors, log_likelihoods })
    }
}

impl<D, T, L> Fit<ArrayBase<D, Ix2>, T, Error> for CategoricalNbValidParams
where
    D: Data<Elem = usize>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = CategoricalNb<L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        self.fit_observed(dataset, &mut ())
    }
}

impl<L: Label> CategoricalNb<L> {
    /// The classes, sorted.
    #[must_use]
    pub fn classes(&self) -> &[L] {
        self.classes.classes()
    }

    /// `log p(category | class)` of a feature, `(n_categories, n_classes)`.
    #[must_use]
    pub fn log_likelihoods(&self, feature: usize) -> Option<ArrayView2<'_, f64>> {
        Some(self.log_likelihoods.get(feature)?.view())
    }

    fn log_joint<S: Data<Elem = usize>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
        data::check_columns("x", x, self.log_likelihoods.len())?;
        let mut out = Array2::zeros((x.nrows(), self.classes.n_classes()));
        for (x, mut out) in x.rows().into_iter().zip(out.rows_mut()) {
            out.assign(&self.log_priors);
            for (&category, table) in x.iter().zip(&self.log_likelihoods) {
                if category >= table.nrows() {
                    let rule = format!("less than {}, the categories of its feature", table.nrows());
                    return Err(Error::parameter("x", rule, category));
                }
                out += &table.row(category);
            }
        }
        Ok(out)
    }

    /// Probability of each class for each row, `(n_samples, n_classes)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another number of columns than the model, [`Error::Parameter`] for a category that the fit did not know.
    pub fn predict_proba<S: Data<Elem = usize>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
        let mut p = self.log_joint(x)?;
        for mut row in p.rows_mut() {
            math::softmax(row.as_slice_mut().expect("rows of a new array lie in memory as they are"));
        }
        Ok(p)
    }
}

impl<L: Label, S: Data<Elem = usize>> PredictInplace<ArrayBase<S, Ix2>, Array1<L>> for CategoricalNb<L> {
    /// # Panics
    /// When `x` has another number of columns than the model or another number of rows than `y`, or holds a category that the fit did not know.
    fn predict_inplace(&self, x: &ArrayBase<S, Ix2>, y: &mut Array1<L>) {
        assert_eq!(x.nrows(), y.len(), "`y` needs one entry for each row of `x`");
        let scores = self.log_joint(x).unwrap_or_else(|error| panic!("{error}"));
        for (y, row) in y.iter_mut().zip(scores.rows()) {
            let best = (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best });
            *y = self.classes.label(best).clone();
        }
    }

    fn default_target(&self, x: &ArrayBase<S, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

/// What a file holds, before it is believed.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "L: Label + serde::Deserialize<'de>"))]
struct Stored<L> {
    classes: ClassIndex<L>,
    log_priors: Array1<f64>,
    log_likelihoods: Vec<Array2<f64>>,
}

#[cfg(feature = "serde")]
impl<L: Label> TryFrom<Stored<L>> for CategoricalNb<L> {
    type Error = Error;

    fn try_from(Stored { classes, log_priors, log_likelihoods }: Stored<L>) -> Result<Self> {
        let k = classes.n_classes();
        let distribution = |name, logs: ndarray::ArrayView1<'_, f64>| {
            let sum: f64 = logs.iter().map(|p| p.exp()).sum();
            require((sum - 1.0).abs() <= 1e-6, name, "logarithms of probabilities that sum to 1", sum)
        };
        data::check_same_rows("log_priors", log_priors.len(), k)?;
        distribution("log_priors", log_priors.view())?;
        if log_likelihoods.is_empty() {
            return Err(Error::shape("log_likelihoods", "a table for at least one feature", 0));
        }
        for table in &log_likelihoods {
            data::check_not_empty("log_likelihoods", table)?;
            data::check_columns("log_likelihoods", table, k)?;
            table.columns().into_iter().try_for_each(|logs| distribution("log_likelihoods", logs))?;
        }
        Ok(Self { classes, log_priors, log_likelihoods })
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for CategoricalNbValidParams {
    fn kind() -> String {
        "CategoricalNbParams".into()
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for CategoricalNb<L> {
    fn kind() -> String {
        format!("CategoricalNb<{}>", crate::stored::type_word::<L>())
    }
}
