//! Memory of logistic regressions beyond their records, counted by an allocator.

mod memory;

use memory::peak_of;
use ndarray::{Array1, Array2};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::data::Csr;
use sapwood::linfa::{Dataset, DatasetBase, traits::Fit};
use sapwood::logistic::Solver;
use sapwood::sprs::CsMat;
use sapwood::{LogisticRegression, ndarray, with_threads};

/// Bytes of a number.
const NUMBER: usize = 8;
/// For each row: its class twice and its weight, and a byte or two of what a pass needs.
const ROW: usize = 32;
/// Most chunks of rows that have sums of their own, and vectors of L-BFGS.
const CHUNKS: usize = 32;
const VECTORS: usize = 40;

fn dense(n: usize, d: usize) -> Dataset<f64, bool, ndarray::Ix1> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
    let x = Array2::from_shape_simple_fn((n, d), || rng.gen_range(-1.0..1.0));
    let y: Array1<bool> =
        x.rows().into_iter().map(|row| row.sum() + rng.gen_range(-3.0..3.0) > 0.0).collect();
    Dataset::new(x, y)
}

#[test]
fn quasi_newton_steps_take_numbers_for_rows_and_features_only() {
    let (n, d) = (20_000, 100);
    let data = dense(n, d);
    let params = LogisticRegression::params().solver(Solver::Lbfgs);
    let (model, peak) = with_threads(1, || peak_of(|| params.fit(&data).expect("a fit")));
    assert!(model.report().converged());
    let most = ROW * n + (CHUNKS + VECTORS) * NUMBER * (d + 1) + 64 * 1024;
    assert!(peak <= most && most < n * d * NUMBER / 10, "{peak} of at most {most}");
}

#[test]
fn a_lasso_on_dense_rows_takes_its_hessian_and_an_eighth_of_them_at_most() {
    let (n, d) = (20_000, 60);
    let data = dense(n, d);
    let params = LogisticRegression::params().l1_ratio(1.0).alpha(1.0);
    let (model, peak) = with_threads(1, || peak_of(|| params.fit(&data).expect("a fit")));
    let used = model.coefficients().iter().filter(|&&w| w != 0.0).count();
    assert!(used > 3 * d / 4, "nearly all features are in use: {used}");
    let records = n * d * NUMBER;
    let hessians = (CHUNKS + 4) * NUMBER * (d + 8) * (d + 8);
    let most = records / 8 + ROW * n + VECTORS * NUMBER * n / d + hessians + 256 * 1024;
    assert!(peak <= most && most < records * 3 / 8, "{peak} of at most {most}");
}

#[test]
fn a_lasso_on_sparse_rows_takes_the_entries_of_its_features_and_a_few_numbers_for_each_row() {
    let (n, d, length) = (4_000, 5_000, 100);
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
    let (mut starts, mut indices, mut values) = (vec![0], vec![], vec![]);
    for _ in 0..n {
        let mut row: Vec<usize> =
            (0..length).map(|_| (d as f64 * rng.r#gen::<f64>().powi(2)) as usize).collect();
        row.sort_unstable();
        row.dedup();
        values.extend(row.iter().map(|_| rng.gen_range(-1.0..1.0_f64)));
        indices.extend(row);
        starts.push(indices.len());
    }
    let stored = values.len();
    let x = CsMat::new((n, d), starts, indices, values);
    let y: Array1<bool> = x
        .outer_iterator()
        .map(|row| {
            let sum: f64 = row.iter().filter(|entry| entry.0 < 50).map(|entry| entry.1).sum();
            sum + rng.gen_range(-0.5..0.5) > 0.0
        })
        .collect();
    let data = DatasetBase::new(Csr::new(x.view()).expect("rows"), y);
    let params = LogisticRegression::params().l1_ratio(1.0).alpha(4.0);
    let (model, peak) = with_threads(1, || peak_of(|| params.fit(&data).expect("a fit")));
    let used = model.coefficients().iter().filter(|&&w| w != 0.0).count();
    assert!((50..500).contains(&used), "{used} features in use");
    // A value and the number of its row; margins and derivatives of two points, their model and the room of a pass; sums of chunks and counts.
    let entries = stored * (NUMBER + 4) / 2;
    let most = entries + 20 * NUMBER * n + (CHUNKS + 16) * NUMBER * d;
    assert!(peak <= most && most < stored * 2 * NUMBER, "{peak} of at most {most}, {stored} entries");
}
