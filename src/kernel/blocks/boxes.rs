//! Which of some boxes are near a point.

use super::block::{Blocks, Norm};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::Simd;

/// Entries that must follow the last box in each column, so that a register can be read whole.
pub(crate) const BOX_PAD: usize = 8;

/// Of the boxes `first .. first + n`, up to 32: those whose smallest total is at most `limit`, and those whose largest is; bit `k` for box `first + k`.
///
/// `boxes` holds column after column, each `stride` long: the lower corners in each dimension, then the upper ones. Bounds are computed like totals
/// between points, each operation rounded, so they never disagree with them.
#[inline(always)]
pub(crate) fn boxes_in<F: Blocks, N: Norm, S: Simd>(
    point: &[F],
    (boxes, stride): (&[f64], usize),
    (first, n): (usize, usize),
    limit: f64,
) -> [u32; 2] {
    let (d, limit) = (point.len(), Lanes::<f64, S>::splat(limit));
    let mut masks = [0; 2];
    for start in (0..n).step_by(Lanes::<f64, S>::N) {
        let (mut min, mut max) = (Lanes::<f64, S>::zero(), Lanes::zero());
        for (j, &x) in point.iter().enumerate() {
            let x = Lanes::splat(x.into());
            let lo = Lanes::load(&boxes[j * stride + first + start..]);
            let hi = Lanes::load(&boxes[(d + j) * stride + first + start..]);
            min = N::add(min, (lo - x).max(x - hi).max(Lanes::zero()));
            max = N::add(max, (hi - x).max(x - lo));
        }
        masks[0] |= min.at_most(limit) << start;
        masks[1] |= max.at_most(limit) << start;
    }
    let all = u32::MAX >> (32 - n);
    masks.map(|mask| mask & all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{Task, available, dispatch_on};
    use crate::kernel::{Absolutes, Largest, Squares};
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;
    use std::marker::PhantomData;

    struct BoxesIn<'a, N> {
        point: &'a [f64],
        boxes: &'a [f64],
        stride: usize,
        run: (usize, usize),
        limit: f64,
        norm: PhantomData<N>,
    }

    impl<N: Norm> Task for BoxesIn<'_, N> {
        type Output = [u32; 2];

        #[inline(always)]
        fn run<S: Simd>(self) -> [u32; 2] {
            boxes_in::<f64, N, S>(self.point, (self.boxes, self.stride), self.run, self.limit)
        }
    }

    fn agrees<N: Norm>() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        for d in 1..=5 {
            let (n_boxes, stride) = (40, 40 + BOX_PAD);
            let mut boxes = vec![0.0; 2 * d * stride];
            for j in 0..d {
                for k in 0..n_boxes {
                    let side = [rng.gen_range(0..5), rng.gen_range(0..5)].map(|v| f64::from(v) * 0.1);
                    boxes[j * stride + k] = side[0].min(side[1]);
                    boxes[(d + j) * stride + k] = side[0].max(side[1]);
                }
            }
            for n in 1..=32 {
                let point: Vec<f64> = (0..d).map(|_| f64::from(rng.gen_range(0..5)) * 0.1).collect();
                let (first, limit) = (rng.gen_range(0..=n_boxes - n), N::total_of(0.3));
                let mut expected = [0_u32; 2];
                for k in 0..n {
                    let (mut min, mut max) = (0.0, 0.0);
                    for (j, x) in point.iter().enumerate() {
                        let (lo, hi) = (boxes[j * stride + first + k], boxes[(d + j) * stride + first + k]);
                        min = N::add_one(min, (lo - x).max(x - hi).max(0.0));
                        max = N::add_one(max, (hi - x).max(x - lo));
                    }
                    expected[0] |= u32::from(min <= limit) << k;
                    expected[1] |= u32::from(max <= limit) << k;
                }
                for isa in available() {
                    let run = (first, n);
                    let task =
                        BoxesIn::<N> { point: &point, boxes: &boxes, stride, run, limit, norm: PhantomData };
                    assert_eq!(dispatch_on(isa, task), expected, "{isa:?} d {d} n {n}");
                }
            }
        }
    }

    #[test]
    fn every_path_finds_the_boxes_that_a_plain_loop_finds() {
        agrees::<Squares>();
        agrees::<Absolutes>();
        agrees::<Largest>();
    }
}
