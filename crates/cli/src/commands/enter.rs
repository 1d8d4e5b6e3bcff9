//! `exec`, `shell` and `logs`: into an object of the state.

use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::Silent;
use plumb_model::Target;
use plumb_model::addr::{Addr, Kind};
use plumb_model::event::Remote;
use plumb_planner::PlanMode;
use plumb_provider::{Connection, Entry, Failure};

use super::show::current;
use crate::args::{LogsArgs, ObjectFlags, PlanFlags};
use crate::context::Context;
use crate::planning::{self, Asked};
use crate::variables::Typed;

/// The best shell that there is.
const SHELL: [&str; 3] =
    ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash -i; exec sh -i"];

/// An object that can be asked for something.
struct Reached {
    connection: Arc<dyn Connection>,
    kind: Kind,
    object: Remote,
}

pub(crate) async fn exec(
    context: &Context,
    flags: &ObjectFlags,
    command: &[String],
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let Reached { connection, kind, object } = reach(context, flags, typed).await?;
    let entry = connection.enter(&kind, &object, command).await.map_err(|it| told(flags, it))?;
    run(entry).map_err(|error| {
        let detail = format!("The program that enters {} cannot be run: {error}.", flags.addr);
        vec![Diagnostic::error("Cannot enter", detail)]
    })
}

pub(crate) async fn shell(
    context: &Context,
    flags: &ObjectFlags,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    exec(context, flags, &SHELL.map(str::to_owned), typed).await
}

pub(crate) async fn logs(
    context: &Context,
    args: &LogsArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let flags = &args.object;
    let Reached { connection, kind, object } = reach(context, flags, typed).await?;
    let text = connection.logs(&kind, &object, args.tail_bytes).await;
    context.ui.print(&text.map_err(|it| told(flags, it))?);
    Ok(0)
}

/// Runs a program that has the terminal; what it ended with.
fn run(entry: Entry) -> std::io::Result<i32> {
    for file in &entry.inherit {
        rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?;
    }
    let status = Command::new(entry.program).args(entry.arguments).status()?;
    Ok(status.code().or(status.signal().map(|it| 128 + it)).unwrap_or(1))
}

fn told(flags: &ObjectFlags, failure: Failure) -> Diagnostics {
    let detail = format!("{}: {}", flags.addr, failure.detail);
    vec![Diagnostic::error(failure.summary, detail)]
}

/// The object as the state has it, and a connection to where it is.
async fn reach(
    context: &Context,
    flags: &ObjectFlags,
    typed: &[Typed],
) -> Result<Reached, Diagnostics> {
    let error = |summary: &str, detail: String| vec![Diagnostic::error(summary, detail)];
    let addr: Addr = flags
        .addr
        .parse()
        .map_err(|it: plumb_model::BadAddr| error("Invalid address", format!("{it}.")))?;
    let state = current(context, flags.state.as_deref())?;
    let Some(object) = state.current(&addr) else {
        let kinds =
            |it: &&plumb_model::addr::ObjectKey| it.addr.resource.kind == addr.resource.kind;
        let known: Vec<String> =
            state.objects.keys().filter(kinds).map(|it| it.addr.to_string()).collect();
        let hint = match known.is_empty() {
            true => "The state has no object of this type; `plumb state list` shows what it has."
                .to_owned(),
            false => format!("The state has {}.", known.join(", ")),
        };
        return Err(error("No such object", format!("{addr} is not in the state. {hint}")));
    };
    let plan = PlanFlags { refresh: Some(false), ..PlanFlags::default() };
    let asked = Asked {
        verb: "exec",
        flags: &plan,
        mode: PlanMode::Normal,
        typed,
        input: context.may_ask(flags.vars.input),
        state: flags.state.as_deref(),
    };
    let mut prepared = planning::prepare(context, &asked)?;
    prepared.options.targets = vec![Target::Resource(addr.clone())];
    let engine = context.engine(1);
    let interrupt = planning::interrupts();
    // Only to know how its provider is configured.
    let observer: Arc<dyn plumb_engine::Observer> = Arc::new(Silent);
    let made = planning::make(&engine, &prepared, &state, &observer, &interrupt).await?;
    let Some(outcome) = made else { return Err(Vec::new()) };
    let Some(config) = outcome.planned.providers.get(&object.provider) else {
        let detail = format!("The configuration of {} is not known.", object.provider);
        return Err(error("Provider not configured", detail));
    };
    let connection = engine.connection(&object.provider, config).await;
    let connection = connection.map_err(|it| told(flags, it))?;
    let (attrs, private) = (object.attrs.unmark_deep(), object.private.clone());
    let kind = addr.resource.kind.clone();
    Ok(Reached { connection, kind, object: Remote { attrs, private, complete: !object.tainted } })
}
