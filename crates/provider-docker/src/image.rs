//! `docker_image`: pulled by name, or built from a context.
//!
//! The object is "this image, under this name". A name that has come to mean another image has been
//! lost, which an update mends; an image that is gone is made anew.

use std::collections::BTreeMap;

use bollard::models::ImageSummary;
use bollard::query_parameters::{CreateImageOptions, RemoveImageOptions, TagImageOptions};
use futures_util::StreamExt as _;
use plumb_model::event::Remote;
use plumb_model::schema::{Problem, RefineInput, Refined};
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};

use crate::args::{Args, text, with};
use crate::build;
use crate::failure::{OrFail as _, fail, found, half_changed, is_lost, is_missing, status, whole};
use crate::provider::{Engine, Lists, listed, refuse, say};
use crate::reference::{ImageName, Reference};

/// The fact that a plan needs of a build context.
pub(crate) const CONTEXT_HASH: &str = "context_hash";

/// Another context, another image; a lost name is given back without making anything anew.
pub(crate) fn refine(input: RefineInput<'_>) -> Refined {
    let (config, proposed) = (Args(input.config), Args(&input.proposed));
    let build_unknown = input.config.get_attr("build").is_some_and(|it| !it.is_known());
    let hash = match proposed.block("build") {
        _ if build_unknown => Value::unknown(Type::String),
        None => Value::null(Type::String),
        Some(build) => match (build.get("context"), build.get("dockerfile")) {
            (Some(context), _) if context.as_str().is_some_and(build::is_remote) => {
                Value::string("remote")
            }
            (Some(context), Some(dockerfile)) => {
                let query = Value::object([
                    ("context", context.clone()),
                    ("dockerfile", dockerfile.clone()),
                ]);
                let asked = (input.facts)(CONTEXT_HASH, &query);
                asked.unwrap_or_else(|| Value::unknown(Type::String))
            }
            _ => Value::unknown(Type::String),
        },
    };
    let mut replace = Vec::new();
    if let Some(had) = input.prior.and_then(|prior| Args(prior).str("name"))
        && config.str("name") != Some(had)
    {
        replace.push(Path::default().attr("name"));
    }
    Refined { replace, ..Refined::new(with(&input.proposed, [("context_hash", hash)])) }
}

pub(crate) fn validate(config: &Value) -> Vec<Problem> {
    let args = Args(config);
    let mut problems = Vec::new();
    if let Some(name) = args.get("name").and_then(Value::as_str)
        && let Err(e) = Reference::parse(name)
    {
        problems.push(Problem {
            path: Path::default().attr("name"),
            summary: "Invalid image name".to_owned(),
            detail: format!("{e}."),
        });
    }
    if args.block("build").is_some() && args.get("pull_triggers").is_some() {
        problems.push(Problem {
            path: Path::default().attr("pull_triggers"),
            summary: "Conflicting configuration arguments".to_owned(),
            detail: "An image that is built is not pulled: use \"triggers\".".to_owned(),
        });
    }
    if let Some(build) = args.block("build") {
        problems.extend(build::validate(build, &Path::default().attr("build")));
    }
    problems
}

pub(crate) async fn create(engine: &Engine, call: &CallContext, planned: &Value) -> Outcome {
    let args = Args(planned);
    let name = args.str("name").unwrap_or_default();
    let reference = match Reference::parse(name) {
        Ok(reference) => reference.or_latest(),
        Err(e) => return Outcome::failed(Failure::new("Invalid image name", format!("{e}."))),
    };
    let made = match args.block("build") {
        Some(block) => build::build(engine, call, &reference, block).await.map(Some),
        None => obtain(engine, call, &reference, args).await.map(|()| None),
    };
    let built_from = match made {
        Ok(hash) => hash,
        // Pulling and building name the image as their last act, so there is nothing half-made,
        // and after a lost reply `find` sees whether that act happened.
        Err(NotMade { why, lost: true }) => return Outcome::lost(why),
        Err(NotMade { why, lost: false }) => return Outcome::failed(why),
    };
    // What was planned is what was promised, even if a file has changed since.
    let hash = args.string("context_hash").or(built_from);
    match by_engine(engine, &reference).await {
        Ok(Some(image)) => {
            let planned = with(planned, [("context_hash", text(hash))]);
            Outcome::made(settle(&planned, name, &image.0, image.1))
        }
        Ok(None) => {
            let doing = format!("make the image \"{name}\"");
            Outcome::failed(refuse(&doing, "The engine reports success but has no such image."))
        }
        Err(failure) => Outcome::lost(failure),
    }
}

/// A failure, and whether the engine may have finished all the same.
pub(crate) struct NotMade {
    pub(crate) why: Failure,
    pub(crate) lost: bool,
}

impl From<Failure> for NotMade {
    fn from(why: Failure) -> NotMade {
        NotMade { why, lost: false }
    }
}

impl NotMade {
    pub(crate) fn of(doing: &str, error: &bollard::errors::Error) -> NotMade {
        NotMade { why: fail(doing, error), lost: is_lost(error) }
    }
}

/// Pulls, unless the image is there already and nothing asks for a fresh one.
async fn obtain(
    engine: &Engine,
    call: &CallContext,
    reference: &Reference,
    args: Args<'_>,
) -> Result<(), NotMade> {
    if args.get("pull_triggers").is_none() && by_engine(engine, reference).await?.is_some() {
        return Ok(());
    }
    let doing = format!("pull the image \"{reference}\"");
    let credentials = engine.credentials(reference, None).await?;
    let from = match reference.host.as_str() {
        crate::reference::DOCKER_HUB => reference.familiar_repository(),
        host => format!("{host}/{}", reference.repository),
    };
    let options = CreateImageOptions {
        from_image: Some(from),
        tag: Some(reference.tag_or_digest().to_owned()),
        platform: args.string("platform").unwrap_or_default(),
        ..Default::default()
    };
    let mut stream = engine.docker.create_image(Some(options), None, credentials.map(Into::into));
    let mut layers: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    say(call, "Pulling", None);
    while let Some(piece) = stream.next().await {
        let piece = piece.map_err(|error| NotMade::of(&doing, &hinted(error)))?;
        let (Some(status), Some(detail)) = (piece.status, piece.progress_detail) else { continue };
        if let (Some(layer), Some(done), Some(total)) = (piece.id, detail.current, detail.total)
            && status == "Downloading"
        {
            layers.insert(layer, (done.unsigned_abs(), total.unsigned_abs()));
        }
        let amount = layers.values().fold((0, 0), |sum, it| (sum.0 + it.0, sum.1 + it.1));
        say(call, "Pulling", (amount.1 > 0).then_some(amount));
    }
    Ok(())
}

/// The engine's words for missing credentials are a riddle.
pub(crate) fn hinted(error: bollard::errors::Error) -> bollard::errors::Error {
    use bollard::errors::Error::{DockerResponseServerError, DockerStreamError};
    let hint = |said: String| match said.contains("no basic auth credentials")
        || said.contains("unauthorized")
    {
        true => format!(
            "{said}. The registry wants credentials: add registry_auth to the provider or run docker login"
        ),
        false => said,
    };
    match error {
        DockerResponseServerError { status_code, message } => {
            DockerResponseServerError { status_code, message: hint(message) }
        }
        DockerStreamError { error } => DockerStreamError { error: hint(error) },
        other => other,
    }
}

/// Id and digests of the image that the engine has under a name or id.
pub(crate) async fn by_text(
    engine: &Engine,
    name: &str,
) -> Result<Option<(String, Vec<String>)>, Failure> {
    let answer = engine.docker.inspect_image(name).await;
    let image = found(answer, || format!("look for the image \"{name}\""))?;
    Ok(image.and_then(|it| Some((it.id?, it.repo_digests.unwrap_or_default()))))
}

async fn by_engine(
    engine: &Engine,
    reference: &Reference,
) -> Result<Option<(String, Vec<String>)>, Failure> {
    let name = reference.familiar_digest().unwrap_or_else(|| reference.familiar_tag());
    by_text(engine, &name).await
}

/// The digest under which the name's registry knows the image.
pub(crate) fn repo_digest(reference: &Reference, digests: &[String]) -> Option<String> {
    let prefix = format!("{}@", reference.familiar_repository());
    let mut ours: Vec<_> = digests.iter().filter(|it| it.starts_with(&prefix)).collect();
    ours.sort();
    ours.first().map(|it| (*it).clone())
}

fn settle(base: &Value, name: &str, id: &str, digests: Vec<String>) -> Value {
    let digest = Reference::parse(name).ok().and_then(|it| repo_digest(&it, &digests));
    with(
        base,
        [
            ("name", Value::string(name)),
            ("id", Value::string(format!("{id}{name}"))),
            ("image_id", Value::string(id)),
            // Empty as the kreuzwerker provider has it, so that expressions over it work.
            ("repo_digest", Value::string(digest.unwrap_or_default())),
        ],
    )
}

/// The image that goes by the name.
pub(crate) fn named<'a>(images: &'a [ImageSummary], text: &str) -> Option<&'a ImageSummary> {
    match ImageName::parse(text).ok()? {
        ImageName::Id(id) => images.iter().find(|it| it.id == id),
        ImageName::Name(reference) => {
            images.iter().find(|it| reference.names(&it.repo_tags, &it.repo_digests))
        }
    }
}

/// The name that the object was given, even if it has lost it.
fn given_name<'a>(args: Args<'a>) -> &'a str {
    let id = args.str("id").unwrap_or_default();
    let image_id = args.str("image_id").unwrap_or_default();
    let from_id = id.strip_prefix(image_id).filter(|it| !it.is_empty());
    from_id.or(args.str("name")).unwrap_or_default()
}

pub(crate) fn read(lists: &Lists, prior: &Remote) -> Result<Option<Remote>, Failure> {
    let images = listed(&lists.images)?;
    let args = Args(&prior.attrs);
    let (name, image_id) = (given_name(args), args.str("image_id").unwrap_or_default());
    let ours = images.iter().find(|it| it.id == image_id);
    let now = named(images, name);
    let pulled = |it: &ImageSummary| {
        let reference = Reference::parse(name).ok();
        args.str("context_hash").is_none()
            && reference.is_some_and(|name| repo_digest(&name, &it.repo_digests).is_some())
    };
    let attrs = match (now, ours) {
        (Some(now), _) if now.id == image_id || pulled(now) => {
            settle(&prior.attrs, name, &now.id, now.repo_digests.clone())
        }
        (_, Some(_)) => with(&prior.attrs, [("name", Value::string(""))]),
        (_, None) => return Ok(None),
    };
    Ok(Some(Remote { attrs, ..prior.clone() }))
}

pub(crate) async fn find(
    engine: &Engine,
    token: Token,
    planned: &Value,
) -> Result<Option<Remote>, Failure> {
    let args = Args(planned);
    let name = args.str("name").unwrap_or_default();
    let images = match args.block("build") {
        Some(_) => engine.images(Some(token)).await?,
        None => engine.images(None).await?,
    };
    let image = match args.block("build") {
        // A build that was cut off leaves an unnamed image, perhaps without all of its labels.
        Some(_) => images.iter().max_by_key(|it| !it.repo_tags.is_empty()),
        None => named(&images, name),
    };
    Ok(image.map(|it| {
        let attrs = settle(planned, name, &it.id, it.repo_digests.clone());
        Remote { attrs, private: None, complete: !it.repo_tags.is_empty() }
    }))
}

pub(crate) async fn import(engine: &Engine, id: &str) -> Result<Option<Remote>, Failure> {
    let Some((image, digests)) = by_text(engine, id).await? else { return Ok(None) };
    let empty = crate::import::empty(&crate::schema::provider(), "docker_image");
    Ok(Some(whole(settle(&empty, id, &image, digests))))
}

/// Gives the name back to the image.
pub(crate) async fn update(engine: &Engine, prior: &Remote, planned: &Value) -> Outcome {
    let args = Args(planned);
    let (name, image) = (args.str("name").unwrap_or_default(), args.str("image_id"));
    if Args(&prior.attrs).str("name") != Some(name)
        && let (Ok(reference), Some(image)) = (Reference::parse(name), image)
        && let Err(failure) = tag(engine, image, &reference).await
    {
        return half_changed(prior.attrs.clone(), failure);
    }
    Outcome::made(planned.clone())
}

/// Makes the name mean the image.
pub(crate) async fn tag(engine: &Engine, image: &str, name: &Reference) -> Result<(), Failure> {
    let options = TagImageOptions {
        repo: Some(name.familiar_repository()),
        tag: Some(name.tag.clone().unwrap_or_else(|| "latest".to_owned())),
    };
    let doing = || format!("tag the image {image} as \"{name}\"");
    engine.docker.tag_image(image, Some(options)).await.or_fail(doing)
}

pub(crate) async fn delete(engine: &Engine, prior: &Value) -> Result<(), Failure> {
    let args = Args(prior);
    if args.is("keep_locally") {
        return Ok(());
    }
    let image = args.str("image_id").unwrap_or_default();
    let mut names = vec![given_name(args).to_owned()];
    names.extend(args.block("build").and_then(|it| it.strings("tag")).unwrap_or_default());
    remove(engine, image, &names, args.is("force_remove")).await
}

/// Takes the names from the image, which with the last of them is gone.
pub(crate) async fn remove(
    engine: &Engine,
    image: &str,
    names: &[String],
    force: bool,
) -> Result<(), Failure> {
    let options = RemoveImageOptions { force, ..Default::default() };
    for name in names {
        // A name that means something else by now is not ours to take.
        if by_text(engine, name).await?.is_none_or(|(id, _)| id != image) {
            continue;
        }
        let doing = format!("delete the image \"{name}\"");
        match engine.docker.remove_image(name, Some(options.clone()), None).await {
            Ok(_) => {}
            Err(error) if is_missing(&error) => {}
            Err(error) => {
                let mut failure = fail(&doing, &error);
                if status(&error) == Some(409) {
                    failure.detail += " Set force_remove to remove it all the same, \
                                       or keep_locally to leave it.";
                }
                return Err(failure);
            }
        }
    }
    // It had lost its name: as long as nothing uses it and nothing else names it, it goes, too.
    let answer = engine.docker.inspect_image(image).await;
    let left = found(answer, || format!("look for the image {image}"))?;
    if left.is_some_and(|it| it.repo_tags.is_none_or(|tags| tags.is_empty())) {
        let _ = engine.docker.remove_image(image, Some(options), None).await;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn summary(id: &str, tags: &[&str], digests: &[&str]) -> ImageSummary {
        let owned = |list: &[&str]| list.iter().map(|it| (*it).to_owned()).collect();
        ImageSummary {
            id: id.to_owned(),
            repo_tags: owned(tags),
            repo_digests: owned(digests),
            ..Default::default()
        }
    }

    fn stored(hash: Option<&str>) -> Remote {
        let empty = crate::import::empty(&crate::schema::provider(), "docker_image");
        let attrs = settle(&empty, "lab/node:1", "sha256:a", vec![]);
        whole(with(&attrs, [("context_hash", text(hash))]))
    }

    fn seen(images: Vec<ImageSummary>, prior: &Remote) -> String {
        let lists = Lists { images: Some(Ok(images)), ..Lists::default() };
        match read(&lists, prior).unwrap() {
            None => "gone".to_owned(),
            Some(now) => {
                let args = Args(&now.attrs);
                format!("{:?} {}", args.str("name"), args.str("image_id").unwrap_or_default())
            }
        }
    }

    #[test]
    fn what_became_of_an_image() {
        let (built, pulled) = (stored(Some("sha256:c")), stored(None));
        let named = || summary("sha256:a", &["lab/node:1"], &[]);
        assert_eq!(seen(vec![named()], &built), "Some(\"lab/node:1\") sha256:a");
        let untagged = || vec![summary("sha256:a", &[], &[])];
        assert_eq!(seen(untagged(), &built), "None sha256:a");
        assert_eq!(seen(vec![], &built), "gone");
        let retagged =
            vec![summary("sha256:a", &[], &[]), summary("sha256:b", &["lab/node:1"], &[])];
        assert_eq!(seen(retagged.clone(), &built), "None sha256:a");
        assert_eq!(seen(retagged, &pulled), "None sha256:a");
        let newer = vec![summary("sha256:b", &["lab/node:1"], &["lab/node@sha256:d"])];
        assert_eq!(seen(newer.clone(), &pulled), "Some(\"lab/node:1\") sha256:b");
        assert_eq!(seen(newer, &built), "gone");
    }
}
