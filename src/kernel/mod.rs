//! Slices in, numbers out: the only folder with `unsafe`.
//!
//! A kernel is one portable body, marked `#[inline(always)]`, and a thin `#[target_feature]` wrapper of it for each instruction set; the body is generic over the
//! register, so the compiler has nothing to guess. [`isa`] says once per process which wrapper may run. Every path is tested against a three-line
//! naive version, on all lengths.
#![allow(unsafe_code)]

pub(crate) mod blocks;
pub(crate) mod chain;
pub(crate) mod linear;
mod near;
pub(crate) mod nets;
mod pages;
pub(crate) mod pairs;

pub(crate) use blocks::{BLOCK, Blocks, Columns, Movable, Radius, bits, partition, sq_distances};
pub(crate) use near::{Band, PAD, Run, count_near, each_near, each_near_other};
pub(crate) use pages::large_pages;
pub(crate) use pairs::*;

use std::sync::OnceLock;

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
pub(crate) fn isa() -> Isa {
    static ISA: OnceLock<Isa> = OnceLock::new();
    *ISA.get_or_init(|| available().last().copied().unwrap_or(Isa::Portable))
}

/// Every instruction set of this machine, from the first to the best: what tests run through.
pub(crate) fn available() -> Vec<Isa> {
    let mut sets = vec![Isa::Portable];
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
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
