//! What comes next, and linfa's prediction: the labels along the most probable path.

use linfa::dataset::Label;
use linfa::traits::{Predict, PredictInplace};
use ndarray::{Array1, Array2, ArrayBase, Axis, Data, Ix2};

use super::{Categorical, Emission, Hmm};
use crate::data::{Sequences, check_columns, one_sequence, rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::log_sum_exp;

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// The distribution of the hidden state after the last observation of each sequence, `(n_sequences, n_states)`.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter).
    pub fn next_states<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Array2<F>> {
        let filtered = self.filter(sequences)?;
        let last: Vec<usize> =
            (0..sequences.n_sequences()).filter_map(|i| Some(sequences.range(i)?.end - 1)).collect();
        Ok(filtered.select(Axis(0), &last).dot(&self.transition))
    }

    /// The expected next observation of each sequence, `(n_sequences, n_features)`: the mean of the mixture of all states' distributions.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter), and [`Error::Parameter`] for an emission without means, as symbols are.
    ///
    /// # Example
    /// ```
    /// use sapwood::{GaussianHmm, data::Sequences, hmm::Gaussian, ndarray::array};
    ///
    /// let emission = Gaussian::diagonal(array![[0.0], [10.0]].view(), array![[1.0], [1.0]].view())?;
    /// let model = GaussianHmm::<f64>::new(array![0.5, 0.5], array![[0.9, 0.1], [0.2, 0.8]], emission)?;
    /// let x = Sequences::new(array![[0.1], [0.2], [9.8]], vec![2, 1])?;
    /// let next = model.next_means(&x)?;
    /// assert!((next[[0, 0]] - 1.0).abs() < 1e-9 && (next[[1, 0]] - 8.0).abs() < 1e-9);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn next_means<S: Data<Elem = E::Elem>>(&self, sequences: &Sequences<S>) -> Result<Array2<F>> {
        let means = self.emission.means();
        let means = means.ok_or_else(|| Error::parameter("emission", "one that has means", "one without"))?;
        Ok(self.next_states(sequences)?.dot(&means))
    }

    /// Log-density of each of `candidates` as the next observation of each sequence, `(n_sequences, n_candidates)`; `-inf` for impossible.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter), for the candidates too.
    ///
    /// # Example
    /// ```
    /// use sapwood::{PoissonHmm, data::Sequences, hmm::Poisson, ndarray::{Array2, array}};
    ///
    /// let model = PoissonHmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.1, 0.9]], Poisson::new(array![[2.0], [9.0]].view())?)?;
    /// let x = Sequences::single(array![[1], [2], [3]])?;
    /// let counts = Array2::from_shape_fn((60, 1), |(count, _)| count);
    /// let distribution = model.next_log_likelihoods(&x, &counts)?.mapv(f64::exp);
    /// assert!((distribution.sum() - 1.0).abs() < 1e-12);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn next_log_likelihoods<S: Data<Elem = E::Elem>, C: Data<Elem = E::Elem>>(
        &self,
        sequences: &Sequences<S>,
        candidates: &ArrayBase<C, Ix2>,
    ) -> Result<Array2<F>> {
        check_columns("candidates", candidates, self.emission.n_features())?;
        let view = candidates.view();
        let x = rows(&view);
        self.emission.check(&x)?;
        let (n, k) = (candidates.nrows(), self.n_states());
        let mut log_b = vec![F::zero(); n * k];
        self.emission.log_likelihoods(&x, &mut log_b, &mut Vec::new());
        let states = self.next_states(sequences)?;
        let mut logs = vec![F::zero(); k];
        Ok(Array2::from_shape_fn((states.nrows(), n), |(i, c)| {
            let row = &log_b[c * k..(c + 1) * k];
            logs.iter_mut().zip(row).zip(states.row(i)).for_each(|((log, &b), p)| *log = b + p.ln());
            log_sum_exp(&logs)
        }))
    }
}

impl<F: Float, L> Hmm<Categorical<F>, L> {
    /// Probability of each symbol to come next in each sequence, `(n_sequences, n_symbols)`.
    ///
    /// # Errors
    /// Those of [`filter`](Self::filter).
    ///
    /// # Example
    /// ```
    /// use sapwood::{CategoricalHmm, data::Sequences, hmm::Categorical, ndarray::array};
    ///
    /// let emission = Categorical::new(array![[0.9, 0.1], [0.2, 0.8]].view())?;
    /// let model = CategoricalHmm::new(array![1.0, 0.0], array![[0.5, 0.5], [0.5, 0.5]], emission)?;
    /// let next = model.next_symbols(&Sequences::single(array![[0]])?)?;
    /// assert!((next[[0, 0]] - 0.55).abs() < 1e-15);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn next_symbols<S: Data<Elem = usize>>(&self, sequences: &Sequences<S>) -> Result<Array2<F>> {
        Ok(self.next_states(sequences)?.dot(&self.emission.probabilities()))
    }
}

/// The labels along the most probable path.
///
/// # Panics
/// Where [`viterbi`](Hmm::viterbi) is an error, or `y` has another length; linfa's signature has no room for an error.
impl<E: Emission, L: Label, S: Data<Elem = E::Elem>> PredictInplace<Sequences<S>, Array1<L>> for Hmm<E, L> {
    fn predict_inplace<'a>(&'a self, x: &'a Sequences<S>, y: &mut Array1<L>) {
        let rows = x.records().nrows();
        assert_eq!(rows, y.len(), "`y` must have one entry for each of the {rows} rows, got {}", y.len());
        match self.viterbi(x) {
            Ok(path) => y.zip_mut_with(&path.states, |y, &state| y.clone_from(&self.labels[state])),
            Err(error) => panic!("{error}"),
        }
    }

    fn default_target(&self, x: &Sequences<S>) -> Array1<L> {
        Array1::default(x.records().nrows())
    }
}

impl<E: Emission, L: Label, S: Data<Elem = E::Elem>> Predict<&Sequences<S>, Array1<L>> for Hmm<E, L> {
    fn predict(&self, x: &Sequences<S>) -> Array1<L> {
        let mut y = self.default_target(x);
        self.predict_inplace(x, &mut y);
        y
    }
}

/// An array is one sequence, or none where it has no row.
///
/// # Panics
/// As for sequences.
impl<E: Emission, L: Label, S: Data<Elem = E::Elem>> PredictInplace<ArrayBase<S, Ix2>, Array1<L>>
    for Hmm<E, L>
{
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<S, Ix2>, y: &mut Array1<L>) {
        if let Some(sequence) = one_sequence(x.view(), y.len()) {
            self.predict_inplace(&sequence, y);
        }
    }

    fn default_target(&self, x: &ArrayBase<S, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}
