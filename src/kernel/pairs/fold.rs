//! One point against one point, or against many that lie one after another: totals over the components of two slices.
//!
//! Four registers of totals run side by side, so that no addition waits for the one before it; what is left at the end is filled up
//! with zeros to a whole register. The order is the same on every call, and `fold(a, b)` is `fold(b, a)` to the bit wherever the step
//! is symmetric.

use super::step::{Product, Step};
use crate::kernel::ahead::expect_reads;
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

/// `totals[i] = fold(step, a, b_i)` for rows `b_i` that lie one after another, as fast as the memory brings them.
///
/// # Panics
/// Unless there are as many rows as totals.
pub(crate) fn fold_rows<F: Element, P: Step<F>>(step: P, a: &[F], rows: &[F], totals: &mut [F]) {
    assert_eq!(rows.len(), a.len() * totals.len(), "a row for each total");
    dispatch(FoldRows { step, a, rows, totals });
}

/// The same for the last two of [`gram`]; the first is returned.
///
/// # Panics
/// Unless there are as many rows as pairs of numbers.
pub(crate) fn gram_rows<F: Element>(a: &[F], rows: &[F], grams: &mut [[F; 2]]) -> F {
    assert_eq!(rows.len(), a.len() * grams.len(), "a row for each pair of numbers");
    dispatch(GramRows { a, rows, grams });
    gram(a, a)[0]
}

struct Fold<'a, F, P> {
    step: P,
    a: &'a [F],
    b: &'a [F],
}

struct FoldRows<'a, F, P> {
    step: P,
    a: &'a [F],
    rows: &'a [F],
    totals: &'a mut [F],
}

struct Gram<'a, F> {
    a: &'a [F],
    b: &'a [F],
}

struct GramRows<'a, F> {
    a: &'a [F],
    rows: &'a [F],
    grams: &'a mut [[F; 2]],
}

impl<F: Element, P: Step<F>> Task for Fold<'_, F, P> {
    type Output = F;

    #[inline(always)]
    fn run<S: Simd>(self) -> F {
        total::<F, S, P, 0>(self.step, self.a, self.b)
    }
}

impl<F: Element, P: Step<F>> Task for FoldRows<'_, F, P> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { step, a, rows, totals } = self;
        for (sum, b) in totals.iter_mut().zip(rows.chunks_exact(a.len().max(1))) {
            *sum = total::<F, S, P, AHEAD>(step, a, b);
        }
    }
}

impl<F: Element> Task for Gram<'_, F> {
    type Output = [F; 3];

    #[inline(always)]
    fn run<S: Simd>(self) -> [F; 3] {
        products::<F, S, 0>(self.a, self.b)
    }
}

impl<F: Element> Task for GramRows<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { a, rows, grams } = self;
        for (gram, b) in grams.iter_mut().zip(rows.chunks_exact(a.len().max(1))) {
            let [_, ab, bb] = products::<F, S, AHEAD>(a, b);
            *gram = [ab, bb];
        }
    }
}

/// Bytes from what is read to what is asked for beside it: in rows that are read once, the memory follows on its own only to the end of a page.
const AHEAD: usize = 1 << 11;

/// Asks for what lies `AHEAD` bytes behind the numbers.
#[inline(always)]
fn expect_behind<F, const AHEAD: usize>(now: &[F]) {
    if AHEAD > 0 {
        expect_reads(now.as_ptr().wrapping_add(AHEAD / size_of::<F>()), now.len());
    }
}

#[inline(always)]
fn total<F: Element, S: Simd, P: Step<F>, const AHEAD: usize>(step: P, a: &[F], b: &[F]) -> F {
    assert_eq!(a.len(), b.len(), "two points need the same number of components");
    let n = Lanes::<F, S>::N;
    let mut total = [Lanes::<F, S>::zero(); 4];
    let (fours_a, fours_b) = (a.chunks_exact(4 * n), b.chunks_exact(4 * n));
    let (mut ones_a, mut ones_b) = (fours_a.remainder().chunks_exact(n), fours_b.remainder().chunks_exact(n));
    let (rest_a, rest_b, tail) = (ones_a.remainder(), ones_b.remainder(), fours_b.remainder());
    for (a, b) in fours_a.zip(fours_b) {
        expect_behind::<F, AHEAD>(b);
        total[0] = step.step(total[0], Lanes::load(a), Lanes::load(b));
        total[1] = step.step(total[1], Lanes::load(&a[n..]), Lanes::load(&b[n..]));
        total[2] = step.step(total[2], Lanes::load(&a[2 * n..]), Lanes::load(&b[2 * n..]));
        total[3] = step.step(total[3], Lanes::load(&a[3 * n..]), Lanes::load(&b[3 * n..]));
    }
    expect_behind::<F, AHEAD>(tail);
    for total in &mut total[..3] {
        if let (Some(a), Some(b)) = (ones_a.next(), ones_b.next()) {
            *total = step.step(*total, Lanes::load(a), Lanes::load(b));
        }
    }
    if !rest_a.is_empty() {
        total[3] = step.step(total[3], Lanes::load_few(rest_a), Lanes::load_few(rest_b));
    }
    across(step, step.join(step.join(total[0], total[1]), step.join(total[2], total[3])))
}

#[inline(always)]
fn products<F: Element, S: Simd, const AHEAD: usize>(a: &[F], b: &[F]) -> [F; 3] {
    assert_eq!(a.len(), b.len(), "two points need the same number of components");
    let n = Lanes::<F, S>::N;
    let mut even = [Lanes::<F, S>::zero(); 3];
    let mut odd = even;
    let (twos_a, twos_b) = (a.chunks_exact(2 * n), b.chunks_exact(2 * n));
    let (one_a, one_b) = (twos_a.remainder().chunks_exact(n), twos_b.remainder().chunks_exact(n));
    let (rest_a, rest_b, tail) = (one_a.remainder(), one_b.remainder(), twos_b.remainder());
    for (a, b) in twos_a.zip(twos_b) {
        expect_behind::<F, AHEAD>(b);
        add_gram(&mut even, Lanes::load(a), Lanes::load(b));
        add_gram(&mut odd, Lanes::load(&a[n..]), Lanes::load(&b[n..]));
    }
    expect_behind::<F, AHEAD>(tail);
    for (a, b) in one_a.zip(one_b) {
        add_gram(&mut even, Lanes::load(a), Lanes::load(b));
    }
    if !rest_a.is_empty() {
        add_gram(&mut odd, Lanes::load_few(rest_a), Lanes::load_few(rest_b));
    }
    [across(Product, even[0] + odd[0]), across(Product, even[1] + odd[1]), across(Product, even[2] + odd[2])]
}

#[inline(always)]
fn add_gram<F: Element, S: Simd>(total: &mut [Lanes<F, S>; 3], a: Lanes<F, S>, b: Lanes<F, S>) {
    total[0] = a.mul_add(a, total[0]);
    total[1] = a.mul_add(b, total[1]);
    total[2] = b.mul_add(b, total[2]);
}

/// The total of the numbers in a register: halves onto each other until one is left.
#[inline(always)]
fn across<F: Element, S: Simd, P: Step<F>>(step: P, mut total: Lanes<F, S>) -> F {
    // What lies above the half that still counts is joined too, and never looked at again.
    let mut half = Lanes::<F, S>::N;
    while half > 1 {
        half /= 2;
        total = step.join(total, total.upper(half));
    }
    let mut numbers = [F::ZERO; WIDEST];
    total.store(&mut numbers);
    numbers[0]
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
                let (rows, mut totals) = ([&b[..], &a, &b].concat(), [F::zero(); 3]);
                dispatch_on(isa, FoldRows { step, a: &a, rows: &rows, totals: &mut totals });
                assert_eq!(
                    totals,
                    [got, dispatch_on(isa, Fold { step, a: &a, b: &a }), got],
                    "{isa:?} n {n}"
                );
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
                let (rows, mut grams) = ([&b[..], &a].concat(), [[0.0; 2]; 2]);
                dispatch_on(isa, GramRows { a: &a, rows: &rows, grams: &mut grams });
                assert_eq!(grams, [[got[1], got[2]], [aa, aa]]);
            }
        }
    }

    #[test]
    #[should_panic(expected = "same number of components")]
    fn points_of_different_lengths_are_refused() {
        fold(Difference, &[1.0], &[1.0, 2.0]);
    }
}
