//! What one pair of components adds to a sum: the heart of every kernel over two points.

use super::lanes::{Element, Lanes};

/// How a pair of components `(a, b)` goes into a running total, which starts at 0.
///
/// `(0, 0)` must leave every total as it is: kernels fill up to whole registers with zeros.
pub(crate) trait Step<F: Element>: Copy + Send + Sync {
    /// The total with the pair in it.
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V;

    /// The total of two totals.
    #[inline(always)]
    fn join<V: Lanes<Elem = F>>(self, a: V, b: V) -> V {
        a.add(b)
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

/// `sum |a - b|^p` for a whole number `p >= 1`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Power<const P: u32>;

impl<F: Element> Step<F> for Product {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        a.mul_add(b, total)
    }
}

impl<F: Element> Step<F> for SquaredDifference {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        let d = a.sub(b);
        d.mul_add(d, total)
    }
}

impl<F: Element> Step<F> for Difference {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        total.add(a.sub(b).abs())
    }
}

impl<F: Element> Step<F> for Sum {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        total.add(a.add(b).abs())
    }
}

impl<F: Element> Step<F> for LargestDifference {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        total.max(a.sub(b).abs())
    }

    #[inline(always)]
    fn join<V: Lanes<Elem = F>>(self, a: V, b: V) -> V {
        a.max(b)
    }
}

impl<F: Element> Step<F> for Unequal {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        total.add(a.unequal(b))
    }
}

impl<F: Element> Step<F> for RelativeDifference {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        // A denominator of 0 comes with a numerator of 0, so any positive number may stand for it.
        let denominator = a.abs().add(b.abs()).max(V::splat(F::TINIEST));
        total.add(a.sub(b).abs().div(denominator))
    }
}

impl<F: Element, const P: u32> Step<F> for Power<P> {
    #[inline(always)]
    fn step<V: Lanes<Elem = F>>(self, total: V, a: V, b: V) -> V {
        let d = a.sub(b).abs();
        let mut power = d;
        for _ in 2..P {
            power = power.mul(d);
        }
        if P == 1 { total.add(d) } else { power.mul_add(d, total) }
    }
}
