//! The registry: which objects there are, what they were given, who refers to whom. Pure; what they
//! need in the kernel is worked out by `render`.

mod addresses;
mod check;
mod refers;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::Ipv4Addr;

use crate::spec::{Interface, Kind, Port, Spec};
use crate::want::NsName;
use crate::wire::Refusal;

pub(crate) use addresses::{gateway, mac};
pub(crate) use check::said;
pub(crate) use refers::references;

/// Kind and name.
pub type Key = (Kind, String);

/// What there is.
#[derive(Clone, Debug, Default)]
pub struct Cloud {
    objects: BTreeMap<Key, Entry>,
    /// Who refers to an object, whether it exists or not.
    users: BTreeMap<Key, BTreeSet<Key>>,
    /// Which call made which object.
    tokens: BTreeMap<String, Key>,
    /// The next object's number.
    next: u32,
}

/// An object.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// As its owner wants it.
    pub spec: Spec,
    /// Distinguishes it in names of links, which are short.
    pub number: u32,
    /// The call that made it.
    pub token: String,
    /// Its address, given or chosen: see [`crate::wire::Given::address`].
    pub address: Option<Ipv4Addr>,
    /// Of a port.
    pub mac: Option<String>,
    /// The host whose own it is, of a port.
    pub owner: Option<String>,
}

impl Cloud {
    /// Whether there is nothing, besides objects of one kind.
    pub fn is_empty_but_for(&self, kind: Kind) -> bool {
        self.objects.keys().all(|it| it.0 == kind)
    }

    /// One object.
    pub fn get(&self, kind: Kind, name: &str) -> Option<&Entry> {
        self.objects.get(&(kind, name.to_owned()))
    }

    /// The object that a call made.
    pub fn made_by(&self, token: &str) -> Option<&Key> {
        self.tokens.get(token)
    }

    /// All of a kind, without hosts' own ports.
    pub fn names(&self, kind: Kind) -> Vec<String> {
        self.of(kind)
            .filter(|(_, it)| it.owner.is_none())
            .map(|(name, _)| name.to_owned())
            .collect()
    }

    /// All of a kind.
    pub(crate) fn of(&self, kind: Kind) -> impl Iterator<Item = (&str, &Entry)> {
        self.objects
            .range((kind, String::new())..)
            .take_while(move |((it, _), _)| *it == kind)
            .map(|((_, name), entry)| (name.as_str(), entry))
    }

    /// Who refers to an object.
    pub(crate) fn users(&self, kind: Kind, name: &str) -> impl Iterator<Item = &Key> {
        self.users.get(&(kind, name.to_owned())).into_iter().flatten()
    }

    /// Who of a kind refers to an object.
    pub(crate) fn users_of(
        &self,
        kind: Kind,
        name: &str,
        user: Kind,
    ) -> impl Iterator<Item = &Entry> {
        self.users(kind, name).filter(move |it| it.0 == user).filter_map(|it| self.objects.get(it))
    }

    /// Makes an object, or makes it otherwise. Gives the namespaces that this concerns. A refusal
    /// changes nothing.
    pub fn put(&mut self, token: Option<&str>, spec: Spec) -> Result<BTreeSet<NsName>, Refusal> {
        let key = (spec.kind(), spec.name().to_owned());
        let mut concerned = self.concerns(&key);
        let before = self.take(&key);
        if let Err(refusal) = self.insert(token, &key, spec.clone(), &before) {
            for part in own_ports(&spec) {
                self.take(&(Kind::Port, part.name.clone()));
            }
            before.into_iter().for_each(|(key, entry)| self.place(key, entry));
            return Err(refusal);
        }
        concerned.extend(self.concerns(&key));
        Ok(concerned)
    }

    /// Takes an object away, if it is there. Gives the namespaces that this concerns. Refused while
    /// another hangs on it.
    pub fn remove(&mut self, kind: Kind, name: &str) -> Result<BTreeSet<NsName>, Refusal> {
        let key = (kind, name.to_owned());
        if !self.objects.contains_key(&key) {
            return Ok(BTreeSet::new());
        }
        check::unused(self, &key)?;
        let concerned = self.concerns(&key);
        self.take(&key);
        Ok(concerned)
    }

    fn insert(
        &mut self,
        token: Option<&str>,
        key: &Key,
        spec: Spec,
        before: &BTreeMap<Key, Entry>,
    ) -> Result<(), Refusal> {
        check::spec(self, &spec)?;
        for port in own_ports(&spec) {
            let key = (Kind::Port, port.name.clone());
            let spec = Spec::Port(port.clone());
            check::spec(self, &spec)?;
            let mut entry = self.entry(spec, before.get(&key))?;
            entry.owner = Some(key.1.rsplit_once('/').map_or("", |it| it.0).to_owned());
            self.place(key, entry);
        }
        let mut entry = self.entry(spec, before.get(key))?;
        if let Some(token) = token {
            entry.token = token.to_owned();
        }
        self.place(key.clone(), entry);
        addresses::move_along(self, key)
    }

    /// A new entry; what it was given before it keeps where it may.
    fn entry(&mut self, spec: Spec, before: Option<&Entry>) -> Result<Entry, Refusal> {
        let address = addresses::of(self, &spec, before.and_then(|it| it.address))?;
        let mac = match &spec {
            Spec::Port(port) => Some(addresses::mac(port)),
            _ => None,
        };
        let number = before.map_or(self.next, |it| it.number);
        self.next = self.next.max(number + 1);
        let token = before.map_or(String::new(), |it| it.token.clone());
        Ok(Entry { spec, number, token, address, mac, owner: None })
    }

    fn place(&mut self, key: Key, entry: Entry) {
        for (to, _) in references(&entry.spec) {
            self.users.entry(to).or_default().insert(key.clone());
        }
        if !entry.token.is_empty() {
            self.tokens.insert(entry.token.clone(), key.clone());
        }
        self.objects.insert(key, entry);
    }

    /// Takes out an object, and with a host its own ports.
    fn take(&mut self, key: &Key) -> BTreeMap<Key, Entry> {
        let Some(entry) = self.objects.remove(key) else { return BTreeMap::new() };
        for (to, _) in references(&entry.spec) {
            if let Some(users) = self.users.get_mut(&to) {
                users.remove(key);
                if users.is_empty() {
                    self.users.remove(&to);
                }
            }
        }
        self.tokens.remove(&entry.token);
        let mut taken = BTreeMap::new();
        for port in own_ports(&entry.spec) {
            taken.extend(self.take(&(Kind::Port, port.name.clone())));
        }
        taken.insert(key.clone(), entry);
        taken
    }
}

/// The ports that come and go with a host.
pub(crate) fn own_ports(spec: &Spec) -> impl Iterator<Item = &Port> {
    let interfaces = match spec {
        Spec::Host(host) => host.interfaces.as_slice(),
        _ => &[],
    };
    interfaces.iter().filter_map(|it| match it {
        Interface::Own(port) => Some(port),
        Interface::Port(_) => None,
    })
}
