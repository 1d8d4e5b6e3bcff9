//! `docker_container`: made, started, waited for; what the engine can change in place is changed so.
//!
//! Most of a container never changes once made, so reading one back means its name, its networks,
//! its limits, and whether it runs. The rest is what was asked for when it was made.

mod import;
mod networks;
mod observe;
mod plan;
mod run;
mod spec;

use std::collections::HashMap;

use bollard::models::{ContainerInspectResponse, EndpointSettings};
use bollard::query_parameters::{
    CreateContainerOptions, InspectContainerOptions, RemoveContainerOptions,
    RenameContainerOptions, StopContainerOptions,
};
use plumb_model::event::Remote;
use plumb_model::state::Token;
use plumb_model::value::Value;
use plumb_provider::{CallContext, Failure, Outcome, ReadRequest};

pub(crate) use plan::{refine, validate};

use crate::args::{Args, text, with};
use crate::failure::{
    OrFail as _, fail, found, half_changed, half_made, is_missing, not_made, status, whole,
};
use crate::provider::{Engine, Lists, listed, refuse, say};

pub(crate) async fn create(engine: &Engine, call: &CallContext, planned: &Value) -> Outcome {
    let args = Args(planned);
    let name = args.string("name").unwrap_or_default();
    let doing = format!("create the container \"{name}\"");
    let spec = match spec::spec(args, call.token) {
        Ok(spec) => spec,
        Err(why) => return Outcome::failed(refuse(&doing, why)),
    };
    let files = match run::uploads(args, &engine.directory).await {
        Ok(files) => files,
        Err(why) => return Outcome::failed(refuse(&doing, why)),
    };
    let options = CreateContainerOptions {
        name: Some(name.clone()),
        platform: args.string("platform").unwrap_or_default(),
    };
    let made = match engine.docker.create_container(Some(options), spec.body).await {
        Ok(made) => made,
        Err(error) => {
            let mut outcome = not_made(&doing, &error);
            if let Some(failure) = &mut outcome.failure {
                failure.detail += match status(&error) {
                    Some(404) => " A docker_image resource would pull or build it first.",
                    Some(409) => " Import it, remove it, or choose another name.",
                    _ => "",
                };
            }
            return outcome;
        }
    };
    let id = made.id;
    for warning in made.warnings {
        say(call, warning, None);
    }
    let finish = async {
        for (network, endpoint) in spec.join_later {
            networks::connect(engine, &id, &network, endpoint).await?;
        }
        run::upload(engine, &id, files).await?;
        if args.bool("start") == Some(false) {
            return Ok(None);
        }
        run::start(engine, call, &id, args).await
    };
    let finished: Result<Option<String>, Failure> = finish.await;
    let bare = with(planned, [("id", Value::string(id.as_str()))]);
    let seen = match inspect(engine, &id).await {
        Ok(seen) => seen,
        Err(failure) => return half_made(bare, failure),
    };
    let attrs = match &seen {
        Some(seen) => settle(planned, &id, seen),
        // With `rm` it is gone as soon as it has done its work.
        None if args.is("rm") => bare,
        None => return half_made(bare, refuse(&doing, "It is gone again.")),
    };
    match finished {
        Err(failure) => half_made(attrs, failure),
        Ok(logs) => {
            let attrs = with_logs(&attrs, logs);
            match observe::ignored(planned, &attrs) {
                None => Outcome::made(attrs),
                Some(why) => half_changed(attrs, refuse(&doing, why)),
            }
        }
    }
}

fn with_logs(attrs: &Value, logs: Option<String>) -> Value {
    match logs {
        Some(logs) => with(attrs, [("container_logs", Value::string(logs))]),
        None => attrs.clone(),
    }
}

/// `base` with all that the engine chose, or that can change.
fn settle(base: &Value, id: &str, seen: &ContainerInspectResponse) -> Value {
    let attrs = observe::settle(base, &observe::observed(seen));
    let attached = attached(seen);
    with(
        &attrs,
        [
            ("id", Value::string(id)),
            ("networks_advanced", networks::observed(Args(base), id, attached)),
            ("network_data", networks::data(attached)),
            ("ports", observe::ports(Args(base), seen)),
        ],
    )
}

fn attached(seen: &ContainerInspectResponse) -> &HashMap<String, EndpointSettings> {
    static NONE: std::sync::LazyLock<HashMap<String, EndpointSettings>> =
        std::sync::LazyLock::new(HashMap::new);
    let networks = seen.network_settings.as_ref().and_then(|it| it.networks.as_ref());
    networks.unwrap_or(&NONE)
}

async fn inspect(engine: &Engine, id: &str) -> Result<Option<ContainerInspectResponse>, Failure> {
    let answer = engine.docker.inspect_container(id, None::<InspectContainerOptions>).await;
    found(answer, || format!("inspect the container {id}"))
}

pub(crate) async fn read(
    engine: &Engine,
    lists: &Lists,
    request: &ReadRequest,
) -> Result<Option<Remote>, Failure> {
    let prior = &request.prior;
    let args = Args(&prior.attrs);
    let id = args.str("id").unwrap_or_default();
    let there = listed(&lists.containers)?;
    let Some(summary) = there.iter().find(|it| it.id.as_deref() == Some(id)) else {
        return Ok(None);
    };
    if !request.whole && observe::list_suffices(args, summary) {
        let attrs = observe::from_summary(&prior.attrs, id, summary);
        return Ok(Some(Remote { attrs, ..prior.clone() }));
    }
    let seen = inspect(engine, id).await?;
    Ok(seen.map(|seen| Remote { attrs: settle(&prior.attrs, id, &seen), ..prior.clone() }))
}

pub(crate) async fn find(
    engine: &Engine,
    token: Token,
    planned: &Value,
) -> Result<Option<Remote>, Failure> {
    let made = engine.containers(Some(token)).await?;
    let Some(id) = made.first().and_then(|it| it.id.clone()) else { return Ok(None) };
    let Some(seen) = inspect(engine, &id).await? else { return Ok(None) };
    let attrs = settle(planned, &id, &seen);
    let args = Args(planned);
    let started = seen.state.as_ref().and_then(|it| it.started_at.as_deref());
    let started = started.is_some_and(|it| !it.is_empty() && !it.starts_with("0001-"));
    let joined = Args(&attrs).get("networks_advanced") == args.get("networks_advanced");
    // Files are put in before it is started, so one that was is whole.
    let complete = (started || args.bool("start") == Some(false)) && joined;
    Ok(Some(Remote { attrs, private: None, complete }))
}

pub(crate) async fn import(engine: &Engine, id: &str) -> Result<Option<Remote>, Failure> {
    let Some(seen) = inspect(engine, id).await? else { return Ok(None) };
    let image = seen.image.clone().unwrap_or_default();
    let answer = engine.docker.inspect_image(&image).await;
    let image = found(answer, || format!("inspect the image {image}"))?;
    let image = image.and_then(|it| it.config).unwrap_or_default();
    let empty = crate::import::empty(&crate::schema::provider(), "docker_container");
    let attrs = with(&empty, import::imported(&seen, &image));
    let joined = networks::imported(&seen, attached(&seen));
    let attrs = with(
        &attrs,
        [
            ("id", text(seen.id.as_ref())),
            ("networks_advanced", joined),
            ("network_data", networks::data(attached(&seen))),
        ],
    );
    Ok(Some(whole(attrs)))
}

pub(crate) async fn update(
    engine: &Engine,
    call: &CallContext,
    prior: &Remote,
    planned: &Value,
) -> Outcome {
    let (was, wanted) = (Args(&prior.attrs), Args(planned));
    let id = was.str("id").unwrap_or_default();
    let name = wanted.str("name").unwrap_or_default();
    let doing = format!("update the container \"{name}\"");
    let now = match inspect(engine, id).await {
        Ok(Some(now)) => now,
        Ok(None) => return Outcome::failed(refuse(&doing, "It is gone.")),
        Err(failure) => return Outcome::failed(failure),
    };
    let change = async {
        if now.name.as_deref().map(|it| it.trim_start_matches('/')) != Some(name) {
            let options = RenameContainerOptions { name: name.to_owned() };
            let renamed = engine.docker.rename_container(id, options).await;
            renamed.or_fail(|| format!("rename the container to \"{name}\""))?;
        }
        if let Some(body) = spec::update(was, wanted, now.host_config.as_ref()) {
            let updated = engine.docker.update_container(id, body).await;
            updated.or_fail(|| doing.clone())?;
        }
        networks::change(engine, id, wanted, attached(&now)).await?;
        run::keep_running(engine, call, id, wanted, &now).await
    };
    let changed: Result<Option<String>, Failure> = change.await;
    let seen = match inspect(engine, id).await {
        Ok(Some(seen)) => seen,
        Ok(None) => return Outcome::failed(refuse(&doing, "It is gone.")),
        Err(failure) => return Outcome::lost(failure),
    };
    let attrs = settle(planned, id, &seen);
    match changed {
        Err(failure) => half_changed(attrs, failure),
        Ok(logs) => {
            let attrs = with_logs(&attrs, logs);
            match observe::ignored(planned, &attrs) {
                None => Outcome::made(attrs),
                Some(why) => half_changed(attrs, refuse(&doing, why)),
            }
        }
    }
}

pub(crate) async fn delete(
    engine: &Engine,
    call: &CallContext,
    prior: &Value,
) -> Result<(), Failure> {
    let args = Args(prior);
    let id = args.str("id").unwrap_or_default();
    let doing = format!("delete the container \"{}\"", args.str("name").unwrap_or(id));
    if let Some(seconds) = args.int("destroy_grace_seconds").filter(|it| *it > 0) {
        say(call, "Stopping", None);
        let options = StopContainerOptions {
            t: Some(i32::try_from(seconds).unwrap_or(i32::MAX)),
            signal: None,
        };
        match engine.docker.stop_container(id, Some(options)).await {
            Ok(()) => {}
            Err(error) if is_missing(&error) => return Ok(()),
            // Forced removal stops it, too.
            Err(_) => {}
        }
    }
    let options = RemoveContainerOptions {
        force: true,
        v: args.bool("remove_volumes") != Some(false),
        link: false,
    };
    match engine.docker.remove_container(id, Some(options)).await {
        Ok(()) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        // Someone else, or its own `rm`, is removing it.
        Err(error) if status(&error) == Some(409) => run::wait_gone(engine, id, &doing).await,
        Err(error) => Err(fail(&doing, &error)),
    }
}
