//! The backward recursion, with the posteriors.

use super::Real;
use super::filter::GROUP;
use super::step::{
    Algebra, Finish, Held, Matrix, Panels, Recursion, SumProduct, join, matrix, product, small_step, step,
    sum,
};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, dispatch, fma};

pub(super) struct Backward<'a, F> {
    pub(super) k: usize,
    /// Number of the first row, counted from the beginning of a group.
    pub(super) first: usize,
    /// Whether every row is looked at.
    pub(super) watched: bool,
    pub(super) at: &'a [F],
    pub(super) alpha: &'a [F],
    pub(super) b: &'a [F],
    pub(super) v: &'a mut [F],
    pub(super) beta: &'a mut [F],
    pub(super) gamma: &'a mut [F],
    pub(super) u: &'a mut [F],
}

impl<F: Real> Recursion for Backward<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn n_states(&self) -> usize {
        self.k
    }

    #[inline(always)]
    fn small<S: Simd, const K: usize>(self) -> bool {
        let at = matrix::<F, K>(self.at);
        let ((alpha, _), (b, _)) = (self.alpha.as_chunks::<K>(), self.b.as_chunks::<K>());
        let ((gamma, _), (u, _)) = (self.gamma.as_chunks_mut::<K>(), self.u.as_chunks_mut::<K>());
        let mut v: [F; K] = std::array::from_fn(|l| self.v[l]);
        let mut top = b.len();
        while top > 0 {
            let bottom = group_start(self.first, top);
            let before = v;
            for each in [self.watched, true] {
                v = before;
                for t in (bottom..top).rev() {
                    let mut beta = small_step::<F, SumProduct, S, K>(&at, v);
                    if each || t + 1 == top {
                        let Some(w) = weight::<F, S>(&alpha[t], &beta) else { return false };
                        beta = beta.map(|beta| beta * w);
                        v = v.map(|v| v * w);
                    }
                    gamma[t] = product(&beta, &alpha[t]);
                    u[t] = v;
                    v = product(&beta, &b[t]);
                }
                if self.watched || is_one(sum(&gamma[bottom])) {
                    break;
                }
            }
            top = bottom;
        }
        self.v.copy_from_slice(&v);
        true
    }

    #[inline(always)]
    fn any<S: Simd>(self) -> bool {
        match Held::<F, S>::new(self.k, self.at) {
            Some(at) => self.rows::<S>(&at),
            None => {
                let at = Panels(self.at);
                self.rows::<S>(&at)
            }
        }
    }
}

impl<F: Real> Backward<'_, F> {
    /// All rows, whatever their number of states.
    #[inline(always)]
    fn rows<S: Simd>(self, at: &impl Matrix<F, S>) -> bool {
        let k = self.k;
        let (beta, rest) = self.beta.split_at_mut(k);
        let (ones, last) = rest.split_at_mut(k);
        ones.fill(F::one());
        let (alpha, b, gamma) = (self.alpha, self.b, self.gamma);
        let mut top = b.len() / k;
        while top > 0 {
            let bottom = group_start(self.first, top);
            for each in [self.watched, true] {
                self.u[(top - 1) * k..top * k].copy_from_slice(self.v);
                let weighed = if each { bottom } else { top - 1 };
                for t in (weighed..top).rev() {
                    let (u, v) = around(k, t, bottom, self.u, last);
                    step::<F, SumProduct, S>(at, u, ones, beta);
                    let Some(w) = weight::<F, S>(&alpha[t * k..][..k], beta) else { return false };
                    for row in [&mut *beta, &mut *u] {
                        row.iter_mut().for_each(|x| *x *= w);
                    }
                    for (out, weights) in [(&mut gamma[t * k..][..k], alpha), (v, b)] {
                        let products = out.iter_mut().zip(&weights[t * k..]).zip(&*beta);
                        products.for_each(|((out, &weight), &beta)| *out = weight * beta);
                    }
                }
                for t in (bottom..weighed).rev() {
                    let (u, v) = around(k, t, bottom, self.u, last);
                    let (alpha, b) = (&alpha[t * k..][..k], &b[t * k..][..k]);
                    at.times::<SumProduct>(u, &mut Joined { alpha, b, gamma: &mut gamma[t * k..][..k], v });
                }
                if self.watched || is_one(sum(&gamma[bottom * k..][..k])) {
                    break;
                }
            }
            self.v.copy_from_slice(last);
            top = bottom;
        }
        true
    }
}

/// `u` of row `t`, and `v` of that row: the `u` of the row below, or `last` until the group is done.
#[inline(always)]
fn around<'u, F>(
    k: usize,
    t: usize,
    bottom: usize,
    u: &'u mut [F],
    last: &'u mut [F],
) -> (&'u mut [F], &'u mut [F]) {
    let (below, u) = u.split_at_mut(t * k);
    let v = if t > bottom { &mut below[(t - 1) * k..] } else { last };
    (&mut u[..k], &mut v[..k])
}

/// `gamma = alpha o beta` and `v = b o beta`.
struct Joined<'a, F> {
    alpha: &'a [F],
    b: &'a [F],
    gamma: &'a mut [F],
    v: &'a mut [F],
}

impl<F: Real> Finish<F> for Joined<'_, F> {
    #[inline(always)]
    fn one<G: Algebra<F>>(&mut self, j: usize, beta: F) {
        self.gamma[j] = self.alpha[j] * beta;
        self.v[j] = self.b[j] * beta;
    }

    #[inline(always)]
    fn some<G: Algebra<F>, S: Simd>(&mut self, j: usize, beta: Lanes<F, S>) {
        (Lanes::load(&self.alpha[j..]) * beta).store(&mut self.gamma[j..]);
        (Lanes::load(&self.b[j..]) * beta).store(&mut self.v[j..]);
    }
}

/// Where the group ends whose last row is `top - 1`, going down.
#[inline(always)]
fn group_start(first: usize, top: usize) -> usize {
    (top - 1).saturating_sub((first + top - 1) % GROUP)
}

/// `1 / sum alpha beta`; `None` where there are no digits in it.
#[inline(always)]
fn weight<F: Real, S: Simd>(alpha: &[F], beta: &[F]) -> Option<F> {
    let n = dot::<F, S>(alpha, beta);
    // A state that has hardly anything of `alpha` and nearly all of `beta` was lost in the one, or will be in the other.
    (n >= F::LOST && sum(beta) * F::LOST <= n).then(|| F::one() / n)
}

/// Whether posteriors that were scaled with their group still sum to 1.
#[inline(always)]
fn is_one<F: Real>(sum: F) -> bool {
    (sum - F::one()).abs() <= F::epsilon() * F::cast(4096)
}

#[inline(always)]
fn dot<F: Real, S: Simd>(x: &[F], y: &[F]) -> F {
    let mut acc = [F::zero(); 8];
    let ((xs, x), (ys, y)) = (x.as_chunks::<8>(), y.as_chunks::<8>());
    for (x, y) in xs.iter().zip(ys) {
        for l in 0..8 {
            acc[l] = fma::<F, S>(x[l], y[l], acc[l]);
        }
    }
    let rest = x.iter().zip(y).fold(F::zero(), |s, (&x, &y)| fma::<F, S>(x, y, s));
    join(acc) + rest
}

/// Smooths a block, last row first, under the packed transpose of `A`.
///
/// With `v = b_(t+1) o beta_(t+1)` of the row after and `beta_t = A v`: `gamma_t` is `alpha_t o beta_t` scaled to a sum of 1, and `u_t` is `v`
/// under the same scale, so that the posterior of the step `t -> t + 1` is `A o (alpha_t^T u_t)`. The scale of `alpha` and of `v` cancels in both.
/// `sum_i alpha_t(i) beta_t(i)` is the same for all rows whose `alpha` is of one scale, so it is found once in each group of rows; a group whose
/// first row does not sum to 1 then, as its rows have scales of their own, is done again row by row.
/// Where `watched`, each row has a scale of its own, and it is looked at whether a state that `alpha` lost would have mattered.
/// On return `v` is that of the block's first row. `beta` is scratch of `3 k`. False says that the digits were lost.
#[allow(clippy::too_many_arguments, reason = "one for each symbol of the recursion")]
pub(crate) fn backward<F: Real>(
    k: usize,
    first: usize,
    watched: bool,
    at: &[F],
    alpha: &[F],
    b: &[F],
    v: &mut [F],
    beta: &mut [F],
    gamma: &mut [F],
    u: &mut [F],
) -> bool {
    dispatch(Backward { k, first, watched, at, alpha, b, v, beta, gamma, u })
}
