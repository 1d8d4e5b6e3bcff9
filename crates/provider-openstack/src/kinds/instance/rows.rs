//! The rows of a server.

use std::sync::LazyLock;

use plumb_model::value::{Type, Value};

use crate::table::{
    Field, MAKE_AND_CHANGE, Table, computed, id, list, opt, opt_computed, region, req, set,
    string_map, string_set, strings, tags,
};

const TEXT: Type = Type::String;

/// What a server can be told to be.
const POWER: &[&str] =
    &["active", "shutoff", "paused", "suspended", "shelved_offloaded", "rescued"];

pub(super) static TABLE: LazyLock<Table> = LazyLock::new(|| {
    Table::new(
        "openstack_compute_instance_v2",
        "A server. Another image, flavor or power state changes the same server: its identifier, ports and addresses stay.",
        [boot(), place(), inside(), told()].into_iter().flatten().collect(),
    )
    .timed(MAKE_AND_CHANGE)
});

/// What it is made from.
fn boot() -> Vec<Field> {
    let off = Value::bool(false);
    let device = vec![
        req("source_type", TEXT, "`image`, `volume`, `snapshot` or `blank`.").replace(),
        opt("uuid", TEXT, "The image, volume or snapshot.").replace(),
        opt("volume_size", Type::Number, "The size of the new volume in GB.").replace(),
        opt("destination_type", TEXT, "`volume` or `local`.").replace(),
        opt("boot_index", Type::Number, "Order of booting; 0 is first.").replace(),
        opt("delete_on_termination", Type::Bool, "Whether the volume goes with the server.")
            .default(off.clone())
            .replace(),
        opt("guest_format", TEXT, "Such as swap.").replace(),
        opt("volume_type", TEXT, "The type of the new volume.").replace(),
        opt("device_type", TEXT, "Such as disk or cdrom.").replace(),
        opt("disk_bus", TEXT, "Such as virtio.").replace(),
        opt("multiattach", Type::Bool, "Whether the volume may be attached elsewhere, too.")
            .default(off)
            .replace(),
    ];
    vec![
        id(),
        region(),
        req("name", TEXT, "The name."),
        opt_computed("image_id", TEXT, "The image. A change rebuilds the server in place: its disk is made anew and it boots; identifier, ports and addresses stay. A server that boots from a volume is replaced.")
            .follows(&["image_name"]).local(),
        opt_computed("image_name", TEXT, "The image by name. A change rebuilds the server in place.")
            .follows(&["image_id"]).local(),
        opt_computed("flavor_id", TEXT, "The flavor. A change resizes the server in place: it is down for a moment; disk, identifier, ports and addresses stay.")
            .follows(&["flavor_name"]).local(),
        opt_computed("flavor_name", TEXT, "The flavor by name. A change resizes the server in place.")
            .follows(&["flavor_id"]).local(),
        list("block_device", "Disks, instead of the image's alone.", device).local(),
    ]
}

/// Where it runs, and what it is connected to.
fn place() -> Vec<Field> {
    let network = vec![
        opt_computed("uuid", TEXT, "The network.").replace(),
        opt_computed("name", TEXT, "The network by name.").replace(),
        opt_computed("port", TEXT, "A port to use instead of one of its own.").replace(),
        opt_computed("fixed_ip_v4", TEXT, "The IPv4 address. Left out, one of the subnet's.")
            .replace(),
        opt_computed("fixed_ip_v6", TEXT, "The IPv6 address, in brackets.").replace(),
        computed("mac", TEXT, "The hardware address."),
        opt("access_network", Type::Bool, "Whether access_ip_v4 and access_ip_v6 are from here.")
            .default(Value::bool(false)),
    ];
    let hints = vec![
        opt("group", TEXT, "The server group that it belongs to.").replace(),
        opt("different_host", strings(), "On another host than these servers.").replace(),
        opt("same_host", strings(), "On the host of one of these servers.").replace(),
        opt("query", strings(), "A condition on hosts, as the JSON filter has it.").replace(),
        opt("target_cell", TEXT, "The cell.").replace(),
        opt("different_cell", strings(), "Not in these cells.").replace(),
        opt("build_near_host_ip", TEXT, "Near hosts of this range.").replace(),
        opt("additional_properties", string_map(), "Further hints.").replace(),
    ];
    vec![
        opt_computed("availability_zone", TEXT, "Where it runs: `zone`, or `zone:host`.")
            .key("OS-EXT-AZ:availability_zone")
            .excludes(&["availability_zone_hints"])
            .replace(),
        opt("availability_zone_hints", TEXT, "Where it is made; it may be elsewhere later. A change replaces the server, unless it is there.")
            .excludes(&["availability_zone"])
            .local(),
        opt_computed("hypervisor_hostname", TEXT, "The host by the name of its hypervisor.")
            .key("OS-EXT-SRV-ATTR:hypervisor_hostname")
            .excludes(&["personality"])
            .follows(&["flavor_id", "flavor_name", "power_state", "image_id", "image_name"]),
        set("scheduler_hints", "Where it is to run.", hints).local(),
        list("network", "What it is connected to, in order. Left out, network_mode says.", network)
            .excludes(&["network_mode"])
            .local(),
        opt("network_mode", TEXT, "`auto`: the project's network; `none`: no network. A change replaces the server.")
            .one_of(&["auto", "none"])
            .excludes(&["network"])
            .local(),
        opt_computed("security_groups", string_set(), "Its security groups, by name or identifier. They are those of the ports that it makes itself; a port that is given to it has its own. Left out or empty, the project's default one.")
            .local(),
    ]
}

/// What is in it, and what state it is in.
fn inside() -> Vec<Field> {
    let off = Value::bool(false);
    let file = vec![req("file", TEXT, "The path."), req("content", TEXT, "The content.")];
    let vendor = vec![
        opt("ignore_resize_confirmation", Type::Bool, "The cloud confirms a resize by itself.")
            .default(off.clone()),
        opt(
            "detach_ports_before_destroy",
            Type::Bool,
            "Detach the ports that were given to it before it is deleted.",
        )
        .default(off.clone()),
    ];
    let [tags, all_tags] = tags();
    vec![
        opt("key_pair", TEXT, "The key pair.").key("key_name").replace(),
        opt(
            "user_data",
            TEXT,
            "What cloud-init gets; text, or the same in base64. A change replaces the server.",
        )
        .local(),
        opt("config_drive", Type::Bool, "Whether it gets its metadata on a drive, too.")
            .replace()
            .local(),
        opt("metadata", string_map(), "Metadata. Keys that others set are left alone.").unsent(),
        tags,
        all_tags,
        set("personality", "Files to put into it.", file)
            .excludes(&["hypervisor_hostname"])
            .local(),
        opt(
            "admin_pass",
            TEXT,
            "The administrator's password. It can be changed while the server runs.",
        )
        .sensitive()
        .local(),
        opt(
            "power_state",
            TEXT,
            "`active`, `shutoff`, `paused`, `suspended`, `shelved_offloaded` or `rescued`.",
        )
        .default(Value::string("active"))
        .one_of(POWER)
        .local(),
        opt("stop_before_destroy", Type::Bool, "Shut it down before it is deleted.")
            .default(off.clone())
            .local(),
        opt(
            "force_delete",
            Type::Bool,
            "Delete it at once, even if the cloud keeps deleted servers.",
        )
        .default(off)
        .local(),
        set("vendor_options", "What some clouds need.", vendor).single().local(),
    ]
}

/// What is only read.
fn told() -> Vec<Field> {
    vec![
        computed("access_ip_v4", TEXT, "An IPv4 address to reach it by.")
            .follows(&["network"])
            .local(),
        computed("access_ip_v6", TEXT, "An IPv6 address to reach it by, in brackets.")
            .follows(&["network"])
            .local(),
        computed("all_metadata", string_map(), "All its metadata.")
            .key("metadata")
            .follows(&["metadata"]),
        computed("created", TEXT, "When it was made."),
        computed("updated", TEXT, "When it was last changed.").follows(&["*"]),
    ]
}
