//! All arguments of a container that someone else made, as far as the engine tells them.

use std::collections::BTreeMap;

use bollard::models::{
    ContainerInspectResponse, HealthConfig, HostConfig, ImageConfig, Mount, MountType,
};
use plumb_model::value::{Type, Value};

use super::observe::{Seen, host_port, observed};
use crate::args::{flag, number, string_list, string_set, text};

/// What is the image's own is left to it.
pub(super) fn imported(seen: &ContainerInspectResponse, image: &ImageConfig) -> Seen {
    let mut all = observed(seen);
    let config = seen.config.clone().unwrap_or_default();
    let host = seen.host_config.clone().unwrap_or_default();
    let inherited = image.env.clone().unwrap_or_default();
    let env = config.env.unwrap_or_default();
    all.push(("env", string_set(env.iter().filter(|it| !inherited.contains(it)))));
    let inherited = image.labels.clone().unwrap_or_default();
    let mut labels = config.labels.unwrap_or_default();
    labels.retain(|name, value| inherited.get(name) != Some(value));
    all.push(("labels", crate::import::labels(Some(&labels))));
    if let Some(check) = config.healthcheck {
        all.push(("healthcheck", Value::list(Type::Dynamic, vec![health(&check)])));
    }
    all.extend(blocks(&host));
    all
}

fn blocks(host: &HostConfig) -> Seen {
    let set = |items: Vec<Value>| Value::set(Type::Dynamic, items);
    let mut all = Seen::new();
    let mut add = |name: &'static str, items: Vec<Value>| {
        if !items.is_empty() {
            all.push((name, set(items)));
        }
    };
    add("volumes", host.binds.iter().flatten().map(|it| volume(it)).collect());
    add("mounts", host.mounts.iter().flatten().map(mount).collect());
    let hosts = host.extra_hosts.iter().flatten().filter_map(|it| it.split_once(':'));
    let hosts = hosts.map(|(name, ip)| {
        Value::object([("host", Value::string(name)), ("ip", Value::string(ip))])
    });
    add("host", hosts.collect());
    let limits = host.ulimits.iter().flatten().map(|it| {
        Value::object([
            ("name", text(it.name.as_ref())),
            ("soft", number(it.soft)),
            ("hard", number(it.hard)),
        ])
    });
    add("ulimit", limits.collect());
    let devices = host.devices.iter().flatten().map(|it| {
        Value::object([
            ("host_path", text(it.path_on_host.as_ref())),
            ("container_path", text(it.path_in_container.as_ref())),
            ("permissions", text(it.cgroup_permissions.as_ref())),
        ])
    });
    add("devices", devices.collect());
    let none = || Value::null(Type::set(Type::String));
    let names = |list: &Option<Vec<String>>| match list.iter().flatten().next() {
        Some(_) => string_set(list.iter().flatten()),
        None => none(),
    };
    let (added, dropped) = (names(&host.cap_add), names(&host.cap_drop));
    if !added.is_null() || !dropped.is_null() {
        add("capabilities", vec![Value::object([("add", added), ("drop", dropped)])]);
    }
    if let Some(ports) = ports(host) {
        all.push(("ports", ports));
    }
    all
}

fn ports(host: &HostConfig) -> Option<Value> {
    let sorted: BTreeMap<_, _> = host.port_bindings.iter().flatten().collect();
    let mut ports = Vec::new();
    for (key, bindings) in sorted {
        let (internal, protocol) = key.split_once('/').unwrap_or((key, "tcp"));
        for binding in bindings.iter().flatten() {
            let ip = binding.host_ip.clone().filter(|it| !it.is_empty());
            ports.push(Value::object([
                ("internal", number(internal.parse().ok())),
                ("external", number(host_port(binding))),
                ("ip", Value::string(ip.unwrap_or_else(|| "0.0.0.0".to_owned()))),
                ("protocol", Value::string(protocol)),
            ]));
        }
    }
    (!ports.is_empty()).then(|| Value::list(Type::Dynamic, ports))
}

/// `source:path[:options]`.
fn volume(bind: &str) -> Value {
    let mut parts = bind.split(':');
    let source = parts.next().unwrap_or_default();
    let path = parts.next().unwrap_or_default();
    let options: Vec<_> = parts.next().unwrap_or_default().split(',').collect();
    let (folder, volume) = match source.starts_with('/') {
        true => (Some(source), None),
        false => (None, Some(source)),
    };
    Value::object([
        ("container_path", Value::string(path)),
        ("host_path", text(folder)),
        ("volume_name", text(volume)),
        ("from_container", Value::null(Type::String)),
        ("read_only", flag(options.contains(&"ro").then_some(true))),
        ("selinux_relabel", text(options.iter().find(|it| it.eq_ignore_ascii_case("z")))),
    ])
}

fn mount(mount: &Mount) -> Value {
    let none = |attributes: &[(&'static str, Type)]| {
        Value::list(Type::object(attributes.iter().cloned()), Vec::new())
    };
    let strings = || Type::map(Type::String);
    let label = Type::object([("label", Type::String), ("value", Type::String)]);
    let tmpfs = [("size_bytes", Type::Number), ("mode", Type::Number)];
    let tmpfs = match &mount.tmpfs_options {
        Some(it) => Value::list(
            Type::Dynamic,
            vec![Value::object([("size_bytes", number(it.size_bytes)), ("mode", number(it.mode))])],
        ),
        None => none(&tmpfs),
    };
    Value::object([
        ("target", text(mount.target.as_ref())),
        ("source", text(mount.source.as_ref().filter(|it| !it.is_empty()))),
        (
            "type",
            Value::string(match mount.typ {
                Some(MountType::BIND) => "bind",
                Some(MountType::TMPFS) => "tmpfs",
                _ => "volume",
            }),
        ),
        ("read_only", flag(mount.read_only)),
        ("bind_options", none(&[("propagation", Type::String)])),
        ("tmpfs_options", tmpfs),
        (
            "volume_options",
            none(&[
                ("no_copy", Type::Bool),
                ("driver_name", Type::String),
                ("driver_options", strings()),
                ("subpath", Type::String),
                ("labels", Type::set(label)),
            ]),
        ),
    ])
}

fn health(check: &HealthConfig) -> Value {
    let time = |amount: Option<i64>| text(amount.filter(|it| *it > 0).map(duration));
    Value::object([
        ("test", string_list(check.test.iter().flatten())),
        ("interval", time(check.interval)),
        ("timeout", time(check.timeout)),
        ("start_period", time(check.start_period)),
        ("start_interval", time(check.start_interval)),
        ("retries", number(check.retries)),
    ])
}

/// Nanoseconds as people write them: `1m30s`, `200ms`.
fn duration(nanoseconds: i64) -> String {
    let (seconds, rest) = (nanoseconds / 1_000_000_000, nanoseconds % 1_000_000_000);
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let mut shown = String::new();
    for (amount, unit) in [
        (hours, "h"),
        (minutes, "m"),
        (seconds, "s"),
        (rest / 1_000_000, "ms"),
        (rest % 1_000_000, "ns"),
    ] {
        if amount > 0 {
            shown += &format!("{amount}{unit}");
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::super::spec::nanoseconds;
    use super::*;

    #[test]
    fn durations_read_back() {
        for shown in ["1h", "1m30s", "200ms", "1s500ms"] {
            assert_eq!(duration(nanoseconds(shown).unwrap_or_default()), shown);
        }
    }
}
