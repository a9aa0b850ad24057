//! Whether two crowds of points come within the radius of one another.

use crate::kernel::Band;

/// Pairs up to which all are looked at.
const FEW_PAIRS: usize = 256;

/// A point in units from some origin, and which it is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<const D: usize> {
    pub(super) at: [i32; D],
    pub(super) which: u32,
}

/// Whether some pair is within the radius; `tell` decides where units are too coarse.
///
/// The crowd that is wider is cut in two, the nearer half goes first, and boxes settle what they can: in space of low dimension far fewer pairs are
/// looked at than there are. Squared distances are whole numbers, so the boxes never disagree with the points in them.
pub(super) fn touch<const D: usize>(
    a: &mut [Place<D>],
    b: &mut [Place<D>],
    band: Band,
    tell: &impl Fn(u32, u32) -> bool,
) -> bool {
    let (box_a, box_b) = (bounds(a), bounds(b));
    let (min_sq, max_sq) = sq_distances(&box_a, &box_b);
    if a.is_empty() || b.is_empty() || min_sq > i64::from(band.outside) {
        return false;
    }
    if max_sq <= i64::from(band.inside) {
        return true;
    }
    let ((axis_a, side_a), (axis_b, side_b)) = (widest(&box_a), widest(&box_b));
    if a.len() * b.len() <= FEW_PAIRS || side_a.max(side_b) == 0 {
        return a.iter().any(|x| {
            b.iter().any(|y| {
                let sq = (0..D).map(|j| i64::from(x.at[j] - y.at[j]).pow(2)).sum::<i64>();
                sq <= i64::from(band.inside) || sq <= i64::from(band.outside) && tell(x.which, y.which)
            })
        });
    }
    let (cut, other, axis, box_other) =
        if side_a >= side_b { (a, b, axis_a, &box_b) } else { (b, a, axis_b, &box_a) };
    let (low, high) = halves(cut, axis);
    let low_first = sq_distances(&bounds(low), box_other).0 <= sq_distances(&bounds(high), box_other).0;
    let (first, second) = if low_first { (low, high) } else { (high, low) };
    touch(first, other, band, tell) || touch(second, other, band, tell)
}

/// The lowest and the highest coordinates.
fn bounds<const D: usize>(places: &[Place<D>]) -> ([i32; D], [i32; D]) {
    places.iter().fold(([i32::MAX; D], [i32::MIN; D]), |(mut lo, mut hi), place| {
        for j in 0..D {
            (lo[j], hi[j]) = (lo[j].min(place.at[j]), hi[j].max(place.at[j]));
        }
        (lo, hi)
    })
}

/// The widest axis of a box, and how wide it is there.
fn widest<const D: usize>((lo, hi): &([i32; D], [i32; D])) -> (usize, i32) {
    (0..D).map(|j| (j, hi[j] - lo[j])).max_by_key(|&(_, side)| side).unwrap_or((0, 0))
}

/// Smallest and largest squared distance between points of two boxes.
fn sq_distances<const D: usize>(a: &([i32; D], [i32; D]), b: &([i32; D], [i32; D])) -> (i64, i64) {
    (0..D).fold((0, 0), |(min_sq, max_sq), j| {
        let gap = |low: i32, high: i32| i64::from(low) - i64::from(high);
        let near = gap(b.0[j], a.1[j]).max(gap(a.0[j], b.1[j])).max(0);
        let far = gap(b.1[j], a.0[j]).max(gap(a.1[j], b.0[j]));
        (min_sq + near * near, max_sq + far * far)
    })
}

/// The points below the middle of an axis, and the others; both hold some where the axis is wider than nothing.
fn halves<const D: usize>(places: &mut [Place<D>], axis: usize) -> (&mut [Place<D>], &mut [Place<D>]) {
    let (lo, hi) = bounds(places);
    let middle = lo[axis] + (hi[axis] - lo[axis]) / 2;
    let mut n_low = 0;
    for i in 0..places.len() {
        if places[i].at[axis] <= middle {
            places.swap(i, n_low);
            n_low += 1;
        }
    }
    places.split_at_mut(n_low)
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
            let mut crowd = |from: i32| -> Vec<Place<2>> {
                (0..rng.gen_range(1..200))
                    .map(|which| Place { at: [from + rng.gen_range(0..90), rng.gen_range(0..200)], which })
                    .collect()
            };
            let (mut a, mut b) = (crowd(0), crowd(100 + round % 60));
            let band = Band { inside: 38 * 38, outside: 42 * 42 };
            let tell = |x: u32, y: u32| (x + y).is_multiple_of(7);
            let expected = a.iter().any(|x| {
                b.iter().any(|y| {
                    let sq = (x.at[0] - y.at[0]).pow(2) + (x.at[1] - y.at[1]).pow(2);
                    sq <= 38 * 38 || sq <= 42 * 42 && tell(x.which, y.which)
                })
            });
            touched += usize::from(expected);
            assert_eq!(touch(&mut a, &mut b, band, &tell), expected);
        }
        assert!((50..250).contains(&touched), "{touched} of 300 touch: both answers are to be seen");
    }
}
