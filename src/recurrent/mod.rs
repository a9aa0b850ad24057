//! Recurrent nets: LSTM, GRU and Elman RNN over sequences of any length.
//!
//! A recurrent cell carries a state from step to step, so what it answers depends on all it has seen. [`Lstm`], [`PeepholeLstm`],
//! [`Gru`] and [`Rnn`] are one model over four cells: an optional embedding, one or more layers in one or two directions, and a dense head, trained by gradient descent through time.
//!
//! - Targets in a matrix `(n, n_outputs)` are values: the loss is the mean squared error. Targets in a vector are labels: the loss is the cross-entropy.
//! - As many targets as rows: an answer at every step. As many targets as sequences: one answer, after the last step.
//! - Records of floats enter as they are; records of `usize` (one column) are tokens, which enter through an [embedding](Params::embedding).
//! - Layers that are worth it use all threads: the sequences of a batch are shared out, and the bits are the same for any number.
//!
//! # How an LSTM differs from a plain RNN
//! A plain RNN computes `h_t = tanh(W x_t + U h_(t-1) + b)`. The gradient of a late loss reaches an early step as a product of as many factors `U^T
//! diag(1 - h^2)`; such a product shrinks or grows geometrically, so what happened long ago is not learnt, or drowns the rest. The LSTM
//! (equations at [`LstmCell`]) adds a memory `c_t = f_t c_(t-1) + i_t g_t`, along which the gradient is only multiplied by `f_t`: near 1, it stays.
//! That needs a forget gate that starts open, which is why [`forget_bias`](Params::forget_bias) is 1 by default; with 0 the gate starts at one half, and the gradient halves
//! with every step. Nothing in the cell stops a gradient that explodes: that is what [`clip`](Params::clip) is for.
//! [`gradient_through_time`](Recurrent::gradient_through_time) measures both.
//!
//! # Example
//! ```
//! use sapwood::{Gru, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::{Array2, array}};
//!
//! // Does a sequence hold more ones than minus ones?
//! let x = Array2::from_shape_fn((80, 1), |(i, _)| if (i * i / 7) % 3 == 0 { -1.0 } else { 1.0 });
//! let labels = x.rows().into_iter().collect::<Vec<_>>().chunks(5).map(|s| s.iter().map(|r| r[0]).sum::<f64>() > 0.0).collect();
//! let data = DatasetBase::new(Sequences::new(x, vec![5; 16])?, ndarray::Array1::<bool>::from_vec(labels));
//! let model = Gru::params(8).n_epochs(60).batch_size(4).learning_rate(0.02).fit(&data)?;
//! assert_eq!(model.predict(&Sequences::single(array![[1.0], [1.0], [-1.0]])?)?, array![true]);
//! # Ok::<(), sapwood::Error>(())
//! ```

mod batch;
mod cell;
mod dense;
mod diagnose;
mod fit;
mod layer;
mod model;
mod net;
mod params;
mod state;
#[cfg(feature = "serde")]
mod stored;
mod text;
mod torch;

pub use cell::{Cell, GruCell, LstmCell, PeepholeLstmCell, RnnCell};
pub use diagnose::{Flow, GateSaturation, GradientThroughTime};
pub use fit::{Gradients, Taught};
pub use model::{Recurrent, Values};
pub use net::{Dropout, Workspace};
pub use params::{Element, RecurrentParams};
pub use state::{State, Stream};
pub use torch::from_keras;

#[allow(unused_imports, reason = "for the links of the docs")]
use crate::params::Params;

/// A net of long short-term memories.
///
/// # Example
/// ```
/// use sapwood::{Lstm, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array2};
///
/// // The number before the last, from the last.
/// let x = Array2::from_shape_fn((60, 1), |(t, _)| (t as f64 * 0.7).sin());
/// let y = Array2::from_shape_fn((60, 1), |(t, _)| ((t as f64 - 1.0) * 0.7).sin());
/// let data = DatasetBase::new(Sequences::new(x, vec![20; 3])?, y);
/// let model = Lstm::<f64>::params(6).batch_size(1).n_epochs(40).learning_rate(0.02).fit(&data)?;
/// assert!(model.losses()[39] < 0.5 * model.losses()[0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type Lstm<F, T = Values> = Recurrent<F, LstmCell, T>;

/// A net of long short-term memories with peepholes.
///
/// # Example
/// ```
/// use sapwood::{PeepholeLstm, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array2};
///
/// // The number before the last, from the last.
/// let x = Array2::from_shape_fn((60, 1), |(t, _)| (t as f64 * 0.7).sin());
/// let y = Array2::from_shape_fn((60, 1), |(t, _)| ((t as f64 - 1.0) * 0.7).sin());
/// let data = DatasetBase::new(Sequences::new(x, vec![20; 3])?, y);
/// let model = PeepholeLstm::<f64>::params(6).batch_size(1).n_epochs(40).learning_rate(0.02).fit(&data)?;
/// assert!(model.losses()[39] < 0.5 * model.losses()[0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type PeepholeLstm<F, T = Values> = Recurrent<F, PeepholeLstmCell, T>;

/// A net of gated recurrent units.
///
/// # Example
/// ```
/// use sapwood::{Gru, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array2};
///
/// // The number before the last, from the last.
/// let x = Array2::from_shape_fn((60, 1), |(t, _)| (t as f64 * 0.7).sin());
/// let y = Array2::from_shape_fn((60, 1), |(t, _)| ((t as f64 - 1.0) * 0.7).sin());
/// let data = DatasetBase::new(Sequences::new(x, vec![20; 3])?, y);
/// let model = Gru::<f64>::params(6).batch_size(1).n_epochs(40).learning_rate(0.02).fit(&data)?;
/// assert!(model.losses()[39] < 0.5 * model.losses()[0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type Gru<F, T = Values> = Recurrent<F, GruCell, T>;

/// Elman's net, of plain hidden units.
///
/// # Example
/// ```
/// use sapwood::{Rnn, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array2};
///
/// // The number before the last, from the last.
/// let x = Array2::from_shape_fn((60, 1), |(t, _)| (t as f64 * 0.7).sin());
/// let y = Array2::from_shape_fn((60, 1), |(t, _)| ((t as f64 - 1.0) * 0.7).sin());
/// let data = DatasetBase::new(Sequences::new(x, vec![20; 3])?, y);
/// let model = Rnn::<f64>::params(6).batch_size(1).n_epochs(40).learning_rate(0.02).fit(&data)?;
/// assert!(model.losses()[39] < 0.5 * model.losses()[0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub type Rnn<F, T = Values> = Recurrent<F, RnnCell, T>;
