//! What a state is for: the moving average of two numbers, seen one number at a time.
//!
//! Keras's example `lstm_stateful`: inputs are uniform in +-0.1, the target is the mean of the last two, and each window holds one step. A net that forgets between
//! windows cannot do better than half the variance of a number over 2: the error of the best guess for the number it has not seen. One that carries its state can.
//!
//! `cargo run --release --example stateful_against_stateless [picture.svg]`

use rand::Rng;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::plot::Figure;
use sapwood::{
    Error, Lstm,
    data::Sequences,
    ndarray::{Array2, s},
};

const N: usize = 1_000;
const TRAIN: usize = 800;
const AMPLITUDE: f64 = 0.1;

fn main() -> Result<(), Error> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = Array2::from_shape_simple_fn((N, 1), || rng.gen_range(-AMPLITUDE..AMPLITUDE));
    let y =
        Array2::from_shape_fn((N, 1), |(i, _)| if i == 0 { 0.0 } else { (x[[i, 0]] + x[[i - 1, 0]]) / 2.0 });
    let (x_train, x_test) = (x.slice(s![..TRAIN, ..]), x.slice(s![TRAIN.., ..]));
    let (y_train, y_test) = (y.slice(s![..TRAIN, ..]), y.slice(s![TRAIN.., ..]));
    let error = |answers: &Array2<f64>| (answers - &y_test).mapv(|e| e * e).mean().unwrap_or(f64::NAN);

    let settings = Lstm::params(20).n_epochs(10).batch_size(1).shuffle(false);
    // Stateless: 800 sequences of one step. Stateful: one sequence, updated after every step, its state carried on.
    let data = DatasetBase::new(Sequences::new(x_train, vec![1; TRAIN])?, y_train);
    let stateless = settings.fit(&data)?;
    let data = DatasetBase::new(Sequences::single(x_train)?, y_train);
    let stateful = settings.truncate(1).fit(&data)?;

    let without = stateless.predict(&Sequences::new(x_test, vec![1; N - TRAIN])?)?;
    let mut state = stateful.state(1);
    stateful.predict_from(&mut state, &Sequences::single(x_train)?)?;
    let with = stateful.predict_from(&mut state, &Sequences::single(x_test)?)?;

    let floor = AMPLITUDE.powi(2) / 3.0 / 4.0;
    println!(
        "test error, stateless {:.2e}  (no such net can be below {floor:.2e} on average)",
        error(&without)
    );
    println!("test error, stateful  {:.2e}", error(&with));
    assert!(error(&with) < 0.5 * floor && error(&without) > 0.8 * floor);

    if let Some(path) = std::env::args().nth(1) {
        let time: Vec<f64> = (0..60).map(f64::from).collect();
        let first = |y: &Array2<f64>| y.column(0).iter().take(60).copied().collect::<Vec<_>>();
        let curves = [
            ("moving average", first(&y_test.to_owned())),
            ("stateless", first(&without)),
            ("stateful", first(&with)),
        ];
        let curves = curves.each_ref().map(|(name, y)| (*name, &time, y));
        let errors = format!(
            "mean squared error {:.1e} stateless (no such net is below {floor:.1e}), {:.1e} stateful",
            error(&without),
            error(&with)
        );
        let figure = Figure::curves(&curves)?.title("With and without a state").subtitle(errors);
        figure.axes(["step", "value"]).save(path)?;
    }
    Ok(())
}
