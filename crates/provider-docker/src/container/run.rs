//! A container's life after it is made: files put in, start, waiting for what is expected of it.

use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine as _;
use bollard::models::{ContainerInspectResponse, ContainerStateStatusEnum, HealthStatusEnum};
use bollard::query_parameters::{
    LogsOptions, StartContainerOptions, UploadToContainerOptions, WaitContainerOptions,
};
use futures_util::StreamExt as _;
use plumb_provider::{CallContext, Failure};

use super::inspect;
use crate::args::Args;
use crate::failure::{OrFail as _, fail, is_missing};
use crate::provider::{Engine, refuse, say};

/// The archive of all `upload` blocks, read before anything is made; none without such blocks.
pub(super) async fn uploads(args: Args<'_>, directory: &Path) -> Result<Option<Vec<u8>>, String> {
    let mut tar = tar::Builder::new(Vec::new());
    let mut any = false;
    for upload in args.blocks("upload") {
        let file = upload.str("file").unwrap_or_default();
        let content =
            match (upload.get("content"), upload.str("content_base64"), upload.str("source")) {
                (_, Some(text), _) => base64::prelude::BASE64_STANDARD
                    .decode(text)
                    .map_err(|e| format!("content_base64 of \"{file}\" is not base64: {e}."))?,
                (_, _, Some(source)) => {
                    let path = directory.join(source);
                    let read = tokio::fs::read(&path).await;
                    read.map_err(|e| format!("Cannot read \"{}\": {e}.", path.display()))?
                }
                (Some(text), _, _) => text.as_str().unwrap_or_default().as_bytes().to_vec(),
                _ => Vec::new(),
            };
        let mode = match (upload.str("permissions"), upload.is("executable")) {
            (Some(mode), _) => u32::from_str_radix(mode, 8).unwrap_or(0o644),
            (None, true) => 0o744,
            (None, false) => 0o644,
        };
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(mode);
        header.set_uid(0);
        header.set_gid(0);
        header.set_mtime(0);
        let path = file.trim_start_matches('/');
        let added = tar.append_data(&mut header, path, content.as_slice());
        added.map_err(|e| format!("Cannot upload \"{file}\": {e}."))?;
        any = true;
    }
    let bytes = tar.into_inner().map_err(|e| format!("Cannot make an archive: {e}."))?;
    Ok(any.then_some(bytes))
}

pub(super) async fn upload(engine: &Engine, id: &str, tar: Option<Vec<u8>>) -> Result<(), Failure> {
    let Some(tar) = tar else { return Ok(()) };
    let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
    let body = bollard::body_full(tar.into());
    let done = engine.docker.upload_to_container(id, Some(options), body).await;
    done.or_fail(|| "upload files to the container".to_owned())
}

/// Starts it, and waits for what the arguments expect. Gives its output if that is asked for.
pub(super) async fn start(
    engine: &Engine,
    call: &CallContext,
    id: &str,
    args: Args<'_>,
) -> Result<Option<String>, Failure> {
    let name = args.str("name").unwrap_or(id);
    let attach = args.is("attach");
    // With `rm` it may be gone before anyone could ask how it ended.
    let mut end = attach.then(|| {
        let options = WaitContainerOptions { condition: "next-exit".to_owned() };
        Box::pin(engine.docker.wait_container(id, Some(options)))
    });
    let started = async {
        let started = engine.docker.start_container(id, None::<StartContainerOptions>).await;
        started.or_fail(|| format!("start the container \"{name}\""))
    };
    if let Some(end) = &mut end {
        // The wait must be on its way before the start, or a short life is missed.
        let first = end.next();
        tokio::pin!(first);
        let waited = tokio::select! {
            biased;
            waited = &mut first => waited,
            () = tokio::time::sleep(Duration::from_millis(50)) => {
                started.await?;
                say(call, "Waiting for it to finish", None);
                first.await
            }
        };
        match waited {
            // Ending in failure is an end, too: exit_code says so.
            None | Some(Ok(_)) => {}
            Some(Err(bollard::errors::Error::DockerContainerWaitError { .. })) => {}
            Some(Err(error)) if is_missing(&error) && args.is("rm") => {}
            Some(Err(error)) => {
                return Err(fail(&format!("wait for the container \"{name}\""), &error));
            }
        }
        return match args.is("logs") {
            true => output(engine, id, "all").await.map(Some),
            false => Ok(None),
        };
    }
    started.await?;
    if args.is("wait") {
        healthy(engine, call, id, args).await?;
    } else if args.is("must_run") && !args.is("rm") {
        up(engine, id, args).await?;
    }
    Ok(None)
}

/// Sees to it that it is up: a process that dies at once has not been started.
async fn up(engine: &Engine, id: &str, args: Args<'_>) -> Result<(), Failure> {
    let name = args.str("name").unwrap_or(id);
    let limit = args.int("container_read_refresh_timeout_milliseconds").unwrap_or(15_000);
    let limit = Duration::from_millis(limit.unsigned_abs());
    let begun = Instant::now();
    let mut seen_up = 0;
    loop {
        let Some(now) = inspect(engine, id).await? else {
            return Err(refuse(&format!("start the container \"{name}\""), "It is gone again."));
        };
        let state = now.state.unwrap_or_default();
        match state.status {
            Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD) => {
                return Err(died(engine, id, name, state.exit_code).await);
            }
            Some(ContainerStateStatusEnum::RUNNING) => seen_up += 1,
            _ => seen_up = 0,
        }
        // Twice, so that a command that does not exist in the image is noticed.
        if seen_up >= 2 {
            return Ok(());
        }
        if begun.elapsed() > limit {
            let why = format!("It is not running after {} s.", limit.as_secs());
            return Err(refuse(&format!("start the container \"{name}\""), why));
        }
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
}

async fn died(engine: &Engine, id: &str, name: &str, code: Option<i64>) -> Failure {
    let code = code.unwrap_or_default();
    let mut why = format!("Its process ended at once, with exit code {code}.");
    if let Ok(last) = output(engine, id, "10").await
        && !last.trim().is_empty()
    {
        why = format!("{why}\n\nIts last words:\n{}", last.trim_end());
    }
    why += "\n\nFor a container that is meant to end, set must_run = false, or attach = true to wait for it.";
    refuse(&format!("start the container \"{name}\""), why)
}

async fn output(engine: &Engine, id: &str, tail: &str) -> Result<String, Failure> {
    let options =
        LogsOptions { stdout: true, stderr: true, tail: tail.to_owned(), ..Default::default() };
    let mut stream = std::pin::pin!(engine.docker.logs(id, Some(options)));
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => all.extend_from_slice(&piece.into_bytes()),
            // Gone with `rm`, and its output with it.
            Err(error) if is_missing(&error) => break,
            Err(error) => return Err(fail("read the container's output", &error)),
        }
    }
    Ok(String::from_utf8_lossy(&all).into_owned())
}

async fn healthy(
    engine: &Engine,
    call: &CallContext,
    id: &str,
    args: Args<'_>,
) -> Result<(), Failure> {
    let name = args.str("name").unwrap_or(id);
    let doing = format!("wait for the container \"{name}\" to be healthy");
    let seconds = args.int("wait_timeout").unwrap_or(60).unsigned_abs();
    let begun = Instant::now();
    loop {
        let Some(now) = inspect(engine, id).await? else {
            return Err(refuse(&doing, "It is gone again."));
        };
        let state = now.state.unwrap_or_default();
        if matches!(
            state.status,
            Some(ContainerStateStatusEnum::EXITED | ContainerStateStatusEnum::DEAD)
        ) {
            return Err(died(engine, id, name, state.exit_code).await);
        }
        let health = state.health.unwrap_or_default();
        match health.status {
            Some(HealthStatusEnum::HEALTHY) => return Ok(()),
            Some(HealthStatusEnum::UNHEALTHY) => {
                let last = health.log.unwrap_or_default().pop().and_then(|it| it.output);
                let last = last.unwrap_or_default();
                return Err(refuse(&doing, format!("Its health check fails. {}", last.trim())));
            }
            Some(HealthStatusEnum::STARTING) => {}
            _ => {
                return Err(refuse(
                    &doing,
                    "It has no health check: give it one, or leave out wait.",
                ));
            }
        }
        if begun.elapsed() > Duration::from_secs(seconds) {
            return Err(refuse(&doing, format!("It is not healthy after {seconds} s.")));
        }
        say(call, "Waiting until it is healthy", None);
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

/// Starts it if it has to run and does not.
pub(super) async fn keep_running(
    engine: &Engine,
    call: &CallContext,
    id: &str,
    args: Args<'_>,
    now: &ContainerInspectResponse,
) -> Result<Option<String>, Failure> {
    let status = now.state.as_ref().and_then(|it| it.status);
    let enforced = args.is("must_run") && args.bool("start") != Some(false) && !args.is("attach");
    let down = matches!(
        status,
        Some(
            ContainerStateStatusEnum::EXITED
                | ContainerStateStatusEnum::CREATED
                | ContainerStateStatusEnum::DEAD
        )
    );
    match enforced && down {
        true => start(engine, call, id, args).await,
        false => Ok(None),
    }
}

/// Waits for a removal that is already under way.
pub(super) async fn wait_gone(engine: &Engine, id: &str, doing: &str) -> Result<(), Failure> {
    for _ in 0..100 {
        if inspect(engine, id).await?.is_none() {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    Err(refuse(doing, "It is still being removed after 10 s.").transient())
}
