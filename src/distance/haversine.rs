//! Distance on a sphere.

use ndarray::ArrayView2;

use super::metric::Metric;
use crate::error::{Error, Result};
use crate::float::Float;

/// Great-circle distance of two points on the unit sphere, each `[latitude, longitude]` in radians; in [0, pi].
///
/// Times 6,371.0088 km it is a distance on the earth, taken as a sphere. With latitudes `f`, `g` and the difference `l` of the longitudes it is
/// `2 asin(sqrt(sin^2((f - g) / 2) + cos f cos g sin^2(l / 2)))`, as in scikit-learn.
///
/// # Example
/// ```
/// use sapwood::distance::{Haversine, Metric};
///
/// let [berlin, paris] = [[52.52, 13.405], [48.8566, 2.3522]].map(|p: [f64; 2]| p.map(f64::to_radians));
/// let km = 6371.0088 * Haversine.distance(&berlin, &paris);
/// assert!((km - 877.5).abs() < 0.1);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Haversine;

impl<F: Float> Metric<F> for Haversine {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        let (&[a_latitude, a_longitude], &[b_latitude, b_longitude]) = (a, b) else {
            panic!("a point on a sphere has two components, latitude and longitude");
        };
        let half = F::cast(0.5);
        let squared_sine = |x: F| x.sin() * x.sin();
        let h = squared_sine(half * (a_latitude - b_latitude))
            + a_latitude.cos() * b_latitude.cos() * squared_sine(half * (a_longitude - b_longitude));
        F::cast(2) * h.max(F::zero()).min(F::one()).sqrt().asin()
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        if x.ncols() == 2 {
            return Ok(());
        }
        Err(Error::shape(name, "2 columns, latitude and longitude", x.ncols()))
    }
}
