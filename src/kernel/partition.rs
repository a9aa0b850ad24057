//! Splitting columns of numbers in two: the inner loop of building a tree.
//!
//! A set of rows is a bit mask, bit `i % 64` of word `i / 64` for row `i`.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    _mm512_loadu_si512, _mm512_mask_storeu_epi32, _mm512_mask_storeu_epi64, _mm512_maskz_compress_epi32,
    _mm512_maskz_compress_epi64,
};

use super::{Isa, isa};

/// Numbers that [`partition`] can move: 32 or 64 bits of plain data.
pub trait Columns: Copy + PartialOrd + Send + Sync + 'static {}

impl Columns for f32 {}
impl Columns for f64 {}
impl Columns for u32 {}

/// The smallest and the largest of finite numbers.
///
/// # Panics
/// When the column is empty.
pub(crate) fn min_max<F: Columns>(column: &[F]) -> (F, F) {
    #[inline(always)]
    fn body<F: Columns>(column: &[F]) -> (F, F) {
        let mut lanes = ([column[0]; 16], [column[0]; 16]);
        let mut chunks = column.chunks_exact(16);
        let smaller = |a: F, b: F| if b < a { b } else { a };
        let larger = |a: F, b: F| if b > a { b } else { a };
        for chunk in &mut chunks {
            for i in 0..16 {
                lanes.0[i] = smaller(lanes.0[i], chunk[i]);
                lanes.1[i] = larger(lanes.1[i], chunk[i]);
            }
        }
        let rest = chunks.remainder().iter();
        let (min, max) =
            rest.fold((column[0], column[0]), |(min, max), &x| (smaller(min, x), larger(max, x)));
        (lanes.0.into_iter().fold(min, smaller), lanes.1.into_iter().fold(max, larger))
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn avx512<F: Columns>(column: &[F]) -> (F, F) {
        body(column)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn avx2<F: Columns>(column: &[F]) -> (F, F) {
        body(column)
    }

    match isa() {
        // SAFETY: `isa` names only instruction sets of this machine.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(column) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(column) },
        _ => body(column),
    }
}

/// Copies the rows of `mask` to `left` and the others to `right`, both in order.
///
/// # Panics
/// When `left` and `right` have not just the lengths that the mask asks for.
pub(crate) fn partition<T: Columns>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
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

fn partition_portable<T: Columns>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
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
unsafe fn partition_avx512<T: Columns>(column: &[T], mask: &[u64], left: &mut [T], right: &mut [T]) {
    let lanes = 64 / size_of::<T>();
    let (mut to_left, mut to_right) = (left.as_mut_ptr(), right.as_mut_ptr());
    let mut rest = column.chunks_exact(lanes);
    let mut at = 0;
    for chunk in &mut rest {
        let (all, bits) = (u64::MAX >> (64 - lanes), mask[at / 64] >> (at % 64));
        let (ones, zeros) = (bits & all, !bits & all);
        let (n_ones, n_zeros) = (ones.count_ones() as usize, zeros.count_ones() as usize);
        // SAFETY: `chunk` is one register; the masked stores write `n_ones` and `n_zeros` places, which are there because all ones of the mask
        // fit `left` and all zeros fit `right`. `Columns` is f32, f64 and u32: plain data of 4 or 8 bytes.
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

    fn splits<T: Columns + std::fmt::Debug>(make: impl Fn(usize) -> T) {
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
    fn min_and_max_are_those_of_the_fold_for_every_length() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
        for n in 1..100 {
            let x: Vec<f32> = (0..n).map(|_| rng.gen_range(-1.0..1.0)).collect();
            let expected = x.iter().fold((f32::MAX, f32::MIN), |(lo, hi), &x| (lo.min(x), hi.max(x)));
            assert_eq!(min_max(&x), expected);
        }
    }
}
