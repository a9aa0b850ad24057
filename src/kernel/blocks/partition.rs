//! Splitting columns of numbers in two: the inner loop of building a tree.
//!
//! A set of rows is a bit mask, bit `i % 64` of word `i / 64` for row `i`.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m256d, __m512, __m512d, _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_mask_storeu_epi64,
    _mm512_maskz_compress_epi32, _mm512_maskz_compress_epi64,
};

use super::vector::{Plain, Vector};
use crate::kernel::{Isa, isa};

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
pub trait Columns: Copy + PartialOrd + Send + Sync + 'static {
    /// The smallest and the largest entry.
    #[doc(hidden)]
    fn min_max(column: &[Self]) -> (Self, Self);

    /// The rows whose entry is at most the bound, into `mask`.
    #[doc(hidden)]
    fn at_most(column: &[Self], bound: Self, mask: &mut [u64]);

    /// The next smaller float.
    #[doc(hidden)]
    fn below(self) -> Self;
}

impl Columns for f64 {
    fn min_max(column: &[f64]) -> (f64, f64) {
        // SAFETY: `isa` names only instruction sets of this machine.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => min_max_avx512::<f64, __m512d>(column),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => min_max_avx2::<f64, __m256d>(column),
                _ => min_max::<f64, Plain<f64>>(column),
            }
        }
    }

    fn at_most(column: &[f64], bound: f64, mask: &mut [u64]) {
        // SAFETY: `isa` names only instruction sets of this machine.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => at_most_avx512::<f64, __m512d>(column, bound, mask),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => at_most_avx2::<f64, __m256d>(column, bound, mask),
                _ => at_most::<f64, Plain<f64>>(column, bound, mask),
            }
        }
    }

    fn below(self) -> f64 {
        self.next_down()
    }
}

impl Columns for f32 {
    fn min_max(column: &[f32]) -> (f32, f32) {
        // SAFETY: `isa` names only instruction sets of this machine.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => min_max_avx512::<f32, __m512>(column),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => min_max_avx2::<f32, __m256>(column),
                _ => min_max::<f32, Plain<f32>>(column),
            }
        }
    }

    fn at_most(column: &[f32], bound: f32, mask: &mut [u64]) {
        // SAFETY: `isa` names only instruction sets of this machine.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => at_most_avx512::<f32, __m512>(column, bound, mask),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => at_most_avx2::<f32, __m256>(column, bound, mask),
                _ => at_most::<f32, Plain<f32>>(column, bound, mask),
            }
        }
    }

    fn below(self) -> f32 {
        self.next_down()
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn min_max_avx512<F: Copy + PartialOrd, V: Vector<F>>(column: &[F]) -> (F, F) {
    // SAFETY: the caller has AVX-512, which is what `V` needs.
    unsafe { min_max::<F, V>(column) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn min_max_avx2<F: Copy + PartialOrd, V: Vector<F>>(column: &[F]) -> (F, F) {
    // SAFETY: the caller has AVX2, which is what `V` needs.
    unsafe { min_max::<F, V>(column) }
}

/// # Safety
/// `V` is a register of this machine.
#[inline(always)]
unsafe fn min_max<F: Copy + PartialOrd, V: Vector<F>>(column: &[F]) -> (F, F) {
    let start = V::splat(column[0]);
    let (mut lo, mut hi) = ([start; 2], [start; 2]);
    let mut pairs = column.chunks_exact(2 * V::LANES);
    for pair in &mut pairs {
        for (i, half) in pair.chunks_exact(V::LANES).enumerate() {
            // SAFETY: half a pair is one register.
            let x = unsafe { V::load(half.as_ptr()) };
            (lo[i], hi[i]) = (lo[i].min(x), hi[i].max(x));
        }
    }
    let (mut lows, mut highs) = ([column[0]; 16], [column[0]; 16]);
    // SAFETY: a register holds at most 16 floats.
    unsafe {
        lo[0].min(lo[1]).store(lows.as_mut_ptr());
        hi[0].max(hi[1]).store(highs.as_mut_ptr());
    }
    let smaller = |a: F, b: &F| if *b < a { *b } else { a };
    let larger = |a: F, b: &F| if *b > a { *b } else { a };
    let rest = pairs.remainder().iter();
    (
        lows.iter().chain(rest.clone()).fold(column[0], smaller),
        highs.iter().chain(rest).fold(column[0], larger),
    )
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn at_most_avx512<F: Copy + PartialOrd, V: Vector<F>>(column: &[F], bound: F, mask: &mut [u64]) {
    // SAFETY: the caller has AVX-512, which is what `V` needs.
    unsafe { at_most::<F, V>(column, bound, mask) };
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn at_most_avx2<F: Copy + PartialOrd, V: Vector<F>>(column: &[F], bound: F, mask: &mut [u64]) {
    // SAFETY: the caller has AVX2, which is what `V` needs.
    unsafe { at_most::<F, V>(column, bound, mask) };
}

/// # Safety
/// `V` is a register of this machine.
#[inline(always)]
unsafe fn at_most<F: Copy + PartialOrd, V: Vector<F>>(column: &[F], bound: F, mask: &mut [u64]) {
    let to_bound = V::splat(bound);
    for (rows, word) in column.chunks(64).zip(mask) {
        *word = 0;
        let mut registers = rows.chunks_exact(V::LANES);
        let mut at = 0;
        for register in &mut registers {
            // SAFETY: the chunk is one register.
            *word |= u64::from(unsafe { V::load(register.as_ptr()) }.at_most(to_bound)) << at;
            at += V::LANES;
        }
        for x in registers.remainder() {
            *word |= u64::from(*x <= bound) << at;
            at += 1;
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
    #[cfg(target_arch = "x86_64")]
    if isa() == Isa::Avx512 {
        // SAFETY: AVX-512 is there, and the lengths fit, as was just checked.
        unsafe { partition_avx512(column, mask, left, right) };
        return;
    }
    partition_portable(column, mask, left, right);
}

fn partition_portable<T: Movable>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
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

/// # Safety
/// AVX-512 F, BW and VL exist; `left` has as many places as `mask` has ones below `column.len()`, and `right` as many as it has zeros.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512vl,popcnt")]
unsafe fn partition_avx512<T: Movable>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
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
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn splits<T: Movable + PartialEq + std::fmt::Debug>(make: impl Fn(usize) -> T) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        for n in 0..200 {
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
                    partition_portable(&column, &mask, &mut left, &mut right);
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
        for n in 1..100_usize {
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
