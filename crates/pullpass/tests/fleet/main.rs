//! The program against a sandbox: killed in the middle, twice at once, with recognisable secrets,
//! and with a thousand projects.

mod canary;
mod killed;
mod support;
mod thousand;
