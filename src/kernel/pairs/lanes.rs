//! Vectors of numbers as wide as the machine's registers, so that a kernel is written once.

use std::fmt::Debug;

/// A register of [`N`](Self::N) numbers; every operation works on each of them alone.
///
/// A type of an instruction set that the machine lacks must not be used: kernels come here only through a wrapper with that
/// `#[target_feature]`.
pub trait Lanes: Copy {
    /// What the register holds.
    type Elem: Copy;
    /// How many it holds.
    const N: usize;

    /// `x` in every place.
    fn splat(x: Self::Elem) -> Self;
    /// The first `N` of `from`.
    fn load(from: &[Self::Elem]) -> Self;
    /// Writes the first `N` of `to`.
    fn store(self, to: &mut [Self::Elem]);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    /// `self * b + c`, in one rounding where the machine can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    fn abs(self) -> Self;
    fn max(self, b: Self) -> Self;
    fn min(self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    /// 1 where the two differ, 0 where they are equal.
    fn unequal(self, b: Self) -> Self;
    /// Whether any is at most its counterpart.
    fn any_at_most(self, b: Self) -> bool;
}

/// `f32` or `f64`, with the registers that hold it.
pub trait Element: Copy + Debug + Send + Sync + Sized + 'static {
    /// AVX2 and FMA.
    type Avx2: Lanes<Elem = Self>;
    /// AVX-512.
    type Avx512: Lanes<Elem = Self>;
    /// Anywhere.
    type Portable: Lanes<Elem = Self>;
    /// 0.
    const ZERO: Self;
    /// 1.
    const ONE: Self;
    /// The least number above 0.
    const TINIEST: Self;
}

impl Element for f32 {
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = Four<f32>;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx512 = Four<f32>;
    type Portable = Four<f32>;
    const ZERO: f32 = 0.0;
    const ONE: f32 = 1.0;
    const TINIEST: f32 = f32::from_bits(1);
}

impl Element for f64 {
    #[cfg(target_arch = "x86_64")]
    type Avx2 = std::arch::x86_64::__m256d;
    #[cfg(target_arch = "x86_64")]
    type Avx512 = std::arch::x86_64::__m512d;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx2 = Four<f64>;
    #[cfg(not(target_arch = "x86_64"))]
    type Avx512 = Four<f64>;
    type Portable = Four<f64>;
    const ZERO: f64 = 0.0;
    const ONE: f64 = 1.0;
    const TINIEST: f64 = f64::from_bits(1);
}

/// Four numbers, which the compiler puts into the registers of the target: SSE2, NEON.
#[derive(Debug, Clone, Copy)]
pub struct Four<F>([F; 4]);

impl<F: Element + ndarray::NdFloat> Four<F> {
    #[inline(always)]
    fn zip(self, b: Self, f: impl Fn(F, F) -> F) -> Self {
        Self([f(self.0[0], b.0[0]), f(self.0[1], b.0[1]), f(self.0[2], b.0[2]), f(self.0[3], b.0[3])])
    }
}

impl<F: Element + ndarray::NdFloat> Lanes for Four<F> {
    type Elem = F;
    const N: usize = 4;

    #[inline(always)]
    fn splat(x: F) -> Self {
        Self([x; 4])
    }

    #[inline(always)]
    fn load(from: &[F]) -> Self {
        Self([from[0], from[1], from[2], from[3]])
    }

    #[inline(always)]
    fn store(self, to: &mut [F]) {
        to[..4].copy_from_slice(&self.0);
    }

    #[inline(always)]
    fn add(self, b: Self) -> Self {
        self.zip(b, |a, b| a + b)
    }

    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        self.zip(b, |a, b| a - b)
    }

    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        self.zip(b, |a, b| a * b)
    }

    #[inline(always)]
    fn div(self, b: Self) -> Self {
        self.zip(b, |a, b| a / b)
    }

    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        // Without the instruction, a fused multiply-add is a call into the mathematical library.
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) {
            Self([
                self.0[0].mul_add(b.0[0], c.0[0]),
                self.0[1].mul_add(b.0[1], c.0[1]),
                self.0[2].mul_add(b.0[2], c.0[2]),
                self.0[3].mul_add(b.0[3], c.0[3]),
            ])
        } else {
            self.mul(b).add(c)
        }
    }

    #[inline(always)]
    fn abs(self) -> Self {
        self.zip(self, |a, _| a.abs())
    }

    #[inline(always)]
    fn max(self, b: Self) -> Self {
        self.zip(b, |a, b| if a > b { a } else { b })
    }

    #[inline(always)]
    fn min(self, b: Self) -> Self {
        self.zip(b, |a, b| if a < b { a } else { b })
    }

    #[inline(always)]
    fn sqrt(self) -> Self {
        self.zip(self, |a, _| a.sqrt())
    }

    #[inline(always)]
    fn unequal(self, b: Self) -> Self {
        self.zip(b, |a, b| if a == b { F::ZERO } else { F::ONE })
    }

    #[inline(always)]
    fn any_at_most(self, b: Self) -> bool {
        self.0.iter().zip(&b.0).any(|(a, b)| a <= b)
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    //! Each intrinsic is sound wherever its instruction set is present, which is the trait's condition;
    //! loads and stores are of slices whose length was just checked.
    use super::Lanes;
    use std::arch::x86_64::*;

    impl Lanes for __m256d {
        type Elem = f64;
        const N: usize = 4;

        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_set1_pd(x) }
        }

        #[inline(always)]
        fn load(from: &[f64]) -> Self {
            let from = &from[..4];
            // SAFETY: AVX2 is present, and `from` has 4 numbers.
            unsafe { _mm256_loadu_pd(from.as_ptr()) }
        }

        #[inline(always)]
        fn store(self, to: &mut [f64]) {
            let to = &mut to[..4];
            // SAFETY: AVX2 is present, and `to` has 4 numbers.
            unsafe { _mm256_storeu_pd(to.as_mut_ptr(), self) }
        }

        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_add_pd(self, b) }
        }

        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_sub_pd(self, b) }
        }

        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_mul_pd(self, b) }
        }

        #[inline(always)]
        fn div(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_div_pd(self, b) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_fmadd_pd(self, b, c) }
        }

        #[inline(always)]
        fn abs(self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_andnot_pd(_mm256_set1_pd(-0.0), self) }
        }

        #[inline(always)]
        fn max(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_max_pd(self, b) }
        }

        #[inline(always)]
        fn min(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_min_pd(self, b) }
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_sqrt_pd(self) }
        }

        #[inline(always)]
        fn unequal(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_and_pd(_mm256_cmp_pd::<_CMP_NEQ_UQ>(self, b), _mm256_set1_pd(1.0)) }
        }

        #[inline(always)]
        fn any_at_most(self, b: Self) -> bool {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_movemask_pd(_mm256_cmp_pd::<_CMP_LE_OQ>(self, b)) != 0 }
        }
    }

    impl Lanes for __m256 {
        type Elem = f32;
        const N: usize = 8;

        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_set1_ps(x) }
        }

        #[inline(always)]
        fn load(from: &[f32]) -> Self {
            let from = &from[..8];
            // SAFETY: AVX2 is present, and `from` has 8 numbers.
            unsafe { _mm256_loadu_ps(from.as_ptr()) }
        }

        #[inline(always)]
        fn store(self, to: &mut [f32]) {
            let to = &mut to[..8];
            // SAFETY: AVX2 is present, and `to` has 8 numbers.
            unsafe { _mm256_storeu_ps(to.as_mut_ptr(), self) }
        }

        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_add_ps(self, b) }
        }

        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_sub_ps(self, b) }
        }

        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_mul_ps(self, b) }
        }

        #[inline(always)]
        fn div(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_div_ps(self, b) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_fmadd_ps(self, b, c) }
        }

        #[inline(always)]
        fn abs(self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_andnot_ps(_mm256_set1_ps(-0.0), self) }
        }

        #[inline(always)]
        fn max(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_max_ps(self, b) }
        }

        #[inline(always)]
        fn min(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_min_ps(self, b) }
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_sqrt_ps(self) }
        }

        #[inline(always)]
        fn unequal(self, b: Self) -> Self {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_and_ps(_mm256_cmp_ps::<_CMP_NEQ_UQ>(self, b), _mm256_set1_ps(1.0)) }
        }

        #[inline(always)]
        fn any_at_most(self, b: Self) -> bool {
            // SAFETY: AVX2 is present.
            unsafe { _mm256_movemask_ps(_mm256_cmp_ps::<_CMP_LE_OQ>(self, b)) != 0 }
        }
    }

    impl Lanes for __m512d {
        type Elem = f64;
        const N: usize = 8;

        #[inline(always)]
        fn splat(x: f64) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_set1_pd(x) }
        }

        #[inline(always)]
        fn load(from: &[f64]) -> Self {
            let from = &from[..8];
            // SAFETY: AVX-512 is present, and `from` has 8 numbers.
            unsafe { _mm512_loadu_pd(from.as_ptr()) }
        }

        #[inline(always)]
        fn store(self, to: &mut [f64]) {
            let to = &mut to[..8];
            // SAFETY: AVX-512 is present, and `to` has 8 numbers.
            unsafe { _mm512_storeu_pd(to.as_mut_ptr(), self) }
        }

        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_add_pd(self, b) }
        }

        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_sub_pd(self, b) }
        }

        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_mul_pd(self, b) }
        }

        #[inline(always)]
        fn div(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_div_pd(self, b) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_fmadd_pd(self, b, c) }
        }

        #[inline(always)]
        fn abs(self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_abs_pd(self) }
        }

        #[inline(always)]
        fn max(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_max_pd(self, b) }
        }

        #[inline(always)]
        fn min(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_min_pd(self, b) }
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_sqrt_pd(self) }
        }

        #[inline(always)]
        fn unequal(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_maskz_mov_pd(_mm512_cmp_pd_mask::<_CMP_NEQ_UQ>(self, b), _mm512_set1_pd(1.0)) }
        }

        #[inline(always)]
        fn any_at_most(self, b: Self) -> bool {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_cmp_pd_mask::<_CMP_LE_OQ>(self, b) != 0 }
        }
    }

    impl Lanes for __m512 {
        type Elem = f32;
        const N: usize = 16;

        #[inline(always)]
        fn splat(x: f32) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_set1_ps(x) }
        }

        #[inline(always)]
        fn load(from: &[f32]) -> Self {
            let from = &from[..16];
            // SAFETY: AVX-512 is present, and `from` has 16 numbers.
            unsafe { _mm512_loadu_ps(from.as_ptr()) }
        }

        #[inline(always)]
        fn store(self, to: &mut [f32]) {
            let to = &mut to[..16];
            // SAFETY: AVX-512 is present, and `to` has 16 numbers.
            unsafe { _mm512_storeu_ps(to.as_mut_ptr(), self) }
        }

        #[inline(always)]
        fn add(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_add_ps(self, b) }
        }

        #[inline(always)]
        fn sub(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_sub_ps(self, b) }
        }

        #[inline(always)]
        fn mul(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_mul_ps(self, b) }
        }

        #[inline(always)]
        fn div(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_div_ps(self, b) }
        }

        #[inline(always)]
        fn mul_add(self, b: Self, c: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_fmadd_ps(self, b, c) }
        }

        #[inline(always)]
        fn abs(self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_abs_ps(self) }
        }

        #[inline(always)]
        fn max(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_max_ps(self, b) }
        }

        #[inline(always)]
        fn min(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_min_ps(self, b) }
        }

        #[inline(always)]
        fn sqrt(self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_sqrt_ps(self) }
        }

        #[inline(always)]
        fn unequal(self, b: Self) -> Self {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_NEQ_UQ>(self, b), _mm512_set1_ps(1.0)) }
        }

        #[inline(always)]
        fn any_at_most(self, b: Self) -> bool {
            // SAFETY: AVX-512 is present.
            unsafe { _mm512_cmp_ps_mask::<_CMP_LE_OQ>(self, b) != 0 }
        }
    }
}
