//! A chain's states on a circle, its transitions as arrows between them.

use std::f64::consts::TAU;

use super::canvas::{ALONE, Anchor, Canvas};
use super::palette::{Rgb, Theme};

/// More states than this are a ball of wool.
pub(crate) const MOST_STATES: usize = 60;

const HEIGHT: f64 = 720.0;

/// States by name, and the transitions between them that are drawn.
#[derive(Debug, Clone)]
pub(crate) struct Graph {
    pub(crate) names: Vec<String>,
    pub(crate) edges: Vec<(usize, usize, f64)>,
}

impl Graph {
    pub(crate) fn draw(&self, theme: Theme, title: &str, subtitle: &str) -> String {
        let mut canvas = Canvas::new(theme, title, subtitle, ALONE, HEIGHT);
        let n = self.names.len();
        let middle = [canvas.area.left + ALONE / 2.0, canvas.area.top + HEIGHT / 2.0];
        let r = (400.0 / n.max(1) as f64).clamp(12.0, 34.0);
        // Room for the loops and their labels outside of the circle.
        let around = if n == 1 { 0.0 } else { HEIGHT / 2.0 - r - 66.0 };
        let angle = |i: usize| TAU * (i as f64 / n as f64 - 0.25);
        let place = |i: usize| {
            let (sin, cos) = angle(i).sin_cos();
            [middle[0] + around * cos, middle[1] + around * sin]
        };
        for &(i, j, p) in &self.edges {
            // On a dark ground the blue is the light one and fades less, to be seen where it is thin.
            let (strong, fade) = if theme == Theme::Light { (2, 0.5) } else { (5, 0.35) };
            let colour = theme.colour(strong).mixed(theme.background(), fade * (1.0 - p));
            let arrow = if i == j { loop_at(place(i), angle(i), r) } else { bow(place(i), place(j), r) };
            arrow.draw(&mut canvas, colour, 0.8 + 3.2 * p, &super::short(p));
        }
        for (i, name) in self.names.iter().enumerate() {
            let [x, y] = place(i);
            let (fill, rim) = (theme.background(), theme.text());
            canvas.push(&format!(
                "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r:.1}\" fill=\"{fill}\" stroke=\"{rim}\" stroke-width=\"1.5\"/>"
            ));
            // About as many letters as fit.
            let most = (r / 3.6) as usize;
            let shown: String = match name.chars().count() {
                count if count <= most => name.clone(),
                _ => name.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
            };
            canvas.styled(x, y + 4.5, &shown, Anchor::Middle, rim, "");
        }
        canvas.finish()
    }
}

/// A cubic curve with its head at the end.
struct Arrow {
    points: [[f64; 2]; 4],
    /// Where the label stands.
    label: [f64; 2],
}

impl Arrow {
    fn draw(&self, canvas: &mut Canvas, colour: Rgb, width: f64, label: &str) {
        let [[ax, ay], [bx, by], [cx, cy], [dx, dy]] = self.points;
        let (ux, uy) = unit([dx - cx, dy - cy]);
        let length = 7.0 + 2.0 * width;
        let (ex, ey) = (dx - length * ux, dy - length * uy);
        let half = length * 0.42;
        let (lx, ly, rx, ry) = (ex - half * uy, ey + half * ux, ex + half * uy, ey - half * ux);
        canvas.push(&format!(
            "<path d=\"M{ax:.1} {ay:.1}C{bx:.1} {by:.1} {cx:.1} {cy:.1} {ex:.1} {ey:.1}\" fill=\"none\" \
             stroke=\"{colour}\" stroke-width=\"{width:.2}\"/>\n\
             <path d=\"M{dx:.1} {dy:.1}L{lx:.1} {ly:.1}L{rx:.1} {ry:.1}Z\" fill=\"{colour}\"/>"
        ));
        // The halo first, as a text of its own: not every viewer knows `paint-order`.
        let (x, y, ground) = (self.label[0], self.label[1] + 4.0, canvas.theme.background());
        let halo = format!("font-size=\"12\" stroke=\"{ground}\" stroke-width=\"4\"");
        canvas.styled(x, y, label, Anchor::Middle, ground, &halo);
        canvas.styled(x, y, label, Anchor::Middle, canvas.theme.text(), "font-size=\"12\"");
    }
}

/// The direction of a vector; to the right for one of length 0.
fn unit([x, y]: [f64; 2]) -> (f64, f64) {
    let length = x.hypot(y);
    if length > 0.0 { (x / length, y / length) } else { (1.0, 0.0) }
}

/// From rim to rim, bent to the left of the way, so that the arrow back runs beside it.
fn bow(from: [f64; 2], to: [f64; 2], r: f64) -> Arrow {
    let (ux, uy) = unit([to[0] - from[0], to[1] - from[1]]);
    let length = (to[0] - from[0]).hypot(to[1] - from[1]);
    let bend = 0.13 * length;
    let along = |share: f64, aside: f64| {
        [from[0] + share * length * ux + aside * uy, from[1] + share * length * uy - aside * ux]
    };
    let (b, c) = (along(0.3, bend), along(0.7, bend));
    let rim = |centre: [f64; 2], towards: [f64; 2], r: f64| {
        let (vx, vy) = unit([towards[0] - centre[0], towards[1] - centre[1]]);
        [centre[0] + r * vx, centre[1] + r * vy]
    };
    let (a, d) = (rim(from, b, r), rim(to, c, r + 1.5));
    Arrow { points: [a, b, c, d], label: along(0.42, 0.72 * bend) }
}

/// A loop on the side that looks away from the middle of the circle.
fn loop_at(at: [f64; 2], angle: f64, r: f64) -> Arrow {
    let ray = |turn: f64, length: f64| {
        let (sin, cos) = (angle + turn).sin_cos();
        [at[0] + length * cos, at[1] + length * sin]
    };
    let (far, wide) = (r + 46.0, 0.62);
    Arrow {
        points: [ray(-0.45, r), ray(-wide, far), ray(wide, far), ray(0.45, r + 1.5)],
        label: ray(0.0, r + 44.0),
    }
}
