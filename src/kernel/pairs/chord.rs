//! Scaled points with the rounding errors of their products, and the squared length of the difference of two such.

use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// `sum_k (a_k s - b_k t)^2`
///
/// Each product is kept with its rounding error (one more fused multiply-add): where the products nearly cancel, their difference is
/// exact and the errors decide. Swapping the two points changes no bit; equal points with equal scales give exactly 0.
///
/// # Panics
/// When the slices differ in length.
pub(crate) fn squared_chord(a: &[f64], s: f64, b: &[f64], t: f64) -> f64 {
    dispatch(SquaredChord { a, s, b, t })
}

struct SquaredChord<'a> {
    a: &'a [f64],
    s: f64,
    b: &'a [f64],
    t: f64,
}

impl Task for SquaredChord<'_> {
    type Output = f64;

    #[inline(always)]
    fn run<S: Simd>(self) -> f64 {
        let Self { a, s, b, t } = self;
        assert_eq!(a.len(), b.len(), "two points need the same number of components");
        let n = Lanes::<f64, S>::N;
        let scales = [Lanes::<f64, S>::splat(s), Lanes::splat(t)];
        let mut total = Lanes::zero();
        let (a, b) = (a.chunks_exact(n), b.chunks_exact(n));
        let (a_rest, b_rest) = (a.remainder(), b.remainder());
        for (a, b) in a.zip(b) {
            total = add_square(total, Lanes::load(a), Lanes::load(b), scales);
        }
        let (mut a_last, mut b_last) = ([0.0; 8], [0.0; 8]);
        a_last[..a_rest.len()].copy_from_slice(a_rest);
        b_last[..b_rest.len()].copy_from_slice(b_rest);
        total = add_square(total, Lanes::load(&a_last), Lanes::load(&b_last), scales);
        let mut parts = [0.0; 8];
        total.store(&mut parts);
        (parts[0] + parts[4]) + (parts[1] + parts[5]) + ((parts[2] + parts[6]) + (parts[3] + parts[7]))
    }
}

/// Writes each product `a_k s` in two parts: rounded to an `F`, and what is left of it, rounded to an `F`.
///
/// # Panics
/// Unless there are two places for each component.
pub(crate) fn products_in_parts<F: Element + Into<f64>>(a: &[f64], s: f64, parts: &mut [F]) {
    assert_eq!(parts.len(), 2 * a.len(), "two parts of each product");
    dispatch(ProductsInParts { a, s, parts });
}

struct ProductsInParts<'a, F> {
    a: &'a [f64],
    s: f64,
    parts: &'a mut [F],
}

impl<F: Element + Into<f64>> Task for ProductsInParts<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { a, s, parts } = self;
        for (parts, &a) in parts.chunks_exact_mut(2).zip(a) {
            let product = a * s;
            // An instruction where there is one, and a call elsewhere.
            let error = a.mul_add(s, -product);
            parts[0] = F::of(product);
            parts[1] = F::of((product - parts[0].into()) + error);
        }
    }
}

#[inline(always)]
fn add_square<S: Simd>(
    total: Lanes<f64, S>,
    a: Lanes<f64, S>,
    b: Lanes<f64, S>,
    [s, t]: [Lanes<f64, S>; 2],
) -> Lanes<f64, S> {
    let (p, q) = (a * s, b * t);
    let (p_error, q_error) = (a.mul_add(s, -p), b.mul_add(t, -q));
    let difference = (p - q) + (p_error - q_error);
    difference.mul_add(difference, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::Isa;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn every_instruction_set_gives_the_naive_sum() {
        for n in tested(0..=70) {
            let a: Vec<f64> = (0..n).map(|k| (f64::from(k) * 0.7).sin()).collect();
            let b: Vec<f64> = (0..n).map(|k| (f64::from(k) * 0.3).cos()).collect();
            let naive: f64 = a.iter().zip(&b).map(|(a, b)| (a * 0.3 - b * 0.2).powi(2)).sum();
            for isa in available() {
                let got = dispatch_on(isa, SquaredChord { a: &a, s: 0.3, b: &b, t: 0.2 });
                assert!((got - naive).abs() <= naive * 1e-14, "{isa:?} n {n}: {got} {naive}");
                assert_eq!(got, dispatch_on(isa, SquaredChord { a: &b, s: 0.2, b: &a, t: 0.3 }));
                assert_eq!(dispatch_on(isa, SquaredChord { a: &a, s: 0.3, b: &a, t: 0.3 }), 0.0);
            }
        }
    }

    #[test]
    fn products_in_parts_are_right_to_twice_the_digits() {
        for isa in available() {
            let a = [1.0 / 3.0, -7.0, 0.0, 1e-5];
            let (mut wide, mut narrow) = ([9.0; 8], [9.0_f32; 8]);
            dispatch_on(isa, ProductsInParts { a: &a, s: 0.1, parts: &mut wide });
            dispatch_on(isa, ProductsInParts { a: &a, s: 0.1, parts: &mut narrow });
            for (k, a) in a.into_iter().enumerate() {
                assert_eq!(wide[2 * k..][..2], [a * 0.1, a.mul_add(0.1, -(a * 0.1))], "{isa:?}");
                let sum = f64::from(narrow[2 * k]) + f64::from(narrow[2 * k + 1]);
                assert_eq!(narrow[2 * k], (a * 0.1) as f32);
                assert!((sum - a * 0.1).abs() <= 2e-15 * a.abs(), "{isa:?}: {sum}");
            }
        }
    }

    #[test]
    fn points_that_nearly_agree_keep_their_digits() {
        // a s - b t = -e / 3 with e far below one rounding of the products.
        let (a, s) = (vec![0.1; 5], 1.0 / 3.0);
        let b: Vec<f64> = a.iter().map(|a| a + 2f64.powi(-50)).collect();
        let expected = 5.0 * (2f64.powi(-50) / 3.0).powi(2);
        for isa in available().into_iter().filter(|&isa| isa > Isa::Portable) {
            let got = dispatch_on(isa, SquaredChord { a: &a, s, b: &b, t: s });
            assert!((got - expected).abs() < expected * 1e-14, "{isa:?}: {got} {expected}");
        }
    }
}
