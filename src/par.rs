//! One thread or many, with the same bits: the only file that knows of rayon.
//!
//! Work is cut into pieces whose number and order are fixed by the data, never by the number of threads, and results
//! come back in the order of the pieces. So a sum over pieces is the same sum on every machine.

use crate::kernel::large_pages;

/// Entries that [`tabulate`] gives to a thread at least.
#[cfg(feature = "rayon")]
const TABLE_RUN: usize = 1 << 14;

/// Runs `f` on a pool of `n_threads` threads (at least one); everything in this crate that it calls stays in that pool.
///
/// Without the `rayon` feature, `f` runs on the calling thread. The answers are the same bits for every number of threads.
///
/// # Panics
/// When the operating system refuses to start the threads.
///
/// # Example
/// ```
/// let sum = sapwood::with_threads(2, || (1..=4).sum::<i32>());
/// assert_eq!(sum, 10);
/// ```
pub fn with_threads<R: Send>(n_threads: usize, f: impl FnOnce() -> R + Send) -> R {
    #[cfg(feature = "rayon")]
    {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(n_threads.max(1)).build();
        pool.expect("the operating system starts threads").install(f)
    }
    #[cfg(not(feature = "rayon"))]
    {
        let _ = n_threads;
        f()
    }
}

/// Threads that there are to help.
pub(crate) fn n_threads() -> usize {
    #[cfg(feature = "rayon")]
    {
        rayon::current_num_threads()
    }
    #[cfg(not(feature = "rayon"))]
    {
        1
    }
}

/// Both results; where it is `worth` a thread's while, computed side by side.
pub(crate) fn join<A: Send, B: Send>(
    worth: bool,
    a: impl FnOnce() -> A + Send,
    b: impl FnOnce() -> B + Send,
) -> (A, B) {
    #[cfg(feature = "rayon")]
    if worth {
        return rayon::join(a, b);
    }
    let _ = worth;
    (a(), b())
}

/// `f(0), f(1), .. f(n - 1)`, in that order.
pub(crate) fn map<R: Send>(n: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        if rayon::current_num_threads() > 1 && n > 1 {
            return (0..n).into_par_iter().with_max_len(1).map(f).collect();
        }
    }
    (0..n).map(f).collect()
}

/// The same for cheap `f` and large `n`: a long run for each thread, written in place.
pub(crate) fn tabulate<R: Send>(n: usize, f: impl Fn(usize) -> R + Send + Sync) -> Vec<R> {
    let mut table = Vec::with_capacity(n);
    large_pages(table.spare_capacity_mut());
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        if rayon::current_num_threads() > 1 && n > TABLE_RUN {
            (0..n).into_par_iter().with_min_len(TABLE_RUN).map(f).collect_into_vec(&mut table);
            return table;
        }
    }
    table.extend((0..n).map(f));
    table
}

/// `n` times the same value; faster than `vec!`, and without pages that wait for their first use.
pub(crate) fn filled<T: Copy + Send + Sync>(n: usize, value: T) -> Vec<T> {
    tabulate(n, |_| value)
}

/// Calls `f(i, part)` on each of `parts`.
pub(crate) fn for_each<T: Send>(parts: Vec<T>, f: impl Fn(usize, T) + Send + Sync) {
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        if rayon::current_num_threads() > 1 && parts.len() > 1 {
            parts.into_par_iter().with_max_len(1).enumerate().for_each(|(i, part)| f(i, part));
            return;
        }
    }
    for (i, part) in parts.into_iter().enumerate() {
        f(i, part);
    }
}

/// Calls `f(i, chunk)` on every run of `len` neighbouring elements; the last may be shorter.
pub(crate) fn for_each_chunk_mut<T: Send>(
    data: &mut [T],
    len: usize,
    f: impl Fn(usize, &mut [T]) + Send + Sync,
) {
    let len = len.max(1);
    #[cfg(feature = "rayon")]
    {
        use rayon::prelude::*;
        if rayon::current_num_threads() > 1 && data.len() > len {
            data.par_chunks_mut(len).with_max_len(1).enumerate().for_each(|(i, chunk)| f(i, chunk));
            return;
        }
    }
    data.chunks_mut(len).enumerate().for_each(|(i, chunk)| f(i, chunk));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_come_in_the_order_of_the_pieces() {
        for threads in [1, 2, 3] {
            assert_eq!(
                with_threads(threads, || map(100, |i| i * i)),
                (0..100).map(|i| i * i).collect::<Vec<_>>()
            );
            assert_eq!(
                with_threads(threads, || tabulate(100_000, |i| i / 3)),
                (0..100_000).map(|i| i / 3).collect::<Vec<_>>()
            );
            assert_eq!(with_threads(threads, || filled(2_000_000, 7_u64)), vec![7; 2_000_000]);
        }
    }

    #[test]
    fn every_chunk_is_visited_once_with_its_number() {
        let mut data = [0; 10];
        for_each_chunk_mut(&mut data, 3, |i, chunk| chunk.iter_mut().for_each(|x| *x += i + 1));
        assert_eq!(data, [1, 1, 1, 2, 2, 2, 3, 3, 3, 4]);
        for_each_chunk_mut(&mut data[..0], 0, |_, _| unreachable!());
    }

    #[test]
    fn zero_threads_means_one() {
        assert_eq!(with_threads(0, || join(true, || 1, || 2)), (1, 2));
    }
}
