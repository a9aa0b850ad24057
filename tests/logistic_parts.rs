//! Logistic regression over parts of the rows, by stochastic steps, and along its path: the same optimum each time.

use ndarray::{Array1, Array2, ArrayView2, Axis, s};
use sapwood::data::Csr;
use sapwood::linfa::traits::{Fit, FitWith};
use sapwood::linfa::{Dataset, DatasetBase, ParamGuard};
use sapwood::logistic::{
    ChunkedFit, ClassWeight, LogisticRegressionParams, LogisticRegressionValidParams, PartialLoss, Solver,
};
use sapwood::optim::{Adam, RmsProp, Rule, Sgd};
use sapwood::select::{choose_alpha, choose_alpha_sparse, stratified_folds};
use sapwood::sprs::CsMat;
use sapwood::{Float, LogisticRegression, ndarray};

type Data<F> = Dataset<F, usize, ndarray::Ix1>;

/// Reproducible rows of `d` features in units from 1e-2 to 1e2, in `k` classes that overlap.
fn made<F: Float>(n: usize, d: usize, k: usize) -> Data<F> {
    let mut state = 7_u64;
    let mut uniform = move || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut x = Array2::from_shape_simple_fn((n, d), || uniform() + uniform() + uniform() - 1.5);
    let y = (0..n).map(|i| {
        let score = |c: usize| (0..d).map(|j| x[[i, j]] * ((c * 3 + j * 5) % 7) as f64).sum::<f64>() * 0.5;
        let noisy: Vec<f64> = (0..k).map(|c| score(c) - (-uniform().max(1e-300).ln()).ln()).collect();
        (0..k).fold(0, |best, c| if noisy[c] > noisy[best] { c } else { best })
    });
    let y: Array1<usize> = y.collect();
    for (j, mut column) in x.columns_mut().into_iter().enumerate() {
        let unit = 10_f64.powi(j as i32 % 5 - 2);
        column.mapv_inplace(|v| v * unit + unit);
    }
    Dataset::new(x.mapv(F::cast), y)
}

fn chunk<F: Float>(data: &Data<F>, rows: std::ops::Range<usize>) -> Data<F> {
    let part = Dataset::new(
        data.records().slice(s![rows.clone(), ..]).to_owned(),
        data.targets().slice(s![rows.clone()]).to_owned(),
    );
    match data.weights() {
        Some(weights) => part.with_weights(ndarray::ArrayView1::from(weights).slice(s![rows]).to_owned()),
        None => part,
    }
}

fn over_chunks<F: Float>(
    params: &LogisticRegressionValidParams,
    data: &Data<F>,
    size: usize,
) -> LogisticRegression<F, usize> {
    let n = data.records().nrows();
    let mut fit: Option<ChunkedFit<usize>> = None;
    for _ in 0..30 {
        for start in (0..n).step_by(size) {
            fit = Some(params.fit_with(fit, &chunk(data, start..(start + size).min(n))).unwrap());
        }
        if fit.as_mut().unwrap().end_pass().unwrap().converged() {
            return fit.unwrap().into_model().unwrap();
        }
    }
    panic!("no convergence over chunks: {:?}", fit.unwrap().into_model::<F>().unwrap_err());
}

/// Coefficients in the units of their features.
fn same(a: ArrayView2<'_, f64>, b: ArrayView2<'_, f64>, tolerance: f64) {
    for ((i, a), b) in a.indexed_iter().zip(b) {
        let unit = 10_f64.powi(i.1 as i32 % 5 - 2);
        assert!((a - b).abs() * unit <= tolerance, "{i:?}: {a} is not {b}");
    }
}

#[test]
fn a_fit_over_chunks_is_the_fit_of_all_rows() {
    for (k, alpha, weighted) in
        [(2, 1.0, false), (2, 0.0, true), (4, 1.0, true), (3, 0.0, false), (2, 300.0, false)]
    {
        let mut data = made::<f64>(700, 6, k);
        let params = LogisticRegression::params().alpha(alpha).tol(1e-18);
        let mut params = params.class_weight(ClassWeight::Each((0..k).map(|c| 1.0 + c as f64).collect()));
        if weighted {
            data = data.with_weights((0..700_u16).map(|i| f32::from(i % 3)).collect());
            params = params.fit_intercept(false);
        }
        let whole = params.fit(&data).unwrap();
        for size in [100, 233, 700] {
            let model = over_chunks(params.check_ref().unwrap(), &data, size);
            same(model.coefficients(), whole.coefficients(), 1e-8);
            for (a, b) in model.intercepts().iter().zip(whole.intercepts()) {
                assert!((a - b).abs() < 1e-8 * b.abs().max(1.0), "{a} is not {b}");
            }
            assert!(model.report().passes <= 12, "{}", model.report());
            assert!(
                (model.report().objective - whole.report().objective).abs()
                    < 1e-10 * whole.report().objective
            );
        }
    }
    let narrow = made::<f32>(500, 3, 2);
    let params = LogisticRegression::params().tol(1e-14);
    let (a, b) = (over_chunks(params.check_ref().unwrap(), &narrow, 120), params.fit(&narrow).unwrap());
    assert!(a.coefficients().iter().zip(b.coefficients()).all(|(a, b)| (a - b).abs() <= 1e-5 * b.abs()));
}

#[test]
fn sparse_chunks_give_the_fit_of_all_rows() {
    use sapwood::data::Csr;
    use sapwood::linfa::DatasetBase;
    use sapwood::sprs::CsMat;
    let data = made::<f64>(300, 5, 3);
    // Every third entry is there.
    let x =
        Array2::from_shape_fn(
            (300, 5),
            |(i, j)| {
                if (i * 7 + j * 5) % 3 == 0 { data.records()[[i, j]] } else { 0.0 }
            },
        );
    let sparse = |rows: std::ops::Range<usize>| {
        let (mut starts, mut indices, mut values) = (vec![0], vec![], vec![]);
        for row in x.slice(s![rows, ..]).rows() {
            for (j, &v) in row.iter().enumerate().filter(|(_, v)| **v != 0.0) {
                indices.push(j);
                values.push(v);
            }
            starts.push(indices.len());
        }
        CsMat::new((starts.len() - 1, 5), starts, indices, values)
    };
    let params = LogisticRegression::params().tol(1e-18);
    let whole = params.fit(&Dataset::new(x.clone(), data.targets().clone())).unwrap();
    let mut fit: Option<ChunkedFit<usize>> = None;
    for pass in 0.. {
        assert!(pass < 20, "no convergence");
        for rows in [0..110, 110..290, 290..300] {
            let chunk = sparse(rows.clone());
            let y = data.targets().slice(s![rows]).to_owned();
            let chunk = DatasetBase::new(Csr::new(chunk.view()).unwrap(), y);
            fit = Some(params.check_ref().unwrap().fit_with(fit, &chunk).unwrap());
        }
        if fit.as_mut().unwrap().end_pass().unwrap().converged() {
            break;
        }
    }
    let model = fit.unwrap().into_model::<f64>().unwrap();
    same(model.coefficients(), whole.coefficients(), 1e-8);
}

/// From a start so far off that the first Newton step goes too far.
#[test]
fn a_step_that_goes_too_far_is_halved() {
    let data = made::<f64>(300, 2, 2);
    let w = Array2::from_shape_vec((1, 2), vec![900.0, -70.0]).unwrap();
    let params = LogisticRegression::params().tol(1e-16).start_from(w.view(), ndarray::aview1(&[5.0]));
    let model = over_chunks(params.check_ref().unwrap(), &data, 90);
    let whole = LogisticRegression::params().tol(1e-16).fit(&data).unwrap();
    same(model.coefficients(), whole.coefficients(), 1e-7);
}

#[test]
fn sums_over_parts_are_the_sums_over_all_rows_and_their_derivatives_agree() {
    let data = made::<f64>(400, 4, 3);
    let params = LogisticRegression::params().alpha(0.5);
    let model = params.clone().max_iter(2).require_convergence(false).fit(&data).unwrap();
    let whole = params.partial_loss(&model, &data, true).unwrap();
    let mut sum: Option<PartialLoss> = None;
    for start in (0..400).step_by(70) {
        let part = params.partial_loss(&model, &chunk(&data, start..(start + 70).min(400)), true).unwrap();
        match &mut sum {
            Some(sum) => sum.merge(&part).unwrap(),
            None => sum = Some(part),
        }
    }
    let sum = sum.unwrap();
    assert_eq!(sum.n_rows(), 400);
    assert!((sum.loss() - whole.loss()).abs() < 1e-11 * whole.loss());
    let close = |a: &f64, b: &f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    assert!(sum.gradient().iter().zip(whole.gradient()).all(|(a, b)| close(a, b)));
    assert!(sum.hessian().unwrap().iter().zip(whole.hessian().unwrap()).all(|(a, b)| close(a, b)));
    // The penalised gradient of the report is that of the sums and the penalty.
    let penalised = &whole.gradient().slice(s![.., ..4]) + &(&model.coefficients() * 0.5);
    let largest = penalised.iter().chain(whole.gradient().column(4)).fold(0.0_f64, |a, g| a.max(g.abs()));
    assert!((largest - model.report().gradient_norm).abs() <= 1e-6 * largest.max(1e-6));
    // A sum without a Hessian is no partner.
    let plain = params.partial_loss(&model, &data, false).unwrap();
    assert!(plain.hessian().is_none());
    let text = sum.clone().merge(&plain).unwrap_err().to_string();
    assert!(text.starts_with("`other` must have a gradient of 3 x 5 and a Hessian"), "{text}");
}

#[test]
fn sums_over_sparse_rows_are_those_over_dense_ones() {
    let mut data = made::<f64>(120, 4, 2);
    data.records.column_mut(1).fill(0.0);
    let params = LogisticRegression::params();
    let model = params.fit(&data).unwrap();
    let dense = params.partial_loss(&model, &data, true).unwrap();
    let sum = (0..3)
        .map(|part| {
            let rows = chunk(&data, 40 * part..40 * part + 40);
            let x = CsMat::csr_from_dense(rows.records().view(), 0.0);
            let rows = DatasetBase::new(Csr::new(x.view()).unwrap(), rows.targets().clone());
            params.partial_loss_sparse(&model, &rows, true).unwrap()
        })
        .reduce(|mut sum, part| {
            sum.merge(&part).unwrap();
            sum
        })
        .unwrap();
    let close = |a: &f64, b: &f64| (a - b).abs() <= 1e-9 * b.abs().max(1.0);
    assert!(sum.n_rows() == 120 && close(&sum.loss(), &dense.loss()));
    assert!(sum.gradient().iter().zip(dense.gradient()).all(|(a, b)| close(a, b)));
    assert!(sum.hessian().unwrap().iter().zip(dense.hessian().unwrap()).all(|(a, b)| close(a, b)));
    let narrow = CsMat::csr_from_dense(Array2::ones((2, 3)).view(), 0.0);
    let narrow = DatasetBase::new(Csr::new(narrow.view()).unwrap(), Array1::from_vec(vec![0_usize, 1]));
    let text = params.partial_loss_sparse(&model, &narrow, false).unwrap_err().to_string();
    assert_eq!(text, "`records` must have 4 columns, as the model, got 3");
}

/// Central differences of the loss against the gradient, and of the gradient against the Hessian.
#[test]
fn gradients_and_hessians_are_the_derivatives() {
    let data = made::<f64>(200, 3, 3);
    let at = |params: &LogisticRegressionParams, w: &Array2<f64>, b: &Array1<f64>| {
        let start = params.clone().start_from(w.view(), b.view()).max_iter(1).tol(1e300);
        let model = start.require_convergence(false).fit(&data).unwrap();
        params.partial_loss(&model, &data, true).unwrap()
    };
    let params = LogisticRegression::params();
    // The first class's logit moves with the others' mean, so differences are taken on two of three logits at once.
    let w = Array2::from_shape_fn((3, 3), |(c, j)| ((c * 5 + j * 3) % 7) as f64 * 0.01 - 0.03);
    let b = Array1::from_vec(vec![0.3, -0.1, -0.2]);
    let here = at(&params, &w, &b);
    for c in 0..3 {
        for j in 0..3 {
            let h = 1e-4 / 10_f64.powi(j as i32 - 2);
            let moved = |sign: f64| {
                let mut w = w.clone();
                w[[c, j]] += sign * h;
                at(&params, &w, &b)
            };
            let (up, down) = (moved(1.0), moved(-1.0));
            let slope = (up.loss() - down.loss()) / (2.0 * h);
            let g = here.gradient()[[c, j]];
            assert!((slope - g).abs() <= 1e-6 * g.abs().max(1.0), "{slope} is not {g}");
            let bend = (&up.gradient() - &down.gradient()) / (2.0 * h);
            for (i, bend) in bend.iter().enumerate() {
                let exact = here.hessian().unwrap()[[c * 4 + j, i]];
                assert!((bend - exact).abs() <= 1e-5 * exact.abs().max(1e-2), "{bend} is not {exact}");
            }
        }
    }
}

#[test]
fn stochastic_steps_of_every_rule_reach_the_optimum() {
    for k in [2, 3] {
        let data = made::<f64>(600, 5, k);
        let exact = LogisticRegression::params().tol(1e-14).fit(&data).unwrap();
        for (rule, learning_rate) in [
            (Rule::from(Sgd::default()), 0.3),
            (Sgd { momentum: 0.9, nesterov: true, ..Sgd::default() }.into(), 0.05),
            (RmsProp::default().into(), 0.003),
            (Adam::default().into(), 0.01),
        ] {
            let solver = Solver::Stochastic { rule, learning_rate, batch_size: 32, seed: 5 };
            let params = LogisticRegression::params().solver(solver).tol(1e-5);
            let model = params.fit(&data).unwrap();
            let gap = model.report().objective / exact.report().objective - 1.0;
            assert!((0.0..=1e-5).contains(&gap), "{rule:?}: gap {gap:e}, {}", model.report());
            assert_eq!(params.fit(&data).unwrap(), model, "the seed fixes every step");
        }
    }
}

/// Plain gradient descent converges to any gap, since the noise of its batches fades.
#[test]
fn stochastic_descent_converges_at_a_constant_rate() {
    let data = made::<f64>(600, 5, 2);
    let exact = LogisticRegression::params().tol(1e-15).fit(&data).unwrap();
    let solver =
        Solver::Stochastic { rule: Sgd::default().into(), learning_rate: 0.3, batch_size: 20, seed: 1 };
    let model = LogisticRegression::params().solver(solver).tol(1e-12).fit(&data).unwrap();
    assert!(model.report().objective / exact.report().objective - 1.0 <= 1e-11, "{}", model.report());
    // A rate that is far too large is halved until it serves.
    let solver =
        Solver::Stochastic { rule: Sgd::default().into(), learning_rate: 1e4, batch_size: 20, seed: 1 };
    let model = LogisticRegression::params().solver(solver).tol(1e-6).fit(&data).unwrap();
    assert!(model.report().objective / exact.report().objective - 1.0 <= 1e-5, "{}", model.report());
}

#[test]
fn the_chosen_penalty_is_the_one_that_cross_validation_by_hand_finds() {
    let data = made::<f64>(240, 8, 3);
    let params = LogisticRegression::params().l1_ratio(0.5).tol(1e-10);
    let alphas = params.alpha_path(&data, 6, 1e-3).unwrap();
    assert!(alphas.windows(2).all(|pair| pair[0] > pair[1]));
    let folds = stratified_folds(data.targets().view(), 4, 3).unwrap();
    let (model, report) = choose_alpha(&params, &data, &alphas, &folds).unwrap();
    let by_hand = |alpha: f64| -> f64 {
        let losses = folds.iter().map(|fold| {
            let train = sapwood::select::subset(&data, &fold.train);
            let model = params.clone().alpha(alpha).fit(&train).unwrap();
            let p = model.predict_proba(&data.records().select(Axis(0), &fold.test)).unwrap();
            let truth = data.targets().select(Axis(0), &fold.test);
            sapwood::score::log_loss(truth.view(), p.view()).unwrap()
        });
        losses.sum::<f64>() / 4.0
    };
    let expected: Vec<f64> = alphas.iter().map(|&alpha| by_hand(alpha)).collect();
    for (a, b) in report.means.iter().zip(&expected) {
        assert!((a - b).abs() < 1e-4, "{a} is not {b}");
    }
    let least = (0..6).fold(0, |best, i| if expected[i] < expected[best] { i } else { best });
    assert_eq!(report.best, least);
    assert!(report.simplest_alpha() >= report.best_alpha());
    let again = params.alpha(report.best_alpha()).fit(&data).unwrap();
    assert_eq!(model, again);
}

fn csr(x: &Array2<f64>) -> CsMat<f64> {
    CsMat::csr_from_dense(x.view(), 0.0)
}

#[test]
fn sparse_records_choose_the_penalty_of_dense_ones() {
    let mut data = made::<f64>(240, 8, 3);
    // Half of the cells become 0, and rows count unequally.
    data.records.indexed_iter_mut().filter(|((i, j), _)| (i * 5 + j * 3) % 7 < 3).for_each(|(_, x)| *x = 0.0);
    let data = data.with_weights((0..240).map(|i| 0.5 + (i % 4) as f32).collect());
    let matrix = csr(data.records());
    let sparse = DatasetBase::new(Csr::new(matrix.view()).unwrap(), data.targets().clone())
        .with_weights(data.weights.clone());
    let params = LogisticRegression::params().l1_ratio(0.7).tol(1e-12);
    let alphas = params.alpha_path(&data, 6, 1e-3).unwrap();
    let folds = stratified_folds(data.targets().view(), 4, 3).unwrap();
    let (model, report) = choose_alpha(&params, &data, &alphas, &folds).unwrap();
    let (same, sparse_report) = choose_alpha_sparse(&params, &sparse, &alphas, &folds).unwrap();
    assert!((&report.losses - &sparse_report.losses).iter().all(|d| d.abs() < 1e-5), "{sparse_report}");
    assert_eq!((report.best, report.simplest), (sparse_report.best, sparse_report.simplest));
    assert!(report.best > 0, "{report}");
    let again = params.clone().alpha(sparse_report.best_alpha()).fit(&sparse).unwrap();
    assert_eq!(same, again);
    assert!((model.report().objective / same.report().objective - 1.0).abs() < 1e-11);

    assert!(choose_alpha_sparse(&params, &sparse, &[], &folds).is_err());
    assert!(choose_alpha_sparse(&params, &sparse, &alphas, &[]).is_err());
    let shifted = params.offset(Array2::<f64>::zeros((240, 3)).view());
    assert!(choose_alpha_sparse(&shifted, &sparse, &alphas, &folds).is_err());
}

#[test]
fn sparse_records_give_the_path_of_dense_ones() {
    let data = made::<f64>(240, 8, 3);
    let matrix = csr(data.records());
    let sparse = DatasetBase::new(Csr::new(matrix.view()).unwrap(), data.targets().clone());
    let params = LogisticRegression::params().l1_ratio(0.7).tol(1e-12);
    let alphas = params.alpha_path(&data, 5, 1e-2).unwrap();
    let same = params.alpha_path_sparse(&sparse, 5, 1e-2).unwrap();
    assert!(alphas.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-9 * a), "{alphas:?} {same:?}");
    assert!(params.alpha_path_sparse(&sparse, 1, 1e-2).is_err());
    let (dense, sparse) =
        (params.fit_path(&data, &alphas).unwrap(), params.fit_path(&sparse, &alphas).unwrap());
    for (dense, sparse) in dense.iter().zip(&sparse) {
        let (a, b) = (dense.report().objective, sparse.report().objective);
        assert!((a - b).abs() < 1e-10 * a, "{a} {b}");
    }
    let used = |i: usize| sparse[i].coefficients().iter().filter(|&&w| w != 0.0).count();
    assert!(used(0) == 0 && used(4) > used(2), "{} {} {}", used(0), used(2), used(4));
}

#[test]
fn a_lasso_over_pieces_of_columns_is_the_dense_one_on_any_number_of_threads() {
    // More than half a million entries, which are two pieces.
    let data = made::<f64>(9_000, 60, 2);
    let matrix = csr(data.records());
    assert!(matrix.nnz() > 2 << 18);
    let sparse = DatasetBase::new(Csr::new(matrix.view()).unwrap(), data.targets().clone());
    let params = LogisticRegression::params().l1_ratio(1.0).alpha(3.0);
    let fit = |threads| sapwood::with_threads(threads, || params.fit(&sparse).unwrap());
    let one = fit(1);
    assert_eq!(one, fit(3));
    let dense = sapwood::with_threads(1, || params.fit(&data).unwrap());
    assert_eq!(dense, sapwood::with_threads(3, || params.fit(&data).unwrap()));
    let (a, b) = (one.report().objective, dense.report().objective);
    assert!((a - b).abs() < 1e-9 * a, "{a} {b}");
}
