//! Markov chains: counted, given, or changed, and every question that can be asked of them.

use rand::SeedableRng;
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::MarkovChain;
use sapwood::data::Sequences;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::markov::{OrderTest, TransitionCounts};
use sapwood::ndarray::{Array1, Array2};

use super::Bytes;

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    match bytes.below(4) {
        0 => counted(&mut bytes),
        1 => wild(&mut bytes),
        _ => {
            let k = 1 + bytes.below(7);
            let (initial, matrix) = (bytes.probabilities(1, k), bytes.probabilities(k, k));
            let chain = MarkovChain::from_matrix((0..k).collect(), &initial.row(0).to_vec(), matrix.view());
            let chain = chain.expect("probabilities");
            assert!((&chain.matrix().expect("small") - &matrix).iter().all(|gap| gap.abs() < 1e-15));
            ask(&chain, &mut bytes);
        }
    }
}

/// Whatever numbers, a chain or an error.
fn wild(bytes: &mut Bytes<'_>) {
    let k = bytes.below(5);
    let (initial, matrix) = (bytes.table(1, k), bytes.table(k, k));
    let states = (0..k).map(|_| bytes.below(6)).collect();
    if let Ok(chain) = MarkovChain::from_matrix(states, &initial.row(0).to_vec(), matrix.view()) {
        ask(&chain, bytes);
    }
}

fn counted(bytes: &mut Bytes<'_>) {
    let (lengths, pseudo_count) = (bytes.raw::<4>(), bytes.number());
    let (n_states, order) = (1 + bytes.below(6), bytes.below(4));
    let lengths: Vec<usize> = lengths.iter().map(|&length| usize::from(length % 16)).collect();
    let x = Array2::from_shape_simple_fn((lengths.iter().sum(), 1), || bytes.below(n_states));
    let Ok(x) = Sequences::new(x, lengths) else { return };
    let _ = OrderTest::new(&x, order).map(|test| assert!((0.0..=1.0).contains(&test.p_value)));
    let counts = TransitionCounts::new(&x).expect("labels");
    let _ = counts.test_independence().is_ok();
    for from in counts.states() {
        if let Ok((low, high)) = counts.interval(from, from, 1.96) {
            assert!(0.0 <= low && low <= high && high <= 1.0);
        }
    }
    if let Ok(chain) = MarkovChain::params().pseudo_count(pseudo_count).fit(&DatasetBase::new(x.view(), ())) {
        let log = chain.log_likelihood(&x).expect("its own data");
        assert!(log <= 1e-9 && log > f64::NEG_INFINITY, "{log}");
        ask(&chain, bytes);
    }
}

fn ask(chain: &MarkovChain, bytes: &mut Bytes<'_>) {
    let k = chain.n_states();
    let p = chain.matrix().expect("small");
    for row in p.rows() {
        assert!((row.sum() - 1.0).abs() < 1e-8 || row.sum() == 0.0, "{row}");
    }
    let states = chain.recurrent_states().len() + chain.transient_states().len();
    assert_eq!(states, k);
    assert_eq!(chain.classes().iter().map(|class| class.states.len()).sum::<usize>(), k);
    for stationary in chain.stationary_distributions() {
        let mut pi = Array1::zeros(k);
        stationary.states.iter().zip(&stationary.probabilities).for_each(|(&state, &p)| pi[state] = p);
        assert!(pi.iter().all(|p| (0.0..=1.0 + 1e-9).contains(p)), "{pi}");
        assert!((pi.sum() - 1.0).abs() < 1e-9, "{pi}");
        assert!((pi.dot(&p) - &pi).iter().all(|gap| gap.abs() < 1e-8), "{pi} of {p}");
    }
    let targets = [bytes.below(k)];
    let traps = [bytes.below(k)];
    let unit = |p: &f64| (0.0..=1.0 + 1e-9).contains(p);
    if let Ok(hits) = chain.hitting_probabilities(&targets) {
        assert!(hits.iter().all(unit), "{hits}");
    }
    if let Ok(share) = chain.committor(&traps, &targets) {
        assert!(share.iter().all(unit), "{share}");
    }
    if let Ok(times) = chain.hitting_times(&targets) {
        assert!(times.iter().all(|&t| t >= 0.0), "{times}");
    }
    if let Ok(absorption) = chain.absorption() {
        for row in absorption.probabilities.rows() {
            assert!((row.sum() - 1.0).abs() < 1e-6, "{row} of {p}");
        }
        let _ = absorption.steps_variance();
    }
    let rewards: Vec<f64> = (0..k).map(|_| bytes.number()).collect();
    let _ = (chain.long_run_reward(&rewards).is_ok(), chain.reward_until_absorption(&rewards).is_ok());
    let _ = (chain.first_passage_times().is_ok(), chain.kemeny_constant().is_ok());
    let _ = (chain.entropy_rate().is_ok(), chain.is_reversible().is_ok(), chain.spectral_gap().is_ok());
    let _ = (chain.mixing_time(bytes.number()).is_ok(), chain.expected_durations().len());
    if let Ok(values) = chain.eigenvalues() {
        assert!(values.iter().all(|(re, im)| re.hypot(*im) < 1.0 + 1e-6), "{values:?} of {p:e}");
    }
    let group_of: Vec<usize> = (0..k).map(|_| bytes.below(3)).collect();
    let _ = chain.lumped(&group_of, bytes.number()).is_ok();
    let _ = (chain.to_dot(bytes.number()).len(), chain.never_left().len());
    let initial = chain.initial().to_vec();
    if let Ok(later) = chain.after(&initial, bytes.below(200)) {
        assert!(later.iter().all(unit), "{later}");
    }
    let sample = chain.sample(20, &mut Xoshiro256PlusPlus::seed_from_u64(1));
    assert!(sample.iter().all(|label| chain.index(label).is_ok()));
}
