//! A server.

mod calls;
mod change;
mod gather;
mod networks;
mod observe;
mod power;
mod remove;
mod request;
mod rows;
mod says;
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

/// What was said about a server that was brought in when it was made, where Nova does not tell.
const NOT_TOLD: &str = "";

pub(crate) struct Instance;

impl Rules for Instance {
    fn table() -> &'static Table {
        &rows::TABLE
    }

    fn refine(input: &RefineInput<'_>, planned: &mut Planned) {
        // None written is the same as nothing written: Nova makes no port without a group.
        if input.config.get_attr("security_groups").is_some_and(|it| it.len() == Some(0)) {
            match input.prior.and_then(|it| it.get_attr("security_groups")) {
                Some(was) => planned.set("security_groups", was.clone()),
                None => planned.unknown("security_groups"),
            }
        }
        let Some(prior) = input.prior else { return };
        let written = |name: &str| text(input.config, name);
        // The same text in another form, or Terraform's hash of it, is no change.
        if let (Some(now), Some(was)) = (written("user_data"), prior.get_attr("user_data"))
            && was.as_str().is_some_and(|was| user_data::same(was, now))
        {
            planned.set("user_data", was.clone());
        }
        // What was not told stays so until something is written.
        for name in ["user_data", "network_mode"] {
            if let Some(was) = prior.get_attr(name).filter(|it| it.as_str() == Some(NOT_TOLD))
                && input.config.get_attr(name).is_none_or(Value::is_null)
            {
                planned.set(name, was.clone());
            }
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
        if !changes(input, planned, prior) {
            planned.attrs.extend(prior.as_map().cloned().unwrap_or_default());
        }
        replacements(prior, planned);
        // Nova moves a server about; only who asks for a host gets another server for it.
        let host = input.config.get_attr("hypervisor_hostname").filter(|it| !it.is_null());
        if host.is_some_and(|it| Some(it) != prior.get_attr("hypervisor_hostname")) {
            planned.replace.push(Path::default().attr("hypervisor_hostname"));
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
        planned.says = says::says(prior, planned);
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

/// Arguments that Nova tells nothing of: a change of them needs another server, but not that they
/// are written for one that was made elsewhere, or say what is so anyway.
fn replacements(prior: &Value, planned: &mut Planned) {
    let was = |name: &str| prior.get_attr(name).and_then(Value::as_str);
    for name in ["user_data", "network_mode", "availability_zone_hints"] {
        let Some(now) = planned.get(name) else { continue };
        let (known, now) = (now.is_known(), now.as_str());
        let harmless = match name {
            "user_data" | "network_mode" if was(name) == Some(NOT_TOLD) => true,
            "network_mode" => now.unwrap_or("auto") == was(name).unwrap_or("auto"),
            "user_data" => false,
            _ => now.is_none() || now == was("availability_zone"),
        };
        if now != was(name) && !harmless || !known {
            planned.replace.push(Path::default().attr(name));
        }
    }
}

/// Whether anything is to change, besides what comes out anew when something does.
fn changes(input: &RefineInput<'_>, planned: &Planned, prior: &Value) -> bool {
    let follows = |name: &str| {
        let row = Instance::table().fields.iter().find(|it| it.name == name);
        row.is_some_and(|it| !it.follows.is_empty())
            && input.config.get_attr(name).is_none_or(Value::is_null)
    };
    planned.attrs.iter().any(|(name, it)| prior.get_attr(name) != Some(it) && !follows(name))
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

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};
    use plumb_model::schema::ResourceSchema;
    use plumb_provider::conformance;

    use super::*;

    /// What a configuration changes about an object that was made from `prior`.
    fn check(prior: &[(&str, Value)], written: &[(&str, Value)], expected: Expect) {
        let schema: ResourceSchema = crate::plan::schema::<Instance>();
        let config = |items: &[(&str, Value)]| {
            let base = [("name", Value::string("a")), ("flavor_id", Value::string("1"))];
            let items = items.iter().map(|(name, it)| ((*name).to_owned(), it.clone()));
            let base = base.into_iter().map(|(name, it)| (name.to_owned(), it));
            conformance::config(&schema.block, base.chain(items))
        };
        // What Nova would choose.
        let stored = config(prior).as_map().cloned().map(|mut it| {
            for (name, text) in [
                ("id", "i"),
                ("updated", "u"),
                ("flavor_name", "tiny"),
                ("power_state", "active"),
                ("availability_zone", "nova"),
                ("image_id", "x"),
                ("image_name", "rig"),
            ] {
                if it.get(name).is_none_or(Value::is_null) {
                    it.insert(name.into(), Value::string(text));
                }
            }
            for name in ["stop_before_destroy", "force_delete"] {
                it.insert(name.into(), Value::bool(false));
            }
            Value::object(it)
        });
        let stored = stored.unwrap_or(Value::NULL);
        let (planned, replace) = conformance::plan(&schema, &config(written), Some(&stored));
        let mut text = String::new();
        for (name, it) in planned.as_map().into_iter().flatten() {
            let was = stored.get_attr(name);
            if was != Some(it) {
                let shown = if it.is_known() {
                    crate::json::to_json(it).to_string()
                } else {
                    "?".to_owned()
                };
                text += &format!("{name} = {shown}\n");
            }
        }
        for path in replace {
            text += &format!("replace because of {path}\n");
        }
        expected.assert_eq(&text);
    }

    #[test]
    fn names_and_identifiers_go_together() {
        let text = |name, it: &str| (name, Value::string(it));
        check(&[text("image_id", "x")], &[text("image_id", "x")], expect![[""]]);
        check(
            &[text("image_id", "x")],
            &[text("image_id", "y")],
            expect![[r#"
                hypervisor_hostname = ?
                image_id = "y"
                image_name = ?
                updated = ?
            "#]],
        );
        check(
            &[],
            &[text("image_name", "other")],
            expect![[r#"
            hypervisor_hostname = ?
            image_id = ?
            image_name = "other"
            updated = ?
        "#]],
        );
        check(
            &[],
            &[text("image_name", "rig"), text("flavor_id", "2")],
            expect![[r#"
            flavor_id = "2"
            flavor_name = ?
            hypervisor_hostname = ?
            updated = ?
        "#]],
        );
    }

    #[test]
    fn what_boots_from_a_volume_is_replaced() {
        let text = |name, it: &str| (name, Value::string(it));
        check(
            &[text("image_id", NO_IMAGE)],
            &[text("image_id", "y")],
            expect![[r#"
            hypervisor_hostname = ?
            image_id = "y"
            image_name = ?
            updated = ?
            replace because of .image_id
        "#]],
        );
    }

    #[test]
    fn what_means_the_same_is_no_change() {
        let text = |name, it: &str| (name, Value::string(it));
        let image = || text("image_id", "x");
        let hash = "11f6ad8ec52a2984abaafd7c3b516503785c2072";
        check(
            &[image(), text("user_data", hash)],
            &[image(), text("user_data", "x")],
            expect![[""]],
        );
        check(
            &[image(), text("user_data", hash)],
            &[image(), text("user_data", "y")],
            expect![[r#"
            updated = ?
            user_data = "y"
            replace because of .user_data
        "#]],
        );
        check(&[image()], &[image(), text("availability_zone", "nova:h1")], expect![[""]]);
        check(&[image(), text("power_state", "error")], &[image()], expect![[""]]);
        check(
            &[image(), text("power_state", "error")],
            &[text("image_id", "y")],
            expect![[r#"
                hypervisor_hostname = ?
                image_id = "y"
                image_name = ?
                power_state = "active"
                updated = ?
            "#]],
        );
    }

    #[test]
    fn no_group_is_nothing_written() {
        let groups = |names: &[&str]| {
            let names = names.iter().map(|it| Value::string(*it)).collect();
            ("security_groups", Value::set(plumb_model::value::Type::String, names))
        };
        let image = || ("image_id", Value::string("x"));
        check(&[image(), groups(&["default"])], &[image(), groups(&[])], expect![[""]]);
    }

    #[test]
    fn what_was_not_told_replaces_nothing() {
        let text = |name, it: &str| (name, Value::string(it));
        let image = || text("image_id", "x");
        check(
            &[image(), text("network_mode", NOT_TOLD)],
            &[image(), text("network_mode", "none")],
            expect![[r#"
                network_mode = "none"
                updated = ?
            "#]],
        );
        check(&[image(), text("network_mode", NOT_TOLD)], &[image()], expect![[""]]);
        check(
            &[image(), text("network_mode", "auto")],
            &[image(), text("network_mode", "none")],
            expect![[r#"
                network_mode = "none"
                updated = ?
                replace because of .network_mode
            "#]],
        );
    }

    #[test]
    fn what_has_to_be_said() {
        let schema: ResourceSchema = crate::plan::schema::<Instance>();
        let config = conformance::config(&schema.block, [("name", Value::string("a"))]);
        let problems = schema.validate.map(|it| it(&config)).unwrap_or_default();
        let text: String =
            problems.iter().map(|it| format!("{}: {}\n", it.path, it.summary)).collect();
        expect![[r#"
            .image_id: Missing boot image
            .flavor_id: Missing flavor
        "#]]
        .assert_eq(&text);
    }
}
