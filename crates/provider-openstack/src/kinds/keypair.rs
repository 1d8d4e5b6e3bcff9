//! A key pair: the public key that a server lets in.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::Remote;
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::Value as Json;

use crate::change::Change;
use crate::cloud::{Calls, Cloud, IN_USE_MAX, deleted, id_of, if_there, patiently, refused, whole};
use crate::json::{self, str_at, wrapped};
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::{ApiError, Service};
use crate::table::{Table, computed, id, opt_computed, region, req, value_specs};
use crate::told::{keep, text, told};

pub(crate) struct KeyPair;

/// Later versions of the API make no keys.
const GENERATES_MAX: u32 = 91;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_compute_keypair_v2",
        "A key pair: the public key that a server lets in.",
        vec![
            id().key("name"),
            region(),
            req("name", Type::String, "The name, which identifies it.").replace(),
            opt_computed("public_key", Type::String, "The public key. Left out, Nova makes a pair.")
                .replace(),
            computed("private_key", Type::String, "The private key, if Nova made the pair. It is told once and then only in the state.")
                .sensitive()
                .local(),
            computed("fingerprint", Type::String, "The fingerprint."),
            opt_computed("user_id", Type::String, "The user whose it is; another than oneself only for administrators.")
                .replace(),
            value_specs(),
        ],
    )
});

impl Rules for KeyPair {
    fn table() -> &'static Table {
        &TABLE
    }
}

fn observed(cloud: &Cloud, json: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, json, base);
    // A line break at the end is not kept.
    if let Some(written) = base.and_then(|it| text(it, "public_key"))
        && written.trim_end() == str_at(json, "public_key").trim_end()
    {
        json::set(&mut attrs, "public_key", Value::string(written));
    }
    if attrs.get("user_id").is_some_and(|it| !it.is_present()) {
        keep(&mut attrs, base, ["user_id"]);
    }
    if attrs.get("private_key").is_some_and(|it| !it.is_present()) {
        json::set(&mut attrs, "private_key", Value::string(""));
    }
    Value::object(attrs)
}

/// `?user_id=…`, where it is another's.
fn query(user: Option<&str>) -> String {
    user.map(|it| format!("?user_id={}", escaped(it))).unwrap_or_default()
}

async fn get(cloud: &Cloud, name: &str, user: Option<&str>) -> Result<Option<Json>, ApiError> {
    let path = format!("/os-keypairs/{}{}", escaped(name), query(user));
    let answer = cloud.session.get(Service::Compute, &path).await;
    Ok(if_there(answer)?.map(|mut it| it["keypair"].take()))
}

/// The pairs of a user, by name.
async fn all(cloud: &Cloud, user: Option<&str>) -> Result<BTreeMap<String, Json>, ApiError> {
    let path = format!("/os-keypairs{}", query(user));
    let found = cloud.session.list(Service::Compute, &path, "keypairs").await?;
    let pairs = found.into_iter().map(|mut it| it["keypair"].take());
    Ok(pairs.map(|it| (str_at(&it, "name").to_owned(), it)).collect())
}

#[async_trait]
impl Calls for KeyPair {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let mut by_user = BTreeMap::<Option<&str>, Vec<&str>>::new();
        for it in stored {
            by_user.entry(text(&it.attrs, "user_id")).or_default().push(id_of(it));
        }
        let mut found = BTreeMap::new();
        for (user, names) in by_user {
            let pairs = match &names[..] {
                [name] => get(cloud, name, user)
                    .await
                    .map(|it| it.into_iter().map(|it| ((*name).to_owned(), it)).collect()),
                _ => all(cloud, user).await,
            };
            match pairs {
                Ok(pairs) => {
                    found.extend(pairs.into_iter().map(|(name, it)| ((user, name), it)));
                }
                Err(error) => {
                    let failure = error.failure("read key pairs");
                    return stored.iter().map(|_| Err(failure.clone())).collect();
                }
            }
        }
        let one = |it: &&Remote| {
            let key = (text(&it.attrs, "user_id"), id_of(it).to_owned());
            let attrs = observed(cloud, found.get(&key)?, Some(&it.attrs));
            Some(Remote { attrs, ..(*it).clone() })
        };
        stored.iter().map(|it| Ok(one(it))).collect()
    }

    async fn find(
        &self,
        cloud: &Cloud,
        _token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let name = text(planned, "name").unwrap_or_default();
        let found = get(cloud, name, text(planned, "user_id")).await;
        let found = found.map_err(|it| it.failure("look for the key pair"))?;
        let Some(json) = found else { return Ok(None) };
        let attrs = observed(cloud, &json, Some(planned));
        match text(planned, "public_key") {
            Some(written) => {
                let same = written.trim_end() == str_at(&json, "public_key").trim_end();
                Ok(same.then(|| whole(attrs)))
            }
            // Its private key went with the answer that was lost.
            None => Ok(Some(Remote { attrs, private: None, complete: false })),
        }
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = get(cloud, id, None).await;
        let found = found.map_err(|it| it.failure(&format!("read the key pair {id}")))?;
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, _call: &CallContext, planned: &Value) -> Outcome {
        let mut body = TABLE.body(planned, None);
        let change = Change { planned, prior: None };
        for (key, value) in change.strings_of("value_specs") {
            body.insert(key, value.into());
        }
        let doing = format!("create the key pair {:?}", change.str("name").unwrap_or_default());
        if body.get("public_key").and_then(Json::as_str) == Some("") {
            body.remove("public_key");
        }
        let generated = !body.contains_key("public_key");
        let body = wrapped("keypair", body);
        let newest = if generated { GENERATES_MAX } else { u32::MAX };
        match nova::post_as_of(cloud, newest, "/os-keypairs", &body).await {
            Ok(answer) => {
                let json = json::at(&answer, &["keypair"]);
                let mut attrs = observed(cloud, json, Some(planned));
                if let (Some(slot), key) = (attrs.as_map(), str_at(json, "private_key")) {
                    let mut slot = slot.clone();
                    slot.insert("private_key".into(), Value::string(key));
                    attrs = Value::object(slot);
                }
                Outcome::made(attrs)
            }
            Err(error) => refused(&error, &doing),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let user = text(&prior.attrs, "user_id");
        let path = format!("/os-keypairs/{}{}", escaped(id_of(prior)), query(user));
        let request = || cloud.session.delete(Service::Compute, &path);
        deleted(
            patiently(IN_USE_MAX, ApiError::is_conflict, request).await,
            &format!("delete the key pair {:?}", id_of(prior)),
        )
    }
}
