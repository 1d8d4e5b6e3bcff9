//! What is heard of one network namespace: sockets that the kernel tells of changes, of whoever's.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::Ipv4Addr;
use std::os::fd::{AsFd as _, BorrowedFd};

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};

use super::attributes::{attribute, text};
use super::nft;
use super::socket::Netlink;

/// `RTNLGRP_LINK`, `RTNLGRP_TC`, `RTNLGRP_IPV4_IFADDR`, `RTNLGRP_IPV4_ROUTE` and
/// `RTNLGRP_IPV4_NETCONF`: links, shapes, addresses, routes, and whether it forwards.
const ROUTE_GROUPS: u32 = 1 | 1 << 3 | 1 << 4 | 1 << 6 | 1 << 23;
/// `NFNLGRP_NFTABLES`.
const FILTER_GROUPS: u32 = 1 << 6;

const NEW_LINK: u16 = 16;
const DELETE_LINK: u16 = 17;
const NEW_ADDRESS: u16 = 20;
const DELETE_ADDRESS: u16 = 21;
const NEW_ROUTE: u16 = 24;
const DELETE_ROUTE: u16 = 25;
const NEW_SHAPE: u16 = 36;
const DELETE_SHAPE: u16 = 37;
const NEW_SETTING: u16 = 80;

/// `NETCONFA_IFINDEX`, and the index that means the whole namespace.
const SETTING_LINK: u16 = 1;
const EVERY_LINK: i32 = -1;

/// Sockets in a namespace.
pub(super) struct Ears {
    route: Netlink,
    filter: Netlink,
}

/// What may be otherwise in a namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Heard {
    /// Links, by name, with whatever they have.
    pub(crate) links: BTreeSet<String>,
    /// Addresses that came or went, with the names of their links.
    pub(crate) addresses: BTreeSet<(String, Ipv4Addr)>,
    /// Tables of nftables.
    pub(crate) filter: bool,
    /// What belongs to no link of ours: routes, settings, links that are not known.
    pub(crate) rest: bool,
    /// Anything: more happened than could be heard.
    pub(crate) all: bool,
}

/// How a namespace is told apart from what else is in it.
pub(super) struct Known<'a> {
    /// Indices of links, by name.
    pub(super) links: &'a BTreeMap<String, u32>,
    /// The name of our table.
    pub(super) table: &'a str,
    /// Whether much in it is not ours, and does not matter.
    pub(super) shared: bool,
}

impl Ears {
    /// In the calling thread's namespace.
    pub(super) fn open() -> io::Result<Ears> {
        Ok(Ears {
            route: Netlink::ear(NETLINK_ROUTE, ROUTE_GROUPS)?,
            filter: Netlink::ear(NETLINK_NETFILTER, FILTER_GROUPS)?,
        })
    }

    pub(super) fn files(&self) -> [BorrowedFd<'_>; 2] {
        [self.route.as_fd(), self.filter.as_fd()]
    }

    /// What was heard since this was last asked.
    pub(super) fn hear(&self, known: &Known<'_>) -> Heard {
        let mut heard = Heard::default();
        let route = self.route.heard(|kind, payload| heard.route(kind, payload, known));
        let filter = self.filter.heard(|kind, payload| {
            let table = nft::changed_table(kind, payload);
            heard.filter |= table.is_some_and(|it| !known.shared || it == known.table);
        });
        heard.all = !(route && filter);
        heard
    }
}

impl Heard {
    fn route(&mut self, kind: u16, payload: &[u8], known: &Known<'_>) {
        // Messages of links, addresses and shapes have the link's index at the same place.
        let index =
            payload.get(4..).and_then(|it| it.first_chunk()).map(|it| u32::from_ne_bytes(*it));
        let named = known.links.iter().find(|it| Some(*it.1) == index).map(|it| it.0.clone());
        match kind {
            NEW_LINK | DELETE_LINK => {
                let called = payload.get(16..).and_then(|it| attribute(it, 3)).map(text);
                let called = called.filter(|it| known.links.contains_key(it));
                self.rest |= !known.shared && named.is_none() && called.is_none();
                self.links.extend(named.into_iter().chain(called));
            }
            NEW_ADDRESS | DELETE_ADDRESS => {
                let local = payload.get(8..).and_then(|it| attribute(it, 2));
                let local = local.and_then(|it| Some(Ipv4Addr::from(*it.first_chunk::<4>()?)));
                self.rest |= !known.shared && named.is_none();
                self.addresses.extend(named.clone().zip(local));
                self.links.extend(named);
            }
            NEW_SHAPE | DELETE_SHAPE => self.links.extend(named),
            NEW_ROUTE | DELETE_ROUTE => self.rest |= !known.shared,
            NEW_SETTING => {
                let of = payload.get(4..).and_then(|it| attribute(it, SETTING_LINK));
                let of = of.and_then(|it| Some(i32::from_ne_bytes(*it.first_chunk()?)));
                self.rest |= of == Some(EVERY_LINK);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::attributes::Attributes;
    use super::*;

    fn links() -> BTreeMap<String, u32> {
        BTreeMap::from([("ext".to_owned(), 7), ("int2".to_owned(), 9)])
    }

    fn link(index: u32, name: &str) -> Vec<u8> {
        let mut attributes = Attributes::default();
        attributes.text(3, name);
        [vec![0; 4], index.to_ne_bytes().to_vec(), vec![0; 8], attributes.0].concat()
    }

    fn address(index: u32, local: [u8; 4]) -> Vec<u8> {
        let mut attributes = Attributes::default();
        attributes.bytes(2, &local);
        [vec![2, 32, 0, 0], index.to_ne_bytes().to_vec(), attributes.0].concat()
    }

    fn setting(of: i32) -> Vec<u8> {
        let mut attributes = Attributes::default();
        attributes.bytes(SETTING_LINK, &of.to_ne_bytes());
        [vec![2, 0, 0, 0], attributes.0].concat()
    }

    fn heard(shared: bool, kind: u16, payload: &[u8]) -> Heard {
        let mut heard = Heard::default();
        let links = links();
        heard.route(kind, payload, &Known { links: &links, table: "plumb", shared });
        heard
    }

    #[test]
    fn a_change_is_that_of_its_link() {
        let of = |it: Heard| (it.links.into_iter().collect::<Vec<_>>(), it.rest);
        let ext = || vec!["ext".to_owned()];
        assert_eq!(of(heard(false, DELETE_LINK, &link(7, "ext"))), (ext(), false));
        // It is called otherwise now, or is another one of that name.
        assert_eq!(of(heard(false, NEW_LINK, &link(7, "other"))), (ext(), false));
        assert_eq!(of(heard(false, NEW_LINK, &link(8, "ext"))), (ext(), false));
        assert_eq!(of(heard(false, NEW_SHAPE, &link(7, ""))), (ext(), false));
        assert_eq!(of(heard(false, NEW_LINK, &link(8, "evil"))), (vec![], true));
        assert_eq!(of(heard(false, NEW_ROUTE, &[0; 12])), (vec![], true));
        let gone = heard(false, DELETE_ADDRESS, &address(9, [10, 0, 0, 1]));
        let of = BTreeSet::from([("int2".to_owned(), Ipv4Addr::new(10, 0, 0, 1))]);
        assert_eq!((gone.addresses, gone.rest), (of, false));
        assert!(heard(false, NEW_SETTING, &setting(EVERY_LINK)).rest);
        assert!(!heard(false, NEW_SETTING, &setting(9)).rest);
    }

    #[test]
    fn what_others_do_on_the_machine_is_nothing() {
        for (kind, payload) in [
            (NEW_LINK, link(8, "eth0")),
            (NEW_ADDRESS, address(8, [10, 0, 0, 1])),
            (NEW_ROUTE, vec![0; 12]),
            (NEW_SETTING, setting(8)),
        ] {
            assert_eq!(heard(true, kind, &payload), Heard::default());
        }
        assert_eq!(heard(true, NEW_LINK, &link(7, "ext")).links.len(), 1);
    }

    #[test]
    fn broken_messages_are_nothing_of_ours() {
        for kind in [NEW_LINK, DELETE_ADDRESS, NEW_SHAPE, NEW_SETTING, 0xffff] {
            for length in 0..20 {
                let heard = heard(true, kind, &vec![0xff; length]);
                assert_eq!(heard, Heard::default());
            }
        }
    }
}
