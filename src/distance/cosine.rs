//! Distances that look at directions: cosine, angle, correlation, and the inner product itself.

use std::f64::consts::{FRAC_PI_2, PI};
use std::ops::Range;

use ndarray::ArrayView2;

use super::metric::{Metric, Rows, TILE, TileError, sum_error, tile_by_pairs};
use super::radius::{columns_at_most, each_column};
use crate::float::Float;
use crate::kernel::{
    self, AsItIs, Block, Finish, HalfSquare, OneMinus, Product, Similarity, SquaredDifferenceInParts,
};

/// Cosine distance `1 - a.b / (|a| |b|)`, in [0, 2].
///
/// Small distances keep their digits: `1 - s` loses them where `s` is close to 1, so half the squared difference of the two unit
/// vectors takes over there. Equal points have distance exactly 0. Lengths may overflow or underflow: points are scaled first.
/// A zero vector has no direction; its distance to every point is 1, as in scikit-learn, and 0 to itself in
/// [`pairwise`](super::pairwise). Not a metric in the strict sense: the triangle inequality holds for [`Angular`].
///
/// # Example
/// ```
/// use sapwood::distance::{Cosine, Metric};
///
/// assert_eq!(Cosine.distance(&[1.0, 0.0], &[0.0, 2.0]), 1.0);
/// assert_eq!(Cosine.distance(&[1.0, 2.0], &[-2.0, -4.0]), 2.0);
/// let near: f64 = Cosine.distance(&[1.0, 0.0], &[1.0, 1e-9]);
/// assert!((near - 0.5e-18).abs() < 1e-30);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Cosine;

/// Cosine similarity `a.b / (|a| |b|)`, in [-1, 1].
///
/// Equal points have similarity exactly 1, a zero vector has similarity 0 to every point and to itself, as in scikit-learn.
///
/// # Example
/// ```
/// use sapwood::{distance::{self, CosineSimilarity}, ndarray::array};
///
/// let x = array![[1.0, 0.0], [0.0, 3.0], [0.0, 0.0]];
/// let similarity = distance::pairwise(&x, CosineSimilarity)?;
/// assert_eq!(similarity, array![[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct CosineSimilarity;

/// Angle between two points, in radians, in [0, pi]: the metric on directions.
///
/// Computed as `2 asin(|u - v| / 2)` of the unit vectors for small angles, so that these keep their digits. A zero vector stands at a
/// right angle to everything.
///
/// # Example
/// ```
/// use sapwood::distance::{Angular, Metric};
///
/// assert_eq!(Angular.distance(&[1.0, 0.0], &[0.0, 2.0]), std::f64::consts::FRAC_PI_2);
/// assert_eq!(Angular.distance(&[1.0, 0.0], &[1.0, 1e-12]), 1e-12);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Angular;

/// Correlation distance, in [0, 2]: the cosine distance of the points after each lost its own mean.
///
/// A point whose components are all equal is a zero vector then: its distance is 1 (SciPy: NaN).
///
/// # Example
/// ```
/// use sapwood::distance::{Correlation, Metric};
///
/// let d = Correlation.distance(&[1.0, 2.0, 3.0], &[7.0, 8.0, 9.0]);
/// assert!(d < 1e-30);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Correlation;

/// Inner product `a.b`, a similarity.
///
/// # Example
/// ```
/// use sapwood::distance::{Dot, Metric};
///
/// assert_eq!(Dot.distance(&[1.0, 2.0], &[3.0, 4.0]), 11.0);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Dot;

/// Two directions as near as this have their distance taken from the difference of their unit vectors: above it, `1 - s` has lost
/// at most a quarter of its digits.
fn near<F: Float>() -> F {
    F::epsilon().sqrt().sqrt()
}

/// Squared lengths between these bounds, and the product of two of them, lost nothing to overflow or underflow.
fn safe<F: Float>() -> Range<f64> {
    let squares_count = F::min_positive_value().as_f64() / F::epsilon().as_f64().powi(2);
    squares_count.max(1e-140)..F::max_value().as_f64().sqrt()
}

/// What two points have to do with each other in terms of direction.
pub(super) enum Direction {
    /// At least one has none.
    None,
    /// The cosine, not close to 1 or -1.
    Cosine(f64),
    /// `1 - cosine`, close to 0.
    Near(f64),
    /// `1 + cosine`, close to 0.
    Opposite(f64),
}

/// A point in f64, scaled by a power of two so that its largest component is about 1, and one over its length then.
struct Unit<'a> {
    point: &'a [f64],
    per_length: f64,
}

impl<'a> Unit<'a> {
    /// `None` for a zero vector. With `centred`, the mean of the components is taken off first. The components are put into `room`.
    fn new<F: Float>(room: &'a mut Vec<f64>, point: &[F], centred: bool) -> Option<Self> {
        room.clear();
        room.extend(point.iter().map(|&v| v.as_f64()));
        let point = room.as_mut_slice();
        if centred && point.iter().all(|&v| v == point[0]) {
            return None;
        }
        scale(point)?;
        if centred {
            centre(point);
            scale(point)?;
        }
        let per_length = 1.0 / kernel::fold(Product, point, point).sqrt();
        Some(Self { point, per_length })
    }
}

/// Takes off the mean, in a second pass what the rounding of the first left.
fn centre(point: &mut [f64]) {
    for _ in 0..2 {
        let mean = point.iter().sum::<f64>() / point.len() as f64;
        point.iter_mut().for_each(|v| *v -= mean);
    }
}

/// Multiplies by the power of two that brings the largest component to [1, 2); `None` when all are 0.
fn scale(point: &mut [f64]) -> Option<()> {
    let largest = point.iter().fold(0.0_f64, |max, v| max.max(v.abs()));
    if largest == 0.0 || !largest.is_finite() {
        return None;
    }
    // The exponent's bits; of a number below the normal ones, the place of its first bit.
    let exponent = match (largest.to_bits() >> 52) as i32 {
        0 => -1011 - largest.to_bits().leading_zeros() as i32,
        biased => biased - 1023,
    };
    // In two steps, since the power itself may be out of range: 2^1074 for the smallest number.
    let power = |exponent: i32| f64::from_bits(((1023 + exponent) as u64) << 52);
    let (half, rest) = (power(-(exponent / 2)), power(exponent / 2 - exponent));
    for v in point {
        *v = *v * half * rest;
    }
    Some(())
}

/// In f64 and from the points themselves, without loss anywhere.
fn exact_direction<F: Float>(a: &[F], b: &[F], centred: bool, rooms: &mut [Vec<f64>; 2]) -> Direction {
    let [room_a, room_b] = rooms;
    let (Some(a), Some(b)) = (Unit::new(room_a, a, centred), Unit::new(room_b, b, centred)) else {
        return Direction::None;
    };
    let cosine = kernel::fold(Product, a.point, b.point) * (a.per_length * b.per_length);
    let half_chord =
        |sign: f64| 0.5 * kernel::squared_chord(a.point, a.per_length, b.point, sign * b.per_length);
    if cosine > 0.9 {
        Direction::Near(half_chord(1.0))
    } else if cosine < -0.9 {
        Direction::Opposite(half_chord(-1.0))
    } else {
        Direction::Cosine(cosine)
    }
}

/// The same, in one pass of plain sums where these lose nothing.
fn direction<F: Float>(a: &[F], b: &[F]) -> Direction {
    direction_of(kernel::gram(a, b), a, b)
}

/// `of_direction` of one point and each of the rows.
fn directions<F: Float>(query: &[F], rows: &[F], out: &mut [F], of_direction: impl Fn(Direction) -> f64) {
    let mut grams = vec![[F::zero(); 2]; out.len()];
    let aa = kernel::gram_rows(query, rows, &mut grams);
    for ((out, [ab, bb]), row) in out.iter_mut().zip(grams).zip(rows.chunks_exact(query.len())) {
        *out = F::cast(of_direction(direction_of([aa, ab, bb], query, row)));
    }
}

/// From `a.a`, `a.b` and `b.b` as summed in `F`, or from the points where these are near the ends of something.
fn direction_of<F: Float>(gram: [F; 3], a: &[F], b: &[F]) -> Direction {
    let [aa, ab, bb] = gram.map(F::as_f64);
    if let Some(direction) = Direction::of_products::<F>(aa, ab, bb) {
        return direction;
    }
    if !kernel::all_finite(a) || !kernel::all_finite(b) {
        return Direction::Cosine(f64::NAN);
    }
    wide_direction::<F, false>(a, b).unwrap_or_else(|| exact_direction(a, b, false, &mut Default::default()))
}

/// The same for points of which a tile has shown that they are nearly parallel: in f32, sums in f64 then come first.
fn near_direction<F: Float>(a: &[F], b: &[F]) -> Direction {
    wide_direction::<F, false>(a, b).unwrap_or_else(|| direction(a, b))
}

/// From sums in f64 of points in f32: down to [`WIDE`], `1 - cosine` has more digits than an f32 holds.
fn wide_direction<F: Float, const CENTRED: bool>(a: &[F], b: &[F]) -> Option<Direction> {
    if F::epsilon().as_f64() <= f64::EPSILON {
        return None;
    }
    let n = a.len() as f64;
    let mean = |x: &[F]| if CENTRED { x.iter().map(|v| v.as_f64()).sum::<f64>() / n } else { 0.0 };
    let (mean_a, mean_b) = (mean(a), mean(b));
    let pair = |(a, b): (&F, &F)| (a.as_f64() - mean_a, b.as_f64() - mean_b);
    // Four sums side by side.
    let mut sums = [[0.0; 4]; 3];
    let (fours_a, fours_b) = (a.chunks_exact(4), b.chunks_exact(4));
    let (rest_a, rest_b) = (fours_a.remainder(), fours_b.remainder());
    for (a, b) in fours_a.zip(fours_b) {
        for (l, (a, b)) in a.iter().zip(b).map(pair).enumerate() {
            sums[0][l] += a * a;
            sums[1][l] += a * b;
            sums[2][l] += b * b;
        }
    }
    let [mut aa, mut ab, mut bb] = sums.map(|[p, q, r, s]| (p + r) + (q + s));
    for (a, b) in rest_a.iter().zip(rest_b).map(pair) {
        (aa, ab, bb) = (aa + a * a, ab + a * b, bb + b * b);
    }
    let cosine = ab / (aa * bb).sqrt();
    // Out of reach: 0 / 0 of a zero vector, what the sums of the smallest and largest numbers lose, and what a mean takes away that is large beside the rest.
    let keeps = |squared: f64, mean: f64| squared > 1e-60 && squared > 1e-6 * n * mean * mean;
    (keeps(aa, mean_a) && keeps(bb, mean_b) && cosine.abs() < 1.0 - WIDE).then_some(Direction::Cosine(cosine))
}

/// Thousands of roundings of f64 are far below this share of an f32's last place.
const WIDE: f64 = 1e-5;

impl Direction {
    /// From `a.a`, `a.b` and `b.b` as summed in `F`, where these lose nothing.
    pub(super) fn of_products<F: Float>(aa: f64, ab: f64, bb: f64) -> Option<Self> {
        if !safe::<F>().contains(&aa) || !safe::<F>().contains(&bb) {
            return None;
        }
        let cosine = ab / (aa * bb).sqrt();
        (cosine.abs() < 1.0 - near::<F>().as_f64()).then_some(Self::Cosine(cosine))
    }

    pub(super) fn distance(self) -> f64 {
        match self {
            Self::None => 1.0,
            Self::Cosine(cosine) => 1.0 - cosine,
            Self::Near(distance) => distance,
            Self::Opposite(rest) => 2.0 - rest,
        }
    }

    pub(super) fn similarity(self) -> f64 {
        match self {
            Self::None => 0.0,
            Self::Cosine(cosine) => cosine,
            Self::Near(distance) => 1.0 - distance,
            Self::Opposite(rest) => rest - 1.0,
        }
    }

    pub(super) fn angle(self) -> f64 {
        // |u - v| = 2 sin(angle / 2), and half its square is the distance.
        match self {
            Self::None => FRAC_PI_2,
            Self::Cosine(cosine) => cosine.acos(),
            Self::Near(distance) => 2.0 * (0.5 * distance).sqrt().asin(),
            Self::Opposite(rest) => PI - 2.0 * (0.5 * rest).sqrt().asin(),
        }
    }
}

/// Rows at length 1 (zeros stay zeros), each without its mean if `centred`; the number beside is 0, and NaN for a row that is not finite.
fn unit_rows<F: Float>(x: ArrayView2<'_, F>, centred: bool) -> Rows<'_, F> {
    let dim = x.ncols();
    Rows::with_panels(x, dim, |row, unit| {
        kernel::expect_more(row);
        let squared = kernel::fold(Product, row, row).as_f64();
        let is_safe = safe::<F>().contains(&squared);
        if !centred && is_safe {
            let per_length = F::cast(1.0 / squared.sqrt());
            unit.iter_mut().zip(row).for_each(|(unit, &v)| *unit = v * per_length);
        } else if let Some(exact) = Unit::new(&mut Vec::new(), row, centred) {
            unit.iter_mut().zip(exact.point).for_each(|(unit, v)| *unit = F::cast(v * exact.per_length));
        } else {
            unit.fill(F::zero());
        }
        if is_safe || kernel::all_finite(row) { F::zero() } else { F::nan() }
    })
}

/// With so few components, half the squared difference of two unit vectors costs about as much as their product: every distance is taken from it. (In
/// few dimensions many points are nearly parallel, and each such pair would be worked on alone.)
const FEW: usize = 4;

/// The same of rows with at most [`FEW`] components, each number in two parts; the number beside is 1 for a zero vector.
fn unit_rows_in_parts<F: Float>(x: ArrayView2<'_, F>, centred: bool) -> Rows<'_, F> {
    let dim = x.ncols();
    Rows::with_panels(x, 2 * dim, |row, unit| {
        let (mut room, safe) = ([0.0; FEW], safe::<f64>());
        let point = &mut room[..dim];
        point.iter_mut().zip(row).for_each(|(to, v)| *to = v.as_f64());
        let squared = |point: &[f64]| point.iter().map(|v| v * v).sum::<f64>();
        let mut length = squared(point);
        if centred && safe.contains(&length) {
            let is_constant = point.iter().all(|&v| v == point[0]);
            centre(point);
            length = if is_constant { 0.0 } else { squared(point) };
        }
        if safe.contains(&length) {
            kernel::products_in_parts(point, 1.0 / length.sqrt(), unit);
        } else if let Some(exact) = Unit::new(&mut Vec::new(), row, centred) {
            kernel::products_in_parts(exact.point, exact.per_length, unit);
        } else {
            unit.fill(F::zero());
            return if kernel::all_finite(row) { F::one() } else { F::nan() };
        }
        if safe.contains(&length) || kernel::all_finite(row) { F::zero() } else { F::nan() }
    })
}

/// Distances from such rows; `exact` is asked for those that are too small even for two parts.
fn fill_from_parts<F: Float>(
    [x, y]: [&Rows<'_, F>; 2],
    [i, j]: [Range<usize>; 2],
    out: &mut Block<'_, F>,
    mut exact: impl FnMut(&[F], &[F]) -> F,
) {
    // The unit vectors then differ by 700 roundings of a first part, and a second part is wrong by less than one of its own.
    let near = F::cast(2f64.powi(18)) * F::epsilon() * F::epsilon();
    let least = x.fill((SquaredDifferenceInParts, HalfSquare), i.start, y, j.start, out);
    let zeros =
        |rows: &Rows<'_, F>, i: &Range<usize>| rows.beside()[i.clone()].iter().any(|&zero| zero != F::zero());
    let some_zero = zeros(x, &i) || zeros(y, &j);
    if least > near && !some_zero {
        return;
    }
    out.for_each_row(|r, row| {
        let i = i.start + r;
        for c in each_column(columns_at_most(row, near)) {
            let j = j.start + c;
            let itself = std::ptr::eq(x, y) && i == j;
            row[c] = if itself { F::zero() } else { exact(x.point(i), y.point(j)) };
        }
        if some_zero {
            let is_zero = x.beside()[i] != F::zero();
            let zeros =
                row.iter_mut().zip(&y.beside()[j.clone()]).filter(|(_, zero)| is_zero || **zero != F::zero());
            zeros.for_each(|(value, _)| *value = F::one());
        }
    });
}

/// Fills a block with what `map` makes of the similarities, and asks `exact` for every entry whose gap is at most `near`: `gap` takes entries to the
/// number that `map` watches, and that back.
fn fill<F: Float>(
    [x, y]: [&Rows<'_, F>; 2],
    [i, j]: [Range<usize>; 2],
    out: &mut Block<'_, F>,
    map: impl Finish<F>,
    (gap, near): (impl Fn(F) -> F, F),
    mut exact: impl FnMut(&[F], &[F]) -> F,
) {
    if x.fill((Product, map), i.start, y, j.start, out) > near {
        return;
    }
    let mut gaps = [F::zero(); TILE];
    out.for_each_row(|r, row| {
        let i = i.start + r;
        let gaps = &mut gaps[..row.len()];
        gaps.iter_mut().zip(&*row).for_each(|(to, &value)| *to = gap(value));
        // Found before the first is worked on: in few dimensions one in ten is near, and each would cost the processor a wrong guess.
        for c in each_column(columns_at_most(gaps, near)) {
            let j = j.start + c;
            // A zero vector is never near, itself included: what has no gap is the value here.
            let itself = std::ptr::eq(x, y) && i == j;
            row[c] = if itself { gap(F::zero()) } else { exact(x.point(i), y.point(j)) };
        }
    });
}

/// The error of a tile of similarities: that of the sum, of the lengths and of the division.
fn similarity_error<F: Float>(dim: usize) -> F {
    F::cast(3) * sum_error::<F>(dim)
}

impl<F: Float> Metric<F> for Cosine {
    const ROWS_SHOW_NON_FINITE: bool = true;
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        F::cast(direction(a, b).distance())
    }

    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        directions(query, rows, out, Direction::distance);
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        if x.ncols() <= FEW { unit_rows_in_parts(x, false) } else { unit_rows(x, false) }
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        let exact = |a: &[F], b: &[F]| F::cast(near_direction(a, b).distance());
        if x.dim() <= FEW {
            return fill_from_parts([x, y], [i, j], out, exact);
        }
        fill([x, y], [i, j], out, OneMinus, (|d| d, near()), exact);
    }

    fn estimate(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        if x.dim() <= FEW {
            return self.tile(x, i, y, j, out);
        }
        x.fill((Product, OneMinus), i.start, y, j.start, out);
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: similarity_error(x.dim()), relative: F::zero() }
    }
}

impl<F: Float> Metric<F> for CosineSimilarity {
    const ROWS_SHOW_NON_FINITE: bool = true;
    const SIMILARITY: bool = true;
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        F::cast(direction(a, b).similarity())
    }

    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        directions(query, rows, out, Direction::similarity);
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        unit_rows(x, false)
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        // As near to 1 as equal points can be, which have to have exactly 1.
        let equal = similarity_error(x.dim());
        fill([x, y], [i, j], out, Similarity, (|s| F::one() - s, equal), |a, b| self.distance(a, b));
    }

    fn estimate(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        x.fill((Product, Similarity), i.start, y, j.start, out);
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: similarity_error(x.dim()), relative: F::zero() }
    }
}

impl<F: Float> Metric<F> for Angular {
    const ROWS_SHOW_NON_FINITE: bool = true;
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        F::cast(direction(a, b).angle())
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        unit_rows(x, false)
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        x.fill((Product, AsItIs), i.start, y, j.start, out);
        out.for_each_row(|r, row| {
            for (value, j) in row.iter_mut().zip(j.clone()) {
                // The slope of the arc cosine grows without bound towards both ends.
                *value = if value.abs() < F::one() - near() {
                    value.acos()
                } else {
                    self.distance(x.point(i.start + r), y.point(j))
                };
            }
        });
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        let slope = F::one() / near::<F>().sqrt();
        TileError { absolute: similarity_error::<F>(x.dim()) * slope, relative: F::cast(4) * F::epsilon() }
    }
}

/// The correlation distance, with room for the points.
fn correlation<F: Float>(a: &[F], b: &[F], rooms: &mut [Vec<f64>; 2]) -> F {
    let direction = wide_direction::<F, true>(a, b).unwrap_or_else(|| exact_direction(a, b, true, rooms));
    F::cast(direction.distance())
}

impl<F: Float> Metric<F> for Correlation {
    const ROWS_SHOW_NON_FINITE: bool = true;
    fn distance(&self, a: &[F], b: &[F]) -> F {
        correlation(a, b, &mut Default::default())
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        if x.ncols() <= FEW { unit_rows_in_parts(x, true) } else { unit_rows(x, true) }
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        let mut rooms = Default::default();
        let exact = |a: &[F], b: &[F]| correlation(a, b, &mut rooms);
        if x.dim() <= FEW {
            return fill_from_parts([x, y], [i, j], out, exact);
        }
        fill([x, y], [i, j], out, OneMinus, (|d| d, near()), exact);
    }

    fn estimate(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        if x.dim() <= FEW {
            return self.tile(x, i, y, j, out);
        }
        x.fill((Product, OneMinus), i.start, y, j.start, out);
    }

    fn tile_error(&self, x: &Rows<'_, F>, _: &Rows<'_, F>) -> TileError<F> {
        TileError { absolute: similarity_error(x.dim()), relative: F::zero() }
    }
}

impl<F: Float> Metric<F> for Dot {
    const SIMILARITY: bool = true;
    const SHOWS_NON_FINITE: bool = true;

    fn distance(&self, a: &[F], b: &[F]) -> F {
        product_of(kernel::fold(Product, a, b), a, b)
    }

    fn distances(&self, query: &[F], rows: &[F], out: &mut [F]) {
        kernel::fold_rows(Product, query, rows, out);
        for (out, row) in out.iter_mut().zip(rows.chunks_exact(query.len())) {
            *out = product_of(*out, query, row);
        }
    }

    fn rows<'a>(&self, x: ArrayView2<'a, F>) -> Rows<'a, F> {
        Rows::with_largest(x, |_| F::zero())
    }

    fn tile(
        &self,
        x: &Rows<'_, F>,
        i: Range<usize>,
        y: &Rows<'_, F>,
        j: Range<usize>,
        out: &mut Block<'_, F>,
    ) {
        if largest_product(x, y).is_finite() {
            x.fill((Product, AsItIs), i.start, y, j.start, out);
        } else {
            tile_by_pairs(self, x, i, y, j, out);
        }
    }

    fn tile_error(&self, x: &Rows<'_, F>, y: &Rows<'_, F>) -> TileError<F> {
        let largest = largest_product(x, y);
        let absolute = if largest.is_finite() { sum_error::<F>(x.dim()) * largest } else { F::zero() };
        TileError { absolute, relative: F::zero() }
    }
}

/// The inner product of two points, if that is what was summed.
fn product_of<F: Float>(sum: F, a: &[F], b: &[F]) -> F {
    if sum.is_finite() {
        return sum;
    }
    // Somewhere on the way a sum left the range: once more with room to spare.
    let small = F::cast(2f64.powi(-64));
    let sum = a.iter().zip(b).map(|(&a, &b)| (a * small) * (b * small)).sum::<F>();
    sum / small / small
}

/// A bound on the inner product of any two rows.
fn largest_product<F: Float>(x: &Rows<'_, F>, y: &Rows<'_, F>) -> F {
    F::cast(x.dim()) * x.largest() * y.largest()
}
