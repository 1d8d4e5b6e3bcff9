//! One resource block, with all its instances.

use plumb_model::addr::{Addr, ConfigAddr, InstanceKey, ModuleInstance};
use plumb_model::schema::{ResourceSchema, Schemas};
use plumb_model::state::Object;
use plumb_model::value::Value;

use crate::compile::display;
use crate::config::ProviderName;
use crate::generate::literal::{Links as Texts, quoted};
use crate::generate::{Reader, head, write_body};

use super::Restore;
use super::forms::{Form, Repeats};
use super::links::Links;
use super::table::{self, Row, here, lookup};

/// One block that is to be made.
pub(super) struct Wanted<'a> {
    pub(super) input: Restore<'a>,
    pub(super) block: &'a ConfigAddr,
    pub(super) objects: &'a [(&'a Addr, &'a Object)],
    pub(super) repeats: &'a Repeats,
    pub(super) links: &'a Links<'a>,
    pub(super) provider: ProviderName,
}

/// The text of a block.
pub(super) fn resource(wanted: &Wanted<'_>) -> String {
    let Wanted { input, block, objects, repeats, links, provider } = wanted;
    let Some(schema) = schema(input.schemas, block, objects) else { return String::new() };
    let root = block.module.is_root();
    let mut out = head(&block.resource);
    out += &repeat(repeats, root);
    out += &format!("provider = {}\n", display(provider));
    let needs = &links.needs[*block];
    let read = |addr: &Addr, object: &Object, then: &mut dyn FnMut(Reader<'_>)| {
        let chosen = |name: &str| left_out(*input, addr, object, name);
        let texts = |text: &str| links.expression(&addr.module, needs, text);
        then(Reader::Planner { links: Texts(&texts), left_out: &chosen });
    };
    match objects {
        [(addr, object)] if table::instance(addr).is_empty() => read(addr, object, &mut |reader| {
            write_body(&schema.block, &object.attrs, reader, true, &mut out);
        }),
        _ => {
            let mut rows: Vec<Row> = Vec::new();
            for (addr, object) in *objects {
                read(addr, object, &mut |reader| {
                    let key = table::instance(addr);
                    rows.push(Row::new(key, &schema.block, &object.attrs, reader));
                });
            }
            out += &table::body(&schema.block, &rows, &here(root, repeats.form, false));
        }
    }
    let leans = links.depends_on(block);
    if !leans.is_empty() {
        out += &format!("depends_on = [{}]\n", leans.join(", "));
    }
    let first = objects.iter().any(|it| it.1.create_before_destroy);
    if first != schema.create_first {
        out += &format!("lifecycle {{\ncreate_before_destroy = {first}\n}}\n");
    }
    out + "}\n"
}

fn schema<'a>(
    schemas: &'a Schemas,
    block: &ConfigAddr,
    objects: &[(&Addr, &Object)],
) -> Option<&'a ResourceSchema> {
    let source = &objects.first()?.1.provider.source;
    let resource = &block.resource;
    schemas.resource(source, resource.mode, &resource.kind).map(|it| &**it)
}

/// `count` or `for_each`, of a block or of a call.
pub(super) fn repeat(repeats: &Repeats, root: bool) -> String {
    let keys = |module: &ModuleInstance| repeats.keys.get(module).into_iter().flatten();
    let one = |module: &ModuleInstance| match repeats.form {
        Form::Each => {
            let entries = keys(module).filter_map(|it| match it {
                Some(InstanceKey::Str(key)) => Some(format!("{} = \"\"\n", quoted(key))),
                _ => None,
            });
            format!("{{\n{}}}", entries.collect::<String>())
        }
        Form::One | Form::Count => keys(module).count().to_string(),
    };
    let argument = match repeats.form {
        Form::One => return String::new(),
        Form::Count => "count",
        Form::Each => "for_each",
    };
    let expr = match root {
        true => one(&ModuleInstance::default()),
        false => {
            let rows = repeats.keys.keys().map(|module| (table::at(module), one(module)));
            lookup(rows, "var.at")
        }
    };
    format!("{argument} = {expr}\n")
}

/// Whether an argument is left to the remote system: it is what the system chose, or may well be.
/// A state does not tell; what the object is now, and what the configuration says, does.
fn left_out(input: Restore<'_>, addr: &Addr, object: &Object, name: &str) -> bool {
    let Some(now) = input.current.current(addr) else { return false };
    let plain = |it: &Object| it.attrs.get_attr(name).map(Value::unmark_deep);
    if plain(now) == plain(object) {
        return true;
    }
    let id = |it: &Object| it.attrs.get_attr("id").map(Value::unmark_deep);
    if id(now) == id(object) {
        return false;
    }
    // Made anew since: what differs by itself must not make it anew once more.
    let program = input.program;
    let module = program.modules.iter().find(|it| it.path == addr.module.path());
    let block = module.and_then(|it| it.config.resources.get(&addr.resource));
    block.is_some_and(|it| it.body.attribute(name).is_none())
}
