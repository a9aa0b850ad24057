//! What every model does with its input before the first sum: checks, layouts, sequences and class columns.

mod class_index;
mod csr;
mod sequences;

pub use class_index::ClassIndex;
pub use csr::Csr;
pub use sequences::Sequences;
pub(crate) use sequences::one_sequence;

use std::borrow::Cow;

use ndarray::{ArrayBase, ArrayView2, Axis, CowArray, Data, Dimension, Ix2};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::all_finite;
use crate::par;

/// Values that [`check_finite`] gives to a thread at a time.
const CHUNK: usize = 1 << 16;

/// Errors unless every value is finite; the error holds row and column of the first that is not.
///
/// # Errors
/// [`Error::NonFinite`].
///
/// # Example
/// ```
/// use sapwood::{data::check_finite, ndarray::array};
///
/// let x = array![[1.0, 2.0], [3.0, f64::NAN]];
/// let error = check_finite("records", &x).unwrap_err();
/// assert_eq!(error.to_string(), "`records` must be finite, got NaN in row 1, column 1");
/// ```
pub fn check_finite<F: Float, S: Data<Elem = F>>(name: &'static str, x: &ArrayBase<S, Ix2>) -> Result<()> {
    if let Some(values) = x.as_slice_memory_order() {
        let chunks: Vec<&[F]> = values.chunks(CHUNK).collect();
        if par::map(chunks.len(), |chunk| all_finite(chunks[chunk])).into_iter().all(|finite| finite) {
            return Ok(());
        }
    }
    match x.indexed_iter().find(|(_, value)| !value.is_finite()) {
        None => Ok(()),
        Some(((row, column), value)) => Err(Error::NonFinite { name, row, column, value: value.as_f64() }),
    }
}

/// Errors unless the array has at least one row and one column.
///
/// # Errors
/// [`Error::Shape`].
///
/// # Example
/// ```
/// use sapwood::{data::check_not_empty, ndarray::Array2};
///
/// let error = check_not_empty("records", &Array2::<f64>::zeros((0, 3))).unwrap_err();
/// assert_eq!(error.to_string(), "`records` must have at least one row and one column, got 0 x 3");
/// ```
pub fn check_not_empty<A, S: Data<Elem = A>>(name: &'static str, x: &ArrayBase<S, Ix2>) -> Result<()> {
    let (rows, columns) = x.dim();
    if rows > 0 && columns > 0 {
        return Ok(());
    }
    Err(Error::shape(name, "at least one row and one column", format_args!("{rows} x {columns}")))
}

/// Errors unless `name` has as many rows as `records`.
///
/// # Errors
/// [`Error::Shape`].
///
/// # Example
/// ```
/// let error = sapwood::data::check_same_rows("targets", 2, 3).unwrap_err();
/// assert_eq!(error.to_string(), "`targets` must have one entry for each of the 3 rows, got 2");
/// ```
pub fn check_same_rows(name: &'static str, len: usize, rows: usize) -> Result<()> {
    if len == rows {
        return Ok(());
    }
    Err(Error::shape(name, format!("one entry for each of the {rows} rows"), len))
}

/// Errors unless the array has `columns` columns, as the data that a model was fitted on.
///
/// # Errors
/// [`Error::Shape`].
///
/// # Example
/// ```
/// use sapwood::{data::check_columns, ndarray::Array2};
///
/// let error = check_columns("x", &Array2::<f64>::zeros((4, 2)), 3).unwrap_err();
/// assert_eq!(error.to_string(), "`x` must have 3 columns, as the model was fitted on, got 2");
/// ```
pub fn check_columns<A, S: Data<Elem = A>>(
    name: &'static str,
    x: &ArrayBase<S, Ix2>,
    columns: usize,
) -> Result<()> {
    if x.ncols() == columns {
        return Ok(());
    }
    Err(Error::shape(name, format!("{columns} columns, as the model was fitted on"), x.ncols()))
}

/// Number of entries of a table of elements `T`, if there is memory for it.
pub(crate) fn table_len<T>(rows: usize, columns: usize) -> Option<usize> {
    // The room is given back at once, untouched; what is refused here would end the process later.
    let fits = |len: &usize| Vec::<T>::new().try_reserve_exact(*len).is_ok();
    rows.checked_mul(columns).filter(fits)
}

/// The rows one after another in memory: a borrow where they lie so already, else a copy.
///
/// # Example
/// ```
/// use sapwood::{data::rows, ndarray::array};
///
/// let x = array![[1.0, 2.0], [3.0, 4.0]];
/// assert_eq!(rows(&x.view()).as_ref(), [1.0, 2.0, 3.0, 4.0]);
/// assert_eq!(rows(&x.t()).as_ref(), [1.0, 3.0, 2.0, 4.0]);
/// ```
#[must_use]
pub fn rows<'a, A: Clone>(x: &ArrayView2<'a, A>) -> Cow<'a, [A]> {
    match x.to_slice() {
        Some(slice) => Cow::Borrowed(slice),
        None => Cow::Owned(x.iter().cloned().collect()),
    }
}

/// The same array in standard (row after row) layout: a view where it is so already, else a copy.
///
/// # Example
/// ```
/// use sapwood::{data::standard_layout, ndarray::array};
///
/// let x = array![[1.0, 2.0], [3.0, 4.0]];
/// assert!(standard_layout(x.t()).is_standard_layout());
/// ```
#[must_use]
pub fn standard_layout<A: Clone, D: Dimension>(x: ndarray::ArrayView<'_, A, D>) -> CowArray<'_, A, D> {
    if x.is_standard_layout() {
        CowArray::from(x)
    } else {
        CowArray::from(x.as_standard_layout().into_owned())
    }
}

/// Rows of `x` at `indices`, in that order.
///
/// # Example
/// ```
/// use sapwood::{data::select_rows, ndarray::array};
///
/// let x = array![[1, 2], [3, 4], [5, 6]];
/// assert_eq!(select_rows(&x, &[2, 0]), array![[5, 6], [1, 2]]);
/// ```
///
/// # Panics
/// When an index is not below the number of rows.
#[must_use]
pub fn select_rows<A: Clone, S: Data<Elem = A>>(
    x: &ArrayBase<S, Ix2>,
    indices: &[usize],
) -> ndarray::Array2<A> {
    x.select(Axis(0), indices)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, ShapeBuilder, array, s};

    #[test]
    fn the_first_bad_value_is_found_in_any_layout() {
        for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let mut x = Array2::zeros((4, 3).f());
            x[[2, 1]] = bad;
            x[[3, 0]] = bad;
            for x in [x.view(), x.as_standard_layout().view()] {
                let Err(Error::NonFinite { row, column, value, .. }) = check_finite("x", &x) else {
                    panic!()
                };
                assert_eq!((row, column, value.to_bits()), (2, 1, bad.to_bits()));
            }
            assert!(check_finite("x", &x.slice(s![..2, ..])).is_ok());
        }
    }

    #[test]
    fn large_and_tiny_values_are_finite() {
        assert!(check_finite("x", &array![[f64::MAX, f64::MIN, 5e-324, -0.0]]).is_ok());
        assert!(check_finite("x", &array![[f32::MAX, f32::MIN, 1e-45, -0.0]]).is_ok());
    }

    #[test]
    fn rows_are_borrowed_only_where_they_lie_in_order() {
        let x = array![[1, 2, 3], [4, 5, 6]];
        assert!(matches!(rows(&x.view()), Cow::Borrowed(_)));
        assert_eq!(rows(&x.slice(s![..;-1, ..])).as_ref(), [4, 5, 6, 1, 2, 3]);
        assert_eq!(rows(&x.slice(s![.., ..;2])).as_ref(), [1, 3, 4, 6]);
        let one = array![[7, 8]];
        assert_eq!(rows(&one.broadcast((2, 2)).unwrap()).as_ref(), [7, 8, 7, 8]);
    }
}
