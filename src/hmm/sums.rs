//! Expected counts: what EM maximises, and what parts of the data add up to.

use std::ops::Range;

use ndarray::{Array1, Array2};

use super::engine::{Engine, Matrices, Observations, UNKNOWN, Workspace};
use super::{Emission, Hmm, Observed};
use crate::error::{Error, Result};
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
    serde(bound(serialize = "E::Sums: serde::Serialize", deserialize = "E::Sums: serde::Deserialize<'de>")),
    serde(try_from = "super::stored::Sums<E>")
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
    /// The sums over no sequence, for `hmm`.
    #[must_use]
    pub fn zero<L>(hmm: &Hmm<E, L>) -> Self {
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
    ///
    /// # Panics
    /// When they are of a model with another number of states.
    pub fn merge(&mut self, other: &Self, weight: f64) {
        let (ours, theirs) = (self.initial.len(), other.initial.len());
        assert_eq!(ours, theirs, "`other` must be of {ours} states, got {theirs}");
        self.initial.scaled_add(weight, &other.initial);
        self.transitions.scaled_add(weight, &other.transitions);
        E::merge(&mut self.emission, &other.emission, weight);
        self.log_likelihood += weight * other.log_likelihood;
        self.n_rows += weight * other.n_rows;
    }

    /// Errors unless the sums have the sizes of a model's.
    pub(super) fn check_fits(&self, k: usize, emission: &E) -> Result<()> {
        let fits = self.initial.len() == k
            && self.transitions.dim() == (k, k)
            && self.transitions.is_standard_layout()
            && emission.fits(&self.emission);
        if fits {
            return Ok(());
        }
        let value = format!("{} states and others", self.initial.len());
        Err(Error::shape("sums", format!("the sizes of a model of {k} states"), value))
    }

    /// The E-step: groups of sequences side by side, their sums in order.
    pub(super) fn expect<L>(hmm: &Hmm<E, L>, observed: &Observed<'_, E::Elem>) -> Result<Self> {
        let mut rooms = Rooms::default();
        rooms.expect(hmm, observed)?;
        Ok(rooms.total.unwrap_or_else(|| Self::zero(hmm)))
    }

    /// Makes sums over no sequence of these, for a model of the same sizes.
    fn clear(&mut self, emission: &E) {
        self.initial.fill(0.0);
        self.transitions.fill(0.0);
        emission.clear(&mut self.emission);
        (self.log_likelihood, self.n_rows) = (0.0, 0.0);
    }

    /// Adds a sequence; returns its log-likelihood.
    pub(super) fn add(
        &mut self,
        engine: &Engine<'_, E>,
        sequence: Observations<'_, E::Elem>,
        work: &mut Workspace<F>,
    ) -> f64 {
        let (k, d) = (engine.k, engine.emission.n_features());
        let (initial, emission) = (&mut self.initial, &mut self.emission);
        let each = |rows: Range<usize>, gamma: &[F], scratch: &mut Vec<F>| {
            let x = &sequence.x[rows.start * d..rows.end * d];
            engine.emission.accumulate(x, gamma, emission, scratch);
            if rows.start == 0 {
                initial.iter_mut().zip(&gamma[..k]).for_each(|(sum, gamma)| *sum += gamma.as_f64());
            }
        };
        let score = engine.smooth(sequence, work, self.transitions.as_slice_mut(), each);
        if score > f64::NEG_INFINITY {
            self.log_likelihood += score;
            self.n_rows += (sequence.x.len() / d) as f64;
        }
        score
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

/// Memory of the E-step, kept from round to round: after the first, a round allocates nothing.
#[derive(Debug)]
pub(super) struct Rooms<E: Emission> {
    matrices: Matrices<E::Float>,
    groups: Vec<Range<usize>>,
    rooms: Vec<Room<E>>,
    total: Option<HmmSums<E>>,
}

/// What one group of sequences needs.
#[derive(Debug)]
struct Room<E: Emission> {
    work: Workspace<E::Float>,
    sums: HmmSums<E>,
    scores: Vec<f64>,
}

impl<E: Emission> Default for Rooms<E> {
    fn default() -> Self {
        Self { matrices: Matrices::default(), groups: Vec::new(), rooms: Vec::new(), total: None }
    }
}

impl<F: Float, E: Emission<Float = F>> Rooms<E> {
    /// Expected counts under `hmm`.
    pub(super) fn expect<L>(
        &mut self,
        hmm: &Hmm<E, L>,
        observed: &Observed<'_, E::Elem>,
    ) -> Result<&HmmSums<E>> {
        let Self { matrices, groups, rooms, total } = self;
        let engine = hmm.engine_in(std::mem::take(matrices));
        observed.groups_into(16, groups);
        rooms.resize_with(groups.len(), || Room {
            work: Workspace::default(),
            sums: HmmSums::zero(hmm),
            scores: Vec::new(),
        });
        par::for_each_chunk_mut(rooms, 1, |g, rooms| {
            for Room { work, sums, scores } in rooms {
                sums.clear(engine.emission);
                scores.clear();
                scores.extend(groups[g].clone().map(|i| sums.add(&engine, observed.sequence(i), work)));
            }
        });
        *matrices = engine.matrices;
        super::decode::check_possible(rooms.iter().flat_map(|room| room.scores.iter().copied()))?;
        let total = total.get_or_insert_with(|| HmmSums::zero(hmm));
        total.clear(&hmm.emission);
        rooms.iter().for_each(|room| total.merge(&room.sums, 1.0));
        Ok(total)
    }
}
