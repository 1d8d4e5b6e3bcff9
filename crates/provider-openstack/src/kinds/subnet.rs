//! A subnet: the addresses on a network.

use std::net::IpAddr;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Problem, RefineInput};
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs, str_at};
use crate::neutron::{Api, Neutron};
use crate::plan::{Planned, Rules};
use crate::range::Range;
use crate::table::{
    MAKE_AND_CHANGE, Table, id, opt, opt_computed, region, req, set, strings, tags, tenant,
    value_specs,
};

pub(crate) struct Subnet;

const MODES: &[&str] = &["slaac", "dhcpv6-stateful", "dhcpv6-stateless"];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let pool = vec![
        req("start", Type::String, "First address."),
        req("end", Type::String, "Last address."),
    ];
    Table::new(
        "openstack_networking_subnet_v2",
        "The addresses on a network.",
        vec![
            id(),
            region(),
            req("network_id", Type::String, "The network.").replace(),
            opt_computed("cidr", Type::String, "The addresses, such as 10.0.0.0/24.")
                .excludes(&["prefix_length"])
                .replace(),
            opt("prefix_length", Type::Number, "How many bits, where a pool chooses which.")
                .key("prefixlen")
                .excludes(&["cidr"])
                .replace(),
            opt("name", Type::String, "The name."),
            opt("description", Type::String, "For people."),
            tenant(),
            set("allocation_pool", "Addresses that ports may get.", pool).key("allocation_pools"),
            opt_computed("gateway_ip", Type::String, "The gateway. Left out, the first address.")
                .excludes(&["no_gateway"]),
            opt("no_gateway", Type::Bool, "There is no gateway.")
                .default(Value::bool(false))
                .excludes(&["gateway_ip"])
                .local(),
            opt("ip_version", Type::Number, "4 or 6.").default(Value::number(4)).replace(),
            opt("enable_dhcp", Type::Bool, "Whether addresses are told by DHCP.")
                .default(Value::bool(true)),
            opt("dns_nameservers", strings(), "Name servers that DHCP tells."),
            opt(
                "dns_publish_fixed_ip",
                Type::Bool,
                "Whether names of fixed addresses are published.",
            ),
            opt_computed("service_types", strings(), "Ports of which kinds get addresses here."),
            opt("segment_id", Type::String, "The segment that it is on.").reset(Json::Null),
            opt("subnetpool_id", Type::String, "The pool that its addresses come from.").replace(),
            opt_computed("ipv6_address_mode", Type::String, "How hosts get IPv6 addresses.")
                .one_of(MODES)
                .replace(),
            opt_computed("ipv6_ra_mode", Type::String, "How routers announce themselves.")
                .one_of(MODES)
                .replace(),
            value_specs(),
            tags,
            all_tags,
        ],
    )
    .timed(MAKE_AND_CHANGE)
});

impl Rules for Subnet {
    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let no_gateway = planned.get("no_gateway").and_then(Value::as_bool) == Some(true);
        let was = input.prior.and_then(|it| it.get_attr("no_gateway"));
        if no_gateway {
            planned.set("gateway_ip", Value::string(""));
        } else if input.prior.is_some()
            && was.and_then(Value::as_bool) == Some(true)
            && input.config.get_attr("gateway_ip").is_none_or(Value::is_null)
        {
            planned.unknown("gateway_ip");
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let text = |name: &str| config.get_attr(name).and_then(Value::as_str);
        let mut problem = |path: Path, summary: &str, detail: String| {
            problems.push(Problem { path, summary: summary.to_owned(), detail });
        };
        let at = |name: &str| Path::default().attr(name);
        let version = config.get_attr("ip_version").and_then(Value::as_i64);
        if let Some(version) = version.filter(|it| ![4, 6].contains(it)) {
            let summary = format!("expected ip_version to be one of [4 6], got {version}");
            problem(at("ip_version"), &summary, String::new());
        }
        let range = match text("cidr") {
            None => None,
            Some(cidr) => match Range::parse(cidr) {
                Some(range) => Some(range),
                None => {
                    let detail = format!(
                        "{cidr:?} is no range of addresses; one is written like 10.0.0.0/24."
                    );
                    problem(at("cidr"), "Invalid CIDR", detail);
                    None
                }
            },
        };
        let mut inside = |path: Path, what: &str, address: &str| match address.parse::<IpAddr>() {
            Err(_) => {
                problem(path, "Invalid address", format!("{address:?} is not an IP address."));
            }
            Ok(parsed) => {
                if let Some(range) = range.filter(|it| !it.contains(parsed)) {
                    let detail = format!("{address} is not in {}.", range.text());
                    problem(path, &format!("{what} outside the subnet"), detail);
                }
            }
        };
        if let Some(gateway) = text("gateway_ip").filter(|it| !it.is_empty()) {
            // A gateway elsewhere is unusual, yet Neutron has it (force_gateway_on_subnet is off).
            if gateway.parse::<IpAddr>().is_err() {
                inside(at("gateway_ip"), "Gateway", gateway);
            }
        }
        for pool in config.get_attr("allocation_pool").into_iter().flat_map(Value::values) {
            for end in ["start", "end"] {
                if let Some(address) = pool.get_attr(end).and_then(Value::as_str) {
                    let path = at("allocation_pool").index(pool.clone()).attr(end);
                    inside(path, "Allocation pool", address);
                }
            }
        }
    }
}

#[async_trait]
impl Neutron for Subnet {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/subnets",
            one: "subnet",
            many: "subnets",
            noun: "subnet",
            tags: true,
            keys: &[],
        }
    }

    async fn fill(
        &self,
        _cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        if change.is("no_gateway") {
            body.remove("gateway_ip");
            if change.of("no_gateway") {
                body.insert("gateway_ip".to_owned(), Json::Null);
            }
        }
        // Made anew, Neutron would take the first address; of one that is there it has to be told.
        if !change.is("no_gateway") && body.get("gateway_ip").and_then(Json::as_str) == Some("") {
            body.remove("gateway_ip");
            let range = change.str("cidr").and_then(Range::parse);
            if let Some(range) = range.filter(|_| change.prior.is_some()) {
                body.insert("gateway_ip".to_owned(), range.host(1).to_string().into());
            }
        }
        // Pools that nobody wants any more stay as they are: without any, no port gets an address.
        if change.prior.is_some() && change.items("allocation_pool").next().is_none() {
            body.remove("allocation_pools");
        }
        // An address mode that is empty is none.
        for name in ["ipv6_address_mode", "ipv6_ra_mode"] {
            if body.get(name).and_then(Json::as_str) == Some("") {
                body.remove(name);
            }
        }
        Ok(())
    }

    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        // Neutron writes addresses in its own way.
        for name in ["cidr", "gateway_ip"] {
            let written = base.and_then(|it| it.get_attr(name)).and_then(Value::as_str);
            if let Some(text) = written.filter(|it| same(it, str_at(json, name))) {
                json::set(attrs, name, Value::string(text));
            }
        }
        let none = json.get("gateway_ip").is_none_or(Json::is_null);
        json::set(attrs, "no_gateway", Value::bool(none));
        for name in ["gateway_ip", "ipv6_address_mode", "ipv6_ra_mode"] {
            if attrs.get(name).is_some_and(Value::is_null) {
                json::set(attrs, name, Value::string(""));
            }
        }
    }
}

/// Whether two texts mean the same address or range.
fn same(a: &str, b: &str) -> bool {
    matches!((Range::or_address(a), Range::or_address(b)), (Some(a), Some(b)) if a.is(b))
}
