//! Every target of the fuzzers on the small files that are kept for it: those that reach far, and those that once failed; and on random bytes.
//!
//! `SAPWOOD_CASES=10000 SAPWOOD_SEED=7 cargo test --release --features serde --test replay_corpora` runs longer and elsewhere.

#![allow(clippy::print_stdout, reason = "which target it was")]

mod cases;
mod fuzz;

use std::path::Path;

use cases::for_all;
use proptest::prelude::*;

#[test]
fn every_kept_input_is_answered() {
    let corpora = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpora");
    let mut failed = Vec::new();
    for (name, target) in fuzz::TARGETS {
        let folder = corpora.join(name);
        let mut files: Vec<_> =
            std::fs::read_dir(&folder).expect(name).map(|entry| entry.expect("a file").path()).collect();
        files.sort();
        assert!(files.len() >= 10, "{name} has {} files", files.len());
        for file in files {
            let bytes = std::fs::read(&file).expect("it was listed");
            if std::panic::catch_unwind(|| target(&bytes)).is_err() {
                failed.push(file);
            }
        }
    }
    assert!(failed.is_empty(), "{failed:#?}");
}

#[test]
fn random_bytes_are_answered() {
    for (name, target) in fuzz::TARGETS {
        let bytes = proptest::collection::vec(any::<u8>(), 0..400);
        println!("{name}");
        for_all(100, &bytes, |bytes| {
            target(&bytes);
            Ok(())
        });
    }
}
