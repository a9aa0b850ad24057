//! Classical machine learning on density, distance and sequence.
//!
//! Exact to the definition, fast on one thread and on many, and with linfa's traits: a model is made by `params`, setters and
//! [`fit`](linfa::traits::Fit::fit).
//!
//! ```
//! use sapwood::linfa::{DatasetBase, traits::Fit};
//! use sapwood::{Dbscan, ndarray::array};
//!
//! let points = array![[1.0, 2.0], [2.0, 2.0], [2.0, 3.0], [8.0, 7.0], [8.0, 8.0], [25.0, 80.0]];
//! let model = Dbscan::params(2).eps(3.0).fit(&DatasetBase::from(points))?;
//! assert_eq!(model.labels().to_vec(), [Some(0), Some(0), Some(0), Some(1), Some(1), None]);
//! # Ok::<(), sapwood::Error>(())
//! ```
//!
//! # Where to look
//! - [`dbscan`]: clusters of any shape, noise apart, and how to choose `eps`.
//! - [`recurrent`]: LSTM, GRU and Elman nets over sequences; [`optim`]: update rules, schedules, first values.
//! - [`index`]: neighbours of a point, within a radius or the nearest few.
//! - [`markov`]: Markov chains over labels; [`hmm`]: chains whose states are hidden.
//! - [`io`]: point clouds from files and back.
//! - [`plot`]: pictures of results as SVG.
//! - [`data`]: what all models share about arrays, sequences and labels; [`observe`]: watching and stopping a fit.
//!
//! # What holds everywhere
//! Records are two-dimensional arrays of `f32` or `f64`, one row per sample, in any memory layout. The same input gives the same bits, whatever the number of
//! threads. What cannot be answered is an [`Error`] that names the argument, its rule and the value.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod categorical_nb;
pub mod data;
pub mod dbscan;
pub mod discriminant;
pub mod distance;
mod error;
mod float;
pub mod hmm;
pub mod index;
pub mod io;
mod kernel;
pub mod logistic;
pub mod markov;
pub mod math;
pub mod observe;
pub mod optim;
mod par;
mod params;
pub mod plot;
pub mod recurrent;
pub mod score;
pub mod select;

pub use categorical_nb::{CategoricalNb, CategoricalNbParams, CategoricalNbValidParams};
pub use dbscan::Dbscan;
pub use discriminant::{Discriminant, LinearDiscriminant, QuadraticDiscriminant};
pub use error::{Error, Position, Result};
pub use float::Float;
pub use hmm::{CategoricalHmm, GaussianHmm, GaussianMixtureHmm, Hmm, PoissonHmm};
pub use index::Index;
pub use logistic::LogisticRegression;
pub use markov::MarkovChain;
pub use par::with_threads;
pub use params::{Check, Params};
pub use recurrent::{Gru, Lstm, Rnn};

pub use linfa;
pub use ndarray;
pub use sprs;

/// The code of the documents beside the crate runs as tests.
#[cfg(doctest)]
mod documents {
    #[doc = include_str!("../README.md")]
    struct Readme;

    #[doc = include_str!("../ARCHITECTURE.md")]
    struct Architecture;
}
