//! DBSCAN with weights, other distances, known neighbours, and data in parts: against scikit-learn, against the definition, and against one run.

mod clouds;
mod naive;

use clouds::{cloud, for_all, radius, widen};
use naive::Answer;
use proptest::prelude::*;
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::dbscan::{self, Metric};
use sapwood::distance::{self, Chebyshev, Cosine, Euclidean, Haversine, Manhattan};
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::Fit;
use sapwood::ndarray::{Array1, Array2, ArrayView1, ArrayView2, array, s};
use sapwood::{Dbscan, with_threads};
use serde_json::Value;

fn distance_by(metric: Metric, a: ArrayView1<'_, f64>, b: ArrayView1<'_, f64>) -> f64 {
    let of = |m: &dyn Fn(&[f64], &[f64]) -> f64| m(&a.to_vec(), &b.to_vec());
    match metric {
        Metric::Euclidean => of(&|a, b| distance::Metric::distance(&Euclidean, a, b)),
        Metric::Manhattan => of(&|a, b| distance::Metric::distance(&Manhattan, a, b)),
        Metric::Chebyshev => of(&|a, b| distance::Metric::distance(&Chebyshev, a, b)),
        Metric::Cosine => of(&|a, b| distance::Metric::distance(&Cosine, a, b)),
        Metric::Haversine => of(&|a, b| distance::Metric::distance(&Haversine, a, b)),
        other => panic!("a metric without a test: {other:?}"),
    }
}

fn answer(model: &Dbscan<f64>) -> Answer {
    (model.labels().to_vec(), model.core_samples().to_vec())
}

// ---- scikit-learn's answers ----

#[test]
fn weights_and_distances_get_the_labels_of_scikit_learn() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/dbscan_variants.json");
    let fixture: Value =
        serde_json::from_str(&std::fs::read_to_string(file).expect("it is there")).expect("JSON");
    let list = |value: &Value| {
        value.as_array().expect("a list").iter().map(|v| v.as_i64().expect("an integer")).collect::<Vec<_>>()
    };
    let cases = fixture["cases"].as_array().expect("a list");
    assert_eq!(cases.len(), 15);
    for case in cases {
        let (metric, convert): (_, fn(f64) -> f64) = match case["metric"].as_str().expect("a name") {
            "euclidean" => (Metric::Euclidean, |x| x),
            "manhattan" => (Metric::Manhattan, |x| x),
            "chebyshev" => (Metric::Chebyshev, |x| x),
            "cosine" => (Metric::Cosine, |x| x),
            "haversine" => (Metric::Haversine, f64::to_radians),
            other => panic!("{other}"),
        };
        let rows: Vec<Vec<i64>> = case["points"].as_array().expect("a list").iter().map(list).collect();
        let x =
            Array2::from_shape_fn((rows.len(), rows[0].len()), |(i, j)| convert(rows[i][j] as f64 / 64.0));
        let mut data = DatasetBase::from(x);
        if !case["weights"].is_null() {
            data = data.with_weights(list(&case["weights"]).into_iter().map(|k| k as f32 / 64.0).collect());
        }
        let eps: f64 = case["eps"].as_str().expect("a string").parse().expect("a number");
        let min_samples = usize::try_from(case["min_samples"].as_u64().expect("a count")).expect("fits");
        let expected: Answer = (
            list(&case["labels"]).into_iter().map(|label| usize::try_from(label).ok()).collect(),
            list(&case["core"]).into_iter().map(|row| row as usize).collect(),
        );
        let model = Dbscan::params(min_samples).eps(eps).metric(metric).fit(&data).expect("valid");
        assert!(answer(&model) == expected, "{metric:?} {:?} {}", data.records.dim(), case["weights"]);
    }
}

// ---- the definition ----

#[test]
fn weighted_points_count_for_what_they_weigh() {
    for_all(300, &(cloud(150), radius(), 1_usize..=12, 0..4_i32), |(cloud, radius, min_samples, kind)| {
        let x: Array2<f64> = cloud.points();
        let wide = widen(&x);
        let eps = radius.choose(&wide);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(cloud.seed);
        let weights: Array1<f32> = (0..x.nrows())
            .map(|_| match kind {
                0 => 1.0,
                1 => rng.gen_range(0..9) as f32 / 4.0,
                2 => rng.gen_range(-8..20) as f32 / 8.0,
                _ => {
                    if rng.gen_bool(0.5) {
                        0.0
                    } else {
                        4.0
                    }
                }
            })
            .collect();
        let wide_weights: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
        let near = |i: usize, j: usize| clouds::sq_distance(&wide[i], &wide[j]) <= eps * eps;
        let expected = naive::dbscan(near, &wide_weights, min_samples);
        let data = DatasetBase::from(x).with_weights(weights);
        for threads in [1, 3] {
            let model =
                with_threads(threads, || Dbscan::params(min_samples).eps(eps).fit(&data)).expect("valid");
            prop_assert_eq!(&answer(&model), &expected);
        }
        Ok(())
    });
}

#[test]
fn other_distances_follow_the_definition() {
    let metrics = prop_oneof![Just(Metric::Manhattan), Just(Metric::Chebyshev), Just(Metric::Cosine)];
    for_all(
        300,
        &(cloud(150), metrics, 1_usize..=100, any::<u64>()),
        |(cloud, metric, min_samples, seed)| {
            let x: Array2<f64> = clouds::Cloud { offset: 0.0, scale: 1.0, outlier: None, ..cloud }.points();
            let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
            let mut row = || x.row(rng.gen_range(0..x.nrows()));
            // Between distances for those that round, at one of them for those that do not.
            let chosen = distance_by(metric, row(), row());
            let eps = if chosen > 1e-9 { chosen } else { 0.3 }
                * if metric == Metric::Cosine { 1.0 + 1e-9 } else { 1.0 };
            let distances = Array2::from_shape_fn((x.nrows(), x.nrows()), |(i, j)| {
                distance_by(metric, x.row(i), x.row(j))
            });
            let expected = naive::dbscan(|i, j| distances[[i, j]] <= eps, &vec![1.0; x.nrows()], min_samples);
            let model = Dbscan::params(min_samples)
                .eps(eps)
                .metric(metric)
                .fit(&DatasetBase::from(x.view()))
                .expect("valid");
            prop_assert_eq!(&answer(&model), &expected, "{:?} eps {}", metric, eps);
            // Known neighbours are the same thing.
            let near = |i| (0..x.nrows()).filter(|&j| distances[[i, j]] <= eps).collect::<Vec<_>>();
            let clusters = Dbscan::params(min_samples).fit_neighbours(x.nrows(), near).expect("valid");
            prop_assert_eq!(&(clusters.labels().to_vec(), clusters.core_samples().to_vec()), &expected);
            prop_assert_eq!(clusters.n_clusters(), model.n_clusters());
            // A core point keeps its label.
            let predicted = model.try_predict(model.components()).expect("finite");
            for (label, &row) in predicted.iter().zip(model.core_samples()) {
                // A vector without a direction is at distance 1 from itself, too.
                if distances[[row, row]] > 0.0 {
                    continue;
                }
                let equal = |&&other: &&usize| distances[[row, other]] == 0.0;
                let allowed: Vec<_> =
                    model.core_samples().iter().filter(equal).map(|&other| expected.0[other]).collect();
                prop_assert!(allowed.contains(label));
            }
            Ok(())
        },
    );
}

#[test]
fn places_on_a_globe_follow_the_definition() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
    for round in 0..40 {
        let spread: f64 = [0.01, 0.2, 1.5, 3.0][round % 4];
        // Around the pole and the date line, where coordinates jump.
        let x = Array2::from_shape_fn((200, 2), |(_, j)| match j {
            0 => (1.5 + rng.gen_range(-spread..spread)).clamp(-1.57, 1.57),
            _ => (3.1 + rng.gen_range(-spread..spread)).clamp(-6.2, 6.2),
        });
        let eps = spread * rng.gen_range(0.01..0.3);
        let near = |i: usize, j: usize| distance_by(Metric::Haversine, x.row(i), x.row(j)) <= eps;
        let expected = naive::dbscan(near, &[1.0; 200], 4);
        let params = Dbscan::params(4).eps(eps).metric(Metric::Haversine);
        let model = params.fit(&DatasetBase::from(x.view())).expect("valid");
        assert_eq!(answer(&model), expected);
        let predicted = model.try_predict(&x).expect("finite");
        for row in 0..200 {
            let core = |&j: &usize| distance_by(Metric::Haversine, x.row(row), x.row(j));
            let nearest = expected.1.iter().min_by(|a, b| core(a).total_cmp(&core(b)));
            assert_eq!(predicted[row], nearest.filter(|j| core(j) <= eps).and_then(|&j| expected.0[j]));
        }
    }
}

#[test]
fn zero_vectors_are_at_distance_one_from_everything() {
    let x = array![[0.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 0.0], [0.0, 1.0]];
    let labels = |eps| {
        let params = Dbscan::params(2).eps(eps).metric(Metric::Cosine);
        params.fit(&DatasetBase::from(x.view())).expect("valid").labels().to_vec()
    };
    assert_eq!(labels(0.9), [None, Some(0), Some(0), None, None]);
    assert_eq!(labels(1.0), [Some(0); 5]);
}

#[test]
fn embeddings_in_many_dimensions_follow_the_definition() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(5);
    // More rows than a block of pairs.
    let centres = Array2::from_shape_simple_fn((12, 40), || rng.gen_range(-1.0..1.0));
    let x = Array2::from_shape_fn((1100, 40), |(i, j)| centres[[i % 12, j]] + rng.gen_range(-0.6..0.6));
    let distances = distance::pairwise(&x, Cosine).expect("finite");
    let near = |i: usize, j: usize| distances[[i, j]] <= 0.2;
    for min_samples in [4, 70] {
        let expected = naive::dbscan(near, &[1.0; 1100], min_samples);
        assert!(expected.0.iter().any(Option::is_none) && expected.0.iter().any(Option::is_some));
        let params = Dbscan::params(min_samples).eps(0.2).metric(Metric::Cosine);
        assert_eq!(answer(&params.fit(&DatasetBase::from(x.view())).expect("valid")), expected);
    }
}

// ---- parts ----

fn in_parts(x: ArrayView2<'_, f64>, params: &dbscan::DbscanParams, eps: f64, parts: usize) -> Answer {
    let parts = dbscan::partition(&x, eps, parts).expect("valid");
    let mut found: Vec<_> = parts.map(|part| params.cluster_part(&part).expect("valid")).collect();
    // The order of the parts does not matter.
    found.reverse();
    let clusters = dbscan::merge(&found).expect("one partition");
    (clusters.labels().to_vec(), clusters.core_samples().to_vec())
}

#[test]
fn parts_give_the_labels_of_one_run() {
    let metrics =
        prop_oneof![3 => Just(Metric::Euclidean), 1 => Just(Metric::Manhattan), 1 => Just(Metric::Chebyshev)];
    for_all(80, &(cloud(250), radius(), 1_usize..=12, metrics), |(cloud, radius, min_samples, metric)| {
        let x: Array2<f64> = cloud.points();
        let eps = radius.choose(&widen(&x));
        let params = Dbscan::params(min_samples).eps(eps).metric(metric);
        let whole = answer(&params.fit(&DatasetBase::from(x.view())).expect("valid"));
        for parts in [1, 2, 3, 8, 33] {
            prop_assert_eq!(&in_parts(x.view(), &params, eps, parts), &whole, "{} parts", parts);
        }
        Ok(())
    });
}

/// Lattices of f32 numbers that f64 tells apart: every search measures the stored numbers in f64.
#[test]
fn parts_and_predictions_of_f32_rows_agree_with_the_fit_at_ties() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(11);
    for metric in [Metric::Euclidean, Metric::Manhattan, Metric::Chebyshev] {
        for round in 0..24 {
            // Other columns than the first three are all zero.
            let columns = [1, 2, 3, 17][round % 4];
            let mut x = Array2::zeros((200, columns));
            let mut varied = x.slice_mut(s![.., ..columns.min(3)]);
            varied.mapv_inplace(|_: f32| 0.1 * rng.gen_range(0..9) as f32);
            let eps = f64::from(0.1_f32) + f64::from(0.2_f32);
            let params = Dbscan::params(4 + 9 * (round / 4 % 2)).eps(eps).metric(metric);
            let model = params.fit(&DatasetBase::from(x.view())).expect("valid");
            let parts = dbscan::partition(&x, eps, 5).expect("valid");
            let found: Vec<_> = parts.map(|part| params.cluster_part(&part).expect("valid")).collect();
            assert_eq!(dbscan::merge(&found).expect("one partition").labels(), model.labels(), "{metric:?}");
            let predicted = model.try_predict(&x).expect("finite");
            assert!(predicted.iter().zip(model.labels()).all(|(new, old)| new.is_some() == old.is_some()));
        }
    }
}

#[test]
fn every_row_is_owned_by_one_part_and_all_within_two_eps_are_around() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    let x = Array2::from_shape_simple_fn((500, 2), || rng.gen_range(0.0..10.0));
    let mut owned = vec![0; 500];
    let order = clouds::permutation(500, 9);
    let x = x.select(sapwood::ndarray::Axis(0), &order);
    let partition = dbscan::partition(&x, 0.4, 7).expect("valid");
    assert_eq!(partition.len(), 7);
    for part in partition {
        part.owned().iter().for_each(|&row| owned[row] += 1);
        for i in part.owned() {
            for j in 0..500 {
                let near = clouds::sq_distance(&x.row(*i).to_vec(), &x.row(j).to_vec()) <= 0.64;
                assert!(!near || part.rows().contains(&j));
            }
        }
        assert_eq!(part.points().row(0), x.row(part.rows()[0]));
        assert!((60..90).contains(&part.owned().len()));
    }
    assert_eq!(owned, [1; 500]);
}

#[test]
fn n91_n92_parts_that_do_not_fit_are_errors() {
    let x = Array2::from_shape_fn((20, 1), |(i, _)| i as f64);
    let params = Dbscan::params(2).eps(1.5);
    let mut parts: Vec<_> = dbscan::partition(&x, 1.5, 2)
        .expect("valid")
        .map(|part| params.cluster_part(&part).expect("valid"))
        .collect();
    assert_eq!(dbscan::merge(&parts).expect("whole").n_clusters(), 1);
    let error = dbscan::merge(&parts[1..]).unwrap_err().to_string();
    assert_eq!(error, "`parts` must have each of the rows 0 to 9 once, got row 10");
    parts.push(parts[0].clone());
    assert!(dbscan::merge(&parts).is_err());
    assert_eq!(dbscan::merge(&[]).expect("nothing").labels().len(), 0);

    let part = dbscan::partition(&x, 1.0, 2).expect("valid").next().expect("a part");
    let error = params.cluster_part(&part).unwrap_err().to_string();
    assert_eq!(error, "`eps` must be at most that of the partition, got 1.5");
    let error = Dbscan::params(2).metric(Metric::Cosine).cluster_part(&part).unwrap_err().to_string();
    assert_eq!(error, "`metric` must be Euclidean, Manhattan or Chebyshev for data in parts, got Cosine");
    assert!(dbscan::partition(&x, f64::NAN, 2).is_err());
    assert!(dbscan::partition(&x, 1.0, 0).is_err());
    assert_eq!(dbscan::partition(&x, 1.0, 100).expect("valid").count(), 20, "a part for each row");
    assert!(dbscan::partition(&array![[f64::NAN]], 1.0, 1).is_err());
    assert!(dbscan::partition(&Array2::<f64>::zeros((0, 2)), 1.0, 1).is_err());
}

#[test]
fn neighbours_that_are_no_rows_are_errors() {
    let error = Dbscan::params(2).fit_neighbours(3, |_| [7]).unwrap_err().to_string();
    assert_eq!(error, "`neighbours` must have rows below 3, got 7");
    let clusters = Dbscan::params(2).fit_neighbours(0, |_| [0; 0]).expect("nothing to do");
    assert_eq!((clusters.labels().len(), clusters.n_clusters()), (0, 0));
}
