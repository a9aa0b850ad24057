//! The family `(sum_k |a_k - b_k|^p)^(1/p)`: manhattan, chebyshev, minkowski, and minkowski with weights.

use std::ops::Range;

use ndarray::{Array1, ArrayView2};

use super::euclidean::Euclidean;
use super::metric::{Metric, Rows, TileError, sum_error};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::{
    self, AsItIs, Block, Difference, LargestDifference, Power, PowerOf, SquaredDifference, finish,
};
use crate::params::require;

/// Manhattan distance `sum_k |a_k - b_k|`, also called city-block distance.
///
/// # Example
/// ```
/// use sapwood::distance::{Manhattan, Metric};
///
/// assert_eq!(Manhattan.distance(&[0.0, 0.0], &[3.0, -4.0]), 7.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[doc(alias = "cityblock")]
pub struct Manhattan;

/// Chebyshev distance `max_k |a_k - b_k|`.
///
/// # Example
/// ```
/// use sapwood::distance::{Chebyshev, Metric};
///
/// assert_eq!(Chebyshev.distance(&[0.0, 0.0], &[3.0, -4.0]), 4.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Chebyshev;

/// Minkowski distance `(sum_k |a_k - b_k|^p)^(1/p)` for `p >= 1`, infinity included.
///
/// `p` = 1, 2 and infinity are [`Manhattan`], [`Euclidean`] and [`Chebyshev`], at their speed.
///
/// # Example
/// ```
/// use sapwood::distance::{Metric, Minkowski};
///
/// let d = Minkowski { p: 3.0 }.distance(&[0.0, 0.0], &[1.0, 2.0]);
/// assert!((d - 9_f64.cbrt()).abs() < 1e-15);
/// assert_eq!(Minkowski { p: f64::INFINITY }.distance(&[0.0, 0.0], &[1.0, 2.0]), 2.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Minkowski<F> {
    /// The exponent, at least 1.
    pub p: F,
}

/// Minkowski distance with a weight for each component: `(sum_k w_k |a_k - b_k|^p)^(1/p)`.
///
/// For `p` = infinity a weight only says whether its component counts (above 0) or not, as in SciPy and as the limit has it.
///
/// # Example
/// ```
/// use sapwood::{distance::{Metric, WeightedMinkowski}, ndarray::array};
///
/// let metric = WeightedMinkowski::new(2.0, array![1.0, 0.25])?;
/// assert_eq!(metric.distance(&[0.0, 0.0], &[3.0, 8.0]), 5.0);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct WeightedMinkowski<F> {
    minkowski: Minkowski<F>,
    weights: Array1<F>,
    /// `w_k^(1/p)`, so that the distance is that of the scaled points.
    scales: Array1<F>,
}

impl<F: Float> WeightedMinkowski<F> {
    /// With exponent `p >= 1` and one weight, not negative, for each component.
    ///
    /// # Errors
    /// [`Error::Parameter`] when `p` or a weight is out of range.
    pub fn new(p: F, weights: Array1<F>) -> Result<Self> {
        require(p >= F::one(), "p", "at least 1", p)?;
        for &weight in &weights {
            require(weight >= F::zero() && weight.is_finite(), "weights", "finite and not negative", weight)?;
        }
        let scale = |w: &F| {
            if p.is_infinite() && *w > F::zero() { F::one() } else { w.powf(F::one() / p) }
        };
        let mut scales = weights.map(scale);
        if p.is_infinite() {
            scales.zip_mut_with(&weights, |scale, &weight| {
                if weight == F::zero() {
                    *scale = F::zero();
                }
            });
        }
        Ok(Self { minkowski: Minkowski { p }, weights, scales })
    }

    /// The weights.
    #[must_use]
    pub fn weights(&self) -> &Array1<F> {
        &self.weights
    }
}

impl<F: Float> Metric<F> for Manhattan {
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        kernel::fold(Difference, a, b)
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
        x.fill((Difference, AsItIs), i.start, y, j.start, out);
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::zero(), relative: sum_error(x.dim()) }
    }
}

impl<F: Float> Metric<F> for Chebyshev {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        kernel::fold(LargestDifference, a, b)
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
        x.fill((LargestDifference, AsItIs), i.start, y, j.start, out);
    }
}

/// The exponents that have ways of their own.
enum Exponent {
    One,
    Two,
    Three,
    Four,
    Infinite,
    Other,
}

impl<F: Float> Minkowski<F> {
    fn exponent(&self) -> Exponent {
        let is = |p: i32| self.p == F::cast(p);
        match () {
            () if is(1) => Exponent::One,
            () if is(2) => Exponent::Two,
            () if is(3) => Exponent::Three,
            () if is(4) => Exponent::Four,
            () if self.p.is_infinite() => Exponent::Infinite,
            () => Exponent::Other,
        }
    }

    /// `total^(1/p)`
    fn root(&self, total: F) -> F {
        match self.exponent() {
            Exponent::Two => total.sqrt(),
            Exponent::Three => total.cbrt(),
            Exponent::Four => total.sqrt().sqrt(),
            _ => total.powf(F::one() / self.p),
        }
    }

    /// The largest difference times the distance in units of it, where no power can leave the range.
    fn scaled(&self, a: &[F], b: &[F]) -> F {
        let largest = kernel::fold(LargestDifference, a, b);
        if largest == F::zero() || !largest.is_finite() {
            return largest;
        }
        let total = a.iter().zip(b).map(|(&a, &b)| ((a - b).abs() / largest).powf(self.p)).sum::<F>();
        largest * self.root(total)
    }

    /// A tile from the panels of the rows; `exact` is asked where a power may have left the range.
    fn tile_of_panels(
        &self,
        [x, y]: [&Rows<'_, F>; 2],
        [i, j]: [Range<usize>; 2],
        out: &mut Block<'_, F>,
        exact: impl Fn(&[F], &[F]) -> F,
    ) {
        let (exponent, at, to) = (self.exponent(), i.start, j.start);
        match exponent {
            Exponent::One => x.fill((Difference, AsItIs), at, y, to, out),
            Exponent::Infinite => x.fill((LargestDifference, AsItIs), at, y, to, out),
            Exponent::Two => x.fill((SquaredDifference, AsItIs), at, y, to, out),
            Exponent::Three => x.fill((Power::<3>, AsItIs), at, y, to, out),
            Exponent::Four => x.fill((Power::<4>, AsItIs), at, y, to, out),
            Exponent::Other => x.fill((PowerOf(self.p), AsItIs), at, y, to, out),
        };
        if matches!(exponent, Exponent::One | Exponent::Infinite) {
            return;
        }
        let in_range = |total: F| total > Self::low() && total.is_finite();
        out.for_each_row(|r, row| {
            let exact = |c: usize| exact(x.point(i.start + r), y.point(j.start + c));
            if matches!(exponent, Exponent::Other) {
                let others = (0..row.len()).filter(|&c| !in_range(row[c]));
                let others: Vec<_> = others.map(|c| (c, exact(c))).collect();
                finish(PowerOf(F::one() / self.p), row, (F::zero(), &[]));
                others.into_iter().for_each(|(c, value)| row[c] = value);
            } else {
                for (c, value) in row.iter_mut().enumerate() {
                    *value = if in_range(*value) { self.root(*value) } else { exact(c) };
                }
            }
        });
    }

    /// Powers below this lost digits to underflow.
    fn low() -> F {
        F::min_positive_value() / (F::epsilon() * F::epsilon())
    }
}

impl<F: Float> Metric<F> for Minkowski<F> {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        let total = match self.exponent() {
            Exponent::One => return Manhattan.distance(a, b),
            Exponent::Two => return Euclidean.distance(a, b),
            Exponent::Infinite => return Chebyshev.distance(a, b),
            Exponent::Three => kernel::fold(Power::<3>, a, b),
            Exponent::Four => kernel::fold(Power::<4>, a, b),
            Exponent::Other => kernel::fold(PowerOf(self.p), a, b),
        };
        if total > Self::low() && total.is_finite() { self.root(total) } else { self.scaled(a, b) }
    }

    fn check(&self, _: &'static str, _: &ArrayView2<'_, F>) -> Result<()> {
        require(self.p >= F::one(), "p", "at least 1", self.p)
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        match self.exponent() {
            Exponent::Two => Euclidean.rows(x),
            _ => Rows::copied(x),
        }
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        match self.exponent() {
            Exponent::Two => Euclidean.tile(x, i, y, j, out),
            _ => self.tile_of_panels([x, y], [i, j], out, |a, b| self.scaled(a, b)),
        }
    }

    fn tile_error(&self, x: &Rows<'_, F>, y: &Rows<'_, F>) -> TileError<F> {
        match self.exponent() {
            Exponent::Two => Euclidean.tile_error(x, y),
            Exponent::Infinite => TileError { absolute: F::zero(), relative: F::zero() },
            _ => TileError { absolute: F::zero(), relative: sum_error(x.dim()) },
        }
    }
}

impl<F: Float> WeightedMinkowski<F> {
    fn scale(&self, point: &[F]) -> Vec<F> {
        point.iter().zip(&self.scales).map(|(&v, &scale)| v * scale).collect()
    }
}

impl<F: Float> Metric<F> for WeightedMinkowski<F> {
    fn distance(&self, a: &[F], b: &[F]) -> F {
        self.minkowski.distance(&self.scale(a), &self.scale(b))
    }

    fn check(&self, name: &'static str, x: &ArrayView2<'_, F>) -> Result<()> {
        let dim = self.weights.len();
        if x.ncols() == dim {
            return Ok(());
        }
        Err(Error::shape(name, format!("{dim} columns, one for each weight"), x.ncols()))
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        let dim = x.ncols();
        Rows::with_panels(x, dim, |row, scaled| {
            scaled.copy_from_slice(&self.scale(row));
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
        self.minkowski.tile_of_panels([x, y], [i, j], out, |a, b| self.distance(a, b));
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: F::zero(), relative: sum_error(x.dim()) }
    }
}
