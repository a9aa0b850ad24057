//! A mixture of Gaussians in each state.

use ndarray::{Array2, ArrayView2, Axis};
use rand::{Rng, RngCore};

use super::emission::{Emission, Start};
use super::gaussian::{
    Covariance, Gaussian, GaussianParams, GaussianSums, check_measurements, overall_variances, start_means,
};
use super::{check_rows, draw, draw_normal};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::softmax;
use crate::params::{Check, Params, require};

/// A mixture of normal distributions in each state.
///
/// Component `m` of state `j` is component `j * n_components + m` of [`components`](Self::components). A row that is NaN in every feature is missing.
///
/// # Formula
/// `p(x | state j) = sum_m weight_jm N(x; m_jm, S_jm)`
///
/// # Example
/// ```
/// use sapwood::{hmm::{Gaussian, GaussianMixture}, ndarray::array};
///
/// // One state with two modes; its components stand one after the other.
/// let components = Gaussian::diagonal(array![[-2.0], [2.0]].view(), array![[1.0], [1.0]].view())?;
/// let state = GaussianMixture::new(array![[0.3, 0.7]].view(), components)?;
/// assert_eq!(state.weights(), &array![[0.3, 0.7]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Mixture<F>", bound(deserialize = "F: Float + serde::Deserialize<'de>"))
)]
pub struct GaussianMixture<F> {
    /// `(n_states, n_components)`.
    weights: Array2<F>,
    components: Gaussian<F>,
}

/// How mixtures are estimated.
///
/// # Example
/// ```
/// use sapwood::{GaussianMixtureHmm, linfa::ParamGuard};
///
/// assert!(GaussianMixtureHmm::<f64>::params(2).n_components(3).check().is_ok());
/// assert!(GaussianMixtureHmm::<f64>::params(2).n_components(0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GaussianMixtureParams {
    n_components: usize,
    gaussian: GaussianParams,
}

impl Default for GaussianMixtureParams {
    fn default() -> Self {
        Self { n_components: 2, gaussian: GaussianParams::default() }
    }
}

impl Check for GaussianMixtureParams {
    fn check(&self) -> Result<()> {
        require(self.n_components > 0, "n_components", "at least 1", self.n_components)?;
        self.gaussian.check()
    }
}

impl<F: Float> Params<super::HmmParams<GaussianMixture<F>>> {
    /// Components of each state's mixture, at least 1; default 2.
    #[must_use]
    #[doc(alias = "n_mix")]
    pub fn n_components(mut self, n_components: usize) -> Self {
        self.0.emission.n_components = n_components;
        self
    }

    /// Shape of the covariances; default [`Covariance::Diagonal`]. Tied is one matrix for all components of all states.
    #[must_use]
    #[doc(alias = "covariance_type")]
    pub fn covariance(mut self, covariance: Covariance) -> Self {
        self.0.emission.gaussian.covariance = covariance;
        self
    }

    /// Smallest variance, above 0; default 1e-6, in squared units of the data.
    #[must_use]
    #[doc(alias = "min_covar")]
    pub fn covariance_floor(mut self, floor: f64) -> Self {
        self.0.emission.gaussian.floor = floor;
        self
    }

    /// An inverse Wishart prior: `S = (scale I + sum of squares) / (weight + rows)`; default (0, 0), which is none.
    #[must_use]
    #[doc(alias = "covars_prior")]
    pub fn covariance_prior(mut self, scale: f64, weight: f64) -> Self {
        (self.0.emission.gaussian.prior_scale, self.0.emission.gaussian.prior_weight) = (scale, weight);
        self
    }
}

impl<F: Float> GaussianMixture<F> {
    /// The emission with `weights[[state, component]]` over the states of `components`, which hold those of state 0 first.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is a component for each weight; [`Error::Parameter`] when a weight is negative or NaN, or a row does not sum to 1.
    pub fn new(weights: ArrayView2<'_, F>, components: Gaussian<F>) -> Result<Self> {
        crate::data::check_not_empty("weights", &weights)?;
        check_rows("weights", weights)?;
        if components.n_states() != weights.len() {
            let rule = format!("one component for each of the {} weights", weights.len());
            return Err(Error::shape("components", rule, components.n_states()));
        }
        Ok(Self { weights: weights.as_standard_layout().into_owned(), components })
    }

    /// The weights, `(n_states, n_components)`.
    #[must_use]
    pub fn weights(&self) -> &Array2<F> {
        &self.weights
    }

    /// The components of all states.
    #[must_use]
    pub fn components(&self) -> &Gaussian<F> {
        &self.components
    }

    /// `log weight + log density` of every component, `(n, n_states * n_components)`, and the scratch memory that is left.
    fn logs<'s>(&self, x: &[F], scratch: &'s mut Vec<F>) -> (&'s mut [F], &'s mut [F]) {
        let size = x.len() / self.n_features() * self.weights.len();
        let room = self.components.density_room(x.len()).max(self.components.sums_room(x.len()));
        scratch.resize(size + room, F::zero());
        let (logs, rest) = scratch.split_at_mut(size);
        self.components.log_densities(x, logs, rest);
        for row in logs.chunks_exact_mut(self.weights.len()) {
            row.iter_mut().zip(&self.weights).for_each(|(log, weight)| *log += weight.ln());
        }
        (logs, rest)
    }
}

impl<F: Float> Emission for GaussianMixture<F> {
    type Float = F;
    type Elem = F;
    type Params = GaussianMixtureParams;
    type Sums = GaussianSums<F>;

    fn n_states(&self) -> usize {
        self.weights.nrows()
    }

    fn n_features(&self) -> usize {
        self.components.n_features()
    }

    fn n_parameters(&self) -> usize {
        self.components.n_parameters() + self.weights.nrows() * (self.weights.ncols() - 1)
    }

    fn check(&self, x: &[F]) -> Result<()> {
        check_measurements(x, self.n_features())
    }

    fn log_likelihoods(&self, x: &[F], log_b: &mut [F], scratch: &mut Vec<F>) {
        let (logs, _) = self.logs(x, scratch);
        for (out, logs) in log_b.iter_mut().zip(logs.chunks_exact(self.weights.ncols())) {
            *out = crate::math::log_sum_exp(logs);
        }
        // Weights may sum to 1 only within rounding; a missing row is exactly nothing.
        let k = self.n_states();
        for (row, out) in x.chunks_exact(self.n_features()).zip(log_b.chunks_exact_mut(k)) {
            if row[0].is_nan() {
                out.fill(F::zero());
            }
        }
    }

    fn sums(&self) -> GaussianSums<F> {
        self.components.sums()
    }

    fn accumulate(&self, x: &[F], gamma: &[F], sums: &mut GaussianSums<F>, scratch: &mut Vec<F>) {
        let (shares, rest) = self.logs(x, scratch);
        for (shares, &gamma) in shares.chunks_exact_mut(self.weights.ncols()).zip(gamma) {
            if gamma == F::zero() {
                shares.fill(F::zero());
                continue;
            }
            softmax(shares);
            shares.iter_mut().for_each(|share| *share *= gamma);
        }
        self.components.add_weighted(x, shares, sums, rest);
    }

    fn merge(sums: &mut GaussianSums<F>, other: &GaussianSums<F>, weight: f64) {
        Gaussian::merge(sums, other, weight);
    }

    fn maximize(&mut self, sums: &GaussianSums<F>, params: &GaussianMixtureParams) -> Vec<usize> {
        let m = self.weights.ncols();
        for (mut weights, sums) in self.weights.rows_mut().into_iter().zip(sums.weights.chunks_exact(m)) {
            let all: f64 = sums.iter().sum();
            if all > 0.0 {
                weights.iter_mut().zip(sums).for_each(|(w, sum)| *w = F::cast(sum / all));
            }
        }
        let mut floored = self.components.maximize(sums, &params.gaussian);
        floored.iter_mut().for_each(|component| *component /= m);
        floored.dedup();
        floored
    }

    fn log_prior(&self, params: &GaussianMixtureParams) -> f64 {
        self.components.log_prior(&params.gaussian)
    }

    fn draw(&self, state: usize, out: &mut [F], rng: &mut dyn RngCore) {
        let component = draw(self.weights.row(state).iter().map(|w| w.as_f64()), rng);
        self.components.draw(state * self.weights.ncols() + component, out, rng);
    }

    fn means(&self) -> Option<Array2<F>> {
        let (k, m) = self.weights.dim();
        let means = self.components.means();
        Some(Array2::from_shape_fn((k, self.n_features()), |(state, i)| {
            (0..m).map(|c| self.weights[[state, c]] * means[[state * m + c, i]]).sum()
        }))
    }

    fn fits(&self, sums: &GaussianSums<F>) -> bool {
        self.components.fits(sums)
    }

    /// Clusters or random rows for the states; around each, its components a random deviation apart.
    fn start(
        x: &[F],
        d: usize,
        n_states: usize,
        params: &GaussianMixtureParams,
        start: Start,
        rng: &mut dyn RngCore,
    ) -> Result<(Self, Option<Vec<usize>>)> {
        let m = params.n_components;
        let variances = overall_variances(x, d)?;
        let (centres, labels) = start_means(x, d, n_states, start, rng)?;
        let size = n_states.checked_mul(m).filter(|&size| size <= 1 << 20);
        let size = size.ok_or_else(|| Error::parameter("n_components", "at most 2^20 over all states", m))?;
        let means = Array2::from_shape_fn((size, d), |(at, i)| {
            let away = F::cast(rng.gen_range(0.5..1.0) * draw_normal(rng));
            centres[[at / m, i]] + if m == 1 { F::zero() } else { away * variances[i].sqrt() * F::cast(0.5) }
        });
        let floor = F::cast(params.gaussian.floor);
        let variances = variances.mapv(|v| v.max(floor));
        let components = match params.gaussian.covariance {
            Covariance::Spherical => {
                let mean = variances.mean().unwrap_or(F::one());
                Gaussian::spherical(means.view(), ndarray::Array1::from_elem(size, mean).view())
            }
            Covariance::Diagonal => {
                let rows = Array2::from_shape_fn((size, d), |(_, i)| variances[i]);
                Gaussian::diagonal(means.view(), rows.view())
            }
            Covariance::Full => {
                let all = ndarray::Array3::from_shape_fn((size, d, d), |(_, i, j)| {
                    if i == j { variances[i] } else { F::zero() }
                });
                Gaussian::full(means.view(), all.view())
            }
            Covariance::Tied => Gaussian::tied(means.view(), Array2::from_diag(&variances).view()),
        }?;
        let weights = Array2::from_elem((n_states, m), F::one() / F::cast(m));
        Ok((Self { weights, components }, labels))
    }

    fn sort_key(&self, state: usize) -> f64 {
        let m = self.weights.ncols();
        let of = |c: usize| self.weights[[state, c]].as_f64() * self.components.sort_key(state * m + c);
        (0..m).map(of).sum()
    }

    fn reordered(&self, order: &[usize]) -> Option<Self> {
        let m = self.weights.ncols();
        let components: Vec<usize> = order.iter().flat_map(|&i| i * m..(i + 1) * m).collect();
        Some(Self {
            weights: self.weights.select(Axis(0), order),
            components: self.components.reordered(&components)?,
        })
    }
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use ndarray::Array2;

    use super::{Gaussian, GaussianMixture};
    use crate::error::{Error, Result};
    use crate::float::Float;

    #[derive(serde::Deserialize)]
    #[serde(bound(deserialize = "F: Float + serde::Deserialize<'de>"))]
    pub(super) struct Mixture<F> {
        weights: Array2<F>,
        components: Gaussian<F>,
    }

    impl<F: Float> TryFrom<Mixture<F>> for GaussianMixture<F> {
        type Error = Error;

        fn try_from(Mixture { weights, components }: Mixture<F>) -> Result<Self> {
            Self::new(weights.view(), components)
        }
    }
}

#[cfg(feature = "serde")]
impl<F: Float + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for GaussianMixture<F> {
    fn kind() -> String {
        format!("GaussianMixture<{}>", crate::stored::type_word::<F>())
    }
}
