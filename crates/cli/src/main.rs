//! The plumb command: arguments, files, the terminal and exit codes. What it decides is decided in
//! the crates below.

mod args;
mod argv;
mod backend;
mod commands;
mod context;
mod encryption;
mod files;
mod gitops;
mod help;
mod hidden;
mod html;
mod load;
mod picture;
mod planfile;
mod planning;
mod policy;
mod reports;
mod screen;
mod ui;
mod usage;
mod variables;

use std::sync::Arc;

use clap::FromArgMatches;

use crate::args::Cli;
use crate::context::Context;

/// Ours.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");
/// The Terraform whose language, files and command line we speak.
pub(crate) const TERRAFORM_VERSION: &str = "1.11.4";

/// When the work was ended by a signal.
pub(crate) const INTERRUPTED: i32 = 130;
/// When policies refused a plan.
pub(crate) const REFUSED: i32 = 3;

fn main() {
    if let Some(code) = hidden::run() {
        std::process::exit(code);
    }
    // Deep nesting is bounded, but what it needs is not little.
    let thread = std::thread::Builder::new().stack_size(64 << 20).spawn(run);
    let code = thread.map(std::thread::JoinHandle::join);
    std::process::exit(match code {
        Ok(Ok(code)) => code,
        Ok(Err(_)) | Err(_) => 1,
    });
}

fn run() -> i32 {
    let env = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let arguments = std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned());
    let (globals, words) = match argv::split(arguments, &env) {
        Ok(it) => it,
        Err(why) => return usage::wrong(&why, &[]),
    };
    let started_in = std::env::current_dir().unwrap_or_default().to_string_lossy().into_owned();
    if let Some(dir) = &globals.chdir
        && let Err(error) = std::env::set_current_dir(dir)
    {
        eprintln!("Error handling -chdir option: chdir {dir}: {error}");
        return 1;
    }
    let mut command = args::command();
    if globals.version {
        return commands::about::version(&args::VersionArgs { json: false });
    }
    if globals.help || words.is_empty() {
        return usage::help(&command, &words, globals.help);
    }
    let words = std::iter::once("plumb".to_owned()).chain(words);
    let matches = match command.try_get_matches_from_mut(words.clone()) {
        Ok(matches) => matches,
        Err(error) => return usage::refused(&command, &error, &words.collect::<Vec<_>>()[1..]),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return usage::refused(&command, &error, &words.collect::<Vec<_>>()[1..]),
    };
    let typed = matches.subcommand().map(|it| variables::typed(it.1)).unwrap_or_default();
    let (view, json) = commands::view(&cli.verb);
    let mut ui = ui::Ui::new(&view, json);
    let reports = match reports::begin(&cli.verb, &mut ui, &env) {
        Ok(reports) => reports,
        Err(diagnostics) => {
            ui.diagnostics(&diagnostics);
            return 1;
        }
    };
    let ui = Arc::new(ui);
    let context = Context { env, ui, started_in, reports };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .thread_stack_size(16 << 20)
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(it) => it,
        Err(error) => {
            eprintln!("plumb cannot start: {error}");
            return 1;
        }
    };
    let code = match runtime.block_on(commands::run(&context, cli.verb, &typed)) {
        Ok(code) => code,
        Err(diagnostics) => {
            context.ui.diagnostics(&diagnostics);
            1
        }
    };
    let code = context.reports.finish(&context, code);
    // A thread that waits for somebody to type would hold it up.
    runtime.shutdown_background();
    code
}
