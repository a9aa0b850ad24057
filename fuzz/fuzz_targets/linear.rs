#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| sapwood_fuzz::run("linear", bytes));
