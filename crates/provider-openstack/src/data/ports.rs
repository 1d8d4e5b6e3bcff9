//! Ports: one, or the identifiers of all that fit.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::{Value as Json, json};

use super::Query;
use super::collection::{Collection, asked, matching, name_and_id, only, told};
use super::networking::{common, set_list};
use crate::cloud::Cloud;
use crate::json::{self, list_at, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::table::{
    Field, Table, computed, list, opt, opt_computed, string_map, string_set, strings,
};

const PORTS: Collection = Collection { path: "/ports", many: "ports", noun: "port" };

/// What both can be asked for by, besides what is common to all.
fn filters() -> Vec<Field> {
    vec![
        opt_computed("project_id", Type::String, "The project."),
        opt_computed("admin_state_up", Type::Bool, "Whether it carries packets."),
        opt_computed("network_id", Type::String, "Its network."),
        opt_computed("device_owner", Type::String, "What uses it, such as compute:nova."),
        opt_computed("device_id", Type::String, "Who uses it: the server's identifier."),
        opt_computed("mac_address", Type::String, "The hardware address."),
        opt_computed("status", Type::String, "ACTIVE when it carries packets."),
        opt_computed("dns_name", Type::String, "Its name in the network's domain."),
        opt("fixed_ip", Type::String, "An address that it has.").local(),
        opt("security_group_ids", string_set(), "Security groups, of which it is in one.").local(),
    ]
}

/// All that fit.
async fn all<R: Rules>(
    cloud: &Cloud,
    config: &Value,
    mut more: Vec<String>,
) -> Result<Vec<Json>, Failure> {
    let mut addresses = vec![("ip_address", asked(config, "fixed_ip"))];
    for block in config.get_attr("fixed_ips").into_iter().flat_map(Value::values) {
        addresses.extend(["subnet_id", "ip_address"].map(|it| (it, asked(block, it))));
    }
    for (name, value) in addresses {
        more.extend(value.map(|it| format!("fixed_ips={}", escaped(&format!("{name}={it}")))));
    }
    let mut found = matching::<R>(cloud, &PORTS, config, more).await?;
    let groups: Vec<&str> = (config.get_attr("security_group_ids").into_iter())
        .flat_map(Value::values)
        .filter_map(Value::as_str)
        .collect();
    if !groups.is_empty() {
        found.retain(|port| {
            let is_in = list_at(port, "security_groups").iter().filter_map(Json::as_str);
            is_in.into_iter().any(|it| groups.contains(&it))
        });
    }
    Ok(found)
}

/// A port.
pub(crate) struct Port;

static PORT: LazyLock<Table> = LazyLock::new(|| {
    let pair = Type::object([("ip_address", Type::String), ("mac_address", Type::String)]);
    let option = Type::object([
        ("name", Type::String),
        ("value", Type::String),
        ("ip_version", Type::Number),
    ]);
    let binding = Type::object([
        ("host_id", Type::String),
        ("profile", Type::String),
        ("vif_details", string_map()),
        ("vif_type", Type::String),
        ("vnic_type", Type::String),
    ]);
    let address = vec![
        opt("subnet_id", Type::String, "The subnet of one of its addresses."),
        opt("ip_address", Type::String, "The address."),
    ];
    let mut fields = common("port_id");
    fields.extend(filters());
    fields.extend([
        list("fixed_ips", "Addresses that it has.", address).local(),
        computed("all_fixed_ips", strings(), "All its addresses.").local(),
        computed("all_security_group_ids", string_set(), "All its security groups.")
            .key("security_groups"),
        computed("allowed_address_pairs", Type::set(pair), "Others that it may send from."),
        computed("extra_dhcp_option", Type::list(option), "What DHCP tells it.").local(),
        computed("binding", Type::list(binding), "Where and how it is plugged in.").local(),
        computed("dns_assignment", Type::list(string_map()), "The names that it got."),
    ]);
    Table::new("openstack_networking_port_v2", "A port.", fields)
});

impl Rules for Port {
    fn table() -> &'static Table {
        &PORT
    }
}

#[async_trait]
impl Query for Port {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let json = only(all::<Port>(cloud, config, Vec::new()).await?, PORTS.noun, called)?;
        let fixed = list_at(&json, "fixed_ips").iter();
        let fixed = fixed.map(|it| Value::string(str_at(it, "ip_address"))).collect();
        let option = |it: &Json| {
            let of = |key: &str| it.get(key).cloned().unwrap_or_default();
            json!({ "name": of("opt_name"), "value": of("opt_value"), "ip_version": of("ip_version") })
        };
        let options: Vec<Json> = list_at(&json, "extra_dhcp_opts").iter().map(option).collect();
        let of = |name: &str| json.get(format!("binding:{name}")).cloned().unwrap_or_default();
        // Only administrators are told.
        let bound = !of("vnic_type").is_null();
        let binding = json!([{
            "host_id": of("host_id"),
            "profile": of("profile"),
            "vif_details": of("vif_details"),
            "vif_type": of("vif_type"),
            "vnic_type": of("vnic_type"),
        }]);
        let mut attrs = told::<Port>(cloud, json, config);
        set_list(&mut attrs, "all_fixed_ips", fixed);
        for (name, json) in [
            ("extra_dhcp_option", json!(options)),
            ("binding", if bound { binding } else { json!([]) }),
        ] {
            if let Some(ty) = attrs.get(name).map(|it| it.ty().clone()) {
                json::set(&mut attrs, name, json::from_json(&json, &ty));
            }
        }
        Ok(Value::object(attrs))
    }
}

/// Many ports have no name; their addresses tell them apart.
fn called(port: &Json) -> String {
    match (str_at(port, "name"), list_at(port, "fixed_ips").first()) {
        ("", Some(first)) => format!("{} ({})", str_at(first, "ip_address"), str_at(port, "id")),
        _ => name_and_id(port),
    }
}

/// The identifiers of ports.
pub(crate) struct PortIds;

static PORT_IDS: LazyLock<Table> = LazyLock::new(|| {
    let mut fields = common("port_id");
    fields.retain(|it| !matches!(it.name, "port_id" | "all_tags"));
    fields.extend(filters());
    let says = "The identifiers of all ports that fit.";
    Table::new("openstack_networking_port_ids_v2", says, super::ids::rows(fields))
});

impl Rules for PortIds {
    fn table() -> &'static Table {
        &PORT_IDS
    }
}

#[async_trait]
impl Query for PortIds {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let found = all::<PortIds>(cloud, config, super::ids::order(config)).await?;
        Ok(super::ids::told::<PortIds>(cloud, &found, config, ""))
    }
}
