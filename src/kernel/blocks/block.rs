//! Which points of one block lie within a radius of the points of another: the inner loop of every neighbour search.
//!
//! A block is 32 points, dimension after dimension: coordinate `j` of point `i` is `block[32 * j + i]`. Unused places hold NaN, which is
//! within no radius. A set of points of a block is a `u32`, bit `i` for point `i`.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{__m256, __m256d, __m512, __m512d};

use super::vector::{Plain, Vector};
use crate::kernel::{Isa, isa};

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
pub trait Blocks: Copy + PartialOrd + Into<f64> + Default + Send + Sync + 'static {
    /// Whether the kernel computes in `f64` already, so that nothing is left to compute again.
    #[doc(hidden)]
    const EXACT: bool;

    /// The corner of a box of points of this type, which is exact.
    #[doc(hidden)]
    fn of_corner(x: f64) -> Self;

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
        Self::each_hits_on(isa(), a, BLOCK, rows, b, radius, visit);
    }

    /// The points of `a` that may be within the radius of something in a box, given by its lower corner and then its upper one.
    ///
    /// Bounds are computed as distances are, so a point left out is within the radius of nothing in the box.
    #[doc(hidden)]
    fn near_box(a: &[Self], bounds: &[f64], radius: &Radius<Self>) -> u32;

    /// The points of `b` within the radius of one point, which need not stand in a block.
    #[doc(hidden)]
    #[inline]
    fn hits_of(point: &[Self], b: &[Self], radius: &Radius<Self>) -> u32 {
        let mut found = 0;
        Self::each_hits_on(isa(), point, 1, 1, b, radius, |_, hits| {
            found = hits;
            true
        });
        found
    }

    /// The same on one instruction set, or on this machine's best where that is less; coordinate `j` of point `i` is `a[stride * j + i]`.
    #[doc(hidden)]
    fn each_hits_on(
        set: Isa,
        a: &[Self],
        stride: usize,
        rows: u32,
        b: &[Self],
        radius: &Radius<Self>,
        visit: impl FnMut(usize, u32) -> bool,
    );
}

impl Blocks for f64 {
    const EXACT: bool = true;
    const NAN: Self = f64::NAN;

    fn of_corner(x: f64) -> f64 {
        x
    }

    fn radius(radius: f64, _: usize) -> Radius<f64> {
        let sq = radius * radius;
        Radius { inside: sq, outside: sq, sq }
    }

    #[inline]
    fn near_box(a: &[f64], bounds: &[f64], radius: &Radius<f64>) -> u32 {
        // SAFETY: `isa` names only instruction sets of this machine.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => near_box_avx512::<f64, __m512d>(a, bounds, radius),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => near_box_avx2::<f64, __m256d>(a, bounds, radius),
                _ => near_box::<f64, Plain<f64>>(a, bounds, radius),
            }
        }
    }

    #[inline]
    fn each_hits_on(
        set: Isa,
        a: &[f64],
        stride: usize,
        rows: u32,
        b: &[f64],
        radius: &Radius<f64>,
        visit: impl FnMut(usize, u32) -> bool,
    ) {
        // SAFETY: nothing above `isa()` is chosen, and that exists on this machine.
        unsafe {
            match set.min(isa()) {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512::<f64, __m512d>(a, stride, rows, b, radius, visit),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2::<f64, __m256d>(a, stride, rows, b, radius, visit),
                _ => by_dimension::<f64, Plain<f64>>(a, stride, rows, b, radius, visit),
            }
        }
    }
}

impl Blocks for f32 {
    const EXACT: bool = false;
    const NAN: Self = f32::NAN;

    #[allow(clippy::cast_possible_truncation, reason = "corners are coordinates of points")]
    fn of_corner(x: f64) -> f32 {
        x as f32
    }

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

    #[inline]
    fn near_box(a: &[f32], bounds: &[f64], radius: &Radius<f32>) -> u32 {
        // SAFETY: `isa` names only instruction sets of this machine.
        unsafe {
            match isa() {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => near_box_avx512::<f32, __m512>(a, bounds, radius),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => near_box_avx2::<f32, __m256>(a, bounds, radius),
                _ => near_box::<f32, Plain<f32>>(a, bounds, radius),
            }
        }
    }

    #[inline]
    fn each_hits_on(
        set: Isa,
        a: &[f32],
        stride: usize,
        rows: u32,
        b: &[f32],
        radius: &Radius<f32>,
        visit: impl FnMut(usize, u32) -> bool,
    ) {
        // SAFETY: nothing above `isa()` is chosen, and that exists on this machine.
        unsafe {
            match set.min(isa()) {
                #[cfg(target_arch = "x86_64")]
                Isa::Avx512 => avx512::<f32, __m512>(a, stride, rows, b, radius, visit),
                #[cfg(target_arch = "x86_64")]
                Isa::Avx2 => avx2::<f32, __m256>(a, stride, rows, b, radius, visit),
                _ => by_dimension::<f32, Plain<f32>>(a, stride, rows, b, radius, visit),
            }
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt,bmi1")]
fn avx512<F: Blocks, V: Vector<F>>(
    a: &[F],
    stride: usize,
    rows: u32,
    b: &[F],
    radius: &Radius<F>,
    visit: impl FnMut(usize, u32) -> bool,
) {
    // SAFETY: the caller has AVX-512, which is what `V` needs.
    unsafe { by_dimension::<F, V>(a, stride, rows, b, radius, visit) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,bmi1")]
fn avx2<F: Blocks, V: Vector<F>>(
    a: &[F],
    stride: usize,
    rows: u32,
    b: &[F],
    radius: &Radius<F>,
    visit: impl FnMut(usize, u32) -> bool,
) {
    // SAFETY: the caller has AVX2, which is what `V` needs.
    unsafe { by_dimension::<F, V>(a, stride, rows, b, radius, visit) }
}

/// The body with the dimension as a constant where it is small, so that the inner loop is unrolled.
///
/// # Safety
/// `V` is a register of this machine.
#[inline(always)]
unsafe fn by_dimension<F: Blocks, V: Vector<F>>(
    a: &[F],
    stride: usize,
    rows: u32,
    b: &[F],
    radius: &Radius<F>,
    visit: impl FnMut(usize, u32) -> bool,
) {
    let d = b.len() / BLOCK;
    let highest = (u32::BITS - rows.leading_zeros()) as usize;
    assert!(
        a.len() == stride * d && b.len() == BLOCK * d && highest <= stride,
        "blocks of different dimension"
    );
    // SAFETY: both hold `d` columns, and every point of `rows` is in `a`; `V` is the caller's.
    unsafe {
        // A call for each stride and small dimension makes constants of them.
        match (stride, d) {
            (BLOCK, 2) => body::<F, V>(a, BLOCK, rows, b, 2, radius, visit),
            (BLOCK, 3) => body::<F, V>(a, BLOCK, rows, b, 3, radius, visit),
            (1, 2) => body::<F, V>(a, 1, rows, b, 2, radius, visit),
            (1, 3) => body::<F, V>(a, 1, rows, b, 3, radius, visit),
            _ => body::<F, V>(a, stride, rows, b, d, radius, visit),
        }
    }
}

/// # Safety
/// `a` has `stride d` places and `b` has `32 d`, the points of `rows` are below `stride`, and `V` is a register of this machine.
#[inline(always)]
unsafe fn body<F: Blocks, V: Vector<F>>(
    a: &[F],
    stride: usize,
    rows: u32,
    b: &[F],
    d: usize,
    radius: &Radius<F>,
    mut visit: impl FnMut(usize, u32) -> bool,
) {
    let (zero, to_inside, to_outside) =
        (V::splat(F::default()), V::splat(radius.inside), V::splat(radius.outside));
    for i in bits(rows) {
        let (mut inside, mut outside) = (0, 0);
        // As many registers at a time as hide the latency of an addition.
        let group = (BLOCK / V::LANES).min(4);
        for start in (0..BLOCK).step_by(group * V::LANES) {
            let mut sq = [zero; 4];
            for j in 0..d {
                // SAFETY: `j < d`, `i < stride`, and `group * V::LANES` divides 32, so all places are there.
                unsafe {
                    let x = V::splat(*a.get_unchecked(stride * j + i));
                    let column = b.as_ptr().add(BLOCK * j + start);
                    for (k, sq) in sq.iter_mut().take(group).enumerate() {
                        *sq = sq.add_sq_diff(x, V::load(column.add(k * V::LANES)));
                    }
                }
            }
            for (k, sq) in sq.iter().take(group).enumerate() {
                inside |= sq.at_most(to_inside) << (start + k * V::LANES);
                outside |= if F::EXACT { 0 } else { sq.at_most(to_outside) << (start + k * V::LANES) };
            }
        }
        let hits = if F::EXACT || inside == outside {
            inside
        } else {
            recheck(a, stride, i, b, radius, inside, outside)
        };
        if !visit(i, hits) {
            return;
        }
    }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn near_box_avx512<F: Blocks, V: Vector<F>>(a: &[F], bounds: &[f64], radius: &Radius<F>) -> u32 {
    // SAFETY: the caller has AVX-512, which is what `V` needs.
    unsafe { near_box::<F, V>(a, bounds, radius) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn near_box_avx2<F: Blocks, V: Vector<F>>(a: &[F], bounds: &[f64], radius: &Radius<F>) -> u32 {
    // SAFETY: the caller has AVX2, which is what `V` needs.
    unsafe { near_box::<F, V>(a, bounds, radius) }
}

/// # Safety
/// `V` is a register of this machine.
#[inline(always)]
unsafe fn near_box<F: Blocks, V: Vector<F>>(a: &[F], bounds: &[f64], radius: &Radius<F>) -> u32 {
    let d = bounds.len() / 2;
    assert!(a.len() == BLOCK * d, "a block and a box of different dimension");
    let (zero, to_outside) = (V::splat(F::default()), V::splat(radius.outside));
    let mut near = 0;
    for start in (0..BLOCK).step_by(V::LANES) {
        let mut sq = zero;
        for j in 0..d {
            let (lo, hi) = (V::splat(F::of_corner(bounds[j])), V::splat(F::of_corner(bounds[d + j])));
            // SAFETY: `32 d` floats stand in the block, and `V::LANES` divides 32.
            let x = unsafe { V::load(a.as_ptr().add(BLOCK * j + start)) };
            sq = sq.add_sq_diff(lo.sub(x).max(x.sub(hi)).max(zero), zero);
        }
        near |= sq.at_most(to_outside) << start;
    }
    near
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
    #[inline(always)]
    fn body<F: Blocks>(point: &[F], b: &[F]) -> [f64; BLOCK] {
        let mut sq = [0.0; BLOCK];
        for (&x, column) in point.iter().zip(b.chunks_exact(BLOCK)) {
            let x: f64 = x.into();
            for (sq, &y) in sq.iter_mut().zip(column) {
                let d = x - y.into();
                *sq += d * d;
            }
        }
        sq
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx512f,avx512vl")]
    fn avx512<F: Blocks>(point: &[F], b: &[F]) -> [f64; BLOCK] {
        body(point, b)
    }

    #[cfg(target_arch = "x86_64")]
    #[target_feature(enable = "avx2")]
    fn avx2<F: Blocks>(point: &[F], b: &[F]) -> [f64; BLOCK] {
        body(point, b)
    }

    match isa() {
        // SAFETY: `isa` names only instruction sets of this machine.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { avx512(point, b) },
        // SAFETY: as above.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { avx2(point, b) },
        _ => body(point, b),
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
    use crate::kernel::{Columns, available};
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Every path of this machine, as `(i, hits)` pairs.
    fn paths<F: Blocks>(a: &[F], rows: u32, b: &[F], radius: &Radius<F>) -> Vec<Vec<(usize, u32)>> {
        let collect = |isa| {
            let mut seen = Vec::new();
            F::each_hits_on(isa, a, BLOCK, rows, b, radius, |i, hits| {
                seen.push((i, hits));
                true
            });
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
