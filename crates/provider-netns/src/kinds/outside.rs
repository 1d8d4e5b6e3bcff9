//! Ways in from the outside: `netns_floating_ip` and `netns_port_forward`.

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Failure, Resource};

use super::{Context, Shape};
use crate::plan::{Choice, Reference, Rules};
use crate::text::{FORWARDED, address, meant, read, word};
use crate::validate::Check;

/// An outer address for an inner one: one-to-one translation by the router that leads from the port
/// to the external network. It moves to another port without a packet in between.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_floating_ip")]
pub(crate) struct FloatingIp {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name. Left out, one is made up.
    #[attr(optional_computed, replace)]
    name: Option<String>,
    /// Name of the external network.
    network: String,
    /// The outer address. Left out, a free one of the upper half.
    #[attr(optional_computed)]
    address: Option<String>,
    /// Name of the port that it stands for, or of a host, whose first port is meant. Left out,
    /// nobody.
    port: Option<String>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for FloatingIp {
    const OF: Kind = Kind::FloatingIp;
    const RULES: Rules = Rules {
        choices: &[Choice { attribute: "address", follows: &["network"], needs: None }],
        // Its port may go and come back while it stays.
        references: &[Reference { path: &["network"], kind: "netns_network" }],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            check.address("address");
        })
    }

    fn spec(&self, with: &Context) -> Result<Spec, Failure> {
        Ok(Spec::FloatingIp(spec::FloatingIp {
            name: self.name.clone().unwrap_or_else(|| format!("fip-{}", with.token)),
            network: self.network.clone(),
            address: address("address", &self.address)?,
            port: self.port.clone(),
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<FloatingIp> {
        let Spec::FloatingIp(it) = &object.spec else { return None };
        let address = it.address.or(object.given.address);
        Some(FloatingIp {
            id: Some(it.name.clone()),
            name: Some(it.name.clone()),
            network: it.network.clone(),
            address: address.map(|it| it.to_string()),
            port: it.port.clone(),
            drift: object.given.drift.clone(),
        })
    }
}

/// A port on a router's external address that leads to a port inside.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_port_forward")]
pub(crate) struct PortForward {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name. Left out, one is made up.
    #[attr(optional_computed, replace)]
    name: Option<String>,
    /// Name of the router.
    router: String,
    /// `tcp` or `udp`.
    #[attr(default = "tcp")]
    protocol: String,
    /// The port outside.
    external_port: u16,
    /// The address inside.
    internal_address: String,
    /// The port inside.
    internal_port: u16,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for PortForward {
    const OF: Kind = Kind::PortForward;
    const RULES: Rules = Rules {
        references: &[Reference { path: &["router"], kind: "netns_router" }],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            check.word("protocol", FORWARDED);
            check.number("external_port", 1, 65535);
            check.address("internal_address");
            check.number("internal_port", 1, 65535);
        })
    }

    fn spec(&self, with: &Context) -> Result<Spec, Failure> {
        let inside = &self.internal_address;
        Ok(Spec::PortForward(spec::PortForward {
            name: self.name.clone().unwrap_or_else(|| format!("forward-{}", with.token)),
            router: self.router.clone(),
            protocol: read("protocol", &self.protocol, |it| meant(FORWARDED, it))?,
            external_port: self.external_port,
            internal_address: read("internal_address", inside, |it| it.parse().ok())?,
            internal_port: self.internal_port,
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<PortForward> {
        let Spec::PortForward(it) = &object.spec else { return None };
        Some(PortForward {
            id: Some(it.name.clone()),
            name: Some(it.name.clone()),
            router: it.router.clone(),
            protocol: word(FORWARDED, it.protocol),
            external_port: it.external_port,
            internal_address: it.internal_address.to_string(),
            internal_port: it.internal_port,
            drift: object.given.drift.clone(),
        })
    }
}
