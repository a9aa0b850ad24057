//! Words of 32 bits side by side, each of which holds two numbers of 16 bits.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::*;
use std::fmt::Debug;

/// A register of [`N`](Self::N) words; to be used where its instruction set is there, as a [`Register`](super::Register) is.
pub trait Words: Copy + Debug {
    /// How many it holds; a divisor of 16.
    const N: usize;

    /// `x` in every place.
    fn splat(x: u32) -> Self;

    /// # Safety
    /// `N` words are readable at `from`.
    unsafe fn read(from: *const u32) -> Self;

    /// Words from `first` on, up to `N`, are read at `from`; those before them stay.
    ///
    /// # Safety
    /// `N - first` words are readable at `from`.
    unsafe fn read_behind(self, first: usize, from: *const u32) -> Self;

    /// Words from `first` on, up to `N`, become `x`, `x + 1` and so on; those before them stay.
    fn count_behind(self, first: usize, x: u32) -> Self;

    /// # Safety
    /// `N` words are writable at `to`.
    unsafe fn write(self, to: *mut u32);

    /// Writes the words whose bits are set, one behind the other.
    ///
    /// # Safety
    /// `N` words are writable at `to`.
    unsafe fn write_some(self, bits: u32, to: *mut u32);

    /// `self` and the squared differences of both halves.
    fn add_sq_diff_of_halves(self, a: Self, b: Self) -> Self;

    /// Bit `i` is set where word `i` is at most that of `b`, unsigned.
    fn at_most(self, b: Self) -> u32;

    /// Bit `i` is set where words `i` are equal.
    fn equal(self, b: Self) -> u32;

    /// How many of eight numbers are below a bound, all of 63 bits.
    fn n_below(numbers: &[u64; 8], bound: u64) -> usize;
}

impl Words for [u32; 8] {
    const N: usize = 8;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        [x; 8]
    }

    #[inline(always)]
    unsafe fn read(from: *const u32) -> Self {
        // SAFETY: the caller's promise; an array needs no more alignment than its elements.
        unsafe { from.cast::<Self>().read() }
    }

    #[inline(always)]
    unsafe fn read_behind(mut self, first: usize, from: *const u32) -> Self {
        for (i, word) in self[first..].iter_mut().enumerate() {
            // SAFETY: the caller's promise.
            *word = unsafe { from.add(i).read() };
        }
        self
    }

    #[inline(always)]
    fn count_behind(mut self, first: usize, x: u32) -> Self {
        (first..8).zip(x..).for_each(|(i, x)| self[i] = x);
        self
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut u32) {
        // SAFETY: the caller's promise; an array needs no more alignment than its elements.
        unsafe { to.cast::<Self>().write(self) }
    }

    #[inline(always)]
    unsafe fn write_some(self, bits: u32, to: *mut u32) {
        for (n, i) in (0..8).filter(|i| bits >> i & 1 == 1).enumerate() {
            // SAFETY: `n < 8`, and the caller's promise.
            unsafe { to.add(n).write(self[i]) };
        }
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "halves of a word")]
    fn add_sq_diff_of_halves(mut self, a: Self, b: Self) -> Self {
        for i in 0..8 {
            let low = i32::from((a[i] as i16).wrapping_sub(b[i] as i16));
            let high = i32::from(((a[i] >> 16) as i16).wrapping_sub((b[i] >> 16) as i16));
            self[i] = self[i].wrapping_add((low * low) as u32).wrapping_add((high * high) as u32);
        }
        self
    }

    #[inline(always)]
    fn at_most(self, b: Self) -> u32 {
        (0..8).fold(0, |mask, i| mask | u32::from(self[i] <= b[i]) << i)
    }

    #[inline(always)]
    fn equal(self, b: Self) -> u32 {
        (0..8).fold(0, |mask, i| mask | u32::from(self[i] == b[i]) << i)
    }

    #[inline(always)]
    fn n_below(numbers: &[u64; 8], bound: u64) -> usize {
        numbers.iter().map(|&x| usize::from(x < bound)).sum()
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    clippy::cast_possible_truncation,
    reason = "words are bits"
)]
impl Words for __m256i {
    const N: usize = 8;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_set1_epi32(x as i32) }
    }

    #[inline(always)]
    unsafe fn read(from: *const u32) -> Self {
        // SAFETY: AVX2 is there; the address is the caller's promise.
        unsafe { _mm256_loadu_si256(from.cast()) }
    }

    #[inline(always)]
    unsafe fn read_behind(self, first: usize, from: *const u32) -> Self {
        // SAFETY: AVX2 is there; words are read where the mask is set, which is from `first` on.
        unsafe {
            let mask = behind(first);
            let read = _mm256_maskload_epi32(from.wrapping_sub(first).cast(), mask);
            _mm256_blendv_epi8(self, read, mask)
        }
    }

    #[inline(always)]
    fn count_behind(self, first: usize, x: u32) -> Self {
        // SAFETY: AVX2 is there.
        unsafe {
            let count = _mm256_add_epi32(_mm256_set1_epi32(x.wrapping_sub(first as u32) as i32), places());
            _mm256_blendv_epi8(self, count, behind(first))
        }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut u32) {
        // SAFETY: AVX2 is there; the address is the caller's promise.
        unsafe { _mm256_storeu_si256(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn write_some(self, bits: u32, to: *mut u32) {
        let mut words = [0; 8];
        // SAFETY: AVX2 is there, the array has room for all; the rest is the caller's promise.
        unsafe {
            _mm256_storeu_si256(words.as_mut_ptr().cast(), self);
            words.write_some(bits, to);
        }
    }

    #[inline(always)]
    fn add_sq_diff_of_halves(self, a: Self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe {
            let d = _mm256_sub_epi16(a, b);
            _mm256_add_epi32(self, _mm256_madd_epi16(d, d))
        }
    }

    #[inline(always)]
    fn at_most(self, b: Self) -> u32 {
        // There is no unsigned comparison before AVX-512.
        // SAFETY: AVX2 is there.
        unsafe { _mm256_min_epu32(self, b) }.equal(self)
    }

    #[inline(always)]
    fn equal(self, b: Self) -> u32 {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(self, b))) as u32 }
    }

    #[inline(always)]
    fn n_below(numbers: &[u64; 8], bound: u64) -> usize {
        // SAFETY: AVX2 is there; the two halves of the array are read.
        unsafe {
            let bound = _mm256_set1_epi64x(bound as i64);
            let below = |half: usize| {
                let half = _mm256_loadu_si256(numbers.as_ptr().add(4 * half).cast());
                _mm256_movemask_pd(_mm256_castsi256_pd(_mm256_cmpgt_epi64(bound, half))) as u32
            };
            (below(0) | below(1) << 4).count_ones() as usize
        }
    }
}

/// The numbers of the places.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
fn places() -> __m256i {
    _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7)
}

/// All bits of the words from `first` on.
#[cfg(target_arch = "x86_64")]
#[inline]
#[target_feature(enable = "avx2")]
#[allow(clippy::cast_possible_wrap, reason = "at most 8")]
fn behind(first: usize) -> __m256i {
    _mm256_cmpgt_epi32(places(), _mm256_set1_epi32(first as i32 - 1))
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::cast_possible_wrap, clippy::cast_possible_truncation, reason = "words are bits")]
impl Words for __m512i {
    const N: usize = 16;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_set1_epi32(x as i32) }
    }

    #[inline(always)]
    unsafe fn read(from: *const u32) -> Self {
        // SAFETY: AVX-512 is there; the address is the caller's promise.
        unsafe { _mm512_loadu_si512(from.cast()) }
    }

    #[inline(always)]
    unsafe fn read_behind(self, first: usize, from: *const u32) -> Self {
        // SAFETY: AVX-512 is there; words are read where the mask is set, which is from `first` on.
        unsafe {
            _mm512_mask_loadu_epi32(self, (0xffff_u32 << first) as u16, from.wrapping_sub(first).cast())
        }
    }

    #[inline(always)]
    fn count_behind(self, first: usize, x: u32) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe {
            let places = _mm512_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
            let x = _mm512_set1_epi32(x.wrapping_sub(first as u32) as i32);
            _mm512_mask_add_epi32(self, (0xffff_u32 << first) as u16, x, places)
        }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut u32) {
        // SAFETY: AVX-512 is there; the address is the caller's promise.
        unsafe { _mm512_storeu_si512(to.cast(), self) }
    }

    #[inline(always)]
    unsafe fn write_some(self, bits: u32, to: *mut u32) {
        // SAFETY: AVX-512 is there; the address is the caller's promise. All are written, those of the bits first: faster than some.
        unsafe { _mm512_storeu_si512(to.cast(), _mm512_maskz_compress_epi32(bits as u16, self)) }
    }

    #[inline(always)]
    fn add_sq_diff_of_halves(self, a: Self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe {
            let d = _mm512_sub_epi16(a, b);
            _mm512_add_epi32(self, _mm512_madd_epi16(d, d))
        }
    }

    #[inline(always)]
    fn at_most(self, b: Self) -> u32 {
        // SAFETY: AVX-512 is there.
        u32::from(unsafe { _mm512_cmple_epu32_mask(self, b) })
    }

    #[inline(always)]
    fn equal(self, b: Self) -> u32 {
        // SAFETY: AVX-512 is there.
        u32::from(unsafe { _mm512_cmpeq_epi32_mask(self, b) })
    }

    #[inline(always)]
    fn n_below(numbers: &[u64; 8], bound: u64) -> usize {
        // SAFETY: AVX-512 is there; the array is read.
        unsafe {
            let numbers = _mm512_loadu_si512(numbers.as_ptr().cast());
            _mm512_cmplt_epu64_mask(numbers, _mm512_set1_epi64(bound as i64)).count_ones() as usize
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::kernel::simd::{Simd, Task, available, dispatch_on};

    use super::Words;

    struct Below<'a> {
        numbers: &'a [u64; 8],
        bound: u64,
    }

    impl Task for Below<'_> {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd>(self) -> usize {
            S::U32::n_below(self.numbers, self.bound)
        }
    }

    #[test]
    fn every_path_counts_what_is_below_a_bound() {
        let most = i64::MAX as u64;
        // Some that differ in one half of 32 bits alone, and both ends of 63 bits.
        let numbers = [0, 1, 1 << 31, (1 << 32) - 1, 1 << 32, (1 << 40) + 5, most - 1, most];
        let turned: [u64; 8] = std::array::from_fn(|i| numbers[(3 * i + 5) % 8]);
        for bound in numbers.into_iter().flat_map(|x| [x.saturating_sub(1), x, (x + 1).min(most)]) {
            let expected = numbers.iter().filter(|&&x| x < bound).count();
            for isa in available() {
                for numbers in [&numbers, &turned] {
                    assert_eq!(dispatch_on(isa, Below { numbers, bound }), expected, "{isa:?} {bound}");
                }
            }
        }
    }
}
