//! `sapwood logistic`: fit, predict, report.

use std::io::Write;
use std::path::PathBuf;

use sapwood::linfa::Dataset;
use sapwood::logistic::ClassWeight;
use sapwood::ndarray::{Array1, Array2, ArrayView1, Axis, Ix1};
use sapwood::plot::Figure;
use sapwood::score::Thresholds;
use sapwood::stored::{Stored, hold};
use sapwood::{LogisticRegression, Result, io, score};
use serde::{Deserialize, Serialize};

use crate::input::Table;
use crate::output::{Look, Summary, sink, write_svg};
use crate::watch::watch;
use crate::{Failure, Outcome};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Fit on a table with a header; text in the target column is the classes
    #[command(after_help = "Example: sapwood logistic fit iris.csv --target species --save iris.model")]
    Fit(Fit),
    /// Predict the class of each row, or its probabilities
    #[command(after_help = "Example: sapwood logistic predict iris.model new.csv --proba > classes.csv")]
    Predict(Predict),
    /// Coefficients with standard errors, tests and intervals, of a fit without penalty
    #[command(after_help = "Example: sapwood logistic report births.csv --target low --features age,weight")]
    Report(Report),
}

/// The table and what is learnt from what.
#[derive(Debug, clap::Args)]
pub(crate) struct Columns {
    /// CSV with a header, or `-`
    file: PathBuf,

    /// Column with the classes, by name or number
    #[arg(long, value_name = "COLUMN")]
    target: String,

    /// Columns to learn from, by name or number; default all others
    #[arg(long, value_delimiter = ',', value_name = "LIST")]
    features: Vec<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fit {
    #[command(flatten)]
    columns: Columns,

    /// Strength of the penalty; scikit-learn's C is its inverse
    #[arg(long, default_value_t = 1.0, value_name = "A")]
    alpha: f64,

    /// Part of the penalty that is L1: 0 is ridge, 1 is lasso
    #[arg(long, default_value_t = 0.0, value_name = "SHARE")]
    l1_ratio: f64,

    /// Give each class the same weight in all
    #[arg(long)]
    balanced: bool,

    /// Write the model
    #[arg(long, value_name = "MODEL")]
    save: Option<PathBuf>,

    /// Draw how many rows of each class are taken for each
    #[arg(long, value_name = "SVG")]
    confusion: Option<PathBuf>,

    /// Draw the ROC curve of each class against the rest
    #[arg(long, value_name = "SVG")]
    roc: Option<PathBuf>,

    /// Draw how often a class comes to pass that was given a probability
    #[arg(long, value_name = "SVG")]
    calibration: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Predict {
    /// A model that `logistic fit` wrote
    model: PathBuf,

    /// CSV with a header that has the model's features, or `-`
    file: PathBuf,

    /// The probability of each class instead
    #[arg(long)]
    proba: bool,

    /// Where to write
    #[arg(long, value_name = "CSV", default_value = "-")]
    out: PathBuf,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Report {
    #[command(flatten)]
    columns: Columns,

    /// Probability with which the intervals cover
    #[arg(long, default_value_t = 0.95)]
    level: f64,
}

/// A model with the names of the columns that it was fitted on.
#[derive(Debug, Serialize, Deserialize)]
struct Named {
    features: Vec<String>,
    model: LogisticRegression<f64, String>,
}

impl Stored for Named {
    const VERSION: u16 = <LogisticRegression<f64, String>>::VERSION;

    fn kind() -> String {
        format!("Named{}", <LogisticRegression<f64, String>>::kind())
    }

    fn validate(&self) -> Result<()> {
        self.model.validate()?;
        let (n, d) = (self.features.len(), self.model.coefficients().ncols());
        hold(n == d, "features", "as many as the model has", n)
    }
}

impl Columns {
    fn read(&self) -> Outcome<Dataset<f64, String, Ix1>> {
        let table = Table::read(&self.file)?;
        let target = table.column(&self.target)?;
        let features: Vec<usize> = if self.features.is_empty() {
            (0..table.names.len()).filter(|&column| column != target).collect()
        } else {
            self.features.iter().map(|name| table.column(name)).collect::<Outcome<_>>()?
        };
        if features.contains(&target) {
            return Err(Failure::Usage(format!("`{}` cannot be a feature and the target", self.target)));
        }
        let classes: Array1<String> = table.rows.iter().map(|row| row[target].clone()).collect();
        let names: Vec<String> = features.iter().map(|&column| table.names[column].clone()).collect();
        Ok(Dataset::new(table.numbers(&features)?, classes).with_feature_names(names))
    }
}

pub(crate) fn run(command: &Command, look: Look) -> Outcome {
    match command {
        Command::Fit(arguments) => fit(arguments, look),
        Command::Predict(arguments) => predict(arguments),
        Command::Report(arguments) => report(arguments, look),
    }
}

fn fit(arguments: &Fit, look: Look) -> Outcome {
    let data = arguments.columns.read()?;
    let weight = if arguments.balanced { ClassWeight::Balanced } else { ClassWeight::Uniform };
    let params = LogisticRegression::params().alpha(arguments.alpha).l1_ratio(arguments.l1_ratio);
    let params = params.class_weight(weight);
    let model = watch(|observer| params.fit_observed(&data, observer))?;
    let mut summary = Summary::default();
    summary.set("rows", data.records().nrows());
    summary.set("classes", model.classes().to_vec());
    summary.set("converged", model.report().converged());
    summary.set("iterations", model.report().iterations);
    scores(&model, &data, &mut summary)?;
    let features = data.feature_names().to_vec();
    if look.json {
        summary.set("features", features.clone());
        let rows = model.coefficients().rows().into_iter().map(|row| row.to_vec()).collect::<Vec<_>>();
        summary.set("coefficients", rows);
        summary.set("intercepts", model.intercepts().to_vec());
    } else {
        let mut out = std::io::stdout();
        // Of two classes there is one column: it speaks for the second.
        let classes = if model.classes().len() == 2 { &model.classes()[1..] } else { model.classes() };
        let classes: Vec<String> = classes.iter().map(|class| format!("{class:>12}")).collect();
        writeln!(out, "{:<20} {}", "coefficient", classes.join(" "))?;
        for (j, name) in features.iter().enumerate() {
            writeln!(out, "{name:<20} {}", joined(model.coefficients().column(j).iter()))?;
        }
        writeln!(out, "{:<20} {}", "intercept", joined(model.intercepts().iter()))?;
    }
    draw(arguments, &model, &data, look)?;
    if let Some(path) = &arguments.save {
        io::save(path, &Named { features, model })?;
    }
    summary.print(look, &[])
}

fn draw(
    arguments: &Fit,
    model: &LogisticRegression<f64, String>,
    data: &Dataset<f64, String, Ix1>,
    look: Look,
) -> Outcome {
    let (classes, p) = (model.classes(), model.predict_proba(data.records())?);
    if let Some(path) = &arguments.confusion {
        let mut counts = Array2::zeros((classes.len(), classes.len()));
        for (truth, row) in data.targets().iter().zip(p.rows()) {
            let truth = classes.binary_search(truth).unwrap_or(0);
            counts[[truth, most_probable(row)]] += 1;
        }
        write_svg(path, &Figure::confusion(classes, &counts)?, look)?;
    }
    // Of two classes, the second says it all.
    let shown = if classes.len() == 2 { 1..2 } else { 0..classes.len() };
    let scores = |class: usize| {
        let positive: Vec<bool> = data.targets().iter().map(|truth| *truth == classes[class]).collect();
        (positive, p.column(class).to_vec())
    };
    if let Some(path) = &arguments.roc {
        let curve = |class| Thresholds::new(&scores(class).0, &scores(class).1);
        let curves = shown.clone().map(curve).collect::<Result<Vec<_>>>()?;
        let named: Vec<_> =
            shown.clone().zip(&curves).map(|(i, curve)| (classes[i].as_str(), curve)).collect();
        write_svg(path, &Figure::roc(&named)?, look)?;
    }
    if let Some(path) = &arguments.calibration {
        let bins = |class| score::reliability(&scores(class).0, &scores(class).1, 10);
        let bins = shown.clone().map(bins).collect::<Result<Vec<_>>>()?;
        let named: Vec<_> = shown.zip(&bins).map(|(i, bins)| (classes[i].as_str(), &bins[..])).collect();
        write_svg(path, &Figure::calibration(&named)?, look)?;
    }
    Ok(())
}

/// The first of the largest probabilities.
fn most_probable(row: ArrayView1<'_, f64>) -> usize {
    (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best })
}

fn joined<'a>(values: impl Iterator<Item = &'a f64>) -> String {
    values.map(|value| format!("{value:>12.6}")).collect::<Vec<_>>().join(" ")
}

/// How well the model tells the rows that it was fitted on.
fn scores(
    model: &LogisticRegression<f64, String>,
    data: &Dataset<f64, String, Ix1>,
    summary: &mut Summary,
) -> Outcome {
    let p = model.predict_proba(data.records())?;
    let place = |class: &String| model.classes().binary_search(class).unwrap_or(0);
    let truth: Array1<usize> = data.targets().iter().map(place).collect();
    summary.set("accuracy", score::accuracy(truth.view(), p.view())?);
    summary.set("log_loss", score::log_loss(truth.view(), p.view())?);
    summary.set("roc_auc", score::roc_auc(truth.view(), p.view()).ok());
    Ok(())
}

fn predict(arguments: &Predict) -> Outcome {
    let Named { features, model } = io::load(&arguments.model)?;
    let table = Table::read(&arguments.file)?;
    let columns: Vec<usize> = features.iter().map(|name| table.column(name)).collect::<Outcome<_>>()?;
    let x: Array2<f64> = table.numbers(&columns)?;
    let p = model.predict_proba(&x)?;
    let mut out = csv::Writer::from_writer(sink(&arguments.out)?);
    let fail = |error: csv::Error| match error.into_kind() {
        csv::ErrorKind::Io(error) => Failure::from(error),
        other => Failure::Failed(format!("{other:?}")),
    };
    if arguments.proba {
        out.write_record(model.classes()).map_err(fail)?;
        for row in p.axis_iter(Axis(0)) {
            out.write_record(row.iter().map(f64::to_string)).map_err(fail)?;
        }
    } else {
        out.write_record(["class"]).map_err(fail)?;
        for row in p.axis_iter(Axis(0)) {
            let best =
                (1..row.len()).fold(0, |best, class| if row[class] > row[best] { class } else { best });
            out.write_record([&model.classes()[best]]).map_err(fail)?;
        }
    }
    Ok(out.flush()?)
}

fn report(arguments: &Report, look: Look) -> Outcome {
    let data = arguments.columns.read()?;
    let (model, table) = LogisticRegression::params().alpha(0.0).fit_inference(&data, arguments.level)?;
    if look.json {
        let mut summary = Summary::default();
        summary.set("rows", data.records().nrows());
        let estimates = serde_json::to_value(&table.estimates);
        summary.set("estimates", estimates.map_err(|error| Failure::Failed(error.to_string()))?);
        summary.set("log_likelihood", table.log_likelihood);
        summary.set("null_log_likelihood", table.null_log_likelihood);
        summary.set("aic", table.aic);
        summary.set("bic", table.bic);
        scores(&model, &data, &mut summary)?;
        return summary.print(look, &[]);
    }
    writeln!(std::io::stdout(), "{}\n{table}", model.report())?;
    Ok(())
}
