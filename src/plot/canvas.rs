//! What every figure shares: header, frame, axes, legend and the SVG text itself.

use super::axis::Axis;
use super::palette::{Rgb, Theme};

/// Width of every figure in pixels; the height follows the content.
pub(crate) const WIDTH: f64 = 1000.0;
pub(crate) const LEFT: f64 = 76.0;
const TOP: f64 = 92.0;
const BOTTOM: f64 = 66.0;
const LEGEND: f64 = 212.0;
/// Width of the plotting area where a legend stands beside it.
pub(crate) const BESIDE_LEGEND: f64 = WIDTH - LEFT - LEGEND;
/// Width of the plotting area without a legend.
pub(crate) const ALONE: f64 = WIDTH - LEFT - 36.0;

/// The plotting area, in pixels from the upper left corner of the figure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Area {
    pub(crate) left: f64,
    pub(crate) top: f64,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// A figure being written.
#[derive(Debug)]
pub(crate) struct Canvas {
    pub(crate) area: Area,
    pub(crate) theme: Theme,
    svg: String,
}

/// Which side of its position a text stands on.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    /// A figure with its background, title and subtitle, and room for a plot of `width` x `height` pixels.
    pub(crate) fn new(theme: Theme, title: &str, subtitle: &str, width: f64, height: f64) -> Self {
        let area = Area { left: LEFT, top: TOP, width, height };
        let total = (TOP + height + BOTTOM).round();
        let svg = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {total}\" width=\"{WIDTH}\" \
             height=\"{total}\" role=\"img\" font-family=\"'Segoe UI','Helvetica Neue',Helvetica,Arial,\
             'Liberation Sans',sans-serif\" font-size=\"13\">\n<title>{}</title>\n\
             <rect width=\"100%\" height=\"100%\" fill=\"{}\"/>\n",
            escape(title),
            theme.background()
        );
        let mut canvas = Self { area, theme, svg };
        canvas.styled(LEFT, 42.0, title, Anchor::Start, theme.text(), "font-size=\"22\" font-weight=\"600\"");
        canvas.styled(LEFT, 66.0, subtitle, Anchor::Start, theme.soft_text(), "font-size=\"14\"");
        canvas
    }

    /// Appends SVG as it is.
    pub(crate) fn push(&mut self, svg: &str) {
        self.svg += svg;
        self.svg.push('\n');
    }

    pub(crate) fn text(&mut self, x: f64, y: f64, text: &str, anchor: Anchor) {
        self.styled(x, y, text, anchor, self.theme.soft_text(), "");
    }

    pub(crate) fn styled(&mut self, x: f64, y: f64, text: &str, anchor: Anchor, colour: Rgb, style: &str) {
        if text.is_empty() {
            return;
        }
        let anchor = match anchor {
            Anchor::Start => "start",
            Anchor::Middle => "middle",
            Anchor::End => "end",
        };
        let text = escape(text);
        self.push(&format!(
            "<text x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\" fill=\"{colour}\" {style}>{text}</text>"
        ));
    }

    pub(crate) fn line(&mut self, from: [f64; 2], to: [f64; 2], colour: Rgb) {
        let ([x, y], [u, v]) = (from, to);
        self.push(&format!("<path d=\"M{x:.1} {y:.1}L{u:.1} {v:.1}\" stroke=\"{colour}\"/>"));
    }

    /// Where a point of the plane lies on the figure, `None` for what an axis cannot show.
    pub(crate) fn place(&self, x_axis: &Axis, y_axis: &Axis, x: f64, y: f64) -> Option<[f64; 2]> {
        let Area { left, top, width, height } = self.area;
        Some([left + x_axis.fraction(x)? * width, top + (1.0 - y_axis.fraction(y)?) * height])
    }

    /// Frame, grid, ticks and names of two axes.
    pub(crate) fn axes(&mut self, x_axis: &Axis, y_axis: &Axis, x_name: &str, y_name: &str) {
        self.frame(x_axis, y_axis, Some(x_name), y_name);
    }

    /// As [`axes`](Self::axes); without a name, the x axis has no numbers either: those of a frame below are its own.
    pub(crate) fn frame(&mut self, x_axis: &Axis, y_axis: &Axis, x_name: Option<&str>, y_name: &str) {
        let Area { left, top, width, height } = self.area;
        let (right, bottom) = (left + width, top + height);
        let grid = self.theme.grid();
        for (value, text) in x_axis.ticks((width / 90.0) as usize) {
            if let Some(t) = x_axis.fraction(value) {
                let x = left + t * width;
                self.line([x, top], [x, bottom], grid);
                if x_name.is_some() {
                    self.text(x, bottom + 20.0, &text, Anchor::Middle);
                }
            }
        }
        for (value, text) in y_axis.ticks((height / 70.0) as usize) {
            if let Some(t) = y_axis.fraction(value) {
                let y = bottom - t * height;
                self.line([left, y], [right, y], grid);
                self.text(left - 10.0, y + 4.5, &text, Anchor::End);
            }
        }
        let rim = grid.mixed(self.theme.text(), 0.25);
        self.push(&format!(
            "<rect x=\"{left}\" y=\"{top}\" width=\"{width:.1}\" height=\"{height:.1}\" fill=\"none\" stroke=\"{rim}\"/>"
        ));
        let name = self.theme.text();
        self.styled(
            left + width / 2.0,
            bottom + 46.0,
            x_name.unwrap_or_default(),
            Anchor::Middle,
            name,
            "font-size=\"14\"",
        );
        let turned = format!("font-size=\"14\" transform=\"rotate(-90 15 {:.1})\"", top + height / 2.0);
        self.styled(15.0, top + height / 2.0, y_name, Anchor::Middle, name, &turned);
    }

    /// A column beside the plot: name and number of each entry, and its colour where it has one.
    pub(crate) fn legend(&mut self, entries: &[(Option<Rgb>, String, String)]) {
        let x = self.area.left + self.area.width + 28.0;
        let right = x + LEGEND - 56.0;
        for (i, (colour, name, number)) in entries.iter().enumerate() {
            let y = self.area.top + 10.0 + 24.0 * i as f64;
            if let Some(colour) = colour {
                let (cx, cy) = (x + 6.0, y - 4.5);
                self.push(&format!("<circle cx=\"{cx:.1}\" cy=\"{cy:.1}\" r=\"6\" fill=\"{colour}\"/>"));
            }
            self.styled(x + 22.0, y, name, Anchor::Start, self.theme.text(), "");
            self.text(right, y, number, Anchor::End);
        }
    }

    /// The whole SVG document.
    pub(crate) fn finish(mut self) -> String {
        self.svg += "</svg>\n";
        self.svg
    }
}

/// `text` as XML content; characters that XML does not allow are dropped.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\t' | '\n' | '\r' => escaped.push(' '),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_cannot_break_the_document() {
        assert_eq!(escape("a<b & \"c\">\u{1}\n"), "a&lt;b &amp; &quot;c&quot;&gt; ");
    }
}
