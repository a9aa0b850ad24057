//! Grid and random search over numbers with names.

use std::fmt;
use std::ops::Index;

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::error::{Error, Result};
use crate::par;
use crate::params::require;

/// Where a hyper-parameter is drawn from.
///
/// # Example
/// ```
/// use sapwood::select::{Range, random_search};
///
/// let space = [("alpha", Range::LogUniform(1e-3, 1e3)), ("k", Range::Integers(1, 5))];
/// let report = random_search(&space, 20, 0, |point| {
///     Ok::<_, sapwood::Error>(vec![-point["alpha"].log10().abs() - point["k"]])
/// })?;
/// assert_eq!(report.candidates().len(), 20);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum Range {
    /// Evenly from `low` to `high`.
    Uniform(f64, f64),
    /// Evenly in the logarithm from `low` to `high`, both greater than 0: for strengths and rates.
    LogUniform(f64, f64),
    /// A whole number from `low` to `high`, both included.
    Integers(i64, i64),
    /// One of these.
    Choice(Vec<f64>),
}

/// A value for each hyper-parameter: `point["alpha"]`.
///
/// # Example
/// ```
/// use sapwood::select::{Range, random_search};
///
/// let report = random_search(&[("k", Range::Choice(vec![2.0]))], 1, 0, |point| Ok::<_, sapwood::Error>(vec![point["k"]]))?;
/// assert_eq!(report.best().point.values(), [("k", 2.0)]);
/// # Ok::<(), sapwood::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    values: Vec<(&'static str, f64)>,
}

impl Point {
    /// Names and values, in the order of the search.
    #[must_use]
    pub fn values(&self) -> &[(&'static str, f64)] {
        &self.values
    }
}

impl Index<&str> for Point {
    type Output = f64;

    /// # Panics
    /// When the search has no such name.
    fn index(&self, name: &str) -> &f64 {
        match self.values.iter().find(|value| value.0 == name) {
            Some((_, value)) => value,
            None => panic!("the search has no `{name}`"),
        }
    }
}

/// A point and its scores.
///
/// # Example
/// See [`random_search`].
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Candidate {
    /// The point.
    pub point: Point,
    /// What the evaluation gave, for instance one score for each fold.
    pub scores: Vec<f64>,
    /// Their mean.
    pub mean: f64,
    /// Standard error of that mean; 0 for a single score.
    pub std_error: f64,
}

/// All points of a search with their scores, in the order in which they were drawn.
///
/// Printing gives a table, best first.
///
/// # Example
/// See [`random_search`].
#[derive(Debug, Clone, PartialEq)]
pub struct SearchReport {
    candidates: Vec<Candidate>,
}

impl SearchReport {
    /// All candidates, in the order of the search.
    #[must_use]
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }

    /// The candidate with the largest mean, the first of equals; NaN is worse than every number.
    #[must_use]
    pub fn best(&self) -> &Candidate {
        self.ranked()[0]
    }

    /// The candidates, best first.
    #[must_use]
    pub fn ranked(&self) -> Vec<&Candidate> {
        let worth = |c: &Candidate| if c.mean.is_nan() { f64::NEG_INFINITY } else { c.mean };
        let mut ranked: Vec<&Candidate> = self.candidates.iter().collect();
        ranked.sort_by(|a, b| worth(b).total_cmp(&worth(a)));
        ranked
    }
}

impl fmt::Display for SearchReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranked = self.ranked();
        write!(f, "{:>4}", "rank")?;
        for (name, _) in &ranked[0].point.values {
            write!(f, " {name:>12}")?;
        }
        writeln!(f, " {:>12} {:>10}", "score", "+-")?;
        for (rank, candidate) in ranked.into_iter().enumerate() {
            write!(f, "{:>4}", rank + 1)?;
            for (_, value) in &candidate.point.values {
                write!(f, " {value:>12.5}")?;
            }
            writeln!(f, " {:>12.6} {:>10.6}", candidate.mean, candidate.std_error)?;
        }
        Ok(())
    }
}

/// Most points of one search.
const MAX_POINTS: usize = 1 << 20;

/// Evaluates every combination of the given values, in parallel; the last name varies fastest.
///
/// # Errors
/// [`Error::Parameter`] for a grid without a cell or with more than 2^20; the first error of an evaluation.
///
/// # Example
/// ```
/// use sapwood::select::grid_search;
///
/// // The top of a hill.
/// let report = grid_search(&[("x", vec![0.0, 1.0, 2.0]), ("y", vec![3.0, 4.0])], |point| {
///     Ok::<_, sapwood::Error>(vec![-(point["x"] - 1.0).powi(2) - (point["y"] - 4.0).powi(2)])
/// })?;
/// assert_eq!(report.candidates().len(), 6);
/// assert_eq!(report.best().point.values(), [("x", 1.0), ("y", 4.0)]);
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn grid_search<E: From<Error> + Send>(
    grid: &[(&'static str, Vec<f64>)],
    evaluate: impl Fn(&Point) -> Result<Vec<f64>, E> + Sync,
) -> Result<SearchReport, E> {
    let cells = grid.iter().fold(1_usize, |cells, (_, values)| cells.saturating_mul(values.len()));
    if grid.is_empty() || !(1..=MAX_POINTS).contains(&cells) {
        let got = format!("{} cells", if grid.is_empty() { 0 } else { cells });
        return Err(Error::parameter("grid", format!("of 1 to {MAX_POINTS} cells"), got).into());
    }
    let point = |mut cell: usize| {
        let mut values: Vec<(&'static str, f64)> = Vec::with_capacity(grid.len());
        for (name, choices) in grid.iter().rev() {
            values.push((name, choices[cell % choices.len()]));
            cell /= choices.len();
        }
        values.reverse();
        Point { values }
    };
    search((0..cells).map(point).collect(), evaluate)
}

/// Evaluates `n_points` points drawn from the ranges, in parallel.
///
/// # Errors
/// [`Error::Parameter`] for no range, an empty range, no point or more than 2^20 points; the first error of an evaluation.
///
/// # Example
/// ```
/// use sapwood::select::{Range, random_search};
///
/// let ranges = [("alpha", Range::LogUniform(1e-3, 1e3)), ("depth", Range::Integers(1, 4))];
/// let report = random_search(&ranges, 50, 7, |point| {
///     Ok::<_, sapwood::Error>(vec![-point["alpha"].ln().abs() - point["depth"]])
/// })?;
/// assert_eq!(report.best().point["depth"], 1.0);
/// println!("{report}");
/// # Ok::<(), sapwood::Error>(())
/// ```
pub fn random_search<E: From<Error> + Send>(
    ranges: &[(&'static str, Range)],
    n_points: usize,
    seed: u64,
    evaluate: impl Fn(&Point) -> Result<Vec<f64>, E> + Sync,
) -> Result<SearchReport, E> {
    require(!ranges.is_empty(), "ranges", "at least one", 0)?;
    require((1..=MAX_POINTS).contains(&n_points), "n_points", "from 1 to 2^20", n_points)?;
    for (_, range) in ranges {
        range.check()?;
    }
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut point =
        || Point { values: ranges.iter().map(|(name, range)| (*name, range.draw(&mut rng))).collect() };
    search((0..n_points).map(|_| point()).collect(), evaluate)
}

fn search<E: From<Error> + Send>(
    points: Vec<Point>,
    evaluate: impl Fn(&Point) -> Result<Vec<f64>, E> + Sync,
) -> Result<SearchReport, E> {
    let scores = par::map(points.len(), |i| evaluate(&points[i]));
    let candidate = |(point, scores): (Point, Result<Vec<f64>, E>)| {
        let scores = scores?;
        if scores.is_empty() {
            return Err(Error::shape("scores", "at least one entry for each point", 0).into());
        }
        let n = scores.len() as f64;
        let mean = scores.iter().sum::<f64>() / n;
        let squares: f64 = scores.iter().map(|s| (s - mean).powi(2)).sum();
        let std_error = if scores.len() > 1 { (squares / (n - 1.0) / n).sqrt() } else { 0.0 };
        Ok(Candidate { point, scores, mean, std_error })
    };
    let candidates = points.into_iter().zip(scores).map(candidate).collect::<Result<_, E>>()?;
    Ok(SearchReport { candidates })
}

impl Range {
    fn check(&self) -> Result<()> {
        let (rule, valid) = match self {
            Self::Uniform(low, high) => {
                ("finite, its low end not above its high end", low <= high && (high - low).is_finite())
            }
            Self::LogUniform(low, high) => (
                "greater than 0 and finite, its low end not above its high end",
                *low > 0.0 && low <= high && high.is_finite(),
            ),
            Self::Integers(low, high) => ("whole numbers, the low end not above the high end", low <= high),
            Self::Choice(values) => ("at least one value", !values.is_empty()),
        };
        require(valid, "ranges", rule, format_args!("{self:?}"))
    }

    fn draw(&self, rng: &mut impl Rng) -> f64 {
        match self {
            Self::Uniform(low, high) => low + (high - low) * rng.r#gen::<f64>(),
            Self::LogUniform(low, high) => {
                (low.ln() + (high.ln() - low.ln()) * rng.r#gen::<f64>()).exp().clamp(*low, *high)
            }
            Self::Integers(low, high) => rng.gen_range(*low..=*high) as f64,
            Self::Choice(values) => values[rng.gen_range(0..values.len())],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nothing(_: &Point) -> Result<Vec<f64>> {
        Ok(vec![0.0])
    }

    #[test]
    fn empty_and_huge_searches_are_errors() {
        assert!(grid_search(&[], nothing).is_err());
        assert!(grid_search(&[("a", vec![])], nothing).is_err());
        let long = vec![0.0; 10_000];
        let error =
            grid_search(&[("a", long.clone()), ("b", long.clone()), ("c", long)], nothing).unwrap_err();
        assert_eq!(error.to_string(), "`grid` must be of 1 to 1048576 cells, got 1000000000000 cells");
        let ranges = [("a", Range::Uniform(0.0, 1.0))];
        assert!(random_search(&ranges, 0, 0, nothing).is_err());
        assert!(random_search(&ranges, usize::MAX, 0, nothing).is_err());
        assert!(random_search(&[], 1, 0, nothing).is_err());
        for bad in [
            Range::Uniform(1.0, 0.0),
            Range::Uniform(f64::NAN, 1.0),
            Range::Uniform(f64::MIN, f64::MAX),
            Range::LogUniform(0.0, 1.0),
            Range::LogUniform(1.0, f64::INFINITY),
            Range::Integers(2, 1),
            Range::Choice(vec![]),
        ] {
            assert!(random_search(&[("a", bad.clone())], 1, 0, nothing).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn draws_stay_in_range_and_repeat_with_the_seed() {
        let ranges = [
            ("u", Range::Uniform(-2.0, 3.0)),
            ("l", Range::LogUniform(1e-5, 1e5)),
            ("i", Range::Integers(i64::MIN, i64::MAX)),
            ("c", Range::Choice(vec![1.0, 7.0])),
        ];
        let report = random_search(&ranges, 300, 9, nothing).unwrap();
        assert_eq!(report, random_search(&ranges, 300, 9, nothing).unwrap());
        assert_ne!(report, random_search(&ranges, 300, 10, nothing).unwrap());
        let small = report.candidates().iter().filter(|c| c.point["l"] < 1.0).count();
        assert!(
            (100..200).contains(&small),
            "a log-uniform draw is below 1 half of the time, here {small} of 300"
        );
        for candidate in report.candidates() {
            assert!((-2.0..=3.0).contains(&candidate.point["u"]));
            assert!([1.0, 7.0].contains(&candidate.point["c"]));
        }
    }

    #[test]
    fn nan_is_never_best_and_errors_come_through() {
        let report = grid_search(&[("x", vec![0.0, 1.0, 2.0])], |point| {
            Ok::<_, Error>(vec![if point["x"] == 0.0 { f64::NAN } else { -point["x"] }])
        });
        assert_eq!(report.unwrap().best().point["x"], 1.0);
        let failed = grid_search(&[("x", vec![0.0])], |_| Err(Error::parameter("x", "better", 0)));
        assert_eq!(failed.unwrap_err().to_string(), "`x` must be better, got 0");
    }
}
