//! What each project's credential should be, what it is, and the one next safe step.
//!
//! Nothing here touches the outside: no clock, no network, no file. [`file::parse`] says what should
//! be, [`observed::Observed`] is a picture that somebody else took, [`decide::decide`] names a
//! [`step::Step`] that somebody else performs, and the last two are repeated until
//! [`step::Step::Converged`].

pub mod decide;
pub mod desired;
pub mod failure;
pub mod file;
pub mod foresee;
pub mod label;
pub mod name;
pub mod observed;
pub mod reader;
pub mod step;
pub mod store;
