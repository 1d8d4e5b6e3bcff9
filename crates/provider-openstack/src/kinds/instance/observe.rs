//! What a server is: Nova's answer, what else was asked, and what was written, as attributes.

use std::collections::BTreeSet;

use plumb_model::value::{Type, Value};
use serde_json::{Map, Value as Json};

use super::gather::Facts;
use super::networks::{access, as_written, blocks, nics};
use super::rows::TABLE;
use super::{NO_IMAGE, NOT_TOLD, from_volume, user_data};
use crate::json::{self, Attrs, list_at, str_at};
use crate::nova;
use crate::told::{keep, text, with_base};

/// What is known of a server.
pub(crate) struct Seen<'a> {
    pub(crate) server: &'a Json,
    /// How it was written, if it is ours.
    pub(crate) base: Option<&'a Value>,
    /// The ports that Nova made for it.
    pub(crate) own: &'a [String],
    pub(crate) facts: &'a Facts,
    pub(crate) region: Value,
}

/// All attributes.
pub(crate) fn attributes(seen: &Seen<'_>) -> Value {
    let Seen { server, base, facts, .. } = seen;
    let mut server = (*server).clone();
    let metadata = hide(&mut server);
    let mut attrs = with_base(&TABLE, &server, *base);
    json::set(&mut attrs, "region", seen.region.clone());
    json::set(&mut attrs, "metadata", own_metadata(&metadata, *base));
    let string = |attrs: &mut Attrs, name: &str, it: &str| {
        json::set(attrs, name, Value::string(it));
    };
    let (flavor_id, flavor_name) = facts.flavor(&server, *base);
    string(&mut attrs, "flavor_id", &flavor_id);
    string(&mut attrs, "flavor_name", &flavor_name);
    if super::gather::image(&server).is_empty() {
        // As it was written, though it boots from a volume.
        let written = base.filter(|it| from_volume(it)).and_then(|it| text(it, "image_id"));
        string(&mut attrs, "image_id", written.unwrap_or(NO_IMAGE));
        let name = base.and_then(|it| text(it, "image_name")).unwrap_or_default();
        string(&mut attrs, "image_name", name);
    } else {
        let (id, name) = facts.image(&server, *base);
        string(&mut attrs, "image_id", &id);
        string(&mut attrs, "image_name", &name);
    }
    string(&mut attrs, "power_state", &power_state(&server, *base));
    networks(&mut attrs, seen);
    json::set(&mut attrs, "security_groups", groups(seen));
    zone(&mut attrs, *base);
    // Only administrators are told.
    if attrs.get("hypervisor_hostname").is_some_and(|it| !it.is_present()) {
        keep(&mut attrs, *base, ["hypervisor_hostname"]);
    }
    // Versions before 2.26 do not tell tags.
    if server.get("tags").is_none() {
        keep(&mut attrs, *base, ["tags"]);
        if let Some(tags) = attrs.get("tags").filter(|it| it.is_present()).cloned() {
            json::set(&mut attrs, "all_tags", tags);
        }
    }
    if base.is_none() {
        imported(&mut attrs, &server);
    }
    Value::object(attrs)
}

/// Takes the token out of the metadata, and gives what is left.
fn hide(server: &mut Json) -> Map<String, Json> {
    match server.get_mut("metadata") {
        Some(Json::Object(metadata)) => {
            metadata.remove(nova::TOKEN);
            metadata.clone()
        }
        _ => Map::new(),
    }
}

/// The keys that were written; others are other people's.
fn own_metadata(all: &Map<String, Json>, base: Option<&Value>) -> Value {
    let written = base.and_then(|it| it.get_attr("metadata"));
    let ours = |key: &str| {
        base.is_none() || written.and_then(Value::as_map).is_some_and(|it| it.contains_key(key))
    };
    let items = all.iter().filter(|it| ours(it.0));
    Value::map(
        Type::String,
        items.map(|(key, it)| (key.as_str(), json::from_json(it, &Type::String))),
    )
}

/// The power state in Terraform's words. A server that is on its way is what it was.
pub(crate) fn power_state(server: &Json, base: Option<&Value>) -> String {
    let state = match str_at(server, "status") {
        "ACTIVE" => "active",
        "SHUTOFF" => "shutoff",
        "PAUSED" => "paused",
        "SUSPENDED" => "suspended",
        "SHELVED_OFFLOADED" => "shelved_offloaded",
        "SHELVED" => "shelved",
        "RESCUE" => "rescued",
        "ERROR" => "error",
        // It waits for somebody: a change of the power state confirms the resize.
        "VERIFY_RESIZE" => "verify_resize",
        _ => base.and_then(|it| text(it, "power_state")).unwrap_or("active"),
    };
    state.to_owned()
}

fn written<'a>(base: Option<&'a Value>, name: &str) -> Vec<&'a Value> {
    base.and_then(|it| it.get_attr(name)).into_iter().flat_map(Value::values).collect()
}

fn networks(attrs: &mut Attrs, seen: &Seen<'_>) {
    let written = written(seen.base, "network");
    let nics = as_written(&written, nics(seen.server, seen.facts.ports(seen.server)));
    let (mut v4, mut v6) = access(&nics);
    for (address, key) in [(&mut v4, "accessIPv4"), (&mut v6, "accessIPv6")] {
        if address.is_empty() {
            str_at(seen.server, key).clone_into(address);
        }
    }
    json::set(attrs, "access_ip_v4", Value::string(v4));
    json::set(attrs, "access_ip_v6", Value::string(v6));
    if let Some(element) = attrs.get("network").and_then(|it| it.ty().element().cloned()) {
        json::set(attrs, "network", blocks(element, &written, &nics));
    }
}

/// The groups of the ports that it made: one that was written counts if all have it, another if
/// any has it, so that each difference shows.
fn groups(seen: &Seen<'_>) -> Value {
    let filtered = |it: &&Json| {
        it.get("port_security_enabled").and_then(Json::as_bool) != Some(false)
            && seen.own.iter().any(|own| *own == str_at(it, "id"))
    };
    let own: Vec<BTreeSet<&str>> = seen
        .facts
        .ports(seen.server)
        .iter()
        .filter(filtered)
        .map(|it| list_at(it, "security_groups").iter().filter_map(Json::as_str).collect())
        .collect();
    let written: Vec<&str> =
        written(seen.base, "security_groups").into_iter().filter_map(Value::as_str).collect();
    if own.is_empty() {
        // Nothing that they could be seen at.
        let as_written = written.into_iter().map(Value::string).collect();
        return Value::set(Type::String, as_written);
    }
    let all: BTreeSet<&str> = own.iter().flatten().copied().collect();
    let mut res = Vec::new();
    for group in all {
        let name = seen.facts.group(group);
        let ours = written.iter().find(|it| **it == group || **it == name);
        match ours {
            Some(ours) if own.iter().all(|it| it.contains(group)) => res.push(Value::string(*ours)),
            Some(_) => {}
            None => res.push(Value::string(name)),
        }
    }
    Value::set(Type::String, res)
}

/// `zone:host` is in `zone`; a server without a host is where it was.
fn zone(attrs: &mut Attrs, base: Option<&Value>) {
    let told =
        attrs.get("availability_zone").and_then(Value::as_str).unwrap_or_default().to_owned();
    let Some(written) = base.and_then(|it| text(it, "availability_zone")) else {
        json::set(attrs, "availability_zone", Value::string(told));
        return;
    };
    if told.is_empty() || written.split(':').next() == Some(&*told) {
        json::set(attrs, "availability_zone", Value::string(written));
    }
}

/// What a stored object would have from its configuration.
fn imported(attrs: &mut Attrs, server: &Json) {
    let told = str_at(server, "OS-EXT-SRV-ATTR:user_data");
    let told = if told.is_empty() { NOT_TOLD.to_owned() } else { user_data::decoded(told) };
    json::set(attrs, "user_data", Value::string(told));
    // What has addresses now may have got them since.
    let none = server.get("addresses").and_then(Json::as_object).is_some_and(Map::is_empty);
    json::set(attrs, "network_mode", Value::string(if none { "none" } else { NOT_TOLD }));
    let drive = str_at(server, "config_drive");
    json::set(attrs, "config_drive", Value::bool(drive == "True"));
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn groups_of(written: &[&str], ports: &[&[&str]], given: &[&str]) -> String {
        let port = |(index, groups): (usize, &&[&str])| json!({ "id": format!("p{index}"), "security_groups": groups });
        let own = (0..ports.len()).map(|it| format!("p{it}"));
        let own: Vec<String> = own.filter(|it| !given.contains(&&**it)).collect();
        let ports = ports.iter().enumerate().map(port).collect();
        let facts = Facts::of("s", ports, &[("1", "web"), ("2", "db"), ("3", "default")]);
        let written = written.iter().map(|it| Value::string(*it)).collect();
        let base = Value::object([("security_groups", Value::set(Type::String, written))]);
        let server = json!({ "id": "s" });
        let seen = Seen {
            server: &server,
            base: Some(&base),
            own: &own,
            facts: &facts,
            region: Value::string(""),
        };
        let groups = groups(&seen);
        groups.values().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn whose_security_groups() {
        assert_eq!(groups_of(&["web"], &[&["1"]], &[]), "web");
        assert_eq!(groups_of(&["1"], &[&["1"]], &[]), "1");
        assert_eq!(groups_of(&["web"], &[&["1", "2"]], &[]), "db web");
        assert_eq!(groups_of(&["web", "db"], &[&["1", "2"], &["1"]], &[]), "web");
        assert_eq!(groups_of(&["web"], &[&["1"], &["3"]], &["p1"]), "web");
        assert_eq!(groups_of(&["web"], &[&["3"]], &["p0"]), "web");
        assert_eq!(groups_of(&[], &[&["3"]], &[]), "default");
    }

    #[test]
    fn metadata_of_others_is_left_alone() {
        let mut server = json!({ "metadata": { "a": "1", "theirs": "x", "plumb.token": "0-1" } });
        let all = hide(&mut server);
        assert_eq!(server, json!({ "metadata": { "a": "1", "theirs": "x" } }));
        let item = |key: &str| Value::map(Type::String, [(key, Value::string("0"))]);
        let base = Value::object([("metadata", item("a"))]);
        let shown = own_metadata(&all, Some(&base));
        assert_eq!(shown, Value::map(Type::String, [("a", Value::string("1"))]));
        assert_eq!(own_metadata(&all, None).len(), Some(2));
    }

    #[test]
    fn on_the_way_it_is_what_it_was() {
        let base = Value::object([("power_state", Value::string("shutoff"))]);
        let state = |status: &str| power_state(&json!({ "status": status }), Some(&base));
        assert_eq!(state("ACTIVE"), "active");
        assert_eq!(state("RESCUE"), "rescued");
        assert_eq!(state("RESIZE"), "shutoff");
        assert_eq!(state("VERIFY_RESIZE"), "verify_resize");
        assert_eq!(power_state(&json!({ "status": "REBUILD" }), None), "active");
    }
}
