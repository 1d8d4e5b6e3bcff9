//! Reads the arguments of a block `backend`, and what the environment says where they are left out.

use serde_json::Value;

use crate::{Mistake, Setting};

/// The arguments, and what is wrong with them.
pub(crate) struct Args<'a> {
    setting: &'a Setting,
    pub(crate) mistakes: Vec<Mistake>,
}

impl<'a> Args<'a> {
    /// Arguments that are not `known` are mistakes.
    pub(crate) fn new(setting: &'a Setting, known: &[&str]) -> Args<'a> {
        let mut args = Args { setting, mistakes: Vec::new() };
        for name in setting.config.keys().filter(|it| !known.contains(&it.as_str())) {
            let near = (known.iter())
                .map(|it| (strsim::damerau_levenshtein(name, it), it))
                .filter(|(distance, it)| *distance <= 1 + it.len() / 5)
                .min();
            let hint = near.map(|(_, it)| format!(" Did you mean \"{it}\"?")).unwrap_or_default();
            let detail = format!("An argument named \"{name}\" is not expected here.{hint}");
            args.mistake(name, "Unsupported argument", detail);
        }
        args
    }

    pub(crate) fn mistake(&mut self, argument: &str, summary: &str, detail: impl Into<String>) {
        self.mistakes.push(Mistake {
            argument: Some(argument.to_owned()),
            summary: summary.to_owned(),
            detail: detail.into(),
        });
    }

    /// Whether the block itself has a value for it.
    pub(crate) fn is_set(&self, name: &str) -> bool {
        self.setting.config.get(name).is_some_and(|it| !it.is_null())
    }

    /// A text, which a number or a boolean can be taken for.
    pub(crate) fn text(&mut self, name: &str, env: &[&str]) -> Option<String> {
        match self.setting.config.get(name) {
            None | Some(Value::Null) => self.env(env),
            Some(Value::String(text)) => Some(text.clone()),
            Some(Value::Number(number)) => Some(number.to_string()),
            Some(Value::Bool(flag)) => Some(flag.to_string()),
            Some(_) => self.misfit(name, "string"),
        }
    }

    /// A text that says something.
    pub(crate) fn some_text(&mut self, name: &str, env: &[&str]) -> Option<String> {
        self.text(name, env).filter(|it| !it.is_empty())
    }

    pub(crate) fn flag(&mut self, name: &str, env: &[&str]) -> Option<bool> {
        match self.text(name, env)?.as_str() {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => self.misfit(name, "bool"),
        }
    }

    pub(crate) fn number(&mut self, name: &str, env: &[&str]) -> Option<u64> {
        match self.text(name, env)?.parse() {
            Ok(number) => Some(number),
            Err(_) => self.misfit(name, "number"),
        }
    }

    pub(crate) fn list(&mut self, name: &str) -> Option<Vec<String>> {
        let items = match self.setting.config.get(name) {
            None | Some(Value::Null) => return None,
            Some(Value::Array(items)) => items,
            Some(_) => return self.misfit(name, "list of string"),
        };
        let texts: Option<Vec<_>> = items.iter().map(|it| it.as_str().map(str::to_owned)).collect();
        texts.or_else(|| self.misfit(name, "list of string"))
    }

    pub(crate) fn object(&mut self, name: &str) -> Option<&'a serde_json::Map<String, Value>> {
        match self.setting.config.get(name) {
            None | Some(Value::Null) => None,
            Some(Value::Object(fields)) => Some(fields),
            Some(_) => self.misfit(name, "object"),
        }
    }

    /// The first of these variables that says something.
    pub(crate) fn env(&self, names: &[&str]) -> Option<String> {
        names.iter().filter_map(|it| self.setting.env.get(*it)).find(|it| !it.is_empty()).cloned()
    }

    fn misfit<T>(&mut self, name: &str, wanted: &str) -> Option<T> {
        let detail =
            format!("Inappropriate value for attribute \"{name}\": a {wanted} is required.");
        self.mistake(name, "Incorrect attribute value type", detail);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_named() {
        let config = [("adress", "x"), ("banana", "y")];
        let config = config.map(|(name, text)| (name.to_owned(), Value::from(text)));
        let setting = Setting { config: config.into(), ..Setting::default() };
        let args = Args::new(&setting, &["address", "username"]);
        let details: Vec<_> = args.mistakes.iter().map(|it| it.detail.as_str()).collect();
        assert_eq!(
            details,
            [
                "An argument named \"adress\" is not expected here. Did you mean \"address\"?",
                "An argument named \"banana\" is not expected here.",
            ]
        );
    }

    #[test]
    fn the_first_variable_that_is_set_counts() {
        let env = [("A", ""), ("B", "1"), ("C", "many")];
        let env = env.map(|(name, text)| (name.to_owned(), text.to_owned()));
        let setting = Setting { env: env.into(), ..Setting::default() };
        let mut args = Args::new(&setting, &["x"]);
        assert_eq!(args.flag("x", &["A", "B"]), Some(true));
        assert_eq!(args.number("x", &["C"]), None);
        assert_eq!(
            args.mistakes[0].detail,
            "Inappropriate value for attribute \"x\": a number is required."
        );
    }
}
