//! Drawing tokens from a net that was trained to predict the next one.

use rand::Rng;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use super::cell::Cell;
use super::model::Recurrent;
use crate::data::ClassIndex;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::softmax;
use crate::params::require;

impl<F: Float, C: Cell> Recurrent<F, C, ClassIndex<usize>> {
    /// `n` tokens after a beginning, each drawn from what the net expects and then fed back to it.
    ///
    /// `temperature` divides the log-odds before the softmax: at 1 tokens come as often as the net believes, below it the likely ones more often,
    /// and at 0 the likeliest always. At least 0 and finite.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Gru, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array};
    ///
    /// let tokens: Vec<usize> = (0..60).map(|i| i % 3).collect();
    /// let x = Sequences::new(Array::from_shape_vec((59, 1), tokens[..59].to_vec()).unwrap(), vec![59])?;
    /// let data = DatasetBase::new(x, Array::from_vec(tokens[1..].to_vec()));
    /// let model = Gru::<f32>::params(8).n_epochs(60).learning_rate(0.03).fit(&data)?;
    /// assert_eq!(model.sample(&[0], 5, 0.0, 7)?, [1, 2, 0, 1, 2]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] for an invalid temperature, an empty beginning, an unknown token, or a net that reads from both ends or floats.
    pub fn sample(&self, beginning: &[usize], n: usize, temperature: f64, seed: u64) -> Result<Vec<usize>> {
        require(
            temperature >= 0.0 && temperature.is_finite(),
            "temperature",
            "at least 0 and finite",
            temperature,
        )?;
        let Some((&last, before)) = beginning.split_last() else {
            return Err(Error::shape("beginning", "at least one token", 0));
        };
        let mut stream = self.stream()?;
        for &token in before {
            stream.step_token(token)?;
        }
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut p = vec![F::zero(); self.classes().len()];
        let (mut token, mut tokens) = (last, Vec::new());
        for _ in 0..n {
            p.copy_from_slice(stream.step_token(token)?);
            let best = (1..p.len()).fold(0, |best, i| if p[i] > p[best] { i } else { best });
            token = *self.targets.label(if temperature == 0.0 {
                best
            } else {
                // Against the best, so that a small temperature does not overflow.
                let top = p[best];
                p.iter_mut().for_each(|p| *p = (*p - top) / F::of(temperature));
                softmax(&mut p);
                draw(&p, rng.r#gen())
            });
            tokens.push(token);
        }
        Ok(tokens)
    }
}

/// The first entry where the sum of probabilities exceeds `u` in `[0, 1)`; the last possible one where rounding leaves none.
fn draw<F: Float>(p: &[F], u: f64) -> usize {
    let mut sum = 0.0;
    let mut possible = 0;
    for (i, p) in p.iter().enumerate() {
        sum += p.as_f64();
        if *p > F::zero() {
            possible = i;
        }
        if u < sum {
            return i;
        }
    }
    possible
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_have_the_given_shares() {
        let p = [0.0, 0.25, 0.75, 0.0];
        let draws: Vec<usize> = (0..100).map(|i| draw(&p, f64::from(i) / 100.0)).collect();
        assert_eq!(draws.iter().filter(|&&i| i == 1).count(), 25);
        assert_eq!(draws.iter().filter(|&&i| i == 2).count(), 75);
        assert_eq!(draw(&[0.5_f64, 0.4, 0.0], 0.99), 1);
    }
}
