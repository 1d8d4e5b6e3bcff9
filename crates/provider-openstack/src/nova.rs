//! What all kinds of Nova have in common: servers that settle, actions, the token in metadata.

use std::time::Duration;

use plumb_model::state::Token;
use plumb_provider::Failure;
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, if_there, patiently, until};
use crate::json::{self, list_at, str_at};
use crate::session::{ApiError, Request, Service};

/// The metadata key with the name of the call that made a server.
pub(crate) const TOKEN: &str = "plumb.token";

/// How long a server may be busy with something else before an action is given up.
pub(crate) const BUSY_MAX: Duration = Duration::from_secs(300);

/// So many looks at a server that neither got there nor is on its way are enough.
const STILL_MAX: u32 = 5;

/// Told a person while waiting.
pub(crate) type Say<'a> = &'a (dyn Fn(String) + Send + Sync);

/// Whether a server is busy: it passes.
pub(crate) fn is_busy(error: &ApiError) -> bool {
    matches!(error, ApiError::Refused { status: 409, message, .. } if message.contains("task_state"))
}

/// The server; none if it is gone.
pub(crate) async fn server(cloud: &Cloud, id: &str) -> Result<Option<Json>, ApiError> {
    let answer = cloud.session.get(Service::Compute, &format!("/servers/{id}")).await;
    let server = if_there(answer)?.map(|mut it| it["server"].take());
    Ok(server.filter(|it| !is_deleted(it)))
}

/// Whether only Nova's memory of a server is left.
pub(crate) fn is_deleted(server: &Json) -> bool {
    matches!(str_at(server, "status"), "DELETED" | "SOFT_DELETED")
}

/// Asks something of a server, once it is not busy.
pub(crate) async fn action(cloud: &Cloud, id: &str, body: &Json) -> Result<Json, ApiError> {
    let path = format!("/servers/{id}/action");
    patiently(BUSY_MAX, is_busy, || cloud.session.post(Service::Compute, &path, body)).await
}

/// The last of what a server wrote to its console, at most `bytes_max` of it.
pub(crate) async fn console(cloud: &Cloud, id: &str, bytes_max: u64) -> Result<String, Failure> {
    let answer = action(cloud, id, &json!({ "os-getConsoleOutput": {} })).await;
    let answer = answer.map_err(|it| it.failure("read the console of the server"))?;
    let text = str_at(&answer, "output");
    let mut start = text.len().saturating_sub(usize::try_from(bytes_max).unwrap_or(usize::MAX));
    while !text.is_char_boundary(start) {
        start += 1;
    }
    Ok(text[start..].to_owned())
}

/// An action without arguments.
pub(crate) async fn command(cloud: &Cloud, id: &str, name: &str) -> Result<Json, ApiError> {
    action(cloud, id, &json!({ name: null })).await
}

/// Waits until a server has one of the states and nothing is going on with it.
pub(crate) async fn settled(
    cloud: &Cloud,
    id: &str,
    wanted: &[&str],
    doing: &str,
    say: Say<'_>,
) -> Result<Json, Failure> {
    let still = std::sync::atomic::AtomicU32::new(0);
    let said = std::sync::Mutex::new(String::new());
    until(async || {
        let found = server(cloud, id).await.map_err(|it| it.failure(doing))?;
        let Some(server) = found else {
            return Err(Failure::new(format!("Cannot {doing}"), "The server is gone."));
        };
        let (status, task) = (str_at(&server, "status"), str_at(&server, "OS-EXT-STS:task_state"));
        if task.is_empty() && wanted.contains(&status) {
            return Ok(Some(server));
        }
        if status == "ERROR" && task.is_empty() {
            return Err(fault(&server, doing));
        }
        let now = progress(status, task);
        {
            let mut said = said.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if *said != now {
                say(now.clone());
                *said = now;
            }
        }
        // What rests in a state that nobody wants stays there.
        let rests = task.is_empty() && !PASSING.contains(&status);
        let count = if rests {
            still.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1
        } else {
            still.store(0, std::sync::atomic::Ordering::Relaxed);
            0
        };
        if count > STILL_MAX {
            return Err(given_up(cloud, id, status, doing).await);
        }
        Ok(None)
    })
    .await
}

/// States that a server is in for a while only. While a resize is confirmed, nothing but the old
/// state is told.
const PASSING: &[&str] = &[
    "BUILD",
    "REBUILD",
    "RESIZE",
    "VERIFY_RESIZE",
    "REVERT_RESIZE",
    "MIGRATING",
    "REBOOT",
    "HARD_REBOOT",
    "UNKNOWN",
];

fn progress(status: &str, task: &str) -> String {
    let status = status.to_lowercase().replace('_', " ");
    match task {
        "" => status,
        task => format!("{status} ({})", task.replace('_', " ")),
    }
}

/// Why a server is in ERROR.
pub(crate) fn fault(server: &Json, doing: &str) -> Failure {
    let reason = str_at(json::at(server, &["fault"]), "message");
    let detail = match reason {
        "" => "The server is in ERROR; Nova does not say why.".to_owned(),
        reason => format!("Nova: {}", sentence(reason)),
    };
    Failure::new(format!("Cannot {doing}"), detail)
}

/// Why a server came to rest elsewhere; what Nova says of its last action.
async fn given_up(cloud: &Cloud, id: &str, status: &str, doing: &str) -> Failure {
    let reason = last_error(cloud, id).await;
    let status = status.to_lowercase();
    let detail = match reason {
        Some(reason) => format!("Nova gave up; the server is {status} again. It says: {reason}"),
        None => {
            let guess = if doing.starts_with("resize") { " Perhaps no host has room." } else { "" };
            format!("Nova gave up and does not say why; the server is {status}.{guess}")
        }
    };
    Failure::new(format!("Cannot {doing}"), detail)
}

async fn last_error(cloud: &Cloud, id: &str) -> Option<String> {
    let path = format!("/servers/{id}/os-instance-actions");
    let all = cloud.session.get(Service::Compute, &path).await.ok()?;
    let last = list_at(&all, "instanceActions").first()?;
    let path = format!("{path}/{}", str_at(last, "request_id"));
    let answer = cloud.session.get(Service::Compute, &path).await.ok()?;
    let action = answer.get("instanceAction")?;
    // Details are for administrators, by default.
    let events = list_at(action, "events");
    let failed = events.iter().filter(|it| str_at(it, "result") == "Error");
    let details = failed.filter_map(|it| it.get("details")?.as_str()).find(|it| !it.is_empty());
    let message = details.unwrap_or_else(|| str_at(action, "message"));
    (!message.is_empty() && message != "Error").then(|| sentence(message))
}

/// Text that ends as a sentence does.
pub(crate) fn sentence(text: &str) -> String {
    let text = text.trim();
    if text.ends_with(['.', '!', '?']) { text.to_owned() } else { format!("{text}.") }
}

/// The newest version of the compute API that is spoken: the minor of 2.x.
pub(crate) async fn version(cloud: &Cloud) -> Result<u32, Failure> {
    let version = cloud.session.compute_version().await;
    version.map(|it| it.1).map_err(|it| it.failure("ask for the version of the compute service"))
}

/// Posts as of a version 2.x of the API, or an older one that the cloud has: for what newer ones
/// have no more.
pub(crate) async fn post_as_of(
    cloud: &Cloud,
    newest: u32,
    path: &str,
    body: &Json,
) -> Result<Json, ApiError> {
    let agreed = cloud.session.compute_version().await?;
    let request = Request::new(reqwest::Method::POST, Service::Compute, path).json(body);
    cloud.session.send(request.version(agreed.min((2, newest)))).await?.json()
}

/// Whether metadata names the call.
pub(crate) fn is_of(object: &Json, token: Token) -> bool {
    str_at(json::at(object, &["metadata"]), TOKEN) == token.to_string()
}

/// The flavor that is called so.
pub(crate) async fn flavor_named(cloud: &Cloud, name: &str) -> Result<String, Failure> {
    let doing = format!("look for the flavor {name:?}");
    let all = flavors(cloud).await.map_err(|it| it.failure(&doing))?;
    let named: Vec<&str> =
        all.iter().filter(|it| str_at(it, "name") == name).map(|it| str_at(it, "id")).collect();
    match &named[..] {
        [only] => Ok((*only).to_owned()),
        [] => {
            let mut names: Vec<&str> = all.iter().map(|it| str_at(it, "name")).collect();
            names.sort_unstable();
            names.truncate(20);
            let detail = format!("None is called {name:?}. There are: {}.", names.join(", "));
            Err(Failure::new("No such flavor", detail))
        }
        several => {
            let detail = format!(
                "{} are called {name:?}: {}. Give one of these as flavor_id instead.",
                several.len(),
                several.join(", ")
            );
            Err(Failure::new("More than one flavor", detail))
        }
    }
}

/// All flavors that may be used.
pub(crate) async fn flavors(cloud: &Cloud) -> Result<Vec<Json>, ApiError> {
    cloud.session.list(Service::Compute, "/flavors/detail?is_public=None", "flavors").await
}
