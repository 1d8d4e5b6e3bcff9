//! Schemas: what a provider says about its resources. Data; needs no connection.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::addr::{Kind, Mode};
use crate::value::{ObjectType, Path, Type, Value};

/// Every provider that is compiled in, by full source address.
#[derive(Clone, Debug, Default)]
pub struct Schemas {
    /// `registry.terraform.io/kreuzwerker/docker` → its schema.
    pub providers: BTreeMap<Arc<str>, Arc<ProviderSchema>>,
}

/// One provider.
#[derive(Clone, Debug)]
pub struct ProviderSchema {
    /// Full source address.
    pub source: Arc<str>,
    /// The local name that configurations give it when they do not say otherwise: `docker`.
    pub name: Arc<str>,
    /// What a `provider` block takes.
    pub config: Block,
    /// What it can make.
    pub resources: BTreeMap<Kind, Arc<ResourceSchema>>,
    /// What it can look up.
    pub data: BTreeMap<Kind, Arc<ResourceSchema>>,
}

/// One resource type or data source.
#[derive(Clone, Debug)]
pub struct ResourceSchema {
    /// Version of the stored attributes.
    pub version: u64,
    /// Arguments and attributes.
    pub block: Block,
    /// Planning rules that flags cannot say.
    pub refine: Option<Refine>,
    /// Checks of a configuration that flags cannot say. May see unknown values.
    pub validate: Option<Validate>,
    /// The state is the only place where it exists: it is never read back.
    pub local: bool,
    /// What it works with though it does not name it.
    pub companions: &'static [Companion],
    /// A replacement is made before the old object goes, unless the configuration says otherwise.
    pub create_first: bool,
}

/// Resources that another works with though neither names the other: a floating IP and the router
/// interface by which its port is reached. Where both have to do with the same object, the
/// companion is made before and deleted after, unless the configuration has it the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Companion {
    /// The resource type of the companion.
    pub kind: &'static str,
    /// The resource types of the object that both have to do with.
    pub shared: &'static [&'static str],
}

/// A provider's planning rule. A plain `fn`, so that it captures nothing and calls no one.
pub type Refine = fn(RefineInput<'_>) -> Refined;

/// A provider's check of a configuration: the problems, each with its place.
pub type Validate = fn(config: &Value) -> Vec<Problem>;

/// Looks up a fact that only the edge knows, such as the hash of a directory: `(kind, query)`.
/// Nothing while it is not known yet; the rule is then run again.
pub type Facts<'a> = &'a mut dyn FnMut(&str, &Value) -> Option<Value>;

/// What a planning rule sees. Values are unmarked.
pub struct RefineInput<'a> {
    /// As written; what was left out is null.
    pub config: &'a Value,
    /// The stored object; none when one is to be created.
    pub prior: Option<&'a Value>,
    /// Config, defaults, and computed values kept from `prior`.
    pub proposed: Value,
    /// The objects, as they are, that the configuration refers to and that are made anew first.
    /// Whoever hangs on one by name only has to follow, though nothing that it says changes.
    pub replaced: &'a [(Kind, Value)],
    /// Facts from the edge.
    pub facts: Facts<'a>,
}

/// What a planning rule says.
pub struct Refined {
    /// The promise: known values in it hold after the apply.
    pub planned: Value,
    /// Besides what the schema marks: changes that need a new object.
    pub replace: Vec<Path>,
    /// The new object cannot be beside the old one, whatever order was asked for.
    pub delete_first: bool,
    /// What the change means for those who use the object: a sentence each, for the plan.
    pub says: Vec<Arc<str>>,
}

impl Refined {
    /// A promise, and nothing more to say.
    pub fn new(planned: Value) -> Refined {
        Refined { planned, replace: Vec::new(), delete_first: false, says: Vec::new() }
    }
}

/// Something wrong with a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The argument at fault.
    pub path: Path,
    /// One line.
    pub summary: String,
    /// Sentences.
    pub detail: String,
}

/// Arguments and nested blocks.
#[derive(Clone, Debug, Default)]
pub struct Block {
    attributes: BTreeMap<Arc<str>, Attribute>,
    blocks: BTreeMap<Arc<str>, NestedBlock>,
    ty: Type,
    has_sensitive: bool,
    has_computed: bool,
    description: Arc<str>,
}

/// One argument or attribute.
#[derive(Clone, Debug)]
pub struct Attribute {
    /// Its type.
    pub ty: Type,
    /// Who sets it.
    pub presence: Presence,
    /// What a change means.
    pub on_change: OnChange,
    /// The value when it is left out.
    pub default: Option<Value>,
    /// Never shown.
    pub sensitive: bool,
    /// Sent to the provider, never stored.
    pub write_only: bool,
    /// Why not to use it.
    pub deprecated: Option<Arc<str>>,
    /// What it is, for the reference.
    pub description: Arc<str>,
}

/// Who sets an attribute.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// The configuration must.
    Required,
    /// The configuration may. Left out, it is unmanaged: null in the state whatever the remote
    /// system has, so that a default over there is never a difference.
    Optional,
    /// The configuration may; else the remote system does, and we keep what it chose.
    OptionalComputed,
    /// The remote system.
    Computed,
}

/// What a changed value means.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnChange {
    /// The object can be changed.
    #[default]
    Update,
    /// A new object is needed.
    Replace,
}

/// A block inside a block.
#[derive(Clone, Debug)]
pub struct NestedBlock {
    /// How many there can be and how they are kept.
    pub nesting: Nesting,
    /// What is in it.
    pub block: Block,
    /// At least so many.
    pub min: u64,
    /// At most so many; 0 is no limit.
    pub max: u64,
    /// What any change in it means.
    pub on_change: OnChange,
}

/// How nested blocks are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nesting {
    /// One or null.
    Single,
    /// Always one.
    Group,
    /// In order.
    List,
    /// Without order.
    Set,
    /// By label.
    Map,
}

impl Schemas {
    /// The schema of a resource or data source.
    pub fn resource(&self, source: &str, mode: Mode, kind: &Kind) -> Option<&Arc<ResourceSchema>> {
        let provider = self.providers.get(source)?;
        match mode {
            Mode::Managed => provider.resources.get(kind),
            Mode::Data => provider.data.get(kind),
        }
    }
}

impl ResourceSchema {
    /// A remote resource at version 0 without rules.
    pub fn new(block: Block) -> ResourceSchema {
        ResourceSchema {
            version: 0,
            block,
            refine: None,
            validate: None,
            local: false,
            companions: &[],
            create_first: false,
        }
    }
}

impl Block {
    /// A block of these attributes and blocks.
    pub fn new(
        attributes: BTreeMap<Arc<str>, Attribute>,
        blocks: BTreeMap<Arc<str>, NestedBlock>,
    ) -> Block {
        let types = attributes.iter().map(|(name, it)| (name.clone(), it.ty.clone()));
        let nested = blocks.iter().map(|(name, it)| (name.clone(), it.ty()));
        let ty = Type::Object(Arc::new(ObjectType {
            attrs: types.chain(nested).collect(),
            optional: Default::default(),
        }));
        let has_sensitive = attributes.values().any(|it| it.sensitive)
            || blocks.values().any(|it| it.block.has_sensitive);
        let has_computed = attributes.values().any(|it| it.presence.is_computed())
            || blocks.values().any(|it| it.block.has_computed);
        let description = "".into();
        Block { attributes, blocks, ty, has_sensitive, has_computed, description }
    }

    /// The same, with a description for the reference.
    #[must_use]
    pub fn described(self, description: &str) -> Block {
        Block { description: description.into(), ..self }
    }

    /// What it is, for the reference.
    pub fn description(&self) -> &Arc<str> {
        &self.description
    }

    /// The attributes by name.
    pub fn attributes(&self) -> &BTreeMap<Arc<str>, Attribute> {
        &self.attributes
    }

    /// The nested blocks by name.
    pub fn blocks(&self) -> &BTreeMap<Arc<str>, NestedBlock> {
        &self.blocks
    }

    /// The type of a whole object.
    pub fn ty(&self) -> &Type {
        &self.ty
    }

    /// Whether anything in it, however deep, is sensitive.
    pub fn has_sensitive(&self) -> bool {
        self.has_sensitive
    }

    /// Whether a change of anything in it, however deep, needs a new object.
    pub fn any_replace(&self) -> bool {
        let nested = |it: &NestedBlock| it.on_change == OnChange::Replace || it.block.any_replace();
        self.attributes.values().any(|it| it.on_change == OnChange::Replace)
            || self.blocks.values().any(nested)
    }

    /// Whether anything in it, however deep, is computed.
    pub fn has_computed(&self) -> bool {
        self.has_computed
    }
}

impl NestedBlock {
    /// The type of all of them together.
    pub fn ty(&self) -> Type {
        let one = self.block.ty.clone();
        match self.nesting {
            Nesting::Single | Nesting::Group => one,
            Nesting::List => Type::List(Arc::new(one)),
            Nesting::Set => Type::Set(Arc::new(one)),
            Nesting::Map => Type::Map(Arc::new(one)),
        }
    }

    /// What it is when none is written.
    pub fn none(&self) -> Value {
        let one = self.block.ty.clone();
        match self.nesting {
            Nesting::Single | Nesting::Group => Value::null(one),
            Nesting::List => Value::list(one, Vec::new()),
            Nesting::Set => Value::set(one, Vec::new()),
            Nesting::Map => Value::map(one, Vec::<(Arc<str>, Value)>::new()),
        }
    }
}

impl Presence {
    /// Whether the remote system may set it.
    pub fn is_computed(self) -> bool {
        matches!(self, Presence::OptionalComputed | Presence::Computed)
    }

    /// Whether the configuration may set it.
    pub fn is_configurable(self) -> bool {
        self != Presence::Computed
    }
}

impl Attribute {
    /// An attribute without flags.
    pub fn new(ty: Type, presence: Presence) -> Attribute {
        Attribute {
            ty,
            presence,
            on_change: OnChange::Update,
            default: None,
            sensitive: false,
            write_only: false,
            deprecated: None,
            description: "".into(),
        }
    }

    /// The same; a change needs a new object.
    #[must_use]
    pub fn replace(self) -> Attribute {
        Attribute { on_change: OnChange::Replace, ..self }
    }
}
