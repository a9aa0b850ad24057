//! AVX2 and AVX-512 registers.
use std::arch::x86_64::*;

use super::{Real, Register, Task};

/// Runs a task compiled for AVX-512.
///
/// # Safety
/// The machine has AVX-512 F, BW, DQ and VL, AVX2 and FMA.
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
pub(super) unsafe fn avx512<F: Real, T: Task<F>, R: Register<Scalar = F>>(task: T) -> T::Output {
    task.run::<R>()
}

/// Runs a task compiled for AVX2.
///
/// # Safety
/// The machine has AVX2 and FMA.
#[target_feature(enable = "avx2,fma")]
pub(super) unsafe fn avx2<F: Real, T: Task<F>, R: Register<Scalar = F>>(task: T) -> T::Output {
    task.run::<R>()
}

/// Sixteen `f32`.
#[derive(Clone, Copy)]
pub(super) struct F32x16(__m512);

// SAFETY of every block below: a `F32x16` is only made inside `avx512`, which runs where its features were detected.
impl Register for F32x16 {
    type Scalar = f32;
    const LANES: usize = 16;
    const COUNT: usize = 32;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: see above; the address is the caller's promise.
        Self(unsafe { _mm512_loadu_ps(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: see above; the address is the caller's promise.
        unsafe { _mm512_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // The second operand is the one returned for NaN.
        // SAFETY: see above.
        Self(unsafe { _mm512_max_ps(b.0, self.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_min_ps(b.0, self.0) })
    }
    #[inline(always)]
    fn reciprocal(self) -> Self {
        // Fourteen bits, doubled by one step of Newton's method: a division of this width blocks its unit for 16 cycles, and
        // a cell needs five of them.
        // SAFETY: see above.
        unsafe {
            let r = _mm512_rcp14_ps(self.0);
            let error = _mm512_fnmadd_ps(self.0, r, _mm512_set1_ps(1.0));
            Self(_mm512_fmadd_ps(r, error, r))
        }
    }
    #[inline(always)]
    fn is_positive(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            _mm512_maskz_mov_ps(
                _mm512_cmp_ps_mask::<_CMP_GT_OQ>(self.0, _mm512_setzero_ps()),
                _mm512_set1_ps(1.0),
            )
        })
    }
    #[inline(always)]
    fn exp2_of_magic(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_castsi512_ps(_mm512_slli_epi32::<23>(_mm512_castps_si512(self.0))) })
    }
}

/// Eight `f64`.
#[derive(Clone, Copy)]
pub(super) struct F64x8(__m512d);

// SAFETY of every block below: a `F64x8` is only made inside `avx512`, which runs where its features were detected.
impl Register for F64x8 {
    type Scalar = f64;
    const LANES: usize = 8;
    const COUNT: usize = 32;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_set1_pd(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: see above; the address is the caller's promise.
        Self(unsafe { _mm512_loadu_pd(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: see above; the address is the caller's promise.
        unsafe { _mm512_storeu_pd(p, self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_add_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_sub_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_mul_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_div_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_fmadd_pd(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // The second operand is the one returned for NaN.
        // SAFETY: see above.
        Self(unsafe { _mm512_max_pd(b.0, self.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_min_pd(b.0, self.0) })
    }
    #[inline(always)]
    fn is_positive(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            _mm512_maskz_mov_pd(
                _mm512_cmp_pd_mask::<_CMP_GT_OQ>(self.0, _mm512_setzero_pd()),
                _mm512_set1_pd(1.0),
            )
        })
    }
    #[inline(always)]
    fn exp2_of_magic(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm512_castsi512_pd(_mm512_slli_epi64::<52>(_mm512_castpd_si512(self.0))) })
    }
}

/// Eight `f32`.
#[derive(Clone, Copy)]
pub(super) struct F32x8(__m256);

// SAFETY of every block below: a `F32x8` is only made inside `avx2`, which runs where its features were detected.
impl Register for F32x8 {
    type Scalar = f32;
    const LANES: usize = 8;
    const COUNT: usize = 16;

    #[inline(always)]
    fn splat(x: f32) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_ps(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: see above; the address is the caller's promise.
        Self(unsafe { _mm256_loadu_ps(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: see above; the address is the caller's promise.
        unsafe { _mm256_storeu_ps(p, self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_div_ps(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fmadd_ps(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // The second operand is the one returned for NaN.
        // SAFETY: see above.
        Self(unsafe { _mm256_max_ps(b.0, self.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_min_ps(b.0, self.0) })
    }
    #[inline(always)]
    fn is_positive(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            _mm256_and_ps(_mm256_cmp_ps::<_CMP_GT_OQ>(self.0, _mm256_setzero_ps()), _mm256_set1_ps(1.0))
        })
    }
    #[inline(always)]
    fn exp2_of_magic(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_castsi256_ps(_mm256_slli_epi32::<23>(_mm256_castps_si256(self.0))) })
    }
}

/// Four `f64`.
#[derive(Clone, Copy)]
pub(super) struct F64x4(__m256d);

// SAFETY of every block below: a `F64x4` is only made inside `avx2`, which runs where its features were detected.
impl Register for F64x4 {
    type Scalar = f64;
    const LANES: usize = 4;
    const COUNT: usize = 16;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_set1_pd(x) })
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: see above; the address is the caller's promise.
        Self(unsafe { _mm256_loadu_pd(p) })
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: see above; the address is the caller's promise.
        unsafe { _mm256_storeu_pd(p, self.0) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_add_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_sub_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_mul_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_div_pd(self.0, b.0) })
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_fmadd_pd(self.0, b.0, c.0) })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        // The second operand is the one returned for NaN.
        // SAFETY: see above.
        Self(unsafe { _mm256_max_pd(b.0, self.0) })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_min_pd(b.0, self.0) })
    }
    #[inline(always)]
    fn is_positive(self) -> Self {
        // SAFETY: see above.
        Self(unsafe {
            _mm256_and_pd(_mm256_cmp_pd::<_CMP_GT_OQ>(self.0, _mm256_setzero_pd()), _mm256_set1_pd(1.0))
        })
    }
    #[inline(always)]
    fn exp2_of_magic(self) -> Self {
        // SAFETY: see above.
        Self(unsafe { _mm256_castsi256_pd(_mm256_slli_epi64::<52>(_mm256_castpd_si256(self.0))) })
    }
}
