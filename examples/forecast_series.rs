//! A forecast of monthly sunspots by a GRU, beside the two baselines that every forecast has to beat.
//!
//! The last fifth of the series is held back. Naive: next month is as this month. Seasonal: as eleven years (132 months) ago.
//! Reads `../shared/data/lstm/monthly-sunspots` or a CSV of `"month",value`; without either, it forecasts a made-up series of the same kind.
//!
//! `cargo run --release --example forecast_series [series.csv [picture.svg]]`

use std::fs;

use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::optim::Schedule;
use sapwood::plot::Figure;
use sapwood::{
    Error, Gru,
    data::Sequences,
    ndarray::{Array2, s},
};

/// The values of the second column, or a wave of eleven years whose height changes.
fn series(path: Option<String>) -> Vec<f64> {
    let shared =
        concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/lstm/monthly-sunspots/monthly-sunspots.csv");
    let text = fs::read_to_string(path.as_deref().unwrap_or(shared)).unwrap_or_default();
    let read: Vec<f64> = text.lines().filter_map(|line| line.split(',').nth(1)?.parse().ok()).collect();
    if !read.is_empty() {
        return read;
    }
    println!("no file: a made-up series");
    let mut state = 7_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / 2_f64.powi(52) - 1.0
    };
    let wave = |i: f64| (50.0 + 25.0 * (i / 290.0).sin()) * (1.0 + (i * std::f64::consts::TAU / 132.0).sin());
    (0..2400).map(f64::from).map(|i| (wave(i) + 15.0 * noise()).max(0.0)).collect()
}

fn main() -> Result<(), Error> {
    let mut arguments = std::env::args().skip(1);
    let values = series(arguments.next());
    let (n, n_train) = (values.len(), values.len() * 4 / 5);
    // Counts have a spread that grows with their height: the root evens it out. Scaled by the training part alone.
    let roots: Vec<f64> = values.iter().map(|v| v.sqrt()).collect();
    let scale = roots[..n_train].iter().copied().fold(0.0, f64::max);
    let x = Array2::from_shape_fn((n - 1, 1), |(i, _)| roots[i] / scale);
    // The net learns the change from this month to the next.
    let y = Array2::from_shape_fn((n - 1, 1), |(i, _)| (roots[i + 1] - roots[i]) / scale);

    let (x_train, y_train) = (x.slice(s![..n_train - 1, ..]), y.slice(s![..n_train - 1, ..]));
    let window = 132.min(n_train - 1);
    let mut lengths = vec![window; (n_train - 1) / window];
    lengths.extend(Some((n_train - 1) % window).filter(|&rest| rest > 0));
    let data = DatasetBase::new(Sequences::new(x_train, lengths)?, y_train);
    let settings = Gru::params(16).n_epochs(120).batch_size(4).learning_rate(5e-3);
    let model = settings.schedule(Schedule::Cosine { last: 0.01 }).fit(&data)?;

    // One step ahead over the held-back end, with the state of all that came before.
    let mut state = model.state(1);
    model.predict_from(&mut state, &Sequences::single(x_train)?)?;
    let changes = model.predict_from(&mut state, &Sequences::single(x.slice(s![n_train - 1.., ..]))?)?;
    let forecast: Vec<f64> =
        (n_train..n).map(|i| (roots[i - 1] + scale * changes[[i - n_train, 0]]).max(0.0).powi(2)).collect();

    let rmse = |guess: &dyn Fn(usize) -> f64| {
        ((n_train..n).map(|i| (guess(i) - values[i]).powi(2)).sum::<f64>() / (n - n_train) as f64).sqrt()
    };
    let gru = rmse(&|i| forecast[i - n_train]);
    let (naive, seasonal) = (rmse(&|i| values[i - 1]), rmse(&|i| values[i - 132.min(i)]));
    println!("root mean squared error on the last {} of {n} values", n - n_train);
    println!("naive    {naive:8.2}\nseasonal {seasonal:8.2}\nGRU      {gru:8.2}");
    assert!(gru < naive && gru < seasonal, "better than both baselines");

    if let Some(path) = arguments.next() {
        let last = 240.min(n - n_train);
        let time: Vec<f64> = (n - last..n).map(|i| i as f64).collect();
        let curves =
            [("observed", &time, &values[n - last..]), ("forecast", &time, &forecast[n - n_train - last..])];
        let errors = format!("root mean squared error {gru:.1}, naive {naive:.1}, seasonal {seasonal:.1}");
        let figure = Figure::curves(&curves)?.title("One month ahead").subtitle(errors);
        figure.axes(["month", "sunspots"]).save(path)?;
    }
    Ok(())
}
