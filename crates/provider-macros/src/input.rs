//! Reads what a person wrote: the struct, its `#[resource(…)]` and each field's `#[attr(…)]`.

use syn::meta::ParseNestedMeta;
use syn::spanned::Spanned;
use syn::{Data, DeriveInput, Error, Expr, Fields, Ident, Lit, LitInt, LitStr, Path, Result, Type};

/// A struct, read.
pub(crate) struct Struct {
    pub(crate) ident: Ident,
    pub(crate) description: String,
    pub(crate) resource: Option<ResourceFlags>,
    pub(crate) fields: Vec<Field>,
}

/// What `#[resource(…)]` says.
#[derive(Default)]
pub(crate) struct ResourceFlags {
    pub(crate) kind: Option<LitStr>,
    pub(crate) version: Option<LitInt>,
    pub(crate) local: bool,
    pub(crate) refine: Option<Path>,
    pub(crate) validate: Option<Path>,
}

/// One field.
pub(crate) struct Field {
    pub(crate) ident: Ident,
    pub(crate) name: String,
    pub(crate) ty: Type,
    pub(crate) description: String,
    pub(crate) replace: bool,
    pub(crate) shape: Shape,
}

/// Attribute or nested block.
#[allow(
    clippy::large_enum_variant,
    reason = "a handful, and how large depends on what else is built: spans grow with `span-locations`"
)]
pub(crate) enum Shape {
    Attribute(Attribute),
    Block(Block),
}

/// What an attribute's flags say.
pub(crate) struct Attribute {
    pub(crate) presence: Presence,
    pub(crate) sensitive: bool,
    pub(crate) write_only: bool,
    /// A list in Rust that is a set in the schema.
    pub(crate) set: bool,
    pub(crate) default: Option<Expr>,
    pub(crate) deprecated: Option<LitStr>,
    pub(crate) is_option: bool,
    /// `T` of `Option<T>`, or the whole type.
    pub(crate) inner: Type,
}

/// What a block's flags say.
pub(crate) struct Block {
    pub(crate) nesting: Nesting,
    pub(crate) container: Container,
    pub(crate) inner: Type,
    pub(crate) min: u64,
    pub(crate) max: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Presence {
    Required,
    Optional,
    OptionalComputed,
    Computed,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Nesting {
    Single,
    Group,
    List,
    Set,
    Map,
}

/// How Rust keeps the blocks.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Container {
    One,
    Option,
    Vec,
    BTreeSet,
    BTreeMap,
}

/// Every flag of a field, as written.
#[derive(Default)]
struct Flags {
    presence: Option<(Presence, proc_macro2::Span)>,
    block: bool,
    nesting: Option<(Nesting, proc_macro2::Span)>,
    min: Option<LitInt>,
    max: Option<LitInt>,
    replace: bool,
    sensitive: bool,
    write_only: bool,
    default: Option<Expr>,
    deprecated: Option<LitStr>,
    name: Option<LitStr>,
}

/// Reads a struct.
pub(crate) fn read(item: &DeriveInput) -> Result<Struct> {
    if !item.generics.params.is_empty() {
        let message = "a schema has no type parameters: remove them";
        return Err(Error::new(item.generics.span(), message));
    }
    let Data::Struct(data) = &item.data else {
        let message = "a schema is made from a struct with named fields";
        return Err(Error::new(item.ident.span(), message));
    };
    let Fields::Named(named) = &data.fields else {
        let message = "a schema is made from named fields: give each a name";
        return Err(Error::new(item.ident.span(), message));
    };
    let mut resource: Option<ResourceFlags> = None;
    for attribute in item.attrs.iter().filter(|it| it.path().is_ident("resource")) {
        let flags = resource.get_or_insert_default();
        attribute.parse_nested_meta(|meta| read_resource_flag(flags, &meta))?;
    }
    let mut fields: Vec<Field> = Vec::new();
    let mut errors: Option<Error> = None;
    for field in &named.named {
        match read_field(field) {
            Ok(field) => match fields.iter().find(|it| it.name == field.name) {
                Some(_) => {
                    let message = format!("there are two attributes named `{}`", field.name);
                    note(&mut errors, Error::new(field.ident.span(), message));
                }
                None => fields.push(field),
            },
            Err(error) => note(&mut errors, error),
        }
    }
    match errors {
        Some(errors) => Err(errors),
        None => Ok(Struct {
            ident: item.ident.clone(),
            description: description(&item.attrs),
            resource,
            fields,
        }),
    }
}

fn note(errors: &mut Option<Error>, error: Error) {
    match errors {
        Some(errors) => errors.combine(error),
        None => *errors = Some(error),
    }
}

fn read_resource_flag(flags: &mut ResourceFlags, meta: &ParseNestedMeta<'_>) -> Result<()> {
    if meta.path.is_ident("kind") {
        flags.kind = Some(meta.value()?.parse()?);
    } else if meta.path.is_ident("version") {
        flags.version = Some(meta.value()?.parse()?);
    } else if meta.path.is_ident("local") {
        flags.local = true;
    } else if meta.path.is_ident("refine") {
        flags.refine = Some(meta.value()?.parse()?);
    } else if meta.path.is_ident("validate") {
        flags.validate = Some(meta.value()?.parse()?);
    } else {
        let known = "kind = \"…\", version = N, local, refine = path, validate = path";
        return Err(meta.error(format!("unknown flag; `resource` knows {known}")));
    }
    Ok(())
}

fn read_field(field: &syn::Field) -> Result<Field> {
    let Some(ident) = field.ident.clone() else {
        return Err(Error::new(field.span(), "give the field a name"));
    };
    let mut flags = Flags::default();
    for attribute in field.attrs.iter().filter(|it| it.path().is_ident("attr")) {
        attribute.parse_nested_meta(|meta| read_flag(&mut flags, &meta))?;
    }
    let name = match &flags.name {
        Some(name) => name.value(),
        None => ident.to_string().trim_start_matches("r#").to_owned(),
    };
    let (replace, ty) = (flags.replace, field.ty.clone());
    let shape = match flags.block {
        true => Shape::Block(read_block(&ident, &ty, &flags)?),
        false => Shape::Attribute(read_attribute(&ident, &ty, flags)?),
    };
    Ok(Field { ident, name, ty, description: description(&field.attrs), replace, shape })
}

fn read_flag(flags: &mut Flags, meta: &ParseNestedMeta<'_>) -> Result<()> {
    let Some(flag) = meta.path.get_ident().map(Ident::to_string) else {
        return Err(meta.error("a flag is one word"));
    };
    let presence = |presence| Some((presence, meta.path.span()));
    let nesting = |nesting| Some((nesting, meta.path.span()));
    if flags.presence.is_some()
        && matches!(&*flag, "required" | "optional" | "optional_computed" | "computed")
    {
        return Err(meta.error(
            "only one of `required`, `optional`, `optional_computed` and `computed` can be given",
        ));
    }
    match &*flag {
        "required" => flags.presence = presence(Presence::Required),
        "optional" => flags.presence = presence(Presence::Optional),
        "optional_computed" => flags.presence = presence(Presence::OptionalComputed),
        "computed" => flags.presence = presence(Presence::Computed),
        "block" => flags.block = true,
        "single" => flags.nesting = nesting(Nesting::Single),
        "group" => flags.nesting = nesting(Nesting::Group),
        "list" => flags.nesting = nesting(Nesting::List),
        "set" => flags.nesting = nesting(Nesting::Set),
        "map" => flags.nesting = nesting(Nesting::Map),
        "min" => flags.min = Some(meta.value()?.parse()?),
        "max" => flags.max = Some(meta.value()?.parse()?),
        "replace" => flags.replace = true,
        "sensitive" => flags.sensitive = true,
        "write_only" => flags.write_only = true,
        "default" => flags.default = Some(meta.value()?.parse()?),
        "deprecated" => flags.deprecated = Some(meta.value()?.parse()?),
        "name" => flags.name = Some(meta.value()?.parse()?),
        _ => {
            return Err(meta.error(
                "unknown flag; `attr` knows required, optional, computed, optional_computed, \
                 replace, sensitive, write_only, set, default = …, deprecated = \"…\", \
                 name = \"…\", and block with single, group, list, set, map, min = N, max = N",
            ));
        }
    }
    Ok(())
}

fn read_attribute(ident: &Ident, ty: &Type, flags: Flags) -> Result<Attribute> {
    let fail = |message: String| Err(Error::new(ident.span(), message));
    let (container, inner) = container(ty);
    let is_option = container == Container::Option;
    let set = match flags.nesting {
        None => false,
        Some((Nesting::Set, _)) => true,
        Some((_, span)) => return Err(Error::new(span, "this flag is for blocks: add `block`")),
    };
    if set && container != Container::Vec {
        return fail("`set` makes a set of a `Vec<T>`; a `BTreeSet<T>` is one already".into());
    }
    if let Some(number) = flags.min.or(flags.max) {
        return Err(Error::new(number.span(), "`min` and `max` are for blocks: add `block`"));
    }
    let presence = match flags.presence {
        Some((Presence::Required, span)) if flags.default.is_some() => {
            return Err(Error::new(span, "what is required needs no default"));
        }
        Some((presence, span)) if presence != Presence::Optional && flags.default.is_some() => {
            return Err(Error::new(span, "what the system sets has no default of ours"));
        }
        Some((presence, _)) => presence,
        None if is_option || flags.default.is_some() => Presence::Optional,
        None => Presence::Required,
    };
    let may_be_absent = is_option || container != Container::One || is_value(ty);
    if !may_be_absent && flags.default.is_none() && presence != Presence::Required {
        let what = match presence {
            Presence::Optional => "is left out",
            _ => "is not known yet",
        };
        return fail(format!("`{ident}` needs a value for when it {what}: make it an `Option`"));
    }
    if flags.write_only && !may_be_absent {
        return fail(format!(
            "`{ident}` is never stored, so it can be absent: make it an `Option`"
        ));
    }
    if flags.write_only && presence.is_computed() {
        return fail("what the system sets is not write-only".into());
    }
    if flags.replace && presence == Presence::Computed {
        return fail("`replace` says what an edit means; nobody edits a computed attribute".into());
    }
    let inner = if is_option { inner } else { ty.clone() };
    Ok(Attribute {
        presence,
        sensitive: flags.sensitive,
        write_only: flags.write_only,
        set,
        default: flags.default,
        deprecated: flags.deprecated,
        is_option,
        inner,
    })
}

fn read_block(ident: &Ident, ty: &Type, flags: &Flags) -> Result<Block> {
    let fail = |message: &str| Err(Error::new(ident.span(), message));
    if flags.default.is_some() || flags.sensitive || flags.write_only || flags.deprecated.is_some()
    {
        return fail("a block takes `name`, `replace`, a nesting, `min` and `max` only");
    }
    let (container, inner) = container(ty);
    if let Some((presence, span)) = flags.presence
        && presence.is_computed()
    {
        let message = "a block is written by people; an attribute of this type can be computed";
        return Err(Error::new(span, message));
    }
    let required = matches!(flags.presence, Some((Presence::Required, _)));
    let nesting = match (container, flags.nesting.map(|(it, _)| it)) {
        (Container::One, None) => Nesting::Group,
        (Container::Option, None) => Nesting::Single,
        (Container::Vec, None) => Nesting::List,
        (Container::BTreeSet, None) => Nesting::Set,
        (Container::BTreeMap, None) => Nesting::Map,
        (Container::One | Container::Option, Some(Nesting::Map))
        | (Container::Vec | Container::BTreeSet, Some(Nesting::Single | Nesting::Group))
        | (Container::Vec | Container::BTreeSet, Some(Nesting::Map))
        | (Container::BTreeSet, Some(Nesting::List))
        | (Container::Option, Some(Nesting::Group))
        | (Container::BTreeMap, Some(_)) => {
            return fail("blocks so nested do not fit the field's type");
        }
        (_, Some(nesting)) => nesting,
    };
    let number = |it: &Option<LitInt>| it.as_ref().map(LitInt::base10_parse::<u64>).transpose();
    let counted = matches!(nesting, Nesting::List | Nesting::Set);
    let at_most_one = matches!(container, Container::One | Container::Option);
    if let Some(limit) = flags.min.as_ref().or(flags.max.as_ref())
        && !counted
    {
        return Err(Error::new(limit.span(), "only lists and sets of blocks are counted"));
    }
    let min = match number(&flags.min)? {
        Some(min) => min,
        None => u64::from(required || (counted && container == Container::One)),
    };
    let max = match number(&flags.max)? {
        Some(max) => max,
        None => u64::from(counted && at_most_one),
    };
    if max != 0 && max < min {
        return fail("`max` is less than `min`");
    }
    if counted && at_most_one && max != 1 {
        return fail("the field holds one block: `max` is 1");
    }
    Ok(Block { nesting, container, inner, min, max })
}

impl Presence {
    fn is_computed(self) -> bool {
        matches!(self, Presence::OptionalComputed | Presence::Computed)
    }
}

/// The container that the type's last path segment names, and what is in it.
fn container(ty: &Type) -> (Container, Type) {
    let Type::Path(path) = ty else { return (Container::One, ty.clone()) };
    let Some(last) = path.path.segments.last() else { return (Container::One, ty.clone()) };
    let container = match &*last.ident.to_string() {
        "Option" => Container::Option,
        "Vec" => Container::Vec,
        "BTreeSet" => Container::BTreeSet,
        "BTreeMap" => Container::BTreeMap,
        _ => return (Container::One, ty.clone()),
    };
    let syn::PathArguments::AngleBracketed(arguments) = &last.arguments else {
        return (Container::One, ty.clone());
    };
    match arguments.args.last() {
        Some(syn::GenericArgument::Type(inner)) => (container, inner.clone()),
        _ => (Container::One, ty.clone()),
    }
}

fn is_value(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path.segments.last().is_some_and(|it| it.ident == "Value" || it.ident == "Dynamic")
}

/// The documentation, one line for each paragraph.
fn description(attributes: &[syn::Attribute]) -> String {
    let mut out = String::new();
    for attribute in attributes.iter().filter(|it| it.path().is_ident("doc")) {
        let syn::Meta::NameValue(meta) = &attribute.meta else { continue };
        let Expr::Lit(syn::ExprLit { lit: Lit::Str(text), .. }) = &meta.value else { continue };
        let text = text.value();
        for line in text.lines().chain(text.is_empty().then_some("")) {
            let line = line.trim();
            let starts_item = line.starts_with("- ") || line.starts_with("* ");
            if line.is_empty() {
                if !out.is_empty() && !out.ends_with("\n\n") {
                    out.push_str("\n\n");
                }
                continue;
            }
            if !out.is_empty() && !out.ends_with('\n') {
                out.push(if starts_item { '\n' } else { ' ' });
            }
            out.push_str(line);
        }
    }
    out.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error_of(text: &str) -> String {
        match syn::parse_str(text).and_then(|item| read(&item)) {
            Ok(_) => "no error".into(),
            Err(errors) => {
                errors.into_iter().map(|it| it.to_string()).collect::<Vec<_>>().join("; ")
            }
        }
    }

    #[test]
    fn mistakes_are_told() {
        for (text, want) in [
            ("enum A { B }", "a schema is made from a struct with named fields"),
            ("struct A(u64);", "a schema is made from named fields: give each a name"),
            ("struct A<T> { a: T }", "a schema has no type parameters: remove them"),
            (
                "struct A { #[attr(computed)] id: String }",
                "`id` needs a value for when it is not known yet: make it an `Option`",
            ),
            (
                "struct A { #[attr(optional)] size: i64 }",
                "`size` needs a value for when it is left out: make it an `Option`",
            ),
            (
                "struct A { #[attr(required, computed)] size: i64 }",
                "only one of `required`, `optional`, `optional_computed` and `computed` can be given",
            ),
            (
                "struct A { #[attr(computed, replace)] size: Option<i64> }",
                "`replace` says what an edit means; nobody edits a computed attribute",
            ),
            (
                "struct A { #[attr(max = 1)] size: Option<i64> }",
                "`min` and `max` are for blocks: add `block`",
            ),
            (
                "struct A { #[attr(block, min = 3, max = 2)] size: Vec<B> }",
                "`max` is less than `min`",
            ),
            (
                "struct A { a: i64, #[attr(name = \"a\")] b: i64 }",
                "there are two attributes named `a`",
            ),
            (
                "struct A { #[attr(computed)] a: i64, #[attr(computed)] b: i64 }",
                "`a` needs a value for when it is not known yet: make it an `Option`; \
                 `b` needs a value for when it is not known yet: make it an `Option`",
            ),
        ] {
            assert_eq!(error_of(text), want, "{text}");
        }
        assert!(error_of("struct A { #[attr(forcenew)] a: i64 }").starts_with("unknown flag"));
    }

    #[test]
    fn documentation_becomes_paragraphs() {
        let item: DeriveInput = syn::parse_str(
            "/// One\n/// line.\n///\n/// Another:\n/// - a\n/// - b\nstruct A { a: i64 }",
        )
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(description(&item.attrs), "One line.\n\nAnother:\n- a\n- b");
    }
}
