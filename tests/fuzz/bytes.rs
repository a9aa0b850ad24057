//! Small arrays and parameters out of bytes.

use sapwood::ndarray::Array2;

/// Bytes that are taken from the front; at the end they are zeros.
pub(super) struct Bytes<'a>(&'a [u8]);

/// Where arithmetic changes its ways.
const EDGES: [f64; 24] = [
    0.0,
    -0.0,
    5e-324,
    -5e-324,
    f64::MIN_POSITIVE,
    1e-300,
    1e-160,
    1e-45,
    1e-38,
    f64::EPSILON,
    0.1,
    1.0 + f64::EPSILON,
    16_777_217.0,
    1e9,
    1e9 + 1e-3,
    -1e9,
    1e19,
    3.5e38,
    1e150,
    -1e154,
    1e200,
    1e308,
    -1.797_693_134_862_315_7e308,
    f64::MAX,
];

impl<'a> Bytes<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn byte(&mut self) -> u8 {
        let (first, rest) = self.0.split_first().unwrap_or((&0, &[]));
        self.0 = rest;
        *first
    }

    /// A number below `n`, at most 256.
    pub(super) fn below(&mut self, n: usize) -> usize {
        usize::from(self.byte()) % n
    }

    pub(super) fn is(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    pub(super) fn raw<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }

    /// A multiple of 1/4 from a byte, or a decimal between -33 and 33: finite, and neither large nor small.
    pub(super) fn tame(&mut self) -> f64 {
        match self.byte() {
            byte @ 0..=191 => (f64::from(byte) - 64.0) / 4.0,
            _ => f64::from(i16::from_le_bytes(self.raw())) / 1000.0,
        }
    }

    /// Any number, NaN and infinities included, mostly a tame one.
    pub(super) fn number(&mut self) -> f64 {
        match self.byte() {
            byte @ 0..=159 => (f64::from(byte) - 64.0) / 4.0,
            160..=207 => f64::from(i16::from_le_bytes(self.raw())) / 1000.0,
            byte @ 208..=243 => EDGES[usize::from(byte - 208) % EDGES.len()],
            244..=249 => f64::from(f32::from_le_bytes(self.raw())),
            _ => f64::from_le_bytes(self.raw()),
        }
    }

    pub(super) fn tame_table(&mut self, rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || self.tame())
    }

    pub(super) fn table(&mut self, rows: usize, columns: usize) -> Array2<f64> {
        Array2::from_shape_simple_fn((rows, columns), || self.number())
    }

    /// Rows of probabilities, some of them 0.
    pub(super) fn probabilities(&mut self, rows: usize, columns: usize) -> Array2<f64> {
        let mut table = Array2::from_shape_simple_fn((rows, columns), || match self.byte() {
            byte @ 0..=63 => f64::from(byte % 2),
            byte @ 64..=239 => f64::from(byte - 63) / 16.0,
            _ => 1e-200,
        });
        for mut row in table.rows_mut() {
            if row.sum() == 0.0 {
                row[0] = 1.0;
            }
            let sum = row.sum();
            row /= sum;
        }
        table
    }
}
