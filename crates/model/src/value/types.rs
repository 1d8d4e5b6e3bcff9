//! Types of values and their three spellings: for people, as a constraint, as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

/// What a value may be. `Dynamic` stands for "not known yet" or, in a constraint, for `any`.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Type {
    /// Any type.
    #[default]
    Dynamic,
    /// `true` or `false`.
    Bool,
    /// A number.
    Number,
    /// A Unicode string.
    String,
    /// Ordered elements of one type.
    List(Arc<Type>),
    /// Distinct elements of one type, without order.
    Set(Arc<Type>),
    /// Elements of one type by string key.
    Map(Arc<Type>),
    /// A fixed number of elements, each of its own type.
    Tuple(Arc<Vec<Type>>),
    /// Named attributes, each of its own type.
    Object(Arc<ObjectType>),
}

/// The attributes of an object type.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct ObjectType {
    /// Every attribute.
    pub attrs: BTreeMap<Arc<str>, Type>,
    /// Those that a value converted to this type may leave out. Only constraints have them.
    pub optional: BTreeSet<Arc<str>>,
}

impl Type {
    /// `list(elem)`.
    pub fn list(elem: Type) -> Type {
        Type::List(Arc::new(elem))
    }

    /// `set(elem)`.
    pub fn set(elem: Type) -> Type {
        Type::Set(Arc::new(elem))
    }

    /// `map(elem)`.
    pub fn map(elem: Type) -> Type {
        Type::Map(Arc::new(elem))
    }

    /// `tuple([…])`.
    pub fn tuple(elems: impl IntoIterator<Item = Type>) -> Type {
        Type::Tuple(Arc::new(elems.into_iter().collect()))
    }

    /// `object({…})` without optional attributes.
    pub fn object<K: Into<Arc<str>>>(attrs: impl IntoIterator<Item = (K, Type)>) -> Type {
        Type::object_with_optional(attrs, [] as [&str; 0])
    }

    /// `object({…})` in which the named attributes may be left out.
    pub fn object_with_optional<K: Into<Arc<str>>, O: Into<Arc<str>>>(
        attrs: impl IntoIterator<Item = (K, Type)>,
        optional: impl IntoIterator<Item = O>,
    ) -> Type {
        Type::Object(Arc::new(ObjectType {
            attrs: attrs.into_iter().map(|(name, ty)| (name.into(), ty)).collect(),
            optional: optional.into_iter().map(Into::into).collect(),
        }))
    }

    /// Bool, number, or string.
    pub fn is_primitive(&self) -> bool {
        matches!(self, Type::Bool | Type::Number | Type::String)
    }

    /// List, set, or map.
    pub fn is_collection(&self) -> bool {
        matches!(self, Type::List(_) | Type::Set(_) | Type::Map(_))
    }

    /// The element type of a list, set, or map.
    pub fn element(&self) -> Option<&Type> {
        match self {
            Type::List(elem) | Type::Set(elem) | Type::Map(elem) => Some(elem),
            _ => None,
        }
    }

    /// The type of an attribute of an object type.
    pub fn attribute(&self, name: &str) -> Option<&Type> {
        match self {
            Type::Object(object) => object.attrs.get(name),
            _ => None,
        }
    }

    /// Whether `Dynamic` occurs anywhere in it.
    pub fn has_dynamic(&self) -> bool {
        match self {
            Type::Dynamic => true,
            Type::Bool | Type::Number | Type::String => false,
            Type::List(elem) | Type::Set(elem) | Type::Map(elem) => elem.has_dynamic(),
            Type::Tuple(elems) => elems.iter().any(Type::has_dynamic),
            Type::Object(object) => object.attrs.values().any(Type::has_dynamic),
        }
    }

    /// Whether an optional attribute occurs anywhere in it.
    pub fn has_optional(&self) -> bool {
        match self {
            Type::Dynamic | Type::Bool | Type::Number | Type::String => false,
            Type::List(elem) | Type::Set(elem) | Type::Map(elem) => elem.has_optional(),
            Type::Tuple(elems) => elems.iter().any(Type::has_optional),
            Type::Object(object) => {
                !object.optional.is_empty() || object.attrs.values().any(Type::has_optional)
            }
        }
    }

    /// The type that values of this constraint have: no attribute is optional any more.
    pub fn without_optional(&self) -> Type {
        if !self.has_optional() {
            return self.clone();
        }
        match self {
            Type::Dynamic | Type::Bool | Type::Number | Type::String => self.clone(),
            Type::List(elem) => Type::list(elem.without_optional()),
            Type::Set(elem) => Type::set(elem.without_optional()),
            Type::Map(elem) => Type::map(elem.without_optional()),
            Type::Tuple(elems) => Type::tuple(elems.iter().map(Type::without_optional)),
            Type::Object(object) => Type::object(
                object.attrs.iter().map(|(name, ty)| (name.clone(), ty.without_optional())),
            ),
        }
    }

    /// For people: `list of string`, `object`, `dynamic`.
    pub fn friendly_name(&self) -> String {
        self.named("dynamic", "dynamic")
    }

    /// For people, of something that is required: `list of any single type`, `any type`.
    pub fn friendly_name_for_constraint(&self) -> String {
        self.named("any type", "any single type")
    }

    fn named(&self, top: &str, inside: &str) -> String {
        match self {
            Type::Dynamic => top.into(),
            Type::Bool => "bool".into(),
            Type::Number => "number".into(),
            Type::String => "string".into(),
            Type::List(elem) => format!("list of {}", elem.named(inside, inside)),
            Type::Set(elem) => format!("set of {}", elem.named(inside, inside)),
            Type::Map(elem) => format!("map of {}", elem.named(inside, inside)),
            Type::Tuple(_) => "tuple".into(),
            Type::Object(_) => "object".into(),
        }
    }

    /// The JSON spelling: `"string"`, `["list","string"]`, `["object",{…},["optional"]]`.
    pub fn to_json(&self) -> String {
        let mut out = String::new();
        super::json::write_type(self, &mut out);
        out
    }

    /// Reads the JSON spelling.
    pub fn from_json(text: &str) -> Result<Type, super::json::JsonError> {
        super::json::parse_type(text)
    }
}

/// The constraint syntax: `object({a=string,b=optional(number)})`.
impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Type::Dynamic => f.write_str("any"),
            Type::Bool => f.write_str("bool"),
            Type::Number => f.write_str("number"),
            Type::String => f.write_str("string"),
            Type::List(elem) => write!(f, "list({elem})"),
            Type::Set(elem) => write!(f, "set({elem})"),
            Type::Map(elem) => write!(f, "map({elem})"),
            Type::Tuple(elems) => {
                f.write_str("tuple([")?;
                for (i, elem) in elems.iter().enumerate() {
                    write!(f, "{}{elem}", if i > 0 { "," } else { "" })?;
                }
                f.write_str("])")
            }
            Type::Object(object) => {
                f.write_str("object({")?;
                for (i, (name, ty)) in object.attrs.iter().enumerate() {
                    let comma = if i > 0 { "," } else { "" };
                    if object.optional.contains(name) {
                        write!(f, "{comma}{name}=optional({ty})")?;
                    } else {
                        write!(f, "{comma}{name}={ty}")?;
                    }
                }
                f.write_str("})")
            }
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
