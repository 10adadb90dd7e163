//! The program against a sandbox: killed in the middle, twice at once, with recognisable secrets,
//! and with a thousand projects.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "clippy takes only `#[test]` functions for tests, not what they call"
)]

mod canary;
mod clients;
mod killed;
mod lambda;
mod moto;
mod support;
mod thousand;
