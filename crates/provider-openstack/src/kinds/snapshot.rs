//! A snapshot: an image of a server as it is.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::state::Token;
use plumb_model::value::{Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};

use super::image::patch;
use crate::change::Change;
use crate::cloud::{
    Calls, Cloud, IN_USE_MAX, deleted, id_of, in_order, patiently, refused, reread, tell, until,
    whole,
};
use crate::glance::{self, TOKEN};
use crate::json::{self, str_at};
use crate::neutron::escaped;
use crate::nova;
use crate::plan::Rules;
use crate::session::{ApiError, Body, Request, Service};
use crate::table::{MAKE_AND_CHANGE, Table, computed, id, opt, region, req, string_map, tags};
use crate::told::{text, told};

pub(crate) struct Snapshot;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let [tags, all_tags] = tags();
    Table::new(
        "openstack_compute_snapshot_v2",
        "A snapshot: an image of a server as it is. A server whose image_id is a snapshot's id is made from it or, if it is there already, becomes again what it was.",
        vec![
            id(),
            region(),
            req("name", Type::String, "The name of the image."),
            req("instance_id", Type::String, "The server that it is taken of. When that becomes another one, the snapshot stays what it is: it outlives its server.")
                .key("instance_uuid")
                .unsent(),
            opt("triggers", string_map(), "Any change takes a new one in its place.").replace().local(),
            opt("metadata", string_map(), "Properties of the image. Those that others set are left alone.").local(),
            tags,
            all_tags,
            computed("status", Type::String, "`active` when it can be used."),
            computed("size_bytes", Type::Number, "The size of its data.").key("size"),
            computed("min_disk_gb", Type::Number, "Servers need at least such a disk.").key("min_disk"),
            computed("min_ram_mb", Type::Number, "Servers need at least so much memory.").key("min_ram"),
            computed("disk_format", Type::String, "The format of its data."),
            computed("created_at", Type::String, "When it was taken."),
        ],
    )
    .timed(MAKE_AND_CHANGE)
});

impl Rules for Snapshot {
    fn table() -> &'static Table {
        &TABLE
    }
}

fn observed(cloud: &Cloud, image: &Json, base: Option<&Value>) -> Value {
    let mut attrs = told(&TABLE, cloud, image, base);
    // The server may be gone, and the image with another's properties.
    if let Some(written) = base.and_then(|it| it.get_attr("instance_id")) {
        json::set(&mut attrs, "instance_id", written.clone());
    }
    let written = base.and_then(|it| it.get_attr("metadata")).and_then(Value::as_map);
    let shown = written.map(|written| {
        let all = patch::properties(image);
        let ours = all.into_iter().filter(|it| written.contains_key(&*it.0));
        Value::map(Type::String, ours.map(|(key, it)| (key, Value::string(it))))
    });
    if let Some(shown) = shown {
        json::set(&mut attrs, "metadata", shown);
    }
    Value::object(attrs)
}

/// Asks for the image; gives its identifier.
async fn ask(
    cloud: &Cloud,
    server: &str,
    planned: &Value,
    token: Token,
) -> Result<String, ApiError> {
    let change = Change { planned, prior: None };
    let mut metadata: Map<String, Json> =
        change.strings_of("metadata").map(|(key, it)| (key, it.into())).collect();
    metadata.insert(TOKEN.to_owned(), token.to_string().into());
    let body = json!({ "createImage": { "name": change.str("name"), "metadata": metadata } });
    let path = format!("/servers/{server}/action");
    let request = || {
        let mut request = Request::new(reqwest::Method::POST, Service::Compute, &path);
        request.body = Body::Json(&body);
        cloud.session.send(request)
    };
    let response = patiently(nova::BUSY_MAX, nova::is_busy, request).await?;
    // Versions before 2.45 tell it as the last part of an address.
    let location = response.headers.get("location").and_then(|it| it.to_str().ok());
    let location = location.and_then(|it| it.rsplit('/').next()).unwrap_or_default();
    let body = response.json().unwrap_or_default();
    let told = str_at(&body, "image_id");
    Ok(if told.is_empty() { location.to_owned() } else { told.to_owned() })
}

/// Waits until the image can be used, and the server is free again.
async fn settled(cloud: &Cloud, server: &str, id: &str) -> Result<Json, Failure> {
    const DOING: &str = "take the snapshot";
    let image = until(async || {
        let found = glance::image(cloud, id).await.map_err(|it| it.failure(DOING))?;
        match found {
            Some(image) if str_at(&image, "status") == "active" => Ok(Some(image)),
            Some(image) if str_at(&image, "status") != "killed" => Ok(None),
            // Nova deletes what it cannot finish.
            Some(_) | None => {
                let detail = "Nova gave up on it; the server's event list says more.";
                Err(Failure::new(format!("Cannot {DOING}"), detail))
            }
        }
    })
    .await?;
    until(async || {
        let found = nova::server(cloud, server).await.map_err(|it| it.failure(DOING))?;
        let task = found.as_ref().map_or("", |it| str_at(it, "OS-EXT-STS:task_state"));
        Ok((!task.starts_with("image_")).then_some(()))
    })
    .await?;
    Ok(image)
}

#[async_trait]
impl Calls for Snapshot {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let ids: Vec<&str> = stored.iter().map(|it| id_of(it)).collect();
        let found = glance::by_ids(cloud, &ids).await.map(|it| in_order(stored, it));
        reread(stored, found, "read snapshots", |image, it| observed(cloud, image, Some(&it.attrs)))
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let found = glance::of_call(cloud, token, false).await;
        let found = found.map_err(|it| it.failure("look for the snapshot"))?;
        // What is made from a snapshot inherits its properties; so do later snapshots of it.
        let server = text(planned, "instance_id").unwrap_or_default();
        let ours = found
            .iter()
            .filter(|it| str_at(it, "instance_uuid") == server)
            .min_by_key(|it| str_at(it, "created_at"));
        let Some(ours) = ours else { return Ok(None) };
        match settled(cloud, server, str_at(ours, "id")).await {
            Ok(image) => Ok(Some(whole(observed(cloud, &image, Some(planned))))),
            Err(failure) if failure.transient => Err(failure),
            // Nothing is left of it.
            Err(_) => Ok(None),
        }
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = glance::image(cloud, id).await;
        let found = found.map_err(|it| it.failure(&format!("read the image {id}")))?;
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let server = text(planned, "instance_id").unwrap_or_default();
        tell(call, "Asking for a snapshot");
        let id = match ask(cloud, server, planned, call.token).await {
            Ok(id) => id,
            Err(error) => return refused(&error, "take a snapshot of the server"),
        };
        tell(call, "Taking the snapshot; the server goes on");
        let image = match settled(cloud, server, &id).await {
            Ok(image) => image,
            Err(failure) => return unfinished(cloud, &id, planned, failure).await,
        };
        let tags = patch::members(tags_of(planned));
        let result = match tags.is_empty() {
            true => Ok(image.clone()),
            false => patch::send(cloud, &id, tags).await,
        };
        match result {
            Ok(image) => Outcome::made(observed(cloud, &image, Some(planned))),
            Err(error) => {
                let left = whole(observed(cloud, &image, Some(planned)));
                Outcome::failed_leaving(Effect::Made(left), error.failure("tag the snapshot"))
            }
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let id = id_of(prior);
        let gone = || {
            let failure = Failure::new("Cannot change the snapshot", "It is gone.");
            Outcome::failed_leaving(Effect::Deleted, failure)
        };
        let mut image = match glance::image(cloud, id).await {
            Ok(Some(image)) => image,
            Ok(None) => return gone(),
            Err(error) => return Outcome::failed(error.failure("read the snapshot")),
        };
        let change = Change { planned, prior: Some(&prior.attrs) };
        if change.of("instance_id") {
            tell(call, "Kept as it is, though the server is another one");
        }
        let mut operations = patch::members(TABLE.body(planned, Some(&prior.attrs)));
        if change.of("tags") {
            let mut tags = tags_of(planned);
            tags.entry("tags").or_insert_with(|| json!([]));
            operations.extend(patch::members(tags));
        }
        if change.of("metadata") {
            let was = Change { planned: &prior.attrs, prior: None };
            let was: Vec<String> = was.strings_of("metadata").map(|it| it.0).collect();
            let wanted: BTreeMap<String, String> = change.strings_of("metadata").collect();
            operations.extend(patch::of_properties(&image, &was, &wanted));
        }
        if !operations.is_empty() {
            match patch::send(cloud, id, operations).await {
                Ok(changed) => image = changed,
                Err(error) if error.is_missing() => return gone(),
                Err(error) => return refused(&error, "change the snapshot"),
            }
        }
        Outcome::made(observed(cloud, &image, Some(planned)))
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let path = format!("/images/{}", escaped(id_of(prior)));
        let request = || cloud.session.delete(Service::Image, &path);
        deleted(patiently(IN_USE_MAX, ApiError::is_conflict, request).await, "delete the snapshot")
    }
}

fn tags_of(planned: &Value) -> Map<String, Json> {
    let tags = Change { planned, prior: None };
    let tags: Vec<Json> = tags.items("tags").map(json::to_json).collect();
    if tags.is_empty() {
        return Map::new();
    }
    Map::from_iter([("tags".to_owned(), Json::from(tags))])
}

/// What is left of a snapshot that came to nothing.
async fn unfinished(cloud: &Cloud, id: &str, planned: &Value, failure: Failure) -> Outcome {
    match glance::image(cloud, id).await {
        Ok(Some(image)) => {
            let attrs = observed(cloud, &image, Some(planned));
            let left = Remote { attrs, private: None, complete: false };
            Outcome::failed_leaving(Effect::Made(left), failure)
        }
        Ok(None) => Outcome::failed(failure),
        Err(_) => Outcome::lost(failure),
    }
}
