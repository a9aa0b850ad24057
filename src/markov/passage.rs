//! Whether and when the chain arrives: hitting, absorption, first passage.

use linfa::dataset::Label;
use ndarray::{Array1, Array2};

use super::{MarkovChain, check_dense, reduce, require};
use crate::error::{Error, Result};

/// How a chain leaves its transient states for good.
///
/// Row `i` of each matrix belongs to `transient[i]`.
///
/// # Example
/// ```
/// use sapwood::{MarkovChain, ndarray::array};
///
/// // A fair game that ends with nothing or with three.
/// let steps = array![[1.0, 0.0, 0.0, 0.0], [0.5, 0.0, 0.5, 0.0], [0.0, 0.5, 0.0, 0.5], [0.0, 0.0, 0.0, 1.0]];
/// let chain = MarkovChain::from_matrix(vec![0, 1, 2, 3], &[0.0, 1.0, 0.0, 0.0], steps.view())?;
/// let end = chain.absorption()?;
/// assert_eq!(end.transient, [1, 2]);
/// assert!((end.steps[0] - 2.0).abs() < 1e-12);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Absorption {
    /// The transient states, ascending.
    pub transient: Vec<usize>,
    /// The recurrent classes, by their smallest states.
    pub classes: Vec<Vec<usize>>,
    /// Expected visits to each transient state before absorption, the start included: the fundamental matrix `(I - Q)^-1`.
    pub visits: Array2<f64>,
    /// Expected steps until a recurrent class is reached.
    pub steps: Array1<f64>,
    /// Probability that it is this class, `(n_transient, n_classes)`.
    pub probabilities: Array2<f64>,
}

impl<L: Label> MarkovChain<L> {
    /// Fundamental matrix, and probabilities and times of absorption into the recurrent classes.
    ///
    /// # Errors
    /// [`Error::Parameter`] for more than 8192 transient states, or where the probability of ever being absorbed is below the range of numbers.
    ///
    /// # Complexity
    /// `O(m^3)` time and `O(m^2)` memory for `m` transient states. Without subtractions: every entry is accurate to a few units in the last place.
    ///
    /// # Example
    /// ```
    /// use sapwood::{MarkovChain, ndarray::array};
    ///
    /// // The gambler's ruin: one coin more or less until there are none, or four.
    /// let matrix = array![
    ///     [1.0, 0.0, 0.0, 0.0, 0.0],
    ///     [0.5, 0.0, 0.5, 0.0, 0.0],
    ///     [0.0, 0.5, 0.0, 0.5, 0.0],
    ///     [0.0, 0.0, 0.5, 0.0, 0.5],
    ///     [0.0, 0.0, 0.0, 0.0, 1.0],
    /// ];
    /// let chain = MarkovChain::from_matrix(vec![0, 1, 2, 3, 4], &[0.0, 0.0, 1.0, 0.0, 0.0], matrix.view())?;
    /// let ruin = chain.absorption()?;
    /// assert_eq!(ruin.steps, array![3.0, 4.0, 3.0]);
    /// assert_eq!(ruin.probabilities.column(0), array![0.75, 0.5, 0.25]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn absorption(&self) -> Result<Absorption> {
        let (recurrent, passing): (Vec<_>, Vec<_>) =
            self.classes().into_iter().partition(|class| class.is_recurrent);
        let mut transient: Vec<usize> = passing.into_iter().flat_map(|class| class.states).collect();
        transient.sort_unstable();
        let classes: Vec<Vec<usize>> = recurrent.into_iter().map(|class| class.states).collect();
        let m = transient.len();
        check_dense(m)?;
        let mut class_of = vec![usize::MAX; self.n_states()];
        for (number, states) in classes.iter().enumerate() {
            states.iter().for_each(|&state| class_of[state] = number);
        }
        // One solve for the visits and the classes side by side.
        let mut right = Array2::zeros((m, m + classes.len()));
        right.slice_mut(ndarray::s![.., ..m]).diag_mut().fill(1.0);
        for (i, &state) in transient.iter().enumerate() {
            for (to, p) in self.transitions.row(state).filter(|step| class_of[step.0] != usize::MAX) {
                right[[i, m + class_of[to]]] += p;
            }
        }
        let solution = self.solve_within(&transient, right)?;
        let (visits, probabilities) = solution.view().split_at(ndarray::Axis(1), m);
        Ok(Absorption {
            steps: visits.sum_axis(ndarray::Axis(1)),
            visits: visits.to_owned(),
            probabilities: probabilities.to_owned(),
            transient,
            classes,
        })
    }

    /// Probability from each state that one of `targets` is ever reached; 1 in the targets.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a target is no state or there is none, or more than 8192 states can reach them.
    pub fn hitting_probabilities(&self, targets: &[usize]) -> Result<Array1<f64>> {
        self.committor(&[], targets)
    }

    /// Probability from each state that one of `targets` is reached before one of `traps`: the forward committor.
    ///
    /// # Errors
    /// [`Error::Parameter`] when an entry is no state, is in both lists, or there is no target; or where more than 8192 states can reach them.
    pub fn committor(&self, traps: &[usize], targets: &[usize]) -> Result<Array1<f64>> {
        let n = self.n_states();
        self.check_states("targets", targets)?;
        self.check_states("traps", traps)?;
        require(!targets.is_empty(), "targets", "at least one state", "none")?;
        if let Some(both) = traps.iter().find(|trap| targets.contains(trap)) {
            return Err(Error::parameter("traps", "no targets at once", both));
        }
        let reaches = self.reaching(targets, traps);
        let mut hit = Array1::zeros(n);
        targets.iter().for_each(|&target| hit[target] = 1.0);
        let open: Vec<usize> = (0..n).filter(|&i| reaches[i] && hit[i] == 0.0).collect();
        check_dense(open.len())?;
        let into = |&i: &usize| self.transitions.row(i).filter(|step| hit[step.0] == 1.0).map(|s| s.1).sum();
        let right = Array2::from_shape_vec((open.len(), 1), open.iter().map(into).collect());
        let solution = self.solve_within(&open, right.unwrap_or_default())?;
        // Rounding can lift a probability an ulp above 1.
        open.iter().zip(solution.column(0)).for_each(|(&state, &p)| hit[state] = f64::min(p, 1.0));
        Ok(hit)
    }

    /// Expected steps from each state until one of `targets` is reached; infinite where it may never be.
    ///
    /// # Errors
    /// [`Error::Parameter`] when a target is no state or there is none, or for more than 8192 states to solve for.
    pub fn hitting_times(&self, targets: &[usize]) -> Result<Array1<f64>> {
        let n = self.n_states();
        self.check_states("targets", targets)?;
        require(!targets.is_empty(), "targets", "at least one state", "none")?;
        // A state that can get to where the targets are out of reach may never arrive.
        let reaches = self.reaching(targets, &[]);
        let lost: Vec<usize> = (0..n).filter(|&i| !reaches[i]).collect();
        let may_miss = self.reaching(&lost, targets);
        let mut times = Array1::zeros(n);
        (0..n).filter(|&i| may_miss[i]).for_each(|i| times[i] = f64::INFINITY);
        targets.iter().for_each(|&target| times[target] = 0.0);
        let is_target = {
            let mut is_target = vec![false; n];
            targets.iter().for_each(|&target| is_target[target] = true);
            is_target
        };
        let open: Vec<usize> = (0..n).filter(|&i| !may_miss[i] && !is_target[i]).collect();
        check_dense(open.len())?;
        let solution = self.solve_within(&open, Array2::ones((open.len(), 1)))?;
        open.iter().zip(solution.column(0)).for_each(|(&state, &steps)| times[state] = steps);
        Ok(times)
    }

    /// Expected steps `m_ij` from state `i` until state `j` is reached; `m_ii` is the mean time to return.
    ///
    /// # Errors
    /// [`Error::Parameter`] unless the chain is irreducible, with at most 8192 states.
    ///
    /// # Complexity
    /// `O(n^3)` time, `O(n^2)` memory.
    ///
    /// # Formula
    /// With `N` the expected visits before a state `r` is reached and `t = N 1`: on the way from `i`, `j` is met before `r` with
    /// probability `h_ij = N_ij / N_jj`, and one of them after `t_i - h_ij t_j` steps; `m_ij = t_i - h_ij t_j + (1 - h_ij) m_rj`.
    pub fn first_passage_times(&self) -> Result<Array2<f64>> {
        require(self.is_irreducible(), "chain", "irreducible", "several classes")?;
        let n = self.n_states();
        check_dense(n)?;
        let pi = self.stationary()?;
        // The reference r is the last state, so that the others keep their places.
        let r = n - 1;
        let others: Vec<usize> = (0..r).collect();
        let visits = self.solve_within(&others, Array2::eye(r))?;
        let t = visits.sum_axis(ndarray::Axis(1));
        let mut m = Array2::zeros((n, n));
        for j in 0..r {
            let h = |i: usize| visits[[i, j]] / visits[[j, j]];
            // From r: a way back to r without j is tried again, each time with chance sum_i P_ri h_ij to meet j.
            let (mut steps, mut chance) = (1.0, 0.0);
            for (i, p) in self.transitions.row(r).filter(|step| step.0 != r) {
                steps += p * (t[i] - h(i) * t[j]);
                chance += p * h(i);
            }
            m[[r, j]] = steps / chance;
            for i in (0..r).filter(|&i| i != j) {
                m[[i, j]] = t[i] - h(i) * t[j] + (1.0 - h(i)) * m[[r, j]];
            }
            m[[j, r]] = t[j];
        }
        for j in 0..n {
            m[[j, j]] = 1.0 / pi[j];
        }
        if m.iter().any(|steps| steps.is_nan()) { Err(hardly_left()) } else { Ok(m) }
    }

    /// Kemeny's constant: expected steps to a state drawn from the stationary distribution, whatever the start.
    ///
    /// Counts 0 steps to where one is already (`sum_(j != i) pi_j m_ij`, as Kemeny and Snell's `trace(Z) - 1`); some add 1 to it.
    ///
    /// # Errors
    /// Those of [`first_passage_times`](Self::first_passage_times).
    pub fn kemeny_constant(&self) -> Result<f64> {
        let pi = self.stationary()?;
        let m = self.first_passage_times()?;
        Ok((1..self.n_states()).map(|j| pi[j] * m[[0, j]]).sum())
    }

    /// Expected sum of `rewards[i]` over the steps before absorption, from each transient state; see [`Absorption::transient`] for their order.
    ///
    /// # Errors
    /// [`Error::Shape`] unless there is one reward for each state; [`Error::Parameter`] for more than 8192 transient states.
    pub fn reward_until_absorption(&self, rewards: &[f64]) -> Result<Array1<f64>> {
        crate::data::check_same_rows("rewards", rewards.len(), self.n_states())?;
        let transient = self.transient_states();
        check_dense(transient.len())?;
        let right = Array2::from_shape_fn((transient.len(), 1), |(i, _)| rewards[transient[i]]);
        Ok(self.solve_within(&transient, right)?.column(0).to_owned())
    }

    /// `X = Q X + right` for the steps `Q` among `open` states; what leaves them is the leak.
    fn solve_within(&self, open: &[usize], right: Array2<f64>) -> Result<Array2<f64>> {
        let m = open.len();
        let (mut q, mut leak) = (Array2::zeros((m, m)), vec![0.0; m]);
        for (i, &state) in open.iter().enumerate() {
            for (to, p) in self.transitions.row(state) {
                match open.binary_search(&to) {
                    Ok(j) => q[[i, j]] = p,
                    Err(_) => leak[i] += p,
                }
            }
        }
        reduce::solve(q, leak, right).ok_or_else(hardly_left)
    }

    /// Which states reach one of `targets` on a way that avoids `traps`; the targets do.
    fn reaching(&self, targets: &[usize], traps: &[usize]) -> Vec<bool> {
        let into = self.transitions.transposed();
        let mut reaches = vec![false; self.n_states()];
        let mut avoid = vec![false; self.n_states()];
        traps.iter().for_each(|&trap| avoid[trap] = true);
        let mut queue = targets.to_vec();
        targets.iter().for_each(|&target| reaches[target] = true);
        while let Some(state) = queue.pop() {
            for (from, p) in into.row(state) {
                if p > 0.0 && !reaches[from] && !avoid[from] {
                    reaches[from] = true;
                    queue.push(from);
                }
            }
        }
        reaches
    }

    fn check_states(&self, name: &'static str, states: &[usize]) -> Result<()> {
        let n = self.n_states();
        match states.iter().find(|&&state| state >= n) {
            None => Ok(()),
            Some(stray) => Err(Error::parameter(name, format!("among the {n} states, by place"), stray)),
        }
    }
}

/// The error for states that are left so seldom that the range of numbers ends.
fn hardly_left() -> Error {
    Error::parameter("chain", "left from all its passing states with a probability above 1e-308", "less")
}

impl Absorption {
    /// Variance of the steps until absorption, from each transient state: `(2 N - I) t - t o t`; infinite where they are.
    ///
    /// # References
    /// J. G. Kemeny and J. L. Snell, Finite Markov Chains (1960), theorem 3.3.5.
    #[must_use]
    pub fn steps_variance(&self) -> Array1<f64> {
        let variance = self.visits.dot(&self.steps) * 2.0 - &self.steps - &self.steps * &self.steps;
        variance.mapv_into(|v| if v.is_nan() { f64::INFINITY } else { v })
    }
}
