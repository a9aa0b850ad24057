//! The fitted model: answers, tensors, state.

use linfa::dataset::Label;
use linfa::traits::{Predict, PredictInplace};
use ndarray::{Array1, Array2, ArrayView2, ArrayViewMut2, Data};
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};

use super::cell::Cell;
use super::layer::{collect, scatter};
use super::net::{Inputs, Net, Pass, Workspace};
use super::params::{Element, RecurrentParams};
use super::state::{State, Stream};
use crate::data::{ClassIndex, Sequences, rows};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::math::softmax;
use crate::params::Params;

/// The targets were numbers, and so are the answers.
///
/// # Example
/// ```
/// use sapwood::{Lstm, data::Sequences, ndarray::Array2, recurrent::Values};
///
/// let net: Lstm<f64, Values> = Lstm::untrained(&Lstm::params(4), 2, 3)?;
/// let x = Sequences::single(Array2::<f64>::zeros((5, 2)))?;
/// assert_eq!(net.predict(&x)?.dim(), (5, 3));
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Values;

/// A recurrent net: [`Lstm`](super::Lstm), [`Gru`](super::Gru) and [`Rnn`](super::Rnn) are its three kinds.
///
/// `T` is [`Values`] where the targets were numbers, and [`ClassIndex`] where they were labels.
///
/// # Example
/// ```
/// use sapwood::{Lstm, data::Sequences, linfa::{DatasetBase, traits::Fit}, ndarray::Array2};
///
/// // The running sum of the last two numbers.
/// let x = Array2::from_shape_fn((60, 1), |(i, _)| (i as f64 * 0.7).sin());
/// let y = Array2::from_shape_fn((60, 1), |(i, _)| x[[i, 0]] + if i % 20 > 0 { x[[i - 1, 0]] } else { 0.0 });
/// let data = DatasetBase::new(Sequences::new(x, vec![20; 3])?, y);
/// let model = Lstm::params(8).batch_size(1).n_epochs(150).learning_rate(0.01).fit(&data)?;
/// assert!(model.losses()[149] < 0.01 * model.losses()[0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(
        try_from = "super::stored::Model<F, C, T>",
        bound(deserialize = "F: Float + serde::Deserialize<'de>, C: Cell + serde::Deserialize<'de>, \
                             T: super::stored::Kind + serde::Deserialize<'de>")
    )
)]
pub struct Recurrent<F, C, T = Values> {
    pub(super) net: Net<C>,
    pub(super) params: Aligned<F>,
    pub(super) targets: T,
    pub(super) losses: Vec<f64>,
    pub(super) validation_losses: Vec<f64>,
}

impl<F: Float, C: Cell> Recurrent<F, C, Values> {
    /// Settings of a net with `n_hidden` units in every layer, 1 to 16384.
    #[must_use]
    pub fn params(n_hidden: usize) -> Params<RecurrentParams<F, C>> {
        Params(RecurrentParams::new(n_hidden))
    }

    /// A net with its first values, with an answer for every row: to look at, or to fill with the tensors of another library.
    ///
    /// # Errors
    /// [`Error::Parameter`] for invalid settings or sizes of 0.
    pub fn untrained(
        params: &Params<RecurrentParams<F, C>>,
        n_inputs: usize,
        n_outputs: usize,
    ) -> Result<Self> {
        let params = linfa::ParamGuard::check_ref(params)?;
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(params.seed);
        let (net, params) = params.build(None, n_inputs, n_outputs, true, &mut rng)?;
        Ok(Self { net, params, targets: Values, losses: Vec::new(), validation_losses: Vec::new() })
    }

    /// The answers: a row for each row of the records, or for each sequence, as the targets of the fit had it.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns than in the fit; [`Error::NonFinite`]; [`Error::Parameter`] for an unknown token.
    ///
    /// # Complexity
    /// `O(rows)` times the number of parameters.
    pub fn predict<S: Data>(&self, sequences: &Sequences<S>) -> Result<Array2<F>>
    where
        S::Elem: Element<F>,
    {
        self.outputs(sequences, None)
    }

    /// The answers from a given state on, which becomes the state after the last row of each sequence.
    ///
    /// # Errors
    /// As for [`predict`](Self::predict), and [`Error::Shape`] when the state has another number of sequences or the net reads from both ends.
    pub fn predict_from<S: Data>(&self, state: &mut State<F>, sequences: &Sequences<S>) -> Result<Array2<F>>
    where
        S::Elem: Element<F>,
    {
        self.outputs(sequences, Some(state))
    }
}

impl<F: Float, C: Cell, L: Label> Recurrent<F, C, ClassIndex<L>> {
    /// The classes, sorted: the columns of [`predict_proba`](Self::predict_proba).
    #[must_use]
    pub fn classes(&self) -> &[L] {
        self.targets.classes()
    }

    /// The most probable class of each row, or of each sequence, as the targets of the fit had it; the first of equals.
    ///
    /// # Errors
    /// As for [`predict_proba`](Self::predict_proba).
    pub fn predict<S: Data>(&self, sequences: &Sequences<S>) -> Result<Array1<L>>
    where
        S::Elem: Element<F>,
    {
        Ok(self.most_probable(&self.outputs(sequences, None)?))
    }

    /// The probability of each class, a row for each row or sequence.
    ///
    /// # Errors
    /// [`Error::Shape`] for another number of columns than in the fit; [`Error::NonFinite`]; [`Error::Parameter`] for an unknown token.
    pub fn predict_proba<S: Data>(&self, sequences: &Sequences<S>) -> Result<Array2<F>>
    where
        S::Elem: Element<F>,
    {
        let mut y = self.outputs(sequences, None)?;
        for mut row in y.rows_mut() {
            softmax(row.as_slice_mut().expect("a row of a new array"));
        }
        Ok(y)
    }

    fn most_probable(&self, y: &Array2<F>) -> Array1<L> {
        let best = |row: ndarray::ArrayView1<'_, F>| {
            (1..row.len()).fold(0, |best, column| if row[column] > row[best] { column } else { best })
        };
        y.rows().into_iter().map(|row| self.targets.label(best(row)).clone()).collect()
    }
}

impl<F: Float, C: Cell, T> Recurrent<F, C, T> {
    /// Mean training loss of each epoch.
    #[must_use]
    pub fn losses(&self) -> &[f64] {
        &self.losses
    }

    /// Loss after each epoch on the sequences that were held back for early stopping.
    #[must_use]
    pub fn validation_losses(&self) -> &[f64] {
        &self.validation_losses
    }

    /// Names and shapes of its tensors, as PyTorch has them: `weight_ih_l0`, .., `head.bias`; with tokens `embedding.weight`.
    #[must_use]
    pub fn tensor_names(&self) -> Vec<(String, Vec<usize>)> {
        self.net.tensors::<F>().into_iter().map(|tensor| (tensor.name, tensor.shape)).collect()
    }

    /// A tensor in PyTorch's layout; a vector has one column.
    #[must_use]
    pub fn tensor(&self, name: &str) -> Option<Array2<F>> {
        self.net
            .tensors::<F>()
            .iter()
            .find(|tensor| tensor.name == name)
            .map(|tensor| collect(tensor, &self.params))
    }

    /// Sets a tensor, in PyTorch's layout; a vector has one column.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown name, [`Error::Shape`] for another shape, [`Error::NonFinite`].
    pub fn set_tensor(&mut self, name: &str, values: ArrayView2<'_, F>) -> Result<()> {
        let tensors = self.net.tensors::<F>();
        let Some(tensor) = tensors.iter().find(|tensor| tensor.name == name) else {
            return Err(Error::parameter("name", "that of a tensor of this net", name));
        };
        let shape = (tensor.shape[0], tensor.shape.get(1).copied().unwrap_or(1));
        if values.dim() != shape {
            let ((rows, columns), (r, c)) = (shape, values.dim());
            return Err(Error::shape(
                "values",
                format!("the shape {rows} x {columns}"),
                format_args!("{r} x {c}"),
            ));
        }
        crate::data::check_finite("values", &values)?;
        scatter(tensor, values, &mut self.params);
        Ok(())
    }

    /// Writes the outputs of the head into `y`: values, or log-odds of the classes before the softmax.
    ///
    /// With the same `room` for calls of about the same size, nothing is allocated.
    ///
    /// # Errors
    /// As for `predict`, and [`Error::Shape`] where `y` is not `(rows or sequences, n_outputs)`.
    pub fn predict_into<S: Data>(
        &self,
        sequences: &Sequences<S>,
        room: &mut Workspace<F>,
        y: ArrayViewMut2<'_, F>,
    ) -> Result<()>
    where
        S::Elem: Element<F>,
    {
        self.write_outputs(sequences, None, room, y)
    }

    /// All parameters in one vector: what an update rule changes. Its order is not PyTorch's, and some entries are always 0.
    #[must_use]
    pub fn parameters(&self) -> &[F] {
        &self.params
    }

    /// All parameters, to be changed.
    pub fn parameters_mut(&mut self) -> &mut [F] {
        &mut self.params
    }

    /// The state of `n_sequences` sequences before their first step.
    #[must_use]
    pub fn state(&self, n_sequences: usize) -> State<F> {
        State::zeros(&self.net, n_sequences)
    }

    /// Answers one observation at a time.
    ///
    /// # Errors
    /// [`Error::Parameter`] for a net that reads from both ends.
    pub fn stream(&self) -> Result<Stream<'_, F, C>> {
        self.check_one_direction()?;
        Ok(Stream::new(&self.net, &self.params))
    }

    pub(super) fn check_one_direction(&self) -> Result<()> {
        if self.net.bidirectional() {
            return Err(Error::parameter("bidirectional", "false to answer step by step", true));
        }
        Ok(())
    }

    /// The rows as inputs of the net, checked against its sizes.
    pub(super) fn inputs<'a, E: Element<F>>(&self, rows: &'a [E], n_columns: usize) -> Result<Inputs<'a, F>> {
        let inputs = E::inputs(rows, n_columns)?;
        match (inputs, self.net.embedding) {
            (Inputs::Tokens(tokens), Some(embedding)) => {
                if let Some(&token) = tokens.iter().find(|&&token| token >= embedding.n_tokens) {
                    return Err(Error::parameter("token", format!("below {}", embedding.n_tokens), token));
                }
            }
            (Inputs::Values(_), None) if n_columns == self.net.layers[0][0].n_inputs => {}
            (Inputs::Values(_), None) => {
                let rule = format!("{} columns, as the model was fitted on", self.net.layers[0][0].n_inputs);
                return Err(Error::shape("records", rule, n_columns));
            }
            (Inputs::Tokens(_), None) => {
                return Err(Error::shape("records", "floats, as the model was fitted on", "tokens"));
            }
            (Inputs::Values(_), Some(_)) => {
                return Err(Error::shape("records", "tokens, as the model was fitted on", "floats"));
            }
        }
        Ok(inputs)
    }

    /// Rows of an answer.
    fn n_answers<S: Data>(&self, sequences: &Sequences<S>) -> usize {
        if self.net.each_row { sequences.records().nrows() } else { sequences.n_sequences() }
    }

    /// Outputs of the head, `(rows or sequences, n_outputs)`.
    fn outputs<S: Data>(&self, sequences: &Sequences<S>, state: Option<&mut State<F>>) -> Result<Array2<F>>
    where
        S::Elem: Element<F>,
    {
        let mut outputs = Array2::zeros((self.n_answers(sequences), self.net.n_outputs()));
        self.write_outputs(sequences, state, &mut Workspace::default(), outputs.view_mut())?;
        Ok(outputs)
    }

    /// Sequences go through the net in groups of about equal numbers of rows.
    fn write_outputs<S: Data>(
        &self,
        sequences: &Sequences<S>,
        mut state: Option<&mut State<F>>,
        w: &mut Workspace<F>,
        mut outputs: ArrayViewMut2<'_, F>,
    ) -> Result<()>
    where
        S::Elem: Element<F>,
    {
        let (records, lengths) = (sequences.records().view(), sequences.lengths());
        let records = rows(&records);
        let inputs = self.inputs(&records, sequences.records().ncols())?;
        if let Some(state) = &state {
            self.check_one_direction()?;
            state.check(&self.net, lengths.len())?;
        }
        if outputs.dim() != (self.n_answers(sequences), self.net.n_outputs()) {
            let rule = format!("the shape {} x {}", self.n_answers(sequences), self.net.n_outputs());
            let (rows, columns) = outputs.dim();
            return Err(Error::shape("y", rule, format_args!("{rows} x {columns}")));
        }
        let mut first = 0;
        while first < lengths.len() {
            let group = group_end(lengths, first) - first;
            w.batch.fill(
                (first..first + group).map(|i| (sequences.range(i).map_or(0, |r| r.start), lengths[i])),
            );
            self.net.prepare(&self.params, w);
            if let Some(state) = &state {
                state.enter(&self.net, w, |part| first + part);
            }
            self.net.forward(&self.params, inputs, w, Pass::Answer);
            if let Some(state) = &mut state {
                state.leave(&self.net, w, |part| first + part);
            }
            let (width, n) = (self.net.head.width::<F>(), self.net.n_outputs());
            for (row, y) in w.y.chunks_exact(width).take(self.net.n_out_rows(&w.batch)).enumerate() {
                let to = if self.net.each_row { w.batch.source[row] } else { first + w.batch.order[row] };
                match outputs.as_slice_mut() {
                    Some(outputs) => outputs[to * n..][..n].iter_mut().zip(y).for_each(|(to, &y)| *to = y),
                    None => outputs.row_mut(to).iter_mut().zip(y).for_each(|(to, &y)| *to = y),
                }
            }
            first += group;
        }
        Ok(())
    }
}

/// The end of the group of sequences that begins at `first`: about as many as keep the room for them in cache, and at least one.
pub(super) fn group_end(lengths: &[usize], first: usize) -> usize {
    const ROWS: usize = 4096;
    let (mut end, mut n_rows) = (first, 0);
    while end < lengths.len() && (end == first || n_rows + lengths[end] <= ROWS) {
        n_rows += lengths[end];
        end += 1;
    }
    end
}

impl<F: Float, C: Cell, S: Data> PredictInplace<Sequences<S>, Array2<F>> for Recurrent<F, C, Values>
where
    S::Elem: Element<F>,
{
    /// # Panics
    /// Where [`Recurrent::predict`] returns an error, with its message.
    fn predict_inplace<'a>(&'a self, x: &'a Sequences<S>, y: &mut Array2<F>) {
        *y = self.outputs(x, None).unwrap_or_else(|error| panic!("{error}"));
    }

    fn default_target(&self, _: &Sequences<S>) -> Array2<F> {
        Array2::zeros((0, self.net.n_outputs()))
    }
}

impl<F: Float, C: Cell, L: Label, S: Data> PredictInplace<Sequences<S>, Array1<L>>
    for Recurrent<F, C, ClassIndex<L>>
where
    S::Elem: Element<F>,
{
    /// # Panics
    /// Where [`Recurrent::predict`] returns an error, with its message.
    fn predict_inplace<'a>(&'a self, x: &'a Sequences<S>, y: &mut Array1<L>) {
        *y = self
            .outputs(x, None)
            .map_or_else(|error| panic!("{error}"), |outputs| self.most_probable(&outputs));
    }

    fn default_target(&self, _: &Sequences<S>) -> Array1<L> {
        Array1::default(0)
    }
}

impl<'a, F: Float, C: Cell, S: Data, T, Y> Predict<&'a Sequences<S>, Y> for Recurrent<F, C, T>
where
    Self: PredictInplace<Sequences<S>, Y>,
{
    fn predict(&self, x: &'a Sequences<S>) -> Y {
        let mut y = self.default_target(x);
        self.predict_inplace(x, &mut y);
        y
    }
}

#[cfg(feature = "serde")]
impl crate::stored::Stored for Values {
    fn kind() -> String {
        "Values".into()
    }

    fn validate(&self) -> Result<()> {
        Ok(())
    }
}

#[cfg(feature = "serde")]
impl<F, C, T> crate::stored::Stored for Recurrent<F, C, T>
where
    F: Float + serde::Serialize + serde::de::DeserializeOwned,
    C: Cell + serde::Serialize + serde::de::DeserializeOwned,
    T: crate::stored::Stored + super::stored::Kind,
{
    const VERSION: u16 = T::VERSION;

    fn kind() -> String {
        format!("{}<{}, {}>", C::NAME, crate::stored::type_word::<F>(), T::kind())
    }

    fn validate(&self) -> Result<()> {
        use crate::stored::hold_finite;
        self.targets.validate()?;
        super::stored::check(&self.net, &self.params, &self.targets)?;
        hold_finite("losses", &self.losses)?;
        hold_finite("validation_losses", &self.validation_losses)
    }
}
