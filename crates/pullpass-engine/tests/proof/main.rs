//! The engine against a sandbox: what is promised holds, whatever goes wrong.

mod converge;
mod faults;
mod operators;
mod people;
mod support;
