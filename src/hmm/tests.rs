use super::engine::Workspace;
use super::*;
use crate::observe::Progress;
use crate::params::Params;
use linfa::traits::{Fit, Predict};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{Array3, Axis, array, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;
use std::ops::ControlFlow;

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
        return;
    }
    assert!(near(score, all.ln(), 1e-12), "{score} {}", all.ln());
    let best = paths.iter().map(|path| path.1).fold(0.0, f64::max);
    let path = model.viterbi(&sequences).unwrap();
    assert!(near(path.log_probabilities[0], best.ln(), 1e-12));
    let found = paths.iter().find(|p| p.0 == path.states.to_vec()).unwrap();
    assert!(near(found.1, best, 1e-12));
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
    let mut steps = vec![0.0; model.n_states().pow(2)];
    let n = posteriors.nrows();
    engine.smooth_in_logs(observations, n, &mut work, Some(&mut steps), |rows, gamma, _| {
        for (p, expected) in gamma.iter().zip(posteriors.row(rows.start)) {
            assert!((p - expected).abs() < 1e-12);
        }
    });
    for ((step, a), n) in steps.iter().zip(&model.transition).zip(&sums.transitions) {
        assert!((step * a - n).abs() < 1e-11);
    }
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

#[test]
fn fever_has_its_published_numbers() {
    let model =
        symbols(&[0.6, 0.4], array![[0.7, 0.3], [0.4, 0.6]], array![[0.5, 0.4, 0.1], [0.1, 0.3, 0.6]]);
    let x = column(&[0, 1, 2]);
    assert!(near(model.score(&x).unwrap().exp(), 907.0 / 25000.0, 1e-15));
    let path = model.viterbi(&x).unwrap();
    assert_eq!(path.states, array![0, 0, 1]);
    assert!(near(path.log_probabilities[0].exp(), 189.0 / 12500.0, 1e-15));
    assert_column(&model.posteriors(&x).unwrap(), &[0.876_515_986_8, 0.622_932_745_3, 0.212_127_894_2]);
    assert_column(&model.filter(&x).unwrap(), &[0.882_352_941_2, 0.725_521_669_3, 0.212_127_894_2]);
}

#[test]
fn umbrella_world_has_its_published_numbers() {
    let model = symbols(&[0.5, 0.5], array![[0.7, 0.3], [0.3, 0.7]], array![[0.9, 0.1], [0.2, 0.8]]);
    let x = column(&[0, 0, 1, 0, 0]);
    assert!(near(model.score(&x).unwrap().exp(), 68_607_401.0 / 2e9, 1e-14));
    let filtered = [0.818_181_818_2, 0.883_357_041_3, 0.190_667_939_7, 0.730_794_004_6, 0.867_338_889_6];
    assert_column(&model.filter(&x).unwrap(), &filtered);
    let smoothed = [0.867_338_889_6, 0.820_419_053_6, 0.307_483_576, 0.820_419_053_6, 0.867_338_889_6];
    assert_column(&model.posteriors(&x).unwrap(), &smoothed);
}

#[test]
fn alice_and_bob_have_their_published_numbers() {
    let model =
        symbols(&[0.6, 0.4], array![[0.7, 0.3], [0.4, 0.6]], array![[0.1, 0.4, 0.5], [0.6, 0.3, 0.1]]);
    let x = column(&[0, 1, 2]);
    // State 0 is rainy: walk 0.1, shop 0.4, clean 0.5; state 1 is sunny.
    assert!(near(model.score(&x).unwrap().exp(), 8403.0 / 250_000.0, 1e-14));
    let path = model.viterbi(&x).unwrap();
    assert_eq!(path.states, array![1, 0, 0]);
    assert!(near(path.log_probabilities[0].exp(), 42.0 / 3125.0, 1e-14));
}

#[test]
fn dishonest_casino_has_its_published_numbers() {
    let mut loaded = [0.1; 6];
    loaded[5] = 0.5;
    let b = ndarray::stack![Axis(0), Array1::from_elem(6, 1.0 / 6.0), Array1::from(loaded.to_vec())];
    let model = symbols(&[0.5, 0.5], array![[0.95, 0.05], [0.1, 0.9]], b);
    let x = column(&[0, 1, 2, 5, 5, 5, 5, 3, 1, 5]);
    assert!(near(model.score(&x).unwrap(), -15.716_782_011_792_09, 1e-14));
    let path = model.viterbi(&x).unwrap();
    assert_eq!(path.states, Array1::from_elem(10, 1));
    assert!(near(path.log_probabilities[0], -16.620_053_189_250_34, 1e-14));
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

#[test]
fn earthquakes_follow_the_published_course_of_em() {
    let dataset = DatasetBase::new(column(&EARTHQUAKES), ());
    let fit = |rates: &[f64], rounds: usize| {
        let params = PoissonHmm::params(rates.len()).start_from(poisson_start(rates)).tol(0.0);
        params.max_iter(rounds).fit(&dataset).unwrap()
    };
    let two = fit(&[10.0, 30.0], 50);
    let course = &two.report().unwrap().objectives;
    for (round, expected) in
        [(0, 413.275_420), (1, 343.760_234), (2, 343.136_181), (30, 341.878_706), (50, 341.878_701)]
    {
        assert!((course[round] + expected).abs() < 1e-6, "{round}: {}", course[round]);
    }
    assert_eq!(two.report().unwrap().stop, Stop::RanOut);
    assert!((two.aic(&dataset.records).unwrap() - 693.757_4).abs() < 1e-4);
    assert!((two.bic(&dataset.records).unwrap() - 707.121_5).abs() < 1e-4);
    let once = fit(&[10.0, 30.0], 1);
    assert!((once.transition()[[0, 1]] - 0.138_815_587).abs() < 1e-9);
    assert!((once.transition()[[1, 0]] - 0.116_222_194).abs() < 1e-9);
    assert!((once.emission().rates()[[0, 0]] - 13.741_930).abs() < 1e-6);
    assert!((once.emission().rates()[[1, 0]] - 24.169_137).abs() < 1e-6);
    let three = fit(&[10.0, 20.0, 30.0], 30);
    let course = &three.report().unwrap().objectives;
    for (round, expected) in [(0, 342.907_808), (1, 332.121_430), (2, 330.636_888), (30, 328.527_483)] {
        assert!((course[round] + expected).abs() < 1e-6, "{round}: {}", course[round]);
    }
    assert!((three.aic(&dataset.records).unwrap() - 679.055_0).abs() < 1e-4);
    assert!((three.bic(&dataset.records).unwrap() - 708.456_1).abs() < 1e-4);
    let one = PoissonHmm::params(1).fit(&dataset).unwrap();
    assert!((one.score(&dataset.records).unwrap() + 391.918_928).abs() < 1e-6);
    assert!(one.report().unwrap().converged());
}

#[test]
fn outliers_and_impossible_steps_are_done_in_logs() {
    // State 0 cannot explain the outlier, state 1 cannot be reached: 60 and 100 deviations away.
    let emission = Gaussian::diagonal(array![[0.0], [1000.0]].view(), array![[1.0], [1.0]].view()).unwrap();
    let model = Hmm::new(array![1.0, 0.0], array![[1.0, 0.0], [0.5, 0.5]], emission).unwrap();
    let mut x = Array2::zeros((400, 1));
    x[[200, 0]] = 60.0;
    x[[300, 0]] = 1000.0;
    let sequences = Sequences::single(x).unwrap();
    let expected = -200.0 * (2.0 * std::f64::consts::PI).ln() - 0.5 * (60.0_f64.powi(2) + 1e6);
    assert!(near(model.score(&sequences).unwrap(), expected, 1e-13));
    assert!(model.posteriors(&sequences).unwrap().column(0).iter().all(|&p| p == 1.0));
    assert!(model.filter(&sequences).unwrap().column(0).iter().all(|&p| p == 1.0));
    let steps = model.expected_sums(&sequences).unwrap().transitions - array![[399.0, 0.0], [0.0, 0.0]];
    assert!(steps.iter().all(|v| v.abs() < 1e-7));
    assert_eq!(model.viterbi(&sequences).unwrap().states, Array1::<usize>::zeros(400));
}

#[test]
fn digits_lost_on_the_way_back_are_found_in_logs() {
    // Until the last row, state 1 is less likely by 1e-300 at each of three rows; the last row is possible there alone.
    let b = array![[1.0 - 1e-10, 1e-10, 0.0], [1e-250, 0.5, 0.5 - 1e-250]];
    let model = symbols(&[0.5, 0.5], array![[1.0, 0.0], [0.0, 1.0]], b);
    let x = Sequences::new(array![[0], [0], [0], [2], [1], [0]], vec![4, 2]).unwrap();
    let scores = model.log_likelihoods(&x).unwrap();
    assert!(near(scores[0], 3.0 * 1e-250_f64.ln() + 2.0 * 0.5_f64.ln(), 1e-13));
    let posteriors = model.posteriors(&x).unwrap();
    (0..4).for_each(|t| assert!((posteriors[[t, 1]] - 1.0).abs() < 1e-12));
    let sums = model.expected_sums(&x).unwrap();
    assert!((sums.transitions.sum() - 4.0).abs() < 1e-12);
    assert!((sums.initial.sum() - 2.0).abs() < 1e-12);
}

#[test]
fn a_million_steps_keep_their_digits() {
    let model = symbols(&[0.5, 0.5], array![[0.95, 0.05], [0.1, 0.9]], array![[0.5, 0.5], [0.1, 0.9]]);
    let x = Array2::from_shape_fn((1_000_000, 1), |(t, _)| usize::from(t % 7 != 0));
    let sequences = Sequences::single(x).unwrap();
    let score = model.score(&sequences).unwrap();
    // Plain scaling, a log at each step, in compensated sums.
    let (mut p, mut sum, mut low) = (model.initial.clone(), 0.0_f64, 0.0_f64);
    for (t, &symbol) in sequences.records().column(0).iter().enumerate() {
        if t > 0 {
            p = p.dot(&model.transition);
        }
        (0..2).for_each(|i| p[i] *= model.emission.probabilities()[[i, symbol]]);
        let mass = p.sum();
        p /= mass;
        let term = mass.ln() - low;
        let next = sum + term;
        low = (next - sum) - term;
        sum = next;
    }
    assert!((score - sum).abs() < 1e-11 * sum.abs(), "{score} {sum}");
    let sums = model.expected_sums(&sequences).unwrap();
    assert!((sums.transitions.sum() - 999_999.0).abs() < 1e-5);
    let path = model.viterbi(&sequences).unwrap();
    assert_eq!(path.states.len(), 1_000_000);
}

#[test]
fn em_never_goes_down_and_keeps_zeros() {
    let mut rng = Xoshiro256Plus::seed_from_u64(4);
    for covariance in [Covariance::Spherical, Covariance::Diagonal, Covariance::Full, Covariance::Tied] {
        let truth = random_gaussian(3, 2, covariance, 8);
        let (x, _) = truth.sample(600, &mut rng);
        let dataset = DatasetBase::new(Sequences::new(x, vec![250, 1, 349]).unwrap(), ());
        let params =
            GaussianHmm::params(3).covariance(covariance).topology(Topology::LeftRight { max_jump: 1 });
        let model = params.max_iter(20).tol(1e-6).fit(&dataset).unwrap();
        let report = model.report().unwrap();
        assert!(report.objectives.windows(2).all(|w| w[1] >= w[0] - 1e-9), "{:?}", report.objectives);
        assert_ne!(report.stop, Stop::WentDown);
        for (i, j) in [(0, 2), (1, 0), (2, 0), (2, 1)] {
            assert_eq!(model.transition()[[i, j]], 0.0);
        }
        assert_eq!(model.initial(), array![1.0, 0.0, 0.0]);
        assert!(near(report.objective(), model.score(&dataset.records).unwrap(), 1e-12));
    }
}

#[test]
fn clusters_find_the_states_of_well_separated_data() {
    let mut rng = Xoshiro256Plus::seed_from_u64(2);
    let emission =
        Gaussian::diagonal(array![[-5.0, 0.0], [0.0, 5.0], [5.0, 0.0]].view(), Array2::ones((3, 2)).view());
    let a = array![[0.9, 0.05, 0.05], [0.05, 0.9, 0.05], [0.05, 0.05, 0.9]];
    let truth = Hmm::new(array![0.4, 0.3, 0.3], a, emission.unwrap()).unwrap();
    let (x, states) = truth.sample(3000, &mut rng);
    let dataset = DatasetBase::new(Sequences::single(x).unwrap(), ());
    let model = GaussianHmm::params(3).fit(&dataset).unwrap().canonical().unwrap();
    let hits = model.predict(&dataset).iter().zip(&states).filter(|(a, b)| a == b).count();
    assert!(hits > 2950, "{hits}");
    assert!((&model.transition() - &truth.transition()).iter().all(|v: &f64| v.abs() < 0.05));
    let mixture = GaussianMixtureHmm::params(3).n_components(2).max_iter(5).fit(&dataset).unwrap();
    let objectives = &mixture.report().unwrap().objectives;
    assert!(objectives.windows(2).all(|w| w[1] >= w[0]));
    let hits =
        mixture.canonical().unwrap().predict(&dataset).iter().zip(&states).filter(|(a, b)| a == b).count();
    assert!(hits > 2900, "{hits}");
}

#[test]
fn known_states_are_counted() {
    let x = Sequences::new(array![[0], [1], [1], [2], [0]], vec![3, 2]).unwrap();
    let dataset = DatasetBase::new(x.clone(), array!["a", "b", "a", "b", "b"]);
    let model = CategoricalHmm::params(2).fit_supervised(&dataset).unwrap();
    assert_eq!(model.labels(), ["a", "b"]);
    assert_eq!(model.initial(), array![0.5, 0.5]);
    assert!((&model.transition() - &array![[0.0, 1.0], [0.5, 0.5]]).iter().all(|v| v.abs() < 1e-12));
    let b = model.emission().probabilities();
    assert!((b - array![[0.5, 0.5, 0.0], [1.0 / 3.0, 1.0 / 3.0, 1.0 / 3.0]]).iter().all(|v| v.abs() < 1e-12));
    // With one label hidden, the known rows still pull their states.
    let some = DatasetBase::new(x, array![Some("a"), Some("b"), None, Some("b"), Some("b")]);
    let model = CategoricalHmm::params(2).symbol_pseudo_count(0.1).fit_semi_supervised(&some).unwrap();
    assert!(model.report().unwrap().objectives.windows(2).all(|w| w[1] >= w[0] - 1e-12));
    let wrong = CategoricalHmm::params(3).fit_supervised(&dataset).unwrap_err().to_string();
    assert_eq!(wrong, "`n_states` must be 2 states, one for each label, got 3");
}

#[test]
fn missing_observations_say_nothing() {
    let model = random_symbols(3, 4, 5);
    let x = column(&[0, MISSING, 2, MISSING]);
    let by_hand = {
        let powers = model.transition.dot(&model.transition);
        let b = model.emission.probabilities();
        let first = &model.initial * &b.column(0);
        (first.dot(&powers) * b.column(2)).sum()
    };
    assert!(near(model.score(&x).unwrap(), by_hand.ln(), 1e-13));
    for covariance in [Covariance::Diagonal, Covariance::Full] {
        let model = random_gaussian(2, 2, covariance, 1);
        let gap = array![[0.5, 1.0], [f64::NAN, f64::NAN], [2.0, -1.0]];
        let sequences = Sequences::single(gap).unwrap();
        assert!(model.score(&sequences).unwrap().is_finite());
        let sums = model.expected_sums(&sequences).unwrap();
        assert!((sums.emission.weights.iter().sum::<f64>() - 2.0).abs() < 1e-12);
        assert!(sums.emission.second.iter().all(|v| v.is_finite()));
        let half = Sequences::single(array![[0.5, f64::NAN]]).unwrap();
        let error = model.score(&half).unwrap_err().to_string();
        assert_eq!(error, "`records` must be finite, got NaN in row 0, column 1");
    }
}

#[test]
fn sums_around_different_origins_merge() {
    for covariance in [Covariance::Diagonal, Covariance::Full] {
        let (one, other) = (random_gaussian(2, 3, covariance, 1), random_gaussian(2, 3, covariance, 2));
        let mut rng = Xoshiro256Plus::seed_from_u64(1);
        let x = one.sample(300, &mut rng).0;
        let gamma: Vec<f64> = (0..600).map(|i| f64::from(i % 5) / 5.0).collect();
        let rows = x.as_slice().unwrap();
        let mut direct = one.emission.sums();
        one.emission.accumulate(rows, &gamma, &mut direct, &mut Vec::new());
        let mut merged = one.emission.sums();
        one.emission.accumulate(&rows[..300], &gamma[..200], &mut merged, &mut Vec::new());
        let mut elsewhere = other.emission.sums();
        other.emission.accumulate(&rows[300..], &gamma[200..], &mut elsewhere, &mut Vec::new());
        Gaussian::merge(&mut merged, &elsewhere, 1.0);
        assert!((merged.first - direct.first).iter().all(|v: &f64| v.abs() < 1e-9));
        assert!((merged.second - direct.second).iter().all(|v: &f64| v.abs() < 1e-8));
    }
}

#[test]
fn singular_covariances_get_the_floor_and_are_reported() {
    // The second feature repeats the first: no full covariance is regular.
    let x =
        Array2::from_shape_fn((60, 2), |(t, _)| if t < 30 { (t % 5) as f64 } else { 50.0 + (t % 3) as f64 });
    let dataset = DatasetBase::new(Sequences::single(x).unwrap(), ());
    let params = GaussianHmm::params(2).covariance(Covariance::Full).covariance_floor(1e-3).tol(1e-6);
    let model = params.fit(&dataset).unwrap();
    assert_eq!(model.report().unwrap().floored, [0, 1]);
    assert!(model.score(&dataset.records).unwrap().is_finite());
    let constant = DatasetBase::new(Sequences::single(Array2::<f64>::ones((10, 1))).unwrap(), ());
    let model = GaussianHmm::params(1).fit(&constant).unwrap();
    assert_eq!(model.emission().covariances()[[0, 0, 0]], 1e-6);
    assert_eq!(model.report().unwrap().floored, [0]);
}

#[test]
fn an_unvisited_state_keeps_its_row_and_is_reported() {
    let start = symbols(&[1.0, 0.0], array![[1.0, 0.0], [0.3, 0.7]], array![[0.5, 0.5], [0.9, 0.1]]);
    let dataset = DatasetBase::new(column(&[0, 1, 1, 0]), ());
    let model = CategoricalHmm::params(2).start_from(start).fit(&dataset).unwrap();
    assert_eq!(model.report().unwrap().unvisited, [1]);
    assert_eq!(model.transition().row(1), array![0.3, 0.7]);
    assert_eq!(model.emission().probabilities().row(1), array![0.9, 0.1]);
}

#[test]
fn a_sequence_of_length_one_keeps_the_transitions() {
    let start = random_symbols(2, 3, 1);
    let dataset = DatasetBase::new(Sequences::new(array![[0], [1], [2]], vec![1, 1, 1]).unwrap(), ());
    let model = CategoricalHmm::params(2).start_from(start.clone()).max_iter(3).fit(&dataset).unwrap();
    assert_eq!(model.transition(), start.transition());
    assert!(near(model.initial().sum(), 1.0, 1e-15));
}

#[test]
fn the_observer_sees_and_stops_a_fit() {
    let dataset = DatasetBase::new(column(&EARTHQUAKES), ());
    let mut seen = Vec::new();
    let model = PoissonHmm::params(2).n_init(3).fit_observed(&dataset, &mut |progress: &Progress| {
        seen.push((progress.done, progress.objective));
        if progress.done == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    let model = model.unwrap();
    assert_eq!(seen.iter().map(|step| step.0).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(model.report().unwrap().stop, Stop::Observer);
    let first =
        PoissonHmm::params(2).fit_observed(&dataset, &mut |_: &Progress| ControlFlow::Break(())).unwrap();
    assert_eq!(first.report().unwrap().n_iter(), 0);
}

#[test]
fn the_same_seed_gives_the_same_bits_for_any_number_of_threads() {
    let truth = random_gaussian(4, 3, Covariance::Full, 3);
    let mut rng = Xoshiro256Plus::seed_from_u64(3);
    let x = truth.sample(20_000, &mut rng).0;
    let dataset = DatasetBase::new(Sequences::new(x, vec![1000; 20]).unwrap(), ());
    let fit = || {
        let params = GaussianHmm::params(4).covariance(Covariance::Full).max_iter(3);
        let model = params.fit(&dataset).unwrap();
        let posteriors = model.posteriors(&dataset.records).unwrap();
        (model, posteriors)
    };
    let one = crate::with_threads(1, fit);
    for threads in [2, 3] {
        assert!(crate::with_threads(threads, fit) == one);
    }
}

#[test]
fn single_precision_is_close_to_double() {
    let double = random_gaussian(5, 3, Covariance::Diagonal, 6);
    let mut rng = Xoshiro256Plus::seed_from_u64(1);
    let x = double.sample(2000, &mut rng).0;
    let narrow = |v: &Array2<f64>| v.mapv(|v| v as f32);
    let variances = Array2::from_shape_fn((5, 3), |(k, i)| double.emission.covariances()[[k, i, i]] as f32);
    let emission = Gaussian::diagonal(narrow(&double.emission.means().to_owned()).view(), variances.view());
    let mut a = narrow(&double.transition);
    a.rows_mut().into_iter().for_each(|mut row| row /= row.sum());
    let single = Hmm::new(double.initial.mapv(|v| v as f32), a, emission.unwrap()).unwrap();
    let (x32, x64) = (Sequences::single(narrow(&x)).unwrap(), Sequences::single(x).unwrap());
    let (s, d) = (single.score(&x32).unwrap(), double.score(&x64).unwrap());
    assert!(near(s, d, 1e-5), "{s} {d}");
    let (s, d) = (single.posteriors(&x32).unwrap(), double.posteriors(&x64).unwrap());
    assert!(s.iter().zip(&d).all(|(s, d)| (f64::from(*s) - d).abs() < 1e-3));
    let (s, d) = (single.viterbi(&x32).unwrap(), double.viterbi(&x64).unwrap());
    assert!(s.states.iter().zip(&d.states).filter(|(a, b)| a != b).count() < 3);
    let dataset = DatasetBase::new(x32, ());
    assert!(
        GaussianHmm::<f32>::params(5).fit(&dataset).unwrap().score(&dataset.records).unwrap().is_finite()
    );
}

#[test]
fn any_layout_gives_the_same_answers() {
    let model = random_gaussian(3, 2, Covariance::Full, 2);
    let mut rng = Xoshiro256Plus::seed_from_u64(1);
    let x = model.sample(50, &mut rng).0;
    let expected = model.score(&Sequences::single(x.view()).unwrap()).unwrap();
    let turned = x.t().as_standard_layout().into_owned();
    assert_eq!(model.score(&Sequences::single(turned.t()).unwrap()).unwrap(), expected);
    let mut backwards = x.clone();
    backwards.invert_axis(Axis(0));
    let again = backwards.as_standard_layout().into_owned();
    assert_eq!(model.score(&Sequences::single(again.slice(s![..;-1, ..])).unwrap()).unwrap(), expected);
    let one = array![[0.5, 0.5]];
    let repeated = one.broadcast((10, 2)).unwrap();
    assert!(model.score(&Sequences::single(repeated).unwrap()).unwrap().is_finite());
}

#[test]
fn wrong_input_is_a_named_error() {
    let model = random_symbols(2, 3, 1);
    let error = model.score(&column(&[0, 3])).unwrap_err().to_string();
    assert_eq!(error, "`records` must be symbols below 3, got 3");
    let wide = Sequences::single(array![[0, 1]]).unwrap();
    let error = model.viterbi(&wide).unwrap_err().to_string();
    assert_eq!(error, "`records` must have 1 columns, as the model was fitted on, got 2");
    let b = || Categorical::new(array![[0.5, 0.5], [1.0, 0.0]].view()).unwrap();
    let make = |initial: Array1<f64>, a: Array2<f64>| Hmm::new(initial, a, b()).unwrap_err().to_string();
    let (half, even) = (array![0.5, 0.5], array![[0.5, 0.5], [0.5, 0.5]]);
    assert!(make(half.clone(), array![[0.5, 0.6], [0.5, 0.5]]).contains("got a sum of 1.1"));
    assert!(make(half.clone(), array![[1.5, -0.5], [0.5, 0.5]]).contains("at least 0, got -0.5"));
    assert!(make(half, array![[f64::NAN, 0.5], [0.5, 0.5]]).contains("got NaN"));
    assert!(make(array![1.0], even.clone()).contains("one entry for each of the 2 states, got 1"));
    assert!(make(array![0.5, 0.5], Array2::zeros((2, 3))).contains("got 2 x 3"));
    assert!(Categorical::new(Array2::<f64>::zeros((0, 2)).view()).is_err());
    assert!(Poisson::new(array![[0.0]].view()).is_err());
    assert!(Gaussian::full(array![[0.0, 0.0]].view(), Array3::zeros((1, 2, 2)).view()).is_err());
    assert!(Gaussian::diagonal(array![[f64::NAN]].view(), array![[1.0]].view()).is_err());
    assert!(Gaussian::diagonal(array![[0.0]].view(), array![[-1.0]].view()).is_err());

    let dataset = DatasetBase::new(column(&[0, 1, 2]), ());
    let fails = |params: Params<HmmParams<Categorical>>| params.fit(&dataset).unwrap_err().to_string();
    assert_eq!(fails(CategoricalHmm::params(0)), "`n_states` must be at least 1, got 0");
    assert!(fails(CategoricalHmm::params(4)).contains("at most the number of observations, got 4"));
    assert!(fails(CategoricalHmm::params(usize::MAX)).contains("at most 8192"));
    assert!(fails(CategoricalHmm::params(2).max_iter(0)).contains("`max_iter` must be at least 1"));
    assert!(fails(CategoricalHmm::params(2).n_init(0)).contains("`n_init`"));
    assert!(fails(CategoricalHmm::params(2).tol(f64::NAN)).contains("`tol`"));
    assert!(fails(CategoricalHmm::params(2).n_symbols(2)).contains("got 2"));
    assert!(fails(CategoricalHmm::params(2).n_symbols(0)).contains("`n_symbols`"));
    assert!(
        fails(CategoricalHmm::params(2).transition_pseudo_count(-1.0)).contains("`transition_pseudo_count`")
    );
    assert!(fails(CategoricalHmm::params(2).start_from(random_symbols(3, 3, 1))).contains("start_from"));
    assert!(ParamGuard::check(GaussianHmm::<f64>::params(2).covariance_floor(0.0)).is_err());
    assert!(ParamGuard::check(PoissonHmm::params(2).rate_floor(f64::NAN)).is_err());
    assert!(ParamGuard::check(PoissonHmm::params(2).rate_prior(0.5, 0.0)).is_err());
    assert!(ParamGuard::check(GaussianMixtureHmm::<f64>::params(2).n_components(0)).is_err());

    let huge = DatasetBase::new(Sequences::single(array![[1e308], [-1e308], [1.0]]).unwrap(), ());
    assert!(GaussianHmm::params(1).fit(&huge).is_err());
    for bad in [f64::INFINITY, f64::NEG_INFINITY] {
        let infinite = DatasetBase::new(Sequences::single(array![[0.0], [bad]]).unwrap(), ());
        let error = GaussianHmm::params(1).fit(&infinite).unwrap_err().to_string();
        assert!(error.contains("in row 1, column 0"), "{error}");
    }
    let stray = DatasetBase::new(column(&[0, 1 << 60]), ());
    assert!(CategoricalHmm::params(1).fit(&stray).is_err() && PoissonHmm::params(1).fit(&stray).is_err());
    let tiny = DatasetBase::new(Sequences::single(array![[5e-324], [0.0], [1e-310]]).unwrap(), ());
    assert!(GaussianHmm::params(1).fit(&tiny).unwrap().score(&tiny.records).unwrap().is_finite());
    let model = random_gaussian(2, 1, Covariance::Diagonal, 1);
    let far = Sequences::single(array![[1e300]]).unwrap();
    assert_eq!(model.score(&far).unwrap(), f64::NEG_INFINITY);
    let mut online = model.online();
    assert!(online.step(&[1e300]).is_err() && online.step(&[0.0, 0.0]).is_err());
    assert!(online.step(&[0.0]).is_ok() && online.n_steps() == 1);
    assert!(model.fixed_lag(usize::MAX).is_err());
    assert!(model.reordered(&[0, 0]).is_err());
    let nothing: Array1<usize> = model.predict(&Array2::<f64>::zeros((0, 1)));
    assert!(nothing.is_empty());
}

#[test]
fn impossible_sequences_are_named() {
    let model = symbols(&[1.0, 0.0], array![[1.0, 0.0], [0.5, 0.5]], array![[1.0, 0.0], [0.5, 0.5]]);
    let x = Sequences::new(array![[0], [0], [1], [0]], vec![1, 2, 1]).unwrap();
    assert_eq!(model.log_likelihoods(&x).unwrap(), array![0.0, f64::NEG_INFINITY, 0.0]);
    let message = "`records` must have a probability above 0 under the model, got the impossible sequence 1";
    assert_eq!(model.viterbi(&x).unwrap_err().to_string(), message);
    assert_eq!(model.posteriors(&x).unwrap_err().to_string(), message);
    let dataset = DatasetBase::new(x, ());
    let error = CategoricalHmm::params(2).start_from(model).fit(&dataset).unwrap_err();
    assert_eq!(error.to_string(), message);
}

#[test]
fn reordered_states_are_the_same_model() {
    let model = random_gaussian(4, 2, Covariance::Full, 11);
    let mut rng = Xoshiro256Plus::seed_from_u64(1);
    let (x, states) = model.sample(100, &mut rng);
    assert_eq!(states.len(), 100);
    let sequences = Sequences::single(x).unwrap();
    let canonical = model.canonical().unwrap();
    let means = canonical.emission().means().column(0).to_vec();
    assert!(means.is_sorted());
    assert!(near(model.score(&sequences).unwrap(), canonical.score(&sequences).unwrap(), 1e-12));
    let order = |key: usize| means.iter().filter(|&&m| m < model.emission.means()[[key, 0]]).count();
    assert_eq!(model.predict(&sequences).mapv(order), canonical.predict(&sequences));
}

#[test]
fn draws_have_the_moments_of_their_states() {
    let mut rng = Xoshiro256Plus::seed_from_u64(21);
    let model = random_gaussian(1, 2, Covariance::Full, 4);
    let x = model.sample(50_000, &mut rng).0;
    let mean = x.mean_axis(Axis(0)).unwrap();
    assert!((&mean - &model.emission.means().row(0)).iter().all(|v| v.abs() < 0.03));
    let centred = x - mean;
    let covariance = centred.t().dot(&centred) / 50_000.0;
    let expected = model.emission.covariances();
    assert!((covariance - expected.index_axis(Axis(0), 0)).iter().all(|v| v.abs() < 0.05));
    for rate in [0.3, 7.0, 2000.0, 1e7] {
        let model =
            Hmm::new(array![1.0], array![[1.0]], Poisson::new(array![[rate]].view()).unwrap()).unwrap();
        let x = model.sample(2000, &mut rng).0;
        let mean = x.mapv(|v| v as f64).mean().unwrap();
        assert!((mean - rate).abs() < 5.0 * (rate / 2000.0).sqrt(), "{rate} {mean}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn symbols_agree_with_all_paths(k in 1_usize..5, n in 1_usize..6, seed in 0_u64..10_000) {
        let model = random_symbols(k, 3, seed);
        let mut rng = Xoshiro256Plus::seed_from_u64(seed);
        let x = Array2::from_shape_simple_fn((n, 1), || rng.gen_range(0..3));
        check_against_enumeration(&model, x);
    }

    #[test]
    fn measurements_agree_with_all_paths(
        k in 1_usize..4, n in 1_usize..5, d in 1_usize..4, shape in 0_usize..4, seed in 0_u64..10_000,
    ) {
        let shapes = [Covariance::Spherical, Covariance::Diagonal, Covariance::Full, Covariance::Tied];
        let model = random_gaussian(k, d, shapes[shape], seed);
        let x = model.sample(n, &mut Xoshiro256Plus::seed_from_u64(seed)).0;
        check_against_enumeration(&model, x);
    }

    #[test]
    fn long_sequences_agree_with_logs(k in 1_usize..40, n in 1_usize..400, seed in 0_u64..10_000) {
        let model = random_symbols(k, 5, seed);
        let x = model.sample(n, &mut Xoshiro256Plus::seed_from_u64(seed)).0;
        let rows: Vec<usize> = x.iter().copied().collect();
        let sequences = Sequences::single(x).unwrap();
        let engine = model.engine();
        let mut work = Workspace::default();
        let observations = super::engine::Observations { x: &rows, known: &[] };
        let (mut gammas, mut steps) = (Array2::zeros((n, k)), vec![0.0; k * k]);
        let score = engine.smooth_in_logs(observations, n, &mut work, Some(&mut steps), |rows, gamma, _| {
            gammas.row_mut(rows.start).assign(&ArrayView1::from(gamma));
        });
        prop_assert!(near(model.score(&sequences).unwrap(), score, 1e-11));
        let posteriors = model.posteriors(&sequences).unwrap();
        prop_assert!((&posteriors - &gammas).iter().all(|v| v.abs() < 1e-9));
        let sums = model.expected_sums(&sequences).unwrap();
        let logs = Array2::from_shape_vec((k, k), steps).unwrap() * &model.transition;
        prop_assert!((&sums.transitions - &logs).iter().all(|v| v.abs() < 1e-8));
        // The path is worth what is said of it.
        let path = model.viterbi(&sequences).unwrap();
        let b = model.emission.probabilities();
        let mut log = model.initial[path.states[0]].ln();
        for (t, (&state, &symbol)) in path.states.iter().zip(&rows).enumerate() {
            log += b[[state, symbol]].ln();
            if t > 0 {
                log += model.transition[[path.states[t - 1], state]].ln();
            }
        }
        prop_assert!(near(path.log_probabilities[0], log, 1e-11));
    }
}
