//! What providers say is held against their own schemas before anything relies on it.

use std::sync::Arc;

use plumb_model::addr::{Kind, Mode, ProviderAddr};
use plumb_model::event::Remote;
use plumb_model::schema::Schemas;
use plumb_model::value::{Value, convert};
use plumb_provider::Failure;

/// The attributes in the form of the schema.
pub(crate) fn attrs(
    schemas: &Schemas,
    provider: &Arc<ProviderAddr>,
    (mode, kind): (Mode, &Kind),
    attrs: Value,
) -> Result<Value, Failure> {
    let Some(schema) = schemas.resource(&provider.source, mode, kind) else { return Ok(attrs) };
    let wrong = |why: &str| {
        let detail = format!(
            "What {} says of a {kind} does not fit its own schema: {why}. This is a bug in the \
             provider.",
            provider.source
        );
        Failure::new("Provider produced invalid object", detail)
    };
    if attrs.is_null() {
        return Err(wrong("it is null"));
    }
    if !attrs.is_wholly_known() {
        return Err(wrong("a value in it is not known"));
    }
    convert(&attrs, schema.block.ty()).map_err(|error| {
        let failure = wrong(&error.message);
        if error.path.is_empty() { failure } else { failure.at(error.path) }
    })
}

/// The same for an object.
pub(crate) fn remote(
    schemas: &Schemas,
    provider: &Arc<ProviderAddr>,
    kind: &Kind,
    remote: Remote,
) -> Result<Remote, Failure> {
    let attrs = attrs(schemas, provider, (Mode::Managed, kind), remote.attrs)?;
    Ok(Remote { attrs, ..remote })
}
