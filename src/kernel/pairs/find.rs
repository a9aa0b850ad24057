//! The first small number of a row.

use super::lanes::{Element, Lanes};
use crate::kernel::{Isa, isa};

/// Where the first number stands that is at most `limit`.
pub(crate) fn find_at_most<F: Element + PartialOrd>(row: &[F], limit: F) -> Option<usize> {
    find_on(isa(), row, limit)
}

fn find_on<F: Element + PartialOrd>(isa: Isa, row: &[F], limit: F) -> Option<usize> {
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: `isa` names only what this machine has.
        Isa::Avx512 => return unsafe { find_avx512(row, limit) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { find_avx2(row, limit) },
        Isa::Portable => {}
    }
    let _ = isa;
    find_body::<F::Portable>(row, limit)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn find_avx512<F: Element + PartialOrd>(row: &[F], limit: F) -> Option<usize> {
    find_body::<F::Avx512>(row, limit)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn find_avx2<F: Element + PartialOrd>(row: &[F], limit: F) -> Option<usize> {
    find_body::<F::Avx2>(row, limit)
}

/// Passes over whole runs of registers first, and looks closer only where one has such a number.
#[inline(always)]
fn find_body<V: Lanes>(row: &[V::Elem], limit: V::Elem) -> Option<usize>
where
    V::Elem: Element + PartialOrd,
{
    let all = V::splat(limit);
    let run = 4 * V::N;
    let mut passed = 0;
    for four in row.chunks_exact(run) {
        let low = V::load(four).min(V::load(&four[V::N..]));
        let high = V::load(&four[2 * V::N..]).min(V::load(&four[3 * V::N..]));
        if low.min(high).any_at_most(all) {
            break;
        }
        passed += run;
    }
    row[passed..].iter().position(|&value| value <= limit).map(|step| passed + step)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;

    #[test]
    fn the_first_small_number_is_found_at_every_place_of_every_length() {
        for n in 0..=70 {
            for place in 0..n {
                let mut row = vec![2.0_f32; n];
                (row[place], row[n - 1]) = (1.0, 1.0);
                for isa in available() {
                    assert_eq!(find_on(isa, &row, 1.0), Some(place), "{isa:?}");
                    assert_eq!(find_on(isa, &row, 0.5), None);
                }
            }
        }
    }
}
