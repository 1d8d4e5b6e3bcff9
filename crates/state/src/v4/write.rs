//! A state into a state file, piece by piece.

use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use plumb_model::addr::{
    ConfigAddr, InstanceKey, Mode, ModuleInstance, ObjectKey, ProviderAddr, Resource,
};
use plumb_model::schema::Schemas;
use plumb_model::state::{CheckResult, CheckStatus, Object, State};
use plumb_model::value::json::{write_json, write_json_typed, write_string, write_type};
use plumb_model::value::{Marks, Step, Type, Value};

use super::KINDS;
use super::closure::{Closure, Needs};
use super::indent::{indent, line};

/// Version of Terraform whose files these are.
const TERRAFORM_VERSION: &str = "1.11.4";

/// What tells one snapshot from another.
#[derive(Clone, Copy, Debug)]
pub struct Stamp<'a> {
    /// All snapshots of one configuration share it.
    pub lineage: &'a str,
    /// Grows from one to the next.
    pub serial: u64,
}

/// The state file, as Terraform 1.11 writes it. Calls in doubt have no place in it.
pub fn write(state: &State, schemas: &Schemas) -> Vec<u8> {
    write_as(state, Stamp { lineage: &state.lineage, serial: state.serial }, schemas)
}

/// The same, under another lineage and serial.
pub fn write_as(state: &State, stamp: Stamp<'_>, schemas: &Schemas) -> Vec<u8> {
    let mut out = String::new();
    let mut scratch = String::new();
    let _ = write!(
        out,
        "{{\n  \"version\": 4,\n  \"terraform_version\": \"{TERRAFORM_VERSION}\",\n  \
         \"serial\": {},\n  \"lineage\": ",
        stamp.serial
    );
    write_string(stamp.lineage, &mut out);
    out.push_str(",\n  \"outputs\": {");
    for (i, (name, value)) in state.outputs.iter().enumerate() {
        separate(i, 2, &mut out);
        scratch.clear();
        output(name, value, &mut scratch);
        indent(&scratch, 2, &mut out);
    }
    out.push_str(if state.outputs.is_empty() { "},\n" } else { "\n  },\n" });
    out.push_str("  \"resources\": [");
    let groups = groups(state);
    let needs: Vec<Needs<'_>> = groups.iter().flat_map(Group::needs).collect();
    let closure = Closure::new(&needs);
    for (i, group) in groups.iter().enumerate() {
        separate(i, 2, &mut out);
        group.write(schemas, &closure, &mut scratch, &mut out);
    }
    out.push_str(if groups.is_empty() { "],\n" } else { "\n  ],\n" });
    out.push_str("  \"check_results\": ");
    scratch.clear();
    checks(&state.checks, &mut scratch);
    indent(&scratch, 1, &mut out);
    out.push_str("\n}\n");
    out.into_bytes()
}

fn separate(index: usize, depth: usize, out: &mut String) {
    if index > 0 {
        out.push(',');
    }
    line(depth, out);
}

fn output(name: &str, value: &Value, out: &mut String) {
    write_string(name, out);
    out.push_str(":{\"value\":");
    write_json(value, out);
    out.push_str(",\"type\":");
    write_type(&value.ty(), out);
    if value.has_mark_deep(Marks::SENSITIVE) {
        out.push_str(",\"sensitive\":true");
    }
    out.push('}');
}

/// The objects of a block in one module instance that have the same provider configuration.
struct Group<'a> {
    module_text: Arc<str>,
    module: &'a ModuleInstance,
    resource: &'a Resource,
    provider: &'a Arc<ProviderAddr>,
    block: ConfigAddr,
    objects: Vec<(&'a ObjectKey, &'a Object)>,
}

/// In the order of the file: by the spelling of the module, mode, kind, name.
fn groups(state: &State) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    // Where the groups of the block at hand begin: nearly always there is just one, but objects
    // that were deposed under another provider configuration make a second.
    let mut first = 0;
    for (key, object) in &state.objects {
        let addr = &key.addr;
        let same = (groups.last())
            .is_some_and(|it| it.resource == &addr.resource && it.module == &addr.module);
        if !same {
            first = groups.len();
        }
        let found = groups[first..].iter_mut().find(|it| *it.provider == object.provider);
        if let Some(group) = found {
            group.objects.push((key, object));
            continue;
        }
        let module_text = match groups.last() {
            Some(last) if last.module == &addr.module => last.module_text.clone(),
            _ => addr.module.to_string().into(),
        };
        groups.push(Group {
            module_text,
            module: &addr.module,
            resource: &addr.resource,
            provider: &object.provider,
            block: addr.config(),
            objects: vec![(key, object)],
        });
    }
    groups.sort_by(|a, b| (&a.module_text, a.resource).cmp(&(&b.module_text, b.resource)));
    groups
}

impl Group<'_> {
    /// What its objects lean on; objects that lean on the same are counted together.
    fn needs(&self) -> impl Iterator<Item = Needs<'_>> {
        (self.objects.chunk_by(|(_, a), (_, b)| a.needs == b.needs)).map(|same| Needs {
            block: &self.block,
            objects: same.len(),
            direct: &same[0].1.needs,
        })
    }

    fn write(
        &self,
        schemas: &Schemas,
        closure: &Closure<'_>,
        scratch: &mut String,
        out: &mut String,
    ) {
        out.push_str("{\n");
        let mut field = |name: &str, text: &str| {
            out.push_str("      \"");
            out.push_str(name);
            out.push_str("\": ");
            write_string(text, out);
            out.push_str(",\n");
        };
        if !self.module_text.is_empty() {
            field("module", &self.module_text);
        }
        let mode = self.resource.mode;
        field("mode", if mode == Mode::Data { "data" } else { "managed" });
        field("type", &self.resource.kind);
        field("name", &self.resource.name);
        field("provider", &self.provider.to_string());
        out.push_str("      \"instances\": [");
        let schema = schemas.resource(&self.provider.source, mode, &self.resource.kind);
        let ty = schema.map(|it| it.block.ty());
        let mut leaning: Option<(&Arc<[ConfigAddr]>, String)> = None;
        for (i, (key, object)) in self.objects.iter().enumerate() {
            separate(i, 4, out);
            let same = leaning
                .take()
                .filter(|(needs, _)| Arc::ptr_eq(needs, &object.needs) || **needs == object.needs);
            let leaning =
                leaning.insert(same.unwrap_or_else(|| {
                    (&object.needs, dependencies(&object.needs, closure, mode))
                }));
            instance(key, object, ty, &leaning.1, scratch, out);
        }
        out.push_str("\n      ]\n    }");
    }
}

fn instance(
    key: &ObjectKey,
    object: &Object,
    ty: Option<&Type>,
    leaning: &str,
    scratch: &mut String,
    out: &mut String,
) {
    out.push_str("{\n");
    let start = |name: &str, out: &mut String| {
        out.push_str("          \"");
        out.push_str(name);
        out.push_str("\": ");
    };
    match &key.addr.key {
        None => {}
        Some(InstanceKey::Int(index)) => {
            start("index_key", out);
            let _ = writeln!(out, "{index},");
        }
        Some(InstanceKey::Str(text)) => {
            start("index_key", out);
            write_string(text, out);
            out.push_str(",\n");
        }
    }
    if object.tainted {
        out.push_str("          \"status\": \"tainted\",\n");
    }
    if let Some(deposed) = &key.deposed {
        start("deposed", out);
        write_string(&deposed.0, out);
        out.push_str(",\n");
    }
    start("schema_version", out);
    let _ = writeln!(out, "{},", object.schema_version);
    start("attributes", out);
    scratch.clear();
    match ty {
        Some(ty) => write_json_typed(&object.attrs, ty, scratch),
        None => write_json(&object.attrs, scratch),
    }
    indent(scratch, 5, out);
    out.push_str(",\n");
    start("sensitive_attributes", out);
    if object.attrs.has_mark_deep(Marks::SENSITIVE) {
        scratch.clear();
        sensitive(&object.attrs, scratch);
        indent(scratch, 5, out);
    } else {
        out.push_str("[]");
    }
    if let Some(private) = &object.private {
        out.push_str(",\n");
        start("private", out);
        out.push('"');
        STANDARD.encode_string(private, out);
        out.push('"');
    }
    out.push_str(leaning);
    if object.create_before_destroy {
        out.push_str(",\n          \"create_before_destroy\": true");
    }
    if let Some(unmanaged) = &object.unmanaged {
        out.push_str(",\n");
        // A field of ours, which Terraform skips.
        start("unmanaged", out);
        scratch.clear();
        aside(unmanaged, ty, scratch);
        indent(scratch, 5, out);
    }
    out.push_str("\n        }");
}

/// Some attributes of an object, each as its type has it.
fn aside(unmanaged: &Value, ty: Option<&Type>, out: &mut String) {
    out.push('{');
    for (i, (name, value)) in unmanaged.as_map().into_iter().flatten().enumerate() {
        out.push_str(if i > 0 { "," } else { "" });
        write_string(name, out);
        out.push(':');
        match ty.and_then(|it| it.attribute(name)) {
            Some(ty) => write_json_typed(value, ty, out),
            None => write_json(value, out),
        }
    }
    out.push('}');
}

/// The lines about what an object leans on. Terraform wants all of it; where that is more than what
/// it leans on directly, a field of ours, which Terraform skips, keeps the difference.
fn dependencies(direct: &[ConfigAddr], closure: &Closure<'_>, mode: Mode) -> String {
    if direct.is_empty() {
        return String::new();
    }
    let list = |name: &str, items: &mut dyn Iterator<Item = &str>, out: &mut String| {
        let _ = write!(out, ",\n          \"{name}\": [");
        for (i, item) in items.enumerate() {
            separate(i, 6, out);
            write_string(item, out);
        }
        out.push_str("\n          ]");
    };
    let mut out = String::new();
    let (all, more) = closure.of(direct);
    // Of data sources Terraform keeps none.
    let data = mode == Mode::Data;
    if !data {
        list("dependencies", &mut all.into_iter(), &mut out);
    }
    if more || data {
        let own: Vec<String> = direct.iter().map(ConfigAddr::to_string).collect();
        list("direct_dependencies", &mut own.iter().map(String::as_str), &mut out);
    }
    out
}

fn sensitive(attrs: &Value, out: &mut String) {
    out.push('[');
    let (_, paths) = attrs.unmark_deep_with_paths();
    let mut first = true;
    for (path, marks) in paths {
        if !marks.contains(Marks::SENSITIVE) {
            continue;
        }
        out.push_str(if std::mem::take(&mut first) { "[" } else { ",[" });
        for (i, step) in path.steps().iter().enumerate() {
            out.push_str(if i > 0 { "," } else { "" });
            match step {
                Step::Attr(name) => {
                    out.push_str("{\"type\":\"get_attr\",\"value\":");
                    write_string(name, out);
                }
                Step::Index(key) => {
                    out.push_str("{\"type\":\"index\",\"value\":");
                    write_json_typed(key, &Type::Dynamic, out);
                }
            }
            out.push('}');
        }
        out.push(']');
    }
    out.push(']');
}

fn checks(checks: &[CheckResult], out: &mut String) {
    if checks.is_empty() {
        return out.push_str("null");
    }
    let field = |name: &str, text: &str, out: &mut String| {
        out.push('"');
        out.push_str(name);
        out.push_str("\":");
        write_string(text, out);
        out.push(',');
    };
    let list = |i: usize, out: &mut String| out.push(if i == 0 { '[' } else { ',' });
    for (i, check) in checks.iter().enumerate() {
        list(i, out);
        let kind = KINDS.iter().find(|(name, _)| *name == check.object_kind);
        out.push('{');
        field("object_kind", kind.map_or(check.object_kind, |(_, stored)| stored), out);
        field("config_addr", &check.config_addr, out);
        field("status", status(check.status), out);
        out.push_str("\"objects\":");
        for (i, (addr, outcome, messages)) in check.objects.iter().enumerate() {
            list(i, out);
            out.push('{');
            field("object_addr", addr, out);
            out.push_str("\"status\":");
            write_string(status(*outcome), out);
            for (i, message) in messages.iter().enumerate() {
                out.push_str(if i == 0 { ",\"failure_messages\":[" } else { "," });
                write_string(message, out);
            }
            out.push_str(if messages.is_empty() { "}" } else { "]}" });
        }
        out.push_str(if check.objects.is_empty() { "null}" } else { "]}" });
    }
    out.push(']');
}

fn status(status: CheckStatus) -> &'static str {
    match status {
        CheckStatus::Pass => "pass",
        CheckStatus::Fail => "fail",
        CheckStatus::Error => "error",
        CheckStatus::Unknown => "unknown",
    }
}
