//! How an estimate went.

/// Why EM ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Stop {
    /// A round gained no more than `tol`.
    Converged,
    /// `max_iter` rounds were done.
    RanOut,
    /// A round lost more than rounding explains, as a floor on a variance can make it; the model is that before it.
    WentDown,
    /// The observer asked for it.
    Observer,
}

/// How a fit went.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FitReport {
    /// Why the chosen start ended.
    pub stop: Stop,
    /// Log-likelihood, plus the log of the priors up to a constant, after 0, 1, 2 .. rounds.
    pub objectives: Vec<f64>,
    /// Which of the `n_init` starts was chosen, from 0 on.
    pub start: usize,
    /// States without an expected observation in the last round; they kept their parameters.
    pub unvisited: Vec<usize>,
    /// States that the last round had to lift to a floor: a variance, or a rate.
    pub floored: Vec<usize>,
}

impl FitReport {
    /// Whether the chosen start converged.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.stop == Stop::Converged
    }

    /// Rounds of EM.
    #[must_use]
    pub fn n_iter(&self) -> usize {
        self.objectives.len().saturating_sub(1)
    }

    /// The objective of the model that was returned.
    #[must_use]
    pub fn objective(&self) -> f64 {
        self.objectives.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    }

    pub(in crate::hmm) fn reordered(&self, order: &[usize]) -> Self {
        let places = |states: &[usize]| {
            (0..order.len()).filter(|&place| states.contains(&order[place])).collect::<Vec<usize>>()
        };
        Self { unvisited: places(&self.unvisited), floored: places(&self.floored), ..self.clone() }
    }
}
