//! Writing what will not be read soon.

use std::mem::MaybeUninit;

use crate::kernel::lanes::Element;

/// Results of at least so many bytes are written past the caches, which hold what they are computed from.
///
/// An ordinary store fetches its line first, only to write over it: a result of 32 MB then takes the memory's time twice.
const LARGE: usize = 1 << 23;

/// Copies the first of `values` into `room`, as many as it has places, for each pair of them; they are parts of a result of `len` numbers.
pub(crate) fn write_rows<'a, F: Element>(
    len: usize,
    rows: impl Iterator<Item = (&'a mut [MaybeUninit<F>], &'a [F])>,
) {
    if len * size_of::<F>() < LARGE {
        return rows.for_each(|(room, values)| copy(room, values));
    }
    rows.for_each(|(room, values)| stream(room, values));
    #[cfg(target_arch = "x86_64")]
    // SAFETY: it waits for the stores above, and touches nothing.
    unsafe {
        std::arch::x86_64::_mm_sfence();
    }
}

fn copy<F: Copy>(room: &mut [MaybeUninit<F>], values: &[F]) {
    let values = &values[..room.len()];
    for (place, &value) in room.iter_mut().zip(values) {
        place.write(value);
    }
}

/// Whole lines without reading them; the ends as usual.
fn stream<F: Element>(room: &mut [MaybeUninit<F>], values: &[F]) {
    #[cfg(target_arch = "x86_64")]
    {
        use crate::kernel::ahead::LINE;
        use std::arch::x86_64::{__m128i, _mm_loadu_si128, _mm_stream_si128};
        let head = room.as_ptr().align_offset(LINE).min(room.len());
        let whole = (room.len() - head) * size_of::<F>() / LINE * LINE / size_of::<F>();
        let (first, rest) = room.split_at_mut(head);
        let (lines, last) = rest.split_at_mut(whole);
        copy_few(first, values);
        let from = &values[head..head + whole];
        for k in 0..size_of_val(from) / size_of::<__m128i>() {
            // SAFETY: both have that many pieces of 16 bytes, and `lines` begins where a line does.
            unsafe {
                let piece = _mm_loadu_si128(from.as_ptr().cast::<__m128i>().add(k));
                _mm_stream_si128(lines.as_mut_ptr().cast::<__m128i>().add(k), piece);
            }
        }
        copy_few(last, &values[head + whole..]);
    }
    #[cfg(not(target_arch = "x86_64"))]
    copy(room, values);
}

/// Fewer numbers than a line has: as eight, four, two and one, without a call.
#[cfg(target_arch = "x86_64")]
fn copy_few<F: Copy>(mut room: &mut [MaybeUninit<F>], mut values: &[F]) {
    for power in [8, 4, 2, 1] {
        while room.len() >= power {
            let (now, later) = room.split_at_mut(power);
            copy(now, values);
            (room, values) = (later, &values[power..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::tested;

    fn writes<F: Element + linfa::Float>() {
        let values: Vec<F> = (0_u32..100).map(|i| F::cast(i)).collect();
        for start in tested(0..20) {
            for n in tested(0..=70) {
                let mut room = [MaybeUninit::new(F::ZERO); 100];
                stream(&mut room[start..start + n], &values);
                // SAFETY: all of them have been numbers from the beginning.
                let written = room.map(|v| unsafe { v.assume_init() });
                for (i, v) in written.into_iter().enumerate() {
                    let inside = (start..start + n).contains(&i);
                    assert_eq!(v, if inside { values[i - start] } else { F::ZERO }, "{start} {n} {i}");
                }
            }
        }
    }

    #[test]
    #[cfg_attr(miri, ignore = "stores past the cache are assembly, which Miri does not know")]
    fn runs_of_every_length_are_written_wherever_they_begin() {
        writes::<f32>();
        writes::<f64>();
    }
}
