//! How good probabilities are: log-loss, Brier score, calibration, and curves over all thresholds.
//!
//! Probabilities are `(n_samples, n_classes)`, columns in the order of the classes; truths are columns, as
//! [`ClassIndex::columns`](crate::data::ClassIndex::columns) gives them. Everything is `f64`, ties are one threshold, and scores of exactly 0 or 1 count like
//! any other.

use ndarray::{ArrayView1, ArrayView2};

use crate::error::{Error, Result};

fn check(truth: ArrayView1<'_, usize>, p: ArrayView2<'_, f64>) -> Result<()> {
    let (n, k) = p.dim();
    crate::data::check_not_empty("probabilities", &p)?;
    crate::data::check_same_rows("truth", truth.len(), n)?;
    if let Some(bad) = truth.iter().find(|&&y| y >= k) {
        return Err(Error::parameter("truth", format!("less than {k}, the number of classes"), bad));
    }
    match p.iter().find(|p| !(0.0..=1.0).contains(*p)) {
        Some(bad) => Err(Error::parameter("probabilities", "between 0 and 1", bad)),
        None => Ok(()),
    }
}

/// Mean of `-log p(true class)`; infinite when a true class was given probability 0.
///
/// # Errors
/// For empty or mismatched input, and values that are no probabilities.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, score::log_loss};
///
/// let loss = log_loss(array![0, 1].view(), array![[0.5, 0.5], [0.75, 0.25]].view())?;
/// assert!((loss - 8_f64.ln() / 2.0).abs() < 1e-15);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn log_loss(truth: ArrayView1<'_, usize>, probabilities: ArrayView2<'_, f64>) -> Result<f64> {
    check(truth, probabilities)?;
    let sum: f64 = truth.iter().zip(probabilities.rows()).map(|(&y, p)| -p[y].ln()).sum();
    Ok(sum / truth.len() as f64)
}

/// Mean squared distance of the probabilities from the truth, summed over the classes: from 0 to 2.
///
/// For two classes this is twice scikit-learn's `brier_score_loss`, which looks at one class; for more it is Brier's (1950) own definition.
///
/// # Errors
/// For empty or mismatched input, and values that are no probabilities.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, score::brier};
///
/// assert_eq!(brier(array![0, 1].view(), array![[1.0, 0.0], [0.5, 0.5]].view())?, 0.25);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn brier(truth: ArrayView1<'_, usize>, probabilities: ArrayView2<'_, f64>) -> Result<f64> {
    check(truth, probabilities)?;
    let distance = |y: usize, p: ArrayView1<'_, f64>| -> f64 {
        p.iter().enumerate().map(|(c, &p)| (p - f64::from(u8::from(c == y))).powi(2)).sum()
    };
    let sum: f64 = truth.iter().zip(probabilities.rows()).map(|(&y, p)| distance(y, p)).sum();
    Ok(sum / truth.len() as f64)
}

/// Part of the rows whose most probable class is the true one.
///
/// # Errors
/// For empty or mismatched input, and values that are no probabilities.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, score::accuracy};
///
/// assert_eq!(accuracy(array![0, 1].view(), array![[0.9, 0.1], [0.6, 0.4]].view())?, 0.5);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn accuracy(truth: ArrayView1<'_, usize>, probabilities: ArrayView2<'_, f64>) -> Result<f64> {
    check(truth, probabilities)?;
    let best = |p: ArrayView1<'_, f64>| (1..p.len()).fold(0, |best, c| if p[c] > p[best] { c } else { best });
    let right = truth.iter().zip(probabilities.rows()).filter(|(y, p)| best(*p) == **y).count();
    Ok(right as f64 / truth.len() as f64)
}

/// One bin of a reliability diagram.
///
/// # Example
/// See [`reliability`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReliabilityBin {
    /// Mean of the scores in the bin.
    pub mean_score: f64,
    /// Part of its rows that are positive; in a calibrated model about the mean score.
    pub positive_rate: f64,
    /// Number of its rows.
    pub count: usize,
}

fn check_scores(positive: &[bool], scores: &[f64]) -> Result<()> {
    crate::data::check_same_rows("scores", scores.len(), positive.len())?;
    match scores.iter().find(|s| !s.is_finite()) {
        Some(bad) => Err(Error::parameter("scores", "finite", bad)),
        None if positive.is_empty() => Err(Error::shape("scores", "at least one entry", 0)),
        None => Ok(()),
    }
}

/// Reliability diagram: rows by score in `n_bins` equal parts of 0 to 1; empty bins are left out.
///
/// # Errors
/// For empty or mismatched input, scores outside 0 to 1, and 0 bins.
///
/// # Example
/// ```
/// let bins = sapwood::score::reliability(&[false, true, true], &[0.1, 0.2, 0.9], 2)?;
/// assert_eq!((bins[0].count, bins[0].positive_rate), (2, 0.5));
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn reliability(positive: &[bool], scores: &[f64], n_bins: usize) -> Result<Vec<ReliabilityBin>> {
    check_scores(positive, scores)?;
    crate::params::require(n_bins >= 1, "n_bins", "at least 1", n_bins)?;
    if let Some(bad) = scores.iter().find(|s| !(0.0..=1.0).contains(*s)) {
        return Err(Error::parameter("scores", "between 0 and 1", bad));
    }
    // Bins are found as they occur, so that a huge number of them costs nothing.
    let mut bins = std::collections::BTreeMap::<usize, (f64, usize, usize)>::new();
    for (&positive, &score) in positive.iter().zip(scores) {
        let bin = ((score * n_bins as f64) as usize).min(n_bins - 1);
        let entry = bins.entry(bin).or_default();
        *entry = (entry.0 + score, entry.1 + usize::from(positive), entry.2 + 1);
    }
    let bin = |(sum, positives, count): (f64, usize, usize)| ReliabilityBin {
        mean_score: sum / count as f64,
        positive_rate: positives as f64 / count as f64,
        count,
    };
    Ok(bins.into_values().map(bin).collect())
}

/// Counts above each threshold, from the highest score down; equal scores are one threshold.
///
/// # Example
/// ```
/// use sapwood::score::Thresholds;
///
/// let curve = Thresholds::new(&[true, false, true], &[0.9, 0.6, 0.3])?;
/// assert_eq!(curve.true_positives, [1, 1, 2]);
/// assert_eq!(curve.roc_auc(), 0.5);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Thresholds {
    /// The distinct scores, falling.
    pub thresholds: Vec<f64>,
    /// Positive rows with at least that score.
    pub true_positives: Vec<usize>,
    /// Negative rows with at least that score.
    pub false_positives: Vec<usize>,
}

impl Thresholds {
    /// Sorts the scores of positive and negative rows, in `O(n log n)`.
    ///
    /// # Errors
    /// For empty or mismatched input, scores that are not finite, and rows of one kind only.
    ///
    /// # Example
    /// ```
    /// use sapwood::score::Thresholds;
    ///
    /// let curve = Thresholds::new(&[false, true, false, true], &[0.0, 0.4, 0.4, 0.8])?;
    /// assert_eq!(curve.thresholds, [0.8, 0.4, 0.0]);
    /// assert_eq!(curve.roc(), [(0.0, 0.0), (0.0, 0.5), (0.5, 1.0), (1.0, 1.0)]);
    /// assert_eq!(curve.roc_auc(), 0.875);
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn new(positive: &[bool], scores: &[f64]) -> Result<Self> {
        check_scores(positive, scores)?;
        let positives = positive.iter().filter(|&&p| p).count();
        if positives == 0 || positives == positive.len() {
            return Err(Error::shape("positive", "both positive and negative rows", "one kind"));
        }
        let mut order: Vec<usize> = (0..scores.len()).collect();
        order.sort_by(|&a, &b| scores[b].total_cmp(&scores[a]));
        let mut curve = Self { thresholds: vec![], true_positives: vec![], false_positives: vec![] };
        let mut counts = (0, 0);
        for (i, &row) in order.iter().enumerate() {
            if positive[row] {
                counts.0 += 1;
            } else {
                counts.1 += 1;
            }
            if order.get(i + 1).is_none_or(|&next| scores[next] != scores[row]) {
                curve.thresholds.push(scores[row]);
                curve.true_positives.push(counts.0);
                curve.false_positives.push(counts.1);
            }
        }
        Ok(curve)
    }

    /// The thresholds of one class against the rest, from the probabilities of all classes.
    ///
    /// # Errors
    /// For empty or mismatched input, values that are no probabilities, and a class that no row or every row is of.
    ///
    /// # Example
    /// ```
    /// use sapwood::{ndarray::array, score::Thresholds};
    ///
    /// let p = array![[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]];
    /// let curve = Thresholds::of_class(array![0, 1, 2].view(), p.view(), 2)?;
    /// assert_eq!(curve.precision_recall()[0], (1.0, 1.0));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn of_class(
        truth: ArrayView1<'_, usize>,
        probabilities: ArrayView2<'_, f64>,
        class: usize,
    ) -> Result<Self> {
        check(truth, probabilities)?;
        let k = probabilities.ncols();
        let rule = "less than the number of classes";
        crate::params::require(class < k, "class", rule, class)?;
        let positive: Vec<bool> = truth.iter().map(|&y| y == class).collect();
        Self::new(&positive, &probabilities.column(class).to_vec())
    }

    fn totals(&self) -> (f64, f64) {
        let last = |counts: &[usize]| counts.last().map_or(0.0, |&count| count as f64);
        (last(&self.true_positives), last(&self.false_positives))
    }

    /// The ROC curve: (false positive rate, true positive rate) at each threshold, from (0, 0) to (1, 1).
    #[must_use]
    pub fn roc(&self) -> Vec<(f64, f64)> {
        let (positives, negatives) = self.totals();
        let points = self.false_positives.iter().zip(&self.true_positives);
        let points = points.map(|(&f, &t)| (f as f64 / negatives, t as f64 / positives));
        std::iter::once((0.0, 0.0)).chain(points).collect()
    }

    /// Area under the ROC curve: the probability that a positive row scores above a negative one, ties counting half.
    #[must_use]
    pub fn roc_auc(&self) -> f64 {
        self.roc().windows(2).map(|ends| 0.5 * (ends[1].0 - ends[0].0) * (ends[1].1 + ends[0].1)).sum()
    }

    /// The precision-recall curve: (recall, precision) at each threshold, recall rising.
    #[must_use]
    pub fn precision_recall(&self) -> Vec<(f64, f64)> {
        let (positives, _) = self.totals();
        let counts = self.true_positives.iter().zip(&self.false_positives);
        counts.map(|(&t, &f)| (t as f64 / positives, t as f64 / (t + f) as f64)).collect()
    }

    /// Area under the precision-recall curve in steps: the sum of precision times the gain in recall (scikit-learn's `average_precision_score`).
    #[must_use]
    pub fn average_precision(&self) -> f64 {
        let mut before = 0.0;
        let area = |(recall, precision): (f64, f64)| {
            let gain = recall - before;
            before = recall;
            gain * precision
        };
        self.precision_recall().into_iter().map(area).sum()
    }
}

/// Mean area under the ROC curves of each class against the rest, over the classes that occur.
///
/// # Errors
/// For empty or mismatched input, values that are no probabilities, and fewer than two classes that occur.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, score::roc_auc};
///
/// let p = array![[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]];
/// assert_eq!(roc_auc(array![0, 1, 2].view(), p.view())?, 1.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn roc_auc(truth: ArrayView1<'_, usize>, probabilities: ArrayView2<'_, f64>) -> Result<f64> {
    mean_over_classes(truth, probabilities, Thresholds::roc_auc)
}

/// Mean area in steps under the precision-recall curves of each class against the rest, over the classes that occur.
///
/// # Errors
/// For empty or mismatched input, values that are no probabilities, and fewer than two classes that occur.
///
/// # Example
/// ```
/// use sapwood::{ndarray::array, score::average_precision};
///
/// let p = array![[0.8, 0.1, 0.1], [0.2, 0.5, 0.3], [0.1, 0.2, 0.7]];
/// assert_eq!(average_precision(array![0, 1, 2].view(), p.view())?, 1.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn average_precision(truth: ArrayView1<'_, usize>, probabilities: ArrayView2<'_, f64>) -> Result<f64> {
    mean_over_classes(truth, probabilities, Thresholds::average_precision)
}

/// Mean of an area over the classes that occur.
fn mean_over_classes(
    truth: ArrayView1<'_, usize>,
    probabilities: ArrayView2<'_, f64>,
    area: impl Fn(&Thresholds) -> f64,
) -> Result<f64> {
    check(truth, probabilities)?;
    let (mut sum, mut count) = (0.0, 0.0);
    for c in (0..probabilities.ncols()).filter(|c| truth.iter().any(|y| y == c)) {
        sum += area(&Thresholds::of_class(truth, probabilities, c)?);
        count += 1.0;
    }
    Ok(sum / count)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn what_are_no_probabilities_is_an_error() {
        let p = array![[0.5, 0.5], [1.5, -0.5]];
        assert!(log_loss(array![0, 1].view(), p.view()).is_err());
        assert!(brier(array![0].view(), p.view()).is_err());
        assert!(accuracy(array![0, 2].view(), array![[0.5, 0.5], [0.5, 0.5]].view()).is_err());
        assert!(reliability(&[true], &[0.5], 0).is_err());
        assert!(Thresholds::new(&[true, true], &[0.1, 0.2]).is_err());
        assert!(Thresholds::new(&[true, false], &[0.1, f64::NAN]).is_err());
    }

    #[test]
    fn a_score_of_exactly_zero_counts() {
        let curve = Thresholds::new(&[true, false, true, false], &[0.9, 0.0, 0.0, 0.5]).unwrap();
        assert_eq!(curve.roc_auc(), (1.0 + 1.0 + 0.5 + 0.0) / 4.0);
    }

    #[test]
    fn a_million_bins_cost_no_more_than_rows() {
        let bins = reliability(&[true, false], &[1.0, 0.0], usize::MAX).unwrap();
        assert_eq!(bins.len(), 2);
    }
}
