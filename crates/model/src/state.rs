//! What is remembered about the world between runs.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::addr::{
    Addr, ConfigAddr, DeposedKey, ModuleInstance, ObjectKey, ProviderAddr, Resource,
};
use crate::event::Intent;
use crate::value::Value;

/// What is remembered. Only [`State::record`] changes it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// Drawn once, when the first state of a configuration is written; empty before.
    pub lineage: Arc<str>,
    /// Grows with every stored change.
    pub serial: u64,
    /// The current object of each address, and those replaced but not yet deleted. What data
    /// sources said last is here too.
    pub objects: BTreeMap<ObjectKey, Object>,
    /// Calls that were started and never heard back from.
    pub in_doubt: BTreeMap<Token, Intent>,
    /// Values of the root module's outputs, sensitive ones marked.
    pub outputs: BTreeMap<Arc<str>, Value>,
    /// What the checks said last.
    pub checks: Vec<CheckResult>,
}

/// One object that we own, or what a data source said.
#[derive(Clone, Debug, PartialEq)]
pub struct Object {
    /// All attributes, `id` included. Marks are those of the configuration.
    pub attrs: Value,
    /// The provider's own notes, opaque to us.
    pub private: Option<Arc<[u8]>>,
    /// Version of the schema that `attrs` follows.
    pub schema_version: u64,
    /// Whose it is.
    pub provider: Arc<ProviderAddr>,
    /// The blocks whose objects it leans on, directly.
    pub needs: Arc<[ConfigAddr]>,
    /// Half made, or to be made anew by request.
    pub tainted: bool,
    /// Its replacement is made before it is deleted.
    pub create_before_destroy: bool,
    /// What the arguments that the configuration leaves out were when they were last looked at; see
    /// [`crate::propose::unmanaged`]. None if that is not known, or there was nothing.
    pub unmanaged: Option<Value>,
}

/// Names one call: the run and the step. Stamped on what the call creates.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Token {
    /// A number no other run of any configuration has; drawn at the edge.
    pub run: u64,
    /// The step of that run's plan.
    pub step: u32,
}

/// What a `check` block, or the conditions of a resource or output, said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckResult {
    /// `resource`, `output_value`, `check` or `var`, as the state file calls it.
    pub object_kind: &'static str,
    /// The block it belongs to, without instance keys.
    pub config_addr: Arc<str>,
    /// All instances together.
    pub status: CheckStatus,
    /// Each instance: address, outcome, failure messages.
    pub objects: Vec<(Arc<str>, CheckStatus, Vec<Arc<str>>)>,
}

/// Outcome of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckStatus {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// It could not be evaluated.
    Error,
    /// Not known yet.
    Unknown,
}

impl State {
    /// The current object at `addr`.
    pub fn current(&self, addr: &Addr) -> Option<&Object> {
        self.objects.get(&addr.current())
    }

    /// Every object of the block `resource` in the module instance, deposed ones included.
    pub fn block<'a>(
        &'a self,
        module: &'a ModuleInstance,
        resource: &'a Resource,
    ) -> impl Iterator<Item = (&'a ObjectKey, &'a Object)> {
        let addr = Addr { module: module.clone(), resource: resource.clone(), key: None };
        let start = ObjectKey { addr, deposed: None };
        self.objects
            .range((Bound::Included(start), Bound::Unbounded))
            .take_while(move |(it, _)| it.addr.module == *module && it.addr.resource == *resource)
    }

    /// Whether there is nothing to remember.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty() && self.outputs.is_empty() && self.in_doubt.is_empty()
    }
}

impl DeposedKey {
    /// The key for what `token` replaces. Two runs never share one, short of a hash collision at
    /// one address, which `record` refuses.
    pub fn of(token: Token) -> DeposedKey {
        // Folded Fibonacci hashing: spreads both numbers over the 32 bits that the format has.
        let mixed = (token.run ^ (u64::from(token.step) << 32)).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        DeposedKey(format!("{:08x}", (mixed >> 32) as u32).into())
    }
}

impl Token {
    /// As it is stamped on objects: sixteen hexadecimal digits of the run, a dash, the step.
    pub fn parse(text: &str) -> Option<Token> {
        let (run, step) = text.split_once('-')?;
        Some(Token { run: u64::from_str_radix(run, 16).ok()?, step: step.parse().ok()? })
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}-{}", self.run, self.step)
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}
