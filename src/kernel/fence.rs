//! An allocator that ends every piece of memory at the edge of a page that may not be touched, for the tests of the kernels.
//!
//! The tests of this folder compare every kernel with a naive one on every length and instruction set. Under this allocator the process dies
//! where a kernel looks at a byte behind a slice that it was given. It is switched on by [`SWITCH`], since every allocation takes two system
//! calls; [`tests`] runs the tests once more in a process that has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ptr;
use std::sync::atomic::{AtomicU8, Ordering::Relaxed};

/// The environment variable that switches the fence on.
const SWITCH: &std::ffi::CStr = c"SAPWOOD_FENCE";

const PAGE: usize = 4096;

struct Fence;

#[global_allocator]
static FENCE: Fence = Fence;

/// Whether [`SWITCH`] is set, looked up once: 0 for not yet known, then 1 or 2.
fn is_on() -> bool {
    static STATE: AtomicU8 = AtomicU8::new(0);
    match STATE.load(Relaxed) {
        0 => {
            // SAFETY: the name is a C string. Nothing here allocates, which `std::env` would.
            let on = !unsafe { libc::getenv(SWITCH.as_ptr()) }.is_null();
            STATE.store(1 + u8::from(on), Relaxed);
            on
        }
        state => state == 2,
    }
}

/// The first page of the piece at `start`, and all bytes up to the page behind it.
fn pages(start: usize, size: usize) -> (usize, usize) {
    let first = start & !(PAGE - 1);
    (first, (start + size).next_multiple_of(PAGE) - first)
}

// SAFETY: a piece is either one of the system's, unchanged, or a mapping of its own, as large and as aligned as the layout asks for. Which of the two is
// the same for the whole process, but for alignments above a page, where the layout says it again.
unsafe impl GlobalAlloc for Fence {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if !is_on() || layout.align() > PAGE {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.alloc(layout) };
        }
        let bytes = layout.size().next_multiple_of(PAGE).max(PAGE);
        // SAFETY: a new mapping touches no other; its last page, behind the bytes that are given out, is then closed.
        unsafe {
            let (read, private) =
                (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
            let map = libc::mmap(ptr::null_mut(), bytes + PAGE, read, private, -1, 0);
            if map == libc::MAP_FAILED {
                return ptr::null_mut();
            }
            libc::mprotect(map.byte_add(bytes), PAGE, libc::PROT_NONE);
            // As near to the edge as the alignment allows: for numbers in a vector, at it.
            let end = map.addr() + bytes;
            map.cast::<u8>().with_addr((end - layout.size()) & !(layout.align() - 1))
        }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        if !is_on() || layout.align() > PAGE {
            // SAFETY: the caller's promise is passed on.
            return unsafe { System.dealloc(pointer, layout) };
        }
        let (first, bytes) = pages(pointer.addr(), layout.size().max(1));
        // SAFETY: the mapping that `alloc` made for this layout.
        unsafe { libc::munmap(pointer.with_addr(first).cast(), bytes + PAGE) };
    }
}

mod tests {
    use super::*;
    use std::process::Command;

    /// A byte behind the end is behind the edge: the process dies of it.
    #[test]
    #[ignore = "it dies; `kernels_stay_within_their_slices` runs it"]
    fn a_look_behind_a_slice_is_death() {
        let values = vec![1_u8; 40].into_boxed_slice();
        // SAFETY: none. That is what is tested, in a process for it alone.
        let behind = unsafe { ptr::read_volatile(std::hint::black_box(values.as_ptr()).add(40)) };
        assert!(is_on() && behind == 0, "still alive");
    }

    #[test]
    fn kernels_stay_within_their_slices() {
        if is_on() {
            return;
        }
        let run = |arguments: &[&str]| {
            let mut command = Command::new(std::env::current_exe().expect("this program"));
            let name = SWITCH.to_str().expect("a name");
            // The tables behind a backtrace are more pieces than the system has mappings for.
            command.env("RUST_BACKTRACE", "0").env(name, "1");
            command.args(arguments).arg("--test-threads=1").output().expect("it starts")
        };
        let died = run(&["--ignored", "a_look_behind_a_slice_is_death"]);
        assert!(died.status.code().is_none(), "a signal ends it: {died:?}");
        let lived = run(&["kernel::"]);
        let said = String::from_utf8_lossy(&lived.stdout);
        assert!(lived.status.success(), "{said}{}", String::from_utf8_lossy(&lived.stderr));
        assert!(said.contains("kernel::pairs::") && said.contains("test result: ok."), "{said}");
    }
}
