//! `docker_commit`: a container's file system as an image.

use bollard::models::ContainerConfig;
use bollard::query_parameters::CommitContainerOptions;
use plumb_model::event::Remote;
use plumb_model::schema::{RefineInput, Refined};
use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_provider::{CallContext, Failure, Outcome};

use crate::args::{Args, number, with};
use crate::failure::{OrFail as _, half_changed, half_made, not_made, whole};
use crate::image;
use crate::provider::{Engine, Lists, TOKEN_LABEL, listed};
use crate::reference::Reference;

/// Another name needs another image, unless the image has merely lost its name.
pub(crate) fn refine(input: RefineInput<'_>) -> Refined {
    let mut replace = Vec::new();
    if let Some(prior) = input.prior
        && Args(prior).str("tag").is_some()
    {
        for name in ["repository", "tag"] {
            if Args(prior).get(name) != input.proposed.get_attr(name) {
                replace.push(Path::default().attr(name));
            }
        }
    }
    Refined { replace, ..Refined::new(input.proposed) }
}

fn name(args: Args<'_>) -> String {
    let tag = args.str("tag").unwrap_or("latest");
    format!("{}:{tag}", args.str("repository").unwrap_or_default())
}

pub(crate) async fn create(engine: &Engine, call: &CallContext, planned: &Value) -> Outcome {
    let args = Args(planned);
    let container = args.string("container").unwrap_or_default();
    let doing = format!("commit the container \"{container}\"");
    let name = match Reference::parse(&name(args)) {
        Ok(name) => name,
        Err(e) => return Outcome::failed(Failure::new("Invalid image name", format!("{e}."))),
    };
    let options = CommitContainerOptions {
        container: Some(container),
        repo: Some(name.familiar_repository()),
        tag: name.tag.clone(),
        comment: args.string("message"),
        author: args.string("author"),
        pause: args.bool("pause") != Some(false),
        changes: args.strings("changes").map(|it| it.join("\n")),
    };
    let labels = [(TOKEN_LABEL.to_owned(), call.token.to_string())];
    let config = ContainerConfig { labels: Some(labels.into()), ..Default::default() };
    let id = match engine.docker.commit_container(options, config).await {
        Ok(made) => made.id,
        Err(error) => return not_made(&doing, &error),
    };
    match engine.docker.inspect_image(&id).await.or_fail(|| format!("inspect the image {id}")) {
        Ok(image) => Outcome::made(settle(planned, &id, image.size)),
        Err(failure) => half_made(settle(planned, &id, None), failure),
    }
}

fn settle(base: &Value, id: &str, size: Option<i64>) -> Value {
    with(base, [("id", Value::string(id)), ("image_id", Value::string(id)), ("size", number(size))])
}

pub(crate) fn read(lists: &Lists, prior: &Remote) -> Result<Option<Remote>, Failure> {
    let images = listed(&lists.images)?;
    let args = Args(&prior.attrs);
    let id = args.str("image_id").unwrap_or_default();
    let Some(image) = images.iter().find(|it| it.id == id) else { return Ok(None) };
    let named = image::named(images, &name(args)).is_some_and(|it| it.id == id);
    let attrs = settle(&prior.attrs, id, Some(image.size));
    let attrs = match named {
        true => attrs,
        false => with(&attrs, [("tag", Value::string(""))]),
    };
    Ok(Some(Remote { attrs, ..prior.clone() }))
}

pub(crate) async fn find(
    engine: &Engine,
    token: Token,
    planned: &Value,
) -> Result<Option<Remote>, Failure> {
    let made = engine.images(Some(token)).await?;
    // A container inherits the label, but never the token of this very call.
    Ok(made.first().map(|it| whole(settle(planned, &it.id, Some(it.size)))))
}

/// Gives the name back to the image.
pub(crate) async fn update(engine: &Engine, prior: &Remote, planned: &Value) -> Outcome {
    let args = Args(planned);
    if name(Args(&prior.attrs)) != name(args) || Args(&prior.attrs).str("tag").is_none() {
        let image = args.str("image_id").unwrap_or_default();
        let tagged = match Reference::parse(&name(args)) {
            Ok(name) => image::tag(engine, image, &name).await,
            Err(e) => Err(Failure::new("Invalid image name", format!("{e}."))),
        };
        if let Err(failure) = tagged {
            return half_changed(prior.attrs.clone(), failure);
        }
    }
    Outcome::made(planned.clone())
}

pub(crate) async fn delete(engine: &Engine, prior: &Value) -> Result<(), Failure> {
    let args = Args(prior);
    if args.is("keep_locally") {
        return Ok(());
    }
    let image = args.str("image_id").unwrap_or_default();
    image::remove(engine, image, &[name(args)], args.is("force_remove")).await
}
