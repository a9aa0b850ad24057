//! The forward recursion from the first row, and the backward recursion from the last, side by side.

use std::marker::PhantomData;

use super::Real;
use super::filter::{GROUP, scale};
use super::step::{Panels, Recursion, SumProduct, matrix, product, small_step, step, width};
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

pub(super) struct Ends<'a, F> {
    pub(super) k: usize,
    pub(super) a: &'a [F],
    pub(super) at: &'a [F],
    pub(super) front: &'a [F],
    pub(super) back: &'a [F],
    pub(super) x: &'a mut [F],
    pub(super) y: &'a mut [F],
}

impl<F: Real> Recursion for Ends<'_, F> {
    type Output = Option<i64>;

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> Option<i64> {
        let (a, at) = (matrix::<F, K>(self.a), matrix::<F, K>(self.at));
        let ((front, _), (back, _)) = (self.front.as_chunks::<K>(), self.back.as_chunks::<K>());
        let (mut x, mut y): ([F; K], [F; K]) =
            (std::array::from_fn(|l| self.x[l]), std::array::from_fn(|l| self.y[l]));
        let mut exponent = 0;
        let mut t = 0;
        let n = front.len();
        while t < n {
            let end = n.min(t + GROUP);
            for t in t..end {
                x = product(&small_step::<F, SumProduct, S, K>(&a, x), &front[t]);
                y = product(&small_step::<F, SumProduct, S, K>(&at, y), &back[n - 1 - t]);
            }
            exponent += faded(&mut x)? + faded(&mut y)?;
            t = end;
        }
        self.x[..K].copy_from_slice(&x);
        self.y[..K].copy_from_slice(&y);
        Some(exponent)
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> Option<i64> {
        let k = self.k;
        let n = self.front.len() / k;
        let padded = k.next_multiple_of(8);
        let (x, x_next) = self.x.split_at_mut(padded);
        let (y, y_next) = self.y.split_at_mut(padded);
        let (mut xs, mut ys) = ((x, x_next), (y, y_next));
        let mut exponent = 0;
        for t in 0..n {
            let (front, back) = (&self.front[t * k..], &self.back[(n - 1 - t) * k..]);
            if shares::<F, S>(k) {
                both::<F, S>(self.a, &xs.0[..k], ys.0, xs.1, ys.1);
                for (next, b) in [(&mut *xs.1, front), (&mut *ys.1, back)] {
                    next.iter_mut().zip(&b[..k]).for_each(|(next, &b)| *next *= b);
                }
            } else {
                step::<F, SumProduct, S>(&Panels(self.a), &xs.0[..k], front, xs.1);
                step::<F, SumProduct, S>(&Panels(self.at), &ys.0[..k], back, ys.1);
            }
            xs = (xs.1, xs.0);
            ys = (ys.1, ys.0);
            if t % GROUP == GROUP - 1 || t + 1 == n {
                exponent += faded(&mut xs.0[..k])? + faded(&mut ys.0[..k])?;
            }
        }
        if n % 2 == 1 {
            xs.1.copy_from_slice(xs.0);
            ys.1.copy_from_slice(ys.0);
        }
        Some(exponent)
    }
}

/// Whether the two recursions read `A` together: it is large, there are registers for both, and each panel of `A` fills whole ones.
fn shares<F: Real, S: Simd>(k: usize) -> bool {
    k >= 64 && Lanes::<F, S>::COUNT >= 32 && k.next_multiple_of(8).is_multiple_of(Lanes::<F, S>::N)
}

/// Rows of `A` that are read side by side.
const ROWS: usize = 8;

/// `(x A) o b` and `A y` for a packed `A`: every number of it is read once and counts twice.
#[inline(always)]
fn both<F: Real, S: Simd>(m: &[F], x: &[F], y: &[F], x_next: &mut [F], y_next: &mut [F]) {
    let k = x.len();
    x_next.fill(F::zero());
    let mut i = 0;
    while i + ROWS <= k {
        both_rows::<F, S, ROWS>(m, i, x, y, x_next, y_next);
        i += ROWS;
    }
    while i < k {
        both_rows::<F, S, 1>(m, i, x, y, x_next, y_next);
        i += 1;
    }
}

/// As [`both`], for the rows from `i` on: what they add to `x A`, and their sums.
#[inline(always)]
fn both_rows<F: Real, S: Simd, const R: usize>(
    m: &[F],
    i: usize,
    x: &[F],
    y: &[F],
    x_next: &mut [F],
    y_next: &mut [F],
) {
    let k = x.len();
    let mut rows = Rows { xs: [Lanes::<F, S>::zero(); R], sums: [Lanes::zero(); R] };
    for (to, &x) in rows.xs.iter_mut().zip(&x[i..i + R]) {
        *to = Lanes::splat(x);
    }
    let mut j = 0;
    while j < k {
        let w = width(k - j);
        let m = &m[j * k + i * w..][..R * w];
        let (y, out) = (&y[j..][..w], &mut x_next[j..][..w]);
        match w {
            64 => rows.panel::<64>(m, y, out),
            32 => rows.panel::<32>(m, y, out),
            16 => rows.panel::<16>(m, y, out),
            _ => rows.panel::<8>(m, y, out),
        }
        j += w;
    }
    for (out, sum) in y_next[i..i + R].iter_mut().zip(rows.sums) {
        *out = sum.total();
    }
}

/// Some rows of `A`: the numbers of `x` that they are weighed with, and their own sums, weighed with `y`.
struct Rows<F: Element, S: Simd, const R: usize> {
    xs: [Lanes<F, S>; R],
    sums: [Lanes<F, S>; R],
}

impl<F: Real, S: Simd, const R: usize> Rows<F, S, R> {
    /// Goes on to the next `W` columns.
    #[inline(always)]
    fn panel<const W: usize>(&mut self, m: &[F], y: &[F], out: &mut [F]) {
        let n = Lanes::<F, S>::N;
        let (rows, y, out) = (m.as_chunks::<W>().0, y.first_chunk::<W>(), out.first_chunk_mut::<W>());
        let (Some(rows), Some(y), Some(out)) = (rows.first_chunk::<R>(), y, out) else { return };
        for c in (0..W).step_by(n) {
            let y = Lanes::load(&y[c..]);
            let mut acc = [Lanes::load(&out[c..]), Lanes::zero()];
            for r in 0..R {
                let a = Lanes::load(&rows[r][c..]);
                acc[r % 2] = self.xs[r].mul_add(a, acc[r % 2]);
                self.sums[r] = a.mul_add(y, self.sums[r]);
            }
            (acc[0] + acc[1]).store(&mut out[c..]);
        }
    }
}

/// Scales a row that ends a group; `None` where the group may have lost digits.
#[inline(always)]
fn faded<F: Real>(row: &mut [F]) -> Option<i64> {
    scale(row).filter(|&exponent| exponent >= F::FADED_EXPONENT)
}

/// Takes as many rows from the front, `x = (x A) o b_t`, as from the back, `y = (A y) o b_t` with `t` going down: two chains of dependent steps
/// where a filter has one, so that neither waits for the other.
///
/// `x` and `y` hold `k` numbers, zeros up to a multiple of 8, and room for as many. Returns the sum of the exponents by
/// which both were scaled; `None` where a group of rows may have lost digits.
#[allow(clippy::too_many_arguments, reason = "one for each symbol of the recursion")]
pub(crate) fn ends<F: Real>(
    k: usize,
    a: &[F],
    at: &[F],
    front: &[F],
    back: &[F],
    x: &mut [F],
    y: &mut [F],
) -> Option<i64> {
    dispatch(Ends { k, a, at, front, back, x, y })
}

/// Whether [`ends`] is faster than a filter.
pub(crate) fn ends_gain<F: Real>(k: usize) -> bool {
    dispatch(EndsGain::<F>(k, PhantomData))
}

struct EndsGain<F>(usize, PhantomData<F>);

impl<F: Real> Task for EndsGain<F> {
    type Output = bool;

    /// Up to 16 states a chain of steps is shorter than its parts: two at a time are faster than one after the other. Measured: twice at 2
    /// states, 1.1 times at 16. Then the arithmetic is the limit, as fast either way. Where it is the reading, it counts twice: 1.5 times at 128
    /// states and 256.
    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        self.0 <= 16 || shares::<F, S>(self.0)
    }
}
