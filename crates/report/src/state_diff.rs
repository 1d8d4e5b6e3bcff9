//! What differs between two states, as text and as JSON. Secrets are in neither.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::Arc;

use plumb_model::addr::ObjectKey;
use plumb_model::plan::{Action, OutputChange};
use plumb_model::schema::Schemas;
use plumb_model::state::{Object as Stored, State};
use plumb_model::value::{Marks, Value};

use crate::diff::Forcing;
use crate::json::{Object, array, indent_json};
use crate::plan_json::{write_output_change, write_sides};
use crate::plan_text::{object_diff, symbol, write_object, write_outputs};
use crate::quote::printable;
use crate::state_json::{marked, write_identity};
use crate::style::Style;

/// A state and what it was called.
#[derive(Clone, Copy)]
pub struct Named<'a> {
    /// As it was asked for.
    pub name: &'a str,
    /// The state.
    pub state: &'a State,
}

/// Two states to hold against each other.
#[derive(Clone, Copy)]
pub struct StateDiff<'a> {
    /// The one.
    pub before: Named<'a>,
    /// The other.
    pub after: Named<'a>,
    /// Schemas of every provider.
    pub schemas: &'a Schemas,
}

/// What became of one object.
struct Pair<'a> {
    key: &'a ObjectKey,
    before: Option<&'a Stored>,
    after: Option<&'a Stored>,
}

impl StateDiff<'_> {
    /// Whether they differ in anything that is told.
    pub fn differs(&self) -> bool {
        !self.pairs().is_empty() || !self.outputs().is_empty()
    }

    fn pairs(&self) -> Vec<Pair<'_>> {
        let (before, after) = (&self.before.state.objects, &self.after.state.objects);
        let keys: BTreeSet<&ObjectKey> = before.keys().chain(after.keys()).collect();
        let pairs = keys.into_iter().map(|key| Pair {
            key,
            before: before.get(key),
            after: after.get(key),
        });
        pairs.filter(Pair::differs).collect()
    }

    fn outputs(&self) -> std::collections::BTreeMap<Arc<str>, OutputChange> {
        let (before, after) = (&self.before.state.outputs, &self.after.state.outputs);
        let names: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
        let change = |name: &Arc<str>| {
            let (before, after) = (before.get(name).cloned(), after.get(name).cloned());
            let secret = |it: &Option<Value>| {
                it.as_ref().is_some_and(|it| it.has_mark_deep(Marks::SENSITIVE))
            };
            let sensitive = secret(&before) || secret(&after);
            OutputChange { before, after, sensitive }
        };
        let changes = names.into_iter().map(|name| (name.clone(), change(name)));
        changes.filter(|it| !it.1.is_keep()).collect()
    }
}

impl Pair<'_> {
    fn differs(&self) -> bool {
        match (self.before, self.after) {
            (Some(a), Some(b)) => {
                a.attrs != b.attrs || a.tainted != b.tainted || a.provider != b.provider
            }
            _ => true,
        }
    }

    fn action(&self) -> Action {
        match (self.before, self.after) {
            (None, _) => Action::Create,
            (_, None) => Action::Delete,
            _ => Action::Update,
        }
    }

    fn source(&self) -> &str {
        self.after.or(self.before).map_or("", |it| &it.provider.source)
    }

    /// What is not among the attributes.
    fn besides(&self) -> Vec<String> {
        let (Some(a), Some(b)) = (self.before, self.after) else { return Vec::new() };
        let mut res = Vec::new();
        match (a.tainted, b.tainted) {
            (false, true) => res.push("it has become tainted".to_owned()),
            (true, false) => res.push("it is no longer tainted".to_owned()),
            _ => {}
        }
        if a.provider != b.provider {
            res.push(format!("its provider was {} and is {}", a.provider, b.provider));
        }
        res
    }
}

/// For people: as a plan shows changes.
pub fn state_diff_text(diff: StateDiff<'_>, style: Style) -> String {
    let mut out = String::new();
    let (pairs, outputs) = (diff.pairs(), diff.outputs());
    let (a, b) = (diff.before.name, diff.after.name);
    if pairs.is_empty() && outputs.is_empty() {
        let _ = writeln!(out, "{}", style.bold(&format!("No differences between {a} and {b}.")));
        return out;
    }
    let mut counts = [0_usize; 3];
    for pair in &pairs {
        let name = style.bold(&printable(&pair.key.to_string()));
        let (index, what) = match pair.action() {
            Action::Create => (0, "was added"),
            Action::Delete => (2, "was removed"),
            _ => (1, "was changed"),
        };
        counts[index] += 1;
        let _ = writeln!(out, "\n  # {name} {what}");
        pair.besides().iter().for_each(|it| _ = writeln!(out, "  # ({it})"));
        let (before, after) = (pair.before.map(|it| &it.attrs), pair.after.map(|it| &it.attrs));
        let none = Forcing::default();
        let tree = object_diff(diff.schemas, pair.source(), pair.key, before, after, &none);
        write_object(&symbol(pair.action(), style), pair.key, &tree, style, &mut out);
    }
    let [added, changed, removed] = counts;
    let _ = writeln!(
        out,
        "\n{} {added} added, {changed} changed, {removed} removed.",
        style.bold(&format!("From {a} to {b}:"))
    );
    if !outputs.is_empty() {
        let _ = writeln!(out, "\n{}", style.bold("Changes to Outputs:"));
        write_outputs(&outputs, style, &mut out);
    }
    out
}

/// For machines: one document. The shape of changes is that of a plan's JSON, but what is secret is
/// null.
pub fn state_diff_json(diff: StateDiff<'_>) -> String {
    let mut out = String::new();
    let mut json = Object::new(&mut out);
    json.text("format_version", "1.0");
    for (key, named) in [("before", diff.before), ("after", diff.after)] {
        let mut side = Object::new(json.key(key));
        side.text("name", named.name);
        side.text("lineage", &named.state.lineage);
        side.number("serial", named.state.serial);
        side.end();
    }
    json.bool("differs", diff.differs());
    array(diff.pairs(), json.key("resource_changes"), |it, out| write_pair(diff, &it, out));
    let mut outputs = Object::new(json.key("output_changes"));
    for (name, change) in &diff.outputs() {
        let hidden = |it: &Option<Value>| {
            it.as_ref()
                .map(|it| if change.sensitive { Value::NULL.sensitive() } else { it.clone() })
        };
        let (before, after) = (hidden(&change.before), hidden(&change.after));
        let shown = OutputChange { before, after, sensitive: change.sensitive };
        write_output_change(&shown, outputs.key(name));
    }
    outputs.end();
    json.end();
    indent_json(&out)
}

fn write_pair(diff: StateDiff<'_>, pair: &Pair<'_>, out: &mut String) {
    let addr = &pair.key.addr;
    let mut json = Object::new(out);
    json.text("address", &addr.to_string());
    if !addr.module.is_root() {
        json.text("module_address", &addr.module.to_string());
    }
    write_identity(addr, pair.source(), &mut json);
    if let Some(deposed) = &pair.key.deposed {
        json.text("deposed", &deposed.0);
    }
    let side = |it: Option<&Stored>| {
        it.map(|it| hidden(&marked(diff.schemas, &it.provider.source, addr, &it.attrs)))
    };
    let (before, after) = (side(pair.before), side(pair.after));
    let actions: &[&str] = match pair.action() {
        Action::Create => &["create"],
        Action::Delete => &["delete"],
        _ => &["update"],
    };
    let mut change = Object::new(json.key("change"));
    write_sides(actions, before.as_ref(), after.as_ref(), &mut change);
    change.end();
    let tainted = |it: Option<&Stored>| it.is_some_and(|it| it.tainted);
    json.bool("tainted_before", tainted(pair.before));
    json.bool("tainted_after", tainted(pair.after));
    array(changed(pair), json.key("changed_attributes"), |it, out| {
        plumb_model::value::json::write_string(&it, out);
    });
    json.end();
}

/// The attributes that differ, secret ones too: which they are is no secret.
fn changed(pair: &Pair<'_>) -> Vec<String> {
    let attrs =
        |it: Option<&Stored>| it.and_then(|it| it.attrs.as_map().cloned()).unwrap_or_default();
    let (before, after) = (attrs(pair.before), attrs(pair.after));
    let names: BTreeSet<&Arc<str>> = before.keys().chain(after.keys()).collect();
    let differ = names.into_iter().filter(|it| before.get(*it) != after.get(*it));
    differ.map(ToString::to_string).collect()
}

/// The value with null in place of every secret; the secrets' marks stay.
fn hidden(value: &Value) -> Value {
    if !value.has_mark_deep(Marks::SENSITIVE) {
        return value.clone();
    }
    if value.has_mark(Marks::SENSITIVE) {
        return if value.is_null() { value.clone() } else { Value::NULL.sensitive() };
    }
    // The types of what is left out are no secret, but those of elements would no longer agree.
    match value.as_map() {
        Some(items) => Value::object(items.iter().map(|(name, it)| (name.clone(), hidden(it)))),
        None => Value::tuple(value.values().map(hidden).collect()),
    }
}
