//! How a fit went: losses, gradients through time, coefficients along a path of penalties.

use ndarray::{ArrayBase, Data, Ix2};

use super::line::Curve;
use super::{Content, Figure, short};
use crate::data::check_same_rows;
use crate::error::{Error, Result};
use crate::float::Float;

/// Entries of the legend of a regularisation path.
const NAMED: usize = 12;

impl Figure {
    /// Losses after each epoch or round, by name; the lowest of each has a ring, and stands in the legend.
    ///
    /// # Errors
    /// [`Error::Shape`] without a curve.
    ///
    /// # Example
    /// ```
    /// use sapwood::plot::Figure;
    ///
    /// let svg = Figure::losses(&[("training", &[0.9, 0.5, 0.2]), ("held back", &[0.9, 0.6, 0.7])])?.to_svg();
    /// assert!(svg.contains("held back") && svg.contains(">0.6<"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn losses(curves: &[(&str, &[f64])]) -> Result<Self> {
        let mut marks = Vec::new();
        let curves = curves.iter().map(|&(name, losses)| {
            let finite = losses.iter().enumerate().filter(|(_, loss)| loss.is_finite());
            let lowest = finite.min_by(|a, b| a.1.total_cmp(b.1));
            marks.extend(lowest.map(|(at, &lowest)| ((at + 1) as f64, lowest, String::new())));
            let note = lowest.map_or_else(String::new, |(_, &lowest)| short(lowest));
            let x = (1..=losses.len()).map(|epoch| epoch as f64).collect();
            Curve { name: name.to_owned(), note, x, y: losses.to_vec(), ..Curve::default() }
        });
        let mut first = together(curves.collect())?;
        first.marks = marks;
        first.legend = true;
        Ok(Self::new("Loss".to_owned(), ["epoch", "loss", ""], Content::Curve(first)))
    }

    /// What is left of a gradient so many steps back, by name, on a logarithmic axis.
    ///
    /// `norms` as [`GradientThroughTime::norms`](crate::recurrent::GradientThroughTime::norms) gives them; drawn as shares of the first. A line that falls is a gradient that vanishes; the
    /// dashed line is a thousandth.
    ///
    /// # Errors
    /// [`Error::Shape`] without a curve.
    ///
    /// # Example
    /// ```
    /// use sapwood::plot::Figure;
    ///
    /// let svg = Figure::gradients_through_time(&[("LSTM", &[1.0, 0.9, 0.85]), ("RNN", &[2.0, 0.1, 1e-4])])?.to_svg();
    /// assert!(svg.contains("steps back"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn gradients_through_time(curves: &[(&str, &[f64])]) -> Result<Self> {
        let longest = curves.iter().map(|(_, norms)| norms.len()).max().unwrap_or(0);
        let curves = curves.iter().map(|&(name, norms)| {
            let first = norms.first().copied().unwrap_or(1.0);
            let x = (0..norms.len()).map(|lag| lag as f64).collect();
            Curve {
                name: name.to_owned(),
                x,
                y: norms.iter().map(|norm| norm / first).collect(),
                ..Curve::default()
            }
        });
        let mut first = together(curves.collect())?;
        first.log_y = true;
        first.references.push(([0.0, 1e-3], [longest.saturating_sub(1) as f64, 1e-3]));
        let axes = ["steps back", "gradient, as a share of the last step's", ""];
        Ok(Self::new("Gradient through time".to_owned(), axes, Content::Curve(first)))
    }

    /// The coefficients of a model along penalties, strongest first or last, on a logarithmic axis.
    ///
    /// The twelve features with the largest coefficients are named, the others are thin and grey.
    ///
    /// # Shapes
    /// `alphas` has `n` entries, `coefficients` is `(n, n_features)`, `names` has an entry for each feature.
    ///
    /// # Errors
    /// [`Error::Shape`] where the sizes differ, and without a feature.
    ///
    /// # Example
    /// ```
    /// use sapwood::{ndarray::array, plot::Figure};
    ///
    /// let figure = Figure::regularisation_path(&[1.0, 0.1], &array![[0.0, 0.2], [-0.4, 0.9]], &["age", "weight"])?;
    /// assert!(figure.to_svg().contains("weight"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn regularisation_path<F: Float, S: Data<Elem = F>>(
        alphas: &[f64],
        coefficients: &ArrayBase<S, Ix2>,
        names: &[&str],
    ) -> Result<Self> {
        check_same_rows("coefficients", coefficients.nrows(), alphas.len())?;
        check_same_rows("names", names.len(), coefficients.ncols())?;
        let mut curves: Vec<Curve> = names
            .iter()
            .zip(coefficients.columns())
            .map(|(name, column)| Curve {
                name: (*name).to_owned(),
                x: alphas.to_vec(),
                y: column.iter().map(|w| w.as_f64()).collect(),
                ..Curve::default()
            })
            .collect();
        let reach = |curve: &Curve| curve.y.iter().fold(0.0_f64, |reach, w| reach.max(w.abs()));
        curves.sort_by(|a, b| reach(b).total_cmp(&reach(a)));
        curves.iter_mut().skip(NAMED).for_each(|curve| curve.faint = true);
        let (lo, hi) = super::axis::limits(alphas.iter().copied()).unwrap_or((0.1, 1.0));
        let mut first = together(curves)?;
        first.log_x = true;
        first.legend = true;
        first.references.push(([lo, 0.0], [hi, 0.0]));
        let axes = ["strength of the penalty, alpha", "coefficient", ""];
        Ok(Self::new("Coefficients along the penalty".to_owned(), axes, Content::Curve(first)))
    }
}

/// Curves in one frame.
fn together(mut curves: Vec<Curve>) -> Result<Curve> {
    if curves.is_empty() {
        return Err(Error::shape("curves", "at least one curve", 0));
    }
    let first = curves.remove(0);
    Ok(Curve { others: curves, ..first })
}
