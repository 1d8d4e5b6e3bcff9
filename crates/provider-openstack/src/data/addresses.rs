//! Floating IPs, subnet pools, trunks.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::Value as Json;

use super::Query;
use super::collection::{Collection, asked, matching, name_and_id, only, told};
use super::networking::common;
use crate::cloud::Cloud;
use crate::json::{self, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::table::{Field, Table, computed, opt_computed, string_set};

/// What is common to all, without some.
fn rows(without: &[&str]) -> Vec<Field> {
    let mut fields = common("own id");
    fields.retain(|it| it.name != "own id" && !without.contains(&it.name));
    fields
}

/// The owner, as younger parts of Neutron call it.
fn project() -> Field {
    opt_computed("project_id", Type::String, "The project.")
}

/// A floating IP.
pub(crate) struct FloatingIp;

static FLOATING_IP: LazyLock<Table> = LazyLock::new(|| {
    let mut fields = rows(&["name"]);
    fields.extend([
        opt_computed("address", Type::String, "The address.").key("floating_ip_address"),
        opt_computed("pool", Type::String, "The network outside, by name or identifier.").local(),
        opt_computed("port_id", Type::String, "The port that it leads to."),
        opt_computed("fixed_ip", Type::String, "Which of the port's addresses.")
            .key("fixed_ip_address"),
        opt_computed("status", Type::String, "ACTIVE when it leads somewhere."),
        opt_computed("dns_name", Type::String, "Its name."),
        opt_computed("dns_domain", Type::String, "The domain of its name."),
    ]);
    Table::new("openstack_networking_floatingip_v2", "A floating IP.", fields)
});

impl Rules for FloatingIp {
    fn table() -> &'static Table {
        &FLOATING_IP
    }
}

#[async_trait]
impl Query for FloatingIp {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection =
            Collection { path: "/floatingips", many: "floatingips", noun: "floating IP" };
        let mut more = Vec::new();
        if let Some(pool) = asked(config, "pool") {
            let network = crate::lookup::network(cloud, pool).await?;
            more.push(format!("floating_network_id={}", escaped(&network)));
        }
        let found = matching::<FloatingIp>(cloud, &collection, config, more).await?;
        let called =
            |it: &Json| format!("{} ({})", str_at(it, "floating_ip_address"), str_at(it, "id"));
        let json = only(found, collection.noun, called)?;
        let pool = str_at(&json, "floating_network_id").to_owned();
        let mut attrs = told::<FloatingIp>(cloud, json, config);
        json::set(&mut attrs, "pool", Value::string(asked(config, "pool").unwrap_or(&pool)));
        Ok(Value::object(attrs))
    }
}

/// A subnet pool.
pub(crate) struct SubnetPool;

static SUBNET_POOL: LazyLock<Table> = LazyLock::new(|| {
    let number = |name, says| opt_computed(name, Type::Number, says);
    let mut fields = rows(&["tenant_id"]);
    fields.extend([
        project(),
        number("default_quota", "How much of it a project may take."),
        number("default_prefixlen", "How many bits a subnet gets that does not say."),
        number("min_prefixlen", "The largest subnet, in bits."),
        number("max_prefixlen", "The smallest subnet, in bits."),
        number("ip_version", "4 or 6."),
        opt_computed("address_scope_id", Type::String, "The address scope that it is part of."),
        opt_computed("shared", Type::Bool, "Whether other projects may use it."),
        opt_computed("is_default", Type::Bool, "Whether subnets that name no pool come from it."),
        computed("prefixes", string_set(), "The ranges that subnets are cut from."),
        computed("created_at", Type::String, "When it was made."),
        computed("updated_at", Type::String, "When it was changed."),
        computed("revision_number", Type::Number, "Counts its changes."),
    ]);
    Table::new("openstack_networking_subnetpool_v2", "A subnet pool.", fields)
});

impl Rules for SubnetPool {
    fn table() -> &'static Table {
        &SUBNET_POOL
    }
}

#[async_trait]
impl Query for SubnetPool {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection =
            Collection { path: "/subnetpools", many: "subnetpools", noun: "subnet pool" };
        let found = matching::<SubnetPool>(cloud, &collection, config, Vec::new()).await?;
        let json = only(found, collection.noun, name_and_id)?;
        Ok(Value::object(told::<SubnetPool>(cloud, json, config)))
    }
}

/// A trunk.
pub(crate) struct Trunk;

static TRUNK: LazyLock<Table> = LazyLock::new(|| {
    let port = Type::object([
        ("port_id", Type::String),
        ("segmentation_type", Type::String),
        ("segmentation_id", Type::Number),
    ]);
    let mut fields = common("trunk_id");
    fields.retain(|it| it.name != "tenant_id");
    fields.extend([
        project(),
        opt_computed("port_id", Type::String, "The port."),
        opt_computed("admin_state_up", Type::Bool, "Whether it carries packets."),
        opt_computed("status", Type::String, "ACTIVE when it carries packets."),
        computed("sub_port", Type::set(port), "The ports that it carries.").key("sub_ports"),
    ]);
    Table::new("openstack_networking_trunk_v2", "A trunk.", fields)
});

impl Rules for Trunk {
    fn table() -> &'static Table {
        &TRUNK
    }
}

#[async_trait]
impl Query for Trunk {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection = Collection { path: "/trunks", many: "trunks", noun: "trunk" };
        let found = matching::<Trunk>(cloud, &collection, config, Vec::new()).await?;
        let json = only(found, collection.noun, name_and_id)?;
        Ok(Value::object(told::<Trunk>(cloud, json, config)))
    }
}
