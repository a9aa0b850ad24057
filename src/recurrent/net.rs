//! The sequence model: embedding, layers in one or two directions, dropout and head, forward and backward.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;

use super::batch::Batch;
use super::cell::Cell;
use super::dense::{Dense, Embedding};
use super::layer::{Layer, Tensor, Trace, grow};
use crate::error::Result;
use crate::float::Float;
use crate::kernel::Aligned;
use crate::kernel::nets::gather::Gather;
use crate::kernel::nets::product::padded;
use crate::kernel::simd::dispatch;
use crate::optim::init;

/// Shares of numbers that training sets to 0; what stays is divided by the share that stays.
///
/// A mask is drawn for every number of every row anew, as in PyTorch; the recurrent connection itself is never dropped. Prediction drops nothing.
///
/// # Example
/// ```
/// use sapwood::{Lstm, linfa::ParamGuard, recurrent::Dropout};
///
/// let params = Lstm::<f64>::params(8).n_layers(2).dropout(Dropout { between: 0.2, after: 0.1, ..Dropout::default() });
/// assert!(params.check().is_ok());
/// assert!(Lstm::<f64>::params(8).dropout(Dropout { before: 1.0, ..Dropout::default() }).check().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dropout {
    /// Of the inputs of the first layer.
    pub before: f64,
    /// Of the inputs of every other layer: what PyTorch calls `dropout`.
    pub between: f64,
    /// Of the inputs of the head.
    pub after: f64,
}

/// The shape of a net, and where everything lies in the vector of its parameters.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Net<C> {
    pub(super) embedding: Option<Embedding>,
    /// Layers from below; each has one direction, or two.
    pub(super) layers: Vec<Vec<Layer<C>>>,
    pub(super) head: Dense,
    /// Whether there is one output for each row, or one for each sequence.
    pub(super) each_row: bool,
}

/// What enters the first layer.
#[derive(Debug, Clone, Copy)]
pub enum Inputs<'a, F> {
    /// Numbers, one row after another.
    Values(&'a [F]),
    /// A token for each row, below the size of the embedding.
    Tokens(&'a [usize]),
}

/// What a forward pass is for.
#[derive(Debug)]
pub(super) enum Pass<'a> {
    /// For the outputs.
    Answer,
    /// For a backward pass after it; with dropout, as in training.
    Trace(Option<(Dropout, &'a mut Xoshiro256PlusPlus)>),
}

/// Everything between inputs and outputs: room that is used again for every batch.
///
/// It grows to the largest batch that it has seen; [`predict_into`](super::Recurrent::predict_into) takes one.
///
/// # Example
/// See [`Recurrent::predict_into`](super::Recurrent::predict_into).
#[derive(Debug, Clone, Default)]
pub struct Workspace<F> {
    pub(super) batch: Batch,
    /// Inputs of each layer `(n_rows, padded inputs)`.
    pub(super) inputs: Vec<Aligned<F>>,
    pub(super) d_inputs: Vec<Aligned<F>>,
    pub(super) traces: Vec<Vec<Trace<F>>>,
    /// Masks of the layers' inputs and of the features.
    masks: Vec<Vec<F>>,
    /// Inputs of the head `(n_outputs rows, padded features)`.
    features: Aligned<F>,
    d_features: Aligned<F>,
    /// Outputs of the head `(n_outputs rows, padded outputs)`.
    pub(super) y: Aligned<F>,
    pub(super) d_y: Aligned<F>,
    d_x: Aligned<F>,
    transposed: Aligned<F>,
}

impl<C: Cell> Net<C> {
    /// The layout of a net.
    #[allow(clippy::too_many_arguments, reason = "the sizes of a net")]
    pub(super) fn new<F: Float>(
        cell: C,
        tokens: Option<(usize, usize)>,
        n_inputs: usize,
        n_hidden: usize,
        n_layers: usize,
        bidirectional: bool,
        n_outputs: usize,
        each_row: bool,
    ) -> Self {
        let embedding = tokens.map(|(n_tokens, n_dims)| Embedding { n_tokens, n_dims, at: 0 });
        let mut at = embedding.map_or(0, |embedding| embedding.end());
        let mut n_inputs = embedding.map_or(n_inputs, |embedding| embedding.n_dims);
        let n_directions = if bidirectional { 2 } else { 1 };
        let mut layers = Vec::new();
        for _ in 0..n_layers {
            let mut directions = Vec::new();
            for _ in 0..n_directions {
                let layer = Layer { cell, n_inputs, n_hidden, at };
                at = layer.end::<F>();
                directions.push(layer);
            }
            layers.push(directions);
            n_inputs = n_hidden * n_directions;
        }
        Self { embedding, layers, head: Dense { n_inputs, n_outputs, at }, each_row }
    }

    pub(super) fn n_params<F: Float>(&self) -> usize {
        self.head.end::<F>()
    }

    pub(super) fn bidirectional(&self) -> bool {
        self.layers[0].len() == 2
    }

    pub(super) fn n_outputs(&self) -> usize {
        self.head.n_outputs
    }

    /// Every tensor under PyTorch's name.
    pub(super) fn tensors<F: Float>(&self) -> Vec<Tensor> {
        let mut tensors = self.embedding.map_or_else(Vec::new, |embedding| embedding.tensors());
        for (l, directions) in self.layers.iter().enumerate() {
            for (layer, reverse) in directions.iter().zip(["", "_reverse"]) {
                tensors.extend(layer.tensors::<F>(&format!("l{l}{reverse}")));
            }
        }
        tensors.extend(self.head.tensors::<F>());
        tensors
    }

    /// First values: Glorot (uniform) for what reads inputs, orthogonal for each gate's recurrent matrix, normal for an embedding, 0 for biases but
    /// `forget_bias` for the forget gate.
    pub(super) fn init<F: Float>(
        &self,
        forget_bias: f64,
        rng: &mut Xoshiro256PlusPlus,
    ) -> Result<Aligned<F>> {
        let mut params = Aligned::default();
        params.resize(self.n_params::<F>());
        for tensor in self.tensors::<F>() {
            let (rows, columns) = (tensor.shape[0], tensor.shape.get(1).copied());
            let n_hidden = self.layers[0][0].n_hidden;
            let mut fill = |places: &[usize], values: ndarray::Array2<F>| {
                for (&place, value) in places.iter().zip(values) {
                    params[place] = value;
                }
            };
            if tensor.name.starts_with("weight_hh") {
                for places in tensor.places.chunks(n_hidden * n_hidden) {
                    fill(places, init::orthogonal(n_hidden, n_hidden, rng));
                }
            } else if tensor.name.starts_with("weight_ih") {
                let n_inputs = columns.unwrap_or(1);
                for places in tensor.places.chunks(n_hidden * n_inputs) {
                    fill(places, init::glorot_uniform(n_hidden, n_inputs, rng)?);
                }
            } else if tensor.name == "head.weight" {
                fill(&tensor.places, init::glorot_uniform(rows, columns.unwrap_or(1), rng)?);
            } else if tensor.name == "embedding.weight" {
                fill(&tensor.places, init::normal(rows, columns.unwrap_or(1), 1.0, rng));
            } else if let (true, Some(forget)) = (tensor.name.starts_with("bias_ih"), C::FORGET) {
                let gate = C::INPUT_ORDER[forget];
                for &place in &tensor.places[gate * n_hidden..][..n_hidden] {
                    params[place] = F::of(forget_bias);
                }
            }
        }
        Ok(params)
    }

    /// Makes room for the batch in `w.batch` and sets every state before the first step to 0.
    pub(super) fn prepare<F: Float>(&self, params: &[F], w: &mut Workspace<F>) {
        let (n_rows, n_sequences) = (w.batch.n_rows(), w.batch.n_sequences());
        if self.bidirectional() {
            w.batch.find_mirror();
        }
        w.inputs.resize_with(self.layers.len(), Aligned::default);
        w.d_inputs.resize_with(self.layers.len(), Aligned::default);
        w.masks.resize_with(self.layers.len() + 1, Vec::new);
        w.traces.resize_with(self.layers.len(), Vec::new);
        for (l, directions) in self.layers.iter().enumerate() {
            grow(&mut w.inputs[l], n_rows * padded::<F>(directions[0].n_inputs));
            w.traces[l].resize_with(directions.len(), Trace::default);
            for (layer, trace) in directions.iter().zip(&mut w.traces[l]) {
                layer.prepare(params, trace, n_sequences, n_rows);
                let width = layer.width::<F>();
                trace.hidden[..n_sequences * width].fill(F::zero());
                if C::HAS_MEMORY {
                    trace.memory[..n_sequences * width].fill(F::zero());
                }
            }
        }
        let n_out = self.n_out_rows(&w.batch);
        grow(&mut w.features, n_out * padded::<F>(self.head.n_inputs));
        grow(&mut w.y, n_out * self.head.width::<F>());
    }

    /// Rows of the output for a batch.
    pub(super) fn n_out_rows(&self, batch: &Batch) -> usize {
        if self.each_row { batch.n_rows() } else { batch.n_sequences() }
    }

    /// `w.y` from `inputs`, of which the batch in `w` says the rows.
    ///
    /// [`prepare`](Self::prepare) comes before it, and whoever brings a state sets it in between.
    pub(super) fn forward<F: Float>(
        &self,
        params: &[F],
        inputs: Inputs<'_, F>,
        w: &mut Workspace<F>,
        pass: Pass<'_>,
    ) {
        let (kept, mut dropout) = match pass {
            Pass::Answer => (false, None),
            Pass::Trace(dropout) => (true, dropout),
        };
        let Workspace { batch, inputs: xs, traces, masks, features, y, .. } = w;
        let n_rows = batch.n_rows();
        for (l, directions) in self.layers.iter().enumerate() {
            let n_inputs = directions[0].n_inputs;
            let x_row = padded::<F>(n_inputs);
            let (below, here) = traces.split_at_mut(l);
            let x = &mut xs[l][..n_rows * x_row];
            match below.last() {
                None => match (inputs, &self.embedding) {
                    (Inputs::Tokens(tokens), Some(embedding)) => {
                        for (x, &row) in x.chunks_exact_mut(x_row).zip(&batch.source) {
                            x[..n_inputs].copy_from_slice(embedding.row(params, tokens[row]));
                        }
                    }
                    (Inputs::Values(from), _) => {
                        dispatch(Gather { n: n_inputs, from, source: &batch.source, to: x, to_row: x_row });
                    }
                    (Inputs::Tokens(_), None) => unreachable!("tokens enter through an embedding"),
                },
                Some(below) => self.gather(batch, &self.layers[l - 1], below, true, x, x_row),
            }
            if let Some((dropout, rng)) = &mut dropout {
                let rate = if l == 0 { dropout.before } else { dropout.between };
                drop_out(x, rate, &mut masks[l], rng);
            }
            for (direction, (layer, trace)) in directions.iter().zip(&mut here[0]).enumerate() {
                if direction == 0 {
                    layer.forward(params, &batch.steps, n_rows, x, x_row, trace, kept);
                } else {
                    trace.mirror_rows(&batch.mirror, x, x_row);
                    let mirrored = std::mem::take(&mut trace.mirrored);
                    layer.forward(params, &batch.steps, n_rows, &mirrored, x_row, trace, kept);
                    trace.mirrored = mirrored;
                }
            }
        }
        let (n_out, features_row) = (self.n_out_rows(batch), padded::<F>(self.head.n_inputs));
        let top = self.layers.len() - 1;
        if self.head_reads_hidden(dropout.as_ref().map(|dropout| dropout.0)) {
            let hidden = &traces[top][0].hidden[batch.n_sequences() * features_row..];
            return self.head.forward(params, n_out, hidden, features_row, y);
        }
        let features = &mut features[..n_out * features_row];
        self.gather(batch, &self.layers[top], &traces[top], self.each_row, features, features_row);
        if let Some((dropout, rng)) = &mut dropout {
            drop_out(features, dropout.after, &mut masks[top + 1], rng);
        }
        self.head.forward(params, n_out, features, features_row, y);
    }

    /// `w.y` one step on, for one sequence read from its beginning; `odd` for every other step, as [`Layer::step`] wants to know.
    pub(super) fn step<F: Float>(&self, params: &[F], x: &[F], w: &mut Workspace<F>, odd: bool) {
        let after = |layer: &Layer<C>| if odd { 0 } else { layer.width::<F>() };
        for (l, directions) in self.layers.iter().enumerate() {
            let (below, here) = w.traces.split_at_mut(l);
            let x = below.last().map_or(x, |below| &below[0].hidden[after(&self.layers[l - 1][0])..]);
            directions[0].step(params, x, &mut here[0][0], odd);
        }
        let top = self.layers.len() - 1;
        let hidden = &w.traces[top][0].hidden[after(&self.layers[top][0])..];
        self.head.step(params, hidden, &mut w.y);
    }

    /// Adds the gradients of all parameters to `grads`, from `w.d_y`, after the forward pass of the same batch and dropout.
    ///
    /// `d_inputs` asks for the gradient of what entered the first layer: it is left in `w.d_inputs[0]`.
    pub(super) fn backward<F: Float>(
        &self,
        params: &[F],
        inputs: Inputs<'_, F>,
        w: &mut Workspace<F>,
        dropout: Option<Dropout>,
        d_inputs: bool,
        grads: &mut [F],
    ) {
        let Workspace {
            batch,
            inputs: xs,
            d_inputs: d_xs,
            traces,
            masks,
            features,
            d_features,
            d_y,
            d_x,
            transposed,
            ..
        } = w;
        let (n_rows, n_out) = (batch.n_rows(), self.n_out_rows(batch));
        let features_row = padded::<F>(self.head.n_inputs);
        let top = self.layers.len() - 1;
        let direct = self.head_reads_hidden(dropout);
        if direct {
            let Trace { hidden, d_hidden, .. } = &mut traces[top][0];
            let hidden = &hidden[batch.n_sequences() * features_row..];
            grow(d_hidden, n_out * features_row);
            self.head.backward(params, n_out, hidden, features_row, d_y, grads, d_hidden, transposed);
        } else {
            grow(d_features, n_out * features_row);
            self.head.backward(params, n_out, features, features_row, d_y, grads, d_features, transposed);
        }
        if let Some(Dropout { after, .. }) = dropout.filter(|dropout| dropout.after > 0.0) {
            undo_drop_out(&mut d_features[..n_out * features_row], after, &masks[top + 1]);
        }
        for (l, directions) in self.layers.iter().enumerate().rev() {
            let x_row = padded::<F>(directions[0].n_inputs);
            let (d_here, d_above) = d_xs.split_at_mut(l + 1);
            let (d_out, d_row, each_row) = match d_above.first() {
                Some(d_above) => (&d_above[..], padded::<F>(self.layers[l + 1][0].n_inputs), true),
                None => (&d_features[..], features_row, self.each_row),
            };
            if l < top || !direct {
                self.scatter(batch, directions, &mut traces[l], each_row, d_out, d_row);
            }
            let needed = l > 0 || d_inputs || self.embedding.is_some();
            let (x, d_in) = (&xs[l], &mut d_here[l]);
            if needed {
                grow(d_in, n_rows * x_row);
            }
            for (direction, (layer, trace)) in directions.iter().zip(&mut traces[l]).enumerate() {
                if direction == 0 {
                    let d_in = needed.then_some(&mut d_in[..]);
                    layer.backward(params, &batch.steps, n_rows, x, x_row, trace, grads, d_in);
                } else {
                    grow(d_x, n_rows * x_row);
                    let mirrored = std::mem::take(&mut trace.mirrored);
                    let d_mirrored = needed.then_some(&mut d_x[..]);
                    layer.backward(params, &batch.steps, n_rows, &mirrored, x_row, trace, grads, d_mirrored);
                    trace.mirrored = mirrored;
                    if needed {
                        for (d_in, &row) in d_in.chunks_exact_mut(x_row).zip(&batch.mirror) {
                            for (d_in, &d) in d_in.iter_mut().zip(&d_x[row * x_row..]) {
                                *d_in += d;
                            }
                        }
                    }
                }
            }
            if let (true, Some(dropout)) = (needed, dropout) {
                let rate = if l == 0 { dropout.before } else { dropout.between };
                undo_drop_out(&mut d_in[..n_rows * x_row], rate, &masks[l]);
            }
        }
        if let (Some(embedding), Inputs::Tokens(tokens)) = (&self.embedding, inputs) {
            let x_row = padded::<F>(embedding.n_dims);
            for (d_row, &row) in d_xs[0].chunks_exact(x_row).zip(&batch.source) {
                embedding.add_gradient(grads, tokens[row], d_row);
            }
        }
    }

    /// Whether the hidden states of the top layer are the inputs of the head as they lie.
    fn head_reads_hidden(&self, dropout: Option<Dropout>) -> bool {
        self.each_row && !self.bidirectional() && dropout.is_none_or(|dropout| dropout.after == 0.0)
    }

    /// The hidden states of a layer's directions side by side: of each row, or of each sequence after its last step.
    fn gather<F: Float>(
        &self,
        batch: &Batch,
        directions: &[Layer<C>],
        traces: &[Trace<F>],
        each_row: bool,
        to: &mut [F],
        to_row: usize,
    ) {
        for (direction, (layer, trace)) in directions.iter().zip(traces).enumerate() {
            let (n, width) = (layer.n_hidden, layer.width::<F>());
            let hidden = &trace.hidden[batch.n_sequences() * width..];
            for (row, to) in to.chunks_exact_mut(to_row).enumerate() {
                let from = source_row(batch, direction, each_row, row);
                to[direction * n..][..n].copy_from_slice(&hidden[from * width..][..n]);
            }
        }
    }

    /// The way back of [`gather`](Self::gather): `d_hidden` of each direction.
    fn scatter<F: Float>(
        &self,
        batch: &Batch,
        directions: &[Layer<C>],
        traces: &mut [Trace<F>],
        each_row: bool,
        d_to: &[F],
        d_row: usize,
    ) {
        for (direction, (layer, trace)) in directions.iter().zip(traces).enumerate() {
            let (n, width) = (layer.n_hidden, layer.width::<F>());
            grow(&mut trace.d_hidden, batch.n_rows() * width);
            if !each_row {
                trace.d_hidden[..batch.n_rows() * width].fill(F::zero());
            }
            let n_rows = if each_row { batch.n_rows() } else { batch.n_sequences() };
            for (row, d) in d_to.chunks_exact(d_row).take(n_rows).enumerate() {
                let from = source_row(batch, direction, each_row, row);
                trace.d_hidden[from * width..][..n].copy_from_slice(&d[direction * n..][..n]);
            }
        }
    }
}

/// The row of a direction's own order that belongs to row `row` of its output.
fn source_row(batch: &Batch, direction: usize, each_row: bool, row: usize) -> usize {
    match (each_row, direction) {
        (true, 0) => row,
        (true, _) => batch.mirror[row],
        (false, _) => batch.last[row],
    }
}

/// Multiplies `x` by a new mask of 0 and `1 / (1 - rate)`.
fn drop_out<F: Float>(x: &mut [F], rate: f64, mask: &mut Vec<F>, rng: &mut Xoshiro256PlusPlus) {
    if rate > 0.0 {
        let kept = F::of(1.0 / (1.0 - rate));
        mask.clear();
        mask.extend(x.iter().map(|_| if rng.r#gen::<f64>() < rate { F::zero() } else { kept }));
        undo_drop_out(x, rate, mask);
    }
}

/// The gradient passes through the same mask.
fn undo_drop_out<F: Float>(d_x: &mut [F], rate: f64, mask: &[F]) {
    if rate > 0.0 {
        for (d_x, &mask) in d_x.iter_mut().zip(mask) {
            *d_x *= mask;
        }
    }
}

#[cfg(feature = "serde")]
impl<C: Cell> Net<C> {
    /// Errors unless the sizes are those of some net, and `params` has as many numbers as it.
    pub(super) fn validate<F: Float>(&self, params: &[F]) -> Result<()> {
        use crate::params::require;
        let Some(first) = self.layers.first().and_then(|directions| directions.first()) else {
            return Err(crate::error::Error::shape("layers", "at least one entry", 0));
        };
        let tokens = self.embedding.map(|embedding| (embedding.n_tokens, embedding.n_dims));
        let (n_inputs, n_hidden, n_outputs) = (first.n_inputs, first.n_hidden, self.head.n_outputs);
        // A matrix has no more entries than there are parameters, so the sums below stay far within 64 bits.
        let (n_tokens, n_dims) = tokens.unwrap_or((1, 1));
        for (rows, columns) in
            [(n_inputs, n_hidden), (n_hidden, n_hidden), (n_hidden, n_outputs), (n_tokens, n_dims)]
        {
            let entries = rows.saturating_mul(columns);
            require((1..=params.len()).contains(&entries), "sizes", "those of the parameters", entries)?;
        }
        require(self.layers.len() <= 256, "layers", "at most 256", self.layers.len())?;
        let bidirectional = self.layers[0].len() == 2;
        let again = Self::new::<F>(
            first.cell,
            tokens,
            n_inputs,
            n_hidden,
            self.layers.len(),
            bidirectional,
            n_outputs,
            self.each_row,
        );
        require(again == *self, "layers", "as one builds them", "others")?;
        crate::stored::hold_len("parameters", params.len(), self.n_params::<F>())
    }
}
