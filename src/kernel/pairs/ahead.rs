//! Hints to the memory: what will be read or written soon, and how much of it.

use std::mem::MaybeUninit;

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

/// Much memory comes in large pages from here on, where the system has them: cheaper to write the first time, and to find.
pub(crate) fn ask_for_large_pages<F>(room: &mut [MaybeUninit<F>]) {
    const LARGE: usize = 1 << 22;
    #[cfg(target_os = "linux")]
    if size_of_val(room) >= LARGE {
        let page = 4096;
        let start = room.as_mut_ptr().cast::<u8>();
        let skip = start.align_offset(page);
        let bytes = (size_of_val(room) - skip) / page * page;
        // SAFETY: the range lies inside of the slice and starts at a page; the advice changes no content. A system that refuses it
        // goes on with small pages, so the answer is of no interest.
        unsafe { libc::madvise(start.add(skip).cast(), bytes, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (room, LARGE);
}
