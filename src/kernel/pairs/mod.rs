//! Kernels over pairs of rows: distances, matrices of them, and Gram matrices.

mod block;
mod chord;
mod find;
mod finish;
mod finite;
mod fold;
mod matrix;
mod powers;
mod step;
mod stream;
mod tile;

pub(crate) use block::Block;
pub(crate) use chord::squared_chord;
pub(crate) use find::find_at_most;
pub(crate) use finish::{
    Finish, HalfSquare, OneMinus, Quotient, Root, RootOfDivergence, Similarity, SquaredDistance,
    SymmetricDifference, Times, finish,
};
pub(crate) use finite::all_finite;
pub(crate) use fold::{fold, fold_rows, gram, gram_rows};
pub(crate) use matrix::{rectangle, rectangle_into, symmetric, symmetric_into};
pub(crate) use powers::{Entropy, PowerOf};
pub(crate) use step::{
    Difference, LargestDifference, NormalRelativeDifference, Power, Product, RelativeDifference,
    SquaredDifference, SquaredDifferenceInParts, Step, Sum, TwoRelativeDifferences, Unequal,
};
pub(crate) use tile::{AsItIs, Panels, TILE, finished_tile, square, tile};
