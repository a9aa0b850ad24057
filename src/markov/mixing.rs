//! How fast the chain forgets where it began, and how much each step tells.

use linfa::dataset::Label;
use ndarray::{Array1, Array2, Axis};

use super::{MarkovChain, check_dense, require};
use crate::error::Result;

impl<L: Label> MarkovChain<L> {
    /// Entropy of a step in the long run, in bits: `-sum_i pi_i sum_j P_ij log2(P_ij)`.
    ///
    /// # Errors
    /// Those of [`stationary`](Self::stationary).
    pub fn entropy_rate(&self) -> Result<f64> {
        let pi = self.stationary()?;
        let entropy = |i: usize| -> f64 {
            self.transitions.row(i).filter(|step| step.1 > 0.0).map(|(_, p)| -p * p.log2()).sum()
        };
        Ok((0..self.n_states()).filter(|&i| pi[i] > 0.0).map(|i| pi[i] * entropy(i)).sum())
    }

    /// Whether the stationary chain looks the same backwards: `pi_i P_ij = pi_j P_ji`, within `1e-12`.
    ///
    /// # Errors
    /// Those of [`stationary`](Self::stationary).
    pub fn is_reversible(&self) -> Result<bool> {
        let pi = self.stationary()?;
        let flow = |i: usize, j: usize| pi[i] * self.transitions.get(i, j).unwrap_or(0.0);
        Ok(self.transitions.entries().all(|(i, j, _)| (flow(i, j) - flow(j, i)).abs() <= 1e-12))
    }

    /// Expected number of steps in a row in each state, `1 / (1 - P_ii)`.
    #[must_use]
    pub fn expected_durations(&self) -> Array1<f64> {
        let leave = |i| self.transitions.row(i).filter(|step| step.0 != i).map(|step| step.1).sum::<f64>();
        (0..self.n_states()).map(|i| 1.0 / leave(i)).collect()
    }

    /// Fewest steps after which the chain is within `distance` of stationary, in total variation, from any start.
    ///
    /// The custom is a distance of 1/4.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) unless the chain is ergodic, with at most 8192 states, and `0 < distance < 1`.
    ///
    /// # Complexity
    /// `O(n^3 log(answer))` time, `O(n^2 log(answer))` memory: squared until near enough, then cut back by halves.
    ///
    /// # References
    /// D. A. Levin, Y. Peres and E. L. Wilmer, Markov Chains and Mixing Times (2009), 4.5.
    pub fn mixing_time(&self, distance: f64) -> Result<u64> {
        require(distance > 0.0 && distance < 1.0, "distance", "between 0 and 1", distance)?;
        require(self.is_ergodic(), "chain", "ergodic", "a periodic or reducible one")?;
        let pi = self.stationary()?;
        let far = |power: &Array2<f64>| {
            let from = |row: ndarray::ArrayView1<'_, f64>| {
                row.iter().zip(&pi).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
            };
            power.axis_iter(Axis(0)).map(from).fold(0.0, f64::max) > distance
        };
        let identity = Array2::eye(self.n_states());
        if !far(&identity) {
            return Ok(0);
        }
        // powers[k] is P^(2^k); the last is near enough, or the numbers no longer move.
        let mut powers = vec![self.matrix()?];
        while far(&powers[powers.len() - 1]) && powers.len() < 63 {
            let last = &powers[powers.len() - 1];
            let squared = last.dot(last);
            powers.push(squared);
        }
        // The largest number of steps that is still too few, from its highest bit down.
        let (mut reached, mut few) = (identity, 0);
        for (k, power) in powers.iter().enumerate().rev() {
            let further = reached.dot(power);
            if far(&further) {
                (reached, few) = (further, few + (1 << k));
            }
        }
        Ok(few + 1)
    }

    /// The eigenvalues `(re, im)` of the transition matrix, by descending absolute value; the first is 1.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for more than 8192 states.
    ///
    /// # Complexity
    /// `O(n^3)` time, `O(n^2)` memory.
    pub fn eigenvalues(&self) -> Result<Vec<(f64, f64)>> {
        check_dense(self.n_states())?;
        let mut values = eigenvalues(self.matrix()?);
        let size = |v: &(f64, f64)| v.0.hypot(v.1);
        values
            .sort_by(|a, b| size(b).total_cmp(&size(a)).then(b.0.total_cmp(&a.0)).then(b.1.total_cmp(&a.1)));
        Ok(values)
    }

    /// `1 - |second eigenvalue|`: the distance to stationarity shrinks about by that share at each step.
    ///
    /// 0 for a periodic chain or one with several recurrent classes. Its inverse is the relaxation time.
    ///
    /// # Errors
    /// [`Error::Parameter`](crate::Error::Parameter) for more than 8192 states.
    pub fn spectral_gap(&self) -> Result<f64> {
        let values = self.eigenvalues()?;
        Ok(values.get(1).map_or(1.0, |v| (1.0 - v.0.hypot(v.1)).max(0.0)))
    }
}

/// Eigenvalues of a real matrix: reduction to Hessenberg form, then the QR iteration with Francis's double shift.
///
/// # References
/// G. H. Golub and C. F. Van Loan, Matrix Computations (1996), 7.4.2 and 7.5.1.
fn eigenvalues(mut a: Array2<f64>) -> Vec<(f64, f64)> {
    let n = a.nrows();
    for k in 1..n.saturating_sub(1) {
        // A reflection I - v v^T (2 / v.v) of rows and columns k.. clears column k - 1 below row k.
        let mut v: Vec<f64> = (k..n).map(|i| a[[i, k - 1]]).collect();
        if aim(&mut v) {
            reflect(&mut a, k, &v, 0, n);
        }
    }
    let mut values = Vec::with_capacity(n);
    // The active block is low..high; below it everything has been found.
    let (mut high, mut tries) = (n, 0);
    while high > 0 {
        let mut low = high - 1;
        while low > 0 {
            // Beneath numbers of 1, what is far below their rounding is 0; its products with itself would vanish, and no step would move it.
            let scale = match a[[low - 1, low - 1]].abs() + a[[low, low]].abs() {
                0.0 => 1.0,
                scale => scale.max(f64::EPSILON),
            };
            if a[[low, low - 1]].abs() <= f64::EPSILON * scale {
                a[[low, low - 1]] = 0.0;
                break;
            }
            low -= 1;
        }
        match high - low {
            1 => {
                values.push((a[[low, low]], 0.0));
                (high, tries) = (low, 0);
            }
            2 => {
                let (p, q) = (a[[low, low]], a[[low + 1, low + 1]]);
                let half = (p - q) / 2.0;
                let inside = half * half + a[[low, low + 1]] * a[[low + 1, low]];
                let middle = (p + q) / 2.0;
                let root = inside.abs().sqrt();
                if inside >= 0.0 {
                    values.extend([(middle + root, 0.0), (middle - root, 0.0)]);
                } else {
                    values.extend([(middle, root), (middle, -root)]);
                }
                (high, tries) = (low, 0);
            }
            // 300 steps for one eigenvalue have never been seen to fail; giving the diagonal ends the loop all the same.
            _ if tries == 300 => {
                values.push((a[[high - 1, high - 1]], 0.0));
                (high, tries) = (high - 1, 0);
            }
            _ => {
                tries += 1;
                francis_step(&mut a, low, high, tries % 10 == 0);
            }
        }
    }
    values
}

/// One implicit double-shift step on the block `low..high` of at least 3 rows.
fn francis_step(a: &mut Array2<f64>, low: usize, high: usize, exceptional: bool) {
    let (m, n) = (high - 2, high - 1);
    let (sum, product) = if exceptional {
        // Breaks the cycles of permutation-like blocks, which the usual shifts leave unchanged.
        let w = a[[n, m]].abs() + a[[m, m - 1]].abs();
        (1.5 * w, w * w)
    } else {
        (a[[m, m]] + a[[n, n]], a[[m, m]] * a[[n, n]] - a[[m, n]] * a[[n, m]])
    };
    let (h00, h10) = (a[[low, low]], a[[low + 1, low]]);
    let mut v = vec![
        h00 * h00 + a[[low, low + 1]] * h10 - sum * h00 + product,
        h10 * (h00 + a[[low + 1, low + 1]] - sum),
        h10 * a[[low + 2, low + 1]],
    ];
    for k in low..high - 1 {
        if aim(&mut v) {
            reflect(a, k, &v, low, high);
        }
        if k + 2 < high {
            v = (k + 1..(k + 4).min(high)).map(|i| a[[i, k]]).collect();
        }
    }
    for i in low + 2..high {
        for j in low..i - 1 {
            a[[i, j]] = 0.0;
        }
    }
}

/// Turns `v` into the normal of a reflection that leaves of `v` its first entry alone; false where all are 0.
fn aim(v: &mut [f64]) -> bool {
    let largest = v.iter().fold(0.0_f64, |largest, x| largest.max(x.abs()));
    if largest == 0.0 {
        return false;
    }
    // The length of a normal says nothing, and of numbers up to 1 the largest square does not vanish.
    v.iter_mut().for_each(|x| *x /= largest);
    let norm = v.iter().map(|x| x * x).sum::<f64>().sqrt();
    v[0] += norm.copysign(v[0]);
    true
}

/// Applies the reflection `I - 2 v v^T / v.v` to rows, then columns, `k..k + v.len()` within `low..high`.
fn reflect(a: &mut Array2<f64>, k: usize, v: &[f64], low: usize, high: usize) {
    let beta = 2.0 / v.iter().map(|x| x * x).sum::<f64>();
    for j in low..high {
        let dot: f64 = v.iter().enumerate().map(|(i, x)| x * a[[k + i, j]]).sum();
        v.iter().enumerate().for_each(|(i, x)| a[[k + i, j]] -= beta * dot * x);
    }
    for i in low..high {
        let dot: f64 = v.iter().enumerate().map(|(j, x)| x * a[[i, k + j]]).sum();
        v.iter().enumerate().for_each(|(j, x)| a[[i, k + j]] -= beta * dot * x);
    }
}
