//! A street as a laser scanner sees it, in metres: ground, houses, cars, trees, lamps, people, and stray points.

use rand::{Rng, SeedableRng};
use rand_xoshiro::Xoshiro256PlusPlus;
use sapwood::ndarray::Array2;

/// Length (x) and width (y) of the street.
const SIZE: [f64; 2] = [72.0, 42.0];

/// Ground this near to an object is left out, as a ground filter does: else the ground would join everything.
/// Over twice the eps of the example, so that no stray point in the gap can join the two either.
const CLEARANCE: f64 = 1.05;

/// Share of points that lie anywhere in the air.
const STRAY: f64 = 0.01;

type Point = [f64; 3];

struct Scene {
    rng: Xoshiro256PlusPlus,
    points: Vec<Point>,
    /// Points on one square metre of what is being built.
    density: f64,
    /// x and y limits of what stands on the ground.
    footprints: Vec<[f64; 4]>,
}

/// `n` points, and the number of separate things among them: the objects, and the ground.
pub(crate) fn street(n: usize, seed: u64) -> (Array2<f32>, usize) {
    let rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut scene = Scene { rng, points: Vec::with_capacity(n), density: 0.0, footprints: Vec::new() };
    scene.house([5.0, 28.0], [11.0, 9.0], 4.2);
    scene.house([29.0, 29.0], [9.0, 8.0], 5.4);
    scene.house([53.0, 27.5], [13.0, 9.5], 3.6);
    for i in 0..10 {
        let wobble = scene.rng.gen_range(-0.3..0.3);
        if i != 3 && i != 8 {
            scene.car([3.5 + 6.7 * f64::from(i), 19.5 + wobble]);
        }
        if i != 1 && i != 6 {
            scene.car([5.5 + 6.6 * f64::from(i), 9.5 - wobble]);
        }
    }
    for i in 0..5 {
        scene.lamp([8.0 + 14.0 * f64::from(i), 23.4]);
    }
    for [x, y] in [[20.0, 32.0], [24.5, 37.5], [43.0, 34.0], [48.0, 30.5], [69.0, 36.0]] {
        scene.tree([x, y]);
    }
    for i in 0..7 {
        let (dx, dy) = (scene.rng.gen_range(-1.0..1.0), scene.rng.gen_range(-0.8..0.8));
        scene.tree([6.0 + 10.0 * f64::from(i) + dx, 4.0 + dy]);
    }
    for [x, y] in [[22.0, 15.2], [24.3, 14.4], [46.0, 25.6], [58.5, 14.8]] {
        scene.person([x, y]);
    }
    let things = scene.footprints.len() + 1;
    let stray = (n as f64 * STRAY) as usize;
    while scene.points.len() + stray < n {
        scene.ground_point();
    }
    while scene.points.len() < n {
        let point = [SIZE[0], SIZE[1], 12.0].map(|side| scene.rng.gen_range(0.0..side));
        scene.points.push(point);
    }
    (Array2::from_shape_fn((n, 3), |(i, j)| scene.points[i][j] as f32), things)
}

/// Height of the ground: two long waves.
fn relief([x, y]: [f64; 2]) -> f64 {
    0.45 * (x / 12.0).sin() + 0.35 * (y / 9.0 + 1.0).cos()
}

impl Scene {
    /// One return, with the centimetre of error that a scanner has.
    fn push(&mut self, point: Point) {
        let error = [(); 3].map(|()| self.rng.gen_range(-0.01..0.01) + self.rng.gen_range(-0.01..0.01));
        self.points.push([0, 1, 2].map(|j| point[j] + error[j]));
    }

    /// A parallelogram, or the half of it between its two sides.
    fn face(&mut self, corner: Point, u: Point, v: Point, half: bool) {
        let normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
        let area = normal.iter().map(|c| c * c).sum::<f64>().sqrt() / if half { 2.0 } else { 1.0 };
        for _ in 0..(area * self.density) as usize {
            let (mut s, mut t) = (self.rng.r#gen::<f64>(), self.rng.r#gen::<f64>());
            if half && s + t > 1.0 {
                (s, t) = (1.0 - s, 1.0 - t);
            }
            self.push([0, 1, 2].map(|j| corner[j] + s * u[j] + t * v[j]));
        }
    }

    /// The four walls of a box, and its top.
    fn block(&mut self, [x, y, z]: Point, [l, w, h]: Point, top: bool) {
        self.face([x, y, z], [l, 0.0, 0.0], [0.0, 0.0, h], false);
        self.face([x, y + w, z], [l, 0.0, 0.0], [0.0, 0.0, h], false);
        self.face([x, y, z], [0.0, w, 0.0], [0.0, 0.0, h], false);
        self.face([x + l, y, z], [0.0, w, 0.0], [0.0, 0.0, h], false);
        if top {
            self.face([x, y, z + h], [l, 0.0, 0.0], [0.0, w, 0.0], false);
        }
    }

    /// The skin of an ellipsoid, `rough` of its radius thick.
    fn blob(&mut self, centre: Point, radii: Point, n: usize, rough: f64) {
        let mut left = n;
        while left > 0 {
            let d = [(); 3].map(|()| self.rng.gen_range(-1.0..1.0_f64));
            let length = d.iter().map(|c| c * c).sum::<f64>().sqrt();
            if (0.1..1.0).contains(&length) {
                let r = 1.0 - rough * self.rng.r#gen::<f64>();
                self.push([0, 1, 2].map(|j| centre[j] + radii[j] * r * d[j] / length));
                left -= 1;
            }
        }
    }

    /// An upright tube.
    fn post(&mut self, [x, y, z]: Point, radius: f64, height: f64, n: usize) {
        for _ in 0..n {
            let (sin, cos) = self.rng.gen_range(0.0..std::f64::consts::TAU).sin_cos();
            let up = self.rng.gen_range(0.0..height);
            self.push([x + radius * cos, y + radius * sin, z + up]);
        }
    }

    fn stand(&mut self, [x, y]: [f64; 2], [l, w]: [f64; 2]) -> f64 {
        self.footprints.push([x, x + l, y, y + w]);
        relief([x + l / 2.0, y + w / 2.0])
    }

    fn house(&mut self, [x, y]: [f64; 2], [l, w]: [f64; 2], h: f64) {
        let z = self.stand([x, y], [l, w]);
        self.density = 42.0;
        let (ridge, eaves) = (0.36 * w, 0.4);
        self.block([x, y, z], [l, w, h], false);
        let (low, rise) =
            (z + h - eaves * 2.0 * ridge / w, [0.0, w / 2.0 + eaves, ridge * (1.0 + 2.0 * eaves / w)]);
        self.face([x - eaves, y - eaves, low], [l + 2.0 * eaves, 0.0, 0.0], rise, false);
        self.face(
            [x - eaves, y + w + eaves, low],
            [l + 2.0 * eaves, 0.0, 0.0],
            [0.0, -rise[1], rise[2]],
            false,
        );
        for x in [x, x + l] {
            for (y, half) in [(y, w / 2.0), (y + w, -w / 2.0)] {
                self.face([x, y + half, z + h], [0.0, -half, 0.0], [0.0, 0.0, ridge], true);
            }
        }
    }

    fn car(&mut self, [x, y]: [f64; 2]) {
        let z = self.stand([x, y], [4.3, 1.8]) + 0.15;
        self.density = 80.0;
        self.block([x, y, z], [4.3, 1.8, 0.75], true);
        self.block([x + 1.1, y + 0.1, z + 0.75], [2.2, 1.6, 0.6], true);
    }

    fn tree(&mut self, [x, y]: [f64; 2]) {
        let z = self.stand([x - 0.2, y - 0.2], [0.4, 0.4]);
        let size = self.rng.gen_range(0.8..1.25);
        self.post([x, y, z], 0.18, 3.4 * size, 420);
        self.blob(
            [x, y, z + 4.8 * size],
            [1.9 * size, 1.9 * size, 2.4 * size],
            (2700.0 * size * size) as usize,
            0.35,
        );
    }

    fn lamp(&mut self, [x, y]: [f64; 2]) {
        let z = self.stand([x - 0.1, y - 0.1], [0.2, 0.2]);
        self.post([x, y, z], 0.09, 7.0, 700);
        for i in 0..160 {
            self.push([x, y - f64::from(i) / 80.0, z + 7.0]);
        }
        self.blob([x, y - 2.0, z + 6.9], [0.35, 0.5, 0.12], 150, 0.0);
    }

    fn person(&mut self, [x, y]: [f64; 2]) {
        let z = self.stand([x - 0.25, y - 0.25], [0.5, 0.5]);
        self.blob([x, y, z + 0.75], [0.26, 0.26, 0.75], 260, 0.1);
        self.blob([x, y, z + 1.62], [0.13, 0.13, 0.16], 60, 0.1);
    }

    /// A point of the ground that is clear of everything that stands on it, or none.
    fn ground_point(&mut self) {
        let (x, y) = (self.rng.gen_range(0.0..SIZE[0]), self.rng.gen_range(0.0..SIZE[1]));
        let clear = |&[x0, x1, y0, y1]: &[f64; 4]| {
            let (dx, dy) = ((x0 - x).max(x - x1).max(0.0), (y0 - y).max(y - y1).max(0.0));
            dx.hypot(dy) > CLEARANCE
        };
        if self.footprints.iter().all(clear) {
            self.push([x, y, relief([x, y])]);
        }
    }
}
