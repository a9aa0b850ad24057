//! Where EM begins.

use linfa::DatasetBase;
use linfa::traits::{Fit, Predict};
use linfa_clustering::KMeans;
use ndarray::{Array1, Array2, Axis};
use rand::{Rng, RngCore, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;

use super::{Covariance, Gaussian, GaussianParams, check_measurements, is_missing};
use crate::error::{Error, Result};
use crate::float::Float;
use crate::hmm::emission::Start;
use crate::params::require;

/// Clusters or random rows as means, and the spread of all rows for every state.
pub(super) fn start<F: Float>(
    x: &[F],
    d: usize,
    n_states: usize,
    params: &GaussianParams,
    start: Start,
    rng: &mut dyn RngCore,
) -> Result<(Gaussian<F>, Option<Vec<usize>>)> {
    let variances = overall_variances(x, d)?;
    let (means, labels) = start_means(x, d, n_states, start, rng)?;
    let diagonal = params.covariance.is_diagonal();
    let spread: Vec<F> = match params.covariance {
        Covariance::Spherical => vec![variances.mean().unwrap_or(F::one()); d],
        Covariance::Diagonal => variances.to_vec(),
        Covariance::Full | Covariance::Tied => Array2::from_diag(&variances).into_iter().collect(),
    };
    let width = if diagonal { d } else { d * d };
    let spreads = Array2::from_shape_fn((n_states, width), |(_, at)| spread[at]);
    let mut gaussian = Gaussian::unwhitened(params.covariance, means, spreads);
    (0..n_states).for_each(|state| {
        gaussian.lift(state, F::cast(params.floor));
    });
    Ok((gaussian, labels))
}

/// Centres of clusters, with the cluster of each row, or rows at random.
pub(in crate::hmm) fn start_means<F: Float>(
    x: &[F],
    d: usize,
    n: usize,
    start: Start,
    rng: &mut dyn RngCore,
) -> Result<(Array2<F>, Option<Vec<usize>>)> {
    check_measurements(x, d)?;
    let seen: Vec<&[F]> = x.chunks_exact(d).filter(|row| !is_missing(row)).collect();
    require(seen.len() >= n, "n_states", "at most the number of observations", n)?;
    let rows = Array2::from_shape_fn((seen.len(), d), |(t, i)| seen[t][i]);
    if start == Start::Random {
        let chosen: Vec<usize> = (0..n).map(|_| rng.gen_range(0..seen.len())).collect();
        return Ok((rows.select(Axis(0), &chosen), None));
    }
    let k_means = KMeans::params_with_rng(n, Xoshiro256Plus::seed_from_u64(rng.next_u64()))
        .n_runs(1)
        .max_n_iterations(50)
        .tolerance(F::cast(1e-4));
    let rows = DatasetBase::from(rows);
    let clusters = k_means
        .fit(&rows)
        .map_err(|error| Error::shape("records", "clusters that k-means can find", error))?;
    let found: Array1<usize> = clusters.predict(&rows.records);
    let mut found = found.into_iter();
    // A missing row keeps the cluster of the row before it.
    let mut last = 0;
    let labels = x
        .chunks_exact(d)
        .map(|row| {
            if !is_missing(row) {
                last = found.next().unwrap_or(last);
            }
            last
        })
        .collect();
    Ok((clusters.centroids().to_owned(), Some(labels)))
}

/// The variance of each feature over all rows that are not missing.
pub(in crate::hmm) fn overall_variances<F: Float>(x: &[F], d: usize) -> Result<Array1<F>> {
    check_measurements(x, d)?;
    let rows = || x.chunks_exact(d).filter(|row| !is_missing(row));
    let n = rows().count() as f64;
    let mut variances = Array1::zeros(d);
    for i in 0..d {
        let mean = rows().map(|row| row[i].as_f64()).sum::<f64>() / n;
        let squares = rows().map(|row| (row[i].as_f64() - mean).powi(2)).sum::<f64>() / n;
        // No row at all has no variance; that there are too few rows is told elsewhere.
        variances[i] = F::cast(if n > 0.0 { squares } else { 0.0 });
        // The clusters sum squared distances: between two rows over all features, over all rows.
        if !F::cast(4.0 * squares * n * n * d as f64).is_finite() && n > 0.0 {
            let rule = "values whose squares can be summed";
            return Err(Error::shape("records", rule, format_args!("a variance of {squares} in column {i}")));
        }
    }
    Ok(variances)
}
