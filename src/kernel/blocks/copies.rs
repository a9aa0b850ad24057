//! Runs of points copied one behind the other, with their numbers.
//!
//! Where all of them fit one register, it is filled from all runs before it is written: what is read next is found whole where it was written. Otherwise
//! copies are written a register at a time, beyond their end, where the next run follows.

use std::ops::Range;

use super::near::{PAD, Run};
use crate::kernel::lanes::Words;
use crate::kernel::simd::Simd;

/// Copies the words of the points in `runs` to `to`, one run behind the other, and their numbers to `names`; returns how many there are.
///
/// # Panics
/// When a column ends less than [`PAD`] entries behind a run, or `to` and `names` less than that behind the copies.
#[inline(always)]
pub(crate) fn copy_runs<S: Simd, const W: usize>(
    columns: [&[u32]; W],
    runs: &[Range<usize>],
    to: &mut [Vec<u32>; W],
    names: &mut [u32],
) -> usize {
    let (mut n, mut end) = (0, 0);
    for run in runs {
        assert!(run.start <= run.end, "a run from its start to its end");
        (n, end) = (n + run.len(), end.max(run.end));
    }
    Run { columns, start: 0, end }.check();
    assert!(to.iter().all(|to| to.len() >= n + PAD) && names.len() >= n + PAD, "room for the copies");

    let zero = S::U32::splat(0);
    if n <= S::U32::N {
        let (mut words, mut numbers, mut at) = ([zero; W], zero, 0);
        for run in runs {
            for (words, column) in words.iter_mut().zip(columns) {
                // SAFETY: `PAD` entries of the column follow the run, and no register is longer than that.
                *words = unsafe { words.read_behind(at, column.as_ptr().add(run.start)) };
            }
            numbers = numbers.count_behind(at, run.start as u32);
            at += run.len();
        }
        // SAFETY: there is room for `PAD` words.
        unsafe {
            words.iter().zip(to).for_each(|(words, to)| words.write(to.as_mut_ptr()));
            numbers.write(names.as_mut_ptr());
        }
        return n;
    }
    let mut end = 0;
    for run in runs {
        let mut at = end;
        for from in run.clone().step_by(S::U32::N) {
            // SAFETY: `from` is in the run and `at` before its copy's end; behind both come `PAD` entries.
            unsafe {
                for (to, column) in to.iter_mut().zip(columns) {
                    S::U32::read(column.as_ptr().add(from)).write(to.as_mut_ptr().add(at));
                }
                zero.count_behind(0, from as u32).write(names.as_mut_ptr().add(at));
            }
            at += S::U32::N;
        }
        end += run.len();
    }
    n
}

/// Appends the names whose bits are set.
///
/// # Panics
/// When there are fewer names than bits.
#[inline(always)]
pub(crate) fn append_named<S: Simd>(bits: &[u64], names: &[u32], to: &mut Vec<u32>) {
    let len = S::U32::N;
    assert!(names.len() >= 64 * bits.len(), "a name for each bit");
    for (bits, names) in bits.iter().zip(names.chunks(64)) {
        for (at, names) in (0..64).step_by(len).zip(names.chunks_exact(len)) {
            let bits = (bits >> at & (u64::MAX >> (64 - len))) as u32;
            if bits != 0 {
                to.reserve(len);
                // SAFETY: there are `len` names, and room for as many; as many of it are written as there are bits.
                unsafe {
                    S::U32::read(names.as_ptr()).write_some(bits, to.as_mut_ptr().add(to.len()));
                    to.set_len(to.len() + bits.count_ones() as usize);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{Task, available, dispatch_on, tested};

    struct Copy<'a> {
        columns: [&'a [u32]; 2],
        runs: &'a [Range<usize>],
        to: &'a mut [Vec<u32>; 2],
        names: &'a mut [u32],
    }

    impl Task for Copy<'_> {
        type Output = usize;

        #[inline(always)]
        fn run<S: Simd>(self) -> usize {
            copy_runs::<S, 2>(self.columns, self.runs, self.to, self.names)
        }
    }

    struct Append<'a> {
        bits: &'a [u64],
        names: &'a [u32],
        to: &'a mut Vec<u32>,
    }

    impl Task for Append<'_> {
        type Output = ();

        #[inline(always)]
        fn run<S: Simd>(self) {
            append_named::<S>(self.bits, self.names, self.to);
        }
    }

    #[test]
    fn copies_are_the_runs_one_behind_the_other() {
        for n in tested(0..=70) {
            // Long and short runs, empty ones, and one at the very end.
            let starts = [0, n / 7, n / 7, n / 3, n / 2, n];
            let lens = [n / 7, 0, n / 5, n / 9, n - n / 2, 0];
            let runs: Vec<Range<usize>> = starts.iter().zip(lens).map(|(&s, len)| s..s + len).collect();
            let column = |seed: u32| {
                (0..(n + PAD) as u32).map(|i| i.wrapping_mul(2_654_435_761) ^ seed).collect::<Vec<_>>()
            };
            let columns = [column(1), column(2)];
            let expected: Vec<u32> = runs.iter().flat_map(|run| run.clone().map(|i| i as u32)).collect();
            for set in available() {
                let room = || vec![7; expected.len() + PAD];
                let (mut to, mut names) = ([room(), room()], room());
                let columns = columns.each_ref().map(Vec::as_slice);
                let task = Copy { columns, runs: &runs, to: &mut to, names: &mut names };
                assert_eq!(dispatch_on(set, task), expected.len());
                assert_eq!(names[..expected.len()], expected);
                for (to, column) in to.iter().zip(columns) {
                    let words = expected.iter().map(|&i| column[i as usize]);
                    assert!(to.iter().copied().zip(words).all(|(a, b)| a == b), "n = {n}");
                }
            }
        }
    }

    #[test]
    fn the_names_of_set_bits_are_appended() {
        let names: Vec<u32> = (0..192).map(|i| 1000 - i).collect();
        for bits in [[0, 0, 0], [1, 0, 1 << 63], [u64::MAX, 0, 5], [0x8421_0ff0_0f00_1234, 77, u64::MAX - 8]]
        {
            let set = |i: usize| bits[i / 64] >> (i % 64) & 1 == 1;
            let expected: Vec<u32> = (0..192).filter(|&i| set(i)).map(|i| names[i]).collect();
            for isa in available() {
                let mut to = vec![3];
                dispatch_on(isa, Append { bits: &bits, names: &names, to: &mut to });
                assert_eq!((to[0], &to[1..]), (3, &expected[..]));
            }
        }
    }
}
