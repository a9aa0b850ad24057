//! Newton steps on the Hessian of the working set: for dense records.

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

/// A working set: its features in rising order, their columns side by side, and the last Hessian, or none.
#[derive(Debug, Default)]
pub(super) struct Part {
    pub(super) set: Vec<usize>,
    x: Vec<f64>,
    hessian: Vec<f64>,
}

impl Part {
    pub(super) fn new<F: Float>(rows: Rows<'_, F>, set: Vec<usize>) -> Self {
        Self { x: rows.columns(&set), set, hessian: vec![] }
    }
}

/// Minimises over the features of the set and the intercepts, and writes the result back to `v`.
pub(super) fn minimize<F: Float>(
    objective: &Objective<'_, F>,
    Part { set, x, hessian }: &mut Part,
    (l1, stuck): (f64, bool),
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
    // What the logits share is the penalty's alone to decide.
    let settles = (m > 1 && !objective.reference).then_some(objective.l2);
    let l1_norm = |u: &[f64]| l1 * u[..width * lanes].iter().map(|w| w.abs()).sum::<f64>();
    let mut workspace = part.workspace();
    let (mut gradient, mut next_gradient) = (vec![0.0; u.len()], vec![0.0; u.len()]);
    let mut value = part.evaluate(&u, &mut gradient, &mut workspace).sum + l1_norm(&u);
    let (started, mut last_decrease) = (report.iterations, f64::INFINITY);
    while report.iterations < limits.max_iter {
        // The duality gap shrinks with the distance from the optimum, the objective with its square. What rounding moves is no descent.
        let enough = (1e-2 * limits.tol * limits.tol).max(WANDERING) * value;
        let hessian_is_new = hessian.is_empty();
        if hessian_is_new {
            *hessian = symmetric(part.hessian(&u, Blocks::All), m * k);
        }
        let tangled = stuck || report.iterations > started + MANY_STEPS;
        let (step, decrease) =
            quadratic_step(hessian, &gradient, &u, (m, k, lanes), (l1, settles, tangled), 0.1 * enough);
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
        // What is lost in the rounding of the values is not found by shorter steps.
        let hidden = decrease < 1e-11 * value;
        let accepted = (0..if hidden { 2 } else { MAX_HALVINGS }).any(|_| {
            for ((next, u), s) in next.iter_mut().zip(&u).zip(&step) {
                *next = u + t * s;
            }
            let next_value = part.evaluate(&next, &mut next_gradient, &mut workspace).sum + l1_norm(&next);
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
        u.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        report.iterations += 1;
        tell(observer, report.iterations, limits, value)?;
    }
    for (j, u) in u.chunks_exact(lanes).enumerate() {
        v[row(j) * lanes..(row(j) + 1) * lanes].copy_from_slice(u);
    }
    Ok(())
}

/// Coordinates that are not 0 and the intercepts; of logits that can be shifted together all but the last of these, which decides nothing.
fn in_use(w: &[f64], k: usize, shared: bool) -> Vec<usize> {
    let q = w.len();
    (0..q).filter(|&i| if i % k == k - 1 { !shared || i < q - 1 } else { w[i] != 0.0 }).collect()
}

/// Moves the coordinates in use towards the solution of their linear equations, as far as none changes its sign.
fn polish(
    hessian: &[f64],
    slope: &[f64],
    bend: &mut [f64],
    w: &mut [f64],
    (start, k, shared): (&[f64], usize, bool),
    l1: f64,
) {
    let q = w.len();
    let free = |i: usize| i % k == k - 1;
    let used: Vec<usize> = in_use(w, k, shared);
    let part = used.iter().flat_map(|&i| used.iter().map(move |&j| hessian[i * q + j])).collect();
    let mut move_by: Vec<f64> = used
        .iter()
        .map(|&i| -(slope[i] + bend[i] + if free(i) { 0.0 } else { l1 * w[i].signum() }))
        .collect();
    let falls = move_by.clone();
    Factor::new(part, used.len()).solve(&mut move_by);
    // Where the equations are nearly singular, the solution may be none.
    let mut image = vec![0.0; q];
    for (&i, s) in used.iter().zip(&move_by) {
        add(*s, &hessian[i * q..(i + 1) * q], &mut image);
    }
    let bends: f64 = used.iter().zip(&move_by).map(|(&i, s)| s * image[i]).sum();
    let gain = dot(&falls, &move_by);
    if gain.is_nan() || bends.is_nan() || gain <= 0.0 || bends > 1.5 * gain {
        return;
    }
    // The first coordinate to reach 0 stops the move, and stays there.
    let crossing =
        |(&i, &s): (&usize, &f64)| if free(i) || w[i] * s >= 0.0 { 1.0 } else { (-w[i] / s).min(1.0) };
    let t = used.iter().zip(&move_by).map(crossing).fold(1.0, f64::min);
    for (&i, s) in used.iter().zip(&move_by) {
        let new = w[i] + t * s;
        w[i] = if free(i) || new * w[i] > 0.0 { new } else { 0.0 };
    }
    refresh(bend, hessian, w, start);
}

/// Sets `bend` to `H (w - start)`: afresh, so that nothing builds up.
fn refresh(bend: &mut [f64], hessian: &[f64], w: &[f64], start: &[f64]) {
    let q = w.len();
    bend.fill(0.0);
    for i in 0..q {
        if w[i] != start[i] {
            add(w[i] - start[i], &hessian[i * q..(i + 1) * q], bend);
        }
    }
}

/// Moves along directions that only the penalty feels, until a coordinate is 0; tells by how much the penalty falls.
///
/// Such are the differences of repeated columns, or of a constant one and the intercept: coordinate descent crawls there, as slowly as the penalty is weak.
fn untangle(
    hessian: &[f64],
    bend: &mut [f64],
    w: &mut [f64],
    (start, k, shared): (&[f64], usize, bool),
    l1: f64,
) -> f64 {
    let q = w.len();
    let free = |i: usize| i % k == k - 1;
    let mut gain = 0.0;
    for _ in 0..MOST_TANGLES {
        let used: Vec<usize> = in_use(w, k, shared);
        let part: Vec<f64> =
            used.iter().flat_map(|&i| used.iter().map(move |&j| hessian[i * q + j])).collect();
        let factor = Factor::new(part, used.len());
        // A column that depends on others, less what these make of it.
        let direction = factor.dependent().find_map(|dependent| {
            let mut direction: Vec<f64> = used.iter().map(|&i| -hessian[i * q + used[dependent]]).collect();
            factor.solve(&mut direction);
            direction[dependent] = 1.0;
            // In units in which the columns are of one size, what is small is rounding.
            let size = |(&i, d): (&usize, &f64)| d.abs() * hessian[i * q + i].sqrt();
            let largest = used.iter().zip(&direction).map(size).fold(0.0, f64::max);
            let counts: Vec<bool> =
                used.iter().zip(&direction).map(|entry| size(entry) > 1e-9 * largest).collect();
            direction.iter_mut().zip(counts).filter(|entry| !entry.1).for_each(|(d, _)| *d = 0.0);
            let penalised = || used.iter().zip(&direction).filter(|entry| !free(*entry.0));
            let falls: f64 = penalised().map(|(&i, d)| d * l1 * w[i].signum()).sum();
            let most: f64 = penalised().map(|(_, d)| d.abs() * l1).sum();
            let sign = -falls.signum();
            direction.iter_mut().for_each(|d| *d *= sign);
            (falls.abs() > 1e-9 * most).then_some((direction, falls.abs()))
        });
        let Some((direction, falls)) = direction else { break };
        let crossing = |(&i, &d): (&usize, &f64)| {
            if free(i) || w[i] * d >= 0.0 { f64::INFINITY } else { -w[i] / d }
        };
        let t = used.iter().zip(&direction).map(crossing).fold(f64::INFINITY, f64::min);
        if !t.is_finite() {
            break;
        }
        for (&i, d) in used.iter().zip(&direction) {
            let new = w[i] + t * d;
            let crosses = !free(i) && w[i] * d < 0.0 && -w[i] / d <= t;
            w[i] = if crosses { 0.0 } else { new };
        }
        gain += t * falls;
        refresh(bend, hessian, w, start);
    }
    gain
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
/// Returns the step and `s^T H s`, by which at least the model falls beside its own curvature: it is free of cancellation. With what the logits share
/// settled, by the L2 penalty there is, comes what that gains.
fn quadratic_step(
    hessian: &[f64],
    gradient: &[f64],
    u: &[f64],
    (m, k, lanes): (usize, usize, usize),
    (l1, settles, tangled): (f64, Option<f64>, bool),
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
    let (mut everything, mut shifted) = (true, 0.0);
    let mut polish_at = if tangled { 1 } else { POLISH };
    if tangled {
        shifted += untangle(hessian, &mut bend, &mut w, (&start, k, settles.is_some()), l1);
    }
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
        if let Some(l2) = settles {
            let before = w.clone();
            let settled = settle_all(&mut w, k, l1, l2);
            // Of the Hessian only its L2 part feels the shift.
            for ((bend, w), before) in bend.iter_mut().zip(&w).zip(&before) {
                *bend += l2 * (w - before);
            }
            gain += settled;
            shifted += settled;
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
            polish(hessian, &slope, &mut bend, &mut w, (&start, k, settles.is_some()), l1);
        }
    }
    let (mut step, mut decrease) = (vec![0.0; u.len()], shifted);
    for i in 0..q {
        step[place(i)] = w[i] - start[i];
        decrease += (w[i] - start[i]) * bend[i];
    }
    (step, decrease)
}
