//! Labels of any type as columns `0..n_classes`, in sorted order.

use linfa::dataset::Label;
use ndarray::{Array1, ArrayView1};

use crate::error::{Error, Result};

/// The classes of a data set in sorted order, and the column of each.
///
/// Column `j` of every probability or coefficient of a classifier belongs to `classes()[j]`; of two classes, the last is the positive one.
///
/// # Example
/// ```
/// use sapwood::{data::ClassIndex, ndarray::array};
///
/// let index = ClassIndex::new(array!["spam", "ham", "spam"].view())?;
/// assert_eq!(index.classes(), ["ham", "spam"]);
/// assert_eq!(index.column(&"spam"), Some(1));
/// assert_eq!(index.column(&"eggs"), None);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "Stored<L>", bound(deserialize = "L: Label + serde::Deserialize<'de>"))
)]
pub struct ClassIndex<L> {
    classes: Vec<L>,
}

/// What a file holds, before it is believed.
#[cfg(feature = "serde")]
#[derive(serde::Deserialize)]
struct Stored<L> {
    classes: Vec<L>,
}

#[cfg(feature = "serde")]
impl<L: Label> TryFrom<Stored<L>> for ClassIndex<L> {
    type Error = Error;

    fn try_from(Stored { classes }: Stored<L>) -> Result<Self> {
        if classes.is_empty() {
            return Err(Error::shape("classes", "at least one entry", 0));
        }
        match classes.windows(2).find(|pair| pair[0] >= pair[1]) {
            Some(pair) => Err(Error::parameter(
                "classes",
                "sorted, each one once",
                format_args!("{:?} before {:?}", pair[0], pair[1]),
            )),
            None => Ok(Self { classes }),
        }
    }
}

impl<L: Label> ClassIndex<L> {
    /// The distinct labels among `targets`, in `O(n log k)` time for `k` classes.
    ///
    /// # Errors
    /// [`Error::Shape`] without a target.
    pub fn new(targets: ArrayView1<'_, L>) -> Result<Self> {
        if targets.is_empty() {
            return Err(Error::shape("targets", "at least one entry", 0));
        }
        let mut classes = std::collections::BTreeSet::new();
        // The first few classes are compared one by one, which is quicker than the tree; all of them, as nobody can tell which comes next.
        let mut first: Vec<&L> = Vec::with_capacity(4);
        for label in targets {
            if first.iter().fold(false, |seen, known| seen | (*known == label)) || classes.contains(label) {
                continue;
            }
            classes.insert(label.clone());
            if first.len() < first.capacity() {
                first.push(label);
            }
        }
        Ok(Self { classes: classes.into_iter().collect() })
    }

    /// The classes, sorted.
    #[must_use]
    pub fn classes(&self) -> &[L] {
        &self.classes
    }

    /// Number of classes.
    #[must_use]
    pub fn n_classes(&self) -> usize {
        self.classes.len()
    }

    /// The column of a label, or `None` for a label that was not seen.
    #[must_use]
    pub fn column(&self, label: &L) -> Option<usize> {
        self.classes.binary_search(label).ok()
    }

    /// The label of a column.
    ///
    /// # Panics
    /// When `column` is not below [`n_classes`](Self::n_classes).
    #[must_use]
    pub fn label(&self, column: usize) -> &L {
        &self.classes[column]
    }

    /// The column of each target.
    ///
    /// # Errors
    /// [`Error::Parameter`] with the first label that is none of the classes.
    pub fn columns(&self, targets: ArrayView1<'_, L>) -> Result<Array1<usize>> {
        let mut columns = Array1::zeros(targets.len());
        for (column, label) in columns.iter_mut().zip(targets) {
            *column = self
                .column(label)
                .ok_or_else(|| Error::parameter("targets", "among the classes", format_args!("{label:?}")))?;
        }
        Ok(columns)
    }
}

#[cfg(feature = "serde")]
impl<L: Label + serde::Serialize + serde::de::DeserializeOwned> crate::stored::Stored for ClassIndex<L> {
    fn kind() -> String {
        format!("ClassIndex<{}>", crate::stored::type_word::<L>())
    }

    fn validate(&self) -> Result<()> {
        let ascending = self.classes.windows(2).all(|pair| pair[0] < pair[1]) && !self.classes.is_empty();
        crate::params::require(
            ascending,
            "classes",
            "distinct and sorted",
            format_args!("{:?}", self.classes),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn labels_with_gaps_and_extremes_get_neighbouring_columns() {
        let targets = array![usize::MAX, 0, 7, 7, usize::MAX];
        let index = ClassIndex::new(targets.view()).unwrap();
        assert_eq!(index.classes(), [0, 7, usize::MAX]);
        assert_eq!(index.columns(targets.view()).unwrap(), array![2, 0, 1, 1, 2]);
    }

    #[test]
    fn unseen_label_and_empty_targets_are_errors() {
        let index = ClassIndex::new(array![true].view()).unwrap();
        let error = index.columns(array![true, false].view()).unwrap_err();
        assert_eq!(error.to_string(), "`targets` must be among the classes, got false");
        assert!(ClassIndex::<bool>::new(array![].view()).is_err());
    }
}
