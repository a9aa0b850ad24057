//! What the estimate needs of the observations.

use ndarray::Array2;

use crate::float::Float;

/// Sums of a Gaussian emission, around an origin for each state so that no digits cancel.
///
/// # Example
/// See [`HmmSums`](crate::hmm::HmmSums).
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "super::stored::Sums<F>", bound(deserialize = "F: Float + serde::Deserialize<'de>"))
)]
pub struct GaussianSums<F> {
    pub(in crate::hmm) weights: Vec<f64>,
    pub(in crate::hmm) origins: Array2<F>,
    /// `sum gamma (x - origin)`.
    pub(in crate::hmm) first: Array2<f64>,
    /// `sum gamma (x - origin)(x - origin)^T`, its diagonal or its lower triangle.
    pub(in crate::hmm) second: Array2<f64>,
}

impl<F: Float> GaussianSums<F> {
    /// Moves the origins: `second` by the parallel axis theorem.
    pub(super) fn move_to(&mut self, origins: &Array2<F>) {
        let d = origins.ncols();
        for state in 0..self.weights.len() {
            let shift: Vec<f64> =
                (0..d).map(|i| self.origins[[state, i]].as_f64() - origins[[state, i]].as_f64()).collect();
            let (w, first) = (self.weights[state], self.first.row(state).to_vec());
            let moved =
                |i: usize, j: usize| first[i] * shift[j] + shift[i] * first[j] + w * shift[i] * shift[j];
            if self.second.ncols() == d {
                (0..d).for_each(|i| self.second[[state, i]] += moved(i, i));
            } else {
                for (i, j) in (0..d).flat_map(|i| (0..=i).map(move |j| (i, j))) {
                    self.second[[state, i * d + j]] += moved(i, j);
                }
            }
            (0..d).for_each(|i| self.first[[state, i]] += w * shift[i]);
        }
        self.origins.assign(origins);
    }
}
