//! What a chain says of sequences: their probability, what comes next, and new ones.

use linfa::dataset::Label;
use linfa::traits::{Predict, PredictInplace};
use ndarray::{Array1, ArrayBase, Data, Ix2};
use rand::Rng;

use super::counts::check_one_column;
use super::{MarkovChain, check_distribution};
use crate::data::{Sequences, one_sequence};
use crate::error::{Error, Result};

impl<L: Label> MarkovChain<L> {
    /// Log of the probability of the sequences; `-inf` where one is impossible.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a label that is no state; [`Error::Shape`] when the records have more than one column.
    pub fn log_likelihood<S: Data<Elem = L>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        check_one_column(sequences)?;
        let mut sum = 0.0;
        for sequence in sequences.iter() {
            let mut from = None;
            for label in sequence.column(0) {
                let to = self.index(label)?;
                let p = match from {
                    None => self.initial[to],
                    Some(from) => self.transitions.get(from, to).unwrap_or(0.0),
                };
                sum += p.ln();
                from = Some(to);
            }
        }
        Ok(sum)
    }

    /// `exp(-log_likelihood / n)` for `n` observations: how many equally likely labels one is uncertain between at each step.
    ///
    /// # Errors
    /// Those of [`log_likelihood`](Self::log_likelihood).
    pub fn perplexity<S: Data<Elem = L>>(&self, sequences: &Sequences<S>) -> Result<f64> {
        Ok((-self.log_likelihood(sequences)? / sequences.records().nrows() as f64).exp())
    }

    /// The distribution over the states `n_steps` after `distribution`.
    ///
    /// # Errors
    /// [`Error::Shape`] and [`Error::Parameter`] unless `distribution` has one probability for each state, with a sum of 1 within 1e-8.
    ///
    /// # Complexity
    /// `O(n_steps * n_transitions)` time.
    pub fn after(&self, distribution: &[f64], n_steps: usize) -> Result<Array1<f64>> {
        let n = self.n_states();
        if distribution.len() != n {
            let rule = format!("one entry for each of the {n} states");
            return Err(Error::shape("distribution", rule, distribution.len()));
        }
        check_distribution("distribution", distribution.iter().copied())?;
        let mut now = distribution.to_vec();
        let mut next = vec![0.0; n];
        for _ in 0..n_steps {
            self.step(&now, &mut next);
            std::mem::swap(&mut now, &mut next);
        }
        Ok(now.into())
    }

    /// `next = now P`.
    pub(super) fn step(&self, now: &[f64], next: &mut [f64]) {
        next.fill(0.0);
        for (i, &mass) in now.iter().enumerate() {
            if mass != 0.0 {
                for (j, p) in self.transitions.row(i) {
                    next[j] += mass * p;
                }
            }
        }
    }

    /// The most probable state after `label`; the first of several.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown label.
    pub fn predict_next(&self, label: &L) -> Result<&L> {
        let i = self.index(label)?;
        let best =
            self.transitions.row(i).fold((i, -1.0), |best, step| if step.1 > best.1 { step } else { best });
        Ok(&self.states.labels()[best.0])
    }

    /// Draws a sequence of `len` labels from its start.
    pub fn sample<R: Rng + ?Sized>(&self, len: usize, rng: &mut R) -> Array1<L> {
        let mut state = None;
        Array1::from_shape_simple_fn(len, || {
            let to = match state {
                None => draw(self.initial.iter().copied().enumerate(), rng),
                Some(from) => draw(self.transitions.row(from), rng),
            };
            state = Some(to);
            self.states.labels()[to].clone()
        })
    }
}

/// The most probable next label after each observation.
///
/// # Panics
/// When a label is no state of the chain, or the records have more than one column; linfa's signature has no room for an error.
impl<L: Label, S: Data<Elem = L>> PredictInplace<Sequences<S>, Array1<L>> for MarkovChain<L> {
    fn predict_inplace<'a>(&'a self, x: &'a Sequences<S>, y: &mut Array1<L>) {
        let rows = x.records().nrows();
        assert_eq!(rows, y.len(), "`y` must have one entry for each of the {rows} rows, got {}", y.len());
        if let Err(error) = check_one_column(x) {
            panic!("{error}");
        }
        for (next, label) in y.iter_mut().zip(x.records().column(0)) {
            match self.predict_next(label) {
                Ok(best) => next.clone_from(best),
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn default_target(&self, x: &Sequences<S>) -> Array1<L> {
        Array1::default(x.records().nrows())
    }
}

impl<L: Label, S: Data<Elem = L>> Predict<&Sequences<S>, Array1<L>> for MarkovChain<L> {
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
impl<L: Label, S: Data<Elem = L>> PredictInplace<ArrayBase<S, Ix2>, Array1<L>> for MarkovChain<L> {
    fn predict_inplace<'a>(&'a self, x: &'a ArrayBase<S, Ix2>, y: &mut Array1<L>) {
        if let Some(sequence) = one_sequence(x.view(), y.len()) {
            self.predict_inplace(&sequence, y);
        }
    }

    fn default_target(&self, x: &ArrayBase<S, Ix2>) -> Array1<L> {
        Array1::default(x.nrows())
    }
}

/// An item, with its probability; the last possible one takes what rounding leaves.
fn draw<R: Rng + ?Sized>(items: impl Iterator<Item = (usize, f64)>, rng: &mut R) -> usize {
    let mut left: f64 = rng.r#gen();
    let mut last = 0;
    for (item, p) in items.filter(|item| item.1 > 0.0) {
        last = item;
        if left < p {
            break;
        }
        left -= p;
    }
    last
}
