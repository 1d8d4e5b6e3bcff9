//! Addresses: what a thing is called, in a configuration and among its instances.
//!
//! Spelled and ordered as Terraform does: `module.a["k"].data.docker_image.base[0]`, shorter
//! module paths first.

use std::cmp::Ordering;
use std::fmt;
use std::sync::Arc;

/// A resource type, such as `docker_network`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Kind(pub Arc<str>);

/// Whether a resource is made by us or only looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Mode {
    /// `data "type" "name"`
    Data,
    /// `resource "type" "name"`
    Managed,
}

/// A resource block inside its module: `docker_network.lab`, `data.docker_image.base`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Resource {
    /// Made or looked at.
    pub mode: Mode,
    /// The resource type.
    pub kind: Kind,
    /// The second label.
    pub name: Arc<str>,
}

/// Which of the instances of a block: an index for `count`, a key for `for_each`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum InstanceKey {
    /// `[0]`
    Int(u64),
    /// `["key"]`
    Str(Arc<str>),
}

/// The names of the calls that lead to a module. Empty for the root.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ModulePath(pub Arc<[Arc<str>]>);

/// One call on the way to a module instance.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ModuleStep {
    /// Name of the call.
    pub name: Arc<str>,
    /// Which of its instances.
    pub key: Option<InstanceKey>,
}

/// One instance of a module. Empty for the root.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct ModuleInstance(pub Arc<[ModuleStep]>);

/// A resource block in the configuration, whatever its instances: `module.a.docker_network.lab`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigAddr {
    /// The module that holds the block.
    pub module: ModulePath,
    /// The block.
    pub resource: Resource,
}

/// One instance of a resource: `module.a["k"].docker_network.lab[0]`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Addr {
    /// The module instance that holds it.
    pub module: ModuleInstance,
    /// Its block.
    pub resource: Resource,
    /// Which of the instances of the block.
    pub key: Option<InstanceKey>,
}

/// Names an object that was replaced but is not deleted yet: eight hexadecimal digits.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeposedKey(pub Arc<str>);

/// Names one object: the current one at an address, or a deposed one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The address.
    pub addr: Addr,
    /// Of the replaced ones, which; the current one if absent.
    pub deposed: Option<DeposedKey>,
}

/// One configuration of a provider: `module.a.provider["registry.terraform.io/kreuzwerker/docker"].west`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ProviderAddr {
    /// The module whose `provider` block it is. Modules with providers have one instance.
    pub module: ModulePath,
    /// Full source address, `registry.terraform.io/kreuzwerker/docker`.
    pub source: Arc<str>,
    /// The alias, if it has one.
    pub alias: Option<Arc<str>>,
}

impl Kind {
    /// A kind by name.
    pub fn new(name: impl Into<Arc<str>>) -> Kind {
        Kind(name.into())
    }

    /// The part before the first underscore: the provider's local name, unless said otherwise.
    pub fn provider_name(&self) -> &str {
        self.0.split('_').next().unwrap_or(&self.0)
    }
}

impl std::ops::Deref for Kind {
    type Target = str;
    fn deref(&self) -> &str {
        &self.0
    }
}

impl ModulePath {
    /// Whether this is the root module.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The module called `name` from here.
    pub fn child(&self, name: &Arc<str>) -> ModulePath {
        ModulePath(self.0.iter().cloned().chain([name.clone()]).collect())
    }
}

impl ModuleInstance {
    /// Whether this is the root module.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The instance `key` of the module called `name` from here.
    pub fn child(&self, name: &Arc<str>, key: Option<InstanceKey>) -> ModuleInstance {
        let step = ModuleStep { name: name.clone(), key };
        ModuleInstance(self.0.iter().cloned().chain([step]).collect())
    }

    /// The path without instance keys.
    pub fn path(&self) -> ModulePath {
        ModulePath(self.0.iter().map(|it| it.name.clone()).collect())
    }

    /// Whether `other` is this instance or inside it.
    pub fn contains(&self, other: &ModuleInstance) -> bool {
        other.0.starts_with(&self.0)
    }
}

impl Addr {
    /// The block this is an instance of.
    pub fn config(&self) -> ConfigAddr {
        ConfigAddr { module: self.module.path(), resource: self.resource.clone() }
    }

    /// The object now at this address.
    pub fn current(&self) -> ObjectKey {
        ObjectKey { addr: self.clone(), deposed: None }
    }
}

impl Ord for ModulePath {
    fn cmp(&self, other: &ModulePath) -> Ordering {
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ModulePath {
    fn partial_cmp(&self, other: &ModulePath) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ModuleInstance {
    fn cmp(&self, other: &ModuleInstance) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.len().cmp(&other.0.len()).then_with(|| self.0.cmp(&other.0))
    }
}

impl PartialOrd for ModuleInstance {
    fn partial_cmp(&self, other: &ModuleInstance) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let prefix = match self.mode {
            Mode::Data => "data.",
            Mode::Managed => "",
        };
        write!(f, "{prefix}{}.{}", self.kind, self.name)
    }
}

impl fmt::Display for InstanceKey {
    /// With the brackets: `[0]`, `["key"]`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InstanceKey::Int(index) => write!(f, "[{index}]"),
            InstanceKey::Str(key) => {
                f.write_str("[\"")?;
                let mut rest = key.chars().peekable();
                while let Some(c) = rest.next() {
                    match c {
                        '"' => f.write_str("\\\"")?,
                        '\\' => f.write_str("\\\\")?,
                        '\n' => f.write_str("\\n")?,
                        '\r' => f.write_str("\\r")?,
                        '\t' => f.write_str("\\t")?,
                        '$' | '%' if rest.peek() == Some(&'{') => write!(f, "{c}{c}")?,
                        c => write!(f, "{c}")?,
                    }
                }
                f.write_str("\"]")
            }
        }
    }
}

impl fmt::Display for ModulePath {
    /// `module.a.module.b`; nothing for the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, name) in self.0.iter().enumerate() {
            write!(f, "{}module.{name}", if index == 0 { "" } else { "." })?;
        }
        Ok(())
    }
}

impl fmt::Display for ModuleInstance {
    /// `module.a[0].module.b`; nothing for the root.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, step) in self.0.iter().enumerate() {
            write!(f, "{}module.{}", if index == 0 { "" } else { "." }, step.name)?;
            if let Some(key) = &step.key {
                write!(f, "{key}")?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for ConfigAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        write!(f, "{}", self.resource)
    }
}

impl fmt::Display for Addr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        write!(f, "{}", self.resource)?;
        self.key.iter().try_for_each(|key| write!(f, "{key}"))
    }
}

impl fmt::Display for DeposedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.addr)?;
        self.deposed.iter().try_for_each(|key| write!(f, " (deposed object {key})"))
    }
}

impl fmt::Display for ProviderAddr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.module.is_root() {
            write!(f, "{}.", self.module)?;
        }
        write!(f, "provider[\"{}\"]", self.source)?;
        self.alias.iter().try_for_each(|alias| write!(f, ".{alias}"))
    }
}

macro_rules! debug_as_display {
    ($($name:ident),*) => {$(
        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }
    )*};
}
debug_as_display!(
    Kind,
    Resource,
    InstanceKey,
    ModulePath,
    ModuleInstance,
    ConfigAddr,
    Addr,
    DeposedKey,
    ObjectKey,
    ProviderAddr
);

impl fmt::Debug for ModuleStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "module.{}", self.name)?;
        self.key.iter().try_for_each(|key| write!(f, "{key}"))
    }
}
