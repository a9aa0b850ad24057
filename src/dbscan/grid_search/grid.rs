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
//! Points are sorted in two steps. The high bits of a key choose a *bucket*, of some thousand points, by a table that was made from a histogram; the
//! buckets are sorted one by one, in the cache, digit by digit.

use std::ops::Range;

use crate::float::Float;
use crate::kernel::{Band, PAD, Run};
use crate::par;

/// Units of a cell's side, as a power of two.
const CELL_BITS: u32 = 14;
const CELL: f64 = (1 << CELL_BITS) as f64;

/// Bits of a key that choose a bucket, at most.
const TABLE_BITS: u32 = 14;

/// Points of a bucket and of a chunk of rows, at least.
const BUCKET: usize = 4096;
const CHUNK: usize = 1 << 15;

/// Points of two cells up to which they are searched together.
const TOGETHER: usize = 24;

/// Chunks into which the input is cut at most, and about the number of parts into which the grid is.
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
    /// The key of each cell, and one above all.
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

    /// Point `i` as seen from a point of the same cell or a neighbour.
    #[allow(clippy::cast_possible_truncation, clippy::cast_possible_wrap, reason = "halves of a word")]
    pub(super) fn difference<const D: usize>(&self, i: usize, origin: [u32; W]) -> [i32; D] {
        std::array::from_fn(|j| {
            let half = |words: [u32; W]| (words[j / 2] >> (j % 2 * 16)) as i16;
            i32::from(half(self.point(i)).wrapping_sub(half(origin)))
        })
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

/// A run of values of the high bits of a key, and the points that have them.
#[derive(Clone, Copy)]
struct Bucket {
    first: u64,
    last: u64,
    n: usize,
}

/// Sorts the points into their cells.
pub(super) fn build<F: Float, const D: usize, const W: usize>(records: &[F], scale: &Scale<D>) -> Grid<W> {
    let (points, _) = records.as_chunks::<D>();
    let n = points.len();
    let table_bits = TABLE_BITS.min(n.ilog2()).min(scale.key_bits() - D as u32);
    let shift = scale.key_bits() - table_bits;
    let chunk_len = CHUNK.max(n.div_ceil(PARTS));
    let chunks: Vec<&[[F; D]]> = points.chunks(chunk_len).collect();

    let histograms = par::map(chunks.len(), |chunk| {
        let mut counts = vec![0_u32; 1 << table_bits];
        for point in chunks[chunk] {
            counts[(scale.key(&scale.positions(point)) >> shift) as usize] += 1;
        }
        counts
    });
    let (buckets, bucket_of) = buckets(&histograms, n);

    let mut entries = par::filled(n, Entry::<W>::NONE);
    {
        // For each chunk, its part of every bucket.
        let mut parts: Vec<Vec<std::slice::IterMut<'_, Entry<W>>>> =
            chunks.iter().map(|_| Vec::with_capacity(buckets.len())).collect();
        let mut rest = entries.as_mut_slice();
        for bucket in &buckets {
            for (histogram, parts) in histograms.iter().zip(&mut parts) {
                let counts = &histogram[bucket.first as usize..=bucket.last as usize];
                let len = counts.iter().sum::<u32>() as usize;
                parts.push(rest.split_off_mut(..len).expect("buckets hold every point").iter_mut());
            }
        }
        par::for_each(parts, |chunk, mut parts| {
            for (row, point) in ((chunk * chunk_len) as u32..).zip(chunks[chunk]) {
                let at = scale.positions(point);
                let key = scale.key(&at);
                let half = |j: usize| if j < D { at[j] as u32 & 0xffff } else { 0 };
                let words = std::array::from_fn(|w| half(2 * w) | half(2 * w + 1) << 16);
                if let Some(to) = parts[usize::from(bucket_of[(key >> shift) as usize])].next() {
                    *to = Entry { key, row, words };
                }
            }
        });
    }
    drop(histograms);
    sort(entries, &buckets, shift, scale)
}

/// Cuts the values of the high bits into buckets; with the bucket of each value.
fn buckets(histograms: &[Vec<u32>], n: usize) -> (Vec<Bucket>, Vec<u16>) {
    let mut counts = vec![0_usize; histograms[0].len()];
    for histogram in histograms {
        counts.iter_mut().zip(histogram).for_each(|(sum, &n)| *sum += n as usize);
    }
    let full = BUCKET.max(n >> 10);
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut bucket_of = vec![0; counts.len()];
    for (value, (&n, bucket_of)) in counts.iter().zip(&mut bucket_of).enumerate() {
        let value = value as u64;
        match buckets.last_mut() {
            Some(bucket) if bucket.n + n <= full || n == 0 => {
                bucket.last = value;
                bucket.n += n;
            }
            _ => buckets.push(Bucket { first: value, last: value, n }),
        }
        *bucket_of = buckets.len() as u16 - 1;
    }
    (buckets, bucket_of)
}

/// What one part adds to the tables of the grid.
#[derive(Default)]
struct Tables {
    keys: Vec<u64>,
    starts: Vec<u32>,
    cells: Vec<u32>,
    subs: Vec<u32>,
}

/// Sorts the points of each bucket and tells the cells.
fn sort<const D: usize, const W: usize>(
    mut entries: Vec<Entry<W>>,
    buckets: &[Bucket],
    shift: u32,
    scale: &Scale<D>,
) -> Grid<W> {
    struct Part<'a, const W: usize> {
        buckets: &'a [Bucket],
        first: usize,
        entries: &'a mut [Entry<W>],
        columns: [&'a mut [u32]; W],
        rows: &'a mut [u32],
        tables: &'a mut Tables,
    }

    let n = entries.len();
    let mut columns: [Vec<u32>; W] = std::array::from_fn(|_| par::filled(n + PAD, 0));
    let mut rows = par::filled(n, 0);
    let full = n.div_ceil(PARTS).min(PART);
    let groups: Vec<&[Bucket]> = {
        let mut sum = 0;
        buckets
            .chunk_by(|bucket, _| {
                sum += bucket.n;
                let open = sum < full;
                sum = if open { sum } else { 0 };
                open
            })
            .collect()
    };
    let mut tables: Vec<Tables> = groups.iter().map(|_| Tables::default()).collect();
    {
        let mut parts = Vec::with_capacity(groups.len());
        let (mut entries, mut rows) = (entries.as_mut_slice(), rows.as_mut_slice());
        let mut columns = columns.each_mut().map(Vec::as_mut_slice);
        let mut first = 0;
        for (buckets, tables) in groups.into_iter().zip(&mut tables) {
            let n: usize = buckets.iter().map(|bucket| bucket.n).sum();
            let whole = "buckets hold every point";
            parts.push(Part {
                buckets,
                first,
                entries: entries.split_off_mut(..n).expect(whole),
                columns: columns.each_mut().map(|column| column.split_off_mut(..n).expect(whole)),
                rows: rows.split_off_mut(..n).expect(whole),
                tables,
            });
            first += n;
        }
        par::for_each(parts, |_, part| {
            let largest = part.buckets.iter().map(|bucket| bucket.n).max().unwrap_or(0);
            let mut spare = vec![Entry::NONE; largest];
            let mut start = 0;
            for bucket in part.buckets {
                let range = start..start + bucket.n;
                let entries = &mut part.entries[range.clone()];
                let base = bucket.first << shift;
                let last = (bucket.last << shift) + ((1 << shift) - 1);
                let bits = u64::BITS - (last - base).leading_zeros();
                let sorted = sort_bucket(entries, &mut spare[..bucket.n], base, bits);
                for w in 0..W {
                    let column = &mut part.columns[w][range.clone()];
                    column.iter_mut().zip(&*sorted).for_each(|(to, entry)| *to = entry.words[w]);
                }
                part.rows[range].iter_mut().zip(&*sorted).for_each(|(to, entry)| *to = entry.row);
                part.tables.add::<D, W>(sorted, part.first + start);
                start += bucket.n;
            }
        });
    }
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
        columns,
        rows,
        keys: concat(&tables, |_, tables| (&tables.keys, 0), u64::MAX),
        starts: concat(&tables, |_, tables| (&tables.starts, 0), n as u32),
        cells: concat(&tables, |i, tables| (&tables.cells, n_subs[i]), first_sub),
        subs: concat(&tables, |_, tables| (&tables.subs, 0), n as u32),
        parts,
        offsets: scale.offsets(),
        band: scale.band,
    }
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

/// One table of all parts, each with something added, and a last entry.
fn concat<T: Copy + Send + Sync + std::ops::Add<Output = T>>(
    tables: &[Tables],
    table: impl Fn(usize, &Tables) -> (&[T], T) + Sync,
    last: T,
) -> Vec<T> {
    let len: usize = (0..).zip(tables).map(|(i, tables)| table(i, tables).0.len()).sum();
    let mut all = par::filled(len + 1, last);
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

/// Sorts by the low `bits` of `key - base`, which are all that differ; the sorted points are in one of the two slices.
fn sort_bucket<'a, const W: usize>(
    entries: &'a mut [Entry<W>],
    spare: &'a mut [Entry<W>],
    base: u64,
    bits: u32,
) -> &'a mut [Entry<W>] {
    if entries.len() <= 64 {
        entries.sort_unstable_by_key(|entry| entry.key);
        return entries;
    }
    // Digits of about the logarithm of the number of points, so that counters cost no more than points.
    let digit_bits = bits.div_ceil(bits.div_ceil((entries.len().ilog2() - 1).min(11)));
    let mask = (1_u64 << digit_bits) - 1;
    let (mut from, mut to) = (entries, spare);
    let mut counts = vec![0_u32; 1 << digit_bits];
    for at in (0..bits).step_by(digit_bits as usize) {
        let digit = |entry: &Entry<W>| ((entry.key - base) >> at & mask) as usize;
        counts.fill(0);
        from.iter().for_each(|entry| counts[digit(entry)] += 1);
        if counts[digit(&from[0])] as usize == from.len() {
            continue;
        }
        let mut sum = 0;
        for count in &mut counts {
            (sum, *count) = (sum + *count, sum);
        }
        for entry in &*from {
            let place = &mut counts[digit(entry)];
            to[*place as usize] = *entry;
            *place += 1;
        }
        (from, to) = (to, from);
    }
    from
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
