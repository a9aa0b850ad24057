//! Fits along a sequence of penalties.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label, Records};
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};

use super::LogisticRegression;
use super::fit::{Layout, Targets};
use super::params::LogisticRegressionParams;
use super::rows::Rows;
use crate::data::{self, Csr};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::params::require;

impl LogisticRegressionParams {
    /// `n` penalties for a path: from the least one that leaves no feature in use down to `least` of it, in equal ratios.
    ///
    /// A ridge penalty uses every feature however strong it is; there, as with every `l1_ratio` below 0.001, the path begins where one of 0.001 would.
    ///
    /// # Example
    /// ```
    /// use sapwood::{LogisticRegression, linfa::Dataset, ndarray::array};
    ///
    /// let x = array![[0.0, 1.0], [1.0, 0.0], [2.0, 1.0], [3.0, 3.0], [4.0, 0.5], [5.0, 2.0]];
    /// let data = Dataset::new(x, array![false, false, true, false, true, true]);
    /// let params = LogisticRegression::params().l1_ratio(1.0);
    /// let alphas = params.alpha_path(&data, 3, 0.01)?;
    /// assert!((alphas[2] / alphas[0] - 0.01).abs() < 1e-12);
    /// let path = params.fit_path(&data, &alphas)?;
    /// assert!(path[0].coefficients().iter().all(|&w| w == 0.0));
    /// assert!(path[1].coefficients().iter().any(|&w| w != 0.0));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] for fewer than 2 penalties and for `least` outside 0 to 1; those of a fit.
    pub fn alpha_path<F, D, T, L>(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        n: usize,
        least: f64,
    ) -> Result<Vec<f64>>
    where
        F: Float,
        D: Data<Elem = F>,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        let null = self.null(n, least)?;
        let model = null.fit(dataset)?;
        let x = dataset.records().view();
        let slice = data::rows(&x);
        let rows = Rows::Dense { x: &slice, d: x.ncols() };
        let targets = Targets::new(&null.0, dataset.as_single_targets(), &dataset.weights, x.nrows())?;
        self.alphas(&null, &model, rows, &targets, n, least)
    }

    /// [`alpha_path`](Self::alpha_path) of sparse records.
    ///
    /// # Example
    /// ```
    /// use sapwood::{LogisticRegression, data::Csr, linfa::DatasetBase, ndarray::array, sprs::CsMat};
    ///
    /// let x = CsMat::csr_from_dense(array![[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]].view(), 0.0);
    /// let data = DatasetBase::new(Csr::new(x.view())?, array![true, false, false, true]);
    /// let params = LogisticRegression::params().l1_ratio(1.0);
    /// let alphas = params.alpha_path_sparse(&data, 3, 0.01)?;
    /// let path = params.fit_path(&data, &alphas)?;
    /// assert!(path[0].coefficients().iter().all(|&w| w == 0.0));
    /// assert!(path[2].coefficients().iter().any(|&w| w != 0.0));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn alpha_path_sparse<F, T, L>(
        &self,
        dataset: &DatasetBase<Csr<'_, F>, T>,
        n: usize,
        least: f64,
    ) -> Result<Vec<f64>>
    where
        F: Float,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        let null = self.null(n, least)?;
        let model = null.fit(dataset)?;
        let rows = super::sparse::rows(dataset.records())?;
        let targets = Targets::new(&null.0, dataset.as_single_targets(), &dataset.weights, rows.n())?;
        self.alphas(&null, &model, rows, &targets, n, least)
    }

    /// With a lasso so strong that only the intercepts are free; an error for a path that cannot be.
    fn null(&self, n: usize, least: f64) -> Result<Self> {
        require(n >= 2, "n", "at least 2", n)?;
        require(least > 0.0 && least < 1.0, "least", "between 0 and 1", least)?;
        Ok(self.clone().alpha(1e200).l1_ratio(1.0))
    }

    /// The path that begins above the steepest slope at the `model` of the intercepts alone, which is that of `null`.
    fn alphas<F: Float, L: Label>(
        &self,
        null: &Self,
        model: &LogisticRegression<F, L>,
        rows: Rows<'_, F>,
        targets: &Targets<L>,
        n: usize,
        least: f64,
    ) -> Result<Vec<f64>> {
        let layout = Layout::new(targets.classes.n_classes(), null.0.alpha);
        let offset = null.0.offsets(rows.n(), layout)?;
        let objective = layout.objective(&null.0, rows, targets, &offset);
        let v = layout.pack(&model.coefficients.mapv(F::as_f64), &model.intercepts.mapv(F::as_f64));
        let mut gradient = vec![0.0; v.len()];
        objective.evaluate(&v, &mut gradient, &mut objective.workspace());
        let slopes = &gradient[..v.len() - objective.lanes()];
        let steepest = slopes.iter().fold(f64::MIN_POSITIVE, |a, g| a.max(g.abs()));
        // A thousandth of a per cent above the slope, so that rounding lets no feature in.
        let first = 1.00001 * steepest / self.0.l1_ratio.max(1e-3);
        Ok((0..n).map(|i| first * least.powf(i as f64 / (n - 1) as f64)).collect())
    }

    /// One model for each penalty of `alphas`, each fit started from the model before: the regularisation path, of dense or sparse records.
    ///
    /// Falling penalties are the fast order, and the one in which features enter. Choose among the models on other rows, for instance by
    /// [`choose_alpha`](crate::select::choose_alpha).
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
    pub fn fit_path<F, R, T, L>(
        &self,
        dataset: &DatasetBase<R, T>,
        alphas: &[f64],
    ) -> Result<Vec<LogisticRegression<F, L>>>
    where
        F: Float,
        R: Records,
        L: Label,
        Self: Fit<R, T, Error, Object = LogisticRegression<F, L>>,
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
