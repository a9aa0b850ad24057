//! How a fit ended.

use std::fmt;

/// How a fit of a logistic regression ended, and what it took.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::{Dataset, traits::Fit}, ndarray::array};
///
/// let data = Dataset::new(array![[0.0], [1.0], [2.0], [3.0]], array![0_usize, 1, 0, 1]);
/// let model = LogisticRegression::params().fit(&data)?;
/// assert!(model.report().converged());
/// assert!(model.report().gap <= 1e-10);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Report {
    /// Why the fit stopped.
    pub outcome: Outcome,
    /// Steps taken.
    pub iterations: usize,
    /// Passes over all rows: evaluations of the objective with its gradient.
    pub passes: usize,
    /// The penalised objective at the end.
    pub objective: f64,
    /// Estimated part of the objective that is left to gain: half the Newton decrement, or the duality gap where there is an L1 penalty.
    pub gap: f64,
    /// Largest absolute entry of the gradient at the end; with an L1 penalty, of the subgradient nearest to 0.
    pub gradient_norm: f64,
}

/// Why a fit stopped.
///
/// # Example
/// See [`Report`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Outcome {
    /// The gap fell to the tolerance.
    Converged,
    /// The iterations ran out, or rounding hid all further descent.
    RanOut,
    /// Without a penalty the classes can be separated, some of them or nearly: the likelihood grows with the coefficients, as far as numbers tell.
    Separable,
}

impl Report {
    /// Of a fit that has done nothing yet.
    pub(super) fn begun() -> Self {
        Self {
            outcome: Outcome::RanOut,
            iterations: 0,
            passes: 0,
            objective: f64::INFINITY,
            gap: f64::INFINITY,
            gradient_norm: f64::INFINITY,
        }
    }

    /// Whether the optimum was reached to the tolerance.
    #[must_use]
    pub fn converged(&self) -> bool {
        self.outcome == Outcome::Converged
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { outcome, iterations, passes, objective, gap, gradient_norm } = self;
        let outcome = match outcome {
            Outcome::Converged => "converged",
            Outcome::RanOut => "ran out of iterations",
            Outcome::Separable => "classes are separable",
        };
        write!(
            f,
            "{outcome} after {iterations} iterations ({passes} passes): objective {objective:.6}, \
             relative gap {gap:.1e}, gradient {gradient_norm:.1e}"
        )
    }
}
