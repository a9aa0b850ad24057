//! Distances that DBSCAN can be asked for, and the points by which the Euclidean search finds them.

use std::f64::consts::{FRAC_PI_2, PI, TAU};

use ndarray::{Array2, ArrayView2};

use crate::error::{Error, Result};
use crate::float::Float;

/// How DBSCAN measures the distance between two rows.
///
/// # Example
/// ```
/// use sapwood::{Dbscan, dbscan::Metric, linfa::{DatasetBase, traits::Fit}, ndarray::array};
///
/// // Directions matter, lengths do not.
/// let x = array![[1.0, 0.0], [9.0, 0.1], [0.0, 2.0], [0.1, 7.0]];
/// let model = Dbscan::params(2).eps(0.01).metric(Metric::Cosine).fit(&DatasetBase::from(x))?;
/// assert_eq!(model.labels().to_vec(), [Some(0), Some(0), Some(1), Some(1)]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub enum Metric {
    /// The straight line: `sqrt(sum_j (x_j - y_j)^2)`.
    #[default]
    Euclidean,
    /// `sum_j |x_j - y_j|`.
    Manhattan,
    /// `max_j |x_j - y_j|`.
    Chebyshev,
    /// `1 - x.y / (|x| |y|)`, in [0, 2]; for embeddings and other directions. A zero vector is at distance 1 from every other row.
    Cosine,
    /// Along the great circle, in radians, between rows `[latitude, longitude]` in radians. `eps` is a length divided by the radius of the
    /// sphere: `1.0 / 6371.0088` is a kilometre on the earth.
    Haversine,
}

/// Points whose Euclidean distances tell which rows are near.
pub(super) struct Embedded {
    pub(super) points: Array2<f64>,
    pub(super) eps: f64,
}

/// Unit vectors: half their squared distance is the cosine distance. `None` where a row has no direction.
pub(super) fn unit_vectors<F: Float>(records: ArrayView2<'_, F>, eps: f64) -> Option<Embedded> {
    let mut points = records.mapv(Float::as_f64);
    for mut row in points.rows_mut() {
        let largest = row.iter().fold(0.0_f64, |max, x| max.max(x.abs()));
        if largest == 0.0 {
            return None;
        }
        // First by a power of two, so that no square overflows or vanishes; in two steps, since its inverse may be no number.
        let half = (-0.5 * largest.log2().floor()).round();
        let (first, second) = (half.exp2(), (-largest.log2().floor() - half).exp2());
        row.mapv_inplace(|x| x * first * second);
        let length = row.iter().map(|x| x * x).sum::<f64>().sqrt();
        row.mapv_inplace(|x| x / length);
    }
    Some(Embedded { points, eps: (2.0 * eps).sqrt() })
}

/// Points of the unit sphere in space: the chord `2 sin(angle / 2)` grows with the angle.
pub(super) fn on_sphere<F: Float>(
    name: &'static str,
    records: ArrayView2<'_, F>,
    eps: f64,
) -> Result<Embedded> {
    if records.ncols() != 2 {
        return Err(Error::shape(name, "2 columns, latitude and longitude", records.ncols()));
    }
    let outside = |x: f64, most: f64| x.abs() > most * (1.0 + 1e-6);
    let mut points = Array2::zeros((records.nrows(), 3));
    for (row, mut point) in records.rows().into_iter().zip(points.rows_mut()) {
        let (latitude, longitude) = (row[0].as_f64(), row[1].as_f64());
        if outside(latitude, FRAC_PI_2) {
            return Err(Error::shape(name, "latitudes in radians, from -pi/2 to pi/2", latitude));
        }
        if outside(longitude, TAU) {
            return Err(Error::shape(name, "longitudes in radians, from -2 pi to 2 pi", longitude));
        }
        point[0] = latitude.cos() * longitude.cos();
        point[1] = latitude.cos() * longitude.sin();
        point[2] = latitude.sin();
    }
    // No two points are farther apart than pi; rounding must not say otherwise.
    let eps = if eps >= PI { 3.0 } else { 2.0 * (eps / 2.0).sin() };
    Ok(Embedded { points, eps })
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::array;

    #[test]
    fn unit_vectors_of_any_length_have_length_one() {
        for scale in [1.0, 5e-324, 1e-300, 1e-160, 1e160, 1e308] {
            let x = array![[scale, 0.0], [scale, scale], [-scale, 0.0]];
            let unit = unit_vectors(x.view(), 0.5).unwrap();
            let root = 0.5_f64.sqrt();
            let expected = array![[1.0, 0.0], [root, root], [-1.0, 0.0]];
            assert!((unit.points - expected).iter().all(|d| d.abs() < 1e-15), "{scale}");
        }
        assert!(unit_vectors(array![[1.0, 0.0], [0.0, 0.0]].view(), 0.5).is_none());
    }

    #[test]
    fn degrees_are_taken_for_what_they_are() {
        let error = on_sphere("records", array![[52.5, 13.4]].view(), 0.1).err().unwrap().to_string();
        assert_eq!(error, "`records` must have latitudes in radians, from -pi/2 to pi/2, got 52.5");
        let error = on_sphere("records", array![[0.9, 13.4]].view(), 0.1).err().unwrap().to_string();
        assert_eq!(error, "`records` must have longitudes in radians, from -2 pi to 2 pi, got 13.4");
    }
}
