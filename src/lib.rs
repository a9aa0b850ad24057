//! Classical machine learning on density, distance and sequence.
#![doc = include_str!("../README.md")]

pub mod data;
mod error;
mod float;
pub mod hmm;
mod kernel;
pub mod markov;
pub mod math;
pub mod observe;
mod par;
mod params;

pub use error::{Error, Position, Result};
pub use float::Float;
pub use hmm::{CategoricalHmm, GaussianHmm, GaussianMixtureHmm, Hmm, PoissonHmm};
pub use markov::MarkovChain;
pub use par::with_threads;
pub use params::{Check, Params};

pub use linfa;
pub use ndarray;
