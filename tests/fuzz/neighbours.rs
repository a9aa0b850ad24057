//! The index and its brute-force twin against a plain loop.

use sapwood::Float;
use sapwood::distance::{
    Angular, Canberra, Chebyshev, Correlation, Cosine, Euclidean, Hamming, JensenShannon, Manhattan, Metric,
};
use sapwood::index::{BruteForce, ByComponents, Index, Neighbour, Search};
use sapwood::ndarray::{Array1, Array2};

use super::Bytes;

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    let narrow = bytes.is();
    let kind = bytes.below(10);
    match (kind, narrow) {
        (0..=2, false) => indexed::<f64, Euclidean>(&mut bytes, |a, b| sum(a, b, |gap| gap * gap)),
        (0..=2, true) => indexed::<f32, Euclidean>(&mut bytes, |a, b| sum(a, b, |gap| gap * gap)),
        (3, false) => indexed::<f64, Manhattan>(&mut bytes, |a, b| sum(a, b, f64::abs)),
        (3, true) => indexed::<f32, Manhattan>(&mut bytes, |a, b| sum(a, b, f64::abs)),
        (4, false) => indexed::<f64, Chebyshev>(&mut bytes, largest),
        (4, true) => indexed::<f32, Chebyshev>(&mut bytes, largest),
        (5, _) => brute::<f64, _>(&mut bytes, Cosine),
        (6, _) => brute::<f32, _>(&mut bytes, Angular),
        (7, _) => brute::<f64, _>(&mut bytes, Correlation),
        (8, false) => brute::<f64, _>(&mut bytes, Canberra),
        (8, true) => brute::<f32, _>(&mut bytes, Hamming),
        _ => brute::<f64, _>(&mut bytes, JensenShannon),
    }
}

fn sum(a: &[f64], b: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    a.iter().zip(b).fold(0.0, |sum, (a, b)| sum + of(a - b))
}

fn largest(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).fold(0.0, |largest, (a, b)| f64::max(largest, (a - b).abs()))
}

fn cloud<F: Float>(bytes: &mut Bytes<'_>) -> (Array2<F>, Array1<F>, usize) {
    let (n, d, k) = (bytes.below(80), bytes.below(6), bytes.below(10));
    let query = Array1::from_shape_simple_fn(d, || F::cast(bytes.number()));
    (bytes.table(n, d).mapv(F::cast), query, k)
}

fn indexed<F: Float, M>(bytes: &mut Bytes<'_>, total: fn(&[f64], &[f64]) -> f64)
where
    M: ByComponents + Default + 'static,
{
    let euclidean = std::any::TypeId::of::<M>() == std::any::TypeId::of::<Euclidean>();
    let (chosen, own, given, limit) = (bytes.byte(), bytes.is(), bytes.number(), bytes.below(20));
    let (x, query, k) = cloud::<F>(bytes);
    let wide =
        |values: sapwood::ndarray::ArrayView1<'_, F>| values.iter().map(|v| v.as_f64()).collect::<Vec<_>>();
    let finite = x.iter().chain(&query).all(|v| v.is_finite());
    let to = wide(query.view());
    let totals: Vec<f64> = x.rows().into_iter().map(|row| total(&wide(row), &to)).collect();
    let distance = |total: f64| if euclidean { total.sqrt() } else { total };
    let radius = match totals.get(usize::from(chosen) % x.nrows().max(1)) {
        Some(&total) if own => distance(total),
        _ => given,
    };
    for search in [Search::KdTree, Search::Brute] {
        let Ok(index) = Index::<F, M>::with_metric(&x, search, M::default()) else {
            assert!(x.is_empty() || !finite);
            return;
        };
        let Ok(within) = index.within(query.view(), radius) else {
            assert!(!finite || radius < 0.0 || radius.is_nan());
            return;
        };
        let limit_total = if euclidean { radius * radius } else { radius };
        let mut all: Vec<(usize, f64)> = totals.iter().map(|&total| distance(total)).enumerate().collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.0.cmp(&b.0)));
        let expected: Vec<(usize, f64)> =
            all.iter().copied().filter(|&(row, _)| totals[row] <= limit_total).collect();
        if (radius * radius).is_normal() || !euclidean {
            assert_eq!(pairs(&within), expected, "radius {radius:?} of {query} by {search:?}");
            let count = index.count_within(query.view(), radius, limit).expect("as before");
            assert_eq!(count, expected.len().min(limit));
        }
        let Ok(nearest) = index.nearest(query.view(), k) else {
            assert_eq!(k, 0);
            continue;
        };
        assert_eq!(nearest.len(), k.min(x.nrows()));
        for (found, expected) in nearest.iter().zip(&all) {
            assert_eq!(found.distance.to_bits(), expected.1.to_bits(), "{nearest:?} {all:?}");
            assert_eq!(distance(totals[found.row]).to_bits(), found.distance.to_bits());
        }
    }
}

fn pairs(neighbours: &[Neighbour]) -> Vec<(usize, f64)> {
    neighbours.iter().map(|n| (n.row, n.distance)).collect()
}

fn brute<F: Float, M: Metric<F> + Copy>(bytes: &mut Bytes<'_>, metric: M) {
    let (chosen, own, given, limit) = (bytes.byte(), bytes.is(), bytes.number(), bytes.below(20));
    let (x, query, k) = cloud::<F>(bytes);
    let Ok(index) = BruteForce::new(&x, metric) else { return };
    let row = |i: usize| x.row(i).to_vec();
    let query_values = query.to_vec();
    let distances: Vec<F> = (0..x.nrows()).map(|i| metric.distance(&query_values, &row(i))).collect();
    let radius = if own { distances[usize::from(chosen) % x.nrows()] } else { F::cast(given) };
    let is_near = |d: F| if M::SIMILARITY { d >= radius } else { d <= radius };
    if let Ok(within) = index.within(query.view(), radius) {
        let mut rows: Vec<usize> = within.iter().map(|n| n.row).collect();
        rows.sort_unstable();
        let expected: Vec<usize> = (0..x.nrows()).filter(|&i| is_near(distances[i])).collect();
        assert_eq!(rows, expected, "{query} in {x}, radius {radius}");
    }
    if let Ok(nearest) = index.nearest(query.view(), k) {
        assert_eq!(nearest.len(), k.min(x.nrows()));
    }
    if let Ok(counts) = index.counts_within(radius, limit) {
        for (i, &count) in counts.iter().enumerate() {
            let near = |&j: &usize| match i == j && !M::SIMILARITY {
                true => is_near(F::zero()),
                false => is_near(metric.distance(&row(i.min(j)), &row(i.max(j)))),
            };
            let expected = (0..x.nrows()).filter(near).count();
            assert_eq!(count, expected.min(limit), "row {i} of {x}, radius {radius}");
        }
    }
}
