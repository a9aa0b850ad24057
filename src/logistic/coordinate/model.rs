//! The quadratic model of one step over columns.
//!
//! Of several logits one is swept after the other. With `p` the probabilities and `z` the step's change of the margins,
//! `q_c = r_c + h_c z_c` becomes `r_c + s p_c (z_c - sum_b p_b z_b)`, of which only `z_c` changes during a sweep: `q_c` by `s p_c (1 - p_c) = h_c` for each
//! unit of it, as with one logit.

use super::point::Point;
use crate::optim::lbfgs::dot;

/// The losses' quadratic model about a point, as far as coordinate descent has come: parameter `j` of logit `c` stands at `c k + j`, the intercept last.
pub(super) struct Model<'a> {
    pub(super) point: &'a Point,
    pub(super) weight: &'a [f64],
    /// Change of the margins, `(n, lanes)`; with one logit not kept while `rows` are in use.
    pub(super) z: Vec<f64>,
    /// `h` and `q` of each row, of the logit that is swept.
    pub(super) rows: Vec<[f64; 2]>,
}

impl Model<'_> {
    /// Sets the rows to `h` and `q` of logit `c`.
    pub(super) fn load(&mut self, c: usize, lanes: usize) {
        let Self { point, weight, z, rows } = self;
        for (i, row) in rows.iter_mut().enumerate() {
            let at = i * lanes + c;
            *row = [point.h[at], point.r[at] + bend(point, weight, lanes, i, c, &z[i * lanes..])];
        }
    }

    /// Brings `z` of logit `c` up to what the rows have become since they were loaded.
    ///
    /// Where `h` is 0 no logit's derivatives depend on it. The margins of a step are computed from its weights, so rounding here does not build up.
    pub(super) fn keep(&mut self, c: usize, lanes: usize) {
        let Self { point, weight, z, rows } = self;
        for (i, [h, q]) in rows.iter().enumerate() {
            if *h > 0.0 {
                let before = point.r[i * lanes + c] + bend(point, weight, lanes, i, c, &z[i * lanes..]);
                z[i * lanes + c] += (q - before) / h;
            }
        }
    }

    /// `a^T H b` of row `i`.
    pub(super) fn curvature(&self, i: usize, a: &[f64], b: &[f64]) -> f64 {
        let lanes = a.len();
        let bends = (0..lanes).map(|c| a[c] * bend(self.point, self.weight, lanes, i, c, b));
        bends.sum()
    }
}

/// `s p_c (z_c - sum_b p_b z_b)` of row `i`, or `h z` with one logit; `z` begins at the row.
fn bend(point: &Point, weight: &[f64], lanes: usize, i: usize, c: usize, z: &[f64]) -> f64 {
    if lanes == 1 {
        return point.h[i] * z[0];
    }
    let p = &point.p[i * lanes..(i + 1) * lanes];
    weight[i] * p[c] * (z[c] - dot(p, &z[..lanes]))
}
