//! The language: text to trees, trees to modules, modules to a program, and what its nodes are.
//!
//! It does not know files (it is given their text), providers (it is given their schemas), or
//! phases (it is told what is known so far).

pub mod compile;
pub mod config;
pub mod configuration;
pub mod eval;
pub mod format;
pub mod functions;
pub mod generate;
pub mod inputs;
mod json;
pub mod known;
pub mod nodes;
pub mod program;
pub mod proposal;
pub mod relevant;
pub mod restore;
mod scope;
pub mod suggest;
pub mod syntax;
pub mod validate;
pub mod vars;

pub use compile::{ModuleTree, compile};
pub use configuration::write_configuration;
pub use inputs::{InputValue, Inputs};
pub use known::{Each, Instances, Known};
pub use program::{ModuleId, NodeId, NodeKind, Program};
pub use relevant::relevant_attributes;
pub use scope::{Asked, World};
pub use validate::validate;
