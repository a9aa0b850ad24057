//! Points side by side, as the register tile reads them.

use std::marker::PhantomData;
use std::mem::MaybeUninit;

use super::tile::TILE;
use crate::kernel::Aligned;
use crate::kernel::ahead::LINE;
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Isa, Simd, Task, dispatch_on, isa};

/// Points of `dim` components each, in panels.
#[derive(Debug, Clone)]
pub(crate) struct Panels<F> {
    values: Aligned<F>,
    /// A number for each point, and 0 for each that only fills the last panel; or none at all.
    beside: Vec<F>,
    pub(super) n: usize,
    pub(super) dim: usize,
    pub(super) isa: Isa,
}

impl<F: Element> Panels<F> {
    /// Lays `n` points into panels; `write(i, point)` fills point `i`, every component, and returns a number that is kept beside it.
    pub(crate) fn new<R: Send>(
        n: usize,
        dim: usize,
        write: impl Fn(usize, &mut [F]) -> R + Send + Sync,
    ) -> (Self, Vec<R>) {
        Self::new_on(isa(), n, dim, write)
    }

    pub(super) fn new_on<R: Send>(
        isa: Isa,
        n: usize,
        dim: usize,
        write: impl Fn(usize, &mut [F]) -> R + Send + Sync,
    ) -> (Self, Vec<R>) {
        let width = width::<F>(isa);
        let len = n.div_ceil(width) * width * dim;
        let mut beside: Vec<Option<R>> = Vec::new();
        beside.resize_with(n, || None);
        let fill = |room: &mut [MaybeUninit<F>]| {
            // A tile's worth of panels at a time.
            let parts: Vec<_> = room.chunks_mut((TILE * dim).max(1)).zip(beside.chunks_mut(TILE)).collect();
            crate::par::for_each(parts, |part, (panels, beside)| {
                // With rows of exactly a power of two, one component of all points would lie in one place of the cache.
                let stride = dim + per_line::<F>();
                let mut points = vec![F::ZERO; width * stride];
                let parts = panels.chunks_exact_mut(width * dim).zip(beside.chunks_mut(width));
                for (panel, (out, beside)) in parts.enumerate() {
                    // No points of this panel, but those of the one before.
                    points[beside.len() * stride..].fill(F::ZERO);
                    let first = part * TILE + panel * width;
                    for (i, (point, beside)) in points.chunks_exact_mut(stride).zip(beside).enumerate() {
                        *beside = Some(write(first + i, &mut point[..dim]));
                    }
                    turn(&points, stride, out, width);
                }
            });
        };
        // SAFETY: the parts cover the room, a whole number of panels, and `turn` writes every place of each.
        let values = unsafe { Aligned::written(len, fill) };
        // Without a component there are no parts, and still a number beside each point.
        let beside = beside.into_iter().enumerate().map(|(i, r)| r.unwrap_or_else(|| write(i, &mut [])));
        let beside = beside.collect();
        (Self { values, beside: Vec::new(), n, dim, isa }, beside)
    }

    /// Keeps a number beside each point, for what becomes of totals.
    ///
    /// # Panics
    /// Unless there is one for each.
    pub(crate) fn keep_beside(&mut self, mut beside: Vec<F>) {
        assert_eq!(beside.len(), self.n, "a number for each point");
        beside.resize(self.n.next_multiple_of(width::<F>(self.isa)), F::ZERO);
        self.beside = beside;
    }

    /// The number beside each point, if any are kept.
    pub(crate) fn beside(&self) -> &[F] {
        &self.beside[..self.n.min(self.beside.len())]
    }

    /// The panels of up to [`TILE`] points from point `i` on, and the numbers beside these, if any are kept.
    pub(super) fn part(&self, i: usize) -> [&[F]; 2] {
        let end = (i + TILE).min(self.n.next_multiple_of(width::<F>(self.isa)));
        let from =
            |values: &'_ [F], each: usize| (i * each).min(values.len())..(end * each).min(values.len());
        [&self.values[from(&self.values, self.dim)], &self.beside[from(&self.beside, 1)]]
    }
}

/// Writes `points`, `width` of them that begin `stride` apart, as the columns of `panel`.
fn turn<F: Element>(points: &[F], stride: usize, panel: &mut [MaybeUninit<F>], width: usize) {
    for (k, row) in panel.chunks_exact_mut(width).enumerate() {
        for (place, point) in row.iter_mut().zip(points.chunks_exact(stride)) {
            place.write(point[k]);
        }
    }
}

/// Points side by side in a panel.
pub(super) fn width<F: Element>(isa: Isa) -> usize {
    dispatch_on(isa, Width(PhantomData::<F>))
}

struct Width<F>(PhantomData<F>);

impl<F: Element> Task for Width<F> {
    type Output = usize;

    #[inline(always)]
    fn run<S: Simd>(self) -> usize {
        3 * Lanes::<F, S>::N
    }
}

/// Numbers in a line of memory.
pub(super) const fn per_line<F>() -> usize {
    LINE / size_of::<F>()
}
