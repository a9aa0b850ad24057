//! Kernels of linear models: exponentials, and passes over rows that give a loss, its gradient and its curvature.

pub(crate) mod exp;
pub(crate) mod gram;
pub(crate) mod logistic;
pub(crate) mod single;
