//! Reading addresses as people write them on a command line and as the state file stores them.

use std::str::FromStr;
use std::sync::Arc;

use crate::addr::*;

/// Not an address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadAddr {
    /// What is wrong, a sentence.
    pub message: String,
}

/// What `-target`, `-replace` and `state` commands name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// A module with everything in it.
    Module(ModuleInstance),
    /// A resource; without a key all of its instances.
    Resource(Addr),
}

impl Target {
    /// Whether `addr` is what is named, or part of it. A step or resource written without a key
    /// names every instance.
    pub fn contains(&self, addr: &Addr) -> bool {
        let module = match self {
            Target::Module(module) => module,
            Target::Resource(target) => &target.module,
        };
        let steps = module.0.iter().zip(addr.module.0.iter());
        let inside = module.0.len() <= addr.module.0.len()
            && steps.into_iter().all(|(want, is)| {
                want.name == is.name && (want.key.is_none() || want.key == is.key)
            });
        match self {
            Target::Module(_) => inside,
            Target::Resource(target) => {
                inside
                    && module.0.len() == addr.module.0.len()
                    && target.resource == addr.resource
                    && (target.key.is_none() || target.key == addr.key)
            }
        }
    }
}

impl std::fmt::Display for Target {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Target::Module(module) => module.fmt(f),
            Target::Resource(addr) => addr.fmt(f),
        }
    }
}

impl std::fmt::Display for BadAddr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for BadAddr {}

impl FromStr for Target {
    type Err = BadAddr;
    fn from_str(text: &str) -> Result<Target, BadAddr> {
        let mut parser = Parser { text, rest: text };
        let module = parser.module()?;
        if parser.rest.is_empty() {
            return Ok(Target::Module(module));
        }
        let (resource, key) = parser.resource()?;
        parser.end()?;
        Ok(Target::Resource(Addr { module, resource, key }))
    }
}

impl FromStr for Addr {
    type Err = BadAddr;
    fn from_str(text: &str) -> Result<Addr, BadAddr> {
        match text.parse()? {
            Target::Resource(addr) => Ok(addr),
            Target::Module(_) => Err(BadAddr {
                message: format!("\"{text}\" names a module; a resource instance is needed here"),
            }),
        }
    }
}

impl FromStr for ModuleInstance {
    type Err = BadAddr;
    fn from_str(text: &str) -> Result<ModuleInstance, BadAddr> {
        let mut parser = Parser { text, rest: text };
        if text.is_empty() {
            return Ok(ModuleInstance::default());
        }
        let module = parser.module()?;
        parser.end()?;
        Ok(module)
    }
}

impl FromStr for ConfigAddr {
    type Err = BadAddr;
    fn from_str(text: &str) -> Result<ConfigAddr, BadAddr> {
        let addr: Addr = text.parse()?;
        Ok(addr.config())
    }
}

impl FromStr for ProviderAddr {
    type Err = BadAddr;
    fn from_str(text: &str) -> Result<ProviderAddr, BadAddr> {
        let bad = || BadAddr { message: format!("\"{text}\" is not a provider configuration") };
        let at = text.find("provider[\"").ok_or_else(bad)?;
        let module: ModuleInstance = text[..at].trim_end_matches('.').parse()?;
        let rest = &text[at + "provider[\"".len()..];
        let (source, rest) = rest.split_once("\"]").ok_or_else(bad)?;
        let alias = match rest {
            "" => None,
            rest => Some(Arc::from(rest.strip_prefix('.').ok_or_else(bad)?)),
        };
        Ok(ProviderAddr { module: module.path(), source: source.into(), alias })
    }
}

struct Parser<'a> {
    text: &'a str,
    rest: &'a str,
}

impl Parser<'_> {
    fn module(&mut self) -> Result<ModuleInstance, BadAddr> {
        let mut steps = Vec::new();
        while let Some(rest) = self.rest.strip_prefix("module.") {
            self.rest = rest;
            let name = self.name()?;
            let key = self.key()?;
            steps.push(ModuleStep { name, key });
            match self.rest.strip_prefix('.') {
                Some("") => return Err(self.bad("it ends with a dot")),
                Some(rest) => self.rest = rest,
                None if self.rest.is_empty() => break,
                None => return Err(self.bad("a dot is needed after a module")),
            }
        }
        Ok(ModuleInstance(steps.into()))
    }

    fn resource(&mut self) -> Result<(Resource, Option<InstanceKey>), BadAddr> {
        let mode = match self.rest.strip_prefix("data.") {
            Some(rest) => {
                self.rest = rest;
                Mode::Data
            }
            None => Mode::Managed,
        };
        let kind = Kind(self.name()?);
        self.rest = (self.rest.strip_prefix('.'))
            .ok_or_else(|| self.bad("a resource is a type, a dot and a name"))?;
        let name = self.name()?;
        let key = self.key()?;
        Ok((Resource { mode, kind, name }, key))
    }

    fn name(&mut self) -> Result<Arc<str>, BadAddr> {
        let end = self
            .rest
            .find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'))
            .unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at(end);
        if name.is_empty() || name.starts_with(|c: char| c.is_numeric() || c == '-') {
            return Err(self.bad("a name is missing"));
        }
        self.rest = rest;
        Ok(name.into())
    }

    fn key(&mut self) -> Result<Option<InstanceKey>, BadAddr> {
        let Some(rest) = self.rest.strip_prefix('[') else { return Ok(None) };
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut key = String::new();
            let mut chars = quoted.char_indices();
            while let Some((at, c)) = chars.next() {
                match c {
                    '"' => {
                        self.rest = (quoted[at + 1..].strip_prefix(']'))
                            .ok_or_else(|| self.bad("`]` is missing after a key"))?;
                        return Ok(Some(InstanceKey::Str(key.into())));
                    }
                    '\\' => match chars.next() {
                        Some((_, 'n')) => key.push('\n'),
                        Some((_, 'r')) => key.push('\r'),
                        Some((_, 't')) => key.push('\t'),
                        Some((_, c @ ('"' | '\\'))) => key.push(c),
                        _ => return Err(self.bad("an escape in a key is not known")),
                    },
                    '$' | '%' if quoted[at + 1..].starts_with([c]) => {
                        if quoted[at + 2..].starts_with('{') {
                            chars.next();
                        }
                        key.push(c);
                    }
                    c => key.push(c),
                }
            }
            return Err(self.bad("a quoted key does not end"));
        }
        let (digits, rest) =
            rest.split_once(']').ok_or_else(|| self.bad("`]` is missing after a key"))?;
        let index = digits
            .parse()
            .map_err(|_| self.bad("a key is a whole number or a string in quotes"))?;
        self.rest = rest;
        Ok(Some(InstanceKey::Int(index)))
    }

    fn end(&self) -> Result<(), BadAddr> {
        if self.rest.is_empty() { Ok(()) } else { Err(self.bad("something follows its end")) }
    }

    fn bad(&self, why: &str) -> BadAddr {
        BadAddr { message: format!("\"{}\" is not an address: {why}", self.text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_survive_a_round_trip() {
        for text in [
            "docker_network.lab",
            "data.docker_image.base",
            "docker_network.lab[0]",
            r#"module.a["k"].module.b[1].docker_network.lab["x y"]"#,
            r#"a.b["\"q\"\\ $${x} %%{y} $"]"#,
        ] {
            let addr: Addr = text.parse().expect(text);
            assert_eq!(addr.to_string(), text);
        }
        for text in [
            r#"provider["registry.terraform.io/kreuzwerker/docker"]"#,
            r#"module.a.provider["terraform.io/builtin/terraform"].west"#,
        ] {
            assert_eq!(text.parse::<ProviderAddr>().expect(text).to_string(), text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for text in
            ["", "a", "a.", "a.b[", "a.b[x]", "a.b[\"", "a.b.c", "module.a", "a.b[-1]", "1.b"]
        {
            assert!(text.parse::<Addr>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_target_without_a_key_names_every_instance() {
        let addr: Addr = "module.a[0].x.y[1]".parse().unwrap();
        for (target, hit) in [
            ("module.a", true),
            ("module.a[0]", true),
            ("module.a[1]", false),
            ("module.a[0].x.y", true),
            ("module.a.x.y", true),
            ("module.a[0].x.y[0]", false),
            ("x.y", false),
        ] {
            assert_eq!(target.parse::<Target>().unwrap().contains(&addr), hit, "{target}");
        }
    }
}
