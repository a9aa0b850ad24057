//! `exp`, once for all kernels.
//!
//! With `x = n ln(2) + r` and `|r| <= ln(2) / 2`: `exp(x) = 2^n exp(r)`, and `exp(r) = 1 + r + r^2 P(r)`. Largest error: 1.5 units
//! in the last place, from -707 to 707, in f32 from -86 to 86.

use super::lanes::{Element, Lanes};
use super::simd::Simd;

/// `f32` or `f64`, with the constants of `exp` and `ln`.
pub trait Exponential: Element {
    /// `1.5 * 2^mantissa + bias`: added to `n`, it leaves `n + bias` in the lowest bits.
    const MAGIC: f64;
    /// Below the first `exp` is 0; up to the second it is finite.
    const EXP_RANGE: (f64, f64);
    /// The logarithm of 2 as a short number and the rest.
    const LN_2: (f64, f64);
    /// `(exp(r) - 1 - r) / r^2` as a polynomial in `r`, the constant first, for `|r| <= ln(2) / 2`.
    const EXP: &'static [f64];
    /// `(ln(1 + s) - ln(1 - s) - 2 s) / s^3` as a polynomial in `s^2`, the constant first, for `|s| <= 3 - 2 sqrt(2)`.
    const LOG: &'static [f64];
    /// The least normal number and the largest.
    const RANGE: (f64, f64);
}

impl Exponential for f32 {
    const MAGIC: f64 = 12_582_912.0 + 127.0;
    const EXP_RANGE: (f64, f64) = (-88.0, 87.0);
    const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_4e-4);
    // The least largest error of `exp(r)`, 3.1e-9 of it.
    const EXP: &'static [f64] =
        &[4.999_999_342_9e-1, 1.666_652_035_5e-1, 4.166_839_131e-2, 8.368_750_498_1e-3, 1.381_452_883_9e-3];
    // Sun Microsystems, fdlibm `e_logf.c`.
    const LOG: &'static [f64] = &[0.666_666_626_93, 0.400_009_721_52, 0.284_987_866_88, 0.242_790_788_41];
    const RANGE: (f64, f64) = (f32::MIN_POSITIVE as f64, f32::MAX as f64);
}

impl Exponential for f64 {
    const MAGIC: f64 = 6_755_399_441_055_744.0 + 1023.0;
    const EXP_RANGE: (f64, f64) = (-709.0, 709.0);
    // Sun Microsystems, fdlibm `e_exp.c`.
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
    // 1 / n!; the first term left out is below 2e-17 of the result.
    const EXP: &'static [f64] = &[
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
        1.0 / 40320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
        1.0 / 479_001_600.0,
        1.0 / 6_227_020_800.0,
    ];
    // Sun Microsystems, fdlibm `e_log.c`; errs by less than 2^-58.
    #[allow(clippy::excessive_precision, reason = "as published")]
    const LOG: &'static [f64] = &[
        6.666_666_666_666_735_13e-1,
        3.999_999_999_940_941_908e-1,
        2.857_142_874_366_239_149e-1,
        2.222_219_843_214_978_396e-1,
        1.818_357_216_161_805_012e-1,
        1.531_383_769_920_937_332e-1,
        1.479_819_860_511_658_591e-1,
    ];
    const RANGE: (f64, f64) = (f64::MIN_POSITIVE, f64::MAX);
}

/// `(2^n, r, p)` with `f x = n ln(2) + f r` and `exp(f r) = 1 + f r + |f| p r^2`, so that `exp(f x)` is `2^n` times that, for `f x` in
/// [`Exponential::EXP_RANGE`]; `f` is 1, -1 or 2. Where `f` is 1, a small `rest` can be added to `x`.
///
/// At the low end `n` is that of the number 0, and `2^n` is 0.
#[inline(always)]
pub(crate) fn exp_parts<F: Exponential, S: Simd>(
    f: f64,
    x: Lanes<F, S>,
    rest: Option<Lanes<F, S>>,
) -> (Lanes<F, S>, Lanes<F, S>, Lanes<F, S>) {
    let magic = Lanes::of(F::MAGIC);
    let t = x.mul_add(Lanes::of(f * std::f64::consts::LOG2_E), magic);
    let n = t - magic;
    let (high, low) = (Lanes::of(-F::LN_2.0 / f), Lanes::of(-F::LN_2.1 / f));
    let r = match rest {
        None => n.mul_add(low, n.mul_add(high, x)),
        Some(rest) => n.mul_add(high, x) + n.mul_add(low, rest),
    };
    let last = F::EXP.len() - 1;
    // Coefficient `k` of `p` is that of the series times `|f| f^k`.
    let mut scale = f * f.signum();
    for _ in 0..last {
        scale *= f;
    }
    let mut p = Lanes::of(F::EXP[last] * scale);
    for &c in F::EXP[..last].iter().rev() {
        scale /= f;
        p = p.mul_add(r, Lanes::of(c * scale));
    }
    (t.exp2_of_low_bits(), r, p)
}

/// `exp(x)`: 0 where it is below the normal numbers, that of the upper end of the range above it; NaN stays.
#[inline(always)]
pub(crate) fn exp<F: Exponential, S: Simd>(x: Lanes<F, S>) -> Lanes<F, S> {
    let (low, high) = F::EXP_RANGE;
    let (scale, r, p) = exp_parts(1.0, clamp(x, low, high), None);
    scale.mul_add((p * r).mul_add(r, r), scale)
}

/// `x` where it lies in `low..=high` or is NaN, else the nearer end.
#[inline(always)]
pub(crate) fn clamp<F: Element, S: Simd>(x: Lanes<F, S>, low: f64, high: f64) -> Lanes<F, S> {
    // The second of the two is the one that stays where it is NaN.
    Lanes::of(high).min(Lanes::of(low).max(x))
}

/// Replaces each number by its exponential; its bits do not depend on its place.
#[inline(always)]
pub(crate) fn exp_all<F: Exponential, S: Simd>(x: &mut [F]) {
    let n = Lanes::<F, S>::N;
    let mut whole = x.chunks_exact_mut(n);
    for x in &mut whole {
        exp(Lanes::<F, S>::load(x)).store(x);
    }
    let rest = whole.into_remainder();
    if !rest.is_empty() {
        let mut room = [F::ZERO; 16];
        room[..rest.len()].copy_from_slice(rest);
        exp(Lanes::<F, S>::load(&room)).store(&mut room);
        rest.copy_from_slice(&room[..rest.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{Task, available, dispatch_on, tested};

    struct Exp<'a, F>(&'a mut [F]);

    impl<F: Exponential> Task for Exp<'_, F> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            exp_all::<F, S>(self.0);
        }
    }

    #[test]
    fn exp_is_right_to_one_and_a_half_ulps() {
        // Close together around 0, and to both ends of the range.
        let numbers =
            |range: f64| tested(0..400_000).map(move |i| (f64::from(i) / 200_000.0 - 1.0).powi(3) * range);
        for isa in available() {
            let x: Vec<f64> = numbers(707.0).collect();
            let mut y = x.clone();
            dispatch_on(isa, Exp(&mut y));
            for (x, y) in x.iter().zip(y) {
                let ulp = 2_f64.powi(x.exp().log2().floor() as i32) * f64::EPSILON;
                assert!((y - x.exp()).abs() <= 1.5 * ulp, "{isa:?}: exp({x}) is not {y}");
            }
            let x: Vec<f32> = numbers(86.0).map(f32::of).collect();
            let mut y = x.clone();
            dispatch_on(isa, Exp(&mut y));
            for (&x, y) in x.iter().zip(y) {
                let exact = f64::from(x).exp();
                let ulp = 2_f64.powi(exact.log2().floor() as i32 - 23);
                assert!((f64::from(y) - exact).abs() <= 1.5 * ulp, "{isa:?}: exp({x}) is not {y}");
            }
        }
    }

    #[test]
    fn exp_is_zero_below_the_normal_numbers_and_nan_stays() {
        for isa in available() {
            let mut x = [f64::NEG_INFINITY, -1e308, -746.0, -709.0, 0.0, -0.0, 1e-300, 1e308, f64::NAN];
            dispatch_on(isa, Exp(&mut x));
            assert_eq!(x[..7], [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0], "{isa:?}");
            assert!((x[7] / 709_f64.exp() - 1.0).abs() < 1e-15 && x[8].is_nan(), "{isa:?}: {x:?}");
            let mut x = [f32::NEG_INFINITY, -1e38, -88.0, 0.0, 1e38, f32::NAN];
            dispatch_on(isa, Exp(&mut x));
            assert_eq!(x[..4], [0.0, 0.0, 0.0, 1.0], "{isa:?}");
            assert!((x[4] / 87_f32.exp() - 1.0).abs() < 1e-6 && x[5].is_nan(), "{isa:?}: {x:?}");
        }
    }

    #[test]
    fn every_length_gives_the_bits_of_its_elements() {
        for isa in available() {
            for n in tested(0..=70_u8) {
                let x: Vec<f64> = (0..n).map(|i| f64::from(i) * 0.37 - 9.0).collect();
                let mut whole = x.clone();
                dispatch_on(isa, Exp(&mut whole));
                for (i, &v) in x.iter().enumerate() {
                    let mut one = [v];
                    dispatch_on(isa, Exp(&mut one));
                    assert_eq!(whole[i], one[0], "{isa:?} {n} {i}");
                }
            }
        }
    }
}
