//! What hostile input gets from logistic regression, its generative counterparts, optimisers and searches: an error that names it, or the answer
//! that the definition gives. Beyond these, `contract.rs` holds for every model what is common to all.

use sapwood::data::Csr;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::traits::{Fit, FitWith, Predict};
use sapwood::linfa::{Dataset, DatasetBase};
use sapwood::logistic::{ChunkedFit, LogisticRegressionParams, Outcome, Solver};
use sapwood::ndarray::{Array1, Array2, ArrayView2, Axis, ShapeBuilder, array, s};
use sapwood::optim::{Adam, Clip, MiniBatches, RmsProp, Rule, Sgd, State, clip_norm, clip_value, init};
use sapwood::select::{Range, grid_search, k_folds, random_search, stratified_folds};
use sapwood::sprs::CsMat;
use sapwood::{
    CategoricalNb, Error, Float, LinearDiscriminant, LogisticRegression, QuadraticDiscriminant, Result,
};

fn message<T>(result: Result<T>) -> String {
    result.err().expect("refused").to_string()
}

/// The message of every fit of this file that takes numbers.
fn messages<F: Float>(x: ArrayView2<'_, F>, y: &Array1<usize>) -> Vec<String> {
    let data = DatasetBase::new(x, y.clone());
    let regression = LogisticRegression::params;
    vec![
        message(regression().fit(&data)),
        message(regression().l1_ratio(0.5).fit(&data)),
        message(regression().solver(Solver::Lbfgs).fit(&data)),
        message(regression().solver(Solver::SampledNewton).fit(&data)),
        message(regression().solver(sgd(0.1)).fit(&data)),
        message(LinearDiscriminant::params().shrinkage(Shrinkage::Ball(0.1)).fit(&data)),
        message(QuadraticDiscriminant::params().shrinkage(Shrinkage::Ball(0.1)).fit(&data)),
    ]
}

/// What every fit of this file answers for its own rows.
fn answers<F: Float>(x: ArrayView2<'_, F>, y: &Array1<usize>) -> Vec<Array1<usize>> {
    let data = DatasetBase::new(x, y.clone());
    let lasso = LogisticRegression::params().l1_ratio(0.5).fit(&data).expect("valid");
    let linear = LinearDiscriminant::params().shrinkage(Shrinkage::Ball(0.1)).fit(&data).expect("valid");
    let own = QuadraticDiscriminant::params().shrinkage(Shrinkage::Ball(0.1)).fit(&data).expect("valid");
    let ridge = LogisticRegression::params().fit(&data).expect("valid");
    vec![ridge.predict(&x), lasso.predict(&x), linear.predict(&x), own.predict(&x)]
}

fn sgd(learning_rate: f64) -> Solver {
    Solver::Stochastic { rule: Sgd::default().into(), learning_rate, batch_size: 8, seed: 0 }
}

/// Forty rows of two features, in two classes that overlap.
fn rows() -> (Array2<f64>, Array1<usize>) {
    let x = Array2::from_shape_fn((40, 2), |(i, k)| ((i * (7 + 4 * k) + i * i) % 23) as f64 / 4.0);
    let y = (0..40).map(|i| usize::from(x[[i, 0]] + ((i * 5) % 7) as f64 / 2.0 > x[[i, 1]] + 1.0)).collect();
    (x, y)
}

fn discriminants() -> (LinearDiscriminant<usize>, QuadraticDiscriminant<usize>) {
    let (x, y) = rows();
    let data = DatasetBase::new(x, y);
    (
        LinearDiscriminant::params().fit(&data).expect("valid"),
        QuadraticDiscriminant::params().fit(&data).expect("valid"),
    )
}

// ---- all fits ----

#[test]
fn n03_n06_discriminants_answer_for_no_row_that_is_not_a_number_or_far_beyond_all() {
    let (linear, own) = discriminants();
    for (bad, text) in [
        (f64::NAN, "`x` must be finite, got NaN in row 1, column 0"),
        (f64::NEG_INFINITY, "`x` must be finite, got -inf in row 1, column 0"),
        (
            1e300,
            "`x` must be near enough to the means for the square of a distance to be a number, got row 1",
        ),
    ] {
        let x = array![[1.0, 2.0], [bad, 2.0]];
        assert_eq!(message(linear.predict_proba(&x)), text);
        assert_eq!(message(own.predict_proba(&x)), text);
    }
}

#[test]
fn n01_n02_zero_rows_or_columns_are_refused() {
    for (shape, text) in [((0, 3), "0 x 3"), ((4, 0), "4 x 0")] {
        let y = Array1::zeros(shape.0);
        for error in messages(Array2::<f64>::zeros(shape).view(), &y) {
            assert_eq!(error, format!("`records` must have at least one row and one column, got {text}"));
        }
        assert!(CategoricalNb::params().fit(&Dataset::new(Array2::zeros(shape), y)).is_err());
    }
}

#[test]
fn n03_n04_n05_nan_and_infinities_are_named_with_row_and_column() {
    for (bad, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let (mut x, y) = rows();
        x[[39, 0]] = bad;
        x[[31, 1]] = bad;
        let expected = format!("`records` must be finite, got {name} in row 31, column 1");
        for text in messages(x.view(), &y).into_iter().chain(messages(x.mapv(|v| v as f32).view(), &y)) {
            assert_eq!(text, expected);
        }
    }
}

#[test]
fn n03_a_prediction_for_nan_is_refused() {
    let (x, y) = rows();
    let data = DatasetBase::new(x.clone(), y);
    let model = LogisticRegression::params().fit(&data).expect("valid");
    for bad in [f64::NAN, f64::INFINITY] {
        let mut query = x.clone();
        query[[7, 1]] = bad;
        let expected = format!("`x` must be finite, got {bad} in row 7, column 1");
        assert_eq!(message(model.predict_proba(&query)), expected);
        assert_eq!(message(model.decision_function(&query)), expected);
    }
}

/// Large sets are looked at on the way, not beforehand; a bad value in any of their rows is found all the same.
#[test]
fn n03_a_single_nan_among_many_rows_is_named() {
    for row in [0, 12_345, 39_999] {
        let mut x = Array2::from_shape_fn((40_000, 3), |(i, k)| ((i * (7 + 4 * k) + i * i % 13) % 23) as f64);
        let y = (0..40_000).map(|i| (i * 7 % 5) % 2).collect::<Array1<usize>>();
        x[[row, 2]] = f64::NAN;
        let text = message(LogisticRegression::params().fit(&DatasetBase::new(x, y)));
        assert_eq!(text, format!("`records` must be finite, got NaN in row {row}, column 2"));
    }
}

#[test]
fn n06_numbers_whose_squares_overflow_are_refused() {
    for huge in [1e308, -1e308, 1e200] {
        let (mut x, y) = rows();
        x[[3, 1]] = huge;
        for text in messages(x.view(), &y) {
            assert!(text.starts_with("`records` must have values"), "{text}");
        }
    }
}

#[test]
fn n07_subnormal_numbers_are_as_good_as_zeros() {
    let (mut x, y) = rows();
    x[[3, 1]] = f64::from_bits(1);
    x[[4, 1]] = -1e-310;
    let mut zeros = x.clone();
    zeros[[3, 1]] = 0.0;
    zeros[[4, 1]] = 0.0;
    assert_eq!(answers(x.view(), &y), answers(zeros.view(), &y));
}

#[test]
fn n08_n49_one_row_or_one_class_is_refused() {
    for text in messages(array![[1.0, 2.0]].view(), &array![0]) {
        assert_eq!(text, "`targets` must have at least two classes, got 1");
    }
    let (x, y) = rows();
    for text in messages(x.view(), &y.mapv(|_| 7)) {
        assert_eq!(text, "`targets` must have at least two classes, got 1");
    }
    let model = CategoricalNb::params().fit(&Dataset::new(array![[0_usize], [1]], array![3_usize, 3]));
    assert_eq!(model.expect("one class is a distribution").predict(&array![[1]]), array![3]);
}

#[test]
fn n09_every_memory_layout_gives_the_same_answers() {
    let (x, y) = rows();
    let expected = answers(x.view(), &y);
    let turned = x.slice(s![..;-1, ..;-1]).to_owned();
    let mut fortran = Array2::zeros((40, 2).f());
    fortran.assign(&x);
    let mut sparse = Array2::from_elem((80, 5), f64::NAN);
    sparse.slice_mut(s![1..;2, ..;3]).assign(&x);
    for view in [turned.slice(s![..;-1, ..;-1]), fortran.view(), sparse.slice(s![1..;2, ..;3])] {
        assert_eq!(answers(view, &y), expected);
    }
}

/// Equal rows say nothing about the classes: every model answers with the more frequent one.
#[test]
fn n10_a_broadcast_view_is_equal_rows() {
    let row = array![1.0, 2.0];
    let x = row.broadcast((5, 2)).expect("rows without a stride");
    let data = DatasetBase::new(x, array![0_usize, 1, 1, 0, 1]);
    for params in [LogisticRegression::params(), LogisticRegression::params().l1_ratio(1.0)] {
        assert_eq!(params.fit(&data).expect("valid").predict(&x), array![1, 1, 1, 1, 1]);
    }
    let text = message(LinearDiscriminant::params().fit(&data));
    assert!(text.starts_with("`shrinkage` must be large enough"), "{text}");
    let params = QuadraticDiscriminant::params().shrinkage(Shrinkage::Unit(0.5));
    assert_eq!(params.fit(&data).expect("valid").predict(&x), array![1, 1, 1, 1, 1]);
}

#[test]
fn n11_targets_of_another_length_are_refused() {
    let (x, y) = rows();
    for text in messages(x.view(), &y.slice(s![..7]).to_owned()) {
        assert_eq!(text, "`targets` must have one entry for each of the 40 rows, got 7");
    }
    let data = DatasetBase::new(array![[0_usize], [1]], array![0_usize, 1, 1]);
    assert_eq!(
        message(CategoricalNb::params().fit(&data)),
        "`targets` must have one entry for each of the 2 rows, got 3"
    );
}

#[test]
fn n12_n13_another_width_is_refused_and_no_rows_give_no_answers() {
    let (x, y) = rows();
    let data = DatasetBase::new(x, y);
    let regression = LogisticRegression::params().fit(&data).expect("valid");
    let (linear, own) = discriminants();
    let wide = Array2::<f64>::zeros((2, 3));
    let expected = "`x` must have 2 columns, as the model was fitted on, got 3";
    assert_eq!(message(regression.predict_proba(&wide)), expected);
    assert_eq!(message(regression.decision_function(&wide)), expected);
    assert_eq!(message(linear.predict_proba(&wide)), expected);
    assert_eq!(message(own.predict_proba(&wide)), expected);
    let none = Array2::<f64>::zeros((0, 2));
    assert_eq!(regression.predict_proba(&none).expect("valid").dim(), (0, 2));
    assert_eq!(linear.predict_proba(&none).expect("valid").dim(), (0, 2));
    assert_eq!(own.predict(&none), Array1::<usize>::zeros(0));
}

/// 0.1 in `f32` is another number: the fit is that of the numbers that are stored.
#[test]
fn n14_f32_rows_are_fitted_as_they_are_stored() {
    let (x, y) = rows();
    let narrow = (x * 0.1).mapv(|v| v as f32);
    let params = LogisticRegression::params().tol(1e-14);
    let a = params.fit(&DatasetBase::new(narrow.clone(), y.clone())).expect("valid");
    let b = params.fit(&DatasetBase::new(narrow.mapv(f64::from), y)).expect("valid");
    for (a, b) in a.coefficients().iter().zip(b.coefficients()) {
        assert!((f64::from(*a) - b).abs() <= 2e-7 * b.abs());
    }
}

#[test]
fn n15_n58_a_constant_feature_changes_nothing() {
    let (x, y) = rows();
    let with =
        |value: f64| Array2::from_shape_fn((40, 3), |(i, k)| if k == 1 { value } else { x[[i, k / 2]] });
    let wide = with(-7.25);
    for l1_ratio in [0.0, 0.5, 1.0] {
        let params = LogisticRegression::params().l1_ratio(l1_ratio).tol(1e-14);
        let narrow = params.fit(&DatasetBase::new(x.clone(), y.clone())).expect("valid");
        let model = params.fit(&DatasetBase::new(wide.clone(), y.clone())).expect("valid");
        assert!(model.coefficients()[[0, 1]].abs() < 1e-6, "{l1_ratio}");
        let (a, b) = (narrow.predict_proba(&x).expect("valid"), model.predict_proba(&wide).expect("valid"));
        assert!((a - b).iter().all(|v| v.abs() < 1e-6), "{l1_ratio}");
    }
    for zero in [0.0, -0.0] {
        let mut x = wide.clone();
        x.column_mut(1).fill(zero);
        let model = LogisticRegression::params().alpha(0.0).fit(&DatasetBase::new(x, y.clone()));
        assert_eq!(model.expect("valid").coefficients()[[0, 1]], 0.0);
    }
    // Forty tenths have no mean of exactly 0.1, and 1e16 / 3 lies where a unit in the last place is a half.
    let shrunk = LinearDiscriminant::params().shrinkage(Shrinkage::LedoitWolf);
    let probabilities = |x: Array2<f64>| {
        let model = shrunk.fit(&DatasetBase::new(x.clone(), y.clone())).expect("valid");
        model.predict_proba(&x).expect("valid")
    };
    let of_zeros = probabilities(with(0.0));
    for value in [-7.25, 0.1, 1e16 / 3.0] {
        let data = DatasetBase::new(with(value), y.clone());
        for text in [
            message(LinearDiscriminant::params().fit(&data)),
            message(QuadraticDiscriminant::params().fit(&data)),
        ] {
            assert!(text.starts_with("`shrinkage` must be large enough"), "{text}");
        }
        assert_eq!(probabilities(with(value)), of_zeros);
    }
}

// ---- logistic regression and generative models ----

#[test]
fn n50_separable_classes_without_a_penalty_are_an_error_that_says_so() {
    let x = Array2::from_shape_fn((30, 2), |(i, k)| if k == 0 { i as f64 } else { ((i * 7) % 11) as f64 });
    let y: Array1<usize> = (0..30).map(|i| i / 15).collect();
    for solver in
        [None, Some(Solver::Newton), Some(Solver::SampledNewton), Some(Solver::Lbfgs), Some(sgd(0.5))]
    {
        let params = LogisticRegression::params().alpha(0.0).require_convergence(false);
        let params = solver.map_or(params.clone(), |solver| params.solver(solver));
        let model = params.fit(&DatasetBase::new(x.clone(), y.clone())).expect("allowed");
        assert_eq!(model.report().outcome, Outcome::Separable, "{solver:?}");
        let text = message(params.require_convergence(true).fit(&DatasetBase::new(x.clone(), y.clone())));
        assert!(text.contains("separable"), "{text}");
    }
}

#[test]
fn n51_n55_n56_parameters_outside_their_domain_are_refused() {
    let (x, y) = rows();
    let data = DatasetBase::new(x, y);
    let error = |params: LogisticRegressionParams| message(params.fit(&data));
    let params = LogisticRegression::params;
    for (alpha, text) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::INFINITY, "inf")] {
        assert_eq!(
            error(params().alpha(alpha)),
            format!("`alpha` must be at least 0 and finite, got {text}")
        );
    }
    for ratio in [-0.1, 1.1, f64::NAN] {
        assert_eq!(
            error(params().l1_ratio(ratio)),
            format!("`l1_ratio` must be between 0 and 1, got {ratio}")
        );
    }
    assert_eq!(error(params().max_iter(0)), "`max_iter` must be at least 1, got 0");
    for tol in [0.0, -1e-3, f64::NAN] {
        assert_eq!(error(params().tol(tol)), format!("`tol` must be greater than 0 and finite, got {tol}"));
    }
    for shrinkage in [-0.1, 1.5, f64::NAN] {
        for kind in [Shrinkage::Ball(shrinkage), Shrinkage::Unit(shrinkage)] {
            let expected = format!("`shrinkage` must be between 0 and 1, got {shrinkage}");
            assert_eq!(message(LinearDiscriminant::params().shrinkage(kind).fit(&data)), expected);
            assert_eq!(message(QuadraticDiscriminant::params().shrinkage(kind).fit(&data)), expected);
        }
    }
    let counts = DatasetBase::new(array![[0_usize], [1]], array![0_usize, 1]);
    for alpha in [0.0, -1.0, 1e308, f64::NAN, f64::INFINITY] {
        let expected = format!("`alpha` must be greater than 0, at most 1e100, got {alpha}");
        assert_eq!(message(CategoricalNb::params().alpha(alpha).fit(&counts)), expected);
    }
    // The least of all, and a category that no class has seen.
    let least =
        CategoricalNb::params().alpha(f64::from_bits(1)).min_categories(3).fit(&counts).expect("valid");
    assert_eq!(least.predict_proba(&array![[2_usize]]).expect("a category"), array![[0.5, 0.5]]);
}

#[test]
fn n52_a_class_with_one_sample_has_probabilities_too() {
    let (x, mut y) = rows();
    y[11] = 2;
    let data = DatasetBase::new(x.clone(), y.clone());
    for params in [LogisticRegression::params(), LogisticRegression::params().l1_ratio(0.5)] {
        let p = params.fit(&data).expect("valid").predict_proba(&x).expect("valid");
        assert!(p.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-12));
    }
    assert!(LinearDiscriminant::params().fit(&data).is_ok(), "its covariance is that of all classes");
    let text = message(QuadraticDiscriminant::params().fit(&data));
    assert!(text.starts_with("`shrinkage` must be large enough"), "{text}");
}

#[test]
fn n53_collinear_columns_leave_the_probabilities_as_they_are() {
    let (x, y) = rows();
    let wide = Array2::from_shape_fn((40, 4), |(i, k)| match k {
        0 | 1 => x[[i, k]],
        2 => x[[i, 0]] + 2.0 * x[[i, 1]],
        _ => -3.0 * x[[i, 0]],
    });
    for solver in [Solver::Newton, Solver::SampledNewton, Solver::Lbfgs] {
        let params = LogisticRegression::params().alpha(0.0).tol(1e-14).solver(solver);
        let narrow = params.fit(&DatasetBase::new(x.clone(), y.clone())).expect("valid");
        let model = params.fit(&DatasetBase::new(wide.clone(), y.clone())).expect("valid");
        let (a, b) = (narrow.predict_proba(&x).expect("valid"), model.predict_proba(&wide).expect("valid"));
        assert!((a - b).iter().all(|v| v.abs() < 1e-6), "{solver:?}");
    }
}

#[test]
fn n54_labels_with_gaps_and_extremes_come_back() {
    let (x, y) = rows();
    let labels = y.mapv(|c| if c == 0 { usize::MAX } else { 7 });
    for answer in answers(x.view(), &labels) {
        assert!(answer.iter().all(|label| [7, usize::MAX].contains(label)));
    }
    let model = LogisticRegression::params().fit(&DatasetBase::new(x, labels)).expect("valid");
    assert_eq!(model.classes(), [7, usize::MAX]);
}

#[test]
fn n57_negative_and_all_zero_weights_are_refused() {
    let (x, y) = rows();
    for bad in [-1.0, f32::NAN, f32::INFINITY] {
        let mut weights = Array1::ones(40);
        weights[7] = bad;
        let data = Dataset::new(x.clone(), y.clone()).with_weights(weights);
        let expected = format!("`weights` must be at least 0 and finite, got {bad}");
        assert_eq!(message(LogisticRegression::params().fit(&data)), expected);
        assert_eq!(message(LogisticRegression::params().l1_ratio(1.0).fit(&data)), expected);
        assert_eq!(message(LinearDiscriminant::params().fit(&data)), expected);
    }
    let data = Dataset::new(x.clone(), y.clone()).with_weights(Array1::zeros(40));
    assert!(message(LogisticRegression::params().fit(&data)).starts_with("`weights` must be greater than 0"));
    assert!(
        message(QuadraticDiscriminant::params().fit(&data)).starts_with("`weights` must be greater than 0")
    );
    let data = Dataset::new(x, y).with_weights(Array1::ones(3));
    let expected = "`weights` must have one entry for each of the 40 rows, got 3";
    assert_eq!(message(LogisticRegression::params().fit(&data)), expected);
    assert_eq!(message(QuadraticDiscriminant::params().fit(&data)), expected);
}

// ---- optimisers and searches ----

#[test]
fn n61_learning_rates_that_lead_nowhere_are_refused() {
    let (x, y) = rows();
    let data = DatasetBase::new(x, y);
    for rate in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        let expected = format!("`learning_rate` must be greater than 0 and finite, got {rate}");
        for rule in [Rule::from(Sgd::default()), RmsProp::default().into(), Adam::default().into()] {
            let mut w = [1.0];
            assert_eq!(message(rule.update(rate, &mut w, &[1.0], &mut State::new())), expected);
            assert_eq!(w, [1.0]);
        }
        assert_eq!(message(LogisticRegression::params().solver(sgd(rate)).fit(&data)), expected);
    }
}

#[test]
fn n63_shares_of_one_and_more_are_refused() {
    for beta in [1.0, 1.5, -0.1, f64::NAN] {
        for (name, rule) in [
            ("momentum", Rule::from(Sgd { momentum: beta, ..Sgd::default() })),
            ("alpha", RmsProp { alpha: beta, ..RmsProp::default() }.into()),
            ("beta1", Adam { beta1: beta, ..Adam::default() }.into()),
            ("beta2", Adam { beta2: beta, ..Adam::default() }.into()),
        ] {
            let expected = format!("`{name}` must be in [0, 1), got {beta}");
            assert_eq!(message(rule.update(0.1, &mut [1.0], &[1.0], &mut State::new())), expected);
        }
    }
}

#[test]
fn n60_n64_batches_and_clips_of_nothing_are_refused() {
    for (n, size) in [(5, 0), (5, 6), (0, 1)] {
        assert!(MiniBatches::new(n, size, 0).is_err());
    }
    for max in [0.0, -1.0, f64::NAN] {
        let expected = format!("`clip` must be greater than 0, got {max}");
        let mut gradient = [3.0, 4.0];
        assert_eq!(message(clip_norm(&mut gradient, max)), expected);
        assert_eq!(message(clip_value(&mut gradient, max)), expected);
        assert_eq!(message(Clip::Norm(max).apply(&mut gradient)), expected);
        assert_eq!(gradient, [3.0, 4.0]);
    }
}

#[test]
fn n58_a_column_that_hides_the_intercept_is_no_silent_end() {
    // Sparse and chunked rows are not moved: the Hessian cannot tell such a column from the intercept.
    let x = Array2::from_shape_fn((600, 1), |(i, _)| 1.7e18 + i as f64 * 1e8);
    let y: Array1<usize> = (0..600).map(|i| usize::from((i * 7919) % 600 < 60 + 4 * i / 5)).collect();
    let thin = CsMat::csr_from_dense(x.view(), 0.0);
    let thin = DatasetBase::new(Csr::new(thin.view()).expect("valid"), y.clone());
    let text = message(LogisticRegression::params().fit(&thin));
    assert!(text.contains("not yet `tol`"), "{text}");
    let params = sapwood::linfa::ParamGuard::check(LogisticRegression::params()).expect("valid");
    let data = Dataset::new(x, y);
    let mut fit: Option<ChunkedFit<usize>> = None;
    let mut report = None;
    for _ in 0..5 {
        let mut chunks = params.fit_with(fit.take(), &data).expect("valid");
        report = Some(chunks.end_pass().expect("a pass"));
        fit = Some(chunks);
    }
    let report = report.expect("five passes");
    assert!(!report.converged(), "{report}");
}

#[test]
fn n66_n67_empty_and_huge_searches_are_refused() {
    let nothing = |_: &sapwood::select::Point| -> Result<Vec<f64>> { Ok(vec![0.0]) };
    assert!(grid_search(&[], nothing).is_err());
    assert!(grid_search(&[("a", vec![])], nothing).is_err());
    let long = vec![0.0; 10_000];
    assert_eq!(
        message(grid_search(&[("a", long.clone()), ("b", long.clone()), ("c", long)], nothing)),
        "`grid` must be of 1 to 1048576 cells, got 1000000000000 cells"
    );
    let ranges = [("a", Range::Uniform(0.0, 1.0))];
    assert_eq!(message(random_search(&ranges, 0, 0, nothing)), "`n_points` must be from 1 to 2^20, got 0");
    assert!(random_search(&ranges, usize::MAX, 0, nothing).is_err());
    for k in [0, 1, 41, usize::MAX] {
        assert!(k_folds(40, k, 0).is_err() && stratified_folds(rows().1.view(), k, 0).is_err());
    }
}

#[test]
fn n68_first_values_without_inputs_and_outputs_are_refused() {
    let mut rng = <rand_xoshiro::Xoshiro256PlusPlus as rand::SeedableRng>::seed_from_u64(0);
    assert!(init::glorot_uniform::<f64>(0, 0, &mut rng).is_err());
    assert!(init::glorot_normal::<f64>(0, 0, &mut rng).is_err());
    assert!(init::he_uniform::<f64>(0, 0, &mut rng).is_err());
    assert!(init::he_normal::<f64>(3, 0, &mut rng).is_err());
}

// ---- rows in parts ----

#[test]
fn chunks_that_do_not_belong_together_are_refused() {
    let (x, y) = rows();
    let data = DatasetBase::new(x.clone(), y.clone());
    let params = sapwood::linfa::ParamGuard::check(LogisticRegression::params()).expect("valid");
    let start = || params.fit_with(None, &data).expect("valid");
    let narrow = DatasetBase::new(x.slice(s![.., ..1]).to_owned(), y.clone());
    assert_eq!(
        message(params.fit_with(Some(start()), &narrow)),
        "`records` must have 2 columns, as the model, got 1"
    );
    let unknown = DatasetBase::new(x.clone(), y.mapv(|c| c + 1));
    assert_eq!(
        message(params.fit_with(Some(start()), &unknown)),
        "`targets` must be among the classes, got 2"
    );
    let other = sapwood::linfa::ParamGuard::check(LogisticRegression::params().alpha(2.0)).expect("valid");
    assert!(message(other.fit_with(Some(start()), &data)).starts_with("`params` must be those"));
    let lasso = sapwood::linfa::ParamGuard::check(LogisticRegression::params().l1_ratio(1.0)).expect("valid");
    let fit: Result<ChunkedFit<usize>> = lasso.fit_with(None, &data);
    assert_eq!(message(fit), "`l1_ratio` must be 0 for a fit over chunks, got 1");
    let mut fit = start();
    fit.end_pass().expect("a chunk came");
    assert_eq!(message(fit.end_pass()), "`chunks` must have at least one in each pass, got 0");
    let mut fit = params.fit_with(Some(fit), &data).expect("valid");
    fit = params.fit_with(Some(fit), &data).expect("valid");
    assert_eq!(message(fit.end_pass()), "`chunks` must have 40 rows in all, as in the pass before, got 80");
    let text = message(start().into_model::<f64>());
    assert!(text.starts_with("no convergence after 0 iterations"), "{text}");
}

// ---- model files ----

#[cfg(feature = "serde")]
mod stored {
    use super::*;
    use serde_json::{Value, json};

    /// Stores the model as JSON, changes it, and reads it again.
    fn read<M: serde::Serialize + serde::de::DeserializeOwned>(
        model: &M,
        change: impl Fn(&mut Value),
    ) -> std::result::Result<M, String> {
        let mut value = serde_json::to_value(model).expect("a model can be stored");
        change(&mut value);
        serde_json::from_value(value).map_err(|error| error.to_string())
    }

    fn refused<M: serde::Serialize + serde::de::DeserializeOwned>(model: &M, change: impl Fn(&mut Value)) {
        assert!(read(model, change).is_err());
    }

    #[test]
    fn n87_a_stored_model_with_a_broken_invariant_is_refused() {
        let (x, y) = rows();
        let data = DatasetBase::new(x, y);
        let regression = LogisticRegression::params().fit(&data).expect("valid");
        assert_eq!(read(&regression, |_| ()).as_ref(), Ok(&regression));
        refused(&regression, |value| value["coefficients"]["dim"] = json!([2, 1]));
        refused(&regression, |value| value["coefficients"] = json!({"v": 1, "dim": [0, 2], "data": []}));
        refused(&regression, |value| value["coefficients"]["data"][0] = Value::Null);
        refused(&regression, |value| value["intercepts"] = json!({"v": 1, "dim": [2], "data": [0.0, 1.0]}));
        refused(&regression, |value| value["classes"]["classes"] = json!([0]));
        refused(&regression, |value| value["classes"]["classes"] = json!([1, 0]));
        refused(&regression, |value| value["classes"]["classes"] = json!([1, 1]));
        refused(&regression, |value| value["classes"]["classes"] = json!([0, 1, 2]));

        let own = QuadraticDiscriminant::params().fit(&data).expect("valid");
        assert_eq!(read(&own, |_| ()).as_ref(), Ok(&own));
        let linear = LinearDiscriminant::params().fit(&data).expect("valid");
        assert_eq!(read(&linear, |_| ()).as_ref(), Ok(&linear));
        for change in [
            |value: &mut Value| value["gaussians"]["log_priors"]["data"][0] = json!(0.5),
            |value: &mut Value| value["gaussians"]["log_priors"]["dim"] = json!([1]),
            |value: &mut Value| value["gaussians"]["means"]["dim"] = json!([1, 4]),
            |value: &mut Value| value["gaussians"]["covariances"] = json!([]),
            |value: &mut Value| value["gaussians"]["covariances"][0]["data"][0] = json!(-1.0),
            |value: &mut Value| value["gaussians"]["covariances"][0]["data"][1] = json!(0.123),
            |value: &mut Value| value["gaussians"]["covariances"][0]["dim"] = json!([1, 4]),
            |value: &mut Value| value["classes"]["classes"] = json!([0, 1, 2]),
        ] {
            refused(&own, change);
            refused(&linear, change);
        }
        // The one is no model of the other kind.
        let json = serde_json::to_string(&own).expect("a model can be stored");
        assert!(serde_json::from_str::<LinearDiscriminant<usize>>(&json).is_err());

        let counts = DatasetBase::new(array![[0_usize, 1], [1, 0], [2, 1]], array![0_usize, 1, 1]);
        let naive = CategoricalNb::params().fit(&counts).expect("valid");
        assert_eq!(read(&naive, |_| ()).as_ref(), Ok(&naive));
        refused(&naive, |value| value["log_priors"]["data"][0] = json!(0.0));
        refused(&naive, |value| value["log_likelihoods"] = json!([]));
        refused(&naive, |value| value["log_likelihoods"][0]["data"][0] = json!(0.0));
        refused(&naive, |value| value["log_likelihoods"][0]["dim"] = json!([2, 3]));
    }

    #[test]
    fn parameters_come_back_as_they_were() {
        let params =
            LogisticRegression::params().alpha(0.3).solver(sgd(0.1)).offset(array![[0.5], [1.0]].view());
        assert_eq!(read(&params, |_| ()), Ok(params));
    }
}

#[test]
fn an_error_is_of_one_type() {
    let error: Error = LinearDiscriminant::params()
        .shrinkage(Shrinkage::Ball(2.0))
        .fit(&Dataset::new(array![[0.0], [1.0]], array![0_usize, 1]))
        .expect_err("refused");
    assert!(matches!(error, Error::Parameter { name: "shrinkage", .. }));
}
