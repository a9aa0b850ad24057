//! Which of a run of points lie within a radius of one point, on 16-bit coordinates: the inner loop of the grid.
//!
//! A word holds two coordinates, one in each half, and a point is `W` words: one for two dimensions, two for three or four. Coordinates are
//! positions on a circle of 2^16 units: where two points are less than half of it apart on an axis, subtracting modulo 2^16 gives their
//! difference, and the sum of up to three squares fits a `u32`. Nothing is rounded, so all paths agree by construction.

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
    dispatch(EachNear::<W, false, _> { point, run: &run, band, marks: &[], mark: 0, visit });
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
    dispatch(EachNear::<W, true, _> { point, run: &run, band, marks, mark, visit });
}

/// Number of points of a run that are within the radius, or `None` where one is in the band.
#[inline]
pub(crate) fn count_near<const W: usize>(point: [u32; W], run: Run<'_, W>, band: Band) -> Option<u32> {
    dispatch(CountNear { point, run: &run, band })
}

struct EachNear<'a, const W: usize, const OTHER: bool, V> {
    point: [u32; W],
    run: &'a Run<'a, W>,
    band: Band,
    marks: &'a [u32],
    mark: u32,
    visit: V,
}

impl<const W: usize, const OTHER: bool, V: FnMut(usize, u32, u32) -> bool> Task
    for EachNear<'_, W, OTHER, V>
{
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { point, run, band, marks, mark, mut visit } = self;
        run.check();
        assert!(!OTHER || marks.len() >= run.end + PAD, "marks without padding");
        let (to_inside, to_outside) = (S::U32::splat(band.inside), S::U32::splat(band.outside));
        let (mark, none) = (S::U32::splat(mark), S::U32::splat(u32::MAX));
        let point = point.map(S::U32::splat);
        let mut first = run.start;
        while first < run.end {
            let mut here = lanes_left::<S>(first, run.end);
            if OTHER {
                // SAFETY: a register at `first` ends within the padding.
                let theirs = unsafe { S::U32::read(marks.as_ptr().add(first)) };
                here &= !(theirs.equal(mark) | theirs.equal(none));
            }
            if !OTHER || here != 0 {
                // SAFETY: as above.
                let sq = unsafe { sq_distances::<S, W>(&point, run, first) };
                let outside = sq.at_most(to_outside) & here;
                if outside != 0 {
                    let inside = sq.at_most(to_inside) & here;
                    if !visit(first, inside, outside & !inside) {
                        return;
                    }
                }
            }
            first += S::U32::N;
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
    use crate::kernel::simd::{available, dispatch_on};
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
                let visit = |first, within, between| {
                    assert_eq!(within & between, 0);
                    inside.extend(bits(within).map(|i| first + i));
                    outside.extend(bits(within | between).map(|i| first + i));
                    true
                };
                dispatch_on(
                    set,
                    EachNear::<W, false, _> { point, run: &run, band, marks: &[], mark: 0, visit },
                );
                assert_eq!((&inside, &outside), (&within(band.inside), &within(band.outside)), "n = {n}");
                let visit = |first, within, _| {
                    others.extend(bits(within).map(|i| first + i));
                    true
                };
                dispatch_on(
                    set,
                    EachNear::<W, true, _> { point, run: &run, band, marks: &marks, mark: 6, visit },
                );
                inside.retain(|i| i % 3 == 0);
                assert_eq!(others, inside, "n = {n}");
                let told = within(band.inside).len() == within(band.outside).len();
                assert_eq!(
                    dispatch_on(set, CountNear { point, run: &run, band }),
                    told.then_some(outside.len() as u32)
                );
                let sharp = Band { inside: band.outside, outside: band.outside };
                assert_eq!(
                    dispatch_on(set, CountNear { point, run: &run, band: sharp }),
                    Some(outside.len() as u32)
                );
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
