//! `exp` of slices of `f64`, and `log(1 + x)` for other kernels, a vector at a time.
//!
//! The bodies are straight-line arithmetic without a branch or a table, so the compiler turns the loop over a slice into vector code.
//! The tests hold both to 2 ulp of the standard library.

use crate::kernel::simd::{Simd, Task, dispatch, fma};

/// `1 / n!` for `n` in `2..=13`: the Taylor polynomial of `exp` on `|r| <= ln(2) / 2` errs by less than 2^-57.
const INVERSE_FACTORIALS: [f64; 12] = [
    1.0 / 2.0,
    1.0 / 6.0,
    1.0 / 24.0,
    1.0 / 120.0,
    1.0 / 720.0,
    1.0 / 5_040.0,
    1.0 / 40_320.0,
    1.0 / 362_880.0,
    1.0 / 3_628_800.0,
    1.0 / 39_916_800.0,
    1.0 / 479_001_600.0,
    1.0 / 6_227_020_800.0,
];

/// `ln(2)` in two parts; the first has 21 trailing zeros, so that its product with an exponent is exact (Cody & Waite 1980).
const LN_2_HIGH: f64 = f64::from_bits(0x3fe6_2e42_fee0_0000);
const LN_2_LOW: f64 = f64::from_bits(0x3dea_39ef_3579_3c76);

/// `2^52 + 2^51`: adding it rounds to an integer, which then stands in the low bits.
const ROUND: f64 = 6_755_399_441_055_744.0;

/// `exp(x)`: `x = k ln(2) + r`, so `exp(x) = 2^k exp(r)`.
#[inline(always)]
pub(super) fn exp_one<S: Simd>(x: f64) -> f64 {
    // Beyond these bounds the result is 0 or infinity all the same; NaN falls through `max` and is put back at the end.
    #[allow(clippy::manual_clamp, reason = "`clamp` keeps NaN, and then the integer part would be NaN too")]
    let clamped = x.max(-746.0).min(710.0);
    let shifted = fma::<_, S>(clamped, std::f64::consts::LOG2_E, ROUND);
    let k = shifted - ROUND;
    let r = fma::<_, S>(-k, LN_2_LOW, fma::<_, S>(-k, LN_2_HIGH, clamped));
    let mut p = INVERSE_FACTORIALS[11];
    let mut n = 11;
    while n > 0 {
        n -= 1;
        p = fma::<_, S>(p, r, INVERSE_FACTORIALS[n]);
    }
    let e = 1.0 + fma::<_, S>(r * r, p, r);
    // 2^k in two factors, so that results below the normal range and infinity come out by themselves. Added to ROUND, an
    // integer stands in the low bits, and the shift leaves only the exponent's.
    let half = (0.5 * k + ROUND) - ROUND;
    let y = e
        * f64::from_bits((half + (ROUND + 1023.0)).to_bits() << 52)
        * f64::from_bits((k - half + (ROUND + 1023.0)).to_bits() << 52);
    if x.is_nan() { x } else { y }
}

/// `log(1 + e)` for `0 <= e <= 1`.
///
/// With `1 + e = 2^k (1 + f)`, `k` 0 or 1 and `s = f / (2 + f)`: `log(1 + f) = 2 atanh(s) = 2 s + 2 s^3 / 3 + ..`. Both choices of `f` are
/// exact, so nothing is lost for small `e`. The coefficients are those of fdlibm's `log` (Sun Microsystems 1993), within 2^-58.45.
#[inline(always)]
pub(super) fn log_1p_unit<S: Simd>(e: f64) -> f64 {
    #[allow(clippy::excessive_precision, reason = "as published")]
    const SERIES: [f64; 7] = [
        6.666_666_666_666_735_13e-1,
        3.999_999_999_940_941_908e-1,
        2.857_142_874_366_239_149e-1,
        2.222_219_843_214_978_396e-1,
        1.818_357_216_161_805_012e-1,
        1.531_383_769_920_937_332e-1,
        1.479_819_860_511_658_591e-1,
    ];
    let halve = e > std::f64::consts::SQRT_2 - 1.0;
    let f = if halve { 0.5 * (e - 1.0) } else { e };
    let (high, low) = if halve { (LN_2_HIGH, LN_2_LOW) } else { (0.0, 0.0) };
    let s = f / (2.0 + f);
    let z = s * s;
    let mut r = SERIES[6];
    let mut n = 6;
    while n > 0 {
        n -= 1;
        r = fma::<_, S>(r, z, SERIES[n]);
    }
    let half_square = 0.5 * f * f;
    high - ((half_square - fma::<_, S>(s, half_square + r * z, low)) - f)
}

struct Exp<'a> {
    x: &'a mut [f64],
}

impl Task for Exp<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        for v in self.x {
            *v = exp_one::<S>(*v);
        }
    }
}

/// Replaces each value by its exponential.
#[allow(dead_code, reason = "for other models' kernels")]
pub(crate) fn exp(x: &mut [f64]) {
    dispatch(Exp { x });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on};

    /// Distance in units in the last place of `b`.
    fn ulps(a: f64, b: f64) -> f64 {
        if a == b || (a.is_nan() && b.is_nan()) {
            return 0.0;
        }
        let spacing = f64::from_bits(b.abs().to_bits() + 1) - b.abs();
        (a - b).abs() / spacing
    }

    fn arguments() -> Vec<f64> {
        let mut x: Vec<f64> = (-7_500..=7_200).map(|i| f64::from(i) * 0.1 + 1e-3).collect();
        x.extend((0..2_000).map(|i| f64::from(i) * 1e-3 - 1.0));
        x.extend([0.0, -0.0, 1e-300, -1e-20, 709.78, -745.1, 1e308, -1e308]);
        x.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
        x
    }

    #[test]
    fn exp_agrees_with_the_standard_library_to_two_ulps_everywhere() {
        for isa in available() {
            let mut y = arguments();
            dispatch_on(isa, Exp { x: &mut y });
            for (x, y) in arguments().into_iter().zip(y) {
                assert!(ulps(y, x.exp()) <= 2.0, "{isa:?} exp({x}) = {y}, not {}", x.exp());
            }
        }
    }

    struct Log1p(f64);

    impl Task for Log1p {
        type Output = f64;

        #[inline(always)]
        fn run<S: Simd>(self) -> f64 {
            log_1p_unit::<S>(self.0)
        }
    }

    #[test]
    fn log_1p_agrees_with_the_standard_library_to_two_ulps_between_zero_and_one() {
        for i in 0..=100_000 {
            let e = f64::from(i) / 100_000.0;
            for e in [e, e * 1e-8, e * 1e-300] {
                for isa in available() {
                    let y = dispatch_on(isa, Log1p(e));
                    assert!(ulps(y, e.ln_1p()) <= 2.0, "{isa:?} log(1 + {e}) = {y}, not {}", e.ln_1p());
                }
            }
        }
    }

    #[test]
    fn every_length_gives_the_bits_of_its_elements() {
        for isa in available() {
            for n in 0..=70_u8 {
                let x: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.37 - 9.0).collect();
                let mut whole = x.clone();
                dispatch_on(isa, Exp { x: &mut whole });
                for (i, &v) in x.iter().enumerate() {
                    let mut one = [v];
                    dispatch_on(isa, Exp { x: &mut one });
                    assert_eq!(whole[i], one[0], "{isa:?} {n} {i}");
                }
            }
        }
    }
}
