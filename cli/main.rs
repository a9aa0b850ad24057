//! `sapwood` at the command line: clusters, neighbours, chains, regressions and nets from files to files.
//!
//! Exit codes: 0 done, 1 the data or the fit failed, 2 the command was wrong, 130 stopped by Ctrl-C.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program prints")]

mod cluster;
mod hmm;
mod input;
mod logistic;
mod lstm;
mod markov;
mod neighbours;
mod output;
mod watch;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Clustering, neighbours, Markov models, regression and recurrent nets, from files to files.
///
/// Data go in as .npy, .csv, .txt, .tsv, .xyz, .ply, .pcd, .las or .laz, or as `-` from standard input; `-` as an output is standard output. On a terminal a fit shows how
/// far it is, in a pipe it is silent. Ctrl-C stops a fit and says what was kept.
#[derive(Debug, Parser)]
#[command(version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,

    /// Print the summary as one JSON object
    #[arg(long, global = true)]
    json: bool,

    /// Threads to use; default all. Any number gives the same answer
    #[arg(long, global = true, value_name = "N")]
    threads: Option<usize>,
}

#[derive(Debug, Subcommand)]
enum Command {
    Cluster(cluster::Arguments),
    Neighbours(neighbours::Arguments),
    /// Markov chains over tokens
    #[command(subcommand)]
    Markov(markov::Command),
    /// Hidden Markov models
    #[command(subcommand)]
    Hmm(hmm::Command),
    /// Logistic regression over a table
    #[command(subcommand)]
    Logistic(logistic::Command),
    /// LSTM nets that forecast numbers or write text
    #[command(subcommand)]
    Lstm(lstm::Command),
}

/// Why a command did not finish.
#[derive(Debug)]
enum Failure {
    /// The data, the files or the fit.
    Failed(String),
    /// What was asked for makes no sense.
    Usage(String),
    /// Ctrl-C; the text says what was kept.
    Stopped(String),
    /// Who read the output has gone: nothing to say to him.
    Unread,
}

impl From<sapwood::Error> for Failure {
    fn from(error: sapwood::Error) -> Self {
        match error {
            sapwood::Error::Stopped { .. } => Self::Stopped(format!("{error}; nothing was kept")),
            sapwood::Error::Io { source, .. } if source.kind() == std::io::ErrorKind::BrokenPipe => {
                Self::Unread
            }
            error => Self::Failed(error.to_string()),
        }
    }
}

impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::Unread,
            _ => Self::Failed(error.to_string()),
        }
    }
}

type Outcome<T = ()> = Result<T, Failure>;

fn main() -> ExitCode {
    let cli = Cli::parse();
    watch::catch_ctrl_c();
    let json = cli.json;
    let run = move || match cli.command {
        Command::Cluster(arguments) => cluster::run(&arguments, json),
        Command::Neighbours(arguments) => neighbours::run(&arguments),
        Command::Markov(command) => markov::run(&command, json),
        Command::Hmm(command) => hmm::run(&command, json),
        Command::Logistic(command) => logistic::run(&command, json),
        Command::Lstm(command) => lstm::run(&command, json),
    };
    let outcome = match cli.threads {
        Some(0) => Err(Failure::Usage("--threads must be at least 1".to_owned())),
        Some(n) => sapwood::with_threads(n, run),
        None => run(),
    };
    match outcome {
        Ok(()) | Err(Failure::Unread) => ExitCode::SUCCESS,
        Err(Failure::Failed(text)) => say(&text, 1),
        Err(Failure::Usage(text)) => say(&text, 2),
        Err(Failure::Stopped(text)) => say(&text, 130),
    }
}

fn say(text: &str, code: u8) -> ExitCode {
    eprintln!("sapwood: {text}");
    ExitCode::from(code)
}
