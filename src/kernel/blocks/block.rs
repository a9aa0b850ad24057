//! Which points of one block lie within a radius of the points of another: the inner loop of every neighbour search.
//!
//! A block is 32 points, dimension after dimension: coordinate `j` of point `i` is `block[32 * j + i]`. Unused places hold NaN, which is
//! within no radius. A set of points of a block is a `u32`, bit `i` for point `i`.

use std::fmt::Debug;
use std::marker::PhantomData;

use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// Points in a block.
pub(crate) const BLOCK: usize = 32;

/// How the differences of two points in each dimension become a distance.
///
/// Totals start at 0 and grow with every difference, in the order of dimensions, each operation rounded: the same on every path, and in a scalar
/// loop. A total has the order of the distance; one with a NaN in it is NaN.
pub trait Norm: Copy + Debug + Send + Sync + 'static {
    /// The total with one more difference in it.
    fn add<F: Element, S: Simd>(total: Lanes<F, S>, d: Lanes<F, S>) -> Lanes<F, S>;

    /// The same for single numbers.
    fn add_one(total: f64, d: f64) -> f64;

    /// What a total is compared with for a radius.
    fn total_of(radius: f64) -> f64;

    /// The distance that a total stands for.
    fn distance_of(total: f64) -> f64;
}

/// `sum_j d_j^2`: the square of the euclidean distance.
#[derive(Debug, Clone, Copy)]
pub struct Squares;

/// `sum_j |d_j|`: the manhattan distance.
#[derive(Debug, Clone, Copy)]
pub struct Absolutes;

/// `max_j |d_j|`: the chebyshev distance.
#[derive(Debug, Clone, Copy)]
pub struct Largest;

impl Norm for Squares {
    #[inline(always)]
    fn add<F: Element, S: Simd>(total: Lanes<F, S>, d: Lanes<F, S>) -> Lanes<F, S> {
        total + d * d
    }

    #[inline(always)]
    fn add_one(total: f64, d: f64) -> f64 {
        total + d * d
    }

    fn total_of(radius: f64) -> f64 {
        radius * radius
    }

    #[inline(always)]
    fn distance_of(total: f64) -> f64 {
        total.sqrt()
    }
}

impl Norm for Absolutes {
    #[inline(always)]
    fn add<F: Element, S: Simd>(total: Lanes<F, S>, d: Lanes<F, S>) -> Lanes<F, S> {
        total + d.abs()
    }

    #[inline(always)]
    fn add_one(total: f64, d: f64) -> f64 {
        total + d.abs()
    }

    fn total_of(radius: f64) -> f64 {
        radius
    }

    #[inline(always)]
    fn distance_of(total: f64) -> f64 {
        total
    }
}

impl Norm for Largest {
    #[inline(always)]
    fn add<F: Element, S: Simd>(total: Lanes<F, S>, d: Lanes<F, S>) -> Lanes<F, S> {
        total.max(d.abs())
    }

    #[inline(always)]
    fn add_one(total: f64, d: f64) -> f64 {
        // One instruction, and NaN where `d` is NaN, as in a register.
        if total > d.abs() { total } else { d.abs() }
    }

    fn total_of(radius: f64) -> f64 {
        radius
    }

    #[inline(always)]
    fn distance_of(total: f64) -> f64 {
        total
    }
}

/// A radius as the kernels compare with it.
///
/// The distance that counts is the one in `f64`: for [`Squares`], `sum_j (x_j - y_j)^2`, summed in the order of `j`, each operation rounded,
/// compared with the rounded square of the radius. For `f64` points the kernels compute just that, and `inside = outside`. For `f32` points they
/// compute in `f32`, where each rounding is relative by at most `2^-24` (differences of exact inputs, squares and sums of non-negative terms), so
/// that a total of `d` terms is off by less than `(d + 2) 2^-24` of itself; what falls between `inside` and `outside` is computed again in `f64`.
#[derive(Debug, Clone, Copy)]
pub struct Radius<F, N = Squares> {
    /// A total up to here is within the radius.
    pub(crate) inside: F,
    /// A total above this is not.
    pub(crate) outside: F,
    /// What a total in `f64` must not exceed: for [`Squares`], the square of the radius.
    pub(crate) limit: f64,
    norm: PhantomData<N>,
}

/// The kernel over blocks of one float type.
pub trait Blocks: Element + Into<f64> {
    /// Whether the kernel computes in `f64` already, so that nothing is left to compute again.
    #[doc(hidden)]
    const EXACT: bool;

    /// The value that fills unused places.
    #[doc(hidden)]
    const NAN: Self;

    /// The radius as this type's kernel compares with it; `d` is the dimension.
    #[doc(hidden)]
    fn radius<N: Norm>(radius: f64, d: usize) -> Radius<Self, N>;

    /// Calls `visit(i, hits)` for each point `i` of `rows` in `a`, from the lowest, with the points of `b` within the radius; stops when
    /// `visit` returns false.
    #[doc(hidden)]
    #[inline]
    fn each_hits<N: Norm>(
        a: &[Self],
        rows: u32,
        b: &[Self],
        radius: &Radius<Self, N>,
        visit: impl FnMut(usize, u32) -> bool,
    ) {
        dispatch(EachHits { a, stride: BLOCK, rows, b, radius, visit });
    }

    /// The points of `a` that may be within the radius of something in a box, given by its lower corner and then its upper one.
    ///
    /// Bounds are computed as distances are, so a point left out is within the radius of nothing in the box.
    #[doc(hidden)]
    #[inline]
    fn near_box<N: Norm>(a: &[Self], bounds: &[f64], radius: &Radius<Self, N>) -> u32 {
        dispatch(NearBox { a, bounds, radius })
    }

    /// The points of `b` within the radius of one point, which need not stand in a block.
    #[doc(hidden)]
    #[inline]
    fn hits_of<N: Norm>(point: &[Self], b: &[Self], radius: &Radius<Self, N>) -> u32 {
        let mut found = 0;
        let visit = |_, hits| {
            found = hits;
            true
        };
        dispatch(EachHits { a: point, stride: 1, rows: 1, b, radius, visit });
        found
    }
}

impl Blocks for f64 {
    const EXACT: bool = true;
    const NAN: Self = f64::NAN;

    fn radius<N: Norm>(radius: f64, _: usize) -> Radius<f64, N> {
        let limit = N::total_of(radius);
        Radius { inside: limit, outside: limit, limit, norm: PhantomData }
    }
}

impl Blocks for f32 {
    const EXACT: bool = false;
    const NAN: Self = f32::NAN;

    #[allow(clippy::cast_possible_truncation, reason = "the slack holds the rounding of these casts too")]
    fn radius<N: Norm>(radius: f64, d: usize) -> Radius<f32, N> {
        let limit = N::total_of(radius);
        let norm = PhantomData;
        // Near the ends of the range of `f32` squares underflow or overflow: there every lane is computed again.
        if !(1e-30..1e36).contains(&limit) || d > 10_000 {
            return Radius { inside: -1.0, outside: f32::INFINITY, limit, norm };
        }
        let slack = (d as f64 + 4.0) * f64::from(f32::EPSILON);
        Radius {
            inside: (limit * (1.0 - slack)) as f32,
            outside: (limit * (1.0 + slack)) as f32,
            limit,
            norm,
        }
    }
}

/// The points of `b` within the radius of one point, for a body that runs already.
#[inline(always)]
pub(crate) fn hits_in<F: Blocks, N: Norm, S: Simd>(point: &[F], b: &[F], radius: &Radius<F, N>) -> u32 {
    let mut found = 0;
    let visit = |_, hits| {
        found = hits;
        true
    };
    EachHits { a: point, stride: 1, rows: 1, b, radius, visit }.run::<S>();
    found
}

/// [`totals_of`] for a body that runs already.
#[inline(always)]
pub(crate) fn totals_in<N: Norm, F: Blocks, S: Simd>(point: &[F], b: &[F]) -> [f64; BLOCK] {
    Totals { point, b, norm: PhantomData::<N> }.run::<S>()
}

/// The points of `b` within the radius of each point of `rows` in `a`; coordinate `j` of point `i` is `a[stride * j + i]`.
struct EachHits<'a, F, N, V> {
    a: &'a [F],
    stride: usize,
    rows: u32,
    b: &'a [F],
    radius: &'a Radius<F, N>,
    visit: V,
}

impl<F: Blocks, N: Norm, V: FnMut(usize, u32) -> bool> Task for EachHits<'_, F, N, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let (stride, d) = (self.stride, self.b.len() / BLOCK);
        let highest = (u32::BITS - self.rows.leading_zeros()) as usize;
        assert!(
            self.a.len() == stride * d && self.b.len() == BLOCK * d && highest <= stride,
            "blocks of different dimension"
        );
        // SAFETY: both hold `d` columns, and every point of `rows` is in `a`.
        unsafe {
            // A call for each stride and small dimension makes constants of them, so that the inner loop is unrolled.
            match (stride, d) {
                (BLOCK, 2) => self.body::<S>(BLOCK, 2),
                (BLOCK, 3) => self.body::<S>(BLOCK, 3),
                (1, 2) => self.body::<S>(1, 2),
                (1, 3) => self.body::<S>(1, 3),
                _ => self.body::<S>(stride, d),
            }
        }
    }
}

impl<F: Blocks, N: Norm, V: FnMut(usize, u32) -> bool> EachHits<'_, F, N, V> {
    /// # Safety
    /// `a` has `stride d` places and `b` has `32 d`, and the points of `rows` are below `stride`.
    #[inline(always)]
    unsafe fn body<S: Simd>(mut self, stride: usize, d: usize) {
        let Self { a, rows, b, radius, .. } = self;
        let lanes = Lanes::<F, S>::N;
        let (to_inside, to_outside) = (Lanes::splat(radius.inside), Lanes::splat(radius.outside));
        for i in bits(rows) {
            let (mut inside, mut outside) = (0, 0);
            // As many registers at a time as hide the latency of an addition.
            let group = (BLOCK / lanes).min(4);
            for start in (0..BLOCK).step_by(group * lanes) {
                let mut totals = [Lanes::<F, S>::zero(); 4];
                for j in 0..d {
                    // SAFETY: `j < d`, `i < stride`, and `group * lanes` divides 32, so all places are there.
                    unsafe {
                        let x = Lanes::splat(*a.get_unchecked(stride * j + i));
                        let column = b.as_ptr().add(BLOCK * j + start);
                        for (k, total) in totals.iter_mut().take(group).enumerate() {
                            *total = N::add(*total, x - Lanes::read(column.add(k * lanes)));
                        }
                    }
                }
                for (k, total) in totals.iter().take(group).enumerate() {
                    inside |= total.at_most(to_inside) << (start + k * lanes);
                    outside |= if F::EXACT { 0 } else { total.at_most(to_outside) << (start + k * lanes) };
                }
            }
            let hits = if F::EXACT || inside == outside {
                inside
            } else {
                recheck(a, stride, i, b, radius, inside, outside)
            };
            if !(self.visit)(i, hits) {
                return;
            }
        }
    }
}

struct NearBox<'a, F, N> {
    a: &'a [F],
    bounds: &'a [f64],
    radius: &'a Radius<F, N>,
}

impl<F: Blocks, N: Norm> Task for NearBox<'_, F, N> {
    type Output = u32;

    #[inline(always)]
    fn run<S: Simd>(self) -> u32 {
        let Self { a, bounds, radius } = self;
        let d = bounds.len() / 2;
        assert!(a.len() == BLOCK * d, "a block and a box of different dimension");
        let to_outside = Lanes::<F, S>::splat(radius.outside);
        let mut near = 0;
        for start in (0..BLOCK).step_by(Lanes::<F, S>::N) {
            let mut total = Lanes::zero();
            for j in 0..d {
                let (lo, hi) = (Lanes::splat(F::of(bounds[j])), Lanes::splat(F::of(bounds[d + j])));
                // SAFETY: `32 d` floats stand in the block, and a register's length divides 32.
                let x = unsafe { Lanes::<F, S>::read(a.as_ptr().add(BLOCK * j + start)) };
                total = N::add(total, (lo - x).max(x - hi).max(Lanes::zero()));
            }
            near |= total.at_most(to_outside) << start;
        }
        near
    }
}

/// Computes in `f64` what lies between the bounds.
#[cold]
fn recheck<F: Blocks, N: Norm>(
    a: &[F],
    stride: usize,
    i: usize,
    b: &[F],
    radius: &Radius<F, N>,
    inside: u32,
    outside: u32,
) -> u32 {
    let mut hits = inside;
    for k in bits(outside & !inside) {
        let columns = a.chunks_exact(stride).zip(b.chunks_exact(BLOCK));
        let total = columns.fold(0.0, |total, (a, b)| N::add_one(total, a[i].into() - b[k].into()));
        hits |= u32::from(total <= radius.limit) << k;
    }
    hits
}

/// Totals in `f64` of a point and each point of a block; NaN in unused places.
pub(crate) fn totals_of<N: Norm, F: Blocks>(point: &[F], b: &[F]) -> [f64; BLOCK] {
    dispatch(Totals { point, b, norm: PhantomData::<N> })
}

struct Totals<'a, F, N> {
    point: &'a [F],
    b: &'a [F],
    norm: PhantomData<N>,
}

impl<F: Blocks, N: Norm> Task for Totals<'_, F, N> {
    type Output = [f64; BLOCK];

    #[inline(always)]
    fn run<S: Simd>(self) -> [f64; BLOCK] {
        let mut totals = [0.0; BLOCK];
        for (&x, column) in self.point.iter().zip(self.b.chunks_exact(BLOCK)) {
            let x: f64 = x.into();
            for (total, &y) in totals.iter_mut().zip(column) {
                *total = N::add_one(*total, x - y.into());
            }
        }
        totals
    }
}

/// The positions of the set bits, from the lowest.
#[inline(always)]
pub(crate) fn bits(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let i = mask.trailing_zeros() as usize;
        mask &= mask.wrapping_sub(1);
        (i < BLOCK).then_some(i)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Columns;
    use crate::kernel::simd::{available, dispatch_on, tested};
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Every path of this machine, as `(i, hits)` pairs.
    fn paths<F: Blocks, N: Norm>(
        a: &[F],
        rows: u32,
        b: &[F],
        radius: &Radius<F, N>,
    ) -> Vec<Vec<(usize, u32)>> {
        let collect = |isa| {
            let mut seen = Vec::new();
            let visit = |i, hits| {
                seen.push((i, hits));
                true
            };
            dispatch_on(isa, EachHits { a, stride: BLOCK, rows, b, radius, visit });
            seen
        };
        available().into_iter().map(collect).collect()
    }

    fn naive<F: Blocks, N: Norm>(a: &[F], i: usize, b: &[F], limit: f64) -> u32 {
        let at = |block: &[F], i: usize, j: usize| -> f64 { block[BLOCK * j + i].into() };
        let total = |k| (0..a.len() / BLOCK).fold(0.0, |sum, j| N::add_one(sum, at(a, i, j) - at(b, k, j)));
        (0..BLOCK).fold(0, |hits, k| hits | u32::from(total(k) <= limit) << k)
    }

    fn agrees<F: Blocks>(draw: impl Fn(&mut Xoshiro256PlusPlus) -> F, radius: f64) {
        agrees_by::<F, Squares>(&draw, radius);
        agrees_by::<F, Absolutes>(&draw, radius);
        agrees_by::<F, Largest>(&draw, radius);
    }

    fn agrees_by<F: Blocks, N: Norm>(draw: impl Fn(&mut Xoshiro256PlusPlus) -> F, radius: f64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for d in tested(1..=if cfg!(miri) { 3 } else { 20 }) {
            let mut block = || (0..BLOCK * d).map(|_| draw(&mut rng)).collect::<Vec<F>>();
            let (a, mut b) = (block(), block());
            for j in 0..d {
                b[BLOCK * j + 31] = F::NAN;
            }
            let (rows, radius) = (0xf0f0_1235, F::radius::<N>(radius, d));
            let expected: Vec<_> = bits(rows).map(|i| (i, naive::<F, N>(&a, i, &b, radius.limit))).collect();
            for seen in paths(&a, rows, &b, &radius) {
                assert_eq!(seen, expected, "d = {d}");
            }
            let point: Vec<F> = (0..d).map(|j| a[BLOCK * j]).collect();
            assert_eq!(F::hits_of(&point, &b, &radius), expected[0].1);
            let totals = totals_of::<N, F>(&point, &b);
            assert!(totals[31].is_nan());
            assert_eq!(
                (0..BLOCK).fold(0, |hits, k| hits | u32::from(totals[k] <= radius.limit) << k),
                expected[0].1
            );
        }
    }

    #[test]
    fn every_path_finds_what_the_naive_loop_finds() {
        agrees(|rng| rng.gen_range(-1.0..1.0_f64), 1.5);
        agrees(|rng| rng.gen_range(-1.0..1.0_f32), 1.5);
    }

    #[test]
    fn ties_on_a_lattice_are_inside_on_every_path() {
        for scale in [1.0, 0.1, 1e-20, 1e25] {
            agrees(|rng| f64::from(rng.gen_range(0..4)) * scale, 2.0 * scale);
            #[allow(clippy::cast_possible_truncation, reason = "any lattice will do")]
            agrees(|rng| (f64::from(rng.gen_range(0..4)) * scale) as f32, 2.0 * scale);
            agrees(|rng| rng.gen_range(0..3) as f32 + 1e6, 1.0);
        }
    }

    #[test]
    fn a_point_left_out_by_a_box_is_near_nothing_in_it() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(2);
        let mut left_out = 0;
        for round in tested(0..200) {
            let d = 1 + round % 5;
            let mut block =
                |shift: f32| (0..BLOCK * d).map(|_| rng.gen_range(0..4) as f32 + shift).collect::<Vec<_>>();
            let (a, b) = (block(0.0), block(2.0));
            let columns = || b.chunks_exact(BLOCK).map(f32::min_max);
            let lower = columns().map(|(lo, _)| f64::from(lo));
            let bounds: Vec<f64> = lower.chain(columns().map(|(_, hi)| f64::from(hi))).collect();
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let near = f32::near_box(&a, &bounds, &f32::radius::<Squares>(2.0, d));
            assert_eq!(near, f64::near_box(&wide(&a), &bounds, &f64::radius::<Squares>(2.0, d)));
            f32::each_hits(&a, !near, &b, &f32::radius::<Squares>(2.0, d), |_, hits| {
                assert_eq!(hits, 0);
                left_out += 1;
                true
            });
        }
        assert!(left_out > 100);
    }

    #[test]
    fn the_visitor_can_stop() {
        let a = [0.0; BLOCK];
        let mut calls = 0;
        f64::each_hits(&a, u32::MAX, &a, &f64::radius::<Squares>(1.0, 1), |_, hits| {
            calls += 1;
            hits != u32::MAX
        });
        assert_eq!(calls, 1);
    }
}
