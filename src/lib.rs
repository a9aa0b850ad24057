//! Classical machine learning on density, distance and sequence.
#![doc = include_str!("../README.md")]

pub mod data;
pub mod dbscan;
mod error;
mod float;
pub mod index;
pub mod io;
mod kernel;
pub mod math;
pub mod observe;
mod par;
mod params;
pub mod plot;

pub use dbscan::Dbscan;
pub use error::{Error, Position, Result};
pub use float::Float;
pub use index::Index;
pub use par::with_threads;
pub use params::{Check, Params};

pub use linfa;
pub use ndarray;
