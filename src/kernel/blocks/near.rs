//! Which of a run of points lie within a radius of one point, on 16-bit coordinates: the inner loop of the grid.
//!
//! A word holds two coordinates, one in each half, and a point is `W` words: one for two dimensions, two for three or four. Coordinates are
//! positions on a circle of 2^16 units: where two points are less than half of it apart on an axis, subtracting modulo 2^16 gives their
//! difference, and the sum of up to three squares fits a `u32`. Nothing is rounded, so all paths agree by construction.

#[cfg(target_arch = "x86_64")]
use std::arch::x86_64::{
    __m256i, __m512i, _mm256_add_epi32, _mm256_castsi256_ps, _mm256_cmpeq_epi32, _mm256_loadu_si256,
    _mm256_madd_epi16, _mm256_min_epu32, _mm256_movemask_ps, _mm256_set1_epi32, _mm256_sub_epi16,
    _mm512_add_epi32, _mm512_cmpeq_epi32_mask, _mm512_cmple_epu32_mask, _mm512_loadu_si512,
    _mm512_madd_epi16, _mm512_set1_epi32, _mm512_sub_epi16,
};

use crate::kernel::{Isa, isa};

/// Entries that must follow a run in its columns, so that the last register can be read whole.
pub(crate) const PAD: usize = 16;

/// A radius on a scale of whole units, with a band in which the scale is too coarse to tell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Band {
    /// A sum of squares up to here is within the radius.
    pub(crate) inside: u32,
    /// A sum above this is not.
    pub(crate) outside: u32,
}

/// Which points of a run are looked at.
#[derive(Clone, Copy)]
pub(crate) struct Run<'a, const W: usize> {
    /// The words of all points.
    pub(crate) columns: [&'a [u32]; W],
    /// The first point of the run, and the one behind its last.
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl<const W: usize> Run<'_, W> {
    /// # Panics
    /// When a column ends less than [`PAD`] entries behind the run.
    #[inline(always)]
    fn check(&self) {
        assert!(self.columns.iter().all(|column| column.len() >= self.end + PAD), "a run without padding");
    }
}

/// Calls `visit(first, inside, between)` for up to 16 points `first, first + 1, ..` of a run at a time: bit `i` of `inside` is set where point
/// `first + i` is within the radius of `point`, of `between` where that cannot be told. Where there are neither, it is not called; it stops
/// the search by returning false.
#[inline]
pub(crate) fn each_near<const W: usize>(
    point: [u32; W],
    run: Run<'_, W>,
    band: Band,
    visit: impl FnMut(usize, u32, u32) -> bool,
) {
    each_near_on::<W, false>(isa(), point, run, band, &[], 0, visit);
}

/// The same for those points alone whose mark is neither `mark` nor all ones.
#[inline]
pub(crate) fn each_near_other<const W: usize>(
    point: [u32; W],
    run: Run<'_, W>,
    band: Band,
    marks: &[u32],
    mark: u32,
    visit: impl FnMut(usize, u32, u32) -> bool,
) {
    each_near_on::<W, true>(isa(), point, run, band, marks, mark, visit);
}

/// Number of points of a run that are within the radius, or `None` where one is in the band.
#[inline]
pub(crate) fn count_near<const W: usize>(point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    count_near_on(isa(), point, run, band)
}

#[inline]
fn each_near_on<const W: usize, const OTHER: bool>(
    set: Isa,
    point: [u32; W],
    run: Run<'_, W>,
    band: Band,
    marks: &[u32],
    mark: u32,
    visit: impl FnMut(usize, u32, u32) -> bool,
) {
    run.check();
    assert!(!OTHER || marks.len() >= run.end + PAD, "marks without padding");
    // Nothing above `isa()` is chosen, and that exists on this machine.
    match set.min(isa()) {
        // SAFETY: the instruction set exists, and what is read is long enough, as was just checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { each_avx512::<W, OTHER>(point, run, band, marks, mark, visit) },
        // SAFETY: the instruction set exists, and what is read is long enough, as was just checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { each_avx2::<W, OTHER>(point, run, band, marks, mark, visit) },
        // SAFETY: what is read is long enough, as was just checked.
        _ => unsafe { each_body::<Plain, W, OTHER>(point, run, band, marks, mark, visit) },
    }
}

fn count_near_on<const W: usize>(set: Isa, point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    run.check();
    match set.min(isa()) {
        // SAFETY: the instruction set exists, and what is read is long enough, as was just checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx512 => unsafe { count_avx512::<W>(point, run, band) },
        // SAFETY: the instruction set exists, and what is read is long enough, as was just checked.
        #[cfg(target_arch = "x86_64")]
        Isa::Avx2 => unsafe { count_avx2::<W>(point, run, band) },
        // SAFETY: what is read is long enough, as was just checked.
        _ => unsafe { count_body::<Plain, W>(point, run, band) },
    }
}

/// # Safety
/// AVX-512 exists, and columns and marks are [`PAD`] entries longer than the run.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt,bmi1")]
unsafe fn each_avx512<const W: usize, const OTHER: bool>(
    point: [u32; W],
    run: Run<'_, W>,
    band: Band,
    marks: &[u32],
    mark: u32,
    visit: impl FnMut(usize, u32, u32) -> bool,
) {
    // SAFETY: the caller's promises.
    unsafe { each_body::<__m512i, W, OTHER>(point, run, band, marks, mark, visit) }
}

/// # Safety
/// AVX2 exists, and columns and marks are [`PAD`] entries longer than the run.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,bmi1")]
unsafe fn each_avx2<const W: usize, const OTHER: bool>(
    point: [u32; W],
    run: Run<'_, W>,
    band: Band,
    marks: &[u32],
    mark: u32,
    visit: impl FnMut(usize, u32, u32) -> bool,
) {
    // SAFETY: the caller's promises.
    unsafe { each_body::<__m256i, W, OTHER>(point, run, band, marks, mark, visit) }
}

/// # Safety
/// `V` is a register of this machine, and columns and marks, if `OTHER`, are [`PAD`] entries longer than the run.
#[inline(always)]
unsafe fn each_body<V: Words, const W: usize, const OTHER: bool>(
    point: [u32; W],
    run: Run<'_, W>,
    band: Band,
    marks: &[u32],
    mark: u32,
    mut visit: impl FnMut(usize, u32, u32) -> bool,
) {
    let (to_inside, to_outside) = (V::splat(band.inside), V::splat(band.outside));
    let (mark, none) = (V::splat(mark), V::splat(u32::MAX));
    let point = point.map(V::splat);
    let mut first = run.start;
    while first < run.end {
        let mut here = lanes_left::<V>(first, run.end);
        if OTHER {
            // SAFETY: a register at `first` ends within the padding.
            let theirs = unsafe { V::load(marks.as_ptr().add(first)) };
            here &= !(theirs.equal(mark) | theirs.equal(none));
        }
        if !OTHER || here != 0 {
            // SAFETY: as above.
            let sq = unsafe { sq_distances::<V, W>(&point, &run, first) };
            let outside = sq.at_most(to_outside) & here;
            if outside != 0 {
                let inside = sq.at_most(to_inside) & here;
                if !visit(first, inside, outside & !inside) {
                    return;
                }
            }
        }
        first += V::LANES;
    }
}

/// # Safety
/// AVX-512 exists, and the columns are [`PAD`] entries longer than the run.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,popcnt,bmi1")]
unsafe fn count_avx512<const W: usize>(point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    // SAFETY: the caller's promises.
    unsafe { count_body::<__m512i, W>(point, run, band) }
}

/// # Safety
/// AVX2 exists, and the columns are [`PAD`] entries longer than the run.
#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,popcnt,bmi1")]
unsafe fn count_avx2<const W: usize>(point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    // SAFETY: the caller's promises.
    unsafe { count_body::<__m256i, W>(point, run, band) }
}

/// # Safety
/// `V` is a register of this machine, and the columns are [`PAD`] entries longer than the run.
#[inline(always)]
unsafe fn count_body<V: Words, const W: usize>(point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    let (to_inside, to_outside) = (V::splat(band.inside), V::splat(band.outside));
    let point = point.map(V::splat);
    let (mut n_inside, mut n_outside) = (0, 0);
    let mut first = run.start;
    while first < run.end {
        // SAFETY: `first` is in the run, and a register is at most as long as the padding behind it.
        let sq = unsafe { sq_distances::<V, W>(&point, &run, first) };
        let here = lanes_left::<V>(first, run.end);
        n_inside += (sq.at_most(to_inside) & here).count_ones();
        n_outside += (sq.at_most(to_outside) & here).count_ones();
        first += V::LANES;
    }
    (n_inside == n_outside).then_some(n_inside)
}

/// # Safety
/// `V` is a register of this machine, and all columns can be read for one register from `first` on.
#[inline(always)]
unsafe fn sq_distances<V: Words, const W: usize>(point: &[V; W], run: &Run<'_, W>, first: usize) -> V {
    let mut sq = V::splat(0);
    for (x, column) in point.iter().zip(run.columns) {
        // SAFETY: the caller's promise.
        sq = sq.add_sq_diff(*x, unsafe { V::load(column.as_ptr().add(first)) });
    }
    sq
}

/// The lanes of a register at `first` that lie before `end`.
#[inline(always)]
fn lanes_left<V: Words>(first: usize, end: usize) -> u32 {
    u32::MAX >> (32 - (end - first).min(V::LANES))
}

/// A register of `LANES` words.
///
/// # Safety
/// `LANES` is at most [`PAD`], and the methods may run only where the instruction set of the register exists.
unsafe trait Words: Copy {
    const LANES: usize;

    fn splat(x: u32) -> Self;

    /// # Safety
    /// `LANES` words are readable at `x`.
    unsafe fn load(x: *const u32) -> Self;

    /// `self` and the squared differences of both halves.
    fn add_sq_diff(self, a: Self, b: Self) -> Self;

    /// Bit `i` is set where lane `i` is at most the bound, unsigned.
    fn at_most(self, bound: Self) -> u32;

    /// Bit `i` is set where both lanes `i` are equal.
    fn equal(self, other: Self) -> u32;
}

#[derive(Clone, Copy)]
struct Plain([u32; 8]);

// SAFETY: plain Rust runs everywhere.
unsafe impl Words for Plain {
    const LANES: usize = 8;

    #[inline(always)]
    fn splat(x: u32) -> Self {
        Self([x; 8])
    }

    #[inline(always)]
    unsafe fn load(x: *const u32) -> Self {
        // SAFETY: the caller vouches for 8 words; an array has the alignment of its elements.
        Self(unsafe { *x.cast::<[u32; 8]>() })
    }

    #[inline(always)]
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "halves of a word")]
    fn add_sq_diff(mut self, a: Self, b: Self) -> Self {
        for i in 0..8 {
            let low = i32::from((a.0[i] as i16).wrapping_sub(b.0[i] as i16));
            let high = i32::from(((a.0[i] >> 16) as i16).wrapping_sub((b.0[i] >> 16) as i16));
            self.0[i] = self.0[i].wrapping_add((low * low) as u32).wrapping_add((high * high) as u32);
        }
        self
    }

    #[inline(always)]
    fn at_most(self, bound: Self) -> u32 {
        let mut mask = 0;
        for i in 0..8 {
            mask |= u32::from(self.0[i] <= bound.0[i]) << i;
        }
        mask
    }

    #[inline(always)]
    fn equal(self, other: Self) -> u32 {
        let mut mask = 0;
        for i in 0..8 {
            mask |= u32::from(self.0[i] == other.0[i]) << i;
        }
        mask
    }
}

#[cfg(target_arch = "x86_64")]
#[allow(clippy::cast_possible_wrap, clippy::cast_sign_loss, reason = "words are bits")]
mod x86 {
    use super::*;

    // SAFETY: 16 lanes; only the wrapper with AVX-512 uses it.
    unsafe impl Words for __m512i {
        const LANES: usize = 16;

        #[inline(always)]
        fn splat(x: u32) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm512_set1_epi32(x as i32) }
        }

        #[inline(always)]
        unsafe fn load(x: *const u32) -> Self {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm512_loadu_si512(x.cast()) }
        }

        #[inline(always)]
        fn add_sq_diff(self, a: Self, b: Self) -> Self {
            // SAFETY: see the impl.
            unsafe {
                let d = _mm512_sub_epi16(a, b);
                _mm512_add_epi32(self, _mm512_madd_epi16(d, d))
            }
        }

        #[inline(always)]
        fn at_most(self, bound: Self) -> u32 {
            // SAFETY: see the impl.
            u32::from(unsafe { _mm512_cmple_epu32_mask(self, bound) })
        }

        #[inline(always)]
        fn equal(self, other: Self) -> u32 {
            // SAFETY: see the impl.
            u32::from(unsafe { _mm512_cmpeq_epi32_mask(self, other) })
        }
    }

    // SAFETY: 8 lanes; only the wrapper with AVX2 uses it.
    unsafe impl Words for __m256i {
        const LANES: usize = 8;

        #[inline(always)]
        fn splat(x: u32) -> Self {
            // SAFETY: see the impl.
            unsafe { _mm256_set1_epi32(x as i32) }
        }

        #[inline(always)]
        unsafe fn load(x: *const u32) -> Self {
            // SAFETY: see the impl; the caller vouches for the address.
            unsafe { _mm256_loadu_si256(x.cast()) }
        }

        #[inline(always)]
        fn add_sq_diff(self, a: Self, b: Self) -> Self {
            // SAFETY: see the impl.
            unsafe {
                let d = _mm256_sub_epi16(a, b);
                _mm256_add_epi32(self, _mm256_madd_epi16(d, d))
            }
        }

        #[inline(always)]
        fn at_most(self, bound: Self) -> u32 {
            // SAFETY: see the impl. There is no unsigned comparison before AVX-512.
            unsafe { _mm256_min_epu32(self, bound) }.equal(self)
        }

        #[inline(always)]
        fn equal(self, other: Self) -> u32 {
            // SAFETY: see the impl.
            unsafe { _mm256_movemask_ps(_mm256_castsi256_ps(_mm256_cmpeq_epi32(self, other))) as u32 }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::{available, bits};
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    fn agrees<const W: usize>() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(9);
        for n in 0..=70 {
            // Differences stay below 2^15 in up to three halves, around the wrap of the circle.
            let mut draw = |half: u32| ((rng.gen_range(0..30_000_u32) + 50_000) % 65_536) << (16 * half);
            let mut word = |w: usize| draw(0) | if w == 0 { draw(1) } else { 0 };
            let columns: [Vec<u32>; W] = std::array::from_fn(|w| (0..n + PAD).map(|_| word(w)).collect());
            let point: [u32; W] = std::array::from_fn(&mut word);
            let sq = |i: usize| {
                (0..W).fold(0, |sq: i64, w| {
                    let half = |shift: u32| {
                        let on_line = |x: u32| i64::from(((x >> shift & 0xffff) + 15_536) % 65_536);
                        (on_line(point[w]) - on_line(columns[w][i])).pow(2)
                    };
                    sq + half(0) + half(16)
                })
            };
            let band = Band { inside: 200_000_000, outside: 300_000_000 };
            let from = n / 3;
            let within = |bound: u32| (from..n).filter(|&i| sq(i) <= i64::from(bound)).collect::<Vec<_>>();
            let run = Run { columns: columns.each_ref().map(Vec::as_slice), start: from, end: n };
            let marks: Vec<u32> = (0..n + PAD).map(|i| [5, 6, u32::MAX][i % 3]).collect();
            for set in available() {
                let (mut inside, mut outside, mut others) = (vec![], vec![], vec![]);
                each_near_on::<W, false>(set, point, run, band, &[], 0, |first, within, between| {
                    assert_eq!(within & between, 0);
                    inside.extend(bits(within).map(|i| first + i));
                    outside.extend(bits(within | between).map(|i| first + i));
                    true
                });
                assert_eq!((&inside, &outside), (&within(band.inside), &within(band.outside)), "n = {n}");
                each_near_on::<W, true>(set, point, run, band, &marks, 6, |first, within, _| {
                    others.extend(bits(within).map(|i| first + i));
                    true
                });
                inside.retain(|i| i % 3 == 0);
                assert_eq!(others, inside, "n = {n}");
                let told = within(band.inside).len() == within(band.outside).len();
                assert_eq!(count_near_on(set, point, run, band), told.then_some(outside.len() as u32));
                let sharp = Band { inside: band.outside, outside: band.outside };
                assert_eq!(count_near_on(set, point, run, sharp), Some(outside.len() as u32));
            }
        }
    }

    #[test]
    fn every_path_finds_what_the_naive_loop_finds() {
        agrees::<1>();
        agrees::<2>();
    }

    #[test]
    fn the_visitor_can_stop() {
        let mut calls = 0;
        let band = Band { inside: 0, outside: 0 };
        each_near([7], Run { columns: [&[7; 80]], start: 0, end: 64 }, band, |_, _, _| {
            calls += 1;
            false
        });
        assert_eq!(calls, 1);
    }

    #[test]
    #[should_panic(expected = "padding")]
    fn a_run_without_padding_is_refused() {
        let run = Run { columns: [&[7; 64]], start: 0, end: 64 };
        each_near([7], run, Band { inside: 0, outside: 0 }, |_, _, _| true);
    }
}
