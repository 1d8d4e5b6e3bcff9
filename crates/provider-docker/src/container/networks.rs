//! `networks_advanced`: which networks a container is in, asked for, seen, and changed in place.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerInspectResponse, EndpointIpamConfig, EndpointSettings, NetworkConnectRequest,
    NetworkDisconnectRequest,
};
use plumb_model::value::{Type, Value};
use plumb_provider::Failure;

use crate::args::{Args, number, string_set, text, with};
use crate::failure::{OrFail as _, fail, is_missing};
use crate::provider::Engine;

/// The networks to be in, in the order of their names.
pub(super) fn wanted(args: Args<'_>) -> Vec<(String, EndpointSettings)> {
    let mut all: Vec<_> = args
        .blocks("networks_advanced")
        .filter_map(|it| Some((it.string("name")?, endpoint(it))))
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    all
}

fn endpoint(block: Args<'_>) -> EndpointSettings {
    let fixed = EndpointIpamConfig {
        ipv4_address: block.string("ipv4_address"),
        ipv6_address: block.string("ipv6_address"),
        link_local_ips: block.strings("link_local_ips"),
    };
    let options = block.strings("driver_opts").map(|all| {
        let pair = |it: String| match it.split_once('=') {
            Some((name, value)) => (name.to_owned(), value.to_owned()),
            None => (it, String::new()),
        };
        all.into_iter().map(pair).collect()
    });
    EndpointSettings {
        ipam_config: (fixed != EndpointIpamConfig::default()).then_some(fixed),
        aliases: block.strings("aliases"),
        mac_address: block.string("mac_address"),
        driver_opts: options,
        gw_priority: block.int("gw_priority"),
        ..Default::default()
    }
}

/// Whether a `name` argument means the network that the engine lists under `key`.
fn means(name: &str, key: &str, endpoint: &EndpointSettings) -> bool {
    name == key || endpoint.network_id.as_deref().is_some_and(|id| id == name)
}

/// The blocks as they are now: what is attached, each with what its block manages. A network that
/// someone attached by hand is there; one that was detached is not.
pub(super) fn observed(
    base: Args<'_>,
    id: &str,
    attached: &HashMap<String, EndpointSettings>,
) -> Value {
    let managed = base.0.get_attr("networks_advanced").cloned().unwrap_or(Value::NULL);
    if !managed.is_present() || managed.is_empty() {
        return managed;
    }
    let attached: BTreeMap<_, _> = attached.iter().collect();
    let mode = base.str("network_mode");
    let mut items = Vec::new();
    for (key, endpoint) in &attached {
        let block = managed
            .values()
            .find(|it| Args(it).str("name").is_some_and(|name| means(name, key, endpoint)));
        match block {
            Some(block) => items.push(observed_block(block, id, endpoint)),
            None if mode.is_some_and(|mode| means(mode, key, endpoint)) => {}
            None => items.extend(managed.values().next().map(|like| bare(like, key))),
        }
    }
    match managed.ty() {
        Type::Set(ty) => Value::set((*ty).clone(), items),
        _ => managed,
    }
}

/// A block that says only the name.
fn bare(like: &Value, name: &str) -> Value {
    let none = like.as_map().into_iter().flatten();
    let none = Value::object(none.map(|(name, it)| (name.clone(), Value::null(it.ty()))));
    with(&none, [("name", Value::string(name))])
}

fn observed_block(block: &Value, id: &str, endpoint: &EndpointSettings) -> Value {
    let args = Args(block);
    let fixed = endpoint.ipam_config.clone().unwrap_or_default();
    let some = |text: Option<&String>| text.filter(|it| !it.is_empty()).cloned();
    let address = |name: &str, fixed: Option<String>, actual: Option<&String>| {
        // A stopped container has no addresses, but it will get the fixed ones.
        let now = fixed.or(some(actual)).or(args.string(name));
        let same =
            |a: &str, b: &str| match (a.parse::<std::net::IpAddr>(), b.parse::<std::net::IpAddr>())
            {
                (Ok(a), Ok(b)) => a == b,
                _ => a == b,
            };
        match (args.str(name), now) {
            (Some(want), Some(now)) if same(want, &now) => Some(want.to_owned()),
            (_, now) => now,
        }
    };
    let mut changes = Vec::new();
    if args.get("ipv4_address").is_some() {
        let fixed = some(fixed.ipv4_address.as_ref());
        let now = address("ipv4_address", fixed, endpoint.ip_address.as_ref());
        changes.push(("ipv4_address", text(now)));
    }
    if args.get("ipv6_address").is_some() {
        let fixed = some(fixed.ipv6_address.as_ref());
        let now = address("ipv6_address", fixed, endpoint.global_ipv6_address.as_ref());
        changes.push(("ipv6_address", text(now)));
    }
    if let Some(wanted) = args.strings("aliases") {
        // The engine adds the short id, and newer ones the name.
        let now = endpoint.aliases.clone().unwrap_or_default();
        if !wanted.iter().all(|it| now.contains(it)) {
            let now = now.iter().filter(|it| !id.starts_with(it.as_str()));
            changes.push(("aliases", string_set(now)));
        }
    }
    with(block, changes)
}

/// All networks of a container that is brought in, with what was fixed by whoever made it.
pub(super) fn imported(
    seen: &ContainerInspectResponse,
    attached: &HashMap<String, EndpointSettings>,
) -> Value {
    let schema = crate::schema::provider();
    let container = &schema.resources[&plumb_model::addr::Kind::new("docker_container")];
    let nested = &container.block.blocks()["networks_advanced"];
    let id = seen.id.clone().unwrap_or_default();
    let sorted: BTreeMap<_, _> = attached.iter().collect();
    let builtin = |name: &str| ["bridge", "host", "none"].contains(&name);
    let items = sorted.into_iter().filter(|(name, _)| !builtin(name)).map(|(name, endpoint)| {
        let attributes = nested.block.attributes().iter();
        let none =
            Value::object(attributes.map(|(name, it)| (name.clone(), Value::null(it.ty.clone()))));
        let fixed = endpoint.ipam_config.clone().unwrap_or_default();
        let aliases = endpoint.aliases.iter().flatten();
        let aliases: Vec<_> = aliases.filter(|it| !id.starts_with(it.as_str())).collect();
        let filled = |text: Option<String>| text.filter(|it| !it.is_empty());
        let mut changes = vec![
            ("name", Value::string(name.as_str())),
            ("ipv4_address", text(filled(fixed.ipv4_address))),
            ("ipv6_address", text(filled(fixed.ipv6_address))),
        ];
        if !aliases.is_empty() {
            changes.push(("aliases", string_set(aliases)));
        }
        with(&none, changes)
    });
    Value::set(nested.block.ty().clone(), items.collect())
}

/// `network_data`.
pub(super) fn data(attached: &HashMap<String, EndpointSettings>) -> Value {
    let ty = Type::object([
        ("network_name", Type::String),
        ("ip_address", Type::String),
        ("ip_prefix_length", Type::Number),
        ("gateway", Type::String),
        ("global_ipv6_address", Type::String),
        ("global_ipv6_prefix_length", Type::Number),
        ("ipv6_gateway", Type::String),
        ("mac_address", Type::String),
    ]);
    let sorted: BTreeMap<_, _> = attached.iter().collect();
    let items = sorted.into_iter().map(|(name, it)| {
        let text = |value: &Option<String>| text(Some(value.as_deref().unwrap_or_default()));
        let number = |value: Option<i64>| number(Some(value.unwrap_or_default()));
        Value::object([
            ("network_name", Value::string(name.as_str())),
            ("ip_address", text(&it.ip_address)),
            ("ip_prefix_length", number(it.ip_prefix_len)),
            ("gateway", text(&it.gateway)),
            ("global_ipv6_address", text(&it.global_ipv6_address)),
            ("global_ipv6_prefix_length", number(it.global_ipv6_prefix_len)),
            ("ipv6_gateway", text(&it.ipv6_gateway)),
            ("mac_address", text(&it.mac_address)),
        ])
    });
    Value::list(ty, items.collect())
}

pub(super) async fn connect(
    engine: &Engine,
    id: &str,
    network: &str,
    endpoint: EndpointSettings,
) -> Result<(), Failure> {
    let request =
        NetworkConnectRequest { container: id.to_owned(), endpoint_config: Some(endpoint) };
    let doing = || format!("connect the container to the network \"{network}\"");
    engine.docker.connect_network(network, request).await.or_fail(doing)
}

async fn disconnect(engine: &Engine, id: &str, network: &str) -> Result<(), Failure> {
    let request = NetworkDisconnectRequest { container: id.to_owned(), force: Some(true) };
    match engine.docker.disconnect_network(network, request).await {
        Ok(()) => Ok(()),
        Err(error) if is_missing(&error) => Ok(()),
        Err(error) => {
            Err(fail(&format!("disconnect the container from the network \"{network}\""), &error))
        }
    }
}

/// Leaves what is not wanted, then joins what is; a network whose settings change is left and
/// joined again.
pub(super) async fn change(
    engine: &Engine,
    id: &str,
    want: Args<'_>,
    attached: &HashMap<String, EndpointSettings>,
) -> Result<(), Failure> {
    let steps = steps(id, want, attached);
    for network in steps.leave {
        disconnect(engine, id, &network).await?;
    }
    for (network, endpoint) in steps.join {
        connect(engine, id, &network, endpoint).await?;
    }
    Ok(())
}

#[derive(Debug, Default, PartialEq)]
struct Steps {
    leave: Vec<String>,
    join: Vec<(String, EndpointSettings)>,
}

fn steps(id: &str, want: Args<'_>, attached: &HashMap<String, EndpointSettings>) -> Steps {
    let mut steps = Steps::default();
    let wanted = wanted(want);
    // No blocks any more: no longer managed.
    if wanted.is_empty() {
        return steps;
    }
    let attached: BTreeMap<_, _> = attached.iter().collect();
    let mode = want.str("network_mode");
    for (key, endpoint) in &attached {
        let kept = wanted.iter().any(|(name, _)| means(name, key, endpoint))
            || mode.is_some_and(|mode| means(mode, key, endpoint));
        if !kept {
            steps.leave.push((*key).clone());
        }
    }
    for (name, settings) in wanted {
        let now = attached.iter().find(|(key, endpoint)| means(&name, key, endpoint));
        let block = want.blocks("networks_advanced").find(|it| it.str("name") == Some(&name));
        match (now, block) {
            (Some((_, endpoint)), Some(block))
                if observed_block(block.0, id, endpoint) == *block.0 => {}
            (Some((key, _)), _) => {
                steps.leave.push((*key).clone());
                steps.join.push((name, settings));
            }
            (None, _) => steps.join.push((name, settings)),
        }
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(name: &str, address: Option<&str>, aliases: &[&str]) -> Value {
        let aliases = match aliases.is_empty() {
            true => Value::null(Type::set(Type::String)),
            false => string_set(aliases),
        };
        Value::object([
            ("name", Value::string(name)),
            ("ipv4_address", text(address)),
            ("ipv6_address", Value::null(Type::String)),
            ("aliases", aliases),
        ])
    }

    fn container(blocks: Vec<Value>, mode: Option<&str>) -> Value {
        Value::object([
            ("networks_advanced", Value::set(Type::Dynamic, blocks)),
            ("network_mode", text(mode)),
        ])
    }

    fn attached(list: &[(&str, &str)]) -> HashMap<String, EndpointSettings> {
        let one = |(name, address): &(&str, &str)| {
            let endpoint = EndpointSettings {
                network_id: Some(format!("id-of-{name}")),
                ip_address: Some((*address).to_owned()),
                aliases: Some(vec!["web".to_owned(), "0123456789ab".to_owned()]),
                ..Default::default()
            };
            ((*name).to_owned(), endpoint)
        };
        list.iter().map(one).collect()
    }

    const ID: &str = "0123456789abcdef";

    fn show(blocks: Vec<Value>, mode: Option<&str>, now: &[(&str, &str)]) -> (String, String) {
        let (want, now) = (container(blocks, mode), attached(now));
        let seen = observed(Args(&want), ID, &now);
        let seen: Vec<_> = seen.values().map(|it| Args(it).string("name").unwrap()).collect();
        let steps = steps(ID, Args(&want), &now);
        let join: Vec<_> = steps.join.iter().map(|it| it.0.as_str()).collect();
        (seen.join(" "), format!("-{} +{}", steps.leave.join(" "), join.join(" ")))
    }

    #[test]
    fn drift_is_seen_and_mended_in_place() {
        let want = || vec![block("a", Some("10.0.0.2"), &["web"]), block("id-of-b", None, &[])];
        let ok = [("a", "10.0.0.2"), ("b", "10.1.0.9")];
        assert_eq!(show(want(), None, &ok), ("a id-of-b".into(), "- +".into()));
        assert_eq!(show(want(), None, &ok[..1]), ("a".into(), "- +id-of-b".into()));
        let more = [ok[0], ok[1], ("c", "10.2.0.1")];
        assert_eq!(show(want(), None, &more), ("a c id-of-b".into(), "-c +".into()));
        assert_eq!(show(want(), Some("c"), &more), ("a id-of-b".into(), "- +".into()));
        let moved = [("a", "10.0.0.7"), ok[1]];
        assert_eq!(show(want(), None, &moved), ("a id-of-b".into(), "-a +a".into()));
        assert_eq!(show(vec![], None, &ok), ("".into(), "- +".into()));
        let other = vec![block("a", None, &["db"])];
        assert_eq!(show(other, None, &ok[..1]).1, "-a +a");
    }
}
