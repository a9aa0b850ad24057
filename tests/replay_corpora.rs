//! Every target of the fuzzers on the small files that are kept for it: those that reach far, and those that once failed.

mod fuzz;

use std::path::Path;

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
