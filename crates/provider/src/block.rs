//! Structs as blocks: the traits behind `#[derive(Block)]` and `#[derive(Resource)]`.
//!
//! ```
//! use plumb_provider::{Block, Resource};
//!
//! /// A network of containers.
//! #[derive(Resource)]
//! #[resource(kind = "docker_network", version = 0)]
//! struct Network {
//!     /// The identifier.
//!     #[attr(computed)]
//!     id: Option<String>,
//!     /// The name.
//!     #[attr(replace)]
//!     name: String,
//!     /// The driver.
//!     #[attr(optional_computed, replace)]
//!     driver: Option<String>,
//!     /// Address ranges.
//!     #[attr(block, set, replace)]
//!     ipam_config: Vec<IpamConfig>,
//! }
//!
//! /// An address range.
//! #[derive(Block)]
//! struct IpamConfig {
//!     /// In CIDR notation.
//!     subnet: Option<String>,
//! }
//!
//! assert!(Network::resource_schema().block.any_replace());
//! ```
//!
//! A field is an attribute unless it says `block`. Its type gives the attribute's: `bool`, `String`,
//! integers and `f64`, `Vec` (list), `BTreeSet` (set), `BTreeMap<String, _>` (map), other blocks
//! (object), [`Value`] (anything), `Option` of these. `Option` is optional, the rest required,
//! unless a flag says otherwise: `required`, `optional`, `computed`, `optional_computed`. More
//! flags: `replace`, `sensitive`, `write_only`, `set` (for a `Vec`), `default = …`,
//! `deprecated = "…"`, `name = "…"`.
//!
//! `block` is nested as the type says (`Vec`: list, `BTreeSet`: set, `BTreeMap`: map, `Option`:
//! single, else group) unless `list`, `set`, … is given: `Option` with `list` is a list of at most
//! one. `min` and `max` count.
//!
//! `None` stands for null and, of what the system sets, for what is not known yet. A collection is
//! empty where it is null.

use std::sync::Arc;

use plumb_model::addr::Kind;
use plumb_model::schema::{self, ResourceSchema};
use plumb_model::value::{Path, Value};

use crate::Failure;

/// Arguments and nested blocks as a struct.
pub trait Block: Sized {
    /// The schema.
    fn schema() -> &'static schema::Block;

    /// Reads an object of the schema's type, wholly known except for what the system sets.
    fn from_value(value: &Value) -> Result<Self, DecodeError>;

    /// The object, of the schema's type.
    fn to_value(&self) -> Value;
}

/// A resource type or data source as a struct.
pub trait Resource: Block {
    /// Its name: `docker_network`.
    const KIND: &'static str;

    /// All of its schema.
    fn resource_schema() -> ResourceSchema;

    /// Its name.
    fn kind() -> Kind {
        Kind::new(Self::KIND)
    }
}

/// For the table of a provider's resources: `resources: [entry::<Network>()].into()`.
pub fn entry<R: Resource>() -> (Kind, Arc<ResourceSchema>) {
    (R::kind(), Arc::new(R::resource_schema()))
}

/// A value that does not fit the schema. Callers check values first, so this is a bug of theirs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the value{at} does not fit the schema: {message}", at = At(path))]
pub struct DecodeError {
    /// Where.
    pub path: Path,
    /// What is wrong there.
    pub message: String,
}

struct At<'a>(&'a Path);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0.is_empty() {
            true => Ok(()),
            false => write!(f, " at {}", self.0),
        }
    }
}

impl DecodeError {
    /// A problem with the value itself.
    pub fn new(message: impl Into<String>) -> DecodeError {
        DecodeError { path: Path::default(), message: message.into() }
    }

    /// The same, seen from one step further out.
    pub(crate) fn within(self, outer: Path) -> DecodeError {
        let path = outer.steps().iter().chain(self.path.steps()).cloned().collect();
        DecodeError { path, ..self }
    }
}

impl From<DecodeError> for Failure {
    fn from(error: DecodeError) -> Failure {
        let failure = Failure::new("Invalid value", format!("{error}."));
        if error.path.is_empty() { failure } else { failure.at(error.path) }
    }
}
