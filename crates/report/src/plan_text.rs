//! A plan as a person reviews it.

use std::collections::BTreeSet;
use std::fmt::Write;

use plumb_model::addr::{InstanceKey, Mode, ObjectKey};
use plumb_model::plan::{Action, Change, OutputChange, Plan, Reason, ReplaceOrder};
use plumb_model::schema::Schemas;
use plumb_model::value::{Path, Step, Type, Value};
use unicode_width::UnicodeWidthStr;

use crate::diff::{Diff, Forcing, Options, Shape, Sign, block_diff, draw, line_start, value_diff};
use crate::quote::{attribute_name, printable, quote};
use crate::style::{Style, wrap};

/// What the plan is for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlanMode {
    /// To reach what is configured.
    #[default]
    Normal,
    /// To delete everything.
    Destroy,
    /// To take over what was seen.
    RefreshOnly,
}

/// A plan and what else is needed to show it.
#[derive(Clone, Copy)]
pub struct PlanText<'a> {
    /// The plan.
    pub plan: &'a Plan,
    /// Schemas of every provider.
    pub schemas: &'a Schemas,
    /// What it is for.
    pub mode: PlanMode,
    /// What of which resource the changes come from: of the drift, only that is shown. None: all.
    pub relevant: Option<&'a [(String, Path)]>,
    /// How it may look.
    pub style: Style,
}

/// The plan: drift, legend, changes, summary line, outputs. Its notes are not part of it, since
/// they are diagnostics.
pub fn plan_text(input: PlanText<'_>) -> String {
    let PlanText { plan, mode, style, .. } = input;
    let mut out = String::new();
    let has_drift = write_drift(input, &mut out);
    let shown: Vec<(&ObjectKey, &Change)> =
        plan.changes.iter().filter(|(_, change)| is_shown(change)).collect();
    let outputs_change = plan.outputs.values().any(|it| !it.is_keep());
    if shown.is_empty() && !outputs_change {
        write_no_changes(mode, has_drift, style, &mut out);
        return out;
    }
    if !shown.is_empty() {
        if has_drift {
            let note = "Unless you have made equivalent changes to your configuration, or ignored \
                the relevant attributes using ignore_changes, the following plan may include \
                actions to undo or respond to these changes.";
            let _ = writeln!(out, "\n{}\n\n{}", wrap(note, style.width), style.rule());
        }
        write_legend(&shown, style, &mut out);
        for (key, change) in &shown {
            write_change(input, key, change, &mut out);
        }
        let _ = writeln!(out, "\n{}", summary_line(plan, style));
    }
    if outputs_change {
        let _ = writeln!(out, "\n{}", style.bold("Changes to Outputs:"));
        write_outputs(&plan.outputs, style, &mut out);
        if shown.is_empty() {
            let note = "You can apply this plan to save these new output values to the Plumb \
                state, without changing any real infrastructure.";
            let _ = writeln!(out, "\n{}", wrap(note, style.width));
        }
    }
    out
}

/// `Plan: 1 to add, 0 to change, 0 to destroy.`
pub fn summary_line(plan: &Plan, style: Style) -> String {
    let counts = Counts::of(plan);
    let mut text = format!("{} ", style.bold("Plan:"));
    if counts.import > 0 {
        let _ = write!(text, "{} to import, ", counts.import);
    }
    let _ = write!(
        text,
        "{} to add, {} to change, {} to destroy",
        counts.add, counts.change, counts.remove
    );
    if counts.forget > 0 {
        let _ = write!(text, ", {} to forget", counts.forget);
    }
    text + "."
}

/// How much a plan does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Objects made, replacements included.
    pub add: usize,
    /// Objects changed in place.
    pub change: usize,
    /// Objects deleted, replacements included.
    pub remove: usize,
    /// Objects brought in.
    pub import: usize,
    /// Objects let go.
    pub forget: usize,
}

impl Counts {
    /// What `plan` does.
    pub fn of(plan: &Plan) -> Counts {
        let mut counts = Counts::default();
        for change in plan.changes.values() {
            counts.import += usize::from(change.importing.is_some());
            match change.action {
                Action::Create => counts.add += 1,
                Action::Update => counts.change += 1,
                Action::Delete => counts.remove += 1,
                Action::Replace(_) => {
                    counts.add += 1;
                    counts.remove += 1;
                }
                Action::Forget => counts.forget += 1,
                Action::Keep | Action::Read => {}
            }
        }
        counts
    }
}

pub(crate) fn is_shown(change: &Change) -> bool {
    change.action != Action::Keep || change.moved_from.is_some() || change.importing.is_some()
}

fn write_no_changes(mode: PlanMode, has_drift: bool, style: Style, out: &mut String) {
    let (headline, text) = match (mode, has_drift) {
        (PlanMode::RefreshOnly, true) => {
            let text = "This is a refresh-only plan, so Plumb will not take any actions to undo \
                these. If you were expecting these changes then you can apply this plan to record \
                the updated values in the Plumb state without changing any remote objects.";
            let _ = writeln!(out, "\n{}", wrap(text, style.width));
            return;
        }
        (PlanMode::RefreshOnly, false) => (
            "No changes. Your infrastructure still matches the configuration.",
            "Plumb has checked that the real remote objects still match the result of your most \
             recent changes, and found no differences.",
        ),
        (PlanMode::Destroy, _) => (
            "No changes. No objects need to be destroyed.",
            "Either you have not created any objects yet or the existing objects were already \
             deleted outside of Plumb.",
        ),
        (PlanMode::Normal, true) => (
            "No changes. Your infrastructure matches the configuration.",
            "Your configuration already applies the changes detected above. Applying this plan \
             will only update the Plumb state to include the changes detected above and won't \
             change any real infrastructure.",
        ),
        (PlanMode::Normal, false) => (
            "No changes. Your infrastructure matches the configuration.",
            "Plumb has compared your real infrastructure against your configuration and found no \
             differences, so no changes are needed.",
        ),
    };
    if has_drift {
        let _ = writeln!(out, "\n{}", style.rule());
    }
    let (headline, rest) = headline.split_at("No changes.".len());
    let headline = format!("{}{}", style.bold_green(headline), style.bold(rest));
    let _ = writeln!(out, "\n{headline}\n\n{}", wrap(text, style.width));
}

fn write_legend(shown: &[(&ObjectKey, &Change)], style: Style, out: &mut String) {
    // What only moves or is brought in has no symbol.
    if shown.iter().any(|(_, change)| change.action != Action::Keep) {
        let text = "Plumb used the selected providers to generate the following execution plan. \
            Resource actions are indicated with the following symbols:";
        let _ = writeln!(out, "\n{}", wrap(text, style.width));
    }
    let legend = [
        (Action::Create, "create"),
        (Action::Update, "update in-place"),
        (Action::Delete, "destroy"),
        (Action::Replace(ReplaceOrder::DeleteFirst), "destroy and then create replacement"),
        (Action::Replace(ReplaceOrder::CreateFirst), "create replacement and then destroy"),
        (Action::Read, "read (data resources)"),
    ];
    for (action, text) in legend {
        if shown.iter().any(|(_, change)| change.action == action) {
            let _ = writeln!(out, "{} {text}", symbol(action, style));
        }
    }
    out.push_str("\nPlumb will perform the following actions:\n");
}

/// The sign in the three columns before `resource`.
pub(crate) fn symbol(action: Action, style: Style) -> String {
    let (plus, minus) = (style.green("+"), style.red("-"));
    match action {
        Action::Keep => "   ".into(),
        Action::Create => format!("  {plus}"),
        Action::Update => format!("  {}", style.yellow("~")),
        Action::Delete => format!("  {minus}"),
        Action::Replace(ReplaceOrder::DeleteFirst) => format!("{minus}/{plus}"),
        Action::Replace(ReplaceOrder::CreateFirst) => format!("{plus}/{minus}"),
        Action::Read => format!(" {}", style.cyan("<=")),
        Action::Forget => format!(" {}", style.red(".")),
    }
}

pub(crate) fn write_change(
    input: PlanText<'_>,
    key: &ObjectKey,
    change: &Change,
    out: &mut String,
) {
    let style = input.style;
    let _ = writeln!(out, "\n{}", comment(key, change, style));
    let diff = change_diff(input.schemas, key, change);
    write_object(&symbol(change.action, style), key, &diff, style, out);
}

/// What a change changes.
pub(crate) fn change_diff(schemas: &Schemas, key: &ObjectKey, change: &Change) -> Diff {
    let diff = object_diff(
        schemas,
        &change.provider.source,
        key,
        change.before.as_ref(),
        change.after.as_ref(),
        &Forcing::new(&change.replace_paths),
    );
    match change.action {
        // It stays as it is, out of our sight.
        Action::Forget => object_diff(
            schemas,
            &change.provider.source,
            key,
            change.before.as_ref(),
            change.before.as_ref(),
            &Forcing::default(),
        ),
        _ => diff,
    }
}

pub(crate) fn write_object(
    symbol: &str,
    key: &ObjectKey,
    diff: &Diff,
    style: Style,
    out: &mut String,
) {
    let resource = &key.addr.resource;
    let word = match resource.mode {
        Mode::Managed => "resource",
        Mode::Data => "data",
    };
    let _ = write!(out, "{symbol} {word} {} {} ", quote(&resource.kind), quote(&resource.name));
    // What goes as a whole need not say so again behind its brace.
    draw(diff, 0, Options::new(style), out);
    out.push('\n');
}

/// The difference of a whole object, by its schema if there is one.
pub(crate) fn object_diff(
    schemas: &Schemas,
    source: &str,
    key: &ObjectKey,
    before: Option<&Value>,
    after: Option<&Value>,
    forcing: &Forcing<'_>,
) -> Diff {
    let resource = &key.addr.resource;
    match schemas.resource(source, resource.mode, &resource.kind) {
        Some(schema) => block_diff(&schema.block, before, after, forcing),
        None => {
            let mut diff = value_diff(before, after, &Type::Dynamic, forcing);
            if let Shape::Object(attributes) = diff.shape {
                diff.shape = Shape::Block { attributes, blocks: Vec::new() };
            }
            diff
        }
    }
}

/// The lines above a resource: what happens to it and why.
pub(crate) fn comment(key: &ObjectKey, change: &Change, style: Style) -> String {
    let name = style.bold(&printable(&key.to_string()));
    let red = |text: &str| style.bold_red(text);
    let first = match change.action {
        Action::Create => format!("{name} will be created"),
        Action::Read => format!("{name} will be read during apply"),
        Action::Update => format!("{name} will be updated in-place"),
        Action::Replace(_) => match change.reason {
            Some(Reason::ReplaceBecauseTainted) => {
                format!("{name} is tainted, so must be {}", red("replaced"))
            }
            Some(Reason::ReplaceByRequest) => {
                format!("{name} will be {}, as requested", red("replaced"))
            }
            Some(Reason::ReplaceByTriggers) => {
                format!("{name} will be {} due to changes in replace_triggered_by", red("replaced"))
            }
            _ => format!("{name} must be {}", red("replaced")),
        },
        Action::Delete => format!("{name} will be {}", red("destroyed")),
        Action::Forget => {
            let not = red("will not be destroyed");
            return format!(
                " # {name} will no longer be managed by Plumb, but {not}\n \
                 # (destroy = false is set in the configuration)"
            );
        }
        Action::Keep => match (&change.moved_from, &change.importing) {
            (Some(from), None) => format!("{} has moved to {name}", style.bold(&from.to_string())),
            _ => format!("{name} will be imported"),
        },
    };
    let mut text = format!("  # {first}");
    if let Some(because) = because(key, change) {
        let _ = write!(text, "\n  # ({because})");
    }
    for says in &change.says {
        let _ = write!(text, "\n  # ({says})");
    }
    if key.deposed.is_some() && change.action == Action::Delete {
        text += "\n  # (left over from a partially-failed replacement of this instance)";
    }
    if let Some(from) = &change.moved_from
        && (change.action != Action::Keep || change.importing.is_some())
    {
        let _ = write!(text, "\n  # (moved from {from})");
    }
    if let Some(id) = &change.importing {
        if change.action != Action::Keep {
            let _ = write!(text, "\n  # (imported from {})", quote(id));
        }
        if matches!(change.action, Action::Replace(_)) {
            let warning = style.yellow("Warning: this will destroy the imported resource");
            let _ = write!(text, "\n  # {warning}");
        }
    }
    text
}

fn because(key: &ObjectKey, change: &Change) -> Option<String> {
    let addr = &key.addr;
    let index = addr.key.as_ref().map(InstanceKey::to_string).unwrap_or_default();
    Some(match change.reason? {
        Reason::ReadBecauseConfigUnknown => "config refers to values not yet known".into(),
        Reason::ReadBecauseDependencyPending => {
            "depends on a resource or a module with changes pending".into()
        }
        Reason::ReadBecauseCheckNested => "config will be reloaded to verify a check block".into(),
        Reason::DeleteBecauseNoResourceConfig => {
            format!("because {} is not in configuration", addr.resource)
        }
        Reason::DeleteBecauseNoModule => format!("because {} is not in configuration", addr.module),
        Reason::DeleteBecauseNoMoveTarget => match &change.moved_from {
            Some(from) => {
                format!("because {from} was moved to {addr}, which is not in configuration")
            }
            None => format!("because {} is not in configuration", addr.resource),
        },
        Reason::DeleteBecauseWrongRepetition => match &addr.key {
            None => "because resource uses count or for_each".into(),
            Some(InstanceKey::Int(_)) => "because resource does not use count".into(),
            Some(InstanceKey::Str(_)) => "because resource does not use for_each".into(),
        },
        Reason::DeleteBecauseCountIndex => {
            format!("because index {index} is out of range for count")
        }
        Reason::DeleteBecauseEachKey => format!("because key {index} is not in for_each map"),
        Reason::ReplaceBecauseTainted
        | Reason::ReplaceByRequest
        | Reason::ReplaceByTriggers
        | Reason::ReplaceBecauseCannotUpdate => return None,
    })
}

/// What changed outside of us, as far as it matters to the plan.
pub(crate) fn shown_drift<'a>(
    input: PlanText<'a>,
) -> Vec<(&'a ObjectKey, &'a Value, Option<Value>)> {
    let relevant = input.relevant.filter(|_| input.mode != PlanMode::RefreshOnly);
    let drift = input.plan.drift.iter().filter_map(|(key, (before, after))| match relevant {
        None => Some((key, before, after.clone())),
        Some(relevant) => {
            relevant_part(relevant, key, before, after.as_ref()).map(|it| (key, before, it))
        }
    });
    drift.collect()
}

fn write_drift(input: PlanText<'_>, out: &mut String) -> bool {
    let PlanText { plan, mode, style, .. } = input;
    let drift = shown_drift(input);
    if drift.is_empty() {
        return false;
    }
    let headline = style.bold("Objects have changed outside of Plumb");
    let _ = writeln!(out, "\n{}{headline}\n", style.bold("Note: "));
    let may_affect =
        if mode == PlanMode::RefreshOnly { "" } else { " which may have affected this plan" };
    let text = format!(
        "Plumb detected the following changes made outside of Plumb since the last \"plumb \
         apply\"{may_affect}:"
    );
    let _ = writeln!(out, "{}", wrap(&text, style.width));
    for (key, before, after) in drift {
        let name = style.bold(&printable(&key.to_string()));
        let (what, action) = match after {
            Some(_) => ("has changed", Action::Update),
            None => ("has been deleted", Action::Delete),
        };
        let _ = writeln!(out, "\n  # {name} {what}");
        let source = source_of(plan, input.schemas, key);
        let none = Forcing::default();
        let diff = object_diff(input.schemas, source, key, Some(before), after.as_ref(), &none);
        write_object(&symbol(action, style), key, &diff, style, out);
    }
    true
}

/// What became of an object, with everything but what matters to the plan as it was. None: none of
/// it does.
#[expect(clippy::option_option, reason = "the inner says whether the object is still there")]
fn relevant_part(
    relevant: &[(String, Path)],
    key: &ObjectKey,
    before: &Value,
    after: Option<&Value>,
) -> Option<Option<Value>> {
    let address = key.to_string();
    let start = relevant.partition_point(|it| it.0 < address);
    let paths = || relevant[start..].iter().take_while(|it| it.0 == address).map(|it| &it.1);
    let Some(after) = after else { return paths().next().map(|_| None) };
    if paths().any(Path::is_empty) {
        return Some(Some(after.clone()));
    }
    let changed = paths().filter(|it| it.get(before) != it.get(after));
    let names: BTreeSet<&str> = changed
        .filter_map(|it| match it.steps().first() {
            Some(Step::Attr(name)) => Some(&**name),
            _ => None,
        })
        .collect();
    if names.is_empty() {
        return None;
    }
    let attrs = before.as_map().into_iter().flatten().map(|(name, old)| {
        let value = if names.contains(&**name) { after.get_attr(name).unwrap_or(old) } else { old };
        (name.clone(), value.clone())
    });
    Some(Some(Value::object(attrs)))
}

/// The source of the provider whose object it is: as the plan says, else whoever has such objects.
pub(crate) fn source_of<'a>(plan: &'a Plan, schemas: &'a Schemas, key: &ObjectKey) -> &'a str {
    let current = key.addr.current();
    if let Some(change) = plan.changes.get(key).or_else(|| plan.changes.get(&current)) {
        return &change.provider.source;
    }
    let resource = &key.addr.resource;
    let has = |source: &str| schemas.resource(source, resource.mode, &resource.kind).is_some();
    schemas.providers.keys().find(|it| has(it)).map_or("", |it| it)
}

pub(crate) fn write_outputs(
    outputs: &std::collections::BTreeMap<std::sync::Arc<str>, OutputChange>,
    style: Style,
    out: &mut String,
) {
    let changed = || outputs.iter().filter(|(_, it)| !it.is_keep());
    let width = changed().map(|(name, _)| name.width()).max().unwrap_or(0);
    for (name, change) in changed() {
        let diff = output_diff(change);
        let options = Options::new(style);
        line_start(diff.sign, 0, options, out);
        let name = attribute_name(name);
        let _ = write!(out, "{name}{} = ", " ".repeat(width.saturating_sub(name.width())));
        draw(&diff, 0, options, out);
        out.push('\n');
    }
}

pub(crate) fn output_diff(change: &OutputChange) -> Diff {
    let marked = |it: &Option<Value>| match (it, change.sensitive) {
        (Some(it), true) => Some(it.clone().sensitive()),
        (it, _) => it.clone(),
    };
    let (before, after) = (marked(&change.before), marked(&change.after));
    let mut diff = value_diff(before.as_ref(), after.as_ref(), &Type::Dynamic, &Forcing::default());
    if diff.sign == Sign::Keep && change.before != change.after {
        diff.sign = Sign::Update;
    }
    diff
}

/// What stands below a plan that is not applied at once: where the configuration that was generated
/// is, if some was, where the plan was saved and how to apply it. `binary` is the name of the command.
pub fn saved_text(
    saved_at: Option<&str>,
    generated_at: Option<&str>,
    binary: &str,
    style: Style,
) -> String {
    let mut out = format!("\n{}\n", style.rule());
    if let Some(path) = generated_at {
        let text = format!(
            "Plumb has generated configuration and written it to {path}. Please review the \
             configuration and edit it as necessary before adding it to version control."
        );
        let _ = writeln!(out, "\n{}", wrap(&text, style.width));
    }
    let _ = match saved_at {
        Some(path) => writeln!(
            out,
            "\nSaved the plan to: {path}\n\nTo perform exactly these actions, run the following \
             command to apply:\n    {binary} apply {}",
            quote(path)
        ),
        None => {
            let text = format!(
                "Note: You didn't use the -out option to save this plan, so Plumb can't guarantee \
                 to take exactly these actions if you run \"{binary} apply\" now."
            );
            writeln!(out, "\n{}", wrap(&text, style.width))
        }
    };
    out
}

/// The warning that some objects will be nobody's.
pub fn forgotten_warning(plan: &Plan) -> Option<plumb_diag::Diagnostic> {
    let forgotten = plan.changes.iter().filter(|(_, change)| change.action == Action::Forget);
    let list: String = forgotten.map(|(key, _)| format!("\n - {key}")).collect();
    (!list.is_empty()).then(|| {
        plumb_diag::Diagnostic::warning(
            "Some objects will no longer be managed by Terraform",
            format!(
                "If you apply this plan, Plumb will discard its tracking information for the \
                 following objects, but it will not delete them:{list}\n\nAfter applying this \
                 plan, Plumb will no longer manage these objects. You will need to import them \
                 into Plumb to manage them again."
            ),
        )
    })
}
