//! The state that a net carries from step to step, and answers one step at a time.

use ndarray::{Array2, ArrayView2};

use super::cell::Cell;
use super::net::{Net, Workspace};
use crate::error::{Error, Result};
use crate::float::Float;

/// What a net remembers of several sequences: a row for each in every layer.
///
/// # Example
/// ```
/// use sapwood::{Lstm, data::Sequences, ndarray::array};
///
/// let model = Lstm::<f64>::untrained(&Lstm::params(4), 1, 1)?;
/// let whole = model.predict(&Sequences::single(array![[0.1], [0.2], [0.3]])?)?;
/// let mut state = model.state(1);
/// model.predict_from(&mut state, &Sequences::single(array![[0.1], [0.2]])?)?;
/// let rest = model.predict_from(&mut state, &Sequences::single(array![[0.3]])?)?;
/// assert_eq!(rest[[0, 0]], whole[[2, 0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "super::stored::Rows<F>", bound(deserialize = "F: Float + serde::Deserialize<'de>"))
)]
pub struct State<F> {
    /// `(n_sequences, n_hidden)` for each layer.
    pub(super) hidden: Vec<Array2<F>>,
    /// The same, for cells that have a memory.
    pub(super) memory: Vec<Array2<F>>,
}

impl<F: Float> State<F> {
    pub(super) fn zeros<C: Cell>(net: &Net<C>, n_sequences: usize) -> Self {
        let zeros = |n: usize| {
            net.layers.iter().take(n).map(|layer| Array2::zeros((n_sequences, layer[0].n_hidden))).collect()
        };
        Self {
            hidden: zeros(net.layers.len()),
            memory: zeros(if C::HAS_MEMORY { net.layers.len() } else { 0 }),
        }
    }

    /// Sequences that it holds.
    #[must_use]
    pub fn n_sequences(&self) -> usize {
        self.hidden[0].nrows()
    }

    /// Forgets all of one sequence, as at its start.
    ///
    /// # Panics
    /// When `sequence` is not below [`n_sequences`](Self::n_sequences).
    pub fn reset(&mut self, sequence: usize) {
        for layer in self.hidden.iter_mut().chain(&mut self.memory) {
            layer.row_mut(sequence).fill(F::zero());
        }
    }

    /// The hidden states of a layer, `(n_sequences, n_hidden)`.
    #[must_use]
    pub fn hidden(&self, layer: usize) -> Option<ArrayView2<'_, F>> {
        self.hidden.get(layer).map(Array2::view)
    }

    /// The memories of a layer, `(n_sequences, n_hidden)`; `None` also for cells without.
    #[must_use]
    pub fn memory(&self, layer: usize) -> Option<ArrayView2<'_, F>> {
        self.memory.get(layer).map(Array2::view)
    }

    /// Sets the hidden states of a layer.
    ///
    /// # Errors
    /// [`Error::Shape`] for a layer that is not there or another shape.
    pub fn set_hidden(&mut self, layer: usize, hidden: ArrayView2<'_, F>) -> Result<()> {
        Self::set(self.hidden.get_mut(layer), "hidden", hidden)
    }

    /// Sets the memories of a layer.
    ///
    /// # Errors
    /// [`Error::Shape`] for a layer that is not there or another shape.
    pub fn set_memory(&mut self, layer: usize, memory: ArrayView2<'_, F>) -> Result<()> {
        Self::set(self.memory.get_mut(layer), "memory", memory)
    }

    fn set(layer: Option<&mut Array2<F>>, name: &'static str, values: ArrayView2<'_, F>) -> Result<()> {
        let Some(layer) = layer else {
            return Err(Error::shape(name, "a layer of the net", "another"));
        };
        if layer.dim() != values.dim() {
            let (rule, (rows, columns)) = (format!("the shape {:?}", layer.dim()), values.dim());
            return Err(Error::shape(name, rule, format_args!("({rows}, {columns})")));
        }
        layer.assign(&values);
        Ok(())
    }

    /// Errors unless it is of so many sequences, and of a net of these sizes.
    pub(super) fn check<C: Cell>(&self, net: &Net<C>, n_sequences: usize) -> Result<()> {
        if self.n_sequences() != n_sequences {
            let rule = format!("one entry for each of the {n_sequences} sequences");
            return Err(Error::shape("state", rule, self.n_sequences()));
        }
        let (n_layers, n_hidden) = (net.layers.len(), net.layers[0][0].n_hidden);
        let n_memory = if C::HAS_MEMORY { n_layers } else { 0 };
        let sizes = (self.hidden.len(), self.memory.len(), self.hidden[0].ncols());
        if sizes != (n_layers, n_memory, n_hidden) {
            let rule = format!("{n_layers} layers of {n_hidden} units, {n_memory} of them with a memory");
            let (hidden, memory, units) = sizes;
            return Err(Error::shape(
                "state",
                rule,
                format_args!("{hidden} of {units}, {memory} with a memory"),
            ));
        }
        Ok(())
    }

    /// Puts the rows `of(part)` before the first step of each part of the batch.
    pub(super) fn enter<C: Cell>(&self, net: &Net<C>, w: &mut Workspace<F>, of: impl Fn(usize) -> usize) {
        for (l, layer) in net.layers.iter().enumerate() {
            let (n, width) = (layer[0].n_hidden, layer[0].width::<F>());
            let trace = &mut w.traces[l][0];
            for (place, &part) in w.batch.order.iter().enumerate() {
                let to = place * width..place * width + n;
                copy_row(&self.hidden[l], of(part), &mut trace.hidden[to.clone()]);
                if C::HAS_MEMORY {
                    copy_row(&self.memory[l], of(part), &mut trace.memory[to]);
                }
            }
        }
    }

    /// Takes the rows `of(part)` from behind the last step of each part of the batch.
    pub(super) fn leave<C: Cell>(&mut self, net: &Net<C>, w: &Workspace<F>, of: impl Fn(usize) -> usize) {
        for (l, layer) in net.layers.iter().enumerate() {
            let (n, width) = (layer[0].n_hidden, layer[0].width::<F>());
            let trace = &w.traces[l][0];
            for (&part, &last) in w.batch.order.iter().zip(&w.batch.last) {
                let at = (w.batch.n_sequences() + last) * width;
                assign_row(&mut self.hidden[l], of(part), &trace.hidden[at..at + n]);
                if C::HAS_MEMORY {
                    assign_row(&mut self.memory[l], of(part), &trace.memory[at..at + n]);
                }
            }
        }
    }
}

fn copy_row<F: Float>(from: &Array2<F>, row: usize, to: &mut [F]) {
    for (to, &from) in to.iter_mut().zip(from.row(row)) {
        *to = from;
    }
}

fn assign_row<F: Float>(to: &mut Array2<F>, row: usize, from: &[F]) {
    for (to, &from) in to.row_mut(row).iter_mut().zip(from) {
        *to = from;
    }
}

/// A net that takes one observation at a time and answers at once; made by [`Recurrent::stream`](super::Recurrent::stream).
///
/// Each step allocates nothing.
///
/// # Example
/// See [`Recurrent::stream`](super::Recurrent::stream).
#[derive(Debug, Clone)]
pub struct Stream<'a, F, C> {
    net: &'a Net<C>,
    params: &'a [F],
    w: Workspace<F>,
    /// Whether the next step is the second, the fourth and so on.
    odd: bool,
}

impl<'a, F: Float, C: Cell> Stream<'a, F, C> {
    pub(super) fn new(net: &'a Net<C>, params: &'a [F]) -> Self {
        let mut w = Workspace::default();
        w.batch.fill([(0, 1)]);
        net.prepare(params, &mut w);
        Self { net, params, w, odd: false }
    }

    /// The outputs after one more observation, `n_outputs` numbers: values, or log-odds of the classes before the softmax.
    ///
    /// # Errors
    /// [`Error::Shape`] when `x` has another length than the records of the fit had columns.
    pub fn step(&mut self, x: &[F]) -> Result<&[F]> {
        let n_inputs = self.net.layers[0][0].n_inputs;
        if self.net.embedding.is_some() || x.len() != n_inputs {
            return Err(Error::shape(
                "x",
                format!("{n_inputs} numbers, as the model was fitted on"),
                x.len(),
            ));
        }
        Ok(self.advance(x))
    }

    /// The outputs after one more token.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a token that the embedding does not have.
    pub fn step_token(&mut self, token: usize) -> Result<&[F]> {
        match self.net.embedding {
            Some(embedding) if token < embedding.n_tokens => {
                Ok(self.advance(embedding.row(self.params, token)))
            }
            embedding => {
                let n_tokens = embedding.map_or(0, |embedding| embedding.n_tokens);
                Err(Error::parameter("token", format!("below {n_tokens}"), token))
            }
        }
    }

    fn advance(&mut self, x: &[F]) -> &[F] {
        self.net.step(self.params, x, &mut self.w, self.odd);
        self.odd = !self.odd;
        &self.w.y[..self.net.n_outputs()]
    }

    /// Forgets all, as at the start of a sequence.
    pub fn reset(&mut self) {
        self.net.prepare(self.params, &mut self.w);
        self.odd = false;
    }
}
