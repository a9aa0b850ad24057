//! Stepwise EM: an M-step after every few sequences.

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_xoshiro::Xoshiro256Plus;

use super::{FitReport, HmmParams, Stop};
use crate::error::Result;
use crate::float::Float;
use crate::hmm::decode::check_possible;
use crate::hmm::sums::{HmmSums, Rooms};
use crate::hmm::{Emission, Hmm, Observed};
use crate::observe::{Observer, Progress};
use crate::params::require;

/// Sequences between two M-steps, and how fast older ones are forgotten.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct MiniBatches {
    pub(super) size: usize,
    pub(super) decay: f64,
}

impl MiniBatches {
    pub(super) fn check(self) -> Result<()> {
        require(self.size >= 1, "mini_batches", "of at least 1 sequence", self.size)?;
        let decay = self.decay;
        require(decay > 0.5 && decay <= 1.0, "mini_batches", "a decay above 0.5, at most 1", decay)
    }
}

impl<F: Float, E: Emission<Float = F>> HmmParams<E> {
    /// Stepwise EM from `model` on; true where the observer stopped it.
    ///
    /// A round goes through all sequences in random order. After batch `m`, whose sums are scaled up to the size of the data,
    /// `sums = (1 - eta_m) sums + eta_m batch` with `eta_m = (m + 2)^-decay`, and the model is the maximum for them.
    pub(super) fn climb_by_batches(
        &self,
        batches: MiniBatches,
        mut model: Hmm<E>,
        observed: &Observed<'_, E::Elem>,
        start: usize,
        observer: &mut dyn Observer,
    ) -> Result<(Hmm<E>, bool)> {
        let mut order: Vec<usize> = (0..observed.n_sequences()).collect();
        let mut rng = Xoshiro256Plus::seed_from_u64(self.seed.wrapping_add(start as u64));
        let mut rooms = Rooms::default();
        let mut running: Option<HmmSums<E>> = None;
        let mut objectives: Vec<f64> = Vec::new();
        let (mut unvisited, mut floored) = (Vec::new(), Vec::new());
        let mut best = model.clone();
        let mut m = 0.0;
        let stop = loop {
            let scores = model.scores(observed);
            check_possible(scores.iter().copied())?;
            let objective = scores.iter().sum::<f64>() + self.log_prior(&model);
            let last = objectives.last().copied().unwrap_or(f64::NEG_INFINITY);
            if objectives.iter().all(|&before| objective > before) {
                best.clone_from(&model);
            }
            objectives.push(objective);
            let round = objectives.len() - 1;
            let mut progress = Progress::new("em", round as u64, self.max_iter as u64);
            progress.objective = Some(objective);
            if observer.observe(&progress).is_break() {
                break Stop::Observer;
            }
            // Batches pull to and fro: a round may lose a little on the way up.
            if (objective - last).abs() <= self.tol {
                break Stop::Converged;
            }
            if round == self.max_iter {
                break Stop::RanOut;
            }
            order.shuffle(&mut rng);
            for batch in order.chunks(batches.size) {
                let part = observed.select(batch);
                let sums = rooms.expect(&model, &part)?;
                let scale = observed.n_rows() as f64 / part.n_rows() as f64;
                let eta = if running.is_some() { f64::powf(m + 2.0, -batches.decay) } else { 1.0 };
                // New sums, around the means of the present model.
                let mut next = HmmSums::zero(&model);
                if let Some(running) = &running {
                    next.merge(running, 1.0 - eta);
                }
                next.merge(sums, eta * scale);
                (unvisited, floored) = self.maximize(&mut model, &next);
                running = Some(next);
                m += 1.0;
            }
        };
        best.report = Some(FitReport { stop, objectives, start, unvisited, floored });
        Ok((best, stop == Stop::Observer))
    }
}
