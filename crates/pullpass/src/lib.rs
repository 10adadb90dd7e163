//! The thin shell around `pullpass-audit`: arguments, files, formats, exit codes.
//!
//! ```text
//! arguments ─► walk (which repositories) ─► checkout (their files) ─► pullpass_audit::audit
//!                 config, baseline ─────────────────────────────────────────┤
//!                                                   render (human, json, sarif, github) ─► stdout
//! ```

pub mod cli;
pub mod exit;

mod atomic;
mod baseline;
mod checkout;
mod commands;
mod config;
mod error;
mod listing;
mod neighbours;
mod parallel;
mod remote;
mod render;
mod terminal;
mod walk;
