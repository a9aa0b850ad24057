//! A Gaussian for each class: densities, margins and draws.

use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};
use rand::Rng;

use crate::data;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::Cholesky;
#[cfg(feature = "serde")]
use crate::params::require;

/// A Gaussian for each class; one covariance for all, or one each.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "Stored"))]
pub(super) struct Gaussians {
    pub(super) log_priors: Array1<f64>,
    /// `(k, d)`.
    pub(super) means: Array2<f64>,
    pub(super) covariances: Vec<Array2<f64>>,
    /// Of each covariance; found again where a model is read from a file.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(super) factors: Vec<Cholesky<f64>>,
}

impl Gaussians {
    pub(super) fn new(
        log_priors: Array1<f64>,
        means: Array2<f64>,
        covariances: Vec<Array2<f64>>,
    ) -> Result<Self> {
        let singular = || {
            let rule = "large enough to make every covariance invertible";
            let got = "too little for features that depend on one another, or for too few rows";
            Error::parameter("shrinkage", rule, got)
        };
        let factor = |covariance: &Array2<f64>| {
            let factor = Cholesky::new(covariance.view());
            factor.filter(|factor| factor.has_full_rank(covariance.diag())).ok_or_else(singular)
        };
        let factors = covariances.iter().map(factor).collect::<Result<_>>()?;
        Ok(Self { log_priors, means, covariances, factors })
    }

    /// The factor that class `c` has, or shares.
    fn factor(&self, c: usize) -> &Cholesky<f64> {
        &self.factors[c.min(self.factors.len() - 1)]
    }

    /// `log p(x_i, c)`, up to a constant, `(n, k)`; all finite.
    pub(super) fn log_joint<F: Float, S: Data<Elem = F>>(
        &self,
        x: &ArrayBase<S, Ix2>,
    ) -> Result<Array2<f64>> {
        data::check_columns("x", x, self.means.ncols())?;
        let mut out = Array2::zeros((x.nrows(), self.means.nrows()));
        let mut difference = vec![0.0; self.means.ncols()];
        for (c, mean) in self.means.rows().into_iter().enumerate() {
            let factor = self.factor(c);
            let constant = self.log_priors[c] - 0.5 * factor.log_det();
            for (x, out) in x.rows().into_iter().zip(out.column_mut(c)) {
                for ((difference, x), mean) in difference.iter_mut().zip(x).zip(mean) {
                    *difference = x.as_f64() - mean;
                }
                factor.solve_lower(&mut difference);
                *out = constant - 0.5 * difference.iter().map(|v| v * v).sum::<f64>();
            }
        }
        if let Some(((row, _), _)) = out.indexed_iter().find(|(_, score)| !score.is_finite()) {
            data::check_finite("x", x)?;
            let rule = "near enough to the means for the square of a distance to be a number";
            return Err(Error::parameter("x", rule, format_args!("row {row}")));
        }
        Ok(out)
    }

    /// The Gaussians of some of the features.
    pub(super) fn marginal(&self, features: &[usize]) -> Result<Self> {
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
    pub(super) fn draw(&self, c: usize, rng: &mut impl Rng) -> Array1<f64> {
        let e = Array1::from_shape_simple_fn(self.means.ncols(), || {
            let (u, v): (f64, f64) = (1.0 - rng.r#gen::<f64>(), rng.r#gen());
            (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
        });
        self.factor(c).factor().dot(&e) + self.means.row(c)
    }
}

/// What a file holds, before it is believed.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored {
    log_priors: Array1<f64>,
    means: Array2<f64>,
    covariances: Vec<Array2<f64>>,
}

#[cfg(feature = "serde")]
impl TryFrom<Stored> for Gaussians {
    type Error = Error;

    fn try_from(Stored { log_priors, means, covariances }: Stored) -> Result<Self> {
        let (k, d) = means.dim();
        data::check_not_empty("means", &means)?;
        data::check_finite("means", &means)?;
        data::check_same_rows("log_priors", log_priors.len(), k)?;
        let sum: f64 = log_priors.iter().map(|p| p.exp()).sum();
        let is_one = (sum - 1.0).abs() <= 1e-6;
        require(is_one, "log_priors", "logarithms of probabilities that sum to 1", sum)?;
        if covariances.len() != 1 && covariances.len() != k {
            let rule = format!("one entry for all classes or for each of the {k}");
            return Err(Error::shape("covariances", rule, covariances.len()));
        }
        for s in &covariances {
            if s.dim() != (d, d) {
                let got = format_args!("{} x {}", s.nrows(), s.ncols()).to_string();
                return Err(Error::shape("covariances", format!("{d} rows and columns"), got));
            }
            data::check_finite("covariances", s)?;
            if let Some(((i, j), _)) = s.indexed_iter().find(|&((i, j), v)| *v != s[[j, i]]) {
                let got = format_args!("others in row {i}, column {j}").to_string();
                return Err(Error::shape("covariances", "equal entries on both sides of the diagonal", got));
            }
        }
        Self::new(log_priors, means, covariances)
    }
}
