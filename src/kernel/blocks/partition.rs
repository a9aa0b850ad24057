//! Splitting columns of numbers in two: the inner loop of building a tree.
//!
//! A set of rows is a bit mask, bit `i % 64` of word `i / 64` for row `i`.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_mask_storeu_epi64, _mm512_maskz_compress_epi32,
    _mm512_maskz_compress_epi64,
};

use crate::kernel::lanes::{Element, Lanes};
#[cfg(target_arch = "x86_64")]
use crate::kernel::simd::Isa;
use crate::kernel::simd::{Simd, Task, dispatch};

/// Numbers that [`partition`] can move: plain data of 32 or 64 bits.
///
/// # Safety
/// The size is 4 or 8 bytes, and any bits may be moved as such.
pub(crate) unsafe trait Movable: Copy + Send + Sync + 'static {}

// SAFETY: plain data of 4 bytes.
unsafe impl Movable for f32 {}
// SAFETY: plain data of 8 bytes.
unsafe impl Movable for f64 {}
// SAFETY: plain data of 4 bytes.
unsafe impl Movable for u32 {}

/// Passes over a column of finite floats.
pub trait Columns: Element {
    /// The next smaller float.
    #[doc(hidden)]
    fn below(self) -> Self;

    /// The smallest and the largest entry.
    #[doc(hidden)]
    fn min_max(column: &[Self]) -> (Self, Self) {
        dispatch(MinMax { column })
    }

    /// The rows whose entry is at most the bound, into `mask`.
    #[doc(hidden)]
    fn at_most(column: &[Self], bound: Self, mask: &mut [u64]) {
        dispatch(AtMost { column, bound, mask });
    }
}

impl Columns for f64 {
    fn below(self) -> f64 {
        self.next_down()
    }
}

impl Columns for f32 {
    fn below(self) -> f32 {
        self.next_down()
    }
}

struct MinMax<'a, F> {
    column: &'a [F],
}

impl<F: Element> Task for MinMax<'_, F> {
    type Output = (F, F);

    #[inline(always)]
    fn run<S: Simd>(self) -> (F, F) {
        let column = self.column;
        let n = Lanes::<F, S>::N;
        let start = Lanes::<F, S>::splat(column[0]);
        let (mut lo, mut hi) = ([start; 2], [start; 2]);
        let mut pairs = column.chunks_exact(2 * n);
        for pair in &mut pairs {
            for (i, half) in pair.chunks_exact(n).enumerate() {
                let x = Lanes::load(half);
                (lo[i], hi[i]) = (lo[i].min(x), hi[i].max(x));
            }
        }
        let (mut lows, mut highs) = ([column[0]; 16], [column[0]; 16]);
        lo[0].min(lo[1]).store(&mut lows);
        hi[0].max(hi[1]).store(&mut highs);
        let smaller = |a: F, b: &F| if *b < a { *b } else { a };
        let larger = |a: F, b: &F| if *b > a { *b } else { a };
        let rest = pairs.remainder().iter();
        (
            lows.iter().chain(rest.clone()).fold(column[0], smaller),
            highs.iter().chain(rest).fold(column[0], larger),
        )
    }
}

struct AtMost<'a, F> {
    column: &'a [F],
    bound: F,
    mask: &'a mut [u64],
}

impl<F: Element> Task for AtMost<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { column, bound, mask } = self;
        let n = Lanes::<F, S>::N;
        let to_bound = Lanes::<F, S>::splat(bound);
        for (rows, word) in column.chunks(64).zip(mask) {
            *word = 0;
            let mut registers = rows.chunks_exact(n);
            let mut at = 0;
            for register in &mut registers {
                *word |= u64::from(Lanes::load(register).at_most(to_bound)) << at;
                at += n;
            }
            for x in registers.remainder() {
                *word |= u64::from(*x <= bound) << at;
                at += 1;
            }
        }
    }
}

/// Copies the rows of `mask` to `left` and the others to `right`, both in order.
///
/// # Panics
/// When `left` and `right` have not just the lengths that the mask asks for.
pub(crate) fn partition<T: Movable>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
    assert_eq!(column.len(), left.len() + right.len(), "two parts of a column hold all of it");
    assert_eq!(mask.len(), column.len().div_ceil(64), "a mask has a bit for each row");
    assert_eq!(
        mask.iter().map(|w| w.count_ones() as usize).sum::<usize>(),
        left.len(),
        "the mask names the left rows"
    );
    dispatch(Partition { column, mask, left, right });
}

/// The lengths fit: [`partition`] has checked them.
struct Partition<'a, T> {
    column: &'a [T],
    mask: &'a [u64],
    left: &'a mut [T],
    right: &'a mut [T],
}

impl<T: Movable> Task for Partition<'_, T> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { column, mask, left, right } = self;
        match S::ISA {
            // SAFETY: AVX-512 is there, and the lengths fit.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { compress(column, mask, left, right) },
            _ => one_by_one(column, mask, left, right),
        }
    }
}

#[inline(always)]
fn one_by_one<T: Movable>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
    let (mut left, mut right) = (left.iter_mut(), right.iter_mut());
    for (chunk, &word) in column.chunks(64).zip(mask) {
        for (i, &x) in chunk.iter().enumerate() {
            let to = if word >> i & 1 == 1 { left.next() } else { right.next() };
            if let Some(to) = to {
                *to = x;
            }
        }
    }
}

/// A register at a time, by the instruction that moves the lanes of a mask together, which only AVX-512 has.
///
/// # Safety
/// AVX-512 is there; `left` has as many places as `mask` has ones below `column.len()`, and `right` as many as it has zeros.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
unsafe fn compress<T: Movable>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
    let lanes = 64 / size_of::<T>();
    let (mut to_left, mut to_right) = (left.as_mut_ptr(), right.as_mut_ptr());
    let mut rest = column.chunks_exact(lanes);
    let mut at = 0;
    for chunk in &mut rest {
        let (all, bits) = (u64::MAX >> (64 - lanes), mask[at / 64] >> (at % 64));
        let (ones, zeros) = (bits & all, !bits & all);
        let (n_ones, n_zeros) = (ones.count_ones() as usize, zeros.count_ones() as usize);
        // SAFETY: `chunk` is one register; the masked stores write `n_ones` and `n_zeros` places, which are there because all ones of the mask
        // fit `left` and all zeros fit `right`. `Movable` is plain data of 4 or 8 bytes.
        unsafe {
            let x = _mm512_loadu_si512(chunk.as_ptr().cast());
            if size_of::<T>() == 8 {
                let (l, r) =
                    (_mm512_maskz_compress_epi64(ones as u8, x), _mm512_maskz_compress_epi64(zeros as u8, x));
                _mm512_mask_storeu_epi64(to_left.cast(), ((1_u32 << n_ones) - 1) as u8, l);
                _mm512_mask_storeu_epi64(to_right.cast(), ((1_u32 << n_zeros) - 1) as u8, r);
            } else {
                let (l, r) = (
                    _mm512_maskz_compress_epi32(ones as u16, x),
                    _mm512_maskz_compress_epi32(zeros as u16, x),
                );
                _mm512_mask_storeu_epi32(to_left.cast(), ((1_u32 << n_ones) - 1) as u16, l);
                _mm512_mask_storeu_epi32(to_right.cast(), ((1_u32 << n_zeros) - 1) as u16, r);
            }
            to_left = to_left.add(n_ones);
            to_right = to_right.add(n_zeros);
        }
        at += lanes;
    }
    for &x in rest.remainder() {
        let one = mask[at / 64] >> (at % 64) & 1 == 1;
        let to = if one { &mut to_left } else { &mut to_right };
        // SAFETY: as above, one place of the part that this row goes to.
        unsafe {
            **to = x;
            *to = to.add(1);
        }
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::tested;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn splits<T: Movable + PartialEq + std::fmt::Debug>(make: impl Fn(usize) -> T) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        for n in tested(0..200) {
            let column: Vec<T> = (0..n).map(&make).collect();
            let ones: Vec<bool> = (0..n).map(|_| rng.gen_bool(0.4)).collect();
            let mut mask = vec![0_u64; n.div_ceil(64)];
            (0..n).for_each(|i| mask[i / 64] |= u64::from(ones[i]) << (i % 64));
            let side = |one| {
                column.iter().zip(&ones).filter(|(_, o)| **o == one).map(|(x, _)| *x).collect::<Vec<_>>()
            };
            let (expected_left, expected_right) = (side(true), side(false));
            for portable in [true, false] {
                let (mut left, mut right) =
                    (vec![make(0); expected_left.len()], vec![make(0); expected_right.len()]);
                if portable {
                    one_by_one(&column, &mask, &mut left, &mut right);
                } else {
                    partition(&column, &mask, &mut left, &mut right);
                }
                assert_eq!((&left, &right), (&expected_left, &expected_right), "n = {n}");
            }
        }
    }

    #[test]
    fn both_parts_keep_their_order_for_every_length() {
        splits(|i| i as f64);
        splits(|i| i as f32);
        splits(|i| i as u32);
    }

    #[test]
    fn passes_over_a_column_equal_the_naive_ones_for_every_length() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        for n in tested(1..100_usize) {
            let x: Vec<f32> = (0..n).map(|_| rng.gen_range(-1.0..1.0)).collect();
            let expected = x.iter().fold((f32::MAX, f32::MIN), |(lo, hi), &x| (lo.min(x), hi.max(x)));
            assert_eq!(f32::min_max(&x), expected);
            let wide: Vec<f64> = x.iter().map(|&x| f64::from(x)).collect();
            assert_eq!(f64::min_max(&wide), (f64::from(expected.0), f64::from(expected.1)));
            let mut mask = vec![7; n.div_ceil(64)];
            f64::at_most(&wide, wide[n / 2], &mut mask);
            assert!(
                (0..64 * mask.len())
                    .all(|i| (mask[i / 64] >> (i % 64) & 1 == 1) == (i < n && wide[i] <= wide[n / 2]))
            );
            f32::at_most(&x, x[n / 2].below(), &mut mask);
            assert!(
                (0..64 * mask.len())
                    .all(|i| (mask[i / 64] >> (i % 64) & 1 == 1) == (i < n && x[i] < x[n / 2]))
            );
        }
    }
}
