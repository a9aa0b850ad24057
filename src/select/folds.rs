//! Which rows train and which test.

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label, Records};
use ndarray::{Array1, Array2, ArrayBase, ArrayView1, Axis, Data, Ix2};
use rand::seq::SliceRandom;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::data::{self, ClassIndex};
use crate::error::{Error, Result};

/// Rows to train on and rows to test on, each in rising order.
///
/// # Example
/// See [`k_folds`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fold {
    /// Rows to train on: all that are not tested on.
    pub train: Vec<usize>,
    /// Rows to test on.
    pub test: Vec<usize>,
}

/// Deals the rows, in the given order, round the folds like cards.
fn deal(order: &[usize], k: usize) -> Vec<Fold> {
    let mut fold_of = vec![0; order.len()];
    for (i, &row) in order.iter().enumerate() {
        fold_of[row] = i % k;
    }
    let fold = |fold: usize| {
        let (test, train) = (0..order.len()).partition(|&row| fold_of[row] == fold);
        Fold { train, test }
    };
    (0..k).map(fold).collect()
}

fn check_folds(k: usize, n: usize) -> Result<()> {
    if (2..=n).contains(&k) {
        return Ok(());
    }
    Err(Error::parameter("k", format!("from 2 to {n}, the number of rows"), k))
}

/// `k` folds of `n` rows, shuffled by `seed`; every row is tested on once, and sizes differ by 1 at most.
///
/// # Errors
/// [`Error::Parameter`] unless `k` is from 2 to `n`.
///
/// # Example
/// ```
/// let folds = sapwood::select::k_folds(7, 3, 0)?;
/// let mut tested: Vec<usize> = folds.iter().flat_map(|fold| fold.test.clone()).collect();
/// tested.sort();
/// assert_eq!(tested, [0, 1, 2, 3, 4, 5, 6]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn k_folds(n: usize, k: usize, seed: u64) -> Result<Vec<Fold>> {
    check_folds(k, n)?;
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    Ok(deal(&order, k))
}

/// `k` folds with the classes in each in their proportions, up to one row; shuffled by `seed` within the classes.
///
/// # Errors
/// [`Error::Parameter`] unless `k` is from 2 to the number of rows.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, select::stratified_folds};
///
/// let y = array![0, 0, 0, 0, 1, 1];
/// for fold in stratified_folds(y.view(), 2, 0)? {
///     assert_eq!(fold.test.iter().filter(|&&row| y[row] == 1).count(), 1);
/// }
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn stratified_folds<L: Label>(targets: ArrayView1<'_, L>, k: usize, seed: u64) -> Result<Vec<Fold>> {
    check_folds(k, targets.len())?;
    let columns = ClassIndex::new(targets)?.columns(targets)?;
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    // Class after class, so that dealing gives every fold its share of each.
    order.sort_by_key(|&row| columns[row]);
    Ok(deal(&order, k))
}

/// The rows in random order, but with every class spread evenly over it.
pub(super) fn spread<L: Label>(targets: ArrayView1<'_, L>, rng: &mut impl Rng) -> Result<Vec<usize>> {
    let classes = ClassIndex::new(targets)?;
    let columns = classes.columns(targets)?;
    let mut order: Vec<usize> = (0..targets.len()).collect();
    order.shuffle(rng);
    let mut counts = vec![0.0; classes.n_classes()];
    for &c in &columns {
        counts[c] += 1.0;
    }
    let mut seen = vec![0.5; classes.n_classes()];
    let place = |&row: &usize| {
        let c = columns[row];
        seen[c] += 1.0;
        (seen[c] - 1.0) / counts[c]
    };
    let places: Vec<f64> = order.iter().map(place).collect();
    let mut ranks: Vec<usize> = (0..order.len()).collect();
    ranks.sort_by(|&a, &b| places[a].total_cmp(&places[b]));
    Ok(ranks.into_iter().map(|rank| order[rank]).collect())
}

/// A copy of some rows with their targets, weights and the feature names.
///
/// # Panics
/// When a row does not exist, or there are fewer targets or weights than rows.
///
/// # Example
/// ```
/// use sapwood::{linfa::Dataset, ndarray::array, select::subset};
///
/// let data = Dataset::new(array![[1.0], [2.0], [3.0]], array!["a", "b", "c"]).with_weights(array![1.0, 2.0, 3.0]);
/// let part = subset(&data, &[2, 0]);
/// assert_eq!(part.records(), array![[3.0], [1.0]]);
/// assert_eq!((part.targets()[0], part.weights().unwrap()[0]), ("c", 3.0));
/// ```
#[must_use]
pub fn subset<A, D, T, L>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    rows: &[usize],
) -> DatasetBase<Array2<A>, Array1<L>>
where
    A: Clone,
    D: Data<Elem = A>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    with_rows_of(data::select_rows(&dataset.records, rows), dataset, rows)
}

/// Records that were some rows of a data set, with what else belongs to these rows.
pub(super) fn with_rows_of<P, R, T, L>(
    records: P,
    dataset: &DatasetBase<R, T>,
    rows: &[usize],
) -> DatasetBase<P, Array1<L>>
where
    P: Records,
    R: Records,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    let targets = dataset.as_single_targets();
    let targets = rows.iter().map(|&row| targets[row].clone()).collect();
    let mut part = DatasetBase::new(records, targets);
    if !dataset.weights.is_empty() {
        part = part.with_weights(dataset.weights.select(Axis(0), rows));
    }
    let names = dataset.feature_names();
    if names.is_empty() { part } else { part.with_feature_names(names.to_vec()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn every_row_is_tested_once_and_trained_on_otherwise() {
        for (n, k) in [(2, 2), (7, 3), (10, 10), (101, 7)] {
            let folds = k_folds(n, k, 5).unwrap();
            let mut tested = vec![0; n];
            for Fold { train, test } in &folds {
                assert_eq!(train.len() + test.len(), n);
                assert!(test.len() == n / k || test.len() == n / k + 1);
                assert!(train.iter().all(|row| !test.contains(row)));
                test.iter().for_each(|&row| tested[row] += 1);
            }
            assert!(tested.iter().all(|&count| count == 1));
            assert_eq!(folds, k_folds(n, k, 5).unwrap());
        }
        assert_ne!(k_folds(101, 7, 5).unwrap(), k_folds(101, 7, 6).unwrap());
    }

    #[test]
    fn folds_without_enough_rows_are_errors() {
        for (n, k) in [(5, 0), (5, 1), (5, 6), (0, 2), (5, usize::MAX)] {
            assert!(k_folds(n, k, 0).is_err());
        }
        assert!(stratified_folds(array![1, 2].view(), 3, 0).is_err());
    }

    #[test]
    fn strata_differ_by_at_most_one_row() {
        let y: Array1<usize> = (0..53).map(|i| [0, 0, 0, 1, 2][i % 5]).collect();
        let folds = stratified_folds(y.view(), 4, 1).unwrap();
        for c in 0..3 {
            let counts: Vec<usize> =
                folds.iter().map(|fold| fold.test.iter().filter(|&&row| y[row] == c).count()).collect();
            assert!(counts.iter().max().unwrap() - counts.iter().min().unwrap() <= 1);
        }
    }

    #[test]
    fn beginnings_of_a_spread_order_have_all_classes() {
        let y: Array1<usize> = (0..100).map(|i| usize::from(i >= 90)).collect();
        let order = spread(y.view(), &mut Xoshiro256PlusPlus::seed_from_u64(2)).unwrap();
        let mut sorted = order.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_eq!(order[..20].iter().filter(|&&row| y[row] == 1).count(), 2);
    }
}
