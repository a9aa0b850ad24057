//! Random search for the penalty of a logistic regression, by cross-validated log-loss, with a picture of the scores.
//!
//! `cargo run --release --example tune_penalty [picture.svg]`
#![allow(clippy::print_stdout)]

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::Dataset;
use sapwood::linfa::traits::Fit;
use sapwood::ndarray::{Array1, Array2};
use sapwood::select::{Range, choose_alpha, cross_validate, random_search, stratified_folds};
use sapwood::{Error, LogisticRegression, data, plot::Figure, score};

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
    let ranges = [("alpha", Range::LogUniform(1e-2, 1e2)), ("l1_ratio", Range::Choice(vec![0.0, 0.5, 1.0]))];
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
    let best = report.best();
    println!("best: {:?}, log-loss {:.4} +- {:.4}", best.point.values(), -best.mean, best.std_error);

    // The same question along the path of the lasso, where each fit starts from the one before.
    let params = LogisticRegression::params().l1_ratio(1.0).tol(1e-8);
    let alphas = params.alpha_path(&dataset, 15, 1e-3)?;
    let (model, path) = choose_alpha(&params, &dataset, &alphas, &folds)?;
    println!("\nalong the path of the lasso:\n{path}");
    let used = model.coefficients().iter().filter(|&&w| w != 0.0).count();
    println!("the best penalty uses {used} of 60 features");

    if let Some(file) = std::env::args().nth(1) {
        // Candidates of each kind of penalty, from the weakest to the strongest.
        let kind = |l1_ratio: f64| {
            let of_kind = report.candidates().iter().filter(|c| c.point["l1_ratio"] == l1_ratio);
            let mut points: Vec<(f64, f64)> = of_kind.map(|c| (c.point["alpha"].log10(), -c.mean)).collect();
            points.sort_by(|a, b| a.0.total_cmp(&b.0));
            points.into_iter().unzip()
        };
        let ((rx, ry), (ex, ey), (lx, ly)): (
            (Vec<f64>, Vec<f64>),
            (Vec<f64>, Vec<f64>),
            (Vec<f64>, Vec<f64>),
        ) = (kind(0.0), kind(0.5), kind(1.0));
        let curves = [("ridge", rx, ry), ("elastic net", ex, ey), ("lasso", lx, ly)];
        Figure::curves(&curves)?
            .title("Sixty penalties drawn at random")
            .subtitle("Log-loss on rows left out, mean of five folds; four of sixty features matter")
            .axes(["alpha (power of ten)", "log-loss"])
            .mark(best.point["alpha"].log10(), -best.mean, "best")
            .save(file)?;
    }
    // Few features matter, so an L1 part should win, and find them.
    assert!(best.point["l1_ratio"] > 0.0 && -best.mean < 0.35);
    assert!((4..50).contains(&used) && (0..4).all(|j| model.coefficients()[[0, j]] != 0.0));
    Ok(())
}
