//! Generative against discriminative: which learns faster, which ends lower (Ng & Jordan 2001), and what only one of them can do.
//!
//! Linear discriminant analysis models how rows come about, logistic regression only their classes. With few rows the generative model is often ahead;
//! with many, where the rows are not as it believes, it stops at a higher error. Sets: made ones, two of the crate's tests, and, where they lie beside
//! the crate in `../shared/data`, spambase and banknote (UCI).
//!
//! `cargo run --release --example compare_generative [picture.svg]`
#![allow(clippy::print_stdout)]

mod sets;

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::ndarray::{Array1, s};
use sapwood::select::{learning_curve, stratified_folds, subset};
use sapwood::{Error, LinearDiscriminant, LogisticRegression, QuadraticDiscriminant, plot::Figure};
use sets::Data;

fn minus_error(predicted: &Array1<usize>, test: &Data) -> Result<f64, Error> {
    Ok(-(predicted.iter().zip(test.targets()).filter(|(a, b)| a != b).count() as f64)
        / predicted.len() as f64)
}

fn main() -> Result<(), Error> {
    let sets = sets::sets()?;
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
        figure.axes(["rows to learn from (power of ten)", "lead (percentage points)"]).save(path)?;
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
