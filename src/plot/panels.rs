//! Several figures side by side in one document.

use std::fmt::Write;

use super::Figure;
use super::canvas::WIDTH;

/// Size of a panel beside that of its figure.
const SCALE: f64 = 0.6;

/// Figures side by side, `columns` in a row, as one SVG document.
///
/// Each keeps its theme, and is drawn at 0.6 of its size, so that its text stays legible; rows are as high as their highest figure.
///
/// # Example
/// ```
/// use sapwood::plot::{Figure, panels};
///
/// let curve = Figure::curve(&[1.0, 2.0], &[1.0, 4.0])?;
/// let svg = panels(&[curve.clone().title("left"), curve.title("right")], 2);
/// assert!(svg.starts_with("<svg") && svg.contains("left") && svg.contains("right"));
/// # Ok::<(), sapwood::Error>(())
/// ```
///
/// # Panics
/// When `columns` is 0.
#[must_use]
pub fn panels(figures: &[Figure], columns: usize) -> String {
    assert!(columns > 0, "panels need at least one column");
    let drawn: Vec<(String, f64)> = figures
        .iter()
        .map(|figure| {
            let svg = figure.to_svg();
            let height = height(&svg);
            (svg, height * SCALE)
        })
        .collect();
    let (mut body, mut top) = (String::new(), 0.0);
    for row in drawn.chunks(columns) {
        for (column, (svg, height)) in row.iter().enumerate() {
            let left = WIDTH * SCALE * column as f64;
            let width = WIDTH * SCALE;
            // The figure's own size becomes that of its panel; its view box scales what is in it.
            let inner = svg.split_once('>').map_or("", |(_, inner)| inner);
            let full = height / SCALE;
            // Writing to a string cannot fail.
            let _ = writeln!(
                body,
                "<svg x=\"{left:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{height:.1}\" viewBox=\"0 0 {WIDTH} {full}\" \
                 font-family=\"'Segoe UI','Helvetica Neue',Helvetica,Arial,'Liberation Sans',sans-serif\" font-size=\"13\">{}",
                inner.trim_end()
            );
        }
        top += row.iter().fold(0.0, |highest: f64, (_, height)| highest.max(*height));
    }
    let width = WIDTH * SCALE * columns as f64;
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {top:.1}\" width=\"{width}\" height=\"{top:.1}\" role=\"img\">\n{body}</svg>\n"
    )
}

/// The height that a figure gives itself.
fn height(svg: &str) -> f64 {
    let after = svg.split_once(" height=\"").map_or("", |(_, rest)| rest);
    after.split_once('"').and_then(|(height, _)| height.parse().ok()).unwrap_or(WIDTH)
}
