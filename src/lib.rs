//! Classical machine learning on density, distance and sequence: exact to the definition, fast on one thread and on many, on [`ndarray`] and with [`linfa`]'s traits.
//!
//! # First steps
//! ```sh
//! cargo add sapwood
//! ```
//!
//! A model is made in three steps, always the same: `params`, setters, [`fit`](linfa::traits::Fit::fit) on a data set.
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
//! `ndarray` and `linfa` are taken from this crate, so that the versions always match. From here it goes on with a file, a picture, and points that come later:
//!
//! ```
//! use sapwood::linfa::{DatasetBase, traits::Fit};
//! use sapwood::{Dbscan, io, ndarray::array, plot::Figure};
//!
//! # let path = std::env::temp_dir().join("sapwood_crate_page.csv");
//! # std::fs::write(&path, "x,y\n1,2\n2,2\n2,3\n8,7\n8,8\n25,80\n").unwrap();
//! // .npy, .csv, .ply, .pcd or .las
//! let points = io::read_points::<f64>(&path)?;
//! let data = DatasetBase::from(points);
//! let model = Dbscan::params(2).eps(3.0).fit(&data)?;
//!
//! let figure = Figure::clusters(data.records(), model.labels())?.axes(["x (m)", "y (m)"]);
//! assert!(figure.to_svg().starts_with("<svg"));
//!
//! assert_eq!(model.try_predict(&array![[9.0, 9.0], [0.0, 50.0]])?.to_vec(), [Some(1), None]);
//! # std::fs::remove_file(path).ok();
//! # Ok::<(), sapwood::Error>(())
//! ```
//!
//! # What do you have?
//!
//! | data and question | look at |
//! |---|---|
//! | points; which belong together, which are noise | [`Dbscan`], [guide](guide::clustering) |
//! | points; which are near | [`Index`], [`distance`], [guide](guide::neighbours) |
//! | labels one after another; what comes next, where it stays | [`MarkovChain`], [guide](guide::markov_chains) |
//! | measurements over time; what hidden state is behind them | [`Hmm`], [guide](guide::hidden_markov_models) |
//! | a table with classes; how probable is each, and what counts | [`LogisticRegression`], [guide](guide::logistic_regression) |
//! | few rows with classes, or some features missing | [`LinearDiscriminant`], [`QuadraticDiscriminant`], [`CategoricalNb`], [guide](guide::generative_classifiers) |
//! | sequences; forecast, classify, write | [`Lstm`], [`Gru`], [`Rnn`], [guide](guide::recurrent_nets) |
//! | a model, or several to choose from | [`select`], [`score`], [`plot`], [guide](guide::choosing_a_model) |
//!
//! Those who come from scikit-learn, hmmlearn, statsmodels or PyTorch find [what is called what](guide::coming_from). Beneath: [`optim`] (update rules, schedules, first values; [guide](guide::optimisers)), [`math`], and [`data`], what all models
//! share about arrays, sequences and labels.
//!
//! # What holds everywhere
//! - Records are two-dimensional arrays of `f32` or `f64`, one row per sample, in any memory layout. Sequences of unequal length are [`data::Sequences`]: one array and the lengths.
//! - What cannot be answered is an [`Error`] that names the argument, its rule and the value; NaN is one, with its row and column. No call that returns a `Result` panics.
//! - The same input and seed give the same bits, whatever the number of threads; [`with_threads`] sets that.
//! - Memory is linear in the input.
//! - A long fit can be [watched and stopped](guide::watching_a_fit).
//!
//! # Features
//! - `rayon` (default): threads.
//! - `serde`: `Serialize` and `Deserialize` on parameters and models,
#![cfg_attr(
    feature = "serde",
    doc = "  and [model files](guide::model_files) that are checked when they are read."
)]
#![cfg_attr(not(feature = "serde"), doc = "  and model files that are checked when they are read.")]
//! - `laz`: compressed LAS, `.laz`.
//! - `cli`: the program `sapwood`, `cargo install sapwood --features cli`. It adds nothing to the library.

#![warn(clippy::print_stdout, clippy::print_stderr)]

mod categorical_nb;
pub mod data;
pub mod dbscan;
pub mod discriminant;
pub mod distance;
mod error;
mod float;
pub mod guide;
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
#[cfg(feature = "serde")]
pub mod stored;

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
pub use recurrent::{Gru, Lstm, PeepholeLstm, Rnn};

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

    #[doc = include_str!("../COMPARE.md")]
    struct Compare;
}
