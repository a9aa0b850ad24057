//! Inputs that sequence models must refuse with a name, or answer as defined: numbers 1-14 and 35-48 of the project's list.

use sapwood::data::Sequences;
use sapwood::hmm::{Categorical, Covariance, Gaussian, Hmm, MISSING, Poisson};
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::linfa::{DatasetBase, ParamGuard};
use sapwood::markov::TransitionCounts;
use sapwood::ndarray::{Array1, Array2, Array3, ShapeBuilder, array, s};
use sapwood::{CategoricalHmm, Error, GaussianHmm, GaussianMixtureHmm, MarkovChain, PoissonHmm};

fn wave(n: usize, d: usize) -> Array2<f64> {
    Array2::from_shape_fn((n, d), |(t, i)| ((3 * t + i) as f64).sin() + if t % 20 < 10 { 0.0 } else { 5.0 })
}

/// The error of a Gaussian fit of two states.
fn refused(x: Array2<f64>) -> Error {
    GaussianHmm::params(2).fit(&DatasetBase::from(x)).expect_err("a fit that must fail")
}

fn symbols() -> CategoricalHmm {
    let emission = Categorical::new(array![[0.5, 0.5], [0.1, 0.9]].view()).expect("probabilities");
    Hmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.2, 0.8]], emission).expect("a model")
}

fn chain(matrix: &Array2<f64>) -> MarkovChain {
    let n = matrix.nrows();
    let mut initial = vec![0.0; n];
    initial[0] = 1.0;
    MarkovChain::from_matrix((0..n).collect(), &initial, matrix.view()).expect("a chain")
}

#[test]
fn no_rows_and_no_columns_1_2() {
    for shape in [(0, 1), (4, 0), (0, 0)] {
        assert!(matches!(refused(Array2::zeros(shape)), Error::Shape { .. }));
        assert!(matches!(Sequences::single(Array2::<f64>::zeros(shape)), Err(Error::Shape { .. })));
        let symbols = DatasetBase::from(Array2::<usize>::zeros(shape));
        assert!(matches!(CategoricalHmm::params(1).fit(&symbols), Err(Error::Shape { .. })));
        assert!(matches!(PoissonHmm::params(1).fit(&symbols), Err(Error::Shape { .. })));
        assert!(matches!(MarkovChain::params().fit(&symbols), Err(Error::Shape { .. })));
    }
}

#[test]
fn values_that_are_not_finite_3_4_5() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = wave(40, 2);
        x[[17, 1]] = bad;
        let Error::NonFinite { row, column, value, .. } = refused(x.clone()) else { panic!("another error") };
        assert_eq!((row, column, value.to_bits()), (17, 1, bad.to_bits()));
        let mixture = GaussianMixtureHmm::params(2).fit(&DatasetBase::from(x.clone()));
        assert!(matches!(mixture, Err(Error::NonFinite { row: 17, column: 1, .. })));
        let model = GaussianHmm::params(2).fit(&DatasetBase::from(wave(40, 2))).expect("a fit");
        let x = Sequences::single(x).expect("rows");
        assert!(matches!(model.score(&x), Err(Error::NonFinite { row: 17, column: 1, .. })));
        assert!(matches!(model.viterbi(&x), Err(Error::NonFinite { .. })));
        assert!(matches!(model.posteriors(&x), Err(Error::NonFinite { .. })));
        assert!(matches!(model.backward(&x), Err(Error::NonFinite { .. })));
        assert!(matches!(model.ranked_paths(&x, 2), Err(Error::NonFinite { .. })));
        assert!(matches!(model.online().step(&[0.0, bad]), Err(Error::NonFinite { .. })));
        assert!(matches!(model.recursions().log_likelihood(&[0.0, bad]), Err(Error::NonFinite { .. })));
    }
    // A whole row of NaN is a missing observation, and all rows missing leave nothing to begin at.
    let mut gap = wave(40, 2);
    gap.row_mut(3).fill(f64::NAN);
    let model = GaussianHmm::params(2).fit(&DatasetBase::from(gap)).expect("one row is missing");
    assert!(model.emission().means().iter().all(|v| v.is_finite()));
    let all = refused(Array2::from_elem((9, 2), f64::NAN));
    assert!(matches!(all, Error::Parameter { name: "n_states", .. }), "{all}");
}

#[test]
fn squares_that_overflow_and_subnormals_6_7() {
    let huge = refused(array![[1e308], [-1e308], [1e308]]);
    assert!(matches!(huge, Error::Shape { .. }), "{huge}");
    let model = GaussianHmm::params(2).fit(&DatasetBase::from(wave(40, 1))).expect("a fit");
    let far = Sequences::new(array![[1e308], [0.0], [-1e308]], vec![1, 1, 1]).expect("lengths");
    let scores = model.log_likelihoods(&far).expect("finite numbers");
    assert_eq!((scores[0], scores[2]), (f64::NEG_INFINITY, f64::NEG_INFINITY));
    assert!(scores[1].is_finite());
    let tiny = DatasetBase::from(array![[5e-324], [0.0], [-5e-324], [1e-310], [2e-308], [0.0]]);
    let model = GaussianHmm::params(2).fit(&tiny).expect("numbers");
    assert_eq!(model.report().expect("a fit").floored, [0, 1]);
    let score = model.score(&Sequences::single(tiny.records).expect("rows")).expect("numbers");
    assert!(score.is_finite());
}

#[test]
fn one_row_8() {
    let model = GaussianHmm::params(1).fit(&DatasetBase::from(array![[3.0, 4.0]])).expect("one state");
    assert_eq!(model.emission().means(), array![[3.0, 4.0]]);
    assert_eq!(model.transition(), array![[1.0]]);
    let two = GaussianHmm::params(2).fit(&DatasetBase::from(array![[3.0, 4.0]]));
    assert_eq!(
        two.expect_err("two states").to_string(),
        "`n_states` must be at most the number of observations, got 2"
    );
    let chain = MarkovChain::params().fit(&DatasetBase::from(array![["only"]])).expect("one state");
    assert_eq!(chain.never_left(), [0]);
    assert_eq!(chain.initial(), array![1.0]);
}

#[test]
fn views_of_any_layout_and_without_strides_9_10() {
    let x = wave(60, 2);
    let fit = |x: sapwood::ndarray::ArrayView2<'_, f64>| {
        GaussianHmm::params(2).covariance(Covariance::Full).fit(&DatasetBase::from(x)).expect("a fit")
    };
    let here = fit(x.view());
    let mut fortran = Array2::zeros((60, 2).f());
    fortran.assign(&x);
    assert!(fit(fortran.view()) == here);
    let turned = x.slice(s![..;-1, ..;-1]).to_owned();
    assert!(fit(turned.slice(s![..;-1, ..;-1])) == here);
    let mut spread = Array2::from_elem((120, 5), f64::NAN);
    spread.slice_mut(s![..;2, 1..4;2]).assign(&x);
    assert!(fit(spread.slice(s![..;2, 1..4;2])) == here);
    let row = array![[1.0, 2.0]];
    let repeated = row.broadcast((20, 2)).expect("rows without a stride");
    let model = GaussianHmm::params(1).fit(&DatasetBase::from(repeated)).expect("one point");
    assert_eq!(model.emission().means(), row);
    let labels = array![[7]];
    let chain = MarkovChain::params().fit(&DatasetBase::from(labels.broadcast((9, 1)).expect("no stride")));
    assert_eq!(chain.expect("one label").states(), [7]);
}

#[test]
fn targets_of_another_length_11() {
    let x = Sequences::single(array![[0], [1], [1]]).expect("rows");
    let error = CategoricalHmm::params(2).fit_supervised(&DatasetBase::new(x.clone(), array!["a", "b"]));
    assert_eq!(
        error.expect_err("two targets").to_string(),
        "`targets` must have one entry for each of the 3 rows, got 2"
    );
    let error = CategoricalHmm::params(1).fit_semi_supervised(&DatasetBase::new(x.clone(), array![Some(1)]));
    assert!(matches!(error, Err(Error::Shape { name: "targets", .. })));
    let hidden: Array1<Option<usize>> = array![None, None, None];
    let error = CategoricalHmm::params(1).fit_semi_supervised(&DatasetBase::new(x, hidden));
    assert!(matches!(error, Err(Error::Shape { name: "targets", .. })), "no label at all");
}

#[test]
fn another_width_12() {
    let model = GaussianHmm::params(2).fit(&DatasetBase::from(wave(40, 2))).expect("a fit");
    let wide = Sequences::single(wave(4, 3)).expect("rows");
    let message = "`records` must have 2 columns, as the model was fitted on, got 3";
    assert_eq!(model.score(&wide).expect_err("three columns").to_string(), message);
    assert_eq!(model.next_means(&wide).expect_err("three columns").to_string(), message);
    let x = Sequences::single(wave(4, 2)).expect("rows");
    assert!(matches!(
        model.next_log_likelihoods(&x, &wave(1, 3)),
        Err(Error::Shape { name: "candidates", .. })
    ));
    assert!(matches!(model.recursions().log_likelihood(&[0.0; 3]), Err(Error::Shape { .. })));
    assert!(matches!(model.recursions().log_likelihood(&[]), Err(Error::Shape { .. })));
    assert!(matches!(model.recursions().filter_into(&[0.0; 4], &mut [0.0; 3]), Err(Error::Shape { .. })));
    assert!(matches!(model.recursions().viterbi_into(&[0.0; 4], &mut [0; 3]), Err(Error::Shape { .. })));
    let start = GaussianHmm::params(2).start_from(model).fit(&DatasetBase::from(wave(40, 3)));
    assert!(matches!(start, Err(Error::Shape { .. })));
    let two = Sequences::single(array![[0, 1]]).expect("rows");
    assert!(matches!(TransitionCounts::new(&two), Err(Error::Shape { .. })));
}

#[test]
fn predicting_no_rows_13() {
    let model = GaussianHmm::params(2).fit(&DatasetBase::from(wave(40, 2))).expect("a fit");
    let nothing: Array1<usize> = model.predict(&Array2::<f64>::zeros((0, 2)));
    assert!(nothing.is_empty());
    let chain = MarkovChain::params().fit(&DatasetBase::from(array![[1], [2]])).expect("two labels");
    let nothing: Array1<usize> = chain.predict(&Array2::<usize>::zeros((0, 1)));
    assert!(nothing.is_empty());
}

/// 16,777,217 is no `f32`; the rows are told apart as far as their type can.
#[test]
fn numbers_that_f32_rounds_14() {
    let wide = wave(60, 1) + 16_777_217.0;
    let narrow = wide.mapv(|v| v as f32);
    let model = GaussianHmm::<f32>::params(2).fit(&DatasetBase::from(narrow.clone())).expect("a fit");
    let score = model.score(&Sequences::single(narrow).expect("rows")).expect("numbers");
    assert!(score.is_finite());
    assert!(model.emission().means().iter().all(|&m| (16_777_210.0..16_777_240.0).contains(&m)));
}

#[test]
fn lengths_that_do_not_fit_35_37_38() {
    let x = || array![[0], [1], [1]];
    assert!(matches!(Sequences::new(x(), vec![]), Err(Error::Shape { name: "lengths", .. })));
    assert!(matches!(Sequences::new(x(), vec![2, 0, 1]), Err(Error::Shape { name: "lengths", .. })));
    assert!(matches!(Sequences::new(x(), vec![2, 2]), Err(Error::Shape { name: "lengths", .. })));
    assert!(matches!(Sequences::new(x(), vec![usize::MAX, 4]), Err(Error::Shape { name: "lengths", .. })));
}

#[test]
fn sequences_of_length_one_36() {
    let x = Sequences::new(array![[0], [1], [0]], vec![1, 1, 1]).expect("lengths");
    let start = symbols();
    let params = CategoricalHmm::params(2).start_from(start.clone()).max_iter(3);
    let model = params.fit(&DatasetBase::new(x.clone(), ())).expect("a fit");
    assert_eq!(model.transition(), start.transition());
    assert!((model.initial().sum() - 1.0).abs() < 1e-15);
    assert_eq!(model.viterbi(&x).expect("possible").states.len(), 3);
    let chain = MarkovChain::params().fit(&DatasetBase::new(x, ())).expect("counts");
    assert_eq!(chain.never_left(), [0, 1]);
    assert!((chain.initial()[0] - 2.0 / 3.0).abs() < 1e-15);
}

#[test]
fn symbols_outside_of_the_alphabet_39() {
    let x = Sequences::single(array![[0], [2]]).expect("rows");
    let message = "`records` must be symbols below 2, got 2";
    assert_eq!(symbols().score(&x).expect_err("a strange symbol").to_string(), message);
    assert_eq!(symbols().online().step(&[2]).expect_err("a strange symbol").to_string(), message);
    assert!(CategoricalHmm::params(2).n_symbols(2).fit(&DatasetBase::new(x.clone(), ())).is_err());
    assert!(CategoricalHmm::params(1).fit(&DatasetBase::from(array![[0], [1 << 60]])).is_err());
    let missing = Sequences::single(array![[0], [MISSING]]).expect("rows");
    assert!(symbols().score(&missing).expect("a missing symbol").is_finite());
    let chain = MarkovChain::params().fit(&DatasetBase::new(missing, ())).expect("labels");
    assert!(matches!(chain.log_likelihood(&x), Err(Error::Parameter { name: "label", .. })));
    let counts = TransitionCounts::over(vec![0, 1], &x);
    assert!(matches!(counts, Err(Error::Parameter { name: "label", .. })));
}

#[test]
fn rows_that_are_no_distributions_40_41() {
    let emission = || symbols().emission().clone();
    for (a, message) in [
        (
            array![[0.5, 0.6], [0.5, 0.5]],
            "`transition` must be probabilities with a sum of 1, got a sum of 1.1",
        ),
        (array![[1.5, -0.5], [0.5, 0.5]], "`transition` must be probabilities, at least 0, got -0.5"),
        (array![[f64::NAN, 0.5], [0.5, 0.5]], "`transition` must be probabilities, at least 0, got NaN"),
        (
            array![[f64::INFINITY, 0.5], [0.5, 0.5]],
            "`transition` must be probabilities with a sum of 1, got a sum of inf",
        ),
    ] {
        let error = Hmm::new(array![0.5, 0.5], a.clone(), emission()).expect_err("no distribution");
        assert_eq!(error.to_string(), message);
        assert!(MarkovChain::from_matrix(vec![0, 1], &[0.5, 0.5], a.view()).is_err());
        assert!(Categorical::new(a.view()).is_err());
    }
    assert!(Hmm::new(array![0.5, 0.4], array![[0.5, 0.5], [0.5, 0.5]], emission()).is_err());
    assert!(Poisson::new(array![[-1.0]].view()).is_err());
}

#[test]
fn an_unvisited_state_42() {
    let emission = Categorical::new(array![[0.5, 0.5], [0.9, 0.1]].view()).expect("probabilities");
    let start = Hmm::new(array![1.0, 0.0], array![[1.0, 0.0], [0.3, 0.7]], emission).expect("a model");
    let x = DatasetBase::from(array![[0], [1], [1]]);
    let model = CategoricalHmm::params(2).start_from(start.clone()).fit(&x).expect("a fit");
    assert_eq!(model.report().expect("a fit").unvisited, [1]);
    assert_eq!(model.transition().row(1), start.transition().row(1));
    let far =
        Gaussian::diagonal(array![[0.0], [1e6]].view(), array![[1.0], [1.0]].view()).expect("variances");
    let start = Hmm::new(array![1.0, 0.0], array![[1.0, 0.0], [0.5, 0.5]], far).expect("a model");
    let model = GaussianHmm::params(2).start_from(start).fit(&DatasetBase::from(wave(30, 1))).expect("a fit");
    assert_eq!(model.emission().means()[[1, 0]], 1e6);
    assert!(model.emission().means().iter().chain(model.transition()).all(|v| v.is_finite()));
}

#[test]
fn an_impossible_observation_43() {
    let emission = Categorical::new(array![[1.0, 0.0], [1.0, 0.0]].view()).expect("probabilities");
    let model = Hmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.2, 0.8]], emission).expect("a model");
    let x = Sequences::new(array![[0], [0], [1]], vec![1, 2]).expect("lengths");
    assert_eq!(model.log_likelihoods(&x).expect("symbols"), array![0.0, f64::NEG_INFINITY]);
    let message = "`records` must have a probability above 0 under the model, got the impossible sequence 1";
    for error in [
        model.viterbi(&x).err(),
        model.posteriors(&x).err(),
        model.filter(&x).err(),
        model.backward(&x).err(),
        model.ranked_paths(&x, 3).err(),
        model.expected_sums(&x).err(),
        model.next_states(&x).err(),
        model.next_symbols(&x).err(),
        CategoricalHmm::params(2).start_from(model.clone()).fit(&DatasetBase::new(x.clone(), ())).err(),
        CategoricalHmm::params(2)
            .start_from(model.clone())
            .mini_batches(2, 0.7)
            .fit(&DatasetBase::new(x.clone(), ()))
            .err(),
    ] {
        assert_eq!(error.expect("nothing to say").to_string(), message);
    }
    let mut recursions = model.recursions();
    assert_eq!(recursions.log_likelihood(&[0, 1]).expect("symbols"), f64::NEG_INFINITY);
    assert!(recursions.viterbi_into(&[0, 1], &mut [0; 2]).is_err());
    let mut online = model.online();
    assert!(online.step(&[1]).is_err() && online.step(&[0]).is_ok(), "the filter stays as it was");
}

#[test]
fn a_million_rows_44() {
    let n = 1_000_000;
    let x = Array2::from_shape_fn((n, 1), |(t, _)| usize::from(t % 7 != 0));
    let x = Sequences::single(x).expect("rows");
    let model = symbols();
    assert!(model.score(&x).expect("symbols").is_finite());
    let sums = model.expected_sums(&x).expect("possible");
    assert!((sums.transitions.sum() - (n - 1) as f64).abs() < 1e-5);
    assert_eq!(model.viterbi(&x).expect("possible").states.len(), n);
}

#[test]
fn covariances_without_an_inverse_45() {
    let zero = Gaussian::full(array![[0.0, 0.0]].view(), Array3::<f64>::zeros((1, 2, 2)).view());
    assert!(matches!(zero, Err(Error::Parameter { name: "covariance", .. })));
    let flat = Gaussian::full(array![[0.0, 0.0]].view(), Array3::<f64>::ones((1, 2, 2)).view());
    assert!(matches!(flat, Err(Error::Parameter { name: "covariance", .. })));
    assert!(Gaussian::diagonal(array![[0.0]].view(), array![[0.0]].view()).is_err());
    // A column twice: every full matrix of it is singular.
    let column = wave(60, 1);
    let twice = sapwood::ndarray::concatenate![sapwood::ndarray::Axis(1), column, column];
    for covariance in [Covariance::Full, Covariance::Tied] {
        let model = GaussianHmm::params(2)
            .covariance(covariance)
            .fit(&DatasetBase::from(twice.clone()))
            .expect("a fit");
        let report = model.report().expect("a fit");
        assert_eq!(report.floored, [0, 1], "{covariance:?}");
        assert!(report.objectives.iter().all(|v| v.is_finite()));
    }
    let constant =
        GaussianHmm::params(1).fit(&DatasetBase::from(Array2::<f64>::ones((9, 1)))).expect("a fit");
    assert_eq!(constant.emission().covariances()[[0, 0, 0]], 1e-6);
}

#[test]
fn more_states_than_rows_and_sizes_that_overflow_46_48() {
    let x = DatasetBase::from(array![[0], [1], [1]]);
    let message = |n: usize| CategoricalHmm::params(n).fit(&x).expect_err("too many or none").to_string();
    assert_eq!(message(0), "`n_states` must be at least 1, got 0");
    assert_eq!(message(4), "`n_states` must be at most the number of observations, got 4");
    assert!(message(usize::MAX).contains("at most 8192"));
    assert!(PoissonHmm::params(0).check().is_err() && GaussianHmm::<f64>::params(1 << 40).check().is_err());
    // 2^58 rows without a stride, by 2^13 states: no memory is asked for.
    let one = array![[0_usize]];
    let endless = DatasetBase::new(one.broadcast((1 << 58, 1)).expect("rows without a stride"), ());
    let error = PoissonHmm::params(8192).fit(&endless).expect_err("2^71 numbers").to_string();
    assert_eq!(error, "`n_states` must be small enough for a row at each observation, got 8192");
    let model = symbols();
    assert!(model.fixed_lag(usize::MAX).is_err());
    let x = Sequences::single(array![[0], [1], [1]]).expect("rows");
    assert!(model.ranked_paths(&x, 0).is_err() && model.ranked_paths(&x, usize::MAX).is_err());
    for (size, decay) in [(0, 0.7), (1, 0.5), (1, 1.1), (1, f64::NAN)] {
        assert!(CategoricalHmm::params(2).mini_batches(size, decay).check().is_err());
    }
}

#[test]
fn absorbing_reducible_and_periodic_chains_47() {
    let absorbing = chain(&array![[0.5, 0.5], [0.0, 1.0]]);
    assert_eq!(absorbing.stationary().expect("one recurrent class"), array![0.0, 1.0]);
    let reducible = chain(&array![[1.0, 0.0], [0.0, 1.0]]);
    assert_eq!(reducible.stationary_distributions().len(), 2);
    assert!(matches!(reducible.stationary(), Err(Error::Parameter { name: "chain", .. })));
    assert!(reducible.kemeny_constant().is_err() && reducible.mixing_time(0.1).is_err());
    let periodic = chain(&array![[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(periodic.stationary().expect("one recurrent class"), array![0.5, 0.5]);
    assert_eq!(periodic.classes()[0].period, 2);
    assert!(!periodic.is_ergodic() && periodic.mixing_time(0.1).is_err());
}
