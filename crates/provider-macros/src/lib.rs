//! `#[derive(Block)]` and `#[derive(Resource)]`: a documented struct becomes a schema and its
//! conversions to and from values. What the attributes mean is told in `plumb_provider`.

mod expand;
mod input;

use proc_macro::TokenStream;

/// A block of arguments: see `plumb_provider::Block`.
#[proc_macro_derive(Block, attributes(attr))]
pub fn block(item: TokenStream) -> TokenStream {
    derive(item.into(), expand::block).into()
}

/// A resource type or data source: see `plumb_provider::Resource`.
#[proc_macro_derive(Resource, attributes(attr, resource))]
pub fn resource(item: TokenStream) -> TokenStream {
    derive(item.into(), expand::resource).into()
}

fn derive(
    item: proc_macro2::TokenStream,
    expand: fn(&input::Struct) -> proc_macro2::TokenStream,
) -> proc_macro2::TokenStream {
    match syn::parse2(item).and_then(|item| input::read(&item)) {
        Ok(read) => expand(&read),
        Err(error) => error.to_compile_error(),
    }
}
