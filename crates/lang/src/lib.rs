//! The language: syntax tree, modules, references, functions, expansion.

pub mod syntax;
