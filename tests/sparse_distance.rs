//! Distances between sparse rows against those of the same rows stored densely.

use sapwood::data::Csr;
use sapwood::distance::{
    self, Angular, Cosine, CosineSimilarity, Dot, Euclidean, Jaccard, SquaredEuclidean,
    sparse::{self, SparseMetric},
};
use sapwood::ndarray::{Array2, array};
use sapwood::sprs::{CsMat, CsVec};
use sapwood::{Error, Float, with_threads};

/// Rows with few entries, some of them 0; row 3 has none, rows 5 and 6 are multiples of row 4, row 7 is nearly row 4.
fn dense<F: Float>(n: usize, d: usize, seed: u64) -> Array2<F> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 53) as f64
    };
    let mut x = Array2::from_shape_fn((n, d), |_| {
        let (share, value) = (random(), random());
        F::cast(if share < 0.2 { value * 4.0 - 2.0 } else { 0.0 })
    });
    if n > 7 {
        x.row_mut(3).fill(F::zero());
        let fourth = x.row(4).to_owned();
        for (row, factor) in [(5, 1.0), (6, -3.0), (7, 1.0 + 1e-5)] {
            x.row_mut(row).assign(&fourth.map(|&v| v * F::cast(factor)));
        }
        x[[7, d - 1]] += F::cast(1e-4);
    }
    x
}

/// The same rows as a sparse matrix; every eleventh zero is stored.
fn sparse_of<F: Float>(x: &Array2<F>, column: impl Fn(usize) -> usize, columns: usize) -> CsMat<F> {
    let (mut starts, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for (i, row) in x.outer_iter().enumerate() {
        for (k, &v) in row.iter().enumerate() {
            if v != F::zero() || (i + k) % 11 == 0 {
                indices.push(column(k));
                values.push(v);
            }
        }
        starts.push(indices.len());
    }
    CsMat::new((x.nrows(), columns), starts, indices, values)
}

fn agrees<F: Float, M: SparseMetric<F>>(name: &str, metric: &M, tolerance: f64) {
    for (n, m, d) in [(1, 1, 1), (9, 12, 40), (70, 30, 8), (30, 9, 200)] {
        let (x, y) = (dense::<F>(n, d, 1), dense::<F>(m, d, 1));
        let expected = distance::between(&x, &y, metric).unwrap();
        // Columns as they are, and far apart: more than memory could number.
        let apart = usize::MAX / 2 / d;
        for (step, columns) in [(1, d), (apart, d * apart)] {
            let [xs, ys] = [&x, &y].map(|x| sparse_of(x, |k| k * step, columns));
            let (xs, ys) = (Csr::new(xs.view()).unwrap(), Csr::new(ys.view()).unwrap());
            let got = sparse::between(&xs, &ys, metric).unwrap();
            for ((pair, &got), &expected) in got.indexed_iter().zip(&expected) {
                let (got, expected) = (got.as_f64(), expected.as_f64());
                let bound = tolerance * if M::SIMILARITY { 1.0 } else { expected.abs().max(1e-6) };
                assert!((got - expected).abs() <= bound, "{name} {pair:?}: {got} {expected}");
            }
            assert_eq!(with_threads(1, || sparse::between(&xs, &ys, metric).unwrap()), got);
            assert_eq!(sparse::between(&ys, &xs, metric).unwrap().t(), got, "{name}");

            let square = sparse::pairwise(&xs, metric).unwrap();
            assert_eq!(square.t(), square);
            for (i, row) in square.outer_iter().enumerate() {
                if !M::SIMILARITY {
                    assert_eq!(row[i], F::zero());
                }
                let (starts, indices, values) = xs.parts();
                let run = starts[i]..starts[i + 1];
                let query = CsVec::new(columns, indices[run.clone()].to_vec(), values[run].to_vec());
                let to_many = sparse::one_to_many(query.view(), &xs, metric).unwrap();
                assert!((0..n).all(|j| i == j || to_many[j] == row[j]), "{name}");
            }

            let order =
                |a: F, b: F| if M::SIMILARITY { b.partial_cmp(&a) } else { a.partial_cmp(&b) }.unwrap();
            for k in [1, m.min(4), m] {
                let nearest = sparse::top_k(&xs, &ys, k, metric).unwrap();
                for (i, row) in got.outer_iter().enumerate() {
                    let mut expected: Vec<usize> = (0..m).collect();
                    expected.sort_by(|&a, &b| order(row[a], row[b]).then(a.cmp(&b)));
                    assert_eq!(nearest.indices.row(i).to_vec(), expected[..k], "{name}");
                    assert!(nearest.distances.row(i).iter().zip(&expected).all(|(&d, &j)| d == row[j]));
                }
            }

            let radius = square[[n / 2, n / 3]];
            let mut pairs = Vec::new();
            sparse::within(&xs, radius, metric, |i, j, d| pairs.push((i, j, d))).unwrap();
            let near = |d: F| if M::SIMILARITY { d >= radius } else { d <= radius };
            let expected: Vec<(usize, usize, F)> = square
                .indexed_iter()
                .filter(|&((i, j), &d)| i < j && near(d))
                .map(|((i, j), &d)| (i, j, d))
                .collect();
            assert_eq!(pairs, expected, "{name}");
        }
    }
}

fn every_metric_agrees<F: Float>(tolerance: f64) {
    agrees::<F, _>("cosine", &Cosine, tolerance);
    agrees::<F, _>("cosine_similarity", &CosineSimilarity, tolerance);
    agrees::<F, _>("angular", &Angular, tolerance);
    agrees::<F, _>("dot", &Dot, tolerance * 10.0);
    agrees::<F, _>("euclidean", &Euclidean, tolerance);
    agrees::<F, _>("squared_euclidean", &SquaredEuclidean, tolerance);
    agrees::<F, _>("jaccard", &Jaccard, 0.0);
}

#[test]
fn sparse_rows_have_the_distances_of_dense_rows_in_f64() {
    every_metric_agrees::<f64>(1e-12);
}

#[test]
fn sparse_rows_have_the_distances_of_dense_rows_in_f32() {
    every_metric_agrees::<f32>(2e-4);
}

#[test]
fn lengths_out_of_range_are_scaled_and_small_distances_keep_their_digits() {
    for scale in [1e-310, 1e-200, 1e-160, 1e160, 1e200, 1e307] {
        let x =
            CsMat::new((2, 9), vec![0, 2, 4], vec![1, 4, 4, 7], vec![scale, 2.0 * scale, 2.0 * scale, scale]);
        let x = Csr::new(x.view()).unwrap();
        let similarity: Array2<f64> = sparse::pairwise(&x, CosineSimilarity).unwrap();
        assert!((similarity[[0, 1]] - 0.8).abs() < 1e-15, "{scale}");
        assert_eq!([similarity[[0, 0]], similarity[[1, 1]]], [1.0, 1.0]);
        let distance = sparse::pairwise(&x, Euclidean).unwrap()[[0, 1]];
        assert!((distance / (2_f64.sqrt() * scale) - 1.0).abs() < 1e-14, "{scale}");
    }
    let x = CsMat::new((2, 9), vec![0, 1, 3], vec![5, 5, 8], vec![1.0, 1.0, 1e-9]);
    let x = Csr::new(x.view()).unwrap();
    let cosine: Array2<f64> = sparse::pairwise(&x, Cosine).unwrap();
    assert!((cosine[[0, 1]] / 0.5e-18 - 1.0).abs() < 1e-12);
    assert_eq!(sparse::pairwise(&x, Euclidean).unwrap()[[0, 1]], 1e-9);
}

#[test]
fn a_row_without_entries_is_a_zero_vector() {
    let x = CsMat::new((3, 4), vec![0, 0, 1, 2], vec![2, 0], vec![1.0, 0.0]);
    let x = Csr::new(x.view()).unwrap();
    let cosine = array![[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]];
    assert_eq!(sparse::pairwise(&x, Cosine).unwrap(), cosine);
    let jaccard = array![[0.0, 1.0, 0.0], [1.0, 0.0, 1.0], [0.0, 1.0, 0.0]];
    assert_eq!(sparse::pairwise(&x, Jaccard).unwrap(), jaccard);
}

#[test]
fn what_cannot_be_answered_is_a_named_error() {
    fn message<T>(result: sapwood::Result<T>) -> String {
        result.err().expect("refused").to_string()
    }
    let matrix = |d: usize, value: f64| CsMat::new((2, d), vec![0, 1, 2], vec![0, 1], vec![1.0, value]);
    let good = matrix(3, 2.0);
    let good = Csr::new(good.view()).unwrap();
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let bad_matrix = matrix(3, bad);
        let x = Csr::new(bad_matrix.view()).unwrap();
        let expected = format!("must be finite, got {bad} in row 1, column 1");
        assert_eq!(message(sparse::pairwise(&x, Cosine)), format!("`x` {expected}"));
        assert_eq!(message(sparse::between(&good, &x, Dot)), format!("`y` {expected}"));
        assert_eq!(message(sparse::top_k(&x, &good, 1, Dot)), format!("`queries` {expected}"));
        let query = CsVec::new(3, vec![1], vec![bad]);
        assert!(matches!(
            sparse::one_to_many(query.view(), &good, Dot),
            Err(Error::NonFinite { name: "query", row: 0, column: 1, .. })
        ));
    }
    let wide = matrix(4, 2.0);
    let wide = Csr::new(wide.view()).unwrap();
    assert_eq!(message(sparse::between(&good, &wide, Dot)), "`y` must have 3 columns, as `x`, got 4");
    let empty = CsMat::<f64>::zero((0, 3));
    let empty = Csr::new(empty.view()).unwrap();
    let expected = "`x` must have at least one row and one column, got 0 x 3";
    assert_eq!(message(sparse::pairwise(&empty, Jaccard)), expected);
    for k in [0, 3] {
        let expected = format!("`k` must be from 1 to 2, the number of rows, got {k}");
        assert_eq!(message(sparse::top_k(&good, &good, k, Cosine)), expected);
    }
    let nan = "`radius` must be a number, got NaN";
    assert_eq!(message(sparse::within(&good, f64::NAN, Cosine, |_, _, _| ())), nan);
}
