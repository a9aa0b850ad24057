//! What the kernels ask of a float.

use linfa::Float;

use crate::kernel::exp::Exponential;

/// What a kernel of hidden Markov models asks of a float.
pub trait Real: Float + Exponential {
    /// A vector whose sum is at least this can take one more step without losing digits.
    const LOW: Self;
    /// A step that ends below this has lost digits; and so has a row whose other half is beyond the inverse. Its square is far above the smallest
    /// normal number: what one of the two loses and the other magnifies has no digit.
    const LOST: Self;
    /// A group of steps that ends below this is done again, each step under its own scale.
    const FADED: Self;
    /// Its exponent.
    const FADED_EXPONENT: i64;

    /// The power of two that brings `self` into `[0.5, 1)`, and its exponent, for `self` between [`LOST`](Self::LOST) and its inverse.
    fn rescale(self) -> (Self, i32);
}

impl Real for f64 {
    const LOW: Self = f64::from_bits((1023 - 64) << 52);
    const LOST: Self = f64::from_bits((1023 - 450) << 52);
    const FADED: Self = f64::from_bits((1023 - 450) << 52);
    const FADED_EXPONENT: i64 = -450;

    #[inline(always)]
    fn rescale(self) -> (Self, i32) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "11 bits")]
        let exponent = ((self.to_bits() >> 52) & 0x7ff) as i32 - 1022;
        (f64::from_bits(((1023 - exponent) as u64) << 52), exponent)
    }
}

impl Real for f32 {
    const LOW: Self = f32::from_bits((127 - 24) << 23);
    const LOST: Self = f32::from_bits((127 - 50) << 23);
    const FADED: Self = f32::from_bits((127 - 50) << 23);
    const FADED_EXPONENT: i64 = -50;

    #[inline(always)]
    fn rescale(self) -> (Self, i32) {
        #[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "8 bits")]
        let exponent = ((self.to_bits() >> 23) & 0xff) as i32 - 126;
        (f32::from_bits(((127 - exponent) as u32) << 23), exponent)
    }
}
