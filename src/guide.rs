//! Guides: the idea of each method, its maths, how to choose the parameters, what goes wrong, and an example that runs.
//!
//! - [`clustering`]: DBSCAN. [`neighbours`]: the index and the distances.
//! - [`markov_chains`] and [`hidden_markov_models`].
//! - [`logistic_regression`] and [`generative_classifiers`]. [`choosing_a_model`]: scores, folds, searches.
//! - [`recurrent_nets`]: LSTM, GRU, RNN. [`optimisers`]: update rules, schedules, first values.
//! - [`watching_a_fit`]: progress, loss curves, cancellation.
#![cfg_attr(feature = "serde", doc = "- [`model_files`]: saving and loading.")]
//! - [`bad_inputs`]: what each gets.
//! - [`coming_from`] scikit-learn, hmmlearn, statsmodels or PyTorch: what is called what.

#[doc = include_str!("../docs/guide/clustering.md")]
pub mod clustering {}

#[doc = include_str!("../docs/guide/neighbours.md")]
pub mod neighbours {}

#[doc = include_str!("../docs/guide/markov_chains.md")]
pub mod markov_chains {}

#[doc = include_str!("../docs/guide/hidden_markov_models.md")]
pub mod hidden_markov_models {}

#[doc = include_str!("../docs/guide/logistic_regression.md")]
pub mod logistic_regression {}

#[doc = include_str!("../docs/guide/generative_classifiers.md")]
pub mod generative_classifiers {}

#[doc = include_str!("../docs/guide/choosing_a_model.md")]
pub mod choosing_a_model {}

#[doc = include_str!("../docs/guide/recurrent_nets.md")]
pub mod recurrent_nets {}

#[doc = include_str!("../docs/guide/optimisers.md")]
pub mod optimisers {}

#[doc = include_str!("../docs/guide/watching_a_fit.md")]
pub mod watching_a_fit {}

#[cfg(feature = "serde")]
#[doc = include_str!("../docs/guide/model_files.md")]
pub mod model_files {}

#[doc = include_str!("../docs/guide/bad_inputs.md")]
pub mod bad_inputs {}

#[doc = include_str!("../docs/guide/coming_from.md")]
pub mod coming_from {}
