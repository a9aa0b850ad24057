//! hmmlearn's answers, from fixtures/hmm.json: score, posteriors, backward probabilities, paths and ten rounds of EM for every emission.

use sapwood::data::Sequences;
use sapwood::hmm::{Categorical, Covariance, Emission, Gaussian, GaussianMixture, HmmParams, Poisson};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array1, Array2, Array3};
use sapwood::{CategoricalHmm, GaussianHmm, GaussianMixtureHmm, Hmm, Params, PoissonHmm};
use serde_json::Value;

type AnyError = Box<dyn std::error::Error>;

fn numbers(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(values) => values.iter().flat_map(numbers).collect(),
        value => vec![value.as_f64().expect("a number")],
    }
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows = value.as_array().expect("rows").len();
    let flat = numbers(value);
    Array2::from_shape_vec((rows, flat.len() / rows), flat).expect("rows of one length")
}

fn counts(value: &Value) -> Array2<usize> {
    matrix(value).mapv(|v| v as usize)
}

/// Differs by at most 1e-10, relative where it is large.
fn assert_near<'a>(name: &str, found: impl IntoIterator<Item = &'a f64>, expected: &Value) {
    let (found, expected): (Vec<&f64>, _) = (found.into_iter().collect(), numbers(expected));
    assert_eq!(found.len(), expected.len(), "{name}");
    for (a, b) in found.into_iter().zip(expected) {
        assert!((a - b).abs() <= 1e-10 * b.abs().max(1.0), "{name}: {a} {b}");
    }
}

fn read() -> Result<Value, AnyError> {
    Ok(serde_json::from_str(include_str!("fixtures/hmm.json"))?)
}

/// The model of the parameters at `at`, with the emission that `of` makes of them.
fn model<E: Emission<Float = f64>>(at: &Value, of: impl Fn(&Value) -> E) -> sapwood::Result<Hmm<E>> {
    Hmm::new(Array1::from(numbers(&at["startprob"])), matrix(&at["transmat"]), of(at))
}

fn check<E: Emission<Float = f64>>(
    case: &Value,
    lengths: &[usize],
    x: Array2<E::Elem>,
    of: impl Fn(&Value) -> E,
    fit: impl Fn(Params<HmmParams<E>>) -> Params<HmmParams<E>>,
    same: impl Fn(&E, &Value),
) -> Result<(), AnyError> {
    let truth = model(&case["model"], &of)?;
    let x = Sequences::new(x, lengths.to_vec())?;
    assert_near("score", [&truth.score(&x)?], &case["score"]);
    assert_near("posteriors", &truth.posteriors(&x)?, &case["posteriors"]);
    assert_near("backward", &truth.backward(&x)?, &case["backward"]);
    let path = truth.viterbi(&x)?;
    assert_eq!(path.states.mapv(|state| state as f64).to_vec(), numbers(&case["path"]));
    assert_near("log_probability", [&path.log_probabilities.sum()], &case["log_probability"]);
    let start = model(&case["start"], &of)?;
    let params = Hmm::<E>::params(truth.n_states()).start_from(start).max_iter(10).tol(0.0);
    let dataset = DatasetBase::new(x, ());
    let fitted = fit(params).fit(&dataset)?;
    let course = &fitted.report().expect("a fitted model").objectives;
    let history = numbers(&case["history"]);
    assert_near("history", &course[..10], &Value::from(history));
    assert_near("fitted score", [&course[10]], &case["fitted_score"]);
    assert_near("startprob", fitted.initial(), &case["fitted"]["startprob"]);
    assert_near("transmat", fitted.transition(), &case["fitted"]["transmat"]);
    same(fitted.emission(), &case["fitted"]);
    Ok(())
}

fn gaussian(at: &Value, shape: Covariance) -> Gaussian<f64> {
    let (means, flat) = (matrix(&at["means"]), numbers(&at["covars"]));
    let (k, d) = means.dim();
    match shape {
        // hmmlearn repeats the variance for each feature once it was set.
        Covariance::Spherical => {
            let variances: Array1<f64> = flat.chunks(flat.len() / k).map(|row| row[0]).collect();
            Gaussian::spherical(means.view(), variances.view())
        }
        Covariance::Diagonal => Gaussian::diagonal(means.view(), matrix(&at["covars"]).view()),
        Covariance::Full => {
            Gaussian::full(means.view(), Array3::from_shape_vec((k, d, d), flat).expect("k x d x d").view())
        }
        Covariance::Tied => Gaussian::tied(means.view(), matrix(&at["covars"]).view()),
    }
    .expect("a regular covariance")
}

#[test]
fn every_emission_answers_as_hmmlearn_does() -> Result<(), AnyError> {
    let all = read()?;
    let lengths: Vec<usize> = numbers(&all["lengths"]).into_iter().map(|n| n as usize).collect();
    let mut seen = 0;
    for case in all["cases"].as_array().expect("cases") {
        seen += 1;
        let kind = case["kind"].as_str().expect("a name");
        match kind {
            "categorical" => check(
                case,
                &lengths,
                counts(&case["x"]),
                |at| Categorical::new(matrix(&at["emissionprob"]).view()).expect("probabilities"),
                |params: Params<HmmParams<Categorical>>| params,
                |emission, at| assert_near(kind, &emission.probabilities(), &at["emissionprob"]),
            )?,
            "poisson" => check(
                case,
                &lengths,
                counts(&case["x"]),
                |at| Poisson::new(matrix(&at["lambdas"]).view()).expect("rates"),
                |params: Params<HmmParams<Poisson>>| params,
                |emission, at| assert_near(kind, emission.rates(), &at["lambdas"]),
            )?,
            "mixture" => check(
                case,
                &lengths,
                matrix(&case["x"]),
                |at| {
                    let flat = |name: &str| {
                        let flat = numbers(&at[name]);
                        Array2::from_shape_vec((6, flat.len() / 6), flat).expect("three states of two")
                    };
                    let components = Gaussian::diagonal(flat("means").view(), flat("covars").view());
                    let weights = matrix(&at["weights"]);
                    GaussianMixture::new(weights.view(), components.expect("variances")).expect("weights")
                },
                |params: Params<HmmParams<GaussianMixture<f64>>>| params,
                |emission, at| {
                    assert_near(kind, emission.weights(), &at["weights"]);
                    assert_near(kind, emission.components().means(), &at["means"]);
                    let covariances = emission.components().covariances();
                    let variances = covariances.outer_iter().flat_map(|c| c.diag().to_vec());
                    assert_near(kind, &variances.collect::<Vec<f64>>(), &at["covars"]);
                },
            )?,
            shape => {
                let shape = match shape {
                    "spherical" => Covariance::Spherical,
                    "diag" => Covariance::Diagonal,
                    "full" => Covariance::Full,
                    "tied" => Covariance::Tied,
                    other => panic!("an emission without a test: {other}"),
                };
                check(
                    case,
                    &lengths,
                    matrix(&case["x"]),
                    |at| gaussian(at, shape),
                    |params: Params<HmmParams<Gaussian<f64>>>| params.covariance(shape),
                    |emission, at| {
                        let expected = gaussian(at, shape);
                        assert_near(kind, emission.means(), &at["means"]);
                        let flat = Value::from(expected.covariances().into_iter().collect::<Vec<f64>>());
                        assert_near(kind, &emission.covariances(), &flat);
                    },
                )?;
            }
        }
    }
    assert_eq!(seen, 7);
    Ok(())
}

/// The names of the models, each with its own setters.
#[test]
fn the_named_models_have_their_setters() {
    let _ = CategoricalHmm::params(2).n_symbols(3).symbol_pseudo_count(1.0);
    let _ = PoissonHmm::params(2).rate_floor(1e-3).rate_prior(2.0, 1.0);
    let _ = GaussianHmm::<f32>::params(2).covariance(Covariance::Full).covariance_prior(0.1, 1.0);
    let _ = GaussianMixtureHmm::<f64>::params(2).n_components(3).covariance_floor(1e-3);
}
