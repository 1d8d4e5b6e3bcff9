//! Pictures from pieces, and what holds for all of them.

mod picture;
mod properties;

use crate::{Key, Network, Piece, Sign, Source};

pub(crate) fn source(address: &str, sign: Sign, pieces: Vec<Piece>) -> Source {
    let (before, after) = match sign {
        Sign::Add => (Vec::new(), pieces),
        Sign::Remove => (pieces, Vec::new()),
        _ => (pieces.clone(), pieces),
    };
    between(address, sign, before, after)
}

pub(crate) fn between(address: &str, sign: Sign, before: Vec<Piece>, after: Vec<Piece>) -> Source {
    let block = address.split('[').next().unwrap_or_default().to_owned();
    let (address, scope) = (address.to_owned(), "cloud".to_owned());
    Source { address, block, scope, sign, given: false, before, after }
}

pub(crate) fn key(text: &str) -> Key {
    let (noun, name) = text.split_once(':').unwrap_or(("network", text));
    let nouns = ["network", "subnet", "router", "host", "port", "group", "floating"];
    Key::new(nouns.iter().find(|it| **it == noun).copied().unwrap_or("network"), name)
}

pub(crate) fn network(name: &str, range: &str, outer: bool) -> Piece {
    let keys = vec![key(name)];
    Piece::Segment { keys, name: name.into(), noun: "network", ranges: vec![range.into()], outer }
}

pub(crate) fn router(name: &str, networks: &[(&str, &str)]) -> Vec<Piece> {
    let of = Key::new("router", name);
    let router = Piece::Router { keys: vec![of.clone()], name: name.into(), noun: "router" };
    let plugs = networks.iter().map(|(to, address)| plug(of.clone(), to, address, &[]));
    std::iter::once(router).chain(plugs).collect()
}

pub(crate) fn host(name: &str, networks: &[(&str, &str)], groups: &[&str]) -> Vec<Piece> {
    let of = Key::new("host", name);
    let filters = Vec::new();
    let host = Piece::Endpoint { keys: vec![of.clone()], name: name.into(), noun: "host", filters };
    let plugs = networks.iter().map(|(to, address)| plug(of.clone(), to, address, groups));
    std::iter::once(host).chain(plugs).collect()
}

pub(crate) fn plug(of: Key, to: &str, address: &str, groups: &[&str]) -> Piece {
    let filters = groups.iter().map(|it| Key::new("group", *it)).collect();
    Piece::Plug { of, to: key(to), addresses: vec![address.into()], filters, uplink: false }
}

pub(crate) fn floating(name: &str, address: &str, on: &str, to: &str) -> Piece {
    Piece::Inlet {
        keys: vec![Key::new("floating", name)],
        noun: "floating IP",
        outer: address.into(),
        on: Some(key(on)),
        through: None,
        to: Some(key(to)),
        inner: None,
    }
}

pub(crate) fn of(sources: Vec<Source>) -> Network {
    Network::of(&sources)
}
