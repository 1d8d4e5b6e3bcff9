//! `netns_router` and `netns_router_interface`.

use std::collections::BTreeSet;

use plumb_model::schema::Problem;
use plumb_model::value::Value;
use plumb_netns::spec::{self, Kind, Spec};
use plumb_netns::wire::Object;
use plumb_provider::{Block, Failure, Resource};

use super::{Context, Shape};
use crate::plan::{Choice, Reference, Rules};
use crate::text::{address, cidr, read};
use crate::validate::Check;

/// A router: a network namespace that forwards between the networks that it has an interface in,
/// and to the outside.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_router")]
pub(crate) struct Router {
    /// The name.
    #[attr(computed)]
    id: Option<String>,
    /// Its name.
    #[attr(replace)]
    name: String,
    /// Name of the external network that it leads to.
    external_network: Option<String>,
    /// Its address there. Left out, a free one of the upper half; null without an external network.
    #[attr(optional_computed)]
    external_address: Option<String>,
    /// Whether what goes out gets the router's address.
    #[attr(default = true)]
    snat: bool,
    /// A static route.
    #[attr(block)]
    route: BTreeSet<Route>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

/// A static route.
#[derive(Block, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Route {
    /// Where to: `10.1.0.0/16`.
    destination: String,
    /// Address of the next router.
    next_hop: String,
}

impl Shape for Router {
    const OF: Kind = Kind::Router;
    const RULES: Rules = Rules {
        choices: &[Choice {
            attribute: "external_address",
            follows: &["external_network"],
            needs: Some("external_network"),
        }],
        references: &[Reference { path: &["external_network"], kind: "netns_network" }],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("name");
            let given = check.address("external_address");
            if given.is_some() && check.left_out("external_network") {
                let detail = "Without external_network the router has no address outside.";
                check.refuse("external_address", "Address without a network", detail);
            }
            check.each("route", |route| {
                route.subnet("destination");
                route.address("next_hop");
            });
        })
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        let route = |it: &Route| {
            let next_hop = read("next_hop", &it.next_hop, |it| it.parse().ok())?;
            Ok(spec::Route { destination: read("destination", &it.destination, cidr)?, next_hop })
        };
        Ok(Spec::Router(spec::Router {
            name: self.name.clone(),
            external_network: self.external_network.clone(),
            external_address: address("external_address", &self.external_address)?,
            snat: self.snat,
            routes: self.route.iter().map(route).collect::<Result<_, Failure>>()?,
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<Router> {
        let Spec::Router(it) = &object.spec else { return None };
        let address = it.external_address.or(object.given.address);
        let route = |it: &spec::Route| Route {
            destination: it.destination.to_string(),
            next_hop: it.next_hop.to_string(),
        };
        Some(Router {
            id: Some(it.name.clone()),
            name: it.name.clone(),
            external_network: it.external_network.clone(),
            external_address: address.map(|it| it.to_string()),
            snat: it.snat,
            route: it.routes.iter().map(route).collect(),
            drift: object.given.drift.clone(),
        })
    }
}

/// A router's place in a network.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
#[resource(kind = "netns_router_interface")]
pub(crate) struct RouterInterface {
    /// Both names: `router/network`.
    #[attr(computed)]
    id: Option<String>,
    /// Name of the router.
    #[attr(replace)]
    router: String,
    /// Name of the network.
    #[attr(replace)]
    network: String,
    /// Its address there. Left out, the network's gateway.
    #[attr(optional_computed)]
    address: Option<String>,
    /// What the kernel has otherwise than it was made, in words. An apply repairs it.
    #[attr(computed)]
    drift: Vec<String>,
}

impl Shape for RouterInterface {
    const OF: Kind = Kind::RouterInterface;
    const RULES: Rules = Rules {
        id: &["router", "network"],
        choices: &[Choice { attribute: "address", follows: &[], needs: None }],
        references: &[
            Reference { path: &["router"], kind: "netns_router" },
            Reference { path: &["network"], kind: "netns_network" },
        ],
        ..Rules::named()
    };

    fn validate(config: &Value) -> Vec<Problem> {
        Check::of(config, |check| {
            check.name("router");
            check.name("network");
            check.address("address");
        })
    }

    fn spec(&self, _: &Context) -> Result<Spec, Failure> {
        Ok(Spec::RouterInterface(spec::RouterInterface {
            name: format!("{}/{}", self.router, self.network),
            router: self.router.clone(),
            network: self.network.clone(),
            address: address("address", &self.address)?,
        }))
    }

    fn observed(self, object: &Object, _: &Context) -> Option<RouterInterface> {
        let Spec::RouterInterface(it) = &object.spec else { return None };
        let address = it.address.or(object.given.address);
        Some(RouterInterface {
            id: Some(it.name.clone()),
            router: it.router.clone(),
            network: it.network.clone(),
            address: address.map(|it| it.to_string()),
            drift: object.given.drift.clone(),
        })
    }
}
