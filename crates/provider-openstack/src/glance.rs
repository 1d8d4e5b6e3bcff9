//! Images by name and identifier, and what all who wait for one owe each other.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;

use plumb_model::state::Token;
use plumb_provider::Failure;
use serde_json::Value as Json;

use crate::cloud::{Cloud, if_there, until};
use crate::json::str_at;
use crate::neutron::escaped;
use crate::session::{ApiError, Service};

/// So many images are asked for in one request.
const IDS_MAX: usize = 50;

/// The property with the name of the call that made an image.
pub(crate) const TOKEN: &str = "plumb_token";

/// The images of these identifiers; those that are gone are missing.
pub(crate) async fn by_ids(cloud: &Cloud, ids: &[&str]) -> Result<Vec<Json>, ApiError> {
    if let [id] = ids {
        return Ok(image(cloud, id).await?.into_iter().collect());
    }
    let mut all = Vec::with_capacity(ids.len());
    for ids in ids.chunks(IDS_MAX) {
        let path = format!("/images?limit=1000&id=in:{}", escaped_list(ids));
        let found = cloud.session.list(Service::Image, &path, "images").await?;
        all.extend(found);
        // Images of others, shared or hidden, are in no list.
        for id in ids {
            if !all.iter().any(|it| str_at(it, "id") == *id) {
                all.extend(image(cloud, id).await?);
            }
        }
    }
    Ok(all)
}

fn escaped_list(ids: &[&str]) -> String {
    ids.iter().map(|it| escaped(it)).collect::<Vec<_>>().join(",")
}

/// The image; none if it is gone.
pub(crate) async fn image(cloud: &Cloud, id: &str) -> Result<Option<Json>, ApiError> {
    let answer = cloud.session.get(Service::Image, &format!("/images/{}", escaped(id))).await;
    let gone = |it: &Json| matches!(str_at(it, "status"), "deleted" | "pending_delete");
    Ok(if_there(answer)?.filter(|it| !gone(it)))
}

/// The image that is called so.
pub(crate) async fn named(cloud: &Cloud, name: &str) -> Result<String, Failure> {
    let path = format!("/images?limit=1000&name={}", escaped(name));
    let found = cloud.session.list(Service::Image, &path, "images").await;
    let found = found.map_err(|it| it.failure(&format!("look for the image {name:?}")))?;
    let ids: Vec<&str> = found.iter().map(|it| str_at(it, "id")).collect();
    match &ids[..] {
        [only] => Ok((*only).to_owned()),
        [] => Err(Failure::new("No such image", format!("None is called {name:?}."))),
        several => {
            let detail = format!(
                "{} are called {name:?}: {}. Give one of these as image_id instead.",
                several.len(),
                several.join(", ")
            );
            Err(Failure::new("More than one image", detail))
        }
    }
}

/// The images that a call made, or that inherited its name.
pub(crate) async fn of_call(
    cloud: &Cloud,
    token: Token,
    hidden: bool,
) -> Result<Vec<Json>, ApiError> {
    let hidden = if hidden { "&os_hidden=true" } else { "" };
    let path = format!("/images?limit=1000&{TOKEN}={token}{hidden}");
    cloud.session.list(Service::Image, &path, "images").await
}

/// Waits until an image can be used.
pub(crate) async fn settled(cloud: &Cloud, id: &str, doing: &str) -> Result<Json, Failure> {
    until(async || {
        let found = image(cloud, id).await.map_err(|it| it.failure(doing))?;
        let Some(image) = found else {
            return Err(Failure::new(format!("Cannot {doing}"), "The image is gone."));
        };
        match str_at(&image, "status") {
            "active" | "deactivated" => Ok(Some(image)),
            "killed" => Err(Failure::new(format!("Cannot {doing}"), "Glance gave up on it.")),
            _ => Ok(None),
        }
    })
    .await
}

/// Waits until Glance has got the data of an image by itself.
pub(crate) async fn imported(cloud: &Cloud, id: &str, doing: &str) -> Result<Json, Failure> {
    let began = AtomicBool::new(false);
    until(async || {
        let found = image(cloud, id).await.map_err(|it| it.failure(doing))?;
        let Some(image) = found else {
            return Err(Failure::new(format!("Cannot {doing}"), "The image is gone."));
        };
        match str_at(&image, "status") {
            "active" | "deactivated" => Ok(Some(image)),
            // It falls back when it cannot get the data.
            "queued" if began.load(Relaxed) || !str_at(&image, "os_glance_failed_import").is_empty() => {
                let detail = "Glance could not get the data; its log says why. Is the address one that Glance reaches, and may download from?";
                Err(Failure::new(format!("Cannot {doing}"), detail))
            }
            "killed" => Err(Failure::new(format!("Cannot {doing}"), "Glance gave up on it.")),
            status => {
                began.fetch_or(status == "importing", Relaxed);
                Ok(None)
            }
        }
    })
    .await
}
