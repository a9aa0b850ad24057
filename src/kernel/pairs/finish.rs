//! From totals to distances: what is done to each entry of a row, and the least value that shows whether one needs a closer look.

use std::ops::RangeInclusive;

use crate::kernel::exp::Exponential;
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// What becomes of an entry.
pub(crate) trait Finish<F: Element>: Copy {
    /// Whether the second number is of interest.
    const WATCHES: bool = true;

    /// Whether the numbers beside the points are.
    const BESIDE: bool = false;

    /// Whether it takes so many operations that tiles are made of fewer points at a time: with all of them, the totals that wait for it would go through
    /// the memory.
    const LONG: bool = false;

    /// The new value, and a number to watch; `beside` is the sum of the numbers beside the two points.
    fn finish<S: Simd>(self, total: Lanes<F, S>, beside: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>);

    /// The same for three registers, to the bit; what tiles call where it is long.
    #[inline(always)]
    fn three<S: Simd>(
        self,
        totals: [Lanes<F, S>; 3],
        beside: [Lanes<F, S>; 3],
    ) -> [(Lanes<F, S>, Lanes<F, S>); 3] {
        let ([a, b, c], [x, y, z]) = (totals, beside);
        [self.finish(a, x), self.finish(b, y), self.finish(c, z)]
    }
}

/// A similarity, cut to [-1, 1]; watched is its difference from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Similarity;

/// `1 - s` of a similarity `s`, cut to [0, 2] and watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneMinus;

/// Half of the entry, not above 2, watched: the cosine distance of two points whose unit vectors differ by the root of the entry.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HalfSquare;

/// The square root of the entry, or of this least number that [`normal_root`](Lanes::normal_root) takes, if that is larger. The larger one is watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<F>(pub(crate) F);

/// `factor` times the entry, watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times<F>(pub(crate) F);

/// `x + y - 2 s` for `s` the inner product of two points and `x`, `y` their squared lengths, beside them; not below 0.
/// Watched is what is left of it above `share` times `x + y`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredDistance<F>(pub(crate) F);

/// `(x + y - 2 s) / (x + y - s)` for sets of `x` and `y` members, said beside them, with `s` in common; 0 for two empty sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SymmetricDifference;

/// The root of `(x + y - s) / 2 + ln 2`, cut to [0, ln 2] before, for `s = sum_k (p_k + q_k) ln(p_k + q_k)` of two distributions and `x`, `y` the sums
/// of `p_k ln p_k` and `q_k ln q_k`, beside them: their Jensen-Shannon distance. Watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RootOfDivergence;

/// The entry through the numbers beside, 0 / 0 being 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotient;

/// The same, not above 1, for numbers beside that are in [`range`](Self::range), or four times the least normal number in place of 0, and for entries that
/// are not larger than their sum: to a unit in the last place, and to the least normal number.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ShareOfBoth;

impl<F: Element> Finish<F> for Similarity {
    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let one = Lanes::splat(F::ONE);
        let s = total.min(one).max(-one);
        (s, one - s)
    }
}

impl<F: Element> Finish<F> for OneMinus {
    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let one = Lanes::splat(F::ONE);
        let d = (one - total).max(Lanes::zero()).min(one + one);
        (d, d)
    }
}

impl<F: Element> Finish<F> for HalfSquare {
    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let one = Lanes::splat(F::ONE);
        let d = (total * Lanes::of(0.5)).min(one + one);
        (d, d)
    }
}

impl<F: Element> Finish<F> for Root<F> {
    const LONG: bool = true;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let square = Lanes::splat(self.0).max(total);
        (square.normal_root(), square)
    }

    #[inline(always)]
    fn three<S: Simd>(
        self,
        totals: [Lanes<F, S>; 3],
        _: [Lanes<F, S>; 3],
    ) -> [(Lanes<F, S>, Lanes<F, S>); 3] {
        // The unit that divides has nothing else to do: it takes the time of the other two for one.
        let (least, [a, b, c]) = (Lanes::splat(self.0), totals);
        let [a, b, c] = [least.max(a), least.max(b), least.max(c)];
        [(a.sqrt(), a), (b.normal_root(), b), (c.normal_root(), c)]
    }
}

impl<F: Element> Finish<F> for Times<F> {
    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, _: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let product = total * Lanes::splat(self.0);
        (product, product)
    }
}

impl<F: Element> Finish<F> for SquaredDistance<F> {
    const BESIDE: bool = true;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, lengths: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let squared = (lengths - (total + total)).max(Lanes::zero());
        (squared, squared - lengths * Lanes::splat(self.0))
    }
}

impl<F: Element> Finish<F> for SymmetricDifference {
    const BESIDE: bool = true;

    #[inline(always)]
    fn finish<S: Simd>(self, common: Lanes<F, S>, members: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let union = members - common;
        let distance = (union - common) / union.max(Lanes::splat(F::TINIEST));
        (distance, distance)
    }
}

impl<F: Element> Finish<F> for RootOfDivergence {
    const BESIDE: bool = true;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, own: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let ln_2 = Lanes::of(std::f64::consts::LN_2);
        let divergence = Lanes::of(0.5) * (own - total) + ln_2;
        let root = divergence.max(Lanes::zero()).min(ln_2).sqrt();
        (root, root)
    }
}

impl<F: Element> Finish<F> for Quotient {
    const BESIDE: bool = true;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, beside: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let quotient = total / beside.max(Lanes::splat(F::TINIEST));
        (quotient, quotient)
    }
}

impl ShareOfBoth {
    /// Numbers whose sums have normal inverses, and whose products with these are normal for all but the least entries.
    pub(crate) fn range<F: Exponential>() -> RangeInclusive<f64> {
        F::RANGE.0.sqrt()..=F::RANGE.1.sqrt()
    }
}

impl<F: Exponential> Finish<F> for ShareOfBoth {
    const BESIDE: bool = true;
    const LONG: bool = true;
    const WATCHES: bool = false;

    #[inline(always)]
    fn finish<S: Simd>(self, total: Lanes<F, S>, beside: Lanes<F, S>) -> (Lanes<F, S>, Lanes<F, S>) {
        let share = total.quotient(beside).min(Lanes::of(1.0));
        (share, share)
    }
}

/// Replaces every entry of `row` and returns the least of the watched numbers; `beside` has the number beside the point of the row and those beside
/// the points of the columns, or none at all.
///
/// # Panics
/// When there are numbers for columns, and not as many as entries.
pub(crate) fn finish<F: Element, M: Finish<F>>(map: M, row: &mut [F], beside: (F, &[F])) -> Option<F> {
    assert!(beside.1.is_empty() || beside.1.len() == row.len(), "one number beside each entry");
    if row.is_empty() { None } else { Some(dispatch(Row { map, row, beside })) }
}

struct Row<'a, F, M> {
    map: M,
    row: &'a mut [F],
    beside: (F, &'a [F]),
}

impl<F: Element, M: Finish<F>> Task for Row<'_, F, M> {
    type Output = F;

    #[inline(always)]
    fn run<S: Simd>(self) -> F {
        let Self { map, row, beside: (own, beside) } = self;
        let n = Lanes::<F, S>::N;
        let mut least: Option<Lanes<F, S>> = None;
        let whole = row.len() / n * n;
        let (head, tail) = row.split_at_mut(whole);
        for (k, entries) in head.chunks_exact_mut(n).enumerate() {
            let beside = if beside.is_empty() { Lanes::zero() } else { Lanes::load(&beside[k * n..]) };
            let beside = Lanes::splat(own) + beside;
            let (value, watched) = map.finish(Lanes::load(entries), beside);
            value.store(entries);
            least = match least {
                Some(least) => Some(least.min(watched)),
                None => Some(watched),
            };
        }
        if !tail.is_empty() {
            // The last entry again and again fills the register, so that only true entries are watched.
            let mut entries = [tail[tail.len() - 1]; WIDEST];
            entries[..tail.len()].copy_from_slice(tail);
            let mut others = [beside.last().copied().unwrap_or(F::ZERO); WIDEST];
            if !beside.is_empty() {
                others[..tail.len()].copy_from_slice(&beside[whole..]);
            }
            let (value, watched) =
                map.finish(Lanes::<F, S>::load(&entries), Lanes::splat(own) + Lanes::load(&others));
            value.store(&mut entries);
            tail.copy_from_slice(&entries[..tail.len()]);
            least = match least {
                Some(least) => Some(least.min(watched)),
                None => Some(watched),
            };
        }
        least.unwrap_or(Lanes::zero()).least()
    }
}

/// The most numbers that a register holds.
const WIDEST: usize = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};
    use std::f64::consts::LN_2;

    /// `naive(entry, beside)` gives the new value and the watched number.
    fn agrees<F: Element + linfa::Float, M: Finish<F>>(
        map: M,
        own: F,
        naive: impl Fn(f64, f64) -> (f64, f64),
    ) {
        for n in tested(1..=70_u32) {
            let entries: Vec<F> =
                (0..n).map(|i| F::cast(f64::from((i * 37 + n) % 41) / 32.0 - 0.125)).collect();
            let beside: Vec<F> = (0..n).map(|i| F::cast(f64::from((i * 29 + n) % 23) / 8.0 + 1.0)).collect();
            for beside in [&beside[..], &[]] {
                let pairs = entries
                    .iter()
                    .enumerate()
                    .map(|(i, &v)| (v, beside.get(i).copied().unwrap_or(F::zero())));
                let expected: Vec<(f64, f64)> =
                    pairs.map(|(v, b)| naive(wide(v), wide(own) + wide(b))).collect();
                let least = expected.iter().fold(f64::INFINITY, |least, e| least.min(e.1));
                for isa in available() {
                    let mut row = entries.clone();
                    let got = dispatch_on(isa, Row { map, row: &mut row, beside: (own, beside) });
                    let close = |got: f64, expected: f64| {
                        got == expected
                            || (got.is_nan() && expected.is_nan())
                            || (got - expected).abs() <= 4.0 * wide(F::epsilon()) * (1.0 + expected.abs())
                    };
                    for (i, (&got, expected)) in row.iter().zip(&expected).enumerate() {
                        assert!(close(wide(got), expected.0), "{isa:?} {i} of {n}: {got} {expected:?}");
                    }
                    assert!(close(wide(got), least), "{isa:?} {n}: {got} {least}");
                }
            }
        }
    }

    fn wide<F: linfa::Float>(v: F) -> f64 {
        v.to_f64().expect("a float has a value in f64")
    }

    fn every_map_agrees<F: Element + linfa::Float>() {
        agrees::<F, _>(Similarity, F::zero(), |v, _| (v.clamp(-1.0, 1.0), 1.0 - v.clamp(-1.0, 1.0)));
        agrees::<F, _>(OneMinus, F::zero(), |v, _| ((1.0 - v).clamp(0.0, 2.0), (1.0 - v).clamp(0.0, 2.0)));
        agrees::<F, _>(HalfSquare, F::zero(), |v, _| ((0.5 * v).min(2.0), (0.5 * v).min(2.0)));
        agrees::<F, _>(Times(F::cast(-2)), F::zero(), |v, _| (-2.0 * v, -2.0 * v));
        agrees::<F, _>(SquaredDistance(F::cast(0.25)), F::cast(0.5), |v, lengths| {
            let squared = (lengths - 2.0 * v).max(0.0);
            (squared, squared - 0.25 * lengths)
        });
        agrees::<F, _>(SymmetricDifference, F::cast(3), |common, members| {
            let union = members - common;
            ((union - common) / union, (union - common) / union)
        });
        agrees::<F, _>(RootOfDivergence, F::cast(-0.75), |v, own| {
            let root = (0.5 * (own - v) + LN_2).clamp(0.0, LN_2).sqrt();
            (root, root)
        });
    }

    #[test]
    fn every_map_is_its_formula_on_every_length() {
        every_map_agrees::<f64>();
        every_map_agrees::<f32>();
    }

    #[test]
    fn roots_watch_their_squares() {
        for n in tested(1..=70) {
            for isa in available() {
                let mut row: Vec<f64> = (0..n).map(|i| f64::from(n + 3 - i)).collect();
                let least = dispatch_on(isa, Row { map: Root(0.5), row: &mut row, beside: (0.0, &[]) });
                assert_eq!(least, 4.0, "{isa:?} {n}");
                assert!(row.iter().zip(0..n).all(|(&v, i)| v == f64::from(n + 3 - i).sqrt()));
            }
        }
    }

    #[test]
    fn shares_of_both_are_quotients_to_a_unit_in_the_last_place() {
        for isa in available() {
            let mut row: Vec<f64> = (0..70).map(|i| f64::from(i * i) / 7.0).collect();
            let beside: Vec<f64> = (0..70).map(|i| f64::from(i * i) / 7.0 + f64::from(i % 3)).collect();
            let expected: Vec<f64> = row.iter().zip(&beside).map(|(a, b)| a / (b + 0.5)).collect();
            dispatch_on(isa, Row { map: ShareOfBoth, row: &mut row, beside: (0.5, &beside) });
            for (got, expected) in row.iter().zip(&expected) {
                assert!(
                    (got - expected).abs() <= f64::EPSILON * expected && *got <= 1.0,
                    "{isa:?}: {got} {expected}"
                );
            }
            // Nothing of nothing, and one set whole.
            let mut row = [0.0_f32, 3.0, 0.1];
            let nothing = 4.0 * f32::MIN_POSITIVE;
            dispatch_on(
                isa,
                Row { map: ShareOfBoth, row: &mut row, beside: (nothing, &[nothing, 3.0, 0.1]) },
            );
            assert_eq!(row, [0.0, 1.0, 1.0]);
        }
    }

    #[test]
    fn nothing_through_nothing_is_nothing() {
        for isa in available() {
            let mut row = vec![0.0, 0.0, 3.0];
            dispatch_on(isa, Row { map: Quotient, row: &mut row, beside: (0.0, &[0.0, 2.0, 4.0]) });
            assert_eq!(row, [0.0, 0.0, 0.75]);
            let mut row = vec![0.0_f32, 1.0];
            dispatch_on(isa, Row { map: SymmetricDifference, row: &mut row, beside: (0.0, &[0.0, 2.0]) });
            assert_eq!(row, [0.0, 0.0]);
        }
        assert_eq!(finish(Quotient, &mut [0.0_f64; 0], (0.0, &[])), None);
    }

    #[test]
    #[should_panic(expected = "one number beside each entry")]
    fn another_number_beside_is_refused() {
        finish(Quotient, &mut [1.0, 2.0], (0.0, &[1.0]));
    }
}
