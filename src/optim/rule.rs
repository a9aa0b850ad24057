//! The update rules, as PyTorch defines them.

use crate::error::{Error, Result};
use crate::float::Float;
use crate::params::{Check, require};

/// Gradient descent, plain or with momentum.
///
/// # Formula
/// ```text
/// b <- mu b + g     (g itself in the first step)
/// w <- w - rate b,  or with Nesterov's correction  w <- w - rate (g + mu b)
/// ```
/// where `g` includes `weight_decay * w`.
///
/// # References
/// Polyak (1964); Nesterov (1983), in the form of Sutskever et al. (2013).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Sgd {
    /// `mu`, in `[0, 1)`. Default 0; 0.9 is common.
    pub momentum: f64,
    /// Whether the gradient is taken where the momentum leads. Needs a momentum. Default no.
    pub nesterov: bool,
    /// Share of `w` that is added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

/// Gradients divided by the root of their mean square.
///
/// # Formula
/// ```text
/// v <- alpha v + (1 - alpha) g^2
/// d <- g / (sqrt(v) + eps),  or centered  g / (sqrt(v - m^2) + eps)  with  m <- alpha m + (1 - alpha) g
/// b <- mu b + d
/// w <- w - rate b
/// ```
///
/// # References
/// Tieleman, Hinton (2012), lecture 6.5; centered: Graves (2013), equations 38-45.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct RmsProp {
    /// How much of the mean square stays at each step, in `[0, 1)`. Default 0.99.
    pub alpha: f64,
    /// Added to the root, greater than 0. Default 1e-8.
    pub eps: f64,
    /// `mu`, in `[0, 1)`. Default 0.
    pub momentum: f64,
    /// Whether the root is of the variance. Default no.
    pub centered: bool,
    /// Share of `w` that is added to the gradient, at least 0. Default 0.
    pub weight_decay: f64,
}

/// Momentum divided by the root of the mean square, both corrected for their start at 0.
///
/// # Formula
/// ```text
/// m <- m + (1 - beta1) (g - m)
/// v <- beta2 v + (1 - beta2) g^2
/// w <- w - rate / (1 - beta1^t) * m / (sqrt(v) / sqrt(1 - beta2^t) + eps)
/// ```
/// The weight decay is part of `g` in [`Rule::Adam`]; in [`Rule::AdamW`] it shrinks `w` by `1 - rate * weight_decay` first.
///
/// # References
/// Kingma, Ba (2015), algorithm 1; Loshchilov, Hutter (2019), algorithm 2.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Adam {
    /// How much of the mean gradient stays at each step, in `[0, 1)`. Default 0.9.
    pub beta1: f64,
    /// How much of the mean square stays at each step, in `[0, 1)`. Default 0.999.
    pub beta2: f64,
    /// Added to the root, greater than 0. Default 1e-8.
    pub eps: f64,
    /// At least 0. Default 0.
    pub weight_decay: f64,
}

impl Default for RmsProp {
    fn default() -> Self {
        Self { alpha: 0.99, eps: 1e-8, momentum: 0.0, centered: false, weight_decay: 0.0 }
    }
}

impl Default for Adam {
    fn default() -> Self {
        Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, weight_decay: 0.0 }
    }
}

/// An update rule: how a gradient changes the parameters.
///
/// # Example
/// ```
/// use sapwood::optim::{Rule, Sgd, State};
///
/// let rule = Rule::from(Sgd { momentum: 0.5, ..Sgd::default() });
/// let (mut w, mut state) = ([1.0], State::new());
/// rule.update(0.1, &mut w, &[1.0], &mut state)?; // b = 1
/// rule.update(0.1, &mut w, &[1.0], &mut state)?; // b = 0.5 + 1
/// assert_eq!(w, [1.0 - 0.1 - 0.1 * 1.5]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Rule {
    /// Gradient descent.
    Sgd(Sgd),
    /// RMSProp.
    RmsProp(RmsProp),
    /// Adam, its weight decay in the gradient.
    Adam(Adam),
    /// Adam, its weight decay apart from the gradient.
    AdamW(Adam),
}

impl From<Sgd> for Rule {
    fn from(rule: Sgd) -> Self {
        Self::Sgd(rule)
    }
}

impl From<RmsProp> for Rule {
    fn from(rule: RmsProp) -> Self {
        Self::RmsProp(rule)
    }
}

impl From<Adam> for Rule {
    fn from(rule: Adam) -> Self {
        Self::Adam(rule)
    }
}

/// What a [`Rule`] remembers of the steps so far. It is made empty, and takes its size at the first step.
///
/// # Example
/// ```
/// use sapwood::optim::{Rule, Sgd, State};
///
/// let (mut w, mut memory) = ([1.0], State::new());
/// Rule::Sgd(Sgd::default()).update(0.1, &mut w, &[2.0], &mut memory)?;
/// assert_eq!((w, memory.n_steps()), ([0.8], 1));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct State<F> {
    n_steps: u64,
    /// The mean gradient.
    m: Vec<F>,
    /// The mean square.
    v: Vec<F>,
    /// The momentum.
    b: Vec<F>,
}

impl<F: Float> State<F> {
    /// Nothing yet.
    #[must_use]
    pub fn new() -> Self {
        Self { n_steps: 0, m: Vec::new(), v: Vec::new(), b: Vec::new() }
    }

    /// Steps made so far.
    #[must_use]
    pub fn n_steps(&self) -> u64 {
        self.n_steps
    }
}

impl Check for Rule {
    fn check(&self) -> Result<()> {
        let share = |name, x: f64| require((0.0..1.0).contains(&x), name, "in [0, 1)", x);
        let positive = |name, x: f64| require(x > 0.0 && x.is_finite(), name, "greater than 0 and finite", x);
        let decay = match *self {
            Self::Sgd(Sgd { momentum, nesterov, weight_decay }) => {
                share("momentum", momentum)?;
                require(
                    !nesterov || momentum > 0.0,
                    "momentum",
                    "greater than 0 for Nesterov's rule",
                    momentum,
                )?;
                weight_decay
            }
            Self::RmsProp(RmsProp { alpha, eps, momentum, weight_decay, .. }) => {
                share("alpha", alpha)?;
                share("momentum", momentum)?;
                positive("eps", eps)?;
                weight_decay
            }
            Self::Adam(Adam { beta1, beta2, eps, weight_decay })
            | Self::AdamW(Adam { beta1, beta2, eps, weight_decay }) => {
                share("beta1", beta1)?;
                share("beta2", beta2)?;
                positive("eps", eps)?;
                weight_decay
            }
        };
        require(decay >= 0.0 && decay.is_finite(), "weight_decay", "at least 0 and finite", decay)
    }
}

impl Rule {
    /// One step: changes `w` by its gradient `g` at the given learning rate.
    ///
    /// The answers are PyTorch's, to the last digits of f64.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a rule or a rate that breaks its domain; [`Error::Shape`] when `g`, or the state, has another length than `w`.
    ///
    /// # Complexity
    /// `O(n)`, and no allocation after the first step.
    pub fn update<F: Float>(
        &self,
        learning_rate: f64,
        w: &mut [F],
        g: &[F],
        state: &mut State<F>,
    ) -> Result<()> {
        self.check()?;
        check_rate(learning_rate)?;
        let n = w.len();
        if g.len() != n {
            return Err(Error::shape("g", format!("one entry for each of the {n} parameters"), g.len()));
        }
        if let Some(other) =
            [&state.m, &state.v, &state.b].iter().map(|x| x.len()).find(|&len| len > 0 && len != n)
        {
            return Err(Error::shape("state", format!("one entry for each of the {n} parameters"), other));
        }
        state.n_steps += 1;
        match *self {
            Self::Sgd(rule) => rule.update(learning_rate, w, g, state),
            Self::RmsProp(rule) => rule.update(learning_rate, w, g, state),
            Self::Adam(rule) => rule.update(learning_rate, w, g, state, rule.weight_decay, 1.0),
            Self::AdamW(rule) => {
                rule.update(learning_rate, w, g, state, 0.0, 1.0 - learning_rate * rule.weight_decay);
            }
        }
        Ok(())
    }
}

/// Errors unless the learning rate is positive and finite.
pub(crate) fn check_rate(rate: f64) -> Result<()> {
    require(rate > 0.0 && rate.is_finite(), "learning_rate", "greater than 0 and finite", rate)
}

impl Sgd {
    fn update<F: Float>(self, rate: f64, w: &mut [F], g: &[F], state: &mut State<F>) {
        let (rate, mu, decay) = (F::of(rate), F::of(self.momentum), F::of(self.weight_decay));
        if self.momentum == 0.0 {
            for (w, &g) in w.iter_mut().zip(g) {
                *w -= rate * (g + decay * *w);
            }
            return;
        }
        let first = state.b.is_empty();
        state.b.resize(w.len(), F::zero());
        for ((w, &g), b) in w.iter_mut().zip(g).zip(&mut state.b) {
            let g = g + decay * *w;
            *b = if first { g } else { mu * *b + g };
            *w -= rate * if self.nesterov { g + mu * *b } else { *b };
        }
    }
}

impl RmsProp {
    fn update<F: Float>(self, rate: f64, w: &mut [F], g: &[F], state: &mut State<F>) {
        let (rate, alpha, eps) = (F::of(rate), F::of(self.alpha), F::of(self.eps));
        let (mu, decay) = (F::of(self.momentum), F::of(self.weight_decay));
        let rest = F::of(1.0 - self.alpha);
        state.v.resize(w.len(), F::zero());
        state.m.resize(if self.centered { w.len() } else { 0 }, F::zero());
        state.b.resize(if self.momentum > 0.0 { w.len() } else { 0 }, F::zero());
        for (i, (w, &g)) in w.iter_mut().zip(g).enumerate() {
            let g = g + decay * *w;
            let v = &mut state.v[i];
            *v = alpha * *v + rest * g * g;
            let root = if self.centered {
                let m = &mut state.m[i];
                *m += rest * (g - *m);
                (*v - *m * *m).sqrt()
            } else {
                v.sqrt()
            };
            let d = g / (root + eps);
            if self.momentum > 0.0 {
                let b = &mut state.b[i];
                *b = mu * *b + d;
                *w -= rate * *b;
            } else {
                *w -= rate * d;
            }
        }
    }
}

impl Adam {
    /// `shrink` is what decoupled weight decay leaves of `w`.
    fn update<F: Float>(
        self,
        rate: f64,
        w: &mut [F],
        g: &[F],
        state: &mut State<F>,
        decay: f64,
        shrink: f64,
    ) {
        let t = i32::try_from(state.n_steps).unwrap_or(i32::MAX);
        let step = F::of(rate / (1.0 - self.beta1.powi(t)));
        let root = F::of((1.0 - self.beta2.powi(t)).sqrt());
        let (of_m, of_v) = (F::of(1.0 - self.beta1), F::of(1.0 - self.beta2));
        let (beta2, eps) = (F::of(self.beta2), F::of(self.eps));
        let (decay, shrink) = (F::of(decay), F::of(shrink));
        state.m.resize(w.len(), F::zero());
        state.v.resize(w.len(), F::zero());
        for (((w, &g), m), v) in w.iter_mut().zip(g).zip(&mut state.m).zip(&mut state.v) {
            let g = g + decay * *w;
            *m += of_m * (g - *m);
            *v = beta2 * *v + of_v * g * g;
            *w = shrink * *w - step * (*m / (v.sqrt() / root + eps));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_outside_their_domain_are_errors() {
        for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let error = Rule::from(Sgd::default()).update(rate, &mut [0.0], &[1.0], &mut State::new());
            assert!(
                error
                    .unwrap_err()
                    .to_string()
                    .starts_with("`learning_rate` must be greater than 0 and finite")
            );
        }
        for beta in [1.0, 1.5, -0.1, f64::NAN] {
            assert!(Rule::from(Adam { beta1: beta, ..Adam::default() }).check().is_err());
            assert!(Rule::AdamW(Adam { beta2: beta, ..Adam::default() }).check().is_err());
            assert!(Rule::from(RmsProp { alpha: beta, ..RmsProp::default() }).check().is_err());
            assert!(Rule::from(Sgd { momentum: beta, ..Sgd::default() }).check().is_err());
        }
        assert!(Rule::from(Sgd { nesterov: true, ..Sgd::default() }).check().is_err());
        assert!(Rule::from(Adam { eps: 0.0, ..Adam::default() }).check().is_err());
    }

    #[test]
    fn a_state_of_another_length_is_an_error() {
        let (rule, mut state) = (Rule::from(Adam::default()), State::new());
        rule.update(0.1, &mut [0.0, 0.0], &[1.0, 1.0], &mut state).unwrap();
        assert!(rule.update(0.1, &mut [0.0], &[1.0], &mut state).is_err());
        assert!(rule.update(0.1, &mut [0.0, 0.0], &[1.0], &mut state).is_err());
        assert_eq!(state.n_steps(), 1);
    }

    #[test]
    fn the_first_step_of_adam_is_the_rate_whatever_the_gradient() {
        for g in [1e-3, 1.0, 1e6] {
            let mut w = [0.0_f64];
            Rule::from(Adam::default()).update(0.1, &mut w, &[g], &mut State::new()).unwrap();
            assert!((w[0] + 0.1).abs() < 1e-5);
        }
    }
}
