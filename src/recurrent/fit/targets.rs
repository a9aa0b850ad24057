//! What a net can be fitted on.

use std::borrow::Cow;

use linfa::dataset::Label;
use ndarray::{ArrayBase, Data, Ix1, Ix2};

use super::super::model::Values;
use super::loss::Targets;
use crate::data::{ClassIndex, check_finite, rows};
use crate::error::{Error, Result};
use crate::float::Float;

/// Targets of a fit: a matrix of numbers, or an array of labels. Sealed.
///
/// # Example
/// See [`Recurrent::gradients`](crate::recurrent::Recurrent::gradients).
pub trait Taught<F: Float>: sealed::Sealed {
    /// What the model keeps of them: [`Values`], or the [`ClassIndex`] of the labels.
    type Kind;

    /// Checks them, against those of an earlier fit where there are `known` ones.
    #[doc(hidden)]
    fn take(&self, known: Option<&Self::Kind>) -> Result<Taken<'_, F, Self::Kind>>;
}

/// Targets that were checked.
#[derive(Debug)]
pub struct Taken<'a, F: Float, K> {
    pub(super) targets: Numbers<'a, F>,
    pub(super) n_targets: usize,
    pub(super) kind: K,
    pub(super) n_outputs: usize,
}

/// [`Targets`] with what they point at.
#[derive(Debug)]
pub(super) enum Numbers<'a, F: Float> {
    Values(Cow<'a, [F]>),
    Classes(Vec<usize>),
}

impl<F: Float> Numbers<'_, F> {
    pub(super) fn view(&self) -> Targets<'_, F> {
        match self {
            Self::Values(values) => Targets::Values(values),
            Self::Classes(columns) => Targets::Classes(columns),
        }
    }
}

impl<F: Float, D: Data<Elem = F>> Taught<F> for ArrayBase<D, Ix2> {
    type Kind = Values;

    fn take(&self, _: Option<&Values>) -> Result<Taken<'_, F, Values>> {
        check_finite("targets", self)?;
        let (n_targets, n_outputs) = self.dim();
        if n_outputs == 0 {
            return Err(Error::shape("targets", "at least one column", 0));
        }
        let targets = Numbers::Values(rows(&self.view()));
        Ok(Taken { targets, n_targets, kind: Values, n_outputs })
    }
}

impl<F: Float, L: Label, D: Data<Elem = L>> Taught<F> for ArrayBase<D, Ix1> {
    type Kind = ClassIndex<L>;

    fn take(&self, known: Option<&ClassIndex<L>>) -> Result<Taken<'_, F, ClassIndex<L>>> {
        let classes = known.map_or_else(|| ClassIndex::new(self.view()), |known| Ok(known.clone()))?;
        let columns = classes.columns(self.view())?.to_vec();
        let (n_targets, n_outputs) = (columns.len(), classes.n_classes());
        Ok(Taken { targets: Numbers::Classes(columns), n_targets, kind: classes, n_outputs })
    }
}

mod sealed {
    use ndarray::{ArrayBase, Data, Ix1, Ix2};

    pub trait Sealed {}
    impl<D: Data> Sealed for ArrayBase<D, Ix2> {}
    impl<D: Data> Sealed for ArrayBase<D, Ix1> {}
}
