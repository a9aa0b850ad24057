//! Fits and predictions on sparse records.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2};

use super::fit::Targets;
use super::rows::Rows;
use super::{LogisticRegression, LogisticRegressionValidParams, best_column, probabilities};
use crate::data::Csr;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::observe::{FitObserved, Observer};

fn view<'a, F: Float>(x: &Csr<'a, F>) -> Rows<'a, F> {
    let (starts, indices, values) = x.parts();
    Rows::Sparse { starts, indices, values, d: x.ncols() }
}

/// The rows of records that are to be fitted.
pub(super) fn rows<'a, F: Float>(x: &Csr<'a, F>) -> Result<Rows<'a, F>> {
    if x.nrows() == 0 || x.ncols() == 0 {
        let got = format!("{} x {}", x.nrows(), x.ncols());
        return Err(Error::shape("records", "at least one row and one column", got));
    }
    Ok(view(x))
}

impl<F, T, L> FitObserved<Csr<'_, F>, T> for LogisticRegressionValidParams
where
    F: Float,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = LogisticRegression<F, L>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<Csr<'_, F>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        let x = dataset.records();
        let rows = rows(x)?;
        let targets = Targets::new(self, dataset.as_single_targets(), &dataset.weights, x.nrows())?;
        self.fit_rows(rows, targets, observer)
    }
}

impl<F, T, L> Fit<Csr<'_, F>, T, Error> for LogisticRegressionValidParams
where
    F: Float,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = LogisticRegression<F, L>;

    fn fit(&self, dataset: &DatasetBase<Csr<'_, F>, T>) -> Result<Self::Object> {
        self.fit_observed(dataset, &mut ())
    }
}

impl<F: Float, L: Label> LogisticRegression<F, L> {
    /// Logits of sparse rows, as [`decision_function`](Self::decision_function).
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another number of columns than the model.
    pub fn decision_function_sparse(&self, x: &Csr<'_, F>) -> Result<Array2<F>> {
        let d = self.coefficients.ncols();
        if x.ncols() != d {
            return Err(Error::shape("x", format!("{d} columns, as the model was fitted on"), x.ncols()));
        }
        let mut z = Array2::zeros((x.nrows(), self.intercepts.len()));
        self.logits(view(x), z.view_mut());
        Ok(z)
    }

    /// Probability of each class for sparse rows, as [`predict_proba`](Self::predict_proba).
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another number of columns than the model.
    pub fn predict_proba_sparse(&self, x: &Csr<'_, F>) -> Result<Array2<F>> {
        Ok(probabilities(self.decision_function_sparse(x)?))
    }
}

impl<F: Float, L: Label> PredictInplace<Csr<'_, F>, Array1<L>> for LogisticRegression<F, L> {
    /// # Panics
    /// When `x` has another number of columns than the model, or another number of rows than `y`.
    fn predict_inplace(&self, x: &Csr<'_, F>, y: &mut Array1<L>) {
        assert_eq!(x.nrows(), y.len(), "`y` needs one entry for each row of `x`");
        let z = self.decision_function_sparse(x).unwrap_or_else(|error| panic!("{error}"));
        for (y, z) in y.iter_mut().zip(z.rows()) {
            *y = self.classes.label(best_column(z)).clone();
        }
    }

    fn default_target(&self, x: &Csr<'_, F>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}
