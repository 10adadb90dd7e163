//! Why this exists: the commands an auditor must judge live inside shell text
//! that somebody pasted into CI YAML. That text is templated, cut off, broken,
//! and sometimes hostile, so no parser that gives up at the first error, or
//! that trusts its input, can be used. This one always returns, in linear
//! time, what could be understood, with the byte span of every node.

mod ansi;
mod ast;
mod brace;
mod command;
mod cursor;
mod expand;
mod heredoc;
mod parse;
mod value;
mod word;

#[cfg(test)]
mod tests;
#[cfg(test)]
mod tests_hostile;

pub use ast::*;
pub use brace::expand_braces;
pub(super) use parse::declares;
pub use parse::{MAX_DEPTH, parse};
