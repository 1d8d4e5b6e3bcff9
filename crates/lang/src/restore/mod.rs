//! The configuration that would make the objects of an older state again.
//!
//! A state does not say why its objects are as they are, so what comes out is flat: every argument
//! is a literal, by instance, or a reference where a text is what another object was called. How
//! providers are reached is taken from the configuration as it is now. What no configuration can
//! say is refused by address, with the reason.

mod forms;
mod instances;
mod kept;
mod links;
mod modules;
mod table;

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::addr::{Addr, ConfigAddr, Mode};
use plumb_model::schema::Schemas;
use plumb_model::state::{Object, State};

use crate::Program;

/// What a way back is made from.
#[derive(Clone, Copy)]
pub struct Restore<'a> {
    /// What was.
    pub snapshot: &'a State,
    /// What is remembered now.
    pub current: &'a State,
    /// The configuration as it is now.
    pub program: &'a Program,
    /// The files of its root module: name and text.
    pub files: &'a [(Arc<str>, String)],
    /// What the providers say of themselves.
    pub schemas: &'a Schemas,
}

/// A configuration, and what is missing in it.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// Folder, relative to the root `.`; then name and text of its files.
    pub folders: BTreeMap<Arc<str>, Vec<(Arc<str>, String)>>,
    /// Objects of the snapshot that it does not make, and why.
    pub refused: BTreeMap<Addr, String>,
}

/// The objects that are to be made, by block.
pub(crate) type Blocks<'a> = BTreeMap<ConfigAddr, Vec<(&'a Addr, &'a Object)>>;

/// The configuration that makes what the snapshot has.
pub fn restore(input: Restore<'_>) -> Restored {
    let kept = kept::kept(input);
    let mut refused = BTreeMap::new();
    let mut possible: Vec<(&Addr, &Object)> = Vec::new();
    for (key, object) in &input.snapshot.objects {
        if key.deposed.is_some() || key.addr.resource.mode != Mode::Managed {
            continue;
        }
        match refusal(input, &kept, &key.addr, object) {
            Some(why) => {
                refused.insert(key.addr.clone(), why);
            }
            None => possible.push((&key.addr, object)),
        }
    }
    let forms = forms::forms(&mut possible, &mut refused);
    let mut blocks = Blocks::new();
    for (addr, object) in possible {
        blocks.entry(addr.config()).or_default().push((addr, object));
    }
    let links = links::links(input, &blocks);
    let folders = modules::write(input, &kept, &forms, &blocks, &links);
    Restored { folders, refused }
}

/// Why an object cannot be asked for.
fn refusal(input: Restore<'_>, kept: &kept::Kept, addr: &Addr, object: &Object) -> Option<String> {
    let source = &object.provider.source;
    let Some(schema) = input.schemas.resource(source, Mode::Managed, &addr.resource.kind) else {
        return Some(format!(
            "nothing here knows the type {} of {source} any more",
            addr.resource.kind
        ));
    };
    if object.schema_version > schema.version {
        return Some("a newer version of the provider made it".to_owned());
    }
    kept.name(&object.provider).err()
}
