//! Matrices written a tile at a time, each entry once, into memory that nothing has touched before.

use std::mem::MaybeUninit;

use super::block::{Block, square};
use super::stream::write_rows;
use super::tile::TILE;
use crate::kernel::lanes::Element;
use crate::kernel::large_pages;
use crate::par;

/// The `n x m` matrix of what `compute` makes of each tile.
///
/// Tiles come in bands of [`TILE`] rows: `band(i)` makes ready what the tiles of the rows from `i` on have in common, and `compute(&band, j, block)` puts
/// the entry of `(i + r, j + c)` into row `r` and column `c` of the block.
pub(crate) fn rectangle<F: Element, B>(
    n: usize,
    m: usize,
    band: impl Fn(usize) -> B + Sync,
    compute: impl Fn(&B, usize, &mut Block<'_, F>) + Sync,
) -> Vec<F> {
    filled(n * m, |room| fill_rectangle(room, n, m, band, compute))
}

/// The same in memory of the caller.
///
/// # Panics
/// When `out` has another length than `n * m`.
pub(crate) fn rectangle_into<F: Element, B>(
    out: &mut [F],
    n: usize,
    m: usize,
    band: impl Fn(usize) -> B + Sync,
    compute: impl Fn(&B, usize, &mut Block<'_, F>) + Sync,
) {
    fill_rectangle(room_of(out), n, m, band, compute);
}

/// The symmetric `n x n` matrix: `compute(i, j, block)` is called for tiles with `i >= j` only, and what lies above the diagonal is their
/// mirror image.
pub(crate) fn symmetric<F: Element>(
    n: usize,
    compute: impl Fn(usize, usize, &mut Block<'_, F>) + Sync,
) -> Vec<F> {
    filled(n * n, |room| fill_symmetric(room, n, compute))
}

/// The same in memory of the caller.
///
/// # Panics
/// When `out` has another length than `n * n`.
pub(crate) fn symmetric_into<F: Element>(
    out: &mut [F],
    n: usize,
    compute: impl Fn(usize, usize, &mut Block<'_, F>) + Sync,
) {
    fill_symmetric(room_of(out), n, compute);
}

fn fill_rectangle<F: Element, B>(
    room: &mut [MaybeUninit<F>],
    n: usize,
    m: usize,
    band: impl Fn(usize) -> B + Sync,
    compute: impl Fn(&B, usize, &mut Block<'_, F>) + Sync,
) {
    assert_eq!(Some(room.len()), n.checked_mul(m), "a matrix has rows times columns");
    par::for_each_chunk_mut(room, TILE * m, |number, room| {
        let (band, rows) = (band(number * TILE), room.len() / m);
        let mut square = square();
        for j in (0..m).step_by(TILE) {
            let mut block = Block::new(&mut square, &mut room[j..], m, rows, TILE.min(m - j));
            compute(&band, j, &mut block);
            block.finish(n * m);
        }
    });
}

fn fill_symmetric<F: Element>(
    room: &mut [MaybeUninit<F>],
    n: usize,
    compute: impl Fn(usize, usize, &mut Block<'_, F>) + Sync,
) {
    assert_eq!(Some(room.len()), n.checked_mul(n), "a symmetric matrix is square");
    let bands = n.div_ceil(TILE);
    let entries = Entries(room.as_mut_ptr());
    // Band `b` has `b + 1` tiles: with its counterpart from the other end, every piece of work is of one size.
    par::map(bands.div_ceil(2), |pair| {
        let (mut below, mut above) = (square(), square());
        above.resize(TILE * TILE);
        let last = bands - 1 - pair;
        for band in (pair..=last).step_by((last - pair).max(1)) {
            for column in 0..=band {
                let (i, j) = (band * TILE, column * TILE);
                let (rows, columns) = (TILE.min(n - i), TILE.min(n - j));
                let write = |i: usize, j: usize, columns: usize, square: &[F], rows: usize| {
                    // SAFETY: `(i + r) * n + j + columns <= n * n`, and this pair of tiles is written in this call alone.
                    let row =
                        |r| unsafe { std::slice::from_raw_parts_mut(entries.at((i + r) * n + j), columns) };
                    write_rows(n * n, (0..rows).map(row).zip(square.chunks_exact(TILE)));
                };
                compute(i, j, &mut Block::of_square(&mut below, rows, columns));
                write(i, j, columns, &below, rows);
                if i != j {
                    mirror(&below, &mut above);
                    write(j, i, rows, &above, columns);
                }
            }
        }
    });
}

/// Rows become columns.
fn mirror<F: Copy>(square: &[F], mirrored: &mut [F]) {
    // Blocks of which both sides fit into the first-level cache.
    const SIDE: usize = 16;
    for i in (0..TILE).step_by(SIDE) {
        for j in (0..TILE).step_by(SIDE) {
            for c in j..j + SIDE {
                for r in i..i + SIDE {
                    mirrored[c * TILE + r] = square[r * TILE + c];
                }
            }
        }
    }
}

/// The entries of a matrix that several threads write, none of them twice.
struct Entries<F>(*mut MaybeUninit<F>);

impl<F> Entries<F> {
    /// Where entry `index` is.
    fn at(&self, index: usize) -> *mut MaybeUninit<F> {
        self.0.wrapping_add(index)
    }
}

// SAFETY: `fill_symmetric` holds the matrix mutably for as long as the pointer lives, and gives each entry to one thread.
unsafe impl<F: Send> Sync for Entries<F> {}

/// A vector of `len` numbers, each of which `write`, one of the two functions above, writes.
fn filled<F: Element>(len: usize, write: impl FnOnce(&mut [MaybeUninit<F>])) -> Vec<F> {
    let mut values = Vec::with_capacity(len);
    let room: &mut [MaybeUninit<F>] = &mut values.spare_capacity_mut()[..len];
    large_pages(room);
    write(room);
    // SAFETY: the capacity is at least `len`. The tiles of `fill_rectangle`, and those of `fill_symmetric` with their mirror images,
    // cover the whole matrix, and both write every entry of a tile that lies inside of it.
    unsafe { values.set_len(len) };
    values
}

/// Numbers that are there to be written over.
fn room_of<F: Element>(values: &mut [F]) -> &mut [MaybeUninit<F>] {
    // SAFETY: the layout is the same, and the functions above write whole numbers only.
    unsafe { &mut *(std::ptr::from_mut(values) as *mut [MaybeUninit<F>]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of the sizes, in Miri.
    const FEW: usize = if cfg!(miri) { 4 } else { usize::MAX };

    fn entry(i: usize, j: usize) -> f64 {
        (i * j + i + j) as f64
    }

    fn fill(i: usize, j: usize, block: &mut Block<'_, f64>) {
        block.fill_rows(|r, row| {
            row.iter_mut().enumerate().for_each(|(c, value)| *value = entry(i + r, j + c));
        });
    }

    /// A band is its first row.
    fn fill_band(i: &usize, j: usize, block: &mut Block<'_, f64>) {
        fill(*i, j, block);
    }

    #[test]
    fn both_halves_are_written_for_every_size() {
        let sizes = [0, 1, 2, TILE + 1, 17, TILE - 1, TILE, 2 * TILE, 3 * TILE + 5];
        for n in sizes.into_iter().take(FEW) {
            let mut out = vec![-1.0; n * n];
            symmetric_into(&mut out, n, fill);
            assert!(out.iter().enumerate().all(|(k, &value)| value == entry(k / n, k % n)), "{n}");
            assert_eq!(symmetric(n, fill), out);
        }
    }

    #[test]
    fn rectangles_of_every_size_are_written() {
        let sizes = [(0, 3), (1, 1), (TILE + 1, 5), (7, 2 * TILE + 3), (TILE, TILE), (1100, 1001)];
        for (n, m) in sizes.into_iter().take(FEW) {
            let mut out = vec![-1.0; n * m];
            rectangle_into(&mut out, n, m, |i| i, fill_band);
            assert!(out.iter().enumerate().all(|(k, &value)| value == entry(k / m, k % m)), "{n} {m}");
            assert_eq!(rectangle(n, m, |i| i, fill_band), out);
        }
    }
}
