//! Which of a run of points lie within a radius of one point, on 16-bit coordinates: the inner loop of the grid.
//!
//! A word holds two coordinates, one in each half, and a point is `W` words: one for two dimensions, two for three or four. Coordinates are
//! positions on a circle of 2^16 units: where two points are less than half of it apart on an axis, subtracting modulo 2^16 gives their
//! difference, and the sum of up to three squares fits a `u32`. Nothing is rounded, so all paths agree by construction.

use std::ops::Range;

use crate::kernel::lanes::Words;
use crate::kernel::simd::{Simd, Task, dispatch};

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
    pub(super) fn check(&self) {
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
    dispatch(EachNear { point, run: &run, band, visit });
}

/// Some points in the band of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Between {
    /// The point.
    pub(crate) point: usize,
    /// Bit `i % 64` of word `i / 64` stands for point `i`.
    pub(crate) word: usize,
    pub(crate) bits: u64,
}

/// Words of 64 bits for a run of `n` points.
pub(crate) fn n_words(n: usize) -> usize {
    n.div_ceil(u64::BITS as usize)
}

/// Number of points of a run that are within the radius, or `None` where one is in the band.
#[inline]
pub(crate) fn count_near<const W: usize>(point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    dispatch(CountNear { point, run: &run, band })
}

/// Numbers that [`n_below`] looks at.
pub(crate) const LOOK: usize = 8;

/// How many of eight numbers are below a bound, all of 63 bits.
#[inline(always)]
pub(crate) fn n_below<S: Simd>(numbers: &[u64; LOOK], bound: u64) -> usize {
    S::U32::n_below(numbers, bound)
}

struct EachNear<'a, const W: usize, V> {
    point: [u32; W],
    run: &'a Run<'a, W>,
    band: Band,
    visit: V,
}

impl<const W: usize, V: FnMut(usize, u32, u32) -> bool> Task for EachNear<'_, W, V> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { point, run, band, mut visit } = self;
        run.check();
        let (to_inside, to_outside) = (S::U32::splat(band.inside), S::U32::splat(band.outside));
        let point = point.map(S::U32::splat);
        let mut first = run.start;
        while first < run.end {
            let here = lanes_left::<S>(first, run.end);
            // SAFETY: `first` is in the run, and a register is at most as long as the padding behind it.
            let sq = unsafe { sq_distances::<S, W>(&point, run, first) };
            let outside = sq.at_most(to_outside) & here;
            if outside != 0 {
                let inside = sq.at_most(to_inside) & here;
                if !visit(first, inside, outside & !inside) {
                    return;
                }
            }
            first += S::U32::N;
        }
    }
}

/// For each of `points` of a run, which points of the run are within the radius: bit `i % 64` of word `i / 64` of its [`n_words`] words of `hits` is
/// set for point `i`. Bits of points in the band are set too, and put into `between`.
#[inline(always)]
pub(crate) fn hits_among<S: Simd, const W: usize>(
    points: Range<usize>,
    run: Run<'_, W>,
    band: Band,
    hits: &mut [u64],
    between: &mut Vec<Between>,
) {
    // Of few registers, their number is a constant: points are too few to learn where a loop over them ends.
    match run.end.div_ceil(S::U32::N) {
        1 => hits_among_few::<S, W, 1>(points, run, band, hits, between),
        2 => hits_among_few::<S, W, 2>(points, run, band, hits, between),
        3 => hits_among_few::<S, W, 3>(points, run, band, hits, between),
        4 => hits_among_few::<S, W, 4>(points, run, band, hits, between),
        _ => hits_among_few::<S, W, 0>(points, run, band, hits, between),
    }
}

/// The same, with the number of registers, or 0 for any number.
#[inline(always)]
fn hits_among_few<S: Simd, const W: usize, const FEW: usize>(
    points: Range<usize>,
    run: Run<'_, W>,
    band: Band,
    hits: &mut [u64],
    between: &mut Vec<Between>,
) {
    run.check();
    let n_words = if FEW > 0 { 1 } else { n_words(run.end) };
    assert!(run.start == 0 && points.end <= run.end && hits.len() == points.len() * n_words);
    assert!(FEW == 0 || FEW == run.end.div_ceil(S::U32::N));
    let (to_inside, to_outside) = (S::U32::splat(band.inside), S::U32::splat(band.outside));
    for (i, hits) in points.zip(hits.chunks_exact_mut(n_words.max(1))) {
        let point = run.columns.map(|column| S::U32::splat(column[i]));
        for (word, to) in hits.iter_mut().enumerate() {
            let from = word * 64;
            let n = if FEW > 0 { FEW * S::U32::N } else { 64.min(run.end - from) };
            let (mut inside, mut outside) = (0, 0);
            for at in (0..n).step_by(S::U32::N) {
                // SAFETY: `from + at` is in the run, and a register is at most as long as the padding behind it.
                let sq = unsafe { sq_distances::<S, W>(&point, &run, from + at) };
                inside |= u64::from(sq.at_most(to_inside)) << at;
                outside |= u64::from(sq.at_most(to_outside)) << at;
            }
            let here = u64::MAX >> (64 - 64.min(run.end - from));
            *to = outside & here;
            let bits = (inside ^ outside) & here;
            if bits != 0 {
                between.push(Between { point: i, word, bits });
            }
        }
    }
}

/// Calls `union(own, other)` until no hit of one of `points` is of another set than it: where their marks differ, and neither is all ones, which stands for no set.
/// The other mark becomes the own everywhere.
///
/// `hits` are those of the points from `first` on, `n_words` words each, and `marks` a mark for each bit of as many words, or of fewer.
#[inline(always)]
pub(crate) fn join_hits<S: Simd>(
    points: Range<usize>,
    first: usize,
    (hits, n_words): (&[u64], usize),
    marks: &mut [u32],
    mut union: impl FnMut(u32, u32),
) {
    let none = S::U32::splat(u32::MAX);
    let n_marked = n_words.min(marks.len() / 64);
    for i in points {
        let own = marks[i];
        if own == u32::MAX {
            continue;
        }
        let mark = S::U32::splat(own);
        let hits = &hits[(i - first) * n_words..][..n_marked];
        for (word, &hits) in hits.iter().enumerate() {
            for at in (0..64).step_by(S::U32::N) {
                let hits = hits >> at & (u64::MAX >> (64 - S::U32::N));
                if hits == 0 {
                    continue;
                }
                loop {
                    // SAFETY: there are `64 n_marked` marks and more, and `N` divides 64.
                    let theirs = unsafe { S::U32::read(marks.as_ptr().add(64 * word + at)) };
                    let same = theirs.equal(mark) | theirs.equal(none);
                    let others = hits & u64::from(!same);
                    if others == 0 {
                        break;
                    }
                    let other = marks[64 * word + at + others.trailing_zeros() as usize];
                    union(own, other);
                    let mut others = false;
                    for mark in &mut *marks {
                        *mark = if *mark == other { own } else { *mark };
                        others |= *mark != own && *mark != u32::MAX;
                    }
                    if !others {
                        // All are of one set, as they soon are in dense data.
                        return;
                    }
                }
            }
        }
    }
}

struct CountNear<'a, const W: usize> {
    point: [u32; W],
    run: &'a Run<'a, W>,
    band: Band,
}

impl<const W: usize> Task for CountNear<'_, W> {
    type Output = Option<u32>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Option<u32> {
        let Self { point, run, band } = self;
        run.check();
        let (to_inside, to_outside) = (S::U32::splat(band.inside), S::U32::splat(band.outside));
        let point = point.map(S::U32::splat);
        let (mut n_inside, mut n_outside) = (0, 0);
        let mut first = run.start;
        while first < run.end {
            // SAFETY: `first` is in the run, and a register is at most as long as the padding behind it.
            let sq = unsafe { sq_distances::<S, W>(&point, run, first) };
            let here = lanes_left::<S>(first, run.end);
            n_inside += (sq.at_most(to_inside) & here).count_ones();
            n_outside += (sq.at_most(to_outside) & here).count_ones();
            first += S::U32::N;
        }
        (n_inside == n_outside).then_some(n_inside)
    }
}

/// # Safety
/// All columns can be read for one register from `first` on.
#[inline(always)]
unsafe fn sq_distances<S: Simd, const W: usize>(
    point: &[S::U32; W],
    run: &Run<'_, W>,
    first: usize,
) -> S::U32 {
    let mut sq = S::U32::splat(0);
    for (x, column) in point.iter().zip(run.columns) {
        // SAFETY: the caller's promise.
        sq = sq.add_sq_diff_of_halves(*x, unsafe { S::U32::read(column.as_ptr().add(first)) });
    }
    sq
}

/// The lanes of a register at `first` that lie before `end`.
#[inline(always)]
fn lanes_left<S: Simd>(first: usize, end: usize) -> u32 {
    u32::MAX >> (32 - (end - first).min(S::U32::N))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::bits;
    use crate::kernel::simd::{available, dispatch_on, tested};
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    /// Random points, some hundred units to a word's half, and the squared distance of two of them.
    ///
    /// Differences stay below 2^15 in up to three halves, around the wrap of the circle.
    fn points<const W: usize>(n: usize) -> [Vec<u32>; W] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(n as u64);
        let mut draw = |half: u32| ((rng.gen_range(0..30_000_u32) + 50_000) % 65_536) << (16 * half);
        std::array::from_fn(|w| (0..n).map(|_| draw(0) | if w == 0 { draw(1) } else { 0 }).collect())
    }

    fn sq<const W: usize>(columns: &[Vec<u32>; W], a: usize, b: usize) -> i64 {
        let on_line = |x: u32| i64::from((x % 65_536 + 15_536) % 65_536);
        let sq_diff = |x, y| (on_line(x) - on_line(y)).pow(2);
        columns.iter().map(|c| sq_diff(c[a], c[b]) + sq_diff(c[a] >> 16, c[b] >> 16)).sum()
    }

    struct HitsAmong<'a, const W: usize> {
        points: Range<usize>,
        run: Run<'a, W>,
        hits: &'a mut [u64],
        between: &'a mut Vec<Between>,
    }

    impl<const W: usize> Task for HitsAmong<'_, W> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            hits_among::<S, W>(self.points, self.run, BAND, self.hits, self.between);
        }
    }

    struct JoinHits<'a, U> {
        points: Range<usize>,
        first: usize,
        hits: (&'a [u64], usize),
        marks: &'a mut [u32],
        union: U,
    }

    impl<U: FnMut(u32, u32)> Task for JoinHits<'_, U> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            join_hits::<S>(self.points, self.first, self.hits, self.marks, self.union);
        }
    }

    const BAND: Band = Band { inside: 200_000_000, outside: 300_000_000 };

    fn agrees_near<const W: usize>() {
        for n in tested(0..=70) {
            let columns = points::<W>(n + PAD + 1);
            // The point itself is the last, behind the padding.
            let own = n + PAD;
            let point = columns.each_ref().map(|column| column[own]);
            let from = n / 3;
            let within = |bound: u32| {
                (from..n).filter(|&i| sq(&columns, own, i) <= i64::from(bound)).collect::<Vec<_>>()
            };
            let run = Run { columns: columns.each_ref().map(Vec::as_slice), start: from, end: n };
            for set in available() {
                let (mut inside, mut outside) = (vec![], vec![]);
                let visit = |first, within, between| {
                    assert_eq!(within & between, 0);
                    inside.extend(bits(within).map(|i| first + i));
                    outside.extend(bits(within | between).map(|i| first + i));
                    true
                };
                dispatch_on(set, EachNear { point, run: &run, band: BAND, visit });
                assert_eq!((&inside, &outside), (&within(BAND.inside), &within(BAND.outside)), "n = {n}");
                let told = inside.len() == outside.len();
                assert_eq!(
                    dispatch_on(set, CountNear { point, run: &run, band: BAND }),
                    told.then_some(outside.len() as u32)
                );
                let sharp = Band { inside: BAND.outside, ..BAND };
                assert_eq!(
                    dispatch_on(set, CountNear { point, run: &run, band: sharp }),
                    Some(outside.len() as u32)
                );
            }
        }
    }

    fn agrees_among<const W: usize>() {
        for n in tested(0..=200) {
            let columns = points::<W>(n + PAD);
            let run = Run { columns: columns.each_ref().map(Vec::as_slice), start: 0, end: n };
            let of = n / 4..n / 4 + n / 5;
            let expected: Vec<(usize, usize)> = of
                .clone()
                .flat_map(|i| (0..n).map(move |j| (i, j)))
                .filter(|&(i, j)| sq(&columns, i, j) <= i64::from(BAND.outside))
                .collect();
            let mut doubtful = expected.clone();
            doubtful.retain(|&(i, j)| sq(&columns, i, j) > i64::from(BAND.inside));
            // Three sets, and points of none; nothing has a mark from the middle on.
            let mut marks: Vec<u32> = (0..n as u32).map(|i| [5, 6, u32::MAX, 7, 6][i as usize % 5]).collect();
            marks[n / 2..].fill(u32::MAX);
            marks.resize(n_words(n / 2) * 64, u32::MAX);
            for set in available() {
                let (mut hits, mut between) = (vec![7; of.len() * n_words(n)], vec![]);
                let (points, hits_to) = (of.clone(), &mut hits);
                let task = HitsAmong { points, run, hits: hits_to, between: &mut between };
                dispatch_on(set, task);
                let of_word = |to: &Between| {
                    let Between { point, word, bits } = *to;
                    (0..64).filter(move |bit| bits >> bit & 1 == 1).map(move |bit| (point, 64 * word + bit))
                };
                assert_eq!(between.iter().flat_map(of_word).collect::<Vec<_>>(), doubtful, "n = {n}");
                let is_set =
                    |i: usize, j: usize| hits[(i - of.start) * n_words(n) + j / 64] >> (j % 64) & 1 == 1;
                let found: Vec<(usize, usize)> = of
                    .clone()
                    .flat_map(|i| (0..64 * n_words(n)).map(move |j| (i, j)))
                    .filter(|&(i, j)| is_set(i, j))
                    .collect();
                assert_eq!(found, expected, "n = {n}");
                let (mut joined, mut unions) = (marks.clone(), vec![]);
                let task = JoinHits {
                    points: of.start..of.end.min(n / 2),
                    first: of.start,
                    hits: (&hits, n_words(n)),
                    marks: &mut joined,
                    union: |own, other| unions.push((own, other)),
                };
                dispatch_on(set, task);
                let (mut expected_marks, mut expected_unions) = (marks.clone(), vec![]);
                for &(i, j) in expected.iter().filter(|&&(i, j)| i.max(j) < n / 2) {
                    let (own, other) = (expected_marks[i], expected_marks[j]);
                    if own != other && own.max(other) != u32::MAX {
                        expected_unions.push((own, other));
                        let others = expected_marks.iter_mut().filter(|mark| **mark == other);
                        others.for_each(|mark| *mark = own);
                    }
                }
                assert_eq!((joined, unions), (expected_marks, expected_unions), "n = {n}");
            }
        }
    }

    #[test]
    fn every_path_finds_what_the_naive_loop_finds() {
        agrees_near::<1>();
        agrees_near::<2>();
        agrees_among::<1>();
        agrees_among::<2>();
    }

    #[test]
    fn the_visitor_can_stop() {
        let mut calls = 0;
        let band = Band { inside: 0, outside: 0 };
        let run = Run { columns: [&[7; 80]], start: 0, end: 64 };
        let visit = |_, _, _| {
            calls += 1;
            false
        };
        dispatch(EachNear { point: [7], run: &run, band, visit });
        assert_eq!(calls, 1);
    }

    #[test]
    #[should_panic(expected = "padding")]
    fn a_run_without_padding_is_refused() {
        let run = Run { columns: [&[7; 64]], start: 0, end: 64 };
        let band = Band { inside: 0, outside: 0 };
        dispatch(EachNear { point: [7], run: &run, band, visit: |_, _, _| true });
    }
}
