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
mod commands;
mod credentials;
mod exits;
mod killed;
/// What stands in for Vault, and the server below it.
#[allow(dead_code, reason = "the suite of the stores looks into it")]
#[path = "../../../pullpass-connect/tests/stores/kv.rs"]
mod kv;
mod lambda;
mod moto;
#[allow(dead_code, reason = "the suite of the stores shows its log")]
#[path = "../../../pullpass-connect/tests/stores/moto_server.rs"]
mod moto_server;
mod onboard;
mod recovery;
#[path = "../../../pullpass-connect/tests/stores/server.rs"]
mod server;
mod support;
mod thousand;
