//! What the code written by the derives calls. Not for people.

use std::collections::BTreeMap;
use std::sync::Arc;

use plumb_model::schema::{Attribute, NestedBlock, OnChange};
use plumb_model::value::Path;

pub use plumb_model::schema::Block as SchemaBlock;
pub use plumb_model::schema::{Nesting, Presence, ResourceSchema};
pub use plumb_model::value::{Type, Value};

use crate::{Attr, Block, DecodeError};

/// A schema in the making.
pub struct Builder {
    description: &'static str,
    attributes: BTreeMap<Arc<str>, Attribute>,
    blocks: BTreeMap<Arc<str>, NestedBlock>,
}

/// What is said about an attribute.
#[expect(missing_docs, reason = "named as in the schema")]
pub struct AttributeFlags {
    pub ty: Type,
    pub presence: Presence,
    pub replace: bool,
    pub sensitive: bool,
    pub write_only: bool,
    pub set: bool,
    pub default: Option<Value>,
    pub deprecated: Option<&'static str>,
    pub description: &'static str,
}

impl Builder {
    /// An empty block.
    pub fn new(description: &'static str) -> Builder {
        Builder { description, attributes: BTreeMap::new(), blocks: BTreeMap::new() }
    }

    /// One more attribute.
    pub fn attribute(&mut self, name: &str, flags: AttributeFlags) {
        let ty = match flags.ty {
            Type::List(elem) if flags.set => Type::Set(elem),
            ty => ty,
        };
        let attribute = Attribute {
            on_change: on_change(flags.replace),
            default: flags.default.map(|it| if flags.set { into_set(&it) } else { it }),
            sensitive: flags.sensitive,
            write_only: flags.write_only,
            deprecated: flags.deprecated.map(Into::into),
            description: flags.description.into(),
            ..Attribute::new(ty, flags.presence)
        };
        self.attributes.insert(name.into(), attribute);
    }

    /// One more nested block. What the field says of it goes before what its type does.
    pub fn block<B: Block>(
        &mut self,
        name: &str,
        nesting: Nesting,
        min: u64,
        max: u64,
        replace: bool,
        description: &'static str,
    ) {
        let mut block = B::schema().clone();
        if !description.is_empty() {
            block = block.described(description);
        }
        let nested = NestedBlock { nesting, block, min, max, on_change: on_change(replace) };
        self.blocks.insert(name.into(), nested);
    }

    /// The schema.
    pub fn build(self) -> SchemaBlock {
        SchemaBlock::new(self.attributes, self.blocks).described(self.description)
    }
}

fn on_change(replace: bool) -> OnChange {
    if replace { OnChange::Replace } else { OnChange::Update }
}

/// Refuses what is not a known object.
pub fn expect_object(value: &Value) -> Result<(), DecodeError> {
    match value.as_map() {
        Some(_) => Ok(()),
        None if !value.is_known() => {
            Err(DecodeError::new("an object is required, found an unknown"))
        }
        None => Err(DecodeError::new(format!(
            "an object is required, found {}",
            if value.is_null() { "null".to_owned() } else { value.ty().friendly_name() }
        ))),
    }
}

/// What is at `name`; else, if it is left out or, for a computed one, not known yet, a null.
fn present<'a>(object: &'a Value, name: &str, computed: bool) -> Result<&'a Value, &'a Value> {
    match object.get_attr(name) {
        Some(value) if value.is_null() => Err(value),
        Some(value) if !computed || value.is_wholly_known() => Ok(value),
        _ => Err(&Value::NULL),
    }
}

/// Reads an attribute.
pub fn attribute<T: Attr>(object: &Value, name: &str, computed: bool) -> Result<T, DecodeError> {
    let value = match present(object, name, computed) {
        Ok(value) => T::from_value(value),
        Err(null) => {
            T::absent(null).ok_or_else(|| DecodeError::new("a value is required, found none"))
        }
    };
    value.map_err(|error| error.within(Path::default().attr(name)))
}

/// Reads an attribute that has a default.
pub fn attribute_or<T: Attr>(
    object: &Value,
    name: &str,
    computed: bool,
    default: impl FnOnce() -> T,
) -> Result<T, DecodeError> {
    match present(object, name, computed) {
        Ok(value) => T::from_value(value).map_err(|error| error.within(Path::default().attr(name))),
        Err(_) => Ok(default()),
    }
}

/// Reads nested blocks, however they are nested.
pub fn blocks<B: Block>(object: &Value, name: &str) -> Result<Vec<B>, DecodeError> {
    let at = Path::default().attr(name);
    let Ok(value) = present(object, name, false) else { return Ok(Vec::new()) };
    match value.as_slice() {
        Some(items) => {
            let items = items.iter().enumerate().map(|(index, item)| {
                B::from_value(item).map_err(|it| it.within(at.clone().index(index as i64)))
            });
            items.collect()
        }
        None => B::from_value(value).map(|it| vec![it]).map_err(|it| it.within(at)),
    }
}

/// Reads the one nested block there is.
pub fn one_block<B: Block>(object: &Value, name: &str) -> Result<B, DecodeError> {
    let first = blocks(object, name)?.into_iter().next();
    first.ok_or_else(|| {
        DecodeError::new("a block is required, found none").within(Path::default().attr(name))
    })
}

/// Reads nested blocks by label.
pub fn labelled<B: Block>(object: &Value, name: &str) -> Result<BTreeMap<String, B>, DecodeError> {
    let at = Path::default().attr(name);
    let Ok(value) = present(object, name, false) else { return Ok(BTreeMap::new()) };
    let Some(items) = value.as_map() else {
        return Err(DecodeError::new("a map of blocks is required").within(at));
    };
    let items = items.iter().map(|(key, item)| {
        let block = B::from_value(item).map_err(|it| it.within(at.clone().index(&**key)))?;
        Ok((key.to_string(), block))
    });
    items.collect()
}

/// The value of a list that is a set in the schema.
pub fn as_set<T: Attr>(items: &[T]) -> Value {
    Value::set(T::ty(), items.iter().map(T::to_value).collect())
}

fn into_set(list: &Value) -> Value {
    let elem = list.ty().element().cloned().unwrap_or_default();
    Value::set(elem, list.values().cloned().collect())
}

/// The value of nested blocks.
pub fn blocks_value<'a, B: Block + 'a>(
    nesting: Nesting,
    items: impl Iterator<Item = &'a B>,
) -> Value {
    let ty = || B::schema().ty().clone();
    let mut items = items.map(B::to_value);
    match nesting {
        Nesting::Single | Nesting::Group => items.next().unwrap_or_else(|| Value::null(ty())),
        Nesting::List => Value::list(ty(), items.collect()),
        Nesting::Set => Value::set(ty(), items.collect()),
        Nesting::Map => unreachable!("blocks by label have a map's value"),
    }
}

/// The value of nested blocks by label.
pub fn labelled_value<B: Block>(items: &BTreeMap<String, B>) -> Value {
    let items = items.iter().map(|(key, item)| (key.as_str(), item.to_value()));
    Value::map(B::schema().ty().clone(), items)
}
