//! Quiet and busy times among the major earthquakes of 1900 to 2006, found by Poisson hidden Markov models.
//!
//! The counts and the numbers to meet are those of Zucchini and `MacDonald`, Hidden Markov Models for Time Series (2009), chapter 4.
#![allow(clippy::print_stdout)]

use sapwood::PoissonHmm;
use sapwood::data::Sequences;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::Array2;

/// Earthquakes of magnitude 7 or more in each year from 1900 on.
const COUNTS: [usize; 107] = [
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14, 8, 11, 14, 23, 18, 17, 19,
    20, 22, 19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21, 23, 24, 27, 41, 31, 27, 35, 26, 28, 36, 39, 21, 17,
    22, 17, 19, 15, 34, 10, 15, 22, 18, 15, 20, 15, 22, 19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18,
    15, 18, 14, 10, 15, 8, 15, 6, 11, 8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18, 15, 16, 13, 15, 16, 11,
    11,
];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let years = Sequences::single(Array2::from_shape_vec((COUNTS.len(), 1), COUNTS.to_vec())?)?;
    let dataset = DatasetBase::new(years, ());

    // How many regimes? The criteria weigh the gain of each further state against its parameters.
    let mut models = Vec::new();
    println!("states   -log L        AIC        BIC");
    for k in 1..=4 {
        let model = PoissonHmm::params(k).n_init(5).max_iter(1000).tol(1e-6).fit(&dataset)?.canonical()?;
        let score = model.score(&dataset.records)?;
        let (aic, bic) = (model.aic(&dataset.records)?, model.bic(&dataset.records)?);
        println!("{k:6} {:9.3} {aic:10.3} {bic:10.3}", -score);
        models.push((model, aic));
    }
    let best = models.iter().min_by(|a, b| a.1.total_cmp(&b.1)).ok_or("there are models")?;
    let model = &best.0;
    println!(
        "\n{} states by AIC; earthquakes a year in each: {:.2}",
        model.n_states(),
        model.emission().rates().column(0)
    );

    let path = model.viterbi(&dataset.records)?.states;
    let mut year = 1900;
    for regime in path.to_vec().chunk_by(|a, b| a == b) {
        let rate = model.emission().rates()[[regime[0], 0]];
        println!("{year} to {}: {rate:5.1} a year", year + regime.len() - 1);
        year += regime.len();
    }
    let next = model.next_states(&dataset.records)?;
    let expected = next.row(0).dot(&model.emission().rates().column(0));
    println!("expected in 2007: {expected:.1}");

    assert!((models[0].0.score(&dataset.records)? + 391.918_928).abs() < 1e-6);
    assert!((models[2].0.score(&dataset.records)? + 328.527_483).abs() < 1e-3);
    assert_eq!(model.n_states(), 3);
    Ok(())
}
