//! `exec`, `shell` and `logs`: into an object of the state.

use std::convert::Infallible;
use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics};
use plumb_engine::{Observer, Silent};
use plumb_lang::suggest::suggest;
use plumb_model::Target;
use plumb_model::addr::{Addr, Kind};
use plumb_model::event::Remote;
use plumb_model::state::State;
use plumb_planner::PlanMode;
use plumb_provider::{Connection, Entry, Failure};

use super::show::current;
use crate::INTERRUPTED;
use crate::args::{LogsArgs, ObjectFlags, PlanFlags};
use crate::context::Context;
use crate::planning::{self, Asked};
use crate::variables::Typed;

/// The best shell that there is.
const SHELL: [&str; 3] =
    ["sh", "-c", "command -v bash >/dev/null 2>&1 && exec bash -i; exec sh -i"];

/// So many addresses are told, where one is missing.
const TOLD_MAX: usize = 8;

/// An object that can be asked for something.
struct Reached {
    connection: Arc<dyn Connection>,
    kind: Kind,
    object: Remote,
}

/// Ends only with an error, or when it was interrupted before it began: this process becomes the program,
/// which so has the terminal, gets the signals, and ends as it ends.
pub(crate) async fn exec(
    context: &Context,
    flags: &ObjectFlags,
    command: &[String],
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let Some(reached) = reach(context, flags, typed).await? else { return Ok(INTERRUPTED) };
    let Reached { connection, kind, object } = reached;
    let entry = connection.enter(&kind, &object, command).await.map_err(|it| told(flags, it))?;
    match become_program(entry) {
        Ok(never) => match never {},
        Err(reason) => {
            let detail = format!("The program that enters {} cannot be run: {reason}.", flags.addr);
            Err(error("Cannot enter", detail))
        }
    }
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
    let Some(reached) = reach(context, flags, typed).await? else { return Ok(INTERRUPTED) };
    let Reached { connection, kind, object } = reached;
    let text = connection.logs(&kind, &object, args.tail_bytes).await;
    context.ui.print(&text.map_err(|it| told(flags, it))?);
    Ok(0)
}

fn become_program(entry: Entry) -> std::io::Result<Infallible> {
    for file in &entry.inherit {
        rustix::io::fcntl_setfd(file, rustix::io::FdFlags::empty())?;
    }
    Err(Command::new(entry.program).args(entry.arguments).exec())
}

/// The object as the state has it, and a connection to where it is. None: interrupted.
async fn reach(
    context: &Context,
    flags: &ObjectFlags,
    typed: &[Typed],
) -> Result<Option<Reached>, Diagnostics> {
    let addr: Addr = flags
        .addr
        .parse()
        .map_err(|it: plumb_model::BadAddr| error("Invalid address", format!("{it}.")))?;
    let state = current(context, flags.state.as_deref())?;
    let Some(object) = state.current(&addr) else { return Err(missing(&state, &addr)) };
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
    let observer: Arc<dyn Observer> = Arc::new(Silent);
    let made = planning::make(&engine, &prepared, &state, &observer, &interrupt).await?;
    let Some(outcome) = made else { return Ok(None) };
    let Some(config) = outcome.planned.providers.get(&object.provider) else {
        let detail = format!("The configuration of {} is not known.", object.provider);
        return Err(error("Provider not configured", detail));
    };
    let connection = engine.connection(&object.provider, config).await;
    let connection = connection.map_err(|it| told(flags, it))?;
    let (attrs, private) = (object.attrs.unmark_deep(), object.private.clone());
    let object = Remote { attrs, private, complete: !object.tainted };
    Ok(Some(Reached { connection, kind: addr.resource.kind, object }))
}

/// What a person is told who asked for an object that is not there: which one was probably meant.
fn missing(state: &State, addr: &Addr) -> Diagnostics {
    let all = || state.objects.keys().map(|it| &it.addr);
    let instances: Vec<&Addr> =
        all().filter(|it| it.module == addr.module && it.resource == addr.resource).collect();
    if addr.key.is_none() && !instances.is_empty() {
        let detail = format!("{addr} has instances; name one of them: {}.", list(&instances));
        return error("Resource has several instances", detail);
    }
    let kindred: Vec<&Addr> = all().filter(|it| it.resource.kind == addr.resource.kind).collect();
    let texts: Vec<String> = all().map(ToString::to_string).collect();
    let near = suggest(&addr.to_string(), texts.iter().map(String::as_str));
    let hint = match near {
        _ if !instances.is_empty() => format!("The state has {}.", list(&instances)),
        Some(near) => format!("Did you mean {near}?"),
        None if kindred.is_empty() => {
            "The state has no object of this type; \"plumb state list\" shows what it has.".into()
        }
        None => format!("The state has {}.", list(&kindred)),
    };
    error("No such object", format!("{addr} is not in the state. {hint}"))
}

fn list(addrs: &[&Addr]) -> String {
    let told = addrs.iter().take(TOLD_MAX).map(ToString::to_string).collect::<Vec<_>>().join(", ");
    match addrs.len().saturating_sub(TOLD_MAX) {
        0 => told,
        more => format!("{told} and {more} more"),
    }
}

fn told(flags: &ObjectFlags, failure: Failure) -> Diagnostics {
    let detail = match failure.detail.is_empty() {
        true => format!("That is what {} is.", flags.addr),
        false => format!("{}: {}", flags.addr, failure.detail),
    };
    error(&failure.summary, detail)
}

fn error(summary: &str, detail: String) -> Diagnostics {
    vec![Diagnostic::error(summary, detail)]
}
