//! Memory for large results.

use super::lanes::Element;

/// Results from this size on ask for large pages.
const LARGE: usize = 1 << 22;

/// `len` zeros; a large result comes in large pages where the system has them, so that writing it the first time does not cost more than
/// computing it.
pub(crate) fn zeros<F: Element>(len: usize) -> Vec<F> {
    let zeros = vec![F::ZERO; len];
    #[cfg(target_os = "linux")]
    if size_of_val(zeros.as_slice()) >= LARGE {
        let page = 4096;
        let start = zeros.as_ptr().cast::<u8>();
        let skip = start.align_offset(page);
        let bytes = (size_of_val(zeros.as_slice()) - skip) / page * page;
        // SAFETY: the range lies inside of the vector and starts at a page; the advice changes no content. A system that refuses it
        // goes on with small pages, so the answer is of no interest.
        unsafe { libc::madvise(start.add(skip).cast_mut().cast(), bytes, libc::MADV_HUGEPAGE) };
    }
    zeros
}

#[cfg(test)]
mod tests {
    #[test]
    fn zeros_of_every_size_are_zeros() {
        for len in [0, 1, 1000, super::LARGE / 8 + 3] {
            let zeros = super::zeros::<f64>(len);
            assert!(zeros.len() == len && zeros.iter().all(|&z| z == 0.0));
        }
    }
}
