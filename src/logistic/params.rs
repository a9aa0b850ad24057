//! Hyper-parameters of logistic regression.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2};

use super::LogisticRegression;
use crate::error::Result;
use crate::float::Float;
use crate::optim::{Rule, check_rate};
use crate::params::{Check, Params, require};

/// Hyper-parameters of [`LogisticRegression`], with their setters.
///
/// # Example
/// See [`LogisticRegression`].
pub type LogisticRegressionParams = Params<LogisticRegressionValidParams>;

/// Checked hyper-parameters of [`LogisticRegression`].
///
/// # Example
/// See [`LogisticRegression`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LogisticRegressionValidParams {
    pub(super) alpha: f64,
    pub(super) l1_ratio: f64,
    pub(super) fit_intercept: bool,
    pub(super) class_weight: ClassWeight,
    pub(super) solver: Option<Solver>,
    pub(super) max_iter: usize,
    pub(super) tol: f64,
    pub(super) require_convergence: bool,
    pub(super) offset: Option<Array2<f64>>,
    pub(super) start: Option<(Array2<f64>, Array1<f64>)>,
}

/// How much each class counts, on top of the weights of the samples.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::{Dataset, traits::Fit}, logistic::ClassWeight, ndarray::Array};
///
/// // One row in ten is positive: the plain model takes none for it.
/// let x = Array::from_shape_fn((200, 1), |(i, _)| (i % 10) as f64 * 0.3 + (i * 7 % 5) as f64);
/// let data = Dataset::new(x, Array::from_shape_fn(200, |i| i % 10 == 9));
/// let found = |weight| -> sapwood::Result<usize> {
///     let p = LogisticRegression::params().class_weight(weight).fit(&data)?.predict_proba(data.records())?;
///     Ok(p.column(1).iter().filter(|&&p| p > 0.5).count())
/// };
/// assert!(found(ClassWeight::Balanced)? > found(ClassWeight::Uniform)?);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum ClassWeight {
    /// All the same.
    #[default]
    Uniform,
    /// Inversely to the total weight of the class: `n / (k n_class)`.
    Balanced,
    /// One weight for each class, in sorted order of the classes.
    Each(Vec<f64>),
}

/// How a fit without an L1 penalty finds its way; by default the shape of the data decides.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::{Dataset, traits::Fit}, logistic::Solver, ndarray::Array};
///
/// let x = Array::from_shape_fn((100, 3), |(i, j)| (i * (j + 2) % 11) as f64);
/// let data = Dataset::new(x, Array::from_shape_fn(100, |i| i * 7 % 11 > 5));
/// let newton = LogisticRegression::params().solver(Solver::Newton).fit(&data)?;
/// let lbfgs = LogisticRegression::params().solver(Solver::Lbfgs).fit(&data)?;
/// // One optimum, by either way.
/// assert!((&newton.coefficients() - &lbfgs.coefficients()).iter().all(|d: &f64| d.abs() < 1e-4));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Solver {
    /// Newton's method (iteratively reweighted least squares): few steps, each `O(n p^2 + p^3)` for `p` parameters in all logits.
    Newton,
    /// L-BFGS under the Hessian of a sample of the rows, at that sample's optimum: for many more rows than parameters.
    SampledNewton,
    /// L-BFGS under the Hessian's diagonal: for many features.
    Lbfgs,
    /// Steps of a rule of [`optim`](crate::optim) on mini-batches, their noise reduced so that a constant rate converges (SVRG): for a rough answer in few
    /// passes, and to see how the rules compare. An iteration is an epoch of three passes; an epoch that goes up halves the rate.
    Stochastic {
        /// How a gradient becomes a step: gradient descent, with momentum, RMSProp, Adam.
        rule: Rule,
        /// Length of a step where the mean loss has curvature 1 in each scaled feature: greater than 0; for gradient descent 0.1, for Adam 0.01 are starts.
        learning_rate: f64,
        /// Neighbouring rows of a batch, at least 1; the batches come in a new order in each epoch.
        batch_size: usize,
        /// Of the orders.
        seed: u64,
    },
}

impl LogisticRegression<(), ()> {
    /// Hyper-parameters, all at their defaults: an L2 penalty of strength 1, as scikit-learn's `C = 1` and linfa's `alpha = 1`.
    #[must_use]
    pub fn params() -> LogisticRegressionParams {
        Params(LogisticRegressionValidParams {
            alpha: 1.0,
            l1_ratio: 0.0,
            fit_intercept: true,
            class_weight: ClassWeight::Uniform,
            solver: None,
            max_iter: 500,
            tol: 1e-10,
            require_convergence: true,
            offset: None,
            start: None,
        })
    }
}

impl LogisticRegressionParams {
    /// Strength of the penalty `alpha ((1 - l1_ratio) / 2 ||W||^2 + l1_ratio ||W||_1)` beside the sum of the losses: at least 0, by default 1.
    ///
    /// scikit-learn's `C` is `1 / alpha`, linfa's `alpha` is the same number, glmnet's `lambda` is `alpha / n` (with `standardize = FALSE`). With 0 there is no
    /// penalty: maximum likelihood, as statsmodels and R's `glm`.
    #[doc(alias = "C")]
    #[doc(alias = "lambda")]
    #[must_use]
    pub fn alpha(mut self, alpha: f64) -> Self {
        self.0.alpha = alpha;
        self
    }

    /// Part of the penalty that is L1: 0 (default) for ridge, 1 for lasso, between for elastic net.
    #[must_use]
    pub fn l1_ratio(mut self, l1_ratio: f64) -> Self {
        self.0.l1_ratio = l1_ratio;
        self
    }

    /// Whether each logit has an intercept, which is never penalised; by default it has.
    #[must_use]
    pub fn fit_intercept(mut self, fit_intercept: bool) -> Self {
        self.0.fit_intercept = fit_intercept;
        self
    }

    /// How much each class counts; by default all the same.
    #[must_use]
    pub fn class_weight(mut self, class_weight: ClassWeight) -> Self {
        self.0.class_weight = class_weight;
        self
    }

    /// The way to the optimum; by default the shape of the data decides. All give the same optimum.
    #[must_use]
    pub fn solver(mut self, solver: Solver) -> Self {
        self.0.solver = Some(solver);
        self
    }

    /// Most steps, at least 1; by default 500, of which Newton's method uses about 8.
    #[doc(alias = "max_iterations")]
    #[must_use]
    pub fn max_iter(mut self, max_iter: usize) -> Self {
        self.0.max_iter = max_iter;
        self
    }

    /// Relative gap from the optimal objective at which to stop: greater than 0, by default `1e-10`.
    ///
    /// It means the same for every number of rows and every unit of the features. Coefficients are then right to about its square root.
    #[doc(alias = "gradient_tolerance")]
    #[must_use]
    pub fn tol(mut self, tol: f64) -> Self {
        self.0.tol = tol;
        self
    }

    /// Whether a fit that does not converge is an error (default) or a model whose [`report`](LogisticRegression::report) says so.
    #[must_use]
    pub fn require_convergence(mut self, require_convergence: bool) -> Self {
        self.0.require_convergence = require_convergence;
        self
    }

    /// Known parts of the logits, `(n_samples, 1)` for two classes, else `(n_samples, n_classes)`: added to each row's logits in the fit.
    #[must_use]
    pub fn offset<F: Float>(mut self, offset: ArrayView2<'_, F>) -> Self {
        self.0.offset = Some(offset.mapv(F::as_f64));
        self
    }

    /// Starts from these coefficients, `(1 or n_classes, n_features)`, and intercepts instead of zeros.
    #[doc(alias = "initial_params")]
    #[must_use]
    pub fn start_from<F: Float>(
        mut self,
        coefficients: ArrayView2<'_, F>,
        intercepts: ArrayView1<'_, F>,
    ) -> Self {
        self.0.start = Some((coefficients.mapv(F::as_f64), intercepts.mapv(F::as_f64)));
        self
    }
}

impl LogisticRegressionValidParams {
    pub(super) fn l1(&self) -> f64 {
        self.alpha * self.l1_ratio
    }

    pub(super) fn l2(&self) -> f64 {
        self.alpha * (1.0 - self.l1_ratio)
    }
}

impl Check for LogisticRegressionValidParams {
    fn check(&self) -> Result<()> {
        let Self { alpha, l1_ratio, max_iter, tol, .. } = self;
        require(*alpha >= 0.0 && alpha.is_finite(), "alpha", "at least 0 and finite", alpha)?;
        require((0.0..=1.0).contains(l1_ratio), "l1_ratio", "between 0 and 1", l1_ratio)?;
        require(*max_iter >= 1, "max_iter", "at least 1", max_iter)?;
        require(*tol > 0.0 && tol.is_finite(), "tol", "greater than 0 and finite", tol)?;
        if let Some(Solver::Stochastic { rule, learning_rate, batch_size, .. }) = &self.solver {
            rule.check()?;
            check_rate(*learning_rate)?;
            require(*batch_size >= 1, "batch_size", "at least 1", batch_size)?;
        }
        if let ClassWeight::Each(weights) = &self.class_weight {
            for weight in weights {
                require(
                    *weight > 0.0 && weight.is_finite(),
                    "class_weight",
                    "greater than 0 and finite",
                    weight,
                )?;
            }
        }
        let starts = self.start.iter().flat_map(|(w, b)| w.iter().chain(b));
        for value in self.offset.iter().flatten() {
            require(value.is_finite(), "offset", "finite", value)?;
        }
        for value in starts {
            require(value.is_finite(), "start_from", "finite", value)?;
        }
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for LogisticRegressionValidParams {
    fn kind() -> String {
        "LogisticRegressionParams".into()
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}
