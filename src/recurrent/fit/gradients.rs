//! The gradient itself, to look at.

use linfa::dataset::Label;
use ndarray::{Array2, ArrayBase, Data, Ix1, Ix2};

use super::super::cell::Cell;
use super::super::layer::collect;
use super::super::model::{Recurrent, Values};
use super::super::net::Workspace;
use super::super::params::Element;
use super::super::state::State;
use super::loss::{Targets, loss_and_gradient};
use super::{check_targets, each_row};
use crate::data::{ClassIndex, Sequences, rows};
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
