//! Columns far from 0 beside their spread: times in nanoseconds, for instance.
//!
//! ```text
//! z = sum_j w_j x_j + b = sum_j w_j (x_j - a_j) + b',     b' = b + sum_j w_j a_j
//! ```
//! Beside such an `x_j` the intercept is nearly a multiple of it: a Hessian has no digits left for the difference. A fit moves these columns to 0, each by
//! its first value `a_j`, and the free intercept makes up for it. The differences are exact, as the values are close to one another.

use super::rows::Rows;
use crate::float::Float;

/// Dense rows moved by `a`, 0 for the columns that stay.
#[derive(Debug)]
pub(super) struct Shifted<F> {
    x: Vec<F>,
    a: Vec<F>,
}

/// Part of its distance from 0 that the values of such a column are apart at most. The Hessian of a wider one keeps half its digits.
const CLOSE: f64 = 1.0 / 65536.0;

impl<F: Float> Shifted<F> {
    /// None where no column is far off, which on most data the first few rows tell.
    ///
    /// Else a copy of the records: `O(n d)`.
    pub(super) fn new(rows: &Rows<'_, F>) -> Option<Self> {
        let Rows::Dense { x, d } = *rows else { return None };
        let first = &x[..d];
        let close = F::cast(CLOSE);
        let mut columns: Vec<usize> =
            (0..d).filter(|&j| first[j].is_finite() && first[j] != F::zero()).collect();
        let mut varies = vec![false; d];
        for row in x.chunks_exact(d).skip(1) {
            columns.retain(|&j| {
                varies[j] |= row[j] != first[j];
                (row[j] - first[j]).abs() <= close * first[j].abs()
            });
            if columns.is_empty() {
                return None;
            }
        }
        columns.retain(|&j| varies[j]);
        if columns.is_empty() {
            return None;
        }
        let mut a = vec![F::zero(); d];
        columns.iter().for_each(|&j| a[j] = first[j]);
        let x = x.chunks_exact(d).flat_map(|row| row.iter().zip(&a).map(|(&x, &a)| x - a)).collect();
        Some(Self { x, a })
    }

    pub(super) fn rows(&self) -> Rows<'_, F> {
        Rows::Dense { x: &self.x, d: self.a.len() }
    }

    /// `a`, as numbers that parameters are multiplied with.
    pub(super) fn a(&self) -> impl Iterator<Item = f64> {
        self.a.iter().map(|a| a.as_f64())
    }

    /// Adds `sign sum_j w_j a_j` to the intercepts of the parameters `v`: 1 gives those of the moved rows, -1 those of the rows as they are.
    pub(super) fn move_intercepts(&self, sign: f64, v: &mut [f64]) {
        let lanes = v.len() / (self.a.len() + 1);
        let (weights, intercepts) = v.split_at_mut(self.a.len() * lanes);
        for (w, a) in weights.chunks_exact(lanes).zip(self.a()) {
            intercepts.iter_mut().zip(w).for_each(|(b, w)| *b += sign * w * a);
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::{Array1, Array2};

    use crate::LogisticRegression;
    use crate::logistic::Solver;
    use linfa::traits::Fit;
    use linfa::{Dataset, DatasetBase};

    /// Seconds of some minutes and a feature beside them, the classes more often 1 towards the end.
    fn rows() -> (Array2<f64>, Array1<usize>) {
        let x =
            Array2::from_shape_fn((600, 2), |(i, j)| if j == 0 { i as f64 } else { ((i * 79) % 11) as f64 });
        let y = (0..600).map(|i| usize::from((i * 7919) % 600 < 60 + 4 * i / 5)).collect();
        (x, y)
    }

    #[test]
    fn times_in_nanoseconds_are_as_good_as_seconds() {
        let (x, y) = rows();
        let from_1970 = Array2::from_shape_fn(x.dim(), |(i, j)| {
            if j == 0 { 1.7e18 + x[[i, 0]] * 1_073_741_824.0 } else { x[[i, j]] }
        });
        let solvers = [None, Some(Solver::Newton), Some(Solver::SampledNewton), Some(Solver::Lbfgs)];
        for (solver, l1_ratio) in solvers.into_iter().map(|solver| (solver, 0.0)).chain([(None, 1.0)]) {
            // A penalty feels the unit; of one so small the effect is below what is asserted.
            let alpha = if l1_ratio > 0.0 { 1e-9 } else { 0.0 };
            let mut params = LogisticRegression::params().alpha(alpha).l1_ratio(l1_ratio).tol(1e-12);
            if let Some(solver) = solver {
                params = params.solver(solver);
            }
            let model = params.fit(&Dataset::new(x.clone(), y.clone())).unwrap();
            let far = params.fit(&Dataset::new(from_1970.clone(), y.clone())).unwrap();
            let (p, q) = (model.predict_proba(&x).unwrap(), far.predict_proba(&from_1970).unwrap());
            assert!((p - q).iter().all(|gap| gap.abs() < 1e-5), "{solver:?} {l1_ratio}");
            // From its own optimum Newton's method has nothing left to do.
            if solver == Some(Solver::Newton) {
                let again = params.start_from(far.coefficients(), far.intercepts());
                let again = again.fit(&Dataset::new(from_1970.clone(), y.clone())).unwrap();
                assert!(again.report().iterations <= 1, "{}", again.report());
            }
        }
    }

    #[test]
    fn standard_errors_are_those_of_the_moved_column() {
        let (x, y) = rows();
        let mut far = x.clone();
        far.column_mut(0).mapv_inplace(|x| x + 2_f64.powi(40));
        let params = LogisticRegression::params().alpha(0.0).tol(1e-14);
        let (_, near) = params.fit_inference(&DatasetBase::new(x, y.clone()), 0.95).unwrap();
        let (_, far) = params.fit_inference(&DatasetBase::new(far, y), 0.95).unwrap();
        for (a, b) in near.estimates.iter().zip(&far.estimates).take(2) {
            assert!((a.std_error / b.std_error - 1.0).abs() < 1e-6, "{a:?} {b:?}");
        }
        // At time 0 the model is unsure by the slope's error times the distance.
        let (slope, intercept) = (&far.estimates[0], &far.estimates[2]);
        assert!((intercept.std_error / (slope.std_error * 2_f64.powi(40)) - 1.0).abs() < 1e-6);
    }
}
