//! A volume: a disk of its own.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::schema::{Problem, RefineInput};
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};

use crate::change::Change;
use crate::cloud::{
    Calls, Cloud, IN_USE_MAX, id_of, if_there, patiently, refused, reread, tell, until, whole,
};
use crate::json::{self, list_at, str_at, wrapped};
use crate::neutron::escaped;
use crate::nova::{TOKEN, is_of};
use crate::plan::{Planned, Rules};
use crate::session::{ApiError, Request, Service};
use crate::table::{
    MAKE, Table, computed, id, opt, opt_computed, region, req, set, string_map, strings,
};
use crate::told::{is, told};

pub(crate) struct Volume;

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    let attachment = Type::object([
        ("id", Type::String),
        ("instance_id", Type::String),
        ("device", Type::String),
    ]);
    let hints = vec![
        opt("different_host", strings(), "On another host than these volumes.").replace(),
        opt("same_host", strings(), "On the host of these volumes.").replace(),
        opt("query", Type::String, "A condition on hosts.").replace(),
        opt("local_to_instance", Type::String, "On the host of this server.").replace(),
        opt("additional_properties", string_map(), "Further hints.").replace(),
    ];
    let text = |name, says| opt(name, Type::String, says);
    Table::new(
        "openstack_blockstorage_volume_v3",
        "A volume: a disk of its own.",
        vec![
            id(),
            region(),
            req("size", Type::Number, "The size in GB. It can grow in place.").unsent(),
            text("name", "The name."),
            text("description", "For people."),
            opt_computed("availability_zone", Type::String, "Where it is.").replace(),
            opt_computed("metadata", string_map(), "Metadata.").unsent(),
            text("snapshot_id", "Made from this snapshot.").replace().excludes(&[
                "source_vol_id",
                "image_id",
                "backup_id",
            ]),
            text("source_vol_id", "A copy of this volume.")
                .key("source_volid")
                .replace()
                .excludes(&["snapshot_id", "image_id", "backup_id"]),
            text("image_id", "Made from this image.").key("imageRef").replace().excludes(&[
                "snapshot_id",
                "source_vol_id",
                "backup_id",
            ]),
            text("backup_id", "Made from this backup.").replace().excludes(&[
                "snapshot_id",
                "source_vol_id",
                "image_id",
            ]),
            text("consistency_group_id", "The consistency group.")
                .key("consistencygroup_id")
                .replace(),
            text("source_replica", "Made from this replica.").replace(),
            opt_computed("volume_type", Type::String, "Its type."),
            opt(
                "volume_retype_policy",
                Type::String,
                "Whether a change of its type may move it: `never` or `on-demand`.",
            )
            .default(Value::string("never"))
            .one_of(&["never", "on-demand"])
            .local(),
            opt("enable_online_resize", Type::Bool, "Whether it may grow while it is in use.")
                .local(),
            set("scheduler_hints", "Where it is to be.", hints).local(),
            computed("attachment", Type::set(attachment), "The servers that it is in.").local(),
        ],
    )
    .timed(MAKE)
});

impl Rules for Volume {
    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        // A disk cannot shrink.
        let size = |it: Option<&Value>| it.and_then(Value::as_i64);
        let was = size(input.prior.and_then(|it| it.get_attr("size")));
        if let (Some(was), Some(is)) = (was, size(planned.get("size")))
            && is < was
        {
            planned.replace.push(Path::default().attr("size"));
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        if config.get_attr("size").and_then(Value::as_i64).is_some_and(|it| it < 1) {
            problems.push(Problem {
                path: Path::default().attr("size"),
                summary: "Invalid size".to_owned(),
                detail: "A volume has at least 1 GB.".to_owned(),
            });
        }
    }
}

fn observed(cloud: &Cloud, json: &Json, base: Option<&Value>) -> Value {
    let mut json = json.clone();
    if let Some(Json::Object(metadata)) = json.get_mut("metadata") {
        metadata.remove(TOKEN);
    }
    let mut attrs = told(&TABLE, cloud, &json, base);
    // What it was made from is told in other words, or not at all.
    let source = ["image_id", "backup_id", "consistency_group_id", "source_replica"];
    crate::told::keep(&mut attrs, base, source);
    if let (None, Some(image)) = (base, made_from(&json)) {
        json::set(&mut attrs, "image_id", Value::string(image));
    }
    let attachments = list_at(&json, "attachments").iter().map(|it| {
        let of = |key: &str| Value::string(str_at(it, key));
        Value::object([
            ("id", of("id")),
            ("instance_id", of("server_id")),
            ("device", of("device")),
        ])
    });
    if let Some(ty) = attrs.get("attachment").and_then(|it| it.ty().element().cloned()) {
        json::set(&mut attrs, "attachment", Value::set(ty, attachments.collect()));
    }
    Value::object(attrs)
}

/// The image that a volume was made from. A copy of another volume only inherits what is told.
fn made_from(volume: &Json) -> Option<&str> {
    let copied = ["source_volid", "snapshot_id"].iter().any(|it| !str_at(volume, it).is_empty());
    let image = str_at(json::at(volume, &["volume_image_metadata"]), "image_id");
    (!copied && !image.is_empty()).then_some(image)
}

async fn get(cloud: &Cloud, id: &str) -> Result<Option<Json>, ApiError> {
    let answer = cloud.session.get(Service::Volume, &format!("/volumes/{}", escaped(id))).await;
    Ok(if_there(answer)?.map(|mut it| it["volume"].take()))
}

/// Waits until a volume has one of the states.
pub(crate) async fn settled(
    cloud: &Cloud,
    id: &str,
    wanted: &[&str],
    doing: &str,
) -> Result<Json, Failure> {
    until(async || {
        let Some(volume) = get(cloud, id).await.map_err(|it| it.failure(doing))? else {
            return Err(Failure::new(format!("Cannot {doing}"), "The volume is gone."));
        };
        let status = str_at(&volume, "status").to_owned();
        match &*status {
            status if wanted.contains(&status) => Ok(Some(volume)),
            status if status.starts_with("error") => {
                let detail = format!("The volume is in the state {status}.");
                Err(Failure::new(format!("Cannot {doing}"), detail))
            }
            _ => Ok(None),
        }
    })
    .await
}

async fn volumes(cloud: &Cloud, stored: &[&Remote]) -> Result<Vec<Option<Json>>, ApiError> {
    let listed = match stored {
        [_] => Vec::new(),
        _ => cloud.session.list(Service::Volume, "/volumes/detail?limit=1000", "volumes").await?,
    };
    let find = async |it: &&Remote| match listed.iter().find(|json| str_at(json, "id") == id_of(it))
    {
        Some(volume) => Ok(Some(volume.clone())),
        None => get(cloud, id_of(it)).await,
    };
    futures_util::future::try_join_all(stored.iter().map(find)).await
}

fn request(planned: &Value, token: Token) -> Json {
    let change = Change { planned, prior: None };
    let mut body = TABLE.body(planned, None);
    if let Some(size) = change.get("size") {
        body.insert("size".to_owned(), json::to_json(size));
    }
    let mut metadata: Map<String, Json> =
        change.strings_of("metadata").map(|(key, it)| (key, it.into())).collect();
    metadata.insert(TOKEN.to_owned(), token.to_string().into());
    body.insert("metadata".to_owned(), metadata.into());
    let mut res = wrapped("volume", body);
    if let Some(block) = change.items("scheduler_hints").next() {
        let mut hints = Map::new();
        for (name, value) in block.as_map().into_iter().flatten().filter(|it| it.1.is_present()) {
            match json::to_json(value) {
                Json::Object(more) => hints.extend(more),
                json => {
                    hints.insert(name.to_string(), json);
                }
            }
        }
        res["OS-SCH-HNT:scheduler_hints"] = hints.into();
    }
    res
}

/// Changes it in place.
async fn change(
    cloud: &Cloud,
    call: &CallContext,
    id: &str,
    change: &Change<'_>,
) -> Result<(), Failure> {
    const DOING: &str = "change the volume";
    let failed = |it: ApiError| it.failure(DOING);
    let path = format!("/volumes/{id}");
    let mut body = TABLE.body(change.planned, change.prior);
    body.remove("volume_type");
    if !body.is_empty() {
        let body = wrapped("volume", body);
        cloud.session.put(Service::Volume, &path, &body).await.map_err(failed)?;
    }
    if change.of("metadata") && change.get("metadata").is_some() {
        let was = get(cloud, id).await.map_err(failed)?.unwrap_or_default();
        let mut metadata: Map<String, Json> =
            change.strings_of("metadata").map(|(key, it)| (key, it.into())).collect();
        if let Some(token) = json::at(&was, &["metadata"]).get(TOKEN) {
            metadata.insert(TOKEN.to_owned(), token.clone());
        }
        let body = json!({ "metadata": metadata });
        let path = format!("{path}/metadata");
        cloud.session.put(Service::Volume, &path, &body).await.map_err(failed)?;
    }
    let path = format!("{path}/action");
    if change.of("size") {
        let volume = get(cloud, id).await.map_err(failed)?.unwrap_or_default();
        extend(cloud, call, &path, change, str_at(&volume, "status")).await?;
        settled(cloud, id, &["available", "in-use"], "extend the volume").await?;
    }
    if let Some(wanted) = change.str("volume_type").filter(|_| change.of("volume_type")) {
        tell(call, "Changing the type of the volume");
        let policy = change.str("volume_retype_policy").unwrap_or("never");
        let body = json!({ "os-retype": { "new_type": wanted, "migration_policy": policy } });
        let at = Path::default().attr("volume_type");
        let answer = cloud.session.post(Service::Volume, &path, &body).await;
        answer.map_err(|it| it.failure("change the type of the volume").at(at))?;
        settled(cloud, id, &["available", "in-use"], "change the type of the volume").await?;
    }
    Ok(())
}

/// Cinder takes a volume that is in a server from this version on.
const ONLINE_SINCE: &str = "volume 3.42";

/// Asks for a larger disk.
async fn extend(
    cloud: &Cloud,
    call: &CallContext,
    path: &str,
    change: &Change<'_>,
    status: &str,
) -> Result<(), Failure> {
    const DOING: &str = "extend the volume";
    let at = || Path::default().attr("size");
    let body = json!({ "os-extend": { "new_size": change.get("size").map(json::to_json) } });
    let mut request = Request::new(reqwest::Method::POST, Service::Volume, path).json(&body);
    if status == "in-use" {
        if !is(change.planned, "enable_online_resize") {
            let detail = "It is in a server. Set `enable_online_resize` to true, or take it out.";
            return Err(Failure::new(format!("Cannot {DOING}"), detail).at(at()));
        }
        request = request.header("openstack-api-version", ONLINE_SINCE);
    }
    tell(call, "Extending the volume");
    let answer = cloud.session.send(request).await;
    answer.map(drop).map_err(|it| it.failure(DOING).at(at()))
}

#[async_trait]
impl Calls for Volume {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let found = volumes(cloud, stored).await;
        reread(stored, found, "read volumes", |json, it| observed(cloud, json, Some(&it.attrs)))
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let path = "/volumes/detail?limit=1000";
        let found = cloud.session.list(Service::Volume, path, "volumes").await;
        let found = found.map_err(|it| it.failure("look for the volume"))?;
        let Some(ours) = found.iter().find(|it| is_of(it, token)) else { return Ok(None) };
        let states = ["available", "in-use"];
        match settled(cloud, str_at(ours, "id"), &states, "make the volume").await {
            Ok(json) => Ok(Some(whole(observed(cloud, &json, Some(planned))))),
            Err(failure) if failure.transient => Err(failure),
            Err(_) => {
                let attrs = observed(cloud, ours, Some(planned));
                Ok(Some(Remote { attrs, private: None, complete: false }))
            }
        }
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = get(cloud, id).await;
        let found = found.map_err(|it| it.failure(&format!("read the volume {id}")))?;
        Ok(found.map(|it| whole(observed(cloud, &it, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let doing = "create the volume";
        let body = request(planned, call.token);
        let made = match cloud.session.post(Service::Volume, "/volumes", &body).await {
            Ok(mut answer) => answer["volume"].take(),
            Err(error) => return refused(&error, doing),
        };
        tell(call, "Creating the volume");
        match settled(cloud, str_at(&made, "id"), &["available"], doing).await {
            Ok(json) => Outcome::made(observed(cloud, &json, Some(planned))),
            Err(failure) => {
                let attrs = observed(cloud, &made, Some(planned));
                let left = Remote { attrs, private: None, complete: false };
                Outcome::failed_leaving(Effect::Made(left), failure)
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
        let wanted = Change { planned, prior: Some(&prior.attrs) };
        let result = change(cloud, call, id, &wanted).await;
        match (get(cloud, id).await, result) {
            (Ok(Some(json)), result) => {
                let left = Effect::Made(whole(observed(cloud, &json, Some(planned))));
                match result {
                    Ok(()) => Outcome::left(left),
                    Err(failure) => Outcome::failed_leaving(left, failure),
                }
            }
            (Ok(None), result) => {
                let gone = || Failure::new("Cannot change the volume", "It is gone.");
                Outcome::failed_leaving(Effect::Deleted, result.err().unwrap_or_else(gone))
            }
            (Err(error), _) => Outcome::lost(error.failure("read the volume")),
        }
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        const DOING: &str = "delete the volume";
        let path = format!("/volumes/{}", id_of(prior));
        // A server that had it may not have let go of it yet; Cinder says so with 400.
        let busy = |it: &ApiError| matches!(it, ApiError::Refused { status: 400 | 409, message, .. } if message.contains("status must be"));
        let request = || cloud.session.delete(Service::Volume, &path);
        match patiently(IN_USE_MAX, busy, request).await {
            Ok(()) => {}
            Err(error) if error.is_missing() => return Outcome::deleted(),
            Err(error) => return refused(&error, DOING),
        }
        let gone = until(async || {
            let found = get(cloud, id_of(prior)).await.map_err(|it| it.failure(DOING))?;
            match found {
                None => Ok(Some(())),
                Some(it) if str_at(&it, "status") == "error_deleting" => {
                    Err(Failure::new("Cannot delete the volume", "It is in error_deleting."))
                }
                Some(_) => Ok(None),
            }
        })
        .await;
        match gone {
            Ok(()) => Outcome::deleted(),
            Err(failure) => Outcome::failed(failure),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn which_image() {
        let mut volume = json!({
            "snapshot_id": null, "source_volid": null, "volume_image_metadata": { "image_id": "i" },
        });
        assert_eq!(made_from(&volume), Some("i"));
        volume["source_volid"] = "v".into();
        assert_eq!(made_from(&volume), None);
        assert_eq!(made_from(&json!({})), None);
    }
}
