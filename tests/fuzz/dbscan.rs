//! DBSCAN in all its forms against the definition.

use sapwood::dbscan::{self, Metric};
use sapwood::distance::{self, Cosine, Haversine};
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array1, Array2};
use sapwood::{Dbscan, Float};

use super::Bytes;
use super::naive::{self, Answer};

pub(crate) fn target(bytes: &[u8]) {
    let mut bytes = Bytes::new(bytes);
    if bytes.is() { run::<f32>(&mut bytes) } else { run::<f64>(&mut bytes) }
}

/// The distance in f64, summed in the order of the columns; squared for the Euclidean one.
fn measure(metric: Metric, a: &[f64], b: &[f64]) -> f64 {
    let gaps = a.iter().zip(b).map(|(a, b)| a - b);
    match metric {
        Metric::Euclidean => gaps.fold(0.0, |sum, gap| sum + gap * gap),
        Metric::Manhattan => gaps.fold(0.0, |sum, gap| sum + gap.abs()),
        Metric::Chebyshev => gaps.fold(0.0, |largest, gap| f64::max(largest, gap.abs())),
        Metric::Cosine => distance::Metric::distance(&Cosine, a, b),
        _ if a.len() != 2 => f64::NAN,
        _ => distance::Metric::distance(&Haversine, a, b),
    }
}

fn run<F: Float>(bytes: &mut Bytes<'_>) {
    use Metric::{Chebyshev, Cosine, Euclidean, Haversine, Manhattan};
    let metric = [Euclidean, Euclidean, Euclidean, Manhattan, Chebyshev, Cosine, Haversine][bytes.below(7)];
    let (weighted, n, d) = (bytes.below(4) == 1, bytes.below(48), bytes.below(6));
    let min_samples = match bytes.byte() {
        255 => usize::MAX,
        byte => usize::from(byte % 8),
    };
    let (chosen, nudge) = ((bytes.below(n.max(1)), bytes.below(n.max(1))), bytes.below(8));
    let given = bytes.number();
    let x: Array2<F> = bytes.table(n, d).mapv(F::cast);
    let weights: Vec<f32> = (0..n).map(|_| if weighted { bytes.number() as f32 } else { 1.0 }).collect();

    let wide: Vec<Vec<f64>> =
        x.rows().into_iter().map(|row| row.iter().map(|v| v.as_f64()).collect()).collect();
    // A radius from among the distances, exactly or nearly, or any number.
    let eps = if nudge >= 4 || n == 0 {
        given
    } else {
        let gap = measure(metric, &wide[chosen.0], &wide[chosen.1]);
        let gap = if metric == Euclidean { gap.sqrt() } else { gap };
        [gap, gap.next_down(), gap.next_up(), gap * 1.000_1][nudge]
    };
    let mut data = DatasetBase::from(x.view());
    if weighted {
        data = data.with_weights(Array1::from(weights.clone()));
    }
    let params = Dbscan::params(min_samples).eps(eps).metric(metric);
    let model = match params.fit(&data) {
        Ok(model) => model,
        Err(error) => {
            let whole = n > 0 && d > 0 && min_samples > 0 && (1e-100..1e100).contains(&eps);
            let tame = wide.iter().flatten().all(|v| v.abs() < 1e100) && !weighted;
            assert!(!(whole && tame && metric != Haversine), "{error}");
            return;
        }
    };
    assert!(wide.iter().flatten().all(|v| v.is_finite()), "no answer for NaN");

    // What rounds may decide otherwise within a hair of the radius.
    let rounds = matches!(metric, Cosine | Haversine);
    let limit = if metric == Euclidean { eps * eps } else { eps };
    let gap = |i: usize, j: usize| measure(metric, &wide[i], &wide[j]);
    let hair = if size_of::<F>() == 4 { 1e-5 } else { 1e-9 };
    let doubtful = |gap: f64| (gap - limit).abs() <= hair * limit.max(1.0);
    if rounds && (0..n).any(|i| (0..i).any(|j| doubtful(gap(i, j)))) {
        return;
    }
    let wide_weights: Vec<f64> = weights.iter().map(|&w| f64::from(w)).collect();
    let largest = wide_weights.iter().fold(0.0_f64, |largest, w| largest.max(w.abs()));
    let fine = |w: &f64| (w * 256.0).fract() == 0.0;
    if largest > 1e6 || !wide_weights.iter().all(fine) {
        // Sums that round depend on their order, and the library's is its own.
        return;
    }
    let expected = naive::dbscan(|i, j| gap(i, j) <= limit, &wide_weights, min_samples);
    let answer: Answer = (model.labels().to_vec(), model.core_samples().to_vec());
    assert_eq!(answer, expected, "{metric:?} eps {eps:?} min_samples {min_samples} {x:?}");
    let predicted = model.try_predict(&x).expect("the rows of the fit");
    if !rounds {
        for (row, label) in predicted.iter().enumerate() {
            assert_eq!(label.is_some(), expected.0[row].is_some(), "row {row} of {x:?}");
        }
    }
    if weighted {
        return;
    }
    let neighbours =
        |i: usize| (0..n).filter(move |&j| i != j).filter(|&j| gap(i, j) <= limit).collect::<Vec<_>>();
    let clusters = Dbscan::params(min_samples).fit_neighbours(n, neighbours).expect("rows");
    assert_eq!((clusters.labels().to_vec(), clusters.core_samples().to_vec()), expected);
    if !rounds {
        let parts = dbscan::partition(&x, eps, 1 + n % 5).expect("valid");
        let found: Vec<_> = parts.map(|part| params.cluster_part(&part).expect("valid")).collect();
        let merged = dbscan::merge(&found).expect("whole");
        assert_eq!((merged.labels().to_vec(), merged.core_samples().to_vec()), expected, "{x:?}");
    }
    let _ = dbscan::suggest_eps(&x, min_samples).is_ok();
}
