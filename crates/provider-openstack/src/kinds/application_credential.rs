//! An application credential: a password that a program has instead of a user's.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::schema::Problem;
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Value as Json, json};

use crate::cloud::{Calls, Cloud, id_of, refused, whole};
use crate::json::{self, at, list_at, str_at, wrapped};
use crate::plan::Rules;
use crate::session::Service;
use crate::stamp;
use crate::table::{Table, computed, id, opt, opt_computed, region, req, set, string_set};

pub(crate) struct ApplicationCredential;

const METHODS: &[&str] = &["POST", "GET", "HEAD", "PATCH", "PUT", "DELETE"];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let rule = vec![
        computed("id", Type::String, "The identifier of the rule."),
        req("path", Type::String, "The path of the requests, such as /v2.1/servers/*.").replace(),
        req("service", Type::String, "The type of the service, such as compute.").replace(),
        req("method", Type::String, "The method of the requests.").one_of(METHODS).replace(),
    ];
    Table::new(
        "openstack_identity_application_credential_v3",
        "A password that a program has instead of the user's. It is of the user and project of the \
         provider's credentials.",
        vec![
            id(),
            region(),
            req("name", Type::String, "The name.").replace(),
            opt("description", Type::String, "For people.").replace(),
            opt("unrestricted", Type::Bool, "It may make and delete such credentials and trusts.")
                .default(Value::bool(false))
                .replace(),
            opt_computed(
                "secret",
                Type::String,
                "The password. Left out, Keystone makes one up. It is told once, and kept in the state.",
            )
            .sensitive()
            .replace(),
            computed("project_id", Type::String, "The project that it lets into."),
            opt_computed("roles", string_set(), "The roles that it has. Left out, all of the user's.")
                .local()
                .replace(),
            set("access_rules", "The only requests that it may make.", rule).replace(),
            opt("expires_at", Type::String, "When it ends, such as 2030-01-31T12:00:00Z.").replace(),
        ],
    )
});

impl Rules for ApplicationCredential {
    fn table() -> &'static Table {
        &TABLE
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let when = config.get_attr("expires_at").and_then(Value::as_str);
        if let Some(text) = when.filter(|it| !it.is_empty() && !is_time(it)) {
            problems.push(Problem {
                path: Path::default().attr("expires_at"),
                summary: "Invalid time".to_owned(),
                detail: format!("{text:?} is none; one is written like 2030-01-31T12:00:00Z."),
            });
        }
    }
}

/// Whether it is `2030-01-31T12:00:00`, perhaps a fraction, and where: `Z` or `+01:00`.
fn is_time(text: &str) -> bool {
    let shape = |text: &str, shape: &str| {
        text.len() == shape.len()
            && text.bytes().zip(shape.bytes()).all(|(it, shape)| match shape {
                b'0' => it.is_ascii_digit(),
                _ => it.eq_ignore_ascii_case(&shape),
            })
    };
    let Some((time, rest)) = text.split_at_checked(19) else { return false };
    let rest = match rest.strip_prefix('.') {
        Some(fraction) => fraction.trim_start_matches(|it: char| it.is_ascii_digit()),
        None => rest,
    };
    shape(time, "0000-00-00T00:00:00") && ["Z", "+00:00", "-00:00"].iter().any(|it| shape(rest, it))
}

/// What Keystone tells; what it does not tell is as it was.
fn observed(cloud: &Cloud, json: &Json, base: Option<&Value>) -> Value {
    let mut json = json.clone();
    stamp::hide(&mut json);
    let mut attrs = TABLE.read(&json);
    json::set(&mut attrs, "region", cloud.region());
    let roles = list_at(&json, "roles").iter().map(|it| Value::string(str_at(it, "name")));
    json::set(&mut attrs, "roles", Value::set(Type::String, roles.collect()));
    let was = |name: &str| base.and_then(|it| it.get_attr(name)).filter(|it| it.is_present());
    if json.get("secret").is_none_or(Json::is_null) {
        let secret = was("secret").cloned().unwrap_or_else(|| Value::null(Type::String));
        json::set(&mut attrs, "secret", secret);
    }
    // It never changes, and is told in another form than it was written in.
    match (was("expires_at"), str_at(&json, "expires_at")) {
        (Some(written), told) if !told.is_empty() => {
            json::set(&mut attrs, "expires_at", written.clone());
        }
        (None, told) if !told.is_empty() => {
            let text = format!("{}Z", told.trim_end_matches(".000000"));
            json::set(&mut attrs, "expires_at", Value::string(text));
        }
        _ => {}
    }
    Value::object(attrs)
}

/// The collection of the user that we are.
async fn collection(cloud: &Cloud) -> Result<String, Failure> {
    let user = cloud.session.identity().await?.user_id;
    Ok(format!("/users/{user}/application_credentials"))
}

async fn all(cloud: &Cloud, query: &str) -> Result<Vec<Json>, Failure> {
    let path = format!("{}{query}", collection(cloud).await?);
    let found = cloud.session.list(Service::Identity, &path, "application_credentials").await;
    found.map_err(|it| it.failure("read application credentials"))
}

fn named(object: &Value) -> String {
    let name = object.get_attr("name").and_then(Value::as_str).unwrap_or_default();
    format!("application credential {name:?}")
}

#[async_trait]
impl Calls for ApplicationCredential {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let found = match all(cloud, "").await {
            Ok(found) => found,
            Err(failure) => return stored.iter().map(|_| Err(failure.clone())).collect(),
        };
        let one = |it: &&Remote| {
            let json = found.iter().find(|json| str_at(json, "id") == id_of(it))?;
            Some(Remote { attrs: observed(cloud, json, Some(&it.attrs)), ..(*it).clone() })
        };
        stored.iter().map(|it| Ok(one(it))).collect()
    }

    /// It may be found, yet its secret was in the reply that was lost: one that Keystone made up
    /// nobody knows. Such a credential is of no use to anybody and is taken away.
    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let written = planned.get_attr("description").and_then(Value::as_str);
        let stamped = stamp::on(written, token);
        let found = all(cloud, "").await?;
        let ours = found.iter().find(|it| str_at(it, "description") == stamped);
        let Some(json) = ours else { return Ok(None) };
        if planned.get_attr("secret").is_some_and(|it| it.is_present()) {
            return Ok(Some(whole(observed(cloud, json, Some(planned)))));
        }
        let path = format!("{}/{}", collection(cloud).await?, str_at(json, "id"));
        let doing = format!("delete the {}, whose secret nobody knows", named(planned));
        match cloud.session.delete(Service::Identity, &path).await {
            Ok(()) => Ok(None),
            Err(error) if error.is_missing() => Ok(None),
            Err(error) => Err(error.failure(&doing)),
        }
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = all(cloud, "").await?;
        let ours = found.iter().find(|it| str_at(it, "id") == id);
        Ok(ours.map(|it| whole(observed(cloud, it, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let mut body = TABLE.body(planned, None);
        let roles = planned.get_attr("roles").filter(|it| it.is_present());
        let roles: Vec<Json> = roles
            .into_iter()
            .flat_map(Value::values)
            .map(|it| json!({ "name": json::to_json(it) }))
            .collect();
        if !roles.is_empty() {
            body.insert("roles".to_owned(), roles.into());
        }
        stamp::put(&mut body, call.token);
        let body = wrapped("application_credential", body);
        let path = match collection(cloud).await {
            Ok(path) => path,
            Err(failure) => return Outcome::failed(failure),
        };
        match cloud.session.post(Service::Identity, &path, &body).await {
            Ok(answer) => {
                let json = at(&answer, &["application_credential"]);
                Outcome::made(observed(cloud, json, Some(planned)))
            }
            Err(error) => refused(&error, &format!("create the {}", named(planned))),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let user = match cloud.session.identity().await {
            Ok(identity) => identity.user_id,
            Err(failure) => return Outcome::failed(failure),
        };
        let path = format!("/users/{user}/application_credentials/{}", id_of(prior));
        match cloud.session.delete(Service::Identity, &path).await {
            Ok(()) => {}
            Err(error) if error.is_missing() => {}
            Err(error) => return refused(&error, &format!("delete the {}", named(&prior.attrs))),
        }
        // Its rules stay behind, and others may share them: Keystone keeps those.
        let rules = prior.attrs.get_attr("access_rules").into_iter().flat_map(Value::values);
        for rule in rules.filter_map(|it| it.get_attr("id")?.as_str()) {
            let path = format!("/users/{user}/access_rules/{rule}");
            let _ = cloud.session.delete(Service::Identity, &path).await;
        }
        Outcome::deleted()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        for text in ["2030-01-31T12:00:00Z", "2030-01-31t12:00:00.25z", "2030-01-31T12:00:00+01:30"]
        {
            assert!(is_time(text), "{text}");
        }
        for text in ["", "2030-01-31", "2030-01-31T12:00:00", "2030-01-31 12:00:00Z", "tomorrow"] {
            assert!(!is_time(text), "{text}");
        }
    }
}
