//! EM: rounds of expected counts and their maximum, from each start.

use ndarray::{ArrayView1, ArrayViewMut1, Data};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256Plus;

use super::HmmParams;
use super::report::{FitReport, Stop};
use crate::data::{Sequences, check_columns};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::hmm::sums::{HmmSums, Rooms};
use crate::hmm::{Emission, Hmm, Observed};
use crate::observe::{Observer, Progress};
use crate::params::require;

impl<F: Float, E: Emission<Float = F>> HmmParams<E> {
    pub(super) fn fit_from_starts<S: Data<Elem = E::Elem>>(
        &self,
        x: &Sequences<S>,
        known: Vec<usize>,
        observer: &mut dyn Observer,
    ) -> Result<Hmm<E>> {
        let rows = x.records().nrows();
        require(self.n_states <= rows, "n_states", "at most the number of observations", self.n_states)?;
        let longest = x.lengths().iter().max().copied().unwrap_or(0);
        let size = longest.checked_mul(self.n_states).filter(|&n| n <= isize::MAX as usize / size_of::<F>());
        require(size.is_some(), "n_states", "small enough for a row at each observation", self.n_states)?;
        if let Some(model) = &self.start_from {
            check_columns("records", x.records(), model.emission.n_features())?;
        }
        let observed = Observed { known: known.into(), ..Observed::unchecked(x) };
        let mut best: Option<Hmm<E>> = None;
        for start in 0..self.n_init {
            let mut rng = Xoshiro256Plus::seed_from_u64(self.seed.wrapping_add(start as u64));
            let first = self.first_model(&observed, &mut rng)?;
            first.emission.check(&observed.rows)?;
            let (model, stopped) = match self.mini_batches {
                None => self.climb(first, &observed, start, observer)?,
                Some(batches) => self.climb_by_batches(batches, first, &observed, start, observer)?,
            };
            let objective =
                |model: &Hmm<E>| model.report.as_ref().map_or(f64::NEG_INFINITY, FitReport::objective);
            if best.as_ref().is_none_or(|best| objective(&model) > objective(best)) {
                best = Some(model);
            }
            // Also where a start before it is the better one.
            if let (true, Some(Hmm { report: Some(report), .. })) = (stopped, &mut best) {
                report.stop = Stop::Observer;
            }
            // The same model each time needs no second start.
            if stopped || self.start_from.is_some() {
                break;
            }
        }
        best.ok_or_else(|| Error::parameter("n_init", "at least 1", self.n_init))
    }

    /// EM from `model` on; true where the observer stopped it.
    fn climb(
        &self,
        mut model: Hmm<E>,
        observed: &Observed<'_, E::Elem>,
        start: usize,
        observer: &mut dyn Observer,
    ) -> Result<(Hmm<E>, bool)> {
        // Room for the rounds of most fits.
        let mut objectives: Vec<f64> = Vec::with_capacity(self.max_iter.min(1000) + 1);
        let (mut unvisited, mut floored) = (Vec::new(), Vec::new());
        let mut before = model.clone();
        let mut rooms = Rooms::default();
        let stop = loop {
            let sums = rooms.expect(&model, observed)?;
            let objective = sums.log_likelihood + self.log_prior(&model);
            let gain = objectives.last().map_or(f64::INFINITY, |last| objective - last);
            objectives.push(objective);
            let round = objectives.len() - 1;
            let mut progress = Progress::new("em", round as u64, self.max_iter as u64);
            progress.objective = Some(objective);
            let stopped = observer.observe(&progress).is_break();
            // What rounding can make of a sum of this size.
            let rounding = 4096.0 * F::epsilon().as_f64() * objective.abs();
            if gain < -rounding {
                model = before;
                break if stopped { Stop::Observer } else { Stop::WentDown };
            }
            if stopped {
                break Stop::Observer;
            }
            if gain <= self.tol {
                break Stop::Converged;
            }
            if round == self.max_iter {
                break Stop::RanOut;
            }
            before.clone_from(&model);
            (unvisited, floored) = self.maximize(&mut model, sums);
        };
        model.report = Some(FitReport { stop, objectives, start, unvisited, floored });
        Ok((model, stop == Stop::Observer))
    }

    /// The M-step: makes of a model the most likely one for these sums; returns states without weight, and states at a floor.
    pub(super) fn maximize<L>(&self, model: &mut Hmm<E, L>, sums: &HmmSums<E>) -> (Vec<usize>, Vec<usize>) {
        model.report = None;
        raise(model.initial.view_mut(), sums.initial.view(), self.initial_pseudo_count);
        for (row, sums) in model.transition.rows_mut().into_iter().zip(sums.transitions.rows()) {
            raise(row, sums, self.transition_pseudo_count);
        }
        let floored = model.emission.maximize(&sums.emission, &self.emission);
        let into = |state: usize| sums.initial[state] + sums.transitions.column(state).sum();
        let unvisited = (0..model.n_states()).filter(|&state| into(state) <= 0.0).collect();
        (unvisited, floored)
    }

    pub(super) fn log_prior(&self, model: &Hmm<E>) -> f64 {
        let log = |p: &F| if *p > F::zero() { p.as_f64().ln() } else { 0.0 };
        let mut sum = model.emission.log_prior(&self.emission);
        if self.initial_pseudo_count > 0.0 {
            sum += self.initial_pseudo_count * model.initial.iter().map(log).sum::<f64>();
        }
        if self.transition_pseudo_count > 0.0 {
            sum += self.transition_pseudo_count * model.transition.iter().map(log).sum::<f64>();
        }
        sum
    }
}

/// Replaces probabilities by their share of the counts; zeros stay, and so does everything where there is no count.
fn raise<F: Float>(mut p: ArrayViewMut1<'_, F>, counts: ArrayView1<'_, f64>, pseudo_count: f64) {
    let possible = p.iter().zip(&counts).filter(|(p, _)| **p > F::zero());
    let sum: f64 = possible.map(|(_, n)| n + pseudo_count).sum();
    if sum > 0.0 && sum.is_finite() {
        let possible = p.iter_mut().zip(&counts).filter(|(p, _)| **p > F::zero());
        possible.for_each(|(p, n)| *p = F::cast((n + pseudo_count) / sum));
    }
}
