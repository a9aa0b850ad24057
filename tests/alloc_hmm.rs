//! Memory of hidden Markov models, counted by an allocator: nothing once they are warm, and a number for each step and state in a fit.

mod memory;

use memory::{allocations_of, peak_of};
use sapwood::data::Sequences;
use sapwood::hmm::{
    Categorical, Covariance, Emission, Gaussian, GaussianMixture, Hmm, HmmParams, HmmSums, Poisson,
};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, Array3, ArrayView2, array};
use sapwood::{CategoricalHmm, GaussianHmm, GaussianMixtureHmm, Params, PoissonHmm, with_threads};

/// Every recursion over `x`, twice: the second time nothing is allocated.
fn check<E: Emission<Float = f64>>(emission: E, x: ArrayView2<'_, E::Elem>) {
    let k = emission.n_states();
    let even = Array2::from_elem((k, k), 1.0 / k as f64);
    let model = Hmm::new(even.row(0).to_owned(), even, emission).expect("a model");
    let x = x.as_slice().expect("rows one after another");
    let d = model.emission().n_features();
    let n = x.len() / d;

    let mut online = model.online();
    let mut lagged = model.fixed_lag(3).expect("a short lag");
    let (mut rows, mut path) = (vec![0.0; n * k], vec![0; n]);
    let mut sums = HmmSums::zero(&model);
    let mut recursions = model.recursions();
    let mut all = || {
        x.chunks_exact(d).for_each(|row| {
            online.step(row).expect("possible");
            lagged.step(row).expect("possible");
        });
        recursions.log_likelihood(x).expect("possible");
        recursions.filter_into(x, &mut rows).expect("possible");
        recursions.backward_into(x, &mut rows).expect("possible");
        recursions.posteriors_into(x, &mut rows).expect("possible");
        recursions.viterbi_into(x, &mut path).expect("possible");
        recursions.add_expected_sums(x, &mut sums).expect("possible");
    };
    assert!(allocations_of(&mut all) > 0);
    assert_eq!(allocations_of(&mut all), 0);
}

#[test]
fn every_recursion_allocates_nothing_once_it_is_warm() {
    let symbols = Array2::from_shape_fn((500, 1), |(t, _)| t * t % 3);
    check(
        Categorical::new(array![[0.5, 0.25, 0.25], [0.25, 0.25, 0.5]].view()).expect("probabilities"),
        symbols.view(),
    );
    check(Poisson::new(array![[1.0], [2.0], [3.0]].view()).expect("rates"), symbols.view());
    let x = Array2::from_shape_fn((500, 2), |(t, i)| ((t * 2 + i) as f64).sin());
    let means = array![[0.0, 0.5], [0.5, 0.0], [1.0, -1.0], [0.3, 0.3]];
    let diagonal = Gaussian::diagonal(means.view(), Array2::ones((4, 2)).view()).expect("variances");
    check(diagonal.clone(), x.view());
    let full = Array3::from_shape_fn((4, 2, 2), |(_, i, j)| if i == j { 1.0 } else { 0.25 });
    check(Gaussian::full(means.view(), full.view()).expect("covariances"), x.view());
    check(GaussianMixture::new(Array2::from_elem((2, 2), 0.5).view(), diagonal).expect("weights"), x.view());
}

/// Allocations of a fit from `start`, once with few rounds and once with more: the same where a round has none.
fn check_rounds<E: Emission<Float = f64>>(emission: E, params: &Params<HmmParams<E>>, x: Array2<E::Elem>) {
    let start = Hmm::new(array![0.5, 0.5], array![[0.6, 0.4], [0.3, 0.7]], emission).expect("a model");
    let lengths = vec![100; x.nrows() / 100];
    let dataset = DatasetBase::new(Sequences::new(x, lengths).expect("lengths"), ());
    let rounds = |max_iter: usize| {
        let params = params.clone().start_from(start.clone()).tol(0.0).max_iter(max_iter);
        allocations_of(|| {
            let model = params.fit(&dataset).expect("a fit");
            assert_eq!(model.report().expect("a fit").n_iter(), max_iter);
        })
    };
    // The first fit of the process asks the machine for its instruction sets.
    rounds(1);
    assert_eq!(rounds(2), rounds(9));
}

#[test]
fn a_round_of_em_after_the_first_allocates_nothing() {
    with_threads(1, || {
        let x = |n: usize| Array2::from_shape_fn((n, 2), |(t, i)| ((t * 2 + i) as f64).sin() * 3.0);
        let means = array![[0.0, 1.0], [1.0, 0.0]];
        let variances = array![[1.0, 2.0], [2.0, 1.0]];
        let covariances = Array3::from_shape_fn((2, 2, 2), |(_, i, j)| if i == j { 1.0 } else { 0.25 });
        let diagonal = Gaussian::diagonal(means.view(), variances.view()).expect("variances");
        check_rounds(diagonal, &GaussianHmm::params(2), x(400));
        let full = Gaussian::full(means.view(), covariances.view()).expect("covariances");
        check_rounds(full, &GaussianHmm::params(2).covariance(Covariance::Full), x(10_000));
        let tied = Gaussian::tied(means.view(), Array2::eye(2).view()).expect("a covariance");
        check_rounds(tied, &GaussianHmm::params(2).covariance(Covariance::Tied), x(400));
        let components = Gaussian::diagonal(
            Array2::from_shape_fn((4, 2), |(c, i)| (c * 2 + i) as f64).view(),
            Array2::ones((4, 2)).view(),
        );
        let weights = array![[0.5, 0.5], [0.25, 0.75]];
        let mixture = GaussianMixture::new(weights.view(), components.expect("variances")).expect("weights");
        check_rounds(mixture, &GaussianMixtureHmm::params(2).n_components(2), x(400));
        let counts = Array2::from_shape_fn((400, 1), |(t, _)| t * t % 7);
        check_rounds(
            Poisson::new(array![[1.0], [4.0]].view()).expect("rates"),
            &PoissonHmm::params(2),
            counts.clone(),
        );
        let probabilities = Array2::from_shape_fn((2, 7), |(i, s)| (1 + i * s) as f64 / (7 + i * 21) as f64);
        let symbols = Categorical::new(probabilities.view()).expect("probabilities");
        check_rounds(symbols, &CategoricalHmm::params(2), counts);
    });
}

/// The most that ten rounds of EM from `start` hold beyond their input, in numbers for each step and state.
fn numbers_in_em<E: Emission<Float = f64>>(
    params: Params<HmmParams<E>>,
    start: E,
    x: Array2<E::Elem>,
) -> f64 {
    let (n, k) = (x.nrows(), start.n_states());
    let even = Array2::from_elem((k, k), 1.0 / k as f64);
    let start = Hmm::new(even.row(0).to_owned(), even, start).expect("a model");
    let params = params.start_from(start).max_iter(10);
    let dataset = DatasetBase::new(Sequences::single(x).expect("one"), ());
    let (model, bytes) = with_threads(1, || peak_of(|| params.fit(&dataset)));
    assert!(model.is_ok());
    bytes as f64 / (n * k * size_of::<f64>()) as f64
}

#[test]
fn em_holds_a_number_for_each_step_and_state() {
    let k = 8;
    let probabilities = Array2::from_shape_fn((k, 7), |(i, s)| (1 + i * s) as f64 / (7 + i * 21) as f64);
    let means = Array2::from_shape_fn((k, 2), |(i, j)| (i + j) as f64 - 4.0);
    for n in [5_000, 20_000] {
        let symbols = Array2::from_shape_fn((n, 1), |(t, _)| t * t % 7);
        let categorical = Categorical::new(probabilities.view()).expect("probabilities");
        let discrete = numbers_in_em(CategoricalHmm::params(k), categorical, symbols);
        let x = Array2::from_shape_fn((n, 2), |(t, i)| ((t * 2 + i) as f64).sin() * 3.0);
        let gaussian = Gaussian::diagonal(means.view(), Array2::ones((k, 2)).view()).expect("variances");
        let measured = numbers_in_em(GaussianHmm::params(k), gaussian, x);
        assert!(discrete < 1.15 && measured < 1.15, "{n} steps: {discrete} and {measured}");
    }
}
