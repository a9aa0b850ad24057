//! What a fuzzer calls: each target is a function of bytes that panics where the library breaks a promise.
//!
//! `fuzz/` runs them under cargo-fuzz, `replay_corpora.rs` on the files of `corpora/`. A file that once failed stays there.

mod bytes;
pub(crate) mod clouds;
pub(crate) mod dbscan;
pub(crate) mod distances;
pub(crate) mod hmm;
pub(crate) mod linear;
pub(crate) mod markov;
#[cfg(feature = "serde")]
pub(crate) mod models;
#[path = "../naive/mod.rs"]
mod naive;
pub(crate) mod neighbours;
pub(crate) mod recurrent;
pub(crate) mod tables;

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
