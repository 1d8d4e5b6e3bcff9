//! A port forwarding: one port of a floating IP that leads to one port of a host.

use std::borrow::Cow;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Companion, Problem};
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json};

use super::floatingip::{WAY_IN, awaits_router};
use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs};
use crate::neutron::{Api, Neutron};
use crate::plan::Rules;
use crate::session::ApiError;
use crate::table::{MAKE, Table, id, opt, region, req};

pub(crate) struct PortForwarding;

const PROTOCOLS: &[&str] = &["tcp", "udp", "icmp", "icmp6", "sctp", "dccp"];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_networking_portforwarding_v2",
        "One port of a floating IP that leads to one port of a host. It is brought in as \
         `<floating IP's id>/<id>`.",
        vec![
            id(),
            region(),
            req("floatingip_id", Type::String, "The floating IP.").replace().local(),
            req("internal_port_id", Type::String, "The port on the inside."),
            req("internal_ip_address", Type::String, "Its address."),
            req("internal_port", Type::Number, "The TCP or UDP port inside.").within(1..=65535),
            req("external_port", Type::Number, "The TCP or UDP port outside.").within(1..=65535),
            req("protocol", Type::String, "Such as tcp or udp."),
            opt("description", Type::String, "For people."),
        ],
    )
    .timed(MAKE)
});

impl Rules for PortForwarding {
    const COMPANIONS: &'static [Companion] = &[WAY_IN];

    fn table() -> &'static Table {
        &TABLE
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let text = |name: &str| config.get_attr(name).and_then(Value::as_str);
        let mut problem = |name: &str, summary: &str, detail: String| {
            let path = Path::default().attr(name);
            problems.push(Problem { path, summary: summary.to_owned(), detail });
        };
        if let Some(word) =
            text("protocol").filter(|it| !PROTOCOLS.contains(&it.to_lowercase().as_str()))
        {
            let detail = format!("{word:?} is none of {}.", PROTOCOLS.join(", "));
            problem("protocol", "Invalid protocol", detail);
        }
        if let Some(address) =
            text("internal_ip_address").filter(|it| it.parse::<std::net::IpAddr>().is_err())
        {
            let detail = format!("{address:?} is not an IP address.");
            problem("internal_ip_address", "Invalid address", detail);
        }
    }
}

#[async_trait]
impl Neutron for PortForwarding {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/floatingips",
            one: "port_forwarding",
            many: "port_forwardings",
            noun: "port forwarding",
            tags: false,
            keys: &[],
        }
    }

    fn path(&self, object: &Value) -> Cow<'static, str> {
        let address = object.get_attr("floatingip_id").and_then(Value::as_str).unwrap_or_default();
        format!("/floatingips/{address}/port_forwardings").into()
    }

    fn locate<'a>(&self, id: &'a str) -> Result<(Option<Value>, &'a str), Failure> {
        let Some((address, id)) = id.split_once('/') else {
            let detail = format!(
                "{id:?} does not say of which floating IP it is. Write <floating IP's id>/<id>."
            );
            return Err(Failure::new("Incomplete identifier of a port forwarding", detail));
        };
        Ok((Some(Value::object([("floatingip_id", Value::string(address))])), id))
    }

    async fn fill(
        &self,
        _cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        if let Some(Json::String(protocol)) = body.get_mut("protocol") {
            *protocol = protocol.to_lowercase();
        }
        // Port and address inside are told together: Neutron holds one against the other.
        let inside = ["internal_port_id", "internal_ip_address"];
        if inside.iter().any(|it| body.contains_key(*it)) {
            for name in inside {
                if let Some(text) = change.str(name) {
                    body.insert(name.to_owned(), text.into());
                }
            }
        }
        Ok(())
    }

    /// Upper or lower case of a protocol is as written.
    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        let written = base.and_then(|it| it.get_attr("protocol")).and_then(Value::as_str);
        if let Some(text) =
            written.filter(|it| it.to_lowercase() == json::str_at(json, "protocol").to_lowercase())
        {
            json::set(attrs, "protocol", Value::string(text));
        }
    }

    /// The router between the floating IP and the port may be on its way.
    fn passes(&self, error: &ApiError) -> bool {
        awaits_router(error)
    }
}
