//! State reduction: Gaussian elimination for chains, without a subtraction.
//!
//! To eliminate state `n` is to watch the chain only outside of it: a step `i -> n` becomes the step that leaves `n` at last,
//! `P_ij += P_in P_nj / (1 - P_nn)`. The pivot `1 - P_nn` is the probability of leaving `n`, and summing the ways out instead of
//! subtracting keeps every result accurate to a few units in the last place, however slowly the chain mixes.
//!
//! # References
//! W. K. Grassmann, M. I. Taksar and D. P. Heyman, Regenerative analysis and steady state distributions for Markov chains (1985).

use ndarray::{Array2, s};

/// The stationary distribution of the irreducible chain `p`, in `O(n^3)` time; `p` is overwritten.
pub(super) fn stationary(mut p: Array2<f64>) -> Vec<f64> {
    let n = p.nrows();
    for last in (1..n).rev() {
        let out: f64 = p.slice(s![last, ..last]).sum();
        p.slice_mut(s![..last, last]).mapv_inplace(|v| v / out);
        let (mut before, at) = p.view_mut().split_at(ndarray::Axis(0), last);
        let row = at.slice(s![0, ..last]);
        for i in 0..last {
            let into = before[[i, last]];
            if into != 0.0 {
                before.slice_mut(s![i, ..last]).scaled_add(into, &row);
            }
        }
    }
    // pi_last = sum_i pi_i P_i,last / (1 - P_last,last), whose quotient stands in the column.
    let mut pi = vec![0.0; n];
    pi[0] = 1.0;
    for last in 1..n {
        pi[last] = (0..last).map(|i| pi[i] * p[[i, last]]).sum();
    }
    let sum: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|v| *v /= sum);
    pi
}

/// The solution of `X = Q X + B` where `leak[i]` is `1 - sum_j Q_ij`, in `O(n^2 (n + columns of B))` time.
///
/// `Q` must be transient: from each state some leak is reached. All steps add, multiply or divide; with `B >= 0` nothing cancels.
pub(super) fn solve(mut q: Array2<f64>, mut leak: Vec<f64>, mut b: Array2<f64>) -> Array2<f64> {
    let n = q.nrows();
    for last in (0..n).rev() {
        let out = leak[last] + q.slice(s![last, ..last]).sum();
        q.slice_mut(s![last, ..last]).mapv_inplace(|v| v / out);
        b.row_mut(last).mapv_inplace(|v| v / out);
        leak[last] /= out;
        let (mut before, at) = q.view_mut().split_at(ndarray::Axis(0), last);
        let row = at.slice(s![0, ..last]);
        let (mut b_before, b_at) = b.view_mut().split_at(ndarray::Axis(0), last);
        for i in 0..last {
            let into = before[[i, last]];
            if into != 0.0 {
                before.slice_mut(s![i, ..last]).scaled_add(into, &row);
                b_before.row_mut(i).scaled_add(into, &b_at.row(0));
                leak[i] += into * leak[last];
            }
        }
    }
    for i in 1..n {
        let (before, mut at) = b.view_mut().split_at(ndarray::Axis(0), i);
        for j in 0..i {
            at.row_mut(0).scaled_add(q[[i, j]], &before.row(j));
        }
    }
    b
}
