//! A symmetric matrix from its lower half, each half written once.

use super::tile::TILE;
use crate::par;

/// Fills the symmetric `n x n` matrix `out`: `compute(i, j, square)` is called once for each pair of tiles with `i >= j` (both
/// multiples of [`TILE`]) and leaves the entry of `(i + r, j + c)` in `square[r * TILE + c]`; the other half is its mirror image.
///
/// # Panics
/// When `out` has another length than `n * n`.
pub(crate) fn symmetric<F: Copy + Send + Sync>(
    out: &mut [F],
    n: usize,
    zero: F,
    compute: impl Fn(usize, usize, &mut [F]) + Send + Sync,
) {
    assert_eq!(Some(out.len()), n.checked_mul(n), "a symmetric matrix is square");
    let bands = n.div_ceil(TILE);
    let out = Entries(out.as_mut_ptr());
    // Band `b` has `b + 1` tiles: with its counterpart from the other end, every piece of work is of one size.
    par::map(bands.div_ceil(2), |pair| {
        let mut square = vec![zero; TILE * TILE];
        let last = bands - 1 - pair;
        for band in if last == pair { pair..=pair } else { pair..=last }.step_by((last - pair).max(1)) {
            for column in 0..=band {
                let (i, j) = (band * TILE, column * TILE);
                compute(i, j, &mut square);
                let (rows, columns) = (TILE.min(n - i), TILE.min(n - j));
                for r in 0..rows {
                    // SAFETY: `(i + r) * n + j + columns <= n * n`, and this pair of tiles is written in this call alone.
                    let to = unsafe { std::slice::from_raw_parts_mut(out.at((i + r) * n + j), columns) };
                    to.copy_from_slice(&square[r * TILE..][..columns]);
                }
                if i == j {
                    continue;
                }
                // Sixteen rows at a time stay in the first-level cache until all their columns are read.
                for first in (0..rows).step_by(16) {
                    let run = 16.min(rows - first);
                    for c in 0..columns {
                        // SAFETY: as above, on the other side of the diagonal.
                        let to = unsafe { std::slice::from_raw_parts_mut(out.at((j + c) * n + i + first), run) };
                        for (r, to) in to.iter_mut().enumerate() {
                            *to = square[(first + r) * TILE + c];
                        }
                    }
                }
            }
        }
    });
}

/// The entries of a matrix that several threads write, none of them twice.
struct Entries<F>(*mut F);

impl<F> Entries<F> {
    /// Where entry `index` is.
    fn at(&self, index: usize) -> *mut F {
        self.0.wrapping_add(index)
    }
}

// SAFETY: `symmetric` holds the matrix mutably for as long as the pointer lives, and gives each entry to one thread.
unsafe impl<F: Send> Sync for Entries<F> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_are_written_for_every_size() {
        for n in [0, 1, 2, 17, TILE - 1, TILE, TILE + 1, 2 * TILE, 3 * TILE + 5] {
            let entry = |i: usize, j: usize| (i * j + i + j) as f64;
            let mut out = vec![-1.0; n * n];
            symmetric(&mut out, n, 0.0, |i, j, square| {
                for (k, value) in square.iter_mut().enumerate() {
                    *value = entry(i + k / TILE, j + k % TILE);
                }
            });
            assert!(out.iter().enumerate().all(|(k, &value)| value == entry(k / n, k % n)), "{n}");
        }
    }
}
