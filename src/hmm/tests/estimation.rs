//! Starts, EM, known states, floors, reports.

use super::*;
use crate::observe::Progress;
use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use ndarray::array;
use std::ops::ControlFlow;

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
fn a_mixture_of_one_component_is_fitted_as_a_gaussian() {
    let mut rng = Xoshiro256Plus::seed_from_u64(6);
    for covariance in [Covariance::Spherical, Covariance::Diagonal, Covariance::Full, Covariance::Tied] {
        let start = random_gaussian(3, 4, covariance, 5);
        let x = start.sample(400, &mut rng).0;
        let dataset = DatasetBase::new(Sequences::new(x, vec![300, 100]).unwrap(), ());
        let mixture = GaussianMixture::new(Array2::ones((3, 1)).view(), start.emission.clone()).unwrap();
        let mixture = Hmm::new(start.initial.clone(), start.transition.clone(), mixture).unwrap();
        let params = GaussianHmm::params(3).start_from(start).tol(0.0).max_iter(3);
        let gaussian = params.fit(&dataset).unwrap();
        let params = GaussianMixtureHmm::params(3).n_components(1).start_from(mixture).tol(0.0).max_iter(3);
        let mixture = params.fit(&dataset).unwrap();
        let (ours, theirs) = (mixture.emission().components(), gaussian.emission());
        assert!((ours.means() - theirs.means()).iter().all(|v| v.abs() < 1e-9));
        assert!((ours.covariances() - theirs.covariances()).iter().all(|v| v.abs() < 1e-9), "{covariance:?}");
    }
}

#[test]
fn stepwise_em_comes_to_the_same_place() {
    let truth =
        symbols(&[0.5, 0.5], array![[0.95, 0.05], [0.1, 0.9]], array![[0.8, 0.1, 0.1], [0.1, 0.1, 0.8]]);
    let mut rng = Xoshiro256Plus::seed_from_u64(3);
    let x = truth.sample(20_000, &mut rng).0;
    let dataset = DatasetBase::new(Sequences::new(x, vec![100; 200]).unwrap(), ());
    let start =
        symbols(&[0.5, 0.5], array![[0.6, 0.4], [0.4, 0.6]], array![[0.5, 0.3, 0.2], [0.2, 0.3, 0.5]]);
    let params = CategoricalHmm::params(2).start_from(start);
    let whole = params.clone().max_iter(300).tol(1e-6).fit(&dataset).unwrap();
    let stepwise = params.mini_batches(5, 0.7).max_iter(4).tol(0.0).fit(&dataset).unwrap();
    let (best, found) = (whole.report().unwrap().objective(), stepwise.report().unwrap().objective());
    assert!(near(found, stepwise.score(&dataset.records).unwrap(), 1e-12));
    // Four passes: within a thousandth of three hundred, and above four of the whole.
    let four = whole.report().unwrap().objectives[4];
    assert!((best - found).abs() < 1e-3 * best.abs() && found > four, "{best} {found} {four}");
    assert!(stepwise.report().unwrap().n_iter() <= 4);
}
