//! Standard errors, tests and intervals of a maximum-likelihood fit.

use std::fmt;

use linfa::DatasetBase;
use linfa::dataset::{AsSingleTargets, Label};
use linfa::traits::Fit;
use ndarray::{ArrayBase, Data, Ix2};

use super::curvature::Blocks;
use super::factor::Factor;
use super::fit::{Layout, Targets};
use super::params::LogisticRegressionParams;
use super::rows::Rows;
use super::shift::Shifted;
use super::{LogisticRegression, LogisticRegressionValidParams};
use crate::data;
use crate::error::{Error, Result};
use crate::float::Float;
use crate::optim::lbfgs::dot;
use crate::params::require;

/// The table that belongs to a fit without a penalty: how sure each coefficient is, and how well the model fits.
///
/// Printing gives it as statsmodels prints it. From [`LogisticRegressionParams::fit_inference`].
///
/// # Example
/// See [`LogisticRegressionParams::fit_inference`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Inference {
    /// One entry for each coefficient and intercept, logit after logit, each logit's intercept last.
    pub estimates: Vec<Estimate>,
    /// Log-likelihood of the model.
    pub log_likelihood: f64,
    /// Log-likelihood of the frequencies of the classes alone, or of equal odds where the model has no intercept.
    pub null_log_likelihood: f64,
    /// `2 p - 2 log_likelihood` for `p` estimates (Akaike).
    pub aic: f64,
    /// `p log(n) - 2 log_likelihood` for `n` samples (Schwarz).
    pub bic: f64,
    /// Number of samples.
    pub n_samples: usize,
    /// Probability with which the intervals cover.
    pub level: f64,
}

/// One coefficient and how sure it is.
///
/// # Example
/// See [`LogisticRegressionParams::fit_inference`].
#[derive(Debug, Clone, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct Estimate {
    /// Class whose logit it belongs to.
    pub class: String,
    /// Name of the feature, or `intercept`.
    pub name: String,
    /// The coefficient.
    pub value: f64,
    /// Its standard error: the root of the diagonal entry of the inverse Hessian.
    pub std_error: f64,
    /// `value / std_error`.
    pub z: f64,
    /// Two-sided probability of a larger `|z|` if the coefficient were 0 (Wald test).
    pub p_value: f64,
    /// Lower end of the confidence interval.
    pub low: f64,
    /// Upper end of the confidence interval.
    pub high: f64,
}

impl LogisticRegressionParams {
    /// Fits without a penalty and adds standard errors, tests and intervals that cover with probability `level`.
    ///
    /// # Formula
    /// The covariance of the estimates is the inverse of the Hessian of the negative log-likelihood at the maximum (the observed information). Weights of
    /// samples count as repetitions of the row.
    ///
    /// # Example
    /// ```
    /// use sapwood::{LogisticRegression, linfa::Dataset, ndarray::array};
    ///
    /// let weight = array![[2.6], [2.9], [2.3], [3.2], [3.4], [3.5], [1.6], [1.8], [2.5], [3.8]];
    /// let manual = array![true, true, true, false, false, true, true, true, false, false];
    /// let data = Dataset::new(weight, manual).with_feature_names(vec!["weight"]);
    /// let (model, table) = LogisticRegression::params().alpha(0.0).fit_inference(&data, 0.95)?;
    ///
    /// assert!(model.report().converged());
    /// let weight = &table.estimates[0];
    /// assert!(weight.name == "weight" && weight.value < 0.0 && weight.low < weight.value);
    /// assert!(table.to_string().contains("P>|z|"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of the fit; [`Error::Parameter`] when `alpha` is not 0, since penalised estimates are biased and have no such table, or when `level`
    /// is not between 0 and 1; [`Error::Shape`] when columns of the records depend on one another.
    pub fn fit_inference<F, D, T, L>(
        &self,
        dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
        level: f64,
    ) -> Result<(LogisticRegression<F, L>, Inference)>
    where
        F: Float,
        D: Data<Elem = F>,
        T: AsSingleTargets<Elem = L>,
        L: Label,
    {
        require(self.0.alpha == 0.0, "alpha", "0 for a table of inference", self.0.alpha)?;
        require(level > 0.0 && level < 1.0, "level", "greater than 0 and less than 1", level)?;
        let model = self.fit(dataset)?;
        let inference = inference(&self.0, &model, dataset, level)?;
        Ok((model, inference))
    }
}

fn inference<F, D, T, L>(
    params: &LogisticRegressionValidParams,
    model: &LogisticRegression<F, L>,
    dataset: &DatasetBase<ArrayBase<D, Ix2>, T>,
    level: f64,
) -> Result<Inference>
where
    F: Float,
    D: Data<Elem = F>,
    T: AsSingleTargets<Elem = L>,
    L: Label,
{
    let x = dataset.records().view();
    let (n, d) = x.dim();
    let targets = Targets::new(params, dataset.as_single_targets(), &dataset.weights, n)?;
    let k = targets.classes.n_classes();
    let layout = Layout::new(k, params.alpha);
    let slice = data::rows(&x);
    let offset = params.offsets(n, layout)?;
    let rows = Rows::Dense { x: &slice, d };
    let shifted = if params.fit_intercept { Shifted::new(&rows) } else { None };
    let objective = layout.objective(params, shifted.as_ref().map_or(rows, Shifted::rows), &targets, &offset);
    let v = layout.pack(&model.coefficients.mapv(F::as_f64), &model.intercepts.mapv(F::as_f64));
    let mut at = v.clone();
    if let Some(shifted) = &shifted {
        shifted.move_intercepts(1.0, &mut at);
    }
    let order = objective.order();
    let factor = Factor::new(objective.hessian(&at, Blocks::All), order);
    let names = dataset.feature_names();
    let name = |j: usize| names.get(j).cloned().unwrap_or_else(|| format!("x{j}"));
    // Without intercepts their rows are empty, and only theirs may be.
    let free = if params.fit_intercept { d + 1 } else { d };
    if let Some(i) = factor.dependent().find(|i| i % (d + 1) < free) {
        let found = if i % (d + 1) == d { "the intercept".to_owned() } else { name(i % (d + 1)) };
        let rule = "columns that do not depend on one another, nor on the intercept";
        return Err(Error::shape("records", rule, format_args!("{found} as a sum of earlier ones")));
    }
    let quantile = normal_quantile(0.5 + 0.5 * level);
    let lanes = objective.lanes();
    let mut estimates = Vec::new();
    let mut combination = vec![0.0; order];
    for c in 0..objective.m {
        let class = format!("{:?}", targets.classes.label(k - objective.m + c));
        for j in 0..free {
            let i = c * (d + 1) + j;
            combination.fill(0.0);
            combination[i] = 1.0;
            // An intercept is that of the moved rows less the weights times what these were moved by.
            if let (true, Some(shifted)) = (j == d, &shifted) {
                let weights = &mut combination[i - d..i];
                weights.iter_mut().zip(shifted.a()).for_each(|(w, a)| *w = -a);
            }
            let mut covariance = combination.clone();
            factor.solve(&mut covariance);
            let (value, std_error) = (v[j * lanes + c], dot(&combination, &covariance).sqrt());
            let z = value / std_error;
            estimates.push(Estimate {
                class: class.clone(),
                name: if j == d { "intercept".to_owned() } else { name(j) },
                value,
                std_error,
                z,
                p_value: erfc(z.abs() / std::f64::consts::SQRT_2),
                low: value - quantile * std_error,
                high: value + quantile * std_error,
            });
        }
    }
    let mut totals = vec![0.0; k];
    for (&c, w) in targets.column.iter().zip(&targets.weight) {
        totals[c as usize] += w;
    }
    let sum: f64 = totals.iter().sum();
    let null = |total: f64| total * if params.fit_intercept { (total / sum).ln() } else { -(k as f64).ln() };
    let log_likelihood = -model.report.objective;
    let p = estimates.len() as f64;
    Ok(Inference {
        estimates,
        log_likelihood,
        null_log_likelihood: totals.iter().filter(|&&t| t > 0.0).map(|&t| null(t)).sum(),
        aic: 2.0 * (p - log_likelihood),
        bic: p * (n as f64).ln() - 2.0 * log_likelihood,
        n_samples: n,
        level,
    })
}

impl fmt::Display for Inference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { log_likelihood, null_log_likelihood, aic, bic, n_samples, .. } = self;
        let pseudo = 1.0 - log_likelihood / null_log_likelihood;
        writeln!(
            f,
            "samples {n_samples}   log-likelihood {log_likelihood:.3}   null {null_log_likelihood:.3}"
        )?;
        writeln!(f, "pseudo R^2 {pseudo:.4}   AIC {aic:.2}   BIC {bic:.2}")?;
        let width = self.estimates.iter().map(|e| e.name.chars().count()).max().unwrap_or(0).max(8);
        let tail = 0.5 - 0.5 * self.level;
        let mut class = None;
        for e in &self.estimates {
            if class != Some(&e.class) {
                class = Some(&e.class);
                writeln!(f)?;
                writeln!(
                    f,
                    "{:width$} {:>11} {:>10} {:>8} {:>7} {:>11} {:>11}",
                    format!("y={}", e.class),
                    "coef",
                    "std err",
                    "z",
                    "P>|z|",
                    format!("[{tail:.3}"),
                    format!("{:.3}]", 1.0 - tail),
                )?;
            }
            let Estimate { name, value, std_error, z, p_value, low, high, .. } = e;
            writeln!(
                f,
                "{name:width$} {value:>11.4} {std_error:>10.4} {z:>8.3} {p_value:>7.3} {low:>11.4} {high:>11.4}"
            )?;
        }
        Ok(())
    }
}

/// `erfc(x)` for `x >= 0`: the series of `erf` below 2, above it the continued fraction, evaluated from the end.
///
/// Abramowitz & Stegun 7.1.6 and 7.1.14.
fn erfc(x: f64) -> f64 {
    let scale = (-x * x).exp() * std::f64::consts::FRAC_2_SQRT_PI;
    if x < 2.0 {
        // erf(x) = 2/sqrt(pi) exp(-x^2) sum_n 2^n x^(2n+1) / (1 3 .. (2n+1)), all terms positive.
        let (mut term, mut sum, mut n) = (x, x, 1.0);
        while term > sum * 1e-17 {
            term *= 2.0 * x * x / (2.0 * n + 1.0);
            sum += term;
            n += 1.0;
        }
        return 1.0 - scale * sum;
    }
    // 1 / (x + (1/2) / (x + 1 / (x + (3/2) / (x + ..)))): 200 terms give full precision from 2 on.
    let tail = (1..=200).rev().fold(x, |rest, n| x + 0.5 * f64::from(n) / rest);
    0.5 * scale / tail
}

/// The point that a standard normal variable stays below with probability `p > 1/2`, by bisection.
fn normal_quantile(p: f64) -> f64 {
    let above = 2.0 * (1.0 - p);
    let (mut low, mut high) = (0.0, 40.0);
    for _ in 0..70 {
        let middle = 0.5 * (low + high);
        if erfc(middle / std::f64::consts::SQRT_2) > above {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn erfc_and_quantile_agree_with_tables() {
        // scipy.special.erfc
        for (x, y) in [
            (0.0, 1.0),
            (0.1, 0.887_537_083_981_715),
            (1.0, 0.157_299_207_050_285_13),
            (1.999, 0.004_698_443_348_629_486),
            (2.0, 0.004_677_734_981_047_266),
            (5.0, 1.537_459_794_428_035e-12),
            (20.0, 5.395_865_611_607_901e-176),
        ] {
            assert!((erfc(x) - y).abs() <= 2e-13 * y, "erfc({x}) = {}", erfc(x));
        }
        assert!((normal_quantile(0.975) - 1.959_963_984_540_054).abs() < 1e-14);
        assert!((normal_quantile(0.995) - 2.575_829_303_548_901).abs() < 1e-14);
    }
}
