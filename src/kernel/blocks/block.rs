//! Which points of one block lie within a radius of the points of another: the inner loop of every neighbour search.
//!
//! A block is 32 points, dimension after dimension: coordinate `j` of point `i` is `block[32 * j + i]`. Unused places hold NaN, which is
//! within no radius. A set of points of a block is a `u32`, bit `i` for point `i`.

use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// Points in a block.
pub(crate) const BLOCK: usize = 32;

/// A radius as the kernels compare with it.
///
/// The distance that counts is the one in `f64`: `sum_j (x_j - y_j)^2`, summed in the order of `j`, each operation rounded, compared with
/// the rounded square of the radius. For `f64` points the kernels compute just that, and `inside = outside`. For `f32` points they compute in
/// `f32`, where each rounding is relative by at most `2^-24` (differences of exact inputs, squares and sums of non-negative terms), so that a
/// sum of `d` terms is off by less than `(d + 2) 2^-24` of itself; what falls between `inside` and `outside` is computed again in `f64`.
#[derive(Debug, Clone, Copy)]
pub struct Radius<F> {
    /// A squared distance up to here is within the radius.
    pub(crate) inside: F,
    /// A squared distance above this is not.
    pub(crate) outside: F,
    /// The square of the radius.
    pub(crate) sq: f64,
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
    fn radius(radius: f64, d: usize) -> Radius<Self>;

    /// Calls `visit(i, hits)` for each point `i` of `rows` in `a`, from the lowest, with the points of `b` within the radius; stops when
    /// `visit` returns false.
    #[doc(hidden)]
    #[inline]
    fn each_hits(
        a: &[Self],
        rows: u32,
        b: &[Self],
        radius: &Radius<Self>,
        visit: impl FnMut(usize, u32) -> bool,
    ) {
        dispatch(EachHits { a, stride: BLOCK, rows, b, radius, visit });
    }

    /// The points of `a` that may be within the radius of something in a box, given by its lower corner and then its upper one.
    ///
    /// Bounds are computed as distances are, so a point left out is within the radius of nothing in the box.
    #[doc(hidden)]
    #[inline]
    fn near_box(a: &[Self], bounds: &[f64], radius: &Radius<Self>) -> u32 {
        dispatch(NearBox { a, bounds, radius })
    }

    /// The points of `b` within the radius of one point, which need not stand in a block.
    #[doc(hidden)]
    #[inline]
    fn hits_of(point: &[Self], b: &[Self], radius: &Radius<Self>) -> u32 {
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

    fn radius(radius: f64, _: usize) -> Radius<f64> {
        let sq = radius * radius;
        Radius { inside: sq, outside: sq, sq }
    }
}

impl Blocks for f32 {
    const EXACT: bool = false;
    const NAN: Self = f32::NAN;

    #[allow(clippy::cast_possible_truncation, reason = "the slack holds the rounding of these casts too")]
    fn radius(radius: f64, d: usize) -> Radius<f32> {
        let sq = radius * radius;
        // Near the ends of the range of `f32` squares underflow or overflow: there every lane is computed again.
        if !(1e-30..1e36).contains(&sq) || d > 10_000 {
            return Radius { inside: -1.0, outside: f32::INFINITY, sq };
        }
        let slack = (d as f64 + 4.0) * f64::from(f32::EPSILON);
        Radius { inside: (sq * (1.0 - slack)) as f32, outside: (sq * (1.0 + slack)) as f32, sq }
    }
}

/// The points of `b` within the radius of each point of `rows` in `a`; coordinate `j` of point `i` is `a[stride * j + i]`.
struct EachHits<'a, F, V> {
    a: &'a [F],
    stride: usize,
    rows: u32,
    b: &'a [F],
    radius: &'a Radius<F>,
    visit: V,
}

impl<F: Blocks, V: FnMut(usize, u32) -> bool> Task for EachHits<'_, F, V> {
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

impl<F: Blocks, V: FnMut(usize, u32) -> bool> EachHits<'_, F, V> {
    /// # Safety
    /// `a` has `stride d` places and `b` has `32 d`, and the points of `rows` are below `stride`.
    #[inline(always)]
    unsafe fn body<S: Simd>(mut self, stride: usize, d: usize) {
        let Self { a, rows, b, radius, .. } = self;
        let n = Lanes::<F, S>::N;
        let (to_inside, to_outside) = (Lanes::splat(radius.inside), Lanes::splat(radius.outside));
        for i in bits(rows) {
            let (mut inside, mut outside) = (0, 0);
            // As many registers at a time as hide the latency of an addition.
            let group = (BLOCK / n).min(4);
            for start in (0..BLOCK).step_by(group * n) {
                let mut sq = [Lanes::<F, S>::zero(); 4];
                for j in 0..d {
                    // SAFETY: `j < d`, `i < stride`, and `group * n` divides 32, so all places are there.
                    unsafe {
                        let x = Lanes::splat(*a.get_unchecked(stride * j + i));
                        let column = b.as_ptr().add(BLOCK * j + start);
                        for (k, sq) in sq.iter_mut().take(group).enumerate() {
                            *sq = add_square(*sq, x - Lanes::read(column.add(k * n)));
                        }
                    }
                }
                for (k, sq) in sq.iter().take(group).enumerate() {
                    inside |= sq.at_most(to_inside) << (start + k * n);
                    outside |= if F::EXACT { 0 } else { sq.at_most(to_outside) << (start + k * n) };
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

/// `sum + d^2`, each operation rounded: the same on every path, and in a scalar loop.
#[inline(always)]
fn add_square<F: Element, S: Simd>(sum: Lanes<F, S>, d: Lanes<F, S>) -> Lanes<F, S> {
    sum + d * d
}

struct NearBox<'a, F> {
    a: &'a [F],
    bounds: &'a [f64],
    radius: &'a Radius<F>,
}

impl<F: Blocks> Task for NearBox<'_, F> {
    type Output = u32;

    #[inline(always)]
    fn run<S: Simd>(self) -> u32 {
        let Self { a, bounds, radius } = self;
        let d = bounds.len() / 2;
        assert!(a.len() == BLOCK * d, "a block and a box of different dimension");
        let to_outside = Lanes::<F, S>::splat(radius.outside);
        let mut near = 0;
        for start in (0..BLOCK).step_by(Lanes::<F, S>::N) {
            let mut sq = Lanes::zero();
            for j in 0..d {
                let (lo, hi) = (Lanes::splat(F::of(bounds[j])), Lanes::splat(F::of(bounds[d + j])));
                // SAFETY: `32 d` floats stand in the block, and a register's length divides 32.
                let x = unsafe { Lanes::<F, S>::read(a.as_ptr().add(BLOCK * j + start)) };
                sq = add_square(sq, (lo - x).max(x - hi).max(Lanes::zero()));
            }
            near |= sq.at_most(to_outside) << start;
        }
        near
    }
}

/// Computes in `f64` what lies between the bounds.
#[cold]
fn recheck<F: Blocks>(
    a: &[F],
    stride: usize,
    i: usize,
    b: &[F],
    radius: &Radius<F>,
    inside: u32,
    outside: u32,
) -> u32 {
    let mut hits = inside;
    for k in bits(outside & !inside) {
        let sq = a.chunks_exact(stride).zip(b.chunks_exact(BLOCK)).fold(0.0, |sq, (a, b)| {
            let d: f64 = a[i].into() - b[k].into();
            sq + d * d
        });
        hits |= u32::from(sq <= radius.sq) << k;
    }
    hits
}

/// Squared distances in `f64` of a point to the points of a block; NaN in unused places.
pub(crate) fn sq_distances<F: Blocks>(point: &[F], b: &[F]) -> [f64; BLOCK] {
    dispatch(SqDistances { point, b })
}

struct SqDistances<'a, F> {
    point: &'a [F],
    b: &'a [F],
}

impl<F: Blocks> Task for SqDistances<'_, F> {
    type Output = [f64; BLOCK];

    #[inline(always)]
    fn run<S: Simd>(self) -> [f64; BLOCK] {
        let mut sq = [0.0; BLOCK];
        for (&x, column) in self.point.iter().zip(self.b.chunks_exact(BLOCK)) {
            let x: f64 = x.into();
            for (sq, &y) in sq.iter_mut().zip(column) {
                let d = x - y.into();
                *sq += d * d;
            }
        }
        sq
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
    use crate::kernel::simd::{available, dispatch_on};
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Every path of this machine, as `(i, hits)` pairs.
    fn paths<F: Blocks>(a: &[F], rows: u32, b: &[F], radius: &Radius<F>) -> Vec<Vec<(usize, u32)>> {
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

    fn naive<F: Blocks>(a: &[F], i: usize, b: &[F], sq: f64) -> u32 {
        let at = |block: &[F], i: usize, j: usize| -> f64 { block[BLOCK * j + i].into() };
        let sum = |k| (0..a.len() / BLOCK).fold(0.0, |sum, j| sum + (at(a, i, j) - at(b, k, j)).powi(2));
        (0..BLOCK).fold(0, |hits, k| hits | u32::from(sum(k) <= sq) << k)
    }

    fn agrees<F: Blocks>(draw: impl Fn(&mut Xoshiro256PlusPlus) -> F, radius: f64) {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(1);
        for d in 1..=20 {
            let mut block = || (0..BLOCK * d).map(|_| draw(&mut rng)).collect::<Vec<F>>();
            let (a, mut b) = (block(), block());
            for j in 0..d {
                b[BLOCK * j + 31] = F::NAN;
            }
            let (rows, radius) = (0xf0f0_1235, F::radius(radius, d));
            let expected: Vec<_> = bits(rows).map(|i| (i, naive(&a, i, &b, radius.sq))).collect();
            for seen in paths(&a, rows, &b, &radius) {
                assert_eq!(seen, expected, "d = {d}");
            }
            let point: Vec<F> = (0..d).map(|j| a[BLOCK * j]).collect();
            assert_eq!(F::hits_of(&point, &b, &radius), expected[0].1);
            let sq = sq_distances(&point, &b);
            assert_eq!(
                (0..BLOCK).fold(0, |hits, k| hits | u32::from(sq[k] <= radius.sq) << k),
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
        for round in 0..200 {
            let d = 1 + round % 5;
            let mut block =
                |shift: f32| (0..BLOCK * d).map(|_| rng.gen_range(0..4) as f32 + shift).collect::<Vec<_>>();
            let (a, b) = (block(0.0), block(2.0));
            let columns = || b.chunks_exact(BLOCK).map(f32::min_max);
            let lower = columns().map(|(lo, _)| f64::from(lo));
            let bounds: Vec<f64> = lower.chain(columns().map(|(_, hi)| f64::from(hi))).collect();
            let wide = |x: &[f32]| x.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>();
            let near = f32::near_box(&a, &bounds, &f32::radius(2.0, d));
            assert_eq!(near, f64::near_box(&wide(&a), &bounds, &f64::radius(2.0, d)));
            f32::each_hits(&a, !near, &b, &f32::radius(2.0, d), |_, hits| {
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
        f64::each_hits(&a, u32::MAX, &a, &f64::radius(1.0, 1), |_, hits| {
            calls += 1;
            hits != u32::MAX
        });
        assert_eq!(calls, 1);
    }
}
