//! Rows of a matrix that is mostly zero.

/// A matrix by rows: row `i` has the entries `starts[i]..starts[i + 1]`, by ascending column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(try_from = "stored::Sparse<T>"))]
pub(super) struct Sparse<T> {
    starts: Vec<usize>,
    columns: Vec<usize>,
    values: Vec<T>,
}

impl<T: Copy> Sparse<T> {
    /// The matrix with these entries `(row, column, value)`, in any order and each place at most once.
    pub(super) fn new(n_rows: usize, mut entries: Vec<(usize, usize, T)>) -> Self {
        entries.sort_unstable_by_key(|&(row, column, _)| (row, column));
        Self::from_rows(n_rows, entries)
    }

    /// As [`new`](Self::new), from entries by ascending row, then column.
    pub(super) fn from_rows(n_rows: usize, entries: impl IntoIterator<Item = (usize, usize, T)>) -> Self {
        let mut matrix = Self { starts: vec![0; n_rows + 1], columns: Vec::new(), values: Vec::new() };
        for (row, column, value) in entries {
            matrix.starts[row + 1] += 1;
            matrix.columns.push(column);
            matrix.values.push(value);
        }
        for row in 0..n_rows {
            matrix.starts[row + 1] += matrix.starts[row];
        }
        matrix
    }

    pub(super) fn n_rows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of stored entries.
    pub(super) fn len(&self) -> usize {
        self.values.len()
    }

    /// Columns and values of row `i`.
    pub(super) fn row(&self, i: usize) -> impl ExactSizeIterator<Item = (usize, T)> + '_ {
        let range = self.starts[i]..self.starts[i + 1];
        self.columns[range.clone()].iter().copied().zip(self.values[range].iter().copied())
    }

    /// Columns of row `i`.
    pub(super) fn columns(&self, i: usize) -> &[usize] {
        &self.columns[self.starts[i]..self.starts[i + 1]]
    }

    /// Every entry `(row, column, value)`, by row and column.
    pub(super) fn entries(&self) -> impl Iterator<Item = (usize, usize, T)> + '_ {
        (0..self.n_rows()).flat_map(move |i| self.row(i).map(move |(j, value)| (i, j, value)))
    }

    /// The entry at `(i, j)`, or `None` where none is stored.
    pub(super) fn get(&self, i: usize, j: usize) -> Option<T> {
        let place = self.columns(i).binary_search(&j).ok()?;
        Some(self.values[self.starts[i] + place])
    }

    /// Rows for columns.
    pub(super) fn transposed(&self) -> Self {
        Self::new(self.n_rows(), self.entries().map(|(i, j, value)| (j, i, value)).collect())
    }
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use crate::error::Error;

    #[derive(serde::Deserialize)]
    pub(super) struct Sparse<T> {
        starts: Vec<usize>,
        columns: Vec<usize>,
        values: Vec<T>,
    }

    impl<T> TryFrom<Sparse<T>> for super::Sparse<T> {
        type Error = Error;

        fn try_from(Sparse { starts, columns, values }: Sparse<T>) -> Result<Self, Error> {
            let n_rows = starts.len().saturating_sub(1);
            let rows_fit = starts.first() == Some(&0)
                && starts.is_sorted()
                && starts.last() == Some(&columns.len())
                && columns.len() == values.len();
            let row_fits = |ends: &[usize]| {
                let row = &columns[ends[0]..ends[1]];
                row.is_sorted_by(|a, b| a < b) && row.last().is_none_or(|&last| last < n_rows)
            };
            if rows_fit && starts.windows(2).all(row_fits) {
                return Ok(Self { starts, columns, values });
            }
            let rule = "rows of ascending columns";
            Err(Error::shape("transitions", rule, format_args!("{n_rows} rows of others")))
        }
    }
}
