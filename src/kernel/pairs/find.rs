//! The first small number of a row.

use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// Where the first number stands that is at most `limit`.
pub(crate) fn find_at_most<F: Element>(row: &[F], limit: F) -> Option<usize> {
    dispatch(Find { row, limit })
}

/// Passes over whole runs of registers first, and looks closer only where one has such a number.
struct Find<'a, F> {
    row: &'a [F],
    limit: F,
}

impl<F: Element> Task for Find<'_, F> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run<S: Simd>(self) -> Option<usize> {
        let Self { row, limit } = self;
        let all = Lanes::<F, S>::splat(limit);
        let n = Lanes::<F, S>::N;
        let mut passed = 0;
        for four in row.chunks_exact(4 * n) {
            let low = Lanes::load(four).min(Lanes::load(&four[n..]));
            let high = Lanes::load(&four[2 * n..]).min(Lanes::load(&four[3 * n..]));
            if low.min(high).at_most(all) != 0 {
                break;
            }
            passed += 4 * n;
        }
        row[passed..].iter().position(|&value| value <= limit).map(|step| passed + step)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn the_first_small_number_is_found_at_every_place_of_every_length() {
        for n in tested(0..=70) {
            for place in 0..n {
                let mut row = vec![2.0_f32; n];
                (row[place], row[n - 1]) = (1.0, 1.0);
                for isa in available() {
                    assert_eq!(dispatch_on(isa, Find { row: &row, limit: 1.0 }), Some(place), "{isa:?}");
                    assert_eq!(dispatch_on(isa, Find { row: &row, limit: 0.5 }), None);
                }
            }
        }
    }
}
