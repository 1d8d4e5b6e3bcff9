//! One network namespace: its file, its sockets, what was made in it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use netlink_packet_route::RouteNetlinkMessage;
use nix::sched::CloneFlags;

use super::ears::{Ears, Heard, Known};
use super::nft::{self, Told};
use super::route;
use super::shape;
use super::socket::{Netlink, Refused};
use crate::want::{Chain, Namespace, Rule, Shape, Table};

/// The table's name in a namespace of the cloud's.
const TABLE: &str = "plumb";

/// The index of the loopback link.
pub(super) const LOOPBACK: u32 = 1;

/// A rule that is not ours.
const FOREIGN: &str = "?";

pub(super) struct Space {
    pub(super) file: File,
    pub(super) route: Netlink,
    filter: Netlink,
    /// Listens from the first look on: whatever happens in any namespace takes the longer the more there are
    /// that listen.
    changes: Option<Netlink>,
    /// Hear what happens, while somebody follows.
    pub(super) ears: Option<Ears>,
    /// What was expected when it was last found to be so, and the ends of cables: it still is, as long as no
    /// change is heard of.
    settled: Option<(Namespace, Vec<SeenEnd>)>,
    /// Indices of the links that are there, up or down.
    pub(super) links: BTreeMap<String, u32>,
    /// The table that was made.
    made: Made,
    /// Settings below `/proc/sys/net`, open: to look one up takes the longer the more namespaces there are.
    settings: BTreeMap<String, File>,
    /// The name of our table.
    table: String,
    /// Whether much in it is not ours: the machine's own.
    shared: bool,
}

#[derive(Default)]
struct Made {
    table: Table,
    /// As long as the namespace's is this, nothing was changed since.
    generation: Option<u32>,
}

/// A table as the kernel tells it: chains by name, and rules.
type Account = (BTreeMap<String, Vec<u8>>, Vec<Told>);

/// Name, index, and index of the other end.
pub(super) type SeenEnd = (String, u32, Option<u32>);

/// What is there, and the ends of cables, up or down.
pub(super) type Observed = (Namespace, Vec<SeenEnd>);

impl Space {
    /// A new one. A thread of its own enters it, so that the process stays where it is.
    pub(super) fn new(sysctls: &BTreeMap<String, String>) -> io::Result<Space> {
        let make = || -> io::Result<Space> {
            nix::sched::unshare(CloneFlags::CLONE_NEWNET)?;
            let file = File::open("/proc/thread-self/ns/net")?;
            let settings = open_here(sysctls.keys())?;
            let mut space = Space {
                file,
                route: Netlink::new(netlink_sys::protocols::NETLINK_ROUTE)?,
                filter: Netlink::new(netlink_sys::protocols::NETLINK_NETFILTER)?,
                changes: None,
                ears: None,
                settled: None,
                links: BTreeMap::new(),
                made: Made::default(),
                settings,
                table: TABLE.to_owned(),
                shared: false,
            };
            space.made.generation = space.generation();
            space.write_sysctls(sysctls).map_err(|it| it.source)?;
            space.route.change(vec![route::link_up("lo", LOOPBACK)]).map_err(|it| it.source)?;
            Ok(space)
        };
        on_a_thread(make)
    }

    /// The one that the process is in: the machine's. What is not ours there is left alone.
    pub(super) fn machine(table: String, sysctls: &BTreeMap<String, String>) -> io::Result<Space> {
        let space = Space {
            file: File::open("/proc/self/ns/net")?,
            route: Netlink::new(netlink_sys::protocols::NETLINK_ROUTE)?,
            filter: Netlink::new(netlink_sys::protocols::NETLINK_NETFILTER)?,
            changes: None,
            ears: None,
            settled: None,
            links: BTreeMap::new(),
            made: Made::default(),
            settings: open_here(sysctls.keys())?,
            table,
            shared: true,
        };
        space.write_sysctls(sysctls).map_err(|it| it.source)?;
        Ok(space)
    }

    /// Sets what was named when the namespace was made.
    pub(super) fn write_sysctls(&self, sysctls: &BTreeMap<String, String>) -> Result<(), Refused> {
        for (path, value) in sysctls {
            let failed = |it| Refused::new(format!("set net/{path}"), it);
            let file = self.settings.get(path);
            let file = file.ok_or_else(|| failed(io::ErrorKind::NotFound.into()))?;
            file.write_at(value.as_bytes(), 0).map_err(failed)?;
        }
        Ok(())
    }

    fn read_sysctls(&self) -> BTreeMap<String, String> {
        let read = |(path, file): (&String, &File)| {
            let mut bytes = [0; 128];
            let count = file.read_at(&mut bytes, 0).ok()?;
            let text = String::from_utf8_lossy(&bytes[..count]);
            // The kernel has tabs where we have spaces.
            let words: Vec<_> = text.split_whitespace().collect();
            Some((path.clone(), words.join(" ")))
        };
        self.settings.iter().filter_map(read).collect()
    }

    /// Replaces the whole table at once.
    pub(super) fn replace_table(&mut self, table: &Table) -> Result<(), Refused> {
        let failed = |it| Refused::new("replace the nftables table", it);
        let before = self.generation();
        self.filter.transact(&nft::replace(&self.table, table)).map_err(failed)?;
        // Somebody else's change at the same moment makes it one more: then it is looked at closer.
        let after = before.map(|it| it.wrapping_add(1)).filter(|it| self.generation() == Some(*it));
        self.made = Made { table: table.clone(), generation: after };
        Ok(())
    }

    /// Takes away tables that are not ours.
    pub(super) fn delete_tables(&self, tables: &[&str]) -> Result<(), Refused> {
        let failed =
            |it| Refused::new(format!("delete the nftables table {}", tables.join(", ")), it);
        self.filter.transact(&nft::delete(tables)).map_err(failed)
    }

    /// Listens from now on. The calling thread is left in the namespace.
    pub(super) fn listen(&mut self) -> io::Result<()> {
        if self.ears.is_none() {
            nix::sched::setns(&self.file, CloneFlags::CLONE_NEWNET)?;
            self.ears = Some(Ears::open()?);
        }
        Ok(())
    }

    /// What was heard since this was last asked.
    pub(super) fn hear(&self) -> Heard {
        let known = Known { links: &self.links, table: &self.table, shared: self.shared };
        self.ears.as_ref().map(|it| it.hear(&known)).unwrap_or_default()
    }

    /// How the kernel tells of the table as it was made: of the same one in a namespace of its own.
    fn as_made(&self) -> io::Result<Account> {
        let mut other = Space::new(&BTreeMap::new())?;
        other.table.clone_from(&self.table);
        other.replace_table(&self.made.table).map_err(|it| it.source)?;
        other.told()
    }

    /// How often tables of the namespace were changed.
    fn generation(&self) -> Option<u32> {
        nft::told_generation(&self.filter.one(&nft::generation()).ok()?)
    }

    fn told(&self) -> io::Result<Account> {
        let chains = self.filter.list(&nft::list(&self.table, nft::GET_CHAIN))?;
        let rules = self.filter.list(&nft::list(&self.table, nft::GET_RULE))?;
        Ok((
            chains.iter().filter_map(|it| nft::told_chain(&self.table, it)).collect(),
            rules.iter().filter_map(|it| nft::told_rule(&self.table, it)).collect(),
        ))
    }

    /// What is there; and the ends of cables, up or down. The calling thread is left in the namespace.
    pub(super) fn observe(&mut self, expected: &Namespace) -> Result<Observed, Refused> {
        let quiet = match &self.changes {
            Some(changes) => changes.quiet(),
            None => {
                let enter = nix::sched::setns(&self.file, CloneFlags::CLONE_NEWNET);
                // Without it every look is a whole one.
                self.changes = enter.ok().and_then(|()| Netlink::listener().ok());
                false
            }
        };
        let (mut seen, ends) = match self.settled.take() {
            Some((was, ends)) if quiet && same_links_and_routes(&was, expected) => (was, ends),
            _ => self.links_and_routes(expected)?,
        };
        // Nobody tells of changed shapes.
        let shaped = expected.links.values().any(|it| it.shape != Shape::default());
        if !shaped && same_links_and_routes(&seen, expected) {
            let (links, routes) = (seen.links.clone(), seen.routes.clone());
            let loopback = seen.loopback.clone();
            let so = Namespace { links, routes, loopback, ..Namespace::default() };
            self.settled = Some((so, ends.clone()));
        }
        (seen.table, seen.tables) =
            self.tables_now().map_err(|it| Refused::new("read what is there", it))?;
        seen.sysctls = self.read_sysctls();
        Ok((seen, ends))
    }

    /// Our table, in our terms, and what others there are.
    fn tables_now(&mut self) -> io::Result<(Table, BTreeSet<String>)> {
        let generation = self.generation();
        if generation.is_some() && generation == self.made.generation {
            return Ok((self.made.table.clone(), BTreeSet::new()));
        }
        let others = if self.shared { BTreeSet::new() } else { self.other_tables()? };
        let (is, was) = (self.told()?, self.as_made()?);
        if is != was {
            return Ok((recognize(&self.made.table, &was, &is), others));
        }
        if others.is_empty() {
            self.made.generation = generation;
        }
        Ok((self.made.table.clone(), others))
    }

    fn other_tables(&self) -> io::Result<BTreeSet<String>> {
        let ours = format!("inet {}", self.table);
        let all = self.filter.list(&nft::list_tables())?;
        Ok(all.iter().filter_map(|it| nft::told_table(it)).filter(|it| *it != ours).collect())
    }

    fn links_and_routes(&mut self, expected: &Namespace) -> Result<Observed, Refused> {
        let failed = |it| Refused::new("read what is there", it);
        let mut seen = Namespace::default();
        let mut ends = Vec::new();
        let links = self.route.list_routes(&route::list_links()).map_err(failed)?;
        let links: Vec<_> = links
            .into_iter()
            .filter_map(|it| match it {
                RouteNetlinkMessage::NewLink(link) => Some(route::seen_link(link)),
                _ => None,
            })
            .filter(|it| !it.loopback && (!self.shared || expected.links.contains_key(&it.name)))
            .collect();
        self.links = links.iter().map(|it| (it.name.clone(), it.index)).collect();
        let name_of: BTreeMap<u32, String> =
            links.iter().map(|it| (it.index, it.name.clone())).collect();
        for it in links {
            ends.push((it.name.clone(), it.index, it.peer));
            let mut link = it.link;
            link.master = it.master.and_then(|it| name_of.get(&it).cloned());
            if expected.links.get(&it.name).is_some_and(|it| it.mac.is_none()) {
                link.mac = None;
            }
            if it.up || !expected.links.contains_key(&it.name) {
                seen.links.insert(it.name, link);
            }
        }
        for message in self.route.list_routes(&route::list_addresses()).map_err(failed)? {
            let RouteNetlinkMessage::NewAddress(message) = message else { continue };
            let Some((index, address)) = route::seen_address(&message) else { continue };
            if index == LOOPBACK && !self.shared && !address.address.is_loopback() {
                seen.loopback.insert(address);
            }
            let link = name_of.get(&index).and_then(|it| seen.links.get_mut(it));
            if let Some(link) = link {
                link.addresses.insert(address);
            }
        }
        if expected.links.values().any(|it| it.shape != Shape::default()) {
            for answer in self.route.list(&shape::list()).map_err(failed)? {
                let Some((index, shape)) = shape::told(&answer) else { continue };
                if let Some(link) = name_of.get(&index).and_then(|it| seen.links.get_mut(it)) {
                    link.shape = shape;
                }
            }
        }
        for message in self.route.list_routes(&route::list_routes()).map_err(failed)? {
            let RouteNetlinkMessage::NewRoute(message) = message else { continue };
            seen.routes.extend(route::seen_route(&message).filter(|_| !self.shared));
        }
        Ok((seen, ends))
    }
}

fn same_links_and_routes(one: &Namespace, other: &Namespace) -> bool {
    (&one.links, &one.routes, &one.loopback) == (&other.links, &other.routes, &other.loopback)
}

/// The table that the kernel tells of, in our terms: what is told as it was when it was made is that.
fn recognize(
    made: &Table,
    (chains_were, rules_were): &Account,
    (chains, rules): &Account,
) -> Table {
    let mut table = Table::default();
    for chain in &made.chains {
        if !chains.contains_key(&chain.name) {
            continue;
        }
        let ours: Vec<&Told> = rules_were.iter().filter(|it| it.chain == chain.name).collect();
        let recognized = |told: &Told| {
            let at = ours.iter().position(|it| *it == told);
            at.and_then(|at| chain.rules.get(at)).cloned().unwrap_or_else(foreign)
        };
        let there = rules.iter().filter(|it| it.chain == chain.name);
        let same_hook = chains.get(&chain.name) == chains_were.get(&chain.name);
        table.chains.push(Chain {
            name: chain.name.clone(),
            hook: chain.hook.filter(|_| same_hook),
            rules: there.map(recognized).collect(),
        });
    }
    let known: BTreeSet<&str> = made.chains.iter().map(|it| it.name.as_str()).collect();
    for name in chains.keys().filter(|it| !known.contains(it.as_str())) {
        table.chains.push(Chain { name: name.clone(), hook: None, rules: vec![foreign()] });
    }
    table
}

fn foreign() -> Rule {
    Rule { owner: FOREIGN.to_owned(), matches: Vec::new(), verdict: crate::want::Verdict::Accept }
}

/// Opens settings of the calling thread's namespace.
fn open_here<'a>(paths: impl Iterator<Item = &'a String>) -> io::Result<BTreeMap<String, File>> {
    let mut all = BTreeMap::new();
    for path in paths {
        let at = Path::new("/proc/sys/net").join(path);
        let file = File::options().read(true).write(true).open(&at);
        let named = |it: io::Error| io::Error::new(it.kind(), format!("{}: {it}", at.display()));
        all.insert(path.clone(), file.map_err(named)?);
    }
    Ok(all)
}

/// Namespaces of the network belong to threads.
fn on_a_thread<T: Send>(work: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new().name("namespace".to_owned());
        let result = thread.spawn_scoped(scope, work)?.join();
        result.unwrap_or_else(|_| Err(io::Error::other("a thread ended early")))
    })
}
