//! The forward recursion from the first row, and the backward recursion from the last, side by side.

use super::Real;
use super::filter::{GROUP, scale};
use super::step::{Recursion, SumProduct, matrix, product, small_step, step};
use crate::kernel::simd::{Simd, dispatch};

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
        let (x, x_next) = self.x.split_at_mut(k);
        let (y, y_next) = self.y.split_at_mut(k);
        let (mut xs, mut ys) = ((x, &mut x_next[..k]), (y, &mut y_next[..k]));
        let mut exponent = 0;
        for t in 0..n {
            step::<F, SumProduct, S>(self.a, xs.0, &self.front[t * k..], xs.1);
            step::<F, SumProduct, S>(self.at, ys.0, &self.back[(n - 1 - t) * k..], ys.1);
            xs = (xs.1, xs.0);
            ys = (ys.1, ys.0);
            if t % GROUP == GROUP - 1 || t + 1 == n {
                exponent += faded(xs.0)? + faded(ys.0)?;
            }
        }
        if n % 2 == 1 {
            xs.1.copy_from_slice(xs.0);
            ys.1.copy_from_slice(ys.0);
        }
        Some(exponent)
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
/// `x` and `y` hold `k` numbers and room for as many. Returns the sum of the exponents by which both were scaled; `None` where a group of rows
/// may have lost digits.
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
