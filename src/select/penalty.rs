//! The penalty of a logistic regression, chosen along its path.

use std::fmt;

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label, Records};
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};

use super::folds::{Fold, subset, with_rows_of};
use crate::data::{ClassIndex, Csr};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::logistic::{LogisticRegression, LogisticRegressionParams};
use crate::par;
use crate::score;

/// Log-losses of each penalty on the rows that were left out.
///
/// Printing gives a table.
///
/// # Example
/// See [`choose_alpha`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct AlphaReport {
    /// The penalties, in the order that was given.
    pub alphas: Vec<f64>,
    /// Log-loss of each penalty in each fold, `(n_alphas, n_folds)`.
    pub losses: Array2<f64>,
    /// Mean of each row of the losses.
    pub means: Array1<f64>,
    /// Standard error of each mean.
    pub std_errors: Array1<f64>,
    /// Place of the penalty with the least mean.
    pub best: usize,
    /// Place of the strongest penalty whose mean is at most a standard error above the least: the simplest model that is as good.
    pub simplest: usize,
}

impl AlphaReport {
    fn new(alphas: &[f64], losses: Array2<f64>) -> Self {
        let n = losses.ncols() as f64;
        let means = losses.mean_axis(Axis(1)).expect("there are folds");
        let std_errors = losses.std_axis(Axis(1), 1.0) / n.sqrt();
        // NaN is never best.
        let better = |a: usize, b: usize| means[b] < means[a] || means[a].is_nan();
        let best = (1..alphas.len()).fold(0, |best, i| if better(best, i) { i } else { best });
        let limit = means[best] + std_errors[best];
        let good = (0..alphas.len()).filter(|&i| means[i] <= limit);
        let simplest = good.fold(best, |a, b| if alphas[b] > alphas[a] { b } else { a });
        Self { alphas: alphas.to_vec(), losses, means, std_errors, best, simplest }
    }

    /// The penalty with the least mean log-loss.
    #[must_use]
    pub fn best_alpha(&self) -> f64 {
        self.alphas[self.best]
    }

    /// The strongest penalty whose mean log-loss is at most a standard error above the least.
    #[must_use]
    pub fn simplest_alpha(&self) -> f64 {
        self.alphas[self.simplest]
    }
}

impl fmt::Display for AlphaReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:>12} {:>10} {:>10}", "alpha", "log-loss", "std error")?;
        for (i, alpha) in self.alphas.iter().enumerate() {
            let note = match i {
                _ if i == self.best => "  best",
                _ if i == self.simplest => "  simplest within a standard error",
                _ => "",
            };
            writeln!(f, "{alpha:>12.4e} {:>10.5} {:>10.5}{note}", self.means[i], self.std_errors[i])?;
        }
        Ok(())
    }
}

/// Chooses the penalty by cross-validation along the path, and fits all rows with the best.
///
/// In each fold, one path of models is fitted, each from the one before, and scored by log-loss on the rows left out. Folds run in parallel.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::Dataset, ndarray::{Array, Array1}, select};
///
/// let x = Array::from_shape_fn((80, 3), |(i, j)| ((i * (2 * j + 3) + i * i % 7) % 19) as f64 / 19.0);
/// let y = x.rows().into_iter().enumerate().map(|(i, row)| row[0] + (i % 5) as f64 / 5.0 > row[1] + 0.4);
/// let y: Array1<bool> = y.collect();
/// let data = Dataset::new(x, y);
///
/// let params = LogisticRegression::params().l1_ratio(1.0).tol(1e-8);
/// let alphas = params.alpha_path(&data, 8, 0.01)?;
/// let folds = select::stratified_folds(data.targets().view(), 4, 0)?;
/// let (model, report) = select::choose_alpha(&params, &data, &alphas, &folds)?;
/// assert!(report.best > 0 && report.simplest_alpha() >= report.best_alpha());
/// assert!(model.report().converged());
/// println!("{report}");
/// # use sapwood::ndarray;
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Shape`] without penalties or folds, or where the rows left out have a class that the others lack; [`Error::Parameter`] for parameters with an
/// offset or a start, which belong to all rows; those of the fits.
pub fn choose_alpha<F, D, T, L>(
    params: &LogisticRegressionParams,
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    alphas: &[f64],
    folds: &[Fold],
) -> Result<(LogisticRegression<F, L>, AlphaReport)>
where
    F: Float,
    D: Data<Elem = F> + Sync,
    T: AsSingleTargets<Elem = L> + Sync,
    L: Label + Send + Sync,
{
    choose(params, dataset, alphas, folds, |fold| {
        let (train, test) = (subset(dataset, &fold.train), subset(dataset, &fold.test));
        let path = params.fit_path(&train, alphas)?;
        losses(&path, train.targets(), test.targets(), |model| model.predict_proba(test.records()))
    })
}

/// [`choose_alpha`] of sparse records.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, data::Csr, linfa::DatasetBase, ndarray::{Array, Array1}, select, sprs::CsMat};
///
/// let counts = Array::from_shape_fn((80, 6), |(i, j)| ((i * (j + 3) + i * i) % 5 / 3) as f64);
/// let y: Array1<bool> = (0..80).map(|i| counts[[i, 0]] + (i % 3) as f64 / 2.0 > counts[[i, 1]] + 0.6).collect();
/// let x = CsMat::csr_from_dense(counts.view(), 0.0);
/// let data = DatasetBase::new(Csr::new(x.view())?, y);
///
/// let params = LogisticRegression::params().l1_ratio(1.0).tol(1e-8);
/// let alphas = params.alpha_path_sparse(&data, 8, 0.01)?;
/// let folds = select::stratified_folds(data.targets().view(), 4, 0)?;
/// let (model, report) = select::choose_alpha_sparse(&params, &data, &alphas, &folds)?;
/// assert!(report.best > 0 && model.report().converged());
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// As there.
pub fn choose_alpha_sparse<F, T, L>(
    params: &LogisticRegressionParams,
    dataset: &DatasetBase<Csr<'_, F>, T>,
    alphas: &[f64],
    folds: &[Fold],
) -> Result<(LogisticRegression<F, L>, AlphaReport)>
where
    F: Float,
    T: AsSingleTargets<Elem = L> + Sync,
    L: Label + Send + Sync,
{
    choose(params, dataset, alphas, folds, |fold| {
        let [train, test] = [&fold.train, &fold.test].map(|rows| dataset.records().select_rows(rows));
        let train = with_rows_of(Csr::new(train.view())?, dataset, &fold.train);
        let test = with_rows_of(Csr::new(test.view())?, dataset, &fold.test);
        let path = params.fit_path(&train, alphas)?;
        losses(&path, train.targets(), test.targets(), |model| model.predict_proba_sparse(test.records()))
    })
}

/// The choice by the `losses` of each penalty in a fold.
fn choose<F, R, T, L>(
    params: &LogisticRegressionParams,
    dataset: &DatasetBase<R, T>,
    alphas: &[f64],
    folds: &[Fold],
    losses: impl Fn(&Fold) -> Result<Vec<f64>> + Send + Sync,
) -> Result<(LogisticRegression<F, L>, AlphaReport)>
where
    F: Float,
    R: Records,
    L: Label,
    LogisticRegressionParams: Fit<R, T, Error, Object = LogisticRegression<F, L>>,
{
    if alphas.is_empty() || folds.is_empty() {
        let name = if alphas.is_empty() { "alphas" } else { "folds" };
        return Err(Error::shape(name, "at least one entry", 0));
    }
    let losses = par::map(folds.len(), |i| losses(&folds[i])).into_iter().collect::<Result<Vec<_>>>()?;
    let losses = Array2::from_shape_fn((alphas.len(), folds.len()), |(a, fold)| losses[fold][a]);
    let report = AlphaReport::new(alphas, losses);
    let model = params.clone().alpha(report.best_alpha()).fit(dataset)?;
    Ok((model, report))
}

/// Log-loss of each model on rows with the targets `test`, whose probabilities it has from `predict`.
fn losses<F: Float, L: Label>(
    path: &[LogisticRegression<F, L>],
    train: &Array1<L>,
    test: &Array1<L>,
    predict: impl Fn(&LogisticRegression<F, L>) -> Result<Array2<F>>,
) -> Result<Vec<f64>> {
    let truth = ClassIndex::new(train.view())?.columns(test.view())?;
    path.iter().map(|model| score::log_loss(truth.view(), predict(model)?.mapv(F::as_f64).view())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn the_best_is_the_least_mean_and_the_simplest_the_strongest_within_a_standard_error() {
        let losses = array![[0.9, 0.9], [0.5, 0.7], [0.4, 0.7], [f64::NAN, 0.1]];
        let report = AlphaReport::new(&[8.0, 4.0, 2.0, 1.0], losses);
        assert_eq!((report.best, report.simplest), (2, 1));
        assert_eq!((report.best_alpha(), report.simplest_alpha()), (2.0, 4.0));
        assert!((report.std_errors[1] - 0.1).abs() < 1e-12);
        assert!(report.to_string().contains("best"));
        assert_eq!(AlphaReport::new(&[1.0, 2.0], array![[f64::NAN], [0.3]]).best, 1);
    }
}
