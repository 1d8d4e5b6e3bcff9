//! Files whose blocks change blocks of other files.
//!
//! The trees are merged before anything is decoded: an argument takes the place of the one of the
//! same name, nested blocks take the place of all of their type. Spans stay, so diagnostics point
//! at the file that said it.

use plumb_diag::{Diagnostic, Diagnostics};

use crate::syntax::{Attribute, Block, Body, ExprKind, Item};

/// Merges `body`, of an override file, into `items`, of all files before it.
pub(super) fn merge(items: &mut Vec<Item>, body: Body, out: &mut Diagnostics) {
    for item in body.items {
        match item {
            Item::Block(block) => merge_block(items, block, out),
            attribute @ Item::Attribute(_) => items.push(attribute),
        }
    }
}

fn merge_block(items: &mut Vec<Item>, block: Block, out: &mut Diagnostics) {
    match &*block.kind.text {
        "locals" => return merge_locals(items, block, out),
        "terraform" => return merge_terraform(items, block),
        kind @ ("moved" | "removed" | "import" | "check") => {
            let detail =
                format!("{kind} blocks can appear only in normal files, not in override files.");
            out.push(
                Diagnostic::error(format!("Cannot override '{kind}' blocks"), detail)
                    .at(block.header_span()),
            );
            return;
        }
        _ => {}
    }
    let alias = alias(&block);
    let base = items.iter_mut().find_map(|it| match it {
        Item::Block(base)
            if base.kind.text == block.kind.text
                && base
                    .labels
                    .iter()
                    .map(|it| &it.text)
                    .eq(block.labels.iter().map(|it| &it.text))
                && self::alias(base) == alias =>
        {
            Some(base)
        }
        _ => None,
    });
    if let Some(base) = base {
        merge_body(&mut base.body, block.body);
        return;
    }
    let name = block.labels.last().map_or("", |it| &it.text);
    let (summary, detail) = match &*block.kind.text {
        "variable" => (
            "Missing base variable declaration to override",
            format!(
                "There is no variable named {name:?}. An override file can only override a \
                 variable that was already declared in a primary configuration file."
            ),
        ),
        "output" => (
            "Missing base output definition to override",
            format!(
                "There is no output named {name:?}. An override file can only override an output \
                 that was already defined in a primary configuration file."
            ),
        ),
        "module" => (
            "Missing module call to override",
            format!(
                "There is no module call named {name:?}. An override file can only override a \
                 module call that was defined in a primary configuration file."
            ),
        ),
        "resource" | "data" => (
            "Missing resource to override",
            format!(
                "There is no {} block named {name:?}. An override file can only override a \
                 resource block defined in a primary configuration file.",
                block.kind.text
            ),
        ),
        // A provider may be configured in an override file alone; the rest is reported later.
        _ => {
            items.push(Item::Block(block));
            return;
        }
    };
    out.push(Diagnostic::error(summary, detail).at(block.header_span()));
}

/// Configurations of one provider differ in their alias.
fn alias(block: &Block) -> Option<&str> {
    if &*block.kind.text != "provider" {
        return None;
    }
    match &block.body.attribute("alias")?.expr.kind {
        ExprKind::String(alias) => Some(alias),
        _ => None,
    }
}

fn merge_body(base: &mut Body, over: Body) {
    let mut replaced: Vec<std::sync::Arc<str>> = Vec::new();
    for item in over.items {
        match item {
            Item::Attribute(attribute) => set(base, attribute),
            Item::Block(block) => {
                // Lifecycles are merged argument by argument.
                if &*block.kind.text == "lifecycle" {
                    let lifecycle = base.items.iter_mut().find_map(|it| match it {
                        Item::Block(it) if it.kind.text == block.kind.text => Some(it),
                        _ => None,
                    });
                    if let Some(lifecycle) = lifecycle {
                        merge_body(&mut lifecycle.body, block.body);
                        continue;
                    }
                }
                if !replaced.contains(&block.kind.text) {
                    base.items.retain(
                        |it| !matches!(it, Item::Block(it) if it.kind.text == block.kind.text),
                    );
                    replaced.push(block.kind.text.clone());
                }
                base.items.push(Item::Block(block));
            }
        }
    }
}

/// Sets an argument, in place of the one that is there.
fn set(base: &mut Body, attribute: Attribute) {
    // One way to repeat a block takes the place of the other.
    let instead = match &*attribute.name.text {
        "count" => "for_each",
        "for_each" => "count",
        _ => "",
    };
    base.items.retain(|it| !matches!(it, Item::Attribute(it) if &*it.name.text == instead));
    let found = base.items.iter_mut().find_map(|it| match it {
        Item::Attribute(it) if it.name.text == attribute.name.text => Some(it),
        _ => None,
    });
    match found {
        Some(found) => *found = attribute,
        None => base.items.push(Item::Attribute(attribute)),
    }
}

fn merge_locals(items: &mut [Item], block: Block, out: &mut Diagnostics) {
    for item in block.body.items {
        let Item::Attribute(attribute) = item else { continue };
        let base = items.iter_mut().find_map(|it| match it {
            Item::Block(it) if &*it.kind.text == "locals" => {
                it.body.attribute(&attribute.name.text).is_some().then_some(&mut it.body)
            }
            _ => None,
        });
        match base {
            Some(body) => set(body, attribute),
            None => out.push(
                Diagnostic::error(
                    "Missing base local value definition to override",
                    format!(
                        "There is no local value named {:?}. An override file can only override a \
                         local value that was already defined in a primary configuration file.",
                        &*attribute.name.text
                    ),
                )
                .at(attribute.name.span),
            ),
        }
    }
}

/// Versions and the backend are replaced, provider requirements one by one.
fn merge_terraform(items: &mut Vec<Item>, mut block: Block) {
    let is_terraform = |it: &Item| matches!(it, Item::Block(it) if &*it.kind.text == "terraform");
    let has = |block: &Block, kinds: &[&str]| {
        block.body.blocks().any(|it| kinds.contains(&&*it.kind.text))
    };
    let backend = has(&block, &["backend", "cloud"]);
    let encryption = has(&block, &["encryption"]);
    let version = block.body.attribute("required_version").is_some();
    let mut entries = Vec::new();
    for it in &mut block.body.items {
        if let Item::Block(it) = it
            && &*it.kind.text == "required_providers"
        {
            entries.append(&mut it.body.items);
        }
    }
    for it in items.iter_mut().filter(|it| is_terraform(it)) {
        let Item::Block(base) = it else { continue };
        base.body.items.retain(|it| match it {
            Item::Attribute(it) => !(version && &*it.name.text == "required_version"),
            Item::Block(it) => match &*it.kind.text {
                "backend" | "cloud" => !backend,
                "encryption" => !encryption,
                _ => true,
            },
        });
    }
    let required = items
        .iter_mut()
        .filter_map(|it| match it {
            Item::Block(it) if &*it.kind.text == "terraform" => Some(it),
            _ => None,
        })
        .flat_map(|it| it.body.items.iter_mut())
        .find_map(|it| match it {
            Item::Block(it) if &*it.kind.text == "required_providers" => Some(it),
            _ => None,
        });
    match required {
        Some(required) => {
            for entry in entries {
                if let Item::Attribute(entry) = entry {
                    set(&mut required.body, entry);
                }
            }
            block.body.items.retain(
                |it| !matches!(it, Item::Block(it) if &*it.kind.text == "required_providers"),
            );
        }
        None => {
            for it in &mut block.body.items {
                if let Item::Block(it) = it
                    && &*it.kind.text == "required_providers"
                {
                    it.body.items = std::mem::take(&mut entries);
                }
            }
        }
    }
    items.push(Item::Block(block));
}
