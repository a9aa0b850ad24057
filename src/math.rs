//! Small numerical functions that several models share.

use ndarray::{Array1, Array2, ArrayView1, ArrayView2, s};

use crate::float::Float;

/// `log(sum_i exp(x_i))`, without overflow; `-inf` for an empty slice or all `-inf`.
///
/// # Example
/// ```
/// let x = [-1000.0, -1000.0];
/// assert_eq!(sapwood::math::log_sum_exp(&x), -1000.0 + 2_f64.ln());
/// ```
#[must_use]
pub fn log_sum_exp<F: Float>(x: &[F]) -> F {
    let max = x.iter().copied().fold(F::neg_infinity(), F::max);
    if max.is_infinite() {
        return max;
    }
    max + x.iter().map(|&v| (v - max).exp()).sum::<F>().ln()
}

/// Replaces `x` by `exp(x_i) / sum_j exp(x_j)` and returns the log of that sum.
///
/// # Example
/// ```
/// let mut x = [0.0, 3_f64.ln()];
/// sapwood::math::softmax(&mut x);
/// assert!((x[1] - 0.75).abs() < 1e-15);
/// ```
pub fn softmax<F: Float>(x: &mut [F]) -> F {
    let max = x.iter().copied().fold(F::neg_infinity(), F::max);
    let mut sum = F::zero();
    for v in x.iter_mut() {
        *v = (*v - max).exp();
        sum += *v;
    }
    for v in x.iter_mut() {
        *v /= sum;
    }
    max + sum.ln()
}

/// `1 / (1 + exp(-x))`, without overflow and with full relative accuracy for small results.
///
/// # Example
/// ```
/// assert_eq!(sapwood::math::sigmoid(0.0), 0.5);
/// assert_eq!(sapwood::math::sigmoid(-700.0), (-700_f64).exp());
/// ```
#[must_use]
pub fn sigmoid<F: Float>(x: F) -> F {
    let e = (-x.abs()).exp();
    if x >= F::zero() { F::one() / (F::one() + e) } else { e / (F::one() + e) }
}

/// `log(1 + exp(x))`, without overflow.
///
/// # Example
/// ```
/// assert_eq!(sapwood::math::log_1p_exp(1000.0), 1000.0);
/// assert_eq!(sapwood::math::log_1p_exp(-700.0), (-700_f64).exp());
/// ```
#[must_use]
pub fn log_1p_exp<F: Float>(x: F) -> F {
    x.max(F::zero()) + (-x.abs()).exp().ln_1p()
}

/// Moves the rows of `x` by their mean with the weights `w`, and returns it.
///
/// All are moved by the first row before, which is exact where the values of a column lie close to one another: a constant column becomes zeros to the bit, and
/// one far from 0 keeps the digits of its spread. NaN where the weights sum to 0 or there is no row.
///
/// # Panics
/// When `w` has not one entry for each row.
///
/// # Example
/// ```
/// use sapwood::{math::centre, ndarray::{Array1, array}};
///
/// let mut x = array![[0.1, 1e9], [0.1, 1e9 + 1.0], [0.1, 1e9 + 2.0]];
/// assert_eq!(centre(&mut x, Array1::ones(3).view()), array![0.1, 1e9 + 1.0]);
/// assert_eq!(x, array![[0.0, -1.0], [0.0, 0.0], [0.0, 1.0]]);
/// ```
pub fn centre<F: Float>(x: &mut Array2<F>, w: ArrayView1<'_, F>) -> Array1<F> {
    assert_eq!(x.nrows(), w.len(), "`w` needs one entry for each row of `x`");
    let first = match x.rows().into_iter().next() {
        Some(row) => row.to_owned(),
        None => Array1::zeros(x.ncols()),
    };
    *x -= &first;
    let moved = w.dot(x) / w.sum();
    *x -= &moved;
    first + moved
}

/// `ln(gamma(x))` for `x > 0`, to about 15 digits; `ln_gamma(n + 1) = ln(n!)`.
///
/// # Example
/// ```
/// assert!((sapwood::math::ln_gamma(11.0) - 3_628_800_f64.ln()).abs() < 1e-13);
/// ```
///
/// # References
/// C. Lanczos, A precision approximation of the gamma function (1964), with Godfrey's coefficients (g = 7, n = 9).
#[must_use]
#[allow(clippy::excessive_precision, reason = "the published digits")]
pub fn ln_gamma(x: f64) -> f64 {
    const LANCZOS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_13,
        -176.615_029_162_140_59,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_571_6e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        // gamma(x) gamma(1 - x) = pi / sin(pi x)
        return (std::f64::consts::PI / (std::f64::consts::PI * x).sin()).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum =
        LANCZOS.iter().zip(1_u8..).fold(0.999_999_999_999_809_93, |s, (c, i)| s + c / (x + f64::from(i)));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// The upper regularised incomplete gamma function `Q(a, x)`: a chi-squared of `2a` degrees of freedom exceeds `2x`.
///
/// # Example
/// ```
/// // A chi-squared of one degree of freedom exceeds 3.841459 in 5 % of cases.
/// assert!((sapwood::math::upper_gamma(0.5, 3.841459 / 2.0) - 0.05).abs() < 1e-8);
/// ```
///
/// # References
/// Abramowitz and Stegun, Handbook of Mathematical Functions (1964), 6.5.29 and 6.5.31.
#[must_use]
pub fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        // P(a, x) = front * sum_n x^n / (a (a + 1) .. (a + n))
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * f64::EPSILON {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - front * sum).max(0.0);
    }
    // Q(a, x) as a continued fraction, by Lentz's method.
    let mut b = x + 1.0 - a;
    let (mut c, mut d) = (f64::MAX, 1.0 / b);
    let mut h = d;
    for i in 1..100_000_u32 {
        let an = -f64::from(i) * (f64::from(i) - a);
        b += 2.0;
        d = 1.0 / (an * d + b);
        c = b + an / c;
        h *= d * c;
        if (d * c - 1.0).abs() < f64::EPSILON {
            break;
        }
    }
    front * h
}

/// The lower triangle `L` with `L L^T = A`: solves, determinant and whitening of a symmetric positive definite matrix.
///
/// # Example
/// ```
/// use sapwood::{math::Cholesky, ndarray::array};
///
/// let a = array![[4.0, 2.0], [2.0, 5.0]];
/// let cholesky = Cholesky::new(a.view()).expect("positive definite");
/// assert_eq!(cholesky.factor(), array![[2.0, 0.0], [1.0, 2.0]]);
/// assert_eq!(cholesky.solve(array![8.0, 12.0].view()), array![1.0, 2.0]);
/// assert!((cholesky.log_det() - 16_f64.ln()).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cholesky<F> {
    factor: Array2<F>,
}

impl<F: Float> Cholesky<F> {
    /// Factors the lower triangle of `a` in `O(d^3)`; `None` where it is not positive definite in floating point, or holds NaN.
    ///
    /// # Panics
    /// When `a` is not square.
    #[must_use]
    pub fn new(a: ArrayView2<'_, F>) -> Option<Self> {
        let d = a.nrows();
        assert_eq!(d, a.ncols(), "a Cholesky factor needs a square matrix");
        let mut factor = Array2::zeros((d, d));
        for j in 0..d {
            for i in j..d {
                let dot = factor.slice(s![i, ..j]).dot(&factor.slice(s![j, ..j]));
                let rest = a[[i, j]] - dot;
                if i == j {
                    if !(rest > F::zero() && rest.is_finite()) {
                        return None;
                    }
                    factor[[j, j]] = rest.sqrt();
                } else {
                    factor[[i, j]] = rest / factor[[j, j]];
                }
            }
        }
        Some(Self { factor })
    }

    /// `L`, with zeros above the diagonal.
    #[must_use]
    pub fn factor(&self) -> &Array2<F> {
        &self.factor
    }

    /// `log(det(A))`.
    #[must_use]
    pub fn log_det(&self) -> F {
        F::cast(2) * self.factor.diag().iter().map(|&v| v.ln()).sum::<F>()
    }

    /// Whether every pivot is more than the rounding of its variance: of a covariance of rows, whether each feature is more than a sum of others.
    ///
    /// A pivot is what of the variance of a feature is left beside the features before it; less than 512 units in the last place of that variance is taken for
    /// rounding. `variances` is the diagonal of `A`.
    #[must_use]
    pub fn has_full_rank(&self, variances: ArrayView1<'_, F>) -> bool {
        let rounding = F::cast(512) * F::epsilon();
        self.factor.diag().iter().zip(variances).all(|(&l, &variance)| l * l > rounding * variance)
    }

    /// Replaces `b` by `L^-1 b`; the squared norm of the result is the squared Mahalanobis length of `b`.
    ///
    /// # Panics
    /// When `b` has another length than `A` has rows.
    pub fn solve_lower(&self, b: &mut [F]) {
        let d = self.factor.nrows();
        assert_eq!(d, b.len(), "the right side needs as many entries as the matrix has rows");
        for i in 0..d {
            let dot = self.factor.slice(s![i, ..i]).dot(&ArrayView1::from(&b[..i]));
            b[i] = (b[i] - dot) / self.factor[[i, i]];
        }
    }

    /// Replaces `b` by `L^-T b`.
    ///
    /// # Panics
    /// When `b` has another length than `A` has rows.
    pub fn solve_upper(&self, b: &mut [F]) {
        let d = self.factor.nrows();
        assert_eq!(d, b.len(), "the right side needs as many entries as the matrix has rows");
        for i in (0..d).rev() {
            let dot = self.factor.slice(s![i + 1.., i]).dot(&ArrayView1::from(&b[i + 1..]));
            b[i] = (b[i] - dot) / self.factor[[i, i]];
        }
    }

    /// `A^-1 b`.
    ///
    /// # Panics
    /// When `b` has another length than `A` has rows.
    #[must_use]
    pub fn solve(&self, b: ArrayView1<'_, F>) -> Array1<F> {
        let mut x = b.to_vec();
        self.solve_lower(&mut x);
        self.solve_upper(&mut x);
        Array1::from(x)
    }

    /// `A^-1`.
    #[must_use]
    pub fn inverse(&self) -> Array2<F> {
        let d = self.factor.nrows();
        let mut inverse = Array2::eye(d);
        for j in 0..d {
            let column = self.solve(inverse.column(j));
            inverse.column_mut(j).assign(&column);
        }
        inverse
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Axis, array, concatenate};

    #[test]
    fn sums_of_logs_keep_their_digits_at_the_edges() {
        assert_eq!(log_sum_exp::<f64>(&[]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::NEG_INFINITY; 2]), f64::NEG_INFINITY);
        assert_eq!(log_sum_exp(&[f64::INFINITY, 0.0]), f64::INFINITY);
        assert_eq!(log_sum_exp(&[1000.0, f64::NEG_INFINITY]), 1000.0);
        let mut x = [1e308, 1e308, -1e308];
        softmax(&mut x);
        assert_eq!(x, [0.5, 0.5, 0.0]);
    }

    #[test]
    fn sigmoids_of_opposite_arguments_sum_to_one() {
        for x in [0.0, 1e-9, 0.3, 5.0, 40.0, 800.0] {
            assert!((sigmoid(x) + sigmoid(-x) - 1.0_f64).abs() < 1e-15);
            assert!((log_1p_exp(x) - log_1p_exp(-x) - x).abs() <= 1e-15 * x.max(1.0));
        }
    }

    #[test]
    fn the_weighted_mean_of_what_is_centred_is_zero() {
        let mut x = array![[3.0, -1.0], [5.0, 7.0], [9.0, 8.0]];
        let w = array![1.0, 2.0, 1.0];
        assert_eq!(centre(&mut x, w.view()), array![5.5, 5.25]);
        assert_eq!(w.dot(&x), array![0.0, 0.0]);
        assert!(centre(&mut Array2::<f64>::zeros((0, 2)), array![].view()).iter().all(|v| v.is_nan()));
    }

    #[test]
    fn indefinite_and_nan_matrices_have_no_factor() {
        assert!(Cholesky::new(array![[1.0, 2.0], [2.0, 1.0]].view()).is_none());
        assert!(Cholesky::new(array![[f64::NAN]].view()).is_none());
        assert!(Cholesky::new(array![[0.0]].view()).is_none());
    }

    #[test]
    fn a_sum_of_other_features_leaves_no_full_rank() {
        let a = array![[0.1, 0.3], [0.7, 0.2], [0.4, 0.9], [0.5, 0.8]];
        let sum = a.sum_axis(Axis(1)).insert_axis(Axis(1));
        let mut x = concatenate![Axis(1), a, sum];
        centre(&mut x, Array1::ones(4).view());
        let of = |x: ArrayView2<'_, f64>| {
            let covariance = x.t().dot(&x);
            Cholesky::new(covariance.view()).is_some_and(|l| l.has_full_rank(covariance.diag()))
        };
        assert!(of(x.slice(s![.., ..2])) && of(x.slice(s![.., 1..])));
        assert!(!of(x.view()));
    }

    #[test]
    fn the_inverse_times_the_matrix_is_the_identity() {
        let a = array![[4.0, 2.0, 0.6], [2.0, 5.0, 1.5], [0.6, 1.5, 3.0]];
        let product = a.dot(&Cholesky::new(a.view()).unwrap().inverse());
        assert!((product - Array2::<f64>::eye(3)).iter().all(|v| v.abs() < 1e-14));
    }
}
