//! A further port of a server.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::schema::Problem;
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};

use crate::cloud::{Calls, Cloud, IN_USE_MAX, id_of, patiently, refused, tell, until, whole};
use crate::json::{self, list_at, str_at, wrapped};
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::stamp;
use crate::table::{MAKE, Table, id, opt_computed, region, req};
use crate::told::{text, told};

pub(crate) struct InterfaceAttach;

/// The description of a port that is made here.
const MADE_FOR_IT: &str = "Made for an attachment to a server";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_compute_interface_attach_v2",
        "A further port of a server. Its identifier is `<instance>/<port>`.",
        vec![
            id().local(),
            region(),
            req("instance_id", Type::String, "The server.").key("device_id").replace(),
            opt_computed(
                "port_id",
                Type::String,
                "The port. Left out, a new one that goes with it.",
            )
            .key("id")
            .excludes(&["network_id"])
            .replace(),
            opt_computed("network_id", Type::String, "The network for a new port.")
                .excludes(&["port_id"])
                .replace(),
            opt_computed("fixed_ip", Type::String, "The address of the new port.")
                .excludes(&["port_id"])
                .local()
                .replace(),
        ],
    )
    .timed(MAKE)
});

const FIELDS: &str =
    "fields=id&fields=device_id&fields=network_id&fields=fixed_ips&fields=description";

impl Rules for InterfaceAttach {
    fn table() -> &'static Table {
        &TABLE
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let nothing = |name: &str| config.get_attr(name).is_none_or(Value::is_null);
        if nothing("port_id") && nothing("network_id") {
            problems.push(Problem {
                path: Path::default().attr("port_id"),
                summary: "Missing required argument".to_owned(),
                detail: "One of port_id and network_id must be given.".to_owned(),
            });
        }
    }
}

fn observed(cloud: &Cloud, port: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, port, base);
    let id = format!("{}/{}", str_at(port, "device_id"), str_at(port, "id"));
    json::set(&mut attrs, "id", Value::string(id));
    let mut addresses = list_at(port, "fixed_ips").iter().map(|it| str_at(it, "ip_address"));
    let written = base.and_then(|it| text(it, "fixed_ip"));
    let address = match written.filter(|it| addresses.clone().any(|told| told == *it)) {
        Some(written) => written,
        None => addresses.next().unwrap_or_default(),
    };
    json::set(&mut attrs, "fixed_ip", Value::string(address));
    Value::object(attrs)
}

async fn ports(cloud: &Cloud, query: &str) -> Result<Vec<Json>, ApiError> {
    let path = format!("/ports?{query}&{FIELDS}");
    cloud.session.list(Service::Network, &path, "ports").await
}

async fn port(cloud: &Cloud, id: &str) -> Result<Option<Json>, ApiError> {
    Ok(ports(cloud, &format!("id={}", escaped(id))).await?.into_iter().next())
}

/// The port that is to be attached: one that is given, or a new one with the stamp of the call, so
/// that it is known again whatever happens.
async fn wanted(cloud: &Cloud, call: &CallContext, planned: &Value) -> Result<String, Outcome> {
    if let Some(port) = text(planned, "port_id") {
        return Ok(port.to_owned());
    }
    let network = text(planned, "network_id").unwrap_or_default();
    let mut body = Map::from_iter([("network_id".to_owned(), Json::from(network))]);
    if let Some(address) = text(planned, "fixed_ip") {
        body.insert("fixed_ips".to_owned(), json!([{ "ip_address": address }]));
    }
    body.insert("description".to_owned(), MADE_FOR_IT.into());
    stamp::put(&mut body, call.token);
    let body = wrapped("port", body);
    match cloud.session.post(Service::Network, "/ports", &body).await {
        Ok(answer) => Ok(str_at(json::at(&answer, &["port"]), "id").to_owned()),
        Err(error) => Err(refused(&error, "make a port for the server")),
    }
}

async fn attach(cloud: &Cloud, server: &str, port: &str) -> Result<(), ApiError> {
    let path = format!("/servers/{server}/os-interface");
    let body = json!({ "interfaceAttachment": { "port_id": port } });
    let request = || cloud.session.post(Service::Compute, &path, &body);
    patiently(nova::BUSY_MAX, nova::is_busy, request).await.map(|_| ())
}

/// Whether the port was made for being attached, and goes with it. The stamp alone does not say so:
/// every port that is a resource has one.
fn is_ours(port: &Json) -> bool {
    let description = str_at(port, "description");
    let text = stamp::off(description);
    text == MADE_FOR_IT && text != description
}

/// Deletes a port that was made here.
async fn drop_port(cloud: &Cloud, id: &str) -> Result<(), ApiError> {
    let path = format!("/ports/{id}");
    let request = || cloud.session.delete(Service::Network, &path);
    match patiently(IN_USE_MAX, ApiError::is_conflict, request).await {
        Err(error) if error.is_missing() => Ok(()),
        answer => answer,
    }
}

#[async_trait]
impl Calls for InterfaceAttach {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let mut found = Vec::new();
        for some in stored.chunks(100) {
            let ids: Vec<String> =
                some.iter().filter_map(|it| text(&it.attrs, "port_id")).map(escaped).collect();
            match ports(cloud, &format!("id={}", ids.join("&id="))).await {
                Ok(ports) => found.extend(ports),
                Err(error) => {
                    let failure = error.failure("read the ports of servers");
                    return stored.iter().map(|_| Err(failure.clone())).collect();
                }
            }
        }
        let one = |it: &&Remote| {
            let same = |port: &&Json| {
                Some(str_at(port, "id")) == text(&it.attrs, "port_id")
                    && Some(str_at(port, "device_id")) == text(&it.attrs, "instance_id")
            };
            let attrs = observed(cloud, found.iter().find(same)?, Some(&it.attrs));
            Some(Remote { attrs, ..(*it).clone() })
        };
        stored.iter().map(|it| Ok(one(it))).collect()
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let failed = |it: ApiError| it.failure("look for the port of the server");
        let server = text(planned, "instance_id").unwrap_or_default();
        let found = match text(planned, "port_id") {
            Some(id) => port(cloud, id).await.map_err(failed)?,
            None => {
                let query =
                    format!("description={}", escaped(&stamp::on(Some(MADE_FOR_IT), token)));
                ports(cloud, &query).await.map_err(failed)?.into_iter().next()
            }
        };
        match found {
            Some(port) if str_at(&port, "device_id") == server => {
                Ok(Some(whole(observed(cloud, &port, Some(planned)))))
            }
            // It was made and not attached: it is of no use.
            Some(port) if text(planned, "port_id").is_none() => {
                drop_port(cloud, str_at(&port, "id")).await.map_err(failed)?;
                Ok(None)
            }
            Some(_) | None => Ok(None),
        }
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let Some((server, id)) = id.split_once('/') else {
            let detail = format!("{id:?} is none; one is written <instance>/<port>.");
            return Err(Failure::new("Invalid identifier", detail));
        };
        let found = port(cloud, id).await.map_err(|it| it.failure("read the port"))?;
        let found = found.filter(|it| str_at(it, "device_id") == server);
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        const DOING: &str = "attach the port to the server";
        let server = text(planned, "instance_id").unwrap_or_default();
        let id = match wanted(cloud, call, planned).await {
            Ok(id) => id,
            Err(outcome) => return outcome,
        };
        if let Err(error) = attach(cloud, server, &id).await {
            // A lost reply is looked into; a port that was refused goes away again.
            if text(planned, "port_id").is_none() && !error.is_lost() {
                let dropped = drop_port(cloud, &id).await;
                if let Err(error) = dropped {
                    return Outcome::lost(error.failure("delete the port that was not attached"));
                }
            }
            return refused(&error, DOING);
        }
        tell(call, "Waiting for the server to have the port");
        let attached = until(async || {
            let found = port(cloud, &id).await.map_err(|it| it.failure(DOING))?;
            Ok(found.filter(|it| str_at(it, "device_id") == server))
        })
        .await;
        match attached {
            Ok(port) => Outcome::made(observed(cloud, &port, Some(planned))),
            Err(failure) => Outcome::lost(failure),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        const DOING: &str = "detach the port from the server";
        let Some((server, id)) = id_of(prior).split_once('/') else {
            return Outcome::left(Effect::Deleted);
        };
        let path = format!("/servers/{server}/os-interface/{id}");
        let request = || cloud.session.delete(Service::Compute, &path);
        match patiently(nova::BUSY_MAX, nova::is_busy, request).await {
            Ok(()) => {}
            Err(error) if error.is_missing() => {}
            Err(error) => return refused(&error, DOING),
        }
        let detached = until(async || {
            let found = port(cloud, id).await.map_err(|it| it.failure(DOING))?;
            Ok(match found {
                None => Some(None),
                Some(port) if str_at(&port, "device_id") != server => Some(Some(port)),
                Some(_) => None,
            })
        })
        .await;
        match detached {
            Ok(Some(port)) if is_ours(&port) => match drop_port(cloud, id).await {
                Ok(()) => Outcome::deleted(),
                Err(error) => refused(&error, "delete the port"),
            },
            Ok(_) => Outcome::deleted(),
            Err(failure) => Outcome::failed(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whose_port_it_is() {
        let token = Token { run: 1, step: 2 };
        let port = |text: Option<&str>| json!({ "description": stamp::on(text, token) });
        assert!(is_ours(&port(Some(MADE_FOR_IT))));
        // Another resource's, a person's.
        assert!(!is_ours(&port(None)) && !is_ours(&port(Some("web"))));
        assert!(!is_ours(&json!({ "description": MADE_FOR_IT })));
    }
}
