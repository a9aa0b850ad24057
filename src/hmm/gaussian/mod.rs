//! Measurements with a normal distribution in each state.

mod emission;
mod params;
mod start;
mod sums;

pub use params::GaussianParams;
pub(super) use start::{overall_variances, start_means};
pub use sums::GaussianSums;

use ndarray::{Array1, Array2, Array3, ArrayView1, ArrayView2, ArrayView3};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::Cholesky;

/// The shape of a state's covariance.
///
/// # Example
/// ```
/// use sapwood::{GaussianHmm, data::Sequences, hmm::Covariance, linfa::DatasetBase, linfa::traits::Fit, ndarray::Array2};
///
/// let x = Array2::from_shape_fn((40, 2), |(i, j)| (i / 20 * 9) as f64 + ((i * (j + 3)) % 7) as f64);
/// let data = DatasetBase::new(Sequences::single(x)?, ());
/// let parameters = |shape| Ok::<_, sapwood::Error>(GaussianHmm::params(2).covariance(shape).fit(&data)?.n_parameters());
/// // 1 + 2 for the chain, 4 means; then the covariances.
/// assert_eq!(parameters(Covariance::Spherical)?, 7 + 2);
/// assert_eq!(parameters(Covariance::Full)?, 7 + 2 * 3);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Covariance {
    /// One variance for all features of a state.
    Spherical,
    /// A variance for each feature of a state.
    #[default]
    Diagonal,
    /// A full matrix for each state.
    Full,
    /// One full matrix for all states.
    Tied,
}

impl Covariance {
    pub(super) fn is_diagonal(self) -> bool {
        matches!(self, Self::Spherical | Self::Diagonal)
    }
}

/// A normal distribution with a mean and a covariance of its own in each state.
///
/// A row that is NaN in every feature is a missing observation; one that is NaN in some is an error.
///
/// # Formula
/// `log p(x | state j) = -1/2 (d ln 2 pi + ln det S_j + (x - m_j)^T S_j^-1 (x - m_j))`
///
/// # Example
/// ```
/// use sapwood::{hmm::{Covariance, Gaussian}, ndarray::array};
///
/// let states = Gaussian::diagonal(array![[0.0, 0.0], [3.0, 1.0]].view(), array![[1.0, 1.0], [0.5, 2.0]].view())?;
/// assert_eq!(states.covariance(), Covariance::Diagonal);
/// assert!(Gaussian::diagonal(array![[0.0]].view(), array![[-1.0]].view()).is_err());
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Gaussian<F>", bound(deserialize = "F: Float + serde::Deserialize<'de>"))
)]
pub struct Gaussian<F> {
    covariance: Covariance,
    /// `(n_states, n_features)`.
    means: Array2<F>,
    /// For each state its `d` variances, or the `d x d` entries of its matrix.
    spreads: Array2<F>,
    /// For each state the lower triangle `W` with `W S W^T = I`, laid out as its spread: 1 / deviation on a diagonal.
    #[cfg_attr(feature = "serde", serde(skip))]
    whiteners: Array2<F>,
    /// For each state the log-density at its mean.
    #[cfg_attr(feature = "serde", serde(skip))]
    log_peaks: Array1<F>,
}

impl<F: Float> Gaussian<F> {
    /// The emission with one variance for each state.
    ///
    /// # Errors
    /// [`Error::Shape`] when sizes differ or are 0; [`Error::NonFinite`] in the means; [`Error::Parameter`] unless every variance is above 0 and finite.
    pub fn spherical(means: ArrayView2<'_, F>, variances: ArrayView1<'_, F>) -> Result<Self> {
        crate::data::check_same_rows("variances", variances.len(), means.nrows())?;
        let spreads = Array2::from_shape_fn(means.dim(), |(state, _)| variances[state]);
        Self::new(Covariance::Spherical, means, spreads)
    }

    /// The emission with `variances[[state, feature]]`.
    ///
    /// # Errors
    /// Those of [`spherical`](Self::spherical).
    pub fn diagonal(means: ArrayView2<'_, F>, variances: ArrayView2<'_, F>) -> Result<Self> {
        if variances.dim() != means.dim() {
            let rule = format!("the shape of the means, {:?}", means.dim());
            return Err(Error::shape("variances", rule, format_args!("{:?}", variances.dim())));
        }
        Self::new(Covariance::Diagonal, means, variances.to_owned())
    }

    /// The emission with `covariances[[state, .., ..]]`, of which the lower triangles are read.
    ///
    /// # Errors
    /// Those of [`spherical`](Self::spherical); [`Error::Parameter`] unless every matrix is positive definite.
    pub fn full(means: ArrayView2<'_, F>, covariances: ArrayView3<'_, F>) -> Result<Self> {
        let (k, d) = means.dim();
        if covariances.dim() != (k, d, d) {
            let rule = format!("the shape {:?}", (k, d, d));
            return Err(Error::shape("covariances", rule, format_args!("{:?}", covariances.dim())));
        }
        let flat = covariances.iter().copied().collect();
        Self::new(Covariance::Full, means, Array2::from_shape_vec((k, d * d), flat).unwrap_or_default())
    }

    /// The emission with one covariance for all states.
    ///
    /// # Errors
    /// Those of [`full`](Self::full).
    pub fn tied(means: ArrayView2<'_, F>, covariance: ArrayView2<'_, F>) -> Result<Self> {
        let (k, d) = means.dim();
        if covariance.dim() != (d, d) {
            let rule = format!("the shape {:?}", (d, d));
            return Err(Error::shape("covariance", rule, format_args!("{:?}", covariance.dim())));
        }
        let flat: Vec<F> = covariance.iter().copied().collect();
        Self::new(Covariance::Tied, means, Array2::from_shape_fn((k, d * d), |(_, at)| flat[at]))
    }

    fn new(covariance: Covariance, means: ArrayView2<'_, F>, spreads: Array2<F>) -> Result<Self> {
        crate::data::check_not_empty("means", &means)?;
        crate::data::check_finite("means", &means)?;
        let mut gaussian = Self::unwhitened(covariance, means.as_standard_layout().into_owned(), spreads);
        match (0..means.nrows()).find(|&state| !gaussian.whiten(state)) {
            None => Ok(gaussian),
            Some(state) => {
                let value = format_args!("{:?} for state {state}", gaussian.spreads.row(state).to_vec());
                Err(Error::parameter("covariance", "positive definite and finite", value))
            }
        }
    }

    fn unwhitened(covariance: Covariance, means: Array2<F>, spreads: Array2<F>) -> Self {
        let whiteners = Array2::zeros(spreads.dim());
        let log_peaks = Array1::zeros(means.nrows());
        Self { covariance, means, spreads, whiteners, log_peaks }
    }

    /// Brings whitener and peak of a state up to date; false where its spread is not positive definite.
    fn whiten(&mut self, state: usize) -> bool {
        let d = self.means.ncols();
        let (spread, mut whitener) = (self.spreads.row(state), self.whiteners.row_mut(state));
        let log_det = if self.covariance.is_diagonal() {
            if !spread.iter().all(|&v| v > F::zero() && v.is_finite()) {
                return false;
            }
            whitener.zip_mut_with(&spread, |w, v| *w = F::one() / v.sqrt());
            spread.iter().map(|v| v.ln()).sum::<F>()
        } else {
            let Some(cholesky) = self.cholesky(state, F::zero()) else { return false };
            let mut unit = vec![F::zero(); d];
            for j in 0..d {
                unit.fill(F::zero());
                unit[j] = F::one();
                cholesky.solve_lower(&mut unit);
                let whitener = self.whiteners.row_mut(state).into_slice();
                let Some(whitener) = whitener else { return false };
                (0..d).for_each(|i| whitener[i * d + j] = unit[i]);
            }
            cholesky.log_det()
        };
        self.log_peaks[state] =
            F::cast(-0.5) * (F::cast(d) * F::cast(2.0 * std::f64::consts::PI).ln() + log_det);
        self.log_peaks[state].is_finite()
    }

    /// The factor of a state's matrix with `raised` added to the diagonal.
    fn cholesky(&self, state: usize, raised: F) -> Option<Cholesky<F>> {
        let d = self.means.ncols();
        let mut matrix = Array2::from_shape_vec((d, d), self.spreads.row(state).to_vec()).ok()?;
        matrix.diag_mut().mapv_inplace(|v| v + raised);
        Cholesky::new(matrix.view())
    }

    /// Lifts the spread of a state to the floor and whitens it; true where that was needed.
    fn lift(&mut self, state: usize, floor: F) -> bool {
        let d = self.means.ncols();
        if self.covariance.is_diagonal() {
            let low = self.spreads.row(state).iter().any(|&v| v.is_nan() || v < floor);
            self.spreads.row_mut(state).mapv_inplace(|v| v.max(floor));
            self.whiten(state);
            return low;
        }
        let pivots_hold = |cholesky: Cholesky<F>| cholesky.factor().diag().iter().all(|&l| l * l >= floor);
        // Rounding can leave a matrix a hair outside of positive; doubling what is added ends that.
        let mut raise = floor;
        let mut low = false;
        while raise.is_finite() && !self.cholesky(state, F::zero()).is_some_and(pivots_hold) {
            (0..d).for_each(|i| self.spreads[[state, i * d + i]] += raise);
            raise += raise;
            low = true;
        }
        self.whiten(state);
        low
    }

    /// The means, `(n_states, n_features)`.
    #[must_use]
    pub fn means(&self) -> &Array2<F> {
        &self.means
    }

    /// The shape of the covariances.
    #[must_use]
    pub fn covariance(&self) -> Covariance {
        self.covariance
    }

    /// The covariances as full matrices, `(n_states, n_features, n_features)`.
    #[must_use]
    pub fn covariances(&self) -> Array3<F> {
        let (k, d) = self.means.dim();
        Array3::from_shape_fn((k, d, d), |(state, i, j)| match self.covariance.is_diagonal() {
            true if i == j => self.spreads[[state, i]],
            true => F::zero(),
            // The upper triangle is a mirror: only the lower one is computed.
            false => self.spreads[[state, i.max(j) * d + i.min(j)]],
        })
    }
}

fn is_missing<F: Float>(row: &[F]) -> bool {
    row.iter().all(|v| v.is_nan())
}

/// Measurements are finite, or NaN in the whole row.
pub(super) fn check_measurements<F: Float>(x: &[F], d: usize) -> Result<()> {
    for (row, values) in x.chunks_exact(d).enumerate() {
        if let Some(column) = values.iter().position(|v| !v.is_finite()).filter(|_| !is_missing(values)) {
            let value = values[column].as_f64();
            return Err(Error::NonFinite { name: "records", row, column, value });
        }
    }
    Ok(())
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use ndarray::Array2;

    use super::{Covariance, GaussianSums};
    use crate::error::{Error, Result};
    use crate::float::Float;

    #[derive(serde::Deserialize)]
    pub(super) struct Gaussian<F> {
        covariance: Covariance,
        means: Array2<F>,
        spreads: Array2<F>,
    }

    impl<F: Float> TryFrom<Gaussian<F>> for super::Gaussian<F> {
        type Error = Error;

        fn try_from(Gaussian { covariance, means, spreads }: Gaussian<F>) -> Result<Self> {
            let (k, d) = means.dim();
            let width = if covariance.is_diagonal() { Some(d) } else { d.checked_mul(d) };
            if spreads.nrows() != k || Some(spreads.ncols()) != width {
                let rule = format!("a {covariance:?} one for each of {k} states and {d} features");
                return Err(Error::shape("spreads", rule, format_args!("{:?}", spreads.dim())));
            }
            Self::new(covariance, means.view(), spreads.as_standard_layout().into_owned())
        }
    }

    #[derive(serde::Deserialize)]
    pub(super) struct Sums<F> {
        weights: Vec<f64>,
        origins: Array2<F>,
        first: Array2<f64>,
        second: Array2<f64>,
    }

    impl<F: Float> TryFrom<Sums<F>> for GaussianSums<F> {
        type Error = Error;

        fn try_from(Sums { weights, origins, first, second }: Sums<F>) -> Result<Self> {
            let (k, d) = first.dim();
            let (rows, columns) = second.dim();
            let widths = columns == d || Some(columns) == d.checked_mul(d);
            if weights.len() != k || origins.dim() != (k, d) || rows != k || !widths {
                let value = format_args!("{}, {:?} and {rows} x {columns}", weights.len(), origins.dim());
                return Err(Error::shape("sums", format!("those of {k} states and {d} features"), value));
            }
            Ok(Self { weights, origins, first, second })
        }
    }
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for Gaussian<F> {
    fn kind() -> String {
        format!("Gaussian<{}>", crate::stored::type_word::<F>())
    }
}
