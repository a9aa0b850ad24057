//! Random models against all paths, against logs, against their own draws.

use super::*;
use ndarray::array;
use proptest::prelude::*;
use rand::Rng;

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
        let (mut gammas, mut steps) = (Array2::zeros((n, k)), Array2::zeros((k, k)));
        let score = engine.smooth_in_logs(observations, n, &mut work, steps.as_slice_mut(), |rows, gamma, _| {
            gammas.row_mut(rows.start).assign(&ArrayView1::from(gamma));
        });
        prop_assert!(near(model.score(&sequences).unwrap(), score, 1e-11));
        let posteriors = model.posteriors(&sequences).unwrap();
        prop_assert!((&posteriors - &gammas).iter().all(|v| v.abs() < 1e-9));
        let sums = model.expected_sums(&sequences).unwrap();
        prop_assert!((&sums.transitions - &steps).iter().all(|v| v.abs() < 1e-8));
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

#[test]
fn ranked_paths_of_a_long_sequence_are_worth_what_is_said_of_them() {
    let model = random_symbols(6, 5, 77);
    let x = model.sample(3000, &mut Xoshiro256Plus::seed_from_u64(1)).0;
    let rows: Vec<usize> = x.iter().copied().collect();
    let paths = model.ranked_paths(&Sequences::single(x).unwrap(), 40).unwrap().remove(0);
    assert_eq!(paths.len(), 40);
    let b = model.emission.probabilities();
    for (i, path) in paths.iter().enumerate() {
        let mut log = model.initial[path.states[0]].ln();
        for (t, (&state, &symbol)) in path.states.iter().zip(&rows).enumerate() {
            log += b[[state, symbol]].ln();
            log += if t > 0 { model.transition[[path.states[t - 1], state]].ln() } else { 0.0 };
        }
        assert!(near(path.log_probability, log, 1e-11));
        assert!(
            paths[..i].iter().all(|p| p.states != path.states && p.log_probability >= path.log_probability)
        );
    }
}
