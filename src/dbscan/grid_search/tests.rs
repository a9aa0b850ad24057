use super::*;
use crate::dbscan::{Clusters, tree_search};
use crate::kernel::Squares;
use ndarray::{Array2, ArrayView2};
use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

fn over_the_grid<F: Float>(x: ArrayView2<'_, F>, eps: f64, min_samples: usize) -> Option<Clusters> {
    let found = cluster(x.to_slice().unwrap(), x.ncols(), eps, min_samples, &mut ()).unwrap();
    found.map(Found::clusters)
}

#[track_caller]
fn both_searches_agree<F: Float>(x: &Array2<F>, eps: f64, min_samples: usize) -> Clusters {
    let tree =
        tree_search::cluster::<Squares, _>(x.view(), eps, min_samples, None, &mut ()).unwrap().clusters();
    let grid = over_the_grid(x.view(), eps, min_samples).expect("the grid fits");
    assert!(
        grid == tree,
        "eps = {eps}, min_samples = {min_samples}, {} x {}: {} clusters for {}",
        x.nrows(),
        x.ncols(),
        grid.n_clusters(),
        tree.n_clusters()
    );
    grid
}

/// One of several layouts: spread out, in clumps, on lattices whose step makes ties with `eps = 1`, on the borders of cells, far from zero.
fn cloud(rng: &mut Xoshiro256PlusPlus, layout: usize, n: usize, d: usize) -> Array2<f64> {
    let side = (n as f64).powf(1.0 / d as f64) * rng.gen_range(0.1..1.5);
    let middles = Array2::from_shape_fn((5, d), |_| rng.gen_range(-side..=side));
    Array2::from_shape_fn((n, d), |(i, j)| match layout {
        0 => rng.gen_range(-side..=side),
        1 => middles[[i % 5, j]] + (rng.gen_range(-1.0..1.0_f64)).powi(3) * 2.0,
        2 => f64::from(rng.gen_range(-6..6)),
        3 => f64::from(rng.gen_range(-12..12)) * 0.5,
        4 => f64::from(rng.gen_range(0..9)) * 0.2 - 0.0,
        5 => {
            f64::from(rng.gen_range(0..60)) * 16_384.0 / 16_382.0 / 2.0
                + f64::from(rng.gen_range(-1..2)) * 1e-4
        }
        6 => 1e9 + f64::from(rng.gen_range(0..40)) / 8.0,
        7 => {
            if rng.gen_bool(0.5) {
                0.0
            } else {
                -0.0
            }
        }
        8 => rng.gen_range(-0.4..0.4) + f64::from(i as u32 % 7 % 2) * 1.1,
        _ => 1000.0 * f64::from(rng.gen_range(0..3)) + f64::from(rng.gen_range(0..5)) * 0.6,
    })
}

#[test]
fn the_grid_finds_what_the_tree_finds() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(14);
    let (mut clusters, mut borders, mut noise) = (0, 0, 0);
    for round in 0..2000 {
        let d = 1 + round % 3;
        let n = if round % 50 == 0 { 3000 } else { rng.gen_range(1..400) };
        let x = cloud(&mut rng, round / 3 % 10, n, d);
        let min_samples = [1, 2, 3, 5, 10, 17, 18, 40][rng.gen_range(0..8)];
        let found = if round % 2 == 0 {
            both_searches_agree(&x, 1.0, min_samples)
        } else {
            #[allow(clippy::cast_possible_truncation, reason = "any cloud will do")]
            both_searches_agree(&x.mapv(|x| x as f32), 1.0, min_samples)
        };
        clusters += found.n_clusters();
        borders += n - found.n_noise() - found.core_samples().len();
        noise += found.n_noise();
    }
    assert!(clusters > 2000 && borders > 10_000 && noise > 10_000, "{clusters}, {borders}, {noise}");
}

#[test]
fn any_radius_gives_the_labels_of_the_tree() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(15);
    for d in 1..=3 {
        for layout in [0, 1, 3] {
            let x = cloud(&mut rng, layout, 6000, d);
            for eps in [1e-3, 0.01, 0.1, 0.3, 0.5, 1.0, std::f64::consts::SQRT_2, 3.0, 10.0, 1e3, 1e100] {
                both_searches_agree(&x, eps, 6);
            }
        }
    }
}

#[test]
fn dense_crowds_a_little_more_than_the_radius_apart_stay_apart() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(16);
    for gap in [0.9999, 1.0, 1.0001] {
        // Two walls of many points in few cells.
        let x = Array2::from_shape_fn((6000, 3), |(i, j)| match j {
            0 => f64::from(i as u32 % 2) * gap,
            _ => rng.gen_range(0.0..1.0),
        });
        let found = both_searches_agree(&x, 1.0, 5);
        assert!(found.n_clusters() == 2 || gap <= 1.0);
    }
}

#[test]
fn a_grid_does_not_fit_points_too_far_apart_or_not_finite() {
    let far = |x: f64| Array2::from_shape_fn((50, 2), |(i, _)| if i == 7 { x } else { i as f64 });
    assert!(over_the_grid(far(1e4).view(), 1.0, 3).is_some());
    for x in [1e300, f64::MAX, f64::INFINITY, f64::NAN] {
        assert!(over_the_grid(far(x).view(), 1.0, 3).is_none());
    }
    assert!(over_the_grid(far(1.0).view(), 1e-12, 3).is_none());
    assert!(over_the_grid(Array2::<f64>::zeros((50, 4)).view(), 1.0, 3).is_none());
}

#[test]
fn every_number_of_threads_gives_the_same_answer() {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(17);
    // Enough points for several chunks of rows and many buckets.
    let x = cloud(&mut rng, 1, 150_000, 3).mapv(|x| x * 4.0);
    let of = |threads| par::with_threads(threads, || over_the_grid(x.view(), 1.0, 5));
    let expected = of(1);
    assert!(expected.is_some());
    for threads in [2, 3, 8] {
        assert!(of(threads) == expected);
    }
    assert!(
        expected
            == Some(tree_search::cluster::<Squares, _>(x.view(), 1.0, 5, None, &mut ()).unwrap().clusters())
    );
}
