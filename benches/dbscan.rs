//! DBSCAN on generated blobs, `cargo bench --bench dbscan`: fit alone, median of several, on one thread and on all.
//!
//! Each case holds the answer it must give, which `benches/peers` finds equal to linfa-clustering's; a wrong one is not timed.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod clouds;

use clouds::{blobs, median, short};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::Fit;
use sapwood::{Dbscan, with_threads};

/// Rows, columns, eps, `min_samples`; clusters and noise to be found.
const CASES: [(usize, usize, f64, usize, usize, usize); 6] = [
    (10_000, 2, 0.6, 10, 50, 1544),
    (100_000, 2, 0.2, 10, 153, 18_083),
    (1_000_000, 2, 0.06, 10, 2661, 204_364),
    (10_000, 3, 1.0, 10, 52, 2050),
    (100_000, 3, 0.5, 10, 105, 20_551),
    (1_000_000, 3, 0.25, 10, 851, 197_895),
];

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    println!("| id | eps | min_samples | clusters | noise | 1 thread, ms | {all} threads, ms | ratio |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (n, d, eps, min_samples, n_clusters, n_noise) in CASES {
        let dataset = DatasetBase::from(blobs(n, d, 20 + d as u64));
        let id = format!("dbscan/blobs_{d}d/{}", short(n));
        let fit = || Dbscan::params(min_samples).eps(eps).fit(&dataset).expect("valid");
        let model = fit();
        assert_eq!((model.n_clusters(), model.n_noise()), (n_clusters, n_noise), "the answer of {id}");
        let milliseconds = |threads| with_threads(threads, || median(5, fit)).as_secs_f64() * 1e3;
        let (one, many) = (milliseconds(1), milliseconds(all));
        let ratio = one / many;
        println!(
            "| {id} | {eps} | {min_samples} | {n_clusters} | {n_noise} | {one:.2} | {many:.2} | {ratio:.2} |"
        );
    }
}
