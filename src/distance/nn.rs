//! Our metrics as those of linfa-nn, for linfa's own algorithms.
//!
//! linfa-nn's trees compare *reduced* distances, which have the order of the distances and may be cheaper; only metrics with a triangle
//! inequality stand here, since its ball tree relies on it. Its k-d tree asks for more: that a distance never grows when a component of the
//! difference shrinks, as with the Minkowski family. For the others take its ball tree or linear search.

use linfa_nn::distance::Distance;
use ndarray::{ArrayView, Dimension};

use super::euclidean::{Euclidean, SquaredEuclidean};
use super::metric::Metric;
use super::minkowski::{Chebyshev, Manhattan, Minkowski};
use super::{Angular, Canberra, Hamming, Hellinger, Jaccard, JensenShannon};
use crate::data::standard_layout;
use crate::float::Float;

/// The distance of two arrays of one shape, as points.
fn of_arrays<F: Float, D: Dimension>(
    metric: &impl Metric<F>,
    a: ArrayView<'_, F, D>,
    b: ArrayView<'_, F, D>,
) -> F {
    let (a, b) = (standard_layout(a), standard_layout(b));
    metric.distance(a.as_slice().unwrap_or(&[]), b.as_slice().unwrap_or(&[]))
}

impl<F: Float> Distance<F> for Euclidean {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }

    fn rdistance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(&SquaredEuclidean, a, b)
    }

    fn rdist_to_dist(&self, rdist: F) -> F {
        rdist.sqrt()
    }

    fn dist_to_rdist(&self, dist: F) -> F {
        dist * dist
    }
}

impl<F: Float> Distance<F> for Manhattan {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Chebyshev {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Minkowski<F> {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Angular {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Canberra {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Hamming {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Jaccard {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for Hellinger {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}

impl<F: Float> Distance<F> for JensenShannon {
    fn distance<D: Dimension>(&self, a: ArrayView<'_, F, D>, b: ArrayView<'_, F, D>) -> F {
        of_arrays(self, a, b)
    }
}
