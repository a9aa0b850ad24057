//! `log(1 + x)` for other kernels: straight-line arithmetic without a branch or a table, so a loop over it becomes vector code.

use crate::kernel::exp::Exponential;
use crate::kernel::simd::{Simd, fma};

/// `log(1 + e)` for `0 <= e <= 1`.
///
/// With `1 + e = 2^k (1 + f)`, `k` 0 or 1 and `s = f / (2 + f)`: `log(1 + f) = 2 atanh(s) = 2 s + 2 s^3 / 3 + ..`. Both choices of `f` are
/// exact, so nothing is lost for small `e`. The coefficients are [`Exponential::LOG`].
#[inline(always)]
pub(super) fn log_1p_unit<S: Simd>(e: f64) -> f64 {
    let halve = e > std::f64::consts::SQRT_2 - 1.0;
    let f = if halve { 0.5 * (e - 1.0) } else { e };
    let (high, low) = if halve { f64::LN_2 } else { (0.0, 0.0) };
    let s = f / (2.0 + f);
    let z = s * s;
    let mut n = f64::LOG.len() - 1;
    let mut r = f64::LOG[n];
    while n > 0 {
        n -= 1;
        r = fma::<_, S>(r, z, f64::LOG[n]);
    }
    let half_square = 0.5 * f * f;
    high - ((half_square - fma::<_, S>(s, half_square + r * z, low)) - f)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{Task, available, dispatch_on, tested};

    /// Distance in units in the last place of `b`.
    fn ulps(a: f64, b: f64) -> f64 {
        if a == b || (a.is_nan() && b.is_nan()) {
            return 0.0;
        }
        let spacing = f64::from_bits(b.abs().to_bits() + 1) - b.abs();
        (a - b).abs() / spacing
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
        for i in tested(0..=100_000) {
            let e = f64::from(i) / 100_000.0;
            for e in [e, e * 1e-8, e * 1e-300] {
                for isa in available() {
                    let y = dispatch_on(isa, Log1p(e));
                    assert!(ulps(y, e.ln_1p()) <= 2.0, "{isa:?} log(1 + {e}) = {y}, not {}", e.ln_1p());
                }
            }
        }
    }
}
