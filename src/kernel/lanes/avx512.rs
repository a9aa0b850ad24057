//! The registers of AVX-512. Each intrinsic is sound wherever the instruction set is there, which is the condition of [`Register`].

use std::arch::x86_64::*;

use super::Register;

impl Register for __m512 {
    type Elem = f32;
    const N: usize = 16;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_set1_ps(x) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f32) -> Self {
        // SAFETY: AVX-512 is there; the address is the caller's promise.
        unsafe { _mm512_loadu_ps(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f32) {
        // SAFETY: AVX-512 is there; the address is the caller's promise.
        unsafe { _mm512_storeu_ps(to, self) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_add_ps(self, b) }
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_sub_ps(self, b) }
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_mul_ps(self, b) }
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_div_ps(self, b) }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_fmadd_ps(self, b, c) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_abs_ps(self) }
    }

    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_max_ps(self, b) }
    }

    #[inline(always)]
    fn largest(self) -> f32 {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_reduce_max_ps(self) }
    }

    #[inline(always)]
    fn total(self) -> f32 {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_reduce_add_ps(self) }
    }

    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_min_ps(self, b) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_sqrt_ps(self) }
    }

    #[inline(always)]
    fn normal_root(self) -> Self {
        // As below, with one step.
        // SAFETY: AVX-512 is there.
        unsafe {
            let half = _mm512_set1_ps(0.5);
            let inverse = _mm512_rsqrt14_ps(self);
            let (g, h) = (_mm512_mul_ps(self, inverse), _mm512_mul_ps(inverse, half));
            let error = _mm512_fnmadd_ps(g, h, half);
            let (g, h) = (_mm512_fmadd_ps(g, error, g), _mm512_fmadd_ps(h, error, h));
            _mm512_fmadd_ps(_mm512_fnmadd_ps(g, g, self), h, g)
        }
    }

    #[inline(always)]
    unsafe fn read_few(from: *const f32, n: usize) -> Self {
        // SAFETY: AVX-512 is there; what the mask leaves out is not read.
        unsafe { _mm512_maskz_loadu_ps(0xffff >> (16 - n), from) }
    }

    #[inline(always)]
    fn upper(self, half: usize) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe {
            match half {
                8 => _mm512_shuffle_f32x4::<0b1110>(self, self),
                4 => _mm512_shuffle_f32x4::<1>(self, self),
                2 => _mm512_permute_ps::<0b1110>(self),
                _ => _mm512_permute_ps::<1>(self),
            }
        }
    }

    #[inline(always)]
    fn reciprocal(self) -> Self {
        // Fourteen bits, doubled by one step of Newton's method: a division of this width blocks its unit for 16 cycles, and
        // a cell of a recurrent net needs five of them.
        // SAFETY: AVX-512 is there.
        unsafe {
            let r = _mm512_rcp14_ps(self);
            let error = _mm512_fnmadd_ps(self, r, _mm512_set1_ps(1.0));
            _mm512_fmadd_ps(r, error, r)
        }
    }

    #[inline(always)]
    fn quotient(self, b: Self) -> Self {
        // What the first quotient, of 14 digits, leaves of the dividend is divided in the same way.
        // SAFETY: AVX-512 is there.
        unsafe {
            let r = _mm512_rcp14_ps(b);
            let q = _mm512_mul_ps(self, r);
            _mm512_fmadd_ps(_mm512_fnmadd_ps(q, b, self), r, q)
        }
    }

    #[inline(always)]
    fn at_most(self, b: Self) -> u32 {
        // SAFETY: AVX-512 is there.
        u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self, b) })
    }

    #[inline(always)]
    fn one_where_unequal(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self, b), _mm512_set1_ps(1.0)) }
    }

    #[inline(always)]
    fn one_where_above(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(self, b), _mm512_set1_ps(1.0)) }
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(self))) }
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        // SAFETY: AVX-512 is there.
        unsafe {
            let m = _mm512_getmant_ps::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(self);
            (_mm512_getexp_ps(self), m)
        }
    }
}

impl Register for __m512d {
    type Elem = f64;
    const N: usize = 8;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_set1_pd(x) }
    }

    #[inline(always)]
    unsafe fn read(from: *const f64) -> Self {
        // SAFETY: AVX-512 is there; the address is the caller's promise.
        unsafe { _mm512_loadu_pd(from) }
    }

    #[inline(always)]
    unsafe fn write(self, to: *mut f64) {
        // SAFETY: AVX-512 is there; the address is the caller's promise.
        unsafe { _mm512_storeu_pd(to, self) }
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_add_pd(self, b) }
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_sub_pd(self, b) }
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_mul_pd(self, b) }
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_div_pd(self, b) }
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_fmadd_pd(self, b, c) }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_abs_pd(self) }
    }

    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_max_pd(self, b) }
    }

    #[inline(always)]
    fn largest(self) -> f64 {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_reduce_max_pd(self) }
    }

    #[inline(always)]
    fn total(self) -> f64 {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_reduce_add_pd(self) }
    }

    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_min_pd(self, b) }
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_sqrt_pd(self) }
    }

    #[inline(always)]
    fn normal_root(self) -> Self {
        // The bits of the instruction in a third of its time (2.2 for 6.4 ns a register). From 14 bits of `1 / sqrt(a)`, each of Goldschmidt's steps
        // doubles the digits of `g`, the root, and of `h`, half its inverse; then `a - g^2`, which has no rounding to speak of, ends it. Before the last
        // rounding the result is within 2^-50 of a unit in the last place of the root. A root that close to the middle between two numbers is
        // that of `k^2 + k - j` in squared units, `|j| <= 16`: those are known, and the tests go through them.
        // SAFETY: AVX-512 is there.
        unsafe {
            let half = _mm512_set1_pd(0.5);
            let inverse = _mm512_rsqrt14_pd(self);
            let (g, h) = (_mm512_mul_pd(self, inverse), _mm512_mul_pd(inverse, half));
            let error = _mm512_fnmadd_pd(g, h, half);
            let (g, h) = (_mm512_fmadd_pd(g, error, g), _mm512_fmadd_pd(h, error, h));
            let error = _mm512_fnmadd_pd(g, h, half);
            let (g, h) = (_mm512_fmadd_pd(g, error, g), _mm512_fmadd_pd(h, error, h));
            _mm512_fmadd_pd(_mm512_fnmadd_pd(g, g, self), h, g)
        }
    }

    #[inline(always)]
    unsafe fn read_few(from: *const f64, n: usize) -> Self {
        // SAFETY: AVX-512 is there; what the mask leaves out is not read.
        unsafe { _mm512_maskz_loadu_pd(0xff >> (8 - n), from) }
    }

    #[inline(always)]
    fn upper(self, half: usize) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe {
            match half {
                4 => _mm512_shuffle_f64x2::<0b1110>(self, self),
                2 => _mm512_shuffle_f64x2::<1>(self, self),
                _ => _mm512_permute_pd::<1>(self),
            }
        }
    }

    #[inline(always)]
    fn reciprocal(self) -> Self {
        // As above, with two steps.
        // SAFETY: AVX-512 is there.
        unsafe {
            let one = _mm512_set1_pd(1.0);
            let r = _mm512_rcp14_pd(self);
            let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(self, r, one), r);
            _mm512_fmadd_pd(r, _mm512_fnmadd_pd(self, r, one), r)
        }
    }

    #[inline(always)]
    fn quotient(self, b: Self) -> Self {
        // As above, with 28 digits.
        // SAFETY: AVX-512 is there.
        unsafe {
            let r = _mm512_rcp14_pd(b);
            let r = _mm512_fmadd_pd(r, _mm512_fnmadd_pd(b, r, _mm512_set1_pd(1.0)), r);
            let q = _mm512_mul_pd(self, r);
            _mm512_fmadd_pd(_mm512_fnmadd_pd(q, b, self), r, q)
        }
    }

    #[inline(always)]
    fn at_most(self, b: Self) -> u32 {
        // SAFETY: AVX-512 is there.
        u32::from(unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self, b) })
    }

    #[inline(always)]
    fn one_where_unequal(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(self, b), _mm512_set1_pd(1.0)) }
    }

    #[inline(always)]
    fn one_where_above(self, b: Self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_GT_OQ>(self, b), _mm512_set1_pd(1.0)) }
    }

    #[inline(always)]
    fn exp2_of_low_bits(self) -> Self {
        // SAFETY: AVX-512 is there.
        unsafe { _mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_castpd_si512(self))) }
    }

    #[inline(always)]
    fn exponent_and_fraction(self) -> (Self, Self) {
        // SAFETY: AVX-512 is there.
        unsafe {
            let m = _mm512_getmant_pd::<_MM_MANT_NORM_1_2, _MM_MANT_SIGN_SRC>(self);
            (_mm512_getexp_pd(self), m)
        }
    }
}
