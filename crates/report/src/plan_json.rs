//! A plan as JSON: `show -json PLANFILE`.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, Change, OutputChange, Plan, ReplaceOrder};
use plumb_model::schema::Schemas;
use plumb_model::state::State;
use plumb_model::value::json::{write_json, write_string};
use plumb_model::value::{Marks, Path, Step, Value};

use crate::diff::Sign;
use crate::json::{Object, Sink, array, write_known, write_sensitive, write_unknown};
use crate::plan_text::{output_diff, source_of};
use crate::state_json::{Modules, Resource, marked, write_checks, write_identity, write_state};

/// A plan and what else belongs into its JSON form.
#[derive(Clone, Copy)]
pub struct PlanJson<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// The state it was made from, brought up to what was seen.
    pub prior: &'a State,
    /// Schemas of every provider.
    pub schemas: &'a Schemas,
    /// Our version.
    pub version: &'a str,
    /// Values of the root module's variables.
    pub variables: &'a BTreeMap<Arc<str>, Value>,
    /// The configuration as a JSON object; left out if empty.
    pub configuration: &'a str,
    /// What of which resource the plan was made from.
    pub relevant: &'a [(String, Path)],
    /// When it was made, RFC 3339.
    pub timestamp: &'a str,
    /// Whether planning failed halfway.
    pub errored: bool,
}

/// Writes what `show -json` says of a plan, with a line break.
pub fn write_plan_json(input: PlanJson<'_>, to: &mut dyn io::Write) -> io::Result<()> {
    let PlanJson { plan, schemas, .. } = input;
    let mut sink = Sink::new(to);
    sink.text.push_str("{\"format_version\":\"1.2\",\"terraform_version\":");
    write_string(input.version, &mut sink.text);
    if !input.variables.is_empty() {
        sink.text.push_str(",\"variables\":");
        let mut variables = Object::new(&mut sink.text);
        for (name, value) in input.variables {
            let mut variable = Object::new(variables.key(name));
            write_known(value, variable.key("value"));
            variable.end();
        }
        variables.end();
    }
    sink.text.push_str(",\"planned_values\":");
    write_planned(plan, schemas, &mut sink)?;
    if !plan.drift.is_empty() {
        sink.text.push_str(",\"resource_drift\":");
        sink.array(&plan.drift, |(key, (before, after)), out| {
            write_drift(plan, schemas, key, before, after.as_ref(), out);
        })?;
    }
    if !plan.changes.is_empty() {
        sink.text.push_str(",\"resource_changes\":");
        sink.array(&plan.changes, |(key, change), out| write_change(schemas, key, change, out))?;
    }
    if !plan.outputs.is_empty() {
        sink.text.push_str(",\"output_changes\":");
        let mut outputs = Object::new(&mut sink.text);
        for (name, change) in &plan.outputs {
            write_output_change(change, outputs.key(name));
        }
        outputs.end();
    }
    if !input.prior.objects.is_empty() || !input.prior.outputs.is_empty() {
        sink.text.push_str(",\"prior_state\":");
        write_state(input.prior, schemas, input.version, &mut sink)?;
    }
    if !input.configuration.is_empty() {
        sink.text.push_str(",\"configuration\":");
        sink.text.push_str(input.configuration);
    }
    if !input.relevant.is_empty() {
        sink.text.push_str(",\"relevant_attributes\":");
        array(input.relevant, &mut sink.text, |(resource, path), out| {
            let mut json = Object::new(out);
            json.text("resource", resource);
            write_path(path, json.key("attribute"));
            json.end();
        });
    }
    if !plan.checks.is_empty() {
        sink.text.push_str(",\"checks\":");
        write_checks(&plan.checks, &mut sink.text);
    }
    sink.text.push_str(",\"timestamp\":");
    write_string(input.timestamp, &mut sink.text);
    let applyable = !input.errored && (!plan.is_empty() || !plan.drift.is_empty());
    for (key, value) in
        [("applyable", applyable), ("complete", !plan.partial), ("errored", input.errored)]
    {
        sink.text.push_str(&format!(",\"{key}\":{value}"));
    }
    sink.text.push_str("}\n");
    sink.flush()
}

fn write_planned(plan: &Plan, schemas: &Schemas, sink: &mut Sink<'_>) -> io::Result<()> {
    sink.text.push('{');
    let outputs = plan.outputs.iter().filter_map(|(name, it)| Some((name, it, it.after.as_ref()?)));
    let mut any = false;
    for (name, change, after) in outputs {
        sink.text.push_str(if any { "," } else { "\"outputs\":{" });
        any = true;
        write_string(name, &mut sink.text);
        sink.text.push(':');
        let mut output = Object::new(&mut sink.text);
        output.bool("sensitive", change.sensitive || after.has_mark_deep(Marks::SENSITIVE));
        if after.is_wholly_known() {
            output.raw("type", &after.ty().to_json());
            write_json(after, output.key("value"));
        }
        output.end();
    }
    sink.text.push_str(if any { "},\"root_module\":" } else { "\"root_module\":" });
    let planned = plan.changes.iter().filter_map(|(key, change)| {
        let after = change.after.as_ref()?;
        let stays = key.deposed.is_none() && change.action != Action::Forget;
        stays.then_some((&key.addr.module, (key, change, after)))
    });
    Modules::new(planned).write(sink, &|(key, change, after), out| {
        let kind = &key.addr.resource;
        let schema = schemas.resource(&change.provider.source, kind.mode, &kind.kind);
        let resource = Resource {
            addr: &key.addr,
            source: &change.provider.source,
            schema_version: schema.map_or(0, |it| it.version),
            values: after,
        };
        resource.write(schemas, out, |_| {});
    })?;
    sink.text.push('}');
    Ok(())
}

fn write_drift(
    plan: &Plan,
    schemas: &Schemas,
    key: &ObjectKey,
    before: &Value,
    after: Option<&Value>,
    out: &mut String,
) {
    let source = source_of(plan, schemas, key);
    let mut json = Object::new(out);
    json.text("address", &key.addr.to_string());
    write_place(key, &mut json);
    write_identity(&key.addr, source, &mut json);
    if let Some(deposed) = &key.deposed {
        json.text("deposed", &deposed.0);
    }
    let mark = |it: &Value| marked(schemas, source, &key.addr, it);
    let sides = (Some(mark(before)), after.map(mark));
    let actions: &[&str] = if after.is_some() { &["update"] } else { &["delete"] };
    let mut change = Object::new(json.key("change"));
    write_sides(actions, sides.0.as_ref(), sides.1.as_ref(), &mut change);
    change.end();
    json.end();
}

fn write_place(key: &ObjectKey, json: &mut Object<'_>) {
    if !key.addr.module.is_root() {
        json.text("module_address", &key.addr.module.to_string());
    }
}

fn write_change(schemas: &Schemas, key: &ObjectKey, change: &Change, out: &mut String) {
    let source = &*change.provider.source;
    let mut json = Object::new(out);
    json.text("address", &key.addr.to_string());
    if let Some(from) = &change.moved_from {
        json.text("previous_address", &from.to_string());
    }
    write_place(key, &mut json);
    write_identity(&key.addr, source, &mut json);
    if let Some(deposed) = &key.deposed {
        json.text("deposed", &deposed.0);
    }
    let mark = |it: &Value| marked(schemas, source, &key.addr, it);
    let before = change.before.as_ref().map(mark);
    let after = change.after.as_ref().map(mark).filter(|_| change.action != Action::Forget);
    let mut part = Object::new(json.key("change"));
    write_sides(action_names(change.action), before.as_ref(), after.as_ref(), &mut part);
    if !change.replace_paths.is_empty() {
        array(&change.replace_paths, part.key("replace_paths"), write_path);
    }
    if let Some(id) = &change.importing {
        let mut importing = Object::new(part.key("importing"));
        importing.text("id", id);
        importing.end();
    }
    part.end();
    if let Some(reason) = change.reason {
        json.text("action_reason", reason.name());
    }
    json.end();
}

fn action_names(action: Action) -> &'static [&'static str] {
    match action {
        Action::Keep => &["no-op"],
        Action::Create => &["create"],
        Action::Read => &["read"],
        Action::Update => &["update"],
        Action::Replace(ReplaceOrder::DeleteFirst) => &["delete", "create"],
        Action::Replace(ReplaceOrder::CreateFirst) => &["create", "delete"],
        Action::Delete => &["delete"],
        Action::Forget => &["forget"],
    }
}

/// Before and after of a resource. One that is not there is null, and nothing in it is unknown.
pub(crate) fn write_sides(
    actions: &[&str],
    before: Option<&Value>,
    after: Option<&Value>,
    json: &mut Object<'_>,
) {
    array(actions, json.key("actions"), |it, out| write_string(it, out));
    let side = |it: Option<&Value>, out: &mut String| match it {
        Some(it) => write_known(it, out),
        None => out.push_str("null"),
    };
    side(before, json.key("before"));
    side(after, json.key("after"));
    match after {
        Some(after) if !after.is_wholly_known() => {
            write_unknown(after, json.key("after_unknown"));
        }
        _ => json.raw("after_unknown", "{}"),
    }
    for (key, side) in [("before_sensitive", before), ("after_sensitive", after)] {
        match side {
            Some(side) => write_sensitive(side, json.key(key)),
            None => json.raw(key, "false"),
        }
    }
}

pub(crate) fn write_output_change(change: &OutputChange, out: &mut String) {
    let action = match output_diff(change).sign {
        Sign::Keep => "no-op",
        Sign::Create => "create",
        Sign::Update => "update",
        Sign::Delete => "delete",
    };
    let mut json = Object::new(out);
    array([action], json.key("actions"), write_string);
    let side = |it: Option<&Value>, out: &mut String| match it {
        Some(it) => write_known(it, out),
        None => out.push_str("null"),
    };
    side(change.before.as_ref(), json.key("before"));
    let after = change.after.as_ref();
    if after.is_none_or(Value::is_known) {
        side(after, json.key("after"));
    }
    match after {
        Some(after) if !after.is_wholly_known() => {
            write_unknown(after, json.key("after_unknown"));
        }
        _ => json.bool("after_unknown", false),
    }
    // An output is secret as a whole or not at all.
    let marked = |it: Option<&Value>| it.is_some_and(|it| it.has_mark_deep(Marks::SENSITIVE));
    let secret = marked(change.before.as_ref()) || marked(after) || change.sensitive;
    json.bool("before_sensitive", secret);
    json.bool("after_sensitive", secret);
    json.end();
}

fn write_path(path: &Path, out: &mut String) {
    array(path.steps(), out, |step, out| match step {
        Step::Attr(name) => write_string(name, out),
        Step::Index(key) => write_json(key, out),
    });
}
