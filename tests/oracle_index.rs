//! The neighbour index against the definition, by tree and by brute force, on data made to break ties, boxes and rounding.

mod clouds;

use std::ops::ControlFlow;

use clouds::{Cloud, Radius, cloud, for_all, permutation, radius, sq_distance, widen};
use proptest::prelude::*;
use sapwood::distance::{Chebyshev, Euclidean, Manhattan};
use sapwood::index::{ByComponents, Index, Neighbour, Search};
use sapwood::ndarray::{Array1, Array2, ArrayView1, Axis, aview1, s};
use sapwood::{Float, with_threads};

/// A distance by its definition: what is compared with the radius, and what stands in its place.
trait Definition: ByComponents + Default {
    fn total(a: &[f64], b: &[f64]) -> f64;
    fn limit(radius: f64) -> f64 {
        radius
    }
    fn distance(total: f64) -> f64 {
        total
    }
}

impl Definition for Euclidean {
    fn total(a: &[f64], b: &[f64]) -> f64 {
        sq_distance(a, b)
    }
    fn limit(radius: f64) -> f64 {
        radius * radius
    }
    fn distance(total: f64) -> f64 {
        total.sqrt()
    }
}

impl Definition for Manhattan {
    fn total(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + (a - b).abs())
    }
}

impl Definition for Chebyshev {
    fn total(a: &[f64], b: &[f64]) -> f64 {
        a.iter().zip(b).fold(0.0, |largest, (a, b)| f64::max(largest, (a - b).abs()))
    }
}

/// Row and total of every point, the nearest first and equal ones by row.
fn naive<M: Definition>(x: &[Vec<f64>], query: &[f64]) -> Vec<(usize, f64)> {
    let mut all: Vec<(usize, f64)> = x.iter().map(|row| M::total(row, query)).enumerate().collect();
    all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
    all
}

fn pairs(neighbours: &[Neighbour]) -> Vec<(usize, f64)> {
    neighbours.iter().map(|n| (n.row, n.distance)).collect()
}

/// Rows of the cloud, and points between and beside them.
fn queries<F: Float>(x: &Array2<F>, radius: f64, seed: u64) -> Vec<Array1<F>> {
    let rows = permutation(x.nrows(), seed);
    let mut queries: Vec<Array1<F>> = rows.iter().take(6).map(|&row| x.row(row).to_owned()).collect();
    for (i, pair) in rows.windows(2).take(4).enumerate() {
        let (a, b) = (x.row(pair[0]), x.row(pair[1]));
        queries
            .push(Array1::from_shape_fn(x.ncols(), |k| F::cast(0.5 * a[k].as_f64() + 0.5 * b[k].as_f64())));
        let mut beside = a.to_owned();
        let moved: F = F::cast(beside[i % x.ncols()].as_f64() + radius);
        if moved.is_finite() {
            beside[i % x.ncols()] = moved;
        }
        queries.push(beside);
    }
    queries
}

fn follows_the_definition<F: Float>(
    cloud: &Cloud,
    radius: &Radius,
    k: usize,
    limit: usize,
) -> Result<(), TestCaseError> {
    match cloud.seed % 4 {
        0 => follows::<F, Manhattan>(cloud, radius, k, limit),
        1 => follows::<F, Chebyshev>(cloud, radius, k, limit),
        _ => follows::<F, Euclidean>(cloud, radius, k, limit),
    }
}

fn follows<F: Float, M: Definition>(
    cloud: &Cloud,
    radius: &Radius,
    k: usize,
    limit: usize,
) -> Result<(), TestCaseError> {
    let x: Array2<F> = cloud.points();
    let wide = widen(&x);
    let radius = radius.choose_by(&wide, |from, to| M::distance(M::total(from, to)));
    for search in [Search::Auto, Search::KdTree, Search::Brute] {
        let index = Index::with_metric(&x, search, M::default()).expect("valid");
        prop_assert_eq!((index.n_points(), index.n_features()), x.dim());
        for query in queries(&x, radius, cloud.seed) {
            let wide_query: Vec<f64> = query.iter().map(|v| v.as_f64()).collect();
            let all = naive::<M>(&wide, &wide_query);
            let inside: Vec<(usize, f64)> = all
                .iter()
                .filter(|n| n.1 <= M::limit(radius))
                .map(|&(row, total)| (row, M::distance(total)))
                .collect();
            let mut by_distance = inside.clone();
            by_distance.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));

            let within = index.within(query.view(), radius).expect("valid");
            prop_assert_eq!(&pairs(&within), &by_distance, "within {} by {:?}", radius, search);
            let count = |limit| index.count_within(query.view(), radius, limit).expect("valid");
            prop_assert_eq!(count(usize::MAX), inside.len(), "{:?}", search);
            prop_assert_eq!(count(limit), inside.len().min(limit), "limit {} by {:?}", limit, search);

            let mut visited = Vec::new();
            let visit = index.visit_within(query.view(), radius, |neighbour| {
                visited.push((neighbour.row, neighbour.distance));
                ControlFlow::Continue(())
            });
            visit.expect("valid");
            visited.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
            prop_assert_eq!(&visited, &by_distance, "visit by {:?}", search);
            let mut seen = 0;
            let visit = index.visit_within(query.view(), radius, |_| {
                seen += 1;
                if seen == limit { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            });
            visit.expect("valid");
            prop_assert_eq!(seen, inside.len().min(limit), "visit broken off by {:?}", search);

            // Among rows at the distance of the last place the choice is free; all else is not.
            let nearest = pairs(&index.nearest(query.view(), k).expect("valid"));
            let expected: Vec<f64> = all.iter().take(k).map(|n| M::distance(n.1)).collect();
            prop_assert_eq!(
                nearest.iter().map(|n| n.1).collect::<Vec<_>>(),
                expected,
                "nearest {} by {:?}",
                k,
                search
            );
            for pair in nearest.windows(2) {
                prop_assert!(pair[0].1 < pair[1].1 || pair[0].0 < pair[1].0, "{:?} by {:?}", nearest, search);
            }
            for (row, distance) in nearest {
                prop_assert_eq!(distance, M::distance(M::total(&wide[row], &wide_query)), "{:?}", search);
            }
        }
    }
    Ok(())
}

fn problem(rows: usize) -> impl Strategy<Value = (Cloud, Radius, usize, usize)> {
    let k = prop_oneof![3 => 1_usize..=12, 1 => 1_usize..=400];
    (cloud(rows), radius(), k, 1_usize..=20)
}

#[test]
fn neighbours_follow_the_definition_in_f64() {
    for_all(600, &problem(300), |(cloud, radius, k, limit)| {
        follows_the_definition::<f64>(&cloud, &radius, k, limit)
    });
}

#[test]
fn neighbours_follow_the_definition_in_f32() {
    for_all(600, &problem(300), |(cloud, radius, k, limit)| {
        follows_the_definition::<f32>(&cloud, &radius, k, limit)
    });
}

#[test]
fn larger_indexes_follow_the_definition() {
    let larger = (problem(3000), 1000_usize..3000)
        .prop_map(|((cloud, radius, k, limit), rows)| (Cloud { rows, ..cloud }, radius, k, limit));
    for_all(8, &larger, |(cloud, radius, k, limit)| follows_the_definition::<f64>(&cloud, &radius, k, limit));
    for_all(4, &larger, |(cloud, radius, k, limit)| follows_the_definition::<f32>(&cloud, &radius, k, limit));
}

#[test]
fn every_layout_of_rows_and_query_gives_the_same_neighbours() {
    for_all(40, &problem(200), |(cloud, radius, k, _)| {
        let x: Array2<f64> = cloud.points();
        let radius = radius.choose(&widen(&x));
        let fortran = x.t().as_standard_layout().to_owned();
        let turned_back = x.slice(s![..;-1, ..;-1]).to_owned();
        let strided: Array1<f64> = x.row(0).iter().flat_map(|&v| [v, f64::NAN]).collect();
        let query = strided.slice(s![..;2]);
        for search in [Search::KdTree, Search::Brute] {
            let answer = |index: Index<f64>, query: ArrayView1<'_, f64>| {
                let within = index.within(query, radius).expect("valid");
                (
                    within,
                    index.nearest(query, k).expect("valid").iter().map(|n| n.distance).collect::<Vec<_>>(),
                )
            };
            let here = answer(Index::with_search(&x, search).expect("valid"), x.row(0));
            for view in [fortran.t(), turned_back.slice(s![..;-1, ..;-1])] {
                prop_assert!(
                    answer(Index::with_search(&view, search).expect("valid"), query) == here,
                    "{:?}",
                    search
                );
            }
        }
        Ok(())
    });
}

#[test]
fn an_index_is_built_alike_and_asked_by_many_threads() {
    let x: Array2<f32> = Array2::from_shape_fn((20_000, 3), |(i, k)| ((i * (k + 7)) % 97) as f32);
    let index = with_threads(3, || Index::new(&x)).expect("valid");
    let alone = with_threads(1, || Index::new(&x)).expect("valid");
    std::thread::scope(|scope| {
        for part in 0..4 {
            let (index, alone, x) = (&index, &alone, &x);
            scope.spawn(move || {
                for query in x.axis_iter(Axis(0)).skip(part).step_by(997) {
                    assert_eq!(
                        index.within(query, 4.0).expect("valid"),
                        alone.within(query, 4.0).expect("valid")
                    );
                    assert_eq!(
                        index.nearest(query, 9).expect("valid"),
                        alone.nearest(query, 9).expect("valid")
                    );
                }
            });
        }
    });
}

#[test]
fn the_vector_of_the_caller_is_cleared_and_used_again() {
    let x = Array2::from_shape_fn((100, 2), |(i, _)| i as f64);
    let index = Index::new(&x).expect("valid");
    let mut neighbours = vec![Neighbour { row: 7, distance: 7.0 }; 500];
    let room = neighbours.capacity();
    index.within_into(aview1(&[3.0, 3.0]), 1.5, &mut neighbours).expect("valid");
    assert_eq!(pairs(&neighbours), [(3, 0.0), (2, 2_f64.sqrt()), (4, 2_f64.sqrt())]);
    index.nearest_into(aview1(&[0.0, 0.0]), 2, &mut neighbours).expect("valid");
    assert_eq!(pairs(&neighbours), [(0, 0.0), (1, 2_f64.sqrt())]);
    assert_eq!(neighbours.capacity(), room);
}
