//! Sums of powers with any exponent, and of logarithms.
//!
//! A power is `exp(p ln x)`, whose relative error is the absolute error of `p ln x`. So the logarithm is kept as a sum of two numbers: with
//! `x = 2^e m`, `m` between `sqrt(1/2)` and `sqrt(2)`, and `s = (m - 1) / (m + 1)`, it is `e ln 2 + 2 s + s^3 P(s^2)`, and the rounding
//! errors of the first two terms go into the second number. Powers are right to 1.5 units in the last place where the machine has a fused
//! multiply-add; the tests hold them to 1e-15 in f64.

use super::finish::Finish;
use super::step::Step;
use crate::kernel::exp::{Exponential, exp_parts};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::Simd;

/// `sum |a - b|^p` for `p >= 1`; infinite where a power is above `e^709` (f32: `e^87`), and without powers of numbers that are not normal.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PowerOf<F>(pub(crate) F);

/// `sum (a + b) ln(a + b)` of numbers that are not negative, 0 ln 0 being 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entropy;

impl<F: Exponential> Step<F> for PowerOf<F> {
    const LONG: bool = true;

    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let x = (a - b).abs();
        let least = Lanes::of(F::RANGE.0);
        let (log, log_rest) = log_parts(x.max(least));
        let p = Lanes::splat(self.0);
        let y = p * log;
        let rest = p.mul_add(log_rest, p.mul_add(log, -y));
        let (lowest, highest) = (Lanes::of(F::EXP_RANGE.0), Lanes::of(F::EXP_RANGE.1));
        let (scale, r, p) = exp_parts(1.0, y.max(lowest).min(highest), Some(rest));
        let m = (p * r).mul_add(r, r);
        let power = scale.mul_add(m, scale);
        let power = y.one_where_above(highest).mul_add(Lanes::of(F::RANGE.1), power);
        x.one_where_above(least).mul_add(power, total)
    }
}

/// The entry, not negative, to the power; its accuracy and its range are those of a step.
impl<F: Exponential> Finish<F> for PowerOf<F> {
    const WATCHES: bool = false;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let power = self.step(Lanes::zero(), total, Lanes::zero());
        (power, power)
    }
}

impl<F: Exponential> Step<F> for Entropy {
    const LONG: bool = true;

    #[inline(always)]
    fn step<S: Simd>(self, total: Lanes<F, S>, a: Lanes<F, S>, b: Lanes<F, S>) -> Lanes<F, S> {
        let x = a + b;
        let (log, _) = log_parts(x.max(Lanes::of(F::RANGE.0)));
        x.mul_add(log, total)
    }
}

/// `ln x` of positive normal numbers as a number and what its rounding left.
#[inline(always)]
fn log_parts<F: Exponential, S: Simd>(x: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
    let (one, two) = (Lanes::of(1.0), Lanes::of(2.0));
    let (e, m) = x.exponent_and_fraction();
    let upper = m.one_where_above(Lanes::of(std::f64::consts::SQRT_2));
    let (e, m) = (e + upper, (upper * Lanes::of(-0.5)).mul_add(m, m));
    // s = f / (2 + f), and what rounding left of the sum and of the quotient.
    let f = m - one;
    let sum = f + two;
    let sum_rest = f - (sum - two);
    let inverse = sum.reciprocal();
    let s = f * inverse;
    let minus_s = -s;
    let s_rest = minus_s.mul_add(sum_rest, minus_s.mul_add(sum, f)) * inverse;
    let z = s * s;
    let mut series = Lanes::of(F::LOG[F::LOG.len() - 1]);
    for &c in F::LOG[..F::LOG.len() - 1].iter().rev() {
        series = series.mul_add(z, Lanes::of(c));
    }
    // The product with the short part of ln 2 is exact, and it is 0 or larger than 2 s.
    let (whole, twice) = (e * Lanes::of(F::LN_2.0), s + s);
    let log = whole + twice;
    let log_rest = twice - (log - whole);
    let rest = (s * z).mul_add(series, e.mul_add(Lanes::of(F::LN_2.1), (s_rest + s_rest) + log_rest));
    let log_and_rest = log + rest;
    (log_and_rest, rest - (log_and_rest - log))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pairs::tests::tile;
    use crate::kernel::simd::{Isa, Task, available, dispatch_on};
    use crate::kernel::{Panels, TILE, fold};

    /// One step from a total of 0 for each pair.
    struct Steps<'a, F, P>(P, &'a [F], &'a mut [F]);

    impl<F: Exponential, P: Step<F>> Task for Steps<'_, F, P> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            for (x, out) in self.1.chunks_exact(16).zip(self.2.chunks_exact_mut(16)) {
                for at in (0..16).step_by(Lanes::<F, S>::N) {
                    let zero = Lanes::<F, S>::zero();
                    self.0.step(zero, Lanes::load(&x[at..]), zero).store(&mut out[at..]);
                }
            }
        }
    }

    fn steps<F: Exponential>(isa: Isa, step: impl Step<F>, x: &[F]) -> Vec<F> {
        let mut out = vec![F::ZERO; x.len()];
        dispatch_on(isa, Steps(step, x, &mut out));
        out
    }

    /// A multiple of 16 of them.
    fn numbers() -> impl Iterator<Item = f64> {
        let mut state = 1_u64;
        (0..if cfg!(miri) { 32 } else { 160_000 }).map(move |i| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let unit = (state >> 11) as f64 / (1_u64 << 53) as f64;
            // Near 1, of all sizes, and in between.
            match i % 4 {
                0 => 1.0 + (unit - 0.5) / 64.0,
                1 => (unit * 60.0 - 30.0).exp(),
                2 => (unit * 1300.0 - 650.0).exp(),
                _ => unit,
            }
        })
    }

    #[test]
    fn powers_in_f64_are_right_to_1e_15() {
        let x: Vec<f64> = numbers().collect();
        for p in [1.0, 1.5, 2.0, 2.5, std::f64::consts::PI, 7.3, 40.0] {
            for isa in available() {
                // Without a fused multiply-add the logarithm is one number only.
                let rounding = |exact: f64| if isa == Isa::Portable { exact.ln().abs() + 4.0 } else { 0.0 };
                for (got, &x) in steps(isa, PowerOf(p), &x).into_iter().zip(&x) {
                    let exact = x.powf(p);
                    if exact > 1e307 {
                        assert!(got > 1e306, "{isa:?} {x}^{p}");
                    } else if exact < 1e-300 {
                        assert!((0.0..1e-299).contains(&got), "{isa:?} {x}^{p}");
                    } else {
                        let bound = 1e-15 + f64::EPSILON * rounding(exact);
                        assert!((got / exact - 1.0).abs() <= bound, "{isa:?} {x}^{p}: {got} {exact}");
                    }
                }
            }
        }
    }

    #[test]
    fn powers_in_f32_are_right_to_four_units() {
        let x: Vec<f32> = numbers().map(|x| x.clamp(1e-8, 1e8) as f32).collect();
        for p in [1.0, 1.5, 3.7] {
            for isa in available() {
                for (got, &x) in steps(isa, PowerOf(p), &x).into_iter().zip(&x) {
                    let exact = f64::from(x).powf(f64::from(p));
                    let bound = 4.0 * f64::from(f32::EPSILON) * (1.0 + exact.ln().abs() / 8.0);
                    assert!((f64::from(got) / exact - 1.0).abs() <= bound, "{isa:?} {x}^{p}: {got} {exact}");
                }
            }
        }
    }

    #[test]
    fn zeros_have_no_power_and_huge_ones_are_infinite() {
        for isa in available() {
            let mut x = vec![1.0; 16];
            x[..5].copy_from_slice(&[0.0, f64::from_bits(1), f64::MAX, 1e300, -2.0]);
            let got = steps(isa, PowerOf(2.0), &x);
            assert_eq!(got[..4], [0.0, 0.0, f64::INFINITY, f64::INFINITY], "{isa:?}");
            assert!((got[4] - 4.0).abs() < 1e-14, "{isa:?}");
            assert_eq!(steps(isa, Entropy, &[0.0_f32; 16]), [0.0; 16]);
            assert_eq!(steps(isa, Entropy, &[1.0; 16]), [0.0; 16]);
        }
    }

    #[test]
    fn entropies_are_those_of_the_standard_library() {
        let x: Vec<f64> = numbers().collect();
        for isa in available() {
            for (got, &x) in steps(isa, Entropy, &x).into_iter().zip(&x) {
                let exact = x * x.ln();
                assert!((got - exact).abs() <= 1e-15 * exact.abs(), "{isa:?} {x}: {got} {exact}");
            }
            let narrow: Vec<f32> = x.iter().map(|x| x.clamp(1e-30, 1e30) as f32).collect();
            for (got, &x) in steps(isa, Entropy, &narrow).into_iter().zip(&narrow) {
                let exact = f64::from(x) * f64::from(x).ln();
                assert!((f64::from(got) - exact).abs() <= 4e-7 * exact.abs(), "{isa:?} {x}: {got} {exact}");
            }
        }
    }

    #[test]
    fn tiles_and_folds_of_long_steps_are_sums_of_them() {
        for dim in [1, 7, 40, 130].into_iter().take(if cfg!(miri) { 2 } else { 4 }) {
            let value = |i: usize, k: usize| ((i * 31 + k * 17 + i * k) % 23) as f64 / 8.0;
            let point = |i| (0..dim).map(|k| value(i, k)).collect::<Vec<_>>();
            let (panels, _) = Panels::new(30, dim, |i, out: &mut [f64]| out.copy_from_slice(&point(i)));
            let mut out = vec![0.0; TILE * TILE];
            tile(PowerOf(1.5), &panels, 0, &panels, 0, &mut out);
            for (i, j) in [(0, 1), (29, 3), (5, 5)] {
                let exact: f64 = point(i).iter().zip(point(j)).map(|(a, b)| (a - b).abs().powf(1.5)).sum();
                assert!((out[i * TILE + j] - exact).abs() <= 1e-13 * exact);
                assert!((fold(PowerOf(1.5), &point(i), &point(j)) - exact).abs() <= 1e-13 * exact);
            }
        }
    }
}
