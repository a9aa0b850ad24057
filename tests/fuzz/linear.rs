//! Logistic regression dense and sparse, discriminants, naive Bayes: an error, or probabilities.

use sapwood::data::Csr;
use sapwood::discriminant::Shrinkage;
use sapwood::linfa::traits::{Fit, Predict};
use sapwood::linfa::{Dataset, DatasetBase};
use sapwood::logistic::{ClassWeight, LogisticRegressionParams, Report, Solver};
use sapwood::ndarray::{Array1, Array2};
use sapwood::optim::Sgd;
use sapwood::sprs::CsMat;
use sapwood::{CategoricalNb, Float, LinearDiscriminant, LogisticRegression, QuadraticDiscriminant, Result};

use super::Bytes;

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    if bytes.is() { run::<f32>(&mut bytes) } else { run::<f64>(&mut bytes) }
}

fn run<F: Float>(bytes: &mut Bytes<'_>) {
    let (kind, tame) = (bytes.below(8), bytes.below(4) != 1);
    let (n, d, k) = (bytes.below(28), bytes.below(5), 1 + bytes.below(4));
    let y: Array1<usize> = (0..n).map(|_| bytes.below(k) * (usize::MAX / 4)).collect();
    let share = bytes.tame();
    let params = regression(bytes, k);
    let x = if tame { bytes.tame_table(n, d) } else { bytes.table(n, d) };
    let x: Array2<F> = x.mapv(F::cast);
    let shrinkage = [Shrinkage::None, Shrinkage::Ball(share), Shrinkage::Unit(share), Shrinkage::LedoitWolf]
        [bytes.below(4)];
    let mut data = Dataset::new(x.clone(), y.clone());
    if bytes.below(4) == 1 {
        data = data.with_weights((0..n).map(|_| bytes.number() as f32).collect());
    }
    match kind {
        0..=3 => logistic(&params, &data),
        4 => sparse(&params, &data),
        5 => {
            let Ok(model) = LinearDiscriminant::params().shrinkage(shrinkage).fit(&data) else { return };
            probabilities(model.predict_proba(&x), model.classes(), &model.predict(&x));
        }
        6 => {
            let Ok(model) = QuadraticDiscriminant::params().shrinkage(shrinkage).fit(&data) else { return };
            probabilities(model.predict_proba(&x), model.classes(), &model.predict(&x));
        }
        _ => {
            let x = x.mapv(|v| v.as_f64().abs() as usize % 300);
            let Ok(model) = CategoricalNb::params().alpha(share).fit(&Dataset::new(x.clone(), y)) else {
                return;
            };
            let p = model.predict_proba(&x).expect("its own rows");
            probabilities(Ok(p), model.classes(), &model.predict(&x));
        }
    }
}

fn regression(bytes: &mut Bytes<'_>, k: usize) -> LogisticRegressionParams {
    let mut params = LogisticRegression::params()
        .fit_intercept(bytes.is())
        .max_iter(bytes.below(40))
        .require_convergence(bytes.is())
        .tol(if bytes.below(8) == 1 { bytes.number() } else { 1e-8 });
    params = match bytes.below(8) {
        0 => params.alpha(bytes.number()),
        1 => params.alpha(0.0),
        2 => params.l1_ratio(bytes.number()),
        3 => params.l1_ratio(1.0).alpha(f64::from(bytes.byte()) / 16.0),
        _ => params.alpha(f64::from(bytes.byte()) / 16.0),
    };
    params = match bytes.below(8) {
        0 => params.solver(Solver::Newton),
        1 => params.solver(Solver::SampledNewton),
        2 => params.solver(Solver::Lbfgs),
        3 => params.solver(Solver::Stochastic {
            rule: Sgd::default().into(),
            learning_rate: bytes.number(),
            batch_size: bytes.below(9),
            seed: 1,
        }),
        _ => params,
    };
    match bytes.below(6) {
        1 => params.class_weight(ClassWeight::Balanced),
        2 => params.class_weight(ClassWeight::Each((0..k).map(|_| bytes.number()).collect())),
        _ => params,
    }
}

fn logistic<F: Float>(params: &LogisticRegressionParams, data: &Dataset<F, usize, sapwood::ndarray::Ix1>) {
    let Ok(model) = params.fit(data) else { return };
    assert!(model.coefficients().iter().chain(model.intercepts()).all(|w| w.is_finite()), "{model:?}");
    let x = data.records();
    probabilities(model.predict_proba(x), model.classes(), &model.predict(x));
}

/// Sparse rows give the model of the same dense rows, where both converge, near their optimum.
fn sparse<F: Float>(params: &LogisticRegressionParams, data: &Dataset<F, usize, sapwood::ndarray::Ix1>) {
    let rows = CsMat::csr_from_dense(data.records().view(), F::zero());
    let Ok(rows) = Csr::new(rows.view()) else { return };
    if data.records().iter().any(|v| v.is_nan()) {
        // Not stored: nothing is greater than NaN.
        return;
    }
    let mut thin = DatasetBase::new(rows, data.targets().clone());
    thin.weights = data.weights.clone();
    let (dense, thin_fit) = (params.fit(data), params.fit(&thin));
    let Ok(model) = thin_fit else { return };
    let p = model.predict_proba_sparse(&rows).expect("its own rows");
    // Margins of larger records have no digits that both ways to sum them share.
    if data.records().iter().all(|v| v.as_f64().abs() < 1e9) {
        probabilities(Ok(p.clone()), model.classes(), &model.predict(data.records()));
    }
    let Ok(dense) = dense else { return };
    // A tolerance of the input's own may leave them apart.
    let is_near = |report: &Report| report.converged() && report.gap <= 1e-7;
    if is_near(model.report()) && is_near(dense.report()) {
        let expected = dense.predict_proba(data.records()).expect("its own rows");
        // Of a row with a larger value the margin is the last digit of a coefficient, in `f32` at least.
        let is_tame = |i: usize| data.records().row(i).iter().all(|v| v.as_f64().abs() < 1e5);
        assert!(
            (&p - &expected).indexed_iter().all(|((i, _), gap)| gap.as_f64().abs() < 1e-2 || !is_tame(i)),
            "{p} {expected} {params:?} {data:?}"
        );
    }
}

/// Rows that sum to 1, the largest at the class that is predicted.
fn probabilities<F: Float>(p: Result<Array2<F>>, classes: &[usize], predicted: &Array1<usize>) {
    let Ok(p) = p else { return };
    assert_eq!(p.dim(), (predicted.len(), classes.len()));
    for (row, label) in p.rows().into_iter().zip(predicted) {
        assert!(row.iter().all(|p| (0.0..=1.0 + 1e-6).contains(&p.as_f64())), "{row}");
        assert!((row.sum().as_f64() - 1.0).abs() < 1e-5, "{row}");
        let column = classes.iter().position(|class| class == label).expect("a class");
        assert!(row.iter().all(|&p| p.as_f64() <= row[column].as_f64() + 1e-6), "{row} {label}");
    }
}
