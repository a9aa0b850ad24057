//! What one pair of components adds to a sum: the heart of every kernel over two points.

use std::ops::RangeInclusive;

use crate::kernel::exp::Exponential;
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::Simd;

/// How a pair of components `(a, b)` goes into a running total, which starts at 0.
///
/// `(0, 0)` must leave every total as it is: kernels fill up to whole registers with zeros.
pub(crate) trait Step<F: Element>: Copy + Send + Sync {
    /// Whether a step takes so long that nothing is gained by many under way at a time.
    const LONG: bool = false;

    /// Whether [`two`](Self::two) takes less time than two steps: tiles then call it as long as there are two.
    const TWOS: bool = false;

    /// The total with the pair in it.
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S>;

    /// The total with two pairs in it.
    #[inline(always)]
    fn two<S: Simd>(self, total: Lanes<F, S>, a: [Lanes<F, S>; 2], b: [Lanes<F, S>; 2]) -> Lanes<F, S> {
        self.step(self.step(total, a[0], b[0]), a[1], b[1])
    }

    /// The total of two totals.
    #[inline(always)]
    fn join<S: Simd>(self, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        a + b
    }
}

/// `sum a b`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Product;

/// `sum (a - b)^2`
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredDifference;

/// `sum ((a - b) + (a' - b'))^2` over numbers in two parts each, `a + a'` and `b + b'`, the second far below the first and behind it.
///
/// Where the first parts nearly agree their difference is exact, and the second parts have the digits that it lost.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredDifferenceInParts;

/// `sum |a - b|`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Difference;

/// `sum |a + b|`
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sum;

/// `max |a - b|`
#[derive(Debug, Clone, Copy)]
pub(crate) struct LargestDifference;

/// The number of components where `a != b`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unequal;

/// `sum |a - b| / (|a| + |b|)`, where 0 / 0 is 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RelativeDifference;

/// The same for components whose sums `|a| + |b|` are 0 or have a normal inverse; to 2 units in the last place of each term.
#[derive(Debug, Clone, Copy)]
pub(crate) struct NormalRelativeDifference;

/// The same for components that are 0 or in [`TwoRelativeDifferences::range`]: two terms over one denominator, `(p s + q r) / (r s)`, to 4 units in the last
/// place of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TwoRelativeDifferences;

/// `sum |a - b|^p` for a whole number `p >= 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Power<const P: u32>;

impl<F: Element> Step<F> for Product {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        a.mul_add(b, total)
    }
}

impl<F: Element> Step<F> for SquaredDifference {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let d = a - b;
        d.mul_add(d, total)
    }
}

impl<F: Element> Step<F> for SquaredDifferenceInParts {
    const TWOS: bool = true;

    /// Of first parts alone.
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let d = a - b;
        d.mul_add(d, total)
    }

    #[inline(always)]
    fn two<S: Simd>(self, total: Lanes<F, S>, a: [Lanes<F, S>; 2], b: [Lanes<F, S>; 2]) -> Lanes<F, S> {
        let d = (a[0] - b[0]) + (a[1] - b[1]);
        d.mul_add(d, total)
    }
}

impl<F: Element> Step<F> for Difference {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        total + (a - b).abs()
    }
}

impl<F: Element> Step<F> for Sum {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        total + (a + b).abs()
    }
}

impl<F: Element> Step<F> for LargestDifference {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        total.max((a - b).abs())
    }

    #[inline(always)]
    fn join<S: Simd>(self, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        a.max(b)
    }
}

impl<F: Element> Step<F> for Unequal {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        total + a.one_where_unequal(b)
    }
}

impl<F: Element> Step<F> for RelativeDifference {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        // A denominator of 0 comes with a numerator of 0, so any positive number may stand for it.
        let denominator = (a.abs() + b.abs()).max(Lanes::splat(F::TINIEST));
        total + (a - b).abs() / denominator
    }
}

impl<F: Exponential> Step<F> for NormalRelativeDifference {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let denominator = (a.abs() + b.abs()).max(Lanes::of(F::RANGE.0));
        (a - b).abs().mul_add(denominator.reciprocal(), total)
    }
}

impl TwoRelativeDifferences {
    /// The absolute values, for numbers with a last place of `epsilon`, whose sums have products with normal inverses, and whose least differences have
    /// normal products with such sums.
    pub(crate) fn range<F: Exponential>(epsilon: f64) -> RangeInclusive<f64> {
        4.0 * tiny::<F>() / epsilon..=F::RANGE.1.sqrt() / 8.0
    }
}

impl<F: Exponential> Step<F> for TwoRelativeDifferences {
    const TWOS: bool = true;

    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let (d, s) = difference_and_sum(a, b);
        d.mul_add(s.reciprocal(), total)
    }

    #[inline(always)]
    fn two<S: Simd>(self, total: Lanes<F, S>, a: [Lanes<F, S>; 2], b: [Lanes<F, S>; 2]) -> Lanes<F, S> {
        let ((p, r), (q, s)) = (difference_and_sum(a[0], b[0]), difference_and_sum(a[1], b[1]));
        p.mul_add(s, q * r).mul_add((r * s).reciprocal(), total)
    }
}

/// `|a - b|` and `|a| + |b|`, where a tiny number stands for a sum of 0: in any other it is lost, and so is the order of `a` and `b`.
#[inline(always)]
fn difference_and_sum<F: Exponential, S: Simd>(a: Lanes<F, S>, b: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
    ((a - b).abs(), (a.abs() + Lanes::of(tiny::<F>())) + b.abs())
}

/// Its square is a normal number.
fn tiny<F: Exponential>() -> f64 {
    2.0 * F::RANGE.0.sqrt()
}

impl<F: Element, const P: u32> Step<F> for Power<P> {
    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let d = (a - b).abs();
        let mut power = d;
        for _ in 2..P {
            power = power * d;
        }
        if P == 1 { total + d } else { power.mul_add(d, total) }
    }
}
