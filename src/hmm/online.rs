//! One observation at a time: filtering, and smoothing with a fixed delay.

use ndarray::{Array1, ArrayView1};

use super::engine::{log_product, lowered, mixes};
use super::{Emission, Hmm};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::{log_sum_exp, softmax};

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
    /// `p(z_(t + 1) | x_1 .. x_t)`, and its logs.
    next: Vec<E::Float>,
    log_next: Vec<E::Float>,
    /// Logs of the likelihoods, then of `alpha`.
    log_alpha: Vec<E::Float>,
    /// The transpose of `log A`, where a state that is lost would be lost for good; else empty.
    log_at: Vec<E::Float>,
    scratch: Vec<E::Float>,
    room: Vec<E::Float>,
    log_likelihood: f64,
    n_steps: u64,
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// A filter before its first observation.
    #[must_use]
    pub fn online(&self) -> OnlineFilter<'_, E> {
        let zeros = vec![F::zero(); self.n_states()];
        let log_at = if mixes(&self.transition) {
            Vec::new()
        } else {
            self.transition.t().iter().map(|p| p.ln()).collect()
        };
        let mut filter = OnlineFilter {
            model: (&self.initial, &self.transition, &self.emission),
            alpha: zeros.clone(),
            next: zeros.clone(),
            log_next: zeros.clone(),
            log_alpha: zeros.clone(),
            log_at,
            scratch: Vec::new(),
            room: zeros,
            log_likelihood: 0.0,
            n_steps: 0,
        };
        filter.reset();
        filter
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
        let filter = self.online();
        let log_a = if filter.log_at.is_empty() {
            Vec::new()
        } else {
            self.transition.iter().map(|p| p.ln()).collect()
        };
        Ok(FixedLag {
            filter,
            log_a,
            lag,
            log_alphas: zeros(size),
            log_bs: zeros(size),
            log_beta: zeros(self.n_states()),
            v: zeros(self.n_states()),
            room: zeros(self.n_states()),
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
        let k = self.alpha.len();
        emission.log_likelihoods(x, &mut self.log_alpha, &mut self.scratch);
        // The largest product is the scale, so an outlier that one state explains a little better than another does not underflow.
        self.log_alpha.iter_mut().zip(&self.log_next).for_each(|(log, next)| *log += *next);
        let log = log_sum_exp(&self.log_alpha);
        if log == F::neg_infinity() {
            let rule = "a probability above 0 after the observations before";
            return Err(Error::shape("x", rule, format_args!("{x:?}")));
        }
        for (alpha, log_alpha) in self.alpha.iter_mut().zip(&mut self.log_alpha) {
            *log_alpha -= log;
            *alpha = log_alpha.exp();
        }
        if self.log_at.is_empty() {
            self.next.fill(F::zero());
            for (i, &alpha) in self.alpha.iter().enumerate() {
                self.next.iter_mut().zip(a.row(i)).for_each(|(next, &p)| *next += alpha * p);
            }
            self.log_next.iter_mut().zip(&self.next).for_each(|(log, next)| *log = next.ln());
        } else {
            for (j, log_a) in self.log_at.chunks_exact(k).enumerate() {
                self.log_next[j] = log_product(log_a, &self.log_alpha, &mut self.room);
                self.next[j] = self.log_next[j].exp();
            }
        }
        self.log_likelihood += log.as_f64();
        self.n_steps += 1;
        Ok(log.as_f64())
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
        for ((next, log_next), &p) in self.next.iter_mut().zip(&mut self.log_next).zip(self.model.0) {
            (*next, *log_next) = (p, p.ln());
        }
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
    /// The last `lag + 1` rows of the logs of the filter and of the likelihoods, in a ring.
    log_alphas: Vec<E::Float>,
    log_bs: Vec<E::Float>,
    /// `log A`, where the filter has its transpose.
    log_a: Vec<E::Float>,
    log_beta: Vec<E::Float>,
    v: Vec<E::Float>,
    room: Vec<E::Float>,
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
        let k = self.log_beta.len();
        let (a, emission) = (self.filter.model.1, self.filter.model.2);
        let rows = self.lag + 1;
        let now = ((self.filter.n_steps - 1) % rows as u64) as usize;
        let Self { filter, lag, log_alphas, log_bs, log_a, log_beta, v, room } = self;
        let lag = *lag;
        log_alphas[now * k..][..k].copy_from_slice(&filter.log_alpha);
        emission.log_likelihoods(x, &mut log_bs[now * k..][..k], &mut filter.scratch);
        if filter.n_steps <= lag as u64 {
            return Ok(None);
        }
        log_beta.fill(F::zero());
        for back in 0..lag {
            let log_b = &log_bs[(now + rows - back) % rows * k..][..k];
            (0..k).for_each(|j| v[j] = log_b[j] + log_beta[j]);
            if log_a.is_empty() {
                softmax(v);
                for (log_beta, a) in log_beta.iter_mut().zip(a.rows()) {
                    *log_beta = a.iter().zip(&*v).map(|(&p, &v)| p * v).sum::<F>().ln();
                }
            } else {
                for (log_beta, log_a) in log_beta.iter_mut().zip(log_a.chunks_exact(k)) {
                    *log_beta = log_product(log_a, v, room);
                }
                lowered(log_beta);
            }
        }
        let then = &log_alphas[(now + 1) % rows * k..][..k];
        log_beta.iter_mut().zip(then).for_each(|(log_beta, log_alpha)| *log_beta += *log_alpha);
        softmax(log_beta);
        Ok(Some(ArrayView1::from(&*log_beta)))
    }

    /// The filter at the newest observation.
    #[must_use]
    pub fn filter(&self) -> &OnlineFilter<'_, E> {
        &self.filter
    }
}
