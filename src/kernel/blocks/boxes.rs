//! Which of some boxes are near a point.

use super::block::{Blocks, Norm};
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::Simd;

/// Boxes that are looked at side by side.
pub(crate) const WIDE: usize = 16;

/// Of [`WIDE`] boxes: those whose smallest total is at most `limit`, and those whose largest is; bit `k` for box `k`.
///
/// `boxes` holds their lower corners in each dimension, one dimension after another, and then the upper ones; a place without a box holds NaN and is
/// neither. Bounds are computed like totals between points, each operation rounded, so they never disagree with them.
#[inline(always)]
pub(crate) fn boxes_in<F: Blocks, N: Norm, S: Simd>(point: &[F], boxes: &[f64], limit: f64) -> [u32; 2] {
    let (d, limit) = (point.len(), Lanes::<f64, S>::splat(limit));
    assert!(boxes.len() == 2 * d * WIDE, "boxes of another dimension");
    let mut masks = [0; 2];
    for start in (0..WIDE).step_by(Lanes::<f64, S>::N) {
        let (mut min, mut max) = (Lanes::<f64, S>::zero(), Lanes::zero());
        for (j, &x) in point.iter().enumerate() {
            let x = Lanes::splat(x.into());
            // SAFETY: there are `2 d` columns of `WIDE` numbers, and a register's length divides that.
            let column = |j: usize| unsafe { Lanes::read(boxes.as_ptr().add(j * WIDE + start)) };
            let (lo, hi) = (column(j), column(d + j));
            // In this order NaN stays.
            min = N::add(min, Lanes::zero().max((lo - x).max(x - hi)));
            max = N::add(max, (hi - x).max(x - lo));
        }
        masks[0] |= min.at_most(limit) << start;
        masks[1] |= max.at_most(limit) << start;
    }
    masks
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
        limit: f64,
        norm: PhantomData<N>,
    }

    impl<N: Norm> Task for BoxesIn<'_, N> {
        type Output = [u32; 2];

        #[inline(always)]
        fn run<S: Simd>(self) -> [u32; 2] {
            boxes_in::<f64, N, S>(self.point, self.boxes, self.limit)
        }
    }

    fn agrees<N: Norm>() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(3);
        for d in 1..=5 {
            for n in 1..=WIDE {
                let mut boxes = vec![f64::NAN; 2 * d * WIDE];
                for (j, k) in (0..d).flat_map(|j| (0..n).map(move |k| (j, k))) {
                    let side = [rng.gen_range(0..5), rng.gen_range(0..5)].map(|v| f64::from(v) * 0.1);
                    boxes[j * WIDE + k] = side[0].min(side[1]);
                    boxes[(d + j) * WIDE + k] = side[0].max(side[1]);
                }
                let point: Vec<f64> = (0..d).map(|_| f64::from(rng.gen_range(0..5)) * 0.1).collect();
                for limit in [N::total_of(0.3), f64::INFINITY] {
                    let mut expected = [0_u32; 2];
                    for k in 0..n {
                        let (mut min, mut max) = (0.0, 0.0);
                        for (j, x) in point.iter().enumerate() {
                            let (lo, hi) = (boxes[j * WIDE + k], boxes[(d + j) * WIDE + k]);
                            min = N::add_one(min, (lo - x).max(x - hi).max(0.0));
                            max = N::add_one(max, (hi - x).max(x - lo));
                        }
                        expected[0] |= u32::from(min <= limit) << k;
                        expected[1] |= u32::from(max <= limit) << k;
                    }
                    for isa in available() {
                        let task = BoxesIn::<N> { point: &point, boxes: &boxes, limit, norm: PhantomData };
                        assert_eq!(dispatch_on(isa, task), expected, "{isa:?} d {d} n {n}");
                    }
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
