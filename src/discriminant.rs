//! Classifiers that model each class as a Gaussian: linear and quadratic discriminant analysis.
//!
//! A generative model says how the rows of each class come about, `p(x | c)` and `p(c)`, and classifies by Bayes' rule. With few rows it is often ahead of
//! logistic regression, which models `p(c | x)` alone (Ng & Jordan, "On discriminative vs. generative classifiers", 2001), and it can do what that cannot:
//! draw new rows ([`QuadraticDiscriminant::sample`]) and classify rows of which only some features are known ([`QuadraticDiscriminant::marginal`]).
//! Naive Bayes: for categories [`CategoricalNb`](crate::CategoricalNb); Gaussian, multinomial and Bernoulli in `linfa-bayes`.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::{Fit, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};
use rand::Rng;

use crate::data::{self, ClassIndex};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::{self, Cholesky};
use crate::params::{Check, Params, require};

/// Classes with Gaussian rows that share one covariance: linear discriminant analysis (LDA).
///
/// # Formula
/// `log p(x, c) = log prior_c - 1/2 log det(2 pi S) - 1/2 (x - mean_c)^T S^-1 (x - mean_c)`, where `S` is the covariance within the classes, divided by the
/// number of rows, then shrunk. These are scikit-learn's definitions.
///
/// # Example
/// ```
/// use sapwood::{LinearDiscriminant, linfa::{Dataset, traits::{Fit, Predict}}, ndarray::array};
///
/// let x = array![[0.0, 1.0], [1.0, 0.0], [1.0, 2.0], [5.0, 4.0], [6.0, 6.0], [5.0, 5.0]];
/// let model = LinearDiscriminant::params().fit(&Dataset::new(x, array!["a", "a", "a", "b", "b", "b"]))?;
/// assert_eq!(model.predict(&array![[0.0, 0.0], [7.0, 5.0]]), array!["a", "b"]);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Complexity
/// `O(n d^2 + d^3)` time and `O(d^2)` memory for the fit, `O(d^2 k)` for a prediction.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinearDiscriminant<L> {
    classes: ClassIndex<L>,
    gaussians: Gaussians,
}

/// Classes with Gaussian rows, each with a covariance of its own: quadratic discriminant analysis (QDA).
///
/// # Formula
/// As [`LinearDiscriminant`], with `S_c` for each class: its rows' covariance, divided by their number, then shrunk. These are the definitions of
/// scikit-learn from 1.9 on; before, QDA divided by the number less one.
///
/// # Example
/// ```
/// use sapwood::{QuadraticDiscriminant, linfa::{Dataset, traits::{Fit, Predict}}, ndarray::array};
///
/// // The second class lies around the first.
/// let x = array![[-0.1], [0.0], [0.1], [-3.0], [3.0], [2.5], [-2.5]];
/// let model = QuadraticDiscriminant::params().fit(&Dataset::new(x, array![0_usize, 0, 0, 1, 1, 1, 1]))?;
/// assert_eq!(model.predict(&array![[-4.0], [0.05], [4.0]]), array![1, 0, 1]);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Complexity
/// `O(n d^2 + k d^3)` time and `O(k d^2)` memory for the fit, `O(k d^2)` for a prediction.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuadraticDiscriminant<L> {
    classes: ClassIndex<L>,
    gaussians: Gaussians,
}

/// How covariances are made invertible, or less noisy.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Shrinkage {
    /// Not at all.
    #[default]
    None,
    /// `(1 - s) S + s (tr(S) / d) I`: towards a ball of the same total variance, for `s` from 0 to 1.
    Ball(f64),
    /// `(1 - s) S + s I`, for `s` from 0 to 1: scikit-learn's `reg_param` of QDA.
    Unit(f64),
    /// Towards a ball by the amount that Ledoit & Wolf (2004) estimate on standardised features, class by class: scikit-learn's `"auto"`.
    LedoitWolf,
}

/// Hyper-parameters of [`LinearDiscriminant`], with their setters.
pub type LinearDiscriminantParams = Params<LinearDiscriminantValidParams>;

/// Checked hyper-parameters of [`LinearDiscriminant`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LinearDiscriminantValidParams {
    shrinkage: Shrinkage,
}

/// Hyper-parameters of [`QuadraticDiscriminant`], with their setters.
pub type QuadraticDiscriminantParams = Params<QuadraticDiscriminantValidParams>;

/// Checked hyper-parameters of [`QuadraticDiscriminant`].
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct QuadraticDiscriminantValidParams {
    shrinkage: Shrinkage,
}

impl LinearDiscriminant<()> {
    /// Hyper-parameters, all at their defaults: no shrinkage.
    #[must_use]
    pub fn params() -> LinearDiscriminantParams {
        Params(LinearDiscriminantValidParams { shrinkage: Shrinkage::None })
    }
}

impl QuadraticDiscriminant<()> {
    /// Hyper-parameters, all at their defaults: no shrinkage.
    #[must_use]
    pub fn params() -> QuadraticDiscriminantParams {
        Params(QuadraticDiscriminantValidParams { shrinkage: Shrinkage::None })
    }
}

impl LinearDiscriminantParams {
    /// How the covariance is shrunk; by default not at all.
    #[must_use]
    pub fn shrinkage(mut self, shrinkage: Shrinkage) -> Self {
        self.0.shrinkage = shrinkage;
        self
    }
}

impl QuadraticDiscriminantParams {
    /// How each class's covariance is shrunk; by default not at all.
    #[doc(alias = "reg_param")]
    #[must_use]
    pub fn shrinkage(mut self, shrinkage: Shrinkage) -> Self {
        self.0.shrinkage = shrinkage;
        self
    }
}

impl Check for LinearDiscriminantValidParams {
    fn check(&self) -> Result<()> {
        self.shrinkage.check()
    }
}

impl Check for QuadraticDiscriminantValidParams {
    fn check(&self) -> Result<()> {
        self.shrinkage.check()
    }
}

impl Shrinkage {
    fn check(self) -> Result<()> {
        match self {
            Self::Ball(s) | Self::Unit(s) => {
                require((0.0..=1.0).contains(&s), "shrinkage", "between 0 and 1", s)
            }
            Self::None | Self::LedoitWolf => Ok(()),
        }
    }

    /// Shrinks the covariance `s` of `rows`, whose mean is `mean` (Ledoit-Wolf alone looks at the rows).
    fn apply(self, s: &mut Array2<f64>, rows: ArrayView2<'_, f64>, mean: ArrayView1<'_, f64>) {
        let d = s.nrows();
        match self {
            Self::None => {}
            Self::Ball(amount) => {
                let ball = amount * s.diag().sum() / d as f64;
                *s *= 1.0 - amount;
                s.diag_mut().mapv_inplace(|v| v + ball);
            }
            Self::Unit(amount) => {
                *s *= 1.0 - amount;
                s.diag_mut().mapv_inplace(|v| v + amount);
            }
            Self::LedoitWolf => {
                let scale = s.diag().mapv(|v| if v > 0.0 { v.sqrt() } else { 1.0 });
                let z = (&rows - &mean) / &scale;
                let amount = ledoit_wolf(&z);
                let units = Array2::from_shape_fn((d, d), |(i, j)| scale[i] * scale[j]);
                *s /= &units;
                Self::Ball(amount).apply(s, rows, mean);
                *s *= &units;
            }
        }
    }
}

/// The amount of shrinkage for centred rows `z`.
///
/// `beta / delta`, where `delta` is the squared distance of the covariance `S` from its ball and `beta` an estimate of its squared error (Ledoit & Wolf 2004,
/// lemmas 3.2 to 3.4); both per feature.
fn ledoit_wolf(z: &Array2<f64>) -> f64 {
    let (n, d) = z.dim();
    let (rows, features) = (n as f64, d as f64);
    let s = z.t().dot(z) / rows;
    let mu = s.diag().sum() / features;
    let squares: f64 = s.iter().map(|v| v * v).sum();
    // sum_ij mean_k (z_ki z_kj)^2 = mean_k |z_k|^4
    let fourth: f64 = z.rows().into_iter().map(|z| z.dot(&z).powi(2)).sum::<f64>() / rows;
    let delta = (squares - features * mu * mu) / features;
    let beta = ((fourth - squares) / (features * rows)).min(delta);
    if beta > 0.0 { beta / delta } else { 0.0 }
}

/// A Gaussian for each class; one covariance for all, or one each.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
struct Gaussians {
    log_priors: Array1<f64>,
    /// `(k, d)`.
    means: Array2<f64>,
    covariances: Vec<Array2<f64>>,
    factors: Vec<Cholesky<f64>>,
}

impl Gaussians {
    fn new(log_priors: Array1<f64>, means: Array2<f64>, covariances: Vec<Array2<f64>>) -> Result<Self> {
        // A pivot this small beside its variance is rounding error: the feature depends on others.
        let dependent = |factor: &Cholesky<f64>, covariance: &Array2<f64>| {
            let pivots = factor.factor().diag().to_owned();
            pivots.iter().zip(covariance.diag()).any(|(pivot, variance)| pivot * pivot <= 1e-13 * variance)
        };
        let factor = |covariance: &Array2<f64>| {
            Cholesky::new(covariance.view()).filter(|factor| !dependent(factor, covariance)).ok_or_else(
                || {
                    let rule = "large enough to make every covariance invertible";
                    Error::parameter(
                        "shrinkage",
                        rule,
                        "too little for features that depend on one another, or for too few rows",
                    )
                },
            )
        };
        let factors = covariances.iter().map(factor).collect::<Result<_>>()?;
        Ok(Self { log_priors, means, covariances, factors })
    }

    /// `log p(x_i, c)`, up to a constant, `(n, k)`.
    fn log_joint<F: Float, S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<f64>> {
        data::check_columns("x", x, self.means.ncols())?;
        let mut out = Array2::zeros((x.nrows(), self.means.nrows()));
        let mut difference = vec![0.0; self.means.ncols()];
        for (c, mean) in self.means.rows().into_iter().enumerate() {
            let factor = &self.factors[c.min(self.factors.len() - 1)];
            let constant = self.log_priors[c] - 0.5 * factor.log_det();
            for (x, out) in x.rows().into_iter().zip(out.column_mut(c)) {
                for ((difference, x), mean) in difference.iter_mut().zip(x).zip(mean) {
                    *difference = x.as_f64() - mean;
                }
                factor.solve_lower(&mut difference);
                *out = constant - 0.5 * difference.iter().map(|v| v * v).sum::<f64>();
            }
        }
        Ok(out)
    }

    fn marginal(&self, features: &[usize]) -> Result<Self> {
        let d = self.means.ncols();
        if features.is_empty() {
            return Err(Error::shape("features", "at least one entry", 0));
        }
        if let Some(&bad) = features.iter().find(|&&j| j >= d) {
            return Err(Error::parameter("features", format!("less than {d}, the number of features"), bad));
        }
        let part = |s: &Array2<f64>| s.select(Axis(0), features).select(Axis(1), features);
        Self::new(
            self.log_priors.clone(),
            self.means.select(Axis(1), features),
            self.covariances.iter().map(part).collect(),
        )
    }

    /// A row of class `c`: `mean + L e` with standard normal `e`, by Box and Muller.
    fn draw(&self, c: usize, rng: &mut impl Rng) -> Array1<f64> {
        let e = Array1::from_shape_simple_fn(self.means.ncols(), || {
            let (u, v): (f64, f64) = (1.0 - rng.r#gen::<f64>(), rng.r#gen());
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        });
        self.factors[c.min(self.factors.len() - 1)].factor().dot(&e) + self.means.row(c)
    }
}

/// Rows of one class, with their weights, weighted mean and weighted scatter `sum w (x - mean)(x - mean)^T`.
struct Group {
    rows: Array2<f64>,
    weight: f64,
    mean: Array1<f64>,
    scatter: Array2<f64>,
}

/// The rows of each class, checked.
fn groups<F: Float, D: Data<Elem = F>, T: AsSingleTargets<Elem = L>, L: Label>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    shrinkage: Shrinkage,
) -> Result<(ClassIndex<L>, Vec<Group>)> {
    let x = dataset.records();
    data::check_not_empty("records", x)?;
    data::check_finite("records", x)?;
    let targets = dataset.as_single_targets();
    data::check_same_rows("targets", targets.len(), x.nrows())?;
    let classes = ClassIndex::new(targets)?;
    if classes.n_classes() < 2 {
        return Err(Error::shape("targets", "at least two classes", classes.n_classes()));
    }
    let weights = weights(&dataset.weights, x.nrows())?;
    if shrinkage == Shrinkage::LedoitWolf && !dataset.weights.is_empty() {
        return Err(Error::parameter("weights", "absent where shrinkage is estimated", "given"));
    }
    let columns = classes.columns(targets)?;
    let groups = (0..classes.n_classes()).map(|c| {
        let members: Vec<usize> = (0..x.nrows()).filter(|&i| columns[i] == c).collect();
        let rows = x.select(Axis(0), &members).mapv(F::as_f64);
        let w: Array1<f64> = members.iter().map(|&i| weights[i]).collect();
        let weight = w.sum();
        if weight <= 0.0 {
            let got = format!("{:?} without any", classes.label(c));
            return Err(Error::parameter("weights", "greater than 0 for a row of each class", got));
        }
        let mean = w.dot(&rows) / weight;
        let centred = (&rows - &mean) * &w.mapv(f64::sqrt).insert_axis(Axis(1));
        let scatter = centred.t().dot(&centred);
        if scatter.iter().any(|v| !v.is_finite()) {
            return Err(Error::shape("records", "values whose squares are finite", "larger ones"));
        }
        Ok(Group { rows, weight, mean, scatter })
    });
    let groups = groups.collect::<Result<Vec<_>>>()?;
    Ok((classes, groups))
}

/// The weights of the data set, or ones where it has none.
fn weights(weights: &Array1<f32>, n: usize) -> Result<Vec<f64>> {
    if weights.is_empty() {
        return Ok(vec![1.0; n]);
    }
    data::check_same_rows("weights", weights.len(), n)?;
    match weights.iter().find(|w| !(**w >= 0.0 && w.is_finite())) {
        Some(bad) => Err(Error::parameter("weights", "at least 0 and finite", bad)),
        None => Ok(weights.iter().map(|&w| f64::from(w)).collect()),
    }
}

fn log_priors(groups: &[Group]) -> Array1<f64> {
    let total: f64 = groups.iter().map(|group| group.weight).sum();
    groups.iter().map(|group| (group.weight / total).ln()).collect()
}

fn means(groups: &[Group]) -> Array2<f64> {
    Array2::from_shape_fn((groups.len(), groups[0].mean.len()), |(c, j)| groups[c].mean[j])
}

impl<F, D, T, L> Fit<ArrayBase<D, Ix2>, T, Error> for LinearDiscriminantValidParams
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = LinearDiscriminant<L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        let (classes, groups) = groups(dataset, self.shrinkage)?;
        let total: f64 = groups.iter().map(|group| group.weight).sum();
        let d = groups[0].mean.len();
        let mut covariance = Array2::zeros((d, d));
        for group in &groups {
            let mut own = &group.scatter / group.weight;
            self.shrinkage.apply(&mut own, group.rows.view(), group.mean.view());
            covariance.scaled_add(group.weight / total, &own);
        }
        let gaussians = Gaussians::new(log_priors(&groups), means(&groups), vec![covariance])?;
        Ok(LinearDiscriminant { classes, gaussians })
    }
}

impl<F, D, T, L> Fit<ArrayBase<D, Ix2>, T, Error> for QuadraticDiscriminantValidParams
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    type Object = QuadraticDiscriminant<L>;

    fn fit(&self, dataset: &DatasetBase<ArrayBase<D, Ix2>, T>) -> Result<Self::Object> {
        let (classes, groups) = groups(dataset, self.shrinkage)?;
        let covariances = groups.iter().map(|group| {
            let mut covariance = &group.scatter / group.weight;
            self.shrinkage.apply(&mut covariance, group.rows.view(), group.mean.view());
            covariance
        });
        let gaussians = Gaussians::new(log_priors(&groups), means(&groups), covariances.collect())?;
        Ok(QuadraticDiscriminant { classes, gaussians })
    }
}

/// Softmax of each row.
fn normalised<F: Float>(mut log_joint: Array2<f64>) -> Array2<F> {
    for mut row in log_joint.rows_mut() {
        math::softmax(row.as_slice_mut().expect("rows of a new array lie in memory as they are"));
    }
    log_joint.mapv(F::cast)
}

/// Column of the largest value of each row, the first of equals.
fn largest(scores: &Array2<f64>) -> impl Iterator<Item = usize> {
    scores
        .rows()
        .into_iter()
        .map(|row| (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best }))
}

impl<L: Label> LinearDiscriminant<L> {
    /// The classes, sorted.
    #[must_use]
    pub fn classes(&self) -> &[L] {
        self.classes.classes()
    }

    /// Mean of each class, `(n_classes, n_features)`.
    #[must_use]
    pub fn means(&self) -> ArrayView2<'_, f64> {
        self.gaussians.means.view()
    }

    /// Covariance within the classes, `(n_features, n_features)`.
    #[must_use]
    pub fn covariance(&self) -> ArrayView2<'_, f64> {
        self.gaussians.covariances[0].view()
    }

    /// Weights and intercepts of the logits `w_c x + b_c`, `(n_classes, n_features)` and `(n_classes)`: the model in the form of a logistic regression.
    #[must_use]
    pub fn coefficients(&self) -> (Array2<f64>, Array1<f64>) {
        let Gaussians { means, factors, log_priors, .. } = &self.gaussians;
        let mut w = means.clone();
        for mut row in w.rows_mut() {
            let solved = factors[0].solve(row.view());
            row.assign(&solved);
        }
        let b = log_priors - &((&w * means).sum_axis(Axis(1)) * 0.5);
        (w, b)
    }

    /// Probability of each class for each row, `(n_samples, n_classes)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another number of columns than the model.
    pub fn predict_proba<F: Float, S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        Ok(normalised(self.gaussians.log_joint(x)?))
    }

    /// The model of some of the features, for rows of which only these are known.
    ///
    /// # Errors
    /// Without a feature, or for one that does not exist.
    pub fn marginal(&self, features: &[usize]) -> Result<Self> {
        Ok(Self { classes: self.classes.clone(), gaussians: self.gaussians.marginal(features)? })
    }

    /// Draws `n` rows of class `class`, `(n, n_features)`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown class.
    pub fn sample(&self, class: &L, n: usize, rng: &mut impl Rng) -> Result<Array2<f64>> {
        sample(&self.classes, &self.gaussians, class, n, rng)
    }
}

impl<L: Label> QuadraticDiscriminant<L> {
    /// The classes, sorted.
    #[must_use]
    pub fn classes(&self) -> &[L] {
        self.classes.classes()
    }

    /// Mean of each class, `(n_classes, n_features)`.
    #[must_use]
    pub fn means(&self) -> ArrayView2<'_, f64> {
        self.gaussians.means.view()
    }

    /// Covariance of each class, `(n_features, n_features)`.
    #[must_use]
    pub fn covariances(&self) -> &[Array2<f64>] {
        &self.gaussians.covariances
    }

    /// Probability of each class for each row, `(n_samples, n_classes)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another number of columns than the model.
    pub fn predict_proba<F: Float, S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        Ok(normalised(self.gaussians.log_joint(x)?))
    }

    /// The model of some of the features, for rows of which only these are known.
    ///
    /// # Errors
    /// Without a feature, or for one that does not exist.
    ///
    /// # Example
    /// ```
    /// use sapwood::{QuadraticDiscriminant, linfa::{Dataset, traits::Fit}, ndarray::{array, s}};
    ///
    /// let x = array![[0.0, 1.0], [1.0, 0.0], [1.0, 2.0], [5.0, 4.0], [6.0, 6.0], [5.0, 5.0]];
    /// let y = array![0_usize, 0, 0, 1, 1, 1];
    /// let model = QuadraticDiscriminant::params().fit(&Dataset::new(x.clone(), y.clone()))?;
    /// let second = QuadraticDiscriminant::params().fit(&Dataset::new(x.slice(s![.., 1..]).to_owned(), y))?;
    /// let known = array![[3.0_f64]];
    /// let (a, b) = (model.marginal(&[1])?.predict_proba(&known)?, second.predict_proba(&known)?);
    /// assert!((a[[0, 0]] - b[[0, 0]]).abs() < 1e-12);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn marginal(&self, features: &[usize]) -> Result<Self> {
        Ok(Self { classes: self.classes.clone(), gaussians: self.gaussians.marginal(features)? })
    }

    /// Draws `n` rows of class `class`, `(n, n_features)`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown class.
    pub fn sample(&self, class: &L, n: usize, rng: &mut impl Rng) -> Result<Array2<f64>> {
        sample(&self.classes, &self.gaussians, class, n, rng)
    }
}

fn sample<L: Label>(
    classes: &ClassIndex<L>,
    gaussians: &Gaussians,
    class: &L,
    n: usize,
    rng: &mut impl Rng,
) -> Result<Array2<f64>> {
    let Some(c) = classes.column(class) else {
        return Err(Error::parameter("class", "among the classes", format_args!("{class:?}")));
    };
    let mut rows = Array2::zeros((n, gaussians.means.ncols()));
    for mut row in rows.rows_mut() {
        row.assign(&gaussians.draw(c, rng));
    }
    Ok(rows)
}

/// # Panics
/// When `x` has another number of columns than the model, or another number of rows than `y`.
fn predict_into<F: Float, S: Data<Elem = F>, L: Label>(
    classes: &ClassIndex<L>,
    gaussians: &Gaussians,
    x: &ArrayBase<S, Ix2>,
    y: &mut Array1<L>,
) {
    assert_eq!(x.nrows(), y.len(), "`y` needs one entry for each row of `x`");
    let scores = gaussians.log_joint(x).unwrap_or_else(|error| panic!("{error}"));
    for (y, column) in y.iter_mut().zip(largest(&scores)) {
        *y = classes.label(column).clone();
    }
}

impl<F: Float, L: Label, S: Data<Elem = F>> PredictInplace<ArrayBase<S, Ix2>, Array1<L>>
    for LinearDiscriminant<L>
{
    /// # Panics
    /// When `x` has another number of columns than the model, or another number of rows than `y`.
    fn predict_inplace(&self, x: &ArrayBase<S, Ix2>, y: &mut Array1<L>) {
        predict_into(&self.classes, &self.gaussians, x, y);
    }

    fn default_target(&self, x: &ArrayBase<S, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

impl<F: Float, L: Label, S: Data<Elem = F>> PredictInplace<ArrayBase<S, Ix2>, Array1<L>>
    for QuadraticDiscriminant<L>
{
    /// # Panics
    /// When `x` has another number of columns than the model, or another number of rows than `y`.
    fn predict_inplace(&self, x: &ArrayBase<S, Ix2>, y: &mut Array1<L>) {
        predict_into(&self.classes, &self.gaussians, x, y);
    }

    fn default_target(&self, x: &ArrayBase<S, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for LinearDiscriminantValidParams {
    fn kind() -> String {
        "LinearDiscriminantParams".into()
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored
    for LinearDiscriminant<L>
{
    fn kind() -> String {
        format!("LinearDiscriminant<{}>", crate::stored::type_word::<L>())
    }

    fn validate(&self) -> Result<()> {
        self.classes.validate()?;
        self.gaussians.validate(self.classes.n_classes(), 1)
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for QuadraticDiscriminantValidParams {
    fn kind() -> String {
        "QuadraticDiscriminantParams".into()
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored
    for QuadraticDiscriminant<L>
{
    fn kind() -> String {
        format!("QuadraticDiscriminant<{}>", crate::stored::type_word::<L>())
    }

    fn validate(&self) -> Result<()> {
        self.classes.validate()?;
        self.gaussians.validate(self.classes.n_classes(), self.classes.n_classes())
    }
}

#[cfg(feature = "serde")]
impl Gaussians {
    /// Errors unless there are `k` means and `n_covariances` covariances that fit them, and each factor is its covariance's.
    fn validate(&self, k: usize, n_covariances: usize) -> Result<()> {
        use crate::stored::{hold_finite, hold_len};
        let d = self.means.ncols();
        hold_len("log_priors", self.log_priors.len(), k)?;
        hold_finite("log_priors", &self.log_priors)?;
        hold_len("means", self.means.nrows(), k)?;
        hold_finite("means", &self.means)?;
        hold_len("covariances", self.covariances.len(), n_covariances)?;
        hold_len("factors", self.factors.len(), n_covariances)?;
        for (covariance, factor) in self.covariances.iter().zip(&self.factors) {
            let square = covariance.dim() == (d, d) && factor.factor().dim() == (d, d);
            require(
                square,
                "covariances",
                "square, with a row for each feature",
                format_args!("{:?}", covariance.dim()),
            )?;
            let again = Cholesky::new(covariance.view());
            let same = |again: Cholesky<f64>| {
                let (a, b) = (again.factor(), factor.factor());
                let scale = a.iter().fold(0.0, |scale: f64, v| scale.max(v.abs()));
                a.iter().zip(b).all(|(a, b)| (a - b).abs() <= 1e-6 * scale)
            };
            require(again.is_some_and(same), "factors", "the Cholesky factors of the covariances", "others")?;
        }
        Ok(())
    }
}
