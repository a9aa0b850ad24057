//! The inner loops of hidden Markov models.
//!
//! Every kernel is a [`Task`](super::simd::Task): plain arrays and one portable body. Matrices are row-major, `k` is the number of
//! states, and a block is `n` rows of `k` numbers.

mod ends;
mod exp;
mod filter;
pub(crate) mod gauss;
mod outer;
mod path;
mod real;
mod smooth;
mod step;
#[cfg(test)]
mod tests;

pub(crate) use ends::ends;
pub(crate) use exp::exp_rows;
pub(crate) use filter::forward;
pub(crate) use outer::outer;
pub(crate) use path::{best, follow};
pub(crate) use real::Real;
pub(crate) use smooth::backward;
pub(crate) use step::pack;
