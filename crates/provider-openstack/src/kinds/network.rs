//! A network: an L2 segment.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs};
use crate::neutron::{Api, Neutron};
use crate::plan::Rules;
use crate::table::{
    MAKE_AND_CHANGE, Table, id, opt, opt_computed, region, set, string_set, tags, tenant,
    value_specs,
};

pub(crate) struct Network;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let segments = vec![
        opt("network_type", Type::String, "Such as vlan or vxlan.").key("provider:network_type"),
        opt("physical_network", Type::String, "The network below.")
            .key("provider:physical_network"),
        opt_computed("segmentation_id", Type::Number, "The VLAN or tunnel.")
            .key("provider:segmentation_id"),
    ];
    Table::new(
        "openstack_networking_network_v2",
        "A network: what is on it is one Ethernet segment.",
        vec![
            id(),
            region(),
            opt("name", Type::String, "The name."),
            opt("description", Type::String, "For people."),
            opt_computed("admin_state_up", Type::Bool, "Whether it carries packets."),
            opt_computed("shared", Type::Bool, "Whether other projects may use it."),
            tenant(),
            opt_computed("external", Type::Bool, "Whether routers reach the outside by it.")
                .key("router:external"),
            set("segments", "What carries it.", segments).local(),
            value_specs(),
            opt_computed("transparent_vlan", Type::Bool, "Whether tagged frames pass.")
                .key("vlan_transparent")
                .replace(),
            tags,
            all_tags,
            opt_computed("availability_zone_hints", string_set(), "Where its services are to run.")
                .replace(),
            opt_computed(
                "port_security_enabled",
                Type::Bool,
                "Whether ports on it are filtered unless they say otherwise.",
            ),
            opt_computed("mtu", Type::Number, "Largest packet."),
            opt_computed("dns_domain", Type::String, "The domain of names on it; ends in a dot."),
            opt_computed("qos_policy_id", Type::String, "Its quality of service policy."),
        ],
    )
    .timed(MAKE_AND_CHANGE)
});

impl Rules for Network {
    fn table() -> &'static Table {
        &TABLE
    }
}

#[async_trait]
impl Neutron for Network {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/networks",
            one: "network",
            many: "networks",
            noun: "network",
            tags: true,
            keys: &[
                "segments",
                "provider:network_type",
                "provider:physical_network",
                "provider:segmentation_id",
            ],
        }
    }

    async fn fill(
        &self,
        _cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        if change.of("segments") {
            segments(change, body);
        }
        Ok(())
    }

    fn observe(&self, json: &Json, _base: Option<&Value>, attrs: &mut Attrs) {
        let told: &[Json] = match json.get("segments") {
            Some(Json::Array(several)) => several,
            _ if json.get("provider:network_type").is_some_and(|it| !it.is_null()) => {
                std::slice::from_ref(json)
            }
            _ => &[],
        };
        let Some(slot) = attrs.get("segments") else { return };
        let ty = slot.ty().element().cloned().unwrap_or_default();
        let items = told.iter().map(|it| {
            let key = |name: &str, ty| json::from_json(json::at(it, &[name]), &ty);
            Value::object([
                ("network_type", key("provider:network_type", Type::String)),
                ("physical_network", key("provider:physical_network", Type::String)),
                ("segmentation_id", key("provider:segmentation_id", Type::Number)),
            ])
        });
        json::set(attrs, "segments", Value::set(ty, items.collect()));
    }
}

/// One segment is told in the network itself, several are a list.
fn segments(change: &Change<'_>, body: &mut Map<String, Json>) {
    let one = |it: &Value| {
        let mut members = Map::new();
        for name in ["network_type", "physical_network", "segmentation_id"] {
            if let Some(value) = it.get_attr(name).filter(|it| it.is_present()) {
                members.insert(format!("provider:{name}"), json::to_json(value));
            }
        }
        members
    };
    let mut all: Vec<Map<String, Json>> = change.items("segments").map(one).collect();
    match all.len() {
        0 => {}
        1 => body.extend(all.remove(0)),
        _ => {
            let all = all.into_iter().map(Json::Object).collect();
            body.insert("segments".to_owned(), Json::Array(all));
        }
    }
}
