//! Clusters of odd shapes, with the truth.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256Plus;
use sapwood::io;
use sapwood::ndarray::Array2;

pub(crate) type Labels = Vec<Option<usize>>;

/// A name, points, the truth, and the radius for DBSCAN and OPTICS.
pub(crate) type Set = (&'static str, Array2<f64>, Labels, f64);

pub(crate) fn sets() -> Vec<Set> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/shapes");
    let read = |(name, eps): (&'static str, f64)| {
        let points = io::read_npy(format!("{folder}/{name}/X.npy")).ok()?;
        let truth = io::read_npy_i64(format!("{folder}/{name}/y.npy")).ok()?;
        Some((name, points, truth.iter().map(|&y| usize::try_from(y).ok()).collect(), eps))
    };
    let real: Vec<Set> =
        [("3_spiral", 2.5), ("compound", 1.5), ("aggregation", 1.2)].into_iter().filter_map(read).collect();
    if !real.is_empty() {
        return real;
    }
    let mut rng = Xoshiro256Plus::seed_from_u64(1);
    let mut shape = |n: usize, kinds: usize, place: fn(usize, f64) -> [f64; 2]| {
        let truth: Labels = (0..n).map(|i| Some(i % kinds)).collect();
        let rows: Vec<[f64; 2]> =
            (0..n).map(|i| place(i % kinds, rng.r#gen()).map(|x| x + rng.gen_range(-0.12..0.12))).collect();
        (Array2::from(rows), truth)
    };
    let ring = shape(600, 3, |kind, t| {
        let (sin, cos) = (std::f64::consts::TAU * t).sin_cos();
        let radius = 0.4 + 1.4 * kind as f64;
        [radius * cos, radius * sin]
    });
    let crescent = shape(600, 2, |kind, t| {
        let (sin, cos) = (std::f64::consts::PI * t).sin_cos();
        if kind == 0 { [2.0 * cos, 2.0 * sin] } else { [2.0 - 2.0 * cos, 0.8 - 2.0 * sin] }
    });
    vec![("rings", ring.0, ring.1, 0.5), ("crescents", crescent.0, crescent.1, 0.4)]
}
