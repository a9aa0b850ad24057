//! Estimates with known states, and the M-step by itself.

use linfa::DatasetBase;
use linfa::ParamGuard;
use linfa::dataset::Label;
use ndarray::{Array1, Data};

use super::HmmParams;
use crate::data::{ClassIndex, Sequences, check_same_rows};
use crate::error::{Error, Result};
use crate::hmm::engine::UNKNOWN;
use crate::hmm::{Emission, Hmm, HmmSums};
use crate::params::{Params, require};

impl<E: Emission> Params<HmmParams<E>> {
    /// The M-step alone: the model that is most likely for these sums, under the priors and floors of the parameters.
    ///
    /// `model` gives what sums cannot: its zeros, and the parameters of states without weight. With [`Hmm::expected_sums`] and
    /// [`HmmSums::merge`] it is EM over data that is never in one place.
    ///
    /// # Example
    /// ```
    /// use sapwood::{PoissonHmm, data::Sequences, hmm::Poisson, ndarray::array};
    ///
    /// let model = PoissonHmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.1, 0.9]], Poisson::new(array![[2.0], [9.0]].view())?)?;
    /// let (here, there) = (Sequences::single(array![[1], [2]])?, Sequences::single(array![[8], [11]])?);
    /// let mut sums = model.expected_sums(&here)?;
    /// sums.merge(&model.expected_sums(&there)?, 1.0);
    /// let better = PoissonHmm::params(2).maximized(&model, &sums)?;
    /// assert!(better.score(&here)? + better.score(&there)? > sums.log_likelihood);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::Parameter`] for invalid parameters or another number of states; [`Error::Shape`] for sums of another model's sizes.
    pub fn maximized<L: Clone>(&self, model: &Hmm<E, L>, sums: &HmmSums<E>) -> Result<Hmm<E, L>> {
        let params = self.check_ref()?;
        let k = model.n_states();
        require(params.n_states == k, "n_states", "that of the model", params.n_states)?;
        sums.check_fits(k, &model.emission)?;
        let mut better = model.clone();
        params.maximize(&mut better, sums);
        Ok(better)
    }

    /// Fits with the state of every row known: counts, where the emission needs no EM of its own.
    ///
    /// The states are the labels of the targets, sorted, and `n_states` must be their number.
    ///
    /// # Errors
    /// Those of the fit; [`Error::Shape`] unless there is a target for each row; [`Error::Parameter`] for another number of labels.
    ///
    /// # Example
    /// ```
    /// use sapwood::{CategoricalHmm, data::Sequences, linfa::{DatasetBase, traits::Predict}, ndarray::array};
    ///
    /// let x = Sequences::new(array![[0], [1], [2], [0], [2]], vec![3, 2])?;
    /// let tags = array!["article", "noun", "verb", "article", "noun"];
    /// let dataset = DatasetBase::new(x, tags);
    /// let model = CategoricalHmm::params(3).fit_supervised(&dataset)?;
    /// assert_eq!(model.labels(), ["article", "noun", "verb"]);
    /// assert_eq!(model.transition()[[1, 2]], 1.0);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn fit_supervised<S: Data<Elem = E::Elem>, L: Label>(
        &self,
        dataset: &DatasetBase<Sequences<S>, Array1<L>>,
    ) -> Result<Hmm<E, L>> {
        let targets = dataset.targets.mapv(Some);
        self.fit_known(&dataset.records, &targets)
    }

    /// Fits with the states of some rows known; `None` is a hidden one.
    ///
    /// The states are the labels that occur, sorted, and `n_states` must be their number. EM begins at the counts of what is known.
    ///
    /// # Errors
    /// Those of [`fit_supervised`](Self::fit_supervised).
    pub fn fit_semi_supervised<S: Data<Elem = E::Elem>, L: Label>(
        &self,
        dataset: &DatasetBase<Sequences<S>, Array1<Option<L>>>,
    ) -> Result<Hmm<E, L>> {
        self.fit_known(&dataset.records, &dataset.targets)
    }

    fn fit_known<S: Data<Elem = E::Elem>, L: Label>(
        &self,
        x: &Sequences<S>,
        targets: &Array1<Option<L>>,
    ) -> Result<Hmm<E, L>> {
        let params = self.check_ref()?;
        check_same_rows("targets", targets.len(), x.records().nrows())?;
        let index = ClassIndex::new(targets.iter().flatten().cloned().collect::<Array1<L>>().view())?;
        let k = params.n_states;
        if index.n_classes() != k {
            let rule = format!("{} states, one for each label", index.n_classes());
            return Err(Error::parameter("n_states", rule, k));
        }
        let state =
            |label: &Option<L>| label.as_ref().and_then(|label| index.column(label)).unwrap_or(UNKNOWN);
        let known = targets.iter().map(state).collect();
        let hmm = params.fit_from_starts(x, known, &mut ())?;
        let Hmm { initial, transition, emission, report, .. } = hmm;
        Ok(Hmm { initial, transition, emission, labels: index.classes().to_vec(), report })
    }
}
