//! Stochastic descent: many cheap steps, each with the gradient on a few rows.
//!
//! The gradient on a batch is corrected by what the same batch was wrong by at the beginning of the epoch (SVRG), so its noise fades as the steps do, and a
//! constant rate converges. Steps are taken by a rule of [`optim`](crate::optim) in coordinates `u`, `v = v_0 + A u`, in which the mean loss has curvature 1
//! in every direction of the axes and features are centred: the same rate serves raw and scaled features. An epoch that ends higher than it began is
//! taken back, and the rate halved.
//!
//! # References
//! Johnson & Zhang, "Accelerating stochastic gradient descent using predictive variance reduction", 2013.

use super::objective::Objective;
use super::report::{Outcome, Report};
use super::solve::Limits;
use crate::error::Result;
use crate::float::Float;
use crate::observe::{self, Observer, Progress};
use crate::optim::lbfgs::{Lbfgs, dot};
use crate::optim::{MiniBatches, Rule, State};

/// How stochastic steps are taken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    pub(super) rule: Rule,
    pub(super) learning_rate: f64,
    pub(super) batch_size: usize,
    pub(super) seed: u64,
}

/// Epochs whose curvature tells how far the optimum is.
const MEMORY: usize = 12;
/// Part of the first rate at which the descent gives up.
const SMALLEST_RATE: f64 = 1e-9;

/// `v = v_0 + A u` with `A = T^T D^(-1/2)`: `D` the mean curvatures, and `T` takes the mean of each feature times the intercept's slope from its slope.
struct Coordinates {
    root: Vec<f64>,
    mean: Vec<f64>,
    lanes: usize,
    total: f64,
}

impl Coordinates {
    fn new<F: Float>(objective: &Objective<'_, F>, v: &[f64]) -> Self {
        let (mut diagonal, mean) = objective.centred_diagonal(v);
        let weights = v.len() - objective.lanes();
        diagonal[..weights].iter_mut().for_each(|h| *h += objective.l2);
        let total = objective.weight.iter().sum::<f64>();
        let root = diagonal.iter().map(|h| if *h > 0.0 { (total / h).sqrt() } else { 0.0 }).collect();
        Self { root, mean, lanes: objective.lanes(), total }
    }

    /// Replaces a gradient in `v` by that of the mean loss in `u`.
    fn gradient(&self, g: &mut [f64]) {
        let (weights, intercepts) = g.split_at_mut(g.len() - self.lanes);
        for (i, (g, mean)) in weights.iter_mut().zip(&self.mean).enumerate() {
            *g -= mean * intercepts[i % self.lanes];
        }
        g.iter_mut().zip(&self.root).for_each(|(g, root)| *g *= root / self.total);
    }

    /// Writes `v_0 + A u`.
    fn place(&self, start: &[f64], u: &[f64], v: &mut [f64]) {
        for (((v, start), u), root) in v.iter_mut().zip(start).zip(u).zip(&self.root) {
            *v = start + root * u;
        }
        let intercepts = v.len() - self.lanes;
        for (i, mean) in self.mean.iter().enumerate().take(intercepts) {
            v[intercepts + i % self.lanes] -= mean * (v[i] - start[i]);
        }
    }

    /// Replaces a gradient in `v` by `A A^T` of it, times the total weight: the diagonal as a preconditioner.
    fn precondition(&self, g: &mut [f64]) {
        let zeros = vec![0.0; g.len()];
        self.gradient(g);
        let u = g.to_vec();
        self.place(&zeros, &u, g);
    }
}

/// Moves `v` to the minimum of the objective; an iteration is an epoch.
pub(super) fn minimize<F: Float>(
    objective: &Objective<'_, F>,
    steps: Steps,
    v: &mut [f64],
    limits: Limits,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let n = objective.rows.n();
    let batch = steps.batch_size.min(n);
    let n_batches = n.div_ceil(batch);
    let mut batches = MiniBatches::new(n_batches, 1, steps.seed)?;
    let mut workspace = objective.workspace();
    let mut gradient = vec![0.0; v.len()];
    let mut losses = objective.evaluate(v, &mut gradient, &mut workspace);
    objective.check_records(&workspace)?;
    let coordinates = Coordinates::new(objective, v);
    let start = v.to_vec();
    let weights = v.len() - objective.lanes();
    let (mut u, mut state, mut rate) = (vec![0.0; v.len()], State::new(), steps.learning_rate);
    let mut lbfgs = Lbfgs::new(MEMORY);
    let (mut next, mut g) = (v.to_vec(), vec![0.0; v.len()]);
    let (mut next_gradient, mut direction) = (gradient.clone(), gradient.clone());
    let mut report = Report { passes: 1, objective: losses.sum, ..Report::begun() };
    loop {
        lbfgs.direction(&gradient, |q| coordinates.precondition(q), &mut direction);
        report.objective = losses.sum;
        report.gap = -0.5 * dot(&gradient, &direction) / losses.sum.max(f64::MIN_POSITIVE);
        report.gradient_norm = gradient.iter().fold(0.0, |a, g| g.abs().max(a));
        if objective.l2 == 0.0 && objective.offset.is_empty() && losses.worst < std::f64::consts::LN_2 {
            report.outcome = Outcome::Separable;
            return Ok(report);
        }
        // An estimate from few epochs can be too small.
        if report.gap <= 0.1 * limits.tol {
            report.outcome = Outcome::Converged;
            return Ok(report);
        }
        if report.iterations == limits.max_iter || rate <= SMALLEST_RATE * steps.learning_rate {
            return Ok(report);
        }
        let before = u.clone();
        batches.shuffle();
        for block in batches.iter() {
            let rows = block[0] * batch..((block[0] + 1) * batch).min(n);
            g.copy_from_slice(objective.gradient_of(rows.clone(), &next, &mut workspace));
            let anchor = objective.gradient_of(rows, v, &mut workspace);
            for (i, ((g, anchor), full)) in g.iter_mut().zip(anchor).zip(&gradient).enumerate() {
                let penalty = if i < weights { objective.l2 * (next[i] - v[i]) } else { 0.0 };
                *g = n_batches as f64 * (*g - anchor) + full + penalty;
            }
            coordinates.gradient(&mut g);
            steps.rule.update(rate, &mut u, &g, &mut state)?;
            coordinates.place(&start, &u, &mut next);
        }
        let next_losses = objective.evaluate(&next, &mut next_gradient, &mut workspace);
        report.passes += 3;
        report.iterations += 1;
        if next_losses.sum < losses.sum {
            for i in 0..v.len() {
                direction[i] = next[i] - v[i];
                g[i] = next_gradient[i] - gradient[i];
            }
            lbfgs.push(&direction, &g);
            v.copy_from_slice(&next);
            gradient.copy_from_slice(&next_gradient);
            losses = next_losses;
        } else {
            u.copy_from_slice(&before);
            next.copy_from_slice(v);
            state = State::new();
            rate *= 0.5;
        }
        let progress = Progress {
            stage: "epoch",
            done: report.iterations as u64,
            total: Some(limits.max_iter as u64),
            objective: Some(losses.sum),
        };
        observe::report(observer, progress)?;
    }
}
