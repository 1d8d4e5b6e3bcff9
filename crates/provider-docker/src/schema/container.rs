//! `docker_container`.

use Type::{Bool, Number, String};
use plumb_model::schema::ResourceSchema;
use plumb_model::value::Type;

use super::{Attr, Nest, block, computed, id, labels, list, opt, opt_computed, req, set};
use super::{string_map, string_set, strings};

pub(super) fn container() -> ResourceSchema {
    let mut attributes = identity();
    attributes.extend(process());
    attributes.extend(resources());
    attributes.extend(surroundings());
    attributes.extend(behaviour());
    attributes.extend(observed());
    ResourceSchema {
        version: 2,
        refine: Some(crate::container::refine),
        validate: Some(crate::container::validate),
        ..ResourceSchema::new(block(attributes, blocks()))
    }
}

fn identity() -> Vec<Attr> {
    vec![
        req("name", String, "Name of the container. Renamed in place."),
        req("image", String, "Id or name of the image.").replace(),
        opt_computed("platform", String, "Platform of the image, where it has several.").replace(),
        opt_computed("hostname", String, "Host name inside.").replace(),
        opt("domainname", String, "Domain name inside.").replace(),
    ]
}

fn process() -> Vec<Attr> {
    vec![
        opt_computed("command", strings(), "What to run, else the image's command.").replace(),
        opt_computed("entrypoint", strings(), "What runs the command, else the image's.").replace(),
        opt_computed("env", string_set(), "Environment, each NAME=value.").replace(),
        opt("user", String, "User, or user:group, that runs it.").replace(),
        opt("working_dir", String, "Folder in which it runs.").replace(),
        opt("group_add", string_set(), "Additional groups.").replace(),
        opt("tty", Bool, "With a terminal.").replace().default(false),
        opt("stdin_open", Bool, "With its input kept open.").replace().default(false),
        opt_computed("stop_signal", String, "Signal that asks it to stop.").replace(),
        opt_computed("stop_timeout", Number, "Seconds until it is killed after that.").replace(),
        opt_computed("init", Bool, "With a small init that reaps children.").replace(),
    ]
}

fn resources() -> Vec<Attr> {
    vec![
        opt("cpu_shares", Number, "Relative weight among containers."),
        opt("cpu_set", String, "Processors it may use: 0-2,4."),
        opt("cpu_period", Number, "Length of a scheduling period in microseconds."),
        opt("cpu_quota", Number, "Microseconds of processor in each period."),
        opt("cpus", String, "Number of processors, such as 1.5."),
        opt("memory", Number, "Memory limit in MiB."),
        opt("memory_reservation", Number, "Soft memory limit in MiB."),
        opt("memory_swap", Number, "Memory and swap together in MiB; -1 is no limit."),
        opt_computed("shm_size", Number, "Size of /dev/shm in MiB.").replace(),
        opt("storage_opts", string_map(), "Options of the storage driver.").replace(),
        opt("restart", String, "no, on-failure, always or unless-stopped."),
        opt("max_retry_count", Number, "Restarts before on-failure gives up."),
    ]
}

fn surroundings() -> Vec<Attr> {
    vec![
        opt("network_mode", String, "bridge, host, none, container:NAME, or a network.").replace(),
        opt("dns", string_set(), "Name servers.").replace(),
        opt("dns_opts", string_set(), "Options of the resolver.").replace(),
        opt("dns_search", string_set(), "Domains that are searched.").replace(),
        opt("publish_all_ports", Bool, "Publish every port that the image exposes.").replace(),
        opt("privileged", Bool, "Without confinement.").replace(),
        opt("read_only", Bool, "With a root file system that cannot be written.")
            .replace()
            .default(false),
        opt("tmpfs", string_map(), "Folders in memory, with their mount options.").replace(),
        opt("sysctls", string_map(), "Kernel parameters.").replace(),
        opt_computed("security_opts", string_set(), "Options of the security modules.").replace(),
        opt("pid_mode", String, "Process namespace.").replace(),
        opt_computed("ipc_mode", String, "IPC namespace.").replace(),
        opt("userns_mode", String, "User namespace.").replace(),
        opt("cgroup_parent", String, "Control group above it.").replace(),
        opt("cgroupns_mode", String, "Control group namespace: private or host.").replace(),
        opt_computed("runtime", String, "Which OCI runtime.").replace(),
        opt("gpus", String, "GPUs to hand over: all, or a number.").replace(),
        opt_computed("log_driver", String, "Where its output goes.").replace(),
        opt("log_opts", string_map(), "Options of the log driver.").replace(),
    ]
}

/// What we do with it, rather than what it is.
fn behaviour() -> Vec<Attr> {
    vec![
        opt("start", Bool, "Start it once made.").default(true),
        opt("must_run", Bool, "It is started again when found stopped.").default(true),
        opt("attach", Bool, "Wait until it has finished.").default(false),
        opt("logs", Bool, "Keep its output in container_logs; with attach.").default(false),
        opt("rm", Bool, "It vanishes when it stops.").replace().default(false),
        opt("wait", Bool, "Wait until it is healthy.").default(false),
        opt("wait_timeout", Number, "Seconds to wait for that.").default(60),
        opt("destroy_grace_seconds", Number, "Seconds to stop by itself before it is killed."),
        opt("remove_volumes", Bool, "Its anonymous volumes are removed with it.").default(true),
        opt("container_read_refresh_timeout_milliseconds", Number, "Time it has to come up.")
            .default(15_000),
    ]
}

fn observed() -> Vec<Attr> {
    let network = Type::object([
        ("network_name", String),
        ("ip_address", String),
        ("ip_prefix_length", Number),
        ("gateway", String),
        ("global_ipv6_address", String),
        ("global_ipv6_prefix_length", Number),
        ("ipv6_gateway", String),
        ("mac_address", String),
    ]);
    vec![
        id("Id of the container."),
        computed("bridge", String, "The bridge that it is attached to by default."),
        computed("exit_code", Number, "How it ended, if it did."),
        computed("container_logs", String, "Its output, with attach and logs."),
        computed(
            "network_data",
            Type::list(network),
            "Its addresses, networks in the order of their names.",
        ),
    ]
}

fn blocks() -> Vec<Nest> {
    vec![
        labels("Name of the label.").replace(),
        set(
            "networks_advanced",
            vec![
                req("name", String, "Name or id of the network."),
                opt("aliases", string_set(), "Additional names in that network."),
                opt("ipv4_address", String, "Fixed address."),
                opt("ipv6_address", String, "Fixed address."),
                opt("link_local_ips", string_set(), "Link-local addresses."),
                opt("mac_address", String, "Hardware address."),
                opt("driver_opts", string_set(), "Options of the network driver, each name=value."),
                opt("gw_priority", Number, "The network with the highest gives the default route."),
            ],
            vec![],
        ),
        list(
            "ports",
            vec![
                req("internal", Number, "Port in the container.").replace(),
                opt_computed("external", Number, "Port of the host; any free one when left out."),
                opt("ip", String, "Address of the host.").replace().default("0.0.0.0"),
                opt("protocol", String, "tcp, udp or sctp.").replace().default("tcp"),
            ],
            vec![],
        ),
        set(
            "volumes",
            vec![
                opt("container_path", String, "Where it is mounted."),
                opt("host_path", String, "A folder of the host."),
                opt("volume_name", String, "A volume."),
                opt("from_container", String, "All volumes of that container."),
                opt("read_only", Bool, "Cannot be written."),
                opt("selinux_relabel", String, "z or Z."),
            ],
            vec![],
        )
        .replace(),
        mounts(),
        set(
            "upload",
            vec![
                req("file", String, "Path in the container."),
                opt("content", String, "What is in it."),
                opt("content_base64", String, "The same, as base64."),
                opt("source", String, "A file of this machine to take it from."),
                opt("source_hash", String, "Changes when the file does."),
                opt("executable", Bool, "Can be run.").default(false),
                opt("permissions", String, "Such as 0644."),
            ],
            vec![],
        )
        .replace(),
        list(
            "healthcheck",
            vec![
                opt("test", strings(), "CMD or CMD-SHELL, and what follows; NONE."),
                opt("interval", String, "Between two checks: 30s."),
                opt("timeout", String, "For one check."),
                opt("start_period", String, "In which failures do not count."),
                opt("start_interval", String, "Between two checks in that time."),
                opt("retries", Number, "Failures in a row that make it unhealthy."),
            ],
            vec![],
        )
        .single()
        .replace(),
        set(
            "capabilities",
            vec![
                opt("add", string_set(), "Such as NET_ADMIN, or ALL."),
                opt("drop", string_set(), "The same."),
            ],
            vec![],
        )
        .single()
        .replace(),
        set(
            "devices",
            vec![
                req("host_path", String, "The device."),
                opt("container_path", String, "Where it appears; the same path when left out."),
                opt("permissions", String, "Of r, w and m.").default("rwm"),
            ],
            vec![],
        )
        .replace(),
        set(
            "device_requests",
            vec![
                opt("driver", String, "Which driver is asked.").default("cdi"),
                opt("count", Number, "How many; -1 is all.").default(0),
                opt("device_ids", string_set(), "Which."),
                opt("capabilities", string_set(), "What they must be capable of."),
                opt("options", string_map(), "Options of the driver."),
            ],
            vec![],
        )
        .replace(),
        throttle("device_read_bps", "Bytes a second."),
        throttle("device_write_bps", "Bytes a second."),
        throttle("device_read_iops", "Operations a second."),
        throttle("device_write_iops", "Operations a second."),
        set("host", vec![req("host", String, "Name."), req("ip", String, "Its address.")], vec![])
            .replace(),
        set(
            "ulimit",
            vec![
                req("name", String, "Such as nofile."),
                req("soft", Number, "Soft limit."),
                req("hard", Number, "Hard limit."),
            ],
            vec![],
        )
        .replace(),
    ]
}

fn throttle(name: &'static str, unit: &str) -> Nest {
    set(name, vec![req("path", String, "The device."), req("rate", Number, unit)], vec![]).replace()
}

fn mounts() -> Nest {
    let bind = list(
        "bind_options",
        vec![opt("propagation", String, "private, rprivate, shared, …")],
        vec![],
    );
    let tmpfs = list(
        "tmpfs_options",
        vec![opt("size_bytes", Number, "Size."), opt("mode", Number, "Mode of the folder.")],
        vec![],
    );
    let volume = list(
        "volume_options",
        vec![
            opt("no_copy", Bool, "Do not fill it from the image."),
            opt("driver_name", String, "Driver that makes it."),
            opt("driver_options", string_map(), "Its options."),
            opt("subpath", String, "A folder inside the volume."),
        ],
        vec![labels("Name of the label.")],
    );
    set(
        "mounts",
        vec![
            req("target", String, "Where it is mounted."),
            req("type", String, "bind, volume or tmpfs."),
            opt("source", String, "Volume, or path on the host."),
            opt("read_only", Bool, "Cannot be written."),
        ],
        vec![bind.single(), tmpfs.single(), volume.single()],
    )
    .replace()
}
