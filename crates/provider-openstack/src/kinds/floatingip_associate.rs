//! Where a floating IP leads to: for one that is made elsewhere.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::schema::{Companion, Problem, RefineInput};
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};

use super::floatingip::{WAY_IN, awaits_router};
use crate::cloud::{Calls, Cloud, IN_USE_MAX, deleted, id_of, patiently, refused, tell, whole};
use crate::json::{self, at, str_at, wrapped};
use crate::neutron::escaped;
use crate::plan::{Planned, Rules};
use crate::session::{ApiError, Service};
use crate::table::{Table, id, opt_computed, region, req};

pub(crate) struct FloatingIpAssociate;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_networking_floatingip_associate_v2",
        "Where a floating IP leads to. Its identifier is that of the floating IP, which stays when \
         this is deleted.",
        vec![
            id(),
            region(),
            req("floating_ip", Type::String, "The address of the floating IP.")
                .key("floating_ip_address")
                .replace(),
            req("port_id", Type::String, "The port that it leads to."),
            opt_computed("fixed_ip", Type::String, "Which of the port's addresses.")
                .key("fixed_ip_address"),
        ],
    )
});

const FIELDS: &str = "fields=id&fields=floating_ip_address&fields=port_id&fields=fixed_ip_address";

impl Rules for FloatingIpAssociate {
    const COMPANIONS: &'static [Companion] = &[WAY_IN];

    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let left_out = input.config.get_attr("fixed_ip").is_none_or(Value::is_null);
        let Some(prior) = input.prior else { return };
        if prior.get_attr("port_id") != planned.get("port_id") && left_out {
            planned.unknown("fixed_ip");
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        for name in ["floating_ip", "fixed_ip"] {
            let text = config.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty());
            if let Some(text) = text.filter(|it| it.parse::<std::net::IpAddr>().is_err()) {
                problems.push(Problem {
                    path: Path::default().attr(name),
                    summary: "Invalid address".to_owned(),
                    detail: format!("{text:?} is not an IP address."),
                });
            }
        }
    }
}

fn observed(cloud: &Cloud, json: &Json) -> Value {
    let mut attrs = TABLE.read(json);
    json::set(&mut attrs, "region", cloud.region());
    Value::object(attrs)
}

async fn ask(cloud: &Cloud, query: &str) -> Result<Vec<Json>, ApiError> {
    let path = format!("/floatingips?{query}&{FIELDS}");
    cloud.session.list(Service::Network, &path, "floatingips").await
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get_attr(name).and_then(Value::as_str).unwrap_or_default()
}

/// The floating IP that has the address.
async fn of_address(cloud: &Cloud, planned: &Value) -> Result<Json, Failure> {
    let address = text(planned, "floating_ip");
    let found = ask(cloud, &format!("floating_ip_address={}", escaped(address))).await;
    let found = found.map_err(|it| it.failure(&format!("look for the floating IP {address}")))?;
    let missing = || {
        let detail = format!(
            "No floating IP of this project has the address {address}. Make one with \
             openstack_networking_floatingip_v2 and refer to its address."
        );
        Failure::new("No such floating IP", detail).at(Path::default().attr("floating_ip"))
    };
    found.into_iter().next().ok_or_else(missing)
}

/// Leads a floating IP to where it is meant to lead.
async fn lead(cloud: &Cloud, call: &CallContext, id: &str, planned: &Value) -> Outcome {
    let mut body = Map::from_iter([("port_id".to_owned(), text(planned, "port_id").into())]);
    // Left out, Neutron takes the port's first.
    if !text(planned, "fixed_ip").is_empty() {
        body.insert("fixed_ip_address".to_owned(), text(planned, "fixed_ip").into());
    }
    let (path, body) = (format!("/floatingips/{id}"), wrapped("floatingip", body));
    let request = || cloud.session.put(Service::Network, &path, &body);
    let worth = |it: &ApiError| {
        let waits = awaits_router(it);
        if waits {
            tell(call, "Waiting for a router between the port and the outside");
        }
        waits
    };
    match patiently(2 * IN_USE_MAX, worth, request).await {
        Ok(answer) => Outcome::made(observed(cloud, at(&answer, &["floatingip"]))),
        Err(error) => refused(
            &error,
            &format!("lead the floating IP {} to the port", text(planned, "floating_ip")),
        ),
    }
}

#[async_trait]
impl Calls for FloatingIpAssociate {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let mut found = BTreeMap::new();
        for some in stored.chunks(100) {
            let ids: Vec<String> =
                some.iter().map(|it| format!("id={}", escaped(id_of(it)))).collect();
            match ask(cloud, &ids.join("&")).await {
                Ok(all) => {
                    found.extend(all.into_iter().map(|it| (str_at(&it, "id").to_owned(), it)));
                }
                Err(error) => {
                    let failure = error.failure("read floating IPs");
                    return stored.iter().map(|_| Err(failure.clone())).collect();
                }
            }
        }
        let one = |it: &&Remote| {
            // One that leads nowhere is associated with nothing.
            let json = found.get(id_of(it)).filter(|it| !str_at(it, "port_id").is_empty())?;
            Some(Remote { attrs: observed(cloud, json), ..(*it).clone() })
        };
        stored.iter().map(|it| Ok(one(it))).collect()
    }

    async fn find(
        &self,
        cloud: &Cloud,
        _token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let address = text(planned, "floating_ip");
        let found = ask(cloud, &format!("floating_ip_address={}", escaped(address))).await;
        let found =
            found.map_err(|it| it.failure(&format!("look for the floating IP {address}")))?;
        let there = found.iter().find(|it| str_at(it, "port_id") == text(planned, "port_id"));
        Ok(there.map(|it| whole(observed(cloud, it))))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = ask(cloud, &format!("id={}", escaped(id))).await;
        let found = found.map_err(|it| it.failure(&format!("read the floating IP {id}")))?;
        let leads = found.iter().find(|it| !str_at(it, "port_id").is_empty());
        Ok(leads.map(|it| whole(observed(cloud, it))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        match of_address(cloud, planned).await {
            Ok(json) => lead(cloud, call, str_at(&json, "id"), planned).await,
            Err(failure) => Outcome::failed(failure),
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        lead(cloud, call, id_of(prior), planned).await
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let (id, doing) = (id_of(prior), "let the floating IP lead nowhere");
        // One that has been led elsewhere meanwhile is somebody else's now.
        let now = match ask(cloud, &format!("id={}", escaped(id))).await {
            Ok(found) => found.into_iter().next(),
            Err(error) => return Outcome::failed(error.failure(doing)),
        };
        if now.is_none_or(|it| str_at(&it, "port_id") != text(&prior.attrs, "port_id")) {
            return Outcome::deleted();
        }
        let body = json!({ "floatingip": { "port_id": null } });
        let path = format!("/floatingips/{id}");
        deleted(cloud.session.put(Service::Network, &path, &body).await, doing)
    }
}
