//! What hostile input gets from the distance functions: an error that names it, or the answer that the definition gives; never a panic, a hang
//! or a large allocation. (DBSCAN and the index stand in `bad_inputs.rs`, sparse rows in `sparse_distance.rs`.)

use sapwood::distance::{self, *};
use sapwood::index::BruteForce;
use sapwood::ndarray::{Array2, ArrayView2, Axis, ShapeBuilder, array, aview1, s};
use sapwood::{Error, Float, Result};

fn message<T>(result: Result<T>) -> String {
    result.err().expect("refused").to_string()
}

/// The message of every function that takes rows, each of which calls them `x` here.
fn messages<F: Float>(x: ArrayView2<'_, F>) -> Vec<String> {
    let good = Array2::from_elem((2, x.ncols()), F::one());
    let mut messages = vec![
        message(distance::pairwise(&x, Cosine)),
        message(distance::pairwise(&x, Canberra)),
        message(distance::condensed(&x, Euclidean)),
        message(distance::between(&x, &good, Manhattan)),
        message(distance::top_k(&x, &good, 1, Hamming)),
        message(distance::within(&x, F::one(), Dot, |_, _, _| ())),
        message(distance::within_between(&x, &good, F::one(), Angular, |_, _, _| ())),
        message(distance::blocks(&x, &good, Jaccard, 1).map(|_| ())),
        message(distance::pairwise_into(&x, Cosine, Array2::zeros((1, 1)).view_mut())),
        message(BruteForce::new(&x, Correlation)).replace("records", "x"),
        message(Mahalanobis::of_rows(&x)),
    ];
    if x.ncols() > 0 {
        messages.push(message(distance::one_to_many(good.row(0), &x, Cosine)));
        messages.push(message(distance::one_to_many(good.row(0), &x, Chebyshev)));
    }
    messages
}

#[test]
fn n01_n02_no_rows_and_no_columns_are_refused() {
    for text in messages(Array2::<f64>::zeros((0, 3)).view()) {
        assert_eq!(text, "`x` must have at least one row and one column, got 0 x 3");
    }
    for text in messages(Array2::<f32>::zeros((4, 0)).view()) {
        assert_eq!(text, "`x` must have at least one row and one column, got 4 x 0");
    }
}

#[test]
fn n03_n04_n05_nan_and_infinities_are_named_with_row_and_column() {
    for (bad, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let mut x = Array2::from_shape_fn((50, 2), |(i, k)| (i + k) as f64);
        x[[49, 0]] = bad;
        x[[31, 1]] = bad;
        let expected = format!("`x` must be finite, got {name} in row 31, column 1");
        for text in messages(x.view()).into_iter().chain(messages(x.mapv(|v| v as f32).view())) {
            assert_eq!(text, expected);
        }
    }
}

/// Squares of these leave the range; distances that do not are right, others infinite.
#[test]
fn n06_n07_the_largest_and_smallest_numbers_have_their_distances() {
    for v in [1e308, 1e-308, f64::from_bits(1)] {
        let x = array![[v, 0.0], [0.0, v], [v, v]];
        let euclidean = distance::pairwise(&x, Euclidean).unwrap();
        assert_eq!([euclidean[[0, 2]], euclidean[[1, 2]]], [v, v]);
        assert!((euclidean[[0, 1]] / v - 2_f64.sqrt()).abs() < 0.5, "{v}");
        assert_eq!(distance::pairwise(&x, Chebyshev).unwrap()[[0, 1]], v);
        let similarity = distance::pairwise(&x, CosineSimilarity).unwrap();
        assert!((similarity[[0, 2]] - 0.5_f64.sqrt()).abs() < 1e-15 && similarity[[0, 1]] == 0.0, "{v}");
        assert_eq!(distance::pairwise(&x, Canberra).unwrap()[[0, 1]], 2.0);
        assert_eq!(distance::pairwise(&x, Hamming).unwrap()[[0, 1]], 1.0);
        assert_eq!(distance::pairwise(&x, BrayCurtis).unwrap()[[0, 1]], 1.0);
        assert_eq!(distance::top_k(&x, &x, 1, Euclidean).unwrap().indices, array![[0], [1], [2]]);
    }
    let far = array![[1e308, 1e308], [-1e308, -1e308]];
    assert_eq!(distance::pairwise(&far, Manhattan).unwrap()[[0, 1]], f64::INFINITY);
    assert!(distance::pairwise(&far, CosineSimilarity).unwrap()[[0, 1]] < 1e-15 - 1.0);
    assert_eq!(BruteForce::new(&far, Euclidean).unwrap().counts_within(1e300, 9).unwrap(), [1, 1]);
}

#[test]
fn n08_one_row_has_distance_0_to_itself() {
    let x = array![[3.0, 4.0]];
    assert_eq!(distance::pairwise(&x, Cosine).unwrap(), array![[0.0]]);
    assert_eq!(distance::condensed(&x, Euclidean).unwrap().len(), 0);
    assert_eq!(distance::top_k(&x, &x, 1, Manhattan).unwrap().distances, array![[0.0]]);
    assert_eq!(message(Mahalanobis::of_rows(&x)), "`x` must have at least two rows, got 1");
}

#[test]
fn n09_n10_views_of_any_layout_give_the_same_bits() {
    let x = Array2::from_shape_fn((90, 19), |(i, k)| ((i * 7 + k * 3) % 30) as f64 - 11.0);
    let mut fortran = Array2::zeros((90, 19).f());
    fortran.assign(&x);
    let turned = x.slice(s![..;-1, ..;-1]).to_owned();
    let mut apart = Array2::from_elem((180, 57), f64::NAN);
    apart.slice_mut(s![1..;2, ..;3]).assign(&x);
    for view in [fortran.view(), turned.slice(s![..;-1, ..;-1]), apart.slice(s![1..;2, ..;3])] {
        assert_eq!(distance::pairwise(&view, Cosine).unwrap(), distance::pairwise(&x, Cosine).unwrap());
        assert_eq!(distance::condensed(&view, Canberra).unwrap(), distance::condensed(&x, Canberra).unwrap());
        let query = view.row(3);
        let expected = distance::one_to_many(x.row(3), &x, Euclidean).unwrap();
        assert_eq!(distance::one_to_many(query, &view, Euclidean).unwrap(), expected);
        assert_eq!(
            distance::top_k(&view, &view, 5, Manhattan).unwrap(),
            distance::top_k(&x, &x, 5, Manhattan).unwrap()
        );
    }
    let row = array![1.0, 2.0];
    let equal = row.broadcast((300, 2)).unwrap();
    assert_eq!(distance::pairwise(&equal, Correlation).unwrap(), Array2::<f64>::zeros((300, 300)));
    assert_eq!(distance::one_to_many(&row, &equal, Cosine).unwrap().sum(), 0.0);
}

#[test]
fn n11_n12_other_widths_are_refused() {
    let (x, y) = (array![[1.0, 2.0]], array![[1.0, 2.0, 3.0]]);
    assert_eq!(message(distance::between(&x, &y, Cosine)), "`y` must have 2 columns, as `x`, got 3");
    assert_eq!(
        message(distance::points(x.row(0), y.row(0), Cosine)),
        "`b` must have 2 components, as `a`, got 3"
    );
    assert!(matches!(distance::one_to_many(x.row(0), &y, Cosine), Err(Error::Shape { .. })));
    assert!(matches!(distance::top_k(&x, &y, 1, Cosine), Err(Error::Shape { .. })));
    assert!(matches!(distance::within_between(&x, &y, 1.0, Cosine, |_, _, _| ()), Err(Error::Shape { .. })));
    let mut out = Array2::zeros((2, 1));
    let expected = "`out` must have 1 x 1 entries, row after row in memory, got 2 x 1";
    assert_eq!(message(distance::between_into(&x, &x, Cosine, out.view_mut())), expected);
}

/// 0.1 and 0.3 in `f32` are other numbers; the distance is that of the numbers that are stored.
#[test]
fn n14_f32_rows_are_measured_as_they_are_stored() {
    let (a, b) = (0.1_f32, 0.4_f32);
    let exact = f64::from(b) - f64::from(a);
    for got in [
        distance::euclidean_distance(&[a], &[b]).unwrap(),
        distance::points(&[a], &[b], Manhattan).unwrap(),
        distance::pairwise(&array![[a], [b]], Chebyshev).unwrap()[[0, 1]],
    ] {
        assert_eq!(got, exact as f32);
    }
}

#[test]
fn n15_a_constant_column_changes_no_difference() {
    let x = Array2::from_shape_fn((40, 1), |(i, _)| ((i * i) % 101) as f64);
    let beside = Array2::from_shape_fn((40, 3), |(i, k)| if k == 1 { x[[i, 0]] } else { -7.25 });
    assert_eq!(distance::pairwise(&x, Euclidean).unwrap(), distance::pairwise(&beside, Euclidean).unwrap());
    assert_eq!(distance::pairwise(&x, Manhattan).unwrap(), distance::pairwise(&beside, Manhattan).unwrap());
    let expected =
        "`covariance` must be symmetric and positive definite, got one that is not positive definite";
    assert_eq!(message(Mahalanobis::of_rows(&beside)), expected);
    // No sum of tenths is exact: their mean is not 0.1.
    let tenths = Array2::from_shape_fn((40, 2), |(i, k)| if k == 0 { x[[i, 0]] } else { 0.1 });
    assert_eq!(message(Mahalanobis::of_rows(&tenths)), expected);
    let dependent = Array2::from_shape_fn((40, 2), |(i, k)| x[[i, 0]] * [0.1, 0.3][k]);
    assert_eq!(message(Mahalanobis::of_rows(&dependent)), expected);
}

#[test]
fn n26_one_column_and_a_thousand_columns_have_distances() {
    for d in [1, 2, 17, 1000] {
        let x = Array2::from_shape_fn((40, d), |(i, k)| if k == d - 1 { i as f64 } else { 1.0 });
        for metric in [distance::pairwise(&x, Euclidean), distance::pairwise(&x, Manhattan)] {
            assert!(metric.unwrap().indexed_iter().all(|((i, j), &got)| got == i.abs_diff(j) as f64), "{d}");
        }
        assert_eq!(BruteForce::new(&x, Chebyshev).unwrap().counts_within(1.0, 9).unwrap()[..3], [2, 3, 3]);
    }
}

/// A broadcast view has as many rows as it likes, but their distances do not fit into any memory.
#[test]
fn n27_a_matrix_larger_than_memory_is_refused_at_once() {
    let row = array![1.0_f32];
    for n in [1 << 31, 1 << 40] {
        let x = row.broadcast((n, 1)).unwrap();
        let expected =
            format!("`x` must have few enough rows for a matrix of distances in memory, got {n} x {n}");
        assert_eq!(message(distance::pairwise(&x, Euclidean)), expected);
        assert_eq!(message(distance::between(&x, &x, Euclidean)), expected);
        assert_eq!(message(distance::blocks(&x, &x, Euclidean, usize::MAX).map(|_| ())), expected);
        assert!(matches!(distance::condensed(&x, Euclidean), Err(Error::Shape { .. })));
    }
}

#[test]
fn n28_no_neighbours_or_more_than_rows_are_refused_or_all() {
    let x = array![[0.0], [3.0], [1.0]];
    for k in [0, 4, usize::MAX] {
        let expected = format!("`k` must be from 1 to 3, the number of rows, got {k}");
        assert_eq!(message(distance::top_k(&x, &x, k, Euclidean)), expected);
    }
    let index = BruteForce::new(&x, Euclidean).unwrap();
    assert_eq!(index.nearest(x.row(0), usize::MAX).unwrap().len(), 3);
    assert_eq!(message(index.nearest(x.row(0), 0)), "`k` must be at least 1, got 0");
    assert_eq!(index.count_within(x.row(0), 9.0, 0).unwrap(), 0);
}

#[test]
fn n29_a_point_at_exactly_the_radius_is_inside() {
    for radius in [1.0_f64, 0.3, 5.0, 1e-7, 123_456.789] {
        let x = array![[0.0, 0.0], [radius, 0.0], [0.0, -radius]];
        for (radius, expected) in [(radius, 2), (radius.next_down(), 0)] {
            let mut n = [0; 3];
            distance::within(&x.slice(s![..2, ..]), radius, Euclidean, |_, _, _| n[0] += 1).unwrap();
            distance::within(&x, radius, Manhattan, |_, _, _| n[1] += 1).unwrap();
            distance::within_between(&x.slice(s![..1, ..]), &x, radius, Chebyshev, |_, _, _| n[2] += 1)
                .unwrap();
            assert_eq!(n, [expected / 2, expected, expected + 1], "{radius}");
            let index = BruteForce::new(&x, Chebyshev).unwrap();
            assert_eq!(index.counts_within(radius, 9).unwrap()[0], expected + 1);
        }
    }
}

/// At 1e9, `f64` has steps of 1.2e-7, so 0.001 is nearly kept; `f32` has steps of 64, so these points are equal.
#[test]
fn n30_narrow_data_far_from_the_origin_keep_their_distances() {
    for d in [2, 40] {
        let x = Array2::from_shape_fn((60, d), |(i, k)| 1e9 + 0.001 * ((i * (k + 1)) % 7) as f64);
        let got = distance::pairwise(&x, Euclidean).unwrap();
        for ((i, j), &got) in got.indexed_iter() {
            let squares = x.row(i).iter().zip(x.row(j)).map(|(a, b)| (a - b) * (a - b)).sum::<f64>();
            assert!((got - squares.sqrt()).abs() <= 1e-12 * got, "d {d}: {got}");
        }
        assert_eq!(distance::pairwise(&x.mapv(|v| v as f32), Euclidean).unwrap(), Array2::zeros((60, 60)));
    }
}

#[test]
fn n31_a_zero_vector_has_similarity_0_and_distance_1() {
    let x = array![[0.0, -0.0], [1.0, 2.0]];
    assert_eq!(distance::pairwise(&x, CosineSimilarity).unwrap(), array![[0.0, 0.0], [0.0, 1.0]]);
    assert_eq!(distance::pairwise(&x, Cosine).unwrap(), array![[0.0, 1.0], [1.0, 0.0]]);
    assert_eq!(distance::one_to_many(x.row(0), &x, Cosine).unwrap(), aview1(&[1.0, 1.0]));
    let angle = distance::points(x.row(0), x.row(1), Angular).unwrap();
    assert_eq!(angle, std::f64::consts::FRAC_PI_2);
    // A row is always near itself.
    assert_eq!(BruteForce::new(&x, Cosine).unwrap().counts_within(0.5, 9).unwrap(), [1, 1]);
}

#[test]
fn n32_n33_lengths_that_overflow_or_underflow_are_scaled() {
    for (a, b) in [(1e200, 1e200), (1e-200, 1e-200), (1e200, 1e-200), (f64::MAX, f64::from_bits(1))] {
        let x = array![[a, a], [b, 0.0]];
        let expected = 0.5_f64.sqrt();
        for got in [
            distance::cosine_similarity(x.row(0), x.row(1)).unwrap(),
            distance::pairwise(&x, CosineSimilarity).unwrap()[[0, 1]],
            1.0 - distance::pairwise(&x, Cosine).unwrap()[[0, 1]],
            distance::pairwise(&x, Angular).unwrap()[[0, 1]].cos(),
        ] {
            assert!((got - expected).abs() < 4e-16, "{a} {b}: {got}");
        }
    }
}

/// Naively `a.b / (|a| |b|)` of equal points is often one step above 1.
#[test]
fn n34_no_similarity_is_above_1() {
    let x = Array2::from_shape_fn((200, 7), |(i, k)| 0.1 + ((i * 31 + k * k * 7) % 97) as f64 / 7.0);
    let naive = |a: &[f64]| {
        let squared = a.iter().map(|v| v * v).sum::<f64>();
        squared / (squared.sqrt() * squared.sqrt())
    };
    assert!(x.axis_iter(Axis(0)).any(|row| naive(row.to_slice().unwrap()) > 1.0));
    for scale in [1.0, 3.0, 1e-5] {
        let scaled = x.mapv(|v| v * scale);
        let similarity = distance::between(&x, &scaled, CosineSimilarity).unwrap();
        let cosine = distance::between(&x, &scaled, Cosine).unwrap();
        assert!(similarity.iter().all(|s| (-1.0..=1.0).contains(s)));
        assert!(cosine.iter().all(|d| (0.0..=2.0).contains(d)));
        assert!(similarity.diag().iter().all(|s| 1.0 - s < 1e-15));
    }
    let narrow = x.mapv(|v| v as f32);
    let similarity = distance::pairwise(&narrow, CosineSimilarity).unwrap();
    assert!(similarity.diag().iter().all(|&s| s == 1.0) && similarity.iter().all(|&s| s <= 1.0));
}
