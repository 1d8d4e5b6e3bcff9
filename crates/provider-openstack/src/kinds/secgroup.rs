//! A security group: who may talk to the ports that are in it.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::RefineInput;
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;
use serde_json::Value as Json;

use crate::cloud::Cloud;
use crate::json::{list_at, str_at};
use crate::neutron::{Api, Neutron};
use crate::plan::{Planned, Rules};
use crate::session::Service;
use crate::table::{MAKE, Table, id, opt, opt_computed, region, req, tags, tenant};

pub(crate) struct SecurityGroup;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    let default_rules =
        "Take away the two rules that every new group has, which let everything out.";
    Table::new(
        "openstack_networking_secgroup_v2",
        "A security group. A new one lets everything out and nothing in.",
        vec![
            id(),
            region(),
            req("name", Type::String, "The name."),
            opt_computed("description", Type::String, "For people."),
            tenant(),
            opt("delete_default_rules", Type::Bool, default_rules).replace().local(),
            opt_computed("stateful", Type::Bool, "Whether answers to what was let through pass."),
            tags,
            all_tags,
        ],
    )
    .timed(MAKE)
});

impl Rules for SecurityGroup {
    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let bare = planned.get("delete_default_rules").and_then(Value::as_bool) == Some(true);
        if input.prior.is_none() && !bare {
            planned.says.push("as made, it lets everything out and nothing in".into());
        }
    }
}

#[async_trait]
impl Neutron for SecurityGroup {
    fn api(&self) -> &'static Api {
        &Api {
            path: "/security-groups",
            one: "security_group",
            many: "security_groups",
            noun: "security group",
            tags: true,
            keys: &["security_group_rules"],
        }
    }

    fn unfinished(&self, planned: &Value, json: &Json) -> bool {
        planned.get_attr("delete_default_rules").and_then(Value::as_bool) == Some(true)
            && list_at(json, "security_group_rules").iter().any(is_default)
    }

    async fn finish(&self, cloud: &Cloud, planned: &Value, json: &mut Json) -> Result<(), Failure> {
        if planned.get_attr("delete_default_rules").and_then(Value::as_bool) != Some(true) {
            return Ok(());
        }
        // Only what Neutron made by itself: nobody else can have made a rule of it yet.
        for rule in list_at(json, "security_group_rules").iter().filter(|it| is_default(it)) {
            let path = format!("/security-group-rules/{}", str_at(rule, "id"));
            match cloud.session.delete(Service::Network, &path).await {
                Ok(()) => {}
                Err(error) if error.is_missing() => {}
                Err(error) => {
                    return Err(error.failure("take away a default rule of the security group"));
                }
            }
        }
        Ok(())
    }
}

fn is_default(rule: &Json) -> bool {
    let nothing = |name: &str| rule.get(name).is_none_or(Json::is_null);
    str_at(rule, "direction") == "egress"
        && ["protocol", "port_range_min", "remote_group_id", "remote_ip_prefix"]
            .iter()
            .all(|it| nothing(it))
}
