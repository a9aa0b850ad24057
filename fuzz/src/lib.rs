//! The targets of `tests/fuzz` under a fuzzer.

#[path = "../../tests/fuzz/mod.rs"]
mod targets;

/// Runs the target of this name on these bytes.
///
/// # Panics
/// Where the library breaks a promise, and for a name that is none.
pub fn run(name: &str, bytes: &[u8]) {
    let (_, target) = targets::TARGETS.iter().find(|target| target.0 == name).expect("a target");
    target(bytes);
}
