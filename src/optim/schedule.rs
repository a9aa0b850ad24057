//! Learning rates that change while a net learns.

use std::f64::consts::PI;

use crate::error::Result;
use crate::params::{Check, require};

/// The learning rate at each time, as a share of the one that was set.
///
/// The time `t` counts from 0; it is an epoch for [`Step`](Self::Step), [`Cosine`](Self::Cosine) and [`Plateau`](Self::Plateau), and an update
/// for [`OneCycle`](Self::OneCycle).
///
/// # Example
/// ```
/// use sapwood::{Lstm, linfa::ParamGuard, optim::Schedule};
///
/// let params = Lstm::<f64>::params(8).learning_rate(0.01).schedule(Schedule::Cosine { last: 0.01 });
/// assert!(params.check().is_ok());
/// assert!(Lstm::<f64>::params(8).schedule(Schedule::Cosine { last: -1.0 }).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Schedule {
    /// Always the same.
    #[default]
    Constant,
    /// Times `factor` after every `every` epochs: PyTorch's `StepLR`.
    Step {
        /// Epochs between two changes, at least 1.
        every: usize,
        /// In `(0, 1]`.
        factor: f64,
    },
    /// Down along half a cosine, to `last` at the end: PyTorch's `CosineAnnealingLR`.
    ///
    /// # References
    /// Loshchilov, Hutter (2017), equation 5.
    Cosine {
        /// The share at the end, in `[0, 1]`.
        last: f64,
    },
    /// Up along a cosine to the full rate, then down: PyTorch's `OneCycleLR`.
    ///
    /// # References
    /// Smith, Topin (2018).
    OneCycle {
        /// The share of all updates that go up, in `(0, 1)`. PyTorch: 0.3.
        rise: f64,
        /// The share at the start, in `(0, 1]`. PyTorch: 1 / 25.
        first: f64,
        /// The share at the end, in `(0, 1]`. PyTorch: 1 / 250,000.
        last: f64,
    },
    /// Times the factor where the loss does not become better for a while.
    Plateau(Plateau),
}

/// When and how the rate falls on a plateau of the loss: PyTorch's `ReduceLROnPlateau` without cooldown.
///
/// # Example
/// ```
/// use sapwood::optim::{Plateau, Schedule};
///
/// let schedule = Schedule::Plateau(Plateau { factor: 0.5, patience: 1, ..Plateau::default() });
/// assert_eq!(schedule.share(1, 9, &[1.0]), 1.0);
/// assert_eq!(schedule.share(3, 9, &[1.0, 1.0, 1.0]), 0.5);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Plateau {
    /// What is left of the rate each time, in `(0, 1)`. Default 0.1.
    pub factor: f64,
    /// Epochs without improvement that are borne. Default 10.
    pub patience: usize,
    /// A loss is better when it is below the best times `1 - threshold`; in `[0, 1)`. Default 1e-4.
    pub threshold: f64,
    /// The share that is never undercut, in `[0, 1]`. Default 0.
    pub min: f64,
}

impl Default for Plateau {
    fn default() -> Self {
        Self { factor: 0.1, patience: 10, threshold: 1e-4, min: 0.0 }
    }
}

impl Check for Schedule {
    fn check(&self) -> Result<()> {
        let share = |name, x: f64| require(x > 0.0 && x <= 1.0, name, "in (0, 1]", x);
        match *self {
            Self::Constant => Ok(()),
            Self::Step { every, factor } => {
                require(every >= 1, "every", "at least 1", every)?;
                share("factor", factor)
            }
            Self::Cosine { last } => require((0.0..=1.0).contains(&last), "last", "in [0, 1]", last),
            Self::OneCycle { rise, first, last } => {
                require(rise > 0.0 && rise < 1.0, "rise", "in (0, 1)", rise)?;
                share("first", first)?;
                share("last", last)
            }
            Self::Plateau(Plateau { factor, threshold, min, .. }) => {
                require(factor > 0.0 && factor < 1.0, "factor", "in (0, 1)", factor)?;
                require((0.0..1.0).contains(&threshold), "threshold", "in [0, 1)", threshold)?;
                require((0.0..=1.0).contains(&min), "min", "in [0, 1]", min)
            }
        }
    }
}

impl Schedule {
    /// Whether the time is counted in updates; else in epochs.
    #[must_use]
    pub fn counts_updates(&self) -> bool {
        matches!(self, Self::OneCycle { .. })
    }

    /// The share of the learning rate at time `t` of `total`, where `losses` are those of the times before.
    ///
    /// # Example
    /// ```
    /// use sapwood::optim::Schedule;
    ///
    /// let step = Schedule::Step { every: 10, factor: 0.5 };
    /// assert_eq!([9, 10, 20].map(|t| step.share(t, 30, &[])), [1.0, 0.5, 0.25]);
    /// let cosine = Schedule::Cosine { last: 0.0 };
    /// assert!((cosine.share(50, 100, &[]) - 0.5).abs() < 1e-15);
    /// ```
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "times of a fit")]
    pub fn share(&self, t: usize, total: usize, losses: &[f64]) -> f64 {
        // From `a` down or up to `b` along half a cosine.
        let anneal = |a: f64, b: f64, part: f64| b + (a - b) / 2.0 * (1.0 + (PI * part).cos());
        match *self {
            Self::Constant => 1.0,
            Self::Step { every, factor } => factor.powi(i32::try_from(t / every.max(1)).unwrap_or(i32::MAX)),
            Self::Cosine { last } => anneal(1.0, last, t as f64 / total.max(1) as f64),
            Self::OneCycle { rise, first, last } => {
                let peak = rise * total as f64 - 1.0;
                let end = total as f64 - 1.0;
                let t = t as f64;
                if t <= peak {
                    anneal(first, 1.0, t / peak.max(f64::MIN_POSITIVE))
                } else {
                    anneal(1.0, last, ((t - peak) / (end - peak)).min(1.0))
                }
            }
            Self::Plateau(plateau) => plateau.share(losses),
        }
    }
}

impl Plateau {
    fn share(self, losses: &[f64]) -> f64 {
        let (mut share, mut best, mut waited) = (1.0_f64, f64::INFINITY, 0);
        for &loss in losses {
            if loss < best * (1.0 - self.threshold) || (best.is_infinite() && loss.is_finite()) {
                best = loss;
                waited = 0;
            } else {
                waited += 1;
            }
            if waited > self.patience {
                share = (share * self.factor).max(self.min);
                waited = 0;
            }
        }
        share
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_cycle_begins_low_peaks_in_full_and_ends_lowest() {
        let schedule = Schedule::OneCycle { rise: 0.3, first: 0.04, last: 4e-6 };
        let shares: Vec<f64> = (0..100).map(|t| schedule.share(t, 100, &[])).collect();
        assert!((shares[0] - 0.04).abs() < 1e-15);
        assert!((shares[29] - 1.0).abs() < 1e-15);
        assert!((shares[99] - 4e-6).abs() < 1e-15);
        assert!(shares[..30].is_sorted() && shares[29..].iter().rev().is_sorted());
    }

    #[test]
    fn a_plateau_cuts_the_rate_after_its_patience() {
        let schedule = Schedule::Plateau(Plateau { factor: 0.5, patience: 2, ..Plateau::default() });
        assert_eq!(schedule.share(0, 0, &[1.0, 1.0, 1.0]), 1.0);
        assert_eq!(schedule.share(0, 0, &[1.0, 1.0, 1.0, 1.0]), 0.5);
        assert_eq!(schedule.share(0, 0, &[4.0, 3.0, 2.0, 1.0, 0.5]), 1.0);
    }

    #[test]
    fn shares_outside_their_domain_are_errors() {
        for schedule in [
            Schedule::Step { every: 0, factor: 0.5 },
            Schedule::Step { every: 1, factor: f64::NAN },
            Schedule::Cosine { last: -0.1 },
            Schedule::OneCycle { rise: 1.0, first: 0.1, last: 0.1 },
            Schedule::Plateau(Plateau { factor: 1.0, ..Plateau::default() }),
        ] {
            assert!(schedule.check().is_err());
        }
    }
}
