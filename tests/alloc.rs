//! What a fit allocates, measured by a counting allocator: the figures of the docs, and a ceiling on each.
//!
//! One test, because the counter is one for the process.
#![allow(unsafe_code)]
#![allow(clippy::print_stdout, reason = "the figures are worth reading")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::Fit;
use sapwood::ndarray::{Array2, aview1};
use sapwood::{Dbscan, Float, Index, with_threads};

/// The system's allocator, counting bytes in use and the most there ever were.
struct Counting;

static IN_USE: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);
static CALLS: AtomicUsize = AtomicUsize::new(0);

impl Counting {
    fn add(bytes: usize) {
        CALLS.fetch_add(1, Relaxed);
        PEAK.fetch_max(IN_USE.fetch_add(bytes, Relaxed) + bytes, Relaxed);
    }
}

// SAFETY: every call goes to `System` unchanged; beside it only counters move.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::add(layout.size());
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::add(size);
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promises are those that `System` asks for.
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Most bytes in use during `f` beyond those before it.
fn peak<R>(f: impl FnOnce() -> R) -> (usize, R) {
    let before = IN_USE.load(Relaxed);
    PEAK.store(before, Relaxed);
    let result = f();
    (PEAK.load(Relaxed) - before, result)
}

/// Bytes per point that a fit needs at its peak, labels and core points of the model among them.
fn fit_bytes<F: Float>(x: &Array2<F>, eps: f64, min_samples: usize, threads: usize) -> f64 {
    let dataset = DatasetBase::from(x.view());
    let fit = || Dbscan::params(min_samples).eps(eps).fit(&dataset).expect("valid");
    let (bytes, _) = with_threads(threads, || peak(fit));
    bytes as f64 / x.nrows() as f64
}

fn blobs<F: Float>(n: usize, d: usize) -> Array2<F> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(4);
    Array2::from_shape_fn((n, d), |(i, _)| {
        F::cast((i % 10) as f64 * 10.0 + rng.gen_range(0.0..1.0) + rng.gen_range(0.0..1.0))
    })
}

#[test]
fn memory_is_linear_whatever_eps() {
    let n = if cfg!(debug_assertions) { 60_000 } else { 200_000 };
    let same = Array2::from_elem((n, 3), 0.5);
    let (wide, narrow) = (blobs::<f64>(n, 3), blobs::<f32>(n, 3));
    // From hardly a neighbour to a whole blob and to all points.
    for (eps, min_samples) in
        [(0.001, 10), (0.1, 10), (0.3, 10), (0.3, 400), (4.0, 10), (1000.0, 10), (1000.0, n)]
    {
        let bytes = [fit_bytes(&wide, eps, min_samples, 2), fit_bytes(&narrow, eps, min_samples, 2)];
        println!(
            "3-D, eps {eps}, min_samples {min_samples}: {:.1} bytes per point in f64, {:.1} in f32",
            bytes[0], bytes[1]
        );
        assert!(bytes[0] <= MOST && bytes[1] <= MOST, "{bytes:?}");
    }
    for (d, most) in [(2, 60.0), (7, 160.0)] {
        let bytes = fit_bytes::<f64>(&blobs(n, d), 0.2, 10, 2);
        println!("{d}-D f64: {bytes:.1} bytes per point");
        assert!(bytes <= most, "{d}-D: {bytes}");
    }
    for min_samples in [10, n, n + 1] {
        let bytes = fit_bytes::<f64>(&same, 1e-9, min_samples, 2);
        println!("equal points, min_samples {min_samples}: {bytes:.1} bytes per point");
        assert!(bytes <= MOST, "{bytes}");
    }
    // Linear: ten times the points, ten times the memory.
    let (few, many) = (fit_bytes::<f64>(&blobs(n / 10, 3), 0.3, 10, 1), fit_bytes(&wide, 0.3, 10, 1));
    println!("{} points: {few:.1}, {n} points: {many:.1} bytes per point", n / 10);
    assert!(many <= few * 1.1, "{few} at a tenth of the points, {many}");

    // A query allocates nothing once its vector has grown.
    let x: Array2<f64> = blobs(10_000, 3);
    let index = Index::new(&x).expect("valid");
    let query = aview1(&[20.5, 20.5, 20.5]);
    let mut neighbours = Vec::new();
    let mut ask = || {
        index.within_into(query, 0.5, &mut neighbours).expect("valid");
        index.count_within(query, 0.5, usize::MAX).expect("valid")
    };
    assert!(ask() > 10);
    let before = CALLS.load(Relaxed);
    ask();
    assert_eq!(CALLS.load(Relaxed), before, "allocations of a query");
}

/// Bytes per point beyond the input in three columns: the tree while it is searched, then the labels and core points of the model.
const MOST: f64 = 80.0;
