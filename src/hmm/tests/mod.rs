//! What the tests share: small models, and the sums over all paths.

mod estimation;
mod inputs;
mod oracles;
mod properties;

use super::engine::Workspace;
use super::*;
use ndarray::{Array3, Axis};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

#[allow(clippy::needless_pass_by_value, reason = "the calls read better")]
fn symbols(initial: &[f64], a: Array2<f64>, b: Array2<f64>) -> CategoricalHmm {
    Hmm::new(initial.to_vec().into(), a, Categorical::new(b.view()).unwrap()).unwrap()
}

fn column(x: &[usize]) -> Sequences<ndarray::OwnedRepr<usize>> {
    Sequences::single(Array2::from_shape_vec((x.len(), 1), x.to_vec()).unwrap()).unwrap()
}

fn near(a: f64, b: f64, tolerance: f64) -> bool {
    (a - b).abs() <= tolerance * b.abs().max(1.0)
}

fn assert_column(found: &Array2<f64>, expected: &[f64]) {
    for (row, expected) in found.rows().into_iter().zip(expected) {
        assert!((row[0] - expected).abs() < 6e-11, "{row} {expected}");
        assert!((row.sum() - 1.0).abs() < 1e-14);
    }
}

/// A random model of symbols, some of whose probabilities are 0.
fn random_symbols(k: usize, n_symbols: usize, seed: u64) -> CategoricalHmm {
    let mut rng = Xoshiro256Plus::seed_from_u64(seed);
    let mut rows = |n: usize| {
        let mut p = Array2::from_shape_simple_fn((k, n), || {
            let v: f64 = rng.r#gen();
            if v < 0.2 { 0.0 } else { v }
        });
        for (i, mut row) in p.rows_mut().into_iter().enumerate() {
            row[i % n] += 0.1;
            let sum = row.sum();
            row /= sum;
        }
        p
    };
    let (a, b) = (rows(k), rows(n_symbols));
    symbols(&vec![1.0 / k as f64; k], a, b)
}

fn random_gaussian(k: usize, d: usize, covariance: Covariance, seed: u64) -> GaussianHmm {
    let mut rng = Xoshiro256Plus::seed_from_u64(seed);
    let means = Array2::from_shape_simple_fn((k, d), || 4.0 * draw_normal(&mut rng));
    let variance = |rng: &mut Xoshiro256Plus| 0.5 + rng.r#gen::<f64>();
    let matrix = |rng: &mut Xoshiro256Plus| {
        let l = Array2::from_shape_fn((d, d), |(i, j)| if i == j { 1.0 } else { 0.3 * draw_normal(rng) });
        l.dot(&l.t())
    };
    let emission = match covariance {
        Covariance::Spherical => {
            Gaussian::spherical(means.view(), Array1::from_shape_simple_fn(k, || variance(&mut rng)).view())
        }
        Covariance::Diagonal => {
            let variances = Array2::from_shape_simple_fn((k, d), || variance(&mut rng));
            Gaussian::diagonal(means.view(), variances.view())
        }
        Covariance::Full => {
            let mut all = Array3::zeros((k, d, d));
            all.outer_iter_mut().for_each(|mut m| m.assign(&matrix(&mut rng)));
            Gaussian::full(means.view(), all.view())
        }
        Covariance::Tied => Gaussian::tied(means.view(), matrix(&mut rng).view()),
    };
    let a = Array2::from_shape_simple_fn((k, k), || rng.r#gen::<f64>() + 0.05);
    let a = &a / &a.sum_axis(Axis(1)).insert_axis(Axis(1));
    Hmm::new(Array1::from_elem(k, 1.0 / k as f64), a, emission.unwrap()).unwrap()
}

/// Probability of every path with the observations, by definition.
fn enumerate<E: Emission<Float = f64>>(model: &Hmm<E>, x: &[E::Elem]) -> Vec<(Vec<usize>, f64)> {
    let (k, n) = (model.n_states(), x.len() / model.emission.n_features());
    let mut log_b = vec![0.0; n * k];
    model.emission.log_likelihoods(x, &mut log_b, &mut Vec::new());
    (0..k.pow(n as u32))
        .map(|number| {
            let path: Vec<usize> = (0..n).map(|t| number / k.pow(t as u32) % k).collect();
            let mut p = model.initial[path[0]];
            for t in 0..n {
                p *= log_b[t * k + path[t]].exp();
                if t > 0 {
                    p *= model.transition[[path[t - 1], path[t]]];
                }
            }
            (path, p)
        })
        .collect()
}

/// Compares the list of paths with all of them, sorted.
fn check_ranked<E: Emission<Float = f64>>(
    model: &Hmm<E>,
    sequences: &Sequences<ndarray::OwnedRepr<E::Elem>>,
    paths: &[(Vec<usize>, f64)],
) {
    // Far below, a product is subnormal and has lost digits.
    let mut sorted: Vec<f64> = paths.iter().map(|path| path.1).filter(|&p| p > 1e-280).collect();
    sorted.sort_by(|a, b| b.total_cmp(a));
    for n_paths in [1, 2, 7, paths.len() + 3] {
        let ranked = model.ranked_paths(sequences, n_paths).unwrap().remove(0);
        // What is listed beyond those is too improbable for a product.
        let listed = ranked.len();
        assert!(listed <= n_paths && listed >= n_paths.min(sorted.len()));
        assert!(ranked[listed.min(sorted.len())..].iter().all(|path| path.log_probability < -644.0));
        assert_eq!(ranked[0].states, model.viterbi(sequences).unwrap().states);
        let mut seen = std::collections::HashSet::new();
        for (path, expected) in ranked.iter().zip(&sorted) {
            let p = paths.iter().find(|p| p.0 == path.states.to_vec()).unwrap().1;
            assert!(near(p.ln(), path.log_probability, 1e-11) && near(p.ln(), expected.ln(), 1e-11));
            assert!(seen.insert(path.states.to_vec()), "a path comes twice");
        }
    }
}

/// The last state of each path says what comes next.
fn check_next<E: Emission<Float = f64>>(
    model: &Hmm<E>,
    sequences: &Sequences<ndarray::OwnedRepr<E::Elem>>,
    paths: &[(Vec<usize>, f64)],
) {
    let (k, all) = (model.n_states(), paths.iter().map(|path| path.1).sum::<f64>());
    let mut next = vec![0.0; k];
    for (path, p) in paths {
        let from = model.transition.row(path[path.len() - 1]);
        next.iter_mut().zip(from).for_each(|(next, a)| *next += p * a / all);
    }
    let states = model.next_states(sequences).unwrap();
    assert!(states.iter().zip(&next).all(|(a, b)| (a - b).abs() < 1e-12));
    let rows: Vec<E::Elem> = sequences.records().iter().copied().collect();
    let mut log_b = vec![0.0; sequences.records().nrows() * k];
    model.emission.log_likelihoods(&rows, &mut log_b, &mut Vec::new());
    let logs = model.next_log_likelihoods(sequences, sequences.records()).unwrap();
    for (log, log_b) in logs.iter().zip(log_b.chunks(k)) {
        let expected: f64 = log_b.iter().zip(&next).map(|(b, p)| b.exp() * p).sum();
        assert!((log.exp() - expected).abs() <= 1e-12 * expected);
    }
    match model.emission.means() {
        None => assert!(model.next_means(sequences).is_err()),
        Some(means) => {
            let found = model.next_means(sequences).unwrap();
            let expected = ndarray::aview1(&next).dot(&means);
            assert!((&found.row(0) - &expected).iter().all(|v| v.abs() < 1e-11));
        }
    }
}

/// Each row against the sums over all paths through what comes after it, from each state.
fn check_backward<E: Emission<Float = f64>>(
    model: &Hmm<E>,
    sequences: &Sequences<ndarray::OwnedRepr<E::Elem>>,
) {
    let rows: Vec<E::Elem> = sequences.records().iter().copied().collect();
    let (k, d) = (model.n_states(), model.emission.n_features());
    for (t, row) in model.backward(sequences).unwrap().rows().into_iter().enumerate() {
        let ahead = &rows[(t + 1) * d..];
        let from = |i: usize| {
            let model = Hmm { initial: model.transition.row(i).to_owned(), ..model.clone() };
            if ahead.is_empty() { 1.0 } else { enumerate(&model, ahead).iter().map(|path| path.1).sum() }
        };
        let beta: Vec<f64> = (0..k).map(from).collect();
        let sum: f64 = beta.iter().sum();
        assert!(row.iter().zip(&beta).all(|(p, beta)| (p - beta / sum).abs() < 1e-12), "{t} {row} {beta:?}");
    }
}

/// Compares everything with the sums over all paths.
fn check_against_enumeration<E: Emission<Float = f64>>(model: &Hmm<E>, x: Array2<E::Elem>) {
    let rows: Vec<E::Elem> = x.iter().copied().collect();
    let paths = enumerate(model, &rows);
    let all: f64 = paths.iter().map(|path| path.1).sum();
    let sequences = Sequences::single(x).unwrap();
    let score = model.score(&sequences).unwrap();
    if all == 0.0 {
        assert_eq!(score, f64::NEG_INFINITY);
        assert!(model.posteriors(&sequences).is_err() && model.viterbi(&sequences).is_err());
        assert!(model.filter(&sequences).is_err() && model.expected_sums(&sequences).is_err());
        assert!(model.backward(&sequences).is_err());
        return;
    }
    assert!(near(score, all.ln(), 1e-12), "{score} {}", all.ln());
    let best = paths.iter().map(|path| path.1).fold(0.0, f64::max);
    let path = model.viterbi(&sequences).unwrap();
    assert!(near(path.log_probabilities[0], best.ln(), 1e-12));
    let found = paths.iter().find(|p| p.0 == path.states.to_vec()).unwrap();
    assert!(near(found.1, best, 1e-12));
    check_ranked(model, &sequences, &paths);
    check_next(model, &sequences, &paths);
    let posteriors = model.posteriors(&sequences).unwrap();
    let sums = model.expected_sums(&sequences).unwrap();
    for ((t, state), &p) in posteriors.indexed_iter() {
        let expected: f64 = paths.iter().filter(|path| path.0[t] == state).map(|path| path.1).sum();
        assert!((p - expected / all).abs() < 1e-12);
    }
    for ((i, j), &n) in sums.transitions.indexed_iter() {
        let steps = |path: &[usize]| path.windows(2).filter(|w| *w == [i, j]).count() as f64;
        let expected: f64 = paths.iter().map(|path| steps(&path.0) * path.1).sum();
        assert!((n - expected / all).abs() < 1e-11, "{n} {}", expected / all);
    }
    let engine = model.engine();
    let mut work = Workspace::default();
    let observations = super::engine::Observations { x: &rows, known: &[] };
    assert!(near(engine.forward_in_logs(observations, &mut work), all.ln(), 1e-12));
    let mut steps = Array2::zeros(model.transition.dim());
    let n = posteriors.nrows();
    engine.smooth_in_logs(observations, n, &mut work, steps.as_slice_mut(), |rows, gamma, _| {
        for (p, expected) in gamma.iter().zip(posteriors.row(rows.start)) {
            assert!((p - expected).abs() < 1e-12);
        }
    });
    assert!((steps - &sums.transitions).iter().all(|gap| gap.abs() < 1e-11));
    check_backward(model, &sequences);
    // The last filtered row is the last smoothed row, and the online filter's.
    let filtered = model.filter(&sequences).unwrap();
    let mut online = model.online();
    let mut lagged = model.fixed_lag(n - 1).unwrap();
    let d = model.emission.n_features();
    for (t, row) in rows.chunks_exact(d).enumerate() {
        online.step(row).unwrap();
        assert!((&online.probabilities() - &filtered.row(t)).iter().all(|v| v.abs() < 1e-12));
        let smoothed = lagged.step(row).unwrap();
        assert_eq!(smoothed.is_some(), t + 1 == n);
        if let Some(smoothed) = smoothed {
            assert!((&smoothed - &posteriors.row(0)).iter().all(|v| v.abs() < 1e-12));
        }
    }
    assert!(near(online.log_likelihood(), all.ln(), 1e-12));
    assert!((&filtered.row(n - 1) - &posteriors.row(n - 1)).iter().all(|v| v.abs() < 1e-12));
}
const EARTHQUAKES: [usize; 107] = [
    13, 14, 8, 10, 16, 26, 32, 27, 18, 32, 36, 24, 22, 23, 22, 18, 25, 21, 21, 14, 8, 11, 14, 23, 18, 17, 19,
    20, 22, 19, 13, 26, 13, 14, 22, 24, 21, 22, 26, 21, 23, 24, 27, 41, 31, 27, 35, 26, 28, 36, 39, 21, 17,
    22, 17, 19, 15, 34, 10, 15, 22, 18, 15, 20, 15, 22, 19, 16, 30, 27, 29, 23, 20, 16, 21, 21, 25, 16, 18,
    15, 18, 14, 10, 15, 8, 15, 6, 11, 8, 7, 18, 16, 13, 12, 13, 20, 15, 16, 12, 18, 15, 16, 13, 15, 16, 11,
    11,
];

fn poisson_start(rates: &[f64]) -> PoissonHmm {
    let k = rates.len();
    let a = Array2::from_shape_fn((k, k), |(i, j)| if i == j { 1.0 - 0.1 * (k - 1) as f64 } else { 0.1 });
    let rates = Array2::from_shape_vec((k, 1), rates.to_vec()).unwrap();
    Hmm::new(Array1::from_elem(k, 1.0 / k as f64), a, Poisson::new(rates.view()).unwrap()).unwrap()
}
