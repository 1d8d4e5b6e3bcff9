//! A floating IP: an address outside that leads to a port.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Companion, RefineInput};
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs, str_at};
use crate::neutron::{Api, Neutron};
use crate::plan::{Planned, Rules};
use crate::session::{ApiError, Service};
use crate::table::{Table, id, opt, opt_computed, region, req, strings, tags, tenant, value_specs};

pub(crate) struct FloatingIp;

/// Where the name of the network outside is put.
const POOL: &str = "plumb:pool";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    Table::new(
        "openstack_networking_floatingip_v2",
        "An address outside that leads to a port. It waits for the router between the two.",
        vec![
            id(),
            region(),
            opt("description", Type::String, "For people."),
            req("pool", Type::String, "The network outside, by name or identifier.")
                .replace()
                .local(),
            opt_computed("address", Type::String, "The address.")
                .key("floating_ip_address")
                .replace(),
            opt_computed("port_id", Type::String, "The port that it leads to."),
            opt_computed("fixed_ip", Type::String, "Which of the port's addresses.")
                .key("fixed_ip_address"),
            opt_computed("subnet_id", Type::String, "The subnet outside that it comes from.")
                .local(),
            opt("subnet_ids", strings(), "Subnets outside to try, in order.")
                .excludes(&["subnet_id"])
                .local(),
            tenant(),
            value_specs(),
            tags,
            all_tags,
            opt_computed("dns_name", Type::String, "Its name.").replace(),
            opt_computed("dns_domain", Type::String, "The domain of its name; ends in a dot.")
                .replace(),
        ],
    )
    .timed(&["create", "delete"])
});

/// By this interface packets reach the port; without it Neutron refuses to lead an address to it.
pub(crate) const WAY_IN: Companion = Companion {
    kind: "openstack_networking_router_interface_v2",
    shared: &["openstack_networking_network_v2", "openstack_networking_subnet_v2"],
};

impl Rules for FloatingIp {
    const COMPANIONS: &'static [Companion] = &[WAY_IN];

    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let left_out = |name: &str| input.config.get_attr(name).is_none_or(Value::is_null);
        let Some(prior) = input.prior else { return };
        if prior.get_attr("port_id") != planned.get("port_id") && left_out("fixed_ip") {
            planned.unknown("fixed_ip");
        }
    }
}

#[async_trait]
impl Neutron for FloatingIp {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/floatingips",
            one: "floatingip",
            many: "floatingips",
            noun: "floating IP",
            tags: true,
            keys: &["floating_network_id"],
        }
    }

    async fn fill(
        &self,
        cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        // Nothing leads nowhere.
        if body.get("port_id").and_then(Json::as_str) == Some("") {
            match change.prior {
                None => body.remove("port_id"),
                Some(_) => body.insert("port_id".to_owned(), Json::Null),
            };
        }
        let nowhere = change.str("port_id").is_none();
        if nowhere || body.get("fixed_ip_address").and_then(Json::as_str) == Some("") {
            body.remove("fixed_ip_address");
        }
        // The address is told together with the port that has it.
        if let (true, Some(port)) = (body.contains_key("fixed_ip_address"), change.str("port_id")) {
            body.insert("port_id".to_owned(), port.into());
        }
        if change.prior.is_none() {
            let pool = change.str("pool").unwrap_or_default();
            let network = crate::lookup::network(cloud, pool).await?;
            body.insert("floating_network_id".to_owned(), network.into());
            if let Some(subnet) = change
                .str("subnet_id")
                .or_else(|| change.items("subnet_ids").find_map(Value::as_str))
            {
                body.insert("subnet_id".to_owned(), subnet.into());
            }
        }
        Ok(())
    }

    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        for name in ["port_id", "fixed_ip"] {
            if attrs.get(name).is_some_and(Value::is_null) {
                json::set(attrs, name, Value::string(""));
            }
        }
        if base.is_none() {
            json::set(attrs, "pool", Value::string(str_at(json, POOL)));
        }
        if attrs.get("subnet_id").is_some_and(|it| !it.is_present()) {
            json::set(attrs, "subnet_id", Value::string(""));
        }
    }

    /// People write the name.
    async fn explain(&self, cloud: &Cloud, json: &mut Json) -> Result<(), Failure> {
        let network = str_at(json, "floating_network_id").to_owned();
        let path = format!("/networks/{network}?fields=name");
        let answer = cloud.session.get(Service::Network, &path).await;
        let answer = answer.map_err(|it| it.failure("read the network of the floating IP"))?;
        json[POOL] = str_at(json::at(&answer, &["network"]), "name").into();
        Ok(())
    }

    /// The next of the subnets, where one is full.
    fn otherwise(
        &self,
        error: &ApiError,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> bool {
        let subnets = change.items("subnet_ids").filter_map(Value::as_str);
        let tried = body.get("subnet_id").and_then(Json::as_str);
        let next = subnets.skip_while(|it| Some(*it) != tried).nth(1).map(str::to_owned);
        match next {
            Some(next) if is_full(error) => {
                body.insert("subnet_id".to_owned(), next.into());
                true
            }
            _ => false,
        }
    }

    /// The router's interface may be on its way.
    fn passes(&self, error: &ApiError) -> bool {
        awaits_router(error)
    }
}

/// Whether there is no address left to give.
pub(super) fn is_full(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { code, .. }
        if code.starts_with("IpAddressGenerationFailure") || code == "ExternalIpAddressExhausted")
}

/// Whether a router between the port and the outside is what is missing.
pub(super) fn awaits_router(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { code, .. } if code == "ExternalGatewayForFloatingIPNotFound")
}
