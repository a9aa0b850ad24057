//! Points in the order of the cells that they lie in.
//!
//! # The scale
//! On each axis, `position(x) = round((x - lowest) * scale) + CELL`, with `scale = (CELL - 2) / eps`: whole units, `CELL = 2^14` of them to the side of a
//! cell. Rounding moves a point by half a unit, so the difference of two positions is less than one unit (and a hundredth for the arithmetic in
//! `f64`, positions being less than 2^45) off the true difference in units. Hence
//! - points within `eps` differ by less than `CELL` units on every axis, so their cells are the same or neighbours;
//! - points of one sub-cell, half as long as a cell, are within `sqrt(3) CELL / 2 + 2 < CELL - 2` units and so within `eps`, in up to three dimensions;
//! - points of neighbouring cells differ by less than `2 CELL = 2^15`, so the low 16 bits of positions tell their difference;
//! - a distance in units is less than `1.01 sqrt(d)` off the true one: outside this band whole numbers decide, inside it the input does.
//!
//! Pixels, colours and other lattices have many pairs at exactly `eps`, all inside the band. Where all coordinates are multiples of a power of two,
//! `step`, not much finer than `eps`, `scale` is the largest whole number of units per step instead: positions are exact, and so is the squared
//! distance, `(units per step)^2` times a whole number that the input leaves no doubt of. The band is empty then.
//!
//! # The order
//! The key of a cell is its number on each axis, the first axis in the lowest bits. So a cell and its neighbours along the first axis are a run of
//! keys, and all neighbours are `3^(d-1)` runs. Numbers begin at 1 and leave one free at the end: a run never wraps around.
//!
//! Points are sorted in two steps, both in the cache. The high bits of a key choose a *bucket*, of some thousand points, by a table that was made from a
//! sample; each chunk of rows is put in the order of buckets. Then each bucket is fetched from all chunks and sorted digit by digit. Points of one
//! sub-cell stay in the order of rows.

use std::ops::Range;

use crate::float::Float;
use crate::kernel::{Band, Fill, LOOK, PAD, Room, Run};
use crate::par;

/// Units of a cell's side, as a power of two.
const CELL_BITS: u32 = 14;
const CELL: f64 = (1 << CELL_BITS) as f64;

/// Bits of a key that choose a bucket, at most.
const TABLE_BITS: u32 = 14;

/// Points of a bucket, about, at least.
const BUCKET: usize = 4096;

/// One point in so many, or fewer, tells where the buckets are.
const SAMPLE: usize = 31;

/// Points of a chunk of rows: with their keys they stay in the cache.
const CHUNK: usize = 1 << 15;

/// Points of two cells up to which they are searched together.
const TOGETHER: usize = 24;

/// About the number of parts into which the grid is cut.
const PARTS: usize = 128;

/// Points of a part of the grid, about, at most.
const PART: usize = 1 << 16;

/// Points, cells and sub-cells, each in the order of keys.
#[derive(Debug)]
pub(super) struct Grid<const W: usize> {
    /// The low 16 bits of positions, two to a word, with [`PAD`] entries behind the last point.
    pub(super) columns: [Vec<u32>; W],
    /// The input row of each point.
    pub(super) rows: Vec<u32>,
    /// The key of each cell, and [`LOOK`] above all: more than the four cells around two in a row.
    pub(super) keys: Vec<u64>,
    /// The first point of each cell, and their number.
    starts: Vec<u32>,
    /// The first sub-cell of each cell, and their number.
    cells: Vec<u32>,
    /// The first point of each sub-cell, and their number.
    subs: Vec<u32>,
    /// Runs of cells with about as many points each.
    pub(super) parts: Vec<Range<usize>>,
    /// From the key of a cell to those of the rows of its neighbours, ascending.
    pub(super) offsets: Vec<u64>,
    pub(super) band: Band,
}

impl<const W: usize> Grid<W> {
    /// The points of a run of cells.
    #[inline]
    pub(super) fn points(&self, cells: Range<usize>) -> Range<usize> {
        self.starts[cells.start] as usize..self.starts[cells.end] as usize
    }

    /// The sub-cells of a run of cells.
    #[inline]
    pub(super) fn subs(&self, cells: Range<usize>) -> Range<usize> {
        self.cells[cells.start] as usize..self.cells[cells.end] as usize
    }

    /// Cells one by one, or two by two where they are neighbours of one row with few points: what lies around them is fetched once then.
    ///
    /// Two cells and those around are four in a row. A difference of more than two cells, up to three, comes out of 16 bits as one of more than one cell to
    /// the other side: beyond `eps` as well.
    pub(super) fn together(&self, cells: Range<usize>) -> impl Iterator<Item = Range<usize>> {
        let mut next = cells.start;
        std::iter::from_fn(move || {
            let start = next;
            if start >= cells.end {
                return None;
            }
            next += 1;
            let two = next < cells.end
                && self.keys[next] == self.keys[start] + 1
                && self.points(start..next + 1).len() <= TOGETHER;
            next += usize::from(two);
            Some(start..next)
        })
    }

    /// The points of a sub-cell.
    #[inline]
    pub(super) fn sub(&self, sub: usize) -> Range<usize> {
        self.subs[sub] as usize..self.subs[sub + 1] as usize
    }

    /// A run of points as the kernels take it.
    #[inline]
    pub(super) fn run(&self, points: Range<usize>) -> Run<'_, W> {
        Run { columns: self.columns.each_ref().map(Vec::as_slice), start: points.start, end: points.end }
    }

    /// Number of sub-cells.
    pub(super) fn n_subs(&self) -> usize {
        self.subs.len() - 1
    }

    /// One point.
    #[inline]
    pub(super) fn point(&self, i: usize) -> [u32; W] {
        std::array::from_fn(|w| self.columns[w][i])
    }
}

/// How coordinates become positions, and positions keys.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale<const D: usize> {
    lowest: [f64; D],
    scale: f64,
    /// Bits of a cell number on each axis.
    bits: [u32; D],
    band: Band,
}

impl<const D: usize> Scale<D> {
    /// The scale for `eps`, or `None` where the keys of the cells do not fit 64 bits, or where not all points are finite.
    pub(super) fn new<F: Float>(records: &[F], eps: f64) -> Option<Self> {
        let (lowest, highest) = bounds::<F, D>(records)?;
        let lattice = lattice_step(records, eps);
        let (scale, band) = match lattice {
            Some(step) => on_lattice(step, eps),
            None => ((CELL - 2.0) / eps, Self::band()),
        };
        let mut bits = [0; D];
        for j in 0..D {
            let cells = (highest[j] - lowest[j]) * scale / CELL;
            // Above, positions would not be exact to a hundredth of a unit.
            if cells >= f64::from(1 << 30) || cells.is_nan() {
                return None;
            }
            // The cells `1..=cells + 1`, rounding, and one that stays free.
            bits[j] = (cells as u64 + 3).ilog2() + 1;
        }
        // Two bits are left, so that a key plus one row of cells is a number too.
        (bits.iter().sum::<u32>() + D as u32 <= 62).then_some(Self { lowest, scale, bits, band })
    }

    /// Bits of a whole key.
    fn key_bits(&self) -> u32 {
        self.bits.iter().sum::<u32>() + D as u32
    }

    #[inline(always)]
    fn position(&self, x: f64, j: usize) -> u64 {
        // Adding 2^52 leaves the rounded number in the low bits.
        const TWO_52: f64 = (1_u64 << 52) as f64;
        ((x - self.lowest[j]) * self.scale + (CELL + TWO_52)).to_bits() & ((1 << 52) - 1)
    }

    /// The key of a point: its cell's, then a bit for each axis that tells the sub-cell.
    #[inline(always)]
    fn key(&self, position: &[u64; D]) -> u64 {
        let (mut cell, mut sub) = (0, 0);
        for j in (0..D).rev() {
            cell = cell << self.bits[j] | position[j] >> CELL_BITS;
            sub = sub << 1 | position[j] >> (CELL_BITS - 1) & 1;
        }
        cell << D | sub
    }

    #[inline(always)]
    fn positions<F: Float>(&self, point: &[F; D]) -> [u64; D] {
        std::array::from_fn(|j| self.position(point[j].as_f64(), j))
    }

    /// Offsets to the rows of neighbours; differences of keys wrap.
    fn offsets(&self) -> Vec<u64> {
        let mut offsets = vec![0_u64];
        let mut shift = 0;
        for j in 1..D {
            shift += self.bits[j - 1];
            let step = 1_u64 << shift;
            offsets = [step.wrapping_neg(), 0, step]
                .iter()
                .flat_map(|step| offsets.iter().map(|offset| offset.wrapping_add(*step)))
                .collect();
        }
        offsets
    }

    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^29")]
    fn band() -> Band {
        let slack = 1.01 * (D as f64).sqrt();
        Band {
            inside: (CELL - 2.0 - slack).powi(2).floor() as u32,
            outside: (CELL - 2.0 + slack).powi(2).ceil() as u32,
        }
    }
}

/// Units per step of a lattice, at least: so the points of a sub-cell stay within `eps`, though a cell is longer by up to a unit per step.
const UNITS: f64 = 7.0;

/// Units per length, and the band, for multiples of `step`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "below 2^28")]
fn on_lattice(step: f64, eps: f64) -> (f64, Band) {
    let units = ((CELL - 2.0) * step / eps).floor();
    // Squared distances are whole multiples of `step^2`, and exact in `f64`.
    let sq_steps = (eps * eps / (step * step)).floor();
    let sq = (units * units * sq_steps) as u32;
    (units / step, Band { inside: sq, outside: sq })
}

/// A power of two of which all coordinates are multiples, if it is not too fine for `eps`, or too fine for exact sums.
fn lattice_step<F: Float>(records: &[F], eps: f64) -> Option<f64> {
    let step = (UNITS * eps / (CELL - 2.0)).log2().ceil().exp2();
    if !(step * step > 0.0 && (1.0 / step).is_finite()) {
        return None;
    }
    // Adding and subtracting this rounds to a whole number, and gives back what was one, below 2^51.
    const TO_WHOLE: f64 = 3.0 * (1_u64 << 51) as f64;
    let steps = |x: &F| x.as_f64() * (1.0 / step);
    let is_whole = |x: f64| x.abs() < LARGEST && (x + TO_WHOLE) - TO_WHOLE == x;
    let on_it = |values: &[F]| values.iter().fold(true, |all, x| all & is_whole(steps(x)));
    let chunks: Vec<_> = records.chunks(CHUNK).collect();
    let all_on_it = || par::map(chunks.len(), |i| on_it(chunks[i])).into_iter().all(|on_it| on_it);
    (on_it(&records[..records.len().min(64)]) && all_on_it()).then_some(step)
}

/// Steps from zero, at most: differences of coordinates are exact then, and their squares too where they are at most `eps`.
const LARGEST: f64 = (1_u64 << 50) as f64;

/// The lowest and the highest coordinate on each axis, or `None` where one is not finite.
fn bounds<F: Float, const D: usize>(records: &[F]) -> Option<([f64; D], [f64; D])> {
    // Twelve numbers are whole points in one, two and three dimensions.
    const LANES: usize = 12;
    let chunks: Vec<_> = records.chunks(CHUNK * LANES).collect();
    let of_chunks = par::map(chunks.len(), |chunk| {
        let (mut lo, mut hi) = ([F::infinity(); LANES], [F::neg_infinity(); LANES]);
        // `0 x` is NaN where `x` is not finite, and so is every sum with it.
        let mut sums = [F::zero(); LANES];
        let mut add = |values: &[F]| {
            for (((lo, hi), sum), &x) in lo.iter_mut().zip(&mut hi).zip(&mut sums).zip(values) {
                *lo = if x < *lo { x } else { *lo };
                *hi = if x > *hi { x } else { *hi };
                *sum += x * F::zero();
            }
        };
        let (twelves, rest) = chunks[chunk].as_chunks::<LANES>();
        twelves.iter().for_each(|values| add(values));
        add(rest);
        (lo, hi, sums.iter().all(|&sum| sum == F::zero()))
    });
    let (mut lowest, mut highest) = ([f64::INFINITY; D], [f64::NEG_INFINITY; D]);
    for (lo, hi, finite) in of_chunks {
        if !finite {
            return None;
        }
        for i in 0..LANES {
            lowest[i % D] = lowest[i % D].min(lo[i].as_f64());
            highest[i % D] = highest[i % D].max(hi[i].as_f64());
        }
    }
    Some((lowest, highest))
}

/// A point on its way into the grid.
#[derive(Clone, Copy)]
struct Entry<const W: usize> {
    key: u64,
    row: u32,
    words: [u32; W],
}

impl<const W: usize> Entry<W> {
    const NONE: Self = Self { key: 0, row: 0, words: [0; W] };
}

/// A run of values of the high bits of a key.
#[derive(Clone, Copy)]
struct Bucket {
    first: u64,
    last: u64,
}

/// Sorts the points into their cells.
pub(super) fn build<F: Float, const D: usize, const W: usize>(records: &[F], scale: &Scale<D>) -> Grid<W> {
    let (points, _) = records.as_chunks::<D>();
    let n = points.len();
    let table_bits = TABLE_BITS.min(n.ilog2()).min(scale.key_bits() - D as u32);
    let shift = scale.key_bits() - table_bits;
    // The more points, the fewer of them tell as well; the step is odd, so that no line of a scanner is passed over.
    let step = SAMPLE.max(n >> 17 | 1);
    let mut counts = vec![0; 1 << table_bits];
    for point in points.iter().step_by(step) {
        counts[(scale.key(&scale.positions(point)) >> shift) as usize] += 1;
    }
    let (buckets, bucket_of) = buckets(&counts, (BUCKET / step).max((n / step) >> 10));

    // Each chunk sorts its points by bucket, in the cache; with where each bucket ends there.
    let chunks: Vec<&[[F; D]]> = points.chunks(CHUNK).collect();
    let mut room = Room::new(n);
    let mut rest = room.fill();
    let mut parts: Vec<(Fill<'_, Entry<W>>, Vec<u32>)> =
        chunks.iter().map(|chunk| (rest.split_off(chunk.len()), vec![0; buckets.len()])).collect();
    drop(rest);
    par::for_each(parts.iter_mut().collect(), |chunk, (fill, ends)| {
        let first = (chunk * CHUNK) as u32;
        let chunk = chunks[chunk];
        let bucket = |entry: &Entry<W>| usize::from(bucket_of[(entry.key >> shift) as usize]);
        let mut entries = Vec::with_capacity(chunk.len());
        entries.extend((first..).zip(chunk).map(|(row, point)| {
            let at = scale.positions(point);
            let key = scale.key(&at);
            let half = |j: usize| if j < D { at[j] as u32 & 0xffff } else { 0 };
            let words = std::array::from_fn(|w| half(2 * w) | half(2 * w + 1) << 16);
            Entry { key, row, words }
        }));
        entries.iter().for_each(|entry| ends[bucket(entry)] += 1);
        let mut fills: Vec<_> = ends.iter().map(|&n| fill.split_off(n as usize)).collect();
        entries.iter().for_each(|entry| fills[bucket(entry)].push(*entry));
        let mut end = 0;
        for n in ends {
            end += *n;
            *n = end;
        }
    });
    let ends: Vec<Vec<u32>> = parts.into_iter().map(|(_, ends)| ends).collect();
    sort(room.into_vec(), &ends, &buckets, shift, scale)
}

/// Cuts the values of the high bits into buckets of up to `full` points of a sample, where they can be cut; with the bucket of each value.
fn buckets(counts: &[u32], full: usize) -> (Vec<Bucket>, Vec<u16>) {
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut bucket_of = vec![0; counts.len()];
    let mut sum = 0;
    for (value, (&n, bucket_of)) in (0..).zip(counts.iter().zip(&mut bucket_of)) {
        let n = n as usize;
        match buckets.last_mut() {
            Some(bucket) if sum + n <= full || n == 0 => {
                bucket.last = value;
                sum += n;
            }
            _ => {
                buckets.push(Bucket { first: value, last: value });
                sum = n;
            }
        }
        *bucket_of = buckets.len() as u16 - 1;
    }
    (buckets, bucket_of)
}

/// Sorts the points of each bucket and tells the cells. The points of a bucket are those before `ends` in each chunk.
fn sort<const D: usize, const W: usize>(
    entries: Vec<Entry<W>>,
    ends: &[Vec<u32>],
    buckets: &[Bucket],
    shift: u32,
    scale: &Scale<D>,
) -> Grid<W> {
    struct Part<'a, const W: usize> {
        buckets: Range<usize>,
        first: usize,
        columns: [Fill<'a, u32>; W],
        rows: Fill<'a, u32>,
        tables: &'a mut Tables,
    }

    let n = entries.len();
    let of_chunks: Vec<(&[Entry<W>], &Vec<u32>)> = entries.chunks(CHUNK).zip(ends).collect();
    let in_chunk = |ends: &[u32], bucket: usize| {
        let start = if bucket == 0 { 0 } else { ends[bucket - 1] };
        start as usize..ends[bucket] as usize
    };
    let mut lens = vec![0; buckets.len()];
    for ends in ends {
        (0..).zip(&mut lens).for_each(|(bucket, len)| *len += in_chunk(ends, bucket).len());
    }

    let mut columns: [Room<u32>; W] = std::array::from_fn(|_| Room::new(n + PAD));
    let mut rows = Room::new(n);
    let mut tables: Vec<Tables> = Vec::new();
    {
        // Runs of buckets with about as many points each.
        let full = n.div_ceil(PARTS).min(PART);
        let mut groups = Vec::new();
        let (mut start, mut sum) = (0, 0);
        for (bucket, len) in lens.iter().enumerate() {
            sum += len;
            if sum >= full || bucket + 1 == lens.len() {
                groups.push((start..bucket + 1, sum));
                (start, sum) = (bucket + 1, 0);
            }
        }
        tables.resize_with(groups.len(), Tables::default);
        let mut rows = rows.fill();
        let mut columns = columns.each_mut().map(Room::fill);
        let mut first = 0;
        let part = |((buckets, n), tables)| {
            let columns = columns.each_mut().map(|column| column.split_off(n));
            first += n;
            Part { buckets, first: first - n, columns, rows: rows.split_off(n), tables }
        };
        let parts: Vec<_> = groups.into_iter().zip(&mut tables).map(part).collect();
        columns.iter_mut().for_each(|column| column.copy(&[0; PAD]));
        par::for_each(parts, |_, mut part| {
            let (mut points, mut spare) = (Vec::new(), Vec::new());
            let mut first = part.first;
            for bucket in part.buckets {
                let pieces: Vec<&[Entry<W>]> =
                    of_chunks.iter().map(|&(entries, ends)| &entries[in_chunk(ends, bucket)]).collect();
                let Bucket { first: low, last: high } = buckets[bucket];
                let base = low << shift;
                let last = (high << shift) + ((1 << shift) - 1);
                let bits = u64::BITS - (last - base).leading_zeros();
                let sorted = sort_bucket(&pieces, lens[bucket], &mut points, &mut spare, base, bits);
                for (w, column) in part.columns.iter_mut().enumerate() {
                    column.extend(sorted.iter().map(|entry| entry.words[w]));
                }
                part.rows.extend(sorted.iter().map(|entry| entry.row));
                part.tables.add::<D, W>(sorted, first);
                first += sorted.len();
            }
        });
    }

    // The tables are about to be copied.
    drop(entries);
    let mut first_cell = 0;
    let parts = tables
        .iter()
        .map(|tables| {
            first_cell += tables.keys.len();
            first_cell - tables.keys.len()..first_cell
        })
        .collect();
    let mut first_sub = 0;
    let n_subs: Vec<u32> = tables
        .iter()
        .map(|tables| {
            first_sub += tables.subs.len() as u32;
            first_sub - tables.subs.len() as u32
        })
        .collect();
    Grid {
        columns: columns.map(Room::into_vec),
        rows: rows.into_vec(),
        keys: concat(&tables, |_, tables| (&tables.keys, 0), (1 << 62, LOOK)),
        starts: concat(&tables, |_, tables| (&tables.starts, 0), (n as u32, 1)),
        cells: concat(&tables, |i, tables| (&tables.cells, n_subs[i]), (first_sub, 1)),
        subs: concat(&tables, |_, tables| (&tables.subs, 0), (n as u32, 1)),
        parts,
        offsets: scale.offsets(),
        band: scale.band,
    }
}

/// What one part adds to the tables of the grid.
#[derive(Default)]
struct Tables {
    keys: Vec<u64>,
    starts: Vec<u32>,
    cells: Vec<u32>,
    subs: Vec<u32>,
}

impl Tables {
    /// Adds the cells and sub-cells of sorted points.
    fn add<const D: usize, const W: usize>(&mut self, sorted: &[Entry<W>], first: usize) {
        let (mut cell, mut key) = (u64::MAX, u64::MAX);
        for (i, entry) in (first as u32..).zip(sorted) {
            if entry.key != key {
                key = entry.key;
                if key >> D != cell {
                    cell = key >> D;
                    self.keys.push(cell);
                    self.starts.push(i);
                    self.cells.push(self.subs.len() as u32);
                }
                self.subs.push(i);
            }
        }
    }
}

/// One table of all parts, each with something added, and `n_last` times a last entry.
fn concat<T: Copy + Send + Sync + std::ops::Add<Output = T>>(
    tables: &[Tables],
    table: impl Fn(usize, &Tables) -> (&[T], T) + Sync,
    (last, n_last): (T, usize),
) -> Vec<T> {
    let len: usize = (0..).zip(tables).map(|(i, tables)| table(i, tables).0.len()).sum();
    let mut all = par::filled(len + n_last, last);
    let mut rest = all.as_mut_slice();
    let parts = (0..)
        .zip(tables)
        .map(|(i, tables)| rest.split_off_mut(..table(i, tables).0.len()).expect("the lengths add up"));
    par::for_each(parts.collect(), |i, to: &mut [T]| {
        let (from, added) = table(i, &tables[i]);
        to.iter_mut().zip(from).for_each(|(to, &from)| *to = from + added);
    });
    all
}

/// Sorts the `n` entries of some pieces by the low `bits` of `key - base`, which are all that differ; they come to be in one of two vectors.
///
/// The second of them is only used where digits of more than one place differ.
fn sort_bucket<'a, const W: usize>(
    pieces: &[&[Entry<W>]],
    n: usize,
    mut to: &'a mut Vec<Entry<W>>,
    mut spare: &'a mut Vec<Entry<W>>,
    base: u64,
    bits: u32,
) -> &'a [Entry<W>] {
    if n <= 64 {
        to.clear();
        pieces.iter().for_each(|piece| to.extend_from_slice(piece));
        to.sort_unstable_by_key(|entry| (entry.key, entry.row));
        return to;
    }
    // Digits of about the logarithm of the number of points, so that counters cost no more than points.
    let digit_bits = bits.div_ceil(bits.div_ceil((n.ilog2() - 1).min(11)));
    let mask = (1_u64 << digit_bits) - 1;
    let mut counts = vec![0_u32; 1 << digit_bits];
    let mut is_copied = false;
    for at in (0..bits).step_by(digit_bits as usize) {
        let digit = |entry: &Entry<W>| ((entry.key - base) >> at & mask) as usize;
        let whole = [spare.as_slice()];
        let from = if is_copied { &whole } else { pieces };
        counts.fill(0);
        for piece in from {
            piece.iter().for_each(|entry| counts[digit(entry)] += 1);
        }
        if counts.iter().any(|&count| count as usize == n) {
            continue;
        }
        let mut sum = 0;
        for count in &mut counts {
            (sum, *count) = (sum + *count, sum);
        }
        to.resize(n, Entry::NONE);
        for piece in from {
            for entry in *piece {
                let place = &mut counts[digit(entry)];
                to[*place as usize] = *entry;
                *place += 1;
            }
        }
        is_copied = true;
        (to, spare) = (spare, to);
    }
    if !is_copied {
        spare.clear();
        pieces.iter().for_each(|piece| spare.extend_from_slice(piece));
    }
    spare
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn on_a_lattice_whole_numbers_decide() {
        let is_exact = |records: &[f64], eps| {
            let scale = Scale::<2>::new(records, eps).unwrap();
            scale.band.inside == scale.band.outside
        };
        let colours: Vec<f64> = (0..400).map(|i| f64::from(i * 7919 % 256)).collect();
        assert!([1.0, 1.5, 5.0, 2000.0].iter().all(|&eps| is_exact(&colours, eps)));
        assert!(!is_exact(&colours, 3000.0), "too fine for the cells");
        let mut off: Vec<f64> = colours.iter().map(|x| x / 64.0 - 1000.0).collect();
        assert!(is_exact(&off, 0.25));
        off[333] += 1e-9;
        assert!(!is_exact(&off, 0.25));
        assert!(!is_exact(&[0.1; 10], 1.0));
        assert!(is_exact(&[0.0; 10], 1e100));
    }
}
