//! Resource types as data: one row an argument, from which follow the schema, the checks, what is
//! sent and what is read.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use plumb_model::schema::{
    Attribute, Block, NestedBlock, Nesting, OnChange, Presence, Problem, ResourceSchema,
};
use plumb_model::value::{Path, Type, Value};
use serde_json::{Map, Value as Json};

use crate::json::{self, Attrs};

/// One resource type or data source.
pub(crate) struct Table {
    /// Its name: `openstack_networking_network_v2`.
    pub(crate) kind: &'static str,
    /// What it is, for the reference.
    pub(crate) says: &'static str,
    pub(crate) fields: Vec<Field>,
    /// Operations whose time a `timeouts` block may limit.
    pub(crate) timeouts: &'static [&'static str],
}

/// One argument, attribute or nested block.
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) presence: Presence,
    pub(crate) replace: bool,
    pub(crate) default: Option<Value>,
    pub(crate) sensitive: bool,
    pub(crate) says: &'static str,
    /// What the service calls it; nothing if it never hears of it in this form.
    pub(crate) key: Option<&'static str>,
    /// It is only read.
    pub(crate) unsent: bool,
    /// What is sent when the argument is taken out of the configuration; else what is empty.
    pub(crate) reset: Option<Json>,
    /// Arguments that may not stand beside it.
    pub(crate) excludes: &'static [&'static str],
    /// Arguments that must.
    pub(crate) needs: &'static [&'static str],
    /// The words that it may be.
    pub(crate) words: &'static [&'static str],
    pub(crate) range: Option<RangeInclusive<i64>>,
    /// It comes out anew when one of these changes; `*`: any.
    pub(crate) follows: &'static [&'static str],
}

/// What a field holds.
pub(crate) enum Shape {
    Attribute(Type),
    Blocks { nesting: Nesting, fields: Vec<Field>, max: u64 },
}

/// The operations that can be waited for.
pub(crate) const MAKE: &[&str] = &["create", "delete"];
pub(crate) const MAKE_AND_CHANGE: &[&str] = &["create", "update", "delete"];

fn field(name: &'static str, shape: Shape, presence: Presence, says: &'static str) -> Field {
    Field {
        name,
        shape,
        presence,
        replace: false,
        default: None,
        sensitive: false,
        says,
        key: Some(name),
        unsent: presence == Presence::Computed,
        reset: None,
        excludes: &[],
        needs: &[],
        words: &[],
        range: None,
        follows: &[],
    }
}

pub(crate) fn req(name: &'static str, ty: Type, says: &'static str) -> Field {
    field(name, Shape::Attribute(ty), Presence::Required, says)
}

pub(crate) fn opt(name: &'static str, ty: Type, says: &'static str) -> Field {
    field(name, Shape::Attribute(ty), Presence::Optional, says)
}

pub(crate) fn opt_computed(name: &'static str, ty: Type, says: &'static str) -> Field {
    field(name, Shape::Attribute(ty), Presence::OptionalComputed, says)
}

pub(crate) fn computed(name: &'static str, ty: Type, says: &'static str) -> Field {
    field(name, Shape::Attribute(ty), Presence::Computed, says)
}

/// Nested blocks in order.
pub(crate) fn list(name: &'static str, says: &'static str, fields: Vec<Field>) -> Field {
    let shape = Shape::Blocks { nesting: Nesting::List, fields, max: 0 };
    field(name, shape, Presence::Optional, says)
}

/// Nested blocks without order.
pub(crate) fn set(name: &'static str, says: &'static str, fields: Vec<Field>) -> Field {
    let shape = Shape::Blocks { nesting: Nesting::Set, fields, max: 0 };
    field(name, shape, Presence::Optional, says)
}

pub(crate) fn strings() -> Type {
    Type::list(Type::String)
}

pub(crate) fn string_set() -> Type {
    Type::set(Type::String)
}

pub(crate) fn string_map() -> Type {
    Type::map(Type::String)
}

/// The identifier.
pub(crate) fn id() -> Field {
    computed("id", Type::String, "The identifier.")
}

/// The region, which is the provider's.
pub(crate) fn region() -> Field {
    let says = "The region. Left out, the provider's.";
    opt_computed("region", Type::String, says).replace().local()
}

/// The project that it belongs to.
pub(crate) fn tenant() -> Field {
    let says = "The project that it belongs to. Left out, that of the credentials.";
    opt_computed("tenant_id", Type::String, says).replace()
}

/// The same, as younger parts of Neutron call it.
pub(crate) fn project() -> Field {
    let says = "The project that it belongs to. Left out, that of the credentials.";
    opt_computed("project_id", Type::String, says).replace()
}

/// Tags of our own, and all that are there.
pub(crate) fn tags() -> [Field; 2] {
    let all = computed("all_tags", string_set(), "All tags that it has.").key("tags");
    [opt("tags", string_set(), "Tags.").unsent(), all.follows(&["tags"])]
}

/// Further members of the request that makes it.
pub(crate) fn value_specs() -> Field {
    let says = "Further members of the request that makes it.";
    opt("value_specs", string_map(), says).replace().local()
}

impl Field {
    /// A change needs a new object.
    pub(crate) fn replace(self) -> Field {
        Field { replace: true, ..self }
    }

    pub(crate) fn default(self, value: impl Into<Value>) -> Field {
        Field { default: Some(value.into()), ..self }
    }

    pub(crate) fn sensitive(self) -> Field {
        Field { sensitive: true, ..self }
    }

    /// The service calls it otherwise.
    pub(crate) fn key(self, key: &'static str) -> Field {
        Field { key: Some(key), ..self }
    }

    /// The service never hears of it in this form, nor tells of it.
    pub(crate) fn local(self) -> Field {
        Field { key: None, unsent: true, ..self }
    }

    /// It is read as the service tells it, and sent in another way.
    pub(crate) fn unsent(self) -> Field {
        Field { unsent: true, ..self }
    }

    /// What is sent when it is taken out of the configuration.
    pub(crate) fn reset(self, json: Json) -> Field {
        Field { reset: Some(json), ..self }
    }

    pub(crate) fn excludes(self, names: &'static [&'static str]) -> Field {
        Field { excludes: names, ..self }
    }

    pub(crate) fn needs(self, names: &'static [&'static str]) -> Field {
        Field { needs: names, ..self }
    }

    pub(crate) fn one_of(self, words: &'static [&'static str]) -> Field {
        Field { words, ..self }
    }

    pub(crate) fn within(self, range: RangeInclusive<i64>) -> Field {
        Field { range: Some(range), ..self }
    }

    pub(crate) fn follows(self, names: &'static [&'static str]) -> Field {
        Field { follows: names, ..self }
    }

    /// There is at most one such block.
    pub(crate) fn single(self) -> Field {
        let shape = match self.shape {
            Shape::Blocks { nesting, fields, .. } => Shape::Blocks { nesting, fields, max: 1 },
            shape @ Shape::Attribute(_) => shape,
        };
        Field { shape, ..self }
    }

    /// Its type in an object.
    pub(crate) fn ty(&self) -> Type {
        match &self.shape {
            Shape::Attribute(ty) => ty.clone(),
            Shape::Blocks { nesting, fields, .. } => {
                let one = block(fields).ty().clone();
                if *nesting == Nesting::Set { Type::set(one) } else { Type::list(one) }
            }
        }
    }

    /// What the service is told of a value.
    fn sent(&self, value: &Value) -> Json {
        match &self.shape {
            Shape::Attribute(_) => json::to_json(value),
            Shape::Blocks { fields, .. } => {
                let one = |it: &Value| Json::Object(body(fields, it, None));
                Json::Array(value.values().map(one).collect())
            }
        }
    }

    /// What the service is told when a value is taken away.
    fn emptied(&self) -> Option<Json> {
        if let Some(reset) = &self.reset {
            return Some(reset.clone());
        }
        match &self.shape {
            Shape::Attribute(Type::String) => Some("".into()),
            Shape::Attribute(Type::List(_) | Type::Set(_)) | Shape::Blocks { .. } => {
                Some(Json::Array(Vec::new()))
            }
            Shape::Attribute(Type::Map(_)) => Some(Json::Object(Map::new())),
            Shape::Attribute(_) => None,
        }
    }

    /// The value that the service's answer has.
    fn read(&self, json: &Json) -> Value {
        match &self.shape {
            Shape::Attribute(ty) => json::from_json(json, ty),
            Shape::Blocks { nesting, fields, .. } => {
                let items = json.as_array().map(Vec::as_slice).unwrap_or_default();
                let items = items.iter().map(|it| Value::object(read(fields, it))).collect();
                let ty = block(fields).ty().clone();
                if *nesting == Nesting::Set {
                    Value::set(ty, items)
                } else {
                    Value::list(ty, items)
                }
            }
        }
    }
}

/// All members of a request for an object; or, with what it was, those that change.
fn body(fields: &[Field], planned: &Value, prior: Option<&Value>) -> Map<String, Json> {
    let mut res = Map::new();
    for field in fields {
        let (Some(key), false) = (field.key, field.unsent || prior.is_some() && field.replace)
        else {
            continue;
        };
        let value = planned.get_attr(field.name);
        if prior.is_some_and(|prior| prior.get_attr(field.name) == value) {
            continue;
        }
        match value.filter(|it| it.is_present()) {
            // Blocks that nobody wrote are nobody's.
            Some(value) if prior.is_none() && field.is_blocks() && value.is_empty() => {}
            Some(value) => {
                res.insert(key.to_owned(), field.sent(value));
            }
            None if prior.is_none() => {}
            None => {
                if let Some(empty) = field.emptied() {
                    res.insert(key.to_owned(), empty);
                }
            }
        }
    }
    res
}

fn read(fields: &[Field], json: &Json) -> Attrs {
    let one = |it: &Field| {
        let value = it.key.and_then(|key| json.get(key));
        (it.name.into(), it.read(value.unwrap_or(&Json::Null)))
    };
    fields.iter().map(one).collect()
}

fn block(fields: &[Field]) -> Block {
    let mut attributes = BTreeMap::<Arc<str>, _>::new();
    let mut blocks = BTreeMap::<Arc<str>, _>::new();
    for field in fields {
        let on_change = if field.replace { OnChange::Replace } else { OnChange::Update };
        match &field.shape {
            Shape::Attribute(ty) => {
                let attribute = Attribute {
                    on_change,
                    default: field.default.clone(),
                    sensitive: field.sensitive,
                    description: field.says.into(),
                    ..Attribute::new(ty.clone(), field.presence)
                };
                attributes.insert(field.name.into(), attribute);
            }
            Shape::Blocks { nesting, fields, max } => {
                let block = block(fields).described(field.says);
                let nested = NestedBlock { nesting: *nesting, block, min: 0, max: *max, on_change };
                blocks.insert(field.name.into(), nested);
            }
        }
    }
    Block::new(attributes, blocks)
}

impl Field {
    pub(crate) fn is_blocks(&self) -> bool {
        matches!(self.shape, Shape::Blocks { .. })
    }
}

impl Table {
    pub(crate) fn new(kind: &'static str, says: &'static str, fields: Vec<Field>) -> Table {
        Table { kind, says, fields, timeouts: &[] }
    }

    /// The same; a `timeouts` block may limit these operations.
    pub(crate) fn timed(self, operations: &'static [&'static str]) -> Table {
        Table { timeouts: operations, ..self }
    }

    /// The schema; planning rules are the caller's.
    pub(crate) fn schema(&self) -> ResourceSchema {
        let fields = block(&self.fields);
        let mut blocks = fields.blocks().clone();
        if !self.timeouts.is_empty() {
            blocks.insert("timeouts".into(), timeouts(self.timeouts));
        }
        ResourceSchema::new(Block::new(fields.attributes().clone(), blocks).described(self.says))
    }

    /// All members of a request that makes it; or, with what it was, those that change.
    pub(crate) fn body(&self, planned: &Value, prior: Option<&Value>) -> Map<String, Json> {
        body(&self.fields, planned, prior)
    }

    /// The attributes that an answer gives. What the service does not tell is null.
    pub(crate) fn read(&self, json: &Json) -> Attrs {
        let mut attrs = read(&self.fields, json);
        if !self.timeouts.is_empty() {
            attrs
                .insert("timeouts".into(), Value::null(timeouts(self.timeouts).block.ty().clone()));
        }
        attrs
    }

    /// What the service never tells of is as it was written or, of what is brought in, the default.
    pub(crate) fn keep_written(&self, base: Option<&Value>, attrs: &mut Attrs) {
        for field in self.fields.iter().filter(|it| it.key.is_none() && it.name != "region") {
            let value = match base {
                Some(base) => base.get_attr(field.name),
                None => field.default.as_ref(),
            };
            if let Some(value) = value {
                json::set(attrs, field.name, value.clone());
            }
        }
        if let Some(timeouts) = base.and_then(|it| it.get_attr("timeouts")) {
            json::set(attrs, "timeouts", timeouts.clone());
        }
    }

    /// What the service calls the attributes that it tells of.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.fields.iter().filter_map(|it| it.key)
    }

    /// What cannot be, as far as the rows say it.
    pub(crate) fn problems(&self, config: &Value) -> Vec<Problem> {
        let mut problems = Vec::new();
        check(&self.fields, config, &Path::default(), &mut problems);
        problems
    }
}

fn timeouts(operations: &[&'static str]) -> NestedBlock {
    let attributes = operations.iter().map(|it| {
        let description = "How long it may take, such as 10m.".into();
        let attribute = Attribute::new(Type::String, Presence::Optional);
        (Arc::from(*it), Attribute { description, ..attribute })
    });
    let block = Block::new(attributes.collect(), BTreeMap::new());
    let block = block.described("How long operations may take.");
    NestedBlock { nesting: Nesting::Single, block, min: 0, max: 0, on_change: OnChange::Update }
}

/// Whether an argument is written: something that is not yet known may turn out to be nothing.
fn written(config: &Value, name: &str) -> bool {
    let value = config.get_attr(name);
    value.is_some_and(|it| it.is_present() && (it.as_slice().is_none() || !it.is_empty()))
}

fn check(fields: &[Field], config: &Value, at: &Path, problems: &mut Vec<Problem>) {
    for field in fields {
        let path = at.clone().attr(field.name);
        let Some(value) = config.get_attr(field.name).filter(|it| it.is_present()) else {
            continue;
        };
        let mut problem = |summary: &str, detail: String| {
            problems.push(Problem { path: path.clone(), summary: summary.to_owned(), detail });
        };
        if written(config, field.name) {
            // Said once of each pair, at the one that comes first.
            let mut others = field.excludes.iter().filter(|it| written(config, it));
            if let Some(other) =
                others.find(|it| **it > field.name || !excludes(fields, it, field.name))
            {
                let detail = format!("\"{}\": conflicts with {other}", field.name);
                problem("Conflicting configuration arguments", detail);
            }
            let missing = |it: &&&str| config.get_attr(it).is_none_or(Value::is_null);
            if let Some(other) = field.needs.iter().find(missing) {
                let all = field.needs.join(",");
                let detail = format!(
                    "\"{}\": all of `{},{all}` must be specified; `{other}` is not.",
                    field.name, field.name
                );
                problem("Missing required argument", detail);
            }
        }
        if let Some(word) = value.as_str()
            && !field.words.is_empty()
            && !field.words.contains(&word)
        {
            let words: Vec<String> = field.words.iter().map(|it| format!("{it:?}")).collect();
            let words = words.join(" ");
            let summary = format!("expected {} to be one of [{words}], got {word}", field.name);
            problem(&summary, String::new());
        }
        if let (Some(range), Some(number)) = (&field.range, value.as_i64())
            && !range.contains(&number)
        {
            let (low, high) = (range.start(), range.end());
            let summary = match *high {
                i64::MAX => format!("expected {} to be at least ({low}), got {number}", field.name),
                _ => format!(
                    "expected {} to be in the range ({low} - {high}), got {number}",
                    field.name
                ),
            };
            problem(&summary, String::new());
        }
        if let Shape::Blocks { nesting, fields, .. } = &field.shape {
            for (index, item) in value.values().enumerate() {
                let key =
                    if *nesting == Nesting::Set { item.clone() } else { Value::number(index) };
                check(fields, item, &path.clone().index(key), problems);
            }
        }
    }
}

fn excludes(fields: &[Field], name: &str, other: &str) -> bool {
    fields.iter().any(|it| it.name == name && it.excludes.contains(&other))
}
