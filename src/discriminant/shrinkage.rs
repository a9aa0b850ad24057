//! How covariances are made invertible, or less noisy.

use ndarray::{Array2, ArrayView2};

use crate::error::Result;
use crate::params::{Check, require};

/// How covariances are made invertible, or less noisy.
///
/// # Example
/// ```
/// use sapwood::{LinearDiscriminant, discriminant::Shrinkage, linfa::{Dataset, traits::Fit}, ndarray::array};
///
/// // Fewer rows than columns: without shrinkage the covariance has no inverse.
/// let data = Dataset::new(array![[0.0, 1.0, 0.3], [0.2, 0.8, 0.1], [3.0, 0.0, 0.2], [2.8, 0.3, 0.4]], array![0_usize, 0, 1, 1]);
/// assert!(LinearDiscriminant::params().fit(&data).is_err());
/// let model = LinearDiscriminant::params().shrinkage(Shrinkage::Ball(0.2)).fit(&data)?;
/// assert_eq!(model.classes(), [0, 1]);
/// # Ok::<(), sapwood::Error>(())
/// ```
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

impl Check for Shrinkage {
    fn check(&self) -> Result<()> {
        match *self {
            Self::Ball(s) | Self::Unit(s) => {
                require((0.0..=1.0).contains(&s), "shrinkage", "between 0 and 1", s)
            }
            Self::None | Self::LedoitWolf => Ok(()),
        }
    }
}

impl Shrinkage {
    /// Shrinks the covariance `s` of the rows `centred` on their mean (Ledoit-Wolf alone looks at them).
    pub(super) fn apply(self, s: &mut Array2<f64>, centred: ArrayView2<'_, f64>) {
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
                let z = &centred / &scale;
                let amount = ledoit_wolf(&z);
                let units = Array2::from_shape_fn((d, d), |(i, j)| scale[i] * scale[j]);
                *s /= &units;
                Self::Ball(amount).apply(s, centred);
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
