//! The stores, held to one set of rules.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "what fails here fails the test"
)]

mod aws;
mod conformance;
mod credentials;
mod file;
mod kv;
mod moto;
mod moto_server;
mod server;
mod vault;
