//! Curves: a few hundred vertices of them, however many values they have.

use super::axis::Axis;
use super::canvas::{ALONE, Anchor, BESIDE_LEGEND, Canvas};
use super::palette::Theme;

/// Vertices that are drawn of one curve, at most.
const VERTICES: usize = 1000;

const HEIGHT: f64 = 470.0;
const SQUARE: f64 = 560.0;

/// A curve y over x, with points of it that are marked and named, and others in the same frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    pub(crate) others: Vec<Self>,
    pub(crate) marks: Vec<(f64, f64, String)>,
    pub(crate) log_x: bool,
    pub(crate) log_y: bool,
    /// Both axes from 0 to 1, of the same length.
    pub(crate) square: bool,
    /// Whether there is a legend also for one curve.
    pub(crate) legend: bool,
    /// What the legend says beside the name.
    pub(crate) note: String,
    /// Whether its values are dots too.
    pub(crate) dots: bool,
    /// Thin and grey, and not in the legend.
    pub(crate) faint: bool,
    /// Dashed lines, from one point to another.
    pub(crate) references: Vec<([f64; 2], [f64; 2])>,
}

impl Curve {
    pub(crate) fn draw(&self, theme: Theme, title: &str, subtitle: &str, names: &[String]) -> String {
        let all = || std::iter::once(self).chain(&self.others);
        let (x, y) = (all().flat_map(|curve| &curve.x).copied(), all().flat_map(|curve| &curve.y).copied());
        let ends = || self.references.iter().flat_map(|&(from, to)| [from, to]);
        let unit = [0.0, 1.0].into_iter();
        let x_axis = match (self.square, self.log_x) {
            (true, _) => Axis::linear(unit.clone()),
            (_, true) => Axis::log(x),
            _ => Axis::linear(x),
        };
        let y_axis = match (self.square, self.log_y) {
            (true, _) => Axis::linear(unit),
            (_, true) => Axis::log(y.chain(ends().map(|end| end[1]))).widened(0.03),
            _ => Axis::linear(y.chain([0.0])).widened(0.03),
        };
        let with_legend = self.legend || !self.others.is_empty();
        let (width, height) = match with_legend {
            _ if self.square => (SQUARE, SQUARE),
            true => (BESIDE_LEGEND, HEIGHT),
            false => (ALONE, HEIGHT),
        };
        let mut canvas = Canvas::new(theme, title, subtitle, width, height);
        canvas.axes(&x_axis, &y_axis, &names[0], &names[1]);

        for &(from, to) in &self.references {
            let ends = [from, to].map(|[x, y]| canvas.place(&x_axis, &y_axis, x, y));
            if let [Some([x, y]), Some([u, v])] = ends {
                let colour = theme.soft_text();
                canvas.push(&format!(
                    "<path d=\"M{x:.1} {y:.1}L{u:.1} {v:.1}\" stroke=\"{colour}\" stroke-dasharray=\"5 5\"/>"
                ));
            }
        }
        let mut legend = Vec::new();
        // The faint ones first, so that they lie beneath.
        let mut order: Vec<(usize, &Self)> = all().enumerate().collect();
        order.sort_by_key(|(_, curve)| !curve.faint);
        for (number, Self { name, note, x, y, dots, faint, .. }) in order {
            let mut path = String::new();
            let mut marks = String::new();
            for i in decimated(y) {
                if let Some([x, y]) = canvas.place(&x_axis, &y_axis, x[i], y[i]) {
                    path += &format!("{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
                    if *dots {
                        marks += &format!("M{x:.1} {y:.1}h0");
                    }
                }
            }
            let colour = theme.colour(2 + number);
            let colour = colour.mixed(theme.text(), if theme == Theme::Light { 0.0 } else { 0.35 });
            let (colour, stroke) = if *faint { (theme.noise(), 1.0) } else { (colour, 2.5) };
            canvas.push(&format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"{stroke}\" stroke-linejoin=\"round\"/>"
            ));
            if *dots {
                canvas.push(&format!(
                    "<path d=\"{marks}\" stroke=\"{colour}\" stroke-width=\"9\" stroke-linecap=\"round\"/>"
                ));
            }
            if !faint {
                legend.push((Some(colour), name.clone(), note.clone()));
            }
        }
        let n_faint = all().filter(|curve| curve.faint).count();
        if n_faint > 0 {
            legend.push((Some(theme.noise()), format!("{n_faint} more"), String::new()));
        }
        if with_legend {
            canvas.legend(&legend);
        }
        for (x, y, text) in &self.marks {
            if let Some([x, y]) = canvas.place(&x_axis, &y_axis, *x, *y) {
                mark(&mut canvas, x, y, text);
            }
        }
        canvas.finish()
    }
}

/// A ring at a pixel; with a text, dashed lines from it to both axes, and the text beside.
fn mark(canvas: &mut Canvas, x: f64, y: f64, text: &str) {
    let (left, bottom) = (canvas.area.left, canvas.area.top + canvas.area.height);
    let (colour, inside) = (canvas.theme.colour(3), canvas.theme.background());
    if !text.is_empty() {
        canvas.push(&format!(
            "<path d=\"M{left:.1} {y:.1}H{x:.1}V{bottom:.1}\" fill=\"none\" stroke=\"{colour}\" stroke-dasharray=\"4 4\"/>"
        ));
    }
    let colour = if text.is_empty() { canvas.theme.text() } else { colour };
    canvas.push(&format!(
        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"{inside}\" stroke=\"{colour}\" stroke-width=\"2.5\"/>"
    ));
    let (text_x, anchor) =
        if x < left + canvas.area.width / 2.0 { (x + 14.0, Anchor::Start) } else { (x - 14.0, Anchor::End) };
    // Above the line, and within the frame.
    let text_y = (y - 14.0).max(canvas.area.top + 18.0);
    let style = "font-size=\"15\" font-weight=\"600\"";
    canvas.styled(text_x, text_y, text, anchor, canvas.theme.text(), style);
}

/// Indices of the first and last value and of the least and greatest in each of equal stretches: no spike is lost.
pub(super) fn decimated(y: &[f64]) -> Vec<usize> {
    if y.len() <= VERTICES {
        return (0..y.len()).collect();
    }
    let stretches = VERTICES / 2 - 1;
    let mut kept = vec![0];
    for s in 0..stretches {
        let range = y.len() * s / stretches..y.len() * (s + 1) / stretches;
        let finite = || range.clone().filter(|&i| y[i].is_finite());
        let least = finite().min_by(|&a, &b| y[a].total_cmp(&y[b]));
        let greatest = finite().max_by(|&a, &b| y[a].total_cmp(&y[b]));
        kept.extend(least);
        kept.extend(greatest);
    }
    kept.push(y.len() - 1);
    kept.sort_unstable();
    kept.dedup();
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decimation_keeps_ends_and_spikes() {
        let mut y: Vec<f64> = (0..100_000).map(|i| f64::from(i) / 1e5).collect();
        y[54_321] = 9.0;
        y[12_345] = -9.0;
        y[777] = f64::NAN;
        let kept = decimated(&y);
        assert!(kept.len() <= VERTICES);
        for i in [0, 54_321, 12_345, 99_999] {
            assert!(kept.contains(&i), "{i}");
        }
        assert_eq!(decimated(&y[..5]), [0, 1, 2, 3, 4]);
    }
}
