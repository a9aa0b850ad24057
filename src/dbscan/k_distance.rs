//! Reading `eps` off the data.

use ndarray::{Array1, ArrayBase, Data, Ix2};

use crate::error::{Error, Result};
use crate::float::Float;
use crate::index::Index;
use crate::par;
use crate::params::require;

/// Rows that a thread looks at at a time.
const CHUNK: usize = 1 << 12;

/// The distance of every point to its `min_samples`-th nearest, itself included, in ascending order.
///
/// A point is a core point for `eps` from that distance on, so the curve tells for every `eps` how many core points there are. Inside clusters it is low and flat; where it
/// bends upwards, noise begins.
///
/// # Example
/// See [`suggest_eps`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KDistance {
    distances: Array1<f64>,
    knee: usize,
}

/// The sorted `min_samples`-distances of the rows of `records`, and where their curve bends.
///
/// The knee is the point of the curve that lies furthest below the line from its first point to the one at 99.5 % of the rows; the last 0.5 % are left out, so that a few points far away do not
/// move it.
///
/// # Errors
/// Those of [`Index::new`]; [`Error::Parameter`] where `min_samples` is below 2 or above the number of rows; [`Error::Shape`] where all distances are 0.
///
/// # Complexity
/// `O(n log n)` time in low dimensions, `O(d n^2)` above 16 columns.
///
/// # References
/// Ester et al. (1996), section 4.2; Satopaa et al.: Finding a "kneedle" in a haystack (2011), for the line.
///
/// # Example
/// ```
/// use sapwood::{dbscan::suggest_eps, ndarray::Array2};
///
/// // 100 points 0.1 apart, and two far away.
/// let x = Array2::from_shape_fn((102, 1), |(i, _)| if i < 100 { i as f64 * 0.1 } else { i as f64 * 10.0 });
/// let eps = suggest_eps(&x, 3)?.eps();
/// assert!(eps > 0.09 && eps < 0.21);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn suggest_eps<F: Float, S: Data<Elem = F>>(
    records: &ArrayBase<S, Ix2>,
    min_samples: usize,
) -> Result<KDistance> {
    let index = Index::new(records)?;
    let (records, n) = (records.view(), records.nrows());
    require(min_samples >= 2, "min_samples", "at least 2, since a point is its own nearest", min_samples)?;
    require(min_samples <= n, "min_samples", "at most the number of rows", min_samples)?;
    let chunks = par::map(n.div_ceil(CHUNK), |chunk| {
        let mut nearest = Vec::new();
        let mut distance = |row| {
            index.nearest_into(records.row(row), min_samples, &mut nearest)?;
            Ok(nearest[min_samples - 1].distance)
        };
        let rows = chunk * CHUNK..((chunk + 1) * CHUNK).min(n);
        rows.map(&mut distance).collect::<Result<Vec<f64>>>()
    });
    let mut distances = chunks.into_iter().collect::<Result<Vec<_>>>()?.concat();
    distances.sort_unstable_by(f64::total_cmp);
    if distances[n - 1] == 0.0 {
        return Err(Error::shape("records", "points that differ", format_args!("{n} equal ones")));
    }
    let knee = knee(&distances);
    Ok(KDistance { distances: Array1::from(distances), knee })
}

impl KDistance {
    /// The suggestion: the distance at the knee.
    #[must_use]
    pub fn eps(&self) -> f64 {
        self.distances[self.knee]
    }

    /// The position of the knee in [`distances`](Self::distances): so many points are denser.
    #[must_use]
    pub fn knee(&self) -> usize {
        self.knee
    }

    /// The curve, ascending.
    #[must_use]
    pub fn distances(&self) -> &Array1<f64> {
        &self.distances
    }
}

/// Where an ascending curve, not all 0, lies furthest below the line between its ends; at a positive value.
fn knee(curve: &[f64]) -> usize {
    let positive = curve.partition_point(|&y| y <= 0.0);
    let last = (curve.len() * 199 / 200).clamp(positive, curve.len() - 1);
    let (low, high) = (curve[0], curve[last]);
    let below = |i: usize| {
        let line = i as f64 / last.max(1) as f64;
        line - (curve[i] - low) / (high - low)
    };
    // The last of equal ones: a larger eps for the same bend.
    (positive..=last).max_by(|&a, &b| below(a).total_cmp(&below(b))).unwrap_or(last)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn the_knee_is_where_the_curve_turns_up() {
        let curve: Vec<f64> =
            (0..1000).map(|i| if i < 900 { 1.0 } else { 1.0 + f64::from(i - 899) }).collect();
        assert_eq!(knee(&curve), 899);
    }

    #[test]
    fn one_point_far_away_does_not_move_the_knee() {
        let mut curve: Vec<f64> =
            (0..1000).map(|i| if i < 900 { 1.0 } else { 1.0 + f64::from(i - 899) }).collect();
        curve[999] = 1e150;
        assert_eq!(knee(&curve), 899);
    }

    #[test]
    fn a_knee_is_positive_where_most_distances_are_not() {
        assert_eq!(knee(&[0.0, 0.0, 0.0, 2.0]), 3);
        assert_eq!(knee(&[1.0]), 0);
    }

    #[test]
    fn equal_points_and_impossible_counts_are_errors() {
        let x = Array2::<f32>::zeros((3, 2));
        assert_eq!(
            suggest_eps(&x, 2).unwrap_err().to_string(),
            "`records` must have points that differ, got 3 equal ones"
        );
        assert_eq!(
            suggest_eps(&x, 4).unwrap_err().to_string(),
            "`min_samples` must be at most the number of rows, got 4"
        );
        assert!(suggest_eps(&x, 1).is_err());
    }
}
