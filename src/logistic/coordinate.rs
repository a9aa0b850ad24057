//! The solver for penalties with an L1 part: Newton steps by coordinate descent, over a growing working set of features.
//!
//! Few features matter at the optimum, so the work is done on few: a round copies the features of the working set into columns side by side, brings the
//! objective over these to its minimum, and then looks at the gradient of all the others. Those whose gradient exceeds the penalty join the
//! set, largest first, until the duality gap says that none is missing.
//!
//! On the working set each step minimises the penalised quadratic model
//! `g^T s + 1/2 s^T H s + l1 ||w + s||_1` by cyclic coordinate descent on the Hessian `H` (`O(q)` for a coordinate of `q`), and then searches along `s`.
//!
//! # References
//! Friedman, Hastie & Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010; Massias, Gramfort & Salmon,
//! "Celer: a fast solver for the lasso with dual extrapolation", 2018 (working sets).

use super::curvature::Blocks;
use super::factor::Factor;
use super::objective::Objective;
use super::report::{Outcome, Report};
use super::rows::Rows;
use super::solve::Limits;
use crate::error::Result;
use crate::float::Float;
use crate::observe::{self, Observer, Progress};
use crate::optim::lbfgs::add;

/// Features that the first working set has at least.
const FIRST_FEATURES: usize = 64;
/// Sweeps of coordinate descent for one step, and halvings of a step.
const MAX_SWEEPS: usize = 300;
const MAX_HALVINGS: usize = 30;
/// Factor of the tolerance of a step, at least.
const LEAST_CARE: f64 = 1e-6;
/// Sweep after which the features in use are solved for at once, and again after twice as many.
const POLISH: usize = 16;
/// Ratio of the gains of two steps up to which the Hessian is kept: a new one costs as much as many steps.
const GOOD_RATE: f64 = 0.5;
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
    let mut report = Report {
        outcome: Outcome::RanOut,
        iterations: 0,
        passes: 0,
        objective: f64::INFINITY,
        gap: f64::INFINITY,
        gradient_norm: f64::INFINITY,
    };
    let penalty = |w: f64| l1 * w.abs() + 0.5 * l2 * w * w;
    let mut part = Part::default();
    // Where the gap is large for so small a distance that no step seems worth it, smaller ones are.
    let mut care = 1.0;
    loop {
        let losses = losses_only.evaluate(v, &mut gradient, &mut workspace).sum;
        if report.passes == 0 {
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
        report.gap = gap(&losses_only, v, &gradient, l1, l2) / report.objective.max(f64::MIN_POSITIVE);
        // The intercepts are free, so the dual point needs their gradients to be 0. What is left of them counts as gap, and so does
        // the least that a step in them would gain: their curvature is at most a quarter of the weights.
        let curvature = 0.25 * objective.weight.iter().sum::<f64>();
        let free = |(b, g): (&f64, &f64)| (b * g).abs() + 0.5 * g * g / curvature;
        let free: f64 = intercepts.iter().zip(&gradient[d * lanes..]).map(free).sum();
        report.gap += free / report.objective.max(f64::MIN_POSITIVE);
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
        let mut set: Vec<usize> = (0..d).filter(|&j| used(j)).collect();
        let mut others: Vec<(f64, usize)> = (0..d).filter(|&j| !used(j)).map(|j| (excess(j), j)).collect();
        others.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let missing = others.partition_point(|other| other.0 > 0.0);
        // Features in use, and three times as many others at most.
        let room = (3 * set.len()).max(FIRST_FEATURES);
        let wanted = set.iter().copied().chain(others.iter().take(missing).map(|other| other.1));
        if !wanted.clone().all(|j| part.set.binary_search(&j).is_ok()) || part.set.is_empty() {
            let spare = missing.min(room) / SPARE + 1;
            set.extend(others.iter().take(room.min(missing + spare)).map(|other| other.1));
            set.sort_unstable();
            part = Part { x: objective.rows.columns(&set), set, hessian: vec![] };
        }
        let before = report.iterations;
        // While features are missing, a part of the present gap is close enough.
        let tol = care * limits.tol.max(0.03 * report.gap.min(1.0));
        on_features(objective, &mut part, l1, v, Limits { tol, ..limits }, &mut report, observer)?;
        if report.iterations == before && missing <= room {
            if care > LEAST_CARE {
                care *= 1e-2;
                continue;
            }
            // No step lowers the objective any more: rounding is all that is left of the gap.
            report.outcome = if report.gap <= 1e-12 { Outcome::Converged } else { Outcome::RanOut };
            return Ok(report);
        }
    }
}

/// Duality gap of the penalised losses at `v`, whose losses have gradient `g`.
///
/// The dual point is the residuals, shrunk by `c` so that no feature's gradient exceeds the penalty (`c = 1` with an L2 part, which needs no
/// shrinking). Then the losses' part of the gap is the divergence of `q = (1 - c) e_y + c p` from the probabilities `p`, and the penalty's is
/// `pen(w) + pen*(-c g) + c w g` with `pen*(u) = (|u| - l1)_+^2 / (2 l2)`.
fn gap<F: Float>(losses: &Objective<'_, F>, v: &[f64], g: &[f64], l1: f64, l2: f64) -> f64 {
    let weights = v.len() - losses.lanes();
    let largest = g[..weights].iter().fold(0.0_f64, |a, g| a.max(g.abs()));
    let c = if l2 > 0.0 || largest <= l1 { 1.0 } else { l1 / largest };
    let penalty: f64 = v[..weights]
        .iter()
        .zip(&g[..weights])
        .map(|(w, g)| {
            let beyond = (c * g.abs() - l1).max(0.0);
            let conjugate = if l2 > 0.0 { beyond * beyond / (2.0 * l2) } else { 0.0 };
            l1 * w.abs() + 0.5 * l2 * w * w + conjugate + c * w * g
        })
        .sum();
    penalty + if c < 1.0 { losses.divergence(v, c) } else { 0.0 }
}

/// A working set: its features in rising order, their columns side by side, and the last Hessian, or none.
#[derive(Default)]
struct Part {
    set: Vec<usize>,
    x: Vec<f64>,
    hessian: Vec<f64>,
}

/// Minimises over the features of the set and the intercepts, and writes the result back to `v`.
fn on_features<F: Float>(
    objective: &Objective<'_, F>,
    Part { set, x, hessian }: &mut Part,
    l1: f64,
    v: &mut [f64],
    limits: Limits,
    report: &mut Report,
    observer: &mut dyn Observer,
) -> Result<()> {
    let (d, m, lanes) = (objective.rows.d(), objective.m, objective.lanes());
    let (width, k) = (set.len(), set.len() + 1);
    let part = Objective::<f64> {
        rows: Rows::Dense { x, d: width },
        target: objective.target,
        weight: objective.weight,
        offset: objective.offset,
        reference: objective.reference,
        m,
        l2: objective.l2,
        intercept: objective.intercept,
    };
    let row = |j: usize| if j == width { d } else { set[j] };
    let mut u = vec![0.0; part.len()];
    for (j, u) in u.chunks_exact_mut(lanes).enumerate() {
        u.copy_from_slice(&v[row(j) * lanes..(row(j) + 1) * lanes]);
    }
    let l1_norm = |u: &[f64]| l1 * u[..width * lanes].iter().map(|w| w.abs()).sum::<f64>();
    let mut workspace = part.workspace();
    let (mut gradient, mut next_gradient) = (vec![0.0; u.len()], vec![0.0; u.len()]);
    let mut value = part.evaluate(&u, &mut gradient, &mut workspace).sum + l1_norm(&u);
    let (started, mut last_decrease) = (report.iterations, f64::INFINITY);
    while report.iterations < limits.max_iter {
        // The duality gap shrinks with the distance from the optimum, the objective with its square.
        let enough = 1e-2 * limits.tol * limits.tol * value;
        let hessian_is_new = hessian.is_empty();
        if hessian_is_new {
            *hessian = symmetric(part.hessian(&u, Blocks::All), m * k);
        }
        let (step, decrease) = quadratic_step(hessian, &gradient, &u, (m, k, lanes), l1, 0.1 * enough);
        if decrease.is_nan() || decrease <= enough {
            if hessian_is_new || report.iterations > started {
                break;
            }
            // A Hessian of the round before is no proof that no step is left.
            hessian.clear();
            continue;
        }
        let mut next = vec![0.0; u.len()];
        let mut t = 1.0;
        let accepted = (0..MAX_HALVINGS).any(|_| {
            for ((next, u), s) in next.iter_mut().zip(&u).zip(&step) {
                *next = u + t * s;
            }
            let next_value = part.evaluate(&next, &mut next_gradient, &mut workspace).sum + l1_norm(&next);
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
        u.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        report.iterations += 1;
        let progress = Progress {
            stage: "iteration",
            done: report.iterations as u64,
            total: Some(limits.max_iter as u64),
            objective: Some(value),
        };
        observe::report(observer, progress)?;
    }
    for (j, u) in u.chunks_exact(lanes).enumerate() {
        v[row(j) * lanes..(row(j) + 1) * lanes].copy_from_slice(u);
    }
    Ok(())
}

/// Moves the coordinates in use towards the solution of their linear equations, as far as none changes its sign.
fn polish(
    hessian: &[f64],
    slope: &[f64],
    bend: &mut [f64],
    w: &mut [f64],
    (start, k): (&[f64], usize),
    l1: f64,
) {
    let q = w.len();
    let free = |i: usize| i % k == k - 1;
    let used: Vec<usize> = (0..q).filter(|&i| w[i] != 0.0 || free(i)).collect();
    let part = used.iter().flat_map(|&i| used.iter().map(move |&j| hessian[i * q + j])).collect();
    let mut move_by: Vec<f64> = used
        .iter()
        .map(|&i| -(slope[i] + bend[i] + if free(i) { 0.0 } else { l1 * w[i].signum() }))
        .collect();
    Factor::new(part, used.len()).solve(&mut move_by);
    // The first coordinate to reach 0 stops the move, and stays there.
    let crossing =
        |(&i, &s): (&usize, &f64)| if free(i) || w[i] * s >= 0.0 { 1.0 } else { (-w[i] / s).min(1.0) };
    let t = used.iter().zip(&move_by).map(crossing).fold(1.0, f64::min);
    for (&i, s) in used.iter().zip(&move_by) {
        let new = w[i] + t * s;
        w[i] = if free(i) || new * w[i] > 0.0 { new } else { 0.0 };
    }
    // Afresh, so that nothing builds up.
    bend.fill(0.0);
    for i in 0..q {
        if w[i] != start[i] {
            add(w[i] - start[i], &hessian[i * q..(i + 1) * q], bend);
        }
    }
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

/// Minimises `g^T s + 1/2 s^T H s + l1 ||u + s||_1` by coordinate descent, until a sweep gains at most `enough`.
///
/// Returns the step and `s^T H s`, by which at least the model falls beside its own curvature: it is free of cancellation.
fn quadratic_step(
    hessian: &[f64],
    gradient: &[f64],
    u: &[f64],
    (m, k, lanes): (usize, usize, usize),
    l1: f64,
    enough: f64,
) -> (Vec<f64>, f64) {
    let q = m * k;
    // Parameter `i = c k + j` stands at `place(i)` of the parameter vector.
    let place = |i: usize| i % k * lanes + i / k;
    let slope: Vec<f64> = (0..q).map(|i| gradient[place(i)]).collect();
    // `H s`.
    let mut bend = vec![0.0; q];
    let start: Vec<f64> = (0..q).map(|i| u[place(i)]).collect();
    let mut w = start.clone();
    // Sweeps over all coordinates, and in between over those that are not 0.
    let mut everything = true;
    let mut polish_at = POLISH;
    for sweep in 1..=MAX_SWEEPS {
        let mut gain = 0.0;
        for i in 0..q {
            let curvature = hessian[i * q + i];
            let free = i % k == k - 1;
            if curvature <= 0.0 || (!everything && !free && w[i] == 0.0) {
                continue;
            }
            let target = curvature * w[i] - (slope[i] + bend[i]);
            let threshold = if free { 0.0 } else { l1 };
            let new = target.signum() * (target.abs() - threshold).max(0.0) / curvature;
            let change = new - w[i];
            if change == 0.0 {
                continue;
            }
            w[i] = new;
            gain += 0.5 * curvature * change * change;
            add(change, &hessian[i * q..(i + 1) * q], &mut bend);
        }
        if gain <= enough {
            if everything {
                break;
            }
            everything = true;
        } else {
            everything = false;
        }
        // Where features resemble one another, sweeps crawl: solve for those in use at once.
        if sweep == polish_at {
            polish_at *= 2;
            polish(hessian, &slope, &mut bend, &mut w, (&start, k), l1);
        }
    }
    let (mut step, mut decrease) = (vec![0.0; u.len()], 0.0);
    for i in 0..q {
        step[place(i)] = w[i] - start[i];
        decrease += (w[i] - start[i]) * bend[i];
    }
    (step, decrease)
}
