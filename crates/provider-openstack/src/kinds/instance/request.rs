//! The request that makes a server.

use plumb_model::state::Token;
use plumb_model::value::{Path, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json, json};

use super::user_data;
use crate::change::Change;
use crate::json;
use crate::nova::TOKEN;
use crate::told::text;

/// What the arguments mean, once names are looked up.
#[derive(Clone)]
pub(super) struct Resolved {
    /// None: there is a volume to boot from.
    pub(super) image: Option<String>,
    pub(super) flavor: String,
    /// `auto`, `none`, or a list.
    pub(super) networks: Json,
    /// The minor of the API's version 2.x.
    pub(super) version: u32,
}

/// The first version of the API that takes a member, and where it is written.
const SINCE: &[(&str, u32)] = &[("tags", 52), ("hypervisor_hostname", 74)];

/// Files can be put into a server up to this version of the API only.
pub(super) const PERSONALITY_MAX: u32 = 56;

/// The version to send a request for a server as of.
pub(super) fn newest(planned: &Value) -> u32 {
    let files = planned.get_attr("personality").filter(|it| it.is_present() && !it.is_empty());
    if files.is_some() { PERSONALITY_MAX } else { u32::MAX }
}

/// The whole body.
pub(super) fn body(planned: &Value, resolved: &Resolved, token: Token) -> Result<Json, Failure> {
    let change = Change { planned, prior: None };
    let mut server = Map::new();
    let mut put = |key: &str, value: Json| {
        server.insert(key.to_owned(), value);
    };
    put("name", change.str("name").unwrap_or_default().into());
    put("flavorRef", resolved.flavor.as_str().into());
    if let Some(image) = &resolved.image {
        put("imageRef", image.as_str().into());
    }
    put("networks", resolved.networks.clone());
    let texts = [
        ("key_pair", "key_name"),
        ("availability_zone_hints", "availability_zone"),
        ("availability_zone", "availability_zone"),
        ("hypervisor_hostname", "hypervisor_hostname"),
        ("admin_pass", "adminPass"),
    ];
    for (name, key) in texts {
        if let Some(text) = change.str(name) {
            put(key, text.into());
        }
    }
    if let Some(text) = change.str("user_data") {
        put("user_data", user_data::encoded(text).into());
    }
    if let Some(drive) = change.get("config_drive") {
        put("config_drive", json::to_json(drive));
    }
    let mut metadata: Map<String, Json> =
        change.strings_of("metadata").map(|(key, it)| (key, it.into())).collect();
    metadata.insert(TOKEN.to_owned(), token.to_string().into());
    put("metadata", metadata.into());
    let groups: Vec<Json> =
        change.items("security_groups").map(|it| json!({ "name": json::to_json(it) })).collect();
    if !groups.is_empty() {
        put("security_groups", groups.into());
    }
    let tags: Vec<Json> = change.items("tags").map(json::to_json).collect();
    if !tags.is_empty() {
        put("tags", tags.into());
    }
    let files: Vec<Json> = change.items("personality").map(file).collect();
    if !files.is_empty() {
        put("personality", files.into());
    }
    let devices: Vec<Json> = change.items("block_device").map(device).collect();
    if !devices.is_empty() {
        put("block_device_mapping_v2", devices.into());
    }
    if let Some((name, since)) =
        SINCE.iter().find(|(name, since)| server.contains_key(*name) && resolved.version < *since)
    {
        let detail = format!(
            "It takes version 2.{since} of the compute API; this cloud has 2.{}.",
            resolved.version
        );
        return Err(Failure::new(format!("The cloud takes no {name}"), detail)
            .at(Path::default().attr(name)));
    }
    let mut body = Map::from_iter([("server".to_owned(), Json::Object(server))]);
    if let Some(block) = change.items("scheduler_hints").next() {
        body.insert("os:scheduler_hints".to_owned(), hints(block).into());
    }
    Ok(body.into())
}

/// A file, and where it goes.
pub(super) fn file(block: &Value) -> Json {
    let content = text(block, "content").unwrap_or_default();
    json!({ "path": text(block, "file"), "contents": user_data::encoded(content) })
}

fn device(block: &Value) -> Json {
    let mut members = Map::new();
    for name in [
        "source_type",
        "uuid",
        "volume_size",
        "destination_type",
        "boot_index",
        "delete_on_termination",
        "guest_format",
        "volume_type",
        "device_type",
        "disk_bus",
    ] {
        let value = block.get_attr(name).filter(|it| it.is_present() && it.as_str() != Some(""));
        if let Some(value) = value {
            members.insert(name.to_owned(), json::to_json(value));
        }
    }
    // What Terraform's provider says for the one that nothing is said of.
    if !members.contains_key("boot_index") {
        members.insert("boot_index".to_owned(), 0.into());
    }
    members.into()
}

fn hints(block: &Value) -> Map<String, Json> {
    let mut members = Map::new();
    for (name, value) in block.as_map().into_iter().flatten() {
        let nothing = value.as_str() == Some("") || value.as_slice().is_some() && value.is_empty();
        if !value.is_present() || nothing {
            continue;
        }
        match &**name {
            "additional_properties" => {
                let more = value.as_map().into_iter().flatten();
                members.extend(more.map(|(key, it)| (key.to_string(), json::to_json(it))));
            }
            // The filter takes its condition as text.
            "query" => {
                members.insert(name.to_string(), json::to_json(value).to_string().into());
            }
            // A range is told in two members.
            "build_near_host_ip" => {
                let (address, bits) =
                    value.as_str().unwrap_or_default().split_once('/').unwrap_or_default();
                members.insert(name.to_string(), address.into());
                members.insert("cidr".to_owned(), format!("/{bits}").into());
            }
            _ => {
                members.insert(name.to_string(), json::to_json(value));
            }
        }
    }
    members
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;
    use crate::plan::Rules as _;

    fn check(written: &[(&str, Value)], resolved: &Resolved, expected: Expect) {
        let schema = super::super::Instance::table().schema();
        let written = written.iter().map(|(name, it)| (*name, it.clone()));
        let config = plumb_provider::conformance::config(&schema.block, written);
        let body = body(&config, resolved, Token { run: 1, step: 2 });
        let text = match body {
            Ok(body) => serde_json::to_string_pretty(&body).unwrap_or_default() + "\n",
            Err(failure) => format!("{failure}: {}\n", failure.detail),
        };
        expected.assert_eq(&text);
    }

    fn from_image(version: u32) -> Resolved {
        Resolved {
            image: Some("i".to_owned()),
            flavor: "f".to_owned(),
            networks: "auto".into(),
            version,
        }
    }

    #[test]
    fn a_whole_one() {
        let strings = |items: &[&str]| {
            Value::set(Type::String, items.iter().map(|it| Value::string(*it)).collect())
        };
        use plumb_model::value::Type;
        check(
            &[
                ("name", Value::string("web")),
                ("key_pair", Value::string("k")),
                ("user_data", Value::string("#!/bin/sh")),
                ("metadata", Value::map(Type::String, [("a", Value::string("b"))])),
                ("security_groups", strings(&["x", "y"])),
                ("tags", strings(&["t"])),
                ("availability_zone", Value::string("nova")),
            ],
            &from_image(90),
            expect![[r#"
                {
                  "server": {
                    "name": "web",
                    "flavorRef": "f",
                    "imageRef": "i",
                    "networks": "auto",
                    "key_name": "k",
                    "availability_zone": "nova",
                    "user_data": "IyEvYmluL3No",
                    "metadata": {
                      "a": "b",
                      "plumb.token": "0000000000000001-2"
                    },
                    "security_groups": [
                      {
                        "name": "x"
                      },
                      {
                        "name": "y"
                      }
                    ],
                    "tags": [
                      "t"
                    ]
                  }
                }
            "#]],
        );
    }

    #[test]
    fn what_a_cloud_is_too_old_for() {
        check(
            &[
                ("name", Value::string("web")),
                ("tags", Value::set(plumb_model::value::Type::String, vec![Value::string("t")])),
            ],
            &from_image(30),
            expect![[r#"
                The cloud takes no tags: It takes version 2.52 of the compute API; this cloud has 2.30.
            "#]],
        );
    }
}
