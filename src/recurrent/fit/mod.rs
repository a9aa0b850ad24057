//! Training: gradient descent through time.

mod gradients;
mod loss;
mod targets;
mod trainer;

use linfa::DatasetBase;
use linfa::traits::{Fit, FitWith};
use ndarray::Data;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use super::cell::Cell;
use super::model::Recurrent;
use super::net::{Inputs, Net, Workspace};
use super::params::{Element, RecurrentParams};
use super::state::State;
use crate::data::{Sequences, rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::observe::{FitObserved, Observer, Progress};
use crate::optim::{self, EarlyStopping, MiniBatches};
use crate::params::require;
pub use gradients::Gradients;
use targets::Taken;
pub use targets::Taught;
use trainer::{Examples, Trainer};

impl<F: Float, C: Cell> RecurrentParams<F, C> {
    /// The layout of a net and its first values.
    pub(super) fn build(
        &self,
        n_tokens: Option<usize>,
        n_inputs: usize,
        n_outputs: usize,
        each_row: bool,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(Net<C>, Aligned<F>)> {
        require((1..1 << 24).contains(&n_inputs), "n_inputs", "in 1..16777216", n_inputs)?;
        require((1..1 << 24).contains(&n_outputs), "n_outputs", "in 1..16777216", n_outputs)?;
        let tokens = n_tokens.map(|n_tokens| (n_tokens, self.embedding));
        let (cell, h, l) = (self.cell, self.n_hidden, self.n_layers);
        let net = Net::new::<F>(cell, tokens, n_inputs, h, l, self.bidirectional, n_outputs, each_row);
        let params = net.init(self.forget_bias, rng)?;
        Ok((net, params))
    }

    /// Trains a net from the beginning, or `start` further.
    fn train<S: Data, Y: Taught<F>>(
        &self,
        dataset: &DatasetBase<Sequences<S>, Y>,
        start: Option<Recurrent<F, C, Y::Kind>>,
        observer: &mut dyn Observer,
    ) -> Result<Recurrent<F, C, Y::Kind>>
    where
        S::Elem: Element<F>,
    {
        let sequences = dataset.records();
        let Taken { targets, n_targets, kind, n_outputs } =
            dataset.targets().take(start.as_ref().map(|start| &start.targets))?;
        let each_row = each_row(n_targets, sequences)?;
        let lengths = sequences.lengths();
        let truncated = self.truncate.is_some() && !each_row;
        require(!truncated, "truncate", "none with one target for a sequence", self.truncate.unwrap_or(0))?;
        let view = sequences.records().view();
        let (records, n_columns) = (rows(&view), view.ncols());
        let inputs = S::Elem::inputs(&records, n_columns)?;
        let n_tokens = match inputs {
            Inputs::Values(_) => None,
            Inputs::Tokens(tokens) => {
                let most = tokens.iter().max().map_or(0, |&token| token);
                require(most < 1 << 24, "records", "tokens below 16777216", most)?;
                let n_tokens = if self.n_tokens == 0 { most + 1 } else { self.n_tokens };
                require(most < n_tokens, "n_tokens", "greater than every token", n_tokens)?;
                require(n_tokens <= 1 << 24, "n_tokens", "at most 16777216", n_tokens)?;
                Some(n_tokens)
            }
        };
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let (net, params) = self.build(n_tokens, n_columns, n_outputs, each_row, &mut rng)?;
        let mut model =
            Recurrent { net, params, targets: kind, losses: Vec::new(), validation_losses: Vec::new() };
        if let Some(start) = start {
            if start.net != model.net {
                return Err(Error::shape("model", "the sizes of the settings and the data", "others"));
            }
            model.params = start.params;
        }
        let starts: Vec<usize> =
            (0..lengths.len()).map(|i| sequences.range(i).map_or(0, |range| range.start)).collect();
        let examples = Examples { inputs, targets: targets.view(), lengths, starts: &starts };
        self.descend(&mut model, examples, rng, observer)?;
        Ok(model)
    }

    fn descend<T>(
        &self,
        model: &mut Recurrent<F, C, T>,
        examples: Examples<'_, F>,
        rng: Xoshiro256PlusPlus,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let n = examples.lengths.len();
        let n_held = self.early_stopping.map_or(0, |(_, share)| (share * n as f64).ceil() as usize);
        let n_train = n - n_held.min(n);
        require(n_train >= 1, "early_stopping", "on fewer than all sequences", n_held)?;
        let mut stopping =
            self.early_stopping.map(|(patience, _)| EarlyStopping::new(patience, 0.0)).transpose()?;
        let batch_size = self.batch_size.min(n_train);
        let mut batches = MiniBatches::new(n_train, batch_size, self.seed)?;
        let mut grads = Aligned::default();
        grads.resize(model.params.len());
        let mut trainer = Trainer {
            settings: self,
            w: Workspace::default(),
            grads,
            memory: optim::State::new(),
            state: State::zeros(&model.net, batch_size),
            rng,
        };
        let mut best: Option<Aligned<F>> = None;
        let n_batches = batches.iter().len();
        // Room for all beforehand, unless somebody counts on the observer to stop.
        model.losses.reserve_exact(self.n_epochs.min(1 << 20));
        for epoch in 0..self.n_epochs {
            if self.shuffle {
                batches.shuffle();
            }
            let (mut loss, mut n_rows) = (0.0, 0);
            for (b, batch) in batches.iter().enumerate() {
                let (t, total) = if self.schedule.counts_updates() {
                    (epoch * n_batches + b, self.n_epochs * n_batches)
                } else {
                    (epoch, self.n_epochs)
                };
                let seen =
                    if model.validation_losses.is_empty() { &model.losses } else { &model.validation_losses };
                let rate = self.learning_rate * self.schedule.share(t, total, seen);
                let rows =
                    trainer.step(&model.net, &mut model.params, examples, batch, rate, &mut |mean, rows| {
                        loss += mean * rows as f64;
                    });
                n_rows += rows.map_err(|what| {
                    let rule = format!(
                        "low enough for a finite {what} (it was not in epoch {epoch}, batch {b}; the first parameter that is not finite is {})",
                        first_non_finite(&model.net, &model.params, &trainer.grads),
                    );
                    Error::parameter("learning_rate", rule, rate)
                })?;
            }
            let mut loss = loss / n_rows as f64;
            model.losses.push(loss);
            if let Some(stopping) = &mut stopping {
                loss = trainer.loss_of(&model.net, &model.params, examples, n_train..n);
                model.validation_losses.push(loss);
                let stop = stopping.stops_at(loss);
                if stopping.improved() {
                    best.get_or_insert_with(Aligned::default).copy(&model.params);
                }
                if stop {
                    break;
                }
            }
            let progress = Progress::new("epoch", epoch as u64 + 1, self.n_epochs as u64);
            // A net that was stopped is a net that was trained for fewer epochs.
            if observer.observe(&Progress { objective: Some(loss), ..progress }).is_break() {
                break;
            }
        }
        if let Some(best) = best {
            model.params = best;
        }
        Ok(())
    }
}

/// Whether there is a target for each row; else there is one for each sequence.
pub(super) fn each_row<S: Data>(n_targets: usize, sequences: &Sequences<S>) -> Result<bool> {
    let (n_rows, n_sequences) = (sequences.records().nrows(), sequences.n_sequences());
    if n_targets == n_rows || n_targets == n_sequences {
        return Ok(n_targets == n_rows);
    }
    let rule = format!("one entry for each of the {n_rows} rows, or of the {n_sequences} sequences");
    Err(Error::shape("targets", rule, n_targets))
}

/// The first tensor with a value or a gradient that is not finite.
fn first_non_finite<F: Float, C: Cell>(net: &Net<C>, params: &[F], grads: &[F]) -> String {
    let broken = |place: &usize| !params[*place].is_finite() || !grads[*place].is_finite();
    let tensors = net.tensors::<F>();
    let broken = tensors.iter().find(|tensor| tensor.places.iter().any(broken));
    broken.map_or_else(|| "none".into(), |tensor| format!("`{}`", tensor.name))
}

impl<F, C, S, Y> FitObserved<Sequences<S>, Y> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell,
    S: Data,
    S::Elem: Element<F>,
    Y: Taught<F>,
{
    type Object = Recurrent<F, C, Y::Kind>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<Sequences<S>, Y>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        self.train(dataset, None, observer)
    }
}

impl<F, C, S, Y> Fit<Sequences<S>, Y, Error> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell,
    S: Data,
    S::Elem: Element<F>,
    Y: Taught<F>,
{
    type Object = Recurrent<F, C, Y::Kind>;

    fn fit(&self, dataset: &DatasetBase<Sequences<S>, Y>) -> Result<Self::Object> {
        self.train(dataset, None, &mut ())
    }
}

/// Goes on with a net of the same sizes and classes; what the update rule remembered begins anew.
impl<'a, F, C, S, Y> FitWith<'a, Sequences<S>, Y, Error> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell + 'a,
    S: Data,
    S::Elem: Element<F>,
    Y: Taught<F>,
    Y::Kind: 'a,
{
    type ObjectIn = Option<Recurrent<F, C, Y::Kind>>;
    type ObjectOut = Recurrent<F, C, Y::Kind>;

    fn fit_with(
        &self,
        model: Self::ObjectIn,
        dataset: &'a DatasetBase<Sequences<S>, Y>,
    ) -> Result<Self::ObjectOut> {
        self.train(dataset, model, &mut ())
    }
}
