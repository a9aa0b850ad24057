//! The point clouds that are timed, and the clock.

use std::time::{Duration, Instant};

use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::ndarray::{Array2, Axis};

/// 50 nearly normal blobs in a cube of side 100, standard deviations 0.5 to 1.5, 5 % uniform noise, in random order.
pub(crate) fn blobs(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let centres = Array2::from_shape_simple_fn((50, d), || rng.gen_range(0.0..100.0));
    let spreads: Vec<f64> = (0..50).map(|_| rng.gen_range(0.5..1.5)).collect();
    let mut points = Array2::zeros((n, d));
    for (i, mut point) in points.rows_mut().into_iter().enumerate() {
        if i < n / 20 {
            point.mapv_inplace(|_: f64| rng.gen_range(0.0..100.0));
        } else {
            let blob = rng.gen_range(0..50);
            // Twelve uniform numbers have variance 1 in sum.
            point.mapv_inplace(|_| (0..12).map(|_| rng.r#gen::<f64>() - 0.5).sum::<f64>() * spreads[blob]);
            point += &centres.row(blob);
        }
    }
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut rng);
    points.select(Axis(0), &order)
}

/// Median time of `repeats` runs after one that is not counted.
pub(crate) fn median<R>(repeats: usize, mut run: impl FnMut() -> R) -> Duration {
    std::hint::black_box(run());
    let mut times: Vec<Duration> = (0..repeats)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(run());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    times[repeats / 2]
}

/// `10k`, `1M`.
pub(crate) fn short(n: usize) -> String {
    if n >= 1_000_000 { format!("{}M", n / 1_000_000) } else { format!("{}k", n / 1000) }
}
