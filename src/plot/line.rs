//! Curves: a few hundred vertices of them, however many values they have.

use super::axis::Axis;
use super::canvas::{ALONE, Anchor, BESIDE_LEGEND, Canvas};
use super::palette::Theme;

/// Vertices that are drawn of one curve, at most.
const VERTICES: usize = 1000;

const HEIGHT: f64 = 470.0;

/// A curve y over x, with points of it that are marked and named, and others in the same frame.
#[derive(Debug, Clone, Default)]
pub(crate) struct Curve {
    pub(crate) name: String,
    pub(crate) x: Vec<f64>,
    pub(crate) y: Vec<f64>,
    pub(crate) others: Vec<Self>,
    pub(crate) marks: Vec<(f64, f64, String)>,
    pub(crate) log_y: bool,
}

impl Curve {
    pub(crate) fn draw(&self, theme: Theme, title: &str, subtitle: &str, names: &[String]) -> String {
        let all = || std::iter::once(self).chain(&self.others);
        let x_axis = Axis::linear(all().flat_map(|curve| &curve.x).copied());
        let y = all().flat_map(|curve| &curve.y).copied();
        let y_axis = if self.log_y { Axis::log(y) } else { Axis::linear(y.chain([0.0])) };
        let y_axis = y_axis.widened(0.03);
        let width = if self.others.is_empty() { ALONE } else { BESIDE_LEGEND };
        let mut canvas = Canvas::new(theme, title, subtitle, width, HEIGHT);
        canvas.axes(&x_axis, &y_axis, &names[0], &names[1]);

        let mut legend = Vec::new();
        for (number, Self { name, x, y, .. }) in all().enumerate() {
            let mut path = String::new();
            for i in decimated(y) {
                if let Some([x, y]) = canvas.place(&x_axis, &y_axis, x[i], y[i]) {
                    path += &format!("{}{x:.1} {y:.1}", if path.is_empty() { 'M' } else { 'L' });
                }
            }
            let colour = theme.colour(2 + number);
            let colour = colour.mixed(theme.text(), if theme == Theme::Light { 0.0 } else { 0.35 });
            canvas.push(&format!(
                "<path d=\"{path}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2.5\" stroke-linejoin=\"round\"/>"
            ));
            legend.push((Some(colour), name.clone(), String::new()));
        }
        if !self.others.is_empty() {
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

/// A ring at a pixel, dashed lines from it to both axes, and its text beside.
fn mark(canvas: &mut Canvas, x: f64, y: f64, text: &str) {
    let (left, bottom) = (canvas.area.left, canvas.area.top + canvas.area.height);
    let (colour, inside) = (canvas.theme.colour(3), canvas.theme.background());
    canvas.push(&format!(
        "<path d=\"M{left:.1} {y:.1}H{x:.1}V{bottom:.1}\" fill=\"none\" stroke=\"{colour}\" stroke-dasharray=\"4 4\"/>\n\
         <circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"{inside}\" stroke=\"{colour}\" stroke-width=\"2.5\"/>"
    ));
    let (text_x, anchor) =
        if x < left + canvas.area.width / 2.0 { (x + 14.0, Anchor::Start) } else { (x - 14.0, Anchor::End) };
    // Above the line, and within the frame.
    let text_y = (y - 14.0).max(canvas.area.top + 18.0);
    let style = "font-size=\"15\" font-weight=\"600\"";
    canvas.styled(text_x, text_y, text, anchor, canvas.theme.text(), style);
}

/// Indices of the first and last value and of the least and greatest in each of equal stretches: no spike is lost.
fn decimated(y: &[f64]) -> Vec<usize> {
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
