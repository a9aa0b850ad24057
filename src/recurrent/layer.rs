//! One layer in one direction: parameters in one vector, forward and backward over all rows.

use std::marker::PhantomData;

use ndarray::{Array2, ArrayView2};

use super::cell::Cell;
use crate::float::Float;
use crate::kernel::Aligned;
use crate::kernel::nets::product::{AddTransposed, Multiply, padded, pieces};
use crate::kernel::nets::recurrent::{Backward, Entry, Forward, OneStep, Project, Rows, Shared, transpose};
use crate::kernel::simd::dispatch;
use crate::par;

/// A recurrent layer in one direction: its sizes, and where its parameters lie in the vector of all.
///
/// `w_x[block][input][slot][lane]`, `w_h[block][hidden][slot][lane]`, `b_x` and `b_h [block][slot][lane]`, `p[block][peephole][lane]`: packed as
/// the product reads them. Lanes behind the last unit are 0 and have gradient 0, so they stay 0.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub(super) struct Layer<C> {
    pub(super) cell: C,
    pub(super) n_inputs: usize,
    pub(super) n_hidden: usize,
    /// First of its parameters.
    pub(super) at: usize,
}

/// What a layer keeps from its forward for its backward pass, and its room for both.
#[derive(Debug, Clone, Default)]
pub(super) struct Trace<F> {
    pub(super) slots: Aligned<F>,
    /// The states: `n_sequences` rows before the first step, then one for each row.
    pub(super) hidden: Aligned<F>,
    pub(super) memory: Aligned<F>,
    pub(super) d_hidden: Aligned<F>,
    pub(super) carry: Aligned<F>,
    /// The inputs in the order of a layer that reads from the end.
    pub(super) mirrored: Aligned<F>,
    bias: Aligned<F>,
    w_x_transposed: Aligned<F>,
    w_h_transposed: Aligned<F>,
}

impl<F: Float> Trace<F> {
    /// `mirrored[row] = x[mirror[row]]`.
    pub(super) fn mirror_rows(&mut self, mirror: &[usize], x: &[F], x_row: usize) {
        grow(&mut self.mirrored, mirror.len() * x_row);
        for (to, &row) in self.mirrored.chunks_exact_mut(x_row).zip(mirror) {
            to.copy_from_slice(&x[row * x_row..][..x_row]);
        }
    }
}

/// Makes `v` at least `len` long; if it was shorter, all values become 0.
pub(super) fn grow<F: Float>(v: &mut Aligned<F>, len: usize) {
    if v.len() < len {
        v.resize(len);
    }
}

impl<C: Cell> Layer<C> {
    fn n_blocks<F: Float>(&self) -> usize {
        self.n_hidden.div_ceil(F::BLOCK)
    }

    /// Numbers in a row of the hidden state.
    pub(super) fn width<F: Float>(&self) -> usize {
        padded::<F>(self.n_hidden)
    }

    /// Where `w_x`, `w_h`, `b_x`, `b_h` and `p` begin, and where the last ends.
    fn parts<F: Float>(&self) -> [usize; 6] {
        let width = self.width::<F>();
        let w_h = self.at + width * self.n_inputs * C::FROM_INPUT;
        let b_x = w_h + width * self.n_hidden * C::FROM_HIDDEN;
        let b_h = b_x + width * C::FROM_INPUT;
        let p = b_h + width * C::FROM_HIDDEN;
        [self.at, w_h, b_x, b_h, p, p + width * C::PEEPHOLES.len()]
    }

    /// Behind its last parameter.
    pub(super) fn end<F: Float>(&self) -> usize {
        self.parts::<F>()[5]
    }

    /// Makes room for `n_rows` rows of `n_sequences` sequences, and adds up the biases.
    pub(super) fn prepare<F: Float>(
        &self,
        params: &[F],
        trace: &mut Trace<F>,
        n_sequences: usize,
        n_rows: usize,
    ) {
        let width = self.width::<F>();
        grow(&mut trace.slots, n_sequences * width * C::SLOTS);
        grow(&mut trace.hidden, (n_sequences + n_rows) * width);
        grow(&mut trace.memory, if C::HAS_MEMORY { (n_sequences + n_rows) * width } else { 0 });
        grow(&mut trace.bias, width * C::SLOTS);
        self.add_biases(params, &mut trace.bias);
    }

    fn rows<'a>(&self, steps: &'a [usize], n_rows: usize) -> Rows<'a> {
        Rows { steps, n_rows, n_inputs: self.n_inputs, n_hidden: self.n_hidden }
    }

    /// The bias of each slot: that of the inputs and that of the hidden state together.
    fn add_biases<F: Float>(&self, params: &[F], bias: &mut [F]) {
        let [_, _, b_x, b_h, p, _] = self.parts::<F>();
        let (of_x, of_h) = (C::FROM_INPUT * F::BLOCK, C::FROM_HIDDEN * F::BLOCK);
        let slots = C::SLOTS * F::BLOCK;
        let (b_x, b_h) = (params[b_x..b_h].chunks_exact(of_x), params[b_h..p].chunks_exact(of_h));
        for ((bias, b_x), b_h) in bias.chunks_exact_mut(slots).zip(b_x).zip(b_h) {
            bias[..of_x].copy_from_slice(b_x);
            bias[of_x..].fill(F::zero());
            for (bias, &b_h) in bias[slots - of_h..].iter_mut().zip(b_h) {
                *bias += b_h;
            }
        }
    }

    /// `memory` and `hidden` for all steps, and for a backward pass `slots`, which are else not `kept`. The state before the first step stands in
    /// `trace` already, as do the biases.
    ///
    /// Shapes: `x (n_rows, n_inputs)` at distance `x_row`, rows as [`Rows`] says.
    #[allow(clippy::too_many_arguments, reason = "the shape of the rows")]
    pub(super) fn forward<F: Float>(
        &self,
        params: &[F],
        steps: &[usize],
        n_rows: usize,
        x: &[F],
        x_row: usize,
        trace: &mut Trace<F>,
        kept: bool,
    ) {
        /// Slots that stay in the second cache from the product with all inputs until their step.
        const NEAR: usize = 1 << 20;
        let [w_x, w_h, b_x, _, p, end] = self.parts::<F>();
        let rows = self.rows(steps, n_rows);
        let Trace { slots, hidden, memory, bias, .. } = trace;
        let entry = Entry { x, x_row, w_x: &params[w_x..w_h], bias };
        let n_sequences = steps.first().copied().unwrap_or(0);
        let row = self.width::<F>() * C::SLOTS;
        // Few rows at a time would read the weights of the inputs again and again.
        let by_step = n_sequences >= 8 && n_rows * row * size_of::<F>() > NEAR;
        let kept = kept || !by_step;
        grow(slots, if kept { n_rows } else { n_sequences } * row);
        if !by_step {
            Project { cell: PhantomData::<C>, rows, entry, slots: Shared::new(slots) }.compute();
        }
        Forward {
            cell: self.cell,
            rows,
            entry: by_step.then_some(entry),
            kept,
            w_h: &params[w_h..b_x],
            peepholes: &params[p..end],
            slots: Shared::new(slots),
            hidden: Shared::new(hidden),
            memory: Shared::new(memory),
        }
        .compute();
    }

    /// One step of one sequence. Before an `odd` step the state is the second row of `trace.hidden`, after it the first; else the other way round. Odd steps
    /// go through the weights from the end, to meet first what is still in the cache.
    pub(super) fn step<F: Float>(&self, params: &[F], x: &[F], trace: &mut Trace<F>, odd: bool) {
        let [w_x, w_h, b_x, _, p, end] = self.parts::<F>();
        let Trace { hidden, memory, bias, .. } = trace;
        let (first, second) = hidden.split_at_mut(self.width::<F>());
        let (hidden_before, hidden) = if odd { (second, first) } else { (first, second) };
        dispatch(OneStep {
            cell: self.cell,
            n_inputs: self.n_inputs,
            n_hidden: self.n_hidden,
            from_end: odd,
            x,
            w_x: &params[w_x..w_h],
            bias,
            w_h: &params[w_h..b_x],
            peepholes: &params[p..end],
            hidden_before,
            hidden,
            memory,
        });
    }

    /// Adds the gradients of the parameters to `grads` and, where asked, `dL/dx` to `d_x`.
    ///
    /// Shapes: `trace.d_hidden (n_rows, width)`, the gradient that reaches each hidden state from above; `x` as for `forward`; `d_x (n_rows,
    /// padded inputs)`.
    #[allow(clippy::too_many_arguments, reason = "the arguments of forward, and a gradient for each")]
    pub(super) fn backward<F: Float>(
        &self,
        params: &[F],
        steps: &[usize],
        n_rows: usize,
        x: &[F],
        x_row: usize,
        trace: &mut Trace<F>,
        grads: &mut [F],
        d_x: Option<&mut [F]>,
    ) {
        let [w_x, w_h, b_x, b_h, p, end] = self.parts::<F>();
        let (width, n_blocks) = (self.width::<F>(), self.n_blocks::<F>());
        let (of_x, row) = (C::FROM_INPUT * F::BLOCK, C::SLOTS * F::BLOCK);
        let n_sequences = steps.first().copied().unwrap_or(0);
        let rows = self.rows(steps, n_rows);
        let Trace { slots, hidden, memory, d_hidden, carry, w_x_transposed, w_h_transposed, .. } = trace;

        // d_a of every step, from the last to the first.
        grow(carry, n_sequences * width);
        carry[..n_sequences * width].fill(F::zero());
        grow(w_h_transposed, width * width * C::FROM_HIDDEN);
        transpose(&params[w_h..b_x], self.n_hidden, C::FROM_HIDDEN, w_h_transposed);
        Backward {
            cell: self.cell,
            rows,
            w_h_transposed,
            peepholes: &params[p..end],
            slots: Shared::new(slots),
            hidden,
            memory,
            d_hidden: Shared::new(d_hidden),
            carry: Shared::new(carry),
        }
        .compute();

        let grads = &mut grads[w_x..end];
        let (d_w_x, grads) = grads.split_at_mut(w_h - w_x);
        let (d_w_h, grads) = grads.split_at_mut(b_x - w_h);
        let (d_b_x, grads) = grads.split_at_mut(b_h - b_x);
        let (d_b_h, d_p) = grads.split_at_mut(p - b_h);
        let seen = Seen { n_rows, steps, x, x_row, d_a: slots, hidden, memory };
        let n_products = n_rows * width * (self.n_inputs * C::FROM_INPUT + self.n_hidden * C::FROM_HIDDEN);
        let blocks = Blocks { n: n_blocks, d_w_x, d_w_h, d_b_x, d_b_h, d_p };
        self.add_gradients(pieces(n_products), 0, blocks, &seen);

        // d_x = d_a w_x^T.
        if let Some(d_x) = d_x {
            let columns = padded::<F>(self.n_inputs);
            grow(w_x_transposed, n_blocks * of_x * columns);
            transpose(&params[w_x..w_h], self.n_inputs, C::FROM_INPUT, w_x_transposed);
            d_x[..n_rows * columns].fill(F::zero());
            Multiply {
                n_rows,
                n_outer: n_blocks,
                n_inner: of_x,
                n_blocks: columns / F::BLOCK,
                a: slots,
                a_row: row,
                a_jump: n_rows * row,
                b: w_x_transposed,
                bias: None,
                c: d_x,
            }
            .compute();
        }
    }

    /// `d_w_x = x^T d_a`, `d_w_h = h_before^T d_a`, `d_b` = the column sums of `d_a`, `d_p` = those of `c d_a`, added for the units of some
    /// blocks from `first` on; a block is computed on one thread.
    fn add_gradients<F: Float>(
        &self,
        pieces: usize,
        first: usize,
        blocks: Blocks<'_, F>,
        seen: &Seen<'_, F>,
    ) {
        if pieces > 1 && blocks.n > 1 {
            let n = blocks.n / 2;
            let (a, b) = blocks.split_at(n);
            par::join(
                true,
                || self.add_gradients(pieces / 2, first, a, seen),
                || self.add_gradients(pieces - pieces / 2, first + n, b, seen),
            );
            return;
        }
        let Seen { n_rows, steps, x, x_row, d_a, hidden, memory } = *seen;
        let (n_inputs, n_hidden, width) = (self.n_inputs, self.n_hidden, self.width::<F>());
        let (of_x, of_h, row) = (C::FROM_INPUT * F::BLOCK, C::FROM_HIDDEN * F::BLOCK, C::SLOTS * F::BLOCK);
        let n_sequences = steps.first().copied().unwrap_or(0);
        for i in 0..blocks.n {
            let block = first + i;
            let d_a = &d_a[block * n_rows * row..][..n_rows * row];
            let c = &mut blocks.d_w_x[i * n_inputs * of_x..][..n_inputs * of_x];
            let (n_k, width_x) = (n_inputs, C::FROM_INPUT);
            dispatch(AddTransposed {
                n_rows,
                n_k,
                width: width_x,
                a: x,
                a_row: x_row,
                b: d_a,
                b_row: row,
                c,
            });

            let c = &mut blocks.d_w_h[i * n_hidden * of_h..][..n_hidden * of_h];
            for (before, now, n_rows) in runs(steps) {
                let (a, b) = (&hidden[before * width..], &d_a[now * row + row - of_h..]);
                let (n_k, a_row, b_row) = (n_hidden, width, row);
                dispatch(AddTransposed { n_rows, n_k, width: C::FROM_HIDDEN, a, a_row, b, b_row, c });
            }

            let (d_b_x, d_b_h) =
                (&mut blocks.d_b_x[i * of_x..][..of_x], &mut blocks.d_b_h[i * of_h..][..of_h]);
            for d_a in d_a.chunks_exact(row) {
                add(d_b_x, &d_a[..of_x]);
                add(d_b_h, &d_a[row - of_h..]);
            }

            for (j, &(slot, after)) in C::PEEPHOLES.iter().enumerate() {
                let d_p = &mut blocks.d_p[(i * C::PEEPHOLES.len() + j) * F::BLOCK..][..F::BLOCK];
                for (before, now, n_rows) in runs(steps) {
                    let c = &memory[if after { n_sequences + now } else { before } * width..];
                    let d_a = d_a[now * row..].chunks_exact(row);
                    for (c, d_a) in c.chunks_exact(width).zip(d_a).take(n_rows) {
                        let (c, d_a) = (&c[block * F::BLOCK..], &d_a[slot * F::BLOCK..]);
                        for ((d_p, &c), &d_a) in d_p.iter_mut().zip(c).zip(d_a) {
                            *d_p += c * d_a;
                        }
                    }
                }
            }
        }
    }

    /// Where gate `gate` (in PyTorch's order) of unit `unit` reads input `input`.
    fn w_x_index<F: Float>(&self, gate: usize, unit: usize, input: usize) -> usize {
        let slot = C::INPUT_ORDER.iter().position(|&g| g == gate).expect("a gate of the cell");
        let (block, lane) = (unit / F::BLOCK, unit % F::BLOCK);
        self.at + ((block * self.n_inputs + input) * C::FROM_INPUT + slot) * F::BLOCK + lane
    }

    fn w_h_index<F: Float>(&self, gate: usize, unit: usize, hidden: usize) -> usize {
        let slot = C::HIDDEN_ORDER.iter().position(|&g| g == gate).expect("a gate of the cell");
        let (block, lane) = (unit / F::BLOCK, unit % F::BLOCK);
        self.parts::<F>()[1] + ((block * self.n_hidden + hidden) * C::FROM_HIDDEN + slot) * F::BLOCK + lane
    }

    fn b_x_index<F: Float>(&self, gate: usize, unit: usize) -> usize {
        let slot = C::INPUT_ORDER.iter().position(|&g| g == gate).expect("a gate of the cell");
        self.parts::<F>()[2] + (unit / F::BLOCK * C::FROM_INPUT + slot) * F::BLOCK + unit % F::BLOCK
    }

    fn b_h_index<F: Float>(&self, gate: usize, unit: usize) -> usize {
        let slot = C::HIDDEN_ORDER.iter().position(|&g| g == gate).expect("a gate of the cell");
        self.parts::<F>()[3] + (unit / F::BLOCK * C::FROM_HIDDEN + slot) * F::BLOCK + unit % F::BLOCK
    }

    fn peephole_index<F: Float>(&self, peephole: usize, unit: usize) -> usize {
        let block = unit / F::BLOCK * C::PEEPHOLES.len();
        self.parts::<F>()[4] + (block + peephole) * F::BLOCK + unit % F::BLOCK
    }

    /// Its tensors as PyTorch has them: name, shape, and the place of each element among the parameters.
    pub(super) fn tensors<F: Float>(&self, suffix: &str) -> Vec<Tensor> {
        let n = self.n_hidden;
        let (of_x, of_h) = (C::INPUT_ORDER.len() * n, C::HIDDEN_ORDER.len() * n);
        let matrix =
            |name: &str, rows: usize, columns: usize, index: &dyn Fn(usize, usize) -> usize| Tensor {
                name: format!("{name}_{suffix}"),
                shape: vec![rows, columns],
                places: (0..rows * columns).map(|i| index(i / columns, i % columns)).collect(),
            };
        let mut tensors = vec![
            matrix("weight_ih", of_x, self.n_inputs, &|r, c| self.w_x_index::<F>(r / n, r % n, c)),
            matrix("weight_hh", of_h, n, &|r, c| self.w_h_index::<F>(r / n, r % n, c)),
            matrix("bias_ih", of_x, 1, &|r, _| self.b_x_index::<F>(r / n, r % n)),
            matrix("bias_hh", of_h, 1, &|r, _| self.b_h_index::<F>(r / n, r % n)),
        ];
        if !C::PEEPHOLES.is_empty() {
            let of_p = C::PEEPHOLES.len() * n;
            tensors.push(matrix("weight_peephole", of_p, 1, &|r, _| self.peephole_index::<F>(r / n, r % n)));
        }
        for vector in &mut tensors[2..] {
            vector.shape.pop();
        }
        tensors
    }
}

/// What the gradients of a layer are made of.
struct Seen<'a, F> {
    n_rows: usize,
    steps: &'a [usize],
    x: &'a [F],
    x_row: usize,
    d_a: &'a [F],
    hidden: &'a [F],
    memory: &'a [F],
}

/// The gradients of the parameters of `n` blocks of units.
struct Blocks<'a, F> {
    n: usize,
    d_w_x: &'a mut [F],
    d_w_h: &'a mut [F],
    d_b_x: &'a mut [F],
    d_b_h: &'a mut [F],
    d_p: &'a mut [F],
}

impl<F> Blocks<'_, F> {
    fn split_at(self, first: usize) -> (Self, Self) {
        let Self { n, d_w_x, d_w_h, d_b_x, d_b_h, d_p } = self;
        // Each has as many numbers for every block.
        let cut = |d: &[F]| d.len() / n * first;
        let (x, h, b_x, b_h, p) = (cut(d_w_x), cut(d_w_h), cut(d_b_x), cut(d_b_h), cut(d_p));
        let (d_w_x, d_w_x_rest) = d_w_x.split_at_mut(x);
        let (d_w_h, d_w_h_rest) = d_w_h.split_at_mut(h);
        let (d_b_x, d_b_x_rest) = d_b_x.split_at_mut(b_x);
        let (d_b_h, d_b_h_rest) = d_b_h.split_at_mut(b_h);
        let (d_p, d_p_rest) = d_p.split_at_mut(p);
        (
            Self { n: first, d_w_x, d_w_h, d_b_x, d_b_h, d_p },
            Self {
                n: n - first,
                d_w_x: d_w_x_rest,
                d_w_h: d_w_h_rest,
                d_b_x: d_b_x_rest,
                d_b_h: d_b_h_rest,
                d_p: d_p_rest,
            },
        )
    }
}

/// Runs of steps whose rows, and whose states before them, each lie one after another: `(first state before, first row, rows)`.
fn runs(steps: &[usize]) -> impl Iterator<Item = (usize, usize, usize)> {
    let n_sequences = steps.first().copied().unwrap_or(0);
    let (mut t, mut before, mut row) = (0, 0, 0);
    std::iter::from_fn(move || {
        let &n = steps.get(t)?;
        let (first_before, first_row) = (before, row);
        loop {
            row += n;
            t += 1;
            before = n_sequences + row - n;
            if steps.get(t) != Some(&n) || before - first_before != row - first_row {
                return Some((first_before, first_row, row - first_row));
            }
        }
    })
}

pub(super) fn add<F: Float>(sum: &mut [F], x: &[F]) {
    for (sum, &x) in sum.iter_mut().zip(x) {
        *sum += x;
    }
}

/// One named tensor: its shape, and the place of each element, row after row, in the vector of parameters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) name: String,
    pub(super) shape: Vec<usize>,
    pub(super) places: Vec<usize>,
}

/// `array` at the places of `tensor`.
pub(super) fn scatter<F: Float>(tensor: &Tensor, array: ArrayView2<'_, F>, params: &mut [F]) {
    for (&place, &value) in tensor.places.iter().zip(array) {
        params[place] = value;
    }
}

/// The tensor as a matrix; a vector is one column.
pub(super) fn collect<F: Float>(tensor: &Tensor, params: &[F]) -> Array2<F> {
    let columns = tensor.shape.get(1).copied().unwrap_or(1);
    Array2::from_shape_fn((tensor.shape[0], columns), |(r, c)| params[tensor.places[r * columns + c]])
}
