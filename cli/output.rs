//! What goes out: summaries, and rows to a file or to standard output.

use std::io::{BufWriter, Write};
use std::path::Path;

use sapwood::plot::{Figure, Theme};
use serde_json::Value;

use crate::input::is_standard;
use crate::{Failure, Outcome};

/// A file or standard output, as a place to write to.
pub(crate) fn sink(path: &Path) -> Outcome<BufWriter<Box<dyn Write>>> {
    let out: Box<dyn Write> = if is_standard(path) {
        Box::new(std::io::stdout())
    } else {
        let file = std::fs::File::create(path);
        Box::new(file.map_err(|error| Failure::Failed(format!("{}: {error}", path.display())))?)
    };
    Ok(BufWriter::new(out))
}

/// How what goes out looks.
#[derive(Debug, Clone, Copy, clap::Args)]
pub(crate) struct Look {
    /// Print the summary as one JSON object
    #[arg(long, global = true)]
    pub(crate) json: bool,

    /// Draw on a dark ground
    #[arg(long, global = true)]
    pub(crate) dark: bool,
}

/// Names and values that a command ends with.
#[derive(Debug, Default)]
pub(crate) struct Summary(Vec<(&'static str, Value)>);

impl Summary {
    pub(crate) fn set(&mut self, name: &'static str, value: impl Into<Value>) {
        self.0.push((name, value.into()));
    }

    /// To standard output, or to standard error where a result went to standard output.
    pub(crate) fn print(&self, look: Look, outputs: &[Option<&Path>]) -> Outcome {
        let text = if look.json {
            let entries = self.0.iter().map(|(name, value)| format!("{}:{value}", Value::from(*name)));
            format!("{{{}}}\n", entries.collect::<Vec<_>>().join(","))
        } else {
            self.0.iter().map(|(name, value)| format!("{name:<20} {}\n", plain(value))).collect()
        };
        if outputs.iter().flatten().any(|path| is_standard(path)) {
            std::io::stderr().write_all(text.as_bytes())?;
        } else {
            std::io::stdout().write_all(text.as_bytes())?;
        }
        Ok(())
    }
}

/// For a reader: numbers to six digits, lists without brackets.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Null => "undefined".to_owned(),
        Value::Array(values) => {
            let between = if values.iter().any(Value::is_array) { " | " } else { " " };
            values.iter().map(plain).collect::<Vec<_>>().join(between)
        }
        Value::Number(number) if number.is_f64() => {
            let x = number.as_f64().unwrap_or(f64::NAN);
            let digits = (5 - x.abs().log10().floor().clamp(-9.0, 5.0) as i32).max(0) as usize;
            let text = format!("{x:.digits$}");
            if text.contains('.') {
                text.trim_end_matches('0').trim_end_matches('.').to_owned()
            } else {
                text
            }
        }
        other => other.to_string(),
    }
}

/// Writes a figure to a file or to standard output.
pub(crate) fn write_svg(path: &Path, figure: &Figure, look: Look) -> Outcome {
    let figure = figure.clone().theme(if look.dark { Theme::Dark } else { Theme::Light });
    let mut out = sink(path)?;
    out.write_all(figure.to_svg().as_bytes())?;
    Ok(out.flush()?)
}
