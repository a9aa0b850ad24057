//! Sigmoid and tanh in registers.
//!
//! Largest errors in units of the last place, f32 and f64, held by the tests over 400,000 numbers: sigmoid 2.5 and 4.5, tanh 3.2 and 4.5. NaN stays NaN.

use crate::kernel::exp::{Exponential, clamp, exp_parts};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::Simd;

/// `f32` or `f64`, with the constants that kernels need of them.
pub trait Real: Exponential {
    /// Values in 64 bytes: packed arrays are cut into blocks of so many on every machine.
    const BLOCK: usize;
    /// `tanh` is 1 from here on.
    const TANH_END: f64;
}

impl Real for f32 {
    const BLOCK: usize = 16;
    const TANH_END: f64 = 10.0;
}

impl Real for f64 {
    const BLOCK: usize = 8;
    const TANH_END: f64 = 20.0;
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
    let (scale, r, p) = exp_parts(-1.0, clamp(x, -high, -low), None);
    let one = Lanes::of(1.0);
    let exp_of_r = p.mul_add(r, Lanes::of(-1.0)).mul_add(r, one);
    scale.mul_add(exp_of_r, one).reciprocal()
}

/// `tanh(x) = m / (m + 1)` with `2 m = exp(2 x) - 1`, which keeps its digits near 0.
#[inline(always)]
pub(crate) fn tanh<F: Real, S: Simd>(x: Lanes<F, S>) -> Lanes<F, S> {
    let x = clamp(x, -F::TANH_END, F::TANH_END);
    let (scale, r, p) = exp_parts(2.0, x, None);
    let half = Lanes::of(0.5);
    let m = scale.mul_add((p * r).mul_add(r, r), scale.mul_add(half, -half));
    m * (m + Lanes::of(1.0)).reciprocal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::lanes::Element;
    use crate::kernel::simd::{Isa, Task, available, dispatch_on, tested};

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
            tested(0..400_000).map(|i| f32::of((f64::from(i) / 200_000.0 - 1.0).powi(3) * range)).collect();
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
        let x: Vec<f64> =
            tested(0..400_000).map(|i| (f64::from(i) / 200_000.0 - 1.0).powi(3) * range).collect();
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
