//! Building an image: the context goes to the engine's classic builder as it is read.

use std::collections::HashMap;

use bollard::auth::DockerCredentials;
use bollard::body_try_stream;
use bollard::query_parameters::BuildImageOptions;
use futures_util::StreamExt as _;
use plumb_model::schema::Problem;
use plumb_model::value::Path;
use plumb_provider::{CallContext, Failure};

use crate::args::Args;
use crate::context;
use crate::image::{NotMade, tag};
use crate::provider::{Engine, TOKEN_LABEL, say};
use crate::reference::Reference;

/// Arguments that only BuildKit could obey.
const NEEDS_BUILDKIT: &[&str] =
    &["additional_contexts", "build_id", "builder", "cache_to", "provenance", "sbom", "session_id"];

/// Whether a context is fetched by the engine.
pub(crate) fn is_remote(context: &str) -> bool {
    ["http://", "https://", "git://", "git@", "github.com/"]
        .iter()
        .any(|it| context.starts_with(it))
}

pub(crate) fn validate(build: Args<'_>, at: &Path) -> Vec<Problem> {
    let set =
        |name: &&&str| build.get(name).is_some_and(|it| !it.is_empty() && it.as_str() != Some(""));
    let unsupported = NEEDS_BUILDKIT.iter().filter(set).map(|name| Problem {
        path: at.clone().attr(name),
        summary: "Unsupported argument".to_owned(),
        detail: format!(
            "Images are built by the engine's classic builder, which has no \"{name}\"."
        ),
    });
    let mut problems: Vec<_> = unsupported.collect();
    if build.block("secrets").is_some() {
        problems.push(Problem {
            path: at.clone().attr("secrets"),
            summary: "Unsupported block type".to_owned(),
            detail: "Images are built by the engine's classic builder, which has no secrets."
                .to_owned(),
        });
    }
    if build.str("version").is_some_and(|it| it != "1") {
        problems.push(Problem {
            path: at.clone().attr("version"),
            summary: "Unsupported argument".to_owned(),
            detail: "Only version \"1\", the engine's classic builder, is supported.".to_owned(),
        });
    }
    problems
}

/// Builds and names an image; gives the hash of what it was built from.
pub(crate) async fn build(
    engine: &Engine,
    call: &CallContext,
    reference: &Reference,
    block: Args<'_>,
) -> Result<String, NotMade> {
    let doing = format!("build the image \"{reference}\"");
    let place = block.str("remote_context").or(block.str("context")).unwrap_or(".").to_owned();
    let mut options = options(block, call, reference)?;
    let credentials = credentials(engine, block);
    let docker = engine.docker.clone().with_request_modifier(more(block));
    let (hash, body) = if is_remote(&place) {
        options.remote = Some(place);
        ("remote".to_owned(), bollard::body_full(bytes::Bytes::new()))
    } else {
        let (root, dockerfile) = (engine.directory.join(&place), options.dockerfile.clone());
        let opened = tokio::task::spawn_blocking(move || {
            let context = context::open(&root, &dockerfile)?;
            let hash = context.hash()?;
            Ok::<_, context::ContextError>((context, hash))
        });
        let opened = opened
            .await
            .map_err(|e| Failure::new("Cannot read the build context", e.to_string()))?;
        let (context, hash) =
            opened.map_err(|e| Failure::new("Invalid build context", format!("{e}.")))?;
        options.dockerfile = context.dockerfile.clone();
        (hash, body_try_stream(context.stream()))
    };
    let mut stream = docker.build_image(options, Some(credentials), Some(body));
    let mut output = String::new();
    while let Some(piece) = stream.next().await {
        let piece = match piece {
            Ok(piece) => piece,
            Err(error) => {
                let mut not_made = NotMade::of(&doing, &error);
                not_made.why.transient |= lost_its_cache(&not_made.why.detail);
                not_made.why.detail = explained(&not_made.why.detail, &output);
                return Err(not_made);
            }
        };
        let Some(text) = piece.stream else { continue };
        output.push_str(&text);
        let line = text.trim();
        if !line.is_empty() {
            say(call, line, step(line));
        }
    }
    drop(stream);
    if let Some(path) = block.str("build_log_file") {
        let path = engine.directory.join(path);
        let written = tokio::fs::write(&path, &output).await;
        written.map_err(|e| {
            Failure::new("Cannot write build_log_file", format!("{}: {e}.", path.display()))
        })?;
    }
    for name in block.strings("tag").unwrap_or_default() {
        let name = Reference::parse(&name)
            .map_err(|e| Failure::new("Invalid image name", format!("{e}.")))?;
        tag(engine, &reference.familiar_tag(), &name).await?;
    }
    Ok(hash)
}

fn options(
    block: Args<'_>,
    call: &CallContext,
    reference: &Reference,
) -> Result<BuildImageOptions, Failure> {
    let mut labels = block.map("label").unwrap_or_default();
    labels.extend(block.map("labels").unwrap_or_default());
    labels.insert(TOKEN_LABEL.to_owned(), call.token.to_string());
    let small = |name: &str| match block.int(name).map(i32::try_from) {
        None => Ok(None),
        Some(Ok(number)) => Ok(Some(number)),
        Some(Err(_)) => Err(Failure::new(
            "Invalid argument of build",
            format!("\"{name}\" must be less than 2147483648."),
        )),
    };
    Ok(BuildImageOptions {
        dockerfile: block.string("dockerfile").unwrap_or_else(|| "Dockerfile".to_owned()),
        t: Some(reference.familiar_tag()),
        extrahosts: block.strings("extra_hosts").map(|it| it.join(",")),
        q: block.is("suppress_output"),
        nocache: block.is("no_cache"),
        cachefrom: block.strings("cache_from"),
        pull: block.is("pull_parent").then(|| "true".to_owned()),
        rm: block.bool("remove") != Some(false),
        forcerm: block.is("force_remove"),
        memory: small("memory")?,
        memswap: small("memory_swap")?,
        cpushares: small("cpu_shares")?,
        cpusetcpus: block.string("cpu_set_cpus"),
        cpuperiod: small("cpu_period")?,
        cpuquota: small("cpu_quota")?,
        buildargs: block.map("build_args"),
        shmsize: small("shm_size")?,
        squash: block.bool("squash"),
        labels: Some(labels),
        networkmode: block.string("network_mode"),
        platform: block.string("platform").unwrap_or_default(),
        target: block.string("target").unwrap_or_default(),
        ..Default::default()
    })
}

/// Parameters of the engine that the client library does not know.
fn more(
    block: Args<'_>,
) -> impl Fn(bollard::BollardRequest) -> bollard::BollardRequest + Send + Sync + 'static {
    let mut pairs = Vec::new();
    for (argument, parameter) in [
        ("cpu_set_mems", "cpusetmems"),
        ("cgroup_parent", "cgroupparent"),
        ("isolation", "isolation"),
    ] {
        if let Some(value) = block.string(argument) {
            pairs.push((parameter, value));
        }
    }
    if let Some(options) = block.strings("security_opt") {
        pairs.push(("securityopt", serde_json::json!(options).to_string()));
    }
    let limits: Vec<_> = block
        .blocks("ulimit")
        .map(|it| {
            serde_json::json!({"Name": it.str("name"), "Soft": it.int("soft"), "Hard": it.int("hard")})
        })
        .collect();
    if !limits.is_empty() {
        pairs.push(("ulimits", serde_json::json!(limits).to_string()));
    }
    add_query(pairs)
}

/// Adds parameters to the requests of a client.
pub(crate) fn add_query(
    pairs: Vec<(&'static str, String)>,
) -> impl Fn(bollard::BollardRequest) -> bollard::BollardRequest + Send + Sync + 'static {
    move |mut request| {
        if let Ok(mut url) = reqwest::Url::parse(&request.uri().to_string())
            && !pairs.is_empty()
        {
            url.query_pairs_mut().extend_pairs(&pairs);
            if let Ok(uri) = url.as_str().parse() {
                *request.uri_mut() = uri;
            }
        }
        request
    }
}

fn credentials(engine: &Engine, block: Args<'_>) -> HashMap<String, DockerCredentials> {
    let mut all: HashMap<String, DockerCredentials> =
        engine.keyring.all_given().into_iter().map(|(host, it)| (host, it.into())).collect();
    for given in block.blocks("auth_config") {
        let Some(host) = given.string("host_name") else { continue };
        all.insert(
            host,
            DockerCredentials {
                username: given.string("user_name"),
                password: given.string("password"),
                auth: given.string("auth"),
                email: given.string("email"),
                serveraddress: given.string("server_address"),
                identitytoken: given.string("identity_token"),
                registrytoken: given.string("registry_token"),
            },
        );
    }
    all
}

/// `Step 3/7 : RUN …`: how far it is.
fn step(line: &str) -> Option<(u64, u64)> {
    let (done, total) = line.strip_prefix("Step ")?.split_once(' ')?.0.split_once('/')?;
    Some((done.parse().ok()?, total.parse().ok()?))
}

/// Whether a layer that the classic builder took from its cache was deleted under its hands, with an
/// image that somebody else removed. Building again does not take it.
fn lost_its_cache(error: &str) -> bool {
    // What a person reads begins with a capital.
    let error = error.to_lowercase();
    let cached = ["/imagedb/", "/layerdb/"].iter().any(|it| error.contains(it));
    cached && error.contains("no such file or directory") || error.contains("unknown parent image")
}

/// The error, with the last lines of what the build said before it.
fn explained(error: &str, output: &str) -> String {
    let lines: Vec<_> = output.lines().filter(|line| !line.trim().is_empty()).collect();
    let last = &lines[lines.len().saturating_sub(12)..];
    let hint = match error.contains("requires BuildKit") {
        true => " The engine's classic builder is used; rewrite the instruction without BuildKit.",
        false => "",
    };
    if last.is_empty() {
        return format!("{error}{hint}");
    }
    format!("{error}{hint}\n\nThe build's last words:\n{}", last.join("\n"))
}

/// An empty `build` block as the schema has it; for tests.
#[cfg(test)]
pub(crate) fn block_of(pairs: &[(&str, plumb_model::value::Value)]) -> plumb_model::value::Value {
    use plumb_model::value::Value;
    let schema = crate::schema::provider();
    let image = &schema.resources[&plumb_model::addr::Kind::new("docker_image")];
    let block = &image.block.blocks()["build"].block;
    let none = block.attributes().iter().map(|(name, it)| {
        let default = it.default.clone();
        (name.clone(), default.unwrap_or_else(|| Value::null(it.ty.clone())))
    });
    let nested = block.blocks().iter().map(|(name, it)| (name.clone(), it.none()));
    crate::args::with(&Value::object(none.chain(nested)), pairs.iter().cloned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use plumb_model::value::Value;

    #[test]
    fn what_the_classic_builder_cannot_do_is_refused() {
        let block = block_of(&[
            ("context", Value::string(".")),
            ("builder", Value::string("mine")),
            ("version", Value::string("2")),
        ]);
        let problems = validate(Args(&block), &Path::default().attr("build"));
        let said: Vec<_> = problems.iter().map(|it| it.detail.as_str()).collect();
        assert_eq!(
            said,
            [
                "Images are built by the engine's classic builder, which has no \"builder\".",
                "Only version \"1\", the engine's classic builder, is supported."
            ]
        );
        assert!(
            validate(Args(&block_of(&[("context", Value::string("."))])), &Path::default())
                .is_empty()
        );
    }

    #[test]
    fn progress_and_errors() {
        assert_eq!(step("Step 3/7 : RUN true"), Some((3, 7)));
        assert_eq!(step("Removing intermediate container"), None);
        assert_eq!(
            explained("It failed.", "a\n\nb\n"),
            "It failed.\n\nThe build's last words:\na\nb"
        );
        assert!(lost_its_cache(
            "Failed to get digest sha256:97: open /x/image/overlay2/imagedb/content/sha256/97: no such file or directory"
        ));
        assert!(lost_its_cache(
            "Unknown parent image ID\nsha256:a3319063ff33288e70cb24f1a12b1f6c58527e78eef70ddecbe9738c9bb87250."
        ));
        assert!(!lost_its_cache("COPY failed: stat /name: no such file or directory"));
    }
}
