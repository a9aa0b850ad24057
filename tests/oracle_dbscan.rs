//! DBSCAN against scikit-learn's answers, and against its own definition.
//!
//! `fixtures/dbscan.json` holds what scikit-learn 1.9 says; `fixtures/make_dbscan.py` made it. The real data lie outside the crate: where
//! they are absent, that half says so and passes. The property tests hold the model against [`naive`], on data made to
//! break ties, boxes and rounding. `SAPWOOD_CASES=100000 SAPWOOD_SEED=7 cargo test --release --test oracle_dbscan` runs longer and elsewhere.
#![allow(clippy::print_stdout, reason = "what is skipped is said")]

mod clouds;
mod naive;

use std::path::{Path, PathBuf};

use clouds::{Cloud, Radius, cloud, for_all, permutation, radius, sq_distance, widen};
use naive::Answer;
use proptest::prelude::*;
use sapwood::dbscan::suggest_eps;
use sapwood::linfa::DatasetBase;
use sapwood::linfa::traits::{Fit, Predict, Transformer};
use sapwood::ndarray::{Array1, Array2, ArrayView2};
use sapwood::{Dbscan, Float, with_threads};
use serde_json::Value;

/// The definition, in `O(n^2)`.
fn naive(x: &[Vec<f64>], eps: f64, min_samples: usize) -> Answer {
    naive::dbscan(|i, j| sq_distance(&x[i], &x[j]) <= eps * eps, &vec![1.0; x.len()], min_samples)
}

/// The clusters that a new point may get: those of the nearest core points, several where they are equally near, or noise where those
/// lie beyond eps.
fn naive_predict(x: &[Vec<f64>], eps: f64, (labels, core): &Answer, query: &[f64]) -> Vec<Option<usize>> {
    let sq: Vec<f64> = core.iter().map(|&row| sq_distance(&x[row], query)).collect();
    let nearest = sq.iter().copied().fold(f64::INFINITY, f64::min);
    if nearest > eps * eps || core.is_empty() {
        return vec![None];
    }
    core.iter().zip(sq).filter(|(_, sq)| *sq == nearest).map(|(&row, _)| labels[row]).collect()
}

fn fit<F: Float>(x: ArrayView2<'_, F>, eps: f64, min_samples: usize) -> Dbscan<F> {
    Dbscan::params(min_samples).eps(eps).fit(&DatasetBase::from(x)).expect("valid")
}

fn answer<F: Float>(model: &Dbscan<F>) -> Answer {
    (model.labels().to_vec(), model.core_samples().to_vec())
}

// ---- scikit-learn's answers ----

fn fixture() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/dbscan.json");
    serde_json::from_str(&std::fs::read_to_string(file).expect("the fixture is there")).expect("valid JSON")
}

/// A number of the fixture: an integer, or a string that Rust rounds correctly.
fn number(value: &Value) -> f64 {
    value.as_str().map_or_else(|| value.as_f64().expect("a number"), |s| s.parse().expect("a number"))
}

fn count(value: &Value) -> usize {
    usize::try_from(value.as_u64().expect("a count")).expect("fits")
}

fn list<T>(value: &Value, entry: impl Fn(&Value) -> T) -> Vec<T> {
    value.as_array().expect("a list").iter().map(entry).collect()
}

/// 64-bit FNV-1a over the little-endian bytes of the numbers.
fn fnv1a(numbers: impl IntoIterator<Item = i64>) -> String {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    for byte in numbers.into_iter().flat_map(i64::to_le_bytes) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    format!("{hash:016x}")
}

/// The table of a data set of the fixture, or `None` where the file is absent. Reads what these files are: NPY version 1 in
/// C order, and CSV without quotes.
fn load(set: &Value) -> Option<Array2<f64>> {
    let path = set["path"].as_str().expect("a path");
    let file: PathBuf = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data").join(path);
    let bytes = std::fs::read(file).ok()?;
    let rows = if path.ends_with(".npy") {
        let body = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
        let header = std::str::from_utf8(&bytes[10..body]).expect("a header");
        let columns: usize = header
            .split("'shape': (")
            .nth(1)
            .and_then(|s| s.split([',', ')']).nth(1)?.trim().parse().ok())
            .expect("two sizes");
        assert!(header.contains("'fortran_order': False"), "{path}: {header}");
        let values: Vec<f64> = if header.contains("'<f4'") {
            let (values, _) = bytes[body..].as_chunks();
            values.iter().map(|&v| f64::from(f32::from_le_bytes(v))).collect()
        } else {
            let (values, _) = bytes[body..].as_chunks();
            values.iter().map(|&v| f64::from_le_bytes(v)).collect()
        };
        Array2::from_shape_vec((values.len() / columns, columns), values).expect("whole rows")
    } else {
        let text = std::str::from_utf8(&bytes).expect("text");
        let lines = text.lines().map(|line| line.split(',').map(str::parse::<f64>));
        let rows: Vec<Vec<f64>> = lines.filter_map(|line| line.collect::<Result<_, _>>().ok()).collect();
        Array2::from_shape_vec((rows.len(), rows[0].len()), rows.concat()).expect("equal rows")
    };
    let kept = match &set["rows"] {
        Value::Null => 0..rows.nrows(),
        range => count(&range[0])..count(&range[1]),
    };
    let rows = rows.slice_move(sapwood::ndarray::s![kept, ..]);
    Some(match &set["columns"] {
        Value::Null => rows,
        columns => rows.select(sapwood::ndarray::Axis(1), &list(columns, count)),
    })
}

fn agrees_with_run<F: Float>(x: &Array2<F>, run: &Value, threads: usize, name: &str) {
    let (eps, min_samples) = (number(&run["eps"]), count(&run["min_samples"]));
    let model = with_threads(threads, || fit(x.view(), eps, min_samples));
    let labels = model.labels();
    let what = format!(
        "{name} as {}, eps {eps}, min_samples {min_samples}, {threads} threads",
        std::any::type_name::<F>()
    );
    assert_eq!(model.n_clusters(), count(&run["n_clusters"]), "clusters of {what}");
    assert_eq!(labels.iter().filter(|l| l.is_none()).count(), count(&run["n_noise"]), "noise of {what}");
    assert_eq!(model.core_samples().len(), count(&run["n_core"]), "core points of {what}");
    let core = model.core_samples().iter().map(|&row| row as i64);
    assert_eq!(fnv1a(core), run["core"].as_str().expect("a hash"), "core rows of {what}");
    let labels = labels.iter().map(|label| label.map_or(-1, |l| l as i64));
    assert_eq!(fnv1a(labels), run["labels"].as_str().expect("a hash"), "labels of {what}");
}

/// Real data in their own type and in f64, on every number of threads in a release build; the larger sets only there.
#[test]
fn real_data_get_the_labels_of_scikit_learn() {
    let threads: &[usize] = if cfg!(debug_assertions) { &[2] } else { &[1, 2, 3, 8] };
    let most = if cfg!(debug_assertions) { 40_000 } else { usize::MAX };
    for set in fixture()["data"].as_array().expect("a list") {
        let name = set["path"].as_str().expect("a path");
        let Some(x) = load(set) else {
            println!("skipped: {name} is not there");
            continue;
        };
        assert_eq!(x.dim(), (count(&set["n"]), count(&set["d"])), "{name}");
        if x.len() > most {
            println!("skipped in a debug build: {name} with {} numbers", x.len());
            continue;
        }
        for run in set["runs"].as_array().expect("a list") {
            for &threads in threads {
                agrees_with_run(&x, run, threads, name);
                if set["dtype"] == "float32" {
                    agrees_with_run(&x.mapv(|v| v as f32), run, threads, name);
                }
            }
        }
    }
}

fn small_case<F: Float>(case: &Value, offset: f64, scale: f64) {
    let points = list(&case["points"], |point| list(point, number));
    let x = Array2::from_shape_fn((points.len(), points[0].len()), |(i, k)| {
        F::cast(offset + scale * points[i][k])
    });
    for run in case["runs"].as_array().expect("a list") {
        let (eps, min_samples) = (number(&run["eps"]) * scale, count(&run["min_samples"]));
        let expected = (
            list(&run["labels"], |label| usize::try_from(label.as_i64().expect("a label")).ok()),
            list(&run["core"], count),
        );
        let what = format!("{} at {offset} + {scale} k, eps {eps}, min_samples {min_samples}", case["name"]);
        assert_eq!(naive(&widen(&x), eps, min_samples), expected, "the definition: {what}");
        for threads in [1, 2, 3, 8] {
            let model = with_threads(threads, || fit(x.view(), eps, min_samples));
            assert_eq!(answer(&model), expected, "{what}, {threads} threads");
        }
    }
}

#[test]
fn small_cases_get_the_labels_of_scikit_learn() {
    for case in fixture()["small"].as_array().expect("a list") {
        for place in case["places"].as_array().expect("a list") {
            let (offset, scale) = (number(&place[1]), number(&place[2]));
            match place[0].as_str() {
                Some("float64") => small_case::<f64>(case, offset, scale),
                Some("float32") => small_case::<f32>(case, offset, scale),
                other => panic!("no dtype: {other:?}"),
            }
        }
    }
}

// ---- the definition ----

/// A cloud, a radius among its own distances, and `min_samples`.
fn problem(rows: usize) -> impl Strategy<Value = (Cloud, Radius, usize)> {
    (cloud(rows), radius(), 1_usize..=20)
}

fn follows_the_definition<F: Float>(problem: &(Cloud, Radius, usize)) -> Result<(), TestCaseError> {
    let (cloud, radius, min_samples) = problem;
    let x: Array2<F> = cloud.points();
    let wide = widen(&x);
    let eps = radius.choose(&wide);
    let expected = naive(&wide, eps, *min_samples);
    let threads = [1, 2, 3, 8][usize::try_from(cloud.seed % 4).expect("small")];
    let model = with_threads(threads, || fit(x.view(), eps, *min_samples));
    prop_assert_eq!(&answer(&model), &expected, "eps {}, {} threads", eps, threads);
    prop_assert_eq!(model.n_clusters(), expected.0.iter().flatten().max().map_or(0, |last| last + 1));

    // New points: those of the cloud, some of them moved by half a radius or by a whole one along an axis.
    let mut query = x.slice_move(sapwood::ndarray::s![..60.min(wide.len()), ..]);
    for (i, mut row) in query.rows_mut().into_iter().enumerate().filter(|(i, _)| i % 3 != 0) {
        let column = i % row.len();
        let moved = row[column].as_f64() + if i % 3 == 1 { 0.5 * eps } else { eps };
        row[column] = F::cast(moved.clamp(-F::max_value().as_f64(), F::max_value().as_f64()));
    }
    let predicted: Array1<Option<usize>> = model.predict(&query);
    for (point, label) in widen(&query).iter().zip(predicted) {
        let allowed = naive_predict(&wide, eps, &expected, point);
        prop_assert!(
            allowed.contains(&label),
            "{:?} is {:?}, not of {:?}, eps {}",
            point,
            label,
            allowed,
            eps
        );
    }
    Ok(())
}

#[test]
fn labels_core_points_and_predictions_follow_the_definition_in_f64() {
    for_all(1500, &problem(400), |problem| follows_the_definition::<f64>(&problem));
}

#[test]
fn labels_core_points_and_predictions_follow_the_definition_in_f32() {
    for_all(1000, &problem(400), |problem| follows_the_definition::<f32>(&problem));
}

/// Enough points for several chunks, subtrees and threads.
#[test]
fn larger_clouds_follow_the_definition() {
    let larger = (problem(3000), 2000_usize..3000).prop_map(|((cloud, radius, min_samples), rows)| {
        (Cloud { rows, columns: 1 + cloud.columns % 4, ..cloud }, radius, min_samples)
    });
    for_all(12, &larger, |problem| follows_the_definition::<f64>(&problem));
    for_all(6, &larger, |problem| follows_the_definition::<f32>(&problem));
}

#[test]
fn every_number_of_threads_gives_the_same_labels() {
    let larger = (problem(9000), 4000_usize..9000).prop_map(|((cloud, radius, min_samples), rows)| {
        (Cloud { rows, columns: 2 + cloud.columns % 2, ..cloud }, radius, min_samples)
    });
    for_all(12, &larger, |(cloud, radius, min_samples)| {
        let x: Array2<f64> = cloud.points();
        let eps = radius.choose(&widen(&x));
        let one = with_threads(1, || answer(&fit(x.view(), eps, min_samples)));
        for threads in [2, 3, 8] {
            let many = with_threads(threads, || answer(&fit(x.view(), eps, min_samples)));
            prop_assert!(one == many, "{} threads, eps {}", threads, eps);
        }
        Ok(())
    });
}

/// Core points keep their company and noise stays noise; a border point keeps a neighbouring cluster.
#[test]
fn permuting_the_rows_only_renumbers() {
    for_all(200, &problem(200), |(cloud, radius, min_samples)| {
        let x: Array2<f64> = cloud.points();
        let wide = widen(&x);
        let eps = radius.choose(&wide);
        let before = fit(x.view(), eps, min_samples);
        let order = permutation(x.nrows(), cloud.seed);
        let permuted = x.select(sapwood::ndarray::Axis(0), &order);
        let after = fit(permuted.view(), eps, min_samples);

        let mut core: Vec<usize> = after.core_samples().iter().map(|&row| order[row]).collect();
        core.sort_unstable();
        prop_assert_eq!(&core, before.core_samples());
        prop_assert_eq!(before.n_clusters(), after.n_clusters());
        let mut new_number = vec![None; before.n_clusters()];
        for (row, &old_row) in order.iter().enumerate() {
            let (old, new) = (before.labels()[old_row], after.labels()[row]);
            prop_assert_eq!(old.is_none(), new.is_none());
            if let (Some(old), true) = (old, core.binary_search(&old_row).is_ok()) {
                prop_assert_eq!(*new_number[old].get_or_insert(new), new);
            }
        }
        Ok(())
    });
}

#[test]
fn transform_gives_the_labels_of_the_fit() {
    for_all(100, &problem(100), |(cloud, radius, min_samples)| {
        let x: Array2<f64> = cloud.points();
        let eps = radius.choose(&widen(&x));
        let labels: Array1<_> = Dbscan::params(min_samples).eps(eps).transform(&x).expect("valid");
        prop_assert_eq!(labels.to_vec(), answer(&fit(x.view(), eps, min_samples)).0);
        Ok(())
    });
}

#[test]
fn the_sorted_k_distances_follow_the_definition() {
    for_all(200, &problem(200), |(cloud, _, min_samples)| {
        let x: Array2<f64> = cloud.points();
        let wide = widen(&x);
        let mut expected: Vec<f64> = Vec::new();
        for from in &wide {
            let mut sq: Vec<f64> = wide.iter().map(|to| sq_distance(from, to)).collect();
            sq.sort_by(f64::total_cmp);
            expected.extend(sq.get(min_samples - 1).map(|sq| sq.sqrt()));
        }
        expected.sort_by(f64::total_cmp);
        let possible = min_samples >= 2 && expected.last().is_some_and(|&last| last > 0.0);
        let curve = suggest_eps(&x, min_samples);
        prop_assert_eq!(curve.is_ok(), possible, "{:?}", curve);
        if let Ok(curve) = curve {
            prop_assert_eq!(curve.distances().to_vec(), expected);
            prop_assert!(curve.eps() > 0.0 && curve.eps() == curve.distances()[curve.knee()]);
        }
        Ok(())
    });
}
