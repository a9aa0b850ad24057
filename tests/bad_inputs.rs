//! What hostile input gets: an error that names it, or the answer that the definition gives; never a panic, a hang or a large allocation.
//! (What memory stays under is in `alloc.rs`.)

use std::ops::ControlFlow;

use sapwood::dbscan::suggest_eps;
use sapwood::index::{Index, Search};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::{Fit, Predict, Transformer};
use sapwood::ndarray::{Array1, Array2, ArrayView2, ShapeBuilder, array, aview1, s};
use sapwood::{Dbscan, Error, Float, Result};

fn fit<F: Float>(x: ArrayView2<'_, F>, eps: f64, min_samples: usize) -> Result<Dbscan<F>> {
    Dbscan::params(min_samples).eps(eps).fit(&DatasetBase::from(x))
}

fn labels<F: Float>(x: ArrayView2<'_, F>, eps: f64, min_samples: usize) -> Vec<Option<usize>> {
    fit(x, eps, min_samples).expect("valid").labels().to_vec()
}

fn message<T>(result: Result<T>) -> String {
    result.err().expect("refused").to_string()
}

/// The message of every entry that takes records: fit, transform, both indexes, and the k-distances.
fn messages<F: Float>(x: ArrayView2<'_, F>) -> Vec<String> {
    let transformed: Result<Array1<Option<usize>>> = Dbscan::params(3).eps(1.0).transform(&x);
    vec![
        message(fit(x, 1.0, 3)),
        message(transformed),
        message(Index::with_search(&x, Search::KdTree)),
        message(Index::with_search(&x, Search::Brute)),
        message(suggest_eps(&x, 3)),
    ]
}

const SEARCHES: [Search; 3] = [Search::Auto, Search::KdTree, Search::Brute];

// ---- all fits ----

#[test]
fn n01_zero_rows_are_refused() {
    for text in messages(Array2::<f64>::zeros((0, 3)).view()) {
        assert_eq!(text, "`records` must have at least one row and one column, got 0 x 3");
    }
}

#[test]
fn n02_zero_columns_are_refused() {
    for text in messages(Array2::<f32>::zeros((4, 0)).view()) {
        assert_eq!(text, "`records` must have at least one row and one column, got 4 x 0");
    }
}

#[test]
fn n03_n04_n05_nan_and_infinities_are_named_with_row_and_column() {
    for (bad, name) in [(f64::NAN, "NaN"), (f64::INFINITY, "inf"), (f64::NEG_INFINITY, "-inf")] {
        let mut x = Array2::from_shape_fn((50, 2), |(i, _)| i as f64);
        x[[49, 0]] = bad;
        x[[31, 1]] = bad;
        let expected = format!("`records` must be finite, got {name} in row 31, column 1");
        for text in messages(x.view()).into_iter().chain(messages(x.mapv(|v| v as f32).view())) {
            assert_eq!(text, expected);
        }
        let model = fit(array![[0.0], [1.0]].view(), 1.0, 1).expect("valid");
        assert_eq!(
            message(model.try_predict(&array![[0.0], [bad]])),
            format!("`x` must be finite, got {name} in row 1, column 0")
        );
        for search in SEARCHES {
            let index = Index::with_search(&array![[0.0], [1.0]], search).expect("valid");
            let query = aview1(&[bad]).to_owned();
            assert_eq!(
                message(index.within(query.view(), 1.0)),
                format!("`query` must be finite, got {name}")
            );
            assert_eq!(
                message(index.nearest(query.view(), 1)),
                format!("`query` must be finite, got {name}")
            );
        }
    }
}

/// A squared distance that overflows is infinite, and so above every radius that is accepted.
#[test]
fn n06_the_largest_numbers_are_far_from_all_but_themselves() {
    let (far, huge) = (1e308, f64::MAX);
    let x = array![[far, 0.0], [-far, 0.0], [far, 0.0], [0.0, 0.0], [0.5, 0.0], [huge, -huge], [huge, -huge]];
    let expected = [Some(0), None, Some(0), Some(1), Some(1), Some(2), Some(2)];
    assert_eq!(labels(x.view(), 1.0, 2), expected);
    assert_eq!(labels(x.view(), 1e154, 2), expected);
    let narrow = array![[f32::MAX], [-f32::MAX], [f32::MAX], [0.0]];
    assert_eq!(labels(narrow.view(), 1.0, 2), [Some(0), None, Some(0), None]);
    let wide = fit(narrow.view(), 4e38, 4).expect("valid");
    assert_eq!((wide.labels().to_vec(), wide.core_samples()), (vec![Some(0); 4], &[3][..]));
    for search in SEARCHES {
        let index = Index::with_search(&x, search).expect("valid");
        assert_eq!(index.count_within(x.row(1), 1e154, usize::MAX).expect("valid"), 1);
        let all = index.nearest(x.row(0), 7).expect("valid");
        assert_eq!((all[0].row, all[1].row), (0, 2));
        assert!(all[2..].iter().all(|n| n.distance == f64::INFINITY));
        let mut rows: Vec<usize> = all.iter().map(|n| n.row).collect();
        rows.sort_unstable();
        assert_eq!(rows, [0, 1, 2, 3, 4, 5, 6], "{search:?}");
    }
}

/// Their squares are 0, so every radius holds them.
#[test]
fn n07_subnormal_numbers_are_at_distance_0() {
    let least = f64::from_bits(1);
    let x = array![[least], [0.0], [-least], [1e-310]];
    assert_eq!(labels(x.view(), 1e-150, 4), [Some(0); 4]);
    let narrow = array![[f32::from_bits(1)], [0.0], [1e-40]];
    assert_eq!(labels(narrow.view(), 1e-150, 3), [None; 3], "in f64 these squares are not 0");
    assert_eq!(labels(narrow.view(), 1e-40, 2), [Some(0), Some(0), Some(0)]);
}

#[test]
fn n08_one_row_is_a_cluster_or_noise() {
    let x = array![[3.0, 4.0]];
    assert_eq!(labels(x.view(), 1.0, 1), [Some(0)]);
    assert_eq!(labels(x.view(), 1.0, 2), [None]);
    for search in SEARCHES {
        assert_eq!(
            Index::with_search(&x, search).expect("valid").nearest(x.row(0), 3).expect("valid").len(),
            1
        );
    }
    assert_eq!(message(suggest_eps(&x, 2)), "`min_samples` must be at most the number of rows, got 2");
}

#[test]
fn n09_reversed_sliced_and_fortran_views_work() {
    let x = Array2::from_shape_fn((90, 3), |(i, k)| ((i * 7 + k * 3) % 30) as f64);
    let expected = labels(x.view(), 4.0, 4);
    assert!(expected.contains(&Some(0)));
    let turned = x.slice(s![..;-1, ..;-1]).to_owned();
    let mut fortran = Array2::zeros((90, 3).f());
    fortran.assign(&x);
    let mut sparse = Array2::from_elem((180, 7), f64::NAN);
    sparse.slice_mut(s![1..;2, ..;3]).assign(&x);
    for view in [turned.slice(s![..;-1, ..;-1]), fortran.view(), sparse.slice(s![1..;2, ..;3])] {
        assert_eq!(labels(view, 4.0, 4), expected);
    }
}

#[test]
fn n10_a_broadcast_view_is_equal_rows() {
    let row = array![1.0, 2.0];
    let x = row.broadcast((1000, 2)).expect("rows without a stride");
    assert_eq!(labels(x, 0.1, 1000), [Some(0); 1000]);
    assert_eq!(labels(x, 0.1, 1001), [None; 1000]);
    assert_eq!(message(suggest_eps(&x, 5)), "`records` must have points that differ, got 1000 equal ones");
    for search in SEARCHES {
        let index = Index::with_search(&x, search).expect("valid");
        assert_eq!(index.count_within(row.view(), 0.0, usize::MAX).expect("valid"), 1000);
    }
}

/// A clusterer takes no targets: whatever stands there is not read.
#[test]
fn n11_targets_of_another_length_are_not_read() {
    let x = array![[0.0], [0.1], [9.0]];
    let dataset = DatasetBase::new(x.view(), array![1_usize, 2]);
    let model = Dbscan::params(2).eps(0.5).fit(&dataset).expect("valid");
    assert_eq!(model.labels().to_vec(), [Some(0), Some(0), None]);
}

#[test]
fn n12_predicting_another_width_is_refused() {
    let model = fit(array![[0.0, 0.0], [0.1, 0.0]].view(), 0.5, 2).expect("valid");
    assert_eq!(
        message(model.try_predict(&array![[0.0, 0.0, 0.0]])),
        "`x` must have 2 columns, as the model was fitted on, got 3"
    );
    for search in SEARCHES {
        let index = Index::with_search(&array![[0.0, 0.0]], search).expect("valid");
        let expected = "`query` must have 2 entries, as the indexed rows, got 1";
        assert_eq!(message(index.within(aview1(&[0.0]), 1.0)), expected);
        assert_eq!(message(index.nearest(aview1(&[0.0]), 1)), expected);
        assert_eq!(message(index.count_within(aview1(&[0.0]), 1.0, 1)), expected);
        assert_eq!(message(index.visit_within(aview1(&[0.0]), 1.0, |_| ControlFlow::Continue(()))), expected);
    }
}

#[test]
#[should_panic(expected = "`x` must have 2 columns, as the model was fitted on, got 3")]
fn n12_predicting_another_width_through_linfa_panics_with_both_numbers() {
    let model = fit(array![[0.0, 0.0], [0.1, 0.0]].view(), 0.5, 2).expect("valid");
    let _: Array1<Option<usize>> = model.predict(&array![[0.0, 0.0, 0.0]]);
}

#[test]
fn n13_predicting_no_rows_gives_no_labels() {
    let model = fit(array![[0.0, 0.0], [0.1, 0.0]].view(), 0.5, 2).expect("valid");
    assert_eq!(model.try_predict(&Array2::zeros((0, 2))).expect("valid").len(), 0);
    assert!(model.try_predict(&Array2::zeros((0, 3))).is_err());
}

/// A model without core points answers too.
#[test]
fn n13_predicting_with_nothing_but_noise_gives_noise() {
    let model = fit(array![[0.0], [9.0]].view(), 0.5, 2).expect("valid");
    assert_eq!(model.try_predict(&array![[0.0], [4.0]]).expect("valid").to_vec(), [None, None]);
}

/// 0.1 and 0.3 in `f32` are other numbers; the distance that counts is the one between the numbers that are stored.
#[test]
fn n14_f32_rows_are_measured_as_they_are_stored() {
    let narrow = array![[0.1_f32], [0.4]];
    let between = f64::from(0.4_f32) - f64::from(0.1_f32);
    assert_ne!(between, 0.4 - 0.1);
    assert_eq!(labels(narrow.view(), between, 2), [Some(0); 2]);
    assert_eq!(labels(narrow.view(), between.next_down(), 2), [None; 2]);
    let wide = narrow.mapv(f64::from);
    assert_eq!(labels(wide.view(), between, 2), [Some(0); 2]);
    assert_eq!(labels(wide.view(), between.next_down(), 2), [None; 2]);
}

#[test]
fn n15_a_constant_column_changes_nothing() {
    let x = Array2::from_shape_fn((200, 1), |(i, _)| ((i * i) % 101) as f64);
    let beside = Array2::from_shape_fn((200, 3), |(i, k)| if k == 1 { x[[i, 0]] } else { -7.25 });
    assert_eq!(labels(x.view(), 1.5, 4), labels(beside.view(), 1.5, 4));
}

// ---- DBSCAN and index ----

#[test]
fn n16_n17_n18_eps_that_is_no_length_is_refused() {
    let x = array![[0.0], [1.0]];
    for (eps, value) in
        [(0.0, "0"), (-0.0, "-0"), (-1.0, "-1"), (f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")]
    {
        assert_eq!(message(fit(x.view(), eps, 1)), format!("`eps` must be greater than 0, got {value}"));
    }
    for search in SEARCHES {
        let index = Index::with_search(&x, search).expect("valid");
        for (radius, value) in [(-1.0, "-1"), (f64::NAN, "NaN"), (f64::NEG_INFINITY, "-inf")] {
            let expected = format!("`radius` must be at least 0, got {value}");
            assert_eq!(message(index.within(x.row(0), radius)), expected);
            assert_eq!(message(index.count_within(x.row(0), radius, 5)), expected);
        }
        assert_eq!(index.count_within(x.row(0), 0.0, usize::MAX).expect("valid"), 1);
    }
}

#[test]
fn n19_eps_without_a_finite_square_is_refused() {
    for eps in [f64::INFINITY, f64::MAX, 1e200, 1e-200, f64::from_bits(1)] {
        let error = fit(array![[0.0], [1.0]].view(), eps, 1).expect_err("refused");
        assert!(matches!(error, Error::Parameter { name: "eps", .. }), "{error}");
    }
    for search in SEARCHES {
        let x = array![[0.0], [1.0], [1e300]];
        let index = Index::with_search(&x, search).expect("valid");
        assert_eq!(index.count_within(x.row(0), f64::INFINITY, usize::MAX).expect("valid"), 3, "{search:?}");
    }
}

#[test]
fn n20_min_samples_0_is_refused() {
    let text = message(fit(array![[0.0]].view(), 1.0, 0));
    assert_eq!(text, "`min_samples` must be at least 1, got 0");
    assert!(suggest_eps(&array![[0.0], [1.0]], 0).is_err());
    assert!(suggest_eps(&array![[0.0], [1.0]], 1).is_err());
}

#[test]
fn n21_the_largest_min_samples_makes_all_noise() {
    let x = Array2::from_shape_fn((300, 2), |(i, _)| (i % 5) as f64);
    for min_samples in [301, usize::MAX, u32::MAX as usize, u32::MAX as usize + 2] {
        assert_eq!(labels(x.view(), 100.0, min_samples), [None; 300]);
        assert!(suggest_eps(&x, min_samples).is_err());
    }
    assert_eq!(labels(x.view(), 100.0, 300), [Some(0); 300]);
}

/// So many that a quadratic step would not end: `10^12` pairs.
#[test]
fn n22_a_million_identical_points_are_one_cluster() {
    let n = if cfg!(debug_assertions) { 50_000 } else { 1_000_000 };
    let x = Array2::from_elem((n, 3), 0.1);
    for min_samples in [5, n] {
        let model = fit(x.view(), 1e-9, min_samples).expect("valid");
        assert_eq!((model.n_clusters(), model.core_samples().len(), model.n_noise()), (1, n, 0));
    }
    assert_eq!(fit(x.view(), 1e-9, n + 1).expect("valid").n_noise(), n);
    let index = Index::new(&x).expect("valid");
    assert_eq!(index.count_within(x.row(0), 0.0, usize::MAX).expect("valid"), n);
    assert_eq!(index.count_within(x.row(0), 0.0, 10).expect("valid"), 10);
    assert_eq!(index.nearest(x.row(0), 3).expect("valid").len(), 3);
}

#[test]
fn n23_thousands_of_points_that_share_a_coordinate_are_searched() {
    let x =
        Array2::from_shape_fn(
            (9000, 2),
            |(i, k)| if k == 0 { (i / 4500) as f64 * 50.0 } else { (i % 4500) as f64 },
        );
    let model = fit(x.view(), 1.0, 3).expect("valid");
    assert_eq!((model.n_clusters(), model.n_noise()), (2, 0));
    assert_eq!(model.core_samples().len(), 9000 - 4);
    for search in SEARCHES {
        let index = Index::with_search(&x, search).expect("valid");
        assert_eq!(index.count_within(aview1(&[0.0, 100.0]), 2.0, usize::MAX).expect("valid"), 5);
        let near = index.nearest(aview1(&[50.0, 0.0]), 2).expect("valid");
        assert_eq!(near.iter().map(|n| n.row).collect::<Vec<_>>(), [4500, 4501]);
    }
}

/// So many that a quadratic step would not end.
#[test]
fn n24_all_points_in_one_ball_are_one_cluster() {
    let n = if cfg!(debug_assertions) { 20_000 } else { 300_000 };
    let x =
        Array2::from_shape_fn((n, 3), |(i, k)| ((i * [7919, 104_729, 1_299_709][k]) % 1009) as f64 / 1009.0);
    for (eps, min_samples) in [(2.0, 10), (2.0, n), (1e6, 10)] {
        let model = fit(x.view(), eps, min_samples).expect("valid");
        assert_eq!((model.n_clusters(), model.core_samples().len()), (1, n));
    }
    assert_eq!(fit(x.view(), 2.0, n + 1).expect("valid").n_noise(), n);
}

#[test]
fn n25_negative_zero_is_zero() {
    for (a, b) in [(0.0, -0.0), (-0.0, 0.0), (-0.0, -0.0)] {
        let x = array![[a, b], [b, a], [0.0, 0.0], [-0.0, -0.0]];
        assert_eq!(labels(x.view(), 1e-150, 4), [Some(0); 4]);
        assert_eq!(labels(x.mapv(|v: f64| v as f32).view(), 1e-150, 4), [Some(0); 4]);
        for search in SEARCHES {
            let index = Index::with_search(&x, search).expect("valid");
            assert_eq!(index.count_within(aview1(&[-0.0, 0.0]), 0.0, usize::MAX).expect("valid"), 4);
        }
    }
}

#[test]
fn n26_one_column_and_a_thousand_columns_are_searched() {
    for d in [1, 2, 16, 17, 1000] {
        let x = Array2::from_shape_fn((40, d), |(i, k)| if k == d - 1 { i as f64 } else { 1.0 });
        assert_eq!(labels(x.view(), 1.0, 3), [Some(0); 40], "{d} columns");
        assert_eq!(labels(x.view(), 0.5, 2), [None; 40], "{d} columns");
        for search in SEARCHES {
            let index = Index::with_search(&x, search).expect("valid");
            assert_eq!(
                index.count_within(x.row(5), 2.0, usize::MAX).expect("valid"),
                5,
                "{d} columns, {search:?}"
            );
            let near = index.nearest(x.row(5), 1).expect("valid");
            assert_eq!((near[0].row, near[0].distance), (5, 0.0), "{d} columns, {search:?}");
        }
    }
}

/// The view has 2^32 rows without the memory of more than one.
#[test]
fn n27_more_rows_than_numbers_have_are_refused_at_once() {
    let row = array![1.0_f32];
    let x = row.broadcast((1 << 31, 1)).expect("rows without a stride");
    let error = Dbscan::params(3).eps(1.0).fit(&DatasetBase::new(x, ())).expect_err("refused");
    assert!(matches!(error, Error::Shape { name: "records", .. }), "{error}");
    assert!(error.to_string().ends_with("got 2147483648"), "{error}");
    for search in SEARCHES {
        assert!(Index::with_search(&x, search).is_err());
    }
    assert!(suggest_eps(&x, 3).is_err());
}

#[test]
fn n28_more_neighbours_than_rows_are_all_rows_and_none_are_refused() {
    let x = array![[0.0], [3.0], [1.0]];
    for search in SEARCHES {
        let index = Index::with_search(&x, search).expect("valid");
        for k in [3, 4, usize::MAX] {
            let rows: Vec<usize> = index.nearest(x.row(0), k).expect("valid").iter().map(|n| n.row).collect();
            assert_eq!(rows, [0, 2, 1], "{search:?}");
        }
        assert_eq!(message(index.nearest(x.row(0), 0)), "`k` must be at least 1, got 0");
        assert_eq!(index.count_within(x.row(0), 9.0, 0).expect("valid"), 0);
    }
}

#[test]
fn n29_a_point_at_exactly_eps_is_inside() {
    for eps in [1.0, 0.3, 5.0, 1e-7, 123_456.789] {
        let x = array![[0.0, 0.0], [eps, 0.0], [0.0, -eps]];
        assert_eq!(labels(x.view(), eps, 3), [Some(0); 3]);
        assert_eq!(labels(x.view(), eps.next_down(), 2), [None; 3]);
    }
    let x = array![[0.0_f32, 0.0], [3.0, 4.0]];
    assert_eq!(labels(x.view(), 5.0, 2), [Some(0); 2]);
    assert_eq!(labels(x.view(), 5.0_f64.next_down(), 2), [None; 2]);
}

/// At 1e9, `f64` has steps of 1.2e-7, so 0.001 is nearly kept; `f32` has steps of 64, so these points are equal.
#[test]
fn n30_narrow_data_far_from_the_origin_keep_their_distances() {
    let x = Array2::from_shape_fn((400, 2), |(i, k)| 1e9 + 0.001 * ([i % 20, i / 20][k]) as f64);
    assert_eq!(labels(x.view(), 0.0011, 3), [Some(0); 400]);
    assert_eq!(labels(x.view(), 0.0009, 2), [None; 400]);
    assert_eq!(labels(x.mapv(|v| v as f32).view(), 1e-9, 400), [Some(0); 400]);
    for search in SEARCHES {
        let index = Index::with_search(&x, search).expect("valid");
        assert_eq!(index.count_within(x.row(210), 0.0011, usize::MAX).expect("valid"), 5, "{search:?}");
        assert_eq!(index.nearest(x.row(210), 1).expect("valid")[0].row, 210, "{search:?}");
    }
}
