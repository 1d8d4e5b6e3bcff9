//! A server group: which servers run together, and which apart.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json};

use crate::change::Change;
use crate::cloud::{Calls, Cloud, deleted, id_of, if_there, refused, reread, whole};
use crate::json::{self, list_at, str_at, wrapped};
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::table::{Table, computed, id, list, opt, region, req, strings, value_specs};
use crate::told::{text, told};

pub(crate) struct ServerGroup;

/// The version from which a group has one policy, with rules.
const RULES_SINCE: u32 = 64;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rule = vec![
        opt("max_server_per_host", Type::Number, "So many may share a host.")
            .within(1..=i64::MAX)
            .replace(),
    ];
    Table::new(
        "openstack_compute_servergroup_v2",
        "A server group: which servers run together, and which apart.",
        vec![
            id(),
            region(),
            req("name", Type::String, "The name.").replace(),
            opt(
                "policies",
                strings(),
                "One of `affinity`, `anti-affinity`, `soft-affinity` and `soft-anti-affinity`.",
            )
            .replace()
            .local(),
            list("rules", "How an anti-affinity is meant.", rule).single().replace().local(),
            computed("members", strings(), "The servers in it."),
            value_specs(),
        ],
    )
});

impl Rules for ServerGroup {
    fn table() -> &'static Table {
        &TABLE
    }
}

fn observed(cloud: &Cloud, json: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, json, base);
    let policies: Vec<Value> = policies(json).into_iter().map(Value::string).collect();
    json::set(&mut attrs, "policies", Value::list(Type::String, policies));
    let most = json::at(json, &["rules", "max_server_per_host"]);
    if let (Some(ty), false) =
        (attrs.get("rules").and_then(|it| it.ty().element().cloned()), most.is_null())
    {
        let rule = Value::object([("max_server_per_host", json::from_json(most, &Type::Number))]);
        json::set(&mut attrs, "rules", Value::list(ty, vec![rule]));
    }
    Value::object(attrs)
}

fn policies(json: &Json) -> Vec<&str> {
    match str_at(json, "policy") {
        "" => list_at(json, "policies").iter().filter_map(Json::as_str).collect(),
        policy => vec![policy],
    }
}

/// The members of the request.
fn body(planned: &Value, version: u32) -> Result<Map<String, Json>, Failure> {
    let change = Change { planned, prior: None };
    let mut body = TABLE.body(planned, None);
    let mut policies: Vec<Json> = change.items("policies").map(json::to_json).collect();
    let rules = change.items("rules").next();
    if version >= RULES_SINCE {
        body.insert("policy".to_owned(), policies.pop().unwrap_or_default());
        let most = rules.and_then(|it| it.get_attr("max_server_per_host"));
        if let Some(most) = most.filter(|it| it.is_present()) {
            let rules = Map::from_iter([("max_server_per_host".to_owned(), json::to_json(most))]);
            body.insert("rules".to_owned(), rules.into());
        }
    } else if rules.is_some() {
        let detail = format!(
            "It takes version 2.{RULES_SINCE} of the compute API; this cloud has 2.{version}."
        );
        let path = plumb_model::value::Path::default().attr("rules");
        return Err(Failure::new("The cloud takes no rules", detail).at(path));
    } else {
        body.insert("policies".to_owned(), policies.into());
    }
    for (key, value) in change.strings_of("value_specs") {
        body.insert(key, value.into());
    }
    Ok(body)
}

async fn get(cloud: &Cloud, id: &str) -> Result<Option<Json>, ApiError> {
    let answer =
        cloud.session.get(Service::Compute, &format!("/os-server-groups/{}", escaped(id))).await;
    Ok(if_there(answer)?.map(|mut it| it["server_group"].take()))
}

async fn all(cloud: &Cloud) -> Result<Vec<Json>, ApiError> {
    cloud.session.list(Service::Compute, "/os-server-groups", "server_groups").await
}

async fn groups(cloud: &Cloud, stored: &[&Remote]) -> Result<Vec<Option<Json>>, ApiError> {
    let listed = if stored.len() > 1 { all(cloud).await? } else { Vec::new() };
    let find = async |it: &&Remote| match listed.iter().find(|json| str_at(json, "id") == id_of(it))
    {
        Some(group) => Ok(Some(group.clone())),
        None => get(cloud, id_of(it)).await,
    };
    futures_util::future::try_join_all(stored.iter().map(find)).await
}

#[async_trait]
impl Calls for ServerGroup {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let found = groups(cloud, stored).await;
        reread(stored, found, "read server groups", |json, it| {
            observed(cloud, json, Some(&it.attrs))
        })
    }

    async fn find(
        &self,
        cloud: &Cloud,
        _token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        // There is no place for a stamp. What is called so, is meant so and has nobody in it yet is
        // as good as ours.
        let found = all(cloud).await.map_err(|it| it.failure("look for the server group"))?;
        let wanted = Change { planned, prior: None };
        let wanted: Vec<&str> = wanted.items("policies").filter_map(Value::as_str).collect();
        let ours = |it: &&Json| {
            Some(str_at(it, "name")) == text(planned, "name")
                && policies(it) == wanted
                && list_at(it, "members").is_empty()
        };
        Ok(found.iter().find(ours).map(|it| whole(observed(cloud, it, Some(planned)))))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = get(cloud, id).await;
        let found = found.map_err(|it| it.failure(&format!("read the server group {id}")))?;
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, _call: &CallContext, planned: &Value) -> Outcome {
        let body = nova::version(cloud).await.and_then(|it| body(planned, it));
        let body = match body {
            Ok(body) => wrapped("server_group", body),
            Err(failure) => return Outcome::failed(failure),
        };
        let doing =
            format!("create the server group {:?}", text(planned, "name").unwrap_or_default());
        match cloud.session.post(Service::Compute, "/os-server-groups", &body).await {
            Ok(answer) => {
                let json = json::at(&answer, &["server_group"]);
                Outcome::made(observed(cloud, json, Some(planned)))
            }
            Err(error) => refused(&error, &doing),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let path = format!("/os-server-groups/{}", escaped(id_of(prior)));
        deleted(cloud.session.delete(Service::Compute, &path).await, "delete the server group")
    }
}
