//! `docker_registry_image`: an image pushed to a registry, and what the registry says of one.

use bollard::query_parameters::PushImageOptions;
use futures_util::StreamExt as _;
use plumb_model::event::Remote;
use plumb_model::schema::Problem;
use plumb_model::value::{Path, Value};
use plumb_provider::{CallContext, Failure, Outcome};

use crate::args::{Args, with};
use crate::failure::{OrFail as _, fail, found, is_lost, whole};
use crate::image::{by_text, hinted};
use crate::provider::{Engine, refuse, say};
use crate::reference::Reference;
use crate::registry::RegistryError;

pub(crate) fn validate(config: &Value) -> Vec<Problem> {
    if Args(config).block("build").is_none() {
        return Vec::new();
    }
    vec![Problem {
        path: Path::default().attr("build"),
        summary: "Unsupported block type".to_owned(),
        detail: "Build the image with docker_image and push its name.".to_owned(),
    }]
}

fn parse(args: Args<'_>) -> Result<Reference, Failure> {
    let name = Reference::parse(args.str("name").unwrap_or_default());
    name.map(Reference::or_latest).map_err(|e| Failure::new("Invalid image name", format!("{e}.")))
}

pub(crate) async fn create(engine: &Engine, call: &CallContext, planned: &Value) -> Outcome {
    let args = Args(planned);
    let reference = match parse(args) {
        Ok(reference) => reference,
        Err(failure) => return Outcome::failed(failure),
    };
    let doing = format!("push the image \"{reference}\"");
    let credentials = match engine.credentials(&reference, args.block("auth_config")).await {
        Ok(credentials) => credentials,
        Err(failure) => return Outcome::failed(failure),
    };
    match by_text(engine, &reference.familiar_tag()).await {
        Ok(Some(_)) => {}
        Ok(None) => {
            return Outcome::failed(refuse(&doing, "The engine has no image of this name."));
        }
        Err(failure) => return Outcome::failed(failure),
    }
    let options = PushImageOptions { tag: reference.tag.clone(), platform: None };
    let name = reference.familiar_repository();
    let mut stream = engine.docker.push_image(&name, Some(options), credentials.map(Into::into));
    while let Some(piece) = stream.next().await {
        match piece {
            Ok(piece) => {
                let amount = piece
                    .progress_detail
                    .and_then(|it| Some((it.current?.unsigned_abs(), it.total?.unsigned_abs())));
                say(call, "Pushing", amount);
            }
            Err(error) if is_lost(&error) => return Outcome::lost(fail(&doing, &error)),
            Err(error) => return Outcome::failed(fail(&doing, &hinted(error))),
        }
    }
    match digest(engine, args).await {
        Ok(Some(digest)) => Outcome::made(settle(planned, &digest)),
        Ok(None) => Outcome::failed(refuse(&doing, "The registry does not have it afterwards.")),
        Err(failure) => Outcome::lost(failure),
    }
}

fn settle(base: &Value, digest: &str) -> Value {
    with(base, [("id", Value::string(digest)), ("sha256_digest", Value::string(digest))])
}

/// The digest in the registry. Asked directly; where the registry is out of our reach but not out
/// of the engine's, through the engine.
pub(crate) async fn digest(engine: &Engine, args: Args<'_>) -> Result<Option<String>, Failure> {
    let reference = parse(args)?;
    let credentials = engine.credentials(&reference, args.block("auth_config")).await?;
    let insecure = args.is("insecure_skip_verify");
    let doing = || format!("look up \"{reference}\" in its registry");
    let asked = engine.registry()?.digest(&reference, credentials.as_ref(), insecure).await;
    match asked {
        Err(RegistryError::Unreachable { .. }) => {
            let name = format!("{}:{}", reference.familiar_repository(), reference.tag_or_digest());
            let name = reference.familiar_digest().unwrap_or(name);
            let credentials = credentials.map(Into::into);
            let answer = engine.docker.inspect_registry_image(&name, credentials).await;
            let direct = asked.or_fail(doing);
            match found(answer, doing) {
                Ok(None) => Ok(None),
                Ok(Some(it)) => match it.descriptor.digest {
                    Some(digest) => Ok(Some(digest)),
                    None => direct,
                },
                Err(_) => direct,
            }
        }
        answer => answer.or_fail(doing),
    }
}

/// What the registry has under the name by now is not what we pushed: push again.
pub(crate) async fn read(engine: &Engine, prior: &Remote) -> Result<Option<Remote>, Failure> {
    let args = Args(&prior.attrs);
    let now = digest(engine, args).await?;
    Ok((now.as_deref() == args.str("sha256_digest")).then(|| prior.clone()))
}

/// Pushing twice is pushing once: it is there if the registry has what the engine would push.
pub(crate) async fn find(engine: &Engine, planned: &Value) -> Result<Option<Remote>, Failure> {
    let args = Args(planned);
    let reference = parse(args)?;
    let Some(there) = digest(engine, args).await? else { return Ok(None) };
    let Some((_, digests)) = by_text(engine, &reference.familiar_tag()).await? else {
        return Ok(None);
    };
    let pushed = format!("{}@{there}", reference.familiar_repository());
    Ok(digests.contains(&pushed).then(|| whole(settle(planned, &there))))
}

pub(crate) async fn delete(engine: &Engine, prior: &Value) -> Result<(), Failure> {
    let args = Args(prior);
    if args.is("keep_remotely") {
        return Ok(());
    }
    let reference = parse(args)?;
    let credentials = engine.credentials(&reference, args.block("auth_config")).await?;
    let insecure = args.is("insecure_skip_verify");
    let digest = args.str("sha256_digest").unwrap_or_default();
    let deleted =
        engine.registry()?.delete(&reference, digest, credentials.as_ref(), insecure).await;
    deleted.or_fail(|| format!("delete \"{reference}\" from its registry"))
}
