//! An image.

mod data;
pub(crate) mod patch;

use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use plumb_model::event::{Effect, Remote};
use plumb_model::schema::{Problem, RefineInput};
use plumb_model::state::Token;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::{CallContext, Failure, Outcome};
use serde_json::{Map, Value as Json, json};

use crate::change::Change;
use crate::cloud::{Calls, Cloud, IN_USE_MAX, id_of, in_order, patiently, refused, reread};
use crate::glance::{self, TOKEN};
use crate::json::{self, str_at};
use crate::neutron::escaped;
use crate::plan::{Planned, Rules};
use crate::session::{ApiError, Service};
use crate::table::{
    Field, MAKE_AND_CHANGE, Table, computed, id, opt, opt_computed, region, req, string_map,
    string_set,
};
use crate::told::{is, text, told};

pub(crate) struct Image;

const CONTAINERS: &[&str] = &["bare", "ovf", "aki", "ari", "ami", "ova", "docker", "compressed"];
const DISKS: &[&str] =
    &["raw", "vhd", "vhdx", "vmdk", "vdi", "iso", "ploop", "qcow2", "aki", "ari", "ami"];
pub(crate) const VISIBILITIES: &[&str] = &["public", "private", "shared", "community"];

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_images_image_v2",
        "An image that servers are made from.",
        [written(), source(), read()].into_iter().flatten().collect(),
    )
    .timed(MAKE_AND_CHANGE)
});

fn written() -> Vec<Field> {
    let least = || Value::number(0);
    vec![
        id(),
        region(),
        req("name", Type::String, "The name."),
        opt_computed("image_id", Type::String, "The identifier; left out, one of Glance's.")
            .key("id")
            .replace(),
        req("container_format", Type::String, "What the disk is in; mostly `bare`.")
            .one_of(CONTAINERS)
            .replace(),
        req("disk_format", Type::String, "The format of the disk.").one_of(DISKS).replace(),
        opt("min_disk_gb", Type::Number, "Servers need at least such a disk.")
            .key("min_disk")
            .default(least())
            .within(0..=i64::MAX),
        opt("min_ram_mb", Type::Number, "Servers need at least so much memory.")
            .key("min_ram")
            .default(least())
            .within(0..=i64::MAX),
        opt("visibility", Type::String, "Who sees it.")
            .default(Value::string("private"))
            .one_of(VISIBILITIES),
        opt("protected", Type::Bool, "It cannot be deleted.").default(Value::bool(false)),
        opt("hidden", Type::Bool, "It is in no list.").key("os_hidden").default(Value::bool(false)),
        opt("tags", string_set(), "Tags."),
        opt_computed(
            "properties",
            string_map(),
            "Properties. Those that others set are left alone.",
        )
        .local(),
    ]
}

fn source() -> Vec<Field> {
    let local: &[&str] = &["local_file_path"];
    vec![
        opt(
            "local_file_path",
            Type::String,
            "The file with its data. Another one replaces the image.",
        )
        .excludes(&["image_source_url", "web_download"])
        .local(),
        opt(
            "image_source_url",
            Type::String,
            "Where its data is got from. Another one replaces the image.",
        )
        .excludes(local)
        .local(),
        opt("image_source_username", Type::String, "The user to get it as.")
            .excludes(local)
            .local(),
        opt("image_source_password", Type::String, "The user's password.")
            .excludes(local)
            .sensitive()
            .local(),
        opt("web_download", Type::Bool, "Glance gets the data by itself.")
            .excludes(&["local_file_path", "verify_checksum", "decompress"])
            .local(),
        opt(
            "verify_checksum",
            Type::Bool,
            "Compare Glance's checksum with that of what was sent. Left out, yes.",
        )
        .excludes(&["web_download"])
        .local(),
        opt("decompress", Type::Bool, "What is got is packed. Not done here: unpack it before.")
            .excludes(&["web_download"])
            .replace()
            .local(),
        opt_computed(
            "image_cache_path",
            Type::String,
            "Accepted and without effect: nothing is kept.",
        )
        .local(),
    ]
}

fn read() -> Vec<Field> {
    let text = |name, says| computed(name, Type::String, says);
    vec![
        text("checksum", "The checksum of its data."),
        text("created_at", "When it was made."),
        text("updated_at", "When it was last changed.").follows(&["*"]),
        text("file", "Where its data is, at Glance."),
        text("schema", "What describes it, at Glance."),
        text("owner", "The project that it belongs to."),
        text("status", "`active` when it can be used."),
        computed("size_bytes", Type::Number, "The size of its data.").key("size"),
        computed("metadata", string_map(), "Nothing.").local(),
    ]
}

impl Rules for Image {
    fn table() -> &'static Table {
        &TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let Some(prior) = input.prior else { return };
        let sources = ["local_file_path", "image_source_url"];
        // Nobody knows what an image was made from that was made elsewhere.
        if sources.iter().all(|it| text(prior, it).is_none()) {
            return;
        }
        for name in sources {
            if prior.get_attr(name) != planned.get(name) {
                planned.replace.push(Path::default().attr(name));
            }
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let nothing = |name: &str| config.get_attr(name).is_none_or(Value::is_null);
        let mut problem = |name: &str, summary: &str, detail: &str| {
            let (summary, detail) = (summary.to_owned(), detail.to_owned());
            problems.push(Problem { path: Path::default().attr(name), summary, detail });
        };
        if nothing("local_file_path") && nothing("image_source_url") {
            let detail = "One of local_file_path and image_source_url must say where its data is.";
            problem("local_file_path", "Missing required argument", detail);
        }
        if is(config, "decompress") {
            let detail = "Unpack the file, and give it as local_file_path.";
            problem("decompress", "Data is not unpacked here", detail);
        }
        let properties =
            config.get_attr("properties").and_then(Value::as_map).into_iter().flatten();
        for (key, _) in properties.filter(|it| patch::is_reserved(it.0)) {
            let detail = format!("{key:?} is Glance's own, or an argument of its own.");
            problem("properties", "Invalid property", &detail);
        }
    }
}

/// What an image is. `noted`: the properties that we set; none if that is not known.
fn observed(cloud: &Cloud, image: &Json, base: Option<&Value>, noted: Option<&[String]>) -> Value {
    let mut attrs = told(&TABLE, cloud, image, base);
    let shown = patch::properties(image).into_iter().filter(|it| match noted {
        Some(noted) if !noted.is_empty() => noted.contains(&it.0),
        _ => true,
    });
    let shown = shown.map(|(key, it)| (key, Value::string(it)));
    json::set(&mut attrs, "properties", Value::map(Type::String, shown));
    let none: [(&str, Value); 0] = [];
    json::set(&mut attrs, "metadata", Value::map(Type::String, none));
    if base.is_none() {
        json::set(&mut attrs, "image_cache_path", Value::string(""));
    }
    Value::object(attrs)
}

/// The properties that are ours, as noted.
fn noted(private: Option<&[u8]>) -> Option<Vec<String>> {
    let json: Json = serde_json::from_slice(private?).ok()?;
    let keys = json.get("properties")?.as_array()?.iter();
    Some(keys.filter_map(Json::as_str).map(str::to_owned).collect())
}

fn note(keys: &[String]) -> Arc<[u8]> {
    json!({ "properties": keys }).to_string().into_bytes().into()
}

/// The properties that are written.
fn keys(planned: &Value) -> Vec<String> {
    Change { planned, prior: None }.strings_of("properties").map(|it| it.0).collect()
}

fn remote(cloud: &Cloud, image: &Json, planned: &Value, keys: &[String], complete: bool) -> Remote {
    let attrs = observed(cloud, image, Some(planned), Some(keys));
    Remote { attrs, private: Some(note(keys)), complete }
}

fn request(planned: &Value, token: Token) -> Json {
    let change = Change { planned, prior: None };
    let mut body = TABLE.body(planned, None);
    body.retain(|_, it| it.as_str() != Some(""));
    let properties = change.strings_of("properties").map(|(key, it)| (key, it.into()));
    body.extend(properties.collect::<Map<_, _>>());
    body.insert(TOKEN.to_owned(), token.to_string().into());
    body.into()
}

#[async_trait]
impl Calls for Image {
    async fn read(
        &self,
        cloud: &Cloud,
        stored: &[&Remote],
    ) -> Vec<Result<Option<Remote>, Failure>> {
        let ids: Vec<&str> = stored.iter().map(|it| id_of(it)).collect();
        let found = glance::by_ids(cloud, &ids).await.map(|it| in_order(stored, it));
        reread(stored, found, "read images", |image, it| {
            let noted = noted(it.private.as_deref());
            observed(cloud, image, Some(&it.attrs), noted.as_deref())
        })
    }

    async fn find(
        &self,
        cloud: &Cloud,
        token: Token,
        planned: &Value,
    ) -> Result<Option<Remote>, Failure> {
        let hidden = is(planned, "hidden");
        let found = glance::of_call(cloud, token, hidden).await;
        let found = found.map_err(|it| it.failure("look for the image"))?;
        // Images of servers inherit the properties of the one that these were made from.
        let ours = found.iter().find(|it| str_at(it, "image_type") != "snapshot");
        let Some(ours) = ours else { return Ok(None) };
        // Nobody sends the rest of a file; but Glance may be at what it has.
        let settled = match str_at(ours, "status") {
            "queued" => None,
            _ => glance::settled(cloud, str_at(ours, "id"), "make the image").await.ok(),
        };
        let complete = settled.is_some();
        let image = settled.as_ref().unwrap_or(ours);
        Ok(Some(remote(cloud, image, planned, &keys(planned), complete)))
    }

    async fn import(&self, cloud: &Cloud, id: &str) -> Result<Option<Remote>, Failure> {
        let found = glance::image(cloud, id).await;
        let found = found.map_err(|it| it.failure(&format!("read the image {id}")))?;
        Ok(found.map(|it| crate::cloud::whole(observed(cloud, &it, None, None))))
    }

    async fn create(&self, cloud: &Cloud, call: &CallContext, planned: &Value) -> Outcome {
        let name = text(planned, "name").unwrap_or_default();
        // Better now than when there is half of an image.
        let source = match data::open(cloud, planned).await {
            Ok(source) => source,
            Err(failure) => return Outcome::failed(failure),
        };
        let body = request(planned, call.token);
        let made = match cloud.session.post(Service::Image, "/images", &body).await {
            Ok(made) => made,
            Err(error) => return refused(&error, &format!("create the image {name:?}")),
        };
        let keys = keys(planned);
        match data::send(cloud, call, str_at(&made, "id"), source).await {
            Ok(image) => Outcome::left(Effect::Made(remote(cloud, &image, planned, &keys, true))),
            Err(failure) => {
                let left = remote(cloud, &made, planned, &keys, false);
                Outcome::failed_leaving(Effect::Made(left), failure)
            }
        }
    }

    async fn update(
        &self,
        cloud: &Cloud,
        _call: &CallContext,
        prior: &Remote,
        planned: &Value,
    ) -> Outcome {
        let id = id_of(prior);
        let gone = || {
            let failure = Failure::new("Cannot change the image", "It is gone.");
            Outcome::failed_leaving(Effect::Deleted, failure)
        };
        let current = match glance::image(cloud, id).await {
            Ok(Some(image)) => image,
            Ok(None) => return gone(),
            Err(error) => return Outcome::failed(error.failure("read the image")),
        };
        let change = Change { planned, prior: Some(&prior.attrs) };
        let body = TABLE.body(planned, Some(&prior.attrs));
        let ours = noted(prior.private.as_deref());
        let mut operations = patch::members(body);
        let written = change.of("properties");
        if written {
            let wanted = change.strings_of("properties").collect();
            let was = match &ours {
                Some(ours) => ours.clone(),
                None => keys(&prior.attrs),
            };
            operations.extend(patch::of_properties(&current, &was, &wanted));
        }
        let image = if operations.is_empty() {
            current
        } else {
            match patch::send(cloud, id, operations).await {
                Ok(image) => image,
                Err(error) if error.is_missing() => return gone(),
                Err(error) => return refused(&error, "change the image"),
            }
        };
        let keys = if written { keys(planned) } else { ours.clone().unwrap_or_default() };
        let private = if written { Some(note(&keys)) } else { prior.private.clone() };
        let shown = if written { Some(&keys[..]) } else { ours.as_deref() };
        let attrs = observed(cloud, &image, Some(planned), shown);
        Outcome::left(Effect::Made(Remote { attrs, private, complete: true }))
    }

    async fn delete(&self, cloud: &Cloud, _call: &CallContext, prior: &Remote) -> Outcome {
        let path = format!("/images/{}", escaped(id_of(prior)));
        let request = || cloud.session.delete(Service::Image, &path);
        match patiently(IN_USE_MAX, ApiError::is_conflict, request).await {
            Ok(()) => Outcome::deleted(),
            Err(error) if error.is_missing() => Outcome::deleted(),
            Err(ApiError::Refused { status: 403, message, .. })
                if message.contains("protected") =>
            {
                let detail = "It is protected. Set `protected` to false and apply, then delete it.";
                Outcome::failed(Failure::new("Cannot delete the image", detail))
            }
            Err(error) => refused(&error, "delete the image"),
        }
    }
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn a_request() {
        let map = Value::map(Type::String, [("os_distro", Value::string("debian"))]);
        let written = [
            ("name", Value::string("a")),
            ("disk_format", Value::string("raw")),
            ("container_format", Value::string("bare")),
            ("min_disk_gb", Value::number(2)),
            ("local_file_path", Value::string("x")),
            ("hidden", Value::bool(true)),
            ("properties", map),
        ];
        let config = plumb_provider::conformance::config(&TABLE.schema().block, written);
        let body = request(&config, Token { run: 1, step: 2 });
        expect![[r#"{"name":"a","container_format":"bare","disk_format":"raw","min_disk":2,"os_hidden":true,"os_distro":"debian","plumb_token":"0000000000000001-2"}"#]]
            .assert_eq(&body.to_string());
    }
}
