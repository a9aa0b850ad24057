//! Counted transitions: what a chain is estimated from.

use std::ops::{Add, AddAssign};

use linfa::dataset::Label;
use ndarray::{Array2, ArrayView2, Data};

use super::alphabet::Alphabet;
use super::order::OrderTest;
use super::sparse::Sparse;
use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::observe::{self, Observer, Progress};

/// How often each state came first, and how often each followed each.
///
/// The sufficient statistics of a Markov chain: counts of parts of the data add up (`+`) to the counts of the whole, also where the
/// parts have seen different states. Memory is linear in the number of distinct transitions.
///
/// # Example
/// ```
/// use sapwood::{data::Sequences, markov::TransitionCounts, ndarray::array};
///
/// let monday = Sequences::single(array![["sun"], ["sun"], ["rain"]])?;
/// let tuesday = Sequences::single(array![["rain"], ["snow"]])?;
/// let counts = TransitionCounts::new(&monday)? + TransitionCounts::new(&tuesday)?;
/// assert_eq!(counts.states(), ["rain", "sun", "snow"]);
/// assert_eq!(counts.count(&"rain", &"snow"), 1);
/// assert_eq!(counts.total(), 3);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Counts<L>", bound(deserialize = "L: Label + serde::Deserialize<'de>"))
)]
pub struct TransitionCounts<L = usize> {
    pub(super) states: Alphabet<L>,
    pub(super) first: Vec<u64>,
    pub(super) transitions: Sparse<u64>,
}

impl<L: Label> TransitionCounts<L> {
    /// Counts the sequences; the states are the labels that occur, sorted.
    ///
    /// # Errors
    /// [`Error::Shape`] when the records have more than one column.
    ///
    /// # Complexity
    /// `O(n log n)` time for `n` observations.
    pub fn new<S: Data<Elem = L>>(sequences: &Sequences<S>) -> Result<Self> {
        Self::observed(None, sequences, &mut ())
    }

    /// Counts the sequences over the given states.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `states` is empty or repeats a label, or when a label of the data is none of them; [`Error::Shape`] when the
    /// records have more than one column.
    pub fn over<S: Data<Elem = L>>(states: Vec<L>, sequences: &Sequences<S>) -> Result<Self> {
        Self::observed(Some(states), sequences, &mut ())
    }

    /// The counts of a published table: `table[[i, j]]` times, `states[j]` followed `states[i]`.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `states` is empty or repeats a label; [`Error::Shape`] when `first` or `table` has another size.
    pub fn from_table(states: Vec<L>, first: Vec<u64>, table: ArrayView2<'_, u64>) -> Result<Self> {
        let states = Alphabet::new(states)?;
        let n = states.len();
        if first.len() != n {
            return Err(Error::shape("first", format!("one entry for each of the {n} states"), first.len()));
        }
        if table.dim() != (n, n) {
            let (rows, columns) = table.dim();
            let rule = format!("{n} rows and columns, one for each state");
            return Err(Error::shape("table", rule, format_args!("{rows} x {columns}")));
        }
        let entries = table.indexed_iter().filter(|&(_, &count)| count > 0);
        let transitions = Sparse::from_rows(n, entries.map(|((i, j), &count)| (i, j, count)));
        Ok(Self { states, first, transitions })
    }

    /// Counts over the given states or those that occur; the stage is `"sequence"`.
    pub(super) fn observed<S: Data<Elem = L>>(
        states: Option<Vec<L>>,
        sequences: &Sequences<S>,
        observer: &mut dyn Observer,
    ) -> Result<Self> {
        check_one_column(sequences)?;
        let states = match states {
            Some(states) => Alphabet::new(states)?,
            None => Alphabet::sorted(sequences.records().iter().cloned()),
        };
        let n = states.len();
        let mut first = vec![0; n];
        let mut pairs = Vec::with_capacity(sequences.records().nrows());
        for (done, sequence) in sequences.iter().enumerate() {
            let mut from = None;
            for label in sequence.column(0) {
                let to = states.index_of(label)?;
                match from {
                    None => first[to] += 1,
                    Some(from) => pairs.push((from, to)),
                }
                from = Some(to);
            }
            let progress = Progress::new("sequence", done as u64 + 1, sequences.n_sequences() as u64);
            observe::report(observer, progress)?;
        }
        pairs.sort_unstable();
        let runs = pairs.chunk_by(|a, b| a == b).map(|run| (run[0].0, run[0].1, run.len() as u64));
        let transitions = Sparse::from_rows(n, runs);
        Ok(Self { states, first, transitions })
    }

    /// The states; their order is that of [`table`](Self::table).
    #[must_use]
    pub fn states(&self) -> &[L] {
        self.states.labels()
    }

    /// How often `to` followed `from`; 0 for states that are unknown.
    #[must_use]
    pub fn count(&self, from: &L, to: &L) -> u64 {
        let place = self.states.find(from).zip(self.states.find(to));
        place.and_then(|(i, j)| self.transitions.get(i, j)).unwrap_or(0)
    }

    /// How often each state began a sequence.
    #[must_use]
    pub fn first(&self) -> &[u64] {
        &self.first
    }

    /// Number of transitions.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.transitions.entries().map(|(_, _, count)| count).sum()
    }

    /// Number of different transitions.
    #[must_use]
    pub fn n_distinct(&self) -> usize {
        self.transitions.len()
    }

    /// The counts as a dense matrix, `(n_states, n_states)`.
    #[must_use]
    pub fn table(&self) -> Array2<u64> {
        let n = self.states.len();
        let mut table = Array2::zeros((n, n));
        for (i, j, count) in self.transitions.entries() {
            table[[i, j]] = count;
        }
        table
    }

    /// Wilson's interval for the probability of `from -> to`, `z` standard deviations wide (1.96 for 95 %).
    ///
    /// Unlike the normal interval it never leaves `[0, 1]` and has a width for counts of 0 and n. `[0, 1]` where `from` was never left.
    ///
    /// # Errors
    /// [`Error::Parameter`] for an unknown state, or when `z` is not greater than 0 and finite.
    ///
    /// # Example
    /// ```
    /// use sapwood::{markov::TransitionCounts, ndarray::array};
    ///
    /// let table = array![[1104, 7534], [7535, 3827]];
    /// let counts = TransitionCounts::from_table(vec!["vowel", "consonant"], vec![0, 1], table.view())?;
    /// let (low, high) = counts.interval(&"vowel", &"vowel", 1.96)?;
    /// assert!(low < 0.1278 && 0.1278 < high && high - low < 0.015);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # References
    /// E. B. Wilson, Probable inference, the law of succession, and statistical inference (1927).
    pub fn interval(&self, from: &L, to: &L, z: f64) -> Result<(f64, f64)> {
        crate::params::require(z > 0.0 && z.is_finite(), "z", "greater than 0 and finite", z)?;
        let (i, j) = (self.states.index_of(from)?, self.states.index_of(to)?);
        let n = self.left(i) as f64;
        if n == 0.0 {
            return Ok((0.0, 1.0));
        }
        let p = self.transitions.get(i, j).unwrap_or(0) as f64 / n;
        let centre = p + z * z / (2.0 * n);
        let half = z * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
        let scale = 1.0 + z * z / n;
        Ok((((centre - half) / scale).max(0.0), ((centre + half) / scale).min(1.0)))
    }

    /// Likelihood-ratio test of independent draws (order 0) against a chain of order 1.
    ///
    /// # Errors
    /// [`Error::Shape`] without a transition.
    ///
    /// # Example
    /// ```
    /// use sapwood::{markov::TransitionCounts, ndarray::array};
    ///
    /// // Vowels and consonants of Eugene Onegin, counted by Markov in 1913.
    /// let counts = TransitionCounts::from_table(vec![0, 1], vec![0, 1], array![[1104, 7534], [7535, 3827]].view())?;
    /// let test = counts.test_independence()?;
    /// assert!((test.g_squared - 6232.915759).abs() < 1e-6);
    /// assert_eq!(test.degrees_of_freedom, 1);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn test_independence(&self) -> Result<OrderTest> {
        OrderTest::of_tables([self.transitions.entries()])
    }

    /// How often state `i` was left.
    pub(super) fn left(&self, i: usize) -> u64 {
        self.transitions.row(i).map(|(_, count)| count).sum()
    }
}

impl<L: Label> Add for TransitionCounts<L> {
    type Output = Self;

    /// The states of `self` first, then the new ones of `other`, in their order.
    fn add(self, other: Self) -> Self {
        let mut states = self.states;
        let place: Vec<usize> = other.states.labels().iter().map(|label| states.insert(label)).collect();
        let n = states.len();
        let mut first = self.first;
        first.resize(n, 0);
        for (&count, &i) in other.first.iter().zip(&place) {
            first[i] += count;
        }
        let theirs = other.transitions.entries().map(|(i, j, count)| (place[i], place[j], count));
        let mut entries: Vec<_> = self.transitions.entries().chain(theirs).collect();
        entries.sort_unstable();
        let same = |a: &(usize, usize, u64), b: &(usize, usize, u64)| (a.0, a.1) == (b.0, b.1);
        let sums = entries.chunk_by(same).map(|run| (run[0].0, run[0].1, run.iter().map(|e| e.2).sum()));
        Self { transitions: Sparse::from_rows(n, sums), states, first }
    }
}

impl<L: Label> AddAssign for TransitionCounts<L> {
    fn add_assign(&mut self, other: Self) {
        let empty = Self {
            states: Alphabet::empty(),
            first: Vec::new(),
            transitions: Sparse::from_rows(0, std::iter::empty()),
        };
        *self = std::mem::replace(self, empty) + other;
    }
}

/// Chains are over labels: one column.
pub(super) fn check_one_column<S: Data>(sequences: &Sequences<S>) -> Result<()> {
    match sequences.records().ncols() {
        1 => Ok(()),
        columns => Err(Error::shape("records", "one column, that of the labels", columns)),
    }
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use linfa::dataset::Label;

    use super::{Alphabet, Sparse, TransitionCounts};
    use crate::error::{Error, Result};

    #[derive(serde::Deserialize)]
    #[serde(bound(deserialize = "L: Label + serde::Deserialize<'de>"))]
    pub(super) struct Counts<L> {
        states: Alphabet<L>,
        first: Vec<u64>,
        transitions: Sparse<u64>,
    }

    impl<L: Label> TryFrom<Counts<L>> for TransitionCounts<L> {
        type Error = Error;

        fn try_from(Counts { states, first, transitions }: Counts<L>) -> Result<Self> {
            let n = states.len();
            if first.len() != n || transitions.n_rows() != n {
                let value = format_args!("{} and {} of them", first.len(), transitions.n_rows());
                return Err(Error::shape("counts", format!("{n} first states and rows"), value));
            }
            let all = transitions.entries().map(|entry| entry.2).chain(first.iter().copied());
            if all.into_iter().try_fold(0_u64, u64::checked_add).is_none() {
                return Err(Error::parameter("counts", "at most 2^64 in all", "more"));
            }
            Ok(Self { states, first, transitions })
        }
    }
}

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored
    for TransitionCounts<L>
{
    fn kind() -> String {
        format!("TransitionCounts<{}>", crate::stored::type_word::<L>())
    }
}
