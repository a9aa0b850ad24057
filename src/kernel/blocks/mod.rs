//! Kernels beneath the tree: neighbours between blocks of 32 points, and splitting columns of numbers in two.

mod block;
mod boxes;
mod copies;
mod near;
mod partition;

pub(crate) use block::{
    Absolutes, BLOCK, Blocks, Largest, Norm, Radius, Squares, bits, hits_in, totals_in, totals_of,
};
pub(crate) use boxes::{WIDE, boxes_in};
pub(crate) use copies::{append_named, copy_runs};
pub(crate) use near::{
    Band, Between, LOOK, PAD, Run, count_near, each_near, hits_among, join_hits, n_below, n_words,
};
pub(crate) use partition::{Columns, Movable, partition};
