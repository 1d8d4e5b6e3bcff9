//! From what the engine says of a container to attributes.

use std::collections::BTreeMap;

use bollard::models::{
    ContainerInspectResponse, ContainerState, ContainerStateStatusEnum, ContainerSummary,
    ContainerSummaryStateEnum, HostConfig, PortBinding,
};
use plumb_model::value::{Type, Value};

use super::networks;
use crate::args::{Args, flag, number, string_list, string_set, text, with};

const MIB: i64 = 1 << 20;

const ENDED: [ContainerSummaryStateEnum; 2] =
    [ContainerSummaryStateEnum::EXITED, ContainerSummaryStateEnum::DEAD];

/// Arguments that someone else can change on a living container.
const LIVE: &[&str] = &[
    "name",
    "restart",
    "max_retry_count",
    "cpu_shares",
    "cpu_set",
    "cpu_period",
    "cpu_quota",
    "cpus",
    "memory",
    "memory_reservation",
    "memory_swap",
];

/// Optional arguments whose value the engine chooses when they are left out.
const CHOSEN: &[&str] = &[
    "platform",
    "hostname",
    "command",
    "entrypoint",
    "env",
    "stop_signal",
    "stop_timeout",
    "init",
    "shm_size",
    "security_opts",
    "ipc_mode",
    "runtime",
    "log_driver",
];

/// Attributes that are always read.
const COMPUTED: &[&str] = &["exit_code", "bridge"];

pub(super) type Seen = Vec<(&'static str, Value)>;

/// Everything that can be told from an inspection.
pub(super) fn observed(seen: &ContainerInspectResponse) -> Seen {
    let config = seen.config.clone().unwrap_or_default();
    let host = seen.host_config.clone().unwrap_or_default();
    let state = seen.state.clone().unwrap_or_default();
    let filled = |text: Option<String>| text.filter(|it| !it.is_empty());
    let mut all: Seen = vec![
        ("name", text(seen.name.as_deref().map(|it| it.trim_start_matches('/')))),
        ("image", text(seen.image.as_ref())),
        ("platform", text(seen.platform.as_ref())),
        ("hostname", text(config.hostname)),
        ("domainname", text(filled(config.domainname))),
        ("user", text(filled(config.user))),
        ("working_dir", text(filled(config.working_dir))),
        ("command", list(config.cmd)),
        ("entrypoint", list(config.entrypoint)),
        ("env", string_set(config.env.unwrap_or_default())),
        ("tty", flag(Some(config.tty.unwrap_or_default()))),
        ("stdin_open", flag(Some(config.open_stdin.unwrap_or_default()))),
        ("stop_signal", text(config.stop_signal)),
        ("stop_timeout", number(config.stop_timeout)),
        ("labels", crate::import::labels(config.labels.as_ref())),
        ("exit_code", exit_code(&state)),
        ("bridge", Value::string("")),
    ];
    all.extend(observed_host(&host));
    all
}

fn list(items: Option<Vec<String>>) -> Value {
    string_list(items.unwrap_or_default())
}

fn exit_code(state: &ContainerState) -> Value {
    let ended = [ContainerStateStatusEnum::EXITED, ContainerStateStatusEnum::DEAD];
    number(state.exit_code.filter(|_| state.status.is_some_and(|it| ended.contains(&it))))
}

fn observed_host(host: &HostConfig) -> Seen {
    let filled = |text: &Option<String>| text.clone().filter(|it| !it.is_empty());
    let mib = |amount: Option<i64>| amount.map(|it| if it < 0 { it } else { it / MIB });
    let restart = host.restart_policy.clone().unwrap_or_default();
    let name = restart.name.map(|it| it.to_string()).filter(|it| !it.is_empty());
    let logs = host.log_config.clone().unwrap_or_default();
    let cpus = host.nano_cpus.filter(|it| *it > 0);
    #[expect(clippy::cast_precision_loss, reason = "a handful of processors")]
    let cpus = cpus.map(|it| (it as f64 / 1e9).to_string());
    vec![
        ("restart", Value::string(name.unwrap_or_else(|| "no".to_owned()))),
        ("max_retry_count", number(Some(restart.maximum_retry_count.unwrap_or_default()))),
        ("cpu_shares", number(Some(host.cpu_shares.unwrap_or_default()))),
        ("cpu_set", text(Some(host.cpuset_cpus.clone().unwrap_or_default()))),
        ("cpu_period", number(Some(host.cpu_period.unwrap_or_default()))),
        ("cpu_quota", number(Some(host.cpu_quota.unwrap_or_default()))),
        ("cpus", text(Some(cpus.unwrap_or_default()))),
        ("memory", number(mib(Some(host.memory.unwrap_or_default())))),
        ("memory_reservation", number(mib(Some(host.memory_reservation.unwrap_or_default())))),
        ("memory_swap", number(mib(Some(host.memory_swap.unwrap_or_default())))),
        ("shm_size", number(mib(host.shm_size))),
        ("init", flag(Some(host.init.unwrap_or_default()))),
        ("security_opts", string_set(host.security_opt.clone().unwrap_or_default())),
        ("ipc_mode", text(filled(&host.ipc_mode))),
        ("runtime", text(filled(&host.runtime))),
        ("log_driver", text(logs.typ)),
        ("log_opts", crate::import::map(logs.config.as_ref())),
        ("network_mode", text(filled(&host.network_mode))),
        ("pid_mode", text(filled(&host.pid_mode))),
        ("userns_mode", text(filled(&host.userns_mode))),
        ("cgroup_parent", text(filled(&host.cgroup_parent))),
        ("privileged", flag(host.privileged.filter(|it| *it))),
        ("publish_all_ports", flag(host.publish_all_ports.filter(|it| *it))),
        ("read_only", flag(Some(host.readonly_rootfs.unwrap_or_default()))),
        ("rm", flag(Some(host.auto_remove.unwrap_or_default()))),
        ("dns", set_or_null(host.dns.as_ref())),
        ("dns_opts", set_or_null(host.dns_options.as_ref())),
        ("dns_search", set_or_null(host.dns_search.as_ref())),
        ("group_add", set_or_null(host.group_add.as_ref())),
        ("tmpfs", crate::import::map(host.tmpfs.as_ref())),
        ("sysctls", crate::import::map(host.sysctls.as_ref())),
        ("storage_opts", crate::import::map(host.storage_opt.as_ref())),
    ]
}

fn set_or_null(items: Option<&Vec<String>>) -> Value {
    match items.filter(|it| !it.is_empty()) {
        Some(items) => string_set(items),
        None => Value::null(Type::set(Type::String)),
    }
}

/// `base` with what is seen of it: what can change, what the engine chose, what is computed.
pub(super) fn settle(base: &Value, seen: &Seen) -> Value {
    let args = Args(base);
    let changes = seen.iter().filter_map(|(name, now)| {
        let take = match args.get(name) {
            Some(had) => LIVE.contains(name) && !same(name, had, now),
            None => CHOSEN.contains(name) || LIVE.contains(name),
        };
        (take || COMPUTED.contains(name)).then(|| (*name, now.clone()))
    });
    let attrs = with(base, changes.collect::<Vec<_>>());
    running(attrs, exit_seen(seen))
}

/// Whether it has ended, told by its having an exit code.
fn exit_seen(seen: &Seen) -> bool {
    seen.iter().any(|(name, value)| *name == "exit_code" && !value.is_null())
}

/// A container that must run and does not is a difference; one that is waited for has to end.
fn running(attrs: Value, ended: bool) -> Value {
    let args = Args(&attrs);
    let enforced = args.is("must_run") && args.bool("start") != Some(false) && !args.is("attach");
    match enforced && ended {
        true => with(&attrs, [("must_run", Value::FALSE)]),
        false => attrs,
    }
}

/// Whether the engine merely spells it differently.
fn same(name: &str, had: &Value, now: &Value) -> bool {
    if name == "cpus" {
        let parse = |it: &Value| it.as_str().unwrap_or_default().parse::<f64>().unwrap_or_default();
        return (parse(had) - parse(now)).abs() < 1e-6;
    }
    had == now
}

/// What the engine was told and did not do. It takes unknown and unsupported fields in silence.
pub(super) fn ignored(planned: &Value, attrs: &Value) -> Option<String> {
    let told = LIVE.iter().filter(|name| {
        let (planned, now) = (Args(planned).get(name), Args(attrs).get(name));
        planned.is_some_and(|planned| now.is_some_and(|now| !same(name, planned, now)))
    });
    let told: Vec<_> = told.map(|name| format!("\"{name}\"")).collect();
    (!told.is_empty()).then(|| {
        let list = told.join(", ");
        format!("The engine took {list} without a word, but does not do it: this host's kernel may lack what it needs.")
    })
}

/// `ports` with the free ports that the engine chose.
pub(super) fn ports(base: Args<'_>, seen: &ContainerInspectResponse) -> Value {
    let Some(managed) = base.0.get_attr("ports") else { return Value::NULL };
    let Some(items) = managed.as_slice().filter(|it| !it.is_empty()) else {
        return managed.clone();
    };
    let bound = seen.network_settings.as_ref().and_then(|it| it.ports.clone()).unwrap_or_default();
    let running = seen.state.as_ref().is_some_and(|it| it.running == Some(true));
    let fixed = seen.host_config.as_ref().and_then(|it| it.port_bindings.clone());
    let fixed = fixed.unwrap_or_default();
    let mut taken: BTreeMap<String, usize> = BTreeMap::new();
    let items = items.iter().map(|port| {
        let args = Args(port);
        let internal = args.int("internal").unwrap_or_default();
        let key = format!("{internal}/{}", args.str("protocol").unwrap_or("tcp"));
        let nth = taken.entry(key.clone()).or_default();
        let asked = fixed.get(&key).and_then(|it| it.as_ref()?.get(*nth).cloned());
        *nth += 1;
        let asked_port = asked.as_ref().and_then(host_port);
        if asked_port.is_some() {
            return with(port, [("external", number(asked_port))]);
        }
        // A free port was chosen when it started; which one is said only while it runs.
        let ip = asked.and_then(|it| it.host_ip).unwrap_or_default();
        let mut there = bound.get(&key).into_iter().flatten().flatten();
        let chosen = there.find(|it| ip.is_empty() || it.host_ip.as_deref() == Some(&ip));
        match running {
            true => with(port, [("external", number(chosen.and_then(host_port)))]),
            false => with(port, [("external", Value::null(Type::Number))]),
        }
    });
    let items: Vec<_> = items.collect();
    match managed.ty() {
        Type::List(ty) => Value::list((*ty).clone(), items),
        _ => managed.clone(),
    }
}

pub(super) fn host_port(binding: &PortBinding) -> Option<i64> {
    binding.host_port.as_ref()?.parse().ok().filter(|it| *it > 0)
}

/// Whether the engine's list says all that can have changed of this one.
pub(super) fn list_suffices(args: Args<'_>, summary: &ContainerSummary) -> bool {
    let live = LIVE.iter().any(|name| *name != "name" && args.get(name).is_some());
    let chosen = CHOSEN
        .iter()
        .all(|name| *name == "stop_signal" || *name == "stop_timeout" || args.get(name).is_some());
    // Neither are exit codes in the list, nor aliases and the fixed addresses of stopped ones.
    let ended = summary.state.is_some_and(|it| ENDED.contains(&it));
    let networks = args.blocks("networks_advanced").any(|it| it.get("aliases").is_some());
    let free_port = args.blocks("ports").any(|it| it.get("external").is_none());
    !live && chosen && !networks && !free_port && !ended && args.get("exit_code").is_none()
}

/// `prior` with what the list says.
pub(super) fn from_summary(prior: &Value, id: &str, summary: &ContainerSummary) -> Value {
    let names = summary.names.iter().flatten();
    // Links show up as further names, with a slash inside.
    let name = names.map(|it| it.trim_start_matches('/')).find(|it| !it.contains('/'));
    let none = std::collections::HashMap::new();
    let attached = summary.network_settings.as_ref().and_then(|it| it.networks.as_ref());
    let attached = attached.unwrap_or(&none);
    let attrs = with(
        prior,
        [
            ("name", text(name)),
            ("networks_advanced", networks::observed(Args(prior), id, attached)),
            ("network_data", networks::data(attached)),
        ],
    );
    running(attrs, false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_compared_as_numbers() {
        assert!(same("cpus", &Value::string("1.50"), &Value::string("1.5")));
        assert!(!same("cpus", &Value::string("1"), &Value::string("")));
    }

    #[test]
    fn maps_of_the_engine_are_sorted() {
        let map = std::collections::HashMap::from([
            ("b".to_owned(), "2".to_owned()),
            ("a".to_owned(), "1".to_owned()),
        ]);
        let sorted: BTreeMap<_, _> = map.iter().collect();
        assert_eq!(crate::import::map(Some(&map)), crate::args::string_map(sorted));
    }
}
