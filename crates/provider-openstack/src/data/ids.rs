//! Data sources that tell the identifiers of all that fit.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::{Presence, Problem};
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::Value as Json;

use super::Query;
use super::collection::{Collection, asked, matching};
use super::networking::common;
use crate::cloud::Cloud;
use crate::json::{self, str_at};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::table::{Field, Table, computed, opt, opt_computed, strings};

/// The rows that one is found by, for all that fit: they are only asked for, and order and result
/// are added.
pub(super) fn rows(mut filters: Vec<Field>) -> Vec<Field> {
    for field in &mut filters {
        if field.presence == Presence::OptionalComputed && field.name != "region" {
            field.presence = Presence::Optional;
        }
    }
    filters.extend([
        opt("sort_key", Type::String, "The attribute that they are sorted by, such as name.")
            .local(),
        opt("sort_direction", Type::String, "`asc` or `desc`.").one_of(&["asc", "desc"]).local(),
        computed("ids", strings(), "Their identifiers.").local(),
    ]);
    filters
}

/// The order that is asked for. Neutron takes key and direction only together.
pub(super) fn order(config: &Value) -> Vec<String> {
    let (key, direction) = (asked(config, "sort_key"), asked(config, "sort_direction"));
    if key.is_none() && direction.is_none() {
        return Vec::new();
    }
    let (key, direction) = (key.unwrap_or("id"), direction.unwrap_or("asc"));
    vec![format!("sort_key={}", escaped(key)), format!("sort_dir={}", escaped(direction))]
}

/// What was asked for, and who fits. The identifier is a sum over all of them.
pub(super) fn told<R: Rules>(
    cloud: &Cloud,
    found: &[Json],
    config: &Value,
    between: &str,
) -> Value {
    let ids: Vec<&str> = found.iter().map(|it| str_at(it, "id")).collect();
    let mut attrs = R::table().read(&Json::Null);
    for (name, slot) in &mut attrs {
        if let Some(written) = config.get_attr(name).filter(|it| it.is_present()) {
            *slot = written.clone();
        }
    }
    json::set(&mut attrs, "region", cloud.region());
    json::set(&mut attrs, "id", Value::string(crc32(&ids.join(between)).to_string()));
    let ids = ids.into_iter().map(Value::string).collect();
    json::set(&mut attrs, "ids", Value::list(Type::String, ids));
    Value::object(attrs)
}

/// The checksum that such identifiers are made with.
fn crc32(text: &str) -> u32 {
    let bit = |sum: u32, _| (sum >> 1) ^ (0xedb8_8320 & (sum & 1).wrapping_neg());
    !text.bytes().fold(u32::MAX, |sum, byte| (0..8).fold(sum ^ u32::from(byte), bit))
}

/// The identifiers of subnets.
pub(crate) struct SubnetIds;

static SUBNET_IDS: LazyLock<Table> = LazyLock::new(|| {
    let mut fields = common("subnet_id");
    fields.retain(|it| !matches!(it.name, "subnet_id" | "all_tags"));
    fields.extend([
        opt("name_regex", Type::String, "A regular expression that the name fits.").local(),
        opt_computed("network_id", Type::String, "Their network."),
        opt_computed("cidr", Type::String, "The addresses."),
        opt_computed("gateway_ip", Type::String, "The gateway."),
        opt_computed("ip_version", Type::Number, "4 or 6."),
        opt_computed("dhcp_enabled", Type::Bool, "Whether addresses are told by DHCP.")
            .key("enable_dhcp"),
        opt_computed("ipv6_address_mode", Type::String, "How hosts get IPv6 addresses."),
        opt_computed("ipv6_ra_mode", Type::String, "How routers announce themselves."),
        opt_computed("subnetpool_id", Type::String, "The pool that their addresses come from."),
        opt_computed("segment_id", Type::String, "The segment that they are on."),
        opt_computed(
            "dns_publish_fixed_ip",
            Type::Bool,
            "Whether names of fixed addresses are published.",
        ),
    ]);
    let says = "The identifiers of all subnets that fit.";
    Table::new("openstack_networking_subnet_ids_v2", says, rows(fields))
});

impl Rules for SubnetIds {
    fn table() -> &'static Table {
        &SUBNET_IDS
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let at = |name: &str| Path::default().attr(name);
        let (name, expression) = (asked(config, "name"), asked(config, "name_regex"));
        if name.is_some() && expression.is_some() {
            let summary = "Conflicting arguments".to_owned();
            let detail = "Only one of name and name_regex can be given.".to_owned();
            problems.push(Problem { path: at("name_regex"), summary, detail });
        }
        if let Some(Err(error)) = expression.map(regex::Regex::new) {
            let summary = "Invalid regular expression".to_owned();
            problems.push(Problem { path: at("name_regex"), summary, detail: error.to_string() });
        }
    }
}

#[async_trait]
impl Query for SubnetIds {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let collection = Collection { path: "/subnets", many: "subnets", noun: "subnets" };
        let expression = asked(config, "name_regex").map(regex::Regex::new).transpose();
        let expression = expression.map_err(|error| {
            let path = Path::default().attr("name_regex");
            Failure::new("Invalid regular expression", error.to_string()).at(path)
        })?;
        let mut found = matching::<SubnetIds>(cloud, &collection, config, order(config)).await?;
        if let Some(expression) = expression {
            found.retain(|it| expression.is_match(str_at(it, "name")));
        }
        Ok(told::<SubnetIds>(cloud, &found, config, ","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_the_usual_one() {
        assert_eq!((crc32(""), crc32("123456789")), (0, 0xcbf4_3926));
    }
}
