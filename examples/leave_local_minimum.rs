//! A surface with a trap: where plain gradient descent sticks, and what gets it out.
//!
//! `f(x) = 0.175 |x - c|^2 + sum_i (1 - cos(3 (x_i - c_i))) / 3`, in two dimensions: a bowl with a pit every two units, the deepest at `c`.
//! Every remedy starts from the same 100 points and has as many gradients, 2,000; found means in the pit at `c`.
//!
//! `cargo run --release --example leave_local_minimum [picture.svg]`

use rand::Rng;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use sapwood::optim::{Adam, RmsProp, Rule, Schedule, Sgd, State};
use sapwood::{Error, plot::Figure};

const C: [f64; 2] = [1.5, -0.5];
const STEPS: usize = 2_000;

fn height(x: [f64; 2]) -> f64 {
    x.iter().zip(C).map(|(x, c)| 0.175 * (x - c).powi(2) + (1.0 - (3.0 * (x - c)).cos()) / 3.0).sum()
}

fn gradient(x: &[f64]) -> Vec<f64> {
    x.iter().zip(C).map(|(x, c)| 0.35 * (x - c) + (3.0 * (x - c)).sin()).collect()
}

fn found(x: &[f64]) -> bool {
    x.iter().zip(C).all(|(x, c)| (x - c).abs() < 1.0)
}

/// One descent; `noise` is the spread that a mini-batch adds to each gradient, and it falls with the rate.
fn descend(
    rule: Rule,
    rate: f64,
    schedule: Schedule,
    noise: f64,
    start: [f64; 2],
    seed: u64,
) -> Result<Vec<[f64; 2]>, Error> {
    let (mut x, mut state, mut path) = (start, State::new(), vec![start]);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    for step in 0..STEPS {
        let mut g = gradient(&x);
        g.iter_mut().for_each(|g| *g += noise * rng.gen_range(-1.0..1.0));
        rule.update(rate * schedule.share(step, STEPS, &[]), &mut x, &g, &mut state)?;
        path.push(x);
    }
    Ok(path)
}

fn main() -> Result<(), Error> {
    let start = |seed| {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        [rng.gen_range(-6.0..6.0), rng.gen_range(-6.0..6.0)]
    };
    let (sgd, constant, cosine) =
        (Rule::from(Sgd::default()), Schedule::Constant, Schedule::Cosine { last: 0.0 });
    let remedies: [(&str, Rule, f64, Schedule, f64); 5] = [
        ("plain gradient descent", sgd, 0.05, constant, 0.0),
        ("noise of mini-batches", sgd, 0.1, cosine, 4.0),
        ("momentum 0.9", Sgd { momentum: 0.9, ..Sgd::default() }.into(), 0.02, cosine, 0.0),
        ("RMSProp and noise", RmsProp::default().into(), 0.2, cosine, 4.0),
        ("Adam and noise", Adam::default().into(), 0.2, cosine, 4.0),
    ];
    let mut counts = Vec::new();
    for (name, rule, rate, schedule, noise) in remedies {
        let mut n_found = 0;
        for seed in 0..100 {
            let path = descend(rule, rate, schedule, noise, start(seed), seed)?;
            n_found += usize::from(found(&path[STEPS]));
        }
        println!("{name:28} {n_found:3} of 100 starts find the deepest pit");
        counts.push(n_found);
    }
    // Random search: twenty starts of a hundred steps, and the lowest end.
    let mut n_found = 0;
    for seed in 0..100 {
        let ends = (0..20).map(|i| {
            let mut x = start(1_000 + 20 * seed + i);
            (0..100).for_each(|_| gradient(&x).into_iter().zip(&mut x).for_each(|(g, x)| *x -= 0.1 * g));
            x
        });
        let lowest = ends.min_by(|a, b| height(*a).total_cmp(&height(*b)));
        n_found += usize::from(lowest.is_some_and(|x| found(&x)));
    }
    println!("{:28} {n_found:3} of 100", "random search, 20 starts");
    counts.push(n_found);
    assert!(counts[0] < 20 && counts[1..].iter().all(|&n| n > 2 * counts[0]), "every remedy helps");

    if let Some(path_of_picture) = std::env::args().nth(1) {
        let path = |(name, rule, rate, schedule, noise)| -> Result<(&str, Vec<[f64; 2]>), Error> {
            Ok((name, descend(rule, rate, schedule, noise, [-5.0, 5.0], 3)?))
        };
        let paths = remedies.into_iter().take(3).map(path).collect::<Result<Vec<_>, _>>()?;
        let paths: Vec<(&str, &[[f64; 2]])> = paths.iter().map(|(name, path)| (*name, &path[..])).collect();
        let figure = Figure::surface(height, &paths).title("Three descents from (\u{2212}5, 5)");
        figure
            .subtitle("The deepest pit is at (1.5, \u{2212}0.5); plain gradient descent stays in the nearest")
            .save(path_of_picture)?;
    }
    Ok(())
}
