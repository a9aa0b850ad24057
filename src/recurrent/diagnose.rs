//! How gradients pass through time, and how the gates stand.

use ndarray::{ArrayBase, Data, Ix2};

use super::cell::Cell;
use super::model::Recurrent;
use super::net::{Pass, Workspace};
use super::params::Element;
use crate::data::{Sequences, rows};
use crate::error::Result;
use crate::float::Float;

/// How a gradient changes on its way back through time; made by [`Recurrent::gradient_through_time`].
///
/// # Example
/// See [`Recurrent::gradient_through_time`].
#[derive(Debug, Clone, PartialEq)]
pub struct GradientThroughTime {
    norms: Vec<f64>,
}

/// What [`GradientThroughTime`] comes to.
///
/// # Example
/// See [`Recurrent::gradient_through_time`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Less than a thousandth is left at the first step: what happened there cannot be learnt.
    Vanishing,
    /// Something between.
    Steady,
    /// More than a thousand times as much at the first step: clip it, or it will throw the net about.
    Exploding,
}

impl GradientThroughTime {
    /// `|| dL_T / dh_(T - lag) ||` for `lag = 0, 1, ..`, where `L_T` is the sum of the last hidden state.
    #[must_use]
    pub fn norms(&self) -> &[f64] {
        &self.norms
    }

    /// The norm at a lag as a share of that at lag 0.
    #[must_use]
    pub fn share(&self, lag: usize) -> Option<f64> {
        Some(self.norms.get(lag)? / self.norms[0])
    }

    /// The factor by which the norm changes with each step back, on average.
    #[must_use]
    #[allow(clippy::cast_precision_loss, reason = "the length of a sequence")]
    pub fn factor(&self) -> f64 {
        let lags = self.norms.len().max(2) - 1;
        (self.norms[self.norms.len() - 1] / self.norms[0]).powf(1.0 / lags as f64)
    }

    /// Whether it vanishes or explodes over the sequence.
    #[must_use]
    pub fn flow(&self) -> Flow {
        let share = self.norms[self.norms.len() - 1] / self.norms[0];
        if share < 1e-3 {
            Flow::Vanishing
        } else if share <= 1e3 {
            Flow::Steady
        } else {
            Flow::Exploding
        }
    }
}

/// How often a gate is shut or open; made by [`Recurrent::gate_saturation`].
///
/// # Example
/// ```
/// use sapwood::{Lstm, data::Sequences, ndarray::Array2};
///
/// // A forget gate that starts wide open.
/// let net = Lstm::<f64>::untrained(&Lstm::params(4).forget_bias(9.0), 1, 1)?;
/// let gates = net.gate_saturation(&Sequences::single(Array2::<f64>::zeros((5, 1)))?)?;
/// assert!(gates.iter().any(|gate| gate.high > 0.99));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct GateSaturation {
    /// The layer, from below; of two directions the forward comes first.
    pub layer: usize,
    /// `input`, `forget`, `candidate`, `output`, `reset`, `update` or `hidden`.
    pub gate: &'static str,
    /// Share of values in the lowest tenth of the range.
    pub low: f64,
    /// Share of values in the highest tenth.
    pub high: f64,
}

impl<F: Float, C: Cell, T> Recurrent<F, C, T> {
    /// The norms of the gradient of the last hidden state of the top layer by every one before it.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Lstm, ndarray::Array2, recurrent::Flow};
    ///
    /// let x = Array2::from_shape_fn((100, 1), |(t, _)| (t as f64).sin());
    /// let flow = |forget_bias| -> Result<Flow, sapwood::Error> {
    ///     let net = Lstm::<f64>::untrained(&Lstm::params(16).forget_bias(forget_bias), 1, 1)?;
    ///     Ok(net.gradient_through_time(&x)?.flow())
    /// };
    /// assert_eq!((flow(0.0)?, flow(5.0)?), (Flow::Vanishing, Flow::Steady));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for a prediction.
    pub fn gradient_through_time<S: Data>(&self, sequence: &ArrayBase<S, Ix2>) -> Result<GradientThroughTime>
    where
        S::Elem: Element<F>,
    {
        let sequences = Sequences::single(sequence.view())?;
        let mut w = self.run(&sequences)?;
        let top = self.net.layers.len() - 1;
        let (layer, n_rows) = (&self.net.layers[top][0], w.batch.n_rows());
        let width = layer.width::<F>();
        let Workspace { traces, inputs, batch, .. } = &mut w;
        let trace = &mut traces[top][0];
        super::layer::grow(&mut trace.d_hidden, n_rows * width);
        trace.d_hidden[(n_rows - 1) * width..][..layer.n_hidden].fill(F::one());
        let mut grads = vec![F::zero(); self.params.len()];
        let x_row = crate::kernel::nets::product::padded::<F>(layer.n_inputs);
        layer.backward(&self.params, &batch.steps, n_rows, &inputs[top], x_row, trace, &mut grads, None);
        let norm = |row: &[F]| row.iter().map(|d| d.as_f64() * d.as_f64()).sum::<f64>().sqrt();
        Ok(GradientThroughTime {
            norms: trace.d_hidden[..n_rows * width].chunks_exact(width).rev().map(norm).collect(),
        })
    }

    /// For every gate of every layer, how often it is as good as shut or open over the given sequences.
    ///
    /// A gate that is always at an end has no slope there, and learns slowly.
    ///
    /// # Errors
    /// As for a prediction.
    pub fn gate_saturation<S: Data>(&self, sequences: &Sequences<S>) -> Result<Vec<GateSaturation>>
    where
        S::Elem: Element<F>,
    {
        let w = self.run(sequences)?;
        let n_rows = w.batch.n_rows();
        let mut all = Vec::new();
        for (l, directions) in self.net.layers.iter().enumerate() {
            for (layer, trace) in directions.iter().zip(&w.traces[l]) {
                for (slot, &gate) in C::GATES.iter().enumerate() {
                    let is_gate = !matches!(gate, "candidate" | "hidden");
                    let (mut low, mut high) = (0, 0);
                    for unit in 0..layer.n_hidden {
                        let (block, lane) = (unit / F::BLOCK, unit % F::BLOCK);
                        for row in 0..n_rows {
                            let value = trace.slots
                                [((block * n_rows + row) * C::SLOTS + slot) * F::BLOCK + lane]
                                .as_f64();
                            let place = if is_gate { value } else { (value + 1.0) / 2.0 };
                            low += usize::from(place < 0.1);
                            high += usize::from(place > 0.9);
                        }
                    }
                    #[allow(clippy::cast_precision_loss, reason = "counts of values in memory")]
                    let share = |count: usize| count as f64 / (n_rows * layer.n_hidden) as f64;
                    all.push(GateSaturation { layer: l, gate, low: share(low), high: share(high) });
                }
            }
        }
        Ok(all)
    }

    /// All sequences through the net at once, with everything kept.
    fn run<S: Data>(&self, sequences: &Sequences<S>) -> Result<Workspace<F>>
    where
        S::Elem: Element<F>,
    {
        let view = sequences.records().view();
        let records = rows(&view);
        let inputs = self.inputs(&records, view.ncols())?;
        let mut w = self.room_for(sequences);
        self.net.forward(&self.params, inputs, &mut w, Pass::Trace(None));
        Ok(w)
    }

    /// A workspace that has all sequences before it as one batch.
    pub(super) fn room_for<S: Data>(&self, sequences: &Sequences<S>) -> Workspace<F> {
        let mut w = Workspace::default();
        let range = |i| sequences.range(i).map_or((0, 0), |range| (range.start, range.len()));
        w.batch.fill((0..sequences.n_sequences()).map(range));
        self.net.prepare(&self.params, &mut w);
        w
    }
}
