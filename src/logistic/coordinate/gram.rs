//! Newton steps on the Hessian of the working set: for dense records, and for sparse ones whose features depend on one another.
//!
//! A step minimises a [`Model`], the penalised quadratic about the present point, by coordinate descent on its Hessian; the line search then asks the
//! objective itself. The Hessian is that of the set's weights and the intercepts, and serves several steps as long as these shrink well.

use super::super::curvature::Blocks;
use super::super::factor::Factor;
use super::super::objective::Objective;
use super::super::report::Report;
use super::super::rows::Rows;
use super::super::solve::Limits;
use super::{MAX_HALVINGS, MAX_SWEEPS, POLISH, WANDERING, settle_all, tell};
use crate::error::Result;
use crate::float::Float;
use crate::observe::Observer;
use crate::optim::lbfgs::{add, dot};

/// Ratio of the gains of two steps up to which the Hessian is kept: a new one costs as much as many steps.
const GOOD_RATE: f64 = 0.5;
/// Steps after which the features in use are looked at for those that depend on one another, and the most of these in one step.
const MANY_STEPS: usize = 8;
const MOST_TANGLES: usize = 64;
/// Part of the records that the columns of a set may be for a copy of them.
const COPY_PART: usize = 8;

/// A working set: its features in rising order, and the last Hessian of their weights and the intercepts, or none.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) set: Vec<usize>,
    /// Their columns side by side, where that is little beside dense records: a pass over few columns is faster.
    x: Option<Vec<f64>>,
    hessian: Vec<f64>,
}

impl Part {
    pub(super) fn new<F: Float>(rows: Rows<'_, F>, set: Vec<usize>) -> Self {
        let little = rows.n() * set.len() <= rows.stored() / COPY_PART;
        Self { x: if little { rows.columns(&set) } else { None }, set, hessian: vec![] }
    }
}

/// Minimises over the features of the set and the intercepts, and writes the result back to `v`, which is 0 in all other features.
pub(super) fn minimize<F: Float>(
    objective: &Objective<'_, F>,
    Part { set, x, hessian }: &mut Part,
    penalty: (f64, bool),
    v: &mut [f64],
    limits: Limits,
    report: &mut Report,
    observer: &mut dyn Observer,
) -> Result<()> {
    let Some(x) = x else {
        return descend(objective, (set, hessian), penalty, v, limits, report, observer);
    };
    let Objective { target, weight, offset, reference, m, l2, intercept, .. } = *objective;
    let (width, d, lanes) = (set.len(), objective.rows.d(), objective.lanes());
    let rows = Rows::Dense { x, d: width };
    let few = Objective::<f64> { rows, target, weight, offset, reference, m, l2, intercept };
    // Row `j` of the parameters of these columns is row `row(j)` of all.
    let row = |j: usize| if j == width { d } else { set[j] };
    let mut u = vec![0.0; few.len()];
    for (j, u) in u.chunks_exact_mut(lanes).enumerate() {
        u.copy_from_slice(&v[row(j) * lanes..(row(j) + 1) * lanes]);
    }
    let all: Vec<usize> = (0..width).collect();
    let end = descend(&few, (&all, hessian), penalty, &mut u, limits, report, observer);
    for (j, u) in u.chunks_exact(lanes).enumerate() {
        v[row(j) * lanes..(row(j) + 1) * lanes].copy_from_slice(u);
    }
    end
}

/// The steps of [`minimize`]; of `v` only the weights of `features` and the intercepts move.
fn descend<F: Float>(
    objective: &Objective<'_, F>,
    (features, hessian): (&[usize], &mut Vec<f64>),
    (l1, stuck): (f64, bool),
    v: &mut [f64],
    limits: Limits,
    report: &mut Report,
    observer: &mut dyn Observer,
) -> Result<()> {
    let (d, m, lanes, k) = (objective.rows.d(), objective.m, objective.lanes(), features.len() + 1);
    // Where the parameters of the model stand in `v`.
    let places: Vec<usize> =
        (0..m * k).map(|i| features.get(i % k).copied().unwrap_or(d) * lanes + i / k).collect();
    let l1_norm = |v: &[f64]| {
        let weights = features.iter().flat_map(|&j| &v[j * lanes..(j + 1) * lanes]);
        l1 * weights.map(|w| w.abs()).sum::<f64>()
    };
    let mut workspace = objective.workspace();
    let (mut gradient, mut next_gradient) = (vec![0.0; v.len()], vec![0.0; v.len()]);
    let mut next = v.to_vec();
    let mut value = objective.evaluate(v, &mut gradient, &mut workspace).sum + l1_norm(v);
    let (started, mut last_decrease) = (report.iterations, f64::INFINITY);
    while report.iterations < limits.max_iter {
        // The duality gap shrinks with the distance from the optimum, the objective with its square. What rounding moves is no descent.
        let enough = (1e-2 * limits.tol * limits.tol).max(WANDERING) * value;
        let hessian_is_new = hessian.is_empty();
        if hessian_is_new {
            *hessian = symmetric(objective.hessian_of(features, v, Blocks::All), m * k);
        }
        let tangled = stuck || report.iterations > started + MANY_STEPS;
        let of = |v: &[f64]| places.iter().map(|&at| v[at]).collect();
        // What the logits share is the penalty's alone to decide.
        let shared = (m > 1 && !objective.reference).then_some(objective.l2);
        let model = Model::new(hessian, of(&gradient), of(v), k, (l1, shared));
        let (step, decrease) = model.minimize(tangled, 0.1 * enough);
        if decrease.is_nan() || decrease <= enough {
            if hessian_is_new || report.iterations > started {
                break;
            }
            // A Hessian of the round before is no proof that no step is left.
            hessian.clear();
            continue;
        }
        let mut t = 1.0;
        // What is lost in the rounding of the values is not found by shorter steps.
        let hidden = decrease < 1e-11 * value;
        let accepted = (0..if hidden { 2 } else { MAX_HALVINGS }).any(|_| {
            for (&at, s) in places.iter().zip(&step) {
                next[at] = v[at] + t * s;
            }
            let losses = objective.evaluate(&next, &mut next_gradient, &mut workspace);
            let next_value = losses.sum + l1_norm(&next);
            // Below the rounding of the values, the model's word is taken for the descent.
            let noise = if hidden { 1e-13 * value } else { 0.0 };
            let lower = next_value <= value - 1e-4 * t * decrease + noise;
            if lower {
                value = next_value;
            }
            t *= 0.5;
            lower
        });
        if !accepted {
            if hessian_is_new {
                break;
            }
            hessian.clear();
            continue;
        }
        // An older Hessian serves as long as the steps shrink well: the gradient is that of the present point.
        if decrease > GOOD_RATE * last_decrease {
            hessian.clear();
        }
        last_decrease = decrease;
        v.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        report.iterations += 1;
        tell(observer, report.iterations, limits, value)?;
    }
    Ok(())
}

/// The whole matrix of order `q` from its upper triangle.
fn symmetric(mut matrix: Vec<f64>, q: usize) -> Vec<f64> {
    for i in 0..q {
        for j in 0..i {
            matrix[i * q + j] = matrix[j * q + i];
        }
    }
    matrix
}

/// The penalised quadratic of one step, `g^T s + 1/2 s^T H s + l1 ||start + s||_1`, and how far its descent has come.
///
/// Parameter `j` of logit `c` is coordinate `c k + j`; the intercept comes last and is not penalised. There are `q = m k` of them.
struct Model<'a> {
    /// `H`, `(q, q)`, both triangles.
    hessian: &'a [f64],
    /// `g`.
    gradient: Vec<f64>,
    /// The parameters that the step begins at.
    start: Vec<f64>,
    /// `start + s`.
    w: Vec<f64>,
    /// `H s`.
    bend: Vec<f64>,
    k: usize,
    l1: f64,
    /// The L2 penalty, where a shift of all logits together changes nothing else.
    shared: Option<f64>,
}

impl<'a> Model<'a> {
    fn new(
        hessian: &'a [f64],
        gradient: Vec<f64>,
        start: Vec<f64>,
        k: usize,
        (l1, shared): (f64, Option<f64>),
    ) -> Self {
        let (w, bend) = (start.clone(), vec![0.0; start.len()]);
        Self { hessian, gradient, start, w, bend, k, l1, shared }
    }

    /// Descends until a sweep over all coordinates gains at most `enough`.
    ///
    /// Returns the step and `s^T H s`, by which at least the model falls beside its own curvature: it is free of cancellation. With what the logits share
    /// settled comes what that gains.
    fn minimize(mut self, tangled: bool, enough: f64) -> (Vec<f64>, f64) {
        let mut shifted = if tangled { self.untangle() } else { 0.0 };
        let mut polish_at = if tangled { 1 } else { POLISH };
        // Sweeps over all coordinates, and in between over those that are not 0.
        let mut everything = true;
        for sweep in 1..=MAX_SWEEPS {
            let mut gain = self.sweep(everything);
            if let Some(l2) = self.shared {
                let settled = self.settle(l2);
                gain += settled;
                shifted += settled;
            }
            let little = gain <= enough;
            if little && everything {
                break;
            }
            everything = little;
            // Where features resemble one another, sweeps crawl: solve for those in use at once.
            if sweep == polish_at {
                polish_at *= 2;
                self.polish();
            }
        }
        let step: Vec<f64> = self.w.iter().zip(&self.start).map(|(w, start)| w - start).collect();
        let decrease = shifted + step.iter().zip(&self.bend).map(|(s, bend)| s * bend).sum::<f64>();
        (step, decrease)
    }

    fn row(&self, i: usize) -> &'a [f64] {
        let q = self.w.len();
        &self.hessian[i * q..(i + 1) * q]
    }

    /// Whether coordinate `i` is an intercept.
    fn is_intercept(&self, i: usize) -> bool {
        i % self.k == self.k - 1
    }

    /// Moves each coordinate in turn to its minimum, or those alone that are not 0; tells what that gains.
    fn sweep(&mut self, everything: bool) -> f64 {
        let mut gain = 0.0;
        for i in 0..self.w.len() {
            let (row, free, w) = (self.row(i), self.is_intercept(i), self.w[i]);
            let curvature = row[i];
            if curvature <= 0.0 || (!everything && !free && w == 0.0) {
                continue;
            }
            let target = curvature * w - (self.gradient[i] + self.bend[i]);
            let threshold = if free { 0.0 } else { self.l1 };
            let new = target.signum() * (target.abs() - threshold).max(0.0) / curvature;
            let change = new - w;
            if change != 0.0 {
                self.w[i] = new;
                gain += 0.5 * curvature * change * change;
                add(change, row, &mut self.bend);
            }
        }
        gain
    }

    /// Shifts the weights of each feature in all logits to where their penalty is least; tells by how much it falls.
    fn settle(&mut self, l2: f64) -> f64 {
        let before = self.w.clone();
        let gain = settle_all(&mut self.w, self.k, self.l1, l2);
        // Of the Hessian only its L2 part feels the shift.
        for ((bend, w), before) in self.bend.iter_mut().zip(&self.w).zip(&before) {
            *bend += l2 * (w - before);
        }
        gain
    }

    /// Coordinates that are not 0 and the intercepts; of logits that can be shifted together all but the last of these, which decides nothing.
    fn in_use(&self) -> Vec<usize> {
        let last = self.w.len() - 1;
        let intercept_counts = |i: usize| self.shared.is_none() || i < last;
        let counts = |&i: &usize| if self.is_intercept(i) { intercept_counts(i) } else { self.w[i] != 0.0 };
        (0..=last).filter(counts).collect()
    }

    /// The factor of the Hessian's rows and columns `used`.
    fn factor(&self, used: &[usize]) -> Factor {
        let part = used.iter().flat_map(|&i| used.iter().map(move |&j| self.row(i)[j])).collect();
        Factor::new(part, used.len())
    }

    /// Moves the coordinates in use towards the solution of their linear equations, as far as none changes its sign.
    fn polish(&mut self) {
        let used = self.in_use();
        // The model's slopes with their signs turned.
        let falls: Vec<f64> = used
            .iter()
            .map(|&i| {
                let pull = if self.is_intercept(i) { 0.0 } else { self.l1 * self.w[i].signum() };
                -(self.gradient[i] + self.bend[i] + pull)
            })
            .collect();
        let mut move_by = falls.clone();
        self.factor(&used).solve(&mut move_by);
        // Where the equations are nearly singular, the solution may be none.
        let mut image = vec![0.0; self.w.len()];
        for (&i, s) in used.iter().zip(&move_by) {
            add(*s, self.row(i), &mut image);
        }
        let bends: f64 = used.iter().zip(&move_by).map(|(&i, s)| s * image[i]).sum();
        let gain = dot(&falls, &move_by);
        if gain.is_nan() || bends.is_nan() || gain <= 0.0 || bends > 1.5 * gain {
            return;
        }
        // The first coordinate to reach 0 stops the move, and stays there.
        let crossing = |(&i, &s): (&usize, &f64)| {
            let w = self.w[i];
            if self.is_intercept(i) || w * s >= 0.0 { 1.0 } else { (-w / s).min(1.0) }
        };
        let t = used.iter().zip(&move_by).map(crossing).fold(1.0, f64::min);
        for (&i, s) in used.iter().zip(&move_by) {
            let new = self.w[i] + t * s;
            self.w[i] = if self.is_intercept(i) || new * self.w[i] > 0.0 { new } else { 0.0 };
        }
        self.refresh();
    }

    /// Sets `bend` to `H s`: afresh, so that nothing builds up.
    fn refresh(&mut self) {
        self.bend.fill(0.0);
        for i in 0..self.w.len() {
            let s = self.w[i] - self.start[i];
            if s != 0.0 {
                let row = self.row(i);
                add(s, row, &mut self.bend);
            }
        }
    }

    /// Moves along directions that only the penalty feels, until a coordinate is 0; tells by how much the penalty falls.
    ///
    /// Such are the differences of repeated columns, or of a constant one and the intercept: coordinate descent crawls there, as slowly as the penalty is
    /// weak.
    fn untangle(&mut self) -> f64 {
        let mut gain = 0.0;
        for _ in 0..MOST_TANGLES {
            let used = self.in_use();
            let factor = self.factor(&used);
            let found = factor.dependent().find_map(|at| self.penalty_alone(&used, &factor, at));
            let Some((direction, falls)) = found else { break };
            // How far until the weight is 0.
            let crossing = |(&i, &d): (&usize, &f64)| {
                let w = self.w[i];
                if self.is_intercept(i) || w * d >= 0.0 { f64::INFINITY } else { -w / d }
            };
            let until: Vec<f64> = used.iter().zip(&direction).map(crossing).collect();
            let t = until.iter().copied().fold(f64::INFINITY, f64::min);
            if !t.is_finite() {
                break;
            }
            for ((&i, d), until) in used.iter().zip(&direction).zip(until) {
                self.w[i] = if until <= t { 0.0 } else { self.w[i] + t * d };
            }
            gain += t * falls;
            self.refresh();
        }
        gain
    }

    /// The direction in the coordinates `used` that the Hessian does not feel since column `at` of them depends on others, down the penalty, and how fast the
    /// penalty falls along it; none where it does not.
    fn penalty_alone(&self, used: &[usize], factor: &Factor, at: usize) -> Option<(Vec<f64>, f64)> {
        // The column, less what the others make of it.
        let mut direction: Vec<f64> = used.iter().map(|&i| -self.row(i)[used[at]]).collect();
        factor.solve(&mut direction);
        direction[at] = 1.0;
        // In units in which the columns are of one size, what is small is rounding.
        let size = |(&i, d): (&usize, &f64)| d.abs() * self.row(i)[i].sqrt();
        let sizes: Vec<f64> = used.iter().zip(&direction).map(size).collect();
        let largest = sizes.iter().copied().fold(0.0, f64::max);
        for (d, size) in direction.iter_mut().zip(sizes) {
            *d = if size > 1e-9 * largest { *d } else { 0.0 };
        }
        let penalised = || used.iter().zip(&direction).filter(|entry| !self.is_intercept(*entry.0));
        let rises: f64 = penalised().map(|(&i, d)| d * self.l1 * self.w[i].signum()).sum();
        let most: f64 = penalised().map(|(_, d)| d.abs() * self.l1).sum();
        let sign = -rises.signum();
        direction.iter_mut().for_each(|d| *d *= sign);
        (rises.abs() > 1e-9 * most).then_some((direction, rises.abs()))
    }
}
