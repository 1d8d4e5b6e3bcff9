//! What of the rows nobody declared. It asks nothing.

use std::collections::{BTreeMap, BTreeSet};

use plumb_model::addr::Kind;
use plumb_model::value::Value;
use plumb_provider::{Foreign, Ours};
use serde_json::Value as Json;

use super::{NETWORK, Place, Rows, SECURITY_GROUP, SERVER, What, name_of};
use crate::json::{self, list_at, str_at};
use crate::told::{is, text};

/// Arguments by which our objects lean on others: what they name is there on purpose, whoever
/// declared it.
const LEANS: &[&str] = &[
    "external_network_id",
    "image_id",
    "instance_id",
    "network_id",
    "router_id",
    "security_group_id",
    "snapshot_id",
    "source_vol_id",
    "subnet_id",
    "volume_id",
];

/// What is known of ours.
struct Known<'a> {
    /// Names by kind and identifier.
    by_kind: BTreeMap<&'a str, BTreeMap<&'a str, &'a str>>,
    /// What they lean on, and ports that go by another name.
    meant: BTreeSet<&'a str>,
    /// Servers that Nova makes volumes for.
    volumes_of: BTreeSet<&'a str>,
    /// Groups that keep the rules that Neutron puts into a new one.
    with_defaults: BTreeSet<&'a str>,
}

/// How something stands beside ours.
struct How<'a> {
    beside: Option<&'a str>,
    how: String,
}

/// All that is not ours. `project` is the name of the project of [`Place::project`].
pub(super) fn foreign(ours: &[Ours], place: &Place, project: &str, rows: &Rows) -> Vec<Foreign> {
    let known = Known::of(ours);
    let lives_in = |row: &Json| {
        let told = [str_at(row, "project_id"), str_at(row, "owner")];
        let id = told.into_iter().find(|it| !it.is_empty());
        let here = id.is_none_or(|it| Some(it) == place.project.as_deref());
        let name = if here { project } else { id.unwrap_or_default() };
        let within = id.is_none_or(|it| place.projects.contains(it));
        within.then(|| How { beside: None, how: format!("is in project {name}") })
    };
    let mut found = Vec::new();
    for ((what, id), row) in rows {
        let how = match what {
            What::Port => port(&known, rows, id, row, lives_in(row)),
            _ if known.is_ours(*what, id) => None,
            What::Server => attached(&known, rows, id).or_else(|| lives_in(row)),
            What::Router => attached(&known, rows, id).or_else(|| lives_in(row)),
            What::Subnet => known.inside(str_at(row, "network_id"), "in").or_else(|| lives_in(row)),
            What::FloatingIp => leads(&known, rows, row).or_else(|| lives_in(row)),
            What::Volume => volume(&known, row, lives_in(row)),
            What::Image => image(&known, row).or_else(|| lives_in(row)),
            What::KeyPair => Some(How { beside: None, how: "belongs to our user".to_owned() }),
            What::Network => lives_in(row),
            What::SecurityGroup if str_at(row, "name") == "default" => None,
            What::SecurityGroup => lives_in(row),
            What::Rule => rule(&known, row),
        };
        let Some(How { beside, how }) = how else { continue };
        let name = match what {
            What::FloatingIp => str_at(row, "floating_ip_address").to_owned(),
            What::Rule => described(row),
            _ => str_at(row, "name").to_owned(),
        };
        found.push(Foreign {
            kind: Kind::new(kind(*what, row)),
            id: id.as_str().into(),
            name: if name.is_empty() { id.as_str().into() } else { name.into() },
            beside: beside.map(Into::into),
            how: how.into(),
        });
    }
    found
}

/// The resource type that would declare it.
fn kind(what: What, row: &Json) -> &'static str {
    match what {
        What::FloatingIp => "openstack_networking_floatingip_v2",
        What::Image if str_at(row, "image_type") == "snapshot" => "openstack_compute_snapshot_v2",
        What::Image => "openstack_images_image_v2",
        What::KeyPair => "openstack_compute_keypair_v2",
        What::Network => NETWORK,
        What::Port if is_interface(row) => "openstack_networking_router_interface_v2",
        What::Port => "openstack_networking_port_v2",
        What::Router => "openstack_networking_router_v2",
        What::Rule => "openstack_networking_secgroup_rule_v2",
        What::SecurityGroup => SECURITY_GROUP,
        What::Server => SERVER,
        What::Subnet => "openstack_networking_subnet_v2",
        What::Volume => "openstack_blockstorage_volume_v3",
    }
}

impl<'a> Known<'a> {
    fn of(ours: &'a [Ours]) -> Known<'a> {
        let mut known = Known {
            by_kind: BTreeMap::new(),
            meant: BTreeSet::new(),
            volumes_of: BTreeSet::new(),
            with_defaults: BTreeSet::new(),
        };
        for it in ours {
            let Some(id) = it.id() else { continue };
            known.by_kind.entry(&*it.kind).or_default().insert(id, name_of(&it.attrs));
            known.meant.extend(LEANS.iter().filter_map(|name| text(&it.attrs, name)));
            match &*it.kind {
                // `<server>/<port>`, and the identifiers of port and floating IP.
                "openstack_compute_interface_attach_v2" => known.meant.extend(id.split('/')),
                "openstack_networking_router_interface_v2"
                | "openstack_networking_floatingip_associate_v2" => {
                    known.meant.insert(id);
                }
                SERVER => {
                    let disks = it.attrs.get_attr("block_device").into_iter();
                    let mut disks = disks.flat_map(Value::values);
                    if disks.any(|it| text(it, "destination_type") == Some("volume")) {
                        known.volumes_of.insert(id);
                    }
                }
                SECURITY_GROUP if !is(&it.attrs, "delete_default_rules") => {
                    known.with_defaults.insert(id);
                }
                _ => {}
            }
        }
        known
    }

    fn name(&self, kind: &str, id: &str) -> Option<(&'a str, &'a str)> {
        let (id, name) = self.by_kind.get(kind)?.get_key_value(id)?;
        Some((*id, *name))
    }

    fn is_ours(&self, what: What, id: &str) -> bool {
        let is = |kind: &str| self.name(kind, id).is_some();
        let declared = match what {
            // However it came about.
            What::Image => is("openstack_images_image_v2") || is("openstack_compute_snapshot_v2"),
            other => is(kind(other, &Json::Null)),
        };
        declared || self.meant.contains(id)
    }

    /// `is attached to network lab`.
    fn inside(&self, network: &str, word: &str) -> Option<How<'a>> {
        let (id, name) = self.name(NETWORK, network)?;
        Some(How { beside: Some(id), how: format!("is {word} network {name}") })
    }
}

/// Ports of a server or router.
fn ports_of<'r>(rows: &'r Rows, device: &'r str) -> impl Iterator<Item = &'r Json> {
    let ports = rows.iter().filter(|((what, _), _)| *what == What::Port);
    ports.map(|(_, row)| row).filter(move |row| str_at(row, "device_id") == device)
}

/// Whether something has a port in a network of ours.
fn attached<'a>(known: &Known<'a>, rows: &Rows, device: &str) -> Option<How<'a>> {
    // A gateway to the outside is what the outside is for.
    let mut ports =
        ports_of(rows, device).filter(|it| str_at(it, "device_owner") != "network:router_gateway");
    ports.find_map(|it| known.inside(str_at(it, "network_id"), "attached to"))
}

/// A port that connects a router to a subnet.
fn is_interface(port: &Json) -> bool {
    matches!(
        str_at(port, "device_owner"),
        "network:router_interface"
            | "network:router_interface_distributed"
            | "network:ha_router_replicated_interface"
    )
}

fn port<'a>(
    known: &Known<'a>,
    rows: &Rows,
    id: &str,
    row: &Json,
    lives_in: Option<How<'a>>,
) -> Option<How<'a>> {
    let (owner, device) = (str_at(row, "device_owner"), str_at(row, "device_id"));
    if known.is_ours(What::Port, id) || known.name(SERVER, device).is_some() {
        return None;
    }
    let router = known.name("openstack_networking_router_v2", device);
    if let (Some((router, name)), true) = (router, is_interface(row)) {
        let how = format!("connects router {name} to another subnet");
        return Some(How { beside: Some(router), how });
    }
    // What Neutron makes for itself; what is told as the server or router that it belongs to.
    let own = owner.starts_with("network:") && !is_interface(row);
    let told = [What::Server, What::Router].map(|it| rows.contains_key(&(it, device.to_owned())));
    if own || router.is_some() || told.contains(&true) {
        return None;
    }
    known.inside(str_at(row, "network_id"), "attached to").or(lives_in)
}

/// Where a floating IP leads.
fn leads<'a>(known: &Known<'a>, rows: &Rows, row: &Json) -> Option<How<'a>> {
    let id = str_at(row, "port_id");
    let port = rows.get(&(What::Port, id.to_owned()));
    let server = port.and_then(|it| known.name(SERVER, str_at(it, "device_id")));
    if let Some((server, name)) = server {
        return Some(How { beside: Some(server), how: format!("leads to server {name}") });
    }
    let (port, name) = known.name("openstack_networking_port_v2", id)?;
    Some(How { beside: Some(port), how: format!("leads to port {name}") })
}

/// What Nova makes for a server that boots from a volume goes with it; it has no name of its own.
fn volume<'a>(known: &Known<'a>, row: &Json, lives_in: Option<How<'a>>) -> Option<How<'a>> {
    for it in list_at(row, "attachments") {
        let server = str_at(it, "server_id");
        let Some((id, name)) = known.name(SERVER, server) else { continue };
        let own = str_at(row, "name");
        if known.volumes_of.contains(server) && (own.is_empty() || own.starts_with(server)) {
            return None;
        }
        return Some(How { beside: Some(id), how: format!("is attached to server {name}") });
    }
    lives_in
}

fn image<'a>(known: &Known<'a>, row: &Json) -> Option<How<'a>> {
    let (id, name) = known.name(SERVER, str_at(row, "instance_uuid"))?;
    Some(How { beside: Some(id), how: format!("is an image of server {name}") })
}

fn rule<'a>(known: &Known<'a>, row: &Json) -> Option<How<'a>> {
    let (group, name) = known.name(SECURITY_GROUP, str_at(row, "security_group_id"))?;
    let narrow = ["protocol", "port_range_min", "port_range_max", "remote_ip_prefix"];
    let narrow = narrow.iter().chain(&["remote_group_id", "remote_address_group_id"]);
    let open = narrow.into_iter().all(|it| json::at(row, &[it]).is_null());
    // Neutron puts two such rules into every new group.
    if known.with_defaults.contains(group) && str_at(row, "direction") == "egress" && open {
        return None;
    }
    Some(How { beside: Some(group), how: format!("is in security group {name}") })
}

/// `ingress IPv4 tcp 22-23 0.0.0.0/0`.
fn described(rule: &Json) -> String {
    let ports = match (json::at(rule, &["port_range_min"]), json::at(rule, &["port_range_max"])) {
        (Json::Null, Json::Null) => String::new(),
        (least, most) if least == most => least.to_string(),
        (least, most) => format!("{least}-{most}"),
    };
    let remote = ["remote_ip_prefix", "remote_group_id", "remote_address_group_id"];
    let remote = remote.map(|it| str_at(rule, it));
    let words = ["direction", "ethertype", "protocol"].map(|it| str_at(rule, it));
    let words = words.into_iter().chain([ports.as_str()]).chain(remote);
    words.filter(|it| !it.is_empty()).collect::<Vec<_>>().join(" ")
}
