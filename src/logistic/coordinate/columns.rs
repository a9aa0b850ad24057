//! Newton steps without a Hessian: for sparse records.
//!
//! The columns of the working set lie in a [`Set`], and coordinate descent runs over them: with `q` the derivatives of the losses' quadratic
//! model by the margins, feature `j` has slope `x_j^T q`, and a change of its weight by `s` adds `s H x_j` to `q`. A sweep visits each stored entry of the
//! set, twice where the weight changes, whatever the number of features. From the second sweep of a step on, changes are longer than to the minimum along their
//! coordinate, by what the gains of the first two tell (successive over-relaxation).
//!
//! The intercept takes up its part of every change at once: features are swept about their means weighted by `h`, or it would crawl behind features that
//! are positive throughout. What it has taken up is one number until the sweep ends.

use std::ops::Range;

use super::super::objective::{Objective, Workspace};
use super::super::report::Report;
use super::super::solve::Limits;
use super::model::Model;
use super::point::Point;
use super::set::Set;
use super::{MAX_HALVINGS, MAX_SWEEPS, MOST_STEPS, POLISH, WANDERING, settle_all, tell};
use crate::error::Result;
use crate::float::Float;
use crate::observe::Observer;
use crate::optim::lbfgs::{add, dot};
use crate::par;

/// Part of a step's gain that its sweeps may leave: far from the optimum a new model is worth more than an exact step.
const INEXACT: f64 = 1e-3;
/// First sweeps of a step, over all features of the set; the next ones pass over those whose weight is 0.
const FULL_SWEEPS: usize = 8;
/// Longest change of a weight, as part of that to the minimum along it.
const MOST_OVER: f64 = 1.5;
/// Conjugate gradients of a polish, and the part of the residual's square at which they end.
const MAX_CONJUGATE: usize = 60;
const CONJUGATE: f64 = 1e-12;
/// Columns that a thread looks at together.
const RUN: usize = 64;
/// Spread of a column about its mean, as part of its square, below which it is rounding.
const LEAST_SPREAD: f64 = 1e-9;

/// The working set, and the present point.
#[derive(Debug)]
pub(super) struct Columns {
    set: Set,
    point: Point,
}

/// How the losses bend along a parameter: the curvature of its column about its mean, both weighted by the rows' second derivatives.
#[derive(Debug, Clone, Copy)]
struct Scale {
    curvature: f64,
    mean: f64,
}

/// Which features a sweep passes over: all for the first time, all, or those whose weight is not 0.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Passed {
    First,
    All,
    InUse,
}

/// A step, and what it does to the losses' quadratic model.
struct Step {
    /// Change of the set's weights and the intercepts.
    change: Vec<f64>,
    /// Change of the margins.
    z: Vec<f64>,
    /// First and second derivative of the losses along the step.
    slope: f64,
    bend: f64,
    /// By which at least the penalised model falls beside its own curvature, and what is gained by settling what the logits share.
    decrease: f64,
    /// What more sweeps would still gain, about.
    left: f64,
}

impl Columns {
    /// With the features whose weight in `v` is not 0.
    ///
    /// # Errors
    /// Where a value of the records is not finite or too large.
    pub(super) fn new<F: Float>(objective: &Objective<'_, F>, v: &[f64]) -> Result<Self> {
        let (d, m, lanes) = (objective.rows.d(), objective.m, objective.lanes());
        let mut columns = Self { set: Set::new(objective)?, point: Point::new(objective.rows.n(), m, lanes) };
        let used: Vec<usize> =
            (0..d).filter(|&j| v[j * lanes..(j + 1) * lanes].iter().any(|&w| w != 0.0)).collect();
        columns.add(objective, &used);
        columns.move_to(objective, v);
        Ok(columns)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.set.len() == 0
    }

    pub(super) fn has(&self, j: usize) -> bool {
        self.set.has(j)
    }

    /// Takes in features that are not in the set yet.
    pub(super) fn add<F: Float>(&mut self, objective: &Objective<'_, F>, features: &[usize]) {
        self.set.add(objective, features);
    }

    /// Losses and their gradient by all parameters, at the end of the last [`minimize`](Self::minimize).
    pub(super) fn losses<F: Float>(
        &self,
        objective: &Objective<'_, F>,
        gradient: &mut [f64],
        workspace: &mut Workspace,
    ) -> f64 {
        objective.gradient_of_residuals(&self.point.r, gradient, workspace);
        self.point.losses
    }

    /// Writes the margins of rows `range`, `(m, rows)`.
    pub(super) fn margins(&self, range: Range<usize>, lanes: usize, z: &mut [f64]) {
        let n = range.len();
        for (c, z) in z.chunks_exact_mut(n).enumerate() {
            for (z, i) in z.iter_mut().zip(range.clone()) {
                *z = self.point.margins[i * lanes + c];
            }
        }
    }

    /// Minimises over the features of the set and the intercepts, and writes the result to `v`.
    pub(super) fn minimize<F: Float>(
        &mut self,
        objective: &Objective<'_, F>,
        l1: f64,
        v: &mut [f64],
        limits: Limits,
        report: &mut Report,
        observer: &mut dyn Observer,
    ) -> Result<()> {
        let (n, d, m, lanes) = (objective.rows.n(), objective.rows.d(), objective.m, objective.lanes());
        let k = self.set.len() + 1;
        let mut w = self.weights(v, m, lanes);
        let penalty = |w: &[f64]| -> f64 {
            let weights = w.chunks_exact(k).flat_map(|w| &w[..k - 1]);
            weights.map(|w| l1 * w.abs() + 0.5 * objective.l2 * w * w).sum()
        };
        let mut point = std::mem::take(&mut self.point);
        let mut next = Point::new(n, m, lanes);
        let (mut value, mut inexact, mut cubic) = (point.losses + penalty(&w), INEXACT, f64::INFINITY);
        let last = limits.max_iter.min(report.iterations + MOST_STEPS);
        while report.iterations < last {
            // The duality gap shrinks with the distance from the optimum, the objective with its square. What rounding moves is no descent.
            let enough = (1e-2 * limits.tol * limits.tol).max(WANDERING) * value;
            let Step { change, z, slope, bend, decrease, left } =
                self.quadratic_step(objective, &point, &w, l1, (0.1 * enough, inexact));
            if decrease.is_nan() {
                break;
            }
            let losses = point.losses;
            let (mut t, halvings) = (1.0, if decrease > enough { MAX_HALVINGS } else { 1 });
            let mut trial = w.clone();
            let accepted = (0..halvings).any(|_| {
                for ((trial, w), s) in trial.iter_mut().zip(&w).zip(&change) {
                    *trial = w + t * s;
                }
                for ((next, margin), z) in next.margins.iter_mut().zip(&point.margins).zip(&z) {
                    *next = margin + t * z;
                }
                next.evaluate(objective);
                let next_value = next.losses + penalty(&trial);
                // Below the rounding of the values, the model's word is taken for the descent.
                let noise = if decrease < 1e-11 * value { 1e-13 * value } else { 0.0 };
                let lower = next_value <= value - 1e-4 * t * decrease + noise;
                if lower {
                    value = next_value;
                }
                t *= 0.5;
                lower
            });
            if !accepted {
                break;
            }
            w.copy_from_slice(&trial);
            std::mem::swap(&mut point, &mut next);
            // A last small step is taken, but it is no news.
            if decrease <= enough {
                break;
            }
            report.iterations += 1;
            tell(observer, report.iterations, limits, value)?;
            // Another step would gain what the sweeps left out, and what the losses' third derivative `c` along the step `s` has done. The losses miss
            // their model by `e = c s^3 / 6`, and the slope misses it by `c s^2 / 2`: to gain is `(c s^2 / 2)^2 / 2 bend = 9/2 e^2 / (bend s^2)`.
            // What rounding hides of `e` is told by the step before, as it goes with the cube of their length.
            let (missed, cube) = ((point.losses - losses - slope - 0.5 * bend).abs(), decrease.powf(1.5));
            if missed > 1e-13 * value {
                cubic = missed / cube;
            }
            let missed = missed.min(cubic * cube);
            let bent = 4.5 * missed * missed / decrease;
            // A whole step has left one half.
            if t == 0.5 && left + bent <= enough {
                break;
            }
            // The better the model, the more sweeps it is worth.
            inexact = INEXACT.min(bent / decrease);
        }
        for (i, w) in w.iter().enumerate() {
            v[self.place(i, d, lanes)] = *w;
        }
        // Afresh, so that no rounding of the steps builds up.
        self.point = point;
        self.move_to(objective, v);
        Ok(())
    }

    /// Where parameter `i` stands in the parameter vector.
    fn place(&self, i: usize, d: usize, lanes: usize) -> usize {
        let k = self.set.len() + 1;
        self.set.features().get(i % k).copied().unwrap_or(d) * lanes + i / k
    }

    /// Weights of the set and intercepts, logit after logit.
    fn weights(&self, v: &[f64], m: usize, lanes: usize) -> Vec<f64> {
        let d = v.len() / lanes - 1;
        (0..m * (self.set.len() + 1)).map(|i| v[self.place(i, d, lanes)]).collect()
    }

    /// Makes the point that of the parameters `v`, which are 0 outside of the set.
    fn move_to<F: Float>(&mut self, objective: &Objective<'_, F>, v: &[f64]) {
        let (m, lanes) = (objective.m, objective.lanes());
        let mut point = std::mem::take(&mut self.point);
        for (i, margins) in point.margins.chunks_exact_mut(lanes).enumerate() {
            (0..m).for_each(|c| margins[c] = objective.offset.get(i * m + c).copied().unwrap_or(0.0));
        }
        self.set.add_margins(&self.weights(v, m, lanes), lanes, &mut point.margins);
        point.evaluate(objective);
        self.point = point;
    }

    /// Minimises the quadratic model at `start` and the penalty until more sweeps would gain at most `enough`, or `inexact` times what was gained.
    fn quadratic_step<F: Float>(
        &self,
        objective: &Objective<'_, F>,
        point: &Point,
        start: &[f64],
        l1: f64,
        (enough, inexact): (f64, f64),
    ) -> Step {
        let (n, m, lanes, l2) = (objective.rows.n(), objective.m, objective.lanes(), objective.l2);
        let k = self.set.len() + 1;
        let mut scales = vec![Scale { curvature: 0.0, mean: 0.0 }; m * k];
        if objective.intercept {
            for (c, scales) in scales.chunks_exact_mut(k).enumerate() {
                scales[k - 1].curvature = point.h.iter().skip(c).step_by(lanes).sum();
            }
        }
        let mut model =
            Model { point, weight: objective.weight, z: vec![0.0; n * lanes], rows: vec![[0.0; 2]; n] };
        let mut w = start.to_vec();
        let (mut everything, mut polish_at, mut gained, mut shifted) = (true, POLISH, 0.0, 0.0);
        let (mut last_gain, mut left, mut over) = (0.0, f64::INFINITY, 1.0);
        model.load(0, lanes);
        for sweep in 1..=MAX_SWEEPS {
            let mut gain = 0.0;
            let passed = match (sweep, everything) {
                (1, _) => Passed::First,
                (_, true) => Passed::All,
                (_, false) => Passed::InUse,
            };
            for (c, (w, scales)) in w.chunks_exact_mut(k).zip(scales.chunks_exact_mut(k)).enumerate() {
                if m > 1 {
                    model.load(c, lanes);
                }
                gain += self.sweep(&mut model.rows, w, scales, (l1, l2), over, passed);
                if m > 1 {
                    model.keep(c, lanes);
                }
            }
            // What the logits share is the penalty's alone to decide.
            if m > 1 && !objective.reference {
                let settled = settle_all(&mut w, k, l1, l2);
                gain += settled;
                shifted += settled;
            }
            gained += gain;
            // Gains fall by about the same factor from sweep to sweep.
            let factor = gain / last_gain;
            left = if factor < 0.5 { gain * factor / (1.0 - factor) } else { gain };
            last_gain = gain;
            // Successive over-relaxation: where a sweep brings the distance down by `rho^2`, and so the gain by its square, changes that are longer by this
            // bring it down by more (Young 1954).
            if over == 1.0 && factor < 1.0 {
                over = (2.0 / (1.0 + (1.0 - factor.sqrt()).sqrt())).min(MOST_OVER);
            }
            let goal = enough.max(inexact * gained);
            let little = left <= goal;
            if little && everything {
                break;
            }
            everything = little || sweep < FULL_SWEEPS;
            // Where features resemble one another, sweeps crawl: solve for those in use at once, unless as many more sweeps would do.
            if sweep >= polish_at && left * factor.powi(MAX_CONJUGATE as i32) > goal {
                polish_at = 2 * sweep;
                self.polish(objective, &mut model, (start, &mut w), &scales, l1);
                everything = true;
            }
        }
        w.iter_mut().zip(start).for_each(|(w, start)| *w -= start);
        self.change(&mut model.z, &w, lanes);
        let bends = model.z.chunks_exact(lanes).enumerate().map(|(i, z)| model.curvature(i, z, z));
        let bend = bends.sum::<f64>();
        let ridge = l2 * w.chunks_exact(k).map(|w| dot(&w[..k - 1], &w[..k - 1])).sum::<f64>();
        let (slope, decrease) = (dot(&point.r, &model.z), shifted + bend + ridge);
        Step { change: w, z: model.z, slope, bend, decrease, left }
    }

    /// Sets `z` to the change of the margins by a step.
    fn change(&self, z: &mut [f64], step: &[f64], lanes: usize) {
        z.fill(0.0);
        self.set.add_margins(step, lanes, z);
    }

    /// One round of coordinate descent in one logit; returns what it gains. Changes are `over` times those to the minimum, except to 0 and from it.
    fn sweep(
        &self,
        model: &mut [[f64; 2]],
        w: &mut [f64],
        scales: &mut [Scale],
        (l1, l2): (f64, f64),
        over: f64,
        passed: Passed,
    ) -> f64 {
        let last = w.len() - 1;
        let (total, mut gain) = (scales[last].curvature, 0.0);
        // By how much the intercept is to change. At first so that the derivatives sum to 0, as they do from then on.
        let mut shift = 0.0;
        if total > 0.0 {
            shift = -sum(model) / total;
            gain += 0.5 * total * shift * shift;
        }
        for (j, scale) in scales[..last].iter_mut().enumerate() {
            let (rows, values) = self.set.column(j);
            let measured = (passed == Passed::First).then(|| measure(rows, values, model, total));
            if let Some((measured, _)) = measured {
                *scale = measured;
            }
            let Scale { curvature, mean } = *scale;
            let curvature = curvature + l2;
            if curvature <= 0.0 || (passed == Passed::InUse && w[j] == 0.0) {
                continue;
            }
            let slope = measured.map_or_else(|| slope(rows, values, model), |measured| measured.1)
                + shift * mean * total
                + l2 * w[j];
            let target = curvature * w[j] - slope;
            let new = target.signum() * (target.abs() - l1).max(0.0) / curvature;
            let beyond = w[j] + over * (new - w[j]);
            let (new, part) =
                if w[j] * new > 0.0 && beyond * new > 0.0 { (beyond, 1.0 / over - 0.5) } else { (new, 0.5) };
            let change = new - w[j];
            if change == 0.0 {
                continue;
            }
            w[j] = new;
            shift -= change * mean;
            gain += part * curvature * change * change;
            for (&i, x) in rows.iter().zip(values) {
                let [h, q] = &mut model[i as usize];
                *q += change * x * *h;
            }
        }
        if shift != 0.0 {
            model.iter_mut().for_each(|[h, q]| *q += shift * *h);
            w[last] += shift;
        }
        gain
    }

    /// Moves the coordinates in use towards the solution of their linear equations, by conjugate gradients, as far as none changes its sign.
    fn polish<F: Float>(
        &self,
        objective: &Objective<'_, F>,
        model: &mut Model<'_>,
        (start, w): (&[f64], &mut [f64]),
        scales: &[Scale],
        l1: f64,
    ) {
        let (m, lanes, l2) = (objective.m, objective.lanes(), objective.l2);
        let k = self.set.len() + 1;
        let free = |i: usize| i % k == k - 1;
        let used = |i: usize, w: &[f64]| scales[i].curvature + l2 > 0.0 && (free(i) || w[i] != 0.0);
        // `X^T q + l2 d` of the coordinates in use, `q` the model's derivatives after a change of `z`.
        let slopes = |model: &mut Model<'_>, d: &[f64], w: &[f64], only_curvature: bool| -> Vec<f64> {
            let mut out = Vec::with_capacity(m * k);
            for c in 0..m {
                model.load(c, lanes);
                if only_curvature {
                    let r = model.point.r.iter().skip(c).step_by(lanes);
                    model.rows.iter_mut().zip(r).for_each(|([_, q], r)| *q -= r);
                }
                let rows = &model.rows;
                let runs = par::map(k.div_ceil(RUN), |run| {
                    let slope = |i: usize| {
                        if !used(i, w) {
                            return 0.0;
                        }
                        if free(i) {
                            return sum(rows);
                        }
                        let (of, values) = self.set.column(i % k);
                        slope(of, values, rows) + l2 * d[i]
                    };
                    (run * RUN..((run + 1) * RUN).min(k)).map(|j| slope(c * k + j)).collect::<Vec<_>>()
                });
                out.extend(runs.into_iter().flatten());
            }
            out
        };
        let change: Vec<f64> = w.iter().zip(start).map(|(w, start)| w - start).collect();
        self.change(&mut model.z, &change, lanes);
        let mut residual = slopes(model, w, w, false);
        for (i, residual) in residual.iter_mut().enumerate() {
            let pull = if free(i) || w[i] == 0.0 { 0.0 } else { l1 * w[i].signum() };
            *residual = -(*residual + pull);
        }
        let precondition = |r: &[f64]| -> Vec<f64> {
            let entry = |(i, r): (usize, &f64)| {
                // A mean of 0 leaves the curvature as it is; the intercept has no L2 part.
                let Scale { curvature, mean } = scales[i];
                let whole = curvature + mean * mean * scales[i / k * k + k - 1].curvature;
                let whole = if free(i) { whole } else { whole + l2 };
                if whole > 0.0 { r / whole } else { 0.0 }
            };
            r.iter().enumerate().map(entry).collect()
        };
        let mut move_by = vec![0.0; w.len()];
        let mut scaled = precondition(&residual);
        let mut direction = scaled.clone();
        let mut square = dot(&residual, &scaled);
        let goal = CONJUGATE * square;
        for _ in 0..MAX_CONJUGATE {
            if square <= goal {
                break;
            }
            self.change(&mut model.z, &direction, lanes);
            let image = slopes(model, &direction, w, true);
            let bend = dot(&direction, &image);
            if bend.is_nan() || bend <= 0.0 {
                break;
            }
            add(square / bend, &direction, &mut move_by);
            add(-square / bend, &image, &mut residual);
            scaled = precondition(&residual);
            let last = std::mem::replace(&mut square, dot(&residual, &scaled));
            direction.iter_mut().zip(&scaled).for_each(|(d, s)| *d = s + square / last * *d);
        }
        // The first coordinate to reach 0 stops the move, and stays there.
        let crossing = |(i, (&w, &s)): (usize, (&f64, &f64))| {
            if free(i) || w * s >= 0.0 { 1.0 } else { (-w / s).min(1.0) }
        };
        let t = w.iter().zip(&move_by).enumerate().map(crossing).fold(1.0, f64::min);
        for (i, (w, s)) in w.iter_mut().zip(&move_by).enumerate() {
            let new = *w + t * s;
            *w = if free(i) || new * *w > 0.0 { new } else { 0.0 };
        }
        let change: Vec<f64> = w.iter().zip(start).map(|(w, start)| w - start).collect();
        self.change(&mut model.z, &change, lanes);
        model.load(0, lanes);
    }
}

/// The sum of `q`, by four sums.
fn sum(model: &[[f64; 2]]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, rest) = model.as_chunks::<4>();
    for four in fours {
        sums.iter_mut().zip(four).for_each(|(sum, [_, q])| *sum += q);
    }
    let rest: f64 = rest.iter().map(|[_, q]| q).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}

/// Scale and slope `x^T q` of a column, each by four sums; `total` is the intercept's curvature, 0 where there is none.
fn measure(rows: &[u32], values: &[f64], model: &[[f64; 2]], total: f64) -> (Scale, f64) {
    let [mut squares, mut sums, mut slopes] = [[0.0; 4]; 3];
    let mut add = |l: usize, i: u32, x: f64| {
        let [h, q] = model[i as usize];
        squares[l] += h * x * x;
        sums[l] += h * x;
        slopes[l] += x * q;
    };
    let (fours, rest) = rows.as_chunks::<4>();
    let (x_fours, x_rest) = values.as_chunks::<4>();
    for (rows, x) in fours.iter().zip(x_fours) {
        for l in 0..4 {
            add(l, rows[l], x[l]);
        }
    }
    rest.iter().zip(x_rest).for_each(|(&i, &x)| add(0, i, x));
    let [square, sum, slope] = [squares, sums, slopes].map(|s| (s[0] + s[1]) + (s[2] + s[3]));
    let mean = if total > 0.0 { sum / total } else { 0.0 };
    // A larger curvature than the true one makes a smaller step: against cancellation.
    (Scale { curvature: (square - sum * mean).max(LEAST_SPREAD * square), mean }, slope)
}

/// `x^T q` over the entries of a column, by four sums.
fn slope(rows: &[u32], values: &[f64], model: &[[f64; 2]]) -> f64 {
    let mut sums = [0.0; 4];
    let (fours, rest) = rows.as_chunks::<4>();
    let (x_fours, x_rest) = values.as_chunks::<4>();
    for (rows, x) in fours.iter().zip(x_fours) {
        for l in 0..4 {
            sums[l] += x[l] * model[rows[l] as usize][1];
        }
    }
    let rest: f64 = rest.iter().zip(x_rest).map(|(&i, x)| x * model[i as usize][1]).sum();
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest
}
