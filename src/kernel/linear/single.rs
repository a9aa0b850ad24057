//! One logit: dot products of rows with its weights, and weighted sums of rows.
//!
//! A row of `d` entries is whole registers and a last one that overlaps them, so that nothing is read behind the row.

use crate::kernel::ahead::expect_line_later;
use crate::kernel::lanes::Lanes;
use crate::kernel::simd::{Simd, Task, dispatch};

/// Rows side by side, so that a register of `w` serves all of them.
const ROWS: usize = 4;

/// `z_i += x_i w`.
struct Dots<'a> {
    x: &'a [f64],
    d: usize,
    w: &'a [f64],
    z: &'a mut [f64],
}

/// The dot products of `R` rows with `w`, whose last register is `tail`.
#[inline(always)]
fn dots<S: Simd, const R: usize>(x: &[f64], w: &[f64], tail: Lanes<f64, S>) -> [f64; R] {
    let (lanes, d) = (Lanes::<f64, S>::N, w.len());
    let rows: [&[f64]; R] = std::array::from_fn(|r| &x[r * d..(r + 1) * d]);
    let mut sums = [Lanes::<f64, S>::zero(); R];
    for (sum, row) in sums.iter_mut().zip(rows) {
        *sum = Lanes::load(&row[d - lanes..]) * tail;
    }
    for j in (0..(d - 1) / lanes * lanes).step_by(lanes) {
        let w = Lanes::load(&w[j..]);
        for (sum, row) in sums.iter_mut().zip(rows) {
            *sum = Lanes::load(&row[j..]).mul_add(w, *sum);
        }
    }
    // A loop: `map` with a closure would be compiled for the target of the build.
    let mut dots = [0.0; R];
    for (dot, sum) in dots.iter_mut().zip(sums) {
        *dot = sum.total();
    }
    dots
}

impl Task for Dots<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self) {
        let Self { x, d, w, z } = self;
        let lanes = Lanes::<f64, S>::N;
        if d < lanes {
            for (x, z) in x.chunks_exact(d.max(1)).zip(z) {
                *z += x.iter().zip(w).map(|(x, w)| x * w).sum::<f64>();
            }
            return;
        }
        // What the last register shares with the one before has weight 0 there.
        let mut tail = [0.0; 8];
        let whole = (d - 1) / lanes * lanes;
        tail[whole + lanes - d..lanes].copy_from_slice(&w[whole..]);
        let tail = Lanes::<f64, S>::load(&tail);
        let mut groups = z.chunks_exact_mut(ROWS);
        for (z, x) in groups.by_ref().zip(x.chunks_exact(ROWS * d)) {
            for (z, dot) in z.iter_mut().zip(dots::<S, ROWS>(x, w, tail)) {
                *z += dot;
            }
        }
        let z = groups.into_remainder();
        let rest = &x[x.len() - z.len() * d..];
        for (z, x) in z.iter_mut().zip(rest.chunks_exact(d)) {
            *z += dots::<S, 1>(x, w, tail)[0];
        }
    }
}

/// `g += sum_i r_i x_i`.
///
/// These rows have been read before, for their dot products, and are near; the next as many are fetched in the meantime.
struct WeightedSum<'a> {
    x: &'a [f64],
    d: usize,
    r: &'a [f64],
    g: &'a mut [f64],
}

impl WeightedSum<'_> {
    /// Columns `j..j + V N`, of which those before `new` are done already.
    #[inline(always)]
    fn columns<S: Simd, const V: usize>(&mut self, j: usize, new: usize) {
        let lanes = Lanes::<f64, S>::N;
        let mut sums = [Lanes::<f64, S>::zero(); V];
        for (x, &r) in self.x.chunks_exact(self.d).zip(self.r) {
            let (x, r) = (&x[j..j + V * lanes], Lanes::splat(r));
            for (sum, x) in sums.iter_mut().zip(x.chunks_exact(lanes)) {
                expect_line_later(x.as_ptr().wrapping_add(self.x.len()));
                *sum = r.mul_add(Lanes::load(x), *sum);
            }
        }
        let mut s = [0.0; 8];
        for (v, sum) in sums.iter().enumerate() {
            sum.store(&mut s);
            let first = j + v * lanes;
            let done = new.saturating_sub(first);
            for (g, s) in self.g[first + done..first + lanes].iter_mut().zip(&s[done..]) {
                *g += s;
            }
        }
    }
}

impl Task for WeightedSum<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(mut self) {
        let (d, lanes) = (self.d, Lanes::<f64, S>::N);
        if d < lanes {
            for (x, r) in self.x.chunks_exact(d.max(1)).zip(self.r) {
                for (g, x) in self.g.iter_mut().zip(x) {
                    *g += r * x;
                }
            }
            return;
        }
        let mut j = 0;
        while j < d {
            let registers = match (d - j) / lanes {
                8.. => 8,
                4.. => 4,
                left => left.min(2),
            };
            match registers {
                8 => self.columns::<S, 8>(j, j),
                4 => self.columns::<S, 4>(j, j),
                2 => self.columns::<S, 2>(j, j),
                1 => self.columns::<S, 1>(j, j),
                _ => self.columns::<S, 1>(d - lanes, j),
            }
            j = if registers == 0 { d } else { j + registers * lanes };
        }
    }
}

/// Adds `x_i w` to `z_i` for each row of `x`, `(n, d)`.
pub(crate) fn margins(x: &[f64], w: &[f64], z: &mut [f64]) {
    assert_eq!(x.len(), w.len() * z.len());
    dispatch(Dots { x, d: w.len(), w, z });
}

/// Adds `sum_i r_i x_i` to `g` for the rows of `x`, `(n, d)`.
pub(crate) fn gradient(x: &[f64], r: &[f64], g: &mut [f64]) {
    assert_eq!(x.len(), r.len() * g.len());
    dispatch(WeightedSum { x, d: g.len(), r, g });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::simd::{available, dispatch_on, tested};

    #[test]
    fn dots_and_sums_equal_the_naive_ones_for_all_shapes() {
        for n in [0, 1, 3, 4, 9] {
            for d in tested(0..=150_usize) {
                // Small whole numbers: every sum is exact.
                let x: Vec<f64> = (0..n * d).map(|i| ((i * 7 + i * i % 13) % 9) as f64 - 4.0).collect();
                let w: Vec<f64> = (0..d).map(|j| (j % 5) as f64 - 2.0).collect();
                let r: Vec<f64> = (0..n).map(|i| i as f64 - 3.0).collect();
                let (mut naive_z, mut naive_g) = (vec![0.5; n], vec![0.25; d]);
                for i in 0..n {
                    for j in 0..d {
                        naive_z[i] += x[i * d + j] * w[j];
                        naive_g[j] += x[i * d + j] * r[i];
                    }
                }
                for isa in available() {
                    let (mut z, mut g) = (vec![0.5; n], vec![0.25; d]);
                    dispatch_on(isa, Dots { x: &x, d, w: &w, z: &mut z });
                    assert_eq!(z, naive_z, "{isa:?} n {n} d {d}");
                    dispatch_on(isa, WeightedSum { x: &x, d, r: &r, g: &mut g });
                    assert_eq!(g, naive_g, "{isa:?} n {n} d {d}");
                }
            }
        }
    }
}
