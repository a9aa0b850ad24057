//! Kernels of recurrent nets: activations, products with packed weights, and whole steps of a cell.

pub(crate) mod activation;
pub(crate) mod gather;
pub(crate) mod product;
pub(crate) mod recurrent;
