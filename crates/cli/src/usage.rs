//! What is said when the command line cannot be understood.

use clap::Command;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use plumb_lang::suggest::suggest;

use crate::help;

/// Help on what `words` begin with. Asked for: standard output and exit code 0.
pub(crate) fn help(command: &Command, words: &[String], asked: bool) -> i32 {
    let (path, found) = find(command, words);
    let text = if path.is_empty() { help::overview(command) } else { help::verb(&path, found) };
    if asked || path.is_empty() {
        print!("{text}");
    } else {
        eprint!("{text}");
    }
    if asked { 0 } else { 1 }
}

/// The verb that `words` begin with.
fn find<'a>(command: &'a Command, words: &'a [String]) -> (Vec<&'a str>, &'a Command) {
    let mut path = Vec::new();
    let mut at = command;
    for word in words {
        let Some(next) = at.find_subcommand(word) else { break };
        path.push(word.as_str());
        at = next;
    }
    (path, at)
}

/// The command line is wrong.
pub(crate) fn wrong(why: &str, path: &[&str]) -> i32 {
    let verb = if path.is_empty() { String::new() } else { format!("{} ", path.join(" ")) };
    eprintln!(
        "\nError: Failed to parse command-line flags\n\n{why}\n\nFor more help on using this \
         command, run:\n  plumb {verb}-help"
    );
    1
}

/// The parser refused it.
pub(crate) fn refused(command: &Command, error: &clap::Error, words: &[String]) -> i32 {
    let (path, found) = find(command, words);
    let context = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => texts.first().cloned(),
        _ => None,
    };
    let flag = |text: &str| match text.strip_prefix("--") {
        Some(name) => format!("-{}", name.split([' ', '=']).next().unwrap_or(name)),
        None => text.to_owned(),
    };
    match error.kind() {
        ErrorKind::InvalidSubcommand => {
            let given = context(ContextKind::InvalidSubcommand).unwrap_or_default();
            let names = found.get_subcommands().map(Command::get_name);
            let more = suggest(&given, names).map(|it| format!(" Did you mean {it:?}?"));
            let prefix = path.iter().map(|it| format!("{it} ")).collect::<String>();
            eprintln!(
                "Plumb has no command named \"{prefix}{given}\".{}\n\nTo see all of Plumb's \
                 commands, run:\n  plumb {prefix}-help\n",
                more.unwrap_or_default()
            );
            1
        }
        ErrorKind::MissingSubcommand | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            help(command, words, false)
        }
        ErrorKind::UnknownArgument => {
            let given = context(ContextKind::InvalidArg).unwrap_or_default();
            if !given.starts_with('-') {
                if found.get_positionals().any(clap::Arg::is_last_set) {
                    let why = format!("Put \"--\" before the command: -- {given}");
                    return wrong(&why, &path);
                }
                return wrong(
                    &format!(
                        "Too many command line arguments: {given:?} is not expected. To work in \
                         another directory, use the global -chdir option."
                    ),
                    &path,
                );
            }
            let given = flag(&given);
            let names = found.get_arguments().filter_map(clap::Arg::get_long);
            let more = suggest(given.trim_start_matches('-'), names);
            let more = more.map(|it| format!(" Did you mean -{it}?")).unwrap_or_default();
            wrong(&format!("flag provided but not defined: {given}.{more}"), &path)
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let given = context(ContextKind::InvalidArg).map(|it| flag(&it)).unwrap_or_default();
            match context(ContextKind::InvalidValue).filter(|it| !it.is_empty()) {
                Some(value) => wrong(&format!("invalid value {value:?} for flag {given}"), &path),
                None => wrong(&format!("flag needs an argument: {given}"), &path),
            }
        }
        ErrorKind::MissingRequiredArgument => {
            let missing = match error.get(ContextKind::InvalidArg) {
                Some(ContextValue::Strings(all)) => all.join(" "),
                _ => String::new(),
            };
            wrong(&format!("An argument is missing: {missing}"), &path)
        }
        _ => wrong(error.to_string().trim(), &path),
    }
}
