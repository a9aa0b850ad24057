//! The command line, by hand.

use std::path::PathBuf;
use std::str::FromStr;

pub(crate) const USAGE: &str = "\
Clusters a point cloud with DBSCAN and draws it.

cluster_point_cloud                  a street of 200,000 points, made up on the spot
cluster_point_cloud FILE [OPTIONS]   points of a .npy, .csv, .ply, .pcd or .las file

  --eps E            radius of a neighbourhood, in the units of the file
  --suggest          take eps from the knee of the k-distance curve, and draw that to k_distance.svg;
                     without --eps, eps is suggested too
  --min-samples M    points within eps that make a core point, itself included (10)
  --labels OUT.npy   write the cluster of each point as int64, -1 for noise
  --svg OUT.svg      draw the clusters
  --ply OUT.ply      write the points with their labels and colours
  --threads N        threads to use (all)
  --repeat K         fit K times and give the median time (1)

Without --labels, --svg and --ply, clusters.svg and clusters.ply are written.";

/// What was asked for.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    pub(crate) file: Option<PathBuf>,
    pub(crate) eps: Option<f64>,
    pub(crate) suggest: bool,
    pub(crate) min_samples: Option<usize>,
    pub(crate) labels: Option<PathBuf>,
    pub(crate) svg: Option<PathBuf>,
    pub(crate) ply: Option<PathBuf>,
    pub(crate) threads: Option<usize>,
    pub(crate) repeat: Option<usize>,
}

impl Arguments {
    /// The arguments of this process; `None` where help was asked for.
    pub(crate) fn parse() -> Result<Option<Self>, String> {
        let mut given = Self::default();
        let mut words = std::env::args_os().skip(1);
        while let Some(word) = words.next() {
            let text = word.to_string_lossy().into_owned();
            let mut value = || words.next().ok_or(format!("{text} needs a value; see --help"));
            match text.as_str() {
                "-h" | "--help" => return Ok(None),
                "--suggest" => given.suggest = true,
                "--eps" => given.eps = Some(number(&text, &value()?.to_string_lossy())?),
                "--min-samples" => given.min_samples = Some(number(&text, &value()?.to_string_lossy())?),
                "--threads" => given.threads = Some(number(&text, &value()?.to_string_lossy())?),
                "--repeat" => given.repeat = Some(number(&text, &value()?.to_string_lossy())?),
                "--labels" => given.labels = Some(value()?.into()),
                "--svg" => given.svg = Some(value()?.into()),
                "--ply" => given.ply = Some(value()?.into()),
                option if option.starts_with('-') => {
                    return Err(format!("unknown option {option}; see --help"));
                }
                _ if given.file.is_none() => given.file = Some(word.into()),
                _ => return Err(format!("one file at a time: {text} is a second; see --help")),
            }
        }
        if given.eps.is_some() && given.suggest {
            return Err("--eps and --suggest exclude each other".to_owned());
        }
        if given.labels.is_none() && given.svg.is_none() && given.ply.is_none() {
            given.svg = Some("clusters.svg".into());
            given.ply = Some("clusters.ply".into());
        }
        Ok(Some(given))
    }
}

impl Arguments {
    /// The eps to use; `None` asks for a suggestion.
    pub(crate) fn eps(&self) -> Option<f64> {
        let of_the_street = (self.file.is_none() && !self.suggest).then_some(0.5);
        self.eps.or(of_the_street)
    }

    /// Whether the street is clustered as it is meant to be.
    pub(crate) fn is_plain(&self) -> bool {
        self.eps.is_none() && !self.suggest && self.min_samples.is_none()
    }
}

fn number<N: FromStr>(option: &str, text: &str) -> Result<N, String> {
    text.parse().map_err(|_| format!("{option} needs a number, got {text}"))
}
