//! Losses of margins, and their derivatives.

use super::super::log::log_1p_unit;
use crate::kernel::exp::exp_all;
use crate::kernel::simd::{Simd, Task, dispatch, fma};

/// What a block of rows adds up to.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Losses {
    /// Weighted sum of the losses.
    pub(crate) sum: f64,
    /// The largest single loss, without its weight.
    pub(crate) worst: f64,
    /// Weighted sum of the second derivatives by each margin: `s p (1 - p)`.
    pub(crate) curvature: f64,
}

impl Losses {
    /// Adds those of other rows.
    pub(crate) fn merge(&mut self, other: Self) {
        self.sum += other.sum;
        self.worst = self.worst.max(other.worst);
        self.curvature += other.curvature;
    }
}

/// With `t = +-1` and `u = t z`: loss `log(1 + exp(-u))`, residual `-t sigmoid(-u)`; no difference of close numbers anywhere.
struct Binary<'a> {
    z: &'a [f64],
    target: &'a [u32],
    weight: &'a [f64],
    r: &'a mut [f64],
    losses: &'a mut [f64],
    /// Weighted second derivatives `p (1 - p)`.
    bends: &'a mut [f64],
}

impl Task for Binary<'_> {
    type Output = Losses;

    #[inline(always)]
    fn run<S: Simd>(self) -> Losses {
        let Self { z, target, weight, r, losses, bends } = self;
        let n = z.len();
        let (target, weight) = (&target[..n], &weight[..n]);
        let (r, losses, bends) = (&mut r[..n], &mut losses[..n], &mut bends[..n]);
        let (mut sums, mut worst, mut curvature) = ([0.0; 8], [0.0_f64; 8], [0.0; 8]);
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
            bends[i] = weight[i] * p * (1.0 - p);
        }
        for (losses, weight) in losses.chunks(8).zip(weight.chunks(8)) {
            for (l, (loss, weight)) in losses.iter().zip(weight).enumerate() {
                sums[l] = fma::<_, S>(*weight, *loss, sums[l]);
                worst[l] = if *loss > worst[l] { *loss } else { worst[l] };
            }
        }
        for bends in bends.chunks(8) {
            curvature.iter_mut().zip(bends).for_each(|(sum, bend)| *sum += bend);
        }
        let total = |s: [f64; 8]| ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
        Losses { sum: total(sums), worst: worst.into_iter().fold(0.0, f64::max), curvature: total(curvature) }
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

/// Losses of one logit and their weighted derivatives `r`; `target` is 0 or 1, `losses` and `bends` receive each row's loss and weighted `p (1 - p)`.
pub(crate) fn binary(
    z: &[f64],
    target: &[u32],
    weight: &[f64],
    r: &mut [f64],
    losses: &mut [f64],
    bends: &mut [f64],
) -> Losses {
    dispatch(Binary { z, target, weight, r, losses, bends })
}

/// Replaces the margins `z` of `n` rows by probabilities; `top` becomes the largest logit of each row and `sum` the sum of `exp(z - top)`.
pub(crate) fn softmax(z: &mut [f64], n: usize, reference: bool, top: &mut [f64], sum: &mut [f64]) {
    if n > 0 {
        dispatch(Softmax { z, n, reference, top, sum });
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{close, values};
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn binary_losses_and_residuals_equal_the_naive_ones_for_all_lengths() {
        for n in tested(0..=70) {
            let z: Vec<f64> = values(n, 6).into_iter().map(|v| v * 50.0).collect();
            let target: Vec<u32> = (0..n as u32).map(|i| i % 3 % 2).collect();
            let weight: Vec<f64> = values(n, 7).into_iter().map(f64::abs).collect();
            let (mut sum, mut worst, mut curvature, mut naive) = (0.0, 0.0_f64, 0.0, vec![0.0; n]);
            for i in 0..n {
                let u = z[i] * (f64::from(target[i]) * 2.0 - 1.0);
                let loss = (-u).max(0.0) + (-u.abs()).exp().ln_1p();
                sum += weight[i] * loss;
                worst = worst.max(loss);
                let p = 1.0 / (1.0 + (-z[i]).exp());
                naive[i] = weight[i] * (p - f64::from(target[i]));
                curvature += weight[i] * p * (1.0 - p);
            }
            for isa in available() {
                let mut r = vec![0.0; n];
                let (losses, bends) = (&mut vec![0.0; n], &mut vec![0.0; n]);
                let task = Binary { z: &z, target: &target, weight: &weight, r: &mut r, losses, bends };
                let losses = dispatch_on(isa, task);
                assert!(
                    close(&r, &naive)
                        && close(&[losses.sum, losses.worst, losses.curvature], &[sum, worst, curvature]),
                    "{isa:?} {n}"
                );
            }
        }
    }

    #[test]
    fn softmax_equals_the_naive_one_and_survives_huge_margins() {
        for isa in available() {
            for n in tested(1..=70) {
                for reference in [false, true] {
                    let z: Vec<f64> = values(3 * n, 8).into_iter().map(|v| v * 1000.0).collect();
                    let mut p = z.clone();
                    let (mut top, mut sum) = (vec![0.0; n], vec![0.0; n]);
                    dispatch_on(isa, Softmax { z: &mut p, n, reference, top: &mut top, sum: &mut sum });
                    for i in 0..n {
                        let mut logits = vec![z[i], z[n + i], z[2 * n + i]];
                        if reference {
                            logits.push(0.0);
                        }
                        let max = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
                        let total: f64 = logits.iter().map(|z| (z - max).exp()).sum();
                        let naive: Vec<f64> = logits.iter().map(|z| (z - max).exp() / total).collect();
                        assert!(close(&[p[i], p[n + i], p[2 * n + i]], &naive[..3]), "{isa:?} {n} {i}");
                        assert!((top[i] + sum[i].ln() - max - total.ln()).abs() < 1e-12);
                    }
                }
            }
        }
    }
}
