//! The way back along a best path.

use super::Real;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// Ways back that are followed side by side, so that none waits for its own last step.
const TRACES: usize = 4;

/// What tells the best way to a state.
trait Steps {
    /// The state of row `t` on the best way to state `to` of the row after it: the first of several.
    fn from<S: Simd>(&self, t: usize, to: usize) -> usize;

    /// A state that the path may have in row `t`.
    fn guess(&self, t: usize) -> usize;
}

/// Sums of rows and transitions, of which the row after took the largest.
struct Sums<'a, F> {
    k: usize,
    log_at: &'a [F],
    delta: &'a [F],
}

impl<F: Real> Steps for Sums<'_, F> {
    #[inline(always)]
    fn from<S: Simd>(&self, t: usize, to: usize) -> usize {
        let (k, n) = (self.k, Lanes::<F, S>::N);
        let whole = k - k % n;
        let (row, into) = (&self.delta[t * k..][..k], &self.log_at[to * k..][..k]);
        let mut top = F::neg_infinity();
        if whole > 0 {
            let mut best = Lanes::<F, S>::load(row) + Lanes::load(into);
            for i in (n..whole).step_by(n) {
                best = (Lanes::load(&row[i..]) + Lanes::load(&into[i..])).max(best);
            }
            top = best.largest();
        }
        for (&delta, &log_a) in row[whole..].iter().zip(&into[whole..]) {
            let way = delta + log_a;
            top = if way > top { way } else { top };
        }
        let all = Lanes::<F, S>::splat(top);
        for i in (0..whole).step_by(n) {
            let equal = all.at_most(Lanes::load(&row[i..]) + Lanes::load(&into[i..]));
            if equal != 0 {
                return i + equal.trailing_zeros() as usize;
            }
        }
        (whole..k).find(|&i| row[i] + into[i] >= top).unwrap_or(0)
    }

    /// Where the best way to this row ends.
    #[inline(always)]
    fn guess(&self, t: usize) -> usize {
        let row = &self.delta[t * self.k..][..self.k];
        row.iter().enumerate().fold(0, |best, (i, &v)| if v > row[best] { i } else { best })
    }
}

/// The arrows into each row.
struct Arrows<'a>(&'a [[u8; 8]]);

impl Steps for Arrows<'_> {
    #[inline(always)]
    fn from<S: Simd>(&self, t: usize, to: usize) -> usize {
        (u64::from_le_bytes(self.0[t + 1]) >> to & 0x0101_0101_0101_0101).trailing_zeros() as usize / 8
    }

    #[inline(always)]
    fn guess(&self, _: usize) -> usize {
        0
    }
}

struct Trace<'a, B> {
    steps: B,
    path: &'a mut [usize],
}

impl<B: Steps> Task for Trace<'_, B> {
    type Output = ();

    /// The rows are cut into pieces, and each but the last begins at a guess. The way back from the true state meets that from the guess
    /// after a few steps, as a rule, and from there on they are the same.
    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { steps, path } = self;
        let Some(last) = path.len().checked_sub(1) else { return };
        let piece = last / TRACES;
        for t in (TRACES * piece..last).rev() {
            path[t] = steps.from::<S>(t, path[t + 1]);
        }
        let mut guesses = [0; TRACES];
        for (c, guess) in guesses.iter_mut().enumerate() {
            let end = (c + 1) * piece;
            *guess = if c + 1 == TRACES { path[end] } else { steps.guess(end) };
        }
        let mut to = guesses;
        for back in 1..=piece {
            for (c, to) in to.iter_mut().enumerate() {
                let t = (c + 1) * piece - back;
                *to = steps.from::<S>(t, *to);
                path[t] = *to;
            }
        }
        for c in (0..TRACES - 1).rev() {
            let end = (c + 1) * piece;
            let mut to = path[end];
            for t in (end - piece..end).rev() {
                if t + 1 == end && to == guesses[c] {
                    break;
                }
                to = steps.from::<S>(t, to);
                if path[t] == to {
                    break;
                }
                path[t] = to;
            }
        }
    }
}

/// Fills all but the last state of `path`: `path_t` is the first `i` with the largest `delta_t(i) + log A_ij` for `j = path_(t+1)`.
///
/// `log_at` is the transpose of `log A`. That sum is what the maximum was taken of, so the arrows need no memory.
pub(crate) fn follow<F: Real>(k: usize, log_at: &[F], delta: &[F], path: &mut [usize]) {
    dispatch(Trace { steps: Sums { k, log_at, delta }, path });
}

/// The same from the arrows of up to eight states: `path_t` is the first with an arrow to `path_(t+1)` among those of row `t + 1`.
pub(crate) fn follow_arrows(arrows: &[[u8; 8]], path: &mut [usize]) {
    dispatch(Trace { steps: Arrows(arrows), path });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn the_way_back_is_that_of_one_step_after_another_whatever_the_guesses() {
        for isa in available() {
            for k in [1, 2, 5, 8, 9, 16, 21] {
                for n in tested(0..=70) {
                    let number = |i: usize, seed: usize| (((i * 7919 + seed * 104_729) % 17) as f64) / 8.0;
                    let delta: Vec<f64> = (0..n * k).map(|i| number(i, k)).collect();
                    // Staying is worth so much that a wrong guess is kept for long.
                    let stays = |i: usize| if i / k == i % k { 2.0 } else { 0.0 };
                    let log_at: Vec<f64> = (0..k * k).map(|i| number(i, 3) + stays(i)).collect();
                    let mut expected = vec![k - 1; n];
                    let mut arrows = vec![[0; 8]; n];
                    for t in (0..n.saturating_sub(1)).rev() {
                        let first = |to: usize| {
                            let way = |i: usize| delta[t * k + i] + log_at[to * k + i];
                            (0..k).fold(0, |best, i| if way(i) > way(best) { i } else { best })
                        };
                        expected[t] = first(expected[t + 1]);
                        (0..k.min(8)).for_each(|to| arrows[t + 1][first(to) % 8] |= 1 << to);
                    }
                    let mut path = vec![k - 1; n];
                    let steps = Sums { k, log_at: &log_at, delta: &delta };
                    dispatch_on(isa, Trace { steps, path: &mut path });
                    assert_eq!(path, expected, "{isa:?} {k} {n}");
                    if k <= 8 {
                        let mut path = vec![k - 1; n];
                        dispatch_on(isa, Trace { steps: Arrows(&arrows), path: &mut path });
                        assert_eq!(path, expected, "{isa:?} {k} {n}");
                    }
                }
            }
        }
    }
}
