//! `workspace`: states of one configuration, side by side.

use std::io;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_model::state::State;
use plumb_state::{LockInfo, Opened};

use crate::args::{WorkspaceArgs, WorkspaceNameArgs, WorkspaceVerb};
use crate::backend::Home;
use crate::context::{Context, store_error};
use crate::{encryption, load};

pub(crate) fn workspace(context: &Context, args: &WorkspaceArgs) -> Result<i32, Diagnostics> {
    let here = context.workspace();
    if let WorkspaceVerb::Show(_) = &args.verb {
        context.ui.say(&here);
        return Ok(0);
    }
    let loaded = load::load(&mut load::read_folder);
    context.ui.show_from(&loaded.sources);
    let module = loaded.root().cloned();
    let home = context.home_of(module.as_deref())?;
    let names = home.workspaces()?;
    match &args.verb {
        WorkspaceVerb::Show(_) => {}
        WorkspaceVerb::List(_) => {
            for name in &names {
                let star = if **name == *here { '*' } else { ' ' };
                context.ui.say(&format!("{star} {name}"));
            }
            context.ui.say("");
        }
        WorkspaceVerb::New(args) => {
            check_name(&args.name)?;
            if names.contains(&args.name) {
                let detail = format!("Workspace {:?} already exists", args.name);
                return Err(vec![Diagnostic::error(detail, "")]);
            }
            make(context, &home, args)?;
        }
        WorkspaceVerb::Select(args) => {
            check_name(&args.name)?;
            if !names.contains(&args.name) {
                if args.or_create {
                    make(context, &home, args)?;
                    return Ok(0);
                }
                return Err(vec![Diagnostic::error(
                    format!("Workspace {:?} doesn't exist", args.name),
                    "You can create this workspace with the \"new\" subcommand\nor include the \
                     \"-or-create\" flag with the \"select\" subcommand.",
                )]);
            }
            if *args.name != *here {
                select(context, &args.name)?;
                context.ui.say(&format!("Switched to workspace {:?}.", args.name));
            }
        }
        WorkspaceVerb::Delete(args) => delete(context, &home, &names, args, &here)?,
    }
    Ok(0)
}

fn check_name(name: &str) -> Result<(), Diagnostics> {
    let fine = |c: char| c.is_alphanumeric() || "-_.~".contains(c);
    if !name.is_empty() && name.chars().all(fine) && !name.starts_with('.') {
        return Ok(());
    }
    let detail = "The workspace name must contain only letters, digits and the signs - _ . ~, and \
                  must not begin with a dot.";
    Err(vec![Diagnostic::error(format!("The workspace name {name:?} is not allowed"), detail)])
}

fn trouble(what: &str, error: &io::Error) -> Diagnostics {
    vec![Diagnostic::error(format!("Cannot {what}"), format!("{error}."))]
}

fn make(context: &Context, home: &Home, args: &WorkspaceNameArgs) -> Result<(), Diagnostics> {
    let name = &args.name;
    match home {
        Home::File(_) => {}
        Home::Local(it) => {
            let folder = it.folder.join(name);
            std::fs::create_dir_all(folder).map_err(|it| trouble("make the workspace", &it))?;
        }
        Home::Remote(_) => {
            // A workspace is there once it has a state.
            let store = context.store_in(home, name, &encryption::sealer_here(context)?)?;
            let info = LockInfo::new("workspace-new");
            let Opened { state, mut lease, .. } =
                store.open(Some(&info)).map_err(|it| vec![store_error(&it)])?;
            let made = match state.serial {
                0 => lease.replace(&State { serial: 1, ..state }),
                _ => Ok(()),
            };
            made.and_then(|()| lease.close()).map_err(|it| vec![store_error(&it)])?;
        }
    }
    select(context, name)?;
    context.ui.say(&format!(
        "Created and switched to workspace \"{name}\"!\n\nYou're now on a new, empty workspace. \
         Workspaces isolate their state,\nso if you run \"plumb plan\" Plumb will not see any \
         existing state\nfor this configuration."
    ));
    Ok(())
}

fn select(context: &Context, name: &str) -> Result<(), Diagnostics> {
    let dir = context.data_dir();
    std::fs::create_dir_all(dir)
        .and_then(|()| std::fs::write(format!("{dir}/environment"), name))
        .map_err(|it| trouble("select the workspace", &it))
}

fn delete(
    context: &Context,
    home: &Home,
    names: &[String],
    args: &WorkspaceNameArgs,
    here: &str,
) -> Result<(), Diagnostics> {
    let name = &args.name;
    let refuse = |summary: String, detail: &str| Err(vec![Diagnostic::error(summary, detail)]);
    check_name(name)?;
    if name == "default" {
        return refuse("can't delete default state".into(), "");
    }
    if !names.contains(name) {
        return refuse(format!("Workspace {name:?} doesn't exist"), "");
    }
    if *name == here {
        return refuse(
            "Workspace is your active workspace".into(),
            "You cannot delete the currently active workspace. Please switch\nto another workspace \
             and try again.",
        );
    }
    let store = context.store_in(home, name, &encryption::sealer_here(context)?)?;
    // Nobody shall begin something there meanwhile.
    let info = LockInfo::new("workspace-delete");
    let Opened { state, lease, .. } =
        store.open(Some(&info)).map_err(|it| vec![store_error(&it)])?;
    if !state.objects.is_empty() && !args.force {
        let list: String = state.objects.keys().map(|it| format!("\n  - {it}")).collect();
        let detail = format!(
            "Workspace {name:?} is currently tracking the following resource instances:{list}\n\n\
             Deleting this workspace would cause Plumb to lose track of any associated remote \
             objects, which would then require you to delete them manually outside of Plumb. You \
             should destroy these objects with Plumb before deleting the workspace.\n\nIf you want \
             to delete this workspace anyway, and have Plumb forget about these managed objects, \
             use the -force option to disable this safety check."
        );
        return refuse("Workspace is not empty".into(), &detail);
    }
    match home {
        Home::File(_) => {}
        Home::Local(it) => std::fs::remove_dir_all(it.folder.join(name))
            .map_err(|it| trouble("delete the workspace", &it))?,
        Home::Remote(it) => {
            it.configured.delete(name).map_err(|it| vec![store_error(&it)])?;
        }
    }
    // What was locked is gone, and with it the lock.
    let _ = lease.close();
    context.ui.say(&format!("Deleted workspace {name:?}!"));
    Ok(())
}
