//! Random models against what their definition says, worked out by other means.
//!
//! `SAPWOOD_CASES=10000 SAPWOOD_SEED=7 cargo test --release --test random_models` runs longer and elsewhere.

#[path = "../cases/mod.rs"]
mod cases;
mod hmms;
mod logistic;
mod nets;
