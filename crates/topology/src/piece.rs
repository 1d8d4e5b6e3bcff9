//! What a provider says of a resource: pieces of a network, that refer to each other by keys.

use crate::network::Sign;

/// What a piece is called by others: a noun and a name or id. Equal keys of one provider
/// configuration mean the same thing; what nobody declared is drawn as a stranger.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// `network`, `port`, `host`: keeps apart what may have equal names.
    pub noun: &'static str,
    /// Name, id or address.
    pub name: String,
}

impl Key {
    /// A key.
    pub fn new(noun: &'static str, name: impl Into<String>) -> Key {
        Key { noun, name: name.into() }
    }
}

/// A piece of a network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// Something that many things are in: drawn as a lane.
    Segment {
        /// What it is called by.
        keys: Vec<Key>,
        /// What it is called on the picture.
        name: String,
        /// `network`, `bridge`, `cable`.
        noun: &'static str,
        /// Its address ranges.
        ranges: Vec<String>,
        /// Whether it is the outside, or leads there: drawn first.
        outer: bool,
    },
    /// An address range of a segment. Whoever refers to it means the segment.
    Subnet {
        /// What it is called by.
        keys: Vec<Key>,
        /// The segment.
        of: Key,
        /// The range.
        range: String,
    },
    /// Something that connects segments.
    Router {
        /// What it is called by.
        keys: Vec<Key>,
        /// Its name.
        name: String,
        /// `router`.
        noun: &'static str,
    },
    /// Something at the end: a host, a container.
    Endpoint {
        /// What it is called by.
        keys: Vec<Key>,
        /// Its name.
        name: String,
        /// `host`, `container`, `server`.
        noun: &'static str,
        /// What filters its traffic everywhere.
        filters: Vec<Key>,
    },
    /// A place in a segment that is declared by itself. Drawn as an endpoint while nobody is in it.
    Port {
        /// What it is called by.
        keys: Vec<Key>,
        /// Its name.
        name: String,
        /// The segment, or a subnet.
        on: Key,
        /// Its addresses.
        addresses: Vec<String>,
        /// What filters its traffic.
        filters: Vec<Key>,
    },
    /// A router or endpoint is in a segment.
    Plug {
        /// Which router or endpoint.
        of: Key,
        /// A segment, a subnet, or a port.
        to: Key,
        /// Its addresses there.
        addresses: Vec<String>,
        /// What filters its traffic there.
        filters: Vec<Key>,
        /// Whether it leads outside, which then is what the segment is.
        uplink: bool,
    },
    /// A way in from an outer segment: a floating IP, a forwarded or published port.
    Inlet {
        /// What it is called by.
        keys: Vec<Key>,
        /// `floating IP`, `port forward`, `published port`.
        noun: &'static str,
        /// Its address out there, with a port if that is all it is.
        outer: String,
        /// The outer segment, or another way in that this is a part of. None: where the router leads
        /// outside.
        on: Option<Key>,
        /// The router that lets it in.
        through: Option<Key>,
        /// An endpoint or a port.
        to: Option<Key>,
        /// The rest of where it leads: an inner port, or an inner address.
        inner: Option<String>,
    },
    /// Where a way in leads to, said by another resource.
    Lead {
        /// The way in.
        of: Key,
        /// An endpoint or a port.
        to: Key,
    },
    /// Something that filters traffic: a security group. Drawn as a badge.
    Filter {
        /// What it is called by.
        keys: Vec<Key>,
        /// Its name.
        name: String,
    },
}

/// A resource and its pieces, before and after.
#[derive(Clone, Debug)]
pub struct Source {
    /// The address of the resource.
    pub address: String,
    /// The block that it is an instance of: equal instances are drawn as a stack.
    pub block: String,
    /// The provider configuration: keys of two of them never mean the same.
    pub scope: String,
    /// What becomes of the resource.
    pub sign: Sign,
    /// Whether it is only looked up.
    pub given: bool,
    /// What it is now.
    pub before: Vec<Piece>,
    /// What it will be.
    pub after: Vec<Piece>,
}
