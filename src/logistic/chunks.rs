//! Rows that come in parts: sums that add up, and fits over chunks that are never in memory together.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::FitWith;
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Data, Ix2};

use super::factor::Factor;
use super::fit::{Layout, Targets};
use super::params::{ClassWeight, LogisticRegressionValidParams};
use super::report::{Outcome, Report};
use super::rows::Rows;
use super::solve::{self, Limits, Plan};
use super::{LogisticRegression, LogisticRegressionParams};
use crate::data::{self, ClassIndex, Csr};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::optim::lbfgs::dot;
use crate::params::require;

/// Loss, gradient and curvature of some of the rows at given coefficients: a value that adds up.
///
/// Parts of the rows may lie on different machines: each sends this value, and [`merge`](Self::merge) gives that of all rows. The penalty is not in it. From
/// [`partial_loss`](LogisticRegressionParams::partial_loss) or, of sparse rows, [`partial_loss_sparse`](LogisticRegressionParams::partial_loss_sparse).
///
/// # Example
/// See [`LogisticRegressionParams::partial_loss`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PartialLoss {
    n_rows: usize,
    loss: f64,
    worst: f64,
    gradient: Array2<f64>,
    hessian: Option<Array2<f64>>,
}

impl PartialLoss {
    /// Rows that are summed.
    #[must_use]
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Sum of their losses, each times its weight.
    #[must_use]
    pub fn loss(&self) -> f64 {
        self.loss
    }

    /// Gradient of the loss, `(free logits, n_features + 1)`: for each logit its coefficients, then its intercept.
    ///
    /// Two classes have one free logit, more have one each; without a penalty the first class has none, since its logit stays 0.
    #[must_use]
    pub fn gradient(&self) -> ArrayView2<'_, f64> {
        self.gradient.view()
    }

    /// Hessian of the loss, `(p, p)` for the `p` entries of the gradient row after row, where it was asked for.
    #[must_use]
    pub fn hessian(&self) -> Option<ArrayView2<'_, f64>> {
        self.hessian.as_ref().map(Array2::view)
    }

    /// Adds the rows of `other`, summed at the same coefficients.
    ///
    /// # Errors
    /// [`Error::Shape`] when the two have other numbers of logits or features, or only one has a Hessian.
    pub fn merge(&mut self, other: &Self) -> Result<()> {
        if self.gradient.dim() != other.gradient.dim() || self.hessian.is_some() != other.hessian.is_some() {
            let shape = |part: &Self| {
                let (m, k) = part.gradient.dim();
                format!("{m} x {k}{}", if part.hessian.is_some() { " and a Hessian" } else { "" })
            };
            return Err(Error::shape("other", format!("a gradient of {}", shape(self)), shape(other)));
        }
        self.n_rows += other.n_rows;
        self.loss += other.loss;
        self.worst = self.worst.max(other.worst);
        self.gradient += &other.gradient;
        if let (Some(hessian), Some(other)) = (&mut self.hessian, &other.hessian) {
            *hessian += other;
        }
        Ok(())
    }
}

/// Largest number of parameters of which chunks sum the Hessian.
const MAX_ORDER: usize = 4096;

impl LogisticRegressionParams {
    /// Loss, gradient and, where wanted, Hessian of some of the rows at the coefficients of `model`.
    ///
    /// # Example
    /// ```
    /// use sapwood::{LogisticRegression, linfa::{Dataset, traits::Fit}, ndarray::{Array, s}};
    ///
    /// let x = Array::from_shape_fn((60, 2), |(i, j)| ((i * (j + 3)) % 17) as f64);
    /// let y = x.rows().into_iter().map(|row| row[0] > row[1] + 2.0).collect::<ndarray::Array1<bool>>();
    /// let params = LogisticRegression::params();
    /// let model = params.fit(&Dataset::new(x.clone(), y.clone()))?;
    ///
    /// let part = |rows: std::ops::Range<usize>| {
    ///     Dataset::new(x.slice(s![rows.clone(), ..]).to_owned(), y.slice(s![rows]).to_owned())
    /// };
    /// let mut sum = params.partial_loss(&model, &part(0..25), false)?;
    /// sum.merge(&params.partial_loss(&model, &part(25..60), false)?)?;
    /// assert_eq!(sum.n_rows(), 60);
    /// // At the optimum the gradient of the losses balances that of the penalty, which is the coefficients.
    /// let balance = &sum.gradient().slice(s![.., ..2]) + &model.coefficients();
    /// assert!(balance.iter().all(|v| v.abs() < 1e-3));
    /// # use sapwood::ndarray;
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// For rows that the model does not fit, labels that it does not know, offsets and balanced class weights (which ask for all rows), and a Hessian of
    /// more than 4096 parameters.
    pub fn partial_loss<F, D, T, L>(
        &self,
        model: &LogisticRegression<F, L>,
        rows: &DatasetBase<ArrayBase<D, Ix2>, T>,
        hessian: bool,
    ) -> Result<PartialLoss>
    where
        F: Float,
        D: Data<Elem = F>,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        let x = rows.records().view();
        data::check_not_empty("records", &x)?;
        let slice = data::rows(&x);
        let dense = Rows::Dense { x: &slice, d: x.ncols() };
        self.sums_at(model, dense, rows.as_single_targets(), &rows.weights, hessian)
    }

    /// [`partial_loss`](Self::partial_loss) of sparse rows.
    ///
    /// # Example
    /// ```
    /// use sapwood::{LogisticRegression, data::Csr, linfa::{DatasetBase, traits::Fit}, ndarray::array, sprs::CsMat};
    ///
    /// let x = CsMat::csr_from_dense(array![[1.0, 0.0], [0.0, 2.0], [3.0, 0.0], [0.0, 1.0]].view(), 0.0);
    /// let rows = DatasetBase::new(Csr::new(x.view())?, array![true, false, false, true]);
    /// let params = LogisticRegression::params();
    /// let model = params.fit(&rows)?;
    /// let sum = params.partial_loss_sparse(&model, &rows, false)?;
    /// assert_eq!((sum.n_rows(), sum.gradient().dim()), (4, (1, 3)));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As there.
    pub fn partial_loss_sparse<F, T, L>(
        &self,
        model: &LogisticRegression<F, L>,
        rows: &DatasetBase<Csr<'_, F>, T>,
        hessian: bool,
    ) -> Result<PartialLoss>
    where
        F: Float,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        let sparse = super::sparse::rows(rows.records())?;
        self.sums_at(model, sparse, rows.as_single_targets(), &rows.weights, hessian)
    }

    fn sums_at<F: Float, L: Label>(
        &self,
        model: &LogisticRegression<F, L>,
        rows: Rows<'_, F>,
        targets: ArrayView1<'_, L>,
        weights: &Array1<f32>,
        hessian: bool,
    ) -> Result<PartialLoss> {
        let params = linfa::ParamGuard::check_ref(self)?;
        let layout = Layout::new(model.classes.n_classes(), params.alpha);
        let v = layout.pack(&model.coefficients.mapv(F::as_f64), &model.intercepts.mapv(F::as_f64));
        params.sums(&model.classes, &v, rows, targets, weights, hessian)
    }
}

impl LogisticRegressionValidParams {
    /// The sums of a chunk at the parameters `v`.
    fn sums<F: Float, L: Label>(
        &self,
        classes: &ClassIndex<L>,
        v: &[f64],
        rows: Rows<'_, F>,
        targets: ArrayView1<'_, L>,
        weights: &Array1<f32>,
        hessian: bool,
    ) -> Result<PartialLoss> {
        require(self.offset.is_none(), "offset", "absent where rows come in parts", "given")?;
        let balanced = self.class_weight == ClassWeight::Balanced;
        require(!balanced, "class_weight", "`Uniform` or `Each` where rows come in parts", "Balanced")?;
        let targets = Targets::of_classes(self, classes.clone(), targets, weights, rows.n())?;
        let layout = Layout::new(classes.n_classes(), self.alpha);
        let mut objective = layout.objective(self, rows, &targets, &[]);
        objective.l2 = 0.0;
        if objective.len() != v.len() {
            let columns = v.len() / objective.lanes() - 1;
            return Err(Error::shape("records", format!("{columns} columns, as the model"), rows.d()));
        }
        let (m, k, order) = (objective.m, rows.d() + 1, objective.order());
        let mut workspace = objective.workspace();
        let mut gradient = vec![0.0; v.len()];
        let mut curvature = vec![];
        let losses = if hessian {
            require(order <= MAX_ORDER, "hessian", "of at most 4096 parameters", order)?;
            objective.evaluate_curved(v, &mut gradient, &mut curvature, &mut workspace)
        } else {
            objective.evaluate(v, &mut gradient, &mut workspace)
        };
        objective.check_records(&workspace)?;
        let lanes = objective.lanes();
        let both_sides = |i: usize, j: usize| curvature[i.min(j) * order + i.max(j)];
        Ok(PartialLoss {
            n_rows: rows.n(),
            loss: losses.sum,
            worst: losses.worst,
            gradient: Array2::from_shape_fn((m, k), |(c, j)| gradient[j * lanes + c]),
            hessian: hessian.then(|| Array2::from_shape_fn((order, order), |(i, j)| both_sides(i, j))),
        })
    }
}

/// A fit over chunks of rows, of which one is in memory at a time; from linfa's [`FitWith`].
///
/// A pass shows it every chunk once; [`end_pass`](Self::end_pass) then takes a Newton step with the sums over all of them, and says how far the optimum
/// still is. The first chunk gives the classes and the start, which is its own optimum, so three or four passes are the rule.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::{Dataset, ParamGuard, traits::{Fit, FitWith}}, ndarray::Array};
///
/// // Chunk `c` of the rows, as it might be read from a file.
/// let chunk = |c: usize| {
///     let x = Array::from_shape_fn((50, 2), |(i, j)| (((c * 50 + i) * (2 * j + 3)) % 17) as f64 / 4.0);
///     let noise = |i: usize| ((c * 50 + i) * 7 % 11) as f64 / 4.0;
///     let y = Array::from_shape_fn(50, |i| x[[i, 0]] + noise(i) > x[[i, 1]] + 1.0);
///     Dataset::new(x, y)
/// };
/// let params = LogisticRegression::params().check()?;
/// let mut fit = None;
/// let model = loop {
///     for c in 0..4 {
///         fit = Some(params.fit_with(fit, &chunk(c))?);
///     }
///     let mut pass = fit.take().expect("at least one chunk");
///     if pass.end_pass()?.converged() {
///         break pass.into_model::<f64>()?;
///     }
///     fit = Some(pass);
/// };
/// assert!(model.report().passes <= 5);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Complexity
/// Memory O(p^2) for `p` parameters in all logits, beside the chunk.
#[derive(Debug, Clone, PartialEq)]
pub struct ChunkedFit<L> {
    params: LogisticRegressionValidParams,
    classes: ClassIndex<L>,
    n_features: usize,
    /// Where the sums of this pass are taken.
    v: Vec<f64>,
    /// The sums so far.
    sums: Option<PartialLoss>,
    /// The last point that lowered the objective, and the step from there.
    before: Option<Before>,
    report: Report,
}

#[derive(Debug, Clone, PartialEq)]
struct Before {
    n_rows: usize,
    v: Vec<f64>,
    objective: f64,
    direction: Vec<f64>,
    slope: f64,
    t: f64,
}

impl<'a, F, D, T, L> FitWith<'a, ArrayBase<D, Ix2>, T, Error> for LogisticRegressionValidParams
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label + 'a,
{
    type ObjectIn = Option<ChunkedFit<L>>;
    type ObjectOut = ChunkedFit<L>;

    fn fit_with(
        &self,
        fit: Option<ChunkedFit<L>>,
        chunk: &'a DatasetBase<ArrayBase<D, Ix2>, T>,
    ) -> Result<ChunkedFit<L>> {
        let x = chunk.records().view();
        data::check_not_empty("records", &x)?;
        let slice = data::rows(&x);
        let rows = Rows::Dense { x: &slice, d: x.ncols() };
        self.add_chunk(fit, rows, chunk.as_single_targets(), &chunk.weights)
    }
}

impl<'a, F, T, L> FitWith<'a, Csr<'_, F>, T, Error> for LogisticRegressionValidParams
where
    F: Float,
    T: AsSingleTargets<Elem = L>,
    L: Label + 'a,
{
    type ObjectIn = Option<ChunkedFit<L>>;
    type ObjectOut = ChunkedFit<L>;

    fn fit_with(
        &self,
        fit: Option<ChunkedFit<L>>,
        chunk: &'a DatasetBase<Csr<'_, F>, T>,
    ) -> Result<ChunkedFit<L>> {
        let rows = super::sparse::rows(chunk.records())?;
        self.add_chunk(fit, rows, chunk.as_single_targets(), &chunk.weights)
    }
}

impl LogisticRegressionValidParams {
    fn add_chunk<F: Float, L: Label>(
        &self,
        fit: Option<ChunkedFit<L>>,
        rows: Rows<'_, F>,
        targets: ArrayView1<'_, L>,
        weights: &Array1<f32>,
    ) -> Result<ChunkedFit<L>> {
        let mut fit = match fit {
            Some(fit) => fit,
            None => ChunkedFit::start(self, rows, targets, weights)?,
        };
        require(fit.params == *self, "params", "those of the first chunk", "others")?;
        let sums = self.sums(&fit.classes, &fit.v, rows, targets, weights, true)?;
        match &mut fit.sums {
            Some(sum) => sum.merge(&sums)?,
            None => fit.sums = Some(sums),
        }
        Ok(fit)
    }
}

impl<L: Label> ChunkedFit<L> {
    /// At the optimum of the first chunk, or where the parameters say.
    fn start<F: Float>(
        params: &LogisticRegressionValidParams,
        rows: Rows<'_, F>,
        targets: ArrayView1<'_, L>,
        weights: &Array1<f32>,
    ) -> Result<Self> {
        require(params.l1() == 0.0, "l1_ratio", "0 for a fit over chunks", params.l1_ratio)?;
        let targets = Targets::new(params, targets, weights, rows.n())?;
        let layout = Layout::new(targets.classes.n_classes(), params.alpha);
        let objective = layout.objective(params, rows, &targets, &[]);
        let mut v = params.start(layout, rows.d())?;
        if params.start.is_none() {
            let mut optimum = v.clone();
            let limits = Limits { tol: 1e-6, max_iter: params.max_iter };
            let plan = Plan::choose(&objective);
            let report = solve::minimize(&objective, plan, &mut optimum, limits, &mut ())?;
            if report.converged() {
                v = optimum;
            }
        }
        Ok(Self {
            params: params.clone(),
            classes: targets.classes,
            n_features: rows.d(),
            v,
            sums: None,
            before: None,
            report: Report::begun(),
        })
    }

    /// Ends a pass over all chunks: one Newton step, or half the last one where that went too far.
    ///
    /// # Errors
    /// [`Error::Shape`] when no chunk came, or other numbers of rows than in the pass before.
    pub fn end_pass(&mut self) -> Result<Report> {
        let Some(sums) = self.sums.take() else {
            return Err(Error::shape("chunks", "at least one in each pass", 0));
        };
        if let Some(before) = self.before.as_ref().filter(|before| before.n_rows != sums.n_rows) {
            let rule = format!("{} rows in all, as in the pass before", before.n_rows);
            return Err(Error::shape("chunks", rule, sums.n_rows));
        }
        let (m, k) = sums.gradient.dim();
        let lanes = self.v.len() / k;
        let place = |i: usize| i % k * lanes + i / k;
        let weights = k - 1;
        let l2 = self.params.l2();
        let square: f64 = self.v[..weights * lanes].iter().map(|w| w * w).sum();
        let objective = sums.loss + 0.5 * l2 * square;
        self.report.passes += 1;
        if let Some(before) = &mut self.before {
            let noise = 1e-12 * before.objective.abs();
            let lower = objective <= before.objective + 1e-4 * before.t * before.slope + noise;
            if !lower {
                before.t *= 0.5;
                for ((v, old), d) in self.v.iter_mut().zip(&before.v).zip(&before.direction) {
                    *v = old + before.t * d;
                }
                return Ok(self.report);
            }
            self.report.iterations += 1;
        }
        let mut hessian = sums.hessian.expect("a fit over chunks sums the Hessian");
        let mut gradient: Vec<f64> = sums.gradient.iter().copied().collect();
        for (i, g) in gradient.iter_mut().enumerate().filter(|(i, _)| i % k < weights) {
            *g += l2 * self.v[place(i)];
            hessian[[i, i]] += l2;
        }
        let mut step: Vec<f64> = gradient.iter().map(|g| -g).collect();
        let factor = Factor::new(hessian.into_iter().collect(), m * k);
        factor.solve(&mut step);
        let slope = dot(&gradient, &step);
        self.report.objective = objective;
        self.report.gap =
            (factor.unseen(&gradient, objective) - 0.5 * slope) / objective.max(f64::MIN_POSITIVE);
        self.report.gradient_norm = gradient.iter().fold(0.0, |a, g| g.abs().max(a));
        if l2 == 0.0 && sums.worst < std::f64::consts::LN_2 {
            self.report.outcome = Outcome::Separable;
        } else if self.report.gap <= self.params.tol {
            self.report.outcome = Outcome::Converged;
        } else {
            let mut direction = vec![0.0; self.v.len()];
            step.iter().enumerate().for_each(|(i, s)| direction[place(i)] = *s);
            let v = self.v.clone();
            self.v.iter_mut().zip(&direction).for_each(|(v, d)| *v += d);
            self.before = Some(Before { n_rows: sums.n_rows, v, objective, direction, slope, t: 1.0 });
        }
        Ok(self.report)
    }

    /// The model at the point that the last pass looked at, or steps to.
    ///
    /// # Errors
    /// [`Error::NotConverged`] unless a pass has found the optimum, or
    /// [`require_convergence`](LogisticRegressionParams::require_convergence) is off.
    pub fn into_model<F: Float>(self) -> Result<LogisticRegression<F, L>> {
        self.params.judge(&self.report)?;
        let layout = Layout::new(self.classes.n_classes(), self.params.alpha);
        let (coefficients, intercepts) = layout.unpack(&self.v, self.n_features);
        Ok(LogisticRegression {
            coefficients: coefficients.mapv(F::cast),
            intercepts: Array1::mapv(&intercepts, F::cast),
            classes: self.classes,
            report: self.report,
        })
    }
}
