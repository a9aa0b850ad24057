//! Random cases for a test: few by default, as many as asked for.

use proptest::prelude::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Runs `test` on `cases` values, the same ones every time. `SAPWOOD_CASES` sets another number of them, `SAPWOOD_SEED` other ones.
pub(crate) fn for_all<S: Strategy>(
    cases: u32,
    values: &S,
    test: impl Fn(S::Value) -> Result<(), TestCaseError>,
) {
    let number = |name| std::env::var(name).ok().map(|text| text.parse().expect("a number"));
    let config = Config {
        cases: number("SAPWOOD_CASES").map_or(cases, |n: u64| u32::try_from(n).expect("fits u32")),
        rng_seed: RngSeed::Fixed(number("SAPWOOD_SEED").unwrap_or(0)),
        failure_persistence: None,
        max_shrink_iters: 2000,
        ..Config::default()
    };
    if let Err(failure) = TestRunner::new(config).run(values, test) {
        panic!("{failure}");
    }
}
