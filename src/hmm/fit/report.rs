//! How an estimate went.

/// Why EM ended.
///
/// # Example
/// See [`FitReport`].
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
    /// The observer asked for it, in this start or in one after it; where that round lost, the model is that before it.
    Observer,
}

/// How a fit went.
///
/// # Example
/// ```
/// use sapwood::{PoissonHmm, data::Sequences, hmm::Stop, linfa::DatasetBase, linfa::traits::Fit, ndarray::array};
///
/// let counts = Sequences::single(array![[1], [0], [2], [9], [11], [10], [1], [1]])?;
/// let model = PoissonHmm::params(2).max_iter(2).tol(0.0).fit(&DatasetBase::new(counts, ()))?;
/// let report = model.report().ok_or("no fit")?;
/// assert_eq!((report.stop, report.n_iter()), (Stop::RanOut, 2));
/// assert!(report.objectives[2] >= report.objectives[1]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
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
