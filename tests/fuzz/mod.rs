//! What a fuzzer calls: each target is a function of bytes that panics where the library breaks a promise.
//!
//! `fuzz/` runs them under cargo-fuzz, `replay_corpora.rs` on the files of `corpora/`. A file that once failed stays there.

mod bytes;
mod clouds;
mod dbscan;
mod distances;
mod hmm;
mod linear;
mod markov;
#[cfg(feature = "serde")]
mod models;
#[path = "../naive/mod.rs"]
mod naive;
mod neighbours;
mod recurrent;
mod tables;

use bytes::Bytes;

type Target = fn(&[u8]);

/// Every target and its name, which is that of its corpus.
pub(crate) const TARGETS: &[(&str, Target)] = &[
    ("tables", tables::target),
    ("clouds", clouds::target),
    #[cfg(feature = "serde")]
    ("models", models::target),
    ("dbscan", dbscan::target),
    ("neighbours", neighbours::target),
    ("distances", distances::target),
    ("markov", markov::target),
    ("hmm", hmm::target),
    ("linear", linear::target),
    ("recurrent", recurrent::target),
];
