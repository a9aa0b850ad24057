//! Sparse records.

use linfa::dataset::Records;
use sprs::{CsMat, CsMatView};

use crate::error::{Error, Result};
use crate::float::Float;

/// Sparse records, row after row: a borrowed [`sprs::CsMat`].
///
/// A type of its own because linfa's `Records` is not implemented for sprs's matrices.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, data::Csr, linfa::{DatasetBase, traits::Fit}, ndarray::array, sprs::CsMat};
///
/// // Four texts of five words: (row starts, columns, counts).
/// let counts = CsMat::new((4, 5), vec![0, 2, 4, 5, 7], vec![0, 1, 1, 2, 3, 3, 4], vec![1.0; 7]);
/// let data = DatasetBase::new(Csr::new(counts.view())?, array!["ham", "ham", "spam", "spam"]);
/// let model = LogisticRegression::params().fit(&data)?;
/// assert!(model.coefficients()[[0, 3]] > 0.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Csr<'a, F> {
    starts: &'a [usize],
    indices: &'a [usize],
    values: &'a [F],
    columns: usize,
}

impl<'a, F: Float> Csr<'a, F> {
    /// Borrows a matrix that is stored by rows.
    ///
    /// # Errors
    /// [`Error::Shape`] for a matrix that is stored by columns, or for a slice of one, whose storage does not begin at its first row.
    pub fn new(matrix: CsMatView<'a, F>) -> Result<Self> {
        if !matrix.is_csr() {
            return Err(Error::shape("records", "its rows stored one after another", "columns (CSC)"));
        }
        let columns = matrix.cols();
        let (starts, indices, values) = matrix.into_raw_storage();
        if starts.first() != Some(&0) {
            return Err(Error::shape("records", "a storage of its own", "a slice of rows"));
        }
        Ok(Self { starts, indices, values, columns })
    }

    /// Rows as their parts, whose columns are in order.
    pub(crate) fn of_parts(
        starts: &'a [usize],
        indices: &'a [usize],
        values: &'a [F],
        columns: usize,
    ) -> Self {
        Self { starts, indices, values, columns }
    }

    /// Row `i` has `values[k]` in column `indices[k]` for `k` in `starts[i]..starts[i + 1]`.
    #[must_use]
    pub fn parts(&self) -> (&'a [usize], &'a [usize], &'a [F]) {
        (self.starts, self.indices, self.values)
    }

    /// A copy of some rows, in the given order.
    ///
    /// # Example
    /// ```
    /// use sapwood::{data::Csr, ndarray::array, sprs::CsMat};
    ///
    /// let x = CsMat::csr_from_dense(array![[1, 0], [0, 2], [3, 4]].mapv(f64::from).view(), 0.0);
    /// let part = Csr::new(x.view())?.select_rows(&[2, 0]);
    /// assert_eq!(part.to_dense(), array![[3.0, 4.0], [1.0, 0.0]]);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Panics
    /// When an index is not below the number of rows.
    #[must_use]
    pub fn select_rows(&self, rows: &[usize]) -> CsMat<F> {
        let (mut starts, mut indices, mut values) = (vec![0], vec![], vec![]);
        for &row in rows {
            let entries = self.starts[row]..self.starts[row + 1];
            indices.extend_from_slice(&self.indices[entries.clone()]);
            values.extend_from_slice(&self.values[entries]);
            starts.push(indices.len());
        }
        CsMat::new((rows.len(), self.columns), starts, indices, values)
    }

    /// Number of rows.
    #[must_use]
    pub fn nrows(&self) -> usize {
        self.starts.len() - 1
    }

    /// Number of columns.
    #[must_use]
    pub fn ncols(&self) -> usize {
        self.columns
    }
}

impl<F: Float> Records for Csr<'_, F> {
    type Elem = F;

    fn nsamples(&self) -> usize {
        self.nrows()
    }

    fn nfeatures(&self) -> usize {
        self.columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sprs::CsMat;

    #[test]
    fn columns_and_slices_are_errors() {
        let matrix = CsMat::new((3, 2), vec![0, 1, 2, 3], vec![0, 1, 0], vec![1.0, 2.0, 3.0]);
        let rows = Csr::new(matrix.view()).unwrap();
        assert_eq!((rows.nrows(), rows.ncols(), rows.parts().2), (3, 2, &[1.0, 2.0, 3.0][..]));
        assert!(Csr::new(matrix.to_csc().view()).is_err());
        assert!(Csr::new(matrix.slice_outer(1..3)).is_err());
    }
}
