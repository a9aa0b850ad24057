//! Where the chain stays in the long run.

use linfa::dataset::Label;
use ndarray::{Array1, Array2};

use super::classes::CommunicatingClass;
use super::{MarkovChain, reduce, require};
use crate::error::Result;

/// A class of at most this many states is solved by elimination, a larger one by sweeps over its transitions.
const MAX_ELIMINATED: usize = 1000;

/// Sweeps after which an iteration stops, wherever it is.
const MAX_SWEEPS: usize = 20_000;

/// The stationary distribution of one recurrent class.
///
/// # Example
/// ```
/// use sapwood::{MarkovChain, ndarray::array};
///
/// let chain = MarkovChain::from_matrix(vec!["sun", "rain"], &[1.0, 0.0], array![[0.9, 0.1], [0.3, 0.7]].view())?;
/// let all = chain.stationary_distributions();
/// assert_eq!(all.len(), 1);
/// assert!((all[0].probabilities[0] - 0.75).abs() < 1e-12);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Stationary {
    /// The states of the class, ascending; all others have probability 0.
    pub states: Vec<usize>,
    /// The probability of each of them.
    pub probabilities: Vec<f64>,
    /// `sum_j |(pi P)_j - pi_j|`: what is left of the equation. Around 1e-15; more says that the sweeps ran out on a chain that mixes slowly.
    pub residual: f64,
}

impl<L: Label> MarkovChain<L> {
    /// The stationary distribution `pi = pi P` of each recurrent class, by their smallest states.
    ///
    /// Periodic classes have one too: the share of time that is spent in each state.
    ///
    /// # Complexity
    /// `O(m^3)` for a class of `m <= 1000` states, by elimination without subtractions: each probability is accurate to a few units in the last
    /// place. Larger classes take `O(m_transitions)` for each Gauss-Seidel sweep, at most 20,000, and linear memory.
    #[must_use]
    pub fn stationary_distributions(&self) -> Vec<Stationary> {
        self.classes()
            .into_iter()
            .filter(|class| class.is_recurrent)
            .map(|class| self.settle(class))
            .collect()
    }

    /// The stationary distribution of a chain with one recurrent class, for every state.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) where there are several recurrent classes, each with its own.
    pub fn stationary(&self) -> Result<Array1<f64>> {
        let classes = self.stationary_distributions();
        require(classes.len() == 1, "chain", "of one recurrent class", format_args!("{}", classes.len()))?;
        let mut pi = Array1::zeros(self.n_states());
        for (&state, &p) in classes[0].states.iter().zip(&classes[0].probabilities) {
            pi[state] = p;
        }
        Ok(pi)
    }

    /// Reward of a step in the long run, when being in state `i` pays `rewards[i]`.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) unless there is one reward for each state; those of [`stationary`](Self::stationary).
    pub fn long_run_reward(&self, rewards: &[f64]) -> Result<f64> {
        crate::data::check_same_rows("rewards", rewards.len(), self.n_states())?;
        Ok(self.stationary()?.dot(&ndarray::ArrayView1::from(rewards)))
    }

    fn settle(&self, class: CommunicatingClass) -> Stationary {
        let states = class.states;
        let m = states.len();
        let place = |state: usize| states.binary_search(&state).unwrap_or_default();
        let probabilities = if m <= MAX_ELIMINATED {
            let mut p = Array2::zeros((m, m));
            for (i, &state) in states.iter().enumerate() {
                for (to, value) in self.transitions.row(state).filter(|step| step.1 > 0.0) {
                    p[[i, place(to)]] = value;
                }
            }
            reduce::stationary(p)
        } else {
            self.sweep(&states)
        };
        let mut full = vec![0.0; self.n_states()];
        states.iter().zip(&probabilities).for_each(|(&state, &p)| full[state] = p);
        let mut next = vec![0.0; self.n_states()];
        self.step(&full, &mut next);
        let residual = full.iter().zip(&next).map(|(a, b)| (a - b).abs()).sum();
        Stationary { states, probabilities, residual }
    }

    /// Gauss-Seidel on `pi_j (1 - P_jj) = sum_(i != j) pi_i P_ij`, forwards and backwards in turn, until a pair of sweeps moves less than
    /// 1e-12 of the mass and no less than the pair before: until only rounding is left.
    pub(super) fn sweep(&self, states: &[usize]) -> Vec<f64> {
        let into = self.transitions.transposed();
        let mut pi = vec![0.0; self.n_states()];
        states.iter().for_each(|&state| pi[state] = 1.0 / states.len() as f64);
        let leave: Vec<f64> =
            states.iter().map(|&j| self.transitions.row(j).filter(|s| s.0 != j).map(|s| s.1).sum()).collect();
        let mut before = f64::INFINITY;
        for _ in 0..MAX_SWEEPS / 2 {
            let mut moved = 0.0;
            let mut update = |k: usize| {
                let j = states[k];
                // What enters from other classes is 0: those states have no mass.
                let inflow: f64 = into.row(j).filter(|step| step.0 != j).map(|(i, p)| pi[i] * p).sum();
                let new = inflow / leave[k];
                moved += (new - pi[j]).abs();
                pi[j] = new;
            };
            (0..states.len()).for_each(&mut update);
            (0..states.len()).rev().for_each(&mut update);
            let sum: f64 = states.iter().map(|&state| pi[state]).sum();
            states.iter().for_each(|&state| pi[state] /= sum);
            if moved == 0.0 || (moved <= 1e-12 * sum && moved >= before) {
                break;
            }
            before = moved;
        }
        states.iter().map(|&state| pi[state]).collect()
    }
}
