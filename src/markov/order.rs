//! Of what order is the chain? Likelihood-ratio tests.

use std::collections::BTreeMap;

use linfa::dataset::Label;
use ndarray::Data;

use super::counts::check_one_column;
use crate::data::Sequences;
use crate::error::{Error, Result};
use crate::math::upper_gamma;

/// A likelihood-ratio test of a chain of order `m` against one of order `m + 1`.
///
/// For each context of `m` states, the state before the context and the state after it make a table of counts; under order `m` they are
/// independent.
///
/// # Formula
/// `G2 = 2 sum n_ij ln(n_ij n.. / (n_i. n_.j))`, summed over the tables; the degrees of freedom are `(rows - 1)(columns - 1)` of each, over the
/// rows and columns that hold a count. Under order `m`, `G2` is about chi-squared for long sequences.
///
/// # Example
/// ```
/// use sapwood::{data::Sequences, markov::OrderTest, ndarray::Array2};
///
/// // Every state is fixed by the two before it, and not by the one before it.
/// let x = Array2::from_shape_fn((400, 1), |(t, _)| [0, 0, 1, 1][t % 4]);
/// let sequences = Sequences::single(x)?;
/// assert!(OrderTest::new(&sequences, 0)?.p_value > 0.5);
/// assert!(OrderTest::new(&sequences, 1)?.p_value < 1e-50);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # References
/// P. Billingsley, Statistical methods in Markov chains (1961).
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct OrderTest {
    /// Twice the gain of log-likelihood of the higher order.
    pub g_squared: f64,
    /// Free probabilities that the higher order has more.
    pub degrees_of_freedom: u64,
    /// Probability of a `G2` at least as large under the lower order.
    pub p_value: f64,
}

impl OrderTest {
    /// Tests order `order` against `order + 1` on the sequences; those of at most `order + 1` observations say nothing.
    ///
    /// # Errors
    /// [`Error::Shape`] when the records have more than one column, or no sequence is long enough.
    ///
    /// # Complexity
    /// `O(n (order + log n))` time and `O(n order)` memory for `n` observations.
    pub fn new<S: Data>(sequences: &Sequences<S>, order: usize) -> Result<Self>
    where
        S::Elem: Label,
    {
        check_one_column(sequences)?;
        let mut tables: BTreeMap<Vec<&S::Elem>, BTreeMap<_, u64>> = BTreeMap::new();
        for range in (0..sequences.n_sequences()).filter_map(|i| sequences.range(i)) {
            let labels: Vec<&S::Elem> = range.map(|row| &sequences.records()[[row, 0]]).collect();
            for window in labels.windows(order.saturating_add(2)) {
                let table = tables.entry(window[1..=order].to_vec()).or_default();
                *table.entry((window[0], window[order + 1])).or_default() += 1;
            }
        }
        Self::of_tables(tables.values().map(|table| table.iter().map(|(&(i, j), &n)| (i, j, n))))
    }

    /// The test over tables of `(row, column, count)`.
    pub(super) fn of_tables<K: Ord + Copy, T: Iterator<Item = (K, K, u64)>>(
        tables: impl IntoIterator<Item = T>,
    ) -> Result<Self> {
        let (mut g_squared, mut degrees_of_freedom, mut total) = (0.0, 0, 0);
        for table in tables {
            let cells: Vec<(K, K, u64)> = table.filter(|cell| cell.2 > 0).collect();
            let (mut rows, mut columns) = (BTreeMap::new(), BTreeMap::new());
            for &(i, j, n) in &cells {
                *rows.entry(i).or_insert(0) += n;
                *columns.entry(j).or_insert(0) += n;
            }
            let all: u64 = rows.values().sum();
            for (i, j, n) in &cells {
                let expected = rows[i] as f64 * columns[j] as f64 / all as f64;
                g_squared += 2.0 * *n as f64 * (*n as f64 / expected).ln();
            }
            if all > 0 {
                degrees_of_freedom += (rows.len() as u64 - 1) * (columns.len() as u64 - 1);
                total += all;
            }
        }
        if total == 0 {
            return Err(Error::shape("sequences", "one that is longer than the order by 2", "none"));
        }
        // Rounding can leave a sum of cancelling terms a hair under 0.
        let g_squared = f64::max(g_squared, 0.0);
        let p_value = match degrees_of_freedom {
            0 => 1.0,
            k => upper_gamma(k as f64 / 2.0, g_squared / 2.0),
        };
        Ok(Self { g_squared, degrees_of_freedom, p_value })
    }
}
