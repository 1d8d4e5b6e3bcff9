//! A state as JSON: `show -json`, `output -json`.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::Arc;

use plumb_model::addr::{Addr, DeposedKey, InstanceKey, Mode, ModuleInstance, ObjectKey};
use plumb_model::schema::Schemas;
use plumb_model::state::{CheckResult, CheckStatus, Object as Stored, State};
use plumb_model::value::json::{write_json, write_string};
use plumb_model::value::{Marks, Value};

use crate::json::{Object, Sink, array, indent_json, marked_by, write_known, write_sensitive};

/// Writes what `show -json` says of a state, with a line break.
pub fn write_state_json(
    state: &State,
    schemas: &Schemas,
    version: &str,
    to: &mut dyn io::Write,
) -> io::Result<()> {
    let mut sink = Sink::new(to);
    write_state(state, schemas, version, &mut sink)?;
    sink.text.push('\n');
    sink.flush()
}

pub(crate) fn write_state(
    state: &State,
    schemas: &Schemas,
    version: &str,
    sink: &mut Sink<'_>,
) -> io::Result<()> {
    sink.text.push_str("{\"format_version\":\"1.0\"");
    if state.objects.is_empty() && state.outputs.is_empty() {
        sink.text.push('}');
        return Ok(());
    }
    sink.text.push_str(",\"terraform_version\":");
    write_string(version, &mut sink.text);
    sink.text.push_str(",\"values\":{");
    if !state.outputs.is_empty() {
        sink.text.push_str("\"outputs\":");
        let mut outputs = Object::new(&mut sink.text);
        for (name, value) in &state.outputs {
            let mut output = Object::new(outputs.key(name));
            output.bool("sensitive", value.has_mark_deep(Marks::SENSITIVE));
            write_json(value, output.key("value"));
            output.raw("type", &value.ty().to_json());
            output.end();
        }
        outputs.end();
        sink.text.push(',');
    }
    sink.text.push_str("\"root_module\":");
    let resources = state.objects.iter().map(|(key, object)| (&key.addr.module, (key, object)));
    let tree = Modules::new(resources);
    tree.write(sink, &|(key, object), out| write_object(key, object, schemas, out))?;
    sink.text.push('}');
    if !state.checks.is_empty() {
        sink.text.push_str(",\"checks\":");
        write_checks(&state.checks, &mut sink.text);
    }
    sink.text.push('}');
    Ok(())
}

fn write_object(key: &ObjectKey, object: &Stored, schemas: &Schemas, out: &mut String) {
    let resource = Resource {
        addr: &key.addr,
        source: &object.provider.source,
        schema_version: object.schema_version,
        values: &object.attrs,
    };
    resource.write(schemas, out, |json| {
        // Terraform keeps none for data sources.
        if !object.needs.is_empty() && key.addr.resource.mode == Mode::Managed {
            array(object.needs.iter(), json.key("depends_on"), |it, out| {
                write_string(&it.to_string(), out);
            });
        }
        if object.tainted {
            json.bool("tainted", true);
        }
        if let Some(DeposedKey(deposed)) = &key.deposed {
            json.text("deposed_key", deposed);
        }
    });
}

/// What is said of an object, planned or stored.
pub(crate) struct Resource<'a> {
    pub(crate) addr: &'a Addr,
    pub(crate) source: &'a str,
    pub(crate) schema_version: u64,
    pub(crate) values: &'a Value,
}

impl Resource<'_> {
    pub(crate) fn write(
        &self,
        schemas: &Schemas,
        out: &mut String,
        rest: impl FnOnce(&mut Object<'_>),
    ) {
        let mut json = Object::new(out);
        json.text("address", &self.addr.to_string());
        write_identity(self.addr, self.source, &mut json);
        json.number("schema_version", self.schema_version);
        write_known(self.values, json.key("values"));
        let marked = marked(schemas, self.source, self.addr, self.values);
        write_sensitive(&marked, json.key("sensitive_values"));
        rest(&mut json);
        json.end();
    }
}

/// Mode, type, name, index and provider.
pub(crate) fn write_identity(addr: &Addr, source: &str, json: &mut Object<'_>) {
    let resource = &addr.resource;
    json.text(
        "mode",
        match resource.mode {
            Mode::Managed => "managed",
            Mode::Data => "data",
        },
    );
    json.text("type", &resource.kind);
    json.text("name", &resource.name);
    match &addr.key {
        None => {}
        Some(InstanceKey::Int(index)) => json.number("index", index),
        Some(InstanceKey::Str(key)) => json.text("index", key),
    }
    json.text("provider_name", source);
}

/// An object with the marks of its schema.
pub(crate) fn marked(schemas: &Schemas, source: &str, addr: &Addr, value: &Value) -> Value {
    match schemas.resource(source, addr.resource.mode, &addr.resource.kind) {
        Some(schema) => marked_by(&schema.block, value),
        None => value.clone(),
    }
}

/// Things by the module instance that holds them, and the instances by the one around.
pub(crate) struct Modules<'a, T> {
    resources: BTreeMap<&'a ModuleInstance, Vec<T>>,
    children: BTreeMap<ModuleInstance, BTreeSet<ModuleInstance>>,
}

impl<'a, T> Modules<'a, T> {
    pub(crate) fn new(items: impl Iterator<Item = (&'a ModuleInstance, T)>) -> Modules<'a, T> {
        let mut resources: BTreeMap<&ModuleInstance, Vec<T>> = BTreeMap::new();
        for (module, item) in items {
            resources.entry(module).or_default().push(item);
        }
        let mut children: BTreeMap<ModuleInstance, BTreeSet<ModuleInstance>> = BTreeMap::new();
        for module in resources.keys() {
            let mut module = (*module).clone();
            while let Some((_, parent)) = module.0.split_last() {
                let parent = ModuleInstance(parent.into());
                // Those known before came with everything around them.
                if !children.entry(parent.clone()).or_default().insert(module) {
                    break;
                }
                module = parent;
            }
        }
        Modules { resources, children }
    }

    /// Writes the root module and all in it.
    pub(crate) fn write(
        &self,
        sink: &mut Sink<'_>,
        write: &dyn Fn(&T, &mut String),
    ) -> io::Result<()> {
        self.write_module(&ModuleInstance::default(), sink, write)
    }

    fn write_module(
        &self,
        module: &ModuleInstance,
        sink: &mut Sink<'_>,
        write: &dyn Fn(&T, &mut String),
    ) -> io::Result<()> {
        sink.text.push('{');
        let mut comma = "";
        if let Some(resources) = self.resources.get(module) {
            sink.text.push_str("\"resources\":");
            sink.array(resources, write)?;
            comma = ",";
        }
        if !module.is_root() {
            sink.text.push_str(comma);
            sink.text.push_str("\"address\":");
            write_string(&module.to_string(), &mut sink.text);
            comma = ",";
        }
        if let Some(children) = self.children.get(module) {
            sink.text.push_str(comma);
            sink.text.push_str("\"child_modules\":[");
            for (index, child) in children.iter().enumerate() {
                if index > 0 {
                    sink.text.push(',');
                }
                self.write_module(child, sink, write)?;
            }
            sink.text.push(']');
        }
        sink.text.push('}');
        Ok(())
    }
}

/// What the checks said.
pub(crate) fn write_checks(checks: &[CheckResult], out: &mut String) {
    let status = |it: CheckStatus| match it {
        CheckStatus::Pass => "pass",
        CheckStatus::Fail => "fail",
        CheckStatus::Error => "error",
        CheckStatus::Unknown => "unknown",
    };
    array(checks, out, |check, out| {
        let mut json = Object::new(out);
        let mut address = Object::new(json.key("address"));
        address.text("kind", check.object_kind);
        write_check_address(check, &mut address);
        address.text("to_display", &check.config_addr);
        address.end();
        json.text("status", status(check.status));
        if !check.objects.is_empty() {
            array(&check.objects, json.key("instances"), |(addr, outcome, problems), out| {
                let mut instance = Object::new(out);
                let mut address = Object::new(instance.key("address"));
                if let Ok(parsed) = addr.parse::<Addr>() {
                    if let Some(key) = &parsed.key {
                        match key {
                            InstanceKey::Int(index) => address.number("instance_key", index),
                            InstanceKey::Str(key) => address.text("instance_key", key),
                        }
                    }
                    if !parsed.module.is_root() {
                        address.text("module", &parsed.module.to_string());
                    }
                }
                address.text("to_display", addr);
                address.end();
                instance.text("status", status(*outcome));
                if !problems.is_empty() {
                    array(problems, instance.key("problems"), |message, out| {
                        let mut problem = Object::new(out);
                        problem.text("message", message);
                        problem.end();
                    });
                }
                instance.end();
            });
        }
        json.end();
    });
}

fn write_check_address(check: &CheckResult, address: &mut Object<'_>) {
    let full = &*check.config_addr;
    if check.object_kind == "resource" {
        if let Ok(parsed) = full.parse::<plumb_model::addr::ConfigAddr>() {
            address.text(
                "mode",
                match parsed.resource.mode {
                    Mode::Managed => "managed",
                    Mode::Data => "data",
                },
            );
            if !parsed.module.is_root() {
                address.text("module", &parsed.module.to_string());
            }
            address.text("name", &parsed.resource.name);
            address.text("type", &parsed.resource.kind);
        }
        return;
    }
    // `module.a.check.c`: what stands before the last two words is the module.
    let mut words = full.rsplitn(3, '.');
    let name = words.next().unwrap_or(full);
    let module = words.nth(1);
    if let Some(module) = module {
        address.text("module", module);
    }
    address.text("name", name);
}

/// What `output -json` says: every output with its type.
pub fn outputs_json(outputs: &BTreeMap<Arc<str>, Value>) -> String {
    let mut out = String::new();
    let mut all = Object::new(&mut out);
    for (name, value) in outputs {
        let mut output = Object::new(all.key(name));
        output.bool("sensitive", value.has_mark_deep(Marks::SENSITIVE));
        output.raw("type", &value.ty().to_json());
        write_json(value, output.key("value"));
        output.end();
    }
    all.end();
    indent_json(&out) + "\n"
}

/// What `output -json NAME` says: the bare value.
pub fn output_json(value: &Value) -> String {
    let mut out = String::new();
    write_json(value, &mut out);
    out.push('\n');
    out
}
