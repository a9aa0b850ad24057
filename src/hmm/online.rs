//! One observation at a time: filtering, and smoothing with a fixed delay.
//!
//! A step is taken in probabilities where it is proved that it loses no state, as [`Engine::forward`] proves it, and in logs where it is not. The two
//! bounds of a whole sequence are of no use here: where they part, what was lost could not be had back, as the observations before are gone.

use ndarray::ArrayView1;

use super::engine::{Engine, Observations, log_product, lowered};
use super::{Emission, Hmm};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::kernel::chain::{any_faint, forward};
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
    engine: Engine<'a, E>,
    /// `p(z_t | x_1 .. x_t)`, and `p(z_(t + 1) | x_1 .. x_t)` after it.
    rows: Aligned<E::Float>,
    /// Their logs, where the last step was taken in logs.
    log_alpha: Vec<E::Float>,
    log_next: Vec<E::Float>,
    in_logs: bool,
    /// Likelihoods of the observation, up to a factor; whether a state could be lost for them; the row that becomes the next `alpha`.
    b: Vec<E::Float>,
    lossy: bool,
    product: Aligned<E::Float>,
    ones: Vec<E::Float>,
    scratch: Vec<E::Float>,
    log_likelihood: f64,
    n_steps: u64,
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// A filter before its first observation.
    #[must_use]
    pub fn online(&self) -> OnlineFilter<'_, E> {
        let k = self.n_states();
        let engine = self.engine();
        // Made now, as no step may allocate.
        engine.logs();
        let zeros = vec![F::zero(); k];
        let (mut rows, mut product) = (Aligned::default(), Aligned::default());
        rows.resize(2 * k);
        product.resize(k);
        let mut filter = OnlineFilter {
            engine,
            rows,
            log_alpha: zeros.clone(),
            log_next: zeros.clone(),
            in_logs: false,
            b: zeros,
            lossy: false,
            product,
            ones: vec![F::one(); k],
            scratch: Vec::new(),
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
        let (k, d) = (self.n_states(), self.emission.n_features());
        let size = lag.checked_add(1).and_then(|rows| rows.checked_mul(k.max(d)));
        if size.is_none_or(|size| size > 1 << 32) {
            return Err(Error::parameter("lag", "at most 2^32 / n_states", lag));
        }
        let rows = lag + 1;
        let zeros = |n| vec![F::zero(); n];
        let mut v = Aligned::default();
        v.resize((lag + 1) * k);
        Ok(FixedLag {
            filter: self.online(),
            lag,
            x: vec![E::Elem::default(); rows * d],
            alphas: zeros(rows * k),
            are_logs: vec![false; rows],
            b: zeros(2 * rows * k),
            lossy: None,
            v,
            gamma: zeros(k),
            log_v: zeros(k),
            room: zeros(k),
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
        let d = self.engine.emission.n_features();
        if x.len() != d {
            return Err(Error::shape("x", format!("{d} elements"), x.len()));
        }
        self.engine.emission.check(x)?;
        let log = match self.scaled(x) {
            Some(log) => log,
            None => self.logs(x)?,
        };
        self.log_likelihood += log;
        self.n_steps += 1;
        Ok(log)
    }

    /// The step in probabilities; `None`, and nothing changed, where a state may be lost.
    fn scaled(&mut self, x: &[E::Elem]) -> Option<f64> {
        let Self { engine, rows, b, product, ones, scratch, .. } = self;
        let k = engine.k;
        let log_scale = engine.emission.likelihoods(x, b, scratch);
        let one = Observations { x, known: &[] };
        self.lossy = engine.loses_likelihoods(one, 0..1, b, product, scratch);
        if self.in_logs || self.lossy {
            return None;
        }
        for ((product, &next), &b) in product.iter_mut().zip(&rows[k..]).zip(&*b) {
            *product = next * b;
        }
        let mass: F = product.iter().copied().sum();
        if mass.is_nan() || mass < F::LOST {
            return None;
        }
        let inverse = F::one() / mass;
        product.iter_mut().for_each(|alpha| *alpha *= inverse);
        if !engine.matrices.mixes && any_faint(product) {
            return None;
        }
        rows[..k].copy_from_slice(product);
        // With likelihoods of 1, a step of the kernel is a product alone; a row of sum 1 needs no scale.
        forward(k, 0, &engine.matrices.packed_a, ones, rows);
        Some(mass.as_f64().ln() + log_scale)
    }

    /// The step in logs.
    fn logs(&mut self, x: &[E::Elem]) -> Result<f64> {
        let Self { engine, rows, log_alpha, log_next, product, scratch, .. } = self;
        let k = engine.k;
        if !self.in_logs {
            log_next.iter_mut().zip(&rows[k..]).for_each(|(log, next)| *log = next.ln());
        }
        engine.emission.log_likelihoods(x, product, scratch);
        // The largest product is the scale, so an outlier that one state explains a little better than another does not underflow.
        product.iter_mut().zip(&*log_next).for_each(|(log, next)| *log += *next);
        let log = log_sum_exp(product);
        if log == F::neg_infinity() {
            let rule = "a probability above 0 after the observations before";
            return Err(Error::shape("x", rule, format_args!("{x:?}")));
        }
        for ((alpha, log_alpha), &product) in rows.iter_mut().zip(&mut *log_alpha).zip(&**product) {
            *log_alpha = product - log;
            *alpha = log_alpha.exp();
        }
        for (j, log_a) in engine.logs().log_at.chunks_exact(k).enumerate() {
            log_next[j] = log_product(log_a, log_alpha, product);
            rows[k + j] = log_next[j].exp();
        }
        let is_faint = |(alpha, log): (&F, &F)| *alpha < F::LOST && *log > F::neg_infinity();
        self.in_logs = !engine.matrices.mixes
            && (!engine.matrices.no_faint || rows.iter().zip(&*log_alpha).any(is_faint));
        Ok(log.as_f64())
    }

    /// `p(z_t | x_1 .. x_t)` after the last observation; the zeros of the beginning before the first.
    #[must_use]
    pub fn probabilities(&self) -> ArrayView1<'_, F> {
        ArrayView1::from(&self.rows[..self.engine.k])
    }

    /// `p(z_(t + 1) | x_1 .. x_t)`: where the chain is expected next.
    #[must_use]
    pub fn next_probabilities(&self) -> ArrayView1<'_, F> {
        ArrayView1::from(&self.rows[self.engine.k..])
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
        let (alpha, next) = self.rows.split_at_mut(self.engine.k);
        alpha.fill(F::zero());
        next.copy_from_slice(self.engine.initial);
        self.log_next.iter_mut().zip(self.engine.initial).for_each(|(log, p)| *log = p.ln());
        let whole =
            self.engine.matrices.mixes || (self.engine.matrices.no_faint && !any_faint(self.engine.initial));
        self.in_logs = !whole;
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
    /// The last `lag + 1` observations, and filtered rows or their logs, each in a ring.
    x: Vec<E::Elem>,
    alphas: Vec<E::Float>,
    are_logs: Vec<bool>,
    /// The last `lag + 1` rows of likelihoods, the newest first, in a ring that is held twice: so they lie one after another wherever they begin.
    b: Vec<E::Float>,
    /// The last observation whose likelihoods may have lost a state.
    lossy: Option<u64>,
    v: Aligned<E::Float>,
    gamma: Vec<E::Float>,
    log_v: Vec<E::Float>,
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
        let (k, rows) = (self.filter.engine.k, self.lag + 1);
        let now = ((self.filter.n_steps - 1) % rows as u64) as usize;
        self.keep(x, now);
        if self.filter.n_steps <= self.lag as u64 {
            return Ok(None);
        }
        let then = (now + 1) % rows;
        if self.scaled(now, then).is_none() {
            self.logs(now, then);
        }
        Ok(Some(ArrayView1::from(&self.gamma[..k])))
    }

    /// Puts the newest rows in their rings.
    fn keep(&mut self, x: &[E::Elem], now: usize) {
        let filter = &self.filter;
        let (k, rows) = (filter.engine.k, self.lag + 1);
        self.x[now * x.len()..][..x.len()].copy_from_slice(x);
        let alpha = if filter.in_logs { &filter.log_alpha[..] } else { &filter.rows[..k] };
        self.alphas[now * k..][..k].copy_from_slice(alpha);
        self.are_logs[now] = filter.in_logs;
        for at in [rows - 1 - now, 2 * rows - 1 - now] {
            self.b[at * k..][..k].copy_from_slice(&filter.b);
        }
        if filter.lossy {
            self.lossy = Some(filter.n_steps);
        }
    }

    /// `gamma = alpha o beta`, where with `v_t = b_t o beta_t` and `beta = 1` of the newest row, `beta_t = A v_(t+1)`: the forward recursion under the
    /// transpose, with the newest row first. `None` where a state may be lost on the way back; `alpha` may be in logs.
    fn scaled(&mut self, now: usize, then: usize) -> Option<()> {
        let Self { filter, lag, alphas, b, v, gamma, .. } = self;
        let (engine, lag) = (&filter.engine, *lag);
        let k = engine.k;
        let lossy = self.lossy.is_some_and(|step| filter.n_steps - step <= lag as u64);
        if lossy || !engine.matrices.no_faint {
            return None;
        }
        let b = &b[(lag - now) * k..][..(lag + 1) * k];
        v[..k].copy_from_slice(&b[..k]);
        if lag == 0 {
            v[..k].fill(F::one());
        } else {
            forward(k, 0, &engine.matrices.packed_at, &b[k..lag * k], &mut v[..lag * k])?;
            forward(k, 0, &engine.matrices.packed_at, &filter.ones, &mut v[(lag - 1) * k..])?;
            if !engine.matrices.mixes && any_faint(&v[..lag * k]) {
                return None;
            }
        }
        let joint = gamma.iter_mut().zip(&alphas[then * k..]).zip(&v[lag * k..]);
        if self.are_logs[then] {
            joint.for_each(|((gamma, &log_alpha), beta)| *gamma = log_alpha + beta.ln());
            softmax(gamma);
            return Some(());
        }
        joint.for_each(|((gamma, &alpha), &beta)| *gamma = alpha * beta);
        let mass: F = gamma.iter().copied().sum();
        if mass.is_nan() || mass < F::LOST {
            return None;
        }
        let inverse = F::one() / mass;
        gamma.iter_mut().for_each(|gamma| *gamma *= inverse);
        Some(())
    }

    /// The same in logs.
    fn logs(&mut self, now: usize, then: usize) {
        let Self { filter, lag, x, alphas, gamma, log_v, room, .. } = self;
        let OnlineFilter { engine, scratch, .. } = filter;
        let (k, rows) = (engine.k, *lag + 1);
        let log_a = &engine.logs().log_a;
        // Here it holds log beta.
        gamma.fill(F::zero());
        for back in 0..*lag {
            let at = (now + rows - back) % rows;
            let d = engine.emission.n_features();
            engine.emission.log_likelihoods(&x[at * d..][..d], log_v, scratch);
            log_v.iter_mut().zip(&*gamma).for_each(|(v, log_beta)| *v += *log_beta);
            for (log_beta, log_a) in gamma.iter_mut().zip(log_a.chunks_exact(k)) {
                *log_beta = log_product(log_a, log_v, room);
            }
            lowered(gamma);
        }
        for (gamma, &alpha) in gamma.iter_mut().zip(&alphas[then * k..]) {
            *gamma += if self.are_logs[then] { alpha } else { alpha.ln() };
        }
        softmax(gamma);
    }

    /// The filter at the newest observation.
    #[must_use]
    pub fn filter(&self) -> &OnlineFilter<'_, E> {
        &self.filter
    }
}
