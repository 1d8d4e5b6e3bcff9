//! Data sources.

use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use plumb_model::addr::Kind;
use plumb_model::value::Value;
use plumb_provider::Failure;

use crate::args::{Args, flag, string_list, string_map, text, with};
use crate::build::add_query;
use crate::failure::{OrFail as _, found};
use crate::image::{by_text, repo_digest};
use crate::network::ipam_configs;
use crate::provider::{Engine, refuse};
use crate::reference::Reference;
use crate::registry_image;

/// The configuration with defaults where it says nothing.
pub(crate) fn defaulted(kind: &Kind, config: &Value) -> Value {
    let schema = crate::schema::provider();
    let Some(data) = schema.data.get(kind) else { return config.clone() };
    let args = Args(config);
    let defaults = data.block.attributes().iter().filter_map(|(name, it)| {
        Some((&**name, it.default.clone().filter(|_| args.get(name).is_none())?))
    });
    with(config, defaults)
}

pub(crate) async fn image(engine: &Engine, config: &Value) -> Result<Value, Failure> {
    let name = Args(config).str("name").unwrap_or_default();
    let Some((id, digests)) = by_text(engine, name).await? else {
        let why =
            format!("The engine has no image \"{name}\". To pull it, use a docker_image resource.");
        return Err(refuse("find the image", why));
    };
    let digest = Reference::parse(name).ok().and_then(|it| repo_digest(&it, &digests));
    Ok(with(
        config,
        [("id", Value::string(id)), ("repo_digest", Value::string(digest.unwrap_or_default()))],
    ))
}

pub(crate) async fn network(engine: &Engine, config: &Value) -> Result<Value, Failure> {
    let name = Args(config).str("name").unwrap_or_default();
    let all = engine.networks(None).await?;
    let mut same = all.iter().filter(|it| it.name.as_deref() == Some(name));
    let Some(network) = same.next() else {
        return Err(refuse("find the network", format!("The engine has no network \"{name}\".")));
    };
    if same.next().is_some() {
        let why =
            format!("The engine has several networks \"{name}\"; it is not clear which is meant.");
        return Err(refuse("find the network", why));
    }
    let options = network.options.clone().unwrap_or_default();
    let options: std::collections::BTreeMap<_, _> = options.into_iter().collect();
    Ok(with(
        config,
        [
            ("id", text(network.id.as_ref())),
            ("driver", text(network.driver.as_ref())),
            ("internal", flag(network.internal)),
            ("scope", text(network.scope.as_ref())),
            ("options", string_map(&options)),
            ("ipam_config", ipam_configs(network.ipam.as_ref())),
        ],
    ))
}

pub(crate) async fn registry_image(engine: &Engine, config: &Value) -> Result<Value, Failure> {
    let args = Args(config);
    let Some(digest) = registry_image::digest(engine, args).await? else {
        let name = args.str("name").unwrap_or_default();
        return Err(refuse("find the image", format!("The registry has no image \"{name}\".")));
    };
    Ok(with(
        config,
        [("id", Value::string(digest.as_str())), ("sha256_digest", Value::string(digest.as_str()))],
    ))
}

pub(crate) async fn logs(engine: &Engine, config: &Value) -> Result<Value, Failure> {
    let args = Args(config);
    let name = args.str("name").unwrap_or_default();
    let doing = || format!("read the logs of the container \"{name}\"");
    if args.bool("discard_headers") == Some(false) {
        return Err(refuse(
            &doing(),
            "The engine's framing cannot be kept: leave discard_headers out.",
        ));
    }
    let when = |argument: &str| match args.str(argument).map(str::parse) {
        None => Ok(0),
        Some(Ok(seconds)) => Ok(seconds),
        Some(Err(_)) => {
            Err(refuse(&doing(), format!("\"{argument}\" must be a number of seconds since 1970.")))
        }
    };
    let answer = engine
        .docker
        .inspect_container(name, None::<bollard::query_parameters::InspectContainerOptions>);
    let Some(container) = found(answer.await, doing)? else {
        return Err(refuse(&doing(), "There is no such container."));
    };
    let options = LogsOptions {
        follow: args.is("follow"),
        stdout: args.bool("show_stdout") != Some(false),
        stderr: args.bool("show_stderr") != Some(false),
        since: when("since")?,
        until: when("until")?,
        timestamps: args.is("timestamps"),
        tail: args.string("tail").unwrap_or_else(|| "all".to_owned()),
    };
    let details = args.is("details").then(|| ("details", "true".to_owned()));
    let docker =
        engine.docker.clone().with_request_modifier(add_query(details.into_iter().collect()));
    let mut stream = std::pin::pin!(docker.logs(name, Some(options)));
    let mut all = Vec::new();
    while let Some(piece) = stream.next().await {
        all.extend_from_slice(&piece.or_fail(doing)?.into_bytes());
    }
    let all = String::from_utf8_lossy(&all);
    let lines: Vec<_> = match args.bool("logs_list_string_enabled") {
        Some(false) => Vec::new(),
        _ => all.lines().collect(),
    };
    Ok(with(config, [("id", text(container.id)), ("logs_list_string", string_list(lines))]))
}
