//! Shares of components: hamming, jaccard, canberra, bray-curtis.

use std::ops::Range;

use ndarray::ArrayView2;

use super::metric::{Metric, Rows, SHORT, TILE, TileError, sum_error, tile_by_pairs};
use crate::float::Float;
use crate::kernel::{
    self, AsItIs, Block, Difference, NormalRelativeDifference, Product, Quotient, RelativeDifference,
    ShareOfBoth, Sum, SymmetricDifference, Times, TwoRelativeDifferences, Unequal, finish,
};

/// Hamming distance: the share of components that differ, in [0, 1].
///
/// # Example
/// ```
/// use sapwood::distance::{Hamming, Metric};
///
/// assert_eq!(Hamming.distance(&[1.0, 2.0, 3.0, 4.0], &[1.0, 0.0, 3.0, 4.0]), 0.25);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hamming;

/// Jaccard distance of two sets: `1 - |A and B| / |A or B|`, in [0, 1].
///
/// A component is a member where it is not 0 (as in scikit-learn and SciPy from 1.15 on). Two empty sets have distance 0.
///
/// # Example
/// ```
/// use sapwood::distance::{Jaccard, Metric};
///
/// assert_eq!(Jaccard.distance(&[1.0, 1.0, 0.0, 0.0], &[1.0, 0.0, 1.0, 0.0]), 2.0 / 3.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Jaccard;

/// Canberra distance `sum_k |a_k - b_k| / (|a_k| + |b_k|)`, where 0 / 0 is 0.
///
/// # Example
/// ```
/// use sapwood::distance::{Canberra, Metric};
///
/// assert_eq!(Canberra.distance(&[1.0, 0.0, 3.0], &[3.0, 0.0, 1.0]), 1.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Canberra;

/// Bray-Curtis dissimilarity `sum_k |a_k - b_k| / sum_k |a_k + b_k|`, in [0, 1] for components of one sign.
///
/// 0 / 0 is 0 (SciPy: NaN); a positive sum over 0, possible only with components of both signs, is infinite. The triangle inequality
/// does not hold.
///
/// # Example
/// ```
/// use sapwood::distance::{BrayCurtis, Metric};
///
/// assert_eq!(BrayCurtis.distance(&[1.0, 2.0], &[3.0, 2.0]), 0.25);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct BrayCurtis;

impl<F: Float> Metric<F> for Hamming {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        if a.is_empty() {
            return F::zero();
        }
        kernel::fold(Unequal, a, b) / F::cast(a.len())
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        Rows::copied(x)
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        x.fill((Unequal, Times(F::one() / F::cast(x.dim()))), i.start, y, j.start, out);
    }

    fn tile_error(&self, _: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::zero(), relative: F::cast(2) * F::epsilon() }
    }
}

impl<F: Float> Metric<F> for Jaccard {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        let (mut common, mut either) = (0_usize, 0_usize);
        for (&a, &b) in a.iter().zip(b) {
            let (a, b) = (a != F::zero(), b != F::zero());
            common += usize::from(a && b);
            either += usize::from(a || b);
        }
        if either == 0 { F::zero() } else { F::cast(either - common) / F::cast(either) }
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let dim = x.ncols();
        Rows::with_panels(x, dim, |row, member| {
            let mut n = 0_usize;
            for (member, &v) in member.iter_mut().zip(row) {
                let is_one = v != F::zero();
                *member = if is_one { F::one() } else { F::zero() };
                n += usize::from(is_one);
            }
            F::cast(n)
        })
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        // Counts, hence exact.
        x.fill((Product, SymmetricDifference), i.start, y, j.start, out);
    }
}

/// Whether sums of two components stay in range, and sums of such sums.
fn sums_fit<F: Float>(x: &Rows<'_, F>, y: &Rows<'_, F>) -> bool {
    (F::cast(x.dim()) * (x.largest() + y.largest())).is_finite()
}

/// Two of these still have a sum with a normal inverse.
fn large<F: Float>() -> F {
    F::max_value() / F::cast(16)
}

impl<F: Float> Metric<F> for Canberra {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        let total = kernel::fold(RelativeDifference, a, b);
        if total.is_finite() {
            return total;
        }
        // |a| + |b| left the range; halves do not, and for components as large as this they are exact.
        let half = F::cast(0.5);
        let term = |a: F, b: F| {
            let (a, b) = if a.abs().max(b.abs()) > F::one() { (a * half, b * half) } else { (a, b) };
            let sum = a.abs() + b.abs();
            if sum == F::zero() { F::zero() } else { (a - b).abs() / sum }
        };
        a.iter().zip(b).map(|(&a, &b)| term(a, b)).sum()
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        // Beside each row how far its components are from the ends of the range: 2 where two sums have a product with an inverse, 1 where a sum has
        // one, else 0.
        let two = TwoRelativeDifferences::range::<F>(F::epsilon().as_f64());
        let fits = |v: &F| match v.as_f64().abs() {
            v if v == 0.0 || two.contains(&v) => 2,
            v if v >= F::min_positive_value().as_f64() && v <= large::<F>().as_f64() => 1,
            _ => 0,
        };
        let dim = x.ncols();
        Rows::with_panels(x, dim, |row, copy| {
            copy.copy_from_slice(row);
            F::cast(row.iter().map(fits).min().unwrap_or(2))
        })
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        let beside = [&x.beside()[i.clone()], &y.beside()[j.clone()]];
        let fits = beside.into_iter().flatten().fold(F::cast(2), |least, &fits| least.min(fits));
        if fits == F::cast(2) {
            x.fill((TwoRelativeDifferences, AsItIs), i.start, y, j.start, out);
        } else if fits == F::one() {
            x.fill((NormalRelativeDifference, AsItIs), i.start, y, j.start, out);
        } else {
            tile_by_pairs(self, x, i, y, j, out);
        }
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::zero(), relative: F::cast(2) * sum_error::<F>(x.dim()) }
    }
}

impl<F: Float> Metric<F> for BrayCurtis {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        let (difference, sum) = (kernel::fold(Difference, a, b), kernel::fold(Sum, a, b));
        if difference.is_finite() && sum.is_finite() {
            return if difference == F::zero() { F::zero() } else { difference / sum };
        }
        let part = F::cast(2) * F::cast(a.len()) / F::epsilon();
        let (difference, sum) = a
            .iter()
            .zip(b)
            .map(|(&a, &b)| (a / part, b / part))
            .fold((F::zero(), F::zero()), |(d, s), (a, b)| (d + (a - b).abs(), s + (a + b).abs()));
        difference / sum
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        // Beside each row the sum of its components, if none is negative and the sum can be divided by in haste; else -1.
        let (dim, range) = (x.ncols(), ShareOfBoth::range::<F>());
        let zeros = vec![F::zero(); dim];
        let sum = move |row: &[F]| match dim {
            ..=SHORT => row.iter().copied().sum::<F>(),
            _ => kernel::fold(Sum, row, &zeros),
        };
        Rows::with_largest(x, move |row| {
            let sum = if row.iter().all(|&v| v >= F::zero()) { sum(row) } else { -F::one() };
            match sum {
                // Lost in the sum with any other.
                sum if sum == F::zero() => F::cast(4) * F::min_positive_value(),
                sum if range.contains(&sum.as_f64()) => sum,
                _ => -F::one(),
            }
        })
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        if !sums_fit(x, y) {
            return tile_by_pairs(self, x, i, y, j, out);
        }
        let beside = [&x.beside()[i.clone()], &y.beside()[j.clone()]];
        if beside.into_iter().flatten().all(|&sum| sum > F::zero()) {
            // |a + b| is a + b.
            x.fill((Difference, ShareOfBoth), i.start, y, j.start, out);
            return;
        }
        let mut sums = kernel::square();
        x.fill((Sum, AsItIs), i.start, y, j.start, &mut Block::of_square(&mut sums, i.len(), j.len()));
        x.fill((Difference, AsItIs), i.start, y, j.start, out);
        out.for_each_row(|r, row| {
            finish(Quotient, row, (F::zero(), &sums[r * TILE..][..row.len()]));
        });
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::min_positive_value(), relative: F::cast(3) * sum_error::<F>(x.dim()) }
    }
}
