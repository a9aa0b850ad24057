//! Training: the loss, and gradient descent through time.

use linfa::DatasetBase;
use linfa::dataset::Label;
use linfa::traits::{Fit, FitWith};
use ndarray::{Array2, ArrayBase, Data, Ix1, Ix2};
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use super::cell::Cell;
use super::layer::collect;
use super::model::{Recurrent, Values, group_end};
use super::net::{Inputs, Net, Workspace};
use super::params::{Element, RecurrentParams};
use super::state::State;
use crate::data::{ClassIndex, Sequences, check_finite, rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::math::softmax;
use crate::observe::{FitObserved, Observer, Progress, report};
use crate::optim::{self, EarlyStopping, MiniBatches};
use crate::params::require;

/// What the outputs are compared with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Targets<'a, F> {
    /// `n_outputs` numbers for each row: the mean squared error, over all numbers.
    Values(&'a [F]),
    /// A column for each row: the cross-entropy of the softmax, mean over the rows.
    Classes(&'a [usize]),
}

impl<F: Float> Targets<'_, F> {
    /// The loss of outputs `y`, and its gradient in `d_y`.
    ///
    /// Shapes: `y` and `d_y (n_rows, width)`, of which the first `n_outputs` columns count; `row_of(i)` is the target of row `i`.
    fn loss(
        self,
        y: &[F],
        d_y: &mut [F],
        width: usize,
        n_outputs: usize,
        row_of: impl Fn(usize) -> usize,
    ) -> f64 {
        let n_rows = y.len() / width;
        let mut sum = 0.0;
        let rows = y.chunks_exact(width).zip(d_y.chunks_exact_mut(width)).enumerate();
        match self {
            Self::Values(targets) => {
                let scale = F::of(2.0 / (n_rows * n_outputs) as f64);
                for (row, (y, d_y)) in rows {
                    let target = &targets[row_of(row) * n_outputs..][..n_outputs];
                    for ((&y, d_y), &target) in y.iter().zip(d_y).zip(target) {
                        let error = y - target;
                        sum += error.as_f64() * error.as_f64();
                        *d_y = scale * error;
                    }
                }
                sum / (n_rows * n_outputs) as f64
            }
            Self::Classes(targets) => {
                let scale = F::of(1.0 / n_rows as f64);
                for (row, (y, d_y)) in rows {
                    let (class, p) = (targets[row_of(row)], &mut d_y[..n_outputs]);
                    p.copy_from_slice(&y[..n_outputs]);
                    let log_sum = softmax(p);
                    sum += (log_sum - y[class]).as_f64();
                    p[class] -= F::one();
                    p.iter_mut().for_each(|p| *p *= scale);
                }
                sum / n_rows as f64
            }
        }
    }
}

/// Everything that a fit looks at.
#[derive(Debug, Clone, Copy)]
struct Examples<'a, F> {
    inputs: Inputs<'a, F>,
    targets: Targets<'a, F>,
    lengths: &'a [usize],
    starts: &'a [usize],
}

impl<F: Float, C: Cell> RecurrentParams<F, C> {
    /// The layout of a net and its first values.
    pub(super) fn build(
        &self,
        n_tokens: Option<usize>,
        n_inputs: usize,
        n_outputs: usize,
        each_row: bool,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<(Net<C>, Vec<F>)> {
        require((1..1 << 24).contains(&n_inputs), "n_inputs", "in 1..16777216", n_inputs)?;
        require((1..1 << 24).contains(&n_outputs), "n_outputs", "in 1..16777216", n_outputs)?;
        let tokens = n_tokens.map(|n_tokens| (n_tokens, self.embedding));
        let (cell, h, l) = (self.cell, self.n_hidden, self.n_layers);
        let net = Net::new::<F>(cell, tokens, n_inputs, h, l, self.bidirectional, n_outputs, each_row);
        let params = net.init(self.forget_bias, rng)?;
        Ok((net, params))
    }

    /// Trains a net from the beginning, or `start` further.
    fn train<T, S: Data>(
        &self,
        sequences: &Sequences<S>,
        (targets, n_targets): (Targets<'_, F>, usize),
        (kind, n_outputs): (T, usize),
        start: Option<Recurrent<F, C, T>>,
        observer: &mut dyn Observer,
    ) -> Result<Recurrent<F, C, T>>
    where
        S::Elem: Element<F>,
    {
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
        let examples = Examples { inputs, targets, lengths, starts: &starts };
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
        let mut trainer = Trainer {
            settings: self,
            w: Workspace::default(),
            grads: vec![F::zero(); model.params.len()],
            memory: optim::State::new(),
            state: State::zeros(&model.net, batch_size),
            rng,
        };
        let mut best: Option<Vec<F>> = None;
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
                    best.get_or_insert_with(Vec::new).clone_from(&model.params);
                }
                if stop {
                    break;
                }
            }
            let progress = Progress::new("epoch", epoch as u64 + 1, self.n_epochs as u64);
            report(observer, Progress { objective: Some(loss), ..progress })?;
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

/// The room for all steps of a fit.
struct Trainer<'a, F, C> {
    settings: &'a RecurrentParams<F, C>,
    w: Workspace<F>,
    grads: Vec<F>,
    memory: optim::State<F>,
    state: State<F>,
    rng: Xoshiro256PlusPlus,
}

impl<F: Float, C: Cell> Trainer<'_, F, C> {
    /// One batch: an update, or, truncated, one for each window. Returns the targets seen, or what was not finite.
    fn step(
        &mut self,
        net: &Net<C>,
        params: &mut [F],
        examples: Examples<'_, F>,
        batch: &[usize],
        rate: f64,
        on_loss: &mut dyn FnMut(f64, usize),
    ) -> Result<usize, &'static str> {
        let Examples { lengths, starts, .. } = examples;
        let longest = batch.iter().map(|&i| lengths[i]).max().unwrap_or(0);
        let window = self.settings.truncate.unwrap_or(longest);
        let mut n_seen = 0;
        for from in (0..longest).step_by(window) {
            // Parts that have ended stay away; the number of a part among those left finds its sequence again.
            let left = || batch.iter().copied().enumerate().filter(|&(_, i)| lengths[i] > from);
            self.w.batch.fill(left().map(|(_, i)| (starts[i] + from, window.min(lengths[i] - from))));
            net.prepare(params, &mut self.w);
            if from > 0 {
                let state = &self.state;
                state.enter(net, &mut self.w, |part| left().nth(part).map_or(0, |(place, _)| place));
            }
            let sequence = |part: usize| left().nth(part).map_or(0, |(_, i)| i);
            let dropout =
                (self.settings.dropout != super::Dropout::default()).then_some(self.settings.dropout);
            let dropping = dropout.map(|dropout| (dropout, &mut self.rng));
            net.forward(params, examples.inputs, &mut self.w, dropping);
            let loss = loss_and_gradient(net, examples.targets, &mut self.w, sequence);
            let n_rows = net.n_out_rows(&self.w.batch);
            on_loss(loss, n_rows);
            n_seen += n_rows;
            self.grads.fill(F::zero());
            net.backward(params, examples.inputs, &mut self.w, dropout, false, &mut self.grads);
            if window < longest {
                self.state.leave(net, &self.w, |part| left().nth(part).map_or(0, |(place, _)| place));
            }
            if !loss.is_finite() {
                return Err("loss");
            }
            let finite = |clip: optim::Clip| clip.apply(&mut self.grads).is_ok_and(f64::is_finite);
            if !self.settings.clip.is_none_or(finite) {
                return Err("gradient");
            }
            let updated = self.settings.rule.update(rate, params, &self.grads, &mut self.memory);
            updated.map_err(|_| "learning rate")?;
        }
        Ok(n_seen)
    }

    /// Mean loss of some sequences, without dropout and without an update.
    fn loss_of(
        &mut self,
        net: &Net<C>,
        params: &[F],
        examples: Examples<'_, F>,
        which: std::ops::Range<usize>,
    ) -> f64 {
        let Examples { lengths, starts, .. } = examples;
        let (mut first, mut sum, mut n_rows) = (which.start, 0.0, 0);
        while first < which.end {
            let end = group_end(&lengths[..which.end], first);
            self.w.batch.fill((first..end).map(|i| (starts[i], lengths[i])));
            net.prepare(params, &mut self.w);
            net.forward(params, examples.inputs, &mut self.w, None);
            let loss = loss_and_gradient(net, examples.targets, &mut self.w, |part| first + part);
            let n = net.n_out_rows(&self.w.batch);
            sum += loss * n as f64;
            n_rows += n;
            first = end;
        }
        sum / n_rows as f64
    }
}

/// The loss of `w.y`, its gradient in `w.d_y`; `sequence(part)` is the sequence of a part of the batch.
fn loss_and_gradient<F: Float, C: Cell>(
    net: &Net<C>,
    targets: Targets<'_, F>,
    w: &mut Workspace<F>,
    sequence: impl Fn(usize) -> usize,
) -> f64 {
    let (n_rows, width) = (net.n_out_rows(&w.batch), net.head.width::<F>());
    super::layer::grow(&mut w.d_y, n_rows * width);
    let Workspace { y, d_y, batch, .. } = w;
    let (y, d_y) = (&y[..n_rows * width], &mut d_y[..n_rows * width]);
    targets.loss(y, d_y, width, net.n_outputs(), |row| {
        if net.each_row { batch.source[row] } else { sequence(batch.order[row]) }
    })
}

/// A loss and its gradient by every tensor and by the inputs; made by [`Recurrent::gradients`].
#[derive(Debug, Clone)]
pub struct Gradients<F> {
    /// The mean loss.
    pub loss: f64,
    /// The gradient by the vector of all parameters, in the order of [`Recurrent::parameters`].
    pub parameters: Vec<F>,
    /// The gradient by each tensor, under its name.
    pub tensors: Vec<(String, Array2<F>)>,
    /// The gradient by the records, or by the embedded tokens; in the order of the rows.
    pub inputs: Array2<F>,
}

impl<F: Float, C: Cell, T> Recurrent<F, C, T> {
    fn gradients_of<S: Data>(
        &self,
        sequences: &Sequences<S>,
        targets: Targets<'_, F>,
        state: Option<&State<F>>,
    ) -> Result<Gradients<F>>
    where
        S::Elem: Element<F>,
    {
        let view = sequences.records().view();
        let records = rows(&view);
        let inputs = self.inputs(&records, view.ncols())?;
        let mut w = Workspace::default();
        let range = |i| sequences.range(i).map_or((0, 0), |range| (range.start, range.len()));
        w.batch.fill((0..sequences.n_sequences()).map(range));
        self.net.prepare(&self.params, &mut w);
        if let Some(state) = state {
            self.check_one_direction()?;
            state.check(&self.net, sequences.n_sequences())?;
            state.enter(&self.net, &mut w, |part| part);
        }
        self.net.forward(&self.params, inputs, &mut w, None);
        let loss = loss_and_gradient(&self.net, targets, &mut w, |part| part);
        let mut parameters = vec![F::zero(); self.params.len()];
        self.net.backward(&self.params, inputs, &mut w, None, true, &mut parameters);
        let n_inputs = self.net.layers[0][0].n_inputs;
        let mut d_inputs = Array2::zeros((view.nrows(), n_inputs));
        let d_rows = w.d_inputs[0].chunks_exact(crate::kernel::nets::product::padded::<F>(n_inputs));
        for (d_row, &row) in d_rows.zip(&w.batch.source) {
            d_inputs.row_mut(row).iter_mut().zip(d_row).for_each(|(to, &d)| *to = d);
        }
        let tensors = self.net.tensors::<F>();
        let tensors = tensors.into_iter().map(|tensor| {
            let gradient = collect(&tensor, &parameters);
            (tensor.name, gradient)
        });
        Ok(Gradients { loss, tensors: tensors.collect(), parameters, inputs: d_inputs })
    }
}

impl<F: Float, C: Cell> Recurrent<F, C, Values> {
    /// The mean squared error on the given sequences and its gradient, from a state (default 0) on.
    ///
    /// # Errors
    /// As for a fit.
    pub fn gradients<S: Data, D: Data<Elem = F>>(
        &self,
        sequences: &Sequences<S>,
        targets: &ArrayBase<D, Ix2>,
        state: Option<&State<F>>,
    ) -> Result<Gradients<F>>
    where
        S::Elem: Element<F>,
    {
        check_targets(targets, Some(self.net.n_outputs()))?;
        if each_row(targets.nrows(), sequences)? != self.net.each_row {
            return Err(Error::shape("targets", "one entry for each answer of the model", targets.nrows()));
        }
        self.gradients_of(sequences, Targets::Values(&rows(&targets.view())), state)
    }
}

impl<F: Float, C: Cell, L: Label> Recurrent<F, C, ClassIndex<L>> {
    /// The cross-entropy on the given sequences and its gradient, from a state (default 0) on.
    ///
    /// # Errors
    /// As for a fit, and [`Error::Parameter`] for an unknown label.
    pub fn gradients<S: Data, D: Data<Elem = L>>(
        &self,
        sequences: &Sequences<S>,
        targets: &ArrayBase<D, Ix1>,
        state: Option<&State<F>>,
    ) -> Result<Gradients<F>>
    where
        S::Elem: Element<F>,
    {
        if each_row(targets.len(), sequences)? != self.net.each_row {
            return Err(Error::shape("targets", "one entry for each answer of the model", targets.len()));
        }
        let columns = self.targets.columns(targets.view())?;
        self.gradients_of(sequences, Targets::Classes(&columns.to_vec()), state)
    }
}

fn check_targets<F: Float, D: Data<Elem = F>>(
    targets: &ArrayBase<D, Ix2>,
    n_outputs: Option<usize>,
) -> Result<()> {
    check_finite("targets", targets)?;
    match n_outputs {
        Some(n) if n != targets.ncols() => {
            Err(Error::shape("targets", format!("{n} columns"), targets.ncols()))
        }
        _ if targets.ncols() == 0 => Err(Error::shape("targets", "at least one column", 0)),
        _ => Ok(()),
    }
}

impl<F: Float, C: Cell> RecurrentParams<F, C> {
    fn fit_values<S: Data, D: Data<Elem = F>>(
        &self,
        start: Option<Recurrent<F, C, Values>>,
        dataset: &DatasetBase<Sequences<S>, ArrayBase<D, Ix2>>,
        observer: &mut dyn Observer,
    ) -> Result<Recurrent<F, C, Values>>
    where
        S::Elem: Element<F>,
    {
        let targets = dataset.targets();
        check_targets(targets, None)?;
        let (n, n_outputs) = targets.dim();
        let values = rows(&targets.view());
        self.train(dataset.records(), (Targets::Values(&values), n), (Values, n_outputs), start, observer)
    }

    fn fit_labels<S: Data, D: Data<Elem = L>, L: Label>(
        &self,
        start: Option<Recurrent<F, C, ClassIndex<L>>>,
        dataset: &DatasetBase<Sequences<S>, ArrayBase<D, Ix1>>,
        observer: &mut dyn Observer,
    ) -> Result<Recurrent<F, C, ClassIndex<L>>>
    where
        S::Elem: Element<F>,
    {
        let labels = dataset.targets().view();
        let classes =
            start.as_ref().map_or_else(|| ClassIndex::new(labels), |start| Ok(start.targets.clone()))?;
        let (columns, n) = (classes.columns(labels)?.to_vec(), classes.n_classes());
        self.train(
            dataset.records(),
            (Targets::Classes(&columns), labels.len()),
            (classes, n),
            start,
            observer,
        )
    }
}

impl<F, C, S, D> FitObserved<Sequences<S>, ArrayBase<D, Ix2>> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell,
    S: Data,
    S::Elem: Element<F>,
    D: Data<Elem = F>,
{
    type Object = Recurrent<F, C, Values>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<Sequences<S>, ArrayBase<D, Ix2>>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        self.fit_values(None, dataset, observer)
    }
}

impl<F, C, S, D> Fit<Sequences<S>, ArrayBase<D, Ix2>, Error> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell,
    S: Data,
    S::Elem: Element<F>,
    D: Data<Elem = F>,
{
    type Object = Recurrent<F, C, Values>;

    fn fit(&self, dataset: &DatasetBase<Sequences<S>, ArrayBase<D, Ix2>>) -> Result<Self::Object> {
        self.fit_values(None, dataset, &mut ())
    }
}

/// Goes on with a net of the same sizes; what the update rule remembered begins anew.
impl<'a, F, C, S, D> FitWith<'a, Sequences<S>, ArrayBase<D, Ix2>, Error> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell + 'a,
    S: Data,
    S::Elem: Element<F>,
    D: Data<Elem = F>,
{
    type ObjectIn = Option<Recurrent<F, C, Values>>;
    type ObjectOut = Recurrent<F, C, Values>;

    fn fit_with(
        &self,
        model: Self::ObjectIn,
        dataset: &'a DatasetBase<Sequences<S>, ArrayBase<D, Ix2>>,
    ) -> Result<Self::ObjectOut> {
        self.fit_values(model, dataset, &mut ())
    }
}

impl<F, C, S, D, L> FitObserved<Sequences<S>, ArrayBase<D, Ix1>> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell,
    S: Data,
    S::Elem: Element<F>,
    L: Label,
    D: Data<Elem = L>,
{
    type Object = Recurrent<F, C, ClassIndex<L>>;

    fn fit_observed(
        &self,
        dataset: &DatasetBase<Sequences<S>, ArrayBase<D, Ix1>>,
        observer: &mut dyn Observer,
    ) -> Result<Self::Object> {
        self.fit_labels(None, dataset, observer)
    }
}

impl<F, C, S, D, L> Fit<Sequences<S>, ArrayBase<D, Ix1>, Error> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell,
    S: Data,
    S::Elem: Element<F>,
    L: Label,
    D: Data<Elem = L>,
{
    type Object = Recurrent<F, C, ClassIndex<L>>;

    fn fit(&self, dataset: &DatasetBase<Sequences<S>, ArrayBase<D, Ix1>>) -> Result<Self::Object> {
        self.fit_labels(None, dataset, &mut ())
    }
}

/// Goes on with a net of the same sizes and classes; what the update rule remembered begins anew.
impl<'a, F, C, S, D, L> FitWith<'a, Sequences<S>, ArrayBase<D, Ix1>, Error> for RecurrentParams<F, C>
where
    F: Float,
    C: Cell + 'a,
    S: Data,
    S::Elem: Element<F>,
    L: Label + 'a,
    D: Data<Elem = L>,
{
    type ObjectIn = Option<Recurrent<F, C, ClassIndex<L>>>;
    type ObjectOut = Recurrent<F, C, ClassIndex<L>>;

    fn fit_with(
        &self,
        model: Self::ObjectIn,
        dataset: &'a DatasetBase<Sequences<S>, ArrayBase<D, Ix1>>,
    ) -> Result<Self::ObjectOut> {
        self.fit_labels(model, dataset, &mut ())
    }
}
