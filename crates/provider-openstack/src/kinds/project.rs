//! A project: who owns what.

use std::sync::LazyLock;

use async_trait::async_trait;
use futures_util::StreamExt;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Value as Json, json};

use crate::cloud::{Calls, Cloud, deleted, id_of, refused, whole};
use crate::json::{self, at, str_at, wrapped};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::stamp;
use crate::table::{Table, id, opt, opt_computed, region, string_set};

pub(crate) struct Project;

/// Keystone tells projects one by one; so many are asked for at a time.
const READS_MAX: usize = 8;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_identity_project_v3",
        "A project, which owns networks, servers and all else. Making one takes an administrator.",
        vec![
            id(),
            region(),
            opt("name", Type::String, "The name, of which there is one in a domain."),
            opt("description", Type::String, "For people."),
            opt_computed(
                "domain_id",
                Type::String,
                "The domain. Left out, that of the credentials.",
            )
            .replace(),
            opt("enabled", Type::Bool, "Whether its users are let in.").default(Value::bool(true)),
            opt("is_domain", Type::Bool, "It is a domain.").default(Value::bool(false)).replace(),
            opt_computed("parent_id", Type::String, "The project or domain that it is in.")
                .replace(),
            opt("tags", string_set(), "Tags."),
        ],
    )
});

impl Rules for Project {
    fn table() -> &'static Table {
        &TABLE
    }
}

fn observed(cloud: &Cloud, json: &Json) -> Value {
    let mut json = json.clone();
    stamp::hide(&mut json);
    let mut attrs = TABLE.read(&json);
    json::set(&mut attrs, "region", cloud.region());
    Value::object(attrs)
}

async fn one(cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
    match cloud.session.get(Service::Identity, &format!("/projects/{id}")).await {
        Ok(answer) => Ok(Some(whole(observed(cloud, at(&answer, &["project"]))))),
        Err(error) if error.is_missing() => Ok(None),
        Err(error) => Err(error.failure(&format!("read the project {id}"))),
    }
}

async fn again(cloud: &Cloud, stored: &Remote) -> Result<Option<Remote>, Failure> {
    let found = one(cloud, id_of(stored)).await?;
    Ok(found.map(|found| Remote { attrs: found.attrs, ..stored.clone() }))
}

async fn patch(cloud: &Cloud, id: &str, body: &Json) -> Result<Json, ApiError> {
    let answer = cloud.session.patch(Service::Identity, &format!("/projects/{id}"), body).await?;
    Ok(at(&answer, &["project"]).clone())
}

fn text<'a>(object: &'a Value, name: &str) -> &'a str {
    object.get_attr(name).and_then(Value::as_str).unwrap_or_default()
}

fn named(object: &Value) -> String {
    format!("project {:?}", text(object, "name"))
}

/// The description in whole, where it was cut to make room for the stamp.
async fn describe(cloud: &Cloud, planned: &Value, json: &mut Json) -> Result<(), Failure> {
    let description = text(planned, "description");
    if !stamp::cuts(description) || str_at(json, "description") == description {
        return Ok(());
    }
    let body = json!({ "project": { "description": description } });
    let answer = patch(cloud, str_at(json, "id"), &body).await;
    *json = answer.map_err(|it| it.failure(&format!("describe the {}", named(planned))))?;
    Ok(())
}

#[async_trait]
impl Calls for Project {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let reads: Vec<_> = stored.iter().map(|it| again(cloud, it)).collect();
        futures_util::stream::iter(reads).buffered(READS_MAX).collect().await
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let domain = planned.get_attr("is_domain").and_then(Value::as_bool) == Some(true);
        let path = format!("/projects?name={}&is_domain={domain}", escaped(text(planned, "name")));
        let found = cloud.session.list(Service::Identity, &path, "projects").await;
        let found = found.map_err(|it| it.failure(&format!("look for the {}", named(planned))))?;
        let stamped = stamp::on(Some(text(planned, "description")), token);
        let ours = found.into_iter().find(|it| str_at(it, "description") == stamped);
        let Some(mut json) = ours else { return Ok(None) };
        describe(cloud, planned, &mut json).await?;
        Ok(Some(whole(observed(cloud, &json))))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        one(cloud, id).await
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let mut body = TABLE.body(planned, None);
        stamp::put(&mut body, call.token);
        let body = wrapped("project", body);
        let mut json = match cloud.session.post(Service::Identity, "/projects", &body).await {
            Ok(answer) => at(&answer, &["project"]).clone(),
            Err(error) => return refused(&error, &format!("create the {}", named(planned))),
        };
        match describe(cloud, planned, &mut json).await {
            Ok(()) => Outcome::made(observed(cloud, &json)),
            Err(failure) => {
                let left = Effect::Made(whole(observed(cloud, &json)));
                Outcome::failed_leaving(left, failure)
            }
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        _call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let body = wrapped("project", TABLE.body(planned, Some(&prior.attrs)));
        match patch(cloud, id_of(prior), &body).await {
            Ok(json) => Outcome::made(observed(cloud, &json)),
            Err(error) => refused(&error, &format!("change the {}", named(planned))),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let (id, doing) = (id_of(prior), format!("delete the {}", named(&prior.attrs)));
        let is = |name: &str| prior.attrs.get_attr(name).and_then(Value::as_bool) == Some(true);
        // Keystone keeps a domain that is not disabled.
        if is("is_domain") {
            match patch(cloud, id, &json!({ "project": { "enabled": false } })).await {
                Ok(_) => {}
                Err(error) if error.is_missing() => return Outcome::deleted(),
                Err(error) => return refused(&error, &doing),
            }
        }
        deleted(cloud.session.delete(Service::Identity, &format!("/projects/{id}")).await, &doing)
    }
}
