//! From what was planned and seen to what moved.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_lang::config::Accept;
use plumb_lang::{Program, relevant_attributes};
use plumb_model::Target;
use plumb_model::addr::{Addr, ConfigAddr, Mode, ObjectKey, ProviderAddr};
use plumb_model::plan::{Action, Change, Plan};
use plumb_model::propose::{mark_sensitive, unmanaged};
use plumb_model::question::{Answer, Observations, QuestionKey};
use plumb_model::schema::Schemas;
use plumb_model::state::{Object, State};
use plumb_model::value::{Path, Value};
use plumb_provider::Foreign;

use crate::accept::{matches_address, standing};
use crate::finding::{Class, DriftReport, Finding, Pending, Previous, Standing};
use crate::moved::moved;

/// Everything that a report is made of.
#[derive(Clone, Copy)]
pub struct Input<'a> {
    /// The configuration.
    pub program: &'a Program,
    /// What the providers say of themselves.
    pub schemas: &'a Schemas,
    /// What is remembered.
    pub state: &'a State,
    /// The plan that looked at the world.
    pub plan: &'a Plan,
    /// The plan that did not: what the configuration asks for by itself.
    pub pending: &'a Plan,
    /// What was seen.
    pub seen: &'a Observations,
    /// What stands beside our objects.
    pub foreign: &'a [(Arc<ProviderAddr>, Foreign)],
    /// What somebody accepted.
    pub accepts: &'a [Accept],
    /// What is ignored in this run: addresses, in which `*` stands for any text.
    pub ignored: &'a [String],
    /// Only these; empty: all.
    pub targets: &'a [Target],
    /// Not these.
    pub excluded: &'a [Target],
    /// When earlier looks found it.
    pub previous: &'a Previous,
    /// Now, in the form of RFC 3339, in UTC.
    pub now: &'a str,
    /// The workspace.
    pub workspace: &'a str,
}

/// What moved.
pub fn classify(input: Input<'_>) -> DriftReport {
    let mut findings = Vec::new();
    let around = Around::of(input);
    for (key, (before, after)) in &input.plan.drift {
        findings.extend(ours(input, &around, key, before, after.as_ref()));
    }
    for (key, object) in &input.state.objects {
        findings.extend(undeclared(input, key, object));
    }
    findings
        .extend(input.foreign.iter().map(|(provider, it)| foreign(input, &around, provider, it)));
    findings.retain(|it| is_wanted(input, it));
    findings.sort_by(|a, b| (a.class, &a.address, &a.id).cmp(&(b.class, &b.address, &b.id)));
    let mut used = vec![false; input.accepts.len()];
    let today = input.now.get(..10).unwrap_or(input.now);
    for finding in &mut findings {
        let found = standing(finding, input.accepts, today, &mut used);
        finding.standing = match found {
            _ if input.ignored.iter().any(|it| matches_address(it, &finding.address)) => {
                Standing::Ignored
            }
            Standing::Counts if finding.standing == Standing::Quiet => Standing::Quiet,
            found => found,
        };
        let first = finding.paths().into_iter().filter_map(|path| {
            input.previous.0.get(&(finding.class, finding.address.clone(), path)).cloned()
        });
        finding.first_seen = first.min().unwrap_or_else(|| input.now.into());
    }
    let looked = input.seen.keys().filter(|it| matches!(it, QuestionKey::Current(_))).count();
    DriftReport {
        when: input.now.into(),
        workspace: input.workspace.into(),
        lineage: input.state.lineage.clone(),
        serial: input.state.serial,
        looked,
        findings,
        pending: pending(input),
        notes: unused(input, &used),
    }
}

/// The objects that an apply of nothing but repairs brings back.
pub fn repairable(report: &DriftReport) -> impl Iterator<Item = &Finding> {
    report.counting().filter(|it| !it.pending && it.repair.is_some_and(|it| it != Action::Keep))
}

/// What many findings ask for, made once.
struct Around<'a> {
    /// By resource or instance: where the changes and outputs that the drift causes come from.
    relevant: BTreeMap<String, Vec<String>>,
    /// By block: the objects that lean on those of the block.
    leaning: BTreeMap<&'a ConfigAddr, Vec<&'a ObjectKey>>,
    /// By id.
    ours: BTreeMap<&'a str, &'a ObjectKey>,
}

impl<'a> Around<'a> {
    fn of(input: Input<'a>) -> Around<'a> {
        let mut res =
            Around { relevant: relevant(input), leaning: BTreeMap::new(), ours: BTreeMap::new() };
        for (key, object) in &input.state.objects {
            res.ours.entry(id_of(&object.attrs)).or_insert(key);
            if key.addr.resource.mode == Mode::Managed {
                for block in object.needs.iter() {
                    res.leaning.entry(block).or_default().push(key);
                }
            }
        }
        res
    }
}

fn relevant(input: Input<'_>) -> BTreeMap<String, Vec<String>> {
    let mut res: BTreeMap<String, Vec<String>> = BTreeMap::new();
    if input.plan.drift.is_empty() {
        return res;
    }
    let caused = input.plan.changes.iter().filter(|(key, it)| {
        it.action != Action::Keep && !same(it, input.pending.changes.get(*key))
    });
    let outputs = input
        .plan
        .outputs
        .iter()
        .filter(|(name, it)| !it.is_keep() && input.pending.outputs.get(*name) != Some(it));
    let (caused, outputs) = (caused.map(|it| &it.0.addr), outputs.map(|it| it.0));
    for (name, path) in relevant_attributes(input.program, caused, outputs) {
        res.entry(name).or_default().push(path_text(&path));
    }
    res
}

/// Whether the configuration asks for the same change without any drift.
fn same(change: &Change, pending: Option<&Change>) -> bool {
    pending.is_some_and(|it| it.action == change.action && it.after == change.after)
}

fn ours(
    input: Input<'_>,
    around: &Around<'_>,
    key: &ObjectKey,
    before: &Value,
    after: Option<&Value>,
) -> Option<Finding> {
    let object = input.state.objects.get(key);
    let change = input.plan.changes.get(key);
    let provider = object.map(|it| &it.provider).or(change.map(|it| &it.provider))?.clone();
    let resource = &key.addr.resource;
    let schema = input.schemas.resource(&provider.source, resource.mode, &resource.kind);
    // What is remembered has the marks of the configuration; those of the schema count as well.
    let marked = |it| match schema {
        Some(schema) => mark_sensitive(&schema.block, it),
        None => Cow::Borrowed(it),
    };
    let attributes = after.map(|it| moved(&marked(before), &marked(it))).unwrap_or_default();
    let class = if after.is_some() { Class::Changed } else { Class::Deleted };
    if class == Class::Changed && attributes.is_empty() {
        return None;
    }
    let repair = change.map(|it| it.action).filter(|it| *it != Action::Keep);
    let names = [key.addr.to_string(), without_key(&key.addr)];
    let looked_at = names
        .iter()
        .filter_map(|it| around.relevant.get(it))
        .flatten()
        .any(|path| attributes.iter().any(|it| overlap(path, &it.path)));
    let mut why = Vec::new();
    why.extend(change.and_then(|it| mending(it, class)));
    let leaning = around.leaning.get(&key.addr.config()).map_or(&[][..], |it| it);
    if !leaning.is_empty() && (class == Class::Deleted || is_replaced(repair)) {
        why.push(format!("{} on it: {}.", lean(leaning.len()), listed(leaning)).into());
    }
    why.extend(change.into_iter().flat_map(|it| it.says.iter().cloned()));
    if looked_at {
        why.push("Other resources or outputs are made from what moved.".into());
    }
    let standing = match class {
        Class::Changed if repair.is_none() && !looked_at => {
            why.push(
                "Nothing in the configuration asks for another value, and nothing is made from it."
                    .into(),
            );
            Standing::Quiet
        }
        _ => Standing::Counts,
    };
    Some(Finding {
        class,
        address: key.to_string().into(),
        key: Some(key.clone()),
        kind: key.addr.resource.kind.clone(),
        provider,
        id: id_of(before).into(),
        attributes,
        why,
        repair,
        pending: is_pending(input, key),
        first_seen: "".into(),
        span: span(input.program, &key.addr),
        standing,
    })
}

fn is_replaced(repair: Option<Action>) -> bool {
    matches!(repair, Some(Action::Replace(_)))
}

/// What an apply would do about it.
fn mending(change: &Change, class: Class) -> Option<Arc<str>> {
    let text = match (change.action, class) {
        (Action::Keep | Action::Read, _) => return None,
        (Action::Create, _) => "An apply would make it again.".to_owned(),
        (Action::Update, _) => "An apply would set it back in place.".to_owned(),
        (Action::Replace(_), _) if change.replace_paths.is_empty() => {
            "An apply would put a new object in its place.".to_owned()
        }
        (Action::Replace(_), _) => {
            let paths: Vec<String> = change.replace_paths.iter().map(path_text).collect();
            let paths = paths.join(", ");
            format!("An apply would put a new object in its place: {paths} cannot be changed.")
        }
        (Action::Delete, _) => "The configuration no longer has it.".to_owned(),
        (Action::Forget, _) => "The configuration lets go of it.".to_owned(),
    };
    Some(text.into())
}

fn lean(count: usize) -> String {
    if count == 1 { "1 object leans".to_owned() } else { format!("{count} objects lean") }
}

fn listed(keys: &[&ObjectKey]) -> String {
    const SHOWN_MAX: usize = 5;
    let names: Vec<String> = keys.iter().take(SHOWN_MAX).map(ToString::to_string).collect();
    let mut res = names.join(", ");
    if keys.len() > SHOWN_MAX {
        res += &format!(" and {} more", keys.len() - SHOWN_MAX);
    }
    res
}

/// An argument that is left out, and that has another value than when it was last seen.
fn undeclared(input: Input<'_>, key: &ObjectKey, object: &Object) -> Option<Finding> {
    let before = object.unmanaged.as_ref()?;
    let Some(Answer::Object(remote)) = input.seen.get(&QuestionKey::Current(key.clone())) else {
        return None;
    };
    let resource = &key.addr.resource;
    let schema = input.schemas.resource(&object.provider.source, resource.mode, &resource.kind)?;
    let after = unmanaged(&schema.block, &object.attrs.unmark_deep(), &remote.attrs)?;
    let attributes = moved(before, &after);
    if attributes.is_empty() {
        return None;
    }
    let why = "The configuration leaves it open, so an apply would not set it back. Declare the \
               value that is wanted, or accept the new one with `plumb refresh`.";
    Some(Finding {
        class: Class::Undeclared,
        address: key.to_string().into(),
        key: Some(key.clone()),
        kind: resource.kind.clone(),
        provider: object.provider.clone(),
        id: id_of(&object.attrs).into(),
        attributes,
        why: vec![why.into()],
        repair: None,
        pending: is_pending(input, key),
        first_seen: "".into(),
        span: span(input.program, &key.addr),
        standing: Standing::Counts,
    })
}

fn foreign(
    input: Input<'_>,
    around: &Around<'_>,
    provider: &Arc<ProviderAddr>,
    found: &Foreign,
) -> Finding {
    let beside = found.beside.as_ref().and_then(|id| around.ours.get(&**id)).copied();
    let mut why = format!("Nobody declared it, and it {}", found.how);
    if let Some(key) = beside {
        why += &format!(" ({key})");
    }
    why.push('.');
    Finding {
        class: Class::Foreign,
        address: format!("{}:{}", found.kind, found.name).into(),
        key: None,
        kind: found.kind.clone(),
        provider: provider.clone(),
        id: found.id.clone(),
        attributes: Vec::new(),
        why: vec![why.into()],
        repair: None,
        pending: false,
        first_seen: "".into(),
        span: beside.and_then(|key| span(input.program, &key.addr)),
        standing: Standing::Counts,
    }
}

fn is_wanted(input: Input<'_>, finding: &Finding) -> bool {
    let Some(key) = &finding.key else {
        // What stands beside is looked for as a whole.
        return input.targets.is_empty();
    };
    (input.targets.is_empty() || input.targets.iter().any(|it| it.contains(&key.addr)))
        && !input.excluded.iter().any(|it| it.contains(&key.addr))
}

fn is_pending(input: Input<'_>, key: &ObjectKey) -> bool {
    input.pending.changes.get(key).is_some_and(|it| it.action != Action::Keep)
}

fn pending(input: Input<'_>) -> Vec<Pending> {
    let asked = input.pending.changes.iter().filter(|it| it.1.action != Action::Keep);
    asked.map(|(key, it)| Pending { address: key.to_string().into(), action: it.action }).collect()
}

/// Blocks that fell on nothing.
fn unused(input: Input<'_>, used: &[bool]) -> Diagnostics {
    let whole = input.targets.is_empty() && input.excluded.is_empty();
    let unused = input.accepts.iter().zip(used).filter(|(_, used)| whole && !**used);
    unused
        .map(|(block, _)| {
            let detail = format!("Nothing at {} moved. The block can go.", block.address);
            Diagnostic::warning("Accepted drift is not there", detail).at(block.span)
        })
        .collect()
}

fn id_of(attrs: &Value) -> &str {
    attrs.get_attr("id").and_then(Value::as_str).unwrap_or_default()
}

fn without_key(addr: &Addr) -> String {
    Addr { key: None, ..addr.clone() }.to_string()
}

/// As the language writes it.
fn path_text(path: &Path) -> String {
    path.to_string().trim_start_matches('.').to_owned()
}

/// Whether one path leads into the other.
fn overlap(a: &str, b: &str) -> bool {
    let into = |a: &str, b: &str| {
        b.strip_prefix(a).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    };
    a.is_empty() || into(a, b) || into(b, a)
}

/// The header of the block that declares an object.
fn span(program: &Program, addr: &Addr) -> Option<Span> {
    let id = program.find(&addr.config())?;
    let module = program.module(program.node(id).module);
    module.config.resources.get(&addr.resource).map(|it| it.span)
}
