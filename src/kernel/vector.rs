//! Registers of any width behind one type, and the dispatch of a kernel to the best of them.
//!
//! A kernel is a [`Task`]: its arguments as fields, its body generic over a [`Register`]. [`Real::run`] picks the register of
//! this machine, and everything below it is inlined into one function that is compiled for that instruction set.

use std::ops::{Add, Div, Mul, Neg, Sub};

use super::{Isa, isa};

/// `f32` or `f64`, with the constants that kernels need of them.
pub trait Real: Copy + Send + Sync + 'static {
    /// Values in 64 bytes: packed arrays are cut into blocks of so many on every machine.
    const BLOCK: usize;
    /// `1.5 * 2^mantissa + bias`: added to `n`, it leaves `n + bias` in the lowest bits.
    const MAGIC: f64;
    /// `exp` of anything in this range is a normal number.
    const EXP_RANGE: (f64, f64);
    /// The logarithm of 2 as a short number and the rest.
    const LN_2: (f64, f64);
    /// `(exp(r) - 1 - r) / r^2` as a polynomial in `r`, the constant first, for `|r| <= ln(2) / 2`.
    const EXP: &'static [f64];
    /// `tanh` is 1 from here on.
    const TANH_END: f64;

    /// The nearest value of this type.
    fn of(x: f64) -> Self;

    /// Runs a kernel with the registers of `isa`, which this machine must have.
    fn run_on<T: Task<Self>>(isa: Isa, task: T) -> T::Output;

    /// Runs a kernel with the best registers of this machine.
    fn run<T: Task<Self>>(task: T) -> T::Output {
        Self::run_on(isa(), task)
    }
}

/// A kernel: arguments as fields, and a body for any register.
pub trait Task<F: Real> {
    /// What it returns.
    type Output;

    /// The body. Implementations are `#[inline(always)]`, or they would be compiled for the wrong instruction set.
    fn run<R: Register<Scalar = F>>(self) -> Self::Output;
}

/// A machine register of several numbers, or an array in its place.
pub trait Register: Copy {
    /// The number in a lane.
    type Scalar: Real;
    /// Numbers in it.
    const LANES: usize;
    /// How many of them the machine has.
    const COUNT: usize;

    fn splat(x: Self::Scalar) -> Self;
    /// # Safety
    /// `p` is valid for reading `LANES` numbers.
    unsafe fn load(p: *const Self::Scalar) -> Self;
    /// # Safety
    /// `p` is valid for writing `LANES` numbers.
    unsafe fn store(self, p: *mut Self::Scalar);
    fn add(self, b: Self) -> Self;
    fn sub(self, b: Self) -> Self;
    fn mul(self, b: Self) -> Self;
    fn div(self, b: Self) -> Self;
    fn sqrt(self) -> Self;
    /// `self * b + c`, rounded once where the machine can.
    fn mul_add(self, b: Self, c: Self) -> Self;
    /// The larger; `self` where it is NaN.
    fn max(self, b: Self) -> Self;
    /// The smaller; `self` where it is NaN.
    fn min(self, b: Self) -> Self;
    /// `1 / self`, to 1 unit in the last place, for `self` with a normal inverse.
    #[inline(always)]
    fn reciprocal(self) -> Self {
        Self::splat(Self::Scalar::of(1.0)).div(self)
    }
    /// 1 where `self > 0`, else 0.
    fn is_positive(self) -> Self;
    /// `2^n` for `self = n + MAGIC`.
    fn exp2_of_magic(self) -> Self;
}

/// A [`Register`] with the operators of a number.
#[derive(Clone, Copy)]
pub struct Vector<R>(R);

impl<R: Register> Vector<R> {
    #[inline(always)]
    pub(crate) fn of(x: f64) -> Self {
        Self(R::splat(R::Scalar::of(x)))
    }

    #[inline(always)]
    pub(crate) fn splat(x: R::Scalar) -> Self {
        Self(R::splat(x))
    }

    /// # Safety
    /// `p` is valid for reading `R::LANES` numbers.
    #[inline(always)]
    pub(crate) unsafe fn load(p: *const R::Scalar) -> Self {
        // SAFETY: the caller's promise.
        Self(unsafe { R::load(p) })
    }

    /// # Safety
    /// `p` is valid for writing `R::LANES` numbers.
    #[inline(always)]
    pub(crate) unsafe fn store(self, p: *mut R::Scalar) {
        // SAFETY: the caller's promise.
        unsafe { self.0.store(p) }
    }

    /// `self * b + c`.
    #[inline(always)]
    pub(crate) fn mul_add(self, b: Self, c: Self) -> Self {
        Self(self.0.mul_add(b.0, c.0))
    }

    /// `1 / self`, for `self` with a normal inverse.
    #[inline(always)]
    pub(crate) fn reciprocal(self) -> Self {
        Self(self.0.reciprocal())
    }

    #[inline(always)]
    pub(crate) fn sqrt(self) -> Self {
        Self(self.0.sqrt())
    }

    /// `self` where it lies in `low..=high` or is NaN, else the nearer end.
    #[inline(always)]
    pub(crate) fn clamp(self, low: f64, high: f64) -> Self {
        Self(self.0.max(Self::of(low).0).min(Self::of(high).0))
    }

    /// The larger of `self` and 0; NaN stays.
    #[inline(always)]
    pub(crate) fn relu(self) -> Self {
        Self(self.0.max(Self::of(0.0).0))
    }

    /// 1 where `self > 0`, else 0.
    #[inline(always)]
    pub(crate) fn is_positive(self) -> Self {
        Self(self.0.is_positive())
    }

    #[inline(always)]
    pub(crate) fn exp2_of_magic(self) -> Self {
        Self(self.0.exp2_of_magic())
    }
}

impl<R: Register> Add for Vector<R> {
    type Output = Self;
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        Self(self.0.add(b.0))
    }
}

impl<R: Register> Sub for Vector<R> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        Self(self.0.sub(b.0))
    }
}

impl<R: Register> Mul for Vector<R> {
    type Output = Self;
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        Self(self.0.mul(b.0))
    }
}

impl<R: Register> Div for Vector<R> {
    type Output = Self;
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        Self(self.0.div(b.0))
    }
}

impl<R: Register> Neg for Vector<R> {
    type Output = Self;
    #[inline(always)]
    fn neg(self) -> Self {
        Self(R::splat(R::Scalar::of(0.0)).sub(self.0))
    }
}

impl Real for f32 {
    const BLOCK: usize = 16;
    const MAGIC: f64 = 12_582_912.0 + 127.0;
    const EXP_RANGE: (f64, f64) = (-87.0, 87.0);
    const LN_2: (f64, f64) = (0.693_359_375, -2.121_944_4e-4);
    // Moshier, Cephes `expf`.
    const EXP: &'static [f64] = &[
        5.000_000_120_1e-1,
        1.666_666_545_9e-1,
        4.166_579_589_4e-2,
        8.333_451_907_3e-3,
        1.398_199_950_7e-3,
        1.987_569_15e-4,
    ];
    const TANH_END: f64 = 10.0;

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, reason = "rounding is what the name promises")]
    fn of(x: f64) -> Self {
        x as f32
    }

    fn run_on<T: Task<Self>>(isa: Isa, task: T) -> T::Output {
        match isa {
            // SAFETY: `isa` names instruction sets that were detected on this machine.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { x86::avx512::<Self, _, x86::F32x16>(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { x86::avx2::<Self, _, x86::F32x8>(task) },
            _ => task.run::<[f32; 4]>(),
        }
    }
}

impl Real for f64 {
    const BLOCK: usize = 8;
    const MAGIC: f64 = 6_755_399_441_055_744.0 + 1023.0;
    const EXP_RANGE: (f64, f64) = (-708.0, 709.0);
    // Sun Microsystems, fdlibm `e_exp.c`.
    const LN_2: (f64, f64) = (6.931_471_803_691_238_2e-1, 1.908_214_929_270_587_7e-10);
    // 1 / n!; the first term left out is below 2e-17 of the result.
    const EXP: &'static [f64] = &[
        1.0 / 2.0,
        1.0 / 6.0,
        1.0 / 24.0,
        1.0 / 120.0,
        1.0 / 720.0,
        1.0 / 5040.0,
        1.0 / 40320.0,
        1.0 / 362_880.0,
        1.0 / 3_628_800.0,
        1.0 / 39_916_800.0,
        1.0 / 479_001_600.0,
        1.0 / 6_227_020_800.0,
    ];
    const TANH_END: f64 = 20.0;

    #[inline(always)]
    fn of(x: f64) -> Self {
        x
    }

    fn run_on<T: Task<Self>>(isa: Isa, task: T) -> T::Output {
        match isa {
            // SAFETY: `isa` names instruction sets that were detected on this machine.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => unsafe { x86::avx512::<Self, _, x86::F64x8>(task) },
            // SAFETY: as above.
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => unsafe { x86::avx2::<Self, _, x86::F64x4>(task) },
            _ => task.run::<[f64; 2]>(),
        }
    }
}

/// Whether the plain build has a fused multiply-add; elsewhere it is a slow call of the C library.
const FUSED: bool = cfg!(any(target_feature = "fma", target_arch = "aarch64"));

impl Register for [f32; 4] {
    type Scalar = f32;
    const LANES: usize = 4;
    const COUNT: usize = if cfg!(target_arch = "aarch64") { 32 } else { 16 };

    #[inline(always)]
    fn splat(x: f32) -> Self {
        [x; 4]
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Self {
        // SAFETY: the caller's promise; an array needs no more alignment than its elements.
        unsafe { p.cast::<Self>().read() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f32) {
        // SAFETY: as for `load`.
        unsafe { p.cast::<Self>().write(self) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] * b[i])
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] / b[i])
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(f32::sqrt)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|i| if FUSED { self[i].mul_add(b[i], c[i]) } else { self[i] * b[i] + c[i] })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        std::array::from_fn(|i| if b[i] > self[i] { b[i] } else { self[i] })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        std::array::from_fn(|i| if b[i] < self[i] { b[i] } else { self[i] })
    }
    #[inline(always)]
    fn is_positive(self) -> Self {
        self.map(|x| if x > 0.0 { 1.0 } else { 0.0 })
    }
    #[inline(always)]
    fn exp2_of_magic(self) -> Self {
        self.map(|x| f32::from_bits(x.to_bits() << 23))
    }
}

impl Register for [f64; 2] {
    type Scalar = f64;
    const LANES: usize = 2;
    const COUNT: usize = <[f32; 4]>::COUNT;

    #[inline(always)]
    fn splat(x: f64) -> Self {
        [x; 2]
    }
    #[inline(always)]
    unsafe fn load(p: *const f64) -> Self {
        // SAFETY: the caller's promise; an array needs no more alignment than its elements.
        unsafe { p.cast::<Self>().read() }
    }
    #[inline(always)]
    unsafe fn store(self, p: *mut f64) {
        // SAFETY: as for `load`.
        unsafe { p.cast::<Self>().write(self) }
    }
    #[inline(always)]
    fn add(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] + b[i])
    }
    #[inline(always)]
    fn sub(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] - b[i])
    }
    #[inline(always)]
    fn mul(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] * b[i])
    }
    #[inline(always)]
    fn div(self, b: Self) -> Self {
        std::array::from_fn(|i| self[i] / b[i])
    }
    #[inline(always)]
    fn sqrt(self) -> Self {
        self.map(f64::sqrt)
    }
    #[inline(always)]
    fn mul_add(self, b: Self, c: Self) -> Self {
        std::array::from_fn(|i| if FUSED { self[i].mul_add(b[i], c[i]) } else { self[i] * b[i] + c[i] })
    }
    #[inline(always)]
    fn max(self, b: Self) -> Self {
        std::array::from_fn(|i| if b[i] > self[i] { b[i] } else { self[i] })
    }
    #[inline(always)]
    fn min(self, b: Self) -> Self {
        std::array::from_fn(|i| if b[i] < self[i] { b[i] } else { self[i] })
    }
    #[inline(always)]
    fn is_positive(self) -> Self {
        self.map(|x| if x > 0.0 { 1.0 } else { 0.0 })
    }
    #[inline(always)]
    fn exp2_of_magic(self) -> Self {
        self.map(|x| f64::from_bits(x.to_bits() << 52))
    }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
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
    pub struct F32x16(__m512);

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
        fn sqrt(self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm512_sqrt_ps(self.0) })
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
    pub struct F64x8(__m512d);

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
        fn sqrt(self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm512_sqrt_pd(self.0) })
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
    pub struct F32x8(__m256);

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
        fn sqrt(self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_sqrt_ps(self.0) })
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
    pub struct F64x4(__m256d);

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
        fn sqrt(self) -> Self {
            // SAFETY: see above.
            Self(unsafe { _mm256_sqrt_pd(self.0) })
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
}
