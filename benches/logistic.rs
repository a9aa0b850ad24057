//! Seconds to a relative gap of 1e-8 from the optimum, on made data and on the fixtures.
//!
//! `cargo bench --bench logistic -- [name ..] [--write DIR]`: with `--write`, each data set is also written as raw little-endian numbers for
//! `peers/logistic.py`, which times the peers on the same numbers. Each line: name, best of the runs, gap from the optimum, report.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, missing_docs)]

use std::path::Path;
use std::time::Instant;

use ndarray::{Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::Dataset;
use sapwood::linfa::traits::Fit;
use sapwood::{LogisticRegression, ndarray};

type Data = Dataset<f64, usize, ndarray::Ix1>;

fn normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.r#gen::<f64>(), rng.r#gen());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Standard normal features, labels drawn from a model with `k` classes; `correlated` mixes neighbours and sets scales 1e-3 to 1e3.
fn made(n: usize, d: usize, k: usize, correlated: bool) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut x = Array2::from_shape_simple_fn((n, d), || normal(&mut rng));
    if correlated {
        for mut row in x.rows_mut() {
            for j in 1..d {
                row[j] = 0.95 * row[j - 1] + 0.3 * row[j];
            }
        }
    }
    let w = Array2::from_shape_simple_fn((d, k), || 2.0 * normal(&mut rng) / (d as f64).sqrt());
    let z = x.dot(&w);
    let y = z.axis_iter(Axis(0)).map(|z| {
        let noisy = z.iter().map(|z| z - (-rng.r#gen::<f64>().ln()).ln());
        noisy.enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |best| best.0)
    });
    let y = y.collect();
    if correlated {
        for (j, mut column) in x.columns_mut().into_iter().enumerate() {
            let scale = 10_f64.powf(6.0 * j as f64 / (d - 1) as f64 - 3.0);
            column.mapv_inplace(|v| v * scale);
        }
    }
    Dataset::new(x, y)
}

fn cancer(scaled: bool) -> Data {
    let lines: Vec<Vec<f64>> = include_str!("../tests/fixtures/breast_cancer.txt")
        .lines()
        .map(|line| line.split(' ').map(|v| v.parse().unwrap()).collect())
        .collect();
    let mut x = Array2::from_shape_fn((lines.len(), 30), |(i, j)| lines[i][j]);
    if scaled {
        x = (&x - &x.mean_axis(Axis(0)).unwrap()) / &x.std_axis(Axis(0), 0.0);
    }
    Dataset::new(x, lines.iter().map(|line| line[30] as usize).collect())
}

fn digits() -> Data {
    let lines: Vec<&[u8]> = include_str!("../tests/fixtures/digits.txt").lines().map(str::as_bytes).collect();
    let digit = |c: u8| (c as char).to_digit(17).unwrap() as usize;
    let x = Array2::from_shape_fn((lines.len(), 64), |(i, j)| digit(lines[i][j]) as f64 / 16.0);
    Dataset::new(x, lines.iter().map(|line| digit(line[65])).collect())
}

fn write(directory: &str, name: &str, data: &Data) {
    std::fs::create_dir_all(directory).unwrap();
    let (n, d) = data.records().dim();
    let x: Vec<u8> = data.records().iter().flat_map(|v| v.to_le_bytes()).collect();
    let y: Vec<u8> = data.targets().iter().flat_map(|&v| (v as u64).to_le_bytes()).collect();
    std::fs::write(Path::new(directory).join(format!("{name}.{n}x{d}.x")), x).unwrap();
    std::fs::write(Path::new(directory).join(format!("{name}.{n}x{d}.y")), y).unwrap();
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| a != "--bench").collect();
    let directory = arguments.iter().position(|a| a == "--write").map(|i| arguments[i + 1].clone());
    let names: Vec<&str> = arguments.iter().map(String::as_str).take_while(|a| *a != "--write").collect();
    let threads = std::env::var("THREADS").map_or(1, |t| t.parse().unwrap());
    #[allow(clippy::type_complexity, reason = "a list of names and makers")]
    let sets: [(&str, fn() -> Data); 8] = [
        ("cancer_scaled", || cancer(true)),
        ("cancer_raw", || cancer(false)),
        ("digits", digits),
        ("dense_1e5x20", || made(100_000, 20, 2, false)),
        ("dense_1e4x1000", || made(10_000, 1000, 2, false)),
        ("correlated_5e4x50", || made(50_000, 50, 2, true)),
        ("multinomial_1e5x50", || made(100_000, 50, 10, false)),
        ("dense_1e6x50", || made(1_000_000, 50, 2, false)),
    ];
    for (name, make) in sets {
        if !names.is_empty() && !names.contains(&name) {
            continue;
        }
        let data = make();
        if let Some(directory) = &directory {
            write(directory, name, &data);
        }
        let fit = |tol: f64| {
            let params = LogisticRegression::params().tol(tol);
            sapwood::with_threads(threads, || params.fit(&data).unwrap())
        };
        let optimum = fit(1e-15).report().objective;
        let mut best = f64::INFINITY;
        let mut model = fit(1e-8);
        let begun = Instant::now();
        for _ in 0..7 {
            let start = Instant::now();
            model = fit(1e-8);
            best = best.min(start.elapsed().as_secs_f64());
            if begun.elapsed().as_secs_f64() > 2.0 {
                break;
            }
        }
        let gap = (model.report().objective - optimum) / optimum;
        println!("logistic/{name} {best:.5} s, gap {gap:.1e}, {}", model.report());
    }
}
