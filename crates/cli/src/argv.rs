//! The command line as people type it, `-var x=1` and `-chdir=DIR plan`, to the form that the
//! argument parser reads, and what `TF_CLI_ARGS` adds to it.

use std::collections::BTreeMap;

/// What stands before the verb.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Globals {
    /// `-chdir=DIR`
    pub(crate) chdir: Option<String>,
    /// `-help`, anywhere.
    pub(crate) help: bool,
    /// `-version`, before the verb.
    pub(crate) version: bool,
}

/// Verbs that have verbs of their own.
const FAMILIES: [&str; 3] = ["state", "workspace", "providers"];

/// Splits off the global options; what is left begins with the verb, its options with two dashes.
pub(crate) fn split(
    args: impl IntoIterator<Item = String>,
    env: &BTreeMap<String, String>,
) -> Result<(Globals, Vec<String>), String> {
    let mut globals = Globals::default();
    let mut args = args.into_iter().peekable();
    while let Some(arg) = args.next_if(|it| it.starts_with('-')) {
        match arg.trim_start_matches('-') {
            "help" | "h" => globals.help = true,
            "version" | "v" => globals.version = true,
            "chdir" => globals.chdir = Some(args.next().ok_or("-chdir needs a directory")?),
            other => match other.strip_prefix("chdir=") {
                Some("") => return Err("-chdir needs a directory".into()),
                Some(dir) => globals.chdir = Some(dir.to_owned()),
                None => return Err(format!("unknown global option {arg}")),
            },
        }
    }
    let mut verb: Vec<String> = args.next().into_iter().collect();
    if verb.iter().any(|it| FAMILIES.contains(&it.as_str())) {
        verb.extend(args.next_if(|it| !it.starts_with('-')));
    }
    let mut rest = Vec::new();
    // `TF_CLI_ARGS` goes to every verb, `TF_CLI_ARGS_state_list` to one; before what is typed.
    let specific = format!("TF_CLI_ARGS_{}", verb.join("_").replace('-', "_"));
    for name in ["TF_CLI_ARGS", &specific] {
        if let Some(text) = env.get(name).filter(|_| !verb.is_empty()) {
            rest.extend(words(text).map_err(|why| format!("{name} cannot be read: {why}"))?);
        }
    }
    rest.extend(args);
    let mut literal = false;
    for arg in &mut rest {
        let is_option = !literal && arg.len() > 1 && arg.starts_with('-') && *arg != "--";
        literal |= *arg == "--";
        if !is_option {
            continue;
        }
        let name = arg.trim_start_matches('-');
        if matches!(name, "help" | "h") {
            globals.help = true;
        }
        *arg = format!("--{name}");
    }
    // What follows a "--" is not ours.
    let ours = rest.iter().position(|it| it == "--").unwrap_or(rest.len());
    let literal = rest.split_off(ours);
    verb.extend(rest.into_iter().filter(|it| it != "--help" && it != "--h").chain(literal));
    Ok((globals, verb))
}

/// Splits a line as a shell does: blanks, quotes, backslashes. No expansion.
fn words(line: &str) -> Result<Vec<String>, &'static str> {
    let mut res = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, ' ' | '\t' | '\n') => res.extend(word.take()),
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (Some(open), c) if open == c => quote = None,
            (None | Some('"'), '\\') => {
                let next = chars.next().ok_or("it ends with a backslash")?;
                word.get_or_insert_default().push(next);
            }
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    if quote.is_some() {
        return Err("a quote is not closed");
    }
    res.extend(word);
    Ok(res)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, env: &[(&str, &str)], chdir: Option<&str>, want: &[&str]) {
        let env = env.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let args = line.split(' ').map(str::to_owned);
        let (globals, rest) = split(args, &env).expect(line);
        assert_eq!(
            (globals.chdir.as_deref(), rest),
            (chdir, want.iter().map(|it| it.to_string()).collect()),
            "{line}"
        );
    }

    #[test]
    fn one_dash_is_two() {
        check(
            "-chdir=a plan -var x=1 -out=p",
            &[],
            Some("a"),
            &["plan", "--var", "x=1", "--out=p"],
        );
        check(
            "--chdir b state list -id=3 a.b",
            &[],
            Some("b"),
            &["state", "list", "--id=3", "a.b"],
        );
        check("fmt -", &[], None, &["fmt", "-"]);
        check("exec a.b -- ls --help -l", &[], None, &["exec", "a.b", "--", "ls", "--help", "-l"]);
        check(
            "plan -json",
            &[("TF_CLI_ARGS", "-no-color"), ("TF_CLI_ARGS_plan", "-var 'a=b c' -var=\"q=\\\"\"")],
            None,
            &["plan", "--no-color", "--var", "a=b c", "--var=q=\"", "--json"],
        );
    }

    #[test]
    fn what_cannot_be_read_is_said() {
        let split = |it: &str| split([it.to_owned()], &BTreeMap::new());
        assert_eq!(split("-nope"), Err("unknown global option -nope".into()));
        assert_eq!(words("'a"), Err("a quote is not closed"));
    }
}
