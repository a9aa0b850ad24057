use super::*;
use crate::data::Sequences;
use crate::linfa::traits::Fit;
use crate::linfa::{DatasetBase, ParamGuard};
use ndarray::{array, s};
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

fn chain(matrix: &Array2<f64>) -> MarkovChain {
    let n = matrix.nrows();
    MarkovChain::from_matrix((0..n).collect(), &vec![1.0 / n as f64; n], matrix.view()).unwrap()
}

fn close(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-12 * b.abs().max(1.0)
}

/// A dense random chain whose rows hold some zeros; irreducible through its ring.
fn random(n: usize, seed: u64) -> Array2<f64> {
    let mut rng = Xoshiro256Plus::seed_from_u64(seed);
    let mut p = Array2::from_shape_simple_fn((n, n), || {
        let v: f64 = rng.r#gen();
        if v < 0.5 { 0.0 } else { v * v }
    });
    for i in 0..n {
        p[[i, (i + 1) % n]] += 0.1;
        let sum = p.row(i).sum();
        p.row_mut(i).mapv_inplace(|v| v / sum);
    }
    p
}

#[test]
fn rabiners_weather_has_its_published_numbers() {
    let weather = chain(&array![[0.4, 0.3, 0.3], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]]);
    let given_sun = MarkovChain { initial: vec![0.0, 0.0, 1.0], ..weather.clone() };
    let week = Sequences::single(array![[2], [2], [2], [0], [0], [2], [1], [2]]).unwrap();
    assert!(close(given_sun.log_likelihood(&week).unwrap(), (12.0_f64 / 78125.0).ln()));
    let durations = weather.expected_durations();
    assert!(close(durations[0], 5.0 / 3.0) && close(durations[1], 2.5) && close(durations[2], 5.0));
    let pi = weather.stationary().unwrap();
    assert!((pi - array![2.0 / 11.0, 3.0 / 11.0, 6.0 / 11.0]).iter().all(|v| v.abs() < 1e-15));
    assert!(close(weather.entropy_rate().unwrap(), 1.162_392_867_417_956));
}

#[test]
fn markovs_count_of_onegin_has_its_published_numbers() {
    let table = array![[1104, 7534], [7535, 3827]];
    let counts = TransitionCounts::from_table(vec!["v", "c"], vec![0, 1], table.view()).unwrap();
    let onegin = MarkovChain::from_counts(&counts, 0.0).unwrap();
    assert!((onegin.probability(&"v", &"v").unwrap() - 0.127_807_362_8).abs() < 1e-10);
    assert!((onegin.probability(&"c", &"v").unwrap() - 0.663_175_497_3).abs() < 1e-10);
    assert!((onegin.stationary().unwrap()[0] - 0.431_932_565_5).abs() < 1e-10);
    let test = counts.test_independence().unwrap();
    assert!((test.g_squared - 6_232.915_759).abs() < 1e-6);
    assert_eq!(test.degrees_of_freedom, 1);
}

#[test]
fn both_ways_to_the_order_test_agree() {
    let mut rng = Xoshiro256Plus::seed_from_u64(3);
    let labels = chain(&random(4, 1)).sample(500, &mut rng).insert_axis(ndarray::Axis(1));
    let sequences = Sequences::new(labels, vec![1, 199, 300]).unwrap();
    let test = OrderTest::new(&sequences, 0).unwrap();
    let counted = TransitionCounts::new(&sequences).unwrap().test_independence().unwrap();
    assert!(close(test.g_squared, counted.g_squared));
    assert_eq!(test.degrees_of_freedom, counted.degrees_of_freedom);
    // The chain is of order 1, so the test of 1 against 2 must not be sure.
    assert!(test.p_value < 1e-6 && OrderTest::new(&sequences, 1).unwrap().p_value > 1e-3);
    assert!(OrderTest::new(&sequences, usize::MAX).is_err());
}

#[test]
fn counts_of_parts_add_up_to_the_counts_of_the_whole() {
    let labels = array![["b"], ["a"], ["a"], ["c"], ["b"], ["b"], ["c"]];
    let whole = TransitionCounts::new(&Sequences::new(labels.view(), vec![3, 4]).unwrap()).unwrap();
    let part = |range: std::ops::Range<usize>| {
        TransitionCounts::new(&Sequences::single(labels.slice(s![range, ..])).unwrap()).unwrap()
    };
    let mut sum = part(0..3);
    sum += part(3..7);
    assert_eq!(sum, whole);
    let turned = part(3..7) + part(0..3);
    assert_eq!(turned.states(), ["b", "c", "a"]);
    assert_eq!(turned.count(&"a", &"a"), 1);
    assert_eq!(turned.total(), whole.total());
}

/// Found by fuzzing: one over a probability that is nearly 0 is no number, but the shares of time are.
#[test]
fn states_that_are_left_hardly_ever_have_all_the_time() {
    let never = f64::from_bits(1);
    let p = array![[1.0, never, 0.0], [1.0, 0.0, never], [0.0, 0.0, 1.0]];
    let back = array![[0.0, 1.0, 0.0], [0.5, 0.0, 0.5], [0.0, never, 1.0]];
    let time = chain(&back).stationary().unwrap();
    assert!(time[0] < 1e-300 && time[1] < 1e-300 && time[2] == 1.0, "{time}");
    assert_eq!(chain(&p).stationary().unwrap(), array![0.0, 0.0, 1.0]);
    // Nor do squares that vanish make eigenvalues NaN.
    let tiny = array![
        [0.5, 1e-200, 0.5, 0.0],
        [1e-200, 0.5, 1e-200, 0.5],
        [1e-200, 1e-200, 1.0, 0.0],
        [0.5, 1e-200, 1e-200, 0.5]
    ];
    assert!(chain(&tiny).eigenvalues().unwrap().iter().all(|v| v.0.hypot(v.1) <= 1.0 + 1e-12));
    // Nor do steps that vanish leave an eigenvalue outside of the unit circle; to the last digit they are those of the chain without these steps.
    let with = |t: f64| {
        chain(&array![
            [t, t, t, t, 1.0, t],
            [t, t, t, t, t, 1.0],
            [0.0, 0.25, 0.5, 0.25, 0.0, 0.0],
            [t, t, t, t, t, 1.0],
            [0.0, 0.0, 0.5, 0.0, 0.5, 0.0],
            [0.0, 0.0, 1.0, 0.0, 0.0, 0.0]
        ])
    };
    let without = with(0.0).eigenvalues().unwrap();
    for tiny in [never, 1e-200, 1e-30, 1e-18] {
        let values = with(tiny).eigenvalues().unwrap();
        let near = |(a, b): (&(f64, f64), &(f64, f64))| (a.0 - b.0).hypot(a.1 - b.1) < 1e-7;
        assert!((values[0].0 - 1.0).abs() < 1e-14 && values.iter().zip(&without).all(near), "{values:?}");
    }
    let both = array![[1.0, never], [never, 1.0]];
    assert_eq!(chain(&both).stationary().unwrap(), array![0.5, 0.5]);
}

/// Found by fuzzing: the way out is there, but its probability is no number.
#[test]
fn a_way_out_below_the_range_of_numbers_is_an_error() {
    let never = f64::from_bits(1);
    let hidden = array![
        [2.0 / 3.0, 0.0, 0.0, 1.0 / 3.0, 0.0],
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [0.0, 0.0, 1.0, 0.0, 0.0],
        [0.0, 1.0 / 3.0, 0.0, 1.0 / 3.0, 1.0 / 3.0],
        [never, never, never, 1.0, never]
    ];
    let far = array![[1.0, 1e-200, 0.0], [1.0, 0.0, 1e-200], [0.0, 0.0, 1.0]];
    for p in [hidden, far] {
        let chain = chain(&p);
        assert!(chain.absorption().unwrap_err().to_string().contains("a probability above 1e-308"));
        assert!(chain.hitting_times(&[2]).is_err() && chain.hitting_probabilities(&[2]).is_err());
    }
    assert!(chain(&array![[1.0, never], [0.0, 1.0]]).absorption().is_err());
    // The least probability that has all its digits.
    let once = chain(&array![[1.0, f64::MIN_POSITIVE], [0.0, 1.0]]).absorption().unwrap();
    assert_eq!((once.steps[0], once.probabilities[[0, 0]]), (1.0 / f64::MIN_POSITIVE, 1.0));
    assert_eq!(once.steps_variance()[0], f64::INFINITY);
    // Four ways out, each of them the smallest number: which is taken how often is lost.
    let ways = array![
        [1.0, 0.0, 0.0, 0.0, 0.0],
        [never, 1.0, never, never, never],
        [0.2, 0.2, 0.2, 0.2, 0.2],
        [1.0, never, never, never, never],
        [0.0, 0.0, 0.0, 0.0, 1.0]
    ];
    assert!(chain(&ways).absorption().is_err());
    // To and fro: the times are without end, and their shares are no numbers.
    let both = chain(&array![[1.0, never], [never, 1.0]]);
    assert!(both.first_passage_times().map_or(true, |m| m.iter().all(|steps| !steps.is_nan())));
}

#[test]
fn pseudo_counts_are_a_dirichlet_prior() {
    let sequences = Sequences::single(array![[0], [0], [1]]).unwrap();
    let dataset = DatasetBase::new(sequences, ());
    let model = MarkovChain::params().states(vec![0, 1, 2]).pseudo_count(0.5).fit(&dataset).unwrap();
    assert!(close(model.probability(&0, &1).unwrap(), 1.5 / 3.5));
    assert!(close(model.probability(&2, &1).unwrap(), 1.0 / 3.0));
    assert!(close(model.initial()[0], 1.5 / 2.5));
    assert!(model.is_ergodic());
}

#[test]
fn a_state_that_was_never_left_stays() {
    let sequences = Sequences::single(array![[0], [0], [1]]).unwrap();
    let model = MarkovChain::params().fit(&DatasetBase::new(sequences, ())).unwrap();
    assert_eq!(model.never_left(), [1]);
    assert_eq!(model.absorbing_states(), [1]);
    assert_eq!(model.matrix().unwrap(), array![[0.5, 0.5], [0.0, 1.0]]);
}

#[test]
fn classes_and_periods_of_a_mixed_chain() {
    let mut p = Array2::<f64>::zeros((7, 7));
    // 0 is left at once; 1 and 2 are transient together; 3 absorbs; 4, 5, 6 go round.
    for (i, j, v) in [(0, 1, 1.0), (1, 2, 1.0), (2, 1, 0.5), (2, 3, 0.25), (2, 4, 0.25), (3, 3, 1.0)] {
        p[[i, j]] = v;
    }
    for (i, j) in [(4, 5), (5, 6), (6, 4)] {
        p[[i, j]] = 1.0;
    }
    let chain = chain(&p);
    let classes = chain.classes();
    let seen: Vec<_> = classes.iter().map(|c| (c.states.clone(), c.is_recurrent, c.period)).collect();
    let expected =
        vec![(vec![0], false, 0), (vec![1, 2], false, 2), (vec![3], true, 1), (vec![4, 5, 6], true, 3)];
    assert_eq!(seen, expected);
    assert_eq!(chain.transient_states(), [0, 1, 2]);
    assert_eq!(chain.recurrent_states(), [3, 4, 5, 6]);
    assert_eq!(chain.absorbing_states(), [3]);
    assert!(!chain.is_irreducible() && !chain.is_ergodic());
    let stationary = chain.stationary_distributions();
    assert_eq!(stationary.len(), 2);
    assert_eq!(stationary[0].probabilities, [1.0]);
    assert!(stationary[1].probabilities.iter().all(|&p| close(p, 1.0 / 3.0)));
    assert!(chain.stationary().is_err());
    // Half of the chain's ways end in 3; from there 4 is never reached.
    assert_eq!(chain.hitting_probabilities(&[4]).unwrap(), array![0.5, 0.5, 0.5, 0.0, 1.0, 1.0, 1.0]);
    let times = chain.hitting_times(&[4]).unwrap();
    assert!(times[0].is_infinite() && times[3].is_infinite());
    assert_eq!(times.slice(s![4..]), array![0.0, 2.0, 1.0]);
    assert_eq!(chain.hitting_times(&[3, 4]).unwrap()[1], 4.0);
    assert!(chain.mixing_time(0.25).is_err() && chain.first_passage_times().is_err());
    assert!(close(chain.spectral_gap().unwrap(), 0.0));
}

#[test]
fn gamblers_ruin_has_its_fractions() {
    let mut p = Array2::<f64>::zeros((5, 5));
    (p[[0, 0]], p[[4, 4]]) = (1.0, 1.0);
    for i in 1..4 {
        (p[[i, i - 1]], p[[i, i + 1]]) = (0.5, 0.5);
    }
    let chain = chain(&p);
    let ruin = chain.absorption().unwrap();
    assert_eq!(ruin.transient, [1, 2, 3]);
    assert_eq!(ruin.steps, array![3.0, 4.0, 3.0]);
    assert_eq!(ruin.probabilities, array![[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]]);
    assert_eq!(ruin.visits, array![[1.5, 1.0, 0.5], [1.0, 2.0, 1.0], [0.5, 1.0, 1.5]]);
    assert_eq!(ruin.steps_variance(), array![8.0, 8.0, 8.0]);
    assert_eq!(chain.committor(&[0], &[4]).unwrap(), array![0.0, 0.25, 0.5, 0.75, 1.0]);
    assert_eq!(chain.reward_until_absorption(&[1.0; 5]).unwrap(), ruin.steps);
}

#[test]
fn first_passage_times_solve_their_equation() {
    for n in [1, 2, 5, 20] {
        let p = random(n, n as u64);
        let chain = chain(&p);
        let m = chain.first_passage_times().unwrap();
        for j in 0..n {
            for i in 0..n {
                let rest: f64 = (0..n).filter(|&k| k != j).map(|k| p[[i, k]] * m[[k, j]]).sum();
                assert!((m[[i, j]] - 1.0 - rest).abs() < 1e-10 * m[[i, j]], "{n} {i} {j}");
            }
            if n > 1 {
                let direct = chain.hitting_times(&[j]).unwrap();
                (0..n).filter(|&i| i != j).for_each(|i| assert!((direct[i] / m[[i, j]] - 1.0).abs() < 1e-10));
            }
        }
        // Kemeny's constant is the same from every start, and 1 / (1 - eigenvalue) sums to it.
        let pi = chain.stationary().unwrap();
        let kemeny = chain.kemeny_constant().unwrap();
        for i in 0..n {
            let from: f64 = (0..n).filter(|&j| j != i).map(|j| pi[j] * m[[i, j]]).sum();
            assert!((from - kemeny).abs() < 1e-9 * kemeny.max(1.0));
        }
        let spectrum: f64 = chain.eigenvalues().unwrap()[1..]
            .iter()
            .map(|&(re, im)| (1.0 - re) / ((1.0 - re).powi(2) + im * im))
            .sum();
        assert!((spectrum - kemeny).abs() < 1e-9 * kemeny.max(1.0), "{n}: {spectrum} {kemeny}");
    }
}

#[test]
fn eigenvalues_of_a_ring_are_the_roots_of_unity() {
    for n in [2, 3, 4, 7, 12] {
        let ring = Array2::from_shape_fn((n, n), |(i, j)| f64::from((i + 1) % n == j));
        let values = chain(&ring).eigenvalues().unwrap();
        assert_eq!(values.len(), n);
        for k in 0..n {
            let angle = 2.0 * std::f64::consts::PI * k as f64 / n as f64;
            let found = values.iter().any(|v| (v.0 - angle.cos()).hypot(v.1 - angle.sin()) < 1e-10);
            assert!(found, "n {n}, root {k}: {values:?}");
        }
    }
}

#[test]
fn mixing_time_is_the_first_power_that_is_near_enough() {
    for n in [2, 3, 6] {
        let p = random(n, 40 + n as u64) * 0.8 + Array2::<f64>::eye(n) * 0.2;
        let chain = chain(&p);
        let pi = chain.stationary().unwrap();
        let mut power = Array2::<f64>::eye(n);
        let mut expected = 0;
        let far = |power: &Array2<f64>| {
            power.rows().into_iter().any(|row| (&row - &pi).mapv(f64::abs).sum() / 2.0 > 0.01)
        };
        while far(&power) {
            power = power.dot(&p);
            expected += 1;
        }
        assert_eq!(chain.mixing_time(0.01).unwrap(), expected);
    }
    assert!(chain(&array![[0.0, 1.0], [1.0, 0.0]]).mixing_time(0.25).is_err());
}

#[test]
fn birth_and_death_is_reversible_and_a_bent_ring_is_not() {
    assert!(chain(&array![[0.5, 0.5, 0.0], [0.25, 0.5, 0.25], [0.0, 0.5, 0.5]]).is_reversible().unwrap());
    assert!(!chain(&array![[0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.8, 0.1, 0.1]]).is_reversible().unwrap());
}

#[test]
fn groups_are_a_chain_only_where_their_states_agree() {
    let weather = chain(&array![[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.25, 0.25, 0.5]]);
    let lumped = weather.lumped(&[0, 1, 1], 1e-12).unwrap().unwrap();
    assert_eq!(lumped.matrix().unwrap(), array![[0.5, 0.5], [0.25, 0.75]]);
    let other = chain(&array![[0.5, 0.25, 0.25], [0.5, 0.25, 0.25], [0.25, 0.25, 0.5]]);
    assert_eq!(other.lumped(&[0, 1, 1], 1e-12).unwrap(), None);
    assert!(other.lumped(&[0, 2, 2], 1e-12).is_err());
    assert!(other.lumped(&[0, 1], 1e-12).is_err());
    assert!(other.lumped(&[0, 9, 1], 1e-12).is_err());
}

#[test]
fn a_large_sparse_chain_is_fitted_and_settles_without_a_matrix() {
    // A walk over 1e5 states that goes ten ways from each: the i-th visit of a state takes its way i mod 10. The last way is to the
    // next state, so that every state is reached.
    let (n, ways) = (100_000, 10);
    let mut rng = Xoshiro256Plus::seed_from_u64(9);
    let to: Vec<usize> = (0..n * ways)
        .map(|at| if at % ways == 9 { (at / ways + 1) % n } else { rng.gen_range(0..n) })
        .collect();
    let mut visits = vec![0_usize; n];
    let mut state = 0;
    let walk = Array2::from_shape_simple_fn((1_200_000, 1), || {
        let here = state;
        state = to[here * ways + visits[here] % ways];
        visits[here] += 1;
        here
    });
    // After the walk each way once more, in pairs, so that all are seen.
    let pairs =
        Array2::from_shape_fn((2 * n * ways, 1), |(t, _)| if t % 2 == 0 { t / 2 / ways } else { to[t / 2] });
    let lengths = [vec![walk.nrows()], vec![2; n * ways]].concat();
    let records = ndarray::concatenate![ndarray::Axis(0), walk, pairs];
    let dataset = DatasetBase::new(Sequences::new(records, lengths).unwrap(), ());
    let chain = MarkovChain::params().fit(&dataset).unwrap();
    assert_eq!(chain.n_states(), n);
    assert!(chain.n_transitions() > 990_000, "{}", chain.n_transitions());
    assert!(chain.is_irreducible());
    let stationary = &chain.stationary_distributions()[0];
    assert!(stationary.residual < 1e-12, "{}", stationary.residual);
    assert!(close(stationary.probabilities.iter().sum(), 1.0));
    // In the long run a state is visited as often as in a long walk.
    let p = &stationary.probabilities;
    let total: usize = visits.iter().sum();
    let busy = (0..n).max_by_key(|&i| visits[i]).unwrap();
    assert!(p[busy] * 0.2 * (total as f64) < visits[busy] as f64);
    assert!(chain.matrix().is_err() && chain.first_passage_times().is_err());
}

#[test]
fn samples_have_the_chains_frequencies() {
    let p = random(3, 5);
    let model = chain(&p);
    let mut rng = Xoshiro256Plus::seed_from_u64(1);
    let labels = model.sample(100_000, &mut rng).insert_axis(ndarray::Axis(1));
    let sequences = Sequences::single(labels).unwrap();
    let dataset = DatasetBase::new(sequences, ());
    let again = MarkovChain::params().fit(&dataset).unwrap().matrix().unwrap();
    assert!((again - &p).iter().all(|v| v.abs() < 0.01));
    // An impossible step is never drawn.
    for (i, j) in dataset.records.records().column(0).windows(2).into_iter().map(|w| (w[0], w[1])) {
        assert!(p[[i, j]] > 0.0);
    }
    let far = model.after(&[1.0, 0.0, 0.0], 200).unwrap();
    assert!((far - model.stationary().unwrap()).iter().all(|v| v.abs() < 1e-12));
}

#[test]
fn wrong_input_is_a_named_error() {
    let p = array![[0.5, 0.5], [0.2, 0.8]];
    let make = |states, initial: &[f64], p: &Array2<f64>| {
        MarkovChain::from_matrix(states, initial, p.view()).unwrap_err().to_string()
    };
    let half = [0.5, 0.5];
    assert_eq!(make(vec![0, 0], &half, &p), "`states` must be distinct, got 0 twice");
    assert_eq!(
        make(vec![0, 1], &half, &array![[0.5, 0.6], [0.2, 0.8]]),
        "`matrix` must be probabilities with a sum of 1, got a sum of 1.1"
    );
    assert_eq!(
        make(vec![0, 1], &half, &array![[1.5, -0.5], [0.2, 0.8]]),
        "`matrix` must be probabilities, at least 0, got -0.5"
    );
    assert!(make(vec![0, 1], &half, &array![[f64::NAN, 0.5], [0.2, 0.8]]).contains("got NaN"));
    assert!(make(vec![0, 1], &[0.5], &p).contains("one entry for each of the 2 states, got 1"));
    assert!(make(vec![0, 1, 2], &half, &p).contains("got 2 x 2"));
    assert!(make(vec![], &[], &Array2::zeros((0, 0))).contains("at least one label"));
    for pseudo_count in [-1.0, 1e308, f64::NAN, f64::INFINITY] {
        assert!(ParamGuard::check(MarkovChain::<usize>::params().pseudo_count(pseudo_count)).is_err());
    }
    let model = chain(&p);
    let strange = Sequences::single(array![[0], [7]]).unwrap();
    let error = model.log_likelihood(&strange).unwrap_err().to_string();
    assert_eq!(error, "`label` must be one of the states, got 7");
    let wide = Sequences::single(array![[0, 1]]).unwrap();
    assert!(model.log_likelihood(&wide).is_err());
    assert!(TransitionCounts::new(&wide).is_err());
    assert!(model.hitting_times(&[2]).is_err() && model.hitting_times(&[]).is_err());
    assert!(model.committor(&[0], &[0]).is_err());
    assert!(model.after(&[0.5, 0.6], 1).is_err() && model.after(&[1.0], 1).is_err());
    assert!(MarkovChain::from_transitions(vec![0], &[1.0], vec![(0, 1, 1.0)]).is_err());
    assert!(MarkovChain::from_transitions(vec![0], &[1.0], vec![(0, 0, 0.5), (0, 0, 0.5)]).is_err());
}

#[test]
fn an_impossible_sequence_has_no_probability() {
    let model = chain(&array![[0.0, 1.0], [0.5, 0.5]]);
    let sequence = Sequences::single(array![[0], [0]]).unwrap();
    assert_eq!(model.log_likelihood(&sequence).unwrap(), f64::NEG_INFINITY);
    assert_eq!(model.perplexity(&sequence).unwrap(), f64::INFINITY);
}

#[test]
fn any_layout_of_the_labels_works() {
    let labels = array![[0, 9, 1], [0, 9, 0]];
    let column = labels.t();
    let reversed = column.slice(s![..;-1, ..1]);
    let sequences = Sequences::single(reversed).unwrap();
    assert_eq!(TransitionCounts::new(&sequences).unwrap().count(&1, &9), 1);
    let one = array![[4]];
    let repeated = Sequences::single(one.broadcast((5, 1)).unwrap()).unwrap();
    assert_eq!(TransitionCounts::new(&repeated).unwrap().count(&4, &4), 4);
}

proptest! {
    #[test]
    fn stationary_distributions_solve_their_equation(n in 2_usize..30, seed in 0_u64..1000) {
        let p = random(n, seed);
        let model = chain(&p);
        let pi = model.stationary().unwrap();
        prop_assert!((pi.dot(&p) - &pi).iter().all(|v| v.abs() < 1e-14));
        let states: Vec<usize> = (0..n).collect();
        let swept = model.sweep(&states);
        prop_assert!(swept.iter().zip(&pi).all(|(a, b)| (a - b).abs() < 1e-12));
    }
}
