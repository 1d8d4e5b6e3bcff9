//! Changes of an image: JSON patches, and which properties are whose.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::cloud::Cloud;
use crate::glance::TOKEN;
use crate::json;
use crate::neutron::escaped;
use crate::session::{ApiError, Body, Request, Service};

/// What an image has besides properties.
const MEMBERS: &[&str] = &[
    "id",
    "name",
    "status",
    "visibility",
    "protected",
    "checksum",
    "owner",
    "size",
    "virtual_size",
    "min_disk",
    "min_ram",
    "container_format",
    "disk_format",
    "created_at",
    "updated_at",
    "tags",
    "self",
    "file",
    "schema",
    "locations",
    "direct_url",
    "stores",
    "os_hash_algo",
    "os_hash_value",
    "os_hidden",
    TOKEN,
];

/// Whether a member of an image is no property that a person sets.
pub(crate) fn is_reserved(key: &str) -> bool {
    MEMBERS.contains(&key) || key.starts_with("os_glance_")
}

/// The properties of an image.
pub(crate) fn properties(image: &Json) -> BTreeMap<String, String> {
    let members = image.as_object().into_iter().flatten();
    let ours = members.filter(|it| !is_reserved(it.0) && !it.1.is_null());
    ours.map(|(key, it)| (key.clone(), json::text(it))).collect()
}

/// Operations that give members of an image other values.
pub(crate) fn members(body: Map<String, Json>) -> Vec<Json> {
    body.into_iter().map(|(key, value)| operation("replace", &key, Some(value))).collect()
}

/// Operations that make properties what is wanted. Of those that are there, only `ours` go.
pub(crate) fn of_properties(
    image: &Json,
    ours: &[String],
    wanted: &BTreeMap<String, String>,
) -> Vec<Json> {
    let current = properties(image);
    let gone = ours.iter().filter(|it| !wanted.contains_key(*it) && current.contains_key(*it));
    let gone = gone.map(|it| operation("remove", it, None));
    let new = wanted.iter().filter(|(key, it)| current.get(*key) != Some(it));
    let new = new.map(|(key, it)| operation("add", key, Some(it.as_str().into())));
    gone.chain(new).collect()
}

fn operation(op: &str, key: &str, value: Option<Json>) -> Json {
    let mut res = json!({ "op": op, "path": pointer(key) });
    if let Some(value) = value {
        res["value"] = value;
    }
    res
}

/// A key as a JSON pointer.
fn pointer(key: &str) -> String {
    format!("/{}", key.replace('~', "~0").replace('/', "~1"))
}

/// Sends the operations; gives the image.
pub(crate) async fn send(cloud: &Cloud, id: &str, operations: Vec<Json>) -> Result<Json, ApiError> {
    let path = format!("/images/{}", escaped(id));
    let mut request = Request::new(reqwest::Method::PATCH, Service::Image, &path)
        .header("content-type", "application/openstack-images-v2.1-json-patch");
    request.body = Body::Bytes(Json::from(operations).to_string().into_bytes());
    cloud.session.send(request).await?.json()
}

#[cfg(test)]
mod tests {
    use expect_test::expect;

    use super::*;

    #[test]
    fn only_ours_are_touched() {
        let image = json!({
            "id": "i", "name": "n", "os_hash_algo": "sha512", "os_glance_x": "1",
            "a": "1", "b": "2", "hw_theirs": "x", "plumb_token": "0-0",
        });
        let all: Vec<String> = properties(&image).into_keys().collect();
        assert_eq!(all, ["a", "b", "hw_theirs"]);
        let wanted =
            BTreeMap::from([("a".to_owned(), "1".to_owned()), ("c/d".to_owned(), "3".to_owned())]);
        let ours = ["a".to_owned(), "b".to_owned(), "gone".to_owned()];
        let text = Json::from(of_properties(&image, &ours, &wanted)).to_string();
        expect![[r#"[{"op":"remove","path":"/b"},{"op":"add","path":"/c~1d","value":"3"}]"#]]
            .assert_eq(&text);
    }
}
