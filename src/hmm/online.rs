//! One observation at a time: filtering, and smoothing with a fixed delay.

use ndarray::{Array1, ArrayView1};

use super::{Emission, Hmm};
use crate::error::{Error, Result};
use crate::float::Float;

/// A filter that takes one observation at a time and allocates nothing for it.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::array};
///
/// let emission = Categorical::new(array![[0.9, 0.1], [0.2, 0.8]].view())?;
/// let model = CategoricalHmm::new(array![0.5, 0.5], array![[0.7, 0.3], [0.3, 0.7]], emission)?;
/// let mut filter = model.online();
/// for symbol in [0, 0, 1] {
///     filter.step(&[symbol])?;
/// }
/// let all = model.filter(&Sequences::single(array![[0], [0], [1]])?)?;
/// assert!((filter.probabilities()[0] - all[[2, 0]]).abs() < 1e-15);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct OnlineFilter<'a, E: Emission> {
    model: (&'a Array1<E::Float>, &'a ndarray::Array2<E::Float>, &'a E),
    /// `p(z_t | x_1 .. x_t)`.
    alpha: Vec<E::Float>,
    /// `p(z_(t + 1) | x_1 .. x_t)`.
    next: Vec<E::Float>,
    log_b: Vec<E::Float>,
    scratch: Vec<E::Float>,
    log_likelihood: f64,
    n_steps: u64,
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// A filter before its first observation.
    #[must_use]
    pub fn online(&self) -> OnlineFilter<'_, E> {
        let zeros = vec![F::zero(); self.n_states()];
        OnlineFilter {
            model: (&self.initial, &self.transition, &self.emission),
            alpha: zeros.clone(),
            next: self.initial.to_vec(),
            log_b: zeros,
            scratch: Vec::new(),
            log_likelihood: 0.0,
            n_steps: 0,
        }
    }

    /// A smoother that answers `lag` observations later, before its first observation.
    ///
    /// # Errors
    /// [`Error::Parameter`] where `lag * n_states` numbers are too many.
    pub fn fixed_lag(&self, lag: usize) -> Result<FixedLag<'_, E>> {
        let size = lag.checked_add(1).and_then(|rows| rows.checked_mul(self.n_states()));
        let Some(size) = size.filter(|&size| size <= 1 << 32) else {
            return Err(Error::parameter("lag", "at most 2^32 / n_states", lag));
        };
        let zeros = |n| vec![F::zero(); n];
        Ok(FixedLag {
            filter: self.online(),
            lag,
            alphas: zeros(size),
            bs: zeros(size),
            beta: zeros(self.n_states()),
            v: zeros(self.n_states()),
        })
    }
}

impl<F: Float, E: Emission<Float = F>> OnlineFilter<'_, E> {
    /// Takes an observation of `n_features` elements; returns the log of its probability given those before.
    ///
    /// # Errors
    /// [`Error::Shape`] for a wrong width or an observation that is impossible after those before, which leaves the filter as it was; what
    /// [`Emission::check`] finds.
    ///
    /// # Complexity
    /// `O(n_states^2)` time, no allocation after the first step.
    pub fn step(&mut self, x: &[E::Elem]) -> Result<f64> {
        let (_, a, emission) = self.model;
        let d = emission.n_features();
        if x.len() != d {
            return Err(Error::shape("x", format!("{d} elements"), x.len()));
        }
        emission.check(x)?;
        emission.log_likelihoods(x, &mut self.log_b, &mut self.scratch);
        // The largest product is the scale, so an outlier that one state explains a little better than another does not underflow.
        let mut max = F::neg_infinity();
        for (log, &p) in self.log_b.iter_mut().zip(&self.next) {
            *log += p.ln();
            max = max.max(*log);
        }
        if max == F::neg_infinity() {
            let rule = "a probability above 0 after the observations before";
            return Err(Error::shape("x", rule, format_args!("{x:?}")));
        }
        let mut sum = F::zero();
        for (alpha, &log) in self.alpha.iter_mut().zip(&self.log_b) {
            *alpha = (log - max).exp();
            sum += *alpha;
        }
        self.next.fill(F::zero());
        for (i, alpha) in self.alpha.iter_mut().enumerate() {
            *alpha /= sum;
            self.next.iter_mut().zip(a.row(i)).for_each(|(next, &p)| *next += *alpha * p);
        }
        let log = (max + sum.ln()).as_f64();
        self.log_likelihood += log;
        self.n_steps += 1;
        Ok(log)
    }

    /// `p(z_t | x_1 .. x_t)` after the last observation; the zeros of the beginning before the first.
    #[must_use]
    pub fn probabilities(&self) -> ArrayView1<'_, F> {
        ArrayView1::from(&self.alpha)
    }

    /// `p(z_(t + 1) | x_1 .. x_t)`: where the chain is expected next.
    #[must_use]
    pub fn next_probabilities(&self) -> ArrayView1<'_, F> {
        ArrayView1::from(&self.next)
    }

    /// Log-likelihood of all observations so far.
    #[must_use]
    pub fn log_likelihood(&self) -> f64 {
        self.log_likelihood
    }

    /// Number of observations so far.
    #[must_use]
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }

    /// Forgets all observations.
    pub fn reset(&mut self) {
        self.next.iter_mut().zip(self.model.0).for_each(|(next, &p)| *next = p);
        self.alpha.fill(F::zero());
        (self.log_likelihood, self.n_steps) = (0.0, 0);
    }
}

/// Smoothed probabilities with a fixed delay: `p(z_(t - lag) | x_1 .. x_t)`, one observation at a time.
///
/// # Example
/// See [`Hmm::fixed_lag`].
#[derive(Debug, Clone)]
pub struct FixedLag<'a, E: Emission> {
    filter: OnlineFilter<'a, E>,
    lag: usize,
    /// The last `lag + 1` filtered rows and scaled likelihoods, in a ring.
    alphas: Vec<E::Float>,
    bs: Vec<E::Float>,
    beta: Vec<E::Float>,
    v: Vec<E::Float>,
}

impl<F: Float, E: Emission<Float = F>> FixedLag<'_, E> {
    /// Takes an observation; returns the smoothed probabilities of the state `lag` observations before it, `None` for the first `lag`.
    ///
    /// # Errors
    /// Those of [`OnlineFilter::step`].
    ///
    /// # Complexity
    /// `O(lag * n_states^2)` time, no allocation after the first step.
    pub fn step(&mut self, x: &[E::Elem]) -> Result<Option<ArrayView1<'_, F>>> {
        self.filter.step(x)?;
        let k = self.beta.len();
        let (a, emission) = (self.filter.model.1, self.filter.model.2);
        let rows = self.lag + 1;
        let now = ((self.filter.n_steps - 1) % rows as u64) as usize;
        self.alphas[now * k..][..k].copy_from_slice(&self.filter.alpha);
        emission.likelihoods(x, &mut self.bs[now * k..][..k], &mut self.filter.scratch);
        if self.filter.n_steps <= self.lag as u64 {
            return Ok(None);
        }
        self.beta.fill(F::one());
        for back in 0..self.lag {
            let b = &self.bs[(now + rows - back) % rows * k..][..k];
            (0..k).for_each(|j| self.v[j] = b[j] * self.beta[j]);
            let mut max = F::zero();
            for i in 0..k {
                self.beta[i] = a.row(i).iter().zip(&self.v).map(|(&p, &v)| p * v).sum();
                max = max.max(self.beta[i]);
            }
            self.beta.iter_mut().for_each(|beta| *beta /= max);
        }
        let then = &self.alphas[(now + 1) % rows * k..][..k];
        (0..k).for_each(|j| self.beta[j] *= then[j]);
        let sum: F = self.beta.iter().copied().sum();
        self.beta.iter_mut().for_each(|p| *p /= sum);
        Ok(Some(ArrayView1::from(&self.beta)))
    }

    /// The filter at the newest observation.
    #[must_use]
    pub fn filter(&self) -> &OnlineFilter<'_, E> {
        &self.filter
    }
}
