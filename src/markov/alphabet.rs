//! The states of a chain, in the user's order.

use linfa::dataset::Label;

use crate::error::{Error, Result};

/// Distinct labels in any order, found again in `O(log n)`.
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(
    feature = "serde",
    serde(try_from = "stored::Alphabet<L>", bound(deserialize = "L: Label + serde::Deserialize<'de>"))
)]
pub(super) struct Alphabet<L> {
    labels: Vec<L>,
    /// Places of the labels, by ascending label.
    #[cfg_attr(feature = "serde", serde(skip))]
    sorted: Vec<usize>,
}

impl<L: Label> Alphabet<L> {
    pub(super) fn empty() -> Self {
        Self { labels: Vec::new(), sorted: Vec::new() }
    }

    /// The labels in the given order; an error without one, or where one comes twice.
    pub(super) fn new(labels: Vec<L>) -> Result<Self> {
        if labels.is_empty() {
            return Err(Error::parameter("states", "at least one label", "none"));
        }
        let mut sorted: Vec<usize> = (0..labels.len()).collect();
        sorted.sort_by(|&a, &b| labels[a].cmp(&labels[b]));
        if let Some(twins) = sorted.windows(2).find(|pair| labels[pair[0]] == labels[pair[1]]) {
            return Err(Error::parameter("states", "distinct", format_args!("{:?} twice", labels[twins[0]])));
        }
        Ok(Self { labels, sorted })
    }

    /// The distinct ones of `labels`, sorted.
    pub(super) fn sorted(labels: impl Iterator<Item = L>) -> Self {
        let mut labels: Vec<L> = labels.collect();
        labels.sort_unstable();
        labels.dedup();
        Self { sorted: (0..labels.len()).collect(), labels }
    }

    pub(super) fn labels(&self) -> &[L] {
        &self.labels
    }

    pub(super) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(super) fn find(&self, label: &L) -> Option<usize> {
        let place = self.sorted.binary_search_by(|&i| self.labels[i].cmp(label)).ok()?;
        Some(self.sorted[place])
    }

    pub(super) fn index_of(&self, label: &L) -> Result<usize> {
        let unknown = || Error::parameter("label", "one of the states", format_args!("{label:?}"));
        self.find(label).ok_or_else(unknown)
    }

    /// The place of `label`, which comes last where it is new.
    pub(super) fn insert(&mut self, label: &L) -> usize {
        match self.sorted.binary_search_by(|&i| self.labels[i].cmp(label)) {
            Ok(place) => self.sorted[place],
            Err(place) => {
                self.labels.push(label.clone());
                self.sorted.insert(place, self.labels.len() - 1);
                self.labels.len() - 1
            }
        }
    }
}

/// What was stored, before it is believed.
#[cfg(feature = "serde")]
mod stored {
    use linfa::dataset::Label;

    use crate::error::{Error, Result};

    #[derive(serde::Deserialize)]
    pub(super) struct Alphabet<L> {
        labels: Vec<L>,
    }

    impl<L: Label> TryFrom<Alphabet<L>> for super::Alphabet<L> {
        type Error = Error;

        fn try_from(stored: Alphabet<L>) -> Result<Self> {
            Self::new(stored.labels)
        }
    }
}
