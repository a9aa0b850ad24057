//! Kernels of linear models: passes over rows that give a loss, its gradient and its curvature.

pub(crate) mod gram;
mod log;
pub(crate) mod logistic;
pub(crate) mod single;
