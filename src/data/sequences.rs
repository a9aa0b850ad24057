//! Many sequences of unequal length in one array.

use std::fmt;

use linfa::dataset::Records;
use ndarray::{ArrayBase, ArrayView2, Axis, Data, Ix2, RawDataClone, Slice, ViewRepr};

use crate::error::{Error, Result};

/// Sequences one after another in one array, and the length of each.
///
/// What hmmlearn and this crate's sequence models take: no padding, no list of arrays. `records` has one row per observation, `(sum of
/// lengths, n_features)`; the first `lengths[0]` rows are the first sequence. Any element type: floats for measurements, `usize` for
/// symbols (one column).
///
/// As linfa's [`Records`], the samples are the observations, so targets hold one label for each of them.
///
/// # Example
/// ```
/// use sapwood::{data::Sequences, ndarray::array};
///
/// let x = array![[1.0], [2.0], [3.0], [4.0], [5.0]];
/// let sequences = Sequences::new(x, vec![2, 3])?;
/// assert_eq!(sequences.n_sequences(), 2);
/// assert_eq!(sequences.get(1).unwrap(), array![[3.0], [4.0], [5.0]]);
/// let last: Vec<f64> = sequences.iter().map(|s| s[[s.nrows() - 1, 0]]).collect();
/// assert_eq!(last, [2.0, 5.0]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub struct Sequences<S: Data> {
    records: ArrayBase<S, Ix2>,
    lengths: Vec<usize>,
    /// `starts[i]..starts[i + 1]` are the rows of sequence `i`.
    starts: Vec<usize>,
}

impl<S: Data> Sequences<S> {
    /// Cuts the rows of `records` into sequences of the given lengths.
    ///
    /// # Errors
    /// [`Error::Shape`] without a column, without a sequence, when a length is 0, or when the lengths do not sum to the rows.
    pub fn new(records: ArrayBase<S, Ix2>, lengths: Vec<usize>) -> Result<Self> {
        if lengths.is_empty() {
            return Err(Error::shape("lengths", "at least one sequence", 0));
        }
        if records.ncols() == 0 {
            return Err(Error::shape("records", "at least one column", 0));
        }
        if let Some(i) = lengths.iter().position(|&length| length == 0) {
            return Err(Error::shape("lengths", "at least 1 in each entry", format_args!("0 in entry {i}")));
        }
        let rows = records.nrows();
        let mut starts = Vec::with_capacity(lengths.len() + 1);
        starts.push(0_usize);
        for &length in &lengths {
            let end = starts.last().and_then(|start| start.checked_add(length)).filter(|&end| end <= rows);
            let Some(end) = end else {
                return Err(Error::shape("lengths", format!("a sum of {rows}, the number of rows"), "more"));
            };
            starts.push(end);
        }
        let sum = starts[lengths.len()];
        if sum != rows {
            return Err(Error::shape("lengths", format!("a sum of {rows}, the number of rows"), sum));
        }
        Ok(Self { records, lengths, starts })
    }

    /// All rows as one sequence.
    ///
    /// # Errors
    /// [`Error::Shape`] without a row or a column.
    pub fn single(records: ArrayBase<S, Ix2>) -> Result<Self> {
        let rows = records.nrows();
        Self::new(records, vec![rows])
    }

    /// Number of sequences.
    #[must_use]
    pub fn n_sequences(&self) -> usize {
        self.lengths.len()
    }

    /// The rows of all sequences, `(sum of lengths, n_features)`.
    #[must_use]
    pub fn records(&self) -> &ArrayBase<S, Ix2> {
        &self.records
    }

    /// The length of each sequence; their sum is the number of rows.
    #[must_use]
    pub fn lengths(&self) -> &[usize] {
        &self.lengths
    }

    /// The rows of sequence `i`, as a range of all rows.
    #[must_use]
    pub fn range(&self, i: usize) -> Option<std::ops::Range<usize>> {
        Some(*self.starts.get(i)?..*self.starts.get(i + 1)?)
    }

    /// Sequence `i`, `(lengths[i], n_features)`.
    #[must_use]
    pub fn get(&self, i: usize) -> Option<ArrayView2<'_, S::Elem>> {
        Some(self.records.slice_axis(Axis(0), Slice::from(self.range(i)?)))
    }

    /// The sequences in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = ArrayView2<'_, S::Elem>> {
        self.starts.windows(2).map(|ends| self.records.slice_axis(Axis(0), Slice::from(ends[0]..ends[1])))
    }

    /// The same sequences, borrowed.
    #[must_use]
    pub fn view(&self) -> Sequences<ViewRepr<&S::Elem>> {
        Sequences { records: self.records.view(), lengths: self.lengths.clone(), starts: self.starts.clone() }
    }
}

/// The rows of an array as linfa's `predict_inplace` gets them, for `n_targets` answers; `None` where there is neither a row nor an answer.
///
/// # Panics
/// Where there is no row, or no column, but an answer is asked for: linfa's signature has no room for an error.
pub(crate) fn one_sequence<T>(x: ArrayView2<'_, T>, n_targets: usize) -> Option<Sequences<ViewRepr<&T>>> {
    if x.nrows() == 0 {
        assert!(n_targets == 0, "`y` must have one entry for each of the 0 rows, got {n_targets}");
        return None;
    }
    Some(Sequences::single(x).unwrap_or_else(|error| panic!("{error}")))
}

impl<S: Data> fmt::Debug for Sequences<S>
where
    S::Elem: fmt::Debug,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { records, lengths, .. } = self;
        f.debug_struct("Sequences").field("records", records).field("lengths", lengths).finish()
    }
}

impl<S: Data + RawDataClone> Clone for Sequences<S> {
    fn clone(&self) -> Self {
        Self { records: self.records.clone(), lengths: self.lengths.clone(), starts: self.starts.clone() }
    }
}

impl<S: Data> Records for Sequences<S> {
    type Elem = S::Elem;

    fn nsamples(&self) -> usize {
        self.records.nrows()
    }

    fn nfeatures(&self) -> usize {
        self.records.ncols()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn lengths_that_do_not_fit_are_errors() {
        let x = || Array2::<f64>::zeros((5, 1));
        for (lengths, message) in [
            (vec![], "`lengths` must have at least one sequence, got 0"),
            (vec![2, 0, 3], "`lengths` must have at least 1 in each entry, got 0 in entry 1"),
            (vec![2, 2], "`lengths` must have a sum of 5, the number of rows, got 4"),
            (vec![2, 4], "`lengths` must have a sum of 5, the number of rows, got more"),
            (vec![2, usize::MAX], "`lengths` must have a sum of 5, the number of rows, got more"),
        ] {
            assert_eq!(Sequences::new(x(), lengths).unwrap_err().to_string(), message);
        }
        assert!(Sequences::single(Array2::<f64>::zeros((0, 1))).is_err());
        assert!(Sequences::single(Array2::<f64>::zeros((1, 0))).is_err());
    }

    #[test]
    fn sequences_are_views_in_any_layout() {
        let x = array![[1, 2, 3], [4, 5, 6]];
        let sequences = Sequences::new(x.t(), vec![1, 2]).unwrap();
        assert_eq!(sequences.get(1).unwrap(), array![[2, 5], [3, 6]]);
        assert_eq!(sequences.get(2), None);
        assert_eq!(sequences.iter().len(), 2);
        assert_eq!((sequences.nsamples(), sequences.nfeatures()), (3, 2));
        assert_eq!(sequences.view().get(0), sequences.get(0));
    }
}
