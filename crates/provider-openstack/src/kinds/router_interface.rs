//! A router's foot in a subnet.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Value as Json, json};

use crate::cloud::{Calls, Cloud, IN_USE_MAX, deleted, id_of, patiently, refused, whole};
use crate::json::{self, list_at, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::table::{MAKE, Table, id, opt, opt_computed, region, req};
use crate::told::told;

pub(crate) struct RouterInterface;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let force = "Take the routes of the router that lead through it along when it is deleted.";
    Table::new(
        "openstack_networking_router_interface_v2",
        "A router's foot in a subnet. Its identifier is that of its port.",
        vec![
            id(),
            region(),
            req("router_id", Type::String, "The router.").key("device_id").replace(),
            opt_computed("subnet_id", Type::String, "The subnet, whose gateway address it takes.")
                .local()
                .replace(),
            opt_computed("port_id", Type::String, "A port to use instead of one of its own.")
                .key("id")
                .replace(),
            opt("force_destroy", Type::Bool, force).default(Value::bool(false)).local(),
        ],
    )
    .timed(MAKE)
});

const FIELDS: &str = "fields=id&fields=device_id&fields=device_owner&fields=fixed_ips";

impl Rules for RouterInterface {
    fn table() -> &'static Table {
        &TABLE
    }

    fn validate(config: &Value, problems: &mut Vec<plumb_model::schema::Problem>) {
        let nothing = |name: &str| config.get_attr(name).is_none_or(Value::is_null);
        if nothing("subnet_id") && nothing("port_id") {
            problems.push(plumb_model::schema::Problem {
                path: plumb_model::value::Path::default().attr("subnet_id"),
                summary: "Missing required argument".to_owned(),
                detail: "One of subnet_id and port_id must be given.".to_owned(),
            });
        }
    }
}

/// The interface that a port is. `base` tells which subnet was meant, of several.
fn observed(cloud: &Cloud, port: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, port, base);
    let subnets: Vec<&str> =
        list_at(port, "fixed_ips").iter().map(|it| str_at(it, "subnet_id")).collect();
    let meant = base.and_then(|it| it.get_attr("subnet_id")).and_then(Value::as_str);
    let subnet = subnets.iter().find(|it| Some(**it) == meant).or(subnets.first());
    json::set(&mut attrs, "subnet_id", Value::string(subnet.copied().unwrap_or_default()));
    Value::object(attrs)
}

async fn ports(cloud: &Cloud, query: &str) -> Result<Vec<Json>, Failure> {
    let path = format!("/ports?{query}&{FIELDS}");
    let found = cloud.session.list(Service::Network, &path, "ports").await;
    found.map_err(|it| it.failure("read router interfaces"))
}

/// Whether a port is a router's foot in a subnet: neither its gateway, nor what distributed routers
/// have besides.
fn is_interface(port: &&Json) -> bool {
    let owner = str_at(port, "device_owner");
    owner.starts_with("network:")
        && owner.contains("router")
        && owner.contains("interface")
        && !owner.contains("snat")
}

/// The request's body: by port or by subnet.
fn which(planned: &Value) -> Json {
    let text =
        |name: &str| planned.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    match text("port_id") {
        Some(port) => json!({ "port_id": port }),
        None => json!({ "subnet_id": text("subnet_id") }),
    }
}

fn router(planned: &Value) -> &str {
    planned.get_attr("router_id").and_then(Value::as_str).unwrap_or_default()
}

#[async_trait]
impl Calls for RouterInterface {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let mut found = BTreeMap::new();
        for some in stored.chunks(100) {
            let ids: Vec<String> =
                some.iter().map(|it| format!("id={}", escaped(id_of(it)))).collect();
            match ports(cloud, &ids.join("&")).await {
                Ok(ports) => {
                    found.extend(ports.into_iter().map(|it| (str_at(&it, "id").to_owned(), it)))
                }
                Err(failure) => return stored.iter().map(|_| Err(failure.clone())).collect(),
            }
        }
        let one = |it: &&Remote| {
            // A port that was taken from the router is no interface any more.
            let port = found
                .get(id_of(it))
                .filter(|port| str_at(port, "device_id") == router(&it.attrs))?;
            Some(Remote { attrs: observed(cloud, port, Some(&it.attrs)), ..(*it).clone() })
        };
        stored.iter().map(|it| Ok(one(it))).collect()
    }

    async fn find(
        &self,
        cloud: &Cloud,
        _token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        // A router has one foot in a subnet: there is nothing else that it could be.
        let query = match which(planned) {
            Json::Object(it) if it.contains_key("port_id") => {
                format!("id={}", escaped(str_at(&Json::Object(it), "port_id")))
            }
            other => format!("fixed_ips=subnet_id%3D{}", escaped(str_at(&other, "subnet_id"))),
        };
        let query = format!("device_id={}&{query}", escaped(router(planned)));
        let found = ports(cloud, &query).await?;
        Ok(found.iter().find(is_interface).map(|it| whole(observed(cloud, it, Some(planned)))))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = ports(cloud, &format!("id={}", escaped(id))).await?;
        Ok(found.iter().find(is_interface).map(|it| whole(observed(cloud, it, None))))
    }

    async fn create(&self, cloud: &Cloud, _call: &CallContext, planned: &Value) -> Outcome {
        let router = router(planned);
        let doing = "connect the router to the subnet";
        let path = format!("/routers/{router}/add_router_interface");
        let body = which(planned);
        let request = async || {
            let _alone = cloud.alone(router).await;
            cloud.session.put(Service::Network, &path, &body).await
        };
        let answer = patiently(IN_USE_MAX, busy, request).await;
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) => return refused(&error, doing),
        };
        let port = json!({
            "id": answer.get("port_id"),
            "device_id": answer.get("id"),
            "fixed_ips": [{ "subnet_id": answer.get("subnet_id") }],
        });
        Outcome::made(observed(cloud, &port, Some(planned)))
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let router = router(&prior.attrs);
        let doing = "disconnect the router from the subnet";
        let path = format!("/routers/{router}/remove_router_interface");
        let body = json!({ "port_id": id_of(prior) });
        if prior.attrs.get_attr("force_destroy").and_then(Value::as_bool) == Some(true)
            && let Err(error) = unroute(cloud, router, prior).await
        {
            return refused(&error, "take the routes of the router away");
        }
        // Floating IPs and routes that lead through it may be on their way out: the latter need the
        // router alone as well.
        let request = async || {
            let _alone = cloud.alone(router).await;
            cloud.session.put(Service::Network, &path, &body).await
        };
        let answer = patiently(IN_USE_MAX, ApiError::is_conflict, request).await;
        deleted(answer, doing)
    }
}

/// Two interfaces at once, or a router that is just being changed: it passes. That the address is
/// taken or the subnet overlaps another does not.
fn busy(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { status: 409, code, .. } if !code.contains("InUse") && !code.contains("BadRequest"))
}

/// Takes the static routes away whose next hop is in a subnet of the interface.
async fn unroute(cloud: &Cloud, router: &str, prior: &Remote) -> Result<(), ApiError> {
    let subnet = prior.attrs.get_attr("subnet_id").and_then(Value::as_str).unwrap_or_default();
    if subnet.is_empty() {
        return Ok(());
    }
    let path = format!("/subnets/{subnet}?fields=cidr");
    let answer = match cloud.session.get(Service::Network, &path).await {
        Err(error) if error.is_missing() => return Ok(()),
        answer => answer?,
    };
    match crate::range::Range::parse(str_at(json::at(&answer, &["subnet"]), "cidr")) {
        Some(range) => super::route::unroute(cloud, router, range).await,
        None => Ok(()),
    }
}
