//! Seeded, shuffled mini-batches, and when to stop.

use rand::seq::SliceRandom;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use crate::error::Result;
use crate::params::require;

/// The numbers `0..n` in batches, in a new order each time they are shuffled.
///
/// # Example
/// ```
/// let mut batches = sapwood::optim::MiniBatches::new(5, 2, 0)?;
/// batches.shuffle();
/// let sizes: Vec<usize> = batches.iter().map(<[usize]>::len).collect();
/// assert_eq!(sizes, [2, 2, 1]);
/// let mut all = batches.iter().collect::<Vec<_>>().concat();
/// all.sort_unstable();
/// assert_eq!(all, [0, 1, 2, 3, 4]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct MiniBatches {
    indices: Vec<usize>,
    batch_size: usize,
    rng: Xoshiro256PlusPlus,
}

impl MiniBatches {
    /// `0..n` in order, to be cut into batches of `batch_size`; the last may be smaller.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) unless `batch_size` is in `1..=n`.
    pub fn new(n: usize, batch_size: usize, seed: u64) -> Result<Self> {
        require(batch_size >= 1, "batch_size", "at least 1", batch_size)?;
        if batch_size > n {
            let rule = format!("at most {n}, the number of samples");
            return Err(crate::Error::parameter("batch_size", rule, batch_size));
        }
        Ok(Self { indices: (0..n).collect(), batch_size, rng: Xoshiro256PlusPlus::seed_from_u64(seed) })
    }

    /// Puts the numbers into a new order; the sequence of orders is fixed by the seed.
    pub fn shuffle(&mut self) {
        self.indices.shuffle(&mut self.rng);
    }

    /// The batches in their current order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &[usize]> {
        self.indices.chunks(self.batch_size)
    }
}

/// Tells when a loss has not become better for a while.
///
/// # Example
/// ```
/// let mut stopping = sapwood::optim::EarlyStopping::new(2, 0.0)?;
/// let stops: Vec<bool> = [3.0, 2.0, 2.5, 2.1, 1.0].iter().map(|&loss| stopping.stops_at(loss)).collect();
/// assert_eq!(stops, [false, false, false, true, false]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct EarlyStopping {
    patience: usize,
    min_delta: f64,
    best: f64,
    waited: usize,
}

impl EarlyStopping {
    /// Stops after `patience` losses in a row that are not at least `min_delta` below the best before.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for a patience of 0, or a negative or NaN `min_delta`.
    pub fn new(patience: usize, min_delta: f64) -> Result<Self> {
        require(patience >= 1, "patience", "at least 1", patience)?;
        require(min_delta >= 0.0, "min_delta", "at least 0", min_delta)?;
        Ok(Self { patience, min_delta, best: f64::INFINITY, waited: 0 })
    }

    /// Takes the next loss: whether it is the one to stop at. NaN is no improvement.
    pub fn stops_at(&mut self, loss: f64) -> bool {
        if loss < self.best - self.min_delta {
            self.best = loss;
            self.waited = 0;
        } else {
            self.waited += 1;
        }
        self.waited >= self.patience
    }

    /// Whether the last loss was the best so far.
    #[must_use]
    pub fn improved(&self) -> bool {
        self.waited == 0
    }

    /// The best loss so far.
    #[must_use]
    pub fn best(&self) -> f64 {
        self.best
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_of_nothing_and_of_more_than_all_are_errors() {
        for (n, size) in [(5, 0), (5, 6), (0, 1)] {
            assert!(MiniBatches::new(n, size, 0).is_err());
        }
        assert_eq!(MiniBatches::new(5, 5, 0).unwrap().iter().len(), 1);
    }

    #[test]
    fn the_seed_fixes_every_order() {
        let orders = |seed| {
            let mut batches = MiniBatches::new(20, 20, seed).unwrap();
            let mut order = || {
                batches.shuffle();
                batches.iter().next().unwrap().to_vec()
            };
            (order(), order())
        };
        assert_eq!(orders(1), orders(1));
        assert_ne!(orders(1), orders(2));
        assert_ne!(orders(1).0, orders(1).1);
    }

    #[test]
    fn a_loss_that_is_nan_uses_up_the_patience() {
        let mut stopping = EarlyStopping::new(2, 0.0).unwrap();
        assert!(!stopping.stops_at(1.0));
        assert!(!stopping.stops_at(f64::NAN));
        assert!(stopping.stops_at(f64::NAN));
        assert_eq!((stopping.best(), stopping.improved()), (1.0, false));
        assert!(EarlyStopping::new(0, 0.0).is_err() && EarlyStopping::new(1, f64::NAN).is_err());
    }
}
