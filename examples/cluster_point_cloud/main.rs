//! Clusters a point cloud and draws it: a file, or without arguments a street that is made up on the spot.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program prints")]

mod arguments;
mod scene;

use std::error::Error;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use sapwood::linfa::DatasetBase;
use sapwood::ndarray::{Array1, Array2};
use sapwood::observe::Progress;
use sapwood::plot::Figure;
use sapwood::{Dbscan, Float, dbscan, io};

fn main() -> ExitCode {
    let done = Arguments::parse().map_err(Into::into).and_then(|arguments| match arguments {
        None => Ok(println!("{}", arguments::USAGE)),
        Some(arguments) => load(&arguments),
    });
    done.map_or_else(|error| (eprintln!("error: {error}"), ExitCode::FAILURE).1, |()| ExitCode::SUCCESS)
}

fn load(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let Some(file) = &arguments.file else {
        let (points, things) = scene::street(200_000, 7);
        let labels = cluster(&points, Some(0.5), start, arguments)?;
        let n_clusters = labels.iter().flatten().max().map_or(0, |last| last + 1);
        let n_noise = labels.iter().filter(|label| label.is_none()).count();
        // Unless eps is another: the ground, every house, car, tree, lamp and person is one cluster, stray points are noise.
        let as_built = n_clusters == things && (1_500..2_500).contains(&n_noise);
        assert!(as_built || arguments.eps.is_some() || arguments.suggest || arguments.min_samples.is_some());
        return Ok(());
    };
    let points: Array2<f64> = io::read_points(file)?;
    // Single precision where it holds the very same numbers: half the memory to walk through.
    let labels = if points.iter().all(|&x| x.is_nan() || f64::from(x as f32) == x) {
        cluster(&points.mapv(|x| x as f32), None, start, arguments)?
    } else {
        cluster(&points, None, start, arguments)?
    };
    assert_eq!(labels.len(), points.nrows());
    Ok(())
}

/// Clusters, prints and writes; the labels are those of all points, with the missing ones as noise.
fn cluster<F: Float>(
    all: &Array2<F>,
    usual_eps: Option<f64>,
    start: Instant,
    arguments: &Arguments,
) -> Result<Array1<Option<usize>>, Box<dyn Error>> {
    let (points, kept) = io::drop_missing(all);
    let load = start.elapsed().as_secs_f64();
    let min_samples = arguments.min_samples.unwrap_or(10);
    let eps = match arguments.eps.or(usual_eps.filter(|_| !arguments.suggest)) {
        Some(eps) => eps,
        None => {
            let curve = dbscan::suggest_eps(&points, min_samples)?;
            Figure::k_distance(curve.distances(), curve.knee()).save("k_distance.svg")?;
            println!("eps is the knee of the curve in k_distance.svg");
            curve.eps()
        }
    };

    let dataset = DatasetBase::from(points);
    let mut index = 0.0;
    let mut fit = || -> sapwood::Result<_> {
        let mut times = Vec::new();
        loop {
            let start = Instant::now();
            let model =
                Dbscan::params(min_samples).eps(eps).fit_observed(&dataset, &mut |step: &Progress| {
                    if step.stage == "index" {
                        index = start.elapsed().as_secs_f64();
                    }
                    ControlFlow::Continue(())
                })?;
            times.push(start.elapsed().as_secs_f64());
            if times.len() >= arguments.repeat.unwrap_or(1) {
                times.sort_by(f64::total_cmp);
                let n = times.len();
                return Ok(((times[(n - 1) / 2] + times[n / 2]) / 2.0, model));
            }
        }
    };
    let (seconds, model) = match arguments.threads {
        Some(n) => sapwood::with_threads(n, fit)?,
        None => fit()?,
    };

    let (points, n, d) = (dataset.records(), all.nrows(), all.ncols());
    let mut labels = Array1::from_elem(n, None);
    for (&row, &label) in kept.iter().zip(model.labels()) {
        labels[row] = label;
    }
    let n_noise = model.n_noise();
    let share = 100.0 * n_noise as f64 / points.nrows().max(1) as f64;
    if kept.len() < n {
        println!("{} of {n} points are missing (NaN) and left out", n - kept.len());
    }
    println!("n {}  d {d}  eps {eps}  min_samples {min_samples}", kept.len());
    println!(
        "clusters {}  core points {}  noise {n_noise} ({share:.1} %)",
        model.n_clusters(),
        model.core_samples().len()
    );
    println!("load {load:.3} s  index {index:.3} s  fit {seconds:.3} s, index included");
    println!("fit_seconds={seconds:.6}");

    if let Some(path) = &arguments.labels {
        io::write_npy(path, &labels.mapv(|label| label.map_or(-1, |label| label as i64)))?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = &arguments.svg {
        let subtitle = format!("DBSCAN, eps = {eps}, min_samples = {min_samples}");
        Figure::clusters(points, model.labels())?.subtitle(subtitle).save(path)?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = &arguments.ply {
        io::write_ply(path, points, model.labels())?;
        println!("wrote {}", path.display());
    }
    Ok(labels)
}
