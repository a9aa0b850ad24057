//! Classical machine learning on density, distance and sequence.
#![doc = include_str!("../README.md")]

mod categorical_nb;
pub mod data;
pub mod discriminant;
mod error;
mod float;
mod kernel;
pub mod logistic;
pub mod math;
pub mod observe;
pub mod optim;
mod par;
mod params;
pub mod score;
pub mod select;

pub use categorical_nb::{CategoricalNb, CategoricalNbParams, CategoricalNbValidParams};
pub use discriminant::{LinearDiscriminant, QuadraticDiscriminant};
pub use error::{Error, Position, Result};
pub use float::Float;
pub use logistic::LogisticRegression;
pub use par::with_threads;
pub use params::{Check, Params};

pub use linfa;
pub use ndarray;
pub use sprs;
