//! From arguments to what the engine is asked to make or change.

use std::collections::HashMap;

use bollard::models::{
    ContainerCreateBody, ContainerUpdateBody, DeviceMapping, DeviceRequest, EndpointSettings,
    HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig, Mount,
    MountBindOptions, MountBindOptionsPropagationEnum, MountTmpfsOptions, MountType,
    MountVolumeOptions, MountVolumeOptionsDriverConfig, NetworkingConfig, PortBinding,
    ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum, ThrottleDevice,
};
use plumb_model::state::Token;

use super::networks;
use crate::args::Args;
use crate::provider::TOKEN_LABEL;

const MIB: i64 = 1 << 20;

/// One container to be made.
pub(super) struct Spec {
    pub(super) body: ContainerCreateBody,
    /// Older engines take one network at birth; the others are joined before it starts.
    pub(super) join_later: Vec<(String, EndpointSettings)>,
}

pub(super) fn spec(args: Args<'_>, token: Token) -> Result<Spec, String> {
    let mut joins = networks::wanted(args);
    let mode = args.string("network_mode");
    // In a network of its own, the default bridge is what the author wants to get away from.
    let own = mode.as_deref().is_none_or(|it| ["bridge", "default"].contains(&it));
    let first = match joins.is_empty() {
        true => None,
        false if own => Some(joins.remove(0)),
        false => {
            let same = joins.iter().position(|(name, _)| Some(name) == mode.as_ref());
            same.map(|index| joins.remove(index))
        }
    };
    let network_mode = first.as_ref().map(|(name, _)| name.clone()).or(mode);
    let networking_config = first
        .map(|first| NetworkingConfig { endpoints_config: Some([first].into_iter().collect()) });
    let mut labels = args.labels("labels");
    labels.insert(TOKEN_LABEL.to_owned(), token.to_string());
    let volumes = volumes(args);
    let (exposed_ports, port_bindings) = ports(args)?;
    let body = ContainerCreateBody {
        image: args.string("image"),
        hostname: args.string("hostname"),
        domainname: args.string("domainname"),
        user: args.string("user"),
        working_dir: args.string("working_dir"),
        cmd: args.strings("command"),
        entrypoint: args.strings("entrypoint"),
        env: args.strings("env"),
        tty: args.bool("tty"),
        open_stdin: args.bool("stdin_open"),
        stop_signal: args.string("stop_signal"),
        stop_timeout: args.int("stop_timeout"),
        labels: Some(labels),
        healthcheck: args.block("healthcheck").map(health).transpose()?,
        exposed_ports,
        volumes: volumes.anonymous,
        networking_config,
        host_config: Some(HostConfig {
            network_mode,
            port_bindings,
            binds: volumes.binds,
            volumes_from: volumes.from,
            ..host(args)?
        }),
        ..Default::default()
    };
    Ok(Spec { body, join_later: joins })
}

fn host(args: Args<'_>) -> Result<HostConfig, String> {
    let capabilities = args.block("capabilities");
    Ok(HostConfig {
        memory: args.int("memory").map(mib),
        memory_reservation: args.int("memory_reservation").map(mib),
        memory_swap: args.int("memory_swap").map(mib),
        shm_size: args.int("shm_size").map(mib),
        cpu_shares: args.int("cpu_shares"),
        cpu_period: args.int("cpu_period"),
        cpu_quota: args.int("cpu_quota"),
        cpuset_cpus: args.string("cpu_set"),
        nano_cpus: nano_cpus(args),
        cgroup_parent: args.string("cgroup_parent"),
        cgroupns_mode: match args.str("cgroupns_mode") {
            Some("private") => Some(HostConfigCgroupnsModeEnum::PRIVATE),
            Some("host") => Some(HostConfigCgroupnsModeEnum::HOST),
            _ => None,
        },
        blkio_device_read_bps: throttles(args, "device_read_bps"),
        blkio_device_write_bps: throttles(args, "device_write_bps"),
        blkio_device_read_iops: throttles(args, "device_read_iops"),
        blkio_device_write_iops: throttles(args, "device_write_iops"),
        restart_policy: restart(args),
        auto_remove: args.bool("rm"),
        privileged: args.bool("privileged"),
        publish_all_ports: args.bool("publish_all_ports"),
        readonly_rootfs: args.bool("read_only"),
        init: args.bool("init"),
        runtime: args.string("runtime"),
        security_opt: args.strings("security_opts"),
        storage_opt: args.map("storage_opts"),
        sysctls: args.map("sysctls"),
        tmpfs: args.get("tmpfs").and_then(|_| args.map("tmpfs")),
        dns: args.strings("dns"),
        dns_options: args.strings("dns_opts"),
        dns_search: args.strings("dns_search"),
        group_add: args.strings("group_add"),
        pid_mode: args.string("pid_mode"),
        ipc_mode: args.string("ipc_mode"),
        userns_mode: args.string("userns_mode"),
        cap_add: capabilities.and_then(|it| it.strings("add")),
        cap_drop: capabilities.and_then(|it| it.strings("drop")),
        extra_hosts: some(args.blocks("host").map(|it| {
            format!("{}:{}", it.str("host").unwrap_or_default(), it.str("ip").unwrap_or_default())
        })),
        ulimits: some(args.blocks("ulimit").map(|it| ResourcesUlimits {
            name: it.string("name"),
            soft: it.int("soft"),
            hard: it.int("hard"),
        })),
        devices: some(args.blocks("devices").map(|it| DeviceMapping {
            path_on_host: it.string("host_path"),
            path_in_container: it.string("container_path").or(it.string("host_path")),
            cgroup_permissions: it.string("permissions").or(Some("rwm".to_owned())),
        })),
        device_requests: device_requests(args)?,
        mounts: some(args.blocks("mounts").map(mount)),
        log_config: log(args),
        ..Default::default()
    })
}

fn mib(amount: i64) -> i64 {
    if amount < 0 { amount } else { amount.saturating_mul(MIB) }
}

fn some<T>(items: impl Iterator<Item = T>) -> Option<Vec<T>> {
    let items: Vec<T> = items.collect();
    (!items.is_empty()).then_some(items)
}

fn nano_cpus(args: Args<'_>) -> Option<i64> {
    let cpus: f64 = args.str("cpus")?.parse().ok()?;
    #[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
    Some((cpus * 1e9).round() as i64)
}

fn throttles(args: Args<'_>, name: &str) -> Option<Vec<ThrottleDevice>> {
    some(
        args.blocks(name)
            .map(|it| ThrottleDevice { path: it.string("path"), rate: it.int("rate") }),
    )
}

fn restart(args: Args<'_>) -> Option<RestartPolicy> {
    let name = match args.str("restart")? {
        "always" => RestartPolicyNameEnum::ALWAYS,
        "unless-stopped" => RestartPolicyNameEnum::UNLESS_STOPPED,
        "on-failure" => RestartPolicyNameEnum::ON_FAILURE,
        _ => RestartPolicyNameEnum::NO,
    };
    Some(RestartPolicy { name: Some(name), maximum_retry_count: args.int("max_retry_count") })
}

fn log(args: Args<'_>) -> Option<HostConfigLogConfig> {
    let (typ, config) = (args.string("log_driver"), args.map("log_opts"));
    (typ.is_some() || config.is_some()).then_some(HostConfigLogConfig { typ, config })
}

fn health(block: Args<'_>) -> Result<HealthConfig, String> {
    let time = |name: &str| match block.str(name) {
        None => Ok(None),
        Some(text) => nanoseconds(text)
            .map(Some)
            .ok_or_else(|| format!("\"{name}\" of healthcheck is not a duration: \"{text}\".")),
    };
    Ok(HealthConfig {
        test: block.strings("test"),
        interval: time("interval")?,
        timeout: time("timeout")?,
        start_period: time("start_period")?,
        start_interval: time("start_interval")?,
        retries: block.int("retries"),
    })
}

/// `1h30m`, `1.5s`, `300ms`, `0`.
pub(super) fn nanoseconds(text: &str) -> Option<i64> {
    if text == "0" {
        return Some(0);
    }
    let mut rest = text;
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let number: f64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let letters = rest.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "ns" => 1.0,
            "us" | "µs" => 1e3,
            "ms" => 1e6,
            "s" => 1e9,
            "m" => 60e9,
            "h" => 3600e9,
            _ => return None,
        };
        rest = &rest[letters..];
        total += number * unit;
    }
    #[expect(clippy::cast_possible_truncation, reason = "float to integer casts saturate")]
    (!text.is_empty()).then_some(total.round() as i64)
}

fn device_requests(args: Args<'_>) -> Result<Option<Vec<DeviceRequest>>, String> {
    if let Some(gpus) = args.str("gpus") {
        let count = match gpus {
            "all" => -1,
            number => number
                .parse()
                .map_err(|_| format!("\"gpus\" is \"all\" or a number, not \"{gpus}\"."))?,
        };
        let capabilities = Some(vec![vec!["gpu".to_owned()]]);
        return Ok(Some(vec![DeviceRequest {
            count: Some(count),
            capabilities,
            ..Default::default()
        }]));
    }
    Ok(some(args.blocks("device_requests").map(|it| DeviceRequest {
        driver: it.string("driver"),
        count: it.int("count"),
        device_ids: it.strings("device_ids"),
        capabilities: it.strings("capabilities").map(|all| vec![all]),
        options: it.map("options"),
    })))
}

type Bindings = HashMap<String, Option<Vec<PortBinding>>>;

fn ports(args: Args<'_>) -> Result<(Option<Vec<String>>, Option<Bindings>), String> {
    let mut exposed = Vec::new();
    let mut bindings: Bindings = HashMap::new();
    for port in args.blocks("ports") {
        let internal = port.int("internal").unwrap_or_default();
        for number in [Some(internal), port.int("external")].into_iter().flatten() {
            if !(0..=65535).contains(&number) {
                return Err(format!("{number} is not a port: ports are 0 to 65535."));
            }
        }
        let key = format!("{internal}/{}", port.str("protocol").unwrap_or("tcp"));
        if !exposed.contains(&key) {
            exposed.push(key.clone());
        }
        let binding = PortBinding {
            host_ip: port.string("ip"),
            host_port: port.int("external").map(|it| it.to_string()),
        };
        bindings
            .entry(key)
            .or_insert_with(|| Some(Vec::new()))
            .get_or_insert_default()
            .push(binding);
    }
    let none = exposed.is_empty();
    Ok(((!none).then_some(exposed), (!none).then_some(bindings)))
}

#[derive(Default)]
struct Volumes {
    anonymous: Option<Vec<String>>,
    binds: Option<Vec<String>>,
    from: Option<Vec<String>>,
}

fn volumes(args: Args<'_>) -> Volumes {
    let mut volumes = Volumes::default();
    for volume in args.blocks("volumes") {
        let read_only = volume.is("read_only");
        if let Some(container) = volume.str("from_container") {
            let mode = if read_only { ":ro" } else { "" };
            volumes.from.get_or_insert_default().push(format!("{container}{mode}"));
            continue;
        }
        let path = volume.str("container_path").unwrap_or_default();
        match volume.str("host_path").or(volume.str("volume_name")) {
            None => volumes.anonymous.get_or_insert_default().push(path.to_owned()),
            Some(source) => {
                let mut options = vec![if read_only { "ro" } else { "rw" }];
                options.extend(volume.str("selinux_relabel"));
                let bind = format!("{source}:{path}:{}", options.join(","));
                volumes.binds.get_or_insert_default().push(bind);
            }
        }
    }
    volumes
}

fn mount(block: Args<'_>) -> Mount {
    let volume = |it: Args<'_>| {
        let (name, options) = (it.string("driver_name"), it.map("driver_options"));
        let labels = it.labels("labels");
        MountVolumeOptions {
            no_copy: it.bool("no_copy"),
            labels: (!labels.is_empty()).then_some(labels),
            driver_config: (name.is_some() || options.is_some())
                .then_some(MountVolumeOptionsDriverConfig { name, options }),
            subpath: it.string("subpath"),
        }
    };
    let propagation = |it: &str| match it {
        "private" => MountBindOptionsPropagationEnum::PRIVATE,
        "shared" => MountBindOptionsPropagationEnum::SHARED,
        "rshared" => MountBindOptionsPropagationEnum::RSHARED,
        "slave" => MountBindOptionsPropagationEnum::SLAVE,
        "rslave" => MountBindOptionsPropagationEnum::RSLAVE,
        _ => MountBindOptionsPropagationEnum::RPRIVATE,
    };
    Mount {
        target: block.string("target"),
        source: block.string("source"),
        typ: Some(match block.str("type") {
            Some("bind") => MountType::BIND,
            Some("tmpfs") => MountType::TMPFS,
            _ => MountType::VOLUME,
        }),
        read_only: block.bool("read_only"),
        bind_options: block.block("bind_options").map(|it| MountBindOptions {
            propagation: it.str("propagation").map(propagation),
            ..Default::default()
        }),
        volume_options: block.block("volume_options").map(volume),
        tmpfs_options: block.block("tmpfs_options").map(|it| MountTmpfsOptions {
            size_bytes: it.int("size_bytes"),
            mode: it.int("mode"),
            options: None,
        }),
        ..Default::default()
    }
}

/// What the engine is to change in place, if anything.
pub(super) fn update(
    was: Args<'_>,
    wanted: Args<'_>,
    now: Option<&HostConfig>,
) -> Option<ContainerUpdateBody> {
    let changed = |name: &str| was.get(name) != wanted.get(name);
    let int = |name: &str| wanted.int(name).filter(|_| changed(name));
    let mut body = ContainerUpdateBody {
        cpu_shares: int("cpu_shares"),
        cpu_period: int("cpu_period"),
        cpu_quota: int("cpu_quota"),
        cpuset_cpus: wanted.string("cpu_set").filter(|_| changed("cpu_set")),
        nano_cpus: nano_cpus(wanted).filter(|_| changed("cpus")),
        memory: int("memory").map(mib),
        memory_reservation: int("memory_reservation").map(mib),
        memory_swap: int("memory_swap").map(mib),
        ..Default::default()
    };
    // The engine refuses memory above memory and swap together. Where nobody manages that, keep
    // its own proportion.
    if let Some(memory) = body.memory
        && body.memory_swap.is_none()
    {
        let managed = wanted.int("memory_swap").map(mib);
        let swap = now.and_then(|it| it.memory_swap).filter(|it| *it > 0);
        body.memory_swap = managed.or(swap.map(|_| memory.saturating_mul(2)));
    }
    if changed("restart") || changed("max_retry_count") {
        body.restart_policy = restart(wanted);
    }
    (body != ContainerUpdateBody::default()).then_some(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::args::with;
    use plumb_model::value::{Type, Value};

    #[test]
    fn durations() {
        assert_eq!(nanoseconds("1m30s"), Some(90_000_000_000));
        assert_eq!(nanoseconds("1.5s"), Some(1_500_000_000));
        assert_eq!(nanoseconds("300ms"), Some(300_000_000));
        assert_eq!(nanoseconds("0s"), Some(0));
        for bad in ["", "5", "s", "1x", "1m2", "-1s"] {
            assert_eq!(nanoseconds(bad), None, "{bad}");
        }
    }

    fn container(changes: Vec<(&str, Value)>) -> Value {
        let empty = crate::import::empty(&crate::schema::provider(), "docker_container");
        with(&empty, changes)
    }

    fn token() -> Token {
        Token { run: 1, step: 2 }
    }

    fn block(pairs: &[(&str, Value)]) -> Value {
        Value::object(pairs.iter().map(|(name, it)| ((*name).to_owned(), it.clone())))
    }

    #[test]
    fn a_container_as_the_engine_is_asked_for_it() {
        let net = |name: &str, address: &str| {
            block(&[("name", Value::string(name)), ("ipv4_address", Value::string(address))])
        };
        let port = block(&[
            ("internal", Value::number(22)),
            ("external", Value::number(2233)),
            ("ip", Value::string("0.0.0.0")),
            ("protocol", Value::string("tcp")),
        ]);
        let volume = |pairs: &[(&str, &str)]| {
            let all = ["container_path", "host_path", "volume_name", "from_container"];
            let get = |name: &str| pairs.iter().find(|it| it.0 == name).map(|it| it.1);
            Value::object(all.map(|name| (name, crate::args::text(get(name)))))
        };
        let value = container(vec![
            ("name", Value::string("ct")),
            ("image", Value::string("busybox")),
            ("memory", Value::number(64)),
            (
                "networks_advanced",
                Value::set(Type::Dynamic, vec![net("a", "10.0.0.2"), net("b", "10.1.0.2")]),
            ),
            ("ports", Value::list(Type::Dynamic, vec![port])),
            (
                "volumes",
                Value::set(
                    Type::Dynamic,
                    vec![
                        volume(&[("container_path", "/v"), ("volume_name", "vol")]),
                        volume(&[("container_path", "/anon")]),
                        volume(&[("from_container", "other")]),
                    ],
                ),
            ),
        ]);
        let Ok(spec) = spec(Args(&value), token()) else { panic!("a valid container") };
        let host = spec.body.host_config.unwrap();
        assert_eq!(host.memory, Some(64 << 20));
        assert_eq!(host.network_mode.as_deref(), Some("a"));
        assert_eq!(spec.join_later[0].0, "b");
        assert_eq!(host.binds, Some(vec!["vol:/v:rw".to_owned()]));
        assert_eq!(host.volumes_from, Some(vec!["other".to_owned()]));
        assert_eq!(spec.body.volumes, Some(vec!["/anon".to_owned()]));
        let bound = &host.port_bindings.unwrap()["22/tcp"].clone().unwrap()[0];
        assert_eq!(bound.host_port.as_deref(), Some("2233"));
        assert_eq!(spec.body.labels.unwrap()[TOKEN_LABEL], token().to_string());
        // Left out, so the engine's own business.
        assert_eq!((host.cpu_shares, host.restart_policy, spec.body.cmd), (None, None, None));
    }

    #[test]
    fn only_what_changed_is_updated() {
        let was = container(vec![("memory", Value::number(64)), ("cpu_shares", Value::number(5))]);
        let wanted = with(&was, [("memory", Value::number(96))]);
        let now = HostConfig { memory_swap: Some(128 << 20), ..Default::default() };
        assert_eq!(update(Args(&was), Args(&was), Some(&now)), None);
        let body = update(Args(&was), Args(&wanted), Some(&now)).unwrap();
        assert_eq!((body.memory, body.memory_swap), (Some(96 << 20), Some(192 << 20)));
        assert_eq!(body.cpu_shares, None);
        // No longer managed: nobody's business.
        let left = with(&was, [("memory", Value::null(Type::Number))]);
        assert_eq!(update(Args(&was), Args(&left), Some(&now)), None);
    }
}
