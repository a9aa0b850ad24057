//! Kernels beneath the tree: neighbours between blocks of 32 points, and splitting columns of numbers in two.

mod block;
mod partition;
mod vector;

pub(crate) use block::{BLOCK, Blocks, Radius, bits, sq_distances};
pub(crate) use partition::{Columns, Movable, partition};
