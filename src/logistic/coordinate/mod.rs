//! The solver for penalties with an L1 part: Newton steps by coordinate descent, over a growing working set of features.
//!
//! Few features matter at the optimum, so the work is done on few: a round brings the objective over the working set to its minimum, and then looks at
//! the gradient of all the others. Those whose gradient exceeds the penalty join the set, largest first, until the duality gap says that none is missing.
//!
//! On the working set each step minimises the penalised quadratic model `g^T s + 1/2 s^T H s + l1 ||w + s||_1` by cyclic coordinate descent, and then searches
//! along `s`. Of dense records `H` is formed (`gram`): `O(q)` for a coordinate of `q`. Of sparse ones the columns of the set are copied and the sweeps run over
//! their entries (`columns`), as long as that gets on.
//!
//! # References
//! Friedman, Hastie & Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010; Massias, Gramfort & Salmon,
//! "Celer: a fast solver for the lasso with dual extrapolation", 2018 (working sets); Young, "Iterative methods for solving partial difference equations of
//! elliptic type", 1954 (over-relaxation).

mod columns;
mod gram;
mod model;
mod point;
mod set;

use std::cmp::Ordering;

use super::objective::Objective;
use super::report::{Outcome, Report};
use super::solve::Limits;
use crate::error::Result;
use crate::float::Float;
use crate::observe::{self, Observer, Progress};
use columns::Columns;

/// Features that the first working set has at least.
const FIRST_FEATURES: usize = 64;
/// Sweeps of coordinate descent for one step, and halvings of a step.
const MAX_SWEEPS: usize = 300;
const MAX_HALVINGS: usize = 30;
/// Most steps over the columns of a working set, and rounds of them, and the dense cells that the Hessian of a set may visit after them: so many, or so many for
/// each stored entry.
const MOST_STEPS: usize = 20;
const DENSE_CELLS: usize = 1 << 20;
const DENSE_PART: usize = 4;
/// Relative decrease that steps back and forth between roundings show: some thirty of them, squared.
const WANDERING: f64 = 5e-29;
/// Factor of the tolerance of a step, at least.
const LEAST_CARE: f64 = 1e-12;
/// Sweep after which the features in use are solved for at once, and again after twice as many.
const POLISH: usize = 16;
/// Roundings that a slope may suffer, each relative to the sum of the sizes of its terms.
const ROUNDINGS: f64 = 64.0;
/// Part of the gap that a round may leave while the set is far from whole.
const CLOSE: f64 = 0.1;
/// Features in use for one that is missing, above which the set is nearly whole.
const MANY: usize = 32;
/// One more feature of those nearest to joining for so many that join, so that some who join later are there already.
const SPARE: usize = 4;

/// Moves `v` to the minimum of `objective + l1 ||W||_1`.
pub(super) fn minimize<F: Float>(
    objective: &Objective<'_, F>,
    l1: f64,
    v: &mut [f64],
    limits: Limits,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let (d, m, lanes) = (objective.rows.d(), objective.m, objective.lanes());
    // The L2 part is added here, since the duality gap needs the gradient of the losses alone.
    let l2 = objective.l2;
    let losses_only = Objective { l2: 0.0, ..*objective };
    let mut workspace = objective.workspace();
    let mut gradient = vec![0.0; objective.len()];
    let mut report = Report::begun();
    let penalty = |w: f64| l1 * w.abs() + 0.5 * l2 * w * w;
    // Numbers of rows and columns take 32 bits there.
    let fits = u32::try_from(objective.rows.n().max(d)).is_ok();
    let mut by_columns = !objective.rows.is_dense() && fits;
    let mut part = if by_columns {
        let mut columns = Columns::new(objective, v)?;
        if objective.intercept && columns.is_empty() {
            // From where the intercepts alone are best, slopes say what the features can do.
            columns.minimize(objective, l1, v, Limits { tol: CLOSE, ..limits }, &mut report, observer)?;
        }
        Part::Columns(columns)
    } else {
        Part::Gram(gram::Part::default())
    };
    // The intercepts are free, so the dual point needs their gradients to be 0. What is left of them counts as gap, and so does
    // the least that a step in them would gain: their curvature is at most a quarter of the weights.
    let curvature = 0.25 * objective.weight.iter().sum::<f64>();
    let free = |b: &[f64], g: &[f64]| -> f64 {
        b.iter().zip(g).map(|(b, g)| (b * g).abs() + 0.5 * g * g / curvature).sum()
    };
    // Where the gap is large for so small a distance that no step seems worth it, smaller ones are.
    let (mut care, mut stuck) = (1.0, false);
    loop {
        let losses = match &part {
            Part::Columns(columns) => columns.losses(objective, &mut gradient, &mut workspace),
            Part::Gram(_) => losses_only.evaluate(v, &mut gradient, &mut workspace).sum,
        };
        if report.passes == 0 && !by_columns {
            objective.check_records(&workspace)?;
        }
        report.passes += 1;
        let (weights, intercepts) = v.split_at(d * lanes);
        report.objective = losses + weights.iter().map(|&w| penalty(w)).sum::<f64>();
        // Slopes `g + l2 w`, and by how much the penalty falls short of holding each weight where it is.
        let violation = |i: usize| {
            let slope = gradient[i] + l2 * weights[i];
            if weights[i] == 0.0 {
                (slope.abs() - l1).max(0.0)
            } else {
                (slope + l1 * weights[i].signum()).abs()
            }
        };
        report.gradient_norm = (0..d * lanes).map(violation).fold(0.0, f64::max);
        report.gradient_norm = gradient[d * lanes..].iter().fold(report.gradient_norm, |a, g| a.max(g.abs()));
        let left = gap(weights, &gradient, l1, l2, divergence_of(&part, &losses_only, v))
            + free(intercepts, &gradient[d * lanes..]);
        report.gap = left / report.objective.max(f64::MIN_POSITIVE);
        if report.gap <= limits.tol {
            report.outcome = Outcome::Converged;
            return Ok(report);
        }
        if report.iterations >= limits.max_iter {
            return Ok(report);
        }
        // By how much the slopes of a feature exceed the penalty, below 0 where they do not.
        let excess = |j: usize| {
            let slope = |i: usize| (gradient[i] + l2 * weights[i]).abs() - l1;
            (0..m).map(|c| slope(j * lanes + c)).fold(f64::NEG_INFINITY, f64::max)
        };
        let used = |j: usize| weights[j * lanes..(j + 1) * lanes].iter().any(|&w| w != 0.0);
        let set: Vec<usize> = (0..d).filter(|&j| used(j)).collect();
        // Features in use, and three times as many others at most; from sparse records more, as far as the rows can tell them apart.
        let least = if by_columns { FIRST_FEATURES.max(objective.rows.n() / 4) } else { FIRST_FEATURES };
        let room = (3 * set.len()).max(least);
        let missing = match &mut part {
            Part::Columns(columns) => {
                let mut others: Vec<(f64, usize)> =
                    (0..d).filter(|&j| !columns.has(j)).map(|j| (excess(j), j)).collect();
                let missing = others.iter().filter(|other| other.0 > 0.0).count();
                if missing > 0 {
                    let joining = (missing + missing / SPARE).min(room).min(others.len());
                    if joining < others.len() {
                        others.select_nth_unstable_by(joining, order);
                    }
                    others.truncate(joining);
                    others.sort_unstable_by(order);
                    let joining: Vec<usize> = others.iter().map(|other| other.1).collect();
                    columns.add(objective, &joining);
                }
                missing
            }
            Part::Gram(part) => {
                let mut others: Vec<(f64, usize)> =
                    (0..d).filter(|&j| !used(j)).map(|j| (excess(j), j)).collect();
                others.sort_unstable_by(order);
                let missing = others.partition_point(|other| other.0 > 0.0);
                let wanted = set.iter().copied().chain(others.iter().take(missing).map(|other| other.1));
                if !wanted.clone().all(|j| part.set.binary_search(&j).is_ok()) || part.set.is_empty() {
                    let spare = missing.min(room) / SPARE + 1;
                    let mut set = set.clone();
                    set.extend(others.iter().take(room.min(missing + spare)).map(|other| other.1));
                    set.sort_unstable();
                    // Before there is a new one, so that only one is in memory.
                    *part = gram::Part::default();
                    *part = gram::Part::new(objective.rows, set);
                }
                missing
            }
        };
        let before = report.iterations;
        // While many features are missing, a part of the present gap is close enough.
        let many = missing * MANY > set.len();
        let close = if many || !by_columns { CLOSE * report.gap.min(1.0) } else { 0.0 };
        let tol = care * limits.tol.max(close);
        let limits_here = Limits { tol, ..limits };
        match &mut part {
            Part::Columns(columns) => {
                columns.minimize(objective, l1, v, limits_here, &mut report, observer)?;
            }
            Part::Gram(part) => {
                gram::minimize(objective, part, (l1, stuck), v, limits_here, &mut report, observer)?;
            }
        }
        let steps = report.iterations - before;
        let crawls = steps == 0 || steps >= MOST_STEPS || report.passes >= MOST_STEPS;
        if by_columns && crawls && missing <= room {
            // Features that depend on one another ask for the Hessian, if there is room for it.
            let cells = objective.rows.n().saturating_mul(set.len() + FIRST_FEATURES);
            if cells <= DENSE_CELLS.max(DENSE_PART * objective.rows.stored()) {
                by_columns = false;
                part = Part::Gram(gram::Part::default());
                continue;
            }
        }
        if steps == 0 && missing <= room {
            if !stuck {
                stuck = true;
                continue;
            }
            if care > LEAST_CARE {
                care *= 1e-2;
                continue;
            }
            // No step lowers the objective any more. Slopes that rounding may have taken off the penalty's bounds are put back there: where the rest of the
            // gap meets the tolerance, no arithmetic can tell more.
            let exact = without_rounding(objective, v, &gradient, l1);
            let weights = &v[..d * lanes];
            let left = gap(weights, &exact, l1, l2, divergence_of(&part, &losses_only, v))
                + free(&v[d * lanes..], &exact[d * lanes..]);
            let left = left / report.objective.max(f64::MIN_POSITIVE);
            if left <= limits.tol.max(1e-12) {
                report.outcome = Outcome::Converged;
                report.gap = left;
            }
            return Ok(report);
        }
    }
}

/// [`Objective::divergence`] of the present point.
fn divergence_of<'a, F: Float>(
    part: &'a Part,
    losses: &'a Objective<'_, F>,
    v: &'a [f64],
) -> impl Fn(f64) -> f64 + 'a {
    move |c| match part {
        Part::Columns(columns) => losses.divergence(|rows, z| columns.margins(rows, losses.lanes(), z), c),
        Part::Gram(_) => losses.divergence(|rows, z| losses.margins(rows, v, z), c),
    }
}

/// The gradient of the losses with each slope that misses the penalty's bound, or 0 of an intercept, by no more than its rounding put there.
fn without_rounding<F: Float>(
    objective: &Objective<'_, F>,
    v: &[f64],
    gradient: &[f64],
    l1: f64,
) -> Vec<f64> {
    let (d, lanes) = (objective.rows.d(), objective.lanes());
    // A slope is a sum of at most so much.
    let mut sizes = vec![0.0; d + 1];
    for (row, s) in objective.weight.iter().enumerate() {
        objective.rows.for_each_entry(row, |j, x| sizes[j] += s * x.abs());
        sizes[d] += s;
    }
    let near = |(i, (&g, &w)): (usize, (&f64, &f64))| {
        let bound = match i / lanes {
            j if j == d => 0.0,
            _ if w != 0.0 => -l1 * w.signum() - objective.l2 * w,
            _ => l1.min(g.abs()) * g.signum(),
        };
        if (g - bound).abs() <= ROUNDINGS * f64::EPSILON * sizes[i / lanes] { bound } else { g }
    };
    gradient.iter().zip(v).enumerate().map(near).collect()
}

/// The working set with what its steps need.
enum Part {
    Gram(gram::Part),
    Columns(Columns),
}

/// Largest excess first, the first feature of equals.
fn order(a: &(f64, usize), b: &(f64, usize)) -> Ordering {
    b.0.total_cmp(&a.0).then(a.1.cmp(&b.1))
}

/// [`settle`] for every feature of logits that have no reference; `w` is `(m, k)`, the intercepts last.
fn settle_all(w: &mut [f64], k: usize, l1: f64, l2: f64) -> f64 {
    let mut one = vec![0.0; w.len() / k];
    let mut gain = 0.0;
    for j in 0..k - 1 {
        one.iter_mut().zip(w[j..].iter().step_by(k)).for_each(|(one, w)| *one = *w);
        if one.iter().any(|&w| w != 0.0) {
            gain += settle(&mut one, l1, l2);
            w[j..].iter_mut().step_by(k).zip(&one).for_each(|(w, one)| *w = *one);
        }
    }
    gain
}

/// Shifts the weights of one feature in all logits to where their penalty is least; tells by how much it falls.
///
/// Several logits without a reference can be shifted together and no probability changes, so that only the penalty holds them. Coordinate by
/// coordinate they would crawl there.
fn settle(w: &mut [f64], l1: f64, l2: f64) -> f64 {
    let penalty =
        |w: &[f64], t: f64| w.iter().map(|w| l1 * (w + t).abs() + 0.5 * l2 * (w + t) * (w + t)).sum::<f64>();
    // The slope by the shift `t`, `sum l1 sign(w + t) + l2 (w + t)`, changes its sign at a kink `t = -w` or between two.
    let mut kinks: Vec<f64> = w.iter().map(|w| -w).collect();
    kinks.sort_unstable_by(f64::total_cmp);
    let m = w.len() as f64;
    let sum: f64 = w.iter().sum();
    let mut best = (penalty(w, 0.0), 0.0);
    let before = best.0;
    // With `i` of the logits at or above 0 behind the kinks so far, the slope is 0 here.
    let between = (0..=w.len()).map(|i| -(l1 * (2.0 * i as f64 - m) / l2 + sum) / m);
    for t in kinks.into_iter().chain(between.filter(|t| t.is_finite())) {
        let value = penalty(w, t);
        if value < best.0 * (1.0 - 1e-14) {
            best = (value, t);
        }
    }
    if best.1 != 0.0 {
        w.iter_mut().for_each(|w| *w += best.1);
    }
    before - best.0
}

/// Tells the observer of a step.
fn tell(observer: &mut dyn Observer, done: usize, limits: Limits, objective: f64) -> Result<()> {
    let (total, objective) = (Some(limits.max_iter as u64), Some(objective));
    observe::report(observer, Progress { stage: "iteration", done: done as u64, total, objective })
}

/// Duality gap of the penalised losses, which have gradient `g` at these weights; [`Objective::divergence`] for `divergence`.
///
/// The dual point is the residuals, shrunk by `c` so that no feature's gradient exceeds the penalty (`c = 1` with an L2 part, which needs no
/// shrinking). Then the losses' part of the gap is the divergence of `q = (1 - c) e_y + c p` from the probabilities `p`, and the penalty's is
/// `pen(w) + pen*(-c g) + c w g` with `pen*(u) = (|u| - l1)_+^2 / (2 l2)`.
fn gap(weights: &[f64], g: &[f64], l1: f64, l2: f64, divergence: impl Fn(f64) -> f64) -> f64 {
    let g = &g[..weights.len()];
    let largest = g.iter().fold(0.0_f64, |a, g| a.max(g.abs()));
    let c = if l2 > 0.0 || largest <= l1 { 1.0 } else { l1 / largest };
    let penalty: f64 = weights
        .iter()
        .zip(g)
        .map(|(w, g)| {
            let beyond = (c * g.abs() - l1).max(0.0);
            let conjugate = if l2 > 0.0 { beyond * beyond / (2.0 * l2) } else { 0.0 };
            l1 * w.abs() + 0.5 * l2 * w * w + conjugate + c * w * g
        })
        .sum();
    penalty + if c < 1.0 { divergence(c) } else { 0.0 }
}
