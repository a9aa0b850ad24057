//! What serde reads becomes a model only if it is one: sizes that agree, finite numbers.

use serde::Deserialize;

use super::cell::Cell;
use super::model::{Recurrent, Values};
use super::net::Net;
use super::state::State;
use crate::data::ClassIndex;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::params::require;

/// The fields of a [`Recurrent`], not yet looked at.
#[derive(Deserialize)]
pub(super) struct Model<F, C, T> {
    net: Net<C>,
    params: Vec<F>,
    targets: T,
    losses: Vec<f64>,
    validation_losses: Vec<f64>,
}

/// What the targets of a net were: numbers or labels.
pub trait Kind {
    /// Outputs that the targets ask for, if they do.
    #[doc(hidden)]
    fn n_outputs(&self) -> Option<usize>;
}

impl Kind for Values {
    fn n_outputs(&self) -> Option<usize> {
        None
    }
}

impl<L: linfa::dataset::Label> Kind for ClassIndex<L> {
    fn n_outputs(&self) -> Option<usize> {
        Some(self.n_classes())
    }
}

impl<F: Float, C: Cell, T: Kind> TryFrom<Model<F, C, T>> for Recurrent<F, C, T> {
    type Error = Error;

    fn try_from(stored: Model<F, C, T>) -> Result<Self> {
        let Model { net, params, targets, losses, validation_losses } = stored;
        check(&net, &params)?;
        let n_outputs = net.n_outputs();
        if let Some(n_classes) = targets.n_outputs().filter(|&n| n != n_outputs) {
            return Err(Error::shape(
                "classes",
                format!("one entry for each of {n_outputs} outputs"),
                n_classes,
            ));
        }
        Ok(Self { net, params, targets, losses, validation_losses })
    }
}

/// Errors unless the net is laid out as one builds it, for just as many parameters, all of them finite.
fn check<F: Float, C: Cell>(net: &Net<C>, params: &[F]) -> Result<()> {
    let Some(&first) = net.layers.first().and_then(|directions| directions.first()) else {
        return Err(Error::shape("layers", "at least one entry", 0));
    };
    let n_layers = net.layers.len();
    let tokens = net.embedding.map(|embedding| (embedding.n_tokens, embedding.n_dims));
    let (n_inputs, n_hidden, n_outputs) = (first.n_inputs, first.n_hidden, net.n_outputs());
    require((1..=256).contains(&n_layers), "n_layers", "in 1..=256", n_layers)?;
    // No matrix has more entries than there are parameters; so what follows stays far within 64 bits.
    let (n_tokens, n_dims) = tokens.unwrap_or((1, 1));
    for (a, b) in [(n_inputs, n_hidden), (n_hidden, n_hidden), (n_hidden, n_outputs), (n_tokens, n_dims)] {
        let entries = a.saturating_mul(b);
        require((1..=params.len()).contains(&entries), "sizes", "those of the parameters", entries)?;
    }
    let (cell, two) = (first.cell, net.bidirectional());
    let built = Net::new::<F>(cell, tokens, n_inputs, n_hidden, n_layers, two, n_outputs, net.each_row);
    require(built == *net, "layers", "laid out as a net of their sizes", "others")?;
    if net.n_params::<F>() != params.len() {
        return Err(Error::shape("params", format!("{} numbers", net.n_params::<F>()), params.len()));
    }
    match params.iter().position(|p| !p.is_finite()) {
        None => Ok(()),
        Some(row) => Err(Error::NonFinite { name: "params", row, column: 0, value: params[row].as_f64() }),
    }
}

/// The fields of a [`State`], not yet looked at.
#[derive(Deserialize)]
pub(super) struct Rows<F> {
    hidden: Vec<ndarray::Array2<F>>,
    memory: Vec<ndarray::Array2<F>>,
}

impl<F: Float> TryFrom<Rows<F>> for State<F> {
    type Error = Error;

    fn try_from(Rows { hidden, memory }: Rows<F>) -> Result<Self> {
        let Some(shape) = hidden.first().map(ndarray::Array2::dim) else {
            return Err(Error::shape("hidden", "at least one layer", 0));
        };
        if !memory.is_empty() && memory.len() != hidden.len() {
            return Err(Error::shape("memory", format!("{} layers, or none", hidden.len()), memory.len()));
        }
        for layer in hidden.iter().chain(&memory) {
            if layer.dim() != shape {
                return Err(Error::shape(
                    "state",
                    format!("layers of {shape:?}"),
                    format_args!("{:?}", layer.dim()),
                ));
            }
            crate::data::check_finite("state", layer)?;
        }
        Ok(Self { hidden, memory })
    }
}
