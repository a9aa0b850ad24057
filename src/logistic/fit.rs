//! From a data set to a model.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Data, Ix2};

use super::objective::Objective;
use super::params::{ClassWeight, LogisticRegressionValidParams, Solver};
use super::report::{Outcome, Report};
use super::rows::Rows;
use super::shift::Shifted;
use super::solve::{self, Limits, Plan};
use super::stochastic::{self, Steps};
use super::{LogisticRegression, coordinate};
use crate::data::{self, ClassIndex};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::linear::logistic as kernel;
use crate::observe::{FitObserved, Observer};

/// What a fit knows about the rows beside their records.
#[derive(Debug)]
pub(super) struct Targets<L> {
    pub(super) classes: ClassIndex<L>,
    /// Class of each row, as a column.
    pub(super) column: Vec<u32>,
    /// Weight of each sample times that of its class.
    pub(super) weight: Vec<f64>,
}

impl<L: Label> Targets<L> {
    pub(super) fn new(
        params: &LogisticRegressionValidParams,
        targets: ArrayView1<'_, L>,
        weights: &Array1<f32>,
        n: usize,
    ) -> Result<Self> {
        data::check_same_rows("targets", targets.len(), n)?;
        let classes = ClassIndex::new(targets)?;
        if classes.n_classes() < 2 {
            return Err(Error::shape("targets", "at least two classes", classes.n_classes()));
        }
        if !weights.is_empty() && weights.iter().all(|&w| w == 0.0) {
            return Err(Error::parameter("weights", "greater than 0 in one entry at least", "0 in all"));
        }
        Self::of_classes(params, classes, targets, weights, n)
    }

    /// With classes that are known beforehand, of which some may be missing here.
    pub(super) fn of_classes(
        params: &LogisticRegressionValidParams,
        classes: ClassIndex<L>,
        targets: ArrayView1<'_, L>,
        weights: &Array1<f32>,
        n: usize,
    ) -> Result<Self> {
        data::check_same_rows("targets", targets.len(), n)?;
        let k = classes.n_classes();
        let column: Vec<u32> = classes.columns(targets)?.iter().map(|&c| c as u32).collect();
        let mut weight = sample_weights(weights, n)?;
        let class_weight = match &params.class_weight {
            ClassWeight::Uniform => return Ok(Self { classes, column, weight }),
            ClassWeight::Balanced => {
                let mut totals = vec![0.0; k];
                for (&c, w) in column.iter().zip(&weight) {
                    totals[c as usize] += w;
                }
                let sum: f64 = totals.iter().sum();
                totals.iter().map(|&t| if t > 0.0 { sum / (k as f64 * t) } else { 0.0 }).collect()
            }
            ClassWeight::Each(weights) if weights.len() == k => weights.clone(),
            ClassWeight::Each(weights) => {
                return Err(Error::shape(
                    "class_weight",
                    format!("one entry for each of the {k} classes"),
                    weights.len(),
                ));
            }
        };
        for (w, &c) in weight.iter_mut().zip(&column) {
            *w *= class_weight[c as usize];
        }
        Ok(Self { classes, column, weight })
    }
}

/// The weights of the data set, or ones where it has none.
pub(super) fn sample_weights(weights: &Array1<f32>, n: usize) -> Result<Vec<f64>> {
    if weights.is_empty() {
        return Ok(vec![1.0; n]);
    }
    data::check_same_rows("weights", weights.len(), n)?;
    if let Some(bad) = weights.iter().find(|w| !(**w >= 0.0 && w.is_finite())) {
        return Err(Error::parameter("weights", "at least 0 and finite", bad));
    }
    Ok(weights.iter().map(|&w| f64::from(w)).collect())
}

/// Which logits a fit has, and which of them are free.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Layout {
    /// Logits of the model: 1 for two classes.
    pub(super) logits: usize,
    /// The first free one. Without a penalty all logits could be shifted together, so the first class's stay 0.
    pub(super) first: usize,
}

impl Layout {
    pub(super) fn new(n_classes: usize, alpha: f64) -> Self {
        let logits = if n_classes == 2 { 1 } else { n_classes };
        Self { logits, first: usize::from(n_classes > 2 && alpha == 0.0) }
    }

    /// The smooth objective of the free logits.
    pub(super) fn objective<'a, F: Float, L>(
        self,
        params: &LogisticRegressionValidParams,
        rows: Rows<'a, F>,
        targets: &'a Targets<L>,
        offset: &'a [f64],
    ) -> Objective<'a, F> {
        Objective {
            rows,
            target: &targets.column,
            weight: &targets.weight,
            offset,
            reference: self.logits == 1 || self.first == 1,
            m: self.logits - self.first,
            l2: params.l2(),
            intercept: params.fit_intercept,
        }
    }

    /// Coefficients and intercepts of all logits as parameters of the free ones.
    pub(super) fn pack(self, w: &Array2<f64>, b: &Array1<f64>) -> Vec<f64> {
        let shift = self.first as f64;
        let m = self.logits - self.first;
        let shifted = |c: usize, j: usize| w[[c + self.first, j]] - shift * w[[0, j]];
        let w = Array2::from_shape_fn((m, w.ncols()), |(c, j)| shifted(c, j));
        super::pack(&w, &Array1::from_shape_fn(m, |c| b[c + self.first] - shift * b[0]))
    }

    /// Coefficients `(logits, d)` and intercepts of all logits; where these are free up to a constant, they sum to 0.
    pub(super) fn unpack(self, v: &[f64], d: usize) -> (Array2<f64>, Array1<f64>) {
        let Self { logits, first } = self;
        let lanes = kernel::lanes(logits - first);
        let entry = |c: usize, j: usize| if c < first { 0.0 } else { v[j * lanes + c - first] };
        let mut intercepts = Array1::from_shape_fn(logits, |c| entry(c, d));
        if logits > 1 && first == 0 {
            let mean = intercepts.sum() / logits as f64;
            intercepts -= mean;
        }
        (Array2::from_shape_fn((logits, d), |(c, j)| entry(c, j)), intercepts)
    }
}

impl LogisticRegressionValidParams {
    /// The offsets of the free logits row after row, or nothing.
    pub(super) fn offsets(&self, n: usize, layout: Layout) -> Result<Vec<f64>> {
        let Some(offset) = &self.offset else {
            return Ok(vec![]);
        };
        let Layout { logits, first } = layout;
        if offset.dim() != (n, logits) {
            let rule = format!("{n} rows and {logits} columns, as the logits");
            return Err(Error::shape(
                "offset",
                rule,
                format_args!("{} x {}", offset.nrows(), offset.ncols()),
            ));
        }
        let shift =
            |z: ArrayView1<'_, f64>| (first..logits).map(|c| z[c] - first as f64 * z[0]).collect::<Vec<_>>();
        Ok(offset.rows().into_iter().flat_map(shift).collect())
    }

    /// The parameters to start from: zeros where nothing else is asked for.
    pub(super) fn start(&self, layout: Layout, d: usize) -> Result<Vec<f64>> {
        let Layout { logits, first } = layout;
        match &self.start {
            None => Ok(vec![0.0; (d + 1) * kernel::lanes(logits - first)]),
            Some((w, b)) if w.dim() == (logits, d) && b.len() == logits => {
                Ok(layout.pack(w, &if self.fit_intercept { b.clone() } else { Array1::zeros(logits) }))
            }
            Some((w, b)) => {
                let got = format!("{} x {} and {}", w.nrows(), w.ncols(), b.len());
                let rule = format!("{logits} x {d} coefficients and {logits} intercepts");
                Err(Error::shape("start_from", rule, got))
            }
        }
    }

    /// Fits the rows, whatever their kind.
    pub(super) fn fit_rows<F: Float, L: Label>(
        &self,
        rows: Rows<'_, F>,
        targets: Targets<L>,
        observer: &mut dyn Observer,
    ) -> Result<LogisticRegression<F, L>> {
        let layout = Layout::new(targets.classes.n_classes(), self.alpha);
        let d = rows.d();
        let offset = self.offsets(rows.n(), layout)?;
        let shifted = if self.fit_intercept { Shifted::new(&rows) } else { None };
        let objective =
            layout.objective(self, shifted.as_ref().map_or(rows, Shifted::rows), &targets, &offset);
        let mut v = self.start(layout, d)?;
        if let Some(shifted) = &shifted {
            shifted.move_intercepts(1.0, &mut v);
        }
        let limits = Limits { tol: self.tol, max_iter: self.max_iter };
        let mut by_plan = |plan| solve::minimize(&objective, plan, &mut v, limits, observer);
        let report = match self.solver {
            _ if self.l1() > 0.0 => coordinate::minimize(&objective, self.l1(), &mut v, limits, observer),
            None => by_plan(Plan::choose(&objective)),
            Some(Solver::Newton) => by_plan(Plan::Newton),
            Some(Solver::SampledNewton) => by_plan(Plan::Sample),
            Some(Solver::Lbfgs) => by_plan(Plan::Diagonal),
            Some(Solver::Stochastic { rule, learning_rate, batch_size, seed }) => {
                let steps = Steps { rule, learning_rate, batch_size, seed };
                stochastic::minimize(&objective, steps, &mut v, limits, observer)
            }
        }?;
        self.judge(&report)?;
        if let Some(shifted) = &shifted {
            shifted.move_intercepts(-1.0, &mut v);
        }
        let (coefficients, intercepts) = layout.unpack(&v, d);
        Ok(LogisticRegression {
            coefficients: coefficients.mapv(F::cast),
            intercepts: intercepts.mapv(F::cast),
            classes: targets.classes,
            report,
        })
    }

    /// An error for a fit that did not converge, where that is asked for.
    pub(super) fn judge(&self, report: &Report) -> Result<()> {
        if !self.require_convergence || report.converged() {
            return Ok(());
        }
        let reason = match report.outcome {
            Outcome::Separable => {
                "the classes are separable, so the likelihood has no maximum; a penalty (`alpha`) gives one"
                    .to_owned()
            }
            _ if report.gap <= self.tol => {
                format!("rounding hides whether a relative gap of {:.1e} is all that is left", report.gap)
            }
            _ => format!("the relative gap is {:.1e}, not yet `tol` = {:e}", report.gap, self.tol),
        };
        Err(Error::NotConverged { iterations: report.iterations, reason })
    }
}

impl<F, D, T, L> FitObserved<ArrayBase<D, Ix2>, T> for LogisticRegressionValidParams
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = LogisticRegression<F, L>;

    /// The stage is `"iteration"`, or `"epoch"` for mini-batches; before it, `"sample"` where samples of the rows are fitted first, with the objective as they
    /// estimate it.
    fn fit_observed(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        let x = dataset.records();
        data::check_not_empty("records", x)?;
        let targets = Targets::new(self, dataset.as_single_targets(), &dataset.weights, x.nrows())?;
        let view = x.view();
        let slice = data::rows(&view);
        self.fit_rows(Rows::Dense { x: &slice, d: x.ncols() }, targets, observer)
    }
}

impl<F, D, T, L> Fit<ArrayBase<D, Ix2>, T, Error> for LogisticRegressionValidParams
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = LogisticRegression<F, L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        self.fit_observed(dataset, &mut ())
    }
}

#[cfg(test)]
mod tests {
    use linfa::ParamGuard;

    use crate::LogisticRegression;
    use crate::logistic::Report;

    #[test]
    fn a_fit_that_ran_out_says_what_it_lacks() {
        let params = LogisticRegression::params().tol(1e-8).check().unwrap();
        let reason = |gap| params.judge(&Report { gap, ..Report::begun() }).unwrap_err().to_string();
        assert!(reason(3e-7).ends_with("the relative gap is 3.0e-7, not yet `tol` = 1e-8"));
        assert!(
            reason(2e-13).ends_with("rounding hides whether a relative gap of 2.0e-13 is all that is left")
        );
    }
}
