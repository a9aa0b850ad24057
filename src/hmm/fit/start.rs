//! Where EM begins.

use ndarray::{Array1, Array2};
use rand::RngCore;

use super::{HmmParams, Topology};
use crate::error::Result;
use crate::float::Float;
use crate::hmm::engine::UNKNOWN;
use crate::hmm::sums::HmmSums;
use crate::hmm::{Emission, Hmm, Observed, random_row};

impl<F: Float, E: Emission<Float = F>> HmmParams<E> {
    /// Where EM begins: the given model, or the emission's start with transitions to match.
    pub(super) fn first_model(
        &self,
        observed: &Observed<'_, E::Elem>,
        rng: &mut dyn RngCore,
    ) -> Result<Hmm<E>> {
        let mut model = match &self.start_from {
            Some(model) => model.clone(),
            None => self.started_model(observed, rng)?,
        };
        if observed.known.is_empty() || self.start_from.is_some() {
            return Ok(model);
        }
        // Known states say where to begin; what they never do must stay possible for the hidden rows.
        let mut sums = HmmSums::of_known(&model, observed);
        if observed.known.contains(&UNKNOWN) {
            sums.initial += 0.1;
            sums.transitions += 0.1;
        }
        self.maximize(&mut model, &sums);
        Ok(model)
    }

    fn started_model(&self, observed: &Observed<'_, E::Elem>, rng: &mut dyn RngCore) -> Result<Hmm<E>> {
        let (k, d) = (self.n_states, observed.width);
        let (emission, clusters) = E::start(&observed.rows, d, k, &self.emission, self.start, rng)?;
        let (mut initial, mut transition) = (vec![0.0; k], Array2::from_elem((k, k), 0.0));
        for (i, mut row) in transition.rows_mut().into_iter().enumerate() {
            // Half of each row on staying: hidden states are mostly of a kind that lasts.
            row.assign(&(Array1::from(random_row(k, rng)) * 0.5));
            row[i] += 0.5;
            if let Topology::LeftRight { max_jump } = self.topology {
                let allowed = |j: usize| (i..=i.saturating_add(max_jump)).contains(&j);
                row.indexed_iter_mut().filter(|(j, _)| !allowed(*j)).for_each(|(_, p)| *p = 0.0);
            }
        }
        match self.topology {
            Topology::Ergodic => initial = random_row(k, rng),
            Topology::LeftRight { .. } => initial[0] = 1.0,
        }
        if let Some(clusters) = clusters {
            // Steps between the clusters count on top of one for each step that is possible.
            transition.mapv_inplace(|p| if p > 0.0 { 1.0 } else { 0.0 });
            for range in &observed.ranges {
                for pair in clusters[range.clone()].windows(2) {
                    let sum = &mut transition[[pair[0], pair[1]]];
                    *sum += if *sum > 0.0 { 1.0 } else { 0.0 };
                }
            }
        }
        let normal = |row: ndarray::ArrayView1<'_, f64>| {
            let sum = row.sum();
            row.mapv(|p| F::cast(p / sum))
        };
        let mut a = Array2::zeros((k, k));
        for (mut to, row) in a.rows_mut().into_iter().zip(transition.rows()) {
            to.assign(&normal(row));
        }
        Hmm::new(normal(Array1::from(initial).view()), a, emission)
    }
}
