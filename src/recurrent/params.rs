//! What can be set before a fit.

use std::marker::PhantomData;

use super::cell::{Cell, RnnCell};
use super::net::{Dropout, Inputs};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::all_finite;
use crate::optim::{Adam, Clip, Rule, Schedule};
use crate::params::{Check, Params, require};

/// Settings of a recurrent net; made by [`Recurrent::params`](super::Recurrent::params), set through the setters of [`Params`].
///
/// # Example
/// ```
/// use sapwood::{Lstm, linfa::ParamGuard};
///
/// assert!(Lstm::<f32>::params(64).n_layers(2).bidirectional(true).batch_size(16).check().is_ok());
/// assert!(Lstm::<f32>::params(0).check().is_err());
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(bound = "C: serde::Serialize + serde::de::DeserializeOwned"))]
pub struct RecurrentParams<F, C> {
    pub(super) cell: C,
    pub(super) n_hidden: usize,
    pub(super) n_layers: usize,
    pub(super) bidirectional: bool,
    pub(super) forget_bias: f64,
    pub(super) n_tokens: usize,
    pub(super) embedding: usize,
    pub(super) dropout: Dropout,
    pub(super) rule: Rule,
    pub(super) learning_rate: f64,
    pub(super) schedule: Schedule,
    pub(super) clip: Option<Clip>,
    pub(super) batch_size: usize,
    pub(super) n_epochs: usize,
    pub(super) shuffle: bool,
    pub(super) truncate: Option<usize>,
    pub(super) early_stopping: Option<(usize, f64)>,
    pub(super) seed: u64,
    pub(super) float: PhantomData<F>,
}

impl<F: Float, C: Cell> RecurrentParams<F, C> {
    pub(super) fn new(n_hidden: usize) -> Self {
        Self {
            cell: C::default(),
            n_hidden,
            n_layers: 1,
            bidirectional: false,
            forget_bias: 1.0,
            n_tokens: 0,
            embedding: 16,
            dropout: Dropout::default(),
            rule: Rule::Adam(Adam::default()),
            learning_rate: 1e-3,
            schedule: Schedule::Constant,
            clip: Some(Clip::Norm(1.0)),
            batch_size: 32,
            n_epochs: 20,
            shuffle: true,
            truncate: None,
            early_stopping: None,
            seed: 0,
            float: PhantomData,
        }
    }
}

impl<F: Float, C: Cell> Params<RecurrentParams<F, C>> {
    /// Layers, each over the hidden states of the one below. At least 1; default 1.
    #[must_use]
    pub fn n_layers(mut self, n_layers: usize) -> Self {
        self.0.n_layers = n_layers;
        self
    }

    /// Whether each layer also reads from the end; the two hidden states stand side by side. Default no.
    ///
    /// With one answer for a sequence, each direction contributes its state after the last step that it reads.
    #[must_use]
    pub fn bidirectional(mut self, bidirectional: bool) -> Self {
        self.0.bidirectional = bidirectional;
        self
    }

    /// First bias of an LSTM's forget gates. Finite; default 1.
    ///
    /// With 0, as in PyTorch, the gates start half closed, and the gradient is lost after some ten steps. With 3 it lasts for hundreds.
    #[must_use]
    #[doc(alias = "unit_forget_bias")]
    pub fn forget_bias(mut self, forget_bias: f64) -> Self {
        self.0.forget_bias = forget_bias;
        self
    }

    /// Numbers that stand for a token, where the records are `usize`. At least 1; default 16.
    #[must_use]
    pub fn embedding(mut self, n_dims: usize) -> Self {
        self.0.embedding = n_dims;
        self
    }

    /// Tokens are below this. Default 0: one more than the largest of the fit.
    #[must_use]
    pub fn n_tokens(mut self, n_tokens: usize) -> Self {
        self.0.n_tokens = n_tokens;
        self
    }

    /// Shares of numbers that are dropped in training, each in `[0, 1)`. Default none.
    #[must_use]
    pub fn dropout(mut self, dropout: Dropout) -> Self {
        self.0.dropout = dropout;
        self
    }

    /// The update rule. Default [`Adam`].
    #[must_use]
    pub fn rule(mut self, rule: impl Into<Rule>) -> Self {
        self.0.rule = rule.into();
        self
    }

    /// Step size of the update rule. Greater than 0 and finite; default 1e-3.
    #[must_use]
    pub fn learning_rate(mut self, learning_rate: f64) -> Self {
        self.0.learning_rate = learning_rate;
        self
    }

    /// How the learning rate changes. Default not at all.
    #[must_use]
    pub fn schedule(mut self, schedule: Schedule) -> Self {
        self.0.schedule = schedule;
        self
    }

    /// What is done to gradients that are too long, over all parameters together. Default [`Clip::Norm`]`(1.0)`; `None` leaves them.
    #[must_use]
    pub fn clip(mut self, clip: impl Into<Option<Clip>>) -> Self {
        self.0.clip = clip.into();
        self
    }

    /// Sequences in an update, at least 1; fewer where there are fewer. Default 32.
    #[must_use]
    pub fn batch_size(mut self, batch_size: usize) -> Self {
        self.0.batch_size = batch_size;
        self
    }

    /// Passes over the data, at least 1. Default 20.
    #[must_use]
    #[doc(alias = "max_iter")]
    pub fn n_epochs(mut self, n_epochs: usize) -> Self {
        self.0.n_epochs = n_epochs;
        self
    }

    /// Whether the sequences come in a new order in each epoch. Default yes.
    #[must_use]
    pub fn shuffle(mut self, shuffle: bool) -> Self {
        self.0.shuffle = shuffle;
        self
    }

    /// Truncated backpropagation: an update after every so many steps, with the state carried on and the gradient cut. Default whole sequences.
    ///
    /// This is what other libraries call a stateful net. The state starts at 0 with every sequence. Needs a target for every row, and one direction.
    #[must_use]
    #[doc(alias = "stateful")]
    pub fn truncate(mut self, n_steps: impl Into<Option<usize>>) -> Self {
        self.0.truncate = n_steps.into();
        self
    }

    /// Ends the fit after `patience` epochs without a better loss on the last `share` of the sequences, and keeps the best parameters.
    ///
    /// `patience` at least 1, `share` in `(0, 1)`. Those sequences are not trained on. Default: no early stopping.
    #[must_use]
    pub fn early_stopping(mut self, patience: usize, share: f64) -> Self {
        self.0.early_stopping = Some((patience, share));
        self
    }

    /// Seed of first values, order and dropout: the same seed gives the same bits. Default 0.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl<F: Float> Params<RecurrentParams<F, RnnCell>> {
    /// Whether hidden units are hyperbolic tangents or positive parts. Default [`RnnCell::Tanh`].
    #[must_use]
    pub fn cell(mut self, cell: RnnCell) -> Self {
        self.0.cell = cell;
        self
    }
}

impl<F: Float, C: Cell> Check for RecurrentParams<F, C> {
    fn check(&self) -> Result<()> {
        // A gate's matrix of the largest size has 2^28 numbers.
        let size = |name, n: usize| require((1..=1 << 14).contains(&n), name, "in 1..=16384", n);
        size("n_hidden", self.n_hidden)?;
        size("embedding", self.embedding)?;
        require((1..=256).contains(&self.n_layers), "n_layers", "in 1..=256", self.n_layers)?;
        require(self.forget_bias.is_finite(), "forget_bias", "finite", self.forget_bias)?;
        let Dropout { before, between, after } = self.dropout;
        for rate in [before, between, after] {
            require((0.0..1.0).contains(&rate), "dropout", "in [0, 1)", rate)?;
        }
        self.rule.check()?;
        crate::optim::check_rate(self.learning_rate)?;
        self.schedule.check()?;
        self.clip.map_or(Ok(()), |clip| clip.check())?;
        require(self.batch_size >= 1, "batch_size", "at least 1", self.batch_size)?;
        require(self.n_epochs >= 1, "n_epochs", "at least 1", self.n_epochs)?;
        require(self.truncate != Some(0), "truncate", "at least 1", 0)?;
        let cut = self.truncate.is_some() && self.bidirectional;
        require(!cut, "truncate", "none for a bidirectional net", self.truncate.unwrap_or(0))?;
        if let Some((patience, share)) = self.early_stopping {
            require(patience >= 1, "early_stopping", "patient for at least 1 epoch", patience)?;
            require(share > 0.0 && share < 1.0, "early_stopping", "on a share in (0, 1)", share)?;
        }
        Ok(())
    }
}

/// What records may hold: the floats of the net, or `usize` tokens. Sealed.
///
/// # Example
/// See the [module](super).
pub trait Element<F: Float>: Copy + std::fmt::Debug + sealed::Sealed {
    /// Whether these are tokens.
    #[doc(hidden)]
    const TOKENS: bool;

    /// The rows as a net takes them, `n_columns` numbers each; `n_tokens` is the size of the embedding.
    #[doc(hidden)]
    fn inputs(rows: &[Self], n_columns: usize) -> Result<Inputs<'_, F>>;
}

impl Element<Self> for f32 {
    const TOKENS: bool = false;

    fn inputs(rows: &[Self], n_columns: usize) -> Result<Inputs<'_, Self>> {
        finite(rows, n_columns)
    }
}

impl Element<Self> for f64 {
    const TOKENS: bool = false;

    fn inputs(rows: &[Self], n_columns: usize) -> Result<Inputs<'_, Self>> {
        finite(rows, n_columns)
    }
}

impl<F: Float> Element<F> for usize {
    const TOKENS: bool = true;

    fn inputs(rows: &[Self], n_columns: usize) -> Result<Inputs<'_, F>> {
        if n_columns != 1 {
            return Err(Error::shape("records", "one column of tokens", n_columns));
        }
        Ok(Inputs::Tokens(rows))
    }
}

fn finite<F: Float>(rows: &[F], n_columns: usize) -> Result<Inputs<'_, F>> {
    if all_finite(rows) {
        return Ok(Inputs::Values(rows));
    }
    match rows.iter().position(|x| !x.is_finite()) {
        None => Ok(Inputs::Values(rows)),
        Some(at) => Err(Error::NonFinite {
            name: "records",
            row: at / n_columns,
            column: at % n_columns,
            value: rows[at].as_f64(),
        }),
    }
}

mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for usize {}
}

#[cfg(feature = "serde")]
impl<F: Float, C: Cell + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored
    for RecurrentParams<F, C>
{
    fn kind() -> String {
        format!("{}Params<{}>", C::NAME, crate::stored::type_word::<F>())
    }

    fn validate(&self) -> Result<()> {
        self.check()
    }
}
