//! A router.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::RefineInput;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json, json};

use super::floatingip::is_full;
use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs, at, list_at, str_at};
use crate::neutron::{Api, Neutron, address};
use crate::plan::{Planned, Rules};
use crate::session::{ApiError, Service};
use crate::table::{
    MAKE_AND_CHANGE, Table, id, list, opt, opt_computed, region, set, strings, tags, tenant,
    value_specs,
};

pub(crate) struct Router;

/// What the gateway is made of: a change of one tells the whole again.
const GATEWAY: &[&str] = &[
    "external_network_id",
    "enable_snat",
    "external_fixed_ip",
    "external_subnet_ids",
    "external_qos_policy_id",
];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let outside: &[&str] = &["external_network_id"];
    let address = vec![
        opt_computed("subnet_id", Type::String, "The subnet of the address."),
        opt_computed("ip_address", Type::String, "The address."),
    ];
    let after = "Set the gateway in a second request.";
    let vendor =
        vec![opt("set_router_gateway_after_create", Type::Bool, after).default(Value::bool(false))];
    Table::new(
        "openstack_networking_router_v2",
        "A router between networks and, with a gateway, to the outside.",
        vec![
            id(),
            region(),
            opt("name", Type::String, "The name."),
            opt("description", Type::String, "For people."),
            opt_computed("admin_state_up", Type::Bool, "Whether it routes."),
            opt_computed("distributed", Type::Bool, "Whether it runs on every compute host.")
                .replace(),
            opt_computed("external_network_id", Type::String, "The outside.").local(),
            opt_computed(
                "enable_snat",
                Type::Bool,
                "Whether those without a floating IP reach the outside by its address.",
            )
            .needs(outside)
            .local(),
            list("external_fixed_ip", "Its addresses outside.", address)
                .excludes(&["external_subnet_ids"])
                .needs(outside)
                .local(),
            opt(
                "external_subnet_ids",
                strings(),
                "Subnets to try, in order, for its address outside.",
            )
            .excludes(&["external_fixed_ip"])
            .needs(outside)
            .local(),
            opt_computed(
                "external_qos_policy_id",
                Type::String,
                "Quality of service of its gateway.",
            )
            .needs(outside)
            .local(),
            opt("flavor_id", Type::String, "Its flavor.").replace(),
            tenant(),
            value_specs(),
            opt_computed("availability_zone_hints", strings(), "Where it is to run.").replace(),
            tags,
            all_tags,
            set("vendor_options", "What some drivers need.", vendor).single().local(),
        ],
    )
    .timed(MAKE_AND_CHANGE)
});

impl Rules for Router {
    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let left_out = |name: &str| input.config.get_attr(name).is_none_or(Value::is_null);
        let Some(prior) = input.prior else { return };
        let moved = prior.get_attr("external_network_id") != planned.get("external_network_id");
        for name in ["enable_snat", "external_qos_policy_id"] {
            if moved && left_out(name) {
                planned.unknown(name);
            }
        }
    }
}

#[async_trait]
impl Neutron for Router {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/routers",
            one: "router",
            many: "routers",
            noun: "router",
            tags: true,
            keys: &["external_gateway_info"],
        }
    }

    async fn fill(
        &self,
        cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        if !GATEWAY.iter().any(|it| change.of(it)) {
            return Ok(());
        }
        let Some(network) = change.str("external_network_id") else {
            if change.prior.is_some() {
                body.insert("external_gateway_info".to_owned(), json!({}));
            }
            return Ok(());
        };
        let mut gateway = Map::from_iter([("network_id".to_owned(), network.into())]);
        // Only administrators may say so. Left out, Neutron turns it on again.
        if let Some(snat) = change.get("enable_snat").and_then(Value::as_bool)
            && (change.of("enable_snat") || !snat)
        {
            gateway.insert("enable_snat".to_owned(), snat.into());
        }
        if let Some(policy) = change.str("external_qos_policy_id") {
            gateway.insert("qos_policy_id".to_owned(), policy.into());
        }
        let addresses: Vec<Json> = change.items("external_fixed_ip").map(address).collect();
        if !addresses.is_empty() {
            gateway.insert("external_fixed_ips".to_owned(), addresses.into());
        } else if let Some(subnet) = first_with_room(cloud, change).await? {
            gateway.insert("external_fixed_ips".to_owned(), json!([{ "subnet_id": subnet }]));
        }
        body.insert("external_gateway_info".to_owned(), gateway.into());
        Ok(())
    }

    /// The next of the subnets, where one is full.
    fn otherwise(
        &self,
        error: &ApiError,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> bool {
        let subnets = change.items("external_subnet_ids").filter_map(Value::as_str);
        let Some(gateway) = body.get_mut("external_gateway_info") else { return false };
        let tried =
            list_at(gateway, "external_fixed_ips").first().map(|it| str_at(it, "subnet_id"));
        let next = subnets.skip_while(|it| Some(*it) != tried).nth(1).map(str::to_owned);
        match next {
            Some(next) if is_full(error) => {
                gateway["external_fixed_ips"] = json!([{ "subnet_id": next }]);
                true
            }
            _ => false,
        }
    }

    /// First the router, then its gateway.
    fn in_the_making(&self, planned: &Value, json: &Json) -> bool {
        let wanted = planned.get_attr("external_network_id").and_then(Value::as_str);
        let gateway = str_at(at(json, &["external_gateway_info"]), "network_id");
        wanted.is_some_and(|it| !it.is_empty()) && gateway.is_empty()
    }

    fn observe(&self, json: &Json, _base: Option<&Value>, attrs: &mut Attrs) {
        let gateway = at(json, &["external_gateway_info"]);
        json::set(attrs, "external_network_id", Value::string(str_at(gateway, "network_id")));
        let snat = gateway.get("enable_snat").and_then(Json::as_bool).unwrap_or(false);
        json::set(attrs, "enable_snat", Value::bool(snat));
        json::set(attrs, "external_qos_policy_id", Value::string(str_at(gateway, "qos_policy_id")));
        let text = |it: &Json, key: &str| Value::string(str_at(it, key));
        let addresses = list_at(gateway, "external_fixed_ips").iter().map(|it| {
            Value::object([
                ("ip_address", text(it, "ip_address")),
                ("subnet_id", text(it, "subnet_id")),
            ])
        });
        let addresses: Vec<Value> = addresses.collect();
        if let Some(ty) = attrs.get("external_fixed_ip").and_then(|it| it.ty().element().cloned()) {
            json::set(attrs, "external_fixed_ip", Value::list(ty, addresses));
        }
    }
}

/// The first of the subnets that has an address to give; Neutron refuses a request for several.
async fn first_with_room(cloud: &Cloud, change: &Change<'_>) -> Result<Option<String>, Failure> {
    let subnets: Vec<&str> =
        change.items("external_subnet_ids").filter_map(Value::as_str).collect();
    let [first, rest @ ..] = &subnets[..] else { return Ok(None) };
    if rest.is_empty() {
        return Ok(Some((*first).to_owned()));
    }
    let Some(network) = change.str("external_network_id") else { return Ok(None) };
    // Only administrators may ask; others take the first.
    let path = format!("/network-ip-availabilities/{network}");
    let Ok(answer) = cloud.session.get(Service::Network, &path).await else {
        return Ok(Some((*first).to_owned()));
    };
    let known = list_at(at(&answer, &["network_ip_availability"]), "subnet_ip_availability");
    let count = |it: &Json, key: &str| it.get(key).and_then(Json::as_f64).unwrap_or(0.0);
    let full = |subnet: &str| {
        known.iter().any(|it| {
            str_at(it, "subnet_id") == subnet && count(it, "used_ips") >= count(it, "total_ips")
        })
    };
    Ok(Some((*subnets.iter().find(|it| !full(it)).unwrap_or(first)).to_owned()))
}
