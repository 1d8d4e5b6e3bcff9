//! What is said while a command runs: lines for people and the lines of `-json`.
//!
//! Nothing here knows the time: durations and time stamps are given.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use plumb_model::addr::{InstanceKey, ObjectKey};
use plumb_model::plan::{Action, Change, Plan, Reason};
use plumb_model::value::json::{write_json, write_string};
use plumb_model::value::{Marks, Value};

use crate::diff::Sign;
use crate::json::Object;
use crate::plan_text::{Counts, output_diff, summary_line};
use crate::style::Style;

/// What is being done to an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "as the actions of a plan")]
pub enum Doing {
    Create,
    Update,
    Delete,
    Read,
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// It begins.
    Started,
    /// It takes its time.
    Running(Duration),
    /// It is done.
    Done(Duration),
    /// It failed.
    Failed(Duration),
}

/// A command whose outcome is summed up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    Plan,
    Apply,
    Destroy,
}

/// `docker_network.lab: Still creating... [10s elapsed]`; `id` where it is known.
pub fn progress_text(
    key: &ObjectKey,
    doing: Doing,
    moment: Moment,
    id: Option<&str>,
    style: Style,
) -> String {
    let head = style.bold(&format!("{key}:"));
    let done = matches!(moment, Moment::Done(_));
    // What is being made has no id yet; what is deleted has none any more.
    let has_id = if done { doing != Doing::Delete } else { doing != Doing::Create };
    let id = id.filter(|it| has_id && !it.is_empty());
    let text = match moment {
        Moment::Started => {
            let text = format!("{}...", verb(doing, false));
            with_id(text, id)
        }
        Moment::Running(elapsed) => {
            let id = id.map(|id| format!("id={id}, ")).unwrap_or_default();
            let elapsed = seconds(elapsed);
            format!("Still {}... [{id}{elapsed} elapsed]", verb(doing, false).to_lowercase())
        }
        Moment::Done(elapsed) => {
            with_id(format!("{} after {}", complete(doing, false), seconds(elapsed)), id)
        }
        Moment::Failed(elapsed) => {
            format!("{} errored after {}", noun(doing, false), seconds(elapsed))
        }
    };
    format!("{head} {text}")
}

/// What a provisioner does beside an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Provision<'a> {
    /// It begins.
    Started,
    /// It said this.
    Output(&'a str),
    /// It went well.
    Done,
    /// It did not.
    Failed,
}

/// One line for people; nothing of how it ended, which the object's own line or a diagnostic says.
pub fn provision_text(
    key: &ObjectKey,
    kind: &str,
    what: Provision<'_>,
    style: Style,
) -> Option<String> {
    match what {
        Provision::Started => {
            let head = style.bold(&format!("{key}:"));
            Some(format!("{head} Provisioning with '{kind}'..."))
        }
        Provision::Output(line) => {
            let head = style.bold(&format!("{key} ({kind}):"));
            Some(format!("{head} {line}"))
        }
        Provision::Done | Provision::Failed => None,
    }
}

/// The same for machines, without colours.
pub fn provision_line(key: &ObjectKey, kind: &str, what: Provision<'_>, time: &str) -> String {
    let (name, message) = match what {
        Provision::Started => ("provision_start", format!("{key}: Provisioning with '{kind}'...")),
        Provision::Output(line) => ("provision_progress", format!("{key}: ({kind}): {line}")),
        Provision::Done => ("provision_complete", format!("{key}: ({kind}) Provisioning complete")),
        Provision::Failed => ("provision_errored", format!("{key}: ({kind}) Provisioning errored")),
    };
    json_line("info", &message, time, name, |line| {
        let mut hook = Object::new(line.key("hook"));
        write_resource(key, hook.key("resource"));
        hook.text("provisioner", kind);
        if let Provision::Output(output) = what {
            hook.text("output", output);
        }
        hook.end();
    })
}

/// The same for machines, without colours.
pub fn progress_line(
    key: &ObjectKey,
    doing: Doing,
    moment: Moment,
    id: Option<&str>,
    time: &str,
) -> String {
    let id = id.filter(|it| !it.is_empty());
    let id = match moment {
        Moment::Started => id.filter(|_| doing != Doing::Create),
        Moment::Done(_) => id.filter(|_| doing != Doing::Delete),
        Moment::Running(_) | Moment::Failed(_) => None,
    };
    let (kind, text, elapsed) = match moment {
        Moment::Started => ("apply_start", format!("{}...", verb(doing, true)), None),
        Moment::Running(elapsed) => {
            let verb = verb(doing, true).to_lowercase();
            let text = format!("Still {verb}... [{} elapsed]", seconds(elapsed));
            ("apply_progress", text, Some(elapsed))
        }
        Moment::Done(elapsed) => {
            let text = format!("{} after {}", complete(doing, true), seconds(elapsed));
            ("apply_complete", text, Some(elapsed))
        }
        Moment::Failed(elapsed) => {
            let text = format!("{} errored after {}", noun(doing, true), seconds(elapsed));
            ("apply_errored", text, Some(elapsed))
        }
    };
    let message = format!("{key}: {}", with_id(text, id));
    json_line("info", &message, time, kind, |line| {
        let mut hook = Object::new(line.key("hook"));
        write_resource(key, hook.key("resource"));
        hook.text(
            "action",
            match doing {
                Doing::Create => "create",
                Doing::Update => "update",
                Doing::Delete => "delete",
                Doing::Read => "read",
            },
        );
        if let Some(id) = id {
            hook.text("id_key", "id");
            hook.text("id_value", id);
        }
        if let Some(elapsed) = elapsed {
            hook.number("elapsed_seconds", elapsed.as_secs());
        }
        hook.end();
    })
}

/// `docker_network.lab: Refreshing state... [id=…]`
pub fn refresh_text(key: &ObjectKey, id: &str, style: Style) -> String {
    format!(
        "{} {}",
        style.bold(&format!("{key}:")),
        with_id("Refreshing state...".into(), Some(id))
    )
}

/// The beginning or the end of a refresh for machines.
pub fn refresh_line(key: &ObjectKey, id: &str, done: bool, time: &str) -> String {
    let (text, kind) = if done {
        ("Refresh complete", "refresh_complete")
    } else {
        ("Refreshing state...", "refresh_start")
    };
    let message = format!("{key}: {text} [id={id}]");
    json_line("info", &message, time, kind, |line| {
        let mut hook = Object::new(line.key("hook"));
        write_resource(key, hook.key("resource"));
        hook.text("id_key", "id");
        hook.text("id_value", id);
        hook.end();
    })
}

/// `Apply complete! Resources: 1 added, 0 changed, 0 destroyed.`
pub fn complete_text(counts: Counts, operation: Operation, style: Style) -> String {
    style.bold_green(&complete_message(counts, operation))
}

fn complete_message(counts: Counts, operation: Operation) -> String {
    let Counts { add, change, remove, import, forget } = counts;
    let imported = if import > 0 { format!("{import} imported, ") } else { String::new() };
    let forgotten = if forget > 0 { format!(", {forget} forgotten") } else { String::new() };
    match operation {
        Operation::Destroy => {
            format!("Destroy complete! Resources: {remove} destroyed{forgotten}.")
        }
        Operation::Apply | Operation::Plan => format!(
            "Apply complete! Resources: {imported}{add} added, {change} changed, {remove} \
             destroyed{forgotten}."
        ),
    }
}

/// The first line of `-json` output.
pub fn version_line(version: &str, time: &str) -> String {
    json_line("info", &format!("Plumb {version}"), time, "version", |line| {
        line.text("terraform", version);
    })
}

/// A line for each change of the plan, drift first.
pub fn plan_lines(plan: &Plan, time: &str) -> String {
    let mut out = String::new();
    for (key, (_, after)) in &plan.drift {
        let action = if after.is_some() { "update" } else { "delete" };
        let message = format!("{key}: Drift detected ({action})");
        out += &json_line("info", &message, time, "resource_drift", |line| {
            let mut change = Object::new(line.key("change"));
            write_resource(key, change.key("resource"));
            change.text("action", action);
            change.end();
        });
    }
    for (key, change) in &plan.changes {
        if let Some(action) = action_name(change) {
            out += &planned_change(key, change, action, time);
        }
    }
    out
}

fn planned_change(key: &ObjectKey, change: &Change, action: &str, time: &str) -> String {
    let message = format!("{key}: Plan to {action}");
    json_line("info", &message, time, "planned_change", |line| {
        let mut object = Object::new(line.key("change"));
        write_resource(key, object.key("resource"));
        if let Some(from) = &change.moved_from {
            write_resource(&from.current(), object.key("previous_resource"));
        }
        object.text("action", action);
        if let Some(reason) = change.reason {
            object.text("reason", short_reason(reason));
        }
        if let Some(id) = &change.importing {
            let mut importing = Object::new(object.key("importing"));
            importing.text("id", id);
            importing.end();
        }
        object.end();
    })
}

fn action_name(change: &Change) -> Option<&'static str> {
    Some(match change.action {
        Action::Keep if change.importing.is_some() => "import",
        Action::Keep if change.moved_from.is_some() => "move",
        Action::Keep => return None,
        Action::Create => "create",
        Action::Read => "read",
        Action::Update => "update",
        Action::Replace(_) => "replace",
        Action::Delete => "delete",
        Action::Forget => "remove",
    })
}

fn short_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::ReplaceBecauseTainted => "tainted",
        Reason::ReplaceByRequest => "requested",
        Reason::ReplaceByTriggers => "replace_triggered_by",
        Reason::ReplaceBecauseCannotUpdate => "cannot_update",
        other => other.name(),
    }
}

/// What was or will be done, for machines.
pub fn summary_json_line(counts: Counts, operation: Operation, plan: &Plan, time: &str) -> String {
    let (message, name) = match operation {
        Operation::Plan => (summary_line(plan, Style::PLAIN), "plan"),
        Operation::Apply => (complete_message(counts, operation), "apply"),
        Operation::Destroy => (complete_message(counts, operation), "destroy"),
    };
    json_line("info", &message, time, "change_summary", |line| {
        let mut changes = Object::new(line.key("changes"));
        changes.number("add", counts.add);
        changes.number("change", counts.change);
        changes.number("import", counts.import);
        changes.number("remove", counts.remove);
        changes.text("operation", name);
        changes.end();
    })
}

/// What becomes of the outputs, for machines. Nothing if there are none.
pub fn planned_outputs_line(plan: &Plan, time: &str) -> Option<String> {
    let message = format!("Outputs: {}", plan.outputs.len());
    (!plan.outputs.is_empty()).then(|| {
        json_line("info", &message, time, "outputs", |line| {
            let mut outputs = Object::new(line.key("outputs"));
            for (name, change) in &plan.outputs {
                let mut output = Object::new(outputs.key(name));
                output.bool("sensitive", is_sensitive_change(change));
                output.text(
                    "action",
                    match output_diff(change).sign {
                        Sign::Keep => "noop",
                        Sign::Create => "create",
                        Sign::Update => "update",
                        Sign::Delete => "delete",
                    },
                );
                output.end();
            }
            outputs.end();
        })
    })
}

fn is_sensitive_change(change: &plumb_model::plan::OutputChange) -> bool {
    let marked = |it: &Option<Value>| it.as_ref().is_some_and(|it| it.has_mark(Marks::SENSITIVE));
    change.sensitive || marked(&change.after) || change.after.is_none() && marked(&change.before)
}

/// What the outputs are now, for machines. Nothing if there are none.
pub fn outputs_line(outputs: &BTreeMap<Arc<str>, Value>, time: &str) -> Option<String> {
    let message = format!("Outputs: {}", outputs.len());
    (!outputs.is_empty()).then(|| {
        json_line("info", &message, time, "outputs", |line| {
            let mut all = Object::new(line.key("outputs"));
            for (name, value) in outputs {
                let sensitive = value.has_mark_deep(Marks::SENSITIVE);
                let mut output = Object::new(all.key(name));
                output.bool("sensitive", sensitive);
                output.raw("type", &value.ty().to_json());
                if !sensitive {
                    write_json(value, output.key("value"));
                }
                output.end();
            }
            all.end();
        })
    })
}

/// A line of `-json` output.
pub(crate) fn json_line(
    level: &str,
    message: &str,
    time: &str,
    kind: &str,
    rest: impl FnOnce(&mut Object<'_>),
) -> String {
    let mut out = String::new();
    let mut line = Object::new(&mut out);
    line.text("@level", level);
    line.text("@message", message);
    line.text("@module", "terraform.ui");
    line.text("@timestamp", time);
    rest(&mut line);
    line.text("type", kind);
    // Keys are sorted, so this one comes behind the type.
    if kind == "version" {
        line.text("ui", "1.2");
    }
    line.end();
    out.push('\n');
    out
}

pub(crate) fn write_resource(key: &ObjectKey, out: &mut String) {
    let addr = &key.addr;
    let resource = &addr.resource;
    let mut object = Object::new(out);
    object.text("addr", &addr.to_string());
    object.text("module", &addr.module.to_string());
    let instance = addr.key.as_ref().map(InstanceKey::to_string).unwrap_or_default();
    object.text("resource", &format!("{resource}{instance}"));
    object.text("implied_provider", resource.kind.provider_name());
    object.text("resource_type", &resource.kind);
    object.text("resource_name", &resource.name);
    match &addr.key {
        None => object.raw("resource_key", "null"),
        Some(InstanceKey::Int(index)) => object.number("resource_key", index),
        Some(InstanceKey::Str(name)) => write_string(name, object.key("resource_key")),
    }
    object.end();
}

fn with_id(text: String, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{text} [id={id}]"),
        None => text,
    }
}

fn verb(doing: Doing, json: bool) -> &'static str {
    match doing {
        Doing::Create => "Creating",
        Doing::Update => "Modifying",
        Doing::Delete => "Destroying",
        Doing::Read if json => "Refreshing",
        Doing::Read => "Reading",
    }
}

fn noun(doing: Doing, json: bool) -> &'static str {
    match doing {
        Doing::Create => "Creation",
        Doing::Update => "Modifications",
        Doing::Delete => "Destruction",
        Doing::Read if json => "Refresh",
        Doing::Read => "Read",
    }
}

fn complete(doing: Doing, json: bool) -> String {
    format!("{} complete", noun(doing, json))
}

/// Whole seconds as `1h2m3s`.
pub fn seconds(elapsed: Duration) -> String {
    let total = elapsed.as_secs();
    let (hours, minutes, seconds) = (total / 3600, total / 60 % 60, total % 60);
    match (hours, minutes) {
        (0, 0) => format!("{seconds}s"),
        (0, _) => format!("{minutes}m{seconds}s"),
        _ => format!("{hours}h{minutes}m{seconds}s"),
    }
}
