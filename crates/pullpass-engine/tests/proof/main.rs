//! The engine against a sandbox: what is promised holds, whatever goes wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod converge;
mod faults;
mod operators;
mod outages;
mod people;
mod soak;
mod support;
