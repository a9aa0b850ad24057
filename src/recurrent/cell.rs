//! The cells: one step forward, and directly below it the same step backwards.
//!
//! Each vector holds one number for several units; `a` are the arguments of the gates, which the layer computes as
//! `W x_t + U h_(t-1) + b`. Gradients of the loss are `d_*`.

use crate::kernel::lanes::Lanes;
use crate::kernel::nets::activation::{Real, relu, sigmoid, tanh};
use crate::kernel::nets::recurrent::{Gates, Kept, Step};
use crate::kernel::simd::Simd;

/// A recurrent cell: the arithmetic of one unit, and how PyTorch orders its gates.
///
/// Implemented by [`LstmCell`], [`PeepholeLstmCell`], [`GruCell`] and [`RnnCell`]; sealed, as the kernels exist for these.
///
/// # Example
/// ```
/// use sapwood::{linfa::ParamGuard, recurrent::{Cell, GruCell, LstmCell, Recurrent}};
///
/// fn valid<C: Cell>() -> bool {
///     Recurrent::<f64, C>::params(8).check().is_ok()
/// }
/// assert!(valid::<LstmCell>() && valid::<GruCell>());
/// ```
pub trait Cell: Gates + Default + std::fmt::Debug + PartialEq {
    /// What PyTorch calls the module.
    const NAME: &'static str;
    /// For each slot that receives the inputs, its place in PyTorch's `weight_ih`.
    const INPUT_ORDER: &'static [usize];
    /// For each slot that receives the hidden state, its place in PyTorch's `weight_hh`.
    const HIDDEN_ORDER: &'static [usize];
    /// The gates in the order of the slots, for reports; the candidate is among them.
    const GATES: &'static [&'static str];
    /// The slot of the forget gate, where there is one.
    const FORGET: Option<usize>;
}

/// Long short-term memory (LSTM).
///
/// # Formula
/// ```text
/// i_t = sigmoid(W_i x_t + U_i h_(t-1) + b_i)     what to write
/// f_t = sigmoid(W_f x_t + U_f h_(t-1) + b_f)     what to keep
/// g_t =    tanh(W_g x_t + U_g h_(t-1) + b_g)     the candidate
/// o_t = sigmoid(W_o x_t + U_o h_(t-1) + b_o)     what to show
/// c_t = f_t c_(t-1) + i_t g_t                    the memory
/// h_t = o_t tanh(c_t)                            the hidden state
/// ```
/// Along the memory a gradient passes from step to step times `f_t`, a number that the net learns and that can stay near 1. In an Elman
/// net it passes through `U` and the slope of a tanh each time, which shrinks or grows it geometrically.
///
/// # References
/// Hochreiter, Schmidhuber (1997); the forget gate: Gers, Schmidhuber, Cummins (2000).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct LstmCell;

impl Cell for LstmCell {
    const NAME: &'static str = "LSTM";
    const INPUT_ORDER: &'static [usize] = &[0, 1, 2, 3];
    const HIDDEN_ORDER: &'static [usize] = &[0, 1, 2, 3];
    const GATES: &'static [&'static str] = &["input", "forget", "candidate", "output"];
    const FORGET: Option<usize> = Some(1);
}

impl Gates for LstmCell {
    // a, slots: [i, f, g, o]; memory: c
    const SLOTS: usize = 4;
    const FROM_INPUT: usize = 4;
    const FROM_HIDDEN: usize = 4;
    const HAS_MEMORY: bool = true;

    #[inline(always)]
    fn forward<F: Real, S: Simd>(
        self,
        a: [Lanes<F, S>; 4],
        c_before: Lanes<F, S>,
        _: [Lanes<F, S>; 3],
    ) -> Kept<F, S> {
        let (i, f, g, o) = (sigmoid(a[0]), sigmoid(a[1]), tanh(a[2]), sigmoid(a[3]));
        let c = f * c_before + i * g;
        let h = o * tanh(c);
        Kept { slots: [i, f, g, o], memory: c, hidden: h }
    }

    #[inline(always)]
    fn backward<F: Real, S: Simd>(self, step: Step<F, S>) -> ([Lanes<F, S>; 4], Lanes<F, S>) {
        let Step { slots: [i, f, g, o], memory_before: c_before, memory: c, d_hidden: d_h, carry, .. } = step;
        let one = Lanes::of(1.0);
        let tanh_c = tanh(c);
        let d_o = d_h * tanh_c;
        let d_c = carry + d_h * o * (one - tanh_c * tanh_c);
        let (d_i, d_f, d_g) = (d_c * g, d_c * c_before, d_c * i);
        let d_a = [d_i * i * (one - i), d_f * f * (one - f), d_g * (one - g * g), d_o * o * (one - o)];
        (d_a, d_c * f)
    }
}

/// Long short-term memory whose gates see the memory itself: an LSTM with peepholes.
///
/// # Formula
/// ```text
/// i_t = sigmoid(W_i x_t + U_i h_(t-1) + p_i c_(t-1) + b_i)
/// f_t = sigmoid(W_f x_t + U_f h_(t-1) + p_f c_(t-1) + b_f)
/// g_t =    tanh(W_g x_t + U_g h_(t-1) + b_g)
/// c_t = f_t c_(t-1) + i_t g_t
/// o_t = sigmoid(W_o x_t + U_o h_(t-1) + p_o c_t + b_o)
/// h_t = o_t tanh(c_t)
/// ```
/// `p_i`, `p_f` and `p_o` are one number for each unit, which sees its own memory alone. In an [`LstmCell`] a shut output gate hides the memory from
/// all gates; here they can time themselves by it. The tensor `weight_peephole_l0` has `p_i`, `p_f`, `p_o` below one another; all begin at 0,
/// so the net begins as a plain LSTM. PyTorch and Keras have no such cell.
///
/// # References
/// Gers, Schraudolph, Schmidhuber (2002).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct PeepholeLstmCell;

impl Cell for PeepholeLstmCell {
    const NAME: &'static str = "PeepholeLSTM";
    const INPUT_ORDER: &'static [usize] = LstmCell::INPUT_ORDER;
    const HIDDEN_ORDER: &'static [usize] = LstmCell::HIDDEN_ORDER;
    const GATES: &'static [&'static str] = LstmCell::GATES;
    const FORGET: Option<usize> = LstmCell::FORGET;
}

impl Gates for PeepholeLstmCell {
    // a, slots: [i, f, g, o]; memory: c; peepholes: [p_i, p_f, p_o]
    const SLOTS: usize = 4;
    const FROM_INPUT: usize = 4;
    const FROM_HIDDEN: usize = 4;
    const HAS_MEMORY: bool = true;
    const PEEPHOLES: &'static [(usize, bool)] = &[(0, false), (1, false), (3, true)];

    #[inline(always)]
    fn forward<F: Real, S: Simd>(
        self,
        a: [Lanes<F, S>; 4],
        c_before: Lanes<F, S>,
        [p_i, p_f, p_o]: [Lanes<F, S>; 3],
    ) -> Kept<F, S> {
        let (i, f) = (sigmoid(a[0] + p_i * c_before), sigmoid(a[1] + p_f * c_before));
        let g = tanh(a[2]);
        let c = f * c_before + i * g;
        let o = sigmoid(a[3] + p_o * c);
        let h = o * tanh(c);
        Kept { slots: [i, f, g, o], memory: c, hidden: h }
    }

    #[inline(always)]
    fn backward<F: Real, S: Simd>(self, step: Step<F, S>) -> ([Lanes<F, S>; 4], Lanes<F, S>) {
        let Step { peepholes: [p_i, p_f, p_o], slots: [i, f, g, o], .. } = step;
        let Step { memory_before: c_before, memory: c, d_hidden: d_h, carry, .. } = step;
        let one = Lanes::of(1.0);
        let tanh_c = tanh(c);
        let d_a_o = d_h * tanh_c * o * (one - o);
        let d_c = carry + d_h * o * (one - tanh_c * tanh_c) + d_a_o * p_o;
        let d_a_i = d_c * g * i * (one - i);
        let d_a_f = d_c * c_before * f * (one - f);
        let d_a_g = d_c * i * (one - g * g);
        ([d_a_i, d_a_f, d_a_g, d_a_o], d_c * f + d_a_i * p_i + d_a_f * p_f)
    }
}

/// Gated recurrent unit (GRU), with the reset gate after the product.
///
/// # Formula
/// ```text
/// r_t = sigmoid(W_r x_t + U_r h_(t-1) + b_r)                  what of the past the candidate sees
/// z_t = sigmoid(W_z x_t + U_z h_(t-1) + b_z)                  what to keep
/// n_t =    tanh(W_n x_t + b_n + r_t (U_n h_(t-1) + b_hn))     the candidate
/// h_t = (1 - z_t) n_t + z_t h_(t-1)                           the hidden state
/// ```
/// As PyTorch, cuDNN and Keras (`reset_after=True`) have it; Cho et al. multiply `r_t` and `h_(t-1)` before `U_n`.
///
/// # References
/// Cho et al. (2014).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct GruCell;

impl Cell for GruCell {
    const NAME: &'static str = "GRU";
    const INPUT_ORDER: &'static [usize] = &[2, 0, 1];
    const HIDDEN_ORDER: &'static [usize] = &[0, 1, 2];
    const GATES: &'static [&'static str] = &["candidate", "reset", "update"];
    const FORGET: Option<usize> = None;
}

impl Gates for GruCell {
    // a: [W_n x + b_n, r, z, U_n h + b_hn]; slots: [n, r, z, U_n h + b_hn]; memory: h
    const SLOTS: usize = 4;
    const FROM_INPUT: usize = 3;
    const FROM_HIDDEN: usize = 3;
    const HAS_MEMORY: bool = false;

    #[inline(always)]
    fn forward<F: Real, S: Simd>(
        self,
        a: [Lanes<F, S>; 4],
        h_before: Lanes<F, S>,
        _: [Lanes<F, S>; 3],
    ) -> Kept<F, S> {
        let (r, z, q) = (sigmoid(a[1]), sigmoid(a[2]), a[3]);
        let n = tanh(a[0] + r * q);
        let h = n + z * (h_before - n);
        Kept { slots: [n, r, z, q], memory: h, hidden: h }
    }

    #[inline(always)]
    fn backward<F: Real, S: Simd>(self, step: Step<F, S>) -> ([Lanes<F, S>; 4], Lanes<F, S>) {
        let Step { slots: [n, r, z, q], memory_before: h_before, d_hidden, carry, .. } = step;
        let one = Lanes::of(1.0);
        let d_h = d_hidden + carry;
        let d_z = d_h * (h_before - n);
        let d_n = d_h * (one - z) * (one - n * n);
        let d_r = d_n * q;
        let d_a = [d_n, d_r * r * (one - r), d_z * z * (one - z), d_n * r];
        (d_a, d_h * z)
    }
}

/// Elman's simple recurrent net (RNN).
///
/// # Formula
/// ```text
/// h_t = tanh(W x_t + U h_(t-1) + b)     or max(0, ..)
/// ```
///
/// # References
/// Elman (1990).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum RnnCell {
    /// The hyperbolic tangent.
    #[default]
    Tanh,
    /// The positive part.
    Relu,
}

impl Cell for RnnCell {
    const NAME: &'static str = "RNN";
    const INPUT_ORDER: &'static [usize] = &[0];
    const HIDDEN_ORDER: &'static [usize] = &[0];
    const GATES: &'static [&'static str] = &["hidden"];
    const FORGET: Option<usize> = None;
}

impl Gates for RnnCell {
    // a, slots: [h]; memory: h
    const SLOTS: usize = 1;
    const FROM_INPUT: usize = 1;
    const FROM_HIDDEN: usize = 1;
    const HAS_MEMORY: bool = false;

    #[inline(always)]
    fn forward<F: Real, S: Simd>(
        self,
        a: [Lanes<F, S>; 4],
        _: Lanes<F, S>,
        _: [Lanes<F, S>; 3],
    ) -> Kept<F, S> {
        let h = match self {
            Self::Tanh => tanh(a[0]),
            Self::Relu => relu(a[0]),
        };
        let zero = Lanes::of(0.0);
        Kept { slots: [h, zero, zero, zero], memory: h, hidden: h }
    }

    #[inline(always)]
    fn backward<F: Real, S: Simd>(self, step: Step<F, S>) -> ([Lanes<F, S>; 4], Lanes<F, S>) {
        let Step { memory: h, d_hidden: d_h, .. } = step;
        let (zero, one) = (Lanes::of(0.0), Lanes::of(1.0));
        let slope = match self {
            Self::Tanh => one - h * h,
            Self::Relu => h.one_where_above(zero),
        };
        ([d_h * slope, zero, zero, zero], zero)
    }
}
