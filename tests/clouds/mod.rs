//! Point sets on which neighbour search goes wrong, and the distance that it is held against.

#[path = "../cases/mod.rs"]
mod cases;

pub(crate) use cases::for_all;
use proptest::prelude::*;
use rand::{Rng, SeedableRng, seq::SliceRandom};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::{Float, ndarray::Array2};

/// `sum_k (a_k - b_k)^2`, summed in f64 in the order of the columns.
pub(crate) fn sq_distance(a: &[f64], b: &[f64]) -> f64 {
    let mut sum = 0.0;
    for k in 0..a.len() {
        sum += (a[k] - b[k]) * (a[k] - b[k]);
    }
    sum
}

/// The recipe of a point set: small to print, and it shrinks by its numbers.
#[derive(Debug, Clone)]
pub(crate) struct Cloud {
    pub(crate) shape: Shape,
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) seed: u64,
    pub(crate) offset: f64,
    pub(crate) scale: f64,
    pub(crate) outlier: Option<f64>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Shape {
    /// Uniform in the unit cube.
    Uniform,
    /// Balls of several sizes in random order.
    Blobs,
    /// Random points of an integer lattice: exact ties and repeats.
    Lattice { side: i32 },
    /// The lattice with every zero's sign random.
    SignedZeros,
    /// A few sites, each many times.
    Repeats { sites: usize },
    /// All columns but one are constant.
    Line,
    /// A walk of small steps, in walk order.
    Walk,
}

impl Cloud {
    /// The points in `F`: `offset + scale * k`, rounded once, never infinite.
    pub(crate) fn points<F: Float>(&self) -> Array2<F> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(self.seed);
        let mut points = self.shape.points(self.rows, self.columns, &mut rng);
        points.mapv_inplace(|k| match (k == 0.0, self.offset == 0.0) {
            (true, true) => k, // keeps the sign of a zero
            _ => self.offset + self.scale * k,
        });
        if let (Some(far), true) = (self.outlier, self.rows > 0) {
            points[[rng.gen_range(0..self.rows), rng.gen_range(0..self.columns)]] = far;
        }
        let largest = F::max_value().as_f64();
        points.mapv(|x| F::cast(x.clamp(-largest, largest)))
    }
}

impl Shape {
    fn points(self, n: usize, d: usize, rng: &mut Xoshiro256PlusPlus) -> Array2<f64> {
        let uniform =
            |n, rng: &mut Xoshiro256PlusPlus| Array2::from_shape_simple_fn((n, d), || rng.r#gen::<f64>());
        let integers = |n, side: i32, rng: &mut Xoshiro256PlusPlus| {
            Array2::from_shape_simple_fn((n, d), || f64::from(rng.gen_range(-side..=side)))
        };
        match self {
            Self::Uniform => uniform(n, rng),
            Self::Blobs => {
                let centres = uniform(6, rng) * 10.0;
                let mut points = uniform(n, rng) - 0.5;
                for mut point in points.rows_mut() {
                    let blob = rng.gen_range(0..6_u8);
                    point *= f64::from(blob) * 0.5 + 0.5;
                    point += &centres.row(usize::from(blob));
                }
                points
            }
            Self::Lattice { side } => integers(n, side, rng),
            Self::SignedZeros => integers(n, 1, rng).mapv(|k| if rng.r#gen() && k == 0.0 { -0.0 } else { k }),
            Self::Repeats { sites } => {
                let sites = integers(sites, 3, rng);
                let rows: Vec<usize> = (0..n).map(|_| rng.gen_range(0..sites.nrows())).collect();
                sites.select(sapwood::ndarray::Axis(0), &rows)
            }
            Self::Line => {
                let mut points = Array2::from_elem((n, d), 2.0);
                let column = rng.gen_range(0..d);
                points.column_mut(column).mapv_inplace(|_| f64::from(rng.gen_range(0..=200)));
                points
            }
            Self::Walk => {
                let mut points = uniform(n, rng) - 0.5;
                for row in 1..n {
                    let last = points.row(row - 1).to_owned();
                    let mut point = points.row_mut(row);
                    point += &last;
                }
                points
            }
        }
    }
}

/// Clouds of up to `rows` points.
pub(crate) fn cloud(rows: usize) -> impl Strategy<Value = Cloud> {
    let shape = prop_oneof![
        2 => Just(Shape::Uniform),
        3 => Just(Shape::Blobs),
        3 => (1..4).prop_map(|side| Shape::Lattice { side }),
        1 => (5..30).prop_map(|side| Shape::Lattice { side }),
        1 => Just(Shape::SignedZeros),
        1 => (1_usize..40).prop_map(|sites| Shape::Repeats { sites }),
        1 => Just(Shape::Line),
        1 => Just(Shape::Walk),
    ];
    let rows = prop_oneof![1 => 1..=8.min(rows), 6 => 1..=(rows / 4).max(1), 3 => 1..=rows];
    let columns = prop_oneof![12 => 1_usize..=8, 1 => Just(20), 1 => 9_usize..=19];
    let offset = prop_oneof![6 => Just(0.0), 1 => Just(1.0), 1 => Just(1e6), 1 => Just(1e9), 1 => Just(-1e9)];
    let scale = prop_oneof![
        8 => Just(1.0),
        1 => Just(0.1),
        1 => Just(1e-3),
        1 => Just(1e30),
        1 => Just(1e-30),
        1 => Just(1e150),
        1 => Just(1e300),
        1 => Just(1e-300),
        1 => Just(1e-160),
        1 => Just(5e-324),
    ];
    let outlier = prop_oneof![8 => Just(None), 1 => Just(Some(1e7)), 1 => Just(Some(-1e300))];
    (shape, rows, columns, any::<u64>(), offset, scale, outlier).prop_map(
        |(shape, rows, columns, seed, offset, scale, outlier)| Cloud {
            shape,
            rows,
            columns,
            seed,
            offset,
            scale,
            outlier,
        },
    )
}

/// How a radius is chosen from the distances of a point to all others, so that ties are met and missed by one bit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Radius {
    row: usize,
    rank: usize,
    nudge: Nudge,
}

#[derive(Debug, Clone, Copy)]
enum Nudge {
    Exact,
    OneBitLess,
    OneBitMore,
    Times(f64),
}

impl Radius {
    /// A radius greater than 0 whose square neither overflows nor underflows.
    pub(crate) fn choose(&self, points: &[Vec<f64>]) -> f64 {
        self.choose_by(points, |from, to| sq_distance(from, to).sqrt())
    }

    /// The same for another distance.
    pub(crate) fn choose_by(&self, points: &[Vec<f64>], distance: impl Fn(&[f64], &[f64]) -> f64) -> f64 {
        let from = &points[self.row % points.len()];
        let mut distances: Vec<f64> = points.iter().map(|to| distance(from, to)).collect();
        distances.sort_by(f64::total_cmp);
        let radius = distances[self.rank.min(distances.len() - 1)];
        let radius = match self.nudge {
            Nudge::Exact => radius,
            Nudge::OneBitLess => radius.next_down(),
            Nudge::OneBitMore => radius.next_up(),
            Nudge::Times(factor) => radius * factor,
        };
        if (radius * radius).is_normal() { radius } else { 1.0 }
    }
}

/// Radii that hold a handful of points.
pub(crate) fn radius() -> impl Strategy<Value = Radius> {
    let nudge = prop_oneof![
        5 => Just(Nudge::Exact),
        1 => Just(Nudge::OneBitLess),
        1 => Just(Nudge::OneBitMore),
        2 => (0.3..3.0).prop_map(Nudge::Times),
    ];
    let rank = prop_oneof![8 => 1_usize..=16, 1 => 0_usize..=400];
    (any::<usize>(), rank, nudge).prop_map(|(row, rank, nudge)| Radius { row, rank, nudge })
}

/// The rows of `x` in f64.
pub(crate) fn widen<F: Float>(x: &Array2<F>) -> Vec<Vec<f64>> {
    x.rows().into_iter().map(|row| row.iter().map(|v| v.as_f64()).collect()).collect()
}

/// A permutation of `0..n`.
pub(crate) fn permutation(n: usize, seed: u64) -> Vec<usize> {
    let mut rows: Vec<usize> = (0..n).collect();
    rows.shuffle(&mut Xoshiro256PlusPlus::seed_from_u64(seed));
    rows
}
