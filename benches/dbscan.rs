//! DBSCAN beside linfa-clustering's, on the same blobs. Labels are compared before anything is timed.
//!
//! `cargo bench --bench dbscan`. linfa-clustering runs on one thread; ours is timed on one and on all. A set that takes
//! linfa longer than [`LIMIT`] is timed once. With a folder of clouds in NPY, `cargo bench --bench dbscan -- FOLDER`, it is
//! those of [`CLOUDS`] that are there instead of blobs.
#![allow(clippy::print_stdout, reason = "a bench prints its table")]

mod clouds;

use std::path::Path;
use std::time::{Duration, Instant};

use clouds::{blobs, median, short};
use linfa_clustering::Dbscan as LinfaDbscan;
use linfa_nn::{CommonNearestNeighbour, distance::L2Dist};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::{Fit, Transformer};
use sapwood::ndarray::{Array1, Array2};
use sapwood::{Dbscan, io, with_threads};

/// Time of one run of the peer from which on it is not repeated.
const LIMIT: Duration = Duration::from_secs(5);

/// What is the same on every set: points in a ball that make a core point.
const MIN_SAMPLES: usize = 10;

/// Files of the suite of peers, and `eps`.
const CLOUDS: [(&str, f64); 6] = [
    ("uniform2d_1M", 0.0025),
    ("uniform3d_1M", 0.014),
    ("blobs3d_1M", 0.25),
    ("ss_simden_2d_1M", 60.0),
    ("ss_varden_3d_1M", 400.0),
    ("lidar3d_1M", 0.2),
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let all = std::thread::available_parallelism().map_or(1, usize::from);
    println!(
        "| id | eps | min_samples | clusters | noise | linfa-clustering 0.8.1, ms | sapwood 1 thread, ms | ratio | sapwood {all} threads, ms | ratio |"
    );
    println!("|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|");
    let mut logs = Vec::new();
    if let Some(folder) = std::env::args().skip(1).find(|arg| !arg.starts_with("--")) {
        for (name, eps) in CLOUDS {
            let file = Path::new(&folder).join(format!("{name}_f64.npy"));
            if file.exists() {
                logs.push(compare(&format!("dbscan/{name}"), io::read_npy(file)?, eps, all));
            }
        }
    } else {
        for (d, n, eps) in [
            (2, 10_000, 0.6),
            (2, 100_000, 0.2),
            (2, 1_000_000, 0.06),
            (3, 10_000, 1.0),
            (3, 100_000, 0.5),
            (3, 1_000_000, 0.25),
        ] {
            let id = format!("dbscan/blobs_{d}d/{}", short(n));
            logs.push(compare(&id, blobs(n, d, 20 + d as u64), eps, all));
        }
    }
    let mean = |i: usize| (logs.iter().map(|logs| logs[i]).sum::<f64>() / logs.len() as f64).exp();
    println!(
        "\nGeometric means: {:.0} times linfa-clustering on 1 thread, {:.0} times on {all}.",
        mean(0),
        mean(1)
    );
    Ok(())
}

/// Prints a row; returns the logs of both ratios.
fn compare(id: &str, points: Array2<f64>, eps: f64, all: usize) -> [f64; 2] {
    let dataset = DatasetBase::from(points);
    let theirs = || -> Array1<Option<usize>> {
        LinfaDbscan::params_with(MIN_SAMPLES, L2Dist, CommonNearestNeighbour::KdTree)
            .tolerance(eps)
            .transform(&dataset.records)
            .expect("valid")
    };
    let ours = || Dbscan::params(MIN_SAMPLES).eps(eps).fit(&dataset).expect("valid");
    let model = ours();
    let start = Instant::now();
    assert_eq!(*model.labels(), theirs(), "the labels of {id}");
    let once = start.elapsed();

    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    let linfa = milliseconds(if once > LIMIT { once } else { median(3, theirs) });
    let one = milliseconds(with_threads(1, || median(9, ours)));
    let many = milliseconds(with_threads(all, || median(9, ours)));
    println!(
        "| {id} | {eps} | {MIN_SAMPLES} | {} | {} | {linfa:.1} | {one:.2} | {:.0} | {many:.2} | {:.0} |",
        model.n_clusters(),
        model.n_noise(),
        linfa / one,
        linfa / many,
    );
    [(linfa / one).ln(), (linfa / many).ln()]
}
