//! Classical machine learning on density, distance and sequence.
#![doc = include_str!("../README.md")]

pub mod data;
mod error;
mod float;
mod kernel;
pub mod logistic;
pub mod math;
pub mod observe;
pub mod optim;
mod par;
mod params;

pub use error::{Error, Position, Result};
pub use float::Float;
pub use logistic::LogisticRegression;
pub use par::with_threads;
pub use params::{Check, Params};

pub use linfa;
pub use ndarray;
pub use sprs;
