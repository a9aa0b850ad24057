//! Whether every number is finite.

use crate::kernel::ahead::expect_more;
use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task, dispatch};

/// Whether none of `values` is NaN or infinite, at the speed of reading them.
pub(crate) fn all_finite<F: Element>(values: &[F]) -> bool {
    dispatch(AllFinite { values })
}

/// `0 x` is 0 for finite `x` and NaN otherwise, and so is any sum of such products.
struct AllFinite<'a, F> {
    values: &'a [F],
}

impl<F: Element> Task for AllFinite<'_, F> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd>(self) -> bool {
        let zero = Lanes::<F, S>::zero();
        let n = Lanes::<F, S>::N;
        let mut sums = [zero; 4];
        let runs = self.values.chunks_exact(4 * n);
        let rest = runs.remainder();
        for run in runs {
            expect_more(run);
            sums[0] = Lanes::load(run).mul_add(zero, sums[0]);
            sums[1] = Lanes::load(&run[n..]).mul_add(zero, sums[1]);
            sums[2] = Lanes::load(&run[2 * n..]).mul_add(zero, sums[2]);
            sums[3] = Lanes::load(&run[3 * n..]).mul_add(zero, sums[3]);
        }
        for part in rest.chunks(n) {
            sums[0] = Lanes::load_few(part).mul_add(zero, sums[0]);
        }
        let mut last = [F::ZERO; 16];
        ((sums[0] + sums[1]) + (sums[2] + sums[3])).store(&mut last);
        last[..n].iter().all(|&sum| sum == F::ZERO)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    fn sees_each_place<F: Element>(large: F, small: F, bad: [F; 3]) {
        for isa in available() {
            for n in tested(0..=70) {
                let mut values = vec![large; n];
                assert!(dispatch_on(isa, AllFinite { values: &values }), "{isa:?} {n}");
                for place in 0..n {
                    for bad in bad {
                        values[place] = bad;
                        assert!(!dispatch_on(isa, AllFinite { values: &values }), "{isa:?} {place} of {n}");
                    }
                    values[place] = small;
                }
            }
        }
    }

    #[test]
    fn one_bad_number_is_seen_at_every_place_of_every_length() {
        sees_each_place(f64::MAX, -5e-324, [f64::NAN, f64::INFINITY, f64::NEG_INFINITY]);
        sees_each_place(f32::MAX, -1.0, [f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    }
}
