//! The registers of AVX2. Each intrinsic is sound wherever the instruction set is there, which is the condition of [`Register`].

use std::arch::x86_64::*;

use super::Register;

/// All bits of the first `n` of eight words, as masks of loads have it.
#[inline(always)]
fn first_of_eight(n: usize) -> __m256i {
    const ONES_THEN_ZEROS: [i32; 16] = [-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0];
    let from = &ONES_THEN_ZEROS[8 - n..][..8];
    // SAFETY: AVX2 is there wherever this is called, and `from` has eight words.
    unsafe { _mm256_loadu_si256(from.as_ptr().cast()) }
}

impl Register for __m256 {
    type Elem = f32;
    const N: usize = 8;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: AVX2 is there; the address is the caller's promise.
        unsafe { _mm256_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: AVX2 is there; the address is the caller's promise.
        unsafe { _mm256_storeu_ps(to, self) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_add_ps(self, b) }
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_sub_ps(self, b) }
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_mul_ps(self, b) }
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_div_ps(self, b) }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_fmadd_ps(self, b, c) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self) }
    }

    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_max_ps(self, b) }
    }

    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_min_ps(self, b) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_sqrt_ps(self) }
    }

    #[inline(always)]
    unsafe fn read_few(from: *const f32, n: usize) -> Self {
        // SAFETY: AVX2 is there; what the mask leaves out is not read.
        unsafe { _mm256_maskload_ps(from, first_of_eight(n)) }
    }

    #[inline(always)]
    fn upper(self, half: usize) -> Self {
        // SAFETY: AVX2 is there.
        unsafe {
            match half {
                4 => _mm256_permute2f128_ps::<1>(self, self),
                2 => _mm256_permute_ps::<0b1110>(self),
                _ => _mm256_permute_ps::<1>(self),
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::cast_sign_loss, reason = "a mask of 8 bits")]
    fn at_most(self, b: Self) -> u32 {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(self, b)) as u32 }
    }

    #[inline(always)]
    fn one_where_unequal(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(self, b), _mm256_set1_ps(1.0)) }
    }

    #[inline(always)]
    fn one_where_above(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(self, b), _mm256_set1_ps(1.0)) }
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(self))) }
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        // SAFETY: AVX2 is there.
        unsafe {
            let e = _mm256_cvtepi32_ps(_mm256_srli_epi32::<23>(_mm256_castps_si256(self)));
            let low = _mm256_and_ps(self, _mm256_set1_ps(f32::from_bits(0x007f_ffff)));
            (_mm256_sub_ps(e, _mm256_set1_ps(127.0)), _mm256_or_ps(low, _mm256_set1_ps(1.0)))
        }
    }
}

impl Register for __m256d {
    type Elem = f64;
    const N: usize = 4;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f64) -> Self {
        // SAFETY: AVX2 is there; the address is the caller's promise.
        unsafe { _mm256_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f64) {
        // SAFETY: AVX2 is there; the address is the caller's promise.
        unsafe { _mm256_storeu_pd(to, self) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_add_pd(self, b) }
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_sub_pd(self, b) }
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_mul_pd(self, b) }
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_div_pd(self, b) }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_fmadd_pd(self, b, c) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self) }
    }

    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_max_pd(self, b) }
    }

    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_min_pd(self, b) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_sqrt_pd(self) }
    }

    #[inline(always)]
    unsafe fn read_few(from: *const f64, n: usize) -> Self {
        // SAFETY: AVX2 is there; what the mask leaves out is not read.
        unsafe { _mm256_maskload_pd(from, first_of_eight(2 * n)) }
    }

    #[inline(always)]
    fn upper(self, half: usize) -> Self {
        // SAFETY: AVX2 is there.
        unsafe {
            match half {
                2 => _mm256_permute2f128_pd::<1>(self, self),
                _ => _mm256_permute_pd::<1>(self),
            }
        }
    }

    #[inline(always)]
    #[allow(clippy::cast_sign_loss, reason = "a mask of 4 bits")]
    fn at_most(self, b: Self) -> u32 {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LE_OQ>(self, b)) as u32 }
    }

    #[inline(always)]
    fn one_where_unequal(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_and_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(self, b), _mm256_set1_pd(1.0)) }
    }

    #[inline(always)]
    fn one_where_above(self, b: Self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(self, b), _mm256_set1_pd(1.0)) }
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> Self {
        // SAFETY: AVX2 is there.
        unsafe { _mm256_castsi256_pd(_mm256_slli_epi64::<52>(_mm256_castpd_si256(self))) }
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        // With the bits of 2^52 above it, a small integer is the float 2^52 + itself.
        let above = 4_503_599_627_370_496.0;
        // SAFETY: AVX2 is there.
        unsafe {
            let e = _mm256_castsi256_pd(_mm256_srli_epi64::<52>(_mm256_castpd_si256(self)));
            let e = _mm256_sub_pd(_mm256_or_pd(e, _mm256_set1_pd(above)), _mm256_set1_pd(above + 1023.0));
            let low = _mm256_and_pd(self, _mm256_set1_pd(f64::from_bits(0x000f_ffff_ffff_ffff)));
            (e, _mm256_or_pd(low, _mm256_set1_pd(1.0)))
        }
    }
}
