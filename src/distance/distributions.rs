//! Distances between distributions: hellinger, jensen-shannon, Kullback-Leibler.
//!
//! Components must not be negative; they are divided by their sum first, so counts are as good as shares.

use std::f64::consts::LN_2;
use std::ops::Range;

use ndarray::ArrayView2;

use super::metric::{Metric, Rows, TileError, sum_error};
use super::radius::{columns_at_most, each_column};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{self, Block, Entropy, RootOfDivergence, SquaredDifference, Times};

/// Hellinger distance `sqrt(sum_k (sqrt(p_k) - sqrt(q_k))^2 / 2)`, in [0, 1].
///
/// # Example
/// ```
/// use sapwood::distance::{Hellinger, Metric};
///
/// assert_eq!(Hellinger.distance(&[1.0, 0.0], &[0.0, 5.0]), 1.0);
/// assert_eq!(Hellinger.distance(&[1.0, 3.0], &[1.0, 3.0]), 0.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Hellinger;

/// Jensen-Shannon distance: the square root of the divergence, in [0, sqrt(ln 2)].
///
/// With `m = (p + q) / 2` the divergence is `(KL(p | m) + KL(q | m)) / 2`, in natural logarithms, as in SciPy.
///
/// # Example
/// ```
/// use sapwood::distance::{JensenShannon, Metric};
///
/// let d: f64 = JensenShannon.distance(&[1.0, 0.0], &[0.0, 1.0]);
/// assert!((d - 2_f64.ln().sqrt()).abs() < 1e-15);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct JensenShannon;

/// Kullback-Leibler divergence `sum_k p_k ln(p_k / q_k)`: no metric, and not symmetric.
///
/// Infinite where `q` has a 0 that `p` has not; `0 ln 0` is 0.
///
/// # Example
/// ```
/// use sapwood::distance::{KullbackLeibler, Metric};
///
/// let d: f64 = KullbackLeibler.distance(&[1.0, 0.0], &[1.0, 1.0]);
/// assert!((d - 2_f64.ln()).abs() < 1e-15);
/// assert_eq!(KullbackLeibler.distance(&[1.0, 1.0], &[1.0, 0.0]), f64::INFINITY);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct KullbackLeibler;

/// Errors unless every row could be a distribution.
fn check_distributions<F: Float>(name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
    for (i, row) in x.outer_iter().enumerate() {
        if let Some((j, value)) = row.iter().enumerate().find(|(_, v)| **v < F::zero()) {
            let value = format_args!("{value} in row {i}, column {j}").to_string();
            return Err(Error::shape(name, "no negative value", value));
        }
        let sum = total(row.iter().copied());
        if sum == 0.0 || !sum.is_finite() {
            return Err(Error::shape(
                name,
                "a positive finite sum in each row",
                format_args!("{sum} in row {i}"),
            ));
        }
    }
    Ok(())
}

fn total<F: Float>(row: impl Iterator<Item = F>) -> f64 {
    row.map(F::as_f64).sum()
}

/// The pairs of shares of two points, in f64.
fn shares<'a, F: Float>(a: &'a [F], b: &'a [F]) -> impl Iterator<Item = (f64, f64)> + 'a {
    assert_eq!(a.len(), b.len(), "two points need the same number of components");
    let (a_total, b_total) = (total(a.iter().copied()), total(b.iter().copied()));
    a.iter().zip(b).map(move |(p, q)| (p.as_f64() / a_total, q.as_f64() / b_total))
}

impl<F: Float> Metric<F> for Hellinger {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        // sqrt(p) - sqrt(q) = (p - q) / (sqrt(p) + sqrt(q)), which does not cancel twice.
        let root_difference = |(p, q): (f64, f64)| if p == q { 0.0 } else { (p - q) / (p.sqrt() + q.sqrt()) };
        let squared: f64 = shares(a, b).map(|pair| root_difference(pair).powi(2)).sum();
        F::cast((0.5 * squared).sqrt().min(1.0))
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        check_distributions(name, x)
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let dim = x.ncols();
        Rows::with_panels(x, dim, |row, roots| {
            let sum = total(row.iter().copied());
            for (root, v) in roots.iter_mut().zip(row) {
                *root = F::cast((v.as_f64() / sum).sqrt());
            }
            F::zero()
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
        let least = x.fill((SquaredDifference, Times(F::cast(0.5))), i.start, y, j.start, out);
        // Below this the rounding of the roots shows in the difference.
        let near = F::epsilon().sqrt();
        out.for_each_row(|r, row| {
            for (value, j) in row.iter_mut().zip(j.clone()) {
                *value = if least > near || *value > near {
                    value.sqrt().min(F::one())
                } else {
                    self.distance(x.point(i.start + r), y.point(j))
                };
            }
        });
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError {
            absolute: F::epsilon().sqrt().sqrt() * sum_error::<F>(x.dim()),
            relative: F::epsilon().sqrt(),
        }
    }
}

impl<F: Float> Metric<F> for JensenShannon {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        // With s = p + q and t = |p - q| / s the two terms of a component are
        // s / 2 ((1 + t) ln(1 + t) + (1 - t) ln(1 - t)), which is never negative: nothing cancels in the sum.
        let term = |(p, q): (f64, f64)| {
            let s = p + q;
            if s == 0.0 { 0.0 } else { 0.5 * s * two_sided::<F>((p - q).abs() / s) }
        };
        let divergence = 0.5 * shares(a, b).map(term).sum::<f64>();
        F::cast(divergence.min(LN_2).sqrt())
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        check_distributions(name, x)
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let dim = x.ncols();
        // Shares, and beside them sum p ln p.
        Rows::with_panels(x, dim, |row, shares| {
            let sum = total(row.iter().copied());
            shares.iter_mut().zip(row).for_each(|(share, &v)| *share = F::cast(v.as_f64() / sum));
            kernel::fold(Entropy, shares, &vec![F::zero(); dim])
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
        // The divergence is (sum p ln p + sum q ln q - sum (p + q) ln(p + q)) / 2 + ln 2, which cancels where the two nearly agree.
        let least = x.fill((Entropy, RootOfDivergence), i.start, y, j.start, out);
        let near = small_divergence::<F>().sqrt();
        if least > near {
            return;
        }
        out.for_each_row(|r, row| {
            for c in each_column(columns_at_most(row, near)) {
                row[c] = self.distance(x.point(i.start + r), y.point(j.start + c));
            }
        });
    }

    fn tile_error(&self, x: &Rows<'_, F>, y: &Rows<'_, F>) -> TileError<F> {
        let largest = |rows: &Rows<'_, F>| rows.beside().iter().fold(F::one(), |m, v| m.max(v.abs()));
        // Of the divergence, which counts twice where it is small, and at most the inverse of its root elsewhere.
        let error = F::cast(4) * sum_error::<F>(x.dim()) * (largest(x) + largest(y));
        TileError { absolute: error / small_divergence::<F>().sqrt(), relative: F::cast(4) * F::epsilon() }
    }
}

/// A divergence from sums of logarithms has lost too many digits below.
fn small_divergence<F: Float>() -> F {
    F::epsilon().sqrt().sqrt().max(F::cast(1.0 / 256.0))
}

/// `(1 + t) ln(1 + t) + (1 - t) ln(1 - t)` for `t` in [0, 1], for a result in `F`; where the two nearly cancel, its series
/// `sum_k t^2k / (k (2k - 1))`.
fn two_sided<F: Float>(t: f64) -> f64 {
    const SERIES: [f64; 12] = {
        let (mut series, mut k) = ([0.0; 12], 1);
        while k <= series.len() {
            series[k - 1] = 1.0 / (k * (2 * k - 1)) as f64;
            k += 1;
        }
        series
    };
    // The terms left out are below 2^-56 of the sum, and below 2^-27 for f32.
    let (series, end) = if size_of::<F>() == 4 { (&SERIES[..10], 0.5) } else { (&SERIES[..], 0.25) };
    if t < end {
        let u = t * t;
        return series.iter().rev().fold(0.0, |sum, c| sum * u + c) * u;
    }
    let term = |x: f64| if x > 0.0 { x * x.ln() } else { 0.0 };
    term(1.0 + t) + term(1.0 - t)
}

impl<F: Float> Metric<F> for KullbackLeibler {
    const SYMMETRIC: bool = false;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        // p ln(p / q) - p + q, which sums to the same and is never negative.
        let term = |(p, q): (f64, f64)| if q > 0.0 { q * one_sided((p - q) / q) } else { p / q * p };
        let divergence = shares(a, b).map(|(p, q)| if p == q { 0.0 } else { term((p, q)) }).sum::<f64>();
        F::cast(divergence)
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        check_distributions(name, x)
    }
}

/// `(1 + u) ln(1 + u) - u` for `u >= -1`; where the two nearly cancel, its series `sum_k (-u)^k / (k (k - 1))`, `k >= 2`.
fn one_sided(u: f64) -> f64 {
    if u.abs() < 0.03 {
        return (2..=11).rev().fold(0.0, |sum, k| 1.0 / f64::from(k * (k - 1)) - u * sum) * u * u;
    }
    if u == -1.0 { 1.0 } else { (1.0 + u) * u.ln_1p() - u }
}
