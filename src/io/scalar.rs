//! The numbers of binary files: their types, and columns of them.

use crate::float::Float;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scalar {
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F32,
    F64,
}

impl Scalar {
    /// The type of `kind` i, u or f with `size` bytes.
    pub(super) fn new(kind: u8, size: usize) -> Option<Self> {
        Some(match (kind, size) {
            (b'i', 1) => Self::I8,
            (b'i', 2) => Self::I16,
            (b'i', 4) => Self::I32,
            (b'i', 8) => Self::I64,
            (b'u', 1) => Self::U8,
            (b'u', 2) => Self::U16,
            (b'u', 4) => Self::U32,
            (b'u', 8) => Self::U64,
            (b'f', 4) => Self::F32,
            (b'f', 8) => Self::F64,
            _ => return None,
        })
    }

    pub(super) fn size(self) -> usize {
        match self {
            Self::I8 | Self::U8 => 1,
            Self::I16 | Self::U16 => 2,
            Self::I32 | Self::U32 | Self::F32 => 4,
            Self::I64 | Self::U64 | Self::F64 => 8,
        }
    }

    pub(super) fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64)
    }

    /// Reads the numbers that begin at `bytes[0]`, `bytes[stride]`, .. into `out[0]`, `out[step]`, ..
    pub(super) fn column<F: Float>(
        self,
        big_endian: bool,
        bytes: &[u8],
        stride: usize,
        out: &mut [F],
        step: usize,
    ) {
        let at = (bytes, stride, out, step);
        match self {
            Self::I8 => column(big_endian, at, |b| f64::from(i8::from_le_bytes(b))),
            Self::I16 => column(big_endian, at, |b| f64::from(i16::from_le_bytes(b))),
            Self::I32 => column(big_endian, at, |b| f64::from(i32::from_le_bytes(b))),
            Self::I64 => column(big_endian, at, |b| i64::from_le_bytes(b) as f64),
            Self::U8 => column(big_endian, at, |b| f64::from(u8::from_le_bytes(b))),
            Self::U16 => column(big_endian, at, |b| f64::from(u16::from_le_bytes(b))),
            Self::U32 => column(big_endian, at, |b| f64::from(u32::from_le_bytes(b))),
            Self::U64 => column(big_endian, at, |b| u64::from_le_bytes(b) as f64),
            Self::F32 => column(big_endian, at, |b| f64::from(f32::from_le_bytes(b))),
            Self::F64 => column(big_endian, at, f64::from_le_bytes),
        }
    }

    /// The integer at the beginning of `bytes`; `None` where there is none that `i64` holds.
    pub(super) fn integer(self, big_endian: bool, bytes: &[u8]) -> Option<i64> {
        let bytes = bytes.get(..self.size())?;
        let mut wide = [0; 8];
        wide[..bytes.len()].copy_from_slice(bytes);
        if big_endian {
            wide[..bytes.len()].reverse();
        }
        let unsigned = u64::from_le_bytes(wide);
        let unused = 64 - 8 * bytes.len() as u32;
        match self {
            Self::F32 | Self::F64 => None,
            Self::U8 | Self::U16 | Self::U32 | Self::U64 => i64::try_from(unsigned).ok(),
            // Shifted up and back, so that the sign fills the bytes above.
            Self::I8 | Self::I16 | Self::I32 | Self::I64 => {
                Some((unsigned << unused).cast_signed() >> unused)
            }
        }
    }
}

fn column<F: Float, const N: usize>(
    big_endian: bool,
    (bytes, stride, out, step): (&[u8], usize, &mut [F], usize),
    value: impl Fn([u8; N]) -> f64,
) {
    let read = |mut cell: [u8; N]| {
        if big_endian {
            cell.reverse();
        }
        F::cast(value(cell))
    };
    if (stride, step) == (N, 1) {
        // Without gaps: for a type of the machine's own byte order, the compiler makes a copy of it.
        for (out, cell) in out.iter_mut().zip(bytes.as_chunks::<N>().0) {
            *out = read(*cell);
        }
    } else {
        let cells = bytes.chunks(stride).filter_map(|row| row.first_chunk::<N>());
        for (out, cell) in out.iter_mut().step_by(step).zip(cells) {
            *out = read(*cell);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_keep_their_sign_in_both_byte_orders() {
        for (scalar, bytes, value) in [
            (Scalar::I8, &[0xfe][..], -2),
            (Scalar::U8, &[0xfe], 254),
            (Scalar::I16, &[0xfe, 0xff], -2),
            (Scalar::U16, &[0xfe, 0xff], 65534),
            (Scalar::I32, &[1, 0, 0, 0x80], -0x7fff_ffff),
            (Scalar::U32, &[1, 0, 0, 0x80], 0x8000_0001),
            (Scalar::I64, &[0, 0, 0, 0, 0, 0, 0, 0x80], i64::MIN),
        ] {
            let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
            assert_eq!(scalar.integer(false, bytes), Some(value));
            assert_eq!(scalar.integer(true, &reversed), Some(value));
            assert_eq!(scalar.integer(false, &bytes[1..]), None);
            let mut out = [0.0_f64];
            scalar.column(false, bytes, bytes.len(), &mut out, 1);
            assert_eq!(out, [value as f64]);
            scalar.column(true, &reversed, bytes.len(), &mut out, 1);
            assert_eq!(out, [value as f64]);
        }
        assert_eq!(Scalar::U64.integer(false, &[0xff; 8]), None);
        assert_eq!(Scalar::F64.integer(false, &[0; 8]), None);
    }

    #[test]
    fn a_column_is_read_out_of_rows_into_rows() {
        let mut bytes = Vec::new();
        for (a, b) in [(1.5_f32, 7_u16), (2.5, 8), (3.5, 9)] {
            bytes.extend(a.to_be_bytes());
            bytes.extend(b.to_be_bytes());
        }
        let mut out = [0.0_f64; 6];
        Scalar::F32.column(true, &bytes, 6, &mut out[1..], 2);
        Scalar::U16.column(true, &bytes[4..], 6, &mut out, 2);
        assert_eq!(out, [7.0, 1.5, 8.0, 2.5, 9.0, 3.5]);
    }
}
