//! `sapwood hmm`: fit, decode, score, sample.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use sapwood::data::Sequences;
use sapwood::hmm::{
    Categorical, Covariance, Emission, Gaussian, GaussianMixture, HmmParams, MISSING, Poisson, Stop,
};
use sapwood::linfa::DatasetBase;
use sapwood::ndarray::{Array2, OwnedRepr};
use sapwood::plot::Figure;
use sapwood::stored::Stored;
use sapwood::{CategoricalHmm, GaussianHmm, GaussianMixtureHmm, Hmm, Params, PoissonHmm, io};

use crate::input::Draw;
use crate::output::{Summary, sink, write_svg};
use crate::watch::{end, watch};
use crate::{Failure, Outcome, input};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Estimate a model from sequences of rows (Baum-Welch)
    #[command(after_help = "\
Examples:
  sapwood hmm fit returns.csv --states 2 --starts 5 --save regimes.model
  sapwood hmm fit counts.csv --states 3 --emission poisson --save quakes.model")]
    Fit(Fit),
    /// The most likely path of states (Viterbi), a line for each row
    #[command(after_help = "Example: sapwood hmm decode regimes.model returns.csv > states.csv")]
    Decode(Decode),
    /// Log-likelihood, AIC and BIC of sequences
    #[command(after_help = "Example: sapwood hmm score regimes.model returns.csv --json")]
    Score(Score),
    /// Draw a sequence, with its states
    #[command(after_help = "Example: sapwood hmm sample regimes.model -n 100 --seed 1")]
    Sample(Draw),
}

/// Rows and how they are cut into sequences.
#[derive(Debug, clap::Args)]
pub(crate) struct Rows {
    /// Observations, a row for each: .npy, .csv or `-`. NaN is a missing one
    file: PathBuf,

    /// Rows of each sequence: `100,80,120`; default one sequence
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    lengths: Vec<usize>,

    /// Columns to use, counted from 0: `0,1,2`; default all
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<usize>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fit {
    #[command(flatten)]
    rows: Rows,

    /// Number of hidden states
    #[arg(long, value_name = "K")]
    states: usize,

    /// What a state emits: measurements, symbols 0, 1, .., or counts
    #[arg(long, value_enum, default_value_t = Kind::Gaussian)]
    emission: Kind,

    /// Shape of the covariances of measurements
    #[arg(long, value_enum, default_value_t = Shape::Diagonal)]
    covariance: Shape,

    /// Components of each state of a mixture
    #[arg(long, default_value_t = 2, value_name = "M")]
    components: usize,

    /// Starts, of which the most likely end is taken
    #[arg(long, default_value_t = 1, value_name = "N")]
    starts: usize,

    /// Most rounds
    #[arg(long, default_value_t = 100, value_name = "N")]
    max_iter: usize,

    /// Gain of a round at which to end
    #[arg(long, default_value_t = 1e-2)]
    tol: f64,

    /// The same seed gives the same model
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Write the model
    #[arg(long, value_name = "MODEL")]
    save: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    Gaussian,
    Mixture,
    Categorical,
    Poisson,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Shape {
    Spherical,
    Diagonal,
    Full,
    Tied,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Decode {
    /// A model that `hmm fit` wrote
    model: PathBuf,

    #[command(flatten)]
    rows: Rows,

    /// The probability of each state beside the path
    #[arg(long)]
    posteriors: bool,

    /// Where to write
    #[arg(long, value_name = "CSV", default_value = "-")]
    out: PathBuf,

    /// Draw the probabilities of the states beneath the first column
    #[arg(long)]
    svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Score {
    /// A model that `hmm fit` wrote
    model: PathBuf,

    #[command(flatten)]
    rows: Rows,
}

pub(crate) fn run(command: &Command, json: bool) -> Outcome {
    let model = match command {
        Command::Fit(arguments) => return fit(arguments, json),
        Command::Decode(Decode { model, .. })
        | Command::Score(Score { model, .. })
        | Command::Sample(Draw { model, .. }) => model,
    };
    match io::kind_of(model)?.as_str() {
        "Hmm<Gaussian<f64>, usize>" => answer::<Gaussian<f64>>(command, model, json),
        "Hmm<GaussianMixture<f64>, usize>" => answer::<GaussianMixture<f64>>(command, model, json),
        "Hmm<Categorical<f64>, usize>" => answer::<Categorical<f64>>(command, model, json),
        "Hmm<Poisson<f64>, usize>" => answer::<Poisson<f64>>(command, model, json),
        other => Err(Failure::Failed(format!(
            "{}: expected a hidden Markov model, found a {other}",
            model.display()
        ))),
    }
}

/// An entry of an observation, as a file has it.
trait Entry: Copy + Default + std::fmt::Debug + Send + Sync {
    fn of(x: f64) -> Option<Self>;
    fn text(self) -> String;
    fn number(self) -> f64;
}

impl Entry for f64 {
    fn of(x: f64) -> Option<Self> {
        Some(x)
    }
    fn text(self) -> String {
        self.to_string()
    }
    fn number(self) -> f64 {
        self
    }
}

impl Entry for usize {
    fn of(x: f64) -> Option<Self> {
        if x.is_nan() {
            return Some(MISSING);
        }
        (x >= 0.0 && x < 2_f64.powi(53) && x.fract() == 0.0).then_some(x as Self)
    }
    fn text(self) -> String {
        if self == MISSING { "nan".to_owned() } else { self.to_string() }
    }
    fn number(self) -> f64 {
        if self == MISSING { f64::NAN } else { self as f64 }
    }
}

impl Rows {
    fn read<T: Entry>(&self) -> Outcome<Sequences<OwnedRepr<T>>> {
        let numbers = input::points(&self.file, &self.columns)?;
        let mut rows = Array2::default(numbers.dim());
        for (place, (to, &x)) in
            rows.indexed_iter_mut().zip(&numbers).map(|((place, to), x)| (place, (to, x)))
        {
            *to = T::of(x).ok_or_else(|| {
                let (row, column) = place;
                Failure::Failed(format!(
                    "row {row}, column {column}: expected a whole number of at least 0, found {x}"
                ))
            })?;
        }
        if self.lengths.is_empty() {
            return Ok(Sequences::single(rows)?);
        }
        Ok(Sequences::new(rows, self.lengths.clone())?)
    }
}

fn fit(arguments: &Fit, json: bool) -> Outcome {
    let k = arguments.states;
    let covariance = match arguments.covariance {
        Shape::Spherical => Covariance::Spherical,
        Shape::Diagonal => Covariance::Diagonal,
        Shape::Full => Covariance::Full,
        Shape::Tied => Covariance::Tied,
    };
    match arguments.emission {
        Kind::Gaussian => fit_with(&GaussianHmm::<f64>::params(k).covariance(covariance), arguments, json),
        Kind::Mixture => {
            let params = GaussianMixtureHmm::<f64>::params(k).n_components(arguments.components);
            fit_with(&params.covariance(covariance), arguments, json)
        }
        Kind::Categorical => fit_with(&CategoricalHmm::params(k), arguments, json),
        Kind::Poisson => fit_with(&PoissonHmm::params(k), arguments, json),
    }
}

fn fit_with<E>(params: &Params<HmmParams<E>>, arguments: &Fit, json: bool) -> Outcome
where
    E: Emission<Float = f64, Elem: Entry> + Stored,
{
    let dataset = DatasetBase::new(arguments.rows.read::<E::Elem>()?, ());
    let params = params.clone().n_init(arguments.starts).max_iter(arguments.max_iter);
    let params = params.tol(arguments.tol).seed(arguments.seed);
    let model = watch(|observer| params.fit_observed(&dataset, observer))?;
    if let Some(path) = &arguments.save {
        io::save(path, &model)?;
    }
    let mut summary = Summary::default();
    summary.set("rows", dataset.records().records().nrows());
    summary.set("sequences", dataset.records().n_sequences());
    summary.set("states", model.n_states());
    if let Some(report) = model.report() {
        summary.set("rounds", report.n_iter());
        summary.set("converged", report.stop == Stop::Converged);
        summary.set("log_likelihood", report.objective());
    }
    summary.set("bic", model.bic(dataset.records())?);
    summary.set("initial", model.initial().to_vec());
    let transition = model.transition();
    let rows: Vec<Vec<f64>> = transition.rows().into_iter().map(|row| row.to_vec()).collect();
    summary.set("transition", rows);
    summary.print(json, &[])?;
    end(arguments.save.as_deref())
}

fn answer<E>(command: &Command, model: &Path, json: bool) -> Outcome
where
    E: Emission<Float = f64, Elem: Entry> + Stored,
{
    let model: Hmm<E> = io::load(model)?;
    match command {
        Command::Fit(_) => Ok(()),
        Command::Decode(arguments) => decode(&model, arguments),
        Command::Score(arguments) => {
            let sequences = arguments.rows.read::<E::Elem>()?;
            let mut summary = Summary::default();
            summary.set("sequences", sequences.n_sequences());
            summary.set("log_likelihood", model.score(&sequences)?);
            summary.set("aic", model.aic(&sequences)?);
            summary.set("bic", model.bic(&sequences)?);
            summary.set("each", model.log_likelihoods(&sequences)?.to_vec());
            summary.print(json, &[])
        }
        Command::Sample(arguments) => {
            let (x, states) = model.sample(arguments.n, &mut arguments.rng());
            let mut out = sink(Path::new("-"))?;
            let names: Vec<String> = (0..x.ncols()).map(|j| format!("x{j}")).collect();
            writeln!(out, "state,{}", names.join(","))?;
            for (row, &state) in x.rows().into_iter().zip(&states) {
                let row: Vec<String> = row.iter().map(|x| x.text()).collect();
                writeln!(out, "{},{}", model.labels()[state], row.join(","))?;
            }
            Ok(out.flush()?)
        }
    }
}

fn decode<E>(model: &Hmm<E>, arguments: &Decode) -> Outcome
where
    E: Emission<Float = f64, Elem: Entry>,
{
    let sequences = arguments.rows.read::<E::Elem>()?;
    let path = model.viterbi(&sequences)?;
    let wanted = arguments.posteriors || arguments.svg.is_some();
    let posteriors = if wanted { Some(model.posteriors(&sequences)?) } else { None };
    if let (Some(path), Some(posteriors)) = (&arguments.svg, &posteriors) {
        let first: Vec<f64> = sequences.records().column(0).iter().map(|x| x.number()).collect();
        write_svg(path, &Figure::posteriors(posteriors, model.labels(), &first)?, false)?;
    }
    let posteriors = posteriors.filter(|_| arguments.posteriors);
    let mut out = sink(&arguments.out)?;
    write!(out, "state")?;
    if posteriors.is_some() {
        model.labels().iter().try_for_each(|label| write!(out, ",p{label}"))?;
    }
    writeln!(out)?;
    for (row, &state) in path.states.iter().enumerate() {
        write!(out, "{}", model.labels()[state])?;
        if let Some(posteriors) = &posteriors {
            posteriors.row(row).iter().try_for_each(|p| write!(out, ",{p}"))?;
        }
        writeln!(out)?;
    }
    Ok(out.flush()?)
}
