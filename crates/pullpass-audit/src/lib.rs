//! What does this CI pull, and as whom?
//!
//! ```text
//! bytes ─► yaml::Document ─► circleci │ github ─► effect::Job ─► interpret ─► verdict::Pull ─► rules ─► Finding
//!          (source, text)       │ shell, recipes, dockerfile, compose, bake add effects ▲
//! ```
//!
//! The crate is pure: files come in through [`source::Tree`], nothing else comes in at all.

pub mod bake;
pub mod circleci;
pub mod compose;
pub mod context;
pub mod dockerfile;
pub mod effect;
pub mod github;
pub mod recipes;
pub mod reference;
pub mod run;
pub mod shell;
pub mod source;
pub mod text;
pub mod verdict;
pub mod yaml;
