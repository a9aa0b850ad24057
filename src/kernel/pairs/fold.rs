//! One point against one point: a total over the components of two slices.
//!
//! Four registers of totals run side by side, so that no addition waits for the one before it; what is left at the end is filled up
//! with zeros to a whole register. The order is the same on every call, and `fold(a, b)` is `fold(b, a)` to the bit wherever the step
//! is symmetric.

use super::lanes::{Element, Lanes};
use super::step::{Product, Step};
use crate::kernel::{Isa, isa};

/// The most numbers that a register holds.
const WIDEST: usize = 16;

/// The total of `step` over the pairs `(a[k], b[k])`; 0 for empty slices.
///
/// # Panics
/// When the slices differ in length.
#[inline]
pub(crate) fn fold<F: Element, S: Step<F>>(step: S, a: &[F], b: &[F]) -> F {
    fold_on(isa(), step, a, b)
}

/// `(a.a, a.b, b.b)`, in one pass; the three sums run in the same order, so that equal slices give three equal numbers.
///
/// # Panics
/// When the slices differ in length.
#[inline]
pub(crate) fn gram<F: Element>(a: &[F], b: &[F]) -> [F; 3] {
    gram_on(isa(), a, b)
}

fn fold_on<F: Element, S: Step<F>>(isa: Isa, step: S, a: &[F], b: &[F]) -> F {
    assert_eq!(a.len(), b.len(), "two points need the same number of components");
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: `isa` names only what this machine has.
        Isa::Avx512 => return unsafe { fold_avx512(step, a, b) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { fold_avx2(step, a, b) },
        Isa::Portable => {}
    }
    let _ = isa;
    fold_body::<F::Portable, S>(step, a, b)
}

fn gram_on<F: Element>(isa: Isa, a: &[F], b: &[F]) -> [F; 3] {
    assert_eq!(a.len(), b.len(), "two points need the same number of components");
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: `isa` names only what this machine has.
        Isa::Avx512 => return unsafe { gram_avx512(a, b) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { gram_avx2(a, b) },
        Isa::Portable => {}
    }
    let _ = isa;
    gram_body::<F::Portable>(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn fold_avx512<F: Element, S: Step<F>>(step: S, a: &[F], b: &[F]) -> F {
    fold_body::<F::Avx512, S>(step, a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn fold_avx2<F: Element, S: Step<F>>(step: S, a: &[F], b: &[F]) -> F {
    fold_body::<F::Avx2, S>(step, a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn gram_avx512<F: Element>(a: &[F], b: &[F]) -> [F; 3] {
    gram_body::<F::Avx512>(a, b)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn gram_avx2<F: Element>(a: &[F], b: &[F]) -> [F; 3] {
    gram_body::<F::Avx2>(a, b)
}

#[inline(always)]
fn fold_body<V: Lanes, S: Step<V::Elem>>(step: S, a: &[V::Elem], b: &[V::Elem]) -> V::Elem
where
    V::Elem: Element,
{
    let mut total = [V::splat(V::Elem::ZERO); 4];
    let (fours_a, fours_b) = (a.chunks_exact(4 * V::N), b.chunks_exact(4 * V::N));
    let (ones_a, ones_b) = (fours_a.remainder().chunks_exact(V::N), fours_b.remainder().chunks_exact(V::N));
    let (rest_a, rest_b) = (ones_a.remainder(), ones_b.remainder());
    for (a, b) in fours_a.zip(fours_b) {
        total[0] = step.step(total[0], V::load(a), V::load(b));
        total[1] = step.step(total[1], V::load(&a[V::N..]), V::load(&b[V::N..]));
        total[2] = step.step(total[2], V::load(&a[2 * V::N..]), V::load(&b[2 * V::N..]));
        total[3] = step.step(total[3], V::load(&a[3 * V::N..]), V::load(&b[3 * V::N..]));
    }
    for (a, b) in ones_a.zip(ones_b) {
        total[0] = step.step(total[0], V::load(a), V::load(b));
        total.rotate_left(1);
    }
    if !rest_a.is_empty() {
        total[0] = step.step(total[0], padded::<V>(rest_a), padded::<V>(rest_b));
    }
    across(step, step.join(step.join(total[0], total[1]), step.join(total[2], total[3])))
}

#[inline(always)]
fn gram_body<V: Lanes>(a: &[V::Elem], b: &[V::Elem]) -> [V::Elem; 3]
where
    V::Elem: Element,
{
    let mut even = [V::splat(V::Elem::ZERO); 3];
    let mut odd = even;
    let (twos_a, twos_b) = (a.chunks_exact(2 * V::N), b.chunks_exact(2 * V::N));
    let (one_a, one_b) = (twos_a.remainder().chunks_exact(V::N), twos_b.remainder().chunks_exact(V::N));
    let (rest_a, rest_b) = (one_a.remainder(), one_b.remainder());
    for (a, b) in twos_a.zip(twos_b) {
        add_gram(&mut even, V::load(a), V::load(b));
        add_gram(&mut odd, V::load(&a[V::N..]), V::load(&b[V::N..]));
    }
    for (a, b) in one_a.zip(one_b) {
        add_gram(&mut even, V::load(a), V::load(b));
    }
    if !rest_a.is_empty() {
        add_gram(&mut odd, padded::<V>(rest_a), padded::<V>(rest_b));
    }
    [
        across(Product, even[0].add(odd[0])),
        across(Product, even[1].add(odd[1])),
        across(Product, even[2].add(odd[2])),
    ]
}

#[inline(always)]
fn add_gram<V: Lanes>(total: &mut [V; 3], a: V, b: V) {
    total[0] = a.mul_add(a, total[0]);
    total[1] = a.mul_add(b, total[1]);
    total[2] = b.mul_add(b, total[2]);
}

/// A register that starts with `values` and ends in zeros.
#[inline(always)]
fn padded<V: Lanes>(values: &[V::Elem]) -> V
where
    V::Elem: Element,
{
    let mut whole = [V::Elem::ZERO; WIDEST];
    whole[..values.len()].copy_from_slice(values);
    V::load(&whole)
}

/// The total of the numbers in a register: halves onto each other until one is left.
#[inline(always)]
fn across<V: Lanes, S: Step<V::Elem>>(step: S, total: V) -> V::Elem
where
    V::Elem: Element,
{
    // Twice the width: what lies above the half that still counts is joined too, and never read again.
    let mut parts = [V::Elem::ZERO; 2 * WIDEST];
    let mut total = total;
    let mut half = V::N;
    while half > 1 {
        half /= 2;
        total.store(&mut parts);
        total = step.join(total, V::load(&parts[half..]));
    }
    total.store(&mut parts);
    parts[0]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;
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
        for n in 0..=70 {
            let (a, b) = points::<F>(n);
            let expected = naive(&a, &b);
            for isa in available() {
                let got = fold_on(isa, step, &a, &b);
                let error = (got - expected).abs();
                assert!(
                    error <= expected.abs() * F::epsilon() * F::cast(80),
                    "{isa:?} n {n}: {got} {expected}"
                );
                assert_eq!(got, fold_on(isa, step, &b, &a), "{isa:?} n {n}");
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
        for n in 0..=70 {
            let (a, b) = points::<f64>(n);
            let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
            for isa in available() {
                let got = gram_on(isa, &a, &b);
                for (got, expected) in got.into_iter().zip([dot(&a, &a), dot(&a, &b), dot(&b, &b)]) {
                    assert!((got - expected).abs() <= 1e-13 * dot(&a, &a).max(1.0), "{isa:?} n {n}");
                }
                let [aa, ab, bb] = gram_on(isa, &a, &a);
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
