//! Obstacles in a laser scan: drop the ground, cluster what stands on it, and put a box around each cluster.
//!
//! `cargo run --release --example find_obstacles [POINTS]`: points in metres, z up, in any format that sapwood reads. Without a file it takes the
//! airborne scan of `../shared/data` if it is there, and else a street made on the spot. Writes `obstacles.svg`.
#![allow(clippy::print_stdout, reason = "an example shows what it finds")]

#[path = "cluster_point_cloud/scene.rs"]
mod scene;

use std::collections::HashMap;

use sapwood::linfa::{DatasetBase, traits::Fit};
use sapwood::ndarray::{Array2, Axis};
use sapwood::{Dbscan, io, plot::Figure};

/// Metres: side of the squares in which the ground is looked for, and how far above it an obstacle begins.
const SQUARE: f32 = 6.0;
const CLEARANCE: f32 = 1.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let scan = concat!(env!("CARGO_MANIFEST_DIR"), "/../shared/data/points/autzen_1m/X.npy");
    let path = std::env::args().nth(1).or_else(|| std::fs::exists(scan).ok()?.then(|| scan.into()));
    let points = match path {
        Some(path) => io::read_points::<f32>(path)?,
        None => scene::street(100_000, 5).0,
    };

    let standing = above_ground(&points);
    println!("{} of {} points stand on the ground", standing.nrows(), points.nrows());
    let model = Dbscan::params(10).eps(1.5).fit(&DatasetBase::from(standing.view()))?;

    // The tight box of each cluster: lowest and highest corner.
    let mut boxes = vec![([f32::INFINITY; 3], [f32::NEG_INFINITY; 3], 0); model.n_clusters()];
    for (point, label) in standing.rows().into_iter().zip(model.labels()) {
        let Some(label) = *label else { continue };
        let (low, high, n) = &mut boxes[label];
        for axis in 0..3 {
            (low[axis], high[axis]) = (low[axis].min(point[axis]), high[axis].max(point[axis]));
        }
        *n += 1;
    }
    boxes.sort_by_key(|&(_, _, n)| std::cmp::Reverse(n));
    println!(
        "{} obstacles; the largest:\n   points   at (x, y)          length x width x height, m",
        boxes.len()
    );
    for (low, high, n) in boxes.iter().take(12) {
        let [length, width, height] = [0, 1, 2].map(|axis| high[axis] - low[axis]);
        let [x, y] = [0, 1].map(|axis| f32::midpoint(low[axis], high[axis]));
        println!("{n:9}   ({x:6.1}, {y:6.1})   {length:6.1} x {width:4.1} x {height:3.1}");
    }

    Figure::clusters(&standing, model.labels())?
        .title(format!("{} obstacles", boxes.len()))
        .subtitle(format!("points at least {CLEARANCE} m above the ground; eps 1.5 m, min_samples 10"))
        .axes(["x (m)", "y (m)", "z (m)"])
        .view(-60.0, 50.0)
        .save("obstacles.svg")?;
    println!("wrote obstacles.svg");
    assert!(boxes.len() > 5 && boxes.iter().all(|(low, high, _)| low[2] <= high[2]));
    assert_eq!(boxes.iter().map(|b| b.2).sum::<usize>() + model.n_noise(), standing.nrows());
    Ok(())
}

/// The points above the ground, which is the lowest point of a square and those around it.
fn above_ground(points: &Array2<f32>) -> Array2<f32> {
    let square = |x: f32, y: f32| ((x / SQUARE).floor() as i32, (y / SQUARE).floor() as i32);
    let mut lowest: HashMap<(i32, i32), f32> = HashMap::new();
    for point in points.rows() {
        let z = lowest.entry(square(point[0], point[1])).or_insert(f32::INFINITY);
        *z = z.min(point[2]);
    }
    let around = (-1..=1).flat_map(|i| (-1..=1).map(move |j| (i, j)));
    let ground = |(x, y): (i32, i32)| {
        around
            .clone()
            .filter_map(|(i, j)| lowest.get(&(x + i, y + j)))
            .fold(f32::INFINITY, |min, &z| min.min(z))
    };
    let rows: Vec<usize> = (0..points.nrows())
        .filter(|&row| points[[row, 2]] > ground(square(points[[row, 0]], points[[row, 1]])) + CLEARANCE)
        .collect();
    points.select(Axis(0), &rows)
}
