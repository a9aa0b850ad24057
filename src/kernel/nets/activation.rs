//! Sigmoid and tanh in registers.
//!
//! Largest errors in units of the last place, f32 and f64, held by the tests over 400,000 numbers: sigmoid 2.5 and 4.5, tanh 3.2 and 4.5. NaN stays
//! NaN.

use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::Simd;

/// `f32` or `f64`, with the constants that kernels need of them.
pub trait Real: Element {
    /// Values in 64 bytes: packed arrays are cut into blocks of so many on every machine.
    const BLOCK: usize;
    /// `1.5 * 2^mantissa + bias`: added to `n`, it leaves `n + bias` in the lowest bits.
    const MAGIC: f64;
    /// `exp` of anything in this range is a normal number.
    const EXP_RANGE: (f64, f64);
    /// The logarithm of 2 as a short number and the rest.
    const LN_2: (f64, f64);
    /// `(exp(r) - 1 - r) / r^2` as a polynomial in `r`, the constant first, for `|r| <= ln(2) / 2`.
    const EXP: &'static [f64];
    /// `tanh` is 1 from here on.
    const TANH_END: f64;
    /// `(ln(1 + s) - ln(1 - s) - 2 s) / s^3` as a polynomial in `s^2`, the constant first, for `|s| <= 3 - 2 sqrt(2)`.
    const LOG: &'static [f64];
    /// The least normal number and the largest.
    const RANGE: (f64, f64);
}

impl Real for f32 {
    const BLOCK: usize = 16;
    const MAGIC: f64 = 12_582_912.0 + 127.0;
    const EXP_RANGE: (f64, f64) = (-87.0, 87.0);
    const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_4e-4);
    // The least largest error of `exp(r)`, 3.1e-9 of it.
    const EXP: &'static [f64] =
        &[4.999_999_342_9e-1, 1.666_652_035_5e-1, 4.166_839_131e-2, 8.368_750_498_1e-3, 1.381_452_883_9e-3];
    const TANH_END: f64 = 10.0;
    // Sun Microsystems, fdlibm `e_logf.c`.
    const LOG: &'static [f64] = &[0.666_666_626_93, 0.400_009_721_52, 0.284_987_866_88, 0.242_790_788_41];
    const RANGE: (f64, f64) = (f32::MIN_POSITIVE as f64, f32::MAX as f64);
}

impl Real for f64 {
    const BLOCK: usize = 8;
    const MAGIC: f64 = 6_755_399_441_055_744.0 + 1023.0;
    const EXP_RANGE: (f64, f64) = (-708.0, 709.0);
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
    const TANH_END: f64 = 20.0;
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

/// `(2^n, r, p)` with `f x = n ln(2) + f r` and `exp(f r) = 1 + f r + |f| p r^2`, so that `exp(f x)` is `2^n` times that; `f` is 1, -1 or 2.
#[inline(always)]
fn exp_parts<F: Real, S: Simd>(f: f64, x: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>, Lanes<F, S>) {
    let magic = Lanes::of(F::MAGIC);
    let t = x.mul_add(Lanes::of(f * std::f64::consts::LOG2_E), magic);
    let n = t - magic;
    let r = n.mul_add(Lanes::of(-F::LN_2.0 / f), x);
    let r = n.mul_add(Lanes::of(-F::LN_2.1 / f), r);
    let last = F::EXP.len() - 1;
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

/// `x` where it lies in `low..=high` or is NaN, else the nearer end.
#[inline(always)]
fn clamp<F: Real, S: Simd>(x: Lanes<F, S>, low: f64, high: f64) -> Lanes<F, S> {
    // The second of the two is the one that stays where it is NaN.
    Lanes::of(high).min(Lanes::of(low).max(x))
}

/// The larger of `x` and 0; NaN stays.
#[inline(always)]
pub(crate) fn relu<F: Real, S: Simd>(x: Lanes<F, S>) -> Lanes<F, S> {
    Lanes::zero().max(x)
}

/// `1 / (1 + exp(-x))`, where `exp(-x)` is moved into the range of normal numbers.
#[inline(always)]
pub(crate) fn sigmoid<F: Real, S: Simd>(x: Lanes<F, S>) -> Lanes<F, S> {
    let (low, high) = F::EXP_RANGE;
    let (scale, r, p) = exp_parts(-1.0, clamp(x, -high, -low));
    let one = Lanes::of(1.0);
    let exp_of_r = p.mul_add(r, Lanes::of(-1.0)).mul_add(r, one);
    scale.mul_add(exp_of_r, one).reciprocal()
}

/// `tanh(x) = m / (m + 1)` with `2 m = exp(2 x) - 1`, which keeps its digits near 0.
#[inline(always)]
pub(crate) fn tanh<F: Real, S: Simd>(x: Lanes<F, S>) -> Lanes<F, S> {
    let x = clamp(x, -F::TANH_END, F::TANH_END);
    let (scale, r, p) = exp_parts(2.0, x);
    let half = Lanes::of(0.5);
    let m = scale.mul_add((p * r).mul_add(r, r), scale.mul_add(half, -half));
    m * (m + Lanes::of(1.0)).reciprocal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::Isa;
    use crate::kernel::simd::{Task, available, dispatch_on};

    #[derive(Clone, Copy)]
    enum Function {
        Sigmoid,
        Tanh,
    }

    struct Map<'a, F>(Function, &'a mut [F]);

    impl<F: Real> Task for Map<'_, F> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            let Self(function, x) = self;
            let mut room = [F::of(0.0); 16];
            // Whole registers, the last filled up.
            for x in x.chunks_mut(Lanes::<F, S>::N) {
                room[..x.len()].copy_from_slice(x);
                // SAFETY: no register has more than 16 lanes.
                unsafe {
                    let v = Lanes::<F, S>::read(room.as_ptr());
                    let v = match function {
                        Function::Sigmoid => sigmoid(v),
                        Function::Tanh => tanh(v),
                    };
                    v.write(room.as_mut_ptr());
                }
                x.copy_from_slice(&room[..x.len()]);
            }
        }
    }

    fn naive(function: Function, x: f64) -> f64 {
        match function {
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Tanh => x.tanh(),
        }
    }

    /// Largest distance in units of the last place of `f32`, over 400,000 numbers in the range.
    fn worst_f32(isa: Isa, function: Function, range: f64) -> f64 {
        let x: Vec<f32> =
            (0..400_000).map(|i| f32::of((f64::from(i) / 200_000.0 - 1.0).powi(3) * range)).collect();
        let mut y = x.clone();
        dispatch_on(isa, Map(function, &mut y));
        let ulps = x.iter().zip(&y).map(|(&x, &y)| {
            let exact = naive(function, f64::from(x));
            let ulp = 2_f64.powi((exact.abs().log2().floor() as i32).max(-126) - 23);
            (f64::from(y) - exact).abs() / ulp
        });
        ulps.fold(0.0, f64::max)
    }

    /// The same for `f64`, as far as the standard library is exact.
    fn worst_f64(isa: Isa, function: Function, range: f64) -> f64 {
        let x: Vec<f64> = (0..400_000).map(|i| (f64::from(i) / 200_000.0 - 1.0).powi(3) * range).collect();
        let mut y = x.clone();
        dispatch_on(isa, Map(function, &mut y));
        let ulps = x.iter().zip(&y).filter(|(x, _)| **x != 0.0).map(|(&x, &y)| {
            let exact = naive(function, x);
            (y - exact).abs() / 2_f64.powi(exact.abs().log2().floor() as i32 - 52)
        });
        ulps.fold(0.0, f64::max)
    }

    #[test]
    fn errors_stay_within_the_stated_ulps() {
        for isa in available() {
            for (function, range, ulps_f32, ulps_f64) in
                [(Function::Sigmoid, 80.0, 2.5, 4.5), (Function::Tanh, 12.0, 3.2, 4.5)]
            {
                let (of_f32, of_f64) = (worst_f32(isa, function, range), worst_f64(isa, function, range));
                assert!(of_f32 <= ulps_f32, "{isa:?}: {of_f32} ulp of f32");
                assert!(of_f64 <= ulps_f64, "{isa:?}: {of_f64} ulp of f64");
            }
        }
    }

    #[test]
    fn the_ends_saturate_and_nan_stays() {
        for isa in available() {
            for function in [Function::Sigmoid, Function::Tanh] {
                let mut y = [f32::NAN, -1e30, 1e30, 0.0, f32::NEG_INFINITY, f32::INFINITY];
                dispatch_on(isa, Map(function, &mut y));
                assert!(y[0].is_nan());
                let (low, high, zero) = match function {
                    Function::Sigmoid => (1.0 / (1.0 + 87_f32.exp()), 1.0, 0.5),
                    Function::Tanh => (-1.0, 1.0, 0.0),
                };
                for (y, expected) in y[1..].iter().zip([low, high, zero, low, high]) {
                    assert!((y - expected).abs() <= 1e-6 * expected.abs(), "{isa:?}: {y} is not {expected}");
                }
            }
        }
    }
}
