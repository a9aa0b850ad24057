//! Whether two crowds of points come within the radius of one another.

use crate::float::Float;

/// Pairs up to which all are looked at.
const FEW_PAIRS: usize = 256;

/// Whether some pair has a squared distance of at most `sq_eps`; the points change their order.
///
/// The crowd that is wider is cut in two, the nearer half goes first, and boxes settle what they can: in space of low dimension far fewer pairs are
/// looked at than there are. Distances are computed as those of two points, in `f64`, where rounding keeps the order: so boxes never disagree with the
/// points in them, however close to the radius those are.
pub(super) fn touch<F: Float, const D: usize>(a: &mut [[F; D]], b: &mut [[F; D]], sq_eps: f64) -> bool {
    let (box_a, box_b) = (bounds(a), bounds(b));
    !a.is_empty() && !b.is_empty() && touch_in((a, box_a), (b, box_b), sq_eps)
}

/// A crowd of at least one point, and its box.
type Crowd<'a, F, const D: usize> = (&'a mut [[F; D]], Bounds<F, D>);

fn touch_in<F: Float, const D: usize>(
    (a, box_a): Crowd<'_, F, D>,
    (b, box_b): Crowd<'_, F, D>,
    sq_eps: f64,
) -> bool {
    let (min_sq, max_sq) = sq_distances(&box_a, &box_b);
    if min_sq > sq_eps {
        return false;
    }
    if max_sq <= sq_eps {
        return true;
    }
    if a.len() * b.len() <= FEW_PAIRS {
        return a.iter().any(|x| b.iter().any(|y| sq_distances(&(*x, *x), &(*y, *y)).0 <= sq_eps));
    }
    let ((axis_a, side_a), (axis_b, side_b)) = (widest(&box_a), widest(&box_b));
    // Points that are all equal are a box that settles everything; a crowd of one cannot be cut.
    let cut_a = b.len() == 1 || a.len() > 1 && side_a >= side_b;
    let (cut, axis, other, box_other) = if cut_a { (a, axis_a, b, box_b) } else { (b, axis_b, a, box_a) };
    let middle = cut.len() / 2;
    cut.select_nth_unstable_by(middle, |x, y| F::total_order(&x[axis], &y[axis]));
    let (low, high) = cut.split_at_mut(middle);
    let (box_low, box_high) = (bounds(low), bounds(high));
    let mut halves = [(low, box_low), (high, box_high)];
    if sq_distances(&box_high, &box_other).0 < sq_distances(&box_low, &box_other).0 {
        halves.reverse();
    }
    halves.into_iter().any(|half| touch_in(half, (&mut *other, box_other), sq_eps))
}

/// The lowest and the highest coordinates.
type Bounds<F, const D: usize> = ([F; D], [F; D]);

fn bounds<F: Float, const D: usize>(points: &[[F; D]]) -> Bounds<F, D> {
    points.iter().fold(([F::infinity(); D], [F::neg_infinity(); D]), |(mut lo, mut hi), point| {
        for j in 0..D {
            (lo[j], hi[j]) = (lo[j].min(point[j]), hi[j].max(point[j]));
        }
        (lo, hi)
    })
}

/// The widest axis of a box, and how wide it is there.
fn widest<F: Float, const D: usize>((lo, hi): &Bounds<F, D>) -> (usize, F) {
    (0..D).fold(
        (0, F::zero()),
        |(axis, side), j| {
            if hi[j] - lo[j] > side { (j, hi[j] - lo[j]) } else { (axis, side) }
        },
    )
}

/// Smallest and largest squared distance between points of two boxes.
fn sq_distances<F: Float, const D: usize>(a: &Bounds<F, D>, b: &Bounds<F, D>) -> (f64, f64) {
    (0..D).fold((0.0, 0.0), |(min_sq, max_sq), j| {
        let gap = |low: F, high: F| low.as_f64() - high.as_f64();
        let near = gap(b.0[j], a.1[j]).max(gap(a.0[j], b.1[j])).max(0.0);
        let far = gap(b.1[j], a.0[j]).max(gap(a.1[j], b.0[j]));
        (min_sq + near * near, max_sq + far * far)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::{Rng, SeedableRng};
    use rand_xoshiro::Xoshiro256PlusPlus;

    #[test]
    fn crowds_touch_where_some_pair_does() {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(12);
        let mut touched = 0;
        for round in 0..300 {
            // On a lattice, so that there are ties.
            let mut crowd = |from: f64| -> Vec<[f64; 2]> {
                (0..rng.gen_range(1..200))
                    .map(|_| [from + f64::from(rng.gen_range(0..90)), f64::from(rng.gen_range(0..200))])
                    .collect()
            };
            let (mut a, mut b) = (crowd(0.0), crowd(f64::from(100 + round % 60)));
            let is_near =
                |x: &[f64; 2], y: &[f64; 2]| (x[0] - y[0]).powi(2) + (x[1] - y[1]).powi(2) <= 1600.0;
            let expected = a.iter().any(|x| b.iter().any(|y| is_near(x, y)));
            touched += usize::from(expected);
            assert_eq!(touch(&mut a, &mut b, 1600.0), expected);
        }
        assert!((50..250).contains(&touched), "{touched} of 300 touch: both answers are to be seen");
    }

    #[test]
    fn crowds_of_equal_points_touch_at_the_radius() {
        for (at, expected) in [(2.0, true), (2.0_f64.next_up(), false)] {
            assert_eq!(touch(&mut vec![[0.0]; 5000], &mut vec![[at]; 7000], 4.0), expected);
            assert_eq!(touch(&mut [[0.0]], &mut vec![[at]; 7000], 4.0), expected);
        }
    }
}
