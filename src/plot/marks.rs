//! Many marks in few bytes: cells of a grid as horizontal runs, or round dots, one path for each colour.

use std::collections::BTreeMap;

/// What a cell holds where no point fell.
pub(crate) const EMPTY: u16 = u16::MAX;

/// More bytes than this make a figure slow to open: the grid becomes coarser instead.
const BUDGET: usize = 1_200_000;

/// A grid of square cells; each holds the number of a colour, or [`EMPTY`].
#[derive(Debug)]
pub(crate) struct Grid {
    pub(crate) columns: usize,
    pub(crate) rows: usize,
    pub(crate) groups: Vec<u16>,
}

impl Grid {
    /// An empty grid over `width` x `height` pixels, of cells with a side of `cell` pixels.
    pub(crate) fn new(width: f64, height: f64, cell: f64) -> Self {
        let (columns, rows) = ((width / cell).ceil() as usize, (height / cell).ceil() as usize);
        Self { columns, rows, groups: vec![EMPTY; columns * rows] }
    }

    /// For each colour number the path of its cells, as strokes one cell thick.
    ///
    /// A run of equal cells is `m dx dy h length`, relative to the end of the run before.
    fn paths(&self) -> BTreeMap<u16, String> {
        let mut paths: BTreeMap<u16, (String, i64, i64)> = BTreeMap::new();
        for (y, row) in self.groups.chunks(self.columns.max(1)).enumerate() {
            let mut x = 0;
            for run in row.chunk_by(|a, b| a == b) {
                if run[0] != EMPTY {
                    let (path, from_x, from_y) =
                        paths.entry(run[0]).or_insert_with(|| ("M0 0".to_owned(), 0, 0));
                    let (dx, dy) = (x as i64 - *from_x, y as i64 - *from_y);
                    let gap = if dy < 0 { "" } else { " " };
                    *path += &format!("m{dx}{gap}{dy}h{}", run.len());
                    (*from_x, *from_y) = ((x + run.len()) as i64, y as i64);
                }
                x += run.len();
            }
        }
        paths.into_iter().map(|(group, (path, ..))| (group, path)).collect()
    }

    /// Its cells in the plotting area, each colour one path.
    pub(crate) fn svg(&self, left: f64, top: f64, cell: f64, colour: impl Fn(u16) -> String) -> String {
        // Strokes lie on the middle line of a row of cells.
        let mut svg = format!(
            "<g transform=\"translate({left} {}) scale({cell})\" fill=\"none\" shape-rendering=\"crispEdges\">\n",
            top + cell / 2.0
        );
        for (group, path) in &self.paths() {
            svg += &format!("<path stroke=\"{}\" d=\"{path}\"/>\n", colour(*group));
        }
        svg + "</g>"
    }

    /// The finest of the grids that `draw` makes whose SVG is not too large; `colour` turns a colour number into a colour.
    pub(crate) fn finest(
        draw: impl Fn(f64) -> Self,
        left: f64,
        top: f64,
        colour: impl Fn(u16) -> String,
    ) -> String {
        let mut svg = String::new();
        for cell in [1.0, 1.5, 2.0, 3.0, 4.0] {
            svg = draw(cell).svg(left, top, cell, &colour);
            if svg.len() <= BUDGET {
                break;
            }
        }
        svg
    }
}

/// Round dots of one diameter; `groups` holds colour and positions, first group drawn first.
///
/// Positions are rounded to half a pixel, and dots that fall on one position are drawn once.
pub(crate) fn dots(groups: Vec<(String, Vec<[f64; 2]>)>, diameter: f64) -> String {
    let mut svg = format!(
        "<g transform=\"scale(.5)\" fill=\"none\" stroke-linecap=\"round\" stroke-width=\"{:.1}\">\n",
        2.0 * diameter
    );
    for (colour, positions) in groups {
        let mut at: Vec<(i32, i32)> =
            positions.iter().map(|[x, y]| ((2.0 * y).round() as i32, (2.0 * x).round() as i32)).collect();
        at.sort_unstable();
        at.dedup();
        let Some((y, x)) = at.first() else { continue };
        svg += &format!("<path stroke=\"{colour}\" d=\"M{x} {y}h0");
        for pair in at.windows(2) {
            let (dy, dx) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            svg += &format!("m{dx} {dy}h0");
        }
        svg += "\"/>\n";
    }
    svg + "</g>"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_cells_become_one_run() {
        let grid = Grid { columns: 4, rows: 2, groups: vec![7, 7, EMPTY, 7, 7, 3, 3, 3] };
        let paths = grid.paths();
        assert_eq!(paths[&7], "M0 0m0 0h2m1 0h1m-4 1h1");
        assert_eq!(paths[&3], "M0 0m1 1h3");
        assert_eq!(paths.len(), 2);
    }

    #[test]
    fn a_grid_of_confetti_is_made_coarser() {
        let draw = |cell: f64| {
            let mut grid = Grid::new(900.0, 700.0, cell);
            grid.groups.iter_mut().enumerate().for_each(|(i, group)| *group = (i * 7919 % 251) as u16);
            grid
        };
        let svg = Grid::finest(draw, 0.0, 0.0, |_| "red".to_owned());
        assert!(svg.len() <= BUDGET && !svg.contains("scale(1)"));
    }

    #[test]
    fn dots_on_one_position_are_drawn_once() {
        let svg = dots(vec![("red".to_owned(), vec![[3.0, 4.0], [1.0, 2.0], [3.1, 4.1]])], 3.0);
        assert!(svg.contains("d=\"M2 4h0m4 4h0\""), "{svg}");
    }
}
