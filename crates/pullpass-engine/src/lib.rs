//! Observe, decide, perform, repeat.
//!
//! ```text
//! outside    everything that is spoken to, and the time
//! picture    what one project is like: what was seen, and what this run has learnt
//! perform    one step, and what it changes in the picture
//! run        one project until nothing is left to do; many projects side by side
//! event      what happened, for whoever watches
//! words      steps in words
//! ```
//!
//! There is no state but that of the systems outside. A run that is killed is continued by the next
//! one, on any machine.

pub mod build;
mod drift;
pub mod estimate;
pub mod event;
pub mod outside;
pub mod picture;
pub mod run;
pub mod unkept;
pub mod verify;
pub mod words;

mod perform;
mod pipeline;
mod secrets;
mod strays;
