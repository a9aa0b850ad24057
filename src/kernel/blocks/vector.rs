//! Vectors of a few floats: the one vocabulary in which the distance kernels are written.
//!
//! [`Vector`] is implemented for the registers of each instruction set and for a plain array, so that a kernel is one generic body. Sums
//! are written as subtract, multiply, add, never fused: rounding is the same on every path, and the same as in a scalar loop.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256, __m256d, __m512, __m512d, _CMP_LE_OQ, _mm256_add_pd, _mm256_add_ps, _mm256_cmp_pd, _mm256_cmp_ps,
    _mm256_loadu_pd, _mm256_loadu_ps, _mm256_max_pd, _mm256_max_ps, _mm256_min_pd, _mm256_min_ps,
    _mm256_movemask_pd, _mm256_movemask_ps, _mm256_mul_pd, _mm256_mul_ps, _mm256_set1_pd, _mm256_set1_ps,
    _mm256_storeu_pd, _mm256_storeu_ps, _mm256_sub_pd, _mm256_sub_ps, _mm512_add_pd, _mm512_add_ps,
    _mm512_cmp_pd_mask, _mm512_cmp_ps_mask, _mm512_loadu_pd, _mm512_loadu_ps, _mm512_max_pd, _mm512_max_ps,
    _mm512_min_pd, _mm512_min_ps, _mm512_mul_pd, _mm512_mul_ps, _mm512_set1_pd, _mm512_set1_ps,
    _mm512_storeu_pd, _mm512_storeu_ps, _mm512_sub_pd, _mm512_sub_ps,
};

/// A register of `LANES` floats of type `F`.
///
/// # Safety
/// `LANES` divides 32, and the methods may run only where the instruction set of the register exists.
pub(super) unsafe trait Vector<F>: Copy {
    const LANES: usize;

    fn splat(x: F) -> Self;

    /// # Safety
    /// `LANES` floats are readable at `x`.
    unsafe fn load(x: *const F) -> Self;

    /// `self + (a - b)^2`, each operation rounded.
    fn add_sq_diff(self, a: Self, b: Self) -> Self;

    /// Bit `i` is set where lane `i` is at most the bound; NaN never is.
    fn at_most(self, bound: Self) -> u32;

    fn sub(self, other: Self) -> Self;

    /// The smaller of each pair of lanes, for finite lanes.
    fn min(self, other: Self) -> Self;

    /// The larger of each pair of lanes, for finite lanes.
    fn max(self, other: Self) -> Self;

    /// # Safety
    /// `LANES` floats are writable at `to`.
    unsafe fn store(self, to: *mut F);
}

/// Eight lanes of portable code, which the compiler maps to what the target has.
#[derive(Clone, Copy)]
pub(super) struct Plain<F>([F; 8]);

// SAFETY: 8 divides 32, and plain Rust runs everywhere.
unsafe impl<
    F: Copy + PartialOrd + std::ops::Sub<Output = F> + std::ops::Mul<Output = F> + std::ops::Add<Output = F>,
> Vector<F> for Plain<F>
{
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(x: F) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn load(x: *const F) -> Self {
        // SAFETY: the caller vouches for 8 floats; an array has the alignment of its elements.
        Self(unsafe { *x.cast::<[F; 8]>() })
    }

    #[inline(always)]
    fn add_sq_diff(mut self, a: Self, b: Self) -> Self {
        for i in 0..8 {
            let d = a.0[i] - b.0[i];
            self.0[i] = self.0[i] + d * d;
        }
        self
    }

    #[inline(always)]
    fn at_most(self, bound: Self) -> u32 {
        let mut mask = 0;
        for i in 0..8 {
            mask |= u32::from(self.0[i] <= bound.0[i]) << i;
        }
        mask
    }

    #[inline(always)]
    fn sub(mut self, other: Self) -> Self {
        for i in 0..8 {
            self.0[i] = self.0[i] - other.0[i];
        }
        self
    }

    #[inline(always)]
    fn min(mut self, other: Self) -> Self {
        for i in 0..8 {
            self.0[i] = if other.0[i] < self.0[i] { other.0[i] } else { self.0[i] };
        }
        self
    }

    #[inline(always)]
    fn max(mut self, other: Self) -> Self {
        for i in 0..8 {
            self.0[i] = if other.0[i] > self.0[i] { other.0[i] } else { self.0[i] };
        }
        self
    }

    #[inline(always)]
    unsafe fn store(self, to: *mut F) {
        // SAFETY: the caller vouches for 8 floats; an array has the alignment of its elements.
        unsafe { *to.cast::<[F; 8]>() = self.0 }
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use super::*;

    // SAFETY: 8 divides 32; only wrappers with AVX-512 use it.
    unsafe impl Vector<f64> for __m512d {
        const LANES: usize = 8;

        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_set1_pd(x) }
        }

        #[inline(always)]
        unsafe fn load(x: *const f64) -> Self {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm512_loadu_pd(x) }
        }

        #[inline(always)]
        fn add_sq_diff(self, a: Self, b: Self) -> Self {
            // SAFETY: see the impl.
            unsafe {
                let d = _mm512_sub_pd(a, b);
                _mm512_add_pd(self, _mm512_mul_pd(d, d))
            }
        }

        #[inline(always)]
        fn at_most(self, bound: Self) -> u32 {
            // SAFETY: see the impl.
            u32::from(unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self, bound) })
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_sub_pd(self, other) }
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_min_pd(self, other) }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_max_pd(self, other) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm512_storeu_pd(to, self) }
        }
    }

    // SAFETY: 16 divides 32; only wrappers with AVX-512 use it.
    unsafe impl Vector<f32> for __m512 {
        const LANES: usize = 16;

        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        unsafe fn load(x: *const f32) -> Self {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm512_loadu_ps(x) }
        }

        #[inline(always)]
        fn add_sq_diff(self, a: Self, b: Self) -> Self {
            // SAFETY: see the impl.
            unsafe {
                let d = _mm512_sub_ps(a, b);
                _mm512_add_ps(self, _mm512_mul_ps(d, d))
            }
        }

        #[inline(always)]
        fn at_most(self, bound: Self) -> u32 {
            // SAFETY: see the impl.
            u32::from(unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self, bound) })
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_sub_ps(self, other) }
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_min_ps(self, other) }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_max_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm512_storeu_ps(to, self) }
        }
    }

    // SAFETY: 4 divides 32; only wrappers with AVX2 use it.
    unsafe impl Vector<f64> for __m256d {
        const LANES: usize = 4;

        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_set1_pd(x) }
        }

        #[inline(always)]
        unsafe fn load(x: *const f64) -> Self {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm256_loadu_pd(x) }
        }

        #[inline(always)]
        fn add_sq_diff(self, a: Self, b: Self) -> Self {
            // SAFETY: see the impl.
            unsafe {
                let d = _mm256_sub_pd(a, b);
                _mm256_add_pd(self, _mm256_mul_pd(d, d))
            }
        }

        #[inline(always)]
        #[allow(clippy::cast_sign_loss, reason = "a mask of four bits")]
        fn at_most(self, bound: Self) -> u32 {
            // SAFETY: see the impl.
            unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LE_OQ>(self, bound)) as u32 }
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_sub_pd(self, other) }
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_min_pd(self, other) }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_max_pd(self, other) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f64) {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm256_storeu_pd(to, self) }
        }
    }

    // SAFETY: 8 divides 32; only wrappers with AVX2 use it.
    unsafe impl Vector<f32> for __m256 {
        const LANES: usize = 8;

        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_set1_ps(x) }
        }

        #[inline(always)]
        unsafe fn load(x: *const f32) -> Self {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm256_loadu_ps(x) }
        }

        #[inline(always)]
        fn add_sq_diff(self, a: Self, b: Self) -> Self {
            // SAFETY: see the impl.
            unsafe {
                let d = _mm256_sub_ps(a, b);
                _mm256_add_ps(self, _mm256_mul_ps(d, d))
            }
        }

        #[inline(always)]
        #[allow(clippy::cast_sign_loss, reason = "a mask of eight bits")]
        fn at_most(self, bound: Self) -> u32 {
            // SAFETY: see the impl.
            unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(self, bound)) as u32 }
        }

        #[inline(always)]
        fn sub(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_sub_ps(self, other) }
        }

        #[inline(always)]
        fn min(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_min_ps(self, other) }
        }

        #[inline(always)]
        fn max(self, other: Self) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_max_ps(self, other) }
        }

        #[inline(always)]
        unsafe fn store(self, to: *mut f32) {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm256_storeu_ps(to, self) }
        }
    }
}
