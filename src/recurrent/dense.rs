//! What lies above and below the layers: the dense head and the embedding.

use super::layer::{Tensor, add, grow};
use crate::float::Float;
use crate::kernel::Aligned;
use crate::kernel::nets::product::{AddTransposed, Multiply, MultiplyRow, packed_index, padded, panels};
use crate::kernel::nets::recurrent::transpose_packed;
use crate::kernel::simd::dispatch;

/// `y = x w + b`: the head. `w` is packed, `(n_inputs, n_outputs)`; `b` follows it.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Dense {
    pub(super) n_inputs: usize,
    pub(super) n_outputs: usize,
    pub(super) at: usize,
}

impl Dense {
    /// Numbers in a row of the output.
    pub(super) fn width<F: Float>(&self) -> usize {
        padded::<F>(self.n_outputs)
    }

    fn bias_at<F: Float>(&self) -> usize {
        self.at + self.n_inputs * self.width::<F>()
    }

    pub(super) fn end<F: Float>(&self) -> usize {
        self.bias_at::<F>() + self.width::<F>()
    }

    /// Shapes: `x (n_rows, n_inputs)` at distance `x_row`; `y (n_rows, padded outputs)`.
    pub(super) fn forward<F: Float>(&self, params: &[F], n_rows: usize, x: &[F], x_row: usize, y: &mut [F]) {
        Multiply {
            n_rows,
            n_outer: 1,
            n_inner: self.n_inputs,
            n_blocks: self.width::<F>() / F::BLOCK,
            a: x,
            a_row: x_row,
            a_jump: 0,
            b: &params[self.at..self.bias_at::<F>()],
            bias: Some(&params[self.bias_at::<F>()..self.end::<F>()]),
            c: y,
        }
        .compute();
    }

    /// The same for one row, of which the first numbers are the inputs.
    pub(super) fn step<F: Float>(&self, params: &[F], x: &[F], y: &mut [F]) {
        dispatch(MultiplyRow {
            n_blocks: self.width::<F>() / F::BLOCK,
            a: &x[..self.n_inputs],
            b: &params[self.at..self.bias_at::<F>()],
            bias: &params[self.bias_at::<F>()..self.end::<F>()],
            c: y,
        });
    }

    /// Adds `x^T d_y` and the column sums of `d_y` to `grads`, and writes `d_x = d_y w^T`.
    ///
    /// Shapes: as for `forward`; `d_x (n_rows, padded inputs)`; `transposed` is room.
    #[allow(clippy::too_many_arguments, reason = "the arguments of forward, and a gradient for each")]
    pub(super) fn backward<F: Float>(
        &self,
        params: &[F],
        n_rows: usize,
        x: &[F],
        x_row: usize,
        d_y: &[F],
        grads: &mut [F],
        d_x: &mut [F],
        transposed: &mut Aligned<F>,
    ) {
        let (width, n_k) = (self.width::<F>(), self.n_inputs);
        for (first, w) in panels(width / F::BLOCK) {
            let (first, columns) = (first * F::BLOCK, w * F::BLOCK);
            let c = &mut grads[self.at + first * n_k..][..columns * n_k];
            let b = d_y.get(first..).unwrap_or(&[]);
            dispatch(AddTransposed { n_rows, n_k, width: w, a: x, a_row: x_row, b, b_row: width, c });
        }
        let bias_at = self.bias_at::<F>();
        for d_y in d_y.chunks_exact(width).take(n_rows) {
            add(&mut grads[bias_at..bias_at + width], d_y);
        }
        let columns = padded::<F>(n_k);
        grow(transposed, self.n_outputs * columns);
        transpose_packed(&params[self.at..bias_at], n_k, self.n_outputs, transposed);
        d_x[..n_rows * columns].fill(F::zero());
        Multiply {
            n_rows,
            n_outer: 1,
            n_inner: self.n_outputs,
            n_blocks: columns / F::BLOCK,
            a: d_y,
            a_row: width,
            a_jump: 0,
            b: transposed,
            bias: None,
            c: d_x,
        }
        .compute();
    }

    /// Its tensors as PyTorch's `Linear` has them.
    pub(super) fn tensors<F: Float>(&self) -> Vec<Tensor> {
        let (i, o) = (self.n_inputs, self.n_outputs);
        let place = |at: usize| self.at + packed_index::<F>(i, o, at % i, at / i);
        vec![
            Tensor { name: "head.weight".into(), shape: vec![o, i], places: (0..o * i).map(place).collect() },
            Tensor {
                name: "head.bias".into(),
                shape: vec![o],
                places: (0..o).map(|j| self.bias_at::<F>() + j).collect(),
            },
        ]
    }
}

/// A row of numbers for each token.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Embedding {
    pub(super) n_tokens: usize,
    pub(super) n_dims: usize,
    pub(super) at: usize,
}

impl Embedding {
    pub(super) fn end(&self) -> usize {
        self.at + self.n_tokens * self.n_dims
    }

    /// The numbers of a token.
    pub(super) fn row<'a, F>(&self, params: &'a [F], token: usize) -> &'a [F] {
        &params[self.at + token * self.n_dims..][..self.n_dims]
    }

    /// Adds `d_row` to the gradient of a token's numbers.
    pub(super) fn add_gradient<F: Float>(&self, grads: &mut [F], token: usize, d_row: &[F]) {
        add(&mut grads[self.at + token * self.n_dims..][..self.n_dims], d_row);
    }

    pub(super) fn tensors(&self) -> Vec<Tensor> {
        let shape = vec![self.n_tokens, self.n_dims];
        vec![Tensor { name: "embedding.weight".into(), shape, places: (self.at..self.end()).collect() }]
    }
}
