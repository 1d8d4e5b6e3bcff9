//! Flavors, key pairs, servers, availability zones.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::Value as Json;

use super::Query;
use super::collection::{name_and_id, only};
use crate::cloud::Cloud;
use crate::json::{self, Attrs, at, list_at, str_at};
use crate::kinds::instance;
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::Service;
use crate::table::{
    Field, Table, computed, id, opt, opt_computed, req, string_map, string_set, strings,
};
use crate::told::text;

fn region() -> Field {
    opt_computed("region", Type::String, "The region.").local()
}

/// A flavor.
pub(crate) struct Flavor;

/// What a flavor can be chosen by besides.
const OTHERS: &[&str] =
    &["name", "description", "min_ram", "ram", "min_disk", "disk", "vcpus", "swap", "rx_tx_factor"];

static FLAVOR: LazyLock<Table> = LazyLock::new(|| {
    let number = Type::Number;
    let exact = |name, says| opt_computed(name, Type::Number, says);
    Table::new(
        "openstack_compute_flavor_v2",
        "A flavor.",
        vec![
            id(),
            region(),
            opt_computed("flavor_id", Type::String, "The identifier.").key("id").excludes(OTHERS),
            opt_computed("name", Type::String, "The name."),
            opt_computed("description", Type::String, "The description."),
            opt("min_ram", number.clone(), "At least so much memory, in MB.").local(),
            exact("ram", "Memory in MB."),
            exact("vcpus", "Processors."),
            opt("min_disk", number, "At least such a root disk, in GB.").local(),
            exact("disk", "Size of the root disk in GB."),
            exact("swap", "Swap in MB."),
            exact("rx_tx_factor", "Share of the network's bandwidth.").key("rxtx_factor"),
            opt_computed("is_public", Type::Bool, "Whether every project may use it.")
                .key("os-flavor-access:is_public"),
            computed("extra_specs", string_map(), "What else hosts have to have."),
        ],
    )
});

impl Rules for Flavor {
    fn table() -> &'static Table {
        &FLAVOR
    }
}

/// The attributes of what was found.
fn found(table: &Table, cloud: &Cloud, json: &Json, config: &Value) -> Attrs {
    crate::told::told(table, cloud, json, Some(config))
}

/// Whether a flavor is what is asked for.
fn fits(flavor: &Value, config: &Value) -> bool {
    let asked = |name: &str| config.get_attr(name).filter(|it| it.is_present());
    let least = |name: &str, of: &str| {
        let least = asked(name).and_then(Value::as_i64).unwrap_or(0);
        flavor.get_attr(of).and_then(Value::as_i64).is_none_or(|it| it >= least)
    };
    let same = |name: &&str| {
        asked(name).is_none_or(|it| it.as_str() == Some("") || flavor.get_attr(name) == Some(it))
    };
    let exact = [
        "flavor_id",
        "name",
        "description",
        "ram",
        "vcpus",
        "disk",
        "swap",
        "rx_tx_factor",
        "is_public",
    ];
    exact.iter().all(same) && least("min_ram", "ram") && least("min_disk", "disk")
}

#[async_trait]
impl Query for Flavor {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let failed = |it: crate::session::ApiError| it.failure("look for the flavor");
        let all = nova::flavors(cloud).await.map_err(failed)?;
        let all: Vec<(Json, Attrs)> = all
            .into_iter()
            .map(|mut json| {
                // No swap is no number, in older versions.
                if json.get("swap").and_then(Json::as_str) == Some("") {
                    json["swap"] = 0.into();
                }
                let attrs = found(&FLAVOR, cloud, &json, config);
                (json, attrs)
            })
            .filter(|(_, attrs)| fits(&Value::object(attrs.clone()), config))
            .collect();
        let (json, mut attrs) = only(all, "flavor", |it| name_and_id(&it.0))?;
        if json.get("extra_specs").is_none() {
            let path = format!("/flavors/{}/os-extra_specs", escaped(str_at(&json, "id")));
            let answer = cloud.session.get(Service::Compute, &path).await.map_err(failed)?;
            let specs = json::from_json(at(&answer, &["extra_specs"]), &string_map());
            json::set(&mut attrs, "extra_specs", specs);
        }
        Ok(Value::object(attrs))
    }
}

/// A key pair.
pub(crate) struct KeyPair;

static KEY_PAIR: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_compute_keypair_v2",
        "A key pair.",
        vec![
            id().key("name"),
            region(),
            req("name", Type::String, "The name."),
            opt_computed("user_id", Type::String, "The user whose it is."),
            computed("fingerprint", Type::String, "The fingerprint."),
            computed("public_key", Type::String, "The public key."),
        ],
    )
});

impl Rules for KeyPair {
    fn table() -> &'static Table {
        &KEY_PAIR
    }
}

#[async_trait]
impl Query for KeyPair {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let name = text(config, "name").unwrap_or_default();
        let user = text(config, "user_id").map(|it| format!("?user_id={}", escaped(it)));
        let path = format!("/os-keypairs/{}{}", escaped(name), user.unwrap_or_default());
        let answer = cloud.session.get(Service::Compute, &path).await;
        let answer = answer.map_err(|it| it.failure(&format!("read the key pair {name:?}")))?;
        let json = at(&answer, &["keypair"]);
        Ok(Value::object(found(&KEY_PAIR, cloud, json, config)))
    }
}

/// A server.
pub(crate) struct Instance;

static INSTANCE: LazyLock<Table> = LazyLock::new(|| {
    let text = |name, says| computed(name, Type::String, says).local();
    let network = Type::object(
        ["uuid", "name", "port", "fixed_ip_v4", "fixed_ip_v6", "mac"].map(|it| (it, Type::String)),
    );
    Table::new(
        "openstack_compute_instance_v2",
        "A server.",
        vec![
            req("id", Type::String, "The identifier."),
            region(),
            text("name", "The name."),
            text("image_id", "The image that it was made from."),
            text("image_name", "The image by name."),
            text("flavor_id", "The flavor."),
            text("flavor_name", "The flavor by name."),
            opt_computed("user_data", Type::String, "What cloud-init got.").local(),
            text("availability_zone", "Where it runs."),
            text("access_ip_v4", "An IPv4 address to reach it by."),
            text("access_ip_v6", "An IPv6 address to reach it by, in brackets."),
            text("key_pair", "The key pair."),
            text("power_state", "What state it is in."),
            text("created", "When it was made."),
            text("updated", "When it was last changed."),
            computed("security_groups", string_set(), "Its security groups.").local(),
            computed("network", Type::list(network), "What it is connected to.").local(),
            computed("metadata", string_map(), "Its metadata.").local(),
            computed("tags", string_set(), "Its tags.").local(),
        ],
    )
});

impl Rules for Instance {
    fn table() -> &'static Table {
        &INSTANCE
    }
}

#[async_trait]
impl Query for Instance {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let id = text(config, "id").unwrap_or_default();
        let Some(server) = instance::look_up(cloud, id).await? else {
            let detail = format!("None has the identifier {id:?}.");
            return Err(Failure::new("Your query returned no server", detail));
        };
        let mut attrs = found(&INSTANCE, cloud, &Json::Null, config);
        for (name, value) in server.as_map().into_iter().flatten().filter(|it| it.1.is_present()) {
            match attrs.get(name).map(Value::ty) {
                Some(Type::List(element)) if &**name == "network" => {
                    let names: Vec<&str> = NETWORK.to_vec();
                    let one = |it: &Value| {
                        let of = |name: &str| it.get_attr(name).cloned().unwrap_or(Value::NULL);
                        Value::object(names.iter().map(|name| (*name, of(name))))
                    };
                    let items = value.values().map(one).collect();
                    json::set(&mut attrs, name, Value::list((*element).clone(), items));
                }
                Some(_) => json::set(&mut attrs, name, value.clone()),
                None => {}
            }
        }
        Ok(Value::object(attrs))
    }
}

const NETWORK: [&str; 6] = ["uuid", "name", "port", "fixed_ip_v4", "fixed_ip_v6", "mac"];

/// The availability zones.
pub(crate) struct AvailabilityZones;

static ZONES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_compute_availability_zones_v2",
        "The availability zones.",
        vec![
            id().local(),
            region(),
            opt("state", Type::String, "`available` or `unavailable`.")
                .default(Value::string("available"))
                .one_of(&["available", "unavailable"])
                .local(),
            computed("names", strings(), "Their names, in order.").local(),
        ],
    )
});

impl Rules for AvailabilityZones {
    fn table() -> &'static Table {
        &ZONES
    }
}

#[async_trait]
impl Query for AvailabilityZones {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let answer = cloud.session.get(Service::Compute, "/os-availability-zone").await;
        let answer = answer.map_err(|it| it.failure("read the availability zones"))?;
        let wanted = text(config, "state") != Some("unavailable");
        let zones = list_at(&answer, "availabilityZoneInfo").iter().filter(|it| {
            at(it, &["zoneState", "available"]).as_bool().unwrap_or_default() == wanted
        });
        let mut names: Vec<&str> = zones.map(|it| str_at(it, "zoneName")).collect();
        names.sort_unstable();
        let mut attrs = found(&ZONES, cloud, &Json::Null, config);
        json::set(&mut attrs, "id", Value::string(names.join(",")));
        let state = if wanted { "available" } else { "unavailable" };
        json::set(&mut attrs, "state", Value::string(state));
        let names = names.into_iter().map(Value::string).collect();
        json::set(&mut attrs, "names", Value::list(Type::String, names));
        Ok(Value::object(attrs))
    }
}
