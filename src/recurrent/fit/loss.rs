//! The loss of the outputs, and its gradient.

use super::super::cell::Cell;
use super::super::layer::grow;
use super::super::net::{Net, Workspace};
use crate::float::Float;
use crate::math::softmax;

/// What the outputs are compared with.
#[derive(Debug, Clone, Copy)]
pub(in crate::recurrent) enum Targets<'a, F> {
    /// `n_outputs` numbers for each row: the mean squared error, over all numbers.
    Values(&'a [F]),
    /// A column for each row: the cross-entropy of the softmax, mean over the rows.
    Classes(&'a [usize]),
}

impl<F: Float> Targets<'_, F> {
    /// The loss of outputs `y`, and its gradient in `d_y`.
    ///
    /// Shapes: `y` and `d_y (n_rows, width)`, of which the first `n_outputs` columns count; `row_of(i)` is the target of row `i`.
    fn loss(
        self,
        y: &[F],
        d_y: &mut [F],
        width: usize,
        n_outputs: usize,
        row_of: impl Fn(usize) -> usize,
    ) -> f64 {
        let n_rows = y.len() / width;
        let mut sum = 0.0;
        let rows = y.chunks_exact(width).zip(d_y.chunks_exact_mut(width)).enumerate();
        match self {
            Self::Values(targets) => {
                let scale = F::of(2.0 / (n_rows * n_outputs) as f64);
                for (row, (y, d_y)) in rows {
                    let target = &targets[row_of(row) * n_outputs..][..n_outputs];
                    for ((&y, d_y), &target) in y.iter().zip(d_y).zip(target) {
                        let error = y - target;
                        sum += error.as_f64() * error.as_f64();
                        *d_y = scale * error;
                    }
                }
                sum / (n_rows * n_outputs) as f64
            }
            Self::Classes(targets) => {
                let scale = F::of(1.0 / n_rows as f64);
                for (row, (y, d_y)) in rows {
                    let (class, p) = (targets[row_of(row)], &mut d_y[..n_outputs]);
                    p.copy_from_slice(&y[..n_outputs]);
                    let log_sum = softmax(p);
                    sum += (log_sum - y[class]).as_f64();
                    p[class] -= F::one();
                    p.iter_mut().for_each(|p| *p *= scale);
                }
                sum / n_rows as f64
            }
        }
    }
}

/// The loss of `w.y`, its gradient in `w.d_y`; `sequence(part)` is the sequence of a part of the batch.
pub(super) fn loss_and_gradient<F: Float, C: Cell>(
    net: &Net<C>,
    targets: Targets<'_, F>,
    w: &mut Workspace<F>,
    sequence: impl Fn(usize) -> usize,
) -> f64 {
    let (n_rows, width) = (net.n_out_rows(&w.batch), net.head.width::<F>());
    grow(&mut w.d_y, n_rows * width);
    let Workspace { y, d_y, batch, .. } = w;
    let (y, d_y) = (&y[..n_rows * width], &mut d_y[..n_rows * width]);
    targets.loss(y, d_y, width, net.n_outputs(), |row| {
        if net.each_row { batch.source[row] } else { sequence(batch.order[row]) }
    })
}
