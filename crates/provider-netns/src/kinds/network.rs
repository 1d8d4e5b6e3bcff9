//! `netns_network`.

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Failure, Resource};

use super::{Context, Shape};
use crate::plan::{Choice, Rules};
use crate::text::{EXTERNAL, address, cidr, meant, read, read_some, word};
use crate::validate::Check;

/// A segment with a subnet: a bridge in a network namespace of its own. Hosts reach each other in it
/// without a router.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_network")]
pub(crate) struct Network {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name.
    #[attr(replace)]
    name: String,
    /// Its addresses: `10.0.0.0/24`.
    subnet: String,
    /// The address that hosts send everything else to, and that a router takes. Left out, the first
    /// of the subnet.
    #[attr(optional_computed)]
    gateway: Option<String>,
    /// The largest packet, in bytes.
    #[attr(default = 1500)]
    mtu: u32,
    /// Makes it the outside: `isolated`, where one host in the kernel answers for every address, or
    /// `nat`, through this machine's own uplink, which needs root.
    external: Option<String>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for Network {
    const OF: Kind = Kind::Network;
    const RULES: Rules = Rules {
        choices: &[Choice { attribute: "gateway", follows: &["subnet"], needs: None }],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            let subnet = check.subnet("subnet");
            if let Some(it) = subnet.filter(|it| it.prefix > 30) {
                let detail = format!("{it} has no room for a gateway and a host.");
                check.refuse("subnet", "Subnet too small", detail);
            }
            if let Some((subnet, gateway)) = subnet.zip(check.address("gateway")) {
                let ends = [subnet.address, subnet.broadcast()];
                if !subnet.contains(gateway) || ends.contains(&gateway) {
                    let detail = format!("{gateway} is not an address for a host in {subnet}.");
                    check.refuse("gateway", "Invalid gateway", detail);
                }
            }
            check.number("mtu", 576, 65535);
            check.word("external", EXTERNAL);
        })
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        Ok(Spec::Network(spec::Network {
            name: self.name.clone(),
            subnet: read("subnet", &self.subnet, cidr)?,
            gateway: address("gateway", &self.gateway)?,
            mtu: self.mtu,
            external: read_some("external", &self.external, |it| meant(EXTERNAL, it))?,
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<Network> {
        let Spec::Network(it) = &object.spec else { return None };
        let gateway = it.gateway.or(object.given.address);
        Some(Network {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            subnet: it.subnet.to_string(),
            gateway: gateway.map(|it| it.to_string()),
            mtu: it.mtu,
            external: it.external.map(|it| word(EXTERNAL, it)),
            drift: object.given.drift.clone(),
        })
    }
}
