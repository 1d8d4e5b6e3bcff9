//! Writes the implementations. What can be a function lives in `plumb_provider::derive`; here is
//! only what depends on names and types.

use proc_macro2::TokenStream;
use quote::quote;
use syn::{Error, Expr, ExprLit, Lit};

use crate::input::{Attribute, Block, Container, Field, Nesting, Presence, Shape, Struct};

/// `impl Block` and `impl Attr`.
pub(crate) fn block(item: &Struct) -> TokenStream {
    if item.resource.is_some() {
        return Error::new(item.ident.span(), "`#[resource(…)]` needs `#[derive(Resource)]`")
            .to_compile_error();
    }
    implementation(item)
}

/// The same and `impl Resource`.
pub(crate) fn resource(item: &Struct) -> TokenStream {
    let ident = &item.ident;
    let flags = item.resource.as_ref();
    let Some((flags, kind)) = flags.and_then(|it| Some((it, it.kind.as_ref()?))) else {
        let message = "say which resource type this is: `#[resource(kind = \"docker_network\")]`";
        return Error::new(ident.span(), message).to_compile_error();
    };
    let version = flags.version.as_ref().map_or(quote!(0), |it| quote!(#it));
    let local = flags.local;
    let option = |it: &Option<syn::Path>| match it {
        Some(path) => quote!(::core::option::Option::Some(#path)),
        None => quote!(::core::option::Option::None),
    };
    let (refine, validate) = (option(&flags.refine), option(&flags.validate));
    let implementation = implementation(item);
    quote! {
        #implementation
        #[automatically_derived]
        impl ::plumb_provider::Resource for #ident {
            const KIND: &'static str = #kind;
            fn resource_schema() -> ::plumb_provider::derive::ResourceSchema {
                ::plumb_provider::derive::ResourceSchema {
                    version: #version,
                    block: <Self as ::plumb_provider::Block>::schema().clone(),
                    refine: #refine,
                    validate: #validate,
                    local: #local,
                    companions: &[],
                    create_first: false,
                }
            }
        }
    }
}

fn implementation(item: &Struct) -> TokenStream {
    let Struct { ident, description, fields, .. } = item;
    let schema = fields.iter().map(field_schema);
    let decode = fields.iter().map(field_from_value);
    let encode = fields.iter().map(field_to_value);
    let count = fields.len();
    quote! {
        #[automatically_derived]
        impl ::plumb_provider::Block for #ident {
            fn schema() -> &'static ::plumb_provider::derive::SchemaBlock {
                static SCHEMA: ::std::sync::OnceLock<::plumb_provider::derive::SchemaBlock> =
                    ::std::sync::OnceLock::new();
                SCHEMA.get_or_init(|| {
                    let mut block = ::plumb_provider::derive::Builder::new(#description);
                    #(#schema)*
                    block.build()
                })
            }
            fn from_value(
                value: &::plumb_provider::derive::Value,
            ) -> ::core::result::Result<Self, ::plumb_provider::DecodeError> {
                ::plumb_provider::derive::expect_object(value)?;
                ::core::result::Result::Ok(#ident { #(#decode)* })
            }
            fn to_value(&self) -> ::plumb_provider::derive::Value {
                let attrs: [(&'static str, ::plumb_provider::derive::Value); #count] =
                    [#(#encode)*];
                ::plumb_provider::derive::Value::object(attrs)
            }
        }
        #[automatically_derived]
        impl ::plumb_provider::Attr for #ident {
            fn ty() -> ::plumb_provider::derive::Type {
                <Self as ::plumb_provider::Block>::schema().ty().clone()
            }
            fn from_value(
                value: &::plumb_provider::derive::Value,
            ) -> ::core::result::Result<Self, ::plumb_provider::DecodeError> {
                <Self as ::plumb_provider::Block>::from_value(value)
            }
            fn to_value(&self) -> ::plumb_provider::derive::Value {
                <Self as ::plumb_provider::Block>::to_value(self)
            }
        }
    }
}

fn field_schema(field: &Field) -> TokenStream {
    let Field { name, ty, description, replace, shape, .. } = field;
    match shape {
        Shape::Attribute(attribute) => {
            let presence = match attribute.presence {
                Presence::Required => quote!(Required),
                Presence::Optional => quote!(Optional),
                Presence::OptionalComputed => quote!(OptionalComputed),
                Presence::Computed => quote!(Computed),
            };
            let Attribute { sensitive, write_only, set, .. } = attribute;
            let default = match default_of(attribute) {
                Some(default) => {
                    quote!(::core::option::Option::Some(::plumb_provider::Attr::to_value(&#default)))
                }
                None => quote!(::core::option::Option::None),
            };
            let deprecated = match &attribute.deprecated {
                Some(why) => quote!(::core::option::Option::Some(#why)),
                None => quote!(::core::option::Option::None),
            };
            quote! {
                block.attribute(#name, ::plumb_provider::derive::AttributeFlags {
                    ty: <#ty as ::plumb_provider::Attr>::ty(),
                    presence: ::plumb_provider::derive::Presence::#presence,
                    replace: #replace,
                    sensitive: #sensitive,
                    write_only: #write_only,
                    set: #set,
                    default: #default,
                    deprecated: #deprecated,
                    description: #description,
                });
            }
        }
        Shape::Block(Block { nesting, inner, min, max, .. }) => {
            let nesting = nesting_name(*nesting);
            quote! {
                block.block::<#inner>(
                    #name,
                    ::plumb_provider::derive::Nesting::#nesting,
                    #min,
                    #max,
                    #replace,
                    #description,
                );
            }
        }
    }
}

fn field_from_value(field: &Field) -> TokenStream {
    let Field { ident, name, ty, shape, .. } = field;
    match shape {
        Shape::Attribute(attribute) => {
            let computed =
                matches!(attribute.presence, Presence::Computed | Presence::OptionalComputed);
            // A default stands in for null where the field cannot say that nothing was written.
            match default_of(attribute).filter(|_| !attribute.is_option) {
                Some(default) => quote! {
                    #ident: ::plumb_provider::derive::attribute_or::<#ty>(
                        value, #name, #computed, || #default,
                    )?,
                },
                None => quote! {
                    #ident: ::plumb_provider::derive::attribute::<#ty>(value, #name, #computed)?,
                },
            }
        }
        Shape::Block(block) => {
            let inner = &block.inner;
            match block.container {
                Container::One => {
                    quote!(#ident: ::plumb_provider::derive::one_block::<#inner>(value, #name)?,)
                }
                Container::Option => quote! {
                    #ident: ::plumb_provider::derive::blocks::<#inner>(value, #name)?
                        .into_iter().next(),
                },
                Container::Vec => {
                    quote!(#ident: ::plumb_provider::derive::blocks::<#inner>(value, #name)?,)
                }
                Container::BTreeSet => quote! {
                    #ident: ::plumb_provider::derive::blocks::<#inner>(value, #name)?
                        .into_iter().collect(),
                },
                Container::BTreeMap => {
                    quote!(#ident: ::plumb_provider::derive::labelled::<#inner>(value, #name)?,)
                }
            }
        }
    }
}

fn field_to_value(field: &Field) -> TokenStream {
    let Field { ident, name, shape, .. } = field;
    match shape {
        Shape::Attribute(Attribute { set: true, .. }) => {
            quote!((#name, ::plumb_provider::derive::as_set(&self.#ident)),)
        }
        Shape::Attribute(_) => quote!((#name, ::plumb_provider::Attr::to_value(&self.#ident)),),
        Shape::Block(Block { container: Container::BTreeMap, inner, .. }) => {
            quote!((#name, ::plumb_provider::derive::labelled_value::<#inner>(&self.#ident)),)
        }
        Shape::Block(Block { container, nesting, inner, .. }) => {
            let nesting = nesting_name(*nesting);
            let items = match container {
                Container::One => quote!(::core::iter::once(&self.#ident)),
                _ => quote!(self.#ident.iter()),
            };
            quote! {
                (#name, ::plumb_provider::derive::blocks_value::<#inner>(
                    ::plumb_provider::derive::Nesting::#nesting, #items,
                )),
            }
        }
    }
}

fn nesting_name(nesting: Nesting) -> TokenStream {
    match nesting {
        Nesting::Single => quote!(Single),
        Nesting::Group => quote!(Group),
        Nesting::List => quote!(List),
        Nesting::Set => quote!(Set),
        Nesting::Map => quote!(Map),
    }
}

/// The default as an expression of the inner type: text may be given for anything made from it.
fn default_of(attribute: &Attribute) -> Option<TokenStream> {
    let inner = &attribute.inner;
    let default = attribute.default.as_ref()?;
    Some(match default {
        Expr::Lit(ExprLit { lit: Lit::Str(_), .. }) => {
            quote!(<#inner as ::core::convert::From<&str>>::from(#default))
        }
        _ => quote!({ let default: #inner = #default; default }),
    })
}
