//! Hints to the memory: what will be read, and how soon.

/// Bytes of a cache line, which the memory moves at a time, and of the widest register.
pub(crate) const LINE: usize = 64;

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

/// Bytes that are on their way while a row is used: what the memory delivers in about the time that it needs to answer.
const AHEAD: usize = 1 << 12;

/// What lies behind these numbers is going to be read after them: the memory follows a run of addresses on its own, but only to the end of a
/// page.
#[inline(always)]
pub(crate) fn expect_more<F>(now: &[F]) {
    expect_reads(now.as_ptr().wrapping_add(AHEAD / size_of::<F>()), now.len());
}

/// The number at `start` and the rest of its line are going to be read, but not soon: the second-level cache is near enough.
#[inline(always)]
pub(crate) fn expect_line_later<F>(start: *const F) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T1, _mm_prefetch};
        // SAFETY: a hint, which reads nothing, at any address.
        unsafe { _mm_prefetch::<_MM_HINT_T1>(start.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = start;
}

/// The line of `place` is going to be written.
#[inline(always)]
pub(crate) fn expect_write<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_ET0, _mm_prefetch};
        // SAFETY: a hint, which reads and writes nothing.
        unsafe { _mm_prefetch::<_MM_HINT_ET0>(place.cast::<i8>()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}
