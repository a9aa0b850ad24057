//! `exp`, sigmoid and tanh in registers.
//!
//! Largest errors in units of the last place, f32 and f64, held by the tests over 400,000 numbers: exp 1.5 and 1.5, sigmoid 2.5 and 4.5,
//! tanh 3.2 and 4.5. NaN stays NaN.

use super::vector::{Real, Register, Vector};

/// `(2^n, exp(r) - 1)` with `x = n ln(2) + r`, so that `exp(x) = 2^n (1 + (exp(r) - 1))`.
#[inline(always)]
fn exp_parts<R: Register>(x: Vector<R>) -> (Vector<R>, Vector<R>) {
    let magic = Vector::of(R::Scalar::MAGIC);
    let t = x.mul_add(Vector::of(std::f64::consts::LOG2_E), magic);
    let n = t - magic;
    let r = n.mul_add(Vector::of(-R::Scalar::LN_2.0), x);
    let r = n.mul_add(Vector::of(-R::Scalar::LN_2.1), r);
    let mut p = Vector::of(R::Scalar::EXP[R::Scalar::EXP.len() - 1]);
    for &c in R::Scalar::EXP[..R::Scalar::EXP.len() - 1].iter().rev() {
        p = p.mul_add(r, Vector::of(c));
    }
    (t.exp2_of_magic(), (p * r).mul_add(r, r))
}

/// `exp(x)`, with `x` moved into the range where the result is a normal number.
#[inline(always)]
pub(crate) fn exp<R: Register>(x: Vector<R>) -> Vector<R> {
    let (low, high) = R::Scalar::EXP_RANGE;
    let (scale, m) = exp_parts(x.clamp(low, high));
    scale.mul_add(m, scale)
}

/// `1 / (1 + exp(-x))`.
#[inline(always)]
pub(crate) fn sigmoid<R: Register>(x: Vector<R>) -> Vector<R> {
    (Vector::of(1.0) + exp(-x)).reciprocal()
}

/// `tanh(x) = m / (m + 2)` with `m = exp(2 x) - 1`, which keeps its digits near 0.
#[inline(always)]
pub(crate) fn tanh<R: Register>(x: Vector<R>) -> Vector<R> {
    let x = x.clamp(-R::Scalar::TANH_END, R::Scalar::TANH_END);
    let (scale, m) = exp_parts(x + x);
    let m = scale.mul_add(m, scale - Vector::of(1.0));
    m * (m + Vector::of(2.0)).reciprocal()
}

#[cfg(test)]
mod tests {
    use super::super::vector::Task;
    use super::*;
    use crate::kernel::{Isa, available};

    #[derive(Clone, Copy)]
    enum Function {
        Exp,
        Sigmoid,
        Tanh,
    }

    struct Map<'a, F>(Function, &'a mut [F]);

    impl<F: Real> Task<F> for Map<'_, F> {
        type Output = ();

        #[inline(always)]
        fn run<R: Register<Scalar = F>>(self) {
            let Self(function, x) = self;
            let mut room = [F::of(0.0); 16];
            // Whole registers, the last filled up.
            for x in x.chunks_mut(R::LANES) {
                room[..x.len()].copy_from_slice(x);
                // SAFETY: no register has more than 16 lanes.
                unsafe {
                    let v = Vector::<R>::load(room.as_ptr());
                    let v = match function {
                        Function::Exp => exp(v),
                        Function::Sigmoid => sigmoid(v),
                        Function::Tanh => tanh(v),
                    };
                    v.store(room.as_mut_ptr());
                }
                x.copy_from_slice(&room[..x.len()]);
            }
        }
    }

    fn naive(function: Function, x: f64) -> f64 {
        match function {
            Function::Exp => x.exp(),
            Function::Sigmoid => 1.0 / (1.0 + (-x).exp()),
            Function::Tanh => x.tanh(),
        }
    }

    /// Largest distance in units of the last place of `f32`, over 400,000 numbers in the range.
    fn worst_f32(isa: Isa, function: Function, range: f64) -> f64 {
        let x: Vec<f32> =
            (0..400_000).map(|i| f32::of((f64::from(i) / 200_000.0 - 1.0).powi(3) * range)).collect();
        let mut y = x.clone();
        f32::run_on(isa, Map(function, &mut y));
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
        f64::run_on(isa, Map(function, &mut y));
        let ulps = x.iter().zip(&y).filter(|(x, _)| **x != 0.0).map(|(&x, &y)| {
            let exact = naive(function, x);
            (y - exact).abs() / 2_f64.powi(exact.abs().log2().floor() as i32 - 52)
        });
        ulps.fold(0.0, f64::max)
    }

    #[test]
    fn errors_stay_within_the_stated_ulps() {
        for isa in available() {
            for (function, range, ulps_f32, ulps_f64) in [
                (Function::Exp, 80.0, 1.5, 1.5),
                (Function::Sigmoid, 80.0, 2.5, 4.5),
                (Function::Tanh, 12.0, 3.2, 4.5),
            ] {
                let (of_f32, of_f64) = (worst_f32(isa, function, range), worst_f64(isa, function, range));
                assert!(of_f32 <= ulps_f32, "{isa:?}: {of_f32} ulp of f32");
                assert!(of_f64 <= ulps_f64, "{isa:?}: {of_f64} ulp of f64");
            }
        }
    }

    #[test]
    fn the_ends_saturate_and_nan_stays() {
        for isa in available() {
            for function in [Function::Exp, Function::Sigmoid, Function::Tanh] {
                let mut y = [f32::NAN, -1e30, 1e30, 0.0, f32::NEG_INFINITY, f32::INFINITY];
                f32::run_on(isa, Map(function, &mut y));
                assert!(y[0].is_nan());
                let (low, high, zero) = match function {
                    Function::Exp => ((-87_f32).exp(), 87_f32.exp(), 1.0),
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
