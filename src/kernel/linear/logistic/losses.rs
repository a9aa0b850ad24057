//! Losses of margins, and their derivatives.

use super::super::log::log_1p_unit;
use crate::kernel::exp::exp_all;
use crate::kernel::simd::{Simd, Task, dispatch, fma};

/// Losses of a block: their weighted sum, and the largest single one without its weight.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Losses {
    pub(crate) sum: f64,
    pub(crate) worst: f64,
}

/// With `t = +-1` and `u = t z`: loss `log(1 + exp(-u))`, residual `-t sigmoid(-u)`; no difference of close numbers anywhere.
struct Binary<'a> {
    z: &'a [f64],
    target: &'a [u32],
    weight: &'a [f64],
    r: &'a mut [f64],
    losses: &'a mut [f64],
}

impl Task for Binary<'_> {
    type Output = Losses;

    #[inline(always)]
    fn run<S: Simd>(self) -> Losses {
        let Self { z, target, weight, r, losses } = self;
        let n = z.len();
        let (target, weight, r, losses) = (&target[..n], &weight[..n], &mut r[..n], &mut losses[..n]);
        let (mut sums, mut worst) = ([0.0; 8], [0.0_f64; 8]);
        for i in 0..n {
            r[i] = -z[i].abs();
        }
        exp_all::<f64, S>(r);
        for i in 0..n {
            let t = f64::from(target[i] as i32) * 2.0 - 1.0;
            let (u, e) = (t * z[i], r[i]);
            let loss = (-u).max(0.0) + log_1p_unit::<S>(e);
            let p = if u >= 0.0 { e } else { 1.0 } / (1.0 + e);
            r[i] = -t * weight[i] * p;
            losses[i] = loss;
        }
        for (losses, weight) in losses.chunks(8).zip(weight.chunks(8)) {
            for (l, (loss, weight)) in losses.iter().zip(weight).enumerate() {
                sums[l] = fma::<_, S>(*weight, *loss, sums[l]);
                worst[l] = if *loss > worst[l] { *loss } else { worst[l] };
            }
        }
        let s = sums;
        Losses {
            sum: ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7])),
            worst: worst.into_iter().fold(0.0, f64::max),
        }
    }
}

/// Replaces margins by probabilities, column by column of `z`; `top` and `sum` are `n` long and end as the largest logit and the sum of
/// `exp(z - top)`. With `reference`, one more class has logit 0 throughout.
struct Softmax<'a> {
    z: &'a mut [f64],
    n: usize,
    reference: bool,
    top: &'a mut [f64],
    sum: &'a mut [f64],
}

impl Task for Softmax<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { z, n, reference, top, sum } = self;
        let (top, sum) = (&mut top[..n], &mut sum[..n]);
        top.fill(if reference { 0.0 } else { f64::NEG_INFINITY });
        for z in z.chunks_exact(n) {
            for i in 0..n {
                top[i] = top[i].max(z[i]);
            }
        }
        sum.fill(0.0);
        if reference {
            for i in 0..n {
                sum[i] = -top[i];
            }
            exp_all::<f64, S>(sum);
        }
        for z in z.chunks_exact_mut(n) {
            for i in 0..n {
                z[i] -= top[i];
            }
            exp_all::<f64, S>(z);
            for i in 0..n {
                sum[i] += z[i];
            }
        }
        for z in z.chunks_exact_mut(n) {
            for i in 0..n {
                z[i] /= sum[i];
            }
        }
    }
}

/// Losses of one logit and their weighted derivatives `r`; `target` is 0 or 1, `losses` receives each row's loss.
pub(crate) fn binary(z: &[f64], target: &[u32], weight: &[f64], r: &mut [f64], losses: &mut [f64]) -> Losses {
    dispatch(Binary { z, target, weight, r, losses })
}

/// Replaces the margins `z` of `n` rows by probabilities; `top` becomes the largest logit of each row and `sum` the sum of `exp(z - top)`.
pub(crate) fn softmax(z: &mut [f64], n: usize, reference: bool, top: &mut [f64], sum: &mut [f64]) {
    if n > 0 {
        dispatch(Softmax { z, n, reference, top, sum });
    }
}
