//! The recursions with their memory kept: nothing is allocated once the longest sequence was seen.

use super::engine::{Engine, Observations, Workspace};
use super::{Emission, Hmm, HmmSums};
use crate::error::{Error, Result};
use crate::float::Float;

/// The recursions over one model, which keep their memory from sequence to sequence.
///
/// What [`Hmm`] does for many sequences at once, for one at a time: after the longest sequence nothing is allocated any more. A sequence is
/// a slice of rows, `n_features` elements each.
///
/// # Example
/// ```
/// use sapwood::{CategoricalHmm, hmm::Categorical, ndarray::array};
///
/// let emission = Categorical::new(array![[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]].view())?;
/// let model = CategoricalHmm::new(array![0.6, 0.4], array![[0.7, 0.3], [0.4, 0.6]], emission)?;
/// let mut recursions = model.recursions();
/// let mut path = [0; 3];
/// let log_probability = recursions.viterbi_into(&[0, 1, 2], &mut path)?;
/// assert_eq!(path, [0, 0, 1]);
/// assert!((log_probability.exp() - 189.0 / 12500.0).abs() < 1e-15);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug)]
pub struct Recursions<'a, E: Emission> {
    engine: Engine<'a, E>,
    work: Workspace<E::Float>,
}

impl<F: Float, E: Emission<Float = F>, L> Hmm<E, L> {
    /// The recursions over this model, with memory of their own.
    #[must_use]
    pub fn recursions(&self) -> Recursions<'_, E> {
        Recursions { engine: self.engine(), work: Workspace::default() }
    }
}

impl<F: Float, E: Emission<Float = F>> Recursions<'_, E> {
    /// Log-likelihood of a sequence; `-inf` for one that is impossible.
    ///
    /// # Errors
    /// [`Error::Shape`] without a whole row; what [`Emission::check`] finds.
    pub fn log_likelihood(&mut self, x: &[E::Elem]) -> Result<f64> {
        let x = self.checked(x)?;
        Ok(self.engine.score(x, &mut self.work))
    }

    /// Writes the filtered probabilities, `(n, n_states)`; returns the log-likelihood.
    ///
    /// # Errors
    /// Those of [`log_likelihood`](Self::log_likelihood); [`Error::Shape`] for an `out` of another size, and for an impossible sequence.
    pub fn filter_into(&mut self, x: &[E::Elem], out: &mut [F]) -> Result<f64> {
        let x = self.checked(x)?;
        check_len("out", out.len(), self.engine.n_rows(x) * self.engine.k)?;
        possible(self.engine.filter(x, &mut self.work, out))
    }

    /// Writes the [backward probabilities](Hmm::backward), `(n, n_states)`; returns the log-likelihood.
    ///
    /// # Errors
    /// Those of [`filter_into`](Self::filter_into).
    pub fn backward_into(&mut self, x: &[E::Elem], out: &mut [F]) -> Result<f64> {
        let x = self.checked(x)?;
        check_len("out", out.len(), self.engine.n_rows(x) * self.engine.k)?;
        possible(self.engine.look_ahead(x, &mut self.work, out))
    }

    /// Writes the smoothed probabilities, `(n, n_states)`; returns the log-likelihood.
    ///
    /// # Errors
    /// Those of [`filter_into`](Self::filter_into).
    pub fn posteriors_into(&mut self, x: &[E::Elem], out: &mut [F]) -> Result<f64> {
        let x = self.checked(x)?;
        let k = self.engine.k;
        check_len("out", out.len(), self.engine.n_rows(x) * k)?;
        possible(self.engine.smooth(x, &mut self.work, None, |rows, gamma, _| {
            out[rows.start * k..rows.end * k].copy_from_slice(gamma);
        }))
    }

    /// Writes the most probable path, a state for each row; returns the log of its joint probability with the sequence.
    ///
    /// # Errors
    /// Those of [`filter_into`](Self::filter_into).
    pub fn viterbi_into(&mut self, x: &[E::Elem], path: &mut [usize]) -> Result<f64> {
        let x = self.checked(x)?;
        check_len("path", path.len(), self.engine.n_rows(x))?;
        possible(self.engine.best(x, &mut self.work, path))
    }

    /// Adds the expected counts of a sequence to `sums`; returns its log-likelihood.
    ///
    /// # Errors
    /// Those of [`log_likelihood`](Self::log_likelihood); [`Error::Shape`] for sums of another size, and for an impossible sequence, of which
    /// nothing is added.
    pub fn add_expected_sums(&mut self, x: &[E::Elem], sums: &mut HmmSums<E>) -> Result<f64> {
        let x = self.checked(x)?;
        sums.check_fits(self.engine.k, self.engine.emission)?;
        possible(sums.add(&self.engine, x, &mut self.work))
    }

    fn checked<'x>(&self, x: &'x [E::Elem]) -> Result<Observations<'x, E::Elem>> {
        let d = self.engine.emission.n_features();
        if x.is_empty() || !x.len().is_multiple_of(d) {
            return Err(Error::shape("x", format!("at least one row of {d} elements"), x.len()));
        }
        self.engine.emission.check(x)?;
        Ok(Observations { x, known: &[] })
    }
}

fn check_len(name: &'static str, len: usize, expected: usize) -> Result<()> {
    if len == expected { Ok(()) } else { Err(Error::shape(name, format!("{expected} entries"), len)) }
}

fn possible(log_likelihood: f64) -> Result<f64> {
    super::decode::check_possible(std::iter::once(log_likelihood))?;
    Ok(log_likelihood)
}
