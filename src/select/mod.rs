//! Choosing between models: folds, cross-validation, grid and random search, learning curves.
//!
//! Everything takes closures, so it works with every model: what fits on a data set, and what scores the result on another. Scores
//! are better when larger. The caller's data are never changed, no row is left out, and the same seed gives the same answer for any number
//! of threads.

mod folds;
mod penalty;
mod search;

pub use folds::{Fold, k_folds, stratified_folds, subset};
pub use penalty::{AlphaReport, choose_alpha, choose_alpha_sparse};
pub use search::{Candidate, Point, Range, SearchReport, grid_search, random_search};

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use ndarray::{Array1, Array2, ArrayBase, Data, Ix2};
use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::{Error, Result};
use crate::par;

/// Fits on the training rows of each fold and scores on its test rows; one score for each fold.
///
/// Weights and feature names go with their rows. Folds run in parallel.
///
/// # Example
/// ```
/// use sapwood::{LogisticRegression, linfa::{Dataset, traits::{Fit, Predict}}, ndarray::Array, select};
///
/// let x = Array::from_shape_fn((60, 2), |(i, j)| ((i * (j + 3)) % 17) as f64);
/// let y = x.rows().into_iter().map(|row| row[0] > row[1]).collect::<ndarray::Array1<bool>>();
/// let data = Dataset::new(x, y);
/// let folds = select::stratified_folds(data.targets().view(), 5, 42)?;
/// let scores = select::cross_validate(
///     &data,
///     &folds,
///     |train| LogisticRegression::params().fit(train),
///     |model, test| {
///         let right = model.predict(test).iter().zip(test.targets()).filter(|(a, b)| a == b).count();
///         Ok(right as f64 / test.targets().len() as f64)
///     },
/// )?;
/// assert!(scores.len() == 5 && scores.iter().sum::<f64>() > 4.0);
/// # use sapwood::ndarray;
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// The first of a fit or of a score, in the order of the folds.
pub fn cross_validate<A, D, T, L, M, E>(
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    folds: &[Fold],
    fit: impl Fn(&DatasetBase<Array2<A>, Array1<L>>) -> Result<M, E> + Sync,
    score: impl Fn(&M, &DatasetBase<Array2<A>, Array1<L>>) -> Result<f64, E> + Sync,
) -> Result<Vec<f64>, E>
where
    A: Clone + Sync,
    D: Data<Elem = A> + Sync,
    T: AsSingleTargets<Elem = L> + Sync,
    L: Label + Sync,
    E: Send,
{
    let scores = par::map(folds.len(), |i| {
        let model = fit(&subset(dataset, &folds[i].train))?;
        score(&model, &subset(dataset, &folds[i].test))
    });
    scores.into_iter().collect()
}

/// Scores at one size of the training set.
///
/// # Example
/// See [`learning_curve`].
#[derive(Debug, Clone, PartialEq)]
pub struct LearningPoint {
    /// Rows that were trained on.
    pub n_rows: usize,
    /// One score for each repetition.
    pub scores: Vec<f64>,
}

impl LearningPoint {
    /// Mean of the scores.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.scores.iter().sum::<f64>() / self.scores.len() as f64
    }
}

/// How the score on `test` grows with the number of training rows.
///
/// Each repetition shuffles the rows of `train` so that every beginning of them has the classes in about their proportions, and fits on the
/// first `sizes[0], sizes[1], ..` rows.
///
/// # Example
/// ```
/// use sapwood::{LinearDiscriminant, linfa::{Dataset, traits::Fit}, ndarray::Array, score, select};
///
/// let data = |seed: usize| {
///     let x = Array::from_shape_fn((80, 2), |(i, j)| ((i + seed) * (j + 5) % 19) as f64 + (i % 2) as f64 * 9.0);
///     Dataset::new(x, Array::from_shape_fn(80, |i| i % 2))
/// };
/// let (train, test) = (data(0), data(7));
/// let curve = select::learning_curve(
///     &train,
///     &test,
///     &[10, 80],
///     3,
///     0,
///     |train| LinearDiscriminant::params().fit(train),
///     |model, test| Ok(-score::log_loss(test.targets().view(), model.predict_proba(test.records())?.view())?),
/// )?;
/// assert_eq!(curve[1].scores.len(), 3);
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Errors
/// [`Error::Parameter`] for no repetition and for a size of 0 or beyond the rows; the first error of a fit or of a score.
pub fn learning_curve<A, D, T, S, U, L, M, E>(
    train: &DatasetBase<ArrayBase<D, Ix2>, T>,
    test: &DatasetBase<ArrayBase<S, Ix2>, U>,
    sizes: &[usize],
    n_repeats: usize,
    seed: u64,
    fit: impl Fn(&DatasetBase<Array2<A>, Array1<L>>) -> Result<M, E> + Sync,
    score: impl Fn(&M, &DatasetBase<Array2<A>, Array1<L>>) -> Result<f64, E> + Sync,
) -> Result<Vec<LearningPoint>, E>
where
    A: Clone + Sync,
    D: Data<Elem = A> + Sync,
    T: AsSingleTargets<Elem = L> + Sync,
    S: Data<Elem = A>,
    U: AsSingleTargets<Elem = L>,
    L: Label + Sync,
    E: From<Error> + Send,
{
    let n = train.records.nrows();
    if n_repeats == 0 {
        return Err(Error::parameter("n_repeats", "at least 1", 0).into());
    }
    if let Some(size) = sizes.iter().find(|size| !(1..=n).contains(*size)) {
        return Err(Error::parameter("sizes", format!("from 1 to {n}, the number of rows"), size).into());
    }
    let all: Vec<usize> = (0..test.records.nrows()).collect();
    let test = subset(test, &all);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let orders: Vec<Vec<usize>> =
        (0..n_repeats).map(|_| folds::spread(train.as_single_targets(), &mut rng)).collect::<Result<_>>()?;
    let scores = par::map(sizes.len() * n_repeats, |i| {
        let model = fit(&subset(train, &orders[i % n_repeats][..sizes[i / n_repeats]]))?;
        score(&model, &test)
    });
    let scores = scores.into_iter().collect::<Result<Vec<f64>, E>>()?;
    let point = |(&n_rows, scores): (&usize, &[f64])| LearningPoint { n_rows, scores: scores.to_vec() };
    Ok(sizes.iter().zip(scores.chunks(n_repeats)).map(point).collect())
}
