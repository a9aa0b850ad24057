//! How means and covariances are estimated: setters and rules.

use super::{Covariance, Gaussian};
use crate::error::Result;
use crate::float::Float;
use crate::hmm::HmmParams;
use crate::params::{Check, Params, require};

/// How means and covariances are estimated.
///
/// # Example
/// ```
/// use sapwood::{GaussianHmm, hmm::{Covariance, GaussianParams}, linfa::ParamGuard};
///
/// let emission = GaussianParams::default();
/// assert!(GaussianHmm::<f64>::params(2).emission(emission).covariance(Covariance::Tied).check().is_ok());
/// assert!(GaussianHmm::<f64>::params(2).covariance_floor(-1.0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GaussianParams {
    pub(in crate::hmm) covariance: Covariance,
    pub(in crate::hmm) floor: f64,
    pub(in crate::hmm) prior_scale: f64,
    pub(in crate::hmm) prior_weight: f64,
}

impl Default for GaussianParams {
    fn default() -> Self {
        Self { covariance: Covariance::Diagonal, floor: 1e-6, prior_scale: 0.0, prior_weight: 0.0 }
    }
}

impl Check for GaussianParams {
    fn check(&self) -> Result<()> {
        let floor = self.floor;
        require(floor > 0.0 && floor.is_finite(), "covariance_floor", "greater than 0 and finite", floor)?;
        let scale = self.prior_scale;
        require(
            scale >= 0.0 && scale.is_finite(),
            "covariance_prior",
            "a scale of at least 0, finite",
            scale,
        )?;
        let weight = self.prior_weight;
        require(
            weight >= 0.0 && weight.is_finite(),
            "covariance_prior",
            "a weight of at least 0, finite",
            weight,
        )
    }
}

impl<F: Float> Params<HmmParams<Gaussian<F>>> {
    /// Shape of the covariances; default [`Covariance::Diagonal`].
    #[must_use]
    #[doc(alias = "covariance_type")]
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.0.emission.covariance = covariance;
        self
    }

    /// Smallest variance, above 0; default 1e-6, in squared units of the data.
    ///
    /// A variance below it becomes it; a matrix with a pivot below it gets it added to its diagonal. Those states are reported.
    #[must_use]
    #[doc(alias = "min_covar")]
    pub fn covariance_floor(mut self, floor: f64) -> Self {
        self.0.emission.floor = floor;
        self
    }

    /// An inverse Wishart prior: `S = (scale I + sum of squares) / (weight + rows)`; default (0, 0), which is none.
    #[must_use]
    #[doc(alias = "covars_prior")]
    pub fn covariance_prior(mut self, scale: f64, weight: f64) -> Self {
        (self.0.emission.prior_scale, self.0.emission.prior_weight) = (scale, weight);
        self
    }
}
