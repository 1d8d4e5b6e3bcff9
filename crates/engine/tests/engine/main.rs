//! The engine with a system that misbehaves in every way that one can.
#![expect(clippy::unwrap_used, reason = "the tests' own tools")]
#![expect(unreachable_pub, reason = "these are parts of one test binary")]

mod cloud;
mod failures;
mod interrupts;
mod journal;
mod lab;
mod limits;
