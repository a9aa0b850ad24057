//! The two floating point types: `f32` and `f64`.

use crate::kernel::nets::activation::Real;
use crate::kernel::{Blocks, Columns, Element, Movable};

/// `f32` or `f64`: what records are made of.
///
/// [`linfa::Float`] with this crate's kernels beneath it. Sealed: the kernels exist for these two types.
///
/// # Example
/// ```
/// fn mean<F: sapwood::Float>(x: &[F]) -> F {
///     x.iter().copied().sum::<F>() / F::cast(x.len())
/// }
/// assert_eq!(mean(&[1.0_f32, 2.0, 6.0]), 3.0);
/// ```
#[allow(private_bounds, reason = "the kernels are no part of the public interface")]
pub trait Float:
    linfa::Float + Into<f64> + std::str::FromStr + Blocks + Columns + Movable + Element + Real + sealed::Sealed
{
    /// The value as `f64`, exactly.
    fn as_f64(self) -> f64;

    /// The same numbers where they are `f64` already.
    fn as_f64s(values: &[Self]) -> Option<&[f64]>;

    /// The total order of IEEE 754, for sorting: `-0.0` before `0.0`, NaN at the ends.
    fn total_order(a: &Self, b: &Self) -> std::cmp::Ordering;
}

impl Float for f32 {
    fn as_f64(self) -> f64 {
        f64::from(self)
    }

    fn as_f64s(_: &[f32]) -> Option<&[f64]> {
        None
    }

    fn total_order(a: &f32, b: &f32) -> std::cmp::Ordering {
        a.total_cmp(b)
    }
}

impl Float for f64 {
    fn as_f64(self) -> f64 {
        self
    }

    fn as_f64s(values: &[f64]) -> Option<&[f64]> {
        Some(values)
    }

    fn total_order(a: &f64, b: &f64) -> std::cmp::Ordering {
        a.total_cmp(b)
    }
}

mod sealed {
    pub trait Sealed: crate::kernel::chain::Real {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
}
