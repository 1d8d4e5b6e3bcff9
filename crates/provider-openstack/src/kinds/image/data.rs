//! The data of an image: where it comes from, and how it gets to Glance.

use std::fs::File;
use std::io::{self, Read as _};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use futures_util::{Stream, StreamExt as _, stream};
use md5::{Digest as _, Md5};
use plumb_model::value::{Path, Value};
use plumb_provider::{CallContext, Failure, Progress};
use serde_json::{Value as Json, json};

use crate::cloud::{Cloud, tell};
use crate::glance;
use crate::json::str_at;
use crate::neutron::escaped;
use crate::session::Service;
use crate::told::{is, text};

const CHUNK: usize = 1 << 20;

/// How often a person is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(200);

type Chunks = Pin<Box<dyn Stream<Item = io::Result<Vec<u8>>> + Send>>;

/// Where the data comes from.
pub(super) enum Source {
    /// We send it.
    Stream { chunks: Chunks, length: Option<u64>, verify: bool },
    /// Glance gets it.
    Web { url: String },
}

/// Opens the source, so that what cannot be had fails before anything is made.
pub(super) async fn open(cloud: &Cloud, planned: &Value) -> Result<Source, Failure> {
    let verify = planned.get_attr("verify_checksum").and_then(Value::as_bool) != Some(false);
    if let Some(path) = text(planned, "local_file_path") {
        let at = || Path::default().attr("local_file_path");
        let path = cloud.directory.join(path);
        let failed = |it: io::Error| {
            Failure::new(format!("Cannot read `{}`", path.display()), format!("{it}.")).at(at())
        };
        let file = File::open(&path).map_err(failed)?;
        let about = file.metadata().map_err(failed)?;
        if !about.is_file() {
            let summary = format!("`{}` is not a file", path.display());
            return Err(Failure::new(summary, "An image's data is a file.").at(at()));
        }
        let chunks = Box::pin(of_file(file));
        return Ok(Source::Stream { chunks, length: Some(about.len()), verify });
    }
    let Some(url) = text(planned, "image_source_url") else {
        let detail = "One of local_file_path and image_source_url must say where its data is.";
        return Err(Failure::new("Missing data of the image", detail));
    };
    if is(planned, "web_download") {
        return Ok(Source::Web { url: url.to_owned() });
    }
    let user = text(planned, "image_source_username");
    download(url, user, text(planned, "image_source_password"), verify)
        .await
        .map_err(|it| it.at(Path::default().attr("image_source_url")))
}

async fn download(
    url: &str,
    user: Option<&str>,
    password: Option<&str>,
    verify: bool,
) -> Result<Source, Failure> {
    let failed = |it: reqwest::Error| {
        let mut said = vec![it.to_string()];
        let mut cause = std::error::Error::source(&it);
        while let Some(it) = cause {
            said.push(it.to_string());
            cause = it.source();
        }
        let innermost = said.pop().unwrap_or_default();
        Failure::new(format!("Cannot download {url}"), format!("{innermost}.")).transient()
    };
    let client = reqwest::Client::builder().connect_timeout(Duration::from_secs(30));
    let mut request = client.build().map_err(failed)?.get(url);
    if let Some(user) = user {
        request = request.basic_auth(user, password);
    }
    let response = request.send().await.map_err(failed)?;
    if !response.status().is_success() {
        let detail = format!("The server answered {}.", response.status());
        return Err(Failure::new(format!("Cannot download {url}"), detail));
    }
    let length = response.content_length();
    let chunks = response.bytes_stream().map(|it| match it {
        Ok(chunk) => Ok(chunk.to_vec()),
        Err(error) => Err(io::Error::other(error)),
    });
    Ok(Source::Stream { chunks: Box::pin(chunks), length, verify })
}

/// A file, read beside everything else.
fn of_file(file: File) -> impl Stream<Item = io::Result<Vec<u8>>> + Send {
    stream::unfold(Some(file), async |file| {
        let mut file = file?;
        let read = tokio::task::spawn_blocking(move || {
            let mut chunk = vec![0; CHUNK];
            let count = file.read(&mut chunk)?;
            chunk.truncate(count);
            Ok((chunk, file))
        });
        match read.await.map_err(io::Error::other).flatten() {
            Ok((chunk, _)) if chunk.is_empty() => None,
            Ok((chunk, file)) => Some((Ok(chunk), Some(file))),
            Err(error) => Some((Err(error), None)),
        }
    })
}

/// Gets the data into an image; gives the image once it can be used.
pub(super) async fn send(
    cloud: &Cloud,
    call: &CallContext,
    id: &str,
    source: Source,
) -> Result<Json, Failure> {
    const DOING: &str = "upload the image";
    let (chunks, length, verify) = match source {
        Source::Web { url } => {
            tell(call, "Glance downloads the image");
            let path = format!("/images/{}/import", escaped(id));
            let body = json!({ "method": { "name": "web-download", "uri": url } });
            let answer = cloud.session.post(Service::Image, &path, &body).await;
            let at = Path::default().attr("image_source_url");
            answer.map_err(|it| it.failure("have the image downloaded").at(at.clone()))?;
            return glance::imported(cloud, id, "have the image downloaded")
                .await
                .map_err(|it| it.at(at));
        }
        Source::Stream { chunks, length, verify } => (chunks, length, verify),
    };
    let hash = Arc::new(Mutex::new(Md5::new()));
    let body = reqwest::Body::wrap_stream(watched(chunks, call, length, hash.clone()));
    let path = format!("/images/{}/file", escaped(id));
    let sent =
        cloud.session.upload(Service::Image, &path, "application/octet-stream", body, length).await;
    match sent {
        // It may have arrived though no answer came.
        Err(error) if !error.is_lost() => return Err(error.failure(DOING)),
        Err(error) => {
            let found = glance::image(cloud, id).await.ok().flatten();
            if found.is_none_or(|it| str_at(&it, "status") != "active") {
                return Err(error.failure(DOING));
            }
        }
        Ok(()) => {}
    }
    let image = glance::settled(cloud, id, DOING).await?;
    let hash = hash.lock().unwrap_or_else(PoisonError::into_inner).clone().finalize();
    let ours: String = hash.iter().map(|it| format!("{it:02x}")).collect();
    let theirs = str_at(&image, "checksum");
    // Clouds may do without checksums.
    if verify && !theirs.is_empty() && theirs != ours {
        let detail = format!(
            "What was sent has the checksum {ours}, what Glance has {theirs}. Something on the way \
             changed it."
        );
        return Err(Failure::new("The image did not arrive as it was sent", detail));
    }
    Ok(image)
}

/// The same chunks; a person is told how far it is, and the hash is of what was sent.
fn watched(
    chunks: Chunks,
    call: &CallContext,
    length: Option<u64>,
    hash: Arc<Mutex<Md5>>,
) -> impl Stream<Item = io::Result<Vec<u8>>> + Send + 'static {
    let (progress, mut done) = (call.progress.clone(), 0);
    let mut last: Option<Instant> = None;
    chunks.inspect(move |chunk| {
        let Ok(chunk) = chunk else { return };
        hash.lock().unwrap_or_else(PoisonError::into_inner).update(chunk);
        done += chunk.len() as u64;
        if last.is_none_or(|it| it.elapsed() >= TOLD_EVERY) || Some(done) == length {
            last = Some(Instant::now());
            let amount = length.map(|length| (done, length));
            progress(Progress { message: "Uploading the image".to_owned(), amount });
        }
    })
}
