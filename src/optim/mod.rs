//! Optimisers.

pub mod lbfgs;
