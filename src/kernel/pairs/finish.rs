//! From totals to distances: what is done to each entry of a row, and the least value that shows whether one needs a closer look.

use super::lanes::{Element, Lanes};
use crate::kernel::{Isa, isa};

/// What becomes of an entry.
pub(crate) trait Finish<F: Element>: Copy {
    /// The new value, and a number to watch; `beside` belongs to the entry's column.
    fn finish<V: Lanes<Elem = F>>(self, total: V, beside: V) -> (V, V);
}

/// A similarity, cut to [-1, 1]; watched is its difference from 1.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Similarity;

/// `1 - s` of a similarity `s`, cut to [0, 2] and watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct OneMinus;

/// The square root, watched below `low` and above `high` of the entry itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Root<F> {
    pub(crate) low: F,
    pub(crate) high: F,
}

/// `factor` times the entry, watched.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Times<F>(pub(crate) F);

/// `x + y - 2 s` for `s` the inner product of two points and `x`, `y` their squared lengths (`y` beside the column), not below 0.
/// Watched is what is left of it above `share * (x + y)`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SquaredDistance<F> {
    pub(crate) x: F,
    pub(crate) share: F,
}

/// `(x + y - 2 s) / (x + y - s)` for sets of `x` and `y` members (`y` beside the column) with `s` in common; 0 for two empty sets.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SymmetricDifference<F>(pub(crate) F);

/// The entry through the number beside it, 0 / 0 being 0.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Quotient;

impl<F: Element> Finish<F> for Similarity {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, total: V, _: V) -> (V, V) {
        let one = V::splat(F::ONE);
        let s = total.min(one).max(V::splat(F::ZERO).sub(one));
        (s, one.sub(s))
    }
}

impl<F: Element> Finish<F> for OneMinus {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, total: V, _: V) -> (V, V) {
        let one = V::splat(F::ONE);
        let d = one.sub(total).max(V::splat(F::ZERO)).min(one.add(one));
        (d, d)
    }
}

impl<F: Element> Finish<F> for Root<F> {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, total: V, _: V) -> (V, V) {
        let inside = total.sub(V::splat(self.low)).min(V::splat(self.high).sub(total));
        (total.sqrt(), inside)
    }
}

impl<F: Element> Finish<F> for Times<F> {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, total: V, _: V) -> (V, V) {
        let product = total.mul(V::splat(self.0));
        (product, product)
    }
}

impl<F: Element> Finish<F> for SquaredDistance<F> {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, total: V, y: V) -> (V, V) {
        let lengths = V::splat(self.x).add(y);
        let squared = lengths.sub(total.add(total)).max(V::splat(F::ZERO));
        (squared, squared.sub(lengths.mul(V::splat(self.share))))
    }
}

impl<F: Element> Finish<F> for SymmetricDifference<F> {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, common: V, y: V) -> (V, V) {
        let union = V::splat(self.0).add(y).sub(common);
        let distance = union.sub(common).div(union.max(V::splat(F::TINIEST)));
        (distance, distance)
    }
}

impl<F: Element> Finish<F> for Quotient {
    #[inline(always)]
    fn finish<V: Lanes<Elem = F>>(self, total: V, beside: V) -> (V, V) {
        let quotient = total.div(beside.max(V::splat(F::TINIEST)));
        (quotient, quotient)
    }
}

/// Replaces every entry of `row` and returns the least of the watched numbers; `beside` has one number for each entry, or none at all.
///
/// # Panics
/// When `beside` is neither empty nor as long as `row`.
pub(crate) fn finish<F: Element, M: Finish<F>>(map: M, row: &mut [F], beside: &[F]) -> Option<F> {
    finish_on(isa(), map, row, beside)
}

fn finish_on<F: Element, M: Finish<F>>(isa: Isa, map: M, row: &mut [F], beside: &[F]) -> Option<F> {
    assert!(beside.is_empty() || beside.len() == row.len(), "one number beside each entry");
    if row.is_empty() {
        return None;
    }
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: `isa` names only what this machine has.
        Isa::Avx512 => return Some(unsafe { finish_avx512(map, row, beside) }),
        // SAFETY: as above.
        Isa::Avx2 => return Some(unsafe { finish_avx2(map, row, beside) }),
        Isa::Portable => {}
    }
    let _ = isa;
    Some(finish_body::<F::Portable, M>(map, row, beside))
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn finish_avx512<F: Element, M: Finish<F>>(map: M, row: &mut [F], beside: &[F]) -> F {
    finish_body::<F::Avx512, M>(map, row, beside)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn finish_avx2<F: Element, M: Finish<F>>(map: M, row: &mut [F], beside: &[F]) -> F {
    finish_body::<F::Avx2, M>(map, row, beside)
}

#[inline(always)]
fn finish_body<V: Lanes, M: Finish<V::Elem>>(map: M, row: &mut [V::Elem], beside: &[V::Elem]) -> V::Elem
where
    V::Elem: Element,
{
    let zero = V::splat(V::Elem::ZERO);
    let mut least: Option<V> = None;
    let whole = row.len() / V::N * V::N;
    let (head, tail) = row.split_at_mut(whole);
    for (k, entries) in head.chunks_exact_mut(V::N).enumerate() {
        let beside = if beside.is_empty() { zero } else { V::load(&beside[k * V::N..]) };
        let (value, watched) = map.finish(V::load(entries), beside);
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
        let mut others = [beside.last().copied().unwrap_or(V::Elem::ZERO); WIDEST];
        if !beside.is_empty() {
            others[..tail.len()].copy_from_slice(&beside[whole..]);
        }
        let (value, watched) = map.finish(V::load(&entries), V::load(&others));
        value.store(&mut entries);
        tail.copy_from_slice(&entries[..tail.len()]);
        least = match least {
            Some(least) => Some(least.min(watched)),
            None => Some(watched),
        };
    }
    let mut least = least.unwrap_or(zero);
    let mut parts = [V::Elem::ZERO; 2 * WIDEST];
    let mut half = V::N;
    while half > 1 {
        half /= 2;
        least.store(&mut parts);
        least = least.min(V::load(&parts[half..]));
    }
    least.store(&mut parts);
    parts[0]
}

/// The most numbers that a register holds.
const WIDEST: usize = 16;
