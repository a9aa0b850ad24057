//! A surface seen from above, in bands of height, and ways over it.

use super::axis::{Axis, limits};
use super::canvas::{BESIDE_LEGEND, Canvas};
use super::marks::Grid;
use super::palette::Theme;
use super::scatter::equal_scale;

/// Bands between the lowest and the highest point that are seen.
const BANDS: usize = 14;
/// Side of the squares in pixels in which the height is one.
const CELL: f64 = 2.0;

#[derive(Debug, Clone)]
pub(crate) struct Surface {
    x_axis: Axis,
    y_axis: Axis,
    height: f64,
    /// The band of each square, row by row from the top; [`EMPTY`](super::marks::EMPTY) where the surface has no height.
    bands: Vec<u16>,
    paths: Vec<(String, Vec<[f64; 2]>)>,
}

impl Surface {
    pub(crate) fn new(height_at: impl Fn([f64; 2]) -> f64, paths: &[(&str, &[[f64; 2]])]) -> Self {
        let column = |j: usize| paths.iter().flat_map(move |path| path.1.iter().map(move |at| at[j]));
        let mut x_axis = Axis::linear(column(0)).widened(0.08);
        let mut y_axis = Axis::linear(column(1)).widened(0.08);
        let height = equal_scale(&mut x_axis, &mut y_axis);
        let grid = Grid::new(BESIDE_LEGEND, height, CELL);
        let middle = |axis: &Axis, share: f64| axis.lo + (axis.hi - axis.lo) * share;
        let heights: Vec<f64> = (0..grid.groups.len())
            .map(|i| {
                let x = (i % grid.columns) as f64 * CELL + CELL / 2.0;
                let y = (i / grid.columns) as f64 * CELL + CELL / 2.0;
                height_at([middle(&x_axis, x / BESIDE_LEGEND), middle(&y_axis, 1.0 - y / height)])
            })
            .collect();
        let (lo, hi) = limits(heights.iter().copied().filter(|v| v.is_finite())).unwrap_or_default();
        // By the root of the height, so that the low land has bands too where a rim is high.
        let share = |v: f64| ((v / 2.0 - lo / 2.0) / (hi / 2.0 - lo / 2.0)).sqrt();
        let band = |v: f64| (share(v) * BANDS as f64).min(BANDS as f64 - 1.0);
        let bands =
            heights.into_iter().map(|v| if v.is_finite() { band(v) as u16 } else { super::marks::EMPTY });
        let paths = paths.iter().map(|(name, path)| ((*name).to_owned(), path.to_vec())).collect();
        Self { x_axis, y_axis, height, bands: bands.collect(), paths }
    }

    pub(crate) fn draw(&self, theme: Theme, title: &str, subtitle: &str, names: &[String]) -> String {
        let Self { x_axis, y_axis, height, bands, paths } = self;
        let mut canvas = Canvas::new(theme, title, subtitle, BESIDE_LEGEND, *height);
        let area = canvas.area;
        // The lower, the stronger.
        let tone = theme.colour(2).mixed(theme.noise(), 0.35);
        let shade = |band: u16| theme.background().mixed(tone, 0.95 * (1.0 - f64::from(band) / BANDS as f64));
        let mut grid = Grid::new(area.width, area.height, CELL);
        grid.groups.copy_from_slice(bands);
        // A little thicker than a row, or some viewers leave a gap.
        let svg = grid.svg(area.left, area.top, CELL, |band| shade(band).to_string());
        canvas.push(&format!("<g stroke-width=\"1.1\">{svg}</g>"));
        canvas.axes(x_axis, y_axis, &names[0], &names[1]);
        let mut legend = Vec::new();
        for (number, (name, path)) in [3, 1, 0, 4, 5, 6].into_iter().cycle().zip(paths) {
            let colour = theme.colour(number);
            let places: Vec<[f64; 2]> =
                path.iter().filter_map(|&[x, y]| canvas.place(x_axis, y_axis, x, y)).collect();
            let mut d = String::new();
            for ([x, y], i) in places.iter().zip(0..) {
                d += &format!("{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
            }
            // A rim lets the line be seen on every band, also where lines cross.
            for (stroke, width) in [(theme.background(), 4.5), (colour, 2.0)] {
                canvas.push(&format!(
                    "<path d=\"{d}\" fill=\"none\" stroke=\"{stroke}\" stroke-width=\"{width}\" stroke-linejoin=\"round\"/>"
                ));
            }
            for (end, inside) in [(places.first(), theme.background()), (places.last(), colour)] {
                if let Some([x, y]) = end {
                    canvas.push(&format!(
                        "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"6\" fill=\"{inside}\" stroke=\"{colour}\" stroke-width=\"2.5\"/>"
                    ));
                }
            }
            legend.push((Some(colour), name.clone(), String::new()));
        }
        legend.push((Some(shade(0)), "low".to_owned(), String::new()));
        legend.push((Some(shade(BANDS as u16 - 1)), "high".to_owned(), String::new()));
        canvas.legend(&legend);
        canvas.finish()
    }
}
