//! Chains and hidden Markov models, stored and read again: the same where untouched, refused where a number was changed.
#![cfg(feature = "serde")]

use sapwood::data::Sequences;
use sapwood::hmm::{Categorical, Covariance, Gaussian, GaussianMixture, Hmm, HmmSums, Poisson};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::markov::TransitionCounts;
use sapwood::ndarray::{Array2, array};
use sapwood::{CategoricalHmm, GaussianHmm, GaussianMixtureHmm, MarkovChain, PoissonHmm};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// The same after postcard; JSON, which is read here to the last digit but one, can be read.
fn round_trip<T: Serialize + DeserializeOwned + std::fmt::Debug>(value: &T) {
    let text = serde_json::to_string(value).expect("it can be stored");
    assert!(serde_json::from_str::<T>(&text).is_ok(), "{text}");
    let bytes = postcard::to_allocvec(value).expect("it can be stored");
    let again: T = postcard::from_bytes(&bytes).expect("it can be read");
    assert_eq!(format!("{again:?}"), format!("{value:?}"));
    for end in 0..bytes.len() {
        assert!(postcard::from_bytes::<T>(&bytes[..end]).is_err(), "cut off at byte {end}");
    }
}

/// What reading says after `path` was set to `to`.
fn tampered<T: Serialize + DeserializeOwned>(value: &T, path: &str, to: Value) -> String {
    let mut stored = serde_json::to_value(value).expect("it can be stored");
    *stored.pointer_mut(path).unwrap_or_else(|| panic!("{path} is not there")) = to;
    match serde_json::from_value::<T>(stored) {
        Ok(_) => panic!("{path} was believed"),
        Err(error) => error.to_string(),
    }
}

fn chain() -> MarkovChain<String> {
    let matrix = array![[0.25, 0.75, 0.0], [0.5, 0.0, 0.5], [0.0, 0.0, 1.0]];
    let states = ["b", "a", "c"].map(str::to_owned).to_vec();
    MarkovChain::from_matrix(states, &[0.5, 0.5, 0.0], matrix.view()).expect("a chain")
}

fn even<E: sapwood::hmm::Emission<Float = f64>>(emission: E) -> Hmm<E> {
    Hmm::new(array![0.5, 0.5], array![[0.9, 0.1], [0.2, 0.8]], emission).expect("a model")
}

fn symbols() -> CategoricalHmm {
    even(Categorical::new(array![[0.5, 0.25, 0.25], [0.125, 0.125, 0.75]].view()).expect("probabilities"))
}

fn measurements() -> Gaussian<f64> {
    let covariances = array![[[2.0, 0.5], [0.5, 1.0]], [[1.0, 0.0], [0.0, 3.0]]];
    Gaussian::full(array![[0.0, 1.0], [2.0, 3.0]].view(), covariances.view()).expect("covariances")
}

fn mixture() -> GaussianMixture<f64> {
    let means = array![[0.0], [1.0], [5.0], [6.0]];
    let components = Gaussian::diagonal(means.view(), Array2::ones((4, 1)).view()).expect("variances");
    GaussianMixture::new(array![[0.5, 0.5], [0.25, 0.75]].view(), components).expect("weights")
}

#[test]
fn everything_is_the_same_after_it_was_stored() {
    round_trip(&chain());
    round_trip(&MarkovChain::<usize>::params().pseudo_count(0.5).states(vec![1, 2]));
    let labels =
        Sequences::new(array![["x"], ["y"], ["x"], ["x"]].mapv(str::to_owned), vec![3, 1]).expect("lengths");
    round_trip(&TransitionCounts::new(&labels).expect("one column"));
    round_trip(&chain().classes());
    round_trip(&chain().stationary_distributions());

    let x = Sequences::new(array![[0], [1], [2], [2], [0]], vec![3, 2]).expect("lengths");
    round_trip(&symbols());
    round_trip(&symbols().expected_sums(&x).expect("possible"));
    round_trip(&symbols().viterbi(&x).expect("possible"));
    round_trip(&symbols().ranked_paths(&x, 3).expect("possible"));
    let params =
        CategoricalHmm::params(2).symbol_pseudo_count(0.1).start_from(symbols()).mini_batches(1, 0.7);
    round_trip(&params);
    round_trip(&params.fit(&DatasetBase::new(x.clone(), ())).expect("possible"));

    let counts = even(Poisson::new(array![[1.0], [7.5]].view()).expect("rates"));
    round_trip(&counts);
    round_trip(&counts.expected_sums(&x).expect("possible"));
    round_trip(&PoissonHmm::params(2).rate_floor(1e-3));

    let x = Sequences::single(array![[0.1, 0.9], [1.5, 2.5], [2.0, 2.0]]).expect("rows");
    let full = even(measurements());
    round_trip(&full);
    round_trip(&full.expected_sums(&x).expect("possible"));
    let fitted = GaussianHmm::params(2).covariance(Covariance::Tied).fit(&DatasetBase::new(x, ()));
    round_trip(&fitted.expect("a fit"));
    let narrow = array![[0.25_f32, 0.5], [0.75, 0.1]];
    round_trip(&Gaussian::diagonal(narrow.view(), narrow.view()).expect("variances"));
    round_trip(&GaussianHmm::<f32>::params(3));
    round_trip(&even(mixture()));
    round_trip(&GaussianMixtureHmm::<f64>::params(3).n_components(4));
}

#[test]
fn a_changed_chain_is_refused() {
    let chain = chain();
    for (path, to, message) in [
        ("/states/labels/0", json!("a"), "`states` must be distinct"),
        ("/states/labels", json!([]), "at least one label"),
        ("/states/labels", json!(["a", "b"]), "2 first probabilities and rows"),
        ("/initial", json!([1.0]), "3 first probabilities and rows"),
        ("/initial/0", json!(-0.5), "at least 0, got -0.5"),
        ("/transitions/values/0", json!(0.5), "a sum of 1.25"),
        ("/transitions/values/0", json!(null), "null"),
        ("/transitions/columns/0", json!(3), "rows of ascending columns"),
        ("/transitions/columns/0", json!(1), "rows of ascending columns"),
        ("/transitions/starts/1", json!(9), "rows of ascending columns"),
        ("/transitions/starts", json!([]), "rows of ascending columns"),
        ("/transitions/starts", json!([0, 2, 4]), "rows of ascending columns"),
        ("/transitions/values", json!([]), "rows of ascending columns"),
    ] {
        let said = tampered(&chain, path, to);
        assert!(said.contains(message), "{path}: {said}");
    }
    let labels = Sequences::single(array![[1], [2], [1], [1]]).expect("rows");
    let counts = TransitionCounts::new(&labels).expect("one column");
    assert!(tampered(&counts, "/first/0", json!(u64::MAX)).contains("at most 2^64"));
    assert!(tampered(&counts, "/first", json!([1])).contains("2 first states and rows"));
}

#[test]
fn a_changed_model_is_refused() {
    let model = symbols();
    for (path, to, message) in [
        ("/initial/data/0", json!(0.7), "a sum of 1.2"),
        ("/initial", json!({"v": 1, "dim": [1], "data": [1.0]}), "2 states, got 1"),
        ("/transition/data/0", json!(-0.9), "at least 0, got -0.9"),
        ("/transition", json!({"v": 1, "dim": [1, 2], "data": [0.5, 0.5]}), "got 1 x 2"),
        ("/emission/b/0", json!(0.75), "a sum of 1.25"),
        ("/emission/b", json!([]), "at least one row"),
        ("/emission/b", json!([0.5, 0.5, 1.0]), "rows of 2 states"),
        ("/emission/n_states", json!(0), "rows of 0 states"),
        ("/emission/n_states", json!(u64::MAX), "rows of 18446744073709551615 states"),
        ("/labels", json!([1]), "2 states, got 1"),
    ] {
        let said = tampered(&model, path, to);
        assert!(said.contains(message), "{path}: {said}");
    }
    let counts = even(Poisson::new(array![[1.0], [7.5]].view()).expect("rates"));
    assert!(tampered(&counts, "/emission/rates/data/0", json!(0.0)).contains("greater than 0"));
    let full = measurements();
    assert!(tampered(&full, "/spreads/data/0", json!(-2.0)).contains("positive definite"));
    assert!(tampered(&full, "/covariance", json!("Diagonal")).contains("a Diagonal one"));
    assert!(
        tampered(&full, "/means", json!({"v": 1, "dim": [1, 2], "data": [0.0, 0.0]})).contains("1 states")
    );
    assert!(tampered(&mixture(), "/weights/data/0", json!(0.25)).contains("a sum of 0.75"));
    assert!(tampered(&even(mixture()), "/emission/weights/data/0", json!(0.25)).contains("a sum of 0.75"));
    // NaN has no JSON; postcard holds it.
    let mut bytes = postcard::to_allocvec(&array![0.5, 0.5]).expect("it can be stored");
    let at = bytes.len() - 8;
    bytes[at..].copy_from_slice(&f64::NAN.to_le_bytes());
    let stored = postcard::to_allocvec(&model).expect("it can be stored");
    let place = bytes.len();
    let with_nan = [&bytes[..], &stored[place..]].concat();
    assert!(postcard::from_bytes::<CategoricalHmm>(&with_nan).is_err());
}

#[test]
fn changed_sums_are_refused_or_do_not_fit() {
    let x = Sequences::single(array![[0.1, 0.9], [1.5, 2.5], [2.0, 2.0]]).expect("rows");
    let sums = even(measurements()).expected_sums(&x).expect("possible");
    assert!(
        tampered(&sums, "/transitions", json!({"v": 1, "dim": [1, 2], "data": [0.0, 0.0]}))
            .contains("2 rows")
    );
    assert!(tampered(&sums, "/emission/weights", json!([1.0])).contains("2 states and 2 features"));
    // Whole sums of another model are told when they are used.
    let other = even(
        Gaussian::diagonal(array![[0.0], [1.0]].view(), Array2::ones((2, 1)).view()).expect("variances"),
    );
    let error = GaussianHmm::params(2).maximized(&other, &sums).expect_err("another width").to_string();
    assert!(error.contains("the sizes of a model of 2 states"), "{error}");
    let mut stored = serde_json::to_value(HmmSums::zero(&symbols())).expect("it can be stored");
    stored["emission"] = json!([1.0]);
    let short: HmmSums<Categorical> = serde_json::from_value(stored).expect("its own sizes agree");
    assert!(CategoricalHmm::params(2).maximized(&symbols(), &short).is_err());
}
