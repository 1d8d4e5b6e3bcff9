//! The verbs.

pub(crate) mod about;
mod apply;
mod console;
pub(crate) mod drift;
mod ended;
mod enter;
mod fmt;
mod generate;
mod history;
mod import;
mod init;
mod lock;
mod plan;
mod recover;
mod rollback;
mod show;
mod snapshots;
mod state;
mod verify;
pub(crate) mod watch;
mod workspace;

use plumb_diag::Diagnostics;
use plumb_planner::PlanMode;

use crate::args::{LockVerb, ProvidersVerb, StateVerb, Verb, ViewFlags, WorkspaceVerb};
use crate::context::Context;
use crate::variables::Typed;

/// How a verb wants to be seen, and whether it speaks JSON, line by line.
pub(crate) fn view(verb: &Verb) -> (ViewFlags, bool) {
    let (view, json) = match verb {
        Verb::Init(it) => (&it.view, it.json),
        // One document, not lines.
        Verb::Validate(it) => (&it.view, false),
        Verb::Plan(it) => (&it.view, it.json),
        // One document, not lines.
        Verb::Drift(it) => (&it.view, false),
        Verb::Apply(it) | Verb::Destroy(it) | Verb::Refresh(it) => (&it.view, it.json),
        Verb::Exec(it) => (&it.object.view, false),
        Verb::Logs(it) => (&it.object.view, false),
        Verb::Shell(it) => (&it.object.view, false),
        Verb::Console(it) => (&it.view, false),
        Verb::Fmt(it) => (&it.view, false),
        Verb::ForceUnlock(it) => (&it.view, false),
        Verb::Lock(it) => match &it.verb {
            LockVerb::Status(it) => (&it.view, false),
        },
        // One document, not lines.
        Verb::Recover(it) => (&it.view, false),
        Verb::Gitops(it) => (&it.view, false),
        Verb::Graph(it) => (&it.view, false),
        Verb::Import(it) => (&it.view, false),
        Verb::Output(it) => (&it.view, false),
        Verb::Providers(it) => match &it.verb {
            Some(ProvidersVerb::Schema(it)) => (&it.view, false),
            None => (&it.view, false),
        },
        Verb::Rollback(it) => (&it.view, it.json),
        Verb::Show(it) => (&it.view, false),
        Verb::State(it) => (
            match &it.verb {
                StateVerb::Diff(it) => &it.view,
                StateVerb::History(it) => &it.view,
                StateVerb::List(it) => &it.view,
                StateVerb::Mv(it) => &it.view,
                StateVerb::Pull(it) => &it.view,
                StateVerb::Push(it) => &it.view,
                StateVerb::Rm(it) => &it.view,
                StateVerb::Show(it) => &it.view,
                StateVerb::Verify(it) => &it.view,
                StateVerb::ReplaceProvider(it) => &it.view,
            },
            false,
        ),
        Verb::Taint(it) | Verb::Untaint(it) => (&it.view, false),
        Verb::Watch(it) => (&it.view, it.json),
        Verb::Version(_) => return (ViewFlags::default(), false),
        Verb::Workspace(it) => match &it.verb {
            WorkspaceVerb::List(it) | WorkspaceVerb::Show(it) => (&it.view, false),
            WorkspaceVerb::New(it) | WorkspaceVerb::Select(it) | WorkspaceVerb::Delete(it) => {
                (&it.view, false)
            }
        },
    };
    (view.clone(), json)
}

/// Does what the verb says. The exit code, or what to tell before code 1.
pub(crate) async fn run(
    context: &Context,
    verb: Verb,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    match verb {
        Verb::Init(args) => init::init(context, &args),
        Verb::Validate(args) => init::validate(context, &args),
        Verb::Plan(args) => plan::plan(context, &args, typed).await,
        Verb::Drift(args) => drift::drift(context, &args, typed).await,
        Verb::Apply(args) => apply::apply(context, &args, typed, None).await,
        Verb::Destroy(args) => apply::apply(context, &args, typed, Some(PlanMode::Destroy)).await,
        Verb::Refresh(mut args) => {
            args.auto_approve = true;
            apply::apply(context, &args, typed, Some(PlanMode::RefreshOnly)).await
        }
        Verb::Exec(args) => enter::exec(context, &args.object, &args.command, typed).await,
        Verb::Logs(args) => enter::logs(context, &args, typed).await,
        Verb::Shell(args) => enter::shell(context, &args.object, typed).await,
        Verb::Console(args) => console::console(context, &args, typed).await,
        Verb::Fmt(args) => Ok(fmt::fmt(context, &args)),
        Verb::ForceUnlock(args) => lock::force_unlock(context, &args),
        Verb::Lock(args) => match args.verb {
            LockVerb::Status(args) => lock::status(context, &args),
        },
        Verb::Recover(args) => recover::recover(context, &args, typed).await,
        Verb::Gitops(args) => crate::gitops::gitops(context, &args).await,
        Verb::Graph(args) => about::graph(context, &args),
        Verb::Import(args) => import::import(context, &args, typed).await,
        Verb::Output(args) => show::output(context, &args),
        Verb::Providers(args) => about::providers(context, &args),
        Verb::Rollback(args) => rollback::rollback(context, &args, typed).await,
        Verb::Show(args) => show::show(context, &args),
        Verb::State(args) => match args.verb {
            StateVerb::Diff(args) => snapshots::diff(context, &args),
            StateVerb::History(args) => history::history(context, &args),
            StateVerb::List(args) => state::list(context, &args),
            StateVerb::Mv(args) => state::mv(context, &args),
            StateVerb::Pull(args) => state::pull(context, &args),
            StateVerb::Push(args) => state::push(context, &args),
            StateVerb::Rm(args) => state::rm(context, &args),
            StateVerb::Show(args) => state::show(context, &args),
            StateVerb::Verify(args) => verify::verify(context, &args),
            StateVerb::ReplaceProvider(args) => state::replace_provider(context, &args),
        },
        Verb::Taint(args) => state::taint(context, &args, true),
        Verb::Untaint(args) => state::taint(context, &args, false),
        Verb::Version(args) => Ok(about::version(&args)),
        Verb::Watch(args) => watch::watch(context, &args, typed).await,
        Verb::Workspace(args) => workspace::workspace(context, &args),
    }
}
