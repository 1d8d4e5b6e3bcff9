//! What `init` does about the backend: writes its settings down, and takes the states along if they move.

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_lang::config::Module;
use plumb_state::{Opened, Store};

use super::setting::overrides;
use super::{Home, Local, Record, configure, given};
use crate::args::{InitArgs, StateFlags};
use crate::context::{Context, store_error};
use crate::encryption;

fn error(summary: &str, detail: impl Into<String>) -> Diagnostics {
    vec![Diagnostic::error(summary, detail)]
}

/// Makes the backend of `module` the one in use.
pub(crate) fn initialize(
    context: &Context,
    args: &InitArgs,
    module: Option<&Module>,
) -> Result<(), Diagnostics> {
    if args.backend == Some(false) {
        return Ok(());
    }
    let old = match Record::read(context.data_dir()) {
        Err(_) if args.reconfigure => None,
        read => read?,
    };
    let block = module.and_then(|it| it.backend.as_ref());
    let typed = overrides(context, &args.backend_config)?;
    let Some(block) = block else {
        if !typed.is_empty() {
            context.ui.diagnostics(&[Diagnostic::warning(
                "Missing backend configuration",
                "-backend-config was used without a \"backend\" block in the configuration.",
            )]);
        }
        let Some(old) = old.filter(|it| it.kind != "local") else { return Ok(()) };
        let new = Home::Local(Local::default());
        change(context, args, &old, &new)?;
        Record::remove(context.data_dir())?;
        context.ui.say(&format!("\nSuccessfully unset the backend {:?}.", old.kind));
        return Ok(());
    };
    let kind = &*block.kind;
    let given = given(block)?;
    let mut new = Record::new(kind, &given, &typed);
    if let Some(old) = &old
        && !args.reconfigure
        && typed.is_empty()
        && old.kind == kind
        && old.agrees(&given)
    {
        // What was typed the first time is not typed again.
        new.config = old.config.clone();
    }
    let home = configure(context, kind, &new.config).map_err(|it| it.in_block(block))?;
    match &old {
        Some(old) if old.kind == kind && old.config == new.config => {}
        Some(old) => change(context, args, old, &home)?,
        None if kind == "local" || args.reconfigure => {}
        None => arrive(context, args, &home)?,
    }
    if old.is_none_or(|it| it != new) {
        new.write(context.data_dir())?;
        if kind != "local" {
            context.ui.say(&format!(
                "\nSuccessfully configured the backend {kind:?}! Plumb will automatically\nuse this \
                 backend unless the backend configuration changes."
            ));
        }
    }
    Ok(())
}

/// From one backend to another, or to other settings of the same.
fn change(context: &Context, args: &InitArgs, old: &Record, new: &Home) -> Result<(), Diagnostics> {
    if args.reconfigure {
        return Ok(());
    }
    if !args.migrate_state && !args.force_copy {
        return Err(error(
            "Backend configuration changed",
            "A change in the backend configuration has been detected, which may require migrating \
             existing state.\n\nIf you wish to attempt automatic migration of the state, use \"plumb \
             init -migrate-state\".\nIf you wish to store the current configuration with no changes \
             to the state, use \"plumb init -reconfigure\".",
        ));
    }
    let from = configure(context, &old.kind, &old.config).map_err(|it| it.nowhere())?;
    let question = format!(
        "Do you want to copy existing state to the new backend?\n  The states are now in the backend \
         {:?}. They can be copied to the new one; the old ones stay.\n  Enter \"yes\" to copy and \
         \"no\" to start with what the new one has.",
        old.kind
    );
    if !has_something(context, &from)? || !agreed(context, args, &question)? {
        return Ok(());
    }
    copy(context, args, &from, new)
}

/// From files of this machine, without settings, to a backend.
fn arrive(context: &Context, args: &InitArgs, new: &Home) -> Result<(), Diagnostics> {
    let from = Home::Local(Local::default());
    let question = "Do you want to copy existing state to the new backend?\n  There is a state in a \
                    local file. It can be copied to the new backend; the file stays.\n  Enter \
                    \"yes\" to copy and \"no\" to start with what the new one has.";
    if !has_something(context, &from)? || !agreed(context, args, question)? {
        return Ok(());
    }
    copy(context, args, &from, new)
}

fn agreed(context: &Context, args: &InitArgs, question: &str) -> Result<bool, Diagnostics> {
    if args.force_copy {
        return Ok(true);
    }
    if !context.may_ask(args.input) {
        let detail = "Whether to copy the existing state has to be asked, and input is disabled. Use \
                      -force-copy to copy it, or -reconfigure not to.";
        return Err(error("Input is disabled", detail));
    }
    match context.ui.ask(question, false).as_deref() {
        Some("yes") => Ok(true),
        Some("no") => Ok(false),
        _ => Err(error("Migration was not confirmed", "Nothing was changed.")),
    }
}

/// The workspaces of a home; `default` alone where there are no others.
fn workspaces(home: &Home) -> Vec<String> {
    home.workspaces().unwrap_or_else(|_| vec!["default".to_owned()])
}

fn has_something(context: &Context, home: &Home) -> Result<bool, Diagnostics> {
    let sealer = encryption::sealer_here(context)?;
    for workspace in workspaces(home) {
        let read = context.store_in(home, &workspace, &sealer)?.read_only();
        let (state, _) = read.map_err(|it| vec![store_error(&it)])?;
        if !state.is_empty() || !state.in_doubt.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Copies the states of all workspaces, each under the locks of both sides.
fn copy(context: &Context, args: &InitArgs, from: &Home, to: &Home) -> Result<(), Diagnostics> {
    let mut names = workspaces(from);
    let one_only = to.workspaces().is_err();
    if one_only && names.len() > 1 {
        // Only one fits: that which is in use.
        let here = context.workspace().to_string();
        context.ui.say(&format!(
            "The new backend has no workspaces: only the state of {here:?} is copied."
        ));
        names = vec![here];
    }
    let sealer = encryption::sealer_here(context)?;
    for name in &names {
        let target = if one_only { "default" } else { name };
        let store = context.store_in(from, name, &sealer)?;
        one(context, args, &store, &context.store_in(to, target, &sealer)?)?;
    }
    Ok(())
}

fn one(context: &Context, args: &InitArgs, from: &Store, to: &Store) -> Result<(), Diagnostics> {
    let failed = |it: &_| vec![store_error(it)];
    let flags = StateFlags {
        lock: args.lock.lock,
        lock_timeout: args.lock.lock_timeout.clone().unwrap_or_else(|| "0s".to_owned()),
        ..StateFlags::default()
    };
    let Opened { state, lease: mut old, .. } = context.open(from, &flags, "migration source")?;
    if state.is_empty() && state.in_doubt.is_empty() {
        return old.close().map_err(|it| failed(&it));
    }
    // What an interrupted run left in its journal belongs to the state that is copied.
    old.checkpoint(&state).map_err(|it| failed(&it))?;
    let serial = old.stamp().serial;
    let opened = context.open(to, &flags, "migration destination")?;
    let Opened { state: there, lease: mut new, .. } = opened;
    let newer = there.lineage == state.lineage && new.stamp().serial <= serial;
    if !there.is_empty() && !newer && !args.force_copy {
        let question = format!(
            "Do you want to overwrite the state in the new backend with the previous state?\n  `{}` \
             has a state already: {} objects, serial {}.\n  The one to be copied has {} objects and \
             serial {serial}.",
            to.name(),
            there.objects.len(),
            new.stamp().serial,
            state.objects.len(),
        );
        if !agreed(context, args, &question)? {
            return Ok(());
        }
    }
    let moved = plumb_model::state::State { serial, ..state };
    new.replace(&moved).map_err(|it| failed(&it))?;
    new.close().map_err(|it| failed(&it))?;
    context.ui.say(&format!("Copied {} to {}.", from.name(), to.name()));
    old.close().map_err(|it| failed(&it))
}
