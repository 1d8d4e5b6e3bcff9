//! Networks, subnets, routers, security groups.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::Value as Json;

use super::Query;
use super::collection::{Collection, asked, matching, name_and_id, only, told};
use crate::cloud::Cloud;
use crate::json::{self, Attrs, at, list_at, str_at};
use crate::plan::Rules;
use crate::table::{Field, Table, computed, id, opt_computed, string_set, strings};

/// What most of them can be asked for by, and tell.
pub(super) fn common(own_id: &'static str) -> Vec<Field> {
    let all = computed("all_tags", string_set(), "All tags that it has.").key("tags");
    vec![
        id(),
        opt_computed("region", Type::String, "The region.").local(),
        opt_computed(own_id, Type::String, "The identifier.").key("id"),
        opt_computed("name", Type::String, "The name."),
        opt_computed("description", Type::String, "The description."),
        opt_computed("tenant_id", Type::String, "The project."),
        crate::table::opt("tags", string_set(), "Tags that it has."),
        all,
    ]
}

fn table(kind: &'static str, says: &'static str, own_id: &'static str, more: Vec<Field>) -> Table {
    let mut fields = common(own_id);
    fields.extend(more);
    Table::new(kind, says, fields)
}

/// A network.
pub(crate) struct Network;

static NETWORK: LazyLock<Table> = LazyLock::new(|| {
    table(
        "openstack_networking_network_v2",
        "A network.",
        "network_id",
        vec![
            opt_computed("status", Type::String, "ACTIVE when it carries packets."),
            opt_computed("external", Type::Bool, "Whether routers reach the outside by it.")
                .key("router:external"),
            opt_computed("matching_subnet_cidr", Type::String, "The range of one of its subnets.")
                .local(),
            opt_computed("transparent_vlan", Type::Bool, "Whether tagged frames pass.")
                .key("vlan_transparent")
                .unsent(),
            opt_computed("mtu", Type::Number, "Largest packet."),
            computed("admin_state_up", Type::Bool, "Whether it carries packets."),
            computed("shared", Type::Bool, "Whether other projects may use it."),
            computed("availability_zone_hints", string_set(), "Where its services are to run."),
            computed("dns_domain", Type::String, "The domain of names on it."),
            computed("subnets", strings(), "Its subnets."),
        ],
    )
});

impl Rules for Network {
    fn table() -> &'static Table {
        &NETWORK
    }
}

#[async_trait]
impl Query for Network {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection = Collection { path: "/networks", many: "networks", noun: "network" };
        let mut found = matching::<Network>(cloud, &collection, config, Vec::new()).await?;
        if let Some(cidr) = asked(config, "matching_subnet_cidr") {
            let path = format!("/subnets?cidr={}&fields=network_id", crate::neutron::escaped(cidr));
            let subnets =
                cloud.session.list(crate::session::Service::Network, &path, "subnets").await;
            let subnets = subnets.map_err(|it| it.failure("look for the subnet"))?;
            found.retain(|it| {
                subnets.iter().any(|subnet| str_at(subnet, "network_id") == str_at(it, "id"))
            });
        }
        let json = only(found, collection.noun, name_and_id)?;
        let mut attrs = told::<Network>(cloud, json, config);
        if attrs.get("transparent_vlan").is_some_and(Value::is_null) {
            json::set(&mut attrs, "transparent_vlan", Value::bool(false));
        }
        Ok(Value::object(attrs))
    }
}

/// A subnet.
pub(crate) struct Subnet;

static SUBNET: LazyLock<Table> = LazyLock::new(|| {
    let pool = Type::object([("start", Type::String), ("end", Type::String)]);
    let route = Type::object([("destination_cidr", Type::String), ("next_hop", Type::String)]);
    table(
        "openstack_networking_subnet_v2",
        "A subnet.",
        "subnet_id",
        vec![
            opt_computed("network_id", Type::String, "Its network."),
            opt_computed("cidr", Type::String, "The addresses."),
            opt_computed("gateway_ip", Type::String, "The gateway."),
            opt_computed("ip_version", Type::Number, "4 or 6."),
            opt_computed("dhcp_enabled", Type::Bool, "Whether addresses are told by DHCP.")
                .key("enable_dhcp"),
            opt_computed("ipv6_address_mode", Type::String, "How hosts get IPv6 addresses."),
            opt_computed("ipv6_ra_mode", Type::String, "How routers announce themselves."),
            opt_computed("subnetpool_id", Type::String, "The pool that its addresses come from."),
            opt_computed("segment_id", Type::String, "The segment that it is on."),
            opt_computed(
                "dns_publish_fixed_ip",
                Type::Bool,
                "Whether names of fixed addresses are published.",
            ),
            computed("allocation_pools", Type::list(pool), "Addresses that ports may get."),
            computed("enable_dhcp", Type::Bool, "Whether addresses are told by DHCP."),
            computed("dns_nameservers", string_set(), "Name servers that DHCP tells."),
            computed("service_types", strings(), "Ports of which kinds get addresses here."),
            computed("host_routes", Type::list(route), "Routes that DHCP tells.").local(),
        ],
    )
});

impl Rules for Subnet {
    fn table() -> &'static Table {
        &SUBNET
    }
}

#[async_trait]
impl Query for Subnet {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection = Collection { path: "/subnets", many: "subnets", noun: "subnet" };
        let found = matching::<Subnet>(cloud, &collection, config, Vec::new()).await?;
        let json = only(found, collection.noun, name_and_id)?;
        let routes = list_at(&json, "host_routes").iter().map(|it| {
            let text = |key: &str| Value::string(str_at(it, key));
            Value::object([
                ("destination_cidr", text("destination")),
                ("next_hop", text("nexthop")),
            ])
        });
        let routes = routes.collect();
        let mut attrs = told::<Subnet>(cloud, json, config);
        set_list(&mut attrs, "host_routes", routes);
        Ok(Value::object(attrs))
    }
}

/// A router.
pub(crate) struct Router;

static ROUTER: LazyLock<Table> = LazyLock::new(|| {
    let address = Type::object([("subnet_id", Type::String), ("ip_address", Type::String)]);
    table(
        "openstack_networking_router_v2",
        "A router.",
        "router_id",
        vec![
            opt_computed("status", Type::String, "ACTIVE when it routes."),
            opt_computed("admin_state_up", Type::Bool, "Whether it routes."),
            opt_computed("distributed", Type::Bool, "Whether it runs on every compute host."),
            computed(
                "enable_snat",
                Type::Bool,
                "Whether those without a floating IP reach the outside by its address.",
            )
            .local(),
            computed("external_network_id", Type::String, "The outside.").local(),
            computed("availability_zone_hints", strings(), "Where it is to run."),
            computed("external_fixed_ip", Type::list(address), "Its addresses outside.").local(),
        ],
    )
});

impl Rules for Router {
    fn table() -> &'static Table {
        &ROUTER
    }
}

#[async_trait]
impl Query for Router {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection = Collection { path: "/routers", many: "routers", noun: "router" };
        let found = matching::<Router>(cloud, &collection, config, Vec::new()).await?;
        let json = only(found, collection.noun, name_and_id)?;
        let gateway = at(&json, &["external_gateway_info"]).clone();
        let mut attrs = told::<Router>(cloud, json, config);
        json::set(&mut attrs, "external_network_id", Value::string(str_at(&gateway, "network_id")));
        let snat = gateway.get("enable_snat").and_then(Json::as_bool).unwrap_or(false);
        json::set(&mut attrs, "enable_snat", Value::bool(snat));
        let addresses = list_at(&gateway, "external_fixed_ips").iter().map(|it| {
            let text = |key: &str| Value::string(str_at(it, key));
            Value::object([("subnet_id", text("subnet_id")), ("ip_address", text("ip_address"))])
        });
        set_list(&mut attrs, "external_fixed_ip", addresses.collect());
        Ok(Value::object(attrs))
    }
}

/// A security group.
pub(crate) struct SecurityGroup;

static SECURITY_GROUP: LazyLock<Table> = LazyLock::new(|| {
    let stateful =
        opt_computed("stateful", Type::Bool, "Whether answers to what was let through pass.");
    table("openstack_networking_secgroup_v2", "A security group.", "secgroup_id", vec![stateful])
});

impl Rules for SecurityGroup {
    fn table() -> &'static Table {
        &SECURITY_GROUP
    }
}

#[async_trait]
impl Query for SecurityGroup {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection = Collection {
            path: "/security-groups",
            many: "security_groups",
            noun: "security group",
        };
        let found = matching::<SecurityGroup>(cloud, &collection, config, Vec::new()).await?;
        let json = only(found, collection.noun, name_and_id)?;
        Ok(Value::object(told::<SecurityGroup>(cloud, json, config)))
    }
}

pub(super) fn set_list(attrs: &mut Attrs, name: &str, items: Vec<Value>) {
    if let Some(ty) = attrs.get(name).and_then(|it| it.ty().element().cloned()) {
        json::set(attrs, name, Value::list(ty, items));
    }
}
