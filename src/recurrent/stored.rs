//! What serde reads becomes a model only if it is one: sizes that agree, finite numbers.

use serde::Deserialize;

use super::cell::Cell;
use super::model::{Recurrent, Values};
use super::net::Net;
use super::state::State;
use crate::data::ClassIndex;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::stored::{hold_finite, hold_len};

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
        check(&net, &params, &targets)?;
        let mut aligned = Aligned::default();
        aligned.copy(&params);
        Ok(Self { net, params: aligned, targets, losses, validation_losses })
    }
}

/// Errors unless the net is laid out as one builds it, for just as many parameters, all of them finite, and answers what its targets are.
pub(super) fn check<F: Float, C: Cell>(net: &Net<C>, params: &[F], targets: &impl Kind) -> Result<()> {
    net.validate(params)?;
    hold_finite("parameters", params)?;
    targets.n_outputs().map_or(Ok(()), |n_classes| hold_len("classes", n_classes, net.n_outputs()))
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
