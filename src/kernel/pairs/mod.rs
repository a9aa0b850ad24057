//! Kernels over pairs of rows: distances, matrices of them, and Gram matrices.

mod block;
mod chord;
mod find;
mod finish;
mod finite;
mod fold;
mod matrix;
mod panels;
mod powers;
mod step;
mod stream;
mod tile;

pub use block::Block;
pub(crate) use block::square;
pub(crate) use chord::{products_in_parts, squared_chord};
pub(crate) use find::find_at_most;
pub(crate) use finish::{
    Finish, HalfSquare, OneMinus, Quotient, Root, RootOfDivergence, ShareOfBoth, Similarity, SquaredDistance,
    SymmetricDifference, Times, finish,
};
pub(crate) use finite::all_finite;
pub(crate) use fold::{fold, fold_rows, gram, gram_rows};
pub(crate) use matrix::{rectangle, rectangle_into, symmetric, symmetric_into};
pub(crate) use panels::Panels;
pub(crate) use powers::{Entropy, PowerOf};
pub(crate) use step::{
    Difference, LargestDifference, NormalRelativeDifference, Power, Product, RelativeDifference,
    SquaredDifference, SquaredDifferenceInParts, Step, Sum, TwoRelativeDifferences, Unequal,
};
pub(crate) use tile::{AsItIs, TILE};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Element;

    /// A tile of totals as they are, in a square of its own.
    pub(super) fn tile<F: Element, P: Step<F>>(
        step: P,
        x: &Panels<F>,
        i: usize,
        y: &Panels<F>,
        j: usize,
        out: &mut [F],
    ) {
        finished_tile((step, AsItIs), [(x, i), (y, j)], out);
    }

    /// The same, finished.
    pub(super) fn finished_tile<F: Element, P: Step<F>, M: Finish<F>>(
        how: (P, M),
        of: [(&Panels<F>, usize); 2],
        out: &mut [F],
    ) -> F {
        // SAFETY: there is no place.
        unsafe { tile::filled(how, of, out, None) }
    }
}
