//! Clusters in the plane, and what clusters in space share with them: sizes, colours, legend.

use super::axis::{Axis, count, limits};
use super::canvas::{Anchor, BESIDE_LEGEND, Canvas};
use super::marks::{self, EMPTY, Grid};
use super::palette::{self, Rgb, Theme};

/// Up to this number of points each is a round dot; beyond it, cells of a grid.
pub(crate) const DOTS: usize = 30_000;

/// The cluster of a point that has none.
pub(crate) const NOISE: u32 = u32::MAX;

/// Entries of the legend, without noise.
const LEGEND_ROWS: usize = 12;

/// Points with their clusters, numbered from the largest down.
#[derive(Debug, Clone)]
pub(crate) struct Points {
    /// Two or three used columns; the third is 0 in the plane.
    pub(crate) positions: Vec<[f64; 3]>,
    /// For each point the rank of its cluster by size, or [`NOISE`].
    pub(crate) ranks: Vec<u32>,
    /// Label and size of each cluster, largest first.
    pub(crate) sizes: Vec<(usize, usize)>,
}

impl Points {
    /// Keeps the finite ones of `positions`, but counts all.
    pub(crate) fn new(positions: impl Iterator<Item = [f64; 3]>, labels: &[Option<usize>]) -> Self {
        // Through a map, because a label may be any number.
        let mut counts = std::collections::BTreeMap::<usize, usize>::new();
        for label in labels.iter().flatten() {
            *counts.entry(*label).or_default() += 1;
        }
        let mut sizes: Vec<_> = counts.into_iter().collect();
        sizes.sort_by_key(|&(_, size)| std::cmp::Reverse(size));
        let rank_of: std::collections::HashMap<_, _> =
            sizes.iter().zip(0_u32..).map(|(&(label, _), rank)| (label, rank)).collect();
        let (positions, ranks) = positions
            .zip(labels)
            .filter(|(position, _)| position.iter().all(|v| v.is_finite()))
            .map(|(position, label)| (position, label.map_or(NOISE, |label| rank_of[&label])))
            .unzip();
        Self { positions, ranks, sizes }
    }

    /// Whether the third column spans less than a fiftieth of another.
    pub(crate) fn is_flat(&self) -> bool {
        let side = |j: usize| {
            let (lo, hi) = limits(self.positions.iter().map(|p| p[j])).unwrap_or_default();
            hi / 2.0 - lo / 2.0
        };
        side(2) < side(0).max(side(1)) / 50.0
    }

    /// For each cluster a colour number, given its points on the figure.
    pub(crate) fn colours(&self, pixels: &[[f64; 2]]) -> Vec<usize> {
        let mut sums = vec![[0.0; 4]; self.sizes.len()];
        for (&rank, [x, y]) in self.ranks.iter().zip(pixels) {
            if let Some(sum) = sums.get_mut(rank as usize) {
                *sum = [sum[0] + x, sum[1] + y, sum[2] + x * x + y * y, sum[3] + 1.0];
            }
        }
        let disc = |&[x, y, squares, n]: &[f64; 4]| {
            let n = n.max(1.0);
            let variance = squares / n - (x / n).powi(2) - (y / n).powi(2);
            // The radius of an even disc of that variance.
            [x / n, y / n, (2.0 * variance.max(0.0)).sqrt()]
        };
        palette::assign(&sums.iter().map(disc).collect::<Vec<_>>())
    }

    pub(crate) fn legend(&self, canvas: &mut Canvas, colours: &[usize], n_noise: usize) {
        let theme = canvas.theme;
        let shown = if self.sizes.len() > LEGEND_ROWS { LEGEND_ROWS - 1 } else { self.sizes.len() };
        let mut entries: Vec<(Option<Rgb>, String, String)> = self.sizes[..shown]
            .iter()
            .zip(colours)
            .map(|(&(label, size), &colour)| {
                (Some(theme.colour(colour)), format!("cluster {label}"), count(size))
            })
            .collect();
        let rest = &self.sizes[shown..];
        if !rest.is_empty() {
            let size = rest.iter().map(|&(_, size)| size).sum();
            entries.push((None, format!("{} more", count(rest.len())), count(size)));
        }
        if n_noise > 0 {
            entries.push((Some(theme.noise()), "noise".to_owned(), count(n_noise)));
        }
        canvas.legend(&entries);
    }

    /// The points over two axes of equal scale, as far as that leaves a readable figure.
    pub(crate) fn draw_plane(
        &self,
        theme: Theme,
        title: &str,
        subtitle: &str,
        names: &[String],
        n_noise: usize,
    ) -> String {
        let column = |j: usize| self.positions.iter().map(move |position| position[j]);
        let (mut x_axis, mut y_axis) =
            (Axis::linear(column(0)).widened(0.03), Axis::linear(column(1)).widened(0.03));
        let height = equal_scale(&mut x_axis, &mut y_axis);
        let mut canvas = Canvas::new(theme, title, subtitle, BESIDE_LEGEND, height);
        canvas.axes(&x_axis, &y_axis, &names[0], &names[1]);
        if self.positions.is_empty() {
            nothing(&mut canvas);
            return canvas.finish();
        }
        let pixels: Vec<_> = self
            .positions
            .iter()
            .map(|&[x, y, _]| canvas.place(&x_axis, &y_axis, x, y).unwrap_or_default())
            .collect();
        let colours = self.colours(&pixels);
        let svg = if pixels.len() <= DOTS {
            self.dots(theme, &pixels, &colours)
        } else {
            let area = canvas.area;
            Grid::finest(
                |cell| self.cells(&pixels, &colours, &canvas, cell),
                area.left,
                area.top,
                |group| {
                    if group == 0 { theme.noise() } else { theme.colour(usize::from(group) - 1) }.to_string()
                },
            )
        };
        canvas.push(&svg);
        self.legend(&mut canvas, &colours, n_noise);
        canvas.finish()
    }

    /// A dot for each point: noise first, then from the largest cluster to the smallest.
    fn dots(&self, theme: Theme, pixels: &[[f64; 2]], colours: &[usize]) -> String {
        let mut noise = Vec::new();
        let mut clusters = vec![Vec::new(); self.sizes.len()];
        for (&rank, &pixel) in self.ranks.iter().zip(pixels) {
            clusters.get_mut(rank as usize).unwrap_or(&mut noise).push(pixel);
        }
        let mut groups = vec![(theme.noise().to_string(), noise)];
        groups.extend(colours.iter().map(|&c| theme.colour(c).to_string()).zip(clusters));
        marks::dots(groups, dot_diameter(pixels.len()))
    }

    /// Each cell in the colour of most of its points by a running majority vote; noise shows where nothing else is.
    fn cells(&self, pixels: &[[f64; 2]], colours: &[usize], canvas: &Canvas, cell: f64) -> Grid {
        let mut grid = Grid::new(canvas.area.width, canvas.area.height, cell);
        let mut votes = vec![0_u32; grid.groups.len()];
        // A point covers two cells each way where there are fewer points than that fills.
        let reach = if (pixels.len() as f64) < grid.groups.len() as f64 / 2.0 { 2 } else { 1 };
        for (&rank, [x, y]) in self.ranks.iter().zip(pixels) {
            let group = if rank == NOISE { 0 } else { colours[rank as usize] as u16 + 1 };
            let column = ((x - canvas.area.left) / cell) as usize;
            let row = ((y - canvas.area.top) / cell) as usize;
            for row in row..(row + reach).min(grid.rows) {
                for column in column..(column + reach).min(grid.columns) {
                    let i = row * grid.columns + column;
                    let held = &mut grid.groups[i];
                    if *held == group {
                        votes[i] += 1;
                    } else if *held == EMPTY || (group != 0 && (*held == 0 || votes[i] == 0)) {
                        (*held, votes[i]) = (group, 1);
                    } else if group != 0 {
                        votes[i] -= 1;
                    }
                }
            }
        }
        grid
    }
}

/// Says that there is nothing to see.
pub(crate) fn nothing(canvas: &mut Canvas) {
    let (x, y) = (canvas.area.left + canvas.area.width / 2.0, canvas.area.top + canvas.area.height / 2.0);
    canvas.text(x, y, "no points", Anchor::Middle);
}

/// Diameter of a dot in pixels: smaller for more points.
pub(crate) fn dot_diameter(n: usize) -> f64 {
    (220.0 / (n.max(1) as f64).sqrt()).clamp(2.6, 9.0)
}

/// Gives both axes the same units per pixel and returns the height of the plot.
///
/// Where one axis is over twelve times as long as the other, both fill the plot instead.
pub(super) fn equal_scale(x_axis: &mut Axis, y_axis: &mut Axis) -> f64 {
    const SHORTEST: f64 = 220.0;
    const TALLEST: f64 = 660.0;
    let ratio = (y_axis.hi / 2.0 - y_axis.lo / 2.0) / (x_axis.hi / 2.0 - x_axis.lo / 2.0);
    if !(1.0 / 12.0..=12.0).contains(&ratio) {
        return 480.0;
    }
    let height = (BESIDE_LEGEND * ratio).clamp(SHORTEST, TALLEST);
    let wanted = height / BESIDE_LEGEND;
    if wanted > ratio {
        *y_axis = y_axis.widened((wanted / ratio - 1.0) / 2.0);
    } else {
        *x_axis = x_axis.widened((ratio / wanted - 1.0) / 2.0);
    }
    height
}
