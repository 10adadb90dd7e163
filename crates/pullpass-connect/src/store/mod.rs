//! The secret stores: three places to keep one kind of record in.
//!
//! ```text
//!   file    one file, safe to commit     compares under a lock, replaces the file
//!   aws     AWS Secrets Manager          moves one staging label from the version it was seen on
//!   vault   Vault, OpenBao: KV version 2 `options.cas`
//! ```
//!
//! What a change makes of a record is the same in all of them (`change`); how it is made so that
//! only one of two writers succeeds is each store's own.

pub mod aws;
mod change;
pub mod file;
mod random;
mod uuid;

pub use aws::AwsStore;
pub use file::FileStore;
