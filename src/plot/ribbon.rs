//! The probabilities of hidden states over time, beneath what was observed.

use std::fmt::{Display, Write};

use ndarray::{ArrayBase, Data, Ix2};

use super::axis::{Axis, count};
use super::canvas::{Anchor, Area, BESIDE_LEGEND, Canvas};
use super::palette::Theme;
use super::{Content, Figure, counted};
use crate::data::check_same_rows;
use crate::error::{Error, Result};
use crate::float::Float;

/// Steps of the ribbon that are drawn at most; beyond, neighbours are averaged.
const STEPS: usize = 500;

const SIGNAL: f64 = 210.0;
const RIBBON: f64 = 190.0;
const GAP: f64 = 22.0;

impl Figure {
    /// The posterior of the hidden states at each step as a ribbon, beneath the observations.
    ///
    /// At each step the ribbon is cut into the probabilities of the states, state 0 at the bottom: where one colour fills it, the model is sure. With no `observed` the ribbon
    /// stands alone. Beyond 500 steps neighbours are averaged.
    ///
    /// # Shapes
    /// `posteriors` is `(n, n_states)`, as [`Hmm::posteriors`](crate::Hmm::posteriors) gives it; `states` has a name for each state, `observed` `n` numbers or none.
    ///
    /// # Errors
    /// [`Error::Shape`] where the sizes differ.
    ///
    /// # Example
    /// ```
    /// use sapwood::{ndarray::array, plot::Figure};
    ///
    /// let posteriors = array![[0.9, 0.1], [0.4, 0.6], [0.1, 0.9]];
    /// let svg = Figure::posteriors(&posteriors, &["calm", "storm"], &[0.1, -2.0, 3.0])?.to_svg();
    /// assert!(svg.contains("storm"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn posteriors<F: Float, L: Display, S: Data<Elem = F>>(
        posteriors: &ArrayBase<S, Ix2>,
        states: &[L],
        observed: &[f64],
    ) -> Result<Self> {
        let (n, k) = posteriors.dim();
        if states.len() != k {
            return Err(Error::shape("states", format!("a name for each of the {k} states"), states.len()));
        }
        if !observed.is_empty() {
            check_same_rows("observed", observed.len(), n)?;
        }
        let ribbon = Ribbon {
            names: states.iter().map(ToString::to_string).collect(),
            rows: posteriors.rows().into_iter().map(|row| row.iter().map(|p| p.as_f64()).collect()).collect(),
            observed: observed.to_vec(),
        };
        let title = format!("{} over {}", counted(k, "hidden state"), counted(n, "step"));
        Ok(Self::new(title, ["step", "observed", "probability"], Content::Ribbon(ribbon)))
    }
}

/// A row of probabilities for each step.
#[derive(Debug, Clone)]
pub(crate) struct Ribbon {
    names: Vec<String>,
    rows: Vec<Vec<f64>>,
    observed: Vec<f64>,
}

impl Ribbon {
    pub(crate) fn draw(&self, theme: Theme, title: &str, subtitle: &str, axes: &[String]) -> String {
        let (n, k) = (self.rows.len(), self.names.len());
        let above = if self.observed.is_empty() { 0.0 } else { SIGNAL + GAP };
        let mut canvas = Canvas::new(theme, title, subtitle, BESIDE_LEGEND, above + RIBBON);
        let whole = canvas.area;
        let steps = Axis::linear([0.0, n.saturating_sub(1).max(1) as f64].into_iter());
        if above > 0.0 {
            canvas.area = Area { height: SIGNAL, ..whole };
            self.draw_observed(&mut canvas, &steps, &axes[1]);
        }
        canvas.area = Area { top: whole.top + above, height: RIBBON, ..whole };
        let share = Axis::linear([0.0, 1.0].into_iter());
        canvas.axes(&steps, &share, &axes[0], &axes[2]);
        if n == 0 || k == 0 {
            let Area { left, top, width, height } = canvas.area;
            canvas.text(left + width / 2.0, top + height / 2.0, "no steps", Anchor::Middle);
            return canvas.finish();
        }

        // Means over equal stretches, and for each state the line below which it and those before it lie.
        let stretches = n.min(STEPS);
        let mut lower = vec![0.0; stretches];
        let mut mean = vec![0.0; k];
        for (state, mean) in mean.iter_mut().enumerate() {
            let upper: Vec<f64> = (0..stretches)
                .map(|s| {
                    let rows = &self.rows[n * s / stretches..n * (s + 1) / stretches];
                    let p: f64 = rows.iter().map(|row| row[state]).filter(|p| p.is_finite()).sum();
                    (lower[s] + p / rows.len() as f64).clamp(0.0, 1.0)
                })
                .collect();
            *mean = upper.iter().zip(&lower).map(|(u, l)| u - l).sum::<f64>() / stretches as f64;
            let x = |s: usize| whole.left + whole.width * s as f64 / stretches as f64;
            let y = |p: f64| canvas.area.top + (1.0 - p) * RIBBON;
            let mut path = String::new();
            // Writing to a string cannot fail.
            let _ = write!(path, "M{:.1} {:.1}", x(0), y(upper[0]));
            for (s, &p) in upper.iter().enumerate() {
                let _ = write!(path, "V{:.1}H{:.1}", y(p), x(s + 1));
            }
            for (s, &p) in lower.iter().enumerate().rev() {
                let _ = write!(path, "V{:.1}H{:.1}", y(p), x(s));
            }
            let colour = theme.colour(state);
            canvas.push(&format!("<path d=\"{path}Z\" fill=\"{colour}\"/>"));
            lower = upper;
        }
        let mut legend: Vec<_> = self
            .names
            .iter()
            .zip(&mean)
            .enumerate()
            .rev()
            .take(20)
            .map(|(state, (name, mean))| {
                let name: String = name.chars().take(15).collect();
                let named =
                    if name.chars().all(|c| c.is_ascii_digit()) { format!("state {name}") } else { name };
                (Some(theme.colour(state)), named, format!("{:.1} %", 100.0 * mean))
            })
            .collect();
        if k > 20 {
            legend.push((None, format!("{} more", count(k - 20)), String::new()));
        }
        canvas.area = whole;
        canvas.legend(&legend);
        canvas.finish()
    }

    /// The observations as a line, without names beneath its axis: the ribbon has them.
    fn draw_observed(&self, canvas: &mut Canvas, steps: &Axis, name: &str) {
        let y_axis = Axis::linear(self.observed.iter().copied()).widened(0.04);
        canvas.frame(steps, &y_axis, None, name);
        let mut path = String::new();
        for i in super::line::decimated(&self.observed) {
            if let Some([x, y]) = canvas.place(steps, &y_axis, i as f64, self.observed[i]) {
                path += &format!("{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
            }
        }
        let colour = canvas.theme.text();
        canvas.push(&format!(
            "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"1.3\" stroke-linejoin=\"round\"/>"
        ));
    }
}
