//! Changes of a server in place.

use std::collections::BTreeMap;

use plumb_model::value::{Path, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json, json};

use super::gather::{self, Facts};
use super::request::{self, PERSONALITY_MAX};
use super::{from_volume, power};
use crate::change::Change;
use crate::cloud::{Cloud, IN_USE_MAX, patiently};
use crate::json::{self, str_at};
use crate::nova::{self, Say};
use crate::session::{ApiError, Service};
use crate::told::{is, text};
use crate::{glance, lookup};

/// What a change is made with.
pub(super) struct Task<'a> {
    pub(super) cloud: &'a Cloud,
    pub(super) id: &'a str,
    pub(super) change: Change<'a>,
    /// The ports that it made itself, if that is known.
    pub(super) own: Option<&'a [String]>,
    pub(super) say: Say<'a>,
}

/// Makes all changes. `password` says, also in a failure, whether the password was changed.
pub(super) async fn make(task: &Task<'_>, password: &mut bool) -> Result<(), Failure> {
    let change = &task.change;
    if change.of("name") {
        let body = json!({ "server": { "name": change.str("name") } });
        let path = format!("/servers/{}", task.id);
        let request = || task.cloud.session.put(Service::Compute, &path, &body);
        let answer = patiently(IN_USE_MAX, nova::is_busy, request).await;
        answer.map_err(|it| it.failure("rename the server"))?;
    }
    if change.of("metadata") {
        metadata(task).await.map_err(|it| it.failure("change the metadata of the server"))?;
    }
    if change.of("tags") {
        let tags: Vec<Json> = change.items("tags").map(json::to_json).collect();
        let path = format!("/servers/{}/tags", task.id);
        let answer =
            task.cloud.session.put(Service::Compute, &path, &json!({ "tags": tags })).await;
        answer.map_err(|it| it.failure("tag the server"))?;
    }
    let server = current(task).await?;
    if change.of("security_groups") && change.get("security_groups").is_some() {
        groups(task, &server).await?;
    }
    hardware(task, server, password).await
}

async fn current(task: &Task<'_>) -> Result<Json, Failure> {
    let found = nova::server(task.cloud, task.id).await;
    let found = found.map_err(|it| it.failure("read the server"))?;
    found.ok_or_else(|| Failure::new("Cannot change the server", "It is gone."))
}

async fn metadata(task: &Task<'_>) -> Result<(), ApiError> {
    let (gone, new) = metadata_changes(&task.change);
    let path = format!("/servers/{}/metadata", task.id);
    if !new.is_empty() {
        let body = json!({ "metadata": new });
        let request = || task.cloud.session.post(Service::Compute, &path, &body);
        patiently(IN_USE_MAX, nova::is_busy, request).await?;
    }
    for key in gone {
        let path = format!("{path}/{}", crate::neutron::escaped(&key));
        let request = || task.cloud.session.delete(Service::Compute, &path);
        match patiently(IN_USE_MAX, nova::is_busy, request).await {
            Err(error) if error.is_missing() => {}
            answer => answer?,
        }
    }
    Ok(())
}

/// Keys to take away, and those to set.
fn metadata_changes(change: &Change<'_>) -> (Vec<String>, BTreeMap<String, String>) {
    let prior = change.prior.map(|it| Change { planned: it, prior: None });
    let was: BTreeMap<String, String> =
        prior.iter().flat_map(|it| it.strings_of("metadata")).collect();
    let wanted: BTreeMap<String, String> = change.strings_of("metadata").collect();
    let gone = was.keys().filter(|it| !wanted.contains_key(*it)).cloned().collect();
    (gone, wanted.into_iter().filter(|(key, it)| was.get(key) != Some(it)).collect())
}

/// Gives the ports that Nova made the wanted groups: one request each, so that none is without.
async fn groups(task: &Task<'_>, server: &Json) -> Result<(), Failure> {
    let mut ids = Vec::new();
    for group in task.change.items("security_groups").filter_map(Value::as_str) {
        let id =
            lookup::one(task.cloud, "/security-groups", "security_groups", "security group", group)
                .await
                .map_err(|it| it.at(Path::default().attr("security_groups")))?;
        ids.push(id);
    }
    let facts: Facts = gather::gather(task.cloud, &[(server, task.change.prior)]).await?;
    let own = facts.own(server, task.own);
    for port in facts.ports(server) {
        let unfiltered = port.get("port_security_enabled").and_then(Json::as_bool) == Some(false);
        if unfiltered || !own.iter().any(|it| it == str_at(port, "id")) {
            continue;
        }
        let path = format!("/ports/{}", str_at(port, "id"));
        let body = json!({ "port": { "security_groups": ids } });
        let answer = task.cloud.session.put(Service::Network, &path, &body).await;
        answer.map_err(|it| it.failure("change the security groups of the server's port"))?;
    }
    Ok(())
}

/// Image, flavor, password and power.
async fn hardware(task: &Task<'_>, server: Json, password: &mut bool) -> Result<(), Failure> {
    let change = &task.change;
    let image = new_image(task).await?;
    let flavor = new_flavor(task).await?;
    let set_password = change.of("admin_pass") && change.str("admin_pass").is_some();
    let mut server = server;
    if set_password && image.is_none() && (is_active(&server) || change.of("power_state")) {
        server = power::reach(task.cloud, server, "active", task.say).await?;
        set_admin_pass(task).await?;
        *password = true;
    }
    if let Some(image) = &image {
        server = resting(task, server, &["ACTIVE", "SHUTOFF", "ERROR"]).await?;
        server = rebuild(task, &server, image).await?;
        *password |= set_password;
    }
    if let Some(flavor) = &flavor {
        server = resting(task, server, &["ACTIVE", "SHUTOFF"]).await?;
        server = resize(task, &server, flavor).await?;
    }
    let wanted = change.str("power_state").unwrap_or("active");
    if change.of("power_state") || image.is_some() || flavor.is_some() {
        server = power::reach(task.cloud, server, wanted, task.say).await?;
    }
    if set_password && !*password {
        if !is_active(&server) {
            let detail = "It can be changed only while the server is active.";
            return Err(Failure::new("Cannot change the administrator's password", detail)
                .at(Path::default().attr("admin_pass")));
        }
        set_admin_pass(task).await?;
        *password = true;
    }
    Ok(())
}

fn is_active(server: &Json) -> bool {
    str_at(server, "status") == "ACTIVE"
}

/// The image to rebuild from, if it is another one.
async fn new_image(task: &Task<'_>) -> Result<Option<String>, Failure> {
    let change = &task.change;
    if !change.of("image_id") && !change.of("image_name") || from_volume(change.planned) {
        return Ok(None);
    }
    let id = match (change.str("image_id"), change.str("image_name")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => glance::named(task.cloud, name)
            .await
            .map_err(|it| it.at(Path::default().attr("image_name")))?,
        (None, None) => return Ok(None),
    };
    Ok(Some(id).filter(|id| change.prior.and_then(|it| text(it, "image_id")) != Some(&**id)))
}

/// The flavor to resize to, if it is another one.
async fn new_flavor(task: &Task<'_>) -> Result<Option<String>, Failure> {
    let change = &task.change;
    if !change.of("flavor_id") && !change.of("flavor_name") {
        return Ok(None);
    }
    let id = match (change.str("flavor_id"), change.str("flavor_name")) {
        (Some(id), _) => id.to_owned(),
        (None, Some(name)) => nova::flavor_named(task.cloud, name)
            .await
            .map_err(|it| it.at(Path::default().attr("flavor_name")))?,
        (None, None) => return Ok(None),
    };
    Ok(Some(id).filter(|id| change.prior.and_then(|it| text(it, "flavor_id")) != Some(&**id)))
}

/// Gets a server into a state from which Nova takes the next action.
async fn resting(task: &Task<'_>, server: Json, states: &[&str]) -> Result<Json, Failure> {
    if states.contains(&str_at(&server, "status")) {
        return Ok(server);
    }
    power::reach(task.cloud, server, "active", task.say).await
}

async fn set_admin_pass(task: &Task<'_>) -> Result<(), Failure> {
    let body = json!({ "changePassword": { "adminPass": task.change.str("admin_pass") } });
    let answer = nova::action(task.cloud, task.id, &body).await;
    answer.map_err(|it| {
        it.failure("change the administrator's password").at(Path::default().attr("admin_pass"))
    })?;
    Ok(())
}

async fn rebuild(task: &Task<'_>, server: &Json, image: &str) -> Result<Json, Failure> {
    const DOING: &str = "rebuild the server";
    let written = if task.change.str("image_id").is_some() { "image_id" } else { "image_name" };
    let at = || Path::default().attr(written);
    (task.say)("Rebuilding from another image; ports and addresses are kept".to_owned());
    let mut members = Map::from_iter([("imageRef".to_owned(), Json::from(image))]);
    if let Some(pass) = task.change.str("admin_pass").filter(|_| task.change.of("admin_pass")) {
        members.insert("adminPass".to_owned(), pass.into());
    }
    let files: Vec<Json> = task.change.items("personality").map(request::file).collect();
    let newest = if files.is_empty() { u32::MAX } else { PERSONALITY_MAX };
    if !files.is_empty() {
        members.insert("personality".to_owned(), files.into());
    }
    let body = json!({ "rebuild": members });
    let stopped = str_at(server, "status") == "SHUTOFF";
    let path = format!("/servers/{}/action", task.id);
    let request = || nova::post_as_of(task.cloud, newest, &path, &body);
    let answer = patiently(nova::BUSY_MAX, nova::is_busy, request).await;
    answer.map_err(|it| it.failure(DOING).at(at()))?;
    let wanted: &[&str] = if stopped { &["SHUTOFF", "ACTIVE"] } else { &["ACTIVE"] };
    let settled = nova::settled(task.cloud, task.id, wanted, DOING, task.say).await;
    settled.map_err(|it| it.at(at()))
}

async fn resize(task: &Task<'_>, server: &Json, flavor: &str) -> Result<Json, Failure> {
    const DOING: &str = "resize the server";
    let written = if task.change.str("flavor_id").is_some() { "flavor_id" } else { "flavor_name" };
    let at = || Path::default().attr(written);
    (task.say)("Resizing: the server is down for a moment; addresses are kept".to_owned());
    let stopped = str_at(server, "status") == "SHUTOFF";
    let rest: &[&str] = if stopped { &["SHUTOFF", "ACTIVE"] } else { &["ACTIVE"] };
    let body = json!({ "resize": { "flavorRef": flavor } });
    let answer = nova::action(task.cloud, task.id, &body).await;
    answer.map_err(|it| it.failure(DOING).at(at()))?;
    let vendor = task.change.items("vendor_options").next();
    if vendor.is_some_and(|it| is(it, "ignore_resize_confirmation")) {
        // It rests in its old state if nothing came of it, too: the flavor tells.
        let seen = confirmed_by_cloud(task, rest).await?;
        return Ok(seen);
    }
    let resized = nova::settled(task.cloud, task.id, &["VERIFY_RESIZE"], DOING, task.say).await;
    if let Err(failure) = resized {
        return Err(revert(task, rest, failure).await.at(at()));
    }
    (task.say)("Confirming the resize".to_owned());
    if let Err(error) = nova::command(task.cloud, task.id, "confirmResize").await {
        // The cloud may have done so already.
        if !matches!(error, ApiError::Refused { status: 409, .. }) {
            return Err(revert(task, rest, error.failure("confirm the resize")).await);
        }
    }
    nova::settled(task.cloud, task.id, rest, "confirm the resize", task.say).await
}

async fn confirmed_by_cloud(task: &Task<'_>, rest: &[&str]) -> Result<Json, Failure> {
    crate::cloud::until(async || {
        let server = current(task).await?;
        let (status, busy) = (str_at(&server, "status"), str_at(&server, "OS-EXT-STS:task_state"));
        match status {
            "ERROR" => Err(nova::fault(&server, "resize the server")),
            _ if busy.is_empty() && rest.contains(&status) => Ok(Some(server)),
            _ => Ok(None),
        }
    })
    .await
}

/// Takes back a resize that came to nothing, as far as Nova has something to take back; gives the
/// failure, with what became of the server.
async fn revert(task: &Task<'_>, rest: &[&str], failure: Failure) -> Failure {
    let server = nova::server(task.cloud, task.id).await.ok().flatten();
    let status = server.as_ref().map_or("", |it| str_at(it, "status"));
    if status != "VERIFY_RESIZE" {
        return failure;
    }
    (task.say)("Reverting the resize".to_owned());
    let reverted = nova::command(task.cloud, task.id, "revertResize").await;
    let settled = match reverted {
        Ok(_) => nova::settled(task.cloud, task.id, rest, "revert the resize", task.say).await,
        Err(error) => Err(error.failure("revert the resize")),
    };
    let after = match settled {
        Ok(_) => "The server was given its old flavor back.".to_owned(),
        Err(other) => format!("{other}: {}", other.detail),
    };
    Failure { detail: format!("{} {after}", failure.detail), ..failure }
}

#[cfg(test)]
mod tests {
    use plumb_model::value::Type;

    use super::*;

    #[test]
    fn metadata_keys() {
        let object = |items: &[(&str, &str)]| {
            let items = items.iter().map(|(key, it)| (*key, Value::string(*it)));
            Value::object([("metadata", Value::map(Type::String, items))])
        };
        let (prior, planned) = (
            object(&[("a", "1"), ("b", "2"), ("c", "3")]),
            object(&[("a", "1"), ("b", "x"), ("d", "4")]),
        );
        let (gone, new) = metadata_changes(&Change { planned: &planned, prior: Some(&prior) });
        assert_eq!(gone, ["c"]);
        let pairs: Vec<String> = new.iter().map(|(key, it)| format!("{key}={it}")).collect();
        assert_eq!(pairs, ["b=x", "d=4"]);
    }
}
