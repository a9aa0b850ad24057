//! Which seed you draw, or how you start: a small net learns "one or the other, not both" from 100 seeds for each remedy.
//!
//! Two inputs, `h` hidden units with tanh, one output. From weights that are almost 0 all units are alike, and plain gradient descent sticks on a saddle;
//! from larger ones it ends in a local minimum or not, as the seed will have it. What noise and momentum do for it is in `leave_local_minimum`.
#![allow(clippy::print_stdout)]

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::ndarray::Array2;
use sapwood::optim::{Adam, RmsProp, Rule, Sgd, State, init};
use sapwood::{Error, math::sigmoid};

/// Loss of the net and its gradient; `w` holds the hidden units' weights and biases `(h, 3)`, then the output's `(h + 1)`.
fn loss(w: &[f64], gradient: &mut [f64]) -> f64 {
    let h = (w.len() - 1) / 4;
    let (hidden, out) = w.split_at(3 * h);
    gradient.fill(0.0);
    let mut loss = 0.0;
    for (x, y) in [([0.0, 0.0], 0.0), ([0.0, 1.0], 1.0), ([1.0, 0.0], 1.0), ([1.0, 1.0], 0.0)] {
        let unit = |u: &[f64]| (u[0] * x[0] + u[1] * x[1] + u[2]).tanh();
        let a: Vec<f64> = hidden.chunks(3).map(unit).collect();
        let z = out[h] + a.iter().zip(out).map(|(a, w)| a * w).sum::<f64>();
        loss += if y == 1.0 { -sigmoid(z).ln() } else { -sigmoid(-z).ln() };
        let d_z = sigmoid(z) - y;
        for (i, a) in a.iter().enumerate() {
            let d_unit = d_z * out[i] * (1.0 - a * a);
            for (j, x) in [x[0], x[1], 1.0].into_iter().enumerate() {
                gradient[3 * i + j] += d_unit * x;
            }
            gradient[3 * h + i] += d_z * a;
        }
        gradient[4 * h] += d_z;
    }
    loss
}

/// The loss after 3000 steps.
fn train(mut w: Vec<f64>, rule: Rule, rate: f64) -> Result<f64, Error> {
    let (mut gradient, mut state) = (vec![0.0; w.len()], State::new());
    for _ in 0..3000 {
        loss(&w, &mut gradient);
        rule.update(rate, &mut w, &gradient, &mut state)?;
    }
    Ok(loss(&w, &mut gradient))
}

fn main() -> Result<(), Error> {
    let start = |h: usize, glorot: bool, seed: u64| -> Result<Vec<f64>, Error> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut layer = |rows, columns| -> Result<Array2<f64>, Error> {
            if glorot {
                return init::glorot_uniform(rows, columns, &mut rng);
            }
            Ok(init::normal(rows, columns, 1e-3, &mut rng))
        };
        let (hidden, out) = (layer(h, 2)?, layer(1, h)?);
        let rows = hidden.rows().into_iter().flat_map(|row| [row[0], row[1], 0.0]);
        Ok(rows.chain(out).chain([0.0]).collect())
    };
    let descent = Rule::from(Sgd::default());
    let (rms, adam) = (Rule::from(RmsProp::default()), Rule::from(Adam::default()));
    let mut found = Vec::new();
    for (name, h, glorot, rule, rate, tries) in [
        ("2 units, almost 0, descent", 2, false, descent, 0.1, 1),
        ("2 units, almost 0, RMSProp", 2, false, rms, 0.03, 1),
        ("2 units, almost 0, Adam", 2, false, adam, 0.03, 1),
        ("2 units, Glorot, descent", 2, true, descent, 0.1, 1),
        ("2 units, best of 10 seeds", 2, true, descent, 0.1, 10),
        ("4 units, Glorot, descent", 4, true, descent, 0.1, 1),
        ("16 units, Glorot, descent", 16, true, descent, 0.1, 1),
    ] {
        let mut n = 0;
        for seed in 0..100 {
            let mut least = f64::INFINITY;
            for t in 0..tries {
                least = least.min(train(start(h, glorot, 1000 * t + seed)?, rule, rate)?);
            }
            n += usize::from(least < 0.2);
        }
        println!("{name:26} {n:3} of 100 seeds learn it");
        found.push(n);
    }
    // The gradient is the derivative of the loss.
    let w = start(2, true, 3)?;
    let (mut gradient, mut unused) = (vec![0.0; 9], vec![0.0; 9]);
    loss(&w, &mut gradient);
    for (i, exact) in gradient.into_iter().enumerate() {
        let moved = |by: f64| w.iter().enumerate().map(|(j, &v)| if i == j { v + by } else { v }).collect();
        let ends: [Vec<f64>; 2] = [moved(1e-6), moved(-1e-6)];
        let slope = (loss(&ends[0], &mut unused) - loss(&ends[1], &mut unused)) / 2e-6;
        assert!((slope - exact).abs() < 1e-7);
    }
    let [saddle, rms, adam, glorot, search, four, sixteen] = found[..] else { unreachable!() };
    assert!(saddle < 10 && rms > 50 && adam > 20, "steps of one size leave the saddle");
    assert!(glorot > 30 && search.min(four).min(sixteen) >= 95, "first values, many starts, more units");
    Ok(())
}
