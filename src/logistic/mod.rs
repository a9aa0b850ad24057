//! Logistic regression: binary and multinomial, dense and sparse, with any penalty or none.
//!
//! See [`LogisticRegression`].

mod chunks;
mod coordinate;
mod curvature;
mod factor;
mod fit;
mod inference;
mod objective;
mod params;
mod path;
mod report;
mod rows;
mod shift;
mod solve;
mod sparse;
mod stochastic;

use linfa::dataset::Label;
use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, ArrayView2, Axis, Data, Ix2};

pub use chunks::{ChunkedFit, PartialLoss};
pub use inference::{Estimate, Inference};
pub use params::{ClassWeight, LogisticRegressionParams, LogisticRegressionValidParams, Solver};
pub use report::{Outcome, Report};

use crate::data::{self, ClassIndex};
use crate::error::Result;
use crate::float::Float;
use crate::kernel::linear::logistic as kernel;
use crate::par;
use rows::Rows;

/// Linear log-odds of the classes, fitted by penalised maximum likelihood.
///
/// Two classes have one logit, that of the class that sorts last; more classes have one logit each. Both go through the same code.
///
/// # Formula
/// ```text
/// F(W, b) = sum_i s_i (log sum_c exp(z_ic) - z_{i y_i}) + alpha ((1 - l1_ratio) / 2 ||W||^2 + l1_ratio ||W||_1)
/// z_ic = w_c x_i + b_c + offset_ic,      P(y_i = c | x_i) = exp(z_ic) / sum_c' exp(z_ic')
/// ```
/// `s_i` is the sample's weight times its class's weight. The objective is scikit-learn's with `C = 1 / alpha`; the intercepts `b` are not penalised.
/// Where the intercepts of more than two classes are free up to a constant, they sum to 0. Without a penalty whole logits are free: then those of the
/// first class are 0, as in statsmodels' `MNLogit`.
///
/// Rows that are not in memory together: [`ChunkedFit`]; on several machines: [`PartialLoss`]. The penalty by cross-validation:
/// [`choose_alpha`](crate::select::choose_alpha). Standard errors: [`fit_inference`](LogisticRegressionParams::fit_inference).
///
/// # Shapes
/// Records `(n_samples, n_features)` of `f32` or `f64` in any layout, dense or [`Csr`](crate::data::Csr); coefficients `(1, n_features)` for two
/// classes, else `(n_classes, n_features)`. Arithmetic is `f64` for both types of records; records that do not lie row after row are copied.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::{Dataset, traits::{Fit, Predict}}, ndarray::array};
///
/// let hours = array![[0.5_f64], [1.0], [1.75], [2.5], [3.0], [4.0], [5.0]];
/// let passed = array!["no", "no", "yes", "no", "yes", "yes", "yes"];
/// let model = LogisticRegression::params().alpha(0.5).fit(&Dataset::new(hours, passed))?;
///
/// assert_eq!(model.classes(), ["no", "yes"]);
/// assert_eq!(model.predict(&array![[0.0], [6.0]]), array!["no", "yes"]);
/// let odds = model.predict_proba(&array![[2.0]])?;
/// assert!((odds.sum() - 1.0).abs() < 1e-15);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// Fits: a parameter that breaks its rule, records that are empty, not finite or larger than `1e100`, targets or weights that do not fit the rows,
/// fewer than two classes, and [`Error::NotConverged`](crate::Error::NotConverged) unless
/// [`require_convergence`](LogisticRegressionParams::require_convergence) is off.
///
/// # Complexity
/// A pass is `O(n d k)`; see [`Solver`] for their number. Memory beyond the records: `O(n + d k)`, and `O(p^2)` for `p` parameters where a Hessian is factored;
/// where rows are sampled, that sample, at most a 16th of the rows or 1024 rows for each parameter. A lasso takes the Hessian of the features that may be in
/// use and at most an eighth of dense records, of sparse ones 12 bytes for each entry of these features.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "Stored<F, L>",
        bound(deserialize = "F: Float + serde::Deserialize<'de>, L: Label + serde::Deserialize<'de>")
    )
)]
pub struct LogisticRegression<F, L> {
    coefficients: Array2<F>,
    intercepts: Array1<F>,
    classes: ClassIndex<L>,
    report: Report,
}

impl<F: Float, L: Label> LogisticRegression<F, L> {
    /// Weights of the features, `(1, n_features)` for two classes, else one row for each class in sorted order.
    #[must_use]
    pub fn coefficients(&self) -> ArrayView2<'_, F> {
        self.coefficients.view()
    }

    /// Intercept of each row of the coefficients.
    #[must_use]
    pub fn intercepts(&self) -> ArrayView1<'_, F> {
        self.intercepts.view()
    }

    /// The classes, sorted; the columns of [`predict_proba`](Self::predict_proba).
    #[must_use]
    pub fn classes(&self) -> &[L] {
        self.classes.classes()
    }

    /// How the fit ended.
    #[must_use]
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Logits of each row, `(n_samples, 1)` for two classes, else `(n_samples, n_classes)`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when `x` has another number of columns than the model; [`Error::NonFinite`](crate::Error::NonFinite).
    pub fn decision_function<S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        data::check_columns("x", x, self.coefficients.ncols())?;
        let x = x.view();
        let slice = data::rows(&x);
        let rows = Rows::Dense { x: &slice, d: x.ncols().max(1) };
        let mut z = Array2::zeros((x.nrows(), self.intercepts.len()));
        self.logits(rows, z.view_mut());
        // What is not finite in a row shows in its logits, also where a coefficient is 0.
        if z.iter().any(|z| !z.is_finite()) {
            data::check_finite("x", &x)?;
        }
        Ok(z)
    }

    /// Probability of each class for each row, `(n_samples, n_classes)`.
    ///
    /// # Errors
    /// Those of [`decision_function`](Self::decision_function).
    pub fn predict_proba<S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Array2<F>> {
        Ok(probabilities(self.decision_function(x)?))
    }

    /// Writes the logits of the rows, block after block.
    fn logits(&self, rows: Rows<'_, F>, mut out: ndarray::ArrayViewMut2<'_, F>) {
        let v = self.packed();
        let m = self.intercepts.len();
        let intercepts: Vec<f64> = self.intercepts.iter().map(|b| b.as_f64()).collect();
        let block = rows.block();
        let blocks = out.axis_chunks_iter_mut(Axis(0), block).collect();
        par::for_each(blocks, |i, mut out| {
            let n = out.nrows();
            let mut z = vec![0.0; m * n];
            rows.margins(i * block..i * block + n, m, &v, &mut z);
            for ((row, c), out) in out.indexed_iter_mut() {
                *out = F::cast(z[c * n + row] + intercepts[c]);
            }
        });
    }

    /// The coefficients as the kernels take them: `(d + 1, lanes)`, the intercepts last.
    fn packed(&self) -> Vec<f64> {
        pack(&self.coefficients.mapv(F::as_f64), &self.intercepts.mapv(F::as_f64))
    }

    /// Column of the most probable class of each row.
    fn best_columns<S: Data<Elem = F>>(&self, x: &ArrayBase<S, Ix2>) -> Result<Vec<usize>> {
        let z = self.decision_function(x)?;
        Ok(z.rows().into_iter().map(best_column).collect())
    }
}

/// Parameters in the layout of the kernels.
fn pack(coefficients: &Array2<f64>, intercepts: &Array1<f64>) -> Vec<f64> {
    let (m, d) = coefficients.dim();
    let lanes = kernel::lanes(m);
    let mut v = vec![0.0; (d + 1) * lanes];
    for ((c, j), w) in coefficients.indexed_iter() {
        v[j * lanes + c] = *w;
    }
    for (c, b) in intercepts.iter().enumerate() {
        v[d * lanes + c] = *b;
    }
    v
}

/// The largest logit, the first of equals; of a single one, its sign.
fn best_column<F: Float>(z: ArrayView1<'_, F>) -> usize {
    if z.len() == 1 {
        return usize::from(z[0] > F::zero());
    }
    (1..z.len()).fold(0, |best, c| if z[c] > z[best] { c } else { best })
}

/// Softmax of each row; a single logit stands beside a 0.
fn probabilities<F: Float>(z: Array2<F>) -> Array2<F> {
    if z.ncols() == 1 {
        return Array2::from_shape_fn((z.nrows(), 2), |(i, c)| {
            crate::math::sigmoid(if c == 0 { -z[[i, 0]] } else { z[[i, 0]] })
        });
    }
    let mut p = z;
    for mut row in p.rows_mut() {
        let row = row.as_slice_mut().expect("rows of a new array lie in memory as they are");
        crate::math::softmax(row);
    }
    p
}

impl<F: Float, L: Label, D: Data<Elem = F>> PredictInplace<ArrayBase<D, Ix2>, Array1<L>>
    for LogisticRegression<F, L>
{
    /// # Panics
    /// When `x` has another number of columns than the model or a value that is not finite, or another number of rows than `y`.
    fn predict_inplace(&self, x: &ArrayBase<D, Ix2>, y: &mut Array1<L>) {
        assert_eq!(x.nrows(), y.len(), "`y` needs one entry for each row of `x`");
        let columns = self.best_columns(x).unwrap_or_else(|error| panic!("{error}"));
        for (y, column) in y.iter_mut().zip(columns) {
            *y = self.classes.label(column).clone();
        }
    }

    fn default_target(&self, x: &ArrayBase<D, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

/// What a file holds, before it is believed.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
#[serde(bound(deserialize = "F: Float + serde::Deserialize<'de>, L: Label + serde::Deserialize<'de>"))]
struct Stored<F, L> {
    coefficients: Array2<F>,
    intercepts: Array1<F>,
    classes: ClassIndex<L>,
    report: Report,
}

#[cfg(feature = "serde")]
impl<F: Float, L: Label> TryFrom<Stored<F, L>> for LogisticRegression<F, L> {
    type Error = crate::Error;

    fn try_from(stored: Stored<F, L>) -> Result<Self> {
        let Stored { coefficients, intercepts, classes, report } = stored;
        let k = classes.n_classes();
        crate::params::require(k >= 2, "classes", "at least two", k)?;
        data::check_not_empty("coefficients", &coefficients)?;
        data::check_finite("coefficients", &coefficients)?;
        data::check_same_rows("coefficients", coefficients.nrows(), if k == 2 { 1 } else { k })?;
        data::check_same_rows("intercepts", intercepts.len(), coefficients.nrows())?;
        if let Some(bad) = intercepts.iter().find(|b| !b.is_finite()) {
            return Err(crate::Error::parameter("intercepts", "finite", bad));
        }
        Ok(Self { coefficients, intercepts, classes, report })
    }
}

#[cfg(feature = "serde")]
impl<F, L> crate::stored::Stored for LogisticRegression<F, L>
where
    F: Float + serde::Serialize + serde::de::DeserializeOwned,
    L: Label + serde::Serialize + serde::de::DeserializeOwned,
{
    fn kind() -> String {
        use crate::stored::type_word;
        format!("LogisticRegression<{}, {}>", type_word::<F>(), type_word::<L>())
    }
}
