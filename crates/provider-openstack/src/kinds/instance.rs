//! A server.

mod calls;
mod change;
mod gather;
mod networks;
mod observe;
mod power;
mod request;
mod rows;
mod user_data;

use plumb_model::schema::{Problem, RefineInput};
use plumb_model::value::{Path, Value};
use serde_json::Value as Json;

use crate::plan::{Planned, Rules};
use crate::table::Table;
use crate::told::text;

pub(crate) use calls::look_up;

/// What Terraform's state has for the image of a server that boots from a volume.
const NO_IMAGE: &str = "Attempt to boot from volume - no image supplied";

pub(crate) struct Instance;

impl Rules for Instance {
    fn table() -> &'static Table {
        &rows::TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        let Some(prior) = input.prior else { return };
        let written = |name: &str| text(input.config, name);
        // The same text in another form, or Terraform's hash of it, is no change.
        if let (Some(now), Some(was)) = (written("user_data"), prior.get_attr("user_data"))
            && was.as_str().is_some_and(|was| user_data::same(was, now))
        {
            planned.set("user_data", was.clone());
        }
        // `zone:host` is in `zone`.
        if let (Some(now), Some(was)) =
            (written("availability_zone"), prior.get_attr("availability_zone"))
            && let Some((zone, _)) = now.split_once(':')
            && was.as_str() == Some(zone)
        {
            planned.set("availability_zone", was.clone());
        }
        // Nothing but a rebuild gets a server out of ERROR.
        if let Some(was) = prior.get_attr("power_state")
            && was.as_str() == Some("error")
            && ["image_id", "image_name"].iter().all(|it| prior.get_attr(it) == planned.get(it))
        {
            planned.set("power_state", was.clone());
        }
        if from_volume(prior) {
            for name in ["image_id", "image_name"] {
                if planned.get(name).is_some_and(|it| Some(it) != prior.get_attr(name))
                    && input.config.get_attr(name).is_some_and(|it| !it.is_null())
                {
                    planned.replace.push(Path::default().attr(name));
                }
            }
        }
    }

    fn validate(config: &Value, problems: &mut Vec<Problem>) {
        let missing = |name: &str| {
            config.get_attr(name).is_none_or(|it| it.is_null() || it.as_str() == Some(""))
        };
        let blocks = |name: &str| {
            config.get_attr(name).filter(|it| it.is_known()).map_or(1, |it| it.len().unwrap_or(0))
        };
        let mut problem = |path: Path, summary: &str, detail: &str| {
            let (summary, detail) = (summary.to_owned(), detail.to_owned());
            problems.push(Problem { path, summary, detail });
        };
        let at = |name: &str| Path::default().attr(name);
        if missing("image_id") && missing("image_name") && blocks("block_device") == 0 {
            let detail =
                "It needs something to boot from: image_id, image_name, or a block_device.";
            problem(at("image_id"), "Missing boot image", detail);
        }
        if missing("flavor_id") && missing("flavor_name") {
            let detail = "One of flavor_id and flavor_name must be given.";
            problem(at("flavor_id"), "Missing flavor", detail);
        }
        for (index, block) in
            config.get_attr("network").into_iter().flat_map(Value::values).enumerate()
        {
            let none = |name: &str| {
                block.get_attr(name).is_none_or(|it| it.is_null() || it.as_str() == Some(""))
            };
            if none("uuid") && none("name") && none("port") {
                let detail = "One of uuid, name and port must say which network it is.";
                problem(at("network").index(Value::number(index)), "Missing network", detail);
            }
        }
        // The service takes metadata of so many characters only.
        let metadata = config.get_attr("metadata").and_then(Value::as_map).into_iter().flatten();
        for (key, value) in metadata {
            let long = value.as_str().is_some_and(|it| it.chars().count() > 255);
            if key.chars().count() > 255 || long {
                let path = at("metadata").index(Value::string(&**key));
                problem(path, "Too long", "A key and a value have at most 255 characters.");
            }
        }
    }
}

/// Whether an object boots from a volume: it has no image that it could be rebuilt from.
fn from_volume(object: &Value) -> bool {
    let mut devices =
        object.get_attr("block_device").into_iter().flat_map(Value::values).peekable();
    let local = |it: &Value| {
        text(it, "source_type") == Some("image") && text(it, "destination_type") == Some("local")
    };
    text(object, "image_id") == Some(NO_IMAGE) || devices.peek().is_some() && !devices.any(local)
}

/// The identifier in a server's answer.
fn id(server: &Json) -> &str {
    crate::json::str_at(server, "id")
}
