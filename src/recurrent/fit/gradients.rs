//! The gradient itself, to look at.

use ndarray::{Array2, Data};

use super::super::cell::Cell;
use super::super::layer::collect;
use super::super::model::Recurrent;
use super::super::net::Pass;
use super::super::params::Element;
use super::super::state::State;
use super::loss::loss_and_gradient;
use super::{Taken, Taught, each_row};
use crate::data::{Sequences, rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::nets::product::padded;

/// A loss and its gradient by every tensor and by the inputs; made by [`Recurrent::gradients`].
///
/// # Example
/// See [`Recurrent::gradients`].
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
    /// The loss on the given sequences and its gradient, from a state (default 0) on: the mean squared error of numbers, the cross-entropy of labels.
    ///
    /// # Example
    /// ```
    /// use sapwood::{Lstm, data::Sequences, ndarray::array};
    ///
    /// let net = Lstm::<f64>::untrained(&Lstm::params(4), 1, 1)?;
    /// let x = Sequences::single(array![[0.1], [0.2], [0.3]])?;
    /// let y = net.predict(&x)?;
    /// // At its own answers the error is 0, and so is its gradient.
    /// let gradients = net.gradients(&x, &y, None)?;
    /// assert_eq!(gradients.loss, 0.0);
    /// assert!(gradients.parameters.iter().all(|&d| d == 0.0));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// As for a fit, and [`Error::Parameter`] for an unknown label.
    pub fn gradients<S: Data, Y: Taught<F, Kind = T>>(
        &self,
        sequences: &Sequences<S>,
        targets: &Y,
        state: Option<&State<F>>,
    ) -> Result<Gradients<F>>
    where
        S::Elem: Element<F>,
    {
        let Taken { targets, n_targets, n_outputs, .. } = targets.take(Some(&self.targets))?;
        if n_outputs != self.net.n_outputs() {
            return Err(Error::shape("targets", format!("{} columns", self.net.n_outputs()), n_outputs));
        }
        if each_row(n_targets, sequences)? != self.net.each_row {
            return Err(Error::shape("targets", "one entry for each answer of the model", n_targets));
        }
        let view = sequences.records().view();
        let records = rows(&view);
        let inputs = self.inputs(&records, view.ncols())?;
        let mut w = self.room_for(sequences);
        if let Some(state) = state {
            self.check_one_direction()?;
            state.check(&self.net, sequences.n_sequences())?;
            state.enter(&self.net, &mut w, |part| part);
        }
        self.net.forward(&self.params, inputs, &mut w, Pass::Trace(None));
        let loss = loss_and_gradient(&self.net, targets.view(), &mut w, |part| part);
        let mut parameters = vec![F::zero(); self.params.len()];
        self.net.backward(&self.params, inputs, &mut w, None, true, &mut parameters);
        let n_inputs = self.net.layers[0][0].n_inputs;
        let mut d_inputs = Array2::zeros((view.nrows(), n_inputs));
        let d_rows = w.d_inputs[0].chunks_exact(padded::<F>(n_inputs));
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
