//! `sapwood markov`: fit, sample, analyse.

use std::io::Write;
use std::path::PathBuf;

use sapwood::markov::{OrderTest, TransitionCounts};
use sapwood::plot::Figure;
use sapwood::{MarkovChain, io};
use serde_json::{Value, json};

use crate::Outcome;
use crate::input::{Draw, Tokens};
use crate::output::{Summary, sink, write_svg};

#[derive(Debug, clap::Subcommand)]
pub(crate) enum Command {
    /// Estimate a chain from text: one sequence a line
    #[command(after_help = "Example: sapwood markov fit weather.txt --save weather.model")]
    Fit(Fit),
    /// Draw a sequence from a chain
    #[command(after_help = "Example: sapwood markov sample weather.model -n 14 --seed 1")]
    Sample(Sample),
    /// The structure of a chain and its long run
    #[command(after_help = "Example: sapwood markov analyse weather.model --svg weather.svg")]
    Analyse(Analyse),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fit {
    /// Text, one sequence a line, or `-`
    file: PathBuf,

    #[command(flatten)]
    tokens: Tokens,

    /// Added to every count; above 0 no transition is impossible
    #[arg(long, default_value_t = 0.0, value_name = "A")]
    pseudo_count: f64,

    /// Write the chain
    #[arg(long, value_name = "MODEL")]
    save: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Sample {
    #[command(flatten)]
    draw: Draw,

    /// What to put between two tokens
    #[arg(long, default_value = " ", value_name = "TEXT")]
    delimiter: String,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Analyse {
    /// A chain that `markov fit` wrote
    model: PathBuf,

    /// Write the transition graph for Graphviz
    #[arg(long, value_name = "DOT")]
    dot: Option<PathBuf>,

    /// Draw the transition graph, of up to 60 states
    #[arg(long)]
    svg: Option<PathBuf>,
}

pub(crate) fn run(command: &Command, json: bool) -> Outcome {
    match command {
        Command::Fit(arguments) => fit(arguments, json),
        Command::Sample(arguments) => sample(arguments),
        Command::Analyse(arguments) => analyse(arguments, json),
    }
}

fn fit(arguments: &Fit, json: bool) -> Outcome {
    let sequences = arguments.tokens.read(&arguments.file)?;
    let counts = TransitionCounts::new(&sequences)?;
    let chain = MarkovChain::from_counts(&counts, arguments.pseudo_count)?;
    let mut summary = Summary::default();
    summary.set("sequences", sequences.n_sequences());
    summary.set("tokens", sequences.records().nrows());
    summary.set("states", chain.n_states());
    summary.set("transitions", chain.n_transitions());
    summary.set("log_likelihood", chain.log_likelihood(&sequences)?);
    summary.set("perplexity", chain.perplexity(&sequences)?);
    // Whether the last token tells anything, and whether the one before it tells more.
    summary.set("p_independence", counts.test_independence().ok().map(|test| test.p_value));
    summary.set("p_order_1_enough", OrderTest::new(&sequences, 1).ok().map(|test| test.p_value));
    if let Some(path) = &arguments.save {
        io::save(path, &chain)?;
    }
    summary.print(json, &[])
}

fn sample(arguments: &Sample) -> Outcome {
    let chain: MarkovChain<String> = io::load(&arguments.draw.model)?;
    let tokens = chain.sample(arguments.draw.n, &mut arguments.draw.rng()).to_vec();
    writeln!(std::io::stdout(), "{}", tokens.join(&arguments.delimiter))?;
    Ok(())
}

fn analyse(arguments: &Analyse, json: bool) -> Outcome {
    let chain: MarkovChain<String> = io::load(&arguments.model)?;
    let names = |states: &[usize]| Value::from_iter(states.iter().map(|&i| chain.states()[i].clone()));
    let mut summary = Summary::default();
    summary.set("states", chain.n_states());
    summary.set("transitions", chain.n_transitions());
    summary.set("irreducible", chain.is_irreducible());
    summary.set("ergodic", chain.is_ergodic());
    summary.set("absorbing", names(&chain.absorbing_states()));
    summary.set("transient", names(&chain.transient_states()));
    // What needs one long run, or a dense matrix, is left out where there is none.
    if let Ok(pi) = chain.stationary() {
        let entries = chain.states().iter().zip(&pi);
        if json {
            summary.set("stationary", Value::from_iter(entries.map(|(state, p)| json!([state, p]))));
        } else {
            let mut entries: Vec<_> = entries.collect();
            entries.sort_by(|a, b| b.1.total_cmp(a.1));
            let shown = entries.iter().take(10).map(|(state, p)| format!("{state} {p:.4}"));
            summary.set("stationary", shown.collect::<Vec<_>>().join(", "));
        }
    }
    summary.set("entropy_rate", chain.entropy_rate().ok());
    summary.set("mixing_time", chain.mixing_time(0.25).ok());
    summary.set("spectral_gap", chain.spectral_gap().ok());
    summary.set("kemeny_constant", chain.kemeny_constant().ok());
    if let Some(path) = &arguments.dot {
        let mut out = sink(path)?;
        out.write_all(chain.to_dot(0.0).as_bytes())?;
        out.flush()?;
    }
    if let Some(path) = &arguments.svg {
        write_svg(path, &Figure::chain(&chain, 0.01)?, false)?;
    }
    summary.print(json, &[arguments.dot.as_deref(), arguments.svg.as_deref()])
}
