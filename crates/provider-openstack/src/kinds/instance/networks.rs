//! What a server is connected to: what is asked for, and what is there.

use std::net::IpAddr;

use plumb_model::value::{Path, Type, Value};
use plumb_provider::Failure;
use serde_json::{Map, Value as Json};

use crate::change::Change;
use crate::cloud::Cloud;
use crate::json::{list_at, str_at};
use crate::lookup;
use crate::told::{is, text};

/// One of a server's ports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nic {
    pub(super) port: String,
    pub(super) network: String,
    pub(super) name: String,
    pub(super) mac: String,
    pub(super) v4: Vec<String>,
    pub(super) v6: Vec<String>,
}

/// The member `networks` of a request.
pub(super) async fn wanted(cloud: &Cloud, change: &Change<'_>) -> Result<Json, Failure> {
    if change.items("network").next().is_none() {
        return Ok(change.str("network_mode").unwrap_or("auto").into());
    }
    let mut all = Vec::new();
    for (index, block) in change.items("network").enumerate() {
        let mut one = Map::new();
        let at =
            |name: &str| Path::default().attr("network").index(Value::number(index)).attr(name);
        match (text(block, "port"), text(block, "uuid"), text(block, "name")) {
            (Some(port), _, _) => {
                one.insert("port".to_owned(), port.into());
            }
            (None, Some(network), _) => {
                one.insert("uuid".to_owned(), network.into());
            }
            (None, None, Some(name)) => {
                let network = lookup::network(cloud, name).await.map_err(|it| it.at(at("name")))?;
                one.insert("uuid".to_owned(), network.into());
            }
            (None, None, None) => {
                let detail = "One of uuid, name and port must say which network it is.";
                return Err(Failure::new("Missing network", detail).at(at("uuid")));
            }
        }
        // A port has its addresses already.
        if !one.contains_key("port") {
            let address = match (text(block, "fixed_ip_v4"), text(block, "fixed_ip_v6")) {
                (Some(_), Some(_)) => {
                    let detail = "Nova gives a port of its own one address that is asked for. For both, make an openstack_networking_port_v2 and give it as `port`.";
                    return Err(Failure::new("Two fixed addresses", detail).at(at("fixed_ip_v6")));
                }
                (one, other) => one.or(other),
            };
            if let Some(address) = address {
                one.insert("fixed_ip".to_owned(), bare(address).into());
            }
        }
        all.push(one.into());
    }
    Ok(Json::Array(all))
}

/// The ports that were given.
pub(super) fn given(planned: &Value) -> Vec<String> {
    let blocks = planned.get_attr("network").into_iter().flat_map(Value::values);
    blocks.filter_map(|it| text(it, "port")).map(str::to_owned).collect()
}

/// The ports in the order in which they were attached, as far as Nova tells it.
pub(super) fn nics(server: &Json, ports: &[Json]) -> Vec<Nic> {
    let networks = server.get("addresses").and_then(Json::as_object);
    let mut places = Vec::new();
    for (name, addresses) in networks.into_iter().flatten() {
        for address in addresses.as_array().into_iter().flatten() {
            places.push((str_at(address, "OS-EXT-IPS-MAC:mac_addr"), name.as_str()));
        }
    }
    let place = |mac: &str| places.iter().position(|it| it.0 == mac);
    let mut all: Vec<(usize, Nic)> = ports
        .iter()
        .map(|port| {
            let mac = str_at(port, "mac_address");
            let place = place(mac);
            let addresses =
                list_at(port, "fixed_ips").iter().map(|it| str_at(it, "ip_address").to_owned());
            let (v4, v6) = addresses.partition(|it| is_v4(it));
            let name = place.and_then(|it| places.get(it)).map_or("", |it| it.1).to_owned();
            let network = str_at(port, "network_id").to_owned();
            let port = str_at(port, "id").to_owned();
            (place.unwrap_or(usize::MAX), Nic { port, network, name, mac: mac.to_owned(), v4, v6 })
        })
        .collect();
    all.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.port.cmp(&b.1.port)));
    all.into_iter().map(|it| it.1).collect()
}

/// The ports that the blocks of a configuration mean, in its order; without blocks, all.
pub(super) fn as_written(written: &[&Value], nics: Vec<Nic>) -> Vec<(Nic, bool)> {
    if written.is_empty() {
        return nics.into_iter().map(|it| (it, false)).collect();
    }
    let mut left = nics;
    let mut places: Vec<Option<Nic>> = vec![None; written.len()];
    // Those that say most choose first.
    let ways: [fn(&Value, &Nic) -> Option<bool>; 4] = [
        |block, nic| Some(text(block, "port")? == nic.port),
        |block, nic| Some(text(block, "mac")? == nic.mac),
        |block, nic| {
            let address = bare(text(block, "fixed_ip_v4").or(text(block, "fixed_ip_v6"))?);
            Some(on(block, nic) && nic.v4.iter().chain(&nic.v6).any(|it| same(it, address)))
        },
        |block, nic| Some(on(block, nic)),
    ];
    for fits in ways {
        for (place, block) in places.iter_mut().zip(written) {
            if place.is_none()
                && let Some(index) = left.iter().position(|it| fits(block, it) == Some(true))
            {
                *place = Some(left.remove(index));
            }
        }
    }
    let pairs = places.into_iter().zip(written);
    pairs.filter_map(|(nic, block)| Some((nic?, is(block, "access_network")))).collect()
}

/// Whether a port is on the network of a block; one that says a port is on none but its own.
fn on(block: &Value, nic: &Nic) -> bool {
    match (text(block, "uuid"), text(block, "name")) {
        (Some(network), _) => network == nic.network,
        (None, Some(name)) => name == nic.name,
        (None, None) => false,
    }
}

/// The blocks that are stored. Names that Nova does not tell, and ways to write an address, are
/// as in `written`.
pub(super) fn blocks(element: Type, written: &[&Value], nics: &[(Nic, bool)]) -> Value {
    let items = nics.iter().map(|(nic, access)| {
        let same_port = |it: &&&Value| text(it, "port") == Some(&*nic.port);
        let base = written
            .iter()
            .find(same_port)
            .or_else(|| written.iter().find(|it| text(it, "port").is_none() && on(it, nic)));
        let base_text = |name: &str| base.and_then(|it| text(it, name));
        let address = |name: &str, told: &[String], bracketed: bool| {
            let asked = base_text(name);
            if let Some(asked) = asked.filter(|it| told.iter().any(|told| same(told, bare(it)))) {
                return Value::string(asked);
            }
            match told.first() {
                Some(it) if bracketed => Value::string(format!("[{it}]")),
                Some(it) => Value::string(it.as_str()),
                None => Value::string(""),
            }
        };
        let name = match &*nic.name {
            "" => base_text("name").unwrap_or_default(),
            name => name,
        };
        Value::object([
            ("uuid", Value::string(nic.network.as_str())),
            ("name", Value::string(name)),
            ("port", Value::string(nic.port.as_str())),
            ("fixed_ip_v4", address("fixed_ip_v4", &nic.v4, false)),
            ("fixed_ip_v6", address("fixed_ip_v6", &nic.v6, true)),
            ("mac", Value::string(nic.mac.as_str())),
            ("access_network", Value::bool(*access)),
        ])
    });
    Value::list(element, items.collect())
}

/// The addresses to reach a server by: those of the network that says so, else the first.
pub(super) fn access(nics: &[(Nic, bool)]) -> (String, String) {
    let first = |of: fn(&Nic) -> Option<&String>| {
        let told = |access: bool| nics.iter().filter(|it| it.1 || !access).find_map(|it| of(&it.0));
        told(true).or_else(|| told(false)).cloned().unwrap_or_default()
    };
    let v6 = first(|it| it.v6.first());
    (first(|it| it.v4.first()), if v6.is_empty() { v6 } else { format!("[{v6}]") })
}

fn is_v4(address: &str) -> bool {
    !address.contains(':')
}

/// Without the brackets of an IPv6 address.
fn bare(address: &str) -> &str {
    address.trim_start_matches('[').trim_end_matches(']')
}

fn same(a: &str, b: &str) -> bool {
    a == b || matches!((a.parse::<IpAddr>(), b.parse::<IpAddr>()), (Ok(a), Ok(b)) if a == b)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn block(members: &[(&str, &str)]) -> Value {
        Value::object(members.iter().map(|(key, it)| (*key, Value::string(*it))))
    }

    fn server() -> (Json, Vec<Json>) {
        let server = json!({ "addresses": {
            "a": [
                { "addr": "10.0.0.5", "OS-EXT-IPS-MAC:mac_addr": "m1" },
                { "addr": "10.0.0.6", "OS-EXT-IPS-MAC:mac_addr": "m2" },
            ],
            "b": [{ "addr": "fd00::1", "OS-EXT-IPS-MAC:mac_addr": "m3" }],
        } });
        let port = |id: &str, network: &str, mac: &str, address: &str| {
            json!({
                "id": id, "network_id": network, "mac_address": mac,
                "fixed_ips": [{ "ip_address": address }],
            })
        };
        let ports = vec![
            port("p3", "nb", "m3", "fd00::1"),
            port("p2", "na", "m2", "10.0.0.6"),
            port("p1", "na", "m1", "10.0.0.5"),
        ];
        (server, ports)
    }

    fn ports(written: &[Value]) -> String {
        let (server, ports) = server();
        let written: Vec<&Value> = written.iter().collect();
        let found = as_written(&written, nics(&server, &ports));
        found.iter().map(|it| &*it.0.port).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn which_port_a_block_means() {
        assert_eq!(ports(&[]), "p1 p2 p3");
        assert_eq!(ports(&[block(&[("name", "b")]), block(&[("name", "a")])]), "p3 p1");
        assert_eq!(
            ports(&[
                block(&[("uuid", "na")]),
                block(&[("name", "a"), ("fixed_ip_v4", "10.0.0.5")])
            ]),
            "p2 p1"
        );
        assert_eq!(ports(&[block(&[("uuid", "na")]), block(&[("port", "p1")])]), "p2 p1");
        assert_eq!(ports(&[block(&[("fixed_ip_v6", "[fd00:0::1]"), ("uuid", "nb")])]), "p3");
        assert_eq!(ports(&[block(&[("port", "gone")]), block(&[("name", "b")])]), "p3");
    }

    #[test]
    fn where_it_is_reached() {
        let (server, ports) = server();
        let all = as_written(&[], nics(&server, &ports));
        assert_eq!(access(&all), ("10.0.0.5".to_owned(), "[fd00::1]".to_owned()));
        let mut second = all.clone();
        second[1].1 = true;
        assert_eq!(access(&second), ("10.0.0.6".to_owned(), "[fd00::1]".to_owned()));
        assert_eq!(access(&[]), (String::new(), String::new()));
    }
}
