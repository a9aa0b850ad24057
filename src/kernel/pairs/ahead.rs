//! Hints to the memory: what will be read or written soon, and how much of it.

/// Bytes that the memory moves at a time.
const LINE: usize = 64;

/// The numbers from `start` on, `len` of them, are going to be read.
#[inline(always)]
pub(crate) fn expect_reads<F>(start: *const F, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..len * size_of::<F>()).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a hint, which reads nothing, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(start.cast::<i8>().wrapping_add(offset)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, len, LINE);
}

/// The numbers from `start` on, `len` of them, are going to be written.
#[inline(always)]
pub(crate) fn expect_writes<F>(start: *mut F, len: usize) {
    #[cfg(target_arch = "x86_64")]
    for offset in (0..len * size_of::<F>()).step_by(LINE) {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a hint, which reads and writes nothing, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(start.cast::<i8>().wrapping_add(offset)) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (start, len, LINE);
}
