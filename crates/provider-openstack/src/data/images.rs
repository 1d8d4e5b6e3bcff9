//! Images.

use std::sync::LazyLock;

use async_trait::async_trait;
use plumb_model::schema::Problem;
use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use regex::Regex;
use serde_json::Value as Json;

use super::Query;
use super::collection::{name_and_id, only};
use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{self, Attrs, str_at};
use crate::kinds::image::{VISIBILITIES, patch};
use crate::neutron::escaped;
use crate::plan::Rules;
use crate::session::Service;
use crate::table::{
    Field, Table, computed, id, opt, opt_computed, string_map, string_set, strings,
};
use crate::told::{is, text, told};

const MEMBERS: &[&str] = &["accepted", "pending", "rejected", "all"];

/// What images can be asked for by.
fn filters() -> Vec<Field> {
    vec![
        opt_computed("region", Type::String, "The region.").local(),
        opt("name", Type::String, "The name.").excludes(&["name_regex"]),
        opt("name_regex", Type::String, "What the name looks like.").excludes(&["name"]).local(),
        opt("visibility", Type::String, "Who sees it.").one_of(VISIBILITIES),
        opt("hidden", Type::Bool, "Those that are in no other list.")
            .default(Value::bool(false))
            .key("os_hidden"),
        opt("member_status", Type::String, "What we said to its being shared with us.")
            .one_of(MEMBERS),
        opt("owner", Type::String, "The project that it belongs to."),
        opt("size_min", Type::Number, "At least so many bytes."),
        opt("size_max", Type::Number, "At most so many bytes."),
        opt("sort", Type::String, "The order: `key:asc` or `key:desc`, several with commas.")
            .default(Value::string("name:asc")),
        opt("sort_key", Type::String, "The order, as it was said once."),
        opt("sort_direction", Type::String, "`asc` or `desc`.").one_of(&["asc", "desc"]),
        opt("tag", Type::String, "A tag that it has."),
        opt("tags", string_set(), "Tags that it has."),
        opt("properties", string_map(), "Properties that it has.").local(),
    ]
}

/// All images that are asked for, in order.
async fn matching(cloud: &Cloud, config: &Value) -> Result<Vec<Json>, Failure> {
    let path = format!("/images?{}", query(config));
    let all = cloud.session.list(Service::Image, &path, "images").await;
    let mut all = all.map_err(|it| it.failure("look for the image"))?;
    if let Some(pattern) = text(config, "name_regex") {
        let pattern = Regex::new(pattern).map_err(|it| {
            Failure::new("Invalid regular expression", format!("{it}."))
                .at(Path::default().attr("name_regex"))
        })?;
        all.retain(|it| pattern.is_match(str_at(it, "name")));
    }
    let wanted = Change { planned: config, prior: None };
    let wanted: Vec<(String, String)> = wanted.strings_of("properties").collect();
    all.retain(|it| {
        let has = patch::properties(it);
        wanted.iter().all(|(key, it)| has.get(key) == Some(it))
    });
    Ok(all)
}

fn query(config: &Value) -> String {
    let mut parts = vec!["limit=1000".to_owned(), "status=active".to_owned()];
    let mut put = |key: &str, value: &str| parts.push(format!("{key}={}", escaped(value)));
    for name in ["name", "visibility", "member_status", "owner"] {
        if let Some(it) = text(config, name) {
            put(name, it);
        }
    }
    for name in ["size_min", "size_max"] {
        if let Some(it) = config.get_attr(name).and_then(Value::as_i64).filter(|it| *it > 0) {
            put(name, &it.to_string());
        }
    }
    if is(config, "hidden") {
        put("os_hidden", "true");
    }
    let tags = config.get_attr("tags").into_iter().flat_map(Value::values);
    for tag in tags.filter_map(Value::as_str).chain(text(config, "tag")) {
        put("tag", tag);
    }
    match text(config, "sort_key") {
        Some(key) => {
            let direction = text(config, "sort_direction").unwrap_or("asc");
            put("sort", &format!("{key}:{direction}"));
        }
        None => put("sort", text(config, "sort").unwrap_or("name:asc")),
    }
    parts.join("&")
}

fn validate(config: &Value, problems: &mut Vec<Problem>) {
    let pattern = text(config, "name_regex");
    if let Some(error) = pattern.and_then(|it| Regex::new(it).err()) {
        problems.push(Problem {
            path: Path::default().attr("name_regex"),
            summary: "Invalid regular expression".to_owned(),
            detail: format!("{error}."),
        });
    }
}

/// One image.
pub(crate) struct Image;

static IMAGE: LazyLock<Table> = LazyLock::new(|| {
    let most_recent = opt("most_recent", Type::Bool, "Of several, the one that was made last.")
        .default(Value::bool(false))
        .local();
    let text = |name, says| computed(name, Type::String, says);
    let mut fields = vec![
        id(),
        most_recent,
        text("container_format", "What the disk is in."),
        text("disk_format", "The format of the disk."),
        computed("min_disk_gb", Type::Number, "Servers need at least such a disk.").key("min_disk"),
        computed("min_ram_mb", Type::Number, "Servers need at least so much memory.")
            .key("min_ram"),
        computed("protected", Type::Bool, "Whether it cannot be deleted."),
        text("checksum", "The checksum of its data."),
        computed("size_bytes", Type::Number, "The size of its data.").key("size"),
        computed("metadata", string_map(), "Nothing.").local(),
        text("created_at", "When it was made."),
        text("updated_at", "When it was last changed."),
        text("file", "Where its data is, at Glance."),
        text("schema", "What describes it, at Glance."),
        text("status", "`active` when it can be used."),
    ];
    // What is asked for and told is not told otherwise than it was asked for.
    fields.extend(filters().into_iter().map(|it| match it.name {
        "name" | "visibility" | "owner" => {
            opt_computed(it.name, Type::String, it.says).one_of(it.words).excludes(it.excludes)
        }
        "tags" => opt_computed(it.name, string_set(), it.says),
        "properties" => opt_computed(it.name, string_map(), it.says).local(),
        "hidden" => opt_computed(it.name, Type::Bool, it.says).key("os_hidden"),
        _ => it.local(),
    }));
    Table::new("openstack_images_image_v2", "An image.", fields)
});

impl Rules for Image {
    fn table() -> &'static Table {
        &IMAGE
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        validate(config, problems);
    }
}

#[async_trait]
impl Query for Image {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let mut found = matching(cloud, config).await?;
        if is(config, "most_recent") && found.len() > 1 {
            // Times are written so that they sort; at the same time, the later in the list.
            found.sort_by(|a, b| str_at(a, "created_at").cmp(str_at(b, "created_at")));
            found = found.split_off(found.len() - 1);
        }
        let hint = |mut it: Failure| {
            if it.summary.contains("more than one") {
                it.detail.push_str(" Or set most_recent.");
            }
            it
        };
        let json = only(found, "image", name_and_id).map_err(hint)?;
        let mut attrs: Attrs = told(&IMAGE, cloud, &json, Some(config));
        let properties =
            patch::properties(&json).into_iter().map(|(key, it)| (key, Value::string(it)));
        json::set(&mut attrs, "properties", Value::map(Type::String, properties));
        let none: [(&str, Value); 0] = [];
        json::set(&mut attrs, "metadata", Value::map(Type::String, none));
        Ok(Value::object(attrs))
    }
}

/// The identifiers of images.
pub(crate) struct ImageIds;

static IMAGE_IDS: LazyLock<Table> = LazyLock::new(|| {
    let mut fields = vec![id().local(), computed("ids", strings(), "Their identifiers.").local()];
    fields.extend(filters().into_iter().map(Field::local));
    Table::new("openstack_images_image_ids_v2", "The identifiers of images.", fields)
});

impl Rules for ImageIds {
    fn table() -> &'static Table {
        &IMAGE_IDS
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        validate(config, problems);
    }
}

#[async_trait]
impl Query for ImageIds {
    async fn look_up(&self, cloud: &Cloud, config: &Value) -> Result<Value, Failure> {
        let found = matching(cloud, config).await?;
        let ids: Vec<&str> = found.iter().map(|it| str_at(it, "id")).collect();
        let mut attrs = told(&IMAGE_IDS, cloud, &Json::Null, Some(config));
        json::set(&mut attrs, "id", Value::string(ids.join(",")));
        let ids = ids.into_iter().map(Value::string).collect();
        json::set(&mut attrs, "ids", Value::list(Type::String, ids));
        Ok(Value::object(attrs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked() {
        let config = |written: &[(&'static str, Value)]| {
            let written = written.iter().map(|(name, it)| (*name, it.clone()));
            plumb_provider::conformance::config(&IMAGE.schema().block, written)
        };
        assert_eq!(query(&config(&[])), "limit=1000&status=active&sort=name%3Aasc");
        let tags = Value::set(Type::String, vec![Value::string("a"), Value::string("b")]);
        let written = [
            ("name", Value::string("x y")),
            ("size_min", Value::number(5)),
            ("tags", tags),
            ("sort_key", Value::string("size")),
            ("sort_direction", Value::string("desc")),
        ];
        assert_eq!(
            query(&config(&written)),
            "limit=1000&status=active&name=x%20y&size_min=5&tag=a&tag=b&sort=size%3Adesc"
        );
    }
}
