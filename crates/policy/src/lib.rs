//! Rego policies held against a plan: texts and a JSON document in, verdicts out.
//!
//! What a policy is and what its rules are called is as with conftest and the Open Policy Agent, so that policies that
//! exist already work as they are: rules `deny`, `violation` and `warn`, alone or with a suffix, give messages or
//! objects with a `msg`. Both versions of the language are read, file by file.
//!
//! This crate does not know files, plans, or how a verdict is shown. It reads the clock where a policy asks for it.

mod address;
mod fault;
mod load;
mod rules;
mod verdict;

use std::collections::BTreeSet;

pub use address::address_in;
pub use fault::Fault;
pub use load::Policies;
pub use verdict::{Ruling, Verdict};

/// A text and the path that it is known by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// As a person would write it.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// A document that policies see below `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataText {
    /// JSON, or YAML if the path ends like that.
    pub text: Text,
    /// Where below `data` it goes: the folders that it lies in.
    pub below: Vec<String>,
}

/// Whose rules are asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Namespaces {
    /// Those of every package.
    All,
    /// Those of these packages, as they are written behind `package`.
    Named(BTreeSet<String>),
}

impl Namespaces {
    /// `main` if none is named, every package if one of the names is `all`.
    pub fn of(names: &[String]) -> Namespaces {
        match names {
            [] => Namespaces::Named(BTreeSet::from(["main".to_owned()])),
            _ if names.iter().any(|it| it == "all") => Namespaces::All,
            _ => Namespaces::Named(names.iter().cloned().collect()),
        }
    }
}

/// What is judged.
#[derive(Clone, Copy, Debug)]
pub struct Case<'a> {
    /// What policies see as `input`: JSON.
    pub input: &'a str,
    /// Names of things in it that a verdict may be about: addresses of resources.
    pub addresses: &'a BTreeSet<String>,
}
