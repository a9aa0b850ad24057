//! The adding problem: two numbers among a hundred are marked; the answer is their sum.
//!
//! Who cannot remember answers 1 and has a mean squared error of 1/6. An LSTM and a GRU learn to carry the first number over the gap; a plain RNN
//! does not, in as many updates.
//!
//! `cargo run --release --example adding_problem [picture.svg]`

use rand::Rng;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use sapwood::linfa::{DatasetBase, traits::FitWith};
use sapwood::plot::Figure;
use sapwood::recurrent::{Cell, GruCell, LstmCell, Recurrent, RnnCell};
use sapwood::{
    Error,
    data::Sequences,
    ndarray::{Array2, OwnedRepr},
};

const T: usize = 100;
const UPDATES: usize = 2_000;
const BATCH: usize = 32;

type Data = DatasetBase<Sequences<OwnedRepr<f32>>, Array2<f32>>;

/// `n` sequences of `(number in [0, 1), mark)`, one mark in each half, and the sums.
fn problems(n: usize, rng: &mut impl Rng) -> Result<Data, Error> {
    let mut x = Array2::from_shape_fn((n * T, 2), |(_, column)| if column == 0 { rng.r#gen() } else { 0.0 });
    let mut y = Array2::zeros((n, 1));
    for i in 0..n {
        for row in [i * T + rng.gen_range(0..T / 2), i * T + rng.gen_range(T / 2..T)] {
            x[[row, 1]] = 1.0;
            y[[i, 0]] += x[[row, 0]];
        }
    }
    Ok(DatasetBase::new(Sequences::new(x, vec![T; n])?, y))
}

/// The test error after every 100 updates.
fn train<C: Cell>(test: &Data) -> Result<Vec<f64>, Error> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    // One pass over 100 fresh batches at a time; the net goes on from where it was.
    let settings = Recurrent::<f32, C>::params(32).learning_rate(5e-3).batch_size(BATCH).n_epochs(1);
    let (mut model, mut errors) = (None, Vec::new());
    for _ in 0..UPDATES / 100 {
        let data = problems(100 * BATCH, &mut rng)?;
        let net = settings.fit_with(model, &data)?;
        let error = net.predict(test.records())? - test.targets();
        errors.push(f64::from(error.mapv(|e| e * e).mean().unwrap_or(f32::NAN)));
        model = Some(net);
    }
    Ok(errors)
}

fn main() -> Result<(), Error> {
    let test = problems(500, &mut Xoshiro256PlusPlus::seed_from_u64(1))?;
    let updates: Vec<f64> = (1..=UPDATES / 100).map(|i| (100 * i) as f64).collect();
    let curves = [
        ("RNN", train::<RnnCell>(&test)?),
        ("LSTM", train::<LstmCell>(&test)?),
        ("GRU", train::<GruCell>(&test)?),
    ];

    println!("test error after {UPDATES} updates, T = {T}; without memory {:.3}", 1.0 / 6.0);
    for (name, errors) in &curves {
        let solved =
            errors.iter().position(|&e| e < 0.01).map(|i| format!("below 0.01 after {}", updates[i]));
        println!(
            "{name:5} {:.4}  {}",
            errors[errors.len() - 1],
            solved.unwrap_or_else(|| "never below 0.01".into())
        );
    }
    let best = |i: usize| curves[i].1.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(
        best(0) > 0.1 && best(1) < 0.01 && best(2) < 0.01,
        "the gated nets solve it, the plain one does not"
    );

    let curves = curves.each_ref().map(|(name, errors)| (*name, &updates, errors));
    let figure = Figure::curves(&curves)?.title("The adding problem, T = 100").log_y();
    if let Some(path) = std::env::args().nth(1) {
        let figure = figure.subtitle("who forgets the first number has an error of 1/6");
        figure.axes(["updates", "mean squared error on new sequences"]).save(path)?;
    }
    Ok(())
}
