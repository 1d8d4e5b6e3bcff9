//! A trunk: a port that carries other ports in tagged frames.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json, json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json;
use crate::neutron::{Api, Neutron};
use crate::plan::Rules;
use crate::session::Service;
use crate::table::{MAKE, Table, id, opt, region, req, set, tags, tenant};

pub(crate) struct Trunk;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let port = vec![
        req("port_id", Type::String, "The port."),
        req("segmentation_type", Type::String, "How its frames are tagged: `vlan`, or `inherit`."),
        req("segmentation_id", Type::Number, "The tag.").within(0..=4094),
    ];
    Table::new(
        "openstack_networking_trunk_v2",
        "A port that carries other ports in tagged frames.",
        vec![
            id(),
            region(),
            req("port_id", Type::String, "The port.").replace(),
            opt("name", Type::String, "The name."),
            opt("description", Type::String, "For people."),
            opt("admin_state_up", Type::Bool, "Whether it carries packets.").reset(json!(true)),
            tenant(),
            set("sub_port", "A port that it carries.", port).key("sub_ports"),
            tags,
            all_tags,
        ],
    )
    .timed(MAKE)
});

impl Rules for Trunk {
    fn table() -> &'static Table {
        &TABLE
    }
}

#[async_trait]
impl Neutron for Trunk {
    fn api(&self) -> &'static Api {
        &Api { path: "/trunks", one: "trunk", many: "trunks", noun: "trunk", tags: true, keys: &[] }
    }

    async fn fill(
        &self,
        _cloud: &Cloud,
        change: &Change<'_>,
        body: &mut Map<String, Json>,
    ) -> Result<(), Failure> {
        // They come and go one by one, so that those that stay are not interrupted.
        if change.prior.is_some() {
            body.remove("sub_ports");
        }
        if goes_down(change) {
            body.remove("admin_state_up");
        }
        Ok(())
    }

    async fn alter(
        &self,
        cloud: &Cloud,
        id: &str,
        change: &Change<'_>,
        left: &mut Option<Json>,
    ) -> Result<(), Failure> {
        let was = change.prior.and_then(|it| it.get_attr("sub_port"));
        let was: Vec<&Value> = was.into_iter().flat_map(Value::values).collect();
        let wanted: Vec<&Value> = change.items("sub_port").collect();
        // One that gets another tag goes first.
        let gone = was.iter().filter(|it| !wanted.contains(it)).map(|it| sub_port(it, true));
        let new = wanted.iter().filter(|it| !was.contains(it)).map(|it| sub_port(it, false));
        let (gone, new): (Vec<Json>, Vec<Json>) = (gone.collect(), new.collect());
        for (action, ports) in [("remove_subports", gone), ("add_subports", new)] {
            if ports.is_empty() {
                continue;
            }
            let path = format!("/trunks/{id}/{action}");
            let body = json!({ "sub_ports": ports });
            let answer = cloud.session.put(Service::Network, &path, &body).await;
            let answer = answer.map_err(|it| it.failure("change the sub ports of the trunk"))?;
            // Neutron does not wrap these answers, unlike all others.
            *left = Some(answer.get("trunk").cloned().unwrap_or(answer));
        }
        if goes_down(change) {
            let body = json!({ "trunk": { "admin_state_up": false } });
            let answer = cloud.session.put(Service::Network, &format!("/trunks/{id}"), &body).await;
            let answer = answer.map_err(|it| it.failure("disable the trunk"))?;
            *left = answer.get("trunk").cloned();
        }
        Ok(())
    }
}

/// Whether it is disabled after its ports have changed: Neutron changes none of a disabled trunk.
fn goes_down(change: &Change<'_>) -> bool {
    let wanted = change.get("admin_state_up").and_then(Value::as_bool);
    change.prior.is_some()
        && wanted == Some(false)
        && change.of("admin_state_up")
        && change.of("sub_port")
}

fn sub_port(block: &Value, only_port: bool) -> Json {
    let of = |name: &str| block.get_attr(name).map(json::to_json).unwrap_or_default();
    if only_port {
        return json!({ "port_id": of("port_id") });
    }
    json!({
        "port_id": of("port_id"),
        "segmentation_type": of("segmentation_type"),
        "segmentation_id": of("segmentation_id"),
    })
}
