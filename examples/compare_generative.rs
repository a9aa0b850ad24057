//! Generative against discriminative: which learns faster, which ends lower (Ng & Jordan 2001).
//!
//! Linear discriminant analysis models how rows come about, logistic regression only their classes. Where the rows are about Gaussian, the generative
//! model needs fewer of them; where they are not, it stops at a higher error however many there are.
#![allow(clippy::print_stdout)]

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::Dataset;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::ndarray::{Array1, Array2};
use sapwood::select::learning_curve;
use sapwood::{Error, LinearDiscriminant, LogisticRegression};

type Data = Dataset<f64, usize, sapwood::ndarray::Ix1>;

fn normal(rng: &mut impl Rng) -> f64 {
    let (u, v): (f64, f64) = (1.0 - rng.r#gen::<f64>(), rng.r#gen());
    (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * v).cos()
}

/// Twenty features; Gaussian classes with one covariance, or lognormal ones, which LDA does not expect.
fn made(n: usize, skewed: bool, seed: u64) -> Data {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let y: Array1<usize> = (0..n).map(|_| rng.gen_range(0..2)).collect();
    let x = Array2::from_shape_fn((n, 20), |(i, j)| {
        let centre = if y[i] == 1 { 0.9 / (1.0 + j as f64 / 4.0) } else { 0.0 };
        let value = normal(&mut rng);
        if skewed { (1.5 * value + 2.0 * centre).exp() } else { value + centre }
    });
    Dataset::new(x, y)
}

fn error_rate(predicted: &Array1<usize>, truth: &Array1<usize>) -> f64 {
    predicted.iter().zip(truth).filter(|(a, b)| a != b).count() as f64 / truth.len() as f64
}

fn main() -> Result<(), Error> {
    let sizes = [10, 20, 40, 80, 160, 320, 640, 1280];
    for (name, skewed) in [("Gaussian classes", false), ("lognormal classes", true)] {
        let (train, test) = (made(1280, skewed, 1), made(4000, skewed, 2));
        let generative = learning_curve(
            &train,
            &test,
            &sizes,
            20,
            0,
            |train| LinearDiscriminant::params().shrinkage(Shrinkage::LedoitWolf).fit(train),
            |model, test| Ok::<_, Error>(-error_rate(&model.predict(test.records()), test.targets())),
        )?;
        let discriminative = learning_curve(
            &train,
            &test,
            &sizes,
            20,
            0,
            |train| LogisticRegression::params().alpha(1e-3).tol(1e-8).fit(train),
            |model, test| Ok::<_, Error>(-error_rate(&model.predict(test.records()), test.targets())),
        )?;
        println!(
            "{name}: error on 4000 rows, mean of 20 draws\n{:>6} {:>8} {:>9}",
            "rows", "LDA", "logistic"
        );
        for (g, d) in generative.iter().zip(&discriminative) {
            let bar = |error: f64| (error * 100.0) as usize;
            let (low, high) = (bar(-g.mean()), bar(-d.mean()));
            let line: String = (0..60)
                .map(|i| {
                    if i == low {
                        'g'
                    } else if i == high {
                        'd'
                    } else {
                        '.'
                    }
                })
                .collect();
            println!("{:>6} {:>8.4} {:>9.4}  {line}", g.n_rows, -g.mean(), -d.mean());
        }
        assert!(-generative[1].mean() < -discriminative[1].mean(), "few rows: the generative model is ahead");
        if skewed {
            assert!(
                -generative[7].mean() > -discriminative[7].mean(),
                "many rows: the discriminative model is"
            );
        }
    }
    Ok(())
}
