//! All tables at once: held against the facts of terraform-provider-openstack, and written down.

use std::collections::BTreeSet;

use plumb_model::schema::{Attribute, Block, NestedBlock, Nesting, OnChange, Presence};
use plumb_model::value::{Type, Value};
use plumb_provider::{Provider, conformance, reference};
use serde_json::{Map, Value as Json};

use crate::{OpenStackProvider, json, kinds};

/// Where we differ on purpose.
const EXCEPTIONS: &[(&str, &str, &str)] = &[
    (
        "openstack_compute_instance_v2",
        "availability_zone_hints: replace, not update",
        "a planning rule says which changes need another server",
    ),
    (
        "openstack_compute_instance_v2",
        "hypervisor_hostname: replace, not update",
        "a planning rule says which changes need another server",
    ),
    (
        "openstack_compute_instance_v2",
        "network: replace, not update",
        "access_network only chooses what is told; all else in it needs another server",
    ),
    (
        "openstack_compute_instance_v2",
        "network_mode: replace, not update",
        "a planning rule says which changes need another server",
    ),
    (
        "openstack_compute_instance_v2",
        "user_data: replace, not update",
        "a planning rule says which changes need another server",
    ),
    (
        "openstack_compute_snapshot_v2",
        "there is no such resource type",
        "it is ours: a server's disk as an image",
    ),
    (
        "openstack_compute_volume_attach_v2",
        "vendor_options: replace, not update",
        "how it is waited for is nothing that an attachment is made of",
    ),
    (
        "openstack_images_image_v2",
        "image_cache_path: Optional, not OptionalComputed",
        "nothing is cached",
    ),
    (
        "openstack_images_image_v2",
        "image_cache_path: os.Getenv(\"HOME\") + \"/.terraform/image_cache, not ",
        "nothing is cached",
    ),
    (
        "openstack_images_image_v2",
        "image_source_url: replace, not update",
        "a planning rule says which changes need another image",
    ),
    (
        "openstack_images_image_v2",
        "local_file_path: replace, not update",
        "a planning rule says which changes need another image",
    ),
    (
        "openstack_networking_subnetpool_v2",
        "shared: update, not replace",
        "Neutron takes it only from the request that makes a pool",
    ),
];

/// What the reference says besides what the tables say.
const COVERAGE: &str = "## What is covered

Networks, servers, images and volumes as far as the resource types and data sources above go. Not
covered: load balancers, firewalls, VPNs, BGP, quality of service policies, RBAC policies, quotas and
segments of Neutron; users, groups, roles and their assignments of Keystone; aggregates and quotas of
Nova; DNS zones, object storage, containers, shares, secrets, databases and orchestration.

`region` cannot be another than the provider's: another region is another `provider` block.

## What stands beside, and what happens

Foreign is what nobody declared, in the projects that your objects live in and in your networks:
servers, ports, floating IPs, networks, subnets, routers, router interfaces, security groups, rules
in your security groups, volumes, images, snapshots of servers, and key pairs of your user. Servers,
volumes and key pairs are looked for in the provider's own project only. What belongs to another
project is foreign only where it is plugged into a network of yours.

Not foreign: the security group `default` and the two rules that open a new group to the outside,
ports of your servers and routers, those that Neutron makes for itself (DHCP, gateways), volumes
that a server of yours was made to boot from, and what your objects name: a network that comes from
a data source, say. Looking takes one request for each kind, 12 in all; services that the cloud
does not have are left out.

OpenStack tells nobody what happens, so it is asked every 5 seconds, in 10 requests: Nova for
changes since it was asked last, by its own clock; the others for one short list each, which is
compared with the one before. Each project more is one more (images), each hundred networks another.
What no list tells of is read once a minute: metadata of servers, key pairs, server groups, flavors,
projects, application credentials, address groups, subnet pools, trunks and port forwardings. When
the cloud is busy or away, the pauses grow to a minute; after four rounds in a row that came to
nothing it is given up.

## How it differs from terraform-provider-openstack

- Objects are found again when a run was cut off between a request and its answer: descriptions end
  in a mark such as `[plumb 0123456789abcdef-3]` until they are changed. It is never shown.
- Arguments that are left out are nobody's: what the cloud or somebody else sets there is no change.
- Floating IPs, their associations, port forwardings and routes wait for the router's interface that
  they need; nothing has to be written for it. When all goes, they go first.
- Routes that are made or deleted together do not overwrite each other.
- A floating IP that has been led elsewhere is left there when its association is deleted.
- Removing a prefix from a subnet pool plans a new pool: Neutron takes none out.
- Addresses, ranges and protocols that mean the same are no change, however they are written.
- Data sources that find several objects name them. `openstack_identity_endpoint_v3` and
  `openstack_identity_project_v3` need no administrator.
- Port forwardings can be imported: `<floating IP's id>/<id>`.

";

/// What of a schema is not as the facts have it, as `argument: theirs, not ours`.
fn differences(facts: &Map<String, Json>, block: &Block, at: &str, out: &mut Vec<String>) {
    let ours = block.attributes().keys().chain(block.blocks().keys());
    for name in
        ours.filter(|it| !matches!(&***it, "id" | "timeouts") && !facts.contains_key(&***it))
    {
        out.push(format!("{at}{name}: nothing, but we have it"));
    }
    for (name, fact) in facts {
        let path = format!("{at}{name}");
        match (block.attributes().get(&**name), block.blocks().get(&**name)) {
            (Some(attribute), _) => attribute_differs(fact, attribute, &path, out),
            (_, Some(nested)) => block_differs(fact, nested, &path, out),
            (None, None) => out.push(format!("{path}: something, but we have nothing")),
        }
    }
}

fn is(fact: &Json, key: &str) -> bool {
    fact.get(key).and_then(Json::as_bool) == Some(true)
}

fn on_change(fact: &Json) -> OnChange {
    if is(fact, "force_new") { OnChange::Replace } else { OnChange::Update }
}

fn attribute_differs(fact: &Json, ours: &Attribute, path: &str, out: &mut Vec<String>) {
    let mut hold = |theirs: String, ours: String| {
        if theirs != ours {
            out.push(format!("{path}: {theirs}, not {ours}"));
        }
    };
    hold(ty(fact).to_string(), ours.ty.to_string());
    let presence = match (is(fact, "required"), is(fact, "optional"), is(fact, "computed")) {
        (true, _, _) => Presence::Required,
        (_, true, true) => Presence::OptionalComputed,
        (_, true, false) => Presence::Optional,
        _ => Presence::Computed,
    };
    hold(format!("{presence:?}"), format!("{:?}", ours.presence));
    if presence != Presence::Computed {
        hold(word(on_change(fact)), word(ours.on_change));
    }
    let text = |it: &Value| match json::to_json(it) {
        Json::String(text) => text,
        other => other.to_string(),
    };
    let default = json::str_at(fact, "default").trim_matches('"').to_owned();
    hold(default, ours.default.as_ref().map(text).unwrap_or_default());
    let secret = |it: bool| if it { "sensitive" } else { "open" }.to_owned();
    hold(secret(is(fact, "sensitive")), secret(ours.sensitive));
}

fn block_differs(fact: &Json, ours: &NestedBlock, path: &str, out: &mut Vec<String>) {
    let Some(facts) = fact.get("block").and_then(Json::as_object) else {
        out.push(format!("{path}: an argument, not a block"));
        return;
    };
    let nesting = if fact["type"] == "set" { Nesting::Set } else { Nesting::List };
    if nesting != ours.nesting {
        out.push(format!("{path}: {nesting:?}, not {:?}", ours.nesting));
    }
    let max: u64 = json::str_at(fact, "max_items").parse().unwrap_or_default();
    if max != ours.max {
        out.push(format!("{path}: at most {max}, not {}", ours.max));
    }
    // What is made of nothing but such arguments needs a new object, too.
    let anew = ours.block.attributes().values().filter(|it| it.presence.is_configurable());
    let all = ours.block.blocks().is_empty() && anew.clone().next().is_some();
    let anew = all && anew.into_iter().all(|it| it.on_change == OnChange::Replace);
    let same = on_change(fact) == ours.on_change || on_change(fact) == OnChange::Replace && anew;
    if !same {
        out.push(format!("{path}: {}, not {}", word(on_change(fact)), word(ours.on_change)));
    }
    differences(facts, &ours.block, &format!("{path}."), out);
}

fn word(it: OnChange) -> String {
    match it {
        OnChange::Update => "update",
        OnChange::Replace => "replace",
    }
    .to_owned()
}

fn ty(fact: &Json) -> Type {
    let element = || match fact.get("block").and_then(Json::as_object) {
        Some(block) => Type::object(block.iter().map(|(name, it)| (name.as_str(), ty(it)))),
        None => match fact.get("elem") {
            Some(elem) => named(elem.as_str().unwrap_or_default()),
            None => Type::String,
        },
    };
    match json::str_at(fact, "type") {
        "list" => Type::list(element()),
        "set" => Type::set(element()),
        "map" => Type::map(element()),
        other => named(other),
    }
}

fn named(text: &str) -> Type {
    match text {
        "bool" => Type::Bool,
        "int" | "float" => Type::Number,
        "map" => Type::map(Type::String),
        "string" => Type::String,
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn the_tables_are_as_files_expect_them() {
    let facts: Json = serde_json::from_str(include_str!("../tests/schema/openstack.json")).unwrap();
    let mut found = BTreeSet::new();
    for of in kinds::ALL {
        let kind = (of.table)().kind;
        let Some(facts) = facts.get(kind).and_then(Json::as_object) else {
            found.insert((kind, "there is no such resource type".to_owned()));
            continue;
        };
        let mut out = Vec::new();
        differences(facts, &(of.schema)().block, "", &mut out);
        found.extend(out.into_iter().map(|it| (kind, it)));
    }
    let meant: BTreeSet<_> =
        EXCEPTIONS.iter().map(|(kind, what, _)| (*kind, (*what).to_owned())).collect();
    let lines = |some: Vec<&(&str, String)>| {
        some.iter().map(|(kind, what)| format!("{kind}: {what}")).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(lines(found.difference(&meant).collect()), "", "these are not meant");
    assert_eq!(lines(meant.difference(&found).collect()), "", "these are no exceptions any more");
}

#[test]
fn the_schema_is_one() {
    let provider = OpenStackProvider::default();
    assert_eq!(conformance::schema(provider.schema()), Vec::<String>::new());
}

#[test]
fn the_reference_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/providers/openstack.md");
    let provider = OpenStackProvider::default();
    let mut text = reference::provider(provider.schema());
    text.push_str(COVERAGE);
    text.push_str("Arguments that differ:\n\n");
    for (kind, what, why) in EXCEPTIONS.iter().filter(|it| !it.1.contains("no such resource")) {
        let (argument, _) = what.split_once(':').unwrap();
        let line = format!("- `{argument}` of `{kind}`: {why}.\n");
        if !text.ends_with(&line) {
            text.push_str(&line);
        }
    }
    expect_test::expect_file![path].assert_eq(&text);
}
