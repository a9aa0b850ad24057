//! `sapwood cluster`.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::ValueEnum;
use sapwood::dbscan::DbscanParams;
use sapwood::linfa::DatasetBase;
use sapwood::ndarray::{Array1, Array2};
use sapwood::plot::Figure;
use sapwood::{Dbscan, Float, dbscan, io};
use serde::{Serialize, de::DeserializeOwned};

use crate::output::{Summary, sink, write_svg};
use crate::watch::watch;
use crate::{Failure, Outcome, input};

/// Cluster points by density (DBSCAN), labels as scikit-learn's
///
/// Rows with NaN, as scanners mark missing points, are left out and get no cluster.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sapwood cluster scan.ply --eps 0.5 --min-samples 10 --cloud clusters.ply --svg clusters.svg
  sapwood cluster points.csv --suggest-eps=elbow.svg --labels - > labels.csv")]
pub(crate) struct Arguments {
    /// Points: .npy, .csv, .txt, .tsv, .xyz, .ply, .pcd, .las, .laz, or `-`
    file: PathBuf,

    /// Radius of a neighbourhood, in the units of the file
    #[arg(long, required_unless_present_any = ["suggest_eps", "load"])]
    eps: Option<f64>,

    /// Take eps from the knee of the k-distance curve, and draw that curve
    #[arg(long, value_name = "SVG", require_equals = true, conflicts_with = "eps")]
    suggest_eps: Option<Option<PathBuf>>,

    /// Points within eps that make a core point, itself included
    #[arg(long, default_value_t = 5, value_name = "M")]
    min_samples: usize,

    /// What distance means
    #[arg(long, value_enum, default_value_t = Metric::Euclidean)]
    metric: Metric,

    /// Columns to use, counted from 0: `0,1,2`; default all
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<usize>,

    /// Write the cluster of each row, -1 for noise: .npy as int64, else a line each
    #[arg(long, value_name = "OUT")]
    labels: Option<PathBuf>,

    /// Write the points with their labels: .ply with colours, else CSV
    #[arg(long, value_name = "OUT")]
    cloud: Option<PathBuf>,

    /// Draw the clusters
    #[arg(long, value_name = "SVG")]
    svg: Option<PathBuf>,

    /// Draw on a dark ground
    #[arg(long)]
    dark: bool,

    /// Write the model, to assign other points to its clusters with --load
    #[arg(long, value_name = "MODEL")]
    save: Option<PathBuf>,

    /// Assign the points to the clusters of this model instead of clustering them
    #[arg(long, value_name = "MODEL", conflicts_with_all = ["eps", "suggest_eps", "save"])]
    load: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum Metric {
    /// The straight line
    Euclidean,
    /// The sum of the differences
    Manhattan,
    /// The largest difference
    Chebyshev,
    /// The angle of directions: 1 - cos, in 0 to 2
    Cosine,
    /// Over a sphere, of latitude and longitude in degrees; eps in kilometres on the earth
    Haversine,
}

/// Mean radius of the earth.
const EARTH_KM: f64 = 6371.0088;

impl Metric {
    /// Sets the distance and `eps` in its unit.
    fn set(self, params: DbscanParams, eps: f64) -> DbscanParams {
        match self {
            Self::Euclidean => params.eps(eps),
            Self::Manhattan => params.eps(eps).metric(dbscan::Metric::Manhattan),
            Self::Chebyshev => params.eps(eps).metric(dbscan::Metric::Chebyshev),
            Self::Cosine => params.eps(eps).metric(dbscan::Metric::Cosine),
            Self::Haversine => params.eps(eps / EARTH_KM).metric(dbscan::Metric::Haversine),
        }
    }
}

pub(crate) fn run(arguments: &Arguments, json: bool) -> Outcome {
    if arguments.suggest_eps.is_some() && arguments.metric != Metric::Euclidean {
        return Err(Failure::Usage(
            "--suggest-eps measures straight lines: give --eps for another --metric".to_owned(),
        ));
    }
    let points = input::points(&arguments.file, &arguments.columns)?;
    // Single precision where it holds the very same numbers: half the memory to walk through.
    let narrow = match &arguments.load {
        Some(path) => io::kind_of(path)? == "Dbscan<f32>",
        None if arguments.metric == Metric::Haversine => false,
        None => points.iter().all(|&x| x.is_nan() || f64::from(x as f32).to_bits() == x.to_bits()),
    };
    if narrow {
        cluster(&points.mapv(|x| x as f32), arguments, json)
    } else {
        cluster(&points, arguments, json)
    }
}

fn cluster<F: Float + Serialize + DeserializeOwned>(
    all: &Array2<F>,
    arguments: &Arguments,
    json: bool,
) -> Outcome {
    let (points, kept) = io::drop_missing(all);
    let mut summary = Summary::default();
    summary.set("points", all.nrows());
    summary.set("dimensions", all.ncols());
    if kept.len() < all.nrows() {
        summary.set("missing", all.nrows() - kept.len());
    }
    let measured = match arguments.metric {
        Metric::Haversine => points.mapv(|degrees| F::cast(degrees.as_f64().to_radians())),
        _ => points.clone(),
    };
    let dataset = DatasetBase::from(measured);
    let subtitle;
    let labels = if let Some(path) = &arguments.load {
        let model: Dbscan<F> = io::load(path)?;
        subtitle = format!("assigned by {}", path.display());
        summary.set("clusters", model.n_clusters());
        model.try_predict(dataset.records())?
    } else {
        let min_samples = arguments.min_samples;
        let eps = match arguments.eps {
            Some(eps) => eps,
            None => suggest(dataset.records(), arguments)?,
        };
        subtitle = format!("DBSCAN, eps = {eps}, min_samples = {min_samples}");
        let start = Instant::now();
        let params = arguments.metric.set(Dbscan::params(min_samples), eps);
        let model = watch(|observer| params.fit_observed(&dataset, observer))?;
        summary.set("eps", eps);
        summary.set("min_samples", min_samples);
        summary.set("clusters", model.n_clusters());
        summary.set("core_points", model.core_samples().len());
        summary.set("fit_seconds", start.elapsed().as_secs_f64());
        if let Some(path) = &arguments.save {
            io::save(path, &model)?;
        }
        model.labels().clone()
    };
    summary.set("noise", labels.iter().filter(|label| label.is_none()).count());

    if let Some(path) = &arguments.labels {
        let mut numbers = Array1::from_elem(all.nrows(), -1_i64);
        for (&row, label) in kept.iter().zip(&labels) {
            numbers[row] = label.map_or(-1, |label| label as i64);
        }
        if has_extension(path, "npy") {
            io::write_npy(path, &numbers)?;
        } else {
            let mut out = sink(path)?;
            numbers.iter().try_for_each(|number| writeln!(out, "{number}"))?;
            out.flush()?;
        }
    }
    if let Some(path) = &arguments.cloud {
        if has_extension(path, "ply") {
            io::write_ply(path, &points, &labels)?;
        } else {
            write_cloud(path, &points, &labels)?;
        }
    }
    if let Some(path) = &arguments.svg {
        let figure = Figure::clusters(&points, &labels)?.subtitle(subtitle);
        write_svg(path, &figure, arguments.dark)?;
    }
    let outputs = [&arguments.labels, &arguments.cloud, &arguments.svg];
    summary.print(json, &outputs.map(|path| path.as_deref()))
}

/// The knee of the k-distance curve, drawn where that was asked for.
fn suggest<F: Float>(points: &Array2<F>, arguments: &Arguments) -> Outcome<f64> {
    let curve = dbscan::suggest_eps(points, arguments.min_samples)?;
    if let Some(Some(path)) = &arguments.suggest_eps {
        write_svg(path, &Figure::k_distance(curve.distances(), curve.knee()), arguments.dark)?;
    }
    // Three digits, so that it can be typed again.
    let rounded = format!("{:.2e}", curve.eps()).parse();
    rounded.map_err(|error| Failure::Failed(format!("no eps in the curve: {error}")))
}

fn write_cloud<F: Float>(path: &Path, points: &Array2<F>, labels: &Array1<Option<usize>>) -> Outcome {
    let mut out = sink(path)?;
    let names: Vec<String> = match points.ncols() {
        d @ ..=3 => ["x", "y", "z"][..d].iter().map(|&name| name.to_owned()).collect(),
        d => (0..d).map(|j| format!("x{j}")).collect(),
    };
    writeln!(out, "{},label", names.join(","))?;
    for (row, label) in points.rows().into_iter().zip(labels) {
        row.iter().try_for_each(|x| write!(out, "{x},"))?;
        writeln!(out, "{}", label.map_or(-1, |label| label as i64))?;
    }
    Ok(out.flush()?)
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}
