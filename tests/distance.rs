//! Distances against SciPy and scikit-learn, against a plain loop, and at the edges of the number range.

use ndarray::{Array1, Array2, ArrayView2, ShapeBuilder, array, s};
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
                    agrees::<F, _>(name, x, &Minkowski { p: F::cast(1.5) }, &expected, tolerance);
                }
                "weighted_minkowski_3" => agrees::<F, _>(name, x, &weighted(3.0), &expected, tolerance),
                "weighted_minkowski_2.5" => agrees::<F, _>(name, x, &weighted(2.5), &expected, tolerance),
                "weighted_minkowski_inf" => {
                    agrees::<F, _>(name, x, &weighted(f64::INFINITY), &expected, tolerance);
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
    for (d, expected) in fixture["mahalanobis_of_rows"].as_object().unwrap() {
        let x = points.slice(s![.., ..d.parse::<usize>().unwrap()]);
        let metric = Mahalanobis::of_rows(&x.mapv(F::cast::<f64>)).unwrap();
        agrees::<F, _>("mahalanobis of rows", x, &metric, &numbers(expected), tolerance * 1000.0);
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

/// Rows that a metric of each kind likes: signs, small integers (ties), distributions.
fn rows(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array2::from_shape_fn((n, d), |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

/// Pairwise, top-k and radius against a plain loop over [`Metric::distance`]: the last two to the bit.
fn is_the_plain_loop<F: Float, M: Metric<F>>(
    name: &str,
    x: &Array2<F>,
    y: &Array2<F>,
    metric: &M,
    tolerance: f64,
) {
    let plain = Array2::from_shape_fn((x.nrows(), y.nrows()), |(i, j)| {
        metric.distance(x.row(i).to_slice().unwrap(), y.row(j).to_slice().unwrap())
    });
    let both = distance::between(x, y, metric).unwrap();
    for (&got, &expected) in both.iter().zip(&plain) {
        let (got, expected) = (got.as_f64(), expected.as_f64());
        let bound = tolerance * if M::SIMILARITY { 1.0 + expected.abs() } else { expected.abs().max(1e-6) };
        assert!((got - expected).abs() <= bound, "{name}: {got} {expected}");
    }
    let error = metric.tile_error(&metric.rows(x.view()), &metric.rows(y.view()));
    for (&got, &expected) in both.iter().zip(&plain) {
        assert!(
            (got - expected).abs() <= error.absolute + error.relative * got.abs(),
            "{name}: {got} {expected}"
        );
    }
    let order = |a: F, b: F| if M::SIMILARITY { b.partial_cmp(&a) } else { a.partial_cmp(&b) }.unwrap();
    for k in [1, 3, y.nrows()] {
        let nearest = distance::top_k(x, y, k, metric).unwrap();
        for (i, row) in plain.outer_iter().enumerate() {
            let mut expected: Vec<usize> = (0..y.nrows()).collect();
            expected.sort_by(|&a, &b| order(row[a], row[b]).then(a.cmp(&b)));
            assert_eq!(nearest.indices.row(i).to_vec(), expected[..k], "{name} k {k}");
            assert!(nearest.distances.row(i).iter().zip(&expected).all(|(&d, &j)| d == row[j]));
        }
    }
    // A radius that is one of the distances: it belongs to the ball.
    let radius = plain[[x.nrows() / 2, y.nrows() / 2]];
    let mut found = Vec::new();
    distance::within_between(x, y, radius, metric, |i, j, d| found.push((i, j, d))).unwrap();
    found.sort_by_key(|&(i, j, _)| (i, j));
    let inside =
        plain.indexed_iter().filter(|&(_, &d)| if M::SIMILARITY { d >= radius } else { d <= radius });
    assert_eq!(found, inside.map(|((i, j), &d)| (i, j, d)).collect::<Vec<_>>(), "{name} radius {radius}");
}

fn every_metric_is_its_plain_loop<F: Float>(x: &Array2<F>, y: &Array2<F>, tolerance: f64) {
    let absolute = |m: &Array2<F>| m.map(|v| v.abs() + F::cast(0.01));
    let (p, q) = (absolute(x), absolute(y));
    let sets = |m: &Array2<F>| m.map(|&v| if v > F::zero() { F::one() } else { F::zero() });
    let d = x.ncols();
    is_the_plain_loop("cosine", x, y, &Cosine, tolerance);
    is_the_plain_loop("cosine_similarity", x, y, &CosineSimilarity, tolerance);
    is_the_plain_loop("angular", x, y, &Angular, tolerance * 100.0);
    is_the_plain_loop("correlation", x, y, &Correlation, tolerance);
    is_the_plain_loop("dot", x, y, &Dot, tolerance * d as f64);
    is_the_plain_loop("euclidean", x, y, &Euclidean, tolerance);
    is_the_plain_loop("squared_euclidean", x, y, &SquaredEuclidean, tolerance);
    is_the_plain_loop("manhattan", x, y, &Manhattan, tolerance);
    is_the_plain_loop("chebyshev", x, y, &Chebyshev, 0.0);
    for p in [1.0, 1.5, 2.0, 3.0, 4.0, f64::INFINITY] {
        is_the_plain_loop("minkowski", x, y, &Minkowski { p: F::cast(p) }, tolerance);
        let weights = Array1::from_iter((0..d).map(|k| F::cast(k % 3)));
        let metric = WeightedMinkowski::new(F::cast(p), weights).unwrap();
        is_the_plain_loop("weighted_minkowski", x, y, &metric, tolerance);
    }
    is_the_plain_loop("canberra", x, y, &Canberra, tolerance);
    is_the_plain_loop("bray_curtis", &p, &q, &BrayCurtis, tolerance);
    is_the_plain_loop("hamming", &sets(x), &sets(y), &Hamming, tolerance);
    is_the_plain_loop("jaccard", &sets(x), &sets(y), &Jaccard, 0.0);
    is_the_plain_loop("hellinger", &p, &q, &Hellinger, tolerance * 100.0);
    is_the_plain_loop("jensen_shannon", &p, &q, &JensenShannon, tolerance);
    is_the_plain_loop("kullback_leibler", &p, &q, &KullbackLeibler, 0.0);
    if d == 2 {
        is_the_plain_loop("haversine", x, y, &Haversine, 0.0);
    }
    if d > 70 {
        return;
    }
    let mut covariance = Array2::<F>::eye(d);
    covariance.diag_mut().iter_mut().enumerate().for_each(|(k, v)| *v += F::cast(k % 5));
    is_the_plain_loop("mahalanobis", x, y, &Mahalanobis::new(&covariance).unwrap(), tolerance);
}

#[test]
fn every_metric_is_its_plain_loop_for_small_and_large_dimensions() {
    for (d, n, m) in
        [(1, 5, 9), (2, 30, 7), (3, 13, 25), (16, 9, 9), (17, 9, 40), (70, 20, 13), (300, 5, 200)]
    {
        let (x, y) = (rows(n, d, 1), rows(m, d, 2));
        every_metric_is_its_plain_loop(&x, &y, 1e-11);
        every_metric_is_its_plain_loop(&x.mapv(|v| v as f32), &y.mapv(|v| v as f32), 2e-3);
    }
}

#[test]
fn ties_and_equal_rows_are_found_in_the_order_of_their_numbers() {
    // A lattice: many equal distances, and every row three times.
    let lattice =
        Array2::from_shape_fn((81, 20), |(i, k)| f64::from(u8::from((i % 27) >> (k % 5) & 1 == 1)) * 0.1);
    every_metric_is_its_plain_loop(&lattice, &lattice, 1e-11);
}

#[test]
fn results_are_the_same_bits_for_any_number_of_threads_and_layout() {
    let x = rows(450, 33, 5);
    let one = sapwood::with_threads(1, || distance::pairwise(&x, Cosine).unwrap());
    let three = sapwood::with_threads(3, || distance::pairwise(&x, Cosine).unwrap());
    assert_eq!(one, three);
    let mut backwards = x.slice(s![..;-1, ..]).to_owned();
    backwards.invert_axis(ndarray::Axis(0));
    assert_eq!(distance::pairwise(&backwards, Cosine).unwrap(), one);
    // Rows do not know of each other.
    let part = distance::between(&x.slice(s![200..203, ..]), &x.slice(s![7..;31, ..]), Cosine).unwrap();
    assert_eq!(part, one.slice(s![200..203, 7..;31]));
    assert_eq!(distance::condensed(&x, Cosine).unwrap()[448], one[[0, 449]]);
    let blocks: Vec<_> = distance::blocks(&x, &x, Cosine, 100).unwrap().collect();
    assert_eq!(
        blocks.iter().map(|(start, block)| (*start, block.nrows())).collect::<Vec<_>>(),
        [(0, 100), (100, 100), (200, 100), (300, 100), (400, 50)]
    );
    assert_eq!(blocks[2].1.slice(s![.., ..200]), one.slice(s![200..300, ..200]));
}

#[test]
fn a_broadcast_view_is_as_good_as_its_copy() {
    let row = array![[1.0, 2.0, 3.0]];
    let many = row.broadcast((4, 3)).unwrap();
    assert_eq!(distance::pairwise(&many, Euclidean).unwrap(), Array2::<f64>::zeros((4, 4)));
    assert_eq!(distance::pairwise(&many, CosineSimilarity).unwrap(), Array2::<f64>::ones((4, 4)));
}

#[test]
fn cosine_distances_of_nearly_equal_points_keep_their_digits() {
    for d in [2, 17, 100] {
        for angle in [1e-2, 1e-4, 1e-6, 1e-9, 1e-12] {
            // Unit vectors at a known angle, in a plane across all components.
            let mut a = vec![1.0; d];
            let mut b: Vec<f64> = vec![1.0; d];
            let across = |k: usize| {
                if d % 2 == 1 && k == d - 1 {
                    0.0
                } else if k.is_multiple_of(2) {
                    1.0
                } else {
                    -1.0
                }
            };
            let length = (0..d).map(|k| across(k) * across(k)).sum::<f64>();
            let t = (d as f64 / length).sqrt() * f64::tan(angle);
            b.iter_mut().enumerate().for_each(|(k, v)| *v += t * across(k));
            a.iter_mut().for_each(|v| *v *= 3.0);
            let expected = 2.0 * (angle / 2.0).sin().powi(2);
            let got = distance::cosine_distance(&a, &b).unwrap();
            // The points themselves are rounded: that alone moves the angle by 1e-16.
            let bound = 1e-14 + 4e-16 / angle;
            assert!((got / expected - 1.0).abs() < bound, "d {d} angle {angle}: {got} {expected}");
            let x = ndarray::stack![ndarray::Axis(0), Array1::from(a), Array1::from(b)];
            assert_eq!(distance::pairwise(&x, Cosine).unwrap()[[0, 1]], got);
            let angular = distance::points(x.row(0), x.row(1), Angular).unwrap();
            assert!((angular / angle - 1.0).abs() < bound);
        }
    }
    let (a, b) = ([1.0_f32, 1.0, 1.0], [1.0_f32, 1.0, 1.000_1]);
    let exact = {
        let b = [1.0, 1.0, f64::from(1.000_1_f32)];
        distance::cosine_distance(&[1.0, 1.0, 1.0], &b).unwrap()
    };
    let got = f64::from(distance::cosine_distance(&a, &b).unwrap());
    assert!((got / exact - 1.0).abs() < 1e-7, "{got} {exact}");
}

/// Zeros, copies, opposites, neighbours as near as `2^-step` and lengths far apart.
fn pairs_of_every_kind<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut x = rows(n, d, 7).mapv(F::cast);
    for (i, mut row) in x.outer_iter_mut().enumerate() {
        let nearness = F::cast(2f64.powi(-((i / 9 + seed as usize) as i32 % 40)));
        match i % 9 {
            0 => row.fill(F::zero()),
            1 => row.mapv_inplace(|v| v * F::cast(-3)),
            2 => row[i / 9 % d] += nearness,
            3 => row.mapv_inplace(|v| v * (F::one() + nearness)),
            4 => row.mapv_inplace(|v| v * F::cast(1e15)),
            5 => row.mapv_inplace(|v| v * F::cast(1e-25)),
            6 => row.fill(F::cast(0.3)),
            _ => {}
        }
    }
    x
}

fn few_components_are_as_good_as_pairs<F: Float, M: Metric<F> + Copy>(metric: M) {
    for d in 1..=5 {
        let (x, y) = (pairs_of_every_kind::<F>(200, d, 0), pairs_of_every_kind::<F>(240, d, 11));
        let (both, turned) =
            (distance::between(&x, &y, metric).unwrap(), distance::between(&y, &x, metric).unwrap());
        assert_eq!(both, turned.t());
        for ((i, j), &got) in both.indexed_iter() {
            let expected =
                metric.distance(x.row(i).as_slice().unwrap(), y.row(j).as_slice().unwrap()).as_f64();
            // What `1 - s` may have lost in one of the two.
            let epsilon = F::epsilon().as_f64();
            let bound = 64.0 * epsilon.powf(0.75) * expected + 16.0 * epsilon * epsilon;
            let error = (got.as_f64() - expected).abs();
            assert!(error <= bound, "d {d}, {i} {j}: {got} {expected}");
            assert!((0.0..=2.0).contains(&got.as_f64()));
        }
    }
}

#[test]
fn in_few_components_every_pair_has_the_distance_of_its_two_points() {
    few_components_are_as_good_as_pairs::<f64, _>(Cosine);
    few_components_are_as_good_as_pairs::<f32, _>(Cosine);
    few_components_are_as_good_as_pairs::<f64, _>(Correlation);
    few_components_are_as_good_as_pairs::<f32, _>(Correlation);
}

#[test]
fn cosine_is_scaled_where_lengths_overflow_or_underflow() {
    let (a, b) = ([1.0, 2.0, 3.0], [3.0, -1.0, 2.0]);
    let expected = distance::cosine_similarity(&a, &b).unwrap();
    for exponent in [-1060, -700, -532, -300, 0, 300, 600, 1020] {
        // In two steps: the power itself is subnormal or the product would round twice.
        let scale = |v: [f64; 3]| v.map(|v| v * 2f64.powi(exponent / 2) * 2f64.powi(exponent - exponent / 2));
        for (a, b) in [(scale(a), b), (scale(a), scale(b)), (a, scale(b))] {
            let got = distance::cosine_similarity(&a, &b).unwrap();
            assert!((got - expected).abs() < 1e-15, "2^{exponent}: {got} {expected}");
            let x = array![a, b];
            let all = distance::pairwise(&x, CosineSimilarity).unwrap();
            assert!((all[[0, 1]] - expected).abs() < 1e-15, "2^{exponent}");
            assert_eq!([all[[0, 0]], all[[1, 1]]], [1.0, 1.0]);
        }
    }
    for scale in [1e-30_f32, 1e-22, 1e20, 1e37] {
        let x = array![a.map(|v| v as f32 * scale), b.map(|v| v as f32)];
        let got = distance::pairwise(&x, CosineSimilarity).unwrap()[[0, 1]];
        assert!((f64::from(got) - expected).abs() < 1e-6, "{scale}: {got}");
    }
}

#[test]
fn euclidean_neither_cancels_nor_leaves_the_range() {
    // Offsets that ruin |a|^2 + |b|^2 - 2 a.b, in few and in many components.
    for d in [3, 64] {
        for offset in [0.0, 1e4, 1e6, 1e9] {
            let x = Array2::from_shape_fn((30, d), |(i, k)| offset + ((i * 7 + k * 3) % 11) as f64 / 1024.0);
            let got = distance::pairwise(&x, Euclidean).unwrap();
            for ((i, j), &got) in got.indexed_iter() {
                let squares = x.row(i).iter().zip(x.row(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
                assert!((got - squares.sqrt()).abs() <= 1e-12 * got, "d {d} offset {offset}: {got}");
            }
        }
        for scale in [5e-324, 1e-310, 1e-200, 1e-160, 1e160, 1e200, 1e307] {
            let mut x = Array2::<f64>::zeros((2, d));
            (x[[1, 0]], x[[1, 1]]) = (3.0 * scale, 4.0 * scale);
            let expected = 5.0 * scale;
            let got = distance::pairwise(&x, Euclidean).unwrap()[[0, 1]];
            assert!((got / expected - 1.0).abs() < 1e-15, "{scale}: {got}");
            let got = distance::pairwise(&x, Minkowski { p: 3.0 }).unwrap()[[0, 1]];
            assert!(got >= 4.0 * scale * 0.99 && got < 5.0 * scale * 1.01, "{scale}: {got}");
        }
    }
    let far = array![[1e308, -1e308], [-1e308, 1e308]];
    assert_eq!(distance::pairwise(&far, Canberra).unwrap()[[0, 1]], 2.0);
    assert!(distance::pairwise(&far, Cosine).unwrap()[[0, 1]] > 2.0 - 1e-15);
    assert_eq!(distance::pairwise(&far, Euclidean).unwrap()[[0, 1]], f64::INFINITY);
    assert_eq!(distance::pairwise(&array![[1e308], [1.5e308]], BrayCurtis).unwrap()[[0, 1]], 0.2);
}

#[test]
fn a_zero_vector_has_similarity_0_and_distance_1() {
    let x = array![[0.0, -0.0], [1.0, 2.0]];
    assert_eq!(distance::pairwise(&x, CosineSimilarity).unwrap(), array![[0.0, 0.0], [0.0, 1.0]]);
    assert_eq!(distance::pairwise(&x, Cosine).unwrap(), array![[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(distance::cosine_distance(&[0.0, 0.0], &[0.0, 0.0]).unwrap(), 1.0);
    // For the correlation, so has a constant one, whatever its mean rounds to.
    let x = Array2::from_shape_fn((2, 7), |(i, k)| if i == 0 { 0.1 } else { k as f64 });
    assert_eq!(distance::pairwise(&x, Correlation).unwrap(), array![[0.0, 1.0], [1.0, 0.0]]);
}

/// Found by fuzzing: infinities that met while a difference was whitened made it NaN.
#[test]
fn mahalanobis_distances_that_overflow_on_the_way_are_right() {
    let metric = Mahalanobis::new(&array![[4.0, 2.0], [2.0, 4.0]]).unwrap();
    let x = array![[1e308, 1e308], [-1e308, -1e308], [1e308, -1e308]];
    let distances = distance::pairwise(&x, &metric).unwrap();
    assert!((distances[[0, 1]] / 1e308 - 2.0 / 3.0_f64.sqrt()).abs() < 1e-14, "{distances}");
    assert!((distances[[0, 2]] / 1e308 - 2.0 / 3.0_f64.sqrt()).abs() < 1e-14, "{distances}");
    let tiny = Mahalanobis::new(&array![[1e-300, 5e-301], [5e-301, 1e-300]]).unwrap();
    assert_eq!(distance::pairwise(&x, &tiny).unwrap()[[0, 1]], f64::INFINITY);
}

#[test]
fn what_cannot_be_answered_is_a_named_error() {
    let message = |result: sapwood::Result<Array2<f64>>| result.unwrap_err().to_string();
    let x = array![[1.0, 2.0], [3.0, 4.0]];
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let mut x = x.clone();
        x[[1, 0]] = bad;
        let expected = format!("`x` must be finite, got {bad} in row 1, column 0");
        assert_eq!(message(distance::pairwise(&x, Cosine)), expected);
        assert_eq!(message(distance::between(&x, &x, Jaccard)), expected);
        assert!(matches!(distance::condensed(&x, Cosine), Err(Error::NonFinite { .. })));
        assert!(matches!(distance::top_k(&x, &x, 1, Cosine), Err(Error::NonFinite { .. })));
        assert!(matches!(distance::within(&x, 1.0, Cosine, |_, _, _| ()), Err(Error::NonFinite { .. })));
        assert!(matches!(
            distance::one_to_many(&[1.0, 2.0], &x, Hamming),
            Err(Error::NonFinite { row: 1, .. })
        ));
        assert!(matches!(
            distance::cosine_similarity(&[1.0, bad], &[1.0, 2.0]),
            Err(Error::NonFinite { .. })
        ));
    }
    let nothing = Array2::<f64>::zeros((0, 3));
    assert_eq!(
        message(distance::pairwise(&nothing, Cosine)),
        "`x` must have at least one row and one column, got 0 x 3"
    );
    assert_eq!(
        message(distance::pairwise(&Array2::<f64>::zeros((3, 0)), Cosine)),
        "`x` must have at least one row and one column, got 3 x 0"
    );
    assert_eq!(
        message(distance::between(&x, &array![[1.0]], Cosine)),
        "`y` must have 2 columns, as `x`, got 1"
    );
    assert!(distance::one_to_many(&[1.0], &x, Cosine).is_err());
    assert!(distance::one_to_many(&[1.0, 2.0, 3.0], &nothing, Cosine).is_err());
    assert!(distance::cosine_similarity::<f64>(&[], &[]).is_err());
    for k in [0, 3] {
        let error = distance::top_k(&x, &x, k, Cosine).unwrap_err().to_string();
        assert_eq!(error, format!("`k` must be from 1 to 2, the number of rows, got {k}"));
    }
    assert!(distance::within(&x, f64::NAN, Cosine, |_, _, _| ()).is_err());
    assert!(distance::within(&x, -1.0, Cosine, |_, _, _| panic!("nothing is so near")).is_ok());
    assert!(distance::blocks(&x, &x, Cosine, 0).is_err());
    for p in [0.5, f64::NAN, -1.0] {
        let expected = format!("`p` must be at least 1, got {p}");
        assert_eq!(message(distance::pairwise(&x, Minkowski { p })), expected);
        assert!(WeightedMinkowski::new(p, array![1.0]).is_err());
    }
    assert!(WeightedMinkowski::new(2.0, array![1.0, -1.0]).is_err());
    assert!(distance::pairwise(&x, WeightedMinkowski::new(2.0, array![1.0]).unwrap()).is_err());
    assert!(Mahalanobis::new(&array![[1.0, 2.0], [2.0, 1.0]]).is_err());
    assert!(Mahalanobis::new(&array![[1.0, 0.5], [0.0, 1.0]]).is_err());
    assert!(Mahalanobis::of_rows(&array![[1.0, 2.0], [2.0, 4.0], [3.0, 6.0]]).is_err());
    assert!(distance::pairwise(&array![[1.0]], Mahalanobis::new(&Array2::eye(2)).unwrap()).is_err());
    assert!(distance::pairwise(&array![[1.0, 2.0, 3.0]], Haversine).is_err());
    assert!(distance::pairwise(&array![[1.0, -2.0]], JensenShannon).is_err());
    assert!(distance::pairwise(&array![[0.0, 0.0]], Hellinger).is_err());
    let mut small = Array2::zeros((1, 2));
    assert!(distance::pairwise_into(&x, Cosine, small.view_mut()).is_err());
    let mut turned = Array2::zeros((2, 2).f());
    assert!(distance::between_into(&x, &x, Cosine, turned.view_mut()).is_err());
}

#[test]
fn one_row_one_column_and_a_thousand_columns_are_points_too() {
    assert_eq!(distance::pairwise(&array![[5.0]], Euclidean).unwrap(), array![[0.0]]);
    assert_eq!(distance::condensed(&array![[5.0]], Euclidean).unwrap().len(), 0);
    let x = rows(3, 1000, 9);
    every_metric_is_its_plain_loop(&x, &x, 1e-11);
}

#[test]
fn our_metrics_serve_linfas_neighbours() {
    use linfa_nn::{BallTree, NearestNeighbour};
    let x = rows(300, 4, 3);
    let tree = BallTree.from_batch(&x, Manhattan).unwrap();
    let nearest = distance::top_k(&x.slice(s![..10, ..]), &x, 5, Manhattan).unwrap();
    for i in 0..10 {
        let found = tree.k_nearest(x.row(i), 5).unwrap();
        assert_eq!(found.iter().map(|&(_, j)| j).collect::<Vec<_>>(), nearest.indices.row(i).to_vec());
    }
}

fn point() -> impl Strategy<Value = Vec<f64>> {
    prop::collection::vec(prop_oneof![4 => -100.0..100.0_f64, 1 => Just(0.0), 1 => -1e-3..1e-3_f64], 1..40)
}

fn three_points() -> impl Strategy<Value = [Vec<f64>; 3]> {
    point().prop_flat_map(|a| {
        let other = || prop::collection::vec(-100.0..100.0_f64, a.len());
        (Just(a.clone()), other(), other()).prop_map(|(a, b, c)| [a, b, c])
    })
}

fn obeys_the_triangle<M: Metric<f64>>(metric: &M, [a, b, c]: &[Vec<f64>; 3]) {
    let (ab, bc, ac) = (metric.distance(a, b), metric.distance(b, c), metric.distance(a, c));
    assert!(ab >= 0.0 && ac <= (ab + bc) * (1.0 + 1e-12), "{ab} {bc} {ac}");
    assert_eq!(ab, metric.distance(b, a));
    assert_eq!(metric.distance(a, a), 0.0);
}

proptest! {
    #[test]
    fn metrics_are_symmetric_zero_on_themselves_and_obey_the_triangle(points in three_points()) {
        obeys_the_triangle(&Euclidean, &points);
        obeys_the_triangle(&Manhattan, &points);
        obeys_the_triangle(&Chebyshev, &points);
        obeys_the_triangle(&Minkowski { p: 2.5 }, &points);
        obeys_the_triangle(&Canberra, &points);
        obeys_the_triangle(&Hamming, &points);
        obeys_the_triangle(&Jaccard, &points);
        let shares = points.map(|point| point.iter().map(|v| v.abs() + 1e-3).collect::<Vec<_>>());
        obeys_the_triangle(&Hellinger, &shares);
        obeys_the_triangle(&JensenShannon, &shares);
        obeys_the_triangle(&Angular, &shares);
    }

    #[test]
    fn cosine_stays_in_its_range_and_ignores_length([a, b, _] in three_points(), scale in 1e-3..1e3_f64) {
        let similarity = distance::cosine_similarity(&a, &b).unwrap();
        let cosine = distance::cosine_distance(&a, &b).unwrap();
        prop_assert!((-1.0..=1.0).contains(&similarity) && (0.0..=2.0).contains(&cosine));
        prop_assert!((similarity + cosine - 1.0).abs() < 1e-15);
        prop_assert_eq!(similarity, distance::cosine_similarity(&b, &a).unwrap());
        let longer: Vec<f64> = a.iter().map(|v| v * scale).collect();
        prop_assert!((distance::cosine_similarity(&longer, &b).unwrap() - similarity).abs() < 1e-14);
        if a.iter().any(|&v| v != 0.0) {
            prop_assert_eq!(distance::cosine_similarity(&a, &a).unwrap(), 1.0);
            prop_assert_eq!(distance::cosine_distance(&a, &a).unwrap(), 0.0);
            prop_assert!(distance::cosine_distance(&a, &longer).unwrap() < 1e-30);
        }
    }
}
