#![no_main]
#![allow(dead_code, reason = "of all targets one is run")]

#[path = "../../tests/fuzz/mod.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::linear::target(bytes));
