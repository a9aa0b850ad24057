//! LAZ, the compressed LAS: the crate `laz` decodes, and what a file says about sizes is checked before it gets to see it.
//!
//! The points lie in chunks, one after the other. In the point formats 0 to 5 a chunk is one stream of records and has as many points as the file's entry
//! on compression says. In 6 to 10 a chunk is the first record, the number of its points, the sizes of its layers and the layers; those of x, y and z are
//! decoded. The table of chunks at the end, for those who want to begin in the middle, is not read.

use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};

use laz::laszip::LazVlr;
use laz::record::{LayeredPointRecordDecompressor, RecordDecompressor, SequentialPointRecordDecompressor};
use laz::{DecompressionSelection, LasZipError, LazItemType};
use ndarray::Array2;

use super::format_error;
use super::las::Header;
use crate::error::{Error, Position, Result};
use crate::float::Float;

/// No file of a scanner comes near it; a hundred equal points take a byte.
const POINTS_PER_BYTE: u64 = 1024;
/// Bytes in front of the data of an entry: two unused, the user, the number, the length, a description.
const ENTRY: usize = 54;

/// The points of a compressed file.
pub(super) fn points<F: Float>(bytes: &[u8], header: &Header) -> Result<Array2<F>> {
    let file = File { bytes, header, plan: Plan::read(bytes, header)? };
    let most = POINTS_PER_BYTE.saturating_mul((bytes.len() - header.data_at) as u64);
    if header.n_points > most {
        let found = format!("{} in {} bytes", header.n_points, bytes.len() - header.data_at);
        let expected = format!("at most {POINTS_PER_BYTE} points a byte");
        return Err(format_error(Position::Byte(107), expected, found));
    }
    let mut values: Vec<F> = Vec::new();
    // The decoder has assertions of its own that damaged bytes can break.
    let decode = AssertUnwindSafe(|| file.decode(&mut |record| values.extend(header.point::<F>(record))));
    catch_unwind(decode).unwrap_or_else(|_| Err(file.damaged(0, "what no compressor writes")))?;
    let n = values.len() / 3;
    Ok(Array2::from_shape_vec((n, 3), values).expect("three values for each point"))
}

/// How the points are compressed, as an entry behind the header says.
struct Plan {
    vlr: LazVlr,
    /// Points of a chunk, where it does not say itself.
    chunk: u64,
    /// Layers of a chunk; none where it is one stream.
    n_layers: usize,
    /// Bytes in front of the first chunk: the place of the table.
    skipped: usize,
}

impl Plan {
    fn read(bytes: &[u8], header: &Header) -> Result<Self> {
        let (at, entry) = entry(bytes, header)?;
        let wrong = |expected: &str, found: String| Error::Format {
            path: super::MEMORY.into(),
            at: Position::Byte(at as u64),
            expected: expected.to_owned().into(),
            found,
        };
        let u16_at = |i: usize| entry.get(i..i + 2).map_or(0, |b| u16::from_le_bytes([b[0], b[1]]));
        // 34 bytes, then six for each item.
        let n_items = usize::from(u16_at(32));
        if !(1..=16).contains(&n_items) || entry.len() < 34 + 6 * n_items {
            return Err(wrong("1 to 16 items of compression", format!("{n_items} in {} bytes", entry.len())));
        }
        let (kind, coder) = (u16_at(0), u16_at(2));
        if !(1..=3).contains(&kind) || coder != 0 {
            return Err(wrong("compressor 1 to 3 and coder 0", format!("{kind} and {coder}")));
        }
        let vlr = LazVlr::read_from(&entry[..34 + 6 * n_items])
            .map_err(|error| wrong("items of compression", error.to_string()))?;

        let layered = kind == 3;
        let (mut size, mut n_layers) = (0, 0);
        for (i, item) in vlr.items().iter().enumerate() {
            // The size of each in a record, how many layers it has, and whether a record begins with it.
            let (bytes, layers, first) = match item.item_type() {
                LazItemType::Point10 => (20, 0, true),
                LazItemType::GpsTime => (8, 0, false),
                LazItemType::RGB12 => (6, 0, false),
                LazItemType::WavePacket13 => (29, 0, false),
                LazItemType::Byte(n) => (n, 0, false),
                LazItemType::Point14 => (30, 9, true),
                LazItemType::RGB14 => (6, 1, false),
                LazItemType::RGBNIR14 => (8, 2, false),
                LazItemType::WavePacket14 => (29, 1, false),
                LazItemType::Byte14(n) => (n, n, false),
            };
            let versions = if layers > 0 { 3..=4 } else { 1..=2 };
            let known = item.size() == bytes && bytes > 0 && versions.contains(&item.version());
            if !known || (layers > 0) != layered || first != (i == 0) {
                return Err(wrong("items of one record, the point first", format!("{item:?} as item {i}")));
            }
            (size, n_layers) = (size + usize::from(bytes), n_layers + usize::from(layers));
        }
        if size != header.length {
            return Err(wrong("items that make a record", format!("{size} bytes of {}", header.length)));
        }
        let chunk = match kind {
            1 => u64::MAX,
            2 if vlr.uses_variable_size_chunks() => {
                return Err(wrong("chunks of one size", "chunks of varying size".to_owned()));
            }
            _ => vlr.chunk_size().into(),
        };
        Ok(Self { vlr, chunk, n_layers, skipped: if kind == 1 { 0 } else { 8 } })
    }
}

/// Place and data of the entry on compression.
fn entry<'a>(bytes: &'a [u8], header: &Header) -> Result<(usize, &'a [u8])> {
    let missing = |found: String| {
        let expected = "an entry `laszip encoded` before the points";
        format_error(Position::Byte(header.size as u64), expected, found)
    };
    let entries = &bytes[..header.data_at];
    let mut at = header.size;
    // Each step is at least `ENTRY` bytes long, so a count that lies costs nothing.
    while let Some(head) = entries.get(at..at + ENTRY) {
        let length = usize::from(u16::from_le_bytes([head[20], head[21]]));
        let data = at + ENTRY;
        let whole = entries.get(data..data + length);
        if head[2..18].starts_with(b"laszip encoded") && head[18..20] == 22204_u16.to_le_bytes() {
            let found = || missing(format!("one of {length} bytes with an end before"));
            return Ok((data, whole.ok_or_else(found)?));
        }
        at = data + length;
    }
    Err(missing("none".to_owned()))
}

struct File<'a> {
    bytes: &'a [u8],
    header: &'a Header,
    plan: Plan,
}

impl File<'_> {
    /// Calls `each` with every record.
    fn decode(&self, each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let start = self.header.data_at + self.plan.skipped;
        let data = self.bytes.get(start..).unwrap_or_default();
        if self.header.n_points == 0 {
            return Ok(());
        }
        if self.plan.n_layers == 0 { self.streams(data, each) } else { self.layers(data, each) }
    }

    fn streams(&self, data: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let mut decoder = SequentialPointRecordDecompressor::new(Cursor::new(data));
        let mut record = vec![0; self.header.length];
        for i in 0..self.header.n_points {
            if i % self.plan.chunk == 0 {
                decoder.reset();
                decoder.set_fields_from(self.plan.vlr.items()).map_err(|error| self.refused(i, &error))?;
            }
            decoder.decompress_next(&mut record).map_err(|error| self.refused(i, &error.into()))?;
            each(&record);
        }
        Ok(())
    }

    fn layers(&self, data: &[u8], each: &mut dyn FnMut(&[u8])) -> Result<()> {
        let n_points = self.header.n_points;
        let (mut rest, mut done) = (data, 0);
        let mut record = vec![0; self.header.length];
        while done < n_points {
            // The first record, the number of points, the sizes of the layers.
            let sizes_at = self.header.length + 4;
            let head = rest.get(..sizes_at + 4 * self.plan.n_layers);
            let Some((first, sizes)) = head.and_then(|head| head.split_at_checked(sizes_at)) else {
                return Err(self.damaged(done, "the end of the data"));
            };
            let number =
                |bytes: &[u8]| u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]));
            let count = number(&first[self.header.length..]).min(n_points - done);
            let size = sizes.chunks_exact(4).map(number).sum::<u64>() + (sizes_at + sizes.len()) as u64;
            // The decoder makes room for each layer before it reads it.
            let chunk = usize::try_from(size).ok().and_then(|size| rest.split_at_checked(size));
            let (Some((chunk, after)), true) = (chunk, count > 0) else {
                return Err(self.damaged(done, &format!("a chunk of {count} points and {size} bytes")));
            };
            let mut decoder = LayeredPointRecordDecompressor::new(Cursor::new(chunk));
            decoder.set_fields_from(self.plan.vlr.items()).map_err(|error| self.refused(done, &error))?;
            decoder.set_selection(DecompressionSelection::xy_returns_channel().decompress_z());
            for i in 0..count {
                decoder
                    .decompress_next(&mut record)
                    .map_err(|error| self.refused(done + i, &error.into()))?;
                each(&record);
            }
            (rest, done) = (after, done + count);
        }
        Ok(())
    }

    fn refused(&self, point: u64, error: &LasZipError) -> Error {
        match error {
            LasZipError::IoError(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.damaged(point, "the end of the data")
            }
            error => self.damaged(point, &error.to_string()),
        }
    }

    fn damaged(&self, point: u64, found: &str) -> Error {
        let expected = format!("{} compressed points", self.header.n_points);
        let at = Position::Byte(self.header.data_at as u64);
        format_error(at, expected, format!("{found} after {point}"))
    }
}
