//! Distance matrices, nearest rows and pairs within a radius, dense and sparse, against the distance of each pair.

use sapwood::Float;
use sapwood::data::Csr;
use sapwood::distance::{
    self, Angular, BrayCurtis, Canberra, Chebyshev, Correlation, Cosine, CosineSimilarity, Dot, Euclidean,
    Hamming, Haversine, Hellinger, Jaccard, JensenShannon, KullbackLeibler, Mahalanobis, Manhattan, Metric,
    Minkowski, SquaredEuclidean, WeightedMinkowski,
    sparse::{self, SparseMetric},
};
use sapwood::ndarray::{Array1, Array2};
use sapwood::sprs::CsMat;

use super::Bytes;

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    if bytes.is() { run::<f32>(&mut bytes) } else { run::<f64>(&mut bytes) }
}

fn run<F: Float>(bytes: &mut Bytes<'_>) {
    let (metric, tame) = (bytes.below(22), bytes.is());
    let shape = (1 + bytes.below(12), bytes.below(12), bytes.below(14));
    let (k, radius, p) = (bytes.below(14), F::cast(bytes.number()), F::cast(bytes.number()));
    let (n, m, d) = shape;
    let table = |rows, bytes: &mut Bytes<'_>| -> Array2<F> {
        let table = if tame { bytes.tame_table(rows, d) } else { bytes.table(rows, d) };
        table.mapv(F::cast)
    };
    let (x, y) = (table(n, bytes), table(m, bytes));
    let ask = Ask { x: &x, y: &y, k, radius, tame };
    let positive = |v: F| if v < F::zero() { -v } else { v };
    let absolute =
        || Ask { x: &x.mapv(positive), y: &y.mapv(positive), k, radius, tame }.dense(&JensenShannon);
    match metric {
        0 => ask.both(&Euclidean),
        1 => ask.both(&SquaredEuclidean),
        2 => ask.both(&Cosine),
        3 => ask.both(&CosineSimilarity),
        4 => ask.both(&Angular),
        5 => ask.both(&Dot),
        6 => ask.both(&Jaccard),
        7 => ask.dense(&Manhattan),
        8 => ask.dense(&Chebyshev),
        9 => ask.dense(&Minkowski { p }),
        10 => {
            let weights = Array1::from_shape_simple_fn(d, || F::cast(bytes.number()));
            if let Ok(metric) = WeightedMinkowski::new(p, weights) {
                ask.dense(&metric);
            }
        }
        11 => {
            if let Ok(metric) = Mahalanobis::of_rows(&x) {
                ask.total(&metric);
            }
            if let Ok(metric) = Mahalanobis::new(&x) {
                ask.total(&metric);
            }
        }
        12 => ask.dense(&Haversine),
        13 => ask.dense(&Hamming),
        14 => ask.dense(&Canberra),
        15 => ask.dense(&BrayCurtis),
        16 => ask.dense(&Correlation),
        17 => ask.dense(&Hellinger),
        18 => ask.dense(&KullbackLeibler),
        19 => ask.dense(&JensenShannon),
        _ => absolute(),
    }
}

struct Ask<'a, F> {
    x: &'a Array2<F>,
    y: &'a Array2<F>,
    k: usize,
    radius: F,
    tame: bool,
}

impl<F: Float> Ask<'_, F> {
    /// Each answer is there or an error, and no distance is NaN.
    fn total<M: Metric<F>>(&self, metric: &M) {
        if let Ok(table) = distance::between(self.x, self.y, metric) {
            assert!(table.iter().all(|d| !d.is_nan()), "{table}");
        }
        if let Ok(table) = distance::pairwise(self.x, metric) {
            assert!(table.iter().all(|d| !d.is_nan()), "{table}");
        }
    }

    fn dense<M: Metric<F>>(&self, metric: &M) {
        self.total(metric);
        let Self { x, y, k, radius, .. } = *self;
        let of = |i: usize, j: usize| metric.distance(&x.row(i).to_vec(), &y.row(j).to_vec());
        let Ok(table) = distance::between(x, y, metric) else { return };
        for ((i, j), &found) in table.indexed_iter() {
            self.near(found, of(i, j));
        }
        let one = distance::one_to_many(x.row(0), y, metric).expect("as the table");
        for (j, &found) in one.iter().enumerate() {
            self.near(found, of(0, j));
        }
        let square = distance::pairwise(x, metric).expect("as the table");
        let condensed = distance::condensed(x, metric);
        if M::SYMMETRIC && !M::SIMILARITY {
            let mut above = condensed.expect("as the table").into_iter();
            for i in 0..x.nrows() {
                for j in i + 1..x.nrows() {
                    assert_eq!(above.next(), Some(square[[i, j]]));
                }
            }
        }
        let is_near = |d: F| if M::SIMILARITY { d >= radius } else { d <= radius };
        let mut pairs = Vec::new();
        if distance::within_between(x, y, radius, metric, |i, j, d| pairs.push((i, j, d))).is_ok() {
            pairs.sort_unstable_by_key(|pair| (pair.0, pair.1));
            let every = (0..x.nrows()).flat_map(|i| (0..y.nrows()).map(move |j| (i, j)));
            let expected: Vec<(usize, usize, F)> =
                every.map(|(i, j)| (i, j, of(i, j))).filter(|pair| is_near(pair.2)).collect();
            assert_eq!(pairs, expected, "{x} {y}");
        }
        let Ok(best) = distance::top_k(x, y, k, metric) else {
            assert!(k == 0 || k > y.nrows());
            return;
        };
        for i in 0..x.nrows() {
            let mut all: Vec<(F, usize)> = (0..y.nrows()).map(|j| (of(i, j), j)).collect();
            all.sort_by(|a, b| {
                let order = a.0.as_f64().total_cmp(&b.0.as_f64());
                (if M::SIMILARITY { order.reverse() } else { order }).then(a.1.cmp(&b.1))
            });
            // Zeros of both signs are equal, so their rows decide.
            if all.iter().any(|pair| pair.0 == F::zero()) {
                continue;
            }
            for (place, &(distance, row)) in all[..k].iter().enumerate() {
                assert_eq!(
                    (best.distances[[i, place]], best.indices[[i, place]]),
                    (distance, row),
                    "{x} {y}"
                );
            }
        }
    }

    fn both<M: SparseMetric<F>>(&self, metric: &M) {
        self.dense(metric);
        let Self { x, y, k, radius, .. } = *self;
        if x.iter().chain(y).any(|v| v.is_nan()) {
            // Not stored: nothing is greater than NaN.
            return;
        }
        let (sparse_x, sparse_y) = (rows(x), rows(y));
        let (Ok(sparse_x), Ok(sparse_y)) = (Csr::new(sparse_x.view()), Csr::new(sparse_y.view())) else {
            return;
        };
        let Ok(table) = sparse::between(&sparse_x, &sparse_y, metric) else { return };
        for ((i, j), &found) in table.indexed_iter() {
            self.near(found, metric.distance(&x.row(i).to_vec(), &y.row(j).to_vec()));
        }
        let _ = sparse::pairwise(&sparse_x, metric).expect("as the table");
        let mut n_pairs = 0;
        let _ = sparse::within(&sparse_x, radius, metric, |_, _, _| n_pairs += 1).is_ok();
        assert!(n_pairs <= x.nrows() * x.nrows());
        if let Ok(best) = sparse::top_k(&sparse_x, &sparse_y, k, metric) {
            assert_eq!(best.indices.dim(), (x.nrows(), k));
        }
    }

    /// The two ways of one distance, to their rounding where numbers are tame.
    fn near(&self, found: F, expected: F) {
        let (found, expected) = (found.as_f64(), expected.as_f64());
        assert!(!found.is_nan() && !expected.is_nan(), "{found} {expected}");
        if self.tame {
            // Squares of 33 in 13 columns, and the root of their rounding.
            let scale = F::epsilon().as_f64() * 2e4;
            let bound = scale * expected.abs() + (4.0 * scale).sqrt();
            // Components that sum to 0 are infinitely apart by Bray and Curtis.
            assert!(found == expected || (found - expected).abs() <= bound, "{found} {expected}");
        }
    }
}

fn rows<F: Float>(x: &Array2<F>) -> CsMat<F> {
    CsMat::csr_from_dense(x.view(), F::zero())
}
