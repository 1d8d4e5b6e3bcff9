//! What resources are on a picture of the network.

use plumb_model::addr::Kind as Named;
use plumb_model::value::Value;
use plumb_netns::spec::Kind;
use plumb_topology::{Key, Piece};

use crate::kinds::shape;

/// The pieces of a resource.
pub(crate) fn pieces(kind: &Named, attrs: &Value) -> Vec<Piece> {
    let Ok(of) = shape(kind) else { return Vec::new() };
    match of.kind {
        Kind::Network => network(attrs),
        Kind::Router => router(attrs),
        Kind::RouterInterface => router_interface(attrs),
        Kind::Port => port(attrs),
        Kind::Host => host(attrs),
        Kind::FloatingIp => floating_ip(attrs),
        Kind::PortForward => port_forward(attrs),
        Kind::Link => link(attrs),
        Kind::SecurityGroup => vec![Piece::Filter {
            keys: vec![Key::new("group", text(attrs, "name"))],
            name: text(attrs, "name"),
        }],
        // Rules are inside their group, and snapshots are no part of a network.
        Kind::SecurityGroupRule | Kind::Snapshot => Vec::new(),
    }
}

fn network(attrs: &Value) -> Vec<Piece> {
    let name = text(attrs, "name");
    vec![Piece::Segment {
        keys: vec![Key::new("network", name.clone())],
        name,
        noun: "network",
        ranges: texts(attrs, "subnet"),
        outer: !text(attrs, "external").is_empty(),
    }]
}

fn router(attrs: &Value) -> Vec<Piece> {
    let name = text(attrs, "name");
    let of = Key::new("router", name.clone());
    let mut pieces = vec![Piece::Router { keys: vec![of.clone()], name, noun: "router" }];
    pieces.extend(key(attrs, "external_network", "network").map(|to| Piece::Plug {
        of,
        to,
        addresses: texts(attrs, "external_address"),
        filters: Vec::new(),
        uplink: true,
    }));
    pieces
}

fn router_interface(attrs: &Value) -> Vec<Piece> {
    let ends = key(attrs, "router", "router").zip(key(attrs, "network", "network"));
    let plug = ends.map(|(of, to)| Piece::Plug {
        of,
        to,
        addresses: texts(attrs, "address"),
        filters: Vec::new(),
        uplink: false,
    });
    plug.into_iter().collect()
}

fn port(attrs: &Value) -> Vec<Piece> {
    let name = text(attrs, "name");
    let port = key(attrs, "network", "network").map(|on| Piece::Port {
        keys: vec![Key::new("port", name.clone()), Key::new("target", name.clone())],
        name,
        on,
        addresses: texts(attrs, "address"),
        filters: groups(attrs),
    });
    port.into_iter().collect()
}

fn host(attrs: &Value) -> Vec<Piece> {
    let name = text(attrs, "name");
    let of = Key::new("host", name.clone());
    let address = key(attrs, "address", "address");
    let keys = [of.clone(), Key::new("target", name.clone())].into_iter().chain(address);
    let filters = Vec::new();
    let mut pieces = vec![Piece::Endpoint { keys: keys.collect(), name, noun: "host", filters }];
    for interface in blocks(attrs, "interface") {
        let to = key(interface, "port", "port").or_else(|| key(interface, "network", "network"));
        pieces.extend(to.map(|to| Piece::Plug {
            of: of.clone(),
            to,
            addresses: texts(interface, "address"),
            filters: groups(interface),
            uplink: false,
        }));
    }
    pieces
}

fn floating_ip(attrs: &Value) -> Vec<Piece> {
    vec![Piece::Inlet {
        keys: key(attrs, "id", "floating").into_iter().collect(),
        noun: "floating IP",
        outer: text(attrs, "address"),
        on: key(attrs, "network", "network"),
        through: None,
        to: key(attrs, "port", "target"),
        inner: None,
    }]
}

fn port_forward(attrs: &Value) -> Vec<Piece> {
    let protocol = text(attrs, "protocol");
    vec![Piece::Inlet {
        keys: vec![Key::new("forward", text(attrs, "name"))],
        noun: "port forward",
        outer: format!(":{}/{protocol}", number(attrs, "external_port")),
        on: None,
        through: key(attrs, "router", "router"),
        to: key(attrs, "internal_address", "address"),
        inner: Some(format!(":{}", number(attrs, "internal_port"))),
    }]
}

fn link(attrs: &Value) -> Vec<Piece> {
    let name = text(attrs, "name");
    let to = Key::new("cable", name.clone());
    let mut pieces = vec![Piece::Segment {
        keys: vec![to.clone()],
        name,
        noun: "cable",
        ranges: Vec::new(),
        outer: false,
    }];
    for end in blocks(attrs, "end") {
        pieces.extend(key(end, "host", "host").map(|of| Piece::Plug {
            of,
            to: to.clone(),
            addresses: texts(end, "address"),
            filters: Vec::new(),
            uplink: false,
        }));
    }
    pieces
}

fn groups(attrs: &Value) -> Vec<Key> {
    let all = blocks(attrs, "security_groups").filter_map(Value::as_str);
    all.map(|it| Key::new("group", it)).collect()
}

fn blocks<'a>(attrs: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    attrs.get_attr(name).into_iter().flat_map(Value::values)
}

fn text(attrs: &Value, name: &str) -> String {
    attrs.get_attr(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn texts(attrs: &Value, name: &str) -> Vec<String> {
    attrs.get_attr(name).and_then(Value::as_str).map(str::to_owned).into_iter().collect()
}

fn key(attrs: &Value, name: &str, noun: &'static str) -> Option<Key> {
    attrs.get_attr(name).and_then(Value::as_str).map(|it| Key::new(noun, it))
}

fn number(attrs: &Value, name: &str) -> String {
    let number = attrs.get_attr(name).and_then(Value::as_i64);
    number.map_or_else(|| "?".to_owned(), |it| it.to_string())
}
