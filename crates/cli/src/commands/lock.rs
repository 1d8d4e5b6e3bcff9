//! `lock status` and `force-unlock`.

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_state::backend::Held;
use serde_json::{Value as Json, json};

use super::state::store_of;
use crate::args::{BackupFlags, ForceUnlockArgs, StateLookArgs};
use crate::context::{Context, store_error};

/// Whether somebody holds the lock, who, and whether that process still lives as far as this machine can
/// tell. Exit code 0: free; 2: held; 1: nobody can tell.
pub(crate) fn status(context: &Context, args: &StateLookArgs) -> Result<i32, Diagnostics> {
    let store = store_of(context, args.state.as_deref(), &BackupFlags::default())?;
    let held = store.held().map_err(|it| vec![store_error(&it)])?;
    let code = match &held {
        Held::Free => 0,
        Held::By(_) => 2,
        Held::Unknown => 1,
    };
    if args.json {
        context.ui.print(&format!("{:#}\n", report(&store.name(), &held)));
        return Ok(code);
    }
    match held {
        Held::Free => context.ui.say(&format!("`{}` is not locked.", store.name())),
        Held::Unknown => context.ui.say(&format!(
            "Whether `{}` is locked cannot be found out without trying to lock it.",
            store.name()
        )),
        Held::By(None) => {
            context.ui.say(&format!("`{}` is locked; nobody says by whom.", store.name()));
        }
        Held::By(Some(holder)) => {
            context.ui.say(&format!("`{}` is locked.\n\n{holder}", store.name()));
            if let Some(process) = &holder.process {
                let life = match process.is_gone() {
                    true => "is gone: the next command takes the lock over",
                    false => "may be at work",
                };
                context.ui.say(&format!("Process {} on {} {life}.", process.pid, process.host));
            }
            // PostgreSQL numbers a lock by which a state is made -1.
            let no_flag = if holder.id.starts_with('-') { "-- " } else { "" };
            context.ui.say(&format!(
                "\nIf it does not work any more, end it, or run: plumb force-unlock {no_flag}{}",
                holder.id
            ));
        }
    }
    Ok(code)
}

fn report(name: &str, held: &Held) -> Json {
    let (locked, holder) = match held {
        Held::Free => (json!(false), None),
        Held::Unknown => (Json::Null, None),
        Held::By(holder) => (json!(true), holder.as_ref()),
    };
    let gone = holder.and_then(|it| it.process.as_ref()).map(|it| it.is_gone());
    json!({ "state": name, "locked": locked, "holder": holder, "holder_is_gone": gone })
}

pub(crate) fn force_unlock(context: &Context, args: &ForceUnlockArgs) -> Result<i32, Diagnostics> {
    let store = store_of(context, args.state.as_deref(), &BackupFlags::default())?;
    if !args.force {
        let question = "Do you really want to force-unlock?\n  Plumb will remove the lock on the \
                        remote state.\n  Whoever holds it can write nothing more. If it runs on this \
                        machine it is ended;\n  elsewhere what it has begun goes on: do this only if it \
                        does not work any more.\n  Only 'yes' will be accepted to confirm.";
        if context.ui.ask(question, false).as_deref() != Some("yes") {
            return Err(vec![Diagnostic::error("force-unlock cancelled.", "")]);
        }
    }
    let ended = store.break_lock(&args.lock_id).map_err(|it| vec![store_error(&it)])?;
    if let Some(process) = ended {
        context.ui.say(&format!("Process {}, which held it, has been ended.\n", process.pid));
    }
    context.ui.say(
        "Plumb state has been successfully unlocked!\n\nThe state has been unlocked, and Plumb \
         commands should now be able to\nobtain a new lock on the remote state.",
    );
    Ok(0)
}
