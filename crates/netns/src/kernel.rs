//! Makes facts so in the kernel, by netlink alone, and reads them back.

mod attributes;
mod ears;
mod nft;
mod route;
mod shape;
mod socket;
mod space;

use std::collections::{BTreeMap, BTreeSet};
use std::os::fd::{AsFd as _, BorrowedFd};

use crate::want::{Cable, End, Link, MACHINE, Namespace, NsName, Table, Want};
pub(crate) use ears::Heard;
use socket::Refused;
use space::{LOOPBACK, Observed, Space};

/// The namespaces of a cloud.
pub struct Kernel {
    spaces: BTreeMap<NsName, Space>,
    /// Links whose other ends were in namespaces that we let go of: the kernel takes them away when it comes
    /// to it, which is much faster than to wait for each.
    dying: BTreeSet<End>,
    /// Whether somebody follows what happens.
    followed: bool,
    /// The next link's index: the same index twice would be refused only in one namespace.
    next: u32,
}

/// The kernel said no.
#[derive(Debug, thiserror::Error)]
pub enum KernelError {
    /// To a new namespace.
    #[error("cannot make the network namespace {}", name.0)]
    Namespace {
        /// Which.
        name: NsName,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// To a change in one.
    #[error("cannot {what} in network namespace {}", name.0)]
    Change {
        /// Which.
        name: NsName,
        /// What was to be done.
        what: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// So few namespaces are not worth a thread.
const SHARE_MIN: usize = 32;

impl Kernel {
    /// Without a namespace yet.
    #[expect(clippy::new_without_default, reason = "a kernel is no value that is empty by default")]
    pub fn new() -> Kernel {
        // In the machine's own namespace there may be links of other clouds.
        let next = 1000 + std::process::id() % 20_000 * 100_000;
        Kernel { spaces: BTreeMap::new(), dying: BTreeSet::new(), followed: false, next }
    }

    /// A namespace, to enter it.
    pub fn namespace(&self, name: &NsName) -> Option<BorrowedFd<'_>> {
        self.spaces.get(name).map(|it| it.file.as_fd())
    }

    /// Changes what is there, `present`, so that it is as `wanted`. Both speak of the same part of the
    /// cloud: of some namespaces and the cables between them. What is in neither stays as it is.
    ///
    /// # Errors
    /// What the kernel refuses. What was done before that stays.
    pub fn reach(&mut self, present: &Want, wanted: &Want) -> Result<(), KernelError> {
        let goes = |name: &NsName| {
            let ours = !name.0.starts_with(MACHINE);
            ours && present.namespaces.contains_key(name) && !wanted.namespaces.contains_key(name)
        };
        for cable in present.cables.difference(&wanted.cables) {
            let machine = cable.b.namespace.0.starts_with(MACHINE);
            match (goes(&cable.a.namespace), goes(&cable.b.namespace)) {
                // Nothing is left lying about on the machine itself.
                _ if machine => self.disconnect(cable)?,
                (false, false) => self.disconnect(cable)?,
                (true, true) => {}
                (true, false) => self.leave(&cable.b),
                (false, true) => self.leave(&cable.a),
            }
        }
        for name in present.namespaces.keys() {
            if !wanted.namespaces.contains_key(name)
                && let Some(mut space) = self.spaces.remove(name)
                && name.0.starts_with(MACHINE)
            {
                // It outlives us.
                space.replace_table(&Table::default()).map_err(|it| changing(name, it))?;
            }
        }
        let none = Namespace::default();
        for (name, namespace) in &wanted.namespaces {
            if !self.spaces.contains_key(name) {
                let made = match name.0.strip_prefix(MACHINE) {
                    Some(table) => Space::machine(table.to_owned(), &namespace.sysctls),
                    None => Space::new(&namespace.sysctls),
                };
                let space =
                    made.map_err(|source| KernelError::Namespace { name: name.clone(), source })?;
                self.spaces.insert(name.clone(), space);
            }
        }
        if self.followed && self.listen().is_err() {
            // Nothing else fails by that: who follows is told by being left.
            self.deafen();
        }
        for (name, namespace) in &wanted.namespaces {
            let before = present.namespaces.get(name).unwrap_or(&none);
            self.links(name, before, namespace)?;
        }
        for cable in wanted.cables.difference(&present.cables) {
            self.connect(cable)?;
        }
        for (name, namespace) in &wanted.namespaces {
            let before = present.namespaces.get(name).unwrap_or(&none);
            self.settings(name, before, namespace)?;
        }
        Ok(())
    }

    /// What is there of the namespaces that `expected` has. A link that is down is not there.
    ///
    /// # Errors
    /// If the kernel cannot be asked.
    pub fn observe(&mut self, expected: &Want) -> Result<Want, KernelError> {
        let mut want = Want::default();
        let mut peers: BTreeMap<End, (u32, Option<u32>)> = BTreeMap::new();
        for (name, seen) in look(&mut self.spaces, expected) {
            let (mut seen, links) = seen.map_err(|it| changing(name, it))?;
            let in_it = |it: &End| it.namespace == *name;
            self.dying.retain(|it| !in_it(it) || links.iter().any(|(link, ..)| *link == it.link));
            for (link, index, peer) in links {
                peers.insert(End { namespace: name.clone(), link }, (index, peer));
            }
            for it in self.dying.iter().filter(|it| in_it(it)) {
                seen.links.remove(&it.link);
            }
            want.namespaces.insert(name.clone(), seen);
        }
        let connected = |it: &&Cable| match (peers.get(&it.a), peers.get(&it.b)) {
            (Some(a), Some(b)) => a.1 == Some(b.0) && b.1 == Some(a.0),
            _ => false,
        };
        want.cables = expected.cables.iter().filter(connected).cloned().collect();
        Ok(want)
    }

    /// Hears what happens from now on.
    ///
    /// # Errors
    /// If it cannot in a namespace; then it does in none.
    pub(crate) fn follow(&mut self) -> Result<(), KernelError> {
        self.followed = true;
        self.listen().map_err(|(name, it)| {
            self.deafen();
            changing(&name, it)
        })
    }

    /// Hears nothing any more.
    pub(crate) fn deafen(&mut self) {
        self.followed = false;
        self.spaces.values_mut().for_each(|it| it.ears = None);
    }

    /// Whether it hears what happens.
    pub(crate) fn is_followed(&self) -> bool {
        self.followed
    }

    /// In every namespace in which it does not yet.
    fn listen(&mut self) -> Result<(), (NsName, Refused)> {
        let mut deaf: Vec<_> = self.spaces.iter_mut().filter(|it| it.1.ears.is_none()).collect();
        if deaf.is_empty() {
            return Ok(());
        }
        let mut listen = || {
            deaf.iter_mut().try_for_each(|(name, space)| {
                let failed = |it| ((*name).clone(), Refused::new("listen to changes", it));
                space.listen().map_err(failed)
            })
        };
        // Never on this thread, which stays in its own namespace.
        std::thread::scope(|scope| {
            let done = scope.spawn(&mut listen).join();
            done.unwrap_or_else(|it| std::panic::resume_unwind(it))
        })
    }

    /// Files that say something when there is something for [`Kernel::hear`].
    pub(crate) fn files(&self) -> impl Iterator<Item = BorrowedFd<'_>> {
        self.spaces.values().filter_map(|it| it.ears.as_ref()).flat_map(|it| it.files())
    }

    /// What was heard since this was last asked.
    pub(crate) fn hear(&self) -> impl Iterator<Item = (&NsName, Heard)> {
        let all = self.spaces.iter().filter(|it| it.1.ears.is_some());
        all.map(|(name, space)| (name, space.hear())).filter(|it| it.1 != Heard::default())
    }

    /// A link whose other end goes with its namespace.
    fn leave(&mut self, end: &End) {
        if let Some(space) = self.spaces.get_mut(&end.namespace)
            && space.links.remove(&end.link).is_some()
        {
            self.dying.insert(end.clone());
        }
    }

    /// The ends of a pair go together.
    fn disconnect(&mut self, cable: &Cable) -> Result<(), KernelError> {
        for end in [&cable.a, &cable.b] {
            self.delete_link(&end.namespace, &end.link)?;
        }
        Ok(())
    }

    fn delete_link(&mut self, name: &NsName, link: &str) -> Result<(), KernelError> {
        let Some(space) = self.spaces.get_mut(name) else { return Ok(()) };
        // One that dies is not there any more.
        let Some(index) = space.links.remove(link) else { return Ok(()) };
        let request = route::delete_link(link, index);
        space.route.change(vec![request]).map_err(|it| changing(name, it))
    }

    fn connect(&mut self, cable: &Cable) -> Result<(), KernelError> {
        // Half of one may be left.
        self.disconnect(cable)?;
        let (a, b) = (self.next, self.next + 1);
        self.next += 2;
        let Some(other) = self.spaces.get(&cable.b.namespace) else { return Ok(()) };
        let request = route::cable((&cable.a.link, a), (&cable.b.link, b), other.file.as_fd());
        let Some(space) = self.spaces.get(&cable.a.namespace) else { return Ok(()) };
        space.route.change(vec![request]).map_err(|it| changing(&cable.a.namespace, it))?;
        for (end, index) in [(&cable.a, a), (&cable.b, b)] {
            if let Some(space) = self.spaces.get_mut(&end.namespace) {
                space.links.insert(end.link.clone(), index);
            }
        }
        Ok(())
    }

    /// Bridges, and the end of links that are not wanted.
    fn links(
        &mut self,
        name: &NsName,
        before: &Namespace,
        wanted: &Namespace,
    ) -> Result<(), KernelError> {
        let gone: Vec<&String> =
            before.links.keys().filter(|it| !wanted.links.contains_key(*it)).collect();
        for link in gone {
            self.delete_link(name, link)?;
        }
        for (link, it) in wanted.links.iter().filter(|(_, it)| it.bridge) {
            let is_other = before.links.get(link).is_some_and(|before| !before.bridge);
            if is_other {
                self.delete_link(name, link)?;
            }
            let Some(space) = self.spaces.get_mut(name) else { continue };
            if it.bridge && !space.links.contains_key(link) {
                let index = self.next;
                self.next += 1;
                let request = route::bridge(link, index);
                space.route.change(vec![request]).map_err(|it| changing(name, it))?;
                space.links.insert(link.clone(), index);
            }
        }
        Ok(())
    }

    /// Everything in a namespace whose links are there.
    fn settings(
        &mut self,
        name: &NsName,
        before: &Namespace,
        wanted: &Namespace,
    ) -> Result<(), KernelError> {
        let Some(space) = self.spaces.get_mut(name) else { return Ok(()) };
        let failed = |it| changing(name, it);
        let index = |link: &str| space.links.get(link).copied();
        let none = Link::default();
        let mut requests = Vec::new();
        // A bridge before its ports, which is up before they are.
        let bridges_first = |it: &(&String, &Link)| !it.1.bridge;
        let mut links: Vec<_> = wanted.links.iter().collect();
        links.sort_by_key(bridges_first);
        // An address and what it leads to is gone with a link that was down or made anew.
        let mut anew = BTreeSet::new();
        for (link, it) in links {
            let Some(at) = index(link) else { continue };
            let was = before.links.get(link);
            let settings = |it: &Link| (it.mac.clone(), it.mtu, it.master.clone());
            let same = was.is_some_and(|was| {
                let (mut was, now) = (settings(was), settings(it));
                // The kernel's own choice is as good as any.
                was.0 = now.0.as_ref().and(was.0);
                was == now
            });
            if !same {
                if was.is_none() {
                    requests.push(route::plain_link(link, at));
                }
                let master = it.master.as_deref().and_then(index).unwrap_or(0);
                requests.push(route::set_link(link, at, it, master));
            }
            if was.is_none() {
                anew.insert(link.clone());
            }
            let was = was.unwrap_or(&none);
            if was.shape != it.shape {
                requests.push(shape::set(link, at, &it.shape));
            }
            for address in was.addresses.difference(&it.addresses) {
                requests.push(route::delete_address(link, at, *address));
                anew.insert(link.clone());
            }
            for address in it.addresses.difference(&was.addresses) {
                requests.push(route::add_address(link, at, *address));
                anew.insert(link.clone());
            }
        }
        for it in before.routes.difference(&wanted.routes) {
            requests.push(route::delete_route(it));
        }
        for it in &wanted.routes {
            if !before.routes.contains(it) || !anew.is_empty() {
                requests.push(route::add_route(it));
            }
        }
        for it in before.loopback.difference(&wanted.loopback) {
            requests.push(route::delete_address("lo", LOOPBACK, *it));
        }
        space.route.change(requests).map_err(failed)?;
        if before.sysctls != wanted.sysctls {
            space.write_sysctls(&wanted.sysctls).map_err(failed)?;
        }
        let foreign: Vec<&str> =
            before.tables.difference(&wanted.tables).map(String::as_str).collect();
        if !foreign.is_empty() {
            space.delete_tables(&foreign).map_err(failed)?;
        }
        if before.table != wanted.table {
            space.replace_table(&wanted.table).map_err(failed)?;
        }
        Ok(())
    }
}

/// Looks into each of the expected namespaces that is there: many of them side by side.
fn look<'a>(
    spaces: &mut BTreeMap<NsName, Space>,
    expected: &'a Want,
) -> Vec<(&'a NsName, Result<Observed, Refused>)> {
    let mut all: Vec<(&NsName, &Namespace, &mut Space)> = spaces
        .iter_mut()
        .filter_map(|(name, space)| {
            let (name, namespace) = expected.namespaces.get_key_value(name)?;
            Some((name, namespace, space))
        })
        .collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let share = all.len().div_ceil(threads).max(SHARE_MIN);
    let look = |part: &mut [(&'a NsName, &Namespace, &mut Space)]| -> Vec<_> {
        part.iter_mut().map(|(name, namespace, space)| (*name, space.observe(namespace))).collect()
    };
    // Never on this thread, which stays in its own namespace.
    std::thread::scope(|scope| {
        let parts: Vec<_> =
            all.chunks_mut(share).map(|part| scope.spawn(move || look(part))).collect();
        // It panics only where this thread would have.
        let done = parts.into_iter().map(|it| it.join());
        done.flat_map(|it| it.unwrap_or_else(|it| std::panic::resume_unwind(it))).collect()
    })
}

fn changing(name: &NsName, refused: Refused) -> KernelError {
    KernelError::Change { name: name.clone(), what: refused.what, source: refused.source }
}
