//! Cholesky factor of a Hessian that may be badly scaled, large, or singular.

use ndarray::{ArrayView2, ArrayViewMut2, linalg::general_mat_mul};

use crate::optim::lbfgs::{add, dot};

/// `L L^T = S A S` with `S = diag(A)^-1/2`, so that the units of the features do not matter.
///
/// A row that depends on earlier ones to [`DEPENDENT`] is left out: its entry of every solution is 0, as R does with aliased columns.
#[derive(Debug)]
pub(super) struct Factor {
    n: usize,
    /// `S`, 0 for rows that are empty.
    scale: Vec<f64>,
    /// `(n, n)`, row after row; only the lower triangle is used. The pivots of dependent rows are infinite.
    lower: Vec<f64>,
}

/// A pivot of the scaled matrix below this is rounding error: the unit diagonal times some hundred roundings.
const DEPENDENT: f64 = 1e-13;
/// Columns factored before the rest is updated with one matrix product.
const PANEL: usize = 48;

impl Factor {
    /// Factors the `(n, n)` matrix whose upper triangle is given.
    pub(super) fn new(mut a: Vec<f64>, n: usize) -> Self {
        assert_eq!(a.len(), n * n);
        let usable = |diagonal: f64| diagonal > 0.0 && diagonal.is_finite();
        let scale: Vec<f64> =
            (0..n).map(|i| if usable(a[i * n + i]) { a[i * n + i].sqrt().recip() } else { 0.0 }).collect();
        for i in 0..n {
            for j in 0..i {
                a[i * n + j] = a[j * n + i] * scale[i] * scale[j];
            }
        }
        for i in 0..n {
            a[i * n + i] = 1.0;
        }
        let mut panel = vec![0.0; n * PANEL.min(n)];
        for start in (0..n).step_by(PANEL) {
            let end = (start + PANEL).min(n);
            let (rows, width) = (n - start, end - start);
            // Columns start..end below the diagonal, minus the product with the columns already done.
            let panel = &mut panel[..rows * width];
            for (panel, a) in panel.chunks_exact_mut(width).zip(a[start * n..].chunks_exact(n)) {
                panel.copy_from_slice(&a[start..end]);
            }
            let all = ArrayView2::from_shape((n, n), &a).expect("square");
            let done = all.slice(ndarray::s![start.., ..start]);
            let top = all.slice(ndarray::s![start..end, ..start]);
            let mut rest = ArrayViewMut2::from_shape((rows, width), panel).expect("panel");
            general_mat_mul(-1.0, &done, &top.t(), 1.0, &mut rest);
            for i in 0..rows {
                for j in 0..width.min(i + 1) {
                    let (above, row) = panel.split_at_mut(i * width);
                    let column = if i == j { &row[..j] } else { &above[j * width..j * width + j] };
                    let value = row[j] - dot(&row[..j], column);
                    row[j] = if i != j {
                        value / above[j * width + j]
                    } else if value > DEPENDENT {
                        value.sqrt()
                    } else {
                        // The rest of its column and its entry of every solution are 0 then.
                        f64::INFINITY
                    };
                }
            }
            for (panel, a) in panel.chunks_exact(width).zip(a[start * n..].chunks_exact_mut(n)) {
                a[start..end].copy_from_slice(panel);
            }
        }
        Self { n, scale, lower: a }
    }

    /// Rows that were left out, in order.
    pub(super) fn dependent(&self) -> impl Iterator<Item = usize> {
        (0..self.n).filter(|&i| self.scale[i] == 0.0 || self.is_left_out(i))
    }

    fn is_left_out(&self, i: usize) -> bool {
        self.lower[i * self.n + i].is_infinite()
    }

    /// What `b^T A^-1 b / 2` would be more, at least, if dependent rows were not left out: 0 where they truly are dependent, as far as a sum of the size
    /// `of` can tell.
    ///
    /// Their pivots are not known, only that these are at most [`DEPENDENT`].
    pub(super) fn unseen(&self, b: &[f64], of: f64) -> f64 {
        let Some(last) = (0..self.n).rfind(|&i| self.is_left_out(i)) else { return 0.0 };
        let mut y: Vec<f64> = b.iter().zip(&self.scale).map(|(b, s)| b * s).collect();
        let mut unseen = 0.0;
        for i in 0..=last {
            let row = &self.lower[i * self.n..=i * self.n + i];
            let rest = y[i] - dot(&row[..i], &y[..i]);
            if self.is_left_out(i) {
                unseen += 0.5 * rest * rest / DEPENDENT;
            }
            y[i] = rest / row[i];
        }
        if unseen > f64::EPSILON * of { unseen } else { 0.0 }
    }

    /// Replaces `b` by `A^-1 b`.
    pub(super) fn solve(&self, b: &mut [f64]) {
        let n = self.n;
        for (b, s) in b.iter_mut().zip(&self.scale) {
            *b *= s;
        }
        for i in 0..n {
            let row = &self.lower[i * n..=i * n + i];
            b[i] = (b[i] - dot(&row[..i], &b[..i])) / row[i];
        }
        for i in (0..n).rev() {
            let row = &self.lower[i * n..=i * n + i];
            b[i] /= row[i];
            let (before, rest) = b.split_at_mut(i);
            add(-rest[0], &row[..i], before);
        }
        for (b, s) in b.iter_mut().zip(&self.scale) {
            *b *= s;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::Cholesky;
    use ndarray::{Array1, Array2};

    /// `X^T X + I` of a reproducible tall matrix, its columns in very different units.
    fn matrix(n: usize) -> Array2<f64> {
        let x = Array2::from_shape_fn((n + 3, n), |(i, j)| {
            ((i * 37 + j * 61 + i * j * 13) % 101) as f64 / 50.0 - 1.0
        });
        let mut a = x.t().dot(&x) + Array2::<f64>::eye(n);
        for i in 0..n {
            let unit = 10_f64.powi(i as i32 % 7 - 3);
            a.row_mut(i).mapv_inplace(|v| v * unit);
            a.column_mut(i).mapv_inplace(|v| v * unit);
        }
        a
    }

    #[test]
    fn solutions_equal_those_of_the_plain_factor_across_panels() {
        for n in [1, 2, 7, 47, 48, 49, 100, 131] {
            let a = matrix(n);
            let b = Array1::from_shape_fn(n, |i| (i as f64).sin());
            let plain = Cholesky::new(a.view()).unwrap().solve(b.view());
            let mut x = b.to_vec();
            Factor::new(a.iter().copied().collect(), n).solve(&mut x);
            for (x, plain) in x.iter().zip(&plain) {
                assert!((x - plain).abs() <= 1e-10 * plain.abs(), "{n}: {x} {plain}");
            }
        }
    }

    #[test]
    fn dependent_and_empty_rows_get_zeros_and_the_others_a_solution() {
        // The third row is the sum of the first two, the fourth is empty.
        let a = vec![2., 0., 2., 0., 0., 4., 4., 0., 2., 4., 6., 0., 0., 0., 0., 0.];
        let factor = Factor::new(a, 4);
        assert_eq!(factor.dependent().collect::<Vec<_>>(), [2, 3]);
        let mut b = [2.0, 8.0, 10.0, 0.0];
        factor.solve(&mut b);
        assert!((b[0] - 1.0).abs() < 1e-15 && (b[1] - 2.0).abs() < 1e-15 && b[2] == 0.0 && b[3] == 0.0);
        assert_eq!(factor.unseen(&[2.0, 8.0, 10.0, 0.0], 1.0), 0.0);
        // Along the third row alone there is a slope that no solution sees.
        assert!(factor.unseen(&[2.0, 8.0, 10.1, 0.0], 1.0) > 1e9);
    }
}
