//! Texts to something that can be asked. Both versions of Rego are read: a file in which version 1 does not parse is
//! tried as version 0, which most policies in the wild are written in.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use regorus::utils::limits::ExecutionTimerConfig;
use regorus::{Engine, Value};

use crate::rules::{Rule, rules};
use crate::verdict::verdicts;
use crate::{Case, DataText, Fault, Namespaces, Text, Verdict};

/// A rule that takes longer is broken: it would hold up a pipeline for as long as that may run.
const TIME_MAX: Duration = Duration::from_secs(60);

/// Policies that were understood, ready to be asked.
#[derive(Clone)]
pub struct Policies {
    engine: Engine,
    texts: Vec<Text>,
    rules: Vec<Rule>,
}

impl std::fmt::Debug for Policies {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Policies").field("rules", &self.rules).finish_non_exhaustive()
    }
}

impl Policies {
    /// Reads policies and what they know besides. All faults at once, as far as one does not hide another.
    pub fn read(
        policies: Vec<Text>,
        data: &[DataText],
        namespaces: &Namespaces,
    ) -> Result<Policies, Vec<Fault>> {
        let mut engine = Engine::new();
        // As the Open Policy Agent does: a function that is given what it cannot take has no value.
        engine.set_strict_builtin_errors(false);
        // `print` is for whoever writes a policy, and our output is not its place.
        engine.set_gather_prints(true);
        let limit = ExecutionTimerConfig {
            limit: TIME_MAX,
            check_interval: NonZeroU32::MIN.saturating_add(999),
        };
        engine.set_execution_timer_config(limit);
        let parsed = policies.iter().filter_map(|it| parse(&mut engine, it).err());
        let mut faults: Vec<Fault> = parsed.collect();
        faults.extend(data.iter().filter_map(|it| add(&mut engine, it).err()));
        if !faults.is_empty() {
            return Err(faults);
        }
        // What can be found without an input, such as variables that are never given a value.
        if let Err(error) = engine.eval_query("true".to_owned(), false) {
            return Err(vec![Fault::said(&error.to_string(), &policies)]);
        }
        let rules = rules(&engine, &policies, namespaces).map_err(|it| vec![it])?;
        Ok(Policies { engine, texts: policies, rules })
    }

    /// What the policies say of a case: refusals first, else in the order of the rules' names.
    pub fn judge(&mut self, case: Case<'_>) -> Result<Vec<Verdict>, Vec<Fault>> {
        let input = Value::from_json_str(case.input)
            .map_err(|it| vec![Fault::new(format!("The input is not JSON: {it}"))])?;
        self.engine.set_input(input);
        let (mut found, mut faults) = (Vec::new(), Vec::new());
        for rule in &self.rules {
            let excepted = match &rule.exception {
                Some(path) => self.engine.eval_rule(path.clone()).map(|it| excepts(&it, rule)),
                None => Ok(false),
            };
            let value = match excepted {
                Ok(true) => continue,
                Ok(false) => self.engine.eval_rule(rule.path.clone()),
                Err(error) => Err(error),
            };
            match value {
                Ok(value) => match verdicts(rule, &value, case.addresses) {
                    Ok(verdicts) => found.extend(verdicts),
                    Err(message) => faults.push(Fault::of(&rule.file, message)),
                },
                Err(error) if error.to_string().contains("exceeded time limit") => {
                    let limit = TIME_MAX.as_secs();
                    let message = format!("The rule {} takes more than {limit} s.", rule.name);
                    faults.push(Fault::of(&rule.file, message));
                }
                Err(error) => faults.push(Fault::said(&error.to_string(), &self.texts)),
            }
        }
        // Several rules may lean on what is broken.
        let mut seen = BTreeSet::new();
        faults.retain(|it| seen.insert((it.place.clone(), it.message.clone())));
        if !faults.is_empty() {
            return Err(faults);
        }
        found.sort_by_key(|it| it.ruling);
        Ok(found)
    }
}

/// Whether `exception` names the rule: sets or lists of what stands behind `deny_`, empty for `deny` itself.
fn excepts(value: &Value, rule: &Rule) -> bool {
    let name = Value::from(rule.suffix());
    let inside = |it: &Value| match it {
        Value::Array(items) => items.contains(&name),
        Value::Set(items) => items.contains(&name),
        _ => false,
    };
    match value {
        Value::Array(items) => items.iter().any(inside),
        Value::Set(items) => items.iter().any(inside),
        _ => false,
    }
}

fn parse(engine: &mut Engine, text: &Text) -> Result<(), Fault> {
    let mut attempt = |is_v0| {
        engine.set_rego_v0(is_v0);
        match engine.add_policy(text.path.clone(), text.text.clone()) {
            Ok(_) => Ok(()),
            Err(error) => Err(Fault::said(&error.to_string(), [text])),
        }
    };
    let Err(first) = attempt(false) else { return Ok(()) };
    if !may_be_v0(&text.text) {
        return Err(first);
    }
    let Err(second) = attempt(true) else { return Ok(()) };
    // Where the wrong version is read it ends at the first rule; the right one ends at the mistake.
    Err(if second.place > first.place { second } else { first })
}

/// In version 0 `if` is a keyword only where it is imported.
fn may_be_v0(text: &str) -> bool {
    let code = code(text);
    let mut words = code.split(|c: char| !(c.is_alphanumeric() || c == '_'));
    let imports = code.lines().any(|it| {
        let mut words = it.split_whitespace();
        let what = (words.next(), words.next());
        matches!(what, (Some("import"), Some(it)) if it == "rego.v1" || it.starts_with("future.keywords"))
    });
    imports || words.all(|it| it != "if")
}

/// Without strings and comments.
fn code(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = None;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (inside, c) {
            (None, '"' | '`' | '#') => inside = Some(c),
            (None, c) => out.push(c),
            (Some('"'), '\\') => _ = chars.next(),
            (Some('#'), '\n') => {
                inside = None;
                out.push(c);
            }
            (Some(open), c) if open == c && open != '#' => inside = None,
            (Some(_), _) => {}
        }
    }
    out
}

fn add(engine: &mut Engine, data: &DataText) -> Result<(), Fault> {
    let Text { path, text } = &data.text;
    let is_yaml = path.ends_with(".yaml") || path.ends_with(".yml");
    let read = if is_yaml { Value::from_yaml_str(text) } else { Value::from_json_str(text) };
    let value = read.map_err(|it| Fault::of(path, it.to_string()))?;
    if data.below.is_empty() && value.as_object().is_err() {
        return Err(Fault::of(path, "Data must be an object, so that its values have names."));
    }
    let value = data.below.iter().rev().fold(value, |value, name| {
        let mut outer = Value::new_object();
        if let Ok(outer) = outer.as_object_mut() {
            outer.insert(Value::from(name.as_str()), value);
        }
        outer
    });
    engine.add_data(value).map_err(|_| {
        Fault::of(path, "Another file of data says something else about one of these names.")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_told_by_its_words() {
        assert!(may_be_v0("package main\ndeny[\"only if \\\" needed\"] { true } # if\nx = `if`"));
        assert!(may_be_v0("package main\nimport future.keywords.if\ndeny[m] if { m := \"\" }"));
        assert!(!may_be_v0("package main\n# import rego.v1\ndeny contains m if { m := \"\" }"));
    }
}
