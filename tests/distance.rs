//! Distances against SciPy and scikit-learn, against a plain loop, and at the edges of the number range.

use ndarray::{Array1, Array2, ArrayView2, Axis, Dimension, ShapeBuilder, array, s};
use proptest::prelude::*;
use sapwood::distance::{self, *};
use sapwood::{Error, Float};
use serde_json::Value;

fn fixture() -> Value {
    serde_json::from_str(include_str!("fixtures/distance.json")).unwrap()
}

fn numbers(value: &Value) -> Vec<f64> {
    value.as_array().unwrap().iter().map(|v| v.as_f64().unwrap()).collect()
}

fn matrix(value: &Value) -> Array2<f64> {
    let rows: Vec<Vec<f64>> = value.as_array().unwrap().iter().map(numbers).collect();
    Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| rows[i][j])
}

/// `got` through every function against `expected`, the upper half of the square.
fn agrees<F: Float, M: Metric<F>>(
    name: &str,
    x: ArrayView2<'_, f64>,
    metric: &M,
    expected: &[f64],
    tolerance: f64,
) {
    let x: Array2<F> = x.mapv(F::cast);
    let fortran = {
        let mut fortran = Array2::zeros(x.raw_dim().f());
        fortran.assign(&x);
        fortran
    };
    let n = x.nrows();
    let square = distance::pairwise(&x, metric).unwrap();
    let both = distance::between(&x, &fortran, metric).unwrap();
    let half = distance::condensed(&fortran, metric).unwrap();
    let mut k = 0;
    for i in 0..n {
        let row = distance::one_to_many(x.row(i), &x, metric).unwrap();
        for j in i + 1..n {
            let close = |got: F, how: &str| {
                let (got, expected) = (got.as_f64(), expected[k]);
                let error = (got - expected).abs();
                let bound = tolerance * expected.abs().max(if M::SIMILARITY { 1.0 } else { 1e-3 });
                assert!(error <= bound, "{name}, {how}, d {}: {got}, expected {expected}", x.ncols());
            };
            close(square[[i, j]], "pairwise");
            close(both[[i, j]], "between");
            close(half[k], "condensed");
            close(row[j], "one_to_many");
            if M::SYMMETRIC {
                assert_eq!(square[[i, j]], square[[j, i]]);
                assert_eq!(both[[i, j]], both[[j, i]]);
            }
            k += 1;
        }
        if !M::SIMILARITY {
            assert_eq!(square[[i, i]], F::zero());
            assert_eq!(row[i], F::zero(), "{name}: distance of a point to itself");
        }
    }
    assert_eq!(k, expected.len());
}

fn every_metric_agrees<F: Float>(tolerance: f64) {
    let fixture = fixture();
    let [points, shares, sets] = ["points", "shares", "sets"].map(|name| matrix(&fixture[name]));
    let weights = Array1::from(numbers(&fixture["weights"])).mapv(F::cast::<f64>);
    for (d, expected) in fixture["expected"].as_object().unwrap() {
        let d: usize = d.parse().unwrap();
        let [x, p, sets] = [&points, &shares, &sets].map(|m| m.slice(s![.., ..d]));
        for (name, expected) in expected.as_object().unwrap() {
            let expected = numbers(expected);
            let weighted =
                |p: f64| WeightedMinkowski::new(F::cast(p), weights.slice(s![..d]).to_owned()).unwrap();
            match name.as_str() {
                "cosine" => agrees::<F, _>(name, x, &Cosine, &expected, tolerance),
                "cosine_similarity" => agrees::<F, _>(name, x, &CosineSimilarity, &expected, tolerance),
                // arccos(1 - d) of the reference loses half the digits at small angles.
                "angular" => agrees::<F, _>(name, x, &Angular, &expected, tolerance.max(1e-9)),
                "dot" => agrees::<F, _>(name, x, &Dot, &expected, tolerance * 10.0),
                "correlation" => agrees::<F, _>(name, x, &Correlation, &expected, tolerance),
                "euclidean" => agrees::<F, _>(name, x, &Euclidean, &expected, tolerance),
                "squared_euclidean" => agrees::<F, _>(name, x, &SquaredEuclidean, &expected, tolerance),
                "manhattan" => agrees::<F, _>(name, x, &Manhattan, &expected, tolerance),
                "chebyshev" => agrees::<F, _>(name, x, &Chebyshev, &expected, tolerance),
                "minkowski_3" => agrees::<F, _>(name, x, &Minkowski { p: F::cast(3) }, &expected, tolerance),
                "minkowski_4" => agrees::<F, _>(name, x, &Minkowski { p: F::cast(4) }, &expected, tolerance),
                "minkowski_1.5" => {
                    agrees::<F, _>(name, x, &Minkowski { p: F::cast(1.5) }, &expected, tolerance)
                }
                "weighted_minkowski_3" => agrees::<F, _>(name, x, &weighted(3.0), &expected, tolerance),
                "weighted_minkowski_2.5" => agrees::<F, _>(name, x, &weighted(2.5), &expected, tolerance),
                "weighted_minkowski_inf" => {
                    agrees::<F, _>(name, x, &weighted(f64::INFINITY), &expected, tolerance)
                }
                "canberra" => agrees::<F, _>(name, x, &Canberra, &expected, tolerance),
                "bray_curtis" => agrees::<F, _>(name, p, &BrayCurtis, &expected, tolerance),
                "hamming" => agrees::<F, _>(name, sets, &Hamming, &expected, tolerance),
                "jaccard" => agrees::<F, _>(name, sets, &Jaccard, &expected, tolerance),
                "hellinger" => agrees::<F, _>(name, p, &Hellinger, &expected, tolerance),
                "jensen_shannon" => agrees::<F, _>(name, p, &JensenShannon, &expected, tolerance),
                "kullback_leibler" => agrees::<F, _>(name, p, &KullbackLeibler, &expected, tolerance),
                other => panic!("no metric for {other}"),
            }
        }
    }
    for case in fixture["mahalanobis"].as_array().unwrap() {
        let covariance = matrix(&case["covariance"]).mapv(F::cast::<f64>);
        let metric = Mahalanobis::new(&covariance).unwrap();
        let x = points.slice(s![.., ..covariance.nrows()]);
        agrees::<F, _>("mahalanobis", x, &metric, &numbers(&case["distances"]), tolerance * 100.0);
    }
    let (places, haversine) = (matrix(&fixture["places"]), matrix(&fixture["haversine"]));
    let upper: Vec<f64> = haversine.indexed_iter().filter(|((i, j), _)| i < j).map(|(_, &d)| d).collect();
    agrees::<F, _>("haversine", places.view(), &Haversine, &upper, tolerance);
}

#[test]
fn every_metric_is_that_of_scipy_and_scikit_learn_in_f64() {
    every_metric_agrees::<f64>(2e-12);
}

#[test]
fn every_metric_is_that_of_scipy_and_scikit_learn_in_f32() {
    every_metric_agrees::<f32>(2e-4);
}
