//! Published numbers, and long sequences against plain recursions.

use super::*;
use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::array;

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
    // The backward messages, each divided by its sum, as fractions.
    let backward = model.backward(&x).unwrap();
    let ahead = [6_611_763.0 / 11_162_530.0, 90_639.0 / 240_890.0, 4593.0 / 7030.0, 69.0 / 110.0, 0.5];
    assert!(backward.column(0).iter().zip(ahead).all(|(p, exact)| (p - exact).abs() < 1e-15));
    assert_column(&backward, &ahead);
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
    // From state 1 half of the ways go on to state 0, and what comes next decides; before the row at 1000 it is state 1 alone.
    let backward = model.backward(&sequences).unwrap();
    for (t, expected) in [(399, 0.5_f64), (398, 2.0 / 3.0), (300, 2.0 / 3.0), (299, 0.0), (298, 8.0 / 13.0)] {
        assert!((backward[[t, 0]] - expected).abs() < 1e-9, "{t} {}", backward.row(t));
    }
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
    let backward = model.backward(&x).unwrap();
    assert_eq!(backward.slice(ndarray::s![..3, 1]), array![1.0, 1.0, 1.0]);
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

/// State 1 has no share that a float could hold when its time comes, and no way leads back to it.
#[test]
fn a_state_that_is_too_improbable_for_a_float_comes_back() {
    let b = array![[0.999, 0.001], [0.001, 0.999]];
    let model = symbols(&[0.5, 0.5], array![[1.0, 0.0], [0.0, 1.0]], b);
    let x = column(&[vec![0; 400], vec![1; 600]].concat());
    let expected = 0.5_f64.ln() + 400.0 * 0.001_f64.ln() + 600.0 * 0.999_f64.ln();
    assert!(near(model.score(&x).unwrap(), expected, 1e-13));
    assert_eq!(model.filter(&x).unwrap().row(999), array![0.0, 1.0]);
    assert_eq!(model.posteriors(&x).unwrap().row(0), array![0.0, 1.0]);
    assert_eq!(model.backward(&x).unwrap().row(0), array![0.0, 1.0]);
    assert!(near(model.expected_sums(&x).unwrap().transitions[[1, 1]], 999.0, 1e-12));
    let mut online = model.online();
    for &symbol in x.records() {
        online.step(&[symbol]).unwrap();
    }
    assert!(near(online.log_likelihood(), expected, 1e-13) && online.probabilities()[1] == 1.0);
}

/// That it comes back is seen on the way back only, after blocks of rows that say nothing against the other state.
#[test]
fn rows_after_a_lost_state_wait_until_it_is_known_whether_it_matters() {
    let b = array![[0.999, 0.001], [0.001, 0.999]];
    let model = symbols(&[0.5, 0.5], array![[1.0, 0.0], [0.0, 1.0]], b);
    for n in (250..400).chain([513, 514, 641]) {
        let n_zeros = n / 2 - 3;
        let rows: Vec<usize> = (0..n).map(|t| usize::from(t >= n_zeros)).collect();
        let twice = column(&[&rows[..], &rows].concat());
        let x = Sequences::new(twice.records().view(), vec![n, n]).unwrap();
        let gaps = model.posteriors(&x).unwrap() - array![[0.0, 1.0]];
        assert!(gaps.iter().all(|gap| gap.abs() < 1e-12), "{n}");
        let sums = model.expected_sums(&x).unwrap();
        let expected = array![[0.0, 0.0], [0.0, 2.0 * (n - 1) as f64]];
        assert!((&sums.transitions - &expected).iter().all(|gap| gap.abs() < 1e-9), "{n} {sums:?}");
    }
}

/// A chain from left to right whose first states fade, until symbol 2 comes, which the last state hardly has: where it comes soon the proof goes on
/// between two bounds, later what was lost counts and all is done in logs.
#[test]
fn states_that_fade_are_right_whether_they_come_back_or_not() {
    let a = array![[0.5, 0.5, 0.0], [0.0, 0.5, 0.5], [0.0, 0.0, 1.0]];
    let b = array![[0.3, 0.2, 0.5], [0.5, 0.499, 0.001], [0.5, 0.5, 0.0]];
    for (n, back) in [(700, 1), (700, 600), (3000, 2999), (3000, 3001)] {
        let b = if back < n { b.clone() } else { array![[0.3, 0.7, 0.0], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0]] };
        let model = symbols(&[1.0, 0.0, 0.0], a.clone(), b);
        let rows: Vec<usize> = (0..n).map(|t| if t == back { 2 } else { t * t % 3 % 2 }).collect();
        let x = column(&rows);
        let (engine, mut work) = (model.engine(), Workspace::default());
        let observations = super::engine::Observations { x: &rows, known: &[] };
        let (mut gammas, mut steps) = (Array2::zeros((n, 3)), Array2::zeros((3, 3)));
        let score =
            engine.smooth_in_logs(observations, n, &mut work, steps.as_slice_mut(), |rows, gamma, _| {
                gammas.row_mut(rows.start).assign(&ArrayView1::from(gamma));
            });
        assert!(near(model.score(&x).unwrap(), score, 1e-12), "{n} {back}");
        let posteriors = model.posteriors(&x).unwrap();
        assert!((&posteriors - &gammas).iter().all(|gap| gap.abs() < 1e-9), "{n} {back}");
        let sums = model.expected_sums(&x).unwrap();
        assert!((&sums.transitions - &steps).iter().all(|gap| gap.abs() < 1e-8), "{n} {back}");
        // Filtered and backward probabilities are right if their product is.
        let product = model.filter(&x).unwrap() * model.backward(&x).unwrap();
        let mut lagged = model.fixed_lag(5).unwrap();
        for (t, row) in product.rows().into_iter().enumerate() {
            // What only one of the two can be, the other has too little of to be a number.
            if row.sum() > 0.0 {
                assert!(
                    (&row / row.sum() - gammas.row(t)).iter().all(|gap| gap.abs() < 1e-9),
                    "{n} {back} {t}"
                );
            }
            if let Some(smoothed) = lagged.step(&[rows[t]]).unwrap().filter(|_| t + 1 == n) {
                assert!((&smoothed - &gammas.row(n - 6)).iter().all(|gap| gap.abs() < 1e-9), "{n} {back}");
            }
        }
        assert!(near(lagged.filter().log_likelihood(), score, 1e-11), "{n} {back}");
    }
}
