//! Whether every number is finite.

use super::lanes::{Element, Lanes};
use crate::kernel::{Isa, isa};

/// Whether none of `values` is NaN or infinite, at the speed of reading them.
pub(crate) fn all_finite<F: Element + PartialEq>(values: &[F]) -> bool {
    all_finite_on(isa(), values)
}

fn all_finite_on<F: Element + PartialEq>(isa: Isa, values: &[F]) -> bool {
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: `isa` names only what this machine has.
        Isa::Avx512 => return unsafe { finite_avx512(values) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { finite_avx2(values) },
        Isa::Portable => {}
    }
    let _ = isa;
    finite_body::<F::Portable>(values)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn finite_avx512<F: Element + PartialEq>(values: &[F]) -> bool {
    finite_body::<F::Avx512>(values)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn finite_avx2<F: Element + PartialEq>(values: &[F]) -> bool {
    finite_body::<F::Avx2>(values)
}

/// `0 x` is 0 for finite `x` and NaN otherwise, and so is any sum of such products.
#[inline(always)]
fn finite_body<V: Lanes>(values: &[V::Elem]) -> bool
where
    V::Elem: Element + PartialEq,
{
    let zero = V::splat(V::Elem::ZERO);
    let mut sums = [zero; 4];
    let runs = values.chunks_exact(4 * V::N);
    let rest = runs.remainder();
    for run in runs {
        sums[0] = V::load(run).mul_add(zero, sums[0]);
        sums[1] = V::load(&run[V::N..]).mul_add(zero, sums[1]);
        sums[2] = V::load(&run[2 * V::N..]).mul_add(zero, sums[2]);
        sums[3] = V::load(&run[3 * V::N..]).mul_add(zero, sums[3]);
    }
    let mut last = [V::Elem::ZERO; 16];
    for part in rest.chunks(V::N) {
        last[..part.len()].copy_from_slice(part);
        sums[0] = V::load(&last).mul_add(zero, sums[0]);
    }
    sums[0].add(sums[1]).add(sums[2].add(sums[3])).store(&mut last);
    last[..V::N].iter().all(|&sum| sum == V::Elem::ZERO)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;

    #[test]
    fn one_bad_number_is_seen_at_every_place_of_every_length() {
        for isa in available() {
            for n in 0..=70 {
                let mut values = vec![f64::MAX; n];
                assert!(all_finite_on(isa, &values));
                for place in 0..n {
                    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                        values[place] = bad;
                        assert!(!all_finite_on(isa, &values), "{isa:?} {place} of {n}");
                    }
                    values[place] = -5e-324;
                }
            }
        }
    }
}
