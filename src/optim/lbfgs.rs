//! L-BFGS: quasi-Newton directions from the last few steps, and the line search that goes with them.

use std::collections::VecDeque;

/// The curvature that the last steps have shown.
///
/// Of the last `memory` steps `s` and gradient changes `y`, the two-loop recursion makes a matrix `H` near the inverse Hessian and gives
/// `-H g`. It starts from an initial inverse Hessian of the caller's choice: the identity, a diagonal, or the factor of a Hessian on some of the rows,
/// and the better that is, the fewer steps are needed.
///
/// # Example
/// ```
/// use sapwood::optim::lbfgs::{Lbfgs, line_search};
///
/// // f(x) = x_0^2 + 10 x_1^2
/// let f = |x: &[f64]| (x[0] * x[0] + 10.0 * x[1] * x[1], vec![2.0 * x[0], 20.0 * x[1]]);
/// let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
/// let (mut x, mut lbfgs) = (vec![1.0, 1.0], Lbfgs::new(5));
/// for _ in 0..20 {
///     let (value, g) = f(&x);
///     let mut direction = vec![0.0; 2];
///     lbfgs.direction(&g, |_| (), &mut direction);
///     let at = |t: f64| x.iter().zip(&direction).map(|(x, d)| x + t * d).collect::<Vec<_>>();
///     let Some(t) = line_search(value, dot(&g, &direction), 1.0, |t| {
///         let (value, g) = f(&at(t));
///         (value, dot(&g, &direction))
///     }) else {
///         break;
///     };
///     let next = at(t);
///     let s: Vec<f64> = next.iter().zip(&x).map(|(a, b)| a - b).collect();
///     let y: Vec<f64> = f(&next).1.iter().zip(&g).map(|(a, b)| a - b).collect();
///     lbfgs.push(&s, &y);
///     x = next;
/// }
/// assert!(x[0].abs() < 1e-8 && x[1].abs() < 1e-8);
/// ```
///
/// # Complexity
/// `O(memory n)` time a direction and memory, for `n` parameters.
///
/// # References
/// J. Nocedal, "Updating quasi-Newton matrices with limited storage", 1980.
#[derive(Debug, Clone)]
pub struct Lbfgs {
    memory: usize,
    pairs: VecDeque<Pair>,
    /// Room for the first loop's coefficients.
    alpha: Vec<f64>,
}

/// A step, the change of the gradient along it, and `1 / (s y)`.
#[derive(Debug, Clone)]
struct Pair {
    s: Vec<f64>,
    y: Vec<f64>,
    rho: f64,
}

impl Lbfgs {
    /// Remembers the last `memory` steps; 0 makes every direction `-H_0 g`.
    #[must_use]
    pub fn new(memory: usize) -> Self {
        Self { memory, pairs: VecDeque::with_capacity(memory), alpha: vec![0.0; memory] }
    }

    /// Adds a step `s` and the gradient's change `y`; one without positive curvature is left out.
    pub fn push(&mut self, s: &[f64], y: &[f64]) {
        let sy = dot(s, y);
        let curved = sy > f64::EPSILON * dot(y, y).sqrt() * dot(s, s).sqrt();
        if self.memory == 0 || !curved {
            return;
        }
        let mut pair = if self.pairs.len() == self.memory {
            self.pairs.pop_front().expect("memory is at least 1")
        } else {
            Pair { s: vec![0.0; s.len()], y: vec![0.0; y.len()], rho: 0.0 }
        };
        pair.s.copy_from_slice(s);
        pair.y.copy_from_slice(y);
        pair.rho = 1.0 / sy;
        self.pairs.push_back(pair);
    }

    /// Forgets all steps.
    pub fn clear(&mut self) {
        self.pairs.clear();
    }

    /// Writes `-H gradient`; `precondition` multiplies a vector by the initial inverse Hessian in place.
    ///
    /// # Panics
    /// When the lengths of `gradient`, `direction` and the remembered steps differ.
    pub fn direction(
        &mut self,
        gradient: &[f64],
        precondition: impl FnOnce(&mut [f64]),
        direction: &mut [f64],
    ) {
        let q = direction;
        q.copy_from_slice(gradient);
        for (pair, alpha) in self.pairs.iter().zip(&mut self.alpha).rev() {
            *alpha = pair.rho * dot(&pair.s, q);
            add(-*alpha, &pair.y, q);
        }
        precondition(q);
        for (pair, alpha) in self.pairs.iter().zip(&self.alpha) {
            let beta = pair.rho * dot(&pair.y, q);
            add(alpha - beta, &pair.s, q);
        }
        for v in q.iter_mut() {
            *v = -*v;
        }
    }
}

/// `a b`, in eight partial sums.
pub(crate) fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mut sums = [0.0; 8];
    let (a8, b8) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f64 = a8.remainder().iter().zip(b8.remainder()).map(|(a, b)| a * b).sum();
    for (a, b) in a8.zip(b8) {
        for l in 0..8 {
            sums[l] += a[l] * b[l];
        }
    }
    sums.iter().sum::<f64>() + rest
}

/// `y += a x`.
pub(crate) fn add(a: f64, x: &[f64], y: &mut [f64]) {
    assert_eq!(x.len(), y.len());
    for (y, x) in y.iter_mut().zip(x) {
        *y += a * x;
    }
}

/// A step length `t` that satisfies the Wolfe conditions along a descent direction, or `None`.
///
/// `value` and `slope` are those at 0, `first` is the length to try first, and `evaluate(t)` gives value and slope at `t`; its last call is at the
/// length returned. The conditions are `f(t) <= f(0) + 1e-4 t f'(0)` and `f'(t) >= 0.9 f'(0)`; where the values agree but for rounding, the
/// approximate conditions of Hager and Zhang (2005, eq. 4.1), which ask for slopes only.
///
/// # Example
/// ```
/// use sapwood::optim::lbfgs::line_search;
///
/// // Down f(t) = (t - 3)^2 from 0, where it is 9 with slope -6.
/// let t = line_search(9.0, -6.0, 1.0, |t| ((t - 3.0).powi(2), 2.0 * (t - 3.0)));
/// assert!(t.is_some_and(|t| (t - 3.0).abs() < 3.0));
/// ```
pub fn line_search(
    value: f64,
    slope: f64,
    first: f64,
    mut evaluate: impl FnMut(f64) -> (f64, f64),
) -> Option<f64> {
    const DECREASE: f64 = 1e-4;
    const CURVATURE: f64 = 0.9;
    const MAX_TRIALS: usize = 40;
    let noise = 1e-12 * value.abs();
    let (mut low, mut low_slope) = (0.0, slope);
    let mut high: Option<(f64, f64)> = None;
    // Least part of the interval that a step back keeps: squared at each step back in a row, so that a first length far too long costs few trials.
    let mut least = 0.1_f64;
    let mut t = first;
    for _ in 0..MAX_TRIALS {
        let (v, s) = evaluate(t);
        let finite = v.is_finite() && s.is_finite();
        let enough = v <= value + DECREASE * t * slope;
        let almost = v <= value + noise && s <= (2.0 * DECREASE - 1.0) * slope;
        if finite && (enough || almost) && s >= CURVATURE * slope {
            return Some(t);
        }
        if !finite || s > 0.0 || v > value + noise {
            least = if high.is_some() { (least * least).max(f64::MIN_POSITIVE) } else { least };
            high = Some((t, if finite { s } else { f64::INFINITY }));
        } else {
            least = 0.1;
            (low, low_slope) = (t, s);
        }
        t = match high {
            // Ends of different magnitude: the middle of their logarithms.
            Some((high, _)) if low > 0.0 && high > 1e3 * low => low.sqrt() * high.sqrt(),
            // Where the slope is zero on the line between the ends, kept away from both.
            Some((high, high_slope)) => {
                let secant = if high_slope.is_finite() && high_slope > 0.0 {
                    -low_slope / (high_slope - low_slope)
                } else {
                    3.0 * least
                };
                low + (high - low) * secant.clamp(least, 0.9)
            }
            None => 4.0 * t,
        };
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_memory_on_a_quadratic_finds_the_newton_direction() {
        // H = diag(1, 4, 9): three exact pairs along the axes make H_k = H^-1.
        let mut lbfgs = Lbfgs::new(3);
        for (i, h) in [1.0, 4.0, 9.0].into_iter().enumerate() {
            let (mut s, mut y) = ([0.0; 3], [0.0; 3]);
            s[i] = 0.5;
            y[i] = 0.5 * h;
            lbfgs.push(&s, &y);
        }
        let mut direction = [0.0; 3];
        lbfgs.direction(&[1.0, 1.0, 1.0], |_| (), &mut direction);
        for (d, h) in direction.into_iter().zip([1.0, 4.0, 9.0]) {
            assert!((d + 1.0 / h).abs() < 1e-15);
        }
        lbfgs.clear();
        lbfgs.direction(&[1.0, 2.0, 3.0], |q| q.iter_mut().for_each(|v| *v *= 2.0), &mut direction);
        assert_eq!(direction, [-2.0, -4.0, -6.0]);
    }

    #[test]
    fn steps_without_curvature_are_left_out() {
        let mut lbfgs = Lbfgs::new(2);
        lbfgs.push(&[1.0], &[0.0]);
        lbfgs.push(&[1.0], &[-1.0]);
        lbfgs.push(&[1.0], &[f64::NAN]);
        let mut direction = [0.0];
        lbfgs.direction(&[3.0], |_| (), &mut direction);
        assert_eq!(direction, [-3.0]);
    }

    #[test]
    fn line_search_shrinks_from_overflow_and_stretches_short_steps() {
        let f = |t: f64| ((3.0 - t).powi(2), 2.0 * (t - 3.0));
        for first in [1e-3, 1.0, 5.9, 1e3, 1e20, 1e150, 1e200, f64::MAX] {
            let t = line_search(9.0, -6.0, first, f).unwrap();
            assert!(f(t).0 <= 9.0 - 1e-4 * 6.0 * t && f(t).1 >= -0.9 * 6.0, "{first} {t}");
        }
        let walled = |t: f64| if t > 0.5 { (f64::INFINITY, f64::NAN) } else { f(t) };
        let t = line_search(9.0, -6.0, 1.0, walled).unwrap();
        assert!(
            (0.3..=0.5).contains(&t),
            "where the slope has risen to 0.9 of that at 0, before the wall: {t}"
        );
        assert_eq!(line_search(0.0, -1.0, 1.0, |_| (f64::NAN, f64::NAN)), None);
    }

    #[test]
    fn a_wall_far_below_the_first_length_is_found_in_few_trials() {
        // Finite only below 1e-30, falling there: any length with a tenth of the slope gone will do.
        for first in [1.0, 1e200] {
            let mut trials = 0;
            let t = line_search(0.0, -1.0, first, |t| {
                trials += 1;
                let u = t * 1e30;
                if u < 1.0 { ((u * u - u) / 1e30, 2.0 * u - 1.0) } else { (f64::INFINITY, f64::NAN) }
            });
            assert!(t.is_some_and(|t| t > 0.04e-30 && t < 1e-30), "{t:?}");
            assert!(trials <= 30, "{trials} trials");
        }
    }
}
