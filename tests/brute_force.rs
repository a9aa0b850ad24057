//! The brute-force index under every metric against a plain loop over pairs, to the bit, ties at the radius included.

use std::ops::ControlFlow;
use std::sync::Mutex;

use sapwood::distance::*;
use sapwood::index::{BruteForce, Neighbour};
use sapwood::ndarray::{Array1, Array2, array, aview1, s};
use sapwood::{Error, Float, with_threads};

/// Numbers in [-1, 1) from a xorshift generator.
fn rows(n: usize, d: usize, seed: u64) -> Array2<f64> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    Array2::from_shape_fn((n, d), |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 11) as f64 / (1_u64 << 52) as f64 - 1.0
    })
}

fn is_the_plain_loop<F: Float, M: Metric<F>>(name: &str, x: &Array2<F>, metric: &M) {
    let n = x.nrows();
    let plain = Array2::from_shape_fn((n, n), |(i, j)| {
        if i == j && !M::SIMILARITY {
            return F::zero();
        }
        metric.distance(x.row(i).to_slice().unwrap(), x.row(j).to_slice().unwrap())
    });
    let index = BruteForce::new(x, metric).unwrap();
    assert_eq!((index.n_points(), index.n_features()), x.dim());
    // Radii that are distances themselves: a rounding decides about at least one pair.
    for radius in [plain[[0, n / 2]], plain[[n - 1, n / 3]]] {
        let near = |d: F| if M::SIMILARITY { d >= radius } else { d <= radius };
        let counts: Vec<usize> =
            plain.outer_iter().map(|row| row.iter().filter(|&&d| near(d)).count()).collect();
        for (limit, threads) in [(0, 1), (1, 1), (5, 3), (usize::MAX, 1)] {
            let expected: Vec<usize> = counts.iter().map(|&count| count.min(limit)).collect();
            let got = with_threads(threads, || index.counts_within(radius, limit).unwrap());
            assert_eq!(got, expected, "{name} radius {radius} limit {limit}");
        }

        let pairs = Mutex::new(Vec::new());
        index.visit_pairs(radius, |_, _| true, |i, j| pairs.lock().unwrap().push((i, j))).unwrap();
        let mut pairs = pairs.into_inner().unwrap();
        pairs.sort_unstable();
        let expected: Vec<(usize, usize)> = plain
            .indexed_iter()
            .filter(|&((i, j), &d)| i != j && (i < j || !M::SYMMETRIC) && near(d))
            .map(|(pair, _)| pair)
            .collect();
        assert_eq!(pairs, expected, "{name} radius {radius}");

        for i in [0, n - 1] {
            let query = x.row(i);
            let distances = Array1::from_shape_fn(n, |j| {
                metric.distance(query.to_slice().unwrap(), x.row(j).to_slice().unwrap())
            });
            let mut all: Vec<Neighbour> = distances
                .iter()
                .enumerate()
                .map(|(row, d)| Neighbour { row, distance: d.as_f64() })
                .collect();
            let sign = if M::SIMILARITY { -1.0 } else { 1.0 };
            all.sort_by(|a, b| (sign * a.distance).total_cmp(&(sign * b.distance)).then(a.row.cmp(&b.row)));
            for k in [1, 7.min(n), n, n + 1] {
                assert_eq!(index.nearest(query, k).unwrap(), all[..k.min(n)], "{name}");
            }
            all.retain(|neighbour| near(distances[neighbour.row]));
            assert_eq!(index.within(query, radius).unwrap(), all, "{name}");
            for limit in [0, 3, usize::MAX] {
                assert_eq!(index.count_within(query, radius, limit).unwrap(), all.len().min(limit), "{name}");
            }
        }
    }
}

fn every_metric_is_its_plain_loop<F: Float>(x: &Array2<F>) {
    let shares = x.map(|v| v.abs() + F::cast(0.01));
    let sets = x.map(|&v| if v > F::zero() { F::one() } else { F::zero() });
    is_the_plain_loop("cosine", x, &Cosine);
    is_the_plain_loop("cosine_similarity", x, &CosineSimilarity);
    is_the_plain_loop("angular", x, &Angular);
    is_the_plain_loop("correlation", x, &Correlation);
    is_the_plain_loop("dot", x, &Dot);
    is_the_plain_loop("euclidean", x, &Euclidean);
    is_the_plain_loop("squared_euclidean", x, &SquaredEuclidean);
    is_the_plain_loop("manhattan", x, &Manhattan);
    is_the_plain_loop("chebyshev", x, &Chebyshev);
    is_the_plain_loop("minkowski_3", x, &Minkowski { p: F::cast(3) });
    is_the_plain_loop("minkowski_1.5", x, &Minkowski { p: F::cast(1.5) });
    is_the_plain_loop("canberra", x, &Canberra);
    is_the_plain_loop("bray_curtis", &shares, &BrayCurtis);
    is_the_plain_loop("hamming", &sets, &Hamming);
    is_the_plain_loop("jaccard", &sets, &Jaccard);
    is_the_plain_loop("hellinger", &shares, &Hellinger);
    is_the_plain_loop("jensen_shannon", &shares, &JensenShannon);
    is_the_plain_loop("kullback_leibler", &shares, &KullbackLeibler);
    if x.ncols() == 2 {
        is_the_plain_loop("haversine", x, &Haversine);
    }
    let weights = Array1::from_iter((0..x.ncols()).map(|k| F::cast(k % 3)));
    is_the_plain_loop("weighted", x, &WeightedMinkowski::new(F::cast(3), weights).unwrap());
    if x.ncols() < 30 {
        let covariance = Array2::from_diag(&Array1::from_iter((0..x.ncols()).map(|k| F::cast(1 + k % 3))));
        is_the_plain_loop("mahalanobis", x, &Mahalanobis::new(&covariance).unwrap());
    }
}

#[test]
fn neighbours_of_random_points_are_those_of_a_plain_loop() {
    // More than one tile of rows, and a last one that is not full.
    for (n, d) in [(1, 3), (TILE + 5, 2), (100, 17), (40, 150)] {
        let x = rows(n, d, 1);
        every_metric_is_its_plain_loop(&x);
        every_metric_is_its_plain_loop(&x.mapv(|v| v as f32));
    }
}

/// On a lattice most distances are equal to others, and many rows to others.
#[test]
fn neighbours_at_a_tie_are_those_of_a_plain_loop() {
    for d in [2, 20] {
        let lattice = Array2::from_shape_fn((TILE + 5, d), |(i, k)| {
            0.1 * f64::from(u8::from((i % 32) >> (k % 5) & 1 == 1))
        });
        every_metric_is_its_plain_loop(&lattice);
        every_metric_is_its_plain_loop(&lattice.mapv(|v| v as f32));
    }
}

#[test]
fn blocks_that_are_not_wanted_are_passed_over() {
    let x = Array2::<f32>::zeros((3 * TILE + 1, 4));
    let index = BruteForce::new(&x, Euclidean).unwrap();
    let pairs = Mutex::new(0);
    let wanted = |i: std::ops::Range<usize>, j: std::ops::Range<usize>| {
        assert!(i.start <= j.start && i.end <= x.nrows() && j.end <= x.nrows());
        i.start == TILE && j.end == x.nrows()
    };
    index.visit_pairs(0.0, wanted, |_, _| *pairs.lock().unwrap() += 1).unwrap();
    assert_eq!(pairs.into_inner().unwrap(), TILE);
}

#[test]
fn views_of_any_layout_are_indexed() {
    let x = rows(100, 6, 4);
    let expected = BruteForce::new(&x, Cosine).unwrap().counts_within(0.4, 30).unwrap();
    let turned = x.t().as_standard_layout().to_owned();
    assert_eq!(BruteForce::new(&turned.t(), Cosine).unwrap().counts_within(0.4, 30).unwrap(), expected);
    let backwards = x.slice(s![..;-1, ..;-1]).to_owned();
    let view = backwards.slice(s![..;-1, ..;-1]);
    assert_eq!(BruteForce::new(&view, Cosine).unwrap().counts_within(0.4, 30).unwrap(), expected);
    let row = array![1.0, 2.0];
    let equal = row.broadcast((500, 2)).unwrap();
    let index = BruteForce::new(&equal, Cosine).unwrap();
    assert_eq!(index.counts_within(0.0, usize::MAX).unwrap(), [500; 500]);
}

#[test]
fn what_cannot_be_searched_is_a_named_error() {
    fn message<T>(result: sapwood::Result<T>) -> String {
        result.err().expect("refused").to_string()
    }
    let empty = Array2::<f64>::zeros((0, 3));
    let expected = "`records` must have at least one row and one column, got 0 x 3";
    assert_eq!(message(BruteForce::new(&empty, Cosine)), expected);
    assert!(BruteForce::new(&Array2::<f64>::zeros((3, 0)), Cosine).is_err());
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let x = array![[0.0], [bad]];
        assert!(matches!(BruteForce::new(&x, Cosine), Err(Error::NonFinite { row: 1, .. })));
        let x = array![[0.0], [1.0]];
        let index = BruteForce::new(&x, Euclidean).unwrap();
        assert_eq!(message(index.within(aview1(&[bad]), 1.0)), format!("`query` must be finite, got {bad}"));
    }
    let x = array![[0.5, 0.5], [1.0, 0.0]];
    let index = BruteForce::new(&x, Hellinger).unwrap();
    assert_eq!(
        message(index.nearest(aview1(&[1.0]), 1)),
        "`query` must have 2 entries, as the indexed rows, got 1"
    );
    assert_eq!(message(index.nearest(aview1(&[1.0, 1.0]), 0)), "`k` must be at least 1, got 0");
    assert!(index.nearest(aview1(&[1.0, -1.0]), 1).is_err(), "no distribution");
    assert!(BruteForce::new(&x, Minkowski { p: 0.5 }).is_err());
    let nan = "`radius` must be a number, got NaN";
    assert_eq!(message(index.within(x.row(0), f64::NAN)), nan);
    assert_eq!(message(index.counts_within(f64::NAN, 3)), nan);
    assert_eq!(message(index.visit_pairs(f64::NAN, |_, _| true, |_, _| ())), nan);
    assert_eq!(index.counts_within(-1.0, 3).unwrap(), [0, 0], "not even itself is so near");
    assert_eq!(index.counts_within(f64::INFINITY, 3).unwrap(), [2, 2]);
    let mut seen = 0;
    index
        .visit_within(x.row(0), 2.0, |_| {
            seen += 1;
            ControlFlow::Break(())
        })
        .unwrap();
    assert_eq!(seen, 1);
}
