//! The squared length of the difference of two scaled points, with all its digits where the points nearly agree.

use super::lanes::{Element, Lanes};
use crate::kernel::{Isa, isa};

/// `sum_k (a_k s - b_k t)^2`
///
/// Each product is kept with its rounding error (one more fused multiply-add): where the products nearly cancel, their difference is
/// exact and the errors decide. Swapping the two points changes no bit; equal points with equal scales give exactly 0.
///
/// # Panics
/// When the slices differ in length.
pub(crate) fn squared_chord(a: &[f64], s: f64, b: &[f64], t: f64) -> f64 {
    squared_chord_on(isa(), a, s, b, t)
}

fn squared_chord_on(isa: Isa, a: &[f64], s: f64, b: &[f64], t: f64) -> f64 {
    assert_eq!(a.len(), b.len(), "two points need the same number of components");
    #[cfg(target_arch = "x86_64")]
    match isa {
        // SAFETY: `isa` names only what this machine has.
        Isa::Avx512 => return unsafe { chord_avx512(a, s, b, t) },
        // SAFETY: as above.
        Isa::Avx2 => return unsafe { chord_avx2(a, s, b, t) },
        Isa::Portable => {}
    }
    let _ = isa;
    chord_body::<<f64 as Element>::Portable>(a, s, b, t)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
fn chord_avx512(a: &[f64], s: f64, b: &[f64], t: f64) -> f64 {
    chord_body::<<f64 as Element>::Avx512>(a, s, b, t)
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn chord_avx2(a: &[f64], s: f64, b: &[f64], t: f64) -> f64 {
    chord_body::<<f64 as Element>::Avx2>(a, s, b, t)
}

#[inline(always)]
fn chord_body<V: Lanes<Elem = f64>>(a: &[f64], s: f64, b: &[f64], t: f64) -> f64 {
    let scales = [V::splat(s), V::splat(t)];
    let mut total = V::splat(0.0);
    let (a, b) = (a.chunks_exact(V::N), b.chunks_exact(V::N));
    let (a_rest, b_rest) = (a.remainder(), b.remainder());
    for (a, b) in a.zip(b) {
        total = add_square(total, V::load(a), V::load(b), scales);
    }
    let (mut a_last, mut b_last) = ([0.0; 8], [0.0; 8]);
    a_last[..a_rest.len()].copy_from_slice(a_rest);
    b_last[..b_rest.len()].copy_from_slice(b_rest);
    total = add_square(total, V::load(&a_last), V::load(&b_last), scales);
    let mut parts = [0.0; 8];
    total.store(&mut parts);
    (parts[0] + parts[4]) + (parts[1] + parts[5]) + ((parts[2] + parts[6]) + (parts[3] + parts[7]))
}

#[inline(always)]
fn add_square<V: Lanes<Elem = f64>>(total: V, a: V, b: V, [s, t]: [V; 2]) -> V {
    let zero = V::splat(0.0);
    let (p, q) = (a.mul(s), b.mul(t));
    let (p_error, q_error) = (a.mul_add(s, zero.sub(p)), b.mul_add(t, zero.sub(q)));
    let difference = p.sub(q).add(p_error.sub(q_error));
    difference.mul_add(difference, total)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::available;

    #[test]
    fn every_instruction_set_gives_the_naive_sum() {
        for n in 0..=70 {
            let a: Vec<f64> = (0..n).map(|k| (f64::from(k) * 0.7).sin()).collect();
            let b: Vec<f64> = (0..n).map(|k| (f64::from(k) * 0.3).cos()).collect();
            let naive: f64 = a.iter().zip(&b).map(|(a, b)| (a * 0.3 - b * 0.2).powi(2)).sum();
            for isa in available() {
                let got = squared_chord_on(isa, &a, 0.3, &b, 0.2);
                assert!((got - naive).abs() <= naive * 1e-14, "{isa:?} n {n}: {got} {naive}");
                assert_eq!(got, squared_chord_on(isa, &b, 0.2, &a, 0.3));
                assert_eq!(squared_chord_on(isa, &a, 0.3, &a, 0.3), 0.0);
            }
        }
    }

    #[test]
    fn points_that_nearly_agree_keep_their_digits() {
        // a s - b t = -e / 3 with e far below one rounding of the products.
        let (a, s) = (vec![0.1; 5], 1.0 / 3.0);
        let b: Vec<f64> = a.iter().map(|a| a + 2f64.powi(-50)).collect();
        let expected = 5.0 * (2f64.powi(-50) / 3.0).powi(2);
        for isa in available().into_iter().filter(|&isa| isa > Isa::Portable) {
            let got = squared_chord_on(isa, &a, s, &b, s);
            assert!((got - expected).abs() < expected * 1e-14, "{isa:?}: {got} {expected}");
        }
    }
}
