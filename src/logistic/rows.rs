//! Records as the row passes see them: dense or sparse, `f32` or `f64`.

use std::ops::Range;

use crate::float::Float;
use crate::kernel::linear::logistic as kernel;

/// Rows of the records, one after another.
#[derive(Debug, Clone, Copy)]
pub(super) enum Rows<'a, F> {
    /// `x` is `(n, d)`, row after row.
    Dense { x: &'a [F], d: usize },
    /// Row `i` has `values[k]` in column `indices[k]` for `k` in `starts[i]..starts[i + 1]`; `d` columns.
    Sparse { starts: &'a [usize], indices: &'a [usize], values: &'a [F], d: usize },
}

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

    /// Adds `x w` of rows `range` to `z`, `(m, rows)`; `w` is `(d, lanes)`.
    pub(super) fn margins(&self, range: Range<usize>, m: usize, w: &[f64], z: &mut [f64]) {
        let n = range.len();
        match *self {
            Self::Dense { x, d } => {
                kernel::margins(&x[range.start * d..range.end * d], n, d, m, &w[..d * kernel::lanes(m)], z);
            }
            Self::Sparse { starts, indices, values, .. } => {
                let lanes = kernel::lanes(m);
                for (i, row) in range.enumerate() {
                    let entries = starts[row]..starts[row + 1];
                    let entries = indices[entries.clone()].iter().zip(&values[entries]);
                    if m == 1 {
                        z[i] += entries.map(|(&j, &v)| w[j] * v.as_f64()).sum::<f64>();
                        continue;
                    }
                    for (&j, &v) in entries {
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
                kernel::gradient(&x[range.start * d..range.end * d], n, d, m, r, &mut g[..d * lanes]);
            }
            Self::Sparse { starts, indices, values, .. } => {
                for (row, r) in range.zip(r.chunks_exact(lanes)) {
                    let entries = starts[row]..starts[row + 1];
                    for (&j, &v) in indices[entries.clone()].iter().zip(&values[entries]) {
                        for (g, r) in g[j * lanes..(j + 1) * lanes].iter_mut().zip(r) {
                            *g += r * v.as_f64();
                        }
                    }
                }
            }
        }
    }

    /// Writes rows `range` as dense `f64` with a 1 behind each: `(rows, d + 1)`.
    pub(super) fn widen(&self, range: Range<usize>, out: &mut [f64]) {
        let d = self.d();
        for (row, out) in range.zip(out.chunks_exact_mut(d + 1)) {
            self.widen_row(row, &mut out[..d]);
            out[d] = 1.0;
        }
    }

    /// Writes row `row` as dense `f64`.
    pub(super) fn widen_row(&self, row: usize, out: &mut [f64]) {
        match *self {
            Self::Dense { x, d } => {
                for (out, &v) in out.iter_mut().zip(&x[row * d..(row + 1) * d]) {
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

    /// The columns `set`, sorted, side by side as dense `f64`: `(n, set)`.
    pub(super) fn columns(&self, set: &[usize]) -> Vec<f64> {
        let width = set.len();
        let mut out = vec![0.0; self.n() * width];
        let mut place = vec![usize::MAX; self.d()];
        for (i, &j) in set.iter().enumerate() {
            place[j] = i;
        }
        for (row, out) in out.chunks_exact_mut(width).enumerate() {
            match *self {
                Self::Dense { x, d } => {
                    for (out, &j) in out.iter_mut().zip(set) {
                        *out = x[row * d + j].as_f64();
                    }
                }
                Self::Sparse { .. } => self.for_each_entry(row, |j, v| {
                    if place[j] != usize::MAX {
                        out[place[j]] += v;
                    }
                }),
            }
        }
        out
    }
}
