//! Which objects lean on which, and which of their texts are what another object was called.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use plumb_model::addr::{Addr, ConfigAddr, Mode, ModuleInstance, ModulePath};
use plumb_model::schema::Presence;
use plumb_model::state::Object;
use plumb_model::value::Type;

use super::{Blocks, Restore};
use crate::generate::literal::quoted;

/// Shorter texts than this are names only if they are an id: `true` or `10` may mean anything.
const NAME_CHARS_MIN: usize = 6;

/// Shorter ids than this are not looked for inside of other texts.
const ID_CHARS_MIN: usize = 12;

/// What leans on what.
pub(super) struct Links<'a> {
    /// By block: the managed blocks that it needs, and that are to be made.
    pub(super) needs: BTreeMap<ConfigAddr, BTreeSet<ConfigAddr>>,
    /// By block: what the objects of the block are called by, other than what they are told.
    names: BTreeMap<ConfigAddr, BTreeMap<Arc<str>, (&'a Addr, Arc<str>)>>,
    /// Blocks that are referred to from other modules, by number.
    pub(super) shared: BTreeMap<ConfigAddr, usize>,
}

pub(super) fn links<'a>(input: Restore<'a>, blocks: &Blocks<'a>) -> Links<'a> {
    let mut behind: BTreeMap<ConfigAddr, BTreeSet<ConfigAddr>> = BTreeMap::new();
    for (key, object) in &input.snapshot.objects {
        if key.addr.resource.mode == Mode::Data {
            behind.entry(key.addr.config()).or_default().extend(object.needs.iter().cloned());
        }
    }
    let mut needs = BTreeMap::new();
    for (block, objects) in blocks {
        let direct: BTreeSet<ConfigAddr> =
            objects.iter().flat_map(|it| it.1.needs.iter().cloned()).collect();
        let mut found = managed(direct, &behind, blocks);
        found.remove(block);
        needs.insert(block.clone(), found);
    }
    let mut shared: BTreeMap<ConfigAddr, usize> = BTreeMap::new();
    for (block, found) in &needs {
        for need in found.iter().filter(|it| it.module != block.module) {
            let next = shared.len();
            shared.entry(need.clone()).or_insert(next);
        }
    }
    let names = blocks.iter().map(|(block, objects)| (block.clone(), names(input, objects)));
    let names = names.collect();
    Links { needs, names, shared }
}

/// The managed blocks among what is needed; what a data source in between needs is needed.
fn managed(
    direct: BTreeSet<ConfigAddr>,
    behind: &BTreeMap<ConfigAddr, BTreeSet<ConfigAddr>>,
    blocks: &Blocks<'_>,
) -> BTreeSet<ConfigAddr> {
    let mut found = BTreeSet::new();
    let mut seen = direct.clone();
    let mut queue: Vec<ConfigAddr> = direct.into_iter().collect();
    while let Some(need) = queue.pop() {
        match need.resource.mode {
            Mode::Managed if blocks.contains_key(&need) => {
                found.insert(need);
            }
            Mode::Managed => {}
            Mode::Data => {
                let more = behind.get(&need).into_iter().flatten();
                queue.extend(more.filter(|it| seen.insert((*it).clone())).cloned());
            }
        }
    }
    found
}

/// What each object of a block is called by the remote system. A name that is also told to it is
/// none: it stays the same when the object is made anew.
fn names<'a>(
    input: Restore<'_>,
    objects: &[(&'a Addr, &'a Object)],
) -> BTreeMap<Arc<str>, (&'a Addr, Arc<str>)> {
    let mut res: BTreeMap<Arc<str>, (&'a Addr, Arc<str>)> = BTreeMap::new();
    for &(addr, object) in objects {
        let source = &object.provider.source;
        let Some(schema) = input.schemas.resource(source, Mode::Managed, &addr.resource.kind)
        else {
            continue;
        };
        let text = |name: &str| object.attrs.get_attr(name).and_then(|it| it.as_str());
        let attributes = || schema.block.attributes().iter().filter(|it| it.1.ty == Type::String);
        let is_name =
            |name: &str, it: Presence| it == Presence::Computed || it.is_computed() && name == "id";
        let told: BTreeSet<&str> = attributes()
            .filter(|(name, it)| !is_name(name, it.presence))
            .filter_map(|(name, _)| text(name))
            .collect();
        // The id last, so that it wins.
        let mut candidates: Vec<&Arc<str>> =
            attributes().filter(|(name, it)| is_name(name, it.presence)).map(|it| it.0).collect();
        candidates.sort_by_key(|name| &***name == "id");
        for name in candidates {
            let Some(it) = text(name).filter(|it| !told.contains(it)) else { continue };
            let long_enough =
                &**name == "id" && !it.is_empty() || it.chars().count() >= NAME_CHARS_MIN;
            if long_enough {
                res.insert(it.into(), (addr, name.clone()));
            }
        }
    }
    res
}

impl Links<'_> {
    /// The expression for a text in an instance of a module, if it names what the block needs, or
    /// has its id in it.
    pub(super) fn expression(
        &self,
        from: &ModuleInstance,
        needs: &BTreeSet<ConfigAddr>,
        text: &str,
    ) -> Option<String> {
        let named = |it: &ConfigAddr| self.names.get(it).and_then(|it| it.get(text));
        if let Some((addr, attribute)) = needs.iter().find_map(named) {
            return Some(format!("{}.{attribute}", self.object(from, addr)?));
        }
        let ids = needs.iter().filter_map(|it| self.names.get(it)).flatten().filter(|(id, it)| {
            &*it.1 == "id" && id.chars().count() >= ID_CHARS_MIN && text.contains(&***id)
        });
        let mut inside: Vec<(&str, String)> =
            ids.filter_map(|(id, it)| Some((&**id, self.object(from, it.0)?))).collect();
        if inside.is_empty() {
            return None;
        }
        // A longer one may have a shorter one in it.
        inside.sort_by_key(|it| std::cmp::Reverse(it.0.len()));
        Some(format!("\"{}\"", template(text, &inside)))
    }

    /// The expression for an object.
    fn object(&self, from: &ModuleInstance, addr: &Addr) -> Option<String> {
        let key = addr.key.as_ref().map(ToString::to_string).unwrap_or_default();
        if addr.module.path() == from.path() {
            // Instances of a module do not see each other.
            return (addr.module == *from).then(|| format!("{}{key}", addr.resource));
        }
        let keys = addr.module.0.iter().filter_map(|it| it.key.as_ref()).map(ToString::to_string);
        let whole = self.whole(&from.path(), &addr.config())?;
        Some(format!("{whole}{}{key}", keys.collect::<String>()))
    }

    /// What a block is called in another module.
    pub(super) fn whole(&self, from: &ModulePath, block: &ConfigAddr) -> Option<String> {
        let number = self.shared.get(block)?;
        Some(format!("{}.o{number}", if from.is_root() { "local" } else { "var" }))
    }

    /// `depends_on` of a block.
    pub(super) fn depends_on(&self, block: &ConfigAddr) -> Vec<String> {
        let needs = self.needs.get(block).into_iter().flatten();
        let name = |it: &ConfigAddr| match it.module == block.module {
            true => Some(it.resource.to_string()),
            false => self.whole(&block.module, it),
        };
        needs.filter_map(name).collect()
    }
}

/// The inside of a quoted template that is `text`, with references in place of ids.
fn template(text: &str, ids: &[(&str, String)]) -> String {
    let Some(((id, object), shorter)) = ids.split_first() else {
        let quoted = quoted(text);
        return quoted[1..quoted.len() - 1].to_owned();
    };
    let parts: Vec<String> = text.split(id).map(|part| template(part, shorter)).collect();
    parts.join(&format!("${{{object}.id}}"))
}
