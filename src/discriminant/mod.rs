//! Classifiers that model each class as a Gaussian: linear and quadratic discriminant analysis.
//!
//! A generative model says how the rows of each class come about, `p(x | c)` and `p(c)`, and classifies by Bayes' rule. With few rows it is often ahead of
//! logistic regression, which models `p(c | x)` alone (Ng & Jordan, "On discriminative vs. generative classifiers", 2001), and it can do what that cannot:
//! draw new rows ([`sample`](Discriminant::sample)) and classify rows of which only some features are known ([`marginal`](Discriminant::marginal)).
//! Naive Bayes: for categories [`CategoricalNb`](crate::CategoricalNb); Gaussian, multinomial and Bernoulli in `linfa-bayes`.

mod fit;
mod gaussians;
mod shrinkage;

use std::fmt::Debug;
use std::marker::PhantomData;

use linfa::dataset::Label;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayBase, ArrayView2, Axis, Data, Ix2};
use rand::Rng;

pub use shrinkage::Shrinkage;

use crate::data::{ClassIndex, table_len};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math;
use crate::params::{Check, Params};
use gaussians::Gaussians;

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
/// `O(n d^2 + d^3)` time and `O(n d / k + d^2)` memory for the fit (the largest class is copied), `O(d^2 k)` for a prediction.
pub type LinearDiscriminant<L> = Discriminant<Shared, L>;

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
/// `O(n d^2 + k d^3)` time and `O(n d / k + k d^2)` memory for the fit, `O(k d^2)` for a prediction.
pub type QuadraticDiscriminant<L> = Discriminant<PerClass, L>;

/// Classes with Gaussian rows; `S` says whether they share one covariance.
///
/// See its two forms, [`LinearDiscriminant`] and [`QuadraticDiscriminant`].
///
/// # Example
/// See the [module](self).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "Stored<L>",
        bound(
            serialize = "L: Label + serde::Serialize",
            deserialize = "S: Covariances, L: Label + serde::Deserialize<'de>"
        )
    )
)]
pub struct Discriminant<S, L> {
    classes: ClassIndex<L>,
    gaussians: Gaussians,
    #[cfg_attr(feature = "serde", serde(skip))]
    covariances: PhantomData<S>,
}

/// One covariance for all classes, so that boundaries are linear.
///
/// # Example
/// See the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shared {}

/// A covariance for each class, so that boundaries are quadratic.
///
/// # Example
/// See the [module](self).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PerClass {}

/// [`Shared`] or [`PerClass`].
///
/// # Example
/// See the [module](self).
pub trait Covariances: Debug + Copy + PartialEq + Send + Sync + 'static + sealed::Sealed {
    /// Whether the classes share one covariance.
    const SHARED: bool;
}

impl Covariances for Shared {
    const SHARED: bool = true;
}

impl Covariances for PerClass {
    const SHARED: bool = false;
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Shared {}
    impl Sealed for super::PerClass {}
}

/// Hyper-parameters of a [`Discriminant`], with their setters.
///
/// # Example
/// See the [module](self).
pub type DiscriminantParams<S> = Params<DiscriminantValidParams<S>>;

/// Checked hyper-parameters of a [`Discriminant`].
///
/// # Example
/// See the [module](self).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(bound = ""))]
pub struct DiscriminantValidParams<S> {
    shrinkage: Shrinkage,
    #[cfg_attr(feature = "serde", serde(skip))]
    covariances: PhantomData<S>,
}

impl Discriminant<Shared, ()> {
    /// Hyper-parameters, all at their defaults: no shrinkage.
    #[must_use]
    pub fn params() -> DiscriminantParams<Shared> {
        Params(DiscriminantValidParams { shrinkage: Shrinkage::None, covariances: PhantomData })
    }
}

impl Discriminant<PerClass, ()> {
    /// Hyper-parameters, all at their defaults: no shrinkage.
    #[must_use]
    pub fn params() -> DiscriminantParams<PerClass> {
        Params(DiscriminantValidParams { shrinkage: Shrinkage::None, covariances: PhantomData })
    }
}

impl<S> DiscriminantParams<S> {
    /// How each class's covariance is shrunk; by default not at all.
    #[doc(alias = "reg_param")]
    #[must_use]
    pub fn shrinkage(mut self, shrinkage: Shrinkage) -> Self {
        self.0.shrinkage = shrinkage;
        self
    }
}

impl<S> Check for DiscriminantValidParams<S> {
    fn check(&self) -> Result<()> {
        self.shrinkage.check()
    }
}

impl<S: Covariances, L: Label> Discriminant<S, L> {
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

    /// Probability of each class for each row, `(n_samples, n_classes)`.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another number of columns than the model; [`Error::NonFinite`]; [`Error::Parameter`] for a row so far from a mean
    /// that the square of their distance is not a number.
    pub fn predict_proba<F: Float, D: Data<Elem = F>>(&self, x: &ArrayBase<D, Ix2>) -> Result<Array2<F>> {
        let mut p = self.gaussians.log_joint(x)?;
        for mut row in p.rows_mut() {
            math::softmax(row.as_slice_mut().expect("rows of a new array lie in memory as they are"));
        }
        Ok(p.mapv(F::cast))
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
        let gaussians = self.gaussians.marginal(features)?;
        Ok(Self { classes: self.classes.clone(), gaussians, covariances: PhantomData })
    }

    /// Draws `n` rows of class `class`, `(n, n_features)`.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown class, and for more rows than there is memory for.
    pub fn sample(&self, class: &L, n: usize, rng: &mut impl Rng) -> Result<Array2<f64>> {
        let Some(c) = self.classes.column(class) else {
            return Err(Error::parameter("class", "among the classes", format_args!("{class:?}")));
        };
        let d = self.gaussians.means.ncols();
        if table_len::<f64>(n, d).is_none() {
            return Err(Error::parameter("n", "few enough rows for memory", n));
        }
        let mut rows = Array2::zeros((n, d));
        for mut row in rows.rows_mut() {
            row.assign(&self.gaussians.draw(c, rng));
        }
        Ok(rows)
    }
}

impl<L: Label> LinearDiscriminant<L> {
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
}

impl<L: Label> QuadraticDiscriminant<L> {
    /// Covariance of each class, `(n_features, n_features)`.
    #[must_use]
    pub fn covariances(&self) -> &[Array2<f64>] {
        &self.gaussians.covariances
    }
}

impl<S: Covariances, F: Float, L: Label, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<L>>
    for Discriminant<S, L>
{
    /// # Panics
    /// Where [`predict_proba`](Discriminant::predict_proba) has an error, and when `y` has another number of rows than `x`.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<L>) {
        assert_eq!(x.nrows(), y.len(), "`y` needs one entry for each row of `x`");
        let scores = self.gaussians.log_joint(x).unwrap_or_else(|error| panic!("{error}"));
        for (y, row) in y.iter_mut().zip(scores.rows()) {
            // The first of equals.
            let best = (1..row.len()).fold(0, |best, c| if row[c] > row[best] { c } else { best });
            *y = self.classes.label(best).clone();
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

/// What a file holds, before it is believed.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "L: Label + serde::Deserialize<'de>"))]
struct Stored<L> {
    classes: ClassIndex<L>,
    gaussians: Gaussians,
}

#[cfg(feature = "serde")]
impl<S: Covariances, L: Label> TryFrom<Stored<L>> for Discriminant<S, L> {
    type Error = Error;

    fn try_from(Stored { classes, gaussians }: Stored<L>) -> Result<Self> {
        let k = classes.n_classes();
        crate::data::check_same_rows("means", gaussians.means.nrows(), k)?;
        let expected = if S::SHARED { 1 } else { k };
        if gaussians.covariances.len() != expected {
            let rule = format!("{expected} entries for {k} classes");
            return Err(Error::shape("covariances", rule, gaussians.covariances.len()));
        }
        Ok(Self { classes, gaussians, covariances: PhantomData })
    }
}

#[cfg(feature = "serde")]
impl<S: Covariances, L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored
    for Discriminant<S, L>
{
    fn kind() -> String {
        let name = if S::SHARED { "LinearDiscriminant" } else { "QuadraticDiscriminant" };
        format!("{name}<{}>", crate::stored::type_word::<L>())
    }
}

#[cfg(feature = "serde")]
impl<S: Covariances> crate::stored::Stored for DiscriminantValidParams<S> {
    fn kind() -> String {
        if S::SHARED { "LinearDiscriminantParams".into() } else { "QuadraticDiscriminantParams".into() }
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}
