//! Slices in, numbers out: the only folder with `unsafe`.
//!
//! A kernel is a [`Task`](simd::Task): its arguments as fields, and one body for all instruction sets, generic over the family of registers
//! ([`simd::Simd`]). It is written in [`Lanes`](lanes::Lanes), numbers side by side with the operators of a number, or in plain loops that
//! the compiler turns into vectors. [`simd`] compiles it for each instruction set and chooses once per process. Every path is tested against a three-line
//! naive version, on all lengths.
#![allow(unsafe_code)]

mod ahead;
mod aligned;
pub(crate) mod blocks;
pub(crate) mod chain;
pub(crate) mod exp;
#[cfg(all(test, target_os = "linux", not(miri)))]
mod fence;
pub(crate) mod lanes;
pub(crate) mod linear;
pub(crate) mod nets;
mod pages;
pub(crate) mod pairs;
pub(crate) mod simd;

pub(crate) use ahead::{LINE, expect_line_later, expect_more, expect_reads, expect_write};
pub(crate) use aligned::Aligned;
pub(crate) use blocks::{
    Absolutes, BLOCK, Band, Between, Blocks, Columns, LOOK, Largest, Movable, Norm, PAD, Radius, Run,
    Squares, WIDE, append_named, bits, boxes_in, copy_runs, count_near, each_near, hits_among, hits_in,
    join_hits, n_below, n_words, partition, totals_in, totals_of,
};
pub(crate) use lanes::Element;
pub(crate) use pages::{Fill, Room, large_pages};
pub use pairs::Block;
pub(crate) use pairs::*;
