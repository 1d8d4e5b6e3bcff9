//! `docker_tag`: another name for an image.

use plumb_model::event::Remote;
use plumb_model::value::Value;
use plumb_provider::{Failure, Outcome};

use crate::args::{Args, with};
use crate::failure::whole;
use crate::image;
use crate::provider::{Engine, Lists, listed, refuse};
use crate::reference::Reference;

pub(crate) async fn create(engine: &Engine, planned: &Value) -> Outcome {
    match make(engine, planned).await {
        Ok(attrs) => Outcome::made(attrs),
        Err(failure) => Outcome::failed(failure),
    }
}

async fn make(engine: &Engine, planned: &Value) -> Result<Value, Failure> {
    let args = Args(planned);
    let (source, target) = names(args);
    let doing = format!("tag \"{source}\" as \"{target}\"");
    let Some((id, _)) = image::by_text(engine, source).await? else {
        return Err(refuse(&doing, format!("The engine has no image \"{source}\".")));
    };
    let name = Reference::parse(target).map_err(|e| refuse(&doing, format!("{e}.")))?;
    if name.digest.is_some() {
        return Err(refuse(&doing, "A tag cannot hold a digest."));
    }
    image::tag(engine, &id, &name).await?;
    Ok(settle(planned, &id))
}

fn names<'a>(args: Args<'a>) -> (&'a str, &'a str) {
    (args.str("source_image").unwrap_or_default(), args.str("target_image").unwrap_or_default())
}

fn settle(base: &Value, image: &str) -> Value {
    let (source, target) = names(Args(base));
    let id = format!("{source}.{target}");
    with(base, [("id", Value::string(id)), ("source_image_id", Value::string(image))])
}

/// A name that means another image by now is as good as gone: it is given again.
pub(crate) fn read(lists: &Lists, prior: &Remote) -> Result<Option<Remote>, Failure> {
    let args = Args(&prior.attrs);
    let now = image::named(listed(&lists.images)?, names(args).1);
    let same = now.is_some_and(|it| Some(it.id.as_str()) == args.str("source_image_id"));
    Ok(same.then(|| prior.clone()))
}

/// Tagging twice is tagging once, so all that matters is what the name means now.
pub(crate) async fn find(engine: &Engine, planned: &Value) -> Result<Option<Remote>, Failure> {
    let (source, target) = names(Args(planned));
    let source = image::by_text(engine, source).await?;
    let target = image::by_text(engine, target).await?;
    Ok(match (source, target) {
        (Some((source, _)), Some((target, _))) if source == target => {
            Some(whole(settle(planned, &target)))
        }
        _ => None,
    })
}

pub(crate) async fn delete(engine: &Engine, prior: &Value) -> Result<(), Failure> {
    let args = Args(prior);
    let image = args.str("source_image_id").unwrap_or_default();
    let target = names(args).1.to_owned();
    let Some((id, _)) = image::by_text(engine, &target).await? else { return Ok(()) };
    if id != image {
        return Ok(());
    }
    let doing = format!("remove the tag \"{target}\"");
    match engine
        .docker
        .remove_image(&target, None::<bollard::query_parameters::RemoveImageOptions>, None)
        .await
    {
        Ok(_) => Ok(()),
        Err(error) if crate::failure::is_missing(&error) => Ok(()),
        Err(error) => Err(crate::failure::fail(&doing, &error)),
    }
}
