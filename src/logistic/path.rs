//! Fits along a sequence of penalties.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};

use super::LogisticRegression;
use super::params::LogisticRegressionParams;
use crate::error::{Error, Result};
use crate::float::Float;

impl LogisticRegressionParams {
    /// One model for each penalty of `alphas`, each fit started from the model before: the regularisation path.
    ///
    /// Falling penalties are the fast order, and the one in which features enter. Choose among the models on other rows, for instance by
    /// [`cross_validate`](crate::select::cross_validate).
    ///
    /// # Example
    /// ```
    /// use sapwood::{LogisticRegression, linfa::Dataset, ndarray::array};
    ///
    /// let x = array![[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 3.0], [4.0, 0.5], [5.0, 2.0]];
    /// let data = Dataset::new(x, array![false, false, true, false, true, true]);
    /// let path = LogisticRegression::params().l1_ratio(1.0).fit_path(&data, &[10.0, 1.0, 0.1])?;
    /// let used: Vec<usize> =
    ///     path.iter().map(|model| model.coefficients().iter().filter(|&&w| w != 0.0).count()).collect();
    /// assert_eq!(used, [0, 1, 2]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Shape`] without a penalty; those of the fits.
    pub fn fit_path<F, D, T, L>(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        alphas: &[f64],
    ) -> Result<Vec<LogisticRegression<F, L>>>
    where
        F: Float,
        D: Data<Elem = F>,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        if alphas.is_empty() {
            return Err(Error::shape("alphas", "at least one entry", 0));
        }
        let mut path: Vec<LogisticRegression<F, L>> = Vec::with_capacity(alphas.len());
        for &alpha in alphas {
            let mut params = self.clone().alpha(alpha);
            if let Some(last) = path.last() {
                params = params.start_from(last.coefficients(), last.intercepts());
            }
            path.push(params.fit(dataset)?);
        }
        Ok(path)
    }
}
