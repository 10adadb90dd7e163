//! The sandbox over HTTP: one program, so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

mod circleci;
mod clients;
mod github;
mod hub;
mod itself;
mod registry;
