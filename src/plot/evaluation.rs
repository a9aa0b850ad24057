//! How well a classifier does: confusion matrix, ROC and calibration.

use std::fmt::Display;

use ndarray::{ArrayBase, Data, Ix2};

use super::axis::count;
use super::canvas::{Anchor, Area, BESIDE_LEGEND, Canvas};
use super::line::Curve;
use super::palette::{Rgb, Theme};
use super::{Content, Figure, counted};
use crate::error::{Error, Result};
use crate::score::{ReliabilityBin, Thresholds};

/// The most classes whose counts can be read.
const MOST_CLASSES: usize = 40;

/// The most classes that have a line beside the matrix, which is as high as these.
const MOST_BESIDE: usize = 22;

impl Figure {
    /// The confusion matrix: how many rows of each class were taken for each.
    ///
    /// Colour is the share of the true class, so that rare classes show as well as common ones.
    ///
    /// # Shapes
    /// `counts[[true class, predicted class]]`, `(k, k)` for the `k` names in `classes`.
    ///
    /// # Errors
    /// [`Error::Shape`] where the sizes differ, or are 0 or above 40.
    ///
    /// # Example
    /// ```
    /// use sapwood::{ndarray::array, plot::Figure};
    ///
    /// let svg = Figure::confusion(&["ham", "spam"], &array![[50, 2], [1, 12]])?.to_svg();
    /// assert!(svg.contains("spam") && svg.contains(">50<"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn confusion<L: Display, S: Data<Elem = usize>>(
        classes: &[L],
        counts: &ArrayBase<S, Ix2>,
    ) -> Result<Self> {
        let k = classes.len();
        if counts.dim() != (k, k) {
            let (rows, columns) = counts.dim();
            let rule = format!("{k} rows and columns, one for each class");
            return Err(Error::shape("counts", rule, format_args!("{rows} x {columns}")));
        }
        if !(1..=MOST_CLASSES).contains(&k) {
            return Err(Error::shape("classes", format!("1 to {MOST_CLASSES} entries"), k));
        }
        let matrix = Matrix {
            names: classes.iter().map(ToString::to_string).collect(),
            counts: counts.rows().into_iter().map(|row| row.to_vec()).collect(),
        };
        let (all, right) = (counts.sum(), counts.diag().sum());
        let title = format!("{} of {} right", count(right), counted(all, "row"));
        Ok(Self::new(title, ["predicted class", "true class", ""], Content::Matrix(matrix)))
    }

    /// ROC curves by name, with the area under each and the diagonal of guessing.
    ///
    /// # Errors
    /// [`Error::Shape`] without a curve.
    ///
    /// # Example
    /// ```
    /// use sapwood::{plot::Figure, score::Thresholds};
    ///
    /// let curve = Thresholds::new(&[false, true, false, true], &[0.0, 0.4, 0.4, 0.8])?;
    /// let svg = Figure::roc(&[("model", &curve)])?.to_svg();
    /// assert!(svg.contains("0.875"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn roc(curves: &[(&str, &Thresholds)]) -> Result<Self> {
        let curve = |&(name, thresholds): &(&str, &Thresholds)| {
            let (x, y) = thresholds.roc().into_iter().unzip();
            let note = format!("{:.3}", thresholds.roc_auc());
            Curve { name: name.to_owned(), note, x, y, ..Curve::default() }
        };
        let figure = Self::unit_square(curves.iter().map(curve), "ROC and the area under it")?;
        Ok(figure.axes(["false positive rate", "true positive rate"]))
    }

    /// Reliability diagrams by name: how often an event comes to pass that was given a probability.
    ///
    /// On the diagonal a probability means what it says; below it the model is too sure of the event.
    ///
    /// # Errors
    /// [`Error::Shape`] without a curve.
    ///
    /// # Example
    /// ```
    /// use sapwood::{plot::Figure, score::reliability};
    ///
    /// let bins = reliability(&[false, true, true], &[0.1, 0.2, 0.9], 2)?;
    /// assert!(Figure::calibration(&[("model", &bins)])?.to_svg().contains("model"));
    /// # Ok::<(), sapwood::Error>(())
    /// ```
    pub fn calibration(curves: &[(&str, &[ReliabilityBin])]) -> Result<Self> {
        let curve = |&(name, bins): &(&str, &[ReliabilityBin])| {
            let (x, y) = bins.iter().map(|bin| (bin.mean_score, bin.positive_rate)).unzip();
            Curve { name: name.to_owned(), x, y, dots: true, ..Curve::default() }
        };
        let figure = Self::unit_square(curves.iter().map(curve), "Calibration")?;
        Ok(figure.axes(["mean probability that was given", "share that was positive"]))
    }

    fn unit_square(curves: impl Iterator<Item = Curve>, title: &str) -> Result<Self> {
        let mut curves: Vec<Curve> = curves.collect();
        if curves.is_empty() {
            return Err(Error::shape("curves", "at least one curve", 0));
        }
        let mut first = curves.remove(0);
        first.others = curves;
        first.square = true;
        first.legend = true;
        first.references.push(([0.0, 0.0], [1.0, 1.0]));
        Ok(Self::new(title.to_owned(), ["x", "y", ""], Content::Curve(first)))
    }
}

/// Counts of pairs of classes.
#[derive(Debug, Clone)]
pub(crate) struct Matrix {
    names: Vec<String>,
    counts: Vec<Vec<usize>>,
}

impl Matrix {
    pub(crate) fn draw(&self, theme: Theme, title: &str, subtitle: &str, axes: &[String]) -> String {
        let k = self.names.len();
        let cell = (560.0 / k as f64).clamp(17.0, 120.0);
        let side = cell * k as f64;
        let mut canvas = Canvas::new(theme, title, subtitle, BESIDE_LEGEND, side + 34.0);
        // Names of the rows stand to the left.
        let longest = self.names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(16);
        let Area { left, top, .. } = canvas.area;
        let left = left + 7.5 * longest as f64;
        let low =
            if theme == Theme::Light { theme.grid() } else { theme.background().mixed(theme.text(), 0.07) };
        let high = theme.colour(2);
        let size = (cell * 0.3).clamp(8.0, 17.0);
        for (i, row) in self.counts.iter().enumerate() {
            let all = row.iter().sum::<usize>().max(1) as f64;
            for (j, &n) in row.iter().enumerate() {
                let share = n as f64 / all;
                let fill = low.mixed(high, share);
                let (x, y) = (left + cell * j as f64, top + cell * i as f64);
                canvas.push(&format!(
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{0:.1}\" height=\"{0:.1}\" fill=\"{fill}\"/>",
                    cell - 1.5
                ));
                if n > 0 || k <= 10 {
                    let style = format!("font-size=\"{size:.1}\"");
                    let [x, y] = [x + (cell - 1.5) / 2.0, y + cell / 2.0 + size * 0.34];
                    canvas.styled(x, y, &count(n), Anchor::Middle, ink(theme, fill), &style);
                }
            }
        }
        let name_size = (cell * 0.55).clamp(8.0, 13.0);
        let style = format!("font-size=\"{name_size:.1}\"");
        // Names beneath the columns lie flat where they fit, and hang where not.
        let flat = longest as f64 * name_size * 0.6 <= cell;
        for (i, name) in self.names.iter().enumerate() {
            let name: String = name.chars().take(16).collect();
            let middle = cell * (i as f64 + 0.5);
            canvas.styled(
                left - 8.0,
                top + middle + name_size * 0.35,
                &name,
                Anchor::End,
                theme.soft_text(),
                &style,
            );
            let (x, y) = (left + middle, top + side + 16.0);
            if flat {
                canvas.styled(x, y, &name, Anchor::Middle, theme.soft_text(), &style);
            } else {
                let turned = format!("{style} transform=\"rotate(-40 {x:.1} {:.1})\"", y - 4.0);
                canvas.styled(x + 4.0, y - 2.0, &name, Anchor::End, theme.soft_text(), &turned);
            }
        }
        let bold = "font-size=\"14\"";
        let below = top + side + if flat { 44.0 } else { 34.0 + 4.6 * longest as f64 };
        canvas.styled(left + side / 2.0, below, &axes[0], Anchor::Middle, theme.text(), bold);
        let middle = top + side / 2.0;
        let turned = format!("font-size=\"14\" transform=\"rotate(-90 22 {middle:.1})\"");
        canvas.styled(22.0, middle, &axes[1], Anchor::Middle, theme.text(), &turned);
        canvas.area.width = left + side - canvas.area.left;
        // Beside it, how much of each class was found.
        let entries = self.counts.iter().enumerate().take(MOST_BESIDE).map(|(i, row)| {
            let all: usize = row.iter().sum();
            let found = if all == 0 {
                "none".to_owned()
            } else {
                format!("{:.1} %", 100.0 * row[i] as f64 / all as f64)
            };
            (None, self.names[i].chars().take(14).collect(), found)
        });
        let mut legend = vec![(None, "found of each class".to_owned(), String::new())];
        legend.extend(entries);
        if let more @ 1.. = self.names.len().saturating_sub(MOST_BESIDE) {
            legend.push((None, format!("and {more} more"), String::new()));
        }
        canvas.legend(&legend);
        canvas.finish()
    }
}

/// Black or white, whichever can be read on `fill`.
fn ink(theme: Theme, fill: Rgb) -> Rgb {
    let Rgb([r, g, b]) = fill;
    let light = 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    let (dark, bright) = match theme {
        Theme::Light => (theme.text(), theme.background()),
        Theme::Dark => (theme.background(), theme.text()),
    };
    if light > 140.0 { dark } else { bright }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::Array2;

    #[test]
    fn every_class_has_a_line_beside_the_matrix_or_is_counted() {
        let svg = |n: usize| {
            let names: Vec<String> = (0..n).map(|i| format!("class {i}")).collect();
            Figure::confusion(&names, &Array2::eye(n)).unwrap().to_svg()
        };
        // Once in each of three places: beside the row, below the column, in the list.
        assert_eq!(svg(18).matches(">class 17<").count(), 3);
        assert!(!svg(22).contains("more") && svg(30).contains(">and 8 more<"));
    }
}
