//! `sapwood neighbours`.

use std::io::Write;
use std::path::PathBuf;

use sapwood::Index;
use sapwood::index::Neighbour;

use crate::output::sink;
use crate::{Outcome, input};

/// Neighbours of points: within a radius, or the nearest few
///
/// Writes CSV: a line `query,row,distance` for each neighbour, nearest first, rows counted from 0. Without --queries every point is a query, and finds itself.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Examples:
  sapwood neighbours scan.npy --radius 0.5 --count > counts.csv
  sapwood neighbours known.csv --queries new.csv -k 3")]
#[command(group(clap::ArgGroup::new("what").required(true).args(["radius", "nearest"])))]
pub(crate) struct Arguments {
    /// Points: .npy, .csv, .txt, .tsv, .xyz, .ply, .pcd, .las, .laz, or `-`
    file: PathBuf,

    /// All points within this distance, itself included
    #[arg(long, value_name = "R")]
    radius: Option<f64>,

    /// The K nearest points
    #[arg(short = 'k', long = "nearest", value_name = "K")]
    nearest: Option<usize>,

    /// Look from these points instead
    #[arg(long, value_name = "FILE")]
    queries: Option<PathBuf>,

    /// Only their number: a line `query,count` for each query
    #[arg(long, requires = "radius")]
    count: bool,

    /// Columns to use, counted from 0: `0,1,2`; default all
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<usize>,

    /// Where to write
    #[arg(long, value_name = "CSV", default_value = "-")]
    out: PathBuf,
}

pub(crate) fn run(arguments: &Arguments) -> Outcome {
    let points = input::points(&arguments.file, &arguments.columns)?;
    let index = Index::new(&points)?;
    let queries = match &arguments.queries {
        Some(path) => input::points(path, &arguments.columns)?,
        None => points,
    };
    let mut out = sink(&arguments.out)?;
    writeln!(out, "{}", if arguments.count { "query,count" } else { "query,row,distance" })?;
    let mut found: Vec<Neighbour> = Vec::new();
    for (i, query) in queries.rows().into_iter().enumerate() {
        if let Some(radius) = arguments.radius {
            if arguments.count {
                writeln!(out, "{i},{}", index.count_within(query, radius, usize::MAX)?)?;
                continue;
            }
            index.within_into(query, radius, &mut found)?;
        } else {
            index.nearest_into(query, arguments.nearest.unwrap_or(1), &mut found)?;
        }
        for Neighbour { row, distance, .. } in &found {
            writeln!(out, "{i},{row},{distance}")?;
        }
    }
    Ok(out.flush()?)
}
