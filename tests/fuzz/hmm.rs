//! Hidden Markov models of every emission against the sum over all paths; fits that end in a valid model.

use sapwood::data::Sequences;
use sapwood::hmm::{
    Categorical, Covariance, Emission, Gaussian, GaussianMixture, HmmParams, Poisson, Start, Topology,
};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::Fit;
use sapwood::ndarray::{Array1, Array2, Array3};
use sapwood::{Hmm, Params};

use super::Bytes;

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let (kind, k) = (bytes.below(8), 1 + bytes.below(6));
    // At most some thousand paths.
    let t = 1 + bytes.below([9, 9, 7, 5, 4, 4][k - 1]);
    let (wild, d) = (bytes.below(4) == 1, 1 + bytes.below(2));
    let any = |bytes: &mut Bytes<'_>, rows, columns| {
        if wild { bytes.table(rows, columns) } else { bytes.tame_table(rows, columns) }
    };
    match kind {
        0 | 1 => {
            let symbols = 1 + bytes.below(4);
            let x = Array2::from_shape_simple_fn((t, 1), || bytes.below(symbols + usize::from(wild)));
            let b = bytes.probabilities(k, symbols);
            let log_b = |j: usize, x: &[usize]| b.get((j, x[0])).map_or(f64::NAN, |p| p.ln());
            ask(&mut bytes, (k, wild), &x, Categorical::new(b.view()), log_b, |params, _| params);
        }
        2 => {
            let x = Array2::from_shape_simple_fn((t, d), || bytes.below(if wild { 256 } else { 20 }));
            let rates = any(&mut bytes, k, d).mapv(|v| v.abs() + f64::from(u8::from(!wild)) / 8.0);
            let log_factorial = |n: usize| (1..=n).map(|i| (i as f64).ln()).sum::<f64>();
            let log_b = |j: usize, x: &[usize]| {
                let term = |(i, &n): (usize, &usize)| {
                    let rate: f64 = rates[[j, i]];
                    (if n == 0 { 0.0 } else { n as f64 * rate.ln() }) - rate - log_factorial(n)
                };
                x.iter().enumerate().map(term).sum()
            };
            ask(&mut bytes, (k, wild), &x, Poisson::new(rates.view()), log_b, |params, _| params);
        }
        3 | 4 => {
            let (x, means) = (any(&mut bytes, t, d), any(&mut bytes, k, d));
            let variances = any(&mut bytes, k, d).mapv(|v| v.abs() + f64::from(u8::from(!wild)) / 16.0);
            let log_b = |j: usize, x: &[f64]| {
                let term = |i: usize| {
                    let (gap, variance) = (x[i] - means[[j, i]], variances[[j, i]]);
                    -0.5 * (gap * gap / variance + (2.0 * std::f64::consts::PI).ln() + variance.ln())
                };
                (0..d).map(term).sum()
            };
            let emission = Gaussian::diagonal(means.view(), variances.view());
            ask(&mut bytes, (k, wild), &x, emission, log_b, gaussian_params);
        }
        5 | 6 => {
            let (x, means) = (any(&mut bytes, t, d), any(&mut bytes, k, d));
            // L L' with a diagonal that is not 0, if tame.
            let lower = any(&mut bytes, k, 3);
            let full = Array3::from_shape_fn((k, d, d), |(j, a, b)| {
                let l = |a: usize, b: usize| match (a, b) {
                    (0, 0) => lower[[j, 0]].abs() + 0.25,
                    (1, 1) => lower[[j, 1]].abs() + 0.25,
                    (1, 0) => lower[[j, 2]] / 8.0,
                    _ => 0.0,
                };
                (0..d).map(|i| l(a, i) * l(b, i)).sum()
            });
            let log_b = |j: usize, x: &[f64]| {
                let s = |a: usize, b: usize| -> f64 { full[[j, a, b]] };
                let gap: Vec<f64> = (0..d).map(|i| x[i] - means[[j, i]]).collect();
                let (square, det) = if d == 1 {
                    (gap[0] * gap[0] / s(0, 0), s(0, 0))
                } else {
                    let det = s(0, 0) * s(1, 1) - s(0, 1) * s(1, 0);
                    // A difference without digits: nobody knows the density.
                    if det < 1e-6 * s(0, 0) * s(1, 1) {
                        return f64::NAN;
                    }
                    let sum = s(1, 1) * gap[0] * gap[0] - 2.0 * s(0, 1) * gap[0] * gap[1]
                        + s(0, 0) * gap[1] * gap[1];
                    (sum / det, det)
                };
                -0.5 * (square + d as f64 * (2.0 * std::f64::consts::PI).ln() + det.ln())
            };
            let emission = Gaussian::full(means.view(), full.view());
            ask(&mut bytes, (k, wild), &x, emission, log_b, gaussian_params);
        }
        _ => {
            let (x, means) = (any(&mut bytes, t, d), any(&mut bytes, 2 * k, d));
            let variances = any(&mut bytes, 2 * k, d).mapv(|v| v.abs() + f64::from(u8::from(!wild)) / 16.0);
            let weights = bytes.probabilities(k, 2);
            let log_b = |j: usize, x: &[f64]| {
                let component = |c: usize| {
                    let term = |i: usize| {
                        let (gap, variance) = (x[i] - means[[2 * j + c, i]], variances[[2 * j + c, i]]);
                        -0.5 * (gap * gap / variance + (2.0 * std::f64::consts::PI).ln() + variance.ln())
                    };
                    (0..d).map(term).sum::<f64>() + weights[[j, c]].ln()
                };
                sapwood::math::log_sum_exp(&[component(0), component(1)])
            };
            let components = Gaussian::diagonal(means.view(), variances.view());
            let emission = components.and_then(|components| GaussianMixture::new(weights.view(), components));
            ask(&mut bytes, (k, wild), &x, emission, log_b, |params, _| params);
        }
    }
}

fn gaussian_params(
    params: Params<HmmParams<Gaussian<f64>>>,
    bytes: &mut Bytes<'_>,
) -> Params<HmmParams<Gaussian<f64>>> {
    use Covariance::{Diagonal, Full, Spherical, Tied};
    params
        .covariance([Diagonal, Full, Spherical, Tied][bytes.below(4)])
        .covariance_floor(bytes.tame().abs() / 64.0)
}

/// Every path with the log of its joint probability.
fn enumerate<E: Emission<Float = f64>>(
    model: &Hmm<E>,
    x: &Array2<E::Elem>,
    log_b: &impl Fn(usize, &[E::Elem]) -> f64,
) -> Vec<(Vec<usize>, f64)> {
    let (k, t) = (model.n_states(), x.nrows());
    let rows: Vec<Vec<E::Elem>> = x.rows().into_iter().map(|row| row.to_vec()).collect();
    let table = Array2::from_shape_fn((t, k), |(t, j)| log_b(j, &rows[t]));
    (0..k.pow(t as u32))
        .map(|number| {
            let path: Vec<usize> = (0..t).map(|t| number / k.pow(t as u32) % k).collect();
            let steps = path.windows(2).map(|step| model.transition()[[step[0], step[1]]].ln()).sum::<f64>();
            let seen = path.iter().enumerate().map(|(t, &j)| table[[t, j]]).sum::<f64>();
            let log = model.initial()[path[0]].ln() + steps + seen;
            (path, log)
        })
        .collect()
}

fn ask<E: Emission<Float = f64>>(
    bytes: &mut Bytes<'_>,
    (k, wild): (usize, bool),
    x: &Array2<E::Elem>,
    emission: sapwood::Result<E>,
    log_b: impl Fn(usize, &[E::Elem]) -> f64,
    set: impl Fn(Params<HmmParams<E>>, &mut Bytes<'_>) -> Params<HmmParams<E>>,
) {
    let Ok(emission) = emission else { return };
    let (initial, transition) = (bytes.probabilities(1, k), bytes.probabilities(k, k));
    let model = Hmm::new(initial.row(0).to_owned(), transition, emission).expect("probabilities");
    let sequences = Sequences::single(x.view()).expect("a row");
    let Ok(score) = model.score(&sequences) else { return };
    assert!(!score.is_nan());
    let paths = enumerate(&model, x, &log_b);
    let logs: Vec<f64> = paths.iter().map(|path| path.1).collect();
    let expected = sapwood::math::log_sum_exp(&logs);
    // Where squares leave the range the two need not agree, but both must say something.
    if expected.abs() < 1e8 && !logs.iter().any(|log| log.is_nan()) {
        let near = |found: f64, expected: f64| (found - expected).abs() <= 1e-7 * expected.abs().max(1.0);
        assert!(near(score, expected), "{score} {expected} {model:?} {x:?}");
        let path = model.viterbi(&sequences).expect("possible");
        let best = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        assert!(near(path.log_probabilities[0], best), "{path:?} {best}");
        let posteriors = model.posteriors(&sequences).expect("possible");
        let filtered = model.filter(&sequences).expect("possible");
        for (row, filtered) in posteriors.rows().into_iter().zip(filtered.rows()) {
            assert!(
                (row.sum() - 1.0).abs() < 1e-9 && (filtered.sum() - 1.0).abs() < 1e-9,
                "{row} {filtered}"
            );
        }
        for ((t, j), &p) in posteriors.indexed_iter() {
            let through = paths.iter().filter(|path| path.0[t] == j).map(|path| (path.1 - expected).exp());
            assert!((p - through.sum::<f64>()).abs() < 1e-6, "{t} {j} {p} {model:?} {x:?}");
        }
        let ranked = &model.ranked_paths(&sequences, 3).expect("possible")[0];
        assert!(near(ranked[0].log_probability, best));
        let mut online = model.online();
        for row in x.rows() {
            online.step(&row.to_vec()).expect("possible");
        }
        assert!(near(online.log_likelihood(), expected));
    }
    if !wild && expected == f64::NEG_INFINITY {
        assert_eq!(score, expected, "{model:?} {x:?}");
    }

    // Two sequences, so that the end of one is not a step to the other.
    let cut = x.nrows() / 2;
    let lengths = if cut == 0 { vec![x.nrows()] } else { vec![cut, x.nrows() - cut] };
    let data = DatasetBase::new(Sequences::new(x.view(), lengths).expect("whole"), ());
    let states = 1 + bytes.below(3);
    let mut params = Hmm::<E>::params(states)
        .max_iter(1 + bytes.below(5))
        .tol(0.0)
        .n_init(1 + bytes.below(2))
        .seed(u64::from(bytes.byte()));
    if bytes.is() {
        params = params.start(Start::Random);
    }
    if bytes.is() {
        params = params.topology(Topology::LeftRight { max_jump: 1 });
    }
    if bytes.is() {
        params = params.transition_pseudo_count(bytes.number());
    }
    valid(set(params, bytes).fit(&data));
    let go_on = Hmm::<E>::params(k).start_from(model).max_iter(3);
    valid(set(go_on, bytes).fit(&data));
}

/// A fitted model has probabilities that sum to 1, and objectives that are numbers and go up but for rounding.
fn valid<E: Emission<Float = f64>>(fitted: sapwood::Result<Hmm<E>>) {
    let Ok(model) = fitted else { return };
    let sums_to_one = |row: Array1<f64>| {
        assert!(row.iter().all(|p| (0.0..=1.0 + 1e-12).contains(p)), "{model:?}");
        assert!((row.sum() - 1.0).abs() < 1e-9, "{model:?}");
    };
    sums_to_one(model.initial().to_owned());
    model.transition().rows().into_iter().for_each(|row| sums_to_one(row.to_owned()));
    let report = model.report().expect("of a fit");
    assert!(report.objectives.iter().all(|objective| !objective.is_nan()), "{model:?}");
}
