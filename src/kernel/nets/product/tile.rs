//! The tile: a few rows times a panel, summed in registers from start to end.

use crate::kernel::ahead::expect_reads;
use crate::kernel::lanes::Lanes;
use crate::kernel::nets::activation::Real;
use crate::kernel::simd::Simd;

/// Where the left factor of row `m` and inner index `k = (outer, inner)` lies: at `m * row + outer * jump + inner * step`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<F> {
    pub(crate) start: *const F,
    pub(crate) row: usize,
    pub(crate) jump: usize,
    pub(crate) n_outer: usize,
    pub(crate) step: usize,
    pub(crate) n_inner: usize,
}

impl<F> Left<F> {
    /// The first part of the sum, about `INNER_AT_ONCE` summands, and the rest where there is one.
    ///
    /// # Safety
    /// What it spans can be read.
    #[inline(always)]
    unsafe fn split(self) -> (Self, Option<Self>) {
        // SAFETY: both parts lie in the whole.
        unsafe {
            if self.n_outer > 1 {
                let n = (INNER_AT_ONCE / self.n_inner.max(1)).max(1);
                if n < self.n_outer {
                    let start = self.start.add(n * self.jump);
                    return (
                        Self { n_outer: n, ..self },
                        Some(Self { start, n_outer: self.n_outer - n, ..self }),
                    );
                }
            } else if self.n_inner > INNER_AT_ONCE + INNER_AT_ONCE / 2 {
                let (n, start) = (INNER_AT_ONCE, self.start.add(INNER_AT_ONCE * self.step));
                return (
                    Self { n_inner: n, ..self },
                    Some(Self { start, n_inner: self.n_inner - n, ..self }),
                );
            }
            (self, None)
        }
    }
}

/// Rows of a panel that are read together by many rows: 32 KB of four registers.
const INNER_AT_ONCE: usize = 128;

/// What a tile starts from, and what becomes of its sums.
pub(crate) trait Finish<F: Real, S: Simd, const G: usize> {
    /// The first summand of row `m`.
    ///
    /// # Safety
    /// `m` is below the number of rows given to [`rows`].
    unsafe fn start(&self, m: usize) -> [Lanes<F, S>; G];

    /// Takes the sums of row `m`.
    ///
    /// # Safety
    /// As for `start`.
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]);
}

/// A [`Finish`] whose sums can be left on the way.
pub(crate) trait Pause<F: Real, S: Simd, const G: usize>: Finish<F, S, G> {
    /// Puts the sums of row `m` where `start` finds them.
    ///
    /// # Safety
    /// As for `start`.
    unsafe fn pause(&mut self, m: usize, sums: [Lanes<F, S>; G]);
}

/// A part of a sum that is not the last.
struct Paused<'a, T>(&'a mut T);

impl<F: Real, S: Simd, T: Pause<F, S, G>, const G: usize> Finish<F, S, G> for Paused<'_, T> {
    #[inline(always)]
    unsafe fn start(&self, m: usize) -> [Lanes<F, S>; G] {
        // SAFETY: the caller's promise.
        unsafe { self.0.start(m) }
    }

    #[inline(always)]
    unsafe fn finish(&mut self, m: usize, sums: [Lanes<F, S>; G]) {
        // SAFETY: the caller's promise.
        unsafe { self.0.pause(m, sums) }
    }
}

/// [`rows`], where `many` rows pass the right matrix in parts that stay in the nearest cache. What is read next after it begins at `next`.
///
/// Parts change the order in which a row that is left over alone is added up, so `many` must not depend on how the rows are cut.
///
/// # Safety
/// As for [`rows`].
#[inline(always)]
pub(crate) unsafe fn rows_in_parts<F: Real, S: Simd, const G: usize>(
    n_rows: usize,
    many: bool,
    mut left: Left<F>,
    mut right: *const F,
    stride: usize,
    next: *const F,
    finish: &mut impl Pause<F, S, G>,
) {
    // SAFETY: the caller's promises, for each part.
    unsafe {
        if many {
            while let (part, Some(rest)) = left.split() {
                let after = right.add(part.n_outer * part.n_inner * stride);
                rows::<F, S, G>(n_rows, &part, right, stride, after, &mut Paused(finish));
                (left, right) = (rest, after);
            }
        }
        rows::<F, S, G>(n_rows, &left, right, stride, next, finish);
    }
}

/// For each row `m < n_rows`: `start(m) + sum_k left[m][k] * right[k]`, handed to `finish(m)`. What is read next after `right` begins at `next`.
///
/// # Safety
/// All that `left` spans can be read. `right` is valid for `n_outer * n_inner` rows at distance `stride`, each with `G` registers
/// at distance `BLOCK`.
#[inline(always)]
pub(crate) unsafe fn rows<F: Real, S: Simd, const G: usize>(
    n_rows: usize,
    left: &Left<F>,
    right: *const F,
    stride: usize,
    mut next: *const F,
    finish: &mut impl Finish<F, S, G>,
) {
    // Sums plus one row of `right` plus a broadcast must fit into the registers.
    let most = const {
        match (Lanes::<F, S>::COUNT >= 32, G) {
            (true, 4) => 6,
            (true, _) => 8,
            (false, 4) => 2,
            (false, 3) => 4,
            (false, 2) => 4,
            (false, _) => 8,
        }
    };
    let mut m = 0;
    if left.n_outer == 0 {
        for m in 0..n_rows {
            // SAFETY: `m` is one of the rows.
            unsafe {
                let sums = finish.start(m);
                finish.finish(m, sums);
            }
        }
        return;
    }
    // SAFETY: the caller's promises, for the rows `m..m + M` that are below `n_rows` by the conditions.
    unsafe {
        while most >= 8 && n_rows - m >= 8 {
            tile::<F, S, 8, G, 1>(m, left, right, stride, &mut next, finish);
            m += 8;
        }
        // 8 rows are better two fours than a six and a two.
        while most >= 6 && n_rows - m >= 6 && !(most == 6 && n_rows - m == 8) {
            tile::<F, S, 6, G, 1>(m, left, right, stride, &mut next, finish);
            m += 6;
        }
        while most >= 4 && n_rows - m >= 4 {
            tile::<F, S, 4, G, 1>(m, left, right, stride, &mut next, finish);
            m += 4;
        }
        while n_rows - m >= 2 {
            tile::<F, S, 2, G, 1>(m, left, right, stride, &mut next, finish);
            m += 2;
        }
        if n_rows - m == 1 {
            // One row has too few sums to hide the latency of an addition: several partial sums.
            match G {
                1 => tile::<F, S, 1, G, 8>(m, left, right, stride, &mut next, finish),
                2 => tile::<F, S, 1, G, 4>(m, left, right, stride, &mut next, finish),
                _ => tile::<F, S, 1, G, 2>(m, left, right, stride, &mut next, finish),
            }
        }
    }
}

/// `M` rows from row `m` on, with `P` partial sums, a power of two. Tiles of many rows have the time to bring near what comes `next`, a line with each row of
/// `right`.
///
/// # Safety
/// As for [`rows`], with `m + M <= n_rows`.
#[inline(always)]
#[allow(clippy::needless_range_loop, reason = "the sums of a tile are addressed by row, register and part")]
unsafe fn tile<F: Real, S: Simd, const M: usize, const G: usize, const P: usize>(
    m: usize,
    left: &Left<F>,
    right: *const F,
    stride: usize,
    next: &mut *const F,
    finish: &mut impl Finish<F, S, G>,
) {
    let block = F::BLOCK;
    let mut sums = [[[Lanes::of(0.0); G]; M]; P];
    // SAFETY: the caller's promises; `k + P <= n_inner` in the first loop, `k < n_inner` in the second.
    unsafe {
        for i in 0..M {
            sums[0][i] = finish.start(m + i);
        }
        // Behind the last row both pointers leave their matrices.
        let mut right = right;
        for outer in 0..left.n_outer {
            let mut a = left.start.add(m * left.row + outer * left.jump);
            let mut k = 0;
            while k + P <= left.n_inner {
                for p in 0..P {
                    let b: [Lanes<F, S>; G] = std::array::from_fn(|g| Lanes::read(right.add(g * block)));
                    for i in 0..M {
                        let a = Lanes::splat(*a.add(i * left.row));
                        for g in 0..G {
                            sums[p][i][g] = a.mul_add(b[g], sums[p][i][g]);
                        }
                    }
                    a = a.wrapping_add(left.step);
                    right = right.wrapping_add(stride);
                    if M >= 4 {
                        expect_reads(*next, F::BLOCK);
                        *next = next.wrapping_add(F::BLOCK);
                    }
                }
                k += P;
            }
            while P > 1 && k < left.n_inner {
                let b: [Lanes<F, S>; G] = std::array::from_fn(|g| Lanes::read(right.add(g * block)));
                for i in 0..M {
                    let a = Lanes::splat(*a.add(i * left.row));
                    for g in 0..G {
                        sums[0][i][g] = a.mul_add(b[g], sums[0][i][g]);
                    }
                }
                a = a.wrapping_add(left.step);
                right = right.wrapping_add(stride);
                k += 1;
            }
        }
        // A copy of its own: the sums would otherwise live in memory, as the loop over `finish` is too long to be unrolled.
        let mut half = P / 2;
        while half > 0 {
            for p in 0..half {
                for i in 0..M {
                    for g in 0..G {
                        sums[p][i][g] = sums[p][i][g] + sums[p + half][i][g];
                    }
                }
            }
            half /= 2;
        }
        let done: [[Lanes<F, S>; G]; M] = sums[0];
        for (i, sums) in done.into_iter().enumerate() {
            finish.finish(m + i, sums);
        }
    }
}
