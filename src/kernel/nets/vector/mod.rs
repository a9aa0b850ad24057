//! Registers of any width behind one type, and the dispatch of a kernel to the best of them.
//!
//! A kernel is a [`Task`]: its arguments as fields, its body generic over a [`Register`]. [`Real::run`] picks the register of
//! this machine, and everything below it is inlined into one function that is compiled for that instruction set.

#[cfg(target_arch = "x86_64")]
mod x86;

use std::ops::{Add, Div, Mul, Neg, Sub};

use crate::kernel::{Isa, isa};

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
#[derive(Debug, Clone, Copy)]
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
    const LN_2: (f64, f64) = (6.931_471_803_691_238e-1, 1.908_214_929_270_587_7e-10);
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
