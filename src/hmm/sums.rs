//! Expected counts: what EM maximises, and what parts of the data add up to.

use ndarray::{Array1, Array2};

use super::decode::check_possible;
use super::engine::{UNKNOWN, Workspace};
use super::{Emission, Hmm, Observed};
use crate::error::Result;
use crate::float::Float;
use crate::par;

/// Expected counts of a model over sequences: the sufficient statistics of EM.
///
/// Sums over parts of the data [`merge`](Self::merge) to those of the whole, so parts can be summed on different machines.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::array};
///
/// let emission = Categorical::new(array![[0.9, 0.1], [0.2, 0.8]].view())?;
/// let model = CategoricalHmm::new(array![0.5, 0.5], array![[0.7, 0.3], [0.3, 0.7]], emission)?;
/// let x = array![[0], [0], [1], [1], [1]];
/// let whole = model.expected_sums(&Sequences::new(x.clone(), vec![2, 3])?)?;
/// let mut parts = model.expected_sums(&Sequences::single(x.slice(sapwood::ndarray::s![..2, ..]))?)?;
/// let second = model.expected_sums(&Sequences::single(x.slice(sapwood::ndarray::s![2.., ..]))?)?;
/// parts.merge(&second, 1.0);
/// assert!((parts.transitions - whole.transitions).iter().all(|v| v.abs() < 1e-15));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(bound(serialize = "E::Sums: serde::Serialize", deserialize = "E::Sums: serde::Deserialize<'de>"))
)]
#[non_exhaustive]
pub struct HmmSums<E: Emission> {
    /// Expected number of sequences that begin in each state.
    pub initial: Array1<f64>,
    /// Expected number of steps from each state to each, `(n_states, n_states)`.
    pub transitions: Array2<f64>,
    /// Those of the emission.
    pub emission: E::Sums,
    /// Log-likelihood of the sequences.
    pub log_likelihood: f64,
    /// Number of rows.
    pub n_rows: f64,
}

impl<F: Float, E: Emission<Float = F>> HmmSums<E> {
    fn zero<L>(hmm: &Hmm<E, L>) -> Self {
        let k = hmm.n_states();
        Self {
            initial: Array1::zeros(k),
            transitions: Array2::zeros((k, k)),
            emission: hmm.emission.sums(),
            log_likelihood: 0.0,
            n_rows: 0.0,
        }
    }

    /// Adds `weight` times other sums.
    pub fn merge(&mut self, other: &Self, weight: f64) {
        self.initial.scaled_add(weight, &other.initial);
        self.transitions.scaled_add(weight, &other.transitions);
        E::merge(&mut self.emission, &other.emission, weight);
        self.log_likelihood += weight * other.log_likelihood;
        self.n_rows += weight * other.n_rows;
    }

    /// The E-step: groups of sequences side by side, their sums in order.
    pub(super) fn expect<L>(hmm: &Hmm<E, L>, observed: &Observed<'_, E::Elem>) -> Result<Self> {
        let (engine, groups) = (hmm.engine(), observed.groups(16));
        let (k, d) = (engine.k, observed.width);
        let zero = Self::zero(hmm);
        let parts = par::map(groups.len(), |g| {
            let mut work = Workspace::default();
            let mut sums = zero.clone();
            let mut scores = Vec::with_capacity(groups[g].len());
            for i in groups[g].clone() {
                let sequence = observed.sequence(i);
                let (initial, emission) = (&mut sums.initial, &mut sums.emission);
                let each = |rows: std::ops::Range<usize>, gamma: &[F], scratch: &mut Vec<F>| {
                    let x = &sequence.x[rows.start * d..rows.end * d];
                    engine.emission.accumulate(x, gamma, emission, scratch);
                    if rows.start == 0 {
                        initial.iter_mut().zip(&gamma[..k]).for_each(|(sum, gamma)| *sum += gamma.as_f64());
                    }
                };
                let score = engine.smooth(sequence, &mut work, sums.transitions.as_slice_mut(), each);
                scores.push(score);
                sums.log_likelihood += score;
                sums.n_rows += (sequence.x.len() / d) as f64;
            }
            (sums, scores)
        });
        check_possible(parts.iter().flat_map(|part| part.1.iter().copied()))?;
        let mut sums = zero;
        parts.iter().for_each(|part| sums.merge(&part.0, 1.0));
        // The factor A of every term of the sum over time, once.
        sums.transitions.zip_mut_with(&hmm.transition, |sum, p| *sum *= p.as_f64());
        Ok(sums)
    }

    /// Counts of the rows whose states are known, and of the steps between two such.
    pub(super) fn of_known<L>(hmm: &Hmm<E, L>, observed: &Observed<'_, E::Elem>) -> Self {
        let k = hmm.n_states();
        let mut sums = Self::zero(hmm);
        let mut scratch = Vec::new();
        let mut gamma = vec![F::zero(); k];
        for i in 0..observed.n_sequences() {
            let sequence = observed.sequence(i);
            let mut from = None;
            for (t, (&state, x)) in
                sequence.known.iter().zip(sequence.x.chunks_exact(observed.width)).enumerate()
            {
                if state == UNKNOWN {
                    from = None;
                    continue;
                }
                gamma.fill(F::zero());
                gamma[state] = F::one();
                hmm.emission.accumulate(x, &gamma, &mut sums.emission, &mut scratch);
                match from {
                    Some(from) => sums.transitions[[from, state]] += 1.0,
                    None if t == 0 => sums.initial[state] += 1.0,
                    None => {}
                }
                from = Some(state);
            }
        }
        sums
    }
}
