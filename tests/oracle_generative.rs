//! Discriminant analysis, naive Bayes and scores against scikit-learn; numbers by `fixtures/make_logistic.py`.

use std::collections::HashMap;

use linfa_bayes::{BernoulliNb, GaussianNb, MultinomialNb, NaiveBayes};
use ndarray::{Array1, Array2, Axis, array};
use rand::SeedableRng;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::Dataset;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::score::{self, Thresholds};
use sapwood::{CategoricalNb, LinearDiscriminant, QuadraticDiscriminant, ndarray};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/logistic.json")).unwrap()
}

fn vector(value: &Value) -> Array1<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Array1<f64>> = value.as_array().unwrap().iter().map(vector).collect();
    ndarray::stack(Axis(0), &rows.iter().map(Array1::view).collect::<Vec<_>>()).unwrap()
}

fn labels(value: &Value) -> Array1<usize> {
    value.as_array().unwrap().iter().map(|v| v.as_u64().unwrap() as usize).collect()
}

#[track_caller]
fn close(a: f64, b: &Value, tolerance: f64) {
    let b = b.as_f64().unwrap();
    assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b} to {tolerance:e}");
}

#[track_caller]
fn all_close(a: &Array2<f64>, b: &Array2<f64>, tolerance: f64) {
    assert_eq!(a.dim(), b.dim());
    assert!(a.iter().zip(b).all(|(a, b)| (a - b).abs() <= tolerance * b.abs().max(1.0)), "{a}\n{b}");
}

#[test]
fn discriminants_equal_scikit_learns_on_iris() {
    let fixture = fixture();
    let (x, y) = (matrix(&fixture["iris"]["x"]), labels(&fixture["iris"]["y"]));
    let data = Dataset::new(x.clone(), y.clone());
    let expected = &fixture["generative"];
    for (shrinkage, loss, coefficients) in [
        (Shrinkage::None, "lda_log_loss", "lda_coefficients"),
        (Shrinkage::Ball(0.3), "lda_shrunk_log_loss", "lda_shrunk_coefficients"),
        (Shrinkage::LedoitWolf, "lda_auto_log_loss", "lda_auto_coefficients"),
    ] {
        let model = LinearDiscriminant::params().shrinkage(shrinkage).fit(&data).unwrap();
        let p = model.predict_proba(&x).unwrap();
        close(score::log_loss(y.view(), p.view()).unwrap(), &expected[loss], 1e-10);
        all_close(&model.coefficients().0, &matrix(&expected[coefficients]), 1e-9);
    }
    close(
        score::log_loss(
            y.view(),
            LinearDiscriminant::params().fit(&data).unwrap().predict_proba(&x).unwrap().view(),
        )
        .unwrap(),
        &Value::from(0.043_717_060_1),
        1e-9,
    );
    for (shrinkage, loss) in
        [(Shrinkage::None, "qda_log_loss"), (Shrinkage::Unit(0.2), "qda_regularised_log_loss")]
    {
        let model = QuadraticDiscriminant::params().shrinkage(shrinkage).fit(&data).unwrap();
        let p = model.predict_proba(&x).unwrap();
        close(score::log_loss(y.view(), p.view()).unwrap(), &expected[loss], 1e-10);
        if shrinkage == Shrinkage::None {
            let tenth: Vec<usize> = (0..150).step_by(10).collect();
            all_close(&p.select(Axis(0), &tenth), &matrix(&expected["qda_proba_every_tenth"]), 1e-10);
        }
    }
}

#[test]
fn the_linear_form_gives_the_same_probabilities() {
    let fixture = fixture();
    let (x, y) = (matrix(&fixture["iris"]["x"]), labels(&fixture["iris"]["y"]));
    let model = LinearDiscriminant::params().fit(&Dataset::new(x.clone(), y)).unwrap();
    let (w, b) = model.coefficients();
    let mut p = x.dot(&w.t()) + &b;
    for mut row in p.rows_mut() {
        sapwood::math::softmax(row.as_slice_mut().unwrap());
    }
    all_close(&p, &model.predict_proba(&x).unwrap(), 1e-10);
}

#[test]
fn samples_have_the_mean_and_covariance_of_their_class() {
    let fixture = fixture();
    let (x, y) = (matrix(&fixture["iris"]["x"]), labels(&fixture["iris"]["y"]));
    let model = QuadraticDiscriminant::params().fit(&Dataset::new(x, y)).unwrap();
    let mut rng = rand_xoshiro::Xoshiro256PlusPlus::seed_from_u64(3);
    let n = 20_000;
    let drawn = model.sample(&1, n, &mut rng).unwrap();
    let mean = drawn.mean_axis(Axis(0)).unwrap();
    let centred = &drawn - &mean;
    let covariance = centred.t().dot(&centred) / n as f64;
    // Four standard errors of a mean, and about as much for a covariance.
    let allowed = 4.0 * 0.6 / (n as f64).sqrt();
    assert!(mean.iter().zip(model.means().row(1)).all(|(a, b)| (a - b).abs() < allowed));
    assert!(covariance.iter().zip(&model.covariances()[1]).all(|(a, b)| (a - b).abs() < allowed));
    assert!(model.sample(&7, 1, &mut rng).is_err());
    for n in [usize::MAX, usize::MAX / 16 / model.means().ncols()] {
        let error = model.sample(&1, n, &mut rng).unwrap_err().to_string();
        assert_eq!(error, format!("`n` must be few enough rows for memory, got {n}"));
    }
    assert!(model.marginal(&[]).is_err() && model.marginal(&[4]).is_err());
}

#[test]
fn singular_covariances_are_errors_and_shrinkage_helps() {
    let x = array![[0.0, 0.0], [1.0, 1.0], [2.0, 2.0], [3.0, 3.0]];
    let data = Dataset::new(x, array![0_usize, 0, 1, 1]);
    let error = LinearDiscriminant::params().fit(&data).unwrap_err().to_string();
    assert!(error.starts_with("`shrinkage` must be large enough"), "{error}");
    assert!(QuadraticDiscriminant::params().fit(&data).is_err());
    let model = LinearDiscriminant::params().shrinkage(Shrinkage::Ball(0.1)).fit(&data).unwrap();
    assert_eq!(model.predict(data.records()), array![0, 0, 1, 1]);
    // A class with one row.
    let data = Dataset::new(array![[0.0], [1.0], [5.0]], array![0_usize, 0, 1]);
    assert!(QuadraticDiscriminant::params().fit(&data).is_err());
    assert!(QuadraticDiscriminant::params().shrinkage(Shrinkage::Unit(0.1)).fit(&data).is_ok());
    assert!(LinearDiscriminant::params().shrinkage(Shrinkage::Ball(f64::NAN)).fit(&data).is_err());
    let bad = Dataset::new(array![[0.0], [f64::NAN]], array![0_usize, 1]);
    assert!(LinearDiscriminant::params().fit(&bad).unwrap_err().to_string().contains("finite"));
    let one = Dataset::new(array![[0.0], [1.0]], array![0_usize, 0]);
    assert!(LinearDiscriminant::params().fit(&one).unwrap_err().to_string().contains("two classes"));
    let huge = Dataset::new(array![[1e308], [-1e308], [0.0]], array![0_usize, 0, 1]);
    assert!(LinearDiscriminant::params().fit(&huge).is_err());
}

#[test]
fn weights_count_like_repeated_rows() {
    let x = array![[0.0, 1.0], [1.0, 0.5], [2.0, 2.0], [4.0, 3.0], [5.0, 5.5], [4.5, 3.0]];
    let y = array![0_usize, 0, 0, 1, 1, 1];
    let weighted = Dataset::new(x.clone(), y.clone()).with_weights(array![1.0, 2.0, 1.0, 1.0, 3.0, 1.0]);
    let repeated = [0, 1, 1, 2, 3, 4, 4, 4, 5];
    let repeated = Dataset::new(x.select(Axis(0), &repeated), y.select(Axis(0), &repeated));
    let fit = |data| QuadraticDiscriminant::params().fit(data).unwrap().predict_proba(&x).unwrap();
    all_close(&fit(&weighted), &fit(&repeated), 1e-12);
    let fit = |data| LinearDiscriminant::params().fit(data).unwrap().predict_proba(&x).unwrap();
    all_close(&fit(&weighted), &fit(&repeated), 1e-12);
}

#[test]
fn categorical_naive_bayes_equals_scikit_learns_on_digits() {
    let fixture = fixture();
    let lines: Vec<&[u8]> = include_str!("fixtures/digits.txt").lines().map(str::as_bytes).collect();
    let digit = |c: u8| (c as char).to_digit(17).unwrap() as usize;
    let x = Array2::from_shape_fn((lines.len(), 64), |(i, j)| digit(lines[i][j]));
    let y: Array1<usize> = lines.iter().map(|line| digit(line[65])).collect();
    let model = CategoricalNb::params().min_categories(17).fit(&Dataset::new(x.clone(), y.clone())).unwrap();
    let p = model.predict_proba(&x).unwrap();
    close(score::accuracy(y.view(), p.view()).unwrap(), &fixture["digits"]["categorical_nb_accuracy"], 1e-12);
    close(score::log_loss(y.view(), p.view()).unwrap(), &fixture["digits"]["categorical_nb_log_loss"], 1e-10);
    let right = model.predict(&x).iter().zip(&y).filter(|(a, b)| a == b).count();
    close(right as f64 / 1797.0, &fixture["digits"]["categorical_nb_accuracy"], 1e-12);
    assert!(model.predict_proba(&Array2::from_elem((1, 64), 17)).is_err());
    assert!(model.predict_proba(&Array2::zeros((1, 63))).is_err());
    let bomb = Dataset::new(array![[usize::MAX], [0]], array![0_usize, 1]);
    assert!(CategoricalNb::params().fit(&bomb).is_err());
    assert!(CategoricalNb::params().alpha(0.0).fit(&Dataset::new(x, y)).is_err());
}

/// Probabilities from the joint log-likelihoods of linfa's models. Its own `predict_proba` exponentiates them as they are: 0 / 0 on digits.
fn normalised(joint: &HashMap<&usize, Array1<f64>>) -> Array2<f64> {
    let (n, k) = (joint[&0].len(), joint.len());
    let mut p = Array2::from_shape_fn((n, k), |(i, c)| joint[&c][i]);
    for mut row in p.rows_mut() {
        let top = row.fold(f64::NEG_INFINITY, |a, &v| a.max(v));
        row.mapv_inplace(|v| (v - top).exp());
        let sum = row.sum();
        row /= sum;
    }
    p
}

#[test]
fn naive_bayes_of_linfa_equals_scikit_learns_as_the_guide_says() {
    let fixture = fixture();
    let iris = &fixture["iris"];
    let (x, y) = (matrix(&iris["x"]), labels(&iris["y"]));
    let model = GaussianNb::params().fit(&Dataset::new(x.clone(), y.clone())).unwrap();
    let p = normalised(&model.joint_log_likelihood(x.view()));
    close(score::log_loss(y.view(), p.view()).unwrap(), &fixture["generative"]["gaussian_nb_log_loss"], 1e-9);

    let lines: Vec<&[u8]> = include_str!("fixtures/digits.txt").lines().map(str::as_bytes).collect();
    let digit = |c: u8| (c as char).to_digit(17).unwrap() as usize;
    let x = Array2::from_shape_fn((lines.len(), 64), |(i, j)| digit(lines[i][j]) as f64);
    let y: Array1<usize> = lines.iter().map(|line| digit(line[65])).collect();
    let data = Dataset::new(x.clone(), y.clone());
    let check = |name: &str, p: Array2<f64>| {
        let expected = |what: &str| &fixture["digits"][format!("{name}_nb_{what}")];
        close(score::accuracy(y.view(), p.view()).unwrap(), expected("accuracy"), 1e-12);
        close(score::log_loss(y.view(), p.view()).unwrap(), expected("log_loss"), 1e-9);
    };
    let model = MultinomialNb::params().fit(&data).unwrap();
    check("multinomial", normalised(&model.joint_log_likelihood(x.view())));
    let model = BernoulliNb::params().binarize(Some(8.0)).fit(&data).unwrap();
    // Its own cut is made in `predict` alone.
    let cut = x.mapv(|v| f64::from(u8::from(v > 8.0)));
    check("bernoulli", normalised(&model.joint_log_likelihood(cut.view())));
}

#[test]
fn scores_equal_scikit_learns() {
    let fixture = fixture();
    let case = &fixture["scores"];
    let truth = labels(&case["truth"]);
    let positive: Vec<bool> = truth.iter().map(|&y| y == 1).collect();
    let scores = vector(&case["scores"]).to_vec();
    let curve = Thresholds::new(&positive, &scores).unwrap();
    let (fpr, tpr): (Vec<f64>, Vec<f64>) = curve.roc().into_iter().unzip();
    let same =
        |a: &[f64], b: &[f64]| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-14);
    assert!(same(&fpr, &vector(&case["fpr"]).to_vec()) && same(&tpr, &vector(&case["tpr"]).to_vec()));
    close(curve.roc_auc(), &case["auc"], 1e-14);
    close(curve.average_precision(), &case["average_precision"], 1e-14);
    // scikit-learn lists the curve from the lowest threshold up, with (recall 0, precision 1) behind.
    let (mut recall, mut precision): (Vec<f64>, Vec<f64>) = curve.precision_recall().into_iter().unzip();
    recall.reverse();
    precision.reverse();
    recall.push(0.0);
    precision.push(1.0);
    assert!(same(&recall, &vector(&case["recall"]).to_vec()));
    assert!(same(&precision, &vector(&case["precision"]).to_vec()));
    let smooth = vector(&case["smooth"]);
    let p = Array2::from_shape_fn((60, 2), |(i, c)| if c == 1 { smooth[i] } else { 1.0 - smooth[i] });
    close(score::log_loss(truth.view(), p.view()).unwrap(), &case["log_loss"], 1e-14);
    close(score::brier(truth.view(), p.view()).unwrap() / 2.0, &case["brier"], 1e-14);
    let (p, truth) = (matrix(&case["proba3"]), labels(&case["truth3"]));
    close(score::log_loss(truth.view(), p.view()).unwrap(), &case["log_loss3"], 1e-12);
    close(score::brier(truth.view(), p.view()).unwrap(), &case["brier3"], 1e-14);
    close(score::roc_auc(truth.view(), p.view()).unwrap(), &case["auc3"], 1e-14);
    let bins = score::reliability(&positive, &smooth.to_vec(), 10).unwrap();
    assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), 60);
}
