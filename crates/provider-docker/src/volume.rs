//! `docker_volume`. Making one that exists succeeds and changes nothing, so we look at its label.

use bollard::models::{Volume, VolumeCreateRequest};
use bollard::query_parameters::RemoveVolumeOptions;
use plumb_model::event::Remote;
use plumb_model::schema::Problem;
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_provider::{CallContext, Failure, Outcome};

use crate::args::{Args, text, with};
use crate::failure::{fail, found, is_missing, not_made, status, whole};
use crate::provider::{Engine, Lists, TOKEN_LABEL, listed, refuse};

/// Cluster volumes need a swarm and a driver for it.
pub(crate) fn validate(config: &Value) -> Vec<Problem> {
    if config.get_attr("cluster").is_none_or(|it| it.is_known() && (it.is_null() || it.is_empty()))
    {
        return Vec::new();
    }
    vec![Problem {
        path: Path::default().attr("cluster"),
        summary: "Unsupported block type".to_owned(),
        detail: "Cluster volumes are not supported; remove the `cluster` block.".to_owned(),
    }]
}

pub(crate) async fn create(engine: &Engine, call: &CallContext, planned: &Value) -> Outcome {
    let args = Args(planned);
    let name = args.string("name");
    let doing = match &name {
        Some(name) => format!("create the volume \"{name}\""),
        None => "create a volume".to_owned(),
    };
    let token = call.token.to_string();
    let mut labels = args.labels("labels");
    labels.insert(TOKEN_LABEL.to_owned(), token.clone());
    let request = VolumeCreateRequest {
        name,
        driver: args.string("driver"),
        driver_opts: args.map("driver_opts"),
        labels: Some(labels),
        ..Default::default()
    };
    let made = match engine.docker.create_volume(request).await {
        Ok(made) => made,
        Err(error) => return not_made(&doing, &error),
    };
    if made.labels.get(TOKEN_LABEL) != Some(&token) {
        return Outcome::failed(refuse(
            &doing,
            "There is a volume of this name already. Import it or choose another name.",
        ));
    }
    Outcome::made(settle(planned, &made))
}

fn settle(base: &Value, volume: &Volume) -> Value {
    with(
        base,
        [
            ("id", Value::string(volume.name.as_str())),
            ("name", Value::string(volume.name.as_str())),
            ("mountpoint", text(Some(&volume.mountpoint))),
            ("driver", text(Some(&volume.driver))),
        ],
    )
}

pub(crate) fn read(lists: &Lists, prior: &Remote) -> Result<Option<Remote>, Failure> {
    let id = Args(&prior.attrs).str("id").unwrap_or_default();
    let volume = listed(&lists.volumes)?.iter().find(|it| it.name == id);
    Ok(volume.map(|it| Remote { attrs: settle(&prior.attrs, it), ..prior.clone() }))
}

pub(crate) async fn find(
    engine: &Engine,
    token: Token,
    planned: &Value,
) -> Result<Option<Remote>, Failure> {
    let made = engine.volumes(Some(token)).await?;
    Ok(made.first().map(|it| whole(settle(planned, it))))
}

pub(crate) async fn import(engine: &Engine, id: &str) -> Result<Option<Remote>, Failure> {
    let answer = engine.docker.inspect_volume(id).await;
    let Some(volume) = found(answer, || format!("inspect the volume {id}"))? else {
        return Ok(None);
    };
    let schema = crate::schema::provider();
    let empty = crate::import::empty(&schema, "docker_volume");
    let attrs = settle(&empty, &volume);
    Ok(Some(whole(with(
        &attrs,
        [
            ("labels", crate::import::labels(Some(&volume.labels))),
            ("driver_opts", crate::import::map(Some(&volume.options))),
        ],
    ))))
}

pub(crate) async fn delete(engine: &Engine, prior: &Value) -> Result<(), Failure> {
    let id = Args(prior).str("id").unwrap_or_default();
    let doing = format!("delete the volume \"{id}\"");
    match engine.docker.remove_volume(id, None::<RemoveVolumeOptions>).await {
        Ok(()) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        // A container that was just removed may still be letting go of it.
        Err(error) if status(&error) == Some(409) => Err(fail(&doing, &error).transient()),
        Err(error) => Err(fail(&doing, &error)),
    }
}
