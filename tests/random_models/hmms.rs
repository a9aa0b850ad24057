//! Hidden Markov models: small ones against the sum over all paths, long ones against recursions in logs.

use proptest::prelude::*;
use proptest::test_runner::TestCaseError;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Sequences;
use sapwood::hmm::{Categorical, Emission, Gaussian, MISSING, Stop};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array1, Array2, Array3, Axis, s};
use sapwood::{Error, Float, Hmm, Result};

use super::cases::for_all;

type Outcome = std::result::Result<(), TestCaseError>;

/// What a model says of one sequence, its logs of likelihoods being `log_b`.
struct Answers {
    score: f64,
    filtered: Array2<f64>,
    backward: Array2<f64>,
    posteriors: Array2<f64>,
    /// Expected transitions.
    steps: Array2<f64>,
    /// Logs of the joint probabilities of the best paths, the best first; by recursion that of the best alone.
    ranked: Vec<f64>,
}

fn log_sum(logs: &[f64]) -> f64 {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY { top } else { top + logs.iter().map(|v| (v - top).exp()).sum::<f64>().ln() }
}

/// Each row of logs as probabilities.
fn shares(mut logs: Array2<f64>) -> Array2<f64> {
    for mut row in logs.rows_mut() {
        let sum = log_sum(&row.to_vec());
        row.mapv_inplace(|v| (v - sum).exp());
    }
    logs
}

impl Answers {
    /// The recursions, one number after another, all in logs.
    fn by_logs(initial: &Array1<f64>, a: &Array2<f64>, log_b: &Array2<f64>) -> Self {
        let (n, k) = log_b.dim();
        let log_a = a.mapv(f64::ln);
        let mut alpha = Array2::zeros((n, k));
        let mut delta = Array2::zeros((n, k));
        let mut beta = Array2::zeros((n, k));
        for t in 0..n {
            for j in 0..k {
                let into =
                    |row: &Array2<f64>| (0..k).map(|i| row[[t - 1, i]] + log_a[[i, j]]).collect::<Vec<_>>();
                let (sum, top) = if t == 0 {
                    (initial[j].ln(), initial[j].ln())
                } else {
                    (log_sum(&into(&alpha)), into(&delta).into_iter().fold(f64::NEG_INFINITY, f64::max))
                };
                alpha[[t, j]] = sum + log_b[[t, j]];
                delta[[t, j]] = top + log_b[[t, j]];
            }
        }
        for t in (0..n - 1).rev() {
            for i in 0..k {
                let after: Vec<f64> =
                    (0..k).map(|j| log_a[[i, j]] + log_b[[t + 1, j]] + beta[[t + 1, j]]).collect();
                beta[[t, i]] = log_sum(&after);
            }
        }
        let score = log_sum(&alpha.row(n - 1).to_vec());
        // Each step under its own sum, as the score of far outliers has few digits behind the point.
        let mut steps = Array2::zeros((k, k));
        for t in 0..n - 1 {
            let step = |(i, j)| alpha[[t, i]] + log_a[[i, j]] + log_b[[t + 1, j]] + beta[[t + 1, j]];
            let joint = Array2::from_shape_fn((1, k * k), |(_, at)| step((at / k, at % k)));
            steps += &shares(joint).into_shape_with_order((k, k)).expect("k x k");
        }
        let ranked = vec![delta.row(n - 1).iter().copied().fold(f64::NEG_INFINITY, f64::max)];
        let posteriors = shares(&alpha + &beta);
        Self { score, filtered: shares(alpha), backward: shares(beta), posteriors, steps, ranked }
    }

    /// The same by every path; what comes after a row, by every path from each state.
    fn by_paths(initial: &Array1<f64>, a: &Array2<f64>, log_b: &Array2<f64>) -> Self {
        let (n, k) = log_b.dim();
        let paths = |from: usize, to: usize, initial: &Array1<f64>| -> Vec<(Vec<usize>, f64)> {
            (0..k.pow((to - from) as u32))
                .map(|number| {
                    let path: Vec<usize> = (0..to - from).map(|t| number / k.pow(t as u32) % k).collect();
                    let seen: f64 = path.iter().zip(from..).map(|(&j, t)| log_b[[t, j]]).sum();
                    let steps: f64 = path.windows(2).map(|w| a[[w[0], w[1]]].ln()).sum();
                    let log = initial[path[0]].ln() + steps + seen;
                    (path, log)
                })
                .collect()
        };
        let total = |paths: &[(Vec<usize>, f64)], holds: &dyn Fn(&[usize]) -> bool| {
            log_sum(&paths.iter().filter(|path| holds(&path.0)).map(|path| path.1).collect::<Vec<_>>())
        };
        let all = paths(0, n, initial);
        let score = total(&all, &|_| true);
        let filtered =
            Array2::from_shape_fn((n, k), |(t, j)| total(&paths(0, t + 1, initial), &|path| path[t] == j));
        let backward = Array2::from_shape_fn((n, k), |(t, i)| {
            if t + 1 == n { 0.0 } else { total(&paths(t + 1, n, &a.row(i).to_owned()), &|_| true) }
        });
        let posteriors = Array2::from_shape_fn((n, k), |(t, j)| total(&all, &|path| path[t] == j));
        let steps = Array2::from_shape_fn((k, k), |(i, j)| {
            let count = |path: &[usize]| path.windows(2).filter(|w| *w == [i, j]).count() as f64;
            all.iter().map(|path| count(&path.0) * (path.1 - score).exp()).sum()
        });
        let mut ranked: Vec<f64> = all.iter().map(|path| path.1).collect();
        ranked.sort_by(|a, b| b.total_cmp(a));
        let (filtered, backward, posteriors) = (shares(filtered), shares(backward), shares(posteriors));
        Self { score, filtered, backward, posteriors, steps, ranked }
    }
}

/// Within `tolerance`, relative where it is large.
fn same(what: &str, found: f64, expected: f64, tolerance: f64) -> Outcome {
    let near = found == expected || (found - expected).abs() <= tolerance * expected.abs().max(1.0);
    prop_assert!(near, "{what}: {found} is not {expected}");
    Ok(())
}

fn all_same<F: Float>(what: &str, found: &Array2<F>, expected: &Array2<f64>, tolerance: f64) -> Outcome {
    prop_assert_eq!(found.dim(), expected.dim());
    found.iter().zip(expected).try_for_each(|(a, b)| same(what, a.as_f64(), *b, tolerance))
}

/// Compares all that `model` says of the rows `x`, whose logs of likelihoods are `log_b`, with both ways to it.
fn check<F: Float, E: Emission<Float = F>>(
    model: &Hmm<E>,
    x: &Array2<E::Elem>,
    log_b: &Array2<f64>,
    tolerance: f64,
) -> Outcome {
    let (n, k) = log_b.dim();
    let (initial, a) = (model.initial().mapv(Float::as_f64), model.transition().mapv(Float::as_f64));
    let is_small = (k as f64).powf(n as f64) <= 1500.0;
    let answers =
        if is_small { Answers::by_paths(&initial, &a, log_b) } else { Answers::by_logs(&initial, &a, log_b) };
    let x = Sequences::single(x.view()).expect("rows");
    let score = model.score(&x).expect("valid");
    if answers.score == f64::NEG_INFINITY {
        prop_assert_eq!(score, f64::NEG_INFINITY);
        prop_assert!(
            model.posteriors(&x).is_err() && model.filter(&x).is_err() && model.viterbi(&x).is_err()
        );
        prop_assert!(model.backward(&x).is_err() && model.ranked_paths(&x, 2).is_err());
        return Ok(());
    }
    same("score", score, answers.score, tolerance)?;
    all_same("filter", &model.filter(&x).expect("possible"), &answers.filtered, tolerance)?;
    all_same("backward", &model.backward(&x).expect("possible"), &answers.backward, tolerance)?;
    all_same("posteriors", &model.posteriors(&x).expect("possible"), &answers.posteriors, tolerance)?;
    let sums = model.expected_sums(&x).expect("possible");
    all_same("steps", &sums.transitions, &answers.steps, tolerance)?;
    let mut lagged = model.fixed_lag(n / 2).expect("a short lag");
    for (t, row) in x.records().rows().into_iter().enumerate() {
        let smoothed = lagged.step(&row.to_vec()).expect("possible");
        if let Some(smoothed) = smoothed.filter(|_| t + 1 == n) {
            let smoothed = smoothed.to_owned().insert_axis(Axis(0));
            let expected = answers.posteriors.row(n - 1 - n / 2).insert_axis(Axis(0)).to_owned();
            all_same("fixed lag", &smoothed, &expected, tolerance)?;
        }
        let now = lagged.filter().probabilities().insert_axis(Axis(0)).to_owned();
        all_same("online", &now, &answers.filtered.row(t).insert_axis(Axis(0)).to_owned(), tolerance)?;
    }
    same("online score", lagged.filter().log_likelihood(), answers.score, tolerance)?;
    // Of several best paths any will do here, if it is worth as much.
    let path = model.viterbi(&x).expect("possible");
    same("best path", path.log_probabilities[0], answers.ranked[0], tolerance)?;
    let step =
        |t: usize| if t == 0 { initial[path.states[0]] } else { a[[path.states[t - 1], path.states[t]]] };
    let own: f64 = (0..n).map(|t| step(t).ln() + log_b[[t, path.states[t]]]).sum();
    same("the path itself", own, answers.ranked[0], tolerance)?;
    let n_paths = answers.ranked.len().min(4);
    for (rank, path) in model.ranked_paths(&x, n_paths).expect("possible")[0].iter().enumerate() {
        same("ranked path", path.log_probability, answers.ranked[rank], tolerance)?;
    }
    // A round of EM makes probabilities of those sums; a row that was hardly visited is left out.
    let params = Hmm::<E>::params(k).start_from(model.clone()).max_iter(1).tol(0.0);
    let fitted = match params.fit(&DatasetBase::new(x, ())) {
        Err(Error::Parameter { name: "n_states", .. }) => return Ok(()),
        fitted => fitted.expect("possible, and of as many rows as states"),
    };
    // Where the floor under a variance is above what the data have, the round is a loss and not kept.
    let kept = fitted.report().is_some_and(|report| report.stop != Stop::WentDown);
    for (i, row) in answers.steps.rows().into_iter().enumerate().filter(|(_, row)| kept && row.sum() > 1e-3) {
        for (found, expected) in fitted.transition().row(i).iter().zip(&row / row.sum()) {
            same("transition", found.as_f64(), expected, 1e3 * tolerance)?;
        }
    }
    Ok(())
}

/// Rows of probabilities: any, or quarters with zeros and ties, or over three hundred powers of ten.
fn rows(rng: &mut Xoshiro256PlusPlus, n: usize, columns: usize) -> Array2<f64> {
    let kind = rng.gen_range(0..4);
    let mut p = Array2::from_shape_simple_fn((n, columns), || match kind {
        0 => f64::from(rng.gen_range(0..4)),
        1 => 10.0_f64.powf(rng.gen_range(-300.0..0.0)),
        _ if rng.gen_bool(0.2) => 0.0,
        _ => rng.gen_range(0.0..1.0),
    });
    for mut row in p.rows_mut() {
        row[rng.gen_range(0..columns)] += 1.0;
        let sum = row.sum();
        row /= sum;
    }
    p
}

/// About a standard normal number.
fn noise(rng: &mut Xoshiro256PlusPlus) -> f64 {
    (0..6).map(|_| rng.gen_range(-0.7..0.7)).sum()
}

fn model<F: Float, E: Emission<Float = F>>(
    rng: &mut Xoshiro256PlusPlus,
    k: usize,
    emission: Result<E>,
) -> Hmm<E> {
    let (initial, mut a) = (rows(rng, 1, k), rows(rng, k, k));
    if rng.gen_bool(0.25) {
        // From left to right: the first states fade, and nothing leads back to them.
        for (i, mut row) in a.rows_mut().into_iter().enumerate() {
            row.slice_mut(s![..i]).fill(0.0);
            row[i] += if row.sum() > 0.0 { 0.0 } else { 1.0 };
            let sum = row.sum();
            row /= sum;
        }
    }
    let cast = |p: Array2<f64>| p.mapv(F::cast);
    Hmm::new(cast(initial).row(0).to_owned(), cast(a), emission.expect("valid")).expect("probabilities")
}

fn symbols<F: Float>(k: usize, n: usize, seed: u64, tolerance: f64) -> Outcome {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let n_symbols = rng.gen_range(1..7);
    let b = rows(&mut rng, k, n_symbols).mapv(F::cast);
    let x = Array2::from_shape_simple_fn((n, 1), || {
        if rng.gen_bool(0.03) { MISSING } else { rng.gen_range(0..n_symbols) }
    });
    let log_b = Array2::from_shape_fn((n, k), |(t, j)| match x[[t, 0]] {
        MISSING => 0.0,
        symbol => b[[j, symbol]].as_f64().ln(),
    });
    check(&model(&mut rng, k, Categorical::new(b.view())), &x, &log_b, tolerance)
}

/// Two measurements, diagonal or full covariances, at any offset and of any size; some rows twice, some missing, some far from all states.
fn measurements<F: Float>(
    k: usize,
    n: usize,
    seed: u64,
    tolerance: f64,
    sizes: &[(f64, f64)],
    far: f64,
) -> Outcome {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let (offset, size) = sizes[rng.gen_range(0..sizes.len())];
    let cast = |v: f64| F::cast(v).as_f64();
    let mut means = Array2::from_shape_simple_fn((k, 2), || cast(offset + 3.0 * size * noise(&mut rng)));
    if rng.gen_bool(0.3) {
        let first = means.row(0).to_owned();
        means.row_mut(k - 1).assign(&first);
    }
    // Each covariance is L L^T.
    let is_full = rng.gen_bool(0.5);
    let lower = Array2::from_shape_fn((k, 3), |(_, i)| match i {
        2 if is_full => size * noise(&mut rng) / 2.0,
        2 => 0.0,
        _ => size * rng.gen_range(0.5..1.5),
    });
    let mut x = Array2::zeros((n, 2));
    for t in 0..n {
        let (state, far) = (rng.gen_range(0..k), if rng.gen_bool(0.05) { far } else { 1.0 });
        for i in 0..2 {
            x[[t, i]] = cast(means[[state, i]] + far * size * noise(&mut rng));
        }
        if t > 0 && rng.gen_bool(0.2) {
            let before = x.row(t - 1).to_owned();
            x.row_mut(t).assign(&before);
        }
        if rng.gen_bool(0.03) {
            x.row_mut(t).fill(f64::NAN);
        }
    }
    let covariances = Array3::from_shape_fn((k, 2, 2), |(j, r, c)| {
        let l = |r: usize, c: usize| [[lower[[j, 0]], 0.0], [lower[[j, 2]], lower[[j, 1]]]][r][c];
        cast(l(r, 0) * l(c, 0) + l(r, 1) * l(c, 1))
    });
    let log_b = Array2::from_shape_fn((n, k), |(t, j)| {
        let v = covariances.index_axis(Axis(0), j);
        let gap = |i: usize| x[[t, i]] - means[[j, i]];
        let share = v[[1, 0]] / v[[0, 0]];
        let rest = v[[1, 1]] - share * v[[1, 0]];
        let square = gap(0) * gap(0) / v[[0, 0]] + (gap(1) - share * gap(0)).powi(2) / rest;
        let log_density = -0.5 * (square + v[[0, 0]].ln() + rest.ln()) - (2.0 * std::f64::consts::PI).ln();
        if x[[t, 0]].is_nan() { 0.0 } else { log_density }
    });
    let (means, covariances) = (means.mapv(F::cast), covariances.mapv(F::cast));
    let variances = Array2::from_shape_fn((k, 2), |(j, i)| covariances[[j, i, i]]);
    let emission = if is_full {
        Gaussian::full(means.view(), covariances.view())
    } else {
        Gaussian::diagonal(means.view(), variances.view())
    };
    check(&model(&mut rng, k, emission), &x.mapv(F::cast), &log_b, tolerance)
}

const SIZES: [(f64, f64); 5] = [(0.0, 1.0), (1e9, 1e-3), (-1e6, 1e-6), (3.0, 1e6), (0.0, 1e-100)];

/// Up to four states and rows: most of them are compared with every path.
#[test]
fn small_models_are_the_sum_over_all_paths() {
    let cases = (0..2_usize, 1..5_usize, 1..7_usize, any::<u64>());
    for_all(200, &cases, |(kind, k, n, seed)| match kind {
        0 => symbols::<f64>(k, n, seed, 1e-10),
        _ => measurements::<f64>(k, n, seed, 1e-10, &SIZES, 100.0),
    });
}

#[test]
fn long_models_are_the_recursions_in_logs() {
    let cases = (0..2_usize, 1..40_usize, 1..300_usize, any::<u64>());
    for_all(30, &cases, |(kind, k, n, seed)| match kind {
        0 => symbols::<f64>(k, n, seed, 1e-9),
        _ => measurements::<f64>(k, n, seed, 1e-9, &SIZES, 100.0),
    });
}

/// Logs of likelihoods have seven digits, so that far outliers say little.
#[test]
fn single_precision_is_as_near_as_it_can_be() {
    let cases = (0..2_usize, 1..20_usize, 1..40_usize, any::<u64>());
    for_all(60, &cases, |(kind, k, n, seed)| match kind {
        0 => symbols::<f32>(k, n, seed, 2e-4),
        _ => measurements::<f32>(k, n, seed, 2e-3, &[(0.0, 1.0), (3.0, 1e6), (0.0, 1e-6)], 10.0),
    });
}
