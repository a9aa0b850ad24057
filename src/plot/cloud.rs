//! Clusters in space, seen from above at an angle: no perspective, so equal lengths stay equal.

use super::axis::{Axis, limits};
use super::canvas::{Anchor, Area, BESIDE_LEGEND, Canvas};
use super::marks::{self, EMPTY, Grid};
use super::palette::{BLACK, Theme};
use super::scatter::{DOTS, NOISE, Points, dot_diameter, nothing};

const TALLEST: f64 = 640.0;
const SHORTEST: f64 = 260.0;
/// Room for the ticks of an edge within the plot.
const LABELS: f64 = 44.0;

/// Steps of shade that a colour is drawn in.
const SHADES: usize = 4;

/// The eye: which way right, up and towards it are in space.
#[derive(Debug, Clone, Copy)]
struct View {
    right: [f64; 3],
    up: [f64; 3],
    toward: [f64; 3],
}

impl View {
    /// From `azimuth` (counter-clockwise from the x axis) and `elevation` above the plane z = 0, in degrees.
    fn new(azimuth: f64, elevation: f64) -> Self {
        let ((sa, ca), (se, ce)) = (azimuth.to_radians().sin_cos(), elevation.to_radians().sin_cos());
        Self { right: [-sa, ca, 0.0], up: [-se * ca, -se * sa, ce], toward: [ce * ca, ce * sa, se] }
    }
}

fn dot(a: [f64; 3], b: [f64; 3]) -> f64 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// From space to pixels.
#[derive(Debug)]
struct Camera {
    view: View,
    lo: [f64; 3],
    hi: [f64; 3],
    /// Half the longest side of the bounding box.
    half: f64,
    /// Pixels for a length of `half`.
    scale: f64,
    /// Pixel of the middle of the bounding box.
    middle: [f64; 2],
}

impl Camera {
    /// A position in units of `half` from the middle: all coordinates within -1 to 1, so nothing overflows.
    fn scaled(&self, position: [f64; 3]) -> [f64; 3] {
        [0, 1, 2].map(|j| ((position[j] / 2.0 - self.lo[j] / 4.0 - self.hi[j] / 4.0) / self.half) * 2.0)
    }

    fn pixel(&self, position: [f64; 3]) -> [f64; 2] {
        let q = self.scaled(position);
        let (u, v) = (dot(q, self.view.right), dot(q, self.view.up));
        [self.middle[0] + self.scale * u, self.middle[1] - self.scale * v]
    }

    /// How near to the eye, in pixels.
    fn nearness(&self, position: [f64; 3]) -> f64 {
        self.scale * dot(self.scaled(position), self.view.toward)
    }

    /// The corner of the bounding box that takes the upper limit of the axes where `high` says so.
    fn corner(&self, high: [bool; 3]) -> [f64; 3] {
        [0, 1, 2].map(|j| if high[j] { self.hi[j] } else { self.lo[j] })
    }
}

impl Points {
    pub(crate) fn draw_space(
        &self,
        theme: Theme,
        title: &str,
        subtitle: &str,
        names: &[String],
        n_noise: usize,
        (azimuth, elevation): (f64, f64),
    ) -> String {
        let mut camera = self.camera(View::new(azimuth, elevation));
        let corners = (0..8).map(|i| camera.pixel(camera.corner([i & 1 > 0, i & 2 > 0, i & 4 > 0])));
        let (mut width, mut height) = (0_f64, 0_f64);
        for [x, y] in corners {
            (width, height) = (width.max(2.0 * x.abs()), height.max(2.0 * y.abs()));
        }
        // Seen from below, the ticks of the floor stand above the cloud.
        let head = if elevation < 0.0 { LABELS } else { 0.0 };
        camera.scale = ((BESIDE_LEGEND - LABELS) / width.max(1e-9)).min((TALLEST - head) / height.max(1e-9));
        let drawn = (height * camera.scale + head).clamp(SHORTEST, TALLEST);
        let mut canvas = Canvas::new(theme, title, subtitle, BESIDE_LEGEND, drawn);
        let Area { left, top, width, height } = canvas.area;
        camera.middle = [left + (width - LABELS) / 2.0, top + (height + head) / 2.0];
        if self.positions.is_empty() {
            nothing(&mut canvas);
            return canvas.finish();
        }
        camera.axes(&mut canvas, names);

        let pixels: Vec<_> = self.positions.iter().map(|&position| camera.pixel(position)).collect();
        let colours = self.colours(&pixels);
        let svg = if pixels.len() <= DOTS {
            self.layers(theme, &camera, &pixels, &colours)
        } else {
            Grid::finest(
                |cell| self.surface(&camera, &pixels, &colours, &canvas, cell),
                canvas.area.left,
                canvas.area.top,
                |group| {
                    let Some(i) = usize::from(group).checked_sub(1) else { return theme.noise().to_string() };
                    theme.colour(i / SHADES).mixed(BLACK, 0.2 * (i % SHADES) as f64).to_string()
                },
            )
        };
        canvas.push(&svg);
        self.legend(&mut canvas, &colours, n_noise);
        canvas.finish()
    }

    fn camera(&self, view: View) -> Camera {
        let side = |j: usize| limits(self.positions.iter().map(|p| p[j])).unwrap_or((0.0, 1.0));
        let sides = [side(0), side(1), side(2)];
        let half = sides.iter().map(|(lo, hi)| hi / 2.0 - lo / 2.0).fold(0.0, f64::max);
        Camera {
            view,
            lo: sides.map(|(lo, _)| lo),
            hi: sides.map(|(_, hi)| hi),
            half: if half > 0.0 { half } else { 1.0 },
            scale: 1.0,
            middle: [0.0; 2],
        }
    }

    /// Few points as dots, in layers from the farthest to the nearest; the far ones are paler.
    fn layers(&self, theme: Theme, camera: &Camera, pixels: &[[f64; 2]], colours: &[usize]) -> String {
        const LAYERS: usize = 8;
        let near: Vec<_> = self.positions.iter().map(|&position| camera.nearness(position)).collect();
        let (lo, hi) = limits(near.iter().copied()).unwrap_or((0.0, 1.0));
        // Group 0 is noise, then one group for each layer and cluster.
        let mut groups = vec![(theme.noise().to_string(), Vec::new())];
        for layer in 0..LAYERS {
            let haze = 0.45 * (1.0 - layer as f64 / (LAYERS - 1) as f64);
            let colour = |&c: &usize| theme.colour(c).mixed(theme.background(), haze).to_string();
            groups.extend(colours.iter().map(|c| (colour(c), Vec::new())));
        }
        for ((&rank, &pixel), near) in self.ranks.iter().zip(pixels).zip(near) {
            let t = (near - lo) / (hi - lo).max(1e-9);
            let layer = ((t * LAYERS as f64) as usize).min(LAYERS - 1);
            let group = if rank == NOISE { 0 } else { 1 + layer * colours.len() + rank as usize };
            groups[group].1.push(pixel);
        }
        marks::dots(groups, dot_diameter(pixels.len()))
    }

    /// Many points as a surface: in each cell the point nearest to the eye, darker where its neighbours stand before it.
    fn surface(
        &self,
        camera: &Camera,
        pixels: &[[f64; 2]],
        colours: &[usize],
        canvas: &Canvas,
        cell: f64,
    ) -> Grid {
        let mut grid = Grid::new(canvas.area.width, canvas.area.height, cell);
        let (columns, rows) = (grid.columns as isize, grid.rows as isize);
        let mut nearest = vec![f32::NEG_INFINITY; grid.groups.len()];
        // Wide enough that the points of a surface touch.
        let cells = grid.groups.len() as f64;
        let reach = (1.5 * (cells / pixels.len() as f64).sqrt()).round().clamp(1.0, 3.0) as isize;
        for ((&rank, [x, y]), &position) in self.ranks.iter().zip(pixels).zip(&self.positions) {
            let column = ((x - canvas.area.left) / cell) as isize;
            let row = ((y - canvas.area.top) / cell) as isize;
            let near = if rank == NOISE { f32::MIN } else { (camera.nearness(position) / cell) as f32 };
            let group = if rank == NOISE { 0 } else { (1 + colours[rank as usize] * SHADES) as u16 };
            let reach = if rank == NOISE { reach.min(2) } else { reach };
            for row in (row - (reach - 1) / 2..=row + reach / 2).filter(|r| (0..rows).contains(r)) {
                for column in
                    (column - (reach - 1) / 2..=column + reach / 2).filter(|c| (0..columns).contains(c))
                {
                    let i = (row * columns + column) as usize;
                    if near > nearest[i] {
                        (nearest[i], grid.groups[i]) = (near, group);
                    }
                }
            }
        }
        fill_holes(&mut grid, &mut nearest);
        shade(&mut grid, &nearest);
        grid
    }
}

/// Closes the pinholes of a surface: a cell with five of its eight neighbours well before it takes the farthest of those.
fn fill_holes(grid: &mut Grid, nearest: &mut [f32]) {
    /// So many cells nearer to the eye is well before.
    const BEFORE: f32 = 12.0;
    let (columns, rows) = (grid.columns, grid.rows);
    for _ in 0..2 {
        let (groups, near) = (grid.groups.clone(), nearest.to_vec());
        for row in 1..rows.saturating_sub(1) {
            for column in 1..columns.saturating_sub(1) {
                let i = row * columns + column;
                let around = [
                    i - columns - 1,
                    i - columns,
                    i - columns + 1,
                    i - 1,
                    i + 1,
                    i + columns - 1,
                    i + columns,
                    i + columns + 1,
                ];
                let before = |&j: &usize| near[j] > f32::MIN && near[j] > near[i] + BEFORE;
                if around.iter().filter(|j| before(j)).count() < 5 {
                    continue;
                }
                if let Some(j) =
                    around.into_iter().filter(before).min_by(|&a, &b| near[a].total_cmp(&near[b]))
                {
                    (grid.groups[i], nearest[i]) = (groups[j], near[j]);
                }
            }
        }
    }
}

/// Darkens the cells that lie behind their neighbours, after Boucheny's eye-dome lighting (2009).
fn shade(grid: &mut Grid, nearest: &[f32]) {
    /// A neighbour this many cells nearer to the eye casts its whole shadow.
    const FULL: f32 = 14.0;
    let (columns, rows) = (grid.columns as isize, grid.rows as isize);
    for row in 0..rows {
        for column in 0..columns {
            let i = (row * columns + column) as usize;
            if grid.groups[i] == EMPTY || grid.groups[i] == 0 {
                continue;
            }
            let mut shadow = 0.0;
            for (dx, dy) in [(-2, 0), (2, 0), (0, -2), (0, 2), (-1, -1), (1, -1), (-1, 1), (1, 1)] {
                let (x, y) = (column + dx, row + dy);
                if (0..columns).contains(&x) && (0..rows).contains(&y) {
                    let before = nearest[(y * columns + x) as usize] - nearest[i];
                    shadow += (before / FULL).clamp(0.0, 1.0) / 8.0;
                }
            }
            let level = [0.14, 0.28, 0.45].iter().filter(|&&threshold| shadow > threshold).count();
            grid.groups[i] += level as u16;
        }
    }
}

impl Camera {
    /// The floor of the bounding box with its grid, and ticks along the three edges that no point can cover.
    fn axes(&self, canvas: &mut Canvas, names: &[String]) {
        let toward = self.view.toward;
        // Sides of the box that face the eye; the floor is the side below, or above where the eye is below.
        let (near_x, near_y, floor) = (toward[0] > 0.0, toward[1] > 0.0, toward[2] < 0.0);
        let left_is_x = self.pixel(self.corner([!near_x, near_y, floor]))[0]
            < self.pixel(self.corner([near_x, !near_y, floor]))[0];
        let pillar = if left_is_x { [!near_x, near_y, floor] } else { [near_x, !near_y, floor] };
        let edges = [
            (0, [false, near_y, floor], [0.0, if near_y { 1.0 } else { -1.0 }, 0.0]),
            (1, [near_x, false, floor], [if near_x { 1.0 } else { -1.0 }, 0.0, 0.0]),
            (2, [pillar[0], pillar[1], false], [0.0; 3]),
        ];
        let (grid, rim) = (canvas.theme.grid(), canvas.theme.grid().mixed(canvas.theme.text(), 0.25));
        for (j, from, outward) in edges {
            let to = [0, 1, 2].map(|k| from[k] || k == j);
            let (start, end) = (self.pixel(self.corner(from)), self.pixel(self.corner(to)));
            let length = (end[0] - start[0]).hypot(end[1] - start[1]);
            // Away from the cloud on the figure; the pillar's labels stand to its left.
            let away = [dot(outward, self.view.right), -dot(outward, self.view.up)];
            let size = away[0].hypot(away[1]);
            let away = if j == 2 || size < 1e-6 { [-1.0, 0.0] } else { away.map(|a| a / size) };
            let anchor = match away[0] {
                a if a > 0.35 => Anchor::Start,
                a if a < -0.35 => Anchor::End,
                _ => Anchor::Middle,
            };
            if length >= 36.0 {
                let axis = Axis::linear([self.lo[j], self.hi[j]].into_iter());
                for (value, text) in axis.ticks((length / 60.0) as usize) {
                    let mut at = self.corner(from);
                    at[j] = value;
                    let [x, y] = self.pixel(at);
                    if j < 2 {
                        let mut across = self.corner([!near_x, !near_y, floor]);
                        across[j] = value;
                        canvas.line([x, y], self.pixel(across), grid);
                    }
                    let [tick_x, tick_y] = [x + 5.0 * away[0], y + 5.0 * away[1]];
                    canvas.line([x, y], [tick_x, tick_y], rim);
                    canvas.text(x + 11.0 * away[0], y + 12.0 * away[1] + 4.5, &text, anchor);
                }
                let (mid_x, mid_y) = ((start[0] + end[0]) / 2.0, (start[1] + end[1]) / 2.0);
                let name = canvas.theme.text();
                if j == 2 {
                    let [x, y] = if start[1] < end[1] { start } else { end };
                    canvas.styled(x, y - 12.0, &names[2], Anchor::Middle, name, "font-size=\"14\"");
                } else {
                    let (x, y) = (mid_x + 46.0 * away[0], mid_y + 42.0 * away[1] + 4.5);
                    canvas.styled(x, y, &names[j], anchor, name, "font-size=\"14\"");
                }
            }
            canvas.line(start, end, rim);
        }
        // The two far edges of the floor.
        let far = self.pixel(self.corner([!near_x, !near_y, floor]));
        for end in [[near_x, !near_y, floor], [!near_x, near_y, floor]] {
            canvas.line(far, self.pixel(self.corner(end)), grid);
        }
    }
}
