//! The most probable paths, in order: list Viterbi.

use ndarray::{Array1, Data};

use super::engine::{Engine, Observations, Workspace};
use super::{Emission, Hmm, Observed};
use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::par;

/// One of the most probable paths of a sequence.
///
/// # Example
/// See [`Hmm::ranked_paths`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct RankedPath {
    /// The state of each row, by place; [`Hmm::labels`] has their labels.
    pub states: Array1<usize>,
    /// Log of the joint probability of path and observations.
    pub log_probability: f64,
}

/// A path that leaves another at row `at`, where it is in `state`: after `at` it is the other, before `at` it is the most probable way there.
struct Branch {
    /// How much less probable than the best path, as a log.
    loss: f64,
    /// Number of the other path.
    from: usize,
    at: usize,
    state: usize,
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// The `n_paths` most probable paths of each sequence, best first; fewer where fewer have a probability above 0.
    ///
    /// The first is that of [`viterbi`](Self::viterbi).
    ///
    /// # Example
    /// ```
    /// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::array};
    ///
    /// let emission = Categorical::new(array![[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]].view())?;
    /// let model = CategoricalHmm::new(array![0.6, 0.4], array![[0.7, 0.3], [0.4, 0.6]], emission)?;
    /// let visits = Sequences::single(array![[0], [1], [2]])?;
    /// let paths = &model.ranked_paths(&visits, 2)?[0];
    /// assert_eq!(paths[0].states, array![0, 0, 1]);
    /// assert_eq!(paths[1].states, array![0, 1, 1]);
    /// assert!((paths[1].log_probability.exp() - 0.3 * 0.3 * 0.3 * 0.6 * 0.6).abs() < 1e-15);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`viterbi`](Self::viterbi); [`Error::Parameter`] unless `n_paths` is at least 1 and all paths together have at most 2^32 states.
    ///
    /// # Complexity
    /// For a sequence of `n` rows: `O(n k (k + n_paths))` time, memory for `n k` numbers and the paths.
    ///
    /// # References
    /// N. Seshadri and C.-E. W. Sundberg, List Viterbi decoding algorithms (1994); F. K. Soong and E.-F. Huang, A tree-trellis based fast search (1991).
    #[doc(alias = "k_best")]
    pub fn ranked_paths<S: Data<Elem = E::Elem>>(
        &self,
        sequences: &Sequences<S>,
        n_paths: usize,
    ) -> Result<Vec<Vec<RankedPath>>> {
        let observed = Observed::new(&self.emission, sequences)?;
        let size = n_paths.checked_mul(observed.n_rows()).filter(|&size| size > 0 && size <= 1 << 32);
        if size.is_none() {
            return Err(Error::parameter("n_paths", "at least 1, and at most 2^32 / n_rows", n_paths));
        }
        let (engine, groups) = (self.engine(), observed.groups(64));
        let parts = par::map(groups.len(), |g| {
            let mut work = Workspace::default();
            let paths = |i| ranked(&engine, observed.sequence(i), &mut work, n_paths);
            groups[g].clone().map(paths).collect::<Vec<_>>()
        });
        let paths: Vec<_> = parts.into_iter().flatten().collect();
        super::decode::check_possible(paths.iter().map(|paths| paths[0].log_probability))?;
        Ok(paths)
    }
}

/// Every path but the best leaves one that is more probable, at the last row where the two differ: so the paths are a tree, whose branches
/// are looked at in the order of their probability.
fn ranked<F: Float, E: Emission<Float = F>>(
    engine: &Engine<'_, E>,
    x: Observations<'_, E::Elem>,
    work: &mut Workspace<F>,
    n_paths: usize,
) -> Vec<RankedPath> {
    let (k, n) = (engine.k, engine.n_rows(x));
    let mut states = vec![0; n];
    let best = engine.best(x, work, &mut states);
    let delta = &work.alpha[..n * k];
    let mut paths = vec![RankedPath { states: states.into(), log_probability: best }];
    // The branch that each path is, and those that are not taken yet, by ascending loss.
    let mut taken = Branch { loss: 0.0, from: 0, at: n, state: 0 };
    let mut open: Vec<Branch> = Vec::new();
    let mut ways = vec![F::zero(); k];
    while best > f64::NEG_INFINITY && paths.len() < n_paths {
        let (from, room) = (paths.len() - 1, n_paths - paths.len());
        open.truncate(room);
        // Branches at later rows leave the path that this one has left.
        for t in (0..taken.at).rev() {
            let path = &paths[from].states;
            if t + 1 == n {
                ways.copy_from_slice(&delta[t * k..]);
            } else {
                ways.iter_mut().zip(engine.ways(delta, t, path[t + 1])).for_each(|(way, v)| *way = v);
            }
            let chosen = ways[path[t]];
            for (state, &way) in ways.iter().enumerate() {
                // A loss is a difference within one row, whose offset cancels.
                let loss = taken.loss + (chosen - way).as_f64();
                let full = open.len() == room && open.last().is_some_and(|worst| loss >= worst.loss);
                if state == path[t] || way == F::neg_infinity() || full {
                    continue;
                }
                let place = open.partition_point(|branch| branch.loss <= loss);
                open.insert(place, Branch { loss, from, at: t, state });
                open.truncate(room);
            }
        }
        if open.is_empty() {
            break;
        }
        taken = open.remove(0);
        let mut states = paths[taken.from].states.to_vec();
        states[taken.at] = taken.state;
        engine.follow(delta, &mut states[..=taken.at]);
        paths.push(RankedPath { states: states.into(), log_probability: best - taken.loss });
    }
    paths
}
