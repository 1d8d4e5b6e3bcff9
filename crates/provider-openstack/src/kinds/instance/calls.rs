//! What is done with servers.

use std::sync::Arc;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Value as Json, json};

use super::change::{self, Task};
use super::gather::{self, Facts};
use super::observe::{self, Seen};
use super::{Instance, from_volume, id, networks, power, remove, request};
use crate::change::Change;
use crate::cloud::{Calls, Cloud, id_of, refused, tell};
use crate::glance;
use crate::json::str_at;
use crate::neutron::escaped;
use crate::nova;
use crate::session::{ApiError, Service};
use crate::told::text;

/// All servers that are told at once.
const LIST: &str = "/servers/detail?limit=1000";

/// States that a server may rest in.
const RESTING: &[&str] =
    &["ACTIVE", "SHUTOFF", "PAUSED", "SUSPENDED", "SHELVED", "SHELVED_OFFLOADED", "RESCUE"];

#[async_trait]
impl Calls for Instance {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let found = match servers(cloud, stored).await {
            Ok(found) => found,
            Err(error) => {
                let failure = error.failure("read servers");
                return stored.iter().map(|_| Err(failure.clone())).collect();
            }
        };
        let pairs = found.iter().zip(stored);
        let asked: Vec<_> =
            pairs.filter_map(|(it, stored)| Some((it.as_ref()?, Some(&stored.attrs)))).collect();
        let facts = match gather::gather(cloud, &asked).await {
            Ok(facts) => facts,
            Err(failure) => return stored.iter().map(|_| Err(failure.clone())).collect(),
        };
        let one = |(server, stored): (&Option<Json>, &&Remote)| {
            let noted = noted(stored.private.as_deref());
            let server = server.as_ref()?;
            let own = facts.own(server, noted.as_deref());
            let base = Some(&stored.attrs);
            let region = cloud.region();
            let attrs =
                observe::attributes(&Seen { server, base, own: &own, facts: &facts, region });
            Some(Remote { attrs, ..(*stored).clone() })
        };
        found.iter().zip(stored).map(|it| Ok(one(it))).collect()
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let found = cloud.session.list(Service::Compute, LIST, "servers").await;
        let found = found.map_err(|it| it.failure("look for the server"))?;
        let ours = found.iter().find(|it| nova::is_of(it, token) && !nova::is_deleted(it));
        let Some(server) = ours else { return Ok(None) };
        let settled = nova::settled(cloud, id(server), RESTING, "make the server", &|_| {}).await;
        match settled {
            Ok(server) => Ok(Some(made(cloud, &server, planned, true).await?)),
            Err(failure) => match nova::server(cloud, id(server)).await {
                Ok(None) => Ok(None),
                Ok(Some(server)) if str_at(&server, "status") == "ERROR" => {
                    Ok(Some(made(cloud, &server, planned, false).await?))
                }
                Ok(Some(_)) | Err(_) => Err(failure),
            },
        }
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = nova::server(cloud, &escaped(id)).await;
        let found = found.map_err(|it| it.failure(&format!("read the server {id}")))?;
        let Some(server) = found else { return Ok(None) };
        Ok(Some(observed(cloud, &server, None, None).await?))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let say = |text: String| tell(call, text);
        let resolved = match resolve(cloud, planned).await {
            Ok(resolved) => resolved,
            Err(failure) => return Outcome::failed(failure),
        };
        let doing = format!("create the server {:?}", text(planned, "name").unwrap_or_default());
        let answer = match boot(cloud, call, planned, resolved).await {
            Ok(answer) => answer,
            Err(failure) => return Outcome::failed(failure),
        };
        let made_id = match answer {
            Ok(answer) => str_at(crate::json::at(&answer, &["server"]), "id").to_owned(),
            Err(error) => return which_network(refused(&error, &doing)),
        };
        let settled = nova::settled(cloud, &made_id, &["ACTIVE"], &doing, &say).await;
        let ready = settled.is_ok();
        let result = match settled {
            Ok(server) => {
                let wanted = text(planned, "power_state").unwrap_or("active");
                power::reach(cloud, server, wanted, &say).await
            }
            Err(failure) => Err(failure),
        };
        match result {
            Ok(server) => match made(cloud, &server, planned, true).await {
                Ok(remote) => Outcome::left(Effect::Made(remote)),
                // It is there; the next run finds it.
                Err(failure) => Outcome::lost(failure),
            },
            Err(failure) => failed(cloud, &made_id, planned, ready, failure).await,
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let say = |text: String| tell(call, text);
        let noted = noted(prior.private.as_deref());
        let task = Task {
            cloud,
            id: id_of(prior),
            change: Change { planned, prior: Some(&prior.attrs) },
            own: noted.as_deref(),
            say: &say,
        };
        let mut password = false;
        let result = change::make(&task, &mut password).await;
        let base = match &result {
            Ok(()) => planned.clone(),
            Err(_) => half_way(&prior.attrs, planned, password),
        };
        let server = match nova::server(cloud, task.id).await {
            Ok(Some(server)) => server,
            Ok(None) => {
                let gone = || Failure::new("Cannot change the server", "It is gone.");
                return Outcome::failed_leaving(Effect::Deleted, result.err().unwrap_or_else(gone));
            }
            Err(error) => return Outcome::lost(error.failure("read the server")),
        };
        match (observed(cloud, &server, Some(&base), prior.private.clone()).await, result) {
            (Ok(remote), Ok(())) => Outcome::left(Effect::Made(remote)),
            (Ok(remote), Err(failure)) => Outcome::failed_leaving(Effect::Made(remote), failure),
            (Err(failure), _) => Outcome::lost(failure),
        }
    }

    async fn delete(&self, cloud: &Cloud, call: &CallContext, prior: &Remote) -> Outcome {
        match remove::remove(cloud, call, prior).await {
            Ok(()) => Outcome::deleted(),
            Err(failure) => Outcome::failed(failure),
        }
    }
}

/// The servers in order, in one question if there is more than one.
async fn servers(cloud: &Cloud, stored: &[&Remote]) -> Result<Vec<Option<Json>>, ApiError> {
    let listed = match stored {
        [_] => Vec::new(),
        _ => cloud.session.list(Service::Compute, LIST, "servers").await?,
    };
    let find = async |stored: &&Remote| match listed.iter().find(|it| id(it) == id_of(stored)) {
        Some(server) => Ok(Some(server.clone()).filter(|it| !nova::is_deleted(it))),
        // The list has those of one project.
        None => nova::server(cloud, id_of(stored)).await,
    };
    futures_util::future::try_join_all(stored.iter().map(find)).await
}

/// The ports that the server made itself, as noted when it was made.
pub(super) fn noted(private: Option<&[u8]>) -> Option<Vec<String>> {
    let json: Json = serde_json::from_slice(private?).ok()?;
    let ports = json.get("ports")?.as_array()?.iter();
    Some(ports.filter_map(Json::as_str).map(str::to_owned).collect())
}

/// A server that was just made, with a note of its own ports.
async fn made(
    cloud: &Cloud,
    server: &Json,
    planned: &Value,
    complete: bool,
) -> Result<Remote, Failure> {
    let facts = gather::gather(cloud, &[(server, Some(planned))]).await?;
    let given = networks::given(planned);
    let ports = facts.ports(server).iter().map(|it| str_at(it, "id").to_owned());
    let own: Vec<String> = ports.filter(|it| !given.contains(it)).collect();
    let private = Arc::from(json!({ "ports": own }).to_string().into_bytes());
    let attrs = attributes(cloud, server, Some(planned), &own, &facts);
    Ok(Remote { attrs, private: Some(private), complete })
}

async fn observed(
    cloud: &Cloud,
    server: &Json,
    base: Option<&Value>,
    private: Option<Arc<[u8]>>,
) -> Result<Remote, Failure> {
    let facts = gather::gather(cloud, &[(server, base)]).await?;
    let own = facts.own(server, noted(private.as_deref()).as_deref());
    Ok(Remote { attrs: attributes(cloud, server, base, &own, &facts), private, complete: true })
}

fn attributes(
    cloud: &Cloud,
    server: &Json,
    base: Option<&Value>,
    own: &[String],
    facts: &Facts,
) -> Value {
    observe::attributes(&Seen { server, base, own, facts, region: cloud.region() })
}

/// Looks up what the arguments name.
async fn resolve(cloud: &Cloud, planned: &Value) -> Result<request::Resolved, Failure> {
    let change = Change { planned, prior: None };
    let at = |name: &str| Path::default().attr(name);
    let image = match (change.str("image_id"), change.str("image_name")) {
        _ if from_volume(planned) => None,
        (Some(id), _) => Some(id.to_owned()),
        (None, Some(name)) => {
            Some(glance::named(cloud, name).await.map_err(|it| it.at(at("image_name")))?)
        }
        (None, None) => {
            let detail =
                "It needs something to boot from: image_id, image_name, or a block_device.";
            return Err(Failure::new("Missing boot image", detail).at(at("image_id")));
        }
    };
    let flavor = match (change.str("flavor_id"), change.str("flavor_name")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => {
            nova::flavor_named(cloud, name).await.map_err(|it| it.at(at("flavor_name")))?
        }
        (None, None) => {
            let detail = "One of flavor_id and flavor_name must be given.";
            return Err(Failure::new("Missing flavor", detail).at(at("flavor_id")));
        }
    };
    let networks = networks::wanted(cloud, &change).await?;
    Ok(request::Resolved { image, flavor, networks, version: nova::version(cloud).await? })
}

/// Asks for the server. One that says nothing of networks gets the project's if it has one, and
/// none if it has none.
async fn boot(
    cloud: &Cloud,
    call: &CallContext,
    planned: &Value,
    resolved: request::Resolved,
) -> Result<Result<Json, ApiError>, Failure> {
    let newest = request::newest(planned).min(resolved.version);
    let resolved = request::Resolved { version: newest, ..resolved };
    let silent = text(planned, "network_mode").is_none() && !resolved.networks.is_array();
    let body = request::body(planned, &resolved, call.token)?;
    let answer = nova::post_as_of(cloud, newest, "/servers", &body).await;
    if !silent || !answer.as_ref().is_err_and(is_without_network) {
        return Ok(answer);
    }
    let resolved = request::Resolved { networks: "none".into(), ..resolved };
    let body = request::body(planned, &resolved, call.token)?;
    Ok(nova::post_as_of(cloud, newest, "/servers", &body).await)
}

/// Nova's words for several networks are about its API.
fn which_network(outcome: Outcome) -> Outcome {
    let told = |mut it: Failure| {
        if it.detail.contains("Multiple possible networks") {
            let detail = "The project has several networks, and nothing says which. Write a `network` block, or set network_mode to \"none\".";
            it.detail = detail.to_owned();
        }
        it
    };
    Outcome { failure: outcome.failure.map(told), ..outcome }
}

fn is_without_network(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { status: 400, message, .. } if message.contains("allocate a network") || message.contains("automatic allocation"))
}

/// A server that was asked for and did not come to be, or not wholly.
async fn failed(
    cloud: &Cloud,
    id: &str,
    planned: &Value,
    ready: bool,
    failure: Failure,
) -> Outcome {
    match nova::server(cloud, id).await {
        Ok(Some(server)) => match made(cloud, &server, planned, ready).await {
            Ok(remote) => Outcome::failed_leaving(Effect::Made(remote), failure),
            Err(_) => Outcome::lost(failure),
        },
        Ok(None) => Outcome::failed(failure),
        Err(_) => Outcome::lost(failure),
    }
}

/// How a server is written after a change that broke off: keys of metadata from before may still
/// be there, and a password that was not changed is the old one.
fn half_way(prior: &Value, planned: &Value, password: bool) -> Value {
    let Some(attrs) = planned.as_map() else { return planned.clone() };
    let mut attrs = attrs.clone();
    let old = |name: &str| prior.get_attr(name).cloned();
    if !password && let Some(pass) = old("admin_pass") {
        attrs.insert("admin_pass".into(), pass);
    }
    let both = [prior, planned].map(|it| it.get_attr("metadata").and_then(Value::as_map));
    let keys = both.into_iter().flatten().flatten();
    let keys: Vec<_> = keys.map(|(key, it)| (key.clone(), it.clone())).collect();
    if !keys.is_empty() {
        attrs.insert("metadata".into(), Value::map(plumb_model::value::Type::String, keys));
    }
    Value::object(attrs)
}

/// All attributes of a server that is not ours.
pub(crate) async fn look_up(cloud: &Cloud, id: &str) -> Result<Option<Value>, Failure> {
    Ok(Instance.import(cloud, id).await?.map(|it| it.attrs))
}
