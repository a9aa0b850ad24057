//! One point against one point: a total over the components of two slices.
//!
//! Four registers of totals run side by side, so that no addition waits for the one before it; what is left at the end is filled up
//! with zeros to a whole register. The order is the same on every call, and `fold(a, b)` is `fold(b, a)` to the bit wherever the step
//! is symmetric.

use super::step::{Product, Step};
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// The most numbers that a register holds.
const WIDEST: usize = 16;

/// The total of `step` over the pairs `(a[k], b[k])`; 0 for empty slices.
///
/// # Panics
/// When the slices differ in length.
#[inline]
pub(crate) fn fold<F: Element, P: Step<F>>(step: P, a: &[F], b: &[F]) -> F {
    dispatch(Fold { step, a, b })
}

/// `(a.a, a.b, b.b)`, in one pass; the three sums run in the same order, so that equal slices give three equal numbers.
///
/// # Panics
/// When the slices differ in length.
#[inline]
pub(crate) fn gram<F: Element>(a: &[F], b: &[F]) -> [F; 3] {
    dispatch(Gram { a, b })
}

struct Fold<'a, F, P> {
    step: P,
    a: &'a [F],
    b: &'a [F],
}

impl<F: Element, P: Step<F>> Task for Fold<'_, F, P> {
    type Output = F;

    #[inline(always)]
    fn run<S: Simd>(self) -> F {
        let Self { step, a, b } = self;
        assert_eq!(a.len(), b.len(), "two points need the same number of components");
        let n = Lanes::<F, S>::N;
        let mut total = [Lanes::<F, S>::zero(); 4];
        let (fours_a, fours_b) = (a.chunks_exact(4 * n), b.chunks_exact(4 * n));
        let (ones_a, ones_b) = (fours_a.remainder().chunks_exact(n), fours_b.remainder().chunks_exact(n));
        let (rest_a, rest_b) = (ones_a.remainder(), ones_b.remainder());
        for (a, b) in fours_a.zip(fours_b) {
            total[0] = step.step(total[0], Lanes::load(a), Lanes::load(b));
            total[1] = step.step(total[1], Lanes::load(&a[n..]), Lanes::load(&b[n..]));
            total[2] = step.step(total[2], Lanes::load(&a[2 * n..]), Lanes::load(&b[2 * n..]));
            total[3] = step.step(total[3], Lanes::load(&a[3 * n..]), Lanes::load(&b[3 * n..]));
        }
        for (a, b) in ones_a.zip(ones_b) {
            total[0] = step.step(total[0], Lanes::load(a), Lanes::load(b));
            total.rotate_left(1);
        }
        if !rest_a.is_empty() {
            total[0] = step.step(total[0], padded(rest_a), padded(rest_b));
        }
        across(step, step.join(step.join(total[0], total[1]), step.join(total[2], total[3])))
    }
}

struct Gram<'a, F> {
    a: &'a [F],
    b: &'a [F],
}

impl<F: Element> Task for Gram<'_, F> {
    type Output = [F; 3];

    #[inline(always)]
    fn run<S: Simd>(self) -> [F; 3] {
        let Self { a, b } = self;
        assert_eq!(a.len(), b.len(), "two points need the same number of components");
        let n = Lanes::<F, S>::N;
        let mut even = [Lanes::<F, S>::zero(); 3];
        let mut odd = even;
        let (twos_a, twos_b) = (a.chunks_exact(2 * n), b.chunks_exact(2 * n));
        let (one_a, one_b) = (twos_a.remainder().chunks_exact(n), twos_b.remainder().chunks_exact(n));
        let (rest_a, rest_b) = (one_a.remainder(), one_b.remainder());
        for (a, b) in twos_a.zip(twos_b) {
            add_gram(&mut even, Lanes::load(a), Lanes::load(b));
            add_gram(&mut odd, Lanes::load(&a[n..]), Lanes::load(&b[n..]));
        }
        for (a, b) in one_a.zip(one_b) {
            add_gram(&mut even, Lanes::load(a), Lanes::load(b));
        }
        if !rest_a.is_empty() {
            add_gram(&mut odd, padded(rest_a), padded(rest_b));
        }
        [
            across(Product, even[0] + odd[0]),
            across(Product, even[1] + odd[1]),
            across(Product, even[2] + odd[2]),
        ]
    }
}

#[inline(always)]
fn add_gram<F: Element, S: Simd>(total: &mut [Lanes<F, S>; 3], a: Lanes<F, S>, b: Lanes<F, S>) {
    total[0] = a.mul_add(a, total[0]);
    total[1] = a.mul_add(b, total[1]);
    total[2] = b.mul_add(b, total[2]);
}

/// A register that starts with `values` and ends in zeros.
#[inline(always)]
fn padded<F: Element, S: Simd>(values: &[F]) -> Lanes<F, S> {
    let mut whole = [F::ZERO; WIDEST];
    whole[..values.len()].copy_from_slice(values);
    Lanes::load(&whole)
}

/// The total of the numbers in a register: halves onto each other until one is left.
#[inline(always)]
fn across<F: Element, S: Simd, P: Step<F>>(step: P, mut total: Lanes<F, S>) -> F {
    // Twice the width: what lies above the half that still counts is joined too, and never read again.
    let mut parts = [F::ZERO; 2 * WIDEST];
    let mut half = Lanes::<F, S>::N;
    while half > 1 {
        half /= 2;
        total.store(&mut parts);
        total = step.join(total, Lanes::load(&parts[half..]));
    }
    total.store(&mut parts);
    parts[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};
    use crate::kernel::{
        Difference, LargestDifference, Power, RelativeDifference, SquaredDifference, Sum, Unequal,
    };

    fn points<F: linfa::Float>(n: usize) -> (Vec<F>, Vec<F>) {
        let value = |i: usize| F::cast(((i * 7919 + 13) % 101) as f64 / 25.0 - 2.0);
        let a: Vec<F> = (0..n).map(value).collect();
        let b = (0..n).map(|i| if i % 3 == 0 { a[i] } else { value(i + 1000) }).collect();
        (a, b)
    }

    fn agrees<F: Element + linfa::Float, S: Step<F>>(step: S, naive: impl Fn(&[F], &[F]) -> F) {
        for n in tested(0..=70) {
            let (a, b) = points::<F>(n);
            let expected = naive(&a, &b);
            for isa in available() {
                let got = dispatch_on(isa, Fold { step, a: &a, b: &b });
                let error = (got - expected).abs();
                assert!(
                    error <= expected.abs() * F::epsilon() * F::cast(80),
                    "{isa:?} n {n}: {got} {expected}"
                );
                assert_eq!(got, dispatch_on(isa, Fold { step, a: &b, b: &a }), "{isa:?} n {n}");
            }
        }
    }

    fn every_step_agrees<F: Element + linfa::Float>() {
        let over =
            |f: fn(F, F) -> F| move |a: &[F], b: &[F]| a.iter().zip(b).map(|(&a, &b)| f(a, b)).sum::<F>();
        agrees::<F, _>(SquaredDifference, over(|a, b| (a - b) * (a - b)));
        agrees::<F, _>(Difference, over(|a, b| (a - b).abs()));
        agrees::<F, _>(Sum, over(|a, b| (a + b).abs()));
        agrees::<F, _>(Power::<3>, over(|a, b| (a - b).abs().powi(3)));
        agrees::<F, _>(Unequal, over(|a, b| if a == b { F::zero() } else { F::one() }));
        agrees::<F, _>(
            RelativeDifference,
            over(|a, b| if a == b { F::zero() } else { (a - b).abs() / (a.abs() + b.abs()) }),
        );
        agrees::<F, _>(LargestDifference, |a, b| {
            a.iter().zip(b).map(|(&a, &b)| (a - b).abs()).fold(F::zero(), F::max)
        });
    }

    #[test]
    fn every_step_on_every_instruction_set_is_the_naive_sum() {
        every_step_agrees::<f64>();
        every_step_agrees::<f32>();
    }

    #[test]
    fn the_gram_matrix_of_two_points_is_three_products() {
        for n in tested(0..=70) {
            let (a, b) = points::<f64>(n);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            for isa in available() {
                let got = dispatch_on(isa, Gram { a: &a, b: &b });
                for (got, expected) in got.into_iter().zip([dot(&a, &a), dot(&a, &b), dot(&b, &b)]) {
                    assert!((got - expected).abs() <= 1e-13 * dot(&a, &a).max(1.0), "{isa:?} n {n}");
                }
                let [aa, ab, bb] = dispatch_on(isa, Gram { a: &a, b: &a });
                assert!(aa == ab && ab == bb);
            }
        }
    }

    #[test]
    #[should_panic(expected = "same number of components")]
    fn points_of_different_lengths_are_refused() {
        fold(Difference, &[1.0], &[1.0, 2.0]);
    }
}
