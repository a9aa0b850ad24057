//! Records as the row passes see them: dense or sparse, `f32` or `f64`.

use std::ops::Range;

use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::expect_more;
use crate::kernel::linear::{gram::padded, logistic as kernel, single};

/// Rows of the records, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a, F> {
    /// `x` is `(n, d)`, row after row.
    Dense { x: &'a [F], d: usize },
    /// Row `i` has `values[k]` in column `indices[k]` for `k` in `starts[i]..starts[i + 1]`; `d` columns.
    Sparse { starts: &'a [usize], indices: &'a [usize], values: &'a [F], d: usize },
}

/// Size beyond which squares of records, and sums of these, could overflow.
const LARGEST: f64 = 1e100;

/// Bytes of records that one block should take, so that its second use finds them in the nearest cache.
const BLOCK_BYTES: usize = 32 * 1024;

impl<F: Float> Rows<'_, F> {
    pub(super) fn n(&self) -> usize {
        match self {
            Self::Dense { x, d } => x.len() / d,
            Self::Sparse { starts, .. } => starts.len() - 1,
        }
    }

    pub(super) fn d(&self) -> usize {
        match self {
            Self::Dense { d, .. } | Self::Sparse { d, .. } => *d,
        }
    }

    /// Entries that are stored.
    pub(super) fn stored(&self) -> usize {
        match self {
            Self::Dense { x, .. } => x.len(),
            Self::Sparse { values, .. } => values.len(),
        }
    }

    pub(super) fn is_dense(&self) -> bool {
        matches!(self, Self::Dense { .. })
    }

    /// Rows of a block: a multiple of 4, at most 256.
    pub(super) fn block(&self) -> usize {
        let row = (self.stored() / self.n().max(1)).max(1) * size_of::<F>();
        (BLOCK_BYTES / row).clamp(4, 256) / 4 * 4
    }

    /// Largest absolute value of rows `range`, or NaN where one is not finite.
    pub(super) fn largest(&self, range: Range<usize>) -> f64 {
        match *self {
            Self::Dense { x, d } => kernel::largest(&x[range.start * d..range.end * d]),
            Self::Sparse { starts, values, .. } => {
                kernel::largest(&values[starts[range.start]..starts[range.end]])
            }
        }
    }

    /// Errors unless `largest` of all rows is a number and not too large: with the place of the first bad value.
    pub(super) fn check(&self, largest: f64) -> Result<()> {
        if largest <= LARGEST {
            return Ok(());
        }
        let values = match *self {
            Self::Dense { x, .. } => x,
            Self::Sparse { values, .. } => values,
        };
        let too_large = |v: &F| v.as_f64().abs() > LARGEST;
        let bad = values.iter().position(|v| !v.is_finite()).or_else(|| values.iter().position(too_large));
        let Some(k) = bad else {
            return Ok(());
        };
        let value = values[k].as_f64();
        if value.is_finite() {
            return Err(Error::shape("records", "values of at most 1e100 in size", value));
        }
        let (row, column) = match *self {
            Self::Dense { d, .. } => (k / d, k % d),
            Self::Sparse { starts, indices, .. } => (starts.partition_point(|&s| s <= k) - 1, indices[k]),
        };
        Err(Error::NonFinite { name: "records", row, column, value })
    }

    /// Adds `x w` of rows `range` to `z`, `(m, rows)`; `w` is `(d, lanes)`.
    pub(super) fn margins(&self, range: Range<usize>, m: usize, w: &[f64], z: &mut [f64]) {
        let n = range.len();
        match *self {
            Self::Dense { x, d } => {
                let x = &x[range.start * d..range.end * d];
                match F::as_f64s(x) {
                    Some(x) if m == 1 => single::margins(x, &w[..d], z),
                    _ => kernel::margins(x, n, d, m, &w[..d * kernel::lanes(m)], z),
                }
            }
            Self::Sparse { starts, indices, values, .. } => {
                let lanes = kernel::lanes(m);
                for (i, row) in range.enumerate() {
                    let entries = starts[row]..starts[row + 1];
                    let (indices, values) = (&indices[entries.clone()], &values[entries]);
                    expect_more(indices);
                    expect_more(values);
                    if m == 1 {
                        z[i] += product(indices, values, w);
                        continue;
                    }
                    for (&j, &v) in indices.iter().zip(values) {
                        for (c, w) in w[j * lanes..j * lanes + m].iter().enumerate() {
                            z[c * n + i] += w * v.as_f64();
                        }
                    }
                }
            }
        }
    }

    /// Adds `x^T r` of rows `range` to `g`, `(d, lanes)`; `r` is `(rows, lanes)`.
    pub(super) fn gradient(&self, range: Range<usize>, m: usize, r: &[f64], g: &mut [f64]) {
        let n = range.len();
        let lanes = kernel::lanes(m);
        match *self {
            Self::Dense { x, d } => {
                let x = &x[range.start * d..range.end * d];
                match F::as_f64s(x) {
                    Some(x) if m == 1 => single::gradient(x, r, &mut g[..d]),
                    _ => kernel::gradient(x, n, d, m, r, &mut g[..d * lanes]),
                }
            }
            Self::Sparse { starts, indices, values, .. } => {
                for (row, r) in range.zip(r.chunks_exact(lanes)) {
                    let entries = starts[row]..starts[row + 1];
                    let (indices, values) = (&indices[entries.clone()], &values[entries]);
                    expect_more(indices);
                    expect_more(values);
                    let entries = indices.iter().zip(values);
                    if let [r] = *r {
                        entries.for_each(|(&j, &v)| g[j] += r * v.as_f64());
                        continue;
                    }
                    for (&j, &v) in entries {
                        for (g, r) in g[j * lanes..(j + 1) * lanes].iter_mut().zip(r) {
                            *g += r * v.as_f64();
                        }
                    }
                }
            }
        }
    }

    /// Adds `(x * x)^T h` of rows `range` to `g`, entry by entry squared: the shapes of [`gradient`](Self::gradient).
    pub(super) fn add_squares(&self, range: Range<usize>, m: usize, h: &[f64], g: &mut [f64]) {
        let lanes = kernel::lanes(m);
        match *self {
            Self::Dense { x, d } => {
                let squares: Vec<f64> =
                    x[range.start * d..range.end * d].iter().map(|v| v.as_f64() * v.as_f64()).collect();
                Rows::Dense { x: &squares, d }.gradient(0..range.len(), m, h, g);
            }
            Self::Sparse { starts, indices, values, .. } => {
                for (row, h) in range.zip(h.chunks_exact(lanes)) {
                    let entries = starts[row]..starts[row + 1];
                    for (&j, &v) in indices[entries.clone()].iter().zip(&values[entries]) {
                        for (g, h) in g[j * lanes..(j + 1) * lanes].iter_mut().zip(h) {
                            *g += h * v.as_f64() * v.as_f64();
                        }
                    }
                }
            }
        }
    }

    /// Writes rows `range` as dense `f64` with a 1 behind each and zeros behind that: `(rows, padded(d + 1))`. Of all features or of those given, sorted:
    /// `d` is the number of these then.
    pub(super) fn widen(&self, range: Range<usize>, features: Option<&[usize]>, out: &mut [f64]) {
        let d = features.map_or(self.d(), <[usize]>::len);
        for (row, out) in range.zip(out.chunks_exact_mut(padded(d + 1))) {
            let (x, rest) = out.split_at_mut(d);
            rest.fill(0.0);
            rest[0] = 1.0;
            match features {
                None => self.widen_row(row, x),
                Some(features) => self.pick(row, features, x),
            }
        }
    }

    /// Writes the entries of row `row` that belong to `features`, sorted, as dense `f64`.
    fn pick(&self, row: usize, features: &[usize], out: &mut [f64]) {
        match *self {
            Self::Dense { x, d } => {
                let x = &x[row * d..(row + 1) * d];
                for (out, &j) in out.iter_mut().zip(features) {
                    *out = x[j].as_f64();
                }
            }
            Self::Sparse { .. } => {
                out.fill(0.0);
                self.for_each_entry(row, |j, v| {
                    if let Ok(place) = features.binary_search(&j) {
                        out[place] += v;
                    }
                });
            }
        }
    }

    /// Writes row `row` as dense `f64`.
    pub(super) fn widen_row(&self, row: usize, out: &mut [f64]) {
        match *self {
            Self::Dense { x, d } => {
                let x = &x[row * d..(row + 1) * d];
                if let Some(x) = F::as_f64s(x) {
                    out.copy_from_slice(x);
                    return;
                }
                for (out, &v) in out.iter_mut().zip(x) {
                    *out = v.as_f64();
                }
            }
            Self::Sparse { starts, indices, values, .. } => {
                out.fill(0.0);
                let entries = starts[row]..starts[row + 1];
                for (&j, &v) in indices[entries.clone()].iter().zip(&values[entries]) {
                    out[j] += v.as_f64();
                }
            }
        }
    }

    /// Calls `f(column, value)` on the stored entries of a row.
    pub(super) fn for_each_entry(&self, row: usize, mut f: impl FnMut(usize, f64)) {
        match *self {
            Self::Dense { x, d } => {
                for (j, &v) in x[row * d..(row + 1) * d].iter().enumerate() {
                    f(j, v.as_f64());
                }
            }
            Self::Sparse { starts, indices, values, .. } => {
                let entries = starts[row]..starts[row + 1];
                for (&j, &v) in indices[entries.clone()].iter().zip(&values[entries]) {
                    f(j, v.as_f64());
                }
            }
        }
    }

    /// The columns of `features`, sorted, side by side as `f64`, `(n, features)`; none of sparse rows.
    pub(super) fn columns(&self, features: &[usize]) -> Option<Vec<f64>> {
        if !self.is_dense() {
            return None;
        }
        let mut out = vec![0.0; self.n() * features.len()];
        for (row, out) in out.chunks_exact_mut(features.len()).enumerate() {
            self.pick(row, features, out);
        }
        Some(out)
    }
}

/// `sum_k values[k] w[indices[k]]` by four sums, so that no addition waits for the last one.
fn product<F: Float>(indices: &[usize], values: &[F], w: &[f64]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, rest) = indices.as_chunks::<4>();
    let (value_fours, value_rest) = values.as_chunks::<4>();
    for (indices, values) in fours.iter().zip(value_fours) {
        for l in 0..4 {
            sums[l] += w[indices[l]] * values[l].as_f64();
        }
    }
    let rest: f64 = rest.iter().zip(value_rest).map(|(&j, v)| w[j] * v.as_f64()).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}
