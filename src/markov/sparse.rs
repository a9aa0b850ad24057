//! Rows of a matrix that is mostly zero.

/// A matrix by rows: row `i` has the entries `starts[i]..starts[i + 1]`, by ascending column.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
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

#[cfg(feature = "serde")]
impl<T: Copy> Sparse<T> {
    /// Errors unless this is a matrix of `n` rows and columns, with ascending columns in each row.
    pub(super) fn validate(&self, n: usize) -> crate::error::Result<()> {
        use crate::params::require;
        use crate::stored::hold_len;
        hold_len("starts", self.starts.len(), n + 1)?;
        hold_len("columns", self.columns.len(), self.values.len())?;
        let cut = self.starts.is_sorted() && self.starts[0] == 0 && self.starts[n] == self.values.len();
        require(cut, "starts", "ascending from 0 to the number of entries", "others")?;
        for i in 0..n {
            let row = self.columns(i);
            let ascending =
                row.windows(2).all(|pair| pair[0] < pair[1]) && row.last().is_none_or(|&last| last < n);
            require(
                ascending,
                "columns",
                "ascending and below the number of states",
                format_args!("{row:?}"),
            )?;
        }
        Ok(())
    }
}
