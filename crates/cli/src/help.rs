//! Help texts, in Terraform's shape.

use std::fmt::Write;

use clap::{Arg, Command};

/// The five verbs that one needs first.
const MAIN: [&str; 5] = ["init", "validate", "plan", "apply", "destroy"];

/// Help on the whole program.
pub(crate) fn overview(command: &Command) -> String {
    let mut out = String::from(
        "Usage: plumb [global options] <subcommand> [args]\n\n\
         The available commands for execution are listed below.\n\
         The primary workflow commands are given first, followed by\n\
         less common or more advanced commands.\n\nMain commands:\n",
    );
    let line = |it: &Command, out: &mut String| {
        let about = it.get_about().map(ToString::to_string).unwrap_or_default();
        let _ = writeln!(out, "  {:<13} {about}", it.get_name());
    };
    for name in MAIN {
        command.find_subcommand(name).into_iter().for_each(|it| line(it, &mut out));
    }
    out += "\nAll other commands:\n";
    let mut others: Vec<&Command> =
        command.get_subcommands().filter(|it| !MAIN.contains(&it.get_name())).collect();
    others.sort_by_key(|it| it.get_name());
    others.into_iter().for_each(|it| line(it, &mut out));
    out += "\nGlobal options (use these before the subcommand, if any):\n  \
            -chdir=DIR    Switch to a different working directory before executing the\n                \
            given subcommand.\n  \
            -help         Show this help output, or the help for a specified subcommand.\n  \
            -version      An alias for the \"version\" subcommand.\n";
    out
}

/// Help on one verb, given with the verbs it belongs to: `state`, `list`.
pub(crate) fn verb(path: &[&str], command: &Command) -> String {
    let mut out = format!("Usage: plumb [global options] {}", path.join(" "));
    let subcommands: Vec<&Command> = command.get_subcommands().collect();
    let (options, positionals): (Vec<&Arg>, Vec<&Arg>) =
        command.get_arguments().partition(|it| it.get_long().is_some());
    if !subcommands.is_empty() {
        out += " <subcommand>";
    }
    if !options.is_empty() {
        out += " [options]";
    }
    for it in &positionals {
        let name = it.get_id().as_str().to_uppercase();
        let many = it.get_num_args().is_some_and(|it| it.max_values() > 1);
        let name = if many { format!("{name}...") } else { name };
        let name = if it.is_last_set() { format!("-- {name}") } else { name };
        let _ =
            if it.is_required_set() { write!(out, " {name}") } else { write!(out, " [{name}]") };
    }
    let about = command.get_about().map(ToString::to_string).unwrap_or_default();
    let _ = writeln!(out, "\n\n  {about}.");
    if !subcommands.is_empty() {
        out += "\nSubcommands:\n";
        for it in subcommands {
            let about = it.get_about().map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(out, "    {:<17} {about}", it.get_name());
        }
    }
    let mut options: Vec<&Arg> = options;
    options.sort_by_key(|it| it.get_long());
    if !options.is_empty() {
        out += "\nOptions:\n";
    }
    for it in options {
        let name = format!("-{}{}", it.get_long().unwrap_or_default(), value_name(it));
        let about = it.get_help().map(ToString::to_string).unwrap_or_default();
        let mut lines = wrap(&format!("{about}."), 55).into_iter();
        if name.len() > 22 {
            let _ = writeln!(out, "\n  {name}");
        } else {
            let _ = writeln!(out, "\n  {name:<22} {}", lines.next().unwrap_or_default());
        }
        lines.for_each(|line| _ = writeln!(out, "{:25}{line}", ""));
    }
    out
}

fn value_name(arg: &Arg) -> String {
    let flag = arg.get_default_values().iter().any(|it| it == "false");
    match arg.get_value_names() {
        Some([name, ..]) if !flag => match name.as_str() {
            "BOOL" => "=true".to_owned(),
            quoted if quoted.starts_with('\'') => format!(" {}", quoted.to_lowercase()),
            name => format!("={}", name.to_lowercase()),
        },
        _ => String::new(),
    }
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let line = lines.last_mut().expect("starts with one");
        if !line.is_empty() && line.len() + 1 + word.len() > width {
            lines.push(word.to_owned());
        } else {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    lines
}
