//! Rows on their way into a net.

use crate::kernel::lanes::{Element, Lanes};
use crate::kernel::simd::{Simd, Task};

/// `to[i] = from[source[i]]` for rows of `n` numbers, at distance `n` in `from` and `to_row` in `to`.
#[derive(Debug)]
pub(crate) struct Gather<'a, F> {
    pub(crate) n: usize,
    pub(crate) from: &'a [F],
    pub(crate) source: &'a [usize],
    pub(crate) to: &'a mut [F],
    pub(crate) to_row: usize,
}

impl<F: Element> Task for Gather<'_, F> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { n, from, source, to, to_row } = self;
        let whole = n - n % Lanes::<F, S>::N;
        for (to, &row) in to.chunks_exact_mut(to_row).zip(source) {
            let (to, from) = (&mut to[..n], &from[row * n..][..n]);
            for k in (0..whole).step_by(Lanes::<F, S>::N) {
                Lanes::<F, S>::load(&from[k..]).store(&mut to[k..]);
            }
            if whole < n {
                to[whole..].copy_from_slice(&from[whole..]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn rows_arrive_where_they_belong_and_nothing_else_is_written() {
        for isa in available() {
            for n in tested(0..=70) {
                let from: Vec<f64> = (0..3 * n).map(|i| i as f64).collect();
                let (source, to_row) = ([2, 0, 0, 1], n + 2);
                let mut to = vec![-1.0; 4 * to_row];
                dispatch_on(isa, Gather { n, from: &from, source: &source, to: &mut to, to_row });
                for (to, row) in to.chunks(to_row).zip(source) {
                    assert_eq!(
                        (&to[..n], &to[n..]),
                        (&from[row * n..][..n], &[-1.0, -1.0][..]),
                        "{isa:?} {n}"
                    );
                }
            }
        }
    }
}
