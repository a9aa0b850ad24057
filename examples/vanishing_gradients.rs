//! How far back a net can learn: the gradient of the last state by the earlier ones.
//!
//! A gradient that reaches step `T - lag` has passed `lag` steps of the cell. In a plain RNN it shrinks or grows geometrically; the memory of
//! an LSTM keeps it, if its forget gates start open. What explodes is clipped.
//!
//! `cargo run --release --example vanishing_gradients [picture.svg]`

use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use sapwood::optim::{clip_norm, init};
use sapwood::plot::Figure;
use sapwood::recurrent::{Cell, Recurrent};
use sapwood::{Error, Gru, Lstm, Rnn, data::Sequences, ndarray::Array2};

const H: usize = 32;
const T: usize = 100;

/// `|| dh_T / dh_(T - lag) ||` as a share of that at lag 0, over all lags.
fn shares<C: Cell>(net: &Recurrent<f64, C>, x: &Array2<f64>) -> Result<Vec<f64>, Error> {
    let gradient = net.gradient_through_time(x)?;
    Ok(gradient.norms().iter().map(|norm| norm / gradient.norms()[0]).collect())
}

fn main() -> Result<(), Error> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = init::normal(T, 4, 1.0, &mut rng);

    let mut curves = Vec::new();
    for (name, scale) in [("RNN, U x 0.9", 0.9), ("RNN, U x 1.6", 1.6)] {
        let mut net = Rnn::untrained(&Rnn::params(H), 4, 1)?;
        // Small inputs leave the slopes of the tanh near 1: what is left is the recurrent matrix itself.
        let (u, w) = (net.tensor("weight_hh_l0"), net.tensor("weight_ih_l0"));
        net.set_tensor("weight_hh_l0", (u.unwrap_or_default() * scale).view())?;
        net.set_tensor("weight_ih_l0", (w.unwrap_or_default() * 0.1).view())?;
        curves.push((name, shares(&net, &x)?));
        if scale > 1.0 {
            let data = Sequences::single(x.view())?;
            let mut gradient = net.gradients(&data, &Array2::ones((T, 1)), None)?.parameters;
            let before = clip_norm(&mut gradient, 1.0)?;
            let after = gradient.iter().map(|g| g * g).sum::<f64>().sqrt();
            println!("{name}: the gradient of all weights has norm {before:.3}, clipped {after:.3}\n");
            assert!(after <= 1.0);
        }
    }
    curves.push(("GRU", shares(&Gru::untrained(&Gru::params(H), 4, 1)?, &x)?));
    for (name, bias) in
        [("LSTM, forget bias 0", 0.0), ("LSTM, forget bias 1", 1.0), ("LSTM, forget bias 3", 3.0)]
    {
        let net = Lstm::untrained(&Lstm::params(H).forget_bias(bias), 4, 1)?;
        curves.push((name, shares(&net, &x)?));
    }

    println!("{:22}{:>10}{:>10}{:>10}{:>10}", "share left after lag", 10, 25, 50, 99);
    for (name, shares) in &curves {
        let [a, b, c, d] = [10, 25, 50, 99].map(|lag| shares[lag]);
        println!("{name:22}{a:>10.1e}{b:>10.1e}{c:>10.1e}{d:>10.1e}");
    }
    let last: Vec<f64> = curves.iter().map(|(_, shares)| shares[T - 1]).collect();
    assert!(last[3] < last[4] && last[4] < last[5], "an open forget gate keeps the gradient");

    let lags: Vec<f64> = (0..T).map(|lag| lag as f64).collect();
    let curves: Vec<_> = curves.iter().map(|(name, shares)| (*name, &lags, shares)).collect();
    let figure = Figure::curves(&curves)?.title("The gradient through time").log_y();
    let figure = figure
        .subtitle("at the first values, 32 units")
        .axes(["lag (steps)", "share of the gradient that is left"]);
    if let Some(path) = std::env::args().nth(1) {
        figure.save(path)?;
    }
    Ok(())
}
