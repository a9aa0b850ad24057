//! What the kernels ask of a float.

use linfa::Float;

use crate::kernel::lanes::Element;

use crate::kernel::simd::{Simd, fma};

/// What a kernel of hidden Markov models asks of a float.
pub trait Real: Float + Element {
    /// A vector whose sum is at least this can take one more step without losing digits.
    const LOW: Self;
    /// A step that ends below this has lost digits.
    const LOST: Self;
    /// A group of steps that ends below this is done again, each step under its own scale.
    const FADED: Self;
    /// Its exponent.
    const FADED_EXPONENT: i64;
    /// Below this, [`exp`](Self::exp_flushed) is 0.
    const EXP_ZERO: Self;

    /// `exp(x)` for `x <= 0` to an ulp or so, 0 where the result is subnormal; one that the compiler can vectorise.
    fn exp_flushed<S: Simd>(self) -> Self;

    /// The power of two that brings `self > 0` into `[0.5, 1)`, and its exponent.
    fn rescale(self) -> (Self, i32);
}

impl Real for f64 {
    const LOW: Self = f64::from_bits((1023 - 64) << 52);
    const LOST: Self = f64::from_bits((1023 - 900) << 52);
    const FADED: Self = f64::from_bits((1023 - 450) << 52);
    const FADED_EXPONENT: i64 = -450;
    const EXP_ZERO: Self = -708.0;

    #[inline(always)]
    fn exp_flushed<S: Simd>(self) -> Self {
        // x = n ln 2 + r with |r| <= ln 2 / 2; n is read from the low bits of x / ln 2 + 1.5 2^52.
        const SHIFT: f64 = 6_755_399_441_055_744.0;
        let x = if self > Self::EXP_ZERO { self } else { Self::EXP_ZERO };
        let shifted = fma::<f64, S>(x, std::f64::consts::LOG2_E, SHIFT);
        let n = shifted - SHIFT;
        let r = fma::<f64, S>(n, -6.931_471_803_691_238e-1, x);
        let r = fma::<f64, S>(n, -1.908_214_929_270_587_7e-10, r);
        // Taylor's series to r^13: the rest is below 1e-17.
        let mut p = 1.0 / 6_227_020_800.0;
        for c in [
            1.0 / 479_001_600.0,
            1.0 / 39_916_800.0,
            1.0 / 3_628_800.0,
            1.0 / 362_880.0,
            1.0 / 40_320.0,
            1.0 / 5_040.0,
            1.0 / 720.0,
            1.0 / 120.0,
            1.0 / 24.0,
            1.0 / 6.0,
            0.5,
            1.0,
            1.0,
        ] {
            p = fma::<f64, S>(p, r, c);
        }
        let scaled = f64::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 52));
        if self > Self::EXP_ZERO { scaled } else { 0.0 }
    }

    fn rescale(self) -> (Self, i32) {
        #[allow(clippy::cast_possible_truncation, reason = "11 bits")]
        let exponent = ((self.to_bits() >> 52) & 0x7ff) as i32 - 1022;
        (f64::powi(2.0, -exponent), exponent)
    }
}

impl Real for f32 {
    const LOW: Self = f32::from_bits((127 - 24) << 23);
    const LOST: Self = f32::from_bits((127 - 96) << 23);
    const FADED: Self = f32::from_bits((127 - 72) << 23);
    const FADED_EXPONENT: i64 = -72;
    const EXP_ZERO: Self = -87.0;

    #[inline(always)]
    fn exp_flushed<S: Simd>(self) -> Self {
        const SHIFT: f32 = 12_582_912.0;
        let x = if self > Self::EXP_ZERO { self } else { Self::EXP_ZERO };
        let shifted = fma::<f32, S>(x, std::f32::consts::LOG2_E, SHIFT);
        let n = shifted - SHIFT;
        let r = fma::<f32, S>(n, -0.693_359_4, x);
        let r = fma::<f32, S>(n, 2.121_944_4e-4, r);
        let mut p = 1.0 / 5_040.0;
        for c in [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0] {
            p = fma::<f32, S>(p, r, c);
        }
        let scaled = f32::from_bits(p.to_bits().wrapping_add(shifted.to_bits() << 23));
        if self > Self::EXP_ZERO { scaled } else { 0.0 }
    }

    fn rescale(self) -> (Self, i32) {
        #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "8 bits")]
        let exponent = ((self.to_bits() >> 23) & 0xff) as i32 - 126;
        (f32::powi(2.0, -exponent), exponent)
    }
}
