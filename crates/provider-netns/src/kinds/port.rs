//! `netns_port`.

use std::collections::BTreeSet;

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Failure, Resource};

use super::{Context, Shape};
use crate::plan::{Choice, Reference, Rules};
use crate::text::{address, address_or_cidr, as_written, as_written_all, mac, read, read_some};
use crate::validate::Check;

/// A host's place in a network, declared by itself: it keeps its addresses while hosts come and go.
/// What leaves it with another source address is dropped.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_port")]
pub(crate) struct Port {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name.
    #[attr(replace)]
    name: String,
    /// Name of the network.
    network: String,
    /// Its address. Left out, a free one of the upper half.
    #[attr(optional_computed)]
    address: Option<String>,
    /// Its hardware address. Left out, one that follows from its name.
    #[attr(optional_computed)]
    mac: Option<String>,
    /// Names of the groups that say what may come and go. None: everything may.
    #[attr(optional)]
    security_groups: BTreeSet<String>,
    /// More source addresses that it may send from: `10.1.0.0/16`, or one address.
    #[attr(optional)]
    allowed_addresses: BTreeSet<String>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for Port {
    const OF: Kind = Kind::Port;
    const RULES: Rules = Rules {
        choices: &[
            Choice { attribute: "address", follows: &["network"], needs: None },
            Choice { attribute: "mac", follows: &["network"], needs: None },
        ],
        references: &[
            Reference { path: &["network"], kind: "netns_network" },
            Reference { path: &["security_groups"], kind: "netns_security_group" },
        ],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            check.place();
        })
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        Ok(Spec::Port(spec::Port {
            name: self.name.clone(),
            network: self.network.clone(),
            address: address("address", &self.address)?,
            mac: read_some("mac", &self.mac, mac)?,
            security_groups: self.security_groups.iter().cloned().collect(),
            allowed_addresses: allowed(&self.allowed_addresses)?,
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<Port> {
        let Spec::Port(it) = &object.spec else { return None };
        let address = it.address.or(object.given.address);
        let is = it.mac.clone().or_else(|| object.given.mac.clone());
        Some(Port {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            network: it.network.clone(),
            address: address.map(|it| it.to_string()),
            mac: as_written(self.mac, is, |it| mac(it), |it| it),
            security_groups: it.security_groups.iter().cloned().collect(),
            allowed_addresses: as_written_all(&self.allowed_addresses, &it.allowed_addresses),
            drift: object.given.drift.clone(),
        })
    }
}

/// More source addresses.
pub(super) fn allowed(written: &BTreeSet<String>) -> Result<Vec<spec::Cidr>, Failure> {
    // Two ways to write one address are one.
    let all = written.iter().map(|it| read("allowed_addresses", it, address_or_cidr));
    Ok(all.collect::<Result<BTreeSet<_>, Failure>>()?.into_iter().collect())
}
