//! What the example prints and writes.

use sapwood::ndarray::{Array1, Array2};
use sapwood::plot::Figure;
use sapwood::{Dbscan, Float, Result, io};

use crate::arguments::Arguments;

/// Seconds of each stage; the last two once for each repeat, and the index is a part of the fit.
pub(crate) struct Seconds {
    pub(crate) load: f64,
    pub(crate) index: Vec<f64>,
    pub(crate) fits: Vec<f64>,
}

/// The middle one, or the mean of the two in the middle.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let n = values.len().max(1);
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    (at((n - 1) / 2) + at(n / 2)) / 2.0
}

pub(crate) fn print<F: Float>(
    all: &Array2<F>,
    model: &Dbscan<F>,
    (eps, min_samples): (f64, usize),
    seconds: Seconds,
) {
    let (n, d) = (model.labels().len(), all.ncols());
    if n < all.nrows() {
        println!("{} of {} points are missing (NaN) and left out", all.nrows() - n, all.nrows());
    }
    let (noise, core) = (model.n_noise(), model.core_samples().len());
    let share = 100.0 * noise as f64 / n as f64;
    println!("n {n}  d {d}  eps {eps}  min_samples {min_samples}");
    println!("clusters {}  core points {core}  noise {noise} ({share:.1} %)", model.n_clusters());
    let (index, fit) = (median(seconds.index), median(seconds.fits));
    println!("load {:.3} s  index {index:.3} s  fit {fit:.3} s (with the index)", seconds.load);
    println!("fit_seconds={fit:.6}");
}

/// Writes the files that were asked for. `kept` are the rows of `all` that were clustered.
pub(crate) fn write<F: Float>(
    arguments: &Arguments,
    all: &Array2<F>,
    kept: &[usize],
    points: &Array2<F>,
    model: &Dbscan<F>,
    subtitle: &str,
) -> Result<()> {
    if let Some(path) = &arguments.labels {
        let mut numbers = Array1::from_elem(all.nrows(), -1_i64);
        for (&row, label) in kept.iter().zip(model.labels()) {
            numbers[row] = label.map_or(-1, |label| label as i64);
        }
        io::write_npy(path, &numbers)?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = &arguments.svg {
        let figure = Figure::clusters(points, model.labels())?.subtitle(format!("DBSCAN, {subtitle}"));
        let figure = if arguments.file.is_some() { figure } else { figure.axes(["x (m)", "y (m)", "z (m)"]) };
        figure.save(path)?;
        println!("wrote {}", path.display());
    }
    if let Some(path) = &arguments.ply {
        io::write_ply(path, points, model.labels())?;
        println!("wrote {}", path.display());
    }
    Ok(())
}
