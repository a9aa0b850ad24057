//! Points in the order of the cells that they lie in.
//!
//! The key of a cell is its number on each axis, the first axis in the lowest bits. So a cell and its neighbours along the first axis are a run of
//! keys, and all neighbours are `3^(d-1)` runs. Numbers begin at 1 and leave one free at the end: a run never wraps around.
//!
//! Points are sorted in two steps, both in the cache. The high bits of a key choose a *bucket*, of some thousand points, by a table that was made from a
//! sample; each chunk of rows is put in the order of buckets. Then each bucket is fetched from all chunks and sorted digit by digit. Points of one
//! sub-cell stay in the order of rows.

use std::ops::{Deref, Range};

use super::CHUNK;
use super::scale::Scale;
use crate::float::Float;
use crate::kernel::{Band, Fill, LINE, LOOK, PAD, Room, Run, expect_line_later};
use crate::par;

/// Bits of a key that choose a bucket, at most.
const TABLE_BITS: u32 = 14;

/// Points of a bucket, about, at least.
const BUCKET: usize = 4096;

/// One point in so many, or fewer, tells where the buckets are.
const SAMPLE: usize = 31;

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

/// A point on its way into the grid: its row, its position, and the lowest `K` words of its key, which tell keys of a bucket apart.
#[derive(Clone, Copy)]
struct Entry<const W: usize, const K: usize> {
    key: [u32; K],
    row: u32,
    words: [u32; W],
}

impl<const W: usize, const K: usize> Entry<W, K> {
    const NONE: Self = Self { key: [0; K], row: 0, words: [0; W] };

    #[inline(always)]
    fn new(key: u64, row: u32, words: [u32; W]) -> Self {
        Self { key: std::array::from_fn(|k| (key >> (32 * k)) as u32), row, words }
    }

    /// By how much the key is above that at which the bucket begins.
    #[inline(always)]
    fn above(&self, base: u64) -> u64 {
        let low = self.key.iter().rev().fold(0, |key, &word| key << 32 | u64::from(word));
        low.wrapping_sub(base) & (u64::MAX >> (64 - 32 * K))
    }
}

/// A run of values of the high bits of a key.
#[derive(Clone, Copy)]
struct Bucket {
    first: u64,
    last: u64,
}

/// Sorts the points into their cells; in `room`, if there is some and enough.
pub(super) fn build<F: Float, const D: usize, const W: usize>(
    records: &[F],
    scale: &Scale<D>,
    room: Option<&mut Room<Option<usize>>>,
) -> Grid<W> {
    let table_bits = TABLE_BITS.min((records.len() / D).ilog2()).min(scale.key_bits() - D as u32);
    let shift = scale.key_bits() - table_bits;
    // The fewer bytes are moved the better.
    if shift <= u32::BITS {
        build_with::<F, D, W, 1>(records, scale, shift, room)
    } else {
        build_with::<F, D, W, 2>(records, scale, shift, room)
    }
}

fn build_with<F: Float, const D: usize, const W: usize, const K: usize>(
    records: &[F],
    scale: &Scale<D>,
    shift: u32,
    room: Option<&mut Room<Option<usize>>>,
) -> Grid<W> {
    let (points, _) = records.as_chunks::<D>();
    let n = points.len();
    // The more points, the fewer of them tell as well; the step is odd, so that no line of a scanner is passed over.
    let step = SAMPLE.max(n >> 17 | 1);
    let mut counts = vec![0; 1 << (scale.key_bits() - shift)];
    for point in points.iter().step_by(step) {
        counts[(scale.key(&scale.positions(point)) >> shift) as usize] += 1;
    }
    let full = (BUCKET / step).max((n / step) >> 10);
    let (buckets, bucket_of) = buckets(&counts, full, 1 << (32 * K as u32 - shift).min(TABLE_BITS));

    let scatter = |rest| scatter::<F, D, W, K>(points, scale, &bucket_of, (buckets.len(), shift), rest);
    if let Some(mut room) = room.and_then(|room| room.lend(n)) {
        let ends = scatter(room.fill());
        sort(room.into_slice(), &ends, &buckets, shift, scale)
    } else {
        let mut room = Room::new(n);
        let ends = scatter(room.fill());
        sort(room.into_vec(), &ends, &buckets, shift, scale)
    }
}

/// Each chunk sorts its points by bucket, in the cache; returns where each bucket ends there.
fn scatter<F: Float, const D: usize, const W: usize, const K: usize>(
    points: &[[F; D]],
    scale: &Scale<D>,
    bucket_of: &[u16],
    (n_buckets, shift): (usize, u32),
    mut rest: Fill<'_, Entry<W, K>>,
) -> Vec<Vec<u32>> {
    let chunks: Vec<&[[F; D]]> = points.chunks(CHUNK).collect();
    let mut parts: Vec<(Fill<'_, Entry<W, K>>, Vec<u32>)> =
        chunks.iter().map(|chunk| (rest.split_off(chunk.len()), vec![0; n_buckets])).collect();
    drop(rest);
    par::for_each(parts.iter_mut().collect(), |chunk, (fill, ends)| {
        let first = (chunk * CHUNK) as u32;
        let chunk = chunks[chunk];
        let (mut entries, mut of) = (Vec::with_capacity(chunk.len()), Vec::with_capacity(chunk.len()));
        entries.extend((first..).zip(chunk).map(|(row, point)| {
            let at = scale.positions(point);
            let key = scale.key(&at);
            let half = |j: usize| if j < D { at[j] as u32 & 0xffff } else { 0 };
            let words = std::array::from_fn(|w| half(2 * w) | half(2 * w + 1) << 16);
            of.push(bucket_of[(key >> shift) as usize]);
            Entry::new(key, row, words)
        }));
        of.iter().for_each(|&bucket| ends[usize::from(bucket)] += 1);
        let mut fills: Vec<_> = ends.iter().map(|&n| fill.split_off(n as usize)).collect();
        of.iter().zip(&entries).for_each(|(&bucket, entry)| fills[usize::from(bucket)].push(*entry));
        let mut end = 0;
        for n in ends {
            end += *n;
            *n = end;
        }
    });
    parts.into_iter().map(|(_, ends)| ends).collect()
}

/// Cuts the values of the high bits into buckets of up to `full` points of a sample, where they can be cut, and of up to `most` values; with the bucket of
/// each value.
fn buckets(counts: &[u32], full: usize, most: u64) -> (Vec<Bucket>, Vec<u16>) {
    let mut buckets: Vec<Bucket> = Vec::new();
    let mut bucket_of = vec![0; counts.len()];
    let mut sum = 0;
    for (value, (&n, bucket_of)) in (0..).zip(counts.iter().zip(&mut bucket_of)) {
        let n = n as usize;
        match buckets.last_mut() {
            Some(bucket) if (sum + n <= full || n == 0) && value - bucket.first < most => {
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
fn sort<const D: usize, const W: usize, const K: usize>(
    entries: impl Deref<Target = [Entry<W, K>]>,
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
    let of_chunks: Vec<(&[Entry<W, K>], &Vec<u32>)> = entries.chunks(CHUNK).zip(ends).collect();
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
            let (mut points, mut spare, mut room) = (Vec::new(), Vec::new(), Tables::default());
            let mut first = part.first;
            let pieces_of = |bucket: usize| -> Vec<&[Entry<W, K>]> {
                of_chunks.iter().map(|&(entries, ends)| &entries[in_chunk(ends, bucket)]).collect()
            };
            for bucket in part.buckets.clone() {
                let pieces = pieces_of(bucket);
                if bucket + 1 < part.buckets.end {
                    pieces_of(bucket + 1).iter().for_each(|piece| expect_all(piece));
                }
                let Bucket { first: low, last: high } = buckets[bucket];
                let base = low << shift;
                let last = (high << shift) + ((1 << shift) - 1);
                let bits = u64::BITS - (last - base).leading_zeros();
                let sorted = sort_bucket(&pieces, lens[bucket], &mut points, &mut spare, base, bits);
                for (w, column) in part.columns.iter_mut().enumerate() {
                    column.extend(sorted.iter().map(|entry| entry.words[w]));
                }
                part.rows.extend(sorted.iter().map(|entry| entry.row));
                part.tables.add::<D, W, K>(sorted, base, first, &mut room);
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

/// A hint that these points are soon going to be read.
fn expect_all<T>(points: &[T]) {
    points.iter().step_by(LINE / size_of::<T>()).for_each(|point| expect_line_later(point));
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
    /// Adds the cells and sub-cells of sorted points, by way of `room`.
    fn add<const D: usize, const W: usize, const K: usize>(
        &mut self,
        sorted: &[Entry<W, K>],
        base: u64,
        first: usize,
        room: &mut Self,
    ) {
        room.lengthen(sorted.len());
        let Self { keys, starts, cells, subs } = room;
        let before = self.subs.len() as u32;
        // Each point is written as if a cell began with it, and over the one before if none did: in thin data no branch foretells that.
        let (mut n_cells, mut n_subs) = (0, 0);
        let mut last = u64::MAX;
        for (i, entry) in (first as u32..).zip(sorted) {
            let key = base + entry.above(base);
            (keys[n_cells], starts[n_cells], cells[n_cells]) = (key >> D, i, before + n_subs as u32);
            subs[n_subs] = i;
            n_cells += usize::from(key >> D != last >> D);
            n_subs += usize::from(key != last);
            last = key;
        }
        self.keys.extend_from_slice(&keys[..n_cells]);
        self.starts.extend_from_slice(&starts[..n_cells]);
        self.cells.extend_from_slice(&cells[..n_cells]);
        self.subs.extend_from_slice(&subs[..n_subs]);
    }

    /// Makes all at least as long as `n`.
    fn lengthen(&mut self, n: usize) {
        if self.keys.len() < n {
            self.keys.resize(n, 0);
            for table in [&mut self.starts, &mut self.cells, &mut self.subs] {
                table.resize(n, 0);
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
    let mut all = Room::new(len + n_last);
    {
        let mut rest = all.fill();
        let parts = (0..).zip(tables).map(|(i, tables)| rest.split_off(table(i, tables).0.len())).collect();
        rest.extend((0..n_last).map(|_| last));
        par::for_each(parts, |i, mut to: Fill<'_, T>| {
            let (from, added) = table(i, &tables[i]);
            to.extend(from.iter().map(|&from| from + added));
        });
    }
    all.into_vec()
}

/// Sorts the `n` entries of some pieces by the low `bits` of their keys above `base`, which are all that differ; they come to be in one of two vectors.
///
/// The second of them is only used where digits of more than one place differ.
fn sort_bucket<'a, const W: usize, const K: usize>(
    pieces: &[&[Entry<W, K>]],
    n: usize,
    mut to: &'a mut Vec<Entry<W, K>>,
    mut spare: &'a mut Vec<Entry<W, K>>,
    base: u64,
    bits: u32,
) -> &'a [Entry<W, K>] {
    if n <= 64 {
        to.clear();
        pieces.iter().for_each(|piece| to.extend_from_slice(piece));
        to.sort_unstable_by_key(|entry| (entry.above(base), entry.row));
        return to;
    }
    // Digits of about the logarithm of the number of points, so that counters cost no more than points; a third pass costs more than they do.
    let n_digits = |most: u32| bits.div_ceil(most);
    let few = n_digits((n.ilog2() - 1).min(11));
    let digit_bits = bits.div_ceil(if few <= 2 { few } else { n_digits(n.ilog2().min(13)) });
    let mask = (1_u64 << digit_bits) - 1;
    let mut counts = vec![0_u32; 1 << digit_bits];
    let mut is_copied = false;
    for at in (0..bits).step_by(digit_bits as usize) {
        let digit = |entry: &Entry<W, K>| (entry.above(base) >> at & mask) as usize;
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
