//! Logistic regression against scikit-learn, statsmodels and R; the numbers are made by `fixtures/make_logistic.py`.

use ndarray::{Array1, Array2, Axis, ShapeBuilder, array, s};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::linfa::{Dataset, DatasetBase};
use sapwood::logistic::{ClassWeight, LogisticRegressionParams, Outcome, Solver};
use sapwood::{Error, LogisticRegression, ndarray};
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

fn close(a: f64, b: f64, tolerance: f64) {
    assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b} to {tolerance:e}");
}

#[track_caller]
fn all_close<'a>(a: impl IntoIterator<Item = &'a f64>, b: impl IntoIterator<Item = &'a f64>, tolerance: f64) {
    let (a, b): (Vec<f64>, Vec<f64>) = (a.into_iter().copied().collect(), b.into_iter().copied().collect());
    assert_eq!(a.len(), b.len());
    for (a, b) in a.iter().zip(&b) {
        assert!((a - b).abs() <= tolerance * b.abs().max(1.0), "{a} is not {b} to {tolerance:e}");
    }
}

fn cancer() -> Dataset<f64, usize, ndarray::Ix1> {
    let lines: Vec<Vec<f64>> = include_str!("fixtures/breast_cancer.txt")
        .lines()
        .map(|line| line.split(' ').map(|v| v.parse().unwrap()).collect())
        .collect();
    let x = Array2::from_shape_fn((lines.len(), 30), |(i, j)| lines[i][j]);
    Dataset::new(x, lines.iter().map(|line| line[30] as usize).collect())
}

/// Pixels from 0 to 16.
fn digits() -> (Array2<usize>, Array1<usize>) {
    let lines: Vec<&[u8]> = include_str!("fixtures/digits.txt").lines().map(str::as_bytes).collect();
    let digit = |c: u8| (c as char).to_digit(17).unwrap() as usize;
    let x = Array2::from_shape_fn((lines.len(), 64), |(i, j)| digit(lines[i][j]));
    (x, lines.iter().map(|line| digit(line[65])).collect())
}

fn standardised(x: &Array2<f64>) -> Array2<f64> {
    (x - &x.mean_axis(Axis(0)).unwrap()) / &x.std_axis(Axis(0), 0.0)
}

fn solvers() -> [Option<Solver>; 4] {
    [None, Some(Solver::Newton), Some(Solver::SampledNewton), Some(Solver::Lbfgs)]
}

fn with(params: LogisticRegressionParams, solver: Option<Solver>) -> LogisticRegressionParams {
    solver.map_or(params.clone(), |solver| params.solver(solver)).tol(1e-19)
}

#[test]
fn iris_coefficients_equal_scikit_learns_with_every_solver() {
    let fixture = fixture();
    let iris = &fixture["iris"];
    let (x, y) = (matrix(&iris["x"]), labels(&iris["y"]));
    let first = |n: usize| Dataset::new(x.slice(s![..n, ..]).to_owned(), y.slice(s![..n]).to_owned());
    let weights = (0..150_u16).map(|i| f32::from(1 + i % 4)).collect();
    let params = LogisticRegression::params;
    for (name, data, params) in [
        ("binary", first(100), params()),
        ("multinomial", first(150), params()),
        ("weak", first(150), params().alpha(0.01)),
        ("no_intercept", first(150), params().fit_intercept(false)),
        ("balanced", first(120), params().class_weight(ClassWeight::Balanced)),
        ("weighted", first(150).with_weights(weights), params()),
    ] {
        for solver in solvers() {
            let model = with(params.clone(), solver).fit(&data).unwrap();
            let expected = &iris[name];
            close(model.report().objective, expected["objective"].as_f64().unwrap(), 1e-10);
            all_close(model.coefficients(), &matrix(&expected["coefficients"]), 1e-8);
            all_close(model.intercepts(), &vector(&expected["intercepts"]), 1e-8);
        }
    }
}

#[test]
fn raw_breast_cancer_converges_to_scikit_learns_optimum() {
    let fixture = fixture();
    let data = cancer();
    for solver in [None, Some(Solver::Newton), Some(Solver::SampledNewton)] {
        let model = with(LogisticRegression::params(), solver).fit(&data).unwrap();
        let expected = &fixture["cancer"]["raw"];
        close(model.report().objective, expected["objective"].as_f64().unwrap(), 1e-12);
        all_close(model.coefficients(), &matrix(&expected["coefficients"]), 1e-8);
        let scaled = Dataset::new(standardised(data.records()), data.targets().clone());
        let model = with(LogisticRegression::params(), solver).fit(&scaled).unwrap();
        let expected = &fixture["cancer"]["scaled"];
        close(model.report().objective, expected["objective"].as_f64().unwrap(), 1e-12);
        all_close(model.coefficients(), &matrix(&expected["coefficients"]), 1e-8);
    }
    close(fixture["cancer"]["raw"]["objective"].as_f64().unwrap(), 53.794611230483, 1e-10);
    close(fixture["cancer"]["scaled"]["objective"].as_f64().unwrap(), 37.758945961876, 1e-10);
}

#[test]
fn digits_converge_to_scikit_learns_optimum() {
    let (x, y) = digits();
    let data = Dataset::new(x.mapv(|v| v as f64 / 16.0), y);
    let model = LogisticRegression::params().tol(1e-12).fit(&data).unwrap();
    close(model.report().objective, 358.548947733962, 1e-10);
    close(model.report().objective, fixture()["digits"]["objective"].as_f64().unwrap(), 1e-10);
}

#[test]
fn maximum_likelihood_equals_statsmodels() {
    let fixture = fixture();
    for name in ["ucla", "infert", "spector", "mtcars", "anes96"] {
        let data = &fixture[name];
        let (x, y) = (matrix(&data["x"]), labels(&data["y"]));
        let d = x.ncols();
        let model = with(LogisticRegression::params().alpha(0.0), None).fit(&Dataset::new(x, y)).unwrap();
        let estimate = vector(&data["table"]["estimate"]);
        let first = usize::from(model.classes().len() > 2);
        for (c, expected) in estimate.exact_chunks(d + 1).into_iter().enumerate() {
            all_close(model.coefficients().row(c + first), expected.slice(s![..d]), 1e-8);
            close(model.intercepts()[c + first], expected[d], 1e-8);
        }
        close(-model.report().objective, data["table"]["log_likelihood"].as_f64().unwrap(), 1e-10);
    }
    let likelihood = |name: &str| fixture[name]["table"]["log_likelihood"].as_f64().unwrap();
    close(-2.0 * likelihood("ucla"), 458.5174925, 1e-9);
    close(-2.0 * likelihood("infert"), 260.9433675, 1e-9);
    close(likelihood("spector"), -12.889634222, 1e-9);
    close(likelihood("anes96"), -1461.922747, 1e-9);
    close(likelihood("fair"), -3471.471423, 1e-9);
}

#[test]
fn every_layout_and_f32_give_the_same_model() {
    let data = cancer();
    let x = standardised(data.records()).mapv(|v| f64::from(v as f32));
    let y = data.targets();
    let params = LogisticRegression::params().tol(1e-14);
    let expected = params.fit(&Dataset::new(x.clone(), y.clone())).unwrap();
    let mut fortran = Array2::zeros(x.raw_dim().f());
    fortran.assign(&x);
    let fit = |x: ndarray::ArrayView2<'_, f64>| params.fit(&DatasetBase::new(x, y.clone())).unwrap();
    assert_eq!(fit(fortran.view()), expected);
    let mut reversed = x.slice(s![..;-1, ..;-1]).to_owned();
    reversed.invert_axis(Axis(0));
    reversed.invert_axis(Axis(1));
    assert_eq!(fit(reversed.view()), expected);
    let narrow = params.fit(&Dataset::new(x.mapv(|v| v as f32), y.clone())).unwrap();
    for (narrow, wide) in narrow.coefficients().iter().zip(expected.coefficients()) {
        assert_eq!(*narrow, *wide as f32);
    }
    let (p, q) = (narrow.predict_proba(&x.mapv(|v| v as f32)).unwrap(), expected.predict_proba(&x).unwrap());
    assert!(p.iter().zip(&q).all(|(p, q)| (f64::from(*p) - q).abs() < 1e-5));
}

#[test]
fn thread_counts_give_the_same_bits() {
    let n = 20_000;
    let x = Array2::from_shape_fn((n, 40), |(i, j)| {
        ((i * 7919 + j * 104_729 + i * i * j) % 1009) as f64 / 500.0 - 1.0
    });
    let y: Array1<usize> = x
        .rows()
        .into_iter()
        .enumerate()
        .map(|(i, row)| usize::from(row[0] + row[1] * 0.5 > ((i * 31) % 17) as f64 / 9.0 - 0.9))
        .collect();
    let data = Dataset::new(x, y);
    let fit = || LogisticRegression::params().fit(&data).unwrap();
    let one = sapwood::with_threads(1, fit);
    assert_eq!(one, sapwood::with_threads(3, fit));
    assert!(one.report().converged());
}

#[test]
fn separable_rows_without_a_penalty_are_an_error_that_says_so() {
    let x = array![[1.0], [2.0], [3.0], [4.0]];
    let fit = |y: Array1<usize>| LogisticRegression::params().alpha(0.0).fit(&Dataset::new(x.clone(), y));
    let Err(Error::NotConverged { reason, .. }) = fit(array![0, 0, 1, 1]) else { panic!() };
    assert!(reason.contains("separable"), "{reason}");
    let Err(Error::NotConverged { reason, .. }) = fit(array![0, 1, 2, 2]) else { panic!() };
    assert!(reason.contains("separable"), "{reason}");
    // Quasi-separation: the classes touch in one value.
    let x = array![[1.0], [2.0], [2.0], [3.0]];
    let data = Dataset::new(x, array![0_usize, 0, 1, 1]);
    let Err(Error::NotConverged { reason, .. }) = LogisticRegression::params().alpha(0.0).fit(&data) else {
        panic!()
    };
    assert!(reason.contains("separable"), "{reason}");
    let params = LogisticRegression::params().alpha(0.0).require_convergence(false);
    assert_eq!(params.fit(&data).unwrap().report().outcome, Outcome::Separable);
    assert!(LogisticRegression::params().fit(&data).unwrap().report().converged());
}

#[test]
fn running_out_of_iterations_is_an_error_unless_allowed() {
    let data = cancer();
    let params = LogisticRegression::params().max_iter(1);
    let Err(Error::NotConverged { iterations: 1, .. }) = params.fit(&data) else { panic!() };
    let model = params.require_convergence(false).fit(&data).unwrap();
    assert_eq!(model.report().outcome, Outcome::RanOut);
}

#[test]
fn collinear_and_constant_columns_do_not_change_the_probabilities() {
    let data = cancer();
    let x = standardised(data.records()).slice(s![.., ..3]).to_owned();
    let sum = &x.column(0) + &x.column(1);
    let wide = ndarray::concatenate![
        Axis(1),
        x,
        sum.insert_axis(Axis(1)),
        Array2::from_elem((x.nrows(), 1), 3.0),
        Array2::zeros((x.nrows(), 1))
    ];
    let params = with(LogisticRegression::params().alpha(0.0), None);
    let narrow = params.fit(&Dataset::new(x.clone(), data.targets().clone())).unwrap();
    let model = params.fit(&Dataset::new(wide.clone(), data.targets().clone())).unwrap();
    all_close(&model.predict_proba(&wide).unwrap(), &narrow.predict_proba(&x).unwrap(), 1e-9);
}

#[test]
fn offsets_shift_the_intercept() {
    let data = cancer();
    let x = standardised(data.records());
    let data = Dataset::new(x.clone(), data.targets().clone());
    let params = LogisticRegression::params().tol(1e-16);
    let plain = params.fit(&data).unwrap();
    let offset = Array2::from_elem((x.nrows(), 1), 0.75);
    let shifted = params.clone().offset(offset.view()).fit(&data).unwrap();
    all_close(shifted.coefficients(), plain.coefficients(), 1e-8);
    close(shifted.intercepts()[0], plain.intercepts()[0] - 0.75, 1e-8);
    let warm = params.start_from(plain.coefficients(), plain.intercepts()).fit(&data).unwrap();
    assert!(warm.report().iterations <= 1, "{}", warm.report());
}

#[test]
fn bad_inputs_are_errors_that_name_them() {
    let x = array![[0.0, 1.0], [1.0, 0.0], [2.0, 2.0], [3.0, 1.0]];
    let y = array![0_usize, 1, 0, 1];
    let fit = |x: Array2<f64>, y: Array1<usize>| {
        LogisticRegression::params().fit(&DatasetBase::new(x, y)).map(|_| ()).unwrap_err().to_string()
    };
    assert_eq!(
        fit(Array2::zeros((0, 2)), array![]),
        "`records` must have at least one row and one column, got 0 x 2"
    );
    assert_eq!(
        fit(Array2::zeros((4, 0)), y.clone()),
        "`records` must have at least one row and one column, got 4 x 0"
    );
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = x.clone();
        x[[2, 1]] = bad;
        assert_eq!(fit(x, y.clone()), format!("`records` must be finite, got {bad} in row 2, column 1"));
    }
    let mut huge = x.clone();
    huge[[0, 0]] = 1e308;
    assert!(fit(huge, y.clone()).starts_with("`records` must have values of at most 1e100"));
    assert_eq!(fit(x.clone(), array![0, 1]), "`targets` must have one entry for each of the 4 rows, got 2");
    assert_eq!(fit(x.clone(), array![3, 3, 3, 3]), "`targets` must have at least two classes, got 1");
    assert_eq!(fit(array![[1.0]], array![0]), "`targets` must have at least two classes, got 1");
    let data = Dataset::new(x.clone(), y.clone());
    let error = |params: LogisticRegressionParams| params.fit(&data).map(|_| ()).unwrap_err().to_string();
    let params = LogisticRegression::params;
    assert_eq!(error(params().alpha(-1.0)), "`alpha` must be at least 0 and finite, got -1");
    assert_eq!(error(params().alpha(f64::NAN)), "`alpha` must be at least 0 and finite, got NaN");
    assert_eq!(error(params().l1_ratio(1.5)), "`l1_ratio` must be between 0 and 1, got 1.5");
    assert_eq!(error(params().max_iter(0)), "`max_iter` must be at least 1, got 0");
    assert_eq!(error(params().tol(0.0)), "`tol` must be greater than 0 and finite, got 0");
    assert_eq!(error(params().tol(f64::NAN)), "`tol` must be greater than 0 and finite, got NaN");
    assert!(
        error(params().class_weight(ClassWeight::Each(vec![1.0])))
            .starts_with("`class_weight` must have one")
    );
    assert!(
        error(params().class_weight(ClassWeight::Each(vec![1.0, -1.0])))
            .starts_with("`class_weight` must be")
    );
    assert!(
        error(params().offset(Array2::<f64>::zeros((3, 1)).view())).starts_with("`offset` must have 4 rows")
    );
    let weighted =
        |w: Array1<f32>| params().fit(&data.clone().with_weights(w)).map(|_| ()).unwrap_err().to_string();
    assert_eq!(weighted(array![1.0, -1.0, 1.0, 1.0]), "`weights` must be at least 0 and finite, got -1");
    assert!(weighted(Array1::zeros(4)).starts_with("`weights` must be greater than 0 in one"));
    assert_eq!(weighted(array![1.0]), "`weights` must have one entry for each of the 4 rows, got 1");
    let model = params().fit(&data).unwrap();
    let error = model.predict_proba(&Array2::zeros((1, 3))).unwrap_err();
    assert_eq!(error.to_string(), "`x` must have 2 columns, as the model was fitted on, got 3");
    assert_eq!(model.predict_proba(&Array2::zeros((0, 2))).unwrap().dim(), (0, 2));
}

#[test]
fn odd_but_valid_inputs_have_an_answer() {
    // Subnormals, labels with gaps, a class with one sample, a broadcast view.
    let x = array![[5e-324_f64, 1.0], [0.0, 2.0], [1e-310, 3.0], [0.0, 2.5]];
    let y = array![usize::MAX, 7, 7, usize::MAX];
    let model = LogisticRegression::params().fit(&Dataset::new(x.clone(), y)).unwrap();
    assert_eq!(model.classes(), [7, usize::MAX]);
    assert!(model.coefficients().iter().all(|w| w.is_finite()));
    let model = LogisticRegression::params().fit(&Dataset::new(x.clone(), array![0_usize, 1, 1, 2])).unwrap();
    let p = model.predict_proba(&x).unwrap();
    assert!(p.sum_axis(Axis(1)).iter().all(|sum| (sum - 1.0).abs() < 1e-14));
    let predicted = model.predict(&x);
    for (row, label) in p.rows().into_iter().zip(&predicted) {
        assert!(row.iter().all(|v| *v <= row[*label]));
    }
    let row = array![1.0, 2.0];
    let same = row.broadcast((4, 2)).unwrap();
    let model =
        LogisticRegression::params().fit(&DatasetBase::new(same, array![true, false, true, true])).unwrap();
    close(model.predict_proba(&same).unwrap()[[0, 1]], 0.75, 1e-6);
}

#[test]
fn inference_tables_equal_statsmodels() {
    let fixture = fixture();
    for name in ["ucla", "infert", "spector", "mtcars", "anes96", "fair"] {
        let data = &fixture[name];
        let (x, y) = if name == "fair" {
            let columns = data["columns"].as_u64().unwrap() as usize;
            let packed: Array1<f64> =
                data["packed"].as_str().unwrap().chars().map(|c| f64::from(c as u32 - 35) / 2.0).collect();
            let packed = packed.into_shape_with_order((6366, columns)).unwrap();
            (packed.slice(s![.., ..-1]).to_owned(), packed.column(columns - 1).mapv(|v| v as usize))
        } else {
            (matrix(&data["x"]), labels(&data["y"]))
        };
        let params = with(LogisticRegression::params().alpha(0.0), None);
        let (_, table) = params.fit_inference(&Dataset::new(x, y), 0.95).unwrap();
        let expected = &data["table"];
        let column =
            |f: fn(&sapwood::logistic::Estimate) -> f64| table.estimates.iter().map(f).collect::<Vec<_>>();
        all_close(&column(|e| e.value), &vector(&expected["estimate"]), 1e-8);
        all_close(&column(|e| e.std_error), &vector(&expected["error"]), 1e-6);
        all_close(&column(|e| e.z), &vector(&expected["z"]), 1e-6);
        all_close(&column(|e| e.p_value), &vector(&expected["p"]), 1e-6);
        all_close(&column(|e| e.low), &vector(&expected["low"]), 1e-6);
        all_close(&column(|e| e.high), &vector(&expected["high"]), 1e-6);
        // statsmodels finds this one numerically; here it is the formula.
        close(table.null_log_likelihood, expected["null_log_likelihood"].as_f64().unwrap(), 1e-8);
        for (value, name) in
            [(table.log_likelihood, "log_likelihood"), (table.aic, "aic"), (table.bic, "bic")]
        {
            close(value, expected[name].as_f64().unwrap(), 1e-10);
        }
    }
}

#[test]
fn inference_asks_for_no_penalty_and_for_independent_columns() {
    let data = cancer();
    let x = standardised(data.records()).slice(s![.., ..2]).to_owned();
    let twice = ndarray::concatenate![Axis(1), x, x.slice(s![.., ..1])];
    let data = Dataset::new(twice, data.targets().clone());
    let error = LogisticRegression::params().fit_inference(&data, 0.95).unwrap_err();
    assert_eq!(error.to_string(), "`alpha` must be 0 for a table of inference, got 1");
    let error = LogisticRegression::params().alpha(0.0).fit_inference(&data, 0.95).unwrap_err();
    assert!(error.to_string().contains("columns that do not depend on one another"), "{error}");
    assert!(LogisticRegression::params().alpha(0.0).fit_inference(&data, 1.0).is_err());
}

#[test]
fn lasso_and_elastic_net_reach_scikit_learns_objective() {
    let fixture = fixture();
    let iris = &fixture["iris"];
    let data = Dataset::new(standardised(&matrix(&iris["x"])), labels(&iris["y"]));
    for case in iris["elastic"].as_array().unwrap() {
        let number = |name: &str| case[name].as_f64().unwrap();
        let params = LogisticRegression::params().alpha(1.0 / number("c")).l1_ratio(number("l1_ratio"));
        let model = params.tol(1e-12).fit(&data).unwrap();
        close(model.report().objective, number("objective"), 1e-10);
        let expected = matrix(&case["coefficients"]);
        let zeros = |w: ndarray::ArrayView2<'_, f64>| w.mapv(|w| w.abs() < 1e-6);
        assert_eq!(zeros(model.coefficients()), zeros(expected.view()));
    }
}

#[test]
fn the_lasso_without_any_feature_is_the_intercept() {
    let data = cancer();
    let params = LogisticRegression::params().l1_ratio(1.0).alpha(1e9);
    let model = params.fit(&data).unwrap();
    assert!(model.coefficients().iter().all(|&w| w == 0.0));
    close(model.intercepts()[0], (357.0_f64 / 212.0).ln(), 1e-6);
}

#[test]
fn sparse_records_give_the_dense_model() {
    use sapwood::data::Csr;
    use sapwood::sprs::CsMat;
    let (x, y) = digits();
    let dense = x.slice(s![..200, ..]).mapv(|v| v as f64 / 16.0);
    let y = y.slice(s![..200]).to_owned();
    let (mut starts, mut indices, mut values) = (vec![0], vec![], vec![]);
    for row in dense.rows() {
        for (j, &v) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
            indices.push(j);
            values.push(v);
        }
        starts.push(indices.len());
    }
    let sparse = CsMat::new(dense.dim(), starts, indices, values);
    let records = Csr::new(sparse.view()).unwrap();
    for (params, two) in [
        (LogisticRegression::params().tol(1e-15), false),
        (LogisticRegression::params().tol(1e-15), true),
        (LogisticRegression::params().tol(1e-13).l1_ratio(0.5), false),
        (LogisticRegression::params().tol(1e-13).l1_ratio(1.0), true),
    ] {
        let y = if two { y.mapv(|y| y % 2) } else { y.clone() };
        let a = params.fit(&DatasetBase::new(records, y.clone())).unwrap();
        let b = params.fit(&Dataset::new(dense.clone(), y)).unwrap();
        close(a.report().objective, b.report().objective, 1e-11);
        all_close(&a.predict_proba_sparse(&records).unwrap(), &b.predict_proba(&dense).unwrap(), 1e-5);
    }
    let nan = CsMat::new((2, 2), vec![0, 1, 2], vec![1, 0], vec![1.0, f64::NAN]);
    let data = DatasetBase::new(Csr::new(nan.view()).unwrap(), array![0_usize, 1]);
    let error = LogisticRegression::params().fit(&data).unwrap_err();
    assert_eq!(error.to_string(), "`records` must be finite, got NaN in row 1, column 0");
}

#[test]
fn repeated_columns_share_their_weight_under_elastic_net() {
    let fixture = fixture();
    let x = standardised(&matrix(&fixture["iris"]["x"])).slice(s![..100, ..2]).to_owned();
    let y = labels(&fixture["iris"]["y"]).slice(s![..100]).to_owned();
    let wide = Array2::from_shape_fn((100, 40), |(i, j)| x[[i, j % 2]]);
    let params = LogisticRegression::params().l1_ratio(0.5).tol(1e-12);
    let model = params.fit(&Dataset::new(wide, y)).unwrap();
    for j in 2..40 {
        close(model.coefficients()[[0, j]], model.coefficients()[[0, j % 2]], 1e-6);
    }
}

#[test]
fn a_path_gives_the_models_of_its_penalties() {
    let data = cancer();
    let data = Dataset::new(standardised(data.records()), data.targets().clone());
    let alphas = [100.0, 10.0, 1.0];
    for l1_ratio in [0.0, 1.0] {
        let params = LogisticRegression::params().l1_ratio(l1_ratio).tol(1e-13);
        for (model, alpha) in params.fit_path(&data, &alphas).unwrap().iter().zip(alphas) {
            let alone = params.clone().alpha(alpha).fit(&data).unwrap();
            close(model.report().objective, alone.report().objective, 1e-11);
        }
    }
    assert!(LogisticRegression::params().fit_path(&data, &[]).is_err());
}

/// Between two weak penalties the optimum hardly moves, while the gap at the old one is large.
#[test]
fn a_lasso_path_down_to_weak_penalties_converges() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    let classes = Array1::from_shape_fn(600, |i| i * 7 % 3);
    let x = Array2::from_shape_fn((600, 6), |(i, j)| {
        let pull = [1.4, -0.9, 0.6, 0.3, 0.0, 0.0][j];
        pull * classes[i] as f64 + (0..4).map(|_| rng.gen_range(-1.0..1.0)).sum::<f64>()
    });
    let data = Dataset::new(x, classes.mapv(|class| class == 2));
    let mut last: Option<(Array2<f64>, Array1<f64>)> = None;
    for i in 0..70 {
        let alpha = 300.0 * 0.85_f64.powi(i);
        let mut params = LogisticRegression::params().l1_ratio(1.0).alpha(alpha);
        if let Some((coefficients, intercepts)) = &last {
            params = params.start_from(coefficients.view(), intercepts.view());
        }
        let model = params.fit(&data).unwrap_or_else(|error| panic!("{alpha}: {error}"));
        assert!(model.report().gap <= 1e-10);
        last = Some((model.coefficients().to_owned(), model.intercepts().to_owned()));
    }
}
