//! Clusters a point cloud and draws it: a file, or without arguments a street that is made up on the spot.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program prints")]

mod arguments;
mod report;
mod scene;

use std::error::Error;
use std::ops::ControlFlow;
use std::process::ExitCode;
use std::time::Instant;

use arguments::Arguments;
use report::Seconds;
use sapwood::linfa::DatasetBase;
use sapwood::ndarray::Array2;
use sapwood::observe::Progress;
use sapwood::plot::Figure;
use sapwood::{Dbscan, Float, dbscan, io};

fn main() -> ExitCode {
    let done = Arguments::parse().map_err(Into::into).and_then(|arguments| match arguments {
        None => {
            println!("{}", arguments::USAGE);
            Ok(())
        }
        Some(arguments) => load(&arguments),
    });
    done.map_or_else(|error| (eprintln!("error: {error}"), ExitCode::FAILURE).1, |()| ExitCode::SUCCESS)
}

fn load(arguments: &Arguments) -> Result<(), Box<dyn Error>> {
    let start = Instant::now();
    let Some(file) = &arguments.file else {
        let (points, things) = scene::street(200_000, 7);
        let model = cluster(&points, start, arguments)?;
        // The ground, every house, car, tree, lamp and person is a cluster of its own, and stray points are noise.
        let as_built = model.n_clusters() == things && (1_500..2_500).contains(&model.n_noise());
        assert!(as_built || !arguments.is_plain(), "{} clusters of {things} things", model.n_clusters());
        return Ok(());
    };
    let points: Array2<f64> = io::read_points(file)?;
    // Single precision where it holds the very same numbers: half the memory to walk through.
    if points.iter().all(|&x| x.is_nan() || f64::from(x as f32).to_bits() == x.to_bits()) {
        cluster(&points.mapv(|x| x as f32), start, arguments)?;
    } else {
        cluster(&points, start, arguments)?;
    }
    Ok(())
}

fn cluster<F: Float>(
    all: &Array2<F>,
    start: Instant,
    arguments: &Arguments,
) -> Result<Dbscan<F>, Box<dyn Error>> {
    // A scanner marks with NaN what gave no return.
    let (points, kept) = io::drop_missing(all);
    let load = start.elapsed().as_secs_f64();
    let min_samples = arguments.min_samples.unwrap_or(10);
    let eps = match arguments.eps() {
        Some(eps) => eps,
        None => {
            let curve = dbscan::suggest_eps(&points, min_samples)?;
            Figure::k_distance(curve.distances(), curve.knee()).save("k_distance.svg")?;
            println!("eps is the knee of the curve in k_distance.svg");
            // Three digits, so that it can be typed again.
            format!("{:.2e}", curve.eps()).parse()?
        }
    };

    let dataset = DatasetBase::from(points);
    let params = Dbscan::params(min_samples).eps(eps);
    let (mut index, mut fits) = (Vec::new(), Vec::new());
    let mut fit = || loop {
        let start = Instant::now();
        let model = params.fit_observed(&dataset, &mut |step: &Progress| {
            if step.stage == "index" {
                index.push(start.elapsed().as_secs_f64());
            }
            ControlFlow::Continue(())
        });
        fits.push(start.elapsed().as_secs_f64());
        if model.is_err() || fits.len() >= arguments.repeat.unwrap_or(1) {
            break model;
        }
    };
    let model = match arguments.threads {
        Some(n) => sapwood::with_threads(n, fit)?,
        None => fit()?,
    };
    report::print(all, &model, (eps, min_samples), Seconds { load, index, fits });
    report::write(
        arguments,
        all,
        &kept,
        dataset.records(),
        &model,
        &format!("eps = {eps}, min_samples = {min_samples}"),
    )?;
    Ok(model)
}
