//! How much each point counts towards `min_samples`.

use crate::data::check_same_rows;
use crate::error::{Error, Result};

/// Weights as whole multiples of a power of two, so that their sums do not depend on the order: nothing is rounded but a weight itself, and that
/// only where it is smaller than the largest by a factor of `2^38 / n`.
#[derive(Debug, Clone)]
pub(super) struct Weights {
    /// For each row.
    pub(super) of: Vec<i64>,
    /// A sum from here on makes a core point.
    pub(super) need: i64,
    /// No weight is negative: a sum only grows, and a search may end once it suffices.
    pub(super) only_grow: bool,
}

impl Weights {
    pub(super) fn new(weights: &[f32], n: usize, min_samples: usize) -> Result<Self> {
        check_same_rows("weights", weights.len(), n)?;
        if let Some(row) = weights.iter().position(|w| !w.is_finite()) {
            return Err(Error::NonFinite { name: "weights", row, column: 0, value: weights[row].into() });
        }
        let sum_at_most = n as f64 * weights.iter().fold(0.0, |max: f64, &w| max.max(f64::from(w).abs()));
        // The sum of all weights stays below 2^62. A weight is at most 2^128 and at least 2^-149, and so is the unit in range.
        let unit = (-62.0 + sum_at_most.max(f64::from(f32::MIN_POSITIVE)).log2().ceil()).exp2();
        Ok(Self {
            of: weights.iter().map(|&w| (f64::from(w) / unit).round() as i64).collect(),
            need: (min_samples as f64 / unit).ceil() as i64,
            only_grow: weights.iter().all(|&w| w >= 0.0),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_of_tenths_are_those_of_their_f32_values() {
        let weights = Weights::new(&[0.1; 1000], 1000, 100).unwrap();
        assert!(weights.of.iter().sum::<i64>() >= weights.need, "0.1_f32 is above 0.1");
        let weights = Weights::new(&[0.7; 1000], 1000, 700).unwrap();
        assert!(weights.of.iter().sum::<i64>() < weights.need, "0.7_f32 is below 0.7");
    }

    #[test]
    fn extreme_weights_neither_overflow_nor_vanish_alone() {
        let huge = Weights::new(&[f32::MAX, f32::MAX, -f32::MAX], 3, 1).unwrap();
        assert!(huge.of.iter().sum::<i64>() >= huge.need && huge.need > 0);
        assert!(!huge.only_grow);
        let tiny = Weights::new(&[1e-45; 2], 2, 1).unwrap();
        assert!(tiny.of.iter().sum::<i64>() < tiny.need);
        let none = Weights::new(&[0.0; 2], 2, 1).unwrap();
        assert!(none.of.iter().sum::<i64>() < none.need);
    }

    #[test]
    fn a_weight_that_is_no_number_is_an_error() {
        let error = Weights::new(&[1.0, f32::NAN], 2, 1).unwrap_err().to_string();
        assert_eq!(error, "`weights` must be finite, got NaN in row 1, column 0");
        let error = Weights::new(&[1.0], 2, 1).unwrap_err().to_string();
        assert_eq!(error, "`weights` must have one entry for each of the 2 rows, got 1");
    }
}
