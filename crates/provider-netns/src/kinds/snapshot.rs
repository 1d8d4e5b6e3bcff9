//! `netns_snapshot`.

use std::collections::BTreeMap;

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Failure, Resource};

use super::{Context, Shape};
use crate::plan::Rules;
use crate::validate::Check;

/// The files that a host changed, kept as they were when the snapshot was made. Other hosts can
/// start from it.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_snapshot")]
pub(crate) struct Snapshot {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name.
    #[attr(replace)]
    name: String,
    /// Name of the host. It may go while the snapshot stays.
    #[attr(replace)]
    host: String,
    /// Any change takes the host's files anew.
    #[attr(optional, replace)]
    triggers: BTreeMap<String, String>,
    /// What is otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for Snapshot {
    const OF: Kind = Kind::Snapshot;
    const RULES: Rules = Rules::named();

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| check.name("name"))
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        let (name, host) = (self.name.clone(), self.host.clone());
        Ok(Spec::Snapshot(spec::Snapshot { name, host }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<Snapshot> {
        let Spec::Snapshot(it) = &object.spec else { return None };
        Some(Snapshot {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            host: it.host.clone(),
            triggers: self.triggers,
            drift: object.given.drift.clone(),
        })
    }
}
