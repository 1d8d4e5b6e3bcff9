//! Routes: of a subnet, which DHCP tells to hosts, and of a router, which it follows. Both are items
//! of a list in another object; an identifier is made up of that object's and the route.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::schema::{Companion, Problem};
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Value as Json, json};

use crate::cloud::{Calls, Cloud, IN_USE_MAX, deleted, patiently, refused, tell, whole};
use crate::json::{self, at, list_at, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::range::Range;
use crate::session::{ApiError, Service};
use crate::table::{Field, Table, id, region, req};

/// A kind of route, by what has it.
pub(crate) struct Route<O>(pub(crate) O);

/// What has routes.
pub(crate) trait Owner: Send + Sync + 'static {
    const API: OwnerApi;
    const COMPANIONS: &'static [Companion] = &[];

    fn table() -> &'static Table;
}

/// What Neutron calls it.
pub(crate) struct OwnerApi {
    path: &'static str,
    one: &'static str,
    many: &'static str,
    /// The list in it: `routes`.
    key: &'static str,
    /// The argument that names it: `router_id`.
    argument: &'static str,
    /// Routes come and go by requests of their own, where the cloud has them.
    one_by_one: bool,
}

pub(crate) struct OfSubnet;
pub(crate) struct OfRouter;

fn rows(owner: Field) -> Vec<Field> {
    vec![
        id(),
        region(),
        owner,
        req("destination_cidr", Type::String, "Where to, such as 10.1.0.0/16.").replace(),
        req("next_hop", Type::String, "By way of which address.").replace(),
    ]
}

impl Owner for OfSubnet {
    const API: OwnerApi = OwnerApi {
        path: "/subnets",
        one: "subnet",
        many: "subnets",
        key: "host_routes",
        argument: "subnet_id",
        one_by_one: false,
    };

    fn table() -> &'static Table {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            let says = "A route that DHCP tells to the hosts of a subnet.";
            let owner = req("subnet_id", Type::String, "The subnet.").replace();
            Table::new("openstack_networking_subnet_route_v2", says, rows(owner))
        });
        &TABLE
    }
}

impl Owner for OfRouter {
    const API: OwnerApi = OwnerApi {
        path: "/routers",
        one: "router",
        many: "routers",
        key: "routes",
        argument: "router_id",
        one_by_one: true,
    };
    /// One of the router's interfaces leads to the next hop.
    const COMPANIONS: &'static [Companion] = &[Companion {
        kind: "openstack_networking_router_interface_v2",
        shared: &["openstack_networking_router_v2"],
    }];

    fn table() -> &'static Table {
        static TABLE: LazyLock<Table> = LazyLock::new(|| {
            let says = "A route of a router. It waits for the router's interface to the next hop.";
            let owner = req("router_id", Type::String, "The router.").replace();
            Table::new("openstack_networking_router_route_v2", says, rows(owner))
        });
        &TABLE
    }
}

impl<O: Owner> Rules for Route<O> {
    const COMPANIONS: &'static [Companion] = O::COMPANIONS;

    fn table() -> &'static Table {
        O::table()
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let text = |name: &str| config.get_attr(name).and_then(Value::as_str);
        let mut problem = |name: &str, summary: &str, detail: String| {
            let path = Path::default().attr(name);
            problems.push(Problem { path, summary: summary.to_owned(), detail });
        };
        if let Some(cidr) = text("destination_cidr").filter(|it| Range::parse(it).is_none()) {
            let detail =
                format!("{cidr:?} is no range of addresses; one is written like 10.1.0.0/16.");
            problem("destination_cidr", "Invalid CIDR", detail);
        }
        if let Some(hop) = text("next_hop").filter(|it| it.parse::<IpAddr>().is_err()) {
            problem("next_hop", "Invalid address", format!("{hop:?} is not an IP address."));
        }
    }
}

/// A route, and what has it.
struct Place<'a> {
    owner: &'a str,
    destination: &'a str,
    next_hop: &'a str,
}

impl<'a> Place<'a> {
    fn of<O: Owner>(object: &'a Value) -> Place<'a> {
        let text = |name: &str| object.get_attr(name).and_then(Value::as_str).unwrap_or_default();
        Place {
            owner: text(O::API.argument),
            destination: text("destination_cidr"),
            next_hop: text("next_hop"),
        }
    }

    fn parse(id: &'a str) -> Option<Place<'a>> {
        let (owner, route) = id.split_once("-route-")?;
        let (destination, next_hop) = route.rsplit_once('-')?;
        Some(Place { owner, destination, next_hop })
    }

    fn id(&self) -> String {
        format!("{}-route-{}-{}", self.owner, self.destination, self.next_hop)
    }

    fn to_json(&self) -> Json {
        let destination = Range::parse(self.destination).map(Range::canonical);
        let destination = destination.unwrap_or_else(|| self.destination.to_owned());
        json!({ "destination": destination, "nexthop": self.next_hop })
    }

    /// Whether it is this one that Neutron tells of, which writes addresses in its own way.
    fn is(&self, told: &Json) -> bool {
        let (destination, next_hop) = (str_at(told, "destination"), str_at(told, "nexthop"));
        let range = |text: &str| Range::parse(text);
        let address = |text: &str| text.parse::<IpAddr>().ok();
        (matches!((range(self.destination), range(destination)), (Some(a), Some(b)) if a.is(b)))
            && address(self.next_hop).is_some_and(|it| Some(it) == address(next_hop))
    }

    fn observed<O: Owner>(&self, cloud: &Cloud) -> Value {
        let mut attrs = O::table().read(&json!({
            "id": self.id(),
            O::API.argument: self.owner,
            "destination_cidr": self.destination,
            "next_hop": self.next_hop,
        }));
        json::set(&mut attrs, "region", cloud.region());
        Value::object(attrs)
    }

    async fn there<O: Owner>(&self, cloud: &Cloud) -> Result<Option<Remote>, Failure> {
        let found = routes_of::<O>(cloud, &[self.owner]).await;
        let found =
            found.map_err(|it| it.failure(&format!("read routes of the {}", O::API.one)))?;
        let routes = found.get(self.owner).map(Vec::as_slice).unwrap_or_default();
        let there = routes.iter().any(|it| self.is(it));
        Ok(there.then(|| whole(self.observed::<O>(cloud))))
    }
}

/// The routes of several, in as few requests as can be.
async fn routes_of<O: Owner>(
    cloud: &Cloud,
    owners: &[&str],
) -> Result<BTreeMap<String, Vec<Json>>, ApiError> {
    let mut owners = owners.to_vec();
    owners.sort_unstable();
    owners.dedup();
    let mut found = BTreeMap::new();
    for some in owners.chunks(100) {
        let ids: String = some.iter().map(|id| format!("id={}&", escaped(id))).collect();
        let path = format!("{}?{ids}fields=id&fields={}", O::API.path, O::API.key);
        for it in cloud.session.list(Service::Network, &path, O::API.many).await? {
            found.insert(str_at(&it, "id").to_owned(), list_at(&it, O::API.key).to_vec());
        }
    }
    Ok(found)
}

/// Puts a route to a list, or takes it away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    Add,
    Remove,
}

async fn act<O: Owner>(cloud: &Cloud, place: &Place<'_>, act: Act) -> Result<(), ApiError> {
    if O::API.one_by_one {
        match extra_routes(cloud, place.owner, act, &[place.to_json()]).await {
            Err(error) if lacks_extra_routes(&error) => {}
            answer => return answer,
        }
    }
    rewrite::<O>(cloud, place.owner, |routes| {
        match (act, routes.iter().any(|it| place.is(it))) {
            (Act::Add, false) => routes.push(place.to_json()),
            (Act::Remove, true) => routes.retain(|it| !place.is(it)),
            (Act::Add, true) | (Act::Remove, false) => return false,
        }
        true
    })
    .await
}

/// Two at once do not lose each other's routes this way.
async fn extra_routes(
    cloud: &Cloud,
    router: &str,
    act: Act,
    routes: &[Json],
) -> Result<(), ApiError> {
    let action = if act == Act::Add { "add_extraroutes" } else { "remove_extraroutes" };
    let path = format!("/routers/{router}/{action}");
    let body = json!({ "router": { "routes": routes } });
    cloud.session.put(Service::Network, &path, &body).await.map(|_| ())
}

/// Whether the cloud has no such request, which is something else than having no such router.
fn lacks_extra_routes(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { status: 404 | 405 | 501, code, .. } if code != "RouterNotFound")
}

/// Reads a list, changes it, and writes it back whole.
async fn rewrite<O: Owner>(
    cloud: &Cloud,
    owner: &str,
    change: impl FnOnce(&mut Vec<Json>) -> bool,
) -> Result<(), ApiError> {
    let OwnerApi { path, one, key, .. } = O::API;
    let _alone = cloud.alone(owner).await;
    let path = format!("{path}/{owner}");
    let answer = cloud.session.get(Service::Network, &path).await?;
    let mut routes = list_at(at(&answer, &[one]), key).to_vec();
    if change(&mut routes) {
        let body = json!({ one: { key: routes } });
        cloud.session.put(Service::Network, &path, &body).await?;
    }
    Ok(())
}

/// Takes all routes of a router away that lead through a range.
pub(crate) async fn unroute(cloud: &Cloud, router: &str, through: Range) -> Result<(), ApiError> {
    let leads = |it: &Json| str_at(it, "nexthop").parse().is_ok_and(|it| through.contains(it));
    let found = routes_of::<OfRouter>(cloud, &[router]).await?;
    let routes = found.get(router).map(Vec::as_slice).unwrap_or_default();
    let gone: Vec<Json> = routes.iter().filter(|it| leads(it)).cloned().collect();
    if gone.is_empty() {
        return Ok(());
    }
    match extra_routes(cloud, router, Act::Remove, &gone).await {
        Err(error) if lacks_extra_routes(&error) => {
            let change = |routes: &mut Vec<Json>| {
                routes.retain(|it| !leads(it));
                true
            };
            rewrite::<OfRouter>(cloud, router, change).await
        }
        answer => answer,
    }
}

/// The interface to the next hop may be on its way.
fn awaits_interface(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { code, message, .. }
        if code == "InvalidRoutes" && message.contains("not connected"))
}

#[async_trait]
impl<O: Owner> Calls for Route<O> {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let places: Vec<Place<'_>> = stored.iter().map(|it| Place::of::<O>(&it.attrs)).collect();
        let owners: Vec<&str> = places.iter().map(|it| it.owner).collect();
        let found = match routes_of::<O>(cloud, &owners).await {
            Ok(found) => found,
            Err(error) => {
                let failure = error.failure(&format!("read routes of {}", O::API.many));
                return stored.iter().map(|_| Err(failure.clone())).collect();
            }
        };
        let there = |it: &Place<'_>| {
            found.get(it.owner).is_some_and(|all| all.iter().any(|told| it.is(told)))
        };
        let one = |(remote, place): (&&Remote, &Place<'_>)| {
            let attrs = || place.observed::<O>(cloud);
            Ok(there(place).then(|| Remote { attrs: attrs(), ..(*remote).clone() }))
        };
        stored.iter().zip(&places).map(one).collect()
    }

    async fn find(
        &self,
        cloud: &Cloud,
        _token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        // Nothing tells one route from another but what it says.
        Place::of::<O>(planned).there::<O>(cloud).await
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        match Place::parse(id) {
            Some(place) => place.there::<O>(cloud).await,
            None => {
                let detail = format!(
                    "{id:?} is none: it is written <{}>-route-<destination>-<next hop>.",
                    O::API.argument
                );
                Err(Failure::new("Invalid identifier of a route", detail))
            }
        }
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let place = Place::of::<O>(planned);
        let worth = |it: &ApiError| {
            let waits = awaits_interface(it);
            if waits {
                tell(call, format!("Waiting for the router to be connected to {}", place.next_hop));
            }
            waits || it.is_conflict()
        };
        match patiently(IN_USE_MAX, worth, || act::<O>(cloud, &place, Act::Add)).await {
            Ok(()) => Outcome::made(place.observed::<O>(cloud)),
            Err(error) => refused(
                &error,
                &format!("add the route to {} to the {}", place.destination, O::API.one),
            ),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let place = Place::of::<O>(&prior.attrs);
        let request = || act::<O>(cloud, &place, Act::Remove);
        deleted(
            patiently(IN_USE_MAX, ApiError::is_conflict, request).await,
            &format!("take the route to {} from the {}", place.destination, O::API.one),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identifier_says_it_all() {
        for id in ["0b-8c-route-10.1.0.0/16-10.0.0.1", "x-route-2001:db8::/32-fe80::1"] {
            assert_eq!(Place::parse(id).unwrap().id(), id);
        }
        assert!(Place::parse("0b8c").is_none() && Place::parse("a-route-10.0.0.0/8").is_none());
    }

    #[test]
    fn a_route_is_known_again() {
        let told = json!({ "destination": "2001:db8::/32", "nexthop": "fe80::1" });
        let place = |destination, next_hop| Place { owner: "r", destination, next_hop }.is(&told);
        assert!(place("2001:DB8:0::/32", "fe80:0::1"));
        assert!(!place("2001:db8::/33", "fe80::1") && !place("2001:db8::/32", "fe80::2"));
        assert!(!place("x", "x"));
    }
}
