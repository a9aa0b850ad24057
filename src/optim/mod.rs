//! First-order optimisers: update rules, learning-rate schedules, clipping, first values, mini-batches and early stopping.
//!
//! A [`Rule`] is a value that never changes; what it remembers of the steps so far is a [`State`] beside it. So one rule serves many
//! parameter vectors, and a state can be kept, copied or thrown away.
//!
//! # Example
//! ```
//! use sapwood::optim::{Adam, Rule, State};
//!
//! // The minimum of (w - 3)^2.
//! let rule = Rule::from(Adam::default());
//! let (mut w, mut state) = ([0.0], State::new());
//! for _ in 0..2000 {
//!     let gradient = [2.0 * (w[0] - 3.0)];
//!     rule.update(0.01, &mut w, &gradient, &mut state)?;
//! }
//! assert!((w[0] - 3.0_f64).abs() < 1e-6);
//! # Ok::<(), sapwood::Error>(())
//! ```

mod batches;
mod clip;
pub mod init;
pub mod lbfgs;
mod rule;
mod schedule;

pub use batches::{EarlyStopping, MiniBatches};
pub use clip::{Clip, clip_norm, clip_value};
pub(crate) use rule::check_rate;
pub use rule::{Adam, RmsProp, Rule, Sgd, State};
pub use schedule::{Plateau, Schedule};
