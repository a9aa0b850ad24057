//! DBSCAN on clouds that are made to go wrong: the clusters that their making says, in memory linear in the points.
//!
//! `cargo test --release --test adversarial -- --ignored --nocapture` prints how long each takes, and twice as many points; no test asserts a time.
#![allow(clippy::print_stdout, reason = "the figures are worth reading")]

mod memory;

use std::time::Instant;

use memory::peak_of;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, Axis};
use sapwood::{Dbscan, Float, with_threads};

/// A cloud and what is known of it beforehand.
struct Case {
    name: &'static str,
    points: Array2<f64>,
    eps: f64,
    min_samples: usize,
    clusters: usize,
    noise: usize,
}

/// Every kind of about `n` points.
fn cases(n: usize) -> Vec<Case> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
    let case = |name, points, eps, min_samples, clusters, noise| Case {
        name,
        points,
        eps,
        min_samples,
        clusters,
        noise,
    };
    let side = (n as f64).cbrt() as usize;
    let lattice = Array2::from_shape_fn((side * side * side, 3), |(i, j)| {
        (i / [side * side, side, 1][j] % side) as f64
    });
    let mut ball = Array2::from_shape_simple_fn((n, 3), || rng.gen_range(-0.25..0.25));
    let mut shared = Array2::from_shape_simple_fn((n, 2), || rng.gen_range(0.0..1.0));
    shared.column_mut(0).iter_mut().step_by(2).for_each(|x| *x = 0.5);
    let numbers = Array2::from_shape_fn((n, 1), |(i, _)| (i * 7919 % n) as f64);
    let far = |ball: &mut Array2<f64>| {
        ball[[n / 2, 1]] = 1e18;
        ball.clone()
    };
    // A path to and fro, each step exactly eps, the rows of the path two eps apart; its points in random order.
    let turn = (n as f64).sqrt() as usize;
    let mut order: Vec<usize> = (0..n).collect();
    order.shuffle(&mut rng);
    let snake = Array2::from_shape_fn((n, 2), |(i, j)| {
        let (row, at) = (i / (turn + 1), i % (turn + 1));
        let x = at.min(turn - 1);
        let x = if row % 2 == 0 { x } else { turn - 1 - x };
        if j == 0 { x as f64 } else { (2 * row + usize::from(at == turn)) as f64 }
    });
    // Every point of the middle is a hair too far from every point of the ring.
    let ring = Array2::from_shape_fn((n, 2), |(i, j)| {
        let angle = i as f64 / n as f64 * std::f64::consts::TAU * 2.0;
        let length = if i % 2 == 0 { 1e-9 } else { 1.000_001 };
        length * if j == 0 { angle.cos() } else { angle.sin() }
    });
    // Twice as far each time, from one end of the numbers to the other, then all over again.
    let exponential = Array2::from_shape_fn((n, 2), |(i, j)| {
        let octave = (i % 1000) as f64 - 500.0;
        if j == 0 { octave.exp2() } else { 0.0 }
    });
    // Spread evenly along a spiral from pole to pole.
    let sphere = Array2::from_shape_fn((n, 3), |(i, j)| {
        let (z, angle) = (1.0 - (2 * i + 1) as f64 / n as f64, i as f64 * 2.399_963_229_728_653);
        let around = (1.0 - z * z).sqrt();
        10.0 * [around * angle.cos(), around * angle.sin(), z][j]
    });
    // Half of the points in a thousandth of eps, each of the others ten of them away from all.
    let two_scales = Array2::from_shape_fn((n, 2), |(i, j)| match (i % 2, j) {
        (0, _) => rng.gen_range(0.0..1e-3),
        (_, 0) => 10.0 * (1 + i % turn) as f64,
        _ => 10.0 * (1 + i / turn) as f64,
    });
    let plates = Array2::from_shape_fn((n, 3), |(i, j)| match j {
        0 => (i % 2) as f64 * 1.000_001,
        _ => rng.gen_range(0.0..1.0),
    });
    let clumps = Array2::from_shape_fn((n, 16), |(i, _)| 100.0 * (i % 20) as f64 + rng.gen_range(-0.5..0.5));
    let apart = Array2::from_shape_simple_fn((n / 20, 16), || rng.gen_range(0.0..1.0));
    vec![
        case("all equal", Array2::from_elem((n, 3), 0.5), 1e-3, 10, 1, 0),
        case("all equal, all needed", Array2::from_elem((n, 3), 0.5), 1e-3, n, 1, 0),
        case("all equal, too few", Array2::from_elem((n, 3), 0.5), 1e-3, n + 1, 0, n),
        case("all in one ball", ball.clone(), 1.0, 10, 1, 0),
        case("all in one ball, all needed", ball.clone(), 1.0, n, 1, 0),
        case("one point at 1e18", far(&mut ball), 1.0, 10, 1, 1),
        case("lattice", lattice.clone(), 1.0, 4, 1, 0),
        case("lattice, a hair too small", lattice, 1.0_f64.next_down(), 2, 0, side * side * side),
        case(
            "line",
            Array2::from_shape_fn((n, 3), |(i, j)| if j == 1 { i as f64 } else { 2.0 }),
            1.0,
            2,
            1,
            0,
        ),
        case("one column", numbers, 1.0, 3, 1, 0),
        case("half share a coordinate", shared, 1.5, 5, 1, 0),
        case("exponential spacing", exponential, 1e-3, 5, n.min(1000) - 491, 0),
        case("snake", snake.select(Axis(0), &order), 1.0, 2, 1, 0),
        case("ring about a point", ring, 1.0, 10, 2, 0),
        case("sphere", sphere, 1.0, 5, 1, 0),
        case("two scales", two_scales, 1.0, 10, 1, n / 2),
        case("two plates, a hair too far", plates.clone(), 1.0, 10, 2, 0),
        case("two plates, most needed", plates, 1.0, n / 4, 2, 0),
        case("clumps in 16 columns", clumps, 4.0, 10, 20, 0),
        case("noise in 16 columns, a twentieth", apart, 0.1, 10, 0, n / 20),
    ]
}

fn fit<F: Float>(case: &Case, points: &Array2<F>) -> Dbscan<F> {
    let data = DatasetBase::from(points.view());
    Dbscan::params(case.min_samples).eps(case.eps).fit(&data).expect(case.name)
}

#[test]
fn adversarial_clouds_get_their_clusters_in_linear_memory() {
    let n = if cfg!(debug_assertions) { 5_000 } else { 200_000 };
    for case in cases(n) {
        let (model, bytes) = with_threads(1, || peak_of(|| fit(&case, &case.points)));
        assert_eq!((model.n_clusters(), model.n_noise()), (case.clusters, case.noise), "{}", case.name);
        let each = bytes as f64 / case.points.nrows() as f64;
        println!("{each:6.1} bytes a point: {}", case.name);
        // Of every further column, the tree has a copy and the model has the core points.
        let most = 120.0 + 16.0 * case.points.ncols().saturating_sub(3) as f64;
        assert!(each <= most, "{}: {each} bytes a point", case.name);
    }
}

#[test]
#[ignore = "a table to read"]
fn how_long_adversarial_clouds_take() {
    let sizes = [100_000, 200_000];
    println!("| cloud | f64, {} points, ms | {}, ms | ratio | f32, ms | ms | ratio |", sizes[0], sizes[1]);
    println!("|---|--:|--:|--:|--:|--:|--:|");
    let all = sizes.map(cases);
    for (smaller, larger) in all[0].iter().zip(&all[1]) {
        let wide = [smaller, larger].map(|case| milliseconds(case, &case.points));
        let narrow = [smaller, larger].map(|case| {
            let largest = f64::from(f32::MAX);
            #[allow(clippy::cast_possible_truncation, reason = "the nearest is meant")]
            milliseconds(case, &case.points.mapv(|x| x.clamp(-largest, largest) as f32))
        });
        let cells = [wide, narrow].map(|[one, two]| format!("{one:.2} | {two:.2} | {:.2}", two / one));
        println!("| {} | {} | {} |", smaller.name, cells[0], cells[1]);
    }
}

/// The best of three fits on one thread.
fn milliseconds<F: Float>(case: &Case, points: &Array2<F>) -> f64 {
    let times = [0; 3].map(|_| {
        let begin = Instant::now();
        let model = with_threads(1, || fit(case, points));
        std::hint::black_box(model);
        begin.elapsed().as_secs_f64() * 1e3
    });
    times.into_iter().fold(f64::INFINITY, f64::min)
}
