//! A port: an interface on a network.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Problem, RefineInput};
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json, json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs, list_at, str_at};
use crate::neutron::{Api, Neutron, address};
use crate::plan::{Planned, Rules};
use crate::table::{
    MAKE_AND_CHANGE, Table, computed, id, list, opt, opt_computed, region, req, set, string_map,
    string_set, strings, tags, tenant, value_specs,
};

pub(crate) struct Port;

const VNIC_TYPES: &[&str] = &[
    "direct",
    "direct-physical",
    "macvtap",
    "normal",
    "baremetal",
    "virtio-forwarder",
    "remote-managed",
];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let fixed = vec![
        opt("subnet_id", Type::String, "The subnet."),
        opt("ip_address", Type::String, "The address. Left out, one of the subnet's pool."),
    ];
    let pair = vec![
        req("ip_address", Type::String, "The address or range."),
        opt("mac_address", Type::String, "The hardware address. Left out, the port's."),
    ];
    let option = vec![
        req("name", Type::String, "The option, such as bootfile-name.").key("opt_name"),
        req("value", Type::String, "Its value.").key("opt_value"),
        opt("ip_version", Type::Number, "4 or 6.").default(Value::number(4)),
    ];
    let binding = vec![
        opt_computed("host_id", Type::String, "The compute host."),
        opt("profile", Type::String, "For the driver, in JSON."),
        computed("vif_details", string_map(), "What the driver says of it."),
        computed("vif_type", Type::String, "How it is plugged in."),
        opt("vnic_type", Type::String, "The kind of card.")
            .default(Value::string("normal"))
            .one_of(VNIC_TYPES),
    ];
    let no_groups = "It is in no security group, not even the default one.";
    Table::new(
        "openstack_networking_port_v2",
        "A port: an interface on a network. What it may send and receive is said by its security groups, and nowhere else.",
        vec![
            id(),
            region(),
            req("network_id", Type::String, "The network.").replace(),
            opt("name", Type::String, "The name."),
            opt("description", Type::String, "For people."),
            opt_computed("admin_state_up", Type::Bool, "Whether it carries packets."),
            opt_computed("mac_address", Type::String, "The hardware address.").replace(),
            tenant(),
            opt_computed("device_owner", Type::String, "What uses it.").replace(),
            opt_computed("device_id", Type::String, "Who uses it.").replace(),
            opt("security_group_ids", string_set(), "Its security groups. Left out, the default one.").excludes(&["no_security_groups"]).local(),
            opt("no_security_groups", Type::Bool, no_groups).excludes(&["security_group_ids"]).local(),
            list("fixed_ip", "Its addresses. Left out, one of the network's.", fixed).excludes(&["no_fixed_ip"]).local(),
            opt("no_fixed_ip", Type::Bool, "It has no address.").excludes(&["fixed_ip"]).local(),
            set("allowed_address_pairs", "Addresses besides its own that it may send from.", pair),
            set("extra_dhcp_option", "What DHCP tells it.", option).key("extra_dhcp_opts").unsent(),
            list("binding", "Where and how it is plugged in.", binding).single().local(),
            computed("all_fixed_ips", strings(), "All its addresses.").local().follows(&["fixed_ip", "no_fixed_ip"]),
            computed("all_security_group_ids", string_set(), "All its security groups.").key("security_groups").follows(&["security_group_ids", "no_security_groups"]),
            value_specs(),
            tags,
            all_tags,
            opt_computed("port_security_enabled", Type::Bool, "Whether it is filtered."),
            opt_computed("dns_name", Type::String, "Its name in the network's domain."),
            computed("dns_assignment", Type::list(string_map()), "The names that it got.").follows(&["dns_name", "fixed_ip"]),
            opt_computed("qos_policy_id", Type::String, "Its quality of service policy."),
        ],
    )
    .timed(MAKE_AND_CHANGE)
});

impl Rules for Port {
    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let same = |it: &Value| it.get_attr("fixed_ip") == planned.get("fixed_ip");
        if input.prior.is_some_and(same) {
            return;
        }
        // Known before it is made where every address is written.
        let is = |name: &str| planned.get(name).and_then(Value::as_bool) == Some(true);
        let fixed: Vec<&Value> =
            input.config.get_attr("fixed_ip").into_iter().flat_map(Value::values).collect();
        let known = |it: &&Value| {
            it.get_attr("ip_address")
                .filter(|it| it.as_str().is_some_and(|it| !it.is_empty()))
                .cloned()
        };
        let addresses: Vec<Value> = fixed.iter().filter_map(known).collect();
        if is("no_fixed_ip") {
            planned.set("all_fixed_ips", Value::list(Type::String, Vec::new()));
        } else if !fixed.is_empty() && addresses.len() == fixed.len() {
            planned.set("all_fixed_ips", Value::list(Type::String, addresses));
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let pairs = [("fixed_ip", "ip_address"), ("allowed_address_pairs", "ip_address")];
        for (block, name) in pairs {
            for (index, item) in
                config.get_attr(block).into_iter().flat_map(Value::values).enumerate()
            {
                let Some(text) =
                    item.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty())
                else {
                    continue;
                };
                let range =
                    block == "allowed_address_pairs" && crate::range::Range::parse(text).is_some();
                if text.parse::<std::net::IpAddr>().is_err() && !range {
                    let key = if block == "fixed_ip" { Value::number(index) } else { item.clone() };
                    problems.push(Problem {
                        path: Path::default().attr(block).index(key).attr(name),
                        summary: "Invalid address".to_owned(),
                        detail: format!("{text:?} is not an IP address."),
                    });
                }
            }
        }
        if let Some(mac) = config.get_attr("mac_address").and_then(Value::as_str) {
            let parts: Vec<&str> = mac.split([':', '-']).collect();
            let hex = |it: &&str| it.len() == 2 && it.bytes().all(|it| it.is_ascii_hexdigit());
            if parts.len() != 6 || !parts.iter().all(hex) {
                problems.push(Problem {
                    path: Path::default().attr("mac_address"),
                    summary: "Invalid hardware address".to_owned(),
                    detail: format!("{mac:?} is none; one is written like fa:16:3e:00:00:01."),
                });
            }
        }
        for block in config.get_attr("binding").into_iter().flat_map(Value::values) {
            let profile =
                block.get_attr("profile").and_then(Value::as_str).filter(|it| !it.is_empty());
            if profile.is_some_and(|it| !matches!(serde_json::from_str(it), Ok(Json::Object(_)))) {
                problems.push(Problem {
                    path: Path::default().attr("binding").index(Value::number(0)).attr("profile"),
                    summary: "Invalid binding profile".to_owned(),
                    detail: "It must be an object in JSON.".to_owned(),
                });
            }
        }
    }
}

#[async_trait]
impl Neutron for Port {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/ports",
            one: "port",
            many: "ports",
            noun: "port",
            tags: true,
            keys: &[
                "fixed_ips",
                "security_groups",
                "extra_dhcp_opts",
                "binding:host_id",
                "binding:profile",
                "binding:vif_details",
                "binding:vif_type",
                "binding:vnic_type",
            ],
        }
    }

    async fn fill(
        &self,
        _cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        if change.is("no_fixed_ip") {
            if change.of("no_fixed_ip") {
                body.insert("fixed_ips".to_owned(), json!([]));
            }
        } else if change.of("fixed_ip") {
            let addresses: Vec<Json> = change.items("fixed_ip").map(address).collect();
            // Left out, the addresses stay as they are.
            if !addresses.is_empty() {
                body.insert("fixed_ips".to_owned(), addresses.into());
            }
        }
        if change.is("no_security_groups") {
            if change.of("no_security_groups") {
                body.insert("security_groups".to_owned(), json!([]));
            }
        } else if change.of("security_group_ids") {
            let groups: Vec<Json> = change.items("security_group_ids").map(json::to_json).collect();
            if change.prior.is_some() || !groups.is_empty() {
                body.insert("security_groups".to_owned(), groups.into());
            }
        }
        if change.of("extra_dhcp_option") {
            dhcp(change, body);
        }
        if change.of("binding") {
            binding(change, body)?;
        }
        Ok(())
    }

    fn observe(&self, json: &Json, base: Option<&Value>, attrs: &mut Attrs) {
        let fixed = list_at(json, "fixed_ips");
        json::set(attrs, "no_fixed_ip", Value::bool(fixed.is_empty()));
        let groups = list_at(json, "security_groups");
        json::set(attrs, "no_security_groups", Value::bool(groups.is_empty()));
        let groups = groups.iter().filter_map(Json::as_str).map(Value::string).collect();
        json::set(attrs, "security_group_ids", Value::set(Type::String, groups));
        let element =
            |attrs: &Attrs, name: &str| attrs.get(name).and_then(|it| it.ty().element().cloned());
        if let Some(ty) = element(attrs, "fixed_ip") {
            let written: Vec<&Value> = base
                .and_then(|it| it.get_attr("fixed_ip"))
                .into_iter()
                .flat_map(Value::values)
                .collect();
            let ordered = as_written(&written, fixed);
            let address =
                |it: &Value| it.get_attr("ip_address").filter(|it| it.is_present()).cloned();
            // In the order in which they were written, as far as they were.
            let mut all: Vec<Value> = ordered.iter().filter_map(address).collect();
            let rest = fixed.iter().map(|it| Value::string(str_at(it, "ip_address")));
            all.extend(
                rest.filter(|it| !ordered.iter().any(|one| address(one).as_ref() == Some(it))),
            );
            json::set(attrs, "all_fixed_ips", Value::list(Type::String, all));
            json::set(attrs, "fixed_ip", Value::list(ty, ordered));
        }
        if let Some(ty) = element(attrs, "binding") {
            json::set(attrs, "binding", Value::list(ty, vec![bound(json, base)]));
        }
        if let Some(value) = pairs(json, base) {
            json::set(attrs, "allowed_address_pairs", value);
        }
        if let Some(mac) = base.and_then(|it| it.get_attr("mac_address")).and_then(Value::as_str)
            && mac.to_lowercase().replace('-', ":") == str_at(json, "mac_address")
        {
            json::set(attrs, "mac_address", Value::string(mac));
        }
    }
}

/// The addresses in the order in which they were written: Neutron has none. Of what a block left
/// out nothing is told, so that it stays nobody's.
fn as_written(written: &[&Value], told: &[Json]) -> Vec<Value> {
    let mut left: Vec<&Json> = told.iter().collect();
    let text = |it: &Value, name: &str| {
        it.get_attr(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut places: Vec<Option<&Json>> = vec![None; written.len()];
    // Those with an address first: the others take what is left.
    for exact in [true, false] {
        for (place, block) in places.iter_mut().zip(written) {
            let (subnet, address) = (text(block, "subnet_id"), text(block, "ip_address"));
            if place.is_some() || exact == address.is_empty() {
                continue;
            }
            let fits = |it: &&Json| {
                (subnet.is_empty() || str_at(it, "subnet_id") == subnet)
                    && (address.is_empty() || str_at(it, "ip_address") == address)
            };
            if let Some(index) = left.iter().position(fits) {
                *place = Some(left.remove(index));
            }
        }
    }
    let value = |it: &Json, block: Option<&Value>| {
        let of = |name: &str| match block.and_then(|it| it.get_attr(name)) {
            Some(written) if written.as_str().is_none_or(str::is_empty) => written.clone(),
            _ => Value::string(str_at(it, name)),
        };
        Value::object([("subnet_id", of("subnet_id")), ("ip_address", of("ip_address"))])
    };
    let found =
        places.iter().zip(written).filter_map(|(it, block)| Some(value((*it)?, Some(block))));
    found.chain(left.iter().map(|it| value(it, None))).collect()
}

/// The pairs; a hardware address that nobody wrote is the port's own.
fn pairs(json: &Json, base: Option<&Value>) -> Option<Value> {
    let written: Vec<&Value> = base?.get_attr("allowed_address_pairs")?.values().collect();
    let ty = written.first()?.ty();
    let own = str_at(json, "mac_address");
    let items = list_at(json, "allowed_address_pairs").iter().map(|it| {
        let (address, mac) = (str_at(it, "ip_address"), str_at(it, "mac_address"));
        let free = |block: &&&Value| {
            block.get_attr("ip_address").and_then(Value::as_str) == Some(address)
                && block.get_attr("mac_address").and_then(Value::as_str).is_none_or(str::is_empty)
        };
        let free = written.iter().find(free).filter(|_| mac == own);
        let mac = free
            .and_then(|it| it.get_attr("mac_address"))
            .cloned()
            .unwrap_or_else(|| Value::string(mac));
        Value::object([("ip_address", Value::string(address)), ("mac_address", mac)])
    });
    Some(Value::set(ty, items.collect()))
}

/// Options that are gone are told with no value: Neutron keeps what it is not told of.
fn dhcp(change: &Change<'_>, body: &mut Map<String, Json>) {
    let one = |it: &Value| {
        let of = |name: &str| it.get_attr(name).map(json::to_json).unwrap_or_default();
        json!({ "opt_name": of("name"), "opt_value": of("value"), "ip_version": of("ip_version") })
    };
    let wanted: Vec<Json> = change.items("extra_dhcp_option").map(one).collect();
    let same =
        |a: &Json, b: &Json| ["opt_name", "ip_version"].iter().all(|it| a.get(it) == b.get(it));
    let was = change
        .prior
        .and_then(|it| it.get_attr("extra_dhcp_option"))
        .into_iter()
        .flat_map(Value::values)
        .map(one);
    let gone = was.filter(|it| !wanted.iter().any(|other| same(it, other))).map(|mut it| {
        it["opt_value"] = Json::Null;
        it
    });
    let all: Vec<Json> = gone.chain(wanted.iter().cloned()).collect();
    if !all.is_empty() {
        body.insert("extra_dhcp_opts".to_owned(), all.into());
    }
}

fn binding(change: &Change<'_>, body: &mut Map<String, Json>) -> Result<(), Failure> {
    let Some(block) = change.items("binding").next() else { return Ok(()) };
    for name in ["host_id", "vnic_type"] {
        if let Some(text) = block.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty())
        {
            body.insert(format!("binding:{name}"), text.into());
        }
    }
    if let Some(text) =
        block.get_attr("profile").and_then(Value::as_str).filter(|it| !it.is_empty())
    {
        let profile: Json = serde_json::from_str(text).map_err(|error| {
            let path = Path::default().attr("binding").index(Value::number(0)).attr("profile");
            Failure::new("Invalid binding profile", format!("{error}.")).at(path)
        })?;
        body.insert("binding:profile".to_owned(), profile);
    }
    Ok(())
}

/// How it is plugged in; a profile that means the same is as it was written.
fn bound(json: &Json, base: Option<&Value>) -> Value {
    let of = |name: &str| json.get(format!("binding:{name}")).unwrap_or(&Json::Null);
    let written = base.and_then(|it| it.get_attr("binding")).and_then(|it| it.get_index(0));
    let written = written.and_then(|it| it.get_attr("profile")).filter(|it| it.is_known());
    let same = |it: &&Value| {
        let text = it.as_str().filter(|it| !it.is_empty()).unwrap_or("{}");
        serde_json::from_str::<Json>(text).is_ok_and(|it| it == *of("profile"))
    };
    let profile =
        written.filter(same).cloned().unwrap_or_else(|| Value::string(json::text(of("profile"))));
    Value::object([
        ("host_id", json::from_json(of("host_id"), &Type::String)),
        ("profile", profile),
        ("vif_details", json::from_json(of("vif_details"), &string_map())),
        ("vif_type", json::from_json(of("vif_type"), &Type::String)),
        ("vnic_type", json::from_json(of("vnic_type"), &Type::String)),
    ])
}
