//! The inner loops of hidden Markov models.
//!
//! Every kernel is a [`Task`](super::simd::Task): plain arrays and one portable body. Matrices are row-major, `k` is the number of
//! states, and a block is `n` rows of `k` numbers.

mod ahead;
mod arrows;
mod back;
mod ends;
mod exp;
mod filter;
mod gather;
pub(crate) mod gauss;
pub(crate) mod one_feature;
mod outer;
mod path;
mod real;
mod smooth;
mod step;
#[cfg(test)]
mod tests;
mod watch;

pub(crate) use ahead::ahead;
pub(crate) use arrows::{MOST_ARROWS, arrows};
pub(crate) use back::{follow, follow_arrows};
pub(crate) use ends::{ends, ends_gain};
pub(crate) use exp::exp_rows;
pub(crate) use filter::{any_faint, forward};
pub(crate) use gather::{gather, scatter};
pub(crate) use outer::{add_weighed, outer};
pub(crate) use path::best;
pub(crate) use real::Real;
pub(crate) use smooth::backward;
pub(crate) use step::pack;
pub(crate) use watch::watch;
