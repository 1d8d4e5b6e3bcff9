//! What resources are on a picture of the network.

use plumb_model::addr::Kind;
use plumb_model::value::Value;
use plumb_topology::{Key, Piece};

use crate::args::Args;

/// Where published ports are: the machine that the engine runs on.
const MACHINE: &str = "engine's machine";

/// The pieces of a resource.
pub(crate) fn pieces(kind: &Kind, attrs: &Value) -> Vec<Piece> {
    match &**kind {
        "docker_network" => network(Args(attrs)),
        "docker_container" => container(Args(attrs)),
        _ => Vec::new(),
    }
}

fn network(args: Args<'_>) -> Vec<Piece> {
    let name = args.string("name").unwrap_or_default();
    let names = [args.string("name"), args.string("id")];
    vec![Piece::Segment {
        keys: names.into_iter().flatten().map(|it| Key::new("network", it)).collect(),
        name,
        noun: if args.is("internal") { "internal network" } else { "network" },
        ranges: args.blocks("ipam_config").filter_map(|it| it.string("subnet")).collect(),
        outer: false,
    }]
}

fn container(args: Args<'_>) -> Vec<Piece> {
    let name = args.string("name").unwrap_or_default();
    let of = Key::new("container", name.clone());
    let id = args.string("id").map(|it| Key::new("container", it));
    let keys = [of.clone()].into_iter().chain(id).collect();
    let filters = Vec::new();
    let mut pieces = vec![Piece::Endpoint { keys, name, noun: "container", filters }];
    for port in args.blocks("ports") {
        let (internal, protocol) = (port.int("internal"), port.str("protocol").unwrap_or("tcp"));
        let ip = port.str("ip").filter(|it| *it != "0.0.0.0").unwrap_or_default();
        let outer = port.int("external").map(|it| format!("{ip}:{it}/{protocol}"));
        pieces.push(Piece::Inlet {
            keys: Vec::new(),
            noun: "published port",
            outer: outer.unwrap_or_default(),
            on: Some(Key::new("machine", MACHINE)),
            through: None,
            to: Some(of.clone()),
            inner: internal.map(|it| format!(":{it}")),
        });
    }
    let declared: Vec<Args<'_>> = args.blocks("networks_advanced").collect();
    for network in &declared {
        if let Some(name) = network.str("name") {
            let fixed = ["ipv4_address", "ipv6_address"].map(|it| network.string(it));
            let mut addresses: Vec<String> = fixed.into_iter().flatten().collect();
            if addresses.is_empty() {
                addresses.extend(given(args, name));
            }
            pieces.push(plug(&of, name, addresses));
        }
    }
    if declared.is_empty() {
        match args.str("network_mode").unwrap_or("bridge") {
            // These have no network of their own.
            "none" => {}
            mode if mode.starts_with("container:") => {}
            mode => {
                let name = if mode == "default" { "bridge" } else { mode };
                pieces.push(plug(&of, name, given(args, name).into_iter().collect()));
            }
        }
    }
    pieces
}

fn plug(of: &Key, network: &str, addresses: Vec<String>) -> Piece {
    let to = Key::new("network", network);
    Piece::Plug { of: of.clone(), to, addresses, filters: Vec::new(), uplink: false }
}

/// The address that the engine gave.
fn given(args: Args<'_>, network: &str) -> Option<String> {
    let mut data = args.blocks("network_data");
    data.find(|it| it.str("network_name") == Some(network))?.string("ip_address")
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use plumb_topology::{Network, Sign, Source, stand_in, text};

    use super::*;

    fn made(kind: &str, name: &str, attrs: &[(&str, Value)]) -> Source {
        let address = format!("{kind}.{name}");
        let own = [("name", Value::string(name)), ("id", Value::string(stand_in(&address, "id")))];
        let attrs = Value::object(attrs.iter().cloned().chain(own));
        Source {
            block: address.clone(),
            scope: String::new(),
            sign: Sign::Add,
            given: false,
            before: Vec::new(),
            after: pieces(&Kind::new(kind), &attrs),
            address,
        }
    }

    #[test]
    fn containers_are_in_networks_by_name_by_id_and_by_default() {
        let block = |attrs: Vec<(&str, Value)>| Value::tuple(vec![Value::object(attrs)]);
        let sources = [
            made(
                "docker_network",
                "lab",
                &[("ipam_config", block(vec![("subnet", Value::string("172.31.0.0/24"))]))],
            ),
            made(
                "docker_container",
                "by-name",
                &[
                    (
                        "networks_advanced",
                        block(vec![
                            ("name", Value::string("lab")),
                            ("ipv4_address", Value::string("172.31.0.5")),
                        ]),
                    ),
                    (
                        "ports",
                        block(vec![
                            ("internal", Value::number(22)),
                            ("external", Value::number(2233)),
                        ]),
                    ),
                ],
            ),
            made(
                "docker_container",
                "by-id",
                &[(
                    "networks_advanced",
                    block(vec![("name", Value::string(stand_in("docker_network.lab", "id")))]),
                )],
            ),
            made("docker_container", "default", &[]),
            made("docker_container", "alone", &[("network_mode", Value::string("none"))]),
        ];
        expect![[r#"
            + network lab  172.31.0.0/24
            +   container by-name  172.31.0.5
            +   container by-id
              machine engine's machine  outside
            +   published port :2233/tcp  leads to by-name :22
              network bridge
            +   container default
            + container alone
        "#]]
        .assert_eq(&text(&Network::of(&sources)));
    }
}
