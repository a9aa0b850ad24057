//! State reduction: Gaussian elimination for chains, without a subtraction.
//!
//! To eliminate state `n` is to watch the chain only outside of it: a step `i -> n` becomes the step that leaves `n` at last,
//! `P_ij += P_in P_nj / (1 - P_nn)`. The pivot `1 - P_nn` is the probability of leaving `n`, and summing the ways out instead of
//! subtracting keeps every result accurate to a few units in the last place, however slowly the chain mixes.
//!
//! # References
//! W. K. Grassmann, M. I. Taksar and D. P. Heyman, Regenerative analysis and steady state distributions for Markov chains (1985).

use ndarray::{Array2, s};

/// A state with so many times the mass of those before it takes all of theirs but what is left after scaling.
const OUTWEIGHS: f64 = 1e200;

/// The stationary distribution of the irreducible chain `p`, in `O(n^3)` time; `p` is overwritten.
pub(super) fn stationary(mut p: Array2<f64>) -> Vec<f64> {
    let n = p.nrows();
    // Probability of leaving each state for one before it, when it was eliminated; 0 where that is below the range of numbers.
    let mut outs = vec![0.0; n];
    for last in (1..n).rev() {
        let out: f64 = p.slice(s![last, ..last]).sum();
        outs[last] = out;
        if out == 0.0 {
            continue;
        }
        // Shares of the ways out: at most 1, where the column over `out` could overflow.
        p.slice_mut(s![last, ..last]).mapv_inplace(|v| v / out);
        let (mut before, at) = p.view_mut().split_at(ndarray::Axis(0), last);
        let row = at.slice(s![0, ..last]);
        for i in 0..last {
            let into = before[[i, last]];
            if into != 0.0 {
                before.slice_mut(s![i, ..last]).scaled_add(into, &row);
            }
        }
    }
    // pi_last = sum_i pi_i P_i,last / (1 - P_last,last).
    let mut pi = vec![0.0; n];
    pi[0] = 1.0;
    for last in 1..n {
        let inflow: f64 = (0..last).map(|i| pi[i] * p[[i, last]]).sum();
        if inflow <= OUTWEIGHS * outs[last] {
            pi[last] = if inflow > 0.0 { inflow / outs[last] } else { 0.0 };
        } else {
            let share = outs[last] / inflow;
            pi[..last].iter_mut().for_each(|v| *v *= share);
            pi[last] = 1.0;
        }
    }
    let sum: f64 = pi.iter().sum();
    pi.iter_mut().for_each(|v| *v /= sum);
    pi
}

/// The solution of `X = Q X + B` where `leak[i]` is `1 - sum_j Q_ij`, in `O(n^2 (n + columns of B))` time.
///
/// `Q` must be transient: from each state some leak is reached. All steps add, multiply or divide; with `B >= 0` nothing cancels. What is beyond
/// the range of numbers is infinite; `None` where the probability of ever leaking is below it, or so near its end that it has lost digits.
pub(super) fn solve(mut q: Array2<f64>, mut leak: Vec<f64>, mut b: Array2<f64>) -> Option<Array2<f64>> {
    let n = q.nrows();
    for last in (0..n).rev() {
        let out = leak[last] + q.slice(s![last, ..last]).sum();
        if out < f64::MIN_POSITIVE {
            return None;
        }
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
            // Times without end are not met where there is no way to them.
            if q[[i, j]] != 0.0 {
                at.row_mut(0).scaled_add(q[[i, j]], &before.row(j));
            }
        }
    }
    b.iter().all(|v| !v.is_nan()).then_some(b)
}
