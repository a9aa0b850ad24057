//! Types, layouts, missing rows, and what is refused.

use super::*;
use crate::params::Params;
use linfa::traits::{Fit, Predict};
use linfa::{DatasetBase, ParamGuard};
use ndarray::{array, s};

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
