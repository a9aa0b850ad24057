//! What one pair of components adds to a sum: the heart of every kernel over two points.

use crate::kernel::exp::Exponential;
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::Simd;

/// How a pair of components `(a, b)` goes into a running total, which starts at 0.
///
/// `(0, 0)` must leave every total as it is: kernels fill up to whole registers with zeros.
pub(crate) trait Step<F: Element>: Copy + Send + Sync {
    /// Whether a step takes so long that nothing is gained by many under way at a time.
    const LONG: bool = false;

    /// The total with the pair in it.
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S>;

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
