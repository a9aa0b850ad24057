//! Generative against discriminative: which learns faster, which ends lower (Ng & Jordan 2001), and what only one of them can do.
//!
//! Linear discriminant analysis models how rows come about, logistic regression only their classes. With few rows the generative model is often ahead;
//! with many, where the rows are not as it believes, it stops at a higher error. Sets: made ones, two of the crate's tests, and, where they lie beside
//! the crate in `../shared/data`, spambase and banknote (UCI).
//!
//! `cargo run --release --example compare_generative [picture.svg]`
#![allow(clippy::print_stdout)]

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::Dataset;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::ndarray::{Array1, Array2, s};
use sapwood::select::{learning_curve, stratified_folds, subset};
use sapwood::{Error, LinearDiscriminant, LogisticRegression, QuadraticDiscriminant, io, plot::Figure};

type Data = Dataset<f64, usize, sapwood::ndarray::Ix1>;

/// Twenty features; Gaussian classes with one covariance, or lognormal ones, which LDA does not expect.
fn made(skewed: bool) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let mut normal = move || (0..12).map(|_| rng.r#gen::<f64>()).sum::<f64>() - 6.0;
    let x = Array2::from_shape_fn((6000, 20), |(i, j)| {
        let value = normal() + if i % 2 == 1 { 0.9 / (1.0 + j as f64 / 4.0) } else { 0.0 };
        if skewed { (1.5 * value).exp() } else { value }
    });
    Dataset::new(x, (0..6000).map(|i| i % 2).collect())
}

/// Columns of numbers, the last one the class.
fn table(rows: Array2<f64>) -> Data {
    let y = rows.column(rows.ncols() - 1).mapv(|v| v as usize);
    Dataset::new(rows.slice(s![.., ..-1]).to_owned(), y)
}

fn digits() -> Data {
    let lines: Vec<&[u8]> = include_str!("../tests/fixtures/digits.txt").lines().map(str::as_bytes).collect();
    let digit = |c: u8| (c as char).to_digit(17).unwrap_or(0) as usize;
    let x = Array2::from_shape_fn((lines.len(), 64), |(i, j)| digit(lines[i][j]) as f64);
    Dataset::new(x, lines.iter().map(|line| digit(line[65])).collect())
}

fn minus_error(predicted: &Array1<usize>, test: &Data) -> Result<f64, Error> {
    Ok(-(predicted.iter().zip(test.targets()).filter(|(a, b)| a != b).count() as f64)
        / predicted.len() as f64)
}

fn main() -> Result<(), Error> {
    let options = io::CsvOptions::default().delimiter(b' ').header(false);
    let cancer = io::parse_csv(include_bytes!("../tests/fixtures/breast_cancer.txt"), &options)?;
    let mut sets = vec![
        ("Gaussian", made(false)),
        ("lognormal", made(true)),
        ("breast cancer", table(cancer)),
        ("digits", digits()),
    ];
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/cls");
    if let Ok(x) = io::read_npy::<f64>(format!("{directory}/spambase/X.npy")) {
        let y = io::read_npy_i64(format!("{directory}/spambase/y.npy"))?;
        sets.push(("spambase", Dataset::new(x, y.mapv(|y| y as usize))));
    }
    let options = io::CsvOptions::default().header(false);
    if let Ok(rows) = io::read_csv(format!("{directory}/banknote/banknote.csv"), &options) {
        sets.push(("banknote", table(rows)));
    }
    let mut leads: Vec<(&str, Vec<f64>, Vec<f64>)> = Vec::new();
    for (name, data) in &sets {
        let fold = &stratified_folds(data.targets().view(), 2, 0)?[0];
        let (train, test) = (subset(data, &fold.train), subset(data, &fold.test));
        let (n, d) = train.records().dim();
        let k = data.targets().iter().max().map_or(0, |y| y + 1);
        let sizes: Vec<usize> = (0..9).map(|i| (10 * k) << i).take_while(|&size| size <= n).collect();
        let params = LinearDiscriminant::params().shrinkage(Shrinkage::LedoitWolf);
        let fit = |train: &Data| params.fit(train);
        let generative = learning_curve(&train, &test, &sizes, 20, 0, fit, |model, test| {
            minus_error(&model.predict(test.records()), test)
        })?;
        let fit = |train: &Data| LogisticRegression::params().alpha(1e-2).tol(1e-6).fit(train);
        let discriminative = learning_curve(&train, &test, &sizes, 20, 0, fit, |model, test| {
            minus_error(&model.predict(test.records()), test)
        })?;
        println!("{name}, {d} features: error on {} rows, mean of 20 draws", test.records().nrows());
        println!("{:>8} {:>8} {:>9}", "rows", "LDA", "logistic");
        for (g, d) in generative.iter().zip(&discriminative) {
            println!("{:>8} {:>8.4} {:>9.4}", g.n_rows, -g.mean(), -d.mean());
        }
        let lead = generative.iter().zip(&discriminative).map(|(g, d)| 100.0 * (g.mean() - d.mean()));
        leads.push((name, sizes.iter().map(|&n| (n as f64).log10()).collect(), lead.collect()));
    }
    for (name, _, lead) in &leads[..2] {
        assert!(lead[0] > 0.0, "{name}: with few rows the generative model is ahead");
    }
    assert!(leads[1].2.last() < Some(&0.0), "with many rows that it does not expect, it is not");
    if let Some(path) = std::env::args().nth(1) {
        let figure = Figure::curves(&leads)?.title("How far LDA is ahead of logistic regression");
        let figure = figure.subtitle("Above 0 the generative model makes fewer errors, below 0 more");
        figure.axes(["rows to learn from (power of ten)", "lead in points of per cent"]).save(path)?;
    }

    // What only the generative model can do: draw new rows, and answer where features are missing.
    let data = &sets[2].1;
    let model = QuadraticDiscriminant::params().fit(data)?;
    let drawn = model.sample(&0, 3, &mut Xoshiro256PlusPlus::seed_from_u64(0))?;
    println!(
        "\nradius and texture of three tumours that were drawn, not seen:\n{:.1}",
        drawn.slice(s![.., ..2])
    );
    for known in [vec![0], vec![0, 1], (0..10).collect(), (0..30).collect::<Vec<_>>()] {
        let x = data.records().select(sapwood::ndarray::Axis(1), &known);
        let error = -minus_error(&model.marginal(&known)?.predict(&x), data)?;
        println!(
            "error with the first {:2} of 30 features known, without another fit: {error:.3}",
            known.len()
        );
    }
    Ok(())
}
