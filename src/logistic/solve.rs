//! The smooth solver: quasi-Newton steps under a preconditioner that the shape of the data chooses.
//!
//! One loop serves all: an L-BFGS direction over an initial inverse Hessian `P`, then a line search. What differs is `P`:
//!
//! | data | `P` | refreshed |
//! |---|---|---|
//! | few parameters, not many rows | the Hessian: Newton's method, no memory | every step |
//! | many more rows than parameters | the Hessian of a sample of the rows, at the optimum of that sample | rarely |
//! | several logits, few features | the Hessian's block of each logit | after 10, 20, 40 .. steps |
//! | many features, or sparse | the Hessian's diagonal about the weighted means | after 40, 80 .. steps; in between to scale |
//!
//! The sample's optimum is within statistical error of the full one, and its Hessian within the same relative error, so three or four passes over all
//! rows remain. A sample is fitted by Newton's method from the optimum of a smaller one. Where the preconditioner turns out poor, the refreshes replace it by the Hessian on all rows as long as that fits.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use super::curvature::Blocks;
use super::factor::Factor;
use super::objective::{Objective, Workspace};
use super::report::{Outcome, Report};
use super::rows::Rows;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::kernel::linear::logistic::Losses;
use crate::observe::{self, Observer, Progress};
use crate::optim::lbfgs::{Lbfgs, dot, line_search};

/// Which initial inverse Hessian the solver begins with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Plan {
    Newton,
    Sample,
    Blocks,
    Diagonal,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    pub(super) tol: f64,
    pub(super) max_iter: usize,
}

/// Steps that L-BFGS remembers.
const MEMORY: usize = 12;
/// Largest order of a Hessian that is factored at every step, and of one that is factored at all.
const NEWTON_ORDER: usize = 100;
const FACTOR_ORDER: usize = 2048;
/// Largest order of one logit's block.
const BLOCK_ORDER: usize = 300;
/// Rows of a sample for each parameter, at least: with `q` of them, the gap falls by about `1 / q` a step.
const SAMPLE_BINARY: usize = 128;
const SAMPLE_MULTINOMIAL: usize = 16;
/// Of very many rows, one in so many is drawn, up to this many times the least number: a step less costs more rows than that.
const SAMPLE_PART: usize = 16;
const SAMPLE_MOST: usize = 8;
/// Part of the sample that is fitted first, so that few steps on all of it remain.
const FIRST_SAMPLE: usize = 8;
/// Multiplications of a Hessian that is small beside everything else.
const SMALL_HESSIAN: usize = 10_000_000;
/// Steps of other methods where Newton's costs no more.
const SMALL_STEPS: usize = 100;
/// Probability below which a class counts as ruled out, when a finite optimum is in doubt.
const NEGLIGIBLE: f64 = 1e-6;
/// The sample must be this much smaller than the data to pay.
const SAMPLE_GAIN: usize = 4;
/// Steps in a row that change some margin by more than [`MOVING`] after the tolerance was met: without a penalty, the rows are then (nearly) separable
/// and the coefficients grow for ever, each step by about as much as the last.
const RUNAWAY_STEPS: usize = 4;
const MOVING: f64 = 1e-2;
/// Largest move of a margin for which the decrement of a penalised fit is believed. A step that moves one by 1 as the last did, down the tail of its loss,
/// may have a wall before it that ends there, and all that lies behind still to gain.
const BELIEVED: f64 = 0.5;
/// Least part of the losses' curvature to which a diagonal is scaled down: what is left then belongs to few rows.
const LEAST_RATIO: f64 = 0.1;

impl Plan {
    /// By the shape of the data.
    pub(super) fn choose<F: Float>(objective: &Objective<'_, F>) -> Self {
        let order = objective.order();
        let n = objective.rows.n();
        if !objective.rows.is_dense() {
            return if order <= NEWTON_ORDER { Self::Newton } else { Self::Diagonal };
        }
        if order <= FACTOR_ORDER / 2 && n >= SAMPLE_GAIN.saturating_mul(sample_rows(objective)) {
            Self::Sample
        } else if order <= NEWTON_ORDER {
            Self::Newton
        } else if objective.m > 1 && objective.rows.d() < BLOCK_ORDER {
            Self::Blocks
        } else {
            Self::Diagonal
        }
    }
}

fn sample_rows<F: Float>(objective: &Objective<'_, F>) -> usize {
    let least = objective.order() * if objective.m == 1 { SAMPLE_BINARY } else { SAMPLE_MULTINOMIAL };
    (objective.rows.n() / SAMPLE_PART).clamp(least, SAMPLE_MOST * least)
}

/// An approximate inverse Hessian, in the layout of the parameters.
#[derive(Debug)]
enum Preconditioner {
    Full(Factor),
    Blocks(Vec<Factor>),
    /// `T^T (ratio diag + l2)^-1 T`, where `T` centres each feature on its weighted mean: the intercept takes up what the means leave.
    ///
    /// The surer a model becomes, the less its losses bend: `ratio` is what is left of `curvature`, that of all rows where the diagonal was taken.
    Diagonal {
        diagonal: Vec<f64>,
        mean: Vec<f64>,
        l2: f64,
        curvature: f64,
    },
}

impl Preconditioner {
    fn full<F: Float>(objective: &Objective<'_, F>, v: &[f64]) -> Self {
        Self::Full(Factor::new(objective.hessian(v, Blocks::All), objective.order()))
    }

    fn blocks<F: Float>(objective: &Objective<'_, F>, v: &[f64]) -> Self {
        let k = objective.rows.d() + 1;
        let blocks = objective.hessian(v, Blocks::Diagonal);
        Self::Blocks(blocks.chunks_exact(k * k).map(|block| Factor::new(block.to_vec(), k)).collect())
    }

    fn diagonal<F: Float>(objective: &Objective<'_, F>, v: &[f64], losses: &Losses) -> Self {
        let (diagonal, mean) = objective.centred_diagonal(v);
        Self::Diagonal { diagonal, mean, l2: objective.l2, curvature: losses.curvature }
    }

    /// What [`Factor::unseen`] tells of the gradient `q` of an objective of the size `of`.
    fn unseen(&self, q: &[f64], m: usize, lanes: usize, of: f64) -> f64 {
        let b = by_logit(q, m, lanes);
        match self {
            Self::Full(factor) => factor.unseen(&b, of),
            Self::Blocks(factors) => factors
                .iter()
                .zip(b.chunks_exact(q.len() / lanes))
                .map(|(factor, b)| factor.unseen(b, of))
                .sum(),
            Self::Diagonal { .. } => 0.0,
        }
    }

    /// Replaces `q` by `P q`; `m` logits in rows of `lanes`, where the losses are `now`.
    fn apply(&self, q: &mut [f64], m: usize, lanes: usize, now: &Losses) {
        let k = q.len() / lanes;
        let put_back = |b: Vec<f64>, q: &mut [f64]| {
            b.iter().enumerate().for_each(|(i, &b)| q[i % k * lanes + i / k] = b);
        };
        match self {
            Self::Full(factor) => {
                let mut b = by_logit(q, m, lanes);
                factor.solve(&mut b);
                put_back(b, q);
            }
            Self::Blocks(factors) => {
                let mut b = by_logit(q, m, lanes);
                factors.iter().zip(b.chunks_exact_mut(k)).for_each(|(factor, b)| factor.solve(b));
                put_back(b, q);
            }
            Self::Diagonal { diagonal, mean, l2, curvature } => {
                let (weights, intercepts) = q.split_at_mut((k - 1) * lanes);
                let ratio = now.curvature / curvature;
                let ratio = if ratio.is_nan() { 1.0 } else { ratio.clamp(LEAST_RATIO, LEAST_RATIO.recip()) };
                for (i, q) in weights.iter_mut().enumerate() {
                    *q -= mean[i] * intercepts[i % lanes];
                }
                let (features, free) = diagonal.split_at(weights.len());
                for (q, h) in weights.iter_mut().zip(features) {
                    let h = ratio * h + l2;
                    *q = if h > 0.0 { *q / h } else { 0.0 };
                }
                for (q, h) in intercepts.iter_mut().zip(free) {
                    *q = if *h > 0.0 { *q / (ratio * h) } else { 0.0 };
                }
                for (i, q) in weights.iter().enumerate() {
                    intercepts[i % lanes] -= mean[i] * q;
                }
            }
        }
    }
}

/// Parameters of `m` logits in rows of `lanes`, as a Hessian has them: those of one logit after those of the other.
fn by_logit(q: &[f64], m: usize, lanes: usize) -> Vec<f64> {
    let k = q.len() / lanes;
    (0..m * k).map(|i| q[i % k * lanes + i / k]).collect()
}

/// Rows drawn from all, with weights that make up for the others.
struct Sample {
    x: Vec<f64>,
    target: Vec<u32>,
    weight: Vec<f64>,
    offset: Vec<f64>,
}

impl Sample {
    /// One row at random from each of `size` equal runs of rows; the seed is fixed, so a refit gives the same bits.
    fn draw<F: Float>(objective: &Objective<'_, F>, size: usize) -> Self {
        let (n, d, m) = (objective.rows.n(), objective.rows.d(), objective.m);
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(0);
        let mut sample = Self { x: vec![0.0; size * d], target: vec![], weight: vec![], offset: vec![] };
        for i in 0..size {
            let row = rng.gen_range(i * n / size..(i + 1) * n / size);
            objective.rows.widen_row(row, &mut sample.x[i * d..(i + 1) * d]);
            sample.target.push(objective.target[row]);
            sample.weight.push(objective.weight[row] * n as f64 / size as f64);
            if !objective.offset.is_empty() {
                sample.offset.extend(&objective.offset[row * m..(row + 1) * m]);
            }
        }
        sample
    }

    fn objective<'a, F: Float>(&'a self, full: &Objective<'_, F>) -> Objective<'a, f64> {
        let Objective { reference, m, l2, intercept, .. } = *full;
        let rows = Rows::Dense { x: &self.x, d: full.rows.d() };
        let Self { target, weight, offset, .. } = self;
        Objective { rows, target, weight, offset, reference, m, l2, intercept }
    }
}

/// Moves `v` to the minimum of the objective.
///
/// Stops where half the Newton decrement, an estimate of what is left to gain, is at most `tol` times the objective, and the step that it belongs to
/// moves no margin far. Quasi-Newton decrements can be too small, so there a third is asked for.
pub(super) fn minimize<F: Float>(
    objective: &Objective<'_, F>,
    plan: Plan,
    v: &mut [f64],
    limits: Limits,
    observer: &mut dyn Observer,
) -> Result<Report> {
    let start = if plan == Plan::Sample {
        let size = sample_rows(objective).min(objective.rows.n());
        let mut steps = 0;
        from_sample(objective, size, v, &mut |_, objective| {
            steps += 1;
            let progress = Progress { stage: "sample", done: steps, total: None, objective: Some(objective) };
            observe::report(observer, progress)
        })?
    } else {
        None
    };
    let mut tell = |iterations, objective| {
        let mut progress = Progress::new("iteration", iterations, limits.max_iter as u64);
        progress.objective = Some(objective);
        observe::report(observer, progress)
    };
    let first = if plan != Plan::Newton && objective.is_small() {
        Limits { max_iter: limits.max_iter.min(SMALL_STEPS), ..limits }
    } else {
        limits
    };
    let (mut report, _) = descend(objective, plan, start, v, first, &mut tell)?;
    // Where the Hessian costs next to nothing, it has the last word: other curvatures are estimates.
    if plan != Plan::Newton && report.outcome != Outcome::Separable && objective.is_small() {
        let Report { iterations, passes, .. } = report;
        let limits = Limits { max_iter: limits.max_iter - iterations, ..limits };
        let mut tell = |more, objective| tell(iterations as u64 + more, objective);
        (report, _) = descend(objective, Plan::Newton, None, v, limits, &mut tell)?;
        report.iterations += iterations;
        report.passes += passes;
    }
    if objective.l2 == 0.0 && objective.leaves_logits_free(v) {
        report.outcome = Outcome::Separable;
    }
    Ok(report)
}

impl<F: Float> Objective<'_, F> {
    /// Takes the mean over the logits from the weights of each feature and from the intercepts: it moves no probability, so only the penalty feels it, too
    /// faintly beside steep features for any Hessian, and of intercepts not even that, so that theirs might drift until it takes the digits of the others.
    fn share_nothing(&self, v: &mut [f64]) {
        let (m, lanes) = (self.m, self.lanes());
        if m == 1 || self.reference || self.l2 == 0.0 {
            return;
        }
        for weights in v.chunks_exact_mut(lanes) {
            let mean = weights[..m].iter().sum::<f64>() / m as f64;
            weights[..m].iter_mut().for_each(|w| *w -= mean);
        }
    }

    /// Whether a Hessian takes less than about a millisecond.
    fn is_small(&self) -> bool {
        let order = self.order();
        order <= FACTOR_ORDER && self.rows.n().saturating_mul(order).saturating_mul(order) <= SMALL_HESSIAN
    }

    /// Whether some direction changes only what is certain: then the likelihood grows along it, or falls, as long as numbers can tell.
    ///
    /// A Hessian without the probabilities that are [`NEGLIGIBLE`] is singular in such a direction, unlike that of probabilities that are all alike.
    fn leaves_logits_free(&self, v: &[f64]) -> bool {
        if self.order() > FACTOR_ORDER / 2 || !self.has_small_probabilities(v, NEGLIGIBLE) {
            return false;
        }
        let rank = |v: &[f64], least| {
            let hessian = self.hessian_without(v, Blocks::All, least);
            self.order() - Factor::new(hessian, self.order()).dependent().count()
        };
        rank(v, NEGLIGIBLE) < rank(&vec![0.0; v.len()], 0.0)
    }
}

/// Hears of each step: how many there were, and the objective after it. Its error ends the descent.
type Tell<'a> = &'a mut dyn FnMut(u64, f64) -> Result<()>;

/// Moves `v` to the optimum of a sample of `size` rows, and gives the Hessian there.
fn from_sample<F: Float>(
    objective: &Objective<'_, F>,
    size: usize,
    v: &mut [f64],
    tell: Tell<'_>,
) -> Result<Option<Preconditioner>> {
    let sample = Sample::draw(objective, size);
    let sampled = sample.objective(objective);
    let newton = objective.order() <= NEWTON_ORDER;
    let plan = if newton { Plan::Newton } else { Plan::Blocks };
    let mut start = v.to_vec();
    let mut preconditioner = None;
    let first = size / FIRST_SAMPLE;
    if newton && first > 4 * objective.order() {
        from_sample(&sampled, first, &mut start, tell)?;
    }
    // The sample's optimum is not worth more polish than it is far from that of all rows.
    let limits = Limits { tol: 1e-4, max_iter: 100 };
    let (report, last) = match descend(&sampled, plan, None, &mut start, limits, tell) {
        Ok(end) => end,
        Err(stopped @ Error::Stopped { .. }) => return Err(stopped),
        // Bad values are found again among all rows, with their places there.
        Err(_) => return Ok(None),
    };
    // Without a finite optimum the start stays.
    if report.outcome != Outcome::Separable && start.iter().all(|v| v.is_finite()) {
        v.copy_from_slice(&start);
        preconditioner = Some(if newton { last } else { Preconditioner::full(&sampled, v) });
    }
    Ok(preconditioner)
}

/// The loop of all plans, from a preconditioner that is there already or from the plan's own; gives the last one back.
fn descend<F: Float>(
    objective: &Objective<'_, F>,
    plan: Plan,
    preconditioner: Option<Preconditioner>,
    v: &mut [f64],
    limits: Limits,
    tell: Tell<'_>,
) -> Result<(Report, Preconditioner)> {
    let (m, lanes, order) = (objective.m, objective.lanes(), objective.order());
    let exact = plan == Plan::Newton;
    let safety = match plan {
        Plan::Newton | Plan::Sample => 1.0,
        Plan::Blocks | Plan::Diagonal => 0.3,
    };
    objective.share_nothing(v);
    let mut lbfgs = Lbfgs::new(if exact { 0 } else { MEMORY });
    let mut workspace = objective.workspace();
    let size = objective.len();
    let (mut gradient, mut direction) = (vec![0.0; size], vec![0.0; size]);
    let (mut next, mut next_gradient) = (vec![0.0; size], vec![0.0; size]);
    let mut hessian = vec![];
    // With Newton's method every pass sums the Hessian too.
    let evaluate = |v: &[f64], gradient: &mut [f64], hessian: &mut Vec<f64>, workspace: &mut Workspace| {
        if exact {
            objective.evaluate_curved(v, gradient, hessian, workspace)
        } else {
            objective.evaluate(v, gradient, workspace)
        }
    };
    let mut losses = evaluate(v, &mut gradient, &mut hessian, &mut workspace);
    objective.check_records(&workspace)?;
    let mut preconditioner = match (plan, preconditioner) {
        (_, Some(preconditioner)) => preconditioner,
        (Plan::Newton, None) => Preconditioner::Full(Factor::new(hessian.clone(), order)),
        (Plan::Sample, None) => Preconditioner::full(objective, v),
        (Plan::Blocks, None) => Preconditioner::blocks(objective, v),
        (Plan::Diagonal, None) => Preconditioner::diagonal(objective, v, &losses),
    };
    let mut refresh_at = if plan == Plan::Diagonal { 40 } else { 10 };
    let mut report = Report { passes: 1, objective: losses.sum, ..Report::begun() };
    let mut runaway = 0;
    loop {
        lbfgs.direction(&gradient, |q| preconditioner.apply(q, m, lanes, &losses), &mut direction);
        objective.share_nothing(&mut direction);
        let slope = dot(&gradient, &direction);
        report.objective = losses.sum;
        report.gap = -0.5 * slope / losses.sum.max(f64::MIN_POSITIVE);
        report.gradient_norm = gradient.iter().fold(0.0, |a, g| g.abs().max(a));
        // All rows on their side by the coefficients alone, without the help of offsets.
        let all_right = losses.worst < std::f64::consts::LN_2 && objective.offset.is_empty();
        if objective.l2 == 0.0 && all_right {
            report.outcome = Outcome::Separable;
            return Ok((report, preconditioner));
        }
        if slope > 0.0 {
            // A preconditioner is positive definite, so this is the rounding of a sum, whose terms tell what there may be to gain.
            let terms: f64 = gradient.iter().zip(&direction).map(|(g, d)| (g * d).abs()).sum();
            report.gap = 0.5 * terms / losses.sum.max(f64::MIN_POSITIVE);
            report.outcome = if report.gap <= limits.tol { Outcome::Converged } else { Outcome::RanOut };
            return Ok((report, preconditioner));
        }
        if report.gap <= limits.tol * safety {
            report.gap +=
                preconditioner.unseen(&gradient, m, lanes, losses.sum) / losses.sum.max(f64::MIN_POSITIVE);
        }
        if report.gap <= limits.tol * safety {
            let most = if objective.l2 > 0.0 { BELIEVED } else { MOVING };
            // No objective is below 0, so a gap of 1 is everywhere.
            if limits.tol >= 1.0 || !objective.is_moved(v, &direction, most, &workspace) {
                report.outcome = Outcome::Converged;
                return Ok((report, preconditioner));
            }
            runaway += usize::from(objective.l2 == 0.0);
            if runaway > RUNAWAY_STEPS {
                report.outcome = Outcome::Separable;
                return Ok((report, preconditioner));
            }
        }
        if report.iterations == limits.max_iter || report.gap.is_nan() {
            return Ok((report, preconditioner));
        }
        let step = line_search(losses.sum, slope, 1.0, |t| {
            for ((next, v), d) in next.iter_mut().zip(v.iter()).zip(&direction) {
                *next = v + t * d;
            }
            report.passes += 1;
            losses = evaluate(&next, &mut next_gradient, &mut hessian, &mut workspace);
            (losses.sum, dot(&next_gradient, &direction))
        });
        if step.is_none() {
            // Rounding hides every further descent: the best point is the present one, as far as this arithmetic can tell.
            let is_hidden = report.gap <= 2.0 * f64::EPSILON
                || report.gap <= 1e3 * f64::EPSILON
                    && !objective.is_moved(v, &direction, BELIEVED, &workspace);
            report.outcome = if is_hidden { Outcome::Converged } else { Outcome::RanOut };
            return Ok((report, preconditioner));
        }
        for i in 0..size {
            direction[i] = next[i] - v[i];
            gradient[i] = next_gradient[i] - gradient[i];
        }
        lbfgs.push(&direction, &gradient);
        v.copy_from_slice(&next);
        gradient.copy_from_slice(&next_gradient);
        report.iterations += 1;
        tell(report.iterations as u64, losses.sum)?;
        if exact {
            preconditioner = Preconditioner::Full(Factor::new(hessian.clone(), order));
        } else if report.iterations == refresh_at {
            refresh_at *= 2;
            preconditioner = match plan {
                Plan::Blocks => Preconditioner::blocks(objective, v),
                Plan::Diagonal if order > FACTOR_ORDER || !objective.rows.is_dense() => {
                    Preconditioner::diagonal(objective, v, &losses)
                }
                Plan::Newton | Plan::Sample | Plan::Diagonal => Preconditioner::full(objective, v),
            };
        }
    }
}
