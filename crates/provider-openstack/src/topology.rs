//! What resources are on a picture of the network.

use plumb_model::addr::Kind;
use plumb_model::value::Value;
use plumb_topology::{Key, Piece};

/// The pieces of a resource, or of what a data source found.
pub(crate) fn pieces(kind: &Kind, attrs: &Value) -> Vec<Piece> {
    match &**kind {
        "openstack_networking_network_v2" => vec![Piece::Segment {
            keys: named(attrs, "network"),
            name: text(attrs, "name").unwrap_or_default(),
            noun: "network",
            ranges: Vec::new(),
            outer: attrs.get_attr("external").and_then(Value::as_bool) == Some(true),
        }],
        "openstack_networking_subnet_v2" => {
            let subnet = key(attrs, "network_id", "network").map(|of| Piece::Subnet {
                keys: key(attrs, "id", "subnet").into_iter().collect(),
                of,
                range: text(attrs, "cidr").unwrap_or_default(),
            });
            subnet.into_iter().collect()
        }
        "openstack_networking_router_v2" => router(attrs),
        "openstack_networking_router_interface_v2" => {
            let to = key(attrs, "port_id", "port").filter(|_| text(attrs, "subnet_id").is_none());
            let to = key(attrs, "subnet_id", "subnet").or(to);
            plug(key(attrs, "router_id", "router"), to, None)
        }
        "openstack_networking_port_v2" => port(attrs),
        "openstack_compute_instance_v2" => instance(attrs),
        "openstack_compute_interface_attach_v2" => {
            let to = key(attrs, "port_id", "port").or_else(|| key(attrs, "network_id", "network"));
            plug(key(attrs, "instance_id", "server"), to, text(attrs, "fixed_ip"))
        }
        "openstack_networking_floatingip_v2" => vec![floating_ip(attrs)],
        "openstack_networking_floatingip_associate_v2" => {
            let ends = key(attrs, "floating_ip", "floating").zip(key(attrs, "port_id", "port"));
            ends.map(|(of, to)| Piece::Lead { of, to }).into_iter().collect()
        }
        "openstack_networking_portforwarding_v2" => vec![port_forward(attrs)],
        "openstack_networking_secgroup_v2" => vec![Piece::Filter {
            keys: named(attrs, "group"),
            name: text(attrs, "name").unwrap_or_default(),
        }],
        _ => Vec::new(),
    }
}

fn router(attrs: &Value) -> Vec<Piece> {
    let keys = named(attrs, "router");
    let name = text(attrs, "name").unwrap_or_default();
    let of = keys.first().cloned();
    let outside = blocks(attrs, "external_fixed_ip").find_map(|it| text(it, "ip_address"));
    let mut pieces = vec![Piece::Router { keys, name, noun: "router" }];
    let mut uplink = plug(of, key(attrs, "external_network_id", "network"), outside);
    if let Some(Piece::Plug { uplink, .. }) = uplink.first_mut() {
        // The network itself may be nobody's here.
        *uplink = true;
    }
    pieces.append(&mut uplink);
    pieces
}

fn port(attrs: &Value) -> Vec<Piece> {
    let network = key(attrs, "network_id", "network");
    let subnet = || blocks(attrs, "fixed_ip").find_map(|it| key(it, "subnet_id", "subnet"));
    let Some(on) = network.or_else(subnet) else { return Vec::new() };
    let mut addresses: Vec<String> = texts(attrs, "all_fixed_ips");
    if addresses.is_empty() {
        addresses = blocks(attrs, "fixed_ip").filter_map(|it| text(it, "ip_address")).collect();
    }
    let filters = texts(attrs, "security_group_ids").into_iter();
    vec![Piece::Port {
        keys: key(attrs, "id", "port").into_iter().collect(),
        name: text(attrs, "name").unwrap_or_default(),
        on,
        addresses,
        filters: filters.map(|it| Key::new("group", it)).collect(),
    }]
}

fn instance(attrs: &Value) -> Vec<Piece> {
    let keys = named(attrs, "server");
    let of = keys.first().cloned();
    let groups = texts(attrs, "security_groups").into_iter();
    let mut pieces = vec![Piece::Endpoint {
        keys,
        name: text(attrs, "name").unwrap_or_default(),
        noun: "server",
        filters: groups.map(|it| Key::new("group", it)).collect(),
    }];
    for network in blocks(attrs, "network") {
        let to = key(network, "port", "port")
            .or_else(|| key(network, "uuid", "network"))
            .or_else(|| key(network, "name", "network"));
        pieces.extend(plug(of.clone(), to, text(network, "fixed_ip_v4")));
    }
    pieces
}

fn floating_ip(attrs: &Value) -> Piece {
    let keys = [key(attrs, "address", "floating"), key(attrs, "id", "floating")];
    Piece::Inlet {
        keys: keys.into_iter().flatten().collect(),
        noun: "floating IP",
        outer: text(attrs, "address").unwrap_or_default(),
        on: key(attrs, "pool", "network"),
        through: None,
        to: key(attrs, "port_id", "port"),
        inner: text(attrs, "fixed_ip").filter(|_| text(attrs, "port_id").is_none()),
    }
}

fn port_forward(attrs: &Value) -> Piece {
    let number = |name| attrs.get_attr(name).and_then(Value::as_i64);
    let outer = number("external_port").map(|it| format!(":{it}"));
    let inner = number("internal_port").map(|it| format!(":{it}"));
    Piece::Inlet {
        keys: key(attrs, "id", "forward").into_iter().collect(),
        noun: "port forward",
        outer: outer.unwrap_or_default(),
        on: key(attrs, "floatingip_id", "floating"),
        through: None,
        to: key(attrs, "internal_port_id", "port"),
        inner,
    }
}

fn plug(of: Option<Key>, to: Option<Key>, address: Option<String>) -> Vec<Piece> {
    let addresses = address.into_iter().collect();
    let plug = of.zip(to).map(|(of, to)| {
        let (filters, uplink) = (Vec::new(), false);
        Piece::Plug { of, to, addresses, filters, uplink }
    });
    plug.into_iter().collect()
}

/// By id and by name: both are used.
fn named(attrs: &Value, noun: &'static str) -> Vec<Key> {
    [key(attrs, "id", noun), key(attrs, "name", noun)].into_iter().flatten().collect()
}

fn blocks<'a>(attrs: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    attrs.get_attr(name).into_iter().flat_map(Value::values)
}

fn text(attrs: &Value, name: &str) -> Option<String> {
    let text = attrs.get_attr(name).and_then(Value::as_str).filter(|it| !it.is_empty());
    text.map(str::to_owned)
}

fn texts(attrs: &Value, name: &str) -> Vec<String> {
    blocks(attrs, name).filter_map(Value::as_str).map(str::to_owned).collect()
}

fn key(attrs: &Value, name: &str, noun: &'static str) -> Option<Key> {
    text(attrs, name).map(|it| Key::new(noun, it))
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use plumb_topology::{Network, Sign, Source, stand_in, text};

    use super::*;

    /// A resource that is made; `&x` stands for an attribute that nobody knows yet.
    fn made(address: &str, attrs: &[(&str, Value)]) -> Source {
        let (kind, _) = address.split_once('.').unwrap_or_default();
        let id = ("id", Value::string(stand_in(address, "id")));
        let attrs = attrs.iter().cloned().chain([id]);
        let kind = Kind::new(format!("openstack_{kind}_v2"));
        Source {
            address: address.to_owned(),
            block: address.to_owned(),
            scope: String::new(),
            sign: Sign::Add,
            given: false,
            before: Vec::new(),
            after: pieces(&kind, &Value::object(attrs)),
        }
    }

    #[test]
    fn a_cloud_of_all_new_resources_is_connected() {
        let text_of = |it: &str| Value::string(it);
        let of = |object: &str, name: &str| Value::string(stand_in(object, name));
        let all = |items: Vec<Value>| Value::tuple(items);
        let block = |name: &str, value: Value| Value::tuple(vec![Value::object([(name, value)])]);
        let sources = [
            made(
                "networking_network.n",
                &[("name", text_of("lab")), ("external", Value::bool(false))],
            ),
            made(
                "networking_subnet.s",
                &[
                    ("network_id", of("networking_network.n", "id")),
                    ("cidr", text_of("10.0.0.0/24")),
                ],
            ),
            made(
                "networking_router.r",
                &[("name", text_of("edge")), ("external_network_id", text_of("ext-id"))],
            ),
            made(
                "networking_router_interface.i",
                &[
                    ("router_id", of("networking_router.r", "id")),
                    ("subnet_id", of("networking_subnet.s", "id")),
                ],
            ),
            made("networking_secgroup.g", &[("name", text_of("ssh"))]),
            made(
                "networking_port.p",
                &[
                    ("name", text_of("p")),
                    ("network_id", of("networking_network.n", "id")),
                    ("security_group_ids", all(vec![of("networking_secgroup.g", "id")])),
                    ("fixed_ip", block("ip_address", text_of("10.0.0.5"))),
                ],
            ),
            made(
                "compute_instance.a",
                &[
                    ("name", text_of("a")),
                    ("network", block("port", of("networking_port.p", "id"))),
                ],
            ),
            made(
                "compute_instance.b",
                &[("name", text_of("b")), ("network", block("name", text_of("lab")))],
            ),
            made(
                "networking_floatingip.f",
                &[
                    ("pool", text_of("public")),
                    ("address", of("networking_floatingip.f", "address")),
                ],
            ),
            made(
                "networking_floatingip_associate.f",
                &[
                    ("floating_ip", of("networking_floatingip.f", "address")),
                    ("port_id", of("networking_port.p", "id")),
                ],
            ),
        ];
        expect![[r#"
            + network lab  10.0.0.0/24
            +   router edge
            +   server a  10.0.0.5  filtered by ssh
            +   server b
              network ext-id  outside
            +   router edge
              network public  outside
            +   floating IP not known yet  leads to a
        "#]]
        .assert_eq(&text(&Network::of(&sources)));
    }
}
