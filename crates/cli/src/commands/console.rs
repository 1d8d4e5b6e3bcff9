//! `console`: expressions, line by line, and what they are.
//!
//! A line becomes a local value, under a name that no file can have, in a copy of the root module.
//! So everything that holds of an expression in a file holds here.

use std::io::{self, BufRead, IsTerminal};
use std::sync::Arc;

use plumb_diag::{Diagnostic, Diagnostics, Span};
use plumb_engine::{Engine, Interrupt, Observer};
use plumb_lang::config::Local;
use plumb_lang::syntax::{Expr, ExprKind, parse_expression};
use plumb_model::question::Observations;
use plumb_model::state::State;
use plumb_model::value::Value;
use plumb_planner::PlanMode;
use plumb_report::{type_text, value_text};

use crate::INTERRUPTED;
use crate::args::{BackupFlags, ConsoleArgs, PlanFlags};
use crate::context::{Context, store_error};
use crate::load::{self, Loaded};
use crate::planning::{self, Asked, Prepared};
use crate::screen::Screen;
use crate::variables::Typed;

const NAME: &str = "<console>";

const HELP: &str = "Type an expression, as it could stand in a file of this configuration, and \
                    press <enter> to see its value. \"type(expression)\" shows its type instead.\n\n\
                    Resources have the values that the state has of them; what is not there yet is \
                    \"(known after apply)\", unless console was started with -plan.\n\n\
                    \"exit\", Control-C or Control-D leave.";

/// Evaluates what is typed. From a pipe, only the last value is written, and the first mistake is
/// the end.
pub(crate) async fn console(
    context: &Context,
    args: &ConsoleArgs,
    typed: &[Typed],
) -> Result<i32, Diagnostics> {
    let mode = if args.plan { PlanMode::Normal } else { PlanMode::RefreshOnly };
    let asked = Asked {
        verb: "console",
        flags: &PlanFlags { refresh: Some(args.plan), ..PlanFlags::default() },
        mode,
        typed,
        input: context.may_ask(args.vars.input),
        state: args.state.state.as_deref(),
    };
    let mut prepared =
        planning::prepare_loaded(context, &asked, load::load(&mut load::read_folder))?;
    // Functions that a plan leaves open, such as the time, have a value here.
    prepared.inputs.apply_time = Some(prepared.inputs.plan_time.clone());
    let engine = context.engine(10);
    let store =
        context.store(&prepared.backend, &BackupFlags::default(), engine.schemas().clone())?;
    let opened = context.open(&store, &args.state, "OperationTypeInvalid")?;
    let session = Session {
        context,
        engine,
        state: &opened.state,
        screen: Screen::new(&context.ui),
        interrupt: planning::interrupts(),
    };
    let outcome = session.lines(prepared).await;
    opened.lease.close().map_err(|it| vec![store_error(&it)])?;
    outcome
}

struct Session<'a> {
    context: &'a Context,
    engine: Arc<Engine>,
    state: &'a State,
    screen: Arc<dyn Observer>,
    interrupt: Interrupt,
}

/// What became of a line.
enum Line {
    Shown(String),
    Exit,
    Interrupted,
}

impl Session<'_> {
    async fn lines(&self, mut prepared: Prepared) -> Result<i32, Diagnostics> {
        let interactive = io::stdin().is_terminal();
        let mut seen = Observations::new();
        let mut last = String::new();
        loop {
            if interactive {
                self.context.ui.print("> ");
            }
            let mut line = String::new();
            match io::stdin().lock().read_line(&mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {}
            }
            match self.line(&mut prepared, line.trim(), &mut seen).await {
                Ok(Line::Exit) => return Ok(0),
                Ok(Line::Interrupted) => return Ok(INTERRUPTED),
                Ok(Line::Shown(text)) if !interactive => last = text,
                Ok(Line::Shown(text)) if text.is_empty() => {}
                Ok(Line::Shown(text)) => self.context.ui.print(&format!("{text}\n\n")),
                Err(diagnostics) if interactive => self.context.ui.diagnostics(&diagnostics),
                Err(diagnostics) => return Err(diagnostics),
            }
        }
        self.context.ui.print(if interactive { "\n" } else { "" });
        if !interactive {
            self.context.ui.print(&format!("{last}\n"));
        }
        Ok(0)
    }

    async fn line(
        &self,
        prepared: &mut Prepared,
        line: &str,
        seen: &mut Observations,
    ) -> Result<Line, Diagnostics> {
        match line {
            "" => return Ok(Line::Shown(String::new())),
            "exit" => return Ok(Line::Exit),
            "help" => return Ok(Line::Shown(HELP.into())),
            _ => {}
        }
        let file = prepared.loaded.sources.add("<console-input>", line);
        self.context.ui.show_from(&prepared.loaded.sources);
        let parse = parse_expression(file, line, 0);
        if parse.diagnostics.iter().any(Diagnostic::is_error) {
            return Err(parse.diagnostics);
        }
        let (expr, wants_type) = match typed(&parse.expr) {
            Some(argument) => (argument.clone(), true),
            None => (parse.expr, false),
        };
        let span = Span::new(file, 0, line.len());
        let local = Local { expr: Arc::new(expr), span };
        let Some(value) = self.value(prepared, local, seen).await? else {
            return Ok(Line::Interrupted);
        };
        Ok(Line::Shown(match wants_type {
            true => type_text(&value.ty()),
            false => value_text(&value),
        }))
    }

    /// What a local value is. None: interrupted.
    async fn value(
        &self,
        prepared: &mut Prepared,
        local: Local,
        seen: &mut Observations,
    ) -> Result<Option<Value>, Diagnostics> {
        let mut root = prepared.loaded.root().map(|it| (**it).clone()).unwrap_or_default();
        root.locals.insert(NAME.into(), local);
        let mut tree = prepared.loaded.tree.clone();
        tree.dirs.insert(tree.root.clone(), Arc::new(root));
        let mut loaded = Loaded { tree, ..Loaded::default() };
        prepared.program = load::check(&mut loaded, self.engine.schemas());
        let errors = |all: Diagnostics| -> Diagnostics {
            all.into_iter().filter(Diagnostic::is_error).collect()
        };
        let found = errors(loaded.diagnostics);
        if !found.is_empty() {
            return Err(found);
        }
        let made = planning::make_seen(
            &self.engine,
            prepared,
            &prepared.options,
            self.state,
            std::mem::take(seen),
            &self.screen,
            &self.interrupt,
        );
        let Some(outcome) = made.await? else { return Ok(None) };
        *seen = outcome.seen;
        let node = prepared.program.modules.first().and_then(|it| it.names.locals.get(NAME));
        Ok(node.and_then(|it| outcome.planned.known.value(*it, 0)).cloned())
    }
}

/// The argument, if the expression is `type(argument)`, which only the console has.
fn typed(expr: &Expr) -> Option<&Expr> {
    let mut expr = expr;
    while let ExprKind::Paren(inner) = &expr.kind {
        expr = inner;
    }
    match &expr.kind {
        ExprKind::Call(call) if &*call.name.text == "type" && !call.expand => {
            match &call.args[..] {
                [argument] => Some(argument),
                _ => None,
            }
        }
        _ => None,
    }
}
