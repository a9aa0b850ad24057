//! Times linfa-logistic on the data that `cargo bench --bench logistic -- --write DIR` wrote: `cargo run --release -- DIR [name ..]`.
//!
//! The loosest tolerance that comes within 1e-8 of the optimum is looked for, and its run is the time; `never` if none does.

use std::path::Path;
use std::time::Instant;

use linfa::prelude::*;
use linfa_logistic::{LogisticRegression, MultiLogisticRegression};
use ndarray::{Array1, Array2, ArrayView1, Axis};

fn numbers(path: &Path) -> Vec<[u8; 8]> {
    let bytes = std::fs::read(path).unwrap();
    bytes.chunks_exact(8).map(|b| b.try_into().unwrap()).collect()
}

fn log_sum_exp(z: ArrayView1<'_, f64>) -> f64 {
    let top = z.fold(f64::NEG_INFINITY, |a, b| a.max(*b));
    top + z.mapv(|v| (v - top).exp()).sum().ln()
}

/// Seconds and objective of one fit.
fn fit(data: &Dataset<f64, usize, ndarray::Ix1>, k: usize, tolerance: f64) -> (f64, f64) {
    let (x, y) = (data.records(), data.targets());
    let start = Instant::now();
    if k == 2 {
        let params =
            LogisticRegression::default().alpha(1.0).max_iterations(2000).gradient_tolerance(tolerance);
        let model = params.fit(data).unwrap();
        let seconds = start.elapsed().as_secs_f64();
        let z = x.dot(model.params()) + model.intercept();
        let positive = model.labels().pos.class;
        let losses = z.iter().zip(y).map(|(&z, &y)| {
            let u = if y == positive { -z } else { z };
            u.max(0.0) + (-u.abs()).exp().ln_1p()
        });
        return (seconds, losses.sum::<f64>() + 0.5 * model.params().dot(model.params()));
    }
    let params =
        MultiLogisticRegression::default().alpha(1.0).max_iterations(2000).gradient_tolerance(tolerance);
    let model = params.fit(data).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    let z: Array2<f64> = x.dot(model.params()) + model.intercept();
    let column = |y: &usize| model.classes().iter().position(|c| c == y).unwrap();
    let losses = z.axis_iter(Axis(0)).zip(y).map(|(z, y)| log_sum_exp(z) - z[column(y)]);
    (seconds, losses.sum::<f64>() + 0.5 * model.params().iter().map(|w| w * w).sum::<f64>())
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let directory = Path::new(&arguments[0]);
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let file = path.file_name().unwrap().to_str().unwrap().to_owned();
        let [name, shape, "x"] = file.split('.').collect::<Vec<_>>()[..] else { continue };
        if arguments.len() > 1 && !arguments[1..].iter().any(|wanted| wanted == name) {
            continue;
        }
        let (n, d) = shape.split_once('x').unwrap();
        let (n, d): (usize, usize) = (n.parse().unwrap(), d.parse().unwrap());
        let x = numbers(&path).into_iter().map(f64::from_le_bytes).collect();
        let y: Array1<usize> =
            numbers(&path.with_extension("y")).into_iter().map(|b| u64::from_le_bytes(b) as usize).collect();
        let k = y.iter().max().unwrap() + 1;
        let data = Dataset::new(Array2::from_shape_vec((n, d), x).unwrap(), y);
        let optimum: f64 =
            std::fs::read_to_string(directory.join(format!("{name}.optimum"))).unwrap().parse().unwrap();
        let mut least = f64::INFINITY;
        for tolerance in [1.0, 1e-1, 1e-2, 1e-3, 1e-4, 1e-5] {
            let (seconds, value) = fit(&data, k, tolerance * if n > 100_000 { 10.0 } else { 1.0 });
            least = least.min((value - optimum) / optimum);
            if least <= 1e-8 {
                println!("{name} linfa-logistic: {seconds:.5} s at {tolerance:e}, gap {least:.1e}");
                break;
            }
            if seconds > 10.0 || tolerance == 1e-5 {
                println!("{name} linfa-logistic: never (gap {least:.0e}), last {seconds:.3} s");
                break;
            }
        }
    }
}
