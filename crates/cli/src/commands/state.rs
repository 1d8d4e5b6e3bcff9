//! `state`, `taint`, `untaint` and `force-unlock`: work on what is remembered, not on the world.

use std::io::Read;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::Target;
use plumb_model::addr::{Addr, Mode, ModuleInstance, ObjectKey};
use plumb_model::event::Event;
use plumb_model::state::State;
use plumb_report::object_text;
use plumb_state::{Opened, Store, push as pushing, v4};

use super::show::current;
use crate::args::*;
use crate::context::{Context, store_error};
use crate::load;

fn error(summary: &str, detail: impl Into<String>) -> Diagnostics {
    vec![Diagnostic::error(summary, detail)]
}

/// The state that the configuration says, or the option.
pub(crate) fn store_of(
    context: &Context,
    state: Option<&str>,
    backup: &BackupFlags,
) -> Result<Store, Diagnostics> {
    let module = match state {
        Some(_) => None,
        None => {
            let loaded = load::load(&mut load::read_folder);
            context.ui.show_from(&loaded.sources);
            loaded.root().cloned()
        }
    };
    let backend = context.backend(module.as_deref(), state)?;
    context.store(&backend, backup, context.schemas())
}

/// Opens the state, records what `change` says, and folds.
fn change(
    context: &Context,
    flags: &StateFlags,
    backup: &BackupFlags,
    operation: &str,
    change: impl FnOnce(&State) -> Result<Vec<Event>, Diagnostics>,
) -> Result<(), Diagnostics> {
    let store = store_of(context, flags.state.as_deref(), backup)?;
    let Opened { mut state, mut lease, .. } = context.open(&store, flags, operation)?;
    let result = change(&state).and_then(|events| {
        for event in &events {
            state
                .record(event)
                .map_err(|it| error("Invalid change to the state", it.to_string()))?;
        }
        if events.is_empty() {
            return Ok(());
        }
        let written = lease.append(&events).and_then(|()| lease.checkpoint(&state));
        written.map(|_| ()).map_err(|it| vec![store_error(&it)])
    });
    let closed = lease.close().map_err(|it| vec![store_error(&it)]);
    result.and(closed)
}

fn target(text: &str) -> Result<Target, Diagnostics> {
    text.parse().map_err(|it: plumb_model::BadAddr| error("Invalid address", format!("{it}.")))
}

fn instance(text: &str) -> Result<Addr, Diagnostics> {
    text.parse().map_err(|it: plumb_model::BadAddr| error("Invalid address", format!("{it}.")))
}

pub(crate) fn list(context: &Context, args: &StateListArgs) -> Result<i32, Diagnostics> {
    let state = current(context, args.state.as_deref())?;
    let targets = args.addrs.iter().map(|it| target(it)).collect::<Result<Vec<_>, _>>()?;
    let mut last: Option<&Addr> = None;
    let mut text = String::new();
    for (key, object) in &state.objects {
        let wanted = targets.is_empty() || targets.iter().any(|it| it.contains(&key.addr));
        let id = object.attrs.get_attr("id").and_then(|it| it.as_str());
        let same_id = args.id.as_deref().is_none_or(|it| id == Some(it));
        if wanted && same_id && last != Some(&key.addr) {
            text += &format!("{}\n", key.addr);
            last = Some(&key.addr);
        }
    }
    context.ui.print(&text);
    Ok(0)
}

pub(crate) fn show(context: &Context, args: &StateShowArgs) -> Result<i32, Diagnostics> {
    let addr = instance(&args.addr)?;
    let state = current(context, args.state.as_deref())?;
    let key = addr.current();
    let Some(object) = state.objects.get(&key) else {
        eprintln!(
            "No instance found for the given address!\n\nThis command requires that the address \
             references one specific instance.\nTo view the available instances, use \"plumb state \
             list\". Please modify\nthe address to reference a specific instance."
        );
        return Ok(1);
    };
    let text = object_text(&key, object, &context.schemas(), context.ui.out);
    context.ui.print(&text);
    Ok(0)
}

pub(crate) fn pull(context: &Context, args: &StatePullArgs) -> Result<i32, Diagnostics> {
    let state = current(context, args.state.as_deref())?;
    if state.serial > 0 || !state.is_empty() {
        let bytes = v4::write(&state, &context.schemas());
        context.ui.print(&String::from_utf8_lossy(&bytes));
    }
    Ok(0)
}

pub(crate) fn push(context: &Context, args: &StatePushArgs) -> Result<i32, Diagnostics> {
    let mut bytes = Vec::new();
    let read = match args.path.as_str() {
        "-" => std::io::stdin().lock().read_to_end(&mut bytes).map(|_| ()),
        path => std::fs::read(path).map(|it| bytes = it),
    };
    read.map_err(|it| error("Failed to read the state", format!("{}: {it}.", args.path)))?;
    let pushed =
        v4::read(&bytes, &context.schemas()).map_err(|it| error(&it.summary, it.detail))?;
    let store = store_of(context, args.state.state.as_deref(), &BackupFlags::default())?;
    let Opened { state, mut lease, .. } = context.open(&store, &args.state, "StatePush")?;
    let refusal = pushing::refusal(&state, &pushed).filter(|_| !args.force);
    let result = match refusal {
        Some(why) => Err(error("Failed to write state", why)),
        None => lease.replace(&pushed).map_err(|it| vec![store_error(&it)]),
    };
    let closed = lease.close().map_err(|it| vec![store_error(&it)]);
    result.and(closed).map(|()| 0)
}

pub(crate) fn rm(context: &Context, args: &StateRmArgs) -> Result<i32, Diagnostics> {
    let targets = args.addrs.iter().map(|it| target(it)).collect::<Result<Vec<_>, _>>()?;
    let mut gone = Vec::new();
    change(context, &args.state, &args.backup, "state-rm", |state| {
        for it in &targets {
            let here = |key: &&ObjectKey| it.contains(&key.addr) && !gone.contains(*key);
            let found: Vec<ObjectKey> = state.objects.keys().filter(here).cloned().collect();
            gone.extend(found);
        }
        if gone.is_empty() {
            return Err(error(
                "Invalid target address",
                "No matching objects found. To view the available instances, use \"plumb state \
                 list\". Please modify the address to reference a specific instance.",
            ));
        }
        let would = |it: &ObjectKey| {
            let word = if args.dry_run { "Would remove" } else { "Removed" };
            context.ui.say(&format!("{word} {}", it.addr));
        };
        gone.iter().for_each(would);
        if args.dry_run {
            return Ok(Vec::new());
        }
        Ok(gone.iter().map(|key| Event::Forgotten { key: key.clone() }).collect())
    })?;
    if !args.dry_run {
        let count = gone.len();
        context.ui.say(&format!("Successfully removed {count} resource instance(s)."));
    }
    Ok(0)
}

pub(crate) fn mv(context: &Context, args: &StateMvArgs) -> Result<i32, Diagnostics> {
    let (from, to) = (target(&args.from)?, target(&args.to)?);
    let mut count = 0;
    change(context, &args.state, &args.backup, "state-mv", |state| {
        let moves = moves(state, &from, &to)?;
        count = moves.len();
        let word = if args.dry_run { "Would move" } else { "Move" };
        for (from, to) in &moves {
            context.ui.say(&format!("{word} \"{from}\" to \"{to}\""));
        }
        if args.dry_run {
            return Ok(Vec::new());
        }
        Ok(moves.into_iter().map(|(from, to)| Event::Moved { from, to }).collect())
    })?;
    if !args.dry_run {
        context.ui.say(&format!("Successfully moved {count} object(s)."));
    }
    Ok(0)
}

/// Which instance goes where.
fn moves(state: &State, from: &Target, to: &Target) -> Result<Vec<(Addr, Addr)>, Diagnostics> {
    let mut addrs: Vec<&Addr> =
        state.objects.keys().map(|it| &it.addr).filter(|it| from.contains(it)).collect();
    addrs.dedup();
    if addrs.is_empty() {
        let detail = format!("Cannot move {from}: does not match anything in the current state.");
        return Err(error("Invalid source address", detail));
    }
    let mixed = || {
        let detail = format!(
            "Cannot move {from} to {to}: the target must be the same kind of thing as the source, \
             a module or a resource."
        );
        Err(error("Invalid target address", detail))
    };
    let mut res = Vec::new();
    for addr in addrs {
        let new = match (from, to) {
            (Target::Module(from), Target::Module(to)) => {
                let rest = &addr.module.0[from.0.len()..];
                let steps = to.0.iter().chain(rest).cloned().collect();
                Addr { module: ModuleInstance(steps), ..addr.clone() }
            }
            (Target::Resource(from), Target::Resource(to)) => {
                if from.resource.mode != Mode::Managed || to.resource.mode != Mode::Managed {
                    let detail = "Only managed resources can be moved; data sources are read anew.";
                    return Err(error("Invalid source address", detail));
                }
                if from.resource.kind != to.resource.kind {
                    let detail =
                        format!("Cannot move {from} to {to}: resource types don't match.",);
                    return Err(error("Invalid state move request", detail));
                }
                // Several instances keep their keys.
                let whole = from.key.is_none() && to.key.is_none();
                let key = if whole { addr.key.clone() } else { to.key.clone() };
                Addr { key, ..to.clone() }
            }
            _ => return mixed(),
        };
        if state.current(&new).is_some() {
            let detail = format!(
                "Cannot move to {new}: there is already a resource instance at that address in the \
                 current state."
            );
            return Err(error("Invalid target address", detail));
        }
        res.push((addr.clone(), new));
    }
    Ok(res)
}

pub(crate) fn replace_provider(
    context: &Context,
    args: &StateReplaceProviderArgs,
) -> Result<i32, Diagnostics> {
    let (from, to) =
        (plumb_lang::compile::full_source(&args.from), plumb_lang::compile::full_source(&args.to));
    change(context, &args.state, &args.backup, "state-replace-provider", |state| {
        let found: Vec<_> =
            state.objects.iter().filter(|it| it.1.provider.source == from).collect();
        if found.is_empty() {
            context.ui.say("No matching resources found.");
            return Ok(Vec::new());
        }
        context.ui.say("Plumb will perform the following actions:\n");
        context.ui.say(&format!("  ~ Updating provider:\n    - {from}\n    + {to}\n"));
        context.ui.say(&format!("Changing {} resources:\n", found.len()));
        found.iter().for_each(|it| context.ui.say(&format!("  {}", it.0)));
        if !args.auto_approve {
            let question = "\nDo you want to make these changes?\nOnly 'yes' will be accepted to \
                            continue.";
            if context.ui.ask(question, false).as_deref() != Some("yes") {
                context.ui.say("Cancelled replacing providers.");
                return Ok(Vec::new());
            }
        }
        context.ui.say(&format!("\nSuccessfully replaced provider for {} resources.", found.len()));
        let changed = found.into_iter().map(|(key, object)| {
            let provider = plumb_model::addr::ProviderAddr {
                source: to.clone(),
                ..(*object.provider).clone()
            };
            let object = plumb_model::state::Object { provider: provider.into(), ..object.clone() };
            Event::Recorded { key: key.clone(), object }
        });
        Ok(changed.collect())
    })?;
    Ok(0)
}

pub(crate) fn taint(context: &Context, args: &TaintArgs, taint: bool) -> Result<i32, Diagnostics> {
    let addr = instance(&args.addr)?;
    let operation = if taint { "taint" } else { "untaint" };
    if addr.resource.mode == Mode::Data {
        return Err(error(
            "Invalid address",
            format!("Only managed resources can be {operation}ed, and {addr} is a data source."),
        ));
    }
    change(context, &args.state, &args.backup, operation, |state| {
        let key = addr.current();
        let Some(object) = state.objects.get(&key) else {
            if args.allow_missing {
                context.ui.diagnostics(&[Diagnostic::warning(
                    "No such resource instance",
                    format!("Resource instance {addr} was not found, but this is not an error because -allow-missing was set."),
                )]);
                return Ok(Vec::new());
            }
            return Err(error(
                "No such resource instance",
                format!("There is no resource instance in the state with the address {addr}."),
            ));
        };
        if !taint && !object.tainted {
            return Err(error(
                "Resource instance is not tainted",
                format!(
                    "Resource instance {addr} is not currently tainted, and so it cannot be untainted."
                ),
            ));
        }
        let object = plumb_model::state::Object { tainted: taint, ..object.clone() };
        Ok(vec![Event::Recorded { key, object }])
    })?;
    match taint {
        true => context.ui.say(&format!("Resource instance {addr} has been marked as tainted.")),
        false => {
            context.ui.say(&format!("Resource instance {addr} has been successfully untainted."));
        }
    }
    Ok(0)
}
