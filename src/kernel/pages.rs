//! Large pages behind large arrays.

/// Asks for large pages behind an array that was not written yet; a wish that nothing depends on.
///
/// A page is handed out and cleared when it is first written. In an array of megabytes that can cost more than the writing: a page of 2 MiB comes
/// at a fraction of the price of 512 small ones.
pub(crate) fn large_pages<T>(room: &mut [T]) {
    #[cfg(all(target_os = "linux", not(miri)))]
    {
        const SMALL_PAGE: usize = 1 << 12;
        const LARGE_PAGE: usize = 1 << 21;
        let bytes = size_of_val(room);
        let start = room.as_mut_ptr().cast::<u8>();
        let skip = start.align_offset(SMALL_PAGE);
        if bytes >= 2 * LARGE_PAGE {
            let whole_pages = (bytes - skip) & !(SMALL_PAGE - 1);
            // SAFETY: the pages lie in `room`, which is ours alone; the advice changes no content, and where it is refused nothing happens.
            unsafe {
                libc::madvise(start.add(skip).cast(), whole_pages, libc::MADV_HUGEPAGE);
            }
        }
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = room;
}
