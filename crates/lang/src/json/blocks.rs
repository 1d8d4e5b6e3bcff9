//! What schemas know to be blocks is read as arguments at first: here it becomes blocks.

use std::sync::Arc;

use plumb_model::addr::Resource;
use plumb_model::schema::{self, Nesting, Schemas};

use super::body::attribute;
use crate::compile::{ModuleTree, provider_source};
use crate::config::{Module, ResourceBlock};
use crate::syntax::{Attribute, Block, Body, Expr, ExprKind, Ident, Item, Label, ObjectKey};

/// The same modules, with blocks where schemas say so. None: there is nothing to do.
pub(crate) fn with_blocks(tree: &ModuleTree, schemas: &Schemas) -> Option<ModuleTree> {
    let mut changed = None;
    for (dir, module) in &tree.dirs {
        if !has_json(module) {
            continue;
        }
        let mut module = Module::clone(module);
        let names =
            Module { required_providers: module.required_providers.clone(), ..Module::default() };
        for (resource, block) in &mut module.resources {
            if let Some(schema) = resource_schema(&names, resource, block, schemas) {
                block.body = Arc::new(body(&block.body, schema));
            }
        }
        for (name, provider) in &mut module.providers {
            let source = provider_source(&names, schemas, &name.name);
            if let Some(schema) = schemas.providers.get(&source) {
                provider.body = Arc::new(body(&provider.body, &schema.config));
            }
        }
        let tree: &mut ModuleTree = changed.get_or_insert_with(|| tree.clone());
        tree.dirs.insert(dir.clone(), Arc::new(module));
    }
    changed
}

fn has_json(module: &Module) -> bool {
    let resources = module.resources.values().map(|it| &it.body);
    let mut bodies = resources.chain(module.providers.values().map(|it| &it.body));
    bodies.any(|it| it.attributes().any(Attribute::is_json))
}

fn resource_schema<'a>(
    names: &Module,
    resource: &Resource,
    block: &ResourceBlock,
    schemas: &'a Schemas,
) -> Option<&'a schema::Block> {
    let local = block.provider.as_ref().map(|it| &*it.name.name);
    let source = provider_source(names, schemas, local.unwrap_or(resource.kind.provider_name()));
    schemas.resource(&source, resource.mode, &resource.kind).map(|it| &it.block)
}

fn body(from: &Body, schema: &schema::Block) -> Body {
    let mut items = Vec::with_capacity(from.items.len());
    for item in &from.items {
        match item {
            Item::Attribute(it)
                if it.is_json() && !schema.attributes().contains_key(&it.name.text) =>
            {
                match blocks(it, schema) {
                    Some(blocks) => items.extend(blocks.into_iter().map(Item::Block)),
                    None => items.push(item.clone()),
                }
            }
            _ => items.push(item.clone()),
        }
    }
    Body { items, span: from.span }
}

/// The blocks that an argument stands for. None: it is none of that.
fn blocks(from: &Attribute, schema: &schema::Block) -> Option<Vec<Block>> {
    if let Some(nested) = schema.blocks().get(&from.name.text) {
        let labels = usize::from(nested.nesting == Nesting::Map);
        return gather(&from.name, &from.expr, labels, &|it| body(it, &nested.block));
    }
    if &*from.name.text != "dynamic" {
        return None;
    }
    // The label says what the content is.
    let mut all = gather(&from.name, &from.expr, 1, &Body::clone)?;
    for dynamic in &mut all {
        let nested = dynamic.labels.first().and_then(|it| schema.blocks().get(&it.text));
        for item in &mut dynamic.body.items {
            let Item::Attribute(it) = &*item else { continue };
            if &*it.name.text != "content" {
                continue;
            }
            let inside = |it: &Body| match nested {
                Some(nested) => body(it, &nested.block),
                None => it.clone(),
            };
            if let Some(content) =
                gather(&it.name, &it.expr, 0, &inside).and_then(|mut it| it.pop())
            {
                *item = Item::Block(content);
            }
        }
    }
    Some(all)
}

/// An object, or objects in arrays, as blocks; the names of the outer objects are labels.
fn gather(
    kind: &Ident,
    expr: &Expr,
    labels: usize,
    inside: &dyn Fn(&Body) -> Body,
) -> Option<Vec<Block>> {
    match &expr.kind {
        ExprKind::Null => Some(Vec::new()),
        ExprKind::Tuple(items) => {
            let all: Option<Vec<Vec<Block>>> =
                items.iter().map(|it| gather(kind, it, labels, inside)).collect();
            Some(all?.into_iter().flatten().collect())
        }
        ExprKind::Object(items) if labels > 0 => {
            let mut all = Vec::new();
            for it in items {
                let name = name(&it.key)?;
                let label = Label { text: name.text, span: name.span, quoted: true };
                for mut block in gather(kind, &it.value, labels - 1, inside)? {
                    block.labels.insert(0, label.clone());
                    all.push(block);
                }
            }
            Some(all)
        }
        ExprKind::Object(items) => {
            let attributes: Option<Vec<Item>> = (items.iter())
                .map(|it| Some((name(&it.key)?, &it.value)))
                .filter(|it| it.as_ref().is_none_or(|it| &*it.0.text != "//"))
                .map(|it| it.map(|(name, it)| Item::Attribute(attribute(name, it.clone()))))
                .collect();
            let plain = Body { items: attributes?, span: expr.span };
            let (start, end) = (expr.span.start, expr.span.end);
            Some(vec![Block {
                kind: kind.clone(),
                labels: Vec::new(),
                body: inside(&plain),
                open_span: plumb_diag::Span { end: start + 1, ..expr.span },
                close_span: plumb_diag::Span { start: end.saturating_sub(1), ..expr.span },
            }])
        }
        _ => None,
    }
}

fn name(key: &ObjectKey) -> Option<Ident> {
    match key {
        ObjectKey::Name(name) => Some(name.clone()),
        ObjectKey::Expr(Expr { kind: ExprKind::String(text), span }) => {
            Some(Ident { text: text.clone(), span: *span })
        }
        ObjectKey::Expr(_) => None,
    }
}
