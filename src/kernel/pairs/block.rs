//! A tile on its way into a matrix.

use std::mem::MaybeUninit;

use super::finish::Finish;
use super::panels::Panels;
use super::step::Step;
use super::stream::write_rows;
use super::tile::{DEPTH, Place, TILE, filled};
use crate::kernel::Aligned;
use crate::kernel::ahead::expect_write;
use crate::kernel::lanes::Element;

/// Distances of some rows to some others, to be filled by a [`Metric`](crate::distance::Metric).
///
/// # Example
/// See [`Metric`](crate::distance::Metric).
// A square of its own, copied into a matrix in the end, or its place in the matrix, where every entry is written once.
#[derive(Debug)]
pub struct Block<'a, F> {
    square: &'a mut Aligned<F>,
    /// The matrix from the first entry of the tile on, `stride` places for each row.
    room: &'a mut [MaybeUninit<F>],
    stride: usize,
    rows: usize,
    columns: usize,
    in_place: bool,
}

/// Room for the square of a [`Block`]: none, until one needs it.
pub(crate) fn square<F: Element>() -> Aligned<F> {
    Aligned::default()
}

impl<'a, F: Element> Block<'a, F> {
    /// `rows` and `columns` of a matrix with `stride` columns, whose memory from the first of these entries on is `room`.
    pub(crate) fn new(
        square: &'a mut Aligned<F>,
        room: &'a mut [MaybeUninit<F>],
        stride: usize,
        rows: usize,
        columns: usize,
    ) -> Self {
        assert!(rows <= TILE && columns <= TILE && columns <= stride);
        assert!(rows == 0 || room.len() >= (rows - 1) * stride + columns, "a tile lies in its matrix");
        Self { square, room, stride, rows, columns, in_place: false }
    }

    /// A square alone, of `rows` and `columns`: entry `(r, c)` is in place `r * TILE + c`.
    pub(crate) fn of_square(square: &'a mut Aligned<F>, rows: usize, columns: usize) -> Self {
        assert!(rows <= TILE && columns <= TILE);
        Self { square, room: &mut [], stride: 0, rows, columns, in_place: false }
    }

    /// Calls `f(r, row)` for each row, to be filled: it has whatever numbers, one for each column.
    pub fn fill_rows(&mut self, f: impl FnMut(usize, &mut [F])) {
        self.begin_square();
        self.for_each_row(f);
    }

    fn begin_square(&mut self) {
        self.in_place = false;
        self.square.resize(TILE * TILE);
        // The lines at both ends of a row are written in part and have to be there; those between come from here alone.
        for row in self.room.chunks(self.stride.max(1)).take(self.rows) {
            expect_write(row.as_ptr());
            expect_write(row.as_ptr().wrapping_add(self.columns.saturating_sub(1)));
        }
    }

    /// What `map` makes of the totals of the points of `x` and `y` from their beginnings on, and the least of the numbers that it watches: of these
    /// points, and of the zeros that fill incomplete panels. In place where no total comes in parts.
    ///
    /// The second way through the caches is a fifth of the time at 64 components in f32; where totals come in parts, stores past the caches are the
    /// faster ones.
    pub(crate) fn fill<P: Step<F>, M: Finish<F>>(
        &mut self,
        how: (P, M),
        x: (&Panels<F>, usize),
        y: (&Panels<F>, usize),
    ) -> F {
        let n = |(points, start): (&Panels<F>, usize)| TILE.min(points.n.saturating_sub(start));
        let all = (n(x), n(y)) == (self.rows, self.columns);
        self.in_place = all && (1..=DEPTH).contains(&x.0.dim) && !self.room.is_empty();
        if !self.in_place {
            self.begin_square();
        }
        let to = self.room.as_mut_ptr().cast::<F>();
        let place = self.in_place.then_some(Place { to, stride: self.stride, columns: self.columns });
        // SAFETY: the room has `rows` rows of `columns` entries, so many apart, for just these points.
        unsafe { filled(how, [x, y], self.square, place) }
    }

    /// Calls `f(r, row)` with each row, once it is filled.
    pub(crate) fn for_each_row(&mut self, mut f: impl FnMut(usize, &mut [F])) {
        for r in 0..self.rows {
            let row = if self.in_place {
                let row = &mut self.room[r * self.stride..][..self.columns];
                // SAFETY: `fill` has written every entry of the tile, there is nothing in a float but its bits.
                unsafe { &mut *(std::ptr::from_mut(row) as *mut [F]) }
            } else {
                &mut self.square[r * TILE..][..self.columns]
            };
            f(r, row);
        }
    }

    /// Puts the entries where they belong; `len` is the number of all entries of the matrix.
    pub(crate) fn finish(self, len: usize) {
        if !self.in_place {
            let rows = self.room.chunks_mut(self.stride).take(self.rows).map(|row| &mut row[..self.columns]);
            write_rows(len, rows.zip(self.square.chunks_exact(TILE)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::pairs::tests::finished_tile;
    use crate::kernel::simd::available;
    use crate::kernel::{Product, Similarity};

    /// Of the sizes, in Miri.
    const FEW: usize = if cfg!(miri) { 4 } else { usize::MAX };

    fn value(i: usize, k: usize) -> f64 {
        ((i * 31 + k * 17 + i * k) % 23) as f64 / 8.0 - 1.0
    }

    #[test]
    fn a_tile_in_its_place_is_the_tile_of_a_square() {
        for isa in available() {
            let sizes = [(TILE, TILE), (TILE, 96), (8, 48), (7, 48), (16, 50), (TILE - 1, TILE)];
            for (rows, columns) in sizes.into_iter().take(FEW) {
                for dim in [0, 1, 3, 64, DEPTH, DEPTH + 1].into_iter().take(FEW) {
                    let panels = |n, shift: usize| {
                        let write = |i: usize, point: &mut [f32]| {
                            point.iter_mut().enumerate().for_each(|(k, v)| *v = value(i + shift, k) as f32);
                        };
                        Panels::new_on(isa, n, dim, write).0
                    };
                    let (x, y) = (panels(TILE + rows, 0), panels(2 * TILE + columns, 5));
                    let (mut square, mut expected) = (square(), vec![0.0; TILE * TILE]);
                    let stride = columns + 5;
                    let mut room = vec![-9.0; rows * stride];
                    let least = {
                        // SAFETY: numbers stay numbers.
                        let room =
                            unsafe { &mut *(std::ptr::from_mut(&mut room[2..]) as *mut [MaybeUninit<f32>]) };
                        let mut block = Block::new(&mut square, room, stride, rows, columns);
                        let least = block.fill((Product, Similarity), (&x, TILE), (&y, 2 * TILE));
                        block.for_each_row(|r, row| row[0] += r as f32);
                        block.finish(rows * stride);
                        least
                    };
                    let whole =
                        finished_tile((Product, Similarity), [(&x, TILE), (&y, 2 * TILE)], &mut expected);
                    assert_eq!(least, whole);
                    for (at, &got) in room.iter().enumerate() {
                        let (r, c) = (at.saturating_sub(2) / stride, at.wrapping_sub(2) % stride);
                        let entry = if at < 2 || c >= columns { -9.0 } else { expected[r * TILE + c] };
                        let added = if at >= 2 && c == 0 { r as f32 } else { 0.0 };
                        assert_eq!(got, entry + added, "{isa:?} {rows} x {columns}, dim {dim}: {r} {c}");
                    }
                }
            }
        }
    }
}
