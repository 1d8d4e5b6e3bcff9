//! The kinds of objects: each a documented struct, what the holder is to make of it, and what it is
//! when the holder has spoken.

mod host;
mod link;
mod network;
mod outside;
mod port;
mod router;
mod security;
mod snapshot;

use std::path::PathBuf;

use plumb_model::addr::Kind as Named;
use plumb_model::schema::{Problem, ResourceSchema};
use plumb_model::value::Value;
use plumb_netns::spec::{Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Failure, Resource};

use crate::plan::{self, Rules};

pub(crate) use host::Host;
pub(crate) use link::Link;
pub(crate) use network::Network;
pub(crate) use outside::{FloatingIp, PortForward};
pub(crate) use port::Port;
pub(crate) use router::{Router, RouterInterface};
pub(crate) use security::{SecurityGroup, SecurityGroupRule};
pub(crate) use snapshot::Snapshot;

/// What a spec is made with besides its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Context {
    /// Paths in configurations are relative to this directory.
    pub(crate) directory: PathBuf,
    /// Names what nobody gave a name.
    pub(crate) token: String,
}

/// A resource as a struct that the holder can make.
pub(crate) trait Shape: Resource + Default {
    /// Its kind over there.
    const OF: Kind;
    /// What can be said of a plan.
    const RULES: Rules;

    /// What cannot be. May see unknown values.
    fn validate(config: &Value) -> Vec<Problem>;

    /// What the holder is to make.
    fn spec(&self, with: &Context) -> Result<Spec, Failure>;

    /// This as the holder has it, written as it was where that means the same; nothing if it is of
    /// another kind.
    fn observed(self, object: &Object, with: &Context) -> Option<Self>;
}

/// A [`Shape`] as data.
pub(crate) struct Of {
    /// Its name in configurations.
    pub(crate) name: &'static str,
    /// Its kind over there.
    pub(crate) kind: Kind,
    /// Arguments of its data source.
    pub(crate) found_by: &'static [&'static str],
    pub(crate) schema: fn() -> ResourceSchema,
    pub(crate) validate: fn(&Value) -> Vec<Problem>,
    pub(crate) spec: fn(&Value, &Context) -> Result<Spec, Failure>,
    /// Attributes of an object; the first are those it had, if it was known before.
    pub(crate) observe: fn(Option<&Value>, &Object, &Context) -> Result<Value, Failure>,
}

/// All of them, by name.
pub(crate) static ALL: [Of; 11] = [
    of::<FloatingIp>(),
    of::<Host>(),
    of::<Link>(),
    of::<Network>(),
    of::<Port>(),
    of::<PortForward>(),
    of::<Router>(),
    of::<RouterInterface>(),
    of::<SecurityGroup>(),
    of::<SecurityGroupRule>(),
    of::<Snapshot>(),
];

/// The shape of a resource type.
pub(crate) fn shape(kind: &Named) -> Result<&'static Of, Failure> {
    let found = ALL.iter().find(|it| it.name == &**kind);
    found.ok_or_else(|| {
        let detail = format!("The netns provider has no `{}`.", &**kind);
        Failure::new("Invalid resource type", detail)
    })
}

/// What the resource type is called that is of a kind over there.
pub(crate) fn called(kind: Kind) -> Option<&'static str> {
    ALL.iter().find(|it| it.kind == kind).map(|it| it.name)
}

const fn of<S: Shape>() -> Of {
    Of {
        name: S::KIND,
        kind: S::OF,
        found_by: S::RULES.id,
        schema: schema::<S>,
        validate: S::validate,
        spec: spec::<S>,
        observe: observe::<S>,
    }
}

fn schema<S: Shape>() -> ResourceSchema {
    ResourceSchema {
        refine: Some(plan::refine::<S>),
        validate: Some(S::validate),
        ..S::resource_schema()
    }
}

fn spec<S: Shape>(planned: &Value, with: &Context) -> Result<Spec, Failure> {
    S::from_value(planned)?.spec(with)
}

fn observe<S: Shape>(
    base: Option<&Value>,
    object: &Object,
    with: &Context,
) -> Result<Value, Failure> {
    let base = base.map(S::from_value).transpose()?.unwrap_or_default();
    let observed = base.observed(object, with);
    let observed = observed.ok_or_else(|| {
        let detail =
            format!("It was asked for a {} and told of a {:?}.", S::KIND, object.spec.kind());
        Failure::new("The holder of the cloud answers something else", detail)
    })?;
    Ok(observed.to_value())
}
