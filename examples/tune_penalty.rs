//! Random search for the penalty of a logistic regression, by cross-validated log-loss, with a plot of the scores.
#![allow(clippy::print_stdout)]

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::Dataset;
use sapwood::linfa::traits::Fit;
use sapwood::ndarray::{Array1, Array2};
use sapwood::select::{Range, cross_validate, random_search, stratified_folds};
use sapwood::{Error, LogisticRegression, data, score};

/// 300 rows of 60 features, of which only four matter.
fn made() -> Dataset<f64, usize, sapwood::ndarray::Ix1> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = Array2::from_shape_simple_fn((300, 60), || rng.r#gen::<f64>() * 2.0 - 1.0);
    let noisy = |row: sapwood::ndarray::ArrayView1<'_, f64>| {
        3.0 * row[0] - 2.0 * row[1] + 2.0 * row[2] + row[3] + 2.0 * rng.r#gen::<f64>() - 1.0
    };
    let y: Array1<usize> = x.rows().into_iter().map(noisy).map(|z| usize::from(z > 0.0)).collect();
    Dataset::new(x, y)
}

fn main() -> Result<(), Error> {
    let dataset = made();
    let folds = stratified_folds(dataset.targets().view(), 5, 0)?;
    let ranges = [("alpha", Range::LogUniform(1e-2, 1e3)), ("l1_ratio", Range::Choice(vec![0.0, 0.5, 1.0]))];
    let report = random_search(&ranges, 60, 42, |point| {
        let params = LogisticRegression::params().alpha(point["alpha"]).l1_ratio(point["l1_ratio"]).tol(1e-8);
        cross_validate(
            &dataset,
            &folds,
            |train| params.fit(train),
            |model, test| {
                let truth =
                    data::ClassIndex::new(dataset.targets().view())?.columns(test.targets().view())?;
                Ok::<_, Error>(-score::log_loss(truth.view(), model.predict_proba(test.records())?.view())?)
            },
        )
    })?;
    println!("the best ten of {}:", report.candidates().len());
    for line in report.to_string().lines().take(11) {
        println!("{line}");
    }

    // Mean log-loss against the penalty: one column for each quarter of a power of ten, r ridge, e elastic net, l lasso.
    println!("\nlog-loss by alpha from 0.01 to 1000");
    let worst = 0.75;
    let mut plot = vec![vec![' '; 60]; 16];
    for candidate in report.candidates() {
        let column = ((candidate.point["alpha"].log10() + 2.0) / 5.0 * 59.0) as usize;
        let row = (-candidate.mean / worst * 15.0).min(15.0) as usize;
        plot[15 - row][column] = ['r', 'e', 'l'][(candidate.point["l1_ratio"] * 2.0) as usize];
    }
    for (i, row) in plot.iter().enumerate() {
        println!("{:5.2} |{}", worst * (15 - i) as f64 / 15.0, row.iter().collect::<String>());
    }

    let best = report.best();
    println!("best: {:?}, log-loss {:.4} +- {:.4}", best.point.values(), -best.mean, best.std_error);
    // Few features matter, so an L1 part should win.
    assert!(best.point["l1_ratio"] > 0.0 && -best.mean < 0.35);
    Ok(())
}
