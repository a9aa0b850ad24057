//! Instruction sets, and how a kernel gets to the best of them.
//!
//! A kernel is a [`Task`]: its arguments as fields, its body generic over the family of registers `S`. [`dispatch`] compiles the body once for
//! each instruction set and runs the best that the machine has. Nothing else in the crate has a `#[target_feature]`. A function without it is
//! compiled for the target of the build, so everything beneath a body is `#[inline(always)]`; a closure of the caller is inlined where it is
//! small.

use std::fmt::Debug;
use std::sync::OnceLock;

use super::lanes::{Element, FUSED, Four, Register, Words};

/// Instruction sets that kernels are compiled for; a later one includes the earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Isa {
    /// What the target of the build has: SSE2 on x86-64, NEON on aarch64.
    Portable,
    /// AVX2 and FMA: x86-64-v3.
    Avx2,
    /// AVX-512 F, BW, DQ and VL: x86-64-v4.
    Avx512,
}

/// The best instruction set of this machine.
#[inline]
pub(crate) fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| available().last().copied().unwrap_or(Isa::Portable))
}

/// Every instruction set of this machine, from the first to the best: what tests run through.
#[cfg_attr(not(target_arch = "x86_64"), allow(unused_mut))]
pub(crate) fn available() -> Vec<Isa> {
    let mut sets = vec![Isa::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2")
            && is_x86_feature_detected!("fma")
            && is_x86_feature_detected!("popcnt")
            && is_x86_feature_detected!("bmi1")
        {
            sets.push(Isa::Avx2);
            if is_x86_feature_detected!("avx512f")
                && is_x86_feature_detected!("avx512bw")
                && is_x86_feature_detected!("avx512dq")
                && is_x86_feature_detected!("avx512vl")
            {
                sets.push(Isa::Avx512);
            }
        }
    }
    sets
}

/// The sizes or numbers that a test runs through: all of them, and in Miri, a thousand times slower, those about the first powers of two.
#[cfg(test)]
pub(crate) fn tested<T>(sizes: impl Iterator<Item = T>) -> impl Iterator<Item = T> {
    let kept = |i: usize| !cfg!(miri) || i.count_ones() <= 1 || (i + 1).is_power_of_two();
    let end = if cfg!(miri) { 33 } else { usize::MAX };
    sizes.take(end).enumerate().filter(move |(i, _)| kept(*i)).map(|(_, size)| size)
}

/// An instruction set as a family of registers.
///
/// Its three types are private to this file: a kernel gets one from [`dispatch`] alone, so the registers of a family are only used where the machine
/// has them.
pub trait Simd: Copy + Debug + Send + Sync + 'static {
    /// Which it is.
    const ISA: Isa;
    /// Whether a multiply-add is one instruction with one rounding.
    const FMA: bool;
    /// How many registers there are, of [`BYTES`](Self::BYTES) each.
    const REGISTERS: usize;
    /// How wide a register is.
    const BYTES: usize;
    /// `f32` in registers; kernels write [`Lanes`](super::lanes::Lanes).
    type F32: Register<Elem = f32>;
    /// `f64` in registers.
    type F64: Register<Elem = f64>;
    /// Words of 32 bits in registers.
    type U32: Words;
}

/// Plain Rust over short arrays, which the compiler maps to the registers of the target.
#[derive(Debug, Clone, Copy)]
struct Portable;

#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Avx2;

#[cfg(target_arch = "x86_64")]
#[derive(Debug, Clone, Copy)]
struct Avx512;

impl Simd for Portable {
    const ISA: Isa = Isa::Portable;
    const FMA: bool = FUSED;
    const REGISTERS: usize = if cfg!(target_arch = "aarch64") { 32 } else { 16 };
    const BYTES: usize = 16;
    type F32 = Four<f32>;
    type F64 = Four<f64>;
    type U32 = [u32; 8];
}

#[cfg(target_arch = "x86_64")]
impl Simd for Avx2 {
    const ISA: Isa = Isa::Avx2;
    const FMA: bool = true;
    const REGISTERS: usize = 16;
    const BYTES: usize = 32;
    type F32 = std::arch::x86_64::__m256;
    type F64 = std::arch::x86_64::__m256d;
    type U32 = std::arch::x86_64::__m256i;
}

#[cfg(target_arch = "x86_64")]
impl Simd for Avx512 {
    const ISA: Isa = Isa::Avx512;
    const FMA: bool = true;
    const REGISTERS: usize = 32;
    const BYTES: usize = 64;
    type F32 = std::arch::x86_64::__m512;
    type F64 = std::arch::x86_64::__m512d;
    type U32 = std::arch::x86_64::__m512i;
}

/// A kernel: its arguments as fields, and a body for any family of registers.
pub(crate) trait Task {
    /// What it returns.
    type Output;

    /// The body. Implementations are `#[inline(always)]`, or they would be compiled for the wrong instruction set.
    fn run<S: Simd>(self) -> Self::Output;
}

/// Runs a kernel on the best instruction set of this machine.
#[inline]
pub(crate) fn dispatch<T: Task>(task: T) -> T::Output {
    dispatch_on(Isa::Avx512, task)
}

/// Runs a kernel on one instruction set, or on the best of this machine where that is less.
#[inline]
pub(crate) fn dispatch_on<T: Task>(most: Isa, task: T) -> T::Output {
    match most.min(isa()) {
        // SAFETY: nothing above `isa()` is chosen, and that was detected on this machine.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(task) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(task) },
        _ => portable(task),
    }
}

/// On its own, so that a debug build, where a body takes up to a megabyte of the stack, has one body on it and not two.
#[inline(never)]
fn portable<T: Task>(task: T) -> T::Output {
    task.run::<Portable>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt,bmi1")]
fn avx512<T: Task>(task: T) -> T::Output {
    task.run::<Avx512>()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,bmi1")]
fn avx2<T: Task>(task: T) -> T::Output {
    task.run::<Avx2>()
}

/// `a b + c` of single numbers, in one rounding where the family can: for bodies that leave the registers to the compiler.
#[inline(always)]
pub(crate) fn fma<F: Element, S: Simd>(a: F, b: F, c: F) -> F {
    if S::FMA { a.fused(b, c) } else { a * b + c }
}
