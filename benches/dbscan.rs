//! DBSCAN beside linfa-clustering's, on the same blobs. Labels are compared before anything is timed.
//!
//! `cargo bench --bench dbscan`. linfa-clustering runs on one thread; ours is timed on one and on all. A set that takes
//! linfa longer than [`LIMIT`] is timed once.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod clouds;

use std::time::{Duration, Instant};

use clouds::{blobs, median, short};
use linfa_clustering::Dbscan as LinfaDbscan;
use linfa_nn::{CommonNearestNeighbour, distance::L2Dist};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::{Fit, Transformer};
use sapwood::ndarray::Array1;
use sapwood::{Dbscan, with_threads};

/// Time of one run of the peer from which on it is not repeated.
const LIMIT: Duration = Duration::from_secs(5);

fn main() {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "| id | eps | min_samples | clusters | noise | linfa-clustering 0.8.1, ms | sapwood 1 thread, ms | ratio | sapwood {all} threads, ms | ratio |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let cases = [
        (10_000, 2, 0.6),
        (100_000, 2, 0.2),
        (1_000_000, 2, 0.06),
        (10_000, 3, 1.0),
        (100_000, 3, 0.5),
        (1_000_000, 3, 0.25),
    ];
    let mut logs = (0.0, 0.0);
    for (n, d, eps) in cases {
        let min_samples = 10;
        let dataset = DatasetBase::from(blobs(n, d, 20 + d as u64));
        let id = format!("dbscan/blobs_{d}d/{}", short(n));

        let theirs = || -> Array1<Option<usize>> {
            LinfaDbscan::params_with(min_samples, L2Dist, CommonNearestNeighbour::KdTree)
                .tolerance(eps)
                .transform(&dataset.records)
                .expect("valid")
        };
        let ours = || Dbscan::params(min_samples).eps(eps).fit(&dataset).expect("valid");
        let model = ours();
        let start = Instant::now();
        assert_eq!(*model.labels(), theirs(), "the labels of {id}");
        let once = start.elapsed();

        let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
        let linfa = milliseconds(if once > LIMIT { once } else { median(3, theirs) });
        let one = milliseconds(with_threads(1, || median(9, ours)));
        let many = milliseconds(with_threads(all, || median(9, ours)));
        logs = (logs.0 + (linfa / one).ln(), logs.1 + (linfa / many).ln());
        println!(
            "| {id} | {eps} | {min_samples} | {} | {} | {linfa:.1} | {one:.2} | {:.0} | {many:.2} | {:.0} |",
            model.n_clusters(),
            model.n_noise(),
            linfa / one,
            linfa / many,
        );
    }
    let mean = |log: f64| (log / cases.len() as f64).exp();
    println!(
        "\nGeometric means: {:.0} times linfa-clustering on 1 thread, {:.0} times on {all}.",
        mean(logs.0),
        mean(logs.1)
    );
}
