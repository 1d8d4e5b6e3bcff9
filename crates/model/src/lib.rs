//! The vocabulary: values and types, addresses, schemas, state, events, questions, plans.
//!
//! What providers and stored files are written against: change it slowly. It does not know that a
//! language or a network exists.

pub mod addr;
mod addr_parse;
pub mod event;
pub mod plan;
pub mod propose;
pub mod question;
pub mod schema;
pub mod state;
pub mod value;

pub use addr_parse::{BadAddr, Target};
