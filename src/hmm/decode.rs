//! What a model says of observations: scores, posteriors, paths, samples.

use ndarray::{Array1, Array2, Data};
use rand::RngCore;

use super::engine::{Engine, Matrices, Workspace};
use super::{Emission, Hmm, HmmSums, Observed, draw};
use crate::data::{Sequences, table_len};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::par;

/// A path of hidden states through each sequence.
///
/// # Example
/// See [`Hmm`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Path {
    /// The state of each row, by place; [`Hmm::labels`] has their labels.
    pub states: Array1<usize>,
    /// For each sequence, the log of the joint probability of path and observations.
    pub log_probabilities: Array1<f64>,
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    pub(super) fn engine(&self) -> Engine<'_, E> {
        self.engine_in(Matrices::default())
    }

    /// The engine in the memory of another.
    pub(super) fn engine_in(&self, matrices: Matrices<F>) -> Engine<'_, E> {
        let initial = self.initial.as_slice().unwrap_or_default();
        Engine::new(initial, self.transition.as_slice().unwrap_or_default(), &self.emission, matrices)
    }

    /// Log-likelihood of each sequence; `-inf` for one that is impossible.
    ///
    /// # Errors
    /// [`Error::Shape`] for a wrong width; what [`Emission::check`] finds.
    ///
    /// # Complexity
    /// `O(n k^2)` time, memory for a block of rows.
    pub fn log_likelihoods<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Array1<f64>> {
        Ok(self.scores(&Observed::new(&self.emission, sequences)?).into())
    }

    /// Log-likelihood of all sequences together; `-inf` where one is impossible.
    ///
    /// # Errors
    /// Those of [`log_likelihoods`](Self::log_likelihoods).
    pub fn score<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        Ok(self.log_likelihoods(sequences)?.sum())
    }

    /// Akaike's criterion `2 p - 2 log L`; the smaller, the better.
    ///
    /// # Errors
    /// Those of [`log_likelihoods`](Self::log_likelihoods).
    pub fn aic<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        Ok(2.0 * self.n_parameters() as f64 - 2.0 * self.score(sequences)?)
    }

    /// Schwarz's criterion `p ln n - 2 log L` for `n` rows; the smaller, the better.
    ///
    /// # Errors
    /// Those of [`log_likelihoods`](Self::log_likelihoods).
    pub fn bic<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        let n = sequences.records().nrows() as f64;
        Ok(self.n_parameters() as f64 * n.ln() - 2.0 * self.score(sequences)?)
    }

    /// Filtered probabilities `p(z_t | x_1 .. x_t)`, `(n, n_states)`.
    ///
    /// # Errors
    /// Those of [`log_likelihoods`](Self::log_likelihoods), and [`Error::Shape`] for an impossible sequence.
    pub fn filter<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Array2<F>> {
        let observed = Observed::new(&self.emission, sequences)?;
        self.each_row(&observed, |engine, i, work, out| engine.filter(observed.sequence(i), work, out))
    }

    /// Backward probabilities: how likely each state makes what comes after it, `(n, n_states)`, each row with a sum of 1.
    ///
    /// # Formula
    /// `beta_t(i) = p(x_(t+1) .. x_n | z_t = i)`, divided by its sum over `i`, as by themselves these numbers leave the range of a float. In the last row
    /// all are equal. [`posteriors`](Self::posteriors) are the products of this and of [`filter`](Self::filter), entry by entry, divided by the sum of each row.
    ///
    /// # Example
    /// ```
    /// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::{Axis, array}};
    ///
    /// let emission = Categorical::new(array![[0.9, 0.1], [0.2, 0.8]].view())?;
    /// let model = CategoricalHmm::new(array![0.5, 0.5], array![[0.7, 0.3], [0.3, 0.7]], emission)?;
    /// let umbrellas = Sequences::single(array![[0], [0], [1], [0], [0]])?;
    /// let backward = model.backward(&umbrellas)?;
    /// assert!((backward[[3, 0]] - 0.69 / 1.1).abs() < 1e-15);
    /// let product = model.filter(&umbrellas)? * backward;
    /// let smoothed = &product / &product.sum_axis(Axis(1)).insert_axis(Axis(1));
    /// assert!((smoothed - model.posteriors(&umbrellas)?).iter().all(|gap| gap.abs() < 1e-15));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter).
    ///
    /// # Complexity
    /// `O(n k^2)` time.
    ///
    /// # References
    /// Rabiner (1989), equations 23 to 25.
    pub fn backward<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Array2<F>> {
        let observed = Observed::new(&self.emission, sequences)?;
        self.each_row(&observed, |engine, i, work, out| engine.look_ahead(observed.sequence(i), work, out))
    }

    /// Smoothed probabilities `p(z_t | x_1 .. x_n)`, `(n, n_states)`.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter).
    ///
    /// # Complexity
    /// `O(n k^2)` time, `O(n k)` memory.
    #[doc(alias = "predict_proba")]
    pub fn posteriors<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Array2<F>> {
        let observed = Observed::new(&self.emission, sequences)?;
        let k = self.n_states();
        self.each_row(&observed, |engine, i, work, out| {
            let x = observed.sequence(i);
            engine.smooth(x, work, None, |rows, gamma, _| {
                out[rows.start * k..rows.end * k].copy_from_slice(gamma);
            })
        })
    }

    /// Expected counts over the sequences: first states, transitions, and the emission's sums; what EM maximises.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter).
    pub fn expected_sums<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<HmmSums<E>> {
        let observed = Observed::new(&self.emission, sequences)?;
        HmmSums::expect(self, &observed)
    }

    /// The most probable path of hidden states through each sequence.
    ///
    /// Of several equal ones, that with the lowest last state, then the lowest one before it, and so on.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter).
    ///
    /// # Complexity
    /// `O(n k^2)` time, `O(n k)` memory.
    #[doc(alias = "decode")]
    pub fn viterbi<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Path> {
        let observed = Observed::new(&self.emission, sequences)?;
        let mut states = par::filled(observed.n_rows(), 0);
        let log_probabilities = self.each_sequence(&observed, 1, &mut states, |engine, i, work, path| {
            engine.best(observed.sequence(i), work, path)
        });
        check_possible(log_probabilities.iter().copied())?;
        Ok(Path { states: states.into(), log_probabilities: log_probabilities.into() })
    }

    /// Draws hidden states and observations of one sequence, `(len, n_features)`.
    pub fn sample(&self, len: usize, rng: &mut dyn RngCore) -> (Array2<E::Elem>, Array1<usize>) {
        let d = self.emission.n_features();
        let mut x = Array2::default((len, d));
        let mut states = Array1::zeros(len);
        for (t, mut row) in x.rows_mut().into_iter().enumerate() {
            let from = match t {
                0 => self.initial.view(),
                _ => self.transition.row(states[t - 1]),
            };
            states[t] = draw(from.iter().map(|p| p.as_f64()), rng);
            if let Some(row) = row.as_slice_mut() {
                self.emission.draw(states[t], row, rng);
            }
        }
        (x, states)
    }

    /// Log-likelihoods of checked sequences.
    pub(super) fn scores(&self, observed: &Observed<'_, E::Elem>) -> Vec<f64> {
        let score = |engine: &Engine<'_, E>, i, work: &mut Workspace<F>, _: &mut [()]| {
            engine.score(observed.sequence(i), work)
        };
        self.each_sequence(observed, 0, &mut [], score)
    }

    /// A row of `n_states` numbers for each observation: `f` fills those of a sequence and returns its log-likelihood.
    fn each_row(
        &self,
        observed: &Observed<'_, E::Elem>,
        f: impl Fn(&Engine<'_, E>, usize, &mut Workspace<F>, &mut [F]) -> f64 + Send + Sync,
    ) -> Result<Array2<F>> {
        let (n, k) = (observed.n_rows(), self.n_states());
        let Some(len) = table_len::<F>(n, k) else {
            return Err(Error::parameter("n_states", "small enough for a row at each observation", k));
        };
        let mut out = vec![F::zero(); len];
        check_possible(self.each_sequence(observed, k, &mut out, f).into_iter())?;
        Ok(Array2::from_shape_vec((n, k), out).unwrap_or_default())
    }

    /// `width` entries of `out` for each observation: `f` fills those of a sequence; what it returns comes back in the order of the sequences.
    fn each_sequence<T: Send>(
        &self,
        observed: &Observed<'_, E::Elem>,
        width: usize,
        out: &mut [T],
        f: impl Fn(&Engine<'_, E>, usize, &mut Workspace<F>, &mut [T]) -> f64 + Send + Sync,
    ) -> Vec<f64> {
        let (engine, groups) = (self.engine(), observed.groups(64));
        let ranges = &observed.ranges;
        let mut scores = vec![0.0; observed.n_sequences()];
        let (mut rest, mut rest_scores) = (out, &mut scores[..]);
        let mut parts = Vec::with_capacity(groups.len());
        for group in &groups {
            let rows = group.clone().map(|i| ranges[i].len()).sum::<usize>();
            let (part, after) = rest.split_at_mut(rows * width);
            let (part_scores, after_scores) = rest_scores.split_at_mut(group.len());
            (rest, rest_scores) = (after, after_scores);
            parts.push((part, part_scores));
        }
        par::for_each(parts, |g, (mut part, scores)| {
            let mut work = Workspace::default();
            for (i, score) in groups[g].clone().zip(scores) {
                let (out, after) = part.split_at_mut(ranges[i].len() * width);
                part = after;
                *score = f(&engine, i, &mut work, out);
            }
        });
        scores
    }
}

/// An error that names the first sequence without a probability.
pub(super) fn check_possible(mut log_likelihoods: impl Iterator<Item = f64>) -> Result<()> {
    match log_likelihoods.position(|log| log == f64::NEG_INFINITY) {
        None => Ok(()),
        Some(i) => {
            let value = format_args!("the impossible sequence {i}");
            Err(Error::shape("records", "a probability above 0 under the model", value))
        }
    }
}
