//! The clients against the sandbox: one program, so that it is linked once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod support;

mod circleci;
mod faults;
mod github;
mod hub;
mod registry;
mod secrets;
