//! `sapwood lstm`: fit, predict, sample.
//!
//! A table of numbers makes a net that forecasts the next row; a text makes one that writes.

use std::io::Write;
use std::path::{Path, PathBuf};

use sapwood::data::{ClassIndex, Sequences};
use sapwood::linfa::DatasetBase;
use sapwood::ndarray::{Array1, Array2, Axis, OwnedRepr, s};
use sapwood::optim::Schedule;
use sapwood::plot::Figure;
use sapwood::recurrent::{LstmCell, Recurrent};
use sapwood::stored::{Stored, hold};
use sapwood::{Lstm, Result, io};
use serde::{Deserialize, Serialize};

use crate::output::{Summary, sink, write_svg};
use crate::watch::{end, watch};
use crate::{Failure, Outcome, input};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Learn to forecast the next row of a table, or to write like a text
    #[command(after_help = "\
Examples:
  sapwood lstm fit sunspots.csv --columns 1 --save sunspots.model
  sapwood lstm fit shakespeare.txt --text --hidden 128 --save writer.model")]
    Fit(Fit),
    /// Forecast the rows after the end of a table
    #[command(
        after_help = "Example: sapwood lstm predict sunspots.model sunspots.csv --columns 1 --steps 12"
    )]
    Predict(Predict),
    /// Write on after a beginning
    #[command(
        after_help = "Example: sapwood lstm sample writer.model --start 'The ' -n 200 --temperature 0.8"
    )]
    Sample(Sample),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fit {
    /// A table of numbers (.npy, .csv) with a row for each time, or with --text a text; or `-`
    file: PathBuf,

    /// Learn to write the characters of a text
    #[arg(long, conflicts_with = "columns")]
    text: bool,

    /// Columns to use, counted from 0: `0,1,2`; default all
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<usize>,

    /// Units of a layer
    #[arg(long, default_value_t = 64, value_name = "N")]
    hidden: usize,

    /// Layers
    #[arg(long, default_value_t = 1, value_name = "N")]
    layers: usize,

    /// Passes over the data
    #[arg(long, default_value_t = 30, value_name = "N")]
    epochs: usize,

    /// Steps that one gradient looks back
    #[arg(long, default_value_t = 100, value_name = "N")]
    window: usize,

    /// Sequences in an update
    #[arg(long, default_value_t = 16, value_name = "N")]
    batch: usize,

    /// Step size of the first update; it ends at a hundredth
    #[arg(long, default_value_t = 4e-3, value_name = "RATE")]
    learning_rate: f64,

    /// The same seed gives the same net
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// Write the net
    #[arg(long, value_name = "MODEL")]
    save: Option<PathBuf>,

    /// Draw the loss of each epoch
    #[arg(long)]
    svg: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Predict {
    /// A forecaster that `lstm fit` wrote
    model: PathBuf,

    /// The table up to now, or `-`
    file: PathBuf,

    /// Columns to use, as in the fit
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    columns: Vec<usize>,

    /// Rows to forecast, each from those before it
    #[arg(long, default_value_t = 1, value_name = "N")]
    steps: usize,

    /// Where to write
    #[arg(long, value_name = "CSV", default_value = "-")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sample {
    /// A writer that `lstm fit --text` wrote
    model: PathBuf,

    /// What to go on from
    #[arg(long, default_value = "\n", value_name = "TEXT")]
    start: String,

    /// Characters to write
    #[arg(short, default_value_t = 200, value_name = "N")]
    n: usize,

    /// Below 1 the likely more often, at 0 the likeliest always
    #[arg(long, default_value_t = 1.0, value_name = "T")]
    temperature: f64,

    /// The same seed writes the same
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// A net over standardised columns; its answer is the change to the next row.
#[derive(Debug, Serialize, Deserialize)]
struct Forecaster {
    means: Array1<f64>,
    deviations: Array1<f64>,
    model: Lstm<f64>,
}

impl Stored for Forecaster {
    const VERSION: u16 = <Lstm<f64>>::VERSION;

    fn kind() -> String {
        "Forecaster".to_owned()
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        let d = self.means.len();
        let fits =
            self.model.predict(&Sequences::single(Array2::<f64>::zeros((1, d.max(1))))?)?.dim() == (1, d);
        hold(fits && self.deviations.len() == d, "means", "one for each column of the net", d)?;
        let finite = self.means.iter().all(|x| x.is_finite());
        let positive = self.deviations.iter().all(|&x| x > 0.0 && x.is_finite());
        hold(finite && positive, "deviations", "greater than 0 and finite", &self.deviations)
    }
}

/// A net over the characters of a text.
#[derive(Debug, Serialize, Deserialize)]
struct Writer {
    letters: Vec<char>,
    model: Recurrent<f32, LstmCell, ClassIndex<usize>>,
}

impl Stored for Writer {
    const VERSION: u16 = <Recurrent<f32, LstmCell, ClassIndex<usize>>>::VERSION;

    fn kind() -> String {
        "Writer".to_owned()
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        let (n, sorted) = (self.letters.len(), self.letters.windows(2).all(|pair| pair[0] < pair[1]));
        hold(n > 0 && sorted, "letters", "distinct and sorted", n)?;
        let stray = self.model.classes().iter().find(|&&class| class >= n);
        hold(stray.is_none(), "classes", "among the letters", format_args!("{stray:?}"))?;
        // A net without room for the last letter says so.
        self.model.predict(&Sequences::single(Array2::from_elem((1, 1), n - 1))?).map(|_| ())
    }
}

pub(crate) fn run(command: &Command, json: bool) -> Outcome {
    match command {
        Command::Fit(arguments) if arguments.text => fit_text(arguments, json),
        Command::Fit(arguments) => fit_table(arguments, json),
        Command::Predict(arguments) => predict(arguments),
        Command::Sample(arguments) => sample(arguments),
    }
}

/// `n` rows cut into windows, the last one shorter.
fn windows(n: usize, window: usize) -> Vec<usize> {
    let mut lengths = vec![window; n / window];
    lengths.extend(Some(n % window).filter(|&rest| rest > 0));
    lengths
}

impl Fit {
    fn check(&self) -> Outcome {
        match self.window {
            0 => Err(Failure::Usage("--window must be at least 1".to_owned())),
            _ => Ok(()),
        }
    }

    fn summarise(&self, rows: usize, parameters: usize, losses: &[f64], json: bool) -> Outcome {
        if let Some(path) = &self.svg {
            write_svg(path, &Figure::losses(&[("training", losses)])?, false)?;
        }
        let mut summary = Summary::default();
        summary.set("rows", rows);
        summary.set("parameters", parameters);
        summary.set("epochs", losses.len());
        summary.set("first_loss", losses.first().copied());
        summary.set("last_loss", losses.last().copied());
        summary.print(json, &[])
    }
}

fn fit_table(arguments: &Fit, json: bool) -> Outcome {
    arguments.check()?;
    let x = input::points(&arguments.file, &arguments.columns)?;
    let n = x.nrows();
    if n < 3 {
        return Err(Failure::Failed(format!("a forecast needs at least 3 rows, got {n}")));
    }
    sapwood::data::check_finite("records", &x)?;
    let means = x.mean_axis(Axis(0)).unwrap_or_default();
    // A column that never changes stays as it is.
    let deviations = x.std_axis(Axis(0), 0.0).mapv(|s| if s > 0.0 { s } else { 1.0 });
    let z = (&x - &means) / &deviations;
    let changes = &z.slice(s![1.., ..]) - &z.slice(s![..-1, ..]);
    let sequences = Sequences::new(z.slice(s![..-1, ..]).to_owned(), windows(n - 1, arguments.window))?;
    let params = Lstm::params(arguments.hidden).n_layers(arguments.layers).n_epochs(arguments.epochs);
    let params = params.batch_size(arguments.batch).learning_rate(arguments.learning_rate);
    let params = params.schedule(Schedule::Cosine { last: 0.01 }).seed(arguments.seed);
    let data = DatasetBase::new(sequences, changes);
    let model: Lstm<f64> = watch(|observer| params.fit_observed(&data, observer))?;
    arguments.summarise(n, model.parameters().len(), model.losses(), json)?;
    if let Some(path) = &arguments.save {
        io::save(path, &Forecaster { means, deviations, model })?;
    }
    end(arguments.save.as_deref())
}

fn predict(arguments: &Predict) -> Outcome {
    let Forecaster { means, deviations, model } = io::load(&arguments.model)?;
    let x = input::points(&arguments.file, &arguments.columns)?;
    sapwood::data::check_columns("records", &x, means.len())?;
    let z = (&x - &means) / &deviations;
    let mut state = model.state(1);
    let answers = model.predict_from(&mut state, &Sequences::single(z.view())?)?;
    let mut out = sink(&arguments.out)?;
    let last = |rows: &Array2<f64>| rows.slice(s![-1.., ..]).to_owned();
    let mut next = last(&z) + last(&answers);
    for step in 0..arguments.steps {
        let row: Vec<String> = (&next * &deviations + &means).iter().map(f64::to_string).collect();
        writeln!(out, "{}", row.join(","))?;
        if step + 1 < arguments.steps {
            let change = model.predict_from(&mut state, &Sequences::single(next.view())?)?;
            next += &change;
        }
    }
    Ok(out.flush()?)
}

fn fit_text(arguments: &Fit, json: bool) -> Outcome {
    arguments.check()?;
    let text: Vec<char> = input::text(&arguments.file)?.chars().collect();
    if text.len() < 3 {
        return Err(Failure::Failed(format!("a writer needs at least 3 characters, got {}", text.len())));
    }
    let mut letters = text.clone();
    letters.sort_unstable();
    letters.dedup();
    let tokens: Array1<usize> = text.iter().map(|c| letters.binary_search(c).unwrap_or(0)).collect();
    let n = tokens.len();
    let x: Array2<usize> = tokens.slice(s![..-1]).to_owned().insert_axis(Axis(1));
    let sequences: Sequences<OwnedRepr<usize>> = Sequences::new(x, windows(n - 1, arguments.window))?;
    let params = Lstm::<f32>::params(arguments.hidden).n_layers(arguments.layers).n_epochs(arguments.epochs);
    let params = params.embedding(32).n_tokens(letters.len()).batch_size(arguments.batch);
    let params = params.learning_rate(arguments.learning_rate).schedule(Schedule::Cosine { last: 0.01 });
    let data = DatasetBase::new(sequences, tokens.slice(s![1..]).to_owned());
    let model = watch(|observer| params.seed(arguments.seed).fit_observed(&data, observer))?;
    arguments.summarise(n, model.parameters().len(), model.losses(), json)?;
    if let Some(path) = &arguments.save {
        io::save(path, &Writer { letters, model })?;
    }
    end(arguments.save.as_deref())
}

fn sample(arguments: &Sample) -> Outcome {
    let Writer { letters, model } = io::load(&arguments.model)?;
    let token = |c: char| {
        let unknown = || Failure::Usage(format!("--start has {c:?}, which the text of the fit did not have"));
        letters.binary_search(&c).map_err(|_| unknown())
    };
    let beginning = arguments.start.chars().map(token).collect::<Outcome<Vec<usize>>>()?;
    let written = model.sample(&beginning, arguments.n, arguments.temperature, arguments.seed)?;
    let text: String = written.iter().map(|&token| letters[token]).collect();
    let mut out = sink(Path::new("-"))?;
    writeln!(out, "{}{text}", arguments.start.trim_start_matches('\n'))?;
    Ok(out.flush()?)
}
