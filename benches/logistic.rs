//! Seconds to a relative gap of 1e-8 from the optimum, on made data and on the fixtures.
//!
//! `cargo bench --bench logistic -- [name ..] [--write DIR]`: with `--write`, each data set is also written as raw little-endian numbers for
//! `peers/logistic.py`, which times the peers on the same numbers. Each line: name, best of the runs, gap from the optimum, report.
#![allow(clippy::print_stdout, clippy::cast_precision_loss, missing_docs)]

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Instant;

use ndarray::{Array1, Array2, Axis};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Csr;
use sapwood::linfa::traits::Fit;
use sapwood::linfa::{Dataset, DatasetBase};
use sapwood::logistic::Report;
use sapwood::sprs::CsMat;
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

/// Texts of 100 words each from 1e5, rare ones more telling: inverse document frequency, rows of length 1.
fn text(n: usize) -> (CsMat<f64>, Array1<usize>) {
    let (d, length) = (100_000, 100);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(7);
    let mut rows: Vec<BTreeMap<usize, f64>> = Vec::with_capacity(n);
    let mut documents = vec![0.0; d];
    for _ in 0..n {
        let mut row = BTreeMap::new();
        for _ in 0..length {
            let word = (d as f64 * rng.r#gen::<f64>().powi(3)) as usize;
            *row.entry(word).or_insert(0.0) += 1.0;
        }
        row.keys().for_each(|&word| documents[word] += 1.0);
        rows.push(row);
    }
    let telling: Vec<f64> = (0..d).map(|_| 3.0 * normal(&mut rng)).collect();
    let (mut starts, mut indices, mut values, mut y) = (vec![0], vec![], vec![], vec![]);
    for row in rows {
        let weight =
            |(&word, &count): (&usize, &f64)| (1.0 + f64::ln(count)) * (n as f64 / documents[word]).ln();
        let norm = row.iter().map(weight).map(|v| v * v).sum::<f64>().sqrt();
        let mut z = 0.0;
        for entry in &row {
            let value = weight(entry) / norm;
            z += value * telling[*entry.0];
            indices.push(*entry.0);
            values.push(value);
        }
        starts.push(indices.len());
        y.push(usize::from(rng.r#gen::<f64>() < 1.0 / (1.0 + (-z).exp())));
    }
    (CsMat::new((n, d), starts, indices, values), y.into())
}

fn write_numbers(path: &Path, numbers: impl Iterator<Item = [u8; 8]>) {
    std::fs::write(path, numbers.flatten().collect::<Vec<u8>>()).unwrap();
}

/// Largest penalty with which anything but the intercept is used.
fn lambda_max(data: &Data) -> f64 {
    let y = data.targets().mapv(|y| y as f64);
    let residual = &y - y.mean().unwrap();
    data.records().t().dot(&residual).iter().fold(0.0, |a, v| v.abs().max(a))
}

/// The same for sparse records.
fn lambda_max_sparse(x: &CsMat<f64>, data: &DatasetBase<Csr<'_, f64>, Array1<usize>>) -> f64 {
    let y = data.targets().mapv(|y| y as f64);
    let residual = &y - y.mean().unwrap();
    let mut slopes = vec![0.0; x.cols()];
    for (row, r) in x.outer_iterator().zip(&residual) {
        row.iter().for_each(|(j, v)| slopes[j] += r * v);
    }
    slopes.iter().fold(0.0, |a, v| v.abs().max(a))
}

/// Bytes of the largest memory since the last call, where the system tells; asking resets it.
fn peak() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    std::fs::write("/proc/self/clear_refs", "5").ok()?;
    line.split_whitespace().nth(1)?.parse::<f64>().ok().map(|kilobytes| kilobytes * 1024.0)
}

/// Times fits of any kind; prints the line, and leaves the optimum for the peers.
fn time(name: &str, directory: Option<&str>, mut fit: impl FnMut(f64) -> Report) {
    let optimum = fit(1e-13).objective;
    let mut best = f64::INFINITY;
    // The second reading is what is in use now; the third what the fit came to.
    peak();
    let before = peak();
    let mut report = fit(1e-8);
    let memory = peak().zip(before).map_or(0.0, |(after, before)| (after - before) / 1e6);
    let begun = Instant::now();
    for _ in 0..7 {
        let start = Instant::now();
        report = fit(1e-8);
        best = best.min(start.elapsed().as_secs_f64());
        if begun.elapsed().as_secs_f64() > 2.0 {
            break;
        }
    }
    if let Some(directory) = directory {
        std::fs::write(Path::new(directory).join(format!("{name}.optimum")), format!("{optimum:?}")).unwrap();
    }
    println!(
        "logistic/{name} {best:.5} s, gap {:.1e}, {memory:.1} MB, {report}",
        (report.objective - optimum) / optimum
    );
}

fn write(directory: &str, name: &str, data: &Data) {
    std::fs::create_dir_all(directory).unwrap();
    let (n, d) = data.records().dim();
    let path = |part: &str| Path::new(directory).join(format!("{name}.{n}x{d}.{part}"));
    write_numbers(&path("x"), data.records().iter().map(|v| v.to_le_bytes()));
    write_numbers(&path("y"), data.targets().iter().map(|&v| (v as u64).to_le_bytes()));
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
        time(name, directory.as_deref(), |tol| {
            let params = LogisticRegression::params().tol(tol);
            *sapwood::with_threads(threads, || params.fit(&data).unwrap()).report()
        });
        if name == "dense_1e4x1000" {
            let alpha = 0.1 * lambda_max(&data);
            time("lasso_1e4x1000", directory.as_deref(), |tol| {
                let params = LogisticRegression::params().l1_ratio(1.0).alpha(alpha).tol(tol);
                *sapwood::with_threads(threads, || params.fit(&data).unwrap()).report()
            });
        }
    }
    let wanted = |name: &str| names.is_empty() || names.contains(&name);
    if wanted("text_1e5x1e5") || wanted("lasso_text_1e5x1e5") {
        let (x, y) = text(100_000);
        if let Some(directory) = &directory {
            let path =
                |part: &str| Path::new(directory).join(format!("text.{}x{}.{part}", x.rows(), x.cols()));
            let words = |v: &[usize]| v.iter().map(|&v| (v as u64).to_le_bytes()).collect::<Vec<_>>();
            write_numbers(&path("starts"), words(x.indptr().raw_storage()).into_iter());
            write_numbers(&path("indices"), words(x.indices()).into_iter());
            write_numbers(&path("values"), x.data().iter().map(|v| v.to_le_bytes()));
            write_numbers(&path("labels"), words(y.as_slice().unwrap()).into_iter());
        }
        let data = DatasetBase::new(Csr::new(x.view()).unwrap(), y);
        if wanted("text_1e5x1e5") {
            time("text_1e5x1e5", directory.as_deref(), |tol| {
                let params = LogisticRegression::params().tol(tol);
                *sapwood::with_threads(threads, || params.fit(&data).unwrap()).report()
            });
        }
        if !wanted("lasso_text_1e5x1e5") {
            return;
        }
        let alpha = 0.1 * lambda_max_sparse(&x, &data);
        time("lasso_text_1e5x1e5", directory.as_deref(), |tol| {
            let params = LogisticRegression::params().l1_ratio(1.0).alpha(alpha).tol(tol);
            *sapwood::with_threads(threads, || params.fit(&data).unwrap()).report()
        });
    }
}
